//! The index: identity by content, files as the record, processes that do not disturb each other.

use std::path::{Path, PathBuf};

use photosite::event::{Cancel, Silent};
use photosite::library::{DateRange, INDEX_NAME, Library, Life};
use photosite::run::{Collected, add_to_library, export_library, rebuild_library, verify_library};
use photosite::work::Context;
use photosite_pix::{FrameKind, Size};
use photosite_sim::{Counts, Night, Preset, Simulation};

use crate::night::{request, run, write_night};
use crate::rows;

fn with_context<T>(work: impl FnOnce(&Context<'_>) -> T) -> T {
    let cancel = Cancel::default();
    work(&Context { threads: 2, memory_bytes: 1 << 28, observer: &Silent, cancel: &cancel })
}

/// Adds the frames below these folders.
pub fn add(library: &mut Library, paths: &[&Path]) -> Collected {
    let paths: Vec<PathBuf> = paths.iter().map(|p| (*p).to_owned()).collect();
    with_context(|c| add_to_library(library, &paths, c)).unwrap()
}

fn small_night(folder: &Path) {
    let mut night = Night::preset(Preset::CmosMono, Size::new(48, 32), 3);
    night.counts = Counts { bias: 3, darks: 4, flats: 3, dark_flats: 2, lights: 2 };
    write_night(&Simulation::new(night), folder);
}

/// What the index says, in an order of its own.
fn told(library: &Library) -> String {
    let entries = library.list(None).unwrap();
    let shelf = library.shelf().unwrap();
    let counts = FrameKind::ALL
        .map(|k| shelf.of_kind(k).iter().map(|s| (s.id.clone(), s.frames)).collect::<Vec<_>>());
    serde_json::to_string(&entries).unwrap() + &format!("{counts:?}")
}

#[test]
fn a_frame_is_what_it_holds_and_the_files_are_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let night = dir.path().canonicalize().unwrap().join("night");
    small_night(&night);
    let folder = dir.path().join("library");
    let mut library = Library::open(&folder).unwrap();
    let first = add(&mut library, &[&night]);
    assert_eq!((first.added.new, first.unchanged), (12, 0));
    assert_eq!(first.findings.iter().filter(|f| f.code == "light-not-kept").count(), 2);
    assert_eq!(add(&mut library, &[&night]).unchanged, 12);
    // The same bytes under another name are the same frame, in two places.
    let copy = night.join("darks/again.fits");
    std::fs::copy(night.join("darks/Dark_60.0s_0001.fits"), &copy).unwrap();
    let again = add(&mut library, &[&night]);
    assert_eq!((again.added.new, again.added.renamed), (0, 1));
    let darks = library.list(Some(FrameKind::Dark)).unwrap();
    assert_eq!(darks.len(), 4);
    assert_eq!(darks.iter().map(|d| d.paths.len()).sum::<usize>(), 5);
    assert_eq!(library.shelf().unwrap().of_kind(FrameKind::Dark)[0].frames, 4);
    // A master with a life, and everything once more from the files.
    let mut request = request(vec![night.clone()], &dir.path().join("out"));
    request.library = Some(folder.clone());
    drop(library);
    run(&request, 2);
    let mut library = Library::open(&folder).unwrap();
    let master = library.list(Some(FrameKind::Dark)).unwrap().remove(0);
    assert!(master.is_master);
    let range = DateRange::parse(Some("2026-01-01"), Some("2026-12-31")).unwrap();
    library.set_life(&master, Life::Certified(range)).unwrap();
    let before = told(&library);
    assert!(before.contains("certified"));
    let verified = with_context(|c| verify_library(&library, true, c)).unwrap();
    assert!(verified.problems.is_empty() && verified.index.is_empty(), "{verified:?}");
    drop(library);
    for part in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("{INDEX_NAME}{part}")));
    }
    let message = Library::open(&folder).unwrap_err().to_string();
    assert!(message.contains("is missing") && message.contains("rebuild"), "{message}");
    let mut library = Library::open_for_rebuild(&folder).unwrap();
    with_context(|c| rebuild_library(&mut library, std::slice::from_ref(&night), c)).unwrap();
    assert_eq!(told(&library), before);
    // And a rebuild without a path still knows what was known.
    with_context(|c| rebuild_library(&mut library, &[], c)).unwrap();
    assert_eq!(told(&library), before);
    let exported = export_library(&library, &dir.path().join("export")).unwrap();
    assert_eq!(exported.masters.len(), 4);
    // What is gone is told of, and forgotten only when asked.
    std::fs::remove_file(&copy).unwrap();
    let verified = with_context(|c| verify_library(&library, false, c)).unwrap();
    assert_eq!(verified.problems.len(), 1);
    assert_eq!(library.prune(true).unwrap().missing, std::slice::from_ref(&copy));
    assert_eq!(library.prune(false).unwrap().missing, [copy]);
    assert!(with_context(|c| verify_library(&library, false, c)).unwrap().problems.is_empty());
}

#[test]
fn what_a_folder_told_is_not_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let night = dir.path().canonicalize().unwrap().join("night");
    small_night(&night);
    // A program that calls its flats lights; the folder above the folder tells what they are.
    let nested = night.join("flats/first");
    std::fs::create_dir(&nested).unwrap();
    for n in 1..=3 {
        let name = format!("Light_M00_60.0s_000{n}.fits");
        let from = night.join("lights").join(&name);
        if from.exists() {
            std::fs::rename(&from, nested.join(format!("{n}.fits"))).unwrap();
        }
    }
    let mut library = Library::open(&dir.path().join("library")).unwrap();
    add(&mut library, &[&night]);
    let before = told(&library);
    assert_eq!(library.list(Some(FrameKind::Flat)).unwrap().len(), 5);
    with_context(|c| rebuild_library(&mut library, &[], c)).unwrap();
    assert_eq!(told(&library), before);
    let shelf = library.shelf().unwrap();
    let of_night = shelf.of_kind(FrameKind::Flat).iter().map(|s| shelf.frames_of(s));
    let (frames, findings): (Vec<_>, Vec<_>) = of_night.unzip();
    assert_eq!((frames.concat().len(), findings.concat().len()), (5, 0));
}

#[test]
fn a_changed_file_is_another_frame() {
    let dir = tempfile::tempdir().unwrap();
    let night = dir.path().canonicalize().unwrap().join("night");
    small_night(&night);
    let mut library = Library::open(&dir.path().join("library")).unwrap();
    add(&mut library, &[&night]);
    let (a, b) =
        (night.join("bias/Bias_0.1ms_0001.fits"), night.join("darks/Dark_60.0s_0001.fits"));
    std::fs::copy(&b, &a).unwrap();
    let verified = with_context(|c| verify_library(&library, false, c)).unwrap();
    assert_eq!(verified.problems.len(), 1, "{verified:?}");
    add(&mut library, &[&night]);
    assert_eq!(library.list(Some(FrameKind::Bias)).unwrap().len(), 2);
    let shelf = library.shelf().unwrap();
    assert_eq!(shelf.of_kind(FrameKind::Bias)[0].frames, 2);
    drop(shelf);
    assert_eq!(library.check_index().unwrap(), Vec::<String>::new());
}

#[test]
#[allow(clippy::disallowed_methods, reason = "writers at once are what is tested")]
fn writers_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("library");
    std::thread::scope(|scope| {
        for writer in 0..4usize {
            let folder = &folder;
            scope.spawn(move || {
                let mut library = Library::open(folder).unwrap();
                for n in 0..25 {
                    let records: Vec<_> =
                        (0..20).map(|i| rows::record(writer * 500 + n * 20 + i)).collect();
                    assert_eq!(library.add(&records).unwrap().new, 20);
                }
            });
        }
    });
    let library = Library::open(&folder).unwrap();
    assert_eq!(library.list(None).unwrap().len(), 2000);
    let shelf = library.shelf().unwrap();
    let counted: usize =
        FrameKind::ALL.iter().flat_map(|k| shelf.of_kind(*k)).map(|s| s.frames).sum();
    assert_eq!(counted, 2000);
    assert_eq!(library.check_index().unwrap(), Vec::<String>::new());
}
