//! Calibration frames whose fixed pattern stands at another place in the lights.

use photosite_pix::FrameKind;

use super::{Seen, some};
use crate::Finding;
use crate::evidence::{Displaced, Fixed, Glance, RowsVerdict};
use crate::finding::Severity;
use crate::inventory::Frame;

/// The frames whose pattern stands elsewhere in the lights and that would do harm: darks that are
/// shifted, and whatever is mirrored. Flats and biases that are shifted by a little are told of and
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
        let fixed = Fixed::of(&glances, kind == FrameKind::Flat);
        if fixed.lie(&lights) != RowsVerdict::Unclear {
            continue;
        }
        let Some(where_to) = fixed.displaced(&lights) else { continue };
        let members: Vec<usize> =
            seen.members.iter().copied().filter(|i| frames[*i].kind == kind).collect();
        let stand = match where_to {
            Displaced::Columns(n) => {
                format!("{} to the {}", so_many(n, "column"), if n > 0 { "right" } else { "left" })
            }
            Displaced::Rows(n) => {
                format!("{} further {}", so_many(n, "row"), if n > 0 { "on" } else { "back" })
            }
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

fn so_many(n: i64, what: &str) -> String {
    let n = n.abs();
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
