//! A glow over the sensor, block by block, and between their centres.

use std::collections::BTreeMap;

use super::lsq::Design;
use super::measured::Grid;

/// Blocks to each side of one that a smooth glow is fitted over.
const REACH: usize = 2;

/// How strong the glow is in each block.
#[derive(Debug, Clone, PartialEq)]
pub struct GlowMap {
    /// Its blocks.
    pub grid: Grid,
    /// In ADU, row after row.
    pub blocks: Vec<f32>,
}

impl GlowMap {
    /// A map through noisy blocks, NaN where one is not known: each is what the parabola says that
    /// fits the blocks around it.
    pub(super) fn smooth(grid: Grid, noisy: &[f64]) -> Self {
        let (columns, rows) = (grid.columns(), grid.rows());
        let mut blocks = Vec::with_capacity(noisy.len());
        // Away from gaps the same blocks lie around, but at the rim.
        let mut known: BTreeMap<[usize; 4], Option<Design>> = BTreeMap::new();
        for row in 0..rows {
            for column in 0..columns {
                let (mut shapes, mut values) = (vec![Vec::new(); 6], Vec::new());
                let near =
                    |at: usize, end: usize| at.saturating_sub(REACH)..(at + REACH + 1).min(end);
                let (tall, wide) = (near(row, rows), near(column, columns));
                for r in tall.clone() {
                    for c in wide.clone() {
                        let value = noisy[r * columns + c];
                        if !value.is_finite() {
                            continue;
                        }
                        let (x, y) = (c as f64 - column as f64, r as f64 - row as f64);
                        let at = [1.0, x, y, x * x, x * y, y * y];
                        shapes.iter_mut().zip(at).for_each(|(s, v)| s.push(v));
                        values.push(value);
                    }
                }
                let weights = vec![1.0; values.len()];
                // Where a parabola is not to be had, a plane, or what there is.
                let fit = || [6, 3, 1].iter().find_map(|k| Design::new(&shapes[..*k], &weights));
                let value = if values.len() == tall.len() * wide.len() {
                    let key =
                        [row - tall.start, tall.end - row, column - wide.start, wide.end - column];
                    let fit = known.entry(key).or_insert_with(fit);
                    fit.as_ref().map(|fit| fit.coefficient(0, &values))
                } else {
                    fit().map(|fit| fit.coefficient(0, &values))
                };
                blocks.push(value.unwrap_or(0.0) as f32);
            }
        }
        Self { grid, blocks }
    }

    /// Adds a constant.
    pub(super) fn lift(&mut self, by_adu: f64) {
        self.blocks.iter_mut().for_each(|v| *v = (f64::from(*v) + by_adu) as f32);
    }

    /// The level that all but so large a share of the blocks reach.
    pub(super) fn share(&self, share: f64) -> f64 {
        let mut sorted = self.blocks.clone();
        sorted.sort_by(f32::total_cmp);
        let at = (sorted.len() as f64 * share) as usize;
        sorted.get(at.min(sorted.len().saturating_sub(1))).map_or(0.0, |v| f64::from(*v))
    }

    /// The strongest block.
    pub fn peak_adu(&self) -> f64 {
        f64::from(self.blocks.iter().copied().fold(f32::NEG_INFINITY, f32::max))
    }

    /// The glow in row `y` of the sensor, pixel by pixel.
    pub fn row(&self, y: usize, out: &mut [f32]) {
        let (columns, rows) = (self.grid.columns(), self.grid.rows());
        // Beyond the centre of the last block its slope goes on.
        let place = |at: usize, count: usize| {
            let centre = (at as f64 + 0.5) / self.grid.side as f64 - 0.5;
            let low = (centre.floor().max(0.0) as usize).min(count.saturating_sub(2));
            (low, if count > 1 { centre - low as f64 } else { 0.0 })
        };
        let (r, dy) = place(y, rows);
        let below = (r + 1).min(rows - 1);
        for (x, v) in out.iter_mut().enumerate() {
            let (c, dx) = place(x, columns);
            let right = (c + 1).min(columns - 1);
            let along = |r: usize| {
                let (a, b) = (self.blocks[r * columns + c], self.blocks[r * columns + right]);
                f64::from(a) + dx * (f64::from(b) - f64::from(a))
            };
            let (upper, lower) = (along(r), along(below));
            *v = (upper + dy * (lower - upper)) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::Size;

    use super::*;

    #[test]
    fn a_bent_glow_comes_back_pixel_by_pixel() {
        for size in [Size::new(96, 64), Size::new(93, 61), Size::new(8, 8)] {
            let grid = Grid::new(size, None);
            let shape = |x: f64, y: f64| 50.0 + 0.02 * x * x + 0.3 * y;
            let middle = |b: usize| (b * grid.side) as f64 + 0.5 * (grid.side as f64 - 1.0);
            let noisy: Vec<f64> = (0..grid.rows() * grid.columns())
                .map(|i| shape(middle(i % grid.columns()), middle(i / grid.columns())))
                .collect();
            let map = GlowMap::smooth(grid, &noisy);
            let mut row = vec![0.0; size.width];
            for y in 0..size.height {
                map.row(y, &mut row);
                for (x, v) in row.iter().enumerate().filter(|_| grid.columns() > 1) {
                    let error = f64::from(*v) - shape(x as f64, y as f64);
                    // A straight line over a parabola: half its bend times the distances to both ends.
                    let inside = x >= grid.side && x + grid.side < size.width;
                    let most = 0.02 * if inside { 16.0 } else { 4.0 * 12.0 };
                    assert!(error.abs() <= most + 1e-3, "({x}, {y}): {error}");
                }
            }
        }
    }
}
