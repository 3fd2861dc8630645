//! Where the noise of a run's lights and stacks comes from, by what masters say of theirs.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::path::{Path, PathBuf};

use photosite_pix::align::{Point, Transform};
use photosite_pix::combine::Combine;
use photosite_pix::unit::NoiseModel;
use photosite_pix::{CfaPattern, Size};

use crate::Finding;
use crate::calibrate::dark::DarkSource;
use crate::correlation::green_in_blocks;
use crate::diagnose::{LightInStack, MasterNoise, NoiseBudget, StackNoise};
use crate::finding::Severity;
use crate::params::Integration;
use crate::product::{LightResult, MasterResult};
use crate::report::{LightReport, MasterReport, RegisteredReport, StackReport, StarsReport};

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
///
/// Where panels overlap it is that of a usual place of the picture, by the lights that lie over it; `size` is
/// that of the reference, `sizes` are those of lights.
pub(super) fn budget_of_stack(
    stack: &mut StackReport,
    (lights, places, stars): (&[LightReport], &[RegisteredReport], &[StarsReport]),
    masters: &[MasterReport],
    (size, cfa, sizes): (Size, Option<CfaPattern>, &BTreeMap<&Path, Size>),
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
    let mut laid = Vec::with_capacity(stack.inputs.len());
    for (path, weight) in stack.inputs.iter().zip(&stack.weights) {
        let Some(light) = lights.iter().find(|l| l.path == *path) else { return };
        let Some(place) = places.iter().find(|p| p.path == *path) else { return };
        let Some(mut budget) = light.noise_budget else { return };
        if cfa.is_some() {
            // The sky of green is brighter than that of all pixels.
            let green = stars.iter().find(|s| s.path == *path).map(|s| s.background_adu);
            let ratio = green.zip(light.stats_after).map(|(green, all)| green / all.median);
            budget.sky_adu *= ratio.filter(|r| *r > 0.0).map_or(1.0, f64::sqrt);
        }
        // Of pixels larger than the picture's, fewer lie under a block.
        let finer = place.transform.map_or(1.0, |t| t.magnification(middle));
        parts.push(LightInStack {
            share: weight * place.flux_scale.map_or(1.0, |s| s.scale) / finer,
            budget,
            masters: [number(&light.bias), number(&light.dark), number(&light.flat)],
            at: place.transform.map_or(middle, |t| t.apply(middle)),
        });
        let own = sizes.get(path.as_path()).copied().unwrap_or(size);
        laid.push((place.transform.unwrap_or(Transform::IDENTITY), own, *weight));
    }
    // What every light covers is all that a cropped picture shows.
    let over: Vec<bool> = match how.crop {
        true => vec![true; parts.len()],
        false => over_usual_place(&parts, &laid, size),
    };
    let mut here = over.iter();
    parts.retain(|_| *here.next().unwrap_or(&true));
    let whole: f64 = laid.iter().zip(&over).filter(|(_, o)| **o).map(|(l, _)| l.2).sum();
    let Some(mut noise) = StackNoise::of(&parts, whole, stack.noise_adu) else { return };
    if let Some(cfa) = cfa {
        // Noise is told of green, which is known at some of the pixels only.
        let Ok(factor) = green_in_blocks(cfa, how.debayer(cfa)) else { return };
        noise = noise.times(factor);
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

/// Places along each side of a picture at which it is looked how many lights lie over it.
const PLACES: usize = 16;

/// Which lights lie over a place of the picture whose noise is that of most; their transforms, sizes and weights
/// are `laid`.
fn over_usual_place(
    parts: &[LightInStack],
    laid: &[(Transform, Size, f64)],
    size: Size,
) -> Vec<bool> {
    let middle = |i: usize, end: usize| (i as f64 + 0.5) / PLACES as f64 * end as f64 - 0.5;
    let mut places: Vec<(f64, Vec<bool>)> = Vec::with_capacity(PLACES * PLACES);
    for i in 0..PLACES * PLACES {
        let at = Point::new(middle(i % PLACES, size.width), middle(i / PLACES, size.height));
        let covers = |(transform, own, _): &(Transform, Size, f64)| {
            let Point { x, y } = transform.apply(at);
            let within = |v: f64, end: usize| v >= 0.0 && v <= end as f64 - 1.0;
            within(x, own.width) && within(y, own.height)
        };
        let over: Vec<bool> = laid.iter().map(covers).collect();
        let (mut noise2, mut weight) = (0.0, 0.0);
        for ((part, laid), _) in parts.iter().zip(laid).zip(&over).filter(|(_, over)| **over) {
            noise2 += (part.share * part.budget.predicted_adu).powi(2);
            weight += laid.2;
        }
        if weight > 0.0 {
            places.push((noise2.sqrt() / weight, over));
        }
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = places.len() / 2;
    places.into_iter().nth(half).map_or_else(|| vec![true; parts.len()], |(_, over)| over)
}

/// Stars that together would cover more than this share of a picture, each out to so many of its widths, leave no
/// place free of their wings, or of those that are too faint to be found.
const CROWDED: f64 = 0.6;
const REACH: f64 = 2.0;

/// A stack with more than so many times the noise that its lights' foretells has not lost it as it should.
const TOO_NOISY: f64 = 1.3;

/// That noise did not fall as that of independent lights does in a picture on the grid of a light of `size`; `None`
/// where it did, or nothing is known of it.
pub(super) fn noise_unlike(stack: &StackReport, size: Size) -> Option<Finding> {
    let budget = stack.noise_budget?;
    let times = budget.measured_adu / budget.predicted_adu;
    let star_px2 = PI * (REACH * stack.fwhm_px.unwrap_or(0.0)).powi(2);
    let crowded = stack.stars as f64 * star_px2 > CROWDED * size.pixels() as f64;
    if times.is_nan() || times < TOO_NOISY || crowded {
        return None;
    }
    let message = format!(
        "the stack has {times:.2} times the noise that its {} lights foretell, {:.2} ADU instead of {:.2}: \
         something is common to them",
        stack.inputs.len(),
        budget.measured_adu,
        budget.predicted_adu
    );
    let subject = stack.path.display().to_string();
    Some(
        Finding::new("stack-noise", Severity::Warning, subject, message)
            .hint("Dither by 5 px or more, and look at flats and darks; a faint nebula everywhere looks alike.")
            .with("times", times),
    )
}
