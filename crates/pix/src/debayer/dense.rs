//! A linear rule over whole rows, many pixels at a time.

use std::collections::BTreeMap;

use multiversion::multiversion;

/// Columns made side by side: whole periods of any array, whole vectors of any processor.
pub(super) const BLOCK: usize = 48;

/// The weights of a row: for each place relative to a pixel that any column of the period takes a
/// sample from, what each column gives it.
pub(super) struct Dense {
    offsets: Vec<isize>,
    weights: Vec<[f32; BLOCK]>,
}

impl Dense {
    /// From offsets and weights, one list a column of the period.
    pub(super) fn new(columns: &[Vec<(isize, f32)>]) -> Self {
        let mut places = BTreeMap::<isize, [f32; BLOCK]>::new();
        for x in 0..BLOCK {
            for (offset, weight) in &columns[x % columns.len()] {
                places.entry(*offset).or_insert([0.0; BLOCK])[x] = *weight;
            }
        }
        let (offsets, weights) = places.into_iter().unzip();
        Self { offsets, weights }
    }

    /// Makes a block whose first pixel, at a whole number of periods, is sample `first`; NaN where
    /// any of the places is.
    pub(super) fn block(&self, samples: &[f32], first: usize, out: &mut [f32; BLOCK]) {
        sum(&self.offsets, &self.weights, samples, first, out);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn sum(
    offsets: &[isize],
    weights: &[[f32; BLOCK]],
    samples: &[f32],
    first: usize,
    out: &mut [f32; BLOCK],
) {
    let mut sum = [0.0f32; BLOCK];
    for (offset, weights) in offsets.iter().zip(weights) {
        let start = (first as isize + offset) as usize;
        let part: &[f32; BLOCK] = samples[start..start + BLOCK].try_into().expect("one block");
        for i in 0..BLOCK {
            sum[i] += weights[i] * part[i];
        }
    }
    *out = sum;
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn all_finite(row: &[f32]) -> bool {
    row.iter().fold(true, |all, v| all & v.is_finite())
}
