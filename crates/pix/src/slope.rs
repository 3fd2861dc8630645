//! How strongly one quantity follows another: a slope through the origin with its standard error,
//! by weighted regression that outliers do not move.
//!
//! ```
//! use photosite_pix::slope::{Point, through_origin};
//!
//! let mut points: Vec<Point> = (1..40)
//!     .map(|i| {
//!         let x = f64::from(i);
//!         Point { x, y: 0.5 * x + if i % 2 == 0 { 0.1 } else { -0.1 }, sd: 0.1 }
//!     })
//!     .collect();
//! // One far off is of no account.
//! points[20].y = 1e5;
//! let slope = through_origin(&points).unwrap();
//! assert!((slope.k - 0.5).abs() < 3.0 * slope.error && slope.error < 0.001);
//! ```

use crate::stat::{MAD_TO_SIGMA, median_f64};

/// One measurement of both quantities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// What is followed, free of noise as far as that can be had.
    pub x: f64,
    /// What follows, in any unit.
    pub y: f64,
    /// The standard deviation that `y` is expected to have about the line; only its ratio from
    /// point to point counts.
    pub sd: f64,
}

/// A slope and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// y over x.
    pub k: f64,
    /// Its standard error, by the scatter of the points themselves.
    pub error: f64,
    /// How many points made it.
    pub count: usize,
    /// The scatter of the points about the line, in their own `sd`.
    pub scatter: f64,
}

/// How far a point may lie from the line, in robust standard deviations, before it counts nothing.
///
/// # Source
/// Beaton1974: Tukey's biweight; 6 keeps 98 % of the efficiency of least squares.
const REACH: f64 = 6.0;
/// More rounds change nothing that is of account.
const ROUNDS: usize = 30;

/// The slope of a line through the origin; `None` from fewer than 3 points, or where all lie at
/// x = 0. Points that are not finite, or whose `sd` is not above 0, are left out.
///
/// Starts at the least sum of absolute deviations and goes on by iteratively reweighted least
/// squares with the biweight. The error is that of the estimating equation, so it holds whatever
/// the scatter is.
///
/// # Source
/// Beaton1974 for the weight; Huber1964 for the variance of the estimate; MacKinnon1985 for points
/// of much leverage; AS64, 26.7.5, for few.
pub fn through_origin(points: &[Point]) -> Option<Slope> {
    // Each point in units of its own scatter: then all have the scatter 1.
    let good = |p: &&Point| p.x.is_finite() && p.y.is_finite() && p.sd > 0.0 && p.x != 0.0;
    let units: Vec<(f64, f64)> =
        points.iter().filter(good).map(|p| (p.x / p.sd, p.y / p.sd)).collect();
    if units.len() < 3 {
        return None;
    }
    let mut k = least_deviations(&units);
    let mut scale = 0.0;
    for _ in 0..ROUNDS {
        let off: Vec<f64> = units.iter().map(|(x, y)| (y - k * x).abs()).collect();
        scale = MAD_TO_SIGMA * median_f64(&off);
        if scale <= 0.0 {
            return Some(Slope { k, error: 0.0, count: units.len(), scatter: 0.0 });
        }
        let (mut xy, mut xx) = (0.0, 0.0);
        for (x, y) in &units {
            let u = (y - k * x) / (REACH * scale);
            let w = if u.abs() < 1.0 { (1.0 - u * u) * (1.0 - u * u) } else { 0.0 };
            xy += w * x * y;
            xx += w * x * x;
        }
        let next = xy / xx;
        let moved = (next - k).abs();
        k = next;
        if moved <= 1e-9 * k.abs() {
            break;
        }
    }
    let (mut score, mut slope) = (0.0, 0.0);
    let sum: f64 = units.iter().map(|(x, _)| x * x).sum();
    for (x, y) in &units {
        let u = (y - k * x) / (REACH * scale);
        if u.abs() < 1.0 {
            let (r, v) = (y - k * x, 1.0 - u * u);
            // A point that draws the line to itself lies nearer to it than its scatter.
            let lone = 1.0 - (x * x / sum).min(0.9);
            score += (x * r * v * v / lone) * (x * r * v * v / lone);
            slope += x * x * v * (1.0 - 5.0 * u * u);
        }
    }
    // Two errors are to hold 95 % of all cases also where a few points decide: Student's quantile.
    let shares: f64 = units.iter().map(|(x, _)| (x * x / sum) * (x * x / sum)).sum();
    let student = 1.0 + 1.25 / (1.0 / shares - 1.0).max(1.25);
    let error = student * score.sqrt() / slope.abs();
    (k.is_finite() && error.is_finite()).then_some(Slope {
        k,
        error,
        count: units.len(),
        scatter: scale,
    })
}

/// Several slopes of what should be one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pooled {
    /// Their mean, weighted by the inverse squares of their errors.
    pub k: f64,
    /// Its standard error, enlarged where they scatter more than their errors let expect.
    pub error: f64,
    /// The sum of the squares of their deviations, in their errors.
    pub chi2: f64,
    /// How many of the deviations are free.
    pub free: usize,
    /// The weighted root mean square of their deviations, beyond what their errors explain.
    pub excess: f64,
}

/// The mean of slopes; `None` of none, or where one has no error.
///
/// # Source
/// Birge1932: errors enlarged by the scatter of what is averaged.
pub fn pooled(slopes: &[Slope]) -> Option<Pooled> {
    if slopes.is_empty() || !slopes.iter().all(|s| s.error > 0.0) {
        return None;
    }
    let weight = |s: &Slope| 1.0 / (s.error * s.error);
    let sum: f64 = slopes.iter().map(weight).sum();
    let k = slopes.iter().map(|s| weight(s) * s.k).sum::<f64>() / sum;
    let chi2: f64 = slopes.iter().map(|s| weight(s) * (s.k - k) * (s.k - k)).sum();
    let free = slopes.len() - 1;
    let birge = if free > 0 { (chi2 / free as f64).sqrt().max(1.0) } else { 1.0 };
    let excess = ((chi2 - free as f64).max(0.0) / sum).sqrt();
    Some(Pooled { k, error: birge / sum.sqrt(), chi2, free, excess })
}

/// The slope of the least sum of absolute deviations: a median of all y / x, weighted by |x|.
fn least_deviations(points: &[(f64, f64)]) -> f64 {
    let mut ratios: Vec<(f64, f64)> = points.iter().map(|(x, y)| (y / x, x.abs())).collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half: f64 = 0.5 * ratios.iter().map(|r| r.1).sum::<f64>();
    let mut below = 0.0;
    for (ratio, weight) in &ratios {
        below += weight;
        if below >= half {
            return *ratio;
        }
    }
    ratios.last().map_or(f64::NAN, |r| r.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gaussian enough: the sum of twelve uniform numbers.
    fn gaussian(state: &mut u64) -> f64 {
        (0..12)
            .map(|_| {
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
                (*state >> 11) as f64 / (1u64 << 53) as f64
            })
            .sum::<f64>()
            - 6.0
    }

    #[test]
    fn errors_are_those_of_many_trials() {
        let mut state = 7;
        for outliers in [0, 10] {
            let pulls: Vec<f64> = (0..400)
                .map(|_| {
                    let points: Vec<Point> = (0..100)
                        .map(|i| {
                            let (x, sd) = (1.0 + f64::from(i) * 0.1, 0.5 + 0.02 * f64::from(i));
                            let hit = if i < outliers { 50.0 } else { 0.0 };
                            Point { x, y: 0.3 * x + sd * gaussian(&mut state) + hit, sd }
                        })
                        .collect();
                    let slope = through_origin(&points).unwrap();
                    (slope.k - 0.3) / slope.error
                })
                .collect();
            let mean = pulls.iter().sum::<f64>() / 400.0;
            let sd = (pulls.iter().map(|p| p * p).sum::<f64>() / 400.0 - mean * mean).sqrt();
            assert!(mean.abs() < 0.2 && (0.9..1.12).contains(&sd), "{outliers}: {mean} {sd}");
        }
    }

    #[test]
    fn slopes_that_scatter_widen_the_error_of_their_mean() {
        let slope = |k| Slope { k, error: 0.1, count: 10, scatter: 1.0 };
        let alike = pooled(&[slope(1.0), slope(1.1), slope(0.9)]).unwrap();
        assert!((alike.error - 0.1 / 3f64.sqrt()).abs() < 1e-9 && alike.excess < 1e-6);
        let apart = pooled(&[slope(0.5), slope(1.5)]).unwrap();
        assert!((apart.error - 0.5).abs() < 1e-12, "{apart:?}");
        assert!((apart.chi2 - 50.0).abs() < 1e-9 && apart.excess > 0.49);
        assert!(pooled(&[]).is_none() && through_origin(&[]).is_none());
    }
}
