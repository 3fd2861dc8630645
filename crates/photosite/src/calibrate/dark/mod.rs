//! A dark that is not of the light's exposure or temperature: how much of it the light holds,
//! measured at its hot and warm pixels, and whether scaling it is allowed at all.
//!
//! ```
//! use std::sync::Arc;
//! use photosite::calibrate::dark::HotSites;
//! use photosite::calibrate::{Bias, DarkContent, MasterDark};
//! use photosite_pix::{Frame, Plane, Size, Unit};
//!
//! // A dark with a hot pixel in every ninth column, and a light with half of its dark signal.
//! let size = Size::new(128, 96);
//! let noise = |x: usize, y: usize| ((x * 37 + y * 101 + x * y) % 17) as f32 / 8.0;
//! let hot = |x: usize, y: usize| if x % 9 == 4 && y % 7 == 3 { (100 + x * 3) as f32 } else { 0.0 };
//! let data = Plane::from_fn(size, |x, y| 1.0 + noise(y, x) + hot(x, y));
//! let dark = MasterDark {
//!     frame: Arc::new(Frame::new(data, Unit::Adu)),
//!     content: DarkContent::BiasRemoved,
//!     exposure_s: Some(600.0),
//!     variance_factor: None,
//! };
//! let light = Plane::from_fn(size, |x, y| 150.0 + noise(x, y) + 0.5 * hot(x, y));
//! let sites = HotSites::of(&dark, None, None)?;
//! let seen = sites.look(size, Some(&Bias::Level(100.0)), None, |rows, out| {
//!     out.copy_from_slice(light.rows(rows.start, rows.end));
//!     Ok(())
//! })?;
//! let fit = sites.fit(&seen);
//! assert_eq!(fit.declined, None);
//! assert!((fit.k.unwrap() - 0.5).abs() < 0.01, "{fit:?}");
//! # Ok::<(), photosite::Error>(())
//! ```

mod choice;
mod declined;
mod fit;
mod law;
pub mod model;
mod sequence;
mod sites;
mod tiles;

pub use choice::{DOUBLING_C, DarkChoice, DarkShare, DarkSource, DarkWay, Expected, decide};
pub use declined::Declined;
pub use fit::{Bright, DarkFit, Seen, Stratum};
pub use law::{DARKER_ADU, DarkLaw};
pub use sequence::{agree, follow, one_glow};
pub use sites::{DarkSignal, HotSites};
