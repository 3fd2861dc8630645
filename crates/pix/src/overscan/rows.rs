//! The means of an overscan's rows.

use crate::stat::{MAD_TO_SIGMA, median, median_f64};

/// Samples further than so many sigmas from their row's median are no level.
///
/// # Source
/// IRAFccdred: colbias rejects at 3 sigma on both sides.
pub(super) const KAPPA: f64 = 3.0;

/// The means of rows without outliers.
pub(super) struct RowMeans {
    pub(super) first_row: usize,
    /// (mean, number of samples) of each row; none without a sample.
    pub(super) rows: Vec<Option<(f64, f64)>>,
    /// The standard deviation of one sample about its row.
    pub(super) sigma: f64,
    /// The variance of a typical row's mean by that.
    pub(super) variance_of_mean: f64,
}

impl RowMeans {
    /// Of the samples of rows from `first_row` on.
    pub(super) fn of(samples: &[Vec<f32>], first_row: usize) -> Self {
        // Deviations from a row's own median are smaller than those from its level by the share that the
        // median follows them; half the rows at least have enough samples for that not to matter.
        let mut off = Vec::new();
        let mut medians = Vec::with_capacity(samples.len());
        let mut count = 0.0;
        for row in samples {
            let (mean, n) = (mean_of(row), row.len() as f64);
            medians.push(if row.is_empty() { f64::NAN } else { f64::from(median(row)) });
            if n > 1.0 {
                let free = (n / (n - 1.0)).sqrt();
                off.extend(row.iter().map(|v| ((f64::from(*v) - mean) * free) as f32));
                count += 1.0;
            }
        }
        let sigma = if count > 0.0 { scatter(&off) } else { 0.0 };
        let reach = KAPPA * sigma;
        let kept = |row: &Vec<f32>, median: f64| {
            // Where samples hardly scatter, whole numbers do.
            let near = |v: &f32| (f64::from(*v) - median).abs() <= reach.max(1.0);
            let near: Vec<f32> = row.iter().copied().filter(near).collect();
            (!near.is_empty()).then(|| (mean_of(&near), near.len() as f64))
        };
        let rows: Vec<_> = samples.iter().zip(medians).map(|(r, m)| kept(r, m)).collect();
        let counts: Vec<f64> = rows.iter().flatten().map(|(_, n)| *n).collect();
        let typical = median_f64(&counts);
        Self { first_row, rows, sigma, variance_of_mean: sigma * sigma / typical.max(1.0) }
    }

    pub(super) fn at(&self, y: usize) -> Option<f64> {
        self.rows.get(y.checked_sub(self.first_row)?)?.map(|(mean, _)| mean)
    }

    /// The first and the last row.
    pub(super) fn ends(&self) -> (usize, usize) {
        (self.first_row, self.first_row + self.rows.len().max(1) - 1)
    }
}

fn mean_of(samples: &[f32]) -> f64 {
    samples.iter().map(|v| f64::from(*v)).sum::<f64>() / samples.len() as f64
}

/// The standard deviation of deviations, robustly at first and then as a root mean square of what lies
/// within.
fn scatter(off: &[f32]) -> f64 {
    let sizes: Vec<f32> = off.iter().map(|v| v.abs()).collect();
    let middle = median(&sizes);
    let reach = (4.0 * MAD_TO_SIGMA * f64::from(middle)).max(1.0);
    let near = off.iter().map(|v| f64::from(*v)).filter(|v| v.abs() <= reach);
    let (sum, n) = near.fold((0.0, 0.0), |(s, n), v| (s + v * v, n + 1.0));
    if n > 0.0 { f64::sqrt(sum / n) } else { 0.0 }
}
