//! What will be done to a night, and why: data and decisions, no pixel read.
//!
//! ```
//! # use photosite_file::{atomic::Existing, fits::{FrameSpec, Sample, write_frame}};
//! # use photosite_pix::{Card, Frame, Header, Plane, Size, Unit};
//! # let write = |path: &std::path::Path, size: Size, adu: f32, cards: &[Card]| {
//! #     let header = Header::from_cards(cards.to_vec());
//! #     let frame = Frame::new(Plane::filled(size, adu), Unit::Adu);
//! #     let spec = FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
//! #     write_frame(path, &[&frame], spec, Existing::Refuse).unwrap();
//! # };
//! # let dir = tempfile::tempdir().unwrap();
//! use photosite::Workplace;
//! use photosite::inventory::KindOverrides;
//! use photosite::plan::plan;
//! use photosite::run::take_inventory;
//!
//! # let night = dir.path().to_owned();
//! # for (i, kind) in ["Dark Frame", "Dark Frame", "Dark Frame", "Light Frame"].iter().enumerate() {
//! #     let cards = [Card::string("IMAGETYP", kind, ""), Card::real("EXPTIME", 60.0, "")];
//! #     write(&night.join(format!("{i}.fits")), Size::new(8, 8), 100.0 + i as f32, &cards);
//! # }
//! // Three darks and a light, each of 60 s.
//! let work = Workplace::new();
//! let mut inventory =
//!     take_inventory(&[night], None, &KindOverrides::default(), &work.context())?;
//! let plan = plan(&mut inventory, None, 16);
//! let dark = plan.lights[0].dark.unwrap();
//! assert_eq!((plan.masters.len(), plan[dark].frames.len()), (1, 3));
//! assert!(plan[dark].file_name.starts_with("dark_60s"));
//! assert!(plan.findings.iter().any(|f| f.code == "flat-missing"));
//! # Ok::<(), photosite::Error>(())
//! ```

mod doubts;
mod forecast;
mod graph;
mod id;
mod missing;
mod names;
mod next;
mod pick;
mod scaled;
mod shooting;
mod stacks;

use std::collections::BTreeMap;
use std::path::PathBuf;

use photosite_pix::FrameKind;
use photosite_pix::combine::Recipe;
use photosite_pix::unit::NoiseModel;

use crate::calibrate::RemovedBy;
use crate::finding::Finding;
use crate::header::Relaid;
use crate::inventory::{Frame, FrameId, Id, Inventory};
use crate::library::{
    Choice, DarkCurrent, Field, Group, Shelf, Tolerance, Traits, frame_traits, group_name, groups,
    rules, stack_for_each_light,
};

pub use forecast::{Forecast, Forecaster, MASTERS_SHOWN, Means, StepCost};
pub use graph::{Graph, Grapher, PLAN_SCHEMA, PlanInput, PlanStep};
pub use id::{LightId, MasterId};
pub(crate) use missing::without_bias;
pub use names::product_names;
pub(crate) use next::{level_of_dark, next_master, part_of_flat};
use pick::Planner;
pub use scaled::ScaledPlan;
pub use shooting::{FlatLevel, Share, Shooting, Shot, shooting_list};
pub use stacks::{FEWEST_LIGHTS, StackPlan, stacks};

/// One master to be made, or taken as it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MasterPlan {
    /// Its kind.
    pub kind: FrameKind,
    /// What its frames have in common.
    pub traits: Traits,
    /// The frames; none for a master that is ready.
    pub frames: Vec<FrameId>,
    /// A master of the library that is taken as it is.
    pub ready: Option<Ready>,
    /// The dark whose level it is, for a bias that nobody took.
    pub level_of: Option<MasterId>,
    /// The frames lie in the library, not in the night.
    pub from_library: bool,
    /// For a flat: the master that takes its additive part out.
    pub additive: Option<(MasterId, RemovedBy)>,
    /// For a long flat of which only a bias takes the additive part out: a dark of another exposure, to be
    /// fitted to it.
    pub scaled_dark: Option<MasterId>,
    /// For a flat: how its dark flat was chosen.
    pub dark_flat: Option<Explained>,
    /// For a dark: the bias that tells its zero level.
    pub zero: Option<MasterId>,
    /// How samples are combined.
    pub recipe: Recipe,
    /// The name of the file, in the folder of masters.
    pub file_name: String,
}

impl MasterPlan {
    /// How many frames it is made of.
    pub fn count(&self) -> usize {
        let level = usize::from(self.level_of.is_some());
        self.ready.as_ref().map_or(self.frames.len() + level, |r| r.frames)
    }
}

/// A master that is there already.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Ready {
    /// Its name in the library.
    pub id: String,
    /// Where it lies.
    pub path: PathBuf,
    /// How many frames it was made of.
    pub frames: usize,
    /// The program that made it, where that is known.
    pub software: Option<String>,
    /// How it is laid beside the lights, where headers do not say it.
    pub relaid: Option<Relaid>,
    /// What its samples are to be divided by to be ADU, where they are electrons or count a second.
    pub per_adu: Option<f64>,
}

/// One light to be calibrated.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LightPlan {
    /// The frame.
    pub frame: FrameId,
    /// The name of the group of lights of its set-up and filter.
    pub group: String,
    /// The name of the file, in the folder of calibrated lights.
    pub file_name: String,
    /// The chosen bias.
    pub bias: Option<MasterId>,
    /// The matched dark, or one that is to be fitted.
    pub dark: Option<MasterId>,
    /// The dark is of another exposure or temperature, and this is what scaling it is expected to do;
    /// `None` for a matched one.
    pub scaled: Option<ScaledPlan>,
    /// The flat of the light's filter.
    pub flat: Option<MasterId>,
    /// How each kind was chosen.
    pub choices: Vec<(FrameKind, Explained)>,
}

impl LightPlan {
    /// The flats of the plan that no rule keeps from the light, the chosen one first; none where no
    /// flat is used.
    pub fn flats(&self) -> Vec<MasterId> {
        let Some(own) = self.flat else { return Vec::new() };
        let explained = self.choice_of(FrameKind::Flat);
        let ranked = explained.into_iter().flat_map(|e| {
            let names = e.choice.ranked.iter().filter_map(|p| e.candidates.get(&p.candidate));
            names.filter_map(|c| c.master)
        });
        let others = ranked.filter(|id| *id != own);
        std::iter::once(own).chain(others).collect()
    }

    /// How the master of a kind was chosen.
    pub fn choice_of(&self, kind: FrameKind) -> Option<&Explained> {
        self.choices.iter().find(|(k, _)| *k == kind).map(|(_, e)| e)
    }
}

/// A choice, with what its candidates are called.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Explained {
    /// The choice.
    pub choice: Choice,
    /// The candidates that the choice speaks of, by their index there.
    pub candidates: BTreeMap<usize, CandidateName>,
}

/// A candidate as people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CandidateName {
    /// The name of the master's file, or of the frames it would be made of.
    pub name: String,
    /// Its name in the library; `None` for frames of the night.
    pub id: Option<String>,
    /// Its file, where it is a master that is there.
    pub path: Option<PathBuf>,
    /// The master of the plan that it is, where it is among them.
    master: Option<MasterId>,
}

impl Explained {
    /// The chosen candidate.
    pub fn chosen(&self) -> Option<&CandidateName> {
        self.candidates.get(&self.choice.chosen()?)
    }
}

/// The work of a night.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Plan {
    /// Masters in the order in which they are made: a flat comes after what it needs.
    pub masters: Vec<MasterPlan>,
    /// Lights, in the order of the inventory.
    pub lights: Vec<LightPlan>,
    /// The pictures, those of one target together.
    pub stacks: Vec<Vec<StackPlan>>,
    /// What is missing or doubtful.
    pub findings: Vec<Finding>,
    /// How often a name was given to a master that is made.
    names: BTreeMap<String, usize>,
    /// What was taken from the library, by its name there; `None` where it could not be used.
    taken: BTreeMap<String, Option<MasterId>>,
}

/// The traits of all frames, with the names that the library knows their filters by, and where headers are silent
/// the gain and read noise that its masters hold.
fn traits_of(inventory: &Inventory, shelf: Option<&Shelf<'_>>) -> Vec<(FrameKind, Traits)> {
    // Looked up once for all frames of a set-up.
    let mut known: BTreeMap<Vec<Option<String>>, Option<NoiseModel>> = BTreeMap::new();
    let exact = rules(FrameKind::Dark).iter().filter(|r| r.tolerance == Tolerance::Exact);
    let exact: Vec<Field> = exact.map(|r| r.field).collect();
    let of = |frame: &Frame| {
        let mut traits = frame_traits(frame);
        if let Some(shelf) = shelf {
            shelf.aliases().name(&mut traits);
            if traits.read_noise_e.is_none() {
                let set_up = exact.iter().map(|f| traits.show(*f)).collect();
                let of_set_up = || shelf.noise(&traits).map(|(noise, _)| noise);
                if let Some(noise) = *known.entry(set_up).or_insert_with(of_set_up) {
                    let gain = noise.gain_e_per_adu.e_per_adu();
                    traits.gain_e_per_adu = traits.gain_e_per_adu.or(Some(gain));
                    traits.read_noise_e = Some(noise.read_noise_e);
                }
            }
        }
        (frame.kind, traits)
    };
    inventory.frames.iter().map(of).collect()
}

/// Plans a night: its own frames first, and for what they do not give, those of the library.
///
/// Frames that are taken from the library are added to the inventory. Of each choice up to `keep`
/// refusals are kept. Lights of one filter become one picture each exposure.
pub fn plan(inventory: &mut Inventory, shelf: Option<&Shelf<'_>>, keep: usize) -> Plan {
    plan_pictures(inventory, shelf, keep, false)
}

/// The same, with one picture for all exposures of a filter where they are to be joined.
pub fn plan_pictures(
    inventory: &mut Inventory,
    shelf: Option<&Shelf<'_>>,
    keep: usize,
    join_exposures: bool,
) -> Plan {
    let traits = traits_of(inventory, shelf);
    let light_traits = traits.iter().find(|(k, _)| *k == FrameKind::Light).map(|(_, t)| t);
    let current = match (shelf, light_traits) {
        (Some(shelf), Some(light)) => shelf.dark_current(light),
        _ => DarkCurrent::default(),
    };
    let mut flats: Vec<Group> = Vec::new();
    let (mut light_names, mut light_groups) = (BTreeMap::new(), BTreeMap::new());
    let sorted = stack_for_each_light(groups(&traits), &traits, &current);
    let of_groups: Vec<Finding> =
        sorted.iter().filter_map(|g| missing::of_group(g, &traits, &inventory.frames)).collect();
    let mut planner = Planner::new(inventory, shelf, keep);
    for group in sorted {
        match group.kind {
            FrameKind::Flat => flats.push(group),
            FrameKind::Light => {
                let name = group_name(group.kind, &group.traits, &mut light_names);
                light_groups.extend(group.members.iter().map(|&i| (i, name.clone())));
            }
            // Biases come first in the order of groups.
            FrameKind::Bias | FrameKind::Dark | FrameKind::DarkFlat => {
                planner.add_group(group, false);
            }
        }
    }
    for group in flats {
        planner.add_group(group, false);
    }
    let lights = (0..traits.len()).filter(|&i| traits[i].0 == FrameKind::Light);
    for index in lights {
        let group = light_groups.get(&index).cloned().unwrap_or_default();
        planner.add_light(FrameId::at(index), group, &traits[index].1);
    }
    let mut out = planner.finish();
    let doubtful = doubts::doubts(&out, inventory);
    out.findings.splice(..0, of_groups.into_iter().chain(doubtful));
    let paths = out.lights.iter().map(|l| inventory[l.frame].path.as_path());
    let names = product_names(paths);
    for (light, name) in out.lights.iter_mut().zip(names) {
        light.file_name = name;
    }
    out.stacks = stacks(&out, inventory, &traits, join_exposures);
    out
}
