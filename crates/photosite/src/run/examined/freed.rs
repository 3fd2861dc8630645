//! Frames that a program freed of their bias without a word: their level lies where no frame of that camera
//! begins.

use std::collections::BTreeMap;

use photosite_pix::{Applied, FrameKind, stat};

use super::{Seen, Setup, some};
use crate::Finding;
use crate::finding::Severity;
use crate::inventory::Frame;

/// Sigmas of one sample, and ADU beside them, by which a light lies below the biases, or a dark about zero.
const SIGMAS: f64 = 5.0;
const BESIDE_ADU: f64 = 10.0;

/// The levels of the frames of all set-ups of a camera, whatever numbers they are stored as.
#[derive(Default)]
pub(super) struct Levels {
    by_camera: BTreeMap<Setup, Vec<(usize, f64, f64)>>,
    members: BTreeMap<Setup, Vec<usize>>,
}

impl Levels {
    /// Takes up the frames of a set-up that were looked at: the level and the scatter of each.
    pub fn take(&mut self, seen: &Seen, frames: &[Frame]) {
        let Some(first) = seen.members.first() else { return };
        let camera = Setup { bits: None, ..Setup::of(&frames[*first]) };
        let levels = seen.glances.iter().map(|(i, g)| (*i, g.median_adu, g.scatter_adu));
        self.by_camera.entry(camera.clone()).or_default().extend(levels);
        self.members.entry(camera).or_default().extend(&seen.members);
    }

    /// Marks what was freed of its bias: lights below the biases, darks about zero, and flats that are stored
    /// as such darks are and not as the biases.
    pub fn freed(&self, frames: &mut [Frame], findings: &mut Vec<Finding>) {
        for (camera, levels) in &self.by_camera {
            let of = |kind: FrameKind| -> Vec<(f64, f64)> {
                let of = levels.iter().filter(|(i, ..)| {
                    frames[*i].kind == kind && !frames[*i].metadata.applied.contains(Applied::BIAS)
                });
                of.map(|(_, level, scatter)| (*level, *scatter)).collect()
            };
            let middle = |of: &[(f64, f64)], part: fn(&(f64, f64)) -> f64| {
                stat::median_f64(&of.iter().map(part).collect::<Vec<f64>>())
            };
            let biases = of(FrameKind::Bias);
            let zero_adu = middle(&biases, |b| b.0);
            let reach = |of: &[(f64, f64)]| {
                SIGMAS * middle(of, |v| v.1).max(middle(&biases, |b| b.1)) + BESIDE_ADU
            };
            let members = |kind: FrameKind, stored: Option<i64>| -> Vec<usize> {
                let all = self.members[camera].iter().copied();
                all.filter(|i| frames[*i].kind == kind)
                    .filter(|i| stored.is_none() || frames[*i].header.get_i64("BITPIX") == stored)
                    .collect()
            };
            let stored = |kind: FrameKind| {
                members(kind, None).first().and_then(|i| frames[*i].header.get_i64("BITPIX"))
            };
            let mut found: Vec<(Vec<usize>, String)> = Vec::new();
            for kind in [FrameKind::Dark, FrameKind::DarkFlat, FrameKind::Light] {
                let levels = of(kind);
                let level_adu = middle(&levels, |v| v.0);
                let below = level_adu < zero_adu - reach(&levels);
                let at_zero = level_adu.abs() < reach(&levels);
                if !below || !(kind == FrameKind::Light || at_zero) {
                    continue;
                }
                let why = format!(
                    "their level is {level_adu:.0} ADU and that of the biases {zero_adu:.0} ADU: a program took the \
                     bias off them, and it is not taken off again"
                );
                found.push((members(kind, None), why));
                let of_darks = stored(FrameKind::Dark);
                let apart = kind == FrameKind::Dark && of_darks != stored(FrameKind::Bias);
                let flats = members(FrameKind::Flat, of_darks);
                if apart && !flats.is_empty() {
                    let why = "they are stored as the darks beside them, which a program freed of their bias, and not \
                               as the biases: the bias is not taken off them either";
                    found.push((flats, why.to_owned()));
                }
            }
            for (of, why) in found {
                findings.push(
                    Finding::new("bias-gone", Severity::Warning, some(frames, &of), why)
                        .hint("Use the frames as the camera wrote them, or write into their headers what was done."),
                );
                of.iter().for_each(|i| frames[*i].metadata.applied |= Applied::BIAS);
            }
        }
    }
}
