//! Masters read from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_file::keyword;
use photosite_pix::{Applied, Frame, Header, Metadata};

use super::write::whole;
use crate::Result;
use crate::open::{read_frame, read_masked};
use crate::provenance::ContentHash;

/// A master read from a file.
#[derive(Debug, Clone)]
pub struct LoadedMaster {
    /// Where it lies.
    pub path: PathBuf,
    /// What it holds.
    pub hash: ContentHash,
    /// Samples, variance, mask.
    pub frame: Arc<Frame>,
    /// Its header.
    pub header: Header,
    /// The header's meaning.
    pub metadata: Metadata,
}

impl LoadedMaster {
    /// Whether the header says that the bias was taken out.
    pub fn bias_removed(&self) -> bool {
        self.metadata.applied.contains(Applied::BIAS)
    }
}

/// Reads a master, ours or another program's.
///
/// # Errors
/// When the file cannot be read.
pub fn load_master(path: &Path) -> Result<LoadedMaster> {
    load(path, read_frame)
}

/// Reads a master that a person named, and holds it against its own checksums first.
///
/// # Errors
/// When the file cannot be read, or is not what was written.
pub fn load_named(path: &Path) -> Result<LoadedMaster> {
    whole(path)?;
    load_master(path)
}

/// The same as [`load_master`] without its variance.
///
/// # Errors
/// As [`load_master`].
pub fn load_samples(path: &Path) -> Result<LoadedMaster> {
    load(path, read_masked)
}

fn load(
    path: &Path,
    read: fn(&Path) -> photosite_file::Result<(Frame, Header)>,
) -> Result<LoadedMaster> {
    let hash = ContentHash::of_file(path)?;
    let (mut frame, header) = read(path)?;
    let metadata = keyword::read(&header).metadata;
    frame.applied = metadata.applied;
    Ok(LoadedMaster { path: path.to_owned(), hash, frame: Arc::new(frame), header, metadata })
}
