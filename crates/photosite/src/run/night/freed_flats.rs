//! Master flats of other programs that hold their bias still: no header says it, the lights do.

use std::collections::BTreeMap;

use photosite_pix::{FrameKind, stat};

use super::lights::these_lights;
use super::masters::Making;
use super::{Night, SoFar};
use crate::calibrate::flat_fit::FlatFit;
use crate::error::Reach;
use crate::finding::Severity;
use crate::plan::{LightId, MasterId, MasterPlan};
use crate::product::{load_master, take_master};
use crate::run::adopt::{flat_level_adu, freed_of_bias};
use crate::run::results::FlatChoices;
use crate::work::Context;
use crate::{Finding, Result};

/// What a bias makes of a flat is not looked for below this share: no light shows it.
const LEAST: f64 = 0.03;

/// What else a slope may be off by, beside dust that tells and alone, and the contrast of dust: a sky has structure of
/// its own, and flats hold scattered light.
const SLOPE_OFF: (f64, f64) = (0.05, 0.1);
const DUST_OFF: f64 = 0.03;

/// By how much the sum of squared deviations must be less where a flat holds its bias: chance makes that once in four
/// hundred.
const LESS: f64 = 6.0;

/// What lights show of a flat: the middle of their slopes and contrasts of dust, with their errors.
struct Shown {
    flat: MasterId,
    lights: Vec<LightId>,
    slope: Option<(f64, f64)>,
    dust: Option<(f64, f64)>,
}

/// Whether slopes on a flat, and contrasts of its dust, each with its error, lie at `times` and not at 1.
fn shows(times: f64, slope: Option<(f64, f64)>, dust: Option<(f64, f64)>) -> bool {
    let off = if dust.is_some() { SLOPE_OFF.0 } else { SLOPE_OFF.1 };
    let away = |from: f64| {
        let of = |seen: Option<(f64, f64)>, off: f64| {
            seen.map_or(0.0, |(v, error)| ((v - from) / error.hypot(off)).powi(2))
        };
        of(slope, off) + of(dust, DUST_OFF)
    };
    away(1.0) - away(times) > LESS
}

impl Shown {
    /// Whether a flat that holds `times` the level of its light would show so.
    fn is(&self, times: f64) -> bool {
        shows(times, self.slope, self.dust)
    }

    /// Whether any level would.
    fn is_any(&self) -> bool {
        let of = |seen: Option<(f64, f64)>| seen.map(|(v, _)| v).filter(|v| *v > 1.0 + LEAST);
        [self.slope, self.dust].into_iter().filter_map(of).any(|times| self.is(times))
    }
}

impl Night<'_> {
    /// Frees flats of other programs of their bias where the lights say that it is in them; whether there were any.
    pub(super) fn free_flats(
        &mut self,
        flats: &FlatChoices,
        making: Making<'_>,
        context: &Context<'_>,
    ) -> Result<bool> {
        let mut any = false;
        for shown in self.shown(flats) {
            match self.freed(&shown, making, context) {
                Ok(freed) => any |= freed,
                Err(e) if e.reach() == Reach::Run => return Err(e),
                Err(e) => {
                    let path = making.folder.join(&self.so_far.planned[shown.flat].file_name);
                    self.notes.failure(&e, &path, context);
                }
            }
        }
        Ok(any)
    }

    /// The flats of other programs of which lights show more than there is.
    fn shown(&self, flats: &FlatChoices) -> Vec<Shown> {
        let SoFar { planned, masters, .. } = &self.so_far;
        let of_flat = |(flat, plan): (MasterId, &MasterPlan)| {
            let foreign = plan.ready.is_some() && plan.kind == FrameKind::Flat;
            if !foreign || plan.traits.bias_removed || masters[flat].is_none() {
                return None;
            }
            let own = planned.named_lights().filter(|(_, light)| light.flat == Some(flat));
            let (lights, fits): (Vec<LightId>, Vec<FlatFit>) = own
                .filter_map(|(id, _)| Some((id, flats[id]?)))
                .filter(|(_, choice)| choice.flat.is_none_or(|taken| taken == flat))
                .map(|(id, choice)| (id, choice.by))
                .unzip();
            let middle = |value: fn(&FlatFit) -> Option<(f64, f64)>| {
                let (values, errors): (Vec<f64>, Vec<f64>) = fits.iter().filter_map(value).unzip();
                let known = !values.is_empty();
                known.then(|| (stat::median_f64(&values), stat::median_f64(&errors)))
            };
            let slope = middle(|f| f.slope.zip(f.slope_error));
            let dust = middle(|f| f.dust.zip(f.dust_error));
            Some(Shown { flat, lights, slope, dust }).filter(Shown::is_any)
        };
        planned.named_masters().filter_map(of_flat).collect()
    }

    /// Frees a flat of its bias, if that explains what lights show of it.
    fn freed(&mut self, shown: &Shown, making: Making<'_>, context: &Context<'_>) -> Result<bool> {
        let Some(&light) = shown.lights.first() else { return Ok(false) };
        let bias = match self.so_far.planned[light].bias {
            Some(bias) => Some(bias),
            // A dark that matches needs none.
            None => {
                let mut tried = BTreeMap::new();
                let kind = FrameKind::Bias;
                self.bring(kind, &[light], &mut tried, making, context)?.remove(&light)
            }
        };
        let SoFar { planned, masters, .. } = &mut self.so_far;
        let plan = &planned[shown.flat];
        let Some((ready, bias)) = plan.ready.as_ref().zip(bias.and_then(|b| masters[b].as_ref()))
        else {
            return Ok(false);
        };
        let Some(level_adu) = flat_level_adu(plan, ready)? else { return Ok(false) };
        let times = level_adu / (level_adu - bias.stats.median);
        if times - 1.0 < LEAST || !shown.is(times) {
            return Ok(false);
        }
        let bias = load_master(&bias.path)?;
        let copy = freed_of_bias(plan, ready, &bias, making.folder)?;
        let taken = take_master(FrameKind::Flat, &copy, &copy, making.known, context)?;
        let seen = [(shown.slope, "vignetting"), (shown.dust, "dust")];
        let seen = seen.into_iter().filter_map(|(of, what)| Some((of?, what)));
        let seen: Vec<String> = seen
            .map(|((value, error), what)| format!("{value:.2} +- {error:.2} of its {what}"))
            .collect();
        let message = format!(
            "{} show {}, as of a flat that holds its bias still ({times:.2}), though no header says so: the bias was \
             subtracted from it",
            these_lights(shown.lights.len()),
            seen.join(" and ")
        );
        let subject = ready.path.display().to_string();
        let finding = Finding::new("flat-freed", Severity::Warning, subject, message)
            .hint("Make the master flat with bias or dark flats.")
            .with("times", times);
        masters[shown.flat] = Some(taken);
        self.notes.add(finding, context);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::shows;

    #[test]
    fn a_bias_in_a_flat_is_told_from_what_a_sky_does() {
        for (times, slope, dust, expected) in [
            (1.2, Some((1.18, 0.02)), Some((1.16, 0.03)), true),
            (1.13, Some((1.14, 0.02)), Some((1.12, 0.03)), true),
            (1.2, Some((1.0, 0.02)), Some((1.01, 0.03)), false),
            // Light that is scattered in flats changes no dust.
            (1.2, Some((1.15, 0.02)), Some((1.0, 0.03)), false),
            (1.1, Some((1.1, 0.02)), None, false),
            (1.5, Some((1.5, 0.05)), None, true),
            (1.2, None, None, false),
            (1.2, Some((1.2, 0.3)), Some((1.2, 0.3)), false),
        ] {
            assert_eq!(shows(times, slope, dust), expected, "{times} {slope:?} {dust:?}");
        }
    }
}
