//! Picking masters for a night, from the night itself and from the library.

use std::collections::{BTreeMap, BTreeSet};

use photosite_pix::FrameKind;

use super::{CandidateName, Explained, LightPlan, MasterPlan, Plan, Ready, missing};
use crate::calibrate::RemovedBy;
use crate::inventory::Inventory;
use crate::library::{
    Candidate, DarkCurrent, Group, Shelf, Shelved, Traits, choose, frame_traits, group_name,
};
use crate::params::default_recipe;

/// What a plan grows from.
pub(super) struct Planner<'a> {
    inventory: &'a mut Inventory,
    shelf: Option<&'a Shelf<'a>>,
    keep: usize,
    out: Plan,
    names: BTreeMap<String, usize>,
    /// What was taken from the library, by its name there; `None` where it could not be used.
    taken: BTreeMap<String, Option<usize>>,
    /// What the library names and is not there.
    gone: BTreeSet<String>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        inventory: &'a mut Inventory,
        shelf: Option<&'a Shelf<'a>>,
        keep: usize,
    ) -> Self {
        Self {
            inventory,
            shelf,
            keep,
            out: Plan::default(),
            names: BTreeMap::new(),
            taken: BTreeMap::new(),
            gone: BTreeSet::new(),
        }
    }

    pub(super) fn finish(self) -> Plan {
        self.out
    }

    /// Plans the master of a group of frames; `None` where it would be of no use.
    pub(super) fn add_group(&mut self, group: Group, from_library: bool) -> Option<usize> {
        let (mut additive, mut dark_flat, mut zero) = (None, None, None);
        match group.kind {
            FrameKind::Flat if !group.traits.bias_removed => {
                let (found, chosen) = self.additive_of(&group)?;
                (additive, dark_flat) = (Some(found), Some(chosen));
            }
            FrameKind::Dark | FrameKind::DarkFlat => {
                let bias = self.pick(FrameKind::Bias, &group.traits, false);
                zero = bias.chosen().and_then(|c| c.master);
            }
            _ => {}
        }
        let name = group_name(group.kind, &group.traits, &mut self.names);
        self.out.masters.push(MasterPlan {
            kind: group.kind,
            recipe: default_recipe(group.kind, group.members.len(), group.traits.cfa),
            traits: group.traits,
            frames: group.members,
            ready: None,
            from_library,
            additive,
            dark_flat,
            zero,
            file_name: format!("{name}.fits"),
        });
        Some(self.out.masters.len() - 1)
    }

    /// Finds what takes a flat's additive part out: a dark flat, a dark of its exposure, a bias.
    fn additive_of(&mut self, group: &Group) -> Option<((usize, RemovedBy), Explained)> {
        let order = [
            (FrameKind::DarkFlat, RemovedBy::DarkFlat),
            (FrameKind::Dark, RemovedBy::Dark),
            (FrameKind::Bias, RemovedBy::Bias),
        ];
        let (mut found, mut dark_flat) = (None, Explained::default());
        for (kind, by) in order {
            let (explained, index) = self.pick_and_take(kind, &group.traits);
            if kind == FrameKind::DarkFlat {
                dark_flat = explained;
            }
            found = index.map(|i| (i, by));
            if found.is_some() {
                break;
            }
        }
        let finding = missing::additive(group, &self.inventory.frames, found.map(|(_, by)| by));
        self.out.findings.extend(finding);
        Some((found?, dark_flat))
    }

    /// Plans a light.
    pub(super) fn add_light(&mut self, index: usize, group: String, wanted: &Traits) {
        let (flat, flat_index) = self.pick_and_take(FrameKind::Flat, wanted);
        let (dark, mut dark_index) = self.pick_and_take(FrameKind::Dark, wanted);
        let holds_bias = dark_index.map(|i| !self.out.masters[i].traits.bias_removed);
        let (bias, bias_index) = if holds_bias == Some(true) {
            // The dark brings the bias with it; one of the night is named beside it all the same.
            let bias = self.pick(FrameKind::Bias, wanted, true);
            let of_night = bias.chosen().filter(|c| c.id.is_none()).and_then(|c| c.master);
            (bias, of_night)
        } else {
            self.pick_and_take(FrameKind::Bias, wanted)
        };
        if holds_bias == Some(false) && bias_index.is_none() {
            // A dark free of bias is of no use without one.
            dark_index = None;
        }
        let have_level = dark_index.is_some() || bias_index.is_some();
        let light = LightPlan {
            frame: index,
            group,
            file_name: String::new(),
            bias: bias_index,
            dark: dark_index,
            flat: flat_index.filter(|_| have_level),
            choices: vec![
                (FrameKind::Bias, bias),
                (FrameKind::Dark, dark),
                (FrameKind::Flat, flat),
            ],
        };
        let subject = self.inventory.frames[index].path.display().to_string();
        let found = missing::of_light(&light, &subject, wanted, flat_index, &self.out.masters);
        self.out.findings.extend(found);
        self.out.lights.push(light);
    }

    /// Chooses among the night's masters, and where none of them fits, among the library's too.
    fn pick(&self, kind: FrameKind, wanted: &Traits, with_library: bool) -> Explained {
        let night: Vec<usize> = (0..self.out.masters.len())
            .filter(|&i| {
                let m = &self.out.masters[i];
                m.kind == kind && m.ready.is_none() && !m.from_library
            })
            .collect();
        let shelf = self.shelf.filter(|_| with_library);
        let current = self.shelf.map_or_else(DarkCurrent::default, |s| s.dark_current(wanted));
        let mut pool: Vec<Candidate<'_>> = night
            .iter()
            .map(|&i| Candidate::new(&self.out.masters[i].traits, self.out.masters[i].count()))
            .collect();
        let mut choice = choose(kind, wanted, &pool, &current, self.keep);
        let shelved: &[Shelved] = shelf.map_or(&[], |s| s.of_kind(kind));
        if choice.chosen().is_none() && !shelved.is_empty() {
            let gone = |s: &Shelved| self.gone.contains(&s.id);
            pool.extend(shelved.iter().map(|s| s.candidate(!gone(s))));
            choice = choose(kind, wanted, &pool, &current, self.keep);
        }
        let name = |index: usize| match night.get(index) {
            Some(&i) => CandidateName {
                name: self.out.masters[i].file_name.clone(),
                id: None,
                path: None,
                master: Some(i),
            },
            None => {
                let s = &shelved[index - night.len()];
                CandidateName {
                    name: s.name.clone(),
                    id: Some(s.id.clone()),
                    path: s.path.clone(),
                    master: self.taken.get(&s.id).copied().flatten(),
                }
            }
        };
        let ranked = choice.ranked.iter().map(|p| p.candidate);
        let refused = choice.refused.iter().map(|r| r.candidate);
        let candidates = ranked.chain(refused).map(|i| (i, name(i))).collect();
        Explained { choice, candidates }
    }

    /// Chooses, and makes what was chosen part of the plan; what turns out not to be there is left
    /// out and the next best chosen.
    fn pick_and_take(&mut self, kind: FrameKind, wanted: &Traits) -> (Explained, Option<usize>) {
        loop {
            let explained = self.pick(kind, wanted, true);
            let index = self.take(&explained);
            let missing = explained.chosen().filter(|_| index.is_none()).and_then(|c| c.id.clone());
            if !missing.is_some_and(|id| self.gone.insert(id)) {
                return (explained, index);
            }
        }
    }

    /// The plan's index of a choice; what lies in the library becomes part of the plan.
    fn take(&mut self, explained: &Explained) -> Option<usize> {
        let chosen = explained.chosen()?;
        let Some(id) = &chosen.id else { return chosen.master };
        if let Some(taken) = self.taken.get(id) {
            return *taken;
        }
        let shelf = self.shelf?;
        let shelved = shelf.get(id)?;
        let index = match &shelved.path {
            Some(path) => {
                self.out.masters.push(MasterPlan {
                    kind: shelved.kind,
                    traits: shelved.traits.clone(),
                    frames: Vec::new(),
                    ready: Some(Ready {
                        id: id.clone(),
                        path: path.clone(),
                        frames: shelved.frames,
                        software: shelved.software.clone(),
                    }),
                    from_library: true,
                    additive: None,
                    dark_flat: None,
                    zero: None,
                    recipe: default_recipe(shelved.kind, shelved.frames, shelved.traits.cfa),
                    file_name: shelved.file_name(),
                });
                Some(self.out.masters.len() - 1)
            }
            None => self.take_frames(shelf, shelved),
        };
        self.taken.insert(id.clone(), index);
        index
    }

    /// Plans a master of raw frames that lie in the library.
    fn take_frames(&mut self, shelf: &Shelf<'_>, shelved: &Shelved) -> Option<usize> {
        let (frames, findings) = shelf.frames_of(shelved);
        self.out.findings.extend(findings);
        if frames.is_empty() {
            return None;
        }
        let first = self.inventory.frames.len();
        self.inventory.frames.extend(frames);
        let members: Vec<usize> = (first..self.inventory.frames.len()).collect();
        let traits =
            Traits { temp_c: shelved.traits.temp_c, ..frame_traits(&self.inventory.frames[first]) };
        self.add_group(Group { kind: shelved.kind, traits, members }, true)
    }
}
