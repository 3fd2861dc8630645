//! How samples are rejected and combined: what was asked for, and what is done where nobody asks.

use photosite_pix::combine::{Combine, Recipe};
use photosite_pix::reject::{FEWEST, Reject, Thresholds};
use photosite_pix::unit::NoiseModel;
use photosite_pix::{CfaPattern, FrameKind};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The recipe for `count` frames of a kind, when nobody asks for another.
///
/// Up to 2 frames are averaged, 3 give their median (lights the mean of what two agree on), more the
/// mean after [`Reject::auto`]. Lights that are still under a colour filter array are clipped by each
/// pixel's own scatter instead: in them neighbours differ in noise, and cannot lend theirs. In flats
/// those of one colour can ([`Samples::alike_every`](photosite_pix::combine::Samples::alike_every)).
pub fn default_recipe(kind: FrameKind, count: usize, cfa: Option<CfaPattern>) -> Recipe {
    match count {
        0..=2 => Recipe { reject: Reject::None, combine: Combine::Mean },
        // Two lights tell what is wrong with the third; their mean has less noise than the median.
        3 if kind == FrameKind::Light => {
            let reject = Reject::auto(FEWEST + 1, Thresholds::default());
            Recipe { reject, combine: Combine::Mean }
        }
        3 => Recipe { reject: Reject::None, combine: Combine::Median },
        _ if kind == FrameKind::Light && cfa.is_some() => {
            // As far below as above: 4 and 3 would take more of one tail, and the mean be off.
            let reject = Reject::Winsorized { sigma_low: 4.0, sigma_high: 4.0 };
            Recipe { reject, combine: Combine::Mean }
        }
        _ => {
            let reject = Reject::auto(count, Thresholds::default());
            Recipe { reject, combine: Combine::Mean }
        }
    }
}

/// The words that [`RecipeChoice::new`] takes: `auto` and the names of all methods.
pub fn reject_names() -> Vec<&'static str> {
    std::iter::once("auto").chain(Reject::NAMES).collect()
}

/// How samples are to be rejected and combined; what is absent goes by the frames.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RecipeChoice {
    /// A method, its thresholds among its fields; by the number of frames where there is none.
    reject: Option<Reject>,
    /// Thresholds in place of the method's own, where the frames decide the method.
    thresholds: Thresholds,
    /// How the kept samples become one.
    combine: Option<Combine>,
}

impl RecipeChoice {
    /// A choice by words: `auto` or one of [`Reject::NAMES`], and thresholds in the method's own
    /// unit.
    ///
    /// # Errors
    /// When no method has that name, or a threshold means nothing to it.
    pub fn new(reject: &str, thresholds: Thresholds, combine: Option<Combine>) -> Result<Self> {
        let refused = |why: String| Error::parameters(format!("--reject {reject}: {why}"));
        let reject = match reject {
            "auto" => {
                // Whichever method the frames ask for takes them as sigmas.
                let sigmas = Reject::AveragedSigma { low: 4.0, high: 4.0 };
                sigmas.with(thresholds).map_err(refused)?;
                None
            }
            name => Some(Reject::checked(name, thresholds).map_err(refused)?),
        };
        Ok(Self { reject, thresholds, combine })
    }

    /// A method, whatever the frames are.
    pub fn of(reject: Reject) -> Self {
        Self { reject: Some(reject), ..Self::default() }
    }

    /// How the kept samples become one, where that was asked for.
    pub fn combine(&self) -> Option<Combine> {
        self.combine
    }

    /// Whether nothing is to be rejected.
    pub fn keeps_all(&self) -> bool {
        self.reject == Some(Reject::None)
    }

    /// The recipe for `count` frames of a kind; `noise` is what their headers agree on.
    ///
    /// # Errors
    /// When the method goes by the detector's noise, which is not known.
    pub fn resolve(
        &self,
        kind: FrameKind,
        count: usize,
        cfa: Option<CfaPattern>,
        noise: Option<NoiseModel>,
    ) -> Result<Recipe> {
        let usual = default_recipe(kind, count, cfa);
        let reject = match self.reject {
            Some(Reject::CcdNoise { low, high, sensitivity, pedestal_adu, .. }) => {
                let noise = noise.ok_or_else(|| {
                    Error::parameters(
                        "--reject ccd-noise needs gain and read noise, but the headers have none \
                         that all frames agree on; choose another method",
                    )
                })?;
                let gain = noise.gain_e_per_adu.e_per_adu();
                Reject::CcdNoise {
                    low,
                    high,
                    read_noise_adu: (noise.read_noise_e / gain) as f32,
                    gain_e_per_adu: gain as f32,
                    sensitivity,
                    pedestal_adu,
                }
            }
            Some(reject) => reject,
            // A median needs no rejection, unless it is asked for.
            None if self.combine == Some(Combine::Median) => Reject::None,
            None if usual.reject == Reject::None => Reject::None,
            None => usual.reject.with(self.thresholds).map_err(Error::parameters)?,
        };
        Ok(Recipe { reject, combine: self.combine.unwrap_or(usual.combine) })
    }
}
