//! Lights registered: transforms, levels, weights, trails, before samples are combined.

mod arrange;
mod layers;
mod levels;
mod part;
mod place;
mod shapes;
mod trails;

pub use arrange::{Arranged, arrange};
pub use layers::{TILE_ROWS, covered, mark_saturated, open, window_bytes};
pub use part::LightPart;
pub use place::{best_reference, lay_over, no_wcs};
pub use shapes::star_shapes;
pub use trails::{TrailReport, masked_trails, trails_sentence};
