//! Images stored as they are: any range of rows at the price of that range.

use std::ops::Range;

use photosite_pix::Size;

use super::layout::Hdu;
use super::pixels::{Encoding, decode_raw};
use crate::bytes::Bytes;
use crate::source::{RawSource, check_rows};
use crate::{Access, Error, Result, Source};

/// An uncompressed image in a FITS file, or in one that was unpacked into memory.
pub struct FitsSource {
    bytes: Bytes,
    encoding: Encoding,
    size: Size,
    planes: usize,
    offset: u64,
}

impl FitsSource {
    /// The image of `hdu`, whose shape and data were checked when the file was scanned.
    pub(crate) fn new(bytes: Bytes, hdu: &Hdu) -> Result<Self> {
        let path = bytes.path();
        let encoding = Encoding::of(path, &hdu.header, hdu.bitpix)?;
        let size = hdu.size.ok_or_else(|| Error::unsupported(path, "holds no image"))?;
        let stored = (size.pixels() as u64)
            .checked_mul(hdu.planes as u64)
            .and_then(|n| n.checked_mul(encoding.bytes() as u64));
        if stored.is_none_or(|n| n > hdu.data_bytes) {
            return Err(Error::damaged(path, "the axes and the size of the data do not agree"));
        }
        Ok(Self { encoding, size, planes: hdu.planes, offset: hdu.data_offset, bytes })
    }
}

impl Source for FitsSource {
    fn size(&self) -> Size {
        self.size
    }

    fn planes(&self) -> usize {
        self.planes
    }

    fn access(&self) -> Access {
        if self.bytes.is_memory() { Access::Whole } else { Access::Rows }
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        self.read(plane, rows, scratch, out, |raw, part| self.encoding.decode(raw, part))
    }

    fn raw(&self) -> Option<&dyn RawSource> {
        self.encoding.is_raw().then_some(self)
    }
}

impl RawSource for FitsSource {
    fn read_raw_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [u16],
    ) -> Result<()> {
        self.read(plane, rows, scratch, out, decode_raw)
    }
}

impl FitsSource {
    /// Reads rows, each sample decoded by `decode`.
    fn read<T>(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [T],
        decode: impl Fn(&[u8], &mut [T]),
    ) -> Result<()> {
        let shape = (self.size, self.planes);
        check_rows(self.bytes.path(), shape, plane, &rows, out.len())?;
        let each = self.encoding.bytes();
        // All inside a data unit whose length was checked, so that nothing here overflows.
        let first = plane * self.size.pixels() + rows.start * self.size.width;
        let offset = self.offset + (first * each) as u64;
        self.bytes.decode(offset, each, scratch, out, decode)
    }
}
