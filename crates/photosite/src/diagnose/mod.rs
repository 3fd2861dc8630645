//! Whether a light was calibrated right, and if not, why: what its masters left in it, or took too much.
//!
//! A light that anyone calibrated is held against the masters that it should have been calibrated with. What
//! is left of their signal in it says what went wrong: of the dark's hot pixels and glow, of the flat's
//! vignetting and dust, of the bias' level. Each measure has an error, so that "good" means that it was
//! looked for and not found.
//!
//! ```
//! use photosite::calibrate::{DarkContent, MasterDark};
//! use photosite::diagnose::{Against, Subject, Verdict, diagnose};
//! use photosite_pix::{Frame, Plane, Size, Unit};
//!
//! let size = Size::new(256, 256);
//! let noise = |x: usize, y: usize, k: usize| {
//!     let mut h = (x + 4096 * y + 16_777_216 * k) as u64;
//!     h = (h ^ (h >> 13)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
//!     ((h ^ (h >> 29)) % 1000) as f32 / 1000.0 - 0.5
//! };
//! let hot = |x: usize, y: usize| if (x * 31 + y * 17) % 97 == 0 { 200.0 } else { 0.0 };
//! let dark = Plane::from_fn(size, |x, y| hot(x, y) + noise(x, y, 1));
//! let dark = MasterDark {
//!     frame: std::sync::Arc::new(Frame::new(dark, Unit::Adu)),
//!     content: DarkContent::BiasRemoved,
//!     exposure_s: Some(60.0),
//!     variance_factor: None,
//! };
//! let against = Against::new(size, None).dark(&dark, None)?;
//! // A dark that is twice as strong as what the light holds leaves holes.
//! let light = Plane::from_fn(size, |x, y| 300.0 + 20.0 * noise(x, y, 2) - 0.5 * hot(x, y));
//! let found = diagnose(&Subject::new(&light, None), &against)?;
//! assert_eq!(found.verdict, Verdict::Wrong);
//! assert_eq!(found.faults[0].code, "thermal-over");
//! assert!((found.faults[0].value + 0.5).abs() < 0.05);
//! # Ok::<(), photosite::Error>(())
//! ```

mod flat;
mod level;
mod noise;
mod points;
mod seam;
mod structure;
mod thermal;

use std::sync::Arc;

use photosite_pix::unit::NoiseModel;
use photosite_pix::{CfaPattern, Frame, MaskBits, Plane, Rect, Size, stat};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::calibrate::dark::{DOUBLING_C, HotSites};
use crate::calibrate::flat_fit::{Blocks, FlatAnswer, FlatFit, Template};
use crate::calibrate::{Bias, DarkContent, Left, MasterDark};
use crate::finding::Severity;

pub use noise::{LightInStack, MasterNoise, More, NoiseBudget, StackNoise};
pub use structure::{Pattern, PatternSeen, patterns};

/// Whether a light was calibrated right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Verdict {
    /// Nothing was found that would be seen.
    #[serde(rename = "good")]
    Good,
    /// Something is left that is seen when looked for.
    #[serde(rename = "usable")]
    Usable,
    /// It is not what the masters at hand would have made of it.
    #[serde(rename = "wrong")]
    Wrong,
    /// Neither dark nor flat could be held against it.
    #[serde(rename = "cannot be told")]
    CannotBeTold,
}

impl Verdict {
    /// By what a run looks at on its way: what is left of the dark, whether the flat fits, where one was
    /// applied, and the patterns of the background.
    pub fn of(left: Option<Left>, flat: Option<FlatFit>, patterns: &[PatternSeen]) -> Self {
        let told = flat.filter(|f| f.answer != FlatAnswer::CannotBeTold);
        let fits = told.is_none_or(|f| f.answer == FlatAnswer::Fits);
        match left {
            _ if !fits || left.is_some_and(Left::is_wrong) => Self::Wrong,
            _ if patterns.iter().any(|p| p.is_wrong()) => Self::Wrong,
            Some(left) if left.is_seen() => Self::Usable,
            _ if !patterns.is_empty() => Self::Usable,
            None if told.is_none() => Self::CannotBeTold,
            _ => Self::Good,
        }
    }

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Usable => "usable",
            Self::Wrong => "wrong",
            Self::CannotBeTold => "cannot be told",
        }
    }
}

/// What is wrong with a calibrated light, with its size and what mends it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// The code, one of the table of findings.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Its size, in `unit`.
    pub value: f64,
    /// The standard error of that; `None` where a count has none.
    pub error: Option<f64>,
    /// What both are counted in; empty for a factor.
    pub unit: &'static str,
    /// What was seen, in one sentence.
    pub message: String,
    /// What mends it.
    pub hint: String,
    /// Where it is seen best.
    pub region: Option<Rect>,
}

/// What was measured, whether it is a fault or not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measured {
    /// What: `thermal`, `glow`, `flat-slope`, `flat-dust`, `additive`.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
    /// What both are counted in; empty for a factor.
    pub unit: &'static str,
}

/// What a light was found to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// In one word.
    pub verdict: Verdict,
    /// What is wrong, the cause of most first.
    pub faults: Vec<Fault>,
    /// What was looked for, and what came out.
    pub measures: Vec<Measured>,
}

/// A calibrated light.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its samples in ADU; NaN where there are none.
    pub data: &'a Plane<f32>,
    /// Its mask: pixels that were repaired, are saturated or hold nothing do not count.
    pub mask: Option<&'a Plane<MaskBits>>,
    /// The dark at hand is of its own exposure and temperature, so that another may have been subtracted.
    pub has_its_dark: bool,
}

impl<'a> Subject<'a> {
    /// A light with its mask, held against the dark that was subtracted, as far as is known.
    pub fn new(data: &'a Plane<f32>, mask: Option<&'a Plane<MaskBits>>) -> Self {
        Self { data, mask, has_its_dark: false }
    }
}

impl Subject<'_> {
    /// A row without what does not count.
    fn row(&self, y: usize, out: &mut [f32]) {
        self.part_of_row(y, 0, out);
    }

    /// The samples of a row from a column on, without what does not count.
    fn part_of_row(&self, y: usize, x0: usize, out: &mut [f32]) {
        const NOT: MaskBits =
            MaskBits::NO_DATA.union(MaskBits::SATURATED).union(MaskBits::INTERPOLATED);
        let columns = x0..x0 + out.len();
        out.copy_from_slice(&self.data.row(y)[columns.clone()]);
        if let Some(mask) = self.mask {
            let pairs = out.iter_mut().zip(&mask.row(y)[columns]);
            pairs.filter(|(_, m)| m.intersects(NOT)).for_each(|(v, _)| *v = f32::NAN);
        }
    }
}

/// A dark, ready to be held against lights.
#[derive(Debug, Clone)]
struct Dark {
    sites: HotSites,
    /// Its structure is glow, and not that of a bias which is in it too.
    glow: bool,
    exposure_s: Option<f64>,
    gap: Option<level::Gap>,
}

/// A flat, ready to be held against lights.
#[derive(Debug, Clone)]
struct Flat {
    template: Template,
    frame: Arc<Frame>,
}

/// The masters that a light should have been calibrated with, made ready once for all lights.
#[derive(Debug, Clone)]
pub struct Against {
    size: Size,
    cfa: Option<CfaPattern>,
    dark: Option<Dark>,
    flat: Option<Flat>,
    /// The level of the flat's frames over that of full wells.
    flat_of_full: Option<f64>,
    bias_adu: Option<f64>,
    gain_e_per_adu: Option<f64>,
    read_noise_e: Option<f64>,
    doubling_c: f64,
    noise: MasterNoise,
}

impl Against {
    /// No master yet, for lights of `size` under `cfa`.
    pub fn new(size: Size, cfa: Option<CfaPattern>) -> Self {
        Self {
            size,
            cfa,
            dark: None,
            flat: None,
            flat_of_full: None,
            bias_adu: None,
            gain_e_per_adu: None,
            read_noise_e: None,
            doubling_c: DOUBLING_C,
            noise: MasterNoise::default(),
        }
    }

    /// With the gain, in electrons an ADU: the noise of a dark tells then how much signal it may hold.
    #[must_use]
    pub fn gain(mut self, e_per_adu: f64) -> Self {
        self.gain_e_per_adu = Some(e_per_adu);
        self
    }

    /// With the read noise in electrons: what a dark's noise has beyond it is its signal's. Before the dark.
    #[must_use]
    pub fn read_noise(mut self, electrons: f64) -> Self {
        self.read_noise_e = Some(electrons);
        self
    }

    /// With a bias.
    #[must_use]
    pub fn bias(mut self, bias: &Bias) -> Self {
        self.bias_adu = Some(match bias {
            Bias::Level(adu) => *adu,
            Bias::Master(frame) => {
                self.noise.bias_adu = noise::of_master(frame);
                f64::from(stat::median_at_a_glance(frame.data.as_slice()))
            }
        });
        self
    }

    /// With a dark; a bias frees it of what is not dark signal.
    ///
    /// # Errors
    /// When dark, bias and lights are of different sizes.
    pub fn dark(mut self, dark: &MasterDark, bias: Option<&Bias>) -> Result<Self> {
        let holds_bias = dark.content == DarkContent::BiasIncluded;
        if holds_bias && self.bias_adu.is_none() && bias.is_none() {
            let level = stat::median_at_a_glance(dark.frame.data.as_slice());
            self.bias_adu = Some(f64::from(level));
        }
        if dark.frame.size() != self.size {
            let message = format!("the light is {}, the dark {}", self.size, dark.frame.size());
            return Err(crate::Error::mismatch(message));
        }
        let level = Bias::Level(self.bias_adu.unwrap_or(0.0));
        let sites = HotSites::of(dark, bias.or(Some(&level)), self.cfa)?;
        let glow = !holds_bias || matches!(bias, Some(Bias::Master(_)));
        let own = f64::from(stat::median_at_a_glance(dark.frame.data.as_slice()));
        // Amplifiers have levels of their own in both.
        let above = match bias {
            Some(Bias::Master(bias)) if holds_bias => {
                let [dark, bias] = [&dark.frame, bias].map(|f| f.data.as_slice());
                f64::from(stat::median_above_at_a_glance(dark, bias))
            }
            _ => own - self.bias_adu.unwrap_or(own),
        };
        self.noise.dark_adu = noise::of_master(&dark.frame);
        self.noise.dark_frame_adu2 =
            dark.variance_factor.map(|n| n * self.noise.dark_adu.powi(2)).filter(|v| *v > 0.0);
        self.noise.dark_signal_adu = match holds_bias {
            true => above,
            false => own,
        };
        if holds_bias {
            // The bias is in the dark, and not subtracted for itself.
            self.noise.bias_adu = 0.0;
        }
        let known = |gain| (gain, self.read_noise_e);
        let of_gain = |gain| level::Gap::of(dark, above, known(gain));
        let has_bias = holds_bias && bias.is_some();
        let gap = self.gain_e_per_adu.filter(|_| has_bias).and_then(of_gain);
        self.dark = Some(Dark { sites, glow, exposure_s: dark.exposure_s, gap });
        Ok(self)
    }

    /// With the level of the flat's frames as a share of the level of saturation: near that, no sensor is linear.
    #[must_use]
    pub fn flat_of_full(mut self, share: f64) -> Self {
        self.flat_of_full = Some(share);
        self
    }

    /// With a flat of mean 1.
    ///
    /// # Errors
    /// When it is of another size than lights.
    pub fn flat(mut self, frame: Arc<Frame>) -> Result<Self> {
        if frame.size() != self.size {
            let message = format!("the light is {}, the flat {}", self.size, frame.size());
            return Err(crate::Error::mismatch(message));
        }
        self.noise.flat = noise::of_master(&frame);
        self.noise.flat_level = Some(f64::from(stat::median_at_a_glance(frame.data.as_slice())));
        let blocks = Blocks::of(self.size, self.cfa, |rows, out| {
            out.copy_from_slice(frame.data.rows(rows.start, rows.end));
            let masks = frame.mask.rows(rows.start, rows.end);
            let none = out.iter_mut().zip(masks);
            none.filter(|(_, m)| m.intersects(MaskBits::NO_DATA)).for_each(|(v, _)| *v = f32::NAN);
            Ok(())
        })?;
        self.flat = Some(Flat { template: Template::of(blocks), frame });
        Ok(self)
    }
}

/// Where the noise of a light comes from, by the noise of the camera and that of its masters, beside what the
/// light shows; NaN where it shows none.
pub fn noise_budget(subject: &Subject<'_>, against: &Against, noise: NoiseModel) -> NoiseBudget {
    let seen = Seen::of(subject, against);
    NoiseBudget::of(seen.level_adu, seen.noise_adu, noise, against.noise)
}

/// What a light is like before any of its masters is looked at.
struct Seen {
    /// The median of the background, and the noise from pixel to pixel, in ADU.
    level_adu: f64,
    noise_adu: f64,
}

impl Seen {
    fn of(subject: &Subject<'_>, against: &Against) -> Self {
        let step = against.cfa.map_or(1, CfaPattern::period);
        let samples = subject.data.as_slice();
        Self {
            level_adu: f64::from(stat::median_at_a_glance(samples)),
            noise_adu: stat::noise(samples, against.size.width, step),
        }
    }
}

/// Says whether a light was calibrated right, and if not, why, by the regressions of [`HotSites::fit`] and
/// [`Template::fit`].
///
/// # Errors
/// When the light is of another size than the masters.
pub fn diagnose(subject: &Subject<'_>, against: &Against) -> Result<Diagnosis> {
    let size = subject.data.size();
    if size != against.size {
        let message = format!("the light is {size}, its masters {}", against.size);
        return Err(crate::Error::mismatch(message));
    }
    let seen = Seen::of(subject, against);
    if let Some(fault) = not_as_the_camera_gave_it(&seen, against) {
        let (faults, measures) = (vec![fault], Vec::new());
        return Ok(Diagnosis { verdict: Verdict::CannotBeTold, faults, measures });
    }
    let (mut faults, mut measures) = (Vec::new(), Vec::new());
    if let Some(dark) = &against.dark {
        thermal::look(subject, dark, against, &seen, (&mut faults, &mut measures))?;
    }
    if let Some(flat) = &against.flat {
        flat::look(subject, flat, against, &seen, (&mut faults, &mut measures))?;
    }
    level::look(subject, against, &seen, &mut faults);
    structure::look(subject, against.cfa, seen.noise_adu, &mut faults);
    faults.extend(structure::other_array(subject, against));
    faults.sort_by_key(|f| (std::cmp::Reverse(f.severity), rank(f.code)));
    let verdict = match faults.iter().map(|f| f.severity).max() {
        Some(Severity::Error) => Verdict::Wrong,
        _ if measures.is_empty() => Verdict::CannotBeTold,
        Some(Severity::Warning) => Verdict::Usable,
        _ => Verdict::Good,
    };
    Ok(Diagnosis { verdict, faults, measures })
}

/// A light is at least so much as noisy as its camera reads out, and as its dark is.
const OF_READ_NOISE: f64 = 0.5;
const OF_DARK_NOISE: f64 = 0.4;

/// That a light is quieter than its camera: its numbers are no more what was counted.
fn not_as_the_camera_gave_it(seen: &Seen, against: &Against) -> Option<Fault> {
    let read_adu = against.read_noise_e.zip(against.gain_e_per_adu).map(|(e, gain)| e / gain);
    let dark_adu = against.dark.as_ref().map(|d| d.sites.signal.noise_adu);
    let [read, dark] = [(read_adu, OF_READ_NOISE), (dark_adu, OF_DARK_NOISE)]
        .map(|(adu, share)| adu.map_or(0.0, |adu| adu * share));
    (seen.noise_adu < read.max(dark)).then(|| Fault {
        code: "light-not-linear",
        severity: Severity::Warning,
        value: seen.noise_adu,
        error: None,
        unit: "adu",
        message: format!(
            "its noise from pixel to pixel is {:.2} ADU, less than the camera's own: it was stretched, smoothed or \
             put on another scale, and nothing can be held against it",
            seen.noise_adu
        ),
        hint: "Diagnose lights as calibration left them, before anything else is done to them.".to_owned(),
        region: None,
    })
}

/// What explains the others comes first: a dark upside down leaves holes, a background cut off has another
/// level, and so has a light without its dark.
const CAUSES: [&str; 22] = [
    "background-clipped",
    "cfa-phase",
    "row-order",
    "dark-other-region",
    "bias-twice",
    "thermal-over",
    "thermal-under",
    "light-leak",
    "offset-mismatch",
    "flat-not-applied",
    "flat-twice",
    "flat-rotated",
    "flat-nonlinear",
    "flat-additive",
    "flat-other-filter",
    "flat-dust-moved",
    "flat-stray-light",
    "amplifier-seam",
    "glow-left",
    "interference",
    "column-noise",
    "row-noise",
];

fn rank(code: &str) -> usize {
    CAUSES.iter().position(|c| *c == code).unwrap_or(CAUSES.len())
}
