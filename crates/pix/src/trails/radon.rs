//! Sums along all digital lines of a grid, and along their dyadic parts, by the fast discrete Radon
//! transform: lines of twice the length are sums of two lines.
//!
//! # Source
//! Brady1998; GoetzDruck1996.

use multiversion::multiversion;

use super::bins::{FEWEST, MISSING, MOST};
use crate::{Plane, Size};

/// Bits of a packed sum below those of the values: as many bins as a line may have.
const COUNT_BITS: u32 = 10;

/// Parts of a line are looked at down to one of so many.
const PARTS: usize = 8;

const _: () = assert!(MOST < 1 << COUNT_BITS && MOST * 128 < 1 << (31 - COUNT_BITS));

/// A line of bins, from its first to its last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub from: (i64, i64),
    pub to: (i64, i64),
    /// What its bins sum to, in their noise.
    pub snr: f64,
}

/// The line that stands out most, of all directions; `None` where none is brighter than its
/// surroundings.
pub(super) fn strongest(values: &Plane<i8>, steps: f32) -> Option<Line> {
    let mut best: Option<Line> = None;
    let mut room = [Vec::new(), Vec::new()];
    for turned in [false, true] {
        for mirrored in [false, true] {
            let back = Back { size: values.size(), turned, mirrored };
            let found = strongest_of(&back.packed(values), back, steps, &mut room);
            best = match (best, found) {
                (Some(best), Some(found)) if best.snr >= found.snr => Some(best),
                (best, found) => found.or(best),
            };
        }
    }
    best
}

/// Directions that are nearer to rows than to columns and fall to the right, made of any others.
#[derive(Debug, Clone, Copy)]
struct Back {
    size: Size,
    turned: bool,
    mirrored: bool,
}

impl Back {
    /// Sums of one bin each, column by column: its value above its count.
    fn packed(&self, values: &Plane<i8>) -> Plane<i32> {
        let pack = |v: i8| if v == MISSING { 0 } else { (i32::from(v) << COUNT_BITS) + 1 };
        let Size { width, height } = self.size;
        let (columns, rows) = if self.turned { (height, width) } else { (width, height) };
        let mut out = Plane::filled(Size::new(rows, columns), 0);
        for j in 0..height {
            let line = values.row(j).iter().map(|v| pack(*v));
            if self.turned {
                out.row_mut(j).iter_mut().zip(line).for_each(|(o, v)| *o = v);
            } else {
                let all = out.as_mut_slice()[j..].iter_mut().step_by(rows);
                all.zip(line).for_each(|(o, v)| *o = v);
            }
        }
        if self.mirrored {
            (0..columns).for_each(|column| out.row_mut(column).reverse());
        }
        out
    }

    fn bin(&self, column: i64, row: i64) -> (i64, i64) {
        let rows = if self.turned { self.size.width } else { self.size.height } as i64;
        let row = if self.mirrored { rows - 1 - row } else { row };
        if self.turned { (row, column) } else { (column, row) }
    }
}

/// Sums of one level: for each block of columns and each rise, a row of sums by the row where the
/// line starts; the first start is as far above the grid as a line may fall.
struct Level {
    /// Columns of a block.
    length: usize,
    blocks: usize,
    sums: Vec<i32>,
}

impl Level {
    /// Sums in the row of a block and rise.
    fn starts(&self, rows: usize) -> usize {
        rows + self.length - 1
    }

    fn row(&self, rows: usize, block: usize, rise: usize) -> &[i32] {
        let n = self.starts(rows);
        &self.sums[(block * self.length + rise) * n..][..n]
    }
}

fn strongest_of(
    columns: &Plane<i32>,
    back: Back,
    steps: f32,
    room: &mut [Vec<i32>; 2],
) -> Option<Line> {
    let (rows, count) = (columns.width(), columns.height());
    let [mut sums, mut next] = std::mem::take(room);
    sums.clear();
    sums.extend_from_slice(columns.as_slice());
    let mut level = Level { length: 1, blocks: count, sums };
    let whole = count.next_power_of_two();
    let mut best = (0.0f32, None);
    while level.length < whole {
        let doubled = double(&level, rows, std::mem::take(&mut next));
        next = std::mem::replace(&mut level, doubled).sums;
        if level.length >= FEWEST && level.length * PARTS >= whole {
            for block in 0..level.blocks {
                for rise in 0..level.length {
                    let sums = level.row(rows, block, rise);
                    let score = highest(sums);
                    if score > best.0 {
                        let start = sums.iter().position(|s| self::score(*s) == score);
                        best = (score, start.map(|start| (level.length, block, rise, start)));
                    }
                }
            }
        }
    }
    *room = [level.sums, next];
    let (length, block, rise, start) = best.1?;
    let column = (block * length) as i64;
    let row = start as i64 - (length as i64 - 1);
    Some(Line {
        from: back.bin(column, row),
        to: back.bin(column + length as i64 - 1, row + rise as i64),
        snr: f64::from(best.0.sqrt() / steps),
    })
}

/// Lines of twice the length; a block without a partner is left as it is, with nothing beside it.
fn double(level: &Level, rows: usize, mut sums: Vec<i32>) -> Level {
    let (half, length) = (level.length, 2 * level.length);
    let blocks = level.blocks.div_ceil(2);
    let (n, m) = (rows + length - 1, level.starts(rows));
    sums.resize(blocks * length * n, 0);
    for (i, out) in sums.chunks_exact_mut(n).enumerate() {
        let (block, rise) = (i / length, i % length);
        // Both halves fall by half; what is odd falls between them.
        let part = rise / 2;
        // A line of half the length starts at most half as far above the grid.
        let left = level.row(rows, 2 * block, part);
        if 2 * block + 1 == level.blocks {
            out[..half].fill(0);
            out[half..].copy_from_slice(left);
            continue;
        }
        // The second half starts where the first ends.
        let right = level.row(rows, 2 * block + 1, part);
        let shift = half - (rise - part);
        out[..shift].fill(0);
        out[shift..half].copy_from_slice(&right[..half - shift]);
        let both = m - (half - shift);
        add(&mut out[half..half + both], &left[..both], &right[half - shift..]);
        out[half + both..].copy_from_slice(&left[both..]);
    }
    Level { length, blocks, sums }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add(to: &mut [i32], a: &[i32], b: &[i32]) {
    for (t, (a, b)) in to.iter_mut().zip(a.iter().zip(b)) {
        *t = a + b;
    }
}

/// The square of a sum over its noise, in steps; 0 where it is not bright or of too few bins.
#[inline(always)]
fn score(sum: i32) -> f32 {
    let (value, count) = (sum >> COUNT_BITS, sum & ((1 << COUNT_BITS) - 1));
    let good = (value > 0) & (count >= FEWEST as i32);
    let (value, count) = (value as f32, if good { count } else { 1 } as f32);
    if good { value * value / count } else { 0.0 }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn highest(sums: &[i32]) -> f32 {
    const LANES: usize = 16;
    let mut most = [0.0f32; LANES];
    let parts = sums.chunks_exact(LANES);
    let rest = parts.remainder();
    for part in parts {
        for k in 0..LANES {
            let v = score(part[k]);
            most[k] = if v > most[k] { v } else { most[k] };
        }
    }
    let of_rest = rest.iter().map(|s| score(*s));
    most.into_iter().chain(of_rest).fold(0.0, |a, b| if b > a { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of a line of `length` columns that falls by `rise`, by its definition: two lines of
    /// half the length, what is odd between them.
    fn rows(length: i64, rise: i64) -> Vec<i64> {
        if length == 1 {
            return vec![0];
        }
        let half = rows(length / 2, rise / 2);
        let second = half.iter().map(|row| row + rise - rise / 2);
        half.iter().copied().chain(second).collect()
    }

    /// The best line of all, one by one.
    fn by_hand(values: &Plane<i8>, steps: f32) -> f64 {
        let (width, height) = (values.width() as i64, values.height() as i64);
        let mut best = 0.0f64;
        for (turned, across, down) in [(false, width, height), (true, height, width)] {
            let whole = (across as usize).next_power_of_two() as i64;
            let lengths = [1, 2, 4, 8].map(|part| whole / part);
            for length in lengths.into_iter().filter(|l| *l >= FEWEST as i64) {
                for (first, rise) in (0..across)
                    .step_by(length as usize)
                    .flat_map(|x| (0..length).map(move |r| (x, r)))
                {
                    let path = rows(length, rise);
                    for (start, mirrored) in (-length..down).flat_map(|s| [(s, false), (s, true)]) {
                        let (mut sum, mut count) = (0i32, 0u32);
                        for (i, row) in path.iter().enumerate() {
                            let (x, y) = (first + i as i64, start + row);
                            let y = if mirrored { down - 1 - y } else { y };
                            let inside = (0..across).contains(&x) && (0..down).contains(&y);
                            if inside {
                                let (x, y) = if turned { (y, x) } else { (x, y) };
                                let v = values.get(x as usize, y as usize);
                                sum += if v == MISSING { 0 } else { i32::from(v) };
                                count += u32::from(v != MISSING);
                            }
                        }
                        if sum > 0 && count as usize >= FEWEST {
                            let snr = f64::from(sum) / f64::from(steps) / f64::from(count).sqrt();
                            best = best.max(snr);
                        }
                    }
                }
            }
        }
        best
    }

    #[test]
    fn the_strongest_line_is_that_of_all_lines_summed_one_by_one() {
        for (width, height, seed) in [(37, 21, 1u32), (16, 50, 2), (64, 33, 3), (20, 20, 4)] {
            let mut state = seed;
            let values = Plane::from_fn(Size::new(width, height), |x, y| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = ((state >> 24) as i32 - 128) / 2;
                let line = if x * 2 == y * 3 + 1 { 50 } else { 0 };
                if state % 11 == 0 { MISSING } else { (noise + line).min(120) as i8 }
            });
            let found = strongest(&values, 32.0).unwrap();
            let best = by_hand(&values, 32.0);
            assert!((found.snr - best).abs() < 1e-4, "{width}x{height}: {} {best}", found.snr);
        }
        assert_eq!(strongest(&Plane::filled(Size::new(30, 30), MISSING), 32.0), None);
    }
}
