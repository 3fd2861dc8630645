//! The files below the paths that were given.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The endings of files that may hold a frame. Files named one by one are taken whatever they end
/// in.
const ENDINGS: &[&str] = &[
    "fits", "fit", "fts", "fz", "gz", "xisf", "cr2", "cr3", "nef", "arw", "dng", "raf", "orf",
    "rw2", "tif", "tiff",
];

/// A file to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Walk {
    /// The file.
    pub path: PathBuf,
    /// The path that was given and led to it.
    pub root: PathBuf,
}

/// The candidate files below `paths`, sorted by path, each once.
///
/// Hidden files and folders are passed over, and so is everything below `except`. Links to files
/// are followed, links to folders are not, so that no walk goes in circles.
///
/// # Errors
/// When a given path does not exist or cannot be read.
pub fn walk(paths: &[PathBuf], except: Option<&Path>) -> Result<Vec<Walk>> {
    let except = except.and_then(|p| p.canonicalize().ok());
    let mut found = BTreeSet::new();
    for given in paths {
        let kind =
            std::fs::metadata(given).map_err(|e| Error::io(given, "looking at the path", e))?;
        if kind.is_dir() {
            descend(given, given, except.as_deref(), &mut found)?;
        } else {
            let root = given.parent().unwrap_or(given).to_owned();
            found.insert(Walk { path: given.clone(), root });
        }
    }
    // The same file given twice, by two paths, is one file.
    let mut seen = BTreeSet::new();
    Ok(found
        .into_iter()
        .filter(|w| seen.insert(w.path.canonicalize().unwrap_or_else(|_| w.path.clone())))
        .collect())
}

fn descend(
    folder: &Path,
    root: &Path,
    except: Option<&Path>,
    found: &mut BTreeSet<Walk>,
) -> Result<()> {
    if except.is_some_and(|e| folder.canonicalize().is_ok_and(|f| f == e)) {
        return Ok(());
    }
    let entries =
        std::fs::read_dir(folder).map_err(|e| Error::io(folder, "reading the folder", e))?;
    for entry in entries {
        let entry = entry.map_err(|e| Error::io(folder, "reading the folder", e))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            descend(&path, root, except, found)?;
        } else if has_known_ending(&name) && (kind.is_file() || path.is_file()) {
            found.insert(Walk { path, root: root.to_owned() });
        }
    }
    Ok(())
}

fn has_known_ending(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, ending)| {
        let ending = ending.to_ascii_lowercase();
        // ".gz" alone says nothing; "a.fits.gz" does.
        if ending == "gz" {
            return has_known_ending(stem);
        }
        ENDINGS.contains(&ending.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings() {
        for name in ["a.FIT", "a.fits", "a.fits.fz", "a.fits.gz", "b.DARK.FIT", "x.cr2"] {
            assert!(has_known_ending(name), "{name}");
        }
        for name in ["a", "a.txt", "a.tar.gz", "fits", "a.jpg", ".gz"] {
            assert!(!has_known_ending(name), "{name}");
        }
    }
}
