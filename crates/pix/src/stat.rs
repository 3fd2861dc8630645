//! Robust statistics over samples.
//!
//! Unless a function says otherwise, samples that are not finite are left out, and an empty
//! sample gives NaN.

use multiversion::multiversion;
use serde::{Deserialize, Serialize};

use crate::select;

mod blocks;

pub use crate::select::median_in_place;
pub use blocks::{Blocks, are_independent, hidden_by_blocks, noise_of_blocks};

/// The factor that makes a median absolute deviation estimate a Gaussian's standard deviation.
pub const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

/// The median of `samples`.
pub fn median(samples: &[f32]) -> f32 {
    select::median(samples)
}

/// The median and the median absolute deviation from it (not scaled to sigma).
pub fn median_mad(samples: &[f32]) -> (f32, f32) {
    let m = median(samples);
    (m, select::median_by(samples, |v| (v - m).abs()))
}

/// The median of the finite ones of some numbers.
pub fn median_f64(values: &[f64]) -> f64 {
    let finite = values.iter().copied().filter(|v| v.is_finite());
    select::median_f64(&mut finite.collect::<Vec<f64>>())
}

/// The median of the finite ones of some numbers, and their standard deviation as the median
/// absolute deviation tells it.
pub fn median_scatter(values: &[f64]) -> (f64, f64) {
    let m = median_f64(values);
    let off: Vec<f64> = values.iter().map(|v| (v - m).abs()).collect();
    (m, MAD_TO_SIGMA * median_f64(&off))
}

/// The standard error of an answer, from those without one part of what it rests on each.
///
/// # Source
/// Miller1974.
pub fn jackknife(without: &[f64]) -> f64 {
    let n = without.len() as f64;
    let mean = without.iter().sum::<f64>() / n;
    ((n - 1.0) / n * without.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>()).sqrt()
}

/// The sum, by pairs, so that the rounding error grows with the logarithm of the count.
pub fn pairwise_sum(samples: &[f64]) -> f64 {
    if samples.len() <= 32 {
        return samples.iter().sum();
    }
    let (a, b) = samples.split_at(samples.len() / 2);
    pairwise_sum(a) + pairwise_sum(b)
}

/// Count, mean and standard deviation (n − 1) of the finite samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// Finite samples.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation about it, with n − 1; 0 for a single sample.
    pub sd: f64,
}

/// Samples summed side by side: independent sums, which the compiler makes vectors of.
const LANES: usize = 16;

/// The sums of `f` of each finite sample, lane by lane; what is not finite adds nothing.
#[inline(always)]
pub(crate) fn lane_sums<const N: usize>(samples: &[f32], f: impl Fn(f64) -> [f64; N]) -> [f64; N] {
    let mut sums = [[0.0f64; LANES]; N];
    let mut add = |part: &[f32]| {
        for (lane, &v) in part.iter().enumerate() {
            let known = v.is_finite();
            let terms = f(f64::from(if known { v } else { 0.0 }));
            for (sum, term) in sums.iter_mut().zip(terms) {
                sum[lane] += if known { term } else { 0.0 };
            }
        }
    };
    let whole = samples.chunks_exact(LANES);
    let rest = whole.remainder();
    whole.for_each(&mut add);
    add(rest);
    sums.map(|lanes| pairwise_sum(&lanes))
}

/// The moments of the finite samples, in one pass of f64 over their distances from one of them.
pub fn moments(samples: &[f32]) -> Moments {
    let pivot = pivot(samples);
    Moments::from_sums(sums(samples, pivot), pivot)
}

/// A point among the samples: it keeps the difference of large squares small against f64.
fn pivot(samples: &[f32]) -> f64 {
    let some = (0..PIVOTS).filter_map(|i| samples.get(i * samples.len() / PIVOTS)).copied();
    let middle = median(&some.collect::<Vec<f32>>());
    let first = || samples.iter().copied().find(|v| v.is_finite());
    f64::from(if middle.is_nan() { first().unwrap_or(0.0) } else { middle })
}

/// Of the finite samples: their number, and the sums of their distances from a pivot and of the
/// squares of those.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn sums(samples: &[f32], pivot: f64) -> [f64; 3] {
    lane_sums(samples, |v| [1.0, v - pivot, (v - pivot) * (v - pivot)])
}

impl Moments {
    fn from_sums([count, sum, squares]: [f64; 3], pivot: f64) -> Self {
        if count == 0.0 {
            return Self { count: 0, mean: f64::NAN, sd: f64::NAN };
        }
        let variance =
            if count > 1.0 { (squares - sum * sum / count) / (count - 1.0) } else { 0.0 };
        Self { count: count as usize, mean: pivot + sum / count, sd: variance.max(0.0).sqrt() }
    }
}

/// Samples that a pivot for moments is the median of.
const PIVOTS: usize = 31;

/// The mean of the samples within `kappa` robust sigmas of the median, clipped once.
///
/// Sigma is 1.4826 MAD; where the MAD is 0 (more than half of the samples equal) nothing is
/// clipped. Of many samples, some spread evenly tell the median and the MAD.
pub fn robust_mean(samples: &[f32], kappa: f64) -> f64 {
    let (m, mad) = median_mad(&spread_rows(samples, GLANCE_RUN, 1, GLANCE_SAMPLES));
    let reach = kappa * MAD_TO_SIGMA * f64::from(mad);
    let inside =
        |v: &f32| v.is_finite() && (reach == 0.0 || (f64::from(*v) - f64::from(m)).abs() <= reach);
    let (mut count, mut sum) = (0usize, 0.0f64);
    for v in samples.iter().filter(|v| inside(v)) {
        count += 1;
        sum += f64::from(*v);
    }
    if count == 0 { f64::NAN } else { sum / count as f64 }
}

/// The noise of one sample, from second differences along x, so that slopes do not count.
///
/// `step` is the distance between neighbours of one colour: 1 for a monochrome sensor, the period
/// of the colour filter array otherwise. A second difference a − 2b + c of independent samples has
/// six times their variance. The median absolute value keeps stars and cosmic rays out. Of integers,
/// whose differences are integers, it is found within the step that it falls into.
pub fn noise(rows: &[f32], width: usize, step: usize) -> f64 {
    if width == 0 {
        return f64::NAN;
    }
    let n = width.saturating_sub(2 * step);
    let differences = |row: usize, out: &mut Vec<f32>| {
        let row = &rows[row * width..(row + 1) * width];
        let (a, b, c) = (&row[..n], &row[(width - n) / 2..], &row[width - n..]);
        out.extend((0..n).map(|x| (a[x] - 2.0 * b[x] + c[x]).abs()));
    };
    let count = rows.len() / width;
    let mut median = f64::from(select::median_of_chunks(count, differences));
    if median.fract() == 0.0 && median <= COARSE {
        let (mut below, mut at, mut all, mut whole) = (0usize, 0usize, 0usize, true);
        let mut row = Vec::new();
        for i in 0..count {
            row.clear();
            differences(i, &mut row);
            for v in row.iter().map(|v| f64::from(*v)).filter(|v| v.is_finite()) {
                below += usize::from(v < median);
                at += usize::from(v == median);
                all += 1;
                whole &= v.fract() == 0.0;
            }
        }
        // An integer stands for what is within half a step of it, 0 for half a step in all.
        let width = if median == 0.0 { 0.5 } else { 1.0 };
        if whole && at > 0 && at as f64 <= EVEN * all as f64 {
            let part = (0.5 * all as f64 - below as f64) / at as f64;
            median = (median - 0.5).max(0.0) + width * part;
        }
    }
    MAD_TO_SIGMA * median / 6.0f64.sqrt()
}

/// Beyond so many steps a median of integers is near enough.
const COARSE: f64 = 64.0;

/// Of noise well below a step most differences are 0, and how far below cannot be told.
const EVEN: f64 = 0.75;

/// A median of so many samples has a standard error of a thousandth of their scatter.
pub const GLANCE_SAMPLES: usize = 1 << 20;

/// Samples in a run where no rows are known.
const GLANCE_RUN: usize = 1 << 12;

/// The median of the finite samples, of many of them from some spread evenly.
pub fn median_at_a_glance(samples: &[f32]) -> f32 {
    median(&spread_rows(samples, GLANCE_RUN, 1, GLANCE_SAMPLES))
}

/// How far samples lie above others at the same places, by the median: parts with levels of their own in both do not
/// count. Of many places some are taken, spread evenly.
///
/// # Panics
/// When there are more of one than of the other.
pub fn median_above_at_a_glance(samples: &[f32], others: &[f32]) -> f32 {
    assert_eq!(samples.len(), others.len(), "as many of one as of the other");
    let [samples, others] =
        [samples, others].map(|s| spread_rows(s, GLANCE_RUN, 1, GLANCE_SAMPLES));
    median(&samples.iter().zip(others.iter()).map(|(a, b)| a - b).collect::<Vec<f32>>())
}

/// About `count` samples of rows spread evenly over a frame, `step` rows in a place so that every
/// colour of a filter array is met; all samples where there are no more.
pub fn spread_rows(
    rows: &[f32],
    width: usize,
    step: usize,
    count: usize,
) -> std::borrow::Cow<'_, [f32]> {
    let spread = Spread::new(rows.len(), width, step, count);
    if spread.all() {
        return rows.into();
    }
    let mut some = Vec::with_capacity(spread.samples(rows.len()));
    for i in 0..spread.wanted {
        some.extend(&rows[spread.at(i) * width..][..step * width]);
    }
    some.into()
}

/// Places of some rows each, spread evenly over a frame.
#[derive(Debug, Clone, Copy)]
struct Spread {
    width: usize,
    step: usize,
    places: usize,
    wanted: usize,
}

impl Spread {
    fn new(pixels: usize, width: usize, step: usize, count: usize) -> Self {
        let place = (width * step).max(1);
        Self { width, step, places: pixels / place, wanted: count.div_ceil(place) }
    }

    /// Whether all rows are taken.
    fn all(&self) -> bool {
        self.wanted >= self.places
    }

    /// Samples of the rows that are taken.
    fn samples(&self, pixels: usize) -> usize {
        if self.all() { pixels } else { self.wanted * self.step * self.width }
    }

    /// The first row of a place.
    fn at(&self, i: usize) -> usize {
        i * self.places / self.wanted * self.step
    }

    fn takes(&self, row: usize) -> bool {
        if self.all() {
            return true;
        }
        let i = (row / self.step * self.wanted).div_ceil(self.places);
        i < self.wanted && self.at(i) == row / self.step * self.step
    }
}

/// A description of the samples of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// Finite samples.
    pub n: usize,
    /// The smallest.
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub min: f64,
    /// The largest.
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub max: f64,
    /// The mean.
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub mean: f64,
    /// The median.
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub median: f64,
    /// The standard deviation (n − 1).
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub sd: f64,
    /// The median absolute deviation from the median.
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub mad: f64,
    /// The noise of one sample, from second differences along x ([`noise`]).
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub noise: f64,
    /// Samples at or below the lowest value that the camera can write.
    pub clipped_low: usize,
    /// Samples at or above the saturation level.
    pub clipped_high: usize,
}

/// Reads a number that may not be known: JSON has no NaN and writes null.
///
/// # Errors
/// When it is neither a number nor null.
pub fn nan_of_null<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let number: Option<f64> = serde::Deserialize::deserialize(from)?;
    Ok(number.unwrap_or(f64::NAN))
}

/// What is told of samples as they come by, part by part.
#[derive(Debug)]
struct Bulk {
    floor: f32,
    ceiling: f32,
    range: Range,
    clipped: [usize; 2],
    /// Of the first part.
    pivot: Option<f64>,
    sums: [f64; 3],
}

impl Bulk {
    /// Nothing seen yet; `floor` and `ceiling` are the levels that count as clipped.
    fn new(floor: Option<f64>, ceiling: Option<f64>) -> Self {
        // Compared as f32: the largest not above the floor, the smallest not below the ceiling.
        let floor = floor.map_or(f32::NAN, |level| {
            let near = level as f32;
            if f64::from(near) > level { near.next_down() } else { near }
        });
        let ceiling = ceiling.map_or(f32::NAN, |level| {
            let near = level as f32;
            if f64::from(near) < level { near.next_up() } else { near }
        });
        let range = Range { low: [f32::INFINITY; LANES], high: [f32::NEG_INFINITY; LANES] };
        Self { floor, ceiling, range, clipped: [0; 2], pivot: None, sums: [0.0; 3] }
    }

    /// Goes through the next part: short enough for counts of 32 bits, and to be met twice in the
    /// cache.
    fn see(&mut self, part: &[f32]) {
        let pivot = *self.pivot.get_or_insert_with(|| pivot(part));
        let clipped = range_of(part, &mut self.range, [self.floor, self.ceiling]);
        self.clipped.iter_mut().zip(clipped).for_each(|(all, part)| *all += part as usize);
        self.sums.iter_mut().zip(sums(part, pivot)).for_each(|(all, part)| *all += part);
    }

    /// What was seen, with medians, deviations and noise of `some` rows.
    fn summary(self, some: &[f32], width: usize, step: usize) -> Summary {
        let moments = Moments::from_sums(self.sums, self.pivot.unwrap_or(0.0));
        let min = self.range.low.into_iter().fold(f32::INFINITY, f32::min);
        let max = self.range.high.into_iter().fold(f32::NEG_INFINITY, f32::max);
        let none = |v: f32| if moments.count == 0 { f64::NAN } else { f64::from(v) };
        let (median, mad) = median_mad(some);
        Summary {
            n: moments.count,
            min: none(min),
            max: none(max),
            mean: moments.mean,
            median: f64::from(median),
            sd: moments.sd,
            mad: f64::from(mad),
            noise: noise(some, width, step),
            clipped_low: self.clipped[0],
            clipped_high: self.clipped[1],
        }
    }
}

/// The lowest and the highest finite sample, lane by lane.
#[derive(Debug)]
struct Range {
    low: [f32; LANES],
    high: [f32; LANES],
}

/// Widens a range by samples, and counts those at or below the first level and at or above the
/// second; a level that is NaN counts none.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn range_of(samples: &[f32], range: &mut Range, [floor, ceiling]: [f32; 2]) -> [u32; 2] {
    let (mut below, mut above) = ([0u32; LANES], [0u32; LANES]);
    // Copies: bounds behind a reference would be written back for every sample.
    let (mut low, mut high) = (range.low, range.high);
    let mut see = |part: &[f32]| {
        for (lane, &v) in part.iter().enumerate() {
            let there = v.abs() < f32::INFINITY;
            low[lane] = if there & (v < low[lane]) { v } else { low[lane] };
            high[lane] = if there & (v > high[lane]) { v } else { high[lane] };
            below[lane] += u32::from(there & (v <= floor));
            above[lane] += u32::from(there & (v >= ceiling));
        }
    };
    let (whole, rest) = samples.as_chunks::<LANES>();
    whole.iter().for_each(|part| see(part));
    see(rest);
    *range = Range { low, high };
    [below.iter().sum(), above.iter().sum()]
}

impl Summary {
    /// Describes `rows`, `width` samples each; neighbours of one colour are `step` apart.
    ///
    /// `floor` and `ceiling` are the levels that count as clipped, where they are known.
    pub fn of(
        rows: &[f32],
        width: usize,
        step: usize,
        floor: Option<f64>,
        ceiling: Option<f64>,
    ) -> Self {
        let mut bulk = Bulk::new(floor, ceiling);
        rows.chunks(width.max(1)).for_each(|row| bulk.see(row));
        bulk.summary(rows, width, step)
    }

    /// The same, with median, deviation and noise from rows spread evenly over the frame, where
    /// that are many samples less: good to a thousandth of the noise.
    pub fn at_a_glance(
        rows: &[f32],
        width: usize,
        step: usize,
        floor: Option<f64>,
        ceiling: Option<f64>,
    ) -> Self {
        let mut glance = Glance::new(rows.len(), width, step, floor, ceiling);
        glance.see(rows);
        glance.summary()
    }
}

/// A [`Summary`] that is made as rows come by, from the first to the last; how many come at a time
/// makes no difference.
#[derive(Debug)]
pub struct Glance {
    width: usize,
    step: usize,
    spread: Spread,
    next_row: usize,
    bulk: Bulk,
    /// The rows that medians are taken from.
    some: Vec<f32>,
}

impl Glance {
    /// Of a frame of so many `pixels` in rows of `width`; the rest as for
    /// [`Summary::at_a_glance`].
    pub fn new(
        pixels: usize,
        width: usize,
        step: usize,
        floor: Option<f64>,
        ceiling: Option<f64>,
    ) -> Self {
        let width = width.max(1);
        let spread = Spread::new(pixels, width, step, GLANCE_SAMPLES);
        let some = Vec::with_capacity(spread.samples(pixels));
        Self { width, step, spread, next_row: 0, bulk: Bulk::new(floor, ceiling), some }
    }

    /// Goes through the next rows.
    pub fn see(&mut self, rows: &[f32]) {
        for row in rows.chunks(self.width) {
            self.bulk.see(row);
            if self.spread.takes(self.next_row) {
                self.some.extend(row);
            }
            self.next_row += 1;
        }
    }

    /// What was seen.
    pub fn summary(self) -> Summary {
        self.bulk.summary(&self.some, self.width, self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_numbers_and_their_scatter() {
        assert_eq!(median_f64(&[3.0, 1.0, f64::NAN, 2.0]), 2.0);
        assert_eq!(median_f64(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median_f64(&[]).is_nan());
        assert_eq!(median_scatter(&[1.0, 2.0, 3.0, 100.0]), (2.5, MAD_TO_SIGMA));
    }

    #[test]
    fn medians() {
        assert!(median(&[]).is_nan());
        assert!(median(&[f32::NAN]).is_nan());
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[3.0, 1.0]), 2.0);
        assert_eq!(median(&[5.0, f32::NAN, 1.0, 3.0, f32::INFINITY]), 3.0);
        assert_eq!(median_mad(&[1.0, 2.0, 3.0, 4.0, 100.0]), (3.0, 1.0));
    }

    #[test]
    fn moments_survive_a_large_offset() {
        let v: Vec<f32> = (0..1000).map(|i| 1.0e6 + (i % 2) as f32).collect();
        let m = moments(&v);
        assert_eq!(m.count, 1000);
        assert!((m.mean - 1_000_000.5).abs() < 1e-9);
        assert!((m.sd - 0.500_250_187_6).abs() < 1e-6, "{}", m.sd);
    }

    #[test]
    fn noise_ignores_a_slope() {
        let width = 512;
        let mut state = 1u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        // The sum of twelve uniforms is close to a Gaussian of sigma 1.
        let rows: Vec<f32> = (0..width * 200)
            .map(|i| (0..12).map(|_| uniform()).sum::<f32>() * 5.0 + (i % width) as f32 * 3.0)
            .collect();
        let s = noise(&rows, width, 2);
        assert!((s - 5.0).abs() < 0.1, "{s}");
    }
}
