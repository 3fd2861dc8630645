//! Normalisation and weights of lights.

use std::collections::BTreeMap;

use photosite_pix::align::Registration;
use photosite_pix::normalise::{Affine, Normalise};
use photosite_pix::stars::Star;
use photosite_pix::stat;

use super::part::LightPart;
use crate::Finding;
use crate::finding::Severity;
use crate::measure::SurveyedLight;
use crate::params::Weight;

/// Fluxes of a light's stars with signal over noise above this, by the reference's star.
const SCALE_SNR: f64 = 30.0;

/// A scale from stars is taken where it is as good as this.
const SCALE_ERROR: f64 = 0.005;

/// Fewest stars that a scale is taken from.
const SCALE_STARS: usize = 10;

/// The bright stars' fluxes by their index among the reference's stars.
pub(super) fn star_fluxes(
    light: &SurveyedLight,
    placed: Option<&Registration>,
) -> BTreeMap<usize, f64> {
    let pairs = placed.map_or(&[][..], |r| &r.pairs);
    bright(pairs.iter().map(|&(there, here)| (there, &light.field.stars[here])))
}

/// The fluxes of the stars that give a scale.
pub(super) fn bright<'a>(stars: impl Iterator<Item = (usize, &'a Star)>) -> BTreeMap<usize, f64> {
    stars.filter(|(_, s)| s.snr >= SCALE_SNR).map(|(there, s)| (there, s.flux)).collect()
}

/// What takes a light's fluxes to those of another: the median of the ratios of stars that both
/// have; `None` where too few say it, or disagree.
pub(super) fn star_scale(own: &BTreeMap<usize, f64>, level: &BTreeMap<usize, f64>) -> Option<f64> {
    let both = own.iter().filter_map(|(star, flux)| Some((level.get(star)? / flux) as f32));
    let ratios: Vec<f32> = both.filter(|r| r.is_finite() && *r > 0.0).collect();
    let (median, mad) = stat::median_mad(&ratios);
    // A median's standard error is sqrt(pi / 2) times a mean's.
    let error = 1.2533 * stat::MAD_TO_SIGMA * f64::from(mad) / (ratios.len() as f64).sqrt();
    let sure = ratios.len() >= SCALE_STARS && error <= SCALE_ERROR * f64::from(median);
    sure.then_some(f64::from(median))
}

pub(super) fn weight(by: Weight, light: &SurveyedLight, to: Affine) -> f64 {
    let noise = light.field.noise * to.scale;
    match by {
        Weight::None => 1.0,
        Weight::Noise => 1.0 / (noise * noise),
        Weight::Snr => {
            let mut snr: Vec<f32> = light.field.stars.iter().map(|s| s.snr as f32).collect();
            let typical = f64::from(stat::median_in_place(&mut snr));
            if typical.is_finite() { typical * typical } else { 0.0 }
        }
        Weight::Fwhm => light.field.fwhm_px.map_or(0.0, |f| 1.0 / (noise * noise * f * f)),
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

pub(super) fn not_normalised(light: &SurveyedLight, how: Normalise) -> Finding {
    Finding::new(
        "normalisation-failed",
        Severity::Error,
        light.path().display().to_string(),
        format!(
            "left out: its level {:.4} and scale {:.4} ADU cannot be normalised ({})",
            light.levels[0].level,
            light.levels[0].scale,
            how.name()
        ),
    )
    .hint("Multiplicative normalisation needs a level above 0; use --normalize additive-scale.")
}
