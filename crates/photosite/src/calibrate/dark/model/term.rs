//! The masters that a model is made of, and why there is none.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The number.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} +- {:.3}", self.value, self.error)
    }
}

/// One master that a model is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// Its name.
    pub name: String,
    /// Its exposure in seconds; 0 for a bias.
    pub exposure_s: f64,
    /// Its temperature in degrees Celsius; of a bias it need not be known.
    pub temp_c: Option<f64>,
    /// How many frames it was made of.
    pub frames: usize,
}

/// Why there is no model, or no dark of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refused {
    /// There are too few masters.
    TooFew {
        /// Darks of different exposure or temperature.
        darks: usize,
        /// Whether there is a bias.
        bias: bool,
    },
    /// A dark does not tell its temperature.
    NoTemperature,
    /// Glow does not grow linearly, and there are too few exposures to tell how.
    GlowUnknown {
        /// Different exposures, the bias among them.
        exposures: usize,
    },
    /// Temperatures differ, and too few hot pixels tell what that does.
    TemperatureUnknown {
        /// Hot pixels that could be compared.
        hot: usize,
    },
    /// An exposure beyond what was measured.
    Exposure {
        /// What was asked for, in seconds.
        asked_s: f64,
        /// What the masters hold.
        low_s: f64,
        /// And up to.
        high_s: f64,
    },
    /// A temperature beyond what was measured.
    Temperature {
        /// What was asked for, in degrees Celsius.
        asked_c: f64,
        /// The coldest that is proven.
        low_c: f64,
        /// The warmest.
        high_c: f64,
        /// Darks of several temperatures were measured.
        several: bool,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew { darks, bias } => write!(
                f,
                "darks of {darks} exposures or temperatures {} a bias make no model: take darks of two \
                 exposures and biases, or darks of three exposures",
                if *bias { "and" } else { "without" }
            ),
            Self::NoTemperature => f.write_str(
                "a dark without a temperature in its header proves nothing about one: write CCD-TEMP \
                 into the headers of the darks",
            ),
            Self::GlowUnknown { exposures } => write!(
                f,
                "glow grows otherwise than linearly, and {exposures} exposures (the bias counted) do not \
                 tell how: take darks of another exposure, best between those at hand"
            ),
            Self::TemperatureUnknown { hot } => write!(
                f,
                "the darks are of different temperatures, but only {hot} hot pixels can be compared to \
                 tell what that does: take darks of one temperature, or longer ones"
            ),
            Self::Exposure { asked_s, low_s, high_s } => {
                write!(
                    f,
                    "an exposure of {asked_s} s is beyond what the darks of this model prove, {low_s:.4} \
                     to {high_s:.4} s"
                )?;
                match asked_s {
                    s if *s > *high_s => write!(f, ": take darks of {s} s or longer"),
                    s if *s > 0.0 => write!(f, ": take biases, or darks of {s} s or shorter"),
                    _ => Ok(()),
                }
            }
            Self::Temperature { asked_c, low_c, high_c, several } => write!(
                f,
                "a temperature of {asked_c} C is beyond what the darks of this model prove, {low_c:.1} to \
                 {high_c:.1} C{}: take darks at that temperature",
                if *several { "" } else { ", for they are all of one temperature" }
            ),
        }
    }
}

/// Whether two darks, of an exposure in seconds and a temperature each, are one for a model.
pub fn same_point((s, c): (f64, f64), (other_s, other_c): (f64, f64)) -> bool {
    (s / other_s - 1.0).abs() < 0.02 && (c - other_c).abs() < 1.0
}

/// Whether masters can make a model.
///
/// # Errors
/// When they are too few, or one does not tell its temperature.
pub fn enough(terms: &[Term]) -> Result<(), Refused> {
    let bias = terms.iter().any(|t| t.exposure_s == 0.0);
    let mut darks: Vec<(f64, f64)> = Vec::new();
    for term in terms.iter().filter(|t| t.exposure_s > 0.0) {
        let temp = term.temp_c.ok_or(Refused::NoTemperature)?;
        let dark = (term.exposure_s, temp);
        if !darks.iter().any(|known| same_point(*known, dark)) {
            darks.push(dark);
        }
    }
    let needed = if bias { 2 } else { 3 };
    match darks.len() >= needed {
        true => Ok(()),
        false => Err(Refused::TooFew { darks: darks.len(), bias }),
    }
}
