//! The band of a frame about a line, straightened: samples by how far along and how far aside they
//! lie.

use std::ops::Range;

use super::Trail;
use super::bins::{Measured, UNFIT};
use crate::align::Point;
use crate::stars::Mesh;
use crate::{MaskBits, Plane};

/// Pixels along a line whose samples are summed: shorter than what a trail is told from noise by.
pub(super) const SECTION_PX: f64 = 16.0;

/// Sigmas at which a sample is cut off: stars and hits stay small beside the wings of a trail.
const CLIP: f32 = 4.0;

/// What a trail is measured on.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub data: &'a Plane<f32>,
    pub mask: &'a Plane<MaskBits>,
    pub mesh: &'a Mesh,
    /// Bins that are left out are not looked at.
    pub bins: &'a Measured,
}

/// Samples in units of the noise, over their background.
#[derive(Debug, Clone)]
pub(super) struct Band {
    /// How far aside it reaches, in pixels.
    pub reach: usize,
    /// Sections along the line.
    pub sections: usize,
    /// Sums of samples that were cut off, of all before an offset; section by section.
    sums: Vec<Sum>,
    /// Sums of samples as they are.
    whole: Vec<f32>,
}

/// The background and the noise along a section, across the band.
struct Ground {
    middle: f64,
    /// How it changes a pixel to either side.
    slopes: [f64; 2],
    per_sigma: f32,
}

impl Ground {
    fn level(&self, aside: f64) -> f32 {
        (self.middle + aside * self.slopes[usize::from(aside > 0.0)]) as f32
    }
}

impl Band {
    /// The samples within `reach` of the straight line between two points.
    pub(super) fn of(view: View<'_>, from: Point, to: Point, reach: usize) -> Self {
        let length = from.distance(to);
        let sections = (length / SECTION_PX).ceil().max(1.0) as usize;
        let (ux, uy) = ((to.x - from.x) / length, (to.y - from.y) / length);
        let across = 2 * reach + 1;
        let aside = |t: f64, d: f64| (from.x + t * ux - d * uy, from.y + t * uy + d * ux);
        let ground: Vec<Ground> = (0..sections)
            .map(|s| {
                let level = |d: f64| {
                    let (x, y) = aside((s as f64 + 0.5) * SECTION_PX, d);
                    view.mesh.level_at(x, y)
                };
                let (far, middle) = (reach as f64, level(0.0));
                let slopes = [(middle - level(-far)) / far, (level(far) - middle) / far];
                let (x, y) = aside((s as f64 + 0.5) * SECTION_PX, 0.0);
                let per_sigma = 1.0 / view.mesh.sigma_at(x, y).max(f64::from(f32::MIN_POSITIVE));
                Ground { middle, slopes, per_sigma: per_sigma as f32 }
            })
            .collect();
        // Samples cut off, their number, and as they are.
        let mut cells = vec![[0.0f32; 3]; sections * across];
        let (size, side) = (view.data.size(), view.bins.side());
        let bins = view.bins.size();
        let strip = Trail::straight(from, to, reach as f64);
        strip.spans(0..size.height, size.width, |y, columns| {
            let (data, mask) = (view.data.row(y), view.mask.row(y));
            let mut x = columns.start;
            while x < columns.end {
                let end = ((x / side + 1) * side).min(columns.end);
                let (i, j) = (x / side, y / side);
                if i < bins.width && j < bins.height && !view.bins.knows(i, j) {
                    x = end;
                    continue;
                }
                let (dx, dy) = (x as f64 - from.x, y as f64 - from.y);
                let (t, d) = (dx * ux + dy * uy, dy * ux - dx * uy);
                // Background and noise change little over the width of a bin.
                let half = 0.5 * (end - x) as f64;
                let middle = (t + half * ux).max(0.0) * (1.0 / SECTION_PX);
                let ground = &ground[(middle as usize).min(sections - 1)];
                let (level, per_sigma) = (ground.level(d - half * uy), ground.per_sigma);
                for (k, (&v, m)) in data[x..end].iter().zip(&mask[x..end]).enumerate() {
                    let k = k as i32 as f64;
                    let (t, d) = (t + k * ux, d - k * uy);
                    if !v.is_finite() || m.intersects(UNFIT) || t < 0.0 || t >= length {
                        continue;
                    }
                    // Both are positive, and small.
                    let s = (t * (1.0 / SECTION_PX)) as i32 as usize;
                    let offset = ((d + (reach as f64 + 0.5)) as i32).max(0) as usize;
                    let v = (v - level) * per_sigma;
                    let cell = &mut cells[s.min(sections - 1) * across + offset.min(across - 1)];
                    cell[0] += v.clamp(-CLIP, CLIP);
                    cell[1] += 1.0;
                    cell[2] += v;
                }
                x = end;
            }
        });
        let mut sums = Vec::with_capacity(sections * (across + 1));
        for part in cells.chunks_exact(across) {
            let mut sum = Sum::default();
            sums.push(sum);
            sums.extend(part.iter().map(|[v, n, _]| {
                sum += Sum { sum: f64::from(*v), count: f64::from(*n) };
                sum
            }));
        }
        let whole = cells.iter().map(|[_, _, v]| *v).collect();
        Self { reach, sections, sums, whole }
    }

    /// Sum and count of a section's samples between two offsets from the line, both included and
    /// held within the band.
    pub(super) fn sum(&self, section: usize, low: i64, high: i64) -> Sum {
        let across = 2 * self.reach + 1;
        let at = |offset: i64| {
            let inside = (offset + self.reach as i64).clamp(0, across as i64) as usize;
            section * (across + 1) + inside
        };
        let (a, b) = (at(low), at(high + 1));
        if a >= b {
            return Sum::default();
        }
        self.sums[b] - self.sums[a]
    }

    /// The mean of a section's samples as they are, between two offsets.
    pub(super) fn whole_mean(&self, section: usize, low: i64, high: i64) -> Option<f64> {
        let Sum { count, .. } = self.sum(section, low, high);
        let across = 2 * self.reach + 1;
        let offsets = low.max(-(self.reach as i64))..=high.min(self.reach as i64);
        let at = |o: i64| section * across + (o + self.reach as i64) as usize;
        let sum: f64 = offsets.map(|o| f64::from(self.whole[at(o)])).sum();
        (count > 0.0).then(|| sum / count)
    }

    /// The samples of a section, all together.
    pub(super) fn section(&self, section: usize) -> Sum {
        let reach = self.reach as i64;
        self.sum(section, -reach, reach)
    }

    /// Sections that hold samples: the first, and one past the last.
    pub(super) fn filled(&self) -> Range<usize> {
        let filled = |s: &usize| self.section(*s).count > 0.0;
        let first = (0..self.sections).find(filled).unwrap_or(0);
        let last = (0..self.sections).rev().find(filled).map_or(first, |s| s + 1);
        first..last
    }
}

/// Samples summed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sum {
    pub sum: f64,
    pub count: f64,
}

impl Sum {
    pub(super) fn mean(self) -> f64 {
        self.sum / self.count
    }
}

impl std::ops::AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
    }
}

impl std::ops::Sub for Sum {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { sum: self.sum - other.sum, count: self.count - other.count }
    }
}
