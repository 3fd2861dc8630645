//! The account of a run, for people and machines: `run.json`.
//!
//! ```
//! use photosite::report::{RunReport, SCHEMA, is_ours};
//!
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().join("run.json");
//! # let report = r#"{
//! #     "schema": "photosite.run/1", "version": "0.1.0", "frames": [], "masters": [], "lights": [],
//! #     "stars": [], "registration": { "frames": [] }, "pictures": [], "stacks": [], "library": null,
//! #     "findings": [], "timing": { "total_s": 1.5 },
//! #     "forecast": { "read_bytes": 0, "write_bytes": 0, "scratch_bytes": 0, "memory_bytes": 0 }
//! # }"#;
//! # std::fs::write(&path, report).unwrap();
//! let report = RunReport::read(&path)?;
//! assert_eq!((&*report.schema, report.timing["total_s"]), (SCHEMA, 1.5));
//! assert_eq!(report.worst(), None);
//! // Only what is known to be a report is ever replaced by one.
//! std::fs::write(&path, "{}").unwrap();
//! assert!(!is_ours(&path) && RunReport::read(&path).is_err());
//! # Ok::<(), photosite::Error>(())
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_pix::align::{Alignment, Transform};
use photosite_pix::stat::{Summary, nan_of_null};
use photosite_pix::{FrameKind, Metadata};
use serde::{Deserialize, Serialize};

use crate::detector::OverscanRecord;
use crate::diagnose::{More, NoiseBudget, Verdict};
use crate::finding::Severity;
use crate::library::{Check, Cost, Traits};
use crate::master::NoiseCheck;
use crate::params::Setting;
use crate::plan::{CandidateName, Explained, Shot};
pub use crate::register::{FluxScale, Outlier, ScaleSource, StarsKept, TrailReport};
use crate::{Error, Finding, Result};

mod light;
mod lights;
mod page;

pub use light::{DarkWayReport, LightReport};
pub use lights::LightRow;
pub use page::{Detail, Histogram, MapPicture, MasterPicture, Pictures, StackPictures, page};

/// The name of the schema; its number rises when a key changes its meaning.
pub const SCHEMA: &str = "photosite.run/1";

impl RunReport {
    /// Reads a report back.
    ///
    /// # Errors
    /// When the file cannot be read, is no report of a run, or is one of another schema.
    pub fn read(path: &Path) -> Result<Self> {
        let json = std::fs::read(path).map_err(|e| Error::io(path, "reading the report", e))?;
        let unfit = |why: String| {
            Error::unsupported(format!(
                "{} is not a report that can be read: {why}",
                path.display()
            ))
        };
        let report: Self = serde_json::from_slice(&json).map_err(|e| unfit(e.to_string()))?;
        match &*report.schema {
            SCHEMA => Ok(report),
            other => Err(unfit(format!("its schema is {other}, not {SCHEMA}"))),
        }
    }
}

/// Whether the file at `path` is a report of a run: nothing else is ever replaced by one.
pub fn is_ours(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Schema {
        schema: String,
    }
    let told = std::fs::read(path).ok();
    let told = told.and_then(|json| serde_json::from_slice::<Schema>(&json).ok());
    told.is_some_and(|t| t.schema.starts_with("photosite.run/"))
}

/// One frame of the night.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FrameReport {
    /// Where it lies.
    #[serde(with = "crate::shown::path")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: PathBuf,
    /// What it is; `None` where that is not known.
    pub kind: Option<FrameKind>,
    /// It went into a product.
    pub used: bool,
    /// The file name of the master it went into; for a light, the name of its set-up and filter;
    /// `None` for what was left out.
    pub group: Option<String>,
    /// What its header says.
    pub metadata: Option<Metadata>,
    /// Of a calibration frame that was looked at: good where nothing was found, usable where something was,
    /// wrong where it was left out for it; null for others, and before anything is done.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// What its overscans told; nothing of a frame that was not read, or that has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overscans: Vec<OverscanRecord>,
}

/// One master.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MasterReport {
    /// Its kind.
    pub kind: FrameKind,
    /// Where it lies; `None` where it could not be made.
    #[serde(with = "crate::shown::path")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: PathBuf,
    /// The frames it was made of; none for a master of the library that is taken as it is.
    #[serde(with = "crate::shown::list", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub inputs: Vec<PathBuf>,
    /// How many frames it was made of.
    pub frames: usize,
    /// How samples were combined; `not known` for another program's master.
    pub combine: String,
    /// How samples were rejected.
    pub reject: String,
    /// Samples rejected below.
    pub rejected_low: u64,
    /// Samples rejected above.
    pub rejected_high: u64,
    /// Its samples, described.
    pub stats: Option<Summary>,
    /// Pixels marked hot.
    pub hot: usize,
    /// Pixels marked cold.
    pub cold: usize,
    /// Pixels without data.
    pub no_data: usize,
    /// The noise of one frame: as its samples scatter, and as gain and read noise foretell it.
    pub noise: Option<NoiseCheck>,
    /// Good where nothing was found of it and its noise is as predicted, usable or wrong otherwise; null before it
    /// is made.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// For a flat: what took its additive part out.
    pub additive_removed_by: Option<Cow<'static, str>>,
    /// What its frames have in common.
    pub traits: Traits,
    /// The key of its inputs and parameters: same key, same bytes; `None` before it is made, and for
    /// another program's.
    pub key: Option<String>,
    /// It was there already.
    pub reused: bool,
    /// Where it came from.
    pub from: MasterSource,
    /// Its name in the library, where it was taken from there as it is.
    pub library_id: Option<String>,
}

/// Where a master came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MasterSource {
    /// It was made for this folder of products, now or earlier.
    Output,
    /// It was copied from the library.
    Library,
}

/// A candidate that did not fit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RefusedReport {
    /// The candidate's file name.
    pub master: String,
    /// Its name in the library.
    pub library_id: Option<String>,
    /// What differs.
    pub differs: Vec<Check>,
}

/// How one master of a light was chosen.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ChoiceReport {
    /// The kind of master.
    pub kind: FrameKind,
    /// The file name of the chosen one.
    pub chosen: Option<String>,
    /// The chosen one's name in the library; `None` for one of the night's own.
    pub library_id: Option<String>,
    /// What it would leave in the light.
    pub cost: Option<Cost>,
    /// The same in electrons, where it is counted in them.
    pub cost_e: Option<f64>,
    /// The second best.
    pub runner_up: Option<RunnerUpReport>,
    /// The chosen one's properties, compared.
    pub checks: Vec<Check>,
    /// Those that did not fit, the nearest first.
    pub refused: Vec<RefusedReport>,
    /// How many did not fit, listed or not.
    pub refused_count: usize,
}

/// The second best master.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RunnerUpReport {
    /// Its file name.
    pub master: String,
    /// Its name in the library.
    pub library_id: Option<String>,
    /// What it would leave in the light.
    pub cost: Cost,
    /// The same in electrons, where it is counted in them.
    pub cost_e: Option<f64>,
}

/// What the library gave and took.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LibraryReport {
    /// Its folder.
    #[serde(with = "crate::shown::path")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: PathBuf,
    /// The masters that were put into it.
    pub added: Vec<String>,
    /// The masters that were taken from it.
    pub reused: Vec<String>,
}

/// The stars of one light.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StarsReport {
    /// The raw light.
    #[serde(with = "crate::shown::path")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: PathBuf,
    /// How many were found.
    pub count: usize,
    /// Their median full width at half maximum in pixels; `None` without stars.
    pub fwhm_px: Option<f64>,
    /// The median of their short axes over their long ones.
    pub roundness: Option<f64>,
    /// The typical background in ADU.
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub background_adu: f64,
    /// The typical noise of a sample in ADU.
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub noise_adu: f64,
}

/// Where one light lies.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RegisteredReport {
    /// The raw light.
    #[serde(with = "crate::shown::path")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: PathBuf,
    /// The light that it was laid over.
    #[serde(with = "crate::shown::path")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub reference: PathBuf,
    /// Takes pixels of the reference to those of the light; `None` where no place was found.
    pub transform: Option<Transform>,
    /// What that rests on.
    #[serde(default)]
    pub by: Option<Alignment>,
    /// By stars, the root mean square distance between matched ones; by world coordinates, the
    /// transform's misfit to those. In pixels of the light.
    pub residual_px: Option<f64>,
    /// Stars that came together.
    pub n_matched: Option<usize>,
    /// What its samples above the sky were multiplied with to hold as much light as those of the
    /// light at whose level the picture is; `None` where it was not laid, or scales were not asked for.
    #[serde(default)]
    pub flux_scale: Option<FluxScale>,
    /// It went into a picture.
    pub used: bool,
}

/// Where the lights lie.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RegistrationReport {
    /// The light that the others were laid over; that of the first target where there are several.
    #[serde(with = "crate::shown::optional", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub reference: Option<PathBuf>,
    /// Each light.
    pub frames: Vec<RegisteredReport>,
}

/// One picture as planned, before any light is looked at.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PictureReport {
    /// Its file name, if every light goes into it.
    pub name: String,
    /// The target.
    pub object: Option<String>,
    /// The filter.
    pub filter: Option<String>,
    /// The raw lights for it.
    #[serde(with = "crate::shown::list", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub lights: Vec<PathBuf>,
    /// One light's exposure in seconds.
    pub light_exposure_s: Option<f64>,
    /// Their exposures together in seconds; `None` where one is not known.
    pub exposure_s: Option<f64>,
}

/// One picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StackReport {
    /// Where it lies.
    #[serde(with = "crate::shown::path")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: PathBuf,
    /// The target.
    pub object: Option<String>,
    /// The filter.
    pub filter: Option<String>,
    /// The raw lights in it.
    #[serde(with = "crate::shown::list", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub inputs: Vec<PathBuf>,
    /// Their exposures together in seconds; `None` where one is not known.
    pub exposure_s: Option<f64>,
    /// Their weights, the greatest being 1.
    pub weights: Vec<f64>,
    /// The name of the rejection.
    pub reject: String,
    /// Samples rejected below.
    pub rejected_low: u64,
    /// Samples rejected above.
    pub rejected_high: u64,
    /// Trails that were masked in its lights.
    #[serde(default)]
    pub trails: Vec<TrailReport>,
    /// Its noise in ADU, as blocks of 4 x 4 pixels show it beside stars.
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub noise_adu: f64,
    /// The noise of the light at whose level it is over its own, both measured stars and all.
    #[serde(deserialize_with = "nan_of_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub noise_gain: f64,
    /// The median full width at half maximum of its stars in pixels.
    pub fwhm_px: Option<f64>,
    /// Stars found in it.
    pub stars: usize,
    /// Whether they keep the light that they have in its lights; null where that cannot be told.
    #[serde(default)]
    pub stars_kept: Option<StarsKept>,
    /// Where its noise comes from, in blocks of 4 x 4 pixels, and what it shows; null where that is not known
    /// of its lights, and for drizzled ones.
    #[serde(default)]
    pub noise_budget: Option<NoiseBudget>,
    /// What more frames would buy.
    #[serde(default)]
    pub more: Vec<More>,
    /// The light on whose pixels it lies.
    #[serde(with = "crate::shown::path")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub reference: PathBuf,
    /// The key of its inputs and parameters.
    pub key: String,
    /// The sums in the headers of its units when it was written: other ones were written by somebody else.
    #[serde(default)]
    pub sums: Vec<String>,
    /// It was there already.
    pub reused: bool,
}

/// The whole report of a run, or of what it would do.
///
/// Keys may be added under one schema; where a key changes its meaning, the schema's number rises. A
/// number that is not known is null.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RunReport {
    /// The name of this schema: [`SCHEMA`].
    #[cfg_attr(feature = "schema", schemars(extend("const" = SCHEMA)))]
    pub schema: Cow<'static, str>,
    /// The software's version.
    pub version: Cow<'static, str>,
    /// Every frame that was found.
    pub frames: Vec<FrameReport>,
    /// Every master.
    pub masters: Vec<MasterReport>,
    /// Every light.
    pub lights: Vec<LightReport>,
    /// The stars of every light that was offered to a stack.
    pub stars: Vec<StarsReport>,
    /// How lights are registered to each other.
    pub registration: RegistrationReport,
    /// The table of lights, those of a stack together.
    #[serde(default)]
    pub table: Vec<LightRow>,
    /// The stacks that were planned.
    pub pictures: Vec<PictureReport>,
    /// Every stack that was made, or stood there.
    pub stacks: Vec<StackReport>,
    /// The library; `None` where none was used.
    pub library: Option<LibraryReport>,
    /// Everything that was found.
    pub findings: Vec<Finding>,
    /// Which calibration frames are missing or too few for the lights, in the order in which to take them.
    #[serde(default)]
    pub to_shoot: Vec<Shot>,
    /// What the work takes, or was expected to take.
    pub forecast: crate::plan::Forecast,
    /// What was asked for, so that it can be asked for again; absent from dry runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("$ref" = "plan.schema.json#/$defs/AskedNight")))]
    pub asked: Option<serde_json::Value>,
    /// The values that the run went by, and where each is from; none where a program asked for the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<Setting>,
    /// The plan as data, where it was asked for: `photosite run --plan FILE` runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("$ref" = "plan.schema.json")))]
    pub plan: Option<serde_json::Value>,
    /// Seconds a stage; the only part that differs between equal runs.
    pub timing: BTreeMap<String, f64>,
}

impl RunReport {
    /// The gravest severity among the findings.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|f| f.severity).max()
    }
}

impl ChoiceReport {
    /// The account of a choice.
    pub fn of(kind: FrameKind, explained: &Explained) -> Self {
        let choice = &explained.choice;
        let at = |i: usize| explained.candidates.get(&i);
        let name = |i: usize| at(i).map(|c| c.name.clone()).unwrap_or_default();
        let id = |i: usize| at(i).and_then(|c: &CandidateName| c.id.clone());
        let cost = choice.cost();
        Self {
            kind,
            chosen: choice.chosen().map(name),
            library_id: choice.chosen().and_then(id),
            cost,
            cost_e: cost.and_then(|c| c.electrons()),
            runner_up: choice.ranked.get(1).map(|p| RunnerUpReport {
                master: name(p.candidate),
                library_id: id(p.candidate),
                cost: p.cost,
                cost_e: p.cost.electrons(),
            }),
            checks: choice.checks.clone(),
            refused: choice
                .refused
                .iter()
                .map(|r| RefusedReport {
                    master: name(r.candidate),
                    library_id: id(r.candidate),
                    differs: r.differs.clone(),
                })
                .collect(),
            refused_count: choice.refused_count,
        }
    }
}
