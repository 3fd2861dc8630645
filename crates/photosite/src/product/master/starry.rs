//! Stars that stand at one place in the flats of a set: rejection keeps them, and each light would get a
//! hole there.

use photosite_pix::stars::{Criteria, Star};
use photosite_pix::{CfaPattern, Frame, MaskBits, Plane, stat};

use crate::Result;
use crate::measure::{find_stars, pixels_about};
use crate::work::Context;

/// What may be a star of a flat.
const STARLIKE: Criteria = Criteria { snr: 7.0, roundness: 0.3, shared: 1.0 };

/// So many that stand clearly out of the noise of the master and are round are stars, and so is then what is
/// fainter; fewer are a glint, or a cluster of bright pixels.
const FEWEST: usize = 3;
const CLEAR: Criteria = Criteria { snr: 25.0, roundness: 0.6, shared: 1.0 };

/// Widths of stars in pixels: narrower are pixels of their own response, wider are light of the optics.
const WIDTHS_PX: (f64, f64) = (1.5, 12.0);

/// So many widths about a star hold what of it stands out of the noise, and so many more what is beside it.
const REACH_WIDTHS: f64 = 2.0;
const BESIDE_WIDTHS: f64 = 1.0;

/// Gives the pixels under the stars of a master flat the level of their surroundings of the same colour, and
/// marks them [`MaskBits::INTERPOLATED`]; the number of stars.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn without_stars(
    flat: &mut Frame,
    cfa: Option<CfaPattern>,
    context: &Context<'_>,
) -> Result<usize> {
    let stars = find_stars(&flat.data, &flat.mask, None, STARLIKE, context)?.stars;
    let (narrowest, widest) = WIDTHS_PX;
    let starlike = |s: &&Star| (narrowest..widest).contains(&s.fwhm_px);
    let stars: Vec<&Star> = stars.iter().filter(starlike).collect();
    let clear = |s: &&&Star| s.snr >= CLEAR.snr && s.roundness >= CLEAR.roundness;
    if stars.iter().filter(clear).count() < FEWEST {
        return Ok(0);
    }
    let size = flat.data.size();
    let reach = |star: &Star| REACH_WIDTHS * star.fwhm_px;
    let under = |star: &Star| {
        let reach = reach(star);
        pixels_about(star, reach, size).filter(move |(_, _, away)| *away <= reach)
    };
    let mut covered = Plane::filled(size, false);
    for (x, y, _) in stars.iter().flat_map(|star| under(star)) {
        covered.set(x, y, true);
    }
    let colour = |x: usize, y: usize| cfa.map_or(0, |cfa| cfa.color(x, y).channel());
    let mut filled: Vec<(usize, usize, f32)> = Vec::new();
    for star in &stars {
        let around = reach(star) + BESIDE_WIDTHS * star.fwhm_px;
        let mut beside: [Vec<f32>; 3] = Default::default();
        for (x, y, _) in pixels_about(star, around, size) {
            if !covered.get(x, y) && flat.mask.get(x, y).is_empty() {
                beside[colour(x, y)].push(flat.data.get(x, y));
            }
        }
        let levels = beside.map(|samples| stat::median(&samples));
        let made = under(star).map(|(x, y, _)| (x, y, levels[colour(x, y)]));
        filled.extend(made.filter(|(_, _, level)| level.is_finite()));
    }
    for (x, y, level) in filled {
        flat.data.set(x, y, level);
        flat.mask.set(x, y, flat.mask.get(x, y) | MaskBits::INTERPOLATED);
    }
    Ok(stars.len())
}
