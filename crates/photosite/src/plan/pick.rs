//! Picking masters for a night, from the night itself and from the library.

use std::collections::BTreeSet;

use photosite_pix::FrameKind;

use super::{
    CandidateName, Explained, LightPlan, MasterId, MasterPlan, Plan, Ready, ScaledPlan, missing,
    scaled,
};
use crate::calibrate::RemovedBy;
use crate::calibrate::dark::model::{TOLERANCE_C, same_point};
use crate::finding::{Finding, Severity};
use crate::inventory::{FrameId, Id, Inventory};
use crate::library::{
    Candidate, DarkCurrent, Group, Shelf, Shelved, Traits, choose, frame_traits, group_name,
};
use crate::params::default_recipe;

/// A bias of the library that lies so many days nearer to a dark of the library than what is planned is made to tell
/// the dark's zero level: drivers and firmware move offsets.
const NEARER_DAYS: f64 = 30.0;

/// Among what is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Among {
    /// The night's own.
    Night,
    /// The night's own, and the library's where none of them fits without a doubt.
    NightFirst,
    /// Both.
    All,
}

/// What a plan grows from.
pub(super) struct Planner<'a> {
    inventory: &'a mut Inventory,
    shelf: Option<&'a Shelf<'a>>,
    keep: usize,
    out: Plan,
    /// What the library names and is not there.
    gone: BTreeSet<String>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        inventory: &'a mut Inventory,
        shelf: Option<&'a Shelf<'a>>,
        keep: usize,
    ) -> Self {
        Self { inventory, shelf, keep, out: Plan::default(), gone: BTreeSet::new() }
    }

    /// Goes on with a plan.
    pub(super) fn resume(self, plan: Plan) -> Self {
        Self { out: plan, ..self }
    }

    pub(super) fn finish(self) -> Plan {
        self.out
    }

    /// Plans the master of a group of frames; `None` where it would be of no use.
    pub(super) fn add_group(&mut self, group: Group, from_library: bool) -> Option<MasterId> {
        let (mut additive, mut dark_flat, mut zero) = (None, None, None);
        let mut scaled_dark = None;
        match group.kind {
            FrameKind::Flat if !group.traits.bias_removed => {
                let (found, chosen, to_scale) = self.additive_of(&group)?;
                (additive, dark_flat, scaled_dark) = (Some(found), Some(chosen), to_scale);
            }
            FrameKind::Dark | FrameKind::DarkFlat => {
                zero = match from_library {
                    true => self.zero_in_library(&group.traits),
                    false => {
                        let bias = self.pick(FrameKind::Bias, &group.traits, Among::Night);
                        bias.chosen().and_then(|c| c.master)
                    }
                };
            }
            _ => {}
        }
        let name = group_name(group.kind, &group.traits, &mut self.out.names);
        Some(self.add(MasterPlan {
            kind: group.kind,
            recipe: default_recipe(group.kind, group.members.len(), group.traits.cfa),
            traits: group.traits,
            frames: group.members.into_iter().map(FrameId::at).collect(),
            ready: None,
            level_of: None,
            from_library,
            additive,
            scaled_dark,
            dark_flat,
            zero,
            file_name: format!("{name}.fits"),
        }))
    }

    fn add(&mut self, master: MasterPlan) -> MasterId {
        self.out.masters.push(master);
        MasterId::at(self.out.masters.len() - 1)
    }

    /// Finds what takes a flat's additive part out: a dark flat, a dark of its exposure, a bias.
    /// Where only a bias does, and their exposure is long, also the dark of another exposure that is to be
    /// fitted to them.
    fn additive_of(
        &mut self,
        group: &Group,
    ) -> Option<((MasterId, RemovedBy), Explained, Option<MasterId>)> {
        let order = [
            (FrameKind::DarkFlat, RemovedBy::DarkFlat),
            (FrameKind::Dark, RemovedBy::Dark),
            (FrameKind::Bias, RemovedBy::Bias),
        ];
        let (mut found, mut dark_flat) = (None, Explained::default());
        let mut dark = Explained::default();
        for (kind, by) in order {
            let (explained, index) = self.pick_and_take(kind, &group.traits);
            match kind {
                FrameKind::DarkFlat => dark_flat = explained,
                FrameKind::Dark => dark = explained,
                _ => {}
            }
            found = index.map(|i| (i, by));
            if found.is_some() {
                break;
            }
        }
        if found.is_none() {
            found = self.level_of(&[&dark]).map(|i| (i, RemovedBy::Bias));
        }
        let by_bias = found.is_some_and(|(_, by)| by == RemovedBy::Bias);
        let to_scale = match by_bias && missing::is_long(group) {
            true => self.dark_of_other_exposure(&dark, &group.traits),
            false => None,
        };
        let by = found.map(|(_, by)| by);
        let finding = missing::additive(group, &self.inventory.frames, by);
        self.out.findings.extend(finding.filter(|_| to_scale.is_none()));
        Some((found?, dark_flat, to_scale))
    }

    /// The bias that is nothing but the level of the shortest dark, of those that differ in exposure and temperature
    /// alone: where no bias was taken, that is what is known of it.
    fn level_of(&mut self, darks: &[&Explained]) -> Option<MasterId> {
        let scalable = darks.iter().flat_map(|found| scaled::scalable(found));
        let mut all: Vec<(f64, CandidateName)> = scalable
            .filter_map(|candidate| {
                let (traits, _) = self.made_of(candidate)?;
                let exposure_s = traits.exposure_s.filter(|_| !traits.bias_removed)?;
                Some((exposure_s, candidate.clone()))
            })
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let of = all.into_iter().find_map(|(_, candidate)| self.take(&candidate))?;
        Some(self.level_of_dark(of))
    }

    /// The bias that is nothing but the level of a dark.
    pub(super) fn level_of_dark(&mut self, of: MasterId) -> MasterId {
        let known = self.out.named_masters().find(|(_, m)| m.level_of == Some(of));
        if let Some((id, _)) = known {
            return id;
        }
        let dark = &self.out[of];
        let traits =
            Traits { exposure_s: Some(0.0), exposure_max_s: Some(0.0), ..dark.traits.clone() };
        let (file_name, name) = (format!("level_of_{}", dark.file_name), dark.file_name.clone());
        let message = format!(
            "no bias fits what needs one; the level of {name} stands in for it, and its dark signal counts as bias"
        );
        self.out.findings.push(
            Finding::new("bias-from-dark", Severity::Info, name, message).hint(
                "Take 20 or more biases, or dark flats and darks of the lights' own exposure.",
            ),
        );
        self.add(MasterPlan {
            kind: FrameKind::Bias,
            recipe: default_recipe(FrameKind::Bias, 1, None),
            traits,
            frames: Vec::new(),
            ready: None,
            level_of: Some(of),
            from_library: false,
            additive: None,
            scaled_dark: None,
            dark_flat: None,
            zero: None,
            file_name,
        })
    }

    /// The bias that is nearest in time to a dark of the library, where any bias is planned.
    fn zero_in_library(&mut self, dark: &Traits) -> Option<MasterId> {
        let all = self.pick(FrameKind::Bias, dark, Among::All);
        let ranked = all.choice.ranked.iter().filter_map(|p| all.candidates.get(&p.candidate));
        let days = |c: &CandidateName| {
            let day = self.made_of(c).and_then(|(traits, _)| traits.day());
            day.zip(dark.day()).map_or(f64::INFINITY, |(a, b)| (a - b).abs())
        };
        let mut ranked: Vec<(f64, CandidateName)> = ranked.map(|c| (days(c), c.clone())).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (planned_days, planned) =
            ranked.iter().find_map(|(days, c)| Some((*days, c.master?)))?;
        let nearest = ranked.iter().take_while(|(days, _)| *days < planned_days - NEARER_DAYS);
        let nearest: Vec<CandidateName> = nearest.map(|(_, c)| c.clone()).collect();
        Some(nearest.iter().find_map(|c| self.take(c)).unwrap_or(planned))
    }

    /// What matching looks at in a candidate, and of how many frames it is.
    fn made_of(&self, candidate: &CandidateName) -> Option<(&Traits, usize)> {
        match (candidate.master, &candidate.id) {
            (Some(id), _) => Some((&self.out[id].traits, self.out[id].count())),
            (None, Some(id)) => {
                self.shelf?.get(id).map(|shelved| (&shelved.traits, shelved.frames))
            }
            (None, None) => None,
        }
    }

    /// The dark whose exposure is nearest to that of flats, of those that differ in nothing else.
    fn dark_of_other_exposure(&mut self, dark: &Explained, flats: &Traits) -> Option<MasterId> {
        let wanted = flats.exposure_max_s.filter(|s| *s > 0.0)?;
        let mut all: Vec<(f64, CandidateName)> = scaled::of_other_exposure(dark)
            .filter_map(|c| {
                let exposure = self.made_of(c)?.0.exposure_s.filter(|s| *s > 0.0)?;
                Some(((exposure / wanted).ln().abs(), c.clone()))
            })
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.into_iter().find_map(|(_, c)| self.take(&c))
    }

    /// Plans a light.
    pub(super) fn add_light(&mut self, frame: FrameId, group: String, wanted: &Traits) {
        let (flat, flat_id) = self.pick_and_take(FrameKind::Flat, wanted);
        let (dark, mut dark_id) = self.pick_and_take(FrameKind::Dark, wanted);
        let holds_bias = dark_id.map(|id| !self.out[id].traits.bias_removed);
        let straightened = self.inventory[frame].linearity.is_some();
        let (bias, bias_id) = if holds_bias == Some(true) && straightened {
            // Samples bend above the bias: the dark, with its hot pixels, is no level to straighten from.
            self.pick_and_take(FrameKind::Bias, wanted)
        } else if holds_bias == Some(true) {
            // The dark brings the bias with it; one of the night is named beside it all the same.
            let bias = self.pick(FrameKind::Bias, wanted, Among::NightFirst);
            let of_night = bias.chosen().filter(|c| c.id.is_none()).and_then(|c| c.master);
            (bias, of_night)
        } else {
            let (bias, id) = self.pick_and_take(FrameKind::Bias, wanted);
            match id {
                None => {
                    let dark_flat = self.pick(FrameKind::DarkFlat, wanted, Among::NightFirst);
                    (bias, self.level_of(&[&dark, &dark_flat]))
                }
                id => (bias, id),
            }
        };
        let mut scaled = None;
        if let Some(bias) = bias_id.filter(|_| dark_id.is_none()) {
            (dark_id, scaled) = self.dark_to_scale(&dark, wanted, bias).unzip();
        }
        if holds_bias == Some(false) && bias_id.is_none() {
            // A dark free of bias is of no use without one.
            dark_id = None;
        }
        let have_level = dark_id.is_some() || bias_id.is_some();
        let light = LightPlan {
            frame,
            group,
            file_name: String::new(),
            bias: bias_id,
            dark: dark_id,
            scaled,
            flat: flat_id.filter(|_| have_level),
            choices: vec![
                (FrameKind::Bias, bias),
                (FrameKind::Dark, dark),
                (FrameKind::Flat, flat),
            ],
        };
        let subject = self.inventory[frame].path.display().to_string();
        let found = missing::of_light(&light, &subject, wanted, flat_id, &self.out);
        self.out.findings.extend(found);
        self.out.lights.push(light);
    }

    /// Chooses among masters.
    fn pick(&self, kind: FrameKind, wanted: &Traits, among: Among) -> Explained {
        let of_night = |m: &MasterPlan| {
            m.kind == kind && m.ready.is_none() && m.level_of.is_none() && !m.from_library
        };
        let night: Vec<(MasterId, &MasterPlan)> =
            self.out.named_masters().filter(|(_, m)| of_night(m)).collect();
        let shelf = self.shelf.filter(|_| among != Among::Night);
        let current = self.shelf.map_or_else(DarkCurrent::default, |s| s.dark_current(wanted));
        let mut pool: Vec<Candidate<'_>> =
            night.iter().map(|(_, m)| Candidate::new(&m.traits, m.count())).collect();
        let mut choice = choose(kind, wanted, &pool, &current, self.keep);
        let shelved: &[Shelved] = shelf.map_or(&[], |s| s.of_kind(kind));
        let night_is_enough = among != Among::All && choice.is_settled();
        if !night_is_enough && !shelved.is_empty() {
            let gone = |s: &Shelved| self.gone.contains(&s.id);
            pool.extend(shelved.iter().map(|s| s.candidate(!gone(s))));
            choice = choose(kind, wanted, &pool, &current, self.keep);
        }
        let name = |index: usize| match night.get(index) {
            Some((id, m)) => {
                CandidateName { name: m.file_name.clone(), id: None, path: None, master: Some(*id) }
            }
            None => {
                let s = &shelved[index - night.len()];
                CandidateName {
                    name: s.name.clone(),
                    id: Some(s.id.clone()),
                    path: s.path.clone(),
                    master: self.out.taken.get(&s.id).copied().flatten(),
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
    fn pick_and_take(&mut self, kind: FrameKind, wanted: &Traits) -> (Explained, Option<MasterId>) {
        loop {
            let explained = self.pick(kind, wanted, Among::NightFirst);
            let index = explained.chosen().cloned().and_then(|c| self.take(&c));
            let missing = explained.chosen().filter(|_| index.is_none()).and_then(|c| c.id.clone());
            if !missing.is_some_and(|id| self.gone.insert(id)) {
                return (explained, index);
            }
        }
    }

    /// The dark that is expected to leave least when it is fitted to a light that no dark matches. Where a model
    /// of several is expected to leave less, the library's others come along.
    fn dark_to_scale(
        &mut self,
        explained: &Explained,
        wanted: &Traits,
        bias: MasterId,
    ) -> Option<(MasterId, ScaledPlan)> {
        let current = self.shelf.map_or_else(DarkCurrent::default, |s| s.dark_current(wanted));
        let bias = (&self.out[bias].traits.clone(), self.out[bias].count());
        let mut all: Vec<(CandidateName, Traits, usize, ScaledPlan)> = scaled::scalable(explained)
            .filter_map(|candidate| {
                let (traits, frames) = self.made_of(candidate)?;
                let named = (candidate.name.as_str(), traits, frames);
                let plan = scaled::forecast(wanted, named, bias, &current)?;
                Some((candidate.clone(), traits.clone(), frames, plan))
            })
            .collect();
        // Masters before frames that would make one.
        all.sort_by_key(|(c, ..)| c.master.is_none() && c.path.is_none());
        let none = all.iter().map(|(.., p)| p.none()).fold(0.0, f64::max);
        let way = [TOLERANCE_C, f64::INFINITY].into_iter().find_map(|warm| {
            // Those of the light's own temperature where they are enough: the fewer laws, the better known.
            let apart = |t: &Traits| Some((t.temp_c? - wanted.temp_c?).abs());
            let mut darks: Vec<&(CandidateName, Traits, usize, ScaledPlan)> = Vec::new();
            for dark in all.iter().filter(|(_, t, ..)| apart(t).is_some_and(|c| c <= warm)) {
                // A master and the frames that it was made of count once.
                if !darks.iter().any(|(_, t, ..)| one_dark(t, &dark.1)) {
                    darks.push(dark);
                }
            }
            darks.truncate(scaled::MODEL_DARKS);
            let made: Vec<_> = darks.iter().map(|(_, t, n, _)| (t, *n)).collect();
            let way = scaled::modelled(wanted, &made, bias, (&current, none))?;
            Some((way, darks.iter().map(|d| d.0.clone()).collect::<Vec<_>>()))
        });
        all.sort_by(|a, b| a.3.ways[0].residual.total_cmp(&b.3.ways[0].residual));
        let (id, mut plan) =
            all.into_iter().find_map(|(c, .., plan)| Some((self.take(&c)?, plan)))?;
        if let Some((way, darks)) = way {
            if way.residual < plan.ways[0].residual {
                darks.iter().for_each(|dark| _ = self.take(dark));
                plan.ways.insert(0, way);
            } else {
                plan.ways.push(way);
            }
        }
        Some((id, plan))
    }

    /// The plan's master of a candidate; what lies in the library becomes part of the plan.
    pub(super) fn take(&mut self, chosen: &CandidateName) -> Option<MasterId> {
        let Some(id) = &chosen.id else { return chosen.master };
        if let Some(taken) = self.out.taken.get(id) {
            return *taken;
        }
        let shelf = self.shelf?;
        let shelved = shelf.get(id)?;
        let zero = match (shelved.kind, &shelved.path) {
            (FrameKind::Dark, Some(_)) => self.zero_in_library(&shelved.traits),
            _ => None,
        };
        let index = match &shelved.path {
            Some(path) => Some(self.add(MasterPlan {
                kind: shelved.kind,
                traits: shelved.traits.clone(),
                frames: Vec::new(),
                ready: Some(Ready {
                    id: id.clone(),
                    path: path.clone(),
                    frames: shelved.frames,
                    software: shelved.software.clone(),
                    relaid: shelved.relaid,
                    per_adu: shelved.per_adu,
                }),
                level_of: None,
                from_library: true,
                additive: None,
                scaled_dark: None,
                dark_flat: None,
                zero,
                recipe: default_recipe(shelved.kind, shelved.frames, shelved.traits.cfa),
                file_name: shelved.file_name(),
            })),
            None => self.take_frames(shelf, shelved),
        };
        self.out.taken.insert(id.clone(), index);
        index
    }

    /// Plans a master of raw frames that lie in the library.
    fn take_frames(&mut self, shelf: &Shelf<'_>, shelved: &Shelved) -> Option<MasterId> {
        let (frames, findings) = shelf.frames_of(shelved);
        self.out.findings.extend(findings);
        if frames.is_empty() {
            return None;
        }
        let first = self.inventory.frames.len();
        self.inventory.frames.extend(frames);
        let members: Vec<usize> = (first..self.inventory.frames.len()).collect();
        let traits = Traits {
            temp_c: shelved.traits.temp_c,
            filter_as: shelved.traits.filter_as.clone(),
            ..frame_traits(&self.inventory.frames[first])
        };
        self.add_group(Group { kind: shelved.kind, traits, members }, true)
    }
}

/// Whether two darks are of one exposure and temperature, as near as a model tells them apart.
fn one_dark(a: &Traits, b: &Traits) -> bool {
    let at = |t: &Traits| t.exposure_s.zip(t.temp_c);
    at(a).zip(at(b)).is_some_and(|(a, b)| same_point(a, b))
}
