//! N samples a pixel into one, with its uncertainty and what was left out.
//!
//! 32 pixels at a time are sorted side by side, judged and summed; columns that lose a sample, few
//! as a rule, are gathered and worked on together until nothing more goes. What comes out for a
//! pixel depends on its samples alone (and on its tile's, for a pooled scale): not on the order of
//! frames, on the width of the strip or on the instruction set.

// Loops over lanes index several rows at once; a zip of five would say less.
#![allow(clippy::needless_range_loop)]

mod engine;
mod key;
mod load;
mod network;
mod side_by_side;
mod sort;
mod spread;
mod weighted;

use serde::{Deserialize, Serialize};

pub use engine::Workspace;
pub use side_by_side::column_medians;

use crate::normalise::Affine;
use crate::reject::Reject;

/// How the kept samples become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Combine {
    /// Their mean.
    Mean,
    /// Their median.
    Median,
    /// Their mean with the weights of their frames ([`Samples::with_weights`]).
    ///
    /// Where min/max or GESD kept only some of several equal samples, each of them counts with the
    /// share that was kept.
    WeightedMean,
}

impl Combine {
    /// The name, as `--combine` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Median => "median",
            Self::WeightedMean => "weighted-mean",
        }
    }

    /// The way of combining called `name`; `None` for a name that is not known.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Mean, Self::Median, Self::WeightedMean].into_iter().find(|c| c.name() == name)
    }

    /// How many times the variance of the combined value is that of one of its `n` samples;
    /// `None` for weights, which are not known here.
    pub fn variance_of_one(self, n: usize) -> Option<f64> {
        match self {
            Self::Mean => Some(n as f64),
            Self::Median => Some(n as f64 / spread::median_factor(n)),
            Self::WeightedMean => None,
        }
    }
}

/// What to do with each column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// How samples are rejected.
    pub reject: Reject,
    /// How the kept ones are combined.
    pub combine: Combine,
}

/// Samples of `width` pixels in `count` frames, frame after frame.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    data: Data<'a>,
    width: usize,
    line: usize,
    weights: Option<&'a [f32]>,
    own: Option<&'a [f32]>,
    applied: Option<&'a [Affine]>,
    allowance: Option<Allowance<'a>>,
    period: usize,
}

/// How far good samples of a pixel may lie apart beyond their noise: where the picture changes from
/// pixel to pixel, seeing, guiding and interpolation make frames differ.
///
/// Averaged sigma clipping alone asks for it: its bounds move apart by `share` times what of the
/// range noise does not explain.
///
/// # Source
/// FruchterHook2002, whose rejection lets samples differ by a share of the picture's derivative.
#[derive(Debug, Clone, Copy)]
pub struct Allowance<'a> {
    /// How far the picture stands out at each pixel ([`relief`](crate::relief)); NaN allows nothing.
    pub range: &'a [f32],
    /// The share of the range by which good samples may differ.
    pub share: f32,
}

#[derive(Debug, Clone, Copy)]
enum Data<'a> {
    Float(&'a [f32]),
    Raw { data: &'a [u16], missing_from: u32 },
}

impl<'a> Samples<'a> {
    /// Samples over `data`, whose length must be a multiple of `width`; a sample that is not
    /// finite is missing.
    ///
    /// # Panics
    /// When the length is no multiple of `width`, or there are more than 65535 frames.
    pub fn new(data: &'a [f32], width: usize) -> Self {
        Self::of(Data::Float(data), data.len(), width)
    }

    /// Samples as the camera wrote them: the same result as from the same numbers in f32, from
    /// half the memory and with half the work of sorting. A sample at or above `missing_from`
    /// (saturation) is missing; 65536 says that all are there, zeros included.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn raw(data: &'a [u16], width: usize, missing_from: u32) -> Self {
        Self::of(Data::Raw { data, missing_from }, data.len(), width)
    }

    fn of(data: Data<'a>, len: usize, width: usize) -> Self {
        assert!(width > 0 && len.is_multiple_of(width), "whole rows of {width} samples expected");
        assert!(len / width <= usize::from(u16::MAX), "more than 65535 frames");
        Self {
            data,
            width,
            line: width,
            weights: None,
            own: None,
            applied: None,
            allowance: None,
            period: 1,
        }
    }

    /// The same samples, as lines of the image of `line` pixels each: where a method pools
    /// neighbours, they are those of one line. Without this, the strip is one line.
    ///
    /// # Panics
    /// When the strip is not made of whole lines.
    #[must_use]
    pub fn in_lines(mut self, line: usize) -> Self {
        assert!(
            line > 0 && self.width.is_multiple_of(line),
            "whole lines of {line} pixels expected"
        );
        self.line = line;
        self
    }

    /// The same samples, of which only those `period` pixels apart along a line have one noise, as under
    /// a filter array: where a method pools neighbours, it is these.
    ///
    /// # Panics
    /// When the period is 0.
    #[must_use]
    pub fn alike_every(mut self, period: usize) -> Self {
        assert!(period > 0, "a period of pixels");
        self.period = period;
        self
    }

    /// The same samples with a weight for each frame, positive and finite.
    ///
    /// # Panics
    /// When there is not one weight a frame.
    #[must_use]
    pub fn with_weights(mut self, weights: &'a [f32]) -> Self {
        assert_eq!(weights.len(), self.count(), "one weight a frame");
        self.weights = Some(weights);
        self
    }

    /// The same samples with a weight for each of them beside that of its frame, laid out as they
    /// are: the coverage of a drizzled sample. One that is not above 0 counts for nothing in a
    /// weighted mean; rejection asks for none.
    ///
    /// # Panics
    /// When there is not one weight a sample.
    #[must_use]
    pub fn with_own_weights(mut self, own: &'a [f32]) -> Self {
        assert_eq!(own.len(), self.count() * self.width, "one weight a sample");
        self.own = Some(own);
        self
    }

    /// The same samples, judged as they are and combined as they were before these were applied to
    /// their frames; only a weighted mean can.
    ///
    /// # Panics
    /// When there is not one a frame.
    #[must_use]
    pub fn judged_only(mut self, applied: &'a [Affine]) -> Self {
        assert_eq!(applied.len(), self.count(), "one a frame");
        self.applied = Some(applied);
        self
    }

    /// The same samples, of which good ones may lie apart beyond their noise.
    ///
    /// # Panics
    /// When there is not one range a pixel.
    #[must_use]
    pub fn allowing(mut self, allowance: Allowance<'a>) -> Self {
        assert_eq!(allowance.range.len(), self.width, "one range a pixel");
        self.allowance = Some(allowance);
        self
    }

    /// Frames.
    pub fn count(&self) -> usize {
        match self.data {
            Data::Float(data) => data.len() / self.width,
            Data::Raw { data, .. } => data.len() / self.width,
        }
    }

    /// Pixels.
    pub fn width(&self) -> usize {
        self.width
    }
}

/// Where the result of a strip goes; every slice is as long as the strip has pixels.
///
/// A pixel with a value but no sample kept is one whose samples were all rejected: its value is
/// the median of those that the last round judged ([`crate::reject`]).
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The combined value; NaN where no frame had a sample.
    pub value: &'a mut [f32],
    /// Its variance from the scatter of the kept samples; NaN below two samples.
    pub variance: &'a mut [f32],
    /// Samples kept.
    pub kept: &'a mut [u16],
    /// Samples rejected below.
    pub low: &'a mut [u16],
    /// Samples rejected above.
    pub high: &'a mut [u16],
}

/// Combines each pixel's column.
///
/// With s² the variance of the kept samples (n − 1), the variance of the value is s²/n for a mean and
/// f s²/n for a median, f being exact for a Gaussian and up to 32 samples and nearing π/2 for many.
/// That of a weighted mean is what its samples' own squared deviations say, each with the square of its
/// weight: Σ(w d)² / ((Σw)² − Σw²), and a little more under coverage (`combine/weighted.rs`). It knows
/// nothing of the samples that were rejected from the wings of a Gaussian, so it is a little low under
/// tight thresholds.
///
/// Sums are of deviations from the median, in f64, in sorted order.
///
/// # Panics
/// When a slice of `out` is not as long as the strip has pixels, or when a weighted mean is asked
/// of samples without weights.
///
/// # Source
/// Chu1955 for the median's variance; MacKinnon1985 for that of a weighted mean.
pub fn combine(samples: Samples, recipe: Recipe, workspace: &mut Workspace, out: &mut Outcome) {
    let width = samples.width;
    for len in [out.value.len(), out.variance.len(), out.kept.len(), out.low.len(), out.high.len()]
    {
        assert_eq!(len, width, "an outcome as wide as the strip");
    }
    assert!(
        recipe.combine != Combine::WeightedMean || samples.weights.is_some(),
        "a weighted mean needs weights"
    );
    engine::run(samples, recipe, workspace, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Planes(Vec<f32>, Vec<f32>, Vec<u16>, Vec<u16>, Vec<u16>);

    fn run(samples: Samples, reject: Reject, how: Combine) -> Planes {
        let n = samples.width();
        let mut p = Planes(vec![0.0; n], vec![0.0; n], vec![0; n], vec![0; n], vec![0; n]);
        let mut out = Outcome {
            value: &mut p.0,
            variance: &mut p.1,
            kept: &mut p.2,
            low: &mut p.3,
            high: &mut p.4,
        };
        let recipe = Recipe { reject, combine: how };
        combine(samples, recipe, &mut Workspace::default(), &mut out);
        p
    }

    #[test]
    fn missing_samples_do_not_count_and_zeros_do() {
        let data = [1.0, f32::NAN, 3.0, f32::NAN, 5.0, f32::NAN];
        let p = run(Samples::new(&data, 2), Reject::None, Combine::Mean);
        assert_eq!((p.0[0], p.2[0], p.2[1]), (3.0, 3, 0));
        assert!(p.0[1].is_nan());
        assert!((p.1[0] - 4.0 / 3.0).abs() < 1e-6);
        let p = run(Samples::raw(&[0, 0, 3], 1, 65536), Reject::None, Combine::Mean);
        assert_eq!((p.0[0], p.2[0]), (1.0, 3));
        let p = run(Samples::raw(&[10, 65535, 20], 1, 65535), Reject::None, Combine::Median);
        assert_eq!((p.0[0], p.2[0]), (15.0, 2));
    }

    #[test]
    fn when_all_are_rejected_the_median_stands_and_the_count_says_so() {
        let data = [100.0, 101.0, 900.0, 901.0];
        let p =
            run(Samples::new(&data, 1), Reject::Percentile { low: 0.1, high: 0.1 }, Combine::Mean);
        assert_eq!((p.0[0], p.2[0], p.3[0], p.4[0]), (500.5, 0, 2, 2));
    }

    #[test]
    fn samples_judged_at_one_level_are_combined_as_they_were() {
        // Two frames twice as bright, each with a sample that is far off only at a common level.
        let frames = [[10.0f32, 10.0], [11.0, 10.5], [9.0, 9.5], [20.0, 20.0], [22.0, 60.0]];
        let applied: Vec<Affine> =
            [1.0, 1.0, 1.0, 0.5, 0.5].map(|scale| Affine { scale, offset: 0.0 }).to_vec();
        let data: Vec<f32> =
            frames.iter().zip(&applied).flat_map(|(f, a)| f.map(|v| a.apply(v))).collect();
        let weights = [1.0; 5];
        let s = Samples::new(&data, 2).with_weights(&weights).judged_only(&applied);
        let p = run(s, Reject::Percentile { low: 0.5, high: 0.5 }, Combine::WeightedMean);
        assert!((p.0[0] - (10.0 + 11.0 + 9.0 + 20.0 + 22.0) / 5.0).abs() < 1e-5);
        assert!((p.0[1] - (10.0 + 10.5 + 9.5 + 20.0) / 4.0).abs() < 1e-5);
        assert_eq!((p.2[0], p.2[1], p.4[1]), (5, 4, 1));
    }

    #[test]
    fn weighted_means_are_those_of_plain_arithmetic() {
        let (width, count) = (77usize, 11usize);
        let mut state = 5u64;
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        let data: Vec<f32> = (0..width * count)
            .map(|i| if i % 13 == 3 { f32::NAN } else { 1000.0 + 50.0 * uniform() })
            .collect();
        let weights: Vec<f32> = (0..count).map(|_| 0.5 + uniform()).collect();
        let own: Vec<f32> =
            (0..width * count).map(|i| if i % 17 == 5 { 0.0 } else { uniform() }).collect();
        let applied: Vec<Affine> = (0..count)
            .map(|i| Affine { scale: 1.0 + 0.1 * i as f64, offset: 7.0 * i as f64 })
            .collect();
        let plain = Samples::new(&data, width).with_weights(&weights);
        let ones = vec![1.0; width * count];
        for (samples, own, taken_back) in [
            (plain, &ones, false),
            (plain.with_own_weights(&own), &own, false),
            (plain.with_own_weights(&own).judged_only(&applied), &own, true),
        ] {
            let three = Reject::Minmax { low: 1, high: 1 };
            for (reject, cut) in [(Reject::None, 0), (three, 1)] {
                let p = run(samples, reject, Combine::WeightedMean);
                for x in 0..width {
                    let mut kept: Vec<usize> =
                        (0..count).filter(|i| data[i * width + x].is_finite()).collect();
                    kept.sort_by(|a, b| data[a * width + x].total_cmp(&data[b * width + x]));
                    let kept = &kept[cut..kept.len() - cut];
                    // Weight, coverage, sample as judged, as it was, and what took it back.
                    let samples: Vec<[f64; 5]> = kept
                        .iter()
                        .map(|i| {
                            let v = f64::from(data[i * width + x]);
                            let Affine { scale, offset } =
                                if taken_back { applied[*i] } else { Affine::IDENTITY };
                            let a = f64::from(own[i * width + x]);
                            [f64::from(weights[*i]), a, v, (v - offset) / scale, 1.0 / scale]
                        })
                        .collect();
                    let all = |of: &dyn Fn(&[f64; 5]) -> f64| samples.iter().map(of).sum::<f64>();
                    let total = all(&|[w, a, ..]| w * a);
                    let sum = all(&|[w, a, _, v, _]| w * a * v);
                    let m = all(&|[w, a, v, ..]| w * a * v) / total;
                    let off = all(&|[w, a, v, _, s]| (w * a * s * (v - m)).powi(2));
                    let (s, q) = (all(&|[w, a, ..]| w * a * a), all(&|[w, a, ..]| (w * a).powi(2)));
                    let t = all(&|[w, a, ..]| w * w * a.powi(3));
                    let left = s - 2.0 * t / total + s * q / total.powi(2);
                    let expected = off / total.powi(2) * s / left;
                    let (value, of_value) = (f64::from(p.0[x]), f64::from(p.1[x]));
                    assert!((value / (sum / total) - 1.0).abs() < 1e-6, "{x}: {value}");
                    assert!((of_value / expected - 1.0).abs() < 1e-5, "{x}: {of_value}");
                    assert_eq!(usize::from(p.2[x]), kept.len());
                }
            }
        }
    }

    #[test]
    fn what_is_allowed_on_a_star_is_not_rejected_and_noise_allows_nothing() {
        let (frames, width) = (6, 64);
        // Noise of a few ADU, a star in the middle that one frame sees twice as bright, and a hit.
        let noise = |i: usize| ((i * 7919 + i / 7 * 104_729) % 11) as f32 - 5.0;
        let mut data: Vec<f32> = (0..frames * width).map(|i| 500.0 + noise(i)).collect();
        for (frame, samples) in data.chunks_exact_mut(width).enumerate() {
            samples[32] += if frame == 2 { 800.0 } else { 400.0 };
        }
        data[3 * width + 10] += 100.0;
        let mut range = vec![15.0; width];
        range[32] = 400.0;
        let reject = Reject::AveragedSigma { low: 4.0, high: 4.0 };
        let kept = |samples: Samples<'_>| run(samples, reject, Combine::Mean).2;
        let strict = kept(Samples::new(&data, width));
        assert_eq!((strict[32], strict[10]), (5, 5));
        let share = |share| Samples::new(&data, width).allowing(Allowance { range: &range, share });
        assert_eq!((kept(share(0.5))[32], kept(share(0.5))[10]), (5, 5));
        assert_eq!((kept(share(1.2))[32], kept(share(1.2))[10]), (6, 5));
    }

    #[test]
    fn what_is_allowed_on_a_star_stays_where_most_columns_have_strays() {
        let (frames, width) = (8, 96);
        let noise = |i: usize| ((i * 7919 + i / 7 * 104_729) % 11) as f32 - 5.0;
        let mut data: Vec<f32> = (0..frames * width).map(|i| 500.0 + noise(i)).collect();
        for (frame, samples) in data.chunks_exact_mut(width).enumerate() {
            // Two frames under cloud, and sharp: on the star they are far above the others.
            let sharp = frame == 2 || frame == 5;
            for (x, v) in samples.iter_mut().enumerate() {
                *v += if sharp { 9.0 * noise(frame * 31 + x * 17) } else { 0.0 };
                *v += if (40..44).contains(&x) { if sharp { 900.0 } else { 400.0 } } else { 0.0 };
            }
        }
        let mut range = vec![15.0; width];
        range[38..46].fill(400.0);
        let reject = Reject::AveragedSigma { low: 4.0, high: 4.0 };
        let allowed = Allowance { range: &range, share: 2.0 };
        let kept = run(Samples::new(&data, width).allowing(allowed), reject, Combine::Mean).2;
        assert!(kept.iter().filter(|n| **n < 8).count() > width / 4, "{kept:?}");
        assert_eq!(kept[40..44], [8; 4], "{kept:?}");
    }

    #[test]
    fn weights_count_and_equal_samples_share_what_was_kept() {
        let data = [1.0, 2.0, 2.0, 3.0];
        let weights = [1.0, 1.0, 3.0, 1.0];
        let s = Samples::new(&data, 1).with_weights(&weights);
        let p = run(s, Reject::None, Combine::WeightedMean);
        assert_eq!(p.0[0], 2.0);
        let data = [1.0, 1.0, 2.0, 3.0];
        let s = Samples::new(&data, 1).with_weights(&weights);
        let p = run(s, Reject::Minmax { low: 1, high: 0 }, Combine::WeightedMean);
        assert!((p.0[0] - (0.5 + 0.5 + 6.0 + 3.0) / 5.0).abs() < 1e-6);
    }
}
