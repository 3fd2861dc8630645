//! Darks that were taken after saturated frames.

use std::sync::Mutex;

use photosite_pix::{FrameKind, Metadata};

use super::frames::raw_frame;
use crate::Result;
use crate::error::Reach;
use crate::header::days;
use crate::inventory::Frame;
use crate::raw::{Handling, RawFrame};
use crate::sensor::{Afterglow, Campaign, see_afterglow, transfer};
use crate::stack::{Prepared, ReadBuffers};
use crate::work::{Context, for_each};

/// Traces that are older than this many seconds are not looked for.
const LATEST_S: f64 = 7200.0;
/// Darks after one saturated frame that are looked at.
const MOST_DARKS: usize = 6;
/// Darks of the same set that one is compared with.
const OTHERS: usize = 8;
/// Pixels from this share of what is full on were full.
const FULL: f32 = 0.97;
/// Fewer saturated pixels than this in a middle part leave a frame out: it was not saturated.
const FEW_FULL: usize = 30;

const DAY_S: f64 = 86_400.0;

fn start_s(metadata: &Metadata) -> Option<f64> {
    days(metadata.date_obs.as_deref()?).map(|d| d * DAY_S)
}

fn end_s(metadata: &Metadata) -> Option<f64> {
    Some(start_s(metadata)? + metadata.exposure_s.unwrap_or(0.0))
}

/// A dark, and the last frame under light before it.
struct After<'a> {
    set: usize,
    dark: &'a RawFrame,
    lit: &'a RawFrame,
    wait_s: f64,
}

/// Looks at the darks that followed saturated frames: at the pixels that were full against the others.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn see_darks_after(
    campaign: &Campaign,
    (sets, lights): (&[(FrameKind, Vec<RawFrame>)], &[Frame]),
    handling: Handling<'_>,
    context: &Context<'_>,
) -> Result<Vec<Afterglow>> {
    let of = |kind: FrameKind| sets.iter().enumerate().filter(move |(_, s)| s.0 == kind);
    let all_darks = || of(FrameKind::Dark).flat_map(|(set, s)| s.1.iter().map(move |d| (set, d)));
    let starts: Vec<f64> = all_darks().filter_map(|(_, d)| start_s(&d.metadata)).collect();
    // Headers tell whole seconds.
    let follows = |m: &Metadata| {
        let after = |end: f64| starts.iter().any(|s| *s >= end - 1.0 && s - end < LATEST_S);
        end_s(m).is_some_and(after)
    };
    let lights = lights.iter().filter(|l| follows(&l.metadata));
    let lights: Vec<RawFrame> = lights.filter_map(|l| raw_frame(l).ok()).collect();
    let flats = of(FrameKind::Flat).flat_map(|(_, s)| &s.1).filter(|f| follows(&f.metadata));
    let full_adu = transfer(campaign).full_adu;
    let look = Look { campaign, full_adu, handling, context };
    let mut lit: Vec<(f64, &RawFrame)> = Vec::new();
    for frame in flats.chain(&lights) {
        match look.saturated(frame) {
            Ok(Some(_)) => lit.extend(end_s(&frame.metadata).map(|end| (end, frame))),
            Err(e) if e.reach() == Reach::Run => return Err(e),
            // What cannot be read was told where its set was looked at.
            Ok(None) | Err(_) => {}
        }
    }
    lit.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.path.cmp(&b.1.path)));
    let mut after: Vec<After<'_>> = Vec::new();
    let mut clear: Vec<(usize, &RawFrame)> = Vec::new();
    for (set, dark) in all_darks() {
        let Some(start) = start_s(&dark.metadata) else { continue };
        let last = lit.iter().rev().find(|(end, _)| *end <= start + 1.0);
        match last.map(|(end, lit)| (start - end, *lit)).filter(|(wait, _)| *wait < LATEST_S) {
            Some((wait_s, lit)) => {
                after.push(After { set, dark, lit, wait_s: wait_s.max(0.0) });
            }
            None => clear.push((set, dark)),
        }
    }
    after.sort_by(|a, b| a.lit.path.cmp(&b.lit.path).then(a.wait_s.total_cmp(&b.wait_s)));
    let mut out = Vec::new();
    for chain in after.chunk_by(|a, b| a.lit.path == b.lit.path) {
        let first = &chain[0];
        let others: Vec<&RawFrame> = clear
            .iter()
            .filter(|(set, _)| *set == first.set)
            .map(|(_, d)| *d)
            .take(OTHERS)
            .collect();
        if others.is_empty() {
            continue;
        }
        for one in chain.iter().filter(|c| c.set == first.set).take(MOST_DARKS) {
            match look.afterglow(one, &others) {
                Ok(Some(seen)) => out.push(seen),
                Ok(None) => break,
                Err(e) if e.reach() == Reach::Run => return Err(e),
                // What cannot be read was told where its set was looked at.
                Err(_) => {}
            }
        }
    }
    Ok(out)
}

/// How frames are looked at.
struct Look<'a> {
    campaign: &'a Campaign,
    full_adu: Option<f64>,
    handling: Handling<'a>,
    context: &'a Context<'a>,
}

impl Look<'_> {
    /// A frame of which some pixels in the middle are full, and the level in ADU from which they are.
    fn saturated(&self, frame: &RawFrame) -> Result<Option<(Prepared, f32)>> {
        let grid = &self.campaign.grid;
        let lit = frame.open(self.handling)?;
        let levels = self.campaign.bias_levels();
        let bias = levels.map_or(0.0, |b| b.iter().sum::<f64>() / b.len() as f64);
        let top = frame.detector.saturation_adu.map(|v| v - lit.level_adu);
        let pixels = self.full_adu.map(|full| (bias + f64::from(FULL) * full) as f32);
        let Some(full) = [top, pixels].into_iter().flatten().min_by(f32::total_cmp) else {
            return Ok(None);
        };
        let (rows, width) = (grid.rows(grid.down / 2), grid.size.width);
        let mut some = vec![0.0; rows.len() * width];
        lit.read(rows, 0..width, &mut ReadBuffers::default(), &mut some)?;
        let count = some.iter().filter(|v| **v >= full).count();
        Ok((count >= FEW_FULL).then_some((lit, full)))
    }

    /// One dark after a saturated frame, beside others; `None` where that was not saturated.
    fn afterglow(&self, one: &After<'_>, others: &[&RawFrame]) -> Result<Option<Afterglow>> {
        let (grid, width) = (&self.campaign.grid, self.campaign.grid.size.width);
        let Some((lit, full)) = self.saturated(one.lit)? else { return Ok(None) };
        let dark = one.dark.open(self.handling)?;
        let references: Vec<Prepared> =
            others.iter().map(|f| f.open(self.handling)).collect::<Result<_>>()?;
        let slots: Vec<Mutex<Vec<[f64; 4]>>> = (0..grid.down).map(|_| Mutex::default()).collect();
        let room = || (ReadBuffers::default(), [(); 4].map(|()| Vec::<f32>::new()));
        for_each(grid.down, self.context, room, |(buffers, [bright, after, sum, next]), strip| {
            let range = grid.rows(strip);
            let mut read = |source: &Prepared, out: &mut Vec<f32>| {
                out.resize(range.len() * width, 0.0);
                source.read(range.clone(), 0..width, buffers, out)
            };
            read(&lit, bright)?;
            read(&dark, after)?;
            sum.clear();
            sum.resize(range.len() * width, 0.0);
            for reference in &references {
                read(reference, next)?;
                sum.iter_mut().zip(&*next).for_each(|(s, v)| *s += v / references.len() as f32);
            }
            let seen = see_afterglow((grid, strip), [bright, after, sum], full);
            *slots[strip].lock().expect("no holder panics") = seen;
            Ok(())
        })?;
        let blocks = slots.into_iter().flat_map(|s| s.into_inner().expect("no holder panics"));
        let name = |f: &RawFrame| f.path.display().to_string();
        Ok(Some(Afterglow {
            lit: name(one.lit),
            dark: name(one.dark),
            others: others.iter().map(|f| name(f)).collect(),
            exposure_s: one.dark.exposure_s(),
            temp_c: one.dark.temp_c(),
            wait_s: one.wait_s,
            blocks: blocks.collect(),
        }))
    }
}
