//! The life of a master: proposed, certified for a range of dates, retired.
//!
//! No header holds it, so it has a file of its own beside the index, written whole or not at all.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use photosite_file::atomic::{Existing, write_bytes};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The state of a master.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum Life {
    /// Nobody has judged it.
    #[default]
    Proposed,
    /// A person certified it for lights of these dates.
    Certified(DateRange),
    /// It is not used any more.
    Retired,
}

impl Life {
    /// The state's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Certified(_) => "certified",
            Self::Retired => "retired",
        }
    }
}

/// A range of days, both ends included; an end that is `None` is open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DateRange {
    /// The first day, as YYYY-MM-DD.
    pub from: Option<String>,
    /// The last day.
    pub to: Option<String>,
}

impl DateRange {
    /// A range of days as they are typed.
    ///
    /// # Errors
    /// When a day is none, or the last comes before the first.
    pub fn parse(from: Option<&str>, to: Option<&str>) -> Result<Self> {
        for day in [from, to].into_iter().flatten() {
            if day.parse::<jiff::civil::Date>().is_err() || day.len() != 10 {
                return Err(Error::parameters(format!(
                    "{day:?} is not a date; write it as 2026-11-20 (year-month-day)"
                )));
            }
        }
        if let (Some(from), Some(to)) = (from, to)
            && to < from
        {
            return Err(Error::parameters(format!(
                "the range ends ({to}) before it begins ({from})"
            )));
        }
        Ok(Self { from: from.map(str::to_owned), to: to.map(str::to_owned) })
    }

    /// Whether a day, or a date that begins with one, lies in the range.
    pub fn holds(&self, date: &str) -> bool {
        let day = date.get(..10).unwrap_or(date);
        self.from.as_deref().is_none_or(|f| f <= day) && self.to.as_deref().is_none_or(|t| day <= t)
    }
}

impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Some(a), Some(b)) => write!(f, "{a} to {b}"),
            (Some(a), None) => write!(f, "from {a} on"),
            (None, Some(b)) => write!(f, "until {b}"),
            (None, None) => f.write_str("any date"),
        }
    }
}

/// The name of the schema of the file.
const SCHEMA: &str = "photosite.life/1";

/// The lives of all masters that are not merely proposed, by content hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lives {
    schema: String,
    masters: BTreeMap<String, Life>,
}

impl Default for Lives {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), masters: BTreeMap::new() }
    }
}

impl Lives {
    /// Reads the file; one that does not exist holds no state.
    ///
    /// # Errors
    /// When it cannot be read or is not what Photosite writes.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(Error::io(path, "reading the states of masters", e)),
        };
        let lives: Self = serde_json::from_slice(&bytes).map_err(|e| {
            Error::library(format!(
                "{} should hold the states of masters as Photosite writes them, but does not \
                 ({e}); fix it, or move it away: all masters then count as proposed",
                path.display()
            ))
        })?;
        if lives.schema != SCHEMA {
            return Err(Error::library(format!(
                "{} is of schema {:?}; this version reads {SCHEMA:?}: use a newer Photosite",
                path.display(),
                lives.schema
            )));
        }
        Ok(lives)
    }

    /// Writes the file, whole and synced.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).expect("plain data is always JSON");
        Ok(write_bytes(path, &json, Existing::Replace)?)
    }

    /// The life of the master with this content hash.
    pub fn of(&self, hash: &str) -> &Life {
        self.masters.get(hash).unwrap_or(&Life::Proposed)
    }

    /// Sets a life.
    pub fn set(&mut self, hash: String, life: Life) {
        match life {
            Life::Proposed => self.masters.remove(&hash),
            life => self.masters.insert(hash, life),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_days() {
        let range = DateRange::parse(Some("2026-01-01"), Some("2026-02-28")).unwrap();
        assert!(range.holds("2026-01-01T00:00:00") && range.holds("2026-02-28T23:59:59"));
        assert!(!range.holds("2025-12-31") && !range.holds("2026-03-01"));
        for (from, to) in
            [("2026-13-01", None), ("26-1-1", None), ("2026-02-02", Some("2026-01-01"))]
        {
            assert!(DateRange::parse(Some(from), to).is_err(), "{from}");
        }
    }

    #[test]
    fn lives_survive_the_disk_and_refuse_what_is_not_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("life.json");
        let mut lives = Lives::read(&path).unwrap();
        lives.set("aa".into(), Life::Retired);
        lives.set("bb".into(), Life::Certified(DateRange::default()));
        lives.set("cc".into(), Life::Retired);
        lives.set("cc".into(), Life::Proposed);
        lives.write(&path).unwrap();
        assert_eq!(Lives::read(&path).unwrap(), lives);
        assert_eq!(lives.of("cc"), &Life::Proposed);
        for text in ["", "{}", r#"{"schema":"photosite.life/9","masters":{}}"#] {
            photosite_file::atomic::write_bytes(&path, text.as_bytes(), Existing::Replace).unwrap();
            assert!(Lives::read(&path).is_err(), "{text}");
        }
    }
}
