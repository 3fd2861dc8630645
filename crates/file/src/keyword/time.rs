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
        name: "date-beg",
        field: "date_obs",
        about: "DATE-BEG holds date and time of the start, which DATE-OBS need not be where both are there.",
        read: date_beg,
    },
    Rule {
        name: "date-obs",
        field: "date_obs",
        about: "DATE-OBS holds date and time; a zone offset is taken out; without a time of its \
                own it is joined with that of TIME-OBS, UTC-OBS, UT-OBS, UTSTART, UTC-STAR, UT or UTC, or with \
                the seconds since midnight of TM-START or UTC; dd/mm/yy is the 20th century.",
        read: date_obs,
    },
    Rule {
        name: "date-from-mjd",
        field: "date_obs",
        about: "MJD-OBS, MJD-BEG, or JD minus 2400000.5, holds the start as days.",
        read: date_from_mjd,
    },
    Rule {
        name: "date-from-middle-or-end",
        field: "date_obs",
        about: "DATE-AVG, less half of the exposure, or DATE-END, less all of it, is the start.",
        read: date_from_middle_or_end,
    },
    Rule {
        name: "day-obs",
        field: "date_obs",
        about: "DATE-OBS holds the day alone, and nothing tells the time.",
        read: day_obs,
    },
    Rule {
        name: "date-local",
        field: "date_obs",
        about: "DATE-LOC holds the date by a clock whose zone is not known; taken as UTC where \
                nothing better is there.",
        read: date_local,
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
    let Some(found) = parse_date(&date) else {
        notes.push(Note {
            code: "date-unreadable",
            message: format!("DATE-OBS = {date:?} is no date known here; the date is not known"),
        });
        return false;
    };
    let (day, time) = found.split_once('T').unwrap_or((&found, MIDNIGHT));
    // Programs that keep the time apart leave midnight, or nothing, in its place.
    let apart = (time == MIDNIGHT).then(|| time_apart(header, day)).flatten();
    m.date_obs = apart.or(Some(found)).filter(|date| has_time(date));
    m.date_obs.is_some()
}

const MIDNIGHT: &str = "00:00:00";

/// Whether a date as [`parse_date`] gives it tells the time too.
fn has_time(date: &str) -> bool {
    date.contains('T')
}

/// The time that a card of its own tells, joined with the day as `YYYY-MM-DD`.
fn time_apart(header: &Header, day: &str) -> Option<String> {
    const TIMES: [&str; 7] = ["TIME-OBS", "UTC-OBS", "UT-OBS", "UTSTART", "UTC-STAR", "UT", "UTC"];
    let of_text = |time: String| match time.contains('T') {
        true => parse_iso(&time),
        false => {
            let two_digits = |part: &str| match part.trim() {
                part if part.find('.').unwrap_or(part.len()) < 2 => format!("0{part}"),
                part => part.to_owned(),
            };
            let time: Vec<String> = time.trim().splitn(3, ':').map(two_digits).collect();
            parse_iso(&format!("{day}T{}", time.join(":"))).filter(|_| time.len() > 1)
        }
    };
    let of_seconds = |keyword: &&str| {
        let seconds = header.get_f64(keyword).filter(|s| (0.0..LONGEST_S).contains(s))?;
        let midnight: DateTime = format!("{day}T{MIDNIGHT}").parse().ok()?;
        let time = jiff::Span::new().milliseconds((seconds * 1000.0).round() as i64);
        Some(midnight.checked_add(time).ok()?.to_string())
    };
    let texts = TIMES.iter().filter_map(|k| header.get_text(k));
    texts.filter_map(of_text).next().or_else(|| ["TM-START", "UTC"].iter().find_map(of_seconds))
}

/// The date and time that a card holds.
fn moment(header: &Header, keyword: &str) -> Option<String> {
    parse_date(&header.get_text(keyword)?).filter(|date| has_time(date))
}

fn date_beg(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    m.date_obs = moment(header, "DATE-BEG");
    m.date_obs.is_some()
}

fn date_from_middle_or_end(header: &Header, m: &mut Metadata, _: &mut Vec<Note>) -> bool {
    let Some(exposure_s) = m.exposure_s else { return false };
    let less = |keyword: &str, seconds: f64| {
        let date: DateTime = moment(header, keyword)?.parse().ok()?;
        let before = jiff::Span::new().milliseconds((seconds * 1000.0).round() as i64);
        Some(date.checked_sub(before).ok()?.to_string())
    };
    m.date_obs = less("DATE-AVG", 0.5 * exposure_s).or_else(|| less("DATE-END", exposure_s));
    m.date_obs.is_some()
}

fn day_obs(header: &Header, m: &mut Metadata, notes: &mut Vec<Note>) -> bool {
    let Some(day) = header.get_text("DATE-OBS").and_then(|date| parse_date(&date)) else {
        return false;
    };
    notes.push(Note {
        code: "date-without-time",
        message: format!(
            "DATE-OBS = {day:?} is a day without a time, and no other card tells it: when the exposure began is \
             not known"
        ),
    });
    m.date_obs = Some(day);
    true
}

fn date_local(header: &Header, m: &mut Metadata, notes: &mut Vec<Note>) -> bool {
    if header.get("MJD-OBS").is_some() || header.get("JD").is_some() {
        return false;
    }
    let Some(date) = header.get_text("DATE-LOC") else { return false };
    m.date_obs = parse_date(&date);
    if m.date_obs.is_some() {
        notes.push(Note {
            code: "date-zone-unknown",
            message: format!("DATE-LOC = {date:?} is by the camera's clock; it is taken as UTC"),
        });
    }
    m.date_obs.is_some()
}

/// A date in UTC as `YYYY-MM-DDThh:mm:ss[.fff]`, or `YYYY-MM-DD` where it holds no time; `None` when it cannot be
/// read.
pub(super) fn parse_date(date: &str) -> Option<String> {
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
    Some(day.parse::<jiff::civil::Date>().ok()?.to_string())
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
    let days = ["MJD-OBS", "MJD-BEG"].iter().find_map(|k| header.get_f64(k));
    let mjd = days.or_else(|| header.get_f64("JD").map(|jd| jd - 2_400_000.5));
    // Whole days tell no more than a DATE-OBS without a time.
    let mjd = mjd.filter(|v| v.fract() != 0.0 || header.get("DATE-OBS").is_none());
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
        let date = |date: &str, time: Option<&str>| {
            let cards =
                [format!("DATE-OBS= '{date}'"), format!("TIME-OBS= '{}'", time.unwrap_or(""))];
            let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
            read(&header(&cards)).metadata.date_obs.unwrap_or_default()
        };
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
            ("2026/01/15", "2026-01-15"),
        ] {
            assert_eq!(date(text, None), expected, "{text}");
        }
        assert_eq!(
            date("2026/01/15", Some("20:00:00.123456789012")),
            "2026-01-15T20:00:00.123456789"
        );
        for text in ["yesterday", "15.01.2026 20:00", "2026-13-01T00:00:00", "2026-01-15 later", ""]
        {
            assert_eq!(parse_date(text), None, "{text}");
        }
        const DAY: &str = "DATE-OBS= '2026-11-20'";
        for (cards, expected) in [
            (&[DAY, "UTC-OBS = '22:10:00'"][..], "2026-11-20T22:10:00"),
            (&[DAY, "UTSTART = '9: 5: 3.25'"], "2026-11-20T09:05:03.25"),
            (&[DAY, "UT      = '2026-11-20T22:10:00'"], "2026-11-20T22:10:00"),
            (&[DAY, "TIME-OBS= 'dusk'", "UT      = '22:10:00'"], "2026-11-20T22:10:00"),
            (&[DAY, "TM-START= 79800"], "2026-11-20T22:10:00"),
            (&[DAY, "UT      = 22.1667"], "2026-11-20"),
            (&[DAY, "MJD-OBS = 61364.5"], "2026-11-20T12:00:00"),
            (&[DAY, "MJD-OBS = 61364.0"], "2026-11-20"),
            (&["DATE-OBS= '2026-11-20T00:00:00'", "UT      = '22:10:00'"], "2026-11-20T22:10:00"),
            (&["DATE-OBS= '2026-11-20T00:00:00'"], "2026-11-20T00:00:00"),
            (
                &["DATE-OBS= '2026-11-20T22:10:15'", "DATE-BEG= '2026-11-20T22:10:00'"],
                "2026-11-20T22:10:00",
            ),
            (&["DATE-OBS= '2026-11-20T22:10:15'", "DATE-BEG= '2026-11-20'"], "2026-11-20T22:10:15"),
            (&["EXPTIME = 30", "DATE-AVG= '2026-11-20T22:10:15'"], "2026-11-20T22:10:00"),
            (&["EXPTIME = 30", DAY, "DATE-END= '2026-11-20T22:10:30'"], "2026-11-20T22:10:00"),
            (&["DATE-END= '2026-11-20T22:10:30'"], ""),
        ] {
            let r = read(&header(cards));
            let found = r.metadata.date_obs.unwrap_or_default();
            assert_eq!(found, expected, "{cards:?}");
            let told = r.notes.iter().any(|n| n.code == "date-without-time");
            assert_eq!(told, found.len() == 10, "{cards:?}");
        }
        let r = read(&header(&["DATE-LOC= '2026-11-20T23:30:05'"]));
        assert_eq!(r.metadata.date_obs.as_deref(), Some("2026-11-20T23:30:05"));
        assert_eq!(r.notes[0].code, "date-zone-unknown");
        let m = read(&header(&["MJD-OBS = 58107.0651"])).metadata;
        assert_eq!(m.date_obs.as_deref(), Some("2017-12-20T01:33:44.64"));
    }
}
