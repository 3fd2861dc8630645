//! Exposures that do not fit between the frames: programs that write milliseconds or microseconds.

use photosite_pix::{Card, FrameKind, stat};

use super::some;
use crate::Finding;
use crate::finding::Severity;
use crate::header::days;
use crate::inventory::Frame;

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
        .filter_map(|i| Some((days(frames[*i].metadata.date_obs.as_deref()?)?, *i)))
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
