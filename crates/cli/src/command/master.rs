//! `photosite master`.

use std::sync::Mutex;

use anstream::println;
use anyhow::Context as _;
use photosite::Finding;
use photosite::calibrate::RemovedBy;
use photosite::finding::left_out;
use photosite::inventory::{KindOverrides, Taken, take};
use photosite::master::default_recipe;
use photosite::product::{AdditivePart, Known, MasterRequest, build_master, load_master};
use photosite::raw::RawFrame;
use photosite::run::raw_frame;
use photosite::work::{Context, for_each};
use photosite_pix::FrameKind;
use photosite_pix::combine::{Combine, Recipe};
use photosite_pix::reject::{Reject, Thresholds};
use serde_json::json;

use crate::args::{CombineName, Limits, MasterArgs};
use crate::resolve::BiasArg;
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Builds one master.
pub fn run(args: MasterArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::new();
    let context = resolve::context(limits, &progress);
    let kind = FrameKind::from(args.kind);
    let (frames, mut findings) = frames(&args.files, kind, &context)?;
    let additive = additive(&args)?;
    let recipe = recipe(&args, kind, &frames)?;
    let request = MasterRequest {
        kind,
        frames: frames.iter().collect(),
        additive,
        zero_adu: None,
        recipe,
        maps: args.maps,
        path: &args.output,
        known: &Known::default(),
    };
    let result = build_master(&request, &context)?;
    // Frames are only ever left out of a master for what is wrong with their files.
    let unusable = result.left_out.iter().filter_map(|(path, e)| Some((path, e.file()?)));
    findings.extend(unusable.map(|(path, e)| left_out(path, e)));
    findings.extend(result.weak_colour());
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
            "noise": result.noise,
            "colours": result.colours,
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
    let mut chosen = Vec::new();
    for file in files {
        context.cancel.check()?;
        let overrides =
            KindOverrides { paths: vec![(file.canonicalize().unwrap_or(file.clone()), kind)] };
        let taken = photosite::open::probe(file).map(|p| take(file, file, p, &overrides));
        match taken {
            Ok(Taken::Frame(frame, more)) => {
                findings.extend(more);
                chosen.push(frame);
            }
            Ok(Taken::LeftOut(finding, _)) => findings.push(finding),
            Err(e) => findings.push(left_out(file, &e)),
        }
    }
    let slots: Vec<Mutex<Option<RawFrame>>> = chosen.iter().map(|_| Mutex::new(None)).collect();
    for_each(
        chosen.len(),
        context,
        || (),
        |(), i| {
            *slots[i].lock().expect("no holder panics") = Some(raw_frame(&chosen[i])?);
            Ok(())
        },
    )?;
    frames.extend(slots.into_iter().filter_map(|s| s.into_inner().expect("no holder panics")));
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

fn recipe(args: &MasterArgs, kind: FrameKind, frames: &[RawFrame]) -> anyhow::Result<Recipe> {
    let cfa = frames.first().and_then(|f| f.metadata.cfa);
    let usual = default_recipe(kind, frames.len(), cfa);
    let asked = Thresholds { low: args.sigma_low, high: args.sigma_high };
    let named = |name: &str| {
        Reject::named(name, asked).with_context(|| format!("no rejection is called {name:?}"))
    };
    let reject = match args.reject.as_str() {
        // A median needs no rejection, unless it is asked for.
        "auto" if args.combine == Some(CombineName::Median) => Reject::None,
        "auto" => named(usual.reject.name())?,
        "ccd-noise" => ccd_noise(named("ccd-noise")?, frames)?,
        name => named(name)?,
    };
    let combine = match args.combine {
        None => usual.combine,
        Some(CombineName::Mean) => Combine::Mean,
        Some(CombineName::Median) => Combine::Median,
    };
    Ok(Recipe { reject, combine })
}

/// The detector's noise in place of the method's own, which has none.
fn ccd_noise(method: Reject, frames: &[RawFrame]) -> anyhow::Result<Reject> {
    let noise = frames.first().and_then(RawFrame::noise).context(
        "--reject ccd-noise wants gain and read noise, and the headers have none; choose another",
    )?;
    let gain = noise.gain_e_per_adu.e_per_adu();
    Ok(match method {
        Reject::CcdNoise { low, high, sensitivity, pedestal_adu, .. } => Reject::CcdNoise {
            low,
            high,
            read_noise_adu: (noise.read_noise_e / gain) as f32,
            gain_e_per_adu: gain as f32,
            sensitivity,
            pedestal_adu,
        },
        other => other,
    })
}
