//! What is left of a dark in a light: by its hot and warm pixels, and by its glow.

use photosite_pix::Rect;

use super::points::displaced;
use super::{Against, Dark, Fault, Measured, Seen, Subject};
use crate::Result;
use crate::calibrate::Left;
use crate::calibrate::dark::{DarkFit, Declined, HotSites, Stratum};
use crate::finding::Severity;

/// Standard errors beyond which something is left.
const SIGMAS: f64 = 4.0;
/// Glow that is left is seen from this share of the noise from pixel to pixel on.
const GLOW_SEEN: f64 = 0.1;
/// A light holds nothing of a dark of another place: it is all missing, within this.
const NOTHING: f64 = 0.25;
/// Standard errors by which fainter hot pixels must be off to say that the hottest were repaired.
const REPAIRED_SIGMAS: f64 = 6.0;
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
    let fit = beside_repaired(left(&dark.sites, subject, against, false)?);
    if let Some(k) = fit.k.filter(|_| !fit.holds(0.0)) {
        measures.push(Measured { name: "thermal", value: k, error: fit.error, unit: "" });
        faults.extend(by_hot_pixels(k, &fit, (subject, seen), (dark, against))?);
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

/// The same fit by fainter hot pixels alone, where nothing is left of the hottest because a program repaired
/// them, but of all others.
fn beside_repaired(fit: DarkFit) -> DarkFit {
    let wrong = |s: &&Stratum| {
        Left { share: s.k, error: s.error }.is_wrong() && s.k.abs() > REPAIRED_SIGMAS * s.error
    };
    let faithful = |s: &&Stratum| s.k.abs() < 0.1;
    let hottest = fit.strata.iter().max_by(|a, b| a.from_adu.total_cmp(&b.from_adu));
    if hottest.filter(faithful).is_none() || fit.strata.iter().filter(wrong).count() == 0 {
        return fit;
    }
    let (sum, weights) = fit.strata.iter().filter(wrong).fold((0.0, 0.0), |(sum, weights), s| {
        let weight = s.error.powi(-2);
        (sum + weight * s.k, weights + weight)
    });
    DarkFit { k: Some(sum / weights), error: weights.powf(-0.5), ..fit }
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
    Ok(sites.fit(&seen))
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
        if let Some((x, y)) = displaced(subject, &dark.sites, against, seen) {
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
    let explained = explained(k, dark, against);
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

/// What would explain that the light holds (1 + k) times what was subtracted.
fn explained(k: f64, dark: &Dark, against: &Against) -> String {
    // Of a dark that was not subtracted at all the whole is left.
    if (k - 1.0).abs() < NOTHING {
        return "as if no dark had been subtracted".to_owned();
    }
    let factor = 1.0 + k;
    if factor <= 0.05 {
        return "as if the light had no dark signal at all".to_owned();
    }
    let warmer_c = -against.doubling_c * factor.log2();
    let exposure = match dark.exposure_s {
        Some(s) => format!("of {:.1} s instead of {s} s", s * factor),
        None => format!("of {factor:.2} times its exposure"),
    };
    let side = if warmer_c > 0.0 { "warm" } else { "cold" };
    let warmer = format!("this one was {:.1} C too {side}", warmer_c.abs());
    match dark.exposure_s.filter(|_| k > 0.0) {
        Some(s) => format!(
            "a dark {exposure} would have fitted, or {warmer}, or no dark was subtracted from a light of {:.1} s",
            s * k
        ),
        None => format!("a dark {exposure} would have fitted, or {warmer}"),
    }
}
