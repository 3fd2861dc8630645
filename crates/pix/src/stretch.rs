//! The screen stretch: what a person looks at, never what is measured.

use crate::stat::{MAD_TO_SIGMA, median_mad};

/// Shadows are cut this many sigmas below the median, at the least.
const SHADOWS: f64 = 2.8;

/// The share of samples that may lie below the shadows: what is darker is no background but dead
/// pixels and holes.
const DARKER: f64 = 0.0005;

/// Nothing farther below the median than this many sigmas is background.
const DARKEST: f64 = 10.0;

/// The shadows lie this share of their distance from the median below the background's darkest
/// sample, so that eight bits do not round it down to black.
const ROOM: f64 = 0.02;

/// The brightness the median gets.
const TARGET: f64 = 0.25;

/// A midtones stretch of samples to 0..1.
///
/// # Source
/// PCL DisplayFunction, automatic stretch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    low: f64,
    high: f64,
    shadows: f64,
    midtones: f64,
}

/// The midtones transfer function: 0 to 0, `m` to one half, 1 to 1.
fn midtones(m: f64, x: f64) -> f64 {
    if x <= 0.0 {
        0.0
    } else if x >= 1.0 {
        1.0
    } else {
        (m - 1.0) * x / ((2.0 * m - 1.0) * x - m)
    }
}

impl Stretch {
    /// A stretch made for `samples`; not finite ones do not count.
    ///
    /// Samples are first brought to 0..1 by their own range, but for up to three that are far beyond all
    /// others, and for a border of exact zeros, which is black. The background is not cut to black: of
    /// the samples within 10 sigma of the median, less than one in a thousand is.
    pub fn of(samples: &[f32]) -> Self {
        Self::linked(&[samples])
    }

    /// One stretch for all planes of a picture: the typical background gets the target brightness,
    /// the darkest one is not cut to black.
    pub fn linked(planes: &[&[f32]]) -> Self {
        let found: Vec<Background> = planes.iter().filter_map(|p| Background::of(p)).collect();
        let low = found.iter().map(|b| b.low).fold(f64::INFINITY, f64::min);
        let high = found.iter().map(|b| b.high).fold(f64::NEG_INFINITY, f64::max);
        if low.partial_cmp(&high) != Some(std::cmp::Ordering::Less) {
            // A constant picture, or none.
            return Self { low: 0.0, high: 1.0, shadows: 0.0, midtones: 0.5 };
        }
        let median = found.iter().map(|b| b.median).sum::<f64>() / found.len() as f64;
        let shadows = found.iter().map(|b| b.shadows).fold(f64::INFINITY, f64::min);
        let unit = |v: f64| (v - low) / (high - low);
        // Where more than half of the samples are equal they stand above the shadows all the same.
        let shadows = unit(shadows).min(unit(median) - 1e-4);
        let midtones = midtones(TARGET, (unit(median) - shadows) / (1.0 - shadows));
        Self { low, high, shadows, midtones: midtones.clamp(1e-6, 1.0 - 1e-6) }
    }

    /// The brightness of a sample, 0 to 1; NaN is black.
    pub fn apply(&self, sample: f32) -> f32 {
        let x = (f64::from(sample) - self.low) / (self.high - self.low);
        let x = (x - self.shadows) / (1.0 - self.shadows);
        if x.is_nan() { 0.0 } else { midtones(self.midtones, x) as f32 }
    }
}

/// A plane's background, and the range of what is shown of it.
struct Background {
    median: f64,
    /// Where the shadows begin.
    shadows: f64,
    low: f64,
    high: f64,
}

/// From this share of a plane on exact zeros may be a border that holds no picture.
const BORDER: f64 = 0.001;

/// So many of the brightest samples, and of the darkest, may be wild: no star is that small.
const WILD_SAMPLES: usize = 3;

/// Samples this many times farther from the background than all but the wild ones are wild.
const WILD: f64 = 100.0;

impl Background {
    /// `None` without finite samples.
    fn of(samples: &[f32]) -> Option<Self> {
        let mut finite = Vec::with_capacity(samples.len());
        finite.extend(samples.iter().copied().filter(|v| v.is_finite() && *v != 0.0));
        let zeros = samples.iter().filter(|v| **v == 0.0).count();
        let (mut median, mut mad) = median_mad(&finite);
        let apart = f64::from(median).abs() > DARKEST * MAD_TO_SIGMA * f64::from(mad);
        let border = apart && zeros as f64 > BORDER * samples.len() as f64;
        if zeros > 0 && !border {
            finite.resize(finite.len() + zeros, 0.0);
            (median, mad) = median_mad(&finite);
        }
        let (median, sigma) = (f64::from(median), MAD_TO_SIGMA * f64::from(mad));
        let low = -furthest(&mut finite, -median, |v| -v)?;
        let high = furthest(&mut finite, median, |v| v)?;
        let darkest = median - DARKEST * sigma;
        finite.retain(|v| f64::from(*v) >= darkest);
        let rank = (finite.len() as f64 * DARKER) as usize;
        let (_, dark, _) =
            (rank < finite.len()).then(|| finite.select_nth_unstable_by(rank, f32::total_cmp))?;
        let dark = f64::from(*dark);
        let shadows = (median - SHADOWS * sigma).min(dark - ROOM * (median - dark));
        Some(Self { median, shadows, low, high })
    }
}

/// The greatest of what `of` makes of samples, but for wild ones; `None` without samples.
fn furthest(samples: &mut [f32], median: f64, of: fn(f32) -> f32) -> Option<f64> {
    let by = |a: &f32, b: &f32| of(*b).total_cmp(&of(*a));
    let rank = WILD_SAMPLES.min(samples.len().checked_sub(1)?);
    let (before, at, _) = samples.select_nth_unstable_by(rank, by);
    let usual = f64::from(of(*at));
    let greatest = before.iter().map(|v| f64::from(of(*v))).fold(usual, f64::max);
    let wild = usual > median && greatest - median > WILD * (usual - median);
    Some(if wild { usual } else { greatest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_gets_the_target_brightness() {
        let mut samples: Vec<f32> = (0..1000).map(|i| 1000.0 + (i % 21) as f32).collect();
        samples.push(60000.0);
        let s = Stretch::of(&samples);
        assert!((s.apply(1010.0) - 0.25).abs() < 0.01, "{}", s.apply(1010.0));
        assert_eq!((s.apply(0.0), s.apply(60000.0), s.apply(f32::NAN)), (0.0, 1.0, 0.0));
    }

    #[test]
    fn the_background_is_not_cut_to_black() {
        let mut state = 9u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        let black = |s: &Stretch, v: &[f32]| {
            v.iter().filter(|v| (s.apply(**v) * 255.0).round() == 0.0).count()
        };
        for slope in [0.0, 0.3, 3.0] {
            // Noise of 8 on a slope across 250 columns, stars, and dead pixels, which are none of it.
            let mut plane = |level: f32| -> Vec<f32> {
                let noise = |u: &mut dyn FnMut() -> f32| (0..12).map(|_| u()).sum::<f32>() - 6.0;
                (0..50_000)
                    .map(|i| level + slope * (i % 250) as f32 + 8.0 * noise(&mut uniform))
                    .chain((0..40).map(|i| 1e3 * i as f32))
                    .collect()
            };
            let planes = [plane(100.0), plane(-20.0), plane(300.0)];
            for plane in &planes {
                let with_dead: Vec<f32> = plane.iter().copied().chain([-1e4; 60]).collect();
                assert!(black(&Stretch::of(&with_dead), plane) < 50, "{slope}");
            }
            let linked = Stretch::linked(&[&planes[0], &planes[1], &planes[2]]);
            assert!(planes.iter().all(|p| black(&linked, p) < 50), "{slope}");
            // Linked colours keep their order.
            assert!(linked.apply(-20.0) < linked.apply(100.0));
        }
        let mut flat = vec![7.0f32; 1000];
        flat.push(900.0);
        assert_eq!(black(&Stretch::of(&flat), &flat), 0);
    }

    #[test]
    fn neither_borders_nor_wild_pixels_change_the_picture() {
        let mut state = 5u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        let mut plane: Vec<f32> = (0..20_000)
            .map(|_| 400.0 + 20.0 * ((0..12).map(|_| uniform()).sum::<f32>() - 6.0))
            .collect();
        plane.extend((0..200).map(|i| 500.0 + 40.0 * i as f32));
        let plain = Stretch::of(&plane);
        for odd in [vec![0.0; 40_000], vec![1e9], vec![-1e9, 1e9, 3e8], vec![1e30]] {
            let with: Vec<f32> = plane.iter().copied().chain(odd.iter().copied()).collect();
            let stretch = Stretch::of(&with);
            for v in [340.0, 400.0, 460.0, 2000.0, 8000.0] {
                let (a, b) = (plain.apply(v), stretch.apply(v));
                assert!((a - b).abs() < 0.02, "{v}: {a} {b} with {:?}", &odd[..1]);
            }
            assert_eq!(stretch.apply(1e9), 1.0);
        }
        assert_eq!(Stretch::of(&[&plane[..], &[0.0; 9000]].concat()).apply(0.0), 0.0);
    }

    #[test]
    fn constant_and_empty_pictures_do_no_harm() {
        for samples in [&[][..], &[5.0; 9], &[f32::NAN; 3]] {
            assert!(Stretch::of(samples).apply(5.0).is_finite());
        }
    }
}
