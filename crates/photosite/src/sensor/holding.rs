//! Single pixels that hold charge after they were full, by the darks that followed.

use std::ops::Range;

use photosite_pix::MaskBits;
use photosite_pix::stat::{MAD_TO_SIGMA, median, median_mad};

use super::grid::Grid;
use crate::defects::Seen;

/// Fewest darks that followed no saturated frame, by which a pixel's own noise is told.
pub const FEW_OTHERS: usize = 3;
/// Sigmas that a pixel must hold in the first dark, and in the second: a ray strikes one of them.
const HOLDS: [f32; 2] = [5.0, 3.0];
/// With as many pixels that were full in a lane of a block, they are compared with each other, else with all: what
/// the whole sensor holds is no fault of a pixel.
const FEW_FULL: usize = 32;
/// What bright pixels change by from dark to dark as their temperature does, as a share.
const DRIFT: f32 = 0.02;
/// The least sigma in ADU: below it, whole numbers hide the scatter.
const LEAST_SIGMA: f32 = 0.75;

/// Pixels that are compared with each other: those of one lane in a tile.
struct Tile {
    /// Their numbers among the samples of the rows.
    samples: Vec<usize>,
}

impl Tile {
    /// The tiles of some rows, the last one as wide as there are columns left.
    fn all(grid: &Grid, rows: &Range<usize>) -> Vec<Self> {
        let (width, lanes) = (grid.size.width, grid.lanes.len());
        let of = |tile: usize, lane: usize| {
            let end = if tile + 1 == grid.across { width } else { (tile + 1) * grid.block };
            let places = rows.clone().flat_map(|y| (tile * grid.block..end).map(move |x| (x, y)));
            let own = places.filter(|(x, y)| grid.lane_of(*x, *y) == lane);
            Self { samples: own.map(|(x, y)| (y - rows.start) * width + x).collect() }
        };
        (0..grid.across).flat_map(|tile| (0..lanes).map(move |lane| of(tile, lane))).collect()
    }

    fn of(&self, frame: &[f32]) -> Vec<f32> {
        self.samples.iter().map(|i| frame[*i]).collect()
    }
}

/// Looks at some rows of a saturated frame, in which pixels from a level in ADU on were full, of the darks that
/// followed it, the first one first, and of others that followed none.
pub fn see_holding(
    (grid, rows): (&Grid, Range<usize>),
    (lit, full_adu): (&[f32], f32),
    darks: &[Vec<f32>],
    others: &[Vec<f32>],
) -> Vec<Seen> {
    let mut out = Vec::new();
    for tile in Tile::all(grid, &rows) {
        let bright = tile.of(lit);
        let full: Vec<usize> = (0..bright.len()).filter(|i| bright[*i] >= full_adu).collect();
        if full.is_empty() {
            continue;
        }
        let references: Vec<Vec<f32>> = others.iter().map(|other| tile.of(other)).collect();
        let (means, variances) = mean_and_variance(&references);
        let level = median(&means);
        let n = others.len() as f32;
        // How far a pixel lies beside its like in a dark, in sigmas.
        let beside = |dark: &Vec<f32>| {
            let mut off = tile.of(dark);
            off.iter_mut().zip(&means).for_each(|(v, m)| *v -= m);
            let alike: Vec<f32> = match full.len() >= FEW_FULL {
                true => full.iter().map(|i| off[*i]).collect(),
                false => off.clone(),
            };
            let (middle, mad) = median_mad(&alike);
            let sigma = (mad * MAD_TO_SIGMA as f32).max(LEAST_SIGMA);
            for (v, (mean, variance)) in off.iter_mut().zip(means.iter().zip(&variances)) {
                let own = variance * (1.0 + 1.0 / n);
                let drift = DRIFT * (mean - level);
                *v = (*v - middle) / ((sigma * sigma).max(own) + drift * drift).sqrt();
            }
            off
        };
        let off: Vec<Vec<f32>> = darks.iter().map(beside).collect();
        let holds = |i: &usize| off.iter().zip(HOLDS).all(|(off, least)| off[*i] > least);
        out.extend(full.into_iter().filter(holds).map(|i| {
            let at = tile.samples[i];
            let (x, y) = (at % grid.size.width, rows.start + at / grid.size.width);
            let seen = off.iter().filter(|off| off[i] > HOLDS[1]).count();
            let (score, share) = (off[0][i], seen as f32 / darks.len() as f32);
            Seen { x, y, bits: MaskBits::UNSTABLE, score, share, excess: f32::NAN }
        }));
    }
    out
}

/// Mean and variance of each pixel over some frames.
fn mean_and_variance(frames: &[Vec<f32>]) -> (Vec<f32>, Vec<f32>) {
    let (n, first) = (frames.len() as f32, &frames[0]);
    let of = |i: usize| {
        // About the first, so that nothing is lost.
        let off = || frames.iter().map(|f| f[i] - first[i]);
        let (sum, squares) = off().fold((0.0, 0.0), |(s, q), d| (s + d, q + d * d));
        (first[i] + sum / n, ((squares - sum * sum / n) / (n - 1.0)).max(0.0))
    };
    (0..first.len()).map(of).unzip()
}
