//! Which calibration belongs to which frame, and why; and the index of all that was ever taken.
//!
//! The rules and prices are pure decisions: no pixel is read for them.
//!
//! ```
//! use photosite::library::{Candidate, DarkCurrent, Field, Traits, choose, same_camera};
//! use photosite_pix::{FrameKind, Metadata, Size};
//!
//! let of = |exposure_s: f64, temp_c: f64| {
//!     let metadata = Metadata {
//!         exposure_s: Some(exposure_s),
//!         temp_c: Some(temp_c),
//!         ..Metadata::default()
//!     };
//!     Traits::of(&metadata, Size::new(4656, 3520))
//! };
//! // A light of 60 s at -10 C; darks of 60 s, and of 300 s.
//! let (light, near, far) = (of(60.0, -10.0), of(60.0, -10.2), of(300.0, -10.0));
//! let darks = [Candidate::new(&far, 20), Candidate::new(&near, 20)];
//! let choice = choose(FrameKind::Dark, &light, &darks, &DarkCurrent::default(), 16);
//! assert_eq!(choice.chosen(), Some(1));
//! assert_eq!(choice.refused[0].differs[0].field, Field::Exposure);
//! assert!(same_camera("ZWO ASI2600MM Pro", "ASI2600MM Pro"));
//! ```

mod adopt;
mod camera;
mod choose;
mod cost;
mod filter;
mod group;
mod index;
mod life;
mod name;
mod record;
mod rules;
mod shelf;
mod telescope;
mod traits;

pub use adopt::{ADOPTED_KEYWORD, Adopted, CONTENT_ASSUMED, adopt};
pub use camera::{camera_key, same_camera};
pub use choose::{Candidate, Check, Choice, FEW_REFUSALS, Priced, Refusal, choose, contradictions};
pub use cost::{
    Cost, CostUnit, DOUBLING_C, DarkCurrent, DarkPoint, HOTTEST_SHARE, cost, scaled_cost,
};
pub(crate) use filter::filter_group;
pub use filter::{ALIASES_NAME, Aliases, band_nm, filter_key};
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
pub use traits::{Field, Traits, frame_traits};
