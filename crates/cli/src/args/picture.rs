//! Stars, places and pictures, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use photosite_pix::align::Alignment;

use super::CombineName;
use super::product::reject_names;

/// `photosite stack`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite stack out/calibrated/*.fits -o m31.fits \
                        --register\n  photosite stack *.fits -o sum.fits --register --weight \
                        noise --normalize additive-scale --maps")]
pub struct StackArgs {
    /// The lights, calibrated; their masks (extension DQ) are respected.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Lay the lights over each other first; else they are taken pixel by pixel.
    #[arg(long)]
    pub register: bool,
    /// What they are laid over each other by.
    #[arg(long, value_enum, value_name = "BY", default_value_t, requires = "register")]
    pub align: AlignName,
    /// The light that the others are laid over; the best one by default.
    #[arg(long, value_name = "FILE")]
    pub reference: Option<PathBuf>,
    /// How samples are rejected; auto goes by the number of lights.
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = reject_names())]
    pub reject: String,
    /// Threshold below the centre, in the method's own unit; the method's own by default.
    #[arg(long, value_name = "L", alias = "low")]
    pub sigma_low: Option<f32>,
    /// Threshold above the centre.
    #[arg(long, value_name = "H", alias = "high")]
    pub sigma_high: Option<f32>,
    /// How the kept samples become one.
    #[arg(long, value_enum, value_name = "HOW")]
    pub combine: Option<CombineName>,
    /// How lights are brought to the level of the reference before samples are compared.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = NormalizeName::AdditiveScale)]
    pub normalize: NormalizeName,
    /// What a light's part in the mean goes by.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = WeightName::Noise)]
    pub weight: WeightName,
    /// Spread samples by drops on SCALE times as many pixels along each axis.
    #[arg(long, value_name = "SCALE", value_parser = finer)]
    pub drizzle: Option<f64>,
    /// The side of a drop in pixels of a light; 0.7 by default, 1 by colour.
    #[arg(long, value_name = "D", value_parser = share)]
    pub drop: Option<f64>,
    /// Drizzle each colour of the filter array for itself: nothing is interpolated.
    #[arg(long)]
    pub cfa_drizzle: bool,
    /// Cut the picture to what every light covers.
    #[arg(long)]
    pub crop: bool,
    /// Keep counts at each pixel, of each colour: COVERAGE (samples kept), REJLOW, REJHIGH.
    #[arg(long)]
    pub maps: bool,
    /// Print the account as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What lights are laid over each other by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum AlignName {
    /// Their stars.
    #[default]
    Stars,
    /// The world coordinates of their headers, as plate solvers write them: TAN, SIP, TPV.
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

/// Ways of normalising.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NormalizeName {
    /// Not at all.
    None,
    /// The level by adding.
    Additive,
    /// Level and scale, about the level.
    AdditiveScale,
    /// The level by multiplying.
    Multiplicative,
    /// Level and scale, for levels above 0.
    MultiplicativeScale,
    /// The level by multiplying, for rejection only; samples are combined as they were.
    EqualisedFluxes,
    /// Level and scale, and the background everywhere: for gradients that differ between lights.
    Local,
}

/// What weights go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WeightName {
    /// All lights count the same.
    None,
    /// The inverse variance of the noise.
    Noise,
    /// The square of the stars' signal over noise.
    Snr,
    /// The inverse variance of the noise, over the square of the stars' width.
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
    /// What they are laid over each other by.
    #[arg(long, value_enum, value_name = "BY", default_value_t)]
    pub align: AlignName,
    /// The frame that the others are laid over; the best one by default.
    #[arg(long, value_name = "FILE")]
    pub reference: Option<PathBuf>,
    /// Print the account as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `photosite stars`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite stars light.fits\n  photosite stars light.fits \
                        --csv > stars.csv")]
pub struct StarsArgs {
    /// The frame; its mask (extension DQ) is respected.
    pub file: PathBuf,
    /// Least signal over noise of a star's match.
    #[arg(long, value_name = "SNR", default_value_t = 5.5)]
    pub snr: f64,
    /// Print every star as JSON.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print every star as comma separated values.
    #[arg(long)]
    pub csv: bool,
}

/// Reads how much finer a grid is: 1 to 4.
fn finer(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if (1.0..=4.0).contains(&n) => Ok(n),
        _ => Err(format!("{text:?} is no scale from 1 to 4")),
    }
}

/// Reads a share: above 0, at most 1.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n > 0.0 && n <= 1.0 => Ok(n),
        _ => Err(format!("{text:?} is not above 0 and at most 1")),
    }
}
