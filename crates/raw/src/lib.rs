//! Camera raw files (CR2, CR3, NEF, ARW, DNG, RAF) as sources of unscaled sensor values.
//!
//! `rawler` decodes the others; it is LGPL-2.1, which is why this is a crate of its own. What it is given has
//! been looked at before: that the samples are in the file at all, that no directory names more
//! bytes than there are, that the image is of a size which the file can hold. What it panics over
//! becomes an error.
//!
//! - The image is the **whole sensor**, masked borders and all, in the camera's own numbers: no black
//!   level is subtracted, nothing is scaled. The part that sees light is TRIMSEC.
//! - `rawler` adds dither wherever it looks up a curve; such files (compressed NEF and ARW, DNG) are
//!   decoded here, to the sample as LibRaw has them.
//! - The header is made of what the camera wrote: [`probe`] lists the cards.

mod bits;
mod blocks;
mod boxes;
mod canon;
mod cards;
mod decode;
mod dng;
mod extent;
mod facts;
mod ljpeg;
mod nef;
mod raf;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_file::fits::{HduKind, HduSummary};
use photosite_file::{Access, Error, Probe, Result, Source, check_rows};
use photosite_pix::Size;
use rawler::RawImageData;

/// A file larger than this is no single exposure.
const MAX_FILE_BYTES: u64 = 1 << 30;

fn load(path: &Path) -> Result<Arc<Vec<u8>>> {
    let io = |e| Error::io(path, "reading", e);
    let len = std::fs::metadata(path).map_err(io)?.len();
    if len > MAX_FILE_BYTES {
        let message = format!("has {len} bytes; a camera raw file of 1 GiB at most was expected");
        return Err(Error::unsupported(path, message));
    }
    std::fs::read(path).map(Arc::new).map_err(io)
}

/// Endings of the names of camera raw files.
const ENDINGS: [&str; 8] = ["arw", "cr2", "cr3", "dng", "nef", "nrw", "raf", "sr2"];

/// Refuses a file that is named as a camera raw file and is none: what is left of one, such as its
/// thumbnail, must not pass for the frame.
///
/// # Errors
/// When the name ends as those of camera raws do.
pub fn expect_other_name(path: &Path) -> Result<()> {
    let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    match ending {
        Some(ending) if ENDINGS.contains(&ending.as_str()) => {
            let message = format!(
                "named .{ending} and holds no sensor image, at most a thumbnail or a picture; copy it \
                 again from the camera"
            );
            Err(Error::unsupported(path, message))
        }
        _ => Ok(()),
    }
}

/// Reads what a camera raw file says of itself, and no pixel.
///
/// The header's cards are made of it: INSTRUME (maker and model), EXPTIME, ISOSPEED, DATE-LOC, and
/// DATE-OBS where the zone is known, CCD-TEMP (Canon), FOCALLEN, BAYERPAT over the first pixel of
/// the sensor, TRIMSEC (the part that sees light), BLACK (the black level in ADU, subtracted from
/// nothing), SATURATE (the white level).
///
/// # Errors
/// When the file is no camera raw that is read here, is cut or broken, or cannot be read.
pub fn probe(path: &Path) -> Result<Probe> {
    let bytes = load(path)?;
    let facts = facts::read(path, &bytes)?;
    let header = cards::header(&facts);
    let summary = HduSummary {
        index: 0,
        name: None,
        kind: HduKind::Primary,
        size: Some(facts.size),
        planes: 1,
        bitpix: facts.bitpix,
        data_bytes: bytes.len() as u64,
    };
    Ok(Probe {
        format: facts.format,
        hdus: vec![summary],
        image: 0,
        header,
        size: facts.size,
        planes: 1,
        access: Access::Whole,
        file_bytes: bytes.len() as u64,
        notes: facts.notes,
        cut: None,
    })
}

/// Decodes a camera raw file: the whole sensor, in ADU as the camera wrote them.
///
/// # Errors
/// When the file is no camera raw that is read here, is cut or broken, or cannot be read.
pub fn open(path: &Path) -> Result<Box<dyn Source>> {
    let bytes = load(path)?;
    let facts = facts::read(path, &bytes)?;
    let data = decode::samples(path, &bytes, facts.size, &facts.samples)?;
    Ok(Box::new(RawSource { path: path.to_owned(), size: facts.size, data }))
}

/// A decoded sensor.
struct RawSource {
    path: PathBuf,
    size: Size,
    data: RawImageData,
}

impl Source for RawSource {
    fn size(&self) -> Size {
        self.size
    }

    fn planes(&self) -> usize {
        1
    }

    fn access(&self) -> Access {
        Access::Whole
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        _scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        check_rows(&self.path, (self.size, 1), plane, &rows, out.len())?;
        let wanted = rows.start * self.size.width..rows.end * self.size.width;
        match &self.data {
            RawImageData::Integer(data) => {
                for (slot, v) in out.iter_mut().zip(&data[wanted]) {
                    *slot = f32::from(*v);
                }
            }
            RawImageData::Float(data) => out.copy_from_slice(&data[wanted]),
        }
        Ok(())
    }
}
