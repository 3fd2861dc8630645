//! Colour verbs, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use photosite::colour::Extract;
use photosite::colour::compose::{Formula, Palette};
use photosite::run::NamedPicture;
use photosite_pix::debayer::Method;

/// `photosite debayer`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite debayer out/calibrated/m31.fits -o m31_rgb.fits\n  \
                        photosite debayer IMG_0001.CR2 -o rgb.fits --method superpixel\n  photosite debayer out/calibrated/ -o \
                        rgb/\n\nThe \
                        image has three planes: red, green, blue. ERR and DQ come along, three \
                        planes each. Measured samples are not changed. directional: sharpest, \
                        right colours of stars; bilinear: smoothest; superpixel: half the size (a \
                        third under X-Trans), nothing interpolated; auto: directional."
)]
pub struct DebayerArgs {
    /// CFA frames (Bayer or X-Trans), preferably calibrated: FITS, XISF, TIFF or camera raw; folders too.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The FITS file to write; a folder for several frames.
    #[arg(short, long, value_name = "FILE|DIR/")]
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
    /// CFA frames, calibrated and not debayered; folders too.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The FITS file to write, a folder for several frames; ha-oiii adds _ha and _oiii to the name.
    #[arg(short, long, value_name = "FILE|DIR/")]
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

/// `photosite compose`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite compose L.fits R.fits G.fits B.fits -o M31_LRGB.fits\n  \
                  photosite compose Ha.fits OIII.fits -o veil_HOO.fits\n  photosite compose Ha.fits \
                  OIII.fits SII.fits -o ngc7000.fits --red \"0.6*SII + 0.4*Ha\" --green Ha --blue \
                  OIII\n  photosite compose R=a.fits G=b.fits B=c.fits -o rgb.fits\n\nFilters come from \
                  the headers unless a file is written NAME=FILE. The result is linear in the light, has \
                  ERR where all pictures have it, and DQ; a PNG is written beside it. The factors of the \
                  channels are in its header: PSBALR, PSBALG, PSBALB, PSBALL."
)]
pub struct ComposeArgs {
    /// Pictures through one filter each, or a luminance and a colour picture: FILE or NAME=FILE.
    #[arg(required = true, num_args = 1.., value_name = "[NAME=]FILE", value_parser = named_picture)]
    pub pictures: Vec<NamedPicture>,
    /// The FITS file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// What the pictures become; by their filters where it is not said.
    #[arg(long, value_enum, value_name = "P")]
    pub palette: Option<PaletteName>,
    /// Red as a sum of pictures: "0.6*SII + 0.4*Ha".
    #[arg(
        long,
        value_name = "SUM",
        requires = "green",
        requires = "blue",
        conflicts_with = "palette"
    )]
    pub red: Option<Formula>,
    /// Green as a sum of pictures.
    #[arg(long, value_name = "SUM", requires = "red")]
    pub green: Option<Formula>,
    /// Blue as a sum of pictures.
    #[arg(long, value_name = "SUM", requires = "red")]
    pub blue: Option<Formula>,
    /// Luminance as a sum of pictures.
    #[arg(long, value_name = "SUM", requires = "red")]
    pub luminance: Option<Formula>,
    /// What brings the channels to one light.
    #[arg(long, value_enum, value_name = "BY", default_value_t = BalanceName::Stars)]
    pub balance: BalanceName,
    /// Print what was done as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Reads FILE or NAME=FILE.
fn named_picture(text: &str) -> Result<NamedPicture, String> {
    // A file of that very name is meant, whatever stands in it.
    let whole = || NamedPicture { name: None, path: text.into() };
    Ok(match text.split_once('=') {
        Some((name, file))
            if !std::path::Path::new(text).exists() && !name.contains(['/', '\\']) =>
        {
            if name.trim().is_empty() || file.is_empty() {
                return Err("write NAME=FILE, as in R=red.fits".into());
            }
            NamedPicture { name: Some(name.trim().to_owned()), path: file.into() }
        }
        _ => whole(),
    })
}

/// Palettes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PaletteName {
    /// Luminance with the colours of red, green and blue.
    Lrgb,
    /// Red, green and blue.
    Rgb,
    /// Ha as red, OIII as green and blue.
    Hoo,
    /// SII as red, Ha as green, OIII as blue.
    Sho,
}

impl From<PaletteName> for Palette {
    fn from(name: PaletteName) -> Self {
        match name {
            PaletteName::Lrgb => Self::Lrgb,
            PaletteName::Rgb => Self::Rgb,
            PaletteName::Hoo => Self::Hoo,
            PaletteName::Sho => Self::Sho,
        }
    }
}

/// Ways of balancing channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BalanceName {
    /// The typical star has no colour.
    Stars,
    /// Channels keep the light that they have.
    None,
}
