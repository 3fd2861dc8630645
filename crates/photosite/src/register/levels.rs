//! Normalisation and weights of lights.

use photosite_pix::align::Point;
use photosite_pix::normalise::Normalise;
use photosite_pix::stat;

use super::part::LightPart;
use crate::Finding;
use crate::finding::Severity;
use crate::measure::{SurveyedLight, UNDERSAMPLED_PX};
use crate::params::{Integration, Weight};

/// Radius of the aperture that fluxes are summed over, in full widths at half maximum.
const APERTURE_FWHM: f64 = 1.5;

/// What weights are made of besides each light's own noise.
#[derive(Debug, Clone, Copy)]
struct Typical {
    /// The flux of a star in the middle of all, in the unit of the level's samples.
    flux: f64,
    /// The width of stars on the common grid, for lights that do not tell it.
    fwhm_px: f64,
    /// The long axis of stars on the common grid.
    long_px: f64,
    /// Of the noise that blocks show, the share that neither stars nor nebulae made.
    own: f64,
}

impl Typical {
    /// Of lights at the level of one of them.
    fn of(lights: &[Weighed<'_>], level: &SurveyedLight) -> Self {
        let middle = |what: &dyn Fn(&Weighed<'_>) -> Option<f64>, without: f64| {
            let middle = stat::median_f64(&lights.iter().filter_map(what).collect::<Vec<f64>>());
            if middle.is_finite() { middle } else { without }
        };
        let fluxes: Vec<f64> = level.field.stars.iter().map(|s| s.flux).collect();
        let flux = stat::median_f64(&fluxes);
        let own = |one: &Weighed<'_>| {
            let noise = one.light.sky_noise;
            Some(noise.by_neighbours? / noise.by_blocks)
        };
        Self {
            flux: if flux.is_finite() { flux } else { 0.0 },
            fwhm_px: middle(&|one| one.fwhm_px, 1.0),
            long_px: middle(&|one| Some(one.long_px(one.fwhm_px?)), 1.0),
            own: middle(&own, 1.0).min(1.0),
        }
    }
}

/// Of stars narrower than this on their own pixels, their places on them make the shape.
const SHAPED_PX: f64 = 1.5;

/// A light whose stars are longer than usual by this factor draws wings about those of the stack, which no
/// weight by noise weighs: its part falls with the fourth power from there.
const SMEARED: f64 = 1.25;

/// Weighs the lights that have a part: by the inverse of a variance each, in units of the light at whose level all are,
/// on pixels of the common grid, of which `middle` is one; the greatest weight is 1. Where weights say nothing (no
/// noise, no stars), all are 1.
///
/// The noise is that of means over many pixels, in which smoothing does not show ([`stat::hidden_by_blocks`]). What
/// stars and nebulae add to it, lights tell whose neighbours tell their noise; others have the same share of it.
pub(super) fn weigh(
    parts: &mut [LightPart],
    (lights, level): (&[SurveyedLight], &SurveyedLight),
    how: Integration,
    middle: Point,
) {
    let mut used: Vec<&mut LightPart> = Vec::new();
    let mut seen = Vec::new();
    for (part, light) in parts.iter_mut().zip(lights).filter(|(part, _)| part.used) {
        seen.push(Weighed::of(light, part, how, middle));
        used.push(part);
    }
    let typical = Typical::of(&seen, level);
    for (part, one) in used.iter_mut().zip(&seen) {
        part.weight = one.weight(how.weight, typical);
    }
    even_out(&mut used);
}

/// A light that is weighed.
struct Weighed<'a> {
    light: &'a SurveyedLight,
    /// What its samples are multiplied with.
    scale: f64,
    /// Pixels of its own in one of the common grid.
    area: f64,
    /// The width of its stars on the common grid, where it tells it.
    fwhm_px: Option<f64>,
    /// They are not wider than this.
    most_px: f64,
}

impl<'a> Weighed<'a> {
    fn of(light: &'a SurveyedLight, part: &LightPart, how: Integration, middle: Point) -> Self {
        // What is only judged at the common level is combined with the noise that it has.
        let judged_only = how.normalise == Normalise::EqualisedFluxes;
        let scale = if judged_only { 1.0 } else { part.normalisation[0].scale };
        let magnification = part.magnification(middle);
        let fwhm_px = light.told_fwhm_px().map(|own| own / magnification);
        let most_px = if light.undersampled() { UNDERSAMPLED_PX } else { f64::INFINITY };
        let area = magnification * magnification;
        Self { light, scale, area, fwhm_px, most_px: most_px / magnification }
    }

    /// The long axis of stars of a width, which is the mean of both axes.
    fn long_px(&self, fwhm_px: f64) -> f64 {
        let shaped = self.light.told_fwhm_px().is_some_and(|own| own >= SHAPED_PX);
        let round = self.light.field.roundness.filter(|_| shaped);
        2.0 * fwhm_px / (1.0 + round.map_or(1.0, |r| r.clamp(0.0, 1.0)))
    }

    /// The noise of a sample of its sky.
    fn noise(&self, typical: Typical) -> f64 {
        let seen = self.light.sky_noise;
        let by_blocks = Some(typical.own * seen.by_blocks).filter(|noise| *noise > 0.0);
        seen.by_neighbours.or(by_blocks).unwrap_or(self.light.field.noise)
    }

    fn weight(&self, by: Weight, typical: Typical) -> f64 {
        // A sample of larger pixels stands for more of the common grid's, which share its noise.
        let variance = (self.scale * self.noise(typical)).powi(2) / self.area;
        let fwhm_px = self.fwhm_px.unwrap_or(typical.fwhm_px.min(self.most_px));
        match by {
            Weight::None => 1.0,
            Weight::Noise => 1.0 / variance,
            Weight::Quality => {
                let long_px = self.long_px(fwhm_px);
                let smeared = (long_px / (SMEARED * typical.long_px)).max(1.0);
                1.0 / (variance * (long_px * smeared).powi(2))
            }
            Weight::Snr => {
                let aperture = std::f64::consts::PI * (APERTURE_FWHM * fwhm_px).powi(2);
                let gain = self.light.metadata.gain_e_per_adu.map(|g| g.e_per_adu());
                let own = gain.map_or(0.0, |gain| typical.flux * self.scale / self.area / gain);
                1.0 / (aperture * variance + own)
            }
            Weight::Fwhm => 1.0 / (variance * fwhm_px * fwhm_px),
        }
    }
}

/// Brings the greatest weight to 1. Where weights say nothing, all are 1.
fn even_out(parts: &mut [&mut LightPart]) {
    let heaviest = parts.iter().map(|p| p.weight).fold(0.0, f64::max);
    let sound = heaviest > 0.0 && parts.iter().all(|p| p.weight.is_finite());
    for part in parts {
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
