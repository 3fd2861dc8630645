//! Which frames of a set are odd.

use photosite_pix::FrameKind;

use super::distance::{Feature, Set};
use super::linkage::{Grouping, group};
use super::summary::{FrameSummary, median};
use super::words;

/// Frames that are compared with each other at a time: the work grows with the square.
const AT_A_TIME: usize = 64;

/// Shares of a flat at full scale: more than the others of its set, and too much for any flat.
const FULL_MORE: f64 = 0.02;
const FULL_TOO_MUCH: f64 = 0.2;

/// A flat with less light than this many sigmas of one sample, or than this share of its set's, is
/// empty: its noise would be multiplied.
const EMPTY_SIGMAS: f64 = 3.0;
const EMPTY_SHARE: f64 = 0.04;

/// A flat is apart from a sky that darkens where the next brighter one has so many times its light.
const EMPTY_GAP: f64 = 4.0;

/// A frame that does not belong to its set.
#[derive(Debug, Clone, PartialEq)]
pub struct Odd {
    /// Which one.
    pub index: usize,
    /// Why, with the numbers: parts of a sentence that begins with the frame.
    pub reasons: Vec<String>,
}

/// What comparing the frames of a set has shown.
#[derive(Debug, Clone, PartialEq)]
pub enum SetVerdict {
    /// The frames agree but for these, in their order; most often there are none.
    Agree {
        /// Those that do not belong to the set.
        odd: Vec<Odd>,
        /// What parts differ in that none of them is a clear majority of, by little: parts of a
        /// sentence.
        apart: Option<Vec<String>>,
    },
    /// The frames contradict each other and none of the parts is a clear majority: the sentence
    /// says what was seen, frames by their numbers in the parts.
    Contradict {
        /// The frames of each part.
        parts: Vec<Vec<usize>>,
        /// What differs, part by part.
        reasons: Vec<String>,
    },
    /// None of these flats can be used.
    Unusable(Vec<Odd>),
    /// Every sample of each of these darks or flats has one value: no exposure made them. Half a sentence on
    /// the first.
    WithoutSignal(String),
}

/// Compares the frames of a set of `kind` with each other.
///
/// Frames are linked to those that are most like them, feature by feature; links that are far longer
/// than the rest part the set. So a drift, however long, is no difference, and a jump is. At least
/// two thirds of three or more frames outvote the rest.
pub fn compare(kind: FrameKind, frames: &[FrameSummary]) -> SetVerdict {
    let mut odd: Vec<Odd> = Vec::new();
    if kind == FrameKind::Flat {
        odd = unusable_flats(frames);
        if !odd.is_empty() && odd.len() == frames.len() {
            return SetVerdict::Unusable(odd);
        }
    }
    let constants: Vec<(usize, f32)> = (0..frames.len())
        .filter(|i| odd.iter().all(|o| o.index != *i))
        .filter_map(|i| Some((i, frames[i].constant_adu?)))
        .collect();
    let all = constants.len() + odd.len() == frames.len();
    // Biases that are one number are a level all the same.
    if let (Some((_, value)), true) = (constants.first(), all && kind != FrameKind::Bias) {
        return SetVerdict::WithoutSignal(words::constant(*value));
    }
    let rest: Vec<usize> =
        (0..frames.len()).filter(|i| odd.iter().all(|o| o.index != *i)).collect();
    // Every part holds frames of all of the set.
    let parts = rest.len().div_ceil(AT_A_TIME).max(1);
    let mut apart = None;
    for part in 0..parts {
        let members: Vec<usize> = rest.iter().copied().skip(part).step_by(parts).collect();
        match compare_some(kind, frames, &members) {
            Ok((more, found)) => {
                odd.extend(more);
                apart = apart.or(found);
            }
            Err(contradiction) => return contradiction,
        }
    }
    for (index, value) in constants.into_iter().filter(|_| !all) {
        let reason = words::constant(value);
        match odd.iter_mut().find(|o| o.index == index) {
            Some(odd) => odd.reasons.push(reason),
            None => odd.push(Odd { index, reasons: vec![reason] }),
        }
    }
    odd.sort_by_key(|o| o.index);
    SetVerdict::Agree { odd, apart }
}

/// Compares some frames of a set.
fn compare_some(
    kind: FrameKind,
    frames: &[FrameSummary],
    members: &[usize],
) -> Result<(Vec<Odd>, Option<Vec<String>>), SetVerdict> {
    let set = Set::new(kind, members.iter().map(|i| &frames[*i]).collect());
    let count = set.len();
    if count < 2 {
        return Ok((Vec::new(), None));
    }
    let groupings: Vec<(Feature, Grouping)> = Feature::of(kind)
        .iter()
        .map(|f| (*f, group(count, |a, b| set.distance(*f, a, b))))
        .filter(|(_, g)| g.gap.is_some())
        .collect();
    let parted = |feature: Feature, grouping: &Grouping| {
        let parts = (0..)
            .map(|g| -> Vec<usize> { (0..count).filter(|i| grouping.group[*i] == g).collect() });
        let parts: Vec<Vec<usize>> = parts.take_while(|p| !p.is_empty()).collect();
        let reasons = parts.iter().map(|p| words::of_part(&set, feature, p));
        let reasons: Vec<String> = reasons.collect();
        (parts, reasons)
    };
    let contradiction = |feature: Feature, grouping: &Grouping| {
        let (parts, reasons) = parted(feature, grouping);
        let parts = parts.into_iter().map(|p| p.into_iter().map(|i| members[i]).collect());
        SetVerdict::Contradict { parts: parts.collect(), reasons }
    };
    if let Some((feature, grouping)) = groupings.iter().find(|(_, g)| g.divided()) {
        return Err(contradiction(*feature, grouping));
    }
    let clear: Vec<&(Feature, Grouping)> = groupings.iter().filter(|(_, g)| g.clear()).collect();
    let is_odd = |i: usize| clear.iter().any(|(_, g)| g.group[i] != 0);
    let kept: Vec<usize> = (0..count).filter(|i| !is_odd(*i)).collect();
    if 3 * kept.len() < 2 * count
        && let Some((feature, grouping)) = clear.first()
    {
        // Each feature has its majority, and all of them together have none.
        return Err(contradiction(*feature, grouping));
    }
    let odd = (0..count).filter(|i| is_odd(*i)).map(|i| {
        let why = clear.iter().filter(|(_, g)| g.group[i] != 0);
        let reasons = why.map(|(f, _)| words::of_odd(&set, *f, i, &kept)).collect();
        Odd { index: members[i], reasons }
    });
    // A gap that is wide beside the links within its parts, though not by itself.
    let apart = groupings.iter().find(|(_, g)| !g.clear());
    Ok((odd.collect(), apart.map(|(feature, grouping)| parted(*feature, grouping).1)))
}

/// The flats that are of no use by themselves: without light, or saturated.
fn unusable_flats(frames: &[FrameSummary]) -> Vec<Odd> {
    let mut lights: Vec<f64> = frames.iter().map(|f| f.level_adu).collect();
    lights.sort_by(f64::total_cmp);
    let typical_adu = median(lights.iter().copied());
    let mut full: Vec<f64> = frames.iter().map(|f| f.share_full).collect();
    full.sort_by(f64::total_cmp);
    let typical_full = full.get(full.len().saturating_sub(1) / 2).copied().unwrap_or(0.0);
    let empty = |f: &FrameSummary| {
        let brighter = lights.iter().copied().find(|l| *l > f.level_adu);
        let apart = brighter.is_some_and(|l| l > EMPTY_GAP * f.level_adu);
        f.level_adu.is_nan()
            || f.level_adu <= EMPTY_SIGMAS * f.scatter_adu
            || (f.level_adu < EMPTY_SHARE * typical_adu && apart)
    };
    let saturated =
        |f: &FrameSummary| f.share_full > FULL_TOO_MUCH || f.share_full > typical_full + FULL_MORE;
    let of = |(index, f): (usize, &FrameSummary)| {
        let reason = if saturated(f) && f.full_adu > 0.0 && f.share_zero < 0.5 {
            words::saturated(f)
        } else if empty(f) {
            words::empty(f, (frames.len() > 1).then_some(typical_adu))
        } else {
            return None;
        };
        Some(Odd { index, reasons: vec![reason] })
    };
    frames.iter().enumerate().filter_map(of).collect()
}
