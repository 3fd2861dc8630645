//! Whole frames, whatever their format.

use std::path::Path;

use photosite_pix::{Frame, Header, Plane};

use crate::magic::Magic;
use crate::source::expect_picture;
use crate::{Error, Result, Source, fits, open, planes_of, probe};

/// Reads a frame and its header.
///
/// A FITS file gives variance and mask as [`fits::read_frame`] does. Other formats have neither:
/// the mask has NO_DATA exactly where a sample is not finite.
///
/// # Errors
/// When the file cannot be read, has several planes, or its planes do not fit each other.
pub fn read_frame(path: &Path) -> Result<(Frame, Header)> {
    if matches!(Magic::of(path)?, Magic::Fits | Magic::Packed(_)) {
        return fits::read_frame(path);
    }
    let (data, header) = read_image(path)?;
    let unit = crate::keyword::unit_of(&header);
    Ok((Frame::new(data, unit), header))
}

/// Reads every plane as a frame of its own, else as [`read_frame`].
///
/// # Errors
/// When the file cannot be read, or its planes do not fit each other.
pub fn read_frames(path: &Path) -> Result<(Vec<Frame>, Header)> {
    if matches!(Magic::of(path)?, Magic::Fits | Magic::Packed(_)) {
        return fits::read_frames(path);
    }
    let header = probe(path)?.header;
    let unit = crate::keyword::unit_of(&header);
    let source = open(path)?;
    expect_picture(path, source.planes())?;
    let planes = planes_of(&*source)?;
    Ok((planes.into_iter().map(|data| Frame::new(data, unit)).collect(), header))
}

/// Reads a frame without its variance, else as [`read_frame`].
///
/// # Errors
/// As [`read_frame`].
pub fn read_masked(path: &Path) -> Result<(Frame, Header)> {
    match Magic::of(path)? {
        Magic::Fits | Magic::Packed(_) => fits::read_masked(path),
        _ => read_frame(path),
    }
}

/// Opens the mask of a frame, which only FITS files have; `None` where it has none.
///
/// # Errors
/// When the file cannot be read, or the mask differs from the image in size.
pub fn open_mask(path: &Path) -> Result<Option<Box<dyn Source>>> {
    match Magic::of(path)? {
        Magic::Fits | Magic::Packed(_) => fits::open_mask(path),
        _ => Ok(None),
    }
}

/// Reads an image as one plane, with its header, and nothing beside it.
///
/// # Errors
/// When the file cannot be read or has several planes.
pub fn read_image(path: &Path) -> Result<(Plane<f32>, Header)> {
    if matches!(Magic::of(path)?, Magic::Fits | Magic::Packed(_)) {
        return fits::read_image(path);
    }
    Ok((whole(path, &*open(path)?)?, probe(path)?.header))
}

/// The one plane of a source.
///
/// # Errors
/// When it cannot be read or has several planes.
pub fn whole(path: &Path, source: &dyn Source) -> Result<Plane<f32>> {
    let planes = source.planes();
    if planes != 1 {
        let message = format!(
            "the image has {planes} planes; one was expected. Calibrate raw frames before \
             debayering"
        );
        return Err(Error::unsupported(path, message));
    }
    Ok(planes_of(source)?.remove(0))
}
