//! `photosite match`.

use anyhow::bail;
use photosite::Finding;
use photosite::finding::Severity;
use photosite::inventory::KindOverrides;
use photosite::library::{Cost, FEW_REFUSALS, Library, Outcome, Shelf};
use photosite::plan::plan;
use photosite::report::{ChoiceReport, DarkWayReport};
use photosite::run::{noise_by_profile, take_night};
use photosite_pix::FrameKind;
use serde::Serialize;

use crate::args::{Limits, MatchArgs};
use crate::show::{self, Progress};
use crate::{Done, resolve};

/// One light and its masters.
#[derive(Debug, Serialize)]
struct Matched {
    path: String,
    masters: Vec<ChoiceReport>,
    /// For a light without a matched dark: the dark that is to be fitted, and what each way leaves.
    dark_to_fit: Option<String>,
    dark_ways: Vec<DarkWayReport>,
    findings: Vec<Finding>,
}

/// Shows which master each light gets.
pub fn run(args: MatchArgs, limits: Limits) -> anyhow::Result<Done> {
    let progress = Progress::default();
    let context = resolve::context(limits, &progress);
    let (mut inventory, found) = take_night(&args.lights, &KindOverrides::default(), &context)?;
    let place = resolve::library(&args.place);
    if let Some(place) = &place {
        noise_by_profile(&mut inventory, place);
    }
    let library = open(place)?;
    let shelf = Shelf::of(library.as_ref(), &found)?;
    let keep = if args.explain { usize::MAX } else { FEW_REFUSALS };
    let planned = plan(&mut inventory, shelf.as_ref(), keep);
    show::findings(&inventory.findings);
    if planned.lights.is_empty() {
        bail!("there is no light among {} frames", inventory.frames.len());
    }
    let matched: Vec<Matched> = planned
        .lights
        .iter()
        .map(|light| {
            let path = inventory[light.frame].path.display().to_string();
            let mut masters: Vec<ChoiceReport> =
                light.choices.iter().map(|(kind, e)| ChoiceReport::of(*kind, e)).collect();
            // Flats that are not a master yet want a dark of their own.
            let of_flat = light.flat.and_then(|id| planned[id].dark_flat.as_ref());
            masters.extend(of_flat.map(|e| ChoiceReport::of(FrameKind::DarkFlat, e)));
            // A finding about all lights of a group is one about this light.
            let about = |f: &&Finding| {
                f.subject == path || f.evidence.get("group").is_some_and(|g| *g == light.group)
            };
            let findings = planned.findings.iter().filter(about).cloned().collect();
            let dark_to_fit = light.scaled.as_ref().map(|s| s.dark.clone());
            let dark_ways = DarkWayReport::of(light.scaled.as_ref(), None);
            Matched { path, masters, dark_to_fit, dark_ways, findings }
        })
        .collect();
    if args.json {
        show::json("match", &matched)?;
    } else {
        matched.iter().for_each(|m| tell(m, args.explain));
    }
    let severe = planned.findings.iter().any(|f| f.severity == Severity::Error);
    Ok(if severe { Done::WithFindings } else { Done::Well })
}

/// Opens a library to look into; one that is not there is not made.
pub fn open(folder: Option<std::path::PathBuf>) -> anyhow::Result<Option<Library>> {
    let there = folder.filter(|f| f.exists());
    Ok(there.map(|f| Library::open(&f)).transpose()?)
}

fn price(cost: &Cost) -> String {
    let digits = |v: f64| if v >= 100.0 { format!("{v:.0}") } else { format!("{v:.2}") };
    let assumed = if cost.measured == Some(false) { " (dark current assumed)" } else { "" };
    let unit = cost.unit.sign();
    match (cost.unit, cost.floor) {
        (photosite::library::CostUnit::Share, _) => {
            format!("residual {:.2} % of the signal", cost.value * 100.0)
        }
        (_, Some(floor)) => format!(
            "residual {} {unit} RMS{assumed}, light noise {} {unit}",
            digits(cost.value),
            digits(floor)
        ),
        (_, None) => format!("residual {} {unit} RMS{assumed}", digits(cost.value)),
    }
}

/// What each way to treat the dark signal is predicted to leave.
fn ways(all: &[DarkWayReport]) {
    let rows = all
        .iter()
        .map(|way| {
            let residual = way.residual.map_or_else(|| "-".to_owned(), |r| format!("{r:.3}"));
            vec![
                format!("            {}", way.source.name()),
                way.k.map_or_else(|| "measured".to_owned(), |k| format!("{k:.4}")),
                format!("{residual} {}", way.unit.sign()),
                if way.taken { "expected".to_owned() } else { String::new() },
            ]
        })
        .collect();
    show::table(&["            WAY", "factor", "residual", ""], &[1, 2], rows);
}

fn tell(matched: &Matched, explain: bool) {
    println!("{}", matched.path);
    for m in &matched.masters {
        let from = |id: &Option<String>| {
            id.as_ref().map_or_else(String::new, |id| format!(" (library {id})"))
        };
        match (&m.chosen, &m.cost) {
            (Some(name), Some(cost)) => {
                println!("  {:9} {name}{}: {}", m.kind.name(), from(&m.library_id), price(cost));
            }
            _ => println!("  {:9} none of {} matches", m.kind.name(), m.refused_count),
        }
        if let Some(dark) = matched.dark_to_fit.as_ref().filter(|_| m.kind == FrameKind::Dark) {
            println!("            to be fitted to the light: {dark}");
            ways(&matched.dark_ways);
        }
        if let Some(second) = &m.runner_up {
            println!(
                "            runner-up: {}{}: {}",
                second.master,
                from(&second.library_id),
                price(&second.cost)
            );
        }
        if explain {
            let rows = m
                .checks
                .iter()
                .map(|c| {
                    // What neither has agrees: two cameras without colours.
                    let none = if c.outcome == Outcome::Agrees { "none" } else { "not known" };
                    let show = |v: &Option<String>| v.clone().unwrap_or_else(|| none.into());
                    let word = match c.outcome {
                        Outcome::Agrees if c.is_alias() => "agrees by an alias",
                        Outcome::Agrees => "agrees",
                        Outcome::Unknown => "not known",
                        Outcome::Doubtful => "doubtful",
                        Outcome::Differs => "differs",
                    };
                    let left = m.cost.as_ref().and_then(|cost| {
                        Some(format!("{:.3} {}", cost.of(c.field)?, cost.unit.sign()))
                    });
                    vec![
                        format!("            {}", c.field.name()),
                        show(&c.wanted),
                        show(&c.found),
                        word.to_owned(),
                        left.unwrap_or_default(),
                    ]
                })
                .collect();
            show::table(&["            PROPERTY", "light", "master", "", "residual"], &[], rows);
        }
        let few = if m.chosen.is_none() || explain { usize::MAX } else { 0 };
        for refused in m.refused.iter().take(few) {
            let why: Vec<String> = refused
                .differs
                .iter()
                .map(|c| {
                    let show = |v: &Option<String>| v.clone().unwrap_or_else(|| "not known".into());
                    format!("{} {} instead of {}", c.field.name(), show(&c.found), show(&c.wanted))
                })
                .collect();
            println!(
                "            not {}{}: {}",
                refused.master,
                from(&refused.library_id),
                why.join(", ")
            );
        }
    }
    for finding in &matched.findings {
        println!("  {}: {}", finding.severity.name(), finding.message);
    }
}
