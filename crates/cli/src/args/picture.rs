//! Stars, registration and stacks, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use photosite_pix::align::Alignment;

use super::CombineName;
use super::RepairName;
use super::product::reject_names;

/// `photosite stack`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite stack out/calibrated/*.fits -o m31.fits \
                        --register\n  photosite stack *.fits -o sum.fits --register --weight \
                        noise --normalize additive-scale --maps")]
pub struct StackArgs {
    /// The calibrated lights; masked pixels (extension DQ) are not used.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Register the lights first; otherwise they are stacked pixel by pixel.
    #[arg(long)]
    pub register: bool,
    /// Registration method.
    #[arg(long, value_enum, value_name = "BY", default_value_t, requires = "register")]
    pub align: AlignName,
    #[command(flatten)]
    pub how: IntegrationArgs,
    /// Write maps, for each colour: COVERAGE (samples used), REJLOW, REJHIGH.
    #[arg(long)]
    pub maps: bool,
    /// Defect map: its pixels are holes that other lights fill; none for none.
    #[arg(long, value_name = "FILE|none")]
    pub defects: Option<PathBuf>,
    /// What becomes of the map's pixels: holes, whatever was made of them before, or made of their neighbours
    /// where they were not.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = RepairName::Holes, requires = "defects")]
    pub repair: RepairName,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// How lights become one picture: what `stack` and `run` share.
#[derive(Debug, Args)]
#[command(next_help_heading = "Integration")]
pub struct IntegrationArgs {
    /// Reference for registration; best is the sharpest light with most stars.
    #[arg(long, value_name = "FILE|best")]
    pub reference: Option<PathBuf>,
    /// Rejection method; by default auto, which depends on the number of lights.
    #[arg(long, value_name = "NAME", value_parser = reject_names())]
    pub reject: Option<String>,
    /// Low rejection threshold, in the unit of the method.
    #[arg(long, value_name = "L", alias = "low")]
    pub sigma_low: Option<f32>,
    /// High rejection threshold.
    #[arg(long, value_name = "H", alias = "high")]
    pub sigma_high: Option<f32>,
    /// How the samples that remain are combined.
    #[arg(long, value_enum, value_name = "HOW")]
    pub combine: Option<CombineName>,
    /// How lights are normalised to the reference before rejection; by default additive-scale.
    #[arg(long, value_enum, value_name = "HOW")]
    pub normalize: Option<NormalizeName>,
    /// Weights of the lights in the mean; by default quality.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub weight: Option<WeightName>,
    /// Debayering method of lights under a colour filter array.
    #[arg(long, value_enum, value_name = "METHOD", default_value_t = StackDebayerName::Auto)]
    pub debayer: StackDebayerName,
    /// Drizzle onto a grid SCALE times finer along each axis.
    #[arg(long, value_name = "SCALE", value_parser = finer)]
    pub drizzle: Option<f64>,
    /// Drop size of drizzle, in input pixels; 0.7 by default, 1 with --cfa-drizzle.
    #[arg(long = "pixfrac", alias = "drop", value_name = "F", value_parser = share)]
    pub drop: Option<f64>,
    /// Drizzle each colour of the filter array separately, without debayering.
    #[arg(long)]
    pub cfa_drizzle: bool,
    /// Crop the stack to the area that every light covers.
    #[arg(long)]
    pub crop: bool,
}

/// Debayering methods of lights that are stacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StackDebayerName {
    /// Directional; bilinear for arrays other than Bayer's and X-Trans.
    Auto,
    /// The mean of the neighbours of each colour.
    Bilinear,
    /// Along the direction of the smaller gradient.
    Directional,
}

/// Registration methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum AlignName {
    /// By stars.
    #[default]
    Stars,
    /// By the world coordinates (WCS) a plate solver wrote into the headers: TAN, SIP, TPV.
    Wcs,
}

impl From<AlignName> for Alignment {
    fn from(name: AlignName) -> Self {
        match name {
            AlignName::Stars => Self::Stars,
            AlignName::Wcs => Self::Wcs,
        }
    }
}

/// Normalisation methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NormalizeName {
    /// No normalisation.
    None,
    /// Background level, by an offset.
    Additive,
    /// Background level by an offset, and scale.
    AdditiveScale,
    /// Background level, by a factor.
    Multiplicative,
    /// Background level by a factor, and scale; for levels above 0.
    MultiplicativeScale,
    /// Background level by a factor, for rejection only; the stack uses the original values.
    EqualisedFluxes,
    /// Background by an offset that varies over the frame, and scale: for changing gradients.
    Local,
}

/// Weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WeightName {
    /// Equal weights.
    None,
    /// Inverse variance of the noise over the square of the stars' long axis: noise, transparency and
    /// sharpness.
    Quality,
    /// Inverse variance of the background noise.
    Noise,
    /// Square of the stars' signal-to-noise ratio.
    Snr,
    /// Inverse variance of the noise, divided by the square of the FWHM.
    Fwhm,
}

/// `photosite register`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite register out/calibrated/*.fits\n  photosite \
                        register solved/*.fits --align wcs")]
pub struct RegisterArgs {
    /// The frames.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// Registration method.
    #[arg(long, value_enum, value_name = "BY", default_value_t)]
    pub align: AlignName,
    /// Reference frame; the best frame by default.
    #[arg(long, value_name = "FILE")]
    pub reference: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `photosite stars`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite stars light.fits\n  photosite stars light.fits \
                        --csv > stars.csv")]
pub struct StarsArgs {
    /// The frame; masked pixels (extension DQ) are not used.
    pub file: PathBuf,
    /// Detection threshold: signal-to-noise ratio of the matched filter.
    #[arg(long, value_name = "SNR", default_value_t = 5.5)]
    pub snr: f64,
    /// Defect map: its pixels are not used; none for none.
    #[arg(long, value_name = "FILE|none")]
    pub defects: Option<PathBuf>,
    /// Print every star as JSON.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print every star as comma-separated values.
    #[arg(long)]
    pub csv: bool,
}

/// Reads the scale of a finer grid: 1 to 4.
fn finer(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if (1.0..=4.0).contains(&n) => Ok(n),
        _ => Err(format!("{text:?} is not a scale from 1 to 4")),
    }
}

/// Reads a share: above 0, at most 1.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n > 0.0 && n <= 1.0 => Ok(n),
        _ => Err(format!("{text:?} is not above 0 and at most 1")),
    }
}
