//! Masters and calibrated frames, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use photosite_pix::FrameKind;
use photosite_pix::reject::Reject;

use super::{FormatArgs, NoiseArgs};

/// `photosite master`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite master bias bias/*.fits -o bias.fits\n  photosite \
                        master dark darks/*.fits -o dark.fits\n  photosite master flat \
                        flats/*.fits -o flat.fits --dark darkflat.fits")]
pub struct MasterArgs {
    /// The kind of master.
    #[arg(value_enum)]
    pub kind: MasterKind,
    /// Its frames.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Master bias, or a level in ADU, to take off each frame.
    #[arg(long, value_name = "FILE|ADU", allow_negative_numbers = true)]
    pub bias: Option<String>,
    /// Master dark, or master dark flat, to take off each flat.
    #[arg(long, value_name = "FILE", conflicts_with = "bias")]
    pub dark: Option<PathBuf>,
    /// How the kept samples become one.
    #[arg(long, value_enum, value_name = "HOW")]
    pub combine: Option<CombineName>,
    /// How samples are rejected; auto goes by the number of frames.
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = reject_names())]
    pub reject: String,
    /// Threshold below the centre, in the method's own unit; the method's own by default.
    #[arg(long, value_name = "L", alias = "low")]
    pub sigma_low: Option<f32>,
    /// Threshold above the centre; other than below, it moves the mean of the noise.
    #[arg(long, value_name = "H", alias = "high")]
    pub sigma_high: Option<f32>,
    /// Keep counts at each pixel: COVERAGE (samples kept), REJLOW, REJHIGH.
    #[arg(long)]
    pub maps: bool,
    /// Print the account as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Kinds of master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MasterKind {
    /// Of biases.
    Bias,
    /// Of darks.
    Dark,
    /// Of flats.
    Flat,
    /// Of dark flats.
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

/// Ways of combining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CombineName {
    /// The mean of the kept samples.
    Mean,
    /// Their median.
    Median,
}

/// The names that `--reject` takes.
pub(super) fn reject_names() -> Vec<&'static str> {
    std::iter::once("auto").chain(Reject::NAMES).collect()
}

/// `photosite calibrate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite calibrate lights/*.fits -o out --dark dark.fits \
                        --flat flat.fits\n  photosite calibrate l.fits -o out --bias bias.fits \
                        --dark dark.fits --dark-scale exposure")]
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
    /// Factor of the dark: none (1), exposure (the ratio of exposures), or a number.
    #[arg(long, value_name = "none|exposure|NUMBER", default_value = "none", requires = "dark")]
    pub dark_scale: String,
    /// Master flat.
    #[arg(long, value_name = "FILE")]
    pub flat: Option<PathBuf>,
    #[command(flatten)]
    pub noise: NoiseArgs,
    #[command(flatten)]
    pub format: FormatArgs,
    /// Print the account as JSON.
    #[arg(long)]
    pub json: bool,
}
