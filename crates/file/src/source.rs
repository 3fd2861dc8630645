//! Samples on demand, row range by row range.

use std::ops::Range;
use std::path::Path;

use photosite_pix::{Plane, Size};

use crate::{Error, Result};

/// How a source gives its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Any range of rows at the price of that range.
    Rows,
    /// Only as a whole: it was, or must be, decoded into memory first.
    Whole,
}

/// An image whose rows can be read by several threads at once.
pub trait Source: Send + Sync {
    /// Width and height.
    fn size(&self) -> Size;

    /// Planes of that size: 1 for a raw frame, 3 for a colour image.
    fn planes(&self) -> usize;

    /// What reading a range of rows costs.
    fn access(&self) -> Access;

    /// Reads `rows` of `plane` as physical values into `out`, NaN where a sample is blank.
    ///
    /// `scratch` holds raw bytes between calls, so that a caller who reads in a loop allocates
    /// once. `out` holds exactly `rows.len() * width` samples.
    ///
    /// # Errors
    /// When the range or the plane is outside the image, the file ends early, or reading fails.
    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()>;

    /// Reads `rows` of every plane, plane after plane, under the rules of
    /// [`read_rows`](Self::read_rows); `out` holds `planes` times as many samples.
    ///
    /// # Errors
    /// As [`read_rows`](Self::read_rows).
    fn read_planes(
        &self,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        let part = out.len() / self.planes().max(1);
        for (plane, out) in out.chunks_exact_mut(part.max(1)).enumerate() {
            self.read_rows(plane, rows.clone(), scratch, out)?;
        }
        Ok(())
    }

    /// The same image as the numbers that the camera wrote, where it is stored so.
    fn raw(&self) -> Option<&dyn RawSource> {
        None
    }
}

/// An image of 16-bit numbers without sign, none of them blank: as most cameras write theirs.
pub trait RawSource: Send + Sync {
    /// Reads `rows` of `plane` into `out`, under the rules of [`Source::read_rows`], whose samples
    /// are these very numbers.
    ///
    /// # Errors
    /// As [`Source::read_rows`].
    fn read_raw_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [u16],
    ) -> Result<()>;
}

/// The same image with samples changed as they are read: `change` gets rows of one plane.
pub fn changed(
    source: Box<dyn Source>,
    change: impl Fn(Range<usize>, &mut [f32]) + Send + Sync + 'static,
) -> Box<dyn Source> {
    Box::new(Changed { source, change })
}

struct Changed<F> {
    source: Box<dyn Source>,
    change: F,
}

impl<F: Fn(Range<usize>, &mut [f32]) + Send + Sync> Source for Changed<F> {
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
        self.source.read_rows(plane, rows.clone(), scratch, out)?;
        (self.change)(rows, out);
        Ok(())
    }

    fn read_planes(
        &self,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        self.source.read_planes(rows.clone(), scratch, out)?;
        let part = (rows.len() * self.size().width).max(1);
        out.chunks_exact_mut(part).for_each(|plane| (self.change)(rows.clone(), plane));
        Ok(())
    }
}

/// Planes that an image has at most: three colours, and a fourth beside them in some files.
pub(crate) const MOST_PLANES: usize = 4;

/// Refuses an image with more planes than an image has: each costs more memory than a file of
/// planes of one pixel is large.
///
/// # Errors
/// When there are more.
pub(crate) fn expect_picture(path: &Path, planes: usize) -> Result<()> {
    if (1..=MOST_PLANES).contains(&planes) {
        return Ok(());
    }
    let message = format!("the image has {planes} planes; an image has 1 to {MOST_PLANES}");
    Err(Error::unsupported(path, message))
}

/// Every plane of a source, whole; for those whose planes were counted.
///
/// # Errors
/// When it cannot be read.
pub fn planes_of(source: &dyn Source) -> Result<Vec<Plane<f32>>> {
    let size = source.size();
    let plane = |plane| {
        let mut samples = vec![0.0; size.pixels()];
        source.read_rows(plane, 0..size.height, &mut Vec::new(), &mut samples)?;
        Ok(Plane::from_vec(size, samples).expect("as many samples as pixels"))
    };
    (0..source.planes()).map(plane).collect()
}

/// Checks what [`Source::read_rows`] or [`RawSource::read_raw_rows`] was asked for.
///
/// # Errors
/// When the rows or the plane are outside the image, or the room given is not theirs.
pub fn check_rows(
    path: &Path,
    (size, planes): (Size, usize),
    plane: usize,
    rows: &Range<usize>,
    out: usize,
) -> Result<()> {
    if plane >= planes || rows.start > rows.end || rows.end > size.height {
        let message = format!(
            "rows {}..{} of plane {plane} were asked for; the image is {size} with {planes} plane(s)",
            rows.start, rows.end
        );
        return Err(Error::request(path, message));
    }
    let expected = rows.len() * size.width;
    if out != expected {
        let message = format!("room for {out} samples was given; {expected} were expected");
        return Err(Error::request(path, message));
    }
    Ok(())
}
