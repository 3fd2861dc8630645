//! What the directories of a DNG say of the sensor and of where its samples lie.
//!
//! # Source
//! DNG17: Digital Negative 1.7.1, chapter 4: ActiveArea is top, left, bottom, right; the pattern of
//! the colour filter array begins at its corner.

use std::path::Path;
use std::sync::Arc;

use photosite_file::ifd::{DNG_VERSION, Directory, Tiff, is_sensor_image};
use photosite_file::{Error, Result};
use photosite_pix::{CfaPattern, Rect, Size};

use crate::blocks::{self, Blocks};
use crate::facts::{Sensor, camera_name};

/// What a DNG says of its sensor.
pub(crate) struct Dng {
    pub(crate) sensor: Sensor,
    /// Where the samples lie; `None` for floating point, which `rawler` reads.
    pub(crate) blocks: Option<Blocks>,
    pub(crate) notes: Vec<String>,
}

/// The sensor that a DNG describes; `None` where the file is no DNG.
///
/// # Errors
/// When no image of a sensor is in it, it was demosaiced, or its samples are stored in a way that is
/// not read.
pub(crate) fn read(path: &Path, bytes: &Arc<Vec<u8>>) -> Result<Option<Dng>> {
    let tiff = Tiff::within(path, bytes.clone(), 0)?;
    let all = tiff.directories()?;
    if !all.iter().any(|d| d.field(DNG_VERSION).is_some()) {
        return Ok(None);
    }
    // Bit 0 of NewSubfileType marks a smaller copy.
    let full = |d: &&Directory| tiff.first(d, 254).unwrap_or(0) & 1 == 0;
    let found = all.iter().find(|d| full(d) && is_sensor_image(&tiff, d));
    let Some(image) = found else {
        return Err(Error::unsupported(path, "a DNG without an image of a sensor"));
    };
    let planes = tiff.first(image, 277).unwrap_or(1);
    // A monochrome camera may write one linear sample a pixel; two and more were demosaiced.
    if planes != 1 {
        let message = format!(
            "a DNG that was demosaiced, with {planes} samples a pixel; the camera's own file was expected"
        );
        return Err(Error::unsupported(path, message));
    }
    let side = |tag| tiff.first(image, tag).and_then(|v| usize::try_from(v).ok()).unwrap_or(0);
    let size = Size::new(side(256), side(257));
    let list = |tag, n| image.field(tag).and_then(|f| tiff.numbers(f, n).ok()).unwrap_or_default();
    let active = match list(50829, 4)[..] {
        [top, left, bottom, right] => Some(Rect {
            x0: left as usize,
            y0: top as usize,
            x1: right as usize,
            y1: bottom as usize,
        })
        .filter(|r| r.fits(size)),
        _ => None,
    };
    let letters: String = list(33422, 36)
        .iter()
        .map(|n| match n {
            0 => 'R',
            1 => 'G',
            2 => 'B',
            _ => '?',
        })
        .collect();
    let cfa = CfaPattern::parse(&letters).map(|p| {
        let (x0, y0) = active.map_or((0, 0), |a| (a.x0, a.y0));
        let back = |n: usize| p.period() - n % p.period();
        p.shifted(back(x0), back(y0))
    });
    let fractions = image.field(50714).is_some_and(|f| f.is_fraction());
    let stored = list(50714, 128);
    let black_adu = if fractions {
        stored.chunks_exact(2).filter(|p| p[1] != 0).map(|p| p[0] as f64 / p[1] as f64).collect()
    } else {
        stored.iter().map(|&v| v as f64).collect()
    };
    let mut notes = Vec::new();
    if [50715, 50716].iter().any(|tag| image.field(*tag).is_some()) {
        let note = "the DNG names black levels by row or column; none is subtracted";
        notes.push(note.to_owned());
    }
    if image.field(50712).is_some() {
        notes.push("samples are taken through the DNG's LinearizationTable".to_owned());
    }
    // 3 is floating point.
    let float = tiff.first(image, 339) == Some(3);
    let version = all.iter().find_map(|d| d.field(DNG_VERSION)).map(|f| tiff.numbers(f, 4));
    let version = version.transpose()?.unwrap_or_default();
    let blocks = if float { None } else { Some(blocks::of(path, &tiff, image, &version)?) };
    if float {
        expect_float(path, &tiff, &all, image)?;
    }
    let text = |tag| all[0].field(tag).and_then(|_| tiff.text(&all[0], tag)).unwrap_or_default();
    let camera = camera_name(&text(271), &text(272));
    let sensor = Sensor {
        size,
        active,
        black_adu,
        white_adu: list(50717, 1).first().map(|&v| v as f64),
        cfa,
        bitpix: if float { -32 } else { 16 },
        // Those that the DNG was not converted from name themselves here alone.
        camera: if camera.is_empty() { text(50708) } else { camera },
    };
    Ok(Some(Dng { sensor, blocks, notes }))
}

/// Refuses floating point that `rawler` could take for something else: it decodes the first image
/// that is no smaller copy.
fn expect_float(path: &Path, tiff: &Tiff, all: &[Directory], image: &Directory) -> Result<()> {
    let number = |tag| tiff.first(image, tag).unwrap_or(0);
    if !matches!(number(259), 1 | 8) {
        let message = "a DNG of floating point that is neither plain nor in deflate";
        return Err(Error::unsupported(path, message));
    }
    let full = |d: &&Directory| tiff.first(d, 254).unwrap_or(0) & 1 == 0 && d.field(259).is_some();
    if all.iter().filter(full).count() != 1 {
        let message = "a DNG of floating point with more than one image of full size";
        return Err(Error::unsupported(path, message));
    }
    Ok(())
}
