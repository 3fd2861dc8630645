//! Calibrating one light.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_file::Source;
use photosite_file::fits::{Clipped, Sample};
use photosite_file::keyword;
use photosite_pix::combine::Combine;
use photosite_pix::stat::{Glance, Summary};
use photosite_pix::unit::NoiseModel;
use photosite_pix::{Card, CfaPattern, Frame, Header, Size};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::defect_map::LoadedMap;
use super::known::Known;
use super::loaded::LoadedMaster;
use super::write::{Product, Standing, room_for};
use crate::calibrate::dark::{DarkShare, DarkSource};
use crate::calibrate::{
    Bias, CalibratedSource, CalibrationSet, DarkContent, FlatContent, Left, MasterDark, MasterFlat,
    RemovedBy,
};
use crate::defects::remove_cosmic_rays;
use crate::diagnose::{Pattern, PatternSeen, Subject, patterns};
use crate::finding::Severity;
use crate::header::light_header;
use crate::open::read_masked;
use crate::params::{DarkScaling, Repair};
use crate::provenance::{Input, Provenance};
use crate::raw::{Handling, RawFrame, read_all};
use crate::stack::ReadBuffers;
use crate::{Finding, Result};

/// The masters of a set-up, with their names for the account.
#[derive(Debug, Clone)]
pub struct Masters {
    set: Arc<CalibrationSet>,
    inputs: Vec<Input>,
    scaling: DarkScaling,
    bias_level: Option<f64>,
    sentences: Vec<String>,
    repair: Repair,
}

/// A bias as it is asked for.
#[derive(Debug, Clone)]
pub enum BiasChoice {
    /// A master in a file.
    Master(Box<LoadedMaster>),
    /// A constant level in ADU.
    Level(f64),
}

impl Masters {
    /// Puts loaded masters together.
    ///
    /// # Errors
    /// When they do not fit each other ([`CalibrationSet::new`]).
    pub fn new(
        bias: Option<BiasChoice>,
        dark: Option<LoadedMaster>,
        flat: Option<LoadedMaster>,
        scaling: DarkScaling,
    ) -> Result<Self> {
        let mut inputs = Vec::new();
        let mut sentences = Vec::new();
        let mut take = |role: &str, m: &LoadedMaster| {
            inputs.push(Input::new(role, &m.path, m.hash));
            sentences.push(format!("{role}: {}", inputs[inputs.len() - 1].name));
        };
        let mut bias_level = None;
        let bias = bias.map(|b| match b {
            BiasChoice::Master(m) => {
                take("master bias", &m);
                Bias::Master(m.frame)
            }
            BiasChoice::Level(l) => {
                bias_level = Some(l);
                Bias::Level(l)
            }
        });
        let dark = dark.map(|m| {
            take("master dark", &m);
            dark_of(m)
        });
        let flat = flat.map(|m| {
            take("master flat", &m);
            let content = flat_content(&m);
            MasterFlat { frame: m.frame, content }
        });
        let set = CalibrationSet::new(bias, dark, flat, scaling)?;
        let repair = Repair::default();
        Ok(Self { set: Arc::new(set), inputs, scaling, bias_level, sentences, repair })
    }
}

impl Masters {
    /// The same with a defect map.
    #[must_use]
    pub fn with_defects(mut self, map: &LoadedMap) -> Self {
        self.inputs.push(Input::new("defect map", &map.path, map.hash));
        self.sentences.push(format!("defect map: {}", self.inputs[self.inputs.len() - 1].name));
        let set = Arc::unwrap_or_clone(self.set);
        self.set = Arc::new(set.with_map(map.map.size, map.map.defects().into()));
        self
    }

    /// The same with defective pixels repaired, or left without a sample.
    #[must_use]
    pub fn with_repair(mut self, repair: Repair) -> Self {
        self.repair = repair;
        self.set = Arc::new(Arc::unwrap_or_clone(self.set).with_repair(repair));
        self
    }

    /// What calibrates.
    pub(super) fn set(&self) -> Arc<CalibrationSet> {
        self.set.clone()
    }
}

/// A loaded master as a dark.
pub(super) fn dark_of(m: LoadedMaster) -> MasterDark {
    let content =
        if m.bias_removed() { DarkContent::BiasRemoved } else { DarkContent::BiasIncluded };
    MasterDark {
        content,
        exposure_s: m.metadata.exposure_s,
        variance_factor: variance_factor(&m),
        frame: m.frame,
    }
}

/// What a master's variance is multiplied with to be that of one frame.
fn variance_factor(m: &LoadedMaster) -> Option<f64> {
    let combine = Combine::named(&m.header.get_text("PSCOMB")?)?;
    combine.variance_of_one(m.metadata.combined_count? as usize)
}

/// What a flat's header says of its making; another program's flat is taken to be free of bias.
fn flat_content(flat: &LoadedMaster) -> FlatContent {
    let by = match flat.header.get_text("PSADD").as_deref() {
        Some("dark flat") => RemovedBy::DarkFlat,
        Some("dark") => RemovedBy::Dark,
        Some("scaled dark") => RemovedBy::ScaledDark,
        Some("level") => RemovedBy::Level,
        _ => RemovedBy::Bias,
    };
    let normalised_channels = flat.header.get_i64("PSNORM").unwrap_or(1).clamp(1, 3) as u8;
    FlatContent { additive_removed_by: by, normalised_channels }
}

/// A light to be calibrated.
#[derive(Debug, Clone)]
pub struct LightRequest<'a> {
    /// The raw light.
    pub raw: &'a RawFrame,
    /// The masters for it.
    pub masters: &'a Masters,
    /// Gain and read noise; those of the header where `None`.
    pub noise: Option<NoiseModel>,
    /// How samples are stored.
    pub sample: Sample,
    /// How much of the dark is taken, where that was decided for this light.
    pub dark: Option<DarkShare>,
    /// Cosmic rays are found and mended, where the light gets a variance.
    pub cosmic: bool,
}

/// The key of what may be seen of a raw light that these masters calibrate: everything that decides its
/// samples, its header and what is known of it.
pub(super) fn seen_key(raw: &RawFrame, masters: &Masters, dark: Option<DarkShare>) -> String {
    let request = LightRequest::to_be_stacked(raw, masters, dark);
    let Provenance { parameters, inputs, .. } = provenance(&request, raw.noise());
    let parameters = json!({
        "calibration": parameters,
        "path": raw.path.to_string_lossy(),
        "metadata": raw.metadata,
        "detector": format!("{:?}", raw.detector),
        "turned": raw.turned,
        "from_zero_to_one": raw.from_zero_to_one,
        "zero_is_missing": raw.zero_is_missing,
    });
    Provenance::new("seen light", inputs, parameters).key()
}

impl<'a> LightRequest<'a> {
    /// A light of which no file is made.
    pub(super) fn to_be_stacked(
        raw: &'a RawFrame,
        masters: &'a Masters,
        dark: Option<DarkShare>,
    ) -> Self {
        Self { raw, masters, noise: None, sample: Sample::F32, dark, cosmic: false }
    }
}

/// A calibrated light.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LightResult {
    /// Where it lies; `None` where it was stacked without being written.
    pub path: Option<PathBuf>,
    /// The key of its inputs and parameters.
    pub key: String,
    /// It was there already, whole and current.
    pub reused: bool,
    /// The steps done, in order.
    pub steps: Vec<String>,
    /// The factor the dark was multiplied with.
    pub dark_scale: Option<f64>,
    /// The factor's standard error, where it was measured.
    pub dark_scale_error: Option<f64>,
    /// Where dark and factor came from.
    pub dark_source: DarkSource,
    /// How much of the dark is left, by its hot pixels; `None` without a dark, or where it has too few.
    pub left_of_dark: Option<Left>,
    /// Patterns that its background shows.
    pub patterns: Vec<PatternSeen>,
    /// Pixels replaced from their neighbours.
    pub repaired: usize,
    /// Pixels that cosmic rays hit, mended as well; `None` where none were looked for.
    pub cosmic: Option<usize>,
    /// Samples that a 16-bit file could not hold; not known of a file that was there already.
    #[serde(skip)]
    pub clipped: Clipped,
    /// What was added to every sample of a 16-bit file, in ADU.
    pub pedestal_adu: Option<f32>,
    /// What stood in its place was damaged or cut.
    pub damaged: bool,
    /// The raw samples, described.
    pub before: Summary,
    /// The calibrated samples, described.
    pub after: Summary,
}

impl LightResult {
    /// A Finding where a 16-bit file could not hold what was measured.
    pub fn clipped(&self) -> Option<Finding> {
        let Clipped { below, above, .. } = self.clipped;
        if below + above == 0 {
            return None;
        }
        let path = self.path.as_ref().map_or_else(String::new, |p| p.display().to_string());
        let added = self.pedestal_adu.unwrap_or(0.0);
        let message = format!(
            "{below} samples below 0 and {above} above 65535, after a pedestal of {added} ADU, \
             were clipped"
        );
        let enough = (-self.after.min).max(0.0).ceil();
        let hint = match above {
            0 => format!("Use --pedestal {enough}, or --format f32, which clips nothing."),
            _ => "Use --format f32, which clips nothing.".to_owned(),
        };
        Some(
            Finding::new("clipped", Severity::Warning, path, message)
                .hint(hint)
                .with("below", below)
                .with("above", above)
                .with("pedestal_adu", enough),
        )
    }
}

/// Calibrates a light to a file at `path`, or finds it calibrated there; `known` is what earlier
/// work knows.
///
/// # Errors
/// When the light cannot be read, does not fit its masters, or the product cannot be written.
pub fn calibrate_light(
    request: &LightRequest<'_>,
    path: &Path,
    known: &Known,
    buffers: &mut ReadBuffers,
) -> Result<LightResult> {
    let raw = request.raw;
    let noise = request.noise.or_else(|| raw.noise());
    let provenance = provenance(request, noise);
    let key = provenance.key();
    let at_its_place = room_for(path, &provenance)?;
    let stands = at_its_place == Standing::Current;
    if let Some((before, after)) = known.of_light(&key).filter(|_| stands) {
        let header = photosite_file::probe(path)?.header;
        return Ok(found(path, key, &header, before, after));
    }
    if stands {
        let before = describe_raw(raw, buffers)?;
        let header = photosite_file::probe(path)?.header;
        let data = read_masked(path)?.0.data;
        let cfa = keyword::read(&header).metadata.cfa;
        let step = cfa.map_or(1, CfaPattern::period);
        let after = Summary::at_a_glance(data.as_slice(), data.width(), step, None, None);
        return Ok(found(path, key, &header, before, after));
    }
    let (frame, header, result) = calibrate(request, noise, key, (None, buffers))?;
    raw.unchanged()?;
    let mut sentences = vec![format!("steps: {}", result.steps.join(", "))];
    sentences.extend(request.masters.sentences.iter().cloned());
    let clipped = Product {
        path,
        frames: &[&frame],
        header,
        sample: request.sample,
        maps: &[],
        provenance: &provenance,
        steps: sentences,
    }
    .write()?;
    let pedestal_adu = match request.sample {
        Sample::U16 { pedestal_adu } => Some(pedestal_adu),
        Sample::F32 | Sample::Mask => None,
    };
    let damaged = at_its_place == Standing::Damaged;
    Ok(LightResult { path: Some(path.to_owned()), clipped, pedestal_adu, damaged, ..result })
}

/// Calibrates a light and writes nothing; gives samples and mask, without a variance, and the
/// header that its file would have. A frame that is done with gives its planes.
///
/// # Errors
/// When the light cannot be read, or does not fit its masters.
pub(super) fn calibrate_in_memory(
    request: &LightRequest<'_>,
    room: (Option<Frame>, &mut ReadBuffers),
) -> Result<(Frame, Header, LightResult)> {
    let noise = request.noise.or_else(|| request.raw.noise());
    let key = provenance(request, noise).key();
    calibrate(request, None, key, room)
}

/// Calibrates a light with its variance and writes nothing; gives what its file would hold.
///
/// # Errors
/// As [`calibrate_light`].
pub(super) fn calibrate_kept(
    request: &LightRequest<'_>,
    buffers: &mut ReadBuffers,
) -> Result<(Frame, Header, LightResult, Provenance)> {
    let noise = request.noise.or_else(|| request.raw.noise());
    let provenance = provenance(request, noise);
    let (frame, header, result) = calibrate(request, noise, provenance.key(), (None, buffers))?;
    request.raw.unchanged()?;
    Ok((frame, header, result, provenance))
}

/// What is told of raw samples, begun; `level_adu` was taken off them.
fn glance_at_raw(
    raw: &RawFrame,
    (size, cfa, level_adu): (Size, Option<CfaPattern>, f32),
) -> Glance {
    let ceiling = raw.detector.saturation_adu.map(|s| f64::from(s - level_adu));
    let step = cfa.map_or(1, CfaPattern::period);
    Glance::new(size.pixels(), size.width, step, Some(0.0), ceiling)
}

fn describe_raw(raw: &RawFrame, buffers: &mut ReadBuffers) -> Result<Summary> {
    let prepared = raw.open(Handling::Once)?;
    let facts = (prepared.region.size(), prepared.cfa, prepared.level_adu);
    let mut before = glance_at_raw(raw, facts);
    before.see(&read_all(&prepared, buffers)?);
    Ok(before.summary())
}

fn calibrate(
    request: &LightRequest<'_>,
    noise: Option<NoiseModel>,
    key: String,
    (room, buffers): (Option<Frame>, &mut ReadBuffers),
) -> Result<(Frame, Header, LightResult)> {
    let raw = request.raw;
    let source =
        CalibratedSource::new(raw, raw.open(Handling::Once)?, request.masters.set(), request.dark);
    let (size, cfa) = (source.size(), source.cfa());
    request.masters.set().ready_for(cfa);
    let mut before = glance_at_raw(raw, (size, cfa, source.level_adu()));
    let step = cfa.map_or(1, CfaPattern::period);
    let mut after = Glance::new(size.pixels(), size.width, step, None, None);
    let seen = (|raw: &[f32]| before.see(raw), |calibrated: &[f32]| after.see(calibrated));
    let mut done = source.whole(noise, room, buffers, seen)?;
    let mut after = after.summary();
    let mut struck = 0;
    if request.cosmic {
        struck = remove_cosmic_rays(&mut done.frame, cfa);
        done.steps.push("cosmic");
        let data = &done.frame.data;
        after = Summary::at_a_glance(data.as_slice(), data.width(), step, None, None);
    }
    let mut header = light_header(raw, done.frame.applied, cfa);
    header.set_text("PSSTEPS", &done.steps.join(" "), "steps done");
    let source = done.dark.map_or(DarkSource::None, |d| d.source);
    if let Some(dark) = done.dark {
        header.set(Card::real("DARKK", dark.k, "factor of the dark"));
        if let Some(error) = dark.error {
            header.set(Card::real("DARKKERR", error, "standard error of DARKK"));
        }
    }
    header.set_text("PSDARK", source.name(), "where dark and factor came from");
    let left_of_dark = request.masters.set().left_of_dark(&done, cfa);
    if let Some(left) = left_of_dark {
        header.set(Card::real("PSLEFT", left.share, "share of the dark that is left"));
        header.set(Card::real("PSLEFTER", left.error, "standard error of PSLEFT"));
    }
    let subject = Subject::new(&done.frame.data, Some(&done.frame.mask));
    let patterns = patterns(&subject, cfa, after.noise);
    for seen in &patterns {
        header.set(Card::real(keyword_of(seen.code), seen.adu, seen.code.code()));
    }
    let repaired = done.repaired as i64;
    header.set(Card::integer("PSREPAIR", repaired, "pixels repaired from neighbours"));
    if request.cosmic {
        header.set(Card::integer("PSCOSMIC", struck as i64, "pixels hit by cosmic rays, mended"));
    }
    let result = LightResult {
        path: None,
        key,
        reused: false,
        steps: done.steps.iter().map(|s| (*s).to_owned()).collect(),
        dark_scale: done.dark_scale,
        dark_scale_error: done.dark.and_then(|d| d.error),
        dark_source: source,
        left_of_dark,
        patterns,
        repaired: done.repaired,
        cosmic: request.cosmic.then_some(struck),
        clipped: Clipped::default(),
        pedestal_adu: None,
        damaged: false,
        before: before.summary(),
        after,
    };
    Ok((done.frame, header, result))
}

/// Where the header of a light tells how strong a pattern is, in ADU.
fn keyword_of(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::AmplifierSeam => "PSSEAM",
        Pattern::Interference => "PSTONE",
        Pattern::RowNoise => "PSROWS",
        Pattern::ColumnNoise => "PSCOLS",
    }
}

/// A light that was calibrated earlier.
fn found(
    path: &Path,
    key: String,
    header: &Header,
    before: Summary,
    after: Summary,
) -> LightResult {
    let text = header.get_text("PSSTEPS").unwrap_or_default();
    LightResult {
        path: Some(path.to_owned()),
        key,
        reused: true,
        steps: text.split_whitespace().map(str::to_owned).collect(),
        dark_scale: header.get_f64("DARKK"),
        dark_scale_error: header.get_f64("DARKKERR"),
        dark_source: header
            .get_text("PSDARK")
            .and_then(|t| DarkSource::parse(&t))
            .unwrap_or(DarkSource::None),
        left_of_dark: header
            .get_f64("PSLEFT")
            .zip(header.get_f64("PSLEFTER"))
            .map(|(share, error)| Left { share, error }),
        patterns: Pattern::ALL
            .into_iter()
            .filter_map(|code| Some(PatternSeen { code, adu: header.get_f64(keyword_of(code))? }))
            .collect(),
        repaired: header.get_i64("PSREPAIR").unwrap_or(0).max(0) as usize,
        cosmic: header.get_i64("PSCOSMIC").map(|n| n.max(0) as usize),
        clipped: Clipped::default(),
        pedestal_adu: header.get_f64("PEDESTAL").map(|p| p as f32),
        damaged: false,
        before,
        after,
    }
}

fn provenance(request: &LightRequest<'_>, noise: Option<NoiseModel>) -> Provenance {
    let mut inputs = request.masters.inputs.clone();
    inputs.push(Input::new("light", &request.raw.path, request.raw.hash));
    let dark_scale = match request.masters.scaling {
        DarkScaling::Fitted => {
            json!(request.dark.map(|d| json!([d.source.name(), d.k, d.error])))
        }
        DarkScaling::None => json!("none"),
        DarkScaling::Exposure => json!("exposure"),
        DarkScaling::Factor(k) => json!(k),
    };
    let sample = match request.sample {
        Sample::U16 { pedestal_adu } => json!({ "u16": pedestal_adu }),
        Sample::F32 | Sample::Mask => json!("f32"),
    };
    let mut parameters = json!({
        "dark_scale": dark_scale,
        "bias_level_adu": request.masters.bias_level,
        "gain_e_per_adu": noise.map(|n| n.gain_e_per_adu.e_per_adu()),
        "read_noise_e": noise.map(|n| n.read_noise_e),
        "sample": sample,
        "saturation_adu": request.raw.detector.saturation_adu,
        "cfa": request.raw.metadata.cfa,
    });
    if request.cosmic {
        parameters["cosmic"] = json!(true);
    }
    if request.masters.repair != Repair::default() {
        parameters["repair"] = json!(request.masters.repair);
    }
    if let Some(linearity) = &request.raw.linearity {
        parameters["linearity"] = json!(linearity.curves);
    }
    if let Some(levels) = request.raw.levelling() {
        parameters["levels"] = levels;
    }
    if !request.raw.from_zero_to_one && request.raw.adu_per_sample() != 1.0 {
        parameters["adu_per_sample"] = json!(request.raw.adu_per_sample());
    }
    Provenance::new("calibrated light", inputs, parameters)
}
