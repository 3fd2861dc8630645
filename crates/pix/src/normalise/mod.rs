//! Bringing frames to a common level and scale before their samples are compared.
//!
//! Pure functions over the samples of one frame (of one colour of it, where the sensor has a
//! colour filter array: the caller takes them apart). Samples that are not finite are left out.

mod local;
mod ratio;
mod structure;

use multiversion::multiversion;
use serde::{Deserialize, Serialize};

pub use local::LocalOffsets;
pub use ratio::{Asked, Flux, FluxRatio, flux_ratio};
pub use structure::{Seen, Structure, StructureRatio, all_light_ratio, structure_ratio};

use crate::stat::{MAD_TO_SIGMA, lane_sums, median_mad};

/// What is done to a frame before its samples meet those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Normalise {
    /// Nothing.
    None,
    /// Its level is brought to the reference's by adding.
    Additive,
    /// Its level is brought to the reference's by multiplying.
    Multiplicative,
    /// Light and level are brought to the reference's: (x − l) f + l_r, f the flux scale.
    AdditiveScaled,
    /// As [`AdditiveScaled`](Self::AdditiveScaled), for levels above 0: a level brought to the
    /// reference's by multiplying, and deviations from it to the reference's light.
    MultiplicativeScaled,
    /// As [`Multiplicative`](Self::Multiplicative), for rejection only: samples are judged at a
    /// common level and combined as they were.
    EqualisedFluxes,
}

/// A level and a scale of the samples of a frame, in the unit of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LevelScale {
    /// The level.
    pub level: f64,
    /// The scale, as the standard deviation of a Gaussian.
    pub scale: f64,
}

/// `scale * x + offset` takes a sample of a frame to the reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// The factor.
    pub scale: f64,
    /// What is added, in the unit of the samples.
    pub offset: f64,
}

impl Affine {
    /// Changes nothing.
    pub const IDENTITY: Self = Self { scale: 1.0, offset: 0.0 };

    /// The sample in terms of the reference; NaN stays NaN.
    pub fn apply(self, x: f32) -> f32 {
        (self.scale * f64::from(x) + self.offset) as f32
    }
}

impl Normalise {
    /// The name, as the command line takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Additive => "additive",
            Self::Multiplicative => "multiplicative",
            Self::AdditiveScaled => "additive-scale",
            Self::MultiplicativeScaled => "multiplicative-scale",
            Self::EqualisedFluxes => "equalised-fluxes",
        }
    }

    /// Whether frames are brought to one amount of light by their [flux scale](FluxRatio).
    pub fn scales_flux(self) -> bool {
        matches!(self, Self::AdditiveScaled | Self::MultiplicativeScaled)
    }

    /// Every way of normalising.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Additive,
        Self::AdditiveScaled,
        Self::Multiplicative,
        Self::MultiplicativeScaled,
        Self::EqualisedFluxes,
    ];

    /// What takes a frame of sky level `frame` to a reference of level `reference`; `flux` is what
    /// its light is multiplied with to be as much as the reference's.
    ///
    /// Levels are the sky's and say nothing of light from beyond it: they never enter the scale,
    /// unless multiplying is asked for. `None` where that is not possible: a level of 0 or below to
    /// multiply, a factor of 0, or a number that is not finite.
    ///
    /// ```
    /// use photosite_pix::normalise::Normalise;
    ///
    /// // Half of the light came through, and the moon was up.
    /// let to = Normalise::AdditiveScaled.coefficients(900.0, 400.0, 2.0).unwrap();
    /// assert_eq!(to.apply(900.0), 400.0);
    /// assert_eq!(to.apply(910.0), 420.0);
    /// ```
    pub fn coefficients(self, frame: f64, reference: f64, flux: f64) -> Option<Affine> {
        let levels = reference / frame;
        let multiplies = matches!(
            self,
            Self::Multiplicative | Self::MultiplicativeScaled | Self::EqualisedFluxes
        );
        if multiplies && !(frame > 0.0 && reference > 0.0) {
            return None;
        }
        let about = |scale: f64| Affine { scale, offset: reference - scale * frame };
        let out = match self {
            Self::None => Affine::IDENTITY,
            Self::Additive => about(1.0),
            Self::Multiplicative | Self::EqualisedFluxes => Affine { scale: levels, offset: 0.0 },
            // A level that is multiplied first is taken off again: both are one.
            Self::AdditiveScaled | Self::MultiplicativeScaled => about(flux),
        };
        let sound = out.scale.is_finite() && out.scale > 0.0 && out.offset.is_finite();
        sound.then_some(out)
    }
}

/// How level and scale are estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Estimator {
    /// Median, and 1.4826 times the median absolute deviation.
    MedianMad,
    /// Median, and the biweight midvariance.
    Biweight,
    /// Iterated: the biweight pair of the samples within 4 sigma.
    Ikss,
}

impl Estimator {
    /// Level and scale of the finite ones of `samples`, which may be lost; NaN
    /// for none.
    pub fn measure(self, samples: &mut Vec<f32>) -> LevelScale {
        samples.retain(|v| v.is_finite());
        match self {
            Self::MedianMad => {
                let (level, mad) = level_mad(samples);
                LevelScale { level, scale: MAD_TO_SIGMA * mad }
            }
            Self::Biweight => {
                let (level, mad) = level_mad(samples);
                LevelScale { level, scale: biweight_scale(samples, level, mad) }
            }
            Self::Ikss => ikss(samples),
        }
    }
}

/// Median and median absolute deviation.
fn level_mad(samples: &[f32]) -> (f64, f64) {
    let (level, mad) = median_mad(samples);
    (f64::from(level), f64::from(mad))
}

/// The square root of the biweight midvariance about `level`.
///
/// With u = (x − level) / (9 `mad`): σ² = n Σ (x − level)² (1 − u²)⁴ / (Σ (1 − u²) (1 − 5 u²))², the
/// sums over |u| < 1. 0 where `mad` is 0; NaN for no samples.
///
/// # Source
/// Beers1990, equation 9.
pub fn biweight_scale(samples: &[f32], level: f64, mad: f64) -> f64 {
    if samples.is_empty() {
        return f64::NAN;
    }
    if mad <= 0.0 {
        return 0.0;
    }
    let [up, down] = biweight_sums(samples, level, 1.0 / (9.0 * mad));
    (samples.len() as f64 * up).sqrt() / down.abs()
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn biweight_sums(samples: &[f32], level: f64, per_reach: f64) -> [f64; 2] {
    lane_sums(samples, |v| {
        let d = v - level;
        let u2 = (d * per_reach) * (d * per_reach);
        let t = if u2 < 1.0 { 1.0 - u2 } else { 0.0 };
        [d * d * (t * t) * (t * t), t * (1.0 - 5.0 * u2)]
    })
}

/// Sigmas beyond which a sample does not count for [`Estimator::Ikss`].
const IKSS_KAPPA: f64 = 4.0;

/// Makes the scale of a Gaussian cut at 4 sigma that of the Gaussian.
const IKSS_TO_SIGMA: f64 = 0.991;

/// Relative change of the scale at which the iteration ends.
const IKSS_SETTLED: f64 = 1e-6;

/// Iterated k-sigma estimators.
///
/// From the median m and s = 1.4826 MAD: samples beyond m ± 4 s go; m and the biweight scale s of
/// those left are found anew until s changes by less than 1e-6 of itself, or nothing is left, at
/// most 100 times. The scale is 0.991 s.
///
/// # Source
/// PCL IKSS; constants as there.
fn ikss(samples: &mut Vec<f32>) -> LevelScale {
    let (mut level, mad) = level_mad(samples);
    let mut scale = MAD_TO_SIGMA * mad;
    for _ in 0..100 {
        if scale.is_nan() || scale <= 0.0 {
            break;
        }
        samples.retain(|v| (f64::from(*v) - level).abs() <= IKSS_KAPPA * scale);
        let (next_level, mad) = level_mad(samples);
        let next = biweight_scale(samples, next_level, mad);
        let settled = (next - scale).abs() < IKSS_SETTLED * scale;
        (level, scale) = (next_level, next);
        if settled {
            break;
        }
    }
    LevelScale { level, scale: IKSS_TO_SIGMA * scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Close to a Gaussian of level 500 and scale 20, with some far off.
    fn samples() -> Vec<f32> {
        let mut state = 3u64;
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        (0..20_000)
            .map(|i| match i % 100 {
                0 => 4000.0,
                1 => f32::NAN,
                _ => 500.0 + 20.0 * ((0..12).map(|_| uniform()).sum::<f32>() - 6.0),
            })
            .collect()
    }

    #[test]
    fn estimators_find_the_bulk() {
        for estimator in [Estimator::MedianMad, Estimator::Biweight, Estimator::Ikss] {
            let found = estimator.measure(&mut samples());
            assert!((found.level - 500.0).abs() < 1.0, "{estimator:?} {found:?}");
            assert!((found.scale - 20.0).abs() < 1.0, "{estimator:?} {found:?}");
            let none = estimator.measure(&mut vec![f32::NAN]);
            assert!(none.level.is_nan() && none.scale.is_nan(), "{estimator:?}");
            let constant = estimator.measure(&mut vec![7.0; 9]);
            assert_eq!(constant, LevelScale { level: 7.0, scale: 0.0 });
        }
    }

    #[test]
    fn a_frame_becomes_the_reference() {
        let moved = |how: Normalise, x: f32| how.coefficients(900.0, 1000.0, 2.0).unwrap().apply(x);
        assert_eq!(moved(Normalise::None, 905.0), 905.0);
        assert_eq!(moved(Normalise::Additive, 905.0), 1005.0);
        assert_eq!(moved(Normalise::Multiplicative, 450.0), 500.0);
        assert_eq!(moved(Normalise::AdditiveScaled, 905.0), 1010.0);
        assert_eq!(moved(Normalise::MultiplicativeScaled, 905.0), 1010.0);
        assert_eq!(Normalise::Multiplicative.coefficients(0.0, 1000.0, 1.0), None);
        assert_eq!(Normalise::AdditiveScaled.coefficients(5.0, 1000.0, 0.0), None);
    }
}
