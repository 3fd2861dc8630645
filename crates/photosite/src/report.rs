//! The account of a run, for people and machines: `run.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use photosite_pix::stat::Summary;
use photosite_pix::{FrameKind, Metadata};
use serde::Serialize;

use crate::Finding;
use crate::finding::Severity;
use crate::library::{Check, Traits};
use crate::master::NoiseCheck;

/// The name of the schema; its number rises when a key changes its meaning.
pub const SCHEMA: &str = "photosite.run/1";

/// One frame of the night.
#[derive(Debug, Clone, Serialize)]
pub struct FrameReport {
    /// Where it lies.
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
}

/// One master.
#[derive(Debug, Clone, Serialize)]
pub struct MasterReport {
    /// Its kind.
    pub kind: FrameKind,
    /// Where it lies; `None` where it could not be made.
    pub path: PathBuf,
    /// The frames it was made of.
    pub inputs: Vec<PathBuf>,
    /// How samples were combined.
    pub combine: &'static str,
    /// How samples were rejected.
    pub reject: &'static str,
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
    /// For a flat: what took its additive part out.
    pub additive_removed_by: Option<&'static str>,
    /// What its frames have in common.
    pub traits: Traits,
    /// It was there already.
    pub reused: bool,
}

/// A candidate that did not fit.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedReport {
    /// The candidate's file name.
    pub master: String,
    /// What differs.
    pub differs: Vec<Check>,
}

/// How one master of a light was chosen.
#[derive(Debug, Clone, Serialize)]
pub struct ChoiceReport {
    /// The kind of master.
    pub kind: FrameKind,
    /// The file name of the chosen one.
    pub chosen: Option<String>,
    /// Its properties, compared.
    pub checks: Vec<Check>,
    /// Those that did not fit, the nearest first.
    pub refused: Vec<RefusedReport>,
}

/// One light.
#[derive(Debug, Clone, Serialize)]
pub struct LightReport {
    /// The raw light.
    pub path: PathBuf,
    /// The calibrated light; `None` where there is none.
    pub output: Option<PathBuf>,
    /// The master bias that was subtracted; `None` where the dark took the bias with it.
    pub bias: Option<PathBuf>,
    /// The master dark.
    pub dark: Option<PathBuf>,
    /// The factor of the dark.
    pub dark_scale: Option<f64>,
    /// The master flat.
    pub flat: Option<PathBuf>,
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
    /// It was there already.
    pub reused: bool,
}

/// The whole account.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The software's version.
    pub version: &'static str,
    /// Every frame that was found.
    pub frames: Vec<FrameReport>,
    /// Every master.
    pub masters: Vec<MasterReport>,
    /// Every light.
    pub lights: Vec<LightReport>,
    /// Everything that was found.
    pub findings: Vec<Finding>,
    /// What the work takes, or took, at most.
    pub forecast: crate::plan::Forecast,
    /// Seconds a stage; the only part that differs between equal runs.
    pub timing: BTreeMap<String, f64>,
}

impl RunReport {
    /// The gravest severity among the findings.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|f| f.severity).max()
    }
}
