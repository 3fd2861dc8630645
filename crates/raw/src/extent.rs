//! Whether the samples are in the file at all, looked at before anything is decoded.

use std::path::Path;
use std::sync::Arc;

use photosite_file::ifd::{DNG_VERSION, Directory, Tiff, is_sensor_image};
use photosite_file::{Error, Result};
use photosite_pix::Size;

use crate::{boxes, canon, ljpeg, raf};

/// Pixels that a byte of compressed samples can stand for: lossless JPEG takes a bit a pixel at
/// least, and files twice as good are let through.
pub(crate) const PIXELS_A_BYTE: u64 = 16;

/// Fewer bytes of samples than this are no exposure: a million pixels take as many.
const MIN_BYTES: u64 = 1_000_000 / PIXELS_A_BYTE;

/// Tags of where strips and tiles lie, and of how long they are.
const BLOCKS: [(u16, u16); 2] = [(273, 279), (324, 325)];

/// More strips or tiles than any camera writes.
const MAX_BLOCKS: usize = 1 << 20;

/// Bytes by which fields may be larger than the file, where some are named twice.
const SPARE_FIELD_BYTES: u64 = 1 << 20;

/// Bytes of maker notes' fields above which no field is believed.
const MAX_FIELD_BYTES: u64 = 64 << 20;

pub(crate) fn cut(path: &Path, what: &str, end: u64, len: u64) -> Error {
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
        return boxes::check(path, bytes);
    }
    if bytes.starts_with(b"FUJIFILM") {
        return raf::check(path, bytes);
    }
    let tiff = Tiff::within(path, bytes.clone(), 0)?;
    let all = tiff.directories()?;
    expect_known(path, bytes, &tiff, &all)?;
    check_fields(path, &all, bytes.len())?;
    let mut most = 0;
    for directory in &all {
        let here = check_directory(path, bytes, &tiff, directory, len)?;
        most = most.max(here);
        check_maker_note(path, bytes, &tiff, directory)?;
    }
    Ok(most)
}

/// Refuses what would reach other decoders than those of the formats read here.
fn expect_known(path: &Path, bytes: &[u8], tiff: &Tiff, all: &[Directory]) -> Result<()> {
    if [b"\x2b\0", b"\0\x2b"].iter().any(|m| bytes.get(2..4) == Some(&m[..])) {
        let message = "a camera raw laid out as BigTIFF, which is not read";
        return Err(Error::unsupported(path, message));
    }
    let first = |tag| all.first().and_then(|d| tiff.text(d, tag));
    let make = first(271).unwrap_or_default();
    let dng = all.iter().any(|d| d.field(DNG_VERSION).is_some());
    let known = ["Canon", "NIKON", "SONY"].iter().any(|m| make.starts_with(m));
    if !dng && !known || bytes.get(6..14) == Some(b"HEAPCCDR") {
        let by = if make.is_empty() { "an unnamed maker".into() } else { make };
        let message = format!("a camera raw of {by}, not read here; convert it to DNG or FITS");
        return Err(Error::unsupported(path, message));
    }
    Ok(())
}

/// Checks that directories name each other as all readers understand it, and that their fields are
/// not larger than the file together: `rawler` holds them all.
pub(crate) fn check_fields(path: &Path, all: &[Directory], len: usize) -> Result<()> {
    // `rawler` would read a directory from wherever the first byte says.
    if all.iter().any(Directory::has_odd_pointers) {
        let message = "names its directories by other numbers than offsets of 32 bits";
        return Err(Error::unsupported(path, message));
    }
    let named = all.iter().fold(0u64, |n, d| n.saturating_add(d.bytes()));
    if named > len as u64 + SPARE_FIELD_BYTES {
        let message = format!("fields of {named} bytes in a file of {len}");
        return Err(Error::damaged(path, message));
    }
    Ok(())
}

/// Bytes of the blocks of one directory.
fn check_directory(
    path: &Path,
    bytes: &[u8],
    tiff: &Tiff,
    directory: &Directory,
    len: u64,
) -> Result<u64> {
    let number = |tag| tiff.first(directory, tag);
    let (width, height) = (number(256).unwrap_or(0), number(257).unwrap_or(0));
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
            // Its header is believed by decoders, whatever the directory says.
            let claimed = ljpeg::claimed(&bytes[*offset as usize..]);
            let claimed = claimed.map_err(|what| Error::damaged(path, what))?;
            if claimed > len.saturating_mul(PIXELS_A_BYTE) {
                let message = format!("a JPEG of {claimed} samples in a file of {len} bytes");
                return Err(Error::damaged(path, message));
            }
        }
    }
    // Which image a decoder takes is its own choice: none may be larger than the file can hold.
    let samples = width.saturating_mul(height);
    if samples > 0 {
        check_samples(path, samples, len)?;
    }
    if let (Some(w @ 1..), Some(h @ 1..)) = (number(322), number(323)) {
        let wide = width.div_ceil(w).saturating_mul(w);
        let high = height.div_ceil(h).saturating_mul(h);
        check_samples(
            path,
            wide.saturating_mul(high).saturating_mul(number(277).unwrap_or(1)),
            len,
        )?;
    }
    if is_sensor_image(tiff, directory) {
        check_samples(path, samples, total)?;
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
pub(crate) fn check_samples(path: &Path, samples: u64, bytes: u64) -> Result<()> {
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
    check_samples(path, (size.width as u64).saturating_mul(size.height as u64), bytes)
}

/// Checks that no field of a maker note names more bytes than there can be: `rawler` asks for the
/// memory before it looks.
pub(crate) fn check_maker_note(
    path: &Path,
    bytes: &[u8],
    tiff: &Tiff,
    directory: &Directory,
) -> Result<()> {
    let Some(field) = directory.field(canon::MAKER_NOTE) else { return Ok(()) };
    let start = field.offset() as usize;
    let Some(note) = bytes.get(start..start.saturating_add(field.bytes() as usize)) else {
        let end = field.offset().saturating_add(field.bytes());
        return Err(cut(path, "the maker note", end, bytes.len() as u64));
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
    let mut total = 0u64;
    for entry in bytes[start + skip + 2..].chunks_exact(12).take(count as usize) {
        let each = match number(&entry[2..4]) {
            3 | 8 => 2,
            4 | 9 | 11 => 4,
            5 | 10 | 12 => 8,
            _ => 1,
        };
        total = total.saturating_add(number(&entry[4..8]) * each);
    }
    if total > 2 * bytes.len() as u64 + MAX_FIELD_BYTES {
        return Err(Error::damaged(path, "fields of the maker note are larger than the file"));
    }
    Ok(())
}
