//! Clipping at so many sigmas from the median: the methods differ in what their sigma is.

use super::judge::Alike;
use super::lanes::{Columns, LANES, Row, count_beyond};
use super::{Bounds, FEWEST, Lanes, Reject};
use crate::select;
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

/// The same, with what those of few Gaussian samples fall short of their sigma by made good.
///
/// # Source
/// CrouxRousseeuw1992, table of b(n).
pub(super) fn own(columns: &Columns) -> Row {
    const FEW: [f64; 10] = [1.0, 1.0, 1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107];
    let mut out = mad(columns);
    for lane in columns.open_lanes() {
        let n = columns.kept.len(lane);
        out[lane] *= FEW.get(n).copied().unwrap_or_else(|| n as f64 / (n as f64 - 0.8));
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

/// Scales from the tile: S sqrt(max(m / L, 1)), S the tile's scale and L its level.
#[inline(always)]
pub(super) fn averaged(columns: &Columns) -> Row {
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        let light = columns.median[lane] * columns.per_level[lane];
        out[lane] = columns.scale[lane] * if light > 1.0 { light.sqrt() } else { 1.0 };
    }
    out
}

/// Sigmas above zero at which the level of a tile counts, at the least: what is nearer says nothing of
/// the noise of light.
const LEAST_LEVEL: f64 = 3.0;

/// The variance of what rounding to integers takes off or adds.
pub(super) const ROUNDED: f64 = 1.0 / 12.0;

/// The level of a tile of scale `scale` above which noise grows with the root of the light.
///
/// The median of its columns', in any unit; never so low that noise alone takes a column far above it.
pub(super) fn level_of(tile: &[Columns], alike: Alike, scale: f64, pool: &mut Vec<f64>) -> f64 {
    pool.clear();
    for (block, columns) in tile.iter().enumerate() {
        let alike = alike.in_block(block);
        let here = (0..columns.used).filter(|lane| alike.takes(*lane)).step_by(LEVEL_STEP);
        pool.extend(here.filter(|lane| columns.n[*lane] > 0.0).map(|lane| columns.median[lane]));
    }
    let middle = pool.len() / 2;
    let level = match pool.is_empty() {
        true => 0.0,
        false => *pool.select_nth_unstable_by(middle, f64::total_cmp).1,
    };
    let least = LEAST_LEVEL * scale;
    if level > least { level } else { least }
}

/// One column of so many tells the level of a tile.
const LEVEL_STEP: usize = 4;

/// Appends the variance of each of some columns of 3 samples or more to the pool of its tile; gives
/// how many of them scatter far more than their inner half does.
#[inline(always)]
pub(super) fn offer_scales(columns: &Columns, alike: Alike, pool: &mut Vec<f64>) -> usize {
    let mut scaled = [0.0; LANES];
    let (mut last, mut share) = (f64::NAN, f64::NAN);
    for lane in 0..LANES {
        // Columns are of one length, as a rule.
        if columns.n[lane] != last {
            last = columns.n[lane];
            share = 1.0 / median_of_variances(last);
        }
        scaled[lane] = share;
    }
    for lane in 0..LANES {
        scaled[lane] *= columns.variance[lane];
    }
    let strays = strays(columns);
    let mut count = 0;
    for lane in 0..columns.used {
        if columns.n[lane] >= 3.0 && alike.takes(lane) {
            pool.push(scaled[lane]);
            count += usize::from(strays[lane]);
        }
    }
    count
}

/// About the median of the sample variances of `n` samples of a Gaussian of variance 1.
///
/// # Source
/// Wilson1931 for the median of χ².
#[inline(always)]
fn median_of_variances(n: f64) -> f64 {
    let c = 1.0 - 2.0 / (9.0 * (n - 1.0));
    c * c * c
}

/// The columns whose variance is more than 1 + 2 / √n times what their inner half says. Of Gaussian
/// columns fewer than a quarter are; with one sample far off, most.
///
/// Where the inner half is of equal samples (noise below a step of the converter), all samples but
/// the least and the greatest speak for it.
#[inline(always)]
fn strays(columns: &Columns) -> Lanes {
    let (mut inner, mut most) = ([0.0; LANES], [0.0; LANES]);
    let step = if columns.integers { 1.0 } else { 0.0 };
    let (first, last, uniform) = columns.kept.span();
    if uniform && last - first > FEWEST {
        let n = last - first;
        let (t, per) = inner_half(n);
        let least = unlike_noise(n);
        let [lower, upper] = [&columns.rows[first + t], &columns.rows[last - 1 - t]];
        let [low, high] = [&columns.rows[first + 1], &columns.rows[last - 2]];
        for lane in 0..LANES {
            inner[lane] = f64::from(upper[lane]) - f64::from(lower[lane]);
            most[lane] = f64::from(high[lane]) - f64::from(low[lane]);
        }
        for lane in 0..LANES {
            let half = least * per * inner[lane] * inner[lane];
            let all = 4.0 * most[lane] * most[lane] + step;
            inner[lane] = if inner[lane] > 0.0 { half } else { all };
        }
    } else {
        for lane in 0..columns.used {
            let n = columns.kept.len(lane);
            inner[lane] = f64::INFINITY;
            if n > FEWEST {
                let (range, per) = (inner_range(columns, lane), inner_half(n).1);
                let at =
                    |i: usize| f64::from(columns.rows[columns.kept.lo[lane] as usize + i][lane]);
                let most = at(n - 2) - at(1);
                inner[lane] = if range > 0.0 {
                    unlike_noise(n) * per * range * range
                } else {
                    4.0 * most * most + step
                };
            }
        }
    }
    let mut out = [false; LANES];
    for lane in 0..LANES {
        out[lane] = columns.variance[lane] > inner[lane];
    }
    out
}

fn unlike_noise(n: usize) -> f64 {
    1.0 + 2.0 / (n as f64).sqrt()
}

/// How many of `n` samples lie outside of the inner half at either end, and what turns the square
/// of the inner half's range into the variance of a Gaussian, near enough.
///
/// The median of the range of a Gaussian's inner half: simulated for 4 to 7 samples, beyond by the
/// expected ranks with the bias of a median, within 3 %.
///
/// # Source
/// Blom1958 for the expected ranks.
#[inline(always)]
fn inner_half(n: usize) -> (usize, f64) {
    let t = n / 4;
    let range = match n {
        4 => 0.4666,
        5 => 0.9045,
        6 => 1.2183,
        7 => 1.4603,
        _ => {
            // The Gaussian's quantile by its series about that of a quarter.
            let away = (t as f64 + 0.625) / (n as f64 + 0.25) - 0.25;
            2.0 * (0.674_490 - (3.146_8 - 3.340 * away) * away) * (1.0 - 0.3 / n as f64)
        }
    };
    (t, 1.0 / (range * range))
}

/// The range of the inner half of `lane`.
fn inner_range(columns: &Columns, lane: usize) -> f64 {
    let (lo, n) = (columns.kept.lo[lane] as usize, columns.kept.len(lane));
    let t = inner_half(n).0;
    f64::from(columns.rows[lo + n - 1 - t][lane]) - f64::from(columns.rows[lo + t][lane])
}

/// Passes in which the scale of a stray tile and the samples within its bounds settle.
const PASSES: usize = 3;

/// S² of a tile most of whose columns have strays: a frame that is wrong there, a cloud, a trail.
/// The inner halves of the columns give the first value, the samples within the bounds that follow
/// from it the next.
pub(super) fn scale_without_strays(
    tile: &[Columns],
    alike: Alike,
    (low, high): (f32, f32),
    pool: &mut Vec<f64>,
) -> Option<f64> {
    let (low, high) = (f64::from(low), f64::from(high));
    let least = |columns: &Columns| if columns.integers { ROUNDED } else { 0.0 };
    let some = |(block, columns): (usize, &Columns)| {
        let (alike, used) = (alike.in_block(block), columns.used);
        let many = |lane: &usize| alike.takes(*lane) && columns.kept.len(*lane) > FEWEST;
        (0..used).filter(many).collect::<Vec<usize>>()
    };
    pool.clear();
    for (block, columns) in tile.iter().enumerate() {
        for lane in some((block, columns)) {
            let (range, per) = (inner_range(columns, lane), inner_half(columns.kept.len(lane)).1);
            pool.push((per * range * range).max(least(columns)));
        }
    }
    let mut s = pooled_scale(pool)?;
    for _ in 0..PASSES {
        pool.clear();
        for (block, columns) in tile.iter().enumerate() {
            for lane in some((block, columns)) {
                let m = columns.median[lane];
                let (floor, ceiling) = (m - low * s, m + high * s);
                let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
                for v in columns.column(lane).filter(|v| *v >= floor && *v <= ceiling) {
                    n += 1.0;
                    sum += v - m;
                    squares += (v - m) * (v - m);
                }
                if n >= 3.0 {
                    let sd = sd_of(sum, squares, n);
                    let v = (sd * sd).max(least(columns));
                    pool.push(v / median_of_variances(n));
                }
            }
        }
        match pooled_scale(pool) {
            Some(next) if next != s => s = next,
            _ => break,
        }
    }
    Some(s)
}

/// The width of the inner three quarters of a Gaussian, in sigmas.
const THREE_QUARTERS: f64 = 2.300_7;

/// How many samples of `lane` in a block of strays lie beyond its bounds, below and above.
///
/// They are about the median of the narrowest three quarters of the column, whose width is the
/// column's own scale: a wrong sample draws the median of few towards itself, and widens their
/// deviations.
pub(super) fn strays_of(columns: &Columns, lane: usize, (low, high): (f32, f32)) -> (usize, usize) {
    let (lo, n) = (columns.kept.lo[lane] as usize, columns.kept.len(lane));
    let at = |i: usize| f64::from(columns.rows[lo + i][lane]);
    if n <= FEWEST {
        return (0, 0);
    }
    let most = n - n.div_ceil(4);
    let spread = |from: usize| at(from + most - 1) - at(from);
    // The first of equally narrow ones.
    let narrowest = (0..=n - most).min_by(|a, b| spread(*a).total_cmp(&spread(*b)));
    let from = narrowest.unwrap_or(0);
    let m = 0.5 * (at(from + (most - 1) / 2) + at(from + most / 2));
    let own = spread(from) / THREE_QUARTERS;
    let scale = own.max(columns.scale[lane] * (m * columns.per_level[lane]).max(1.0).sqrt());
    let allowed = columns.allowance[lane];
    let floor = m - f64::from(low) * scale - allowed;
    let ceiling = m + f64::from(high) * scale + allowed;
    let below = (0..n).take_while(|i| at(*i) < floor).count();
    let above = (below..n).rev().take_while(|i| at(*i) > ceiling).count();
    (below, above)
}

/// S: the square root of the pool's median.
pub(super) fn pooled_scale(pool: &mut [f64]) -> Option<f64> {
    (!pool.is_empty()).then(|| select::median_f64(pool).sqrt())
}

/// A picture's range within a few pixels of noise alone, in sigmas of a sample.
const RANGE_OF_NOISE: f64 = 4.0;

/// What good samples may differ by beyond their noise: `share` of the picture's `range` around the
/// pixel, as far as noise does not explain that.
#[inline(always)]
pub(super) fn allow(columns: &mut Columns, range: &[f32], share: f32) {
    let noise = averaged(columns);
    for (lane, range) in range.iter().enumerate() {
        let shape = f64::from(*range) - RANGE_OF_NOISE * noise[lane];
        // Not so for NaN.
        columns.allowance[lane] = if shape > 0.0 { f64::from(share) * shape } else { 0.0 };
    }
}

/// Bounds moved apart by what good samples may differ by.
#[inline(always)]
pub(super) fn allowing(columns: &Columns, (mut below, mut above): Bounds) -> Bounds {
    for lane in 0..LANES {
        below[lane] -= columns.allowance[lane];
        above[lane] += columns.allowance[lane];
    }
    (below, above)
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
