//! Stacking on all threads within a memory budget.

use std::path::Path;
use std::sync::{LazyLock, Mutex};

use photosite_file::Access;
use photosite_file::scratch::Scratch;
use photosite_pix::combine::Recipe;
use photosite_pix::stat::{GLANCE_SAMPLES, Summary};
use photosite_pix::{CfaPattern, Plane, Size};

use crate::budget::{Budget, Need, budget};
use crate::event::Event;
use crate::master::channel_means;
use crate::raw::{Handling, RawFrame};
use crate::stack::{Band, Buffers, Layer, Prepared, ReadBuffers, Stacked, Terms, stack_tile};
use crate::work::{Context, for_each};
use crate::{Error, Result, env};

/// About as many samples of a flat as its mean is taken from: at a noise of 10 % vignetting included
/// the mean is good to 1e-4.
pub const MEAN_SAMPLES: usize = 1 << 20;

/// Decides how frames are stacked.
///
/// # Errors
/// When the memory allowed is too little; the message says what would do.
pub fn plan_stack(frames: &[&RawFrame], maps: bool, context: &Context<'_>) -> Result<Budget> {
    let size = frames[0].region().size();
    within_memory(Need {
        frames: frames.len(),
        size,
        planes: 1,
        coverage: false,
        guides: 0,
        packed: frames.iter().filter(|f| f.access == Access::Whole).count(),
        maps,
        least_rows: 1,
        worker_bytes: 0,
        threads: context.threads,
        memory_bytes: context.memory_bytes,
        open_files: env::open_file_limit(),
    })
}

/// Decides how to stack.
///
/// # Errors
/// When the memory allowed is too little; the message says what would do.
pub fn within_memory(need: Need) -> Result<Budget> {
    budget(need).map_err(|too_little| {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        Error::memory(format!(
            "{} frames of {} pixels cannot be stacked in {} MiB; allow --memory {}MiB or more",
            need.frames,
            need.size,
            mib(need.memory_bytes),
            mib(too_little.needed_bytes)
        ))
    })
}

/// Opens all frames; packed ones are unpacked to a nameless file in `folder`.
///
/// # Errors
/// When a frame cannot be read; the error names it.
pub fn open_all(
    frames: &[&RawFrame],
    plan: &Budget,
    folder: &Path,
    context: &Context<'_>,
) -> Result<Vec<Prepared>> {
    let scratch = if plan.scratch_bytes > 0 { Some(Scratch::create_in(folder)?) } else { None };
    let handling = Handling::Stack { scratch: scratch.as_ref(), keep_open: plan.keep_open };
    let slots: Vec<Mutex<Option<Prepared>>> = frames.iter().map(|_| Mutex::new(None)).collect();
    for_each(
        frames.len(),
        context,
        || (),
        |(), i| {
            *slots[i].lock().expect("no holder panics") = Some(frames[i].open(handling)?);
            Ok(())
        },
    )?;
    let opened = slots.into_iter().map(|s| s.into_inner().expect("no holder panics"));
    Ok(opened.map(|s| s.expect("every index was visited")).collect())
}

/// Gives each flat the factors that bring its means to 1, so that only their shapes are compared.
///
/// The means are taken over rows spread evenly over the frame, about a million samples. Returns
/// the mean level of all frames in ADU, channel by channel.
///
/// # Errors
/// When a frame cannot be read.
pub fn equalise(sources: &mut [Prepared], context: &Context<'_>) -> Result<[f64; 3]> {
    let means: Vec<Mutex<[f64; 3]>> = sources.iter().map(|_| Mutex::new([0.0; 3])).collect();
    let all: &[Prepared] = sources;
    for_each(all.len(), context, ReadBuffers::default, |buffers, i| {
        let samples = spread_rows(&all[i], buffers)?;
        let found = channel_means(&samples, all[i].region.width(), all[i].cfa);
        *means[i].lock().expect("no holder panics") = found;
        context.observer.event(Event::Advanced { by: 1, what: "measuring flats" });
        Ok(())
    })?;
    let count = sources.len() as f64;
    let mut levels = [0.0; 3];
    for (source, mean) in sources.iter_mut().zip(means) {
        let mean = mean.into_inner().expect("no holder panics");
        levels.iter_mut().zip(mean).for_each(|(level, m)| *level += m / count);
        source.scale = mean.map(|m| if m > 0.0 { (1.0 / m) as f32 } else { f32::NAN });
    }
    Ok(levels)
}

/// Memory that the samples by which a frame is described take, in bytes.
pub fn glance_bytes(size: Size) -> u64 {
    4 * size.pixels().min(GLANCE_SAMPLES) as u64
}

/// Describes samples while `meanwhile` does what else there is to do, given the passes over them;
/// as [`Summary::at_a_glance`].
pub fn summarise(
    data: &Plane<f32>,
    step: usize,
    meanwhile: impl FnOnce(&[&(dyn Fn() + Sync)]) -> Result<()>,
) -> Result<Summary> {
    let (rows, width) = (data.as_slice(), data.width());
    let summary = LazyLock::new(|| Summary::at_a_glance(rows, width, step, None, None));
    meanwhile(&[&|| _ = LazyLock::force(&summary)])?;
    Ok(*summary)
}

/// Rows spread evenly over a frame, whole cells of its colour filter array.
fn spread_rows(source: &Prepared, buffers: &mut ReadBuffers) -> Result<Vec<f32>> {
    let size = source.region.size();
    let cell = source.cfa.map_or(1, CfaPattern::period);
    let cells = (size.height / cell).max(1);
    let wanted = (MEAN_SAMPLES / (size.width * cell).max(1)).clamp(1, cells);
    let rows = cell.min(size.height);
    let mut samples = vec![0.0f32; wanted * rows * size.width];
    for (i, part) in samples.chunks_exact_mut(rows * size.width).enumerate() {
        let y = (i * cells / wanted) * cell;
        source.read(y..y + rows, 0..size.width, buffers, part)?;
    }
    Ok(samples)
}

/// Stacks all frames, tile by tile, into `stacked`, one a plane, which are empty.
///
/// # Errors
/// When a frame cannot be read, or the work is cancelled.
pub fn stack<L: Layer>(
    layers: &[L],
    (recipe, terms): (Recipe, Terms<'_>),
    plan: &Budget,
    stacked: &mut [Stacked],
    context: &Context<'_>,
) -> Result<()> {
    let size = layers[0].size();
    let across = size.width.div_ceil(plan.columns);
    let tiles = size.height.div_ceil(plan.rows) * across;
    let planes: Vec<Vec<Mutex<Band>>> =
        stacked.iter_mut().map(|s| s.bands(plan.rows).map(Mutex::new).collect()).collect();
    let total = layers.len() as u64;
    let context = &Context { threads: plan.workers, ..*context };
    for_each(tiles, context, Buffers::default, |buffers, turn| {
        // The last tile first: where lights end, pixels take longest, and nobody should wait for them.
        let tile = (turn + tiles - 1) % tiles;
        let band = tile / across;
        let y0 = band * plan.rows;
        let x0 = tile % across * plan.columns;
        let rows = y0..(y0 + plan.rows).min(size.height);
        let columns = x0..(x0 + plan.columns).min(size.width);
        let combined = stack_tile(layers, rows, columns.clone(), (recipe, terms), buffers)?;
        for (bands, tile) in planes.iter().zip(combined) {
            bands[band].lock().expect("no holder panics").place(columns.clone(), tile);
        }
        // Shares of the frames' count, summing to it exactly.
        let share = |tiles_done: usize| total * tiles_done as u64 / tiles as u64;
        let by = share(turn + 1) - share(turn);
        context.observer.event(Event::Advanced { by, what: "stacking" });
        Ok(())
    })?;
    let rejected: Vec<(u64, u64)> = planes
        .into_iter()
        .map(|bands| {
            let bands = bands.into_iter().map(|b| b.into_inner().expect("no holder panics"));
            bands.fold((0, 0), |(low, high), b| (low + b.rejected_low, high + b.rejected_high))
        })
        .collect();
    for (stacked, rejected) in stacked.iter_mut().zip(rejected) {
        (stacked.rejected_low, stacked.rejected_high) = rejected;
    }
    Ok(())
}
