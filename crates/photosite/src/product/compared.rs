//! The frames of a master compared with each other before they are stacked.

use std::path::PathBuf;

use photosite_pix::{FrameKind, stat};

use crate::evidence::{FrameSummary, Odd, SetVerdict, compare, drift, look, own_part, rows_of};
use crate::raw::{Handling, RawFrame};
use crate::stack::{Additive, Prepared, ReadBuffers};
use crate::work::{Context, on_each_with};
use crate::{Error, Result};

/// Names of frames that a sentence holds.
const NAMES: usize = 6;

/// What comparing the frames of a master has shown.
pub struct Compared {
    /// The frames that do not belong to their set, with what is odd about each.
    pub odd: Vec<(PathBuf, Error)>,
    /// Those of them that are a set by themselves, where flats fall into parts.
    pub parted: Vec<PathBuf>,
    /// In what parts of the set differ by little, none of them a clear majority; a sentence.
    pub apart: Option<String>,
    /// How the level of darks or biases wanders from the first to the last, but for warmth; a sentence.
    pub drift: Option<String>,
}

/// Compares the frames of a set; where it falls into parts, what lies `beside` it decides.
///
/// The sources are as they were opened: nothing but their own level is taken off.
///
/// # Errors
/// When a frame cannot be read, the frames contradict each other without a clear majority, no flat
/// of them can be used, or the work is cancelled.
pub fn compare_frames(
    kind: FrameKind,
    frames: &[&RawFrame],
    sources: &[Prepared],
    additive: &Additive,
    beside: Beside<'_>,
    context: &Context<'_>,
) -> Result<Compared> {
    let seen = on_each_with(frames.len(), context, ReadBuffers::default, |buffers, i| {
        look(&sources[i], kind, additive, frames[i].detector.saturation_adu, buffers)
    })?;
    let seen = seen.into_iter().collect::<Result<Vec<FrameSummary>>>()?;
    let name = |i: usize| frames[i].name();
    match compare(kind, &seen) {
        SetVerdict::Agree { odd, apart } => {
            let parted = match beside.parts && kind == FrameKind::Flat {
                true => {
                    set_of_odd(&odd, &seen).into_iter().map(|i| frames[i].path.clone()).collect()
                }
                false => Vec::new(),
            };
            let of = |Odd { index, reasons }: Odd| {
                let path = &frames[index].path;
                (path.clone(), Error::odd(path, reasons.join("; ")))
            };
            let odd = odd.into_iter().map(of).collect();
            let drift = wanders(kind, frames, &seen);
            Ok(Compared { odd, parted, apart: apart.map(|reasons| reasons.join(", ")), drift })
        }
        SetVerdict::Contradict { parts, reasons } => {
            let several = beside.parts
                && kind == FrameKind::Flat
                && parts.iter().all(|p| p.len() >= FEWEST_OF_PART);
            let decided = match several {
                true => Some((largest(&parts), "each is a set of its own".to_owned())),
                false => beside.decide(kind, &parts, &seen, frames, context)?,
            };
            if let Some((own, why)) = decided {
                let others = (0..parts.len()).filter(|part| *part != own);
                let of = |part: usize| {
                    let why =
                        format!("the set is two sets, and this is one of {}: {why}", reasons[part]);
                    let odd = move |i: &usize| {
                        let path = &frames[*i].path;
                        (path.clone(), Error::odd(path, why.clone()))
                    };
                    parts[part].iter().map(odd).collect::<Vec<_>>()
                };
                let odd: Vec<(PathBuf, Error)> = others.flat_map(of).collect();
                let parted = odd.iter().map(|(path, _)| path.clone());
                return Ok(Compared {
                    parted: if several { parted.collect() } else { Vec::new() },
                    odd,
                    apart: None,
                    drift: None,
                });
            }
            let parts: Vec<String> = parts
                .iter()
                .zip(&reasons)
                .map(|(part, reason)| format!("{reason} ({})", names(part, name)))
                .collect();
            Err(Error::contradiction(format!(
                "the frames contradict each other: {}; which of them are right cannot be told",
                parts.join(", ")
            )))
        }
        SetVerdict::WithoutSignal(first) => {
            let all: Vec<usize> = (0..frames.len()).collect();
            Err(Error::without_signal(format!(
                "none of these frames is an exposure ({}); of the first: {first}",
                names(&all, name)
            )))
        }
        SetVerdict::Unusable(odd) => {
            let all: Vec<usize> = odd.iter().map(|o| o.index).collect();
            let first = odd.first().map_or_else(String::new, |o| o.reasons.join("; "));
            Err(Error::unusable(format!(
                "none of these flats can be used ({}); of the first: {first}",
                names(&all, name)
            )))
        }
    }
}

/// Flats that are a set of their own, at least.
const FEWEST_OF_PART: usize = 2;

/// The largest part; of equals the one that holds the first frame.
fn largest(parts: &[Vec<usize>]) -> usize {
    let key = |part: &usize| (std::cmp::Reverse(parts[*part].len()), parts[*part].first().copied());
    (0..parts.len()).min_by_key(key).unwrap_or(0)
}

/// The odd flats of a set, where they agree with each other and can be used; else none.
fn set_of_odd(odd: &[Odd], seen: &[FrameSummary]) -> Vec<usize> {
    let all: Vec<usize> = odd.iter().map(|o| o.index).collect();
    let alone: Vec<FrameSummary> = all.iter().map(|i| seen[*i].clone()).collect();
    let agree = |verdict| matches!(verdict, SetVerdict::Agree { odd, .. } if odd.is_empty());
    match all.len() >= FEWEST_OF_PART && agree(compare(FrameKind::Flat, &alone)) {
        true => all,
        false => Vec::new(),
    }
}

/// Temperatures of a set that differ by more, in degrees, are why its level wanders.
const WARMTH_C: f64 = 0.5;

/// How the level of frames without light wanders in time, where no thermometer tells why.
fn wanders(kind: FrameKind, frames: &[&RawFrame], seen: &[FrameSummary]) -> Option<String> {
    let temps = || frames.iter().filter_map(|f| f.metadata.temp_c);
    let (low, high) =
        (temps().fold(f64::INFINITY, f64::min), temps().fold(f64::NEG_INFINITY, f64::max));
    if kind == FrameKind::Flat || high - low > WARMTH_C {
        return None;
    }
    let mut order: Vec<usize> = (0..frames.len()).collect();
    order.sort_by_key(|i| (&frames[*i].metadata.date_obs, *i));
    drift(&order.into_iter().map(|i| &seen[i]).collect::<Vec<_>>())
}

/// What lies beside a set of darks or biases and tells which part of it is right, where it falls into parts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// Lights that the dark is for; darks of the set-up of the bias.
    pub witnesses: &'a [&'a RawFrame],
    /// For darks: the level of the bias in ADU.
    pub zero_adu: Option<f64>,
    /// Flats may fall into parts: each is a set.
    pub parts: bool,
}

/// A part lies at the level of what is beside it where the others are so many times as far from it.
const NEARER: f64 = 3.0;

impl Beside<'_> {
    /// The part of a set that is right, and half a sentence on why: of darks the one whose hot pixels the lights
    /// show, else the one that lies nearest to the bias, of biases the one nearest to the darks, where the level
    /// parts them.
    fn decide(
        &self,
        kind: FrameKind,
        parts: &[Vec<usize>],
        seen: &[FrameSummary],
        frames: &[&RawFrame],
        context: &Context<'_>,
    ) -> Result<Option<(usize, String)>> {
        if !matches!(kind, FrameKind::Bias | FrameKind::Dark) {
            return Ok(None);
        }
        let size = frames[0].region().size();
        let asked =
            on_each_with(self.witnesses.len(), context, ReadBuffers::default, |buffers, i| {
                let frame = self.witnesses[i].open(Handling::Once)?;
                Ok(match frame.region.size() == size {
                    true => Some(rows_of(&frame, 1, buffers)?.1),
                    false => None,
                })
            })?;
        // A frame that cannot be read is found out later, with a Finding of its own.
        let asked: Vec<Vec<f32>> = asked.into_iter().flat_map(Result::ok).flatten().collect();
        if kind == FrameKind::Bias {
            let levels: Vec<f64> = asked.iter().map(|s| f64::from(stat::median(s))).collect();
            let level_adu = (!levels.is_empty()).then(|| stat::median_f64(&levels));
            return Ok(by_level(parts, seen, ("darks", level_adu)));
        }
        let by_level = || by_level(parts, seen, ("bias", self.zero_adu));
        Ok(own_part(parts, seen, &asked, size.width).or_else(by_level))
    }
}

/// The part that lies nearest to the level of what is `beside` it, if the others are far from that.
fn by_level(
    parts: &[Vec<usize>],
    seen: &[FrameSummary],
    (beside, level_adu): (&str, Option<f64>),
) -> Option<(usize, String)> {
    let zero_adu = level_adu?;
    let level = |part: &Vec<usize>| -> f64 {
        stat::median_f64(&part.iter().map(|i| seen[*i].level_adu).collect::<Vec<f64>>())
    };
    let levels: Vec<f64> = parts.iter().map(level).collect();
    let off = |part: &usize| (levels[*part] - zero_adu).abs();
    let own = (0..parts.len()).min_by(|a, b| off(a).total_cmp(&off(b)))?;
    let clear = (0..parts.len()).all(|p| p == own || off(&p) > NEARER * off(&own).max(1.0));
    clear.then(|| {
        let why = format!(
            "the other part lies at {:.1} ADU, beside the {beside} at {zero_adu:.1} ADU",
            levels[own]
        );
        (own, why)
    })
}

/// The first names of some frames, and how many more there are.
fn names(frames: &[usize], name: impl Fn(usize) -> String) -> String {
    let mut said: Vec<String> = frames.iter().take(NAMES).map(|i| name(*i)).collect();
    if frames.len() > NAMES {
        said.push(format!("and {} more", frames.len() - NAMES));
    }
    said.join(", ")
}
