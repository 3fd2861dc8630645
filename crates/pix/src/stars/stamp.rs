//! The pixels about a star, and sums over them.

// Loops over columns index several rows at once; a zip of five would say less.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use multiversion::multiversion;

use crate::stat::median_in_place;
use crate::{MaskBits, Plane};

/// Pixels from the middle that a stamp reaches at most: what the widest profile asks for.
pub(super) const REACH: usize = 31;

/// Columns of the widest stamp.
const SIDE: usize = 64;

/// Columns that are worked on together.
const LANES: usize = 8;

/// A level is told by at least so many samples.
const LEAST_BEYOND: usize = 24;

/// The error of a median of normal samples over that of their mean.
const MEDIAN_ERROR: f64 = 1.2533;

/// One number a column.
type Columns = [f64; SIDE];

/// Sums of samples under a Gaussian window, times the distance from its centre and its square.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    pub sum: f64,
    pub x: f64,
    pub y: f64,
    pub xx: f64,
    pub yy: f64,
    pub xy: f64,
}

/// Whether a pixel's sample is not a star's own light: masked, or repaired. Colours that an array leaves out are
/// interpolated and no defects.
pub(super) fn is_unfit(mask: MaskBits) -> bool {
    mask.intersects(MaskBits::BAD) || mask.contains(MaskBits::SUSPECT.union(MaskBits::INTERPOLATED))
}

/// Steps to each side within which the pixels lie that foretell a lost one.
const BESIDE: usize = 2;

/// The pixels about a star above the background; those that are no good are 0.
#[derive(Debug)]
pub(super) struct Stamp {
    x0: f64,
    y0: f64,
    width: usize,
    /// A whole number of lanes, more than the width where that is none.
    stride: usize,
    samples: Vec<f64>,
    /// Where samples near the middle are not the star's light, column and row: all that are unfit but for
    /// saturated ones.
    lost: Vec<(usize, usize)>,
    /// Whether each sample is one of them; empty where there are none.
    is_lost: Vec<bool>,
}

impl Stamp {
    /// The pixels in a region of at most 63 columns; what is lost within `radius` of `centre` may be made up.
    pub(super) fn of(
        data: &Plane<f32>,
        mask: &Plane<MaskBits>,
        (columns, rows): (Range<usize>, Range<usize>),
        (centre, radius): ((usize, usize), f64),
        background: f64,
    ) -> Self {
        let (width, stride) = (columns.len(), columns.len().next_multiple_of(LANES));
        let (mut samples, mut lost) = (vec![0.0; stride * rows.len()], Vec::new());
        for ((row, out), y) in samples.chunks_exact_mut(stride).enumerate().zip(rows.clone()) {
            let (from, bits) = (&data.row(y)[columns.clone()], &mask.row(y)[columns.clone()]);
            let mut all = MaskBits::empty();
            for ((o, v), m) in out.iter_mut().zip(from).zip(bits) {
                let good = v.is_finite() & !m.intersects(MaskBits::BAD);
                *o = if good { f64::from(*v) - background } else { 0.0 };
                all |= *m;
            }
            if is_unfit(all) {
                let is_lost = |x: usize, m: MaskBits| {
                    let away = (x as f64 - centre.0 as f64).hypot(y as f64 - centre.1 as f64);
                    is_unfit(m) && !m.contains(MaskBits::SATURATED) && away <= radius
                };
                let places = columns.clone().zip(bits).filter(|(x, m)| is_lost(*x, **m));
                lost.extend(places.map(|(x, _)| (x - columns.start, row)));
            }
        }
        let mut is_lost = vec![false; if lost.is_empty() { 0 } else { samples.len() }];
        lost.iter().for_each(|(column, row)| is_lost[row * stride + column] = true);
        let (x0, y0) = (columns.start as f64, rows.start as f64);
        Self { x0, y0, width, stride, samples, lost, is_lost }
    }

    /// Takes a level off all good samples.
    pub(super) fn lower(&mut self, level: f64) {
        for v in &mut self.samples {
            // What is no good is 0 exactly.
            *v -= if *v == 0.0 { 0.0 } else { level };
        }
    }

    /// The sample of a pixel of the frame.
    pub(super) fn at(&self, x: usize, y: usize) -> f64 {
        let (column, row) = (x - self.x0 as usize, y - self.y0 as usize);
        self.samples[row * self.stride + column]
    }

    /// Gives lost pixels what a star at a place with a profile of standard deviation `sigma_px` would put there, by
    /// the pixels beside them.
    pub(super) fn make_up(&mut self, x: f64, y: f64, sigma_px: f64) {
        let rows = self.samples.len() / self.stride;
        let profile = |column: usize, row: usize| {
            let (dx, dy) = (self.x0 + column as f64 - x, self.y0 + row as f64 - y);
            (-0.5 * (dx * dx + dy * dy) / (sigma_px * sigma_px)).exp()
        };
        let made = |&(column, row): &(usize, usize)| {
            let (mut sum, mut squares) = (0.0, 0.0);
            for j in row.saturating_sub(BESIDE)..(row + BESIDE + 1).min(rows) {
                for i in column.saturating_sub(BESIDE)..(column + BESIDE + 1).min(self.width) {
                    let at = j * self.stride + i;
                    let v = self.samples[at];
                    // What is no good is 0 exactly.
                    if v != 0.0 && !self.is_lost[at] {
                        let p = profile(i, j);
                        sum += p * v;
                        squares += p * p;
                    }
                }
            }
            if squares > 0.0 { profile(column, row) * sum / squares } else { 0.0 }
        };
        let made: Vec<f64> = self.lost.iter().map(made).collect();
        for ((column, row), v) in self.lost.iter().zip(made) {
            self.samples[row * self.stride + column] = v;
        }
    }

    /// The squares of what was made up within `radius` of a place, summed.
    pub(super) fn made_up(&self, x: f64, y: f64, radius: f64) -> f64 {
        let within = |(column, row): &&(usize, usize)| {
            (self.x0 + *column as f64 - x).hypot(self.y0 + *row as f64 - y) < radius + 0.5
        };
        let sample = |(column, row): &(usize, usize)| self.samples[row * self.stride + column];
        self.lost.iter().filter(within).map(|at| sample(at).powi(2)).sum()
    }

    /// Whether any pixel is lost.
    pub(super) fn lacks(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The median of the samples farther than `radius` from a place, and its error where a sample has
    /// the noise `sigma`; `None` without enough of them.
    pub(super) fn level_beyond(
        &self,
        x: f64,
        y: f64,
        radius: f64,
        sigma: f64,
    ) -> Option<(f64, f64)> {
        let mut beyond = Vec::with_capacity(self.samples.len());
        for (j, row) in self.samples.chunks_exact(self.stride).enumerate() {
            let dy = self.y0 + j as f64 - y;
            let near = radius * radius - dy * dy;
            for (i, v) in row[..self.width].iter().enumerate() {
                let dx = self.x0 + i as f64 - x;
                // What is no good is 0 exactly.
                if dx * dx > near && *v != 0.0 {
                    beyond.push(*v as f32);
                }
            }
        }
        if beyond.len() < LEAST_BEYOND {
            return None;
        }
        let error = MEDIAN_ERROR * sigma / (beyond.len() as f64).sqrt();
        Some((f64::from(median_in_place(&mut beyond)), error))
    }

    /// The moments about a place under a round window of standard deviation `sigma_px`.
    pub(super) fn moments(&self, x: f64, y: f64, sigma_px: f64) -> Moments {
        let rows = self.samples.len() / self.stride;
        let (mut across, mut down) = ([0.0; SIDE], [0.0; SIDE]);
        window(x - self.x0, sigma_px, &mut across[..self.width]);
        window(y - self.y0, sigma_px, &mut down[..rows]);
        let mut sums = [[0.0; SIDE]; 3];
        fold(&self.samples, self.stride, &down[..rows], y - self.y0, &mut sums);
        let mut out = Moments { sum: 0.0, x: 0.0, y: 0.0, xx: 0.0, yy: 0.0, xy: 0.0 };
        for i in 0..self.width {
            let (w, d) = (across[i], i as f64 - (x - self.x0));
            let [v, vy, vyy] = [w * sums[0][i], w * sums[1][i], w * sums[2][i]];
            out.sum += v;
            out.x += v * d;
            out.y += vy;
            out.xx += v * d * d;
            out.yy += vyy;
            out.xy += vy * d;
        }
        out
    }

    /// The sum within `radius` of a place, pixels on the rim in part; and the sum of the squares of
    /// those parts.
    pub(super) fn aperture(&self, x: f64, y: f64, radius: f64) -> (f64, f64) {
        let mut sums = [[0.0; SIDE]; 2];
        let centre = (x - self.x0, y - self.y0);
        disc(&self.samples, self.stride, centre, radius, &mut sums);
        let sum = |s: &Columns| s[..self.width].iter().sum();
        (sum(&sums[0]), sum(&sums[1]))
    }
}

/// A Gaussian of height 1 about `centre` at 0, 1, 2 …
fn window(centre: f64, sigma_px: f64, out: &mut [f64]) {
    let per = 1.0 / (sigma_px * sigma_px);
    // The next is this times a factor, which falls by one and the same factor each time.
    let mut value = (-0.5 * per * centre * centre).exp();
    let (mut factor, fall) = ((-per * (0.5 - centre)).exp(), (-per).exp());
    for o in out {
        *o = value;
        value *= factor;
        factor *= fall;
    }
}

/// Sums down the columns, each row times its weight, and the distance to the power of 0, 1 and 2.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn fold(samples: &[f64], stride: usize, weights: &[f64], centre: f64, sums: &mut [Columns; 3]) {
    for (j, row) in samples.chunks_exact(stride).enumerate() {
        let d = j as f64 - centre;
        let (w, wd, wdd) = (weights[j], weights[j] * d, weights[j] * d * d);
        let [a, b, c] = &mut *sums;
        for (i, part) in row.chunks_exact(LANES).enumerate() {
            for k in 0..LANES {
                a[i * LANES + k] += w * part[k];
                b[i * LANES + k] += wd * part[k];
                c[i * LANES + k] += wdd * part[k];
            }
        }
    }
}

/// Sums down the columns of what lies in a disc: samples, and squares of the parts of pixels.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn disc(
    samples: &[f64],
    stride: usize,
    (x, y): (f64, f64),
    radius: f64,
    [flux, area]: &mut [Columns; 2],
) {
    for (j, row) in samples.chunks_exact(stride).enumerate() {
        let dy2 = (j as f64 - y) * (j as f64 - y);
        for (i, part) in row.chunks_exact(LANES).enumerate() {
            for k in 0..LANES {
                let dx = (i * LANES + k) as i32 as f64 - x;
                let inside = radius + 0.5 - (dx * dx + dy2).sqrt();
                let inside = if inside < 1.0 { inside } else { 1.0 };
                let share = if inside > 0.0 { inside } else { 0.0 };
                flux[i * LANES + k] += share * part[k];
                area[i * LANES + k] += share * share;
            }
        }
    }
}
