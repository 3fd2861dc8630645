//! Lights in a part of which stars are dimmed: frost, a spot of dew, the edge of a cloud.

use std::collections::BTreeMap;

use photosite_pix::Applied;
use photosite_pix::align::Point;
use photosite_pix::stat::{median_f64, median_scatter};

use super::part::LightPart;
use super::uneven::TURNED_RAD;
use crate::Finding;
use crate::finding::Severity;
use crate::measure::SurveyedLight;

/// Windows that stars are looked at in, as shares of a light's sides; each lies half over the next.
const WINDOWS: [f64; 3] = [0.5, 0.34, 0.2];

/// Fewest lights that show what a star has, and fewest stars of a window.
const LIGHTS: usize = 4;
const STARS: usize = 6;

/// Brightest stars of the reference that are looked at.
const MOST: usize = 2000;

/// Stars count that would stand so far out of the noise.
const SNR: f64 = 25.0;

/// A window is told in which stars lack at least this share of their light, and so many standard errors: optics,
/// flats and the air take less.
const LACKING: f64 = 0.06;
const SURE: f64 = 5.0;

/// So many by the scatter of its own stars, of which so few shine as if nothing were before them.
const SURE_WITHIN: f64 = 3.0;
const SHINING: f64 = 0.2;

/// Fluxes agree no better than this.
const LEAST_SCATTER: f64 = 0.005;

/// A median is known less well than a mean.
const OF_MEDIAN: f64 = 1.25;

/// A star of a light: where it lies, and its light over what it has in the others.
type Held = (Point, f64);

/// A window, as shares of a light's sides, and the light that stars have in it beside those out of it.
struct Window {
    x: (f64, f64),
    y: (f64, f64),
    share: f64,
    error: f64,
}

/// Tells of lights in which stars of a part have less light than those of the rest, both held against what all lights
/// show of them.
pub(super) fn dimmed(lights: &[SurveyedLight], parts: &[LightPart]) -> Vec<Finding> {
    let mut seen: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let used: Vec<_> = lights
        .iter()
        .zip(parts)
        .filter_map(|(light, part)| {
            let found = part.registration.as_ref().filter(|_| part.used)?;
            let size = light.size();
            let middle = Point::new(0.5 * size.width as f64, 0.5 * size.height as f64);
            // What no flat took off lies elsewhere on the sky where a light is turned.
            let flat = light.metadata.applied.contains(Applied::FLAT);
            let turned = found.transform.rotation_deg(middle).to_radians().abs() > TURNED_RAD;
            (flat || !turned).then_some((light, part, &found.pairs))
        })
        .collect();
    let scale = |part: &LightPart| part.normalisation.first().map_or(1.0, |to| to.scale);
    for (light, part, pairs) in &used {
        for (there, here) in pairs.iter().filter(|(there, _)| *there < MOST) {
            seen.entry(*there).or_default().push(scale(part) * light.field.stars[*here].flux);
        }
    }
    let usual: BTreeMap<usize, f64> = seen
        .into_iter()
        .filter(|(_, fluxes)| fluxes.len() >= LIGHTS)
        .map(|(star, fluxes)| (star, median_f64(&fluxes)))
        .collect();
    let told = |(light, part, pairs): &(&SurveyedLight, &LightPart, &Vec<(usize, usize)>)| {
        let held: Vec<Held> = pairs
            .iter()
            .filter_map(|(there, here)| {
                let (usual, star) = (usual.get(there)?, light.field.stars[*here]);
                let expected = usual / scale(part);
                let size = light.size();
                let at = Point::new(star.x / size.width as f64, star.y / size.height as f64);
                (star.flux > 0.0 && expected > SNR * star.flux_error)
                    .then_some((at, (star.flux / expected).ln()))
            })
            .collect();
        Some(finding(light, &darkest(&held)?))
    };
    used.iter().filter_map(told).collect()
}

/// The window in which stars most surely have less light than those out of it.
fn darkest(held: &[Held]) -> Option<Window> {
    let mut surest: Option<(f64, Window)> = None;
    for side in WINDOWS {
        let steps = (2.0 * (1.0 - side) / side).ceil() as usize;
        let from = |i: usize| (1.0 - side) * i as f64 / steps as f64;
        for place in 0..(steps + 1) * (steps + 1) {
            let [x, y] =
                [place % (steps + 1), place / (steps + 1)].map(|i| (from(i), from(i) + side));
            let within = |at: &Point| (x.0..x.1).contains(&at.x) && (y.0..y.1).contains(&at.y);
            let (inner, outer): (Vec<&Held>, Vec<&Held>) =
                held.iter().partition(|(at, _)| within(at));
            if inner.len() < STARS || outer.len() < STARS {
                continue;
            }
            let [inner, outer]: [Vec<f64>; 2] =
                [inner, outer].map(|of| of.into_iter().map(|(_, v)| *v).collect());
            let Some((lacking, error)) = lacking(&inner, &outer) else { continue };
            let sure = lacking / error;
            if surest.as_ref().is_none_or(|(most, _)| sure > *most) {
                let share = (-lacking).exp();
                surest = Some((sure, Window { x, y, share, error: share * error }));
            }
        }
    }
    surest.map(|(_, window)| window)
}

/// By how much stars of a window lie below those out of it, as logarithms, and the standard error of that; `None` where
/// it is not sure.
fn lacking(inner: &[f64], outer: &[f64]) -> Option<(f64, f64)> {
    let [(low, unlike), (level, scatter)] = [inner, outer].map(median_scatter);
    let scatter = scatter.max(LEAST_SCATTER);
    let of = |scatter: f64, stars: &[f64]| OF_MEDIAN * scatter / (stars.len() as f64).sqrt();
    // In the window what covers it changes from star to star, and is no noise for that.
    let error = of(scatter, inner).hypot(of(scatter, outer));
    let shining = inner.iter().filter(|v| **v > 0.5 * (low + level)).count() as f64;
    let lacking = level - low;
    let sure = lacking > SURE * error
        && lacking > SURE_WITHIN * of(unlike, inner)
        && shining <= SHINING * inner.len() as f64;
    (sure && -(-lacking).exp_m1() > LACKING).then_some((lacking, error.max(of(unlike, inner))))
}

/// That stars of a light are dimmed in a part.
fn finding(light: &SurveyedLight, window: &Window) -> Finding {
    let size = light.size();
    let px = |(from, to): (f64, f64), end: usize| {
        format!("{:.0} to {:.0}", from * end as f64, to * end as f64)
    };
    let message = format!(
        "stars in its columns {} and rows {} have {:.2} +- {:.2} of the light that they have in the other lights, beside \
         those in the rest of it: frost, dew or a cloud lay before a part of it",
        px(window.x, size.width),
        px(window.y, size.height),
        window.share,
        window.error
    );
    let subject = light.path().display().to_string();
    Finding::new("light-outlier", Severity::Warning, subject, message)
        .hint("Look at it; leave it out with --exclude if fluxes there matter: no one weight fits it.")
        .with("share", window.share)
        .with("share_error", window.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stars strewn over a light, each with what `share` makes of it and an error of 2 %.
    fn strewn(count: usize, seed: u64, share: impl Fn(Point) -> f64) -> Vec<Held> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..count)
            .map(|_| {
                let at = Point::new(next(), next());
                let noise = (0..12).map(|_| next()).sum::<f64>() - 6.0;
                (at, share(at).ln() + 0.02 * noise)
            })
            .collect()
    }

    #[test]
    fn a_part_that_is_dimmed_is_found_and_nothing_else() {
        let spot = |depth: f64| {
            move |p: Point| {
                1.0 - depth * (-((p.x - 0.7).powi(2) + (p.y - 0.4).powi(2)) / 0.06).exp()
            }
        };
        let half = |p: Point| if p.x < 0.45 { 0.85 } else { 1.0 };
        for seed in 1..40 {
            for count in [100, 400] {
                let found = darkest(&strewn(count, seed, spot(0.5))).unwrap();
                let beside = |(from, to): (f64, f64), at: f64| (from - at).max(at - to).max(0.0);
                let away = beside(found.x, 0.7).hypot(beside(found.y, 0.4));
                assert!(
                    away < 0.15 && found.share < 0.93,
                    "{seed} {count}: {away} {}",
                    found.share
                );
                let found = darkest(&strewn(count, seed, half)).unwrap();
                assert!(found.x.0 < 0.3 && (0.8..0.93).contains(&found.share), "{seed} {count}");
                // A clear light, one under an even veil, one in which the air takes more at one side.
                assert!(darkest(&strewn(count, seed, |_| 1.0)).is_none(), "{seed} {count}");
                assert!(darkest(&strewn(count, seed, |_| 0.6)).is_none(), "{seed} {count}");
                assert!(
                    darkest(&strewn(count, seed, |p| 1.0 - 0.05 * p.x)).is_none(),
                    "{seed} {count}"
                );
            }
        }
    }
}
