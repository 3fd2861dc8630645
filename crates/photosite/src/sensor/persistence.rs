//! What pixels that were full still hold in the darks that follow.

use super::afterglow::Afterglow;
use super::campaign::Campaign;
use super::estimate::Estimate;
use super::grid::Parts;
use super::measure::{Measure, Series};
use crate::Finding;
use crate::finding::Severity;

/// Fewer pixels than this tell nothing.
const FEW_PIXELS: f64 = 30.0;
/// With fewer others than this share of those that were full, there is nothing to compare with.
const FEW_OTHERS: f64 = 0.01;

const METHOD: &str =
    "dark after a saturated frame less other darks: pixels that were full against the others";
const ALL_METHOD: &str = "dark after a frame that was saturated all over, less other darks";

/// Measures what darks after saturated frames hold.
pub fn persistence(
    campaign: &Campaign,
    gain: Option<Estimate>,
) -> (Vec<Measure>, Vec<Series>, Option<Finding>) {
    let (mut out, mut points) = (Vec::new(), Vec::new());
    let mut worst: Option<(Estimate, &Afterglow)> = None;
    let unit = if gain.is_some() { "e-" } else { "ADU" };
    if campaign.afterglow.is_empty() {
        let why = "darks right after a saturated frame are needed, and darks of the same exposure before it";
        out.push(Measure::none("persistence", unit, METHOD, why));
        return (out, Vec::new(), None);
    }
    for seen in &campaign.afterglow {
        let parts =
            Parts::of(&campaign.grid, None, |block, lane| (lane == 0).then(|| seen.blocks[block]));
        let [_, full, _, rest] = parts.without(None);
        let named = |m: Measure| {
            let frames = [&seen.lit, &seen.dark].into_iter().chain(&seen.others).cloned();
            m.at(seen.temp_c, Some(seen.exposure_s)).from(frames)
        };
        if full < FEW_PIXELS {
            let why = format!("{full:.0} pixels of {} were saturated", seen.lit);
            out.push(named(Measure::none("persistence", unit, METHOD, &why)));
            continue;
        }
        let alone = rest < FEW_OTHERS * full;
        let of = |without| {
            let [sum, n, others, m] = parts.without(without);
            sum / n - if alone { 0.0 } else { others / m }
        };
        let Some(found) = Estimate::of_parts(campaign.grid.parts(), of) else { continue };
        // Levels scatter from frame to frame; those of pixels beside each other do so together.
        let found = match alone {
            true => {
                let scatter = campaign.level_scatter(|_| true);
                found.with_error(scatter.sd_adu, scatter.freedom)
            }
            false => found,
        };
        let value = gain.map_or(found, |g| found.product(g));
        let told = value.low() > 0.0;
        let method = if alone { ALL_METHOD } else { METHOD };
        let waited =
            format!("begun {:.0} s after the saturated frame, {full:.0} pixels", seen.wait_s);
        let why = if told { waited } else { format!("not told from zero; {waited}") };
        out.push(named(Measure::of("persistence", value, unit, method)).but(why));
        points.push([seen.wait_s + 0.5 * seen.exposure_s, value.value, value.error]);
        if told && worst.as_ref().is_none_or(|(w, _)| value.value > w.value) {
            worst = Some((value, seen));
        }
    }
    let finding = worst.map(|(value, seen)| {
        let message = format!(
            "pixels that were saturated hold {:.2} ({:.2} to {:.2}) {unit} more than others in a dark of {} s \
             begun {:.0} s later",
            value.value,
            value.low(),
            value.high(),
            seen.exposure_s,
            seen.wait_s
        );
        Finding::new("sensor-persistence", Severity::Info, seen.dark.clone(), message)
            .hint("Take darks before flats, or wait; dither lights, so that bright stars leave no traces.")
            .with("residual", value.value)
            .with("wait_s", seen.wait_s)
    });
    points.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let series = Series {
        plot: "persistence".to_owned(),
        label: "pixels that were full".to_owned(),
        points,
    };
    (out, vec![series], finding)
}
