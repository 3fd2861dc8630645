//! Inspecting and converting files, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::colour::StretchName;
use super::samples::Format;

/// `photosite inspect` and `photosite stats`.
#[derive(Debug, Args)]
pub struct FilesArgs {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print JSON: a list with one entry for each file.
    #[arg(long)]
    pub json: bool,
}

/// `photosite diagnose`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite diagnose OUT/calibrated/*.fits\n  photosite diagnose \
                        pp_light_001.fits --dark master_dark.fits --flat master_flat.fits\n  photosite \
                        diagnose lights/*.fit --bias bias.fit --dark dark.fit --flat flat.fit --json\n\nLights \
                        may have been calibrated by any program. Masters that are not named are looked for \
                        where the light says that it was calibrated with them; a dark that holds its bias \
                        and none is named tells nothing of amp glow."
)]
pub struct DiagnoseArgs {
    /// Calibrated lights, not registered ones.
    #[arg(required = true, value_name = "LIGHT")]
    pub lights: Vec<PathBuf>,
    /// Master bias, or a level in ADU.
    #[arg(long, value_name = "FILE|ADU", allow_negative_numbers = true)]
    pub bias: Option<String>,
    /// Master dark that the light should have been calibrated with.
    #[arg(long, value_name = "FILE")]
    pub dark: Option<PathBuf>,
    /// Master flat that the light should have been calibrated with.
    #[arg(long, value_name = "FILE")]
    pub flat: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `photosite report`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  photosite report ~/astro/2026-11-20-out\n\nThe page needs nothing beside \
                        itself, and opens without a network. An existing page is replaced if Photosite made it."
)]
pub struct ReportArgs {
    /// The folder of a run's products.
    #[arg(value_name = "OUT")]
    pub folder: PathBuf,
    /// The page to write; OUT/report.html by default.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `photosite verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite verify OUT/stacks/*.fits OUT/masters/*.fits\n  photosite verify \
                        dark.fits --inputs darks/\n\nA product of a run is made again by the same run, in a \
                        folder beside it that goes afterwards; this takes as long as the run did. Nothing is \
                        changed. Ends with 0 where all came out the same."
)]
pub struct VerifyArgs {
    /// Products: masters, stacks, calibrated lights.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Files and folders in which frames are looked for that are not where they were.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub inputs: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `photosite pixels`.
#[derive(Debug, Args)]
pub struct PixelsArgs {
    /// The file.
    pub file: PathBuf,
    /// First column, from 0.
    pub x: usize,
    /// First row, from 0.
    pub y: usize,
    /// Columns.
    pub w: usize,
    /// Rows.
    pub h: usize,
}

/// `photosite preview`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite preview light.fits -o light.png\n  photosite preview \
                        m31_rgb.fits -o m31.png --width 2400 --stretch linked\n\nA CFA frame is \
                        shown in colour, one pixel for each cell. The background is never \
                        clipped to black. An existing PNG is replaced if Photosite made it."
)]
pub struct PreviewArgs {
    /// The files; folders too.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The PNG to write; a folder for several files.
    #[arg(short, long, value_name = "PNG|DIR/")]
    pub output: PathBuf,
    /// Width of the PNG; larger images are averaged down to it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub width: Option<u32>,
    /// How the colours are stretched.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = StretchName::Unlinked)]
    pub stretch: StretchName,
}

/// `photosite convert`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite convert IMG_0001.CR2 -o IMG_0001.fits\n  photosite \
                  convert out/masters/bias.fits -o bias.xisf\n  photosite convert light.fits -o \
                  light.tif --format u16 --pedestal 100\n  photosite convert stack.fits -o \
                  plain.fits --image-only\n  photosite convert stack.fits -o stack.tif --range \
                  adu16\n\nSamples are written in ADU, unscaled, and on one scale in every file: \
                  the bounds of XISF are 0 to 65535 whatever the samples. ERR, DQ and PROVENANCE \
                  stay in the FITS file. Existing files are not overwritten."
)]
pub struct ConvertArgs {
    /// The files; folders too.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The file to write; its extension sets the format: .fits, .xisf, .tif. A folder for several files.
    #[arg(short, long, value_name = "FILE|DIR/")]
    pub output: PathBuf,
    /// The format of files that go to a folder.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = FormatName::Fits)]
    pub to: FormatName,
    /// Sample format; by default u16 if the file has at most 16 bits, else f32.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Added to every sample of a u16 file and recorded as PEDESTAL, in ADU.
    #[arg(long, value_name = "ADU", requires = "format")]
    pub pedestal: Option<f32>,
    /// The scale of floating-point samples in XISF and TIFF.
    #[arg(long, value_enum, value_name = "RANGE", default_value = "as-is")]
    pub range: RangeName,
    /// FITS to FITS: the image and its header alone, without ERR, DQ and other extensions.
    #[arg(long)]
    pub image_only: bool,
    /// FITS to FITS: extensions as other software knows them; astropy: UNCERT and MASK, which
    /// CCDData.read takes by itself.
    #[arg(long, value_enum, value_name = "WHOSE", conflicts_with = "image_only")]
    pub extensions: Option<ExtensionsName>,
    /// Print what was done as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Formats that images are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// FITS.
    Fits,
    /// XISF.
    Xisf,
    /// TIFF.
    Tif,
}

impl FormatName {
    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Fits => ".fits",
            Self::Xisf => ".xisf",
            Self::Tif => ".tif",
        }
    }
}

/// Whose names extensions go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExtensionsName {
    /// Those of astropy's CCDData: UNCERT with UTYPE, MASK.
    Astropy,
}

/// Scales of floating-point samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RangeName {
    /// As they are: ADU.
    AsIs,
    /// 0 to 65535 ADU become 0 to 1; samples outside are kept.
    Adu16,
}
