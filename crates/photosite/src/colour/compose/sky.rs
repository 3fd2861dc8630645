//! Where several pictures of one field show nothing but sky.

use photosite_pix::Frame;
use photosite_pix::stars::Mesh;
use photosite_pix::stat::median_f64;

/// Pixels between places that are looked at.
const STEP: usize = 32;

/// The darkest places, one in so many, are taken for sky: nebulae seldom leave less.
const DARKEST: usize = 10;

/// Places below which so few are no sample of the sky.
const LEAST: usize = 8;

/// The level of the sky in each of several pictures on one grid, at the same places in all of them: those
/// where all together are darkest, each in units of its own noise. So a nebula that fills half of the frame
/// makes no channel's sky. `None` where they have too few pixels in common.
pub fn common_sky(pictures: &[(&Frame, &Mesh)]) -> Option<Vec<f64>> {
    let size = pictures.first()?.0.size();
    let mut places: Vec<(f64, Vec<f64>)> = Vec::new();
    // At the rim a background is foretold, and the darkest of what is foretold is too dark.
    let rim = if size.width.min(size.height) > LEAST * STEP { STEP } else { 0 };
    for y in (rim + STEP / 2..size.height.saturating_sub(rim)).step_by(STEP) {
        for x in (rim + STEP / 2..size.width.saturating_sub(rim)).step_by(STEP) {
            if pictures.iter().any(|(frame, _)| !frame.data.get(x, y).is_finite()) {
                continue;
            }
            let levels: Vec<f64> =
                pictures.iter().map(|(_, mesh)| mesh.level_at(x as f64, y as f64)).collect();
            let noises = pictures.iter().map(|(_, mesh)| mesh.typical().1.max(f64::MIN_POSITIVE));
            let dark = levels.iter().zip(noises).map(|(level, noise)| level / noise).sum();
            places.push((dark, levels));
        }
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    places.truncate((places.len() / DARKEST).max(LEAST));
    if places.len() < LEAST {
        return None;
    }
    let level =
        |i: usize| median_f64(&places.iter().map(|(_, levels)| levels[i]).collect::<Vec<_>>());
    Some((0..pictures.len()).map(level).collect())
}
