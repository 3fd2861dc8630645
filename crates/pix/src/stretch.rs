//! The screen stretch: what a person looks at, never what is measured.

use crate::stat::{MAD_TO_SIGMA, median_mad};

/// Shadows are cut this many sigmas below the median.
const SHADOWS: f64 = 2.8;

/// The brightness the median gets.
const TARGET: f64 = 0.25;

/// A midtones stretch of samples to 0..1.
///
/// # Source
/// PCL DisplayFunction, automatic stretch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    low: f64,
    high: f64,
    shadows: f64,
    midtones: f64,
}

/// The midtones transfer function: 0 to 0, `m` to one half, 1 to 1.
fn midtones(m: f64, x: f64) -> f64 {
    if x <= 0.0 {
        0.0
    } else if x >= 1.0 {
        1.0
    } else {
        (m - 1.0) * x / ((2.0 * m - 1.0) * x - m)
    }
}

impl Stretch {
    /// A stretch made for `samples`; not finite ones do not count.
    ///
    /// Samples are first brought to 0..1 by their own range.
    pub fn of(samples: &[f32]) -> Self {
        let finite = samples.iter().copied().filter(|v| v.is_finite());
        let low = finite.clone().fold(f32::INFINITY, f32::min);
        let high = finite.fold(f32::NEG_INFINITY, f32::max);
        let (low, high) = if low < high {
            (f64::from(low), f64::from(high))
        } else {
            // A constant picture, or none.
            return Self { low: 0.0, high: 1.0, shadows: 0.0, midtones: 0.5 };
        };
        let (median, mad) = median_mad(samples);
        let median = (f64::from(median) - low) / (high - low);
        let sigma = MAD_TO_SIGMA * f64::from(mad) / (high - low);
        let shadows = (median - SHADOWS * sigma).clamp(0.0, 1.0);
        let midtones = midtones(TARGET, median - shadows);
        Self { low, high, shadows, midtones: midtones.clamp(1e-6, 1.0 - 1e-6) }
    }

    /// The brightness of a sample, 0 to 1; NaN is black.
    pub fn apply(&self, sample: f32) -> f32 {
        let x = (f64::from(sample) - self.low) / (self.high - self.low);
        let x = (x - self.shadows) / (1.0 - self.shadows);
        if x.is_nan() { 0.0 } else { midtones(self.midtones, x) as f32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_gets_the_target_brightness() {
        let mut samples: Vec<f32> = (0..1000).map(|i| 1000.0 + (i % 21) as f32).collect();
        samples.push(60000.0);
        let s = Stretch::of(&samples);
        assert!((s.apply(1010.0) - 0.25).abs() < 0.01, "{}", s.apply(1010.0));
        assert_eq!((s.apply(0.0), s.apply(60000.0), s.apply(f32::NAN)), (0.0, 1.0, 0.0));
    }

    #[test]
    fn constant_and_empty_pictures_do_no_harm() {
        for samples in [&[][..], &[5.0; 9], &[f32::NAN; 3]] {
            assert!(Stretch::of(samples).apply(5.0).is_finite());
        }
    }
}
