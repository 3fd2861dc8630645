//! The boxes of a CR3 file, walked before `rawler` reads them: it trusts their sizes and counts.
//!
//! # Source
//! ISO14496, 4.2: a box is its size and name, 64 bits of size where the first is 1. CR3: the
//! layout of Canon's boxes as the project `canon_cr3` describes it.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use photosite_file::ifd::Tiff;
use photosite_file::{Error, Result};

use crate::extent::{check_fields, check_samples, cut};

/// The name of the box that holds EXIF and maker notes.
pub(crate) const CANON: [u8; 16] = [
    0x85, 0xc0, 0xb6, 0x87, 0x82, 0x0f, 0x11, 0xe0, 0x81, 0x11, 0xf4, 0xce, 0x46, 0x2b, 0x6a, 0x48,
];

/// More boxes than any camera writes.
const MAX_BOXES: usize = 4096;

/// A box: its name, and where its content lies in the file.
pub(crate) struct MediaBox {
    pub(crate) name: [u8; 4],
    pub(crate) content: Range<usize>,
}

/// Why boxes cannot be read: a sentence, and where the one that is cut short would end.
#[derive(Debug)]
pub(crate) struct Broken {
    what: String,
    end: Option<u64>,
}

fn broken(what: impl Into<String>) -> Broken {
    Broken { what: what.into(), end: None }
}

/// A number of four bytes, largest first.
fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let raw = bytes.get(at..at.checked_add(4)?)?;
    Some(u64::from(u32::from_be_bytes(raw.try_into().ok()?)))
}

/// The boxes that make up `within` of the file.
///
/// # Errors
/// When one is smaller than its own header or ends outside.
pub(crate) fn boxes(
    bytes: &[u8],
    within: Range<usize>,
) -> std::result::Result<Vec<MediaBox>, Broken> {
    let mut found = Vec::new();
    let mut at = within.start;
    while at < within.end {
        let none = || broken(format!("no box begins at byte {at}"));
        let size = number(bytes, at).ok_or_else(none)?;
        let name = bytes.get(at + 4..at + 8).and_then(|n| n.try_into().ok()).ok_or_else(none)?;
        let (size, header) = if size == 1 {
            let high = number(bytes, at + 8).ok_or_else(none)?;
            (high << 32 | number(bytes, at + 12).ok_or_else(none)?, 16)
        } else {
            (size, 8)
        };
        if size < header {
            return Err(broken(format!("the box at byte {at} is {size} bytes long")));
        }
        let end = (at as u64).saturating_add(size);
        if end > within.end as u64 {
            let what = format!("the box at byte {at} ends outside the one it is in");
            return Err(Broken { what, end: (within.end == bytes.len()).then_some(end) });
        }
        found.push(MediaBox { name, content: at + header as usize..end as usize });
        at = end as usize;
        if found.len() > MAX_BOXES {
            return Err(broken("more boxes than any camera writes"));
        }
    }
    Ok(found)
}

/// Bytes before the boxes within a box of this name; `None` where there are none.
fn inner(name: &[u8; 4], content: &[u8]) -> Option<usize> {
    Some(match name {
        b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" => 0,
        b"uuid" if content.starts_with(&CANON) => 16,
        b"stsd" => 8,
        b"CRAW" => 82,
        b"CCTP" => 12,
        b"CDI1" => 4,
        _ => return None,
    })
}

/// What a walk keeps: bytes of media, and what it must still look into.
#[derive(Default)]
struct Walk {
    seen: usize,
    media: u64,
    moov: bool,
    /// Of each track: whether it holds metadata, and where its first sample lies.
    tracks: Vec<Track>,
}

#[derive(Default, Clone)]
struct Track {
    metadata: bool,
    offset: Option<u64>,
    length: Option<u64>,
}

/// Checks the boxes of a CR3 file, their sizes, their counts, the directories and the size of the
/// picture in them; gives the bytes of media data.
///
/// # Errors
/// Damaged, where one does not hold what it says.
pub(crate) fn check(path: &Path, bytes: &Arc<Vec<u8>>) -> Result<u64> {
    let mut walk = Walk::default();
    let told = |b: Broken| match b.end {
        Some(end) => cut(path, "a box", end, bytes.len() as u64),
        None => Error::damaged(path, format!("boxes of the CR3 file: {}", b.what)),
    };
    down(path, bytes, 0..bytes.len(), 0, &mut walk)?.map_err(told)?;
    if !walk.moov {
        return Err(Error::damaged(path, "no moov box was found, which describes a CR3 file"));
    }
    for track in walk.tracks.iter().filter(|t| t.metadata) {
        if let (Some(offset), Some(length)) = (track.offset, track.length) {
            check_metadata(path, bytes, offset, length)?;
        }
    }
    Ok(walk.media)
}

/// Checks the boxes of `within`, and those inside them. The outer error is one of their content.
fn down(
    path: &Path,
    bytes: &Arc<Vec<u8>>,
    within: Range<usize>,
    depth: usize,
    walk: &mut Walk,
) -> Result<std::result::Result<(), Broken>> {
    let found = match boxes(bytes, within) {
        Ok(found) => found,
        Err(e) => return Ok(Err(e)),
    };
    walk.seen += found.len();
    if walk.seen > MAX_BOXES || depth > 8 {
        return Ok(Err(broken("more boxes than any camera writes")));
    }
    for part in found {
        let content = &bytes[part.content.clone()];
        let count = |at: usize| number(content, at).unwrap_or(u64::MAX);
        // A table's entries must be in the table.
        let table = |at: usize, each: u64| {
            let room = (content.len() as u64).saturating_sub(at as u64 + 4);
            if count(at).saturating_mul(each) > room {
                let name = String::from_utf8_lossy(&part.name);
                let what = format!("{name} says {} entries in {room} bytes", count(at));
                return Err(Error::damaged(path, format!("boxes of the CR3 file: {what}")));
            }
            Ok(())
        };
        match &part.name {
            b"moov" if depth == 0 => walk.moov = true,
            b"mdat" if depth == 0 => walk.media += content.len() as u64,
            b"trak" => walk.tracks.push(Track::default()),
            b"stts" => table(4, 8)?,
            b"stsz" => {
                table(8, 4)?;
                let length = Some(count(4)).filter(|n| *n > 0).unwrap_or(count(12));
                walk.tracks.iter_mut().last().iter_mut().for_each(|t| t.length = Some(length));
            }
            b"stsc" => {
                table(4, 12)?;
                if (count(4), count(8)) != (1, 1) || count(12) == 0 {
                    let message = "a CR3 file with several exposures, or none; one was expected";
                    return Err(Error::unsupported(path, message));
                }
            }
            b"co64" => {
                table(4, 8)?;
                let offset = count(8).saturating_mul(1 << 32).saturating_add(count(12));
                walk.tracks.iter_mut().last().iter_mut().for_each(|t| t.offset = Some(offset));
            }
            b"CTMD" => {
                table(8, 8)?;
                walk.tracks.iter_mut().last().iter_mut().for_each(|t| t.metadata = true);
            }
            b"CMP1" => check_picture(path, bytes, content)?,
            b"CMT1" | b"CMT2" | b"CMT3" | b"CMT4" => {
                let tiff = Tiff::within(path, Arc::new(content.to_vec()), 0)?;
                check_fields(path, &tiff.directories()?, content.len())?;
            }
            _ => {}
        }
        if let Some(skip) = inner(&part.name, content) {
            let start = part.content.start + skip;
            if start > part.content.end {
                return Ok(Err(broken("a box is shorter than what it begins with")));
            }
            if let Err(e) = down(path, bytes, start..part.content.end, depth + 1, walk)? {
                return Ok(Err(e));
            }
        }
    }
    Ok(Ok(()))
}

/// Checks the size of a picture against the file.
fn check_picture(path: &Path, bytes: &[u8], content: &[u8]) -> Result<()> {
    let [width, height, tile_width, tile_height] =
        [8, 12, 16, 20].map(|at| number(content, at).unwrap_or(0));
    check_samples(path, width.saturating_mul(height), bytes.len() as u64)?;
    let tiles = |side: u64, tile: u64| side.checked_div(tile).is_some_and(|n| n < 255);
    if !tiles(width, tile_width) || !tiles(height, tile_height) {
        let message =
            format!("a picture of {width}x{height} in tiles of {tile_width}x{tile_height}");
        return Err(Error::damaged(path, message));
    }
    Ok(())
}

/// Checks the records beside the pictures: some hold directories.
fn check_metadata(path: &Path, bytes: &[u8], offset: u64, length: u64) -> Result<()> {
    let (start, end) = (offset as usize, offset.saturating_add(length) as usize);
    let Some(mut rest) = bytes.get(start..end) else {
        return Err(cut(path, "the metadata", offset.saturating_add(length), bytes.len() as u64));
    };
    let size = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize;
    while rest.len() >= 12 {
        let here = size(rest);
        if here < 12 || here > rest.len() {
            return Err(Error::damaged(path, "a record of the CR3 file's metadata is cut short"));
        }
        let (record, after) = rest.split_at(here);
        rest = after;
        let mut blocks = &record[12..];
        while blocks.len() >= 8 {
            let here = size(blocks);
            if here < 8 || here > blocks.len() {
                break;
            }
            let (block, after) = blocks.split_at(here);
            blocks = after;
            if block[8..].starts_with(b"II") || block[8..].starts_with(b"MM") {
                let tiff = Tiff::within(path, Arc::new(block[8..].to_vec()), 0)?;
                check_fields(path, &tiff.directories()?, block.len())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let mut out = (content.len() as u32 + 8).to_be_bytes().to_vec();
        out.extend(name);
        out.extend(content);
        out
    }

    fn told(moov: &[u8]) -> String {
        let mut file = boxed(b"ftyp", b"crx \0\0\0\x01crx isom");
        file.extend(moov);
        file.extend(boxed(b"mdat", &[0; 70_000]));
        match check(Path::new("x.cr3"), &Arc::new(file)) {
            Ok(media) => media.to_string(),
            Err(e) => e.message().to_owned(),
        }
    }

    #[test]
    fn boxes_hold_what_they_say() {
        let table = |name, words: &[u32]| {
            let content: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
            let track = boxed(b"minf", &boxed(b"stbl", &boxed(name, &content)));
            boxed(b"moov", &boxed(b"trak", &boxed(b"mdia", &track)))
        };
        let craw = |words: &[u32]| {
            let content: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
            let mut raw = vec![0; 82];
            raw.extend(boxed(b"CMP1", &content));
            let mut entry = vec![0; 8];
            entry.extend(boxed(b"CRAW", &raw));
            boxed(b"moov", &boxed(b"trak", &boxed(b"stsd", &entry)))
        };
        let huge = [1u32.to_be_bytes(), *b"mdat", [0xff; 4], [0xff, 0xff, 0xff, 0xec]].concat();
        for (moov, expected) in [
            (boxed(b"moov", &[]), "70000"),
            (boxed(b"moov", &[0; 8]), "is 0 bytes long"),
            (boxed(b"moov", &boxed(b"trak", &[0; 8])), "is 0 bytes long"),
            (boxed(b"moov", &[0, 0, 0, 9, 1, 2, 3, 4]), "ends outside"),
            (huge, "cut short: a box ends at byte 18446744073709551615"),
            (boxed(b"free", &[]), "no moov box"),
            (table(b"stts", &[0, 1 << 30]), "1073741824 entries"),
            (table(b"stsz", &[0, 5, 1 << 31]), "2147483648 entries"),
            (table(b"co64", &[0, u32::MAX]), "4294967295 entries"),
            (table(b"stsc", &[0, 1, 1, 1, 1]), "70000"),
            (table(b"stsc", &[0, 1, 7, 1, 1]), "several exposures"),
            (craw(&[0, 0, 65535, 65535, 65535, 65535, 0]), "cannot hold"),
            (craw(&[0, 0, 400, 400, 0, 400, 0]), "in tiles of 0x400"),
            (craw(&[0, 0, 400, 400, 1, 1, 0]), "in tiles of 1x1"),
            (craw(&[0, 0, 400, 400, 400, 400, 0]), "70000"),
        ] {
            let found = told(&moov);
            assert!(found.contains(expected), "{found}; {expected} was expected");
        }
    }
}
