//! A dark for a light that none matches: one of another exposure or temperature, to be fitted.

use serde::Serialize;

use super::{CandidateName, Explained};
use crate::calibrate::dark::model::{Term, enough};
use crate::calibrate::dark::{DarkSource, DarkWay};
use crate::library::{CostUnit, DarkCurrent, Field, Traits, scaled_cost};

/// How the dark signal of a light without a matched dark is to be treated, as its headers foretell.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ScaledPlan {
    /// The name of the dark that is to be fitted.
    pub dark: String,
    /// The ways, the expected one first; the light itself decides.
    pub ways: Vec<DarkWay>,
    /// What their residuals are counted in.
    pub unit: CostUnit,
}

/// What a hot pixel does otherwise in the light than in the dark, as a share of its signal: 1 to 2 % was
/// seen between darks and lights of one night.
const UNLIKE_SHARE: f64 = 0.02;

/// The candidates of a choice that differ from the light by nothing but exposure and temperature, with
/// their place among its refusals.
pub(super) fn scalable(explained: &Explained) -> impl Iterator<Item = &CandidateName> {
    let only = |field: Field| matches!(field, Field::Exposure | Field::Temperature);
    let refused = explained.choice.refused.iter();
    refused
        .filter(move |r| r.differs.iter().all(|c| only(c.field)) && !r.differs.is_empty())
        .filter_map(|r| explained.candidates.get(&r.candidate))
}

/// The candidates that differ by nothing but the exposure.
pub(super) fn of_other_exposure(explained: &Explained) -> impl Iterator<Item = &CandidateName> {
    let refused = explained.choice.refused.iter();
    refused
        .filter(|r| r.differs.iter().all(|c| c.field == Field::Exposure) && !r.differs.is_empty())
        .filter_map(|r| explained.candidates.get(&r.candidate))
}

/// What scaling a dark of `frames` frames is expected to do to a light; `None` where an exposure is not
/// known.
pub(super) fn forecast(
    light: &Traits,
    (name, dark, frames): (&str, &Traits, usize),
    current: &DarkCurrent,
) -> Option<ScaledPlan> {
    let (light_s, dark_s) = (light.exposure_s?, dark.exposure_s?);
    if !(dark_s > 0.0 && light_s > 0.0) {
        return None;
    }
    let warmth = light.temp_c.zip(dark.temp_c).map_or(0.0, |(l, d)| l - d);
    let by_exposure = light_s / dark_s;
    let by_both = by_exposure * (warmth / current.doubling_c()).exp2();
    let left = |k| scaled_cost(light, dark, frames, current, k);
    let (none, unit) = left(0.0)?;
    let way = |source, k: f64, residual: f64, allowed| DarkWay { source, k, residual, allowed };
    let (noise, _) = left(by_both)?;
    // However little the dark signal should be: hot pixels tell, and labels may be wrong.
    let fitted = noise.hypot(UNLIKE_SHARE * none);
    let ways = vec![
        way(DarkSource::Fitted, by_both, fitted, true),
        way(DarkSource::Exposure, by_exposure, left(by_exposure)?.0, false),
        way(DarkSource::Nearest, 1.0, left(1.0)?.0, true),
        way(DarkSource::None, 0.0, none, true),
    ];
    Some(ScaledPlan { dark: name.to_owned(), ways, unit })
}

/// The way by a model of the darks at hand and the bias, where they can make one for the light; what it leaves
/// is known when it is made.
pub(super) fn modelled(light: &Traits, darks: &[Traits]) -> Option<DarkWay> {
    let term = |exposure_s, temp_c| Term { name: String::new(), exposure_s, temp_c, frames: 1 };
    let of = |dark: &Traits| dark.exposure_s.map(|s| term(s, dark.temp_c));
    let mut terms: Vec<Term> = darks.iter().filter_map(of).collect();
    let longest_s = terms.iter().map(|t| t.exposure_s).fold(0.0, f64::max);
    terms.push(term(0.0, light.temp_c));
    let covered = light.exposure_s.is_some_and(|s| s <= longest_s);
    let way = DarkWay { source: DarkSource::Model, k: 1.0, residual: f64::NAN, allowed: true };
    (covered && enough(&terms).is_ok()).then_some(way)
}
