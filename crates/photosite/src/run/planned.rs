//! A night planned now and run later.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_pix::FrameKind;
use photosite_pix::align::Alignment;
use photosite_pix::unit::NoiseModel;
use serde::{Deserialize, Serialize};

use super::request::{DefectsChoice, Keep, NightRequest};
use crate::colour::Extract;
use crate::detector::Linearity;
use crate::inventory::KindOverrides;
use crate::params::{Glob, Integration, OverscanChoice, Repair, Selection, Storage, sixteen_bits};
use crate::plan::{Graph, PLAN_SCHEMA};
use crate::provenance::{ALGORITHM_VERSION, ContentHash, FileMark, SOFTWARE};
use crate::{Error, Result};

/// A night as it was asked for, to be asked for again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AskedNight {
    /// Files and folders.
    paths: Vec<PathBuf>,
    /// Kinds given by hand, each for a file or a folder.
    kinds: Vec<(PathBuf, FrameKind)>,
    /// The folder of products.
    output: PathBuf,
    /// Overscans given by hand, and how their level is found.
    #[serde(default, skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    overscan: OverscanChoice,
    /// What straightens the response of every frame, as it was given by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    linearity: Option<Linearity>,
    /// Gain and read noise, where the headers' were overruled.
    noise: Option<NoiseModel>,
    /// Gain and read noise of cameras whose headers do not say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cameras: Vec<(String, NoiseModel)>,
    /// The defect map that was named; `None` for the night's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    defects: Option<PathBuf>,
    /// Lights are calibrated without a defect map.
    #[serde(default, skip_serializing_if = "is_default")]
    without_defects: bool,
    /// What becomes of defective pixels.
    #[serde(default, skip_serializing_if = "is_default")]
    repair: Repair,
    /// The pedestal in ADU of calibrated lights of 16 bits; `None` where they are floating point.
    pedestal_adu: Option<f32>,
    /// The pedestal is the smallest that is enough for a group of lights.
    #[serde(default, skip_serializing_if = "is_default")]
    pedestal_auto: bool,
    /// The folder of the library; `None` for none.
    library: Option<PathBuf>,
    /// Lights are stacked.
    stack: bool,
    /// How lights are registered.
    align: Alignment,
    /// How lights become stacks otherwise.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    how: Integration,
    /// The image on whose pixels stacks are laid; null for the best light.
    #[serde(default)]
    reference: Option<PathBuf>,
    /// Patterns of files that are left out.
    #[serde(default)]
    exclude: Vec<Glob>,
    /// Which lights of a stack are wanted; all where it is empty.
    #[serde(default)]
    selection: Selection,
    /// Lights of all exposures of a filter become one stack.
    #[serde(default)]
    join_exposures: bool,
    /// The lines that are stacked instead of colours; null for colours.
    #[serde(default)]
    extract: Option<Extract>,
    /// All calibrated lights are kept.
    keep_calibrated: bool,
    /// Lights on the pixels of their stack are kept.
    keep_registered: bool,
}

/// A plan that can be run: what was asked for, and what was to be made of it.
///
/// Keys may be added under one schema; where a key changes its meaning, the schema's number rises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlannedNight {
    /// What was asked for.
    pub asked: AskedNight,
    /// What was to be made.
    #[serde(flatten)]
    pub graph: Graph,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl AskedNight {
    /// Writes a request down; paths are whole, so that it can be run from any folder.
    pub(super) fn of(request: &NightRequest) -> Self {
        let kinds = request.overrides.paths.iter().map(|(p, kind)| (whole(p), *kind));
        Self {
            paths: request.paths.iter().map(|p| whole(p)).collect(),
            kinds: kinds.collect(),
            output: whole(&request.output),
            overscan: request.overrides.overscan.clone(),
            linearity: request.overrides.linearity.as_deref().cloned(),
            noise: request.noise,
            cameras: request.cameras.clone(),
            defects: match &request.defects {
                DefectsChoice::File(path) => Some(whole(path)),
                DefectsChoice::Own | DefectsChoice::None => None,
            },
            without_defects: request.defects == DefectsChoice::None,
            repair: request.repair,
            pedestal_adu: match request.sample {
                Storage::SixteenBits(pedestal_adu) => Some(pedestal_adu),
                Storage::F32 | Storage::SixteenBitsAuto => None,
            },
            pedestal_auto: request.sample == Storage::SixteenBitsAuto,
            library: request.library.as_deref().map(whole),
            stack: request.stack,
            align: request.align(),
            how: request.how,
            reference: request.reference.as_deref().map(whole),
            exclude: request.exclude.clone(),
            selection: request.selection.clone(),
            join_exposures: request.join_exposures,
            extract: request.extract,
            keep_calibrated: request.keep.calibrated,
            keep_registered: request.keep.registered,
        }
    }

    /// The request, with another folder of products where one is named.
    ///
    /// # Errors
    /// When what is written down means nothing.
    pub fn request(&self, output: Option<&Path>) -> Result<NightRequest> {
        Ok(NightRequest {
            paths: self.paths.clone(),
            overrides: KindOverrides {
                paths: self.kinds.clone(),
                overscan: self.overscan.clone(),
                linearity: self.linearity.clone().map(Arc::new),
            },
            output: output.unwrap_or(&self.output).to_owned(),
            dry_run: false,
            graph: false,
            noise: self.noise,
            cameras: self.cameras.clone(),
            defects: match &self.defects {
                _ if self.without_defects => DefectsChoice::None,
                Some(path) => DefectsChoice::File(path.clone()),
                None => DefectsChoice::Own,
            },
            repair: self.repair,
            sample: match self.pedestal_adu {
                _ if self.pedestal_auto => Storage::SixteenBitsAuto,
                Some(adu) => sixteen_bits(adu).map(|_| Storage::SixteenBits(adu))?,
                None => Storage::F32,
            },
            library: self.library.clone(),
            stack: self.stack,
            how: Integration { register: Some(self.align), ..self.how },
            reference: self.reference.clone(),
            exclude: self.exclude.clone(),
            selection: self.selection.clone(),
            join_exposures: self.join_exposures,
            extract: self.extract,
            keep: Keep { calibrated: self.keep_calibrated, registered: self.keep_registered },
            tidy: false,
            settings: Vec::new(),
        })
    }
}

/// Reads a plan: a file of its own, or the report of a dry run that holds one.
///
/// # Errors
/// When the file holds no plan, one of another version, or a frame that it rests on is gone or has
/// changed; the message names it.
pub fn read_plan(path: &Path) -> Result<PlannedNight> {
    let json = std::fs::read(path).map_err(|e| Error::io(path, "reading the plan", e))?;
    let unfit = |why: String| {
        let again = "make a new plan: photosite run ... --dry-run --json > plan.json";
        Error::parameters(format!("{} cannot be run: {why}; {again}", path.display()))
    };
    let mut value: serde_json::Value =
        serde_json::from_slice(&json).map_err(|e| unfit(format!("it is not valid JSON ({e})")))?;
    let plan = match value.get_mut("plan") {
        Some(plan) => plan.take(),
        None => value,
    };
    let schema = plan.get("schema").and_then(|s| s.as_str()).unwrap_or("none").to_owned();
    if schema != PLAN_SCHEMA {
        return Err(unfit(format!("it is not a plan (its schema is {schema}, not {PLAN_SCHEMA})")));
    }
    let plan: PlannedNight = serde_json::from_value(plan).map_err(|e| unfit(e.to_string()))?;
    let Graph { software, algorithm_version, .. } = &plan.graph;
    if software != SOFTWARE || *algorithm_version != ALGORITHM_VERSION {
        return Err(unfit(format!(
            "it was made by {software} (arithmetic {algorithm_version}), this is {SOFTWARE} \
             (arithmetic {ALGORITHM_VERSION})"
        )));
    }
    for input in &plan.graph.inputs {
        let changed = |what: &str| unfit(format!("{} {what}", input.path.display()));
        let Ok(mark) = FileMark::of(&input.path) else { return Err(changed("is gone")) };
        let planned = FileMark { file_bytes: input.file_bytes, modified_ns: input.modified_ns };
        // A file that was only touched holds what it held.
        if mark != planned && ContentHash::of_file(&input.path)?.to_string() != input.id {
            return Err(changed("has changed since the plan was made"));
        }
    }
    Ok(plan)
}
