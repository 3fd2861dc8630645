//! What a capture program writes about a frame, in the dialect of N.I.N.A.

use photosite_pix::{Applied, Card, FrameKind, Gain, Header, Metadata, RowOrder};

use crate::{Effects, FramePlan, Night};

/// Days from 1970-01-01 to the day of the night, 2026-01-15.
const NIGHT_DAY: i64 = 20_468;
/// The night begins at 20:00 UTC.
const NIGHT_START_S: f64 = 20.0 * 3600.0;
const SOFTWARE: &str = "Photosite simulate";
const READOUT_MODE: &str = "Default";

/// The date of the instant `start_s` into the night, UTC, in thousandths of a second.
fn date_obs(start_s: f64) -> String {
    let total_ms = ((NIGHT_START_S + start_s) * 1000.0 + 0.5) as i64;
    let (day, ms) = (NIGHT_DAY + total_ms / 86_400_000, total_ms % 86_400_000);
    // Civil date from days: Richards2013, Explanatory Supplement, section 15.11, Gregorian.
    let f = day + 2_440_588 + 1401 + (((4 * (day + 2_440_588) + 274_277) / 146_097) * 3) / 4 - 38;
    let e = 4 * f + 3;
    let h = 5 * ((e % 1461) / 4) + 2;
    let (d, m) = ((h % 153) / 5 + 1, (h / 153 + 2) % 12 + 1);
    let y = e / 1461 - 4716 + (14 - m) / 12;
    let (s, ms) = (ms / 1000, ms % 1000);
    format!("{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
}

fn image_type(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Bias => "BIAS",
        FrameKind::Dark => "DARK",
        FrameKind::DarkFlat => "DARKFLAT",
        FrameKind::Flat => "FLAT",
        FrameKind::Light => "LIGHT",
    }
}

/// What the frame's header will say, typed.
///
/// The temperature is rounded as the camera's thermometer does: to tenths of a degree, or to whole
/// degrees without a cooler.
pub(crate) fn metadata(night: &Night, plan: &FramePlan) -> Metadata {
    let sensor = &night.sensor;
    let steps = if sensor.cooled { 10.0 } else { 1.0 };
    let lit = matches!(plan.kind, FrameKind::Light | FrameKind::Flat);
    Metadata {
        kind: Some(plan.kind),
        exposure_s: Some(plan.exposure_s),
        temp_c: Some((plan.temp_c * steps + 0.5).floor() / steps),
        set_temp_c: sensor.cooled.then_some(night.asked_c(plan.kind)),
        gain_setting: Some(sensor.gain_setting as f64),
        offset_setting: sensor.offset_setting.map(|o| o as f64),
        gain_e_per_adu: Gain::new(sensor.gain_e_per_adu),
        read_noise_e: Some(sensor.measured_read_noise_e(night.effects)),
        filter: night.filter.clone().filter(|_| lit),
        binning: Some((1, 1)),
        cfa: sensor.colors(night.effects),
        row_order: Some(RowOrder::TopDown),
        readout_mode: Some(READOUT_MODE.to_owned()),
        camera: Some(format!("Photosite Simulated {}", night.camera)),
        telescope: Some(night.telescope.clone()),
        focal_length_mm: Some(night.focal_length_mm),
        pixel_um: Some((sensor.pixel_um, sensor.pixel_um)),
        date_obs: Some(date_obs(plan.start_s)),
        object: (plan.kind == FrameKind::Light).then(|| night.object.clone()),
        saturation_adu: night
            .effects
            .contains(Effects::QUANTISATION)
            .then(|| sensor.saturation_adu()),
        applied: Applied::empty(),
        software: Some(SOFTWARE.to_owned()),
        ..Metadata::default()
    }
}

/// The cards of a frame, without the structural ones that its file will need.
pub(crate) fn header(night: &Night, plan: &FramePlan, meta: &Metadata) -> Header {
    let mut h = Header::new();
    let real = |h: &mut Header, key: &str, value: Option<f64>, comment: &str| {
        if let Some(v) = value {
            h.push(Card::real(key, v, comment));
        }
    };
    let text = |h: &mut Header, key: &str, value: Option<&str>, comment: &str| {
        if let Some(v) = value {
            h.set_text(key, v, comment);
        }
    };
    text(&mut h, "IMAGETYP", Some(image_type(plan.kind)), "Type of exposure");
    real(&mut h, "EXPOSURE", meta.exposure_s, "[s] Exposure duration");
    real(&mut h, "EXPTIME", meta.exposure_s, "[s] Exposure duration");
    text(&mut h, "DATE-OBS", meta.date_obs.as_deref(), "Start of exposure (UTC)");
    h.push(Card::integer("XBINNING", 1, "X axis binning factor"));
    h.push(Card::integer("YBINNING", 1, "Y axis binning factor"));
    h.push(Card::integer("GAIN", night.sensor.gain_setting, "Sensor gain setting"));
    if let Some(offset) = night.sensor.offset_setting {
        h.push(Card::integer("OFFSET", offset, "Sensor offset setting"));
    }
    real(&mut h, "EGAIN", Some(night.sensor.gain_e_per_adu), "[e-/ADU] Electrons per ADU");
    real(&mut h, "RDNOISE", meta.read_noise_e, "[e-] Read noise, rounding included");
    real(&mut h, "XPIXSZ", Some(night.sensor.pixel_um), "[um] Pixel X axis size");
    real(&mut h, "YPIXSZ", Some(night.sensor.pixel_um), "[um] Pixel Y axis size");
    text(&mut h, "INSTRUME", meta.camera.as_deref(), "Imaging instrument name");
    real(&mut h, "SET-TEMP", meta.set_temp_c, "[degC] CCD temperature setpoint");
    real(&mut h, "CCD-TEMP", meta.temp_c, "[degC] CCD temperature");
    if let Some(cfa) = meta.cfa {
        text(&mut h, "BAYERPAT", Some(&cfa.to_string()), "Sensor Bayer pattern");
        h.push(Card::integer("XBAYROFF", 0, "Bayer pattern X axis offset"));
        h.push(Card::integer("YBAYROFF", 0, "Bayer pattern Y axis offset"));
    }
    text(&mut h, "READOUTM", meta.readout_mode.as_deref(), "Sensor readout mode");
    real(&mut h, "DATAMAX", meta.saturation_adu, "[ADU] Saturation level");
    real(&mut h, "SATURATE", meta.saturation_adu, "[ADU] Saturation level");
    text(&mut h, "TELESCOP", meta.telescope.as_deref(), "Name of telescope");
    real(&mut h, "FOCALLEN", meta.focal_length_mm, "[mm] Focal length");
    text(&mut h, "FILTER", meta.filter.as_deref(), "Active filter name");
    text(&mut h, "OBJECT", meta.object.as_deref(), "Name of the object of interest");
    text(&mut h, "ROWORDER", Some("TOP-DOWN"), "FITS image orientation");
    text(&mut h, "SWCREATE", meta.software.as_deref(), "Software that created this file");
    h
}

#[cfg(test)]
mod tests {
    use super::date_obs;

    #[test]
    fn dates_advance_over_midnight_and_month() {
        assert_eq!(date_obs(0.0), "2026-01-15T20:00:00.000");
        assert_eq!(date_obs(4.0 * 3600.0 + 63.25), "2026-01-16T00:01:03.250");
        assert_eq!(date_obs(17.0 * 86_400.0), "2026-02-01T20:00:00.000");
        assert_eq!(date_obs(350.0 * 86_400.0), "2026-12-31T20:00:00.000");
    }
}
