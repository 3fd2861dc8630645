//! Pixels for a defect map that only frames of several levels, or in the order of time, tell of.

use photosite_pix::FrameKind;

use super::afterglow::{holding_pixels, is_followed};
use super::sensor::{Looks, grid_of, see_set, sets_of};
use crate::Result;
use crate::defects::{Seen, merge};
use crate::raw::{Handling, RawFrame};
use crate::sensor::{Campaign, FEW_FLATS};
use crate::work::Context;

/// The pixels whose response bends by a cubic through their flats: SUSPECT, where there are two biases, and eight flats
/// of five levels in pairs, of one filter. And the pixels that hold charge after they were full: UNSTABLE, where darks
/// followed a saturated flat or light. Row after row.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn odd_pixels(
    frames: &[(FrameKind, &RawFrame)],
    context: &Context<'_>,
) -> Result<Vec<Seen>> {
    let of = |kind: FrameKind| frames.iter().filter(move |(k, _)| *k == kind).map(|(_, f)| *f);
    let lights: Vec<RawFrame> = of(FrameKind::Light).cloned().collect();
    let others = frames.iter().filter(|(kind, _)| *kind != FrameKind::Light);
    let sets = sets_of(others.map(|(kind, f)| (*kind, (*f).clone())).collect());
    let bends = of(FrameKind::Bias).count() >= 2 && of(FrameKind::Flat).count() >= FEW_FLATS;
    let holds = of(FrameKind::Flat).chain(&lights).any(|f| is_followed(&sets, &f.metadata));
    if !bends && !holds {
        return Ok(Vec::new());
    }
    let mut campaign = Campaign::new(grid_of(frames[0].1), (None, None));
    campaign.with_pixels = bends;
    let levels = [FrameKind::Bias, FrameKind::Flat];
    for (kind, members) in sets.iter().filter(|(kind, _)| levels.contains(kind)) {
        // What cannot be read was told where the map looked at it.
        let findings = &mut Vec::new();
        see_set(&mut campaign, *kind, (members, Looks::All), Handling::Once, findings, context)?;
    }
    let mut seen =
        if holds { holding_pixels(&campaign, (&sets, &lights), context)? } else { Vec::new() };
    let flats = campaign.sets.into_iter().filter_map(|set| set.flats);
    merge(&mut seen, flats.flat_map(|flats| flats.suspect).collect());
    Ok(seen)
}
