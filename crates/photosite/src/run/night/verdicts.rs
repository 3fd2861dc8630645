//! What lights show once they are calibrated, those of a group together.

use std::collections::BTreeMap;

use photosite_pix::stat;

use super::lights::Work;
use crate::Finding;
use crate::diagnose::Pattern;
use crate::finding::{Severity, first_and_more};
use crate::plan::LightId;
use crate::run::results::{LightResults, below_zero_adu};

/// A finding for the lights of each group whose sky lies below zero once bias and dark are gone.
pub(super) fn below_zero(work: Work<'_>, lights: &LightResults) -> Vec<Finding> {
    let mut groups: BTreeMap<&str, Vec<(LightId, f64)>> = BTreeMap::new();
    for (id, plan) in work.planned.named_lights() {
        let Some(done) = lights.get(id).and_then(Option::as_ref) else { continue };
        if let Some(below_adu) = below_zero_adu(done) {
            groups.entry(&plan.group).or_default().push((id, below_adu));
        }
    }
    let finding = |those: Vec<(LightId, f64)>| {
        let subject = first_and_more(work.path(those[0].0).display(), those.len());
        let below: Vec<f64> = those.iter().map(|(_, below_adu)| *below_adu).collect();
        let below_adu = stat::median_f64(&below);
        let message = format!(
            "after bias and dark the sky lies {below_adu:.1} ADU below zero: it was calibrated before, \
             or bias and dark are of another offset; vignetting is not taken out of such a light"
        );
        Finding::new("light-below-zero", Severity::Warning, subject, message)
            .hint("Use the raw light, or masters taken with its own offset and gain.")
            .with("below_adu", below_adu)
    };
    groups.into_values().map(finding).collect()
}

/// A finding for the lights of each group in which some of their dark is left, or of which too much was taken,
/// by their hot pixels.
pub(super) fn left_of_darks(work: Work<'_>, lights: &LightResults) -> Vec<Finding> {
    let mut groups: BTreeMap<(&str, bool), Vec<(LightId, f64)>> = BTreeMap::new();
    for (id, plan) in work.planned.named_lights() {
        let left = lights.get(id).and_then(Option::as_ref).and_then(|done| done.left_of_dark);
        if let Some(left) = left.filter(|left| left.is_seen()) {
            groups.entry((&plan.group, left.share < 0.0)).or_default().push((id, left.share));
        }
    }
    let finding = |((_, over), those): ((&str, bool), Vec<(LightId, f64)>)| {
        let subject = first_and_more(work.path(those[0].0).display(), those.len());
        let shares: Vec<f64> = those.iter().map(|(_, share)| *share).collect();
        let share = stat::median_f64(&shares);
        let percent = 100.0 * share.abs();
        let (code, what) = match over {
            true => ("thermal-over", "too much of the dark was taken: dark holes"),
            false => ("thermal-under", "of the dark is left: light specks"),
        };
        let message =
            format!("{percent:.0} % {what} where it has hot pixels, in the middle of these lights");
        Finding::new(code, Severity::Warning, subject, message)
            .hint("Take darks at the lights' own exposure and temperature; diagnose tells what would have fitted.")
            .with("share", share)
    };
    groups.into_iter().map(finding).collect()
}

/// A finding for the lights of each group whose background shows one pattern.
pub(super) fn patterns_of(work: Work<'_>, lights: &LightResults) -> Vec<Finding> {
    let mut groups: BTreeMap<(&str, Pattern), Vec<(LightId, f64)>> = BTreeMap::new();
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, plan) in work.planned.named_lights() {
        let Some(done) = lights.get(id).and_then(Option::as_ref) else { continue };
        *all.entry(&plan.group).or_default() += 1;
        for seen in &done.patterns {
            groups.entry((&plan.group, seen.code)).or_default().push((id, seen.adu));
        }
    }
    let finding = |((group, pattern), those): ((&str, Pattern), Vec<(LightId, f64)>)| {
        let subject = first_and_more(work.path(those[0].0).display(), those.len());
        let sizes: Vec<f64> = those.iter().map(|(_, adu)| *adu).collect();
        let adu = stat::median_f64(&sizes);
        let what = match pattern {
            Pattern::AmplifierSeam => format!(
                "the background steps by {adu:.2} ADU in the middle of the frame: the amplifiers of the sensor are \
                 not at one level"
            ),
            Pattern::Interference => {
                format!("a pattern of {adu:.2} ADU repeats over the background")
            }
            Pattern::RowNoise => format!("rows differ from their neighbours by {adu:.2} ADU RMS"),
            Pattern::ColumnNoise => {
                format!("columns differ from their neighbours by {adu:.2} ADU RMS")
            }
        };
        let message = format!("{what}, in {} of {} calibrated lights", those.len(), all[group]);
        Finding::new(pattern.code(), Severity::Warning, subject, message)
            .hint(pattern.hint())
            .with("adu", adu)
    };
    groups.into_iter().map(finding).collect()
}
