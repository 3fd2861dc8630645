//! How much the shapes of stars differ from light to light.

use std::collections::BTreeMap;

use photosite_pix::align::Point;
use photosite_pix::stars::FWHM_OF_SIGMA;
use photosite_pix::stat;

use super::layers::smoothed;
use super::part::LightPart;
use crate::measure::SurveyedLight;
use crate::params::Drizzle;
use crate::stack::Stars;

/// Stars with signal over noise above this show their shape in one light.
const SHAPE_SNR: f64 = 30.0;

/// Fewest stars whose shapes say how much lights differ.
const ENOUGH_STARS: usize = 10;

/// The share of a star by which lights differ at the least where the peaks of their stars do not tell: seeing that
/// changes the width of stars by a fifth.
const UNKNOWN_SHARE: f64 = 0.5;

/// Lights never differ less.
const LEAST_SHARE: f64 = 0.05;

/// Nor is more believed: lights of a third of the others' width.
const MOST_SHARE: f64 = 12.0;

/// The share under a filter array too coarse for its stars.
const ARRAY_SHARE: f32 = 5.0;

/// A star's peak stands this much higher than what lies [`REACH`] widths away.
const PEAK: f64 = 0.74;

/// The steepest slope of a star, in peaks a width: what registration is off by counts by it.
const STEEPEST: f64 = 1.43;

/// How far from a pixel the sky beside its star is looked for, in widths of a star.
const REACH: f64 = 0.7;

/// How far a star's light counts for the pixels around it, in widths of a star: seeing moves more of
/// it into the wings than was there.
const NEAR: f64 = 0.3;

/// Rows and columns about a pixel that a star under a filter array too coarse for it counts for, once its colours
/// are interpolated.
const SPREAD_PX: usize = 2;

/// How far lights may differ on stars, on the reference's grid or the finer one that they are drizzled
/// to; `None` for too few to judge.
pub fn star_shapes(
    used: &[(&SurveyedLight, &LightPart)],
    drizzle: Option<Drizzle>,
) -> Option<Stars> {
    let scale = drizzle.map_or(1.0, |d| d.scale);
    if Stars::guides_of(used.len()) == 0 {
        return None;
    }
    // The lights in the middle of all by the width of their stars on the reference's grid.
    let mut order: Vec<usize> = (0..used.len()).collect();
    let widths = widths(used, drizzle);
    let width = |i: usize| widths[i].laid_px;
    order.sort_by(|a, b| {
        width(*a).total_cmp(&width(*b)).then(used[*a].0.path().cmp(used[*b].0.path()))
    });
    let guides = [1, 2, 3, 4].map(|fifth| order[order.len() * fifth / 5]);
    let typical = width(order[order.len() / 2]);
    let reach = if typical.is_finite() { REACH * typical * scale } else { 0.0 };
    let off = |part: &LightPart| part.registration.as_ref().map_or(0.0, |r| r.residual_px);
    let shift_px = used.iter().map(|(_, part)| off(part)).fold(0.0, f64::max);
    let (peaks, told) = differences(used, &widths, typical);
    let share = (peaks + STEEPEST * shift_px / typical) / PEAK;
    let share = if told { share } else { share.max(UNKNOWN_SHARE) };
    // The guides show the lower of the middle ones' stars.
    let shown = (typical / width(guides[2])).powi(2);
    let share = if shown > 0.0 { share / shown } else { share };
    // Of a colour's drops one alone lies on a pixel, up to so far off: on a star it differs from those
    // of other lights by what the star falls off on the way, and none of them is wrong.
    let phase_px = match drizzle {
        Some(Drizzle { scale, drop, cfa: true }) => 0.5 * (drop + 1.0 / scale),
        _ => 0.0,
    };
    let share = share + STEEPEST * phase_px / (typical * PEAK);
    let near_px =
        (phase_px * scale).ceil() as usize + ((NEAR / REACH * reach).round() as usize).clamp(1, 2);
    let reach_px = (reach.ceil() as usize).clamp(2, 8);
    let share = share.clamp(LEAST_SHARE, MOST_SHARE) as f32;
    let stars = Stars { guides, near_px, reach_px, share, levels: None };
    if drizzle.is_some() || 2 * used.iter().filter(|(l, _)| l.undersampled()).count() < used.len() {
        return Some(stars);
    }
    // Of such a star most lights have little in one colour, and one has all.
    let level = |guide: usize, plane: usize| {
        let (light, part) = used[guide];
        part.normalisation[plane].apply(light.levels[plane] as f32)
    };
    let levels = guides.map(|guide| [0, 1, 2].map(|plane| level(guide, plane)));
    let near_px = near_px.max(SPREAD_PX);
    let reach_px = reach_px.max(SPREAD_PX + 1);
    Some(Stars { near_px, reach_px, share: ARRAY_SHARE, levels: Some(levels), ..stars })
}

/// The square of the width that the smooth kernel draws stars out by, in a light's own pixels: a cubic spline's, of
/// variance 1/3.
const SMOOTH_PX2: f64 = FWHM_OF_SIGMA * FWHM_OF_SIGMA / 3.0;

/// The width of a light's stars in pixels of the reference's grid.
#[derive(Clone, Copy)]
struct Width {
    /// As the light shows them; infinite without any.
    own_px: f64,
    /// As they are once it is laid on that grid.
    laid_px: f64,
}

impl Width {
    /// What a star's peak keeps when it is laid.
    fn kept(self) -> f64 {
        let kept = (self.own_px / self.laid_px).powi(2);
        if kept.is_finite() { kept } else { 1.0 }
    }
}

/// The width of each light's stars: an interpolation that is smooth draws them out.
fn widths(used: &[(&SurveyedLight, &LightPart)], drizzle: Option<Drizzle>) -> Vec<Width> {
    let smoothed = if drizzle.is_none() { smoothed(used) } else { vec![false; used.len()] };
    let width = |((light, part), smoothed): (&(&SurveyedLight, &LightPart), bool)| {
        let pixel = 1.0 / part.magnification(Point::new(0.0, 0.0));
        let own_px = light.field.fwhm_px.map_or(f64::INFINITY, |fwhm| fwhm * pixel);
        let by = if smoothed { SMOOTH_PX2.sqrt() * pixel } else { 0.0 };
        Width { own_px, laid_px: own_px.hypot(by) }
    };
    used.iter().zip(smoothed).map(width).collect()
}

/// By which share of their height peaks of a width differ from those of another; 0 where one is not known.
fn by_width(width: f64, typical: f64) -> f64 {
    let share = ((typical / width).powi(2) - 1.0).abs();
    if width.is_finite() && share.is_finite() { share } else { 0.0 }
}

/// By which share of their height the peaks of stars differ between lights, and whether any has stars enough to tell:
/// of one that has not, their width does.
fn differences(
    used: &[(&SurveyedLight, &LightPart)],
    widths: &[Width],
    typical: f64,
) -> (f64, bool) {
    // Each star's peaks, at the common level.
    let mut peaks: BTreeMap<usize, Vec<(usize, f32)>> = BTreeMap::new();
    for (i, (light, part)) in used.iter().enumerate() {
        let Some(level) = part.normalisation.get(part.normalisation.len() / 2) else { continue };
        let scale = level.scale * widths[i].kept();
        for (there, here) in part.registration.iter().flat_map(|r| &r.pairs) {
            let star = &light.field.stars[*here];
            if star.snr >= SHAPE_SNR {
                peaks.entry(*there).or_default().push((i, (star.peak * scale) as f32));
            }
        }
    }
    let mut of_light: Vec<Vec<f32>> = vec![Vec::new(); used.len()];
    for star in peaks.values().filter(|star| star.len() > 2) {
        let typical = stat::median(&star.iter().map(|(_, peak)| *peak).collect::<Vec<f32>>());
        if typical > 0.0 {
            star.iter().for_each(|(i, peak)| of_light[*i].push(peak / typical - 1.0));
        }
    }
    let tells = |stars: &[f32]| stars.len() >= ENOUGH_STARS;
    let each = of_light.iter().zip(widths).map(|(stars, width)| {
        if !tells(stars) {
            return by_width(width.laid_px, typical);
        }
        let (middle, mad) = stat::median_mad(stars);
        f64::from(middle).abs() + stat::MAD_TO_SIGMA * f64::from(mad)
    });
    (each.fold(0.0, f64::max), of_light.iter().any(|stars| tells(stars)))
}
