//! Masters on the disk that calibrated lights are held against.

use photosite_pix::{CfaPattern, Size};

use super::light::{BiasChoice, dark_of};
use super::loaded::LoadedMaster;
use crate::Result;
use crate::calibrate::Bias;
use crate::diagnose::Against;

/// Masters made ready for lights of `size` under `cfa` whose sensor is full at `saturation_adu`.
///
/// # Errors
/// When one is of another size; the error names it.
pub fn against(
    (size, cfa, saturation_adu): (Size, Option<CfaPattern>, f64),
    bias: Option<BiasChoice>,
    dark: Option<LoadedMaster>,
    flat: Option<LoadedMaster>,
) -> Result<Against> {
    let mut out = Against::new(size, cfa);
    if let Some(gain) = dark.as_ref().and_then(|d| d.metadata.gain_e_per_adu) {
        out = out.gain(gain.e_per_adu());
    }
    if let Some(electrons) = dark.as_ref().and_then(|d| d.metadata.read_noise_e) {
        out = out.read_noise(electrons);
    }
    let bias = bias.map(|b| match b {
        BiasChoice::Master(m) => Bias::Master(m.frame),
        BiasChoice::Level(adu) => Bias::Level(adu),
    });
    if let Some(bias) = &bias {
        out = out.bias(bias);
    }
    if let Some(dark) = dark {
        let path = dark.path.clone();
        out = out.dark(&dark_of(dark), bias.as_ref()).map_err(|e| e.about(&path))?;
    }
    if let Some(flat) = flat {
        let path = flat.path.clone();
        if let Some(level_adu) = flat.header.get_f64("PSLEVEL") {
            out = out.flat_of_full(level_adu / saturation_adu);
        }
        out = out.flat(flat.frame).map_err(|e| e.about(&path))?;
    }
    Ok(out)
}
