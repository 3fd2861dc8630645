//! The library and what is decided with it, as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::MasterKind;

/// Where the library is.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// The folder of the library; by default PHOTOSITE_LIBRARY, or the user's data folder.
    #[arg(long, value_name = "PATH", global = true)]
    pub library: Option<PathBuf>,
}

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
    /// Add calibration frames and masters, wherever they lie.
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
    /// Show all that is known of one.
    Show {
        /// The first digits of its content hash, as `list` shows them.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Vouch for a master, for lights of a range of dates.
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
    /// Use a master no more; its file stays.
    Retire {
        /// The master.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Look whether every file is there and is what it was.
    Verify {
        /// Read every file through, not only masters and those that look changed.
        #[arg(long)]
        full: bool,
    },
    /// Make the index anew from the files.
    Rebuild {
        /// Where calibration frames and masters lie.
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Copy the masters in use, and a list of everything, into a folder.
    Export {
        /// The folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Forget what is gone, and delete retired masters that Photosite made.
    Prune {
        /// Say what would be done; do nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// `photosite match`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite match light.fits --explain\n  photosite match \
                        night/lights --json\n\nCalibration frames among the paths come before \
                        those of the library. docs/matching.md has the rules.")]
pub struct MatchArgs {
    /// Lights: files and folders.
    #[arg(required = true, value_name = "LIGHT")]
    pub lights: Vec<PathBuf>,
    /// Tell every property of every candidate, the refused ones too.
    #[arg(long)]
    pub explain: bool,
    /// Print JSON: a list, one entry a light.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `photosite plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite plan night/\n  photosite plan night/lights --share \
                        2\n\nCounts are those at which the master adds less than the share to \
                        one light's noise; the customary numbers stand beside them."
)]
pub struct PlanArgs {
    /// Lights, or folders with them; calibration frames among them count as taken.
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
