//! Pixels whose response bends, for a defect map, by flats of many levels.

use photosite_pix::FrameKind;

use super::sensor::{grid_of, see_set, sets_of};
use crate::Result;
use crate::defects::Seen;
use crate::raw::{Handling, RawFrame};
use crate::sensor::{Campaign, FEW_FLATS};
use crate::work::Context;

/// The pixels whose response bends by a cubic through their flats, row after row: SUSPECT. None without two biases, and
/// eight flats of five levels in pairs, of one filter.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn bent_pixels(
    frames: &[(FrameKind, &RawFrame)],
    context: &Context<'_>,
) -> Result<Vec<Seen>> {
    let wanted = [FrameKind::Bias, FrameKind::Flat];
    let used = frames.iter().filter(|(kind, _)| wanted.contains(kind));
    let used: Vec<(FrameKind, RawFrame)> = used.map(|(kind, f)| (*kind, (*f).clone())).collect();
    let count = |kind| used.iter().filter(|(k, _)| *k == kind).count();
    if count(FrameKind::Bias) < 2 || count(FrameKind::Flat) < FEW_FLATS {
        return Ok(Vec::new());
    }
    let mut campaign = Campaign::new(grid_of(&used[0].1), (None, None));
    campaign.with_pixels = true;
    for (kind, members) in sets_of(used) {
        // What cannot be read was told where the map looked at it.
        see_set(&mut campaign, kind, &members, Handling::Once, &mut Vec::new(), context)?;
    }
    let flats = campaign.sets.into_iter().filter_map(|set| set.flats);
    let mut seen: Vec<Seen> = flats.flat_map(|flats| flats.suspect).collect();
    seen.sort_by_key(|s| (s.y, s.x));
    Ok(seen)
}
