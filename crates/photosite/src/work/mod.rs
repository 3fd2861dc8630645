//! What every piece of work needs from outside, and the threads that do it.

mod context;
mod parallel;
mod workplace;

pub use context::Context;
pub use parallel::{for_each, on_each, on_each_with};
pub use workplace::Workplace;
