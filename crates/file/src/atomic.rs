//! Files that are there whole or not at all.
//!
//! What is written grows without a name in the folder where it will stand, is synced, and gets its
//! name when it is complete: a run that is killed leaves nothing. Where the system has no files
//! without a name they are hidden ones, which [`remove_leftovers`] clears away.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result, is_ours, platform};

/// What to do when the file to be written is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it alone and fail.
    Refuse,
    /// Put the new file in its place, at once; a link is never replaced.
    Replace,
    /// As `Replace`, if [`is_ours`] says that Photosite made what stands there; else fail.
    ReplaceOurs,
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
    file: Unfinished,
}

/// What grows.
#[derive(Debug)]
enum Unfinished {
    /// A file without a name: the system removes it however the process ends.
    Nameless(File),
    /// A hidden one, where there are none without a name.
    Hidden(NamedTempFile),
}

impl Unfinished {
    fn start(folder: &Path) -> std::io::Result<Self> {
        match platform::nameless_in(folder) {
            Some(file) => Ok(Self::Nameless(file)),
            None => hidden().tempfile_in(folder).map(Self::Hidden),
        }
    }

    fn file(&self) -> &File {
        match self {
            Self::Nameless(file) => file,
            Self::Hidden(file) => file.as_file(),
        }
    }

    /// Gives the file the name `target`, in place of what stands there if that is to be replaced.
    fn name(self, target: &Path, existing: Existing) -> std::io::Result<()> {
        let file = match self {
            Self::Hidden(file) => file.into_temp_path(),
            Self::Nameless(file) => {
                if existing == Existing::Refuse {
                    return platform::give_name(&file, target);
                }
                // A name can be given where none is only: a hidden one first, then a rename.
                let named =
                    hidden().make_in(folder_of(target), |path| platform::give_name(&file, path))?;
                named.into_temp_path()
            }
        };
        if existing != Existing::Refuse {
            return file.persist(target).map_err(|e| e.error);
        }
        file.persist_noclobber(target).or_else(|e| {
            // File systems without an exclusive rename and without hard links (some sticks,
            // some network shares): looking first is the best that can be had there.
            let cannot = e.error.kind() != std::io::ErrorKind::AlreadyExists;
            if cannot && target.symlink_metadata().is_err() {
                e.path.persist(target).map_err(|e| e.error)
            } else {
                Err(e.error)
            }
        })
    }
}

/// How hidden files are named.
fn hidden() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    platform::ordinary_rights(&mut builder);
    builder
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

/// Refuses what may not be replaced: links, which lead to files elsewhere, and what is no ordinary
/// file; of ordinary ones those that `existing` protects.
fn check_target(target: &Path, existing: Existing) -> Result<()> {
    let Ok(meta) = target.symlink_metadata() else { return Ok(()) };
    if existing == Existing::Refuse {
        return Err(refuse(target));
    }
    if meta.is_dir() {
        return Err(Error::request(target, "is a folder; a file was to be written there"));
    }
    if meta.is_symlink() {
        let message = "is a symbolic link; neither it nor its target is replaced. Remove the \
                       link, or name another place";
        return Err(Error::request(target, message));
    }
    if !meta.is_file() {
        return Err(Error::request(target, "is not a regular file and is not replaced"));
    }
    if existing == Existing::ReplaceOurs && !is_ours(target)? {
        let message = "exists and was not made by Photosite; it is left alone. Choose another \
                       place with -o, or move the file";
        return Err(Error::request(target, message));
    }
    Ok(())
}

impl Pending {
    /// Starts a file that will stand at `target`; a missing folder is made.
    pub(crate) fn create(target: &Path, existing: Existing) -> Result<Self> {
        check_target(target, existing)?;
        let folder = folder_of(target);
        std::fs::create_dir_all(folder).map_err(|e| write_error(folder, "making the folder", e))?;
        let file =
            Unfinished::start(folder).map_err(|e| write_error(target, "starting the file", e))?;
        Ok(Self { target: target.to_owned(), existing, file })
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        self.file.file()
    }

    /// Where the file will stand.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Syncs the file, gives it its name, and syncs the folder.
    pub(crate) fn finish(self) -> Result<()> {
        let target = self.target.clone();
        self.file().sync_all().map_err(|e| write_error(&target, "syncing the file", e))?;
        self.place()?;
        let folder = folder_of(&target);
        platform::sync_folder(folder).map_err(|e| write_error(folder, "syncing the folder", e))
    }

    /// Gives the file its name; a power cut may still lose it, or parts of it.
    fn place(self) -> Result<()> {
        let Self { target, existing, file } = self;
        // It may have come to stand there meanwhile.
        check_target(&target, existing)?;
        if let Err(e) = file.name(&target, existing) {
            if e.kind() == std::io::ErrorKind::AlreadyExists {
                return Err(refuse(&target));
            }
            return Err(write_error(&target, "renaming the finished file", e));
        }
        Ok(())
    }
}

/// Opens a file that is only there to be locked, and makes it where it is not.
///
/// It is opened as it stands: nothing is cut off, and no link is followed.
///
/// # Errors
/// Request where a link, a folder or a file with something in it stands there: none of them is a
/// lock of Photosite's; Io when the operating system refuses.
pub fn open_lock(path: &Path) -> Result<File> {
    let foreign = || {
        let message = "is not empty, as a lock file should be; it is left alone. Move it away";
        Error::request(path, message)
    };
    if path.symlink_metadata().is_ok_and(|m| !m.is_file()) {
        return Err(foreign());
    }
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    platform::follow_no_link(&mut options);
    let file = options.open(path).map_err(|e| Error::io(path, "opening the lock file", e))?;
    let meta = file.metadata().map_err(|e| Error::io(path, "asking for the size", e))?;
    if !meta.is_file() || meta.len() > 0 {
        return Err(foreign());
    }
    Ok(file)
}

/// Writes `bytes` as the file `path`, whole or not at all; a missing folder is made.
///
/// # Errors
/// When the file exists and `existing` refuses, the disk is full, or the operating system refuses.
pub fn write_bytes(path: &Path, bytes: &[u8], existing: Existing) -> Result<()> {
    let pending = Pending::create(path, existing)?;
    pending.file().write_all(bytes).map_err(|e| write_error(path, "writing", e))?;
    pending.finish()
}

/// As [`write_bytes`], without waiting for the disk: for what is checked when it is read, and may be lost.
///
/// # Errors
/// As [`write_bytes`].
pub fn write_passing(path: &Path, bytes: &[u8], existing: Existing) -> Result<()> {
    let pending = Pending::create(path, existing)?;
    pending.file().write_all(bytes).map_err(|e| write_error(path, "writing", e))?;
    pending.place()
}

/// Copies the file `from` to `to`, whole or not at all; a missing folder is made.
///
/// # Errors
/// When `from` cannot be read, the target exists and `existing` refuses, the disk is full, or the
/// operating system refuses.
pub fn copy_file(from: &Path, to: &Path, existing: Existing) -> Result<()> {
    let mut source = File::open(from).map_err(|e| Error::io(from, "opening the file", e))?;
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
        let hidden = usize::from(matches!(pending.file, Unfinished::Hidden(_)));
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1 + hidden);
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
        let _kept = hidden().tempfile_in(dir.path()).unwrap().keep().unwrap();
        for other in [".photosite-notes", "night.part", "x"] {
            write_bytes(&dir.path().join(other), b"", Existing::Refuse).unwrap();
        }
        assert_eq!(remove_leftovers(dir.path()).unwrap(), 1);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
        assert!(remove_leftovers(&dir.path().join("nowhere")).is_err());
    }

    /// Both ways of growing, whatever this system offers.
    #[test]
    fn hidden_files_do_what_nameless_ones_do() {
        let dir = tempfile::tempdir().unwrap();
        for (i, existing) in [Existing::Refuse, Existing::Replace].into_iter().enumerate() {
            let path = dir.path().join(format!("x{i}"));
            let start = || {
                let file = Unfinished::Hidden(hidden().tempfile_in(dir.path()).unwrap());
                file.file().write_all(b"new").unwrap();
                Pending { target: path.clone(), existing, file }
            };
            start().finish().unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"new");
            assert_eq!(start().finish().is_ok(), existing == Existing::Replace);
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1 + i);
        }
    }

    #[test]
    fn only_what_is_ours_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let ours = br#"{"schema": "photosite.run/1"}"#;
        write_bytes(&path, ours, Existing::ReplaceOurs).unwrap();
        write_bytes(&path, ours, Existing::ReplaceOurs).unwrap();
        write_bytes(&path, b"", Existing::Replace).unwrap();
        write_bytes(&path, ours, Existing::ReplaceOurs).unwrap();
        write_bytes(&path, b"my notes", Existing::Replace).unwrap();
        let e = write_bytes(&path, ours, Existing::ReplaceOurs).unwrap_err();
        assert!(e.kind() == ErrorKind::Request && e.message().contains("left alone"), "{e}");
        assert_eq!(std::fs::read(&path).unwrap(), b"my notes");
        // What comes to stand there meanwhile is looked at as well.
        std::fs::remove_file(&path).unwrap();
        let pending = Pending::create(&path, Existing::ReplaceOurs).unwrap();
        write_bytes(&path, b"theirs", Existing::Refuse).unwrap();
        assert!(pending.finish().is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
    }

    #[cfg(unix)]
    #[test]
    fn what_a_link_leads_to_is_never_touched() {
        let dir = tempfile::tempdir().unwrap();
        let precious = dir.path().join("precious");
        write_bytes(&precious, b"mine", Existing::Refuse).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        let dangling = dir.path().join("dangling");
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &dangling).unwrap();
        for path in [&link, &dangling] {
            for existing in [Existing::Refuse, Existing::Replace, Existing::ReplaceOurs] {
                let e = write_bytes(path, b"new", existing).unwrap_err();
                assert_eq!(e.kind(), ErrorKind::Request, "{e}");
            }
            assert_eq!(open_lock(path).unwrap_err().kind(), ErrorKind::Request);
            assert!(path.symlink_metadata().unwrap().is_symlink());
        }
        assert_eq!(std::fs::read(&precious).unwrap(), b"mine");
        assert!(!dir.path().join("nowhere").exists());
        assert_eq!(open_lock(&precious).unwrap_err().kind(), ErrorKind::Request);
        assert_eq!(open_lock(dir.path()).unwrap_err().kind(), ErrorKind::Request);
        let lock = dir.path().join(".lock");
        open_lock(&lock).unwrap();
        open_lock(&lock).unwrap().try_lock().unwrap();
        assert_eq!(std::fs::read(&precious).unwrap(), b"mine");
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
