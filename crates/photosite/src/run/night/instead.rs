//! Masters in the place of those that turned out not to serve: the next that the library offers.

use std::collections::{BTreeMap, BTreeSet};

use photosite_pix::FrameKind;

use super::flats::judge_flats;
use super::lights::{Loaded, Sets, these_lights};
use super::masters::{Making, build_masters, is_of_another_offset};
use super::notes::Notes;
use super::own_darks::{Contradicted, contradicted};
use super::{AtHand, Night, SoFar, shelf_of};
use crate::calibrate::flat_fit::FlatAnswer;
use crate::error::Reach;
use crate::finding::{Severity, first_and_more};
use crate::inventory::{Id, Inventory};
use crate::library::Shelf;
use crate::plan::{LightId, LightPlan, MasterId, Plan, level_of_dark, next_master};
use crate::product::dark_at_level;
use crate::run::pairs::noise_of_others;
use crate::run::profiles::linearity_of_others;
use crate::run::results::Results;
use crate::work::Context;
use crate::{Finding, Result};

/// Most masters that are tried in the place of one.
pub(super) const TRIES: usize = 3;

/// What is told where another master takes the place of one: a code, what was wrong with the first, and what to do.
const UNMADE: (&str, &str, &str) = (
    "master-instead",
    "could not be used",
    "photosite library verify shows all damaged files; add the frames of this one again.",
);
const NOT_THEIRS: (&str, &str, &str) = (
    "dark-changed",
    "matches by its labels, but not by its hot pixels or its level",
    "Retire the dark that is wrong (photosite library retire), or correct its labels.",
);

/// The masters of some lights that were tried.
pub(super) type Tried = BTreeMap<LightId, Vec<MasterId>>;

/// Biases that lie further apart, in ADU and in the noise of a master's pixel, are of another offset: temperature and
/// age make less.
const MOVED_ADU: f64 = 3.0;
const MOVED_NOISE: f64 = 1.0;

fn place(light: &mut LightPlan, kind: FrameKind) -> Option<&mut Option<MasterId>> {
    match kind {
        FrameKind::Bias => Some(&mut light.bias),
        FrameKind::Dark => Some(&mut light.dark),
        FrameKind::Flat => Some(&mut light.flat),
        _ => None,
    }
}

impl Night<'_> {
    /// Plans and makes what each of some lights may have next; gives what could be made.
    pub(super) fn bring(
        &mut self,
        kind: FrameKind,
        lights: &[LightId],
        tried: &mut Tried,
        making: Making<'_>,
        context: &Context<'_>,
    ) -> Result<BTreeMap<LightId, MasterId>> {
        let mut brought = self.make_more(making, context, |planned, inventory, shelf| {
            let mut brought = BTreeMap::new();
            for light in lights {
                let tried = tried.entry(*light).or_default();
                if let Some(id) = next_master(planned, inventory, shelf, (*light, kind), tried) {
                    tried.push(id);
                    brought.insert(*light, id);
                }
            }
            brought
        })?;
        brought.retain(|_, id| self.so_far.masters[*id].is_some());
        Ok(brought)
    }

    /// Makes what is added to the plan.
    pub(super) fn make_more<T>(
        &mut self,
        making: Making<'_>,
        context: &Context<'_>,
        add: impl FnOnce(&mut Plan, &mut Inventory, Option<&Shelf<'_>>) -> T,
    ) -> Result<T> {
        let mut findings = Vec::new();
        let SoFar { planned, masters, made, .. } = &mut self.so_far;
        let (before, frames) = (planned.masters.len(), self.inventory.frames.len());
        let told = planned.findings.len();
        let shelf = shelf_of(self.library.as_ref(), &self.found, &mut findings);
        let added = add(planned, &mut self.inventory, shelf.as_ref());
        drop(shelf);
        noise_of_others(&mut self.inventory, frames);
        linearity_of_others(&mut self.inventory, frames);
        // Darks of models come after all that is planned.
        let count = planned.masters.len() - before;
        masters.make_room(before, count);
        made.values_mut().for_each(|id| *id = MasterId::at(id.place() + count));
        findings.extend(planned.findings[told..].iter().cloned());
        self.notes.extend(findings, context);
        self.identify(frames, making.kept, context)?;
        let (SoFar { planned, raw, masters, .. }, notes) = (&mut self.so_far, &mut self.notes);
        let new = (planned as &_, MasterId::at(before));
        build_masters(new, raw, making.known, making.folder, masters, notes, context)?;
        Ok(added)
    }

    /// Gives lights the next master where one that was planned for them could not be made.
    pub(super) fn replace_unmade(
        &mut self,
        making: Making<'_>,
        context: &Context<'_>,
    ) -> Result<()> {
        for kind in [FrameKind::Bias, FrameKind::Dark, FrameKind::Flat] {
            let mut tried = Tried::new();
            let mut first: BTreeMap<LightId, MasterId> = BTreeMap::new();
            for _ in 0..TRIES {
                let SoFar { planned, masters, .. } = &mut self.so_far;
                let unmade = (0..planned.lights.len()).map(LightId::at).filter_map(|id| {
                    let light = &mut planned.lights[id.place()];
                    // A dark to be fitted was chosen with its bias.
                    let of_kind = place(light, kind).and_then(|of| *of);
                    let own = of_kind.filter(|m| masters[*m].is_none());
                    own.filter(|_| kind == FrameKind::Flat || light.scaled.is_none())
                        .map(|m| (id, m))
                });
                let unmade: Vec<(LightId, MasterId)> = unmade.collect();
                for (light, master) in &unmade {
                    first.entry(*light).or_insert(*master);
                    tried.entry(*light).or_default().push(*master);
                }
                let lights: Vec<LightId> = unmade.into_iter().map(|(light, _)| light).collect();
                let brought = self.bring(kind, &lights, &mut tried, making, context)?;
                if brought.is_empty() {
                    break;
                }
                self.give(kind, &brought);
            }
            if kind == FrameKind::Dark {
                self.bias_for_unmade(first.keys().copied(), making, context)?;
            }
            self.tell_of_others(kind, &first, UNMADE, context);
        }
        Ok(())
    }

    /// Gives lights whose dark could not be made, and that have no bias either, the bias that the dark would have
    /// brought with it.
    fn bias_for_unmade(
        &mut self,
        lights: impl Iterator<Item = LightId>,
        making: Making<'_>,
        context: &Context<'_>,
    ) -> Result<()> {
        let SoFar { planned, masters, .. } = &self.so_far;
        let unmade = |of: Option<MasterId>| of.is_none_or(|id| masters[id].is_none());
        let bare = |l: &LightId| unmade(planned[*l].dark) && unmade(planned[*l].bias);
        let (mut lights, mut tried): (Vec<LightId>, _) =
            (lights.filter(bare).collect(), Tried::new());
        for _ in 0..TRIES {
            let brought = self.bring(FrameKind::Bias, &lights, &mut tried, making, context)?;
            self.give(FrameKind::Bias, &brought);
            let mut given: BTreeMap<(Option<MasterId>, MasterId), Vec<LightId>> = BTreeMap::new();
            for (light, bias) in &brought {
                given.entry((self.so_far.planned[*light].dark, *bias)).or_default().push(*light);
            }
            for ((dark, bias), of) in given {
                let planned = &self.so_far.planned;
                let path = self.inventory[planned[of[0]].frame].path.display();
                let dark = dark.map_or("the dark", |dark| &planned[dark].file_name);
                let (code, why, hint) = UNMADE;
                let message = format!(
                    "{dark} {why}, and no other dark fits {}; only the bias {} is subtracted: hot pixels and amp glow \
                     remain",
                    these_lights(of.len()),
                    planned[bias].file_name
                );
                self.notes.add(
                    Finding::new(code, Severity::Warning, first_and_more(path, of.len()), message)
                        .hint(hint)
                        .with("master", dark)
                        .with("instead", planned[bias].file_name.clone())
                        .with("lights", of.len()),
                    context,
                );
            }
            lights.retain(|light| !brought.contains_key(light));
        }
        Ok(())
    }

    /// Moves darks of the library from the level of the biases that were taken with them to that of the night's own: an
    /// offset that moved in between would stay in the lights.
    pub(super) fn move_darks(&mut self, making: Making<'_>, context: &Context<'_>) -> Result<()> {
        let mut pairs: BTreeMap<MasterId, (MasterId, MasterId, usize)> = BTreeMap::new();
        let SoFar { planned, masters, .. } = &mut self.so_far;
        for light in planned.lights.iter().filter(|l| l.scaled.is_none()) {
            let Some((dark, bias)) = light.dark.zip(light.bias) else { continue };
            let of_dark = planned[dark].zero.filter(|zero| {
                let dark = &planned[dark];
                *zero != bias
                    && dark.from_library
                    && !dark.traits.bias_removed
                    && !planned[bias].from_library
            });
            if let Some(of_dark) = of_dark {
                pairs.entry(dark).or_insert((of_dark, bias, 0)).2 += 1;
            }
        }
        for (id, (of_dark, of_lights, lights)) in pairs {
            let all = [id, of_dark, of_lights].map(|id| masters[id].as_ref());
            let [Some(dark), Some(own), Some(other)] = all else { continue };
            let moved_adu = other.stats.median - own.stats.median;
            let noise_adu = dark.stats.noise.max(own.stats.noise).max(other.stats.noise);
            if moved_adu.abs() < MOVED_ADU.max(MOVED_NOISE * noise_adu) {
                continue;
            }
            let stem = planned[id].file_name.trim_end_matches(".fits");
            let path = making.folder.join(format!("{stem}_moved.fits"));
            let biases = (own.path.as_path(), other.path.as_path());
            let moved = match dark_at_level(&dark.path, biases, &path, context) {
                Ok(moved) => moved,
                Err(e) if e.reach() == Reach::Run => return Err(e),
                Err(e) => {
                    self.notes.failure(&e, &path, context);
                    continue;
                }
            };
            let message = format!(
                "the biases that were taken with this dark lie at {:.1} ADU, the night's own at {:.1} ADU: the offset \
                 moved in between; the dark was moved with it for {}",
                own.stats.median,
                other.stats.median,
                these_lights(lights)
            );
            self.notes.add(
                Finding::new(
                    "dark-level-moved",
                    Severity::Warning,
                    path.display().to_string(),
                    message,
                )
                .hint("Take darks anew: what moved an offset may have changed more.")
                .with("moved_adu", moved_adu)
                .with("lights", lights),
                context,
            );
            masters[id] = Some(moved);
            planned.masters[id.place()].zero = Some(of_lights);
        }
        Ok(())
    }

    /// Gives lights other masters, unless one lacks the bias that the other brings with it.
    pub(super) fn give(&mut self, kind: FrameKind, masters: &BTreeMap<LightId, MasterId>) {
        let planned = &mut self.so_far.planned;
        for (light, id) in masters {
            let free = |id: MasterId| planned[id].traits.bias_removed;
            let of_light = &planned[*light];
            let fits = kind != FrameKind::Dark
                || of_light.dark.is_none_or(|own| free(own) == free(*id))
                || of_light.bias.is_some();
            if let Some(own) = place(&mut planned.lights[light.place()], kind).filter(|_| fits) {
                *own = Some(*id);
            }
        }
    }

    /// Tells of lights that have another master than the first that was planned for them.
    pub(super) fn tell_of_others(
        &mut self,
        kind: FrameKind,
        first: &BTreeMap<LightId, MasterId>,
        (code, why, hint): (&'static str, &str, &'static str),
        context: &Context<'_>,
    ) {
        let SoFar { planned, masters, .. } = &mut self.so_far;
        let mut changed: BTreeMap<(MasterId, MasterId), Vec<LightId>> = BTreeMap::new();
        for (light, old) in first {
            let now = place(&mut planned.lights[light.place()], kind).and_then(|of| *of);
            let now = now.filter(|now| now != old && masters[*now].is_some());
            if let Some(now) = now {
                changed.entry((*old, now)).or_default().push(*light);
            }
        }
        for ((old, now), lights) in changed {
            let frame = planned[lights[0]].frame;
            let path = self.inventory[frame].path.display();
            let (old, now) = (&planned[old].file_name, &planned[now].file_name);
            let message = format!(
                "{old} {why}; {now}, which fits {} next, is used",
                these_lights(lights.len())
            );
            let subject = first_and_more(path, lights.len());
            self.notes.add(
                Finding::new(code, Severity::Warning, subject, message)
                    .hint(hint)
                    .with("master", old.clone())
                    .with("instead", now.clone())
                    .with("lights", lights.len()),
                context,
            );
        }
    }

    /// Gives lights the next dark where their hot pixels contradict the one of the library, or its level its bias, and
    /// a bias where that alone is at hand; gives what is contradicted still.
    pub(super) fn change_darks(
        &mut self,
        at_hand: &AtHand<'_>,
        making: Making<'_>,
        context: &Context<'_>,
    ) -> Result<Vec<Contradicted>> {
        let (mut tried, mut biases) = (Tried::new(), Tried::new());
        let mut first: BTreeMap<LightId, MasterId> = BTreeMap::new();
        let (mut found, mut bad) = self.doubted_darks(at_hand, context)?;
        if self.level_misfits(&found, making, context)? {
            (found, bad) = self.doubted_darks(at_hand, context)?;
        }
        for _ in 0..TRIES {
            for (light, dark) in &bad {
                first.entry(*light).or_insert(*dark);
                tried.entry(*light).or_default().push(*dark);
            }
            let lights: Vec<LightId> = bad.keys().copied().collect();
            let brought = self.bring(FrameKind::Dark, &lights, &mut tried, making, context)?;
            if brought.is_empty() {
                break;
            }
            self.give(FrameKind::Dark, &brought);
            (found, bad) = self.doubted_darks(at_hand, context)?;
        }
        if bad.is_empty() {
            self.tell_of_others(FrameKind::Dark, &first, NOT_THEIRS, context);
            return Ok(found);
        }
        // What is no better than the first is not taken.
        let back = bad.keys().filter_map(|light| Some((*light, *first.get(light)?))).collect();
        self.give(FrameKind::Dark, &back);
        let without_bias = |light: &LightId| self.so_far.planned[*light].bias.is_none();
        let lights: Vec<LightId> = bad.keys().copied().filter(without_bias).collect();
        let brought = self.bring(FrameKind::Bias, &lights, &mut biases, making, context)?;
        self.give(FrameKind::Bias, &brought);
        self.tell_of_others(FrameKind::Dark, &first, NOT_THEIRS, context);
        contradicted(self.so_far.work(at_hand), context)
    }

    /// Gives lights without a bias, whose hot pixels call for more or less of their dark, the dark's own level for one;
    /// whether there are any.
    fn level_misfits(
        &mut self,
        found: &[Contradicted],
        making: Making<'_>,
        context: &Context<'_>,
    ) -> Result<bool> {
        let lights: BTreeMap<LightId, MasterId> = found
            .iter()
            .filter(|own| own.bias.is_none() && own.misfits)
            .flat_map(|own| own.lights.iter().map(|light| (*light, own.dark)))
            .collect();
        let darks: BTreeSet<MasterId> = lights.values().copied().collect();
        let planned = &self.so_far.planned;
        let darks: Vec<MasterId> =
            darks.into_iter().filter(|dark| !planned[*dark].traits.bias_removed).collect();
        if darks.is_empty() {
            return Ok(false);
        }
        let levels: BTreeMap<MasterId, MasterId> =
            self.make_more(making, context, |planned, inventory, _| {
                darks.iter().map(|dark| (*dark, level_of_dark(planned, inventory, *dark))).collect()
            })?;
        for (light, dark) in lights {
            self.so_far.planned.lights[light.place()].bias = levels.get(&dark).copied();
        }
        Ok(true)
    }

    /// What hot pixels contradict, and the lights whose dark of the library that concerns, or is of another offset.
    fn doubted_darks(
        &self,
        at_hand: &AtHand<'_>,
        context: &Context<'_>,
    ) -> Result<(Vec<Contradicted>, BTreeMap<LightId, MasterId>)> {
        let SoFar { planned, masters, .. } = &self.so_far;
        let found = contradicted(self.so_far.work(at_hand), context)?;
        let mut bad = BTreeMap::new();
        for own in found.iter().filter(|own| own.is_of_other_labels()) {
            bad.extend(own.lights.iter().map(|light| (*light, own.dark)));
        }
        let mut of_other_offset: BTreeSet<MasterId> = BTreeSet::new();
        for (id, dark) in planned.named_masters().filter(|(_, m)| m.from_library) {
            let zero = dark.zero.and_then(|zero| masters[zero].as_ref());
            let pair = zero.zip(masters[id].as_ref()).filter(|_| dark.kind == FrameKind::Dark);
            if let Some((zero, made)) = pair
                && is_of_another_offset(zero, made)?
            {
                of_other_offset.insert(id);
            }
        }
        for (light, plan) in planned.named_lights().filter(|(_, l)| l.scaled.is_none()) {
            bad.extend(plan.dark.filter(|d| of_other_offset.contains(d)).map(|d| (light, d)));
        }
        bad.retain(|_, dark| planned[*dark].from_library);
        Ok((found, bad))
    }

    /// Holds flats against lights, and gives those that no flat at hand fits what the library has next.
    pub(super) fn judge_flats(
        &mut self,
        at_hand: &AtHand<'_>,
        making: Making<'_>,
        context: &Context<'_>,
    ) -> Result<Sets> {
        for again in [false, true] {
            let mut sets = Sets::new(Loaded::Samples, &at_hand.maps, self.so_far.request.repair);
            let mut flats = Results::none(self.so_far.planned.lights.len());
            let mut notes = Notes::quiet();
            judge_flats(self.so_far.work(at_hand), &mut flats, (&mut sets, &mut notes), context)?;
            let mut tried = Tried::new();
            for (light, plan) in self.so_far.planned.named_lights() {
                let refuted =
                    |answer| matches!(answer, FlatAnswer::DoesNotFit | FlatAnswer::Turned);
                if flats[light].is_some_and(|choice| refuted(choice.by.answer)) {
                    tried.insert(light, plan.flats());
                }
            }
            let lights: Vec<LightId> = tried.keys().copied().collect();
            let mut any = false;
            for _ in 0..TRIES {
                if !again && !lights.is_empty() {
                    let brought =
                        self.bring(FrameKind::Flat, &lights, &mut tried, making, context)?;
                    any |= !brought.is_empty();
                }
            }
            if !again {
                any |= self.free_flats(&flats, making, context)?;
            }
            if !any {
                self.so_far.flats = flats;
                self.notes.extend(notes.into_findings(), context);
                return Ok(sets);
            }
        }
        Err(crate::Error::bug("flats were judged without an end"))
    }
}
