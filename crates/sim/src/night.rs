//! A night: what is taken, in which order, under which names.

use photosite_pix::{FrameKind, Size};
use serde::{Deserialize, Serialize};

use crate::rng::{Purpose, Stream, mix};
use crate::{Effects, FlatOptics, Preset, Sensor, Sky};

/// How many frames of each kind are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Bias frames.
    pub bias: usize,
    /// Darks of the dark exposure.
    pub darks: usize,
    /// Flats.
    pub flats: usize,
    /// Darks of the flats' exposure.
    pub dark_flats: usize,
    /// Lights.
    pub lights: usize,
}

impl Counts {
    /// The number of frames of `kind`.
    pub fn of(&self, kind: FrameKind) -> usize {
        match kind {
            FrameKind::Bias => self.bias,
            FrameKind::Dark => self.darks,
            FrameKind::Flat => self.flats,
            FrameKind::DarkFlat => self.dark_flats,
            FrameKind::Light => self.lights,
        }
    }
}

/// Everything that decides the frames of a night.
///
/// The seed fixes sensor and star field; a frame's noise depends on its kind, index, exposure and
/// temperature as well, so nights of one seed that differ in exposure are the same camera with
/// other noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Night {
    /// The camera as its driver names it, after `Photosite Simulated`.
    pub camera: String,
    /// The sensor and the optics before it.
    pub sensor: Sensor,
    /// The sky and the flat's lamp.
    pub sky: Sky,
    /// What the frames contain.
    pub effects: Effects,
    /// The seed of every random number.
    pub seed: u64,
    /// Frames of each kind.
    pub counts: Counts,
    /// Exposure of the lights in seconds.
    pub light_exposure_s: f64,
    /// Exposure of the darks in seconds.
    pub dark_exposure_s: f64,
    /// Exposure of flats and dark flats in seconds.
    pub flat_exposure_s: f64,
    /// Exposure of the bias frames in seconds.
    pub bias_exposure_s: f64,
    /// Electrons that the lamp brings in the flats' exposure, at a response and throughput of 1.
    pub flat_level_e: f64,
    /// The temperature asked of the cooler, or at dusk where there is none, in degrees Celsius.
    pub set_temp_c: f64,
    /// The same for the darks, where they are taken at another temperature.
    #[serde(default)]
    pub dark_temp_c: Option<f64>,
    /// What is otherwise before the flats than before the lights.
    #[serde(default)]
    pub flat_optics: Option<FlatOptics>,
    /// The filter in front of a monochrome sensor.
    pub filter: Option<String>,
    /// The target's name.
    pub object: String,
    /// The telescope's name.
    pub telescope: String,
    /// Its focal length in millimetres.
    pub focal_length_mm: f64,
}

/// One frame to be taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FramePlan {
    /// What it is for.
    pub kind: FrameKind,
    /// Its number among its kind, from 0.
    pub index: usize,
    /// Exposure in seconds.
    pub exposure_s: f64,
    /// The sensor's true temperature in degrees Celsius.
    pub temp_c: f64,
    /// Seconds from the beginning of the night to the start of the exposure.
    pub start_s: f64,
    /// The folder it belongs to.
    pub folder: &'static str,
    /// Its file name.
    pub file_name: String,
}

/// Seconds between the end of an exposure and the start of the next.
const READOUT_S: f64 = 3.0;

/// The order of a night: the sky first, then what can wait for daylight.
const ORDER: [FrameKind; 5] =
    [FrameKind::Light, FrameKind::Flat, FrameKind::DarkFlat, FrameKind::Dark, FrameKind::Bias];

impl Night {
    /// A night with a typical camera of that kind, every effect that it shows switched on.
    pub fn preset(preset: Preset, size: Size, seed: u64) -> Self {
        preset.night(size, seed)
    }

    /// The exposure of a frame of `kind` in seconds.
    pub fn exposure_s(&self, kind: FrameKind) -> f64 {
        match kind {
            FrameKind::Light => self.light_exposure_s,
            FrameKind::Dark => self.dark_exposure_s,
            FrameKind::Flat | FrameKind::DarkFlat => self.flat_exposure_s,
            FrameKind::Bias => self.bias_exposure_s,
        }
    }

    /// The frames in the order in which they are taken.
    pub fn frames(&self) -> Vec<FramePlan> {
        let total: f64 = ORDER
            .iter()
            .map(|&kind| self.counts.of(kind) as f64 * (self.exposure_s(kind) + READOUT_S))
            .sum();
        let mut frames = Vec::new();
        let mut start_s = 0.0;
        for kind in ORDER {
            let exposure_s = self.exposure_s(kind);
            for index in 0..self.counts.of(kind) {
                frames.push(FramePlan {
                    kind,
                    index,
                    exposure_s,
                    temp_c: self.temp_c(kind, index, exposure_s, start_s / total),
                    start_s,
                    folder: folder(kind),
                    file_name: self.file_name(kind, index, exposure_s),
                });
                start_s += exposure_s + READOUT_S;
            }
        }
        frames
    }

    /// The key of a frame's random numbers; of the set temperature, not the true one, so that the
    /// switch of the drift leaves the noise as it is.
    pub(crate) fn frame_key(&self, kind: FrameKind, index: usize, exposure_s: f64) -> u64 {
        [index as u64, exposure_s.to_bits(), self.asked_c(kind).to_bits()]
            .into_iter()
            .fold(1 + kind as u64, |key, part| mix(key).wrapping_add(mix(part ^ key)))
    }

    /// The temperature asked of the cooler for frames of a kind, in degrees Celsius.
    pub(crate) fn asked_c(&self, kind: FrameKind) -> f64 {
        self.dark_temp_c.filter(|_| kind == FrameKind::Dark).unwrap_or(self.set_temp_c)
    }

    /// The sensor's temperature after `share` of the night.
    fn temp_c(&self, kind: FrameKind, index: usize, exposure_s: f64, share: f64) -> f64 {
        if !self.effects.contains(Effects::TEMPERATURE_DRIFT) {
            return self.asked_c(kind);
        }
        let key = self.frame_key(kind, index, exposure_s);
        let mut random = Stream::new(self.seed, key, Purpose::Temperature);
        let jitter = (0.5 * random.gaussian()).clamp(-1.0, 1.0);
        // A camera warms fast at first, then settles.
        let rise = share * (2.0 - share);
        self.asked_c(kind) + self.sensor.temp_jitter_c * jitter + self.sensor.temp_rise_c * rise
    }

    fn file_name(&self, kind: FrameKind, index: usize, exposure_s: f64) -> String {
        let exposure = if exposure_s < 1.0 {
            format!("{:.1}ms", exposure_s * 1000.0)
        } else {
            format!("{exposure_s:.1}s")
        };
        let filter = self.filter.as_ref().map(|f| format!("{f}_")).unwrap_or_default();
        let number = index + 1;
        match kind {
            FrameKind::Light => format!("Light_{}_{exposure}_{number:04}.fits", self.object),
            FrameKind::Flat => format!("Flat_{filter}{exposure}_{number:04}.fits"),
            FrameKind::DarkFlat => format!("DarkFlat_{exposure}_{number:04}.fits"),
            FrameKind::Dark => format!("Dark_{exposure}_{number:04}.fits"),
            FrameKind::Bias => format!("Bias_{exposure}_{number:04}.fits"),
        }
    }
}

fn folder(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Light => "lights",
        FrameKind::Flat => "flats",
        FrameKind::DarkFlat => "darkflats",
        FrameKind::Dark => "darks",
        FrameKind::Bias => "bias",
    }
}
