//! Overscans that see light, outputs without a gain, and frames that were read through other outputs.

use std::collections::BTreeMap;

use photosite_pix::{Applied, FrameKind, Rect, stat};

use super::{Seen, open_in_adu, some};
use crate::detector::{Linearity, overscans_at_a_glance};
use crate::finding::Severity;
use crate::inventory::Frame;
use crate::library::camera_key;
use crate::work::{Context, on_each};
use crate::{Finding, Result};

/// An overscan that rises by this share of the light is none: charge that is left behind is skipped, what lies
/// further on follows the electronics to some hundred-thousandths.
const SHARE: f64 = 2e-3;

/// And by so many ADU at least: levels drift by some between biases and flats.
const LEAST_ADU: f64 = 8.0;

/// A frame is brighter than the darkest by so many ADU before it tells of that.
const BRIGHT_ADU: f64 = 1000.0;

/// Uses no overscan that brightens with the light, in none of a set-up's frames; tells so.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn distrust_overscans(
    seen: &Seen,
    frames: &mut [Frame],
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<()> {
    let levelled = |f: &Frame| {
        !f.detector.overscan.is_empty() && !f.metadata.applied.contains(Applied::OVERSCAN)
    };
    let looked: Vec<(usize, f64)> = seen
        .glances
        .iter()
        .filter(|(i, glance)| levelled(&frames[*i]) && glance.median_adu.is_finite())
        .map(|(i, glance)| (*i, glance.median_adu))
        .collect();
    let Some(darkest) = looked.iter().map(|(_, level)| *level).min_by(f64::total_cmp) else {
        return Ok(());
    };
    if !looked.iter().any(|(_, level)| *level > darkest + BRIGHT_ADU) {
        return Ok(());
    }
    let all: &[Frame] = frames;
    let read = on_each(looked.len(), context, |k| {
        let frame = &all[looked[k].0];
        overscans_at_a_glance(&frame.detector, &*open_in_adu(frame)?)
    })?;
    // What cannot be read is told where it is used.
    let told: Vec<(usize, f64, Vec<f32>)> = looked
        .iter()
        .zip(read)
        .filter_map(|((i, level), over)| Some((*i, *level, over.ok()?)))
        .collect();
    let is_bright = |level: f64| level > darkest + BRIGHT_ADU;
    let middle = |of: &[f64]| if of.is_empty() { f64::NAN } else { stat::median_f64(of) };
    let regions = |i: usize| -> Vec<(Rect, Rect)> {
        all[i].detector.overscan.iter().map(|o| (o.source, o.target)).collect()
    };
    let mut worst: Option<(f64, Rect, f64, f64)> = None;
    let Some((first, ..)) = told.first() else { return Ok(()) };
    let wanted = regions(*first);
    for (n, (source, _)) in wanted.iter().enumerate() {
        let of = |bright: bool| -> Vec<&(usize, f64, Vec<f32>)> {
            let alike = told.iter().filter(|(i, ..)| regions(*i) == wanted);
            alike.filter(|(_, level, _)| is_bright(*level) == bright).collect()
        };
        let dark: Vec<f64> = of(false).iter().map(|(_, _, over)| f64::from(over[n])).collect();
        let zero = middle(&dark);
        let rises: Vec<(f64, f64)> = of(true)
            .iter()
            .map(|(_, level, over)| (f64::from(over[n]) - zero, level - darkest))
            .collect();
        let rise = middle(&rises.iter().map(|(rise, _)| *rise).collect::<Vec<_>>());
        let share = middle(&rises.iter().map(|(rise, light)| rise / light).collect::<Vec<_>>());
        if share > SHARE && rise > LEAST_ADU && worst.is_none_or(|(w, ..)| share > w) {
            let light = middle(&rises.iter().map(|(_, light)| *light).collect::<Vec<_>>());
            worst = Some((share, *source, rise, light));
        }
    }
    let Some((share, source, rise, light)) = worst else { return Ok(()) };
    let alike = |i: &usize| levelled(&all[*i]) && regions(*i) == wanted;
    let members: Vec<usize> = seen.members.iter().copied().filter(alike).collect();
    let message = format!(
        "the overscan {source} rises by {rise:.0} ADU where the light rises by {light:.0} ({:.1} %): light or \
         charge reaches it, or the header names pixels that see light; no overscan is used, the bias tells the \
         level",
        100.0 * share
    );
    findings.push(
        Finding::new("overscan-brightens", Severity::Warning, some(all, &members), message)
            .hint("Correct BIASSEC, or name columns further from the light by --overscan.")
            .with("share", share)
            .with("rise_adu", rise),
    );
    for i in members {
        let detector = &mut frames[i].detector;
        detector.overscan.clear();
        detector.amplifiers.iter_mut().for_each(|a| a.overscan = None);
    }
    Ok(())
}

/// Tells of outputs whose gain no header names beside others that have one: only a flat evens them.
pub(super) fn missing_gains(seen: &Seen, frames: &[Frame], findings: &mut Vec<Finding>) {
    let missing = |i: &usize| {
        let outputs = &frames[*i].detector.amplifiers;
        let without = outputs.iter().filter(|a| a.gain.is_none()).count();
        frames[*i].kind == FrameKind::Light && (1..outputs.len()).contains(&without)
    };
    let members: Vec<usize> = seen.members.iter().copied().filter(missing).collect();
    let Some(first) = members.first() else { return };
    let outputs = &frames[*first].detector.amplifiers;
    let without: Vec<String> = (0..outputs.len())
        .filter(|n| outputs[*n].gain.is_none())
        .map(|n| (n + 1).to_string())
        .collect();
    let message = format!(
        "of {} outputs, number {} names no gain: no output is scaled by its gain, only a flat evens them, and \
         without one their brightness steps where they meet",
        outputs.len(),
        without.join(" and ")
    );
    findings.push(
        Finding::new("amplifier-gain-missing", Severity::Warning, some(frames, &members), message)
            .hint("Write the gain of each output into the headers, or calibrate with a flat.")
            .with("outputs", outputs.len()),
    );
}

/// Tells of curves of linearity of which none is for a colour and an output that the lights have: nothing is
/// straightened.
pub(super) fn curves_of_others(seen: &Seen, frames: &[Frame], findings: &mut Vec<Finding>) {
    let unused = |i: &usize| {
        let Frame { kind, detector, metadata, linearity, .. } = &frames[*i];
        let outputs = detector.amplifiers.len().max(1);
        let fits = |curves: &Linearity| curves.fits(metadata.cfa, outputs);
        *kind == FrameKind::Light && linearity.as_deref().is_some_and(|curves| !fits(curves))
    };
    let members: Vec<usize> = seen.members.iter().copied().filter(unused).collect();
    if members.is_empty() {
        return;
    }
    let message = "no curve of this linearity is for a colour and an output that these lights have: their samples \
                   are not straightened";
    findings.push(
        Finding::new("linearity-not-used", Severity::Warning, some(frames, &members), message)
            .hint("Name the linearity of this camera, as photosite sensor measure -o writes it, or none."),
    );
}

/// The frames that were read through other outputs than most lights of their camera: their levels, gains and
/// patterns have seams elsewhere.
pub(super) fn read_otherwise(
    frames: &[Frame],
    left_out: &[usize],
    findings: &mut Vec<Finding>,
) -> Vec<usize> {
    type Sensor = (Option<String>, Option<String>, (usize, usize), Option<(u32, u32)>);
    let mut sensors: BTreeMap<Sensor, Vec<usize>> = BTreeMap::new();
    for (i, frame) in frames.iter().enumerate().filter(|(i, _)| !left_out.contains(i)) {
        let (m, size) = (&frame.metadata, frame.detector.active.size());
        let camera = m.camera.as_deref().map(camera_key);
        let key = (camera, m.camera_id.clone(), (size.width, size.height), m.binning);
        sensors.entry(key).or_default().push(i);
    }
    // None where the outputs are not known.
    let layout = |i: usize| -> Option<Vec<Rect>> {
        let detector = &frames[i].detector;
        let regions = detector.amplifiers.iter().map(|a| a.region.within(detector.active));
        Some(regions.collect::<Vec<Rect>>()).filter(|r| !r.is_empty())
    };
    let mut out = Vec::new();
    for members in sensors.into_values() {
        let mut counts: BTreeMap<Vec<[usize; 4]>, (usize, Vec<Rect>)> = BTreeMap::new();
        for i in members.iter().filter(|i| frames[**i].kind == FrameKind::Light) {
            if let Some(regions) = layout(*i) {
                let key = regions.iter().map(|r| [r.y0, r.x0, r.y1, r.x1]).collect();
                counts.entry(key).or_insert((0, regions)).0 += 1;
            }
        }
        let most = counts.into_values().max_by_key(|(count, _)| *count);
        let Some((_, wanted)) = most else { continue };
        let other = |i: &usize| layout(*i).is_some_and(|l| l != wanted);
        let odd: Vec<usize> = members.into_iter().filter(other).collect();
        if let Some(first) = odd.first() {
            let count = layout(*first).map_or(0, |l| l.len());
            let message = format!(
                "read through {count} outputs, most lights through {}: levels and gains meet elsewhere; left out",
                wanted.len()
            );
            findings.push(
                Finding::new("amplifiers-differ", Severity::Error, some(frames, &odd), message)
                    .hint("Use calibration frames that were read out like the lights."),
            );
            out.extend(odd);
        }
    }
    out
}
