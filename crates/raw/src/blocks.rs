//! The samples of a DNG: strips and tiles, plain or as lossless JPEG, through the file's own table.
//!
//! # Source
//! DNG17: Digital Negative 1.7.1, chapters "Compression" and "LinearizationTable": a code beyond the
//! table is its last entry.

use std::path::Path;

use photosite_file::ifd::{Directory, Tiff};
use photosite_file::{Error, Result};
use photosite_pix::Size;

use crate::bits::Bits;
use crate::extent::PIXELS_A_BYTE;
use crate::ljpeg;

/// Where the samples of a DNG lie, and how.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    size: Size,
    /// The size of a strip or tile.
    each: Size,
    /// Offset and length of each, row after row.
    at: Vec<(usize, usize)>,
    bits: u32,
    big_endian: bool,
    /// Lossless JPEG.
    jpeg: bool,
    /// Of a version of DNG before 1.1.
    old: bool,
    /// The level of each code; empty where codes are levels.
    table: Vec<u16>,
}

/// Names a compression of TIFF.
fn name(compression: u64) -> String {
    match compression {
        8 => "deflate".into(),
        34892 => "lossy JPEG".into(),
        52546 => "JPEG XL".into(),
        other => format!("kind {other}"),
    }
}

/// Reads where the samples of the image in `image` lie.
///
/// # Errors
/// When they are stored in a way that is not read, or the blocks do not make up the image.
pub(crate) fn of(path: &Path, tiff: &Tiff, image: &Directory, version: &[u64]) -> Result<Blocks> {
    let number = |tag| tiff.first(image, tag);
    let side = |tag| number(tag).and_then(|v| usize::try_from(v).ok()).unwrap_or(0);
    let size = Size::new(side(256), side(257));
    let compression = number(259).unwrap_or(1);
    if !matches!(compression, 1 | 7) {
        let message = format!(
            "a DNG with samples in {}; convert it to a DNG that is uncompressed or has lossless JPEG",
            name(compression)
        );
        return Err(Error::unsupported(path, message));
    }
    let bits = number(258).unwrap_or(1);
    if !(8..=16).contains(&bits) {
        let message = format!("a DNG with samples of {bits} bits; 8 to 16 were expected");
        return Err(Error::unsupported(path, message));
    }
    // Rows, columns or tiles of sensors that are stored apart.
    if [50975, 52547].iter().any(|t| number(*t).unwrap_or(1) > 1)
        || image
            .field(50974)
            .is_some_and(|f| tiff.numbers(f, 2).is_ok_and(|v| v.iter().any(|n| *n > 1)))
    {
        let message = "a DNG with its rows or columns stored interleaved, which is not read";
        return Err(Error::unsupported(path, message));
    }
    let tiled = image.field(324).is_some();
    let each = if tiled {
        Size::new(side(322), side(323))
    } else {
        Size::new(
            size.width,
            number(278).map_or(size.height, |n| n.min(size.height as u64) as usize),
        )
    };
    let list = |tag| image.field(tag).map(|f| tiff.numbers(f, 1 << 20)).transpose();
    let (offsets, lengths) = if tiled { (324, 325) } else { (273, 279) };
    let (offsets, lengths) =
        (list(offsets)?.unwrap_or_default(), list(lengths)?.unwrap_or_default());
    let at: Vec<_> =
        offsets.iter().zip(&lengths).map(|(o, l)| (*o as usize, *l as usize)).collect();
    if each.width == 0 || each.height == 0 || size.width == 0 || size.height == 0 {
        return Err(Error::damaged(path, format!("an image of {size} in blocks of {each}")));
    }
    let needed = size.width.div_ceil(each.width) * size.height.div_ceil(each.height);
    if at.len() != needed {
        let found = at.len();
        let message = format!("{found} blocks of {each} found; {needed} make up {size}");
        return Err(Error::damaged(path, message));
    }
    let table = match image.field(50712) {
        Some(field) if field.bytes() > 2 << 16 => {
            let message = "a LinearizationTable of more than 65536 entries";
            return Err(Error::damaged(path, message));
        }
        Some(field) => tiff.numbers(field, 1 << 16)?.iter().map(|v| *v as u16).collect(),
        None => Vec::new(),
    };
    Ok(Blocks {
        size,
        each,
        at,
        bits: bits as u32,
        big_endian: tiff.is_big_endian(),
        jpeg: compression == 7,
        old: version < &[1, 1, 0, 0][..],
        table,
    })
}

/// Decodes the samples.
///
/// # Errors
/// When a block is broken or ends early.
pub(crate) fn decode(path: &Path, bytes: &[u8], how: &Blocks) -> Result<Vec<u16>> {
    let (size, each) = (how.size, how.each);
    let mut out = vec![0u16; size.pixels()];
    let across = size.width.div_ceil(each.width);
    for (i, &(start, length)) in how.at.iter().enumerate() {
        let (x0, y0) = (i % across * each.width, i / across * each.height);
        let width = each.width.min(size.width - x0);
        let height = each.height.min(size.height - y0);
        let damaged = |what: &str| Error::damaged(path, format!("block {i} of samples: {what}"));
        let block = bytes.get(start..start.saturating_add(length));
        let block = block.ok_or_else(|| damaged("not in the file"))?;
        let rows = out[y0 * size.width..].chunks_mut(size.width).take(height);
        let rows = rows.map(|row| &mut row[x0..x0 + width]);
        if how.jpeg {
            let most = (length as u64).saturating_mul(PIXELS_A_BYTE);
            let found = ljpeg::decode(block, most, how.old).map_err(|what| damaged(&what))?;
            // Some writers give a tile other sides with as many samples.
            let same = found.samples.len() == each.pixels();
            let step = if same { each.width } else { found.width };
            let fits = found.width == width || found.width == each.width;
            if !(same || fits && (height..=each.height).contains(&found.height)) {
                let (w, h) = (found.width, found.height);
                return Err(damaged(&format!("{w}x{h} samples found; {each} were expected")));
            }
            for (row, from) in rows.zip(found.samples.chunks_exact(step)) {
                row.copy_from_slice(&from[..width]);
            }
        } else {
            // Rows begin at whole bytes.
            let step = (each.width * how.bits as usize).div_ceil(8);
            if block.len() < step * height {
                let found = block.len();
                let needed = step * height;
                return Err(damaged(&format!("{found} bytes found; {needed} were expected")));
            }
            for (row, from) in rows.zip(block.chunks_exact(step)) {
                plain(row, from, how);
            }
        }
    }
    if let Some(&last) = how.table.last() {
        for code in &mut out {
            *code = how.table.get(usize::from(*code)).copied().unwrap_or(last);
        }
    }
    Ok(out)
}

/// One row of samples as they are: whole words in the order of the file, else bits, largest first.
fn plain(row: &mut [u16], from: &[u8], how: &Blocks) {
    if how.bits == 16 {
        for (sample, raw) in row.iter_mut().zip(from.chunks_exact(2)) {
            let raw = [raw[0], raw[1]];
            *sample =
                if how.big_endian { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) };
        }
    } else {
        let mut bits = Bits::new(from);
        row.iter_mut().for_each(|sample| *sample = bits.take(how.bits) as u16);
    }
}
