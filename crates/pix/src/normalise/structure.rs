//! How much more light one frame holds than another: from a nebula that both have.

use multiversion::multiversion;

use serde::{Deserialize, Serialize};

use super::FluxRatio;
use crate::align::{Point, Transform};
use crate::normal::Normal;
use crate::stars::{Mesh, Star};
use crate::stat::{MAD_TO_SIGMA, median_mad};
use crate::{MaskBits, Plane, Size};

/// Blocks along the longer side of a frame at most.
const MOST: usize = 192;

/// Fewest pixels along the side of a block.
const LEAST_PX: usize = 4;

/// Stars that stand this many sigmas above the sky are left out, the fainter number where they are no
/// wider than this many times the others, of which there are so many: knots of a nebula are often taken
/// for stars. What is left of a star stands in another place of a block in each light.
const BRIGHT: f64 = 20.0;
const FAINT: f64 = 5.0;
const SHARP: f64 = 1.4;
const MANY: usize = 30;

/// A star is left out within so many widths, more where it is bright.
const REACH_FWHM: f64 = 1.2;

/// Shares of a block and its neighbours along an axis, in a smoothed frame.
const SMOOTH: [f64; 3] = [0.25, 0.5, 0.25];

/// Blocks that share the noise of one: smoothed over 7 of them, 1 / Σ w², and laid between four.
const SMOOTHED: f64 = 11.0;

/// Fewest blocks that tell a ratio.
const FEWEST_BLOCKS: usize = 200;

/// Sigmas beyond which a block holds what the other frame does not.
const OUTLIER: f64 = 4.0;

/// Rounds of leaving out.
const ROUNDS: usize = 4;

/// Terms of the background that is nobody's nebula: 1, x, y, x², xy, y².
const TERMS: usize = 6;

/// A frame in square blocks; beside its stars and slightly smoothed, what a nebula looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Structure {
    side: usize,
    /// In the unit of the samples; NaN where nothing is known.
    values: Plane<f32>,
}

impl Structure {
    /// Means of the good samples of blocks: stars and all.
    pub fn of(data: &Plane<f32>, mask: &Plane<MaskBits>) -> Self {
        let frame = data.size();
        let side = frame.width.max(frame.height).div_ceil(MOST).max(LEAST_PX);
        let size = Size::new((frame.width / side).max(1), (frame.height / side).max(1));
        let mut values = Plane::filled(size, f32::NAN);
        let (mut sum, mut count) = (vec![0.0f32; frame.width], vec![0.0f32; frame.width]);
        for j in (0..size.height).filter(|j| (j + 1) * side <= frame.height) {
            sum.fill(0.0);
            count.fill(0.0);
            for y in j * side..(j + 1) * side {
                add_good(data.row(y), mask.row(y), &mut sum, &mut count);
            }
            let parts = sum.chunks_exact(side).zip(count.chunks_exact(side));
            for (value, (sum, count)) in values.row_mut(j).iter_mut().zip(parts) {
                let count: f32 = count.iter().sum();
                if 2.0 * count >= (side * side) as f32 {
                    *value = sum.iter().sum::<f32>() / count;
                }
            }
        }
        Self { side, values }
    }

    /// What lies beside `stars`, slightly smoothed.
    pub fn beside(mut self, mesh: &Mesh, stars: &[Star], fwhm_px: Option<f64>) -> Self {
        for star in stars {
            let peak = star.peak / mesh.sigma_at(star.x, star.y).max(f64::MIN_POSITIVE);
            let sharp =
                stars.len() >= MANY && fwhm_px.is_some_and(|fwhm| star.fwhm_px <= SHARP * fwhm);
            if peak >= BRIGHT || (sharp && peak >= FAINT) {
                let radius = REACH_FWHM * fwhm_px.unwrap_or(star.fwhm_px) * peak.powf(0.25);
                self.leave_out(star, radius);
            }
        }
        self.smoothed()
    }

    /// Blocks that hold saturated samples are not known.
    pub fn unsaturated(mut self, mask: &Plane<MaskBits>) -> Self {
        for j in 0..self.values.height() {
            let rows = (j * self.side..(j + 1) * self.side).filter(|y| *y < mask.height());
            for row in rows.map(|y| mask.row(y)) {
                for (value, bits) in self.values.row_mut(j).iter_mut().zip(row.chunks(self.side)) {
                    if bits.iter().any(|m| m.contains(MaskBits::SATURATED)) {
                        *value = f32::NAN;
                    }
                }
            }
        }
        self
    }

    fn leave_out(&mut self, star: &Star, radius: f64) {
        if !radius.is_finite() {
            return;
        }
        let blocks = |from: f64, end: usize| {
            let on = |v: f64| ((v + 0.5) / self.side as f64).clamp(0.0, end as f64);
            on(from - radius) as usize..(on(from + radius) as usize + 1).min(end)
        };
        let size = self.values.size();
        let (columns, rows) = (blocks(star.x, size.width), blocks(star.y, size.height));
        for j in rows {
            self.values.row_mut(j)[columns.clone()].fill(f32::NAN);
        }
    }

    /// The same where at least half of the neighbours are known.
    fn smoothed(self) -> Self {
        let size = self.values.size();
        let values = Plane::from_fn(size, |x, y| {
            if self.values.get(x, y).is_nan() {
                return f32::NAN;
            }
            let (mut sum, mut weights) = (0.0, 0.0);
            for (dy, along) in SMOOTH.iter().enumerate() {
                for (dx, across) in SMOOTH.iter().enumerate() {
                    let (i, j) = ((x + dx).wrapping_sub(1), (y + dy).wrapping_sub(1));
                    if i < size.width && j < size.height {
                        let v = f64::from(self.values.get(i, j));
                        if v.is_finite() {
                            sum += along * across * v;
                            weights += along * across;
                        }
                    }
                }
            }
            if weights > 0.7 { (sum / weights) as f32 } else { f32::NAN }
        });
        Self { values, ..self }
    }

    /// The value at a position in pixels, between blocks; NaN where one of four is not known.
    fn at(&self, at: Point) -> f64 {
        let size = self.values.size();
        let on = |v: f64| (v + 0.5) / self.side as f64 - 0.5;
        let (u, v) = (on(at.x), on(at.y));
        if !(u >= 0.0 && v >= 0.0 && u < size.width as f64 && v < size.height as f64) {
            return f64::NAN;
        }
        let (i, j) = (u as usize, v as usize);
        let (u, v) = (u - i as f64, v - j as f64);
        let get = |i: usize, j: usize| match i < size.width && j < size.height {
            true => f64::from(self.values.get(i, j)),
            false => f64::NAN,
        };
        // Exactly on a block its neighbours do not matter.
        let mix = |a: f64, b: f64, t: f64| if t == 0.0 { a } else { a * (1.0 - t) + b * t };
        let upper = mix(get(i, j), get(i + 1, j), u);
        if v == 0.0 { upper } else { mix(upper, mix(get(i, j + 1), get(i + 1, j + 1), u), v) }
    }
}

/// Adds the good samples of a row to the sums of their columns.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add_good(samples: &[f32], mask: &[MaskBits], sum: &mut [f32], count: &mut [f32]) {
    let n = samples.len();
    let (mask, sum, count) = (&mask[..n], &mut sum[..n], &mut count[..n]);
    for x in 0..n {
        let good = (samples[x].abs() < f32::INFINITY) & !mask[x].intersects(MaskBits::BAD);
        sum[x] += if good { samples[x] } else { 0.0 };
        count[x] += if good { 1.0 } else { 0.0 };
    }
}

/// A frame's structure, where it lies, and the noise of one of its samples.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its structure.
    pub structure: &'a Structure,
    /// Takes pixels of the common grid to its own.
    pub place: &'a Transform,
    /// The noise of one sample, as blocks of pixels show it.
    pub noise: f64,
}

/// A ratio taken from a nebula, and how well it explains both frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StructureRatio {
    /// The ratio.
    pub ratio: FluxRatio,
    /// The root mean square of what is left between blocks, in the unit of the frame that is wanted.
    pub rest: f64,
}

/// The ratio of what two frames show of a nebula, on a common grid of `size`: what `own` is multiplied
/// with to be as bright as `wanted`, by area of the grid. `None` where no structure stands out of the
/// noise.
///
/// Both are regressed on each other, their errors known, after a surface of second degree was taken
/// off either: the sky and its gradient are nobody's nebula. Blocks beyond 4 sigma are left out.
///
/// # Source
/// Fuller1987, the regression with a known ratio of variances.
pub fn structure_ratio(wanted: Seen<'_>, own: Seen<'_>, size: Size) -> Option<StructureRatio> {
    let step = wanted.structure.side.max(own.structure.side);
    let middle = |i: usize| (i as f64 + 0.5) * step as f64 - 0.5;
    let mut blocks: Vec<Block> = Vec::new();
    for j in 0..size.height / step {
        for i in 0..size.width / step {
            let at = Point::new(middle(i), middle(j));
            let values = [wanted, own].map(|seen| seen.structure.at(seen.place.apply(at)));
            if values.iter().all(|v| v.is_finite()) {
                let x = 2.0 * at.x / size.width as f64 - 1.0;
                let y = 2.0 * at.y / size.height as f64 - 1.0;
                blocks.push(Block { terms: [1.0, x, y, x * x, x * y, y * y], values });
            }
        }
    }
    let variance = |seen: &Seen<'_>| (seen.noise / seen.structure.side as f64).powi(2);
    let (of_wanted, of_own) = (variance(&wanted), variance(&own));
    if !(of_wanted > 0.0 && of_own > 0.0) {
        return None;
    }
    let mut fit = fitted(&blocks, FEWEST_BLOCKS, of_wanted / of_own)?;
    for _ in 0..ROUNDS {
        let off: Vec<f32> = blocks.iter().map(|b| fit.residual(b) as f32).collect();
        let sigma = MAD_TO_SIGMA * f64::from(median_mad(&off).1);
        let before = blocks.len();
        blocks.retain(|b| fit.residual(b).abs() <= OUTLIER * sigma);
        if blocks.len() == before {
            break;
        }
        fit = fitted(&blocks, FEWEST_BLOCKS, of_wanted / of_own)?;
    }
    // What is left between the frames is noise, of which smoothed neighbours share most.
    let n = blocks.len() as f64;
    let rest = blocks.iter().map(|b| fit.residual(b).powi(2)).sum::<f64>() / n;
    let error = (rest * SMOOTHED / (n * fit.signal)).sqrt() / fit.scale;
    let own_share = of_own * fit.scale * fit.scale / (of_own * fit.scale * fit.scale + of_wanted);
    let sound = fit.scale > 0.0 && fit.signal > 0.0 && error.is_finite();
    let ratio = FluxRatio {
        scale: fit.scale,
        own_error: error * own_share.sqrt(),
        shared_error: error * (1.0 - own_share).sqrt(),
        count: blocks.len(),
    };
    sound.then_some(StructureRatio { ratio, rest: rest.sqrt() })
}

/// Fewest windows that tell a ratio of all light, and the least width of one in blocks.
const FEWEST_WINDOWS: usize = 24;
const LEAST_WINDOW: f64 = 4.0;

/// All light agrees no better than this: flat fields, and what stars lie on the rims of blocks.
const LEAST_ERROR: f64 = 0.003;

/// Windows that share the noise of one: each overlaps with its neighbours.
const OVERLAP: f64 = 2.0;

/// The ratio of all light that two frames show, each its blocks with stars and all and where they lie on a common grid
/// of a size, in windows of a width in pixels of that grid far beyond that of stars: what the second is multiplied with
/// to be as bright as the first. `about` is what it is nearly. `None` where windows are few or empty.
///
/// Windows fall off to their rims and overlap, so that a star between two stands in both.
pub fn all_light_ratio(
    wanted: (&Structure, &Transform),
    own: (&Structure, &Transform),
    (size, window_px, about): (Size, f64, f64),
) -> Option<FluxRatio> {
    let step = wanted.0.side.max(own.0.side);
    let reach = (window_px / step as f64).max(LEAST_WINDOW).ceil() as usize;
    let blocks = Size::new(size.width / step, size.height / step);
    let middle = |i: usize| (i as f64 + 0.5) * step as f64 - 0.5;
    let laid = |(structure, place): (&Structure, &Transform)| {
        Plane::from_fn(blocks, |i, j| {
            structure.at(place.apply(Point::new(middle(i), middle(j)))) as f32
        })
    };
    let both = [laid(wanted), laid(own)];
    let tent = |d: usize| (reach - d) as f64;
    let mut windows: Vec<Block> = Vec::new();
    for v in (reach..blocks.height.saturating_sub(reach - 1)).step_by(reach) {
        for u in (reach..blocks.width.saturating_sub(reach - 1)).step_by(reach) {
            let mean = |of: &Plane<f32>| {
                let (mut sum, mut weights) = (0.0, 0.0);
                for j in v + 1 - reach..v + reach {
                    for i in u + 1 - reach..u + reach {
                        let weight = tent(j.abs_diff(v)) * tent(i.abs_diff(u));
                        sum += weight * f64::from(of.get(i, j));
                        weights += weight;
                    }
                }
                sum / weights
            };
            let values = both.each_ref().map(mean);
            if values.iter().all(|v| v.is_finite()) {
                let x = 2.0 * middle(u) / size.width as f64 - 1.0;
                let y = 2.0 * middle(v) / size.height as f64 - 1.0;
                windows.push(Block { terms: [1.0, x, y, x * x, x * y, y * y], values });
            }
        }
    }
    // What stars on rims leave goes with the light.
    let ratio = about * about;
    let mut fit = fitted(&windows, FEWEST_WINDOWS, ratio)?;
    for _ in 0..ROUNDS {
        let off: Vec<f32> = windows.iter().map(|w| fit.residual(w) as f32).collect();
        let sigma = MAD_TO_SIGMA * f64::from(median_mad(&off).1);
        let before = windows.len();
        windows.retain(|w| fit.residual(w).abs() <= OUTLIER * sigma);
        if windows.len() == before {
            break;
        }
        fit = fitted(&windows, FEWEST_WINDOWS, ratio)?;
    }
    let free = windows.len() as f64 - (TERMS + 1) as f64;
    let rest = windows.iter().map(|w| fit.residual(w).powi(2)).sum::<f64>() / free;
    let signal = fit.signal * windows.len() as f64;
    let error = ((OVERLAP * rest / signal).sqrt() / fit.scale).hypot(LEAST_ERROR);
    let half = error * std::f64::consts::FRAC_1_SQRT_2;
    let sound = fit.scale > 0.0 && fit.signal > 0.0 && error.is_finite();
    sound.then_some(FluxRatio {
        scale: fit.scale,
        own_error: half,
        shared_error: half,
        count: windows.len(),
    })
}

/// A place of the common grid.
struct Block {
    terms: [f64; TERMS],
    /// In the frame that is wanted, and in the own one.
    values: [f64; 2],
}

/// A regression.
struct Fit {
    /// Surfaces of both frames.
    surfaces: [[f64; 2]; TERMS],
    scale: f64,
    /// The mean square of the own frame's structure, its noise taken off.
    signal: f64,
}

impl Fit {
    /// What both frames hold above their surfaces.
    fn above(surfaces: &[[f64; 2]; TERMS], block: &Block) -> [f64; 2] {
        std::array::from_fn(|of| {
            let surface = block.terms.iter().zip(surfaces).map(|(term, c)| term * c[of]);
            block.values[of] - surface.sum::<f64>()
        })
    }

    fn residual(&self, block: &Block) -> f64 {
        let [wanted, own] = Self::above(&self.surfaces, block);
        wanted - self.scale * own
    }
}

/// The regression of all blocks; `ratio` is that of the variances of the noise.
fn fitted(blocks: &[Block], fewest: usize, ratio: f64) -> Option<Fit> {
    if blocks.len() < fewest {
        return None;
    }
    let mut system = Normal::<TERMS, 2>::default();
    blocks.iter().for_each(|b| system.add(b.terms, b.values, 1.0));
    let surfaces = system.solve()?;
    let (mut ww, mut oo, mut wo) = (0.0, 0.0, 0.0);
    for block in blocks {
        let [wanted, own] = Fit::above(&surfaces, block);
        (ww, oo, wo) = (ww + wanted * wanted, oo + own * own, wo + wanted * own);
    }
    if wo <= 0.0 {
        return None;
    }
    let apart = ww - ratio * oo;
    let scale = (apart + (apart * apart + 4.0 * ratio * wo * wo).sqrt()) / (2.0 * wo);
    // Common to both frames: noise is not.
    let signal = wo / scale / blocks.len() as f64;
    Some(Fit { surfaces, scale, signal })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(640, 480);

    /// A nebula of three humps, scaled, moved, on a sky with a gradient, with noise.
    fn frame(scale: f64, (dx, dy): (f64, f64), slope: f64, noise: f64, seed: u64) -> Structure {
        let mut state = 0x9e37_79b9_7f4a_7c15u64 ^ (seed * 7919);
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / (1u64 << 24) as f64
        };
        let humps =
            [(150.0, 120.0, 40.0, 30.0), (400.0, 300.0, 60.0, 20.0), (330.0, 90.0, 25.0, 40.0)];
        let data = Plane::from_fn(SIZE, |x, y| {
            let (x, y) = (x as f64 - dx, y as f64 - dy);
            let of = |(hx, hy, width, height): (f64, f64, f64, f64)| {
                let d2 = (x - hx).powi(2) + (y - hy).powi(2);
                height * (-0.5 * d2 / (width * width)).exp()
            };
            let gaussian = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            (scale * humps.iter().map(|h| of(*h)).sum::<f64>()
                + 300.0
                + slope * x
                + noise * gaussian) as f32
        });
        let mask: Plane<MaskBits> = Plane::zeroed(SIZE);
        Structure::of(&data, &mask).beside(&Mesh::of(&data, &mask), &[], None)
    }

    #[test]
    fn a_nebula_tells_how_much_light_came_through() {
        for (transparency, noise) in [(1.0, 10.0), (0.5, 15.0), (0.2, 10.0)] {
            let mut pulls = 0.0;
            for seed in 1..9 {
                let wanted = frame(1.0, (0.0, 0.0), 0.05, 10.0, 2 * seed);
                let shift = (7.3, -4.6);
                let own = frame(transparency, shift, -0.3, noise, 2 * seed + 1);
                let place = Transform::affine(1.0, 0.0, shift.0, 0.0, 1.0, shift.1);
                let found = structure_ratio(
                    Seen { structure: &wanted, place: &Transform::IDENTITY, noise: 10.0 },
                    Seen { structure: &own, place: &place, noise },
                    SIZE,
                )
                .unwrap()
                .ratio;
                let off = found.scale * transparency - 1.0;
                println!("T {transparency}: {:.4} +- {:.4}", 1.0 + off, found.error());
                assert!(off.abs() < 0.01 + 4.0 * found.error(), "{off} {found:?}");
                assert!(found.error() < 0.05, "{found:?}");
                pulls += (off / found.error()).powi(2);
            }
            let rms = (pulls / 8.0f64).sqrt();
            println!("T {transparency}: pulls {rms:.2}");
            assert!(rms < 2.0, "{rms}");
        }
    }

    #[test]
    fn empty_sky_tells_nothing() {
        let identity = Transform::IDENTITY;
        let [wanted, own] = [3, 4].map(|seed| frame(0.0, (0.0, 0.0), 0.1, 10.0, seed));
        let seen = |structure| Seen { structure, place: &identity, noise: 10.0 };
        let found = structure_ratio(seen(&wanted), seen(&own), SIZE);
        assert!(found.is_none_or(|found| found.ratio.error() > 0.1), "{found:?}");
    }
}
