//! A whole night: inventory, plan, masters, lights, account.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use photosite_file::atomic::{Existing, remove_leftovers, write_bytes};
use photosite_file::fits::Sample;
use photosite_pix::FrameKind;
use photosite_pix::unit::NoiseModel;

use super::account::{Account, report};
use super::keep::keep_masters;
use super::lights::BiasChoice;
use super::masters::work_units;
use super::{
    AdditivePart, Context, Earlier, LightRequest, LightResult, MasterRequest, MasterResult,
    Masters, build_master, calibrate_light, for_each, left_out, load_master, raw_frame,
    take_inventory, take_master,
};
use crate::calibrate::DarkScaling;
use crate::env::Stopwatch;
use crate::event::{Event, Stage};
use crate::finding::Severity;
use crate::inventory::{Inventory, KindOverrides};
use crate::library::{FEW_REFUSALS, Library};
use crate::plan::{LightPlan, MasterPlan, Plan, plan};
use crate::raw::RawFrame;
use crate::report::{LibraryReport, RunReport};
use crate::stack::ReadBuffers;
use crate::{Error, ErrorKind, Finding, Result};

/// A night to be calibrated.
#[derive(Debug, Clone)]
pub struct NightRequest {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Kinds given by hand.
    pub overrides: KindOverrides,
    /// The folder of products.
    pub output: PathBuf,
    /// Plan only; write nothing.
    pub dry_run: bool,
    /// Gain and read noise, where the headers' are to be overruled.
    pub noise: Option<NoiseModel>,
    /// How calibrated lights are stored.
    pub sample: Sample,
    /// The folder of the library; `None` for none.
    pub library: Option<PathBuf>,
}

/// What came of a night.
#[derive(Debug)]
pub struct NightOutcome {
    /// The account.
    pub report: RunReport,
    /// Where it was written; `None` for a dry run, and where no frame was found.
    pub report_path: Option<PathBuf>,
}

impl NightOutcome {
    /// True when there was nothing to do: no frame was found that can be used.
    pub fn found_nothing(&self) -> bool {
        !self.report.frames.iter().any(|f| f.used)
    }

    /// True when frames were left out or a finding is an error.
    pub fn wants_attention(&self) -> bool {
        self.report.worst() == Some(Severity::Error)
    }
}

/// Calibrates a night.
///
/// A frame that is no good becomes a Finding and is left out; only what stops everything is an
/// error. Products that are there already, whole and current, are not made again.
///
/// # Errors
/// When a path does not exist, a product cannot be written or would overwrite a file that is not
/// Photosite's, another run is at work in the same folder, or the work is cancelled.
pub fn run_night(request: &NightRequest, context: &Context<'_>) -> Result<NightOutcome> {
    let watch = Stopwatch::start();
    let mut night = Night { timing: BTreeMap::new(), watch, lap: 0.0 };
    let except = Some(request.output.as_path());
    let mut inventory = take_inventory(&request.paths, except, &request.overrides, context)?;
    let mut findings = std::mem::take(&mut inventory.findings);
    let mut library = open_library(request, &mut findings);
    let planned = plan_with(&mut inventory, library.as_ref(), &mut findings);
    for finding in &findings {
        context.observer.event(Event::Found(finding));
    }
    night.lap("inventory");
    let masters_dir = request.output.join("masters");
    let lights_dir = request.output.join("calibrated");
    if request.dry_run || inventory.frames.is_empty() {
        let account = Account {
            inventory: &inventory,
            planned: &planned,
            work: None,
            library: library.as_ref().map(|l| library_report(l, &planned, &[])),
            findings,
            timing: night.timing,
        };
        let report = report(request, account, context);
        return Ok(NightOutcome { report, report_path: None });
    }
    let _lock = Lock::take(&request.output)?;
    for folder in [&request.output, &masters_dir, &lights_dir] {
        if folder.is_dir() {
            remove_leftovers(folder)?;
        }
    }
    let raw = identify(&inventory, &mut findings, context)?;
    night.lap("identify");
    let report_path = request.output.join("run.json");
    let earlier = match Earlier::read(&report_path, library.as_ref()) {
        Ok(earlier) => earlier,
        Err(e) => {
            note(without_library(&e), &mut findings, context);
            library = None;
            Earlier::read(&report_path, None)?
        }
    };
    let masters = build_masters(&planned, &raw, &earlier, &masters_dir, &mut findings, context)?;
    night.lap("masters");
    let mut used = None;
    if let Some(library) = &mut library {
        match keep_masters(library, &planned, &masters, &earlier, context) {
            Ok((added, changes)) => {
                changes.into_iter().for_each(|f| note(f, &mut findings, context));
                let mut told = library_report(library, &planned, &masters);
                told.added = added;
                used = Some(told);
            }
            Err(e) if e.kind() == ErrorKind::Cancelled => return Err(e),
            Err(e) => note(without_library(&e), &mut findings, context),
        }
        night.lap("library");
    }
    let work = Work { masters: &masters, earlier: &earlier, folder: &lights_dir };
    let lights = calibrate_lights(request, &planned, &raw, work, &mut findings, context)?;
    night.lap("lights");
    night.timing.insert("total_s".to_owned(), night.watch.seconds());
    let account = Account {
        inventory: &inventory,
        planned: &planned,
        work: Some((raw, masters, lights)),
        library: used,
        findings,
        timing: night.timing,
    };
    let report = report(request, account, context);
    let json = serde_json::to_vec_pretty(&report)
        .map_err(|e| Error::request(format!("the report could not be written as JSON: {e}")))?;
    write_bytes(&report_path, &json, Existing::Replace)?;
    Ok(NightOutcome { report, report_path: Some(report_path) })
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
    .hint("Use --no-library to do without it, or --library PATH for another.")
}

/// Plans with what the library offers; where it cannot be read, without.
fn plan_with(
    inventory: &mut Inventory,
    library: Option<&Library>,
    findings: &mut Vec<Finding>,
) -> Plan {
    let shelf =
        library.and_then(|l| l.shelf().map_err(|e| findings.push(without_library(&e))).ok());
    let planned = plan(inventory, shelf.as_ref(), FEW_REFUSALS);
    findings.extend(planned.findings.iter().cloned());
    planned
}

/// What the library gave.
fn library_report(
    library: &Library,
    planned: &Plan,
    results: &[Option<MasterResult>],
) -> LibraryReport {
    let taken = |(i, m): (usize, &MasterPlan)| {
        let from_library = match results.get(i) {
            Some(result) => result.as_ref().is_some_and(|r| r.from_library),
            None => m.ready.is_some(),
        };
        from_library.then(|| m.file_name.clone())
    };
    LibraryReport {
        path: library.folder().to_owned(),
        added: Vec::new(),
        reused: planned.masters.iter().enumerate().filter_map(taken).collect(),
    }
}

/// Tells of a Finding and keeps it.
fn note(finding: Finding, findings: &mut Vec<Finding>, context: &Context<'_>) {
    context.observer.event(Event::Found(&finding));
    findings.push(finding);
}

struct Night {
    timing: BTreeMap<String, f64>,
    watch: Stopwatch,
    lap: f64,
}

impl Night {
    fn lap(&mut self, stage: &str) {
        let now = self.watch.seconds();
        self.timing.insert(format!("{stage}_s"), now - self.lap);
        self.lap = now;
    }
}

/// Keeps a second run out of the same folder, while it is held.
struct Lock {
    path: PathBuf,
    _file: std::fs::File,
}

impl Lock {
    fn take(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::io(folder, "making the folder of products", e))?;
        let path = folder.join(".photosite.lock");
        loop {
            let Some(file) = Self::locked(&path)? else {
                return Err(Error::request(format!(
                    "another run is at work in {}; wait for it, or name another folder with -o",
                    folder.display()
                )));
            };
            // A run that ended between opening and locking has removed the file, and what is locked
            // is seen by nobody. It is seen where it cannot be locked again.
            if Self::locked(&path)?.is_none() {
                return Ok(Self { path, _file: file });
            }
        }
    }

    /// The lock file, locked; `None` where it is locked already.
    fn locked(path: &Path) -> Result<Option<std::fs::File>> {
        let file =
            std::fs::File::create(path).map_err(|e| Error::io(path, "making the lock file", e))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(Error::io(path, "locking the folder", e)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What stays is an empty file; a later run locks it just the same.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A raw frame for each frame of the inventory; `None` where it could not be read.
pub(super) type RawFrames = Vec<Option<RawFrame>>;

/// A result for each planned light; `None` where there is none.
pub(super) type LightResults = Vec<Option<LightResult>>;

/// A result for each planned master; `None` where it could not be made.
pub(super) type MasterResults = Vec<Option<MasterResult>>;

fn identify(
    inventory: &Inventory,
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<RawFrames> {
    let frames = &inventory.frames;
    let total = frames.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Identify, total });
    let slots: Vec<Mutex<Option<Result<RawFrame>>>> =
        frames.iter().map(|_| Mutex::new(None)).collect();
    for_each(
        frames.len(),
        context,
        || (),
        |(), i| {
            *slots[i].lock().expect("no holder panics") = Some(raw_frame(&frames[i]));
            context.observer.event(Event::Advanced { by: 1, what: "identifying" });
            Ok(())
        },
    )?;
    context.observer.event(Event::Finished);
    let mut out = Vec::with_capacity(frames.len());
    for slot in slots {
        match slot.into_inner().expect("no holder panics").expect("every index was visited") {
            Ok(raw) => out.push(Some(raw)),
            Err(e) => {
                note_failure(&e, findings, context);
                out.push(None);
            }
        }
    }
    Ok(out)
}

/// A frame that failed, as a Finding.
fn note_failure(e: &Error, findings: &mut Vec<Finding>, context: &Context<'_>) {
    let finding = match e.file() {
        Some(f) => left_out(f.path(), f),
        None => Finding::new("frame-failed", Severity::Error, "", e.to_string()),
    };
    note(finding, findings, context);
}

fn build_masters(
    planned: &Plan,
    raw: &[Option<RawFrame>],
    earlier: &Earlier,
    folder: &Path,
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<MasterResults> {
    let members = |m: &MasterPlan| -> Vec<&RawFrame> {
        m.frames.iter().filter_map(|&i| raw[i].as_ref()).collect()
    };
    let total = planned.masters.iter().map(|m| work_units(m.kind, &members(m))).sum();
    context.observer.event(Event::Started { stage: Stage::Masters, total });
    let mut results: MasterResults = Vec::with_capacity(planned.masters.len());
    for master in &planned.masters {
        context.cancel.check()?;
        let additive = match master.additive {
            None => AdditivePart::Keep,
            Some((i, by)) => match &results[i] {
                Some(r) => AdditivePart::Master(r.path.clone(), by),
                None => {
                    results.push(None);
                    continue;
                }
            },
        };
        let path = folder.join(&master.file_name);
        if let Some(ready) = &master.ready {
            // A master of the library that cannot be read is as if it were not there.
            match take_master(master.kind, &ready.path, &path, earlier, context) {
                Ok(result) => results.push(Some(result)),
                Err(e) if e.file().is_some_and(|f| f.path() == ready.path) => {
                    note_failure(&e, findings, context);
                    results.push(None);
                }
                Err(e) => return Err(e),
            }
            continue;
        }
        let request = MasterRequest {
            kind: master.kind,
            frames: members(master),
            additive,
            zero_adu: master.zero.and_then(|i| results[i].as_ref()).map(|r| r.stats.median),
            recipe: master.recipe,
            maps: false,
            path: &path,
            earlier,
        };
        if request.frames.is_empty() {
            results.push(None);
            continue;
        }
        let result = build_master(&request, context)?;
        for (_, e) in &result.left_out {
            note_failure(e, findings, context);
        }
        let more =
            [noise_finding(&result), black_level_finding(&request, &result), result.weak_colour()];
        more.into_iter().flatten().for_each(|f| note(f, findings, context));
        results.push(Some(result));
    }
    context.observer.event(Event::Finished);
    Ok(results)
}

/// How far below the bias a dark must lie to be called darker, in ADU: masters know their level
/// better than that.
const DARKER_ADU: f64 = 0.5;

/// A Finding where a dark is darker than the bias of its set-up.
fn black_level_finding(request: &MasterRequest<'_>, dark: &MasterResult) -> Option<Finding> {
    let bias_adu = request.zero_adu?;
    let dark_adu = dark.stats.median;
    (dark_adu < bias_adu - DARKER_ADU).then(|| {
        Finding::new(
            "black-level-corrected",
            Severity::Info,
            dark.path.display().to_string(),
            format!(
                "this dark ({dark_adu:.1} ADU) is darker than the bias ({bias_adu:.1} ADU): the \
                 sensor corrects its own black level, so its darks fit lights of their own \
                 exposure and temperature only"
            ),
        )
        .with("dark_adu", dark_adu)
        .with("bias_adu", bias_adu)
    })
}

/// Fewest frames whose scatter is trusted against a noise model.
const FEWEST_FOR_NOISE: usize = 5;

/// A Finding where the frames scatter otherwise than gain and read noise foretell.
fn noise_finding(master: &MasterResult) -> Option<Finding> {
    let noise = master.noise.filter(|n| !n.agrees())?;
    if master.inputs.len() < FEWEST_FOR_NOISE {
        return None;
    }
    let is_dark = matches!(master.kind, FrameKind::Dark | FrameKind::DarkFlat);
    let hint = if noise.ratio() > 1.0 && is_dark {
        "The sensor may correct its own black level and so hide dark electrons, light may leak in, \
         or the gain or read noise in the headers may be wrong."
    } else if noise.ratio() > 1.0 {
        "The level may drift from frame to frame, light may leak in, or the gain or read noise in \
         the headers may be wrong."
    } else {
        "The gain or read noise in the headers may be wrong, or the frames may have been smoothed."
    };
    Some(
        Finding::new(
            "noise-not-as-modelled",
            if is_dark { Severity::Info } else { Severity::Warning },
            master.path.display().to_string(),
            format!(
                "one frame scatters by {:.2} ADU, gain and read noise foretell {:.2} ADU",
                noise.scatter_adu, noise.model_adu
            ),
        )
        .hint(hint)
        .with("scatter_adu", noise.scatter_adu)
        .with("model_adu", noise.model_adu)
        .with("ratio", noise.ratio()),
    )
}

/// What lights are calibrated with, and where to.
#[derive(Clone, Copy)]
struct Work<'a> {
    masters: &'a [Option<MasterResult>],
    earlier: &'a Earlier,
    folder: &'a Path,
}

fn calibrate_lights(
    request: &NightRequest,
    planned: &Plan,
    raw: &[Option<RawFrame>],
    Work { masters, earlier, folder }: Work<'_>,
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<LightResults> {
    let total = planned.lights.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Lights, total });
    // Lights of one set of masters together, so that only one set is in memory.
    let mut by_set: BTreeMap<[Option<usize>; 3], Vec<usize>> = BTreeMap::new();
    for (i, light) in planned.lights.iter().enumerate() {
        by_set.entry([light.bias, light.dark, light.flat]).or_default().push(i);
    }
    let slots: Vec<Mutex<Option<Result<LightResult>>>> =
        planned.lights.iter().map(|_| Mutex::new(None)).collect();
    for ([bias, dark, flat], members) in by_set {
        let load = |i: Option<usize>| {
            i.and_then(|i| masters[i].as_ref()).map(|m| load_master(&m.path)).transpose()
        };
        let bias = load(bias)?.map(|m| BiasChoice::Master(Box::new(m)));
        let set = Masters::new(bias, load(dark)?, load(flat)?, DarkScaling::None)?;
        for_each(members.len(), context, ReadBuffers::default, |buffers, n| {
            let i = members[n];
            let light: &LightPlan = &planned.lights[i];
            if let Some(raw) = &raw[light.frame] {
                let path = folder.join(&light.file_name);
                let request = LightRequest {
                    raw,
                    masters: &set,
                    noise: request.noise,
                    sample: request.sample,
                    path: &path,
                    earlier,
                };
                let result = match calibrate_light(&request, buffers) {
                    // A product that cannot be written stops the run; a light that cannot be read
                    // does not.
                    Err(e) if !e.file().is_some_and(|f| raw.is(f.path())) => return Err(e),
                    other => other,
                };
                *slots[i].lock().expect("no holder panics") = Some(result);
            }
            context.observer.event(Event::Advanced { by: 1, what: "calibrating" });
            Ok(())
        })?;
    }
    context.observer.event(Event::Finished);
    let mut out = Vec::with_capacity(planned.lights.len());
    for slot in slots {
        match slot.into_inner().expect("no holder panics") {
            Some(Ok(result)) => out.push(Some(result)),
            Some(Err(e)) => {
                note_failure(&e, findings, context);
                out.push(None);
            }
            None => out.push(None),
        }
    }
    Ok(out)
}
