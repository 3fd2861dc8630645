//! All questions asked, one after another.

use std::collections::BTreeMap;

use super::advice::{advice, missing};
use super::amplifiers::amplifiers;
use super::bias::{bias, read_noise_adu};
use super::campaign::Campaign;
use super::dark_current::dark_current;
use super::estimate::Estimate;
use super::interference::interference;
use super::linearity::{Linear, linearity, single_pixels};
use super::measure::{Measure, SENSOR_SCHEMA, SensorReport};
use super::neighbours::neighbours;
use super::normality::normality;
use super::persistence::persistence;
use super::pixel_maps::pixel_maps;
use super::profiles::{profiles, spectra};
use super::published::far_from_published;
use super::set::CLIPPED;
use super::shutter::shutter;
use super::temperature::temperature;
use super::transfer::transfer;
use crate::Finding;
use crate::finding::{Severity, first_and_more};

/// A gain that differs from the header's by more than this share contradicts it.
const GAIN_DIFFERS: f64 = 0.03;

/// That biases clip.
fn clipped_biases(campaign: &Campaign) -> Option<Finding> {
    let (set, share) = campaign
        .biases()
        .into_iter()
        .map(|s| (s, s.share_at_ends()))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|(_, share)| *share > CLIPPED)?;
    let message = format!(
        "{:.1} % of the samples of biases stand at an end of the converter's range: read noise comes out too \
         small",
        100.0 * share
    );
    let subject = first_and_more(&set.frames[0].name, set.frames.len());
    let finding = Finding::new("sensor-clipped", Severity::Warning, subject, message);
    Some(finding.hint("Raise the offset, and take biases anew.").with("share", share))
}

/// One question to a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Electrons per ADU, full well, the converter.
    Gain,
    /// Read noise and all else that biases tell.
    ReadNoise,
    /// Dark current.
    DarkCurrent,
    /// Linearity.
    Linearity,
    /// Doubling temperature.
    Temperature,
    /// Periodic patterns.
    Interference,
}

impl Question {
    /// Whether a measure answers it.
    pub fn is_answered_by(self, name: &str) -> bool {
        let of: &[&str] = match self {
            Self::Gain => &[
                "gain",
                "brighter",
                "a10",
                "a01",
                "pair_",
                "transfer_",
                "response_",
                "full_well",
                "saturation",
                "adc_",
                "missing_codes",
                "prnu",
                "lamp",
            ],
            Self::ReadNoise => &[
                "read_noise",
                "bias_",
                "row_",
                "column_",
                "fixed_",
                "telegraph",
                "noisy",
                "overscan",
                "offset_",
            ],
            Self::DarkCurrent => &["dark_current", "amp_glow", "level_", "dsnu", "persistence"],
            Self::Linearity => {
                &["linearity", "shutter", "lamp", "flat_level", "nonlinear_", "lawless_"]
            }
            Self::Temperature => &["doubling", "activation", "dark_current_predicted"],
            Self::Interference => &["interference"],
        };
        of.iter().any(|start| name.starts_with(start))
    }
}

/// Gain in e-/ADU and read noise in e- by pairs of flats and of biases alone; `None` where they do not tell
/// both.
pub fn noise_of_pairs(campaign: &Campaign) -> Option<(Estimate, f64)> {
    let gain = transfer(campaign).gain.filter(|g| g.value > 0.0 && g.value.is_finite())?;
    let read_adu = read_noise_adu(campaign).filter(|r| r.value > 0.0 && r.value.is_finite())?;
    Some((gain, read_adu.value * gain.value))
}

/// Measures everything that the frames of a campaign tell; `sky_e_s` is the sky in electrons a second a
/// pixel, for advice.
pub fn measure(
    campaign: &Campaign,
    (camera, set_up): (Option<String>, BTreeMap<String, String>),
    sky_e_s: Option<f64>,
) -> SensorReport {
    let flats = transfer(campaign);
    let by_header = campaign.header_noise.0;
    let header = by_header.map(|g| Estimate::known(g, 0.0));
    let gain = flats.gain.or(header);
    let (biases, bias_series) = bias(campaign, gain);
    let dark = dark_current(campaign, gain, flats.full_adu);
    let (temps, temp_series) = temperature(&dark, gain);
    let Linear { measures: linear, series: linear_series, curves, steady, findings: doubts } =
        linearity(campaign, flats.full_adu);
    let open = shutter(campaign, steady.as_ref(), &curves);
    let (tones, tone_series, tone_findings) =
        interference(campaign, (read_noise_adu(campaign), gain));
    let mut findings: Vec<Finding> = Vec::new();
    if let Some((found, said)) = flats.gain.zip(by_header)
        && (found.value / said - 1.0).abs()
            > GAIN_DIFFERS.max(2.0 * found.half_width() / found.value)
    {
        let message = format!(
            "the headers say {said} e-/ADU, the flats {:.3} ({:.3} to {:.3})",
            found.value,
            found.low(),
            found.high()
        );
        findings.push(
            Finding::new(
                "sensor-gain-differs",
                Severity::Warning,
                camera.clone().unwrap_or_default(),
                message,
            )
            .hint("Use the measured gain: --gain and --read-noise, or the camera's profile.")
            .with("header", said)
            .with("measured", found.value),
        );
    }
    if flats.gain.is_none()
        && let Some(said) = by_header
    {
        let message =
            format!("no flats tell the gain; electrons are by the headers' {said} e-/ADU");
        findings.push(Finding::new(
            "sensor-gain-by-header",
            Severity::Info,
            camera.clone().unwrap_or_default(),
            message,
        ));
    }
    findings.extend(clipped_biases(campaign));
    findings.extend(flats.findings);
    findings.extend(dark.findings.iter().cloned());
    findings.extend(tone_findings);
    findings.extend(doubts);
    let (gaussian, odd_pairs) = normality(campaign);
    let (pixels, pixel_series) = single_pixels(campaign);
    let (held, held_series, held_finding) = persistence(campaign, gain);
    findings.extend(odd_pairs);
    findings.extend(held_finding);
    findings.extend(open.finding);
    let mut measures: Vec<Measure> = flats.measures;
    if flats.gain.is_some() {
        measures.extend(neighbours(campaign, flats.most_adu));
    }
    measures.extend(gaussian);
    measures.extend(campaign.codes.measures());
    measures.extend(biases);
    measures.extend(dark.measures.iter().cloned());
    measures.extend(temps);
    measures.extend(linear);
    measures.extend(open.measures);
    measures.extend(pixels);
    measures.extend(held);
    measures.extend(tones);
    let advised = advice(campaign, &measures, sky_e_s);
    measures.extend(advised);
    let missing = missing(campaign, &measures);
    let (each, each_series) = amplifiers(campaign);
    measures.extend(each);
    let known = (camera.as_deref(), &set_up);
    findings.extend(far_from_published(known, &measures, campaign.codes.step() as f64));
    let mut series = flats.series;
    for more in [
        bias_series,
        dark.series,
        temp_series,
        linear_series,
        open.series,
        tone_series,
        pixel_series,
        held_series,
        each_series,
        profiles(campaign),
        spectra(campaign),
    ] {
        series.extend(more);
    }
    SensorReport {
        schema: SENSOR_SCHEMA.to_owned(),
        camera,
        set_up,
        measures,
        missing,
        findings,
        series,
        curves,
        maps: pixel_maps(campaign).into_iter().chain(open.map).collect(),
    }
}
