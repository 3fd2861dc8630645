//! Lights registered: transforms, levels, weights, trails, before samples are combined.
//!
//! ```
//! use photosite::register::TrailReport;
//! use photosite_pix::align::Point;
//! use photosite_pix::trails::Trail;
//!
//! let trail = Trail {
//!     from: Point::new(-3.0, 20.0),
//!     to: Point::new(800.0, 310.0),
//!     bow_px: 0.0,
//!     half_width_px: 4.5,
//!     peak_sigma: 1.2,
//!     snr: 40.0,
//! };
//! let report = TrailReport::new("light.fits".as_ref(), &trail);
//! assert_eq!((report.from, report.width_px), ([-3.0, 20.0], 9.0));
//! assert_eq!(TrailReport::count(&[report]).unwrap(), "1 trail masked in 1 light");
//! ```

mod alone;
mod arrange;
mod crowded;
mod dimmed;
mod doubled;
mod drift;
mod eaten;
mod flux;
mod layers;
mod levels;
mod outlier;
mod outside;
mod part;
mod place;
mod sampled;
mod scales;
mod shapes;
mod sloped;
mod taken;
mod trails;
mod uneven;

pub(crate) use alone::{of_one_light, where_one_shows};
pub use arrange::{Arranged, arrange};
pub(crate) use drift::walking;
pub use eaten::StarsKept;
pub use flux::{FluxScale, ScaleSource};
pub use layers::{Shares, TILE_ROWS, covered, mark_saturated, open, shared_noise, window_bytes};
pub use outlier::{Outlier, outliers};
pub(crate) use outside::cut_off;
pub use part::LightPart;
pub use place::{best_reference, lay_over, no_wcs};
pub use sampled::PlaceErrors;
pub use shapes::star_shapes;
pub(crate) use taken::Taken;
pub use trails::{TrailReport, masked_trails, trails_sentence};
