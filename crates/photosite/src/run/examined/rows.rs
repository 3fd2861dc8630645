//! Frames that lie upside down beside the others are turned over.

use std::collections::BTreeMap;

use photosite_pix::{FrameKind, RowOrder};

use super::{Seen, look_at, some};
use crate::evidence::{Fixed, Glance, RowsVerdict};
use crate::finding::Severity;
use crate::inventory::Frame;
use crate::work::Context;
use crate::{Finding, Result};

const DARK: [FrameKind; 3] = [FrameKind::Dark, FrameKind::Bias, FrameKind::DarkFlat];

const ORDERS: [Option<RowOrder>; 3] = [None, Some(RowOrder::TopDown), Some(RowOrder::BottomUp)];

/// What is said of an order of rows.
pub(in crate::run) fn order_name(order: Option<RowOrder>) -> &'static str {
    match order {
        Some(RowOrder::TopDown) => "top-down",
        Some(RowOrder::BottomUp) => "bottom-up",
        None => "in an order that no header names",
    }
}

/// What is done with some frames: whether they are turned over, and what is said of it.
struct Done {
    of: Vec<usize>,
    turn: bool,
    finding: Finding,
}

/// Turns over what lies upside down: by the hot pixels and the fixed pattern where they show it, else
/// by the headers.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn turn(
    seen: &Seen,
    frames: &mut [Frame],
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<()> {
    let is_light = |i: &usize| frames[*i].kind == FrameKind::Light;
    let mut orders: BTreeMap<Option<u8>, (usize, Option<RowOrder>)> = BTreeMap::new();
    for i in seen.members.iter().filter(|i| is_light(i)) {
        let order = frames[*i].metadata.row_order;
        orders.entry(order.map(|o| o as u8)).or_insert((0, order)).0 += 1;
    }
    // The order of most lights is that of the set-up.
    let Some((_, wanted)) = orders.into_values().max_by_key(|(count, _)| *count) else {
        return Ok(());
    };
    let (upside_down, unclear) = lights_apart(seen, frames, wanted, context)?;
    let mut done: Vec<Done> = Vec::new();
    if !upside_down.is_empty() {
        let lights = seen.members.iter().filter(|i| is_light(i)).count();
        let message = format!(
            "{} of {lights} lights lie upside down against the others, as their hot pixels show: \
             they are turned over{}",
            upside_down.len(),
            match unclear.len() {
                0 => String::new(),
                n => format!(
                    "; {n} show too little to tell and are used as they are, the first {}",
                    super::name(&frames[unclear[0]].path)
                ),
            }
        );
        let finding =
            Finding::new("rows-turned", Severity::Warning, some(frames, &upside_down), message)
                .hint("Save all frames with one setting of the capture program.")
                .with("turned", true);
        done.push(Done { of: upside_down.clone(), turn: true, finding });
    }
    let glances = |kind: FrameKind, order: Option<RowOrder>| -> Vec<&Glance> {
        let of = |i: &usize| frames[*i].kind == kind && frames[*i].metadata.row_order == order;
        let of = |(i, _): &&(usize, Glance)| of(i) && !upside_down.contains(i);
        seen.glances.iter().filter(of).map(|(_, g)| g).collect()
    };
    let lights = glances(FrameKind::Light, wanted);
    let fixed = |kind, order| Fixed::of(&glances(kind, order), kind == FrameKind::Flat);
    for order in ORDERS {
        let by_label = order.is_some() && wanted.is_some() && order != wanted;
        // Lights of another order, by what lies alike or not alike to both them and the others.
        let of_lights = || {
            let others = glances(FrameKind::Light, order);
            if others.is_empty() {
                return RowsVerdict::Unclear;
            }
            let kinds = DARK.into_iter().chain([FrameKind::Flat]);
            let mut both = kinds.flat_map(|kind| ORDERS.map(|order| (kind, order)));
            let told = both.find_map(|(kind, order)| {
                let fixed = fixed(kind, order);
                match (fixed.lie(&lights), fixed.lie(&others)) {
                    (RowsVerdict::Unclear, _) | (_, RowsVerdict::Unclear) => None,
                    (a, b) if a == b => Some(RowsVerdict::Alike),
                    _ => Some(RowsVerdict::TurnedOver),
                }
            });
            told.unwrap_or(RowsVerdict::Unclear)
        };
        let verdicts = FrameKind::ALL.map(|kind| match kind {
            FrameKind::Light if order == wanted => RowsVerdict::Unclear,
            FrameKind::Light => of_lights(),
            kind => fixed(kind, order).lie(&lights),
        });
        let verdicts = with_darks(verdicts, |kind| glances(kind, order));
        let is_light = |kind: FrameKind| kind == FrameKind::Light;
        let lies = |kind| {
            let mut all = FrameKind::ALL.into_iter().zip(verdicts);
            by_label && all.any(|(k, v)| is_light(k) == is_light(kind) && v == RowsVerdict::Alike)
        };
        let any_turned = verdicts.contains(&RowsVerdict::TurnedOver);
        for (kind, seen_here) in FrameKind::ALL.into_iter().zip(verdicts) {
            let of = |i: &usize| {
                let Frame { kind: of_kind, metadata, .. } = &frames[*i];
                *of_kind == kind && metadata.row_order == order && !upside_down.contains(i)
            };
            let of: Vec<usize> = seen.members.iter().copied().filter(of).collect();
            if of.is_empty() || (kind == FrameKind::Light && order == wanted) {
                continue;
            }
            let (own, lie) = (order_name(order), order_name(wanted));
            let by = if kind == FrameKind::Flat { "the response of pixels" } else { "hot pixels" };
            let stand = match kind {
                FrameKind::Bias | FrameKind::DarkFlat => {
                    "they or the darks beside them lie upside down, as hot pixels show".to_owned()
                }
                _ => format!("{by} of the lights stand in them upside down"),
            };
            let one_setting = "Save all frames with one setting of the capture program.";
            let (turn, severity, message, hint) = match seen_here {
                RowsVerdict::TurnedOver if !by_label => (
                    true,
                    Severity::Warning,
                    format!(
                        "by the headers these frames lie {own} and the lights {lie}, but \
                         {stand}: they are turned over"
                    ),
                    one_setting,
                ),
                _ if by_label && !lies(kind) => (
                    true,
                    Severity::Info,
                    format!(
                        "these frames lie {own} and the lights {lie}, by ROWORDER{}: they are \
                         turned over",
                        match seen_here {
                            RowsVerdict::TurnedOver => format!(" and by {by}"),
                            _ => String::new(),
                        }
                    ),
                    "No action needed; one setting of the capture program for all frames is safer.",
                ),
                _ if by_label => (
                    false,
                    Severity::Warning,
                    format!(
                        "by ROWORDER these frames lie {own} and the lights {lie}, but hot pixels \
                         and pattern stand at the same places in both: they are used as they are"
                    ),
                    "Correct ROWORDER in one of the two.",
                ),
                RowsVerdict::Unclear if any_turned && kind == FrameKind::Flat => (
                    false,
                    Severity::Warning,
                    "darks or biases lie upside down beside the lights and are turned over; these \
                     flats and the lights show no pattern that would tell, and are used as they are"
                        .to_owned(),
                    one_setting,
                ),
                _ => continue,
            };
            let finding = Finding::new("rows-turned", severity, some(frames, &of), message)
                .hint(hint)
                .with("turned", turn);
            done.push(Done { of, turn, finding });
        }
    }
    for Done { of, turn, finding } in done {
        for i in of {
            frames[i].relabel_rows(wanted, turn);
        }
        findings.push(finding);
    }
    Ok(())
}

/// The verdicts of all kinds, where biases and dark flats that show too little in the lights lie as the darks do
/// whose pattern they share.
fn with_darks<'a>(
    mut verdicts: [RowsVerdict; FrameKind::ALL.len()],
    glances: impl Fn(FrameKind) -> Vec<&'a Glance>,
) -> [RowsVerdict; FrameKind::ALL.len()] {
    let at = |kind: FrameKind| FrameKind::ALL.iter().position(|k| *k == kind);
    let turned = |at: &usize| verdicts[*at] == RowsVerdict::TurnedOver;
    if !at(FrameKind::Dark).as_ref().is_some_and(turned) {
        return verdicts;
    }
    let darks = glances(FrameKind::Dark);
    for kind in [FrameKind::Bias, FrameKind::DarkFlat] {
        let Some(at) = at(kind).filter(|at| verdicts[*at] == RowsVerdict::Unclear) else {
            continue;
        };
        if Fixed::of(&glances(kind), false).lie(&darks) == RowsVerdict::Alike {
            verdicts[at] = RowsVerdict::TurnedOver;
        }
    }
    verdicts
}

/// Lights that lie upside down against most lights of one row order, by the hot pixels or the pattern
/// that calibration frames show, and those that do not tell; where the lights that were looked at are of
/// one mind, the rest is.
fn lights_apart(
    seen: &Seen,
    frames: &[Frame],
    order: Option<RowOrder>,
    context: &Context<'_>,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let is_one =
        |i: usize| frames[i].kind == FrameKind::Light && frames[i].metadata.row_order == order;
    // One way up is enough to tell lights apart by, whichever it is.
    let by: Vec<Fixed<'_>> = DARK
        .into_iter()
        .chain([FrameKind::Flat])
        .map(|kind| {
            let of = seen.glances.iter().filter(|(i, _)| frames[*i].kind == kind);
            let first = of.clone().next().map(|(i, _)| frames[*i].metadata.row_order);
            let of = of.filter(|(i, _)| Some(frames[*i].metadata.row_order) == first);
            let of: Vec<&Glance> = of.map(|(_, g)| g).collect();
            Fixed::of(&of, kind == FrameKind::Flat)
        })
        .collect();
    let verdict = |light: &Glance| {
        let mut told = by.iter().map(|fixed| fixed.lie(&[light]));
        told.find(|v| *v != RowsVerdict::Unclear).unwrap_or(RowsVerdict::Unclear)
    };
    let mut verdicts: BTreeMap<usize, RowsVerdict> = seen
        .glances
        .iter()
        .filter(|(i, _)| is_one(*i))
        .map(|(i, light)| (*i, verdict(light)))
        .collect();
    let both = |verdicts: &BTreeMap<usize, RowsVerdict>| {
        [RowsVerdict::Alike, RowsVerdict::TurnedOver]
            .iter()
            .all(|v| verdicts.values().any(|w| w == v))
    };
    if !both(&verdicts) {
        return Ok((Vec::new(), Vec::new()));
    }
    let rest: Vec<usize> =
        seen.members.iter().copied().filter(|i| is_one(*i) && !verdicts.contains_key(i)).collect();
    // A few at a time: their samples take megabytes.
    for part in rest.chunks(super::LOOKED_AT) {
        for (i, light) in look_at(frames, part.to_vec(), &|_| true, context)? {
            verdicts.insert(i, verdict(&light));
        }
    }
    let of = |wanted: RowsVerdict| -> Vec<usize> {
        verdicts.iter().filter(|(_, v)| **v == wanted).map(|(i, _)| *i).collect()
    };
    let (alike, turned) = (of(RowsVerdict::Alike), of(RowsVerdict::TurnedOver));
    let upside_down = if turned.len() > alike.len() { alike } else { turned };
    Ok((upside_down, of(RowsVerdict::Unclear)))
}
