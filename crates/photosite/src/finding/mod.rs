//! What looks wrong, with numbers and the remedy.
//!
//! ```
//! use photosite::finding::{Finding, Severity, named};
//!
//! let finding = Finding::new("duplicate", Severity::Info, "dark (1).fits", "counted once")
//!     .hint("Delete one of the two.")
//!     .with("copies", 2);
//! assert_eq!(finding.evidence["copies"], 2);
//! // Every code is in one table, with its meaning and remedy.
//! assert_eq!(named("duplicate").unwrap().severity, Severity::Info);
//! assert!(named("no-such-code").is_none());
//! ```

mod calibration;
mod code;
mod codes;
mod frames;
mod lights;
mod matching;
mod pictures;
mod sensor;
mod verdict;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use calibration::CALIBRATION;
pub use code::Code;
use codes::CODES;
use frames::FRAMES;
use lights::LIGHTS;
use matching::MATCHING;
use pictures::PICTURES;
use sensor::SENSOR;
use verdict::VERDICT;

use crate::{Error, Reach};

/// How much a Finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// The result is usable and not as good as it could be.
    Warning,
    /// A frame was left out, or a result should not be trusted.
    Error,
}

impl Severity {
    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A subject of `count` files, the `first` of which stands for all.
pub fn first_and_more(first: impl std::fmt::Display, count: usize) -> String {
    match count {
        0 | 1 => first.to_string(),
        n => format!("{first} and {} more", n - 1),
    }
}

/// One thing found, about one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// A short stable name: one of [`codes`].
    #[cfg_attr(feature = "schema", schemars(extend("enum" = codes().iter().map(|c| c.name).collect::<Vec<_>>())))]
    pub code: Cow<'static, str>,
    /// How much it matters.
    pub severity: Severity,
    /// The file or group it is about.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// The remedy; empty where no action is needed.
    pub hint: String,
    /// The numbers behind it.
    pub evidence: BTreeMap<Cow<'static, str>, serde_json::Value>,
}

impl Finding {
    /// A Finding without hint or evidence.
    pub fn new(
        code: &'static str,
        severity: Severity,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        debug_assert!(named(code).is_some(), "{code} is not in the table of codes");
        Self {
            code: code.into(),
            severity,
            subject: subject.into(),
            message: message.into(),
            hint: String::new(),
            evidence: BTreeMap::new(),
        }
    }

    /// What failed because of an error: a finding about the file that is to blame, where there is
    /// one, else about `subject`.
    pub fn of(error: &Error, subject: impl Into<String>) -> Self {
        let code = error.kind().code();
        if let Some(file) = error.file() {
            let hint = named(code).map_or("", |c| c.remedy);
            let subject = file.path().display().to_string();
            let message = match error.reach() {
                Reach::Frame => format!("left out: {}", file.message()),
                _ => file.message().to_owned(),
            };
            return Self::new(code, Severity::Error, subject, message).hint(hint);
        }
        let hint = named(code).map_or("", |c| c.remedy);
        Self::new(code, Severity::Error, subject, error.to_string()).hint(hint)
    }

    /// Adds the remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Adds a number or a word behind it.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.evidence.insert(name.into(), value.into());
        self
    }
}

/// Every code, by name.
pub fn codes() -> Vec<&'static Code> {
    let mut all: Vec<&Code> = all_codes().collect();
    all.sort_by_key(|c| c.name);
    all
}

/// The code of this name.
pub fn named(name: &str) -> Option<&'static Code> {
    all_codes().find(|c| c.name == name)
}

fn all_codes() -> impl Iterator<Item = &'static Code> {
    let tables = [CODES, FRAMES, PICTURES, CALIBRATION, LIGHTS, MATCHING, VERDICT, SENSOR];
    tables.into_iter().flatten()
}

/// The table as `docs/findings.md` has it.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Findings\n\nEverything that `run.json` and the command line may report, by its code. \
         An *error* leaves a frame or a product out, a *warning* wants a look, an *info* is worth \
         knowing. Generated from `photosite::finding::codes`.\n\n| code | severity | what was \
         seen | what to do |\n|---|---|---|---|\n",
    );
    for c in codes() {
        let row = (c.name, c.severity.name(), c.meaning, c.remedy);
        let _ = writeln!(out, "| `{}` | {} | {} | {} |", row.0, row.1, row.2, row.3);
    }
    out
}
