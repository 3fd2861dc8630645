//! What a FITS file holds, learnt from its headers alone.
//!
//! # Source
//! FITS standard 4.0, sections 3 and 4.4 (FITS4); tile-compressed images: section 10.1.

use std::path::Path;

use photosite_pix::{Card, Header, Size, Value};
use serde::Serialize;

use crate::bytes::Bytes;
use crate::plausible::expect_size;
use crate::{Error, Result};

/// The unit in which FITS files are laid out, in bytes.
pub(crate) const BLOCK: u64 = 2880;

/// A header longer than this (100,000 cards) is taken for damage.
const MAX_HEADER_BYTES: u64 = 8_000_000;

/// More units than a file of frames has: each is held in memory while the file is open.
const MAX_UNITS: usize = 20_000;

/// What a header and data unit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HduKind {
    /// The primary unit, with or without pixels.
    Primary,
    /// An IMAGE extension.
    Image,
    /// An image compressed tile by tile inside a binary table.
    CompressedImage,
    /// A binary table.
    BinaryTable,
    /// A table of text.
    AsciiTable,
    /// Anything else, random groups among it.
    Other,
}

/// One header and data unit.
#[derive(Debug, Clone)]
pub struct Hdu {
    /// 0 for the primary.
    pub index: usize,
    /// EXTNAME, where it is given.
    pub name: Option<String>,
    /// What it holds.
    pub kind: HduKind,
    /// Every card as it stands in the file, without END.
    pub header: Header,
    /// Width and height in pixels, where it holds an image of two or three axes.
    pub size: Option<Size>,
    /// Planes of that size; 0 where there is no such image.
    pub planes: usize,
    /// Bits a sample, negative for floating point; of the image when it is compressed.
    pub bitpix: i64,
    /// Axes of the image, as the header gives them.
    pub axes: Vec<u64>,
    /// Where the data start, in bytes from the start of the file.
    pub data_offset: u64,
    /// Length of the data in bytes, padding left out.
    pub data_bytes: u64,
}

/// What can be said of an [`Hdu`] in a line or in JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HduSummary {
    /// 0 for the primary.
    pub index: usize,
    /// EXTNAME, where it is given.
    pub name: Option<String>,
    /// What it holds.
    pub kind: HduKind,
    /// Width and height in pixels, where it holds an image.
    pub size: Option<Size>,
    /// Planes of that size; 0 where there is no image.
    pub planes: usize,
    /// Bits a sample, negative for floating point.
    pub bitpix: i64,
    /// Length of the data in bytes, padding left out.
    pub data_bytes: u64,
}

impl Hdu {
    /// The unit without its header.
    pub fn summary(&self) -> HduSummary {
        HduSummary {
            index: self.index,
            name: self.name.clone(),
            kind: self.kind,
            size: self.size,
            planes: self.planes,
            bitpix: self.bitpix,
            data_bytes: self.data_bytes,
        }
    }

    /// True where the unit holds an image with pixels, of whatever shape.
    pub(crate) fn has_pixels(&self) -> bool {
        matches!(self.kind, HduKind::Primary | HduKind::Image | HduKind::CompressedImage)
            && !self.axes.is_empty()
            && self.axes.iter().all(|&n| n > 0)
    }

    /// True where another unit holds the same picture, twice as large or more.
    fn is_preview_of(&self, other: &Self) -> bool {
        let Some((small, large)) = self.size.zip(other.size).filter(|_| other.has_pixels()) else {
            return false;
        };
        let times = large.width / small.width.max(1);
        // Rows and columns that do not fill a pixel of the preview are cut off, or make one more.
        let fits = |small: usize, large: usize| {
            (small.saturating_sub(1) * times..=(small + 1) * times).contains(&large)
        };
        times >= 2
            && self.planes == other.planes
            && fits(small.width, large.width)
            && fits(small.height, large.height)
    }

    /// How messages name the unit.
    pub(crate) fn label(&self) -> String {
        match (&self.name, self.index) {
            (_, 0) => "the primary image".to_owned(),
            (Some(name), i) => format!("extension {i} ({name})"),
            (None, i) => format!("extension {i}"),
        }
    }
}

/// The units of one file.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Every unit, the primary first.
    pub hdus: Vec<Hdu>,
    /// Oddities that do not keep the file from being read, one sentence each.
    pub notes: Vec<String>,
}

/// Where header bytes come from.
pub(crate) trait Feed {
    fn path(&self) -> &Path;
    /// Fills `buf` from `offset` as far as there are bytes; says how many there were.
    fn fill(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize>;
    /// Refuses a header that asks for bytes up to `end`, where that cannot be true.
    fn promise(&mut self, _end: u64) -> Result<()> {
        Ok(())
    }
    /// How many of the `want` bytes from `offset` are there.
    fn available(&mut self, offset: u64, want: u64) -> Result<u64>;
}

impl Feed for &Bytes {
    fn path(&self) -> &Path {
        Bytes::path(self)
    }

    fn fill(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let left = self.len().saturating_sub(offset);
        let n = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.read_exact_at(offset, &mut buf[..n])?;
        Ok(n)
    }

    fn available(&mut self, offset: u64, want: u64) -> Result<u64> {
        Ok(self.len().saturating_sub(offset).min(want))
    }
}

/// How far to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Every unit, and whether its data are all there.
    All,
    /// Up to the header of the first unit with pixels.
    FirstImage,
}

/// Reads the headers of a file.
pub(crate) fn scan(feed: &mut dyn Feed, depth: Depth) -> Result<Layout> {
    let path = feed.path().to_owned();
    let mut layout = Layout { hdus: Vec::new(), notes: Vec::new() };
    let mut offset = 0u64;
    loop {
        let index = layout.hdus.len();
        if index > MAX_UNITS {
            let message = format!("holds more than {MAX_UNITS} HDUs; no frame file has that many");
            return Err(Error::damaged(&path, message));
        }
        if index > 0 {
            let mut start = [0u8; 80];
            let n = feed.fill(offset, &mut start)?;
            if n == 0 {
                break;
            }
            if !start[..n].starts_with(b"XTENSION") {
                if start[..n].iter().any(|&b| b != 0) {
                    let note = format!("bytes after the last HDU, from byte {offset}, are ignored");
                    layout.notes.push(note);
                }
                break;
            }
        }
        let (header, data_offset) = read_header(feed, &path, index, offset, &mut layout.notes)?;
        let hdu = describe(&path, index, header, data_offset, &mut layout.notes)?;
        let (kind, pixels, bytes, label) =
            (hdu.kind, hdu.has_pixels(), hdu.data_bytes, hdu.label());
        layout.hdus.push(hdu);
        feed.promise(data_offset.saturating_add(bytes))?;
        if depth == Depth::FirstImage && pixels {
            break;
        }
        let found = feed.available(data_offset, bytes)?;
        if found < bytes {
            let what = if kind == HduKind::Primary && !pixels { "the data" } else { &label };
            let message = format!(
                "cut short in {what}: {found} bytes of data found, {bytes} expected; copy the \
                 file again from its source"
            );
            return Err(Error::damaged(&path, message));
        }
        let Some(next) = bytes
            .checked_next_multiple_of(BLOCK)
            .and_then(|padded| data_offset.checked_add(padded))
        else {
            break;
        };
        let padding = next - data_offset - bytes;
        if padding > 0 && feed.available(data_offset + bytes, padding)? < padding {
            layout
                .notes
                .push(format!("the last block is not padded to {BLOCK} bytes; all data are there"));
            break;
        }
        offset = next;
    }
    Ok(layout)
}

/// Reads one header block by block; gives it with the offset of the data after it.
fn read_header(
    feed: &mut dyn Feed,
    path: &Path,
    index: usize,
    start: u64,
    notes: &mut Vec<String>,
) -> Result<(Header, u64)> {
    let mut cards = Vec::new();
    let mut block = [0u8; BLOCK as usize];
    let mut read = 0u64;
    loop {
        let n = feed.fill(start + read, &mut block)?;
        read += n as u64;
        for bytes in block[..n].chunks_exact(80) {
            let card = Card::from_bytes(bytes.try_into().expect("chunks of 80 bytes"));
            if card.is_end() {
                if n < block.len() {
                    notes.push(format!("the header of HDU {index} is not padded to {BLOCK} bytes"));
                }
                let end = start + read.next_multiple_of(BLOCK);
                return Ok((Header::from_cards(cards), end));
            }
            cards.push(card);
        }
        if n < block.len() {
            let message = format!(
                "the header of HDU {index} does not end: {read} bytes found and no END card; the \
                 file is truncated or not FITS"
            );
            return Err(Error::damaged(path, message));
        }
        if read > MAX_HEADER_BYTES {
            let message = format!(
                "the header of HDU {index} does not end within {MAX_HEADER_BYTES} bytes; an END \
                 card was expected"
            );
            return Err(Error::damaged(path, message));
        }
    }
}

/// A whole number that the header must have.
fn need(path: &Path, index: usize, header: &Header, key: &str) -> Result<i64> {
    header.get_i64(key).ok_or_else(|| {
        let found = match header.get(key) {
            None => "is missing".to_owned(),
            Some(v) => format!("is {v:?}"),
        };
        Error::damaged(path, format!("{key} {found} in HDU {index}; a whole number was expected"))
    })
}

/// The axes named `{prefix}1`, `{prefix}2`, ...
fn axes(path: &Path, index: usize, header: &Header, prefix: &str) -> Result<Vec<u64>> {
    let count = need(path, index, header, prefix)?;
    // FITS 4.0, section 4.4.1: NAXIS is at most 999.
    if !(0..=999).contains(&count) {
        let message = format!("{prefix} is {count} in HDU {index}; 0 to 999 was expected");
        return Err(Error::damaged(path, message));
    }
    (1..=count)
        .map(|i| {
            let key = format!("{prefix}{i}");
            let n = need(path, index, header, &key)?;
            u64::try_from(n).map_err(|_| {
                let message = format!("{key} is {n} in HDU {index}; 0 or more was expected");
                Error::damaged(path, message)
            })
        })
        .collect()
}

/// Bytes a sample for a BITPIX that FITS knows.
pub(crate) fn sample_bytes(bitpix: i64) -> Option<usize> {
    matches!(bitpix, 8 | 16 | 32 | 64 | -32 | -64).then_some((bitpix.unsigned_abs() / 8) as usize)
}

fn describe(
    path: &Path,
    index: usize,
    header: Header,
    data_offset: u64,
    notes: &mut Vec<String>,
) -> Result<Hdu> {
    let mut bitpix = need(path, index, &header, "BITPIX")?;
    let Some(bytes) = sample_bytes(bitpix) else {
        let message =
            format!("BITPIX is {bitpix} in HDU {index}; 8, 16, 32, 64, -32 or -64 was expected");
        return Err(Error::damaged(path, message));
    };
    let mut shape = axes(path, index, &header, "NAXIS")?;
    if index == 0 && header.get("SIMPLE").is_some_and(|v| v == Value::Logical(false)) {
        notes.push("SIMPLE is F: the file does not conform to the FITS standard".to_owned());
    }
    let flag = |key: &str| header.get(key).and_then(|v| v.as_bool()) == Some(true);
    let groups = index == 0 && shape.first() == Some(&0) && flag("GROUPS");
    let kind = if index == 0 {
        if groups { HduKind::Other } else { HduKind::Primary }
    } else {
        match header.get_text("XTENSION").as_deref() {
            Some("IMAGE" | "IUEIMAGE") => HduKind::Image,
            Some("BINTABLE" | "A3DTABLE") if flag("ZIMAGE") => HduKind::CompressedImage,
            Some("BINTABLE" | "A3DTABLE") => HduKind::BinaryTable,
            Some("TABLE") => HduKind::AsciiTable,
            _ => HduKind::Other,
        }
    };
    let count = |key: &str, default: i64| -> Result<u64> {
        let n = header.get_i64(key).unwrap_or(default);
        u64::try_from(n).map_err(|_| {
            Error::damaged(path, format!("{key} is {n} in HDU {index}; 0 or more was expected"))
        })
    };
    // A primary image has neither; some writers put stray values there.
    let (pcount, gcount) =
        if index == 0 && !groups { (0, 1) } else { (count("PCOUNT", 0)?, count("GCOUNT", 1)?) };
    let counted = if groups { &shape[1..] } else { &shape[..] };
    let data_bytes = if shape.is_empty() {
        Some(0)
    } else {
        counted
            .iter()
            .try_fold(1u64, |n, &axis| n.checked_mul(axis))
            .and_then(|n| n.checked_add(pcount))
            .and_then(|n| n.checked_mul(gcount.max(1)))
            .and_then(|n| n.checked_mul(bytes as u64))
            .filter(|&n| n < 1 << 62)
    };
    let data_bytes = data_bytes.ok_or_else(|| {
        let message = format!("the axes {shape:?} of HDU {index} are too large");
        Error::damaged(path, message)
    })?;
    if kind == HduKind::CompressedImage {
        bitpix = need(path, index, &header, "ZBITPIX")?;
        shape = axes(path, index, &header, "ZNAXIS")?;
    }
    let pixels = matches!(kind, HduKind::Primary | HduKind::Image | HduKind::CompressedImage);
    let (size, planes) = match (pixels, image_shape(&shape)) {
        (true, Some((size, planes))) => (Some(size), planes),
        _ => (None, 0),
    };
    let name = header.get_text("EXTNAME");
    if !pixels {
        shape.clear();
    }
    Ok(Hdu {
        index,
        name,
        kind,
        header,
        size,
        planes,
        bitpix,
        axes: shape,
        data_offset,
        data_bytes,
    })
}

/// Width, height and planes of axes that make an image; axes beyond the third must be 1 long.
fn image_shape(axes: &[u64]) -> Option<(Size, usize)> {
    let fit = |n: u64| usize::try_from(n).ok().filter(|&n| n > 0);
    let (&width, &height) = (axes.first()?, axes.get(1)?);
    let size = Size::new(fit(width)?, fit(height)?);
    let planes = fit(axes.get(2).copied().unwrap_or(1))?;
    let flat = axes.iter().skip(3).all(|&n| n == 1);
    let countable = size.width.checked_mul(size.height)?.checked_mul(planes).is_some();
    (flat && countable).then_some((size, planes))
}

/// The word and the number of a unit that is called so, as `CHIP2`.
pub(super) fn number_of(hdu: &Hdu) -> Option<(String, u32)> {
    let name = hdu.name.as_deref()?.trim();
    let word = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[word.len()..].parse().ok()?;
    (!word.is_empty()).then(|| (word.to_lowercase(), number))
}

/// Images whose names are one word with a number each, by these numbers: programs write them in one order or another.
/// Others stay as they stand.
pub(super) fn by_number(images: Vec<&Hdu>) -> Vec<&Hdu> {
    let numbers: Option<Vec<(String, u32)>> = images.iter().map(|h| number_of(h)).collect();
    let Some(numbers) = numbers else { return images };
    if numbers.windows(2).any(|pair| pair[0].0 != pair[1].0) {
        return images;
    }
    let mut all: Vec<(u32, &Hdu)> = numbers.into_iter().map(|(_, n)| n).zip(images).collect();
    all.sort_by_key(|(number, hdu)| (*number, hdu.index));
    all.into_iter().map(|(_, hdu)| hdu).collect()
}

impl Layout {
    /// The unit whose image the file is about: the primary, or where that has no pixels, or is a preview of an
    /// extension, the first extension with an image; of `CHIP1` and `CHIP2` the one with the least number.
    ///
    /// # Errors
    /// Unsupported where there is no image of two or three axes.
    pub fn image(&self, path: &Path) -> Result<&Hdu> {
        let first = self.hdus.iter().find(|h| h.has_pixels());
        // A preview may stand before the image that it is of.
        let whole = first.and_then(|first| self.hdus.iter().find(|h| first.is_preview_of(h)));
        let Some(hdu) = whole.or(first) else {
            let kinds: Vec<String> =
                self.hdus.iter().skip(1).map(|h| format!("{} ({:?})", h.label(), h.kind)).collect();
            let held = if kinds.is_empty() { "nothing else".to_owned() } else { kinds.join(", ") };
            let message = format!("holds no image: the primary has no pixels, then {held}");
            return Err(Error::unsupported(path, message));
        };
        let Some(size) = hdu.size else {
            let message = format!(
                "{} has the axes {:?}; an image of 2 axes, or 3 for planes, was expected",
                hdu.label(),
                hdu.axes
            );
            return Err(Error::unsupported(path, message));
        };
        expect_size(path, size, hdu.planes)?;
        if number_of(hdu).is_none() {
            return Ok(hdu);
        }
        let like = |h: &&Hdu| {
            (h.size, h.planes, h.bitpix) == (hdu.size, hdu.planes, hdu.bitpix) && h.has_pixels()
        };
        Ok(by_number(self.hdus.iter().filter(like).collect()).first().copied().unwrap_or(hdu))
    }

    /// The first unit named `name`.
    pub fn named(&self, name: &str) -> Option<&Hdu> {
        self.hdus.iter().find(|h| h.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A unit of `cards`, with `data` bytes after it, all padded.
    fn unit(cards: &[&str], data: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for card in cards.iter().chain([&"END"]) {
            bytes.extend_from_slice(format!("{card:<80}").as_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(BLOCK as usize), b' ');
        bytes.resize((bytes.len() + data).next_multiple_of(BLOCK as usize), 0);
        bytes
    }

    fn layout(bytes: &[u8]) -> Result<Layout> {
        scan(&mut &Bytes::memory(Path::new("x.fits"), bytes.to_vec()), Depth::All)
    }

    fn image(cards: &[&str], data: usize) -> Result<(Option<Size>, usize)> {
        let layout = layout(&unit(cards, data))?;
        layout.image(Path::new("x.fits")).map(|h| (h.size, h.planes))
    }

    #[test]
    fn shapes() {
        let with =
            |naxis: &[&str], data| image(&[&["SIMPLE  = T", "BITPIX  = 8"], naxis].concat(), data);
        let two = ["NAXIS   = 2", "NAXIS1  = 5", "NAXIS2  = 4"];
        assert_eq!(with(&two, 20).unwrap(), (Some(Size::new(5, 4)), 1));
        let three = ["NAXIS   = 3.", "NAXIS1  = 5", "NAXIS2  = '4'", "NAXIS3  = 3"];
        assert_eq!(with(&three, 60).unwrap(), (Some(Size::new(5, 4)), 3));
        for (naxis, word) in [
            (&["NAXIS   = 0"][..], "no image"),
            (&["NAXIS   = 1", "NAXIS1  = 5"], "2 axes"),
            (&["NAXIS   = 2", "NAXIS1  = 5", "NAXIS2  = 0"], "no image"),
            (&["NAXIS   = 2", "NAXIS1  = 5", "NAXIS2  = -4"], "0 or more"),
            (&["NAXIS   = 2", "NAXIS1  = 5"], "NAXIS2 is missing"),
            (&["NAXIS   = 1000"], "0 to 999"),
            (&["NAXIS   = 2", "NAXIS1  = 4294967296", "NAXIS2  = 4294967296"], "too large"),
            (&["NAXIS   = 2", "NAXIS1  = 500", "NAXIS2  = 400"], "200000 expected"),
            (
                &["NAXIS   = 4", "NAXIS1  = 1", "NAXIS2  = 1", "NAXIS3  = 1", "NAXIS4  = 2"],
                "2 axes",
            ),
        ] {
            let e = with(naxis, 20).unwrap_err();
            assert!(e.message().contains(word), "{naxis:?}: {}", e.message());
        }
        let groups = [
            "SIMPLE  = T",
            "BITPIX  = 16",
            "NAXIS   = 2",
            "NAXIS1  = 0",
            "NAXIS2  = 10",
            "GROUPS  = T",
            "PCOUNT  = 3",
            "GCOUNT  = 7",
        ];
        let found = layout(&unit(&groups, 182)).unwrap();
        assert_eq!((found.hdus[0].kind, found.hdus[0].data_bytes), (HduKind::Other, 182));
    }

    #[test]
    fn many_units_and_a_cut_one() {
        let mut bytes = unit(&["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0", "NULPAD  = 1"], 0);
        let table = [
            "XTENSION= 'BINTABLE'",
            "BITPIX  = 8",
            "NAXIS   = 2",
            "NAXIS1  = 3",
            "NAXIS2  = 2",
            "PCOUNT  = 5",
            "GCOUNT  = 1",
            "TFIELDS = 1",
            "EXTNAME = 'T'",
        ];
        bytes.extend(unit(&table, 11));
        bytes.extend(unit(
            &[
                "XTENSION= 'IMAGE'",
                "BITPIX  = -32",
                "NAXIS   = 2",
                "NAXIS1  = 3",
                "NAXIS2  = 2",
                "PCOUNT  = 0",
                "GCOUNT  = 1",
            ],
            24,
        ));
        let found = layout(&bytes).unwrap();
        let kinds: Vec<_> = found.hdus.iter().map(|h| h.kind).collect();
        assert_eq!(kinds, [HduKind::Primary, HduKind::BinaryTable, HduKind::Image]);
        assert_eq!(found.hdus[1].data_bytes, 11);
        assert_eq!(found.image(Path::new("x")).unwrap().index, 2);
        assert!(found.named("t").is_some() && found.notes.is_empty());
        let cut = layout(&bytes[..bytes.len() - 2860]).unwrap_err();
        assert!(cut.message().contains("20 bytes of data found, 24 expected"), "{cut}");
        let cut = layout(&bytes[..2880 * 3 + 100]).unwrap_err();
        assert!(cut.message().contains("HDU 2 does not end"), "{cut}");
    }

    #[test]
    fn a_header_without_end_is_given_up() {
        let mut bytes = unit(&["SIMPLE  = T"], 0);
        bytes[80] = b'X';
        bytes.resize(MAX_HEADER_BYTES as usize + 10_000, b' ');
        assert!(layout(&bytes).unwrap_err().message().contains("does not end within"));
    }
}
