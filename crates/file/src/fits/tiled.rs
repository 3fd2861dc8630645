//! Tile-compressed images.

use super::bytes::Bytes;
use super::file::Decoded;
use super::layout::Hdu;
use crate::{Error, Result};

#[allow(dead_code)]
const _NEW: fn(&std::path::Path, photosite_pix::Size, usize, Vec<f32>) -> Decoded = Decoded::new;

/// Decodes the image of `hdu` as a whole.
pub(crate) fn decode(bytes: &Bytes, _hdu: &Hdu) -> Result<Decoded> {
    Err(Error::unsupported(bytes.path(), "tile-compressed; unpack it with funpack"))
}
