//! Values that a run goes by, and where they are from.

use serde::{Deserialize, Serialize};

/// A value that a run goes by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Setting {
    /// What it is called, as in a file of settings.
    pub name: String,
    /// The value, as text.
    pub value: String,
    /// Where it is from.
    pub from: SettingFrom,
    /// The file that says it; `None` unless one does.
    pub file: Option<String>,
}

/// Where a value is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SettingFrom {
    /// Nobody said otherwise.
    BuiltIn,
    /// A file of settings.
    File,
    /// The command line.
    CommandLine,
}

impl SettingFrom {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built in",
            Self::File => "file",
            Self::CommandLine => "command line",
        }
    }
}
