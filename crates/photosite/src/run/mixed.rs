//! Lights that were named for one stack and do not belong together.

use std::collections::BTreeMap;
use std::path::Path;

use photosite_pix::align::{Point, Rules, register};
use photosite_pix::{Applied, FrameKind};

use crate::Finding;
use crate::finding::Severity;
use crate::library::filter_key;
use crate::measure::SurveyedLight;

/// Stars that lie this far from each other are doubled, in pixels.
const DOUBLED_PX: f64 = 1.0;

/// What speaks against stacking these lights: other filters, targets, exposures, and for those that are
/// stacked pixel by pixel other places.
pub(super) fn doubts(lights: &[SurveyedLight], registered: bool) -> Vec<Finding> {
    let filter = |l: &SurveyedLight| l.metadata.filter.as_deref().map(filter_key);
    let mut out: Vec<Finding> = Vec::new();
    out.extend(mixed(lights, "filters", &filter));
    out.extend(mixed(lights, "targets", &target));
    out.extend(mixed(lights, "exposures", &exposure));
    out.extend(mixed(lights, "calibrations", &calibration));
    out.extend(of_other_kind(FrameKind::Light, lights.iter().map(|l| (l.path(), l.metadata.kind))));
    if !registered {
        out.extend(not_aligned(lights));
    }
    out
}

/// The target of a light, however it is spelled.
fn target(light: &SurveyedLight) -> Option<String> {
    let name = light.metadata.object.as_deref()?.to_lowercase();
    Some(name.chars().filter(|c| c.is_alphanumeric()).collect())
}

fn exposure(light: &SurveyedLight) -> Option<String> {
    light.metadata.exposure_s.map(|s| format!("{s:.3} s"))
}

/// What was done to a light, in words.
fn calibration(light: &SurveyedLight) -> Option<String> {
    let steps = [(Applied::BIAS, "bias"), (Applied::DARK, "dark"), (Applied::FLAT, "flat")];
    let done: Vec<&str> = steps
        .into_iter()
        .filter(|(step, _)| light.metadata.applied.contains(*step))
        .map(|(_, word)| word)
        .collect();
    Some(if done.is_empty() { "none".to_owned() } else { done.join(", ") })
}

/// Whether a frame or master of one kind may be named as another: dark flats are darks.
pub(super) fn serves_as(kind: FrameKind, asked_as: FrameKind) -> bool {
    kind == asked_as || (kind, asked_as) == (FrameKind::DarkFlat, FrameKind::Dark)
}

/// That frames which were named as one kind are of another by their own headers.
pub(super) fn of_other_kind<'a>(
    asked_as: FrameKind,
    frames: impl Iterator<Item = (&'a Path, Option<FrameKind>)>,
) -> Option<Finding> {
    let (mut count, mut others) = (0, Vec::new());
    for (path, says) in frames {
        count += 1;
        others.extend(says.filter(|kind| !serves_as(*kind, asked_as)).map(|kind| (path, kind)));
    }
    let &(first, kind) = others.first()?;
    let message = format!(
        "{} of {count} frames that were named as {asked_as} say of themselves that they are not; this one is a {kind}",
        others.len()
    );
    Some(
        Finding::new("kind-contradicts", Severity::Warning, first.display().to_string(), message)
            .hint("Name the frames that were meant, or ignore this if their headers are wrong.")
            .with("frames", others.len()),
    )
}

/// That lights of several exposures are joined with the light that each of them has: long ones count as
/// brighter, and rejection takes them for outliers.
pub(super) fn unscaled(lights: &[SurveyedLight]) -> Option<Finding> {
    mixed(lights, "exposures", &exposure).map(|found| {
        let message = format!("{}; nothing brings them to one level", found.message);
        Finding { message, ..found }.hint("Leave out --normalize none, or --join exposures.")
    })
}

/// That pictures of several targets become one.
pub(super) fn other_targets(pictures: &[SurveyedLight]) -> Option<Finding> {
    mixed(pictures, "targets", &target).map(|found| {
        found.hint("Look whether the right pictures were named, and at OBJECT in their headers.")
    })
}

/// That lights differ in something; `None` where all that say it say the same.
fn mixed(
    lights: &[SurveyedLight],
    what: &'static str,
    of: &dyn Fn(&SurveyedLight) -> Option<String>,
) -> Option<Finding> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    lights.iter().filter_map(of).for_each(|value| *seen.entry(value).or_default() += 1);
    if seen.len() < 2 {
        return None;
    }
    let list: Vec<String> = seen.iter().map(|(value, n)| format!("{n} of {value}")).collect();
    let message =
        format!("lights of {} {what} go into one picture: {}", seen.len(), list.join(", "));
    let subject = lights[0].path().display().to_string();
    Some(
        Finding::new("stack-mixed", Severity::Warning, subject, message)
            .hint("Stack them apart; run does that by itself.")
            .with(what, seen.len()),
    )
}

/// That lights do not lie on each other by their stars.
fn not_aligned(lights: &[SurveyedLight]) -> Option<Finding> {
    let (first, others) = lights.split_first()?;
    let stars = first.points();
    let size = first.size();
    let middle = Point::new(0.5 * size.width as f64, 0.5 * size.height as f64);
    let away = |l: &SurveyedLight| {
        let found = register(&stars, &l.points(), Rules::default())?;
        Some(found.transform.apply(middle).distance(middle))
    };
    let off: Vec<f64> = others.iter().filter_map(away).filter(|px| *px > DOUBLED_PX).collect();
    let most = off.iter().copied().reduce(f64::max)?;
    let message = format!(
        "{} of {} lights lie up to {most:.1} px beside the first; stacked pixel by pixel their stars are \
         doubled",
        off.len(),
        lights.len()
    );
    let subject = first.path().display().to_string();
    Some(
        Finding::new("stack-not-aligned", Severity::Warning, subject, message)
            .hint("Stack with --register.")
            .with("away_px", most),
    )
}
