//! Pixels that do not measure light: found in masters, repaired in lights.
//!
//! ```
//! use photosite::defects::{find, mark, repair};
//! use photosite_pix::{Frame, MaskBits, Plane, Size, Unit};
//!
//! // A dark with noise of about 2 ADU and one hot pixel.
//! let noise = |x: usize, y: usize| ((x * 7 + y * 13) % 5) as f32;
//! let mut dark = Plane::from_fn(Size::new(64, 64), noise);
//! dark.set(20, 30, 400.0);
//! let found = find(&dark, 0..64, None, 1.5);
//! let mut frame = Frame::new(dark, Unit::Adu);
//! assert_eq!(mark(&mut frame, &found), (1, 0));
//! assert!(frame.mask.get(20, 30).contains(MaskBits::HOT));
//! assert_eq!(repair(&mut frame, None, &[(20, 30)]), 1);
//! assert!(frame.data.get(20, 30) < 5.0);
//! ```

mod cosmic;
pub mod exchange;
mod faint;
mod find;
mod judge;
mod lines;
mod map;
mod noise;
mod repair;
mod seen;
mod sums;
mod telegraph;

use std::ops::Range;

use photosite_pix::{Frame, MaskBits};

pub use cosmic::{find_cosmic_rays, remove_cosmic_rays};
pub use faint::{faint_lines, segments};
pub use find::find;
pub use judge::{Kind, Stand, judge, peaks, stands};
pub use lines::{Cluster, Line, clusters, fill_lines};
pub use map::{Aged, Counts, DefectMap, MAP_SCHEMA, MapFacts, aged};
pub use noise::{CELL, FrameNoise, cell_variances};
pub use repair::{CALLS_FOR_REPAIR, REPAIRED, leave_holes, reach, repair, rows_around};
pub use seen::{Seen, merge};
pub use sums::{mean_and_variance, share_without_extreme};
pub use telegraph::{FEWEST_FRAMES, Level, Rows, Unsteady, unsteady};

/// How far beyond its surroundings a pixel must stand, in sigmas.
pub const KAPPA: f32 = 8.0;

/// Side in pixels of the tiles in which the noise is measured.
const TILE: usize = 256;

/// Steps of one colour to each side that count as surroundings: a 5x5 neighbourhood.
const REACH: isize = 2;

/// A pixel that does not measure light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defect {
    /// Column.
    pub x: usize,
    /// Row.
    pub y: usize,
    /// HOT or COLD.
    pub bits: MaskBits,
}

/// Rows of one tile: what [`find`] is best asked for at a time.
pub fn bands(height: usize) -> impl Iterator<Item = Range<usize>> {
    (0..height).step_by(TILE).map(move |y0| y0..(y0 + TILE).min(height))
}

/// Enters defects into a frame's mask; returns the numbers of HOT and COLD pixels.
pub fn mark(frame: &mut Frame, defects: &[Defect]) -> (usize, usize) {
    for d in defects {
        frame.mask.row_mut(d.y)[d.x] |= d.bits;
    }
    let hot = defects.iter().filter(|d| d.bits.contains(MaskBits::HOT)).count();
    (hot, defects.len() - hot)
}

/// Rows of one colour that are looked at for a pixel.
const ROWS: usize = 2 * REACH.unsigned_abs() + 1;

#[cfg(test)]
mod tests {
    use photosite_pix::{CfaPattern, Plane, Size, Unit};

    use super::*;

    /// A plane of level 1000 and sigma 2 with a slope, from a small generator.
    fn noisy(size: Size) -> Plane<f32> {
        let mut state = 7u64;
        Plane::from_fn(size, |x, y| {
            let mut sum = -6.0f32;
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                sum += (state >> 40) as f32 / (1u64 << 24) as f32;
            }
            1000.0 + 2.0 * sum + 0.05 * x as f32 + 0.1 * y as f32
        })
    }

    fn mark_all(frame: &mut Frame, cfa: Option<CfaPattern>, frame_noise: f32) -> (usize, usize) {
        let found: Vec<Defect> = bands(frame.size().height)
            .flat_map(|rows| find(&frame.data, rows, cfa, frame_noise))
            .collect();
        mark(frame, &found)
    }

    #[test]
    fn hot_and_cold_pixels_are_found_and_nothing_else() {
        let mut data = noisy(Size::new(300, 280));
        for (x, y, add) in [(0, 0, 60.0), (150, 100, 60.0), (151, 100, 40.0), (299, 279, 500.0)] {
            data.set(x, y, data.get(x, y) + add);
        }
        data.set(20, 30, 0.0);
        data.set(40, 40, f32::NAN);
        let mut frame = Frame::new(data, Unit::Adu);
        assert_eq!(mark_all(&mut frame, None, 0.0), (4, 1));
        assert!(frame.mask.get(20, 30).contains(MaskBits::COLD));
        assert!(frame.mask.get(151, 100).contains(MaskBits::HOT));
        // Against a frame noise of 10 ADU, 60 ADU are no defect any more.
        let mut again = Frame::new(frame.data.clone(), Unit::Adu);
        assert_eq!(mark_all(&mut again, None, 10.0), (1, 1));
    }

    #[test]
    fn a_bayer_grid_is_no_defect() {
        let cfa = CfaPattern::parse("RGGB").unwrap();
        let mut data = noisy(Size::new(128, 128));
        for y in 0..128 {
            for x in 0..128 {
                let factor = [0.5, 1.0, 0.3][cfa.color(x, y).channel()];
                data.set(x, y, data.get(x, y) * factor);
            }
        }
        data.set(64, 64, data.get(64, 64) + 60.0);
        let mut frame = Frame::new(data, Unit::Adu);
        assert_eq!(mark_all(&mut frame, Some(cfa), 0.0), (1, 0));
        assert_eq!(repair(&mut frame, Some(cfa), &[(64, 64)]), 1);
        // The repaired value is that of red neighbours, about 500 + slope, not of green ones.
        assert!((frame.data.get(64, 64) - 505.0).abs() < 5.0, "{}", frame.data.get(64, 64));
        let mask = frame.mask.get(64, 64);
        assert!(mask.contains(MaskBits::INTERPOLATED | MaskBits::HOT));
    }

    #[test]
    fn a_defect_without_healthy_neighbours_stays_unknown() {
        let mut frame = Frame::new(Plane::filled(Size::new(3, 1), f32::NAN), Unit::Adu);
        assert_eq!(repair(&mut frame, None, &[(1, 0)]), 0);
        assert!(frame.mask.get(1, 0).contains(MaskBits::NO_DATA));
    }
}
