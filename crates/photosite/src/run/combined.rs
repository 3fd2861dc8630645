//! Lights combined into planes, with what is known of their errors.

use std::path::Path;

use photosite_pix::combine::Recipe;
use photosite_pix::debayer::Method;
use photosite_pix::reject::Reject;
use photosite_pix::{Rect, Size};

use crate::budget::Need;
use crate::correlation::Correlation;
use crate::event::{Event, Stage};
use crate::measure::SurveyedLight;
use crate::params::Integration;
use crate::product::{stack, within_memory};
use crate::register::{
    LightPart, Shares, TILE_ROWS, covered, mark_saturated, of_one_light, open, shared_noise,
    star_shapes, where_one_shows, window_bytes,
};
use crate::stack::{Layer, Stacked, Stars};
use crate::work::Context;
use crate::{Error, Result};

/// What came of combining lights.
pub(super) struct Combined {
    pub stacked: Vec<Stacked>,
    /// The part that was kept, where it was cut.
    pub part: Option<Rect>,
    /// What neighbouring pixels share.
    pub shared: Option<Correlation>,
    /// Their variance is known.
    pub with_errors: bool,
}

/// Combines the used lights into planes of `size`. Packed lights are unpacked to a nameless file in `folder`
/// meanwhile.
pub(super) fn combined(
    used: &[(&SurveyedLight, &LightPart)],
    (reference, size, skies): (&SurveyedLight, Size, &[f64]),
    (how, recipe): (Integration, Recipe),
    folder: &Path,
    context: &Context<'_>,
) -> Result<Combined> {
    let layers = open(used, (reference, size), how, folder, context)?;
    let planes = layers[0].planes();
    let shared = shared_noise(used, &layers, (how, size))?;
    let stars = match recipe.reject {
        Reject::AveragedSigma { .. } => star_shapes(used, how.drizzle),
        _ => None,
    };
    let window = layers.iter().map(window_bytes).max().unwrap_or(0);
    let beyond = stars
        .map_or(0, |stars| Stars::bytes(layers.len(), (size.width, planes), (0, stars.reach_px)));
    let plan = within_memory(Need {
        frames: layers.len(),
        size,
        planes,
        coverage: how.drizzle.is_some(),
        guides: stars.map_or(0, |_| Stars::guides_of(layers.len())),
        packed: 0,
        maps: how.maps,
        least_rows: TILE_ROWS,
        worker_bytes: window + beyond,
        threads: context.threads,
        memory_bytes: context.memory_bytes,
        open_files: usize::MAX,
    })?;
    let shares = Shares::of(used, planes);
    let terms = shares.terms(how, recipe, stars);
    let mut stacked: Vec<Stacked> = (0..planes).map(|_| Stacked::empty(size, how.maps)).collect();
    let total = layers.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Stacking, total });
    stack(&layers, (recipe, terms), &plan, &mut stacked, context)?;
    context.observer.event(Event::Finished);
    let method = |cfa| how.debayer(cfa);
    let with_errors = match (used, &layers[..]) {
        ([(light, part)], [laid]) => {
            let method = light.mosaic().map_or(Method::Bilinear, method);
            of_one_light(&mut stacked, (light, part, laid), method)?
        }
        _ => {
            where_one_shows(&mut stacked, (used, &layers), skies, method)?;
            true
        }
    };
    for ((light, _), laid) in used.iter().zip(&layers) {
        light.light.unchanged()?;
        let mut masks: Vec<_> = stacked.iter_mut().map(|s| &mut s.mask).collect();
        mark_saturated(&mut masks, light, laid);
    }
    if !how.crop {
        return Ok(Combined { stacked, part: None, shared, with_errors });
    }
    let part = covered(&layers).ok_or_else(|| {
        Error::mismatch("no part of the stack is covered by every light; omit --crop")
    })?;
    let stacked = stacked.into_iter().map(|s| s.crop(part)).collect();
    Ok(Combined { stacked, part: Some(part), shared, with_errors })
}
