//! The machine: its clock and its cores.
#![allow(clippy::disallowed_methods, reason = "this is the one place that meets them")]

use std::time::Instant;

/// A stopwatch, for the account of a run; no result depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since the start.
    pub fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// How many threads to use when nobody says: one a core.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
