//! Where samples end, as they show it: whether a level in the headers can be true, and whether there
//! is a plateau.

use photosite_pix::FrameKind;

use super::glance::{Glance, JUST_BELOW};

/// The share of samples above a converter's full scale, and their number, that contradict it.
const ABOVE_SHARE: f64 = 1e-5;
const ABOVE_COUNT: usize = 4;

/// A flat at more than this much of a saturation level says that the level is wrong; below that the
/// flat may well be overexposed.
const FLAT_ABOVE: f64 = 1.5;

/// A plateau stands this many sigmas above the median, holds so many times the samples just below
/// it, and so many samples: of several frames that end at one level, and of one.
const PLATEAU_SIGMAS: f64 = 20.0;
const PLATEAU_RATIO: usize = 4;
const PLATEAU_OF_SEVERAL: usize = 8;
const PLATEAU_OF_ONE: usize = 24;

/// Why a saturation level in the headers of some frames cannot be true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Contradicted {
    /// A converter's full scale lies below this share of a frame's samples.
    Above {
        /// Which frame.
        frame: usize,
        /// The share of its samples.
        share: f64,
    },
    /// The level lies below the median of a frame.
    Median {
        /// Which frame.
        frame: usize,
        /// The median in ADU.
        median_adu: f64,
    },
}

/// Whether the frames of a set-up contradict a saturation level; `full_scale` where it is meant as
/// the end of the converter, which no sample exceeds.
pub fn contradicted(
    frames: &[(FrameKind, &Glance)],
    level_adu: f32,
    full_scale: bool,
) -> Option<Contradicted> {
    let level = f64::from(level_adu);
    frames.iter().enumerate().find_map(|(frame, (kind, glance))| {
        let median_adu = glance.median_adu;
        let most = match kind {
            FrameKind::Flat if !full_scale => FLAT_ABOVE * level,
            _ => level,
        };
        if median_adu > most {
            return Some(Contradicted::Median { frame, median_adu });
        }
        let (above, all) = glance.above(level_adu);
        let share = above as f64 / all.max(1) as f64;
        (full_scale && above >= ABOVE_COUNT && share > ABOVE_SHARE)
            .then_some(Contradicted::Above { frame, share })
    })
}

/// The level in ADU at which samples of a set-up's frames end, where enough of them stand there: far
/// more than just below it, which no star or hot pixel does by itself.
pub fn plateau(frames: &[&Glance]) -> Option<f32> {
    let top = frames.iter().map(|g| g.highest_adu).fold(f32::NEG_INFINITY, f32::max);
    let stands = |g: &&&Glance| {
        g.scatter_adu > 0.0
            && f64::from(top) > g.median_adu + PLATEAU_SIGMAS * g.scatter_adu
            && g.highest_adu == top
    };
    let (mut ends, mut at, mut below) = (0, 0, 0);
    for g in frames.iter().filter(stands) {
        ends += 1;
        at += g.at_highest;
        below += g.below_highest;
    }
    let enough = if ends > 1 { PLATEAU_OF_SEVERAL } else { PLATEAU_OF_ONE };
    let sharp = (at >= enough && at >= PLATEAU_RATIO * below).then_some(top);
    sharp.or_else(|| full_pixels(frames, top))
}

/// Pixels that are full before the converter ends hold levels that scatter by the read noise, by this many of it from
/// one end to the other.
const PLATEAU_WIDTH: f64 = 8.0;

/// Such a plateau is so much narrower than the range of samples just below it, at least.
const NARROW: f64 = 0.2;

/// The low end of a plateau as wide as the noise of the quietest frames.
fn full_pixels(frames: &[&Glance], top: f32) -> Option<f32> {
    let noise = frames.iter().map(|g| g.scatter_adu).filter(|s| *s > 0.0);
    let width = PLATEAU_WIDTH * noise.fold(f64::INFINITY, f64::min);
    let end = top - width as f32;
    let (mut at, mut below) = (0, 0);
    for g in frames.iter().filter(|g| g.highest_adu >= end) {
        let beside = JUST_BELOW * (top - g.median_adu as f32);
        let is_narrow = width < NARROW * f64::from(beside);
        let is_far = f64::from(end) > g.median_adu + PLATEAU_SIGMAS * g.scatter_adu;
        if !is_narrow || !is_far {
            return None;
        }
        let (within, all) = (g.above(end).0, g.above(top - beside).0);
        at += within;
        below += all - within;
    }
    (at >= PLATEAU_OF_ONE && at >= PLATEAU_RATIO * below).then_some(end)
}

#[cfg(test)]
mod tests {
    use photosite_pix::Size;

    use super::super::glance::tests::{glance, noise};
    use super::*;

    const SIZE: Size = Size { width: 200, height: 160 };

    /// A star field of `sky` that ends at `end`.
    fn stars(sky: f32, peak: f32, end: f32) -> Glance {
        glance(SIZE, |x, y| {
            let star = |cx: f32, cy: f32| {
                let r2 = (x as f32 - cx).powi(2) + (y as f32 - cy).powi(2);
                peak * (-r2 / 8.0).exp()
            };
            let v = sky + 10.0 * noise(x, y) + star(50.2, 40.1) + star(120.7, 20.4);
            v.round().min(end)
        })
    }

    #[test]
    fn a_level_that_samples_exceed_is_wrong() {
        let flat = |level: f32| glance(SIZE, |x, y| level + 100.0 * noise(x, y));
        for (kind, seen, level, full_scale, wrong) in [
            (FrameKind::Light, stars(6500.0, 9000.0, 65535.0), 4095.0, true, true),
            (FrameKind::Flat, flat(25_500.0), 4095.0, true, true),
            // Hot pixels or stars above the end of a converter, the sky below it.
            (FrameKind::Light, stars(900.0, 20_000.0, 65535.0), 4095.0, true, true),
            (FrameKind::Light, stars(900.0, 20_000.0, 4095.0), 4095.0, true, false),
            (FrameKind::Light, stars(900.0, 20_000.0, 65535.0), 65535.0, true, false),
            // A limit of linearity, which stars exceed and an overexposed flat too.
            (FrameKind::Light, stars(900.0, 50_000.0, 65535.0), 40_000.0, false, false),
            (FrameKind::Flat, flat(50_000.0), 40_000.0, false, false),
            (FrameKind::Flat, flat(50_000.0), 4095.0, false, true),
            (FrameKind::Light, flat(50_000.0), 40_000.0, false, true),
        ] {
            let found = contradicted(&[(kind, &seen)], level, full_scale);
            assert_eq!(found.is_some(), wrong, "{kind} {level} {found:?}");
        }
    }

    #[test]
    fn a_plateau_ends_the_scale_and_bright_stars_do_not() {
        let of = |frames: &[Glance]| plateau(&frames.iter().collect::<Vec<_>>());
        assert_eq!(of(&[stars(900.0, 90_000.0, 4095.0)]), Some(4095.0));
        assert_eq!(
            of(&[stars(900.0, 60_000.0, 16_380.0), stars(880.0, 9_000.0, 16_380.0)]),
            Some(16_380.0)
        );
        assert_eq!(of(&[stars(900.0, 900_000.0, 65_520.0)]), Some(65_520.0));
        // Full pixels scatter by the read noise about their level.
        let full = |top: f32| {
            glance(SIZE, |x, y| {
                let star = |cx: f32, cy: f32| {
                    let r2 = (x as f32 - cx).powi(2) + (y as f32 - cy).powi(2);
                    300_000.0 * (-r2 / 8.0).exp()
                };
                let v = 900.0 + 10.0 * noise(x, y) + star(50.2, 40.1) + star(120.7, 20.4);
                (v.min(top) + 4.0 * noise(y, x)).round()
            })
        };
        let bias = glance(SIZE, |x, y| (500.0 + 4.0 * noise(x, y)).round());
        let end = of(&[full(63_000.0), bias]).unwrap();
        assert!((62_900.0..63_000.0).contains(&end), "{end}");
        // Nothing ends: stars, plain noise, a frame without noise, few levels.
        assert_eq!(of(&[stars(900.0, 9_000.0, 65_535.0), stars(900.0, 9_100.0, 65_535.0)]), None);
        assert_eq!(of(&[glance(SIZE, |x, y| (500.0 + 5.0 * noise(x, y)).round())]), None);
        assert_eq!(of(&[glance(SIZE, |_, _| 500.0)]), None);
        assert_eq!(of(&[glance(SIZE, |x, y| (500.0 + 0.7 * noise(x, y)).round())]), None);
    }
}
