//! The dark signal of long flats that neither a dark flat nor a dark of their exposure takes out: a dark of
//! another exposure, fitted to the flats' own hot pixels.

use photosite_pix::slope::{Slope, pooled};

use crate::calibrate::dark::{DOUBLING_C, DarkFit, DarkLaw, Declined};
use crate::finding::Severity;
use crate::plan::MasterPlan;
use crate::product::{AdditivePart, BiasChoice, FittedDark, MasterResult, load_master};
use crate::raw::RawFrame;
use crate::stack::ReadBuffers;
use crate::work::{Context, on_each_with};
use crate::{Finding, Result};

/// Flats that a dark is fitted to; more know the factor no better than it must be known.
const MOST_FLATS: usize = 12;
/// How uncertain the factor may be: this share of it, and this beside it.
const MOST_ERROR: (f64, f64) = (0.1, 0.01);

/// What a dark that was fitted to flats came to.
struct Fitted {
    /// The share of the dark for each second of a flat.
    per_s: f64,
    error: f64,
    flats: usize,
    sites: usize,
    hot_adu: f64,
}

/// What is subtracted from each of some flats: their bias, and as much of a dark of another exposure as
/// their hot pixels hold; and what is told of it. `None` where the bias alone is.
///
/// # Errors
/// When a master cannot be read, or the work is cancelled.
pub(super) fn dark_of_long_flats(
    master: &MasterPlan,
    flats: &[&RawFrame],
    (bias, dark): (&MasterResult, &MasterResult),
    context: &Context<'_>,
) -> Result<(Option<AdditivePart>, Finding)> {
    let loaded = load_master(&dark.path)?;
    let name = |m: &MasterResult| m.path.file_name().unwrap_or_default().display().to_string();
    let exposure_s = master.traits.exposure_max_s.unwrap_or(0.0);
    let declined = |why: String| {
        let message = format!(
            "no dark flat or dark matches the exposure of these flats, and {} must not be scaled for \
             them: {why}; only bias is subtracted, their dark signal remains",
            name(dark)
        );
        Finding::new("flat-by-bias", Severity::Warning, master.file_name.clone(), message)
            .hint(format!("Take 20 or more dark flats of {exposure_s} s."))
            .with("exposure_s", exposure_s)
    };
    let Some(dark_s) = loaded.metadata.exposure_s.filter(|s| *s > 0.0) else {
        return Ok((None, declined("it has no exposure".to_owned())));
    };
    let region = flats.first().map(|f| (f.metadata.cfa, f.region()));
    let cfa = region.and_then(|(cfa, r)| cfa.map(|c| c.shifted(r.x0, r.y0)));
    let with = BiasChoice::Master(Box::new(load_master(&bias.path)?));
    let fitted = FittedDark::new(loaded, with, cfa, DOUBLING_C)?;
    if let DarkLaw::Not(why) = fitted.law() {
        return Ok((None, declined(why.to_string())));
    }
    let flats = &flats[..flats.len().min(MOST_FLATS)];
    let fits = on_each_with(flats.len(), context, ReadBuffers::default, |buffers, i| {
        fitted.look(flats[i], buffers)
    })?;
    // A flat that cannot be read is found out where it is stacked.
    let fits: Vec<(f64, DarkFit)> = (flats.iter().zip(fits))
        .filter_map(|(f, fit)| Some((f.metadata.exposure_s.filter(|s| *s > 0.0)?, fit.ok()?)))
        .collect();
    Ok(match together(&fits, dark_s, fitted.signal().hot_adu) {
        Err(why) => (None, declined(why)),
        Ok(found) => {
            let Fitted { per_s, error, flats, sites, hot_adu } = found;
            let message = format!(
                "no dark flat or dark matches the exposure of these flats; {} was fitted to {sites} hot \
                 pixels of {flats} flats and subtracted, {:.4} +- {:.4} of it at {exposure_s} s: \
                 {:.1} ADU RMS of dark signal are gone",
                name(dark),
                per_s * exposure_s,
                error * exposure_s,
                per_s * exposure_s * hot_adu
            );
            let finding =
                Finding::new("flat-dark-fitted", Severity::Info, master.file_name.clone(), message)
                    .with("k", per_s * exposure_s)
                    .with("error", error * exposure_s)
                    .with("hot_adu", per_s * exposure_s * hot_adu);
            let (bias, dark) = (bias.path.clone(), dark.path.clone());
            (Some(AdditivePart::Scaled { bias, dark, per_s }), finding)
        }
    })
}

/// One share a second for all flats, or why there is none.
fn together(
    fits: &[(f64, DarkFit)],
    dark_s: f64,
    hot_adu: f64,
) -> std::result::Result<Fitted, String> {
    let slopes: Vec<Slope> = fits
        .iter()
        .filter_map(|(t, fit)| {
            let k = fit.k.filter(|_| fit.error.is_finite())? / t;
            Some(Slope { k, error: fit.error / t, count: fit.sites, scatter: 1.0 })
        })
        .collect();
    let Some(all) = pooled(&slopes) else {
        let sites = fits.iter().map(|(_, f)| f.sites).max().unwrap_or(0);
        return Err(Declined::TooFewHotPixels { sites }.to_string());
    };
    // What most flats say against the dark; that one of them alone is uncertain says nothing.
    let against = |f: &DarkFit| {
        f.declined
            .filter(|d| !matches!(d, Declined::Uncertain { .. } | Declined::TooFewHotPixels { .. }))
    };
    let mut reasons = fits.iter().filter_map(|(_, f)| against(f));
    let (first, more) = (reasons.next(), reasons.count());
    if let Some(why) = first.filter(|_| 2 * (more + 1) > fits.len()) {
        return Err(why.to_string());
    }
    let error = all.error;
    if !(all.k > 0.0 && error * dark_s < MOST_ERROR.0 * all.k * dark_s + MOST_ERROR.1) {
        return Err(Declined::Uncertain { error: error * dark_s }.to_string());
    }
    let sites = slopes.iter().map(|s| s.count).max().unwrap_or(0);
    Ok(Fitted { per_s: all.k, error, flats: slopes.len(), sites, hot_adu })
}
