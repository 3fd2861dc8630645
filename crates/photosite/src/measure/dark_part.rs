//! Parts of lights that show no sky where other lights show theirs: an output that failed, a tree, a roof.

use photosite_pix::stars::Mesh;
use photosite_pix::stat::median_f64;

/// Places along either side at which the background is asked.
const PLACES: usize = 24;

/// A dark place has less than this share of the light's own bright ones, and of the sky that is usual.
const DARK: f64 = 0.3;

/// Where a light is dark, others have at least this share of their own bright places: so a nebula beside a dark sky
/// hides nothing.
const EVEN: f64 = 0.6;

/// The share of a light that its bright places are.
const BRIGHT: f64 = 0.05;

/// The sky tells from so many sigmas of a sample on: what is fainter may be no brighter than zero is known.
const TELLS: f64 = 1.0;

/// The least share of a light that is a part of it.
const PART: f64 = 0.05;

/// The background of a light at some places, over zero.
struct Sky {
    levels: Vec<f64>,
    bright: f64,
    sigma: f64,
}

impl Sky {
    fn of(mesh: &Mesh) -> Self {
        let size = mesh.size();
        let at = |i: usize, end: usize| (i as f64 + 0.5) / PLACES as f64 * end as f64;
        let places = (0..PLACES * PLACES).map(|i| (i % PLACES, i / PLACES));
        let levels: Vec<f64> =
            places.map(|(i, j)| mesh.level_at(at(i, size.width), at(j, size.height))).collect();
        let mut sorted = levels.clone();
        sorted.sort_by(f64::total_cmp);
        let bright = sorted[((1.0 - BRIGHT) * sorted.len() as f64) as usize];
        Self { levels, bright, sigma: mesh.typical().1 }
    }
}

/// The share of each light that shows no sky where others show theirs, by their backgrounds; 0 where that is no
/// part of it.
///
/// After flats the sky is even: a light that is dark in a part is not as the sky is, however many are so.
pub fn dark_shares(backgrounds: &[&Mesh]) -> Vec<f64> {
    let skies: Vec<Sky> = backgrounds.iter().map(|mesh| Sky::of(mesh)).collect();
    let usual = median_f64(&skies.iter().map(|s| s.bright).collect::<Vec<f64>>());
    let even = |place: usize| {
        skies.iter().filter(|s| s.levels[place] > EVEN * s.bright).count() * 4 >= skies.len()
    };
    let told: Vec<bool> = (0..PLACES * PLACES).map(even).collect();
    let share = |sky: &Sky| {
        let bound = DARK * sky.bright.min(usual);
        let dark = sky.levels.iter().zip(&told).filter(|(level, told)| **told && **level < bound);
        let share = dark.count() as f64 / sky.levels.len() as f64;
        if sky.bright.min(usual) < TELLS * sky.sigma || share < PART { 0.0 } else { share }
    };
    skies.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use photosite_pix::{MaskBits, Plane, Size};

    use super::*;

    fn background(level: &dyn Fn(usize, usize) -> f32) -> Mesh {
        let size = Size::new(512, 384);
        let noise = |x: usize, y: usize| ((x * 7 + y * 13 + x * y) % 11) as f32 - 5.0;
        let data = Plane::from_fn(size, |x, y| level(x, y) + noise(x, y));
        let mask = Plane::filled(size, MaskBits::empty());
        let rows = (0..Mesh::rows_of(size)).map(|i| Mesh::measure_row(&data, &mask, i)).collect();
        Mesh::new(size, rows)
    }

    fn shares(of: &[&dyn Fn(usize, usize) -> f32]) -> Vec<f64> {
        let all: Vec<Mesh> = of.iter().map(|level| background(*level)).collect();
        dark_shares(&all.iter().collect::<Vec<_>>())
    }

    #[test]
    fn dark_parts_are_told_though_most_lights_have_them() {
        let even = |_: usize, _: usize| 300.0;
        let quarter = |x: usize, y: usize| if x < 256 && y < 192 { 0.5 } else { 300.0 };
        let most = |x: usize, y: usize| if x > 320 && y > 192 { 280.0 } else { 6.0 };
        let told = shares(&[&even, &quarter, &quarter, &even, &most]);
        assert_eq!((told[0], told[3]), (0.0, 0.0));
        assert!((0.15..0.3).contains(&told[1]), "{told:?}");
        assert!(told[4] > 0.7, "{told:?}");
        let told = shares(&[&quarter, &even, &quarter, &quarter]);
        assert!(told[1] == 0.0 && told[0] > 0.15 && told[3] > 0.15, "{told:?}");
    }

    #[test]
    fn dawn_a_setting_moon_and_nebulae_hide_nothing() {
        let dark = |_: usize, _: usize| 25.0;
        let dawn = |x: usize, _: usize| 20.0 + x as f32;
        let moon = |_: usize, _: usize| 400.0;
        assert_eq!(shares(&[&dark, &dark, &dawn, &moon, &dark]), [0.0; 5]);
        let nebula = |x: usize, _: usize| if x < 160 { 200.0 } else { 12.0 };
        let beside = |x: usize, _: usize| if x < 190 { 200.0 } else { 12.0 };
        assert_eq!(shares(&[&nebula, &beside, &nebula]), [0.0; 3]);
        // Without a sky nothing is told.
        assert_eq!(shares(&[&|_, _| 0.0, &|_, _| 0.5]), [0.0; 2]);
        // Nor where all are alike.
        let quarter = |x: usize, y: usize| if x < 256 && y < 192 { 0.5 } else { 300.0 };
        assert_eq!(shares(&[&quarter, &quarter]), [0.0; 2]);
    }
}
