//! What a file is, before a pixel of it is read.

use std::path::Path;

use photosite_pix::{Header, Size};

use crate::fits::{self, HduSummary};
use crate::keyword::{self, Samples};
use crate::magic::{Magic, raw_not_read};
use crate::{Access, Result, Source, tiff, xisf};

/// What the headers of a file say.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The format as people name it.
    pub format: &'static str,
    /// Every unit of the file; of a file packed with gzip, those up to the image; of other formats
    /// than FITS, its images.
    pub hdus: Vec<HduSummary>,
    /// Which of `hdus` holds the image.
    pub image: usize,
    /// The header of the image. Where the image stands in an extension: the primary's cards, then
    /// the extension's, which win; compression keywords are left out, and BITPIX and NAXIS are
    /// those of the image.
    pub header: Header,
    /// Width and height of the image in pixels.
    pub size: Size,
    /// Planes of that size: 1 for a raw frame.
    pub planes: usize,
    /// What reading a range of rows will cost.
    pub access: Access,
    /// Size of the file on disk in bytes.
    pub file_bytes: u64,
    /// Oddities that do not keep the file from being read, one sentence each.
    pub notes: Vec<String>,
}

impl Probe {
    /// How the samples are stored and what they count, as far as the header tells.
    pub fn samples(&self) -> Option<Samples> {
        keyword::samples(&self.header)
    }
}

/// Reads the headers of the image file at `path`, and no pixel.
///
/// The format is known by the first bytes, not by the name. That the data are all there is checked
/// against the size of the file, save for one packed with gzip, of which only the start is
/// unpacked.
///
/// # Errors
/// When the file is no image that is read here, is cut or breaks its format, or cannot be read.
pub fn probe(path: &Path) -> Result<Probe> {
    match Magic::of(path)? {
        magic @ (Magic::Fits | Magic::Gzip) => fits::probe(path, magic),
        Magic::Xisf => xisf::probe(path),
        Magic::Tiff => tiff::probe(path),
        Magic::CameraRaw => Err(raw_not_read(path)),
    }
}

/// Opens the image of the file at `path`: the primary's, or where that has no pixels the first
/// extension's.
///
/// A plain file is read row by row as it is asked for; a packed one is unpacked now, into memory.
///
/// # Errors
/// When the file is no image that is read here, is cut or breaks its format, or cannot be read.
pub fn open(path: &Path) -> Result<Box<dyn Source>> {
    match Magic::of(path)? {
        magic @ (Magic::Fits | Magic::Gzip) => fits::open(path, magic),
        Magic::Xisf => xisf::open(path),
        Magic::Tiff => tiff::open(path),
        Magic::CameraRaw => Err(raw_not_read(path)),
    }
}
