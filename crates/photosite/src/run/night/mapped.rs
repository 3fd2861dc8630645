//! The defect maps of a night: one that was named, or for each set-up one of the darks that its lights take.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use photosite_pix::{FrameKind, MaskBits};

use super::maps::Maps;
use super::{Night, SoFar};
use crate::defects::FEWEST_FRAMES;
use crate::error::Reach;
use crate::evidence::{are_absent, rows_of};
use crate::finding::Severity;
use crate::inventory::FrameId;
use crate::library::{Traits, frame_traits};
use crate::plan::{LightId, MasterId};
use crate::product::{FrameSet, LoadedMap, defect_map_at, read_defect_map};
use crate::raw::{Handling, RawFrame};
use crate::run::defect_map::MAPPED;
use crate::run::kept_maps::{is_one_set_up, keep_map, kept_maps};
use crate::run::named::{NOT_OF_THIS_SENSOR, not_of_this_sensor};
use crate::run::request::DefectsChoice;
use crate::stack::ReadBuffers;
use crate::work::{Context, on_each_with};
use crate::{Finding, Result};

/// Days after which a map is old: pixels become hot all the time, and a year's are worth new darks.
const OLD_DAYS: f64 = 365.0;

/// Maps of the library that are tried for a set-up, and frames that are asked about each.
const MAPS_TRIED: usize = 3;
const ASKED: usize = 3;

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
            let Some((map, apart)) = self.map_of_library(&set_up, context)? else { continue };
            self.notes.add(told(&map, set_up.lights.len()), context);
            self.notes.extend(apart.and_then(|days| old(&map, days)), context);
            maps.add(map, set_up.lights);
        }
        Ok(maps)
    }

    /// The map that the library keeps of a set-up, the nearest in time whose hot pixels the night's own darks or lights
    /// do not deny; tells of those that they deny.
    fn map_of_library(
        &mut self,
        set_up: &SetUp,
        context: &Context<'_>,
    ) -> Result<Option<(LoadedMap, Option<f64>)>> {
        let Some(library) = &self.library else { return Ok(None) };
        let kept = kept_maps(library.folder(), &set_up.traits, set_up.traits.day());
        for (map, apart) in kept.take(MAPS_TRIED) {
            match self.denied_by(&map, set_up, context)? {
                None => return Ok(Some((map, apart))),
                Some(by) => {
                    self.notes.add(of_another_sensor(&map, by, set_up.lights.len()), context)
                }
            }
        }
        Ok(None)
    }

    /// What of the night shows that a map is of another sensor: none of its hot pixels stand in it.
    fn denied_by(
        &self,
        map: &LoadedMap,
        set_up: &SetUp,
        context: &Context<'_>,
    ) -> Result<Option<&'static str>> {
        let SoFar { planned, raw, .. } = &self.so_far;
        let darks = set_up.darks.iter().map(|id| &planned[*id]).filter(|m| !m.from_library);
        let darks = darks.flat_map(|m| m.frames.iter().copied()).collect::<Vec<FrameId>>();
        let lights = set_up.lights.iter().map(|id| planned[*id].frame).collect();
        for (frames, by) in [(darks, "darks"), (lights, "lights")] {
            let mut frames: Vec<&RawFrame> =
                frames.iter().filter_map(|f| raw[*f].as_ref()).collect();
            // Of several exposures the longest tells most.
            let exposure_s = |f: &RawFrame| f.metadata.exposure_s.unwrap_or(0.0);
            let longest_s = frames.iter().map(|f| exposure_s(f)).fold(0.0, f64::max);
            frames.retain(|f| exposure_s(f) == longest_s);
            let step = frames.len().div_ceil(ASKED).max(1);
            let frames: Vec<&RawFrame> = frames.into_iter().step_by(step).collect();
            if let Some(denied) = is_denied(map, &frames, context)? {
                return Ok(denied.then_some(by));
            }
        }
        Ok(None)
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

/// Whether no hot pixel of a map stands in some frames of one exposure; `None` where they do not tell.
fn is_denied(map: &LoadedMap, frames: &[&RawFrame], context: &Context<'_>) -> Result<Option<bool>> {
    let exposure_s = frames.first().and_then(|f| f.metadata.exposure_s);
    let Some((own_s, of_map_s)) = exposure_s.zip(map.map.facts.exposure_s.filter(|s| *s > 0.0))
    else {
        return Ok(None);
    };
    let size = map.map.size;
    let read = on_each_with(frames.len(), context, ReadBuffers::default, |buffers, i| {
        let frame = frames[i].open(Handling::Once)?;
        match frame.region.size() == size {
            true => rows_of(&frame, 1, buffers).map(Some),
            false => Ok(None),
        }
    })?;
    // A frame that cannot be read is told of where it is used.
    let (rows, samples): (Vec<Vec<usize>>, Vec<Vec<f32>>) =
        read.into_iter().flat_map(Result::ok).flatten().unzip();
    let Some(rows) = rows.first() else { return Ok(None) };
    let rows: BTreeMap<usize, usize> = rows.iter().enumerate().map(|(at, y)| (*y, at)).collect();
    let hot = map.map.seen.iter().filter(|s| s.bits.contains(MaskBits::HOT) && s.excess > 0.0);
    let hot = hot.filter_map(|s| Some((rows.get(&s.y)? * size.width + s.x, f64::from(s.excess))));
    Ok(are_absent(hot.collect(), own_s / of_map_s, &samples, size.width))
}

/// That a map of the library is of another sensor than the night's.
fn of_another_sensor(map: &LoadedMap, by: &str, lights: usize) -> Finding {
    let message = format!(
        "the library keeps this defect map for a camera of this name and these settings, but its hot pixels stand in \
         none of the night's own {by}: it is of another sensor, or the camera takes them out itself; {} calibrated \
         without it",
        if lights == 1 { "this light is".to_owned() } else { format!("{lights} lights are") }
    );
    let subject = map.path.display().to_string();
    Finding::new(NOT_OF_THIS_SENSOR, Severity::Warning, subject, message)
        .hint("Take 20 darks or more with the camera as it is now; retire masters of the old sensor (photosite library retire).")
        .with("lights", lights)
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
