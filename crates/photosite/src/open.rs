//! The one door for files that come in: whatever their format, one probe, one source, one frame.
//!
//! FITS, XISF and TIFF are read by `photosite-file`; camera raw files, where the feature `raw` is
//! on, by `photosite-raw`.

use std::path::Path;

use photosite_file::{Probe, Result, Source};
use photosite_pix::{Frame, Header};

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

/// Opens the image of a file.
///
/// # Errors
/// When the file is no image that is read here, is cut or breaks its format, or cannot be read.
pub fn open(path: &Path) -> Result<Box<dyn Source>> {
    #[cfg(feature = "raw")]
    if is_raw(path)? {
        return photosite_raw::open(path);
    }
    photosite_file::open(path)
}

/// Reads a whole frame and its header, with variance and mask where the file has them.
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
    photosite_file::read_frame(path)
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
    photosite_file::read_frames(path)
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
    photosite_file::read_masked(path)
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
