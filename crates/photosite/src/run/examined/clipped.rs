//! Frames whose samples end at zero: the offset is too low, and what lies below is lost.

use photosite_pix::{FrameKind, stat};

use super::{Seen, some};
use crate::Finding;
use crate::finding::Severity;
use crate::inventory::Frame;

/// From this share of zeros on levels come out too high: at a hundredth by less than a thousandth of the noise.
const CLIPPED: f64 = 0.01;

/// Tells of the kinds of a set-up of which many samples are zero.
pub(super) fn at_zero(seen: &Seen, frames: &[Frame], findings: &mut Vec<Finding>) {
    for kind in FrameKind::ALL {
        let of = |i: &usize| frames[*i].kind == kind && frames[*i].metadata.applied.is_empty();
        let shares = seen.glances.iter().filter(|(i, _)| of(i)).map(|(_, g)| g.zero_share);
        let share = stat::median_f64(&shares.collect::<Vec<f64>>());
        if share.is_nan() || share < CLIPPED {
            continue;
        }
        let members: Vec<usize> = seen.members.iter().copied().filter(of).collect();
        let message = format!(
            "{:.0} % of their samples are 0: the sensor's offset is too low, or a program took the black level off. \
             What lay below zero is lost, so that levels come out too high and noise too low",
            100.0 * share
        );
        findings.push(
            Finding::new("clipped-at-zero", Severity::Warning, some(frames, &members), message)
                .hint(
                    "Raise the offset until the faintest samples of a bias lie above 0; take biases, darks and flats \
                     anew with it.",
                )
                .with("share", share),
        );
    }
}
