//! One star, measured on the frame.

use std::f64::consts::PI;

use super::stamp::{Moments, REACH, Stamp, is_unfit};
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

/// Apertures that the pixels reach to which a star is measured on: what lies beyond its aperture is the same part of its
/// wings whatever its width.
const BEYOND: f64 = 1.5;

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

/// So many of the nine pixels about a star's highest may be lost: the others tell what they held.
const MOST_LOST: usize = 2;

/// What is made up for a lost pixel is off by this share of it: profiles are no Gaussians.
const MADE_UP_ERROR: f64 = 0.1;

/// Measures a candidate; `None` where it is no star.
///
/// The centre is that of the frame's samples under a Gaussian window of the star's own width, found
/// by iteration; width and roundness come from the second moments under the window, the window
/// taken out. The flux is the sum over a round aperture, pixels on its rim in part. Pixels that are masked, or
/// were repaired, count with what the star's profile and the pixels beside them make of them, a tenth of which
/// is an error of the flux; saturated ones count with nothing.
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
    let reach = ((BEYOND * radius).ceil() as usize).min(REACH);
    let inside = cx >= 2 && cy >= 2 && cx + 2 < data.width() && cy + 2 < data.height();
    if !inside {
        return None;
    }
    let mut background = mesh.level_at(cx as f64, cy as f64);
    let noise = mesh.sigma_at(cx as f64, cy as f64);
    let mut snr = f64::from(candidate.snr);
    let (x0, x1) = (cx.saturating_sub(reach), (cx + reach + 1).min(data.width()));
    let (y0, y1) = (cy.saturating_sub(reach), (cy + reach + 1).min(data.height()));
    let made_up_within = ((cx, cy), radius + 2.0);
    let mut stamp = Stamp::of(data, mask, (x0..x1, y0..y1), made_up_within, background);
    if let Some((level, error)) = stamp.level_beyond(cx as f64, cy as f64, radius, noise)
        && level.abs() > STANDS_OUT * error
    {
        background += level;
        snr -= level * shape.match_gain / noise;
        if snr < criteria.snr {
            return None;
        }
        stamp.lower(level);
    }
    // The highest pixel near the maximum of the match, and its neighbours.
    let near = |x: usize, y: usize| f64::from(data.get(x, y)) - background;
    let core = |x: usize, y: usize| {
        (y - 1..=y + 1).flat_map(move |j| (x - 1..=x + 1).map(move |i| (i, j)))
    };
    let fit = |&(i, j): &(usize, usize)| !is_unfit(mask.get(i, j)) && data.get(i, j).is_finite();
    let (px, py) =
        core(cx, cy).filter(fit).max_by(|a, b| near(a.0, a.1).total_cmp(&near(b.0, b.1)))?;
    if px < 1 || py < 1 || px + 1 >= data.width() || py + 1 >= data.height() {
        return None;
    }
    let lost = core(px, py).filter(|at| !fit(at)).count();
    let saturated = |(i, j): (usize, usize)| mask.get(i, j).contains(MaskBits::SATURATED);
    if lost > MOST_LOST || core(px, py).any(saturated) {
        return None;
    }
    if stamp.lacks() {
        stamp.make_up(px as f64, py as f64, shape.sigma_px);
    }
    let peak = near(px, py);
    let ring = (core(px, py).map(|(i, j)| stamp.at(i, j)).sum::<f64>() - peak) / 8.0;
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
        if stamp.lacks() {
            stamp.make_up(x, y, shape.sigma_px);
        }
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
    let made_up = MADE_UP_ERROR * MADE_UP_ERROR * stamp.made_up(x, y, radius);
    let flux_error = (area * noise * noise + own + made_up).sqrt();
    Some(Star { x, y, flux, flux_error, snr, peak, background, fwhm_px, roundness })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Size;

    const SIGMA_PX: f64 = 1.45;

    /// A star over a level, with noise of 3, some of its pixels masked.
    fn measured(at: (f64, f64), lost: &[(usize, usize, MaskBits)]) -> Option<Star> {
        let size = Size::new(64, 64);
        let noise = |x: usize, y: usize| ((x * 7919 + y * 104_729) % 11) as f64 - 5.0;
        let star = |x: usize, y: usize| {
            let (dx, dy) = (x as f64 - at.0, y as f64 - at.1);
            3000.0 * (-0.5 * (dx * dx + dy * dy) / (SIGMA_PX * SIGMA_PX)).exp()
        };
        let mut data = Plane::from_fn(size, |x, y| (100.0 + noise(x, y) + star(x, y)) as f32);
        let mut mask: Plane<MaskBits> = Plane::zeroed(size);
        for (x, y, bits) in lost {
            if is_unfit(*bits) {
                data.set(*x, *y, 900.0);
            }
            mask.set(*x, *y, *bits);
        }
        let mesh = Mesh::of(&data, &mask);
        let shape = Shape { sigma_px: SIGMA_PX, match_gain: 5.0, gain_e: None, hollow: false };
        let candidate = Candidate { x: 32, y: 32, snr: 500.0 };
        measure(&data, &mask, &mesh, candidate, shape, Criteria::default())
    }

    #[test]
    fn what_is_lost_of_a_star_is_made_up() {
        let repaired = MaskBits::HOT | MaskBits::INTERPOLATED;
        for at in [(32.0, 32.0), (32.3, 31.8), (31.6, 32.5)] {
            let whole = measured(at, &[]).unwrap();
            for (lost, bits) in [
                (vec![(32, 32)], repaired),
                (vec![(33, 32)], MaskBits::NO_DATA),
                (vec![(33, 33), (31, 32)], MaskBits::COSMIC),
                (vec![(34, 33), (30, 32), (32, 34)], repaired),
            ] {
                let pixels: Vec<_> = lost.iter().map(|(x, y)| (*x, *y, bits)).collect();
                let star = measured(at, &pixels).unwrap();
                let off = (star.flux - whole.flux).abs();
                assert!(off < 0.005 * whole.flux, "{at:?} {lost:?}: {}", star.flux / whole.flux);
                assert!(off < 3.0 * star.flux_error, "{at:?} {lost:?}");
                assert!((star.x - whole.x).hypot(star.y - whole.y) < 0.02, "{at:?} {lost:?}");
            }
        }
    }

    #[test]
    fn colours_that_were_interpolated_are_a_stars_own() {
        let all = (0..64 * 64).map(|i| (i % 64, i / 64, MaskBits::INTERPOLATED));
        let masked: Vec<_> = all.filter(|(x, y, _)| (x + y) % 2 == 1).collect();
        assert_eq!(measured((32.0, 32.0), &masked), measured((32.0, 32.0), &[]));
    }

    #[test]
    fn a_star_of_which_too_much_is_lost_is_none() {
        let cross = [(32, 32), (33, 32), (32, 33), (31, 32), (32, 31)];
        assert_eq!(measured((32.0, 32.0), &cross.map(|(x, y)| (x, y, MaskBits::HOT))), None);
        assert_eq!(measured((32.0, 32.0), &[(32, 32, MaskBits::SATURATED)]), None);
    }
}
