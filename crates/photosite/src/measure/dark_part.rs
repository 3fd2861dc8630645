//! Parts of lights that show no sky where other lights show theirs: an output that failed, a tree, a roof.

use photosite_pix::normal::Normal;
use photosite_pix::stars::Mesh;
use photosite_pix::stat::median_f64;

/// Places along either side at which the background is asked.
const PLACES: usize = 24;

/// A dark place has less than this share of the light's own bright ones, and of the sky that is usual.
const DARK: f64 = 0.3;

/// A sky that slopes is dark at one end: what hides it has less than this share of what the slope foretells.
const STEEPER: f64 = 0.5;

/// Levels lie on a slope if it leaves no more than this share of their variance.
const BENT: f64 = 0.1;

/// Where a light is dark, others have at least this share of their own bright places: so a nebula beside a dark sky
/// hides nothing.
const EVEN: f64 = 0.6;

/// Where more than half of the lights are dark the others count if they show the same sky there as elsewhere, to this
/// factor, and the dark ones show nothing, to this many sigmas of a sample: else it is a landscape that stands before
/// the sky, and a lamp lights it.
const SAME: f64 = 1.33;
const NOTHING: f64 = 1.0;

/// The share of a light that its bright places are.
const BRIGHT: f64 = 0.05;

/// The sky tells from so many sigmas of a sample on: what is fainter may be no brighter than zero is known.
const TELLS: f64 = 1.0;

/// The least share of a light that is a part of it.
const PART: f64 = 0.05;

/// The background of a light at some places, over zero.
struct Sky {
    levels: Vec<f64>,
    /// What the slope of all that is not dark foretells.
    foretold: Vec<f64>,
    bright: f64,
    middle: f64,
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
        let middle = sorted[sorted.len() / 2];
        let foretold = sloped(&levels, DARK * bright);
        Self { levels, foretold, bright, middle, sigma: mesh.typical().1 }
    }

    /// Whether a place is dark, beside a bright one of a usual sky.
    fn is_dark(&self, place: usize, usual: f64) -> bool {
        let level = self.levels[place];
        level < DARK * self.bright.min(usual) && level < STEEPER * self.foretold[place]
    }

    fn shows(&self, place: usize) -> bool {
        self.levels[place] > EVEN * self.bright
    }
}

/// What the slope of the levels from `least` on foretells everywhere: infinitely much where they lie on none.
fn sloped(levels: &[f64], least: f64) -> Vec<f64> {
    let terms = |place: usize| [1.0, (place % PLACES) as f64, (place / PLACES) as f64];
    let told: Vec<usize> = (0..levels.len()).filter(|place| levels[*place] >= least).collect();
    let mut equations = Normal::<3, 1>::default();
    told.iter().for_each(|place| equations.add(terms(*place), [levels[*place]], 1.0));
    let none = vec![f64::INFINITY; levels.len()];
    let Some(slope) = equations.solve() else { return none };
    let at = |place: usize| terms(place).iter().zip(&slope).map(|(t, [c])| t * c).sum::<f64>();
    let squares = |of: &dyn Fn(usize) -> f64| told.iter().map(|p| of(*p).powi(2)).sum::<f64>();
    let mean = told.iter().map(|place| levels[*place]).sum::<f64>() / told.len() as f64;
    let (bent, all) = (squares(&|p| levels[p] - at(p)), squares(&|p| levels[p] - mean));
    if bent > BENT * all { none } else { (0..levels.len()).map(at).collect() }
}

/// Lights that are unlike the others in a part of them, by their backgrounds: the share of each that is so, 0 where that
/// is no part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct OddParts {
    /// What shows no sky where others show theirs.
    ///
    /// After flats the sky is even: a light that is dark in a part is not as the sky is, even if most are so.
    pub dark: Vec<f64>,
    /// What is bright where most others are dark and rightly so, in a landscape.
    pub lit: Vec<f64>,
}

/// Holds the backgrounds of lights against each other.
pub fn odd_parts(backgrounds: &[&Mesh]) -> OddParts {
    let skies: Vec<Sky> = backgrounds.iter().map(|mesh| Sky::of(mesh)).collect();
    let usual = median_f64(&skies.iter().map(|s| s.bright).collect::<Vec<f64>>());
    let is_dark = |sky: &Sky, place: usize| sky.is_dark(place, usual);
    let even = |place: usize| {
        let (showing, dark): (Vec<&Sky>, Vec<&Sky>) = skies.iter().partition(|s| s.shows(place));
        let same = |s: &&Sky| (s.levels[place] / s.middle).ln().abs() < SAME.ln();
        let nothing = |s: &&&Sky| s.levels[place] < NOTHING * s.sigma;
        2 * showing.len() >= skies.len()
            || 4 * showing.len() >= skies.len()
                && showing.iter().all(same)
                && 2 * dark.iter().filter(nothing).count() > dark.len()
    };
    let told: Vec<bool> = (0..PLACES * PLACES).map(even).collect();
    let mostly_dark = |place: usize| {
        !told[place] && 2 * skies.iter().filter(|s| is_dark(s, place)).count() > skies.len()
    };
    let landscape: Vec<bool> = (0..PLACES * PLACES).map(mostly_dark).collect();
    let share = |sky: &Sky, counts: &dyn Fn(usize) -> bool| {
        let share = (0..PLACES * PLACES).filter(|place| counts(*place)).count() as f64
            / (PLACES * PLACES) as f64;
        if sky.bright.min(usual) < TELLS * sky.sigma || share < PART { 0.0 } else { share }
    };
    let dark = |sky: &Sky| share(sky, &|place| told[place] && is_dark(sky, place));
    let lit = |sky: &Sky| share(sky, &|place| landscape[place] && sky.shows(place));
    OddParts { dark: skies.iter().map(dark).collect(), lit: skies.iter().map(lit).collect() }
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
        Mesh::of(&data, &mask)
    }

    fn parts(of: &[&dyn Fn(usize, usize) -> f32]) -> OddParts {
        let all: Vec<Mesh> = of.iter().map(|level| background(*level)).collect();
        odd_parts(&all.iter().collect::<Vec<_>>())
    }

    fn shares(of: &[&dyn Fn(usize, usize) -> f32]) -> Vec<f64> {
        parts(of).dark
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
    fn a_landscape_that_a_lamp_lights_hides_nothing() {
        for (dark, lit) in [(40.0, [500.0, 210.0]), (40.0, [310.0, 290.0]), (0.5, [500.0, 520.0])] {
            let scape = |level: f32| move |_: usize, y: usize| if y > 256 { level } else { 300.0 };
            let (dark, bright, dim) = (scape(dark), scape(lit[0]), scape(lit[1]));
            let told = parts(&[&dark, &dark, &bright, &dark, &dark, &dim, &dark, &dark]);
            assert_eq!(told.dark, [0.0; 8], "{lit:?}");
            for (i, lit) in told.lit.into_iter().enumerate() {
                assert_eq!(lit > 0.2, [2, 5].contains(&i), "{i}: {lit}");
            }
        }
    }

    #[test]
    fn dawn_a_setting_moon_and_nebulae_hide_nothing() {
        let dark = |_: usize, _: usize| 25.0;
        let dawn = |x: usize, _: usize| 20.0 + x as f32;
        let moon = |_: usize, _: usize| 400.0;
        let told = parts(&[&dark, &dark, &dawn, &moon, &dark]);
        assert_eq!((told.dark, told.lit), (vec![0.0; 5], vec![0.0; 5]));
        // A steep gradient, which goes down to nothing in one corner.
        let even = |_: usize, _: usize| 25.0;
        let steep = |x: usize, y: usize| (0.06 * (x + y) as f32 - 4.0).max(1.0);
        assert_eq!(shares(&[&even, &even, &steep, &even]), [0.0; 4]);
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
