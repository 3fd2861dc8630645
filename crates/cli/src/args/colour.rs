//! Colour verbs, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use photosite::colour::Extract;
use photosite_pix::debayer::Method;

/// `photosite debayer`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite debayer out/calibrated/m31.fits -o m31_rgb.fits\n  \
                        photosite debayer IMG_0001.CR2 -o rgb.fits --method superpixel\n\nThe \
                        image has three planes: red, green, blue. ERR and DQ come along, three \
                        planes each. Measured samples are not changed. directional: sharpest, \
                        right colours of stars; bilinear: smoothest; superpixel: half the size (a \
                        third under X-Trans), nothing interpolated; auto: directional."
)]
pub struct DebayerArgs {
    /// A CFA frame (Bayer or X-Trans), preferably calibrated: FITS, XISF, TIFF or camera raw.
    pub file: PathBuf,
    /// The FITS file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Debayering method.
    #[arg(long, value_enum, value_name = "M", default_value_t = MethodName::Auto)]
    pub method: MethodName,
    /// Print what was done as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Debayering methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MethodName {
    /// Directional; bilinear for arrays other than Bayer's and X-Trans.
    Auto,
    /// The mean of the neighbours of each colour.
    Bilinear,
    /// One pixel for each cell of the array, nothing interpolated.
    Superpixel,
    /// Along the direction of the smaller gradient.
    Directional,
}

impl MethodName {
    /// The method; `None` for the default of the array.
    pub fn method(self) -> Option<Method> {
        match self {
            Self::Auto => None,
            Self::Bilinear => Some(Method::Bilinear),
            Self::Superpixel => Some(Method::Superpixel),
            Self::Directional => Some(Method::Directional),
        }
    }
}

/// `photosite extract`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite extract ha out/calibrated/l1.fits -o l1_ha.fits\n  \
                        photosite extract ha-oiii out/calibrated/l1.fits -o l1.fits\n\nThe second \
                        writes l1_ha.fits and l1_oiii.fits, of one size. Results are monochrome, \
                        half as wide and high as the frame (a third under X-Trans); nothing is \
                        interpolated. ha is the red samples alone; green the mean of both greens; \
                        oiii green and blue weighted by inverse variance, blue shifted to green's \
                        level."
)]
pub struct ExtractArgs {
    /// What to extract.
    #[arg(value_enum)]
    pub line: LineName,
    /// A CFA frame, calibrated and not debayered.
    pub file: PathBuf,
    /// The FITS file to write; ha-oiii adds _ha and _oiii before the extension.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print what was done as JSON: a list with one entry for each file.
    #[arg(long)]
    pub json: bool,
}

/// What can be extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LineName {
    /// Hydrogen alpha: red.
    Ha,
    /// Doubly ionised oxygen: green and blue.
    Oiii,
    /// Both, in two files.
    #[value(name = "ha-oiii")]
    HaOiii,
    /// Green.
    Green,
}

impl From<LineName> for Extract {
    fn from(line: LineName) -> Self {
        match line {
            LineName::Ha => Self::Ha,
            LineName::Oiii => Self::Oiii,
            LineName::HaOiii => Self::HaOiii,
            LineName::Green => Self::Green,
        }
    }
}

/// Ways of stretching a colour image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StretchName {
    /// Each colour separately: the background becomes grey.
    Unlinked,
    /// All colours alike, so that colour ratios are kept; best after background neutralisation.
    Linked,
}
