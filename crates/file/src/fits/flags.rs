//! Flags that other programs keep beside a frame: an extension MASK, or DQ.

use std::path::Path;

use photosite_pix::Value;

use super::file::FitsFile;
use super::frame::{DQ, MASK, of_size};
use super::layout::Hdu;
use super::unzip;
use crate::magic::Magic;
use crate::source::changed;
use crate::{Result, Source};

/// The bit of DQ that says of a pixel that it is not to be used.
///
/// # Source
/// JWSTDQ: bit 0 is DO_NOT_USE; with DRAGONS and the Dark Energy Camera it is a bad pixel. Other bits mean other
/// things in each program, saturation among them, and not all speak against a pixel.
const NOT_TO_BE_USED: u64 = 1;

/// Flags beside a frame.
pub struct Flags {
    /// MASK or DQ.
    pub name: &'static str,
    /// 1 for a pixel that is not to be used, 2 for one that is flagged otherwise, 0 for a good one.
    pub source: Box<dyn Source>,
}

/// A flag as [`Flags`] has it.
fn told(name: &str, stored: f32) -> f32 {
    match (name, stored) {
        (_, 0.0) => 0.0,
        (MASK, _) => 1.0,
        // What is no whole number is no set of bits.
        (_, v) if v.is_nan() || v < 0.0 => 2.0,
        (_, v) => {
            if v as u64 & NOT_TO_BE_USED != 0 {
                1.0
            } else {
                2.0
            }
        }
    }
}

/// Opens the flags beside the image of a file; `None` where it has none of the image's size, which FITS files alone have.
///
/// # Errors
/// When the file cannot be read.
pub fn open_flags(path: &Path) -> Result<Option<Flags>> {
    let magic = Magic::of(path)?;
    match magic {
        Magic::Fits => {}
        // What is packed as a whole is unpacked for its flags only where more than its image is promised.
        Magic::Packed(packing) => {
            let start = unzip::probe(path, packing)?;
            let alone = |first: &Hdu| {
                let extended = matches!(first.header.get("EXTEND"), Some(Value::Logical(true)));
                first.has_pixels() && !extended
            };
            if start.hdus.first().is_some_and(alone) {
                return Ok(None);
            }
        }
        _ => return Ok(None),
    }
    let file = FitsFile::open(path, magic)?;
    for name in [MASK, DQ] {
        if let Some(hdu) = of_size(&file, name)?.cloned() {
            let flags = move |_, samples: &mut [f32]| {
                samples.iter_mut().for_each(|v| *v = told(name, *v));
            };
            return Ok(Some(Flags { name, source: changed(file.source(&hdu)?, flags) }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_speaks_against_a_pixel_and_one_bit_of_dq_does() {
        for (name, stored, expected) in [
            (MASK, 0.0, 0.0),
            (MASK, 1.0, 1.0),
            (MASK, 255.0, 1.0),
            (DQ, 0.0, 0.0),
            (DQ, 1.0, 1.0),
            (DQ, 5.0, 1.0),
            (DQ, 4.0, 2.0),
            (DQ, 256.0, 2.0),
            (DQ, -1.0, 2.0),
        ] {
            assert_eq!(told(name, stored), expected, "{name} {stored}");
        }
    }
}
