//! The level of a frame tile by tile, and how strongly that of a light follows that of a dark: how
//! much of the dark's glow the light holds.

use std::ops::Range;

use photosite_pix::slope::{Point, Slope, through_origin};
use photosite_pix::{Size, stat};

/// Tiles along the longer side, about: a glow falls off over several of them.
const ALONG: usize = 32;
/// The least side of a tile in pixels, of which each holds enough for a median.
const LEAST: usize = 12;

/// Medians of square tiles.
#[derive(Debug, Clone)]
pub(super) struct Tiles {
    size: Size,
    side: usize,
    columns: usize,
    levels: Vec<f32>,
}

impl Tiles {
    pub fn new(size: Size) -> Self {
        // Whole cells of every filter array.
        let side = size.width.max(size.height).div_ceil(ALONG).max(LEAST).next_multiple_of(6);
        let (columns, rows) = (size.width.div_ceil(side), size.height.div_ceil(side));
        Self { size, side, columns, levels: vec![f32::NAN; columns * rows] }
    }

    /// The rows of pixels of each row of tiles.
    pub fn bands(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (side, height) = (self.side, self.size.height);
        (0..height).step_by(side).map(move |y| y..(y + side).min(height))
    }

    /// Measures a row of tiles; `which` says which pixels of the band count.
    pub fn see(&mut self, row: usize, band: &[f32], which: impl Fn(usize, usize) -> bool) {
        let first = row * self.side;
        let mut tile = Vec::with_capacity(self.side * self.side);
        for c in 0..self.columns {
            tile.clear();
            let columns = c * self.side..((c + 1) * self.side).min(self.size.width);
            for (n, line) in band.chunks_exact(self.size.width).enumerate() {
                let cells = columns.clone().zip(&line[columns.clone()]);
                let cells = cells.filter(|(x, _)| which(*x, first + n));
                tile.extend(cells.map(|(_, v)| *v).filter(|v| v.is_finite()));
            }
            self.levels[row * self.columns + c] = stat::median(&tile);
        }
    }

    /// The level of the tile of column `x` in a row of tiles.
    pub fn level(&self, x: usize, row: usize) -> f32 {
        self.levels[row * self.columns + x / self.side]
    }

    /// The median of all.
    pub fn median(&self) -> f64 {
        let known: Vec<f32> = self.levels.iter().copied().filter(|v| v.is_finite()).collect();
        f64::from(stat::median(&known))
    }

    /// The root mean square of what a gently curved plane does not explain, in the frame's unit.
    pub fn structure_adu(&self) -> f64 {
        let left = self.rest();
        let known: Vec<f64> = left.into_iter().filter(|v| v.is_finite()).collect();
        (known.iter().map(|v| v * v).sum::<f64>() / known.len().max(1) as f64).sqrt()
    }

    /// The root mean square of all that is not level.
    pub fn smooth_adu(&self) -> f64 {
        let middle = self.median();
        let known = self.levels.iter().filter(|v| v.is_finite());
        let (sum, n) =
            known.fold((0.0, 0usize), |(s, n), v| (s + (f64::from(*v) - middle).powi(2), n + 1));
        (sum / n.max(1) as f64).sqrt()
    }

    /// How much of the structure of `dark` is in these tiles; with an error that holds what other
    /// structure does: the dark's turned over and round serves as placebo. `None` where there are too
    /// few tiles.
    pub fn follow(&self, dark: &Self) -> Option<Slope> {
        self.follows(&self.rest(), &dark.rest())
    }

    /// The same of all that is not level, slopes and bends too: a sky with a gradient of its own makes the
    /// error large.
    pub fn follow_whole(&self, dark: &Self) -> Option<Slope> {
        let beside = |tiles: &Self| -> Vec<f64> {
            let middle = tiles.median();
            tiles.levels.iter().map(|v| f64::from(*v) - middle).collect()
        };
        self.follows(&beside(self), &beside(dark))
    }

    fn follows(&self, own: &[f64], glow: &[f64]) -> Option<Slope> {
        let rows = self.levels.len() / self.columns;
        // How strongly what is left of the light after `gone` times the glow follows the glow, turned.
        let slope = |gone: f64, turned: &dyn Fn(usize, usize) -> usize| {
            let points: Vec<Point> = (0..self.levels.len())
                .map(|i| {
                    let x = glow[turned(i % self.columns, i / self.columns)];
                    Point { x, y: own[i] - gone * glow[i], sd: 1.0 }
                })
                .collect();
            through_origin(&points).filter(|s| s.count >= 60)
        };
        let columns = self.columns;
        let real = slope(0.0, &|c, r| r * columns + c)?;
        let placebos = [
            slope(real.k, &|c, r| r * columns + (columns - 1 - c))?,
            slope(real.k, &|c, r| (rows - 1 - r) * columns + c)?,
            slope(real.k, &|c, r| (rows - 1 - r) * columns + (columns - 1 - c))?,
        ];
        let spread = placebos.iter().map(|p| p.k * p.k).sum::<f64>() / 3.0;
        Some(Slope { error: real.error.hypot(spread.sqrt()), ..real })
    }

    /// The levels less the plane with bends that fits them best; NaN where there is none.
    fn rest(&self) -> Vec<f64> {
        let rows = self.levels.len() / self.columns.max(1);
        let at = |n: usize, of: usize| 2.0 * (n as f64 + 0.5) / of.max(1) as f64 - 1.0;
        let mut rest: Vec<f64> = self.levels.iter().map(|v| f64::from(*v)).collect();
        let known: Vec<bool> = rest.iter().map(|v| v.is_finite()).collect();
        let shapes: [fn(f64, f64) -> f64; 6] =
            [|_, _| 1.0, |x, _| x, |_, y| y, |x, _| x * x, |x, y| x * y, |_, y| y * y];
        let mut basis: Vec<Vec<f64>> = Vec::new();
        for shape in shapes {
            let mut new: Vec<f64> = (0..rest.len())
                .map(|i| match known[i] {
                    true => shape(at(i % self.columns, self.columns), at(i / self.columns, rows)),
                    false => 0.0,
                })
                .collect();
            for old in &basis {
                let along = dot(&new, old);
                new.iter_mut().zip(old).for_each(|(n, o)| *n -= along * o);
            }
            let length = dot(&new, &new).sqrt();
            if length > 1e-9 {
                new.iter_mut().for_each(|n| *n /= length);
                basis.push(new);
            }
        }
        for shape in &basis {
            let sum = |i: usize| if known[i] { rest[i] * shape[i] } else { 0.0 };
            let along: f64 = (0..rest.len()).map(sum).sum();
            rest.iter_mut().zip(shape).for_each(|(r, s)| *r -= along * s);
        }
        rest
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
