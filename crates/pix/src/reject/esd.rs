//! Generalised extreme studentised deviate.

use super::lanes::{Columns, LANES};
use super::{FEWEST, Fate, Lanes, settle};
use crate::chance::student_upper_quantile;

/// λ(q) at index q, for up to `count` samples.
pub(super) fn critical_values(count: usize, significance: f64) -> Vec<f64> {
    (0..=count)
        .map(|q| {
            if q < FEWEST {
                return f64::INFINITY;
            }
            let (n, freedom) = (q as f64, q as f64 - 2.0);
            let t = student_upper_quantile(significance / (2.0 * n), freedom);
            (n - 1.0) * t / (n * (freedom + t * t)).sqrt()
        })
        .collect()
}

/// λ² q / (q − 1) at index q: R > λ, with the divisions and the root of R multiplied out, is
/// (q x − Σx)² > this (q Σx² − (Σx)²).
pub(super) fn limits(critical: &[f64]) -> Vec<f64> {
    critical.iter().enumerate().map(|(q, l)| l * l * q as f64 / (q as f64 - 1.0)).collect()
}

/// The samples to take off either end of the kept part of `lane`; `path` is scratch.
fn outliers(
    columns: &Columns,
    lane: usize,
    share: f32,
    limits: &[f64],
    path: &mut Vec<bool>,
) -> (usize, usize) {
    let n = columns.kept.len(lane);
    if n <= FEWEST {
        return (0, 0);
    }
    let most = ((f64::from(share) * n as f64).floor() as usize).clamp(1, n - FEWEST);
    let (base, m) = (columns.kept.lo[lane] as usize, columns.median[lane]);
    let rows = &columns.rows[base..base + n];
    let at = |i: usize| f64::from(rows[i][lane]) - m;

    // Who goes first: that takes sums only.
    path.clear();
    let (mut lo, mut hi, mut sum) = (0, n, columns.sum[lane]);
    let (mut first, mut last) = (at(lo), at(hi - 1));
    for _ in 0..most {
        let greatest = (first + last) * (hi - lo) as f64 >= 2.0 * sum;
        path.push(greatest);
        if greatest {
            hi -= 1;
            sum -= last;
            last = at(hi - 1);
        } else {
            lo += 1;
            sum -= first;
            first = at(lo);
        }
    }

    // Then outwards from the core, putting each back: sums of squares only grow, so nothing is
    // lost to rounding. The first that tests as an outlier is the last in Rosner's order.
    let (mut sum, mut squares) = (0.0, 0.0);
    for i in lo..hi {
        let d = at(i);
        sum += d;
        squares += d * d;
    }
    for &greatest in path.iter().rev() {
        let inside = (lo, n - hi);
        lo -= usize::from(!greatest);
        hi += usize::from(greatest);
        let d = at(if greatest { hi - 1 } else { lo });
        sum += d;
        squares += d * d;
        let q = (hi - lo) as f64;
        let far = d * q - sum;
        if far * far > limits[hi - lo] * (q * squares - sum * sum) {
            // `inside` still counts this sample among the taken.
            return inside;
        }
    }
    (0, 0)
}

/// The lanes that have outliers.
pub(super) fn unsettled(
    columns: &Columns,
    share: f32,
    limits: &[f64],
    path: &mut Vec<bool>,
) -> Lanes {
    let mut out = [false; LANES];
    for lane in 0..columns.used {
        let fresh = columns.round[lane] == 0;
        out[lane] = fresh && outliers(columns, lane, share, limits, path) != (0, 0);
    }
    out
}

/// Takes the outliers off.
pub(super) fn narrow(
    columns: &mut Columns,
    share: f32,
    limits: &[f64],
    path: &mut Vec<bool>,
) -> [Fate; LANES] {
    let mut fates = [Fate::Judged; LANES];
    for lane in columns.open_lanes() {
        let (below, above) = outliers(columns, lane, share, limits, path);
        fates[lane] = settle(columns, lane, below, above);
    }
    fates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_values_are_those_of_the_paper() {
        // Rosner's table of 5 % points for n = 54, as the NIST handbook (1.3.5.17.3) prints it.
        let critical = critical_values(54, 0.05);
        for (i, expected) in [3.158, 3.151, 3.143, 3.136, 3.128, 3.120].iter().enumerate() {
            assert!((critical[54 - i] - expected).abs() < 1.1e-3, "{}", critical[54 - i]);
        }
    }
}
