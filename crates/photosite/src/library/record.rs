//! What the index keeps of one file.

use std::path::{Path, PathBuf};

use photosite_file::Probe;
use photosite_pix::FrameKind;
use serde::Serialize;

use super::{Adopted, Traits, adopt, frame_traits};
use crate::inventory::{Frame, KindOverrides, take};
use crate::provenance::{ContentHash, FileMark, key_of};
use crate::{Finding, finding::Severity};

/// The level of a master's samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Level {
    /// Their median in ADU; for a flat relative to its mean.
    pub median_adu: f64,
    /// By how much a thousandth of the pixels would exceed the median, in ADU, to leave what all do that stand out of
    /// the noise: a root mean square.
    pub hot_adu: f64,
}

/// One frame or master of the library, as its header tells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// What it holds: its identity, whatever it is called.
    pub hash: ContentHash,
    /// Where it lies.
    pub path: PathBuf,
    /// What shows that the file has changed.
    pub mark: FileMark,
    /// What it is.
    pub kind: FrameKind,
    /// It is a master, ready for use.
    pub is_master: bool,
    /// What matching looks at.
    pub traits: Traits,
    /// How many frames it was made of: 1 for a raw frame.
    pub frames: usize,
    /// The program that made it.
    pub software: Option<String>,
    /// The key of inputs, parameters and algorithm, for masters of Photosite's.
    pub key: Option<String>,
    /// The level of a master's samples.
    pub level: Option<Level>,
    /// For a master flat: how far its frames stood above the bias, in ADU, where it is known.
    pub flat_level_adu: Option<f64>,
}

/// What a file is to the library, by its header alone.
pub enum Shelvable {
    /// A raw calibration frame.
    Raw(Box<Frame>),
    /// A master.
    Master(Box<Adopted>),
    /// Nothing to keep; the Finding says why.
    No(Finding),
}

/// Looks at a probed file; `kinds` overrule header and name of raw frames.
pub fn shelvable(
    path: &Path,
    root: &Path,
    probe: Probe,
    kinds: &KindOverrides,
) -> (Shelvable, Vec<Finding>) {
    if let Some(adopted) = adopt(path, &probe, None) {
        return match adopted {
            Ok(master) => {
                let findings = master.findings.clone();
                (Shelvable::Master(Box::new(master)), findings)
            }
            Err(finding) => (Shelvable::No(finding), Vec::new()),
        };
    }
    match take(path, root, probe, kinds) {
        Ok((frame, _)) if frame.kind == FrameKind::Light => {
            let finding = Finding::new(
                "light-not-kept",
                Severity::Info,
                path.display().to_string(),
                "a light; the library keeps only calibration frames and masters",
            );
            (Shelvable::No(finding), Vec::new())
        }
        Ok((frame, findings)) => (Shelvable::Raw(Box::new(frame)), findings),
        Err(no) => (Shelvable::No(no.finding), Vec::new()),
    }
}

impl Record {
    /// The record of a raw frame.
    pub fn raw(frame: &Frame, hash: ContentHash, mark: FileMark) -> Self {
        Self {
            hash,
            path: frame.path.clone(),
            mark,
            kind: frame.kind,
            is_master: false,
            traits: frame_traits(frame),
            frames: 1,
            software: frame.metadata.software.clone(),
            key: None,
            level: None,
            flat_level_adu: None,
        }
    }

    /// The record of a master.
    pub fn master(
        path: &Path,
        master: &Adopted,
        hash: ContentHash,
        mark: FileMark,
        level: Level,
    ) -> Self {
        Self {
            hash,
            path: path.to_owned(),
            mark,
            kind: master.kind,
            is_master: true,
            traits: master.traits.clone(),
            frames: master.frames,
            software: master.software.clone(),
            key: key_of(&master.header),
            level: Some(level),
            flat_level_adu: master.header.get_f64("PSLEVEL"),
        }
    }

    /// The first digits of the hash: how people name it.
    pub fn id(&self) -> String {
        short_id(&self.hash)
    }
}

/// Digits of a content hash by which people name a frame.
pub const ID_DIGITS: usize = 12;

/// The name of what has this hash.
pub fn short_id(hash: &ContentHash) -> String {
    hash.to_string()[..ID_DIGITS].to_owned()
}
