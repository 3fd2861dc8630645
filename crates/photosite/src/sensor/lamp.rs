//! What flats of one exposure say of the lamp, and of the exposures that headers name.

use photosite_pix::chance::student_upper_quantile;

use super::estimate::Estimate;
use super::measure::significant;
use super::set::{FrameSet, is_exposure};
use crate::Finding;
use crate::evidence::group;
use crate::finding::Severity;

/// A drift counts where flats that scatter as these do show one like it in fewer cases than this, on either side.
const CERTAIN: f64 = 0.00135;

/// A lamp drifts from flat to flat by less than this share, exposures of a series lie further apart.
const APART: f64 = 0.1;

/// How much a lamp's light differs from flat to flat.
#[derive(Debug, Clone, Copy)]
pub struct Lamp {
    /// One standard deviation, as a share of the light.
    pub share: f64,
    /// Its degrees of freedom.
    pub freedom: f64,
}

impl Lamp {
    /// By the levels of the flats of each exposure; `None` where no exposure was taken twice.
    pub fn of<'a>(exposures: impl Iterator<Item = &'a [f64]>) -> Option<Self> {
        let (mut squares, mut freedom) = (0.0, 0.0);
        for levels in exposures {
            let mean = levels.iter().sum::<f64>() / levels.len() as f64;
            squares += levels.iter().map(|v| (v / mean - 1.0).powi(2)).sum::<f64>();
            freedom += levels.len() as f64 - 1.0;
        }
        (freedom > 0.0).then(|| Self { share: (squares / freedom).sqrt(), freedom })
    }

    /// So many standard deviations hold the light in all but `tail` of the cases on either side.
    pub fn sigmas(&self, tail: f64) -> f64 {
        student_upper_quantile(tail, self.freedom.max(1.0))
    }

    /// The standard error that the lamp leaves in what follows from levels, each of so many flats.
    pub fn error(&self, levels: &[(f64, f64)], of: impl Fn(&[f64]) -> f64) -> f64 {
        let mut changed: Vec<f64> = levels.iter().map(|l| l.0).collect();
        let start = of(&changed);
        let mut variance = 0.0;
        for (k, (level, flats)) in levels.iter().enumerate() {
            changed[k] = level * (1.0 + self.share / flats.sqrt());
            variance += (of(&changed) - start).powi(2);
            changed[k] = *level;
        }
        variance.sqrt()
    }

    /// The extreme of some values with that error besides: the lamp makes an extreme of any of them.
    pub fn with_extreme(&self, value: Estimate, error: f64, of: usize) -> Estimate {
        let wider = self.sigmas(0.025 / of.max(1) as f64) / self.sigmas(0.025);
        value.with_error(wider * error, self.freedom)
    }
}

/// By what share the light of a lamp drifted from the exposures that were taken first to those taken last: flats of one
/// exposure that follow one another tell its rate. Each exposure comes with the times and levels of its flats; `None`
/// where it is not told from chance.
pub fn drift(exposures: &[(Vec<f64>, Vec<f64>)]) -> Option<f64> {
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let beside = exposures.iter().flat_map(|(times, levels)| {
        let (middle, level) = (mean(times), mean(levels));
        times.iter().zip(levels).map(move |(t, v)| (t - middle, v / level - 1.0))
    });
    let beside: Vec<(f64, f64)> = beside.collect();
    let freedom = beside.len() as f64 - exposures.len() as f64 - 1.0;
    let (xx, xy) = beside.iter().fold((0.0, 0.0), |(xx, xy), (x, y)| (xx + x * x, xy + x * y));
    if freedom < 1.0 || xx <= 0.0 {
        return None;
    }
    let rate = xy / xx;
    let squares: f64 = beside.iter().map(|(x, y)| (y - rate * x).powi(2)).sum();
    let error = (squares / freedom / xx).sqrt();
    let middles = exposures.iter().map(|(times, _)| mean(times));
    let (first, last) = middles
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), t| (low.min(t), high.max(t)));
    let told = rate.abs() > student_upper_quantile(CERTAIN, freedom) * error;
    told.then_some(rate * (last - first))
}

/// Flats whose exposures are doubted, by their place in the set, and what is said of them: those of one exposure part
/// in two by their levels. Two thirds of three or more outvote the rest.
pub fn doubted(set: &FrameSet, bias_adu: f64) -> (Vec<usize>, Vec<Finding>) {
    let mut levels: Vec<(usize, f64)> = set.frame_levels(|_| true);
    levels.retain(|(_, level)| *level > bias_adu);
    levels.sort_by_key(|(i, _)| *i);
    let (mut out, mut findings) = (Vec::new(), Vec::new());
    while let Some((first, _)) = levels.first() {
        let exposure_s = set.frames[*first].exposure_s;
        let here = |(i, _): &mut (usize, f64)| is_exposure(set.frames[*i].exposure_s, exposure_s);
        let same: Vec<(usize, f64)> = levels.extract_if(.., here).collect();
        let log = |i: usize| (same[i].1 - bias_adu).ln();
        let parts = group(same.len(), |a, b| (log(a) - log(b)).abs() / APART);
        if parts.gap.is_none() {
            continue;
        }
        let odd = |i: &usize| !parts.clear() || parts.group[*i] != 0;
        let odd: Vec<usize> = (0..same.len()).filter(odd).map(|i| same[i].0).collect();
        let (low, high) = same.iter().fold((f64::INFINITY, 0.0f64), |(l, h), s| {
            (l.min(s.1 - bias_adu), h.max(s.1 - bias_adu))
        });
        let names: Vec<String> = odd.iter().map(|i| set.frames[*i].name.clone()).collect();
        let message = format!(
            "flats of {} s hold from {low:.0} to {high:.0} ADU: some of them were exposed for \
             longer, or the light changed; linearity and shutter are measured without {}",
            significant(exposure_s),
            names.join(", ")
        );
        findings.push(
            Finding::new("sensor-exposure-doubted", Severity::Warning, names[0].clone(), message)
                .hint("Look at the exposures in the headers, or take these flats anew under a steady lamp.")
                .with("exposure_s", exposure_s)
                .with("frames", names.len()),
        );
        out.extend(odd);
    }
    (out, findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lamp_that_varies_is_in_what_follows_from_levels() {
        let levels: [&[f64]; 3] = [&[98.0, 102.0], &[1000.0], &[2100.0, 1900.0]];
        let lamp = Lamp::of(levels.into_iter()).unwrap();
        assert_eq!(lamp.freedom, 2.0);
        assert!((lamp.share - ((0.0008f64 + 0.005) / 2.0).sqrt()).abs() < 1e-12, "{lamp:?}");
        let mean = |l: &[f64]| l.iter().sum::<f64>() / l.len() as f64;
        let error = lamp.error(&[(100.0, 4.0), (100.0, 1.0)], mean);
        assert!((error - 50.0 * lamp.share * 1.25f64.sqrt()).abs() < 1e-9, "{error}");
        assert!(Lamp::of([&[5.0][..]].into_iter()).is_none());
    }

    #[test]
    fn a_drift_is_told_by_flats_that_follow_one_another() {
        let of = |order: &[usize], share: &dyn Fn(f64) -> f64| {
            let taken = |exposure: usize| {
                let times = (0..order.len()).filter(|i| order[*i] == exposure).map(|i| i as f64);
                let times: Vec<f64> = times.collect();
                let levels = times.iter().map(|t| exposure as f64 * 1000.0 * share(*t)).collect();
                (times, levels)
            };
            drift(&(1..=6).map(taken).collect::<Vec<_>>())
        };
        let rising = [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6];
        let flicker = |t: f64| 1.0 + 1e-4 * (t * 37.0).sin();
        let found = of(&rising, &|t| flicker(t) * (1.0 - 0.002 * t)).unwrap();
        assert!((found + 0.02).abs() < 0.002, "{found}");
        assert!(of(&rising, &flicker).is_none());
        // There and back a drift is the same for all.
        let back = [1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1];
        let found = of(&back, &|t| flicker(t) * (1.0 - 0.002 * t)).unwrap();
        assert!(found.abs() < 1e-9, "{found}");
    }
}
