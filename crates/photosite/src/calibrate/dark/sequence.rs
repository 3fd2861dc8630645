//! Factors of lights of one sequence: known together better than each by itself.

use photosite_pix::slope::{Slope, pooled};
use photosite_pix::stat;

use super::declined::Declined;
use super::fit::{DarkFit, is_certain};

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

/// How much better one factor of glow for all lights must fit than that of each light's hot pixels, as a sum of
/// squared deviations, and the most that a glow's error may be to have a say.
const ONE_GLOW: f64 = 25.0;
const GLOW_TELLS: f64 = 0.3;

/// Gives lights of one sequence one answer where their glow is the same in all and their hot pixels are not: an
/// amplifier that glows whatever the sensor's temperature is. By itself one light sees that its glow differs, and another
/// does not.
pub fn one_glow(fits: &mut [&mut DarkFit]) {
    let told = |fit: &DarkFit| -> Option<(f64, f64, f64)> {
        let (k, (glow, error)) = fit.k.zip(fit.glow)?;
        let both = error.hypot(fit.error);
        (error < GLOW_TELLS && both > 0.0).then_some((k, glow, both))
    };
    let all: Vec<(f64, f64, f64)> = fits.iter().filter_map(|fit| told(fit)).collect();
    if all.len() < FEWEST {
        return;
    }
    let weight: f64 = all.iter().map(|(.., error)| error.powi(-2)).sum();
    let glow = all.iter().map(|(_, glow, error)| glow * error.powi(-2)).sum::<f64>() / weight;
    let off = |from: &dyn Fn(f64) -> f64| -> f64 {
        all.iter().map(|(k, glow, error)| ((glow - from(*k)) / error).powi(2)).sum()
    };
    let (alike, as_hot) = (off(&|_| glow), off(&|k| k));
    let free = all.len() as f64;
    if as_hot - alike < ONE_GLOW || alike > free + ONE_GLOW {
        return;
    }
    for fit in fits.iter_mut().filter(|fit| fit.k.is_some()) {
        fit.glow = Some((glow, weight.powf(-0.5)));
        if matches!(
            fit.declined,
            None | Some(Declined::GlowUnproven { .. } | Declined::GlowDiffers { .. })
        ) {
            fit.declined = Some(Declined::GlowDiffers { glow });
        }
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
    fn glow_that_is_one_in_all_lights_is_one_answer() {
        // Hot pixels double within six degrees; the glow is that of the dark, or doubles too.
        for (name, follows, declines) in [("steady", false, true), ("as hot pixels", true, false)] {
            let off = [0.02, -0.05, 0.04, -0.01, 0.03, -0.03];
            let mut fits: Vec<DarkFit> = (0..6)
                .map(|i| {
                    let k = 1.6 - 0.2 * i as f64;
                    let glow = if follows { k } else { 1.0 } + off[i];
                    DarkFit { glow: Some((glow, 0.05)), ..fit(k, 0.01, None) }
                })
                .collect();
            // By itself one of them has seen it.
            if !follows {
                fits[0].declined = Some(Declined::GlowDiffers { glow: 1.02 });
            }
            one_glow(&mut fits.iter_mut().collect::<Vec<_>>());
            for fit in &fits {
                let declined = matches!(fit.declined, Some(Declined::GlowDiffers { .. }));
                assert_eq!(declined, declines, "{name}: {fit:?}");
            }
        }
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
