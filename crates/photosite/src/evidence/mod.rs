//! Whether frames of a set belong together, before they become a master.
//!
//! Each frame is looked at on rows spread over it ([`look`]); what is kept of it ([`FrameSummary`])
//! is small, and frames are compared by that alone ([`compare`]). Headers are not asked: they named
//! the set.
//!
//! Some frames of each set-up are looked at before anything is planned ([`Glance`]): where samples
//! end, and whether there is a colour filter array, is read off them where headers are wrong.
//!
//! ```
//! use photosite::evidence::{FrameSummary, Sampled, SetVerdict, compare};
//! use photosite_pix::{FrameKind, Size};
//!
//! // Six biases at 100 ADU with a noise of some ADU, and one at 180.
//! let size = Size::new(128, 128);
//! let rows: Vec<usize> = (0..128).collect();
//! let summary = |frame: u64| {
//!     let mut state = frame + 1;
//!     let mut noise = || {
//!         state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
//!         (state >> 40) as f32 / (1u64 << 24) as f32
//!     };
//!     let level = if frame == 4 { 180.0 } else { 100.0 };
//!     let samples: Vec<f32> = (0..size.pixels()).map(|_| level + 10.0 * noise()).collect();
//!     let (first_rows, samples) = (&rows[..], &samples[..]);
//!     let seen =
//!         Sampled { size, first_rows, run: 1, samples, most_tiles: 4, enough: 1 << 14, cfa: None };
//!     FrameSummary::of(&seen)
//! };
//! let frames: Vec<FrameSummary> = (0..7).map(summary).collect();
//! let verdict = compare(FrameKind::Bias, &frames);
//! let SetVerdict::Agree { odd, .. } = verdict else { panic!("a majority") };
//! assert_eq!(odd.iter().map(|o| o.index).collect::<Vec<_>>(), [4]);
//! ```

mod array;
mod company;
mod compare;
mod distance;
mod drift;
mod glance;
mod kind;
mod linkage;
mod look;
mod peaks;
mod rows;
mod saturation;
mod summary;
mod witness;
mod words;

pub use array::{ArrayVerdict, array, greens_elsewhere};
pub use company::{KindVerdict, kinds_of};
pub use compare::{Odd, SetVerdict, compare};
pub use drift::drift;
pub use glance::{GLANCE_SAMPLES, Glance, LOOKED_AT, Places};
pub use kind::{Asked, Beside, KindSeen, label_contradicted};
pub use linkage::{Grouping, group};
pub use look::{READ_SAMPLES, look, rows_of};
pub use rows::{Displaced, Fixed, RowsVerdict};
pub use saturation::{Contradicted, contradicted, plateau};
pub use summary::{FrameSummary, HotPixel, Sampled, Tiles, stands_out};
pub use witness::{are_absent, own_part};
