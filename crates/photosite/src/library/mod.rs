//! Which calibration belongs to which frame, and why: pure decisions, no pixel read.

mod group;
mod rules;
mod traits;

pub use group::{Group, groups};
pub use rules::{Check, Choice, MatchRule, Outcome, Refusal, Tolerance, choose, rules};
pub(crate) use traits::show_seconds;
pub use traits::{Field, Traits, filter_key};
