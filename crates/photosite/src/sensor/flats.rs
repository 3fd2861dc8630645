//! Single pixels under light: how they respond, and whether they respond in proportion.

use multiversion::multiversion;
use photosite_pix::MaskBits;
use photosite_pix::stat::{median, median_f64};

use super::cell::{Cell, shows_photons};
use super::grid::{Paired, Patch};
use super::maps::{MapKind, StripMaps};
use crate::defects::Seen;

/// Bins of responses, a thousandth each, from 0 to twice the block's.
const BINS: usize = 2001;
/// Flats fainter than this share of the brightest tell little of a response.
const BRIGHT: f64 = 0.25;
/// Flats with less than this share of the noise of fainter ones begin to be full.
const FULL: f64 = 0.7;
/// As many flats of as many levels over such a range tell a pixel's law.
pub const FEW_FLATS: usize = 8;
const FEW_LEVELS: usize = 5;
const LEAST_RANGE: f64 = 3.0;
/// Levels that differ by less are one.
const ONE_LEVEL: f64 = 1.05;
/// A straight pixel's curve has this chi-square of two degrees of freedom in fewer than one of 10^8 pixels.
const BENT: f32 = 40.0;
/// The least curve that counts, as a share of the brightest level: what is linear within one percent is
/// linear.
const LEAST_BEND: f32 = 0.01;
/// The same from which a pixel is not to be trusted: the bound of a defect map's two levels.
const SUSPECT_BEND: f32 = 0.03;
/// Reduced chi-square of a cubic from which a pixel follows no law.
///
/// # Source
/// EsoDetmon2016.
const LAWLESS: f32 = 5.0;

/// The zero above which flats are looked at.
#[derive(Debug, Clone)]
pub struct Zero {
    /// The level of biases of each lane of each block in ADU.
    pub levels_adu: Vec<f64>,
    /// The variance of a bias in ADU squared.
    pub read_adu2: f64,
}

/// Pixels under light, counted.
#[derive(Debug, Clone, PartialEq)]
pub struct FlatPixels {
    /// By their response relative to their block's, a thousandth a bin.
    pub response: Vec<u64>,
    /// Pixels whose law was looked at.
    pub judged: u64,
    /// Of them those whose response bends by more than one percent beside their block's.
    pub bent: u64,
    /// Of them those that follow no cubic.
    pub lawless: u64,
    /// Of those that bend the ones that light of less than the brightest flat shows: SUSPECT, the score in sigmas.
    pub suspect: Vec<Seen>,
}

impl Default for FlatPixels {
    fn default() -> Self {
        Self { response: vec![0; BINS], judged: 0, bent: 0, lawless: 0, suspect: Vec::new() }
    }
}

impl FlatPixels {
    /// Adds others.
    pub fn join(&mut self, other: &Self) {
        self.response.iter_mut().zip(&other.response).for_each(|(a, b)| *a += b);
        self.judged += other.judged;
        self.bent += other.bent;
        self.lawless += other.lawless;
        self.suspect.extend_from_slice(&other.suspect);
    }

    /// The response in the middle of a bin.
    pub fn response_of(bin: usize) -> f64 {
        bin as f64 * 1e-3
    }

    /// The shares of pixels that respond less, and more, than `by` beside their block.
    pub fn beyond(&self, by: f64) -> (f64, f64) {
        let all = self.response.iter().sum::<u64>().max(1) as f64;
        let of = |keep: &dyn Fn(f64) -> bool| {
            let bins =
                self.response.iter().enumerate().filter(|(i, _)| keep(Self::response_of(*i)));
            bins.map(|(_, n)| *n).sum::<u64>() as f64 / all
        };
        (of(&|r| r < 1.0 - by), of(&|r| r > 1.0 + by))
    }

    fn count_response(&mut self, response: f64) {
        // What is below nothing falls to the first.
        let bin = (response * 1000.0 + 0.5) as usize;
        self.response[bin.min(BINS - 1)] += 1;
    }
}

/// One flat in one lane of one block.
#[derive(Clone, Copy)]
struct Lit {
    frame: usize,
    /// Level above the bias in ADU.
    level: f64,
    /// Variance of a sample in ADU squared.
    variance: f64,
}

/// Looks at the pixels of a patch of flats above the bias of its block; `cells` are those of the pairs.
pub fn see_flats(
    patch: &Patch<'_>,
    (pairs, cells): (&[Paired], &[Cell]),
    zero: &Zero,
    room: &mut FlatRoom,
    (out, maps): (&mut FlatPixels, &mut StripMaps),
) {
    let bias = zero.levels_adu[patch.at];
    let lit = lit_frames(pairs, cells, bias, zero.read_adu2);
    let Some(brightest) = lit.last().copied() else { return };
    let is_bright = |l: &Lit| l.level >= BRIGHT * brightest.level;
    let bright = lit.iter().filter(|l| is_bright(l)).count() as f64;
    let law = Law::of(&lit);
    let pixels = patch.frames[brightest.frame].len();
    room.clear(pixels);
    for from in (0..pixels).step_by(PIECE) {
        let piece = from..(from + PIECE).min(pixels);
        for (k, l) in lit.iter().enumerate() {
            let samples = &patch.frames[l.frame][piece.clone()];
            if is_bright(l) {
                let factor = 1.0 / (l.level * bright);
                respond(&mut room.response[piece.clone()], samples, bias, factor);
            }
            if let Some(law) = &law {
                let sums = room.sums.each_mut().map(|s| &mut s[piece.clone()]);
                project(sums, samples, bias + l.level, (law.columns[k], 1.0 / l.variance));
            }
        }
    }
    room.response.iter().for_each(|r| out.count_response(*r));
    let Some(law) = law else { return };
    law.judge(patch, room, brightest.level, out);
    maps.draw(MapKind::Bend, patch, &room.bends);
    maps.draw(MapKind::Misfit, patch, &room.misfits);
}

/// The flats of a lane of a block that are not full, the faintest first.
fn lit_frames(pairs: &[Paired], cells: &[Cell], bias: f64, read_adu2: f64) -> Vec<Lit> {
    let mut lit: Vec<Lit> = Vec::new();
    for ((a, b, _), cell) in pairs.iter().zip(cells).filter(|((.., spare), _)| !spare) {
        let variance = 0.5 * cell.noise(1.0);
        let photons = shows_photons(cell.n, variance, read_adu2);
        if cell.n < 16.0 || cell.ends > 0.0 || variance <= 0.0 || !photons {
            continue;
        }
        for (frame, level) in [(*a, cell.mean_a - bias), (*b, cell.mean_b - bias)] {
            lit.push(Lit { frame, level, variance });
        }
    }
    lit.retain(|l| l.level > 0.0);
    lit.sort_by(|a, b| a.level.total_cmp(&b.level));
    let by_photons = |l: &Lit| (l.variance - read_adu2) / l.level;
    let told: Vec<f64> =
        lit.iter().filter(|l| l.variance > 3.0 * read_adu2).map(by_photons).collect();
    let typical = median_f64(&told[..told.len().div_ceil(2)]);
    let full = |l: &Lit| {
        l.variance > 3.0 * read_adu2 && by_photons(l) < FULL * typical
            || l.variance < 0.5 * typical * l.level
    };
    let end = lit.iter().position(full).unwrap_or(lit.len());
    lit.truncate(end);
    lit
}

/// Polynomials of a lane's levels, by which a pixel's samples are parted into offset, slope and curve.
struct Law {
    /// Of each flat: the weighted polynomials of orders 0 to 3.
    columns: Vec<[f64; 4]>,
    /// The polynomials of orders 2 and 3 at the brightest flat.
    top: [f64; 2],
    freedom: f64,
}

impl Law {
    /// Polynomials that are orthonormal over the flats, each with the weight 1 / variance; `None` where there
    /// are too few of them.
    fn of(lit: &[Lit]) -> Option<Self> {
        let (first, last) = (lit.first()?, lit.last()?);
        let mut levels: Vec<f64> = vec![first.level];
        for l in lit {
            if l.level > ONE_LEVEL * levels[levels.len() - 1] {
                levels.push(l.level);
            }
        }
        let wide = last.level >= LEAST_RANGE * first.level;
        if lit.len() < FEW_FLATS || levels.len() < FEW_LEVELS || !wide {
            return None;
        }
        let mut polynomials: Vec<Vec<f64>> = Vec::new();
        for order in 0..4 {
            let mut p: Vec<f64> = lit.iter().map(|l| (l.level / last.level).powi(order)).collect();
            // Twice: once leaves rounding behind.
            for _ in 0..2 {
                for before in &polynomials {
                    let share: f64 =
                        lit.iter().zip(&p).zip(before).map(|((l, a), b)| a * b / l.variance).sum();
                    p.iter_mut().zip(before).for_each(|(v, b)| *v -= share * b);
                }
            }
            let norm: f64 = lit.iter().zip(&p).map(|(l, v)| v * v / l.variance).sum::<f64>().sqrt();
            if norm.is_nan() || norm <= 1e-9 {
                return None;
            }
            p.iter_mut().for_each(|v| *v /= norm);
            polynomials.push(p);
        }
        let column =
            |(i, l): (usize, &Lit)| std::array::from_fn(|k| polynomials[k][i] / l.variance);
        let columns = lit.iter().enumerate().map(column).collect();
        let end = lit.len() - 1;
        let top = [polynomials[2][end], polynomials[3][end]];
        Some(Self { columns, top, freedom: lit.len() as f64 - 4.0 })
    }

    /// Tells what each pixel's curve is, as a share of the brightest level, and how badly a cubic fits it.
    fn judge(&self, patch: &Patch<'_>, room: &mut FlatRoom, brightest: f64, out: &mut FlatPixels) {
        let FlatRoom { sums: [s0, s1, s2, s3, squares], curves, bends, misfits, .. } = room;
        let pixels = s0.iter().zip(s1).zip(s2).zip(s3).zip(squares);
        for ((((s0, s1), s2), s3), squares) in pixels {
            let curve = *s2 * *s2 + *s3 * *s3;
            curves.push(curve as f32);
            bends.push(((*s2 * self.top[0] + *s3 * self.top[1]) / brightest) as f32);
            misfits.push((*squares - *s0 * *s0 - *s1 * *s1 - curve).max(0.0) as f32);
        }
        // The median chi-square of two degrees of freedom is 2 ln 2, of n nearly n - 2 / 3; where a typical
        // pixel has more, the light changed its shape from flat to flat.
        let curved = (median(curves) / (2.0 * std::f32::consts::LN_2)).max(1.0);
        let freedom = self.freedom as f32;
        let apart = (median(misfits) / (freedom - 2.0 / 3.0)).max(1.0);
        misfits.iter_mut().for_each(|m| *m /= freedom * apart);
        out.judged += bends.len() as u64;
        for (i, (curve, bend)) in curves.iter().zip(&*bends).enumerate() {
            if *curve <= BENT * curved || bend.abs() <= LEAST_BEND {
                continue;
            }
            out.bent += 1;
            if bend.abs() > SUSPECT_BEND {
                let ((x, y), score) = (patch.place(i), (curve / curved).sqrt().copysign(*bend));
                let bits = MaskBits::SUSPECT;
                out.suspect.push(Seen { x, y, bits, score, share: 1.0, excess: f32::NAN });
            }
        }
        out.lawless += misfits.iter().filter(|m| **m > LAWLESS).count() as u64;
    }
}

/// Pixels whose sums stay in the nearest cache.
const PIECE: usize = 256;

/// Sums over the flats, pixel by pixel, and what they tell.
#[derive(Debug, Default)]
pub struct FlatRoom {
    response: Vec<f64>,
    /// Projections on polynomials of orders 0 to 3, and weighted squares.
    sums: [Vec<f64>; 5],
    curves: Vec<f32>,
    bends: Vec<f32>,
    misfits: Vec<f32>,
}

impl FlatRoom {
    fn clear(&mut self, pixels: usize) {
        for sums in self.sums.iter_mut().chain([&mut self.response]) {
            sums.clear();
            sums.resize(pixels, 0.0);
        }
        [&mut self.curves, &mut self.bends, &mut self.misfits].into_iter().for_each(Vec::clear);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn respond(response: &mut [f64], samples: &[f32], bias: f64, factor: f64) {
    response.iter_mut().zip(samples).for_each(|(r, v)| *r += (f64::from(*v) - bias) * factor);
}

/// Adds a flat, by how far its pixels lie beside its typical level.
#[multiversion(targets("x86_64+avx2"))]
fn project(
    [s0, s1, s2, s3, squares]: [&mut [f64]; 5],
    samples: &[f32],
    level: f64,
    (column, weight): ([f64; 4], f64),
) {
    let n = samples.len();
    let (s0, s1, s2, s3) = (&mut s0[..n], &mut s1[..n], &mut s2[..n], &mut s3[..n]);
    let squares = &mut squares[..n];
    for i in 0..n {
        let off = f64::from(samples[i]) - level;
        s0[i] += column[0] * off;
        s1[i] += column[1] * off;
        s2[i] += column[2] * off;
        s3[i] += column[3] * off;
        squares[i] += weight * off * off;
    }
}
