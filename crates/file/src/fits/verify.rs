//! Whether a FITS file is the file that was written: every unit against its own sums.
//!
//! # Source
//! FITS standard 4.0, section 4.4.2.7 and appendix J (FITS4).

use std::ops::Range;
use std::path::Path;

use photosite_pix::Value;

use super::carry::EXTENSIONS;
use super::checksum::Sum;
use super::file::FitsFile;
use super::layout::{BLOCK, Hdu};
use crate::bytes::Bytes;
use crate::magic::Magic;
use crate::{Error, Result};

/// Bytes read at a time.
const CHUNK: u64 = 1 << 20;

/// What the sums of a file say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Units whose DATASUM or CHECKSUM was there and is right.
    pub right: usize,
    /// Units that carry no sum, as messages name them: nothing is known of their bytes.
    pub unsummed: Vec<String>,
}

impl Verified {
    /// True where every unit was checked, as those of every FITS file that Photosite writes are.
    pub fn is_whole(&self) -> bool {
        self.unsummed.is_empty()
    }
}

/// Reads every byte of a FITS file and compares each unit with its DATASUM and CHECKSUM; a megabyte
/// of memory is held at a time, of a packed file the whole.
///
/// # Errors
/// Damaged where a sum differs, with the unit's name, where fewer extensions follow than NEXTEND says,
/// and where the file is empty, cut short or no
/// FITS inside; Request for other formats; Io where it cannot be read.
pub fn verify(path: &Path) -> Result<Verified> {
    let file = FitsFile::open(path, Magic::of(path)?)?;
    let hdus = &file.layout.hdus;
    let promised = hdus[0].header.get_i64(EXTENSIONS);
    if let Some(n) = promised.filter(|n| *n != hdus.len() as i64 - 1) {
        let message = format!(
            "cut short: {} extension(s) found, {EXTENSIONS} says {n}; copy the file again",
            hdus.len() - 1
        );
        return Err(Error::damaged(path, message));
    }
    let mut verified = Verified::default();
    let mut start = 0;
    for hdu in hdus {
        let end = (hdu.data_offset + hdu.data_bytes).next_multiple_of(BLOCK);
        if check(file.bytes(), hdu, start..end)? {
            verified.right += 1;
        } else {
            verified.unsummed.push(hdu.label());
        }
        start = end;
    }
    Ok(verified)
}

/// The sums that a file promises of its units' data, taken as the file is read for something else.
#[derive(Debug)]
pub struct DataSums {
    /// Of each unit with a DATASUM: where its data lie, what it is called, what it says, what was summed up.
    units: Vec<(Range<u64>, String, String, Sum)>,
    /// Bytes that were taken.
    at: u64,
}

impl DataSums {
    /// The sums of the FITS file at `path`, no byte of its data read yet; `None` where it promises none,
    /// is packed as a whole, or is of another format.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read.
    pub fn promised(path: &Path) -> Result<Option<Self>> {
        let magic = Magic::of(path)?;
        if magic != Magic::Fits {
            return Ok(None);
        }
        let file = FitsFile::open(path, magic)?;
        let unit = |hdu: &Hdu| {
            let says = datasum(hdu)?;
            let data = hdu.data_offset..(hdu.data_offset + hdu.data_bytes).next_multiple_of(BLOCK);
            Some((data, hdu.label(), says, Sum::default()))
        };
        let units: Vec<_> = file.layout.hdus.iter().filter_map(unit).collect();
        Ok((!units.is_empty()).then_some(Self { units, at: 0 }))
    }

    /// Takes the next bytes of the file, from its first one on.
    pub fn add(&mut self, bytes: &[u8]) {
        let here = self.at..self.at + bytes.len() as u64;
        for (data, _, _, sum) in &mut self.units {
            let (from, to) = (data.start.max(here.start), data.end.min(here.end));
            if from < to {
                let part = (from - here.start) as usize..(to - here.start) as usize;
                sum.add((from - data.start) % 4, &bytes[part]);
            }
        }
        self.at = here.end;
    }

    /// The first unit whose data are not what its DATASUM says, once the whole file was taken: the
    /// unit's name, the sum of its data, and what it says.
    pub fn contradicted(&self) -> Option<(&str, u32, &str)> {
        let wrong = |(_, _, says, sum): &&(_, _, String, Sum)| says.parse() != Ok(sum.value());
        self.units
            .iter()
            .find(wrong)
            .map(|(_, label, says, sum)| (label.as_str(), sum.value(), says.as_str()))
    }
}

/// What a unit's DATASUM says; blank means that the sum was not computed.
fn datasum(hdu: &Hdu) -> Option<String> {
    let text = hdu.header.get_text("DATASUM")?;
    Some(text.trim().to_owned()).filter(|t| !t.is_empty())
}

/// Compares one unit with its sums; false where it has none.
fn check(bytes: &Bytes, hdu: &Hdu, unit: Range<u64>) -> Result<bool> {
    let path = bytes.path();
    let datasum = datasum(hdu);
    let checksum = hdu.header.get("CHECKSUM").is_some_and(|v| {
        matches!(&v, Value::Text(t) if !t.trim().is_empty()) || v.as_f64().is_some()
    });
    if datasum.is_none() && !checksum {
        return Ok(false);
    }
    let data = sum(bytes, hdu.data_offset..unit.end)?;
    let advice = "the file was changed or damaged after it was written";
    if let Some(text) = datasum {
        let stored: Option<u32> = text.parse().ok();
        if stored != Some(data.value()) {
            let message = format!(
                "{}: its data have the checksum {}, DATASUM says {text:?}; {advice}",
                hdu.label(),
                data.value()
            );
            return Err(Error::damaged(path, message));
        }
    }
    let mut whole = sum(bytes, unit.start..hdu.data_offset)?;
    whole.join(data);
    // All ones or all zeros: both are zero of a ones' complement.
    if checksum && !matches!(whole.value(), 0 | u32::MAX) {
        let message =
            format!("{}: header and data do not agree with CHECKSUM; {advice}", hdu.label());
        return Err(Error::damaged(path, message));
    }
    Ok(true)
}

/// The sum of a range that begins with a block; bytes beyond the end of the file are zeros.
fn sum(bytes: &Bytes, range: Range<u64>) -> Result<Sum> {
    let end = range.end.min(bytes.len());
    let mut total = Sum::default();
    let mut buffer = vec![0u8; (end.saturating_sub(range.start)).min(CHUNK) as usize];
    let mut at = range.start;
    while at < end {
        let n = (end - at).min(CHUNK) as usize;
        bytes.read_exact_at(at, &mut buffer[..n])?;
        total.add(0, &buffer[..n]);
        at += n as u64;
    }
    Ok(total)
}
