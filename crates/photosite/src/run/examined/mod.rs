//! Some frames of each set-up looked at before anything is planned: where their headers and their
//! pixels disagree, the pixels are believed.

mod among;
mod black;
mod clipped;
mod crop;
mod cut;
mod elsewhere;
mod exposures;
mod freed;
mod kinds;
mod lost;
mod outputs;
mod rigs;
mod rows;
mod units;

use std::collections::BTreeMap;
use std::path::Path;

pub(super) use among::turn_among;
pub use kinds::settle;
pub(super) use rows::order_name;
pub(super) use units::zero_level;

use photosite_file::keyword::adu_per_sample;
use photosite_file::{Access, Source};
use photosite_pix::FrameKind;

use crate::detector::full_scale_adu;
use crate::evidence::{
    ArrayVerdict, Contradicted, Glance, LOOKED_AT, array, contradicted, greens_elsewhere, plateau,
};
use crate::finding::{Severity, first_and_more};
use crate::header::without_array;
use crate::inventory::{Frame, Inventory};
use crate::library::camera_key;
use crate::measure::PHASE_DOUBTFUL;
use crate::open::{in_adu, open_stored};
use crate::work::{Context, on_each};
use crate::{Finding, Result};

/// Every second of the calibration frames that are looked at keeps its samples, which show which way up
/// it lies, and every light: 36 MiB for all kinds together.
const EVERY: usize = 2;

/// A level that lies within this share of the one that would be used otherwise is not worth a word.
const NEARLY: f32 = 0.99;

/// What frames of one sensor and one way of reading it have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Setup {
    camera: Option<String>,
    camera_id: Option<String>,
    size: (usize, usize),
    binning: Option<(u32, u32)>,
    bits: Option<i64>,
}

impl Setup {
    fn of(frame: &Frame) -> Self {
        let (m, active) = (&frame.metadata, frame.detector.active.size());
        Self {
            camera: m.camera.as_deref().map(camera_key),
            camera_id: m.camera_id.clone(),
            size: (active.width, active.height),
            binning: m.binning,
            bits: frame.header.get_i64("BITPIX"),
        }
    }
}

/// The frames of a set-up, and those of them that were looked at.
struct Seen {
    members: Vec<usize>,
    glances: Vec<(usize, Glance)>,
}

/// Looks at some frames of each set-up, and corrects what their pixels contradict.
///
/// # Errors
/// When the work is cancelled.
pub fn examine(inventory: &mut Inventory, context: &Context<'_>) -> Result<()> {
    let (mut findings, mut left_out) = (Vec::new(), Vec::new());
    left_out.extend(units::to_adu(&mut inventory.frames, &mut findings, context)?);
    crop::to_lights(&mut inventory.frames, &mut findings, context)?;
    rigs::told_apart(&mut inventory.frames, &mut findings, context)?;
    let mut setups: BTreeMap<Setup, Vec<usize>> = BTreeMap::new();
    let mut raws: BTreeMap<Setup, Vec<usize>> = BTreeMap::new();
    for (i, frame) in inventory.frames.iter().enumerate().filter(|(i, _)| !left_out.contains(i)) {
        let setups = if is_decoded(frame) { &mut raws } else { &mut setups };
        setups.entry(Setup::of(frame)).or_default().push(i);
    }
    for members in raws.values() {
        black::rows_would_go(members, &inventory.frames, &mut findings, context)?;
    }
    let mut levels = freed::Levels::default();
    for members in setups.into_values() {
        let frames = &mut inventory.frames;
        let mut members = members;
        for damaged in [cut::broken_off, lost::blocks] {
            let (damaged, told): (Vec<usize>, Vec<Finding>) =
                damaged(&members, frames, context)?.into_iter().unzip();
            findings.extend(told);
            members.retain(|i| !damaged.contains(i));
            left_out.extend(damaged);
        }
        exposures::in_seconds(&members, frames, &mut findings);
        exposures::by_hot_pixels(&members, frames, &mut findings, context)?;
        let glances = look(frames, &members, context)?;
        let seen = Seen { members, glances };
        let wrong = kinds::mislabelled(&seen, frames, context)?;
        let (wrong, told): (Vec<usize>, Vec<Finding>) = wrong.into_iter().unzip();
        findings.extend(told);
        let seen = seen.without(&wrong);
        left_out.extend(wrong);
        seen.saturation(frames, &mut findings);
        clipped::at_zero(&seen, frames, &mut findings);
        seen.array(frames, &mut findings);
        let elsewhere = elsewhere::left_out(&seen, frames, &mut findings);
        let seen = seen.without(&elsewhere);
        left_out.extend(elsewhere);
        outputs::distrust_overscans(&seen, frames, &mut findings, context)?;
        outputs::missing_gains(&seen, frames, &mut findings);
        outputs::curves_of_others(&seen, frames, &mut findings);
        black::rows_would_go(&seen.members, frames, &mut findings, context)?;
        rows::turn(&seen, frames, &mut findings, context)?;
        levels.take(&seen, frames);
    }
    levels.freed(&mut inventory.frames, &mut findings);
    left_out.extend(outputs::read_otherwise(&inventory.frames, &left_out, &mut findings));
    inventory.findings.extend(findings);
    left_out.sort_unstable();
    for i in left_out.into_iter().rev() {
        let frame = inventory.frames.remove(i);
        inventory.left_out.push((frame.path, Some(frame.kind)));
    }
    inventory.left_out.sort();
    Ok(())
}

/// Whether a frame is a camera raw: that is described by its decoder, not by a header that a person can get wrong.
fn is_decoded(frame: &Frame) -> bool {
    frame.access == Access::Whole && photosite_file::is_camera_raw(&frame.path).unwrap_or(false)
}

/// Opens a frame with its samples in ADU, where its header tells what they are.
fn open_in_adu(frame: &Frame) -> Result<Box<dyn Source>> {
    Ok(in_adu(open_stored(&frame.path)?, adu_per_sample(&frame.header).unwrap_or(1.0)))
}

/// Looks at some frames of each kind.
fn look(
    frames: &[Frame],
    members: &[usize],
    context: &Context<'_>,
) -> Result<Vec<(usize, Glance)>> {
    let wanted: Vec<(usize, bool)> = FrameKind::ALL
        .into_iter()
        .flat_map(|kind| {
            let of_kind = members.iter().copied().filter(|i| frames[*i].kind == kind);
            let mut of_kind: Vec<usize> = of_kind.collect();
            // The choice must not depend on the order in which frames were named.
            of_kind.sort_by_key(|i| &frames[*i].path);
            let some = of_kind.len().min(LOOKED_AT);
            let keeps = move |k: usize| kind == FrameKind::Light || k.is_multiple_of(EVERY);
            (0..some).map(|k| (of_kind[k * of_kind.len() / some], keeps(k))).collect::<Vec<_>>()
        })
        .collect();
    let (wanted, keeps): (Vec<usize>, Vec<bool>) = wanted.into_iter().unzip();
    look_at(frames, wanted, &|k| keeps[k], context)
}

/// Looks at frames; one that cannot be read is found out later, with a Finding of its own.
///
/// Those that `keeps` names by their place keep their samples.
fn look_at(
    frames: &[Frame],
    wanted: Vec<usize>,
    keeps: &(dyn Fn(usize) -> bool + Sync),
    context: &Context<'_>,
) -> Result<Vec<(usize, Glance)>> {
    let seen = on_each(wanted.len(), context, |k| {
        let frame = &frames[wanted[k]];
        let glance = Glance::of(&*open_in_adu(frame)?, frame.detector.active)?;
        Ok(if keeps(k) { glance } else { glance.forgetting() })
    })?;
    Ok(wanted.into_iter().zip(seen).filter_map(|(i, seen)| Some((i, seen.ok()?))).collect())
}

impl Seen {
    /// The same without some frames.
    fn without(mut self, frames: &[usize]) -> Self {
        self.members.retain(|i| !frames.contains(i));
        self.glances.retain(|(i, _)| !frames.contains(i));
        self
    }

    /// The frames that were looked at, with their kinds.
    fn kinds(&self, frames: &[Frame]) -> Vec<(FrameKind, &Glance)> {
        self.glances.iter().map(|(i, g)| (frames[*i].kind, g)).collect()
    }

    /// Believes a saturation level in the headers only if samples allow it, and finds it where they
    /// end.
    fn saturation(&self, frames: &mut [Frame], findings: &mut Vec<Finding>) {
        let kinds = self.kinds(frames);
        let ends = plateau(&kinds.iter().map(|(_, g)| *g).collect::<Vec<_>>());
        let mut wrong: BTreeMap<u32, Option<(Contradicted, &'static str)>> = BTreeMap::new();
        let mut told: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let mut lowered: Vec<usize> = Vec::new();
        for &i in &self.members {
            let frame = &mut frames[i];
            if let Some(level) = frame.metadata.saturation_adu.map(|v| v as f32) {
                let data_max = ["SATURATE", "SATLEVEL", "MAXLIN"]
                    .iter()
                    .all(|key| frame.header.get(key).is_none());
                let why = wrong.entry(level.to_bits()).or_insert_with(|| {
                    let keyword = if data_max { "DATAMAX" } else { "the header" };
                    Some((contradicted(&kinds, level, data_max)?, keyword))
                });
                if why.is_some() {
                    told.entry(level.to_bits()).or_default().push(i);
                    frame.metadata.saturation_adu = None;
                    frame.detector.saturation_adu = full_scale_adu(&frame.header).map(|v| v as f32);
                }
            }
            let ends_earlier =
                ends.filter(|end| frame.detector.saturation_adu.is_none_or(|s| s > *end));
            if let Some(end) = ends_earlier {
                let worth_telling = frame.detector.saturation_adu.is_none_or(|s| end < NEARLY * s);
                frame.detector.saturation_adu = Some(end);
                if worth_telling && told.values().all(|of| !of.contains(&i)) {
                    lowered.push(i);
                }
            }
        }
        for (level, of) in &told {
            let Some(Some((why, keyword))) = wrong.get(level) else { continue };
            let level = f32::from_bits(*level);
            let name = |at: usize| name(&frames[self.glances[at].0].path);
            let seen = match *why {
                Contradicted::Median { frame, median_adu } => {
                    format!("half of the samples of {} lie above {median_adu:.0} ADU", name(frame))
                }
                Contradicted::Above { frame, share } => {
                    format!("{:.2} % of the samples of {} lie above it", 100.0 * share, name(frame))
                }
            };
            let instead = match (ends, frames[of[0]].detector.saturation_adu) {
                (Some(end), _) => format!("samples end at {end:.0} ADU, which is used instead"),
                (None, Some(full)) => {
                    format!("{full:.0} ADU, where the file's numbers end, is used instead")
                }
                (None, None) => "no level is used".to_owned(),
            };
            let message = format!(
                "{keyword} gives {level:.0} ADU as the level of saturation, but {seen}: the level \
                 is ignored; {instead}"
            );
            findings.push(
                Finding::new("saturation-doubtful", Severity::Warning, some(frames, of), message)
                    .hint("Remove the card, or write the true level into SATURATE.")
                    .with("level_adu", level),
            );
        }
        if let Some(level) = ends.filter(|_| !lowered.is_empty()) {
            let message = format!(
                "the highest samples all stand at {level:.0} ADU: samples at this level count as \
                 saturated"
            );
            findings.push(
                Finding::new("saturation-seen", Severity::Info, some(frames, &lowered), message)
                    .with("level_adu", level),
            );
        }
    }

    /// Doubts an array in the headers over samples of one colour, and none over samples of three.
    fn array(&self, frames: &mut [Frame], findings: &mut Vec<Finding>) {
        let named: Vec<usize> =
            self.members.iter().copied().filter(|i| frames[*i].metadata.cfa.is_some()).collect();
        let kinds = self.kinds(frames);
        let mut dark: Vec<f64> = kinds
            .iter()
            .filter(|(kind, _)| !matches!(kind, FrameKind::Flat | FrameKind::Light))
            .map(|(_, g)| g.median_adu)
            .collect();
        dark.sort_by(f64::total_cmp);
        let zero_adu = dark.get(dark.len() / 2).copied();
        let verdict = array(&kinds, zero_adu);
        let count = |kind| kinds.iter().filter(|(k, _)| *k == kind).count();
        let (flats, lights) = (count(FrameKind::Flat), count(FrameKind::Light));
        let Some(&first) = named.first() else {
            if let ArrayVerdict::Array(share) = verdict {
                let message = format!(
                    "no header names a colour filter array, but in {flats} flats that were looked \
                     at every second pixel differs from its neighbours by up to {:.0} %, as under \
                     red, green and blue filters; the frames are treated as monochrome",
                    100.0 * share
                );
                findings.push(
                    Finding::new(
                        "cfa-not-named",
                        Severity::Warning,
                        some(frames, &self.members),
                        message,
                    )
                    .hint("If the sensor is a colour one, write BAYERPAT into the headers."),
                );
            }
            return;
        };
        let Some(pattern) = frames[first].metadata.cfa else { return };
        let cfa = pattern.to_string();
        let active = frames[first].detector.active;
        let seen = pattern.shifted(active.x0, active.y0);
        if let Some((unlike, alike)) = greens_elsewhere(&kinds, zero_adu, seen) {
            let [a, b] = [pattern.shifted(1, 0), pattern.shifted(0, 1)];
            let message = format!(
                "the headers name the array {cfa}, but in {flats} flats that were looked at the places that it calls \
                 green differ by up to {:.0} % and the other two by {:.1} %, so that colours come out wrong; {a} or \
                 {b} would agree with the samples",
                100.0 * unlike,
                100.0 * alike
            );
            findings.push(
                Finding::new(PHASE_DOUBTFUL, Severity::Warning, some(frames, &named), message)
                    .hint("Correct BAYERPAT, XBAYROFF or YBAYROFF; the capture program's settings have the array.")
                    .with("cfa", cfa.clone()),
            );
        }
        if let ArrayVerdict::Array(share) = verdict {
            let silent = |i: &usize| frames[*i].metadata.cfa.is_none();
            let silent: Vec<usize> = self.members.iter().copied().filter(silent).collect();
            if !silent.is_empty() {
                let message = format!(
                    "these headers name no colour filter array, but those of {} name {cfa}, and in \
                     {flats} flats that were looked at every second pixel differs from its \
                     neighbours by up to {:.0} %: the frames are treated as {cfa}",
                    name(&frames[first].path),
                    100.0 * share
                );
                findings.push(
                    Finding::new(
                        "cfa-not-named",
                        Severity::Warning,
                        some(frames, &silent),
                        message,
                    )
                    .hint("Have the capture program write BAYERPAT into all headers.")
                    .with("cfa", cfa.clone()),
                );
                for i in silent {
                    frames[i].metadata.cfa = Some(pattern);
                    frames[i].header.set_text("BAYERPAT", &cfa, "");
                }
            }
        }
        let (message, hint) = match verdict {
            ArrayVerdict::OneColour(share) => (
                format!(
                    "the headers name the colour filter array {cfa}, but the four places of its \
                     cell differ by {:.2} % at most in {flats} flats that were looked at, and no \
                     light contradicts: the frames are treated as monochrome",
                    100.0 * share
                ),
                "Remove BAYERPAT from the headers, or have the capture program write none.",
            ),
            ArrayVerdict::PerhapsOneColour(share) => (
                format!(
                    "the headers name the colour filter array {cfa}, but the four places of its \
                     cell differ by {:.2} % at most in {lights} lights that were looked at: the \
                     sensor may be monochrome; without flats the headers are believed",
                    100.0 * share
                ),
                "If the sensor is monochrome, remove BAYERPAT from the headers.",
            ),
            ArrayVerdict::Array(_) | ArrayVerdict::Unclear => return,
        };
        findings.push(
            Finding::new("cfa-not-seen", Severity::Warning, some(frames, &named), message)
                .hint(hint)
                .with("cfa", cfa),
        );
        if matches!(verdict, ArrayVerdict::OneColour(_)) {
            for i in named {
                frames[i].metadata.cfa = None;
                without_array(&mut frames[i].header);
            }
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The first of some frames, and how many more there are.
fn some(frames: &[Frame], of: &[usize]) -> String {
    let first = of.first().map_or_else(String::new, |i| frames[*i].path.display().to_string());
    first_and_more(first, of.len())
}
