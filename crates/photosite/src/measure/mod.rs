//! What is measured on a light: stars, background, noise, lines, and the phase of its array.

mod phase;
mod saturated;
mod stars;
mod survey;

pub use phase::doubtful_phase;
pub use saturated::Saturated;
pub use stars::{StarField, background, find_stars};
pub use survey::{SurveyedLight, offer_files, reference, survey};
