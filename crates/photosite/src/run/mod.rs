//! Doing: the order of work, and of reading and writing.

mod account;
mod adopt;
mod collect;
mod earlier;
mod examined;
mod frames;
mod integrate;
mod keep;
mod looked;
mod named;
mod night;
mod planned;
mod request;
mod results;

pub use collect::{
    Collected, Exported, add_to_library, export_library, rebuild_library, verify_library,
};
pub use earlier::Earlier;
pub use frames::{raw_frame, take_inventory};
pub use integrate::{Integrated, IntegrationRequest, integrate};
pub use looked::{
    Channel, Described, Inspected, describe_samples, inspect, mean_response, read_plane, stars_of,
};
pub use named::{
    NamedBias, NamedCalibrated, NamedLights, NamedMaster, calibrate_named, dark_of_flats,
    master_of_named, named_frames,
};
pub use night::{run_night, run_plan};
pub use planned::{AskedNight, PlannedNight, read_plan};
pub use request::{Keep, NightOutcome, NightRequest};
