//! What samples are worth and how they are stored, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use photosite::params::Repair;

/// The noise model from which variance is computed.
#[derive(Debug, Clone, Copy, Args)]
pub struct NoiseArgs {
    /// Gain in e-/ADU, overriding the header; with --read-noise it gives ERR.
    #[arg(long, value_name = "E_PER_ADU", requires = "read_noise")]
    pub gain: Option<f64>,
    /// Read noise in e-, overriding the header.
    #[arg(long, value_name = "E", requires = "gain")]
    pub read_noise: Option<f64>,
}

/// What raw frames need before anything else.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Raw frames")]
pub struct RawArgs {
    /// Overscan in place of the header's, in pixels from 0; behind a colon the part of the frame whose level
    /// it tells. May be repeated. optical-black: the masked columns of frames without one, such as camera raws.
    #[arg(long, value_name = "X,Y,W,H[:X,Y,W,H]|optical-black")]
    pub overscan: Vec<String>,
    /// How the level of the overscan is found: auto (a fit of the order that its rows call for, or each row),
    /// mean, median, clipped, row, fit:N.
    #[arg(long, value_name = "METHOD", default_value = "auto")]
    pub overscan_method: String,
    /// Linearity (photosite sensor measure -o writes linearity.toml): straightens a response that bends.
    #[arg(long, value_name = "FILE")]
    pub linearity: Option<PathBuf>,
}

/// What becomes of defective pixels of lights.
#[derive(Debug, Clone, Copy, Args)]
pub struct RepairArgs {
    /// What becomes of defective pixels: made of their neighbours, or left as holes that other lights fill,
    /// which in a stack is the noisier way.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = RepairName::Neighbours)]
    pub repair: RepairName,
}

/// What becomes of defective pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RepairName {
    /// A distance-weighted median of healthy neighbours of the same colour.
    Neighbours,
    /// No sample.
    Holes,
}

impl From<RepairName> for Repair {
    fn from(name: RepairName) -> Self {
        match name {
            RepairName::Neighbours => Self::Neighbours,
            RepairName::Holes => Self::Holes,
        }
    }
}

/// How samples are stored.
#[derive(Debug, Clone, Args)]
pub struct FormatArgs {
    /// Sample format of calibrated lights: f32 keeps everything, u16 rounds and clips.
    #[arg(long, value_enum, default_value_t = Format::F32, value_name = "FORMAT")]
    pub format: Format,
    /// Added to every sample of a u16 file and recorded as PEDESTAL, in ADU; auto: the smallest with which
    /// fewer than one in 10,000 samples of all lights of a group are clipped.
    #[arg(long, default_value = "100", value_name = "ADU|auto")]
    pub pedestal: String,
}

/// Sample formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// 32-bit floating point.
    F32,
    /// Unsigned 16-bit integers.
    U16,
}
