//! One light frame from raw to calibrated.

mod masters;
mod set;
mod source;
mod steps;

pub use masters::{Bias, DarkContent, FlatContent, MasterDark, MasterFlat, RemovedBy};
pub use set::{Calibrated, CalibrationSet, DarkScaling, Light};
pub use source::CalibratedSource;
pub use steps::{STEPS, Step};
