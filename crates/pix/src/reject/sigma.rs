//! Clipping at so many sigmas from the median: the methods differ in what their sigma is.

use super::lanes::{Columns, LANES, Row, count_beyond};
use super::{Bounds, Lanes, Reject};
use crate::stat::MAD_TO_SIGMA;

/// Room for rounding in the short cuts below: a column closer than this to the edge of a proof
/// takes the long way, so that short cuts never decide anything else than the definition does.
const ROUNDING: f64 = 1.0 + 1e-9;

/// Bounds `low` and `high` times `scale` from the median.
#[inline(always)]
pub(super) fn about_median(columns: &Columns, low: f32, high: f32, scale: Row) -> Bounds {
    let (kl, kh) = (f64::from(low), f64::from(high));
    let (mut below, mut above) = ([0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        below[lane] = columns.median[lane] - kl * scale[lane];
        above[lane] = columns.median[lane] + kh * scale[lane];
    }
    (below, above)
}

/// The smallest scale with which nothing lies beyond its bound.
#[inline(always)]
pub(super) fn least_harmless(columns: &Columns, low: f32, high: f32) -> Row {
    let (per_kl, per_kh) = (1.0 / f64::from(low), 1.0 / f64::from(high));
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        let m = columns.median[lane];
        let (below, above) =
            ((m - columns.first[lane]) * per_kl, (columns.last[lane] - m) * per_kh);
        // A threshold of 0 gives infinity or NaN; either leaves the column unsettled.
        out[lane] = if below > above { below } else { above + 0.0 * below };
    }
    out
}

/// The standard deviation from sums over `n` deviations; 0 below two.
///
/// For integers the fraction is exact but for its one division, so that a sample exactly on its
/// bound is found there.
#[inline(always)]
pub(super) fn sd_of(sum: f64, squares: f64, n: f64) -> f64 {
    let v = (n * squares - sum * sum) / (n * (n - 1.0));
    // Not so for NaN, which n = 0 and n = 1 give.
    if v > 0.0 { v.sqrt() } else { 0.0 }
}

/// Standard deviations of the kept samples.
#[inline(always)]
pub(super) fn sd(columns: &Columns) -> Row {
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        out[lane] = sd_of(columns.sum[lane], columns.squares[lane], columns.n[lane]);
    }
    out
}

/// Standard deviations of whole columns with the rejected samples put at the median.
#[inline(always)]
pub(super) fn replaced_sd(columns: &Columns) -> Row {
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        let n = f64::from(columns.count[lane]);
        out[lane] = sd_of(columns.sum[lane], columns.squares[lane], n);
    }
    out
}

/// Median absolute deviations of the open lanes, scaled to sigma.
pub(super) fn mad(columns: &Columns) -> Row {
    let mut out = [0.0; LANES];
    for lane in columns.open_lanes() {
        let n = columns.kept.len(lane);
        if n == 0 {
            continue;
        }
        let lower = nth_deviation(columns, lane, n.div_ceil(2));
        let upper = if n % 2 == 1 { lower } else { nth_deviation(columns, lane, n / 2 + 1) };
        out[lane] = MAD_TO_SIGMA * (0.5 * (lower + upper));
    }
    out
}

/// The `k`-th smallest distance of a kept sample of `lane` from the median, from `k` = 1.
///
/// The k nearest samples are neighbours in a sorted column: of all windows of k, the one whose
/// further end is nearest. Moving the window up brings its upper end away and its lower end nearer,
/// so the place where they balance is found by bisection.
fn nth_deviation(columns: &Columns, lane: usize, k: usize) -> f64 {
    let (lo, n) = (columns.kept.lo[lane] as usize, columns.kept.len(lane));
    let rows = &columns.rows[lo..lo + n];
    let m = columns.median[lane];
    let above = |j: usize| f64::from(rows[j + k - 1][lane]) - m;
    let below = |j: usize| m - f64::from(rows[j][lane]);
    let (mut from, mut windows) = (0, n - k + 1);
    while windows > 0 {
        let half = windows / 2;
        let up = above(from + half) < below(from + half);
        from = if up { from + half + 1 } else { from };
        windows = if up { windows - half - 1 } else { half };
    }
    let balanced = if from <= n - k { above(from) } else { f64::INFINITY };
    let before = if from > 0 { below(from - 1) } else { f64::INFINITY };
    if before < balanced { before } else { balanced }
}

/// The lanes that the MAD might narrow.
///
/// If most deviations reach the smallest harmless MAD, the MAD itself does.
#[inline(always)]
pub(super) fn mad_unsettled(columns: &Columns, low: f32, high: f32) -> Lanes {
    let mut needed = least_harmless(columns, low, high);
    for t in &mut needed {
        *t *= ROUNDING / MAD_TO_SIGMA;
    }
    let reach = count_beyond(columns, &needed);
    let mut out = [true; LANES];
    for lane in 0..LANES {
        // The lower of the middle two has as many on its upper side, itself included.
        out[lane] = reach[lane] < (0.5 * columns.n[lane]).floor() + 1.0;
    }
    out
}

/// Scales from the tile: S sqrt(max(m, 1)).
#[inline(always)]
pub(super) fn averaged(columns: &Columns) -> Row {
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        out[lane] = columns.scale[lane] * level(columns.median[lane]).sqrt();
    }
    out
}

/// max(m, 1): what the variance is taken to be proportional to.
#[inline(always)]
fn level(median: f64) -> f64 {
    if median > 1.0 { median } else { 1.0 }
}

/// Appends the scaled variance of each column of 3 samples or more to the pool of its tile.
#[inline(always)]
pub(super) fn offer_scales(columns: &Columns, pool: &mut Vec<f64>) {
    let mut scaled = [0.0; LANES];
    let (mut last, mut share) = (f64::NAN, f64::NAN);
    for lane in 0..LANES {
        // Columns are of one length, as a rule.
        if columns.n[lane] != last {
            last = columns.n[lane];
            let median_of_chi2 = 1.0 - 2.0 / (9.0 * (last - 1.0));
            share = 1.0 / (median_of_chi2 * median_of_chi2 * median_of_chi2);
        }
        scaled[lane] = share;
    }
    for lane in 0..LANES {
        scaled[lane] *= columns.variance[lane] / level(columns.median[lane]);
    }
    for lane in 0..columns.used {
        if columns.n[lane] >= 3.0 {
            pool.push(scaled[lane]);
        }
    }
}

/// S: the square root of the pool's median.
pub(super) fn pooled_scale(pool: &mut [f64]) -> Option<f64> {
    if pool.is_empty() {
        return None;
    }
    let (mid, odd) = (pool.len() / 2, pool.len() % 2 == 1);
    let (below, &mut upper, _) = pool.select_nth_unstable_by(mid, f64::total_cmp);
    let lower = if odd { upper } else { below.iter().copied().fold(f64::NEG_INFINITY, f64::max) };
    Some((0.5 * (lower + upper)).sqrt())
}

/// Scales from the noise of the detector.
#[inline(always)]
pub(super) fn detector(columns: &Columns, method: Reject) -> Row {
    let Reject::CcdNoise { read_noise_adu, gain_e_per_adu, sensitivity, pedestal_adu, .. } = method
    else {
        return [f64::NAN; LANES];
    };
    let (read, gain) = (f64::from(read_noise_adu), f64::from(gain_e_per_adu));
    let (share, pedestal) = (f64::from(sensitivity), f64::from(pedestal_adu));
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        let signal = columns.median[lane] - pedestal;
        let light = if signal > 0.0 { signal } else { 0.0 };
        out[lane] = (read * read + light / gain + (share * signal) * (share * signal)).sqrt();
    }
    out
}
