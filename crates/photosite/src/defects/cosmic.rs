//! Cosmic rays in single lights, by their edges, which are sharper than any star's.

use photosite_pix::{CfaPattern, Frame, MaskBits, Plane, Size, stat};

use super::repair::repair;

/// Sigmas of the Laplacian from which a pixel may be hit.
///
/// # Source
/// vanDokkum2001, section 3.
const SIGMAS: f32 = 4.5;

/// The same for a neighbour of a hit.
const BESIDE: f32 = 0.5 * SIGMAS;

/// How many times a star's own fine structure the Laplacian must be, half of it taken as its height.
///
/// # Source
/// vanDokkum2001, figure 4: 5 keeps undersampled stars, 2 would do for well sampled ones.
const CONTRAST: f32 = 5.0;

/// The same for a neighbour of a hit: on a star most of its pixels stand out.
///
/// # Source
/// vanDokkum2001, figure 4: what well sampled stars never reach.
const CONTRAST_BESIDE: f32 = 2.0;

/// Rounds of finding and mending: what stood behind a hit shows in the next.
const ROUNDS: usize = 4;

/// What the fine structure itself is uncertain by, in the noise of a pixel: medians of nine are that good.
const UNCERTAIN: f32 = 0.5;

/// Side of the tiles in which each colour of an array has its level.
const TILE: usize = 16;

/// Finds cosmic rays in a calibrated light with a variance, marks them COSMIC and mends them from their
/// neighbours (INTERPOLATED); tells how many pixels that were. Masked pixels are neither hit nor neighbours.
///
/// Under an array each colour's own sky (medians of tiles of 16 pixels, interpolated) is taken off first, and
/// all pixels are looked at together: on its own grid a star would be as sharp as a hit. Without a variance
/// nothing is found.
///
/// # Source
/// vanDokkum2001, L.A.Cosmic: the Laplacian of the image sampled twice as finely, its negative parts cut
/// off, over the noise; less its median over 5x5; over the fine structure M3 - M7(M3).
pub fn remove_cosmic_rays(frame: &mut Frame, cfa: Option<CfaPattern>) -> usize {
    let mut struck = 0;
    for _ in 0..ROUNDS {
        let found = find_cosmic_rays(frame, cfa);
        if found.is_empty() {
            break;
        }
        for &(x, y) in &found {
            frame.mask.row_mut(y)[x] |= MaskBits::COSMIC;
        }
        struck += found.len();
        repair(frame, cfa, &found);
    }
    struck
}

/// The pixels that were hit, row after row, each once; those marked before are left out.
pub fn find_cosmic_rays(frame: &Frame, cfa: Option<CfaPattern>) -> Vec<(usize, usize)> {
    let Some(variance) = &frame.variance else { return Vec::new() };
    let level = cfa.map(|cfa| above_sky(&frame.data, cfa));
    let data = level.as_ref().unwrap_or(&frame.data);
    let look = Look { frame, data, variance, edges: edges(data) };
    let size = frame.size();
    let mut hit = Vec::new();
    let mut marked = Plane::filled(size, false);
    for y in 0..size.height {
        for x in 0..size.width {
            // Cheap, and never less than what is asked in earnest.
            let edge = look.edges.get(x, y);
            let most = SIGMAS * 2.0 * look.least_noise(x, y);
            if edge > most && look.is_usable(x, y) && look.is_hit(x, y, (SIGMAS, CONTRAST)) {
                marked.set(x, y, true);
                hit.push((x, y));
            }
        }
    }
    // Neighbours are held to less, and theirs once more, so that a trail's faint end comes along.
    for _ in 0..2 {
        for i in 0..hit.len() {
            let (x, y) = hit[i];
            for (nx, ny) in look.around(x, y, 1) {
                let fresh = !marked.get(nx, ny) && look.is_usable(nx, ny);
                if fresh && look.is_hit(nx, ny, (BESIDE, CONTRAST_BESIDE)) {
                    marked.set(nx, ny, true);
                    hit.push((nx, ny));
                }
            }
        }
    }
    hit.sort_unstable_by_key(|&(x, y)| (y, x));
    hit
}

/// A mosaic above the sky of each of its colours.
fn above_sky(data: &Plane<f32>, cfa: CfaPattern) -> Plane<f32> {
    let size = data.size();
    let tiles = Size::new(size.width.div_ceil(TILE), size.height.div_ceil(TILE));
    let mut samples = Vec::new();
    let levels = [0, 1, 2].map(|channel| {
        Plane::from_fn(tiles, |tx, ty| {
            samples.clear();
            for y in ty * TILE..((ty + 1) * TILE).min(size.height) {
                for x in tx * TILE..((tx + 1) * TILE).min(size.width) {
                    if cfa.color(x, y).channel() == channel && data.get(x, y).is_finite() {
                        samples.push(data.get(x, y));
                    }
                }
            }
            stat::median_in_place(&mut samples)
        })
    });
    // Between the middles of tiles, by straight lines.
    let place = |v: usize, count: usize| {
        let at = ((v as f32 + 0.5) / TILE as f32 - 0.5).clamp(0.0, (count - 1) as f32);
        let low = (at as usize).min(count - 1);
        (low, (low + 1).min(count - 1), at - low as f32)
    };
    Plane::from_fn(size, |x, y| {
        let level = &levels[cfa.color(x, y).channel()];
        let ((x0, x1, fx), (y0, y1, fy)) = (place(x, tiles.width), place(y, tiles.height));
        let row = |y: usize| level.get(x0, y) * (1.0 - fx) + level.get(x1, y) * fx;
        data.get(x, y) - (row(y0) * (1.0 - fy) + row(y1) * fy)
    })
}

/// The Laplacian of the image sampled twice as finely, negative parts cut off, four to a pixel averaged: of a
/// single pixel twice its height. 0 where a neighbour is missing.
fn edges(data: &Plane<f32>) -> Plane<f32> {
    let size = data.size();
    let mut out = Plane::filled(size, 0.0f32);
    if size.width <= 2 || size.height <= 2 {
        return out;
    }
    for y in 1..size.height - 1 {
        let (up, own, down) = (data.row(y - 1), data.row(y), data.row(y + 1));
        let row = out.row_mut(y);
        for x in 1..size.width - 1 {
            let v = 2.0 * own[x];
            let (l, r, u, d) = (own[x - 1], own[x + 1], up[x], down[x]);
            let part = |a: f32, b: f32| {
                let p = v - a - b;
                if p > 0.0 { p } else { 0.0 }
            };
            row[x] = 0.25 * (part(l, u) + part(r, u) + part(l, d) + part(r, d));
        }
    }
    out
}

struct Look<'a> {
    frame: &'a Frame,
    /// Its samples; under an array above the sky of their colour.
    data: &'a Plane<f32>,
    variance: &'a Plane<f32>,
    edges: Plane<f32>,
}

impl Look<'_> {
    /// Nothing is known against it, nor is it the flank of what is burnt out.
    fn is_usable(&self, x: usize, y: usize) -> bool {
        let full = |(x, y)| self.frame.mask.get(x, y).contains(MaskBits::SATURATED);
        if self.around(x, y, 1).any(full) {
            return false;
        }
        let mask = self.frame.mask.get(x, y);
        mask.is_good()
            && !mask.contains(MaskBits::INTERPOLATED)
            && self.frame.data.get(x, y).is_finite()
    }

    /// The pixels up to `reach` around one, itself among them.
    fn around(&self, x: usize, y: usize, reach: isize) -> impl Iterator<Item = (usize, usize)> {
        let size = self.frame.size();
        let at =
            move |v: usize, d: isize, limit: usize| v.checked_add_signed(d).filter(|p| *p < limit);
        (-reach..=reach).filter_map(move |dy| at(y, dy, size.height)).flat_map(move |ny| {
            (-reach..=reach).filter_map(move |dx| at(x, dx, size.width)).map(move |nx| (nx, ny))
        })
    }

    /// The noise that the quietest of the next pixels has.
    fn least_noise(&self, x: usize, y: usize) -> f32 {
        let mut least = f32::INFINITY;
        let around = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)];
        for (dx, dy) in around {
            let nx = x.checked_add_signed(dx);
            let ny = y.checked_add_signed(dy);
            if let (Some(nx), Some(ny)) = (nx, ny)
                && nx < self.frame.size().width
                && ny < self.frame.size().height
            {
                let v = self.variance.get(nx, ny);
                least = if v < least { v } else { least };
            }
        }
        least.sqrt()
    }

    /// The noise that the pixel's surroundings expect of it: a hit's own does not count.
    fn noise(&self, x: usize, y: usize) -> f32 {
        let mut all: Vec<f32> = self
            .around(x, y, 2)
            .map(|(x, y)| self.variance.get(x, y))
            .filter(|v| *v > 0.0)
            .collect();
        stat::median_in_place(&mut all).sqrt()
    }

    /// Sigmas of the Laplacian, less what the pixels around have.
    fn excess(&self, x: usize, y: usize) -> f32 {
        let noise = 2.0 * self.noise(x, y);
        let mut all: Vec<f32> = self.around(x, y, 2).map(|(x, y)| self.edges.get(x, y)).collect();
        (self.edges.get(x, y) - stat::median_in_place(&mut all)) / noise
    }

    fn median_of(&self, x: usize, y: usize) -> f32 {
        let mut all: [f32; 9] = [f32::NAN; 9];
        let mut n = 0;
        for (x, y) in self.around(x, y, 1) {
            all[n] = self.data.get(x, y);
            n += usize::from(all[n].is_finite());
        }
        stat::median_in_place(&mut all[..n])
    }

    /// Its edge stands out of the noise, and of the fine structure of what is there, by so much each.
    fn is_hit(&self, x: usize, y: usize, (sigmas, contrast): (f32, f32)) -> bool {
        let excess = self.excess(x, y);
        // Nor what is not known.
        let stands = excess > sigmas;
        if !stands {
            return false;
        }
        let mut smooth: Vec<f32> = self
            .around(x, y, 3)
            .map(|(x, y)| self.median_of(x, y))
            .filter(|v| v.is_finite())
            .collect();
        let fine = self.median_of(x, y) - stat::median_in_place(&mut smooth);
        let noise = self.noise(x, y);
        let fine = if fine > 0.0 { fine } else { 0.0 } + UNCERTAIN * noise;
        excess * noise > contrast * fine
    }
}
