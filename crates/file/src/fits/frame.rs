//! Frames to FITS and back: data, ERR (one standard deviation) and DQ (mask bits).

use std::path::Path;

use photosite_pix::{Card, Frame, Header, MaskBits, Plane, Size, Unit};

use super::file::FitsFile;
use super::layout::Hdu;
use super::table::Table;
use super::write::{Clipped, FitsWriter, ImageSpec, Sample};
use crate::atomic::Existing;
use crate::magic::Magic;
use crate::{Error, Result, Source};

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
    let (mut frame, header) = masked(&file)?;
    if let Some((_, mut err)) = beside(&file, ERR)? {
        for v in err.as_mut_slice() {
            *v *= *v;
        }
        frame.variance = Some(err);
    }
    Ok((frame, header))
}

/// Reads a frame without its variance, else as [`read_frame`].
///
/// # Errors
/// As [`read_frame`].
pub fn read_masked(path: &Path) -> Result<(Frame, Header)> {
    masked(&FitsFile::open(path, Magic::of(path)?)?)
}

/// Opens the mask of a frame, its extension DQ; `None` where it has none.
///
/// # Errors
/// When the file cannot be read, or DQ differs from the image in size.
pub fn open_mask(path: &Path) -> Result<Option<Box<dyn Source>>> {
    let file = FitsFile::open(path, Magic::of(path)?)?;
    let Some(hdu) = found_beside(&file, DQ)?.cloned() else { return Ok(None) };
    file.source(&hdu).map(Some)
}

fn masked(file: &FitsFile) -> Result<(Frame, Header)> {
    let image = file.layout.image(file.path())?;
    let header = file.header(image);
    let mut frame = Frame::new(file.plane(image)?, unit_of(&header));
    if let Some((_, dq)) = beside(file, DQ)? {
        let bits: Option<Vec<MaskBits>> = dq.as_slice().iter().map(|v| mask_bits(*v)).collect();
        let Some(bits) = bits else {
            let message = "extension DQ holds values that are no mask of 16 bits";
            return Err(Error::damaged(file.path(), message));
        };
        frame.mask = Plane::from_vec(dq.size(), bits).expect("one mask entry a sample");
    }
    Ok((frame, header))
}

/// Mask bits as they are read from DQ; `None` for what is no mask of 16 bits.
pub fn mask_bits(stored: f32) -> Option<MaskBits> {
    // What is no whole number of 16 bits does not survive the cast.
    let bits = stored as u16;
    // Bits without a name yet are kept: a later version may know them.
    (f32::from(bits) == stored).then(|| MaskBits::from_bits_retain(bits))
}

/// The extension of that name, of the image's size.
fn found_beside<'a>(file: &'a FitsFile, name: &str) -> Result<Option<&'a Hdu>> {
    let image = file.layout.image(file.path())?;
    let found = file.layout.named(name).filter(|h| h.index != image.index);
    let Some(hdu) = found else { return Ok(None) };
    if hdu.size != image.size {
        let shape = |s: Option<Size>| s.map_or("no image".to_owned(), |s| s.to_string());
        let message =
            format!("extension {name} is {}; the image is {}", shape(hdu.size), shape(image.size));
        return Err(Error::damaged(file.path(), message));
    }
    Ok(Some(hdu))
}

fn beside<'a>(file: &'a FitsFile, name: &str) -> Result<Option<(&'a Hdu, Plane<f32>)>> {
    let Some(hdu) = found_beside(file, name)? else { return Ok(None) };
    Ok(Some((hdu, file.plane(hdu)?)))
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

/// A frame being written: the data as the primary image, ERR where the variance is known, DQ always,
/// then what is written beside them; BUNIT is that of the frame.
///
/// ERR is always 32-bit floating point: the square root of the variance; a negative variance
/// becomes NaN. Strips may be written in any order and by several threads.
pub struct FrameWriter<'a> {
    writer: FitsWriter,
    frame: &'a Frame,
    beside: Vec<(&'a str, &'a Plane<u16>)>,
}

impl<'a> FrameWriter<'a> {
    /// Lays out the file.
    ///
    /// # Errors
    /// When the planes differ in size, the file exists and `existing` refuses, the disk is full, or
    /// `sample` is [`Sample::Mask`].
    pub fn create(
        path: &Path,
        frame: &'a Frame,
        spec: FrameSpec<'a>,
        existing: Existing,
    ) -> Result<Self> {
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
        let counts = Sample::U16 { pedestal_adu: 0.0 };
        specs.extend(beside.iter().map(|(name, _)| spec(name, counts, Header::new())));
        let writer = FitsWriter::create(path, specs, tables, existing)?;
        Ok(Self { writer, frame, beside })
    }

    /// How many strips there are to write.
    pub fn strips(&self) -> usize {
        self.frame.size().height.div_ceil(STRIP)
    }

    /// Writes strip `index`, which must be written once.
    ///
    /// # Errors
    /// When it was written before, or the disk is full.
    pub fn write_strip(&self, index: usize) -> Result<()> {
        let y0 = index * STRIP;
        let y1 = (y0 + STRIP).min(self.frame.size().height);
        self.writer.write_rows(0, 0, y0, self.frame.data.rows(y0, y1))?;
        let mut next = 1;
        if let Some(variance) = &self.frame.variance {
            let err: Vec<f32> = variance.rows(y0, y1).iter().map(|v| v.sqrt()).collect();
            self.writer.write_rows(next, 0, y0, &err)?;
            next += 1;
        }
        self.writer.write_mask_rows(next, y0, self.frame.mask.rows(y0, y1))?;
        for (_, plane) in &self.beside {
            next += 1;
            let rows: Vec<f32> = plane.rows(y0, y1).iter().map(|v| f32::from(*v)).collect();
            self.writer.write_rows(next, 0, y0, &rows)?;
        }
        Ok(())
    }

    /// Brings what was written so far to the disk, so that less is left for the end.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self) -> Result<()> {
        self.writer.sync()
    }

    /// Gives the file its name, after all strips; says what a 16-bit image could not hold.
    ///
    /// # Errors
    /// When a strip is missing, or the operating system refuses; then nothing is left behind.
    pub fn finish(self) -> Result<Clipped> {
        Ok(self.writer.finish()?[0])
    }
}

/// Writes a frame, strip after strip.
///
/// # Errors
/// Those of [`FrameWriter`].
pub fn write_frame(
    path: &Path,
    frame: &Frame,
    spec: FrameSpec<'_>,
    existing: Existing,
) -> Result<Clipped> {
    let writer = FrameWriter::create(path, frame, spec, existing)?;
    for strip in 0..writer.strips() {
        writer.write_strip(strip)?;
    }
    writer.finish()
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
