//! What a camera raw file says of its sensor and its exposure, before it is decoded.

use std::path::Path;
use std::sync::Arc;

use photosite_file::ifd::{Directory, Tiff, is_sensor_image};
use photosite_file::{Error, Result};
use photosite_pix::{CfaPattern, Rect, Size};
use rawler::RawImage;
use rawler::decoders::{FormatHint, RawDecodeParams};
use rawler::exif::Exif;
use rawler::rawimage::RawPhotometricInterpretation;

use crate::decode::Samples;
use crate::{canon, decode, dng, extent, nef};

/// A sensor, as read out.
#[derive(Debug, Clone)]
pub(crate) struct Sensor {
    /// All of it, masked borders included.
    pub(crate) size: Size,
    /// The part that sees light.
    pub(crate) active: Option<Rect>,
    /// Black levels over the cell that repeats, row after row from the corner of the active area.
    pub(crate) black_adu: Vec<f64>,
    /// The level from which samples are saturated.
    pub(crate) white_adu: Option<f64>,
    /// The colour filter array over the first pixel of the sensor.
    pub(crate) cfa: Option<CfaPattern>,
    /// 16, or -32 for floating point.
    pub(crate) bitpix: i64,
    /// Maker and model.
    pub(crate) camera: String,
}

/// All that the file says.
pub(crate) struct Facts {
    pub(crate) format: &'static str,
    pub(crate) size: Size,
    pub(crate) bitpix: i64,
    pub(crate) sensor: Sensor,
    pub(crate) exif: Exif,
    pub(crate) temp_c: Option<f64>,
    pub(crate) notes: Vec<String>,
    /// How the samples are read.
    pub(crate) samples: Samples,
}

/// Reads what a file says of itself.
///
/// # Errors
/// When it is of a kind not read here, or its samples are not all there.
pub(crate) fn read(path: &Path, bytes: &Arc<Vec<u8>>) -> Result<Facts> {
    let most = extent::check(path, bytes)?;
    let tiff = bytes.starts_with(b"II") || bytes.starts_with(b"MM");
    let own = if tiff { dng::read(path, bytes)? } else { None };
    let params = RawDecodeParams::default();
    let (format, image, exif) = decode::with_decoder(path, bytes, |decoder, source, hint| {
        let format = match hint {
            FormatHint::CR2 => "CR2",
            FormatHint::CR3 => "CR3",
            FormatHint::NEF => "NEF",
            FormatHint::ARW => "ARW",
            FormatHint::DNG => "DNG",
            FormatHint::RAF => "RAF",
            _ => return Err("a kind of raw file that is not read here".into()),
        };
        // Without samples, save of a DNG, whose directories were read above.
        let image = match own {
            Some(_) => None,
            None => Some(decoder.raw_image(source, &params, true)?),
        };
        Ok((format, image, decoder.raw_metadata(source, &params)?.exif))
    })?;
    let mut notes = Vec::new();
    let (sensor, samples) = match (own, image) {
        (Some(own), _) => {
            notes = own.notes;
            (own.sensor, own.blocks.map_or(Samples::Rawler, Samples::Dng))
        }
        (None, Some(image)) => {
            let sensor = of_image(path, &image)?;
            (sensor, samples_of(path, bytes, format, &image)?)
        }
        (None, None) => return Err(Error::damaged(path, "says nothing of its sensor")),
    };
    extent::check_sensor(path, sensor.size, most)?;
    if sensor.cfa.is_none() {
        notes.push("no colour filter array is named; taken as monochrome".to_owned());
    }
    Ok(Facts {
        format,
        size: sensor.size,
        bitpix: sensor.bitpix,
        sensor,
        exif,
        temp_c: canon::temp_c(path, bytes),
        notes,
        samples,
    })
}

/// How the samples of a file are read: `rawler` adds dither wherever it looks up a curve, so curves
/// are looked up here, or the file is refused.
fn samples_of(
    path: &Path,
    bytes: &Arc<Vec<u8>>,
    format: &str,
    image: &RawImage,
) -> Result<Samples> {
    let hint = |name| image.camera.find_hint(name);
    match format {
        // These say compressed and are not.
        "NEF" if ["coolpixsplit", "msb32", "unpacked"].into_iter().any(hint) => Ok(Samples::Rawler),
        "NEF" => Ok(nef::compressed(path, bytes)?.map_or(Samples::Rawler, Samples::Nikon)),
        "ARW" if stored_by_curve(path, bytes)? => {
            let message = "Sony's compressed raw, whose samples are stored through a curve, is not \
                           read yet; set the camera to uncompressed raw, or convert it to DNG";
            Err(Error::unsupported(path, message))
        }
        "CR2" if hint("linearization") => {
            let message = "a raw of a camera that stores samples through a curve (EOS D2000), which \
                           is not read; convert it to DNG";
            Err(Error::unsupported(path, message))
        }
        _ => Ok(Samples::Rawler),
    }
}

/// Sony's code among the compressions of TIFF.
const SONY_COMPRESSED: u64 = 32767;

/// Whether a sensor's image in an ARW is compressed by Sony's curve: as many bytes as samples.
fn stored_by_curve(path: &Path, bytes: &Arc<Vec<u8>>) -> Result<bool> {
    let tiff = Tiff::within(path, bytes.clone(), 0)?;
    let packed = |d: &Directory| {
        let number = |tag| tiff.first(d, tag).unwrap_or(0);
        let pixels = number(256).saturating_mul(number(257));
        number(259) == SONY_COMPRESSED && is_sensor_image(&tiff, d) && pixels == number(279)
    };
    Ok(tiff.directories()?.iter().any(packed))
}

/// Maker and model, the maker once: many models begin with it.
pub(crate) fn camera_name(make: &str, model: &str) -> String {
    let first = |text: &str| text.split_whitespace().next().map(str::to_lowercase);
    if first(make) == first(model) {
        return model.trim().to_owned();
    }
    format!("{make} {model}").trim().to_owned()
}

/// The sensor that `rawler` describes.
fn of_image(path: &Path, image: &RawImage) -> Result<Sensor> {
    if image.cpp != 1 || image.fuji_rotation_width.is_some() {
        let message =
            "a raw file of a reduced or rotated picture; full sensor values were expected";
        return Err(Error::unsupported(path, message));
    }
    let cfa = match &image.photometric {
        RawPhotometricInterpretation::Cfa(config) => CfaPattern::parse(&config.cfa.name),
        _ => None,
    };
    let size = Size::new(image.width, image.height);
    // Where the file names no active area, the part that the camera itself would show is free of
    // masked pixels.
    let active = [image.active_area, image.crop_area]
        .into_iter()
        .flatten()
        .map(|r| Rect::new(r.p.x, r.p.y, r.d.w, r.d.h))
        .find(|r| r.fits(size));
    Ok(Sensor {
        size,
        active,
        black_adu: image.blacklevel.as_vec().iter().map(|&v| f64::from(v)).collect(),
        white_adu: image.whitelevel.0.first().map(|&v| f64::from(v)),
        cfa,
        bitpix: 16,
        camera: camera_name(&image.clean_make, &image.clean_model),
    })
}
