//! The library and what is decided with it, as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::MasterKind;
use super::place::PlaceArgs;

/// `photosite library`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite library add ~/astro/darks ~/astro/bias\n  \
                        photosite library list --kind dark\n  photosite library certify 3fa9c1 \
                        --from 2026-01-01 --to 2026-12-31\n  photosite library rebuild ~/astro\n\n\
                        The files are the record and stay where they are; the library is an index \
                        over them, beside the masters that Photosite made.")]
pub struct LibraryArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: LibraryVerb,
}

/// What can be done with a library.
#[derive(Debug, Subcommand)]
pub enum LibraryVerb {
    /// Add calibration frames and masters; the files stay where they are.
    Add {
        /// Files and folders; subfolders are searched.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// List masters and frames.
    List {
        /// Only this kind.
        #[arg(long, value_enum, value_name = "K")]
        kind: Option<MasterKind>,
    },
    /// Show everything known about one entry.
    Show {
        /// The first digits of its content hash, as `list` shows them.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Certify a master for lights taken in a range of dates.
    Certify {
        /// The master.
        #[arg(value_name = "ID")]
        id: String,
        /// The first day, as 2026-11-20.
        #[arg(long, value_name = "D")]
        from: Option<String>,
        /// The last day.
        #[arg(long, value_name = "D")]
        to: Option<String>,
    },
    /// Stop using a master; its file is kept.
    Retire {
        /// The master.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Check that every file exists and is unchanged.
    Verify {
        /// Read every file completely, not only masters and files that look changed.
        #[arg(long)]
        full: bool,
    },
    /// Rebuild the index from the files.
    Rebuild {
        /// Folders of calibration frames and masters.
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Copy the masters in use, and a list of all entries, into a folder.
    Export {
        /// The folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Remove missing files from the index, and delete retired masters that Photosite made.
    Prune {
        /// Show what would be done; change nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// `photosite match`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite match light.fits --explain\n  photosite match \
                        night/lights --json\n\nCalibration frames among the paths are preferred to \
                        those in the library. The rules are in docs/matching.md.")]
pub struct MatchArgs {
    /// Lights: files and folders.
    #[arg(required = true, value_name = "LIGHT")]
    pub lights: Vec<PathBuf>,
    /// Show every property of every candidate, including rejected ones.
    #[arg(long)]
    pub explain: bool,
    /// Print JSON: a list with one entry for each light.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `photosite plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite plan night/\n  photosite plan night/lights --share \
                        2\n\nCounts are those at which the master adds less than SHARE to \
                        the noise of one light; typical numbers are shown beside them."
)]
pub struct PlanArgs {
    /// Lights, or folders with them; calibration frames among them count as on hand.
    #[arg(required = true, value_name = "LIGHTS_OR_FOLDER")]
    pub paths: Vec<PathBuf>,
    /// How much a master may add to one light's noise: 5%, 5 or 0.05.
    #[arg(long, value_name = "SHARE", default_value = "5%")]
    pub share: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub place: PlaceArgs,
}
