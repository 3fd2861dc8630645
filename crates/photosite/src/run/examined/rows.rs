//! Calibration frames that lie upside down beside the lights are turned over.

use std::collections::BTreeMap;

use photosite_pix::{FrameKind, RowOrder};

use super::{Seen, some};
use crate::Finding;
use crate::evidence::{Glance, RowsVerdict, rows};
use crate::finding::Severity;
use crate::inventory::Frame;

fn name(order: Option<RowOrder>) -> &'static str {
    match order {
        Some(RowOrder::TopDown) => "top-down",
        Some(RowOrder::BottomUp) => "bottom-up",
        None => "in an order that no header names",
    }
}

/// Turns over what lies upside down: by the hot pixels where they show it, else by the headers.
pub(super) fn turn(seen: &Seen, frames: &mut [Frame], findings: &mut Vec<Finding>) {
    let is_light = |i: &usize| frames[*i].kind == FrameKind::Light;
    let mut orders: BTreeMap<Option<u8>, (usize, Option<RowOrder>)> = BTreeMap::new();
    for i in seen.members.iter().filter(|i| is_light(i)) {
        let order = frames[*i].metadata.row_order;
        orders.entry(order.map(|o| o as u8)).or_insert((0, order)).0 += 1;
    }
    // The order of most lights is that of the set-up.
    let Some((_, wanted)) = orders.into_values().max_by_key(|(count, _)| *count) else { return };
    let glances = |kind: FrameKind, order: Option<RowOrder>| -> Vec<&Glance> {
        let of = |i: &usize| frames[*i].kind == kind && frames[*i].metadata.row_order == order;
        seen.glances.iter().filter(|(i, _)| of(i)).map(|(_, g)| g).collect()
    };
    let lights = glances(FrameKind::Light, wanted);
    let verdict = |kind, order| rows(&glances(kind, order), &lights);
    let all = [None, Some(RowOrder::TopDown), Some(RowOrder::BottomUp)];
    let dark = [FrameKind::Dark, FrameKind::Bias, FrameKind::DarkFlat];
    let mut done: Vec<(Vec<usize>, bool, Finding)> = Vec::new();
    for order in all {
        let by_label = order.is_some() && wanted.is_some() && order != wanted;
        let verdicts = dark.map(|kind| verdict(kind, order));
        let label_lies = by_label && verdicts.contains(&RowsVerdict::Alike);
        for kind in FrameKind::ALL.into_iter().filter(|k| *k != FrameKind::Light) {
            let of = |i: &usize| frames[*i].kind == kind && frames[*i].metadata.row_order == order;
            let of: Vec<usize> = seen.members.iter().copied().filter(of).collect();
            if of.is_empty() {
                continue;
            }
            let seen_here = dark.iter().position(|k| *k == kind).map(|at| verdicts[at]);
            let (own, lie) = (name(order), name(wanted));
            let (turn, severity, message, hint) = match seen_here {
                Some(RowsVerdict::TurnedOver) if !by_label => (
                    true,
                    Severity::Warning,
                    format!(
                        "by the headers these frames lie {own} and the lights {lie}, but hot \
                         pixels of the lights stand in them upside down: they are turned over"
                    ),
                    "Save all frames with one setting of the capture program.",
                ),
                _ if by_label && !label_lies => (
                    true,
                    Severity::Info,
                    format!(
                        "these frames lie {own} and the lights {lie}, by ROWORDER{}: they are \
                         turned over",
                        match seen_here {
                            Some(RowsVerdict::TurnedOver) => " and by their hot pixels",
                            _ => "",
                        }
                    ),
                    "No action needed; one setting of the capture program for all frames is safer.",
                ),
                _ if by_label => (
                    false,
                    Severity::Warning,
                    format!(
                        "by ROWORDER these frames lie {own} and the lights {lie}, but hot pixels \
                         stand at the same places in both: they are used as they are"
                    ),
                    "Correct ROWORDER in one of the two.",
                ),
                _ => continue,
            };
            let finding = Finding::new("rows-turned", severity, some(frames, &of), message)
                .hint(hint)
                .with("turned", turn);
            done.push((of, turn, finding));
        }
    }
    for (of, turn, finding) in done {
        for i in of {
            frames[i].relabel_rows(wanted, turn);
        }
        findings.push(finding);
    }
}
