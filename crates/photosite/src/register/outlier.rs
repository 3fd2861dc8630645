//! Lights that are not like the others of their picture.

use std::borrow::Cow;

use photosite_pix::stat::median_scatter;
use serde::{Deserialize, Serialize};

use crate::params::{Column, LightMeasures};

/// One number of a light that is not like those of the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Outlier {
    /// The column of the table of lights.
    pub column: Cow<'static, str>,
    /// The light's own.
    pub value: f64,
    /// The median of the lights of its picture.
    pub usual: f64,
}

impl Outlier {
    /// In words: `fwhm 9.80 (usual 3.05)`.
    pub fn told(&self) -> String {
        let show = |v: f64| match Column::parse(&self.column) {
            Some(column) => column.show(v),
            None => format!("{v:.2}"),
        };
        format!("{} {} (usual {})", self.column, show(self.value), show(self.usual))
    }
}

/// Fewest lights of which one can stand out.
const FEWEST: usize = 4;

/// Scatters beyond the median at which a number stands out; those of the lights themselves, by the median of
/// deviations, so that bad lights do not hide each other.
const SCATTERS: f64 = 6.0;

/// Stars wider than usual by this factor.
const WIDER: f64 = 1.25;

/// Stars less round than usual by so much.
const LESS_ROUND: f64 = 0.12;

/// A sky brighter than usual by this factor, and by so many sigmas of a sample.
const BRIGHTER: f64 = 1.5;
const BRIGHTER_SIGMAS: f64 = 1.0;

/// Less than this share of the usual light came through.
const DIMMER: f64 = 0.75;

/// A misfit above this factor times the usual, and above so many pixels.
const WORSE_PLACED: f64 = 3.0;
const WORSE_PLACED_PX: f64 = 0.4;

/// For each light of one picture what of it stands out: wide or long stars, a bright sky, little light, a
/// place that is badly known. Only what is worse than usual is told; what is not known stands out nowhere.
pub fn outliers(lights: &[LightMeasures]) -> Vec<Vec<Outlier>> {
    let mut out = vec![Vec::new(); lights.len()];
    let noise = usual(lights, Column::Noise).map_or(0.0, |(noise, _)| noise);
    for column in [Column::Fwhm, Column::Round, Column::Sky, Column::Transparency, Column::Residual]
    {
        let Some((usual, scatter)) = usual(lights, column) else { continue };
        let least = SCATTERS * scatter;
        // What is beyond this, upwards or downwards, stands out.
        let limit = match column {
            Column::Fwhm => (WIDER * usual).max(usual + least),
            Column::Round => (usual - LESS_ROUND).min(usual - least),
            Column::Sky => {
                let more = ((BRIGHTER - 1.0) * usual.abs()).max(BRIGHTER_SIGMAS * noise);
                usual + more.max(least)
            }
            Column::Transparency => (DIMMER * usual).min(usual - least),
            _ => (WORSE_PLACED * usual).max(WORSE_PLACED_PX).max(usual + least),
        };
        let upwards = limit > usual;
        for (light, out) in lights.iter().zip(&mut out) {
            let value = light.get(column);
            let beyond = |v: &f64| if upwards { *v > limit } else { *v < limit };
            out.extend(value.filter(beyond).map(|value| Outlier {
                column: column.name().into(),
                value,
                usual,
            }));
        }
    }
    out
}

/// The median of a column and the scatter about it; `None` where too few lights have it. A misfit of
/// nothing is that of the reference over itself.
fn usual(lights: &[LightMeasures], column: Column) -> Option<(f64, f64)> {
    let known = lights.iter().filter_map(|light| light.get(column));
    let known: Vec<f64> = known.filter(|v| column != Column::Residual || *v > 0.0).collect();
    (known.len() >= FEWEST).then(|| median_scatter(&known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn night(count: u32) -> Vec<LightMeasures> {
        let light = |i: u32| {
            let some = f64::from(i * 7 % 5) - 2.0;
            LightMeasures::default()
                .with(Column::Fwhm, Some(3.0 + 0.05 * some))
                .with(Column::Round, Some(0.92 + 0.005 * some))
                .with(Column::Sky, Some(100.0 + 2.0 * some))
                .with(Column::Noise, Some(8.0))
                .with(Column::Transparency, Some(1.0 + 0.01 * some))
                .with(Column::Residual, Some(if i == 0 { 0.0 } else { 0.08 + 0.01 * some }))
        };
        (0..count).map(light).collect()
    }

    #[test]
    fn one_that_is_worse_is_named_with_its_number() {
        for count in [5, 12, 40] {
            assert!(outliers(&night(count)).iter().all(Vec::is_empty));
            for (column, bad, good) in [
                (Column::Fwhm, 9.0, 2.0),
                (Column::Round, 0.5, 1.0),
                (Column::Sky, 900.0, 5.0),
                (Column::Transparency, 0.4, 1.5),
                (Column::Residual, 1.2, 0.01),
            ] {
                for (value, expected) in [(bad, 1), (good, 0)] {
                    let mut lights = night(count);
                    lights[3] = lights[3].clone().with(column, Some(value));
                    let found = outliers(&lights);
                    assert_eq!(found[3].len(), expected, "{column:?} {value}");
                    assert!(found.iter().enumerate().all(|(i, f)| i == 3 || f.is_empty()));
                    if expected == 1 {
                        assert_eq!((&*found[3][0].column, found[3][0].value), (column.name(), bad));
                    }
                }
            }
        }
    }

    #[test]
    fn a_night_that_changes_slowly_has_none() {
        // Seeing worsens, the target sinks, the Moon rises.
        let lights: Vec<LightMeasures> = (0..30)
            .map(|i| {
                let at = f64::from(i) / 30.0;
                LightMeasures::default()
                    .with(Column::Fwhm, Some(2.5 + at))
                    .with(Column::Sky, Some(40.0 + 160.0 * at))
                    .with(Column::Noise, Some(8.0))
                    .with(Column::Transparency, Some(1.0 - 0.4 * at))
            })
            .collect();
        assert!(outliers(&lights).iter().all(Vec::is_empty));
        // Three lights tell nothing of a fourth that is not there.
        let few = vec![LightMeasures::default().with(Column::Fwhm, Some(3.0)); 2];
        let wide = LightMeasures::default().with(Column::Fwhm, Some(30.0));
        assert!(outliers(&[few, vec![wide]].concat()).iter().all(Vec::is_empty));
    }
}
