//! Channels balanced by the stars that they have in common.

use photosite_pix::align::{Point, Transform, coincident};
use photosite_pix::stat::median_scatter;
use photosite_pix::{Frame, MaskBits};
use serde::Serialize;

use crate::measure::StarField;

/// What a channel is multiplied with so that the typical star has no colour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Balance {
    /// The factor.
    pub scale: f64,
    /// One standard deviation of it: the colours of stars scatter.
    pub scale_error: f64,
    /// Stars that it is taken from.
    pub stars: usize,
}

/// Stars fainter than this are left out: what is found in noise has no colour.
const LEAST_SNR: f64 = 20.0;

/// Fewer stars than this may all be red.
const LEAST_STARS: usize = 5;

/// The factor that brings the stars of one channel to those of another, both on one grid with their sky at
/// 0: the median over the stars that both have, none of them saturated. `None` where they are too few.
pub fn balance(own: (&Frame, &StarField), wanted: (&Frame, &StarField)) -> Option<Balance> {
    let points =
        |field: &StarField| field.stars.iter().map(|s| Point::new(s.x, s.y)).collect::<Vec<_>>();
    let pairs = coincident(&Transform::IDENTITY, &points(wanted.1), &points(own.1));
    let sound = |(frame, field): (&Frame, &StarField), i: usize| {
        let star = field.stars[i];
        let bits = frame.mask.get(star.x.round() as usize, star.y.round() as usize);
        (star.snr > LEAST_SNR && star.flux > 0.0 && !bits.contains(MaskBits::SATURATED))
            .then_some(star.flux)
    };
    let ratios: Vec<f64> = pairs
        .into_iter()
        .filter_map(|(there, here)| Some((sound(wanted, there)?, sound(own, here)?)))
        .map(|(there, here)| (there / here).ln())
        .collect();
    if ratios.len() < LEAST_STARS {
        return None;
    }
    let stars = ratios.len();
    let (middle, scatter) = median_scatter(&ratios);
    let scale = middle.exp();
    // A median is known a quarter less well than a mean.
    let scale_error = scale * 1.2533 * scatter / (stars as f64).sqrt();
    Some(Balance { scale, scale_error, stars })
}
