//! One light of a run.

use std::path::PathBuf;

use photosite_pix::stat::Summary;
use serde::{Deserialize, Serialize};

use super::ChoiceReport;
use crate::calibrate::Left;
use crate::calibrate::dark::{DarkChoice, DarkSource, DarkWay};
use crate::calibrate::flat_fit::FlatFit;
use crate::diagnose::{NoiseBudget, PatternSeen, Verdict};
use crate::library::CostUnit;
use crate::plan::ScaledPlan;

/// One light.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LightReport {
    /// The raw light.
    #[serde(with = "crate::shown::path")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: PathBuf,
    /// The calibrated light; `None` where none was kept.
    #[serde(with = "crate::shown::optional", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub output: Option<PathBuf>,
    /// The master bias that was subtracted; `None` where the dark took the bias with it.
    #[serde(with = "crate::shown::optional", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub bias: Option<PathBuf>,
    /// The master dark.
    #[serde(with = "crate::shown::optional", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub dark: Option<PathBuf>,
    /// The factor of the dark.
    pub dark_scale: Option<f64>,
    /// The factor's standard error, where it was measured in the light.
    #[serde(default)]
    pub dark_scale_error: Option<f64>,
    /// Where dark and factor came from; `None` before the light is calibrated.
    #[serde(default)]
    pub dark_source: Option<DarkSource>,
    /// For a light without a matched dark: the ways that there are, each with what it is predicted to
    /// leave; none for others.
    #[serde(default)]
    pub dark_ways: Vec<DarkWayReport>,
    /// The master flat.
    #[serde(with = "crate::shown::optional", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub flat: Option<PathBuf>,
    /// What the light's own background says of the flat; `None` where that was not looked at.
    #[serde(default)]
    pub flat_fit: Option<FlatFit>,
    /// Whether it was calibrated right, as far as its dark's hot pixels and its background tell; `None` before
    /// it is calibrated.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// How much of its dark is left; `None` without one, or where it has too few hot pixels.
    #[serde(default)]
    pub left_of_dark: Option<Left>,
    /// Patterns that its background shows: steps between amplifiers, interference, rows and columns that stand
    /// out.
    #[serde(default)]
    pub patterns: Vec<PatternSeen>,
    /// Where its noise comes from, and what it shows; null where gain, read noise or a master's noise is not
    /// known.
    #[serde(default)]
    pub noise_budget: Option<NoiseBudget>,
    /// What was done, in order.
    pub steps: Vec<String>,
    /// The raw samples, described.
    pub stats_before: Option<Summary>,
    /// The calibrated samples, described.
    pub stats_after: Option<Summary>,
    /// Pixels replaced from their neighbours.
    pub repaired: usize,
    /// How each master was chosen.
    pub choices: Vec<ChoiceReport>,
    /// The key of its inputs and parameters; `None` before it is made.
    pub key: Option<String>,
    /// It was there already.
    pub reused: bool,
}

/// One way to treat the dark signal of a light without a matched dark.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DarkWayReport {
    /// The way.
    pub source: DarkSource,
    /// The factor of the dark; `None` where it is to be measured.
    pub k: Option<f64>,
    /// Dark signal and noise of the dark that it is predicted to leave, as a root mean square over all
    /// pixels.
    pub residual: Option<f64>,
    /// What that is counted in.
    pub unit: CostUnit,
    /// The numbers were measured in the light, not predicted from its header.
    pub measured: bool,
    /// It is the one taken.
    pub taken: bool,
}

impl DarkWayReport {
    /// What was decided for a light, or as long as nothing is, what its headers foretell.
    pub fn of(plan: Option<&ScaledPlan>, choice: Option<&DarkChoice>) -> Vec<Self> {
        let report = |way: &DarkWay, unit, measured, taken| Self {
            source: way.source,
            k: (measured || way.source != DarkSource::Fitted).then_some(way.k),
            residual: Some(way.residual).filter(|r| r.is_finite()),
            unit,
            measured,
            taken,
        };
        if let Some(choice) = choice {
            let taken = |way: &DarkWay| way.source == choice.share.source;
            let ways = choice.ways.iter();
            return ways.map(|w| report(w, CostUnit::Adu, true, taken(w))).collect();
        }
        let ways = plan.iter().flat_map(|p| p.ways.iter().map(|w| (w, p.unit)));
        ways.enumerate().map(|(i, (w, unit))| report(w, unit, false, i == 0)).collect()
    }
}
