//! The dark signal of a sensor as a model: per pixel a bias and a rate, for all a doubling temperature,
//! and a glow with its own growth; from masters of several exposures and temperatures.
//!
//! A dark of exposure t at temperature T is `bias(x) + rate(x) s + glow(x) h`, with the seconds at the
//! reference temperature `s = t 2^((T - T_ref) / T_double)` and `h = (t / t_longest)^p`. Levels of
//! masters are no evidence of a pixel's rate, because sensors move them by themselves (black level
//! correction): rates are fitted to what pixels do beside the typical one, the typical pixel's level
//! goes by a law of its own, with its own error.
//!
//! # Source
//! Janesick2001 for dark current and its doubling; METHODS of this project for the level's freedom.

mod glow;
mod known;
mod laws;
mod lsq;
mod measured;
mod pixels;
mod term;

pub use glow::GlowMap;
pub use known::{BEYOND, BEYOND_C, Known, Planes, Proven, TOLERANCE_C};
pub use laws::{GlowLaw, Laws, LevelLaw};
pub use lsq::Design;
pub use measured::{BandSeen, Grid, MasterRows, Seen, look};
pub use pixels::{Fitted, HeldOut, PixelRows, Predicted, Sums};
pub use term::{Measured, Refused, Term, enough, same_point};
