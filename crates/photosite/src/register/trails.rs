//! Which lines of a light are trails: those that no other light has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use photosite_pix::Size;
use photosite_pix::align::{Point, Transform};
use photosite_pix::trails::Trail;
use serde::{Deserialize, Serialize};

use super::part::LightPart;
use crate::Finding;
use crate::finding::Severity;
use crate::measure::SurveyedLight;
use crate::params::Integration;

/// Lights that a line is looked for in, at most.
const MOST_OTHERS: usize = 64;

/// What most lights show in the place of a line, over what the line's own light shows there, from
/// which it is in all: half of it would be the same line under a worse sky.
const STANDING: f64 = 0.4;

/// The largest share of a light that one trail covers: aircraft pass closer, satellites never.
const WIDEST: f64 = 0.05;

/// A light of which more than this is trails has something else.
const MOST_COVERED: f64 = 0.2;

/// Gives each used light the trails that are masked in it.
///
/// A line that is in the other lights as well, in the same place of the sky or of the sensor,
/// is none: a spike, a galaxy, a column. Nothing is masked where nothing is rejected, nor in a light
/// without others to fill its holes.
pub(super) fn mask_trails(
    lights: &[SurveyedLight],
    parts: &mut [LightPart],
    how: Integration,
    findings: &mut Vec<Finding>,
) {
    let used: Vec<usize> = (0..parts.len()).filter(|i| parts[*i].used).collect();
    if how.recipe.keeps_all() || used.len() < 2 {
        return;
    }
    for &i in &used {
        let others = used.iter().copied().filter(|j| *j != i);
        let others: Vec<usize> = others.take(MOST_OTHERS).collect();
        let stands = |trail: &Trail| stands_elsewhere(trail, i, &others, lights, parts);
        let found = lights[i].trails.iter();
        let size = lights[i].size();
        let trails: Vec<Trail> =
            found.filter(|trail| !stands(trail)).map(|trail| narrow(trail, size)).collect();
        let share = covered(&trails, size);
        if share > MOST_COVERED {
            findings.push(too_many(&lights[i], trails.len(), share));
        } else {
            parts[i].trails = trails;
        }
    }
}

/// Whether most other lights show a line of light `i` where it lies on the sky, or on the sensor.
fn stands_elsewhere(
    trail: &Trail,
    i: usize,
    others: &[usize],
    lights: &[SurveyedLight],
    parts: &[LightPart],
) -> bool {
    let transform = |i: usize| {
        parts[i].registration.as_ref().map_or(Transform::IDENTITY, |found| found.transform)
    };
    let step = lights[i].bins.side() as f64 / 2.0;
    let steps = (trail.length_px() / step).ceil().max(1.0);
    let path: Vec<Point> = (0..=steps as usize).map(|k| trail.at(k as f64 / steps)).collect();
    let Some(own) = lights[i].bins.along(path.iter().copied()) else { return false };
    let own_place = transform(i);
    let sky: Vec<Point> = path.iter().filter_map(|p| own_place.invert(*p)).collect();
    let in_most = |of: &dyn Fn(usize) -> Option<f64>| {
        let mut shown: Vec<f64> = others.iter().filter_map(|j| of(*j)).collect();
        shown.sort_by(f64::total_cmp);
        // Of an even number the lower one: a trail that two lights share is still a trail.
        let middle = shown.len().saturating_sub(1) / 2;
        shown.get(middle).is_some_and(|shown| *shown > STANDING * own)
    };
    in_most(&|j| lights[j].bins.along(path.iter().copied()))
        || in_most(&|j| {
            let place = transform(j);
            lights[j].bins.along(sky.iter().map(|p| place.apply(*p)))
        })
}

/// A trail no wider than its light lets tell: over vignetting that no flat took out, the sky beside it passes for
/// a part of it.
fn narrow(trail: &Trail, size: Size) -> Trail {
    let widest_px = WIDEST * size.pixels() as f64 / (2.0 * trail.length_px().max(1.0));
    Trail { half_width_px: trail.half_width_px.min(widest_px), ..*trail }
}

/// The share of a light that trails cover.
fn covered(trails: &[Trail], size: Size) -> f64 {
    let mut spans: Vec<(usize, usize, usize)> = Vec::new();
    for trail in trails {
        trail.spans(0..size.height, size.width, |y, columns| {
            spans.push((y, columns.start, columns.end));
        });
    }
    spans.sort_unstable();
    let (mut pixels, mut until) = (0, (0, 0));
    for (y, start, end) in spans {
        let done = if until.0 == y { until.1 } else { 0 };
        pixels += end.saturating_sub(start.max(done));
        until = (y, end.max(done));
    }
    pixels as f64 / size.pixels() as f64
}

fn too_many(light: &SurveyedLight, count: usize, share: f64) -> Finding {
    Finding::new(
        "trails-too-many",
        Severity::Warning,
        light.path().display().to_string(),
        format!(
            "lines, {count} of them, cover {:.0} % of it; none is masked as a trail",
            100.0 * share
        ),
    )
    .hint("Inspect it: aircraft, lamps or reflections; leave it out if it harms the stack.")
    .with("lines", count)
    .with("share", share)
}

/// The masked trails of all lights.
pub fn masked_trails(parts: &[LightPart]) -> Vec<TrailReport> {
    let used = parts.iter().filter(|part| part.used);
    used.flat_map(|part| part.trails.iter().map(|trail| TrailReport::new(&part.path, trail)))
        .collect()
}

/// What a header says of them; `None` without any.
pub fn trails_sentence(parts: &[LightPart]) -> Option<String> {
    TrailReport::count(&masked_trails(parts))
}

/// A trail that was masked in a light.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TrailReport {
    /// The light.
    #[serde(with = "crate::shown::path")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: PathBuf,
    /// Column and row where its middle begins, in pixels of the light; up to its width outside.
    pub from: [f64; 2],
    /// Where it ends.
    pub to: [f64; 2],
    /// The width of what was masked, in pixels.
    pub width_px: f64,
    /// What it adds to samples on its middle, in sigmas of the light's noise.
    pub peak_sigma: f64,
}

impl TrailReport {
    /// The report of the trails in the light at `path`.
    pub fn new(path: &Path, trail: &Trail) -> Self {
        let at = |p: Point| [p.x, p.y];
        Self {
            path: path.to_owned(),
            from: at(trail.from),
            to: at(trail.to),
            width_px: 2.0 * trail.half_width_px,
            peak_sigma: trail.peak_sigma,
        }
    }

    /// How many trails were masked in how many lights, in words; `None` without any.
    pub fn count(trails: &[Self]) -> Option<String> {
        let lights: BTreeSet<&Path> = trails.iter().map(|t| t.path.as_path()).collect();
        let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let said = || {
            let (trails, lights) = (many(trails.len(), "trail"), many(lights.len(), "light"));
            format!("{trails} masked in {lights}")
        };
        (!trails.is_empty()).then(said)
    }
}
