//! The first line of a run, and the last screen: what came of it, by itself.

use std::path::{Path, PathBuf};

use photosite::finding::Severity;
use photosite::report::{PictureReport, RunReport};
use photosite_pix::FrameKind;

use super::fit::{end_cut, middle_cut, terminal_width};
use crate::show;

/// Lines of the last screen at most: a terminal has 24, and one is the prompt's.
const SCREEN: usize = 22;

/// Lines that each part has at most.
const PICTURES: usize = 8;
const NOT_MADE: usize = 4;
const LEFT_OUT: usize = 4;
const ALONE: usize = 2;

/// The first line: where masters are kept, and where products go.
pub fn beginning(library: Option<&Path>, output: &Path) -> String {
    let library = library.map_or_else(|| "none".to_owned(), |l| l.display().to_string());
    format!("library {library}, output {}", output.display())
}

/// Prints what came of a run on one screen: stacks, what was not made and why, lights left out, lights in no
/// stack, errors and warnings, and where the report is.
pub fn ending(report: &RunReport, report_path: Option<&Path>) {
    let width = terminal_width();
    screen(report, report_path, width).iter().for_each(|line| println!("{line}"));
}

/// A path and what is said of it, in a line.
fn with_path(path: &str, words: &str, width: usize) -> String {
    let words = if words.is_empty() { String::new() } else { format!("  {words}") };
    let room = width.saturating_sub(2 + words.chars().count()).max(24);
    end_cut(&format!("  {}{words}", middle_cut(path, room)), width)
}

/// A part: its heading and at most so many lines; the rest is counted.
fn part(heading: String, lines: Vec<String>, most: usize, out: &mut Vec<String>) {
    if lines.is_empty() {
        return;
    }
    out.push(heading);
    let more = lines.len().saturating_sub(most);
    let shown = if more > 0 { most - 1 } else { most };
    let hidden = lines.len().saturating_sub(shown);
    out.extend(lines.into_iter().take(shown));
    if more > 0 {
        out.push(format!("  and {hidden} more"));
    }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn screen(report: &RunReport, report_path: Option<&Path>, width: usize) -> Vec<String> {
    let mut out = Vec::new();
    let made = report.stacks.iter().map(|s| {
        let lights = counted(s.inputs.len(), "light");
        let reused = if s.reused { ", reused" } else { "" };
        with_path(&s.path.display().to_string(), &format!("{lights}{reused}"), width)
    });
    part(counted(report.stacks.len(), "stack"), made.collect(), PICTURES, &mut out);
    let kept: Vec<&PathBuf> = report.lights.iter().filter_map(|l| l.output.as_ref()).collect();
    if let Some(folder) = kept.first().and_then(|p| p.parent()).filter(|_| !stacks_asked(report)) {
        out.push(counted(kept.len(), "calibrated light"));
        out.push(with_path(&folder.display().to_string(), "", width));
    }
    let not_made: Vec<&PictureReport> =
        report.pictures.iter().filter(|p| stack_of(report, p).is_none()).collect();
    let lines = not_made.iter().map(|p| with_path(&p.name, &why_not(report, p), width));
    part(
        format!("{} not made", counted(not_made.len(), "stack")),
        lines.collect(),
        NOT_MADE,
        &mut out,
    );
    let left_out = left_out(report);
    let is_light = |path: &Path| {
        let frame = report.frames.iter().find(|f| f.path == path);
        frame.is_some_and(|f| f.kind == Some(FrameKind::Light))
    };
    let what = if left_out.iter().all(|(path, _)| is_light(path)) { "light" } else { "frame" };
    let lines = left_out.iter().map(|(path, why)| with_path(&file_name(path), why, width));
    part(
        format!("{} left out", counted(left_out.len(), what)),
        lines.collect(),
        LEFT_OUT,
        &mut out,
    );
    let alone = alone(report);
    let lines = alone.iter().map(|(path, kept)| {
        let kept = kept.as_ref().map_or("not calibrated".to_owned(), |k| k.display().to_string());
        with_path(&file_name(path), &kept, width)
    });
    part(
        format!("{} in no stack, calibrated alone", counted(alone.len(), "light")),
        lines.collect(),
        ALONE,
        &mut out,
    );
    let of = |severity| report.findings.iter().filter(|f| f.severity == severity).count();
    let mut told = format!(
        "{}, {}",
        counted(of(Severity::Error), "error"),
        counted(of(Severity::Warning), "warning")
    );
    if let Some(total) = report.timing.get("total_s") {
        told += &format!("; done in {total:.1} s");
    }
    out.push(told);
    if let Some(path) = report_path {
        let page = path.with_file_name("report.html");
        out.push(with_path(&page.display().to_string(), "all of it, to look at", width));
    }
    debug_assert!(out.len() <= SCREEN, "{} lines", out.len());
    out
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// The stack that a planned picture became.
fn stack_of<'a>(
    report: &'a RunReport,
    picture: &PictureReport,
) -> Option<&'a photosite::report::StackReport> {
    report.stacks.iter().find(|s| s.inputs.first().is_some_and(|i| picture.lights.contains(i)))
}

/// Why a planned picture was not made.
fn why_not(report: &RunReport, picture: &PictureReport) -> String {
    let stem = picture.name.rsplit_once('_').map_or(&*picture.name, |(stem, _)| stem);
    let told = report.findings.iter().find(|f| {
        let of_stacks = ["stack-not-made", "selection-leaves-nothing"].contains(&&*f.code);
        of_stacks && f.subject.split(", ").any(|name| name == stem)
    });
    if let Some(finding) = told {
        return first_line(&finding.message);
    }
    let mut bad = picture.lights.iter().filter_map(|path| why_left_out(report, path));
    match bad.next_back() {
        Some(why) => format!("fewer than 2 lights are left: {why}"),
        None => "the run ended before".to_owned(),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// What a finding says of a light that was left out.
fn why_left_out(report: &RunReport, path: &Path) -> Option<String> {
    let subject = path.display().to_string();
    let about: Vec<_> = report.findings.iter().filter(|f| f.subject == subject).collect();
    let left_out = about.iter().find_map(|f| f.message.strip_prefix("left out: "));
    let gravest = about.iter().max_by_key(|f| f.severity).map(|f| f.message.as_str());
    left_out.or(gravest).map(first_line)
}

/// Lights that were left out, and why: frames that could not be used, and those that are not in the stack
/// they were meant for.
fn left_out(report: &RunReport) -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    for picture in &report.pictures {
        let Some(stack) = stack_of(report, picture) else { continue };
        for path in picture.lights.iter().filter(|p| !stack.inputs.contains(p)) {
            let row = report.table.iter().find(|row| row.path == *path);
            let why = row.and_then(|row| row.left_out.clone());
            let why = why.or_else(|| why_left_out(report, path)).unwrap_or_default();
            out.push((path.clone(), why));
        }
    }
    let excluded = report.findings.iter().filter(|f| f.code == "frame-excluded");
    out.extend(excluded.map(|f| {
        let why = f.message.strip_prefix("left out: ").unwrap_or(&f.message);
        (PathBuf::from(&f.subject), why.to_owned())
    }));
    let planned = |path: &Path| report.lights.iter().any(|l| l.path == path);
    // What cannot be read may have been a light.
    let unread = |path: &Path| {
        let subject = path.display().to_string();
        report.findings.iter().any(|f| f.severity == Severity::Error && f.subject == subject)
    };
    let unfit = report.frames.iter().filter(|f| {
        let light = f.kind == Some(FrameKind::Light) || f.kind.is_none() && unread(&f.path);
        light && !f.used && !planned(&f.path)
    });
    out.extend(unfit.map(|f| (f.path.clone(), why_left_out(report, &f.path).unwrap_or_default())));
    out
}

/// Whether lights were to be stacked; otherwise they are calibrated, and that is all.
fn stacks_asked(report: &RunReport) -> bool {
    report.asked.as_ref().and_then(|asked| asked["stack"].as_bool()).unwrap_or(true)
}

/// Lights that no stack was planned for, and where they are kept.
fn alone(report: &RunReport) -> Vec<(PathBuf, Option<PathBuf>)> {
    if !stacks_asked(report) {
        return Vec::new();
    }
    let planned = |path: &Path| report.pictures.iter().any(|p| p.lights.iter().any(|l| l == path));
    let alone = report.lights.iter().filter(|l| !planned(&l.path));
    alone.map(|l| (l.path.clone(), l.output.clone())).collect()
}

/// What a dry run ends in: what the work needs.
pub fn needs(report: &RunReport) -> String {
    let f = report.forecast;
    let scratch = match f.scratch_bytes {
        0 => String::new(),
        n => format!(", {} of temporary disk space", show::bytes(n)),
    };
    format!(
        "needs to read {}, write {}{scratch}, and about {} of memory; nothing was written",
        show::bytes(f.read_bytes),
        show::bytes(f.write_bytes),
        show::bytes(f.memory_bytes)
    )
}
