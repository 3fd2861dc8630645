//! Pixels that stand out of their surroundings, found by counting.

use std::ops::Range;

use multiversion::multiversion;
use photosite_pix::{CfaPattern, MaskBits, Plane, Rect, stat};

use super::{Defect, KAPPA, REACH, ROWS, TILE};

/// Finds, in `rows` of a master, pixels far above their surroundings (HOT) and far below (COLD).
///
/// A pixel is HOT when it is more than [`KAPPA`] sigma above the median of the 24 same-colour
/// pixels around it, COLD when it is as far below. Sigma is the noise of the master in the
/// pixel's tile of 256x256, per colour (`pix::stat::noise`), or `frame_noise`, the noise of one
/// frame, where that is larger: a pixel that a single light cannot tell from its neighbours needs
/// no repair, nor does one of a flat that dividing mends. Missing samples do not count. `rows` must be one of
/// [`bands`](super::bands).
pub fn find(
    data: &Plane<f32>,
    rows: Range<usize>,
    cfa: Option<CfaPattern>,
    frame_noise: f32,
) -> Vec<Defect> {
    let reach = |sigma: f32, _: f32| KAPPA * if sigma >= frame_noise { sigma } else { frame_noise };
    let mut found = Vec::new();
    standing_out(data, rows, cfa, (Levels::NotNeeded, &reach), |x, y, side, _| {
        let bits = if side > 0 { MaskBits::HOT } else { MaskBits::COLD };
        found.push(Defect { x, y, bits });
    });
    found
}

/// Whether a reach goes by the level of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Levels {
    /// It goes by the noise alone.
    NotNeeded,
    /// It does.
    Needed,
}

/// Gives `found` each pixel of `rows` that is farther than a reach from the median of the 24 same-colour
/// pixels around it: its place, 1 above or -1 below, and the noise of its tile and colour. The reach is
/// made of that noise and, where needed, of the median level of tile and colour. `rows` must be one of
/// [`super::bands`].
pub(super) fn standing_out(
    data: &Plane<f32>,
    rows: Range<usize>,
    cfa: Option<CfaPattern>,
    (levels, reach): (Levels, &dyn Fn(f32, f32) -> f32),
    mut found: impl FnMut(usize, usize, i8, f32),
) {
    let size = data.size();
    let step = cfa.map_or(1, CfaPattern::period);
    let tiles: Vec<[(f32, f32); 3]> = (0..size.width)
        .step_by(TILE)
        .map(|x0| {
            let tile = Rect::new(x0, rows.start, TILE, TILE).clipped(size);
            noise_and_reach(data, tile, cfa, (levels, reach))
        })
        .collect();
    let of = |x: usize, y: usize| tiles[x / TILE][cfa.map_or(0, |c| c.color(x, y).channel())];
    // Rows of one phase of the array have one row of reaches; 0 is that of a constant tile, in which nothing
    // can be told.
    let reach_of = |x: usize, y: usize| Some(of(x, y).1).filter(|r| *r > 0.0).unwrap_or(f32::NAN);
    let reaches: Vec<Vec<f32>> = (rows.start..rows.start + step)
        .map(|y| (0..size.width).map(|x| reach_of(x, y)).collect())
        .collect();
    let mut judge = Judge::new(size.width, step);
    for y in rows.clone() {
        let sides = judge.row(data, y, &reaches[(y - rows.start) % step]);
        for (block, sides) in sides.chunks(TOGETHER).enumerate() {
            // Hardly any stands out.
            if sides.iter().fold(0, |any, side| any | side) == 0 {
                continue;
            }
            for (i, side) in sides.iter().enumerate().filter(|(_, side)| **side != 0) {
                let x = block * TOGETHER + i;
                found(x, y, *side, of(x, y).0);
            }
        }
    }
}

/// Pixels that are judged side by side.
const TOGETHER: usize = 32;

/// Judges the pixels of a row by their neighbours.
///
/// The median of the neighbours lies below v − reach exactly when more of those that are known lie
/// below it than do not, so counting serves and nothing is sorted; many pixels side by side, so
/// that the compiler makes vectors of it.
struct Judge {
    width: usize,
    step: usize,
    floor: Vec<f32>,
    ceiling: Vec<f32>,
    /// 1 for a pixel far above its neighbours, -1 for one far below, else 0.
    sides: Vec<i8>,
    /// Rows from the last on, each in its place.
    about: Vec<Line>,
    /// Rows below this one are in their places.
    ready: usize,
    none: Line,
}

/// A row of samples, NaN beyond both ends, and the lowest and highest of each so many of them.
#[derive(Clone)]
struct Line {
    samples: Vec<f32>,
    lowest: Vec<f32>,
    highest: Vec<f32>,
}

impl Line {
    fn new(length: usize) -> Self {
        let blocks = length.div_ceil(TOGETHER);
        Self {
            samples: vec![f32::NAN; length],
            lowest: vec![f32::INFINITY; blocks],
            highest: vec![f32::NEG_INFINITY; blocks],
        }
    }

    /// Takes a row over, from place `far` on.
    fn fill(&mut self, row: &[f32], far: usize) {
        for (to, v) in self.samples[far..].iter_mut().zip(row) {
            *to = if v.is_finite() { *v } else { f32::NAN };
        }
        extremes(&self.samples, &mut self.lowest, &mut self.highest);
    }
}

/// The lowest and highest of each [`TOGETHER`] samples; those that are missing do not count.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn extremes(samples: &[f32], lowest: &mut [f32], highest: &mut [f32]) {
    for (block, (lowest, highest)) in samples.chunks(TOGETHER).zip(lowest.iter_mut().zip(highest)) {
        let (mut low, mut high) = ([f32::INFINITY; 8], [f32::NEG_INFINITY; 8]);
        for part in block.chunks(8) {
            for (v, (low, high)) in part.iter().zip(low.iter_mut().zip(&mut high)) {
                *low = if *v < *low { *v } else { *low };
                *high = if *v > *high { *v } else { *high };
            }
        }
        *lowest = low.into_iter().fold(f32::INFINITY, |a, v| if v < a { v } else { a });
        *highest = high.into_iter().fold(f32::NEG_INFINITY, |a, v| if v > a { v } else { a });
    }
}

impl Judge {
    fn new(width: usize, step: usize) -> Self {
        let whole = width.next_multiple_of(TOGETHER);
        let none = Line::new(whole + (ROWS - 1) * step);
        Self {
            width,
            step,
            floor: vec![f32::NAN; whole],
            ceiling: vec![f32::NAN; whole],
            sides: vec![0; whole],
            about: vec![none.clone(); (ROWS - 1) * step + 1],
            ready: 0,
            none,
        }
    }

    /// The sides of row `y`; rows come from the first to the last.
    fn row(&mut self, data: &Plane<f32>, y: usize, reaches: &[f32]) -> &[i8] {
        let far = REACH.unsigned_abs() * self.step;
        let places = self.about.len();
        for ready in self.ready.max(y.saturating_sub(far))..(y + far + 1).min(data.height()) {
            self.about[ready % places].fill(data.row(ready), far);
            self.ready = ready + 1;
        }
        let bounds = self.floor.iter_mut().zip(&mut self.ceiling);
        for ((floor, ceiling), (v, reach)) in bounds.zip(data.row(y).iter().zip(reaches)) {
            (*floor, *ceiling) = (v - reach, v + reach);
        }
        let rows = std::array::from_fn(|i| {
            let at = (y + i * self.step).checked_sub(far).filter(|at| *at < data.height());
            at.map_or(&self.none, |at| &self.about[at % places])
        });
        sides(rows, self.step, [&self.floor, &self.ceiling], &mut self.sides);
        &self.sides[..self.width]
    }
}

/// For each pixel: whether most of its known neighbours lie below its floor, or above its ceiling.
///
/// Where not one of those around a block lies beyond the outermost bound of its pixels, none is counted: so it
/// is nearly everywhere.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn sides(rows: [&Line; ROWS], step: usize, [floor, ceiling]: [&[f32]; 2], out: &mut [i8]) {
    let blocks = out.as_chunks_mut::<TOGETHER>().0.iter_mut();
    let bounds = floor.as_chunks::<TOGETHER>().0.iter().zip(ceiling.as_chunks::<TOGETHER>().0);
    for (i, (out, (floor, ceiling))) in blocks.zip(bounds).enumerate() {
        let (mut top, mut bottom) = (f32::NEG_INFINITY, f32::INFINITY);
        for k in 0..TOGETHER {
            top = if floor[k] > top { floor[k] } else { top };
            bottom = if ceiling[k] < bottom { ceiling[k] } else { bottom };
        }
        // Neighbours lie in the next block as well: rows are shifted by the reach.
        let reached = rows.iter().any(|row| {
            let blocks = i..(i + 2).min(row.lowest.len());
            row.lowest[blocks.clone()].iter().any(|v| *v < top)
                || row.highest[blocks].iter().any(|v| *v > bottom)
        });
        if !reached {
            *out = [0; TOGETHER];
            continue;
        }
        let (mut low, mut high) = ([0i32; TOGETHER], [0i32; TOGETHER]);
        for (j, row) in rows.iter().enumerate() {
            for shift in (0..ROWS).filter(|shift| (*shift, j) != (ROWS / 2, ROWS / 2)) {
                let from = row.samples[i * TOGETHER + shift * step..].first_chunk::<TOGETHER>();
                let Some(about) = from else { return };
                for k in 0..TOGETHER {
                    let v = about[k];
                    low[k] += i32::from(v < floor[k]) - i32::from(v >= floor[k]);
                    high[k] += i32::from(v > ceiling[k]) - i32::from(v <= ceiling[k]);
                }
            }
        }
        for k in 0..TOGETHER {
            out[k] = i8::from(low[k] > 0) - i8::from(high[k] > 0);
        }
    }
}

/// The noise of each colour of a tile, and the reach made of it.
fn noise_and_reach(
    data: &Plane<f32>,
    tile: Rect,
    cfa: Option<CfaPattern>,
    (levels, reach): (Levels, &dyn Fn(f32, f32) -> f32),
) -> [(f32, f32); 3] {
    let of = |samples: &Plane<f32>, step| {
        let sigma = stat::noise(samples.as_slice(), samples.width(), step) as f32;
        let level = match levels {
            Levels::Needed => stat::median(samples.as_slice()),
            Levels::NotNeeded => f32::NAN,
        };
        (sigma, reach(sigma, level))
    };
    match cfa {
        None => [of(&data.crop(tile), 1); 3],
        Some(cfa) => {
            let pattern = cfa.shifted(tile.x0, tile.y0);
            let step = cfa.period();
            [0, 1, 2].map(|channel| {
                let one_colour = Plane::from_fn(tile.size(), |x, y| {
                    if pattern.color(x, y).channel() == channel {
                        data.get(tile.x0 + x, tile.y0 + y)
                    } else {
                        f32::NAN
                    }
                });
                of(&one_colour, step)
            })
        }
    }
}
