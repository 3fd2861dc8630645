//! Sorting many columns at once: a network whose comparators work on whole rows of lanes.

use multiversion::multiversion;

use super::key::Key;
use super::network::sort_short;
use crate::reject::lanes::{Keys, Line};

/// Rows that one network sorts in registers.
const RUN: usize = 32;

/// Sorts each lane, smallest first.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn sort_f32(rows: &mut [Keys]) {
    sort(rows);
}

/// Sorts each lane, smallest first.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn sort_u16(rows: &mut [Line<u16>]) {
    sort(rows);
}

/// Runs of 32 rows in registers, then Batcher's merges over rows in memory.
#[inline(always)]
fn sort<K: Key>(rows: &mut [Line<K>]) {
    let n = rows.len();
    for run in rows.chunks_mut(RUN) {
        sort_short(run);
    }
    let mut p = RUN;
    while p < n {
        // One merge of runs of p: comparators at distance p, then at p/2, p/4 ... between halves.
        for group in rows.chunks_mut(2 * p) {
            if group.len() > p {
                let (a, b) = group.split_at_mut(p);
                order_rows(a, b);
                let mut k = p / 2;
                while k >= 1 {
                    let mut j = k;
                    while j + k < group.len() && j + k < 2 * p {
                        let (a, b) = group[j..].split_at_mut(k);
                        order_rows(a, b);
                        j += 2 * k;
                    }
                    k /= 2;
                }
            }
        }
        p *= 2;
    }
}

/// Compares `a[i]` with `b[i]`, for as many rows as `b` has.
#[inline(always)]
fn order_rows<K: Key>(a: &mut [Line<K>], b: &mut [Line<K>]) {
    for (a, b) in a.iter_mut().zip(b) {
        for (a, b) in a.iter_mut().zip(b.iter_mut()) {
            (*a, *b) = K::order(*a, *b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reject::lanes::LANES;

    #[test]
    fn random_columns_of_every_length_are_sorted() {
        let mut state = 1u64;
        for n in 0..300 {
            let mut rows: Vec<Line<u16>> = vec![Line([0; LANES]); n];
            for row in &mut rows {
                for v in row.iter_mut() {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
                    *v = (state >> 50) as u16;
                }
            }
            let mut floats: Vec<Keys> = rows.iter().map(|r| Line(r.map(f32::from))).collect();
            let mut expected = rows.clone();
            for lane in 0..LANES {
                let mut column: Vec<u16> = rows.iter().map(|r| r[lane]).collect();
                column.sort_unstable();
                expected.iter_mut().zip(column).for_each(|(row, v)| row[lane] = v);
            }
            sort_u16(&mut rows);
            sort_f32(&mut floats);
            assert!(rows == expected, "{n} rows");
            assert!(floats.iter().zip(&rows).all(|(f, r)| f.0 == r.map(f32::from)), "{n} rows");
        }
    }
}
