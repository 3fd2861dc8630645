//! A dark model in memory, and what it proves in numbers.

use std::path::Path;

use photosite_pix::{CfaPattern, Header, MaskBits, Plane, Size, stat};
use serde::{Deserialize, Serialize};

use crate::calibrate::dark::model::{
    GlowLaw, HeldOut, Known, LevelLaw, Measured, Planes, Refused, Term,
};
use crate::finding::Severity;
use crate::provenance::Provenance;
use crate::{Error, Finding};

/// The schema of a model's table and report.
pub const MODEL_SCHEMA: &str = "photosite-dark-model/1";

/// How much more than expected may be left of a master before it is told.
const TOLD_RATIO: f64 = 2.0;

/// Why a master may not be what its header says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Doubt {
    /// The master's name.
    pub master: String,
    /// What contradicts it, a sentence that names it.
    pub message: String,
}

/// A dark model: planes and laws.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DarkModel {
    /// Laws, masters and their noise.
    pub known: Known,
    /// What is known of each pixel.
    pub planes: Planes,
    /// Each master foretold from the others.
    pub held_out: Vec<HeldOut>,
    /// What its masters contradict.
    pub doubts: Vec<Doubt>,
    /// The lowest sample that a master marks as saturated, in ADU.
    pub saturation_adu: Option<f64>,
    /// The colour filter array over it.
    pub cfa: Option<CfaPattern>,
    /// The header of its file.
    pub header: Header,
    pub(super) provenance: Provenance,
}

/// What a model proves, in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct ModelSummary {
    /// The schema of this report.
    pub schema: &'static str,
    /// Width and height.
    pub size: Size,
    /// The masters.
    pub masters: Vec<Term>,
    /// The temperature that rates are given for, in degrees Celsius.
    pub ref_temp_c: f64,
    /// Exposures that may be asked for, in seconds.
    pub exposures_s: (f64, f64),
    /// Temperatures that may be asked for, in degrees Celsius.
    pub temps_c: (f64, f64),
    /// The degrees that double dark current; `None` where the darks are of one temperature.
    pub doubling_c: Option<Measured>,
    /// Pixels with a doubling temperature of their own.
    pub own_doubling: usize,
    /// Rates in ADU a second at the reference temperature: the median, and what 99 and 99.9 % of the
    /// pixels do not exceed.
    pub rate_adu_s: [f64; 3],
    /// The typical error of a rate.
    pub rate_error_adu_s: f64,
    /// The law of the glow, where there is one.
    pub glow: Option<GlowLaw>,
    /// The level's law.
    pub level: LevelLaw,
    /// The median share of differences that is explained: of all pixels, and of the hottest 0.1 %.
    pub r2: [f64; 2],
    /// Pixels that do not follow the model.
    pub unsteady: usize,
    /// Pixels without enough samples.
    pub no_data: usize,
    /// Each master foretold from the others.
    pub held_out: Vec<HeldOut>,
}

impl Refused {
    /// As an error of a command.
    pub fn error(self) -> Error {
        match self {
            Self::Exposure { .. } | Self::Temperature { .. } => Error::parameters(self.to_string()),
            _ => Error::mismatch(self.to_string()),
        }
    }
}

impl DarkModel {
    /// The key of the model's inputs.
    pub fn key(&self) -> String {
        self.provenance.key()
    }

    /// What the model proves.
    pub fn summary(&self) -> ModelSummary {
        let sorted = |plane: &Plane<f32>| {
            let mut all: Vec<f32> =
                plane.as_slice().iter().copied().filter(|v| v.is_finite()).collect();
            all.sort_by(f32::total_cmp);
            all
        };
        let at = |all: &[f32], share: f64| {
            let last = all.len().saturating_sub(1);
            all.get((all.len() as f64 * share) as usize)
                .or(all.get(last))
                .map_or(f64::NAN, |v| f64::from(*v))
        };
        let rates = sorted(&self.planes.rate);
        let hottest = at(&rates, 0.999);
        let of_hot: Vec<f32> = (self.planes.rate.as_slice().iter().zip(self.planes.r2.as_slice()))
            .filter(|(r, _)| f64::from(**r) > hottest)
            .map(|(_, v)| *v)
            .collect();
        let known = &self.known;
        let (low_c, high_c) = known.temps_c();
        let several = known.laws.doubling_c.is_some();
        let marked = |bits| self.planes.mask.as_slice().iter().filter(|m| m.contains(bits)).count();
        ModelSummary {
            schema: MODEL_SCHEMA,
            size: self.planes.rate.size(),
            masters: known.terms.clone(),
            ref_temp_c: known.laws.ref_temp_c,
            exposures_s: known.bounds_s(),
            temps_c: (low_c - known.margin_c(), high_c + known.margin_c()),
            doubling_c: known.laws.doubling_c.filter(|_| several),
            own_doubling: self.planes.doubling_c.as_ref().map_or(0, |p| sorted(p).len()),
            rate_adu_s: [at(&rates, 0.5), at(&rates, 0.99), hottest],
            rate_error_adu_s: at(&sorted(&self.planes.rate_error), 0.5),
            glow: known.laws.glow.as_ref().map(|(law, _)| *law),
            level: known.laws.level.clone(),
            r2: [at(&sorted(&self.planes.r2), 0.5), f64::from(stat::median(&of_hot))],
            unsteady: marked(MaskBits::UNSTABLE),
            no_data: marked(MaskBits::NO_DATA),
            held_out: self.held_out.clone(),
        }
    }

    /// What is doubtful about the model.
    pub fn findings(&self, path: &Path) -> Vec<Finding> {
        let told = |master: &str, message: String| {
            let subject = path.display().to_string();
            Finding::new("dark-model-doubtful", Severity::Warning, subject, message)
                .hint(
                    "Look at its frames: light, another temperature or offset, or a wrong label; build again \
                     without it.",
                )
                .with("master", master)
        };
        let odd = self.held_out.iter().filter(|h| {
            !h.beyond && (h.rms_adu > TOLD_RATIO * h.expected_adu || h.outlying > 0.02)
        });
        let odd = odd.map(|h| {
            let message = format!(
                "{} is not what the other masters foretell: {:.2} ADU RMS are left, {:.2} are expected, \
                 and {:.2} % of its pixels lie beyond 5 sigma",
                h.name,
                h.rms_adu,
                h.expected_adu,
                100.0 * h.outlying
            );
            told(&h.name, message)
                .with("rms_adu", h.rms_adu)
                .with("expected_adu", h.expected_adu)
        });
        odd.chain(self.doubts.iter().map(|d| told(&d.master, d.message.clone()))).collect()
    }
}
