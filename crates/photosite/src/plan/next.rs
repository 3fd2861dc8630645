//! What else fits a light, planned when what was chosen turns out not to serve.

use photosite_pix::FrameKind;

use super::pick::Planner;
use super::{CandidateName, Explained, LightId, MasterId, MasterPlan, Plan};
use crate::inventory::{FrameId, Id, Inventory};
use crate::library::{FEW_REFUSALS, Priced, Shelf, group_name};
use crate::params::default_recipe;

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

/// Plans a second master of some frames of a flat, which every light that may have the first may have next.
pub(crate) fn part_of_flat(plan: &mut Plan, flat: MasterId, frames: Vec<FrameId>) -> MasterId {
    let part = MasterId::at(plan.masters.len());
    let whole = &mut plan.masters[flat.place()];
    whole.frames.retain(|f| !frames.contains(f));
    let name = group_name(whole.kind, &whole.traits, &mut plan.names);
    let recipe = default_recipe(whole.kind, frames.len(), whole.traits.cfa);
    let master = MasterPlan { frames, recipe, file_name: format!("{name}.fits"), ..whole.clone() };
    for light in &mut plan.lights {
        let of_flats = light.choices.iter_mut().find(|(kind, _)| *kind == FrameKind::Flat);
        let Some((_, Explained { choice, candidates })) = of_flats else { continue };
        let own = candidates.iter().find(|(_, c)| c.master == Some(flat)).map(|(at, _)| *at);
        let at = choice.ranked.iter().position(|p| Some(p.candidate) == own);
        let Some(at) = at else { continue };
        let refused = choice.refused.iter().map(|r| r.candidate);
        let candidate = candidates.keys().copied().chain(refused).max().map_or(0, |last| last + 1);
        choice.ranked.insert(at + 1, Priced { candidate, ..choice.ranked[at] });
        let name = master.file_name.clone();
        let named = CandidateName { name, id: None, path: None, master: Some(part) };
        candidates.insert(candidate, named);
    }
    plan.masters.push(master);
    part
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
