//! All masters for one set-up, and their use on a frame.

use photosite_pix::unit::NoiseModel;
use photosite_pix::{Applied, CfaPattern, Frame, MaskBits, Plane, Size, Unit, stat};

use super::{Bias, DarkContent, MasterDark, MasterFlat};
use crate::defects::{self, Defect};
use crate::{Error, Result};

/// How the dark is fitted to the light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DarkScaling {
    /// Not at all: the dark must be of the light's exposure and temperature.
    None,
    /// By the ratio of exposures: only right where the dark signal is linear in time.
    Exposure,
    /// By a factor given by hand.
    Factor(f64),
}

/// A raw light: samples in ADU, overscan already handled.
#[derive(Debug, Clone)]
pub struct Light {
    /// Raw samples in ADU; NaN where the file has none.
    pub data: Plane<f32>,
    /// The raw level in ADU from which a sample counts as saturated.
    pub saturation_adu: Option<f32>,
    /// What was subtracted as overscan level, in ADU.
    pub overscan_adu: f32,
    /// Exposure in seconds.
    pub exposure_s: Option<f64>,
    /// The colour filter array over the data.
    pub cfa: Option<CfaPattern>,
    /// The steps that the frame already went through.
    pub applied: Applied,
    /// Gain and read noise, where they are known.
    pub noise: Option<NoiseModel>,
}

/// A calibrated light and what was done to it.
#[derive(Debug, Clone)]
pub struct Calibrated {
    /// Samples in ADU, relative to a mean response of 1.
    pub frame: Frame,
    /// The steps done, in order; names of [`super::STEPS`].
    pub steps: Vec<&'static str>,
    /// The factor the dark was multiplied with; `None` where no dark was used.
    pub dark_scale: Option<f64>,
    /// Pixels replaced from their neighbours.
    pub repaired: usize,
}

/// Masters that agree with each other; only the frame can still be wrong.
#[derive(Debug, Clone)]
pub struct CalibrationSet {
    bias: Option<Bias>,
    dark: Option<MasterDark>,
    flat: Option<MasterFlat>,
    scaling: DarkScaling,
    scatter: Option<DarkScatter>,
    /// The pixels of dark and flat that call for a repair, row after row.
    defects: [Vec<Defect>; 2],
}

/// What is done to a light, decided before any of its samples is touched.
struct Course<'a> {
    bias: Option<&'a Bias>,
    /// How much of the bias goes beside the dark.
    bias_share: f32,
    dark: Option<&'a MasterDark>,
    /// The factor of the dark.
    k: Option<f64>,
    flat: Option<&'a MasterFlat>,
}

/// Means over the ordinary pixels of a master dark.
#[derive(Debug, Clone, Copy)]
struct DarkScatter {
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

    fn of(bias: Option<&Bias>, dark: &MasterDark) -> Option<Self> {
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
        let (levels, variances): (Vec<f32>, Vec<f32>) = above
            .into_iter()
            .zip(variance.as_slice().iter().copied())
            .filter(|(a, v)| ordinary(a) && v.is_finite())
            .unzip();
        let variance_adu2 = factor * stat::robust_mean(&variances, Self::VARIANCE_KAPPA);
        let above_zero_adu =
            levels.iter().map(|v| f64::from(*v)).sum::<f64>() / levels.len() as f64;
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
    fn hidden_adu(self, noise: NoiseModel) -> f64 {
        let shot = self.variance_adu2 - noise.variance_adu2(0.0);
        (noise.gain_e_per_adu.e_per_adu() * shot - self.above_zero_adu).max(0.0)
    }
}

impl CalibrationSet {
    /// Puts masters together.
    ///
    /// # Errors
    /// When their sizes differ, when a dark is to be scaled that holds a bias no master can take
    /// out, or when a bias-free dark comes without a bias.
    pub fn new(
        bias: Option<Bias>,
        dark: Option<MasterDark>,
        flat: Option<MasterFlat>,
        scaling: DarkScaling,
    ) -> Result<Self> {
        let sizes = [
            ("bias", bias.as_ref().and_then(Bias::size)),
            ("dark", dark.as_ref().map(|d| d.frame.size())),
            ("flat", flat.as_ref().map(|f| f.frame.size())),
        ];
        let known: Vec<(&str, Size)> =
            sizes.into_iter().filter_map(|(n, s)| Some((n, s?))).collect();
        if let Some(pair) = known.windows(2).find(|p| p[0].1 != p[1].1) {
            return Err(Error::request(format!(
                "the master {} is {} pixels, the master {} {}; masters of one camera set-up have \
                 one size",
                pair[0].0, pair[0].1, pair[1].0, pair[1].1
            )));
        }
        if let Some(dark) = &dark {
            if dark.content == DarkContent::BiasRemoved && bias.is_none() {
                return Err(Error::request(
                    "this master dark is free of bias, so the light's bias must go by a master \
                     bias; give --bias",
                ));
            }
            let scaled = scaling != DarkScaling::None;
            if scaled && dark.content == DarkContent::BiasIncluded && bias.is_none() {
                return Err(Error::request(
                    "a dark that holds the bias cannot be scaled: the bias does not grow with \
                     time. Give --bias, so that only the dark signal is scaled",
                ));
            }
        }
        if let DarkScaling::Factor(k) = scaling
            && !(k.is_finite() && k >= 0.0)
        {
            return Err(Error::request(format!("a dark cannot be scaled by {k}")));
        }
        let scatter = dark.as_ref().and_then(|d| DarkScatter::of(bias.as_ref(), d));
        let listed = |frame: Option<&Frame>| frame.map_or_else(Vec::new, defects_of);
        let defects =
            [listed(dark.as_ref().map(|d| &*d.frame)), listed(flat.as_ref().map(|f| &*f.frame))];
        Ok(Self { bias, dark, flat, scaling, scatter, defects })
    }

    /// The factor for the dark of a light.
    fn factor(&self, dark: &MasterDark, light: &Light) -> Result<f64> {
        match self.scaling {
            DarkScaling::None => Ok(1.0),
            DarkScaling::Factor(k) => Ok(k),
            DarkScaling::Exposure => match (light.exposure_s, dark.exposure_s) {
                (Some(l), Some(d)) if d > 0.0 => Ok(l / d),
                (l, d) => Err(Error::request(format!(
                    "scaling the dark by exposure wants both exposures; the light's is {}, the \
                     dark's {}",
                    known(l),
                    known(d)
                ))),
            },
        }
    }

    /// Calibrates a light, in the order of [`super::STEPS`].
    ///
    /// With a matched dark D and flat f the result is (L − D) / f; with a bias B and a factor k it
    /// is (L − B − k (D − B)) / f, written (L − k D − (1 − k) B) / f so that the variances of B
    /// add once. Samples are signed and nothing is clipped. A step that the frame already carries
    /// is not done again. A missing sample stays missing; a pixel that a master calls HOT, COLD
    /// or without data is replaced from its neighbours.
    ///
    /// # Errors
    /// When the light's size is not that of the masters, or a factor cannot be had.
    ///
    /// # Source
    /// Janesick2001, chapter 2; the order of steps is that of [`super::STEPS`].
    pub fn apply(&self, light: Light) -> Result<Calibrated> {
        let size = light.data.size();
        let masters = [
            self.bias.as_ref().and_then(Bias::size),
            self.dark.as_ref().map(|d| d.frame.size()),
            self.flat.as_ref().map(|f| f.frame.size()),
        ];
        if let Some(other) = masters.into_iter().flatten().find(|s| *s != size) {
            return Err(Error::request(format!(
                "the light is {size} pixels, its masters are {other}"
            )));
        }
        self.apply_band(light, 0)
    }

    /// The same for rows of a light, of which the first is row `first_row` of the masters.
    ///
    /// Pixels are repaired from neighbours, so rows nearer than [`defects::reach`] to an end that
    /// is not the light's own may differ from those of the whole light.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), save that sizes are the caller's.
    pub(super) fn apply_band(&self, light: Light, first_row: usize) -> Result<Calibrated> {
        let course = self.course(&light)?;
        let Course { bias, bias_share, dark, k, flat } = course;
        let bias_gone = light.applied.intersects(Applied::BIAS | Applied::DARK);
        let mut steps = vec!["saturation"];
        if light.overscan_adu != 0.0 {
            steps.push("overscan");
        }
        let mut applied = light.applied;
        if bias.is_some() && bias_share != 0.0 && !bias_gone {
            steps.push("bias");
            applied |= Applied::BIAS;
        }
        if light.noise.is_some() {
            steps.push("variance");
        }
        if dark.is_some() {
            steps.push("dark");
            applied |= Applied::DARK | Applied::BIAS;
        }
        let cfa = light.cfa;
        let mut frame = self.subtract(light, &course, first_row);
        if let Some(flat) = flat {
            divide(&mut frame, &flat.frame, first_row);
            steps.push("flat");
            applied |= Applied::FLAT;
        }
        let used = [dark.is_some(), flat.is_some()];
        let defective = self.enter_defects(&mut frame, used, first_row);
        let repaired = defects::repair(&mut frame, cfa, &defective);
        if !defective.is_empty() {
            steps.push("defects");
            applied |= Applied::DEFECTS;
        }
        frame.applied = applied;
        Ok(Calibrated { frame, steps, dark_scale: k, repaired })
    }

    /// Decides what is done to a light.
    fn course(&self, light: &Light) -> Result<Course<'_>> {
        let dark = self.dark.as_ref().filter(|_| !light.applied.contains(Applied::DARK));
        let flat = self.flat.as_ref().filter(|_| !light.applied.contains(Applied::FLAT));
        let k = dark.map(|d| self.factor(d, light)).transpose()?;
        // A dark that was subtracted took the bias with it.
        let bias_gone = light.applied.intersects(Applied::BIAS | Applied::DARK);
        let bias_in_light = if bias_gone { 0.0 } else { 1.0 };
        // How much of the bias goes beside the dark: what the light holds less what the dark takes.
        let bias_share = match dark.map(|d| d.content) {
            None | Some(DarkContent::BiasRemoved) => bias_in_light,
            Some(DarkContent::BiasIncluded) => bias_in_light - k.unwrap_or(1.0),
        };
        if bias_gone && bias_share != 0.0 && self.bias.is_none() {
            return Err(Error::request(
                "the bias was taken out of this light already, and its dark still holds it; a \
                 master bias must take it out of the dark, else it would be subtracted twice",
            ));
        }
        let bias = self.bias.as_ref();
        Ok(Course { bias, bias_share: bias_share as f32, dark, k, flat })
    }

    /// Saturation, variance, bias and dark, row by row.
    fn subtract(&self, light: Light, course: &Course<'_>, first_row: usize) -> Frame {
        let Light { data, saturation_adu, overscan_adu, applied, noise, .. } = light;
        let Course { bias, bias_share, dark, k, .. } = *course;
        let size = data.size();
        let mut frame = Frame::new(data, Unit::Adu);
        let mut variance = noise.map(|_| Plane::filled(size, 0.0f32));
        let k = k.unwrap_or(0.0) as f32;
        for y in 0..size.height {
            let row = first_row + y;
            let raw = frame.data.row(y);
            if let Some(level) = saturation_adu {
                for (m, v) in frame.mask.row_mut(y).iter_mut().zip(raw) {
                    if *v >= level - overscan_adu {
                        *m |= MaskBits::SATURATED;
                    }
                }
            }
            if let (Some(noise), Some(variance)) = (noise, &mut variance) {
                self.variance_row((raw, row), (noise, applied), course, variance.row_mut(y));
            }
            let out = frame.data.row_mut(y);
            match bias.filter(|_| bias_share != 0.0) {
                Some(Bias::Master(b)) => {
                    out.iter_mut().zip(b.data.row(row)).for_each(|(v, b)| *v -= bias_share * b);
                }
                Some(Bias::Level(l)) => {
                    let level = bias_share * *l as f32;
                    out.iter_mut().for_each(|v| *v -= level);
                }
                None => {}
            }
            if let Some(dark) = dark {
                let d = dark.frame.data.row(row);
                out.iter_mut().zip(d).for_each(|(v, d)| *v -= k * d);
            }
        }
        frame.variance = variance;
        frame
    }

    /// Carries the masters' defects into a frame's mask and lists the pixels to repair.
    ///
    /// A pixel that the light itself has no sample for is not repaired: it is not the camera's
    /// fault.
    fn enter_defects(
        &self,
        frame: &mut Frame,
        used: [bool; 2],
        first_row: usize,
    ) -> Vec<(usize, usize)> {
        let rows = first_row..first_row + frame.size().height;
        let mut here: Vec<Defect> = Vec::new();
        for (list, _) in self.defects.iter().zip(used).filter(|(_, used)| *used) {
            let from = list.partition_point(|d| d.y < rows.start);
            let to = list.partition_point(|d| d.y < rows.end);
            here.extend(&list[from..to]);
        }
        here.sort_unstable_by_key(|d| (d.y, d.x));
        let mut defective = Vec::new();
        for alike in here.chunk_by(|a, b| (a.x, a.y) == (b.x, b.y)) {
            let (x, y) = (alike[0].x, alike[0].y - first_row);
            let mask = &mut frame.mask.row_mut(y)[x];
            if !mask.contains(MaskBits::NO_DATA) {
                defective.push((x, y));
            }
            alike.iter().for_each(|d| *mask |= d.bits);
        }
        defective
    }

    /// The variance of raw samples and of what is subtracted from them.
    fn variance_row(
        &self,
        (raw, y): (&[f32], usize),
        (noise, applied): (NoiseModel, Applied),
        course: &Course<'_>,
        out: &mut [f32],
    ) {
        let Course { bias, bias_share, dark, k, .. } = *course;
        let k = k.unwrap_or(0.0) as f32;
        let gain = noise.gain_e_per_adu.e_per_adu() as f32;
        let read2 = noise.variance_adu2(0.0) as f32;
        // The level above which samples are electrons: the bias, else the dark. Dark electrons
        // that this level hides are counted by the scatter of the darks.
        let gone = applied.intersects(Applied::BIAS | Applied::DARK);
        let zero = self.bias.as_ref().map(|b| b.row(y));
        let dark_row = dark.map(|d| d.frame.data.row(y));
        let hidden = dark.and(self.scatter).map_or(0.0, |s| k * s.hidden_adu(noise) as f32);
        for (x, v) in out.iter_mut().enumerate() {
            let level = match (&zero, dark_row) {
                _ if gone => 0.0,
                (Some(b), _) => b(x),
                (None, Some(d)) => d[x],
                (None, None) => f32::NAN,
            };
            let signal = raw[x] - level + hidden;
            let electrons = if signal < 0.0 { 0.0 } else { signal };
            *v = read2 + electrons / gain;
        }
        let mut add = |frame: &Frame, factor: f32| {
            if let Some(plane) = &frame.variance {
                let squared = factor * factor;
                out.iter_mut().zip(plane.row(y)).for_each(|(v, m)| *v += squared * m);
            }
        };
        if let Some(Bias::Master(b)) = bias
            && bias_share != 0.0
        {
            add(b, bias_share);
        }
        if let Some(d) = dark {
            add(&d.frame, k);
        }
    }
}

fn known(v: Option<f64>) -> String {
    v.map_or_else(|| "not known".to_owned(), |v| format!("{v} s"))
}

/// Divides by a flat: x / f, and var / f² + x² var_f / f⁴.
fn divide(frame: &mut Frame, flat: &Frame, first_row: usize) {
    for y in 0..frame.size().height {
        let f = flat.data.row(first_row + y);
        let x = frame.data.row_mut(y);
        if let Some(variance) = &mut frame.variance {
            let v = variance.row_mut(y);
            let of_flat = flat.variance.as_ref().map(|p| p.row(first_row + y));
            for i in 0..v.len() {
                let f2 = f[i] * f[i];
                let flat_part = of_flat.map_or(0.0, |p| p[i] * x[i] * x[i] / (f2 * f2));
                v[i] = v[i] / f2 + flat_part;
            }
        }
        x.iter_mut().zip(f).for_each(|(x, f)| *x /= f);
    }
}

/// The pixels of a master that call for a repair, row after row.
fn defects_of(master: &Frame) -> Vec<Defect> {
    let mut out = Vec::new();
    for y in 0..master.size().height {
        let row = master.mask.row(y).iter().enumerate();
        let listed = row.map(|(x, bits)| Defect { x, y, bits: *bits & defects::CALLS_FOR_REPAIR });
        out.extend(listed.filter(|d| !d.bits.is_empty()));
    }
    out
}
