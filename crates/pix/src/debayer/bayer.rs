//! Bayer arrays line by line, many pixels at a time.

use std::ops::Range;

use multiversion::multiversion;

use super::Debayer;
use super::taps::{Order, REACH};
use crate::warp::Window;
use crate::{CfaColor, CfaPattern, Size};

/// Rows and columns made at a time, so that what is made on the way stays in the processor's cache.
const TILE: (usize, usize) = (32, 1024);

/// Lines of a tile with a margin at each end, NaN where the frame has none.
pub(super) struct Lines {
    margin: usize,
    stride: usize,
    first: isize,
    samples: Vec<f32>,
}

impl Lines {
    pub(super) fn new(margin: usize) -> Self {
        Self { margin, stride: 0, first: 0, samples: Vec::new() }
    }

    /// Makes room for lines over `columns` columns, every sample missing.
    pub(super) fn clear(&mut self, lines: Range<isize>, columns: usize) {
        self.first = lines.start;
        self.stride = columns + 2 * self.margin;
        self.samples.clear();
        self.samples.resize(lines.len() * self.stride, f32::NAN);
    }

    /// Copies lines from a window; what is not finite is missing.
    fn copy(&mut self, (frame, size): (Window, Size), lines: Range<isize>, columns: &Range<usize>) {
        self.clear(lines.clone(), columns.len());
        // Margins that lie inside the frame are copied, too.
        let margin = self.margin;
        let left = columns.start.min(margin);
        let right = (columns.end + margin).min(size.width);
        for y in lines.start.max(0) as usize..(lines.end.max(0) as usize).min(size.height) {
            let line = (y - frame.first_row) * frame.width;
            let row = &frame.samples[line + columns.start - left..line + right];
            let to = &mut self.line_mut(y as isize)[margin - left..];
            copy_finite(row, to);
        }
    }

    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    pub(super) fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// Where a line begins.
    pub(super) fn start(&self, y: isize) -> usize {
        (y - self.first) as usize * self.stride
    }

    pub(super) fn line(&self, y: isize) -> &[f32] {
        let start = self.start(y);
        &self.samples[start..start + self.stride]
    }

    pub(super) fn line_mut(&mut self, y: isize) -> &mut [f32] {
        let start = self.start(y);
        &mut self.samples[start..start + self.stride]
    }
}

/// One row of the image: green, the other colour of the row, and the colour of the rows between.
struct Row<'a> {
    /// 1 where the row begins with the other colour, 0 where with green.
    green_at: usize,
    green: &'a mut [f32],
    here: &'a mut [f32],
    between: &'a mut [f32],
}

impl<'a> Row<'a> {
    fn new(cfa: CfaPattern, y: usize, [red, green, blue]: [&'a mut [f32]; 3]) -> Self {
        let green_at = usize::from(cfa.color(0, y) != CfaColor::Green);
        let red_here = cfa.color(1 - green_at, y) == CfaColor::Red;
        let (here, between) = if red_here { (red, blue) } else { (blue, red) };
        Self { green_at, green, here, between }
    }
}

/// Fills rows of the image, bilinear or directional, then mends by the plain rule what lacks a
/// neighbour.
pub(super) fn fill(
    debayer: &Debayer,
    (frame, size): (Window, Size),
    rows: Range<usize>,
    out: &mut [&mut [f32]; 3],
    directional: bool,
) {
    let width = size.width;
    let mut work = Work::new();
    for y0 in rows.clone().step_by(TILE.0) {
        let y1 = (y0 + TILE.0).min(rows.end);
        // Tiles begin at even columns, where the array does.
        for x0 in (0..width).step_by(TILE.1) {
            let columns = x0..(x0 + TILE.1).min(width);
            let cfa = directional.then_some(debayer.cfa);
            work.prepare((frame, size), y0 as isize..y1 as isize, &columns, cfa);
            for y in y0..y1 {
                let start = (y - rows.start) * width;
                let part = start + columns.start..start + columns.end;
                let row = Row::new(debayer.cfa, y, out.each_mut().map(|o| &mut o[part.clone()]));
                let samples = [-1, 0, 1].map(|d| inner(work.samples.line(y as isize + d)));
                if directional {
                    let green = [-1, 0, 1].map(|d| inner(work.green.line(y as isize + d)));
                    by_differences(samples, green, row);
                } else {
                    bilinear(samples, row);
                }
            }
        }
        for y in y0..y1 {
            let part = (y - rows.start) * width..(y - rows.start + 1) * width;
            for (channel, out) in out.iter_mut().enumerate() {
                debayer.plain.mend((frame, size), (y, channel), &mut out[part.clone()]);
            }
        }
    }
}

/// A line with one sample of its margins at each end.
fn inner(line: &[f32]) -> &[f32] {
    &line[REACH - 1..line.len() - (REACH - 1)]
}

/// What the rows of a strip are made from.
struct Work {
    samples: Lines,
    across: Lines,
    along: Lines,
    green: Lines,
    /// Of five lines each, across and along.
    sums: [Vec<f32>; 2],
}

impl Work {
    fn new() -> Self {
        let [samples, across, along, green] = [0; 4].map(|_| Lines::new(REACH));
        Self { samples, across, along, green, sums: [Vec::new(), Vec::new()] }
    }

    /// Samples, and for the directional method gradients and green, as far as a tile needs them.
    fn prepare(
        &mut self,
        frame: (Window, Size),
        strip: Range<isize>,
        columns: &Range<usize>,
        cfa: Option<CfaPattern>,
    ) {
        let beyond = |n: isize| strip.start - n..strip.end + n;
        let Some(cfa) = cfa else {
            self.samples.copy(frame, beyond(1), columns);
            return;
        };
        self.samples.copy(frame, beyond(REACH as isize), columns);
        self.across.clear(beyond(3), columns.len());
        self.along.clear(beyond(3), columns.len());
        for y in beyond(3) {
            let around = [-2, -1, 0, 1, 2].map(|d| self.samples.line(y + d));
            gradients(around, self.across.line_mut(y), self.along.line_mut(y));
        }
        self.green.clear(beyond(1), columns.len());
        for y in beyond(1) {
            // Where the row lies in the array, rows above the frame too.
            let row = (y + 2) as usize;
            let green_at = usize::from(cfa.color(0, row) != CfaColor::Green);
            let around = |l: &Lines, sum: &mut Vec<f32>| {
                sum.resize(l.stride, 0.0);
                sum_of_five([-2, -1, 0, 1, 2].map(|d| l.line(y + d)), sum);
            };
            around(&self.across, &mut self.sums[0]);
            around(&self.along, &mut self.sums[1]);
            let lines = [-3, -2, -1, 0, 1, 2, 3].map(|d| self.samples.line(y + d));
            green(green_at, lines, [&self.sums[0], &self.sums[1]], self.green.line_mut(y));
        }
    }
}

/// Copies samples; what is not finite is NaN.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn copy_finite(from: &[f32], to: &mut [f32]) {
    for (to, v) in to.iter_mut().zip(from) {
        *to = if v.abs() < f32::INFINITY { *v } else { f32::NAN };
    }
}

/// Red, green and blue as means of neighbours. Each line has one sample more at each end.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn bilinear([up, line, down]: [&[f32]; 3], row: Row<'_>) {
    let width = row.green.len();
    let (up, line, down) = (&up[..width + 2], &line[..width + 2], &down[..width + 2]);
    let (here, between) = (&mut row.here[..width], &mut row.between[..width]);
    for x in 0..width {
        let own = line[x + 1];
        let across = line[x] + line[x + 2];
        let along = up[x + 1] + down[x + 1];
        let corners = (up[x] + up[x + 2]) + (down[x] + down[x + 2]);
        let at_green = x & 1 == row.green_at;
        row.green[x] = if at_green { own } else { 0.25 * (across + along) };
        here[x] = if at_green { 0.5 * across } else { own };
        between[x] = if at_green { 0.5 * along } else { 0.25 * corners };
    }
}

/// How much changes across and along at each pixel: the slope, and the second difference of the
/// pixel's own colour. Written where lines reach two samples further.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn gradients([a, b, line, d, e]: [&[f32]; 5], across: &mut [f32], along: &mut [f32]) {
    let n = line.len() - 4;
    let (across, along) = (&mut across[2..n + 2], &mut along[2..n + 2]);
    let (a, b, d, e) = (&a[2..n + 2], &b[2..n + 2], &d[2..n + 2], &e[2..n + 2]);
    for x in 0..n {
        let twice = 2.0 * line[x + 2];
        across[x] = (line[x + 1] - line[x + 3]).abs() + (twice - line[x] - line[x + 4]).abs();
        along[x] = (b[x] - d[x]).abs() + (twice - a[x] - e[x]).abs();
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn sum_of_five([a, b, c, d, e]: [&[f32]; 5], sum: &mut [f32]) {
    let n = sum.len();
    let (a, b, c, d, e) = (&a[..n], &b[..n], &c[..n], &d[..n], &e[..n]);
    for x in 0..n {
        sum[x] = ((a[x] + b[x]) + (d[x] + e[x])) + c[x];
    }
}

/// Gradients along both axes count as different from here on, by their difference over their sum, and
/// one axis alone counts where they differ so much. Those of a round star do not: an axis that was
/// chosen there would be the one that sees less of it.
const DIRECTED: (f32, f32) = (0.6, 0.9);

/// How much of green goes by the row, from the gradients across and along; half where a gradient is
/// not known, on even ground and on stars.
#[inline(always)]
// A clamp would let no number through.
#[allow(clippy::manual_clamp)]
pub(super) fn share(across: f32, along: f32) -> f32 {
    let contrast = (along - across) / (along + across);
    // What is no number is 0 here.
    let beyond = ((contrast.abs() - DIRECTED.0) / (DIRECTED.1 - DIRECTED.0)).max(0.0).min(1.0);
    0.5 + 0.5 * beyond.copysign(contrast)
}

/// Green of a line: where it was not measured, what both directions say, by the gradients along them
/// in the 5x5 pixels around, whose columns are summed already.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn green(
    green_at: usize,
    [far_up, a, b, line, d, e, far_down]: [&[f32]; 7],
    [across, along]: [&[f32]; 2],
    out: &mut [f32],
) {
    // From one pixel before the frame's first column to one after its last.
    let n = line.len() - 8;
    let green_at = green_at ^ 1;
    let line = &line[1..n + 7];
    let [far_up, a, b, d, e, far_down] = [far_up, a, b, d, e, far_down].map(|l| &l[4..n + 4]);
    let [across, along] = [across, along].map(|l| &l[2..n + 6]);
    let out = &mut out[4..n + 4];
    let ([one, three], second) = Order::Fourth.bayer();
    for x in 0..n {
        let own = line[x + 3];
        let twice = own + own;
        let sum = |l: &[f32]| ((l[x] + l[x + 1]) + (l[x + 3] + l[x + 4])) + l[x + 2];
        let share = share(sum(across), sum(along));
        let by_row = one * (line[x + 2] + line[x + 4])
            + three * (line[x] + line[x + 6])
            + second * (twice - line[x + 1] - line[x + 5]);
        let by_column = one * (b[x] + d[x])
            + three * (far_up[x] + far_down[x])
            + second * (twice - a[x] - e[x]);
        let green = by_column + share * (by_row - by_column);
        out[x] = if x & 1 == green_at { own } else { green };
    }
}

/// Red and blue by their differences from green. Each line has one sample more at each end.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn by_differences(samples: [&[f32]; 3], green: [&[f32]; 3], row: Row<'_>) {
    let width = row.green.len();
    let [samples, green] = [samples, green].map(|l| l.map(|l| &l[..width + 2]));
    let (here, between) = (&mut row.here[..width], &mut row.between[..width]);
    let difference = |j: usize, x: usize| samples[j][x] - green[j][x];
    for x in 0..width {
        let own = samples[1][x + 1];
        let base = green[1][x + 1];
        let across = difference(1, x) + difference(1, x + 2);
        let along = difference(0, x + 1) + difference(2, x + 1);
        let corners =
            (difference(0, x) + difference(0, x + 2)) + (difference(2, x) + difference(2, x + 2));
        let at_green = x & 1 == row.green_at;
        row.green[x] = base;
        here[x] = if at_green { base + 0.5 * across } else { own };
        between[x] = base + if at_green { 0.5 * along } else { 0.25 * corners };
    }
}
