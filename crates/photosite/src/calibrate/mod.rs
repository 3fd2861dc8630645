//! One light frame from raw to calibrated.

mod course;
mod masters;
mod set;
mod source;
mod steps;

pub use course::LightFacts;
pub use masters::{Bias, DarkContent, FlatContent, MasterDark, MasterFlat, RemovedBy};
pub use set::{Calibrated, CalibrationSet, Light};
pub use source::CalibratedSource;
pub use steps::{STEPS, Step, StepRow};
