//! Which lights of a picture are wanted, by what was measured of them.
//!
//! ```
//! use photosite::params::{Column, LightMeasures, Selection};
//!
//! let light = |fwhm_px| LightMeasures::default().with(Column::Fwhm, Some(fwhm_px));
//! let lights = [light(3.0), light(3.1), light(9.8)];
//! let wanted = Selection { expression: Some("fwhm < 1.5 * median(fwhm)".parse()?), ..Selection::default() };
//! let left_out = wanted.left_out(&lights);
//! assert_eq!(left_out.iter().flatten().count(), 1);
//! assert_eq!(left_out[2].as_ref().unwrap().why, "fwhm 9.80; --select 'fwhm < 1.5 * median(fwhm)'");
//! # Ok::<(), photosite::Error>(())
//! ```

mod expression;
mod parse;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use expression::Expression;

use crate::{Error, Result};

/// A column of the table of lights that holds numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Column {
    /// Stars found.
    Stars,
    /// Their median full width at half maximum in pixels.
    Fwhm,
    /// The median of their short axes over their long ones.
    Round,
    /// The level of the sky in ADU.
    Sky,
    /// The noise of a sample in ADU.
    Noise,
    /// How much light came through, over what the light at whose level they are has.
    Transparency,
    /// The part in the mean, the greatest being 1.
    Weight,
    /// The distance between matched stars in pixels.
    Residual,
    /// The airmass of the header.
    Airmass,
}

impl Column {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Stars,
        Self::Fwhm,
        Self::Round,
        Self::Sky,
        Self::Noise,
        Self::Transparency,
        Self::Weight,
        Self::Residual,
        Self::Airmass,
    ];

    /// Its name in expressions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stars => "stars",
            Self::Fwhm => "fwhm",
            Self::Round => "round",
            Self::Sky => "sky",
            Self::Noise => "noise",
            Self::Transparency => "transparency",
            Self::Weight => "weight",
            Self::Residual => "residual",
            Self::Airmass => "airmass",
        }
    }

    /// The column of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }

    /// Whether a light is the better the more it has of it.
    fn more_is_better(self) -> bool {
        matches!(self, Self::Stars | Self::Round | Self::Transparency | Self::Weight)
    }

    /// A value of it as people write it.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Stars => format!("{value:.0}"),
            Self::Sky => format!("{value:.1}"),
            Self::Residual | Self::Weight => format!("{value:.3}"),
            _ => format!("{value:.2}"),
        }
    }
}

/// What was measured of one light.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LightMeasures {
    numbers: [Option<f64>; Column::ALL.len()],
    verdict: Option<&'static str>,
}

impl LightMeasures {
    /// Sets what is in a column; `None`, or no finite number, where it is not known.
    #[must_use]
    pub fn with(mut self, column: Column, value: Option<f64>) -> Self {
        self.numbers[column as usize] = value.filter(|v| v.is_finite());
        self
    }

    /// Sets the verdict on its calibration, in the word that people write.
    #[must_use]
    pub fn with_verdict(mut self, verdict: Option<&'static str>) -> Self {
        self.verdict = verdict;
        self
    }

    /// What is in a column; `None` where it is not known.
    pub fn get(&self, column: Column) -> Option<f64> {
        self.numbers[column as usize]
    }

    /// The columns that are known.
    pub fn known(&self) -> impl Iterator<Item = (Column, f64)> + '_ {
        Column::ALL.into_iter().filter_map(|c| Some((c, self.get(c)?)))
    }

    /// The verdict on its calibration.
    pub fn verdict(&self) -> Option<&'static str> {
        self.verdict
    }
}

/// The best part of the lights, by one column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeepBest {
    /// Between 0 and 1.
    share: f64,
    by: Column,
}

impl FromStr for KeepBest {
    type Err = Error;

    /// Reads `80%`, by weight, or `80%:fwhm`, by any column.
    fn from_str(text: &str) -> Result<Self> {
        let unfit = || {
            Error::parameters(format!(
                "--keep-best takes a share as 80%, or one by a column as 80%:fwhm, not {text:?}"
            ))
        };
        let (share, by) = match text.split_once(':') {
            None => (text, Column::Weight),
            Some((share, by)) => (share, Column::parse(by.trim()).ok_or_else(unfit)?),
        };
        let percent = share.trim().strip_suffix('%').ok_or_else(unfit)?;
        match percent.trim().parse::<f64>() {
            Ok(percent) if percent > 0.0 && percent <= 100.0 => {
                Ok(Self { share: percent / 100.0, by })
            }
            _ => Err(unfit()),
        }
    }
}

impl fmt::Display for KeepBest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.share * 100.0)?;
        if self.by == Column::Weight { Ok(()) } else { write!(f, ":{}", self.by.name()) }
    }
}

/// Which lights of a picture are wanted; all of them by default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Selection {
    /// Lights whose verdict is wrong are not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reject_wrong: bool,
    /// Those of which this is true.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub expression: Option<Expression>,
    /// The best of those.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub keep_best: Option<KeepBest>,
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            self.reject_wrong.then(|| "--reject-lights verdict".to_owned()),
            self.expression.as_ref().map(|e| format!("--select '{e}'")),
            self.keep_best.map(|k| format!("--keep-best {k}")),
        ];
        f.write_str(&words.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

/// Why a light is not wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// The light's values, and what was asked, in words.
    pub why: String,
}

impl Selection {
    /// Whether every light is wanted.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// For each light of one picture why it is left out; `None` for those that are wanted. Statistics are
    /// those of all lights given; what is not known of a light is neither true nor false, and it is left out.
    pub fn left_out(&self, lights: &[LightMeasures]) -> Vec<Option<LeftOut>> {
        let mut out: Vec<Option<LeftOut>> = vec![None; lights.len()];
        if self.reject_wrong {
            for (light, out) in lights.iter().zip(&mut out) {
                if light.verdict == Some("wrong") {
                    let why = "verdict wrong; --reject-lights verdict".to_owned();
                    *out = Some(LeftOut { why });
                }
            }
        }
        if let Some(expression) = &self.expression {
            let wanted = expression.true_of(lights);
            for ((light, out), wanted) in lights.iter().zip(&mut out).zip(wanted) {
                if !wanted && out.is_none() {
                    *out = Some(named(
                        light,
                        &expression.columns(),
                        &format!("--select '{expression}'"),
                    ));
                }
            }
        }
        if let Some(KeepBest { share, by }) = self.keep_best {
            let mut rest: Vec<usize> = (0..lights.len()).filter(|i| out[*i].is_none()).collect();
            let value = |i: usize| {
                let known = lights[i].get(by)?;
                Some(if by.more_is_better() { known } else { -known })
            };
            // The best first; what is not known is no best.
            rest.sort_by(|a, b| match (value(*b), value(*a)) {
                (Some(b), Some(a)) => b.total_cmp(&a),
                (b, a) => b.is_some().cmp(&a.is_some()),
            });
            let kept = (share * rest.len() as f64 - 1e-9).ceil().max(1.0) as usize;
            let what = format!("--keep-best {}", self.keep_best.expect("it is there"));
            for i in rest.into_iter().skip(kept) {
                out[i] = Some(named(&lights[i], &[by], &what));
            }
        }
        out
    }
}

/// That a light is left out, with its values.
fn named(light: &LightMeasures, columns: &[Column], what: &str) -> LeftOut {
    let told = columns.iter().map(|c| match light.get(*c) {
        Some(value) => format!("{} {}", c.name(), c.show(value)),
        None => format!("{} not known", c.name()),
    });
    let mut told: Vec<String> = told.collect();
    if told.is_empty() {
        told.push(format!("verdict {}", light.verdict.unwrap_or("not known")));
    }
    LeftOut { why: format!("{}; {what}", told.join(", ")) }
}

/// What is written down as its text.
mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<T: Display, S: Serializer>(v: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match v {
            Some(v) => to.collect_str(v),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err = crate::Error>,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(from)?;
        text.map(|t| t.parse().map_err(D::Error::custom)).transpose()
    }
}

/// Numbers from the least to the greatest.
fn rising(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lights() -> Vec<LightMeasures> {
        let of = |fwhm: f64, weight: f64, verdict| {
            LightMeasures::default()
                .with(Column::Fwhm, Some(fwhm))
                .with(Column::Weight, Some(weight))
                .with_verdict(verdict)
        };
        vec![
            of(3.0, 1.0, Some("good")),
            of(3.2, 0.9, Some("good")),
            of(2.9, 0.1, Some("wrong")),
            of(10.0, 0.8, Some("usable")),
            LightMeasures::default(),
        ]
    }

    fn out(selection: &Selection) -> Vec<usize> {
        let out = selection.left_out(&lights());
        (0..out.len()).filter(|i| out[*i].is_some()).collect()
    }

    #[test]
    fn lights_are_left_out_by_each_wish_and_named_with_their_values() {
        let by = |text: &str| Selection {
            expression: Some(text.parse().unwrap()),
            ..Selection::default()
        };
        let best = |text: &str| Selection {
            keep_best: Some(text.parse().unwrap()),
            ..Selection::default()
        };
        assert_eq!(out(&Selection::default()), [0usize; 0]);
        assert_eq!(out(&Selection { reject_wrong: true, ..Selection::default() }), [2]);
        assert_eq!(out(&by("fwhm < 5")), [3, 4]);
        assert_eq!(out(&by("verdict = good or verdict = usable")), [2, 4]);
        assert_eq!(out(&best("60%")), [2, 4]);
        assert_eq!(out(&best("80%")), [4]);
        assert_eq!(out(&best("60%:fwhm")), [3, 4]);
        assert_eq!(out(&best("1%")), [1, 2, 3, 4]);
        let both = Selection { reject_wrong: true, ..best("50%") };
        // Half of the four that are left.
        assert_eq!(out(&both), [2, 3, 4]);
        let told = best("60%:fwhm").left_out(&lights());
        assert_eq!(told[3].as_ref().unwrap().why, "fwhm 10.00; --keep-best 60%:fwhm");
        assert_eq!(told[4].as_ref().unwrap().why, "fwhm not known; --keep-best 60%:fwhm");
    }

    #[test]
    fn shares_are_checked_and_written_as_they_are_read() {
        for text in ["80%", "12.5%:round", "100%:stars"] {
            assert_eq!(text.parse::<KeepBest>().unwrap().to_string(), text);
        }
        for bad in ["80", "0%", "101%", "80%:colour", "", "%", "-5%", "NaN%"] {
            assert!(bad.parse::<KeepBest>().is_err(), "{bad}");
        }
        let wanted = Selection {
            reject_wrong: true,
            expression: Some("round > 0.6 and not fwhm > 4".parse().unwrap()),
            keep_best: Some("80%".parse().unwrap()),
        };
        let json = serde_json::to_string(&wanted).unwrap();
        assert_eq!(serde_json::from_str::<Selection>(&json).unwrap(), wanted);
        assert_eq!(serde_json::to_string(&Selection::default()).unwrap(), "{}");
    }
}
