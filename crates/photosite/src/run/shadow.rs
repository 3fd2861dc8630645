//! A library as a run found it: its index once more, without the masters that the run made.

use std::collections::BTreeSet;
use std::path::Path;

use photosite_file::atomic::{Existing, copy_file};

use crate::library::{ALIASES_NAME, INDEX_NAME, LIFE_NAME, Library, Life};
use crate::report::{MasterSource, RunReport};
use crate::{Error, Result};

/// Copies the index of the library at `from` to the folder `to`, where the masters that `report` says its run made
/// are retired: the run makes them again instead of finding them. Masters stay where they are, and nothing of the
/// library is changed.
///
/// # Errors
/// When the library cannot be read, or the copy cannot be written.
pub(super) fn shadow(from: &Path, report: &RunReport, to: &Path) -> Result<Library> {
    std::fs::create_dir_all(to).map_err(|e| Error::io(to, "making a folder", e))?;
    // What others write meanwhile lies beside the index.
    let journal = format!("{INDEX_NAME}-wal");
    for name in [INDEX_NAME, &journal, LIFE_NAME, ALIASES_NAME] {
        let file = from.join(name);
        if file.is_file() {
            copy_file(&file, &to.join(name), Existing::Refuse)?;
        }
    }
    let mut library = Library::open(to)?;
    let made: BTreeSet<&str> = report
        .masters
        .iter()
        .filter(|m| m.from == MasterSource::Output)
        .filter_map(|m| m.key.as_deref())
        .collect();
    for entry in library.list(None)? {
        if entry.is_master && entry.key.as_deref().is_some_and(|key| made.contains(key)) {
            library.set_life(&entry, Life::Retired)?;
        }
    }
    Ok(library)
}
