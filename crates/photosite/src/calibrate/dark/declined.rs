//! Why a dark is not scaled for a light.

use serde::{Deserialize, Serialize};

/// Fewest hot pixels of which a factor is believed.
pub(super) const FEWEST: usize = 40;

/// Why a dark is not to be scaled for a light.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Declined {
    /// There are too few hot pixels in both to measure a factor.
    TooFewHotPixels {
        /// Those that could be used.
        sites: usize,
    },
    /// The factor's error is too large.
    Uncertain {
        /// The standard error.
        error: f64,
    },
    /// Bright and faint hot pixels, or colours, call for different factors.
    StrataDisagree {
        /// The lowest factor.
        low: f64,
        /// The highest.
        high: f64,
    },
    /// What is left after scaling still follows the dark.
    ResidualCorrelates {
        /// By this correlation.
        correlation: f64,
    },
    /// The glow in the light calls for another factor than its hot pixels.
    GlowDiffers {
        /// The factor of the glow.
        glow: f64,
    },
    /// The dark has glow, and the light cannot tell how much of it it holds.
    GlowUnproven {
        /// The standard error of the factor of the glow.
        error: f64,
    },
    /// Darks of this set-up are darker than its biases: the sensor corrects its black level.
    BlackLevel {
        /// How much darker, in ADU.
        darker_adu: f64,
    },
    /// The level of darks falls with their exposure: the sensor corrects its black level.
    LevelFalls {
        /// By how much, in ADU a second.
        adu_s: f64,
    },
    /// Darks of two exposures show glow that is not linear in time.
    GlowNotLinear {
        /// It grows with this power of the exposure.
        power: f64,
    },
}

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooFewHotPixels { sites } => {
                write!(f, "only {sites} hot pixels can be compared, {FEWEST} are needed")
            }
            Self::Uncertain { error } => write!(f, "the factor is uncertain by {error:.3}"),
            Self::StrataDisagree { low, high } => write!(
                f,
                "faint and bright hot pixels call for factors from {low:.3} to {high:.3}: the dark \
                 signal is not linear"
            ),
            Self::ResidualCorrelates { correlation } => {
                write!(f, "what is left still follows the dark (correlation {correlation:+.2})")
            }
            Self::GlowDiffers { glow } => {
                write!(f, "the light's amp glow calls for a factor of {glow:.3} by itself")
            }
            Self::GlowUnproven { error } => write!(
                f,
                "the dark has amp glow, of which the light shows no factor better than +- {error:.2}"
            ),
            Self::BlackLevel { darker_adu } => write!(
                f,
                "darks are {darker_adu:.1} ADU darker than biases: the sensor corrects its black \
                 level"
            ),
            Self::LevelFalls { adu_s } => write!(
                f,
                "the level of darks falls by {:.3} ADU a second: the sensor corrects its black level",
                -adu_s
            ),
            Self::GlowNotLinear { power } => {
                write!(f, "amp glow grows with the power {power:.2} of the exposure")
            }
        }
    }
}
