//! Stars: found, told from what only looks like them, and measured.
//!
//! A [`Mesh`] gives background and noise anywhere. The frame, background taken off, is matched with
//! a star's profile, and local maxima of the match that stand out of its noise are candidates. Each
//! is then measured on the frame itself. What is narrower than any star (hot pixels, cosmic rays),
//! longer than wide (trails), or stands on pixels that are masked is none.

mod detect;
mod measure;
mod mesh;
mod rows;
mod stamp;

use serde::{Deserialize, Serialize};

pub use detect::{Candidate, Matched};
pub use measure::{SHAPELY_SNR, Shape, measure};
pub(crate) use mesh::Cells;
pub use mesh::{Mesh, MeshCell, Row};
pub use rows::{in_rows, on_one_line};

/// Full width at half maximum of a Gaussian of standard deviation 1.
pub const FWHM_OF_SIGMA: f64 = 2.354_820_045_030_949_3;

/// A star of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Star {
    /// Column of the centre in pixels, 0-based, the first pixel's centre at 0.
    pub x: f64,
    /// Row of the centre in pixels.
    pub y: f64,
    /// Flux within the aperture above the background, in the unit of the samples.
    pub flux: f64,
    /// One standard deviation of the flux, from the background's noise and, where the gain is
    /// known, the star's own.
    pub flux_error: f64,
    /// Signal over noise of the match with a star's profile.
    pub snr: f64,
    /// The highest sample above the background, in the unit of the samples.
    pub peak: f64,
    /// The background under it, in the unit of the samples.
    pub background: f64,
    /// Full width at half maximum in pixels, the mean of both axes.
    pub fwhm_px: f64,
    /// The short axis over the long one: 1 for a round star.
    pub roundness: f64,
}

/// What counts as a star.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criteria {
    /// Least signal over noise of the match.
    pub snr: f64,
    /// Least roundness.
    pub roundness: f64,
    /// Noise of means over many pixels, over that of as many independent ones: above 1 where pixels were made
    /// of several.
    pub shared: f64,
}

impl Default for Criteria {
    /// 5.5 sigma: noise alone gets there once in fifty million samples, a few of which make one
    /// independent trial.
    fn default() -> Self {
        Self { snr: 5.5, roundness: 0.4, shared: 1.0 }
    }
}
