//! The files below the paths that were given.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use photosite_file::keyword;
use photosite_pix::FrameKind;

use crate::finding::{Severity, first_and_more};
use crate::open::probe;
use crate::{Error, Finding, Result};

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

/// What lies below the paths that were given.
#[derive(Debug, Clone, Default)]
pub struct Walked {
    /// The files that may hold a frame, sorted by path, each once.
    pub files: Vec<Walk>,
    /// What could not be looked into, and what was passed over.
    pub findings: Vec<Finding>,
}

/// The candidate files below `paths`, sorted by path, each once.
///
/// Hidden files and folders are passed over, and so is everything below `except`. Links are
/// followed, each folder once. A folder that cannot be read, and files that look like frames and are
/// not read here, become findings.
///
/// # Errors
/// When a given path does not exist or cannot be read, or is the folder for products itself.
pub fn walk(paths: &[PathBuf], except: Option<&Path>) -> Result<Walked> {
    let except = except.and_then(|p| p.canonicalize().ok());
    let mut walker = Walker { except, ..Walker::default() };
    for given in paths {
        let kind = std::fs::metadata(given).map_err(|e| Error::io(given, "reading the path", e))?;
        if !kind.is_dir() {
            let root = given.parent().unwrap_or(given).to_owned();
            walker.found.insert(Walk { path: given.clone(), root });
            continue;
        }
        let whole = given.canonicalize().ok();
        if whole.is_some() && whole == walker.except {
            return Err(Error::parameters(format!(
                "{} is both input and output folder; choose another with -o, such as -o {}",
                given.display(),
                given.join("out").display()
            )));
        }
        std::fs::read_dir(given).map_err(|e| Error::io(given, "reading the folder", e))?;
        walker.descend(given, given);
    }
    let mut findings = walker.findings;
    findings.extend(walker.passed_over.iter().map(|(folder, files)| passed_over(folder, files)));
    findings.extend(walker.unreachable.iter().map(|(folder, files)| unreachable(folder, files)));
    // The same file given twice, by two paths, is one file.
    let mut seen = BTreeSet::new();
    let files = walker.found.into_iter();
    let whole = |w: &Walk| w.path.canonicalize().unwrap_or_else(|_| w.path.clone());
    Ok(Walked { files: files.filter(|w| seen.insert(whole(w))).collect(), findings })
}

/// The kind of frame that a file's header says it is; `None` where it says nothing, or cannot be read.
pub fn kind_said(path: &Path) -> Option<FrameKind> {
    keyword::read(&probe(path).ok()?.header).metadata.kind
}

/// A walk on its way.
#[derive(Default)]
struct Walker {
    except: Option<PathBuf>,
    found: BTreeSet<Walk>,
    /// Folders that were looked into, whole: links lead into none of them twice.
    seen: BTreeSet<PathBuf>,
    /// Files that look like frames and are not read, by their folder.
    passed_over: BTreeMap<PathBuf, Vec<String>>,
    /// Links that lead nowhere, and what has a frame's name and is no file, by their folder.
    unreachable: BTreeMap<PathBuf, Vec<String>>,
    findings: Vec<Finding>,
}

impl Walker {
    fn descend(&mut self, folder: &Path, root: &Path) {
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        if Some(&whole) == self.except.as_ref() {
            self.findings.extend(frames_of_output(folder));
            return;
        }
        if !self.seen.insert(whole) {
            return;
        }
        let mut entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries.flatten().collect::<Vec<_>>(),
            Err(e) => {
                let message = format!("this folder cannot be read: {e}");
                let subject = folder.display().to_string();
                self.findings.push(
                    Finding::new("folder-unreadable", Severity::Error, subject, message)
                        .hint("Fix its permissions if it holds frames of this night."),
                );
                return;
            }
        };
        // Of two ways to one folder the first by name is gone, whatever the system lists first.
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path = entry.path();
            if name.starts_with('.') {
                continue;
            }
            // Links are followed: what they lead to counts.
            let kind = std::fs::metadata(&path).ok();
            let Some(kind) = kind.filter(|k| k.is_dir() || k.is_file() || !has_known_ending(&name))
            else {
                let folder = folder.to_owned();
                self.unreachable.entry(folder).or_default().push(name.into_owned());
                continue;
            };
            if kind.is_dir() {
                self.descend(&path, root);
            } else if kind.is_file() && has_known_ending(&name) {
                self.found.insert(Walk { path, root: root.to_owned() });
            } else if kind.is_file() && looks_like_a_frame(&name) {
                let folder = folder.to_owned();
                self.passed_over.entry(folder).or_default().push(name.into_owned());
            }
        }
    }
}

/// Told where the folder of products, which is not searched, holds what look like frames beside them.
fn frames_of_output(folder: &Path) -> Option<Finding> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries
        .filter(|e| e.path().is_file() && !e.file_name().as_encoded_bytes().starts_with(b"."));
    let mut names: Vec<String> =
        files.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| has_known_ending(name));
    names.sort();
    let which = first_and_more(names.first()?, names.len());
    let message = format!("not read: {which}, for products go to this folder");
    let subject = folder.display().to_string();
    Some(
        Finding::new("files-passed-over", Severity::Warning, subject, message)
            .hint("If these are frames of the night, choose another folder with -o.")
            .with("files", names.len()),
    )
}

/// Endings of files that hold frames in ways that are not read here.
const PASSED_OVER: &[&str] = &["bz2", "ser", "zip", "7z", "rar", "avi", "xz", "zst", "pef", "srw"];

/// Whether a name is a frame's that is not read here.
fn looks_like_a_frame(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase());
    ending.is_some_and(|e| PASSED_OVER.contains(&e.as_str()))
}

fn passed_over(folder: &Path, files: &[String]) -> Finding {
    let count = files.len();
    let which = first_and_more(&files[0], count);
    let message = format!("skipped: {which}; files of this type are not read");
    let subject = folder.display().to_string();
    Finding::new("files-passed-over", Severity::Warning, subject, message)
        .hint("Unpack them, or convert them to FITS.")
        .with("files", count)
}

fn unreachable(folder: &Path, names: &[String]) -> Finding {
    let which = first_and_more(&names[0], names.len());
    let message = format!("left out: {which}; a link that leads nowhere, or no file");
    let subject = folder.display().to_string();
    Finding::new("files-unreachable", Severity::Warning, subject, message)
        .hint("If these are frames of the night, mount the disk that they are on, or copy them again.")
        .with("files", names.len())
        .with("names", names.to_vec())
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
