//! Each amplifier by itself.

use super::bias::bias;
use super::campaign::Campaign;
use super::dark_current::dark_current;
use super::estimate::Estimate;
use super::linearity::linearity;
use super::measure::{Measure, Series};
use super::transfer::transfer;

/// What is told of each amplifier.
const TOLD: [&str; 12] = [
    "gain",
    "read_noise",
    "read_noise_adu",
    "bias_level",
    "overscan_level",
    "full_well",
    "saturation",
    "prnu",
    "dark_current",
    "linearity_error_min",
    "linearity_error_max",
    "linearity_max",
];

/// Measures what each amplifier reads as if it were a sensor of its own; nothing where one reads all.
pub fn amplifiers(campaign: &Campaign) -> (Vec<Measure>, Vec<Series>) {
    let (mut out, mut series) = (Vec::new(), Vec::new());
    for amplifier in 0..campaign.grid.amplifiers.len() {
        let Some(own) = campaign.of_amplifier(amplifier) else { continue };
        let flats = transfer(&own);
        let header = campaign.header_noise.0.map(|g| Estimate::known(g, 0.0));
        let gain = flats.gain.or(header);
        let mut measures = flats.measures;
        measures.extend(bias(&own, gain).0);
        let mut darks = dark_current(&own, gain, flats.full_adu).measures;
        // Of the ways to a dark current the first of each temperature is the one to use.
        darks.retain(|m| m.name == "dark_current" && m.exposure_s.is_none() && m.unit == "e-/s");
        darks.dedup_by(|later, first| later.temp_c == first.temp_c);
        measures.extend(darks);
        measures.extend(linearity(&own, flats.full_adu).measures);
        let told = |m: &Measure| {
            m.channel.is_none() && m.value.is_some() && TOLD.contains(&m.name.as_str())
        };
        measures.retain(told);
        out.extend(measures.into_iter().map(|m| m.of_amplifier(amplifier)));
        let transfer = flats.series.into_iter().find(|s| s.plot == "photon_transfer");
        series.extend(transfer.map(|s| Series {
            plot: "photon_transfer_amplifiers".to_owned(),
            label: format!("amplifier {amplifier}"),
            ..s
        }));
    }
    (out, series)
}
