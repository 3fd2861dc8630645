//! Whole files packed with gzip or bzip2 (`.fits.gz`, `.fits.bz2`), known by their first bytes.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;

use super::layout::{Depth, Feed, Layout, scan};
use crate::magic::Packing;
use crate::plausible::expect_unpacked;
use crate::{Error, Result};

/// Bytes unpacked at a time.
const CHUNK: usize = 64 * 1024;

/// The name of a packing.
fn name(packing: Packing) -> &'static str {
    match packing {
        Packing::Gzip => "gzip",
        Packing::Bzip2 => "bzip2",
    }
}

/// Unpacks forward, keeping what it unpacked or letting it go.
struct Unpacker {
    path: PathBuf,
    packing: Packing,
    decoder: Box<dyn Read>,
    /// What was unpacked; only the latest chunk when `keep` is false.
    held: Vec<u8>,
    /// Where `held` starts in the unpacked file.
    held_from: u64,
    keep: bool,
    ended: bool,
    /// Bytes of the packed file.
    packed: u64,
}

impl Unpacker {
    fn open(path: &Path, packing: Packing, keep: bool) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, "opening", e))?;
        let packed = file.metadata().map_err(|e| Error::io(path, "asking for the size", e))?.len();
        let file = BufReader::with_capacity(CHUNK, file);
        let decoder: Box<dyn Read> = match packing {
            Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
            Packing::Bzip2 => Box::new(MultiBzDecoder::new(file)),
        };
        Ok(Self {
            path: path.to_owned(),
            packing,
            decoder,
            held: Vec::new(),
            held_from: 0,
            keep,
            ended: false,
            packed,
        })
    }

    fn end(&self) -> u64 {
        self.held_from + self.held.len() as u64
    }

    /// Unpacks until byte `to` is reached or the file ends.
    fn advance(&mut self, to: u64) -> Result<()> {
        let mut chunk = [0u8; CHUNK];
        while self.end() < to && !self.ended {
            let want = (to - self.end()).min(CHUNK as u64) as usize;
            let n = match self.decoder.read(&mut chunk[..want]) {
                Ok(n) => n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Err(Error::damaged(
                        &self.path,
                        format!(
                            "the {} stream is truncated after {} unpacked bytes",
                            name(self.packing),
                            self.end()
                        ),
                    ));
                }
                Err(e) => {
                    let (name, end) = (name(self.packing), self.end());
                    let message = format!("the {name} stream is corrupt after {end} bytes: {e}");
                    return Err(Error::damaged(&self.path, message));
                }
            };
            self.ended = n == 0;
            if !self.keep {
                self.held_from += self.held.len() as u64;
                self.held.clear();
            }
            self.held.extend_from_slice(&chunk[..n]);
        }
        Ok(())
    }
}

impl Feed for Unpacker {
    fn path(&self) -> &Path {
        &self.path
    }

    fn fill(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        // Piece by piece, because without `keep` only the latest chunk is there.
        while done < buf.len() {
            let at = offset + done as u64;
            if at >= self.end() {
                // To the offset first, then the bytes themselves.
                self.advance(at)?;
                self.advance(at + (buf.len() - done).min(CHUNK) as u64)?;
            }
            let start = at.checked_sub(self.held_from).map(|s| s as usize);
            let Some(rest) = start.and_then(|s| self.held.get(s..)) else { break };
            if rest.is_empty() {
                break;
            }
            let n = rest.len().min(buf.len() - done);
            buf[done..done + n].copy_from_slice(&rest[..n]);
            done += n;
        }
        Ok(done)
    }

    fn promise(&mut self, end: u64) -> Result<()> {
        expect_unpacked(&self.path, end, self.packed)
    }

    fn available(&mut self, offset: u64, want: u64) -> Result<u64> {
        let end = offset.saturating_add(want);
        self.promise(end)?;
        self.advance(end)?;
        Ok(self.end().saturating_sub(offset).min(want))
    }
}

fn check_inside(unpacker: &mut Unpacker) -> Result<()> {
    let mut start = [0u8; 10];
    let n = unpacker.fill(0, &mut start)?;
    if !crate::magic::is_fits(&start[..n]) {
        let name = name(unpacker.packing);
        let message =
            format!("{name}, but its content is not a FITS file; unpack it to see what it is");
        return Err(Error::unsupported(&unpacker.path, message));
    }
    Ok(())
}

/// The layout up to the first image, unpacking no more than that takes.
pub(crate) fn probe(path: &Path, packing: Packing) -> Result<Layout> {
    let mut unpacker = Unpacker::open(path, packing, true)?;
    check_inside(&mut unpacker)?;
    // The start was looked at; from here on nothing is looked at twice.
    unpacker.keep = false;
    let mut layout = scan(&mut unpacker, Depth::FirstImage)?;
    let name = name(packing);
    layout.notes.push(format!("packed with {name}: HDUs after the image were not read"));
    Ok(layout)
}

/// Unpacks a whole file into memory: as much as its own headers ask for, never more.
pub(crate) fn unpack(path: &Path, packing: Packing) -> Result<(Vec<u8>, Layout)> {
    let mut unpacker = Unpacker::open(path, packing, true)?;
    check_inside(&mut unpacker)?;
    let layout = scan(&mut unpacker, Depth::All)?;
    Ok((unpacker.held, layout))
}
