//! What a finding's code is.

use super::Severity;

/// One kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The short stable name that scripts ask for.
    pub name: &'static str,
    /// The severity it usually has.
    pub severity: Severity,
    /// What was seen, in one sentence.
    pub meaning: &'static str,
    /// What a person can do about it.
    pub remedy: &'static str,
}

pub(super) const fn code(
    name: &'static str,
    severity: Severity,
    meaning: &'static str,
    remedy: &'static str,
) -> Code {
    Code { name, severity, meaning, remedy }
}
