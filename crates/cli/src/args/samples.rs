//! What samples are worth and how they are stored, as typed.

use clap::{Args, ValueEnum};

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

/// How samples are stored.
#[derive(Debug, Clone, Copy, Args)]
pub struct FormatArgs {
    /// Sample format of calibrated lights: f32 keeps everything, u16 rounds and clips.
    #[arg(long, value_enum, default_value_t = Format::F32, value_name = "FORMAT")]
    pub format: Format,
    /// Added to every sample of a u16 file and recorded as PEDESTAL, in ADU.
    #[arg(long, default_value_t = 100.0, value_name = "ADU")]
    pub pedestal: f32,
}

/// Sample formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// 32-bit floating point.
    F32,
    /// Unsigned 16-bit integers.
    U16,
}
