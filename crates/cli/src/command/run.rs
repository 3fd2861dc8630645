//! `photosite run`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;
use photosite::finding::Severity;
use photosite::report::{MasterSource, RunReport, TrailReport};
use photosite::run::{NightRequest, read_plan, run_night, run_plan};

use crate::args::{self, Limits, RunArgs};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Calibrates a night.
pub fn run(args: RunArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::new();
    let context = resolve::context(limits, &progress);
    let outcome = match &args.plan {
        Some(plan) => run_plan(&read_plan(plan)?, args.output.as_deref(), &context)?,
        None => run_night(&request(&args)?, &context)?,
    };
    show::findings(&outcome.report.findings);
    if outcome.failure.is_none() && outcome.found_nothing() {
        bail!("no usable frame was found; {} files were checked", outcome.report.frames.len());
    }
    if args.json {
        show::json("run", &outcome.report)?;
    } else {
        summary(&outcome.report, args.dry_run);
        if let Some(path) = &outcome.report_path {
            eprintln!("the full report is in {}", path.display());
        }
    }
    match outcome.failure {
        Some(failure) => Err(failure.into()),
        None if outcome.report.worst() == Some(Severity::Error) => Ok(Done::WithFindings),
        None => Ok(Done::Well),
    }
}

/// What was typed, as a night.
fn request(args: &RunArgs) -> anyhow::Result<NightRequest> {
    let mut paths = args.paths.clone();
    let overrides = resolve::overrides(&args.kinds, &mut paths)?;
    if paths.is_empty() {
        bail!("name a folder of frames, or give frames by type with --lights, --darks etc.");
    }
    let mut night = NightRequest::new(paths, args.output.clone().unwrap_or_default());
    night.overrides = overrides;
    night.dry_run = args.dry_run;
    night.graph = args.dry_run && args.json;
    night.noise = resolve::noise(args.noise)?;
    night.defects = resolve::defects(args.defects.as_deref()).map(PathBuf::from);
    night.sample = resolve::sample(args.format)?;
    night.library = if args.no_library { None } else { resolve::library(&args.place) };
    night.stack = !args.no_stack;
    night.align = args.align.into();
    night.keep.calibrated = args.keep.contains(&args::Keep::Calibrated);
    night.keep.registered = args.keep.contains(&args::Keep::Registered);
    Ok(night)
}

/// The night in tables: frames, masters, lights, stacks.
pub fn summary(report: &RunReport, dry_run: bool) {
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for frame in &report.frames {
        let name = frame.kind.map_or("not known", |k| k.name());
        let count = kinds.entry(name).or_default();
        count.0 += 1;
        count.1 += usize::from(frame.used);
    }
    let rows = kinds
        .iter()
        .map(|(kind, (all, used))| vec![(*kind).to_owned(), all.to_string(), used.to_string()])
        .collect();
    show::table(&["FRAMES", "found", "used"], &[1, 2], rows);
    println!();
    // Every product ends in .fits; the width is better spent on names.
    let name = |p: &std::path::Path| {
        let name = p.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        name.strip_suffix(".fits").map(str::to_owned).unwrap_or(name)
    };
    let masters = report
        .masters
        .iter()
        .map(|m| {
            let stat = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), show::number);
            let from = match m.from {
                MasterSource::Library => "from the library",
                MasterSource::Output if m.reused => "reused",
                MasterSource::Output => "",
            };
            vec![
                name(&m.path),
                m.frames.to_string(),
                format!("{}/{}", m.combine, m.reject),
                stat(m.stats.map(|s| s.median)),
                stat(m.stats.map(|s| s.noise)),
                m.hot.to_string(),
                m.cold.to_string(),
                from.to_owned(),
            ]
        })
        .collect();
    let heading = ["MASTER", "frames", "combined", "median", "noise", "hot", "cold", ""];
    show::table(&heading, &[1, 3, 4, 5, 6], masters);
    println!();
    let lights = report
        .lights
        .iter()
        .map(|l| {
            let master =
                |p: &Option<std::path::PathBuf>| p.as_deref().map_or_else(|| "-".to_owned(), name);
            let scale = match l.dark_source {
                Some(source) => show::factor(source, l.dark_scale, l.dark_scale_error),
                None if !l.dark_ways.is_empty() => " x fitted".to_owned(),
                None => String::new(),
            };
            let stat = |s: Option<photosite_pix::stat::Summary>, f: fn(&_) -> f64| {
                s.as_ref().map_or_else(|| "-".to_owned(), |s| show::number(f(s)))
            };
            vec![
                name(&l.path),
                master(&l.bias),
                format!("{}{scale}", master(&l.dark)),
                format!(
                    "{}{}",
                    master(&l.flat),
                    l.flat_fit.map_or_else(String::new, show::flat_fit)
                ),
                stat(l.stats_before, |s| s.median),
                stat(l.stats_after, |s| s.median),
                stat(l.stats_after, |s| s.noise),
                l.repaired.to_string(),
                l.verdict.map_or_else(String::new, |v| v.name().to_owned()),
                if l.reused { "reused".to_owned() } else { String::new() },
            ]
        })
        .collect();
    let heading = [
        "LIGHT",
        "bias",
        "dark",
        "flat",
        "median raw",
        "calibrated",
        "noise",
        "repaired",
        "verdict",
        "",
    ];
    show::table(&heading, &[4, 5, 6, 7], lights);
    println!();
    if dry_run && !report.pictures.is_empty() {
        let text = |t: &Option<String>| t.clone().unwrap_or_else(|| "-".to_owned());
        let number = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), show::number);
        let rows = report
            .pictures
            .iter()
            .map(|p| {
                vec![
                    name(std::path::Path::new(&p.name)),
                    p.lights.len().to_string(),
                    number(p.exposure_s),
                    text(&p.object),
                    text(&p.filter),
                ]
            })
            .collect();
        let heading = ["STACK", "lights", "exposure s", "target", "filter"];
        show::table(&heading, &[1, 2], rows);
        println!();
    }
    if !report.stacks.is_empty() {
        let number = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), show::number);
        let rows = report
            .stacks
            .iter()
            .map(|s| {
                vec![
                    name(&s.path),
                    s.inputs.len().to_string(),
                    number(s.exposure_s),
                    s.reject.clone(),
                    show::number(s.noise_adu),
                    format!("1/{:.2}", s.noise_gain),
                    s.stars.to_string(),
                    number(s.fwhm_px),
                    if s.reused { "reused".to_owned() } else { String::new() },
                ]
            })
            .collect();
        let heading = [
            "STACK",
            "lights",
            "exposure s",
            "rejection",
            "noise",
            "vs one light",
            "stars",
            "FWHM px",
            "",
        ];
        show::table(&heading, &[1, 2, 4, 5, 6, 7], rows);
        for stack in &report.stacks {
            if let Some(masked) = TrailReport::count(&stack.trails) {
                println!("{}: {masked}", name(&stack.path));
            }
        }
        println!();
    }
    let f = report.forecast;
    if let Some(library) = &report.library {
        let masters =
            |n: usize| if n == 1 { "1 master".to_owned() } else { format!("{n} masters") };
        println!(
            "library {}: {} taken from it, {} new",
            library.path.display(),
            masters(library.reused.len()),
            masters(library.added.len())
        );
    }
    if dry_run {
        println!(
            "needs to read {}, write {}{}, and about {} of memory; nothing was written",
            show::bytes(f.read_bytes),
            show::bytes(f.write_bytes),
            match f.scratch_bytes {
                0 => String::new(),
                n => format!(", {} of temporary disk space", show::bytes(n)),
            },
            show::bytes(f.memory_bytes)
        );
    } else if let Some(total) = report.timing.get("total_s") {
        println!("done in {total:.1} s");
    }
}
