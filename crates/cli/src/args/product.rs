//! Masters and calibrated frames, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use photosite_pix::FrameKind;

use super::samples::{FormatArgs, NoiseArgs, RawArgs, RepairArgs};

/// `photosite master`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite master bias bias/*.fits -o bias.fits\n  photosite \
                        master dark darks/*.fits -o dark.fits\n  photosite master flat \
                        flats/*.fits -o flat.fits --dark darkflat.fits")]
pub struct MasterArgs {
    /// Type of master.
    #[arg(value_enum)]
    pub kind: MasterKind,
    /// Its frames.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Master bias, or a level in ADU, to subtract from each frame.
    #[arg(long, value_name = "FILE|ADU", allow_negative_numbers = true)]
    pub bias: Option<String>,
    /// Master dark, or master dark flat, to subtract from each flat.
    #[arg(long, value_name = "FILE", conflicts_with = "bias")]
    pub dark: Option<PathBuf>,
    /// How the samples that remain are combined.
    #[arg(long, value_enum, value_name = "HOW")]
    pub combine: Option<CombineName>,
    /// Rejection method; auto depends on the number of frames.
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = reject_names())]
    pub reject: String,
    /// Low rejection threshold, in the unit of the method.
    #[arg(long, value_name = "L", alias = "low")]
    pub sigma_low: Option<f32>,
    /// High rejection threshold; if it differs from the low one, the mean is biased.
    #[arg(long, value_name = "H", alias = "high")]
    pub sigma_high: Option<f32>,
    /// Write maps: COVERAGE (samples used), REJLOW, REJHIGH.
    #[arg(long)]
    pub maps: bool,
    #[command(flatten)]
    pub raw: RawArgs,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Types of master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MasterKind {
    /// Master bias.
    Bias,
    /// Master dark.
    Dark,
    /// Master flat.
    Flat,
    /// Master dark flat.
    DarkFlat,
}

impl From<MasterKind> for FrameKind {
    fn from(kind: MasterKind) -> Self {
        match kind {
            MasterKind::Bias => Self::Bias,
            MasterKind::Dark => Self::Dark,
            MasterKind::Flat => Self::Flat,
            MasterKind::DarkFlat => Self::DarkFlat,
        }
    }
}

/// How samples are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CombineName {
    /// Mean.
    Mean,
    /// Median.
    Median,
}

/// The names that `--reject` takes.
pub(super) fn reject_names() -> Vec<&'static str> {
    photosite::params::reject_names()
}

/// `photosite calibrate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite calibrate lights/*.fits -o out --dark dark.fits \
                        --flat flat.fits\n  photosite calibrate l.fits -o out --bias bias.fits \
                        --dark dark.fits --dark-scale fitted")]
pub struct CalibrateArgs {
    /// The frames.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// The folder for calibrated frames.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Master bias, or a level in ADU.
    #[arg(long, value_name = "FILE|ADU", allow_negative_numbers = true)]
    pub bias: Option<String>,
    /// Master dark.
    #[arg(long, value_name = "FILE")]
    pub dark: Option<PathBuf>,
    /// Dark scale factor: none (1), fitted (measured in each light's hot pixels), exposure (ratio of
    /// exposures), or a number.
    #[arg(
        long,
        value_name = "none|fitted|exposure|NUMBER",
        default_value = "none",
        requires = "dark"
    )]
    pub dark_scale: String,
    /// Master flat.
    #[arg(long, value_name = "FILE")]
    pub flat: Option<PathBuf>,
    /// Defect map: its pixels are repaired; none for none.
    #[arg(long, value_name = "FILE|none")]
    pub defects: Option<PathBuf>,
    #[command(flatten)]
    pub repair: RepairArgs,
    /// Find cosmic rays in each frame by itself (L.A.Cosmic), mark and mend them; for lights that are not
    /// stacked: a stack rejects them better.
    #[arg(long)]
    pub cosmic: bool,
    #[command(flatten)]
    pub raw: RawArgs,
    #[command(flatten)]
    pub noise: NoiseArgs,
    #[command(flatten)]
    pub format: FormatArgs,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}
