//! Frames to FITS and back: data, ERR (one standard deviation) and DQ (mask bits).

use std::path::Path;

use photosite_pix::{Applied, Card, Frame, Header, MaskBits, Plane};

use super::amplifiers::Assembly;
use super::file::FitsFile;
use super::layout::Hdu;
use super::table::Table;
use super::write::{Clipped, FitsWriter, ImageSpec, Sample};
use crate::atomic::Existing;
use crate::keyword::unit_of;
use crate::magic::Magic;
use crate::source::{changed, planes_of};
use crate::{Error, Result, Source};

/// EXTNAME of the image of standard deviations.
const ERR: &str = "ERR";
/// Keywords of the image that are written beside its errors as well: by how many times means over
/// pixels are noisier than errors of independent pixels say.
const SHARED: &str = "PSCORR";
/// EXTNAME of the image of mask bits.
pub(super) const DQ: &str = "DQ";
/// EXTNAMEs that astropy's `CCDData` gives to a mask, in which what is not 0 is not to be used, and to an
/// uncertainty, which UTYPE names.
pub(super) const MASK: &str = "MASK";
const UNCERT: &str = "UNCERT";
/// Rows encoded at a time.
const STRIP: usize = 64;

/// Reads a frame and its header: the image, its variance from extension ERR (one standard
/// deviation, squared) and its mask from extension DQ, each where it is there; else from UNCERT and MASK as
/// astropy's `CCDData` writes them, where what is masked has NO_DATA.
///
/// Without either the mask has NO_DATA exactly where a sample is not finite. Which steps were applied
/// is for the reader of the header to say: `applied` is empty.
///
/// # Errors
/// When the file cannot be read, has several planes, or ERR or DQ differ from the image in size.
pub fn read_frame(path: &Path) -> Result<(Frame, Header)> {
    let file = FitsFile::open(path, Magic::of(path)?)?;
    file.expect_one_plane(file.layout.image(path)?)?;
    let (mut frames, header) = frames(&file, true)?;
    Ok((frames.remove(0), header))
}

/// Reads every plane as a frame of its own, else as [`read_frame`].
///
/// # Errors
/// When the file cannot be read, or ERR or DQ differ from the image in size or planes.
pub fn read_frames(path: &Path) -> Result<(Vec<Frame>, Header)> {
    frames(&FitsFile::open(path, Magic::of(path)?)?, true)
}

/// Reads a frame without its variance, else as [`read_frame`].
///
/// # Errors
/// As [`read_frame`].
pub fn read_masked(path: &Path) -> Result<(Frame, Header)> {
    let file = FitsFile::open(path, Magic::of(path)?)?;
    file.expect_one_plane(file.layout.image(path)?)?;
    let (mut frames, header) = frames(&file, false)?;
    Ok((frames.remove(0), header))
}

/// Opens the mask of a frame, its extension DQ; `None` where it has none.
///
/// # Errors
/// When the file cannot be read, or DQ differs from the image in size or planes.
pub fn open_mask(path: &Path) -> Result<Option<Box<dyn Source>>> {
    let file = FitsFile::open(path, Magic::of(path)?)?;
    if let Some(hdu) = found_beside(&file, DQ)?.cloned() {
        return file.source(&hdu).map(Some);
    }
    let Some(hdu) = of_size(&file, MASK)?.cloned() else { return Ok(None) };
    let bits = |_, samples: &mut [f32]| {
        samples.iter_mut().for_each(|v| *v = f32::from(masked(*v).bits()));
    };
    Ok(Some(changed(file.source(&hdu)?, bits)))
}

/// What an entry of astropy's mask says.
fn masked(stored: f32) -> MaskBits {
    if stored == 0.0 { MaskBits::empty() } else { MaskBits::NO_DATA }
}

/// The extension of that name, where it is of the image's size: other programs' may be of anything.
pub(super) fn of_size<'a>(file: &'a FitsFile, name: &str) -> Result<Option<&'a Hdu>> {
    let image = file.layout.image(file.path())?;
    let found = file.layout.named(name).filter(|h| h.index != image.index);
    Ok(found.filter(|h| (h.size, h.planes) == (image.size, image.planes)))
}

/// The variance of each plane that astropy's uncertainty gives; none where there is none, or of another kind.
fn uncertainties(file: &FitsFile) -> Result<Vec<Plane<f32>>> {
    let Some(hdu) = of_size(file, UNCERT)? else { return Ok(Vec::new()) };
    let variance: fn(f32) -> f32 = match hdu.header.get_text("UTYPE").as_deref() {
        Some("StdDevUncertainty") => |v| v * v,
        Some("VarianceUncertainty") => |v| v,
        Some("InverseVariance") => |v| 1.0 / v,
        _ => return Ok(Vec::new()),
    };
    let mut planes = file.planes(hdu)?;
    for plane in &mut planes {
        plane.as_mut_slice().iter_mut().for_each(|v| *v = variance(*v));
    }
    Ok(planes)
}

/// The planes of the image with their masks, and their variance where it is wanted.
fn frames(file: &FitsFile, with_variance: bool) -> Result<(Vec<Frame>, Header)> {
    let image = file.layout.image(file.path())?;
    if let Some(one) = assembled(file)? {
        let (data, header) = one;
        return Ok((vec![Frame::new(data, unit_of(&header))], header));
    }
    let header = file.header(image);
    let unit = unit_of(&header);
    let planes = file.planes(image)?;
    let masks = masks(file)?;
    let mut frames: Vec<Frame> = match masks.len() {
        0 => planes.into_iter().map(|data| Frame::new(data, unit)).collect(),
        _ => {
            let both = planes.into_iter().zip(masks);
            let applied = Applied::empty();
            both.map(|(data, mask)| Frame { data, variance: None, mask, unit, applied }).collect()
        }
    };
    if with_variance {
        let mut errors = beside(file, ERR)?;
        errors.iter_mut().for_each(|e| e.as_mut_slice().iter_mut().for_each(|v| *v *= *v));
        let known = if errors.is_empty() { uncertainties(file)? } else { errors };
        for (frame, variance) in frames.iter_mut().zip(known) {
            frame.variance = Some(variance);
        }
    }
    Ok((frames, header))
}

/// The image and header of a frame of several outputs; `None` of any other.
fn assembled(file: &FitsFile) -> Result<Option<(Plane<f32>, Header)>> {
    let Some(source) = file.assembled()? else { return Ok(None) };
    let header = Assembly::of(&file.layout).map(|a| a.header).unwrap_or_default();
    Ok(Some((planes_of(&*source)?.remove(0), header)))
}

/// The planes of the mask; none where there is none.
fn masks(file: &FitsFile) -> Result<Vec<Plane<MaskBits>>> {
    let Some(hdu) = found_beside(file, DQ)? else {
        let Some(hdu) = of_size(file, MASK)? else { return Ok(Vec::new()) };
        let bits = |plane: Plane<f32>| {
            let bits = plane.as_slice().iter().map(|v| masked(*v)).collect();
            Plane::from_vec(plane.size(), bits).expect("one mask entry a sample")
        };
        return Ok(file.planes(hdu)?.into_iter().map(bits).collect());
    };
    let source = file.clone().source(hdu)?;
    let size = source.size();
    // Ours are numbers of 16 bits as they stand; another program's may be stored otherwise.
    if let Some(raw) = source.raw() {
        let plane = |plane: usize| {
            let mut bits = vec![0u16; size.pixels()];
            raw.read_raw_rows(plane, 0..size.height, &mut Vec::new(), &mut bits)?;
            let bits = bits.into_iter().map(MaskBits::from_bits_retain).collect();
            Ok(Plane::from_vec(size, bits).expect("one mask entry a sample"))
        };
        return (0..source.planes()).map(plane).collect();
    }
    let of_plane = |dq: Plane<f32>| {
        let bits: Option<Vec<MaskBits>> = dq.as_slice().iter().map(|v| mask_bits(*v)).collect();
        let Some(bits) = bits else {
            let message = "extension DQ has values that do not fit a 16-bit mask";
            return Err(Error::damaged(file.path(), message));
        };
        Ok(Plane::from_vec(dq.size(), bits).expect("one mask entry a sample"))
    };
    file.planes(hdu)?.into_iter().map(of_plane).collect()
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
    if (hdu.size, hdu.planes) != (image.size, image.planes) {
        let shape = |h: &Hdu| match h.size {
            Some(s) if h.planes == 1 => s.to_string(),
            Some(s) => format!("{} planes of {s}", h.planes),
            None => "no image".to_owned(),
        };
        let message = format!("extension {name} is {}; the image is {}", shape(hdu), shape(image));
        return Err(Error::damaged(file.path(), message));
    }
    Ok(Some(hdu))
}

/// The planes of the extension of that name; none where there is none.
fn beside(file: &FitsFile, name: &str) -> Result<Vec<Plane<f32>>> {
    match found_beside(file, name)? {
        Some(hdu) => file.planes(hdu),
        None => Ok(Vec::new()),
    }
}

/// Reads the image of a FITS file as one plane, with its header, and nothing beside it.
///
/// # Errors
/// When the file cannot be read or has several planes.
pub fn read_image(path: &Path) -> Result<(Plane<f32>, Header)> {
    let file = FitsFile::open(path, Magic::of(path)?)?;
    if let Some(one) = assembled(&file)? {
        return Ok(one);
    }
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
    /// Counts, each an extension of its name with as many planes as there are frames.
    pub beside: Vec<(&'a str, Vec<&'a Plane<u16>>)>,
    /// Tables.
    pub tables: Vec<Table>,
}

/// Frames being written as the planes of one image: the data as the primary, ERR where the variance
/// is known, DQ always, then what is written beside them; BUNIT is that of the frames.
///
/// One frame makes an image of two axes, three make a colour image: red, green, blue. ERR is
/// always 32-bit floating point: the square root of the variance; a negative variance becomes NaN.
/// Strips may be written in any order and by several threads.
pub struct FrameWriter<'a> {
    writer: FitsWriter,
    frames: Vec<&'a Frame>,
    beside: Vec<(&'a str, Vec<&'a Plane<u16>>)>,
}

impl<'a> FrameWriter<'a> {
    /// Lays out the file.
    ///
    /// # Errors
    /// When there is no frame, the planes differ in size, only some of the frames have a variance or
    /// their units differ, the file exists and `existing` refuses, the disk is full, or `sample` is
    /// [`Sample::Mask`].
    pub fn create(
        path: &Path,
        frames: &[&'a Frame],
        spec: FrameSpec<'a>,
        existing: Existing,
    ) -> Result<Self> {
        let FrameSpec { header, sample, beside, tables } = spec;
        let Some(first) = frames.first() else {
            return Err(Error::request(path, "no frame was given to be written"));
        };
        let (size, unit, known) = (first.size(), first.unit, first.variance.is_some());
        let alike = |f: &&Frame| {
            f.size() == size
                && f.mask.size() == size
                && f.unit == unit
                && f.variance.is_some() == known
                && f.variance.as_ref().is_none_or(|v| v.size() == size)
        };
        let counted = |planes: &[&Plane<u16>]| {
            planes.len() == frames.len() && planes.iter().all(|p| p.size() == size)
        };
        let even = frames.iter().all(alike) && beside.iter().all(|(_, p)| counted(p));
        if sample == Sample::Mask || !even {
            let message =
                "a frame is written as samples, and its planes must be of one size and kind";
            return Err(Error::request(path, message));
        }
        let mut header = header.clone();
        header.set(Card::string("BUNIT", unit.bunit(), "unit of the samples"));
        let spec = |name: &str, planes, sample, header| ImageSpec {
            name: (!name.is_empty()).then(|| name.to_owned()),
            size,
            planes,
            sample,
            header,
        };
        // What neighbours share belongs to their errors.
        let shared = |c: &&Card| c.keyword().starts_with(SHARED);
        let shared: Vec<Card> = header.cards().iter().filter(shared).copied().collect();
        let mut specs = vec![spec("", frames.len(), sample, header)];
        // Siril takes a second image of the first one's type and size for a sequence and does not
        // open the file; with the mask between them it does.
        specs.push(spec(DQ, frames.len(), Sample::Mask, mask_header()));
        if known {
            let mut h = Header::new();
            h.push(Card::string("BUNIT", unit.bunit(), "one standard deviation"));
            shared.into_iter().for_each(|card| h.push(card));
            specs.push(spec(ERR, frames.len(), Sample::F32, h));
        }
        let counts = Sample::U16 { pedestal_adu: 0.0 };
        specs
            .extend(beside.iter().map(|(name, _)| spec(name, frames.len(), counts, Header::new())));
        let writer = FitsWriter::create(path, specs, tables, existing)?;
        Ok(Self { writer, frames: frames.to_vec(), beside })
    }

    /// How many strips there are to write.
    pub fn strips(&self) -> usize {
        self.strips_a_plane() * self.frames.len()
    }

    fn strips_a_plane(&self) -> usize {
        self.frames[0].size().height.div_ceil(STRIP)
    }

    /// Writes strip `index`, which must be written once.
    ///
    /// # Errors
    /// When it was written before, or the disk is full.
    pub fn write_strip(&self, index: usize) -> Result<()> {
        let (plane, strip) = (index / self.strips_a_plane(), index % self.strips_a_plane());
        let frame = self.frames[plane];
        let y0 = strip * STRIP;
        let y1 = (y0 + STRIP).min(frame.size().height);
        self.writer.write_rows(0, plane, y0, frame.data.rows(y0, y1))?;
        let mut next = 1;
        self.writer.write_mask_rows(next, plane, y0, frame.mask.rows(y0, y1))?;
        if let Some(variance) = &frame.variance {
            next += 1;
            let err: Vec<f32> = variance.rows(y0, y1).iter().map(|v| v.sqrt()).collect();
            self.writer.write_rows(next, plane, y0, &err)?;
        }
        for (_, counts) in &self.beside {
            next += 1;
            let rows = counts[plane].rows(y0, y1).iter();
            let rows: Vec<f32> = rows.map(|v| f32::from(*v)).collect();
            self.writer.write_rows(next, plane, y0, &rows)?;
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

/// Writes frames as the planes of one image, strip after strip.
///
/// # Errors
/// Those of [`FrameWriter`].
pub fn write_frame(
    path: &Path,
    frames: &[&Frame],
    spec: FrameSpec<'_>,
    existing: Existing,
) -> Result<Clipped> {
    let writer = FrameWriter::create(path, frames, spec, existing)?;
    for strip in 0..writer.strips() {
        writer.write_strip(strip)?;
    }
    writer.finish()
}

/// Cards that say what the bits of a DQ extension mean.
fn mask_header() -> Header {
    let mut h = Header::new();
    h.push_comment("Each pixel is a sum of bits; 0 means good.");
    for (name, bit) in MaskBits::all().iter_names() {
        h.push_comment(&format!("{:>5} {name}", bit.bits()));
    }
    h
}
