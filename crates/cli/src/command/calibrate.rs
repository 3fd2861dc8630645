//! `photosite calibrate`.

use std::sync::Mutex;

use anstream::println;
use anyhow::bail;
use photosite::Finding;
use photosite::finding::Severity;
use photosite::finding::left_out;
use photosite::product::Known;
use photosite::product::{BiasChoice, LightRequest, Masters, calibrate_light, load_master};
use photosite::stack::ReadBuffers;
use photosite::work::for_each;
use photosite_pix::FrameKind;
use serde_json::{Value, json};

use crate::args::{CalibrateArgs, Limits};
use crate::resolve::BiasArg;
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Calibrates frames with masters at hand.
pub fn run(args: CalibrateArgs, limits: Limits) -> anyhow::Result<Done> {
    if args.bias.is_none() && args.dark.is_none() && args.flat.is_none() {
        bail!("name at least one of --bias, --dark and --flat");
    }
    let progress = Progress::new();
    let context = resolve::context(limits, &progress);
    let bias = match args.bias.as_deref().map(resolve::bias) {
        None => None,
        Some(BiasArg::Level(l)) => Some(BiasChoice::Level(l)),
        Some(BiasArg::File(path)) => Some(BiasChoice::Master(Box::new(load_master(&path)?))),
    };
    let dark = args.dark.as_deref().map(load_master).transpose()?;
    let flat = args.flat.as_deref().map(load_master).transpose()?;
    if flat.is_some() && bias.is_none() && dark.is_none() {
        bail!(
            "a flat alone would divide the bias as well; give --bias or --dark, so that only light \
             is divided"
        );
    }
    let mut findings = doubts(&args, dark.as_ref(), flat.as_ref());
    let scaling = resolve::dark_scaling(&args.dark_scale)?;
    let masters = Masters::new(bias, dark, flat, scaling)?;
    let (frames, more) = super::master::frames(&args.files, FrameKind::Light, &context)?;
    findings.extend(more);
    if frames.is_empty() {
        show::findings(&findings);
        bail!("none of {} files is a frame that can be calibrated", args.files.len());
    }
    let names = photosite::plan::product_names(frames.iter().map(|f| f.path.as_path()));
    let known = Known::default();
    let noise = resolve::noise(args.noise)?;
    let sample = resolve::sample(args.format);
    let results: Vec<Mutex<Option<Value>>> = frames.iter().map(|_| Mutex::new(None)).collect();
    let unreadable: Mutex<Vec<(usize, Finding)>> = Mutex::new(Vec::new());
    for_each(frames.len(), &context, ReadBuffers::default, |buffers, i| {
        let path = args.output.join(&names[i]);
        let raw = &frames[i];
        let request = LightRequest { raw, masters: &masters, noise, sample };
        let done = match calibrate_light(&request, &path, &known, buffers) {
            // A light that cannot be read is left out, and the others go on.
            Err(e) => match e.file().filter(|f| frames[i].is(f.path())) {
                Some(f) => {
                    let finding = left_out(f.path(), f);
                    unreadable.lock().expect("no holder panics").push((i, finding));
                    return Ok(());
                }
                None => return Err(e),
            },
            Ok(done) => done,
        };
        *results[i].lock().expect("no holder panics") = Some(json!({
            "path": frames[i].path,
            "output": done.path,
            "steps": done.steps,
            "dark_scale": done.dark_scale,
            "repaired": done.repaired,
            "stats_before": done.before,
            "stats_after": done.after,
            "reused": done.reused,
        }));
        Ok(())
    })?;
    let mut unreadable = unreadable.into_inner().expect("no holder panics");
    unreadable.sort_by_key(|(i, _)| *i);
    findings.extend(unreadable.into_iter().map(|(_, finding)| finding));
    show::findings(&findings);
    let lights: Vec<Value> =
        results.into_iter().filter_map(|r| r.into_inner().expect("no holder panics")).collect();
    if args.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&json!({
                "lights": lights,
                "findings": findings,
            }))?
        );
    } else {
        for light in &lights {
            let text = |key: &str| light[key].as_str().unwrap_or_default().to_owned();
            let steps: Vec<&str> = light["steps"]
                .as_array()
                .map(|s| s.iter().filter_map(Value::as_str).collect())
                .unwrap_or_default();
            println!("{}: {}", text("output"), steps.join(", "));
        }
    }
    let severe = findings.iter().any(|f| f.severity == Severity::Error);
    Ok(if severe { Done::WithFindings } else { Done::Well })
}

/// What is doubtful about masters given by hand.
fn doubts(
    args: &CalibrateArgs,
    dark: Option<&photosite::product::LoadedMaster>,
    flat: Option<&photosite::product::LoadedMaster>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(dark) = dark.filter(|_| args.dark_scale != "none") {
        let subject = super::shown(&dark.path);
        findings.push(
            Finding::new(
                "dark-scaling-unproven",
                Severity::Warning,
                subject,
                "the dark is scaled without proof that its signal grows evenly with time; amp glow \
                 does not, and CMOS sensors often do not",
            )
            .hint("Take darks of the lights' own exposure and temperature."),
        );
    }
    let foreign = |m: &photosite::product::LoadedMaster| {
        m.header.get(photosite::provenance::KEY_KEYWORD).is_none()
    };
    if let Some(dark) = dark.filter(|d| foreign(d) && !d.bias_removed()) {
        findings.push(Finding::new(
            "dark-content-assumed",
            Severity::Info,
            super::shown(&dark.path),
            "the header does not say whether the bias was taken out of this dark; it is taken to \
             be in it",
        ));
    }
    if let Some(flat) = flat.filter(|f| foreign(f)) {
        findings.push(Finding::new(
            "flat-content-assumed",
            Severity::Info,
            super::shown(&flat.path),
            "the header does not say whether the bias was taken out of this flat; it is taken to \
             be gone",
        ));
    }
    findings
}
