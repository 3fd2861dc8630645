//! Products on disk: masters and calibrated lights, made or found made.

mod calibration;
mod compared;
mod known;
mod light;
mod loaded;
mod master;
mod offered;
mod stacking;
mod write;

pub use calibration::{CalibratedFrame, Calibration};
pub use known::Known;
pub use light::{BiasChoice, LightRequest, LightResult, Masters, calibrate_light};
pub use loaded::{LoadedMaster, UNIT_ADU, load_master, load_named, load_samples};
pub use master::{
    AdditivePart, MasterRequest, MasterResult, build_master, take_master, work_units,
};
pub use offered::{Offered, Opened};
pub use stacking::{equalise, open_all, plan_stack, stack, summarise, within_memory};
pub use write::{Product, Standing, is_product, replaced, standing};
