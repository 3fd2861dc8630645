//! `photosite run`.

use std::path::PathBuf;

use anyhow::bail;
use photosite::finding::Severity;
use photosite::params::Selection;
use photosite::run::{DefectsChoice, NightRequest, PlannedNight, read_plan, run_night, run_plan};

use crate::args::{self, Limits, RunArgs};
use crate::night::{self, NightProgress};
use crate::{Done, config, resolve, show};

/// Calibrates a night.
pub fn run(args: &RunArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = NightProgress::default();
    let context = resolve::context(limits, &progress);
    let request = match &args.plan {
        Some(plan) => Asked::Plan(Box::new(read_plan(plan)?)),
        None => {
            let mut night = request(args)?;
            night.settings = config::in_force(&context, night.library.as_deref());
            Asked::Night(Box::new(night))
        }
    };
    if let Asked::Night(night) = &request {
        let first = night::beginning(night.library.as_deref(), &night.output);
        show::message(format_args!("{first}"));
    }
    let outcome = match &request {
        Asked::Plan(plan) => run_plan(plan, args.output.as_deref(), &context)?,
        Asked::Night(night) => run_night(night, &context)?,
    };
    if outcome.failure.is_none() && outcome.found_nothing() {
        show::findings(&outcome.report.findings);
        bail!("no usable frame was found; {} files were checked", outcome.report.frames.len());
    }
    if args.json {
        show::findings(&outcome.report.findings);
        show::json("run", &outcome.report)?;
    } else {
        night::tables(&outcome.report, args.dry_run, args.verbose);
        show::findings(&outcome.report.findings);
        if args.dry_run {
            println!("{}", night::needs(&outcome.report));
        } else {
            night::ending(&outcome.report, outcome.report_path.as_deref());
        }
    }
    if let Some(path) = &outcome.report_path {
        eprintln!("the full report is in {}", path.display());
    }
    match outcome.failure {
        Some(failure) => Err(failure.into()),
        None if outcome.report.worst() == Some(Severity::Error) => Ok(Done::WithFindings),
        None => Ok(Done::Well),
    }
}

/// A night as it was typed, or as it was planned before.
enum Asked {
    Plan(Box<PlannedNight>),
    Night(Box<NightRequest>),
}

/// The folder of products where none is named.
const OUTPUT: &str = "photosite-out";

/// What was typed, as a night.
fn request(args: &RunArgs) -> anyhow::Result<NightRequest> {
    let mut paths = args.paths.clone();
    let overrides = resolve::overrides(&args.kinds, &mut paths)?;
    if paths.is_empty() {
        bail!("name a folder of frames, or give frames by type with --lights, --darks etc.");
    }
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from(OUTPUT));
    let mut night = NightRequest::new(paths, output);
    night.cameras = config::current().noise()?;
    night.overrides = overrides;
    resolve::by_hand(&args.raw, &mut night.overrides)?;
    night.dry_run = args.dry_run;
    night.graph = args.dry_run && args.json;
    night.noise = resolve::noise(args.noise)?;
    night.defects = match (&args.defects, resolve::defects(args.defects.as_deref())) {
        (None, _) => DefectsChoice::Own,
        (Some(_), None) => DefectsChoice::None,
        (Some(_), Some(path)) => DefectsChoice::File(path.to_owned()),
    };
    night.repair = args.repair.repair.into();
    night.sample = resolve::storage(&args.format)?;
    night.library = if args.no_library { None } else { resolve::library(&args.place) };
    night.stack = !args.no_stack;
    night.how = resolve::integration(&args.how)?;
    night.how.register = Some(args.align.into());
    night.reference = resolve::reference(&args.how).map(PathBuf::from);
    let choice = &args.choice;
    night.exclude = choice.exclude.clone();
    night.selection = Selection {
        reject_wrong: choice.reject_lights.is_some(),
        expression: choice.select.clone(),
        keep_best: choice.keep_best,
    };
    night.join_exposures = choice.join.is_some();
    night.extract = args.extract.map(Into::into);
    night.tidy = args.tidy;
    night.keep.calibrated = args.keep.contains(&args::Keep::Calibrated);
    night.keep.registered = args.keep.contains(&args::Keep::Registered);
    Ok(night)
}
