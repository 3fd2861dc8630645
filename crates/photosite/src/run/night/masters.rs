//! The masters of a night.

use std::collections::BTreeSet;
use std::path::Path;

use photosite_pix::{FrameKind, stat};

use super::long_flats::dark_of_long_flats;
use super::notes::Notes;
use crate::error::Reach;
use crate::event::{Event, Stage};
use crate::finding::Severity;
use crate::inventory::FrameId;
use crate::master::NoiseCheck;
use crate::plan::{LightPlan, MasterId, MasterPlan, Plan, without_bias};
use crate::product::{
    AdditivePart, Kept, Known, MasterRequest, MasterResult, build_master, level_of_dark, replaced,
    take_master, work_units,
};
use crate::raw::RawFrame;
use crate::run::adopt::taken_from;
use crate::run::looked::read_plane;
use crate::run::results::{MasterResults, RawFrames};
use crate::work::Context;
use crate::{Finding, Result};

/// What masters are made with.
#[derive(Clone, Copy)]
pub(super) struct Making<'a> {
    pub known: &'a Known,
    pub kept: &'a Kept,
    pub folder: &'a Path,
}

/// Builds the planned masters from `first` on, or finds them built; one that cannot be made is left out.
pub(super) fn build_masters(
    (planned, first): (&Plan, MasterId),
    raw: &RawFrames,
    known: &Known,
    folder: &Path,
    results: &mut MasterResults,
    notes: &mut Notes,
    context: &Context<'_>,
) -> Result<()> {
    let members = |m: &MasterPlan| -> Vec<&RawFrame> {
        m.frames.iter().filter_map(|&i| raw[i].as_ref()).collect()
    };
    let wanted = || planned.named_masters().skip_while(|(id, _)| *id < first);
    if wanted().next().is_none() {
        return Ok(());
    }
    let total = wanted().map(|(_, m)| work_units(m.kind, &members(m))).sum();
    context.observer.event(Event::Started { stage: Stage::Masters, total });
    for (id, master) in wanted() {
        context.cancel.check()?;
        let path = folder.join(&master.file_name);
        let made = match &master.ready {
            None if master.level_of.is_some() => {
                let dark = master.level_of.and_then(|dark| results[dark].as_ref());
                dark.map(|dark| level_of_dark(&dark.path, &path, context)).transpose()
            }
            Some(ready) => {
                let from = taken_from(master, ready, folder);
                from.and_then(|from| {
                    // A converted copy has its place already.
                    let to = if from.parent() == Some(folder) { &from } else { &path };
                    take_master(master.kind, &from, to, known, context).map(Some)
                })
            }
            None => {
                let frames = members(master);
                let (part, told) = match additive(master, &frames, results, context) {
                    Ok(found) => found,
                    Err(e) if e.reach() == Reach::Run => return Err(e),
                    Err(e) => {
                        notes.failure(&e, &path, context);
                        (None, None)
                    }
                };
                notes.extend(told, context);
                match part {
                    Some(additive) if !frames.is_empty() => {
                        let request = MasterRequest {
                            kind: master.kind,
                            frames,
                            additive,
                            zero_adu: zero(master, results).map(|bias| bias.stats.median),
                            witnesses: witnesses_of(planned, id, raw),
                            parts: !master.from_library,
                            recipe: master.recipe,
                            maps: false,
                            path: &path,
                            known,
                        };
                        build_master(&request, context).map(Some)
                    }
                    _ => Ok(None),
                }
            }
        };
        match made {
            Ok(Some(result)) => {
                for (path, e) in &result.left_out {
                    notes.failure(e, path, context);
                }
                let zero = zero(master, results);
                let more = [
                    result.damaged.then(|| replaced(&result.path)),
                    noise_finding(&result),
                    zero.map(|zero| black_level_finding(zero, &result)).transpose()?.flatten(),
                ];
                notes.extend(more.into_iter().flatten().chain(result.findings()), context);
                results[id] = Some(result);
            }
            Ok(None) => {}
            Err(e) if e.reach() == Reach::Run => return Err(e),
            // A copy in the library was not made of files on a card.
            Err(e) if master.ready.is_some() => notes.add(
                Finding::of(&e, path.display().to_string()).hint(
                    "photosite library verify shows all damaged files; add the frames it was made of again.",
                ),
                context,
            ),
            Err(e) => notes.failure(&e, &path, context),
        }
    }
    context.observer.event(Event::Finished);
    Ok(())
}

/// Frames that are asked which part of a master's frames is theirs.
const ASKED: usize = 3;

/// Some lights that a dark is for, spread over all of them; of a bias some of the shortest darks whose zero level it
/// tells.
fn witnesses_of<'a>(planned: &Plan, id: MasterId, raw: &'a RawFrames) -> Vec<&'a RawFrame> {
    let frames: Vec<FrameId> = match planned[id].kind {
        FrameKind::Bias => {
            let darks = planned.masters.iter().filter(|m| m.zero == Some(id));
            let exposure_s = |m: &&MasterPlan| m.traits.exposure_s.unwrap_or(f64::INFINITY);
            let shortest = darks.min_by(|a, b| exposure_s(a).total_cmp(&exposure_s(b)));
            shortest.map_or_else(Vec::new, |dark| dark.frames.clone())
        }
        _ => planned.lights.iter().filter(|l| l.dark == Some(id)).map(|l| l.frame).collect(),
    };
    let frames: Vec<&RawFrame> = frames.iter().filter_map(|f| raw[*f].as_ref()).collect();
    let step = frames.len().div_ceil(ASKED).max(1);
    frames.into_iter().step_by(step).collect()
}

/// What is subtracted from each frame of a master, and what is told of it; `None` where the master of it
/// was not made.
fn additive(
    master: &MasterPlan,
    frames: &[&RawFrame],
    results: &MasterResults,
    context: &Context<'_>,
) -> Result<(Option<AdditivePart>, Option<Finding>)> {
    let Some((id, by)) = master.additive else { return Ok((Some(AdditivePart::Keep), None)) };
    let Some(made) = &results[id] else { return Ok((None, None)) };
    let plain = AdditivePart::Master(made.path.clone(), by);
    let dark = master.scaled_dark.and_then(|dark| results[dark].as_ref());
    let Some(dark) = dark.filter(|_| !frames.is_empty()) else { return Ok((Some(plain), None)) };
    let (scaled, told) = dark_of_long_flats(master, frames, (made, dark), context)?;
    Ok((Some(scaled.unwrap_or(plain)), Some(told)))
}

/// The bias of a dark's set-up; `None` for one that came without its bias.
fn zero<'a>(master: &MasterPlan, results: &'a MasterResults) -> Option<&'a MasterResult> {
    master.zero.filter(|_| !master.traits.bias_removed).and_then(|id| results[id].as_ref())
}

/// Tells of the masters that lights and flats go without.
pub(super) fn tell_unmade(
    (planned, raw): (&Plan, &RawFrames),
    results: &MasterResults,
    notes: &mut Notes,
    context: &Context<'_>,
) {
    let is_made = |of: Option<MasterId>| of.is_some_and(|id| results[id].is_some());
    let bare = planned.lights.iter().filter(|l| !is_made(l.bias) && !is_made(l.dark));
    let bare = bare.filter_map(|l| Some(raw[l.frame].as_ref()?.path.display().to_string()));
    let bare: BTreeSet<String> = bare.collect();
    notes.amend(|finding| {
        if bare.contains(&finding.subject) {
            without_bias(finding);
        }
    });
    let unmade = planned.named_masters().filter(|(id, _)| results[*id].is_none());
    notes.extend(unmade.filter_map(|(id, _)| not_made(planned, id)), context);
}

/// A Finding where lights go without a master that was planned for them.
fn not_made(planned: &Plan, id: MasterId) -> Option<Finding> {
    let uses = |light: &&LightPlan| [light.bias, light.dark, light.flat].contains(&Some(id));
    let lights = planned.lights.iter().filter(uses).count();
    let flats = planned.masters.iter().filter(|m| m.additive.is_some_and(|(a, _)| a == id)).count();
    if lights + flats == 0 {
        return None;
    }
    let master = &planned[id];
    let mut goes = Vec::new();
    if lights > 0 {
        goes.push(format!("{lights} lights are calibrated without it"));
    }
    if flats > 0 {
        goes.push(format!("{flats} master flats that depend on it are not made"));
    }
    Some(
        Finding::new(
            "master-not-made",
            Severity::Error,
            master.file_name.clone(),
            format!("this master {} could not be made: {}", master.kind, goes.join("; ")),
        )
        .hint("Another finding names the frames at fault; take or copy them again.")
        .with("lights", lights),
    )
}

/// How far below the bias a dark must lie to be called darker, in ADU: masters know their level
/// better than that.
const DARKER_ADU: f64 = 0.5;

/// How much darker than the bias a dark may be for the sensor's own correction, in the noise of one frame and
/// in ADU: what is more is another offset.
const CORRECTED: (f64, f64) = (5.0, 10.0);

/// The share of the variance that a gap's electrons would have below which it is none of dark current; gains of
/// headers are right within a factor of two.
const HAS_NOISE: f64 = 0.4;

/// That variance tells from so much of the bias's own on.
const TELLS: f64 = 0.3;

/// Whether a dark lies above its bias by what its noise denies to be dark current.
fn is_offset(gap_adu: f64, bias: &MasterResult, dark: &MasterResult) -> bool {
    let Some((bias, dark)) = bias.noise.zip(dark.noise) else { return false };
    let more = |of: fn(&NoiseCheck) -> f64| of(&dark).powi(2) - of(&bias).powi(2);
    let (has, asked) = (more(|n| n.scatter_adu), more(|n| n.model_adu));
    gap_adu > CORRECTED.1
        && asked > TELLS * bias.scatter_adu.max(bias.model_adu).powi(2)
        && has < HAS_NOISE * asked
}

/// Whether a dark was taken with another offset than its bias.
///
/// # Errors
/// When one of them cannot be read.
pub(super) fn is_of_another_offset(bias: &MasterResult, dark: &MasterResult) -> Result<bool> {
    Ok(gap_by_offset(bias, dark)?.is_some())
}

/// By how much a dark lies below its bias where no sensor's own correction and no dark current makes that: which way,
/// and why.
fn gap_by_offset(
    bias: &MasterResult,
    dark: &MasterResult,
) -> Result<Option<(f64, &'static str, &'static str)>> {
    let (bias_adu, dark_adu) = (bias.stats.median, dark.stats.median);
    let noise_adu = dark.stats.noise * (dark.inputs.len().max(1) as f64).sqrt();
    let way = |gap_adu: f64| {
        if gap_adu > (CORRECTED.0 * noise_adu).max(CORRECTED.1) {
            Some(("below", "more than a sensor's own correction makes"))
        } else if is_offset(-gap_adu, bias, dark) {
            Some(("above", "but has not the noise of so much dark current"))
        } else {
            None
        }
    };
    let mut gap_adu = bias_adu - dark_adu;
    if way(gap_adu).is_some() {
        // Medians of frames whose amplifiers have levels of their own lie anywhere: pixels tell.
        let [bias, dark] = [read_plane(&bias.path, 0)?, read_plane(&dark.path, 0)?];
        if bias.size() == dark.size() {
            let above = stat::median_above_at_a_glance(bias.as_slice(), dark.as_slice());
            gap_adu = f64::from(above);
        }
    }
    Ok(way(gap_adu).map(|(way, why)| (gap_adu, way, why)))
}

/// A Finding where a dark is darker than the bias of its set-up, or of another offset.
fn black_level_finding(bias: &MasterResult, dark: &MasterResult) -> Result<Option<Finding>> {
    let (bias_adu, dark_adu) = (bias.stats.median, dark.stats.median);
    if let Some((gap_adu, way, why)) = gap_by_offset(bias, dark)? {
        let message = format!(
            "this dark ({dark_adu:.1} ADU) lies {:.0} ADU {way} the bias ({bias_adu:.1} ADU), {why}: one of them was \
             taken with another offset, or the level moved, and that gap stays in the lights or is taken twice",
            gap_adu.abs()
        );
        return Ok(Some(
            Finding::new(
                "offset-mismatch",
                Severity::Warning,
                dark.path.display().to_string(),
                message,
            )
            .hint(
                "Take biases and darks with the offset of the lights; leave out those of another.",
            )
            .with("gap_adu", gap_adu),
        ));
    }
    Ok((dark_adu < bias_adu - DARKER_ADU).then(|| {
        Finding::new(
            "black-level-corrected",
            Severity::Info,
            dark.path.display().to_string(),
            format!(
                "this dark ({dark_adu:.1} ADU) is darker than the bias ({bias_adu:.1} ADU): the \
                 sensor corrects its own black level, so its darks match only lights of the same \
                 exposure and temperature"
            ),
        )
        .with("dark_adu", dark_adu)
        .with("bias_adu", bias_adu)
    }))
}

/// Fewest frames whose scatter is trusted against a noise model.
const FEWEST_FOR_NOISE: usize = 5;

/// A Finding where the frames scatter otherwise than gain and read noise foretell.
fn noise_finding(master: &MasterResult) -> Option<Finding> {
    let noise = master.noise.filter(|n| !n.agrees())?;
    if master.inputs.len() < FEWEST_FOR_NOISE {
        return None;
    }
    let is_dark = matches!(master.kind, FrameKind::Dark | FrameKind::DarkFlat);
    let hint = if noise.ratio() > 1.0 && is_dark {
        "The sensor may correct its own black level and so hide dark signal, light may leak in, \
         or the gain or read noise in the headers may be wrong."
    } else if noise.ratio() > 1.0 {
        "The level may drift from frame to frame, light may leak in, or the gain or read noise in \
         the headers may be wrong."
    } else {
        "The gain or read noise in the headers may be wrong, or the frames may have been smoothed."
    };
    Some(
        Finding::new(
            "noise-not-as-modelled",
            if is_dark { Severity::Info } else { Severity::Warning },
            master.path.display().to_string(),
            format!(
                "the scatter of one frame is {:.2} ADU, gain and read noise predict {:.2} ADU",
                noise.scatter_adu, noise.model_adu
            ),
        )
        .hint(hint)
        .with("scatter_adu", noise.scatter_adu)
        .with("model_adu", noise.model_adu)
        .with("ratio", noise.ratio()),
    )
}
