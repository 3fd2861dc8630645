//! Files that are there whole or not at all.
//!
//! What is written grows under a hidden name in the folder where it will stand, is synced, and is
//! renamed when it is complete. A run that is killed leaves only such hidden files, which
//! [`remove_leftovers`] clears away.

use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result, platform};

/// What to do when the file to be written is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it alone and fail.
    Refuse,
    /// Put the new file in its place, at once.
    Replace,
}

/// How the name of an unfinished file starts.
const PREFIX: &str = ".photosite-";
/// How the name of an unfinished file ends.
const SUFFIX: &str = ".part";

/// An unfinished file: removed when dropped, in place once [`Pending::finish`] returns.
#[derive(Debug)]
pub(crate) struct Pending {
    target: PathBuf,
    existing: Existing,
    file: NamedTempFile,
}

/// The folder a path lies in; of a bare name the one that the process is in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

/// An error of writing, with a sentence for a full disk.
pub(crate) fn write_error(target: &Path, what: &str, e: std::io::Error) -> Error {
    if matches!(e.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
        let advice = "the disk is full: free some space and run again; no partial file was left";
        return Error::io(target, &format!("{what} ({advice})"), e);
    }
    Error::io(target, what, e)
}

fn refuse(target: &Path) -> Error {
    Error::request(target, "already exists and must not be replaced")
}

impl Pending {
    /// Starts a file that will stand at `target`; a missing folder is made.
    pub(crate) fn create(target: &Path, existing: Existing) -> Result<Self> {
        if existing == Existing::Refuse && target.symlink_metadata().is_ok() {
            return Err(refuse(target));
        }
        if target.is_dir() {
            return Err(Error::request(target, "is a folder; a file was to be written there"));
        }
        let folder = folder_of(target);
        std::fs::create_dir_all(folder).map_err(|e| write_error(folder, "making the folder", e))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        platform::ordinary_rights(&mut builder);
        let file =
            builder.tempfile_in(folder).map_err(|e| write_error(target, "starting the file", e))?;
        Ok(Self { target: target.to_owned(), existing, file })
    }

    /// The open file.
    pub(crate) fn file(&self) -> &std::fs::File {
        self.file.as_file()
    }

    /// Where the file will stand.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Syncs the file, gives it its name, and syncs the folder.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { target, existing, file } = self;
        file.as_file().sync_all().map_err(|e| write_error(&target, "syncing the file", e))?;
        let renamed = match existing {
            Existing::Replace => file.persist(&target),
            Existing::Refuse => file.persist_noclobber(&target).or_else(|e| {
                // File systems without an exclusive rename and without hard links (some sticks,
                // some network shares): looking first is the best that can be had there.
                let cannot = e.error.kind() != std::io::ErrorKind::AlreadyExists;
                if cannot && target.symlink_metadata().is_err() {
                    e.file.persist(&target)
                } else {
                    Err(e)
                }
            }),
        };
        if let Err(e) = renamed {
            if e.error.kind() == std::io::ErrorKind::AlreadyExists {
                return Err(refuse(&target));
            }
            return Err(write_error(&target, "renaming the finished file", e.error));
        }
        let folder = folder_of(&target);
        platform::sync_folder(folder).map_err(|e| write_error(folder, "syncing the folder", e))
    }
}

/// Writes `bytes` as the file `path`, whole or not at all; a missing folder is made.
///
/// # Errors
/// When the file exists and `existing` refuses, the disk is full, or the operating system refuses.
pub fn write_bytes(path: &Path, bytes: &[u8], existing: Existing) -> Result<()> {
    let mut pending = Pending::create(path, existing)?;
    pending.file.write_all(bytes).map_err(|e| write_error(path, "writing", e))?;
    pending.finish()
}

/// Copies the file `from` to `to`, whole or not at all; a missing folder is made.
///
/// # Errors
/// When `from` cannot be read, the target exists and `existing` refuses, the disk is full, or the
/// operating system refuses.
pub fn copy_file(from: &Path, to: &Path, existing: Existing) -> Result<()> {
    let mut source =
        std::fs::File::open(from).map_err(|e| Error::io(from, "opening the file", e))?;
    let pending = Pending::create(to, existing)?;
    // Between two files the system copies by itself, and shares the blocks where it can.
    std::io::copy(&mut source, &mut pending.file()).map_err(|e| write_error(to, "copying", e))?;
    pending.finish()
}

/// The unfinished files that a killed run left in `folder`.
///
/// # Errors
/// When the folder cannot be listed.
pub fn leftovers(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries =
        std::fs::read_dir(folder).map_err(|e| Error::io(folder, "listing the folder", e))?;
    for entry in entries {
        let entry = entry.map_err(|e| Error::io(folder, "listing the folder", e))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let plain = entry.file_type().is_ok_and(|t| t.is_file());
        if plain && name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Removes the unfinished files that a killed run left in `folder`; says how many there were.
///
/// Only for a folder that no other run is writing to.
///
/// # Errors
/// When the folder cannot be listed or a file cannot be removed.
pub fn remove_leftovers(folder: &Path) -> Result<usize> {
    let found = leftovers(folder)?;
    for path in &found {
        std::fs::remove_file(path)
            .map_err(|e| Error::io(path, "removing an unfinished file", e))?;
    }
    Ok(found.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/report.json");
        write_bytes(&path, b"one", Existing::Refuse).unwrap();
        let again = write_bytes(&path, b"two", Existing::Refuse).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Request);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write_bytes(&path, b"two", Existing::Replace).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        let folder = path.parent().unwrap();
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "no leftovers");

        let pending = Pending::create(&path, Existing::Replace).unwrap();
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2);
        drop(pending);
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "dropped, so removed");
    }

    #[test]
    fn a_file_that_appears_meanwhile_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let pending = Pending::create(&path, Existing::Refuse).unwrap();
        write_bytes(&path, b"theirs", Existing::Refuse).unwrap();
        assert_eq!(pending.finish().unwrap_err().kind(), ErrorKind::Request);
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn leftovers_go_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let pending = Pending::create(&dir.path().join("x"), Existing::Refuse).unwrap();
        let _kept = pending.file.keep().unwrap();
        for other in [".photosite-notes", "night.part", "x"] {
            write_bytes(&dir.path().join(other), b"", Existing::Refuse).unwrap();
        }
        assert_eq!(remove_leftovers(dir.path()).unwrap(), 1);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
        assert!(remove_leftovers(&dir.path().join("nowhere")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn products_have_ordinary_rights() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let ours = dir.path().join("ours");
        write_bytes(&ours, b"", Existing::Refuse).unwrap();
        let plain = dir.path().join("plain");
        std::fs::File::create(&plain).unwrap();
        let mode = |p: &Path| p.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
