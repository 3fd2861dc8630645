//! `photosite sensor`.

use std::path::PathBuf;

use anyhow::bail;
use photosite::run::{SensorRequest, measure_sensor};
use photosite::sensor::{Measure, Question, SensorReport};
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
    let progress = Progress::new();
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
        println!("{}", serde_json::to_string_pretty(&told(&report))?);
    } else {
        tell(&report);
    }
    Ok(Done::of(&report.findings))
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
    let mut of: Vec<String> = Vec::new();
    of.extend(m.channel.clone());
    of.extend(m.temp_c.map(|t| format!("{t:.1} C")));
    of.extend(m.exposure_s.map(|t| format!("{t} s")));
    let note = match (m.valid, m.reason.as_str()) {
        (true, reason) => reason.to_owned(),
        (false, reason) => format!("not valid: {reason}"),
    };
    vec![m.name.clone(), value(m.value), between, m.unit.clone(), of.join(" "), m.method.clone(), note]
}

/// A number to five digits.
fn significant(v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return format!("{v}");
    }
    let digits = (4 - v.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{v:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
