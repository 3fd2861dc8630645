//! Factors of lights of one sequence: known together better than each by itself.

use photosite_pix::slope::{Slope, pooled};
use photosite_pix::stat;

use super::fit::{DarkFit, Declined, is_certain};

/// Lights that must agree before others go by them.
const FEWEST: usize = 3;
/// Standard deviations of the sum of their squares up to which deviations are chance.
const CHANCE: f64 = 2.0;

/// Gives lights of one sequence the factor that they agree on within their errors; where they do not, as
/// with a sensor whose temperature drifts, each keeps its own.
///
/// A light whose own factor was too uncertain, or that shows too few hot pixels, goes by the others.
pub fn agree(fits: &mut [&mut DarkFit]) {
    let slopes: Vec<Slope> = fits.iter().filter_map(|fit| slope(fit)).collect();
    let Some(all) = pooled(&slopes).filter(|_| slopes.len() >= FEWEST) else { return };
    let free = all.free as f64;
    if all.chi2 > free + CHANCE * (2.0 * free).sqrt() || !is_certain(all.k, all.error) {
        return;
    }
    for fit in fits {
        let faint = matches!(
            fit.declined,
            Some(Declined::Uncertain { .. } | Declined::TooFewHotPixels { .. })
        );
        if fit.declined.is_none() || faint {
            (fit.k, fit.error, fit.declined) = (Some(all.k), all.error, None);
        }
    }
}

/// Gives lights whose own hot pixels contradict each other the factor that the others of their group call for: their
/// dark is known to fit none of them as it is.
pub fn follow(fits: &mut [&mut DarkFit]) {
    let sure: Vec<&DarkFit> = fits.iter().filter(|f| f.declined.is_none()).map(|f| &**f).collect();
    let of = |value: fn(&DarkFit) -> Option<f64>| -> Vec<f64> {
        sure.iter().filter_map(|fit| value(fit)).collect()
    };
    let (ks, errors) = (of(|fit| fit.k), of(|fit| Some(fit.error)));
    if ks.is_empty() || 2 * ks.len() < fits.len() {
        return;
    }
    let (k, error) = (stat::median_f64(&ks), stat::median_f64(&errors));
    let at_odds = |d: &Declined| {
        matches!(d, Declined::StrataDisagree { .. } | Declined::ResidualCorrelates { .. })
    };
    for fit in fits.iter_mut().filter(|fit| fit.declined.as_ref().is_some_and(at_odds)) {
        (fit.k, fit.error, fit.declined) = (Some(k), error, None);
    }
}

/// The factor of a light that may speak for others.
fn slope(fit: &DarkFit) -> Option<Slope> {
    let speaks = matches!(fit.declined, None | Some(Declined::Uncertain { .. }));
    let k = fit.k.filter(|_| speaks && fit.error.is_finite() && fit.error > 0.0)?;
    Some(Slope { k, error: fit.error, count: fit.sites, scatter: 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(k: f64, error: f64, declined: Option<Declined>) -> DarkFit {
        DarkFit {
            k: Some(k),
            error,
            sites: 100,
            strata: Vec::new(),
            correlation: 0.0,
            glow: None,
            noise_adu: 5.0,
            declined,
            each: Vec::new(),
        }
    }

    fn agreed(mut fits: Vec<DarkFit>) -> Vec<DarkFit> {
        agree(&mut fits.iter_mut().collect::<Vec<_>>());
        fits
    }

    #[test]
    fn lights_that_agree_know_more_together() {
        let off = |i: usize| [1.2, -0.7, 0.3, -1.5, 0.9, -0.2, 1.1, -1.1][i % 8];
        let alike: Vec<DarkFit> = (0..16).map(|i| fit(0.5 + 0.04 * off(i), 0.04, None)).collect();
        let (first, all) = (alike[0].clone(), agreed(alike));
        let k = all[0].k.unwrap();
        assert!((k - 0.5).abs() < 0.01 && (all[0].error - 0.01).abs() < 1e-3, "{:?}", all[0]);
        assert!(all.iter().all(|f| f.k == Some(k)) && first.k != Some(k));
        // Each too uncertain by itself, and one that shows nothing.
        let uncertain = |error| Some(Declined::Uncertain { error });
        let mut faint: Vec<DarkFit> =
            (0..16).map(|i| fit(0.5 + 0.1 * off(i), 0.1, uncertain(0.1))).collect();
        let few = Some(Declined::TooFewHotPixels { sites: 12 });
        faint.push(DarkFit { k: None, ..fit(0.0, f64::INFINITY, few) });
        let all = agreed(faint);
        assert!(all.iter().all(|f| f.declined.is_none() && f.k == all[0].k), "{all:?}");
        // A dark that must not be scaled is not scaled for what others say.
        let glow = Some(Declined::GlowDiffers { glow: 0.3 });
        let mut mixed: Vec<DarkFit> =
            (0..6).map(|i| fit(0.5 + 0.01 * off(i), 0.01, None)).collect();
        mixed.push(fit(0.52, 0.01, glow));
        assert_eq!(agreed(mixed)[6], fit(0.52, 0.01, glow));
    }

    #[test]
    fn lights_that_differ_keep_their_own() {
        let drifting: Vec<DarkFit> =
            (0..16).map(|i| fit(0.5 + 0.01 * i as f64, 0.01, None)).collect();
        assert_eq!(agreed(drifting.clone()), drifting);
        let two = vec![fit(0.5, 0.01, None), fit(0.51, 0.01, None)];
        assert_eq!(agreed(two.clone()), two);
    }
}
