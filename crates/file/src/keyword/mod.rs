//! Header dialects: the many words of capture programs, read into one [`Metadata`].
//!
//! Each rule is one named entry of [`RULES`]: which field it fills and what it reads. Rules are
//! asked in order; the first that answers for a field wins, and its name is kept, so that a person
//! can be told why Photosite believes what it believes.

mod amplifier;
mod camera;
mod eso;
mod geometry;
mod history;
mod kind;
mod property;
mod scale;
mod state;
mod time;
mod unread;

use photosite_pix::{Header, Metadata};
use serde::Serialize;

pub use amplifier::tells_amplifier;
pub(crate) use amplifier::{
    AMPLIFIERS, amplifier_card, amplifier_suffixes, amplifier_value, section_of,
};
pub(crate) use geometry::Section;
pub use kind::kind_from_words;
pub(crate) use scale::unit_of;
pub use scale::{Counted, Missing, SampleKind, Samples, Scale, adu_per_sample, counted, samples};

/// One way in which one field is written in headers.
pub struct Rule {
    /// The rule's name.
    pub name: &'static str,
    /// The field of [`Metadata`] it fills.
    pub field: &'static str,
    /// What it reads, and what it makes of it, in one sentence.
    pub about: &'static str,
    /// Fills the field and returns true, or leaves everything as it is.
    read: fn(&Header, &mut Metadata, &mut Vec<Note>) -> bool,
}

/// A doubt about what a header says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// A short stable name.
    pub code: &'static str,
    /// What was found and what was made of it.
    pub message: String,
}

/// What was made of a header.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Reading {
    /// The fields.
    pub metadata: Metadata,
    /// (field, rule) for each field that was filled.
    pub rules: Vec<(&'static str, &'static str)>,
    /// Doubts, for a person.
    pub notes: Vec<Note>,
}

/// Every rule, in the order in which they are asked.
pub const RULES: &[&[Rule]] = &[
    kind::RULES,
    time::RULES,
    camera::RULES,
    geometry::RULES,
    amplifier::RULES,
    state::RULES,
    property::RULES,
    eso::RULES,
];

/// Reads a header by all rules.
pub fn read(header: &Header) -> Reading {
    let mut reading = Reading::default();
    for rule in RULES.iter().copied().flatten() {
        if reading.rules.iter().any(|(field, _)| *field == rule.field) {
            continue;
        }
        if (rule.read)(header, &mut reading.metadata, &mut reading.notes) {
            reading.rules.push((rule.field, rule.name));
        }
    }
    unread::gather(header, &mut reading);
    reading
}

/// The first of `keywords` that holds a number a camera can have meant.
fn number(header: &Header, keywords: &[&'static str]) -> Option<(f64, &'static str)> {
    quantity(header, keywords).map(|(v, _, k)| (v, k))
}

/// The first of `keywords` that holds a number a camera can have meant, with the unit that stands
/// behind it in a text.
fn quantity(header: &Header, keywords: &[&'static str]) -> Option<(f64, String, &'static str)> {
    keywords.iter().find_map(|k| {
        let value = header.get(k)?;
        let (v, unit) = match value.as_f64() {
            Some(v) => (v, String::new()),
            None => measured(&value.as_text()?)?,
        };
        // Drivers write ±1.79e308 and the like for "not known".
        (v.is_finite() && v.abs() < 1.0e30).then_some((v, unit, *k))
    })
}

/// A number as people write it, `60,0`, `60.0 s` or `-10C`, with the letters behind it in lower case.
fn measured(text: &str) -> Option<(f64, String)> {
    let text = text.trim();
    let digit = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '+' | '-');
    let mut end = text.find(|c| !digit(c)).unwrap_or(text.len());
    // An exponent, `1e3`, is part of the number; `1 e` is not.
    if let Some(rest) = text[end..].strip_prefix(['e', 'E'])
        && rest.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-')
    {
        end += 1 + rest.find(|c| !digit(c)).unwrap_or(rest.len());
    }
    let (number, unit) = text.split_at(end);
    // A comma is a decimal point where it stands alone; with a point, or twice, nobody can tell.
    let number = match (number.matches(',').count(), number.contains('.')) {
        (0, _) => number.to_owned(),
        (1, false) => number.replace(',', "."),
        _ => return None,
    };
    let unit = unit.trim();
    let plain = unit.chars().all(|c| c.is_alphabetic() || matches!(c, '.' | '°' | 'µ' | '"'));
    let v = number.parse().ok()?;
    plain.then(|| (v, unit.trim_end_matches('.').to_lowercase()))
}

/// The first of `keywords` that holds text.
fn text(header: &Header, keywords: &[&str]) -> Option<String> {
    keywords.iter().find_map(|k| header.get_text(k)).map(|t| t.trim().to_owned())
}

/// The first of `keywords` that holds a name: not `Unknown`, `none` and their like.
fn name(header: &Header, keywords: &[&str]) -> Option<String> {
    keywords.iter().find_map(|k| header.get_text(k).filter(|t| is_name(t)))
}

/// False for the words that programs write where nothing is known.
fn is_name(text: &str) -> bool {
    let plain: String =
        text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    !["", "unknown", "none", "null", "na", "nan", "notset", "undefined", "unspecified", "unnamed"]
        .contains(&plain.as_str())
}

/// The program that wrote a file, in lower case; empty when the header does not say.
fn writer(header: &Header) -> String {
    ["SWCREATE", "CREATOR", "PROGRAM", "SOFTWARE", "SWMODIFY"]
        .iter()
        .filter_map(|k| header.get_text(k))
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use photosite_pix::Card;

    use super::*;

    /// A header from lines as they stand in a file.
    pub(super) fn header(lines: &[&str]) -> Header {
        let mut header = Header::new();
        for line in lines {
            let mut bytes = [b' '; 80];
            bytes[..line.len()].copy_from_slice(line.as_bytes());
            header.push(Card::from_bytes(bytes));
        }
        header
    }

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for rule in RULES.iter().copied().flatten() {
            assert!(names.insert(rule.name), "two rules are called {}", rule.name);
            assert!(rule.about.ends_with('.'), "{} is not described by a sentence", rule.name);
        }
        assert!(names.len() > 30);
    }

    #[test]
    fn numbers_as_people_write_them() {
        for (text, expected) in [
            ("60,0", Some((60.0, ""))),
            ("60.0 s", Some((60.0, "s"))),
            ("-10.5C", Some((-10.5, "c"))),
            ("300sec.", Some((300.0, "sec"))),
            ("1e3 ms", Some((1000.0, "ms"))),
            ("2x2", None),
            ("1,234.5", None),
            ("1,2,3", None),
            ("", None),
            ("s", None),
            ("12 / 5", None),
        ] {
            let found = measured(text);
            assert_eq!(found.as_ref().map(|(v, u)| (*v, u.as_str())), expected, "{text}");
        }
    }

    #[test]
    fn an_empty_header_says_nothing() {
        assert_eq!(read(&Header::new()), Reading::default());
    }
}
