//! `photosite dark-model`.

use photosite::product::{DarkModel, ModelSummary};
use photosite::run::build_dark_model;
use serde_json::json;

use crate::args::{DarkModelArgs, DarkModelVerb, Limits};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Builds a dark model, makes a dark with one, or reports it.
pub fn run(args: DarkModelArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    match args.verb {
        DarkModelVerb::Build { paths, output } => {
            let built = build_dark_model(&paths, &output, &context)?;
            show::findings(&built.findings);
            if args.json {
                let report = json!({
                    "path": built.path,
                    "masters": built.masters,
                    "model": built.summary,
                    "findings": built.findings,
                });
                show::json("dark-model-built", &report)?;
            } else {
                println!(
                    "{} written; its masters lie in {}",
                    built.path.display(),
                    built.masters.display()
                );
                tell(&built.summary);
            }
            Ok(Done::of(&built.findings))
        }
        DarkModelVerb::Synthesize { model, exposure, temp, output } => {
            let read = DarkModel::read(&model)?;
            let findings = read.findings(&model);
            show::findings(&findings);
            let made = read.synthesize(&model, (exposure, temp), &output)?;
            if args.json {
                show::json("synthesized", &made)?;
            } else {
                let stands = if made.reused { "exists already" } else { "written" };
                println!(
                    "{} {stands}: master dark of {exposure} s at {temp} C, made by the model; a pixel is \
                     known to {} ADU, the level to {}; {} hot pixels, {} without data",
                    made.path.display(),
                    show::number(made.error_adu),
                    show::number(made.level_error_adu),
                    made.hot,
                    made.no_data
                );
            }
            Ok(Done::of(&findings))
        }
        DarkModelVerb::Report { model } => {
            let read = DarkModel::read(&model)?;
            let (summary, findings) = (read.summary(), read.findings(&model));
            show::findings(&findings);
            if args.json {
                show::json("dark-model", &summary)?;
            } else {
                tell(&summary);
            }
            Ok(Done::of(&findings))
        }
    }
}

/// Prints what a model proves.
fn tell(m: &ModelSummary) {
    let ((short, long), (cold, warm)) = (m.exposures_s, m.temps_c);
    println!("darks from {short:.4} to {long:.4} s, {cold:.1} to {warm:.1} C, {} pixels", m.size);
    let [median, most, hottest] = m.rate_adu_s;
    println!(
        "rate at {:.1} C   median {median:.5} +- {:.5} ADU/s; 99 % below {most:.4}, 99.9 % below {hottest:.4}",
        m.ref_temp_c, m.rate_error_adu_s
    );
    match m.doubling_c {
        Some(d) => {
            let typical = m.level.doubling_c.unwrap_or(d);
            println!(
                "doubles every    {typical} C in the typical pixel, {d} C in hot ones; {} pixels have their own",
                m.own_doubling
            );
        }
        None => println!("doubles every    not known: the darks are of one temperature"),
    }
    match m.glow {
        Some(g) => println!(
            "glow             grows with the power {} of the exposure, up to {:.1} ADU at the longest",
            g.power, g.peak_adu
        ),
        None => println!("glow             none that grows otherwise than dark current"),
    }
    println!(
        "level            {:.2} ADU, {:+.5} ADU/s, off by {:.3} ADU",
        m.level.offset_adu, m.level.rate_adu_s, m.level.error_adu
    );
    println!(
        "explained        R2 {:.4} of all pixels, {:.4} of the hottest; {} do not follow, {} without data",
        m.r2[0], m.r2[1], m.unsteady, m.no_data
    );
    println!("each dark foretold from the other masters, in ADU:");
    println!(
        "{:>10} {:>7} {:>9} {:>9} {:>9} {:>8} {:>7}",
        "exposure", "temp", "left", "expected", "noise", "mean", "beyond"
    );
    for h in &m.held_out {
        let temp = h.temp_c.map_or_else(|| "-".to_owned(), |c| format!("{c:.1}"));
        let outside = if h.beyond { "  outside the others" } else { "" };
        let number = |v: f64| if v.is_finite() { format!("{v:.3}") } else { "-".to_owned() };
        println!(
            "{:>8} s {temp:>5} C {:>9} {:>9} {:>9} {:>8} {:>7}{outside}",
            h.exposure_s,
            number(h.rms_adu),
            number(h.expected_adu),
            number(h.noise_adu),
            number(h.mean_adu),
            if h.outlying.is_finite() {
                format!("{:.2} %", 100.0 * h.outlying)
            } else {
                "-".to_owned()
            }
        );
    }
}
