//! What a header says, in one vocabulary.

use serde::{Deserialize, Serialize};

use crate::{Amplifier, Applied, CfaPattern, Gain, Rect};

/// What a frame was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FrameKind {
    /// The shortest exposure in the dark: offset and read noise.
    Bias,
    /// An exposure in the dark.
    Dark,
    /// A dark of the flats' exposure.
    DarkFlat,
    /// An evenly lit exposure.
    Flat,
    /// The sky.
    Light,
}

impl FrameKind {
    /// Every kind, in the order in which masters are built.
    pub const ALL: [Self; 5] = [Self::Bias, Self::Dark, Self::DarkFlat, Self::Flat, Self::Light];

    /// The kind of this [`name`](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name() == name)
    }

    /// The kind as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bias => "bias",
            Self::Dark => "dark",
            Self::DarkFlat => "dark flat",
            Self::Flat => "flat",
            Self::Light => "light",
        }
    }

    /// The kind as commands and file names write it.
    pub fn slug(self) -> &'static str {
        match self {
            Self::DarkFlat => "dark-flat",
            other => other.name(),
        }
    }
}

impl std::fmt::Display for FrameKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Which way the rows of a file run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RowOrder {
    /// The first row of the file is the top of the picture.
    TopDown,
    /// The first row of the file is the bottom of the picture.
    BottomUp,
}

/// A card whose value is not what its keyword promises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unread {
    /// The keyword.
    pub keyword: String,
    /// Its value as it stands in the file.
    pub text: String,
}

/// Everything known about how a frame was taken; what is not known is `None`, never a stand-in.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Metadata {
    /// What the header says the frame is.
    pub kind: Option<FrameKind>,
    /// The frame is a combination of several.
    pub is_master: bool,
    /// How many frames were combined.
    pub combined_count: Option<u32>,
    /// Exposure in seconds.
    pub exposure_s: Option<f64>,
    /// Sensor temperature in degrees Celsius.
    pub temp_c: Option<f64>,
    /// Temperature asked of the cooler, in degrees Celsius.
    pub set_temp_c: Option<f64>,
    /// The camera's gain register, or ISO: a setting, not a conversion gain.
    pub gain_setting: Option<f64>,
    /// The camera's offset register.
    pub offset_setting: Option<f64>,
    /// Conversion gain in electrons per ADU.
    pub gain_e_per_adu: Option<Gain>,
    /// Read noise in electrons.
    pub read_noise_e: Option<f64>,
    /// The number on the GAIN card, whatever it means: two frames with different numbers were taken
    /// with different settings.
    #[serde(default)]
    pub gain_written: Option<f64>,
    /// Filter name as written, its letters' case kept; with two filter wheels both names, joined by
    /// `+`.
    pub filter: Option<String>,
    /// Sensor pixels summed into one, along x and y.
    pub binning: Option<(u32, u32)>,
    /// First column and row of the frame on the sensor, in binned pixels.
    pub origin: Option<(i64, i64)>,
    /// Columns and rows that never see light, used to follow the bias level.
    pub overscan: Option<Rect>,
    /// The part of the frame that sees light.
    pub active_area: Option<Rect>,
    /// The outputs that the sensor was read through, in pixels of the frame; none is one for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amplifiers: Vec<Amplifier>,
    /// The colour filter array as it lies over the first pixels of the file.
    pub cfa: Option<CfaPattern>,
    /// Which way the rows run.
    pub row_order: Option<RowOrder>,
    /// The camera's read-out mode.
    pub readout_mode: Option<String>,
    /// Camera name.
    pub camera: Option<String>,
    /// What parts this camera from another of its model: serial number or driver's identifier.
    #[serde(default)]
    pub camera_id: Option<String>,
    /// Telescope name.
    pub telescope: Option<String>,
    /// Focal length in millimetres.
    pub focal_length_mm: Option<f64>,
    /// Rotator angle in degrees.
    pub rotator_deg: Option<f64>,
    /// Pixel size in micrometres along x and y, binning included.
    pub pixel_um: Option<(f64, f64)>,
    /// Start of the exposure, UTC, as `YYYY-MM-DDThh:mm:ss[.fff]`; `YYYY-MM-DD` where only the day is known.
    pub date_obs: Option<String>,
    /// The target's name.
    pub object: Option<String>,
    /// A constant that was added to the samples and is to be subtracted, in ADU.
    pub pedestal_adu: Option<f64>,
    /// The level in ADU from which a raw sample counts as saturated.
    pub saturation_adu: Option<f64>,
    /// DATAMAX as written: a converter's full scale, a saturation level, or merely the largest sample.
    #[serde(default)]
    pub data_max_adu: Option<f64>,
    /// The steps that the header says were done.
    pub applied: Applied,
    /// The program that wrote the file.
    pub software: Option<String>,
    /// Cards that should say something of the above and cannot be read.
    #[serde(default)]
    pub unread: Vec<Unread>,
}
