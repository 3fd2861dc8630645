//! What is measured on a light: stars, background, noise, lines, and the phase of its array.
//!
//! ```
//! use photosite::Workplace;
//! use photosite::measure::find_stars;
//! use photosite_pix::stars::Criteria;
//! use photosite_pix::{MaskBits, Plane, Size};
//!
//! // 16 stars with a sigma of 1.5 pixels on a background of 100 ADU.
//! let size = Size::new(256, 256);
//! let data = Plane::from_fn(size, |x, y| {
//!     let from_star = |v: usize| (v % 64) as f64 - 32.0;
//!     let r2 = from_star(x).powi(2) + from_star(y).powi(2);
//!     let noise = ((x * 7919 + y * 104_729) % 101) as f64 / 101.0 - 0.5;
//!     (100.0 + 4.0 * noise + 1000.0 * (-0.5 * r2 / 2.25).exp()) as f32
//! });
//! let mask = Plane::<MaskBits>::zeroed(size);
//! let work = Workplace::new();
//! let field = find_stars(&data, &mask, None, Criteria::default(), &work.context())?;
//! assert_eq!(field.stars.len(), 16);
//! assert!((field.fwhm_px.unwrap() - 2.355 * 1.5).abs() < 0.1);
//! assert!((field.background - 100.0).abs() < 0.5);
//! # Ok::<(), photosite::Error>(())
//! ```

mod dark_part;
mod growth;
mod phase;
mod saturated;
mod stars;
mod survey;

pub use dark_part::odd_parts;
pub use growth::Growth;
pub use phase::{PHASE_DOUBTFUL, doubtful_phase, greens};
pub use saturated::Saturated;
pub use stars::{StarField, background, find_stars, find_stars_of_mosaic, pixels_about};
pub use survey::{
    SURVEYED_BYTES, Seen, SurveyedLight, UNDERSAMPLED_PX, offer_files, reference, sample_noise,
    survey, survey_bytes, surveyed_at_once,
};
