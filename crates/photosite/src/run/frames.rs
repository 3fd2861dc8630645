//! Frames found, their headers read, and made ready for work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::event::{Event, Stage};
use crate::finding::Severity;
use crate::inventory::{Frame, Inventory, KindOverrides, Taken, Walked, take, walk};
use crate::provenance::{ContentHash, FileMark};
use crate::raw::RawFrame;
use crate::work::{Context, for_each};
use crate::{Finding, Result};

/// A frame of the inventory, ready to take part.
///
/// # Errors
/// When the file cannot be read for its hash.
pub fn raw_frame(frame: &Frame) -> Result<RawFrame> {
    // The mark comes first: what changes while the file is hashed is seen later.
    let mark = FileMark::of(&frame.path)?;
    Ok(RawFrame {
        path: frame.path.clone(),
        hash: ContentHash::of_file(&frame.path)?,
        mark,
        access: frame.access,
        detector: frame.detector.clone(),
        header: frame.header.clone(),
        metadata: frame.metadata.clone(),
    })
}

/// Finds the frames below the paths and reads their headers.
///
/// # Errors
/// When a given path does not exist, or the work is cancelled.
pub fn take_inventory(
    paths: &[PathBuf],
    except: Option<&Path>,
    overrides: &KindOverrides,
    context: &Context<'_>,
) -> Result<Inventory> {
    let Walked { files, findings } = walk(paths, except)?;
    let total = files.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Inventory, total });
    let taken: Vec<Mutex<Option<Taken>>> = files.iter().map(|_| Mutex::new(None)).collect();
    for_each(
        files.len(),
        context,
        || (),
        |(), i| {
            let file = &files[i];
            let result = match crate::open::probe(&file.path) {
                Ok(probe) => take(&file.path, &file.root, probe, overrides),
                Err(e) => Taken::LeftOut(Finding::of(&e.into(), ""), None),
            };
            *taken[i].lock().expect("no holder panics") = Some(result);
            context.observer.event(Event::Advanced { by: 1, what: "headers" });
            Ok(())
        },
    )?;
    context.observer.event(Event::Finished);
    let mut inventory = Inventory { findings, ..Inventory::default() };
    for (file, slot) in files.into_iter().zip(taken) {
        match slot.into_inner().expect("no holder panics").expect("every index was visited") {
            Taken::Frame(frame, findings) => {
                inventory.frames.push(*frame);
                inventory.findings.extend(findings);
            }
            Taken::LeftOut(finding, kind) => {
                inventory.left_out.push((file.path, kind));
                inventory.findings.push(finding);
            }
        }
    }
    drop_duplicates(&mut inventory)?;
    Ok(inventory)
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

/// That a frame holds the very bytes of another.
pub(super) fn duplicate(copy: &Path, original: &Path) -> Finding {
    let message = format!("identical to {}; counted once", original.display());
    Finding::new("duplicate", Severity::Info, copy.display().to_string(), message)
        .hint("Delete one of the two.")
}
