//! The one door for files that come in: whatever their format, one probe, one source, one frame.
//!
//! FITS, XISF and TIFF are read by `photosite-file`; camera raw files, where the feature `raw` is
//! on, by `photosite-raw`.
//!
//! ```
//! # use photosite_file::{atomic::Existing, fits::{FrameSpec, Sample, write_frame}};
//! # use photosite_pix::{Card, Frame, Header, Plane, Size, Unit};
//! # let write = |path: &std::path::Path, size: Size, adu: f32, cards: &[Card]| {
//! #     let header = Header::from_cards(cards.to_vec());
//! #     let frame = Frame::new(Plane::filled(size, adu), Unit::Adu);
//! #     let spec = FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
//! #     write_frame(path, &[&frame], spec, Existing::Refuse).unwrap();
//! # };
//! # let dir = tempfile::tempdir().unwrap();
//! use photosite::open::{open, probe};
//!
//! # let path = dir.path().join("light.fits");
//! # write(&path, Size::new(8, 8), 600.0, &[Card::integer("PEDESTAL", -100, "")]);
//! let probe = probe(&path)?;
//! assert_eq!((probe.size, probe.planes), (Size::new(8, 8), 1));
//! // Its header records a pedestal of 100 ADU, which is taken off on reading.
//! let mut row = vec![0.0; 8];
//! open(&path)?.read_rows(0, 3..4, &mut Vec::new(), &mut row)?;
//! assert_eq!(row, [500.0; 8]);
//! # Ok::<(), photosite::Error>(())
//! ```

use std::ops::Range;
use std::path::{Path, PathBuf};

use photosite_file::{Access, Probe, RawSource, Result, Source, changed};
use photosite_pix::{Frame, Header, Size};

/// Whether a file is a camera raw; one that is only named so is refused.
#[cfg(feature = "raw")]
fn is_raw(path: &Path) -> Result<bool> {
    let raw = photosite_file::is_camera_raw(path)?;
    if !raw {
        photosite_raw::expect_other_name(path)?;
    }
    Ok(raw)
}

/// The name of the image in one unit of a file of several, as `night.fits[2]`; 0 is the primary.
pub fn name_of_image(path: &Path, unit: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("[{unit}]"));
    name.into()
}

/// The file and the unit of such a name; `None` of any other, and where a file is called so.
pub fn image_of_file(path: &Path) -> Option<(PathBuf, usize)> {
    let name = path.file_name()?.to_str()?;
    let (file, unit) = name.strip_suffix(']')?.rsplit_once('[')?;
    let unit = unit.parse().ok()?;
    let file = path.with_file_name(file);
    (!path.exists() && file.is_file()).then_some((file, unit))
}

/// Keywords that part the images of a mosaic: sensors, amplifiers, and what is beside an image.
const PARTS: [&str; 9] = [
    "EXTNAME", "DETSEC", "CCDSEC", "AMPSEC", "CCDNAME", "AMPNAME", "CHIPID", "DETECTOR", "IMAGEID",
];

/// The images of a file that is a sequence of exposures, as extensions, planes or pages; none of a video,
/// of any other file, of several sensors or amplifiers, or of a product.
pub fn sequence(path: &Path, probe: &Probe) -> Vec<Probe> {
    let ours = probe.header.get(photosite_file::KEY_KEYWORD).is_some();
    let several = probe.frames().len() > 1 || probe.planes > 1;
    if ours || !several || probe.format == "SER" {
        return Vec::new();
    }
    let images = photosite_file::probe_frames(path).unwrap_or_default();
    let of = |p: &Probe| PARTS.map(|key| p.header.get_text(key));
    let alike = images.windows(2).all(|pair| of(&pair[0]) == of(&pair[1]));
    let frames = images.len() > 1 && images.iter().all(|p| p.planes == 1);
    if alike && frames { images } else { Vec::new() }
}

/// Files that were named one by one, the images of sequences in the place of their files.
pub fn each_image(paths: &[PathBuf]) -> Vec<PathBuf> {
    let names = |path: &PathBuf| -> Vec<PathBuf> {
        let images = probe(path).map_or_else(|_| Vec::new(), |p| sequence(path, &p));
        match images.is_empty() {
            true => vec![path.clone()],
            false => images.iter().map(|p| name_of_image(path, p.image)).collect(),
        }
    };
    paths.iter().flat_map(names).collect()
}

/// Reads what a file's headers say, and no pixel; of the name of one image, what that image's say.
///
/// # Errors
/// When the file is no image that is read here, is cut or breaks its format, or cannot be read.
pub fn probe(path: &Path) -> Result<Probe> {
    if let Some((file, unit)) = image_of_file(path) {
        let found = photosite_file::probe_frames(&file)?.into_iter().find(|p| p.image == unit);
        let message = || format!("holds no image in unit {unit} any more");
        return found.ok_or_else(|| photosite_file::Error::damaged(&file, message()));
    }
    #[cfg(feature = "raw")]
    if is_raw(path)? {
        return photosite_raw::probe(path);
    }
    photosite_file::probe(path)
}

/// Opens the image of a file; a pedestal that its header records is taken off as samples are read.
///
/// # Errors
/// As [`open_stored`].
pub fn open(path: &Path) -> Result<Box<dyn Source>> {
    let source = open_stored(path)?;
    Ok(match pedestal_adu(&probe(path)?.header) {
        Some(level_adu) => rescaled(source, 1.0, level_adu),
        None => source,
    })
}

/// The pedestal that a header records, in ADU; `None` where there is none.
///
/// Masks and counts have none: only the image that the header describes is asked.
fn pedestal_adu(header: &Header) -> Option<f32> {
    let adu = photosite_file::keyword::read(header).metadata.pedestal_adu?;
    (adu.is_finite() && adu != 0.0).then_some(adu as f32)
}

/// What 1 stands for where samples run from 0 to 1, in ADU.
///
/// # Source
/// XISF1: 16-bit samples are read as number / 65535.
pub const UNIT_ADU: f64 = 65_535.0;

/// Opens an image whose samples run from 0 to 1, as ADU of 16 bits, less the pedestal that its header records.
///
/// # Errors
/// As [`open_stored`].
pub fn open_full_scale(path: &Path) -> Result<Box<dyn Source>> {
    let level_adu = pedestal_adu(&probe(path)?.header).unwrap_or(0.0);
    Ok(rescaled(open_stored(path)?, UNIT_ADU, level_adu))
}

/// The same image with samples multiplied by what one of them is in ADU.
pub(crate) fn in_adu(source: Box<dyn Source>, adu_per_sample: f64) -> Box<dyn Source> {
    if adu_per_sample == 1.0 { source } else { rescaled(source, adu_per_sample, 0.0) }
}

/// The same image with samples multiplied, then lowered by a constant.
fn rescaled(source: Box<dyn Source>, factor: f64, level_adu: f32) -> Box<dyn Source> {
    let level_adu = f64::from(level_adu);
    changed(source, move |_, out| {
        out.iter_mut().for_each(|v| *v = (f64::from(*v) * factor - level_adu) as f32);
    })
}

/// A source whose rows come from the last to the first.
pub fn turned_over(source: Box<dyn Source>) -> Box<dyn Source> {
    Box::new(TurnedOver { source })
}

struct TurnedOver {
    source: Box<dyn Source>,
}

impl TurnedOver {
    /// The rows of the file that some rows are, first to last.
    fn rows(&self, rows: &Range<usize>) -> Range<usize> {
        let height = self.source.size().height;
        // What lies beyond the image stays beyond it, and is refused there.
        match (height.checked_sub(rows.end), height.checked_sub(rows.start)) {
            (Some(from), Some(to)) => from..to,
            _ => rows.clone(),
        }
    }
}

/// Puts rows into the opposite order.
pub(crate) fn turn<T>(rows: &mut [T], width: usize) {
    let height = rows.len() / width.max(1);
    for y in 0..height / 2 {
        let (upper, lower) = rows.split_at_mut((height - 1 - y) * width);
        upper[y * width..][..width].swap_with_slice(&mut lower[..width]);
    }
}

impl Source for TurnedOver {
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
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        self.source.read_rows(plane, self.rows(&rows), scratch, out)?;
        turn(out, self.size().width);
        Ok(())
    }

    fn raw(&self) -> Option<&dyn RawSource> {
        self.source.raw().map(|_| self as &dyn RawSource)
    }
}

impl RawSource for TurnedOver {
    fn read_raw_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [u16],
    ) -> Result<()> {
        let raw = self.source.raw().expect("asked for where there is one");
        raw.read_raw_rows(plane, self.rows(&rows), scratch, out)?;
        turn(out, self.size().width);
        Ok(())
    }
}

/// Brings frames that were read whole to ADU, and takes a recorded pedestal off.
fn lower<'a>(frames: impl IntoIterator<Item = &'a mut Frame>, header: &mut Header, factor: f64) {
    let level_adu = pedestal_adu(header);
    if factor != 1.0 || level_adu.is_some() {
        let level_adu = f64::from(level_adu.unwrap_or(0.0));
        frames.into_iter().for_each(|frame| frame.rescale(factor, -level_adu));
        header.remove("PEDESTAL");
    }
}

/// Opens the image of a file, its samples as they are stored, infinite ones as NaN.
///
/// # Errors
/// When the file is no image that is read here, is cut or breaks its format, or cannot be read.
pub fn open_stored(path: &Path) -> Result<Box<dyn Source>> {
    if let Some((file, unit)) = image_of_file(path) {
        return Ok(photosite_file::finite(photosite_file::open_image(&file, unit)?));
    }
    #[cfg(feature = "raw")]
    if is_raw(path)? {
        return photosite_raw::open(path);
    }
    Ok(photosite_file::finite(photosite_file::open(path)?))
}

/// The frame and header of a camera raw, or of one image of a sequence, which have neither variance
/// nor mask; `None` of any other file.
fn bare(path: &Path, factor: f64) -> Result<Option<(Frame, Header)>> {
    let image = image_of_file(path).is_some();
    #[cfg(feature = "raw")]
    let image = image || is_raw(path)?;
    if !image {
        return Ok(None);
    }
    let data = photosite_file::whole(path, &*open_stored(path)?)?;
    let mut header = probe(path)?.header;
    let mut frame = Frame::new(data, photosite_pix::Unit::Adu);
    lower([&mut frame], &mut header, factor);
    Ok(Some((frame, header)))
}

/// Reads a whole frame and its header, with variance and mask where the file has them; a pedestal
/// that the header records is taken off, and its card with it.
///
/// # Errors
/// When the file cannot be read, or has several planes.
pub fn read_frame(path: &Path) -> Result<(Frame, Header)> {
    if let Some(bare) = bare(path, 1.0)? {
        return Ok(bare);
    }
    let (mut frame, mut header) = photosite_file::read_frame(path)?;
    lower([&mut frame], &mut header, 1.0);
    Ok((frame, header))
}

/// Reads every plane of a file as a frame of its own, else as [`read_frame`].
///
/// # Errors
/// When the file cannot be read, or its planes do not fit each other.
pub fn read_frames(path: &Path) -> Result<(Vec<Frame>, Header)> {
    read_times(path, 1.0)
}

/// The same of an image whose samples run from 0 to 1, as ADU of 16 bits.
///
/// # Errors
/// As [`read_frames`].
pub fn read_full_scale(path: &Path) -> Result<(Vec<Frame>, Header)> {
    read_times(path, UNIT_ADU)
}

fn read_times(path: &Path, factor: f64) -> Result<(Vec<Frame>, Header)> {
    if let Some((frame, header)) = bare(path, factor)? {
        return Ok((vec![frame], header));
    }
    let (mut frames, mut header) = photosite_file::read_frames(path)?;
    lower(&mut frames, &mut header, factor);
    Ok((frames, header))
}

/// Reads a whole frame without its variance, else as [`read_frame`].
///
/// # Errors
/// As [`read_frame`].
pub fn read_masked(path: &Path) -> Result<(Frame, Header)> {
    if let Some(bare) = bare(path, 1.0)? {
        return Ok(bare);
    }
    let (mut frame, mut header) = photosite_file::read_masked(path)?;
    lower([&mut frame], &mut header, 1.0);
    Ok((frame, header))
}

/// Opens the mask of a file, where it has one.
///
/// # Errors
/// When the file cannot be read.
pub fn open_mask(path: &Path) -> Result<Option<Box<dyn Source>>> {
    if image_of_file(path).is_some() {
        return Ok(None);
    }
    #[cfg(feature = "raw")]
    if is_raw(path)? {
        return Ok(None);
    }
    photosite_file::open_mask(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rows(Size);

    impl Source for Rows {
        fn size(&self) -> Size {
            self.0
        }

        fn planes(&self) -> usize {
            1
        }

        fn access(&self) -> Access {
            Access::Rows
        }

        fn read_rows(
            &self,
            _: usize,
            rows: Range<usize>,
            _: &mut Vec<u8>,
            out: &mut [f32],
        ) -> Result<()> {
            let at = rows.start * self.0.width;
            out.iter_mut().enumerate().for_each(|(i, v)| *v = (at + i) as f32);
            Ok(())
        }
    }

    #[test]
    fn rows_turned_over_are_those_of_the_whole_turned_over() {
        let size = Size::new(3, 7);
        let source = turned_over(Box::new(Rows(size)));
        for rows in [0..7, 0..1, 2..5, 6..7, 3..3] {
            let mut out = vec![0.0; 3 * rows.len()];
            source.read_rows(0, rows.clone(), &mut Vec::new(), &mut out).unwrap();
            let whole = |y: usize| (0..3).map(move |x| ((6 - y) * 3 + x) as f32);
            let expected: Vec<f32> = rows.flat_map(whole).collect();
            assert_eq!(out, expected);
        }
    }
}
