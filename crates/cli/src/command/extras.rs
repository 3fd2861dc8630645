//! Completion scripts and manual pages.

use std::path::Path;

use clap::CommandFactory;
use clap_mangen::roff::{Inline, Roff, bold, roman};
use photosite::event::Silent;
use photosite_file::atomic::{Existing, write_bytes};
use serde_json::json;

use crate::args::{Cli, Limits, PlaceArgs};
use crate::{Done, config, resolve, show};

/// Prints a completion script.
pub fn completions(shell: clap_complete::Shell) -> anyhow::Result<Done> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "photosite", &mut script);
    println!("{}", String::from_utf8_lossy(&script).trim_end());
    Ok(Done::Well)
}

/// Shows the defaults in force and where each comes from.
pub fn settings(limits: Limits, as_json: bool) -> anyhow::Result<Done> {
    let context = resolve::context(limits, &Silent);
    let library = resolve::library(&PlaceArgs { library: None });
    let all = config::in_force(&context, library.as_deref());
    let folder = photosite::env::config_folder().map(|f| f.join(config::NAME));
    if as_json {
        show::json("config", &json!({ "settings": all, "user_file": folder }))?;
        return Ok(Done::Well);
    }
    let rows = all
        .iter()
        .map(|o| {
            let from = o.file.clone().unwrap_or_else(|| o.from.name().to_owned());
            vec![o.name.clone(), o.value.clone(), from]
        })
        .collect();
    show::table(&["SETTING", "value", "from"], &[], rows);
    if let Some(file) = folder {
        println!("your file: {}; a project's: {} in its folder", file.display(), config::NAME);
    }
    Ok(Done::Well)
}

/// Writes a manual page for the program and one for each verb.
pub fn man(folder: &Path) -> anyhow::Result<Done> {
    let mut command = Cli::command();
    command.build();
    page(&command, "photosite", folder)?;
    for verb in command.get_subcommands().filter(|c| c.get_name() != "help") {
        page(verb, &format!("photosite-{}", verb.get_name()), folder)?;
    }
    Ok(Done::Well)
}

/// What every page ends with.
const EXIT_STATUS: &str = "0 if all is done; 1 if it is done, with frames left out or findings of severity \
                           error (with --strict warnings as well); 2 if it failed.";

/// Variables of the environment.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("PHOTOSITE_LIBRARY", "The folder of the library of calibration frames and masters."),
    ("XDG_DATA_HOME", "The library is in its folder photosite where nothing else is said."),
    ("NO_COLOR", "No colours, even on a terminal."),
];

/// Files that are read and written besides those that are named.
const FILES: &[(&str, &str)] = &[
    ("OUT/masters, OUT/stacks, OUT/calibrated, OUT/registered", "Products of a run."),
    ("OUT/run.json", "The report of a run for machines, also of one that failed."),
    ("OUT/report.html", "The report of a run for people; it opens without a network."),
    ("LIBRARY/aliases.toml", "Names of filters that a person adds."),
    ("LIBRARY/cameras", "Profiles of cameras, measured."),
];

fn page(command: &clap::Command, name: &str, folder: &Path) -> anyhow::Result<()> {
    let mut text = Vec::new();
    // Clap wants names that live as long as the program; a manual page is written once.
    let named: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let page = clap_mangen::Man::new(command.clone().name(named));
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    let (examples, notes) = parts_of(&help);
    section(&mut text, "EXIT STATUS", &[roman(EXIT_STATUS)])?;
    section(&mut text, "ENVIRONMENT", &[])?;
    named_lines(&mut text, ENVIRONMENT)?;
    section(&mut text, "FILES", &[])?;
    named_lines(&mut text, FILES)?;
    if !examples.is_empty() {
        let mut out = Roff::default();
        out.control("SH", ["EXAMPLES"]);
        out.control("nf", []);
        examples.iter().for_each(|line| _ = out.text([roman(line.as_str())]));
        out.control("fi", []);
        out.to_writer(&mut text)?;
    }
    if !notes.is_empty() {
        section(&mut text, "NOTES", &notes.iter().map(|n| roman(n.as_str())).collect::<Vec<_>>())?;
    }
    page.render_version_section(&mut text)?;
    write_bytes(&folder.join(format!("{name}.1")), &text, Existing::Replace)?;
    Ok(())
}

/// The examples of a help text, and its other paragraphs.
fn parts_of(help: &str) -> (Vec<String>, Vec<String>) {
    let (mut examples, mut notes) = (Vec::new(), Vec::new());
    for paragraph in help.split("\n\n") {
        match paragraph.strip_prefix("Examples:\n").or_else(|| paragraph.strip_prefix("Example:\n"))
        {
            Some(lines) => examples.extend(lines.lines().map(|l| l.trim().to_owned())),
            // The exit status has a section of its own.
            None if paragraph.starts_with("Exit status:") || paragraph.trim().is_empty() => {}
            None => notes.push(paragraph.to_owned()),
        }
    }
    (examples, notes)
}

fn section(out: &mut Vec<u8>, name: &str, lines: &[Inline]) -> std::io::Result<()> {
    let mut page = Roff::default();
    page.control("SH", [name]);
    if !lines.is_empty() {
        page.text(lines.to_vec());
    }
    page.to_writer(out)
}

fn named_lines(out: &mut Vec<u8>, lines: &[(&str, &str)]) -> std::io::Result<()> {
    let mut page = Roff::default();
    for (name, meaning) in lines {
        page.control("TP", []);
        page.text([bold(*name)]);
        page.text([roman(*meaning)]);
    }
    page.to_writer(out)
}
