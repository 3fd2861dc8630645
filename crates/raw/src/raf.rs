//! The blocks of a RAF file, looked at before `rawler` reads them.
//!
//! # Source
//! LIBRAW: the header of a RAF as LibRaw and ExifTool read it: offset and length of the JPEG picture, of the
//! records and of the samples from byte 84 on; EXIF 12 bytes into the picture; width and height in
//! record 256 or in the fields 0xf001 and 0xf002 of the directory of the samples.

use std::path::Path;
use std::sync::Arc;

use photosite_file::ifd::Tiff;
use photosite_file::{Error, Result};

use crate::extent::{check_fields, check_maker_note, check_samples, cut};

/// The field that names Fuji's own directory.
const FUJI_IFD: u16 = 0xf000;
/// How many times longer than wide a sensor may be.
const MOST_LONG: u64 = 16;

/// Checks the three blocks that the header names, their directories and the size of the picture;
/// gives the bytes of the last, which holds the samples.
///
/// # Errors
/// Damaged, where one does not lie in the file or says more than it can hold.
pub(crate) fn check(path: &Path, bytes: &Arc<Vec<u8>>) -> Result<u64> {
    let len = bytes.len() as u64;
    let number = |at: usize| -> Result<u64> {
        let raw = bytes.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
        let raw = raw.ok_or_else(|| cut(path, "the header", 108, len))?;
        Ok(u64::from(u32::from_be_bytes(raw)))
    };
    let mut starts = [0; 3];
    let mut last = 0;
    for (at, start) in [84, 92, 100].into_iter().zip(&mut starts) {
        let (offset, length) = (number(at)?, number(at + 4)?);
        if offset + length > len {
            return Err(cut(path, "a block of the file", offset + length, len));
        }
        *start = offset;
        last = length;
    }
    let [picture, records, samples] = starts;
    let tiff = Tiff::within(path, bytes.clone(), picture + 12)?;
    let all = tiff.directories()?;
    check_fields(path, &all, bytes.len())?;
    for directory in &all {
        check_maker_note(path, bytes, &tiff, directory)?;
    }
    check_records(path, bytes, records as usize)?;
    // Where no directory begins, samples do.
    let begin = bytes.get(samples as usize..).unwrap_or_default();
    if begin.starts_with(b"II") || begin.starts_with(b"MM") {
        let tiff = Tiff::within(path, bytes.clone(), samples)?;
        let mut all = tiff.directories()?;
        let below = all.iter().find_map(|d| d.field(FUJI_IFD));
        if let Some(field) = below {
            for offset in tiff.numbers(field, 2)? {
                let (own, next) = tiff.directory(offset)?;
                if next != 0 || field.bytes() != 4 {
                    let message = "a RAF file with several directories of samples";
                    return Err(Error::unsupported(path, message));
                }
                let side = |tag| tiff.first(&own, tag).unwrap_or(0);
                let (width, height) = (side(0xf001).max(1), side(0xf002).max(1));
                check_samples(path, width.saturating_mul(height), len)?;
                // Sensors that stand on a corner are turned into a square that holds them.
                if width.max(height) > MOST_LONG * width.min(height) {
                    let message = format!("a sensor of {width} x {height}, which no camera has");
                    return Err(Error::damaged(path, message));
                }
                all.push(own);
            }
        }
        check_fields(path, &all, bytes.len())?;
    }
    Ok(last)
}

/// Checks the size of the picture in the records.
fn check_records(path: &Path, bytes: &[u8], start: usize) -> Result<()> {
    let mut rest = bytes.get(start + 4..).unwrap_or_default();
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let (tag, length) =
            (head[0..2].to_vec(), usize::from(u16::from_be_bytes([head[2], head[3]])));
        let Some(content) = after.get(..length) else { break };
        if let (&[1, 0], &[h1, h0, w1, w0, ..]) = (&tag[..], content) {
            let (high, wide) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
            check_samples(path, u64::from(high) * u64::from(wide), bytes.len() as u64)?;
            break;
        }
        rest = &after[length..];
    }
    Ok(())
}
