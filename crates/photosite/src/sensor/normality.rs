//! Whether the difference of two flats is Gaussian.

use photosite_pix::FrameKind;

use super::campaign::Campaign;
use super::cell::Cell;
use super::estimate::Estimate;
use super::measure::Measure;
use super::set::CLIPPED;
use crate::Finding;
use crate::finding::{Severity, first_and_more};

/// A pair that chance makes in fewer than one of so many sets is told.
const CHANCE: f64 = 1e-4;

/// The share of the noise of two flats that neighbours have in common from which it is no noise of photons. Charge
/// that full pixels drive into the next makes a hundredth or two; where it makes more, one level tells no gain either.
const SHARED: f64 = 0.04;

/// Whether pairs of flats differ by photons and read noise alone: their differences are Gaussian, and those of
/// neighbours have nothing in common, as far as that is measured.
pub fn is_of_photons(campaign: &Campaign) -> bool {
    let pairs = || campaign.of(FrameKind::Flat).flat_map(|set| set.noise_pairs());
    let gaussian = pairs().all(|pair| pair.shape.as_ref().is_none_or(|s| s.chance() >= CHANCE));
    let alone = pairs().all(|pair| {
        let told = || pair.cells.iter().filter(|c| c.beside.is_finite() && c.below.is_finite());
        let noise: f64 = told().map(|c| 0.5 * c.n * c.noise(1.0)).sum();
        let shares = |of: fn(&Cell) -> f64| told().map(|c| c.n * of(c)).sum::<f64>() / noise;
        let [beside, below] = [shares(|c| c.beside), shares(|c| c.below)];
        // Nothing is told under a filter array.
        !(beside.abs() > SHARED || below.abs() > SHARED)
    });
    gaussian && alone
}

const METHOD: &str = "Kolmogorov-Smirnov test of the difference of two flats";

/// The test of each pair of flats, and what of it should be known.
pub fn normality(campaign: &Campaign) -> (Vec<Measure>, Option<Finding>) {
    let (mut out, mut odd) = (Vec::new(), Vec::new());
    for set in campaign.of(FrameKind::Flat) {
        for pair in set.noise_pairs() {
            let names = [pair.a, pair.b].map(|i| set.frames[i].name.clone());
            let exposure_s = set.frames[pair.a].exposure_s;
            let named = |m: Measure| m.at(set.temp_c, Some(exposure_s)).from(names.clone());
            let ends: f64 = pair.cells.iter().map(|c| c.ends).sum();
            let all: f64 = pair.cells.iter().map(|c| c.n.max(c.ends)).sum();
            let shape = pair.shape.as_ref().filter(|_| ends <= CLIPPED * all);
            let Some(shape) = shape else {
                let why = "the flats are saturated";
                out.push(named(Measure::none("pair_normality", "chance", METHOD, why)));
                continue;
            };
            let (distance, count) = (shape.distance(), shape.count());
            let chance = shape.chance();
            let known = Estimate::known(chance, f64::NAN);
            let measure = named(Measure::of("pair_normality", known, "chance", METHOD));
            let what = format!("{count} differences stray by {distance:.4} from a Gaussian's");
            out.push(if chance < CHANCE {
                odd.push(names[0].clone());
                measure.but(format!("not Gaussian: {what}"))
            } else {
                measure.but(what)
            });
        }
    }
    let finding = odd.first().map(|first| {
        let message = format!(
            "the differences of {} of {} pairs of flats are not Gaussian: something else than photons and \
             read noise parts them",
            odd.len(),
            out.len()
        );
        let subject = first_and_more(first, odd.len());
        Finding::new("sensor-pair-not-gaussian", Severity::Info, subject, message)
            .hint(
                "Look at one of the flats less the other: clouds, a lamp that flickers line by line, pixels \
                 near saturation.",
            )
            .with("pairs", odd.len())
    });
    (out, finding)
}
