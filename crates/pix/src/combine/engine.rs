//! The way of a strip through the kernels: load, sort, judge, sum; and the queue of columns that
//! are not settled at first sight.

use std::ops::Range;

use multiversion::multiversion;

use super::load::{load_f32, load_u16, widen};
use super::sort::{sort_f32, sort_u16};
use super::spread::median_factor;
use super::weighted::{weighted_mean, weighted_means};
use super::{Allowance, Combine, Data, Outcome, Recipe, Samples};
use crate::reject::lanes::{Columns, Kept, LANES, Line, set_bits};
use crate::reject::{Fate, Judge};

/// Pixels of a line whose columns lend each other a scale.
const TILE: usize = 256;

/// With more frames than this, a tile of them is copied together before it is loaded by blocks:
/// that many streams of 64 or 128 bytes each are beyond what processors fetch ahead.
const MANY: usize = 48;

/// With more open lanes than this a block is worked on where it is; fewer wait in the queue for
/// company.
const FEW_OPEN: u32 = 8;

/// Memory that a worker keeps between strips.
#[derive(Debug, Default)]
pub struct Workspace {
    fresh: Vec<Columns>,
    floats: Vec<f32>,
    integers: Vec<u16>,
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
    let Workspace { fresh, floats, integers, keys, queue, pool, judge } = workspace;
    if !judge.serves(recipe.reject, count) {
        *judge = Judge::new(recipe.reject, count);
    }
    let pooling = judge.pools();
    let batch = if pooling { TILE / LANES } else { 1 };
    fresh.resize_with(batch.max(fresh.len()), Columns::default);
    for columns in fresh[..batch].iter_mut().chain([&mut *queue]) {
        columns.rows.resize(count.max(columns.rows.len()), Line([0.0; LANES]));
    }
    keys.resize(count, Line([0; LANES]));
    queue.truncate(0);
    queue.integers = true;

    let task = Task { samples, combine: recipe.combine, count };
    // Without a pool lines do not matter, and one run over the strip leaves one ragged end.
    let line = if pooling { samples.line } else { samples.width };
    let tiles = (0..samples.width).step_by(line).flat_map(|start| {
        (start..start + line).step_by(TILE).map(move |x| x..(x + TILE).min(start + line))
    });
    for tile in tiles {
        let near = Nearby::of(&samples, tile.clone(), floats, integers);
        for first in tile.clone().step_by(batch * LANES) {
            let last = (first + batch * LANES).min(tile.end);
            let blocks = (last - first).div_ceil(LANES);
            for (columns, x) in fresh.iter_mut().zip((first..last).step_by(LANES)) {
                task.fill(columns, keys, &near, x, (last - x).min(LANES));
                judge.start(columns);
                columns.refresh();
            }
            if pooling {
                let strays = judge.pool(&mut fresh[..blocks], samples.period, pool);
                for (block, columns) in fresh[..blocks].iter_mut().enumerate() {
                    if let Some(Allowance { range, share }) = samples.allowance {
                        let x = columns.pixel[0];
                        judge.allow(columns, &range[x..x + columns.used], share);
                    }
                    if strays & (1 << block) != 0 {
                        judge.take_strays(columns);
                    }
                }
            }
            for columns in &mut fresh[..blocks] {
                columns.open = judge.unsettled(columns);
                task.write(columns, out);
                while columns.open.count_ones() > FEW_OPEN {
                    task.round(columns, judge, out);
                }
                for lane in columns.open_lanes() {
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

/// The samples of a tile where loads by blocks find them.
struct Nearby<'a> {
    data: Data<'a>,
    width: usize,
    /// The pixel of the strip that the rows of `data` begin with.
    from: usize,
}

impl<'a> Nearby<'a> {
    fn of(
        samples: &Samples<'a>,
        pixels: Range<usize>,
        floats: &'a mut Vec<f32>,
        integers: &'a mut Vec<u16>,
    ) -> Self {
        fn gather<T: Copy>(data: &[T], width: usize, pixels: &Range<usize>, to: &mut Vec<T>) {
            to.clear();
            data.chunks_exact(width).for_each(|frame| to.extend(&frame[pixels.clone()]));
        }
        let width = samples.width;
        if samples.count() <= MANY {
            return Self { data: samples.data, width, from: 0 };
        }
        let data = match samples.data {
            Data::Float(data) => {
                gather(data, width, &pixels, floats);
                Data::Float(floats)
            }
            Data::Raw { data, missing_from } => {
                gather(data, width, &pixels, integers);
                Data::Raw { data: integers, missing_from }
            }
        };
        Self { data, width: pixels.len(), from: pixels.start }
    }
}

impl Task<'_> {
    /// Loads and sorts the columns of `lanes` pixels from `x` on.
    fn fill(
        &self,
        columns: &mut Columns,
        keys: &mut [Line<u16>],
        near: &Nearby,
        x: usize,
        lanes: usize,
    ) {
        let (width, at) = (near.width, x - near.from);
        let rows = &mut columns.rows[..self.count];
        columns.count = match near.data {
            Data::Float(data) => {
                let (count, integers) = load_f32(data, width, at, lanes, rows);
                columns.integers = integers;
                sort_f32(rows);
                count
            }
            Data::Raw { data, missing_from } => {
                let count = load_u16(data, width, at, lanes, missing_from, keys);
                sort_u16(keys);
                widen(keys, &count, rows);
                columns.integers = true;
                count
            }
        };
        columns.kept = Kept { lo: [0; LANES], hi: columns.count };
        columns.round = [0; LANES];
        columns.allowance = [0.0; LANES];
        columns.used = lanes;
        for lane in 0..LANES {
            columns.pixel[lane] = x + lane;
        }
    }

    /// Writes a fresh block as it is; what is not settled is written again later.
    fn write(&self, columns: &Columns, out: &mut Outcome) {
        let (x, n) = (columns.pixel[0], columns.used);
        write_rows(columns, self.combine == Combine::Median, x..x + n, out);
        self.weigh(columns, u32::MAX >> (LANES - n), out);
    }

    /// A round over the queue, and the columns that it settled taken out.
    fn work(&self, queue: &mut Columns, judge: &mut Judge, out: &mut Outcome) {
        queue.open = u32::MAX >> (LANES - queue.used);
        self.round(queue, judge, out);
        let mut used = 0;
        for lane in queue.open_lanes() {
            queue.shift(used, lane, self.count);
            used += 1;
        }
        queue.truncate(used);
    }

    /// A round over the open lanes; those that it settled are written and closed.
    fn round(&self, columns: &mut Columns, judge: &mut Judge, out: &mut Outcome) {
        let before = columns.kept;
        let fates = judge.narrow(columns);
        // The sums are still those of the columns before the round.
        let after = std::mem::replace(&mut columns.kept, before);
        let (value, variance) = finish(columns, self.combine == Combine::Median);
        let (mut narrowed, mut judged) = (0, 0);
        for lane in columns.open_lanes() {
            match fates[lane] {
                Fate::Judged => {
                    emit(columns, lane, value[lane], variance[lane], out);
                    judged |= 1 << lane;
                }
                Fate::AllRejected { low } => {
                    let (x, n) = (columns.pixel[lane], columns.kept.len(lane));
                    let low = columns.kept.lo[lane] + low as i32;
                    out.value[x] = columns.median[lane] as f32;
                    let factor = median_factor(n) / n as f64;
                    out.variance[x] = (columns.variance[lane] * factor) as f32;
                    out.kept[x] = 0;
                    out.low[x] = low as u16;
                    out.high[x] = (columns.count[lane] - low) as u16;
                }
                Fate::Narrowed => narrowed |= 1 << lane,
            }
        }
        self.weigh(columns, judged, out);
        columns.kept = after;
        columns.open = narrowed;
        if narrowed == 0 {
            return;
        }
        columns.refresh();
        let open = judge.unsettled(columns) & narrowed;
        let (value, variance) = finish(columns, self.combine == Combine::Median);
        for lane in set_bits(narrowed & !open) {
            emit(columns, lane, value[lane], variance[lane], out);
        }
        self.weigh(columns, narrowed & !open, out);
        columns.open = open;
    }

    /// Puts the weighted means of `lanes`, a bit each, in the place of the means, where means are weighted.
    fn weigh(&self, columns: &Columns, lanes: u32, out: &mut Outcome) {
        let Some(weights) = self.samples.weights.filter(|_| self.combine == Combine::WeightedMean)
        else {
            return;
        };
        let means = weighted_means(&self.samples, weights, columns, lanes);
        for lane in set_bits(lanes) {
            let kept = columns.kept.len(lane);
            if kept == 0 {
                continue;
            }
            let (mean, variance) = if means.within[lane] as usize > kept {
                weighted_mean(&self.samples, weights, columns, lane)
            } else {
                (means.mean[lane], means.variance[lane])
            };
            let x = columns.pixel[lane];
            out.value[x] = mean as f32;
            out.variance[x] = if kept > 1 { variance as f32 } else { f32::NAN };
        }
    }
}

/// Writes one settled column.
fn emit(columns: &Columns, lane: usize, value: f32, variance: f32, out: &mut Outcome) {
    let x = columns.pixel[lane];
    out.value[x] = value;
    out.variance[x] = variance;
    out.kept[x] = columns.kept.len(lane) as u16;
    out.low[x] = columns.kept.lo[lane] as u16;
    out.high[x] = (columns.count[lane] - columns.kept.hi[lane]) as u16;
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
