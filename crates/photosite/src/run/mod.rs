//! Doing: the only room with threads, and the order of reading and writing.

mod account;
mod arrange;
mod collect;
mod colour;
mod convert;
mod earlier;
mod frames;
mod integrate;
mod keep;
mod layers;
mod levels;
mod lights;
mod masters;
mod night;
mod offered;
mod parallel;
mod place;
mod product;
mod stacking;
mod stars;
mod survey;
mod trails;

use crate::event::{Cancel, Observer};

pub use arrange::{Arranged, arrange};
pub use collect::{
    Collected, Exported, add_to_library, export_library, rebuild_library, verify_library,
};
pub use colour::{ColourProduct, Extract, PlaneSummary, debayer_file, extract};
pub use earlier::Earlier;
pub use frames::{left_out, raw_frame, take_inventory};
pub use integrate::{
    Drizzle, Integrated, Integration, IntegrationRequest, LightPart, Weight, integrate,
};
pub use lights::{BiasChoice, LightRequest, LightResult, Masters, calibrate_light};
pub use masters::{AdditivePart, MasterRequest, MasterResult, build_master, take_master};
pub use night::{Keep, NightOutcome, NightRequest, run_night};
pub use offered::Offered;
pub use parallel::{for_each, on_each, on_each_with};
pub use place::lay_over;
pub use product::{LoadedMaster, Product, Standing, load_master, load_samples, standing};
pub use stars::{StarField, background, find_stars};
pub use survey::{SurveyedLight, best_reference, offer_files, reference, survey};

/// What every piece of work needs from outside.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Threads to use.
    pub threads: usize,
    /// Memory that stacking may take, in bytes.
    pub memory_bytes: u64,
    /// Who is told of progress.
    pub observer: &'a dyn Observer,
    /// Whether to stop.
    pub cancel: &'a Cancel,
}
