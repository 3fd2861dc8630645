//! What a file is, before a pixel of it is read.

use std::path::Path;

use photosite_pix::{Header, Size};

use crate::cube::OnePlane;
use crate::fits::{self, HduSummary};
use crate::keyword::{self, Samples};
use crate::magic::{Magic, raw_not_read};
use crate::{Access, Error, Result, Source, ser, tiff, xisf};

/// What the headers of a file say.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The format as people name it.
    pub format: &'static str,
    /// Every unit of the file; of a file packed as a whole, those up to the image; of other formats
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
    /// What of its frames the file breaks off before, a sentence; the others are whole.
    pub cut: Option<String>,
}

/// Names of extensions that tell of an image beside them and are no frame of their own: of
/// Photosite, ccdproc, SDFITS, IRAF and the archives.
const BESIDE: [&str; 23] = [
    "BIASERR",
    "RATE",
    "RATEERR",
    "COVAR",
    "R2",
    "DOUBLING",
    "ERR",
    "DQ",
    "COVERAGE",
    "REJLOW",
    "REJHIGH",
    "UNCERT",
    "UNCERTAINTY",
    "MASK",
    "VAR",
    "VARIANCE",
    "SIGMA",
    "WEIGHT",
    "WHT",
    "BPM",
    "THUMBNAIL",
    "PREVIEW",
    "CTX",
];

/// Whether a unit is named as an error, mask or count beside an image.
pub(crate) fn is_beside(hdu: &HduSummary) -> bool {
    hdu.name.as_ref().is_some_and(|n| BESIDE.iter().any(|b| n.eq_ignore_ascii_case(b)))
}

impl Probe {
    /// The first unit named `name`.
    pub fn named(&self, name: &str) -> Option<&HduSummary> {
        self.hdus.iter().find(|h| h.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name)))
    }

    /// The units that are frames: the image, and every other of its size, planes and storage that
    /// is no error, mask or count beside it. More than one in FITS sequences, videos and mosaics of
    /// several sensors or amplifiers, which DETSEC tells apart.
    pub fn frames(&self) -> Vec<usize> {
        let bitpix = self.hdus.iter().find(|h| h.index == self.image).map(|h| h.bitpix);
        let frame = |h: &&HduSummary| {
            h.index == self.image
                || (h.size == Some(self.size)
                    && h.planes == self.planes
                    && Some(h.bitpix) == bitpix
                    && !is_beside(h))
        };
        self.hdus.iter().filter(frame).map(|h| h.index).collect()
    }

    /// The units that are images at least half as wide and high as the frames, and none of them: of
    /// another size or storage.
    pub fn other_images(&self) -> Vec<usize> {
        let frames = self.frames();
        let large = |h: &HduSummary| {
            h.size
                .is_some_and(|s| 2 * s.width >= self.size.width && 2 * s.height >= self.size.height)
        };
        let other = |h: &&HduSummary| large(h) && !is_beside(h) && !frames.contains(&h.index);
        self.hdus.iter().filter(other).map(|h| h.index).collect()
    }

    /// How the samples are stored and what they count, as far as the header tells.
    pub fn samples(&self) -> Option<Samples> {
        keyword::samples(&self.header)
    }
}

/// Reads the headers of the image file at `path`, and no pixel.
///
/// The format is known by the first bytes, not by the name. That the data are all there is checked
/// against the size of the file, save for one packed as a whole, of which only the start is
/// unpacked.
///
/// # Errors
/// When the file is no image that is read here, is cut or breaks its format, or cannot be read.
pub fn probe(path: &Path) -> Result<Probe> {
    match Magic::of(path)? {
        magic @ (Magic::Fits | Magic::Packed(_)) => fits::probe(path, magic),
        Magic::Ser => ser::probe(path),
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
        magic @ (Magic::Fits | Magic::Packed(_)) => fits::open(path, magic, None),
        Magic::Ser => ser::open(path, 0),
        Magic::Xisf => xisf::open(path),
        Magic::Tiff => tiff::open(path, 0),
        Magic::CameraRaw => Err(raw_not_read(path)),
    }
}

/// Describes every frame of a file, one entry each, whose `image` is what [`open_image`] asks for:
/// FITS sequences, cubes, pages of a TIFF, videos. A file of one frame gives one entry, that of [`probe`].
///
/// # Errors
/// As [`probe`].
pub fn probe_frames(path: &Path) -> Result<Vec<Probe>> {
    let mut frames = match Magic::of(path)? {
        magic @ (Magic::Fits | Magic::Packed(_)) => fits::probe_frames(path, magic)?,
        Magic::Ser => ser::probe_frames(path)?,
        Magic::Tiff => tiff::probe_frames(path)?,
        _ => vec![probe(path)?],
    };
    Ok(match frames.pop() {
        Some(only) if frames.is_empty() && only.is_cube() => only.planes_apart(),
        last => frames.into_iter().chain(last).collect(),
    })
}

/// Opens the image in unit `unit` of a file, as [`Probe::image`] and [`Probe::frames`] count them;
/// else as [`open`].
///
/// # Errors
/// As [`open`], and where there is no image in that unit.
pub fn open_image(path: &Path, unit: usize) -> Result<Box<dyn Source>> {
    let whole = probe(path)?;
    if whole.is_cube() && unit < whole.planes {
        return Ok(Box::new(OnePlane { source: open(path)?, plane: unit }));
    }
    match Magic::of(path)? {
        magic @ (Magic::Fits | Magic::Packed(_)) => fits::open(path, magic, Some(unit)),
        Magic::Ser => ser::open(path, unit),
        Magic::Tiff => tiff::open(path, unit),
        _ if unit == 0 => open(path),
        _ => Err(Error::request(path, format!("has one image; that of unit {unit} was asked for"))),
    }
}
