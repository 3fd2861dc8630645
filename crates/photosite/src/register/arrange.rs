//! What is decided about lights before their samples meet: places, levels, weights.

use std::collections::BTreeMap;

use photosite_pix::Size;
use photosite_pix::align::{Point, Registration};
use photosite_pix::debayer::Method;
use photosite_pix::normalise::Affine;
use photosite_pix::stars::Mesh;

use super::dimmed::dimmed;
use super::flux::{FluxScale, Placed, by_way, flux_scale, not_measured, too_bright};
use super::levels::{not_normalised, scale_variance, weigh};
use super::part::LightPart;
use super::place::{itself, lay_over};
use super::sloped::sloped;
use super::trails::mask_trails;
use super::uneven::{Covered, Part, between, compare, lit, obscured, torn, without_sky};
use crate::finding::Severity;
use crate::measure::{SurveyedLight, odd_parts};
use crate::params::Integration;
use crate::work::{Context, on_each};
use crate::{Error, Finding, Result};

/// Lights with their places, levels and weights: all that is decided before samples meet.
pub struct Arranged<'a> {
    /// The lights.
    pub lights: &'a [SurveyedLight],
    /// The image on whose pixels they are stacked.
    pub reference: &'a SurveyedLight,
    /// The light at whose level they are.
    pub level: &'a SurveyedLight,
    /// How they are integrated.
    pub how: Integration,
    /// Each light's part, in the lights' order.
    pub parts: Vec<LightPart>,
    /// What was found on the way.
    pub findings: Vec<Finding>,
}

/// Finds each light's place on the pixels of a reference, which need not be among them, its level
/// and its weight.
///
/// # Errors
/// When no light is left, sizes differ and lights are not registered, or the work is cancelled.
pub fn arrange<'a>(
    lights: &'a [SurveyedLight],
    reference: &'a SurveyedLight,
    how: Integration,
    context: &Context<'_>,
) -> Result<Arranged<'a>> {
    let planes = lights.first().map_or(1, SurveyedLight::planes);
    if let Some(odd) = lights.iter().find(|l| l.planes() != planes) {
        let colour = |l: &SurveyedLight| if l.planes() == 1 { "monochrome" } else { "in colour" };
        return Err(Error::mismatch(format!(
            "{} is {}, {} is {}; they cannot be stacked together",
            lights[0].path().display(),
            colour(&lights[0]),
            odd.path().display(),
            colour(odd)
        )));
    }
    how.check()?;
    let under_array = || lights.iter().all(|l| l.mosaic().is_some());
    if how.drizzle.is_some_and(|d| d.cfa) && !under_array() {
        return Err(Error::mismatch(
            "CFA drizzle needs lights that were not debayered; omit --cfa-drizzle, or give such \
             lights",
        ));
    }
    let how = Integration { debayer: how.debayer.or_else(|| undersampled(lights, how)), ..how };
    let mut findings = Vec::new();
    let mut placed = place(how, lights, reference, &mut findings, context)?;
    findings.extend(leave_out_twins(lights, &mut placed, reference));
    // Levels are the reference's, or the best light's where the reference is none of the lights.
    let best = (0..lights.len())
        .rev()
        .filter(|i| placed[*i].is_some())
        .max_by(|a, b| lights[*a].quality().total_cmp(&lights[*b].quality()));
    let own = (0..lights.len()).find(|i| lights[*i].path() == reference.path());
    let at = own.or(best.filter(|_| !how.local));
    let level = at.map_or(reference, |i| &lights[i]);
    let level_place = match at {
        Some(i) => placed[i].clone().flatten(),
        None => how.register.map(|by| itself(by, level.field.stars.len())),
    };
    let at_level = Placed { light: level, place: level_place.as_ref() };
    findings.extend(leave_out_dark(lights, &mut placed));
    findings.extend(leave_out_obscured(lights, &mut placed, at_level, at));
    let size = reference.size();
    let scaled = how.normalise.scales_flux();
    let scales = on_each(lights.len(), context, |i| {
        let (light, Some(place)) = (&lights[i], &placed[i]) else { return Ok(None) };
        Ok(scaled.then(|| match at {
            Some(level) if level == i => FluxScale::LEVEL,
            _ => flux_scale(Placed { light, place: place.as_ref() }, at_level, size),
        }))
    })?;
    let scales: Vec<Option<FluxScale>> = scales.into_iter().collect::<Result<_>>()?;
    let scales = by_ways(lights, &placed, scales, size);
    let told: Vec<(&SurveyedLight, FluxScale)> =
        lights.iter().zip(&scales).filter_map(|(light, told)| Some((light, (*told)?))).collect();
    findings.extend(not_measured(&told, level));
    let measured = scales.iter().enumerate().filter_map(|(i, told)| {
        let place = placed[i].as_ref()?.as_ref();
        Some((Placed { light: &lights[i], place }, (*told)?))
    });
    findings.extend(too_bright(&measured.collect::<Vec<_>>(), at_level, size));
    let mut parts = Vec::new();
    for ((light, placed), flux_scale) in lights.iter().zip(&placed).zip(scales) {
        let flux = flux_scale.map_or(1.0, |told| told.scale);
        let both = light.levels.iter().zip(&level.levels);
        let to: Option<Vec<Affine>> =
            both.map(|(own, wanted)| how.normalise.coefficients(*own, *wanted, flux)).collect();
        if to.is_none() && placed.is_some() {
            findings.push(not_normalised(light, level, how.normalise));
        }
        let used = placed.is_some() && to.is_some();
        let normalisation = to.unwrap_or_else(|| vec![Affine::IDENTITY; light.levels.len()]);
        parts.push(LightPart {
            path: light.path().to_owned(),
            used,
            stars: light.field.stars.len(),
            fwhm_px: light.field.fwhm_px,
            noise_adu: light.block_noise,
            registration: placed.clone().flatten(),
            flux_scale,
            weight: 0.0,
            normalisation,
            trails: Vec::new(),
        });
    }
    let middle = Point::new(0.5 * size.width as f64, 0.5 * size.height as f64);
    weigh(&mut parts, (lights, level), how, middle);
    findings.extend(dimmed(lights, &parts));
    findings.extend(sloped(lights, &parts, reference));
    mask_trails(lights, &mut parts, how, &mut findings);
    Ok(Arranged { lights, reference, level, how, parts, findings })
}

/// Flux scales, those that no light tells by way of lights whose scale is known.
fn by_ways(
    lights: &[SurveyedLight],
    placed: &[Option<Option<Registration>>],
    scales: Vec<Option<FluxScale>>,
    size: Size,
) -> Vec<Option<FluxScale>> {
    let at = |i: usize| Some(Placed { light: &lights[i], place: placed[i].as_ref()?.as_ref() });
    let ways = scales.iter().enumerate().filter_map(|(i, told)| Some((at(i)?, (*told)?)));
    let ways: Vec<(Placed<'_>, FluxScale)> = ways.collect();
    let known = |(i, told): (usize, &Option<FluxScale>)| {
        let told = (*told)?;
        let way = if told.is_measured() { None } else { by_way(at(i)?, &ways, (size, told)) };
        Some(way.unwrap_or(told))
    };
    scales.iter().enumerate().map(known).collect()
}

/// Leaves out lights that hold the samples of another under another date: they would count twice. The reference stays.
fn leave_out_twins(
    lights: &[SurveyedLight],
    placed: &mut [Option<Option<Registration>>],
    reference: &SurveyedLight,
) -> Vec<Finding> {
    let mut known: BTreeMap<Vec<u64>, usize> = BTreeMap::new();
    let mut order: Vec<usize> = (0..lights.len()).collect();
    order.sort_by_key(|i| lights[*i].path() != reference.path());
    let mut findings = Vec::new();
    for i in order {
        let Some(seen) = lights[i].fingerprint().filter(|_| placed[i].is_some()) else { continue };
        match known.get(&seen) {
            Some(twin) => {
                placed[i] = None;
                findings.push(same_samples(&lights[i], &lights[*twin]));
            }
            None => _ = known.insert(seen, i),
        }
    }
    findings
}

/// That a light is another once more.
fn same_samples(light: &SurveyedLight, twin: &SurveyedLight) -> Finding {
    let message = format!(
        "left out: it holds the same samples as {}, whatever its header says: one exposure was written twice",
        twin.name()
    );
    Finding::new("same-samples", Severity::Warning, light.path().display().to_string(), message)
        .hint("Look at the program or the driver that wrote them.")
}

/// A landscape moves by no more than this share of a light in its picture.
const STANDS: f64 = 0.05;

/// Leaves out lights of which a part has no sky where others have theirs; tells of those that a lamp lights in part.
fn leave_out_dark(
    lights: &[SurveyedLight],
    placed: &mut [Option<Option<Registration>>],
) -> Vec<Finding> {
    let backgrounds: Vec<&Mesh> = lights.iter().map(|l| &l.field.mesh).collect();
    let odd = odd_parts(&backgrounds);
    let mut findings = Vec::new();
    for (i, share) in odd.dark.into_iter().enumerate().filter(|(_, share)| *share > 0.0) {
        if placed[i].take().is_some() {
            findings.push(without_sky(&lights[i], share));
        }
    }
    for (i, share) in odd.lit.into_iter().enumerate().filter(|(_, share)| *share > 0.0) {
        // A nebula moves with the sky.
        let stands = |by: &Option<Registration>| {
            let size = lights[i].size();
            let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)];
            by.as_ref().is_none_or(|by| {
                corners.into_iter().all(|(x, y)| {
                    let at = Point::new(x * size.width as f64, y * size.height as f64);
                    by.transform.apply(at).distance(at) < STANDS * size.width as f64
                })
            })
        };
        if placed[i].as_ref().is_some_and(stands) {
            findings.push(lit(&lights[i], share));
        }
    }
    findings
}

/// Leaves out lights of which a part is obscured, where they are fewer than the others, or it is certain that it is they.
fn leave_out_obscured(
    lights: &[SurveyedLight],
    placed: &mut [Option<Option<Registration>>],
    level: Placed<'_>,
    at: Option<usize>,
) -> Vec<Finding> {
    let Some(fixed) = level.place else { return Vec::new() };
    let others: Vec<usize> =
        (0..lights.len()).filter(|i| Some(*i) != at && placed[*i].is_some()).collect();
    let share = |i: &usize| {
        let found = placed[*i].as_ref()?.as_ref()?;
        let there: BTreeMap<usize, usize> = fixed.pairs.iter().copied().collect();
        let pairs = found.pairs.iter().filter_map(|(star, own)| Some((*there.get(star)?, *own)));
        let place = between(&fixed.transform, &found.transform);
        Some((*i, compare(level.light, place, (&lights[*i], &pairs.collect()))?.part?))
    };
    let mut found: Vec<(usize, Part)> = others.iter().filter_map(share).collect();
    found.retain(|(_, part)| part.covered() != Some(Covered::Other));
    if 2 * found.len() >= others.len() {
        found.retain(|(_, part)| part.covered() == Some(Covered::This));
    }
    let left_out = |(i, part): (usize, Part)| {
        placed[i] = None;
        match part {
            Part::Obscured(uneven) => obscured(&lights[i], level.light, uneven.share),
            Part::Elsewhere(share) => torn(&lights[i], level.light, share),
        }
    };
    found.into_iter().map(left_out).collect()
}

/// How lights are debayered that are too sharp for their arrays: colour by colour, so that what one light makes
/// of a star too much another makes too little. Whatever else is made of too few samples favours one.
fn undersampled(lights: &[SurveyedLight], how: Integration) -> Option<Method> {
    let under = lights.iter().all(|l| l.mosaic().is_some()) && how.drizzle.is_none_or(|d| !d.cfa);
    let known = lights.iter().filter(|l| l.field.fwhm_px.is_some()).count();
    let sharp = lights.iter().filter(|l| l.undersampled()).count();
    (under && 2 * sharp > known).then_some(Method::Bilinear)
}

/// Where each light lies: `None` for one that is left out, `Some(None)` for one that lies on the
/// reference pixel by pixel.
fn place(
    how: Integration,
    lights: &[SurveyedLight],
    reference: &SurveyedLight,
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<Vec<Option<Option<Registration>>>> {
    if let Some(by) = how.register {
        let (found, told) = lay_over(lights, reference, by, context)?;
        findings.extend(told);
        return Ok(found.into_iter().map(|r| r.map(Some)).collect());
    }
    let size = reference.size();
    if let Some(odd) = lights.iter().find(|l| l.size() != size) {
        return Err(Error::mismatch(format!(
            "{} is {} pixels, {} is {size}; lights of different sizes can be stacked with --register",
            odd.path().display(),
            odd.size(),
            reference.path().display()
        )));
    }
    Ok(vec![Some(None); lights.len()])
}

impl Arranged<'_> {
    /// Each light's part, in the lights' order.
    pub fn parts(&self) -> &[LightPart] {
        &self.parts
    }

    /// Lights that have a part.
    pub fn used(&self) -> usize {
        self.parts.iter().filter(|part| part.used).count()
    }

    /// The relative variance of their common flux scale, which all pixels of the stack share.
    pub fn scale_variance(&self) -> f64 {
        scale_variance(&self.parts)
    }

    /// What was found on the way.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}
