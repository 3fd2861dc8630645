//! A frame's background in bins: what a faint trail is looked for in.

use std::ops::Range;

use multiversion::multiversion;

use serde::{Deserialize, Serialize};

use crate::align::Point;
use crate::stars::{Mesh, Star};
use crate::stat::{MAD_TO_SIGMA, median_mad};
use crate::{MaskBits, Plane, Size};

/// Bins along the longer side of a frame at most.
pub(super) const MOST: usize = 512;

/// Fewest pixels along the side of a bin: about the width of a trail.
const LEAST_PX: usize = 4;

/// Sigmas at which a sample is cut off, so that what hits few pixels is little in a bin.
const CLIP: f32 = 3.0;

/// Robust sigmas at which a bin is cut off, so that no few bins make a line.
const BIN_CLIP: f32 = 3.0;

/// One bin of so many tells what level and noise are usual.
const SAMPLED: usize = 3;

/// Bins to either side of those that a bin is compared with: about a cell of the mesh, whose own
/// structure is no line's.
const AROUND: usize = 5;

/// Steps of a stored bin in one sigma.
pub(super) const STEPS: f32 = 32.0;

/// Fewest bins that make a line.
pub(super) const FEWEST: usize = 16;

/// What a bin holds of which nothing is known.
pub(super) const MISSING: i8 = i8::MIN;

/// Stars as round as this are left out; a piece of a trail that was taken for one is longer.
const ROUND: f64 = 0.6;

/// Full widths at half maximum within which a star no brighter than the noise is left out.
const REACH_FWHM: f64 = 0.8;

/// Pixels that say nothing of the sky. A saturated one does: there is much light.
pub(super) const UNFIT: MaskBits = MaskBits::BAD.difference(MaskBits::SATURATED);

/// The background of a frame in square bins, each against those around it, in units of the noise
/// of bins there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bins {
    side: usize,
    /// In steps of 1/32 sigma.
    values: Plane<i8>,
}

/// Bins as they were measured, in units of what independent samples let expect; NaN where nothing
/// is known.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    side: usize,
    sums: Plane<f32>,
}

impl Measured {
    /// Sums samples over their background into bins; non-finite samples do not count, and bins that
    /// a star reaches are left out. Of few samples that are masked nothing is felt, they are cut
    /// off; lines of them are seen through when the frame itself is looked at.
    pub(super) fn of(data: &Plane<f32>, mesh: &Mesh, stars: &[Star], fwhm_px: f64) -> Self {
        let frame = data.size();
        let side = frame.width.max(frame.height).div_ceil(MOST).max(LEAST_PX);
        let size = Size::new((frame.width / side).max(1), (frame.height / side).max(1));
        let mut sums = Plane::filled(size, f32::NAN);
        let width = frame.width;
        let mut rows = Rows {
            level: vec![0.0; width],
            least: vec![0.0; width],
            sum: vec![0.0; width],
            count: vec![0.0; width],
        };
        if frame.width >= side && frame.height >= side {
            for j in 0..size.height {
                let lines = j * side..(j + 1) * side;
                add_lines(data, mesh, lines, &mut rows);
                let parts = rows.sum.chunks_exact(side).zip(rows.count.chunks_exact(side));
                for (bin, (sum, count)) in sums.row_mut(j).iter_mut().zip(parts) {
                    let (sum, count): (f32, f32) = (sum.iter().sum(), count.iter().sum());
                    if 2.0 * count >= (side * side) as f32 {
                        *bin = sum / count.sqrt();
                    }
                }
            }
        }
        let mut out = Self { side, sums };
        for star in stars.iter().filter(|s| s.roundness >= ROUND) {
            out.leave_out_star(star, mesh, fwhm_px);
        }
        out
    }

    /// Leaves out the bins that a star's light reaches: wings fall at least as the fourth power of
    /// the radius.
    fn leave_out_star(&mut self, star: &Star, mesh: &Mesh, fwhm_px: f64) {
        let peak = star.peak / mesh.sigma_at(star.x, star.y);
        let radius = REACH_FWHM * fwhm_px * peak.max(1.0).powf(0.25);
        let bins = |from: f64, end: usize| {
            let on = |v: f64| ((v + 0.5) / self.side as f64).clamp(0.0, end as f64);
            on(from - radius) as usize..(on(from + radius) as usize + 1).min(end)
        };
        let (columns, rows) = (bins(star.x, self.size().width), bins(star.y, self.size().height));
        for j in rows {
            self.sums.row_mut(j)[columns.clone()].fill(f32::NAN);
        }
    }

    pub(super) fn size(&self) -> Size {
        self.sums.size()
    }

    pub(super) fn side(&self) -> usize {
        self.side
    }

    /// Whether a bin says something.
    pub(super) fn knows(&self, i: usize, j: usize) -> bool {
        self.sums.get(i, j).is_finite()
    }

    /// Leaves a bin out.
    pub(super) fn leave_out(&mut self, i: usize, j: usize) {
        self.sums.set(i, j, f32::NAN);
    }

    /// Each bin against those around it, in units of the noise there.
    pub(super) fn compared(&self) -> Bins {
        let size = self.size();
        let some = self.sums.as_slice().iter().step_by(SAMPLED).copied();
        let known: Vec<f32> = some.filter(|v| v.is_finite()).collect();
        let (level, mad) = median_mad(&known);
        let sigma = (MAD_TO_SIGMA as f32 * mad).max(f32::MIN_POSITIVE);
        let reach = BIN_CLIP * sigma;
        let zeros = || Plane::filled(size, 0.0f32);
        let (mut there, mut values, mut squares) = (zeros(), zeros(), zeros());
        let each = there.as_mut_slice().iter_mut().zip(values.as_mut_slice());
        for ((there, value), sum) in each.zip(self.sums.as_slice()) {
            if sum.is_finite() {
                *there = 1.0;
                *value = (sum - level).clamp(-reach, reach);
            }
        }
        let (count, mean) = (around(&there), around(&values));
        let about = || count.as_slice().iter().zip(there.as_slice());
        let each = values.as_mut_slice().iter_mut().zip(squares.as_mut_slice());
        for ((value, square), (mean, (count, there))) in
            each.zip(mean.as_slice().iter().zip(about()))
        {
            *value = (*value - mean / count.max(1.0)) * there;
            *square = *value * *value;
        }
        let squares = around(&squares);
        let mut stored = Plane::filled(size, MISSING);
        let each = stored.as_mut_slice().iter_mut().zip(values.as_slice());
        for ((stored, value), (square, (count, there))) in
            each.zip(squares.as_slice().iter().zip(about()))
        {
            let noise = (square / count.max(1.0)).sqrt().max(sigma);
            let steps = (value / noise).clamp(-BIN_CLIP, BIN_CLIP) * STEPS;
            // Rounded down from a positive number.
            let steps = (steps + 128.5) as i32 - 128;
            *stored = if *there > 0.0 { steps as i8 } else { MISSING };
        }
        Bins { side: self.side, values: stored }
    }
}

/// Sums down the columns of one row of bins, and what they are made with.
struct Rows {
    level: Vec<f32>,
    least: Vec<f32>,
    sum: Vec<f32>,
    count: Vec<f32>,
}

fn add_lines(data: &Plane<f32>, mesh: &Mesh, lines: Range<usize>, rows: &mut Rows) {
    // Background and noise change little over the height of a bin.
    let middle = (lines.start + lines.end) / 2;
    mesh.level_row(middle, &mut rows.level);
    mesh.sigma_row(middle, &mut rows.least);
    rows.least.iter_mut().for_each(|sigma| *sigma = 1.0 / sigma.max(f32::MIN_POSITIVE));
    rows.sum.fill(0.0);
    rows.count.fill(0.0);
    for y in lines {
        let background = (&rows.level[..], &rows.least[..]);
        add_line(data.row(y), background, &mut rows.sum, &mut rows.count);
    }
}

/// Adds a line of samples over their level, in units of the noise and cut off.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add_line(
    data: &[f32],
    (level, per_sigma): (&[f32], &[f32]),
    sum: &mut [f32],
    count: &mut [f32],
) {
    let n = sum.len();
    let (data, level, per_sigma) = (&data[..n], &level[..n], &per_sigma[..n]);
    let count = &mut count[..n];
    for x in 0..n {
        let good = data[x].abs() < f32::INFINITY;
        let v = (data[x] - level[x]) * per_sigma[x];
        let v = if v < CLIP { v } else { CLIP };
        let v = if v > -CLIP { v } else { -CLIP };
        sum[x] += if good { v } else { 0.0 };
        count[x] += if good { 1.0 } else { 0.0 };
    }
}

/// Sums over the square around each sample. Where the rim is nearer than its sides, it reaches as
/// far to the other side, so that a slope stays out of differences from the mean.
fn around(plane: &Plane<f32>) -> Plane<f32> {
    let Size { width, height } = plane.size();
    let mut down = vec![0.0f32; width];
    let mut out = Plane::filled(plane.size(), 0.0f32);
    let reach = |at: usize, end: usize| AROUND.min(at).min(end - 1 - at);
    for y in 0..height {
        down.fill(0.0);
        let far = reach(y, height);
        for row in y - far..=y + far {
            add_row(&mut down, plane.row(row));
        }
        let to = out.row_mut(y);
        let inner = AROUND.min(width)..width.saturating_sub(AROUND).max(AROUND.min(width));
        if !inner.is_empty() {
            add_neighbours(&down, &mut to[inner.clone()]);
        }
        for x in (0..inner.start).chain(inner.end..width) {
            let far = reach(x, width);
            to[x] = down[x - far..=x + far].iter().sum();
        }
    }
    out
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add_row(to: &mut [f32], from: &[f32]) {
    for (t, f) in to.iter_mut().zip(from) {
        *t += f;
    }
}

/// Sums of each number of a line and those around it, where a line reaches so far beyond on both
/// sides.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add_neighbours(line: &[f32], out: &mut [f32]) {
    for shift in 0..=2 * AROUND {
        for (o, v) in out.iter_mut().zip(&line[shift..]) {
            *o += v;
        }
    }
}

impl Bins {
    /// The values, in steps; [`MISSING`] where nothing is known.
    pub(super) fn values(&self) -> &Plane<i8> {
        &self.values
    }

    /// The middle of a bin in pixels of the frame.
    pub(super) fn middle(&self, i: f64, j: f64) -> Point {
        let on = |v: f64| (v + 0.5) * self.side as f64 - 0.5;
        Point::new(on(i), on(j))
    }

    /// Pixels along the side of a bin.
    pub fn side(&self) -> usize {
        self.side
    }

    /// How far what lies along a path of pixels stands out of the noise, in sigma: the sum of its
    /// bins, each once, over the root of their number. `None` where too few of them are known.
    pub fn along(&self, path: impl Iterator<Item = Point>) -> Option<f64> {
        let (mut sum, mut count, mut last) = (0i64, 0u32, None);
        for at in path {
            let on = |v: f64| ((v + 0.5) / self.side as f64).floor();
            let (i, j) = (on(at.x), on(at.y));
            let inside = i >= 0.0
                && j >= 0.0
                && i < self.values.width() as f64
                && j < self.values.height() as f64;
            if !inside || last == Some((i, j)) {
                continue;
            }
            last = Some((i, j));
            let value = self.values.get(i as usize, j as usize);
            if value != MISSING {
                sum += i64::from(value);
                count += 1;
            }
        }
        let enough = count as usize >= FEWEST;
        enough.then(|| sum as f64 / f64::from(STEPS) / f64::from(count).sqrt())
    }
}
