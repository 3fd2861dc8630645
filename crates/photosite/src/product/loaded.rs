//! Masters read from files.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_file::fits::mask_bits;
use photosite_file::keyword::Missing;
use photosite_file::{Source, keyword};
use photosite_pix::unit::Gain;
use photosite_pix::{
    Applied, CfaPattern, Frame, FrameKind, Header, MaskBits, Metadata, Plane, Size, Unit, stat,
};

use super::write::whole;
use crate::finding::Severity;
use crate::header::Relaid;
use crate::master::channel_means;
use crate::open::{UNIT_ADU, open, open_mask, read_frame, read_masked, turn};
use crate::provenance::{ContentHash, key_of};
use crate::{Error, Finding, Result};

/// What the samples of lights are, once they are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LightsUnit {
    /// ADU, of so many electrons where that is known.
    Adu(Option<f64>),
    /// Electrons, because nothing tells how many of them are one ADU.
    Electrons,
}

impl LightsUnit {
    /// The unit of lights of which this is a header.
    pub fn of(header: &Header) -> Self {
        match keyword::adu_per_sample(header) {
            Err(Missing::Gain) => Self::Electrons,
            _ => Self::Adu(keyword::read(header).metadata.gain_e_per_adu.map(Gain::e_per_adu)),
        }
    }
}

/// A master read from a file.
#[derive(Debug, Clone)]
pub struct LoadedMaster {
    /// Where it lies.
    pub path: PathBuf,
    /// What it holds.
    pub hash: ContentHash,
    /// Samples, variance, mask.
    pub frame: Arc<Frame>,
    /// Its header.
    pub header: Header,
    /// The header's meaning.
    pub metadata: Metadata,
}

/// The share of samples below zero from which bias was subtracted: dead pixels, and those that a program mended,
/// are fewer.
const BELOW_ZERO: f64 = 1e-3;
/// The same by the median, in the scatter of all pixels.
const ABOUT_ZERO: f32 = 4.0;

/// How far a flat's mean may lie from 1 before it is brought there: a choice.
const MEAN_REACH: f64 = 0.05;

/// What is told of a dark whose samples say that it holds no bias.
pub const FREED: &str =
    "its samples lie about zero: its bias was subtracted, though its header does not say so";

/// What the samples of a master of another program are divided by to be as the lights `beside` it; `None` where
/// its header names no other unit than ADU. Its own gain is asked where the lights name none.
///
/// # Errors
/// Why that cannot be told, and what helps.
pub(crate) fn samples_per_adu(
    header: &Header,
    metadata: &Metadata,
    beside: LightsUnit,
) -> std::result::Result<Option<f64>, (&'static str, &'static str)> {
    let Some(counted) = keyword::counted(header) else { return Ok(None) };
    let gain = match (counted.electrons, beside) {
        (true, LightsUnit::Adu(of_lights)) => {
            let own = metadata.gain_e_per_adu.map(Gain::e_per_adu);
            of_lights.or(own).ok_or((NO_GAIN, NO_GAIN_HINT))?
        }
        _ => 1.0,
    };
    let exposure_s = metadata.exposure_s.filter(|s| s.is_finite() && *s > 0.0);
    let exposure_s = match counted.per_second {
        true => exposure_s.ok_or((NO_EXPOSURE, NO_EXPOSURE_HINT))?,
        false => 1.0,
    };
    Ok(Some(gain / exposure_s))
}

/// What was done to samples that were no ADU, as half a sentence.
pub(crate) fn brought_by(header: &Header, per_adu: f64) -> String {
    match keyword::counted(header).map(|c| (c.electrons, c.per_second)) {
        Some((true, true)) => {
            format!(
                "its samples are electrons a second; they were multiplied by {} s ADU/e-",
                1.0 / per_adu
            )
        }
        Some((false, true)) => {
            format!(
                "its samples are ADU a second; they were multiplied by its exposure, {} s",
                1.0 / per_adu
            )
        }
        _ => format!("its samples are electrons; they were divided by {per_adu} e-/ADU"),
    }
}

/// That a master cannot be brought to ADU, and what helps.
const NO_GAIN: &str = "its samples are electrons (BUNIT), and neither its header nor those of the lights tell how many of them are one ADU";
const NO_GAIN_HINT: &str = "Write EGAIN into its header, or make the master again in ADU.";
const NO_EXPOSURE: &str = "its samples count a second (BUNIT), and its header tells no exposure";
const NO_EXPOSURE_HINT: &str = "Write EXPTIME into its header, or make the master again in ADU.";

/// What is told of a dark that counts a second: a bias does not grow with time.
pub(crate) const FREED_BY_UNIT: &str = "its samples count a second (BUNIT), so that its bias is taken to have been subtracted, though its header does not say so";

/// How nearly a dark that counts a second reaches the level of the bias where that is in it.
const NEARLY: f64 = 0.8;

/// Whether a dark that counts a second, once it is in ADU, lies as high as the bias all the same.
pub(crate) fn reaches_bias(level_adu: f64, zero_adu: f64) -> bool {
    zero_adu > 0.0 && level_adu > NEARLY * zero_adu
}

/// Whether this is the header of a dark whose unit says that its bias is gone, and nothing else does.
pub(crate) fn freed_by_unit(kind: FrameKind, header: &Header, bias_removed: bool) -> bool {
    let per_second = keyword::counted(header).is_some_and(|counted| counted.per_second);
    kind == FrameKind::Dark && per_second && !bias_removed && key_of(header).is_none()
}

impl LoadedMaster {
    /// What a foreign master's samples are multiplied with to be as ours are: ADU, and for a flat a
    /// mean of 1 in each colour; `None` where they are.
    pub fn factors(&self, kind: FrameKind, cfa: Option<CfaPattern>) -> Option<[f64; 3]> {
        let data = &self.frame.data;
        if kind == FrameKind::Flat {
            let means = channel_means(data.as_slice(), data.width(), cfa);
            let near = |m: &f64| (m - 1.0).abs() <= MEAN_REACH;
            let known = means.iter().all(|m| m.is_finite() && *m > 0.0);
            return (known && !means.iter().all(near)).then(|| means.map(|m| 1.0 / m));
        }
        // No camera's bias lies within one ADU of nothing with all of its hot pixels.
        let max = data.as_slice().iter().copied().fold(f32::MIN, f32::max);
        (max <= 1.0 && max > 0.0).then_some([UNIT_ADU; 3])
    }

    /// That this dark had its bias subtracted though its header does not say so: some of its samples lie below
    /// zero, which no converter writes, or all of them about it.
    pub fn lies_about_zero(&self) -> bool {
        if self.bias_removed() {
            return false;
        }
        let all = self.frame.data.as_slice();
        let below = all.iter().filter(|v| **v < 0.0).count();
        let (median, mad) = stat::median_mad(all);
        let noise = stat::MAD_TO_SIGMA as f32 * mad;
        below as f64 > BELOW_ZERO * all.len() as f64 || median < ABOUT_ZERO * noise
    }

    /// The same master laid beside the lights.
    #[must_use]
    pub fn laid(mut self, relaid: Option<Relaid>) -> Self {
        let Some(relaid) = relaid else { return self };
        self.metadata.cfa = relaid.write(&mut self.header);
        self.metadata.row_order = relaid.order;
        if relaid.turn {
            let mut frame = Arc::unwrap_or_clone(self.frame);
            let width = frame.size().width;
            turn(frame.data.as_mut_slice(), width);
            turn(frame.mask.as_mut_slice(), width);
            frame.variance.iter_mut().for_each(|v| turn(v.as_mut_slice(), width));
            self.frame = Arc::new(frame);
        }
        self
    }

    /// The same master with its bias known to be subtracted.
    #[must_use]
    pub fn without_bias(mut self) -> Self {
        self.metadata.applied |= Applied::BIAS;
        let mut frame = Arc::unwrap_or_clone(self.frame);
        frame.applied |= Applied::BIAS;
        Self { frame: Arc::new(frame), ..self }
    }

    /// The same master with its samples multiplied, colour by colour under a filter array.
    #[must_use]
    pub fn scaled(self, factors: [f64; 3], cfa: Option<CfaPattern>) -> Self {
        let mut frame = Arc::unwrap_or_clone(self.frame);
        for y in 0..frame.size().height {
            let factor = |x: usize| factors[cfa.map_or(0, |c| c.color(x, y).channel())];
            for (x, v) in frame.data.row_mut(y).iter_mut().enumerate() {
                *v = (f64::from(*v) * factor(x)) as f32;
            }
            let Some(variance) = &mut frame.variance else { continue };
            for (x, v) in variance.row_mut(y).iter_mut().enumerate() {
                *v = (f64::from(*v) * factor(x) * factor(x)) as f32;
            }
        }
        Self { frame: Arc::new(frame), ..self }
    }

    /// The same master without what a plane of its size holds.
    #[must_use]
    pub fn less(self, plane: &Plane<f32>) -> Self {
        let mut frame = Arc::unwrap_or_clone(self.frame);
        let both = frame.data.as_mut_slice().iter_mut().zip(plane.as_slice());
        both.for_each(|(v, less)| *v -= less);
        Self { frame: Arc::new(frame), ..self }
    }

    /// A master that was named, used as `kind`: another program's is brought to ADU, or to a mean of
    /// 1; a finding tells what was done. Electrons `beside` lights in ADU are divided by the lights' gain, else its own;
    /// what counts a second is multiplied by its exposure.
    ///
    /// A dark that counts a second is free of its bias, unless it lies as high as the bias at `zero_adu`.
    ///
    /// # Errors
    /// When its samples are electrons, and no gain is known, or count a second, and no exposure is.
    pub fn used_as(
        self,
        kind: FrameKind,
        beside: LightsUnit,
        zero_adu: Option<f64>,
    ) -> Result<(Self, Option<Finding>)> {
        if key_of(&self.header).is_some() {
            return Ok((self, None));
        }
        // The response of pixels has no unit.
        let per_adu = match kind {
            FrameKind::Flat => None,
            _ => samples_per_adu(&self.header, &self.metadata, beside).map_err(|(why, hint)| {
                Error::mismatch(format!("{why}. {hint}")).about(&self.path)
            })?,
        };
        let Some(per_adu) = per_adu.filter(|per_adu| *per_adu != 1.0) else {
            return Ok(self.brought(kind));
        };
        let (level, _) = stat::median_mad(self.frame.data.as_slice());
        let by_unit = freed_by_unit(kind, &self.header, self.bias_removed())
            && !zero_adu.is_some_and(|zero| reaches_bias(f64::from(level) / per_adu, zero));
        let mut what = brought_by(&self.header, per_adu);
        if by_unit {
            what = format!("{what}; {FREED_BY_UNIT}");
        }
        let subject = self.path.display().to_string();
        let freed = by_unit || kind == FrameKind::Dark && self.lies_about_zero();
        let mut master = self.scaled([1.0 / per_adu; 3], None);
        if freed {
            master = master.without_bias();
        }
        Ok((master, Some(Finding::new("master-converted", Severity::Info, subject, what))))
    }

    /// Another program's brought to ADU, or to a mean of 1.
    fn brought(self, kind: FrameKind) -> (Self, Option<Finding>) {
        let cfa = self.metadata.cfa.filter(|_| kind == FrameKind::Flat);
        let subject = self.path.display().to_string();
        let Some(factors) = self.factors(kind, cfa) else {
            if kind != FrameKind::Dark || !self.lies_about_zero() {
                return (self, None);
            }
            let finding = Finding::new("master-converted", Severity::Info, subject, FREED);
            return (self.without_bias(), Some(finding));
        };
        let what = match kind {
            FrameKind::Flat => "its mean is not 1; it was divided by its mean".to_owned(),
            _ => format!("its samples are between 0 and 1; 1 is taken as {UNIT_ADU} ADU"),
        };
        let finding = Finding::new("master-converted", Severity::Info, subject, what);
        (self.scaled(factors, cfa), Some(finding))
    }

    /// Whether the header says that the bias was taken out.
    pub fn bias_removed(&self) -> bool {
        self.metadata.applied.contains(Applied::BIAS)
    }
}

/// Reads a master, ours or another program's.
///
/// # Errors
/// When the file cannot be read.
pub fn load_master(path: &Path) -> Result<LoadedMaster> {
    load(path, read_frame)
}

/// Reads a master that a person named, and holds it against its own checksums first.
///
/// # Errors
/// When the file cannot be read, or is not what was written.
pub fn load_named(path: &Path) -> Result<LoadedMaster> {
    whole(path)?;
    load_master(path)
}

/// The same as [`load_master`] without its variance.
///
/// # Errors
/// As [`load_master`].
pub fn load_samples(path: &Path) -> Result<LoadedMaster> {
    load(path, read_masked)
}

fn load(
    path: &Path,
    read: fn(&Path) -> photosite_file::Result<(Frame, Header)>,
) -> Result<LoadedMaster> {
    let hash = ContentHash::of_file(path)?;
    let (mut frame, header) = read(path)?;
    let metadata = keyword::read(&header).metadata;
    frame.applied = metadata.applied;
    Ok(LoadedMaster { path: path.to_owned(), hash, frame: Arc::new(frame), header, metadata })
}

/// A master of which some rows are read, with their mask.
pub(super) struct MasterFile {
    path: PathBuf,
    source: Box<dyn Source>,
    mask: Option<Box<dyn Source>>,
}

impl MasterFile {
    /// Opens it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), source: open(path)?, mask: open_mask(path)? })
    }

    /// Its width and height.
    pub fn size(&self) -> Size {
        self.source.size()
    }

    /// Samples and mask of some rows of a master that should be of `size`.
    ///
    /// # Errors
    /// When they cannot be read, or it has another size.
    pub fn read_of(&self, size: Size, rows: Range<usize>) -> Result<Frame> {
        if self.size() != size {
            let message = format!("it is {} pixels, {size} are wanted", self.size());
            return Err(Error::mismatch(message).about(&self.path));
        }
        self.read(rows)
    }

    /// Samples and mask of some rows.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(&self, rows: Range<usize>) -> Result<Frame> {
        let part = Size::new(self.size().width, rows.len());
        let (mut bytes, mut data) = (Vec::new(), Plane::zeroed(part));
        self.source.read_rows(0, rows.clone(), &mut bytes, data.as_mut_slice())?;
        let mut frame = Frame::new(data, Unit::Adu);
        if let Some(mask) = &self.mask {
            let mut bits = vec![0.0f32; part.pixels()];
            mask.read_rows(0, rows, &mut bytes, &mut bits)?;
            let bits = bits.into_iter().map(|v| mask_bits(v).unwrap_or(MaskBits::NO_DATA));
            frame.mask.as_mut_slice().iter_mut().zip(bits).for_each(|(to, bits)| *to = bits);
        }
        Ok(frame)
    }
}
