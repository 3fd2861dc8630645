//! One attempt at a master: its key, its stack, its defects, its header.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

use photosite_file::atomic::folder_of;
use photosite_file::fits::Sample;
use photosite_pix::reject::Reject;
use photosite_pix::unit::NoiseModel;
use photosite_pix::{Applied, CfaPattern, Frame, FrameKind, MaskBits, stat};
use serde_json::json;

use super::asked::{AdditivePart, Attempt, MasterRequest, MasterResult};
use super::found::{outcome, sample_step};
use super::starry::without_stars;
use crate::calibrate::RemovedBy;
use crate::defects::{self, Defect};
use crate::header::{MasterFacts, flat_colour_cards, master_header};
use crate::master::{Finish, Finished, FlatColour, NoiseCheck, finish, flat_noise};
use crate::product::compared::{Beside, compare_frames};
use crate::product::stacking::{equalise, open_all, plan_stack, stack, summarise};
use crate::product::write::Product;
use crate::provenance::{Input, Provenance, master_name};
use crate::raw::{RawFrame, common_noise};
use crate::stack::{Additive, Stacked, Terms};
use crate::work::{Context, for_each};
use crate::{Error, Result};

pub(super) fn provenance(
    request: &MasterRequest<'_>,
    frames: &[&RawFrame],
    additive: Vec<Input>,
) -> Provenance {
    let mut inputs: Vec<Input> =
        frames.iter().map(|f| Input::new(request.kind.name(), &f.path, f.hash)).collect();
    inputs.extend(additive);
    let level = match request.additive {
        AdditivePart::Level(l) => json!(l),
        _ => json!(null),
    };
    let mut parameters = json!({
        "combine": request.recipe.combine,
        "reject": request.recipe.reject,
        "level_adu": level,
        "defect_kappa": crate::defects::KAPPA,
        "maps": request.maps,
        "saturation_adu": frames.first().and_then(|f| f.detector.saturation_adu),
        "cfa": frames.first().and_then(|f| f.metadata.cfa),
        "turned": frames.iter().filter(|f| f.turned).map(|f| f.name()).collect::<Vec<_>>(),
    });
    let units = frames.iter().filter(|f| !f.from_zero_to_one && f.adu_per_sample() != 1.0);
    let units: BTreeMap<String, f64> = units.map(|f| (f.name(), f.adu_per_sample())).collect();
    if !units.is_empty() {
        parameters["adu_per_sample"] = json!(units);
    }
    // What headers say is of the inputs; what was told beside them stands in the master's own cards.
    if let Some(NoiseModel { gain_e_per_adu, read_noise_e }) =
        frames.iter().find(|f| f.noise_told).and_then(|f| f.noise())
    {
        parameters["noise"] =
            json!({ "e_per_adu": gain_e_per_adu.e_per_adu(), "read_noise_e": read_noise_e });
    }
    if let AdditivePart::Scaled { per_s, .. } = request.additive {
        parameters["dark_share_a_second"] = json!(per_s);
    }
    if request.kind != FrameKind::Bias {
        let curves = frames.iter().filter_map(|f| Some((f.name(), &f.linearity.as_ref()?.curves)));
        let curves: BTreeMap<String, _> = curves.collect();
        if let Some(first) = curves.values().next() {
            let alike = curves.len() == frames.len() && curves.values().all(|c| c == first);
            let zero_adu = request.zero_adu;
            parameters["linearity"] = match alike {
                true => json!({ "zero_adu": zero_adu, "curves": first }),
                false => json!({ "zero_adu": zero_adu, "curves": curves }),
            };
        }
    }
    let levelled = frames.iter().filter_map(|f| Some((f.name(), f.levelling()?)));
    let levelled: BTreeMap<String, serde_json::Value> = levelled.collect();
    if let Some(first) = levelled.values().next() {
        let alike = levelled.len() == frames.len() && levelled.values().all(|l| l == first);
        parameters["levels"] = if alike { first.clone() } else { json!(levelled) };
    }
    Provenance::new(master_name(request.kind), inputs, parameters)
}

pub(super) fn make(
    request: &MasterRequest<'_>,
    frames: &[&RawFrame],
    ((additive, removed_by), compared): ((Additive, Option<RemovedBy>), bool),
    provenance: &Provenance,
    context: &Context<'_>,
) -> Result<Attempt> {
    let is_flat = request.kind == FrameKind::Flat;
    let size = frames[0].region().size();
    if let Additive::Plane(p) | Additive::Scaled { bias: p, .. } = &additive
        && p.size() != size
    {
        return Err(Error::mismatch(format!(
            "the frames are {size} pixels, the master to subtract is {}",
            p.size()
        )));
    }
    let plan = plan_stack(frames, request.maps, context)?;
    let folder = folder_of(request.path);
    let mut sources = open_all(frames, &plan, folder, context)?;
    let (mut apart, mut drift) = (None, None);
    if !compared {
        let beside = Beside {
            witnesses: &request.witnesses,
            zero_adu: request.zero_adu,
            parts: request.parts,
        };
        let seen = compare_frames(request.kind, frames, &sources, &additive, beside, context)?;
        if !seen.odd.is_empty() {
            return Ok(Attempt::Odd(seen.odd, seen.parted));
        }
        (apart, drift) = (seen.apart, seen.drift);
    }
    for (source, frame) in sources.iter_mut().zip(frames) {
        source.additive = additive.clone();
        if let Additive::Scaled { k, .. } = &mut source.additive {
            *k *= frame.metadata.exposure_s.unwrap_or(0.0) as f32;
        }
        // Biases are the zero level itself; darks that keep theirs are straightened about a known one.
        let zero_adu = match additive {
            _ if request.kind == FrameKind::Bias => None,
            Additive::Nothing => request.zero_adu.map(|v| v as f32),
            _ => Some(0.0),
        };
        let bent = frame.linearity.clone();
        source.linear =
            bent.filter(|_| !frame.metadata.applied.contains(Applied::LINEARITY)).zip(zero_adu);
        // A saturated flat sample measures nothing; in a dark it is the mark of a hot pixel.
        source.missing_from_adu = frame.detector.saturation_adu.filter(|_| is_flat);
    }
    let levels = if is_flat { Some(equalise(&mut sources, context)?) } else { None };
    let level_adu = levels.map(|l| l.iter().sum::<f64>() / 3.0);
    let mut stacked = Stacked::empty(size, request.maps);
    // The stack holds what is left above the level that was subtracted from each frame.
    let taken_off = sources.iter().map(|s| s.level_adu).fold(f32::NEG_INFINITY, f32::max);
    let saturated_from = frames[0].detector.saturation_adu.filter(|_| !is_flat);
    stacked.saturated_from_adu = saturated_from.map(|level| level - taken_off);
    // Colours of a flat have as many kinds of noise.
    let period = sources[0].cfa.filter(|_| is_flat).map(CfaPattern::period);
    let terms = Terms { period, ..Terms::default() };
    stacked.unstable_from = unstable_from(request.recipe.reject, request.kind, frames.len());
    let planes = std::slice::from_mut(&mut stacked);
    stack(&sources, (request.recipe, terms), &plan, planes, context)?;
    // What was made of a frame that changed meanwhile would be kept under the wrong key.
    frames.iter().try_for_each(|f| f.unchanged())?;
    let maps = stacked.maps.take();
    let cfa = sources[0].cfa;
    drop(sources);
    // What every frame's header says was done before it came here.
    let before = frames.iter().fold(Applied::all(), |a, f| a & f.metadata.applied);
    let removed = match (request.kind, removed_by) {
        (_, None) => before & Applied::BIAS,
        (FrameKind::Flat, Some(_)) => Applied::BIAS | Applied::DARK,
        (_, Some(_)) => Applied::BIAS,
    };
    let noise = common_noise(frames.iter().map(|f| &f.metadata));
    let mut done = finish(
        stacked,
        Finish {
            kind: request.kind,
            count: frames.len(),
            combine: request.recipe.combine,
            cfa,
            noise,
            applied: removed,
            step_adu: frames.iter().map(|f| f.step_adu()).fold(0.0, f32::max),
        },
    );
    let stars = if is_flat { without_stars(&mut done.frame, cfa, context)? } else { 0 };
    let (hot, cold) = mark_defects(&mut done, request.kind, cfa, context)?;
    let signal = signal_adu(request, &done.frame, removed_by, level_adu.filter(|_| cfa.is_none()));
    let check = match (done.scatter_adu, signal, noise) {
        (Some(scatter), Some(signal), Some(noise)) => {
            Some(NoiseCheck::new(request.kind, scatter, signal, noise))
        }
        _ => None,
    };
    let facts = MasterFacts {
        kind: request.kind,
        recipe: request.recipe,
        rejected: done.rejected,
        hot,
        cold,
        no_data: done.no_data,
        unstable: count_of(&done.frame, MaskBits::UNSTABLE),
        removed_by,
        bias_gone: before.contains(Applied::BIAS),
        cfa,
        normalised_channels: match (request.kind, cfa) {
            (FrameKind::Flat, Some(_)) => 3,
            (FrameKind::Flat, None) => 1,
            _ => 0,
        },
        noise: check,
        level_adu,
        flat_noise: flat_noise(&done.frame, frames.len()).filter(|_| is_flat),
        apart,
        drift,
        stars,
    };
    let mut header = master_header(frames, &facts);
    if let Some((levels, cfa)) = levels.zip(cfa)
        && let Some(colours) = FlatColour::of(&done.frame, cfa, frames.len(), levels)
    {
        flat_colour_cards(&mut header, &colours);
    }
    let product = Product {
        path: request.path,
        frames: &[&done.frame],
        header: header.clone(),
        sample: Sample::F32,
        maps: maps.as_slice(),
        provenance,
        steps: facts.sentences(),
    };
    let stats = summarise(&done.frame.data, sample_step(&header), |passes| {
        product.write_while(passes, context).map(drop)
    })?;
    let inputs = frames.iter().map(|f| f.path.clone()).collect();
    let made = outcome(request.kind, request.path, inputs, stats, &header);
    Ok(Attempt::Made(Box::new(MasterResult { key: Some(provenance.key()), ..made })))
}

fn count_of(frame: &Frame, bits: MaskBits) -> usize {
    frame.mask.as_slice().iter().filter(|m| m.contains(bits)).count()
}

/// The share of a pixel's samples, and two at least, that are rejected where it jumps between levels; rays
/// hit one pixel twice once in some ten thousand.
const UNSTABLE: f64 = 0.1;

/// So many rejected samples of a pixel of biases or darks make it unstable; `None` where the method
/// rejects by count, or nothing.
fn unstable_from(reject: Reject, kind: FrameKind, count: usize) -> Option<u16> {
    let dark = matches!(kind, FrameKind::Bias | FrameKind::Dark | FrameKind::DarkFlat);
    let judged = matches!(reject, Reject::AveragedSigma { .. });
    (dark && judged).then(|| ((UNSTABLE * count as f64).ceil() as u16).max(2))
}

/// Finds the defects of a dark or flat on all threads and enters them into its mask.
fn mark_defects(
    done: &mut Finished,
    kind: FrameKind,
    cfa: Option<CfaPattern>,
    context: &Context<'_>,
) -> Result<(usize, usize)> {
    if !matches!(kind, FrameKind::Dark | FrameKind::Flat) {
        return Ok((0, 0));
    }
    let bands: Vec<Range<usize>> = defects::bands(done.frame.size().height).collect();
    let found: Vec<Mutex<Vec<Defect>>> = bands.iter().map(|_| Mutex::default()).collect();
    let data = &done.frame.data;
    for_each(
        bands.len(),
        context,
        || (),
        |(), i| {
            let here = defects::find(data, bands[i].clone(), cfa, done.frame_noise);
            *found[i].lock().expect("no holder panics") = here;
            Ok(())
        },
    )?;
    let found = found.into_iter().flat_map(|f| f.into_inner().expect("no holder panics"));
    // What is no response stands at 1 by agreement, and says nothing of hot or cold.
    let measured = |d: &Defect| !done.frame.mask.get(d.x, d.y).contains(MaskBits::NO_DATA);
    let all: Vec<Defect> = found.filter(measured).collect();
    Ok(defects::mark(&mut done.frame, &all))
}

/// How far the frames stand above the bias level, where that can be told, in ADU.
fn signal_adu(
    request: &MasterRequest<'_>,
    frame: &Frame,
    removed_by: Option<RemovedBy>,
    flat_level_adu: Option<f64>,
) -> Option<f64> {
    let median = || f64::from(stat::median_at_a_glance(frame.data.as_slice()));
    match (request.kind, removed_by) {
        (FrameKind::Bias, _) => Some(0.0),
        (FrameKind::Flat, Some(_)) => flat_level_adu,
        (FrameKind::Flat | FrameKind::Light, _) => None,
        (FrameKind::Dark | FrameKind::DarkFlat, Some(_)) => Some(median()),
        // A dark darker than the bias: the sensor corrects its own black level, and how many
        // electrons that hides is not known.
        (FrameKind::Dark | FrameKind::DarkFlat, None) => {
            Some(median() - request.zero_adu?).filter(|signal| *signal >= 0.0)
        }
    }
}
