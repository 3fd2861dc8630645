//! How lights are integrated into one stack.

use photosite_pix::align::Alignment;
use photosite_pix::combine::{Combine, Recipe};
use photosite_pix::debayer::Method;
use photosite_pix::normalise::Normalise;
use photosite_pix::unit::NoiseModel;
use photosite_pix::{CfaPattern, FrameKind, Size};
use serde::{Deserialize, Serialize};

use super::recipe::RecipeChoice;
use crate::{Error, Result};

/// What a light's part in the mean goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// All count the same.
    None,
    /// The inverse variance of its noise, after normalisation, over the square of its stars' long axis: what
    /// a star on the sky background is measured with; less where stars are much longer than usual.
    ///
    /// # Source
    /// King1983.
    Quality,
    /// The inverse variance of its noise, after normalisation.
    Noise,
    /// The square of its stars' typical signal over noise.
    Snr,
    /// The inverse variance of its noise over the square of its stars' width.
    Fwhm,
}

/// How lights are integrated into one stack.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Integration {
    /// How lights are registered; `None` where they are stacked pixel by pixel.
    pub register: Option<Alignment>,
    /// How samples are rejected and combined, where weights do not say it.
    pub recipe: RecipeChoice,
    /// How lights are brought to one level.
    pub normalise: Normalise,
    /// Their backgrounds are brought to the reference's everywhere, not only as a whole.
    pub local: bool,
    /// What their part in the mean goes by.
    pub weight: Weight,
    /// How colours under a filter array are interpolated; by the array where that is not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debayer: Option<Method>,
    /// Samples are drizzled instead of being interpolated.
    pub drizzle: Option<Drizzle>,
    /// The stack is cropped to what every light covers.
    pub crop: bool,
    /// Counts of kept and rejected samples are kept for each pixel.
    pub maps: bool,
}

/// How samples are spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Drizzle {
    /// Pixels of the stack along one of the reference's.
    pub scale: f64,
    /// The side of a drop in pixels of a light.
    pub drop: f64,
    /// The colours of a filter array drop each for itself; nothing is interpolated between them.
    pub cfa: bool,
}

impl Drizzle {
    /// Drops of side `drop`, in pixels of a light, on a grid `scale` times as fine as the reference's;
    /// each colour of a filter array for itself where `cfa` says so.
    pub fn new(scale: f64, drop: f64, cfa: bool) -> Self {
        Self { scale, drop, cfa }
    }
}

impl Integration {
    /// Checks that what was asked for does not contradict itself.
    ///
    /// # Errors
    /// When it does; the message names the two.
    pub fn check(&self) -> Result<()> {
        let median = self.recipe.combine() == Some(Combine::Median);
        let why = if median && self.drizzle.is_some() {
            "drizzle weights samples by their overlap, which only a mean can use; omit --combine \
             median"
        } else if self.local && self.drizzle.is_some_and(|d| d.scale != 1.0) {
            "local normalisation works on the reference's own grid; omit --drizzle"
        } else if median && self.normalise == Normalise::EqualisedFluxes {
            "a median of lights at different levels is meaningless; normalise them, or use the \
             mean"
        } else if self.debayer == Some(Method::Superpixel) {
            "superpixels are half as many as the pixels that lights are registered on; debayer \
             bilinear or directional"
        } else if self.debayer.is_some() && self.drizzle.is_some_and(|d| d.cfa) {
            "CFA drizzle debayers nothing; omit --debayer or --cfa-drizzle"
        } else {
            return Ok(());
        };
        Err(Error::parameters(why))
    }

    /// The recipe for `count` lights; `noise` is what their headers agree on.
    ///
    /// # Errors
    /// When the method goes by the detector's noise, which is not known.
    pub fn recipe(&self, count: usize, noise: Option<NoiseModel>) -> Result<Recipe> {
        let Recipe { reject, .. } = self.recipe.resolve(FrameKind::Light, count, None, noise)?;
        let weighted = self.weight != Weight::None
            || self.drizzle.is_some()
            // Taking back what samples were judged with goes frame by frame, as weights do.
            || self.normalise == Normalise::EqualisedFluxes;
        let combine = match self.recipe.combine() {
            Some(Combine::Median) => Combine::Median,
            _ if weighted => Combine::WeightedMean,
            _ => Combine::Mean,
        };
        Ok(Recipe { reject, combine })
    }

    /// How colours under an array are interpolated.
    pub fn debayer(&self, cfa: CfaPattern) -> Method {
        self.debayer.unwrap_or_else(|| Method::auto(cfa))
    }

    /// Pixels of the stack along one of the reference's.
    pub fn scale(&self) -> f64 {
        self.drizzle.map_or(1.0, |d| d.scale)
    }

    /// The size of the stack on the grid of a reference of `size`.
    pub fn picture_size(&self, size: Size) -> Size {
        let along = |n: usize| (n as f64 * self.scale()).round() as usize;
        Size::new(along(size.width), along(size.height))
    }
}

impl Default for Integration {
    /// Registered, brought to one level and scale, weighted by noise and sharpness.
    fn default() -> Self {
        Self {
            register: Some(Alignment::Stars),
            recipe: RecipeChoice::default(),
            normalise: Normalise::AdditiveScaled,
            local: false,
            weight: Weight::Quality,
            debayer: None,
            drizzle: None,
            crop: false,
            maps: false,
        }
    }
}
