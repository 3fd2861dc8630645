//! Lights opened for a stack, on its pixels.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use photosite_file::scratch::Scratch;
use photosite_file::{Access, Source};
use photosite_pix::align::{Point, Transform};
use photosite_pix::combine::{Combine, Recipe};
use photosite_pix::normalise::{Affine, LocalOffsets, Normalise};
use photosite_pix::warp::Kernel;
use photosite_pix::{CfaPattern, MaskBits, Plane, Rect, Size};

use super::part::LightPart;
use crate::correlation::{Correlation, NoiseOf, of_stack};
use crate::debayer::{Debayered, equalised};
use crate::measure::SurveyedLight;
use crate::params::{Drizzle, Integration};
use crate::stack::{Laid, Layer, Laying, Stars, Terms, blanked};
use crate::work::{Context, on_each};
use crate::{Error, Result, env};

/// Rows of a tile, so that the rows that a warp needs beyond it count little.
pub const TILE_ROWS: usize = 64;

/// Stars narrower than this ring under Lanczos' kernel; held to their surroundings, they would shine some
/// percent more.
const RINGING_PX: f64 = 1.45;

/// What each of some lights counts in a stack, and what levels it.
#[derive(Debug, Clone)]
pub struct Shares {
    weights: Vec<f32>,
    applied: Vec<Vec<Affine>>,
}

impl Shares {
    /// Of the used lights, in `planes` planes.
    pub fn of(used: &[(&SurveyedLight, &LightPart)], planes: usize) -> Self {
        let of_plane = |p| used.iter().map(|(_, part)| part.normalisation[p]).collect();
        Self {
            weights: used.iter().map(|(_, part)| part.weight as f32).collect(),
            applied: (0..planes).map(of_plane).collect(),
        }
    }

    /// As a stack wants them.
    pub fn terms(&self, how: Integration, recipe: Recipe, stars: Option<Stars>) -> Terms<'_> {
        let judged_only = how.normalise == Normalise::EqualisedFluxes;
        Terms {
            stars,
            weights: (recipe.combine == Combine::WeightedMean).then_some(&self.weights[..]),
            judged_only: judged_only.then_some(&self.applied[..]),
            period: None,
        }
    }
}

/// The used lights on the pixels of the stack; packed ones are unpacked to a nameless file in
/// `folder`.
///
/// # Errors
/// When a light cannot be opened or brought to the background of the reference.
pub fn open(
    used: &[(&SurveyedLight, &LightPart)],
    (reference, size): (&SurveyedLight, Size),
    how: Integration,
    folder: &Path,
    context: &Context<'_>,
) -> Result<Vec<Laid>> {
    let (usual, smooth) = (Arc::new(Kernel::default()), Arc::new(Kernel::smooth()));
    let smoothed = smoothed(used);
    let open_files: usize = used.iter().map(|(l, _)| l.light.open_files()).sum();
    let keep_open = open_files <= env::open_file_limit();
    let packed = used.iter().any(|(l, _)| l.light.access == Access::Whole);
    let scratch = if packed { Some(Scratch::create_in(folder)?) } else { None };
    let laid = on_each(used.len(), context, |i| {
        let (light, part) = used[i];
        let transform = part.registration.as_ref().map_or(Transform::IDENTITY, |r| r.transform);
        let source = light.light.source(keep_open, scratch.as_ref())?;
        let burnt = burnt(i, used);
        let source = match (&part.trails[..], &light.border) {
            ([], None) if burnt.is_empty() => source,
            (trails, border) => blanked(source, trails.to_vec(), border.clone(), burnt.clone()),
        };
        let source = match light.greens {
            Some(greens) => equalised(source, greens),
            None => source,
        };
        let by_colour = how.drizzle.is_some_and(|d| d.cfa);
        let (source, cfa) = match light.mosaic() {
            Some(cfa) if by_colour => (source, Some(cfa)),
            Some(cfa) => {
                let clipped = light.saturated.runs().to_vec();
                let noise = light.sample_noise.unwrap_or(f64::NAN);
                let colours = debayered(source, cfa, how)?.bounded(clipped).over_noise(noise);
                (Box::new(colours) as Box<dyn Source>, None)
            }
            None => (source, None),
        };
        let (transform, laying) = match how.drizzle {
            None => {
                let kernel = if smoothed[i] { &smooth } else { &usual };
                (transform, Laying::Interpolated(kernel.clone()))
            }
            Some(Drizzle { scale, drop, .. }) => {
                (transform.from_finer_grid(scale), Laying::Drizzled { drop, cfa })
            }
        };
        let mut levels = part.normalisation.clone();
        let mut offsets = Vec::new();
        if how.local {
            let planes = reference.backgrounds.iter().zip(&light.backgrounds);
            for ((there, here), level) in planes.zip(&mut levels) {
                let made = LocalOffsets::new(there, here, light.size(), &transform, level.scale);
                offsets.push(made.ok_or_else(|| not_local(light))?);
                level.offset = 0.0;
            }
        }
        Ok(Laid { source, size, transform, laying, levels, offsets, burnt })
    })?;
    laid.into_iter().collect()
}

/// Which of the lights are laid with the smooth kernel: those whose stars ring, and where most do all of them, for
/// rejection compares what it makes of stars. What lies on its own pixels is not interpolated.
pub(super) fn smoothed(used: &[(&SurveyedLight, &LightPart)]) -> Vec<bool> {
    let rings = |light: &SurveyedLight| light.field.fwhm_px.is_some_and(|fwhm| fwhm < RINGING_PX);
    let all = 2 * used.iter().filter(|(light, _)| rings(light)).count() > used.len();
    used.iter().map(|(light, part)| (all || rings(light)) && is_moved(part)).collect()
}

/// Whether a light is interpolated: it does not lie on its own pixels.
pub(super) fn is_moved(part: &LightPart) -> bool {
    part.registration.as_ref().is_some_and(|r| r.transform != Transform::IDENTITY)
}

/// Rows and columns of pixels.
type Places = BTreeSet<(usize, usize)>;

/// Lights whose samples end at so many times the light of another's hold what it could not.
const REACHES_FURTHER: f64 = 1.5;

/// The saturated pixels of a light where another one that ends at more light has an unsaturated sample, as rows
/// and columns, row after row: what is known there is not to be mixed with where a converter ended.
fn burnt(i: usize, used: &[(&SurveyedLight, &LightPart)]) -> Arc<[(usize, usize)]> {
    let scale = |part: &LightPart| part.normalisation.first().map_or(1.0, |level| level.scale);
    let transform = |part: &LightPart| {
        part.registration.as_ref().map_or(Transform::IDENTITY, |found| found.transform)
    };
    let (light, own) = used[i];
    let further = used.iter().filter(|(_, p)| scale(p) > REACHES_FURTHER * scale(own));
    let full =
        |l: &SurveyedLight| -> Places { l.saturated.pixels().map(|(x, y)| (y, x)).collect() };
    let others: Vec<(Transform, Size, Places)> =
        further.map(|(l, p)| (transform(p), l.size(), full(l))).collect();
    if others.is_empty() {
        return Arc::default();
    }
    let place = transform(own);
    let is_known = |x: usize, y: usize| {
        let Some(sky) = place.invert(Point::new(x as f64, y as f64)) else { return false };
        others.iter().any(|(transform, size, saturated)| {
            let at = transform.apply(sky);
            let inside = |v: f64, end: usize| v >= 1.0 && v + 2.0 < end as f64;
            let near = |v: f64| v.floor() as usize - 1..=v.floor() as usize + 2;
            inside(at.x, size.width)
                && inside(at.y, size.height)
                && near(at.y).all(|y| near(at.x).all(|x| !saturated.contains(&(y, x))))
        })
    };
    light.saturated.pixels().filter(|&(x, y)| is_known(x, y)).map(|(x, y)| (y, x)).collect()
}

fn not_local(light: &SurveyedLight) -> Error {
    Error::mismatch(format!(
        "the background of {} cannot be normalised to the reference's; leave it out, or use \
         --normalize additive-scale",
        light.path().display()
    ))
}

/// What the pixels of a stack of the used lights, opened as `layers`, share.
///
/// # Errors
/// When a filter array cannot be debayered.
pub fn shared_noise(
    used: &[(&SurveyedLight, &LightPart)],
    layers: &[Laid],
    (how, size): (Integration, Size),
) -> Result<Option<Correlation>> {
    let of = |((light, part), laid): (&(&SurveyedLight, &LightPart), &Laid)| {
        let under = matches!(laid.laying, Laying::Drizzled { cfa: Some(_), .. });
        NoiseOf {
            transform: laid.transform,
            laying: laid.laying.clone(),
            debayered: light.mosaic().filter(|_| !under).map(|cfa| (cfa, how.debayer(cfa))),
            planes: light.light.planes,
            weight: part.weight,
        }
    };
    of_stack(&used.iter().zip(layers).map(of).collect::<Vec<_>>(), size)
}

/// The colours of a light that is still under its filter array.
fn debayered(source: Box<dyn Source>, cfa: CfaPattern, how: Integration) -> Result<Debayered> {
    let method = how.debayer(cfa);
    Debayered::new(source, cfa, method).map_err(|e| Error::unsupported(e.to_string()))
}

/// The rows of a light that a tile of the stack needs, at most, in bytes.
pub fn window_bytes(light: &Laid) -> u64 {
    let height = light.size.height;
    let rows = (0..height)
        .step_by(TILE_ROWS)
        .map(|y| light.rows_needed(&(y..(y + TILE_ROWS).min(height))).len())
        .max();
    // Once as they are laid, and once or twice on the way there.
    (rows.unwrap_or(0) * light.source.size().width * light.planes() * 12) as u64
}

/// Marks the pixels of a stack on which a saturated sample of a light falls: its stars' cores tell
/// no flux, whatever the other lights add.
pub fn mark_saturated(masks: &mut [&mut Plane<MaskBits>], light: &SurveyedLight, laid: &Laid) {
    let Some(size) = masks.first().map(|m| m.size()) else { return };
    // A sample covers as many pixels of the picture as the grid is finer, and interpolation takes
    // it to both neighbours.
    let here = laid.transform.apply(Point::new(0.0, 0.0));
    let there = laid.transform.apply(Point::new(1.0, 1.0));
    let step = ((there.x - here.x).hypot(there.y - here.y) / std::f64::consts::SQRT_2).max(0.01);
    let reach = if laid.transform == Transform::IDENTITY { 0.0 } else { 0.999 / step };
    let span = |at: f64, end: usize| {
        let first = (at - reach).ceil().max(0.0) as usize;
        let last = (at + reach).floor().min(end as f64 - 1.0);
        first..(last + 1.0).max(0.0) as usize
    };
    for (x, y) in light.saturated.pixels() {
        if laid.burnt.binary_search(&(y, x)).is_ok() {
            continue;
        }
        let Some(at) = laid.transform.invert(Point::new(x as f64, y as f64)) else { continue };
        for row in span(at.y, size.height) {
            for column in span(at.x, size.width) {
                masks.iter_mut().for_each(|m| m.row_mut(row)[column] |= MaskBits::SATURATED);
            }
        }
    }
}

/// Pixels between places of an edge that are looked at.
const EDGE_STEP: usize = 8;

/// A large rectangle of the stack that every light covers: the edge that is worst covered gives
/// way, a pixel at a time. `None` where there is none.
pub fn covered(layers: &[Laid]) -> Option<Rect> {
    let mut rect = layers.first()?.size.rect();
    loop {
        if rect.x0 + 1 >= rect.x1 || rect.y0 + 1 >= rect.y1 {
            return None;
        }
        let (last_x, last_y) = (rect.x1 - 1, rect.y1 - 1);
        let down = || (rect.y0..last_y).step_by(EDGE_STEP).chain([last_y]);
        let along = || (rect.x0..last_x).step_by(EDGE_STEP).chain([last_x]);
        let bare = |x: usize, y: usize| !layers.iter().all(|l| l.covers(x, y));
        let share = |bare: usize, all: usize| bare as f64 / all as f64;
        let (n, m) = (down().count(), along().count());
        let shares = [
            share(down().filter(|y| bare(rect.x0, *y)).count(), n),
            share(down().filter(|y| bare(last_x, *y)).count(), n),
            share(along().filter(|x| bare(*x, rect.y0)).count(), m),
            share(along().filter(|x| bare(*x, last_y)).count(), m),
        ];
        let worst = (0..4).rev().max_by(|a, b| shares[*a].total_cmp(&shares[*b]))?;
        if shares[worst] == 0.0 {
            return Some(rect);
        }
        match worst {
            0 => rect.x0 += 1,
            1 => rect.x1 -= 1,
            2 => rect.y0 += 1,
            _ => rect.y1 -= 1,
        }
    }
}
