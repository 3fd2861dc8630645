//! One light frame from raw to calibrated.

mod course;
mod masters;
mod set;
mod source;
mod steps;

pub use masters::{Bias, DarkContent, FlatContent, MasterDark, MasterFlat, RemovedBy};
pub use set::{Calibrated, CalibrationSet, DarkScaling, Light, LightFacts};
pub use source::CalibratedSource;
pub use steps::{STEPS, Step};
