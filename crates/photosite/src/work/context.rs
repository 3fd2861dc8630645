//! Threads, memory, progress, cancellation.

use crate::event::{Cancel, Observer};

/// What every piece of work needs from outside.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Threads to use.
    pub threads: usize,
    /// Memory that stacking may take, in bytes.
    pub memory_bytes: u64,
    /// Receives progress.
    pub observer: &'a dyn Observer,
    /// Whether to stop.
    pub cancel: &'a Cancel,
}
