//! Where the noise of a calibrated light comes from.

use photosite_pix::unit::NoiseModel;
use photosite_pix::{Frame, stat};
use serde::{Deserialize, Serialize};

/// The parts of the noise of a pixel of a calibrated light at the level of its sky, in ADU, and what is
/// measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoiseBudget {
    /// Of reading the light out.
    pub read_adu: f64,
    /// Of the light's own dark current.
    pub dark_adu: f64,
    /// Of the light of the sky.
    pub sky_adu: f64,
    /// Of the master bias, where it was subtracted for itself.
    pub bias_master_adu: f64,
    /// Of the master dark.
    pub dark_master_adu: f64,
    /// Of the master flat.
    pub flat_master_adu: f64,
    /// All of them in quadrature.
    pub predicted_adu: f64,
    /// What the light shows, from pixel to pixel.
    pub measured_adu: f64,
}

/// The noise that masters bring along.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MasterNoise {
    /// One standard deviation of a pixel of the bias, in ADU.
    pub bias_adu: f64,
    /// The signal of the dark above its bias, in ADU; a sensor that corrects its black level hides it.
    pub dark_signal_adu: f64,
    /// The variance of a sample of one of its frames, where that is known, in ADU^2.
    pub dark_frame_adu2: Option<f64>,
    /// One standard deviation of a pixel of the dark, in ADU.
    pub dark_adu: f64,
    /// The middle of the flat.
    pub flat_level: Option<f64>,
    /// One standard deviation of a pixel of the flat.
    pub flat: f64,
}

/// One standard deviation of a pixel of a master; 0 where nothing is known of it.
pub(super) fn of_master(frame: &Frame) -> f64 {
    let Some(variance) = &frame.variance else { return 0.0 };
    let middle = f64::from(stat::median_at_a_glance(variance.as_slice()));
    if middle.is_finite() && middle > 0.0 { middle.sqrt() } else { 0.0 }
}

impl NoiseBudget {
    /// Of a light whose sky is at `sky_adu` after calibration, with the noise that was measured in it.
    pub fn of(sky_adu: f64, measured_adu: f64, noise: NoiseModel, masters: MasterNoise) -> Self {
        let gain = noise.gain_e_per_adu.e_per_adu();
        // Everything before the flat is divided by it.
        let flat = masters.flat_level.filter(|f| *f > 0.0).unwrap_or(1.0);
        let shot = |signal_adu: f64| (signal_adu.max(0.0) / gain).sqrt() / flat;
        let read_adu = noise.read_noise_e / gain / flat;
        let dark_adu = match masters.dark_frame_adu2 {
            Some(one) => (one - (read_adu * flat).powi(2)).max(0.0).sqrt() / flat,
            None => shot(masters.dark_signal_adu),
        };
        let own_sky_adu = shot(sky_adu * flat);
        let bias_master_adu = masters.bias_adu / flat;
        let dark_master_adu = masters.dark_adu / flat;
        let flat_master_adu = sky_adu.abs() * masters.flat / flat;
        let parts =
            [read_adu, dark_adu, own_sky_adu, bias_master_adu, dark_master_adu, flat_master_adu];
        Self {
            read_adu,
            dark_adu,
            sky_adu: own_sky_adu,
            bias_master_adu,
            dark_master_adu,
            flat_master_adu,
            predicted_adu: parts.iter().map(|p| p * p).sum::<f64>().sqrt(),
            measured_adu,
        }
    }

    /// By how much less noise there would be without one part, as a share.
    pub fn bought_by(&self, part_adu: f64) -> f64 {
        let whole = self.predicted_adu * self.predicted_adu;
        1.0 - ((whole - part_adu * part_adu).max(0.0) / whole).sqrt()
    }
}
