//! Whether a flat fits a light: the light's own background, freed of bias and dark, against the flat.
//!
//! Both are reduced to blocks of a few hundred pixels. Over large scales the logarithm of the
//! background follows that of the flat with a slope of 1 where the flat fits, and of 0 where the light
//! is flat already; a linear sky is fitted beside it, and what stands above it (nebulae, stars) counts
//! little. At the flat's dust shadows the light shows the same contrast where the dust is still
//! there; where it is not, the flat's shadows are looked for turned by every angle. The error of the
//! contrast is what the same shadows show at placebo places.
//!
//! ```
//! use photosite::calibrate::flat_fit::{Blocks, FlatAnswer, Template};
//! use photosite_pix::Size;
//!
//! let size = Size::new(512, 384);
//! let noise = |x: usize, y: usize| ((x * 7919 + y * 104_729 + x * y) % 101) as f32 / 101.0 - 0.5;
//! let response = |x: usize, y: usize| {
//!     let (u, v) = (x as f32 / 256.0 - 1.0, y as f32 / 192.0 - 1.0);
//!     1.0 - 0.15 * (u * u + v * v)
//! };
//! let blocks = |level: f32, pedestal: f32| {
//!     Blocks::of(size, None, |rows, out| {
//!         for (i, v) in out.iter_mut().enumerate() {
//!             let (x, y) = (i % size.width, rows.start + i / size.width);
//!             *v = level * response(x, y) + pedestal + 0.02 * level * noise(x, y);
//!         }
//!         Ok(())
//!     })
//! };
//! let flat = Template::of(blocks(1.0, 0.0)?);
//! assert_eq!(flat.fit(&blocks(300.0, 0.0)?).answer, FlatAnswer::Fits);
//! // With a pedestal left in, the light is too flat.
//! let fit = flat.fit(&blocks(300.0, 300.0)?);
//! assert_eq!(fit.answer, FlatAnswer::DoesNotFit);
//! assert!((fit.slope.unwrap() - 0.5).abs() < 0.03);
//! # Ok::<(), photosite::Error>(())
//! ```

mod blocks;
mod dust;
mod large;
mod smooth;

use photosite_pix::Plane;
use serde::{Deserialize, Serialize};

pub use blocks::{Blocks, rows_looked_at};
use dust::{Dust, Motes};
use large::Large;

/// Whether a flat fits a light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FlatAnswer {
    /// It fits as far as the light can tell.
    Fits,
    /// The light shows the flat turned.
    Turned,
    /// It does not fit.
    DoesNotFit,
    /// The background is too faint, or its own structure too strong.
    CannotBeTold,
}

/// Whether a slope is known well enough: what is far from 1, to either side, has an error in proportion.
fn tells(slope: f64, error: f64) -> bool {
    error <= TOLD_SLOPE * slope.abs().max(1.0)
}

/// What a light says of a flat.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FlatFit {
    /// How strongly the background follows the flat over large scales: 1 where it fits, 0 where the
    /// light is flat already; `None` where it could not be measured.
    pub slope: Option<f64>,
    /// The slope's standard error, with what the sky's own structure may do.
    pub slope_error: Option<f64>,
    /// Contrast of the flat's dust in the light over that in the flat: 1 where it is still there.
    pub dust: Option<f64>,
    /// Its standard error, by placebo places.
    pub dust_error: Option<f64>,
    /// By how much the flat would have to be turned, from x to y, to lie as the light does, in degrees;
    /// `None` unless it is turned.
    pub angle_deg: Option<f64>,
    /// The verdict.
    pub answer: FlatAnswer,
    /// Share of the flat's dust whose contrast in the light certainly differs from that of all together: some
    /// of it moved, where a level that is no light would change all alike.
    #[serde(skip)]
    pub dust_apart: f64,
    /// The power of the flat's shadows that the light shows.
    #[serde(skip)]
    explained: f64,
}

/// Errors up to which a slope tells something: 0.1 of a vignetting of 30 % is 3 % of the signal.
const TOLD_SLOPE: f64 = 0.1;
/// The same for the contrast of dust.
const TOLD_DUST: f64 = 0.12;
/// How far a slope may lie from 1 beside its error: scattered light in flats does as much.
const SLOPE_TOLERANCE: f64 = 0.1;
/// The same where the dust agrees, which a pedestal would have changed as well: what is left is a sky
/// that is not linear.
const SLOPE_TOLERANCE_DUST: f64 = 0.2;
/// How far the contrast of dust may lie from 1 beside its error.
const DUST_TOLERANCE: f64 = 0.2;
/// Standard errors that count as certain.
const SIGMAS: f64 = 3.0;
/// Share of the flat's dust that may be gone.
const GONE: f64 = 0.1;
/// And how many of its shadows: one may lie under a galaxy.
const GONE_MOTES: usize = 1;
/// The share of another flat's dust that one must show to be taken instead.
const NO_LESS: f64 = 0.9;
/// Below this a flat adds more structure than it removes.
const USELESS: f64 = 0.4;

impl FlatFit {
    /// Nothing that can be told.
    const NOTHING: Self = Self {
        slope: None,
        slope_error: None,
        dust: None,
        dust_error: None,
        angle_deg: None,
        answer: FlatAnswer::CannotBeTold,
        dust_apart: 0.0,
        explained: 0.0,
    };

    /// The flat fits, and explains no less of the dust in the light than another that does not: a flat
    /// without dust is contradicted by none.
    pub fn is_better_than(&self, other: &Self) -> bool {
        self.answer == FlatAnswer::Fits && self.explained >= NO_LESS * other.explained
    }

    /// Dividing by the flat certainly leaves more structure than not dividing.
    pub fn is_worse_than_none(&self) -> bool {
        let below = |v: f64, error: f64| v + SIGMAS * error < USELESS;
        let told = self.slope.zip(self.slope_error).filter(|(s, e)| tells(*s, *e));
        let of_dust = self.dust.zip(self.dust_error);
        self.answer == FlatAnswer::DoesNotFit
            && told.is_some_and(|(s, e)| below(s, e))
            && of_dust.is_none_or(|(d, e)| below(d, e))
    }

    fn judged(large: Option<Large>, dust: Option<Dust>) -> Self {
        let slope = large.filter(|l| tells(l.slope, l.error));
        let told = dust.filter(|d| d.error <= TOLD_DUST * d.contrast.max(1.0));
        let far = |v: f64, error: f64, most: f64| (v - 1.0).abs() > most.hypot(SIGMAS * error);
        let dust_moved = |d: &Dust| {
            far(d.contrast, d.error, DUST_TOLERANCE) || d.gone > GONE || d.gone_motes > GONE_MOTES
        };
        // What is not known well may still be certainly off.
        let off = |l: Large| {
            let most = match told.is_none() && slope.is_some() {
                true => SLOPE_TOLERANCE,
                false => SLOPE_TOLERANCE_DUST,
            };
            far(l.slope, l.error, most)
        };
        let answer = match (slope, told) {
            (_, Some(d)) if d.angle_deg.is_some() => FlatAnswer::Turned,
            (_, Some(d)) if dust_moved(&d) => FlatAnswer::DoesNotFit,
            _ if large.is_some_and(off) => FlatAnswer::DoesNotFit,
            (None, None) => FlatAnswer::CannotBeTold,
            _ => FlatAnswer::Fits,
        };
        Self {
            slope: large.map(|l| l.slope),
            slope_error: large.map(|l| l.error),
            dust: dust.map(|d| d.contrast),
            dust_error: dust.map(|d| d.error),
            angle_deg: told.and_then(|d| d.angle_deg),
            answer,
            dust_apart: dust.map_or(0.0, |d| d.apart),
            explained: dust.map_or(0.0, |d| d.explained),
        }
    }
}

/// A flat, ready to be held against lights.
#[derive(Debug, Clone)]
pub struct Template {
    blocks: Blocks,
    /// Its dust; `None` where the flat tells nothing. Dust is grey, so that it is the same whatever
    /// colours a light weighs how much.
    motes: Option<Motes>,
}

impl Template {
    /// From the blocks of a master flat.
    pub fn of(blocks: Blocks) -> Self {
        let motes = blocks.against(&blocks).map(|(flat, _, _)| dust::motes(&flat));
        Self { blocks, motes }
    }

    /// What a light says of the flat; `light` are its blocks, freed of bias and dark and not divided by
    /// a flat. A light of another size or array tells nothing.
    pub fn fit(&self, light: &Blocks) -> FlatFit {
        let Some(((light, flat, noise), motes)) =
            light.against(&self.blocks).zip(self.motes.as_ref())
        else {
            return FlatFit::NOTHING;
        };
        let large = large::fit(&light, &flat, &motes.near, noise);
        FlatFit::judged(large, dust::fit(&light, motes, noise))
    }
}

/// The logarithm of what blocks hold, NaN where they hold nothing.
type Logs = Plane<f32>;
