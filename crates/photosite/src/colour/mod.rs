//! CFA frames debayered, and lines and colours extracted from them.

mod mix;
mod mosaic;
mod picture;

pub use picture::{ColourProduct, Extract, PlaneSummary, debayer_file, extract};
