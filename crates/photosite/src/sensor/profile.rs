//! What is known of a camera, as a file that people read and keep.

use std::collections::BTreeMap;

use photosite_pix::linearity::Curve;
use photosite_pix::unit::NoiseModel;
use serde::{Deserialize, Serialize};

use super::measure::{Measure, SensorReport};
use crate::{Error, Result};

/// The schema of a profile.
pub const PROFILE_SCHEMA: &str = "photosite.sensor-profile/1";

/// Two values of one temperature or exposure lie at most so far apart, in degrees or as a share.
const SAME_TEMP_C: f64 = 1.0;
const SAME_EXPOSURE: f64 = 0.02;

/// Full pixels scatter by read noise: so many standard deviations below their level all are full.
const FULL_SIGMAS: f64 = 5.0;

/// One value of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileValue {
    /// What it is: `gain`, `read_noise`, `dark_current` and others.
    pub name: String,
    /// The value.
    pub value: f64,
    /// The lower end of the interval that holds the truth in 95 of 100 cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Its upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The unit of all three.
    pub unit: String,
    /// The colour that it is of; of all pixels where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The amplifier that it is of, counted from 0; of all pixels where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amplifier: Option<u32>,
    /// The temperature of the sensor in degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp_c: Option<f64>,
    /// The exposure in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure_s: Option<f64>,
    /// How it was measured.
    pub method: String,
    /// Where it was published, of a value that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many frames it rests on.
    pub frames: usize,
}

/// A camera's profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// [`PROFILE_SCHEMA`].
    pub schema: String,
    /// The camera, as its headers name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// Its settings: gain setting, offset setting, binning and others, as headers give them.
    #[serde(default)]
    pub set_up: BTreeMap<String, String>,
    /// The values.
    #[serde(rename = "measure", default)]
    pub values: Vec<ProfileValue>,
    /// What straightens its response, where that bends.
    #[serde(rename = "curve", default, skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<Curve>,
}

impl Profile {
    /// The valid values of a report.
    pub fn of(report: &SensorReport) -> Self {
        let value = |m: &Measure| {
            Some(ProfileValue {
                name: m.name.clone(),
                value: m.value.filter(|_| m.valid)?,
                low: m.low,
                high: m.high,
                unit: m.unit.clone(),
                channel: m.channel.clone(),
                amplifier: m.amplifier,
                temp_c: m.temp_c,
                exposure_s: m.exposure_s,
                method: m.method.clone(),
                source: None,
                frames: m.frames.len(),
            })
        };
        Self {
            schema: PROFILE_SCHEMA.to_owned(),
            camera: report.camera.clone(),
            set_up: report.set_up.clone(),
            values: report.measures.iter().filter_map(value).collect(),
            curves: report.curves.clone(),
        }
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// When the text is no profile; the message says where.
    pub fn parse(text: &str) -> Result<Self> {
        let profile: Self = toml::from_str(text)
            .map_err(|e| Error::parameters(format!("no sensor profile: {e}")))?;
        if profile.schema != PROFILE_SCHEMA {
            let message =
                format!("the profile is of schema {:?}, not {PROFILE_SCHEMA:?}", profile.schema);
            return Err(Error::parameters(message));
        }
        for curve in &profile.curves {
            curve.clone().checked().map_err(Error::parameters)?;
        }
        let finite = |v: Option<f64>| v.is_none_or(f64::is_finite);
        if let Some(bad) = profile
            .values
            .iter()
            .find(|v| !(v.value.is_finite() && finite(v.low) && finite(v.high)))
        {
            return Err(Error::parameters(format!("{} in the profile is no number", bad.name)));
        }
        Ok(profile)
    }

    /// The profile as text.
    ///
    /// # Errors
    /// Never for a profile that was made here or read.
    pub fn text(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::bug(format!("a profile that is no TOML: {e}")))
    }

    /// The first value of a name and unit, of all pixels.
    pub fn value(&self, name: &str, unit: &str) -> Option<&ProfileValue> {
        let of_all = |v: &&ProfileValue| v.channel.is_none() && v.amplifier.is_none();
        self.values.iter().filter(of_all).find(|v| v.name == name && v.unit == unit)
    }

    /// Gain and read noise.
    pub fn noise(&self) -> Option<NoiseModel> {
        NoiseModel::new(self.value("gain", "e-/ADU")?.value, self.value("read_noise", "e-")?.value)
    }

    /// The level of a raw sample in ADU from which it must be taken as saturated: where flats ended, less
    /// the scatter of samples there.
    pub fn saturation_adu(&self) -> Option<f64> {
        let (gain, read) =
            (self.value("gain", "e-/ADU")?.value, self.value("read_noise", "e-")?.value);
        let full = self.value("saturation", "e-")?.value / gain;
        let spread = FULL_SIGMAS * read / gain;
        Some((self.value("bias_level", "ADU")?.value + full - spread).floor())
    }

    /// What the file of this profile is called in a library: maker, model, and serial number or set-up.
    pub fn place(&self) -> [String; 3] {
        let camera = self.camera.as_deref().unwrap_or("unknown");
        let (make, model) = camera.trim().split_once(' ').unwrap_or(("unknown", camera));
        let mut stem: Vec<String> = Vec::new();
        for (key, word) in [
            ("serial", ""),
            ("gain setting", "gain"),
            ("offset setting", "offset"),
            ("binning", "bin"),
            ("read-out mode", ""),
        ] {
            stem.extend(self.set_up.get(key).map(|v| format!("{word}{}", plain_name(v))));
        }
        let stem = if stem.is_empty() { "any".to_owned() } else { stem.join("_") };
        [plain_name(make), plain_name(model), stem]
    }
}

/// A text as a part of a file's name: lower-case letters and digits, hyphens between; `unknown` of nothing.
pub fn plain_name(text: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = text.chars().map(kept).collect();
    let parts: Vec<&str> = text.split('-').filter(|p| !p.is_empty()).collect();
    if parts.is_empty() { "unknown".to_owned() } else { parts.join("-") }
}

/// A value in two profiles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What it is.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// The colour.
    pub channel: Option<String>,
    /// The amplifier.
    pub amplifier: Option<u32>,
    /// The temperature in degrees Celsius.
    pub temp_c: Option<f64>,
    /// The exposure in seconds.
    pub exposure_s: Option<f64>,
    /// The value in the first.
    pub first: f64,
    /// The value in the second.
    pub second: f64,
    /// The second less the first, in standard errors of both together; `None` where those are not known.
    pub sigmas: Option<f64>,
}

/// Compares the values that two profiles share; a method is compared with the same method.
pub fn difference(first: &Profile, second: &Profile) -> Vec<Difference> {
    let near = |a: Option<f64>, b: Option<f64>, reach: &dyn Fn(f64) -> f64| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= reach(b),
        (None, None) => true,
        _ => false,
    };
    let same = |a: &ProfileValue, b: &ProfileValue| {
        let of = |v: &ProfileValue| (v.channel.clone(), v.amplifier);
        (&a.name, &a.unit, &a.method) == (&b.name, &b.unit, &b.method)
            && of(a) == of(b)
            && near(a.temp_c, b.temp_c, &|_| SAME_TEMP_C)
            && near(a.exposure_s, b.exposure_s, &|t| SAME_EXPOSURE * t)
    };
    let error = |v: &ProfileValue| Some((v.high? - v.low?) / (2.0 * 1.96));
    let compare = |a: &ProfileValue| {
        let b = second.values.iter().find(|b| same(a, b))?;
        let both = error(a).zip(error(b)).map(|(a, b)| a.hypot(b)).filter(|e| *e > 0.0);
        Some(Difference {
            name: a.name.clone(),
            unit: a.unit.clone(),
            channel: a.channel.clone(),
            amplifier: a.amplifier,
            temp_c: a.temp_c,
            exposure_s: a.exposure_s,
            first: a.value,
            second: b.value,
            sigmas: both.map(|e| (b.value - a.value) / e),
        })
    };
    // The chance of a pair of flats is of that pair, not of the camera.
    let of_camera = |v: &&ProfileValue| v.unit != "chance";
    first.values.iter().filter(of_camera).filter_map(compare).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Estimate;
    use super::*;

    fn profile(gain: f64) -> Profile {
        let frames = || (0..4).map(|i| format!("{i}.fits"));
        let measures = vec![
            Measure::of("gain", Estimate::known(gain, 0.01), "e-/ADU", "photon transfer")
                .from(frames()),
            Measure::of("read_noise", Estimate::known(1.5, 0.02), "e-", "pairs").from(frames()),
            Measure::none("full_well", "e-", "plateau", "no flat is saturated"),
        ];
        let set_up = [("gain setting", "100"), ("binning", "1x1")];
        let set_up = set_up.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Profile::of(&SensorReport {
            schema: String::new(),
            camera: Some("ZWO ASI2600MM Pro".to_owned()),
            set_up,
            measures,
            missing: Vec::new(),
            findings: Vec::new(),
            series: Vec::new(),
            curves: Vec::from_iter(photosite_pix::linearity::Curve::polynomial(&[6e-7], Some(5e4))),
            maps: Vec::new(),
        })
    }

    #[test]
    fn a_profile_is_read_as_it_was_written() {
        let first = profile(0.25);
        let text = first.text().unwrap();
        assert_eq!(Profile::parse(&text).unwrap(), first);
        assert_eq!(first.noise().unwrap().gain_e_per_adu.e_per_adu(), 0.25);
        assert_eq!(first.values.len(), 2);
        assert_eq!(first.place(), ["zwo", "asi2600mm-pro", "gain100_bin1x1"]);
        for bad in [
            "",
            "schema = \"other/1\"",
            &text.replace("0.25", "nan"),
            &text.replace("unit", "units"),
        ] {
            assert!(Profile::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn profiles_are_compared_by_their_errors() {
        let differ = difference(&profile(0.25), &profile(0.30));
        assert_eq!(differ.len(), 2);
        assert!(
            (differ[0].sigmas.unwrap() - 0.05 / 0.01f64.hypot(0.01)).abs() < 0.01,
            "{differ:?}"
        );
        assert_eq!(differ[1].sigmas, Some(0.0));
    }
}
