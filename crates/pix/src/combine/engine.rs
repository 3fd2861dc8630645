//! The way of a strip through the kernels: load, sort, judge, sum; and the queue of columns that
//! are not settled at first sight.

use std::ops::Range;

use multiversion::multiversion;

use super::load::{load_f32, load_u16, widen};
use super::sort::{sort_f32, sort_u16};
use super::spread::median_factor;
use super::weighted::weighted_mean;
use super::{Combine, Data, Outcome, Recipe, Samples};
use crate::reject::lanes::{Columns, Kept, LANES, Line};
use crate::reject::{Fate, Judge};

/// Pixels of a line whose columns lend each other a scale.
const TILE: usize = 256;

/// Memory that a worker keeps between strips.
#[derive(Debug, Default)]
pub struct Workspace {
    fresh: Vec<Columns>,
    keys: Vec<Line<u16>>,
    queue: Columns,
    pool: Vec<f64>,
    judge: Judge,
}

/// What does not change over a strip.
struct Task<'a> {
    samples: Samples<'a>,
    combine: Combine,
    count: usize,
}

pub(super) fn run(samples: Samples, recipe: Recipe, workspace: &mut Workspace, out: &mut Outcome) {
    let count = samples.count();
    let Workspace { fresh, keys, queue, pool, judge } = workspace;
    if !judge.serves(recipe.reject, count) {
        *judge = Judge::new(recipe.reject, count);
    }
    let pooling = judge.pools();
    let blocks = if pooling { TILE / LANES } else { 1 };
    fresh.resize_with(blocks.max(fresh.len()), Columns::default);
    for columns in fresh[..blocks].iter_mut().chain([&mut *queue]) {
        columns.rows.resize(count.max(columns.rows.len()), Line([0.0; LANES]));
    }
    keys.resize(count, Line([0; LANES]));
    queue.truncate(0);
    queue.integers = true;

    let task = Task { samples, combine: recipe.combine, count };
    // Without a pool lines do not matter, and one run over the strip leaves one ragged end.
    let (line, tile) = if pooling { (samples.line, TILE) } else { (samples.width, LANES) };
    for start in (0..samples.width).step_by(line) {
        for x in (start..start + line).step_by(tile) {
            let end = (x + tile).min(start + line);
            let mut used = 0;
            for (columns, x) in fresh.iter_mut().zip((x..end).step_by(LANES)) {
                task.fill(columns, keys, x, (end - x).min(LANES));
                judge.start(columns);
                columns.refresh();
                used += 1;
            }
            if pooling {
                pool.clear();
                fresh[..used].iter().for_each(|columns| judge.offer(columns, pool));
                let scale = judge.pooled(pool).unwrap_or(f64::NAN);
                fresh[..used].iter_mut().for_each(|columns| columns.scale = [scale; LANES]);
            }
            for columns in &fresh[..used] {
                let mut open = judge.unsettled(columns);
                task.write(columns, out);
                while open != 0 {
                    let lane = open.trailing_zeros() as usize;
                    open &= open - 1;
                    while queue.used == LANES {
                        task.work(queue, judge, out);
                    }
                    queue.take(queue.used, columns, lane, count);
                    queue.used += 1;
                }
            }
        }
    }
    while queue.used > 0 {
        task.work(queue, judge, out);
    }
}

impl Task<'_> {
    /// Loads and sorts the columns of `lanes` pixels from `x` on.
    fn fill(&self, columns: &mut Columns, keys: &mut [Line<u16>], x: usize, lanes: usize) {
        let width = self.samples.width;
        let rows = &mut columns.rows[..self.count];
        columns.count = match self.samples.data {
            Data::Float(data) => {
                let (count, integers) = load_f32(data, width, x, lanes, rows);
                columns.integers = integers;
                sort_f32(rows);
                count
            }
            Data::Raw { data, missing_from } => {
                let count = load_u16(data, width, x, lanes, missing_from, keys);
                sort_u16(keys);
                widen(keys, &count, rows);
                columns.integers = true;
                count
            }
        };
        columns.kept = Kept { lo: [0; LANES], hi: columns.count };
        columns.round = [0; LANES];
        columns.used = lanes;
        for lane in 0..LANES {
            columns.pixel[lane] = x + lane;
        }
    }

    /// Writes a fresh block as it is; what is not settled is written again later.
    fn write(&self, columns: &Columns, out: &mut Outcome) {
        let (x, n) = (columns.pixel[0], columns.used);
        write_rows(columns, self.combine == Combine::Median, x..x + n, out);
        if self.combine == Combine::WeightedMean {
            (0..n).for_each(|lane| self.weigh(columns, lane, out));
        }
    }

    /// A round over the queue, and the columns that it settled written and taken out.
    fn work(&self, queue: &mut Columns, judge: &mut Judge, out: &mut Outcome) {
        let before = queue.kept;
        let fates = judge.narrow(queue);
        // The sums are still those of the columns before the round.
        let after = std::mem::replace(&mut queue.kept, before);
        let (value, variance) = finish(queue, self.combine == Combine::Median);
        for lane in 0..queue.used {
            match fates[lane] {
                Fate::Judged => self.emit(queue, lane, value[lane], variance[lane], out),
                Fate::AllRejected { low } => {
                    let (x, n) = (queue.pixel[lane], queue.kept.len(lane));
                    let low = queue.kept.lo[lane] + low as i32;
                    out.value[x] = queue.median[lane] as f32;
                    let factor = median_factor(n) / n as f64;
                    out.variance[x] = (queue.variance[lane] * factor) as f32;
                    out.kept[x] = 0;
                    out.low[x] = low as u16;
                    out.high[x] = (queue.count[lane] - low) as u16;
                }
                Fate::Narrowed => {}
            }
        }
        queue.kept = after;
        self.compact(queue, |lane| fates[lane] == Fate::Narrowed);
        if queue.used == 0 {
            return;
        }
        queue.refresh();
        let open = judge.unsettled(queue);
        let (value, variance) = finish(queue, self.combine == Combine::Median);
        for lane in 0..queue.used {
            if open >> lane & 1 == 0 {
                self.emit(queue, lane, value[lane], variance[lane], out);
            }
        }
        self.compact(queue, |lane| open >> lane & 1 == 1);
    }

    /// Writes one settled column.
    fn emit(&self, columns: &Columns, lane: usize, value: f32, variance: f32, out: &mut Outcome) {
        let x = columns.pixel[lane];
        out.value[x] = value;
        out.variance[x] = variance;
        out.kept[x] = columns.kept.len(lane) as u16;
        out.low[x] = columns.kept.lo[lane] as u16;
        out.high[x] = (columns.count[lane] - columns.kept.hi[lane]) as u16;
        if self.combine == Combine::WeightedMean {
            self.weigh(columns, lane, out);
        }
    }

    /// Puts the weighted mean in the place of the mean.
    fn weigh(&self, columns: &Columns, lane: usize, out: &mut Outcome) {
        if columns.kept.len(lane) == 0 {
            return;
        }
        let Some(weights) = self.samples.weights else { return };
        let (mean, share) = weighted_mean(&self.samples, weights, columns, lane);
        let x = columns.pixel[lane];
        out.value[x] = mean as f32;
        let enough = columns.kept.len(lane) > 1;
        out.variance[x] = if enough { (columns.variance[lane] * share) as f32 } else { f32::NAN };
    }

    /// Keeps the lanes that `stays` names, moved to the front.
    fn compact(&self, queue: &mut Columns, stays: impl Fn(usize) -> bool) {
        let mut used = 0;
        for lane in 0..queue.used {
            if stays(lane) {
                queue.shift(used, lane, self.count);
                used += 1;
            }
        }
        queue.truncate(used);
    }
}

/// The results of a block at `pixels` of the strip.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn write_rows(columns: &Columns, median: bool, pixels: Range<usize>, out: &mut Outcome) {
    let (value, variance) = finish_rows(columns, median);
    let (mut kept, mut low, mut high) = ([0u16; LANES], [0u16; LANES], [0u16; LANES]);
    for lane in 0..LANES {
        kept[lane] = (columns.kept.hi[lane] - columns.kept.lo[lane]) as u16;
        low[lane] = columns.kept.lo[lane] as u16;
        high[lane] = (columns.count[lane] - columns.kept.hi[lane]) as u16;
    }
    put(&mut out.value[pixels.clone()], &value);
    put(&mut out.variance[pixels.clone()], &variance);
    put(&mut out.kept[pixels.clone()], &kept);
    put(&mut out.low[pixels.clone()], &low);
    put(&mut out.high[pixels], &high);
}

/// Copies a block, or what is wanted of it.
#[inline(always)]
fn put<T: Copy>(to: &mut [T], from: &[T; LANES]) {
    match <&mut [T; LANES]>::try_from(&mut *to) {
        // Of a length known here, so that it is done in registers.
        Ok(whole) => *whole = *from,
        Err(_) => to.copy_from_slice(&from[..to.len()]),
    }
}

/// Value and variance of each column from its sums.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn finish(columns: &Columns, median: bool) -> ([f32; LANES], [f32; LANES]) {
    finish_rows(columns, median)
}

#[inline(always)]
fn finish_rows(columns: &Columns, median: bool) -> ([f32; LANES], [f32; LANES]) {
    let (mut value, mut variance) = ([0.0; LANES], [0.0; LANES]);
    if median {
        let mut factor = [1.0; LANES];
        for lane in 0..LANES {
            factor[lane] = if lane > 0 && columns.n[lane] == columns.n[lane - 1] {
                factor[lane - 1]
            } else {
                median_factor(columns.kept.len(lane))
            };
        }
        for lane in 0..LANES {
            let n = columns.n[lane];
            value[lane] = if n > 0.0 { columns.median[lane] as f32 } else { f32::NAN };
            let v = columns.variance[lane] * factor[lane] * columns.per_n[lane];
            variance[lane] = if n > 1.0 { v as f32 } else { f32::NAN };
        }
    } else {
        for lane in 0..LANES {
            let n = columns.n[lane];
            let mean = columns.median[lane] + columns.sum[lane] * columns.per_n[lane];
            value[lane] = if n > 0.0 { mean as f32 } else { f32::NAN };
            let v = columns.variance[lane] * columns.per_n[lane];
            variance[lane] = if n > 1.0 { v as f32 } else { f32::NAN };
        }
    }
    (value, variance)
}
