//! A frame looked at before it is stacked.

use photosite_pix::{CfaPattern, FrameKind, Size};

use super::summary::{FrameSummary, Sampled};
use crate::Result;
use crate::stack::{Additive, Prepared, ReadBuffers};

/// About as many samples as are read of a frame: a thirtieth of 16 million pixels.
pub const READ_SAMPLES: usize = 1 << 19;

/// Tiles along a side, at most: what leaks into dark frames is wide, dust on flats is not.
const DARK_TILES: usize = 16;
const FLAT_TILES: usize = 48;

/// About as many samples as tiles get: of a whole sensor some ten to some hundred each.
const DARK_SAMPLES: usize = 1 << 16;
const FLAT_SAMPLES: usize = 1 << 17;

/// Sums up a frame of `kind` that is open and to which nothing was done but its own level taken off;
/// `additive` is taken off here, and `saturation_adu` is the raw level of full scale, where known.
///
/// # Errors
/// When the frame cannot be read.
pub fn look(
    source: &Prepared,
    kind: FrameKind,
    additive: &Additive,
    saturation_adu: Option<f32>,
    buffers: &mut ReadBuffers,
) -> Result<FrameSummary> {
    let size = source.region.size();
    let width = size.width;
    // Without light all colours are one.
    let cfa = source.cfa.filter(|_| kind == FrameKind::Flat);
    let run = cfa.map_or(1, CfaPattern::period).min(size.height);
    let (first_rows, mut samples) = rows_of(source, run, buffers)?;
    let constant = samples.first().filter(|first| samples.iter().all(|v| v == *first));
    let constant_adu = constant.map(|v| *v + source.level_adu);
    let zero = -source.level_adu;
    let share_zero = samples.iter().filter(|v| **v == zero).count() as f64 / samples.len() as f64;
    let (share_full, full_adu) = match kind {
        FrameKind::Flat => full_scale(&samples, width, cfa, saturation_adu, source.level_adu),
        _ => (0.0, f64::NAN),
    };
    match additive {
        Additive::Nothing => {}
        Additive::Level(level) => samples.iter_mut().for_each(|v| *v -= level),
        // Flats of one set are compared; what is the same in all parts none of them.
        Additive::Plane(plane) | Additive::Scaled { bias: plane, .. } => {
            let rows = first_rows.iter().flat_map(|y| *y..y + run);
            for (row, y) in samples.chunks_exact_mut(width).zip(rows) {
                row.iter_mut().zip(plane.row(y)).for_each(|(v, a)| *v -= a);
            }
        }
    }
    let (most_tiles, enough) = match kind {
        FrameKind::Flat => (FLAT_TILES, FLAT_SAMPLES),
        _ => (DARK_TILES, DARK_SAMPLES),
    };
    let samples = &samples[..];
    let seen = Sampled { size, first_rows: &first_rows, run, samples, most_tiles, enough, cfa };
    let summary = FrameSummary::of(&seen);
    let summary = match kind {
        FrameKind::Flat => summary.with_response(&seen),
        _ => summary,
    };
    let known = saturation_adu.is_some_and(|s| full_adu >= f64::from(s));
    let is_full = known
        || ends_a_converter(full_adu)
        || (summary.scatter_adu >= 1.0 && share_full < PLATEAU_MOST);
    let share_full = if is_full { share_full } else { 0.0 };
    Ok(FrameSummary { share_zero, share_full, full_adu, constant_adu, ..summary })
}

/// The first row of each run of `run` rows that are looked at of a frame, spread over it, and their samples
/// in ADU; the same rows of each frame of a size.
///
/// # Errors
/// When the frame cannot be read.
pub fn rows_of(
    source: &Prepared,
    run: usize,
    buffers: &mut ReadBuffers,
) -> Result<(Vec<usize>, Vec<f32>)> {
    let Size { width, height } = source.region.size();
    let cells = (height / run).max(1);
    let wanted = (READ_SAMPLES / (width * run).max(1)).clamp(1, cells);
    let first_rows: Vec<usize> = (0..wanted).map(|i| i * cells / wanted * run).collect();
    let mut samples = vec![0.0f32; wanted * run * width];
    for (y, part) in first_rows.iter().zip(samples.chunks_exact_mut(run * width)) {
        source.read(*y..y + run, 0..width, buffers, part)?;
    }
    Ok((first_rows, samples))
}

/// A plateau at any level is full scale where noise spreads the samples below it and they are more
/// than this share's rest; frames without noise have plateaus of their own.
const PLATEAU_MOST: f64 = 0.9;

/// Whether a level is the highest number of 8 to 16 bits.
fn ends_a_converter(level_adu: f64) -> bool {
    [8, 10, 12, 14, 15, 16].iter().any(|bits| {
        let top = f64::from((1u32 << bits) - 1);
        // Twelve and fourteen bits may fill the upper part of sixteen.
        (level_adu - top).abs() <= 1.0 || (*bits == 16 && level_adu >= 0.999 * top)
    })
}

/// The largest share of samples of a colour at full scale, and its raw level: at the level that is
/// known or more, or all at the highest value there is, which noise would spread.
fn full_scale(
    samples: &[f32],
    width: usize,
    cfa: Option<CfaPattern>,
    saturation_adu: Option<f32>,
    level_adu: f32,
) -> (f64, f64) {
    let highest = samples.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let from = saturation_adu.map_or(highest, |s| (s - level_adu).min(highest));
    let (mut all, mut full) = ([0u64; 3], [0u64; 3]);
    match cfa {
        None => {
            all[0] = samples.len() as u64;
            full[0] = samples.iter().filter(|v| **v >= from).count() as u64;
        }
        Some(cfa) => {
            for (y, row) in samples.chunks_exact(width).enumerate() {
                let line = cfa.line(0, y);
                for part in row.chunks(line.len()) {
                    for (v, color) in part.iter().zip(&line) {
                        all[color.channel()] += 1;
                        full[color.channel()] += u64::from(*v >= from);
                    }
                }
            }
        }
    }
    let share = |c: usize| full[c] as f64 / all[c].max(1) as f64;
    ((0..3).map(share).fold(0.0, f64::max), f64::from(from + level_adu))
}
