//! The cards of a camera raw file: what the camera wrote, in the words of FITS.

use photosite_file::fits::header_of;
use photosite_pix::{Card, Header};
use rawler::exif::Exif;
use rawler::formats::tiff::Rational;

use crate::facts::Facts;

/// Makes the header.
pub(crate) fn header(facts: &Facts) -> Header {
    let mut h = Header::new();
    let sensor = &facts.sensor;
    if !sensor.camera.is_empty() {
        h.set_text("INSTRUME", &sensor.camera, "camera");
    }
    let exif = &facts.exif;
    // A camera that does not know writes 0; none exposes for no time.
    if let Some(s) = exif.exposure_time.and_then(number).filter(|s| *s > 0.0) {
        h.push(Card::real("EXPTIME", s, "[s] exposure"));
    }
    if let Some(iso) = iso(exif) {
        h.push(Card::integer("ISOSPEED", iso, "ISO number, the gain setting"));
    }
    if let Some((local, utc)) = dates(exif) {
        h.push(Card::string("DATE-LOC", &local, "start by the camera's clock"));
        if let Some(utc) = utc {
            h.push(Card::string("DATE-OBS", &utc, "start, UTC"));
        }
    }
    if let Some(temp_c) = facts.temp_c {
        h.push(Card::real("CCD-TEMP", temp_c, "[C] camera temperature, from the maker note"));
    }
    if let Some(mm) = exif.focal_length.and_then(number).filter(|v| *v > 0.0) {
        h.push(Card::real("FOCALLEN", mm, "[mm] focal length"));
    }
    if let Some(cfa) = sensor.cfa {
        h.push(Card::string("BAYERPAT", &cfa.to_string(), "over the first pixel of the sensor"));
    }
    h.push(Card::string("ROWORDER", "TOP-DOWN", "as read out"));
    if let Some(a) = sensor.active {
        let section = format!("[{}:{},{}:{}]", a.x0 + 1, a.x1, a.y0 + 1, a.y1);
        h.push(Card::string("TRIMSEC", &section, "sees light; the rest is masked"));
    }
    let black = &sensor.black_adu;
    if let Some(first) = black.first() {
        if black.iter().all(|v| v == first) {
            h.push(Card::real("BLACK", *first, "[adu] black level, not subtracted"));
        } else {
            for (i, level) in black.iter().take(9).enumerate() {
                let key = format!("BLACK{}", i + 1);
                h.push(Card::real(&key, *level, "[adu] black level, not subtracted"));
            }
        }
    }
    if let Some(white) = sensor.white_adu.filter(|v| *v > 0.0) {
        h.push(Card::real("SATURATE", white, "[adu] white level"));
    }
    h.push_comment("Cards made from the camera's own raw file.");
    header_of(facts.bitpix, facts.size, 1, &h)
}

fn number(r: Rational) -> Option<f64> {
    (r.d != 0).then(|| f64::from(r.n) / f64::from(r.d))
}

/// The ISO number; 0 and the largest of 16 bits, which stands for "more", are none.
fn iso(exif: &Exif) -> Option<i64> {
    let short = exif.iso_speed_ratings.filter(|&v| v != u16::MAX).map(u32::from);
    let found = [short, exif.iso_speed, exif.recommended_exposure_index];
    found.into_iter().flatten().find(|&v| v > 0).map(i64::from)
}

/// Start of the exposure by the camera's clock, and in UTC where the zone is known.
fn dates(exif: &Exif) -> Option<(String, Option<String>)> {
    let text = exif.date_time_original.as_ref().or(exif.create_date.as_ref())?;
    let (day, time) = text.trim().trim_end_matches('\0').split_once(' ')?;
    let fraction: String = exif
        .sub_sec_time_original
        .iter()
        .flat_map(|s| s.trim().chars())
        .take_while(char::is_ascii_digit)
        .take(3)
        .collect();
    let point = if fraction.is_empty() { "" } else { "." };
    let text = format!("{}T{}{point}{fraction}", day.replace(':', "-"), time.trim());
    let local: jiff::civil::DateTime = text.parse().ok()?;
    let zone = exif.offset_time_original.as_ref().or(exif.offset_time.as_ref());
    let utc = zone
        .and_then(|z| minutes(z))
        .and_then(|m| local.checked_sub(jiff::Span::new().minutes(m)).ok().map(|d| d.to_string()));
    Some((local.to_string(), utc))
}

/// A zone such as `+02:00` in minutes east.
fn minutes(zone: &str) -> Option<i64> {
    let zone = zone.trim().trim_end_matches('\0');
    let (sign, rest) = match zone.as_bytes().first()? {
        b'+' => (1, &zone[1..]),
        b'-' => (-1, &zone[1..]),
        _ => return None,
    };
    let (h, m) = rest.split_once(':')?;
    let (h, m) = (h.parse::<i64>().ok()?, m.parse::<i64>().ok()?);
    (h <= 14 && m < 60).then_some(sign * (h * 60 + m))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_of_exif() {
        let mut exif = Exif {
            date_time_original: Some("2026:11:20 23:30:05".into()),
            sub_sec_time_original: Some("12 ".into()),
            ..Exif::default()
        };
        assert_eq!(dates(&exif), Some(("2026-11-20T23:30:05.12".into(), None)));
        exif.offset_time_original = Some("-07:00".into());
        assert_eq!(dates(&exif).unwrap().1.as_deref(), Some("2026-11-21T06:30:05.12"));
        exif.date_time_original = Some("0000:00:00 00:00:00".into());
        assert_eq!(dates(&exif), None);
        exif.iso_speed_ratings = Some(u16::MAX);
        exif.recommended_exposure_index = Some(102_400);
        assert_eq!(iso(&exif), Some(102_400));
        assert_eq!(number(Rational { n: 30, d: 0 }), None);
        assert_eq!(number(Rational { n: 1, d: 4 }), Some(0.25));
    }
}
