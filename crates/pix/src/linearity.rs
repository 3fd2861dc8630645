//! A response that bends, and what straightens it.
//!
//! ```
//! use photosite_pix::linearity::Curve;
//!
//! // A sample of 50000 ADU above the bias stands for 51500.
//! let curve = Curve::polynomial(&[6e-7], Some(55_000.0)).unwrap();
//! assert!((curve.straight(50_000.0) - 51_500.0).abs() < 0.01);
//! assert!((curve.slope(50_000.0) - 1.06).abs() < 1e-6);
//! assert_eq!(curve.straight(0.0), 0.0);
//! ```

use serde::{Deserialize, Serialize};

use crate::CfaColor;

/// What straightens samples above the bias, in ADU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// The colour that it is of; of all where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<CfaColor>,
    /// The amplifier, counted from 1; all where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amplifier: Option<usize>,
    /// c2, c3 and so on of s + c2 s^2 + c3 s^3, for a sample s in ADU above the bias.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    polynomial: Vec<f64>,
    /// Samples above the bias, rising, in place of a polynomial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    measured_adu: Vec<f64>,
    /// What each of them stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    true_adu: Vec<f64>,
    /// The sample above the bias up to which it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit_adu: Option<f64>,
}

/// The highest sample above the bias that a curve is checked for where it has no limit, in ADU.
const HIGHEST_ADU: f64 = 65_535.0;

/// A correction beyond this factor is none of a sensor.
const MOST: f64 = 2.0;

impl Curve {
    /// The curve s + c2 s² + c3 s³ …; `None` unless it is fit for use.
    pub fn polynomial(coefficients: &[f64], limit_adu: Option<f64>) -> Option<Self> {
        Self { polynomial: coefficients.to_vec(), limit_adu, ..Self::straight_line() }
            .checked()
            .ok()
    }

    /// The curve through measured samples and what they stand for; between them the factor of correction is
    /// interpolated, beyond them it stays. `None` unless it is fit for use.
    pub fn table(measured_adu: &[f64], true_adu: &[f64], limit_adu: Option<f64>) -> Option<Self> {
        let (measured_adu, true_adu) = (measured_adu.to_vec(), true_adu.to_vec());
        Self { measured_adu, true_adu, limit_adu, ..Self::straight_line() }.checked().ok()
    }

    fn straight_line() -> Self {
        Self {
            channel: None,
            amplifier: None,
            polynomial: Vec::new(),
            measured_adu: Vec::new(),
            true_adu: Vec::new(),
            limit_adu: None,
        }
    }

    /// The same for one colour or amplifier, counted from 1.
    #[must_use]
    pub fn of(self, channel: Option<CfaColor>, amplifier: Option<usize>) -> Self {
        Self { channel, amplifier, ..self }
    }

    /// The curve, if it is fit for use: one law, of finite numbers, that rises all the way and corrects by less
    /// than a factor of two.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn checked(self) -> Result<Self, String> {
        let numbers = self.polynomial.iter().chain(&self.measured_adu).chain(&self.true_adu);
        if numbers.chain(&self.limit_adu).any(|v| !v.is_finite()) {
            return Err("a curve of linearity holds something that is no number".to_owned());
        }
        let table = !self.measured_adu.is_empty() || !self.true_adu.is_empty();
        if table != self.polynomial.is_empty() {
            return Err("a curve of linearity needs either a polynomial or a table".to_owned());
        }
        let rises =
            |v: &[f64]| v.first().is_some_and(|v| *v > 0.0) && v.windows(2).all(|p| p[0] < p[1]);
        if table
            && !(self.measured_adu.len() == self.true_adu.len()
                && rises(&self.measured_adu)
                && rises(&self.true_adu))
        {
            return Err("measured_adu and true_adu must be as many, above 0 and rising".to_owned());
        }
        if self.limit_adu.is_some_and(|v| v <= 0.0) || self.amplifier == Some(0) {
            return Err("limits and amplifiers of a curve start above 0".to_owned());
        }
        let top = self.limit_adu.unwrap_or(HIGHEST_ADU) as f32;
        let at = |i: u16| f32::from(i) * top / 256.0;
        let fits = |i: u16| {
            let factor = f64::from(self.straight(at(i)) / at(i));
            (1.0 / MOST..MOST).contains(&factor) && self.slope(at(i)) > 0.0
        };
        if !(1..=256).all(fits) {
            return Err(
                "a curve of linearity must rise, and correct by less than a factor of 2".to_owned()
            );
        }
        Ok(self)
    }

    /// Whether the curve is for this colour and amplifier, and how specially; `None` where it is for another.
    fn suits(&self, channel: Option<CfaColor>, amplifier: usize) -> Option<u8> {
        let colour = self.channel.is_none() || self.channel == channel;
        let output = self.amplifier.is_none_or(|a| a == amplifier + 1);
        let rank = u8::from(self.channel.is_some()) + 2 * u8::from(self.amplifier.is_some());
        (colour && output).then_some(rank)
    }

    /// What a sample above the bias stands for; negative ones and NaN stay.
    pub fn straight(&self, sample: f32) -> f32 {
        let s = f64::from(sample);
        (s * self.factor(s)) as f32
    }

    /// How the correction stretches noise at a sample: the derivative of [`straight`](Self::straight).
    pub fn slope(&self, sample: f32) -> f32 {
        let s = f64::from(sample);
        if s.is_nan() || s <= 0.0 {
            return 1.0;
        }
        if self.measured_adu.is_empty() {
            let terms = self.polynomial.iter().enumerate();
            let slope = terms.rev().fold(0.0, |sum, (k, c)| (sum + (k as f64 + 2.0) * c) * s);
            return (1.0 + slope) as f32;
        }
        let step = (1e-3 * s).max(0.5);
        ((((s + step) * self.factor(s + step)) - ((s - step) * self.factor(s - step)))
            / (2.0 * step)) as f32
    }

    fn factor(&self, s: f64) -> f64 {
        if s.is_nan() || s <= 0.0 {
            return 1.0;
        }
        if self.measured_adu.is_empty() {
            return 1.0 + self.polynomial.iter().rev().fold(0.0, |sum, c| (sum + c) * s);
        }
        let at = self.measured_adu.partition_point(|m| *m < s);
        let factor = |i: usize| self.true_adu[i] / self.measured_adu[i];
        match (at.checked_sub(1), at < self.measured_adu.len()) {
            (None, _) => factor(0),
            (Some(before), false) => factor(before),
            (Some(before), true) => {
                let (low, high) = (self.measured_adu[before], self.measured_adu[at]);
                let t = (s - low) / (high - low);
                factor(before) * (1.0 - t) + factor(at) * t
            }
        }
    }

    /// Whether a sample above the bias lies beyond what was measured.
    pub fn is_beyond(&self, sample: f32) -> bool {
        self.limit_adu.is_some_and(|limit| f64::from(sample) > limit)
    }
}

/// The curve for a colour and an amplifier, counted from 0: the most special one.
pub fn curve_for(curves: &[Curve], channel: Option<CfaColor>, amplifier: usize) -> Option<&Curve> {
    let suited = curves.iter().filter_map(|c| Some((c.suits(channel, amplifier)?, c)));
    suited.max_by_key(|(rank, _)| *rank).map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_follows_its_polynomial() {
        let law = Curve::polynomial(&[5e-7, 2e-12], None).unwrap();
        let nodes: Vec<f64> = (1..=12).map(|i| 5_000.0 * f64::from(i)).collect();
        let truth: Vec<f64> = nodes.iter().map(|m| f64::from(law.straight(*m as f32))).collect();
        let table = Curve::table(&nodes, &truth, None).unwrap();
        for s in [6_000.0f32, 23_456.0, 48_000.0, 59_000.0] {
            assert!((table.straight(s) / law.straight(s) - 1.0).abs() < 1e-4, "{s}");
            assert!((table.slope(s) / law.slope(s) - 1.0).abs() < 1e-2, "{s}");
        }
        assert!(table.straight(f32::NAN).is_nan());
        assert_eq!(
            (table.straight(-20.0), law.straight(-20.0), law.slope(-5.0)),
            (-20.0, -20.0, 1.0)
        );
    }

    #[test]
    fn what_is_no_curve_is_refused() {
        assert!(Curve::polynomial(&[], None).is_none());
        assert!(Curve::polynomial(&[-2e-5], None).is_none(), "it turns over");
        assert!(Curve::polynomial(&[f64::NAN], None).is_none());
        assert!(Curve::polynomial(&[6e-7], Some(-1.0)).is_none());
        assert!(Curve::table(&[1.0, 2.0], &[1.0], None).is_none());
        assert!(Curve::table(&[2.0, 1.0], &[1.0, 2.0], None).is_none());
        assert!(Curve::table(&[1e4, 2e4], &[1e4, 5e4], None).is_none());
    }

    #[test]
    fn the_most_special_curve_is_taken() {
        let curve = |c: f64| Curve::polynomial(&[c], None).unwrap();
        let red = Some(CfaColor::Red);
        let curves = [curve(1e-7), curve(2e-7).of(red, None), curve(3e-7).of(None, Some(2))];
        let at = |channel, amplifier| {
            curve_for(&curves, channel, amplifier).unwrap().slope(1e6f32 / 2.0)
        };
        assert_eq!(at(None, 0), curves[0].slope(5e5));
        assert_eq!(at(red, 0), curves[1].slope(5e5));
        assert_eq!(at(red, 1), curves[2].slope(5e5));
        assert!(curve_for(&curves[1..2], None, 0).is_none());
    }
}
