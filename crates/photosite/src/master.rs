//! A stack made into a master: what each kind of master is beyond the combined samples.
//!
//! ```
//! use photosite::master::{NoiseCheck, channel_means};
//! use photosite_pix::unit::NoiseModel;
//! use photosite_pix::{CfaPattern, FrameKind};
//!
//! // Red at 100, green at 200, blue at 300 ADU.
//! let cfa = CfaPattern::parse("RGGB").unwrap();
//! let rows = [100.0, 200.0, 100.0, 200.0, 200.0, 300.0, 200.0, 300.0];
//! assert_eq!(channel_means(&rows, 4, Some(cfa)), [100.0, 200.0, 300.0]);
//! // Biases scatter by 3 ADU, which a read noise of 6 e- at 2 e-/ADU explains.
//! let noise = NoiseModel::new(2.0, 6.0).unwrap();
//! let check = NoiseCheck::new(FrameKind::Bias, 3.0, 0.0, noise);
//! assert_eq!(check.model_adu, 3.0);
//! assert!(check.agrees());
//! ```

use photosite_pix::combine::Combine;
use photosite_pix::unit::NoiseModel;
use photosite_pix::{
    Applied, CFA_LINE, CfaColor, CfaPattern, Frame, FrameKind, MaskBits, Plane, Rect, Unit, stat,
};

use crate::defects::KAPPA;
use crate::stack::Stacked;

/// A flat's response below this share of its median is no response.
pub const FLAT_FLOOR: f32 = 0.1;

/// A pixel of a flat that responds within this share of its neighbours measures light, and dividing
/// mends it. Dust shadows curve by a few percent over five pixels; dead pixels lack most of the
/// light. A choice.
const FLAT_DEFECT: f32 = 0.1;

/// Robust sigmas within which a flat's samples count for its mean.
const FLAT_MEAN_KAPPA: f64 = 5.0;

/// The mean of each channel of a flat that was bias- or dark-subtracted: one for a monochrome
/// sensor, three for a colour filter array. Robust: samples beyond 5 sigma of the median do not count.
pub fn channel_means(rows: &[f32], width: usize, cfa: Option<CfaPattern>) -> [f64; 3] {
    match cfa {
        None => [stat::robust_mean(rows, FLAT_MEAN_KAPPA); 3],
        Some(cfa) => [0, 1, 2].map(|channel| {
            stat::robust_mean(&one_channel(rows, width, cfa, channel), FLAT_MEAN_KAPPA)
        }),
    }
}

/// The samples under one colour.
pub fn one_channel(rows: &[f32], width: usize, cfa: CfaPattern, channel: usize) -> Vec<f32> {
    let mut samples = Vec::with_capacity(rows.len() / 2 + width);
    for (y, row) in rows.chunks_exact(width).enumerate() {
        let here = cfa.line(0, y).map(|c| c.channel() == channel);
        let mut columns = (0..cfa.period()).filter(|x| here[*x]);
        match (columns.next(), columns.next()) {
            (None, _) => {}
            (Some(first), None) => samples.extend(row.iter().skip(first).step_by(cfa.period())),
            _ => {
                let known = row.iter().zip(here.iter().cycle());
                samples.extend(known.filter_map(|(v, here)| here.then_some(*v)));
            }
        }
    }
    samples
}

/// What one colour of a flat amounts to.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FlatColour {
    /// Its level above the additive part of the frames, in ADU.
    pub level_adu: f64,
    /// The noise of a pixel of the master relative to that level, one standard deviation; NaN where
    /// nothing is known of it.
    pub noise: f64,
}

/// A flat that knows its pixels less well than this puts more noise into a light than it takes
/// differences of response out, which are about a percent from pixel to pixel. A choice.
pub const FLAT_NOISE_LIMIT: f64 = 0.01;

/// A flat that knows its pixels less well than this is told of whatever its colours are. A choice.
pub const FAINT_NOISE: f64 = 2.0 * FLAT_NOISE_LIMIT;

/// The noise of a pixel of a finished flat of `count` frames relative to its level, one standard
/// deviation; `None` where its variance is not known.
pub fn flat_noise(flat: &Frame, count: usize) -> Option<f64> {
    let variance = flat.variance.as_ref().filter(|_| count >= 2)?;
    let typical = f64::from(stat::median_at_a_glance(variance.as_slice()));
    Some((typical / median_to_mean(count)).sqrt()).filter(|noise| noise.is_finite())
}

/// How many times the noise of the best colour makes a colour weak: a quarter of its light. Flats
/// that are poor in all colours alike have another fault. A choice.
const WEAK_RATIO: f64 = 2.0;

impl FlatColour {
    /// Red, green and blue of a finished flat of `count` frames, whose levels were these.
    pub fn of(
        flat: &Frame,
        cfa: CfaPattern,
        count: usize,
        levels_adu: [f64; 3],
    ) -> Option<[Self; 3]> {
        let variance = flat.variance.as_ref().filter(|_| count >= 2)?;
        Some(CfaColor::ALL.map(|color| {
            let channel = color.channel();
            let samples = one_channel(variance.as_slice(), variance.width(), cfa, channel);
            let noise = (f64::from(stat::median(&samples)) / median_to_mean(count)).sqrt();
            Self { level_adu: levels_adu[channel], noise }
        }))
    }

    /// The colour that is mostly noise compared with the others, if there is one.
    pub fn weak(colours: &[Self; 3]) -> Option<CfaColor> {
        // One of which nothing is known is the weakest.
        let noise = |c: CfaColor| {
            Some(colours[c.channel()].noise).filter(|n| n.is_finite()).unwrap_or(f64::INFINITY)
        };
        let by_noise = |a: &CfaColor, b: &CfaColor| noise(*a).total_cmp(&noise(*b));
        let worst = CfaColor::ALL.into_iter().max_by(by_noise)?;
        let best = CfaColor::ALL.into_iter().min_by(by_noise)?;
        (noise(worst) > FLAT_NOISE_LIMIT && noise(worst) > WEAK_RATIO * noise(best))
            .then_some(worst)
    }
}

/// Samples that a stack rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rejected {
    /// Below.
    pub low: u64,
    /// Above.
    pub high: u64,
}

/// A finished master and its facts.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The master.
    pub frame: Frame,
    /// Rejected samples.
    pub rejected: Rejected,
    /// Pixels without data.
    pub no_data: usize,
    /// The noise of one frame, as the samples scatter; `None` where they cannot tell.
    pub scatter_adu: Option<f64>,
    /// The sigma that a defect must stand out from, at least: in the unit of the master.
    pub frame_noise: f32,
}

/// What a stack becomes.
#[derive(Debug, Clone, Copy)]
pub struct Finish {
    /// The kind of master.
    pub kind: FrameKind,
    /// Frames that were stacked.
    pub count: usize,
    /// How their samples were combined.
    pub combine: Combine,
    /// The colour filter array over the stack.
    pub cfa: Option<CfaPattern>,
    /// Gain and read noise, where they are known.
    pub noise: Option<NoiseModel>,
    /// The steps that the stacked samples went through.
    pub applied: Applied,
    /// The step of the converter in ADU; 0 of samples that are no integers.
    pub step_adu: f32,
}

/// Makes a master of a stack: variance, mask, and for flats the normalisation.
///
/// A pixel without samples is NaN and NO_DATA. The variance is that of the samples, and not less than
/// what the converter's rounding leaves; with a single frame it is that of neighbours and of the noise
/// model, and without one there is none. A flat is divided by the
/// robust mean of each colour; where its response is not above a tenth of the median it is
/// NO_DATA and 1, so that no division by it does harm.
pub fn finish(stacked: Stacked, spec: Finish) -> Finished {
    let rejected = Rejected { low: stacked.rejected_low, high: stacked.rejected_high };
    let mut frame = Frame {
        data: stacked.value,
        variance: None,
        mask: stacked.mask,
        unit: Unit::Adu,
        applied: spec.applied,
    };
    frame.variance = variance(stacked.variance, &frame, spec);
    calm(&mut frame.mask);
    let scatter = scatter_of_one_frame(frame.variance.as_ref(), spec);
    let frame_noise = if spec.kind == FrameKind::Flat {
        normalise(&mut frame, spec.cfa);
        FLAT_DEFECT / KAPPA
    } else {
        (scatter.unwrap_or(0.0) as f32).max(rounding(spec))
    };
    let no_data = frame.mask.as_slice().iter().filter(|m| m.contains(MaskBits::NO_DATA)).count();
    Finished { frame, rejected, no_data, scatter_adu: scatter, frame_noise }
}

fn variance(scatter: Plane<f32>, frame: &Frame, spec: Finish) -> Option<Plane<f32>> {
    if spec.count >= 2 {
        let mut variance = scatter;
        if spec.step_adu > 0.0 && spec.kind != FrameKind::Flat {
            rounded(variance.as_mut_slice(), spec);
        }
        return Some(variance);
    }
    // One frame has no scatter of its own: what neighbours scatter by is read noise and the noise of
    // their dark signal, whatever the level above which that is counted; a pixel above them has more.
    let noise = spec.noise.filter(|_| spec.kind != FrameKind::Flat)?;
    let (data, step) = (&frame.data, spec.cfa.map_or(1, CfaPattern::period));
    let near = stat::noise(data.as_slice(), data.width(), step).powi(2) as f32;
    let read = noise.variance_adu2(0.0) as f32;
    let typical = if near > read { near } else { read };
    let middle = stat::median_at_a_glance(data.as_slice());
    let gain = noise.gain_e_per_adu.e_per_adu() as f32;
    let reach = KAPPA * typical.sqrt();
    Some(Plane::from_fn(frame.size(), |x, y| {
        let above = data.get(x, y) - middle;
        typical + if above > reach { above / gain } else { 0.0 }
    }))
}

/// Pixels along the side of a block, and the share of them that are called unstable only where a frame
/// of the set is wrong there: pixels that jump stand alone.
const BLOCK: usize = 32;
const CROWD: f64 = 0.05;

/// Takes UNSTABLE from crowds of pixels.
fn calm(mask: &mut Plane<MaskBits>) {
    let size = mask.size();
    for y0 in (0..size.height).step_by(BLOCK) {
        for x0 in (0..size.width).step_by(BLOCK) {
            let block = Rect::new(x0, y0, BLOCK, BLOCK).clipped(size);
            let rows = || block.y0..block.y1;
            let of_row = |y: usize| {
                let bits = mask.row(y)[block.x0..block.x1].iter();
                bits.filter(|bits| bits.contains(MaskBits::UNSTABLE)).count()
            };
            let count: usize = rows().map(of_row).sum();
            if count as f64 > CROWD * block.size().pixels() as f64 {
                for y in rows() {
                    let bits = mask.row_mut(y)[block.x0..block.x1].iter_mut();
                    bits.for_each(|bits| bits.remove(MaskBits::UNSTABLE));
                }
            }
        }
    }
}

/// Degrees of freedom that all pixels lend each, where steps are as coarse as the noise.
const LENT: f32 = 4.0;

/// Below a scatter of so many steps squared a mean of rounded samples is off by what rounding leaves.
const COARSE: f64 = 0.3;

/// Brings variances of means of few coarse steps to what is known of them: samples that are all rounded
/// to one step scatter by nothing, and where noise is below half a step their mean stays off however
/// many there are.
///
/// # Source
/// Widrow2008, rounding as additive noise and when it is none.
fn rounded(variances: &mut [f32], spec: Finish) {
    let (step2, n) = (f64::from(spec.step_adu).powi(2), spec.count as f64);
    let Some(of_one) = spec.combine.variance_of_one(spec.count).filter(|_| step2 > 0.0) else {
        return;
    };
    let in_steps = of_one / step2;
    let usual = |v: &f32| f64::from(*v) * in_steps <= 1.0;
    let (mut sum, mut count) = (0.0, 0.0);
    for v in variances.iter().filter(|v| usual(v)) {
        sum += f64::from(*v) * in_steps;
        count += 1.0;
    }
    let scatter = sum / count;
    let least = (step2 / 12.0 / of_one) as f32;
    // Not so for NaN.
    let coarse = 2.0 * count > variances.len() as f64 && scatter < COARSE;
    if !coarse {
        variances.iter_mut().filter(|v| **v < least).for_each(|v| *v = least);
        return;
    }
    // What the mean is off by at a place of a step, on the mean over all of it.
    let left = |noise: f64| {
        let term = |k: f64| {
            let k2 = (std::f64::consts::PI * k).powi(2);
            (-4.0 * k2 * noise * noise).exp() / (2.0 * k2)
        };
        (1..20).map(|k| term(f64::from(k))).sum::<f64>()
    };
    // The noise before rounding that scatters so.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let noise = 0.5 * (low + high);
        let seen = noise * noise + 1.0 / 12.0 - left(noise);
        (low, high) = if seen < scatter { (noise, high) } else { (low, noise) };
    }
    let off = (left(0.5 * (low + high)) * step2) as f32;
    let pooled = (scatter / in_steps) as f32;
    let own = (n - 1.0) as f32;
    for v in variances.iter_mut() {
        let here = if usual(v) { (own * *v + LENT * pooled) / (own + LENT) } else { *v };
        *v = here + off;
    }
}

/// One standard deviation of what the converter rounds off.
fn rounding(spec: Finish) -> f32 {
    spec.step_adu / 12.0f32.sqrt()
}

/// About as many variances as the noise of a frame is taken from: for 5 frames their median is then
/// good to 0.1 %.
const SCATTER_SAMPLES: usize = 1 << 20;

/// The noise of one of the stacked frames, from the median of the master's variance, of rows spread
/// evenly.
///
/// For a flat the unit is that of the scaled samples.
fn scatter_of_one_frame(variance: Option<&Plane<f32>>, spec: Finish) -> Option<f64> {
    let variance = variance.filter(|_| spec.count >= 2)?;
    // Weights are for lights; how many frames they are worth is not known here.
    let of_one = spec.combine.variance_of_one(spec.count)?;
    let size = variance.size();
    let stride = size.pixels().div_ceil(SCATTER_SAMPLES).clamp(1, size.height.max(1));
    let rows = (stride / 2..variance.height()).step_by(stride);
    let some: Vec<f32> = rows.flat_map(|y| variance.row(y)).copied().collect();
    let variance = f64::from(stat::median(&some)) * of_one / median_to_mean(spec.count);
    variance.is_finite().then(|| variance.sqrt())
}

/// How far the median of a variance of n samples lies below its mean: the factor (1 − 2 / 9ν)³,
/// ν = n − 1.
///
/// # Source
/// Wilson1931.
pub(crate) fn median_to_mean(count: usize) -> f64 {
    (1.0 - 2.0 / (9.0 * (count as f64 - 1.0))).powi(3)
}

/// The noise of one frame as gain and read noise predict it, and as its samples scatter.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoiseCheck {
    /// The scatter of the samples: one standard deviation, in ADU.
    pub scatter_adu: f64,
    /// Read noise and the Poisson noise of the signal, in ADU.
    pub model_adu: f64,
}

impl NoiseCheck {
    /// Compares the scatter with the noise of `signal_adu` above the bias level.
    ///
    /// A flat's scatter is relative to its mean, `signal_adu`.
    pub fn new(kind: FrameKind, scatter: f64, signal_adu: f64, noise: NoiseModel) -> Self {
        let unit = if kind == FrameKind::Flat { signal_adu } else { 1.0 };
        let model_adu = noise.variance_adu2(signal_adu).sqrt();
        Self { scatter_adu: scatter * unit, model_adu }
    }

    /// Scatter over model: 1 where gain and read noise are those of the frames.
    pub fn ratio(&self) -> f64 {
        self.scatter_adu / self.model_adu
    }

    /// True when the two agree to a quarter: gains of data sheets are that good. Below half an ADU
    /// the steps of the converter hide what could be compared.
    pub fn agrees(&self) -> bool {
        let hidden = self.scatter_adu < 0.5 && self.model_adu < 0.5;
        hidden || (0.8..=1.25).contains(&self.ratio())
    }
}

/// Divides a flat by its mean and takes out what is no response.
fn normalise(frame: &mut Frame, cfa: Option<CfaPattern>) {
    let size = frame.size();
    let means = channel_means(frame.data.as_slice(), size.width, cfa);
    let factors = means.map(|m| (1.0 / m) as f32);
    for y in 0..size.height {
        let factor = match cfa {
            None => [factors[0]; CFA_LINE],
            Some(cfa) => cfa.line(0, y).map(|c| factors[c.channel()]),
        };
        let times = |row: &mut [f32], power: i32| {
            let factor = factor.map(|f| f.powi(power));
            for part in row.chunks_mut(CFA_LINE) {
                part.iter_mut().zip(&factor).for_each(|(v, f)| *v *= f);
            }
        };
        times(frame.data.row_mut(y), 1);
        if let Some(v) = &mut frame.variance {
            times(v.row_mut(y), 2);
        }
    }
    frame.unit = Unit::Relative;
    let floor = FLAT_FLOOR * stat::median_at_a_glance(frame.data.as_slice());
    for y in 0..size.height {
        let samples = frame.data.row_mut(y);
        if samples.iter().all(|v| *v > floor && v.is_finite()) {
            continue;
        }
        for (x, v) in
            samples.iter_mut().enumerate().filter(|(_, v)| !(**v > floor && v.is_finite()))
        {
            *v = 1.0;
            frame.mask.row_mut(y)[x] |= MaskBits::NO_DATA;
            if let Some(variance) = &mut frame.variance {
                variance.row_mut(y)[x] = f32::NAN;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::Size;

    use super::*;
    use crate::defects;

    fn stacked(value: Plane<f32>) -> Stacked {
        let size = value.size();
        Stacked { value, variance: Plane::filled(size, 4.0), ..Stacked::empty(size, false) }
    }

    fn spec(kind: FrameKind) -> Finish {
        Finish {
            kind,
            count: 5,
            combine: Combine::Mean,
            cfa: None,
            noise: None,
            applied: Applied::empty(),
            step_adu: 0.0,
        }
    }

    #[test]
    fn a_flat_has_mean_one_and_is_positive_everywhere() {
        let mut value = Plane::from_fn(Size::new(64, 64), |x, _| 1000.0 + x as f32);
        value.set(3, 3, f32::NAN);
        value.set(5, 5, -40.0);
        value.set(6, 6, 0.0);
        let done = finish(stacked(value), spec(FrameKind::Flat));
        let data = done.frame.data.as_slice();
        assert!(data.iter().all(|v| *v > 0.0));
        assert_eq!(done.no_data, 3);
        let mean = data.iter().map(|v| f64::from(*v)).sum::<f64>() / data.len() as f64;
        assert!((mean - 1.0).abs() < 1e-4, "{mean}");
        let variance = done.frame.variance.as_ref().unwrap().get(0, 0);
        assert!((variance - 4.0 / 1031.5f32.powi(2)).abs() < 1e-8);
    }

    #[test]
    fn colours_are_normalised_apart() {
        let cfa = CfaPattern::parse("RGGB");
        let value = Plane::from_fn(Size::new(32, 32), |x, y| {
            [300.0, 1000.0, 500.0][cfa.unwrap().color(x, y).channel()]
        });
        let done = finish(stacked(value), Finish { cfa, ..spec(FrameKind::Flat) });
        assert!(done.frame.data.as_slice().iter().all(|v| (v - 1.0).abs() < 1e-6));
    }

    #[test]
    fn dust_is_no_defect_and_a_dead_pixel_in_it_is() {
        let bayer = CfaPattern::parse("RGGB");
        for (cfa, depth, sigma_px) in [
            (None, 0.3, 12.0),
            (None, 0.6, 6.0),
            (None, 0.1, 5.0),
            (bayer, 0.3, 12.0),
            (bayer, 0.5, 8.0),
            (bayer, 0.2, 30.0),
        ] {
            let value = Plane::from_fn(Size::new(128, 128), |x, y| {
                let r2 = (x as f32 - 64.0).powi(2) + (y as f32 - 60.0).powi(2);
                let shade = 1.0 - depth * (-r2 / (2.0 * sigma_px * sigma_px)).exp();
                let level = cfa.map_or(1.0, |c| [0.5, 1.0, 0.7][c.color(x, y).channel()]);
                let noise = ((x * 31 + y * 17) % 7) as f32 - 3.0;
                let dead = if (x, y) == (66, 62) { 0.5 } else { 1.0 };
                (20_000.0 * level * shade + noise) * dead
            });
            let mut done = finish(stacked(value), Finish { cfa, ..spec(FrameKind::Flat) });
            let found = defects::find(&done.frame.data, 0..128, cfa, done.frame_noise);
            assert_eq!(defects::mark(&mut done.frame, &found), (0, 1), "{depth} {sigma_px}");
            assert!(done.frame.mask.get(66, 62).contains(MaskBits::COLD));
        }
    }

    #[test]
    fn a_colour_is_weak_beside_better_ones() {
        let colours = |noise: [f64; 3]| noise.map(|noise| FlatColour { level_adu: 1.0, noise });
        let weak = |noise| FlatColour::weak(&colours(noise));
        assert_eq!(weak([0.003, 0.002, 0.004]), None);
        assert_eq!(weak([0.03, 0.004, 0.006]), Some(CfaColor::Red));
        assert_eq!(weak([0.005, 0.004, f64::NAN]), Some(CfaColor::Blue));
        // All poor alike, or all good: no colour's fault.
        assert_eq!(weak([0.03, 0.02, 0.03]), None);
        assert_eq!(weak([0.009, 0.001, 0.001]), None);
        assert_eq!(weak([f64::NAN; 3]), None);
    }
}
