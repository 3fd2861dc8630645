//! Which format a file is, by its first bytes; its name says nothing.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::{Error, ErrorKind, Result, ifd, ser};

/// What a file that can be read begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Magic {
    /// FITS, plain or with tile-compressed images.
    Fits,
    /// Something packed as a whole.
    Packed(Packing),
    /// SER, a video.
    Ser,
    /// XISF, header and blocks in one file.
    Xisf,
    /// TIFF that is no camera raw.
    Tiff,
    /// A camera raw file, which is read by a crate of its own.
    CameraRaw,
}

/// How a file is packed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
}

/// True for the first bytes of a FITS file: `SIMPLE  =`, the blanks not insisted upon.
pub(crate) fn is_fits(start: &[u8]) -> bool {
    start.starts_with(b"SIMPLE")
        && start[6..].iter().find(|&&b| b != b' ').is_some_and(|&b| b == b'=')
}

/// True for the first bytes of a TIFF file, BigTIFF among them.
fn is_tiff(start: &[u8]) -> bool {
    [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|s| start.starts_with(*s))
}

/// Whether a file is a camera raw file (CR2, CR3, NEF, ARW, DNG, RAF), by its first bytes and, where
/// it is built on TIFF, its directories.
///
/// # Errors
/// When it is no file that is read here, or cannot be read.
pub fn is_camera_raw(path: &Path) -> Result<bool> {
    Ok(Magic::of(path)? == Magic::CameraRaw)
}

/// Whether a file is one that is read here, by its first bytes, whatever its name; a camera raw file
/// counts.
///
/// # Errors
/// When it cannot be read, or is empty.
pub fn is_image(path: &Path) -> Result<bool> {
    match Magic::of(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::Unsupported => Ok(false),
        Err(e) => Err(e),
    }
}

/// What is said of a camera raw file where nothing is at hand that reads it.
pub(crate) fn raw_not_read(path: &Path) -> Error {
    let message = "a camera raw file; this program was built without the feature `raw`, which \
                   reads them";
    Error::unsupported(path, message)
}

/// Formats that are known by sight and not read, with what to do instead.
fn known(start: &[u8]) -> Option<&'static str> {
    Some(match start {
        s if s.starts_with(b"IIRO") || s.starts_with(b"IIU\0") => {
            "a camera raw file of a type not read (ORF, RW2); convert it to DNG or FITS"
        }
        s if s.starts_with(b"\x89PNG\r\n\x1a\n") => {
            "PNG, a display image; use the frame it was made from, as FITS"
        }
        [0xff, 0xd8, 0xff, ..] => "JPEG, a display image; use the frame it was made from, as FITS",
        [0x50, 0x4b, 3, 4, ..] => "a ZIP archive; unpack it first",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "packed with zstd; unpack it first",
        s if s.starts_with(b"XTENSION") => {
            "a FITS extension without a primary HDU; the start of the file is missing"
        }
        _ => return None,
    })
}

impl Magic {
    /// Looks at the first bytes of a file.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let meta = std::fs::metadata(path).map_err(|e| Error::io(path, "opening", e))?;
        if meta.is_dir() {
            return Err(Error::request(path, "is a folder; an image file was expected"));
        }
        if !meta.is_file() {
            // A pipe would keep us waiting for ever.
            return Err(Error::request(path, "is not a regular file; an image file was expected"));
        }
        if meta.len() == 0 {
            let message = "the file is empty (0 bytes); copy it again from its source";
            return Err(Error::damaged(path, message));
        }
        let file = File::open(path).map_err(|e| Error::io(path, "opening", e))?;
        let mut start = Vec::new();
        file.take(16).read_to_end(&mut start).map_err(|e| Error::io(path, "reading", e))?;
        if is_fits(&start) {
            return Ok(Self::Fits);
        }
        if start.starts_with(&[0x1f, 0x8b]) {
            return Ok(Self::Packed(Packing::Gzip));
        }
        if start.starts_with(b"BZh") {
            return Ok(Self::Packed(Packing::Bzip2));
        }
        if start.starts_with(ser::MAGIC) {
            return Ok(Self::Ser);
        }
        if start.starts_with(b"XISF0100") {
            return Ok(Self::Xisf);
        }
        let raw = match &start[..] {
            s if s.starts_with(b"FUJIFILM") || s.get(4..12) == Some(b"ftypcrx ") => true,
            s if is_tiff(s) => s.get(8..10) == Some(b"CR") || ifd::holds_camera_raw(path),
            _ => false,
        };
        if raw {
            return Ok(Self::CameraRaw);
        }
        if is_tiff(&start) {
            return Ok(Self::Tiff);
        }
        if start.iter().all(|&b| b == 0) {
            let message = "starts with zeros only: the file was never written to its end, as \
                           after a power cut";
            return Err(Error::damaged(path, message));
        }
        Err(Error::unsupported(path, known(&start).unwrap_or("not a known image format")))
    }
}
