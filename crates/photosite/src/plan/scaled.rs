//! A dark for a light that none matches: one of another exposure or temperature, to be fitted.

use photosite_pix::FrameKind;
use serde::Serialize;

use super::{CandidateName, Explained};
use crate::calibrate::dark::model::{Design, Proven, TOLERANCE_C, Term, enough};
use crate::calibrate::dark::{DarkSource, DarkWay};
use crate::library::{CostUnit, DarkCurrent, FEW_REFUSALS, Field, Traits, cost, scaled_cost};

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

impl ScaledPlan {
    /// What is expected to be left without any dark.
    pub(super) fn none(&self) -> f64 {
        let none = self.ways.iter().find(|way| way.source == DarkSource::None);
        none.map_or(0.0, |way| way.residual)
    }
}

/// What a hot pixel does otherwise in the light than in the dark, as a share of its signal: 1 to 2 % was
/// seen between darks and lights of one night.
const UNLIKE_SHARE: f64 = 0.02;

/// Most darks of the library that are brought for a model; the nearest.
pub(super) const MODEL_DARKS: usize = 8;

/// A master, or frames that would make one, of so many frames.
pub(super) type Of<'a> = (&'a Traits, usize);

/// The candidates of a choice that differ from the light by nothing but exposure and temperature, with
/// their place among its refusals.
pub(super) fn scalable(explained: &Explained) -> impl Iterator<Item = &CandidateName> {
    let only = |field: Field| matches!(field, Field::Exposure | Field::Temperature);
    // As many as a run keeps, however many are to be shown.
    let refused = explained.choice.refused.iter().take(FEW_REFUSALS);
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

/// What is assumed of frames without headers, in seconds and degrees; their hot pixels decide.
const UNLABELLED: (f64, f64) = (60.0, 0.0);

/// A frame that says as little of its exposure as another, as if both had one.
fn unlabelled(own: &Traits, other: &Traits) -> Traits {
    let (seconds, temp_c) = UNLABELLED;
    let mut own = own.clone();
    if own.exposure_s.is_none() && other.exposure_s.is_none() {
        own.exposure_s = Some(seconds);
        own.temp_c = own.temp_c.or(other.temp_c).or(Some(temp_c));
    }
    own
}

/// What scaling a dark beside the bias is expected to do to a light; `None` where one exposure is known and the other
/// is not.
pub(super) fn forecast(
    light: &Traits,
    (name, dark, frames): (&str, &Traits, usize),
    bias: Of<'_>,
    current: &DarkCurrent,
) -> Option<ScaledPlan> {
    let (light, dark) = (&unlabelled(light, dark), &unlabelled(dark, light));
    let (light_s, dark_s) = (light.exposure_s?, dark.exposure_s?);
    if !(dark_s > 0.0 && light_s > 0.0) {
        return None;
    }
    let warmth = light.temp_c.zip(dark.temp_c).map_or(0.0, |(l, d)| l - d);
    let by_exposure = light_s / dark_s;
    let by_both = by_exposure * (warmth / current.doubling_c()).exp2();
    let bias_noise = noise(FrameKind::Bias, light, bias, current);
    let dark_noise = noise(FrameKind::Dark, light, (dark, frames), current);
    // The bias is in the light once, and in the dark as often as that is taken.
    let left = |k: f64| {
        let (left, unit) = scaled_cost(light, dark, current, k)?;
        Some((left.hypot(k * dark_noise).hypot((1.0 - k) * bias_noise), unit))
    };
    let (none, unit) = left(0.0)?;
    let way = |source, k: f64, residual: f64, allowed| DarkWay { source, k, residual, allowed };
    let (scaled, _) = left(by_both)?;
    // However little the dark signal should be: hot pixels tell, and labels may be wrong.
    let fitted = scaled.hypot(UNLIKE_SHARE * none);
    let ways = vec![
        way(DarkSource::Fitted, by_both, fitted, true),
        way(DarkSource::Exposure, by_exposure, left(by_exposure)?.0, false),
        way(DarkSource::Nearest, 1.0, left(1.0)?.0, true),
        way(DarkSource::None, 0.0, none, true),
    ];
    Some(ScaledPlan { dark: name.to_owned(), ways, unit })
}

/// What the mean of some frames is off by for their number, at a light's own dark signal.
fn noise(kind: FrameKind, light: &Traits, (of, frames): Of<'_>, current: &DarkCurrent) -> f64 {
    cost(kind, light, of, frames, current).noise
}

/// The way by a model of darks and the bias, where they can make one for the light, with what it is expected
/// to leave: the error of a pixel's line over the seconds at the light's own, and what hot pixels do otherwise
/// in a light. `none` is what no dark at all leaves.
///
/// # Source
/// Birge1932: the error of what is calculated by weighted least squares.
pub(super) fn modelled(
    light: &Traits,
    darks: &[Of<'_>],
    bias: Of<'_>,
    (current, none): (&DarkCurrent, f64),
) -> Option<DarkWay> {
    let (light_s, light_c) = (light.exposure_s?, light.temp_c?);
    let term =
        |exposure_s, temp_c, frames| Term { name: String::new(), exposure_s, temp_c, frames };
    let of = |(dark, frames): &Of<'_>| Some(term(dark.exposure_s?, dark.temp_c, *frames));
    let mut terms = vec![term(0.0, light.temp_c, bias.1)];
    terms.extend(darks.iter().filter_map(of));
    enough(&terms).ok()?;
    let proven = Proven::by(&terms);
    let several = proven.temps_c.1 - proven.temps_c.0 > TOLERANCE_C;
    proven.covers(light_s, light_c, several).ok()?;
    let warmth = |c: Option<f64>| ((c.unwrap_or(light_c) - light_c) / current.doubling_c()).exp2();
    let seconds = terms.iter().map(|t| t.exposure_s * warmth(t.temp_c)).collect();
    let weights: Vec<f64> = terms.iter().map(|t| t.frames as f64).collect();
    let line = Design::new(&[vec![1.0; terms.len()], seconds], &weights)?;
    let variance: Vec<f64> = weights.iter().map(|w| 1.0 / w).collect();
    let covariance = |i, j| line.covariance(i, j, &variance);
    let share =
        covariance(0, 0) + 2.0 * light_s * covariance(0, 1) + light_s.powi(2) * covariance(1, 1);
    let one = noise(FrameKind::Dark, light, (bias.0, 1), current);
    let residual = (one * share.sqrt()).hypot(UNLIKE_SHARE * none);
    Some(DarkWay { source: DarkSource::Model, k: 1.0, residual, allowed: true })
}
