//! The defect maps of a night: one that was named, or for each set-up one of the darks that its lights take.

use std::collections::BTreeSet;
use std::path::Path;

use photosite_pix::FrameKind;

use super::Night;
use super::maps::Maps;
use crate::defects::FEWEST_FRAMES;
use crate::error::Reach;
use crate::finding::Severity;
use crate::library::{Traits, frame_traits};
use crate::plan::{LightId, MasterId};
use crate::product::{FrameSet, LoadedMap, defect_map_at, read_defect_map};
use crate::raw::RawFrame;
use crate::run::defect_map::MAPPED;
use crate::run::kept_maps::{is_one_set_up, keep_map, kept_map};
use crate::run::named::not_of_this_sensor;
use crate::run::request::DefectsChoice;
use crate::work::Context;
use crate::{Finding, Result};

/// Days after which a map is old: pixels become hot all the time, and a year's are worth new darks.
const OLD_DAYS: f64 = 365.0;

/// Lights of one set-up.
struct SetUp {
    traits: Traits,
    lights: Vec<LightId>,
    darks: BTreeSet<MasterId>,
}

impl Night<'_> {
    /// The maps that lights are calibrated with; those of the night's own darks are written to `folder`.
    ///
    /// # Errors
    /// When a map that was named cannot be read, or the work is cancelled.
    pub(super) fn defect_maps(&mut self, folder: &Path, context: &Context<'_>) -> Result<Maps> {
        match &self.so_far.request.defects {
            DefectsChoice::None => Ok(Maps::default()),
            DefectsChoice::File(path) => self.named_map(path, context),
            DefectsChoice::Own => self.own_maps(folder, context),
        }
    }

    /// The map that was named, for lights of its size; tells of others.
    fn named_map(&mut self, path: &Path, context: &Context<'_>) -> Result<Maps> {
        let map = read_defect_map(path)?;
        let raw = |id: LightId| self.so_far.raw[self.so_far.planned[id].frame].as_ref();
        let all: Vec<LightId> = self
            .so_far
            .planned
            .named_lights()
            .map(|(id, _)| id)
            .filter(|id| raw(*id).is_some())
            .collect();
        let fits = |id: &LightId| raw(*id).is_some_and(|f| f.region().size() == map.map.size);
        let (lights, others): (Vec<LightId>, Vec<LightId>) = all.into_iter().partition(fits);
        let odd = others.first().and_then(|id| raw(*id));
        let told = odd.map(|f| not_of_this_sensor(&map, &f.path, f.region().size()));
        let mut maps = Maps::default();
        maps.add(map, lights);
        self.notes.extend(told, context);
        Ok(maps)
    }

    /// A map for each set-up: of its darks, else of the library; none where there is neither.
    fn own_maps(&mut self, folder: &Path, context: &Context<'_>) -> Result<Maps> {
        let mut maps = Maps::default();
        for set_up in self.set_ups() {
            context.cancel.check()?;
            let own = match self.own_map(&set_up, folder, context) {
                Err(e) if e.reach() == Reach::Run => return Err(e),
                Err(e) => {
                    self.notes.failure(&e, folder, context);
                    None
                }
                Ok(own) => own,
            };
            if let Some(map) = own {
                let library = self.library.as_ref().map(|l| l.folder().to_owned());
                let kept = library.map(|library| keep_map(&map, &library));
                if let Some(Err(e)) = kept {
                    self.notes.failure(&e, &map.path, context);
                }
                self.notes.add(told(&map, set_up.lights.len()), context);
                maps.add(map, set_up.lights);
                continue;
            }
            let Some(library) = &self.library else { continue };
            let found = kept_map(library.folder(), &set_up.traits, set_up.traits.day());
            let Some((map, apart)) = found else { continue };
            self.notes.add(told(&map, set_up.lights.len()), context);
            self.notes.extend(apart.and_then(|days| old(&map, days)), context);
            maps.add(map, set_up.lights);
        }
        Ok(maps)
    }

    /// The lights that could be read, set-up by set-up, and the darks that they take.
    fn set_ups(&self) -> Vec<SetUp> {
        let mut all: Vec<SetUp> = Vec::new();
        for (id, plan) in self.so_far.planned.named_lights() {
            if self.so_far.raw[plan.frame].is_none() {
                continue;
            }
            let traits = frame_traits(&self.inventory[plan.frame]);
            let at = all.iter().position(|s| is_one_set_up(&s.traits, &traits));
            let at = at.unwrap_or_else(|| {
                all.push(SetUp { traits, lights: Vec::new(), darks: BTreeSet::new() });
                all.len() - 1
            });
            all[at].lights.push(id);
            all[at].darks.extend(plan.dark);
        }
        all
    }

    /// The map of a set-up's darks; `None` where no master is of enough raw ones.
    ///
    /// Flats and biases are not asked: what does not respond is in the flat's own mask.
    fn own_map(
        &self,
        set_up: &SetUp,
        folder: &Path,
        context: &Context<'_>,
    ) -> Result<Option<LoadedMap>> {
        let used = |id: &MasterId| {
            let made = self.so_far.masters[*id].as_ref()?;
            let taken = |f: &&RawFrame| made.left_out.iter().all(|(path, _)| !f.is(path));
            let frames =
                self.so_far.planned[*id].frames.iter().filter_map(|f| self.so_far.raw[*f].as_ref());
            let mut frames: Vec<&RawFrame> = frames.filter(taken).collect();
            frames.sort_by_key(|f| f.hash);
            (frames.len() >= FEWEST_FRAMES).then_some((*id, frames))
        };
        let sets: Vec<(MasterId, Vec<&RawFrame>)> = set_up.darks.iter().filter_map(used).collect();
        let Some((first, _)) = sets.first() else { return Ok(None) };
        let path = folder.join(format!("defects_{}", self.so_far.planned[*first].file_name));
        let sets: Vec<FrameSet<'_>> = sets
            .into_iter()
            .map(|(_, frames)| FrameSet { kind: FrameKind::Dark, frames })
            .collect();
        defect_map_at(&sets, || Ok(Vec::new()), &path, context).map(Some)
    }
}

/// Which map lights are calibrated with, and what is in it.
fn told(map: &LoadedMap, lights: usize) -> Finding {
    let counts = map.map.counts();
    let what = match lights {
        1 => "a light is".to_owned(),
        n => format!("{n} lights are"),
    };
    let message = format!(
        "{what} calibrated with this defect map of {} darks: {} pixels are repaired ({} hot, {} unstable, {} \
         columns)",
        map.map.facts.darks, counts.repaired, counts.hot, counts.unstable, counts.columns
    );
    Finding::new(MAPPED, Severity::Info, map.path.display().to_string(), message)
        .hint("No action needed; --defects none does without.")
        .with("repaired", counts.repaired)
        .with("lights", lights)
}

/// That a map of the library is old.
fn old(map: &LoadedMap, days: f64) -> Option<Finding> {
    let months = days / 30.44;
    let message = format!(
        "the defect map is of darks taken {months:.0} months from these lights; pixels that became hot since \
         are not in it"
    );
    let subject = map.path.display().to_string();
    (days > OLD_DAYS).then(|| {
        Finding::new("defects-map-old", Severity::Warning, subject, message)
            .hint("Take 20 darks or more at the lights' temperature; the library keeps the map of them.")
            .with("months", months)
    })
}
