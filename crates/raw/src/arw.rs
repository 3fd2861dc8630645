//! Sony's samples of 8 bits for 14, without the dither that `rawler` adds.
//!
//! # Source
//! LIBRAW: the format as dcraw and LibRaw have it (`sony_arw2_load_raw`): sixteen samples of one
//! colour in sixteen bytes, the largest and the smallest of them whole, the others in 7 bits between;
//! the curve of tag 28688 grows by 1, 2, 4, 8 and 16 in turn.

use std::path::Path;
use std::sync::Arc;

use photosite_file::ifd::{Directory, Tiff, is_sensor_image};
use photosite_file::{Error, Result};
use photosite_pix::Size;

/// Sony's code among the compressions of TIFF.
const COMPRESSED: u64 = 32767;
/// Where the curve bends.
const CURVE: u16 = 28688;

/// How the samples of one file are compressed.
pub(crate) struct Compressed {
    size: Size,
    /// The first byte.
    start: usize,
    /// The level of each code of 12 bits.
    curve: Vec<u16>,
}

/// The compression that an ARW describes; `None` where its samples are not compressed so.
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
    let (width, height, length) = (number(256), number(257), number(279));
    if width * height != length {
        // An older coding, or 12 bits as they are.
        return Ok(None);
    }
    let damaged = |what: &str| Error::damaged(path, format!("Sony's compressed samples: {what}"));
    let start = number(273) as usize;
    if width % 32 != 0 || bytes.get(start..start.saturating_add(length as usize)).is_none() {
        return Err(damaged("a width that 32 does not divide, or samples outside the file"));
    }
    let bends = image.field(CURVE).map(|f| tiff.numbers(f, 4)).transpose()?.unwrap_or_default();
    let curve = curve(&bends).ok_or_else(|| damaged("their curve is missing or broken"))?;
    Ok(Some(Compressed { size: Size::new(width as usize, height as usize), start, curve }))
}

/// The curve with four bends; `None` where they do not follow each other.
fn curve(bends: &[u64]) -> Option<Vec<u16>> {
    let &[a, b, c, d] = bends else { return None };
    let bends = [a, b, c, d].map(|v| (v >> 2 & 0xfff) as usize);
    let ends = [bends[0], bends[1], bends[2], bends[3], 4095];
    let mut curve = vec![0u16];
    for (i, end) in ends.into_iter().enumerate() {
        if end + 1 < curve.len() {
            return None;
        }
        while curve.len() <= end {
            curve.push(curve.last()?.checked_add(1 << i)?);
        }
    }
    Some(curve)
}

/// Decodes the samples.
pub(crate) fn decode(bytes: &[u8], how: &Compressed) -> Vec<u16> {
    let width = how.size.width;
    let mut out = vec![0u16; how.size.pixels()];
    let rows = bytes[how.start..].chunks_exact(width);
    for (row, packed) in out.chunks_exact_mut(width).zip(rows) {
        for (samples, packed) in row.chunks_exact_mut(32).zip(packed.chunks_exact(32)) {
            for (colour, packed) in packed.chunks_exact(16).enumerate() {
                for (i, code) in sixteen(packed).into_iter().enumerate() {
                    samples[colour + 2 * i] = how.curve[usize::from(code) << 1];
                }
            }
        }
    }
    out
}

/// Sixteen codes of 11 bits from sixteen bytes.
fn sixteen(packed: &[u8]) -> [u16; 16] {
    let all = u128::from_le_bytes(packed.try_into().expect("sixteen bytes"));
    let bits = |at: u32, n: u32| (all >> at) as u32 & ((1 << n) - 1);
    let (most, least, at_most, at_least) = (bits(0, 11), bits(11, 11), bits(22, 4), bits(26, 4));
    let range = most as i32 - least as i32;
    let shift = (0..4).find(|s| 0x80 << s > range).unwrap_or(4);
    let mut at = 30;
    std::array::from_fn(|i| {
        let code = if i as u32 == at_most {
            most
        } else if i as u32 == at_least {
            least
        } else {
            at += 7;
            ((bits(at - 7, 7) << shift) + least).min(0x7ff)
        };
        code as u16
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_codes_in_sixteen_bytes() {
        // Largest 1000 at 3, smallest 100 at 0, the others 100 + 8 k.
        let mut all = 1000u128 | 100 << 11 | 3 << 22;
        let others: Vec<u128> = (0..14).map(|k| 5 + 7 * k).collect();
        for (k, v) in others.iter().enumerate() {
            all |= v << (30 + 7 * k);
        }
        let found = sixteen(&all.to_le_bytes());
        assert_eq!(found[..5], [100, 140, 196, 1000, 252]);
        assert_eq!(found[15], 100 + 8 * 96);
    }

    #[test]
    fn the_curve_grows_faster_behind_each_bend() {
        let found = curve(&[8000, 10400, 12900, 14100]).unwrap();
        assert_eq!(found.len(), 4096);
        let last = 2000 + 2 * 600 + 4 * 625 + 8 * 300 + 16 * (4095 - 3525);
        assert_eq!((found[2000], found[2600], found[4095]), (2000, 3200, last));
        assert_eq!(curve(&[8000, 4000, 12900, 14100]), None);
        assert_eq!(curve(&[0, 0, 0, 0]).map(|c| c[4095]), Some(65520));
        assert_eq!(curve(&[]), None);
    }
}
