//! Exposures that do not fit between the frames (programs that write milliseconds or microseconds), and those that no
//! header names.

use photosite_pix::{Card, FrameKind, stat};

use super::crop::{hottest, some_of};
use super::some;
use crate::evidence::stands_out;
use crate::finding::Severity;
use crate::header::moment;
use crate::inventory::Frame;
use crate::run::looked::read_plane;
use crate::work::Context;
use crate::{Finding, Result};

/// Fewest frames in a row by whose times an exposure is doubted.
const FEWEST: usize = 3;

/// An exposure this many times as long as the time from frame to frame cannot have been.
const TOO_LONG: f64 = 2.0;

/// Parts of a second that programs count in.
const UNITS: [(f64, &str); 2] = [(1e-3, "milliseconds"), (1e-6, "microseconds")];

/// A frame takes at least this share of the time to the next one: who shoots does not mostly wait.
const LEAST: f64 = 0.05;

/// Reads the exposures of a set-up's lights as milliseconds, or microseconds, where the times at which they began
/// leave no room for seconds and fit those; tells where they fit none.
pub(super) fn in_seconds(members: &[usize], frames: &mut [Frame], findings: &mut Vec<Finding>) {
    let mut lights: Vec<(f64, usize)> = members
        .iter()
        .filter(|i| frames[**i].kind == FrameKind::Light)
        .filter_map(|i| Some((moment(frames[*i].metadata.date_obs.as_deref()?)?, *i)))
        .collect();
    lights.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let exposure_s = |i: usize| frames[i].metadata.exposure_s;
    let alike = lights.chunk_by(|a, b| exposure_s(a.1) == exposure_s(b.1));
    for alike in alike.map(<[_]>::to_vec).collect::<Vec<_>>() {
        let Some(said_s) = frames[alike[0].1].metadata.exposure_s.filter(|_| alike.len() >= FEWEST)
        else {
            continue;
        };
        let apart: Vec<f64> = alike.windows(2).map(|p| 86_400.0 * (p[1].0 - p[0].0)).collect();
        let apart_s = stat::median_f64(&apart);
        // Times that are all the same are no times.
        if apart_s <= 0.0 || said_s < TOO_LONG * apart_s {
            continue;
        }
        let of: Vec<usize> = alike.iter().map(|l| l.1).collect();
        let fits = |(unit_s, _): &(f64, &str)| {
            (LEAST * apart_s..=1.02 * apart_s).contains(&(unit_s * said_s))
        };
        let unit = UNITS.into_iter().find(fits);
        let meant = match unit {
            Some((unit_s, name)) => format!("it is read as {name}: {} s", unit_s * said_s),
            None => "it is used as it stands".to_owned(),
        };
        let message = format!(
            "the headers say that each was exposed for {said_s} s, and they began {apart_s:.0} s apart; {meant}"
        );
        findings.push(
            Finding::new("exposure-doubted", Severity::Warning, some(frames, &of), message)
                .hint("Have the capture program write EXPTIME in seconds.")
                .with("exposure_s", said_s)
                .with("apart_s", apart_s),
        );
        let Some((unit_s, _)) = unit else { continue };
        for i in of {
            let frame = &mut frames[i];
            frame.metadata.exposure_s = Some(unit_s * said_s);
            ["EXPOSURE", "EXPTIME"].iter().for_each(|key| frame.header.remove(key));
            // No word of the unit that it was in: the comment would be read as that of this number.
            frame.header.set(Card::real(
                "EXPTIME",
                unit_s * said_s,
                "[s] by the times of the frames",
            ));
        }
    }
}

/// How nearly hot pixels of lights must be as strong as those of darks that were exposed as long.
const AS_STRONG: f32 = 0.1;

/// Gives lights whose headers name no exposure that of the darks whose hot pixels they show as strong; others are left as
/// they are.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn by_hot_pixels(
    members: &[usize],
    frames: &mut [Frame],
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<()> {
    let seen = &*frames;
    let of = |kind: FrameKind| {
        let of_kind = members.iter().copied().filter(move |i| seen[*i].kind == kind);
        of_kind.map(|i| (i, seen[i].metadata.exposure_s))
    };
    let lights: Vec<usize> =
        of(FrameKind::Light).filter(|(_, s)| s.is_none()).map(|(i, _)| i).collect();
    let mut exposures: Vec<f64> = of(FrameKind::Dark).filter_map(|(_, s)| s).collect();
    exposures.sort_by(f64::total_cmp);
    exposures.dedup();
    if lights.is_empty() {
        return Ok(());
    }
    let asked: Vec<&Frame> = lights.iter().map(|i| &seen[*i]).collect();
    let mut best: Option<(f32, f64)> = None;
    for exposure_s in exposures {
        context.cancel.check()?;
        let darks = of(FrameKind::Dark).filter(|(_, s)| *s == Some(exposure_s));
        let darks: Vec<&Frame> = darks.map(|(i, _)| &seen[i]).collect();
        let Some(hot) = hottest(&darks) else { continue };
        let mut strengths = Vec::new();
        for light in some_of(&asked) {
            // What cannot be read is found out later.
            let Ok(light) = read_plane(&light.path, 0) else { continue };
            let size = light.size();
            let inside = hot.iter().filter(|h| h.0 < size.width && h.1 < size.height);
            let shown = inside.map(|(x, y, excess)| stands_out(light.row(*y), *x) / excess);
            strengths.push(stat::median(&shown.collect::<Vec<f32>>()));
        }
        let off = (stat::median(&strengths) - 1.0).abs();
        if off < AS_STRONG && best.is_none_or(|(least, _)| off < least) {
            best = Some((off, exposure_s));
        }
    }
    let Some((_, exposure_s)) = best else { return Ok(()) };
    let message = format!(
        "no header names the exposure; hot pixels are as strong as in the darks of {exposure_s} s, which is taken for it"
    );
    findings.push(
        Finding::new("exposure-by-pixels", Severity::Warning, some(frames, &lights), message)
            .hint("Write EXPTIME into the headers, or the exposure into the names.")
            .with("exposure_s", exposure_s),
    );
    for i in lights {
        frames[i].metadata.exposure_s = Some(exposure_s);
        frames[i].header.set(Card::real("EXPTIME", exposure_s, "[s] by hot pixels"));
    }
    Ok(())
}
