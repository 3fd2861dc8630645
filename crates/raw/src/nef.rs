//! Nikon's compressed samples, lossless and lossy, without the dither that `rawler` adds.
//!
//! # Source
//! LIBRAW: the format as dcraw and LibRaw have it (`nikon_load_raw`). Tag 150 or 140 of the maker
//! note: two bytes of version, the four first predictions, the curve; the row of another code at
//! byte 562. Differences are to the sample two to the left, at the left border to that two above.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use photosite_file::ifd::{Directory, Tiff, is_sensor_image};
use photosite_file::{Error, Result};
use photosite_pix::Size;

use crate::bits::{Bits, Huffman, signed};
use crate::canon::MAKER_NOTE;

/// Nikon's code among the compressions of TIFF.
const COMPRESSED: u64 = 34713;

/// Codes of 12 bits lossy, the same behind the split, lossless, then those of 14 bits: codes of each
/// length from 1 on, and their values; the upper four bits of a value are bits that were dropped.
const CODES: [([u8; 16], [u8; 15]); 6] = [
    (
        [0, 1, 5, 1, 1, 1, 1, 1, 1, 2, 0, 0, 0, 0, 0, 0],
        [5, 4, 3, 6, 2, 7, 1, 0, 8, 9, 11, 10, 12, 0, 0],
    ),
    (
        [0, 1, 5, 1, 1, 1, 1, 1, 1, 2, 0, 0, 0, 0, 0, 0],
        [0x39, 0x5a, 0x38, 0x27, 0x16, 5, 4, 3, 2, 1, 0, 11, 12, 12, 0],
    ),
    (
        [0, 1, 4, 2, 3, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [5, 4, 6, 3, 7, 2, 8, 1, 9, 0, 10, 11, 12, 0, 0],
    ),
    (
        [0, 1, 4, 3, 1, 1, 1, 1, 1, 2, 0, 0, 0, 0, 0, 0],
        [5, 6, 4, 7, 8, 3, 9, 2, 1, 0, 10, 11, 12, 13, 14],
    ),
    (
        [0, 1, 5, 1, 1, 1, 1, 1, 1, 1, 2, 0, 0, 0, 0, 0],
        [8, 0x5c, 0x4b, 0x3a, 0x29, 7, 6, 5, 4, 3, 2, 1, 0, 13, 14],
    ),
    (
        [0, 1, 4, 2, 2, 3, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0],
        [7, 6, 8, 5, 9, 4, 10, 3, 11, 12, 2, 0, 1, 13, 14],
    ),
];

/// How the samples of one file are compressed.
pub(crate) struct Compressed {
    size: Size,
    /// Bytes of the file.
    data: Range<usize>,
    /// Which of [`CODES`], and the row from which it is the next.
    code: usize,
    split: Option<usize>,
    /// The first predictions, of even and odd rows.
    first: [[i32; 2]; 2],
    /// The level of each code.
    curve: Vec<u16>,
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::damaged(path, format!("Nikon's compressed samples: {what}"))
}

/// The compression that a NEF describes; `None` where its samples are not compressed.
///
/// # Errors
/// When what describes it is missing or broken.
pub(crate) fn compressed(path: &Path, bytes: &Arc<Vec<u8>>) -> Result<Option<Compressed>> {
    let tiff = Tiff::within(path, bytes.clone(), 0)?;
    let all = tiff.directories()?;
    let packed = |d: &&Directory| tiff.first(d, 259) == Some(COMPRESSED);
    let Some(image) = all.iter().find(|d| is_sensor_image(&tiff, d) && packed(d)) else {
        return Ok(None);
    };
    let number = |tag| tiff.first(image, tag).unwrap_or(0);
    let (width, height, bits) = (number(256), number(257), number(258));
    let list = |tag| image.field(tag).map(|f| tiff.numbers(f, 1 << 16)).transpose();
    let (offsets, lengths) = (list(273)?.unwrap_or_default(), list(279)?.unwrap_or_default());
    let length: u64 = lengths.iter().sum();
    // Early cameras say compressed of what is not, with some bytes behind each row.
    let plain = (width * height * bits).div_ceil(8);
    let spare = length.saturating_sub(plain);
    if height == 0 || length >= plain && spare % height == 0 && spare / height < 16 {
        return Ok(None);
    }
    let follows = |(i, o): (usize, &u64)| i == 0 || offsets[i - 1] + lengths[i - 1] == *o;
    if offsets.len() != lengths.len() || !offsets.iter().enumerate().all(follows) {
        return Err(damaged(path, "the strips do not follow each other"));
    }
    let start = offsets.first().map_or(0, |o| *o as usize);
    let meta = meta(path, bytes, &tiff, &all)?;
    let size = Size::new(width as usize, height as usize);
    let data = start..start.saturating_add(length as usize);
    if bytes.get(data.clone()).is_none() || size.width % 2 == 1 || ![12, 14].contains(&bits) {
        return Err(damaged(path, "an odd width, or neither 12 nor 14 bits"));
    }
    described(size, data, bits as u32, &meta).map(Some).ok_or_else(|| {
        damaged(path, "the field of the maker note that describes them is too short")
    })
}

/// The field of the maker note that describes the compression, and whether its numbers begin with
/// the largest byte.
fn meta(
    path: &Path,
    bytes: &Arc<Vec<u8>>,
    tiff: &Tiff,
    all: &[Directory],
) -> Result<(Vec<u8>, bool)> {
    let missing = || damaged(path, "the maker note that describes them is missing");
    let note = all.iter().find_map(|d| d.field(MAKER_NOTE)).ok_or_else(missing)?;
    let begin = tiff.numbers(note, 10)?;
    if begin.len() < 10 || begin[..6] != b"Nikon\0".map(u64::from) {
        return Err(missing());
    }
    let note = Tiff::within(path, bytes.clone(), note.offset() + 10)?;
    let fields = note.first_directory()?;
    let field = fields.field(150).or_else(|| fields.field(140)).ok_or_else(missing)?;
    let start = field.offset() as usize;
    let end = start.saturating_add(field.bytes() as usize);
    let content = bytes.get(start..end).ok_or_else(missing)?;
    Ok((content.to_vec(), note.is_big_endian()))
}

/// Reads the description; `None` where it is too short.
fn described(
    size: Size,
    data: Range<usize>,
    bits: u32,
    (meta, big_endian): &(Vec<u8>, bool),
) -> Option<Compressed> {
    let number = |at: usize| {
        let raw = <[u8; 2]>::try_from(meta.get(at..at + 2)?).ok()?;
        Some(if *big_endian { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) })
    };
    let (&version, &sub) = (meta.first()?, meta.get(1)?);
    let mut at = if version == 0x49 || sub == 0x58 { 2 + 2110 } else { 2 };
    let mut next = || {
        at += 2;
        number(at - 2)
    };
    let (a, b) = (next()?, next()?);
    let (c, d) = (next()?, next()?);
    let count = usize::from(next().unwrap_or(0));
    let lossless = version == 0x46;
    // Some cameras say 14 bits of 12.
    let real = if (version, sub) == (0x44, 0x40) { bits - 2 } else { bits };
    let most = 1usize << real;
    let mut curve: Vec<u16> = (0..most).map(|i| i as u16).collect();
    let mut split = None;
    let step = if count > 1 { most / (count - 1) } else { 0 };
    if version == 0x44 && matches!(sub, 0x20 | 0x40) && step > 0 {
        let points: Vec<usize> =
            (0..count).map(|_| next().map(usize::from)).collect::<Option<_>>()?;
        let point = |i: usize| points.get(i).copied();
        for (i, level) in curve.iter_mut().enumerate() {
            let (k, part) = (i / step, i % step);
            let (from, to) = (point(k)?, point(k + 1).or(point(k))?);
            *level = ((from * (step - part) + to * part) / step) as u16;
        }
        split = Some(usize::from(number(562)?)).filter(|row| *row > 0);
    } else if !lossless && count <= 0x4001 && count > 0 {
        curve = (0..count).map(|_| next()).collect::<Option<_>>()?;
    }
    Some(Compressed {
        size,
        data,
        code: if lossless { 2 } else { 0 } + if bits == 14 { 3 } else { 0 },
        split: split.filter(|_| !lossless),
        first: [[a.into(), b.into()], [c.into(), d.into()]],
        curve,
    })
}

/// Decodes the samples.
///
/// # Errors
/// When they end early or hold what no camera writes.
pub(crate) fn decode(path: &Path, bytes: &[u8], how: &Compressed) -> Result<Vec<u16>> {
    let mut bits = Bits::new(&bytes[how.data.clone()]);
    let code = |i: usize| {
        let (counts, values) = &CODES[i];
        Huffman::new(counts, values).expect("as many values as codes")
    };
    let mut now = code(how.code);
    let mut first = how.first;
    let last = how.curve.len() as i32 - 1;
    // Behind the split, codes are rounded and may leave the curve a little.
    let mut slack = 0;
    let mut out = vec![0u16; how.size.pixels()];
    for (y, row) in out.chunks_exact_mut(how.size.width).enumerate() {
        if how.split == Some(y) {
            now = code(how.code + 1);
            slack = 16;
        }
        let mut left = [0i32; 2];
        for (x, sample) in row.iter_mut().enumerate() {
            let value = now.take(&mut bits);
            let value = value.ok_or_else(|| damaged(path, "bits that are no code"))?;
            let (dropped, whole) = (u32::from(value >> 4), u32::from(value & 15));
            let raw = bits.take(whole - dropped);
            let difference = if dropped == 0 {
                signed(raw, whole)
            } else {
                let wide = ((raw << 1 | 1) << dropped >> 1) as i32;
                if wide >> (whole - 1) == 0 { wide - (1 << whole) } else { wide }
            };
            let of = if x < 2 { &mut first[y % 2][x] } else { &mut left[x % 2] };
            *of = of.wrapping_add(difference);
            let at = *of;
            if x < 2 {
                left[x] = at;
            }
            if at < -slack || at > last + slack {
                let what = format!("code {at} at {x},{y}; 0 to {last} were expected");
                return Err(damaged(path, &what));
            }
            *sample = how.curve[at.clamp(0, last) as usize];
        }
        if bits.is_past_end() {
            let what = format!("they end in row {y} of {}", how.size.height);
            return Err(damaged(path, &what));
        }
    }
    Ok(out)
}
