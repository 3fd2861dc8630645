//! Dark models of masters in files: built, written, read, and the darks they make.

mod build;
mod file;
mod labels;
mod model;
mod open;
mod synthesize;

pub use model::{DarkModel, Doubt, MODEL_SCHEMA, ModelSummary};
pub use synthesize::Synthesized;
