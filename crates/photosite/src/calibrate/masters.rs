//! Masters, with what they contain in their types.

use std::sync::Arc;

use photosite_pix::{Frame, Size};
use serde::{Deserialize, Serialize};

/// Whether a master dark still holds the bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DarkContent {
    /// Bias and dark signal: subtracted as it is, and never scaled.
    BiasIncluded,
    /// Dark signal alone: needs the bias subtracted too, and can be scaled.
    BiasRemoved,
}

/// What took the additive part out of a flat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemovedBy {
    /// A dark flat of the flats' exposure.
    DarkFlat,
    /// A dark of the flats' exposure.
    Dark,
    /// A bias, and as much of a dark of another exposure as the flats' hot pixels hold.
    ScaledDark,
    /// A bias; the flats' own dark signal stays in.
    Bias,
    /// A constant level given by hand.
    Level,
}

impl RemovedBy {
    /// As reports and headers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::DarkFlat => "dark flat",
            Self::Dark => "dark",
            Self::ScaledDark => "scaled dark",
            Self::Bias => "bias",
            Self::Level => "level",
        }
    }
}

/// What a master flat went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlatContent {
    /// What took its additive part out.
    pub additive_removed_by: RemovedBy,
    /// Channels that were normalised to a mean of 1: 1, or 3 for red, green and blue apart.
    pub normalised_channels: u8,
}

/// The bias of a set-up.
#[derive(Debug, Clone)]
pub enum Bias {
    /// A master.
    Master(Arc<Frame>),
    /// A constant level in ADU, without noise.
    Level(f64),
}

impl Bias {
    /// The master's size; a level fits every size.
    pub fn size(&self) -> Option<Size> {
        match self {
            Self::Master(f) => Some(f.size()),
            Self::Level(_) => None,
        }
    }

    /// The bias of row `y` in ADU, at column `x`.
    pub(super) fn row(&self, y: usize) -> impl Fn(usize) -> f32 + '_ {
        let (row, level) = match self {
            Self::Master(f) => (f.data.row(y), 0.0),
            Self::Level(l) => (&[][..], *l as f32),
        };
        move |x| row.get(x).copied().unwrap_or(level)
    }
}

/// A master dark.
#[derive(Debug, Clone)]
pub struct MasterDark {
    /// Samples in ADU.
    pub frame: Arc<Frame>,
    /// Whether the bias is in it.
    pub content: DarkContent,
    /// Its exposure in seconds.
    pub exposure_s: Option<f64>,
    /// What its variance is multiplied with to be that of one of its frames; `None` where that
    /// is not known.
    pub variance_factor: Option<f64>,
}

/// A master flat: the response of each pixel relative to the mean.
#[derive(Debug, Clone)]
pub struct MasterFlat {
    /// Responses; 1 where the mask says NO_DATA.
    pub frame: Arc<Frame>,
    /// What it went through.
    pub content: FlatContent,
}
