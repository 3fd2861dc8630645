//! Which calibration belongs to which frame, and why; and the index of all that was ever taken.
//!
//! The rules and prices are pure decisions: no pixel is read for them.

mod adopt;
mod camera;
mod choose;
mod cost;
mod group;
mod index;
mod life;
mod name;
mod record;
mod rules;
mod shelf;
mod traits;

pub use adopt::{ADOPTED_KEYWORD, Adopted, adopt};
pub use camera::{camera_key, same_camera};
pub use choose::{Candidate, Check, Choice, FEW_REFUSALS, Priced, Refusal, choose, contradictions};
pub use cost::{Cost, CostUnit, DOUBLING_C, DarkCurrent, DarkPoint, HOTTEST_SHARE, cost};
pub use group::{Group, groups, stack_for_each_light};
pub(crate) use group::{SAME_EXPOSURE, count_nights};
pub use index::{
    Added, Entry, INDEX_NAME, Known, LIFE_NAME, Library, MASTERS_NAME, Missing, Pruned,
    SCHEMA_VERSION, Verified,
};
pub use life::{DateRange, Life, Lives};
pub use name::{group_name, master_file_name};
pub use record::{ID_DIGITS, Level, Record, Shelvable, shelvable};
pub use rules::{MatchRule, Outcome, Tolerance, rules, rules_table};
pub use shelf::{Shelf, Shelved};
pub(crate) use traits::show_seconds;
pub use traits::{Field, Traits, filter_key, frame_traits};
