//! A whole night: inventory, plan, masters, pictures, lights, account.

mod lights;
mod lock;
mod masters;
mod stacks;

use std::collections::BTreeMap;
use std::path::PathBuf;

use photosite_file::atomic::{Existing, remove_leftovers, write_bytes};
use photosite_file::fits::Sample;
use photosite_pix::align::Alignment;
use photosite_pix::unit::NoiseModel;

use self::lights::{Work, calibrate_lights};
use self::lock::Lock;
use self::masters::build_masters;
use self::stacks::{Folders, stack_lights};
use super::account::{Account, Done, report};
use super::earlier::Earlier;
use super::frames::{raw_frame, take_inventory};
use super::keep::keep_masters;
use crate::env::Stopwatch;
use crate::event::{Event, Stage};
use crate::finding::{Severity, left_out};
use crate::inventory::{Inventory, KindOverrides};
use crate::library::{FEW_REFUSALS, Library};
use crate::plan::{MasterPlan, Plan, plan};
use crate::product::{LightResult, MasterResult};
use crate::raw::RawFrame;
use crate::report::{LibraryReport, RunReport};
use crate::work::{Context, on_each};
use crate::{Error, ErrorKind, Finding, Result};

pub(super) use self::stacks::Pictures;

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
    /// Lights are stacked; otherwise they stay calibrated files.
    pub stack: bool,
    /// What lights are laid over each other by.
    pub align: Alignment,
    /// What is kept beside masters, pictures and the account.
    pub keep: Keep,
}

/// Intermediate products that stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// Calibrated lights; without this, those that are in no picture.
    pub calibrated: bool,
    /// Lights on the pixels of their picture.
    pub registered: bool,
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
    let registered = request.output.join("registered");
    let folders = Folders {
        stacks: request.output.join("stacks"),
        registered: request.keep.registered.then_some(registered.clone()),
    };
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
    for folder in [&request.output, &masters_dir, &lights_dir, &registered, &folders.stacks] {
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
    let masters =
        build_masters(&planned, &raw, &earlier.known, &masters_dir, &mut findings, context)?;
    night.lap("masters");
    let mut used = None;
    if let Some(library) = &mut library {
        match keep_masters(library, &planned, &masters, &earlier.known, context) {
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
    let (planned, masters) = (&planned, &masters);
    let (raw, earlier, folder) = (&raw[..], &earlier, lights_dir.as_path());
    let work = Work { request, planned, raw, masters, earlier, folder };
    let mut lights: LightResults = planned.lights.iter().map(|_| None).collect();
    let pictures = match request.stack {
        true => stack_lights(work, &folders, &mut lights, &mut findings, context)?,
        false => Pictures::default(),
    };
    night.lap("stacks");
    // Lights that are in no picture are kept, and all where that is asked.
    let wanted: Vec<usize> =
        (0..lights.len()).filter(|i| request.keep.calibrated || lights[*i].is_none()).collect();
    calibrate_lights(work, &wanted, &mut lights, &mut findings, context)?;
    night.lap("lights");
    night.timing.insert("total_s".to_owned(), night.watch.seconds());
    let account = Account {
        inventory: &inventory,
        planned,
        work: Some(Done { raw, masters, lights: &lights, pictures }),
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

/// A raw frame for each frame of the inventory; `None` where it could not be read.
pub(in crate::run) type RawFrames = Vec<Option<RawFrame>>;

/// A result for each planned light; `None` where there is none.
pub(in crate::run) type LightResults = Vec<Option<LightResult>>;

/// A result for each planned master; `None` where it could not be made.
pub(in crate::run) type MasterResults = Vec<Option<MasterResult>>;

fn identify(
    inventory: &Inventory,
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<RawFrames> {
    let frames = &inventory.frames;
    let total = frames.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Identify, total });
    let read = on_each(frames.len(), context, |i| {
        let raw = raw_frame(&frames[i]);
        context.observer.event(Event::Advanced { by: 1, what: "identifying" });
        raw
    })?;
    context.observer.event(Event::Finished);
    let mut out = Vec::with_capacity(frames.len());
    for raw in read {
        match raw {
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
