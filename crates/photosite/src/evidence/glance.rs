//! A file looked at before anything is decided on it: rows spread over it, as they are stored.

use photosite_file::Source;
use photosite_pix::{Rect, Size};

use super::peaks::{Peaks, RUN, Rows};
use crate::Result;

/// About as many samples as are read of a frame; smaller ones are read whole.
pub const GLANCE_SAMPLES: usize = 1 << 19;

/// Frames of a kind that are looked at, spread over those of a set-up.
pub const LOOKED_AT: usize = 6;

/// About as many samples as median and scatter are taken from: they are then good to a hundredth of
/// the scatter.
const ENOUGH: usize = 1 << 16;

/// The share of differences of neighbours that lies within one standard deviation.
const ONE_SIGMA: f64 = 0.682_7;

/// Samples count as just below the highest within this share of its height above the median.
pub(super) const JUST_BELOW: f32 = 0.02;

/// Levels of the places of a 2x2 cell, in ADU beside their mean: rows first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Places {
    /// The four differences.
    pub beside_adu: [f64; 4],
    /// Their error: one standard deviation.
    pub error_adu: f64,
    /// The scatter of one sample.
    pub scatter_adu: f64,
    /// By which share of their mean places of the cells that stars cover differ, and the error of
    /// that; `None` where stars cover too few.
    pub in_stars: Option<(f64, f64)>,
}

/// What samples told before they were forgotten.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Levels of an array's places.
    pub places: Option<Places>,
    /// The highest of them, the highest first.
    highest: Vec<f32>,
    /// How many there were.
    count: usize,
}

/// The highest samples that are kept when the others are forgotten.
const MOST_KEPT: usize = 4096;

/// Some rows of a raw frame, from top and bottom alike, in the ADU that the file holds.
#[derive(Debug, Clone)]
pub struct Glance {
    /// Width and height of the part that sees light.
    pub size: Size,
    /// The samples, run by run: one of the upper half, then its mirror image of the lower; none once
    /// they are forgotten.
    samples: Vec<f32>,
    pub(super) told: Option<Told>,
    pub(super) peaks: Peaks,
    /// The median of the samples of rows that were read out; NaN where none was.
    pub median_adu: f64,
    /// The scatter of neighbours of one colour: one standard deviation.
    pub scatter_adu: f64,
    /// The share of those samples that are 0, where none is below.
    pub zero_share: f64,
    /// The highest sample.
    pub highest_adu: f32,
    /// Samples that are the highest.
    pub at_highest: usize,
    /// Samples just below the highest.
    pub below_highest: usize,
}

impl Glance {
    /// Looks at the part `region` of a frame.
    ///
    /// # Errors
    /// When the frame cannot be read.
    pub fn of(source: &dyn Source, region: Rect) -> Result<Self> {
        let size = region.size();
        let first_rows = first_rows(size);
        let run = RUN.min(size.height);
        let (mut bytes, mut samples) = (Vec::new(), Vec::new());
        let full = source.size().width;
        let mut rows = vec![0.0f32; full * run];
        for y in &first_rows {
            let y = region.y0 + y;
            source.read_rows(0, y..y + run, &mut bytes, &mut rows)?;
            for row in rows.chunks_exact(full) {
                samples.extend_from_slice(&row[region.x0..region.x1]);
            }
        }
        Ok(Self::of_rows(size, samples))
    }

    fn of_rows(size: Size, samples: Vec<f32>) -> Self {
        // An odd step meets every place of an array's cell.
        let step = (samples.len() / ENOUGH) | 1;
        // Rows of one value were not read out, and say nothing of the others.
        let rows = || {
            let rows = samples.chunks_exact(size.width.max(1));
            rows.filter(|row| row.iter().any(|v| *v != row[0]))
        };
        let apart = rows().flat_map(|row| {
            row.iter().zip(row.iter().skip(2)).map(|(a, b)| (a - b).abs()).step_by(step)
        });
        let scatter_adu = rank(apart, ONE_SIGMA) / std::f64::consts::SQRT_2;
        let some = || rows().flatten().copied().step_by(step);
        let median_adu = rank(some(), 0.5);
        // Zero is a step like others where samples lie below it.
        let below = some().any(|v| v < 0.0);
        let zeros = some().filter(|v| *v == 0.0 && !below).count();
        let zero_share = zeros as f64 / some().count().max(1) as f64;
        let highest_adu =
            samples.iter().copied().filter(|v| v.is_finite()).fold(f32::NEG_INFINITY, f32::max);
        let from = highest_adu - JUST_BELOW * (highest_adu - median_adu as f32);
        let (mut at_highest, mut below_highest) = (0, 0);
        for v in samples.iter().filter(|v| **v >= from) {
            match *v == highest_adu {
                true => at_highest += 1,
                false => below_highest += 1,
            }
        }
        let mut glance = Self {
            size,
            samples,
            told: None,
            peaks: Peaks::default(),
            median_adu,
            scatter_adu,
            zero_share,
            highest_adu,
            at_highest,
            below_highest,
        };
        glance.peaks = Peaks::of(glance.rows(), median_adu, scatter_adu);
        glance
    }

    /// Peaks that are neither single pixels nor tracks.
    pub fn stars(&self) -> usize {
        self.peaks.stars()
    }

    /// The same without its samples, which take megabytes: it still knows its peaks, its levels and
    /// its highest samples, but not which way up it lies.
    pub fn forgetting(mut self) -> Self {
        if self.told.is_some() {
            return self;
        }
        let places = Places::of(&self);
        let mut highest = std::mem::take(&mut self.samples);
        let count = highest.len();
        highest.retain(|v| v.is_finite());
        if highest.len() > MOST_KEPT {
            highest.select_nth_unstable_by(MOST_KEPT, |a, b| b.total_cmp(a));
            highest.truncate(MOST_KEPT);
            highest.shrink_to_fit();
        }
        highest.sort_unstable_by(|a, b| b.total_cmp(a));
        self.told = Some(Told { places, highest, count });
        self
    }

    /// Samples above a level, of forgotten ones up to some thousand, and all.
    pub fn above(&self, level_adu: f32) -> (usize, usize) {
        if let Some(told) = &self.told {
            return (told.highest.partition_point(|v| *v > level_adu), told.count);
        }
        (self.samples.iter().filter(|v| **v > level_adu).count(), self.samples.len())
    }

    /// The rows that were looked at.
    pub(super) fn rows(&self) -> Rows<'_> {
        Rows { samples: &self.samples, width: self.size.width }
    }

    /// The runs of rows, [`RUN`] rows each where the frame has as many.
    pub(super) fn runs(&self) -> impl Iterator<Item = &[f32]> {
        self.samples.chunks_exact((RUN.min(self.size.height) * self.size.width).max(1))
    }
}

/// First rows of runs: even ones of the upper half, each followed by the run that takes its place
/// when the rows are turned over.
fn first_rows(size: Size) -> Vec<usize> {
    let Size { width, height } = size;
    if height < 2 * RUN {
        return vec![0];
    }
    let fit = height / 2 / RUN;
    let wanted = (GLANCE_SAMPLES / (2 * RUN * width.max(1))).clamp(1, fit);
    (0..wanted)
        .flat_map(|i| {
            let y = i * fit / wanted * RUN;
            [y, height - RUN - y]
        })
        .collect()
}

/// The finite value of which this share lies below; NaN of none.
pub(super) fn rank(values: impl Iterator<Item = f32>, share: f64) -> f64 {
    let mut values: Vec<f32> = values.filter(|v| v.is_finite()).collect();
    if values.is_empty() {
        return f64::NAN;
    }
    let at = ((values.len() - 1) as f64 * share) as usize;
    f64::from(*values.select_nth_unstable_by(at, f32::total_cmp).1)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A glance at a frame that a function makes.
    pub(in super::super) fn glance(size: Size, of: impl Fn(usize, usize) -> f32) -> Glance {
        let rows = first_rows(size);
        let at = rows.iter().flat_map(|y| *y..y + RUN.min(size.height));
        let samples = at.flat_map(|y| (0..size.width).map(move |x| (x, y)));
        let samples = samples.map(|(x, y)| of(x, y)).collect();
        Glance::of_rows(size, samples)
    }

    /// Evenly spread about 0, with a standard deviation of 1.
    pub(in super::super) fn noise(x: usize, y: usize) -> f32 {
        let mut v = (x * 7919 + y * 104_729 + x * y * 31) as u32 ^ 0x9e37_79b9;
        for _ in 0..2 {
            v ^= v << 13;
            v ^= v >> 17;
            v ^= v << 5;
        }
        (v % 2001) as f32 / 577.0 - 1.732
    }

    #[test]
    fn zero_is_a_step_like_others_where_samples_lie_below() {
        let share = |least: f32| {
            glance(Size::new(64, 64), |x, y| noise(x, y).round().max(least)).zero_share
        };
        assert!(share(-9.0) == 0.0 && share(0.0) > 0.4);
    }

    #[test]
    fn runs_come_in_pairs_that_mirror_each_other() {
        for size in [Size::new(100, 80), Size::new(6000, 4001), Size::new(320, 241)] {
            let rows = first_rows(size);
            assert!(rows.len() >= 2 && rows.len() * RUN <= size.height, "{size}");
            for pair in rows.chunks(2) {
                assert_eq!(pair[0] + RUN + pair[1], size.height);
                assert_eq!(pair[0] % 2, 0);
            }
        }
        assert_eq!(first_rows(Size::new(10, 5)), [0]);
    }
}
