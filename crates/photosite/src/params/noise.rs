//! Gain and read noise, given by hand.

use photosite_pix::unit::NoiseModel;

use crate::{Error, Result};

/// A noise model of a gain in e-/ADU and a read noise in e-.
///
/// # Errors
/// Unless the gain is positive and the read noise finite and not negative.
pub fn noise_model(gain_e_per_adu: f64, read_noise_e: f64) -> Result<NoiseModel> {
    NoiseModel::new(gain_e_per_adu, read_noise_e).ok_or_else(|| {
        Error::parameters(format!(
            "invalid noise model: a gain of {gain_e_per_adu} e-/ADU with a read noise of \
             {read_noise_e} e-; the gain must be above 0 and the read noise 0 or more"
        ))
    })
}
