//! How much the shapes of stars differ from light to light.

use std::collections::BTreeMap;

use photosite_pix::stat;

use super::part::LightPart;
use crate::measure::SurveyedLight;
use crate::params::Drizzle;
use crate::stack::Stars;

/// Stars with signal over noise above this show their shape in one light.
const SHAPE_SNR: f64 = 30.0;

/// Fewest stars whose shapes say how much lights differ.
const ENOUGH_STARS: usize = 10;

/// The share of a star by which lights differ where their stars do not tell: seeing that changes the
/// width of stars by a fifth.
const UNKNOWN_SHARE: f64 = 0.5;

/// Lights never differ less.
const LEAST_SHARE: f64 = 0.05;

/// Nor is more believed.
const MOST_SHARE: f64 = 5.0;

/// A star's peak stands this much higher than what lies [`REACH`] widths away.
const PEAK: f64 = 0.74;

/// The steepest slope of a star, in peaks a width: what registration is off by counts by it.
const STEEPEST: f64 = 1.43;

/// How far from a pixel the sky beside its star is looked for, in widths of a star.
const REACH: f64 = 0.7;

/// How far a star's light counts for the pixels around it, in widths of a star: seeing moves more of
/// it into the wings than was there.
const NEAR: f64 = 0.3;

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
    // The lights in the middle of all by the width of their stars.
    let mut order: Vec<usize> = (0..used.len()).collect();
    let width = |i: usize| used[i].0.field.fwhm_px.unwrap_or(f64::INFINITY);
    order.sort_by(|a, b| {
        width(*a).total_cmp(&width(*b)).then(used[*a].0.path().cmp(used[*b].0.path()))
    });
    let guides = [1, 2, 3, 4].map(|fifth| order[order.len() * fifth / 5]);
    let typical = width(order[order.len() / 2]);
    let reach = if typical.is_finite() { REACH * typical * scale } else { 0.0 };
    let off = |part: &LightPart| part.registration.as_ref().map_or(0.0, |r| r.residual_px);
    let shift_px = used.iter().map(|(_, part)| off(part)).fold(0.0, f64::max);
    let share = differences(used).map(|peaks| (peaks + STEEPEST * shift_px / typical) / PEAK);
    let share = share.unwrap_or(UNKNOWN_SHARE);
    // Of a colour's drops one alone lies on a pixel, up to so far off: on a star it differs from those
    // of other lights by what the star falls off on the way, and none of them is wrong.
    let phase_px = match drizzle {
        Some(Drizzle { scale, drop, cfa: true }) => 0.5 * (drop + 1.0 / scale),
        _ => 0.0,
    };
    let share = share + STEEPEST * phase_px / (typical * PEAK);
    Some(Stars {
        guides,
        near_px: (phase_px * scale).ceil() as usize
            + ((NEAR / REACH * reach).round() as usize).clamp(1, 2),
        reach_px: (reach.ceil() as usize).clamp(2, 8),
        share: share.clamp(LEAST_SHARE, MOST_SHARE) as f32,
    })
}

/// By which share of their height the peaks of stars differ between lights; `None` where too few
/// stars tell.
fn differences(used: &[(&SurveyedLight, &LightPart)]) -> Option<f64> {
    // Each star's peaks, at the common level.
    let mut peaks: BTreeMap<usize, Vec<(usize, f32)>> = BTreeMap::new();
    for (i, (light, part)) in used.iter().enumerate() {
        let level = part.normalisation.get(part.normalisation.len() / 2)?;
        for (there, here) in part.registration.iter().flat_map(|r| &r.pairs) {
            let star = &light.field.stars[*here];
            if star.snr >= SHAPE_SNR {
                peaks.entry(*there).or_default().push((i, (star.peak * level.scale) as f32));
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
    let told = of_light.iter().filter(|stars| stars.len() >= ENOUGH_STARS);
    told.map(|stars| {
        let (middle, mad) = stat::median_mad(stars);
        f64::from(middle).abs() + stat::MAD_TO_SIGMA * f64::from(mad)
    })
    .reduce(f64::max)
}
