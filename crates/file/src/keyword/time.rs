//! When, and for how long.

use jiff::civil::DateTime;
use photosite_pix::{Header, Metadata};

use super::{Note, Rule, number, quantity};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "exposure-seconds",
        field: "exposure_s",
        about: "EXPTIME, EXPOSURE, XPOSURE, TELAPSE or DARKTIME holds seconds, or what the unit in a \
                text ('60,0 ms') or the comment says: ms, us, minutes.",
        read: exposure_seconds,
    },
    Rule {
        name: "exposure-microseconds",
        field: "exposure_s",
        about: "EXPOINUS, EXPTUS, EXPUS or EXP-US holds microseconds (ASICAP and SDK drivers).",
        read: exposure_microseconds,
    },
    Rule {
        name: "date-obs",
        field: "date_obs",
        about: "DATE-OBS holds date and time; a zone offset is taken out; without a time of its \
                own it is joined with TIME-OBS, UT-OBS or UT; dd/mm/yy is the 20th century.",
        read: date_obs,
    },
    Rule {
        name: "date-local",
        field: "date_obs",
        about: "DATE-LOC holds the date by a clock whose zone is not known; taken as UTC where \
                nothing better is there.",
        read: date_local,
    },
    Rule {
        name: "date-from-mjd",
        field: "date_obs",
        about: "MJD-OBS, or JD minus 2400000.5, holds the start as days.",
        read: date_from_mjd,
    },
];

/// Nobody exposes longer than a day.
const LONGEST_S: f64 = 86_400.0;

/// A number that nobody's exposure is in seconds or milliseconds.
const SURELY_MICROSECONDS: f64 = 1e7;

fn exposure_seconds(header: &Header, m: &mut Metadata, notes: &mut Vec<Note>) -> bool {
    let keywords = ["EXPTIME", "EXPOSURE", "XPOSURE", "TELAPSE", "DARKTIME"];
    let Some((value, unit, keyword)) = quantity(header, &keywords) else { return false };
    if value < 0.0 {
        notes.push(Note {
            code: "exposure-negative",
            message: format!("{keyword} = {value} is no exposure; it is taken as not known"),
        });
        return false;
    }
    let comment = header.comment(keyword).to_lowercase();
    let words: Vec<&str> = comment.split(|c: char| !c.is_alphanumeric()).collect();
    let factor = match seconds(&unit) {
        Some(factor) => factor,
        None if !unit.is_empty() => return false,
        // A comment may speak of several units; the smallest is no slip of the pen.
        None if words.iter().any(|w| matches!(*w, "us" | "µs") || w.starts_with("microsec")) => {
            1e-6
        }
        None if words.iter().any(|w| *w == "ms" || w.starts_with("millisec")) => 1e-3,
        None if comment.contains("in minutes") || comment.contains("[min]") => 60.0,
        None if value >= SURELY_MICROSECONDS => {
            notes.push(Note {
                code: "exposure-beyond-days",
                message: format!(
                    "{keyword} = {value} would be months; it is taken as microseconds, {} s",
                    value * 1e-6
                ),
            });
            1e-6
        }
        None if value > LONGEST_S => {
            notes.push(Note {
                code: "exposure-beyond-days",
                message: format!(
                    "{keyword} = {value} is longer than a day, and milliseconds or microseconds \
                     would both be possible; it is taken as not known"
                ),
            });
            return false;
        }
        None => 1.0,
    };
    m.exposure_s = Some(if factor == 1e-3 { value / 1000.0 } else { value * factor });
    true
}

/// Seconds of a unit of time; `None` for what is none.
fn seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "s" | "sec" | "secs" | "second" | "seconds" | "\"" => 1.0,
        "ms" | "msec" | "millisec" | "milliseconds" => 1e-3,
        "us" | "µs" | "usec" | "microsec" | "microseconds" => 1e-6,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        _ => return None,
    })
}

fn exposure_microseconds(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    let keywords = ["EXPOINUS", "EXPTUS", "EXPUS", "EXP-US"];
    m.exposure_s = number(header, &keywords).map(|(v, _)| v * 1e-6).filter(|v| *v >= 0.0);
    m.exposure_s.is_some()
}

fn date_obs(header: &Header, m: &mut Metadata, notes: &mut Vec<Note>) -> bool {
    let Some(date) = header.get_text("DATE-OBS") else { return false };
    let time = ["TIME-OBS", "UT-OBS", "UT"].iter().find_map(|k| header.get_text(k));
    m.date_obs = parse_date(&date, time.as_deref());
    if m.date_obs.is_none() {
        notes.push(Note {
            code: "date-unreadable",
            message: format!("DATE-OBS = {date:?} is no date known here; the date is not known"),
        });
    }
    m.date_obs.is_some()
}

fn date_local(header: &Header, m: &mut Metadata, notes: &mut Vec<Note>) -> bool {
    if header.get("MJD-OBS").is_some() || header.get("JD").is_some() {
        return false;
    }
    let Some(date) = header.get_text("DATE-LOC") else { return false };
    m.date_obs = parse_date(&date, None);
    if m.date_obs.is_some() {
        notes.push(Note {
            code: "date-zone-unknown",
            message: format!("DATE-LOC = {date:?} is by the camera's clock; it is taken as UTC"),
        });
    }
    m.date_obs.is_some()
}

/// A date in UTC as `YYYY-MM-DDThh:mm:ss[.fff]`; `None` when it cannot be read.
pub(super) fn parse_date(date: &str, time: Option<&str>) -> Option<String> {
    let date = date.trim();
    if let Some(iso) = parse_iso(date) {
        return Some(iso);
    }
    let day = if date.find('/') == Some(4) {
        date.replace('/', "-")
    } else if let [d, mo, y] = date.split('/').collect::<Vec<_>>()[..] {
        // FITS 4.0 section 4.4.2: dd/mm/yy means 19yy.
        format!("{}-{:0>2}-{:0>2}", if y.len() == 2 { format!("19{y}") } else { y.into() }, mo, d)
    } else {
        date.to_owned()
    };
    let joined = match time {
        Some(t) if !t.contains('T') => format!("{day}T{}", t.trim()),
        _ => format!("{day}T00:00:00"),
    };
    parse_iso(&joined)
}

/// A date with a time, as ISO has it and as programs bend it: a blank or a small letter for the T,
/// slashes in `YYYY/MM/DD`, a comma for the point, more digits than nanoseconds have.
fn parse_iso(text: &str) -> Option<String> {
    let text =
        text.trim().trim_end_matches("UTC").trim_end().trim_end_matches(['Z', 'z']).trim_end();
    let (when, offset) = match text.rfind(['+', '-']).filter(|&p| p > 13) {
        Some(p) => (text[..p].trim_end(), &text[p..]),
        None => (text, ""),
    };
    let (day, time) = when.split_once(['T', 't', ' '])?;
    let day = if day.find('/') == Some(4) { day.replace('/', "-") } else { day.to_owned() };
    let time = time.trim().replace(',', ".");
    let time = match time.split_once('.') {
        Some((whole, part)) => format!("{whole}.{}", part.get(..9).unwrap_or(part)),
        None => time,
    };
    let time = time.trim_end_matches('.');
    let local: DateTime = format!("{day}T{time}").parse().ok()?;
    let minutes = if offset.is_empty() { 0 } else { offset_minutes(offset)? };
    let utc = local.checked_sub(jiff::Span::new().minutes(minutes)).ok()?;
    Some(utc.to_string())
}

fn offset_minutes(offset: &str) -> Option<i64> {
    let (sign, rest) = offset.split_at(1);
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = match digits.len() {
        2 => (digits.parse::<i64>().ok()?, 0),
        4 => (digits[..2].parse::<i64>().ok()?, digits[2..].parse::<i64>().ok()?),
        _ => return None,
    };
    let total = hours * 60 + minutes;
    Some(if sign == "-" { -total } else { total })
}

fn date_from_mjd(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    let mjd = header.get_f64("MJD-OBS").or_else(|| header.get_f64("JD").map(|jd| jd - 2_400_000.5));
    // 1900 to 2200: outside lies a clock that was never set.
    let Some(mjd) = mjd.filter(|v| (15_020.0..124_594.0).contains(v)) else { return false };
    let milliseconds = (mjd * 86_400_000.0).round() as i64;
    let epoch: DateTime = jiff::civil::date(1858, 11, 17).at(0, 0, 0, 0);
    m.date_obs =
        epoch.checked_add(jiff::Span::new().milliseconds(milliseconds)).ok().map(|d| d.to_string());
    m.date_obs.is_some()
}

#[cfg(test)]
mod tests {
    use super::super::{read, tests::header};
    use super::*;

    #[test]
    fn exposures() {
        let exposure = |lines: &[&str]| read(&header(lines)).metadata.exposure_s;
        assert_eq!(exposure(&["EXPTIME = 060.00 / Exposure time in Seconds"]), Some(60.0));
        assert_eq!(exposure(&["EXPTIME =  160000 / exposure time in ms"]), Some(160.0));
        assert_eq!(exposure(&["EXPOINUS=    2000"]), Some(0.002));
        for (line, expected) in [
            ("EXPTIME = '60,0    '", Some(60.0)),
            ("EXPTIME = '60.0 s  '", Some(60.0)),
            ("EXPTIME = '2,5min  '", Some(150.0)),
            ("EXPOSURE= '15000 ms'", Some(15.0)),
            ("EXPTIME = '30 apples'", None),
            ("EXPTIME = 32000 / [us] exposure", Some(0.032)),
            ("EXPTIME = 0.5 / exposure in minutes", Some(30.0)),
            ("EXP-US  = 1500000", Some(1.5)),
        ] {
            assert_eq!(exposure(&[line]), expected, "{line}");
        }
        assert_eq!(exposure(&["EXPOSURE= 60000000"]), Some(60.0));
        assert_eq!(exposure(&["EXPOSURE= 500000"]), None);
        assert_eq!(exposure(&["EXPTIME = 7200"]), Some(7200.0));
        assert_eq!(exposure(&["EXPTIME =  -1"]), None);
        assert_eq!(exposure(&["EXPTIME =  nan", "EXPOSURE= 30."]), Some(30.0));
    }

    #[test]
    fn dates() {
        let date = |d: &str, t| parse_date(d, t).unwrap_or_default();
        assert_eq!(date("2025-06-02T04:10:14.288", None), "2025-06-02T04:10:14.288");
        assert_eq!(date("2017-12-19T18:33:43.317-0700", None), "2017-12-20T01:33:43.317");
        assert_eq!(
            date("2017-09-08T22:48:01.984", Some("22:48:01.984 ")),
            "2017-09-08T22:48:01.984"
        );
        assert_eq!(date("2013-07-13", Some("00:57:33")), "2013-07-13T00:57:33");
        assert_eq!(date("09/12/96", Some("11:56:26")), "1996-12-09T11:56:26");
        assert_eq!(date("2024-01-01T00:00:00Z", None), "2024-01-01T00:00:00");
        for (text, expected) in [
            ("2026-01-15 20:00:00", "2026-01-15T20:00:00"),
            ("2026-01-15t20:00:00.5", "2026-01-15T20:00:00.5"),
            ("2026/01/15 20:00:00", "2026-01-15T20:00:00"),
            ("2026-01-15T20:00:00.123456789012", "2026-01-15T20:00:00.123456789"),
            ("2026-01-15T20:00:00,25", "2026-01-15T20:00:00.25"),
            ("2026-01-15 20:00:00.241 UTC", "2026-01-15T20:00:00.241"),
            ("2026-01-15 20:00:00 +02:00", "2026-01-15T18:00:00"),
            ("2026-01-15T20:00:00.123456789012+0100", "2026-01-15T19:00:00.123456789"),
            ("2026/01/15", "2026-01-15T00:00:00"),
        ] {
            assert_eq!(date(text, None), expected, "{text}");
        }
        assert_eq!(
            date("2026/01/15", Some("20:00:00.123456789012")),
            "2026-01-15T20:00:00.123456789"
        );
        for text in ["yesterday", "15.01.2026 20:00", "2026-13-01T00:00:00", "2026-01-15 later", ""]
        {
            assert_eq!(parse_date(text, None), None, "{text}");
        }
        let r = read(&header(&["DATE-LOC= '2026-11-20T23:30:05'"]));
        assert_eq!(r.metadata.date_obs.as_deref(), Some("2026-11-20T23:30:05"));
        assert_eq!(r.notes[0].code, "date-zone-unknown");
        let m = read(&header(&["MJD-OBS = 58107.0651"])).metadata;
        assert_eq!(m.date_obs.as_deref(), Some("2017-12-20T01:33:44.64"));
    }
}
