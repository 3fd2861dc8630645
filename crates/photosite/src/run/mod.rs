//! Doing: the order of work, and of reading and writing.

mod account;
mod adopt;
mod collect;
mod earlier;
mod frames;
mod integrate;
mod keep;
mod night;

pub use collect::{
    Collected, Exported, add_to_library, export_library, rebuild_library, verify_library,
};
pub use earlier::Earlier;
pub use frames::{raw_frame, take_inventory};
pub use integrate::{Integrated, IntegrationRequest, integrate};
pub use night::{Keep, NightOutcome, NightRequest, run_night};
