//! `photosite sensor`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use photosite::run::{SensorRequest, keep_profile, measure_sensor, read_profile};
use photosite::sensor::{Measure, Question, SensorReport, difference, significant};
use serde_json::{Value, json};

use crate::args::{Limits, MeasureArgs, SensorArgs, SensorVerb};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// Measures a sensor, or answers one question about it.
pub fn run(args: SensorArgs, limits: Limits) -> anyhow::Result<Done> {
    let (asked, question) = match args.verb {
        SensorVerb::Measure(m) => (m, None),
        SensorVerb::Gain(m) => (m, Some(Question::Gain)),
        SensorVerb::ReadNoise(m) => (m, Some(Question::ReadNoise)),
        SensorVerb::DarkCurrent(m) => (m, Some(Question::DarkCurrent)),
        SensorVerb::Linearity(m) => (m, Some(Question::Linearity)),
        SensorVerb::Temperature(m) => (m, Some(Question::Temperature)),
        SensorVerb::Interference(m) => (m, Some(Question::Interference)),
        SensorVerb::Diff { first, second } => return compare(&first, &second, args.json),
        SensorVerb::Keep { profile, place } => {
            let kept = keep_profile(&read_profile(&profile)?, &resolve::library_needed(&place)?)?;
            if args.json {
                show::json("sensor-kept", &json!({ "path": kept }))?;
            } else {
                println!("{} written", kept.display());
            }
            return Ok(Done::Well);
        }
    };
    measure(asked, question, args.json, limits)
}

fn measure(
    args: MeasureArgs,
    question: Option<Question>,
    as_json: bool,
    limits: Limits,
) -> anyhow::Result<Done> {
    if args.sky.is_some_and(|s| !(s.is_finite() && s > 0.0)) {
        bail!("--sky is a number of electrons a second above 0");
    }
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let mut paths: Vec<PathBuf> = args.paths;
    let overrides = resolve::overrides(&args.kinds, &mut paths)?;
    let request =
        SensorRequest { paths, output: args.output.clone(), overrides, sky_e_s: args.sky };
    let mut report = measure_sensor(&request, &context)?;
    if let Some(folder) = &args.output {
        photosite::product::write_sensor(&report, folder)?;
    }
    if let Some(question) = question {
        report.measures.retain(|m| question.is_answered_by(&m.name));
        report.missing.retain(|m| question.is_answered_by(&m.measure));
    }
    show::findings(&report.findings);
    if as_json {
        show::json("sensor", &told(&report))?;
    } else {
        tell(&report);
    }
    Ok(Done::of(&report.findings))
}

/// Prints what two profiles share, side by side.
fn compare(first: &Path, second: &Path, as_json: bool) -> anyhow::Result<Done> {
    let found = difference(&read_profile(first)?, &read_profile(second)?);
    if as_json {
        show::json("sensor-diff", &json!({ "differences": found }))?;
        return Ok(Done::Well);
    }
    let rows = found.iter().map(|d| {
        let share = 100.0 * (d.second / d.first - 1.0);
        vec![
            d.name.clone(),
            significant(d.first),
            significant(d.second),
            d.unit.clone(),
            if share.is_finite() { format!("{share:+.2} %") } else { String::new() },
            d.sigmas.map_or_else(String::new, |s| format!("{s:+.1}")),
            circumstances((&d.channel, d.amplifier), d.temp_c, d.exposure_s),
        ]
    });
    let heading = ["measure", "first", "second", "unit", "change", "in errors", "of"];
    show::table(&heading, &[1, 2, 4, 5], rows.collect());
    Ok(Done::Well)
}

/// Colour, amplifier, temperature and exposure, as far as there are any.
fn circumstances(
    (channel, amplifier): (&Option<String>, Option<u32>),
    temp_c: Option<f64>,
    exposure_s: Option<f64>,
) -> String {
    let mut of: Vec<String> = Vec::new();
    of.extend(channel.clone());
    of.extend(amplifier.map(|a| format!("amplifier {a}")));
    of.extend(temp_c.map(|t| format!("{t:.1} C")));
    of.extend(exposure_s.map(|t| format!("{} s", significant(t))));
    of.join(" ")
}

/// What scripts are told: the report without the points of its plots.
fn told(report: &SensorReport) -> Value {
    json!({
        "schema": report.schema,
        "camera": report.camera,
        "set_up": report.set_up,
        "measures": report.measures,
        "missing": report.missing,
        "findings": report.findings,
    })
}

fn tell(report: &SensorReport) {
    println!("{}", report.camera.as_deref().unwrap_or("a camera that its headers do not name"));
    for (name, value) in &report.set_up {
        println!("  {name}: {value}");
    }
    let rows = report.measures.iter().map(row).collect();
    let heading = ["measure", "value", "95 % between", "unit", "of", "method", ""];
    show::table(&heading, &[1], rows);
    if !report.missing.is_empty() {
        println!();
        println!("frames that would tell more:");
        for m in &report.missing {
            println!("  {:<16} {}", m.measure, m.take);
        }
    }
}

fn row(m: &Measure) -> Vec<String> {
    let value = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), significant);
    let between = match (m.low, m.high) {
        (Some(low), Some(high)) => format!("{} .. {}", significant(low), significant(high)),
        _ => String::new(),
    };
    let of = circumstances((&m.channel, m.amplifier), m.temp_c, m.exposure_s);
    let note = match (m.valid, m.reason.as_str()) {
        (true, reason) => reason.to_owned(),
        (false, reason) => format!("not valid: {reason}"),
    };
    vec![m.name.clone(), value(m.value), between, m.unit.clone(), of, m.method.clone(), note]
}
