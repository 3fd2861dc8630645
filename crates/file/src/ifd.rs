//! Directories of TIFF files and of what is built on TIFF: EXIF, DNG and most camera raws.
//!
//! # Source
//! TIFF6: TIFF 6.0, section 2; TIFF/EP for sub-directories.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::bytes::Bytes;
use crate::{Error, Result};

/// More directories than any camera writes.
const MAX_DIRECTORIES: usize = 64;

/// More pages than a file of frames has.
pub const MOST_PAGES: usize = 1 << 14;

/// SubIFDs: directories of further images.
const SUB_IFDS: u16 = 330;
/// The directory of EXIF.
const EXIF_IFD: u16 = 34665;
/// The directory of a position on Earth.
const GPS_IFD: u16 = 34853;
/// A colour profile, which `rawler` takes for a directory.
const ICC_PROFILE: u16 = 34675;
/// PhotometricInterpretation.
const PHOTOMETRIC: u16 = 262;
/// DNGVersion: the file is a DNG.
pub const DNG_VERSION: u16 = 50706;

/// Where the values of one field stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    kind: u16,
    count: u64,
    at: u64,
}

impl Field {
    /// Bytes from the start of the file to the first value.
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// True for fractions, of which [`Tiff::numbers`] gives two numbers each.
    pub fn is_fraction(&self) -> bool {
        matches!(self.kind, 5 | 10)
    }

    /// Bytes of all values.
    pub fn bytes(&self) -> u64 {
        self.count * value_bytes(self.kind)
    }
}

/// Bytes a value of a field's type; unknown types count as bytes.
fn value_bytes(kind: u16) -> u64 {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 1,
    }
}

/// One directory: its fields by tag.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    fields: BTreeMap<u16, Field>,
    /// Those that name other directories, one named twice among them: readers differ in which
    /// counts.
    below: Vec<Field>,
    /// Bytes of all fields, those named twice counted twice.
    bytes: u64,
}

impl Directory {
    /// Bytes of the values of all fields together.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The field of a tag.
    pub fn field(&self, tag: u16) -> Option<Field> {
        self.fields.get(&tag).copied()
    }

    /// True where another directory is named by something else than an offset of type LONG, or a
    /// block of type UNDEFINED: readers differ in what they make of it.
    pub fn has_odd_pointers(&self) -> bool {
        self.below.iter().any(|f| !matches!(f.kind, 4 | 7))
    }
}

/// The pages of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages {
    /// How many are whole.
    pub count: usize,
    /// Why they end where they do, a sentence, where that is not their end.
    pub cut: Option<String>,
}

/// A file, or a part of one, that is laid out as TIFF.
#[derive(Clone)]
pub struct Tiff {
    bytes: Bytes,
    big_endian: bool,
    /// BigTIFF: counts and offsets of 64 bits.
    big: bool,
    /// Where the TIFF header stands, from which offsets are counted.
    base: u64,
    first: u64,
}

impl Tiff {
    /// Opens a file laid out as TIFF; none of its directories is read.
    ///
    /// # Errors
    /// When the file does not begin as a TIFF does or cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        Self::begin(Bytes::open(path)?, 0)
    }

    /// A TIFF structure that begins at byte `base` of `bytes`, which came from `path`.
    ///
    /// # Errors
    /// When no TIFF begins there.
    pub fn within(path: &Path, bytes: Arc<Vec<u8>>, base: u64) -> Result<Self> {
        Self::begin(Bytes::shared(path, bytes), base)
    }

    fn begin(bytes: Bytes, base: u64) -> Result<Self> {
        let mut start = [0u8; 16];
        let n = bytes.len().saturating_sub(base).clamp(8, 16) as usize;
        bytes.read_exact_at(base, &mut start[..n])?;
        let big_endian = start.starts_with(b"MM");
        let mut tiff = Self { bytes, big_endian, big: false, base, first: 0 };
        // The words after the byte order differ between makers; the byte order does not.
        if !big_endian && !start.starts_with(b"II") {
            return Err(tiff.damaged("it is not a TIFF file"));
        }
        tiff.big = tiff.number(&start[2..4]) == 43;
        tiff.first = tiff.number(if tiff.big { &start[8..16] } else { &start[4..8] });
        Ok(tiff)
    }

    /// Whether numbers begin with their largest byte.
    pub fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    fn path(&self) -> &Path {
        self.bytes.path()
    }

    fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::damaged(self.path(), format!("TIFF directories: {what}"))
    }

    fn number(&self, raw: &[u8]) -> u64 {
        let step = |n: u64, b: &u8| n << 8 | u64::from(*b);
        if self.big_endian { raw.iter().fold(0, step) } else { raw.iter().rev().fold(0, step) }
    }

    /// Every directory: those in line, the images below them, EXIF and GPS, each once.
    ///
    /// # Errors
    /// Damaged where a directory lies outside the file, names more bytes than the file has, is
    /// named twice, or there are more than any camera writes.
    pub fn directories(&self) -> Result<Vec<Directory>> {
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        let mut next = self.first;
        while next != 0 {
            let (directory, after) = self.visit(next, &mut seen)?;
            let mut below = Vec::new();
            for field in &directory.below {
                match field.kind {
                    // LONG or IFD.
                    4 | 13 => below.extend(self.numbers(*field, MAX_DIRECTORIES)?),
                    _ => below.push(field.at.saturating_sub(self.base)),
                }
            }
            found.push(directory);
            for offset in below {
                found.push(self.visit(offset, &mut seen)?.0);
            }
            next = after;
        }
        Ok(found)
    }

    /// The first directory alone.
    ///
    /// # Errors
    /// As those of [`Tiff::directory`].
    pub fn first_directory(&self) -> Result<Directory> {
        Ok(self.directory(self.first)?.0)
    }

    /// The whole directories that stand in line, each once, [`MOST_PAGES`] at most.
    ///
    /// # Errors
    /// As those of [`Tiff::directory`], of the first one.
    pub fn pages(&self) -> Result<Pages> {
        let mut seen = BTreeSet::from([self.first]);
        let mut next = self.directory(self.first)?.1;
        while next != 0 && seen.len() < MOST_PAGES {
            let page = seen.len() + 1;
            match self.directory(next) {
                // Sloppy writers leave a pointer to nowhere behind a single page.
                Err(_) if page == 2 => break,
                Err(_) => {
                    let why =
                        format!("page {page} lies beyond the end of the file, which is cut short");
                    return Ok(Pages { count: seen.len(), cut: Some(why) });
                }
                Ok(_) if !seen.insert(next) => {
                    let why = format!("behind page {} an earlier one follows", seen.len());
                    return Ok(Pages { count: seen.len(), cut: Some(why) });
                }
                Ok((_, after)) => next = after,
            }
        }
        Ok(Pages { count: seen.len(), cut: None })
    }

    fn visit(&self, offset: u64, seen: &mut BTreeSet<u64>) -> Result<(Directory, u64)> {
        if !seen.insert(offset) || seen.len() > MAX_DIRECTORIES {
            return Err(self.damaged(format!("there are too many, the last at byte {offset}")));
        }
        self.directory(offset)
    }

    /// The directory at `offset` from the TIFF header, with the offset of the next (0: none).
    ///
    /// # Errors
    /// Damaged where it lies outside the file or names more bytes than the file has.
    pub fn directory(&self, offset: u64) -> Result<(Directory, u64)> {
        let start = self.base.saturating_add(offset);
        // Bytes of the number of fields, of a field, and of a count or an offset.
        let (head, each, wide) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let mut count = vec![0u8; head];
        self.bytes.read_exact_at(start, &mut count)?;
        let count = self.number(&count);
        let first = start.saturating_add(head as u64);
        let there = self.bytes.len().saturating_sub(first);
        if there / (each as u64) < count {
            return Err(self.damaged(format!("the one at byte {start} is truncated")));
        }
        let fields = count as usize * each;
        let mut raw = vec![0u8; fields + wide];
        // The offset of the next may be missing at the end of a file.
        let n = raw.len().min(there as usize);
        self.bytes.read_exact_at(first, &mut raw[..n])?;
        let mut directory = Directory::default();
        for (i, field) in raw[..fields].chunks_exact(each).enumerate() {
            let tag = self.number(&field[..2]) as u16;
            let kind = self.number(&field[2..4]) as u16;
            let count = self.number(&field[4..4 + wide]);
            let bytes = count.saturating_mul(value_bytes(kind));
            if bytes > self.bytes.len() {
                return Err(self.damaged(format!(
                    "field {tag} at byte {start} has {bytes} bytes; the file has {}",
                    self.bytes.len()
                )));
            }
            let at = if bytes <= wide as u64 {
                first + (i * each + 4 + wide) as u64
            } else {
                self.base.saturating_add(self.number(&field[4 + wide..]))
            };
            let field = Field { kind, count, at };
            directory.bytes = directory.bytes.saturating_add(bytes);
            if matches!(tag, SUB_IFDS | EXIF_IFD | GPS_IFD | ICC_PROFILE) {
                directory.below.push(field);
            }
            directory.fields.entry(tag).or_insert(field);
        }
        Ok((directory, self.number(&raw[fields..])))
    }

    /// The whole numbers of a field, at most `limit` of them; of fractions, numerators and
    /// denominators in turn.
    ///
    /// # Errors
    /// When they lie outside the file.
    pub fn numbers(&self, field: Field, limit: usize) -> Result<Vec<u64>> {
        let each = if field.is_fraction() { 4 } else { value_bytes(field.kind) as usize };
        let count = (field.bytes() as usize / each).min(limit);
        let mut raw = vec![0u8; count * each];
        self.bytes.read_exact_at(field.at, &mut raw)?;
        Ok(raw.chunks_exact(each).map(|b| self.number(b)).collect())
    }

    /// The first number of a tag.
    pub fn first(&self, directory: &Directory, tag: u16) -> Option<u64> {
        self.numbers(directory.field(tag)?, 1).ok()?.first().copied()
    }

    /// The text of a tag, up to its NUL, blanks trimmed.
    pub fn text(&self, directory: &Directory, tag: u16) -> Option<String> {
        let raw = self.numbers(directory.field(tag)?, 1024).ok()?;
        let text: String =
            raw.iter().take_while(|&&b| b != 0).map(|&b| char::from(b as u8)).collect();
        Some(text.trim().to_owned())
    }
}

/// True for a directory whose samples come straight from a sensor.
///
/// # Source
/// TIFF6: 32803 is a colour filter array (TIFF/EP), 34892 LinearRaw (DNG 1.7).
pub fn is_sensor_image(tiff: &Tiff, directory: &Directory) -> bool {
    matches!(tiff.first(directory, PHOTOMETRIC), Some(32803 | 34892))
}

/// Whether a file that begins as TIFF does is a camera raw file.
pub(crate) fn holds_camera_raw(path: &Path) -> bool {
    let look = || -> Result<bool> {
        let tiff = Tiff::open(path)?;
        let all = tiff.directories()?;
        Ok(all.iter().any(|d| d.field(DNG_VERSION).is_some() || is_sensor_image(&tiff, d)))
    };
    look().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiff(bytes: Vec<u8>) -> Result<Vec<Directory>> {
        Tiff::within(Path::new("x.tif"), Arc::new(bytes), 0)?.directories()
    }

    #[test]
    fn directories_that_go_in_circles_or_lie_outside() {
        // One directory of one field, whose next is itself.
        let mut bytes = b"II*\0\x08\0\0\0\x01\0".to_vec();
        bytes.extend([6, 1, 3, 0, 1, 0, 0, 0, 0x23, 0x80, 0, 0]);
        bytes.extend([8, 0, 0, 0]);
        assert!(tiff(bytes.clone()).is_err());
        bytes[22] = 0;
        let found = tiff(bytes.clone()).unwrap();
        assert_eq!(found[0].field(PHOTOMETRIC).map(|f| f.bytes()), Some(2));
        let count = bytes.len();
        for cut in 0..count - 4 {
            assert!(tiff(bytes[..cut].to_vec()).is_err(), "{cut}");
        }
        // A field of four thousand million values.
        bytes[14..18].fill(0xff);
        assert!(tiff(bytes).is_err());
    }
}
