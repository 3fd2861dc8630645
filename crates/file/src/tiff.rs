//! TIFF: grey or RGB samples, 8 to 64 bits, whole or floating point, in strips or tiles.
//!
//! - Samples are values as they are, on both ways: floating point is not taken to run from 0 to 1
//!   and not scaled to it, unless that was asked for; a card then says so, and they come back as ADU.
//! - What is written holds the header's cards in its ImageDescription, a line each, and is read
//!   back with them. Other TIFFs say nothing of how a frame was taken.
//!
//! # Source
//! TIFF6: TIFF 6.0; samples that are no 8-bit numbers by SampleFormat, section 19.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ::tiff::decoder::{ChunkType, Decoder, DecodingResult, Limits};
use ::tiff::encoder::colortype::{ColorType as Pixel, Gray16, Gray32Float, RGB16, RGB32Float};
use ::tiff::encoder::{TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard, TiffValue};
use ::tiff::tags::Tag;
use ::tiff::{ColorType, TiffError};
use photosite_pix::{Card, Header, Size};

use crate::atomic::{Existing, Pending, write_error};
use crate::export::{UNIT_KEYWORD, scaled_up};
use crate::fits::{Clipped, HduKind, HduSummary, Sample, as_u16, carried, header_of};
use crate::plausible::{expect_size, most_unpacked};
use crate::source::check_rows;
use crate::{Access, Error, Probe, Result, Source, ifd};

/// Files from here on are written as BigTIFF: offsets of 32 bits end at 4 GiB.
const BIG: u64 = 0xf000_0000;
/// Rows of a strip written.
const STRIP: usize = 64;
/// The line that cards begin with in a description.
const FIRST_LINE: &str = "SIMPLE  =";

fn error(path: &Path, e: TiffError) -> Error {
    match e {
        TiffError::IoError(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
            Error::io(path, "reading", e)
        }
        TiffError::UnsupportedError(e) => Error::unsupported(path, format!("TIFF: {e}")),
        e => Error::damaged(path, format!("TIFF: {e}")),
    }
}

/// A TIFF with the directory of one page read.
struct Opened {
    decoder: Decoder<BufReader<File>>,
    size: Size,
    planes: usize,
    bitpix: i64,
    /// Columns and rows of a strip or tile.
    chunk: Size,
    file_bytes: u64,
}

fn open_file(path: &Path, page: usize) -> Result<Opened> {
    let (mut decoder, _) = begin(path)?;
    if page > 0 {
        decoder.seek_to_image(page).map_err(|e| error(path, e))?;
    }
    opened(path, decoder)
}

/// A decoder at the first page of a file, and its pages.
fn begin(path: &Path) -> Result<(Decoder<BufReader<File>>, ifd::Pages)> {
    // The decoder asks for the memory of a field before it looks whether the file has as much.
    let pages = ifd::Tiff::open(path)?.pages()?;
    let file = File::open(path).map_err(|e| Error::io(path, "opening", e))?;
    Ok((Decoder::new(BufReader::new(file)).map_err(|e| error(path, e))?, pages))
}

/// The page at which a decoder stands.
fn opened(path: &Path, mut decoder: Decoder<BufReader<File>>) -> Result<Opened> {
    let file_bytes =
        std::fs::metadata(path).map_err(|e| Error::io(path, "asking for the size", e))?.len();
    let fail = |e| error(path, e);
    let (width, height) = decoder.dimensions().map_err(fail)?;
    let size = Size::new(width as usize, height as usize);
    let (planes, bits) = match decoder.colortype().map_err(fail)? {
        ColorType::Gray(bits) => (1, bits),
        ColorType::RGB(bits) => (3, bits),
        other => {
            let message = format!("a TIFF of {other:?}; grey or RGB samples were expected");
            return Err(Error::unsupported(path, message));
        }
    };
    let number = |decoder: &mut Decoder<_>, tag, default| {
        decoder.find_tag_unsigned::<u32>(tag).ok().flatten().unwrap_or(default)
    };
    if planes > 1 && number(&mut decoder, Tag::PlanarConfiguration, 1) != 1 {
        let message = "an RGB TIFF with separate colour planes; only interleaved samples are read";
        return Err(Error::unsupported(path, message));
    }
    // SampleFormat: 1 whole numbers, 2 with sign, 3 floating point.
    let format = decoder.find_tag_unsigned_vec::<u16>(Tag::SampleFormat).ok().flatten();
    let format = format.and_then(|f| f.first().copied()).unwrap_or(1);
    let bitpix = match (format, bits) {
        (1, 8 | 16 | 32 | 64) => i64::from(bits),
        (3, 32 | 64) => -i64::from(bits),
        // Their values fit floating point.
        (2, 8 | 16 | 32) => -32,
        _ => {
            let message = format!("a TIFF of {bits}-bit samples of format {format}, not read here");
            return Err(Error::unsupported(path, message));
        }
    };
    expect_size(path, size, planes)?;
    let (w, h) = decoder.chunk_dimensions();
    let chunk = Size::new(w as usize, (h as usize).min(size.height));
    let bytes =
        (size.pixels() as u64).saturating_mul(planes as u64).saturating_mul(u64::from(bits) / 8);
    // 1 is "not compressed".
    let plain = number(&mut decoder, Tag::Compression, 1) == 1;
    let limit = if plain { file_bytes } else { most_unpacked(file_bytes) };
    if bytes == 0 || bytes > limit || chunk.pixels() == 0 {
        let message = format!(
            "an image of {size} with {planes} plane(s) takes {bytes} bytes; the file has \
             {file_bytes}; copy it again from its source"
        );
        return Err(Error::damaged(path, message));
    }
    // A tile is stored whole, however little of it is image; a strip ends with the image.
    let tall = match decoder.get_chunk_type() {
        ChunkType::Tile => u64::from(h),
        ChunkType::Strip => chunk.height as u64,
    };
    let most = u64::from(w)
        .saturating_mul(tall)
        .saturating_mul(planes as u64)
        .saturating_mul(u64::from(bits) / 8);
    if most > limit {
        let message = format!("tiles of {w}x{h} are more than the file can hold");
        return Err(Error::damaged(path, message));
    }
    let mut limits = Limits::default();
    limits.decoding_buffer_size = most as usize;
    limits.intermediate_buffer_size = most as usize;
    let decoder = decoder.with_limits(limits);
    Ok(Opened { decoder, size, planes, bitpix, chunk, file_bytes })
}

impl Opened {
    fn access(&self) -> Access {
        // One strip for the whole image would be unpacked for every few rows of it.
        if self.chunk.height * 8 <= self.size.height || self.chunk.height <= STRIP {
            Access::Rows
        } else {
            Access::Whole
        }
    }
}

/// Describes the first page of a TIFF file; no pixel is read.
pub(crate) fn probe(path: &Path) -> Result<Probe> {
    Ok(first_of(&probe_pages(path)?))
}

/// Describes every page that is a frame as the first is.
pub(crate) fn probe_frames(path: &Path) -> Result<Vec<Probe>> {
    let pages = probe_pages(path)?;
    let first = first_of(&pages);
    let frames = first.frames();
    if frames.len() == 1 {
        return Ok(vec![first]);
    }
    Ok(pages.into_iter().filter(|page| frames.contains(&page.image)).collect())
}

/// The first page, with what the others are.
fn first_of(pages: &[Probe]) -> Probe {
    let mut first = pages[0].clone();
    if pages.len() > 1 {
        first.notes.push(format!("holds {} pages; the first is described", pages.len()));
        first.hdus.extend(pages[1..].iter().flat_map(|page| page.hdus.clone()));
    }
    first
}

/// Describes every page that can be read, the first in any case; one without cards has those of the first.
fn probe_pages(path: &Path) -> Result<Vec<Probe>> {
    let (decoder, ifd::Pages { count, mut cut }) = begin(path)?;
    let mut file = opened(path, decoder)?;
    let text = file.decoder.get_tag_ascii_string(Tag::ImageDescription).unwrap_or_default();
    let of_first = cards(&text);
    let mut out = vec![describe(0, &mut file, of_first.clone())];
    let mut decoder = file.decoder;
    for page in 1..count {
        if let Err(e) = decoder.next_image() {
            cut = cut.or_else(|| Some(format!("page {} cannot be read: {e}", page + 1)));
            break;
        }
        let text = decoder.get_tag_ascii_string(Tag::ImageDescription).unwrap_or_default();
        let own = cards(&text);
        let own = if own.cards().is_empty() { of_first.clone() } else { own };
        // A page that is not read here is none of the frames; the decoder stands at it all the same.
        match opened(path, decoder) {
            Ok(mut file) => {
                out.push(describe(page, &mut file, own));
                decoder = file.decoder;
            }
            Err(_) => {
                decoder = begin(path)?.0;
                decoder.seek_to_image(page).map_err(|e| error(path, e))?;
            }
        }
    }
    out[0].cut = cut;
    Ok(out)
}

/// Describes a page by its cards.
fn describe(page: usize, file: &mut Opened, cards: Header) -> Probe {
    let mut notes = Vec::new();
    if cards.cards().is_empty() {
        notes.push("TIFF does not record how the frame was taken".to_owned());
    }
    let mut header = cards;
    if header.get(UNIT_KEYWORD).is_some() {
        // The samples are given in ADU.
        header.remove(UNIT_KEYWORD);
        header.set(Card::string("BUNIT", "adu", "scaled up on reading"));
        notes.push("floating-point samples from 0 to 1 are read as ADU / 65535".to_owned());
    }
    if header.get("ROWORDER").is_none() {
        header.push(Card::string("ROWORDER", "TOP-DOWN", "as TIFF has it"));
    }
    let summary = HduSummary {
        index: page,
        name: None,
        kind: if page == 0 { HduKind::Primary } else { HduKind::Image },
        size: Some(file.size),
        planes: file.planes,
        bitpix: file.bitpix,
        data_bytes: file.file_bytes,
    };
    Probe {
        format: "TIFF",
        hdus: vec![summary],
        image: page,
        header: header_of(file.bitpix, file.size, file.planes, &header),
        size: file.size,
        planes: file.planes,
        access: file.access(),
        file_bytes: file.file_bytes,
        notes,
        cut: None,
    }
}

/// The cards in a description that was written here.
fn cards(text: &str) -> Header {
    let mut header = Header::new();
    if text.starts_with(FIRST_LINE) {
        for line in text.lines() {
            let mut bytes = [b' '; 80];
            for (slot, c) in bytes.iter_mut().zip(line.bytes()) {
                *slot = c;
            }
            header.push(Card::from_bytes(bytes));
        }
    }
    header
}

/// Opens one page of a TIFF file.
pub(crate) fn open(path: &Path, page: usize) -> Result<Box<dyn Source>> {
    let mut file = open_file(path, page)?;
    let text = file.decoder.get_tag_ascii_string(Tag::ImageDescription).unwrap_or_default();
    let scaled = file.bitpix < 0 && cards(&text).get(UNIT_KEYWORD).is_some();
    let access = file.access();
    let Opened { decoder, size, planes, chunk, .. } = file;
    let band = Mutex::new(Band { decoder, index: None, samples: Vec::new() });
    Ok(Box::new(TiffSource { path: path.to_owned(), size, planes, chunk, access, scaled, band }))
}

/// The rows that were unpacked last: those of one line of strips or tiles.
struct Band {
    decoder: Decoder<BufReader<File>>,
    index: Option<usize>,
    /// Whole rows, planes interleaved.
    samples: Vec<f32>,
}

struct TiffSource {
    path: PathBuf,
    size: Size,
    planes: usize,
    chunk: Size,
    access: Access,
    /// Samples are scaled up to ADU.
    scaled: bool,
    band: Mutex<Band>,
}

impl TiffSource {
    /// Unpacks line `index` of strips or tiles.
    fn unpack(&self, band: &mut Band, index: usize) -> Result<()> {
        band.index = None;
        let (width, planes) = (self.size.width, self.planes);
        let across = width.div_ceil(self.chunk.width);
        let rows = self.chunk.height.min(self.size.height - index * self.chunk.height);
        band.samples.clear();
        band.samples.resize(rows * width * planes, 0.0);
        for column in 0..across {
            let number = u32::try_from(index * across + column)
                .map_err(|_| Error::damaged(&self.path, "a TIFF of too many tiles"))?;
            let read = band.decoder.read_chunk(number).map_err(|e| error(&self.path, e))?;
            let (w, h) = band.decoder.chunk_data_dimensions(number);
            let (w, h) = (w as usize, h as usize);
            let values = values(&read)
                .filter(|v| v.len() >= w * h * planes && h >= rows && w <= width)
                .ok_or_else(|| Error::damaged(&self.path, "a strip of a TIFF is too short"))?;
            let x0 = column * self.chunk.width;
            for (y, row) in values.chunks_exact(w * planes).take(rows).enumerate() {
                let start = (y * width + x0) * planes;
                let end = start + w.min(width - x0) * planes;
                band.samples[start..end].copy_from_slice(&row[..end - start]);
            }
        }
        if self.scaled {
            band.samples.iter_mut().for_each(|v| *v = scaled_up(*v));
        }
        band.index = Some(index);
        Ok(())
    }
}

/// Decoded samples as floating point; `None` for half precision.
fn values(read: &DecodingResult) -> Option<Vec<f32>> {
    Some(match read {
        DecodingResult::U8(v) => v.iter().map(|v| f32::from(*v)).collect(),
        DecodingResult::U16(v) => v.iter().map(|v| f32::from(*v)).collect(),
        DecodingResult::U32(v) => v.iter().map(|v| *v as f32).collect(),
        DecodingResult::U64(v) => v.iter().map(|v| *v as f32).collect(),
        DecodingResult::I8(v) => v.iter().map(|v| f32::from(*v)).collect(),
        DecodingResult::I16(v) => v.iter().map(|v| f32::from(*v)).collect(),
        DecodingResult::I32(v) => v.iter().map(|v| *v as f32).collect(),
        DecodingResult::I64(v) => v.iter().map(|v| *v as f32).collect(),
        DecodingResult::F32(v) => v.clone(),
        DecodingResult::F64(v) => v.iter().map(|v| *v as f32).collect(),
        DecodingResult::F16(_) => return None,
    })
}

impl Source for TiffSource {
    fn size(&self) -> Size {
        self.size
    }

    fn planes(&self) -> usize {
        self.planes
    }

    fn access(&self) -> Access {
        self.access
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        _scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        check_rows(&self.path, (self.size, self.planes), plane, &rows, out.len())?;
        // What a panic in the decoder could leave half done is unpacked anew.
        let mut band = self.band.lock().unwrap_or_else(PoisonError::into_inner);
        let wide = self.size.width * self.planes;
        for (to, y) in out.chunks_exact_mut(self.size.width).zip(rows) {
            let index = y / self.chunk.height;
            if band.index != Some(index) {
                self.unpack(&mut band, index)?;
            }
            let start = (y - index * self.chunk.height) * wide + plane;
            let from = band.samples[start..].iter().step_by(self.planes);
            to.iter_mut().zip(from).for_each(|(slot, v)| *slot = *v);
        }
        Ok(())
    }
}

/// Writes one image: grey for one plane, RGB for three.
pub(crate) fn write(
    path: &Path,
    source: &dyn Source,
    header: &Header,
    sample: Sample,
    existing: Existing,
) -> Result<Clipped> {
    let each = if sample == Sample::F32 { 4 } else { 2 };
    let bytes = source.size().pixels() as u64 * source.planes() as u64 * each;
    if bytes < BIG {
        write_kind::<TiffKindStandard>(path, source, header, sample, existing)
    } else {
        write_kind::<TiffKindBig>(path, source, header, sample, existing)
    }
}

fn write_kind<K: TiffKind>(
    path: &Path,
    source: &dyn Source,
    header: &Header,
    sample: Sample,
    existing: Existing,
) -> Result<Clipped> {
    let mut clipped = Clipped::default();
    let pending = Pending::create(path, existing)?;
    let mut out = BufWriter::new(pending.file());
    let job = Job { path, source, header };
    match (source.planes(), sample) {
        (1, Sample::F32) => job.write::<Gray32Float, K, _>(&mut out, |v| v)?,
        (3, Sample::F32) => job.write::<RGB32Float, K, _>(&mut out, |v| v)?,
        (1, Sample::U16 { pedestal_adu }) => {
            job.write::<Gray16, K, _>(&mut out, |v| as_u16(v, pedestal_adu, &mut clipped))?;
        }
        (3, Sample::U16 { pedestal_adu }) => {
            job.write::<RGB16, K, _>(&mut out, |v| as_u16(v, pedestal_adu, &mut clipped))?;
        }
        (n, _) => {
            let message = format!("an image of {n} planes; TIFF files are written with 1 or 3");
            return Err(Error::request(path, message));
        }
    }
    out.flush().map_err(|e| write_error(path, "writing", e))?;
    drop(out);
    pending.finish()?;
    Ok(clipped)
}

/// What is written.
struct Job<'a> {
    path: &'a Path,
    source: &'a dyn Source,
    header: &'a Header,
}

impl Job<'_> {
    fn write<P: Pixel, K: TiffKind, W: Write + Seek>(
        &self,
        out: W,
        mut value: impl FnMut(f32) -> P::Inner,
    ) -> Result<()>
    where
        [P::Inner]: TiffValue,
    {
        let fail = |e: TiffError| match e {
            TiffError::IoError(e) => write_error(self.path, "writing", e),
            e => Error::request(self.path, format!("cannot be written as TIFF: {e}")),
        };
        let (size, planes) = (self.source.size(), self.source.planes());
        let side = |n: usize| {
            u32::try_from(n).map_err(|_| Error::request(self.path, "too large for a TIFF"))
        };
        let mut encoder = TiffEncoder::<W, K>::new_generic(out).map_err(fail)?;
        let mut image =
            encoder.new_image::<P>(side(size.width)?, side(size.height)?).map_err(fail)?;
        image.rows_per_strip(STRIP as u32).map_err(fail)?;
        let text = description(self.header);
        image.encoder().write_tag(Tag::ImageDescription, text.as_str()).map_err(fail)?;
        image.encoder().write_tag(Tag::Software, "Photosite").map_err(fail)?;
        let (mut raw, mut strip) = (Vec::new(), Vec::new());
        let mut rows = vec![vec![0.0f32; STRIP.min(size.height) * size.width]; planes];
        for y0 in (0..size.height).step_by(STRIP) {
            let y1 = (y0 + STRIP).min(size.height);
            let n = (y1 - y0) * size.width;
            for (plane, rows) in rows.iter_mut().enumerate() {
                self.source.read_rows(plane, y0..y1, &mut raw, &mut rows[..n])?;
            }
            strip.clear();
            strip.extend((0..n).flat_map(|i| rows.iter().map(move |r| r[i])).map(&mut value));
            image.write_strip(&strip).map_err(fail)?;
        }
        image.finish().map_err(fail)
    }
}

/// The cards a line each, behind the one by which they are known.
fn description(header: &Header) -> String {
    let mut text = format!("{FIRST_LINE}                    T");
    for card in carried(header).cards() {
        text.push('\n');
        text.push_str(card.text().trim_end());
    }
    text
}
