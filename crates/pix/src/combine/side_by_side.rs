//! Medians of a few samples of many columns, found together.

use multiversion::multiversion;

use super::sort::sort_f32;
use crate::reject::lanes::{LANES, Line};

/// The median of each column of `rows`, of those samples that are finite, the mean of the middle two for an even
/// number; NaN without any. The same, bit for bit, as [`stat::median_in_place`](crate::stat::median_in_place) of
/// each column.
///
/// # Panics
/// When a row is shorter than `out`.
pub fn column_medians(rows: &[&[f32]], out: &mut [f32]) {
    let mut sorted = vec![Line([0.0f32; LANES]); rows.len()];
    for (i, out) in out.chunks_mut(LANES).enumerate() {
        let from = i * LANES;
        let mut counts = Line([0i32; LANES]);
        for (row, to) in rows.iter().zip(&mut sorted) {
            to.0 = [f32::NAN; LANES];
            to[..out.len()].copy_from_slice(&row[from..from + out.len()]);
        }
        missing_last(&mut sorted, &mut counts);
        sort_f32(&mut sorted);
        for (lane, out) in out.iter_mut().enumerate() {
            let n = counts[lane] as usize;
            *out = if n == 0 {
                f32::NAN
            } else {
                let middle = |i: usize| f64::from(sorted[i][lane] + 0.0);
                ((middle((n - 1) / 2) + middle(n / 2)) * 0.5) as f32
            };
        }
    }
}

/// Puts infinity in the place of samples that are missing, and counts the others of each lane.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn missing_last(rows: &mut [Line<f32>], counts: &mut Line<i32>) {
    for row in rows {
        for lane in 0..LANES {
            let known = row[lane].abs() < f32::INFINITY;
            counts[lane] += i32::from(known);
            row[lane] = if known { row[lane] } else { f32::INFINITY };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stat::median_in_place;

    proptest! {
        #[test]
        fn they_are_those_of_each_column(
            n in 0usize..70,
            width in 0usize..80,
            samples in prop::collection::vec(
                prop_oneof![
                    3 => (-9i8..9).prop_map(f32::from),
                    1 => prop::num::f32::ANY,
                    1 => Just(-0.0),
                ],
                500,
            ),
        ) {
            let at = |row: usize, x: usize| samples[(row * 37 + x * 7) % samples.len()];
            let rows: Vec<Vec<f32>> = (0..n).map(|r| (0..width).map(|x| at(r, x)).collect()).collect();
            let mut out = vec![0.0; width];
            column_medians(&rows.iter().map(|r| &r[..]).collect::<Vec<_>>(), &mut out);
            for (x, found) in out.iter().enumerate() {
                let wanted = median_in_place(&mut (0..n).map(|r| at(r, x)).collect::<Vec<_>>());
                prop_assert!(found.to_bits() == wanted.to_bits() || found.is_nan() && wanted.is_nan());
            }
        }
    }
}
