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

/// A channel and its stars.
pub type Channel<'a> = (&'a Frame, &'a StarField);

/// The factor that brings the stars of one channel to those of another, both on one grid with their sky at
/// 0: the median over the stars that both have, none of them saturated. `None` where they are too few.
pub fn balance(own: Channel<'_>, wanted: Channel<'_>) -> Option<Balance> {
    let ratios: Vec<f64> = ratios(own, wanted).into_iter().map(|(_, ratio)| ratio).collect();
    let (middle, error) = middle(&ratios)?;
    Some(Balance { scale: middle.exp(), scale_error: middle.exp() * error, stars: ratios.len() })
}

/// The factor by which the colours of stars are others than they were, by the stars of two channels before and after,
/// and its relative error. `None` where stars in common are too few.
pub fn recoloured(before: [Channel<'_>; 2], after: [Channel<'_>; 2]) -> Option<(f64, f64)> {
    let [before, after] = [before, after].map(|[own, wanted]| ratios(own, wanted));
    let points = |of: &[(Point, f64)]| of.iter().map(|(at, _)| *at).collect::<Vec<_>>();
    let same = coincident(&Transform::IDENTITY, &points(&before), &points(&after));
    let changes: Vec<f64> = same.into_iter().map(|(b, a)| before[b].1 - after[a].1).collect();
    let (middle, error) = middle(&changes)?;
    Some((middle.exp(), error))
}

/// The median of logarithms of enough stars, and its standard error.
fn middle(ratios: &[f64]) -> Option<(f64, f64)> {
    if ratios.len() < LEAST_STARS {
        return None;
    }
    let (middle, scatter) = median_scatter(ratios);
    // A median is known a quarter less well than a mean.
    Some((middle, 1.2533 * scatter / (ratios.len() as f64).sqrt()))
}

/// Where stars lie that two channels have in common, and the logarithm of the wanted flux over the own.
fn ratios(own: Channel<'_>, wanted: Channel<'_>) -> Vec<(Point, f64)> {
    let points =
        |field: &StarField| field.stars.iter().map(|s| Point::new(s.x, s.y)).collect::<Vec<_>>();
    let there = points(wanted.1);
    let pairs = coincident(&Transform::IDENTITY, &there, &points(own.1));
    let sound = |(frame, field): Channel<'_>, i: usize| {
        let star = field.stars[i];
        let bits = frame.mask.get(star.x.round() as usize, star.y.round() as usize);
        (star.snr > LEAST_SNR && star.flux > 0.0 && !bits.contains(MaskBits::SATURATED))
            .then_some(star.flux)
    };
    pairs
        .into_iter()
        .filter_map(|(i, here)| Some((there[i], sound(wanted, i)? / sound(own, here)?)))
        .map(|(at, ratio)| (at, ratio.ln()))
        .collect()
}
