//! `photosite report`.

use photosite::run::write_page;

use crate::args::ReportArgs;
use crate::{Done, show};

/// Writes the page of a run anew.
pub fn run(args: &ReportArgs) -> anyhow::Result<Done> {
    let page = args.output.clone().unwrap_or_else(|| args.folder.join("report.html"));
    let written = write_page(&args.folder, &page)?;
    show::line(format_args!("{} written", super::shown(&written)));
    Ok(Done::Well)
}
