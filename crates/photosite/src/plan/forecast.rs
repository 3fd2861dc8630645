//! What a plan will take of the machine, step by step, before anything is done.

use std::collections::{BTreeMap, BTreeSet};

use photosite_file::Access;
use photosite_pix::{FrameKind, Size};
use serde::{Deserialize, Serialize};

use super::{FEWEST_LIGHTS, LightId, LightPlan, MasterId, MasterPlan, Plan, StackPlan};
use crate::budget::{Budget, Need, budget};
use crate::calibrate::STRIP_PIXELS;
use crate::calibrate::flat_fit::rows_looked_at;
use crate::defects::FEWEST_FRAMES;
use crate::evidence::{GLANCE_SAMPLES, LOOKED_AT, READ_SAMPLES};
use crate::inventory::{Frame, FrameId, Inventory};
use crate::measure::{SURVEYED_BYTES, survey_bytes, surveyed_at_once};
use crate::params::Integration;
use crate::preview::{preview_bytes, preview_size};
use crate::product::{MEAN_SAMPLES, OWN_DARKS_ASKED, glance_bytes, looking_bytes};
use crate::register::TILE_ROWS;
use crate::stack::Stars;
use crate::succession::COMPARING_BYTES;

/// What a plan will take, before anything is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Forecast {
    /// Bytes read, by all steps together.
    pub read_bytes: u64,
    /// Bytes of masters, stacks, previews and calibrated lights.
    pub write_bytes: u64,
    /// Bytes of temporary disk space for packed frames, by the step that takes most.
    pub scratch_bytes: u64,
    /// Peak memory in bytes, of the step that takes most.
    pub memory_bytes: u64,
}

/// What one step takes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StepCost {
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub write_bytes: u64,
    /// Bytes of temporary disk space.
    pub scratch_bytes: u64,
    /// Peak memory in bytes.
    pub memory_bytes: u64,
    /// Seconds, about: on two cores, from a warm page cache.
    pub seconds: f64,
}

/// Masters that the page shows: it is no archive.
pub const MASTERS_SHOWN: usize = 24;

/// Bytes a pixel of a product: samples, variance, mask.
const PRODUCT_BYTES: u64 = 4 + 4 + 2;

/// Bytes a pixel of samples and mask in memory.
const SAMPLES_BYTES: u64 = 4 + 2;

/// Headers and tables of a product.
const PRODUCT_HEAD: u64 = 20 << 10;

/// What the process takes whatever it does; measured.
const PROCESS_BYTES: u64 = 18_000_000;

/// Bytes that unpacking a frame to disk takes: a strip of samples, and as it is written.
const UNPACKING_BYTES: u64 = 2 * (4 << 20);

/// Bytes a pixel of a tile besides its samples: what is combined, and the raw bytes of one row.
const TILE_BYTES: u64 = 14 + 8;

/// Bytes a pixel that entering a master into the library takes: it is loaded, its samples are copied,
/// and some are put in order.
const KEEPING_BYTES: u64 = PRODUCT_BYTES + 4 + 1;

/// Rows beyond a tile that interpolation and repairs read.
const HALO_ROWS: u64 = 12;

/// Rows beyond a tile, on either side, in which its stars are looked for: those of a star 4 pixels
/// wide.
const REACH_ROWS: usize = 3;

/// Bytes a pixel of a defect map: bits and scores.
const MAP_BYTES: u64 = 2 + 2;

/// Fewest frames that are compared with each other.
const FEWEST_COMPARED: u64 = 2;

/// Bytes a sample of a preview: noise is hardly packed.
const PREVIEW_BYTES: f64 = 0.8;

/// Bytes that are read, decoded and combined in a second; measured on two cores.
const BYTES_A_SECOND: f64 = 6e8;

/// What a forecast reckons with.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Means {
    /// Threads.
    pub threads: usize,
    /// Memory that stacking may take, in bytes.
    pub memory_bytes: u64,
    /// Files that may be open at once.
    pub open_files: usize,
    /// Lights are stacked.
    pub stack: bool,
    /// How.
    pub how: Integration,
    /// All calibrated lights are kept, in pictures or not.
    pub keep_calibrated: bool,
    /// Lights on the pixels of their picture are kept.
    pub keep_registered: bool,
    /// Samples of calibrated lights are stored in 16 bits.
    pub sixteen_bits: bool,
    /// Lights get a defect map of their darks, where these are enough.
    pub own_map: bool,
    /// New masters are copied into a library.
    pub library: bool,
    /// There are masters in it, with which new ones are compared.
    pub predecessors: bool,
}

/// Forecasts one plan.
pub struct Forecaster<'a> {
    plan: &'a Plan,
    inventory: &'a Inventory,
    means: Means,
}

impl<'a> Forecaster<'a> {
    /// For a plan and the frames that it speaks of.
    pub fn new(plan: &'a Plan, inventory: &'a Inventory, means: Means) -> Self {
        Self { plan, inventory, means }
    }

    /// All steps together.
    pub fn total(&self) -> Forecast {
        let masters = self.plan.masters.iter().map(|m| self.master(m));
        let stacks = self.stacked().map(|(plan, _)| self.stack(plan));
        let lights = self.kept_lights().map(|l| self.light(l));
        let mut out = Forecast { memory_bytes: PROCESS_BYTES, ..Forecast::default() };
        let before = [self.identify(), self.defect_maps(), self.darks(), self.flats()];
        let after = std::iter::once(self.page());
        for step in before.into_iter().chain(masters).chain(stacks).chain(lights).chain(after) {
            out.read_bytes += step.read_bytes;
            out.write_bytes += step.write_bytes;
            out.scratch_bytes = out.scratch_bytes.max(step.scratch_bytes);
            out.memory_bytes = out.memory_bytes.max(step.memory_bytes);
        }
        out
    }

    /// Showing masters in the page.
    fn page(&self) -> StepCost {
        let shown = self.plan.masters.iter().take(MASTERS_SHOWN);
        let pixels = shown.map(|master| self.region_pixels(master));
        let (all, largest) = pixels.fold((0, 0u64), |(all, most), n| (all + n, most.max(n)));
        StepCost { memory_bytes: PROCESS_BYTES + 4 * largest, ..cost(4 * all, 0) }
    }

    /// Reading every frame through to know it by its content, after a glance at some of each kind.
    pub fn identify(&self) -> StepCost {
        let whole: u64 = self.inventory.frames.iter().map(|f| f.file_bytes).sum();
        let glances: u64 = FrameKind::ALL
            .into_iter()
            .flat_map(|kind| {
                let of_kind = self.inventory.frames.iter().filter(move |f| f.kind == kind);
                of_kind.take(LOOKED_AT)
            })
            .map(|f| {
                let pixels = f.size.pixels().max(1) as u64;
                f.file_bytes * pixels.min(GLANCE_SAMPLES as u64) / pixels
            })
            .sum();
        let read_bytes = whole + glances;
        StepCost { memory_bytes: PROCESS_BYTES, ..cost(read_bytes, 0) }
    }

    /// Looking at the darks that lights take for the map of their set-up, and writing it.
    pub fn defect_maps(&self) -> StepCost {
        let darks: BTreeSet<MasterId> = self.plan.lights.iter().filter_map(|l| l.dark).collect();
        let darks = darks.into_iter().map(|id| &self.plan[id]);
        let mut out = StepCost { memory_bytes: PROCESS_BYTES, ..cost(0, 0) };
        for dark in darks.filter(|m| self.means.own_map && m.frames.len() >= FEWEST_FRAMES) {
            let pixels = self.region_pixels(dark);
            let frames = dark.frames.iter().map(|id| self.frame(*id).file_bytes).sum::<u64>();
            // A map is read once more for its hash.
            let map = pixels * MAP_BYTES + PRODUCT_HEAD;
            let (planes, each) = looking_bytes(dark.traits.size, dark.frames.len());
            let workers = self.means.memory_bytes.saturating_sub(planes) / each.max(1);
            let workers = workers.clamp(1, self.means.threads as u64);
            out.read_bytes += frames + map;
            out.write_bytes += map;
            out.memory_bytes = out.memory_bytes.max(PROCESS_BYTES + planes + workers * each);
        }
        out
    }

    /// Fitting darks to the lights that none matches: dark, bias and one dark to compare with stay in memory,
    /// and a light a thread.
    pub fn darks(&self) -> StepCost {
        let lights = || self.plan.lights.iter().filter(|l| l.scaled.is_some());
        let asked = self.own_darks();
        let Some(first) = lights().next() else {
            return StepCost { memory_bytes: PROCESS_BYTES, ..cost(asked, 0) };
        };
        let pixels = self.frame(first.frame).detector.active.size().pixels() as u64;
        let fitted: BTreeSet<(MasterId, MasterId)> =
            lights().filter_map(|l| l.dark.zip(l.bias)).collect();
        // Each once for its hash; darks at hand are compared with it.
        let darks = self.plan.masters.iter().filter(|m| m.kind == FrameKind::Dark).count() as u64;
        let masters = fitted.len() as u64 * (1 + darks);
        let read_bytes = asked
            + lights().map(|l| self.frame(l.frame).file_bytes).sum::<u64>()
            + masters * 2 * (pixels * PRODUCT_BYTES + PRODUCT_HEAD);
        let others = if darks > fitted.len() as u64 { 1 } else { 0 };
        let at_once = self.means.threads.min(lights().count()) as u64;
        let each = pixels * (4 + stored_bytes(self.frame(first.frame)));
        let in_memory = (2 + others) * pixels * PRODUCT_BYTES + at_once * each;
        StepCost { memory_bytes: PROCESS_BYTES + in_memory, ..cost(read_bytes, 0) }
    }

    /// Bytes that are read to hold the lights' own darks against some of them: strips of both.
    fn own_darks(&self) -> u64 {
        let own = self.plan.lights.iter().filter(|l| l.scaled.is_none());
        let mut groups: BTreeMap<(MasterId, Option<MasterId>, &str), (u64, &Frame)> =
            BTreeMap::new();
        for light in own {
            if let Some(dark) = light.dark {
                let key = (dark, light.bias, light.group.as_str());
                groups.entry(key).or_insert((0, self.frame(light.frame))).0 += 1;
            }
        }
        let strip = |frame: &Frame| {
            let pixels = frame.detector.active.size().pixels().max(1) as u64;
            (pixels.min(STRIP_PIXELS as u64), pixels)
        };
        let pairs: BTreeMap<(MasterId, Option<MasterId>), &Frame> =
            groups.iter().map(|((dark, bias, _), (_, frame))| ((*dark, *bias), *frame)).collect();
        let masters = pairs.into_iter().map(|((_, bias), frame)| {
            strip(frame).0 * SAMPLES_BYTES * (1 + u64::from(bias.is_some()))
        });
        let lights = groups.into_values().map(|(count, frame)| {
            let (part, whole) = strip(frame);
            let part = if frame.access == Access::Whole { whole } else { part };
            count.min(OWN_DARKS_ASKED as u64) * frame.file_bytes * part / whole
        });
        masters.sum::<u64>() + lights.sum::<u64>()
    }

    /// Holding flats against some rows of each light.
    pub fn flats(&self) -> StepCost {
        let lights = self.plan.lights.iter().filter(|l| l.flat.is_some());
        let (mut read_bytes, mut masters) = (0, BTreeSet::new());
        for light in lights {
            let frame = self.frame(light.frame);
            let share = match frame.access {
                Access::Whole => 1.0,
                Access::Rows => rows_looked_at(frame.detector.active.size()),
            };
            read_bytes += (frame.file_bytes as f64 * share) as u64;
            masters.extend(self.masters_of_light(light));
        }
        for master in masters.into_iter().map(|m| &self.plan[m]) {
            read_bytes += match master.kind {
                FrameKind::Flat => {
                    let size = master.traits.size;
                    let bytes = (size.pixels() as u64 * SAMPLES_BYTES) as f64;
                    (bytes * rows_looked_at(size)) as u64
                }
                // The others stay in memory for the stacks.
                _ if self.means.stack => 0,
                _ => self.loaded(master),
            };
        }
        StepCost { memory_bytes: PROCESS_BYTES, ..cost(read_bytes, 0) }
    }

    /// The stacks that will be made, those of each target together, with their targets' number.
    pub fn stacked(&self) -> impl Iterator<Item = (&'a StackPlan, usize)> + '_ {
        let targets = self.plan.stacks.iter().enumerate().filter(|_| self.means.stack);
        let plans = targets.flat_map(|(i, plans)| plans.iter().map(move |plan| (plan, i)));
        plans.filter(|(plan, _)| plan.lights.len() >= FEWEST_LIGHTS)
    }

    /// The lights that will be written as calibrated files.
    pub fn kept_lights(&self) -> impl Iterator<Item = &'a LightPlan> + '_ {
        let stacked: BTreeSet<LightId> =
            self.stacked().flat_map(|(plan, _)| plan.lights.iter().copied()).collect();
        let all = self.means.keep_calibrated;
        let lights = self.plan.named_lights();
        lights.filter(move |(id, _)| all || !stacked.contains(id)).map(|(_, light)| light)
    }

    fn frame(&self, id: FrameId) -> &'a Frame {
        &self.inventory[id]
    }

    fn need(&self, frames: &[FrameId], size: Size) -> Need {
        let packed = |id: &&FrameId| self.frame(**id).access == Access::Whole;
        Need {
            frames: frames.len(),
            size,
            planes: 1,
            coverage: false,
            guides: 0,
            packed: frames.iter().filter(packed).count(),
            maps: false,
            least_rows: 1,
            worker_bytes: 0,
            threads: self.means.threads,
            memory_bytes: self.means.memory_bytes,
            open_files: self.means.open_files,
        }
    }

    /// How a master is stacked; `None` for one of the library.
    pub fn master_budget(&self, master: &MasterPlan) -> Option<Result<Budget, u64>> {
        if master.ready.is_some() || master.frames.is_empty() {
            return None;
        }
        let size = self.frame(master.frames[0]).detector.active.size();
        Some(budget(self.need(&master.frames, size)).map_err(|t| t.needed_bytes))
    }

    /// What making a master takes.
    pub fn master(&self, master: &MasterPlan) -> StepCost {
        let pixels = |id: FrameId| self.frame(id).detector.active.size().pixels() as u64;
        let product = |pixels: u64, inputs: usize| {
            pixels * PRODUCT_BYTES + PRODUCT_HEAD + 300 * inputs as u64
        };
        let (whole, bytes) = match (&master.ready, master.frames.first()) {
            (None, Some(&first)) => {
                let read: u64 = master.frames.iter().map(|i| self.frame(*i).file_bytes).sum();
                (pixels(first), read)
            }
            // One of the library is copied, and read for its description.
            _ => {
                let pixels = master.traits.size.pixels() as u64;
                return cost(2 * product(pixels, 0) + 4 * pixels, product(pixels, 0));
            }
        };
        let mut read = bytes;
        let count = master.frames.len() as u64;
        let packed = self.need(&master.frames, Size::new(0, 0)).packed as u64;
        // Packed frames are read again where they were unpacked to.
        let sample = if packed > 0 { 4 } else { (bytes / (whole * count).max(1)).max(1) };
        if count >= FEWEST_COMPARED {
            read += count * sample * whole.min(READ_SAMPLES as u64);
        }
        if master.kind == FrameKind::Flat {
            read += count * sample * whole.min(MEAN_SAMPLES as u64);
        }
        if let Some((additive, _)) = master.additive {
            read += self.loaded(&self.plan[additive]);
        }
        if let Some(dark) = master.scaled_dark {
            // Fitted to the flats first, then subtracted.
            read += bytes + 2 * self.loaded(&self.plan[dark]);
        }
        read += 4 * packed * whole;
        let mut write = product(whole, master.frames.len());
        if self.means.library && !master.from_library {
            // A copy for the library, read for its hash and its level.
            read += 3 * write;
            write *= 2;
        }
        let budget = self.master_budget(master).and_then(Result::ok);
        let threads = self.means.threads as u64;
        let first = self.frame(master.frames[0]);
        // Numbers of 16 bits to which nothing is done stay what they are.
        let as_it_is = master.kind != FrameKind::Flat && master.additive.is_none();
        let sample = if as_it_is { stored_bytes(first).min(4) } else { 4 };
        let tiles = budget.map_or(0, |b| tile_bytes(&b, count * sample));
        let additive = if master.additive.is_some() { 4 * whole } else { 0 };
        let additive = match master.scaled_dark {
            // Bias and dark with their masks while the dark is fitted, and a flat on each thread.
            Some(_) => additive + (2 * PRODUCT_BYTES + 4 * threads) * whole,
            None => additive,
        };
        let unpacking = threads.min(packed) * (whole * stored_bytes(first) + UNPACKING_BYTES);
        let making =
            whole * PRODUCT_BYTES + tiles.max(2 * glance_bytes(first.detector.active.size()));
        let at_once = threads.min(self.plan.masters.len() as u64);
        let keeping = match self.means {
            Means { library: false, .. } => 0,
            Means { predecessors: true, .. } => COMPARING_BYTES,
            Means { .. } => KEEPING_BYTES,
        };
        let keeping = at_once * whole * keeping;
        StepCost {
            scratch_bytes: budget.map_or(0, |b| b.scratch_bytes),
            memory_bytes: PROCESS_BYTES + (additive + making.max(unpacking)).max(keeping),
            ..cost(read, write)
        }
    }

    /// Bytes that are read to have a master's samples and mask in memory: once for its hash.
    fn loaded(&self, master: &MasterPlan) -> u64 {
        let pixels = self.region_pixels(master);
        pixels * (PRODUCT_BYTES + SAMPLES_BYTES) + 2 * PRODUCT_HEAD
    }

    fn region_pixels(&self, master: &MasterPlan) -> u64 {
        let size = master.frames.first().map(|i| self.frame(*i).detector.active.size());
        size.unwrap_or(master.traits.size).pixels() as u64
    }

    /// The masters that calibrate some lights, each once.
    fn masters_of(&self, lights: &[LightId]) -> Vec<MasterId> {
        let mut all: Vec<MasterId> =
            lights.iter().flat_map(|i| self.masters_of_light(&self.plan[*i])).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn masters_of_light(&self, light: &LightPlan) -> impl Iterator<Item = MasterId> {
        // A dark that holds the bias takes it along.
        let dark = light.dark.filter(|_| light.scaled.is_none());
        let alone = dark.is_some_and(|d| !self.plan[d].traits.bias_removed);
        [light.bias.filter(|_| !alone), light.dark, light.flat].into_iter().flatten()
    }

    /// How a stack's lights are combined.
    pub fn stack_budget(&self, plan: &StackPlan) -> Result<Budget, u64> {
        let frames: Vec<FrameId> = plan.lights.iter().map(|id| self.plan[*id].frame).collect();
        let first = self.frame(frames[0]);
        let size = first.detector.active.size();
        let planes = if first.metadata.cfa.is_some() { 3 } else { 1 };
        let picture = self.means.how.picture_size(size);
        let need = Need {
            planes,
            coverage: self.means.how.drizzle.is_some(),
            guides: Stars::guides_of(frames.len()),
            packed: 0,
            least_rows: TILE_ROWS,
            worker_bytes: self.window_bytes(size, planes)
                + Stars::bytes(frames.len(), (picture.width, planes), (0, REACH_ROWS)),
            open_files: usize::MAX,
            ..self.need(&frames, picture)
        };
        budget(need).map_err(|t| t.needed_bytes)
    }

    /// The rows of a light that a tile needs, about, in bytes.
    fn window_bytes(&self, size: Size, planes: usize) -> u64 {
        let rows = (TILE_ROWS as u64 + HALO_ROWS).min(size.height as u64);
        rows * (size.width * planes) as u64 * 12
    }

    /// What a stack takes: its lights are looked over, then read tile by tile.
    pub fn stack(&self, plan: &StackPlan) -> StepCost {
        let frames: Vec<&Frame> =
            plan.lights.iter().map(|id| self.frame(self.plan[*id].frame)).collect();
        let size = frames[0].detector.active.size();
        let pixels = size.pixels() as u64;
        let planes = if frames[0].metadata.cfa.is_some() { 3 } else { 1 };
        let masters = self.masters_of(&plan.lights);
        let bytes: u64 = frames.iter().map(|f| f.file_bytes).sum();
        let packed: u64 =
            frames.iter().filter(|f| f.access == Access::Whole).map(|f| f.file_bytes).sum();
        let loaded: u64 = masters.iter().map(|m| self.loaded(&self.plan[*m])).sum();
        let budget = self.stack_budget(plan);
        let rows = budget.as_ref().map_or(TILE_ROWS as u64, |b| b.rows as u64);
        let picture = self.means.how.picture_size(size);
        let tiles = (picture.height as u64).div_ceil(rows.max(1));
        // Each tile but the first and the last reads a halo on both sides.
        let again =
            |bytes: u64| bytes + bytes * (tiles - 1) * HALO_ROWS / size.height.max(1) as u64;
        let unpacked =
            frames.iter().filter(|f| f.access == Access::Whole).count() as u64 * pixels * 4;
        // Guides are read beyond each tile for the sake of their stars.
        let guides = Stars::guides_of(frames.len()) as u64;
        let beyond = (tiles - 1) * 2 * REACH_ROWS as u64 * guides * (bytes - packed + unpacked)
            / (size.height * frames.len()).max(1) as u64;
        let read = bytes + loaded + again(bytes - packed) + packed + again(unpacked) + beyond;
        let preview = preview_size(picture).pixels() as f64 * planes as f64 * PREVIEW_BYTES;
        let laid = picture.pixels() as u64;
        let product = planes * laid * PRODUCT_BYTES + PRODUCT_HEAD + 300 * frames.len() as u64;
        let seen = frames.len() as u64 * SURVEYED_BYTES;
        let mut write = product + preview as u64 + seen;
        if self.means.keep_registered {
            write += frames.len() as u64 * (planes * pixels * SAMPLES_BYTES + PRODUCT_HEAD);
        }
        let in_memory: u64 =
            masters.iter().map(|m| self.region_pixels(&self.plan[*m]) * SAMPLES_BYTES).sum();
        let means = (self.means.threads.min(frames.len()), self.means.memory_bytes);
        let at_once = surveyed_at_once(survey_bytes(size, 1, true), means) as u64;
        let unpacking = if packed > 0 { pixels * stored_bytes(frames[0]) } else { 0 };
        let survey = at_once * (survey_bytes(size, 1, planes == 3) + unpacking);
        let result = planes * laid * PRODUCT_BYTES;
        let tiles = budget.map_or(0, |b| {
            let worker = self.window_bytes(size, planes as usize)
                + Stars::bytes(
                    frames.len(),
                    (picture.width, planes as usize),
                    (b.rows, REACH_ROWS),
                );
            planes * tile_bytes(&b, 4 * frames.len() as u64) + b.workers as u64 * worker
        });
        let stacking = result + tiles.max(preview_bytes(picture, planes as usize));
        let surveyed = frames.len() as u64 * SURVEYED_BYTES;
        StepCost {
            scratch_bytes: unpacked,
            memory_bytes: PROCESS_BYTES + in_memory + surveyed + stacking.max(survey),
            ..cost(read, write)
        }
    }

    /// What calibrating a light to a file takes.
    pub fn light(&self, light: &LightPlan) -> StepCost {
        let frame = self.frame(light.frame);
        let size = frame.detector.active.size();
        let pixels = size.pixels() as u64;
        let noise =
            frame.metadata.gain_e_per_adu.is_some() && frame.metadata.read_noise_e.is_some();
        let sample = if self.means.sixteen_bits { 2 } else { 4 };
        let write = pixels * (sample + 2 + if noise { 4 } else { 0 }) + PRODUCT_HEAD;
        let masters = [light.bias, light.dark, light.flat].into_iter().flatten();
        let in_memory: u64 =
            masters.map(|m| self.region_pixels(&self.plan[m]) * PRODUCT_BYTES).sum();
        let at_once = self.means.threads.min(self.plan.lights.len()) as u64;
        let packed = if frame.access == Access::Whole { stored_bytes(frame) } else { 0 };
        let planes = SAMPLES_BYTES + if noise { 4 } else { 0 };
        // The colours' levels lie apart, so that most samples are put in order for a median.
        let glances = if frame.metadata.cfa.is_some() { 3 } else { 2 };
        let each = pixels * (planes + packed) + glances * glance_bytes(size);
        StepCost {
            memory_bytes: PROCESS_BYTES + in_memory + at_once * each,
            ..cost(frame.file_bytes + self.share_of_masters(light), write)
        }
    }

    /// A light's share of reading the masters of its set-up once.
    fn share_of_masters(&self, light: &LightPlan) -> u64 {
        let set = [light.bias, light.dark, light.flat];
        let alike = self.kept_lights().filter(|l| [l.bias, l.dark, l.flat] == set).count() as u64;
        let masters = set.into_iter().flatten();
        let bytes = masters.map(|m| self.region_pixels(&self.plan[m]) * 2 * PRODUCT_BYTES);
        bytes.sum::<u64>() / alike.max(1)
    }

    /// The first product for which the memory allowed is too little, and what would do, in bytes.
    pub fn too_little(&self) -> Option<(String, u64)> {
        let masters = self.plan.masters.iter().filter_map(|m| {
            let needed = self.master_budget(m)?.err()?;
            Some((m.file_name.clone(), needed))
        });
        let stacks = self.stacked().filter_map(|(plan, _)| {
            let needed = self.stack_budget(plan).err()?;
            Some((plan.file_name(plan.lights.len()), needed))
        });
        masters.chain(stacks).max_by_key(|(_, needed)| *needed)
    }
}

/// Bytes a sample of a frame as its file has it, unpacked.
fn stored_bytes(frame: &Frame) -> u64 {
    frame.header.get_i64("BITPIX").map_or(4, |bits| bits.unsigned_abs() / 8)
}

/// Bytes of all tiles that are worked on at a time, where a pixel of all frames takes `samples`.
fn tile_bytes(budget: &Budget, samples: u64) -> u64 {
    (budget.workers * budget.columns * budget.rows) as u64 * (samples + TILE_BYTES)
}

fn cost(read_bytes: u64, write_bytes: u64) -> StepCost {
    let seconds = (read_bytes + 2 * write_bytes) as f64 / BYTES_A_SECOND;
    StepCost { read_bytes, write_bytes, seconds, ..StepCost::default() }
}
