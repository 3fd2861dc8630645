//! What a file may claim to hold, before memory is asked for.
//!
//! A packed file claims sizes that its bytes need not bear out: 60 kB of zstd stand for any number of
//! equal samples. Real frames hold noise, which does not pack; what packs better than any frame does
//! is refused.

use std::path::Path;

use photosite_pix::Size;

use crate::{Error, Result};

/// Bytes that anything may unpack to, however small it is packed: a drawn frame of one value, 32
/// million pixels of it, is honest. A choice.
const FREE: u64 = 1 << 26;

/// Bytes unpacked for each byte of a file. Lossless codecs pack raw frames two to four times and
/// masks some hundred times; a choice above both.
const MAX_RATIO: u64 = 256;

/// Pixels of a plane: 65536 x 65536, four times the largest mosaic of sensors read as one image.
const MAX_PIXELS: u64 = 1 << 32;

/// Planes of an image; cubes of many planes are not images, yet may be read plane by plane.
const MAX_PLANES: usize = 1 << 16;

/// Bytes that a file of so many may unpack to.
pub(crate) fn most_unpacked(file_bytes: u64) -> u64 {
    file_bytes.saturating_mul(MAX_RATIO).max(FREE)
}

/// Refuses an image that unpacks to more than a file of so many bytes holds of a real frame.
///
/// # Errors
/// Damaged, with both numbers.
pub(crate) fn expect_unpacked(path: &Path, bytes: u64, file_bytes: u64) -> Result<()> {
    if bytes <= most_unpacked(file_bytes) {
        return Ok(());
    }
    let message = format!(
        "claims to unpack to {bytes} bytes from a file of {file_bytes}; no camera frame \
         compresses that well. If you do want to read it, unpack it first"
    );
    Err(Error::damaged(path, message))
}

/// Refuses an image larger than any sensor's.
///
/// # Errors
/// Damaged, with the size.
pub(crate) fn expect_size(path: &Path, size: Size, planes: usize) -> Result<()> {
    let pixels = (size.width as u64).checked_mul(size.height as u64);
    if pixels.is_some_and(|n| n <= MAX_PIXELS) && planes <= MAX_PLANES {
        return Ok(());
    }
    let message = format!(
        "claims an image of {size} with {planes} plane(s); up to {MAX_PIXELS} pixels and \
         {MAX_PLANES} planes were expected. No sensor is so large: the header is damaged"
    );
    Err(Error::damaged(path, message))
}
