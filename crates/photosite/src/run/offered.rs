//! A light that is offered to a stack: a calibrated file, or a raw one that is calibrated as it is
//! read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_file::{Source, keyword};
use photosite_pix::{Frame, Header, Metadata, Size};

use super::Masters;
use super::lights::{LightRequest, LightResult, calibrate_in_memory};
use crate::Result;
use crate::calibrate::CalibratedSource;
use crate::open::{open, open_mask, probe, read_masked};
use crate::provenance::{ContentHash, Input};
use crate::raw::{Handling, RawFrame, Reopened};
use crate::stack::{Masked, ReadBuffers};

/// A light that is offered to a stack.
#[derive(Debug, Clone)]
pub struct Offered {
    /// Where it lies.
    pub path: PathBuf,
    /// What it holds.
    pub hash: ContentHash,
    /// Width and height.
    pub size: Size,
    /// Planes of that size.
    pub planes: usize,
    from: Origin,
}

/// Where its calibrated samples come from.
#[derive(Debug, Clone)]
enum Origin {
    /// They are in the file.
    File,
    /// They are made of the raw ones whenever they are read.
    Raw(Box<RawLight>),
}

/// A raw light and what calibrates it.
#[derive(Debug, Clone)]
struct RawLight {
    frame: RawFrame,
    masters: Arc<Masters>,
}

/// A light in memory.
pub(super) struct Opened {
    /// Samples and mask, without a variance.
    pub frame: Frame,
    /// The header of the calibrated light.
    pub header: Header,
    /// The header's meaning.
    pub metadata: Metadata,
    /// How it was calibrated, where that was done here.
    pub calibrated: Option<LightResult>,
}

impl Offered {
    /// A light that is calibrated.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn file(path: &Path) -> Result<Self> {
        let hash = ContentHash::of_file(path)?;
        let probe = probe(path)?;
        let (size, planes) = (probe.size, probe.planes);
        Ok(Self { path: path.to_owned(), hash, size, planes, from: Origin::File })
    }

    /// A raw light and the masters for it.
    pub fn raw(frame: &RawFrame, masters: Arc<Masters>) -> Self {
        let raw = RawLight { frame: frame.clone(), masters };
        Self {
            path: frame.path.clone(),
            hash: frame.hash,
            size: frame.region.size(),
            planes: 1,
            from: Origin::Raw(Box::new(raw)),
        }
    }

    /// What the stack's account says of it and of its masters.
    pub(super) fn inputs(&self) -> Vec<Input> {
        match &self.from {
            Origin::File => vec![Input::new("light", &self.path, self.hash)],
            Origin::Raw(raw) => {
                let mut inputs = raw.masters.inputs().to_vec();
                inputs.push(Input::new("raw light", &self.path, self.hash));
                inputs
            }
        }
    }

    /// Reads it whole.
    pub(super) fn open(&self, buffers: &mut ReadBuffers) -> Result<Opened> {
        match &self.from {
            Origin::File => {
                let (frame, header) = read_masked(&self.path)?;
                let metadata = keyword::read(&header).metadata;
                Ok(Opened { frame, header, metadata, calibrated: None })
            }
            Origin::Raw(raw) => {
                let request = LightRequest::to_be_stacked(&raw.frame, &raw.masters);
                let (frame, header, result) = calibrate_in_memory(&request, buffers)?;
                let metadata = keyword::read(&header).metadata;
                Ok(Opened { frame, header, metadata, calibrated: Some(result) })
            }
        }
    }

    /// Its rows on demand, NaN where nothing is known.
    pub(super) fn source(&self, keep_open: bool) -> Result<Box<dyn Source>> {
        match &self.from {
            Origin::File if keep_open => Ok(masked(&self.path)?),
            Origin::File => {
                let Self { path, size, planes, .. } = self.clone();
                Ok(Box::new(Reopened { path, size, planes, raw: false, open: masked }))
            }
            Origin::Raw(raw) => {
                let handling = Handling::Stack { scratch: None, keep_open };
                let prepared = raw.frame.open(handling)?;
                let set = raw.masters.set();
                Ok(Box::new(CalibratedSource::new(&raw.frame, prepared, set)))
            }
        }
    }

    /// Files that it keeps open.
    pub(super) fn open_files(&self) -> usize {
        match self.from {
            Origin::File => 2,
            Origin::Raw(_) => 1,
        }
    }
}

fn masked(path: &Path) -> photosite_file::Result<Box<dyn Source>> {
    let source = open(path)?;
    Ok(match open_mask(path)? {
        Some(mask) => Box::new(Masked { source, mask }),
        None => source,
    })
}
