//! How the light of stars grows beyond their aperture: wings that no width tells.

use std::collections::BTreeMap;

use photosite_pix::stars::{Mesh, Star};
use photosite_pix::stat::{median_f64, median_in_place, median_scatter};
use photosite_pix::{MaskBits, Plane};
use serde::{Deserialize, Serialize};

/// Radii in apertures.
const RADII: [f64; 5] = [1.2, 1.4, 1.6, 1.8, 2.0];

/// Where the sky beside a star is taken from, in apertures.
const RING: (f64, f64) = (2.2, 3.0);

/// What lies beyond the outermost radius, of the square of what lies between it and the aperture: that of Moffat's
/// profiles with exponents from 2.5 to 4, whose wings reach beyond where the sky is taken.
const BEYOND: f64 = 2.5;

/// Stars with signal over noise above this, at most so many and at least so many.
const SNR: f64 = 250.0;
const MOST: usize = 40;
const LEAST: usize = 3;

/// A star with a neighbour of this share of its light in its ring tells nothing.
const NEIGHBOUR: f64 = 0.01;

/// How unlike wings beyond apertures are from light to light, and how alike stars of one light tell them at the best.
const UNLIKE: f64 = 0.02;
const LEAST_SCATTER: f64 = 0.003;

/// The error of a median of normal numbers over that of their mean.
const MEDIAN_ERROR: f64 = 1.2533;

/// What a star must not stand on; repaired pixels tell enough of its wings.
const LOST: MaskBits = MaskBits::NO_DATA.union(MaskBits::SATURATED);

/// The light of stars within some radii, over that within the aperture, star by star: what is true of one light's
/// stars is held against the same stars of another, so that neighbours of their own stand in both.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Growth {
    aperture_px: f64,
    /// Of bright, single stars by their place in the list, at [`RADII`].
    stars: BTreeMap<usize, [f64; RADII.len()]>,
}

impl Growth {
    /// Of the bright, single stars of a frame.
    pub fn of(
        data: &Plane<f32>,
        mask: &Plane<MaskBits>,
        mesh: &Mesh,
        (stars, aperture_px): (&[Star], f64),
    ) -> Self {
        let reach_px2 = (RING.1 * aperture_px).powi(2);
        let single = |star: &Star| {
            stars.iter().all(|other| {
                let away_px2 = (other.x - star.x).powi(2) + (other.y - star.y).powi(2);
                away_px2 == 0.0 || away_px2 > reach_px2 || other.flux < NEIGHBOUR * star.flux
            })
        };
        let bright = stars.iter().enumerate().filter(|(_, s)| s.snr > SNR && single(s)).take(MOST);
        let grown = |(i, star): (usize, &Star)| {
            let shares = within(data, mask, mesh, star, aperture_px)?;
            shares.iter().all(|s| *s > 0.0).then_some((i, shares))
        };
        Self { aperture_px, stars: bright.filter_map(grown).collect() }
    }

    /// All of a star's light over that within its aperture; `None` where it is not known.
    fn all_of(&self, star: usize) -> Option<f64> {
        let seen = self.stars.get(&star)?.last()? - 1.0;
        Some(1.0 + seen + BEYOND * seen * seen)
    }

    /// The light of a star within a radius over that within the aperture; `None` where it is not known.
    fn at(&self, star: usize, radius_px: f64) -> Option<f64> {
        let shares = self.stars.get(&star)?;
        let radius = radius_px / self.aperture_px;
        let mut before = (1.0, 1.0);
        for (to, share) in RADII.into_iter().zip(*shares) {
            if radius <= to {
                let part = ((radius - before.0) / (to - before.0)).max(0.0);
                return Some(before.1 + part * (share - before.1));
            }
            before = (to, share);
        }
        radius.is_finite().then_some(before.1)
    }

    /// How much more light the stars of this frame have beyond their apertures than the same stars of another, and the
    /// relative error of that; `None` where fewer than three tell it.
    ///
    /// Wings that seeing makes go by the width of stars, those of optics do not: the answer lies between what all light
    /// tells, as far as each frame shows it, and what one circle on the sky does, the radius of which in pixels of each
    /// is given. The fewer and fainter the stars, the nearer it is to 1.
    pub fn over(
        &self,
        radius_px: f64,
        (other, other_px): (&Self, f64),
        same: &[(usize, usize)],
    ) -> Option<(f64, f64)> {
        let ratio = |&(there, here): &(usize, usize)| {
            let all = self.all_of(here)? / other.all_of(there)?;
            let within = self.at(here, radius_px)? / other.at(there, other_px)?;
            (all > 0.0 && within > 0.0).then(|| (all.ln(), within.ln()))
        };
        let (all, within): (Vec<f64>, Vec<f64>) = same.iter().filter_map(ratio).unzip();
        if all.len() < LEAST {
            return None;
        }
        let (middle, scatter) = median_scatter(&all);
        let half = 0.5 * (median_f64(&within) - middle);
        let variance = (MEDIAN_ERROR * scatter.max(LEAST_SCATTER)).powi(2) / all.len() as f64;
        let share = UNLIKE * UNLIKE / (UNLIKE * UNLIKE + variance);
        Some(((share * (middle + half)).exp(), (share * variance).sqrt().hypot(half)))
    }
}

/// What a star's light grows by; `None` where samples are missing.
fn within(
    data: &Plane<f32>,
    mask: &Plane<MaskBits>,
    mesh: &Mesh,
    star: &Star,
    aperture_px: f64,
) -> Option<[f64; RADII.len()]> {
    let reach = RING.1 * aperture_px;
    let inside = |v: f64, end: usize| v > reach + 1.0 && v + reach + 2.0 < end as f64;
    if !inside(star.x, data.width()) || !inside(star.y, data.height()) {
        return None;
    }
    let level = mesh.level_at(star.x, star.y);
    let (mut sums, mut areas) = ([0.0; RADII.len() + 1], [0.0; RADII.len() + 1]);
    let mut ring = Vec::new();
    for y in (star.y - reach) as usize..=(star.y + reach) as usize + 1 {
        for x in (star.x - reach) as usize..=(star.x + reach) as usize + 1 {
            let away = (x as f64 - star.x).hypot(y as f64 - star.y);
            let v = f64::from(data.get(x, y)) - level;
            if away <= reach && (!v.is_finite() || mask.get(x, y).intersects(LOST)) {
                return None;
            }
            if away >= RING.0 * aperture_px && away <= reach {
                ring.push(v as f32);
            }
            for (k, radius) in std::iter::once(1.0).chain(RADII).enumerate() {
                let share = (radius * aperture_px + 0.5 - away).clamp(0.0, 1.0);
                sums[k] += share * v;
                areas[k] += share;
            }
        }
    }
    let beside = f64::from(median_in_place(&mut ring));
    let light = |k: usize| sums[k] - areas[k] * beside;
    let shares = std::array::from_fn(|k| light(k + 1) / star.flux);
    (star.flux > 0.0).then_some(shares)
}
