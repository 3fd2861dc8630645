//! One XISF file: its XML header, its first image, and where that lies.

use std::path::Path;

use photosite_pix::{Card, Header, Size};
use xisf_core::block::Location;
use xisf_core::header::Element;
use xisf_core::image::{Image, PixelStorage, SampleFormat};
use xisf_core::{ErrorKind, Reader};

use super::cards;
use super::samples::{Encoding, XisfSource};
use crate::bytes::Bytes;
use crate::fits::{HduKind, HduSummary, header_of};
use crate::plausible::{expect_size, expect_unpacked};
use crate::{Access, Error, Probe, Result, Source};

/// Signature, length of the header, four bytes kept for later.
const PREAMBLE: usize = 16;

/// A header longer than this is taken for damage, as a FITS header is.
const MAX_HEADER_BYTES: usize = 8_000_000;

/// What the crate that parses says, as ours.
fn error(path: &Path, e: &xisf_core::Error) -> Error {
    let message = format!("XISF: {}", e.message());
    match e.kind() {
        ErrorKind::Unsupported => Error::unsupported(path, message),
        _ => Error::damaged(path, message),
    }
}

/// An XISF file with its header read.
struct XisfFile {
    bytes: Bytes,
    header: xisf_core::header::Header,
    /// Where blocks may begin.
    data_start: u64,
}

/// The image that is read.
struct Found<'a> {
    element: &'a Element,
    image: Image,
    size: Size,
    planes: usize,
    /// Where its samples stand, where they are neither packed nor written as text.
    rows_at: Option<u64>,
}

impl XisfFile {
    fn open(path: &Path) -> Result<Self> {
        let bytes = Bytes::open(path)?;
        let mut start = [0u8; PREAMBLE];
        bytes.read_exact_at(0, &mut start)?;
        let len = u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize;
        if len > MAX_HEADER_BYTES || (PREAMBLE + len) as u64 > bytes.len() {
            let message = format!(
                "the XISF header is said to have {len} bytes; the file has {}, and a header at \
                 most {MAX_HEADER_BYTES}",
                bytes.len()
            );
            return Err(Error::damaged(path, message));
        }
        let mut text = vec![0u8; len];
        bytes.read_exact_at(PREAMBLE as u64, &mut text)?;
        let text = String::from_utf8(text).map_err(|e| {
            Error::damaged(path, format!("the XISF header is not valid UTF-8: {e}"))
        })?;
        let header = xisf_core::header::parse(&text).map_err(|e| error(path, &e))?;
        Ok(Self { bytes, header, data_start: (PREAMBLE + len) as u64 })
    }

    /// The first image, its shape checked against the bytes that are there.
    fn image(&self) -> Result<Found<'_>> {
        let path = self.bytes.path();
        let images = self.header.images();
        let Some(element) = images.first().copied() else {
            return Err(Error::unsupported(path, "holds no image: its XISF header lists none"));
        };
        let image = Image::parse(element).map_err(|e| error(path, &e))?;
        let (size, planes) = shape(path, &image)?;
        let expected = image.data_size().filter(|&n| n > 0 && n < 1 << 50);
        let Some(expected) = expected else {
            return Err(Error::damaged(path, format!("an image of {size} is too large")));
        };
        if let Some(packed) = &element.data.compression
            && packed.uncompressed_size != expected
        {
            let message = format!(
                "the block unpacks to {} bytes; the image takes {expected}",
                packed.uncompressed_size
            );
            return Err(Error::damaged(path, message));
        }
        expect_size(path, size, planes)?;
        if element.data.compression.is_some() {
            expect_unpacked(path, expected, self.bytes.len())?;
        }
        let rows_at = match &element.data.location {
            Some(Location::Attachment { position, size: stored }) => {
                let end = position.checked_add(*stored);
                if *position < self.data_start || end.is_none_or(|end| end > self.bytes.len()) {
                    let message = format!(
                        "cut short: the image's block is {stored} bytes from {position}, the file \
                         has {}; copy it again from its source",
                        self.bytes.len()
                    );
                    return Err(Error::damaged(path, message));
                }
                let plain = element.data.compression.is_none();
                if plain && *stored != expected {
                    let message = format!("{stored} bytes of data found, {expected} expected");
                    return Err(Error::damaged(path, message));
                }
                plain.then_some(*position)
            }
            Some(Location::Inline { .. } | Location::Embedded { .. }) => None,
            Some(_) => {
                let message = "stores its samples in another file; save it as a single file";
                return Err(Error::unsupported(path, message));
            }
            None => return Err(Error::damaged(path, "the image has no data block")),
        };
        Ok(Found { element, image, size, planes, rows_at })
    }

    /// The header of the image as FITS cards; with what is doubtful.
    fn cards(&self, found: &Found<'_>) -> Result<(Header, Vec<String>)> {
        let image = &found.image;
        let encoding = self.encoding(found)?;
        let mut notes = Vec::new();
        let mut header = cards::read(&self.header.root, found.element, &mut notes);
        cards::complete(&mut header, &self.header, found.element, image, encoding.scale_adu());
        let bitpix = match image.sample_format {
            SampleFormat::UInt8 => 8,
            SampleFormat::UInt16 => 16,
            SampleFormat::UInt32 => 32,
            SampleFormat::UInt64 => 64,
            SampleFormat::Float64 => -64,
            _ => -32,
        };
        if bitpix > 16 {
            notes.push(format!(
                "{bitpix}-bit samples are taken as they are, not as 16 bits scaled up"
            ));
        }
        if let Some(scale) = encoding.scale_adu() {
            notes.push(format!("floating-point samples from 0 to 1 are read as ADU / {scale}"));
            header.push(Card::string("BUNIT", "adu", "scaled up on reading"));
            if header.get("SATURATE").is_none() {
                header.push(Card::real("SATURATE", scale, "[adu] upper bound of the samples"));
            }
        }
        let others = self.header.images().len() - 1;
        if others > 0 {
            notes.push(format!("the file holds {others} more image(s), which are not read"));
        }
        Ok((header_of(bitpix, found.size, found.planes, &header), notes))
    }

    fn encoding(&self, found: &Found<'_>) -> Result<Encoding> {
        let path = self.bytes.path();
        let unit =
            found.element.children_named("FITSKeyword").any(|k| k.attr("name") == Some("BUNIT"));
        let normal = found.image.bounds.is_none_or(|b| (b.low, b.high) == (0.0, 1.0)) && !unit;
        let interleaved = found.image.pixel_storage == PixelStorage::Normal;
        Encoding::new(
            found.image.sample_format,
            found.element.data.byte_order,
            normal,
            if interleaved { found.planes } else { 1 },
        )
        .ok_or_else(|| {
            let message = "holds complex numbers; an image of real samples was expected";
            Error::unsupported(path, message)
        })
    }
}

/// Width, height and planes of an image of two dimensions.
fn shape(path: &Path, image: &Image) -> Result<(Size, usize)> {
    let n = |v: u64| usize::try_from(v).ok().filter(|&v| v > 0);
    if let [w, h] = image.dimensions[..]
        && let (Some(w), Some(h), Some(planes)) = (n(w), n(h), n(image.channels))
    {
        return Ok((Size::new(w, h), planes));
    }
    let message = format!(
        "the image has the dimensions {:?} and {} channel(s); width, height and a channel were \
         expected",
        image.dimensions, image.channels
    );
    Err(Error::unsupported(path, message))
}

/// Reads the header of an XISF file, and no pixel.
pub(crate) fn probe(path: &Path) -> Result<Probe> {
    let file = XisfFile::open(path)?;
    let found = file.image()?;
    let (header, notes) = file.cards(&found)?;
    let summary = HduSummary {
        index: 0,
        name: found.image.id.clone(),
        kind: HduKind::Primary,
        size: Some(found.size),
        planes: found.planes,
        bitpix: header.get_i64("BITPIX").unwrap_or(0),
        data_bytes: found.image.data_size().unwrap_or(0),
    };
    Ok(Probe {
        format: if found.rows_at.is_some() { "XISF" } else { "XISF (packed)" },
        hdus: vec![summary],
        image: 0,
        header,
        size: found.size,
        planes: found.planes,
        access: if found.rows_at.is_some() { Access::Rows } else { Access::Whole },
        file_bytes: file.bytes.len(),
        notes,
        cut: None,
    })
}

/// Opens the first image of an XISF file.
///
/// A plain block is read row by row; a packed one, or one written as text, is unpacked now, its
/// checksum looked at where it has one.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Source>> {
    let file = XisfFile::open(path)?;
    let found = file.image()?;
    let encoding = file.encoding(&found)?;
    let (bytes, at) = match found.rows_at {
        Some(at) => (file.bytes.clone(), at),
        None => (Bytes::memory(path, unpack(&file, &found)?), 0),
    };
    Ok(Box::new(XisfSource::new(bytes, at, encoding, (found.size, found.planes))))
}

/// The samples of a packed image.
fn unpack(file: &XisfFile, found: &Found<'_>) -> Result<Vec<u8>> {
    let path = file.bytes.path();
    let len = usize::try_from(file.bytes.len()).unwrap_or(usize::MAX);
    let mut all = vec![0u8; len];
    file.bytes.read_exact_at(0, &mut all)?;
    let reader = Reader::from_bytes(all).map_err(|e| error(path, &e))?;
    let samples = reader.block(&found.element.data).map_err(|e| error(path, &e))?.into_owned();
    let expected = found.image.data_size().unwrap_or(0);
    if samples.len() as u64 != expected {
        let message = format!("{} bytes of samples found, {expected} expected", samples.len());
        return Err(Error::damaged(path, message));
    }
    Ok(samples)
}
