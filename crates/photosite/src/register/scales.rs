//! Lights of several pixel scales: on whose pixels they are stacked.

use photosite_pix::Size;
use photosite_pix::align::{Point, Registration, Rules, register};

use crate::Finding;
use crate::finding::Severity;
use crate::measure::SurveyedLight;

/// Pixels that differ in size by a smaller share are alike: seasons and filters move a focal length.
const ALIKE: f64 = 0.15;

/// Lights that are asked at most, spread evenly; of those the best that others are laid over.
const ASKED: usize = 48;
const TRIED: usize = 3;

/// Pixels are those of a picture where so large a share of the light was taken with them as with the most frequent
/// ones.
const ENOUGH: f64 = 0.5;

fn middle(size: Size) -> Point {
    Point::new(0.5 * size.width as f64, 0.5 * size.height as f64)
}

/// Of an order of lights, the best first, those of one pixel scale: the finest that was taken with half as much light and
/// more as the most frequent one. All of them where there is but one, or it cannot be told.
pub(super) fn of_one_scale(lights: &[&SurveyedLight], order: Vec<usize>) -> Vec<usize> {
    let step = order.len().div_ceil(ASKED).max(1);
    let asked: Vec<usize> = order.iter().copied().step_by(step).collect();
    let Some(finer) = asked.iter().take(TRIED).find_map(|first| {
        let points = lights[*first].points();
        let size = lights[*first].size();
        // Pixels of the light on one of the first's.
        let finer = |i: &usize| {
            if i == first {
                return Some((*i, 1.0));
            }
            let found = register(&points, &lights[*i].points(), Rules::default())?;
            Some((*i, found.transform.magnification(middle(size))))
        };
        let known: Vec<(usize, f64)> = asked.iter().filter_map(finer).collect();
        (2 * known.len() > asked.len()).then_some(known)
    }) else {
        return order;
    };
    let exposure = |i: usize| lights[i].metadata.exposure_s.filter(|s| *s > 0.0);
    let all_known = finer.iter().all(|(i, _)| exposure(*i).is_some());
    let light = |i: usize| if all_known { exposure(i).unwrap_or(1.0) } else { 1.0 };
    let mut sorted = finer.clone();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    let scales = sorted.chunk_by(|a, b| (a.1 / b.1).ln() < ALIKE);
    let scales: Vec<(&[(usize, f64)], f64)> =
        scales.map(|of| (of, of.iter().map(|(i, _)| light(*i)).sum())).collect();
    if scales.len() < 2 {
        return order;
    }
    let most = scales.iter().map(|(_, light)| *light).fold(0.0, f64::max);
    let Some((wanted, _)) = scales.iter().find(|(_, light)| *light >= ENOUGH * most) else {
        return order;
    };
    order.into_iter().filter(|i| wanted.iter().any(|(of, _)| of == i)).collect()
}

/// That lights have larger or smaller pixels on the sky than the reference; `None` where they are alike.
pub(super) fn unlike_scales(
    lights: &[SurveyedLight],
    reference: &SurveyedLight,
    placed: &[Option<Registration>],
) -> Option<Finding> {
    let at = middle(reference.size());
    let known = lights.iter().zip(placed).filter_map(|(light, by)| Some((light, by.as_ref()?)));
    let of = known.map(|(light, by)| (light, by.transform.magnification(at)));
    let unlike: Vec<(&SurveyedLight, f64)> =
        of.filter(|(_, finer)| finer.ln().abs() > ALIKE).collect();
    let (first, finer) = *unlike.first()?;
    let (size, other) = if finer < 1.0 { ("larger", 1.0 / finer) } else { ("smaller", finer) };
    let message = format!(
        "{} of {} lights have pixels of another size on the sky than {}, on whose pixels they are stacked; those of this \
         one are {other:.2} times {size}",
        unlike.len(),
        lights.len(),
        reference.name()
    );
    Some(
        Finding::new("scales-differ", Severity::Info, first.path().display().to_string(), message)
            .hint(
                "Name another light with --reference to stack on its pixels, or stack them apart.",
            )
            .with("lights", unlike.len()),
    )
}
