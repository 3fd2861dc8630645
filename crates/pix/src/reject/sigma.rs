//! Clipping at so many sigmas from the median: the methods differ in what their sigma is.

use super::lanes::{Columns, LANES, Row, clamped_sums, count_beyond};
use super::{Bounds, Lanes, Reject};
use crate::stat::MAD_TO_SIGMA;

/// Makes the sd of a Gaussian clamped at 1.5 sigma that of the Gaussian.
const WINSOR_TO_SIGMA: f64 = 1.134;
/// Sigmas at which winsorizing clamps.
const WINSOR_REACH: f64 = 1.5;
/// Relative change of sigma at which winsorizing ends.
const WINSOR_SETTLED: f64 = 5e-4;
/// Rounds of winsorizing at most; a handful is enough for any column met so far.
const WINSOR_ROUNDS: usize = 50;

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
fn least_harmless(columns: &Columns, low: f32, high: f32) -> Row {
    let (kl, kh) = (f64::from(low), f64::from(high));
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        let m = columns.median[lane];
        let (below, above) = ((m - columns.first[lane]) / kl, (columns.last[lane] - m) / kh);
        // A threshold of 0 gives infinity or NaN; either leaves the column unsettled.
        out[lane] = if below > above { below } else { above + 0.0 * below };
    }
    out
}

/// Standard deviations of the kept samples.
#[inline(always)]
pub(super) fn sd(columns: &Columns) -> Row {
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        out[lane] = columns.variance[lane].sqrt();
    }
    out
}

/// Standard deviations of whole columns with the rejected samples put at the median.
#[inline(always)]
pub(super) fn replaced_sd(columns: &Columns) -> Row {
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        let (n, sum) = (f64::from(columns.count[lane]), columns.sum[lane]);
        let v = (columns.squares[lane] - sum * sum / n) / (n - 1.0);
        // Not so for NaN, which n = 0 and n = 1 give.
        out[lane] = if v > 0.0 { v.sqrt() } else { 0.0 };
    }
    out
}

/// Median absolute deviations, scaled to sigma.
pub(super) fn mad(columns: &Columns) -> Row {
    let mut out = [0.0; LANES];
    for lane in 0..columns.used {
        let n = columns.kept.len(lane);
        if n == 0 {
            continue;
        }
        let (m, base) = (columns.median[lane], columns.kept.lo[lane] as usize);
        let at = |i: usize| f64::from(columns.rows[base + i][lane]);
        // Distances grow from the middle outwards on either side: merge the two sides.
        let (mut left, mut right) = (n / 2, n / 2);
        let (mut lower, mut upper) = (0.0, 0.0);
        for _ in 0..=n / 2 {
            let below = if left > 0 { m - at(left - 1) } else { f64::INFINITY };
            let above = if right < n { at(right) - m } else { f64::INFINITY };
            lower = upper;
            if below < above {
                upper = below;
                left -= 1;
            } else {
                upper = above;
                right += 1;
            }
        }
        let deviation = if n % 2 == 1 { upper } else { 0.5 * (lower + upper) };
        out[lane] = MAD_TO_SIGMA * deviation;
    }
    out
}

/// The lanes that the MAD might narrow.
///
/// If most deviations reach the smallest harmless MAD, the MAD itself does.
#[inline(always)]
pub(super) fn mad_unsettled(columns: &Columns, low: f32, high: f32) -> Lanes {
    let needed = least_harmless(columns, low, high).map(|t| t / MAD_TO_SIGMA * ROUNDING);
    let reach = count_beyond(columns, &needed);
    let mut out = [true; LANES];
    for lane in 0..LANES {
        // The lower of the middle two has as many on its upper side, itself included.
        out[lane] = reach[lane] < (0.5 * columns.n[lane]).floor() + 1.0;
    }
    out
}

/// The winsorized sigma of each column.
#[inline(always)]
pub(super) fn winsorized(columns: &Columns) -> Row {
    let mut sigma = sd(columns);
    let (mut sum, mut squares) = ([0.0; LANES], [0.0; LANES]);
    let mut open = [true; LANES];
    for lane in columns.used..LANES {
        open[lane] = false;
    }
    for _ in 0..WINSOR_ROUNDS {
        let reach = sigma.map(|s| WINSOR_REACH * s);
        clamped_sums(columns, &reach, [&mut sum, &mut squares]);
        let mut any = false;
        for lane in 0..LANES {
            let next = WINSOR_TO_SIGMA * columns.spread(lane, sum[lane], squares[lane]).sqrt();
            let moved = (next - sigma[lane]).abs() > WINSOR_SETTLED * sigma[lane];
            sigma[lane] = if open[lane] { next } else { sigma[lane] };
            open[lane] &= moved;
            any |= open[lane];
        }
        if !any {
            break;
        }
    }
    sigma
}

/// The lanes that winsorized sigma clipping might narrow.
///
/// g(s) = 1.134 sd(samples clamped to m ± 1.5 s) does not fall as s grows, for clamping wider
/// brings no two samples closer. So if the start sd is at least t and g(t) ≥ t, every step stays
/// at t or above, and with t the smallest harmless sigma nothing can go: one pass instead of many.
#[inline(always)]
pub(super) fn winsorized_unsettled(columns: &Columns, low: f32, high: f32) -> Lanes {
    let harmless = least_harmless(columns, low, high);
    let reach = harmless.map(|t| WINSOR_REACH * t);
    let (mut sum, mut squares) = ([0.0; LANES], [0.0; LANES]);
    clamped_sums(columns, &reach, [&mut sum, &mut squares]);
    let mut out = [true; LANES];
    for lane in 0..LANES {
        let n = columns.n[lane];
        let t2 = harmless[lane] * harmless[lane] * (ROUNDING * ROUNDING);
        // n (n − 1) times the variances: no division.
        let next2 = n * squares[lane] - sum[lane] * sum[lane];
        let stays = WINSOR_TO_SIGMA * WINSOR_TO_SIGMA * next2 >= t2 * (n * (n - 1.0));
        out[lane] = !(stays & (columns.variance[lane] >= t2));
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
pub(super) fn offer_scales(columns: &Columns, pool: &mut Vec<f64>) {
    for lane in 0..columns.used {
        let n = columns.kept.len(lane);
        if n >= 3 {
            let freedom = (n - 1) as f64;
            let median_of_chi2 = (1.0 - 2.0 / (9.0 * freedom)).powi(3);
            pool.push(columns.variance[lane] / level(columns.median[lane]) / median_of_chi2);
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
    columns.median.map(|m| {
        let signal = m - pedestal;
        let light = if signal > 0.0 { signal } else { 0.0 };
        (read * read + light / gain + (share * signal) * (share * signal)).sqrt()
    })
}
