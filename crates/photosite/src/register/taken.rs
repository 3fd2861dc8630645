//! What rejection took of stars: a picture against the same lights combined without it.

use photosite_pix::combine::Recipe;
use photosite_pix::reject::Reject;
use photosite_pix::{Plane, Rect, Size, stat};

use super::eaten::{ERRORS, LEAST, SNR};
use crate::finding::Severity;
use crate::measure::StarField;
use crate::stack::{Buffers, Laid, Stacked, Terms, stack_tile};
use crate::{Finding, Result};

/// Stars that are looked at, the brightest: each is read from all lights again.
const MOST: usize = 60;
/// From this share on it is told.
const TOLD: f64 = 0.02;
/// A star's light is that within so many of its widths; what lies around it, out to so many, is the sky.
const WITHIN: f64 = 1.5;
const AROUND: f64 = 3.0;

/// The share of stars' light that rejection took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Taken {
    share: f64,
    error: f64,
    stars: usize,
}

impl Taken {
    /// Combines lights, opened as `layers`, without rejection around the brightest stars of a picture of plane
    /// number `plane`, which is `part` of their grid where it was cut. `None` where they are too few.
    ///
    /// # Errors
    /// When a light cannot be read.
    pub(crate) fn of(
        layers: &[Laid],
        (recipe, terms): (Recipe, Terms<'_>),
        (picture, plane, part): (&Plane<f32>, usize, Option<Rect>),
        field: &StarField,
    ) -> Result<Option<Self>> {
        let Some(fwhm) = field.fwhm_px else { return Ok(None) };
        let how = (
            Recipe { reject: Reject::None, combine: recipe.combine },
            Terms { stars: None, ..terms },
        );
        let (x0, y0) = part.map_or((0, 0), |p| (p.x0, p.y0));
        let half = (AROUND * fwhm).ceil() as usize + 1;
        let size = Size::new(2 * half + 1, 2 * half + 1);
        let mut buffers = Buffers::default();
        let mut shares = Vec::new();
        for star in field.stars.iter().filter(|s| s.snr > SNR).take(MOST) {
            let (x, y) = (star.x.round() as usize, star.y.round() as usize);
            let inside = |v: usize, end: usize| v >= half && v + half < end;
            if !inside(x, picture.width()) || !inside(y, picture.height()) {
                continue;
            }
            let (left, top) = (x - half, y - half);
            let columns = x0 + left..x0 + left + size.width;
            let rows = y0 + top..y0 + top + size.height;
            let tiles = stack_tile(layers, rows, columns, how, &mut buffers)?;
            let mut whole = Stacked::empty(size, false);
            whole.bands(size.height).for_each(|mut b| b.place(0..size.width, &tiles[plane]));
            let with = Plane::from_fn(size, |i, j| picture.get(left + i, top + j));
            let at = (star.x - left as f64, star.y - top as f64);
            shares.extend(share(&whole.value, &with, at, fwhm));
        }
        if shares.len() < LEAST {
            return Ok(None);
        }
        let (share, scatter) = stat::median_scatter(&shares);
        let error = 1.25 * scatter / (shares.len() as f64).sqrt();
        Ok(Some(Self { share, error, stars: shares.len() }))
    }

    /// That stars lost light; `None` where they did not.
    pub(crate) fn finding(self, picture: &str) -> Option<Finding> {
        if self.share < TOLD || self.share < ERRORS * self.error {
            return None;
        }
        let message = format!(
            "{} stars hold {:.1} +- {:.1} % less light in this stack than without rejection, which takes their \
             cores",
            self.stars,
            100.0 * self.share,
            100.0 * self.error
        );
        Some(
            Finding::new("rejection-ate-stars", Severity::Warning, picture, message)
                .hint("Use the default rejection, or wider limits: --sigma-low 4 --sigma-high 4.")
                .with("share", self.share),
        )
    }
}

/// The share of a star's light that `with` lacks of what is in `whole`; `None` where neither tells.
fn share(whole: &Plane<f32>, with: &Plane<f32>, (x, y): (f64, f64), fwhm: f64) -> Option<f64> {
    let (mut sky, mut apart) = (Vec::new(), Vec::new());
    let (mut flux, mut lost, mut pixels) = (0.0, 0.0, 0.0);
    for j in 0..whole.height() {
        for i in 0..whole.width() {
            let (all, kept) = (whole.get(i, j), with.get(i, j));
            let out = (i as f64 - x).hypot(j as f64 - y);
            if out <= WITHIN * fwhm {
                flux += f64::from(all);
                lost += f64::from(all - kept);
                pixels += 1.0;
            } else if out <= AROUND * fwhm && all.is_finite() {
                sky.push(all);
                apart.push(all - kept);
            }
        }
    }
    if sky.is_empty() {
        return None;
    }
    let middle = |of: &[f32]| f64::from(stat::median(of));
    let share = (lost - pixels * middle(&apart)) / (flux - pixels * middle(&sky));
    share.is_finite().then_some(share)
}
