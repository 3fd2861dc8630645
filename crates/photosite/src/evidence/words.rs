//! What was seen, in a sentence's parts.

use photosite_pix::FrameKind;
use photosite_pix::stat;

use super::distance::{Feature, Set, balance};
use super::summary::{FrameSummary, median};

/// `n` frames of a kind: "9 biases".
pub(super) fn frames_of(kind: FrameKind, count: usize) -> String {
    match (kind, count) {
        (FrameKind::Bias, 1) => "1 bias".to_owned(),
        (FrameKind::Bias, n) => format!("{n} biases"),
        (kind, 1) => format!("1 {kind}"),
        (kind, n) => format!("{n} {kind}s"),
    }
}

/// Why a frame is odd beside those that are kept.
pub(super) fn of_odd(set: &Set<'_>, feature: Feature, odd: usize, kept: &[usize]) -> String {
    let others = frames_of(set.kind, kept.len());
    let frame = set.frames[odd];
    let numbers = |of: &dyn Fn(&FrameSummary) -> f64| {
        stat::median_scatter(&kept.iter().map(|i| of(set.frames[*i])).collect::<Vec<f64>>())
    };
    match feature {
        Feature::Level => {
            let (level, scatter) = numbers(&|f| f.level_adu);
            let own = frame.level_adu;
            format!(
                "its level is {own:.1} ADU where the other {others} have {level:.1} +- \
                 {scatter:.1} ADU"
            )
        }
        Feature::Noise => {
            let (noise, scatter) = numbers(&|f| f.scatter_adu);
            let own = frame.scatter_adu;
            format!(
                "its noise is {own:.2} ADU where the other {others} have {noise:.2} +- \
                 {scatter:.2} ADU"
            )
        }
        Feature::Shape => {
            let nearest = kept.iter().map(|i| set.farthest_tile(odd, *i));
            let own = median(nearest);
            let usual = kept.iter().skip(1).map(|i| set.farthest_tile(kept[0], *i));
            let usual = median(usual);
            let usual = if usual.is_finite() { usual } else { 0.0 };
            match set.kind {
                FrameKind::Flat => format!(
                    "its shape differs from that of the other {others} by up to {:.1} %, theirs \
                     among each other by {:.1} %",
                    100.0 * own,
                    100.0 * usual
                ),
                _ => format!(
                    "parts of it differ from the other {others} by up to {own:.1} ADU after \
                     their levels, theirs among each other by {usual:.1} ADU{}",
                    zeros(frame)
                ),
            }
        }
        Feature::Colour => {
            let part = |i: usize| {
                let typical = numbers(&|f| balance(f).get(i).copied().unwrap_or(f64::NAN)).0;
                (balance(frame).get(i).copied().unwrap_or(f64::NAN), typical)
            };
            let ((red, usual_red), (blue, usual_blue)) = (part(0), part(1));
            format!(
                "its red and blue are {red:.2} and {blue:.2} of its green where the other {others} \
                 have {usual_red:.2} and {usual_blue:.2}"
            )
        }
        Feature::Response => {
            let alike = median(kept.iter().map(|i| set.in_common(odd, *i)));
            format!(
                "its pixels have {:.0} % of the response that the other {others} have in common: it \
                 is turned, mirrored, shifted or of another sensor",
                100.0 * alike.max(0.0)
            )
        }
        Feature::Rows => {
            let rows = kept.iter().map(|i| set.odd_rows(odd, *i).count() as f64);
            format!(
                "{:.0} of {} rows that were looked at are not at the level that the other \
                 {others} have there{}",
                median(rows),
                frame.rows_adu.len(),
                zeros(frame)
            )
        }
        Feature::Hot => {
            let found: Vec<(f64, Option<f64>)> =
                kept.iter().filter_map(|k| set.hot_in(*k, odd)).collect();
            let missing = median(found.iter().map(|f| f.0));
            let ratio = median(found.iter().filter_map(|f| f.1));
            if found.is_empty() {
                let extra = median(kept.iter().filter_map(|k| set.hot_in(odd, *k)).map(|f| f.0));
                return format!(
                    "{:.0} % of its hot pixels are not hot in the other {others}",
                    100.0 * extra
                );
            }
            if missing > 0.3 || !ratio.is_finite() {
                return format!(
                    "{:.0} % of the hot pixels of the other {others} are not hot in it",
                    100.0 * missing
                );
            }
            format!("hot pixels are {ratio:.2} times as strong in it as in the other {others}")
        }
    }
}

/// A half sentence on samples that are zero, where there are more than chance has.
fn zeros(frame: &FrameSummary) -> String {
    match frame.share_zero > 0.01 {
        true => format!("; {:.0} % of its samples are 0", 100.0 * frame.share_zero),
        false => String::new(),
    }
}

/// What the frames of one part of a divided set have in common.
pub(super) fn of_part(set: &Set<'_>, feature: Feature, part: &[usize]) -> String {
    let frames = frames_of(set.kind, part.len());
    let numbers = |of: &dyn Fn(&FrameSummary) -> f64| {
        stat::median_scatter(&part.iter().map(|i| of(set.frames[*i])).collect::<Vec<f64>>()).0
    };
    match feature {
        Feature::Level => format!("{frames} at a level of {:.1} ADU", numbers(&|f| f.level_adu)),
        Feature::Noise => {
            format!("{frames} with a noise of {:.2} ADU", numbers(&|f| f.scatter_adu))
        }
        Feature::Colour => {
            let of = |i: usize| numbers(&|f| balance(f).get(i).copied().unwrap_or(f64::NAN));
            format!("{frames} whose red and blue are {:.2} and {:.2} of their green", of(0), of(1))
        }
        Feature::Response => {
            let others = (0..set.len()).filter(|i| !part.contains(i));
            let alike = median(others.map(|i| set.in_common(part[0], i)));
            format!(
                "{frames} whose pixels have {:.0} % of their response in common with the rest: \
                 turned, mirrored, shifted or of another sensor",
                100.0 * alike.max(0.0)
            )
        }
        Feature::Shape | Feature::Rows => {
            let others = (0..set.len()).filter(|i| !part.contains(i));
            let far = others.map(|i| set.farthest_tile(part[0], i));
            let far = far.fold(0.0, f64::max);
            match set.kind {
                FrameKind::Flat => {
                    format!("{frames} whose shape is up to {:.1} % off the rest", 100.0 * far)
                }
                _ => format!("{frames} whose parts are up to {far:.1} ADU off the rest"),
            }
        }
        Feature::Hot => {
            format!("{frames} with {:.0} hot pixels of their own", numbers(&|f| f.hot.len() as f64))
        }
    }
}

/// What is said of a frame of which every sample has one value.
pub(super) fn constant(value_adu: f32) -> String {
    format!("every sample of it is {value_adu} ADU, without the noise that any sensor has")
}

/// Why a flat is saturated.
pub(super) fn saturated(flat: &FrameSummary) -> String {
    format!(
        "{:.0} % of its samples are at full scale ({:.0} ADU)",
        100.0 * flat.share_full,
        flat.full_adu
    )
}

/// Why a flat is empty.
pub(super) fn empty(flat: &FrameSummary, typical_adu: Option<f64>) -> String {
    let (level, noise) = (flat.level_adu, flat.scatter_adu);
    if level < -noise {
        return format!(
            "its samples lie {:.0} ADU below those of frames without light: a program took its black level off, or \
             stores numbers without a sign as numbers with one",
            -level
        );
    }
    match typical_adu.filter(|t| t.is_finite() && *t > level) {
        Some(typical) => format!(
            "it holds {level:.1} ADU of light at a noise of {noise:.1} ADU where its set has \
             {typical:.1} ADU"
        ),
        None => format!("it holds {level:.1} ADU of light at a noise of {noise:.1} ADU"),
    }
}
