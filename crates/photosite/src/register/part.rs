//! A light's part in a stack.

use std::path::PathBuf;

use photosite_pix::Size;
use photosite_pix::align::{Point, Registration};
use photosite_pix::normalise::Affine;
use photosite_pix::trails::Trail;
use serde::Serialize;

use super::flux::FluxScale;

/// One light's part in a stack.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LightPart {
    /// Where it lies.
    #[serde(serialize_with = "crate::shown::path::serialize")]
    pub path: PathBuf,
    /// Whether it was used.
    pub used: bool,
    /// Stars found.
    pub stars: usize,
    /// Their median width in pixels.
    pub fwhm_px: Option<f64>,
    /// Its noise in ADU, as blocks of pixels show it.
    pub noise_adu: f64,
    /// Its registration to the reference; `None` where it was not registered.
    pub registration: Option<Registration>,
    /// How much of its light came through, where that is part of the normalisation.
    pub flux_scale: Option<FluxScale>,
    /// Its weight, the greatest being 1.
    pub weight: f64,
    /// What brings its samples to the reference's level, one a plane.
    pub normalisation: Vec<Affine>,
    /// Satellite trails that are masked in it.
    #[serde(skip)]
    pub trails: Vec<Trail>,
}

impl LightPart {
    /// Its pixels along one of the common grid, at a place of that.
    pub(super) fn magnification(&self, at: Point) -> f64 {
        self.registration.as_ref().map_or(1.0, |r| r.transform.magnification(at))
    }

    /// What its flux is multiplied with to be that of the pixels of a grid of that size.
    pub fn flux_on_grid(&self, size: Size) -> f64 {
        let middle = Point::new(0.5 * size.width as f64, 0.5 * size.height as f64);
        let finer = self.magnification(middle);
        self.normalisation.first().map_or(1.0, |level| level.scale) / (finer * finer)
    }
}
