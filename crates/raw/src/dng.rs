//! What the directories of a DNG say of the sensor: `rawler` would decode it to tell.
//!
//! # Source
//! DNG17: Digital Negative 1.7.1, chapter 4: ActiveArea is top, left, bottom, right; the pattern of
//! the colour filter array begins at its corner.

use std::path::Path;
use std::sync::Arc;

use photosite_file::ifd::{DNG_VERSION, Directory, Tiff, is_sensor_image};
use photosite_file::{Error, Result};
use photosite_pix::{CfaPattern, Rect, Size};

use crate::facts::{Sensor, camera_name};

/// The sensor that a DNG describes; `None` where the file is no DNG.
///
/// # Errors
/// When no image of a sensor is in it, or it was demosaiced.
pub(crate) fn sensor(path: &Path, bytes: &Arc<Vec<u8>>) -> Result<Option<Sensor>> {
    let tiff = Tiff::within(path, bytes.clone(), 0)?;
    let all = tiff.directories()?;
    if !all.iter().any(|d| d.field(DNG_VERSION).is_some()) {
        return Ok(None);
    }
    // Bit 0 of NewSubfileType marks a smaller copy.
    let full = |d: &&Directory| tiff.first(d, 254).unwrap_or(0) & 1 == 0;
    let linear = |d: &Directory| tiff.first(d, 262) != Some(32803);
    let found = all.iter().find(|d| full(d) && is_sensor_image(&tiff, d));
    let Some(image) = found else {
        return Err(Error::unsupported(path, "a DNG without an image of a sensor"));
    };
    if linear(image) || tiff.first(image, 277).unwrap_or(1) != 1 {
        let message = "a DNG that was demosaiced; the camera's own file was expected";
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
    let text = |tag| all[0].field(tag).and_then(|_| tiff.text(&all[0], tag)).unwrap_or_default();
    Ok(Some(Sensor {
        size,
        active,
        black_adu,
        white_adu: list(50717, 1).first().map(|&v| v as f64),
        cfa,
        // 3 is floating point.
        bitpix: if tiff.first(image, 339) == Some(3) { -32 } else { 16 },
        camera: camera_name(&text(271), &text(272)),
    }))
}
