//! One image written in a format that its name chooses, strip by strip from any source.

use std::path::Path;

use photosite_pix::{Card, Header};

use crate::atomic::Existing;
use crate::fits::{Clipped, FitsWriter, ImageSpec, Sample};
use crate::xisf::XisfWriter;
use crate::{Error, Result, Source, keyword, tiff};

/// Rows read and written at a time.
const STRIP: usize = 64;

/// A format that images are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// FITS.
    Fits,
    /// XISF.
    Xisf,
    /// TIFF.
    Tiff,
}

impl Format {
    /// The format that a file's name ends for; `None` where it ends otherwise.
    pub fn of_name(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match ending.as_str() {
            "fits" | "fit" | "fts" => Self::Fits,
            "xisf" => Self::Xisf,
            "tif" | "tiff" => Self::Tiff,
            _ => return None,
        })
    }
}

/// How the image that a header describes is stored without loss: 16 bits where it has no more,
/// else floating point.
pub fn sample_of(header: &Header) -> Sample {
    let number = |key: &str, default: f64| header.get_f64(key).unwrap_or(default);
    let (zero, scale) = (number("BZERO", 0.0), number("BSCALE", 1.0));
    match header.get_i64("BITPIX") {
        Some(8) if (zero, scale) == (0.0, 1.0) => Sample::U16 { pedestal_adu: 0.0 },
        Some(16) if (zero, scale) == (32768.0, 1.0) => Sample::U16 { pedestal_adu: 0.0 },
        _ => Sample::F32,
    }
}

/// Writes the image of `source`, all its planes, with the cards of `header`, as `path`.
///
/// Samples are written as they are, in ADU or what BUNIT says: floating point is never scaled to
/// 0..1. NaN stays NaN in floating point and becomes 0 in 16 bits. Says what 16 bits could not hold.
///
/// # Errors
/// When the source cannot be read, the name ends for no format, `sample` is [`Sample::Mask`], a
/// pedestal would be added to one that is there, the file exists and `existing` refuses, or the
/// disk is full.
pub fn write_image(
    path: &Path,
    source: &dyn Source,
    header: &Header,
    sample: Sample,
    existing: Existing,
) -> Result<Clipped> {
    let Some(format) = Format::of_name(path) else {
        let message = "its name ends for no format that is written: .fits, .xisf or .tif";
        return Err(Error::request(path, message));
    };
    let mut header = header.clone();
    if let Sample::U16 { pedestal_adu } = sample
        && pedestal_adu != 0.0
    {
        if keyword::read(&header).metadata.pedestal_adu.is_some_and(|p| p != 0.0) {
            let message = "the samples carry a pedestal already; write it with a pedestal of 0";
            return Err(Error::request(path, message));
        }
        let comment = "to be subtracted from every sample";
        header.set(Card::real("PEDESTAL", f64::from(pedestal_adu), comment));
    }
    let (size, planes) = (source.size(), source.planes());
    match format {
        Format::Fits => {
            let spec = ImageSpec { name: None, size, planes, sample, header };
            let writer = FitsWriter::create(path, vec![spec], Vec::new(), existing)?;
            each_strip(source, |plane, y0, rows| writer.write_rows(0, plane, y0, rows).map(drop))?;
            Ok(writer.finish()?[0])
        }
        Format::Xisf => {
            let mut writer = XisfWriter::create(path, (size, planes), sample, &header, existing)?;
            each_strip(source, |plane, y0, rows| writer.write_rows(plane, y0, rows))?;
            writer.finish()
        }
        Format::Tiff => tiff::write(path, source, &header, sample, existing),
    }
}

/// Reads every plane in strips of whole rows.
fn each_strip(
    source: &dyn Source,
    mut take: impl FnMut(usize, usize, &[f32]) -> Result<()>,
) -> Result<()> {
    let size = source.size();
    let mut rows = vec![0.0f32; STRIP.min(size.height) * size.width];
    let mut raw = Vec::new();
    for plane in 0..source.planes() {
        for y0 in (0..size.height).step_by(STRIP) {
            let y1 = (y0 + STRIP).min(size.height);
            let part = &mut rows[..(y1 - y0) * size.width];
            source.read_rows(plane, y0..y1, &mut raw, part)?;
            take(plane, y0, part)?;
        }
    }
    Ok(())
}
