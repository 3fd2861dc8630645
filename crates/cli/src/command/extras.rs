//! Completion scripts and manual pages.

use std::io::stdout;
use std::path::Path;

use clap::CommandFactory;
use photosite_file::atomic::{Existing, write_bytes};

use crate::Done;
use crate::args::Cli;

/// Prints a completion script.
pub fn completions(shell: clap_complete::Shell) -> anyhow::Result<Done> {
    clap_complete::generate(shell, &mut Cli::command(), "photosite", &mut stdout());
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

fn page(command: &clap::Command, name: &str, folder: &Path) -> anyhow::Result<()> {
    let mut text = Vec::new();
    // Clap wants names that live as long as the program; a manual page is written once.
    let named: &'static str = Box::leak(name.to_owned().into_boxed_str());
    clap_mangen::Man::new(command.clone().name(named)).render(&mut text)?;
    write_bytes(&folder.join(format!("{name}.1")), &text, Existing::Replace)?;
    Ok(())
}
