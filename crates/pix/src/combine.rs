//! N samples a pixel into one, with its uncertainty and what was left out.

use serde::{Deserialize, Serialize};

use crate::reject::{Reject, sorted_median};

/// How the kept samples become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Combine {
    /// Their mean.
    Mean,
    /// Their median.
    Median,
}

impl Combine {
    /// The name, as `--combine` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Median => "median",
        }
    }
}

/// What to do with each column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// How samples are rejected.
    pub reject: Reject,
    /// How the kept ones are combined.
    pub combine: Combine,
}

/// Samples of `width` pixels in `count` frames, frame after frame; NaN where there is none.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    data: &'a [f32],
    width: usize,
}

impl<'a> Samples<'a> {
    /// Samples over `data`, whose length must be a multiple of `width`.
    pub fn new(data: &'a [f32], width: usize) -> Self {
        assert!(
            width > 0 && data.len().is_multiple_of(width),
            "whole rows of {width} samples expected"
        );
        Self { data, width }
    }

    /// Frames.
    pub fn count(&self) -> usize {
        self.data.len() / self.width
    }

    /// Pixels.
    pub fn width(&self) -> usize {
        self.width
    }
}

/// Where the result of a strip goes; every slice is as long as the strip has pixels.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The combined value; NaN where no frame had a sample.
    pub value: &'a mut [f32],
    /// Its variance from the scatter of the kept samples; NaN below two samples.
    pub variance: &'a mut [f32],
    /// Samples kept.
    pub kept: &'a mut [u16],
    /// Samples rejected below.
    pub low: &'a mut [u16],
    /// Samples rejected above.
    pub high: &'a mut [u16],
}

/// Combines each pixel's column.
///
/// The variance is s² / n for a mean and π s² / 2n for a median, s the standard deviation of the
/// kept samples: the standard error for large n.
pub fn combine(samples: Samples, recipe: Recipe, out: &mut Outcome) {
    let mut column = Vec::with_capacity(samples.count());
    for x in 0..samples.width {
        column.clear();
        column.extend(samples.data[x..].iter().step_by(samples.width).filter(|v| !v.is_nan()));
        column.sort_unstable_by(f32::total_cmp);
        let keep = recipe.reject.keep(&column);
        let kept = &column[keep.clone()];
        let n = kept.len() as f64;
        let mean = kept.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let squares = kept.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>();
        let standard_error2 = if kept.len() > 1 { squares / (n - 1.0) / n } else { f64::NAN };
        let (value, variance) = match recipe.combine {
            Combine::Mean => (mean, standard_error2),
            Combine::Median => (sorted_median(kept), standard_error2 * std::f64::consts::FRAC_PI_2),
        };
        out.value[x] = value as f32;
        out.variance[x] = variance as f32;
        out.kept[x] = kept.len() as u16;
        out.low[x] = keep.start as u16;
        out.high[x] = (column.len() - keep.end) as u16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_samples_do_not_count() {
        let data = [1.0, f32::NAN, 3.0, f32::NAN, 5.0, f32::NAN];
        let (mut v, mut s) = (vec![0.0; 2], vec![0.0; 2]);
        let (mut k, mut l, mut h) = (vec![0; 2], vec![0; 2], vec![0; 2]);
        let mut out =
            Outcome { value: &mut v, variance: &mut s, kept: &mut k, low: &mut l, high: &mut h };
        let recipe = Recipe { reject: Reject::None, combine: Combine::Mean };
        combine(Samples::new(&data, 2), recipe, &mut out);
        assert_eq!((v[0], k[0], k[1]), (3.0, 3, 0));
        assert!(v[1].is_nan());
        assert!((s[0] - 4.0 / 3.0).abs() < 1e-6);
    }
}
