//! Whether frames of a set belong together, before they become a master.
//!
//! Each frame is looked at on rows spread over it ([`look`]); what is kept of it ([`FrameSummary`])
//! is small, and frames are compared by that alone ([`compare`]). Headers are not asked: they named
//! the set.

mod compare;
mod distance;
mod linkage;
mod look;
mod summary;
mod words;

pub use compare::{Odd, SetVerdict, compare};
pub use look::look;
pub use summary::{FrameSummary, HotPixel, Sampled, Tiles};
