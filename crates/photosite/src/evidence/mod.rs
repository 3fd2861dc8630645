//! Whether frames of a set belong together, before they become a master.
//!
//! Each frame is looked at on rows spread over it ([`look`]); what is kept of it ([`FrameSummary`])
//! is small, and frames are compared by that alone ([`compare`]). Headers are not asked: they named
//! the set.
//!
//! Some frames of each set-up are looked at before anything is planned ([`Glance`]): where samples
//! end, and whether there is a colour filter array, is read off them where headers are wrong.

mod array;
mod compare;
mod distance;
mod glance;
mod kind;
mod linkage;
mod look;
mod rows;
mod saturation;
mod summary;
mod words;

pub use array::{ArrayVerdict, Places, array};
pub use compare::{Odd, SetVerdict, compare};
pub use glance::Glance;
pub use kind::{Asked, Beside, KindSeen, kind_of, label_contradicted, zero_adu};
pub use look::look;
pub use rows::{RowsVerdict, rows};
pub use saturation::{Contradicted, contradicted, plateau};
pub use summary::{FrameSummary, HotPixel, Sampled, Tiles};
