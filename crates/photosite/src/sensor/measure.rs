//! What is measured, in one form for tables, JSON, profiles and pages.

use photosite_pix::linearity::Curve;
use serde::{Deserialize, Serialize};

use super::estimate::Estimate;
use super::maps::PixelMap;
use crate::Finding;

/// The schema of a report on a sensor.
pub const SENSOR_SCHEMA: &str = "photosite.sensor/1";

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What was measured: `gain`, `read_noise`, `dark_current` and others.
    pub name: String,
    /// The value; `None` where there is none.
    pub value: Option<f64>,
    /// The lower end of the interval that holds the truth in 95 of 100 cases.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// The unit of all three.
    pub unit: String,
    /// How it was measured.
    pub method: String,
    /// The colour of the filter array that it is of; `None` for all pixels.
    pub channel: Option<String>,
    /// The amplifier, counted from 0; `None` for all pixels.
    pub amplifier: Option<u32>,
    /// The temperature of the sensor in degrees Celsius.
    pub temp_c: Option<f64>,
    /// The exposure in seconds.
    pub exposure_s: Option<f64>,
    /// The frames it rests on.
    pub frames: Vec<String>,
    /// Whether it can be used.
    pub valid: bool,
    /// Why it cannot, or what restricts it; empty otherwise.
    pub reason: String,
}

impl Measure {
    /// A value that is good as it is.
    pub fn of(name: &str, estimate: Estimate, unit: &str, method: &str) -> Self {
        Self {
            value: Some(estimate.value),
            low: finite(estimate.low()),
            high: finite(estimate.high()),
            ..Self::none(name, unit, method, "")
        }
        .with_valid(true)
    }

    /// A value that others rest on: of no use where it is not told from zero, or known to 30 % at best.
    pub fn known(name: &str, estimate: Estimate, unit: &str, method: &str) -> Self {
        let measure = Self::of(name, estimate, unit, method);
        match estimate.is_known() {
            true => measure,
            false => {
                measure.invalid("its error is larger than 30 % of it, or its interval holds 0")
            }
        }
    }

    /// A value that could not be measured, and why.
    pub fn none(name: &str, unit: &str, method: &str, reason: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: None,
            low: None,
            high: None,
            unit: unit.to_owned(),
            method: method.to_owned(),
            channel: None,
            amplifier: None,
            temp_c: None,
            exposure_s: None,
            frames: Vec::new(),
            valid: false,
            reason: reason.to_owned(),
        }
    }

    /// The root of a variance, in units of `factor`; not told from zero where the variance is not.
    pub fn root_of(name: &str, variance: Estimate, factor: f64, unit: &str, method: &str) -> Self {
        let (value, low, high) = variance.root();
        let measure = Self::of(name, Estimate::known(value * factor, 0.0), unit, method)
            .within(low * factor, high * factor);
        if low > 0.0 { measure } else { measure.but("not told from zero") }
    }

    /// Sets the interval.
    #[must_use]
    pub fn within(mut self, low: f64, high: f64) -> Self {
        (self.low, self.high) = (finite(low), finite(high));
        self
    }

    fn with_valid(mut self, valid: bool) -> Self {
        self.valid = valid;
        self
    }

    /// Names the frames.
    #[must_use]
    pub fn from(mut self, frames: impl IntoIterator<Item = String>) -> Self {
        for frame in frames {
            if !self.frames.contains(&frame) {
                self.frames.push(frame);
            }
        }
        self
    }

    /// Says that it cannot be used.
    #[must_use]
    pub fn invalid(mut self, reason: impl Into<String>) -> Self {
        self.valid = false;
        self.reason = reason.into();
        self
    }

    /// Says what restricts it.
    #[must_use]
    pub fn but(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Says at which temperature and exposure.
    #[must_use]
    pub fn at(mut self, temp_c: Option<f64>, exposure_s: Option<f64>) -> Self {
        (self.temp_c, self.exposure_s) = (temp_c, exposure_s);
        self
    }

    /// Says of which colour.
    #[must_use]
    pub fn of_channel(mut self, channel: Option<&str>) -> Self {
        self.channel = channel.map(str::to_owned);
        self
    }

    /// Says of which amplifier.
    #[must_use]
    pub fn of_amplifier(mut self, amplifier: usize) -> Self {
        self.amplifier = u32::try_from(amplifier).ok();
        self
    }

    /// Whether it is of all pixels: of no colour and no amplifier alone.
    pub fn is_of_all(&self) -> bool {
        self.channel.is_none() && self.amplifier.is_none()
    }

    /// The value with its error, of a measure that is valid.
    pub fn estimate(&self) -> Option<Estimate> {
        let value = self.value.filter(|_| self.valid)?;
        let half = self.low.zip(self.high).map_or(0.0, |(l, h)| 0.5 * (h - l));
        Some(Estimate::known(value, half / 1.96))
    }
}

fn finite(v: f64) -> Option<f64> {
    v.is_finite().then_some(v)
}

/// A frame that would tell more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingFrames {
    /// What cannot be measured, or only badly, without them.
    pub measure: String,
    /// What to take.
    pub take: String,
}

/// A series of points for a plot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Which plot it belongs to: `photon_transfer`, `linearity`, `dark_level` and others.
    pub plot: String,
    /// What it shows.
    pub label: String,
    /// The points: x, y and the standard error of y.
    pub points: Vec<[f64; 3]>,
}

/// Everything that was measured of a sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SensorReport {
    /// [`SENSOR_SCHEMA`].
    pub schema: String,
    /// The camera, as its headers name it.
    pub camera: Option<String>,
    /// Its settings, as far as headers name them.
    pub set_up: std::collections::BTreeMap<String, String>,
    /// The values.
    pub measures: Vec<Measure>,
    /// Frames that would tell more.
    pub missing: Vec<MissingFrames>,
    /// What was found on the way.
    pub findings: Vec<Finding>,
    /// What plots show.
    pub series: Vec<Series>,
    /// What straightens its response, where that bends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<Curve>,
    /// Maps of single pixels, where they were asked for.
    #[serde(skip)]
    pub maps: Vec<PixelMap>,
}

impl SensorReport {
    /// The first valid measure of a name, of all pixels.
    pub fn measure(&self, name: &str) -> Option<&Measure> {
        self.measures.iter().find(|m| m.name == name && m.valid && m.is_of_all())
    }
}

/// A number to five digits, to three where it is below a ten-thousandth.
pub fn significant(v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return format!("{v}");
    }
    if v.abs() < 1e-4 {
        return format!("{v:.2e}");
    }
    let digits = (4 - v.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{v:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
