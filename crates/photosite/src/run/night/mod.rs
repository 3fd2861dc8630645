//! A whole night: inventory, plan, masters, pictures, lights, report.

mod at_hand;
mod bent;
mod chosen;
mod darks;
mod extracted;
mod flats;
mod freed_flats;
mod instead;
mod lights;
mod lock;
mod long_flats;
mod mapped;
mod maps;
mod masters;
mod modelled;
mod notes;
mod outdated;
mod own_darks;
mod parted_flats;
mod stacks;
mod verdicts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_file::atomic::{Existing, remove_leftovers, write_bytes};

use self::chosen::foretell;
use self::darks::{fit_darks, planned_findings};
use self::extracted::stack_lines;
use self::lights::{Work, calibrate_lights};
use self::lock::Lock;
use self::maps::Maps;
use self::masters::{Making, build_masters, tell_unmade};
use self::notes::Notes;
use self::stacks::{Folders, stack_lights};
use self::verdicts::{below_zero, left_of_darks, patterns_of};
use super::account::{Account, Done, report};
use super::adopt::masters_among;
use super::earlier::Earlier;
use super::frames::{damaged, identified, take_inventory_without};
use super::identity::Remembered;
use super::keep::keep_masters;
use super::page::page_of;
use super::pairs::noise_by_pairs;
use super::planned::{AskedNight, PlannedNight};
use super::profiles::{
    linearity_by_profile, linearity_of_others, noise_by_profile, noise_by_settings,
};
use super::request::{DefectsChoice, NightOutcome, NightRequest};
use super::results::{
    DarkChoices, FlatChoices, LightResults, MadeDarks, MasterResults, Pictures, RawFrames, Results,
};
use crate::env::Stopwatch;
use crate::event::{Event, Stage};
use crate::finding::Severity;
use crate::inventory::{Id, Inventory};
use crate::library::{FEW_REFUSALS, Library, Shelf, Shelved};
use crate::plan::{
    FEWEST_LIGHTS, Forecaster, Graph, Grapher, LightId, MasterId, MasterPlan, Means, Plan, Share,
    plan_pictures, shooting_list,
};
use crate::product::Kept;
use crate::raw::{RawFrame, brought_to_adu, told_flags};
use crate::report::{self, LibraryReport};
use crate::work::{Context, on_each};
use crate::{Error, ErrorKind, Finding, Result, env};

/// Calibrates a night.
///
/// What fails is left out as far as the failure reaches: a frame, a group, a product. Only what stops
/// everything ends the run, and then [`NightOutcome::failure`] says so; the report is written all the
/// same. Products that are there already, whole and current, are not made again.
///
/// # Errors
/// When a path does not exist, a file that is not Photosite's stands where the report goes, another
/// run is at work in the same folder, or the report cannot be written.
pub fn run_night(request: &NightRequest, context: &Context<'_>) -> Result<NightOutcome> {
    run(request, None, context)
}

/// Calibrates a night as it was planned, into `output` where that is named.
///
/// # Errors
/// As [`run_night`], and when the same frames would now be planned otherwise; the message names the
/// product.
pub fn run_plan(
    planned: &PlannedNight,
    output: Option<&Path>,
    context: &Context<'_>,
) -> Result<NightOutcome> {
    run(&planned.asked.request(output)?, Some(&planned.graph), context)
}

fn run(
    request: &NightRequest,
    expected: Option<&Graph>,
    context: &Context<'_>,
) -> Result<NightOutcome> {
    let mut night = Night::begin(request, context)?;
    let kept = Kept::new(&request.output.join(".seen"));
    if request.graph || expected.is_some() {
        night.identify(0, &kept, context)?;
        let graph = night.graph(context);
        if let Some(difference) = expected.and_then(|e| e.difference(&graph)) {
            return Err(Error::parameters(format!(
                "the night is not as planned: {difference}; plan again with --dry-run --json"
            )));
        }
        night.graph = request.graph.then_some(graph);
    }
    if request.dry_run {
        let to_fit = planned_findings(&night.so_far.planned, &night.inventory);
        night.notes.extend(to_fit, context);
        let (table, told) = foretell(request, &night.so_far.planned, &night.inventory)?;
        night.pictures.table = table;
        night.notes.extend(told, context);
    }
    if request.dry_run || night.inventory.frames.is_empty() {
        let report = night.report(false, context);
        return Ok(NightOutcome { report, report_path: None, failure: None });
    }
    if let Some((product, needed)) = night.forecaster(context).too_little() {
        return Err(Error::memory(format!(
            "{product} cannot be made in {} MiB; allow --memory {}MiB or more",
            context.memory_bytes.div_ceil(1 << 20),
            needed.div_ceil(1 << 20)
        )));
    }
    let report_path = request.output.join("run.json");
    if report_path.symlink_metadata().is_ok() && !report::is_ours(&report_path) {
        return Err(Error::foreign(&report_path));
    }
    let _lock = Lock::take(&request.output)?;
    let failure = night.work(&kept, context).err();
    if let Some(e) = &failure {
        night.notes.add(Finding::of(e, request.output.display().to_string()), context);
    }
    night.timing.insert("total_s".to_owned(), night.watch.seconds());
    let mut report = night.report(true, context);
    // A page that cannot be written ends no run.
    let page_path = request.output.join("report.html");
    if let Err(e) = page_of(&report, &request.output, &page_path) {
        report.findings.push(Finding::of(&e, page_path.display().to_string()));
    }
    let json = serde_json::to_vec_pretty(&report)
        .map_err(|e| Error::bug(format!("the report could not be written as JSON: {e}")))?;
    match (write_bytes(&report_path, &json, Existing::Replace), failure) {
        // Why the run ended matters more than that this cannot be written either.
        (Err(_), Some(failure)) => Err(failure),
        (Err(e), None) => Err(Error::from(e).of_product()),
        (Ok(()), failure) => Ok(NightOutcome { report, report_path: Some(report_path), failure }),
    }
}

/// What decides how lights are calibrated, as far as it was decided.
struct SoFar<'a> {
    request: &'a NightRequest,
    planned: Plan,
    raw: RawFrames,
    masters: MasterResults,
    darks: DarkChoices,
    flats: FlatChoices,
    made: MadeDarks,
}

/// What a run meets where it writes.
struct AtHand<'a> {
    maps: Maps,
    earlier: Earlier,
    kept: &'a Kept,
    /// Where calibrated lights go.
    folder: PathBuf,
}

impl SoFar<'_> {
    fn work<'b>(&'b self, at_hand: &'b AtHand<'b>) -> Work<'b> {
        let Self { request, planned, raw, masters, darks, flats, made } = self;
        let AtHand { maps, earlier, kept, folder } = at_hand;
        Work { request, planned, raw, masters, darks, flats, made, maps, earlier, kept, folder }
    }
}

/// A night on its way: what was planned, and what was done so far.
struct Night<'a> {
    so_far: SoFar<'a>,
    inventory: Inventory,
    library: Option<Library>,
    /// Masters of other programs that lie among the frames.
    found: Vec<Shelved>,
    notes: Notes,
    lights: LightResults,
    pictures: Pictures,
    used: Option<LibraryReport>,
    graph: Option<Graph>,
    timing: BTreeMap<String, f64>,
    /// What files hold, until the next run is told.
    remembered: Option<Remembered>,
    watch: Stopwatch,
    lap: f64,
}

impl<'a> Night<'a> {
    /// Reads headers and plans.
    fn begin(request: &'a NightRequest, context: &Context<'_>) -> Result<Self> {
        let watch = Stopwatch::start();
        let except = Some(request.output.as_path());
        if let Some(path) = &request.reference {
            std::fs::metadata(path).map_err(|e| Error::io(path, "reading the reference", e))?;
        }
        request.how.check()?;
        let kinds = &request.overrides;
        let mut inventory =
            take_inventory_without(&request.paths, (except, &request.exclude), kinds, context)?;
        if let Some(noise) = request.noise {
            inventory.frames.iter_mut().for_each(|f| f.set_noise(noise, "given by hand"));
        }
        noise_by_settings(&mut inventory, &request.cameras);
        if let Some(library) = &request.library {
            noise_by_profile(&mut inventory, library);
            linearity_by_profile(&mut inventory, library);
        }
        let mut findings = std::mem::take(&mut inventory.findings);
        let library = open_library(request, &mut findings);
        let found = masters_among(&mut inventory, &mut findings, context)?;
        let join = request.join_exposures;
        let shelf = shelf_of(library.as_ref(), &found, &mut findings);
        let of_night = inventory.frames.len();
        let planned = plan_pictures(&mut inventory, shelf.as_ref(), FEW_REFUSALS, join);
        findings.extend(planned.findings.iter().cloned());
        linearity_of_others(&mut inventory, of_night);
        // After matching, whose costs are reckoned from what headers say: an assumed dark current beside a
        // measured read noise would decide against darks that pixels ask for.
        findings.extend(noise_by_pairs(&mut inventory, shelf.as_ref(), context)?);
        drop(shelf);
        for finding in &findings {
            context.observer.event(Event::Found(finding));
        }
        let (masters, lights) = (planned.masters.len(), planned.lights.len());
        let so_far = SoFar {
            request,
            planned,
            raw: Results::none(0),
            masters: Results::none(masters),
            darks: Results::none(lights),
            flats: Results::none(lights),
            made: MadeDarks::new(),
        };
        let mut night = Self {
            so_far,
            inventory,
            library,
            found,
            notes: Notes::new(findings),
            lights: Results::none(lights),
            pictures: Pictures::default(),
            used: None,
            graph: None,
            timing: BTreeMap::new(),
            remembered: None,
            watch,
            lap: 0.0,
        };
        night.lap("inventory");
        Ok(night)
    }

    /// Masters, pictures, lights.
    fn work(&mut self, kept: &Kept, context: &Context<'_>) -> Result<()> {
        let output = &self.so_far.request.output;
        let masters_dir = output.join("masters");
        let lights_dir = output.join("calibrated");
        let registered = output.join("registered");
        let keep = self.so_far.request.keep;
        let folders = Folders {
            stacks: output.join("stacks"),
            registered: keep.registered.then_some(registered.clone()),
        };
        for folder in
            [output, &masters_dir, &lights_dir, &registered, &folders.stacks, kept.folder()]
        {
            if folder.is_dir() {
                remove_leftovers(folder).map_err(|e| Error::from(e).of_product())?;
            }
        }
        context.observer.event(Event::Ahead(&self.ahead()));
        if self.so_far.raw.is_empty() {
            self.identify(0, kept, context)?;
        }
        if let Some(remembered) = self.remembered.take() {
            remembered.keep(kept);
        }
        self.lap("identify");
        let earlier = self.earlier(context)?;
        let (SoFar { planned, raw, masters, .. }, notes) = (&mut self.so_far, &mut self.notes);
        let all = (planned as &_, MasterId::at(0));
        build_masters(all, raw, &earlier.known, &masters_dir, masters, notes, context)?;
        let folder = masters_dir.as_path();
        let making = Making { known: &earlier.known, kept, folder };
        self.part_flats(making, context)?;
        self.replace_unmade(making, context)?;
        self.straighten_alike(making, context)?;
        self.move_darks(making, context)?;
        let SoFar { planned, raw, masters, .. } = &self.so_far;
        tell_unmade((planned, raw), masters, &mut self.notes, context);
        self.lap("masters");
        self.keep_masters(&earlier, context)?;
        let maps = self.defect_maps(&masters_dir, context)?;
        self.lap("defects");
        let at_hand = AtHand { maps, earlier, kept, folder: lights_dir };
        let making = Making { known: &at_hand.earlier.known, kept, folder };
        self.fit_darks(&at_hand, making, context)?;
        self.lap("darks");
        let mut sets = self.judge_flats(&at_hand, making, context)?;
        self.lap("flats");
        let (work, notes) = (self.so_far.work(&at_hand), &mut self.notes);
        if work.request.stack {
            let (lights, pictures) = (&mut self.lights, &mut self.pictures);
            stack_lights(work, &folders, lights, pictures, (&mut sets, notes), context)?;
        }
        drop(sets);
        self.lap("stacks");
        let (work, notes) = (self.so_far.work(&at_hand), &mut self.notes);
        let lights = &mut self.lights;
        // Lights that are in no picture are kept, and all where that is asked.
        let all = work.planned.named_lights().map(|(id, _)| id);
        let wanted: Vec<LightId> =
            all.filter(|id| keep.calibrated || lights[*id].is_none()).collect();
        calibrate_lights(work, &wanted, lights, notes, context)?;
        if let Some(what) = work.request.extract.filter(|_| work.request.stack) {
            let folder = work.request.output.join("extracted");
            let into = (folder.as_path(), &folders);
            stack_lines(work, into, what, lights, (&mut self.pictures, notes), context)?;
        }
        notes.extend(below_zero(work, lights), context);
        notes.extend(left_of_darks(work, lights), context);
        notes.extend(patterns_of(work, lights), context);
        self.lap("lights");
        Ok(())
    }

    /// Decides what is taken of darks that are not the lights' own, and makes darks by their models.
    fn fit_darks(
        &mut self,
        at_hand: &AtHand<'_>,
        making: Making<'_>,
        context: &Context<'_>,
    ) -> Result<()> {
        let contradicted = self.change_darks(at_hand, making, context)?;
        let mut darks = Results::none(self.so_far.planned.lights.len());
        let (work, notes) = (self.so_far.work(at_hand), &mut self.notes);
        let into = (contradicted, making.folder, notes);
        for made in fit_darks(work, &mut darks, into, context)? {
            let id = self.so_far.masters.push(made.master);
            self.so_far.made.extend(made.lights.into_iter().map(|light| (light, id)));
        }
        self.so_far.darks = darks;
        Ok(())
    }

    /// Units of work that lie ahead, about: what stands already is met on the way.
    fn ahead(&self) -> [(Stage, u64); 5] {
        let (SoFar { request, planned, .. }, inventory) = (&self.so_far, &self.inventory);
        let stacked = planned.stacks.iter().flatten().filter(|s| s.lights.len() >= FEWEST_LIGHTS);
        let stacked: usize = stacked.filter(|_| request.stack).map(|s| s.lights.len()).sum();
        let kept = if request.keep.calibrated {
            planned.lights.len()
        } else {
            planned.lights.len() - stacked
        };
        let of_masters = planned.masters.iter().map(|m| m.frames.len()).sum::<usize>();
        [
            (Stage::Identify, inventory.frames.len()),
            (Stage::Masters, of_masters),
            (Stage::Survey, stacked),
            (Stage::Stacking, stacked),
            (Stage::Lights, kept),
        ]
        .map(|(stage, units)| (stage, units as u64))
    }

    /// Knows the frames from the place `first` on by their content.
    fn identify(&mut self, first: usize, kept: &Kept, context: &Context<'_>) -> Result<()> {
        let frames = &self.inventory.frames[first..];
        if frames.is_empty() {
            return Ok(());
        }
        let total = frames.len() as u64;
        context.observer.event(Event::Started { stage: Stage::Identify, total });
        let remembered = Remembered::of(kept);
        let read = on_each(frames.len(), context, |i| {
            let raw = identified(&frames[i], |path| remembered.hash_and_damage(path));
            context.observer.event(Event::Advanced { by: 1, what: "identifying" });
            raw
        })?;
        context.observer.event(Event::Finished);
        self.remembered = Some(remembered);
        let notes = &mut self.notes;
        self.so_far.raw.extend(read.into_iter().zip(frames).map(|(raw, frame)| match raw {
            Ok(raw) => {
                let brought = raw.from_zero_to_one.then(|| brought_to_adu(&raw.path));
                notes.extend(brought.into_iter().chain(bordered(&raw)), context);
                notes.extend(damaged(&raw), context);
                notes.extend(told_flags(&raw), context);
                Some(raw)
            }
            Err(e) => {
                notes.failure(&e, &frame.path, context);
                None
            }
        }));
        Ok(())
    }

    /// What steps take.
    fn forecaster(&self, context: &Context<'_>) -> Forecaster<'_> {
        let (request, library) = (self.so_far.request, &self.library);
        let means = Means {
            threads: context.threads,
            memory_bytes: context.memory_bytes,
            open_files: env::open_file_limit(),
            stack: request.stack,
            how: request.how,
            keep_calibrated: request.keep.calibrated,
            keep_registered: request.keep.registered,
            sixteen_bits: request.sample != crate::params::Storage::F32,
            own_map: request.defects == DefectsChoice::Own,
            // A library that could not be opened takes nothing; a dry run makes none.
            library: request.library.is_some() && (request.dry_run || library.is_some()),
            predecessors: library.as_ref().is_some_and(|l| {
                l.list(None).is_ok_and(|entries| entries.iter().any(|e| e.is_master))
            }),
        };
        Forecaster::new(&self.so_far.planned, &self.inventory, means)
    }

    /// The plan as data.
    fn graph(&self, context: &Context<'_>) -> Graph {
        let frames = self.inventory.named().map(|(id, _)| id);
        let known =
            frames.filter_map(|id| self.so_far.raw[id].as_ref().map(|r| (id, (r.hash, r.mark))));
        let known = known.collect::<BTreeMap<_, _>>();
        let forecaster = self.forecaster(context);
        let how = self.so_far.request.how;
        let (plan, inventory) = (&self.so_far.planned, &self.inventory);
        Grapher { plan, inventory, known: &known, forecaster, how }.graph()
    }

    /// What earlier work knows; a library that cannot be read is done without.
    fn earlier(&mut self, context: &Context<'_>) -> Result<Earlier> {
        let report_path = self.so_far.request.output.join("run.json");
        Earlier::read(&report_path, self.library.as_ref()).or_else(|e| {
            self.notes.add(without_library(&e), context);
            self.library = None;
            Earlier::read(&report_path, None)
        })
    }

    /// Puts the masters that the library does not have into it.
    fn keep_masters(&mut self, earlier: &Earlier, context: &Context<'_>) -> Result<()> {
        let Some(library) = &mut self.library else { return Ok(()) };
        match keep_masters(
            library,
            &self.so_far.planned,
            &self.so_far.masters,
            &earlier.known,
            context,
        ) {
            Ok((added, changes)) => {
                changes.into_iter().for_each(|f| self.notes.add(f, context));
                let mut told = library_report(library, &self.so_far.planned, &self.so_far.masters);
                told.added = added;
                self.used = Some(told);
            }
            Err(e) if e.kind() == ErrorKind::Cancelled => return Err(e),
            Err(e) => self.notes.add(without_library(&e), context),
        }
        self.lap("library");
        Ok(())
    }

    /// The report of what was done, or would be.
    fn report(self, worked: bool, context: &Context<'_>) -> report::RunReport {
        let forecast = self.forecaster(context).total();
        let asked = AskedNight::of(self.so_far.request);
        let shelf = Shelf::of(self.library.as_ref(), &self.found).ok().flatten();
        let to_shoot = shooting_list(&self.inventory, shelf.as_ref(), Share::default()).shots;
        let library = match (&self.library, worked) {
            (Some(library), false) => {
                Some(library_report(library, &self.so_far.planned, &Results::none(0)))
            }
            _ => self.used,
        };
        let work = worked.then_some(Done {
            raw: &self.so_far.raw,
            masters: &self.so_far.masters,
            darks: &self.so_far.darks,
            flats: &self.so_far.flats,
            made: &self.so_far.made,
            lights: &self.lights,
        });
        let account = Account {
            forecast,
            asked: worked.then(|| asked.clone()),
            plan: self.graph.map(|graph| PlannedNight { asked, graph }),
            inventory: &self.inventory,
            planned: &self.so_far.planned,
            work,
            pictures: self.pictures,
            library,
            findings: self.notes.into_findings(),
            to_shoot,
            timing: self.timing,
        };
        report(self.so_far.request, account)
    }

    fn lap(&mut self, stage: &str) {
        let now = self.watch.seconds();
        self.timing.insert(format!("{stage}_s"), now - self.lap);
        self.lap = now;
    }
}

/// That the edge of a light was filled up with zeros.
fn bordered(raw: &RawFrame) -> Option<Finding> {
    let message = "its edge is filled up with zeros, as programs do that move or crop a frame, or copy a part of it: \
                   zeros count for no samples (NO_DATA)";
    let subject = raw.path.display().to_string();
    raw.zero_is_missing.then(|| {
        Finding::new("border-of-zeros", Severity::Warning, subject, message).hint(
            "Give the frame as the camera wrote it: darks and flats fit no frame that was moved.",
        )
    })
}

/// Opens the library that was asked for; one that cannot be opened becomes a Finding. A dry run
/// makes none.
fn open_library(request: &NightRequest, findings: &mut Vec<Finding>) -> Option<Library> {
    let folder = request.library.as_deref()?;
    if request.dry_run && !folder.exists() {
        return None;
    }
    Library::open(folder).map_err(|e| findings.push(without_library(&e))).ok()
}

fn without_library(e: &Error) -> Finding {
    Finding::new(
        "library-unusable",
        Severity::Warning,
        "library",
        format!("{e}; the night is calibrated without the library"),
    )
    .hint("Use --no-library to work without it, or --library PATH for another.")
}

/// What the library and the night's own masters offer; where the library cannot be read, the latter alone.
fn shelf_of<'a>(
    library: Option<&'a Library>,
    found: &[Shelved],
    findings: &mut Vec<Finding>,
) -> Option<Shelf<'a>> {
    Shelf::of(library, found).unwrap_or_else(|e| {
        findings.push(without_library(&e));
        Shelf::of(None, found).ok().flatten()
    })
}

/// What the library gave.
fn library_report(library: &Library, planned: &Plan, results: &MasterResults) -> LibraryReport {
    let taken = |(id, m): (MasterId, &MasterPlan)| {
        let from_library = match results.get(id) {
            Some(result) => result.as_ref().is_some_and(|r| r.from_library),
            None => m.ready.is_some(),
        };
        from_library.then(|| m.file_name.clone())
    };
    LibraryReport {
        path: library.folder().to_owned(),
        added: Vec::new(),
        reused: planned.named_masters().filter_map(taken).collect(),
    }
}
