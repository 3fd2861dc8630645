//! A set of frames looked at pixel by pixel: means, and what changes from frame to frame.

use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use photosite_pix::{CfaPattern, FrameKind, Plane, Size, stat};

use crate::budget::FIXED_BYTES;
use crate::defects::{
    CELL, FrameNoise, Kind, Rows, Seen, Unsteady, bands, cell_variances, faint_lines, judge,
    mean_and_variance, segments, stands, unsteady,
};
use crate::error::Reach;
use crate::event::Event;
use crate::product::stacking::{equalise, open_all, plan_stack};
use crate::raw::RawFrame;
use crate::stack::{Additive, Prepared, ReadBuffers};
use crate::work::{Context, for_each, on_each};
use crate::{Error, Result};

/// Rows of all frames that are in memory at a time.
const BAND: usize = CELL;

/// One sample in so many tells how a frame's level differs from another's.
const LEVEL_STEP: usize = 107;

/// What a set of frames shows.
pub(super) struct Looked {
    /// The mean of each pixel, in ADU; of flats 1 in the mean.
    pub mean: Plane<f32>,
    /// The noise of one frame.
    pub noise: FrameNoise,
    /// Pixels that change from frame to frame; none of flats.
    pub unsteady: Vec<Unsteady>,
    /// The level of flats in ADU.
    pub level_adu: f64,
    /// The colour filter array.
    pub cfa: Option<CfaPattern>,
}

/// Looks at the frames of a set, band by band on all threads; `additive` is taken off flats, which are then
/// brought to a mean of 1. `None` of frames without a sample: flats that are saturated all over.
pub(super) fn look(
    (kind, frames): (FrameKind, &[&RawFrame]),
    additive: Additive,
    folder: &Path,
    context: &Context<'_>,
) -> Result<Option<Looked>> {
    let size = frames[0].region().size();
    let is_flat = kind == FrameKind::Flat;
    let threads = threads_within(size, frames.len(), context)?;
    let context = &Context { threads, ..*context };
    let plan = plan_stack(frames, false, context)?;
    let mut sources = open_all(frames, &plan, folder, context)?;
    let mut level_adu = f64::NAN;
    if is_flat {
        for (source, frame) in sources.iter_mut().zip(frames) {
            source.additive = additive.clone();
            source.missing_from_adu = frame.detector.saturation_adu;
        }
        level_adu = equalise(&mut sources, context)?.iter().sum::<f64>() / 3.0;
    }
    let per_adu = frames[0].metadata.gain_e_per_adu.map(|g| 1.0 / g.e_per_adu());
    let mut mean = Plane::zeroed(size);
    let count = size.height.div_ceil(BAND);
    let places: Vec<Mutex<&mut [f32]>> =
        mean.as_mut_slice().chunks_mut(BAND * size.width).map(Mutex::new).collect();
    let found: Vec<Mutex<(Vec<Unsteady>, Vec<f32>)>> =
        (0..count).map(|_| Mutex::default()).collect();
    let total = frames.len() as u64;
    let state = || {
        let each = || vec![Vec::new(); sources.len()];
        (ReadBuffers::default(), each(), each(), Vec::new())
    };
    for_each(count, context, state, |(buffers, rows, some, variance), band| {
        let y0 = band * BAND;
        let range = y0..(y0 + BAND).min(size.height);
        let samples = range.len() * size.width;
        for ((source, rows), some) in sources.iter().zip(rows.iter_mut()).zip(some.iter_mut()) {
            rows.resize(samples, 0.0);
            read(source, range.clone(), buffers, rows)?;
            // While they are in the cache.
            some.clear();
            some.extend(rows.iter().step_by(LEVEL_STEP));
        }
        let offsets = if is_flat { vec![0.0; rows.len()] } else { offsets(some) };
        variance.resize(samples, 0.0);
        let all: Vec<&[f32]> = rows.iter().map(|r| &r[..]).collect();
        let mut mean = places[band].lock().expect("no holder panics");
        mean_and_variance(&all, &offsets, &mut mean, variance);
        if !is_flat && all.len() >= 4 {
            let typical = cell_variances(variance, size.width);
            let rows = Rows {
                frames: &all,
                offsets: &offsets,
                mean: &mean,
                variance,
                typical: &typical,
                width: size.width,
                y0,
                per_adu,
            };
            let unsteady = unsteady(&rows);
            for (u, main) in &unsteady {
                mean[(u.y - y0) * size.width + u.x] = *main;
            }
            let unsteady = unsteady.into_iter().map(|(u, _)| u).collect();
            *found[band].lock().expect("no holder panics") = (unsteady, typical);
        }
        let share = |done: usize| total * done as u64 / count as u64;
        let by = share(band + 1) - share(band);
        context.observer.event(Event::Advanced { by, what: "looking at pixels" });
        Ok(())
    })?;
    drop(places);
    if !mean.as_slice().iter().any(|v| v.is_finite()) {
        return Ok(None);
    }
    frames.iter().try_for_each(|f| f.unchanged())?;
    let (mut pixels, mut variances) = (Vec::new(), Vec::new());
    for band in found {
        let (more, typical) = band.into_inner().expect("no holder panics");
        pixels.extend(more);
        variances.extend(typical);
    }
    let noise = FrameNoise::new(&variances, size.width, frames.len());
    Ok(Some(Looked { mean, noise, unsteady: pixels, level_adu, cfa: sources[0].cfa }))
}

fn read(
    source: &Prepared,
    rows: std::ops::Range<usize>,
    buffers: &mut ReadBuffers,
    out: &mut [f32],
) -> Result<()> {
    Ok(source.read(rows, 0..source.region.width(), buffers, out)?)
}

/// How far the level of each frame lies above that of the first, less their mean, by some samples of each.
fn offsets(some: &[Vec<f32>]) -> Vec<f32> {
    let first = &some[0];
    let mut off: Vec<f32> = some
        .iter()
        .map(|frame| {
            let differences: Vec<f32> = frame.iter().zip(first).map(|(a, b)| a - b).collect();
            // A mean of the inner half tells parts of a step, which a median of integers does not.
            let v = stat::robust_mean(&differences, 3.0) as f32;
            if v.is_finite() { v } else { 0.0 }
        })
        .collect();
    let mean = off.iter().sum::<f32>() / off.len() as f32;
    off.iter_mut().for_each(|v| *v -= mean);
    off
}

/// Memory that looking at so many frames of `size` takes, in bytes: of all threads together, and of each.
pub fn looking_bytes(size: Size, frames: usize) -> (u64, u64) {
    // Two means at a time, marks, and what is found.
    let planes = size.pixels() as u64 * (4 + 4 + 1 + 4) + FIXED_BYTES;
    (planes, (BAND * size.width) as u64 * (frames as u64 + 2) * 4)
}

/// How many threads the memory allows.
fn threads_within(size: Size, frames: usize, context: &Context<'_>) -> Result<usize> {
    let (planes, each) = looking_bytes(size, frames);
    let needed = planes + each;
    if needed > context.memory_bytes {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        return Err(Error::memory(format!(
            "a defect map of {frames} frames of {size} pixels cannot be built in {} MiB; allow --memory \
             {}MiB or more",
            mib(context.memory_bytes),
            mib(needed)
        ))
        .reaching(Reach::Product));
    }
    let affordable = (context.memory_bytes - planes) / each.max(1);
    Ok(context.threads.min(affordable as usize).max(1))
}

/// What `look` finds in each band of a frame, in their order, on all threads.
pub(super) fn in_bands<T: Send>(
    height: usize,
    context: &Context<'_>,
    look: impl Fn(Range<usize>) -> Vec<T> + Sync,
) -> Result<Vec<T>> {
    in_parts(&bands(height).collect::<Vec<_>>(), context, |rows| look(rows.clone()))
}

/// What `look` finds in each part, in their order, on all threads.
fn in_parts<P: Sync, T: Send>(
    parts: &[P],
    context: &Context<'_>,
    look: impl Fn(&P) -> Vec<T> + Sync,
) -> Result<Vec<T>> {
    let found = on_each(parts.len(), context, |i| Ok(look(&parts[i])))?;
    Ok(found.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The columns and rows of a mean that no single pixel shows, on all threads.
pub(super) fn lines_of(
    data: &Plane<f32>,
    (least, step): (&(dyn Fn(usize, usize) -> f32 + Sync), usize),
    context: &Context<'_>,
) -> Result<Vec<Seen>> {
    let parts = [false, true]
        .map(|along_rows| segments(data.size(), along_rows).map(move |part| (along_rows, part)));
    let parts: Vec<(bool, Range<usize>)> = parts.into_iter().flatten().collect();
    in_parts(&parts, context, |(along_rows, part)| {
        faint_lines(data, (least, step), *along_rows, part.clone())
    })
}

/// The defects of a mean, on all threads.
pub(super) fn judged(
    data: &Plane<f32>,
    cfa: Option<CfaPattern>,
    kind: Kind<'_>,
    context: &Context<'_>,
) -> Result<Vec<Seen>> {
    let first = in_bands(data.height(), context, |rows| stands(data, rows, cfa, kind))?;
    Ok(judge(data, cfa, kind, &first))
}
