//! Which of one pixel's samples do not belong.
//!
//! A column is the N samples of one pixel, sorted, NaN already left out. Each method gives the
//! range of the sorted column that it keeps; what lies below and above is rejected.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A method of rejection with its thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum Reject {
    /// Keep everything.
    None,
    /// Winsorized sigma clipping.
    ///
    /// The centre is the median. Sigma is the fixed point of s = 1.134 sd(column clamped to
    /// median ± 1.5 s), from s = sd(column), to 5e-4 of itself. Samples beyond `sigma_low` below
    /// or `sigma_high` above the median go; the rest is judged anew until nothing goes. Fewer
    /// than 3 are never kept: a round that would leave fewer is not done.
    ///
    /// # Source
    /// Huber1981, winsorizing; PCL for the constants.
    Winsorized {
        /// Sigmas below the median.
        sigma_low: f32,
        /// Sigmas above the median.
        sigma_high: f32,
    },
}

impl Reject {
    /// The method's name, as `--reject` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Winsorized { .. } => "winsorized",
        }
    }

    /// The part of a sorted column that is kept.
    pub fn keep(self, sorted: &[f32]) -> Range<usize> {
        match self {
            Self::None => 0..sorted.len(),
            Self::Winsorized { sigma_low, sigma_high } => {
                winsorized(sorted, f64::from(sigma_low), f64::from(sigma_high))
            }
        }
    }
}

/// Fewest samples that a round of rejection may leave.
const FEWEST: usize = 3;

/// The median of a sorted slice.
pub(crate) fn sorted_median(sorted: &[f32]) -> f64 {
    let n = sorted.len();
    match n {
        0 => f64::NAN,
        _ if n % 2 == 1 => f64::from(sorted[n / 2]),
        _ => 0.5 * (f64::from(sorted[n / 2 - 1]) + f64::from(sorted[n / 2])),
    }
}

/// The standard deviation (n − 1) of a column clamped to `low..=high`.
fn clamped_sd(sorted: &[f32], low: f64, high: f64) -> f64 {
    let n = sorted.len() as f64;
    let clamp = |v: &f32| f64::from(*v).clamp(low, high);
    let mean = sorted.iter().map(clamp).sum::<f64>() / n;
    let squares = sorted.iter().map(|v| (clamp(v) - mean).powi(2)).sum::<f64>();
    (squares / (n - 1.0)).sqrt()
}

fn winsorized(sorted: &[f32], sigma_low: f64, sigma_high: f64) -> Range<usize> {
    let mut kept = 0..sorted.len();
    while kept.len() > FEWEST {
        let column = &sorted[kept.clone()];
        let median = sorted_median(column);
        let mut sigma = clamped_sd(column, f64::NEG_INFINITY, f64::INFINITY);
        // The fixed point is reached in a handful of steps; a constant column has sigma 0.
        for _ in 0..50 {
            let next = 1.134 * clamped_sd(column, median - 1.5 * sigma, median + 1.5 * sigma);
            let settled = (next - sigma).abs() <= 5e-4 * sigma;
            sigma = next;
            if settled {
                break;
            }
        }
        let (low, high) = (median - sigma_low * sigma, median + sigma_high * sigma);
        let start = kept.start + column.iter().take_while(|v| f64::from(**v) < low).count();
        let end = kept.end - column.iter().rev().take_while(|v| f64::from(**v) > high).count();
        if (start..end) == kept || end.saturating_sub(start) < FEWEST {
            break;
        }
        kept = start..end;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: Reject = Reject::Winsorized { sigma_low: 4.0, sigma_high: 3.0 };

    #[test]
    fn one_outlier_goes_and_the_rest_stays() {
        let column = [9.0, 10.0, 10.5, 11.0, 9.5, 10.2, 9.8, 500.0];
        let mut sorted = column;
        sorted.sort_by(f32::total_cmp);
        assert_eq!(METHOD.keep(&sorted), 0..7);
    }

    #[test]
    fn constant_and_short_columns_are_kept() {
        assert_eq!(METHOD.keep(&[5.0; 9]), 0..9);
        for n in 0..=3 {
            assert_eq!(METHOD.keep(&[1.0, 2.0, 900.0][..n]), 0..n);
        }
    }
}
