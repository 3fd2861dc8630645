//! What is left of a dark in a light: by its hot and warm pixels, and by its glow.

use photosite_pix::Rect;

use super::points::displaced;
use super::{Against, Dark, Fault, Measured, Seen, Subject};
use crate::Result;
use crate::calibrate::Left;
use crate::calibrate::dark::{self, Bright, DarkFit, Declined, HotSites};
use crate::finding::Severity;

/// Standard errors beyond which something is left.
const SIGMAS: f64 = 4.0;
/// Glow that is left is seen from this share of the noise from pixel to pixel on.
const GLOW_SEEN: f64 = 0.1;
/// A light holds nothing of a dark of another place: it is all missing, within this.
const NOTHING: f64 = 0.25;
/// Standard errors by which fainter hot pixels must be off to say that the hottest were repaired.
const REPAIRED_SIGMAS: f64 = 6.0;
/// The same for each colour by itself.
const COLOUR_SIGMAS: f64 = 6.0;
/// So many of the hottest pixels, and this share of all as hot, hold nothing where they were repaired.
const REPAIRED: usize = 6;
const REPAIRED_SHARE: f64 = 0.8;
/// How far from all of it the share of a leak that is missing may be, beside its error.
const LEAKED: f64 = 0.3;
/// Pixels around the place that shows best what is left.
const AROUND: usize = 100;

pub(super) fn look(
    subject: &Subject<'_>,
    dark: &Dark,
    against: &Against,
    seen: &Seen,
    (faults, measures): (&mut Vec<Fault>, &mut Vec<Measured>),
) -> Result<()> {
    let fit = left(&dark.sites, subject, against, false)?;
    if let Some(k) = fit.k.filter(|_| !fit.holds(0.0)) {
        measures.push(Measured { name: "thermal", value: k, error: fit.error, unit: "" });
        faults.extend(by_hot_pixels(k, &fit, (subject, seen), (dark, against))?);
        // Nothing of a dark is where a light that was moved has no hot pixels.
        if k.abs() < NOTHING {
            faults.extend(moved(subject, dark, against, seen));
        }
    }
    let hot_pixels_fit = fit.k.is_some_and(|k| !Left { share: k, error: fit.error }.is_seen());
    if let Some(fault) = hot_pixels_fit.then(|| leak(subject, dark, against, seen)).flatten() {
        faults.push(fault);
        return Ok(());
    }
    // Glow of a dark that does not belong here is told by its hot pixels.
    let (true, Some((glow, error))) = (dark.glow, fit.glow) else { return Ok(()) };
    measures.push(Measured { name: "glow", value: glow, error, unit: "" });
    let left_adu = glow.abs() * dark.sites.signal.glow_adu;
    if glow.abs() < SIGMAS * error || left_adu < GLOW_SEEN * seen.noise_adu {
        return Ok(());
    }
    let what = if glow > 0.0 { "is left" } else { "was taken too much" };
    faults.push(Fault {
        code: "glow-left",
        severity: Severity::Warning,
        value: glow,
        error: Some(error),
        unit: "",
        message: format!(
            "{:.0} % of the dark's amp glow {what}: {left_adu:.2} ADU RMS, the noise is {:.2} ADU",
            100.0 * glow.abs(),
            seen.noise_adu
        ),
        hint: "Take darks at the light's own exposure and temperature; glow does not grow as dark \
                   current does."
            .to_owned(),
        region: None,
    });
    Ok(())
}

/// The same fit where colours lie on scales of their own, as after a flat of one level for all or a white balance:
/// the mean of what each says, where together they are too far apart to say anything.
fn by_colour(fit: DarkFit) -> DarkFit {
    let told = |k: f64, error: f64| Left { share: k, error }.is_wrong();
    let of_channel = |channel: usize| {
        let own = fit.strata.iter().filter(|s| s.channel == channel && s.error > 0.0);
        let (sum, weights) = own.fold((0.0, 0.0), |(sum, weights), s| {
            let weight = s.error.powi(-2);
            (sum + weight * s.k, weights + weight)
        });
        (weights > 0.0).then(|| (sum / weights, weights.powf(-0.5)))
    };
    let colours: Vec<(f64, f64)> = (0..3).filter_map(of_channel).collect();
    let agree = colours.iter().all(|(k, error)| {
        let certain = told(*k, *error) && k.abs() > COLOUR_SIGMAS * error;
        certain && k.signum() == colours[0].0.signum()
    });
    if colours.len() < 2 || !agree || fit.k.is_some_and(|k| told(k, fit.error)) {
        return fit;
    }
    let count = colours.len() as f64;
    let mean = colours.iter().map(|c| c.0).sum::<f64>() / count;
    let apart = colours.iter().map(|c| (c.0 - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let error = (apart / count).sqrt();
    DarkFit { k: Some(mean), error, ..fit }
}

/// The same fit by fainter hot pixels alone, where nothing is left of the hottest because a program repaired
/// them, but of all others.
fn beside_repaired(sites: &HotSites, seen: &dark::Seen, fit: DarkFit) -> DarkFit {
    let fainter = repaired_adu(&fit).map(|adu| sites.fit_below(seen, adu));
    let wrong = |fit: &DarkFit| {
        let of = |share: f64| Left { share, error: fit.error }.is_wrong();
        fit.k.is_some_and(|k| of(k) && k.abs() > REPAIRED_SIGMAS * fit.error)
    };
    fainter.filter(wrong).unwrap_or(fit)
}

/// From which amplitude in the dark on, in ADU, nothing is left of bright pixels.
fn repaired_adu(fit: &DarkFit) -> Option<f64> {
    let mut hottest_first: Vec<&Bright> = fit.each.iter().collect();
    hottest_first.sort_by(|a, b| b.amplitude_adu.total_cmp(&a.amplitude_adu));
    let mut nothing = 0;
    let mut from_adu = None;
    for (before, bright) in hottest_first.into_iter().enumerate() {
        if bright.calls_for(0.0) {
            nothing += 1;
            let enough =
                nothing >= REPAIRED && nothing as f64 >= REPAIRED_SHARE * (before + 1) as f64;
            from_adu = enough.then_some(bright.amplitude_adu).or(from_adu);
        }
    }
    from_adu
}

/// That what lies smoothly over the dark is missing in the light.
fn leak(subject: &Subject<'_>, dark: &Dark, against: &Against, seen: &Seen) -> Option<Fault> {
    if !dark.glow {
        return None;
    }
    let (share, error) = dark.sites.shape_in(against.size, |y, out| subject.row(y, out))?;
    let taken_adu = share.abs() * dark.sites.smooth_adu();
    let certain = share < -SIGMAS * error && (share + 1.0).abs() < LEAKED + error;
    if !certain || taken_adu < GLOW_SEEN * seen.noise_adu {
        return None;
    }
    Some(Fault {
        code: "light-leak",
        severity: Severity::Error,
        value: share,
        error: Some(error),
        unit: "",
        message: format!(
            "{:.0} +- {:.0} % of what lies smoothly over the dark is missing in the light, {taken_adu:.2} ADU RMS, \
             though its hot pixels fit: light reached the darks",
            100.0 * share.abs(),
            100.0 * error
        ),
        hint: "Take darks again in full darkness, the camera capped and covered: viewfinder, focuser and filter \
               slot leak."
            .to_owned(),
        region: None,
    })
}

/// How much of the dark is in the light, the light's rows from the last to the first where it is `turned`.
fn left(
    sites: &HotSites,
    subject: &Subject<'_>,
    against: &Against,
    turned: bool,
) -> Result<DarkFit> {
    let size = against.size;
    let seen = sites.look(size, None, None, |rows, out| {
        for (y, out) in rows.zip(out.chunks_exact_mut(size.width)) {
            let y = if turned { size.height - 1 - y } else { y };
            subject.row(y, out);
            // What was divided is as large as the dark again.
            if let Some(flat) = &against.flat {
                out.iter_mut().zip(flat.frame.data.row(y)).for_each(|(v, f)| *v *= f);
            }
        }
        Ok(())
    })?;
    Ok(by_colour(beside_repaired(sites, &seen, sites.fit(&seen))))
}

fn by_hot_pixels(
    k: f64,
    fit: &DarkFit,
    (subject, seen): (&Subject<'_>, &Seen),
    (dark, against): (&Dark, &Against),
) -> Result<Option<Fault>> {
    let left_of_dark = Left { share: k, error: fit.error };
    if !left_of_dark.is_seen() {
        return Ok(None);
    }
    let region = dark.sites.brightest(1).first().map(|&(x, y)| {
        let from = |v: usize| v.saturating_sub(AROUND);
        Rect::new(from(x), from(y), 2 * AROUND, 2 * AROUND).clipped(against.size)
    });
    let fault = |code, severity, message, hint: &str| Fault {
        code,
        severity,
        value: k,
        error: Some(fit.error),
        unit: "",
        message,
        hint: hint.to_owned(),
        region,
    };
    if (k - 1.0).abs() < NOTHING {
        // Holes where the dark turned over has its hot pixels: that one was subtracted.
        let turned = left(&dark.sites, subject, against, true)?;
        if turned.k.is_some_and(|t| (t + 1.0).abs() < NOTHING && t < -SIGMAS * turned.error) {
            let message = "the dark was subtracted upside down: the light keeps its hot pixels, and holds holes where \
                           the dark turned over has them"
                .to_owned();
            let hint = "Turn the dark over, and correct ROWORDER; let one program save both.";
            return Ok(Some(fault("row-order", Severity::Error, message, hint)));
        }
    }
    if (k + 1.0).abs() < NOTHING {
        let turned = left(&dark.sites, subject, against, true)?;
        if turned.k.is_some_and(|t| t > 0.5 && t > SIGMAS * turned.error) {
            let message =
                "the dark was subtracted upside down: the light holds holes where the dark has \
                           hot pixels, and its hot pixels where the dark turned over has them"
                    .to_owned();
            let hint = "Turn the dark over, and correct ROWORDER; let one program save both.";
            return Ok(Some(fault("row-order", Severity::Error, message, hint)));
        }
        let placed = displaced(subject, &dark.sites, against, seen);
        if let Some((x, y)) = placed.filter(|p| p.turned().is_none()).map(|p| p.by) {
            let message = format!(
                "the dark is of another region of the sensor: its hot pixels are holes in the light, whose \
                 own lie {x:+} columns and {y:+} rows further"
            );
            let hint = "Take darks of the light's own region, or cut both to what they share.";
            return Ok(Some(fault("dark-other-region", Severity::Error, message, hint)));
        }
    }
    let severity = if left_of_dark.is_wrong() { Severity::Error } else { Severity::Warning };
    let percent = 100.0 * k.abs();
    let strata = match fit.declined {
        Some(Declined::StrataDisagree { low, high }) => format!(
            "; bright and faint hot pixels do not agree, from {:+.0} to {:+.0} %",
            100.0 * low,
            100.0 * high
        ),
        _ => String::new(),
    };
    let explained = explained(k, dark, (subject, against));
    Ok(Some(if k < 0.0 {
        let message = format!(
            "{percent:.1} +- {:.1} % too much of the dark was taken: dark holes where it has hot pixels; \
             {explained}{strata}",
            100.0 * fit.error
        );
        let hint = "Take darks at the light's own exposure and temperature, or fit the dark to the light \
                    (--dark-scale fitted).";
        fault("thermal-over", severity, message, hint)
    } else {
        let message = format!(
            "{percent:.1} +- {:.1} % of the dark is left: light specks where it has hot pixels; \
             {explained}{strata}",
            100.0 * fit.error
        );
        let hint = "Take darks at the light's own exposure and temperature, or fit the dark to the light \
                    (--dark-scale fitted).";
        fault("thermal-under", severity, message, hint)
    }))
}

/// That a light keeps its hot pixels elsewhere than the dark has them.
fn moved(subject: &Subject<'_>, dark: &Dark, against: &Against, seen: &Seen) -> Option<Fault> {
    let placed = displaced(subject, &dark.sites, against, seen)?;
    let (x, y) = placed.by;
    let (code, how) = match placed.turned() {
        Some(how) => ("row-order", format!("where the dark {how} has them")),
        None => ("dark-other-region", format!("{x:+} columns and {y:+} rows from the dark's")),
    };
    Some(Fault {
        code,
        severity: Severity::Error,
        value: 1.0,
        error: None,
        unit: "",
        message: format!(
            "the light keeps hot pixels, {how}: it was moved before it came here, and the dark was not subtracted, \
             or not as it lies here"
        ),
        hint: "Calibrate lights before anything turns or crops them.".to_owned(),
        region: None,
    })
}

/// What would explain that the light holds (1 + k) times what was subtracted; or, where its own dark is at hand and
/// another may have been subtracted, (1 - k) times that.
fn explained(k: f64, dark: &Dark, (subject, against): (&Subject<'_>, &Against)) -> String {
    // Of a dark that was not subtracted at all the whole is left.
    if (k - 1.0).abs() < NOTHING {
        return "as if no dark had been subtracted".to_owned();
    }
    let warmer_c = |factor: f64| against.doubling_c * factor.log2();
    let side = |c: f64| if c > 0.0 { "warm" } else { "cold" };
    let exposure = |factor: f64, than: &str| match dark.exposure_s {
        Some(s) => format!("of {:.1} s{than}", s * factor),
        None => format!("of {factor:.2} times its exposure"),
    };
    let instead = dark.exposure_s.map_or_else(String::new, |s| format!(" instead of {s} s"));
    let factor = 1.0 + k;
    let of_this = if factor <= 0.05 {
        "as if the light had no dark signal at all".to_owned()
    } else {
        let c = -warmer_c(factor);
        let exposure = exposure(factor, &instead);
        format!(
            "a dark {exposure} would have fitted, or this one was {:.1} C too {}",
            c.abs(),
            side(c)
        )
    };
    if subject.has_its_dark && k < 1.0 {
        let c = warmer_c(1.0 - k);
        let (exposure, side) = (exposure(1.0 - k, ""), side(c));
        return format!(
            "as if a dark {exposure} had been subtracted, or one {:.1} C too {side}; if it was this one: {of_this}",
            c.abs()
        );
    }
    match dark.exposure_s.filter(|_| k > 0.0) {
        Some(s) => format!("{of_this}, or no dark was subtracted from a light of {:.1} s", s * k),
        None => of_this,
    }
}
