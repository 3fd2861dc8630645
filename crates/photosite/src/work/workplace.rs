//! Where work is done when nobody waits for progress.

use super::context::Context;
use crate::env;
use crate::event::{Cancel, Silent};

/// Threads and memory of this machine, nobody to tell, and a way to stop.
///
/// ```
/// let work = photosite::Workplace::new();
/// assert!(work.context().threads >= 1);
/// ```
#[derive(Debug, Default)]
pub struct Workplace {
    cancel: Cancel,
}

impl Workplace {
    /// A workplace of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// What work needs: every core, a quarter of the free memory.
    pub fn context(&self) -> Context<'_> {
        Context {
            threads: env::default_threads(),
            memory_bytes: env::default_memory_bytes(),
            observer: &Silent,
            cancel: &self.cancel,
        }
    }

    /// Asks the work to stop.
    pub fn stop(&self) {
        self.cancel.request();
    }
}
