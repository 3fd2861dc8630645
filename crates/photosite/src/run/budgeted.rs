//! Where the noise of a run's lights comes from, by what masters say of theirs.

use photosite_pix::unit::NoiseModel;

use crate::calibrate::dark::DarkSource;
use crate::diagnose::{MasterNoise, NoiseBudget};
use crate::product::{LightResult, MasterResult};

/// The noise of a calibrated light by parts; `None` where the noise of a master is not known, or the dark was
/// made of several.
pub(super) fn noise_budget(
    light: &LightResult,
    noise: NoiseModel,
    [bias, dark, flat]: [Option<&MasterResult>; 3],
) -> Option<NoiseBudget> {
    let of_frame = |m: &MasterResult| m.noise.map(|n| n.scatter_adu);
    let of_mean = |m: &MasterResult| Some(of_frame(m)? / (m.inputs.len().max(1) as f64).sqrt());
    // A dark that is taken k times leaves the bias 1 - k times in the light.
    let k = match light.dark_source {
        DarkSource::None => 0.0,
        DarkSource::Matched | DarkSource::Nearest => 1.0,
        DarkSource::Model => return None,
        _ => light.dark_scale?,
    };
    let mut masters = MasterNoise::default();
    if let Some(dark) = dark.filter(|_| k != 0.0) {
        let read_adu = noise.read_noise_e / noise.gain_e_per_adu.e_per_adu();
        masters.dark_adu = k * of_mean(dark)?;
        let shot_adu2 = (of_frame(dark)?.powi(2) - read_adu * read_adu).max(0.0);
        masters.dark_frame_adu2 = Some(read_adu * read_adu + k * shot_adu2);
    }
    if let Some(bias) = bias.filter(|_| k != 1.0) {
        masters.bias_adu = (1.0 - k).abs() * of_mean(bias)?;
    }
    if let Some(flat) = flat {
        masters.flat_level = Some(flat.stats.median);
        masters.flat = flat.flat_noise?;
    }
    Some(NoiseBudget::of(light.after.median, light.after.noise, noise, masters))
}
