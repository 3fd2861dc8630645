//! How calibrated samples are stored.

use photosite_file::fits::Sample;

use crate::{Error, Result};

/// The default pedestal of 16-bit products, in ADU: calibrated sky is around 0.
pub const DEFAULT_PEDESTAL_ADU: f32 = 100.0;

/// How calibrated lights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Storage {
    /// 32-bit floating point.
    #[default]
    F32,
    /// 16 bits without sign, with a pedestal in ADU.
    SixteenBits(f32),
    /// The same with the smallest pedestal that keeps clipped samples under one in ten thousand of all lights
    /// of a group.
    SixteenBitsAuto,
}

impl Storage {
    /// 16 bits with a pedestal: a number of ADU, or `auto`.
    ///
    /// # Errors
    /// When it is neither, or no pedestal that 16 bits hold.
    pub fn sixteen_bits(pedestal: &str) -> Result<Self> {
        if pedestal == "auto" {
            return Ok(Self::SixteenBitsAuto);
        }
        let adu = pedestal.parse().map_err(|_| {
            Error::parameters(format!("{pedestal:?} is no pedestal; name a number of ADU, or auto"))
        })?;
        sixteen_bits(adu).map(|_| Self::SixteenBits(adu))
    }

    /// How samples are written; `chosen` is asked for a pedestal that was left open.
    ///
    /// # Errors
    /// Those of `chosen`, or unless the pedestal is within what 16 bits hold.
    pub fn sample(self, chosen: impl FnOnce() -> Result<f32>) -> Result<Sample> {
        match self {
            Self::F32 => Ok(Sample::F32),
            Self::SixteenBits(adu) => sixteen_bits(adu),
            Self::SixteenBitsAuto => sixteen_bits(chosen()?),
        }
    }
}

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
