//! `photosite diagnose`.

use anyhow::bail;
use owo_colors::OwoColorize as _;
use photosite::diagnose::{Fault, Verdict};
use photosite::run::{DiagnosisRequest, LightVerdict, VERDICT_SCHEMA, diagnose_lights};
use photosite_pix::FrameKind;
use serde_json::json;

use crate::args::{DiagnoseArgs, Limits};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Says of lights whether they were calibrated right.
pub fn run(args: DiagnoseArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let files = resolve::files(&args.lights, Some(FrameKind::Light), None)?;
    let mut asked = DiagnosisRequest::new(&files);
    asked.bias = args.bias.as_deref().map(resolve::bias);
    (asked.dark, asked.flat) = (args.dark, args.flat);
    let (lights, findings) = diagnose_lights(&asked, &context)?;
    show::findings(&findings);
    if args.json {
        let report = json!({ "schema": VERDICT_SCHEMA, "lights": lights, "findings": findings });
        show::json("verdict", &report)?;
    } else {
        lights.iter().for_each(tell);
    }
    if lights.is_empty() {
        bail!("none of {} files is a light that can be diagnosed", files.len());
    }
    let wrong = lights.iter().any(|l| l.verdict == Verdict::Wrong);
    Ok(if wrong { Done::WithFindings } else { Done::of(&findings) })
}

fn tell(light: &LightVerdict) {
    let verdict = match light.verdict {
        Verdict::Good => light.verdict.name().green().to_string(),
        Verdict::Usable | Verdict::CannotBeTold => light.verdict.name().yellow().to_string(),
        Verdict::Wrong => light.verdict.name().red().to_string(),
    };
    show::line(format_args!("{}: {verdict}", super::shown(&light.path)));
    for m in &light.measures {
        let unit =
            if m.unit.is_empty() { String::new() } else { format!(" {}", unit_name(m.unit)) };
        show::line(format_args!("  {:14} {:+.3} +- {:.3}{unit}", m.name, m.value, m.error));
    }
    light.findings.iter().for_each(tell_fault);
}

fn tell_fault(fault: &Fault) {
    show::line(format_args!("  {}: {}", fault.code.bold(), fault.message));
    if let Some(r) = fault.region {
        let size = r.size();
        show::line(format_args!(
            "    best seen at columns {} to {}, rows {} to {}",
            r.x0,
            r.x0 + size.width,
            r.y0,
            r.y0 + size.height
        ));
    }
    show::line(format_args!("    {} {}", "hint:".green(), fault.hint));
}

fn unit_name(unit: &str) -> &str {
    if unit == "adu" { "ADU" } else { unit }
}
