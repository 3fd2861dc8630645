//! Frames without a label are told apart by their pixels; labels that pixels contradict are not
//! believed.

use std::collections::BTreeMap;
use std::path::Path;

use photosite_pix::{FrameKind, stat};

use super::{Seen, Setup, look, look_at, some};
use crate::evidence::{Asked, Beside, Glance, KindSeen, KindVerdict, kinds_of, label_contradicted};
use crate::finding::Severity;
use crate::inventory::{Frame, Inventory, KindSource, option_of, unlabelled};
use crate::work::Context;
use crate::{Finding, Result};

fn asked<'a>(frame: &Frame, kind: Option<FrameKind>, glance: &'a Glance) -> Asked<'a> {
    let end = frame.detector.saturation_adu.map_or(65_535.0, f64::from);
    // Samples above a level show that it is not the end.
    let full_adu = end.max(f64::from(glance.highest_adu));
    let m = &frame.metadata;
    let settings = [m.gain_setting, m.offset_setting];
    Asked { kind, exposure_s: m.exposure_s, settings, full_adu, glance }
}

/// A frame of less than this share of the lights' noise saw no more light than they did.
const QUIETER: f64 = 0.8;

/// Decides by their pixels what frames without a label are, and takes them into the inventory; those
/// that do not tell are left out.
///
/// # Errors
/// When the work is cancelled.
pub fn settle(
    inventory: &mut Inventory,
    without_label: Vec<(Frame, Vec<Finding>)>,
    context: &Context<'_>,
) -> Result<()> {
    let mut setups: BTreeMap<Setup, Vec<(Frame, Vec<Finding>)>> = BTreeMap::new();
    for (frame, findings) in without_label {
        setups.entry(Setup::of(&frame)).or_default().push((frame, findings));
    }
    for (setup, asking) in setups {
        let labelled: Vec<usize> = (0..inventory.frames.len())
            .filter(|i| Setup::of(&inventory.frames[*i]) == setup)
            .collect();
        let beside = look(&inventory.frames, &labelled, context)?;
        let (frames, findings): (Vec<Frame>, Vec<Vec<Finding>>) = asking.into_iter().unzip();
        let all: Vec<usize> = (0..frames.len()).collect();
        let glances = look_at(&frames, all, &|_| false, context)?;
        let asking = glances.iter().map(|(i, g)| asked(&frames[*i], None, g));
        let known = beside.iter().map(|(i, g)| {
            let frame = &inventory.frames[*i];
            asked(frame, Some(frame.kind), g)
        });
        let together: Vec<Asked<'_>> = asking.chain(known).collect();
        let unseen = || KindVerdict::Unclear("it could not be read".to_owned());
        let mut verdicts: Vec<KindVerdict> = (0..frames.len()).map(|_| unseen()).collect();
        for ((i, _), verdict) in glances.iter().zip(kinds_of(&together)) {
            verdicts[*i] = verdict;
        }
        let mut told: BTreeMap<(String, FrameKind), (Vec<usize>, String)> = BTreeMap::new();
        for ((mut frame, more), verdict) in frames.into_iter().zip(findings).zip(verdicts) {
            let KindSeen { kind, why } = match verdict {
                KindVerdict::Seen(seen) => seen,
                KindVerdict::Unclear(why) => {
                    inventory.findings.push(unlabelled(&frame.path, Some(&why)));
                    inventory.left_out.push((frame.path, None));
                    continue;
                }
            };
            (frame.kind, frame.kind_source) = (kind, KindSource::Pixels);
            let folder = frame.path.parent().unwrap_or(Path::new("")).display().to_string();
            let of = told.entry((folder, kind)).or_insert_with(|| (Vec::new(), why));
            of.0.push(inventory.frames.len());
            inventory.frames.push(frame);
            inventory.findings.extend(more);
        }
        for ((_, kind), (of, why)) in told {
            let count = of.len();
            let message = match count {
                1 => format!(
                    "no header, name or folder says what this frame is; by its pixels it is a \
                     {kind}: {why}"
                ),
                _ => format!(
                    "no header, name or folder says what these {count} frames are; by their pixels \
                     each is a {kind}; of the first: {why}"
                ),
            };
            inventory.findings.push(
                Finding::new(
                    "kind-by-pixels",
                    Severity::Warning,
                    some(&inventory.frames, &of),
                    message,
                )
                .hint(format!(
                    "If that is wrong, put them in a folder named for their kind, or use --{} \
                         and the like.",
                    option_of(kind)
                ))
                .with("kind", kind.slug())
                .with("frames", count),
            );
        }
    }
    inventory.frames.sort_by(|a, b| a.path.cmp(&b.path));
    inventory.left_out.sort();
    Ok(())
}

/// The frames of a set-up whose labels their pixels contradict, each with a Finding.
///
/// Some of each kind are looked at; where one of them is wrong, all of the kind are.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn mislabelled(
    seen: &Seen,
    frames: &[Frame],
    context: &Context<'_>,
) -> Result<Vec<(usize, Finding)>> {
    let of = |kind: FrameKind| seen.glances.iter().filter(move |(i, _)| frames[*i].kind == kind);
    let level = |kind| middle(of(kind).map(|(_, g)| g.median_adu));
    let unlit = [FrameKind::Dark, FrameKind::Bias, FrameKind::DarkFlat].map(level);
    let dark_adu = unlit.into_iter().flatten().next();
    let lowest_adu = unlit.into_iter().flatten().min_by(f64::total_cmp);
    let noise = middle(of(FrameKind::Dark).map(|(_, g)| g.scatter_adu.max(0.5)));
    let of_dark = level(FrameKind::Dark).zip(noise);
    // Of lights that a program has worked on the level says nothing.
    let raw = |i: usize| {
        let m = &frames[i].metadata;
        m.applied.is_empty() && m.pedestal_adu.is_none()
    };
    let lights = of(FrameKind::Light).filter(|(i, _)| raw(*i));
    let light_adu = middle(lights.clone().map(|(_, g)| g.median_adu));
    // What lies above the lights saw more light, or it is they from which a program took the black level: so
    // where several kinds lie above them.
    let above =
        unlit.into_iter().flatten().filter(|adu| light_adu.is_some_and(|l| *adu > l)).count();
    let light_adu = light_adu.filter(|_| above < 2);
    let light_noise = middle(lights.map(|(_, g)| g.scatter_adu)).unwrap_or(0.0);
    let of_lights = seen.members.iter().filter(|i| frames[**i].kind == FrameKind::Light);
    let shortest_s =
        of_lights.filter_map(|i| frames[*i].metadata.exposure_s).min_by(f64::total_cmp);
    let stars = middle(of(FrameKind::Light).map(|(_, g)| g.stars() as f64)).unwrap_or(0.0) as usize;
    let why = |i: usize, glance: &Glance| {
        let kind = frames[i].kind;
        let by_hand = frames[i].kind_source == KindSource::Option;
        let alike = of(kind).filter(|(j, _)| *j != i).map(|(_, g)| g).collect();
        let dark_adu = if kind == FrameKind::Light { dark_adu } else { lowest_adu };
        let exposure_s = frames[i].metadata.exposure_s;
        let as_long = exposure_s.zip(shortest_s).is_some_and(|(own, light)| own <= 1.01 * light);
        // More light is noisier.
        let light_adu = light_adu
            .filter(|_| kind == FrameKind::Light || glance.scatter_adu >= QUIETER * light_noise);
        let beside = Beside { dark_adu, of_dark, light_adu, as_long, stars, alike };
        label_contradicted(&asked(&frames[i], Some(kind), glance), &beside).filter(|_| !by_hand)
    };
    let mut out: Vec<(usize, String)> = Vec::new();
    for kind in FrameKind::ALL {
        let of_kind = of(kind);
        let some: Vec<(usize, String)> =
            of_kind.clone().filter_map(|(i, g)| Some((*i, why(*i, g)?))).collect();
        if some.is_empty() {
            continue;
        }
        let looked: Vec<usize> = of_kind.map(|(i, _)| *i).collect();
        let rest = seen.members.iter().copied();
        let rest = rest.filter(|i| frames[*i].kind == kind && !looked.contains(i)).collect();
        out.extend(some);
        let rest = look_at(frames, rest, &|_| false, context)?;
        out.extend(rest.iter().filter_map(|(i, g)| Some((*i, why(*i, g)?))));
    }
    let tell = |(i, why): (usize, String)| {
        let Frame { kind, path, .. } = &frames[i];
        let message = format!("it is labelled {kind}, but {why}; it is left out");
        let finding = Finding::new(
            "label-contradicted",
            Severity::Warning,
            path.display().to_string(),
            message,
        )
        .hint(format!("If it really is a {kind}, use --{}.", option_of(*kind)));
        (i, finding)
    };
    Ok(out.into_iter().map(tell).collect())
}

/// The middle of some numbers.
fn middle(values: impl Iterator<Item = f64>) -> Option<f64> {
    let middle = stat::median_f64(&values.collect::<Vec<f64>>());
    middle.is_finite().then_some(middle)
}
