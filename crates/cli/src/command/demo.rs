//! `photosite demo`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use photosite::preview::{Linked, preview_file};
use photosite::run::{NightRequest, mean_response, run_night};
use photosite_file::fits::read_frame;
use photosite_pix::{FrameKind, Size};
use photosite_sim::{Night, Preset, Residual, Scale, Simulation, residual};
use serde::Serialize;

use super::simulate;
use crate::args::{DemoArgs, Limits};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// How far the residual may lie from the prediction, as a share of it.
const TOLERANCE: f64 = 0.03;

/// One light against the truth.
#[derive(Debug, Serialize)]
struct Compared {
    light: String,
    #[serde(flatten)]
    residual: Residual,
    ratio: f64,
}

/// Simulates, calibrates, compares.
pub fn run(args: DemoArgs, limits: Limits) -> anyhow::Result<Done> {
    let folder = match args.output {
        Some(folder) => folder,
        None => fresh_folder()?,
    };
    let mut night = Night::preset(Preset::CmosMono, Size::new(1024, 768), args.seed);
    night.counts.bias = 20;
    night.counts.darks = 20;
    night.counts.flats = 15;
    night.counts.dark_flats = 15;
    night.counts.lights = 6;
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    eprintln!("simulating a night of {} in {}", night.camera, folder.display());
    let simulation = Simulation::new(night);
    let raw = folder.join("night");
    simulate::write_night(&simulation, None, &raw, &context)?;
    let folders = ["bias", "darks", "flats", "darkflats", "lights"];
    let paths = folders.iter().map(|k| raw.join(k)).collect();
    let mut request = NightRequest::new(paths, folder.join("out"));
    request.keep.calibrated = true;
    let outcome = run_night(&request, &context)?;
    show::findings(&outcome.report.findings);
    let compared = compare(&simulation, &request.output)?;
    if args.json {
        show::json("demo", &compared)?;
    } else {
        crate::night::tables(&outcome.report, false, false);
        println!();
        tell(&compared);
    }
    let first = &compared[0].light;
    let before = folder.join("before.png");
    let after = folder.join("after.png");
    preview_file(&raw.join("lights").join(first), &before, Some(1024), Linked::No)?;
    let calibrated = request.output.join("calibrated").join(first);
    preview_file(&calibrated, &after, Some(1024), Linked::No)?;
    eprintln!("compare {} and {}", before.display(), after.display());
    eprintln!("the night as a page: {}", request.output.join("report.html").display());
    let good = compared.iter().all(|c| (c.ratio - 1.0).abs() <= TOLERANCE);
    Ok(if good && !outcome.wants_attention() { Done::Well } else { Done::WithFindings })
}

fn fresh_folder() -> anyhow::Result<PathBuf> {
    for n in 1..1000 {
        let name = if n == 1 { "photosite-demo".into() } else { format!("photosite-demo-{n}") };
        let folder = PathBuf::from(name);
        if !folder.exists() {
            return Ok(folder);
        }
    }
    bail!("there are 999 folders photosite-demo-N here; choose one with -o")
}

fn compare(simulation: &Simulation, output: &Path) -> anyhow::Result<Vec<Compared>> {
    let sensor = &simulation.night().sensor;
    let response = &simulation.maps().response;
    let scale = Scale {
        gain_e_per_adu: sensor.gain_e_per_adu,
        response: mean_response(response, sensor.cfa),
        cfa: sensor.cfa,
    };
    let lights = simulation.frames().into_iter().filter(|p| p.kind == FrameKind::Light);
    lights
        .map(|plan| {
            let path = output.join("calibrated").join(&plan.file_name);
            let (frame, _) = read_frame(&path)?;
            let truth = simulation.render(&plan).truth;
            let residual = residual(&frame, &truth, scale)
                .with_context(|| format!("{} has no truth", path.display()))?;
            Ok(Compared { light: plan.file_name, ratio: residual.ratio(), residual })
        })
        .collect()
}

fn tell(compared: &[Compared]) {
    let rows = compared
        .iter()
        .map(|c| {
            vec![
                c.light.clone(),
                c.residual.n.to_string(),
                format!("{:+.3} +- {:.3}", c.residual.mean_adu, c.residual.mean_error_adu),
                format!("{:.3}", c.residual.rms_adu),
                format!("{:.3}", c.residual.predicted_adu),
                format!("{:.4}", c.ratio),
            ]
        })
        .collect();
    let heading = ["CALIBRATED - TRUTH", "pixels", "mean ADU", "rms ADU", "predicted", "ratio"];
    show::table(&heading, &[1, 2, 3, 4, 5], rows);
    println!(
        "the residual is the noise predicted by the variance plane if the ratio is within \
         {TOLERANCE} of 1"
    );
}
