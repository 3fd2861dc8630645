//! `photosite defects`, as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use photosite::run::Exchange;

/// `photosite defects`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite defects build darks/ flats/ bias/ -o map.fits\n  photosite \
                        defects show map.fits -o map.png\n  photosite defects diff 2025.fits \
                        2026.fits\n  photosite run night/ -o out --defects map.fits\n\nHot, warm, cold and \
                        unstable pixels, columns, rows and clusters. Darks tell of hot and warm pixels, flats \
                        of cold ones (and, at two levels, of those whose response bends), 20 darks or biases \
                        of unstable ones, 50 of their levels."
)]
pub struct DefectsArgs {
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: DefectsVerb,
}

/// What can be done with defect maps.
#[derive(Debug, Subcommand)]
pub enum DefectsVerb {
    /// Build a map of darks, flats and biases.
    #[command(
        after_help = "Example:\n  photosite defects build --darks darks_300s/ --flats flats/ --biases bias/ \
                            -o map.fits"
    )]
    Build {
        /// Frames and folders of them, sorted by what their headers say.
        #[arg(value_name = "PATHS")]
        paths: Vec<PathBuf>,
        /// Darks, whatever their headers say.
        #[arg(long, value_name = "PATH", num_args = 1..)]
        darks: Vec<PathBuf>,
        /// Flats.
        #[arg(long, value_name = "PATH", num_args = 1..)]
        flats: Vec<PathBuf>,
        /// Bias frames.
        #[arg(long, value_name = "PATH", num_args = 1.., alias = "bias")]
        biases: Vec<PathBuf>,
        /// Lights that were dithered: what stands still while the stars move is a defect.
        #[arg(long, value_name = "PATH", num_args = 1..)]
        lights: Vec<PathBuf>,
        /// The map to write.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Show what a map holds: counts, lines, the worst pixels, a picture.
    #[command(
        after_help = "Example:\n  photosite defects show map.fits -o map.png\n\nHot red, warm brown, \
                            cold blue, unstable green, bent magenta, without data white."
    )]
    Show {
        /// The map.
        #[arg(value_name = "MAP")]
        map: PathBuf,
        /// A PNG to draw.
        #[arg(short, long, value_name = "PNG")]
        output: Option<PathBuf>,
    },
    /// Compare two maps of a sensor: new, healed and worse pixels, hot pixels a month.
    #[command(after_help = "Example:\n  photosite defects diff map_2025.fits map_2026.fits --json")]
    Diff {
        /// The older map.
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The newer map.
        #[arg(value_name = "NEW")]
        new: PathBuf,
    },
    /// Make a map of another program's list or mask: Siril .lst, PixInsight, IRAF, LSST, an image.
    #[command(
        after_help = "Examples:\n  photosite defects import bad.lst --like dark.fits -o map.fits\n  \
                            photosite defects import defectmap.xisf --zero-is-bad -o map.fits\n\nThe format \
                            of a list is seen by its first lines. Siril counts rows from the last of the \
                            file; that is heeded."
    )]
    Import {
        /// The list or mask.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// A frame of the sensor: lists do not tell its size.
        #[arg(long, value_name = "FRAME")]
        like: Option<PathBuf>,
        /// A mask whose samples are 0 where a pixel is defective (PixInsight's DefectMap).
        #[arg(long)]
        zero_is_bad: bool,
        /// The map to write.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Write the pixels that are repaired as another program's list.
    #[command(
        after_help = "Example:\n  photosite defects export map.fits --to siril -o bad.lst\n\nA FITS \
                            mask needs no export: the map is one."
    )]
    Export {
        /// The map.
        #[arg(value_name = "MAP")]
        map: PathBuf,
        /// The format; by default that of the ending: .lst Siril, .txt PixInsight, .bad or .dat IRAF, .ecsv
        /// LSST.
        #[arg(long, value_enum, value_name = "FORMAT")]
        to: Option<ListName>,
        /// The list to write.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// Lists of other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListName {
    /// Siril's .lst.
    Siril,
    /// PixInsight's defect list.
    Pixinsight,
    /// IRAF's bad pixel file.
    Iraf,
    /// LSST's boxes, ECSV.
    Lsst,
}

impl From<ListName> for Exchange {
    fn from(name: ListName) -> Self {
        match name {
            ListName::Siril => Self::Siril,
            ListName::Pixinsight => Self::PixInsight,
            ListName::Iraf => Self::Iraf,
            ListName::Lsst => Self::Lsst,
        }
    }
}
