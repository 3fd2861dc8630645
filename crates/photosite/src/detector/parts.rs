//! The parts of a frame that have a level, a noise or an end of their own.

use std::ops::Range;

use photosite_file::Source;
use photosite_pix::overscan::{Level, OverscanMethod, Samples, columns_skipped};
use photosite_pix::unit::NoiseModel;
use photosite_pix::{Amplifier, Detector, Gain, Overscan, Rect, stat};
use serde::{Deserialize, Serialize};

use crate::params::method_name;
use crate::{Error, Result};

/// A part of the pixels that are used.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its pixels, counted from the first that is used.
    pub region: Rect,
    /// The amplifier that reads it, counted from 0.
    pub amplifier: usize,
    /// What is taken off its samples, row after row of the region.
    pub level: Level,
    /// The raw level in ADU from which its samples count as saturated.
    pub saturation_adu: Option<f32>,
    /// Its gain and read noise, where they are not those of the frame.
    pub noise: Option<NoiseModel>,
    /// What brings its ADU to those of the frame's gain; 1 where gains are not known.
    pub evened: f32,
}

/// The parts of a frame, which cover what is used; none where all of it is alike.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// Each of them.
    pub parts: Vec<Part>,
    /// The mean of what is taken off, over all pixels that are used, in ADU.
    pub level_adu: f64,
    /// What overscans told, for the account.
    pub records: Vec<OverscanRecord>,
}

/// What an overscan told of the level of a part of a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OverscanRecord {
    /// The pixels that tell it, as they are stored.
    pub sources: Vec<Rect>,
    /// The pixels that it was taken off.
    pub target: Rect,
    /// How it was found, as `--overscan-method` names it.
    pub method: String,
    /// The mean level in ADU.
    pub level_adu: f64,
    /// The standard deviation of one sample in ADU.
    pub scatter_adu: f64,
    /// By how much the level varies along the rows in ADU.
    pub drift_adu: f64,
    /// How much rows differ beyond that, one standard deviation in ADU.
    pub row_noise_adu: f64,
    /// Rows that were left out: bleeding stars, cosmic rays.
    pub rows_left_out: usize,
}

impl Parts {
    /// Measures the parts of a frame; its overscans are read where `levelled`.
    ///
    /// # Errors
    /// When the overscans leave pixels that are used without a level or hold no sample, or cannot be read.
    pub fn measure(detector: &Detector, source: &dyn Source, levelled: bool) -> Result<Self> {
        let active = detector.active;
        let mut levels: Vec<(Rect, Level)> = Vec::new();
        let mut records = Vec::new();
        if levelled && !detector.overscan.is_empty() {
            if !detector.is_levelled() {
                return Err(Error::mismatch(format!(
                    "the overscans do not tell the level of every pixel that is used ({active}), or of \
                     some twice: name a target for each, X,Y,W,H:X,Y,W,H"
                )));
            }
            let mut targets: Vec<Rect> = detector.overscan.iter().map(|o| o.target).collect();
            targets.sort_by_key(|r| (r.y0, r.x0));
            targets.dedup();
            for target in targets {
                let of = |o: &&Overscan| o.target == target;
                let sources: Vec<Rect> =
                    detector.overscan.iter().filter(of).map(|o| o.source).collect();
                let level = level(source, &sources, target, detector.overscan_method)?;
                records.push(OverscanRecord {
                    sources,
                    target,
                    method: method_name(level.method),
                    level_adu: level.level_adu,
                    scatter_adu: level.scatter_adu,
                    drift_adu: level.drift_adu,
                    row_noise_adu: level.row_noise_adu,
                    rows_left_out: level.rows_left_out,
                });
                levels.push((target, level));
            }
        }
        let pixels = |r: Rect| r.size().pixels() as f64;
        let shares = levels.iter().map(|(t, l)| pixels(t.common(active)) * l.level_adu);
        let level_adu = shares.sum::<f64>() / pixels(active).max(1.0);
        let parts = Self { parts: parts_of(detector, &levels), level_adu, records };
        Ok(parts)
    }

    /// Whether one number taken off every sample does the same.
    pub fn is_uniform(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes the level off some samples of row `y`, the first of which is in column `x`.
    pub fn take_off(&self, (x, y): (usize, usize), samples: &mut [f32]) {
        let columns = x..x + samples.len();
        for part in self.parts.iter().filter(|p| (p.region.y0..p.region.y1).contains(&y)) {
            let (from, to) = (part.region.x0.max(columns.start), part.region.x1.min(columns.end));
            if from < to {
                let level = part.level.at(y);
                samples[from - x..to - x].iter_mut().for_each(|v| *v -= level);
            }
        }
    }

    /// The amplifiers that read row `y`, and the columns of each.
    pub fn amplifiers_in_row(&self, y: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        self.in_row(y).map(|p| (p.amplifier, p.region.x0..p.region.x1))
    }

    /// The parts that lie in row `y`.
    pub fn in_row(&self, y: usize) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(move |p| (p.region.y0..p.region.y1).contains(&y))
    }
}

/// Amplifiers and levels cut the used pixels into parts; one part that has nothing of its own is none.
fn parts_of(detector: &Detector, levels: &[(Rect, Level)]) -> Vec<Part> {
    let (active, end) = (detector.active, detector.saturation_adu);
    let gains: Option<Vec<Gain>> = detector.amplifiers.iter().map(|a| a.gain).collect();
    let common = gains.filter(|g| !g.is_empty()).map(|gains| {
        let inverse: f64 = gains.iter().map(|g| 1.0 / g.e_per_adu()).sum();
        gains.len() as f64 / inverse
    });
    let whole = [(active, Level::constant(0.0))];
    let levels = if levels.is_empty() { &whole[..] } else { levels };
    let mut parts = Vec::new();
    for (target, level) in levels {
        let mut part = |region: Rect, amplifier: usize, of: Option<&Amplifier>| {
            let region = region.common(*target).common(active);
            if region.is_empty() {
                return;
            }
            let gain = of.and_then(|a| a.gain).map(Gain::e_per_adu);
            parts.push(Part {
                region: region.within(active),
                amplifier,
                level: level.clone().from_row(active.y0),
                saturation_adu: of.and_then(|a| a.saturation_adu).map(|v| v as f32).or(end),
                noise: of.and_then(|a| a.noise()),
                evened: gain.zip(common).map_or(1.0, |(gain, common)| (gain / common) as f32),
            });
        };
        match detector.amplifiers.is_empty() {
            true => part(*target, 0, None),
            false => {
                let all = detector.amplifiers.iter().enumerate();
                all.for_each(|(i, a)| part(a.region, i, Some(a)));
            }
        }
    }
    let alike = |p: &Part| p.level.is_constant() && p.noise.is_none() && p.evened == 1.0;
    if parts.len() == 1 && alike(&parts[0]) {
        parts.clear();
    }
    parts
}

/// The level that some overscans tell of a target.
fn level(
    source: &dyn Source,
    overscans: &[Rect],
    target: Rect,
    method: OverscanMethod,
) -> Result<Level> {
    let width = source.size().width;
    let kept: Vec<Rect> = overscans.iter().map(|o| beside(*o, target)).collect();
    let rows =
        kept.iter().map(|r| r.y0).min().unwrap_or(0)..kept.iter().map(|r| r.y1).max().unwrap_or(0);
    let mut samples = Samples::new(rows.start);
    let (mut bytes, mut read) = (Vec::new(), Vec::new());
    for from in rows.clone().step_by(ROWS) {
        let some = from..(from + ROWS).min(rows.end);
        read.resize(width * some.len(), 0.0f32);
        source.read_rows(0, some.clone(), &mut bytes, &mut read)?;
        for (y, row) in some.zip(read.chunks_exact(width)) {
            let here = kept.iter().filter(|r| (r.y0..r.y1).contains(&y));
            let parts: Vec<&[f32]> = here.map(|r| &row[r.x0..r.x1]).collect();
            samples.row(&parts);
        }
    }
    Level::of(&samples, target.y0..target.y1, method)
        .ok_or_else(|| Error::mismatch("the overscan holds no sample"))
}

/// Rows of an overscan that tell its level at a glance.
const SOME_ROWS: usize = 64;

/// The level of each overscan of a frame at a glance: the median of some rows, without the columns beside the
/// light, in ADU; NaN without a sample.
///
/// # Errors
/// When the frame cannot be read.
pub fn overscans_at_a_glance(detector: &Detector, source: &dyn Source) -> Result<Vec<f32>> {
    let width = source.size().width;
    let (mut bytes, mut row) = (Vec::new(), vec![0.0f32; width]);
    let mut levels = Vec::new();
    for overscan in &detector.overscan {
        let kept = beside(overscan.source, overscan.target);
        let some = kept.height().min(SOME_ROWS);
        let mut samples = Vec::with_capacity(some * kept.width());
        for i in 0..some {
            let y = kept.y0 + i * kept.height() / some;
            source.read_rows(0, y..y + 1, &mut bytes, &mut row)?;
            samples.extend(row[kept.x0..kept.x1].iter().copied().filter(|v| v.is_finite()));
        }
        levels.push(stat::median_in_place(&mut samples));
    }
    Ok(levels)
}

/// Rows read at a time.
const ROWS: usize = 256;

/// An overscan without the columns beside the light.
fn beside(overscan: Rect, target: Rect) -> Rect {
    let skipped = columns_skipped(overscan.width());
    if overscan.x0 >= target.x1 {
        return Rect { x0: overscan.x0 + skipped, ..overscan };
    }
    if overscan.x1 <= target.x0 {
        return Rect { x1: overscan.x1 - skipped, ..overscan };
    }
    overscan
}
