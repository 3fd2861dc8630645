//! What is measured in the masters before the model: their levels block by block, how far hot pixels
//! stand out in each, and their noise.

use std::ops::Range;

use photosite_pix::{CfaPattern, MaskBits, Size, stat};

use crate::calibrate::dark::sites::{Near, above};
use crate::master::median_to_mean;

/// The least side of a block in pixels: 64 of them give a level, and a glow is even over it.
const LEAST_SIDE: usize = 8;
/// Most blocks of a sensor.
const MOST_BLOCKS: usize = 1 << 18;
/// Rows of blocks that are read at a time.
const BLOCK_ROWS: usize = 8;
/// Pixels of a block that lie so many sigmas off its median say nothing of its level.
const BLOCK_KAPPA: f32 = 4.0;
/// A hot pixel stands so many sigmas above its neighbours.
const HOT_KAPPA: f64 = 15.0;
/// Hot pixels that tell the temperature's law; more tell it no better.
pub(super) const MOST_HOT: usize = 4096;

/// How a sensor is cut into blocks, and blocks into bands that are read at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// The sensor.
    pub size: Size,
    /// The side of a block in pixels.
    pub side: usize,
    /// Pixels from one sample to the next of its colour.
    pub step: usize,
}

impl Grid {
    /// The grid of a sensor: whole cells of its colour filter array.
    pub fn new(size: Size, cfa: Option<CfaPattern>) -> Self {
        let step = cfa.map_or(1, CfaPattern::period);
        let mut side = LEAST_SIDE.next_multiple_of(step);
        while size.width.div_ceil(side) * size.height.div_ceil(side) > MOST_BLOCKS {
            side += step.max(2);
        }
        Self { size, side, step }
    }

    /// Blocks along a row.
    pub fn columns(&self) -> usize {
        self.size.width.div_ceil(self.side)
    }

    /// Rows of blocks.
    pub fn rows(&self) -> usize {
        self.size.height.div_ceil(self.side)
    }

    /// How many bands there are.
    pub fn bands(&self) -> usize {
        self.rows().div_ceil(BLOCK_ROWS)
    }

    /// The rows of pixels of a band.
    pub fn band(&self, index: usize) -> Range<usize> {
        let tall = BLOCK_ROWS * self.side;
        index * tall..((index + 1) * tall).min(self.size.height)
    }

    /// The rows of a band with those beyond it that its pixels are held against.
    pub fn with_margin(&self, rows: &Range<usize>) -> Range<usize> {
        rows.start.saturating_sub(self.step)..(rows.end + self.step).min(self.size.height)
    }
}

/// Rows of one master: NaN where it has no sample, or a saturated one.
#[derive(Debug, Clone, Default)]
pub struct MasterRows {
    /// Samples in ADU.
    pub data: Vec<f32>,
    /// Their variance; empty where the master has none.
    pub variance: Vec<f32>,
    /// What is known against them.
    pub mask: Vec<MaskBits>,
}

impl MasterRows {
    /// Takes out what the mask says is no sample.
    pub fn blank(&mut self) {
        for (v, m) in self.data.iter_mut().zip(&self.mask) {
            if m.intersects(MaskBits::NO_DATA | MaskBits::SATURATED) {
                *v = f32::NAN;
            }
        }
    }
}

/// What a hot pixel holds in each master above its neighbours.
#[derive(Debug, Clone)]
pub struct Hot {
    /// In ADU, master by master; NaN where it is not known.
    pub amplitude_adu: Vec<f32>,
    /// The variance of that.
    pub variance: Vec<f32>,
}

/// What one band tells.
#[derive(Debug, Clone, Default)]
pub struct BandSeen {
    /// The level of each block, master after master.
    pub levels: Vec<Vec<f32>>,
    /// The typical variance of each master.
    pub variance: Vec<f32>,
    /// Hot pixels.
    pub hot: Vec<Hot>,
}

/// Looks at a band: `masters` hold its rows and the margin around them, `strongest` is the master in
/// which hot pixels stand out most.
pub fn look(grid: Grid, band: usize, masters: &[MasterRows], strongest: usize) -> BandSeen {
    let Grid { size, step, .. } = grid;
    let rows = grid.band(band);
    let first = grid.with_margin(&rows).start;
    let inner = (rows.start - first) * size.width..(rows.end - first) * size.width;
    let mut seen = BandSeen::default();
    for master in masters {
        let data = &master.data[inner.clone()];
        let typical = match master.variance.get(inner.clone()) {
            Some(variance) => stat::median_at_a_glance(variance),
            None => (stat::noise(data, size.width, step) as f32).powi(2),
        };
        seen.variance.push(typical);
    }
    seen.levels = levels(grid, masters, inner.clone());
    let own = |g: usize, at: usize| {
        let noise = masters[g].variance.get(at).copied().filter(|v| v.is_finite());
        f64::from(noise.unwrap_or(0.0).max(seen.variance[g]))
    };
    let data = &masters[strongest].data;
    let typical = f64::from(seen.variance[strongest]).sqrt();
    let middle = f64::from(stat::median_at_a_glance(&data[inner.clone()]));
    let mut found: Vec<(f64, usize)> = Vec::new();
    for at in inner {
        if f64::from(data[at]) <= middle + HOT_KAPPA * typical {
            continue;
        }
        let (x, y) = (at % size.width, first + at / size.width);
        let value = |x: usize, y: usize| data[(y - first) * size.width + x];
        let Some((amplitude, _)) = above(value, (x, y), (size, step), Near::ALL) else { continue };
        if amplitude > HOT_KAPPA * own(strongest, at).sqrt() {
            found.push((amplitude, at));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found.truncate(MOST_HOT.div_ceil(grid.bands()));
    for (_, at) in found {
        let (x, y) = (at % size.width, first + at / size.width);
        let of = |g: usize| {
            let data = &masters[g].data;
            let value = |x: usize, y: usize| data[(y - first) * size.width + x];
            above(value, (x, y), (size, step), Near::ALL).map_or(f32::NAN, |(a, _)| a as f32)
        };
        // The median of eight neighbours adds a fifth of their variance.
        let noise = |g: usize| (own(g, at) + 0.2 * f64::from(seen.variance[g])) as f32;
        seen.hot.push(Hot {
            amplitude_adu: (0..masters.len()).map(of).collect(),
            variance: (0..masters.len()).map(noise).collect(),
        });
    }
    seen
}

/// The level of each block in each master: the mean of the same pixels in all of them, without those that
/// stand out in one. A median would follow pixels of unlike rates otherwise in noise than above it.
fn levels(grid: Grid, masters: &[MasterRows], inner: Range<usize>) -> Vec<Vec<f32>> {
    let Grid { size, side, .. } = grid;
    let rows = inner.len() / size.width.max(1);
    let mut out = vec![Vec::with_capacity(grid.columns() * BLOCK_ROWS); masters.len()];
    let mut places: Vec<usize> = Vec::with_capacity(side * side);
    let mut block: Vec<f32> = Vec::with_capacity(side * side);
    for y0 in (0..rows).step_by(side) {
        for x0 in (0..size.width).step_by(side) {
            places.clear();
            for y in y0..(y0 + side).min(rows) {
                let start = inner.start + y * size.width;
                places.extend(start + x0..start + (x0 + side).min(size.width));
            }
            places.retain(|at| masters.iter().all(|m| m.data[*at].is_finite()));
            let all = places.len();
            for master in masters {
                block.clear();
                block.extend(places.iter().map(|at| master.data[*at]));
                let (median, mad) = stat::median_mad(&block);
                let bound = BLOCK_KAPPA * 1.4826 * mad;
                // Whole numbers may leave no scatter at all.
                let fits = |at: &usize| (master.data[*at] - median).abs() <= bound.max(1e-3);
                if places.iter().filter(|at| fits(at)).count() * 2 > all {
                    places.retain(fits);
                }
            }
            for (levels, master) in out.iter_mut().zip(masters) {
                let sum: f64 = places.iter().map(|at| f64::from(master.data[*at])).sum();
                let known = places.len() * 4 > side * side;
                levels.push(if known { (sum / places.len() as f64) as f32 } else { f32::NAN });
            }
        }
    }
    out
}

/// What all bands tell.
#[derive(Debug, Clone)]
pub struct Seen {
    /// How the sensor is cut.
    pub grid: Grid,
    /// The level of each block, master after master.
    pub levels: Vec<Vec<f32>>,
    /// The typical variance of each master.
    pub variance: Vec<f64>,
    /// Hot pixels.
    pub hot: Vec<Hot>,
}

impl Seen {
    /// Puts bands together, in their order; `frames` says how many frames each master is made of.
    pub fn of(grid: Grid, bands: Vec<BandSeen>, frames: &[usize]) -> Self {
        let masters = bands.first().map_or(0, |b| b.levels.len());
        let mut levels = vec![Vec::with_capacity(grid.columns() * grid.rows()); masters];
        let mut variances = vec![Vec::new(); masters];
        let mut hot = Vec::new();
        for band in bands {
            levels.iter_mut().zip(band.levels).for_each(|(all, some)| all.extend(some));
            variances.iter_mut().zip(band.variance).for_each(|(all, v)| all.push(v));
            hot.extend(band.hot);
        }
        // A variance of nothing (frames without noise) would weigh without bound.
        let typical = |(v, frames): (Vec<f32>, &usize)| {
            let known: Vec<f32> = v.into_iter().filter(|v| v.is_finite()).collect();
            let low = if *frames > 1 { median_to_mean(*frames) } else { 1.0 };
            (f64::from(stat::median(&known)) / low).max(1e-6)
        };
        Self {
            grid,
            levels,
            variance: variances.into_iter().zip(frames).map(typical).collect(),
            hot,
        }
    }
}
