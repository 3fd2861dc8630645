//! Calibration frames whose fixed pattern stands at other columns of the lights.

use photosite_pix::FrameKind;

use super::{Seen, some};
use crate::Finding;
use crate::evidence::{Displaced, Glance, RowsVerdict, displaced, rows};
use crate::finding::Severity;
use crate::inventory::Frame;

/// The frames whose pattern stands elsewhere in the lights and that would do harm: darks that are
/// shifted, and whatever is mirrored. Flats and biases that are shifted by some columns are told of and
/// used: what they hold is wide.
pub(super) fn left_out(seen: &Seen, frames: &[Frame], findings: &mut Vec<Finding>) -> Vec<usize> {
    let of = |kind: FrameKind| -> Vec<&Glance> {
        let of = seen.glances.iter().filter(|(i, _)| frames[*i].kind == kind);
        of.map(|(_, glance)| glance).collect()
    };
    let lights = of(FrameKind::Light);
    let mut out = Vec::new();
    for kind in [FrameKind::Dark, FrameKind::DarkFlat, FrameKind::Bias, FrameKind::Flat] {
        let glances = of(kind);
        if rows(&glances, &lights, kind == FrameKind::Flat) != RowsVerdict::Unclear {
            continue;
        }
        let Some(where_to) = displaced(&glances, &lights) else { continue };
        let members: Vec<usize> =
            seen.members.iter().copied().filter(|i| frames[*i].kind == kind).collect();
        let stand = match where_to {
            Displaced::Columns(n) => format!(
                "{} column{} to the {}",
                n.abs(),
                if n.abs() == 1 { "" } else { "s" },
                if n > 0 { "right" } else { "left" }
            ),
            Displaced::Mirrored => "mirrored, left for right".to_owned(),
        };
        let harmful = where_to == Displaced::Mirrored || kind == FrameKind::Dark;
        let (severity, done) = match harmful {
            true => (Severity::Error, "they are left out"),
            false => (Severity::Warning, "they are used as they are"),
        };
        let message = format!(
            "what is fixed in the pixels of these frames stands in the lights {stand}: they are of \
             another region of the sensor, or were changed by a program; {done}"
        );
        findings.push(
            Finding::new("pattern-elsewhere", severity, some(frames, &members), message)
                .hint("Use the files as the camera wrote them, read out like the lights."),
        );
        if harmful {
            out.extend(members);
        }
    }
    out
}
