//! Frames under a colour filter array made into pictures, and lines taken out of them.

mod mix;
mod mosaic;
mod picture;

pub use picture::{ColourProduct, Extract, PlaneSummary, debayer_file, extract};
