//! What else fits a light, planned when what was chosen turns out not to serve.

use photosite_pix::FrameKind;

use super::pick::Planner;
use super::{CandidateName, LightId, MasterId, Plan};
use crate::inventory::{Id, Inventory};
use crate::library::{FEW_REFUSALS, Shelf};

/// Plans the master that a light's choice ranks next after those that were tried; `None` where there is no other.
///
/// What it is made of is added to the inventory.
pub(crate) fn next_master(
    plan: &mut Plan,
    inventory: &mut Inventory,
    shelf: Option<&Shelf<'_>>,
    (light, kind): (LightId, FrameKind),
    tried: &[MasterId],
) -> Option<MasterId> {
    let explained = plan[light].choice_of(kind)?;
    let ranked = explained.choice.ranked.iter().map(|p| p.candidate);
    let ranked: Vec<(usize, CandidateName)> =
        ranked.filter_map(|at| Some((at, explained.candidates.get(&at)?.clone()))).collect();
    let mut planner = Planner::new(inventory, shelf, FEW_REFUSALS).resume(std::mem::take(plan));
    let found = ranked.into_iter().find_map(|(at, candidate)| {
        let id = planner.take(&candidate).filter(|id| !tried.contains(id))?;
        Some((at, id))
    });
    *plan = planner.finish();
    let (at, id) = found?;
    let choices = &mut plan.lights[light.place()].choices;
    let of_kind = choices.iter_mut().find(|(k, _)| *k == kind);
    if let Some(candidate) = of_kind.and_then(|(_, e)| e.candidates.get_mut(&at)) {
        candidate.master = Some(id);
    }
    Some(id)
}

/// Plans the bias that is nothing but the level of a dark.
pub(crate) fn level_of_dark(
    plan: &mut Plan,
    inventory: &mut Inventory,
    dark: MasterId,
) -> MasterId {
    let mut planner = Planner::new(inventory, None, FEW_REFUSALS).resume(std::mem::take(plan));
    let id = planner.level_of_dark(dark);
    *plan = planner.finish();
    id
}
