//! Frames as a stack reads them, part by part.

use std::ops::Range;

use photosite_pix::Size;
use photosite_pix::warp;

use crate::Result;

/// One frame, as it meets the others in a stack.
pub trait Layer: Send + Sync {
    /// Width and height of the stack.
    fn size(&self) -> Size;

    /// Planes: 1, or 3 for red, green and blue.
    fn planes(&self) -> usize {
        1
    }

    /// Whether each sample has a weight of its own: how much of the pixel it covers.
    fn has_coverage(&self) -> bool {
        false
    }

    /// Reads a part of it, plane by plane.
    ///
    /// # Errors
    /// When the frame cannot be read; the error names it.
    fn read(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        buffers: &mut ReadBuffers,
        room: &mut [Room<'_>],
    ) -> Result<()>;

    /// Its samples as 16-bit numbers, where nothing is done to them.
    fn raw(&self) -> Option<&dyn RawLayer> {
        None
    }
}

/// A frame whose samples are 16-bit numbers to which nothing is done.
pub trait RawLayer {
    /// Reads a part of it, as [`Layer::read`].
    ///
    /// # Errors
    /// When the frame cannot be read; the error names it.
    fn read_raw(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        buffers: &mut ReadBuffers,
        out: &mut [u16],
    ) -> Result<()>;
}

/// Where a plane's samples go.
#[derive(Debug)]
pub struct Room<'a> {
    /// The samples; NaN where one is missing.
    pub samples: &'a mut [f32],
    /// How much of its pixel each covers; empty where a layer has no coverage.
    pub coverage: &'a mut [f32],
}

/// Buffers for reading, kept from read to read.
#[derive(Debug, Default)]
pub struct ReadBuffers {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: Vec<f32>,
    pub(super) raw_rows: Vec<u16>,
    pub(super) warp: warp::Room,
}

impl ReadBuffers {
    /// With bytes that were allocated elsewhere.
    pub fn with_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// The bytes, to be used elsewhere.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
