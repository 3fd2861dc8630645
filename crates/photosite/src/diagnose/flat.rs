//! What is left of a flat in a light, or was taken too much: by vignetting and by dust.

use photosite_pix::{Plane, Rect, Size};

use super::{Against, Fault, Flat, Measured, Seen, Subject};
use crate::Result;
use crate::calibrate::flat_fit::{Blocks, FlatAnswer, FlatFit};
use crate::finding::Severity;

/// Standard errors that count as certain.
const SIGMAS: f64 = 3.0;
/// How far vignetting and dust may lie from the flat's beside their errors: scattered light and skies do as
/// much.
const SLOPE: f64 = 0.15;
const DUST: f64 = 0.1;
/// The same for vignetting where the dust is not the flat's either.
const SLOPE_AND_DUST: f64 = 0.1;
/// What vignetting and dust of a flat that fits are off by, beside their errors, and the share of a light
/// that an additive level must have to be told.
const UNLIKE: f64 = 0.03;
const ADDITIVE: f64 = 0.08;
/// How precisely they must be known to say anything.
const TOLD: f64 = 0.15;
/// The same of vignetting beside dust of which certainly some has gone and some not.
const TOLD_BESIDE_DUST: f64 = 0.25;
/// Below this share of the noise a background is lifted, so that its logarithm is known.
const FAINT: f64 = 0.5;
/// An additive level is that of the bias within this share of it.
const OF_BIAS: f64 = 0.2;
/// The share of a light from which what was taken too much is rather a level in the flat.
const OF_FLAT: f64 = 0.25;
/// The same where vignetting and dust say so alike: another filter has other dust.
const OF_FLAT_BOTH: f64 = ADDITIVE;
/// The share of dust that may have a contrast of its own before some of it has moved.
const APART: f64 = 0.15;
/// The share from which dust by itself tells of a level.
const DUST_ALONE: f64 = 0.12;
/// The noise of a light is known to so much, squared.
const MORE_NOISE: f64 = 1.1;
/// How far what is seen of a flat may be off what one shows that was applied twice, or multiplied with.
const AS_OFTEN: f64 = 0.1;
/// The share of its variance that photons of a background surely make.
const PHOTONS: f64 = 0.6;
/// Flats exposed to more of saturation than this may bend.
const BENT: f64 = 0.7;
/// Dust of which at least so much is certainly there has not gone as a whole.
const PARTLY: f64 = 0.15;
/// Dust of which so little is there has gone.
const GONE: f64 = 0.5;

/// What was measured of a flat in a light, as a share of the light's background: 1 where it fits.
#[derive(Clone, Copy)]
struct Share {
    value: f64,
    error: f64,
}

impl Share {
    fn of(value: Option<f64>, error: Option<f64>) -> Option<Self> {
        Self::told(value, error, TOLD)
    }

    /// What is known to an error.
    fn told(value: Option<f64>, error: Option<f64>, most: f64) -> Option<Self> {
        let (value, error) = value.zip(error)?;
        (error <= most * value.abs().max(1.0)).then_some(Self { value, error })
    }

    /// By what is certain enough where something else is off, too: so many errors.
    fn differs(self, sigmas: f64) -> bool {
        (self.value - 1.0).abs() > SLOPE_AND_DUST.max(sigmas * self.error)
    }

    /// Some of it is there and some is not: dust of a filter goes with the filter, that of the sensor stays.
    fn is_partly_there(self) -> bool {
        self.value > PARTLY.max(SIGMAS * self.error) && self.value < 1.0 - DUST
    }

    /// Deeper in the light than in the flat, which no other optics make, and no dust that moved: only a level does.
    fn is_deeper(self) -> bool {
        self.value > 1.0 && self.is_off(DUST)
    }

    fn is_off(self, tolerance: f64) -> bool {
        (self.value - 1.0).abs() > tolerance.hypot(SIGMAS * self.error)
    }
}

pub(super) fn look(
    subject: &Subject<'_>,
    flat: &Flat,
    against: &Against,
    seen: &Seen,
    (faults, measures): (&mut Vec<Fault>, &mut Vec<Measured>),
) -> Result<()> {
    // A background of nothing, or less, has no logarithm: it is lifted, and what is measured is a share of
    // what it is then.
    let level = seen.level_adu;
    let lifted_adu = match level < FAINT * seen.noise_adu {
        true => 3.0 * level.abs() + 10.0 * seen.noise_adu,
        false => 0.0,
    };
    let blocks = |divided: bool| {
        Blocks::of(against.size, against.cfa, |rows, out| {
            for (y, out) in rows.zip(out.chunks_exact_mut(against.size.width)) {
                subject.row(y, out);
                if divided {
                    out.iter_mut().zip(flat.frame.data.row(y)).for_each(|(v, f)| *v *= f);
                }
                out.iter_mut().for_each(|v| *v += lifted_adu as f32);
            }
            Ok(())
        })
    };
    let fit = flat.template.fit(&blocks(true)?);
    let lit_adu = level + lifted_adu;
    let slope = Share::of(fit.slope, fit.slope_error);
    let dust = Share::of(fit.dust, fit.dust_error);
    if slope.is_none() && dust.is_none() {
        faults.push(not_measured(seen));
        return Ok(());
    }
    let plain = flat.template.fit(&blocks(false)?);
    let mut note = |name, share: Option<Share>| {
        if let Some(s) = share {
            measures.push(Measured { name, value: s.value - 1.0, error: s.error, unit: "" });
        }
    };
    if lifted_adu == 0.0 {
        note("flat-slope", slope);
        note("flat-dust", dust);
    }
    let region = darkest_corner(&flat.frame.data);
    let fault = |code, severity, share: Share, message, hint: &str| Fault {
        code,
        severity,
        value: share.value,
        error: Some(share.error),
        unit: "",
        message,
        hint: hint.to_owned(),
        region: Some(region),
    };
    if lifted_adu == 0.0
        && fit.answer == FlatAnswer::DoesNotFit
        && let Some((code, how, hint)) = applied_otherwise((slope, dust), seen, against)
        && let Some(share) = dust
    {
        let share = Share { value: share.value - 1.0, ..share };
        let message = format!(
            "the flat was {how}: the light shows {:.0} +- {:.0} % of its vignetting and dust",
            100.0 * share.value,
            100.0 * share.error
        );
        faults.push(fault(code, Severity::Error, share, message, hint));
        return Ok(());
    }
    if lifted_adu == 0.0 && was_not_applied(&plain, &fit) {
        let share = Share::of(plain.dust, plain.dust_error)
            .or_else(|| Share::of(plain.slope, plain.slope_error));
        let Some(share) = share else { return Ok(()) };
        let message = format!(
            "the flat was not applied: the light shows {:.0} +- {:.0} % of its vignetting and dust",
            100.0 * share.value,
            100.0 * share.error
        );
        let hint = "Divide by the flat.";
        faults.push(fault("flat-not-applied", Severity::Error, share, message, hint));
        return Ok(());
    }
    if let Some(angle) = fit.angle_deg {
        let share = Share { value: angle, error: 0.5 };
        let message = format!(
            "the train was turned by {angle:.1} degrees between light and flat: its dust is where the flat, \
             turned so, has it"
        );
        let hint = "Take flats at the rotation of the lights.";
        faults.push(Fault {
            unit: "deg",
            ..fault("flat-rotated", Severity::Error, share, message, hint)
        });
        return Ok(());
    }
    // Dust that moved says nothing of a level.
    let above = |s: Share| s.value - s.error > 1.0;
    let deeper = dust.is_some_and(Share::is_deeper) && slope.is_none_or(above);
    let moved = fit.dust_apart > APART && !deeper;
    if let Some(both) = together(slope, dust).filter(|_| !moved) {
        let of_flat = if slope.is_some() && dust.is_some() { OF_FLAT_BOTH } else { OF_FLAT };
        let levels = (lit_adu, lifted_adu, of_flat);
        let fault = additive(both, levels, (seen, against), region, measures);
        // Dust may lie under a nebula: vignetting must not contradict it.
        let agrees = |s: Share| {
            (s.value - 1.0) * (both.value - 1.0) > 0.0 && (s.value - 1.0).abs() > s.error
        };
        let believed = match slope {
            Some(s) => agrees(s),
            None => (both.value - 1.0).abs() > DUST_ALONE,
        };
        faults.extend(fault.filter(|_| lifted_adu > 0.0 || believed));
        return Ok(());
    }
    if lifted_adu > 0.0 {
        return Ok(());
    }
    // Less certain vignetting tells what partly gone dust means.
    let some_dust = dust.is_some_and(|d| d.is_off(DUST) && d.is_partly_there());
    let slope = match some_dust {
        true => Share::told(fit.slope, fit.slope_error, TOLD_BESIDE_DUST),
        false => slope,
    };
    let percent = |s: Share| format!("{:.0} +- {:.0} %", 100.0 * s.value, 100.0 * s.error);
    let found = match (slope, dust) {
        (Some(s), Some(d))
            if d.is_off(DUST) && s.differs(if d.is_partly_there() { 1.0 } else { 2.0 }) =>
        {
            let message = format!(
                "the flat is not of this light's optics: the light holds {} of its vignetting and {} of its \
                 dust",
                percent(s),
                percent(d)
            );
            let hint = "Take flats with the light's own filter and focus.";
            Some(fault("flat-other-filter", Severity::Error, s, message, hint))
        }
        (Some(s), Some(_)) if s.is_off(SLOPE) => {
            let message = format!(
                "the light holds {} of the flat's vignetting, but all of its dust: light that the optics did \
                 not image reached the flat or the light",
                percent(s)
            );
            let hint = "Take flats without light from beside the panel, and shield the light from stray light.";
            Some(fault("flat-stray-light", Severity::Warning, s, message, hint))
        }
        (_, Some(d)) if d.is_off(DUST) || fit.answer == FlatAnswer::DoesNotFit => {
            let gone = if d.value < GONE { "the flat's dust" } else { "some of the flat's dust" };
            let message = format!(
                "{gone} is not in this light ({}), so that dividing left its mirror image; the light's own \
                 may be left",
                percent(d)
            );
            let hint = "Take flats on the night of the lights, before the train is opened.";
            Some(fault("flat-dust-moved", Severity::Error, d, message, hint))
        }
        _ => None,
    };
    faults.extend(found);
    Ok(())
}

/// That the light says nothing of the flat.
fn not_measured(seen: &Seen) -> Fault {
    Fault {
        code: "flat-not-measured",
        severity: Severity::Info,
        value: seen.level_adu,
        error: Some(seen.noise_adu),
        unit: "adu",
        message: format!(
            "whether it was divided by the flat cannot be told: neither vignetting nor dust show in a background of \
             {:.1} ADU under a noise of {:.1} ADU",
            seen.level_adu, seen.noise_adu
        ),
        hint: "Lights of a brighter sky tell, and those whose background was not taken off."
            .to_owned(),
        region: None,
    }
}

/// That the flat was applied twice, or multiplied with, by what the light shows of it when it is restored; not where
/// that may as well be a level of which all of the light is.
fn applied_otherwise(
    (slope, dust): (Option<Share>, Option<Share>),
    seen: &Seen,
    against: &Against,
) -> Option<(&'static str, &'static str, &'static str)> {
    // Dust alone may have moved, vignetting alone may be another optics'.
    let both = [slope?, dust?];
    let is = |times: f64| {
        let near = AS_OFTEN * times.max(1.0);
        both.iter().all(|s| (s.value - times).abs() < near.max(SIGMAS * s.error))
    };
    // So does a bias that was taken twice of a light of little more, where noise allows for as much light.
    let bias_twice =
        against.bias_adu.filter(|b| *b > 0.0 && may_hold(*b, seen, against)).is_some_and(|bias| {
            let near = |s: &Share| {
                let error_adu = s.error * seen.level_adu;
                let missing_adu = (s.value - 1.0) * seen.level_adu;
                (missing_adu - bias).abs() < (OF_BIAS * bias).hypot(SIGMAS * error_adu)
            };
            both.iter().all(near)
        });
    if is(3.0) && !bias_twice {
        let hint = "Divide by the flat.";
        return Some(("flat-not-applied", "multiplied with, not divided by", hint));
    }
    let level_adu = seen.level_adu;
    let all_photons = |gain: f64| seen.noise_adu.powi(2) > PHOTONS * level_adu / gain;
    let no_bias = |bias: f64| (level_adu - bias).abs() > OF_BIAS * bias;
    let is_light = match (against.gain_e_per_adu, against.bias_adu) {
        (Some(gain), _) => all_photons(gain),
        (None, Some(bias)) => no_bias(bias),
        (None, None) => false,
    };
    (is(0.0) && is_light).then_some(("flat-twice", "divided by twice", "Divide by the flat once."))
}

/// The light as it is shows the flat, and restored by the flat it does not.
fn was_not_applied(plain: &FlatFit, divided: &FlatFit) -> bool {
    plain.answer == FlatAnswer::Fits && divided.answer == FlatAnswer::DoesNotFit
}

/// What vignetting and dust say together, where they agree; what only one says counts too.
fn together(slope: Option<Share>, dust: Option<Share>) -> Option<Share> {
    match (slope, dust) {
        (Some(s), Some(d)) => {
            let apart = (s.value - d.value).abs();
            let scale = s.value.abs().max(d.value.abs()).max(1.0);
            let chance = (SLOPE * scale).hypot(SIGMAS * s.error.hypot(d.error));
            let weight = |share: Share| 1.0 / (share.error.powi(2) + (UNLIKE * scale).powi(2));
            let (ws, wd) = (weight(s), weight(d));
            let value = (ws * s.value + wd * d.value) / (ws + wd);
            let error = (1.0 / (ws + wd)).sqrt();
            let deeper = d.is_deeper() && s.value - s.error > 1.0;
            (apart <= chance || deeper).then_some(Share { value, error })
        }
        (Some(one), None) => Some(Share { error: one.error.hypot(UNLIKE), ..one }),
        (None, Some(one)) if one.value >= GONE => {
            Some(Share { error: one.error.hypot(UNLIKE), ..one })
        }
        _ => None,
    }
}

/// Whether the noise of a light allows so much more light than it shows: photons alone make no less.
fn may_hold(more_adu: f64, seen: &Seen, against: &Against) -> bool {
    let light_adu = seen.level_adu + more_adu + against.noise.dark_signal_adu.max(0.0);
    let most = |gain: f64| MORE_NOISE * gain * seen.noise_adu.powi(2);
    against.gain_e_per_adu.is_none_or(|gain| light_adu <= most(gain))
}

/// A level that was in the light when it was divided, or is in the flat.
fn additive(
    both: Share,
    (lit_adu, lifted_adu, of_flat): (f64, f64, f64),
    (seen, against): (&Seen, &Against),
    region: Rect,
    measures: &mut Vec<Measured>,
) -> Option<Fault> {
    // What follows the flat is light; the rest is not.
    let light_adu = both.value * lit_adu;
    let rest_adu = lit_adu - lifted_adu - light_adu;
    let error_adu = both.error * lit_adu.abs();
    measures.push(Measured { name: "additive", value: rest_adu, error: error_adu, unit: "adu" });
    let least = ADDITIVE * light_adu.abs().max(seen.level_adu.abs());
    if rest_adu.abs() <= least.max(SIGMAS * error_adu) {
        return None;
    }
    let size = format!("{:.1} +- {error_adu:.1} ADU", rest_adu.abs());
    let near = |adu: f64| (rest_adu - adu).abs() < (OF_BIAS * adu.abs()).hypot(SIGMAS * error_adu);
    let fault = |code, message, hint: &str| Fault {
        code,
        severity: Severity::Error,
        value: rest_adu,
        error: Some(error_adu),
        unit: "adu",
        message,
        hint: hint.to_owned(),
        region: Some(region),
    };
    let bias = against.bias_adu.filter(|b| *b > 0.0);
    if let Some(share) = against.flat_of_full.filter(|share| *share > BENT && rest_adu < 0.0) {
        return Some(fault(
            "flat-nonlinear",
            format!(
                "the flat divides too little: the light holds {:.0} +- {:.0} % of its vignetting and dust, and its \
                 frames were exposed to {:.0} % of saturation, where sensors bend",
                100.0 * both.value,
                100.0 * both.error,
                100.0 * share
            ),
            "Take flats at a third to half of saturation.",
        ));
    }
    Some(match bias {
        Some(b) if near(-b) && may_hold(b, seen, against) => fault(
            "bias-twice",
            format!(
                "the bias was subtracted twice: before the flat {size} too much was taken, and the bias is \
                 {b:.1} ADU"
            ),
            "Subtract either a dark that holds the bias, or bias and a dark without it.",
        ),
        Some(b) if near(b) => fault(
            "flat-additive",
            format!(
                "the bias was in the light when it was divided by the flat: {size} do not follow the flat, and \
                 the bias is {b:.1} ADU"
            ),
            "Subtract bias or dark before the flat.",
        ),
        // A flat with a level of its own takes too little in proportion to the light: offsets differ by less.
        _ if rest_adu < -of_flat * light_adu.abs() => fault(
            "flat-additive",
            format!(
                "the flat divides too little: it holds a level that is no light, {:.0} % of its own, or {size} \
                 too much were taken from the light before it",
                100.0 * (both.value - 1.0)
            ),
            "Subtract dark flats or bias from the flats.",
        ),
        // Dark and bias are of one offset, so that the light would have to be of another than both.
        Some(_)
            if against.dark.as_ref().and_then(|d| d.gap).is_some_and(|g| g.is_of_one_offset()) =>
        {
            fault(
                "flat-other-filter",
                format!(
                    "the light holds {:.0} +- {:.0} % of the flat's vignetting and dust: the flat is not of \
                     this light's optics, or {size} too {} were taken before it",
                    100.0 * both.value,
                    100.0 * both.error,
                    if rest_adu < 0.0 { "much" } else { "little" }
                ),
                "Take flats with the light's own filter and focus; see that light and darks are of one \
                 offset.",
            )
        }
        Some(b) => fault(
            "offset-mismatch",
            format!(
                "{size} too {} were taken before the flat: dark or bias of another offset (the bias is \
                 {b:.1} ADU)",
                if rest_adu < 0.0 { "much" } else { "little" }
            ),
            "Take darks and biases with the light's own offset and gain.",
        ),
        None => fault(
            "flat-additive",
            format!("{size} in the light do not follow the flat: a level that is no light"),
            "Subtract bias or dark before the flat, and dark flats from the flats.",
        ),
    })
}

/// The corner where a flat takes most light away.
fn darkest_corner(flat: &Plane<f32>) -> Rect {
    let Size { width, height } = flat.size();
    let (w, h) = ((width / 8).max(1), (height / 8).max(1));
    let corners = [(0, 0), (width - w, 0), (0, height - h), (width - w, height - h)];
    let mean = |(x0, y0): (usize, usize)| -> f64 {
        let rows = (y0..y0 + h).map(|y| {
            let part = &flat.row(y)[x0..x0 + w];
            part.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v)).sum::<f64>()
        });
        rows.sum()
    };
    let darkest = corners.into_iter().min_by(|a, b| mean(*a).total_cmp(&mean(*b)));
    let (x0, y0) = darkest.unwrap_or((0, 0));
    Rect::new(x0, y0, w, h)
}
