//! Whether the samples are in the file at all, looked at before anything is decoded.

use std::path::Path;
use std::sync::Arc;

use photosite_file::ifd::{Directory, Tiff, is_sensor_image};
use photosite_file::{Error, Result};
use photosite_pix::Size;

use crate::canon;

/// Pixels that a byte of compressed samples can stand for: lossless JPEG takes a bit a pixel at
/// least, and files twice as good are let through.
const PIXELS_A_BYTE: u64 = 16;

/// Fewer bytes of samples than this are no exposure: a million pixels take as many.
const MIN_BYTES: u64 = 1_000_000 / PIXELS_A_BYTE;

/// Tags of where strips and tiles lie, and of how long they are.
const BLOCKS: [(u16, u16); 2] = [(273, 279), (324, 325)];

/// More strips or tiles than any camera writes.
const MAX_BLOCKS: usize = 1 << 20;

/// Bytes of maker notes' fields above which no field is believed.
const MAX_FIELD_BYTES: u64 = 64 << 20;

fn cut(path: &Path, what: &str, end: u64, len: u64) -> Error {
    let message = format!(
        "cut short: {what} ends at byte {end}, the file has {len}; copy it again from the camera"
    );
    Error::damaged(path, message)
}

/// Checks that every block which the file's own directories name lies inside it. Gives the bytes
/// that the samples can have at most.
///
/// # Errors
/// Damaged where one does not.
pub(crate) fn check(path: &Path, bytes: &Arc<Vec<u8>>) -> Result<u64> {
    let most = blocks(path, bytes)?;
    if most < MIN_BYTES {
        let message = format!("the pixel data are not there: no block has more than {most} bytes");
        return Err(Error::damaged(path, message));
    }
    Ok(most)
}

/// Bytes of the largest image in the file.
fn blocks(path: &Path, bytes: &Arc<Vec<u8>>) -> Result<u64> {
    let len = bytes.len() as u64;
    if bytes.get(4..8) == Some(b"ftyp") {
        return check_boxes(path, bytes);
    }
    if bytes.starts_with(b"FUJIFILM") {
        return check_raf(path, bytes);
    }
    let tiff = Tiff::within(path, bytes.clone(), 0)?;
    let mut most = 0;
    for directory in tiff.directories()? {
        // `rawler` would read a directory from wherever the first byte says.
        if directory.has_odd_pointers() {
            let message = "names its directories by other numbers than offsets of 32 bits";
            return Err(Error::unsupported(path, message));
        }
        let here = check_directory(path, &tiff, &directory, len)?;
        most = most.max(here);
        check_maker_note(path, bytes, &tiff, &directory)?;
    }
    Ok(most)
}

/// Bytes of the blocks of one directory.
fn check_directory(path: &Path, tiff: &Tiff, directory: &Directory, len: u64) -> Result<u64> {
    let mut total = 0u64;
    for (offsets, lengths) in BLOCKS {
        let (Some(offsets), Some(lengths)) = (directory.field(offsets), directory.field(lengths))
        else {
            continue;
        };
        let lengths = tiff.numbers(lengths, MAX_BLOCKS)?;
        for (offset, length) in tiff.numbers(offsets, MAX_BLOCKS)?.iter().zip(&lengths) {
            let end = offset.saturating_add(*length);
            if end > len {
                return Err(cut(path, "a block of samples", end, len));
            }
            total = total.saturating_add(*length);
        }
    }
    if is_sensor_image(tiff, directory) {
        let number = |tag| tiff.first(directory, tag);
        let samples = number(256).unwrap_or(0) * number(257).unwrap_or(0);
        check_size(path, samples, total)?;
        let bits = number(258).unwrap_or(0);
        // 1 is "not compressed".
        if number(259) == Some(1) && samples.saturating_mul(bits).div_ceil(8) > total {
            let message =
                format!("{total} bytes of samples found; {samples} of {bits} bits were expected");
            return Err(Error::damaged(path, message));
        }
    }
    Ok(total)
}

/// Checks that so many samples can stand in so many bytes.
fn check_size(path: &Path, samples: u64, bytes: u64) -> Result<()> {
    if samples == 0 || samples > bytes.saturating_mul(PIXELS_A_BYTE) {
        let message = format!(
            "the pixel data are not there: {bytes} bytes found, which cannot hold {samples} samples"
        );
        return Err(Error::damaged(path, message));
    }
    Ok(())
}

/// Checks a sensor of a size that was learnt otherwise.
pub(crate) fn check_sensor(path: &Path, size: Size, bytes: u64) -> Result<()> {
    check_size(path, (size.width as u64).saturating_mul(size.height as u64), bytes)
}

/// Checks that no field of a maker note names more bytes than there can be: `rawler` asks for the
/// memory before it looks.
fn check_maker_note(path: &Path, bytes: &[u8], tiff: &Tiff, directory: &Directory) -> Result<()> {
    let Some(field) = directory.field(canon::MAKER_NOTE) else { return Ok(()) };
    let start = field.offset() as usize;
    let Some(note) = bytes.get(start..start.saturating_add(field.bytes() as usize)) else {
        return Err(cut(
            path,
            "the maker note",
            field.offset() + field.bytes(),
            bytes.len() as u64,
        ));
    };
    let (skip, marked) = match note {
        n if n.starts_with(b"Nikon\0\x02") && n.len() > 12 => (18, n[10..12] == *b"MM"),
        n if n.starts_with(b"SONY DSC ") => (12, tiff.is_big_endian()),
        n if n.starts_with(b"FUJIFILM") => (12, false),
        _ => (0, tiff.is_big_endian()),
    };
    let number = |b: &[u8]| {
        let step = |n: u64, b: &u8| n << 8 | u64::from(*b);
        if marked { b.iter().fold(0, step) } else { b.iter().rev().fold(0, step) }
    };
    let Some(count) = note.get(skip..skip + 2).map(number) else { return Ok(()) };
    for entry in bytes[start + skip + 2..].chunks_exact(12).take(count as usize) {
        // Eight bytes a value at most.
        if number(&entry[4..8]) * 8 > bytes.len() as u64 + MAX_FIELD_BYTES {
            return Err(Error::damaged(path, "a field of the maker note is larger than the file"));
        }
    }
    Ok(())
}

/// Checks the boxes of a CR3 file; gives the bytes of media data.
fn check_boxes(path: &Path, bytes: &[u8]) -> Result<u64> {
    let len = bytes.len() as u64;
    let (mut media, mut moov) = (0, false);
    for found in canon::boxes(bytes) {
        let end = found.start + found.size;
        if end > len {
            return Err(cut(path, "a box", end, len));
        }
        moov |= &found.name == b"moov";
        if &found.name == b"mdat" {
            media += found.size;
        }
    }
    if !moov {
        return Err(Error::damaged(path, "no moov box was found, which describes a CR3 file"));
    }
    Ok(media)
}

/// Checks the three blocks that the header of a RAF file names; gives the bytes of the last, which
/// holds the samples.
fn check_raf(path: &Path, bytes: &[u8]) -> Result<u64> {
    let mut last = 0;
    // JPEG picture, header of the samples, samples: offset and length of each, from byte 84.
    for at in [84, 92, 100] {
        let number = |at: usize| -> Result<u64> {
            let raw = bytes.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
            let raw = raw.ok_or_else(|| cut(path, "the header", 108, bytes.len() as u64))?;
            Ok(u64::from(u32::from_be_bytes(raw)))
        };
        let (offset, length) = (number(at)?, number(at + 4)?);
        if offset + length > bytes.len() as u64 {
            return Err(cut(path, "a block of the file", offset + length, bytes.len() as u64));
        }
        last = length;
    }
    Ok(last)
}
