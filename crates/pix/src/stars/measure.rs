//! One star, measured on the frame.

use std::f64::consts::PI;

use super::stamp::{Moments, REACH, Stamp};
use super::{Candidate, Criteria, FWHM_OF_SIGMA, Mesh, Star};
use crate::{MaskBits, Plane};

/// What stars of a frame look like, and how they are measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Standard deviation of a star's profile in pixels.
    pub sigma_px: f64,
    /// Signal over noise of a match where samples stand out by their noise:
    /// [`Matched::gain`](super::Matched::gain).
    pub match_gain: f64,
    /// Electrons per unit of the samples, where that is known: for errors.
    pub gain_e: Option<f64>,
    /// Stars are rings, as a telescope out of focus shows them: they are dark in the middle.
    pub hollow: bool,
}

impl Shape {
    /// The radius in pixels that fluxes are summed within.
    pub fn aperture_px(&self) -> f64 {
        APERTURE_FWHM * FWHM_OF_SIGMA * self.sigma_px
    }

    /// The standard deviation in pixels of the window that stars are centred and measured under: within a ring a
    /// narrow one would see no middle.
    pub fn window_px(&self) -> f64 {
        if self.hollow { RING_WINDOW * self.sigma_px } else { self.sigma_px.max(LEAST_WINDOW_PX) }
    }
}

/// Radius of the aperture in full widths at half maximum.
const APERTURE_FWHM: f64 = 1.5;

/// Rounds of centring at most; each brings the centre at least twice as near.
const ROUNDS: usize = 12;

/// A centre that moves less than this in pixels has been found.
const SETTLED_PX: f64 = 1e-4;

/// The share of what the neighbours of a star's highest pixel hold on average that is asked for.
const LEAST_RING: f64 = 0.5;

/// Below this signal over noise the shape of a star says nothing.
pub const SHAPELY_SNR: f64 = 20.0;

/// A profile narrower than this share of a star's is none.
const LEAST_WIDTH: f64 = 0.6;

/// A window of at least this standard deviation in pixels sees more than one sample.
const LEAST_WINDOW_PX: f64 = 0.8;

/// The window of rings over their profile.
const RING_WINDOW: f64 = 1.3;

/// A profile below this standard deviation in pixels leaves width and roundness to how a star falls
/// on the pixels; what is longer than so many of it is no star all the same.
const SAMPLED_PX: f64 = 0.75;
const LONGEST: f64 = 2.0;

/// What lies around a star is its background rather than the mesh from so many of its errors on: there
/// is a nebula.
const STANDS_OUT: f64 = 4.0;

/// Pixels that a star must not stand on: their samples are not its light.
const UNFIT: MaskBits = MaskBits::BAD.union(MaskBits::INTERPOLATED);

/// Measures a candidate; `None` where it is no star.
///
/// The centre is that of the frame's samples under a Gaussian window of the star's own width, found
/// by iteration; width and roundness come from the second moments under the window, the window
/// taken out. The flux is the sum over a round aperture, pixels on its rim in part; pixels that are
/// masked or not finite count with what the profile makes of them: nothing.
///
/// # Source
/// Bertin1996 as documented for the windowed positions; Stetson1987 for the idea of telling a star
/// by its sharpness.
pub fn measure(
    data: &Plane<f32>,
    mask: &Plane<MaskBits>,
    mesh: &Mesh,
    candidate: Candidate,
    shape: Shape,
    criteria: Criteria,
) -> Option<Star> {
    let (cx, cy) = (candidate.x, candidate.y);
    let radius = shape.aperture_px();
    let reach = (radius.ceil() as usize + 2).min(REACH);
    let inside = cx >= 2 && cy >= 2 && cx + 2 < data.width() && cy + 2 < data.height();
    if !inside {
        return None;
    }
    let mut background = mesh.level_at(cx as f64, cy as f64);
    let noise = mesh.sigma_at(cx as f64, cy as f64);
    let mut snr = f64::from(candidate.snr);
    let (x0, x1) = (cx.saturating_sub(reach), (cx + reach + 1).min(data.width()));
    let (y0, y1) = (cy.saturating_sub(reach), (cy + reach + 1).min(data.height()));
    let mut stamp = Stamp::of(data, mask, (x0..x1, y0..y1), background);
    if let Some((level, error)) = stamp.level_beyond(cx as f64, cy as f64, radius, noise)
        && level.abs() > STANDS_OUT * error
    {
        background += level;
        snr -= level * shape.match_gain / noise;
        if snr < criteria.snr {
            return None;
        }
        stamp = Stamp::of(data, mask, (x0..x1, y0..y1), background);
    }
    // The highest pixel near the maximum of the match, and its neighbours.
    let near = |x: usize, y: usize| f64::from(data.get(x, y)) - background;
    let core = |x: usize, y: usize| {
        (y - 1..=y + 1).flat_map(move |j| (x - 1..=x + 1).map(move |i| (i, j)))
    };
    let (px, py) = core(cx, cy).max_by(|a, b| near(a.0, a.1).total_cmp(&near(b.0, b.1)))?;
    if px < 1 || py < 1 || px + 1 >= data.width() || py + 1 >= data.height() {
        return None;
    }
    if core(px, py).any(|(i, j)| mask.get(i, j).intersects(UNFIT) || !data.get(i, j).is_finite()) {
        return None;
    }
    let peak = near(px, py);
    let ring = (core(px, py).map(|(i, j)| near(i, j)).sum::<f64>() - peak) / 8.0;
    let falls = |d2: f64| (-0.5 * d2 / (shape.sigma_px * shape.sigma_px)).exp();
    let lone = if shape.hollow {
        // What the match makes of the highest pixel alone.
        let alone = peak / noise * shape.match_gain / (2.0 * PI * shape.sigma_px.powi(2));
        alone > LEAST_RING * snr
    } else {
        let expected = 0.5 * (falls(1.0) + falls(2.0));
        ring < LEAST_RING * expected * peak - noise / 8.0f64.sqrt()
    };
    if lone {
        return None;
    }

    let window_px = shape.window_px();
    let (mut x, mut y) = (px as f64, py as f64);
    for _ in 0..ROUNDS {
        let Moments { sum, x: mx, y: my, .. } = stamp.moments(x, y, window_px);
        if sum <= 0.0 {
            return None;
        }
        // Twice: the window holds a Gaussian of its own width back by half.
        let (step_x, step_y) = (2.0 * mx / sum, 2.0 * my / sum);
        (x, y) = (x + step_x, y + step_y);
        let gone = (x - px as f64).abs().max((y - py as f64).abs());
        if gone.is_nan() || gone > 2.0 + shape.sigma_px {
            return None;
        }
        if step_x.abs().max(step_y.abs()) < SETTLED_PX {
            break;
        }
    }
    let Moments { sum, xx, yy, xy, .. } = stamp.moments(x, y, window_px);
    let (xx, yy, xy) = (xx / sum, yy / sum, xy / sum);
    let per_window = 1.0 / (window_px * window_px);
    let (middle, half) = (0.5 * (xx + yy), (0.25 * (xx - yy).powi(2) + xy * xy).sqrt());
    // 1 / M = 1 / sigma^2 + 1 / w^2 for a Gaussian under a Gaussian window.
    let unwindowed = |m: f64| {
        let per = 1.0 / m - per_window;
        if m > 0.0 && per > 0.02 * per_window { (1.0 / per).sqrt() } else { f64::NAN }
    };
    let (long, short) = (unwindowed(middle + half), unwindowed(middle - half));
    let roundness = if long > 0.0 { (short / long).clamp(0.0, 1.0) } else { 0.0 };
    let fwhm_px = FWHM_OF_SIGMA * 0.5 * (long + short);
    if shape.sigma_px < SAMPLED_PX {
        if long.is_nan() || (roundness < criteria.roundness && long > LONGEST * shape.sigma_px) {
            return None;
        }
    } else if snr >= SHAPELY_SNR {
        let narrow = fwhm_px < LEAST_WIDTH * FWHM_OF_SIGMA * shape.sigma_px;
        if fwhm_px.is_nan() || narrow || roundness < criteria.roundness {
            return None;
        }
    }

    let (flux, area) = stamp.aperture(x, y, radius);
    let own = shape.gain_e.map_or(0.0, |g| flux.max(0.0) / g);
    let flux_error = (area * noise * noise + own).sqrt();
    Some(Star { x, y, flux, flux_error, snr, peak, background, fwhm_px, roundness })
}
