//! Periodic patterns that come from outside of the sensor.

use super::campaign::Campaign;
use super::estimate::Estimate;
use super::measure::{Measure, Series};
use crate::Finding;
use crate::finding::{Severity, first_and_more};

/// Tones that noise makes in fewer than one of so many sets are told.
pub const CHANCE: f64 = 1e-5;
/// Weaker tones than this share of the read noise are not seen in a picture.
const SEEN: f64 = 0.1;
/// As many tones are told one by one.
pub const MOST_TONES: usize = 8;

const METHOD: &str = "peaks of the power spectrum of differences of biases";

/// Measures the tones of a campaign's biases.
pub fn interference(
    campaign: &Campaign,
    (read_adu, gain): (Option<Estimate>, Option<Estimate>),
) -> (Vec<Measure>, Vec<Series>, Vec<Finding>) {
    let (mut out, mut findings) = (Vec::new(), Vec::new());
    let names = campaign.tone_frames.clone();
    if names.len() < 2 {
        out.push(Measure::none("interference", "e-", METHOD, "two biases are needed"));
        return (out, Vec::new(), findings);
    }
    let unit = if gain.is_some() { "e-" } else { "ADU" };
    let factor = gain.map_or(1.0, |g| g.value);
    if campaign.tones.is_empty() {
        let none = Measure::of("interference", Estimate::known(0.0, 0.0), unit, METHOD);
        out.push(none.but("no tone that chance would not make").from(names.clone()));
    }
    for tone in &campaign.tones {
        let period = 1.0 / tone.x_per_px.hypot(tone.y_per_px);
        let angle = tone.y_per_px.atan2(tone.x_per_px).to_degrees();
        let amplitude = Estimate::known(tone.amplitude * factor, 0.1 * tone.amplitude * factor);
        let why = format!(
            "{:.5} cycles a pixel along x, {:.5} along y: a period of {period:.2} pixels at {angle:.1} \
             degrees; noise makes such a peak with a chance of {:.0e}",
            tone.x_per_px, tone.y_per_px, tone.chance
        );
        out.push(Measure::of("interference", amplitude, unit, METHOD).but(why).from(names.clone()));
    }
    if let Some(tone) = campaign.tones.first() {
        let message = format!(
            "biases hold a periodic pattern of {:.2} {unit}, {:.4} cycles a pixel along x and {:.4} along y, \
             and {} more",
            tone.amplitude * factor,
            tone.x_per_px,
            tone.y_per_px,
            campaign.tones.len() - 1
        );
        let seen = read_adu.is_none_or(|r| tone.amplitude > SEEN * r.value);
        findings.push(
            Finding::new(
                "sensor-interference",
                if seen { Severity::Warning } else { Severity::Info },
                first_and_more(&names[0], names.len()),
                message,
            )
            .hint(
                "Something near the camera radiates: move power supplies, dew heaters and USB cables, or \
                 put ferrites on them, and measure again.",
            )
            .with("x_per_px", tone.x_per_px)
            .with("y_per_px", tone.y_per_px)
            .with("amplitude_adu", tone.amplitude),
        );
    }
    let points = campaign.tones.iter().map(|t| [t.x_per_px, t.amplitude * factor, 0.0]).collect();
    let series = Series { plot: "tones".to_owned(), label: "tones".to_owned(), points };
    (out, vec![series], findings)
}
