//! How calibrated samples are stored.

use photosite_file::fits::Sample;

use crate::{Error, Result};

/// The default pedestal of 16-bit products, in ADU: calibrated sky is around 0.
pub const DEFAULT_PEDESTAL_ADU: f32 = 100.0;

/// 16 bits without sign, `pedestal_adu` added to every sample and recorded.
///
/// # Errors
/// Unless the pedestal is finite and within what 16 bits hold.
pub fn sixteen_bits(pedestal_adu: f32) -> Result<Sample> {
    if !(pedestal_adu.is_finite() && (0.0..=65_535.0).contains(&pedestal_adu)) {
        return Err(Error::parameters(format!(
            "invalid pedestal: {pedestal_adu} ADU; 16 bits hold 0 to 65535, and 100 is typical"
        )));
    }
    Ok(Sample::U16 { pedestal_adu })
}
