//! Calibration frames that lie upside down among others of their kind, where no lights tell which way up is right.

use photosite_pix::FrameKind;

use super::{LOOKED_AT, is_decoded, look_at, some};
use crate::evidence::{Fixed, RowsVerdict};
use crate::finding::Severity;
use crate::inventory::Frame;
use crate::work::Context;
use crate::{Finding, Result};

/// Turns over the frames without light that lie upside down against most of them, and the flats that do.
///
/// Flats need not lie as darks do: what is fixed in both is of no account where each is measured by itself.
///
/// # Errors
/// When the work is cancelled.
pub(in crate::run) fn turn_among(
    frames: &mut [Frame],
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<()> {
    // Lights have told already.
    if frames.iter().any(|f| f.turned) {
        return Ok(());
    }
    for lit in [false, true] {
        // The decoder knows how a camera raw lies, and takes as long for some of its rows as for all.
        let of =
            |i: &usize| (frames[*i].kind == FrameKind::Flat) == lit && !is_decoded(&frames[*i]);
        let mut members: Vec<usize> = (0..frames.len()).filter(of).collect();
        let exposure_s = |i: usize| frames[i].metadata.exposure_s.unwrap_or(0.0);
        members.sort_by(|a, b| {
            let by_path = || frames[*a].path.cmp(&frames[*b].path);
            exposure_s(*a).total_cmp(&exposure_s(*b)).then_with(by_path)
        });
        if members.len() < 2 {
            continue;
        }
        // Long darks hold the most hot pixels; flats in the middle are neither faint nor full.
        let by = if lit { members[members.len() / 2] } else { members[members.len() - 1] };
        let first = look_at(frames, vec![by], &|_| true, context)?;
        let Some((_, first)) = first.first() else { continue };
        let fixed = Fixed::of(&[first], lit);
        let (mut alike, mut turned) = (vec![by], Vec::new());
        members.retain(|i| *i != by);
        // A few at a time: their samples take megabytes.
        for part in members.chunks(LOOKED_AT) {
            for (i, other) in look_at(frames, part.to_vec(), &|_| true, context)? {
                match fixed.lie(&[&other]) {
                    RowsVerdict::Alike => alike.push(i),
                    RowsVerdict::TurnedOver => turned.push(i),
                    RowsVerdict::Unclear => (),
                }
            }
        }
        if turned.is_empty() {
            continue;
        }
        let of = if turned.len() > alike.len() { alike } else { turned };
        let order = frames[if of.contains(&by) { members[0] } else { by }].metadata.row_order;
        let (what, shows) = match lit {
            true => ("flats lie", "the response of their pixels shows"),
            false => ("frames without light lie", "their hot pixels and fixed pattern show"),
        };
        let message = format!(
            "{} of {} {what} upside down against the others, as {shows}: they are turned over",
            of.len(),
            members.len() + 1
        );
        findings.push(
            Finding::new("rows-turned", Severity::Warning, some(frames, &of), message)
                .hint("Save all frames with one setting of the capture program.")
                .with("turned", true),
        );
        for i in of {
            frames[i].relabel_rows(order, true);
        }
    }
    Ok(())
}
