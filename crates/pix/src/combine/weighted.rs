//! The weighted mean of the kept samples.

use super::{Data, Samples};
use crate::reject::lanes::Columns;

/// The weighted mean of the kept part of `lane`, and by what the variance of its samples becomes the
/// mean's: Σw² / (Σw)², and what frames were multiplied with taken out where samples were only
/// judged so.
///
/// Frames come in the order they are given in; products of two f32 are exact in f64 and their sum
/// carries its rounding error along, so that the order does not show in an f32.
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
    let share = |value: f64| {
        let kept = columns.rows[lo..hi].iter().filter(|row| f64::from(row[lane]) == value).count();
        let all = (0..weights.len()).filter(|i| sample(*i) == value).count();
        kept as f64 / all as f64
    };
    let (first_share, last_share) = (share(first), share(last));
    let (mut total, mut squares, mut products) = (Sum::default(), 0.0, Sum::default());
    let mut spread = Sum::default();
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
        let w = f64::from(*w) * share;
        total.add(w);
        squares += w * w;
        let (value, per_scale) = match samples.applied {
            Some(applied) => ((v - applied[i].offset) / applied[i].scale, 1.0 / applied[i].scale),
            None => (v - first, 1.0),
        };
        products.add(w * value);
        spread.add(w * per_scale * per_scale);
    }
    let total = total.value();
    let share = squares / (total * total) * (spread.value() / total);
    (origin + products.value() / total, share)
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
