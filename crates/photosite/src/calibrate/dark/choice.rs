//! What is done with a dark that is not of the light's exposure and temperature: the ways, each with
//! what it is predicted to leave.

use serde::{Deserialize, Serialize};

use super::declined::Declined;
use super::fit::DarkFit;
use super::law::DarkLaw;
use super::sites::DarkSignal;

/// Degrees that double the dark current where nothing was measured.
///
/// # Source
/// Janesick2001, dark current of silicon near room temperature: 6 to 7 C.
pub const DOUBLING_C: f64 = 6.5;

/// Where the dark of a light, and its factor, came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DarkSource {
    /// A dark of the light's own exposure and temperature.
    Matched,
    /// The factor was given by hand.
    Given,
    /// The factor was measured in the light itself.
    Fitted,
    /// The factor is the ratio of exposures.
    Exposure,
    /// A model of darks of other exposures or temperatures made the dark.
    Model,
    /// The nearest dark, as it is.
    Nearest,
    /// No dark.
    None,
}

impl DarkSource {
    /// As reports and headers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Given => "given",
            Self::Fitted => "fitted",
            Self::Exposure => "exposure",
            Self::Model => "model",
            Self::Nearest => "nearest",
            Self::None => "none",
        }
    }

    /// What reports and headers write.
    pub fn parse(text: &str) -> Option<Self> {
        use DarkSource::{Exposure, Fitted, Given, Matched, Model, Nearest, None as Without};
        [Matched, Given, Fitted, Exposure, Model, Nearest, Without]
            .into_iter()
            .find(|s| s.name() == text)
    }
}

/// How much of a dark is taken from a light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DarkShare {
    /// The factor.
    pub k: f64,
    /// Its standard error, where it was measured.
    pub error: Option<f64>,
    /// Where it came from.
    pub source: DarkSource,
}

/// One way, and what it is predicted to leave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DarkWay {
    /// The way.
    pub source: DarkSource,
    /// Its factor.
    pub k: f64,
    /// Dark signal and noise of the dark that it leaves, as a root mean square over all pixels.
    pub residual: f64,
    /// Nothing forbids it.
    pub allowed: bool,
}

/// What was decided for one light.
#[derive(Debug, Clone, PartialEq)]
pub struct DarkChoice {
    /// What is taken from the light.
    pub share: DarkShare,
    /// All ways that there were, in ADU.
    pub ways: Vec<DarkWay>,
    /// Why the dark was not fitted, where it was not.
    pub declined: Option<Declined>,
    /// What of the dark's amp glow may be left because nothing shows that it grows as hot pixels do, in
    /// ADU RMS, where that would be seen.
    pub glow_unproven_adu: Option<f64>,
    /// The fit.
    pub fit: DarkFit,
    /// The factor that headers let expect, where they tell.
    pub expected: Option<f64>,
}

/// A dark of which the hot pixels of a light call for less than this share of what headers let expect is not of its
/// sensor, or was subtracted before.
const ABSENT: f64 = 0.2;

impl DarkChoice {
    /// Whether next to nothing of the dark is taken where headers let expect more: the light's own hot pixels stay.
    pub fn is_absent(&self) -> bool {
        let fitted = self.share.source == DarkSource::Fitted;
        fitted && self.expected.is_some_and(|expected| self.share.k < ABSENT * expected)
    }
}

/// Factors that headers let expect.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Expected {
    /// The ratio of exposures.
    pub by_exposure: Option<f64>,
    /// The same with what the temperatures make of it.
    pub by_both: Option<f64>,
}

/// Of what a glow may differ by between not growing at all and growing as hot pixels do, the share that
/// is told of; and the share of a light's noise from which it is: a glow fills a corner, and its root mean
/// square over all of the frame is an eighth of what stands there.
const GLOW_UNPROVEN: f64 = 0.5;
const GLOW_SEEN: f64 = 0.02;

/// The share of a dark's noise that the medians of its tiles keep: structure that is no glow.
const TILE_NOISE: f64 = 0.15;

/// Temperatures of light and dark that change the signal by less than this share count as one.
const ONE_WARMTH: f64 = 0.1;

/// Decides among the ways that are allowed for the one that leaves least: the fit where it holds and the
/// sensor allows it, the ratio of exposures only without a fit, at one temperature and where the signal is
/// proven to be linear, the nearest dark as it is, and none.
pub fn decide(fit: DarkFit, signal: &DarkSignal, law: DarkLaw, expected: Expected) -> DarkChoice {
    let (forbidden, power) = match law {
        DarkLaw::Not(why @ Declined::GlowNotLinear { power }) => (Some(why), Some(power)),
        DarkLaw::Not(why) => (Some(why), None),
        DarkLaw::Unknown | DarkLaw::Linear => (None, None),
    };
    let linear = law == DarkLaw::Linear;
    // Glow of which the light tells nothing is known where it grows with the exposure.
    let settled = |why: &Declined| linear && matches!(why, Declined::GlowUnproven { .. });
    let declined = forbidden.or(fit.declined.filter(|why| !settled(why)));
    // What is too uncertain to scale by may still say that headers are wrong.
    let refuted = expected.by_both.or(expected.by_exposure).is_some_and(|k| fit.contradicts(k));
    let unsure = match fit.declined {
        Some(Declined::TooFewHotPixels { .. }) => true,
        Some(Declined::Uncertain { .. }) => !refuted,
        _ => false,
    };
    let hot = fit.k.filter(|_| !unsure).or(expected.by_both).or(expected.by_exposure);
    // What the glow calls for, where that is known better than by its hot pixels.
    let glow = (fit.glow.filter(|(_, e)| *e < 0.1).map(|g| g.0))
        .or(power.zip(expected.by_exposure).map(|(p, ratio)| ratio.powf(p)))
        .or(expected.by_exposure.filter(|_| linear))
        .or(hot);
    let known = linear || power.is_some() || fit.glow.is_some_and(|(_, e)| e < 0.1);
    let noise_adu = TILE_NOISE * signal.noise_adu;
    let glow_adu = (signal.glow_adu.powi(2) - noise_adu.powi(2)).max(0.0).sqrt();
    let unproven = |k: f64| match known {
        true => 0.0,
        false => GLOW_UNPROVEN * (k - 1.0).abs() * glow_adu,
    };
    let residual = |k: f64, error: f64| match hot.zip(glow) {
        Some((hot, glow)) => [
            if k > 0.0 { unproven(k) } else { 0.0 },
            (k - hot) * signal.hot_adu,
            error * signal.hot_adu,
            (k - glow) * signal.glow_adu,
            k * signal.noise_adu,
        ]
        .into_iter()
        .fold(0.0, f64::hypot),
        None => f64::NAN,
    };
    let way = |source, k: f64, error: f64, allowed| DarkWay {
        source,
        k,
        residual: residual(k, error),
        allowed,
    };
    let mut ways = Vec::new();
    let measured = fit.k.filter(|_| fit.error.is_finite());
    ways.extend(measured.map(|k| way(DarkSource::Fitted, k, fit.error, declined.is_none())));
    let one_warmth = expected
        .by_both
        .zip(expected.by_exposure)
        .is_none_or(|(both, exposure)| (both / exposure).ln().abs() < ONE_WARMTH);
    let proven = linear && one_warmth && declined.is_some();
    ways.extend(expected.by_exposure.map(|k| way(DarkSource::Exposure, k, 0.0, proven)));
    ways.push(way(DarkSource::Nearest, 1.0, 0.0, hot.is_some()));
    ways.push(way(DarkSource::None, 0.0, 0.0, true));
    let allowed = ways.iter().filter(|w| w.allowed);
    let least = allowed.min_by(|a, b| a.residual.total_cmp(&b.residual));
    let taken = least.map_or((DarkSource::None, 0.0), |w| (w.source, w.k));
    let error = (taken.0 == DarkSource::Fitted).then_some(fit.error);
    let share = DarkShare { k: taken.1, error, source: taken.0 };
    let scaled = matches!(share.source, DarkSource::Fitted | DarkSource::Exposure);
    let glow_unproven_adu =
        Some(unproven(share.k)).filter(|left| scaled && *left > GLOW_SEEN * fit.noise_adu);
    let expected = expected.by_both.or(expected.by_exposure);
    DarkChoice { share, ways, declined, glow_unproven_adu, fit, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_what_leaves_least_of_what_is_proven() {
        let signal = DarkSignal { level_adu: 20.0, hot_adu: 10.0, glow_adu: 8.0, noise_adu: 1.0 };
        let fit = |k: f64, declined: Option<Declined>| DarkFit {
            k: Some(k),
            error: 0.01,
            sites: 500,
            strata: Vec::new(),
            correlation: 0.0,
            glow: Some((k, 0.5)),
            noise_adu: 10.0,
            declined,
            each: Vec::new(),
        };
        let unproven = Some(Declined::GlowUnproven { error: 0.5 });
        let apart = Some(Declined::StrataDisagree { low: 0.2, high: 0.6 });
        // The factor by hot pixels, by exposures, and by temperatures too.
        for (k, by_exposure, by_both, declined, law, source) in [
            (0.5, 0.5, 0.5, None, DarkLaw::Unknown, DarkSource::Fitted),
            (0.5, 0.5, 0.5, unproven, DarkLaw::Unknown, DarkSource::None),
            (0.5, 0.5, 0.5, unproven, DarkLaw::Linear, DarkSource::Fitted),
            (0.5, 0.5, 0.5, apart, DarkLaw::Linear, DarkSource::Exposure),
            // A dark that is warmer: its exposure does not tell.
            (0.25, 0.5, 0.25, unproven, DarkLaw::Linear, DarkSource::Fitted),
            (0.25, 0.5, 0.25, apart, DarkLaw::Linear, DarkSource::None),
            (0.9, 0.9, 0.9, apart, DarkLaw::Unknown, DarkSource::Nearest),
        ] {
            let expected = Expected { by_exposure: Some(by_exposure), by_both: Some(by_both) };
            let choice = decide(fit(k, declined), &signal, law, expected);
            assert_eq!(choice.share.source, source, "{k} {declined:?} {law:?} {:?}", choice.ways);
        }
    }
}
