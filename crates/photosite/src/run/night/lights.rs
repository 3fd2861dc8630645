//! The lights of a night, calibrated to files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use photosite_file::fits::Sample;
use photosite_pix::Applied;

use super::maps::Maps;
use super::notes::Notes;
use crate::calibrate::dark::DarkShare;
use crate::error::Reach;
use crate::event::{Event, Stage};
use crate::params::{DarkScaling, Repair};
use crate::plan::{LightId, MasterId, Plan, StackPlan};
use crate::product::{
    BiasChoice, Kept, LightRequest, LoadedMap, LoadedMaster, Masters, calibrate_light, load_master,
    load_samples, pedestal_for, replaced,
};
use crate::raw::RawFrame;
use crate::run::earlier::Earlier;
use crate::run::request::NightRequest;
use crate::run::results::{
    DarkChoices, FlatChoices, LightResults, MadeDarks, MasterResults, RawFrames,
};
use crate::stack::ReadBuffers;
use crate::work::{Context, on_each, on_each_with};
use crate::{Error, Result};

/// The masters of a light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SetKey {
    /// Bias, dark and flat.
    pub masters: [Option<MasterId>; 3],
    /// The dark is taken by a factor of the light's own.
    pub fitted: bool,
    /// Which of the night's defect maps.
    pub mapped: Option<usize>,
    /// Its bias is needed beside a dark that holds it.
    pub needs_bias: bool,
}

/// What of masters is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loaded {
    /// All: lights get a variance.
    WithVariance,
    /// Samples and masks: what lights that go straight into a stack need.
    Samples,
}

/// The masters of a night's set-ups, in memory while they are needed.
pub(super) struct Sets {
    what: Loaded,
    maps: Vec<Arc<LoadedMap>>,
    repair: Repair,
    frames: BTreeMap<MasterId, LoadedMaster>,
    sets: BTreeMap<SetKey, Arc<Masters>>,
}

impl Sets {
    /// None of them in memory yet.
    pub(super) fn new(what: Loaded, maps: &Maps, repair: Repair) -> Self {
        let (frames, sets) = (BTreeMap::new(), BTreeMap::new());
        Self { what, maps: maps.all().to_vec(), repair, frames, sets }
    }

    /// The masters of a set-up, loaded on all threads where they are not yet.
    pub(super) fn get(
        &mut self,
        key: SetKey,
        masters: &MasterResults,
        context: &Context<'_>,
    ) -> Result<Arc<Masters>> {
        if let Some(set) = self.sets.get(&key) {
            return Ok(set.clone());
        }
        let [bias, dark, flat] = key.masters;
        self.load([dark, flat], masters, context)?;
        // A dark takes the bias with it, which then tells only of variances.
        let dark_alone = |id: MasterId| self.frames.get(&id).is_some_and(|d| !d.bias_removed());
        let bias = match self.what {
            Loaded::Samples => {
                bias.filter(|_| key.fitted || key.needs_bias || !dark.is_some_and(dark_alone))
            }
            Loaded::WithVariance => bias,
        };
        self.load([bias, None], masters, context)?;
        let [bias, dark, flat] =
            [bias, dark, flat].map(|i| i.and_then(|i| self.frames.get(&i).cloned()));
        let bias = bias.map(|m| BiasChoice::Master(Box::new(m)));
        let scaling = if key.fitted { DarkScaling::Fitted } else { DarkScaling::None };
        let mut set = Masters::new(bias, dark, flat, scaling)?.with_repair(self.repair);
        if let Some(map) = key.mapped.and_then(|at| self.maps.get(at)) {
            set = set.with_defects(map);
        }
        let set = Arc::new(set);
        self.sets.insert(key, set.clone());
        Ok(set)
    }

    /// Loads masters on all threads, where they are not in memory yet.
    fn load(
        &mut self,
        wanted: [Option<MasterId>; 2],
        masters: &MasterResults,
        context: &Context<'_>,
    ) -> Result<()> {
        let wanted: Vec<MasterId> =
            wanted.into_iter().flatten().filter(|i| !self.frames.contains_key(i)).collect();
        let loaded = on_each(wanted.len(), context, |n| {
            let Some(master) = &masters[wanted[n]] else { return Ok(None) };
            match self.what {
                Loaded::WithVariance => load_master(&master.path).map(Some),
                Loaded::Samples => load_samples(&master.path).map(Some),
            }
        })?;
        for (i, loaded) in wanted.into_iter().zip(loaded) {
            self.frames.extend(loaded?.map(|loaded| (i, loaded)));
        }
        Ok(())
    }

    /// Forgets all but the masters of these set-ups.
    pub(super) fn keep(&mut self, keys: &BTreeSet<SetKey>) {
        self.sets.retain(|key, _| keys.contains(key));
        self.frames.retain(|i, _| keys.iter().any(|key| key.masters.contains(&Some(*i))));
    }
}

/// What lights are calibrated with, and where to.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub request: &'a NightRequest,
    pub planned: &'a Plan,
    pub raw: &'a RawFrames,
    pub masters: &'a MasterResults,
    pub darks: &'a DarkChoices,
    pub flats: &'a FlatChoices,
    pub made: &'a MadeDarks,
    pub maps: &'a Maps,
    pub earlier: &'a Earlier,
    /// What was seen in lights, by this run and earlier ones.
    pub kept: &'a Kept,
    pub folder: &'a Path,
}

/// `count` lights that a sentence is about.
pub(super) fn these_lights(count: usize) -> String {
    match count {
        1 => "this light".to_owned(),
        n => format!("these {n} lights"),
    }
}

impl<'a> Work<'a> {
    /// Whether the lights of a picture are under a filter array, so that lines can be extracted.
    pub fn is_under_array(&self, plan: &StackPlan) -> bool {
        let frame = |id: &LightId| self.raw[self.planned[*id].frame].as_ref();
        plan.lights.iter().find_map(frame).is_some_and(|frame| frame.metadata.cfa.is_some())
    }

    /// The masters of a planned light; a dark that could not be fitted is none.
    pub fn set_of(&self, light: LightId) -> SetKey {
        let plan = &self.planned[light];
        let flat = self.flats[light].map_or(plan.flat, |choice| choice.flat);
        let mapped = self.maps.of(light);
        // Straightened samples are above the bias; a light without its bias loses that of its dark no more.
        let asks = |raw: &RawFrame| {
            raw.linearity.is_some() || raw.metadata.applied.contains(Applied::BIAS)
        };
        let needs_bias = self.raw[plan.frame].as_ref().is_some_and(asks);
        if let Some(made) = self.made.get(&light) {
            // It brings the bias with it.
            return SetKey {
                masters: [plan.bias, Some(*made), flat],
                fitted: false,
                mapped,
                needs_bias,
            };
        }
        let fitted = self.darks[light].is_some();
        let dark = plan.dark.filter(|_| fitted || plan.scaled.is_none());
        SetKey { masters: [plan.bias, dark, flat], fitted, mapped, needs_bias }
    }

    /// Does `work` with the raw frame of each of some lights, on all threads.
    ///
    /// # Errors
    /// When the work is cancelled.
    pub fn on_raws<T: Send>(
        self,
        lights: &[LightId],
        context: &Context<'_>,
        work: impl Fn(LightId, &RawFrame, &mut ReadBuffers) -> Result<T> + Sync,
    ) -> Result<Vec<Result<T>>> {
        on_each_with(lights.len(), context, ReadBuffers::default, |buffers, n| {
            match &self.raw[self.planned[lights[n]].frame] {
                Some(raw) => work(lights[n], raw, buffers),
                None => Err(Error::bug("a light that could not be read was to be used")),
            }
        })
    }

    /// How much of its dark is taken from a planned light, where that was decided for it.
    pub fn share_of(&self, light: LightId) -> Option<DarkShare> {
        self.darks[light].as_ref().map(|choice| choice.share)
    }

    /// Where a planned light lies; nowhere that is known for one that could not be read.
    pub fn path(&self, light: LightId) -> &'a Path {
        let frame = self.raw[self.planned[light].frame].as_ref();
        frame.map_or(Path::new(""), |f| f.path.as_path())
    }
}

/// Calibrates those of the planned lights that are `wanted` to files; one that cannot be is left out.
pub(super) fn calibrate_lights(
    work: Work<'_>,
    wanted: &[LightId],
    lights: &mut LightResults,
    notes: &mut Notes,
    context: &Context<'_>,
) -> Result<()> {
    let Work { request, planned, raw, earlier, folder, .. } = work;
    let total = wanted.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Lights, total });
    // Lights of one set of masters together, so that only one set is in memory.
    let mut by_set: BTreeMap<SetKey, Vec<LightId>> = BTreeMap::new();
    for &i in wanted.iter().filter(|i| raw[planned[**i].frame].is_some()) {
        by_set.entry(work.set_of(i)).or_default().push(i);
    }
    let mut sets = Sets::new(Loaded::WithVariance, work.maps, request.repair);
    for (key, members) in by_set {
        sets.keep(&BTreeSet::from([key]));
        let set = match sets.get(key, work.masters, context) {
            Ok(set) => set,
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => {
                members.iter().for_each(|i| notes.failure(&e, work.path(*i), context));
                continue;
            }
        };
        let sample = request.sample.sample(|| {
            let one = |n: usize, _: &mut ReadBuffers| {
                let raw = raw[planned[members[n]].frame].as_ref();
                let raw =
                    raw.ok_or_else(|| Error::bug("a light that could not be read was to be used"))?;
                let (masters, dark) = (&*set, work.share_of(members[n]));
                let (noise, sample) = (None, Sample::F32);
                Ok(LightRequest { raw, masters, noise, sample, dark, cosmic: false })
            };
            pedestal_for(members.len(), one, context)
        })?;
        let done = work.on_raws(&members, context, |light, raw, buffers| {
            let path = folder.join(&planned[light].file_name);
            let dark = work.share_of(light);
            let request =
                LightRequest { raw, masters: &set, noise: None, sample, dark, cosmic: false };
            let result = calibrate_light(&request, &path, &earlier.known, buffers);
            context.observer.event(Event::Advanced { by: 1, what: "calibrating" });
            result
        })?;
        for (i, done) in members.into_iter().zip(done) {
            match done {
                Ok(result) => {
                    notes.extend(result.clipped(), context);
                    let damaged = result.path.as_deref().filter(|_| result.damaged);
                    notes.extend(damaged.map(replaced), context);
                    lights[i] = Some(result);
                }
                Err(e) if e.reach() == Reach::Run => return Err(e),
                Err(e) => notes.failure(&e, work.path(i), context),
            }
        }
    }
    context.observer.event(Event::Finished);
    Ok(())
}
