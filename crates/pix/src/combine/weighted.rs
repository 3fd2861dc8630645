//! The weighted mean of the kept samples, and its variance.
//!
//! A sample of weight w and coverage a (1 where nothing is drizzled) counts with a w. About the mean
//! m of those kept, the variance of m is
//!
//! V = Σ (a w d)² / W² · S / (S − 2 T / W + S Q / W²), d = x − m,
//!
//! with W = Σ a w, S = Σ a² w, Q = Σ a² w², T = Σ a³ w²: what the squared deviations hold, each with
//! the square of its own weight, and what the mean took of them made good. Without coverage that is
//! Σ (w d)² / (W² − Σ w²), of equal weights s² / n. It is right in the mean where weights are inverse
//! variances, and near it where they are not: on a star its own light makes the noise, whatever the sky
//! gave the weights.
//!
//! # Source
//! MacKinnon1985, variances that need no model of the noise; the factor is that of samples of variance
//! 1 / w.

use multiversion::multiversion;

use super::{Data, Samples};
use crate::reject::lanes::{Columns, Keys, LANES, Row};

/// Lanes whose sums fit in registers together.
const SOME: usize = 16;

/// Weighted means of some lanes.
pub(super) struct Means {
    pub mean: Row,
    pub variance: Row,
    /// Samples from the smallest to the greatest kept one. Where they are more than those kept, the cut
    /// went among equal samples, and mean and variance are those of all.
    pub within: [i32; LANES],
}

/// What [`weighted_mean`] gives of `lanes`, a bit each, to the last digit, but where the cut went among
/// equal samples; other lanes hold numbers that mean nothing.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn weighted_means(
    samples: &Samples,
    weights: &[f32],
    columns: &Columns,
    lanes: u32,
) -> Means {
    let mut out = Means { mean: [0.0; LANES], variance: [0.0; LANES], within: [0; LANES] };
    for from in (0..LANES).step_by(SOME) {
        if lanes >> from & (u32::MAX >> (LANES - SOME)) == 0 {
            continue;
        }
        let pixel = &columns.pixel[from..from + SOME];
        let side_by_side = columns.used >= from + SOME && pixel.is_sorted_by(|a, b| a + 1 == *b);
        let places = Places { columns, from, side_by_side };
        match (samples.own, samples.applied) {
            (None, None) => sum_some::<false, false>(samples, weights, &places, &mut out),
            (None, Some(_)) => sum_some::<false, true>(samples, weights, &places, &mut out),
            (Some(_), None) => sum_some::<true, false>(samples, weights, &places, &mut out),
            (Some(_), Some(_)) => sum_some::<true, true>(samples, weights, &places, &mut out),
        }
    }
    out
}

/// Lanes whose sums are made together.
struct Places<'a> {
    columns: &'a Columns,
    from: usize,
    /// Their pixels follow one another.
    side_by_side: bool,
}

impl Places<'_> {
    /// What `frame` holds of them; anything for lanes that are not in use.
    #[inline(always)]
    fn of<T: Copy + Default>(&self, frame: &[T]) -> [T; SOME] {
        let pixel: &[usize; SOME] = next(&self.columns.pixel, self.from);
        if self.side_by_side {
            return *next(frame, pixel[0]);
        }
        let mut out = [T::default(); SOME];
        for lane in 0..SOME {
            out[lane] = frame.get(pixel[lane]).copied().unwrap_or_default();
        }
        out
    }
}

#[inline(always)]
fn sum_some<const OWN: bool, const APPLIED: bool>(
    samples: &Samples,
    weights: &[f32],
    places: &Places,
    out: &mut Means,
) {
    let &Places { columns, from, .. } = places;
    let (mut first, mut last) = ([0.0f32; SOME], [0.0f32; SOME]);
    for lane in 0..SOME {
        first[lane] = columns.first[from + lane] as f32;
        last[lane] = columns.last[from + lane] as f32;
    }
    let mut products = [0.0f64; SOME];
    let mut rest = [0.0f64; SOME];
    let mut within = [0i32; SOME];
    let mut of = Sums::<SOME>::default();
    for (i, weight) in weights.iter().enumerate() {
        let frame = i * samples.width..(i + 1) * samples.width;
        let v = match samples.data {
            Data::Float(data) => places.of(&data[frame.clone()]),
            Data::Raw { data, missing_from } => {
                let raw = places.of(&data[frame.clone()]);
                let mut v = [f32::NAN; SOME];
                for lane in 0..SOME {
                    let there = u32::from(raw[lane]) < missing_from;
                    v[lane] = if there { f32::from(raw[lane]) } else { f32::NAN };
                }
                v
            }
        };
        let own = samples.own.filter(|_| OWN).map_or([1.0; SOME], |own| places.of(&own[frame]));
        let (mut scale, mut offset) = (1.0, 0.0);
        if let Some(applied) = samples.applied.filter(|_| APPLIED) {
            (scale, offset) = (1.0 / applied[i].scale, applied[i].offset);
        }
        let weight = f64::from(*weight);
        for lane in 0..SOME {
            // Missing ones are NaN or infinite.
            let there = (v[lane] >= first[lane]) & (v[lane] <= last[lane]);
            within[lane] += i32::from(there);
            let counts = there & (!OWN | (own[lane] > 0.0));
            let cover = if counts { f64::from(own[lane]) } else { 0.0 };
            let v = f64::from(if there { v[lane] } else { first[lane] });
            // Distances from the smallest sample lose no digits; what frames were is not near it.
            let judged = v - f64::from(first[lane]);
            let value = if APPLIED { (v - offset) * scale } else { judged };
            of.add((OWN, APPLIED), lane, (cover, weight), (judged, scale));
            // A sum that carries its rounding error along.
            let product = cover * weight * value;
            let sum = products[lane] + product;
            let part = sum - products[lane];
            rest[lane] += (products[lane] - (sum - part)) + (product - part);
            products[lane] = sum;
        }
    }
    for lane in 0..SOME {
        let origin = if APPLIED { 0.0 } else { f64::from(first[lane]) };
        let above = (products[lane] + rest[lane]) / of.total[lane];
        out.mean[from + lane] = origin + above;
        out.variance[from + lane] = of.variance((OWN, APPLIED), lane, above);
        out.within[from + lane] = within[lane];
    }
}

/// The sums that the variances of some weighted means are made of.
struct Sums<const N: usize> {
    /// Σ a w.
    total: [f64; N],
    /// Σ a² w², the squares of what a sample counts with.
    squares: [f64; N],
    /// Σ (a w s)², Σ (a w s)² x and Σ (a w s)² x², s what took a sample back to what it was.
    moments: [[f64; N]; 3],
    /// Σ a² w and Σ a³ w²; those of coverage 1 are `total` and `squares`.
    covered: [[f64; N]; 2],
    /// Σ a w x; where samples are combined as they were judged the mean tells it.
    judged: [f64; N],
}

impl<const N: usize> Default for Sums<N> {
    fn default() -> Self {
        let none = [0.0; N];
        Self { total: none, squares: none, moments: [none; 3], covered: [none; 2], judged: none }
    }
}

impl<const N: usize> Sums<N> {
    /// Adds a sample of `lane`: its coverage and its frame's weight, what it was judged as and by what
    /// that is multiplied to be what it was.
    #[inline(always)]
    fn add(
        &mut self,
        (own, applied): (bool, bool),
        lane: usize,
        (cover, weight): (f64, f64),
        (x, scale): (f64, f64),
    ) {
        let w = cover * weight;
        let square = w * w;
        self.total[lane] += w;
        self.squares[lane] += square;
        let moved = if applied { square * (scale * scale) } else { square };
        let moment = moved * x;
        self.moments[1][lane] += moment;
        self.moments[2][lane] += moment * x;
        if applied {
            self.moments[0][lane] += moved;
            self.judged[lane] += w * x;
        }
        if own {
            self.covered[0][lane] += w * cover;
            self.covered[1][lane] += square * cover;
        }
    }

    /// The variance of the weighted mean of `lane`, which is `above` the origin of the samples.
    #[inline(always)]
    fn variance(&self, (own, applied): (bool, bool), lane: usize, above: f64) -> f64 {
        let (total, squares) = (self.total[lane], self.squares[lane]);
        let per_total = 1.0 / total;
        let m = if applied { self.judged[lane] * per_total } else { above };
        let zeroth = if applied { self.moments[0][lane] } else { squares };
        let off = self.moments[2][lane] - m * (2.0 * self.moments[1][lane] - m * zeroth);
        let (of_all, of_most) =
            if own { (self.covered[0][lane], self.covered[1][lane]) } else { (total, squares) };
        let left = of_all - per_total * (2.0 * of_most - of_all * squares * per_total);
        // All weight on one sample leaves nothing to tell a variance from.
        let known = left > LEAST_LEFT * of_all;
        let off = if off > 0.0 { off } else { 0.0 };
        let variance = off * per_total * per_total * of_all / left;
        if known { variance } else { f64::NAN }
    }
}

/// A share of the weights that is rounding.
const LEAST_LEFT: f64 = 1e-9;

/// The lanes from `at` on.
#[inline(always)]
fn next<T>(all: &[T], at: usize) -> &[T; SOME] {
    all[at..].first_chunk().expect("as many as lanes")
}

/// The weighted mean of the kept part of `lane`, and its variance; NaN where one sample has all the
/// weight.
///
/// Frames come in the order they are given in; sums of products carry their rounding error along,
/// so that the order does not show in an f32.
pub(super) fn weighted_mean(
    samples: &Samples,
    weights: &[f32],
    columns: &Columns,
    lane: usize,
) -> (f64, f64) {
    let (lo, hi) = (columns.kept.lo[lane] as usize, columns.kept.hi[lane] as usize);
    let x = columns.pixel[lane];
    let (first, last) = (columns.first[lane], columns.last[lane]);
    let sample = |i: usize| {
        let at = i * samples.width + x;
        f64::from(match samples.data {
            Data::Float(data) => data[at],
            Data::Raw { data, missing_from } if u32::from(data[at]) < missing_from => {
                f32::from(data[at])
            }
            Data::Raw { .. } => f32::NAN,
        })
    };
    // A cut among equal samples: which frame's stays is nobody's to say, so all stay in part.
    let (mut all_first, mut all_last) = (0u32, 0u32);
    for i in 0..weights.len() {
        let v = sample(i);
        all_first += u32::from(v == first);
        all_last += u32::from(v == last);
    }
    let kept = &columns.rows[lo..hi];
    let equal = |row: &&Keys, value: f64| f64::from(row[lane]) == value;
    let kept_first = kept.iter().take_while(|row| equal(row, first)).count();
    let kept_last = kept.iter().rev().take_while(|row| equal(row, last)).count();
    let first_share = kept_first as f64 / f64::from(all_first);
    let last_share = kept_last as f64 / f64::from(all_last);
    let (mut of, mut products) = (Sums::<1>::default(), Sum::default());
    let covered = samples.own.is_some() || first_share < 1.0 || last_share < 1.0;
    let terms = (covered, samples.applied.is_some());
    // Distances from the smallest sample lose no digits; what frames were is not near it.
    let origin = if samples.applied.is_some() { 0.0 } else { first };
    for (i, weight) in weights.iter().enumerate() {
        let v = sample(i);
        // Missing ones are NaN or infinite.
        if v < first || v > last || v.is_nan() {
            continue;
        }
        let share = if v == first {
            first_share
        } else if v == last {
            last_share
        } else {
            1.0
        };
        let own = samples.own.map_or(1.0, |own| own[i * samples.width + x]);
        let cover = if own > 0.0 { f64::from(own) } else { 0.0 } * share;
        let weight = f64::from(*weight);
        let (value, scale) = match samples.applied {
            Some(applied) => {
                let scale = 1.0 / applied[i].scale;
                ((v - applied[i].offset) * scale, scale)
            }
            None => (v - first, 1.0),
        };
        products.add(cover * weight * value);
        of.add(terms, 0, (cover, weight), (v - first, scale));
    }
    let above = products.value() / of.total[0];
    (origin + above, of.variance(terms, 0, above))
}

/// A sum that carries its rounding error along.
///
/// # Source
/// Neumaier1974.
#[derive(Default)]
struct Sum {
    sum: f64,
    rest: f64,
}

impl Sum {
    fn add(&mut self, v: f64) {
        let next = self.sum + v;
        self.rest +=
            if self.sum.abs() >= v.abs() { (self.sum - next) + v } else { (v - next) + self.sum };
        self.sum = next;
    }

    fn value(&self) -> f64 {
        self.sum + self.rest
    }
}
