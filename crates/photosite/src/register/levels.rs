//! Normalisation and weights of lights.

use photosite_pix::align::{Point, Transform};
use photosite_pix::normalise::Normalise;
use photosite_pix::stat;

use super::part::LightPart;
use crate::Finding;
use crate::finding::Severity;
use crate::measure::SurveyedLight;
use crate::params::Weight;

/// Radius of the aperture that fluxes are summed over, in full widths at half maximum.
const APERTURE_FWHM: f64 = 1.5;

/// What weights are made of besides each light's own noise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Typical {
    /// The flux of a star in the middle of all, in the unit of the level's samples.
    pub flux: f64,
    /// The width of stars on the common grid, for lights without any.
    pub fwhm_px: f64,
    /// The long axis of stars on the common grid.
    pub long_px: f64,
}

impl Typical {
    /// Of lights at the level of one of them.
    pub fn of(lights: &[SurveyedLight], level: &SurveyedLight) -> Self {
        let mut fluxes: Vec<f32> = level.field.stars.iter().map(|s| s.flux as f32).collect();
        let widths = lights.iter().filter_map(|l| l.field.fwhm_px);
        let mut widths: Vec<f32> = widths.map(|w| w as f32).collect();
        let long = lights.iter().filter_map(|l| Some(long_px(l, l.field.fwhm_px?)));
        let mut long: Vec<f32> = long.map(|w| w as f32).collect();
        let known = |v: f32, without: f64| if v.is_finite() { f64::from(v) } else { without };
        Self {
            flux: known(stat::median_in_place(&mut fluxes), 0.0),
            fwhm_px: known(stat::median_in_place(&mut widths), 1.0),
            long_px: known(stat::median_in_place(&mut long), 1.0),
        }
    }
}

/// The long axis of stars of a width, which is the mean of both axes.
fn long_px(light: &SurveyedLight, fwhm_px: f64) -> f64 {
    let round = light.field.roundness.map_or(1.0, |r| r.clamp(0.0, 1.0));
    2.0 * fwhm_px / (1.0 + round)
}

/// A light whose stars are longer than usual by this factor draws wings about those of the stack, which no
/// weight by noise weighs: its part falls with the fourth power from there.
const SMEARED: f64 = 1.25;

/// A light's weight, for samples that are multiplied with `scale` and laid by `place`, which takes
/// pixels of the common grid, of which `middle` is one, to its own.
///
/// Each is the inverse of a variance, in units of the light at whose level all are; the noise is that
/// of means over many pixels, in which neither smoothing nor nebulae show ([`stat::hidden_by_blocks`]).
pub(super) fn weight(
    by: Weight,
    light: &SurveyedLight,
    scale: f64,
    (place, middle): (&Transform, Point),
    typical: Typical,
) -> f64 {
    let magnification = place.magnification(middle);
    // A sample of larger pixels stands for more of the common grid's, which share its noise.
    let area = magnification * magnification;
    let shown = light.sky_noise;
    let noise = if shown > 0.0 { shown } else { light.field.noise };
    let variance = (scale * noise).powi(2) / area;
    let fwhm_px = light.field.fwhm_px.map_or(typical.fwhm_px, |own| own / magnification);
    match by {
        Weight::None => 1.0,
        Weight::Noise => 1.0 / variance,
        Weight::Quality => {
            let long_px = long_px(light, fwhm_px);
            let smeared = (long_px / (SMEARED * typical.long_px)).max(1.0);
            1.0 / (variance * (long_px * smeared).powi(2))
        }
        Weight::Snr => {
            let aperture = std::f64::consts::PI * (APERTURE_FWHM * fwhm_px).powi(2);
            let gain = light.metadata.gain_e_per_adu.map(|g| g.e_per_adu());
            let own = gain.map_or(0.0, |gain| typical.flux * scale / area / gain);
            1.0 / (aperture * variance + own)
        }
        Weight::Fwhm => 1.0 / (variance * fwhm_px * fwhm_px),
    }
}

/// Brings the greatest weight to 1. Where weights say nothing (no noise, no stars), all are 1.
pub(super) fn even_out(parts: &mut [LightPart]) {
    let used = || parts.iter().filter(|p| p.used).map(|p| p.weight);
    let heaviest = used().fold(0.0, f64::max);
    let sound = heaviest > 0.0 && used().all(f64::is_finite);
    for part in parts.iter_mut().filter(|p| p.used) {
        part.weight = if sound { part.weight / heaviest } else { 1.0 };
    }
}

pub(super) fn not_normalised(
    light: &SurveyedLight,
    level: &SurveyedLight,
    how: Normalise,
) -> Finding {
    Finding::new(
        "normalisation-failed",
        Severity::Error,
        light.path().display().to_string(),
        format!(
            "left out: its sky level of {:.4} ADU cannot be brought to the {:.4} ADU of {} ({})",
            light.levels[0],
            level.levels[0],
            level.name(),
            how.name()
        ),
    )
    .hint("Multiplicative normalisation needs levels above 0; use --normalize additive-scale.")
}

/// The relative variance of the flux scale of a weighted mean: lights' own errors count by their
/// weights, those of the light at whose level they are count in all others alike.
pub(super) fn scale_variance(parts: &[LightPart]) -> f64 {
    let used = || parts.iter().filter(|p| p.used);
    let total: f64 = used().map(|p| p.weight).sum();
    let (mut own, mut shared) = (0.0, 0.0);
    for (part, flux) in used().filter_map(|p| Some((p, p.flux_scale?))) {
        let share = part.weight / total;
        own += (share * flux.own_error).powi(2);
        shared += share * flux.shared_error;
    }
    own + shared * shared
}
