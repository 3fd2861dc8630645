//! `photosite dark-model`, as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `photosite dark-model`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite dark-model build darks/ bias/ -o model.fits\n  photosite \
                        dark-model report model.fits\n  photosite dark-model synthesize model.fits \
                        --exposure 240 --temp -10 -o dark_240s.fits\n\nA model is made of darks of two \
                        exposures and biases, or of darks of three exposures; glow that does not grow \
                        linearly needs three exposures and biases, other temperatures need darks that \
                        span 4 C or more."
)]
pub struct DarkModelArgs {
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: DarkModelVerb,
}

/// What can be done with a dark model.
#[derive(Debug, Subcommand)]
pub enum DarkModelVerb {
    /// Build a model of darks and biases of several exposures or temperatures.
    #[command(
        after_help = "Example:\n  photosite dark-model build darks_60s/ darks_300s/ darks_600s/ \
                            bias/ -o model.fits\n\nMasters are made on the way, in a folder beside the \
                            model (model-masters), and found again the next time."
    )]
    Build {
        /// Darks and biases: frames, masters, and folders of them.
        #[arg(required = true, value_name = "PATHS")]
        paths: Vec<PathBuf>,
        /// The model to write.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Write the dark of an exposure and temperature; refused beyond what the model's darks prove.
    #[command(
        after_help = "Example:\n  photosite dark-model synthesize model.fits --exposure 240 --temp \
                            -10 -o dark_240s.fits\n  photosite calibrate lights/*.fits -o out --dark \
                            dark_240s.fits"
    )]
    Synthesize {
        /// The model.
        #[arg(value_name = "MODEL")]
        model: PathBuf,
        /// Exposure in seconds.
        #[arg(long, value_name = "S")]
        exposure: f64,
        /// Sensor temperature in degrees Celsius.
        #[arg(long, value_name = "C", allow_negative_numbers = true)]
        temp: f64,
        /// The master dark to write.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Show what a model proves: rates, doubling temperature, glow, and masters foretold from the others.
    #[command(after_help = "Example:\n  photosite dark-model report model.fits --json")]
    Report {
        /// The model.
        #[arg(value_name = "MODEL")]
        model: PathBuf,
    },
}
