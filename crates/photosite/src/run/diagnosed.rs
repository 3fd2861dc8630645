//! Lights that anyone calibrated, held against their masters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_file::fits::mask_bits;
use photosite_pix::unit::NoiseModel;
use photosite_pix::{CfaPattern, FrameKind, MaskBits, Metadata, Plane, Size};
use serde::Serialize;

use super::NamedBias;
use super::beside::Beside;
use super::named::{level_of, unit_of};
use crate::diagnose::{
    Against, Diagnosis, Fault, NoiseBudget, Subject, Verdict, diagnose, noise_budget,
};
use crate::error::Reach;
use crate::event::{Event, Stage};
use crate::finding::Severity;
use crate::library::{Check, Field, Traits, contradictions};
use crate::open::open_mask;
use crate::product::{BiasChoice, LightsUnit, LoadedMaster, against, load_named};
use crate::provenance;
use crate::raw::{Handling, RawFrame, read_all};
use crate::stack::ReadBuffers;
use crate::work::{Context, on_each, on_each_with};
use crate::{Error, Finding, Result};

/// What the JSON of verdicts is.
pub const VERDICT_SCHEMA: &str = "photosite.verdict/1";

/// Lights to be diagnosed, and the masters they should have been calibrated with; those that are not named
/// are looked for by what a light says of its making.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DiagnosisRequest<'a> {
    /// The lights.
    pub lights: &'a [PathBuf],
    /// The bias.
    pub bias: Option<NamedBias>,
    /// The master dark.
    pub dark: Option<PathBuf>,
    /// The master flat.
    pub flat: Option<PathBuf>,
}

impl<'a> DiagnosisRequest<'a> {
    /// These lights, no master named.
    pub fn new(lights: &'a [PathBuf]) -> Self {
        Self { lights, bias: None, dark: None, flat: None }
    }
}

/// The masters that a light was held against.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MastersUsed {
    /// The bias, a file.
    pub bias: Option<PathBuf>,
    /// The dark.
    pub dark: Option<PathBuf>,
    /// The flat.
    pub flat: Option<PathBuf>,
}

/// What a light was found to be.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LightVerdict {
    /// The light.
    pub path: PathBuf,
    /// In one word.
    pub verdict: Verdict,
    /// What is wrong, the cause of most first.
    pub findings: Vec<Fault>,
    /// What was looked for, and what came out.
    pub measures: Vec<crate::diagnose::Measured>,
    /// Where its noise comes from; `None` where gain or read noise is not known.
    pub noise_budget: Option<NoiseBudget>,
    /// What it was held against.
    pub masters: MastersUsed,
}

/// Diagnoses lights; what cannot be read is told and left out.
///
/// # Errors
/// When a master cannot be read, or the work is cancelled.
pub fn diagnose_lights(
    request: &DiagnosisRequest<'_>,
    context: &Context<'_>,
) -> Result<(Vec<LightVerdict>, Vec<Finding>)> {
    let mut findings = Vec::new();
    let frames =
        on_each(request.lights.len(), context, |i| RawFrame::from_file(&request.lights[i]))?;
    // Lights of one kind and one set of masters are looked at together: masters are made ready once.
    let mut sets: BTreeMap<(MastersUsed, Kind), Vec<(usize, RawFrame)>> = BTreeMap::new();
    let mut beside = Beside::default();
    for (i, frame) in frames.into_iter().enumerate() {
        match frame {
            Ok(frame) => {
                let used = masters_of(&frame.path, request, &mut beside);
                sets.entry((used, kind_of(&frame))).or_default().push((i, frame));
            }
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => findings.push(Finding::of(&e, request.lights[i].display().to_string())),
        }
    }
    let total = sets.values().map(|lights| lights.len() as u64).sum();
    context.observer.event(Event::Started { stage: Stage::Lights, total });
    let mut out: Vec<Option<LightVerdict>> = vec![None; request.lights.len()];
    for ((used, kind), lights) in sets {
        let masters = Loaded::of(&used, request, unit_of(lights.first().map(|l| &l.1)))?;
        findings.extend(masters.findings.iter().cloned());
        let saturation_adu = lights.iter().find_map(|(_, f)| f.metadata.saturation_adu);
        let against = match masters.against(kind, saturation_adu.unwrap_or(FULL_SCALE_ADU)) {
            Ok(against) => against,
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => {
                let told =
                    |(_, f): &(usize, RawFrame)| Finding::of(&e, f.path.display().to_string());
                findings.extend(lights.iter().map(told));
                continue;
            }
        };
        let done = on_each_with(lights.len(), context, ReadBuffers::default, |buffers, n| {
            let found = look(&lights[n].1, &masters, &against, buffers);
            context.observer.event(Event::Advanced { by: 1, what: "diagnosing lights" });
            found
        })?;
        for ((i, frame), found) in lights.into_iter().zip(done) {
            match found {
                Ok((diagnosis, noise_budget)) => {
                    let Diagnosis { verdict, faults, measures } = diagnosis;
                    if used.dark.is_none() && used.flat.is_none() {
                        findings.push(without_masters(&frame.path));
                    }
                    let (path, masters) = (frame.path, used.clone());
                    out[i] = Some(LightVerdict {
                        path,
                        verdict,
                        findings: faults,
                        measures,
                        noise_budget,
                        masters,
                    });
                }
                Err(e) if e.reach() == Reach::Run => return Err(e),
                Err(e) => findings.push(Finding::of(&e, frame.path.display().to_string())),
            }
        }
    }
    context.observer.event(Event::Finished);
    Ok((out.into_iter().flatten().collect(), findings))
}

fn without_masters(path: &Path) -> Finding {
    let message = "it says of no master dark or flat that is found beside it, and none was named: nothing can \
                   be held against it but itself";
    Finding::new("verdict-without-masters", Severity::Warning, path.display().to_string(), message)
        .hint("Name the masters with --dark and --flat (and --bias).")
}

/// Where the numbers of files end that do not say where the sensor does.
const FULL_SCALE_ADU: f64 = 65535.0;

/// Size and array of what is looked at of a light.
type Kind = (Size, Option<CfaPattern>);

fn kind_of(frame: &RawFrame) -> Kind {
    let region = frame.region();
    (region.size(), frame.metadata.cfa.map(|c| c.shifted(region.x0, region.y0)))
}

/// The masters that were named, and of the others those that the light was calibrated with, where they lie
/// beside it.
fn masters_of(light: &Path, request: &DiagnosisRequest<'_>, known: &mut Beside) -> MastersUsed {
    let inputs = provenance::told(light).map(|p| p.inputs).unwrap_or_default();
    let mut beside = |role: &str| {
        let input = inputs.iter().find(|i| i.role == role)?;
        known.find(light, input)
    };
    let bias = match &request.bias {
        Some(NamedBias::File(path)) => Some(path.clone()),
        Some(NamedBias::Level(_)) => None,
        None => beside("master bias"),
    };
    MastersUsed {
        bias,
        dark: request.dark.clone().or_else(|| beside("master dark")),
        flat: request.flat.clone().or_else(|| beside("master flat")),
    }
}

/// Masters as they were read.
struct Loaded {
    bias: Option<BiasChoice>,
    dark: Option<LoadedMaster>,
    /// The light does not say itself that this dark was subtracted.
    dark_is_named: bool,
    flat: Option<LoadedMaster>,
    findings: Vec<Finding>,
}

impl Loaded {
    fn of(used: &MastersUsed, request: &DiagnosisRequest<'_>, unit: LightsUnit) -> Result<Self> {
        let mut findings = Vec::new();
        let mut read = |path: &Option<PathBuf>, kind, zero_adu| -> Result<Option<LoadedMaster>> {
            let Some(path) = path else { return Ok(None) };
            let (master, finding) = load_named(path)?.used_as(kind, unit, zero_adu)?;
            findings.extend(finding);
            Ok(Some(master))
        };
        let bias = match (&request.bias, read(&used.bias, FrameKind::Bias, None)?) {
            (Some(NamedBias::Level(adu)), _) => Some(BiasChoice::Level(*adu)),
            (_, Some(master)) => Some(BiasChoice::Master(Box::new(master))),
            _ => None,
        };
        let dark = read(&used.dark, FrameKind::Dark, bias.as_ref().map(level_of))?;
        let flat = read(&used.flat, FrameKind::Flat, None)?;
        Ok(Self { bias, dark, dark_is_named: request.dark.is_some(), flat, findings })
    }

    /// Where headers of the light and the dark contradict each other, and whether that dark is the light's own by them
    /// and was named: what was subtracted may be another then.
    fn dark_of(&self, frame: &RawFrame) -> (Vec<Check>, bool) {
        let Some(dark) = &self.dark else { return (Vec::new(), false) };
        let light = Traits::of(&frame.metadata, frame.region().size());
        let own = Traits::of(&dark.metadata, dark.frame.size());
        let unlike = contradictions(FrameKind::Dark, &light, &own);
        let exposed = [&light, &own].iter().all(|t| t.show(Field::Exposure).is_some());
        let counts = |c: &Check| matches!(c.field, Field::Exposure | Field::Temperature);
        let is_own = self.dark_is_named && exposed && !unlike.iter().any(counts);
        (unlike, is_own)
    }

    fn against(&self, (size, cfa): Kind, saturation_adu: f64) -> Result<Against> {
        against(
            (size, cfa, saturation_adu),
            self.bias.clone(),
            self.dark.clone(),
            self.flat.clone(),
        )
    }
}

fn look(
    frame: &RawFrame,
    masters: &Loaded,
    against: &Against,
    buffers: &mut ReadBuffers,
) -> Result<(Diagnosis, Option<NoiseBudget>)> {
    let size = frame.region().size();
    let prepared = frame.open(Handling::Once)?;
    let data = plane(size, read_all(&prepared, buffers)?)?;
    let mask = mask_of(&frame.path, size)?;
    let (unlike, has_its_dark) = masters.dark_of(frame);
    let subject = Subject { has_its_dark, ..Subject::new(&data, mask.as_ref()) };
    let mut found = diagnose(&subject, against)?;
    by_headers(unlike, &mut found);
    let of = |m: &Metadata| m.gain_e_per_adu.zip(m.read_noise_e);
    let known = of(&frame.metadata).or_else(|| of(&masters.dark.as_ref()?.metadata));
    let noise = known.and_then(|(gain, read)| NoiseModel::new(gain.e_per_adu(), read));
    Ok((found, noise.map(|noise| noise_budget(&subject, against, noise))))
}

/// The mask of a light that has one.
fn mask_of(path: &Path, size: Size) -> Result<Option<Plane<MaskBits>>> {
    let Some(mask) = open_mask(path)?.filter(|m| m.size() == size) else { return Ok(None) };
    let mut bits = vec![0.0f32; size.pixels()];
    mask.read_rows(0, 0..size.height, &mut Vec::new(), &mut bits)?;
    let bits = bits.into_iter().map(|v| mask_bits(v).unwrap_or(MaskBits::NO_DATA));
    Ok(Some(plane(size, bits.collect())?))
}

fn plane<T: Copy>(size: Size, samples: Vec<T>) -> Result<Plane<T>> {
    Plane::from_vec(size, samples).ok_or_else(|| Error::bug("a light's samples are no whole frame"))
}

/// Another gain or offset that headers tell is the cause of what pixels show.
fn by_headers(unlike: Vec<Check>, found: &mut Diagnosis) {
    for check in unlike {
        let (code, what, left): (_, _, &[&str]) = match check.field {
            Field::GainSetting => {
                ("gain-mismatch", "gain", &["thermal-over", "thermal-under", "offset-mismatch"])
            }
            Field::OffsetSetting => ("offset-mismatch", "offset", &["flat-additive", "bias-twice"]),
            _ => continue,
        };
        if found.faults.iter().any(|f| f.code == code) {
            continue;
        }
        let seen = found.faults.iter().find(|f| left.contains(&f.code));
        let show = |v: &Option<String>| v.clone().unwrap_or_default();
        let fault = Fault {
            code,
            severity: if seen.is_some() { Severity::Error } else { Severity::Warning },
            value: seen.map_or(f64::NAN, |f| f.value),
            error: seen.and_then(|f| f.error),
            unit: seen.map_or("", |f| f.unit),
            message: format!(
                "the dark is of {what} {}, the light of {what} {}",
                show(&check.found),
                show(&check.wanted)
            ),
            hint: format!("Take darks and biases with the light's own {what}."),
            region: seen.and_then(|f| f.region),
        };
        let severity = fault.severity;
        found.faults.insert(0, fault);
        found.verdict = match severity {
            Severity::Error => Verdict::Wrong,
            _ if found.verdict == Verdict::Good => Verdict::Usable,
            _ => found.verdict,
        };
    }
}
