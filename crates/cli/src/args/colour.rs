//! Verbs of colour, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use photosite::colour::Extract;
use photosite_pix::debayer::Method;

/// `photosite debayer`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite debayer out/calibrated/m31.fits -o m31_rgb.fits\n  \
                        photosite debayer IMG_0001.CR2 -o rgb.fits --method superpixel\n\nThe \
                        picture has three planes: red, green, blue. ERR and DQ come along, three \
                        planes each. Measured samples stay as they are. directional: sharpest, \
                        Bayer arrays only; bilinear: smoothest; superpixel: half the size (a third \
                        under X-Trans), nothing interpolated; auto: directional, bilinear under \
                        X-Trans."
)]
pub struct DebayerArgs {
    /// A frame under a colour filter array, best calibrated: FITS, XISF, TIFF or camera raw.
    pub file: PathBuf,
    /// The FITS file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// How colours are made.
    #[arg(long, value_enum, value_name = "M", default_value_t = MethodName::Auto)]
    pub method: MethodName,
    /// Print what was done as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Ways of making colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MethodName {
    /// What suits the array.
    Auto,
    /// Means of neighbours.
    Bilinear,
    /// One pixel a cell.
    Superpixel,
    /// Along the direction in which less changes.
    Directional,
}

impl MethodName {
    /// The method; `None` for the one that suits.
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
                        oiii green and blue by the inverse of their noise, blue moved to green's \
                        level."
)]
pub struct ExtractArgs {
    /// What to take out.
    #[arg(value_enum)]
    pub line: LineName,
    /// A frame under a colour filter array, calibrated and not debayered.
    pub file: PathBuf,
    /// The FITS file to write; ha-oiii puts _ha and _oiii before its ending.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print what was done as JSON: a list, one entry a file.
    #[arg(long)]
    pub json: bool,
}

/// What can be taken out.
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

/// Ways of stretching a colour picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StretchName {
    /// Each colour by itself: the background comes out grey.
    Unlinked,
    /// All colours alike: they keep their proportions, best after the background was made neutral.
    Linked,
}
