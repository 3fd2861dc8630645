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
use std::path::Path;

use photosite_file::{Access, Probe, Result, Source};
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

/// Reads what a file's headers say, and no pixel.
///
/// # Errors
/// When the file is no image that is read here, is cut or breaks its format, or cannot be read.
pub fn probe(path: &Path) -> Result<Probe> {
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
        Some(level_adu) => Box::new(Rescaled { source, factor: 1.0, level_adu }),
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

/// Opens an image whose samples run from 0 to 1, as ADU of 16 bits.
///
/// # Errors
/// As [`open_stored`].
pub fn open_full_scale(path: &Path) -> Result<Box<dyn Source>> {
    let source = open_stored(path)?;
    Ok(Box::new(Rescaled { source, factor: 65_535.0, level_adu: 0.0 }))
}

/// A source whose samples are multiplied, and lowered by a constant.
struct Rescaled {
    source: Box<dyn Source>,
    factor: f32,
    level_adu: f32,
}

impl Source for Rescaled {
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
        self.source.read_rows(plane, rows, scratch, out)?;
        out.iter_mut().for_each(|v| *v = *v * self.factor - self.level_adu);
        Ok(())
    }
}

/// Takes a recorded pedestal off frames that were read whole.
fn lower<'a>(frames: impl IntoIterator<Item = &'a mut Frame>, header: &mut Header) {
    if let Some(level_adu) = pedestal_adu(header) {
        for frame in frames {
            frame.data.as_mut_slice().iter_mut().for_each(|v| *v -= level_adu);
        }
        header.remove("PEDESTAL");
    }
}

/// Opens the image of a file, its samples as they are stored, infinite ones as NaN.
///
/// # Errors
/// When the file is no image that is read here, is cut or breaks its format, or cannot be read.
pub fn open_stored(path: &Path) -> Result<Box<dyn Source>> {
    #[cfg(feature = "raw")]
    if is_raw(path)? {
        return photosite_raw::open(path);
    }
    Ok(photosite_file::finite(photosite_file::open(path)?))
}

/// Reads a whole frame and its header, with variance and mask where the file has them; a pedestal
/// that the header records is taken off, and its card with it.
///
/// # Errors
/// When the file cannot be read, or has several planes.
pub fn read_frame(path: &Path) -> Result<(Frame, Header)> {
    #[cfg(feature = "raw")]
    if is_raw(path)? {
        let data = photosite_file::whole(path, &*photosite_raw::open(path)?)?;
        let header = photosite_raw::probe(path)?.header;
        return Ok((Frame::new(data, photosite_pix::Unit::Adu), header));
    }
    let (mut frame, mut header) = photosite_file::read_frame(path)?;
    lower([&mut frame], &mut header);
    Ok((frame, header))
}

/// Reads every plane of a file as a frame of its own, else as [`read_frame`].
///
/// # Errors
/// When the file cannot be read, or its planes do not fit each other.
pub fn read_frames(path: &Path) -> Result<(Vec<Frame>, Header)> {
    #[cfg(feature = "raw")]
    if is_raw(path)? {
        let (frame, header) = read_frame(path)?;
        return Ok((vec![frame], header));
    }
    let (mut frames, mut header) = photosite_file::read_frames(path)?;
    lower(&mut frames, &mut header);
    Ok((frames, header))
}

/// Reads a whole frame without its variance, else as [`read_frame`].
///
/// # Errors
/// As [`read_frame`].
pub fn read_masked(path: &Path) -> Result<(Frame, Header)> {
    #[cfg(feature = "raw")]
    if is_raw(path)? {
        return read_frame(path);
    }
    let (mut frame, mut header) = photosite_file::read_masked(path)?;
    lower([&mut frame], &mut header);
    Ok((frame, header))
}

/// Opens the mask of a file, where it has one.
///
/// # Errors
/// When the file cannot be read.
pub fn open_mask(path: &Path) -> Result<Option<Box<dyn Source>>> {
    #[cfg(feature = "raw")]
    if is_raw(path)? {
        return Ok(None);
    }
    photosite_file::open_mask(path)
}
