//! Darks that were taken after saturated frames.

use std::ops::Range;
use std::sync::Mutex;

use photosite_pix::{FrameKind, Metadata};

use super::frames::raw_frame;
use crate::Result;
use crate::defects::{Seen, merge};
use crate::error::Reach;
use crate::header::moment;
use crate::inventory::Frame;
use crate::raw::{Handling, RawFrame};
use crate::sensor::{Afterglow, Campaign, FEW_OTHERS, see_afterglow, see_holding, transfer};
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
    moment(metadata.date_obs.as_deref()?).map(|d| d * DAY_S)
}

fn end_s(metadata: &Metadata) -> Option<f64> {
    Some(start_s(metadata)? + metadata.exposure_s.unwrap_or(0.0))
}

/// Darks of one set that followed a saturated frame, and others of that set that followed none.
pub(super) struct Chain<'a> {
    lit: &'a RawFrame,
    /// Each with the seconds from the end of the saturated frame to its start, the first one first.
    darks: Vec<(&'a RawFrame, f64)>,
    others: Vec<&'a RawFrame>,
}

/// What reads the samples of a band of a frame.
type Reads<'a> = dyn FnMut(&Prepared) -> Result<Vec<f32>> + 'a;

/// Sets of frames of one kind.
type Sets = [(FrameKind, Vec<RawFrame>)];

fn of_kind(sets: &Sets, kind: FrameKind) -> impl Iterator<Item = (usize, &RawFrame)> {
    let of = sets.iter().enumerate().filter(move |(_, s)| s.0 == kind);
    of.flat_map(|(set, s)| s.1.iter().map(move |f| (set, f)))
}

/// Whether a dark of some sets began soon after a frame ended; headers tell whole seconds.
pub(super) fn is_followed(sets: &Sets, metadata: &Metadata) -> bool {
    end_s(metadata).is_some_and(|end| {
        let mut starts = of_kind(sets, FrameKind::Dark).filter_map(|(_, d)| start_s(&d.metadata));
        starts.any(|s| s >= end - 1.0 && s - end < LATEST_S)
    })
}

/// Looks at the darks that followed saturated frames: at the pixels that were full against the others.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn see_darks_after(
    campaign: &Campaign,
    (sets, lights): (&Sets, &[Frame]),
    handling: Handling<'_>,
    context: &Context<'_>,
) -> Result<Vec<Afterglow>> {
    let lights = lights.iter().filter(|l| is_followed(sets, &l.metadata));
    let lights: Vec<RawFrame> = lights.filter_map(|l| raw_frame(l).ok()).collect();
    let look = Look::new(campaign, handling, context);
    let mut out = Vec::new();
    for chain in look.chains(sets, &lights)? {
        for after in chain.darks.iter().take(MOST_DARKS) {
            match look.afterglow(&chain, *after) {
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

/// The pixels that hold charge in the darks that followed saturated frames, row after row: UNSTABLE. None without two
/// such darks, and some of the same exposure and temperature that followed none.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn holding_pixels(
    campaign: &Campaign,
    (sets, lights): (&Sets, &[RawFrame]),
    context: &Context<'_>,
) -> Result<Vec<Seen>> {
    let look = Look::new(campaign, Handling::Once, context);
    let mut out = Vec::new();
    for chain in look.chains(sets, lights)? {
        match look.holding(&chain) {
            Ok(seen) => merge(&mut out, seen),
            Err(e) if e.reach() == Reach::Run => return Err(e),
            // What cannot be read was told where the map looked at it.
            Err(_) => {}
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

impl<'a> Look<'a> {
    fn new(campaign: &'a Campaign, handling: Handling<'a>, context: &'a Context<'a>) -> Self {
        Self { campaign, full_adu: transfer(campaign).full_adu, handling, context }
    }

    /// The darks that followed saturated flats and lights, the last of them before each.
    fn chains<'f>(&self, sets: &'f Sets, lights: &'f [RawFrame]) -> Result<Vec<Chain<'f>>> {
        let flats = of_kind(sets, FrameKind::Flat).map(|(_, f)| f);
        let lit = flats.chain(lights).filter(|f| is_followed(sets, &f.metadata));
        let mut full: Vec<(f64, &RawFrame)> = Vec::new();
        for frame in lit {
            match self.saturated(frame) {
                Ok(Some(_)) => full.extend(end_s(&frame.metadata).map(|end| (end, frame))),
                Err(e) if e.reach() == Reach::Run => return Err(e),
                // What cannot be read was told where its set was looked at.
                Ok(None) | Err(_) => {}
            }
        }
        full.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.path.cmp(&b.1.path)));
        let mut after: Vec<(&RawFrame, usize, f64, &RawFrame)> = Vec::new();
        let mut clear: Vec<(usize, &RawFrame)> = Vec::new();
        for (set, dark) in of_kind(sets, FrameKind::Dark) {
            let Some(start) = start_s(&dark.metadata) else { continue };
            let last = full.iter().rev().find(|(end, _)| *end <= start + 1.0);
            match last.map(|(end, lit)| (start - end, *lit)).filter(|(wait, _)| *wait < LATEST_S) {
                Some((wait_s, lit)) => after.push((lit, set, wait_s.max(0.0), dark)),
                None => clear.push((set, dark)),
            }
        }
        after.sort_by(|a, b| a.0.path.cmp(&b.0.path).then(a.2.total_cmp(&b.2)));
        let chain = |chain: &[(&'f RawFrame, usize, f64, &'f RawFrame)]| {
            let (lit, first, ..) = chain[0];
            let others = clear.iter().filter(|(set, _)| *set == first).map(|(_, d)| *d);
            let darks = chain.iter().filter(|c| c.1 == first).map(|c| (c.3, c.2)).collect();
            Chain { lit, darks, others: others.take(OTHERS).collect() }
        };
        let chains = after.chunk_by(|a, b| a.0.path == b.0.path).map(chain);
        Ok(chains.filter(|c| !c.others.is_empty()).collect())
    }

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
    fn afterglow(
        &self,
        chain: &Chain<'_>,
        (dark, wait_s): (&RawFrame, f64),
    ) -> Result<Option<Afterglow>> {
        let Some((lit, full)) = self.saturated(chain.lit)? else { return Ok(None) };
        let (after, others) = (dark.open(self.handling)?, self.opened(&chain.others)?);
        let grid = &self.campaign.grid;
        let strips = (0..grid.down).map(|strip| grid.rows(strip)).collect::<Vec<_>>();
        let blocks = self.in_bands(&strips, |strip, read| {
            let (bright, after) = (read(&lit)?, read(&after)?);
            let mut mean = vec![0.0; after.len()];
            for other in &others {
                let next = read(other)?;
                mean.iter_mut().zip(next).for_each(|(m, v)| *m += v / others.len() as f32);
            }
            Ok(see_afterglow((grid, strip), [&bright, &after, &mean], full))
        })?;
        let name = |f: &RawFrame| f.path.display().to_string();
        Ok(Some(Afterglow {
            lit: name(chain.lit),
            dark: name(dark),
            others: chain.others.iter().map(|f| name(f)).collect(),
            exposure_s: dark.exposure_s(),
            temp_c: dark.temp_c(),
            wait_s,
            blocks,
        }))
    }

    /// The pixels that hold charge in the first darks after a saturated frame.
    fn holding(&self, chain: &Chain<'_>) -> Result<Vec<Seen>> {
        let Some((lit, full)) = self.saturated(chain.lit)? else { return Ok(Vec::new()) };
        let darks: Vec<&RawFrame> = chain.darks.iter().take(MOST_DARKS).map(|d| d.0).collect();
        if darks.len() < 2 || chain.others.len() < FEW_OTHERS {
            return Ok(Vec::new());
        }
        let (darks, others) = (self.opened(&darks)?, self.opened(&chain.others)?);
        let grid = &self.campaign.grid;
        let mut bands: Vec<_> = (0..grid.down).map(|strip| grid.rows(strip)).collect();
        if let Some(last) = bands.last_mut() {
            last.end = grid.size.height;
        }
        self.in_bands(&bands, |band, read| {
            let bright = read(&lit)?;
            let darks = darks.iter().map(&mut *read).collect::<Result<Vec<_>>>()?;
            let others = others.iter().map(&mut *read).collect::<Result<Vec<_>>>()?;
            Ok(see_holding((grid, bands[band].clone()), (&bright, full), &darks, &others))
        })
    }

    fn opened(&self, frames: &[&RawFrame]) -> Result<Vec<Prepared>> {
        frames.iter().map(|f| f.open(self.handling)).collect()
    }

    /// What each band of rows tells, one after another; `see` is given its number, and what reads its samples.
    fn in_bands<T: Send>(
        &self,
        bands: &[Range<usize>],
        see: impl Fn(usize, &mut Reads<'_>) -> Result<Vec<T>> + Sync,
    ) -> Result<Vec<T>> {
        let width = self.campaign.grid.size.width;
        let slots: Vec<Mutex<Vec<T>>> = bands.iter().map(|_| Mutex::default()).collect();
        for_each(bands.len(), self.context, ReadBuffers::default, |buffers, band| {
            let mut read = |source: &Prepared| {
                let mut rows = vec![0.0; bands[band].len() * width];
                source.read(bands[band].clone(), 0..width, buffers, &mut rows)?;
                Ok(rows)
            };
            let seen = see(band, &mut read)?;
            *slots[band].lock().expect("no holder panics") = seen;
            Ok(())
        })?;
        Ok(slots.into_iter().flat_map(|s| s.into_inner().expect("no holder panics")).collect())
    }
}
