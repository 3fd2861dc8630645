//! The weighted mean of the kept samples.

use multiversion::multiversion;

use super::{Data, Samples};
use crate::reject::lanes::{Columns, Keys, LANES, Row};

/// Lanes whose sums fit in registers together.
const SOME: usize = 16;

/// What [`weighted_mean`] gives of columns side by side that keep all of their samples, to the bit;
/// the last few, which do not fill registers, stay 0.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn weighted_means(samples: &Samples, weights: &[f32], columns: &Columns) -> [Row; 2] {
    let mut out = [[0.0; LANES]; 2];
    for from in (0..whole(columns)).step_by(SOME) {
        match (samples.own, samples.applied) {
            (None, None) => sum_some::<false, false>(samples, weights, columns, from, &mut out),
            (None, Some(_)) => sum_some::<false, true>(samples, weights, columns, from, &mut out),
            (Some(_), None) => sum_some::<true, false>(samples, weights, columns, from, &mut out),
            (Some(_), Some(_)) => sum_some::<true, true>(samples, weights, columns, from, &mut out),
        }
    }
    out
}

/// The lanes that [`weighted_means`] sees to.
pub(super) fn whole(columns: &Columns) -> usize {
    columns.used / SOME * SOME
}

#[inline(always)]
fn sum_some<const OWN: bool, const APPLIED: bool>(
    samples: &Samples,
    weights: &[f32],
    columns: &Columns,
    from: usize,
    [mean, share]: &mut [Row; 2],
) {
    let (mut first, mut last) = ([0.0f32; SOME], [0.0f32; SOME]);
    for lane in 0..SOME {
        first[lane] = columns.first[from + lane] as f32;
        last[lane] = columns.last[from + lane] as f32;
    }
    let (mut total, mut squares) = ([0.0f64; SOME], [0.0f64; SOME]);
    let (mut products, mut rest) = ([0.0f64; SOME], [0.0f64; SOME]);
    let mut spread = [0.0f64; SOME];
    for (i, weight) in weights.iter().enumerate() {
        let at = i * samples.width + columns.pixel[0] + from;
        let v = match samples.data {
            Data::Float(data) => *next(data, at),
            Data::Raw { data, missing_from } => {
                let raw: &[u16; SOME] = next(data, at);
                let mut v = [f32::NAN; SOME];
                for lane in 0..SOME {
                    let there = u32::from(raw[lane]) < missing_from;
                    v[lane] = if there { f32::from(raw[lane]) } else { f32::NAN };
                }
                v
            }
        };
        let own = samples.own.filter(|_| OWN).map_or([1.0; SOME], |own| *next(own, at));
        let (mut scale, mut offset) = (1.0, 0.0);
        if let Some(applied) = samples.applied.filter(|_| APPLIED) {
            (scale, offset) = (1.0 / applied[i].scale, applied[i].offset);
        }
        let (weight, scale2) = (f64::from(*weight), scale * scale);
        for lane in 0..SOME {
            // Missing ones are NaN or infinite.
            let there = (v[lane] >= first[lane]) & (v[lane] <= last[lane]);
            let w = if OWN {
                weight * if own[lane] > 0.0 { f64::from(own[lane]) } else { 0.0 }
            } else {
                weight
            };
            let w = if there { w } else { 0.0 };
            let v = f64::from(if there { v[lane] } else { first[lane] });
            // Distances from the smallest sample lose no digits; what frames were is not near it.
            let value = if APPLIED { (v - offset) * scale } else { v - f64::from(first[lane]) };
            total[lane] += w;
            squares[lane] += w * w;
            if APPLIED {
                spread[lane] += w * scale2;
            }
            // A sum that carries its rounding error along.
            let product = w * value;
            let sum = products[lane] + product;
            let part = sum - products[lane];
            rest[lane] += (products[lane] - (sum - part)) + (product - part);
            products[lane] = sum;
        }
    }
    for lane in 0..SOME {
        let origin = if APPLIED { 0.0 } else { f64::from(first[lane]) };
        let per_total = 1.0 / total[lane];
        mean[from + lane] = origin + (products[lane] + rest[lane]) * per_total;
        let frames = if APPLIED { spread[lane] * per_total } else { 1.0 };
        share[from + lane] = squares[lane] * per_total * per_total * frames;
    }
}

/// The lanes from `at` on.
#[inline(always)]
fn next<T>(all: &[T], at: usize) -> &[T; SOME] {
    all[at..].first_chunk().expect("as many as lanes")
}

/// The weighted mean of the kept part of `lane`, and by what the variance of its samples becomes the
/// mean's: Σw² / (Σw)², and what frames were multiplied with taken out where samples were only
/// judged so.
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
    let (mut total, mut squares, mut products) = (0.0, 0.0, Sum::default());
    let mut spread = 0.0;
    // Distances from the smallest sample lose no digits; what frames were is not near it.
    let origin = if samples.applied.is_some() { 0.0 } else { first };
    for (i, w) in weights.iter().enumerate() {
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
        let w = f64::from(*w) * if own > 0.0 { f64::from(own) } else { 0.0 } * share;
        total += w;
        squares += w * w;
        let (value, scale) = match samples.applied {
            Some(applied) => {
                let scale = 1.0 / applied[i].scale;
                ((v - applied[i].offset) * scale, scale)
            }
            None => (v - first, 1.0),
        };
        products.add(w * value);
        spread += w * (scale * scale);
    }
    let per_total = 1.0 / total;
    let frames = if samples.applied.is_some() { spread * per_total } else { 1.0 };
    (origin + products.value() * per_total, squares * per_total * per_total * frames)
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
