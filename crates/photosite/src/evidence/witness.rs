//! Which part of a divided set of darks is the lights' own: by the hot pixels that the lights show.

use std::collections::BTreeMap;

use photosite_pix::stat;

use super::summary::{FrameSummary, SURE_SIGMAS, stands_out};

/// Hot pixels of a part that are asked for, the hottest of it; and fewer tell nothing.
const HOTTEST: usize = 256;
const FEWEST: usize = 12;

/// Errors by which two parts must differ in how well they fit.
const ERRORS: f64 = 3.0;

/// A part whose hot pixels stand in the lights by less than this share of their strength is not the lights'.
const ABSENT: f64 = 0.3;

/// The most by which the strength of the hot pixels of the lights' own part may be off.
const OWN: f64 = 0.15;

/// How strong the hot pixels of a part are in the lights: 1 is the part's own strength.
#[derive(Debug, Clone, Copy)]
struct Strength {
    times: f64,
    error: f64,
}

/// The part of a divided set of darks whose hot pixels the lights show, and half a sentence on why;
/// `None` where the lights do not tell.
///
/// `lights` are samples of the lights in the rows that the frames were summed up from, `width` to a row.
pub fn own_part(
    parts: &[Vec<usize>],
    frames: &[FrameSummary],
    lights: &[Vec<f32>],
    width: usize,
) -> Option<(usize, String)> {
    let strengths: Vec<Option<Strength>> =
        parts.iter().map(|part| strength(&hot_of(part, frames), lights, width)).collect();
    let known = |p: &usize| strengths[*p].is_some();
    let off = |p: usize| strengths[p].map_or(f64::INFINITY, |s| (s.times - 1.0).abs());
    let all = || (0..parts.len()).filter(known);
    let others = |own: usize| (0..parts.len()).filter(move |p| *p != own);
    // By the strength that is its own: what is known of the others must be farther off.
    let nearest = all().min_by(|a, b| off(*a).total_cmp(&off(*b)))?;
    let own = strengths[nearest]?;
    let farther = |p: usize| {
        strengths[p].is_none_or(|s| off(p) - off(nearest) > ERRORS * own.error.hypot(s.error))
    };
    let fits =
        off(nearest) < OWN && ERRORS * own.error < 1.0 - ABSENT && others(nearest).all(farther);
    // Or alone: the others' hot pixels are nowhere in the lights, whose exposure is another one.
    let by_presence = |a: &usize, b: &usize| {
        let times = |p: usize| strengths[p].map_or(f64::NEG_INFINITY, |s| s.times);
        times(*a).total_cmp(&times(*b))
    };
    let present = all().max_by(by_presence)?;
    let seen =
        strengths[present].is_some_and(|s| s.times > 2.0 * ABSENT && s.times > ERRORS * s.error);
    let absent = |p: usize| strengths[p].is_some_and(|s| s.times.abs() + ERRORS * s.error < ABSENT);
    let own = match () {
        () if fits => nearest,
        () if seen && others(present).all(absent) => present,
        () => return None,
    };
    let times = |p: usize| {
        strengths[p]
            .map_or_else(|| "an unknown number of".to_owned(), |s| format!("{:.2}", s.times))
    };
    let rest: Vec<String> = others(own).map(times).collect();
    Some((
        own,
        format!(
            "hot pixels stand in the lights {} times as strong as in the darks that are used, {} times as \
             strong as in these",
            times(own),
            rest.join(" and ")
        ),
    ))
}

/// Whether hot pixels that are to stand in some frames `share` times as strong as told stand in none of them, as those of
/// another sensor do; `None` where the frames do not tell.
///
/// `hot` is the place of each in the samples of `frames`, `width` to a row, and how far it stands out in ADU.
pub fn are_absent(
    mut hot: Vec<(usize, f64)>,
    share: f64,
    frames: &[Vec<f32>],
    width: usize,
) -> Option<bool> {
    hot.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    hot.truncate(HOTTEST);
    let Strength { times, error } = strength(&hot, frames, width)?;
    (ERRORS * error < ABSENT * share).then_some(times + ERRORS * error < ABSENT * share)
}

/// The hot pixels that at least half of the frames of a part show, and how far they stand out, in ADU.
fn hot_of(part: &[usize], frames: &[FrameSummary]) -> Vec<(usize, f64)> {
    let mut seen: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for hot in part.iter().flat_map(|i| &frames[*i].hot).filter(|h| h.sigmas >= SURE_SIGMAS) {
        seen.entry(hot.at).or_default().push(hot.excess_adu);
    }
    let often = seen.into_iter().filter(|(_, excess)| 2 * excess.len() >= part.len());
    let mut hot: Vec<(usize, f64)> = often.map(|(at, e)| (at, stat::median_f64(&e))).collect();
    hot.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    hot.truncate(HOTTEST);
    hot
}

/// Robust sigmas beyond which a hot pixel of the lights is none: a star stands there.
const KAPPA: f64 = 4.0;

/// How strong some hot pixels are in the lights, by least squares; `None` where too few can tell.
fn strength(hot: &[(usize, f64)], lights: &[Vec<f32>], width: usize) -> Option<Strength> {
    let in_light = |light: &Vec<f32>, at: usize| -> Option<f64> {
        let row = light.get(at / width * width..)?.get(..width)?;
        Some(f64::from(stands_out(row, at % width))).filter(|v| v.is_finite())
    };
    let seen = |(at, excess_adu): &(usize, f64)| {
        let of_lights: Vec<f64> = lights.iter().filter_map(|l| in_light(l, *at)).collect();
        let mean = of_lights.iter().sum::<f64>() / of_lights.len() as f64;
        (!of_lights.is_empty()).then_some((mean, *excess_adu))
    };
    let seen: Vec<(f64, f64)> = hot.iter().filter_map(seen).collect();
    if seen.len() < FEWEST {
        return None;
    }
    let median =
        stat::median_f64(&seen.iter().map(|(light, dark)| light / dark).collect::<Vec<f64>>());
    let off = |(light, dark): &(f64, f64)| light - median * dark;
    let (middle, scatter) = stat::median_scatter(&seen.iter().map(off).collect::<Vec<f64>>());
    let kept: Vec<&(f64, f64)> =
        seen.iter().filter(|pair| (off(pair) - middle).abs() <= KAPPA * scatter).collect();
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| kept.iter().map(|pair| of(pair)).sum::<f64>();
    let squares = sum(&|(_, dark)| dark * dark);
    let times = sum(&|(light, dark)| light * dark) / squares;
    let left = sum(&|(light, dark)| (light - times * dark).powi(2)) / kept.len() as f64;
    (squares > 0.0).then(|| Strength { times, error: (left / squares).sqrt() })
}
