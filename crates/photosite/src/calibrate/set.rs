//! All masters for one set-up, and their use on a frame.

use std::sync::{Arc, OnceLock};

use photosite_pix::{Applied, CfaPattern, Frame, Plane, Size, Unit};

use super::course::{Course, DarkScatter, LightFacts, OfVariance};
use super::dark::{DarkShare, DarkSource};
use super::left::{Left, LeftOfDark, strip_rows};
use super::masters::{Bias, DarkContent, MasterDark, MasterFlat};
use super::steps::{STEPS, Step, StepRow};
use crate::defects::{self, Defect};
use crate::params::{DarkScaling, Repair};
use crate::raw::Level;
use crate::{Error, Result};

/// A raw light: samples in ADU, overscan already handled.
#[derive(Debug, Clone)]
pub struct Light {
    /// Raw samples in ADU; NaN where the file has none.
    pub data: Plane<f32>,
    /// What a calibration asks besides.
    pub facts: LightFacts,
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
    /// The same with its error, and where it came from.
    pub dark: Option<DarkShare>,
    /// Pixels replaced from their neighbours.
    pub repaired: usize,
    /// Columns, rows and samples of those, as they were, that lie in the strip which tells what is left of the
    /// dark: row after row.
    pub replaced: Vec<(usize, usize, f32)>,
}

/// Masters that agree with each other; only the frame can still be wrong.
#[derive(Debug, Clone)]
pub struct CalibrationSet {
    bias: Option<Bias>,
    dark: Option<MasterDark>,
    flat: Option<MasterFlat>,
    scaling: DarkScaling,
    /// Measured when a variance is wanted.
    scatter: OnceLock<Option<DarkScatter>>,
    /// Hot pixels of the dark that tell what is left of it, found when a light asks.
    left: OnceLock<Option<LeftOfDark>>,
    /// The pixels of dark and flat that call for a repair, row after row.
    defects: [Vec<Defect>; 2],
    /// Those of a defect map, and its size.
    mapped: Option<(Size, Arc<[Defect]>)>,
    repair: Repair,
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
            return Err(Error::mismatch(format!(
                "the master {} is {} pixels, the master {} is {}; masters of one set-up must have \
                 the same size",
                pair[0].0, pair[0].1, pair[1].0, pair[1].1
            )));
        }
        if let Some(dark) = &dark {
            if dark.content == DarkContent::BiasRemoved && bias.is_none() {
                return Err(Error::mismatch(
                    "this master dark is bias-subtracted, so the light needs a master bias as \
                     well; give --bias",
                ));
            }
            let scaled = scaling != DarkScaling::None;
            if scaled && dark.content == DarkContent::BiasIncluded && bias.is_none() {
                return Err(Error::mismatch(
                    "a dark that includes bias cannot be scaled: bias does not grow with \
                     exposure. Give --bias, so that only the dark signal is scaled",
                ));
            }
        }
        if let DarkScaling::Factor(k) = scaling
            && !(k.is_finite() && k >= 0.0)
        {
            return Err(Error::parameters(format!("a dark cannot be scaled by {k}")));
        }
        let listed = |frame: Option<&Frame>| frame.map_or_else(Vec::new, defects_of);
        let defects =
            [listed(dark.as_ref().map(|d| &*d.frame)), listed(flat.as_ref().map(|f| &*f.frame))];
        let (scatter, left) = (OnceLock::new(), OnceLock::new());
        let (mapped, repair) = (None, Repair::default());
        Ok(Self { bias, dark, flat, scaling, scatter, left, defects, mapped, repair })
    }

    /// Finds the hot pixels that tell what is left of the dark: asked for before a light is in memory, so that
    /// both are not there at once.
    pub fn ready_for(&self, cfa: Option<CfaPattern>) {
        if let Some(dark) = &self.dark {
            self.left.get_or_init(|| LeftOfDark::new(dark, self.bias.as_ref(), cfa));
        }
    }

    /// How much of the dark is left in a light that this set calibrated over `cfa`, and the standard error of
    /// that; `None` without a dark, or where it has too few hot pixels. Pixels that were repaired count by what
    /// they were.
    pub fn left_of_dark(&self, light: &Calibrated, cfa: Option<CfaPattern>) -> Option<Left> {
        self.ready_for(cfa);
        let flat = self.flat.as_ref().map(|f| &*f.frame);
        self.left.get()?.as_ref()?.in_light((&light.frame, &light.replaced), flat)
    }

    /// The same with the pixels of a defect map of `size`, row after row: those that call for a repair are
    /// repaired, WARM ones are marked.
    #[must_use]
    pub fn with_map(self, size: Size, defects: Arc<[Defect]>) -> Self {
        Self { mapped: Some((size, defects)), ..self }
    }

    /// The same with defective pixels repaired, or left without a sample.
    #[must_use]
    pub fn with_repair(self, repair: Repair) -> Self {
        Self { repair, ..self }
    }

    /// Repairs pixels of a calibrated frame, or leaves them without a sample; returns how many have one.
    pub(super) fn mend(
        &self,
        frame: &mut Frame,
        cfa: Option<CfaPattern>,
        which: &[(usize, usize)],
    ) -> usize {
        match self.repair {
            Repair::Neighbours => defects::repair(frame, cfa, which),
            Repair::Holes => {
                defects::leave_holes(frame, which);
                0
            }
        }
    }

    /// The factor for the dark of a light.
    fn share(&self, dark: &MasterDark, facts: &LightFacts) -> Result<DarkShare> {
        let share = |k, source| Ok(DarkShare { k, error: None, source });
        match self.scaling {
            DarkScaling::None => {
                // One that a model made is taken whole as well, and says so.
                let made = facts.dark.filter(|dark| dark.source == DarkSource::Model);
                made.map_or_else(|| share(1.0, DarkSource::Matched), Ok)
            }
            DarkScaling::Factor(k) => share(k, DarkSource::Given),
            DarkScaling::Fitted => facts.dark.ok_or_else(|| {
                Error::mismatch("this dark is to be fitted to the light, which was not done")
            }),
            DarkScaling::Exposure => match (facts.exposure_s, dark.exposure_s) {
                (Some(l), Some(d)) if d > 0.0 => share(l / d, DarkSource::Exposure),
                (l, d) => Err(Error::mismatch(format!(
                    "scaling the dark by exposure needs both exposures; the light's is {}, the \
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
        self.fits(size)?;
        let course = self.course(light.facts.clone())?;
        let mut frame = Frame {
            data: light.data,
            variance: light.facts.noise.map(|_| Plane::zeroed(size)),
            mask: Plane::zeroed(size),
            unit: Unit::Adu,
            applied: course.applied,
        };
        let all = 0..size.height;
        course.calibrate(&mut frame, all.clone(), 0);
        let defective = course.enter_defects(&mut frame, all, 0);
        let strip = strip_rows(size, light.facts.cfa);
        let in_strip = defective.iter().filter(|(_, y)| strip.contains(y));
        let replaced = in_strip.map(|&(x, y)| (x, y, frame.data.get(x, y))).collect();
        let repaired = self.mend(&mut frame, light.facts.cfa, &defective);
        let (steps, dark) = (course.names(), course.share);
        Ok(Calibrated { frame, steps, dark_scale: course.k, dark, repaired, replaced })
    }

    /// Checks that a light of `size` and its masters have one size.
    ///
    /// # Errors
    /// When they do not.
    pub(super) fn fits(&self, size: Size) -> Result<()> {
        let masters = [
            self.bias.as_ref().and_then(Bias::size),
            self.dark.as_ref().map(|d| d.frame.size()),
            self.flat.as_ref().map(|f| f.frame.size()),
            self.mapped.as_ref().map(|(size, _)| *size),
        ];
        match masters.into_iter().flatten().find(|s| *s != size) {
            None => Ok(()),
            Some(other) => Err(Error::mismatch(format!(
                "the light is {size} pixels, its masters or its defect map are {other}"
            ))),
        }
    }

    /// Decides what is done to a light.
    ///
    /// # Errors
    /// When a factor cannot be had, or the bias would be subtracted twice.
    pub(super) fn course(&self, facts: LightFacts) -> Result<Course<'_>> {
        let dark = self.dark.as_ref().filter(|_| !facts.applied.contains(Applied::DARK));
        let flat = self.flat.as_ref().filter(|_| !facts.applied.contains(Applied::FLAT));
        let share = dark.map(|d| self.share(d, &facts)).transpose()?;
        // A light for which no dark is best keeps its dark signal; what the dark calls hot is repaired.
        let known_hot = dark.is_some();
        let share = share.filter(|s| s.source != DarkSource::None);
        let dark = dark.filter(|_| share.is_some());
        let k = share.map(|s| s.k);
        // A dark that was subtracted took the bias with it.
        let bias_gone = facts.applied.intersects(Applied::BIAS | Applied::DARK);
        let bias_in_light = if bias_gone { 0.0 } else { 1.0 };
        // How much of the bias goes beside the dark: what the light holds less what the dark takes.
        let bias_share = match dark.map(|d| d.content) {
            None | Some(DarkContent::BiasRemoved) => bias_in_light,
            Some(DarkContent::BiasIncluded) => bias_in_light - k.unwrap_or(1.0),
        };
        if bias_gone && bias_share != 0.0 && self.bias.is_none() {
            return Err(Error::mismatch(
                "bias was already subtracted from this light, but its dark still includes it; \
                 give a master bias for the dark, or bias would be subtracted twice",
            ));
        }
        let bias = self.bias.as_ref().filter(|_| bias_share != 0.0);
        let used = [known_hot, flat.is_some()];
        let lists = self.defects.iter().zip(used).filter(|(list, used)| *used && !list.is_empty());
        let lists = lists.map(|(list, _)| &list[..]);
        let lists: Vec<&[Defect]> = lists.chain(self.mapped.iter().map(|(_, m)| &m[..])).collect();
        let wanted = |step: Step| match step {
            Step::Saturation => true,
            Step::Pedestal => matches!(facts.level, Level::Pedestal(_)),
            Step::Overscan => facts.level == Level::Overscan,
            Step::Linearity => facts.linearity.is_some(),
            Step::Variance => facts.noise.is_some(),
            Step::Bias => bias.is_some() && !bias_gone,
            Step::Dark => dark.is_some(),
            // A flat holds the gains itself.
            Step::Gain => flat.is_none() && unequal(&facts),
            Step::Flat => flat.is_some(),
            Step::Defects => !lists.is_empty(),
        };
        let steps: Vec<&'static StepRow> = STEPS.iter().filter(|row| wanted(row.step)).collect();
        let applied = steps.iter().fold(facts.applied, |done, row| done | row.applies);
        let (noise, noise_by_hand) = (facts.noise, facts.noise_by_hand);
        Ok(Course {
            facts,
            bias,
            zero: self.bias.as_ref(),
            bias_share: bias_share as f32,
            dark,
            k,
            share,
            flat,
            variance: noise.map(|noise| {
                // Dark electrons that the zero level hides are counted by the scatter of the darks.
                let scatter = dark.and_then(|_| self.scatter());
                let hidden = scatter.map_or(0.0, |s| k.unwrap_or(0.0) * s.hidden_adu(noise));
                let (zero, hidden_adu) = (self.bias.as_ref(), hidden as f32);
                OfVariance { noise, by_hand: noise_by_hand, zero, hidden_adu }
            }),
            lists,
            steps,
            applied,
        })
    }

    fn scatter(&self) -> Option<DarkScatter> {
        let of = |dark| DarkScatter::of(self.bias.as_ref(), dark);
        *self.scatter.get_or_init(|| self.dark.as_ref().and_then(of))
    }
}

/// Whether parts of a light differ in gain, and nothing has evened that.
fn unequal(facts: &LightFacts) -> bool {
    let parts = facts.parts.iter().flat_map(|p| &p.parts);
    !facts.applied.contains(Applied::FLAT) && parts.into_iter().any(|p| p.evened != 1.0)
}

fn known(v: Option<f64>) -> String {
    v.map_or_else(|| "not known".to_owned(), |v| format!("{v} s"))
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
