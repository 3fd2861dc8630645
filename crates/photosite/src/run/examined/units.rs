//! Frames whose BUNIT says that they count electrons, or in a second: brought to ADU as they are read, where gain and
//! exposure are known and their samples do not contradict.

use std::collections::BTreeMap;

use photosite_file::keyword::{Missing, adu_per_sample, counted};
use photosite_pix::{Applied, Card, FrameKind, Gain, Size, stat};

use super::{Setup, some};
use crate::detector::full_scale_adu;
use crate::evidence::LOOKED_AT;
use crate::finding::Severity;
use crate::inventory::Frame;
use crate::open::open_stored;
use crate::work::{Context, on_each};
use crate::{Finding, Result};

/// Rows of the middle of a frame that are looked at.
const ROWS: usize = 16;

/// Nearly all of a frame's samples: what was mended or is missing keeps to no steps.
const MOST: f64 = 0.98;

/// Samples keep to steps where they lie within this part of one, and what f32 rounds off.
const OF_A_STEP: f64 = 2e-3;
const ROUNDED: f64 = 3e-7;

/// Steps that leave fewer numbers out than this share cannot be told from ADU by the gaps.
const GAPS: f64 = 0.1;

/// Fewest whole numbers between the quarters of a frame's samples by which gaps are looked for.
const FEWEST: f64 = 8.0;

/// Levels of zero are alike, or are not: the logarithm of their ratio. Dark current and drifts stay below the first.
const ALIKE: f64 = 0.1;
const UNLIKE: f64 = 0.25;

/// A zero level in ADU from which levels tell units apart.
const LEAST_ADU: f64 = 50.0;

/// The steps of electrons for an ADU that cameras have.
const GAINS: std::ops::Range<f64> = 0.01..100.0;

/// What the samples of a frame say of the unit in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// They keep to the steps that a converter's whole numbers have in that unit.
    Confirmed,
    /// They do not, or begin where frames in ADU begin.
    Contradicted,
    /// Nothing.
    Silent,
}

/// Samples of the middle of a frame as they are stored.
fn middle_of(frame: &Frame) -> Result<Vec<f32>> {
    let source = open_stored(&frame.path)?;
    let active = frame.detector.active;
    let (width, height) = (source.size().width, source.size().height);
    let first = (height / 2).saturating_sub(ROWS / 2);
    let rows = first..(first + ROWS).min(height);
    let mut all = vec![0.0f32; width * rows.len()];
    source.read_rows(0, rows, &mut Vec::new(), &mut all)?;
    let lit = all.chunks(width).flat_map(|row| &row[active.x0.min(width)..active.x1.min(width)]);
    Ok(lit.copied().filter(|v| v.is_finite()).collect())
}

/// The share of samples that are whole numbers once they are multiplied.
fn whole(samples: &[f32], factor: f64) -> f64 {
    let is_whole = |v: &&f32| {
        let v = f64::from(**v) * factor;
        (v - v.round()).abs() <= OF_A_STEP.max(ROUNDED * v.abs())
    };
    samples.iter().filter(is_whole).count() as f64 / samples.len().max(1) as f64
}

/// What the steps of samples say of a unit that is `adu` ADU; files of whole numbers may have rounded it.
fn by_steps(samples: &[f32], adu: f64, of_whole_numbers: bool) -> Verdict {
    if whole(samples, 1.0) < MOST {
        let keep = whole(samples, adu) >= MOST;
        return if keep { Verdict::Confirmed } else { Verdict::Silent };
    }
    let step = 1.0 / adu;
    if step < 1.0 - GAPS {
        return if of_whole_numbers { Verdict::Silent } else { Verdict::Contradicted };
    }
    if step < 1.0 + GAPS {
        return Verdict::Silent;
    }
    let mut sorted: Vec<i64> = samples.iter().map(|v| v.round() as i64).collect();
    sorted.sort_unstable();
    let (low, high) = (sorted[sorted.len() / 4], sorted[3 * sorted.len() / 4]);
    let between = (high - low + 1) as f64;
    sorted.retain(|v| (low..=high).contains(v));
    sorted.dedup();
    let there = sorted.len() as f64 / between;
    let is_step = |v: &&i64| ((**v as f64 / step).round() * step).round() as i64 == **v;
    let steps = sorted.iter().filter(is_step).count() as f64 / sorted.len() as f64;
    match between >= FEWEST {
        true if steps >= MOST && there < 1.0 - GAPS / 2.0 => Verdict::Confirmed,
        true if there > 1.0 - GAPS / 4.0 => Verdict::Contradicted,
        _ => Verdict::Silent,
    }
}

/// The step that the samples of a frame keep to, where it is not 1: electrons for an ADU, for those of one read-out.
fn step_of(samples: &[f32]) -> Option<f64> {
    let mut sorted: Vec<f64> = samples.iter().map(|v| f64::from(*v)).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = &sorted[sorted.len() / 4..3 * sorted.len() / 4];
    let apart = middle.windows(2).map(|p| p[1] - p[0]);
    let rounded = ROUNDED * middle.last()?.abs();
    let mut step = apart.filter(|d| *d > 4.0 * rounded).min_by(f64::total_cmp)?;
    // Differences are rounded; sums over many steps are not, once these can be counted.
    let zero = middle[middle.len() / 2];
    for reach in [4.0, 16.0, 64.0, 256.0] {
        let near = sorted.iter().map(|v| v - zero).filter(|d| d.abs() <= reach * step);
        let (sum, count) =
            near.fold((0.0, 0.0), |(s, n), d| (s + d.abs(), n + (d / step).round().abs()));
        step = if count > 0.0 { sum / count } else { step };
    }
    let from_zero: f64 = sorted.iter().map(|v| (v / step).round()).sum();
    step = sorted.iter().sum::<f64>() / from_zero;
    let is_one = (step - 1.0).abs() < OF_A_STEP;
    (GAINS.contains(&step) && !is_one && whole(samples, 1.0 / step) >= MOST).then_some(step)
}

/// Believes BUNIT where samples allow it, finds the gains that it needs, and tells what becomes of the frames; those
/// that cannot be brought to ADU beside others that are in ADU are returned.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn to_adu(
    frames: &mut [Frame],
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<Vec<usize>> {
    let mut cameras: BTreeMap<Setup, Vec<usize>> = BTreeMap::new();
    for (i, frame) in frames.iter().enumerate() {
        let camera = Setup { bits: None, ..Setup::of(frame) };
        cameras.entry(camera).or_default().push(i);
    }
    let mut left_out = Vec::new();
    for members in cameras.into_values() {
        let is_other = |i: &usize| counted(&frames[*i].header).is_some();
        let others: Vec<usize> = members.iter().copied().filter(is_other).collect();
        if others.is_empty() {
            continue;
        }
        let seen: &[Frame] = frames;
        let read = on_each(others.len(), context, |k| middle_of(&seen[others[k]]))?;
        // What cannot be read is found out later.
        let samples: BTreeMap<usize, Vec<f32>> = others
            .iter()
            .zip(read)
            .filter_map(|(i, read)| Some((*i, read.ok().filter(|s| s.len() > ROWS)?)))
            .collect();
        gains(&members, &samples, frames, findings);
        let of_camera: Vec<&Frame> = members.iter().map(|i| &frames[*i]).collect();
        let zero_adu = level_of(&of_camera, context)?;
        let mut units: BTreeMap<(String, Option<i64>), Vec<usize>> = BTreeMap::new();
        for i in &others {
            let header = &frames[*i].header;
            let unit = header.get_text("BUNIT").unwrap_or_default();
            units.entry((unit, header.get_i64("BITPIX"))).or_default().push(*i);
        }
        for ((unit, bits), of) in units {
            let of_whole_numbers = bits.is_some_and(|bits| bits > 0);
            let verdict = |i: &usize| -> Verdict {
                let Some((samples, Ok(adu))) =
                    samples.get(i).map(|s| (s, adu_per_sample(&frames[*i].header)))
                else {
                    return Verdict::Silent;
                };
                match by_steps(samples, adu, of_whole_numbers) {
                    Verdict::Silent => by_level(&frames[*i], samples, adu, zero_adu),
                    told => told,
                }
            };
            let verdicts: Vec<Verdict> = of.iter().map(verdict).collect();
            let lies = verdicts.contains(&Verdict::Contradicted)
                && !verdicts.contains(&Verdict::Confirmed);
            if lies {
                let message = format!(
                    "BUNIT says {unit:?}, but their samples are those of a converter, as in frames in ADU: they are \
                     taken as ADU"
                );
                findings.push(
                    Finding::new(
                        "unit-contradicted",
                        Severity::Warning,
                        some(frames, &of),
                        message,
                    )
                    .hint("Correct BUNIT, or remove it.")
                    .with("unit", unit),
                );
                for i in of {
                    frames[i].header.set(Card::string("BUNIT", "adu", "by the samples"));
                    renewed(&mut frames[i]);
                }
            }
        }
        let mixed = members.iter().any(|i| counted(&frames[*i].header).is_none());
        let (mut brought, mut missing) = (Vec::new(), Vec::new());
        for i in others {
            match adu_per_sample(&frames[i].header) {
                Ok(adu) if adu != 1.0 => brought.push(i),
                // Frames that are all electrons are of one unit, whatever it is in ADU.
                Err(Missing::Gain) if !mixed => {}
                Err(what) => missing.push((i, what)),
                Ok(_) => {}
            }
        }
        told(&brought, frames, findings);
        for what in [Missing::Gain, Missing::Exposure] {
            let of: Vec<usize> =
                missing.iter().filter(|(_, w)| *w == what).map(|(i, _)| *i).collect();
            if of.is_empty() {
                continue;
            }
            let (why, hint) = match what {
                Missing::Gain => (
                    "their samples are electrons (BUNIT) beside frames in ADU, and no header tells how many of them \
                     are one ADU; left out",
                    "Write EGAIN into the headers, or use the frames as the camera wrote them.",
                ),
                Missing::Exposure => (
                    "their samples count a second (BUNIT), and no header tells the exposure; left out",
                    "Write EXPTIME into the headers, or use the frames as the camera wrote them.",
                ),
            };
            let finding = Finding::new("unit-not-known", Severity::Error, some(frames, &of), why);
            findings.push(finding.hint(hint));
            left_out.extend(of);
        }
    }
    Ok(left_out)
}

/// The level at which frames in ADU of this size begin: that of the biases, else of the darks.
///
/// # Errors
/// When the work is cancelled.
pub fn zero_level(frames: &[Frame], size: Size, context: &Context<'_>) -> Result<Option<f64>> {
    let of_size: Vec<&Frame> = frames.iter().filter(|f| f.detector.active.size() == size).collect();
    level_of(&of_size, context)
}

fn level_of(frames: &[&Frame], context: &Context<'_>) -> Result<Option<f64>> {
    for kind in [FrameKind::Bias, FrameKind::Dark] {
        let of_kind = frames.iter().filter(|frame| {
            let freed = frame.metadata.applied.contains(Applied::BIAS);
            frame.kind == kind && !freed && counted(&frame.header).is_none()
        });
        let of: Vec<&Frame> = of_kind.copied().take(LOOKED_AT).collect();
        let read = on_each(of.len(), context, |k| middle_of(of[k]))?;
        // What cannot be read is found out later.
        let levels = read.iter().flatten().map(|s| f64::from(stat::median(s)));
        let levels: Vec<f64> = levels.filter(|level| *level > LEAST_ADU).collect();
        if !levels.is_empty() {
            return Ok(Some(stat::median_f64(&levels)));
        }
    }
    Ok(None)
}

/// What the level of a bias or dark says of a unit that is `adu` ADU, beside the level of such frames in ADU.
fn by_level(frame: &Frame, samples: &[f32], adu: f64, zero_adu: Option<f64>) -> Verdict {
    let begins = matches!(frame.kind, FrameKind::Bias | FrameKind::Dark | FrameKind::DarkFlat);
    let freed = frame.metadata.applied.contains(Applied::BIAS);
    let Some(zero_adu) = zero_adu.filter(|_| begins && !freed) else { return Verdict::Silent };
    let level = f64::from(stat::median(samples));
    let off = |level: f64| (level / zero_adu).ln().abs();
    let contradicted = off(level) < ALIKE && off(level * adu) > UNLIKE;
    if contradicted { Verdict::Contradicted } else { Verdict::Silent }
}

/// Gives frames in electrons whose header names no gain that of the others of their camera, else the step of their
/// own samples.
fn gains(
    members: &[usize],
    samples: &BTreeMap<usize, Vec<f32>>,
    frames: &mut [Frame],
    findings: &mut Vec<Finding>,
) {
    let lacks = |i: &usize| adu_per_sample(&frames[*i].header) == Err(Missing::Gain);
    let lacking: Vec<usize> = members.iter().copied().filter(lacks).collect();
    if lacking.is_empty() {
        return;
    }
    let named = members.iter().filter_map(|i| frames[*i].metadata.gain_e_per_adu);
    let named: Vec<f64> = named.map(Gain::e_per_adu).collect();
    let of_others = named.first().copied().filter(|first| named.iter().all(|g| g == first));
    let steps: Vec<f64> = lacking
        .iter()
        .filter_map(|i| {
            let frame = &frames[*i];
            let per_second = counted(&frame.header)?.per_second;
            let seconds = if per_second { frame.metadata.exposure_s? } else { 1.0 };
            Some(step_of(samples.get(i)?)? * seconds)
        })
        .collect();
    let step = (!steps.is_empty()).then(|| stat::median_f64(&steps));
    let alike = step.filter(|s| steps.iter().all(|other| (other / s - 1.0).abs() < OF_A_STEP));
    let found = match (of_others, alike) {
        (Some(gain), _) => Some((gain, "the headers of other frames of the camera name it")),
        (None, Some(step)) => Some((step, "their samples keep to steps of so much")),
        (None, None) => None,
    };
    let Some((e_per_adu, why)) = found else { return };
    let Some(gain) = Gain::new(e_per_adu) else { return };
    let message = format!(
        "their samples are electrons (BUNIT) and their headers name no gain; {e_per_adu:.4} e-/ADU is taken, because {why}"
    );
    findings.push(
        Finding::new("unit-gain-found", Severity::Warning, some(frames, &lacking), message)
            .hint("Write EGAIN into the headers.")
            .with("e_per_adu", e_per_adu),
    );
    for i in lacking {
        frames[i].metadata.gain_e_per_adu = Some(gain);
        frames[i].header.set(Card::real(
            "EGAIN",
            e_per_adu,
            "[e-/ADU] by the samples or other frames",
        ));
        renewed(&mut frames[i]);
    }
}

/// Where a frame's samples end, once its header was corrected.
fn renewed(frame: &mut Frame) {
    if frame.metadata.saturation_adu.is_none() {
        frame.detector.saturation_adu = full_scale_adu(&frame.header).map(|v| v as f32);
    }
}

/// Tells of frames that are brought to ADU, unit by unit.
fn told(brought: &[usize], frames: &[Frame], findings: &mut Vec<Finding>) {
    let mut units: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for i in brought {
        let unit = frames[*i].header.get_text("BUNIT").unwrap_or_default();
        units.entry(unit).or_default().push(*i);
    }
    for (unit, of) in units {
        let adu: Vec<f64> =
            of.iter().filter_map(|i| adu_per_sample(&frames[*i].header).ok()).collect();
        let (low, high) = stat_range(&adu);
        let by = if low == high { format!("{low:.6}") } else { format!("{low:.6} to {high:.6}") };
        let message =
            format!("BUNIT is {unit:?}: their samples are brought to ADU, one is {by} ADU");
        findings.push(
            Finding::new("unit-converted", Severity::Info, some(frames, &of), message)
                .with("unit", unit)
                .with("adu_per_sample", low),
        );
    }
}

fn stat_range(of: &[f64]) -> (f64, f64) {
    of.iter().fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(*v), high.max(*v)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers about a level, as a converter writes them.
    fn converter(level: i64) -> Vec<f32> {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as i64 % 13
        };
        (0..4000).map(|_| (level + next() + next() + next()) as f32).collect()
    }

    fn times(of: &[f32], factor: f64) -> Vec<f32> {
        of.iter().map(|v| (f64::from(*v) * factor) as f32).collect()
    }

    #[test]
    fn steps_confirm_or_contradict_a_unit() {
        let adu = converter(500);
        for gain in [0.25, 1.6, 2.0, 3.0] {
            let electrons = times(&adu, gain);
            assert_eq!(by_steps(&electrons, 1.0 / gain, false), Verdict::Confirmed, "{gain}");
            assert_eq!(by_steps(&adu, 1.0 / gain, false), Verdict::Contradicted, "{gain}");
            let rounded: Vec<f32> = electrons.iter().map(|v| v.round()).collect();
            let told = by_steps(&rounded, 1.0 / gain, true);
            let expected = if gain < 1.0 { Verdict::Silent } else { Verdict::Confirmed };
            assert_eq!(told, expected, "{gain}");
        }
        let a_second = times(&adu, 1.0 / 60.0);
        assert_eq!(by_steps(&a_second, 60.0, false), Verdict::Confirmed);
        assert_eq!(by_steps(&adu, 60.0, false), Verdict::Contradicted);
        // Once something was subtracted nothing is told.
        let less: Vec<f32> = adu.iter().enumerate().map(|(i, v)| v - (i as f32).sin()).collect();
        assert_eq!(by_steps(&times(&less, 1.6), 1.0 / 1.6, false), Verdict::Silent);
    }

    #[test]
    fn steps_tell_a_gain() {
        let adu = converter(500);
        for gain in [0.25, 0.8123, 1.6, 12.3] {
            let found = step_of(&times(&adu, gain)).expect("a step");
            assert!((found / gain - 1.0).abs() < 1e-4, "{found} for {gain}");
        }
        assert_eq!(step_of(&adu), None);
        let smooth: Vec<f32> = (0..4000).map(|i| 500.0 + 10.0 * (i as f32).sin()).collect();
        assert_eq!(step_of(&smooth), None);
    }
}
