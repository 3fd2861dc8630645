//! Lights into one picture.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_file::fits::Sample;
use photosite_file::{Source, open_mask};
use photosite_pix::align::{Registration, Transform};
use photosite_pix::combine::{Combine, Recipe};
use photosite_pix::normalise::{Affine, Normalise};
use photosite_pix::reject::Reject;
use photosite_pix::stars::Criteria;
use photosite_pix::warp::{Kernel, rows_needed};
use photosite_pix::{Frame, FrameKind, Header, Size, Unit, stat};
use serde::Serialize;
use serde_json::json;

use super::stacking::{stack, within_memory};
use super::survey::{SurveyedLight, best_reference, not_registered, register_all, survey};
use super::{Context, Product, find_stars};
use crate::budget::Need;
use crate::event::{Event, Stage};
use crate::finding::Severity;
use crate::header::stack_header;
use crate::master::{Rejected, default_recipe};
use crate::open::open as open_file;
use crate::provenance::{Input, Provenance};
use crate::raw::Reopened;
use crate::stack::{Additive, Prepared, Shares, Stacked, Warp};
use crate::{Error, Finding, Result, env};

/// What a light's part in the mean goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// All count the same.
    None,
    /// The inverse variance of its noise, after normalisation.
    Noise,
    /// The square of its stars' typical signal over noise.
    Snr,
    /// The inverse variance of its noise over the square of its stars' width.
    Fwhm,
}

/// Lights to be stacked.
#[derive(Debug, Clone)]
pub struct IntegrationRequest<'a> {
    /// The lights, calibrated.
    pub paths: &'a [PathBuf],
    /// Where the picture goes.
    pub output: &'a Path,
    /// Lights are laid over each other by their stars.
    pub register: bool,
    /// The light that the others are laid over; the best one where none is named.
    pub reference: Option<&'a Path>,
    /// How samples are rejected; by the number of lights where nothing is said.
    pub reject: Option<Reject>,
    /// How the kept ones are combined where weights do not say it.
    pub combine: Option<Combine>,
    /// How lights are brought to one level.
    pub normalise: Normalise,
    /// What their part in the mean goes by.
    pub weight: Weight,
    /// Counts of rejected samples are kept for each pixel.
    pub maps: bool,
}

/// One light's part in a stack.
#[derive(Debug, Clone, Serialize)]
pub struct LightPart {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it was used.
    pub used: bool,
    /// Stars found.
    pub stars: usize,
    /// Their median width in pixels.
    pub fwhm_px: Option<f64>,
    /// Its noise, in ADU.
    pub noise_adu: f64,
    /// How the reference lies over it; `None` where it was not registered.
    pub registration: Option<Registration>,
    /// Its weight, the greatest being 1.
    pub weight: f64,
    /// What brings its samples to the reference's level.
    pub normalisation: Affine,
}

/// A stack on disk.
#[derive(Debug, Clone, Serialize)]
pub struct Integrated {
    /// Where it lies.
    pub path: PathBuf,
    /// The light that the others were laid over.
    pub reference: PathBuf,
    /// Each light's part.
    pub lights: Vec<LightPart>,
    /// Their exposures together, in seconds, where all are known.
    pub exposure_s: Option<f64>,
    /// The name of the rejection.
    pub reject: &'static str,
    /// Samples rejected below.
    pub rejected_low: u64,
    /// Samples rejected above.
    pub rejected_high: u64,
    /// The noise of the stack, in ADU, as blocks of 4 x 4 pixels show it.
    pub noise_adu: f64,
    /// The reference's noise over the stack's, both as blocks show it.
    pub noise_gain: f64,
    /// The median width of the stack's stars in pixels.
    pub fwhm_px: Option<f64>,
    /// Stars found in the stack.
    pub stars: usize,
    /// What was found on the way.
    pub findings: Vec<Finding>,
}

/// Rows of a tile, so that the rows that a warp needs beyond it count little.
const TILE_ROWS: usize = 64;

/// Stacks lights into one picture on the pixels of the reference.
///
/// A light that cannot be read, laid over the reference or normalised is left out, with a Finding.
///
/// # Errors
/// When no light is left, sizes differ and lights are not registered, the product cannot be
/// written, or the work is cancelled.
pub fn integrate(request: &IntegrationRequest<'_>, context: &Context<'_>) -> Result<Integrated> {
    let mut paths = request.paths.to_vec();
    // The product must not depend on the order in which lights were named.
    paths.sort();
    paths.dedup();
    let (lights, mut findings) = survey(&paths, context)?;
    if lights.is_empty() {
        let why =
            findings.first().map_or(String::new(), |f| format!(": {}: {}", f.subject, f.message));
        return Err(Error::request(format!("no light is left that can be stacked{why}")));
    }
    if let Some(light) = lights.iter().find(|l| l.metadata.cfa.is_some()) {
        return Err(Error::request(format!(
            "{} is still under its colour filter array; debayer lights before they are stacked",
            light.path.display()
        )));
    }
    if request.combine == Some(Combine::Median) && request.normalise == Normalise::EqualisedFluxes {
        return Err(Error::request(
            "a median of lights at levels of their own means nothing; normalise them, or take the mean",
        ));
    }
    let reference = match request.reference {
        None => best_reference(&lights),
        Some(path) => lights.iter().position(|l| l.path == path).ok_or_else(|| {
            Error::request(format!("the reference {} is none of the lights", path.display()))
        })?,
    };
    let placed = place(request, &lights, reference, &mut findings, context)?;
    let mut parts = Vec::new();
    for (i, light) in lights.iter().enumerate() {
        let to = request.normalise.coefficients(light.level, lights[reference].level);
        if to.is_none() && placed[i].is_some() {
            findings.push(not_normalised(light, request.normalise));
        }
        let used = placed[i].is_some() && to.is_some();
        let normalisation = to.unwrap_or(Affine::IDENTITY);
        // What is only judged at the common level is combined with the noise that it has.
        let judged_only = request.normalise == Normalise::EqualisedFluxes;
        let combined = if judged_only { Affine::IDENTITY } else { normalisation };
        parts.push(LightPart {
            path: light.path.clone(),
            used,
            stars: light.field.stars.len(),
            fwhm_px: light.field.fwhm_px,
            noise_adu: light.field.noise,
            registration: placed[i].clone().flatten(),
            weight: if used { weight(request.weight, light, combined) } else { 0.0 },
            normalisation,
        });
    }
    let heaviest = parts.iter().map(|p| p.weight).fold(0.0, f64::max);
    if !(heaviest > 0.0 && heaviest.is_finite()) {
        return Err(Error::request("no light is left that can be stacked"));
    }
    parts.iter_mut().for_each(|p| p.weight /= heaviest);
    write(request, &lights, reference, parts, findings, context)
}

/// Where each light lies: `None` for one that is left out, `Some(None)` for one that lies on the
/// reference pixel by pixel.
fn place(
    request: &IntegrationRequest<'_>,
    lights: &[SurveyedLight],
    reference: usize,
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<Vec<Option<Option<Registration>>>> {
    if request.register {
        let found = register_all(lights, reference, context)?;
        let placed = found.into_iter().enumerate().map(|(i, r)| {
            if r.is_none() && i != reference {
                findings.push(not_registered(&lights[i], &lights[reference]));
                return None;
            }
            Some(r)
        });
        return Ok(placed.collect());
    }
    let size = lights[reference].size;
    if let Some(odd) = lights.iter().find(|l| l.size != size) {
        return Err(Error::request(format!(
            "{} is {} pixels, {} is {size}; lights of different sizes can be stacked with --register",
            odd.path.display(),
            odd.size,
            lights[reference].path.display()
        )));
    }
    Ok(vec![Some(None); lights.len()])
}

fn not_normalised(light: &SurveyedLight, how: Normalise) -> Finding {
    Finding::new(
        "normalisation-failed",
        Severity::Error,
        light.path.display().to_string(),
        format!(
            "left out: its level {:.4} and scale {:.4} ADU cannot be normalised ({})",
            light.level.level,
            light.level.scale,
            how.name()
        ),
    )
    .hint("A level at or below 0 cannot be multiplied; use --normalize additive-scale.")
}

fn weight(by: Weight, light: &SurveyedLight, to: Affine) -> f64 {
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

fn write(
    request: &IntegrationRequest<'_>,
    lights: &[SurveyedLight],
    reference: usize,
    parts: Vec<LightPart>,
    mut findings: Vec<Finding>,
    context: &Context<'_>,
) -> Result<Integrated> {
    let size = lights[reference].size;
    let used: Vec<usize> = (0..lights.len()).filter(|i| parts[*i].used).collect();
    let recipe = recipe(request, used.len());
    let sources = open(lights, &parts, &used, size)?;
    let worker_bytes = sources.iter().map(|s| window_bytes(s, size)).max().unwrap_or(0);
    let plan = within_memory(Need {
        frames: sources.len(),
        size,
        packed: 0,
        maps: request.maps,
        least_rows: TILE_ROWS,
        worker_bytes,
        threads: context.threads,
        memory_bytes: context.memory_bytes,
        open_files: usize::MAX,
    })?;
    let weights: Vec<f32> = used.iter().map(|i| parts[*i].weight as f32).collect();
    let applied: Vec<Affine> = used.iter().map(|i| parts[*i].normalisation).collect();
    let judged_only = request.normalise == Normalise::EqualisedFluxes;
    let shares = Shares {
        weights: (recipe.combine == Combine::WeightedMean).then_some(&weights[..]),
        judged_only: judged_only.then_some(&applied[..]),
    };
    let mut stacked = Stacked::empty(size, request.maps);
    let total = sources.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Stacking, total });
    stack(&sources, (recipe, shares), &plan, &mut stacked, context)?;
    context.observer.event(Event::Finished);
    drop(sources);
    let maps = stacked.maps.take();
    let rejected = Rejected { low: stacked.rejected_low, high: stacked.rejected_high };
    let frame = Frame {
        data: stacked.value,
        variance: (used.len() > 1).then_some(stacked.variance),
        mask: stacked.mask,
        unit: Unit::Adu,
        applied: lights[reference].metadata.applied,
    };
    let stack_lights: Vec<&SurveyedLight> = used.iter().map(|i| &lights[*i]).collect();
    let exposures: Option<Vec<f64>> = stack_lights.iter().map(|l| l.metadata.exposure_s).collect();
    let exposure_s = exposures.map(|e| e.iter().sum());
    let raw: Vec<&Header> = stack_lights.iter().map(|l| &l.header).collect();
    let header = stack_header(&lights[reference].header, &raw, exposure_s, recipe, rejected);
    let provenance = provenance(request, lights, reference, &used, recipe);
    let product = Product {
        path: request.output,
        frames: &[&frame],
        header,
        sample: Sample::F32,
        maps: maps.as_ref(),
        provenance: &provenance,
        steps: sentences(request, used.len(), recipe, rejected),
    };
    product.write_while(&[], context)?;
    let gain_e = lights[reference].metadata.gain_e_per_adu.map(|g| g.e_per_adu());
    let field = find_stars(&frame.data, &frame.mask, gain_e, Criteria::default(), context)?;
    let noise_adu = stat::noise_of_blocks(frame.data.as_slice(), size.width);
    findings.sort_by(|a, b| a.subject.cmp(&b.subject));
    Ok(Integrated {
        path: request.output.to_owned(),
        reference: lights[reference].path.clone(),
        exposure_s,
        reject: recipe.reject.name(),
        rejected_low: rejected.low,
        rejected_high: rejected.high,
        noise_adu,
        noise_gain: lights[reference].block_noise / noise_adu,
        fwhm_px: field.fwhm_px,
        stars: field.stars.len(),
        lights: parts,
        findings,
    })
}

fn recipe(request: &IntegrationRequest<'_>, count: usize) -> Recipe {
    let usual = default_recipe(FrameKind::Light, count, None);
    let reject = request.reject.unwrap_or(usual.reject);
    let combine = match request.combine {
        Some(Combine::Median) => Combine::Median,
        _ if request.weight != Weight::None => Combine::WeightedMean,
        // Taking back what samples were judged with goes frame by frame, as weights do.
        _ if request.normalise == Normalise::EqualisedFluxes => Combine::WeightedMean,
        _ => Combine::Mean,
    };
    Recipe { reject, combine }
}

/// The used lights as sources on the pixels of the reference.
fn open(
    lights: &[SurveyedLight],
    parts: &[LightPart],
    used: &[usize],
    size: Size,
) -> Result<Vec<Prepared>> {
    let kernel = Arc::new(Kernel::default());
    // A light and its mask each take an open file.
    let keep_open = 2 * used.len() <= env::open_file_limit();
    let later = |path: &Path, size: Size, open: Opener| -> Box<dyn Source> {
        Box::new(Reopened { path: path.to_owned(), size, raw: false, open })
    };
    used.iter()
        .map(|&i| {
            let (light, part) = (&lights[i], &parts[i]);
            let mut source = open_file(&light.path)?;
            let mut mask = open_mask(&light.path)?;
            if !keep_open {
                source = later(&light.path, light.size, open_file);
                mask = mask.map(|_| later(&light.path, light.size, mask_of));
            }
            let transform = part.registration.as_ref().map_or(Transform::IDENTITY, |r| r.transform);
            let Affine { scale, offset } = part.normalisation;
            Ok(Prepared {
                source,
                region: size.rect(),
                missing_from_adu: None,
                // scale v + offset, in the order in which they are applied: (v - level) scale.
                level_adu: (-offset / scale) as f32,
                additive: Additive::Nothing,
                scale: [scale as f32; 3],
                cfa: None,
                warp: Some(Warp { transform, mask, kernel: kernel.clone() }),
            })
        })
        .collect()
}

type Opener = fn(&Path) -> photosite_file::Result<Box<dyn Source>>;

fn mask_of(path: &Path) -> photosite_file::Result<Box<dyn Source>> {
    open_mask(path)?.ok_or_else(|| photosite_file::Error::damaged(path, "has lost its mask"))
}

/// The rows of a light and its mask that a tile of the output rests on, at most, in bytes.
fn window_bytes(source: &Prepared, size: Size) -> u64 {
    let Some(warp) = &source.warp else { return 0 };
    let full = source.source.size();
    let rows = (0..size.height)
        .step_by(TILE_ROWS)
        .map(|y| {
            let rows = y..(y + TILE_ROWS).min(size.height);
            rows_needed(&warp.transform, &rows, &(0..size.width), full).len()
        })
        .max();
    (rows.unwrap_or(0) * full.width * 8) as u64
}

fn provenance(
    request: &IntegrationRequest<'_>,
    lights: &[SurveyedLight],
    reference: usize,
    used: &[usize],
    recipe: Recipe,
) -> Provenance {
    let inputs = used.iter().map(|i| Input::new("light", &lights[*i].path, lights[*i].hash));
    let parameters = json!({
        "reference": lights[reference].hash.to_string(),
        "register": request.register,
        "combine": recipe.combine,
        "reject": recipe.reject,
        "normalise": request.normalise,
        "weight": request.weight,
        "maps": request.maps,
    });
    Provenance::new("stacked light", inputs.collect(), parameters)
}

fn sentences(
    request: &IntegrationRequest<'_>,
    count: usize,
    recipe: Recipe,
    rejected: Rejected,
) -> Vec<String> {
    let laid = match request.register {
        true => "laid over the reference by their stars, interpolated once (Lanczos 4)",
        false => "taken pixel by pixel",
    };
    let weight = json!(request.weight);
    vec![
        format!("{count} lights {laid}"),
        format!(
            "normalisation {}, weights {}",
            request.normalise.name(),
            weight.as_str().unwrap_or("none")
        ),
        format!(
            "combined by {}, rejection {}: {} samples low, {} high",
            recipe.combine.name(),
            recipe.reject.name(),
            rejected.low,
            rejected.high
        ),
    ]
}
