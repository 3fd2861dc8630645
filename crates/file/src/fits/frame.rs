//! Frames to FITS and back: data, ERR (one standard deviation) and DQ (mask bits).

use std::path::Path;

use photosite_pix::{Card, Frame, Header, MaskBits, Plane, Size, Unit};

use super::file::FitsFile;
use super::layout::Hdu;
use super::table::Table;
use super::write::{Clipped, FitsWriter, ImageSpec, Sample};
use crate::atomic::Existing;
use crate::magic::Magic;
use crate::{Error, Result};

/// EXTNAME of the image of standard deviations.
const ERR: &str = "ERR";
/// EXTNAME of the image of mask bits.
const DQ: &str = "DQ";
/// Rows encoded at a time.
const STRIP: usize = 64;

/// What BUNIT says: electrons, nothing at all for relative values, else ADU.
///
/// A file without BUNIT, and one with a unit not known here, counts ADU: cameras write no BUNIT.
pub(crate) fn unit_of(header: &Header) -> Unit {
    let Some(value) = header.get("BUNIT") else { return Unit::Adu };
    let text = value.as_text().map(|t| t.to_ascii_lowercase()).unwrap_or_default();
    match text.as_str() {
        "" => Unit::Relative,
        "electron" | "electrons" | "e-" | "e" | "photoelectron" => Unit::Electron,
        _ => Unit::Adu,
    }
}

/// Reads a frame and its header: the image, its variance from extension ERR (one standard
/// deviation, squared) and its mask from extension DQ, each where it is there.
///
/// Without DQ the mask has NO_DATA exactly where a sample is not finite. Which steps were applied
/// is for the reader of the header to say: `applied` is empty.
///
/// # Errors
/// When the file cannot be read, has several planes, or ERR or DQ differ from the image in size.
pub fn read_frame(path: &Path) -> Result<(Frame, Header)> {
    let file = FitsFile::open(path, Magic::of(path)?)?;
    let image = file.layout.image(path)?;
    let header = file.header(image);
    let mut frame = Frame::new(file.plane(image)?, unit_of(&header));
    let beside = |name: &str| -> Result<Option<(&Hdu, Plane<f32>)>> {
        let found = file.layout.named(name).filter(|h| h.index != image.index);
        let Some(hdu) = found else { return Ok(None) };
        if hdu.size != image.size {
            let shape = |s: Option<Size>| s.map_or("no image".to_owned(), |s| s.to_string());
            let message = format!(
                "extension {name} is {}; the image is {}",
                shape(hdu.size),
                shape(image.size)
            );
            return Err(Error::damaged(path, message));
        }
        Ok(Some((hdu, file.plane(hdu)?)))
    };
    if let Some((_, mut err)) = beside(ERR)? {
        for v in err.as_mut_slice() {
            *v *= *v;
        }
        frame.variance = Some(err);
    }
    if let Some((_, dq)) = beside(DQ)? {
        let bits: Option<Vec<MaskBits>> = dq
            .as_slice()
            .iter()
            .map(|&v| {
                let whole = (0.0..=65535.0).contains(&v) && v.fract() == 0.0;
                // Bits without a name yet are kept: a later version may know them.
                whole.then(|| MaskBits::from_bits_retain(v as u16))
            })
            .collect();
        let Some(bits) = bits else {
            let message = "extension DQ holds values that are no mask of 16 bits";
            return Err(Error::damaged(path, message));
        };
        frame.mask = Plane::from_vec(dq.size(), bits).expect("one mask entry a sample");
    }
    Ok((frame, header))
}

/// Reads the image of a FITS file as one plane, with its header, and nothing beside it.
///
/// # Errors
/// When the file cannot be read or has several planes.
pub fn read_image(path: &Path) -> Result<(Plane<f32>, Header)> {
    let file = FitsFile::open(path, Magic::of(path)?)?;
    let image = file.layout.image(path)?;
    Ok((file.plane(image)?, file.header(image)))
}

/// What is written beside a frame's own planes.
#[derive(Debug)]
pub struct FrameSpec<'a> {
    /// Cards to carry.
    pub header: &'a Header,
    /// How the samples are stored.
    pub sample: Sample,
    /// Further planes of counts, each an extension of its name.
    pub beside: Vec<(&'a str, &'a Plane<u16>)>,
    /// Tables.
    pub tables: Vec<Table>,
}

/// Writes a frame: the data as the primary image, ERR where the variance is known, DQ always, then
/// what is written beside them; BUNIT is that of the frame. Says what a 16-bit image could not
/// hold.
///
/// ERR is always 32-bit floating point: the square root of the variance; a negative variance
/// becomes NaN.
///
/// # Errors
/// When the planes differ in size, the file exists and `existing` refuses, the disk is full, or
/// `sample` is [`Sample::Mask`].
pub fn write_frame(
    path: &Path,
    frame: &Frame,
    spec: FrameSpec<'_>,
    existing: Existing,
) -> Result<Clipped> {
    let FrameSpec { header, sample, beside, tables } = spec;
    let size = frame.size();
    let uneven = frame.variance.as_ref().is_some_and(|v| v.size() != size)
        || beside.iter().any(|(_, p)| p.size() != size);
    if sample == Sample::Mask || uneven || frame.mask.size() != size {
        let message = "a frame is written as samples, and its planes must be of one size";
        return Err(Error::request(path, message));
    }
    let mut header = header.clone();
    header.set(Card::string("BUNIT", frame.unit.bunit(), "unit of the samples"));
    let spec = |name: &str, sample, header| ImageSpec {
        name: (!name.is_empty()).then(|| name.to_owned()),
        size,
        planes: 1,
        sample,
        header,
    };
    let mut specs = vec![spec("", sample, header)];
    if frame.variance.is_some() {
        let mut h = Header::new();
        h.push(Card::string("BUNIT", frame.unit.bunit(), "one standard deviation"));
        specs.push(spec(ERR, Sample::F32, h));
    }
    specs.push(spec(DQ, Sample::Mask, mask_header()));
    let mask_at = specs.len() - 1;
    let counts = Sample::U16 { pedestal_adu: 0.0 };
    specs.extend(beside.iter().map(|(name, _)| spec(name, counts, Header::new())));
    let writer = FitsWriter::create(path, specs, tables, existing)?;
    let mut clipped = Clipped::default();
    let mut err = Vec::new();
    for y0 in (0..size.height).step_by(STRIP) {
        let y1 = (y0 + STRIP).min(size.height);
        let part = writer.write_rows(0, 0, y0, frame.data.rows(y0, y1))?;
        clipped.add(part);
        if let Some(variance) = &frame.variance {
            err.clear();
            err.extend(variance.rows(y0, y1).iter().map(|v| v.sqrt()));
            writer.write_rows(1, 0, y0, &err)?;
        }
        writer.write_mask_rows(mask_at, y0, frame.mask.rows(y0, y1))?;
        for (i, (_, plane)) in beside.iter().enumerate() {
            let rows: Vec<f32> = plane.rows(y0, y1).iter().map(|v| f32::from(*v)).collect();
            writer.write_rows(mask_at + 1 + i, 0, y0, &rows)?;
        }
    }
    writer.finish()?;
    Ok(clipped)
}

/// Cards that say what the bits of a DQ extension mean.
fn mask_header() -> Header {
    let mut h = Header::new();
    h.push_comment("Each pixel is a sum of bits; 0: nothing is known against it.");
    for (name, bit) in MaskBits::all().iter_names() {
        h.push_comment(&format!("{:>5} {name}", bit.bits()));
    }
    h
}
