//! What is done to one light: decided before any of its samples is touched, done row by row.

use std::ops::Range;
use std::sync::Arc;

use multiversion::multiversion;
use photosite_pix::unit::NoiseModel;
use photosite_pix::{Applied, CfaPattern, Frame, MaskBits, stat};

use super::dark::DarkShare;
use super::masters::{Bias, DarkContent, MasterDark, MasterFlat};
use super::steps::{Step, StepRow};
use crate::defects::{Defect, REPAIRED};
use crate::detector::{BEYOND, Linearity, Parts};
use crate::raw::Level;

/// What a calibration asks of a raw light besides its samples.
#[derive(Debug, Clone, Default)]
pub struct LightFacts {
    /// The raw level in ADU from which a sample counts as saturated.
    pub saturation_adu: Option<f32>,
    /// What was subtracted from every sample on reading, by overscan or pedestal, in ADU.
    pub level_adu: f32,
    /// What that was.
    pub level: Level,
    /// Exposure in seconds.
    pub exposure_s: Option<f64>,
    /// The colour filter array over the data.
    pub cfa: Option<CfaPattern>,
    /// The steps that the frame already went through.
    pub applied: Applied,
    /// Gain and read noise, where a variance is wanted and they are known.
    pub noise: Option<NoiseModel>,
    /// They were given by a person and overrule those of the light's parts.
    pub noise_by_hand: bool,
    /// How much of the dark is taken, where that was decided for this very light.
    pub dark: Option<DarkShare>,
    /// The step of the converter in ADU; 0 of samples that are no integers.
    pub step_adu: f32,
    /// What straightens its response.
    pub linearity: Option<Arc<Linearity>>,
    /// Parts with levels, noise and ends of their own; `None` where all of the light is alike.
    pub parts: Option<Arc<Parts>>,
}

/// What is done to a light.
pub(super) struct Course<'a> {
    pub facts: LightFacts,
    /// What goes beside the dark; `None` where nothing does.
    pub bias: Option<&'a Bias>,
    /// How much of it.
    pub bias_share: f32,
    /// The bias, whether it is taken or only tells the zero level.
    pub zero: Option<&'a Bias>,
    pub dark: Option<&'a MasterDark>,
    /// The factor of the dark.
    pub k: Option<f64>,
    /// The factor with its error and where it came from; `None` where no dark is taken.
    pub share: Option<DarkShare>,
    pub flat: Option<&'a MasterFlat>,
    /// What a variance is made of, where one is wanted.
    pub variance: Option<OfVariance<'a>>,
    /// The defects that the masters bring, row after row.
    pub lists: Vec<&'a [Defect]>,
    /// The steps, in the order of [`STEPS`](super::STEPS).
    pub steps: Vec<&'static StepRow>,
    /// What the light carries afterwards.
    pub applied: Applied,
}

/// What the variance of raw samples is made of.
pub(super) struct OfVariance<'a> {
    pub noise: NoiseModel,
    /// It overrules what the header says, of parts as well.
    pub by_hand: bool,
    /// The level above which samples are electrons, where it is not the dark.
    pub zero: Option<&'a Bias>,
    /// Dark electrons that this level hides, in ADU.
    pub hidden_adu: f32,
}

/// Samples of one colour to each side that tell with a pixel how many electrons it expects.
const NEAR: usize = 3;

/// A pixel that is off the mean of its neighbours by more sigmas than these stands for itself.
const ALONE: f32 = 4.0;

impl Course<'_> {
    /// Calibrates `rows` of a frame that hold raw samples, save for repairs; row 0 of the frame is
    /// row `first_row` of the masters.
    pub fn calibrate(&self, frame: &mut Frame, rows: Range<usize>, first_row: usize) {
        frame.mark_missing(rows.clone());
        for y in rows {
            for step in &self.steps {
                self.step(step.step, frame, y, first_row + y);
            }
        }
    }

    /// The names of the steps.
    pub fn names(&self) -> Vec<&'static str> {
        self.steps.iter().map(|row| row.name).collect()
    }

    /// Does one step to row `y` of a frame, which is row `row` of the masters.
    fn step(&self, step: Step, frame: &mut Frame, y: usize, row: usize) {
        if step == Step::Linearity {
            return self.straighten(frame, y, row);
        }
        let samples = frame.data.row_mut(y);
        let mut variance = frame.variance.as_mut().map(|v| v.row_mut(y));
        match step {
            Step::Saturation if self.facts.parts.is_some() => {
                let mask = frame.mask.row_mut(y);
                for part in self.facts.parts.iter().flat_map(|p| p.in_row(row)) {
                    let columns = part.region.x0..part.region.x1;
                    if let Some(end) = part.saturation_adu {
                        let off = match self.facts.level {
                            Level::Overscan => part.level.at(row),
                            Level::Nothing | Level::Pedestal(_) => self.facts.level_adu,
                        };
                        mark_from(&samples[columns.clone()], end - off, &mut mask[columns]);
                    }
                }
            }
            Step::Saturation => {
                if let Some(level) = self.facts.saturation_adu {
                    mark_from(samples, level - self.facts.level_adu, frame.mask.row_mut(y));
                }
            }
            // Done as the samples are read; repairs wait for the rows around.
            Step::Pedestal | Step::Overscan | Step::Linearity | Step::Defects => {}
            Step::Variance => {
                if let Some((out, of)) = variance.zip(self.variance.as_ref()) {
                    self.raw_variance(of, (samples, row), out);
                }
            }
            Step::Bias => self.take_bias(samples, row),
            Step::Dark => {
                // Where the bias was gone from the light, the dark's share of it comes back.
                if !self.takes_bias_by_itself() {
                    self.take_bias(samples, row);
                }
                if let Some(dark) = self.dark {
                    take_off(samples, dark.frame.data.row(row), self.k.unwrap_or(0.0) as f32);
                }
            }
            Step::Gain => {
                for part in self.facts.parts.iter().flat_map(|p| p.in_row(row)) {
                    let columns = part.region.x0..part.region.x1;
                    samples[columns.clone()].iter_mut().for_each(|v| *v *= part.evened);
                    if let Some(out) = variance.as_deref_mut() {
                        out[columns].iter_mut().for_each(|v| *v *= part.evened.powi(2));
                    }
                }
            }
            Step::Flat => {
                let Some(MasterFlat { frame: flat, .. }) = self.flat else { return };
                if let Some(out) = variance {
                    let of_flat = flat.variance.as_ref().map(|p| p.row(row));
                    divide_variance(out, samples, (flat.data.row(row), of_flat));
                }
                divide(samples, flat.data.row(row));
            }
        }
    }

    /// Straightens row `y` about its zero level: the bias, else the dark that holds it. Where a variance is
    /// wanted, it is left the square by which noise of the read-out is stretched.
    fn straighten(&self, frame: &mut Frame, y: usize, row: usize) {
        let Some(linearity) = &self.facts.linearity else { return };
        let gone = self.facts.applied.intersects(Applied::BIAS | Applied::DARK);
        let bias = self.zero.filter(|_| !gone).map(|b| b.row(row));
        let dark = self.dark.filter(|d| !gone && d.content == DarkContent::BiasIncluded);
        let dark = dark.map(|d| d.frame.data.row(row));
        let zero = |x: usize| match (&bias, dark) {
            (Some(bias), _) => bias(x),
            (None, Some(dark)) => dark[x],
            (None, None) => 0.0,
        };
        let mask = frame.mask.row_mut(y);
        let mut variance = frame.variance.as_mut().map(|v| v.row_mut(y));
        if let Some(variance) = &mut variance {
            variance.fill(1.0);
        }
        let seen = |x: usize, slope: f32, beyond: bool| {
            if beyond {
                mask[x] |= BEYOND;
            }
            if let Some(variance) = &mut variance {
                variance[x] = slope * slope;
            }
        };
        let of = (self.facts.cfa, self.facts.parts.as_deref());
        linearity.straighten((0, row), of, frame.data.row_mut(y), zero, seen);
    }

    /// Whether the bias has a step of its own.
    fn takes_bias_by_itself(&self) -> bool {
        self.steps.iter().any(|row| row.step == Step::Bias)
    }

    /// Takes the share of the bias that goes beside the dark.
    fn take_bias(&self, samples: &mut [f32], row: usize) {
        match self.bias {
            Some(Bias::Master(b)) => take_off(samples, b.data.row(row), self.bias_share),
            Some(Bias::Level(l)) => {
                let level = self.bias_share * *l as f32;
                samples.iter_mut().for_each(|v| *v -= level);
            }
            None => {}
        }
    }

    /// Carries the masters' defects in `rows` of a frame into its mask and lists the pixels to
    /// repair, row after row.
    ///
    /// A pixel that the light itself has no sample for is not repaired: it is not the camera's
    /// fault.
    pub fn enter_defects(
        &self,
        frame: &mut Frame,
        rows: Range<usize>,
        first_row: usize,
    ) -> Vec<(usize, usize)> {
        let rows = first_row + rows.start..first_row + rows.end;
        let mut here: Vec<Defect> = Vec::new();
        for list in &self.lists {
            let from = list.partition_point(|d| d.y < rows.start);
            let to = list.partition_point(|d| d.y < rows.end);
            here.extend(&list[from..to]);
        }
        here.sort_unstable_by_key(|d| (d.y, d.x));
        let mut defective = Vec::new();
        for alike in here.chunk_by(|a, b| (a.x, a.y) == (b.x, b.y)) {
            let (x, y) = (alike[0].x, alike[0].y - first_row);
            let mask = &mut frame.mask.row_mut(y)[x];
            let all = alike.iter().fold(MaskBits::empty(), |all, d| all | d.bits);
            if !mask.contains(MaskBits::NO_DATA) && all.intersects(REPAIRED) {
                defective.push((x, y));
            }
            *mask |= all;
        }
        defective
    }

    /// The variance of raw samples and of what is subtracted from them.
    fn raw_variance(&self, of: &OfVariance<'_>, (raw, y): (&[f32], usize), out: &mut [f32]) {
        let OfVariance { noise, zero, hidden_adu, by_hand } = *of;
        let k = self.k.unwrap_or(0.0) as f32;
        let straightened = self.facts.linearity.is_some();
        // The level above which samples are electrons: the bias, else the dark.
        let gone = self.facts.applied.intersects(Applied::BIAS | Applied::DARK);
        let zero = zero.map(|b| b.row(y));
        let dark_row = self.dark.map(|d| d.frame.data.row(y));
        let above = raw.iter().enumerate().map(|(x, raw)| {
            let level = match (&zero, dark_row) {
                _ if gone => 0.0,
                (Some(b), _) => b(x),
                (None, Some(d)) => d[x],
                (None, None) => f32::NAN,
            };
            raw - level + hidden_adu
        });
        let above: Vec<f32> = above.collect();
        let step = self.facts.cfa.map_or(1, CfaPattern::period);
        // The converter rounds, evenly between its steps.
        let of = |noise: NoiseModel| {
            let read2 = noise.variance_adu2(0.0) as f32 + self.facts.step_adu.powi(2) / 12.0;
            (read2, noise.gain_e_per_adu.e_per_adu() as f32)
        };
        let mut expect = |columns: Range<usize>, above: &[f32], (read2, gain): (f32, f32)| {
            for (x, v) in out[columns].iter_mut().enumerate() {
                // What stretched the light stretched the noise of the read-out.
                let read2 = if straightened { read2 * *v } else { read2 };
                *v = expected_variance(above, (x, step), read2, gain);
            }
        };
        match &self.facts.parts {
            None => expect(0..raw.len(), &above, of(noise)),
            // An amplifier's neighbours are its own.
            Some(parts) => parts.in_row(y).for_each(|part| {
                let columns = part.region.x0..part.region.x1;
                let own = if by_hand { noise } else { part.noise.unwrap_or(noise) };
                expect(columns.clone(), &above[columns], of(own));
            }),
        }
        let mut add = |frame: &Frame, factor: f32| {
            if let Some(plane) = &frame.variance {
                let squared = factor * factor;
                out.iter_mut().zip(plane.row(y)).for_each(|(v, m)| *v += squared * m);
            }
        };
        if let Some(Bias::Master(b)) = self.bias {
            add(b, self.bias_share);
        }
        if let Some(d) = self.dark {
            add(&d.frame, k);
        }
    }
}

/// The variance of sample `x` of a row of signals in ADU, neighbours of one colour `step` apart.
///
/// A sample's own noise must not tell how noisy it is, or low samples would look better than high ones
/// and the mean over a faint sky too noisy: where it agrees with its neighbours their mean does.
fn expected_variance(above: &[f32], (x, step): (usize, usize), read2: f32, gain: f32) -> f32 {
    let of = |signal: f32| read2 + if signal < 0.0 { 0.0 } else { signal } / gain;
    let (mut sum, mut count) = (0.0, 0.0f32);
    for i in 0..=2 * NEAR {
        let near = (x + i * step).checked_sub(NEAR * step).and_then(|at| above.get(at));
        if let Some(v) = near.filter(|v| v.is_finite()) {
            sum += v;
            count += 1.0;
        }
    }
    let (own, variance) = (above[x], of(sum / count));
    // Not so for NaN, which stays.
    let agrees = (own - sum / count).powi(2) <= ALONE * ALONE * variance;
    if agrees { variance } else { of(own) }
}

/// SATURATED where a sample stands at or above a level.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn mark_from(samples: &[f32], level: f32, mask: &mut [MaskBits]) {
    for (m, v) in mask.iter_mut().zip(samples) {
        *m |= if *v >= level { MaskBits::SATURATED } else { MaskBits::empty() };
    }
}

/// Takes a master off, `share` times.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn take_off(samples: &mut [f32], master: &[f32], share: f32) {
    for (v, m) in samples.iter_mut().zip(master) {
        *v -= share * m;
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn divide(samples: &mut [f32], flat: &[f32]) {
    for (v, f) in samples.iter_mut().zip(flat) {
        *v /= f;
    }
}

/// The variance of x / f: var / f² + x² var_f / f⁴.
fn divide_variance(out: &mut [f32], x: &[f32], (f, of_flat): (&[f32], Option<&[f32]>)) {
    for i in 0..out.len() {
        let f2 = f[i] * f[i];
        let flat_part = of_flat.map_or(0.0, |p| p[i] * x[i] * x[i] / (f2 * f2));
        out[i] = out[i] / f2 + flat_part;
    }
}

/// Means over the ordinary pixels of a master dark.
#[derive(Debug, Clone, Copy)]
pub(super) struct DarkScatter {
    /// The variance of one dark frame in ADU².
    variance_adu2: f64,
    /// How far the dark stands above the zero level that variances are counted from, in ADU.
    above_zero_adu: f64,
}

impl DarkScatter {
    /// Robust sigmas from the median within which a pixel's dark signal is ordinary.
    const LEVEL_KAPPA: f64 = 5.0;
    /// The same for its scatter, whose distribution has a long tail above.
    const VARIANCE_KAPPA: f64 = 8.0;

    pub fn of(bias: Option<&Bias>, dark: &MasterDark) -> Option<Self> {
        let (variance, factor) = (dark.frame.variance.as_ref()?, dark.variance_factor?);
        let size = dark.frame.size();
        let mut above = Vec::with_capacity(size.pixels());
        for y in 0..size.height {
            let (d, zero) = (dark.frame.data.row(y), bias.map(|b| b.row(y)));
            above.extend((0..size.width).map(|x| match (&zero, dark.content) {
                _ if !dark.frame.mask.get(x, y).is_good() => f32::NAN,
                (_, DarkContent::BiasRemoved) => d[x],
                (Some(b), DarkContent::BiasIncluded) => d[x] - b(x),
                (None, DarkContent::BiasIncluded) => 0.0,
            }));
        }
        let (median, mad) = stat::median_mad(&above);
        let reach = Self::LEVEL_KAPPA * stat::MAD_TO_SIGMA * f64::from(mad);
        let ordinary = |v: &f32| (f64::from(*v) - f64::from(median)).abs() <= reach;
        let (mut count, mut sum) = (0, 0.0);
        for (i, v) in variance.as_slice().iter().enumerate() {
            if ordinary(&above[i]) && v.is_finite() {
                sum += f64::from(above[i]);
                // Levels that were seen make room for the variances.
                above[count] = *v;
                count += 1;
            }
        }
        let variance_adu2 = factor * stat::robust_mean(&above[..count], Self::VARIANCE_KAPPA);
        let above_zero_adu = sum / count as f64;
        variance_adu2.is_finite().then_some(Self { variance_adu2, above_zero_adu })
    }

    /// Dark electrons that the level does not show, in ADU.
    ///
    /// Sensors that clamp their black level subtract the mean dark signal from every frame, and
    /// where no bias is known the dark itself is the zero level. The scatter of the dark frames
    /// still shows those electrons: what it has above the read noise is theirs.
    ///
    /// # Source
    /// Janesick2001: electrons that arrive at random have a variance equal to their mean.
    pub fn hidden_adu(self, noise: NoiseModel) -> f64 {
        let shot = self.variance_adu2 - noise.variance_adu2(0.0);
        (noise.gain_e_per_adu.e_per_adu() * shot - self.above_zero_adu).max(0.0)
    }
}
