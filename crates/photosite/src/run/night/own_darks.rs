//! Darks that are the lights' own by their labels, held against the lights' hot pixels.

use std::collections::BTreeMap;

use super::at_hand::{cfa_of, path_of};
use super::lights::{Work, these_lights};
use crate::calibrate::dark::{DarkFit, Declined};
use crate::error::Reach;
use crate::finding::{Severity, first_and_more};
use crate::library::DOUBLING_C;
use crate::plan::{LightId, MasterId};
use crate::product::{DarkStrip, OWN_DARKS_ASKED};
use crate::work::Context;
use crate::{Finding, Result};

/// Lights of a group whose hot pixels say that their dark is not theirs, or not as strong.
pub(super) struct Contradicted {
    pub dark: MasterId,
    /// What the dark is freed of to be fitted; `None` where there is none.
    pub bias: Option<MasterId>,
    pub lights: Vec<LightId>,
    /// A light calls for another factor than 1, whatever its labels say.
    pub misfits: bool,
    /// The factors that the lights which contradict the labels call for, from the lowest to the highest; `None` where
    /// they differ by no more than temperatures within the rules make.
    factors: Option<(f64, f64)>,
}

/// Whether hot pixels tell one factor: glow may differ where they do, an error is counted where it matters, strata
/// that differ tell none.
fn tells(fit: &DarkFit) -> bool {
    matches!(
        fit.declined,
        None | Some(
            Declined::GlowDiffers { .. }
                | Declined::GlowUnproven { .. }
                | Declined::Uncertain { .. }
        )
    )
}

/// Whether a light's hot pixels say that a dark is its own.
pub(super) fn vouches(fit: &DarkFit) -> bool {
    fit.k.is_some() && tells(fit) && !fit.contradicts(1.0)
}

/// A dark that is its lights' own by its labels is scaled to them from a degree's worth on, if by so many errors.
const MISFIT: (f64, f64) = (5.0, 0.1);

/// Whether a light's hot pixels call for another factor than 1 by what a bias at hand can mend, whatever explains it.
pub(super) fn misfits(fit: &DarkFit) -> bool {
    let (errors, share) = MISFIT;
    let far = fit.k.is_some_and(|k| (k - 1.0).abs() > (errors * fit.error).max(share));
    tells(fit) && far && !fit.holds(1.0)
}

/// Whether a light's hot pixels say that a dark is not its own: neither as it is, nor as the temperatures in both
/// headers let expect.
fn contradicts(work: Work<'_>, (light, dark): (LightId, MasterId), fit: &DarkFit) -> bool {
    let light_c = work.raw[work.planned[light].frame].as_ref().and_then(|raw| raw.metadata.temp_c);
    let warmth_c = light_c.zip(work.planned[dark].traits.temp_c).map_or(0.0, |(l, d)| l - d);
    let expected = (warmth_c / DOUBLING_C).exp2();
    let between = fit.k.is_some_and(|k| (k - 1.0) * (k - expected) < 0.0);
    tells(fit) && fit.contradicts(1.0) && fit.contradicts(expected) && !between
}

/// Lights by the names of their groups.
type Groups<'a> = BTreeMap<&'a str, Vec<LightId>>;

/// The groups of lights whose hot pixels contradict the labels of their dark, or call for another factor of it.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn contradicted(work: Work<'_>, context: &Context<'_>) -> Result<Vec<Contradicted>> {
    let Work { planned, raw, masters, .. } = work;
    let mut groups: BTreeMap<(MasterId, Option<MasterId>), Groups<'_>> = BTreeMap::new();
    for (id, light) in planned.named_lights().filter(|(_, l)| l.scaled.is_none()) {
        let made = light.dark.filter(|d| masters[*d].is_some());
        if let Some(dark) = made.filter(|_| raw[light.frame].is_some()) {
            let bias = light.bias.filter(|b| masters[*b].is_some());
            groups.entry((dark, bias)).or_default().entry(&light.group).or_default().push(id);
        }
    }
    let mut out = Vec::new();
    for ((dark, bias), groups) in groups {
        let some: Vec<LightId> = groups
            .values()
            .flat_map(|of| {
                let count = of.len().min(OWN_DARKS_ASKED);
                (0..count).map(move |n| of[n * of.len() / count])
            })
            .collect();
        let bias_path = bias.map(|bias| path_of(masters, bias)).transpose()?;
        let strip = match DarkStrip::of(path_of(masters, dark)?, bias_path, cfa_of(work, &some)) {
            Ok(strip) => strip,
            Err(e) if e.reach() == Reach::Run => return Err(e),
            // A master that cannot be read is told of where lights are calibrated with it.
            Err(_) => continue,
        };
        let fits = work.on_raws(&some, context, |_, raw, buffers| strip.fit(raw, buffers))?;
        // A light that cannot be read is told of where it is calibrated.
        let fits: BTreeMap<LightId, DarkFit> = some
            .into_iter()
            .zip(fits)
            .filter_map(|(light, fit)| Some((light, fit.ok()?)))
            .collect();
        for lights in groups.into_values() {
            let asked = || lights.iter().filter_map(|i| Some((*i, fits.get(i)?)));
            let factors: Vec<f64> = asked()
                .filter(|(light, fit)| contradicts(work, (*light, dark), fit))
                .filter_map(|(_, fit)| fit.k)
                .collect();
            let misfits = asked().any(|(_, fit)| misfits(fit));
            if misfits || !factors.is_empty() {
                let low = factors.iter().copied().reduce(f64::min);
                let high = factors.iter().copied().reduce(f64::max);
                out.push(Contradicted { dark, bias, lights, misfits, factors: low.zip(high) });
            }
        }
    }
    Ok(out)
}

impl Contradicted {
    /// Whether the labels are contradicted, beyond what temperatures within the rules make.
    pub fn is_of_other_labels(&self) -> bool {
        self.factors.is_some()
    }

    /// What was seen of labels that are contradicted, and what is done.
    pub fn finding(&self, work: Work<'_>) -> Option<Finding> {
        let Self { dark, bias, lights, factors, .. } = self;
        let (low, high) = (*factors).filter(|_| !lights.is_empty())?;
        let dark = &work.planned[*dark].file_name;
        let subject = first_and_more(work.path(lights[0]).display(), lights.len());
        let [low_text, high_text] = [low, high].map(|k| format!("{:.2}", k.abs()));
        let factor = match low_text == high_text {
            true => low_text,
            false => format!("{low_text} to {high_text}"),
        };
        let done = match bias {
            Some(_) => "the dark is scaled to each light's own hot pixels instead",
            None => "without a bias it cannot be scaled, and is subtracted as it is",
        };
        let message = format!(
            "by its labels {dark} matches {}, but their hot pixels show {factor} times its dark signal: an \
             exposure, temperature or gain is not what the header says, the camera subtracted a dark \
             itself, or the frames are of different sensors or regions; {done}",
            these_lights(lights.len())
        );
        let hint = match bias {
            Some(_) => "Take darks with the lights' own settings, or correct the labels.",
            None => {
                "Take darks with the lights' own settings; with biases this dark could be scaled."
            }
        };
        let finding = Finding::new("dark-contradicted", Severity::Warning, subject, message)
            .hint(hint)
            .with("dark", dark.clone())
            .with("k", low);
        Some(finding)
    }
}
