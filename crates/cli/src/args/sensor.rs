//! `photosite sensor`, as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::night::KindArgs;
use super::place::PlaceArgs;

/// `photosite sensor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite sensor measure calibration/ -o camera/\n  photosite sensor gain \
                        flats/ bias/\n  photosite sensor diff camera/sensor.toml \
                        camera_2025/sensor.toml\n\nTwo flats and two biases tell gain and read noise; darks \
                        of two exposures tell dark current; a second temperature tells how it doubles; flats \
                        of six exposures under one lamp tell linearity."
)]
pub struct SensorArgs {
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: SensorVerb,
}

/// What can be asked of a sensor.
#[derive(Debug, Subcommand)]
pub enum SensorVerb {
    /// Measure all that biases, darks and flats tell.
    Measure(MeasureArgs),
    /// Electrons per ADU, full well, the converter's bits.
    Gain(MeasureArgs),
    /// Read noise, and what else biases tell.
    ReadNoise(MeasureArgs),
    /// Dark current, by level and by noise.
    DarkCurrent(MeasureArgs),
    /// How linear the sensor is.
    Linearity(MeasureArgs),
    /// How dark current grows with temperature.
    Temperature(MeasureArgs),
    /// Periodic patterns in biases.
    Interference(MeasureArgs),
    /// Compare two profiles: two cameras, or one in two years.
    #[command(after_help = "Example:\n  photosite sensor diff 2025/sensor.toml 2026/sensor.toml")]
    Diff {
        /// The first profile.
        #[arg(value_name = "PROFILE")]
        first: PathBuf,
        /// The second profile.
        #[arg(value_name = "PROFILE")]
        second: PathBuf,
    },
    /// Keep a profile in the library, where run uses it for frames whose headers give no gain.
    #[command(after_help = "Example:\n  photosite sensor keep camera/sensor.toml")]
    Keep {
        /// The profile, as sensor measure -o writes it.
        #[arg(value_name = "PROFILE")]
        profile: PathBuf,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// The frames of a sensor.
#[derive(Debug, Args)]
pub struct MeasureArgs {
    /// Biases, darks and flats: files, and folders of them.
    #[arg(required = true, value_name = "PATHS")]
    pub paths: Vec<PathBuf>,
    /// A folder for sensor.json, sensor.toml (the camera's profile) and sensor.html.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// The sky in electrons a second a pixel, for advice on exposure and cooling.
    #[arg(long, value_name = "E")]
    pub sky: Option<f64>,
    #[command(flatten)]
    pub kinds: KindArgs,
}
