//! Cosmic rays in single lights, by their edges, which are sharper than any star's.

use photosite_pix::combine::column_medians;
use photosite_pix::{CfaPattern, Frame, MaskBits, Plane, Size, stat};

use super::repair::repair;

/// What a pixel must show to be held for a hit.
#[derive(Clone, Copy)]
struct Least {
    /// Sigmas of its Laplacian.
    sigmas: f32,
    /// How many times a star's own fine structure the Laplacian must be, half of it taken as its height.
    contrast: f32,
    /// What the fine structure itself is uncertain by, in the noise of a pixel.
    uncertain: f32,
}

/// By itself: no peak of a faint star's noise, of thousands, stands out so far.
///
/// # Source
/// vanDokkum2001, section 3 and figure 4: a contrast of 5 keeps undersampled stars, 2 would do for well sampled
/// ones.
const ALONE: Least = Least { sigmas: 4.5, contrast: 5.0, uncertain: 1.3 };

/// Where the next does so too: a star has one peak.
const TOGETHER: Least = Least { uncertain: 0.4, ..ALONE };

/// Beside a hit, which itself is no structure.
const BESIDE: Least = Least { sigmas: 2.25, contrast: 4.0, uncertain: 0.9 };

/// Beside a hit behind which lies another: a track that goes on, and a star that it crosses stays.
const ALONG: Least = Least { sigmas: 2.25, contrast: 2.5, uncertain: 0.2 };

/// Of an array, among the pixels of its own colour as well: where a star's colour is not the sky's, one colour
/// stands above the others all over it.
const OF_ITS_COLOUR: Least = Least { sigmas: 2.25, contrast: 1.5, uncertain: 0.5 };

/// Rounds of finding and mending: what stood behind a hit shows in the next.
const ROUNDS: usize = 4;

/// Side in pixels of what a pixel's fine structure is measured against: vanDokkum2001's M7.
const SIDE: usize = 7;

/// Side of the tiles in which each colour of an array has its level.
const TILE: usize = 16;

/// Finds cosmic rays in a calibrated light with a variance, marks them COSMIC and mends them from their
/// neighbours (INTERPOLATED); tells how many pixels that were. Masked pixels are neither hit nor neighbours.
///
/// Under an array each colour's own sky (medians of tiles of 16 pixels, interpolated) is taken off first, and
/// all pixels are looked at together: on its own grid a star would be as sharp as a hit. Under a Bayer array a
/// hit must stand out there as well. Without a variance nothing is found.
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

/// The pixels that were hit, row after row, each once; those marked before are left out, but lead to others.
pub fn find_cosmic_rays(frame: &Frame, cfa: Option<CfaPattern>) -> Vec<(usize, usize)> {
    let Some(variance) = &frame.variance else { return Vec::new() };
    let level = cfa.map(|cfa| above_sky(&frame.data, cfa));
    let look = Look::new(frame, level.as_ref().unwrap_or(&frame.data), variance, 1);
    let bayer = cfa.map(CfaPattern::period).filter(|period| *period == 2);
    let own = bayer.map(|period| Look::new(frame, &frame.data, variance, period));
    let is_hit = |(x, y), least: Least, known: &Plane<bool>| {
        look.is_hit((x, y), least, known)
            && own.as_ref().is_none_or(|own| own.is_hit((x, y), OF_ITS_COLOUR, known))
    };
    let size = frame.size();
    let none = Plane::filled(size, false);
    let mut known = none.clone();
    let mut stands = none.clone();
    // What was found before, then what is found now.
    let (mut hits, mut likely) = (Vec::new(), Vec::new());
    for y in 0..size.height {
        for x in 0..size.width {
            // Cheap, and never less than what is asked in earnest.
            let most = TOGETHER.sigmas * 2.0 * look.least_noise(x, y);
            if frame.mask.get(x, y).contains(MaskBits::COSMIC) {
                known.set(x, y, true);
                hits.push((x, y));
            } else if look.edges.get(x, y) > most
                && look.is_usable(x, y)
                && is_hit((x, y), TOGETHER, &none)
            {
                stands.set(x, y, true);
                likely.push((x, y));
            }
        }
    }
    let before = hits.len();
    for (x, y) in likely {
        let others = look.around((x, y), 1).filter(|&(x, y)| stands.get(x, y)).count() - 1;
        if others > 0 || is_hit((x, y), ALONE, &none) {
            known.set(x, y, true);
            hits.push((x, y));
        }
    }
    // Neighbours are held to less, and theirs again, so that a track comes along to its faint end.
    let mut next = 0;
    while let Some(&hit) = hits.get(next) {
        next += 1;
        for (x, y) in look.around(hit, 1) {
            if known.get(x, y) || !look.is_usable(x, y) {
                continue;
            }
            let least = if look.continues((x, y), hit, &known) { ALONG } else { BESIDE };
            if is_hit((x, y), least, &known) {
                known.set(x, y, true);
                hits.push((x, y));
            }
        }
    }
    let mut found = hits.split_off(before);
    found.sort_unstable_by_key(|&(x, y)| (y, x));
    found
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
fn edges(data: &Plane<f32>, step: usize) -> Plane<f32> {
    let size = data.size();
    let mut out = Plane::filled(size, 0.0f32);
    if size.width <= 2 * step || size.height <= 2 * step {
        return out;
    }
    for y in step..size.height - step {
        let (up, own, down) = (data.row(y - step), data.row(y), data.row(y + step));
        let row = out.row_mut(y);
        for x in step..size.width - step {
            let v = 2.0 * own[x];
            let (l, r, u, d) = (own[x - step], own[x + step], up[x], down[x]);
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
    /// Pixels from one to the next that is looked at.
    step: usize,
}

impl<'a> Look<'a> {
    fn new(frame: &'a Frame, data: &'a Plane<f32>, variance: &'a Plane<f32>, step: usize) -> Self {
        Self { frame, data, variance, edges: edges(data, step), step }
    }

    /// Nothing is known against it, nor is it the flank of what is burnt out.
    fn is_usable(&self, x: usize, y: usize) -> bool {
        let full = |(x, y)| self.frame.mask.get(x, y).contains(MaskBits::SATURATED);
        if self.around((x, y), 1).any(full) {
            return false;
        }
        let mask = self.frame.mask.get(x, y);
        mask.is_good()
            && !mask.contains(MaskBits::INTERPOLATED)
            && self.frame.data.get(x, y).is_finite()
    }

    /// The pixels up to `reach` steps around one, itself among them.
    fn around(&self, (x, y): (usize, usize), reach: isize) -> impl Iterator<Item = (usize, usize)> {
        let (size, step) = (self.frame.size(), self.step as isize);
        let at = move |v: usize, d: isize, limit: usize| {
            v.checked_add_signed(d * step).filter(|p| *p < limit)
        };
        (-reach..=reach).filter_map(move |dy| at(y, dy, size.height)).flat_map(move |ny| {
            (-reach..=reach).filter_map(move |dx| at(x, dx, size.width)).map(move |nx| (nx, ny))
        })
    }

    /// Whether a track that comes by a hit beside a pixel goes on to it.
    fn continues(&self, (x, y): (usize, usize), hit: (usize, usize), known: &Plane<bool>) -> bool {
        let behind = |&(bx, by): &(usize, usize)| x.abs_diff(bx).max(y.abs_diff(by)) > 1;
        self.around(hit, 1).filter(behind).any(|(bx, by)| known.get(bx, by))
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
            .around((x, y), 2)
            .map(|(x, y)| self.variance.get(x, y))
            .filter(|v| *v > 0.0)
            .collect();
        stat::median_in_place(&mut all).sqrt()
    }

    /// Sigmas of the Laplacian, less what the pixels around have.
    fn excess(&self, x: usize, y: usize) -> f32 {
        let noise = 2.0 * self.noise(x, y);
        let mut all: Vec<f32> = self.around((x, y), 2).map(|(x, y)| self.edges.get(x, y)).collect();
        (self.edges.get(x, y) - stat::median_in_place(&mut all)) / noise
    }

    /// The medians over 3x3 of the 7x7 around a pixel, of what is not known for a hit; NaN beyond the frame.
    fn medians_around(&self, at: (usize, usize), known: &Plane<bool>) -> [f32; SIDE * SIDE] {
        let mut window = [[f32::NAN; SIDE + 2]; SIDE + 2];
        let reach = (SIDE as isize + 1) / 2;
        let inside = |row: usize, column: usize| {
            let to = |v: usize, by: usize| {
                v.checked_add_signed((by as isize - reach) * self.step as isize)
            };
            let (x, y) = (to(at.0, column)?, to(at.1, row)?);
            (x < self.data.width() && y < self.data.height()).then_some((x, y))
        };
        for (row, samples) in window.iter_mut().enumerate() {
            for (column, sample) in samples.iter_mut().enumerate() {
                let seen = inside(row, column).filter(|&(x, y)| !known.get(x, y));
                *sample = seen.map_or(f32::NAN, |(x, y)| self.data.get(x, y));
            }
        }
        let shifted: [[f32; SIDE * SIDE]; 9] = std::array::from_fn(|by| {
            std::array::from_fn(|i| window[i / SIDE + by / 3][i % SIDE + by % 3])
        });
        let mut medians = [f32::NAN; SIDE * SIDE];
        column_medians(&shifted.each_ref().map(|s| &s[..]), &mut medians);
        for (i, median) in medians.iter_mut().enumerate() {
            if inside(i / SIDE + 1, i % SIDE + 1).is_none() {
                *median = f32::NAN;
            }
        }
        medians
    }

    /// Its edge stands out of the noise, and of the fine structure of what is there, by so much each; hits
    /// that are known are no structure.
    fn is_hit(&self, (x, y): (usize, usize), least: Least, known: &Plane<bool>) -> bool {
        let excess = self.excess(x, y);
        // Nor what is not known.
        let stands = excess > least.sigmas;
        if !stands {
            return false;
        }
        let mut smooth = self.medians_around((x, y), known);
        let own = smooth[SIDE * SIDE / 2];
        let fine = own - stat::median_in_place(&mut smooth);
        let noise = self.noise(x, y);
        let fine = if fine > 0.0 { fine } else { 0.0 } + least.uncertain * noise;
        excess * noise > least.contrast * fine
    }
}
