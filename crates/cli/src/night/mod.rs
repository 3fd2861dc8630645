//! A night told to a person: its groups in tables, and at the end what came of it.

mod ending;
mod fit;
mod progress;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite::diagnose::Verdict;
use photosite::report::{
    LightReport, LightRow, MasterReport, MasterSource, RunReport, TrailReport,
};
use photosite_pix::stat::Summary;

use self::fit::Side::{Left, Name, Right, Words};
use self::fit::{end_cut, lines, terminal_width};
use crate::show;

pub use ending::{beginning, ending, needs};
pub use progress::NightProgress;

/// The file's name; every product ends in .fits, and the width is better spent on names.
fn name(path: &Path) -> String {
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    name.strip_suffix(".fits").map(str::to_owned).unwrap_or(name)
}

fn number(v: Option<f64>) -> String {
    v.map_or_else(|| "-".to_owned(), show::number)
}

fn fixed(v: Option<f64>, digits: usize) -> String {
    v.filter(|v| v.is_finite()).map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"))
}

/// Prints a table as wide as the terminal, and an empty line behind it; nothing without rows.
fn table(columns: &[(&str, fit::Side)], rows: &[Vec<String>]) {
    let told = lines(columns, rows, terminal_width());
    told.iter().for_each(|line| println!("{line}"));
    if !told.is_empty() {
        println!();
    }
}

/// The night in tables: frames, masters, lights a picture at a time, stacks. A dry run shows a line a
/// group, and all where that is wanted.
pub fn tables(report: &RunReport, dry_run: bool, all: bool) {
    frames(report);
    masters(&report.masters);
    if dry_run && !all {
        groups(report);
    } else {
        lights(report);
    }
    stacks(report);
}

fn frames(report: &RunReport) {
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for frame in &report.frames {
        let name = frame.kind.map_or("not known", |k| k.name());
        let count = kinds.entry(name).or_default();
        count.0 += 1;
        count.1 += usize::from(frame.used);
    }
    let row = |(kind, (all, used)): (&&str, &(usize, usize))| {
        vec![(*kind).to_owned(), all.to_string(), used.to_string()]
    };
    let rows: Vec<Vec<String>> = kinds.iter().map(row).collect();
    table(&[("FRAMES", Left), ("found", Right), ("used", Right)], &rows);
}

fn masters(masters: &[MasterReport]) {
    let row = |m: &MasterReport| {
        let from = match m.from {
            MasterSource::Library => "from the library",
            MasterSource::Output if m.reused => "reused",
            MasterSource::Output => "",
        };
        let counted = |n: usize| if n == 0 { String::new() } else { n.to_string() };
        vec![
            name(&m.path),
            m.frames.to_string(),
            format!("{}/{}", m.combine, m.reject),
            number(m.stats.map(|s| s.median)),
            number(m.stats.map(|s| s.noise)),
            counted(m.hot),
            counted(m.cold),
            from.to_owned(),
        ]
    };
    let columns = [
        ("MASTER", Name(20)),
        ("frames", Right),
        ("combined", Words(8)),
        ("median", Right),
        ("noise", Right),
        ("hot", Right),
        ("cold", Right),
        ("", Words(6)),
    ];
    table(&columns, &masters.iter().map(row).collect::<Vec<_>>());
}

/// Lights of a night that are told together: those of one picture, or of one set of masters.
struct Group<'a> {
    title: String,
    lights: Vec<&'a LightReport>,
}

fn grouped(report: &RunReport) -> Vec<Group<'_>> {
    let by_path: BTreeMap<&Path, &LightReport> =
        report.lights.iter().map(|l| (l.path.as_path(), l)).collect();
    let mut rest = by_path.clone();
    let mut out = Vec::new();
    for picture in &report.pictures {
        let lights: Vec<&LightReport> =
            picture.lights.iter().filter_map(|path| rest.remove(path.as_path())).collect();
        let title = picture.name.strip_suffix(".fits").unwrap_or(&picture.name);
        out.push(Group { title: title.to_owned(), lights });
    }
    let mut others: BTreeMap<Vec<&Path>, Vec<&LightReport>> = BTreeMap::new();
    for light in rest.into_values() {
        others.entry(masters_of(light)).or_default().push(light);
    }
    let title = |lights: &[&LightReport]| match lights.len() {
        1 => "1 light in no stack".to_owned(),
        n => format!("{n} lights in no stack"),
    };
    out.extend(others.into_values().map(|lights| Group { title: title(&lights), lights }));
    out.retain(|group| !group.lights.is_empty());
    out
}

fn masters_of(light: &LightReport) -> Vec<&Path> {
    [&light.bias, &light.dark, &light.flat].into_iter().flatten().map(PathBuf::as_path).collect()
}

/// The masters of a group, each once.
fn masters_told(lights: &[&LightReport]) -> String {
    let mut names: Vec<String> = Vec::new();
    for master in lights.iter().flat_map(|l| masters_of(l)) {
        let name = name(master);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() { "no masters".to_owned() } else { names.join(", ") }
}

/// A line a group.
fn groups(report: &RunReport) {
    let rows: Vec<Vec<String>> = grouped(report)
        .iter()
        .map(|group| {
            let lights = &group.lights;
            let left_out = report
                .table
                .iter()
                .filter(|row| row.left_out.is_some() && lights.iter().any(|l| l.path == row.path));
            let left_out = match left_out.count() {
                0 => String::new(),
                n => n.to_string(),
            };
            let masters = masters_told(lights);
            vec![group.title.clone(), lights.len().to_string(), left_out, masters]
        })
        .collect();
    let columns =
        [("STACK", Name(16)), ("lights", Right), ("left out", Right), ("masters", Words(20))];
    table(&columns, &rows);
}

fn lights(report: &RunReport) {
    let rows: BTreeMap<&Path, &LightRow> =
        report.table.iter().map(|row| (row.path.as_path(), row)).collect();
    for group in grouped(report) {
        let width = terminal_width();
        println!(
            "{}",
            end_cut(&format!("{}: {}", group.title, masters_told(&group.lights)), width)
        );
        if group.lights.iter().any(|l| rows.contains_key(l.path.as_path())) {
            seen(&group, &rows);
        } else {
            calibrated(&group);
        }
    }
}

/// What is to be said of a light besides numbers.
fn note(light: &LightReport, row: Option<&LightRow>) -> String {
    let mut words: Vec<String> = row.map(|r| r.note.clone()).into_iter().collect();
    match light.dark_source {
        Some(source) => {
            let factor = show::factor(source, light.dark_scale, light.dark_scale_error);
            words.push(if factor.is_empty() { factor } else { format!("dark{factor}") });
        }
        None if !light.dark_ways.is_empty() => words.push("dark x fitted".to_owned()),
        None => {}
    }
    let fit = light.flat_fit.map_or_else(String::new, show::flat_fit);
    if fit != " fits" && !fit.is_empty() {
        words.push(format!("flat{fit}"));
    }
    if light.reused {
        words.push("reused".to_owned());
    }
    words.retain(|w| !w.is_empty());
    words.join("; ")
}

fn verdict(verdict: Option<Verdict>) -> String {
    verdict.map_or_else(String::new, |v| v.name().to_owned())
}

/// The table of lights of a picture.
fn seen(group: &Group<'_>, rows: &BTreeMap<&Path, &LightRow>) {
    let row = |light: &&LightReport| {
        let seen = rows.get(light.path.as_path()).copied();
        let marked = |column: &str, text: String| {
            let odd = seen.is_some_and(|s| s.outliers.iter().any(|o| o.column == column));
            if odd { format!("{text}!") } else { text }
        };
        let of = |value: fn(&LightRow) -> Option<f64>| seen.and_then(value);
        vec![
            name(&light.path),
            seen.map_or_else(|| "-".to_owned(), |s| s.stars.to_string()),
            marked("fwhm", fixed(of(|s| s.fwhm_px), 2)),
            marked("round", fixed(of(|s| s.round), 2)),
            marked("sky", fixed(of(|s| Some(s.sky_adu)), 1)),
            fixed(of(|s| Some(s.noise_adu)), 2),
            marked("transparency", fixed(of(|s| s.transparency), 2)),
            fixed(of(|s| Some(s.weight)), 2),
            marked("residual", fixed(of(|s| s.residual_px), 2)),
            verdict(light.verdict),
            note(light, seen),
        ]
    };
    let columns = [
        ("LIGHT", Name(12)),
        ("stars", Right),
        ("FWHM", Right),
        ("round", Right),
        ("sky", Right),
        ("noise", Right),
        ("transp.", Right),
        ("weight", Right),
        ("resid.", Right),
        ("verdict", Words(5)),
        ("note", Words(9)),
    ];
    table(&columns, &group.lights.iter().map(row).collect::<Vec<_>>());
}

/// Lights that were calibrated and not looked over.
fn calibrated(group: &Group<'_>) {
    let row = |l: &&LightReport| {
        let stat = |s: Option<Summary>, f: fn(&Summary) -> f64| number(s.as_ref().map(f));
        vec![
            name(&l.path),
            stat(l.stats_before, |s| s.median),
            stat(l.stats_after, |s| s.median),
            stat(l.stats_after, |s| s.noise),
            if l.repaired > 0 { l.repaired.to_string() } else { String::new() },
            verdict(l.verdict),
            note(l, None),
        ]
    };
    let columns = [
        ("LIGHT", Name(16)),
        ("median raw", Right),
        ("calibrated", Right),
        ("noise", Right),
        ("repaired", Right),
        ("verdict", Words(5)),
        ("note", Words(9)),
    ];
    table(&columns, &group.lights.iter().map(row).collect::<Vec<_>>());
}

fn stacks(report: &RunReport) {
    let rows: Vec<Vec<String>> = report
        .stacks
        .iter()
        .map(|s| {
            vec![
                name(&s.path),
                s.inputs.len().to_string(),
                number(s.exposure_s),
                s.reject.clone(),
                show::number(s.noise_adu),
                format!("1/{:.2}", s.noise_gain),
                s.stars.to_string(),
                fixed(s.fwhm_px, 2),
                if s.reused { "reused".to_owned() } else { String::new() },
            ]
        })
        .collect();
    let columns = [
        ("STACK", Name(16)),
        ("lights", Right),
        ("exposure s", Right),
        ("rejection", Words(8)),
        ("noise", Right),
        ("vs one light", Right),
        ("stars", Right),
        ("FWHM px", Right),
        ("", Words(6)),
    ];
    table(&columns, &rows);
    for stack in &report.stacks {
        if let Some(masked) = TrailReport::count(&stack.trails) {
            println!("{}: {masked}", name(&stack.path));
        }
    }
}
