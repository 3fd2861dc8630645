//! One image written in a format that its name chooses, strip by strip from any source.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use photosite_pix::{Card, Header, Size, Unit};

use crate::atomic::Existing;
use crate::fits::{Clipped, FitsWriter, ImageSpec, Sample};
use crate::xisf::XisfWriter;
use crate::{Access, Error, Result, Source, keyword, tiff};

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

/// What 1 stands for where floating-point samples run from 0 to 1, in ADU.
///
/// # Source
/// XISF1: PixInsight and Siril map 16-bit samples to 0..1 by dividing by 65535.
pub(crate) const FULL_SCALE_ADU: f32 = 65535.0;

/// The card that tells readers of a TIFF which ADU a sample of 1 stands for.
pub(crate) const UNIT_KEYWORD: &str = "PSUNIT";

/// The scale of floating-point samples in XISF and TIFF: one for all files, never that of a file's
/// own samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Range {
    /// As they are: ADU, electrons, or relative to 1.
    #[default]
    AsIs,
    /// 0 to 65535 ADU become 0 to 1, for programs that want that; samples beyond are kept.
    Adu16,
}

/// How an image is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Export {
    /// How samples are stored.
    pub sample: Sample,
    /// On which scale.
    pub range: Range,
    /// What to do where the file exists.
    pub existing: Existing,
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
/// 0..1, unless [`Range::Adu16`] asks for it. NaN stays NaN in floating point and becomes 0 in 16 bits.
/// Says what 16 bits could not hold, and what lies beyond the bounds.
///
/// # Errors
/// When the source cannot be read, the name ends for no format, `sample` is [`Sample::Mask`], the
/// range is asked for 16 bits, FITS or samples that are no ADU, floating point relative to 1 would become whole
/// numbers, a
/// pedestal would be added to one that is there, the file exists and `existing` refuses, or the
/// disk is full.
pub fn write_image(
    path: &Path,
    source: &dyn Source,
    header: &Header,
    how: Export,
) -> Result<Clipped> {
    let Export { sample, range, existing } = how;
    let Some(format) = Format::of_name(path) else {
        let message = "its extension is not one of those written: .fits, .xisf or .tif";
        return Err(Error::request(path, message));
    };
    let mut header = header.clone();
    let to_integers = matches!(sample, Sample::U16 { .. }) && sample_of(&header) == Sample::F32;
    if to_integers && crate::keyword::unit_of(&header) == Unit::Relative {
        let message =
            "its samples are relative to 1, and 16 bits hold whole numbers: write floating point";
        return Err(Error::request(path, message));
    }
    if range == Range::Adu16 {
        let adu = crate::keyword::unit_of(&header) == Unit::Adu;
        if format == Format::Fits || sample != Sample::F32 || !adu {
            let message = "a range of 0 to 1 needs floating-point XISF or TIFF, and samples in \
                           ADU";
            return Err(Error::request(path, message));
        }
        // They count ADU no more.
        header.remove("BUNIT");
        if format == Format::Tiff {
            let comment = "[adu] level of a sample of 1";
            header.set(Card::real(UNIT_KEYWORD, f64::from(FULL_SCALE_ADU), comment));
        }
    }
    let scaled = Scaled { source, beyond: AtomicU64::new(0) };
    let source: &dyn Source = if range == Range::Adu16 { &scaled } else { source };
    if let Sample::U16 { pedestal_adu } = sample
        && pedestal_adu != 0.0
    {
        if keyword::read(&header).metadata.pedestal_adu.is_some_and(|p| p != 0.0) {
            let message = "the samples have a pedestal already; write them with a pedestal of 0";
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
            let how = (sample, range);
            let mut writer = XisfWriter::create(path, (size, planes), how, &header, existing)?;
            each_strip(source, |plane, y0, rows| writer.write_rows(plane, y0, rows))?;
            writer.finish()
        }
        Format::Tiff => {
            let mut clipped = tiff::write(path, source, &header, sample, existing)?;
            clipped.beyond = scaled.beyond.into_inner();
            Ok(clipped)
        }
    }
}

/// A source whose ADU are divided by the full scale of 16 bits.
struct Scaled<'a> {
    source: &'a dyn Source,
    /// Samples read that are below 0 or above 1.
    beyond: AtomicU64,
}

impl Source for Scaled<'_> {
    fn size(&self) -> Size {
        self.source.size()
    }

    fn planes(&self) -> usize {
        self.source.planes()
    }

    fn access(&self) -> Access {
        self.source.access()
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: std::ops::Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        self.source.read_rows(plane, rows, scratch, out)?;
        out.iter_mut().for_each(|v| *v /= FULL_SCALE_ADU);
        let beyond = out.iter().filter(|v| **v < 0.0 || **v > 1.0).count();
        self.beyond.fetch_add(beyond as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// ADU of a sample that was divided by the full scale of 16 bits: a whole ADU comes back whole.
pub(crate) fn scaled_up(v: f32) -> f32 {
    let adu = f64::from(v) * f64::from(FULL_SCALE_ADU);
    let whole = adu.round();
    // The very sample that this whole ADU became: the rounding is undone.
    if (whole / f64::from(FULL_SCALE_ADU)) as f32 == v { whole as f32 } else { adu as f32 }
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
