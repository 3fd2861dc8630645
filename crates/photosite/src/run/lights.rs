//! Calibrating one light.

use std::path::{Path, PathBuf};

use photosite_file::fits::{Sample, read_image};
use photosite_pix::combine::Combine;
use photosite_pix::stat::Summary;
use photosite_pix::unit::NoiseModel;
use photosite_pix::{CfaPattern, Header, Plane};
use serde_json::json;

use super::{Earlier, LoadedMaster, Product, Standing, standing};
use crate::calibrate::{
    Bias, CalibrationSet, DarkContent, DarkScaling, FlatContent, Light, MasterDark, MasterFlat,
    RemovedBy,
};
use crate::header::light_header;
use crate::provenance::{Input, Provenance};
use crate::raw::{Handling, RawFrame, read_all};
use crate::stack::ReadBuffers;
use crate::{Error, Result};

/// The masters of a set-up, with their names for the account.
#[derive(Debug, Clone)]
pub struct Masters {
    set: CalibrationSet,
    inputs: Vec<Input>,
    scaling: DarkScaling,
    bias_level: Option<f64>,
    sentences: Vec<String>,
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
            let content =
                if m.bias_removed() { DarkContent::BiasRemoved } else { DarkContent::BiasIncluded };
            MasterDark {
                content,
                exposure_s: m.metadata.exposure_s,
                variance_factor: variance_factor(&m),
                frame: m.frame,
            }
        });
        let flat = flat.map(|m| {
            take("master flat", &m);
            let content = flat_content(&m);
            MasterFlat { frame: m.frame, content }
        });
        let set = CalibrationSet::new(bias, dark, flat, scaling)?;
        Ok(Self { set, inputs, scaling, bias_level, sentences })
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
    /// Where the calibrated light goes.
    pub path: &'a Path,
    /// What earlier work knows.
    pub earlier: &'a Earlier,
}

/// A calibrated light on disk.
#[derive(Debug)]
pub struct LightResult {
    /// Where it lies.
    pub path: PathBuf,
    /// The key of its inputs and parameters.
    pub key: String,
    /// It was there already, whole and current.
    pub reused: bool,
    /// The steps done, in order.
    pub steps: Vec<String>,
    /// The factor the dark was multiplied with.
    pub dark_scale: Option<f64>,
    /// Pixels replaced from their neighbours.
    pub repaired: usize,
    /// The raw samples, described.
    pub before: Summary,
    /// The calibrated samples, described.
    pub after: Summary,
}

/// Calibrates a light, or finds it calibrated.
///
/// # Errors
/// When the light cannot be read, does not fit its masters, or the product cannot be written.
pub fn calibrate_light(
    request: &LightRequest<'_>,
    buffers: &mut ReadBuffers,
) -> Result<LightResult> {
    let raw = request.raw;
    let noise = request.noise.or_else(|| raw.noise());
    let provenance = provenance(request, noise);
    let key = provenance.key();
    let stands = standing(request.path, &key)? == Standing::Current;
    if let Some((before, after)) = request.earlier.of_light(&key).filter(|_| stands) {
        let header = photosite_file::probe(request.path)?.header;
        return Ok(found(request, key, &header, before, after));
    }
    let prepared = raw.open(Handling::Once)?;
    let size = prepared.region.size();
    let cfa = prepared.cfa;
    let step = cfa.map_or(1, CfaPattern::period);
    let samples = read_all(&prepared, buffers)?;
    let data = Plane::from_vec(size, samples)
        .ok_or_else(|| Error::request(format!("{} has no pixels", raw.path.display())))?;
    let ceiling = raw.saturation_adu.map(|s| f64::from(s - prepared.level_adu));
    let before = Summary::of(data.as_slice(), size.width, step, Some(0.0), ceiling);
    let describe = |data: &Plane<f32>| Summary::of(data.as_slice(), size.width, step, None, None);
    if stands {
        let (data, header) = read_image(request.path)?;
        return Ok(found(request, key, &header, before, describe(&data)));
    }
    let done = request
        .masters
        .set
        .apply(Light {
            data,
            saturation_adu: raw.saturation_adu,
            overscan_adu: prepared.level_adu,
            exposure_s: raw.metadata.exposure_s,
            cfa,
            applied: raw.metadata.applied,
            noise,
        })
        .map_err(|e| Error::request(format!("{}: {e}", raw.path.display())))?;
    let after = describe(&done.frame.data);
    let mut header = light_header(raw, done.frame.applied, cfa);
    header.set_text("PSSTEPS", &done.steps.join(" "), "steps done");
    if let Some(k) = done.dark_scale {
        header.set(photosite_pix::Card::real("PSDSCALE", k, "factor of the dark"));
    }
    let repaired = done.repaired as i64;
    header.set(photosite_pix::Card::integer("PSREPAIR", repaired, "pixels from neighbours"));
    let mut sentences = vec![format!("steps: {}", done.steps.join(", "))];
    sentences.extend(request.masters.sentences.iter().cloned());
    Product {
        path: request.path,
        frames: &[&done.frame],
        header,
        sample: request.sample,
        maps: None,
        provenance: &provenance,
        steps: sentences,
    }
    .write()?;
    Ok(LightResult {
        path: request.path.to_owned(),
        key,
        reused: false,
        steps: done.steps.iter().map(|s| (*s).to_owned()).collect(),
        dark_scale: done.dark_scale,
        repaired: done.repaired,
        before,
        after,
    })
}

/// A light that was calibrated earlier.
fn found(
    request: &LightRequest<'_>,
    key: String,
    header: &Header,
    before: Summary,
    after: Summary,
) -> LightResult {
    let text = header.get_text("PSSTEPS").unwrap_or_default();
    LightResult {
        path: request.path.to_owned(),
        key,
        reused: true,
        steps: text.split_whitespace().map(str::to_owned).collect(),
        dark_scale: header.get_f64("PSDSCALE"),
        repaired: header.get_i64("PSREPAIR").unwrap_or(0).max(0) as usize,
        before,
        after,
    }
}

fn provenance(request: &LightRequest<'_>, noise: Option<NoiseModel>) -> Provenance {
    let mut inputs = request.masters.inputs.clone();
    inputs.push(Input::new("light", &request.raw.path, request.raw.hash));
    let dark_scale = match request.masters.scaling {
        DarkScaling::None => json!("none"),
        DarkScaling::Exposure => json!("exposure"),
        DarkScaling::Factor(k) => json!(k),
    };
    let sample = match request.sample {
        Sample::U16 { pedestal_adu } => json!({ "u16": pedestal_adu }),
        Sample::F32 | Sample::Mask => json!("f32"),
    };
    let parameters = json!({
        "dark_scale": dark_scale,
        "bias_level_adu": request.masters.bias_level,
        "gain_e_per_adu": noise.map(|n| n.gain_e_per_adu.e_per_adu()),
        "read_noise_e": noise.map(|n| n.read_noise_e),
        "sample": sample,
        "saturation_adu": request.raw.saturation_adu,
    });
    Provenance::new("calibrated light", inputs, parameters)
}
