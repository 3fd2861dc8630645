//! Filling and checking a library: the files are read on all threads, the index is written by one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use photosite_file::atomic::{Existing, copy_file, write_bytes};
use serde::Serialize;

use super::adopt::usable;
use crate::event::{Event, Stage};
use crate::finding::Severity;
use crate::inventory::{KindOverrides, Walk, Walked, walk};
use crate::library::{
    Added, Entry, ID_DIGITS, Library, Life, Missing, Record, Shelvable, Verified, master_file_name,
    shelvable,
};
use crate::product::LightsUnit;
use crate::provenance::{ContentHash, FileMark};
use crate::work::{Context, for_each};
use crate::{Error, Finding, Result};

/// Files that are read before the index is written: what a killed process has to do again.
const AT_ONCE: usize = 256;

/// What came of filling a library.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Collected {
    /// Files looked at.
    pub files: usize,
    /// What the index took.
    #[serde(flatten)]
    pub added: Added,
    /// Files that were known by path, length and time, and not read again.
    pub unchanged: usize,
    /// What was found about them.
    pub findings: Vec<Finding>,
}

/// Adds the frames and masters below `paths` to the library.
///
/// A file that is known by its path and was not changed since is not read again. A file that cannot
/// be kept becomes a Finding.
///
/// # Errors
/// When a path does not exist, the index cannot be written, or the work is cancelled; what was
/// added till then stays.
pub fn add_to_library(
    library: &mut Library,
    paths: &[PathBuf],
    context: &Context<'_>,
) -> Result<Collected> {
    let Walked { files, findings } = walk(paths, None)?;
    let masters = library.masters_folder();
    let known: BTreeMap<PathBuf, FileMark> =
        library.files()?.into_iter().map(|k| (k.path, k.mark)).collect();
    let (kinds, one_master) = (&KindOverrides::default(), &Mutex::new(()));
    let reading = Reading { unchanged: &known, kinds, masters: &masters, one_master };
    let mut out = Collected { files: files.len(), findings, ..Collected::default() };
    let total = files.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Identify, total });
    for part in files.chunks(AT_ONCE) {
        let (records, unchanged) = read_records(part, reading, &mut out.findings, context)?;
        let added = library.add(&records)?;
        out.added.new += added.new;
        out.added.renamed += added.renamed;
        out.added.known += added.known;
        out.unchanged += unchanged;
    }
    context.observer.event(Event::Finished);
    Ok(out)
}

/// Builds the index anew from the files below `paths`, those that were known, and the library's own
/// masters.
///
/// # Errors
/// When a path does not exist, the index cannot be written, or the work is cancelled; then it is as
/// it was.
pub fn rebuild_library(
    library: &mut Library,
    paths: &[PathBuf],
    context: &Context<'_>,
) -> Result<Collected> {
    let masters = library.masters_folder();
    let below = [paths, std::slice::from_ref(&masters)].concat();
    let Walked { mut files, findings } = walk(&below, None)?;
    let mut out = Collected { findings, ..Collected::default() };
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let named: BTreeSet<PathBuf> = files.iter().map(|f| whole(&f.path)).collect();
    let mut kinds = KindOverrides::default();
    for known in library.files()?.into_iter().filter(|k| !named.contains(&k.path)) {
        match FileMark::of(&known.path) {
            Ok(now) => {
                // The folder that told what it is was named when it was added, and is not now.
                if now == known.mark {
                    kinds.paths.push((known.path.clone(), known.kind));
                }
                let root = known.path.parent().unwrap_or(&known.path).to_owned();
                files.push(Walk { path: known.path, root });
            }
            Err(_) => out.findings.push(
                Finding::new(
                    "library-frame-gone",
                    Severity::Warning,
                    known.path.display().to_string(),
                    "this file no longer exists, so it is not in the new index",
                )
                .hint("Add it again when it is back."),
            ),
        }
    }
    let unchanged = BTreeMap::new();
    let one_master = &Mutex::new(());
    let reading = Reading { unchanged: &unchanged, kinds: &kinds, masters: &masters, one_master };
    let total = files.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Identify, total });
    let (records, _) = read_records(&files, reading, &mut out.findings, context)?;
    context.observer.event(Event::Finished);
    out.added = library.replace_all(&records)?;
    out.files = files.len();
    Ok(out)
}

/// One file, read.
enum Looked {
    Unchanged,
    Record(Box<Record>, Vec<Finding>),
    No(Finding),
}

/// How files are read.
#[derive(Clone, Copy)]
struct Reading<'a> {
    /// Files that need not be read where they are as they were.
    unchanged: &'a BTreeMap<PathBuf, FileMark>,
    /// Kinds that overrule header and name.
    kinds: &'a KindOverrides,
    /// Where converted copies of masters go.
    masters: &'a Path,
    /// Held while a master is read: it is whole in memory, and one at a time is enough.
    one_master: &'a Mutex<()>,
}

fn read_records(
    files: &[Walk],
    reading: Reading<'_>,
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<(Vec<Record>, usize)> {
    let slots: Vec<Mutex<Option<Looked>>> = files.iter().map(|_| Mutex::new(None)).collect();
    for_each(
        files.len(),
        context,
        || (),
        |(), i| {
            *slots[i].lock().expect("no holder panics") = Some(look(&files[i], reading));
            context.observer.event(Event::Advanced { by: 1, what: "identifying" });
            Ok(())
        },
    )?;
    let (mut records, mut unchanged) = (Vec::new(), 0);
    for slot in slots {
        match slot.into_inner().expect("no holder panics") {
            Some(Looked::Record(record, more)) => {
                records.push(*record);
                findings.extend(more);
            }
            Some(Looked::No(finding)) => findings.push(finding),
            Some(Looked::Unchanged) => unchanged += 1,
            None => {}
        }
    }
    Ok((records, unchanged))
}

fn look(file: &Walk, reading: Reading<'_>) -> Looked {
    // The index is asked from any working directory, so paths are whole.
    let path = file.path.canonicalize().unwrap_or_else(|_| file.path.clone());
    let read = || -> Result<Looked> {
        let mark = FileMark::of(&path)?;
        if reading.unchanged.get(&path) == Some(&mark) {
            return Ok(Looked::Unchanged);
        }
        if path.to_str().is_none() {
            return Ok(Looked::No(
                Finding::new(
                    "name-not-unicode",
                    Severity::Error,
                    path.display().to_string(),
                    "this name is not valid Unicode, which the index cannot store",
                )
                .hint("Rename the file."),
            ));
        }
        let root = file.root.canonicalize().unwrap_or_else(|_| file.root.clone());
        let (shelvable, mut findings) =
            shelvable(&path, &root, crate::open::probe(&path)?, reading.kinds);
        let record = match shelvable {
            Shelvable::No(finding) => return Ok(Looked::No(finding)),
            Shelvable::Raw(frame) => Record::raw(&frame, ContentHash::of_file(&path)?, mark),
            Shelvable::Master(master) => {
                let _alone = reading.one_master.lock().expect("no holder panics");
                let master = match master.in_adu(&path, LightsUnit::Adu(None)) {
                    Ok(master) => master,
                    Err(finding) => return Ok(Looked::No(*finding)),
                };
                let (record, told) = usable(&path, &master, reading.masters)?;
                findings = told;
                record
            }
        };
        Ok(Looked::Record(Box::new(record), findings))
    };
    read().unwrap_or_else(|e| Looked::No(Finding::of(&e, path.display().to_string())))
}

/// Looks at every file that the index names, and at the index.
///
/// A file of another length or time is read through, and so are all masters; `full` reads every
/// file.
///
/// # Errors
/// When the index cannot be read, or the work is cancelled.
pub fn verify_library(library: &Library, full: bool, context: &Context<'_>) -> Result<Verified> {
    let files = library.files()?;
    let mut out = Verified { files: files.len(), ..Verified::default() };
    out.index = library.check_index()?;
    let total = files.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Identify, total });
    let slots: Vec<Mutex<(bool, Option<Missing>)>> =
        files.iter().map(|_| Mutex::default()).collect();
    for_each(
        files.len(),
        context,
        || (),
        |(), i| {
            let file = &files[i];
            let problem = |problem: String| Missing {
                id: file.hash[..ID_DIGITS].to_owned(),
                path: file.path.clone(),
                problem,
            };
            let found = match FileMark::of(&file.path) {
                Err(e) => (false, Some(problem(e.to_string()))),
                Ok(now) if now == file.mark && !full && !file.is_master => (false, None),
                Ok(_) => match ContentHash::of_file(&file.path) {
                    Ok(found) if found.to_string() == file.hash => (true, None),
                    Ok(_) => {
                        let told = "its content has changed since it was added; add it again if \
                                    that is intended";
                        (true, Some(problem(told.to_owned())))
                    }
                    Err(e) => (true, Some(problem(e.to_string()))),
                },
            };
            *slots[i].lock().expect("no holder panics") = found;
            context.observer.event(Event::Advanced { by: 1, what: "verifying" });
            Ok(())
        },
    )?;
    context.observer.event(Event::Finished);
    for slot in slots {
        let (read, problem) = slot.into_inner().expect("no holder panics");
        out.read += usize::from(read);
        out.problems.extend(problem);
    }
    Ok(out)
}

/// What came of writing masters out.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Exported {
    /// The files written, or there already.
    pub masters: Vec<PathBuf>,
    /// The masters that are not as they were when they were added, and were not written.
    pub damaged: Vec<PathBuf>,
    /// The list of everything in the library.
    pub list: PathBuf,
}

/// As much of an entry as tells that a list is the library's.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "only read to see whether they are there")]
struct Listed {
    id: String,
    hash: String,
}

/// Copies every master in use into a folder, and writes a list of all that the library knows.
///
/// # Errors
/// When a file cannot be read or written; a file that is there and is no such copy is left alone.
pub fn export_library(library: &Library, folder: &Path) -> Result<Exported> {
    let entries = library.list(None)?;
    let mut out = Exported { list: folder.join("library.json"), ..Exported::default() };
    let in_use = |e: &&Entry| e.is_master && e.life != Life::Retired;
    for entry in entries.iter().filter(in_use) {
        let there: Vec<&PathBuf> = entry.paths.iter().filter(|p| p.exists()).collect();
        if there.is_empty() {
            continue;
        }
        let name = master_file_name(entry.kind, &entry.traits, &entry.hash);
        let target = folder.join(name);
        // Its name holds the identity: what stands there and holds the same bytes is the copy.
        let same = target.exists() && ContentHash::of_file(&target)?.to_string() == entry.hash;
        let is_whole = |path: &&&PathBuf| {
            ContentHash::of_file(path).is_ok_and(|hash| hash.to_string() == entry.hash)
        };
        match there.iter().find(|path| same || is_whole(path)) {
            Some(_) if same => {}
            Some(whole) => copy_file(whole, &target, Existing::Refuse)?,
            None => {
                out.damaged.push(there[0].clone());
                continue;
            }
        }
        out.masters.push(target);
    }
    let json = serde_json::to_vec_pretty(&entries).expect("plain data is always JSON");
    let ours = || {
        let told = std::fs::read(&out.list).ok();
        told.is_some_and(|t| serde_json::from_slice::<Vec<Listed>>(&t).is_ok())
    };
    if out.list.symlink_metadata().is_ok() && !ours() {
        return Err(Error::foreign(&out.list));
    }
    write_bytes(&out.list, &json, Existing::Replace)?;
    Ok(out)
}
