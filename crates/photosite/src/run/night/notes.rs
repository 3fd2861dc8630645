//! What was found on the way, told and kept.

use std::path::Path;

use crate::event::Event;
use crate::work::Context;
use crate::{Error, Finding};

/// The findings of a night so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    all: Vec<Finding>,
    /// They are told when it is clear that they stand.
    quiet: bool,
}

impl Notes {
    /// With those that were told before.
    pub fn new(findings: Vec<Finding>) -> Self {
        Self { all: findings, quiet: false }
    }

    /// None, of which nobody is told yet.
    pub fn quiet() -> Self {
        Self { all: Vec::new(), quiet: true }
    }

    /// Tells of a finding and keeps it.
    pub fn add(&mut self, finding: Finding, context: &Context<'_>) {
        if !self.quiet {
            context.observer.event(Event::Found(&finding));
        }
        self.all.push(finding);
    }

    /// The same for several.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>, context: &Context<'_>) {
        findings.into_iter().for_each(|f| self.add(f, context));
    }

    /// That something failed: the file that is to blame, where there is one, else `subject`.
    pub fn failure(&mut self, e: &Error, subject: &Path, context: &Context<'_>) {
        self.add(Finding::of(e, subject.display().to_string()), context);
    }

    /// Corrects what turned out otherwise than it was told.
    pub fn amend(&mut self, amend: impl FnMut(&mut Finding)) {
        self.all.iter_mut().for_each(amend);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Those after the first `count`.
    pub fn since(&self, count: usize) -> &[Finding] {
        &self.all[count..]
    }

    /// All of them, in the order in which they were told.
    pub fn into_findings(self) -> Vec<Finding> {
        self.all
    }
}
