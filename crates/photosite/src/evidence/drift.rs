//! Whether the level of the frames of a set wanders from the first to the last.

use photosite_pix::stat;

use super::summary::{FrameSummary, SURE_SIGMAS, median};

/// Fewest frames that show a drift.
const FEWEST: usize = 5;

/// A drift matters from so many sigmas of one sample on, and from so many scatters of the levels about it.
const SIGMAS: f64 = 1.0;
const SCATTERS: f64 = 5.0;

/// Fewest hot pixels that tell of the sensor's warmth, and the ratio of their strength that is warmth.
const FEWEST_HOT: usize = 12;
const WARMER: f64 = 0.05;

/// How far the level of frames that lie in the order of time rises from the first to the last, in ADU, as a
/// part of a sentence; `None` where it does not, or their hot pixels grow with it, as those of a sensor
/// that warms up do.
pub fn drift(frames: &[&FrameSummary]) -> Option<String> {
    if frames.len() < FEWEST {
        return None;
    }
    let levels: Vec<f64> = frames.iter().map(|f| f.level_adu).collect();
    let slopes = (0..levels.len())
        .flat_map(|b| (0..b).map(move |a| (a, b)))
        .map(|(a, b)| (levels[b] - levels[a]) / (b - a) as f64);
    let slope_adu = median(slopes);
    let rise_adu = slope_adu * (levels.len() - 1) as f64;
    let off: Vec<f64> = levels.iter().enumerate().map(|(i, v)| v - slope_adu * i as f64).collect();
    let (_, scatter_adu) = stat::median_scatter(&off);
    let sample_adu = median(frames.iter().map(|f| f.scatter_adu));
    if rise_adu.abs() <= SIGMAS * sample_adu || rise_adu.abs() <= SCATTERS * scatter_adu {
        return None;
    }
    let third = frames.len() / 3;
    let strength = strength(&frames[..third.max(1)], &frames[frames.len() - third.max(1)..]);
    if strength.is_some_and(|times| (times - 1.0) * rise_adu.signum() > WARMER) {
        return None;
    }
    let way = if rise_adu > 0.0 { "rises" } else { "falls" };
    let hot = strength.map_or_else(String::new, |times| {
        format!(", and hot pixels are {times:.2} times as strong in the last as in the first")
    });
    Some(format!(
        "the level {way} by {:.1} ADU from the first frame to the last, about which they scatter by \
         {scatter_adu:.1} ADU{hot}",
        rise_adu.abs()
    ))
}

/// How much stronger hot pixels are in the last frames than in the first; `None` where too few tell.
fn strength(first: &[&FrameSummary], last: &[&FrameSummary]) -> Option<f64> {
    let excess = |frames: &[&FrameSummary], at: usize| -> Option<f64> {
        let of = |f: &&FrameSummary| {
            let found = f.hot.binary_search_by_key(&at, |h| h.at).ok()?;
            Some(f.hot[found].excess_adu)
        };
        let seen: Vec<f64> = frames.iter().filter_map(of).collect();
        (seen.len() == frames.len()).then(|| stat::median_f64(&seen))
    };
    let sure = first.first()?.hot.iter().filter(|h| h.sigmas >= SURE_SIGMAS);
    let ratio = |at: usize| Some(excess(last, at)? / excess(first, at)?);
    let ratios: Vec<f64> = sure.filter_map(|h| ratio(h.at)).collect();
    (ratios.len() >= FEWEST_HOT).then(|| stat::median_f64(&ratios))
}
