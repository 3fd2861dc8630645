//! What was found on the way, told and kept.

use std::path::Path;

use crate::event::Event;
use crate::work::Context;
use crate::{Error, Finding};

/// The findings of a night so far.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Finding>);

impl Notes {
    /// With those that were told before.
    pub fn new(findings: Vec<Finding>) -> Self {
        Self(findings)
    }

    /// Tells of a finding and keeps it.
    pub fn add(&mut self, finding: Finding, context: &Context<'_>) {
        context.observer.event(Event::Found(&finding));
        self.0.push(finding);
    }

    /// The same for several.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>, context: &Context<'_>) {
        findings.into_iter().for_each(|f| self.add(f, context));
    }

    /// That something failed: the file that is to blame, where there is one, else `subject`.
    pub fn failure(&mut self, e: &Error, subject: &Path, context: &Context<'_>) {
        self.add(Finding::of(e, subject.display().to_string()), context);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Those after the first `count`.
    pub fn since(&self, count: usize) -> &[Finding] {
        &self.0[count..]
    }

    /// All of them, in the order in which they were told.
    pub fn into_findings(self) -> Vec<Finding> {
        self.0
    }
}
