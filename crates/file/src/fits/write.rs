//! Writing FITS: laid out at the start, filled in any order, in place only when whole.
//!
//! # Source
//! FITS standard 4.0, sections 3 to 5 and 7.3 (FITS4).

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use photosite_pix::{Card, Header, MaskBits, Size};

use super::carry::{EXTENSIONS, carried};
use super::checksum::{self, Sum};
use super::layout::BLOCK;
use super::table::Table;
use crate::atomic::{Existing, Pending, write_error};
use crate::{Error, Result, platform};

/// How the samples of an image are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sample {
    /// 32-bit floating point, as they are: signed, NaN where nothing is known.
    F32,
    /// 16 bits without sign, for programs that read nothing else: `pedestal_adu` is added (and
    /// written down as PEDESTAL), the sum rounded half to even and clipped to 0..65535; NaN
    /// becomes 0.
    U16 {
        /// What is added before rounding, in the unit of the samples.
        pedestal_adu: f32,
    },
    /// Mask bits as 16-bit numbers without sign; as 32-bit numbers in the first extension after an
    /// image of 16 bits, which Siril would take for a second image of a sequence.
    Mask,
}

/// One image to be written.
#[derive(Debug, Clone)]
pub struct ImageSpec {
    /// EXTNAME.
    pub name: Option<String>,
    /// Width and height in pixels.
    pub size: Size,
    /// Planes of that size; 1 makes an image of two axes.
    pub planes: usize,
    /// How samples are stored.
    pub sample: Sample,
    /// Cards to carry along to the byte. Those that describe the layout are dropped and written
    /// anew; a byte that no FITS header may hold becomes `?`, a NUL becomes a blank.
    pub header: Header,
}

/// Samples that a 16-bit image could not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clipped {
    /// Below 0, written as 0.
    pub below: u64,
    /// Above 65535, written as 65535.
    pub above: u64,
    /// NaN, written as 0.
    pub blank: u64,
    /// Outside the fixed bounds of a floating-point XISF, or outside 0 to 1 where that range was
    /// asked for; kept as they are, and cut off by programs that heed the bounds.
    pub beyond: u64,
}

impl Clipped {
    /// Adds the counts of another part.
    pub(crate) fn add(&mut self, other: Self) {
        self.below += other.below;
        self.above += other.above;
        self.blank += other.blank;
        self.beyond += other.beyond;
    }
}

/// What is gathered about one image while it is written.
struct Progress {
    sum: Sum,
    rows: Vec<bool>,
    clipped: Clipped,
}

struct Unit {
    header: Vec<u8>,
    header_offset: u64,
    data_offset: u64,
    size: Size,
    planes: usize,
    sample: Option<Sample>,
    /// A mask of 32 bits.
    wide: bool,
    progress: Mutex<Progress>,
}

/// A FITS file in the making; dropped before [`FitsWriter::finish`] it leaves nothing behind.
pub struct FitsWriter {
    pending: Pending,
    units: Vec<Unit>,
}

/// Samples encoded and written at a time.
const CHUNK_SAMPLES: usize = 64 * 1024;

/// A value as 16 bits without sign: rounded half to even, clipped, NaN as 0.
///
/// Added to 1.5 x 2^52 a number keeps no fraction and stands in the lowest bits. Rounding and
/// casting by name take library calls on the oldest processors, for which we compile, and took
/// most of the time of a write.
fn rounded(v: f64) -> u16 {
    const NO_FRACTION: f64 = 6_755_399_441_055_744.0;
    // Written so that NaN falls to 0.
    let v = if v > 0.0 { v } else { 0.0 };
    let v = if v < 65535.0 { v } else { 65535.0 };
    (v + NO_FRACTION).to_bits() as u16
}

/// A sample with its pedestal as 16 bits; what they cannot hold is counted.
pub(crate) fn as_u16(v: f32, pedestal_adu: f32, clipped: &mut Clipped) -> u16 {
    let value = f64::from(v) + f64::from(pedestal_adu);
    // What rounds to less than 0 or more than 65535.
    clipped.below += u64::from(value < -0.5);
    clipped.above += u64::from(value >= 65535.5);
    clipped.blank += u64::from(value.is_nan());
    rounded(value)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Plain sums and flags: a writer that panicked leaves rows unmarked, which finish notices.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The header of an image as it will be written, checksums still open.
fn image_header(spec: &ImageSpec, first: bool, extensions: usize, bits: i64) -> Header {
    let mut h = Header::new();
    if first {
        h.push(Card::logical("SIMPLE", true, "FITS standard 4.0"));
    } else {
        h.push(Card::string("XTENSION", "IMAGE", "image extension"));
    }
    h.push(Card::integer("BITPIX", bits, "bits a sample"));
    h.push(Card::integer("NAXIS", if spec.planes == 1 { 2 } else { 3 }, "axes"));
    h.push(Card::integer("NAXIS1", spec.size.width as i64, "columns"));
    h.push(Card::integer("NAXIS2", spec.size.height as i64, "rows"));
    if spec.planes != 1 {
        h.push(Card::integer("NAXIS3", spec.planes as i64, "planes"));
    }
    if !first {
        h.push(Card::integer("PCOUNT", 0, ""));
        h.push(Card::integer("GCOUNT", 1, ""));
    } else if extensions > 0 {
        h.push(Card::logical("EXTEND", true, "extensions follow"));
        h.push(Card::integer(EXTENSIONS, extensions as i64, "how many"));
    }
    if bits == 16 {
        h.push(Card::integer("BZERO", 32768, "physical = BZERO + BSCALE x stored"));
        h.push(Card::integer("BSCALE", 1, ""));
    }
    if let Some(name) = &spec.name {
        h.set_text("EXTNAME", name, "");
    }
    let mut rest = carried(&spec.header);
    if spec.name.is_some() {
        rest.remove("EXTNAME");
    }
    if let Sample::U16 { pedestal_adu } = spec.sample {
        // Without one of ours, that of the samples as they came stays true.
        if pedestal_adu == 0.0 && rest.get("PEDESTAL").is_some() {
            for card in rest.cards() {
                h.push(*card);
            }
            return h;
        }
        rest.remove("PEDESTAL");
        let comment = "to be subtracted from every sample";
        h.push(Card::real("PEDESTAL", f64::from(pedestal_adu), comment));
    }
    for card in rest.cards() {
        h.push(*card);
    }
    h
}

/// A header as bytes, padded, with room for the checksums and END at its end.
fn header_bytes(mut header: Header) -> Vec<u8> {
    header.push(Card::string("CHECKSUM", &"0".repeat(16), "whole unit"));
    header.push(Card::string("DATASUM", "0", "data"));
    let mut bytes: Vec<u8> = header.cards().iter().flat_map(|c| *c.as_bytes()).collect();
    bytes.extend_from_slice(b"END");
    bytes.resize(bytes.len().next_multiple_of(BLOCK as usize), b' ');
    bytes
}

/// Puts both sums into a header made by [`header_bytes`].
fn seal(header: &mut [u8], data: Sum) {
    let end =
        header.chunks_exact(80).position(|c| c.starts_with(b"END ")).expect("END was written");
    let datasum = Card::string("DATASUM", &data.value().to_string(), "data");
    header[(end - 1) * 80..end * 80].copy_from_slice(datasum.as_bytes());
    let mut total = data;
    total.add(0, header);
    let at = (end - 2) * 80 + 11;
    header[at..at + 16].copy_from_slice(&checksum::encode(total.value()));
}

impl FitsWriter {
    /// Lays out a file: the first image is the primary, the others are IMAGE extensions, then come
    /// the tables, which are written at once.
    ///
    /// Parent folders are made. The file grows under a hidden name and stands at `path` only after
    /// [`FitsWriter::finish`].
    ///
    /// # Errors
    /// When there is no image, one has no pixels, a table's columns differ in length, the file
    /// exists and `existing` refuses, or the operating system refuses.
    pub fn create(
        path: &Path,
        specs: Vec<ImageSpec>,
        tables: Vec<Table>,
        existing: Existing,
    ) -> Result<Self> {
        let Some(_) = specs.first() else {
            return Err(Error::request(path, "a FITS file needs at least one image"));
        };
        let extensions = specs.len() + tables.len() - 1;
        let mut units = Vec::new();
        let mut offset = 0u64;
        for (i, spec) in specs.iter().enumerate() {
            let after_u16 = i == 1 && matches!(specs[0].sample, Sample::U16 { .. });
            let bits: i64 = match spec.sample {
                Sample::F32 => -32,
                Sample::Mask if after_u16 => 32,
                Sample::Mask | Sample::U16 { .. } => 16,
            };
            let each = bits.unsigned_abs() / 8;
            let data = (spec.size.width as u64)
                .checked_mul(spec.size.height as u64)
                .and_then(|n| n.checked_mul(spec.planes as u64))
                .and_then(|n| n.checked_mul(each))
                .filter(|&n| n > 0 && n < 1 << 50);
            let Some(data) = data else {
                let message = format!("image {i} is {} with {} plane(s)", spec.size, spec.planes);
                return Err(Error::request(path, format!("{message}; that cannot be written")));
            };
            let header = header_bytes(image_header(spec, i == 0, extensions, bits));
            let data_offset = offset + header.len() as u64;
            let progress = Progress {
                sum: Sum::default(),
                rows: vec![false; spec.size.height * spec.planes],
                clipped: Clipped::default(),
            };
            units.push(Unit {
                header,
                header_offset: offset,
                data_offset,
                size: spec.size,
                planes: spec.planes,
                sample: Some(spec.sample),
                wide: bits == 32,
                progress: Mutex::new(progress),
            });
            offset = data_offset + data.next_multiple_of(BLOCK);
        }
        let mut blocks = Vec::new();
        for table in tables {
            let (header, mut data) = table.encode(path)?;
            let header = header_bytes(header);
            let data_offset = offset + header.len() as u64;
            data.resize(data.len().next_multiple_of(BLOCK as usize), 0);
            let mut sum = Sum::default();
            sum.add(0, &data);
            let progress = Progress { sum, rows: Vec::new(), clipped: Clipped::default() };
            units.push(Unit {
                header,
                header_offset: offset,
                data_offset,
                size: Size::new(0, 0),
                planes: 0,
                sample: None,
                wide: false,
                progress: Mutex::new(progress),
            });
            offset = data_offset + data.len() as u64;
            blocks.push((data_offset, data));
        }
        let pending = Pending::create(path, existing)?;
        // Padding is zeros, and so is what grows here.
        pending.file().set_len(offset).map_err(|e| write_error(path, "making room", e))?;
        let writer = Self { pending, units };
        for (offset, data) in blocks {
            writer.put(offset, &data)?;
        }
        Ok(writer)
    }

    fn put(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        platform::write_all_at(self.pending.file(), bytes, offset)
            .map_err(|e| write_error(self.pending.target(), "writing", e))
    }

    /// The unit, after checking that whole rows fit there; with the number of rows.
    fn target(
        &self,
        hdu: usize,
        plane: usize,
        y0: usize,
        samples: usize,
        mask: bool,
    ) -> Result<(&Unit, usize)> {
        let path = self.pending.target();
        let unit = self.units.get(hdu).filter(|u| u.sample.is_some());
        let Some(unit) = unit else {
            return Err(Error::request(path, format!("image {hdu} was not laid out")));
        };
        if mask != (unit.sample == Some(Sample::Mask)) {
            let (given, laid) = if mask { ("mask", "samples") } else { ("sample", "a mask") };
            let message = format!("{given} rows were given for image {hdu}, laid out for {laid}");
            return Err(Error::request(path, message));
        }
        let rows = samples / unit.size.width;
        let whole = samples.is_multiple_of(unit.size.width);
        if !whole
            || plane >= unit.planes
            || y0.checked_add(rows).is_none_or(|y| y > unit.size.height)
        {
            let message = format!(
                "{samples} samples from row {y0} of plane {plane} do not fit image {hdu} of {}",
                unit.size
            );
            return Err(Error::request(path, message));
        }
        Ok((unit, rows))
    }

    /// Writes whole rows from `y0` of `plane` of image `hdu`; each row once, in any order, from
    /// several threads if need be.
    ///
    /// NaN is kept by [`Sample::F32`] and becomes 0 in [`Sample::U16`]; what a 16-bit image cannot
    /// hold is clipped and counted.
    ///
    /// # Errors
    /// When the rows are not part of the image or were written before, or the disk is full.
    pub fn write_rows(
        &self,
        hdu: usize,
        plane: usize,
        y0: usize,
        samples: &[f32],
    ) -> Result<Clipped> {
        let (unit, rows) = self.target(hdu, plane, y0, samples.len(), false)?;
        let mut clipped = Clipped::default();
        match unit.sample {
            Some(Sample::U16 { pedestal_adu }) => {
                self.write_unit(unit, plane, (y0, rows), samples, |part, raw: &mut [[u8; 2]]| {
                    for (slot, &v) in raw.iter_mut().zip(part) {
                        // Flipping the top bit takes off BZERO.
                        *slot = (as_u16(v, pedestal_adu, &mut clipped) ^ 0x8000).to_be_bytes();
                    }
                })?;
            }
            _ => {
                self.write_unit(unit, plane, (y0, rows), samples, |part, raw: &mut [[u8; 4]]| {
                    for (slot, v) in raw.iter_mut().zip(part) {
                        *slot = v.to_be_bytes();
                    }
                })?
            }
        }
        lock(&unit.progress).clipped.add(clipped);
        Ok(clipped)
    }

    /// Writes whole rows of mask bits from `y0` of `plane` of image `hdu`, under the rules of
    /// [`FitsWriter::write_rows`].
    ///
    /// # Errors
    /// When the rows are not part of the image or were written before, or the disk is full.
    pub fn write_mask_rows(
        &self,
        hdu: usize,
        plane: usize,
        y0: usize,
        bits: &[MaskBits],
    ) -> Result<()> {
        let (unit, rows) = self.target(hdu, plane, y0, bits.len(), true)?;
        if unit.wide {
            return self.write_unit(unit, plane, (y0, rows), bits, |part, raw: &mut [[u8; 4]]| {
                for (slot, v) in raw.iter_mut().zip(part) {
                    *slot = u32::from(v.bits()).to_be_bytes();
                }
            });
        }
        self.write_unit(unit, plane, (y0, rows), bits, |part, raw: &mut [[u8; 2]]| {
            for (slot, v) in raw.iter_mut().zip(part) {
                *slot = (v.bits() ^ 0x8000).to_be_bytes();
            }
        })
    }

    fn write_unit<T, const N: usize>(
        &self,
        unit: &Unit,
        plane: usize,
        (y0, rows): (usize, usize),
        samples: &[T],
        mut encode: impl FnMut(&[T], &mut [[u8; N]]),
    ) -> Result<()> {
        let row = plane * unit.size.height + y0;
        {
            let mut progress = lock(&unit.progress);
            let marks = &mut progress.rows[row..row + rows];
            if let Some(twice) = marks.iter().position(|&done| done) {
                // The checksum is gathered as rows come; a second time would falsify it.
                let message = format!("row {} of plane {plane} was written before", y0 + twice);
                return Err(Error::request(self.pending.target(), message));
            }
            marks.fill(true);
        }
        let mut within = (row * unit.size.width * N) as u64;
        let mut sum = Sum::default();
        let mut raw = vec![[0u8; N]; samples.len().min(CHUNK_SAMPLES)];
        for part in samples.chunks(CHUNK_SAMPLES) {
            let raw = &mut raw[..part.len()];
            encode(part, raw);
            let bytes = raw.as_flattened();
            sum.add(within, bytes);
            self.put(unit.data_offset + within, bytes)?;
            within += bytes.len() as u64;
        }
        lock(&unit.progress).sum.join(sum);
        Ok(())
    }

    /// Brings what was written so far to the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self) -> Result<()> {
        let synced = self.pending.file().sync_data();
        synced.map_err(|e| write_error(self.pending.target(), "syncing the file", e))
    }

    /// Writes headers and checksums, syncs, and gives the file its name; says for each image what
    /// was clipped.
    ///
    /// # Errors
    /// When a row was never written, the disk is full, or the file has appeared meanwhile and is
    /// not to be replaced. Nothing is left behind then.
    pub fn finish(mut self) -> Result<Vec<Clipped>> {
        let mut clipped = Vec::new();
        let mut headers = Vec::new();
        for (i, unit) in self.units.iter_mut().enumerate() {
            let progress = unit.progress.get_mut().unwrap_or_else(PoisonError::into_inner);
            if let Some(row) = progress.rows.iter().position(|&done| !done) {
                let (plane, y) = (row / unit.size.height, row % unit.size.height);
                let message = format!("row {y} of plane {plane} of image {i} was never written");
                return Err(Error::request(self.pending.target(), message));
            }
            seal(&mut unit.header, progress.sum);
            if unit.sample.is_some() {
                clipped.push(progress.clipped);
            }
            headers.push((unit.header_offset, std::mem::take(&mut unit.header)));
        }
        for (offset, header) in headers {
            self.put(offset, &header)?;
        }
        self.pending.finish()?;
        Ok(clipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rounding_is_that_of_ieee(v in -1e5f64..1e5, half in -1000i32..140_000) {
            for v in [v, f64::from(half) / 2.0] {
                prop_assert_eq!(rounded(v), v.round_ties_even() as u16, "{}", v);
                prop_assert_eq!(v < -0.5, v.round_ties_even() < 0.0);
                prop_assert_eq!(v >= 65535.5, v.round_ties_even() > 65535.0);
            }
        }
    }

    #[test]
    fn what_is_no_number() {
        let all = [f64::NAN, f64::NEG_INFINITY, f64::INFINITY, -0.0, f64::MAX, f64::MIN_POSITIVE];
        assert_eq!(all.map(rounded), [0, 0, 65535, 0, 65535, 0]);
    }
}
