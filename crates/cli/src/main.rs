//! The `photosite` command.
//!
//! Data goes to standard output, messages to standard error. Exit status: 0 done; 1 done, with
//! frames left out or findings of severity error; 2 failed.

/// Prints a line of data to standard output; what cannot be written ends the command in good order.
macro_rules! println {
    () => { $crate::show::line(format_args!("")) };
    ($($t:tt)*) => { $crate::show::line(format_args!($($t)*)) };
}

/// Prints a message to standard error; a log that takes nothing more loses it, and work goes on.
macro_rules! eprintln {
    ($($t:tt)*) => { $crate::show::message(format_args!($($t)*)) };
}

mod args;
mod command;
mod config;
mod night;
mod resolve;
mod show;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use photosite::Finding;
use photosite::finding::Severity;

use crate::args::{Cli, Command};

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// All is well.
    Well,
    /// Something was left out, or wants a person.
    WithFindings,
}

impl Done {
    /// By the gravest of the findings.
    pub fn of(findings: &[Finding]) -> Self {
        let severe = findings.iter().any(|f| f.severity == Severity::Error);
        if severe { Self::WithFindings } else { Self::Well }
    }
}

fn main() -> ExitCode {
    let command = Cli::command();
    let typed = command.clone().get_matches();
    let cli = Cli::from_arg_matches(&typed).unwrap_or_else(|e| e.exit());
    config::note_typed(&command, &typed);
    let strict = cli.manner.strict;
    let done = speak(&cli).and_then(|()| dispatch(cli));
    match done.and_then(|done| show::all_written().map(|()| done)) {
        Ok(Done::Well) if strict && show::warned() => ExitCode::from(1),
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::WithFindings) => ExitCode::from(1),
        Err(e) => {
            show::error(&e);
            ExitCode::from(2)
        }
    }
}

/// Says from now on what was asked to be said, and goes by the settings that are kept in files.
fn speak(cli: &Cli) -> anyhow::Result<()> {
    let log = match &cli.manner.log {
        None => None,
        Some(path) => Some(show::open_log(path)?),
    };
    let prints_data = cli.command.prints_data();
    show::speak(show::Voice { quiet: cli.manner.quiet, log, prints_data });
    config::load()
}

fn dispatch(cli: Cli) -> anyhow::Result<Done> {
    let limits = cli.limits;
    match cli.command {
        Command::Run(args) => command::run::run(&args, limits),
        Command::Demo(args) => command::demo::run(args, limits),
        Command::Simulate(args) => command::simulate::run(args, limits),
        Command::Master(args) => command::master::run(args, limits),
        Command::Calibrate(args) => command::calibrate::run(args, limits),
        Command::DarkModel(args) => command::dark_model::run(args, limits),
        Command::Sensor(args) => command::sensor::run(args, limits),
        Command::Defects(args) => command::defects::run(args, limits),
        Command::Stack(args) => command::stack::run(args, limits),
        Command::Register(args) => command::register::run(args, limits),
        Command::Stars(args) => command::stars::run(args, limits),
        Command::Debayer(args) => command::colour::debayer(&args, limits),
        Command::Extract(args) => command::colour::extract_lines(&args, limits),
        Command::Compose(args) => command::colour::compose_picture(args, limits),
        Command::Diagnose(args) => command::diagnose::run(args, limits),
        Command::Explain(args) => command::explain::run(args),
        Command::Report(args) => command::report::run(&args),
        Command::Verify(args) => command::verify::run(args, limits),
        Command::Inspect(args) => command::inspect::run(args),
        Command::Stats(args) => command::stats::run(args),
        Command::Pixels(args) => command::pixels::run(args),
        Command::Preview(args) => command::preview::run(&args),
        Command::Convert(args) => command::convert::run(&args),
        Command::Library(args) => command::library::run(args, limits),
        Command::Match(args) => command::matching::run(args, limits),
        Command::Plan(args) => command::plan::run(args, limits),
        Command::Config { json } => command::extras::settings(limits, json),
        Command::Completions { shell } => command::extras::completions(shell),
        Command::Man { output } => command::extras::man(&output),
    }
}
