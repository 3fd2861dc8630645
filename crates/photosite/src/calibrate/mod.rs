//! One light frame from raw to calibrated.
//!
//! ```
//! use photosite::calibrate::{Bias, CalibrationSet, Light, LightFacts, STEPS};
//! use photosite::params::DarkScaling;
//! use photosite::raw::Level;
//! use photosite_pix::{Applied, Plane, Size};
//!
//! // A light of 1000 ADU over a bias of 100.
//! let set = CalibrationSet::new(Some(Bias::Level(100.0)), None, None, DarkScaling::None)?;
//! let facts = LightFacts {
//!     saturation_adu: Some(65_535.0),
//!     level_adu: 0.0,
//!     level: Level::Nothing,
//!     exposure_s: Some(60.0),
//!     cfa: None,
//!     applied: Applied::empty(),
//!     noise: None,
//!     dark: None,
//!     step_adu: 1.0,
//!     linearity: None,
//!     noise_by_hand: false,
//!     parts: Default::default(),
//! };
//! let done = set.apply(Light { data: Plane::filled(Size::new(8, 8), 1000.0), facts })?;
//! assert_eq!(done.frame.data.get(3, 3), 900.0);
//! assert!(done.steps.contains(&"bias"));
//! // The order of steps is one table.
//! assert_eq!(STEPS.first().unwrap().name, "saturation");
//! # Ok::<(), photosite::Error>(())
//! ```

mod course;
pub mod dark;
pub mod flat_fit;
mod left;
mod masters;
mod set;
mod source;
mod steps;

pub use course::LightFacts;
pub use left::{Left, STRIP_PIXELS, strip_rows};
pub use masters::{Bias, DarkContent, FlatContent, MasterDark, MasterFlat, RemovedBy};
pub use set::{Calibrated, CalibrationSet, Light};
pub use source::CalibratedSource;
pub use steps::{STEPS, Step, StepRow};
