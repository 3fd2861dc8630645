//! What is asked of a master, and what comes of it.

use std::path::{Path, PathBuf};

use photosite_pix::FrameKind;
use photosite_pix::combine::Recipe;
use photosite_pix::stat::Summary;

use crate::Error;
use crate::calibrate::RemovedBy;
use crate::master::{FlatColour, NoiseCheck, Rejected};
use crate::product::known::Known;
use crate::raw::RawFrame;

/// What is taken off every frame before it is stacked.
#[derive(Debug, Clone)]
pub enum AdditivePart {
    /// Nothing: the master keeps its bias.
    Keep,
    /// A constant in ADU.
    Level(f32),
    /// A master in a file.
    Master(PathBuf, RemovedBy),
    /// A master bias, and so much of a master dark of another exposure for each second of a frame.
    Scaled {
        /// The bias.
        bias: PathBuf,
        /// The dark.
        dark: PathBuf,
        /// The share of the dark for a second.
        per_s: f64,
    },
}

/// A master to be built.
#[derive(Debug, Clone)]
pub struct MasterRequest<'a> {
    /// Its kind.
    pub kind: FrameKind,
    /// Its frames.
    pub frames: Vec<&'a RawFrame>,
    /// What is taken off first.
    pub additive: AdditivePart,
    /// For a dark that keeps its bias: the bias level in ADU, where it is known, so that its noise
    /// can be compared with the model.
    pub zero_adu: Option<f64>,
    /// For a dark some lights that it is for, for a bias some darks of its set-up: they tell what part of its
    /// frames is right where these contradict each other.
    pub witnesses: Vec<&'a RawFrame>,
    /// Flats that fall into parts are no contradiction: the largest part is taken, and the others are told.
    pub parts: bool,
    /// How samples are combined.
    pub recipe: Recipe,
    /// Counts of rejected samples are kept for each pixel, as extensions REJLOW and REJHIGH.
    pub maps: bool,
    /// Where it goes.
    pub path: &'a Path,
    /// What earlier work knows.
    pub known: &'a Known,
}

/// A built, or reused, master.
#[derive(Debug)]
#[non_exhaustive]
pub struct MasterResult {
    /// Its kind.
    pub kind: FrameKind,
    /// Where it lies.
    pub path: PathBuf,
    /// The key of its inputs and parameters; `None` for another program's.
    pub key: Option<String>,
    /// It was there already, whole and current.
    pub reused: bool,
    /// It was taken from the library.
    pub from_library: bool,
    /// How samples were combined and how rejected, as its header says.
    pub how: [Option<String>; 2],
    /// For a flat: what took its additive part out, as its header says.
    pub additive: Option<String>,
    /// Rejected samples.
    pub rejected: Rejected,
    /// Pixels marked HOT.
    pub hot: usize,
    /// Pixels marked COLD.
    pub cold: usize,
    /// Pixels without data.
    pub no_data: usize,
    /// A description of its samples.
    pub stats: Summary,
    /// The noise of its frames against the noise model.
    pub noise: Option<NoiseCheck>,
    /// For a flat under a colour filter array: its colours.
    pub colours: Option<[FlatColour; 3]>,
    /// Of a flat, the noise of a pixel relative to its level; `None` where it is not known.
    pub flat_noise: Option<f64>,
    /// In what parts of its set differ by little; a sentence.
    pub apart: Option<String>,
    /// How the level of its frames wanders from the first to the last; a sentence.
    pub drift: Option<String>,
    /// Of a flat, the stars that stood in it and were taken out.
    pub stars: usize,
    /// What stood in its place was damaged or cut.
    pub damaged: bool,
    /// Frames that turned out not to be readable or contradict the others, with the reason.
    pub left_out: Vec<(PathBuf, Error)>,
    /// Of flats that fall into parts, the frames of the others.
    pub parted: Vec<PathBuf>,
    /// Frames that went into it.
    pub inputs: Vec<PathBuf>,
}

/// What came of trying to make a master of some frames.
pub(super) enum Attempt {
    /// The master.
    Made(Box<MasterResult>),
    /// Frames that do not belong to it, and those of them that are another set.
    Odd(Vec<(PathBuf, Error)>, Vec<PathBuf>),
}
