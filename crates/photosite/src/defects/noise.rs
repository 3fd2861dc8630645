//! The noise of one frame, place by place.

use photosite_pix::stat;

use super::sums::share_without_extreme;

/// Side of a place in pixels.
pub const CELL: usize = 64;

/// One pixel in so many tells what is ordinary in a place.
const SAMPLED: usize = 4;

/// The noise of one of a number of frames, in cells of 64 pixels: where a glow lies, it is higher.
#[derive(Debug, Clone, Default)]
pub struct FrameNoise {
    /// Cell after cell, row after row, in ADU.
    cells: Vec<f32>,
    across: usize,
    /// Frames.
    frames: usize,
    typical: f32,
}

/// The variance of a pixel of one frame in each cell of a row of them: the median of those that
/// [`mean_and_variance`](super::mean_and_variance) gave.
pub fn cell_variances(variance: &[f32], width: usize) -> Vec<f32> {
    let mut samples = Vec::new();
    (0..width)
        .step_by(CELL)
        .map(|x0| {
            samples.clear();
            let x1 = (x0 + CELL).min(width);
            for (y, row) in variance.chunks_exact(width).enumerate() {
                // Of all places of any filter array alike.
                samples.extend(row[x0..x1].iter().skip(y / 2 % SAMPLED).step_by(SAMPLED));
            }
            stat::median_in_place(&mut samples)
        })
        .collect()
}

impl FrameNoise {
    /// Of the variances of rows of cells, one after the other; none where there are too few frames to tell.
    pub fn new(variances: &[f32], width: usize, frames: usize) -> Self {
        let kept = share_without_extreme(frames) as f32;
        let cells: Vec<f32> = variances.iter().map(|v| (v / kept).sqrt()).collect();
        let typical = stat::median(&cells);
        let typical = if typical.is_finite() { typical } else { 0.0 };
        Self { cells, across: width.div_ceil(CELL), frames, typical }
    }

    /// The noise of one frame, typically; 0 where it is not known.
    pub fn typical(&self) -> f32 {
        self.typical
    }

    /// At a pixel; 0 where it is not known.
    pub fn at(&self, x: usize, y: usize) -> f32 {
        let here = self.cells.get(y / CELL * self.across + x / CELL).copied();
        here.filter(|v| v.is_finite()).unwrap_or(0.0)
    }

    /// The noise of the mean of all frames, and of what its neighbours say of it.
    pub fn of_mean_at(&self, x: usize, y: usize) -> f32 {
        1.05 * self.at(x, y) / (self.frames.max(1) as f32).sqrt()
    }
}
