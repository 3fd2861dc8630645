//! `photosite calibrate`.

use anyhow::bail;
use photosite::params::DarkScaling;
use photosite::run::{NamedLights, calibrate_named};
use photosite_pix::FrameKind;
use serde_json::{Value, json};

use crate::args::{CalibrateArgs, Limits};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Calibrates frames with masters at hand.
pub fn run(args: CalibrateArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let files = resolve::files(&args.files, Some(FrameKind::Light), Some(&args.output))?;
    let mut asked = NamedLights::new(&files, &args.output);
    asked.bias = args.bias.as_deref().map(resolve::bias);
    asked.dark = args.dark.as_deref();
    asked.scaling = DarkScaling::parse(&args.dark_scale)?;
    asked.flat = args.flat.as_deref();
    asked.defects = resolve::defects(args.defects.as_deref());
    asked.repair = args.repair.repair.into();
    asked.cosmic = args.cosmic;
    resolve::by_hand(&args.raw, &mut asked.by_hand)?;
    asked.noise = resolve::noise(args.noise)?;
    asked.sample = resolve::storage(&args.format)?;
    let done = calibrate_named(&asked, &context)?;
    show::findings(&done.findings);
    if done.lights.is_empty() {
        bail!("none of {} files is a frame that can be calibrated", files.len());
    }
    if args.json {
        let lights: Vec<Value> = done
            .lights
            .iter()
            .map(|(path, light)| {
                json!({
                    "path": path,
                    "output": light.path,
                    "steps": light.steps,
                    "dark_scale": light.dark_scale,
                    "dark_scale_error": light.dark_scale_error,
                    "dark_source": light.dark_source,
                    "repaired": light.repaired,
                    "cosmic": light.cosmic,
                    "clipped": light.clipped.below + light.clipped.above,
                    "stats_before": light.before,
                    "stats_after": light.after,
                    "reused": light.reused,
                })
            })
            .collect();
        let report = json!({ "lights": lights, "findings": done.findings });
        show::json("calibrate", &report)?;
    } else {
        for (_, light) in &done.lights {
            let path = light.path.as_deref().map(super::shown).unwrap_or_default();
            let factor = show::factor(light.dark_source, light.dark_scale, light.dark_scale_error);
            println!("{path}: {}{factor}", light.steps.join(", "));
        }
    }
    Ok(Done::of(&done.findings))
}
