//! What follows from a sensor's numbers.

use photosite_pix::FrameKind;

use super::campaign::Campaign;
use super::estimate::Estimate;
use super::measure::{Measure, MissingFrames};

/// Fewer pixels than this may clip at zero.
const CLIPPED: f64 = 1e-4;
/// The normal deviate that one in 10 000 lies below.
const CLIPPED_SIGMAS: f64 = 3.719;
/// Sky noise swamps read noise where read noise adds so little to both together.
const SWAMPED: f64 = 0.05;

/// Advice from what was measured; `sky_e_s` is the sky in electrons a second a pixel, where it is known.
pub fn advice(campaign: &Campaign, measures: &[Measure], sky_e_s: Option<f64>) -> Vec<Measure> {
    let mut out = Vec::new();
    let first = |name: &str, unit: &str| {
        measures.iter().find(|m| m.name == name && m.unit == unit && m.valid && m.is_of_all())
    };
    let read = first("read_noise", "e-");
    let read_adu = first("read_noise_adu", "ADU");
    let pattern = first("fixed_pattern", "ADU").and_then(|m| m.value).unwrap_or(0.0);
    if let Some((noise, level)) = read_adu.zip(first("bias_level", "ADU"))
        && let Some((sigma, mean)) = noise.value.zip(level.value)
    {
        let spread = sigma.hypot(pattern);
        let needed = CLIPPED_SIGMAS * spread;
        let spare = Estimate::known(mean - needed, spread * 0.05);
        let method =
            "bias level less 3.72 standard deviations of its pixels: fewer than 1 in 10 000 clip";
        let measure =
            Measure::of("offset_to_spare", spare, "ADU", method).from(level.frames.clone());
        let clipped = campaign.codes.at_zero() > CLIPPED || mean < needed;
        out.push(if clipped {
            measure.but("pixels clip at zero: raise the offset")
        } else {
            measure
        });
    }
    if let Some((read, noise)) = read.and_then(|m| Some((m, m.estimate()?))) {
        // Read noise adds a share s to the noise of the sky alone where sky = R^2 / ((1 + s)^2 - 1).
        let sky_e = noise.value.powi(2) / ((1.0 + SWAMPED).powi(2) - 1.0);
        let error = 2.0 * noise.error / noise.value * sky_e;
        let method = "sky in a frame from which read noise adds less than 5 % to the noise";
        let sky = Estimate::known(sky_e, error);
        out.push(Measure::of("sky_to_swamp", sky, "e-", method).from(read.frames.clone()));
        if let Some(rate) = sky_e_s.filter(|r| *r > 0.0) {
            let method =
                "exposure from which read noise adds less than 5 % to the noise of this sky";
            let measure = Measure::of("exposure_to_swamp", sky.times(1.0 / rate), "s", method);
            out.push(measure.from(read.frames.clone()));
            out.extend(cooling(measures, rate));
        }
    }
    if let Some(linear) = first("linearity_max", "ADU")
        && let Some(value) = linear.value
    {
        let method = "two thirds of the highest level that is linear within 1 %, above the bias";
        let level = Estimate::known(value * 2.0 / 3.0, 0.0);
        out.push(Measure::of("flat_level", level, "ADU", method).from(linear.frames.clone()));
    }
    out
}

/// The temperature below which cooling buys nothing: there dark current adds 5 % to the sky's noise.
fn cooling(measures: &[Measure], sky_e_s: f64) -> Option<Measure> {
    let named = |name: &str| measures.iter().find(|m| m.name == name && m.valid && m.is_of_all());
    let doubling = named("doubling_temp")?.value?;
    let known = measures.iter().find(|m| {
        m.name == "dark_current"
            && m.unit == "e-/s"
            && m.valid
            && m.is_of_all()
            && m.temp_c.is_some()
    })?;
    let (rate, temp_c) = (known.value.filter(|r| *r > 0.0)?, known.temp_c?);
    let wanted = sky_e_s * ((1.0 + SWAMPED).powi(2) - 1.0);
    let at = temp_c + doubling * (wanted / rate).log2();
    let method = "temperature at which dark current adds 5 % to the noise of this sky";
    Some(Measure::of("cooling_enough", Estimate::known(at, doubling * 0.1), "C", method))
}

/// Frames that would tell more.
pub fn missing(campaign: &Campaign, measures: &[Measure]) -> Vec<MissingFrames> {
    let mut out = Vec::new();
    let mut ask = |measure: &str, take: &str| {
        out.push(MissingFrames { measure: measure.to_owned(), take: take.to_owned() });
    };
    let pairs =
        |kind: FrameKind| -> usize { campaign.of(kind).map(|s| s.noise_pairs().count()).sum() };
    let has = |name: &str| measures.iter().any(|m| m.name == name && m.valid);
    if pairs(FrameKind::Bias) == 0 {
        ask("read_noise", "20 biases: the shortest exposure, in the dark");
    }
    if pairs(FrameKind::Flat) == 0 {
        ask("gain", "two flats of one exposure at about half of saturation");
    } else if !has("gain") {
        ask(
            "gain",
            "two flats at about half of saturation: those there are too faint, or saturated",
        );
    }
    let dark_pairs = pairs(FrameKind::Dark);
    if dark_pairs == 0 {
        ask(
            "dark_current",
            "two or more darks of 60 s and of 600 s at the temperature of the lights",
        );
    }
    let exposures = campaign.darks_by_temp().iter().map(Vec::len).max().unwrap_or(0);
    if dark_pairs > 0 && exposures < 2 {
        ask(
            "dark_current",
            "darks of a second exposure, five times as long or as short, at the same temperature",
        );
    }
    if !has("doubling_temp") {
        ask("doubling_temp", "darks of the same exposures at a second temperature, 10 C away");
    }
    if !has("linearity_max") {
        ask(
            "linearity_max",
            "pairs of flats of six or more exposures under one steady lamp, the first at a twentieth of \
             saturation, the last beyond it, in the order off, on, on, off",
        );
    }
    if has("linearity_max") && !has("shutter_spread") {
        ask(
            "shutter_spread",
            "a second flat of each exposure under the steady lamp, the shortest as short as flats are taken",
        );
    }
    if !has("full_well") && !has("saturation") {
        ask("full_well", "two flats that are overexposed");
    }
    if !has("telegraph_share") {
        ask("telegraph_share", "20 biases, or 20 darks of one exposure");
    }
    if !has("nonlinear_pixels") && has("gain") {
        ask(
            "nonlinear_pixels",
            "two flats each of five or more levels, from a tenth of saturation to nine",
        );
    }
    if !has("persistence") && dark_pairs > 0 {
        ask(
            "persistence",
            "five darks of a minute, one saturated flat, at once five more such darks; DATE-OBS must tell the order",
        );
    }
    // The relative error that is worst, and what halves it.
    let worst = ["gain", "read_noise", "dark_current"]
        .iter()
        .filter_map(|name| {
            let m = measures.iter().find(|m| m.name == **name && m.valid && m.is_of_all())?;
            let half = 0.5 * (m.high? - m.low?);
            Some((half / m.value?.abs().max(1e-12), *name))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((share, name)) = worst.filter(|(share, _)| *share > 0.01) {
        let count = |kind| campaign.of(kind).map(|s| s.frames.len()).sum::<usize>();
        let take = match name {
            "gain" => format!(
                "four times as many flats ({}): the error of {:.1} % halves",
                4 * count(FrameKind::Flat),
                100.0 * share
            ),
            "read_noise" => format!(
                "four times as many biases ({}): the error of {:.1} % halves",
                4 * count(FrameKind::Bias),
                100.0 * share
            ),
            _ => format!("darks twice as long: the error of {:.1} % halves", 100.0 * share),
        };
        ask(name, &take);
    }
    out
}
