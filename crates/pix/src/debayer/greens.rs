//! The two greens of a Bayer array, brought to one response.

use serde::{Deserialize, Serialize};

use crate::stat::{MAD_TO_SIGMA, median_mad, robust_mean};
use crate::{CfaColor, CfaPattern, Plane};

/// Cells of 2x2 that the difference is taken from, about.
const CELLS: usize = 1 << 17;

/// The difference counts from so many of its standard errors on: chance takes one frame in a million
/// there.
const SIGNIFICANT: f64 = 5.0;

/// Samples of the differences further than so many sigmas from their median do not count: stars.
const KAPPA: f64 = 3.0;

/// Of their level, the most by which greens of one sensor differ. A choice: those of sensors differ by
/// some percent; more is an offset, or no green.
const MOST: f64 = 0.2;

/// How the response of the greens in rows with red differs from that of the greens in rows with blue.
///
/// Interpolation takes such a difference for structure and draws a maze of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Greens {
    /// Column and row, 0 or 1, of the greens in rows with red.
    beside_red: (usize, usize),
    /// Their response over the mean of both, less 1.
    excess: f64,
}

impl Greens {
    /// The difference of a frame's greens, which its samples tell: the mean over cells that hold no
    /// star, against their level. `None` where it is no more than chance, more than a fifth of the
    /// level, or the array none of Bayer's.
    ///
    /// Samples that are not finite do not count.
    pub fn of(frame: &Plane<f32>, cfa: CfaPattern) -> Option<Self> {
        if !cfa.is_bayer() || frame.width() < 2 || frame.height() < 2 {
            return None;
        }
        let green = |x: usize, y: usize| cfa.color(x, y) == CfaColor::Green;
        let column = |y: usize| usize::from(!green(0, y));
        let red_row = usize::from(cfa.color(1 - column(0), 0) != CfaColor::Red);
        let pairs = frame.height() / 2;
        let every = (frame.size().pixels() / 4).div_ceil(CELLS).clamp(1, pairs);
        let (mut differences, mut levels) = (Vec::new(), Vec::new());
        for pair in (0..pairs).step_by(every) {
            let greens = |y: usize| frame.row(2 * pair + y).iter().skip(column(y)).step_by(2);
            for (a, b) in greens(red_row).zip(greens(1 - red_row)) {
                if (a - b).is_finite() {
                    differences.push(a - b);
                    levels.push(0.5 * (a + b));
                }
            }
        }
        let (_, mad) = median_mad(&differences);
        let error = MAD_TO_SIGMA * f64::from(mad) / (differences.len() as f64).sqrt();
        let difference = robust_mean(&differences, KAPPA);
        let excess = 0.5 * difference / robust_mean(&levels, KAPPA);
        let told = difference.abs() > SIGNIFICANT * error && 2.0 * excess.abs() <= MOST;
        told.then_some(Self { beside_red: (column(red_row), red_row), excess })
    }

    /// By how much of their mean the two differ: above 0 where those beside red are the brighter ones.
    pub fn difference(&self) -> f64 {
        2.0 * self.excess
    }

    /// Brings greens to the mean of both: samples of whole rows `width` wide from `first_row` on.
    pub fn equalise(&self, samples: &mut [f32], first_row: usize, width: usize) {
        self.multiply(samples, (first_row, width), |factor| factor);
    }

    /// What [`equalise`](Self::equalise) makes of the samples' variance.
    pub fn equalise_variance(&self, variance: &mut [f32], first_row: usize, width: usize) {
        self.multiply(variance, (first_row, width), |factor| factor * factor);
    }

    fn multiply(
        &self,
        samples: &mut [f32],
        (first_row, width): (usize, usize),
        of: impl Fn(f64) -> f64,
    ) {
        let (column, row) = self.beside_red;
        for (i, line) in samples.chunks_exact_mut(width.max(1)).enumerate() {
            let beside_red = (first_row + i) % 2 == row;
            let (first, excess) =
                if beside_red { (column, self.excess) } else { (1 - column, -self.excess) };
            let factor = of(1.0 / (1.0 + excess)) as f32;
            line.iter_mut().skip(first).step_by(2).for_each(|v| *v *= factor);
        }
    }
}
