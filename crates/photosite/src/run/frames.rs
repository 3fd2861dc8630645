//! Frames found, their headers read, and made ready for work.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use photosite_file::Probe;
use photosite_pix::{FrameKind, Plane};

use super::adopt::masters_among;
use super::examined::{examine, settle};
use super::looked::read_plane;
use crate::error::Reach;
use crate::event::{Event, Stage};
use crate::finding::Severity;
use crate::inventory::{
    Frame, Inventory, KindOverrides, KindSource, Taken, Walk, Walked, master_not_adopted,
    naming_folder, option_of, take_unlabelled, walk,
};
use crate::library::Shelved;
use crate::open::{image_of_file, name_of_image};
use crate::params::Glob;
use crate::provenance::{ContentHash, FileMark};
use crate::raw::{
    Flagged, RawFrame, has_border_of_zeros, hash_and_damage, runs_from_zero_to_one, told_flags,
};
use crate::work::{Context, for_each, on_each};
use crate::{Finding, Result};

/// The frames of an inventory, ready to take part, in their order; `None` for one that cannot be read, which
/// becomes a finding.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn raw_frames(
    inventory: &Inventory,
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<Vec<Option<RawFrame>>> {
    let read = on_each(inventory.frames.len(), context, |i| raw_frame(&inventory.frames[i]))?;
    let mut frames = Vec::with_capacity(read.len());
    for (raw, frame) in read.into_iter().zip(&inventory.frames) {
        match raw {
            Ok(raw) => {
                findings.extend(damaged(&raw));
                findings.extend(told_flags(&raw));
                frames.push(Some(raw));
            }
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => {
                findings.push(Finding::of(&e, frame.path.display().to_string()));
                frames.push(None);
            }
        }
    }
    Ok(frames)
}

/// A frame of the inventory, ready to take part; its file is read through.
///
/// # Errors
/// When the file cannot be read for its hash.
pub fn raw_frame(frame: &Frame) -> Result<RawFrame> {
    identified(frame, hash_and_damage)
}

/// The same; `held` tells what its file holds, and what contradicts the sums in its headers.
///
/// # Errors
/// Those of `held`, and when the file cannot be read.
pub(super) fn identified(
    frame: &Frame,
    held: impl FnOnce(&Path) -> Result<(ContentHash, Option<String>)>,
) -> Result<RawFrame> {
    // The mark comes first: what changes while the file is hashed is seen later.
    let mark = FileMark::of(&frame.path)?;
    let (hash, damage) = held(&frame.path)?;
    Ok(RawFrame {
        path: frame.path.clone(),
        hash,
        mark,
        damage,
        access: frame.access,
        detector: frame.detector.clone(),
        from_zero_to_one: runs_from_zero_to_one(&frame.path, &frame.header)?,
        zero_is_missing: has_border_of_zeros(&frame.path, &frame.metadata, frame.access)?,
        flagged: Flagged::of(&frame.path, frame.size)?,
        turned: frame.turned,
        noise_told: frame.noise_told,
        header: frame.header.clone(),
        metadata: frame.metadata.clone(),
        linearity: frame.linearity.clone(),
        parts: OnceLock::new(),
    })
}

/// That the data of a frame are not those that its header promises: it may be damaged, or a program wrote
/// new data under the old sum.
pub(super) fn damaged(raw: &RawFrame) -> Option<Finding> {
    let message = format!(
        "{}; either the file was damaged after it was written, or a program kept the sum of other data; \
         it is used as it is",
        raw.damage.as_ref()?
    );
    let subject = raw.path.display().to_string();
    Some(
        Finding::new("sum-contradicted", Severity::Warning, subject, message)
            .hint("Copy the file again from its source; if it is the same there, look at it, or leave it out."),
    )
}

/// Finds the frames below the paths, reads their headers, and looks at some of their pixels.
///
/// # Errors
/// When a given path does not exist, or the work is cancelled.
pub fn take_inventory(
    paths: &[PathBuf],
    except: Option<&Path>,
    overrides: &KindOverrides,
    context: &Context<'_>,
) -> Result<Inventory> {
    let mut inventory = take_inventory_without(paths, (except, &[]), overrides, context)?;
    for (path, kind) in std::mem::take(&mut inventory.masters) {
        inventory.findings.push(master_not_adopted(&path));
        inventory.left_out.push((path, Some(kind)));
    }
    inventory.left_out.sort();
    Ok(inventory)
}

/// The frames below the paths as [`take_inventory`] finds them, and the masters of other programs among them, from
/// which a night chooses as from those of a library.
///
/// # Errors
/// As [`take_inventory`].
pub fn take_night(
    paths: &[PathBuf],
    overrides: &KindOverrides,
    context: &Context<'_>,
) -> Result<(Inventory, Vec<Shelved>)> {
    let mut inventory = take_inventory_without(paths, (None, &[]), overrides, context)?;
    let mut findings = Vec::new();
    let found = masters_among(&mut inventory, &mut findings, context)?;
    inventory.findings.extend(findings);
    Ok((inventory, found))
}

/// The frames below the paths; files of these patterns are left out, and told, and masters are kept apart.
///
/// # Errors
/// As [`take_inventory`].
pub(super) fn take_inventory_without(
    paths: &[PathBuf],
    (except, exclude): (Option<&Path>, &[Glob]),
    overrides: &KindOverrides,
    context: &Context<'_>,
) -> Result<Inventory> {
    let Walked { mut files, mut findings } = walk(paths, except)?;
    let excluded = excluded(&mut files, exclude, &mut findings);
    let total = files.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Inventory, total });
    let taken: Vec<Mutex<Vec<(PathBuf, Taken)>>> = files.iter().map(|_| Mutex::default()).collect();
    for_each(
        files.len(),
        context,
        || (),
        |(), i| {
            *taken[i].lock().expect("no holder panics") = take_images(&files[i], overrides);
            context.observer.event(Event::Advanced { by: 1, what: "headers" });
            Ok(())
        },
    )?;
    context.observer.event(Event::Finished);
    let left_out = excluded.into_iter().map(|path| (path, None)).collect();
    let mut inventory = Inventory { findings, left_out, ..Inventory::default() };
    let mut without_label = Vec::new();
    let taken = taken.into_iter().flat_map(|slot| slot.into_inner().expect("no holder panics"));
    for (path, taken) in taken {
        match taken {
            Taken::Frame(frame, findings) if frame.kind_source == KindSource::Pixels => {
                without_label.push((*frame, findings));
            }
            Taken::Frame(frame, findings) => {
                inventory.frames.push(*frame);
                inventory.findings.extend(findings);
            }
            Taken::Master(kind) => inventory.masters.push((path, kind)),
            Taken::LeftOut(finding, kind) => {
                inventory.left_out.push((path, kind));
                inventory.findings.push(finding);
            }
        }
    }
    settle(&mut inventory, without_label, context)?;
    drop_duplicates(&mut inventory)?;
    drop_same_exposures(&mut inventory);
    keep_kinds(&mut inventory);
    keep_lights(&mut inventory);
    examine(&mut inventory, context)?;
    inventory.findings = one_a_folder(std::mem::take(&mut inventory.findings));
    Ok(inventory)
}

/// Takes the files of these patterns out of those found, and tells of them.
fn excluded(files: &mut Vec<Walk>, exclude: &[Glob], findings: &mut Vec<Finding>) -> Vec<PathBuf> {
    for glob in exclude.iter().filter(|glob| !files.iter().any(|f| glob.matches(&f.path))) {
        let message = format!("--exclude '{glob}' matches no file");
        findings.push(
            Finding::new("exclude-matches-nothing", Severity::Warning, glob.to_string(), message)
                .hint("Without / it is compared with file names, with / with the end of paths."),
        );
    }
    let out = files.extract_if(.., |f| exclude.iter().any(|glob| glob.matches(&f.path)));
    let out: Vec<PathBuf> = out.map(|f| f.path).collect();
    for path in &out {
        let glob = exclude.iter().find(|glob| glob.matches(path)).expect("it was matched");
        let message = format!("left out: --exclude '{glob}'");
        let subject = path.display().to_string();
        findings.push(Finding::new("frame-excluded", Severity::Info, subject, message));
    }
    out
}

/// Takes the frame of a file, or the frames of one that is a sequence.
fn take_images(file: &Walk, overrides: &KindOverrides) -> Vec<(PathBuf, Taken)> {
    let Walk { path, root } = file;
    let no = |e: photosite_file::Error| Taken::LeftOut(Finding::of(&e.into(), ""), None);
    let probe = match crate::open::probe(path) {
        Ok(probe) => probe,
        Err(e) => return vec![(path.clone(), no(e))],
    };
    let images = crate::open::sequence(path, &probe);
    let cut = probe.cut.as_ref().map(|why| {
        let message = format!("{why}; the frames before it are used");
        Finding::new("file-cut", Severity::Error, path.display().to_string(), message)
            .hint("Copy the file again from its source.")
    });
    if images.is_empty() {
        return vec![(path.clone(), take_unlabelled(path, root, probe, overrides))];
    }
    let hidden = |probe: &Probe| {
        let name = name_of_image(path, probe.image);
        name.exists().then_some(name)
    };
    if let Some(name) = images.iter().find_map(hidden) {
        let message = format!(
            "the file holds a sequence of images, of which {} would be one, but a file has that \
             name: the sequence is left out",
            name.display()
        );
        let subject = path.display().to_string();
        let finding = Finding::new("images-passed-over", Severity::Error, subject, message)
            .hint("Rename that file.");
        return vec![(path.clone(), Taken::LeftOut(finding, None))];
    }
    let (count, others) = (images.len(), probe.other_images().len());
    let mut taken: Vec<(PathBuf, Taken)> = Vec::with_capacity(count);
    for probe in images {
        let name = name_of_image(path, probe.image);
        let one = match take_unlabelled(path, root, probe, overrides) {
            // What is said of one is said of all.
            Taken::Frame(frame, findings) if taken.is_empty() => {
                Taken::Frame(Box::new(Frame { path: name.clone(), ..*frame }), findings)
            }
            Taken::Frame(frame, _) => {
                Taken::Frame(Box::new(Frame { path: name.clone(), ..*frame }), Vec::new())
            }
            no_frame => return vec![(path.clone(), no_frame)],
        };
        taken.push((name, one));
    }
    if let Some((_, Taken::Frame(_, findings))) = taken.first_mut() {
        findings.extend(cut);
        let message =
            format!("the file holds a sequence of {count} images, each of which is a frame");
        let subject = path.display().to_string();
        findings.push(
            Finding::new("images-of-one-file", Severity::Info, &subject, message)
                .with("images", count),
        );
        if others > 0 {
            let message = format!(
                "the file holds {others} more images of another size or sample type than the first \
                 {count}; they are left out"
            );
            findings.push(
                Finding::new("images-passed-over", Severity::Warning, subject, message)
                    .hint("Write them into a file of their own.")
                    .with("images", others),
            );
        }
    }
    taken
}

/// Leaves out frames that hold the very bytes of another: they would count twice.
fn drop_duplicates(inventory: &mut Inventory) -> Result<()> {
    // Only frames of one length and one header can be copies; only those are read.
    let mut alike: BTreeMap<(u64, Vec<u8>), Vec<usize>> = BTreeMap::new();
    for (i, f) in inventory.frames.iter().enumerate() {
        let cards: Vec<u8> = f.header.cards().iter().flat_map(|c| *c.as_bytes()).collect();
        alike.entry((f.file_bytes, cards)).or_default().push(i);
    }
    let mut copies = Vec::new();
    for group in alike.values_mut().filter(|g| g.len() > 1) {
        // "a (1).fit" is the copy of "a.fit".
        group.sort_by_key(|&i| (inventory.frames[i].path.as_os_str().len(), i));
        let mut first: BTreeMap<ContentHash, usize> = BTreeMap::new();
        for &i in &*group {
            // A frame that cannot be read is found out later, with a Finding of its own.
            let Ok(hash) = ContentHash::of_file(&inventory.frames[i].path) else { continue };
            if let Some(&original) = first.get(&hash) {
                copies.push((i, original));
            } else {
                first.insert(hash, i);
            }
        }
    }
    copies.sort_unstable();
    for &(copy, original) in &copies {
        let (copy, original) = (&inventory.frames[copy].path, &inventory.frames[original].path);
        inventory.findings.push(duplicate(copy, original));
    }
    for &(copy, _) in copies.iter().rev() {
        let frame = inventory.frames.remove(copy);
        inventory.left_out.push((frame.path, Some(frame.kind)));
    }
    inventory.left_out.sort();
    Ok(())
}

/// Most files of one exposure: where more share a time to the millisecond, the clock stood still.
const MOST_COPIES: usize = 3;

/// Whether a date has a fraction of a second that is worth the name.
fn to_the_millisecond(date: &str) -> bool {
    let fraction = date.rsplit_once('.').map(|(_, f)| f);
    fraction.is_some_and(|f| f.len() >= 3 && f.bytes().any(|b| b != b'0'))
}

/// A number that samples share only where all of them are equal.
fn digest(samples: &Plane<f32>) -> u64 {
    let mut hasher = DefaultHasher::new();
    samples.as_slice().iter().for_each(|v| v.to_bits().hash(&mut hasher));
    hasher.finish()
}

/// Leaves out frames that are another's exposure, by camera and start to the millisecond, or to the
/// second where their samples are equal, whatever their other cards say: copies that a program
/// converted.
fn drop_same_exposures(inventory: &mut Inventory) {
    let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, f) in inventory.frames.iter().enumerate() {
        let m = &f.metadata;
        let Some(date) = m.date_obs.as_deref() else { continue };
        // The images of a sequence may all carry the date of its first.
        if image_of_file(&f.path).is_some() {
            continue;
        }
        // A date without a time is shared by a whole night.
        if !date.contains(':') {
            continue;
        }
        let camera = m.camera.as_deref().map(crate::library::camera_key);
        let exposure = m.exposure_s.map(f64::to_bits);
        let key = (f.kind, f.size, date, camera, &m.camera_id, exposure, &m.filter);
        alike.entry(format!("{key:?}")).or_default().push(i);
    }
    let mut copies: Vec<(usize, usize)> = Vec::new();
    for group in alike.values_mut().filter(|g| g.len() > 1) {
        // What lies in a folder of results is the copy.
        let made = |i: usize| {
            let parent = inventory.frames[i].path.parent().and_then(Path::file_name);
            parent.is_some_and(|p| p.eq_ignore_ascii_case("process"))
        };
        group.sort_by_key(|&i| (made(i), inventory.frames[i].path.as_os_str().len(), i));
        let date = inventory.frames[group[0]].metadata.date_obs.as_deref().unwrap_or_default();
        if to_the_millisecond(date) && group.len() <= MOST_COPIES {
            copies.extend(group[1..].iter().map(|&i| (i, group[0])));
            continue;
        }
        // Whole seconds are shared by frames of a burst: their samples tell.
        let mut first: BTreeMap<u64, usize> = BTreeMap::new();
        for &i in &*group {
            // A frame that cannot be read is found out later, with a Finding of its own.
            let Ok(samples) = read_plane(&inventory.frames[i].path, 0) else { continue };
            let original = *first.entry(digest(&samples)).or_insert(i);
            if original != i {
                copies.push((i, original));
            }
        }
    }
    copies.sort_unstable();
    for &(copy, original) in &copies {
        let (copy, original) = (&inventory.frames[copy].path, &inventory.frames[original].path);
        let message = format!(
            "the same exposure as {}: camera, start and length are equal; counted once",
            original.display()
        );
        inventory.findings.push(
            Finding::new("same-exposure", Severity::Warning, copy.display().to_string(), message)
                .hint("Delete one of the two."),
        );
    }
    for &(copy, _) in copies.iter().rev() {
        let frame = inventory.frames.remove(copy);
        inventory.left_out.push((frame.path, Some(frame.kind)));
    }
    inventory.left_out.sort();
}

/// Believes the headers again where the name of a folder stands against those of all kinds of frames in it: a place
/// or a test is called so.
fn keep_kinds(inventory: &mut Inventory) {
    let folder =
        |f: &Frame| naming_folder(&f.path, f.metadata.object.as_deref()).map(Path::to_owned);
    let mut kinds: BTreeMap<PathBuf, BTreeSet<FrameKind>> = BTreeMap::new();
    for frame in &inventory.frames {
        if let Some((folder, kind)) = folder(frame).zip(frame.metadata.kind) {
            kinds.entry(folder).or_default().insert(kind);
        }
    }
    // A folder of flats may hold darks for them, and flats that a program called lights.
    let said = |f: &Frame| -> bool {
        folder(f).and_then(|at| kinds.get(&at)).is_some_and(|kinds| kinds.len() > 2)
    };
    for i in 0..inventory.frames.len() {
        let frame = &inventory.frames[i];
        let Some(kind) = frame.metadata.kind.filter(|_| said(frame)) else { continue };
        let subject = frame.path.display().to_string();
        inventory.findings.retain(|f| f.code != "kind-contradicted" || f.subject != subject);
        let frame = &mut inventory.frames[i];
        if frame.kind_source == KindSource::Name {
            (frame.kind, frame.kind_source) = (kind, KindSource::Header);
        }
    }
}

/// Believes the headers again where names would leave no light at all.
fn keep_lights(inventory: &mut Inventory) {
    let light = Some(FrameKind::Light);
    if inventory.frames.iter().any(|f| f.kind == FrameKind::Light) {
        return;
    }
    let overruled = |f: &&mut Frame| {
        let by_name = f.kind_source == KindSource::Name && f.metadata.kind == light;
        // A folder that is called by a kind and nothing else was called so on purpose: the night is
        // one of calibration frames alone.
        by_name && !stands_in_a_folder_of_its_kind(&f.path)
    };
    for frame in inventory.frames.iter_mut().filter(overruled) {
        let subject = frame.path.display().to_string();
        let named = std::mem::replace(&mut frame.kind, FrameKind::Light);
        frame.kind_source = KindSource::Header;
        inventory.findings.retain(|f| f.code != "kind-contradicted" || f.subject != subject);
        let message = format!(
            "the header says light, the name says {named}; the header is used, for no light would \
             be left otherwise"
        );
        inventory.findings.push(
            Finding::new("kind-contradicted", Severity::Warning, subject, message)
                .hint(format!("If it really is a {named}, use --{}.", option_of(named))),
        );
    }
}

/// Whether the folder of a frame is called flats, darks, bias or the like, and nothing besides.
fn stands_in_a_folder_of_its_kind(path: &Path) -> bool {
    const NAMES: &[&str] = &[
        "bias",
        "biases",
        "offset",
        "offsets",
        "dark",
        "darks",
        "flat",
        "flats",
        "darkflat",
        "darkflats",
        "flatdark",
        "flatdarks",
    ];
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    let plain: String = folder.to_string_lossy().chars().filter(|c| c.is_alphabetic()).collect();
    NAMES.contains(&plain.to_lowercase().as_str())
}

/// Codes of which one Finding a folder is enough.
const ONE_A_FOLDER: &[&str] = &[
    "card-unreadable",
    "dark-is-bias",
    "exposure-by-name",
    "filter-by-name",
    "gain-by-name",
    "result-of-another-program",
    "target-by-folder",
];

/// Joins findings that say the same of many files of a folder.
fn one_a_folder(findings: Vec<Finding>) -> Vec<Finding> {
    let mut out: Vec<(Finding, usize)> = Vec::new();
    let mut first: BTreeMap<(String, String), usize> = BTreeMap::new();
    for finding in findings {
        if !ONE_A_FOLDER.contains(&finding.code.as_ref()) {
            out.push((finding, 0));
            continue;
        }
        let folder = Path::new(&finding.subject).parent().map(|p| p.display().to_string());
        let key = (folder.unwrap_or_default(), format!("{} {}", finding.code, finding.message));
        match first.get(&key) {
            Some(&at) => out[at].1 += 1,
            None => {
                first.insert(key, out.len());
                out.push((finding, 0));
            }
        }
    }
    let told = |(finding, more): (Finding, usize)| match more {
        0 => finding,
        _ => Finding { subject: format!("{} and {more} more", finding.subject), ..finding },
    };
    out.into_iter().map(told).collect()
}

/// That a frame holds the very bytes of another.
pub(super) fn duplicate(copy: &Path, original: &Path) -> Finding {
    let message = format!("identical to {}; counted once", original.display());
    Finding::new("duplicate", Severity::Info, copy.display().to_string(), message)
        .hint("Delete one of the two.")
}
