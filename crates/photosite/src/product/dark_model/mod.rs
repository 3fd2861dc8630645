//! Dark models of masters in files: built, written, read, and the darks they make.

mod build;
mod file;
mod labels;
mod model;
mod open;
mod synthesize;

pub use labels::contradicted_exposures;
pub use model::{DarkModel, MODEL_SCHEMA, ModelSummary};
pub use synthesize::Synthesized;
