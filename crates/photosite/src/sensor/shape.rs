//! How the differences of two frames are spread.

use photosite_pix::chance::{kolmogorov_tail, normal_below};

use super::cell::Cell;

/// Bins of equal probability; finer than the distance at which so many samples as are drawn would be told.
const BINS: usize = 1024;
/// Differences drawn from a pair. More would tell what no measurement suffers by.
const DRAWN: usize = 16_384;

/// How the differences of two frames are spread, in units of the scatter of their block.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shape {
    number: usize,
    bins: Vec<u32>,
}

impl Shape {
    /// Nothing seen yet of the pair of that number.
    pub fn of_pair(number: usize) -> Self {
        Self { number, bins: Vec::new() }
    }

    /// Draws some of the differences of a lane of a block, `at` which it is of how many.
    pub fn see(
        &mut self,
        (a, b): (&[f32], &[f32]),
        kept: &[f32],
        cell: &Cell,
        (at, of): (usize, usize),
    ) {
        let variance = cell.noise(1.0);
        if cell.n < 16.0 || cell.ends > 0.0 || variance <= 0.0 {
            return;
        }
        self.bins.resize(BINS, 0);
        // Whole numbers are spread evenly over their steps, which adds the variance of rounding.
        let scatter = (variance + 1.0 / 12.0).sqrt();
        let wanted = DRAWN.div_ceil(of).min(a.len() / 4).max(1);
        let step = (a.len() / wanted) | 1;
        for i in (at % step..a.len()).step_by(step).filter(|i| kept[*i] > 0.0) {
            let within = uniform((at as u64) << 24 | i as u64, self.number as u64) - 0.5;
            let off = f64::from(a[i]) - f64::from(b[i]) - (cell.mean_a - cell.mean_b) + within;
            let bin = (normal_below(off / scatter) * BINS as f64) as usize;
            self.bins[bin.min(BINS - 1)] += 1;
        }
    }

    /// Adds what was seen of other blocks.
    pub fn join(&mut self, other: &Self) {
        self.bins.resize(BINS, 0);
        self.bins.iter_mut().zip(&other.bins).for_each(|(a, b)| *a += b);
    }

    /// How many differences were drawn.
    pub fn count(&self) -> u64 {
        self.bins.iter().map(|n| u64::from(*n)).sum()
    }

    /// The largest difference between the share of differences below any value and that of a Gaussian.
    pub fn distance(&self) -> f64 {
        let all = self.count().max(1) as f64;
        let (mut below, mut most) = (0.0, 0.0f64);
        for (i, n) in self.bins.iter().enumerate() {
            below += f64::from(*n);
            most = most.max((below / all - (i + 1) as f64 / BINS as f64).abs());
        }
        most
    }

    /// The chance that Gaussian differences stray as far.
    pub fn chance(&self) -> f64 {
        kolmogorov_tail(self.distance(), self.count() as f64)
    }
}

/// A number from 0 to 1 that follows from two others.
fn uniform(a: u64, b: u64) -> f64 {
    let mut v = a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    v = (v ^ (v >> 31)).wrapping_mul(0x7fb5_d329_728e_a185);
    v = (v ^ (v >> 27)).wrapping_mul(0x81da_def4_bc2d_d44d);
    ((v ^ (v >> 33)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::super::cell::{CellRoom, measure_cell};
    use super::*;

    fn chance_of(shape: impl Fn(f64, usize) -> f64) -> f64 {
        let n = 128 * 128;
        let gauss = |i: usize, k: u64| {
            let twelve = (0..12).map(|j| uniform(i as u64 * 12 + j, k));
            twelve.sum::<f64>() - 6.0
        };
        let frame = |k: u64| -> Vec<f32> {
            (0..n).map(|i| (20_000.0 + shape(gauss(i, k), i)).round() as f32).collect()
        };
        let (a, b) = (frame(1), frame(2));
        let ends = [(0.0, 65_535.0); 2];
        let mut all = Shape::default();
        let mut room = CellRoom::default();
        for (i, (a, b)) in a.chunks(1024).zip(b.chunks(1024)).enumerate() {
            let cell = measure_cell((a, b), 32, ends, &mut room);
            let mut one = Shape::of_pair(0);
            one.see((a, b), room.kept(), &cell, (i, 16));
            all.join(&one);
        }
        assert!(all.count() > 3000);
        all.chance()
    }

    #[test]
    fn gaussian_differences_pass_and_others_do_not() {
        // Also where the noise is hardly more than the step of whole numbers.
        for sigma in [90.0, 4.0, 1.2] {
            let chance = chance_of(|g, _| sigma * g);
            assert!(chance > 1e-3, "{sigma}: {chance}");
        }
        // A lamp that is brighter for a third of the lines of one of them only, by two sigmas.
        let chance =
            chance_of(|g, i| 90.0 * (g + if i % 96 < 32 { 2.0 * g.signum() } else { 0.0 }));
        assert!(chance < 1e-6, "{chance}");
    }
}
