//! Pixels that are hot in the warmest darks: they count neither for levels nor for noise of any frame.

use super::cell::{CellRoom, measure_cell};
use super::grid::Grid;

/// Hot pixels of each lane of each block, by their place in it.
///
/// A pixel that is told from others after minutes in the warm is among them in cold and short darks, where
/// it still adds to level and noise: all darks must leave the same pixels out, else their slope is off.
#[derive(Debug, Clone, Default)]
pub struct HotPixels {
    cells: Vec<Vec<u32>>,
}

impl HotPixels {
    /// Looks for them in one row of blocks of two darks (or one, named twice).
    pub fn see_strip((grid, strip): (&Grid, usize), a: &[f32], b: &[f32]) -> Self {
        let grid = grid.at_strip(strip);
        let open = [(f32::NEG_INFINITY, f32::INFINITY); 2];
        let mut room = CellRoom::default();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let mut cells = Vec::with_capacity(grid.across * grid.lanes.len());
        for column in 0..grid.across {
            for lane in 0..grid.lanes.len() {
                let line = grid.gather(a, column, lane, &mut first);
                grid.gather(b, column, lane, &mut second);
                let cell = measure_cell((&first, &second), line, open, &mut room);
                let (mean_a, mean_b) = (cell.mean_a as f32, cell.mean_b as f32);
                let samples = first.iter().zip(&second).zip(room.kept()).enumerate();
                // A hit is in one of them only.
                let hot = samples
                    .filter(|(_, ((a, b), kept))| **kept == 0.0 && **a > mean_a && **b > mean_b);
                cells.push(hot.map(|(i, _)| i as u32).collect());
            }
        }
        Self { cells }
    }

    /// Adds the next row of blocks.
    pub fn join(&mut self, next: Self) {
        self.cells.extend(next.cells);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.cells.iter().map(Vec::len).sum()
    }

    /// Those of a lane of a block.
    pub fn of(&self, at: usize) -> &[u32] {
        self.cells.get(at).map_or(&[], Vec::as_slice)
    }

    /// Makes them NaN among the samples of a lane of a block.
    pub fn leave_out(&self, at: usize, samples: &mut [f32]) {
        self.of(at).iter().for_each(|i| samples[*i as usize] = f32::NAN);
    }
}
