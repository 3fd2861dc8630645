//! Where the noise of a run's lights and stacks comes from, by what masters say of theirs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use photosite_pix::Size;
use photosite_pix::align::Point;
use photosite_pix::combine::Combine;
use photosite_pix::unit::NoiseModel;

use crate::calibrate::dark::DarkSource;
use crate::diagnose::{LightInStack, MasterNoise, NoiseBudget, StackNoise};
use crate::params::Integration;
use crate::product::{LightResult, MasterResult};
use crate::report::{LightReport, MasterReport, RegisteredReport, ScaleSource, StackReport};

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

/// The noise of a stack by parts, and what more frames would buy; nothing where the noise of one of its lights
/// is not known, or a sum is no mean of samples.
pub(super) fn budget_of_stack(
    stack: &mut StackReport,
    (lights, places): (&[LightReport], &[RegisteredReport]),
    masters: &[MasterReport],
    (size, cfa): (Size, bool),
    how: &Integration,
) {
    let is_mean =
        matches!(how.recipe.combine(), None | Some(Combine::Mean | Combine::WeightedMean));
    if !is_mean || how.drizzle.is_some() {
        return;
    }
    let middle = Point::new(0.5 * size.width as f64, 0.5 * size.height as f64);
    let mut numbers: BTreeMap<&PathBuf, usize> = BTreeMap::new();
    let mut number = |path: &'_ Option<PathBuf>| -> Option<usize> {
        let at = masters.iter().position(|m| Some(&m.path) == path.as_ref())?;
        let next = numbers.len();
        Some(*numbers.entry(&masters[at].path).or_insert(next))
    };
    let mut parts = Vec::with_capacity(stack.inputs.len());
    let mut level = None;
    for (path, weight) in stack.inputs.iter().zip(&stack.weights) {
        let Some(light) = lights.iter().find(|l| l.path == *path) else { return };
        let Some(place) = places.iter().find(|p| p.path == *path) else { return };
        let Some(budget) = light.noise_budget else { return };
        if place.flux_scale.is_some_and(|s| s.source == ScaleSource::Level) {
            level = Some(budget.measured_adu);
        }
        parts.push(LightInStack {
            share: weight * place.flux_scale.map_or(1.0, |s| s.scale),
            budget,
            masters: [number(&light.bias), number(&light.dark), number(&light.flat)],
            at: place.transform.map_or(middle, |t| t.apply(middle)),
        });
    }
    let whole: f64 = stack.weights.iter().sum();
    let Some(mut noise) = StackNoise::of(&parts, whole, stack.noise_adu) else { return };
    if cfa {
        // A colour is known at some of the pixels only: what that does to noise shows in the light at whose
        // level the picture is.
        let Some(level) = level else { return };
        noise = noise.times(stack.noise_gain * stack.noise_adu / level);
    }
    let frames_of = |of: fn(&LightReport) -> &Option<PathBuf>| {
        let light = lights.iter().find(|l| stack.inputs.contains(&l.path))?;
        let path = of(light).as_ref()?;
        masters.iter().find(|m| m.path == *path).map(|m| m.frames)
    };
    let of_masters = [frames_of(|l| &l.bias), frames_of(|l| &l.dark), frames_of(|l| &l.flat)];
    stack.more = noise.more(stack.inputs.len(), of_masters);
    stack.noise_budget = Some(noise.budget);
}
