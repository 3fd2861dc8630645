//! A defect map of darks, flats and biases.

use std::path::Path;
use std::sync::Arc;

use photosite_pix::{CfaPattern, FrameKind, MaskBits, Plane};

use super::look::{Looked, judged, lines_of, look};
use super::still::still_pixels;
use crate::defects::{DefectMap, KAPPA, Kind, MapFacts, Seen, Unsteady, merge};
use crate::raw::RawFrame;
use crate::stack::Additive;
use crate::work::Context;
use crate::{Error, Result};

/// Darks of less than this share of the longest exposure tell of changes alone: what is hot in the longest
/// may not show in them.
const LONG: f64 = 0.5;

/// The share of all frames that must have seen a hot or warm pixel; less is what a ray or a reset left.
const FEWEST_SEEN: f32 = 0.25;

/// Two levels of flats tell of a bent response where they differ by this factor.
const LEVELS_APART: f64 = 1.5;

/// Darks in which a column stands out by less than this share of a frame's noise need no mark.
const FAINT: f32 = 1.0;

/// Flats in which a column responds otherwise by less than this share are divided.
const FAINT_RESPONSE: f32 = 0.1;

/// Frames of one kind, exposure and set-up.
#[derive(Debug, Clone)]
pub struct FrameSet<'a> {
    /// Dark (dark flats too), flat, bias or light.
    pub kind: FrameKind,
    /// The frames; at least one.
    pub frames: Vec<&'a RawFrame>,
}

impl FrameSet<'_> {
    /// Their exposure in seconds; 0 of biases.
    fn exposure_s(&self) -> f64 {
        match self.kind {
            FrameKind::Bias => 0.0,
            _ => self.frames[0].metadata.exposure_s.unwrap_or(0.0),
        }
    }

    pub(super) fn is_dark(&self) -> bool {
        matches!(self.kind, FrameKind::Dark | FrameKind::DarkFlat)
    }
}

/// Builds a map of sets of frames, which are of one sensor region; `folder` takes packed frames meanwhile.
///
/// Darks tell of hot and warm pixels, those of the longest exposures; biases and all darks of what changes;
/// flats of what does not respond, and of two levels of what bends, beside what `odd` knows of that,
/// and of pixels that hold charge; lights that were dithered of what stands still while the stars move.
///
/// # Errors
/// When there is no frame, sizes differ, a frame cannot be read, the memory allowed is too little, or the
/// work is cancelled.
pub fn build_defect_map(
    sets: &[FrameSet<'_>],
    odd: impl FnOnce() -> Result<Vec<Seen>>,
    folder: &Path,
    context: &Context<'_>,
) -> Result<DefectMap> {
    let Some(first) = sets.iter().flat_map(|s| &s.frames).next() else {
        return Err(Error::mismatch(
            "a defect map is made of darks, flats or biases; there is none",
        ));
    };
    let size = first.region().size();
    if let Some(odd) = sets.iter().flat_map(|s| &s.frames).find(|f| f.region().size() != size) {
        return Err(Error::mismatch(format!(
            "{} is {} pixels, {} is {size}",
            odd.path.display(),
            odd.region().size(),
            first.path.display()
        )));
    }
    let count = |of: fn(&FrameSet<'_>) -> bool| -> usize {
        sets.iter().filter(|s| of(s)).map(|s| s.frames.len()).sum()
    };
    let dates = || sets.iter().flat_map(|s| &s.frames).filter_map(|f| f.metadata.date_obs.clone());
    let mut facts = MapFacts {
        darks: count(|s| s.is_dark()),
        flats: count(|s| s.kind == FrameKind::Flat),
        biases: count(|s| s.kind == FrameKind::Bias),
        e_per_adu: sets
            .iter()
            .find(|s| s.is_dark())
            .and_then(|s| s.frames[0].metadata.gain_e_per_adu.map(|g| g.e_per_adu())),
        first: dates().min(),
        last: dates().max(),
        ..MapFacts::default()
    };
    let mut unsteady: Vec<Unsteady> = Vec::new();
    let mut seen: Vec<Seen> = Vec::new();
    let mut cfa = None;
    let looked_at =
        |set: &FrameSet<'_>, additive| look((set.kind, &set.frames), additive, folder, context);
    // What is taken off flats: the biases, else the shortest darks.
    let mut zero: Option<(f64, Plane<f32>)> = None;
    let longest = sets.iter().filter(|s| s.is_dark()).map(FrameSet::exposure_s).fold(0.0, f64::max);
    let darkest: usize = sets
        .iter()
        .filter(|s| s.is_dark() && s.exposure_s() >= LONG * longest)
        .map(|s| s.frames.len())
        .sum();
    let others = [FrameKind::Flat, FrameKind::Light];
    for set in sets.iter().filter(|s| !others.contains(&s.kind)) {
        let Looked { mean, noise, unsteady: more, cfa: array, .. } =
            looked_at(set, Additive::Nothing)?.ok_or_else(|| without_samples(set))?;
        cfa = cfa.or(array);
        let exposure_s = set.exposure_s();
        seen.extend(more.iter().map(|u| Seen {
            x: u.x,
            y: u.y,
            bits: MaskBits::UNSTABLE,
            score: u.score,
            share: u.share,
            excess: f32::NAN,
        }));
        unsteady = joined(unsteady, more);
        if set.is_dark() && exposure_s >= LONG * longest {
            let share = set.frames.len() as f32 / darkest as f32;
            let mut here = judged(&mean, array, Kind::Dark(&noise), context)?;
            let least = |x, y| match noise.at(x, y) {
                one if one > 0.0 => FAINT * one,
                _ => f32::INFINITY,
            };
            let lines = lines_of(&mean, (&least, 1), context)?.into_iter();
            // One a little too cold is subtracted as it is, as a pixel would be.
            here.extend(lines.filter(|s| s.score > -KAPPA));
            if facts.exposure_s.is_none_or(|t| exposure_s > t) {
                facts.exposure_s = Some(exposure_s).filter(|t| *t > 0.0);
                facts.frame_noise_adu = Some(f64::from(noise.typical())).filter(|v| *v > 0.0);
            }
            here.iter_mut().for_each(|s| s.share = share);
            merge(&mut here, Vec::new());
            seen = pooled(seen, here);
        }
        if zero.as_ref().is_none_or(|(t, _)| exposure_s < *t) {
            zero = Some((exposure_s, mean));
        }
    }
    // Seen in too few of the frames that would show it.
    seen.retain(|s| s.share >= FEWEST_SEEN || s.bits.contains(MaskBits::UNSTABLE));
    let zero = zero.map(|(_, mean)| Arc::new(mean));
    let mut flats: Vec<Looked> = Vec::new();
    for set in sets.iter().filter(|s| s.kind == FrameKind::Flat) {
        let additive = zero.clone().map_or(Additive::Nothing, Additive::Plane);
        let Some(flat) = looked_at(set, additive)? else {
            // They may be there for what pixels hold afterwards; of nothing else there is no map.
            facts.flats -= set.frames.len();
            if sets.iter().all(|s| s.kind == FrameKind::Flat) && facts.flats == 0 {
                return Err(without_samples(set));
            }
            continue;
        };
        cfa = cfa.or(flat.cfa);
        let mut here = judged(&flat.mean, flat.cfa, Kind::Flat, context)?;
        // Colours are level with each other; only of Bayer's some lines hold two, some one.
        let step = flat.cfa.map_or(1, CfaPattern::period);
        let step = if step > 2 { 1 } else { step };
        here.extend(lines_of(&flat.mean, (&|_, _| FAINT_RESPONSE, step), context)?);
        here.iter_mut().for_each(|s| {
            s.excess = f32::NAN;
            // A line that responds too much is divided; one that does not is cold.
            if s.bits == MaskBits::WARM {
                s.bits = MaskBits::HOT;
            }
        });
        merge(&mut seen, here);
        // The lowest and the highest level tell most.
        flats.push(flat);
        flats.sort_by(|a, b| a.level_adu.total_cmp(&b.level_adu));
        if flats.len() > 2 {
            flats.remove(1);
        }
    }
    let mut bent = odd()?;
    if let [low, high] = &flats[..]
        && high.level_adu > LEVELS_APART * low.level_adu
    {
        let mut ratio = high.mean.clone();
        for (v, l) in ratio.as_mut_slice().iter_mut().zip(low.mean.as_slice()) {
            *v /= l;
        }
        let more = judged(&ratio, high.cfa, Kind::Levels, context)?;
        bent.extend(more.into_iter().map(|s| Seen { excess: f32::NAN, ..s }));
    }
    // A pixel that hardly responds has no ratio.
    let known: std::collections::BTreeSet<(usize, usize)> =
        seen.iter().map(|s| (s.y, s.x)).collect();
    bent.retain(|s| s.bits != MaskBits::SUSPECT || !known.contains(&(s.y, s.x)));
    merge(&mut seen, bent);
    for set in sets.iter().filter(|s| s.kind == FrameKind::Light) {
        let still = still_pixels(&set.frames, context)?;
        facts.lights += still.moved;
        merge(&mut seen, still.seen);
    }
    Ok(DefectMap::new(size, cfa, seen, unsteady, facts))
}

/// That no pixel of a set holds a sample.
fn without_samples(set: &FrameSet<'_>) -> Error {
    let (name, kind) = (set.frames[0].path.display(), set.kind);
    Error::mismatch(format!(
        "no pixel of {name} and the other {kind} frames holds a sample: no map can be made of them"
    ))
}

/// Pixels of several sets of darks: shares add up.
fn pooled(mut all: Vec<Seen>, more: Vec<Seen>) -> Vec<Seen> {
    let shares: std::collections::BTreeMap<(usize, usize), f32> = all
        .iter()
        .filter(|s| s.bits.intersects(MaskBits::HOT | MaskBits::WARM | MaskBits::COLD))
        .map(|s| ((s.y, s.x), s.share))
        .collect();
    let more = more.into_iter().map(|s| {
        let before = shares.get(&(s.y, s.x)).copied().unwrap_or(0.0);
        Seen { share: (s.share + before).min(1.0), ..s }
    });
    merge(&mut all, more.collect());
    all
}

/// Unsteady pixels of several sets: of each the set that shows more levels, then the higher score.
fn joined(mut all: Vec<Unsteady>, more: Vec<Unsteady>) -> Vec<Unsteady> {
    all.extend(more);
    all.sort_by(|a, b| {
        let key = |u: &Unsteady| (u.y, u.x, std::cmp::Reverse(u.levels.len()));
        key(a).cmp(&key(b)).then(b.score.total_cmp(&a.score))
    });
    all.dedup_by_key(|u| (u.y, u.x));
    all
}
