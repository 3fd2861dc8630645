//! `photosite master`.

use anstream::println;
use photosite::Finding;
use photosite::calibrate::RemovedBy;
use photosite::inventory::{KindOverrides, Taken, take};
use photosite::master::default_recipe;
use photosite::raw::RawFrame;
use photosite::run::{AdditivePart, Context, MasterRequest, build_master, load_master, raw_frame};
use photosite_pix::FrameKind;
use photosite_pix::combine::{Combine, Recipe};
use photosite_pix::reject::Reject;
use serde_json::json;

use crate::args::{CombineName, Limits, MasterArgs, MasterKind, RejectName};
use crate::resolve::BiasArg;
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Builds one master.
pub fn run(args: MasterArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::new();
    let context = resolve::context(limits, &progress);
    let kind = match args.kind {
        MasterKind::Bias => FrameKind::Bias,
        MasterKind::Dark => FrameKind::Dark,
        MasterKind::Flat => FrameKind::Flat,
        MasterKind::DarkFlat => FrameKind::DarkFlat,
    };
    let (frames, mut findings) = frames(&args.files, kind, &context)?;
    let additive = additive(&args)?;
    let recipe = recipe(&args, frames.len());
    let request = MasterRequest {
        kind,
        frames: frames.iter().collect(),
        additive,
        recipe,
        maps: args.maps,
        path: &args.output,
    };
    let result = build_master(&request, &context)?;
    for (path, e) in &result.left_out {
        let message = format!("left out: {e}");
        let severity = photosite::finding::Severity::Error;
        findings.push(Finding::new("frame-damaged", severity, super::shown(path), message));
    }
    show::findings(&findings);
    if args.json {
        let account = json!({
            "path": result.path,
            "kind": kind,
            "inputs": result.inputs,
            "combine": recipe.combine.name(),
            "reject": recipe.reject.name(),
            "rejected_low": result.rejected.low,
            "rejected_high": result.rejected.high,
            "hot": result.hot,
            "cold": result.cold,
            "no_data": result.no_data,
            "stats": result.stats,
            "reused": result.reused,
            "findings": findings,
        });
        println!("{}", serde_json::to_string_pretty(&account)?);
    } else {
        let verb = if result.reused { "is there already" } else { "written" };
        println!(
            "{} {verb}: {} of {} frames, {}, rejection {} ({} low, {} high), median {}, noise {}",
            result.path.display(),
            photosite::provenance::master_name(kind),
            result.inputs.len(),
            recipe.combine.name(),
            recipe.reject.name(),
            result.rejected.low,
            result.rejected.high,
            show::number(result.stats.median),
            show::number(result.stats.noise),
        );
    }
    let severe = findings.iter().any(|f| f.severity == photosite::finding::Severity::Error);
    Ok(if severe { Done::WithFindings } else { Done::Well })
}

/// Frames named one by one, taken to be of `kind` whatever they say.
pub fn frames(
    files: &[std::path::PathBuf],
    kind: FrameKind,
    context: &Context<'_>,
) -> anyhow::Result<(Vec<RawFrame>, Vec<Finding>)> {
    let mut frames = Vec::new();
    let mut findings = Vec::new();
    for file in files {
        context.cancel.check()?;
        let overrides =
            KindOverrides { paths: vec![(file.canonicalize().unwrap_or(file.clone()), kind)] };
        let taken = photosite_file::probe(file).map(|p| take(file, file, p, &overrides));
        match taken {
            Ok(Taken::Frame(frame, more)) => {
                findings.extend(more);
                frames.push(raw_frame(&frame)?);
            }
            Ok(Taken::LeftOut(finding, _)) => findings.push(finding),
            Err(e) => {
                let message = format!("left out: {}", e.message());
                let severity = photosite::finding::Severity::Error;
                findings.push(Finding::new("frame-damaged", severity, super::shown(file), message));
            }
        }
    }
    Ok((frames, findings))
}

fn additive(args: &MasterArgs) -> anyhow::Result<AdditivePart> {
    if let Some(path) = &args.dark {
        let by = match load_master(path)?.metadata.kind {
            Some(FrameKind::DarkFlat) => RemovedBy::DarkFlat,
            _ => RemovedBy::Dark,
        };
        return Ok(AdditivePart::Master(path.clone(), by));
    }
    Ok(match args.bias.as_deref().map(resolve::bias) {
        None => AdditivePart::Keep,
        Some(BiasArg::Level(l)) => AdditivePart::Level(l as f32),
        Some(BiasArg::File(path)) => AdditivePart::Master(path, RemovedBy::Bias),
    })
}

fn recipe(args: &MasterArgs, count: usize) -> Recipe {
    let usual = default_recipe(count);
    let reject = match args.reject {
        // A median needs no rejection, unless it is asked for.
        None if args.combine == Some(CombineName::Median) => Reject::None,
        None | Some(RejectName::Auto) => match usual.reject {
            Reject::None => Reject::None,
            Reject::Winsorized { .. } => {
                Reject::Winsorized { sigma_low: args.sigma_low, sigma_high: args.sigma_high }
            }
        },
        Some(RejectName::None) => Reject::None,
        Some(RejectName::Winsorized) => {
            Reject::Winsorized { sigma_low: args.sigma_low, sigma_high: args.sigma_high }
        }
    };
    let combine = match args.combine {
        None => usual.combine,
        Some(CombineName::Mean) => Combine::Mean,
        Some(CombineName::Median) => Combine::Median,
    };
    Recipe { reject, combine }
}
