//! Where the library lies, as typed.

use std::path::PathBuf;

use clap::Args;

/// Where the library is.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// Library folder; by default PHOTOSITE_LIBRARY, or the user's data folder.
    #[arg(long, value_name = "PATH", global = true)]
    pub library: Option<PathBuf>,
}
