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
    /// Samples are first brought to 0..1 by their own range. The background is not cut to black: of
    /// the samples within 10 sigma of the median, less than one in a thousand is.
    pub fn of(samples: &[f32]) -> Self {
        Self::linked(&[samples])
    }

    /// One stretch for all planes of a picture: the typical background gets the target brightness,
    /// the darkest one is not cut to black.
    pub fn linked(planes: &[&[f32]]) -> Self {
        let finite = || planes.iter().flat_map(|p| p.iter().copied()).filter(|v| v.is_finite());
        let low = finite().fold(f32::INFINITY, f32::min);
        let high = finite().fold(f32::NEG_INFINITY, f32::max);
        let (low, high) = if low < high {
            (f64::from(low), f64::from(high))
        } else {
            // A constant picture, or none.
            return Self { low: 0.0, high: 1.0, shadows: 0.0, midtones: 0.5 };
        };
        let found: Vec<(f64, f64)> = planes.iter().filter_map(|p| background(p)).collect();
        let median = found.iter().map(|(median, _)| median).sum::<f64>() / found.len() as f64;
        let shadows = found.iter().map(|(_, shadows)| *shadows).fold(f64::INFINITY, f64::min);
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

/// The median of a plane and where its shadows begin; `None` without finite samples.
fn background(samples: &[f32]) -> Option<(f64, f64)> {
    let mut finite = Vec::with_capacity(samples.len());
    finite.extend(samples.iter().copied().filter(|v| v.is_finite()));
    let (median, mad) = median_mad(&finite);
    let (median, sigma) = (f64::from(median), MAD_TO_SIGMA * f64::from(mad));
    let darkest = median - DARKEST * sigma;
    finite.retain(|v| f64::from(*v) >= darkest);
    let rank = (finite.len() as f64 * DARKER) as usize;
    let (_, dark, _) =
        (rank < finite.len()).then(|| finite.select_nth_unstable_by(rank, f32::total_cmp))?;
    let dark = f64::from(*dark);
    Some((median, (median - SHADOWS * sigma).min(dark - ROOM * (median - dark))))
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
    fn constant_and_empty_pictures_do_no_harm() {
        for samples in [&[][..], &[5.0; 9], &[f32::NAN; 3]] {
            assert!(Stretch::of(samples).apply(5.0).is_finite());
        }
    }
}
