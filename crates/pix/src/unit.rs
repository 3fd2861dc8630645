//! Units that types keep apart.

use serde::{Deserialize, Serialize};

/// What a frame's samples count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Analogue-to-digital units, as the camera wrote them.
    Adu,
    /// Electrons.
    Electron,
    /// A response relative to its own mean: a master flat.
    Relative,
}

impl Unit {
    /// The value of the FITS keyword BUNIT (FITS 4.0, section 4.3).
    pub fn bunit(self) -> &'static str {
        match self {
            Self::Adu => "adu",
            Self::Electron => "electron",
            Self::Relative => "",
        }
    }
}

/// A conversion gain in electrons per ADU: never the camera's gain register.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Gain(f64);

impl Gain {
    /// A gain of `e_per_adu`; `None` unless it is positive and finite.
    pub fn new(e_per_adu: f64) -> Option<Self> {
        (e_per_adu.is_finite() && e_per_adu > 0.0).then_some(Self(e_per_adu))
    }

    /// Electrons per ADU.
    pub fn e_per_adu(self) -> f64 {
        self.0
    }
}

/// The noise of one camera setting: what a variance plane is made from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoiseModel {
    /// Electrons per ADU.
    pub gain_e_per_adu: Gain,
    /// Read noise in electrons, one standard deviation.
    pub read_noise_e: f64,
}

impl NoiseModel {
    /// A noise model; `None` unless the gain is positive and the read noise is finite and not
    /// negative.
    pub fn new(gain_e_per_adu: f64, read_noise_e: f64) -> Option<Self> {
        let gain_e_per_adu = Gain::new(gain_e_per_adu)?;
        (read_noise_e.is_finite() && read_noise_e >= 0.0)
            .then_some(Self { gain_e_per_adu, read_noise_e })
    }

    /// The variance in ADU² of a sample that holds `signal_adu` above the bias level.
    ///
    /// `(read_noise_e / g)² + max(signal_adu, 0) / g`; NaN in, NaN out.
    ///
    /// # Source
    /// Janesick2001, photon transfer, section 2.
    pub fn variance_adu2(self, signal_adu: f64) -> f64 {
        let g = self.gain_e_per_adu.e_per_adu();
        let read_adu = self.read_noise_e / g;
        // `f64::max` would turn a missing signal into 0.
        let signal = if signal_adu < 0.0 { 0.0 } else { signal_adu };
        read_adu * read_adu + signal / g
    }
}
