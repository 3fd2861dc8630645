//! What decides whether two frames belong together.

use photosite_pix::{Applied, CfaPattern, Gain, Metadata, RowOrder, Size};
use serde::{Deserialize, Serialize};

use crate::inventory::Frame;

/// One property that frames are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Width and height in pixels.
    Size,
    /// Sensor pixels summed into one.
    Binning,
    /// First column and row on the sensor.
    Region,
    /// Camera name.
    Camera,
    /// The gain register, or ISO.
    GainSetting,
    /// The offset register.
    OffsetSetting,
    /// Read-out mode.
    ReadoutMode,
    /// Which way the rows run in the file.
    RowOrder,
    /// Colour filter array and its phase.
    Cfa,
    /// Sensor temperature.
    Temperature,
    /// Exposure.
    Exposure,
    /// Filter.
    Filter,
    /// Telescope.
    Telescope,
    /// Focal length.
    FocalLength,
    /// Angle of the rotator.
    Rotator,
    /// Time between the two.
    Age,
    /// The dates that a certified master is good for.
    Validity,
    /// Whether a master is in use or was retired.
    LifeCycle,
    /// Whether the file is where it was.
    File,
}

impl Field {
    /// The field as a person reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Binning => "binning",
            Self::Region => "region",
            Self::Camera => "camera",
            Self::GainSetting => "gain setting",
            Self::OffsetSetting => "offset setting",
            Self::ReadoutMode => "read-out mode",
            Self::RowOrder => "row order",
            Self::Cfa => "colour filter array",
            Self::Temperature => "temperature",
            Self::Exposure => "exposure",
            Self::Filter => "filter",
            Self::Telescope => "telescope",
            Self::FocalLength => "focal length",
            Self::Rotator => "rotator angle",
            Self::Age => "age",
            Self::Validity => "dates certified for",
            Self::LifeCycle => "life cycle",
            Self::File => "file",
        }
    }
}

/// The properties of a frame, or of a group of alike frames, that matching looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Traits {
    /// Width and height.
    pub size: Size,
    /// Binning along x and y.
    pub binning: Option<(u32, u32)>,
    /// First column and row on the sensor.
    pub origin: Option<(i64, i64)>,
    /// Camera name.
    pub camera: Option<String>,
    /// What parts this camera from another of its model.
    #[serde(default)]
    pub camera_id: Option<String>,
    /// Gain register.
    pub gain_setting: Option<f64>,
    /// The number on the GAIN card, whatever it means.
    #[serde(default)]
    pub gain_written: Option<f64>,
    /// Offset register.
    pub offset_setting: Option<f64>,
    /// Read-out mode.
    pub readout_mode: Option<String>,
    /// Which way the rows run in the file.
    #[serde(default)]
    pub row_order: Option<RowOrder>,
    /// Colour filter array.
    pub cfa: Option<CfaPattern>,
    /// Sensor temperature in degrees Celsius.
    pub temp_c: Option<f64>,
    /// Exposure in seconds: the shortest of a group.
    pub exposure_s: Option<f64>,
    /// The longest exposure of a group in seconds.
    pub exposure_max_s: Option<f64>,
    /// Filter name as written.
    pub filter: Option<String>,
    /// What a person calls that filter, in the library's list of names.
    #[serde(skip)]
    pub filter_as: Option<String>,
    /// Telescope name.
    pub telescope: Option<String>,
    /// Focal length in millimetres.
    pub focal_length_mm: Option<f64>,
    /// Rotator angle in degrees.
    pub rotator_deg: Option<f64>,
    /// The cooler's set point in degrees Celsius; `None` where there is no cooler.
    pub set_temp_c: Option<f64>,
    /// When it was taken, UTC; of a group the middle one.
    pub date_obs: Option<String>,
    /// Conversion gain in electrons per ADU.
    pub gain_e_per_adu: Option<f64>,
    /// Read noise in electrons.
    pub read_noise_e: Option<f64>,
    /// The header says that the bias was taken out already.
    pub bias_removed: bool,
}

impl Traits {
    /// The traits of one frame.
    ///
    /// The temperature is the sensor's; the set point stands in where the sensor's is not known.
    pub fn of(metadata: &Metadata, size: Size) -> Self {
        Self {
            size,
            binning: metadata.binning,
            origin: metadata.origin,
            camera: metadata.camera.clone(),
            camera_id: camera_id(metadata),
            gain_setting: metadata.gain_setting,
            gain_written: metadata.gain_written,
            offset_setting: metadata.offset_setting,
            readout_mode: metadata.readout_mode.clone(),
            row_order: metadata.row_order,
            cfa: metadata.cfa,
            temp_c: metadata.temp_c.or(metadata.set_temp_c),
            exposure_s: metadata.exposure_s,
            exposure_max_s: metadata.exposure_s,
            filter: metadata.filter.clone(),
            filter_as: None,
            telescope: metadata.telescope.clone(),
            focal_length_mm: metadata.focal_length_mm,
            rotator_deg: metadata.rotator_deg,
            set_temp_c: metadata.set_temp_c,
            date_obs: metadata.date_obs.clone(),
            gain_e_per_adu: metadata.gain_e_per_adu.map(Gain::e_per_adu),
            read_noise_e: metadata.read_noise_e,
            bias_removed: metadata.applied.contains(Applied::BIAS),
        }
    }

    /// A field's value as a person reads it; `None` where it is not known.
    pub fn show(&self, field: Field) -> Option<String> {
        Some(match field {
            Field::Size => self.size.to_string(),
            Field::Binning => self.binning.map(|(x, y)| format!("{x}x{y}"))?,
            Field::Region => self.origin.map(|(x, y)| format!("from ({x}, {y})"))?,
            Field::Camera => match (self.camera.clone(), &self.camera_id) {
                (Some(camera), Some(id)) if !camera.contains(id.as_str()) => {
                    format!("{camera} [{id}]")
                }
                (camera, _) => camera?,
            },
            Field::GainSetting => self.gain_setting.or(self.gain_written)?.to_string(),
            Field::OffsetSetting => self.offset_setting?.to_string(),
            Field::ReadoutMode => self.readout_mode.clone()?,
            Field::RowOrder => match self.row_order? {
                RowOrder::TopDown => "TOP-DOWN".to_owned(),
                RowOrder::BottomUp => "BOTTOM-UP".to_owned(),
            },
            Field::Cfa => self.cfa?.to_string(),
            Field::Temperature => format!("{:.1} C", self.temp_c?),
            Field::Exposure => match (self.exposure_s?, self.exposure_max_s) {
                (low, Some(high)) if high > low => {
                    format!("{} to {} s", show_seconds(low), show_seconds(high))
                }
                (low, _) => format!("{} s", show_seconds(low)),
            },
            Field::Filter => self.filter.clone()?,
            Field::Telescope => self.telescope.clone()?,
            Field::FocalLength => format!("{} mm", show_seconds(self.focal_length_mm?)),
            Field::Rotator => format!("{} degrees", show_seconds(self.rotator_deg?)),
            Field::Age => self.date_obs.as_deref()?.get(..10)?.to_owned(),
            Field::Validity | Field::LifeCycle | Field::File => return None,
        })
    }

    /// Days from 1970-01-01 to when it was taken, UTC.
    ///
    /// # Source
    /// Richards2013, section 15.11, the Gregorian calendar.
    pub fn day(&self) -> Option<f64> {
        let date = self.date_obs.as_deref()?;
        let part = |range: std::ops::Range<usize>| date.get(range)?.parse::<i64>().ok();
        let (y, m, d) = (part(0..4)?, part(5..7)?, part(8..10)?);
        if !(1..=12).contains(&m) || !(1..=31).contains(&d) {
            return None;
        }
        let whole = (1461 * (y + 4800 + (m - 14) / 12)) / 4
            + (367 * (m - 2 - 12 * ((m - 14) / 12))) / 12
            - (3 * ((y + 4900 + (m - 14) / 12) / 100)) / 4
            + d
            - 32075;
        let of_day = |range, unit: f64| part(range).map_or(0.0, |v| v as f64 / unit);
        let time = of_day(11..13, 24.0) + of_day(14..16, 1440.0) + of_day(17..19, 86_400.0);
        Some((whole - 2_440_588) as f64 + time)
    }

    /// The set-up in a few words: what a person must reproduce to shoot a matching frame.
    pub fn describe(&self, fields: &[Field]) -> String {
        let parts: Vec<String> = fields
            .iter()
            .filter_map(|f| {
                let value = self.show(*f)?;
                Some(match f {
                    Field::Exposure | Field::Temperature | Field::Size | Field::Camera => value,
                    _ => format!("{} {value}", f.name()),
                })
            })
            .collect();
        parts.join(", ")
    }
}

/// The traits of a frame as it will be used: cut to the part that sees light.
pub fn frame_traits(frame: &Frame) -> Traits {
    let region = frame.detector.active;
    let mut traits = Traits::of(&frame.metadata, region.size());
    traits.cfa = traits.cfa.map(|c| c.shifted(region.x0, region.y0));
    traits
}

/// Seconds without needless digits.
pub(crate) fn show_seconds(s: f64) -> String {
    let rounded = (s * 1e4).round() / 1e4;
    format!("{rounded}")
}

/// What parts a camera from another of its model: the header's identifier, or else the number that
/// drivers put behind the name of the second one, `(2)`.
fn camera_id(metadata: &Metadata) -> Option<String> {
    let behind = || {
        let name = metadata.camera.as_deref()?.trim().strip_suffix(')')?;
        let (_, number) = name.rsplit_once('(')?;
        let digits = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        digits.then(|| format!("({number})"))
    };
    metadata.camera_id.as_deref().map(|id| id.trim().to_lowercase()).or_else(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cameras_of_one_model_are_parted() {
        let id = |camera: &str, id: Option<&str>| {
            camera_id(&Metadata {
                camera: Some(camera.to_owned()),
                camera_id: id.map(str::to_owned),
                ..Metadata::default()
            })
        };
        assert_eq!(id("ZWO ASI294MC Pro(1)", None).as_deref(), Some("(1)"));
        assert_eq!(id("ZWO ASI294MC Pro (2)", None).as_deref(), Some("(2)"));
        assert_eq!(id("ZWO ASI294MC Pro(2)", Some("83A2")).as_deref(), Some("83a2"));
        assert_eq!(id("ZWO ASI294MC Pro", None), None);
        assert_eq!(id("Simulator (mono)", None), None);
    }
}
