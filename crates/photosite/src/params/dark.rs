//! How a dark is fitted to a light.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the dark is fitted to the light.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DarkScaling {
    /// Not at all: the dark must be of the light's exposure and temperature.
    #[default]
    None,
    /// By the ratio of exposures: only right where the dark signal is linear in time.
    Exposure,
    /// By a factor measured in each light: at its hot and warm pixels.
    Fitted,
    /// By a factor given by hand.
    Factor(f64),
}

impl DarkScaling {
    /// Reads `none`, `exposure`, `fitted` or a factor.
    ///
    /// # Errors
    /// When it is none of them, or the factor is negative or not finite.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            "exposure" => Ok(Self::Exposure),
            "fitted" => Ok(Self::Fitted),
            number => match number.parse::<f64>() {
                Ok(k) if k.is_finite() && k >= 0.0 => Ok(Self::Factor(k)),
                _ => Err(Error::parameters(format!(
                    "--dark-scale takes none, exposure, fitted or a number from 0 up, not \
                     {number:?}"
                ))),
            },
        }
    }
}
