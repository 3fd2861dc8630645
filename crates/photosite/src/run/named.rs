//! Masters and calibrated frames of files that were named one by one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_file::fits::Sample;
use photosite_pix::combine::Recipe;
use photosite_pix::unit::NoiseModel;
use photosite_pix::{Applied, CfaPattern, FrameKind, Size, stat};

use super::examined::examine;
use super::frames::{damaged, duplicate, raw_frame};
use super::lie::{LightSeen, MasterSeen, lies};
use super::mixed::{of_other_kind, serves_as};
use crate::calibrate::RemovedBy;
use crate::calibrate::dark::{DOUBLING_C, DarkChoice, DarkShare, DarkSource};
use crate::error::Reach;
use crate::finding::Severity;
use crate::inventory::{Inventory, KindOverrides, take};
use crate::library::{Field, Traits, contradictions};
use crate::open::each_image;
use crate::params::{DarkScaling, RecipeChoice, Repair, Storage};
use crate::plan::product_names;
use crate::product::{
    AdditivePart, BiasChoice, FittedDark, Known, LightRequest, LightResult, LightsUnit, LoadedMap,
    LoadedMaster, MasterRequest, MasterResult, Masters, build_master, calibrate_light,
    freed_by_unit, load_named, pedestal_for, read_defect_map,
};
use crate::provenance::{ContentHash, key_of};
use crate::raw::{RawFrame, told_flags};
use crate::stack::ReadBuffers;
use crate::work::{Context, on_each, on_each_with};
use crate::{Error, Finding, Result};

/// Frames named one by one, taken to be of `kind` whatever they say, else as `by_hand` has them; what cannot be used, and what
/// was named twice, becomes a finding.
///
/// # Errors
/// When the work is cancelled.
pub fn named_frames(
    files: &[PathBuf],
    kind: FrameKind,
    by_hand: &KindOverrides,
    context: &Context<'_>,
) -> Result<(Vec<RawFrame>, Vec<Finding>)> {
    let files = each_image(files);
    let read = on_each(files.len(), context, |i| {
        let file = &files[i];
        let whole = file.canonicalize().unwrap_or_else(|_| file.clone());
        let overrides = KindOverrides { paths: vec![(whole, kind)], ..by_hand.clone() };
        Ok(match take(file, file, crate::open::probe(file)?, &overrides) {
            Ok((frame, findings)) => (Some(frame), findings),
            Err(no) => (None, vec![no.finding]),
        })
    })?;
    let mut seen = Inventory::default();
    for (read, file) in read.into_iter().zip(&files) {
        let (frame, more) = match read {
            Ok(read) => read,
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => (None, vec![Finding::of(&e, file.display().to_string())]),
        };
        seen.findings.extend(more);
        seen.frames.extend(frame);
    }
    examine(&mut seen, context)?;
    let Inventory { frames: found, mut findings, .. } = seen;
    let identified = on_each(found.len(), context, |i| raw_frame(&found[i]))?;
    let mut frames: Vec<RawFrame> = Vec::new();
    let mut known: BTreeMap<ContentHash, PathBuf> = BTreeMap::new();
    for (raw, frame) in identified.into_iter().zip(&found) {
        let raw = match raw {
            Ok(raw) => raw,
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => {
                findings.push(Finding::of(&e, frame.path.display().to_string()));
                continue;
            }
        };
        findings.extend(damaged(&raw));
        findings.extend(told_flags(&raw));
        match known.get(&raw.hash) {
            Some(first) => findings.push(duplicate(&raw.path, first)),
            None => {
                known.insert(raw.hash, raw.path.clone());
                frames.push(raw);
            }
        }
    }
    Ok((frames, findings))
}

/// A master of named frames.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NamedMaster<'a> {
    /// Its kind.
    pub kind: FrameKind,
    /// Its frames.
    pub files: &'a [PathBuf],
    /// Where it goes.
    pub output: &'a Path,
    /// What is subtracted from each frame first.
    pub additive: AdditivePart,
    /// How samples are rejected and combined.
    pub recipe: RecipeChoice,
    /// Counts of rejected samples are kept for each pixel.
    pub maps: bool,
    /// Overscans and linearity given by hand.
    pub by_hand: KindOverrides,
}

impl<'a> NamedMaster<'a> {
    /// A master of these frames at `output`: nothing is subtracted from them, and how samples are
    /// rejected goes by their number.
    pub fn new(kind: FrameKind, files: &'a [PathBuf], output: &'a Path) -> Self {
        let (additive, recipe) = (AdditivePart::Keep, RecipeChoice::default());
        let by_hand = KindOverrides::default();
        Self { kind, files, output, additive, recipe, maps: false, by_hand }
    }
}

/// Builds a master of named frames, or finds it built.
///
/// # Errors
/// When no frame is left, a parameter means nothing for them, the product cannot be written, or the
/// work is cancelled.
pub fn master_of_named(
    asked: &NamedMaster<'_>,
    context: &Context<'_>,
) -> Result<(MasterResult, Recipe, Vec<Finding>)> {
    let (frames, mut findings) = named_frames(asked.files, asked.kind, &asked.by_hand, context)?;
    if frames.is_empty() {
        let why = findings.iter().find(|f| f.severity == Severity::Error);
        let why = why.map_or_else(String::new, |f| format!(": {}: {}", f.subject, f.message));
        return Err(Error::mismatch(format!(
            "none of {} files is a frame that can be used{why}",
            asked.files.len()
        )));
    }
    let named = frames.iter().map(|f| (f.path.as_path(), f.metadata.kind));
    findings.extend(of_other_kind(asked.kind, named));
    let cfa: Option<CfaPattern> = frames[0].metadata.cfa;
    let noise = crate::raw::common_noise(frames.iter().map(|f| &f.metadata));
    let recipe = asked.recipe.resolve(asked.kind, frames.len(), cfa, noise)?;
    let request = MasterRequest {
        kind: asked.kind,
        frames: frames.iter().collect(),
        additive: asked.additive.clone(),
        zero_adu: None,
        witnesses: Vec::new(),
        parts: false,
        recipe,
        maps: asked.maps,
        path: asked.output,
        known: &Known::default(),
    };
    let result = build_master(&request, context)?;
    let keeps = matches!(asked.additive, AdditivePart::Keep);
    let done = frames
        .iter()
        .all(|f| f.metadata.applied.intersects(Applied::BIAS | Applied::DARK | Applied::OVERSCAN));
    if asked.kind == FrameKind::Flat && keeps && !done {
        let message = "these flats keep their bias, of which lights lose theirs before they are divided: vignetting \
                       is taken out too little";
        findings.push(
            Finding::new(
                "flat-holds-bias",
                Severity::Warning,
                asked.output.display().to_string(),
                message,
            )
            .hint("Name what to subtract: --dark-flats, --dark or --bias."),
        );
    }
    findings
        .extend(result.left_out.iter().map(|(path, e)| Finding::of(e, path.display().to_string())));
    findings.extend(result.findings());
    Ok((result, recipe, findings))
}

/// What takes the additive part out of flats that name this master as their dark.
///
/// # Errors
/// When the master cannot be read.
pub fn dark_of_flats(path: &Path) -> Result<AdditivePart> {
    let by = match load_named(path)?.metadata.kind {
        Some(FrameKind::DarkFlat) => RemovedBy::DarkFlat,
        _ => RemovedBy::Dark,
    };
    Ok(AdditivePart::Master(path.to_owned(), by))
}

/// A bias as a person names it.
#[derive(Debug, Clone)]
pub enum NamedBias {
    /// A master in a file.
    File(PathBuf),
    /// A level in ADU.
    Level(f64),
}

/// Frames to be calibrated by masters that were named.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NamedLights<'a> {
    /// The frames.
    pub files: &'a [PathBuf],
    /// The folder of calibrated frames.
    pub output: &'a Path,
    /// The bias.
    pub bias: Option<NamedBias>,
    /// The master dark.
    pub dark: Option<&'a Path>,
    /// How it is fitted.
    pub scaling: DarkScaling,
    /// The master flat.
    pub flat: Option<&'a Path>,
    /// The defect map.
    pub defects: Option<&'a Path>,
    /// What becomes of defective pixels.
    pub repair: Repair,
    /// Cosmic rays are found in each frame by itself, and mended.
    pub cosmic: bool,
    /// Gain and read noise in place of the headers'.
    pub noise: Option<NoiseModel>,
    /// How samples are stored.
    pub sample: Storage,
    /// Overscans and linearity given by hand.
    pub by_hand: KindOverrides,
}

impl<'a> NamedLights<'a> {
    /// These frames calibrated into the folder `output`; nothing is subtracted yet, and samples are
    /// stored as floating point.
    pub fn new(files: &'a [PathBuf], output: &'a Path) -> Self {
        let (scaling, sample) = (DarkScaling::None, Storage::F32);
        let (bias, dark, flat, noise) = (None, None, None, None);
        Self {
            files,
            output,
            bias,
            dark,
            scaling,
            flat,
            defects: None,
            repair: Repair::default(),
            cosmic: false,
            noise,
            sample,
            by_hand: KindOverrides::default(),
        }
    }
}

/// What came of calibrating named frames.
#[derive(Debug)]
#[non_exhaustive]
pub struct NamedCalibrated {
    /// (raw frame, result) for each that was calibrated.
    pub lights: Vec<(PathBuf, LightResult)>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Calibrates named frames, one on each thread; one that cannot be is left out.
///
/// # Errors
/// When no master is named or those named do not fit each other, no frame can be used, a product
/// cannot be written, or the work is cancelled.
pub fn calibrate_named(asked: &NamedLights<'_>, context: &Context<'_>) -> Result<NamedCalibrated> {
    let nothing = asked.bias.is_none() && asked.dark.is_none() && asked.flat.is_none();
    if nothing && asked.defects.is_none() {
        return Err(Error::parameters("name at least one of --bias, --dark, --flat and --defects"));
    }
    if asked.flat.is_some() && asked.bias.is_none() && asked.dark.is_none() {
        return Err(Error::parameters(
            "a flat alone would divide the bias as well; give --bias or --dark, so that only light \
             is divided",
        ));
    }
    let bias = match &asked.bias {
        None => None,
        Some(NamedBias::Level(l)) => Some(BiasChoice::Level(*l)),
        Some(NamedBias::File(path)) => Some(BiasChoice::Master(Box::new(load_named(path)?))),
    };
    let dark = asked.dark.map(load_named).transpose()?;
    let flat = asked.flat.map(load_named).transpose()?;
    let (frames, of_frames) = named_frames(asked.files, FrameKind::Light, &asked.by_hand, context)?;
    let mut findings = doubts(asked.scaling, dark.as_ref(), flat.as_ref());
    let (bias, dark, flat) = laid((bias, dark, flat), &frames, &mut findings, context)?;
    let traits = |m: &LoadedMaster| (m.path.clone(), m.metadata.kind, master_traits(m));
    let mut named: Vec<(FrameKind, _)> = Vec::new();
    if let Some(BiasChoice::Master(bias)) = &bias {
        named.push((FrameKind::Bias, traits(bias)));
    }
    named.extend(dark.as_ref().map(|d| (FrameKind::Dark, traits(d))));
    named.extend(flat.as_ref().map(|f| (FrameKind::Flat, traits(f))));
    let unit = unit_of(frames.first());
    let mut ours = |master: LoadedMaster, kind, zero_adu| -> Result<LoadedMaster> {
        let (master, finding) = master.used_as(kind, unit, zero_adu)?;
        findings.extend(finding);
        Ok(master)
    };
    let bias = match bias {
        Some(BiasChoice::Master(m)) => {
            Some(BiasChoice::Master(Box::new(ours(*m, FrameKind::Bias, None)?)))
        }
        other => other,
    };
    let zero_adu = bias.as_ref().map(level_of);
    let dark = dark.map(|m| ours(m, FrameKind::Dark, zero_adu)).transpose()?;
    let flat = flat.map(|m| ours(m, FrameKind::Flat, None)).transpose()?;
    findings.extend(of_frames);
    let fitted = match (asked.scaling, &dark, &bias) {
        (DarkScaling::Fitted, Some(dark), Some(bias)) => {
            let first = frames.first().map(|f| (f.metadata.cfa, f.region()));
            let cfa = first.and_then(|(cfa, r)| cfa.map(|c| c.shifted(r.x0, r.y0)));
            Some(FittedDark::new(dark.clone(), bias.clone(), cfa, DOUBLING_C)?)
        }
        _ => None,
    };
    let mut masters = Masters::new(bias, dark, flat, asked.scaling)?.with_repair(asked.repair);
    if let Some(path) = asked.defects {
        let map = read_defect_map(path)?;
        let odd = frames.iter().find(|f| f.region().size() != map.map.size);
        match odd {
            None => masters = masters.with_defects(&map),
            Some(frame) => {
                findings.push(not_of_this_sensor(&map, &frame.path, frame.region().size()))
            }
        }
    }
    let scaled = asked.scaling != DarkScaling::None;
    for (asked_as, (path, says, master)) in &named {
        findings.extend(contradicted(*asked_as, (path, *says, master), scaled, &frames));
    }
    if asked.cosmic && asked.noise.is_none() {
        let without = frames.iter().find(|f| f.noise().is_none());
        if let Some(frame) = without {
            return Err(Error::parameters(
                "--cosmic holds pixels against their noise: name --gain and --read-noise, which the header \
                 does not tell",
            )
            .about(&frame.path));
        }
    }
    let names = product_names(frames.iter().map(|f| f.path.as_path()));
    let known = Known::default();
    let asked_of = |i: usize, dark: Option<DarkShare>, sample: Sample| LightRequest {
        raw: &frames[i],
        masters: &masters,
        noise: asked.noise,
        sample,
        dark,
        cosmic: asked.cosmic,
    };
    let sample = asked.sample.sample(|| {
        let one = |i: usize, buffers: &mut ReadBuffers| {
            let choice = fitted.as_ref().map(|dark| dark.fit(&frames[i], buffers)).transpose()?;
            Ok(asked_of(i, choice.map(|c| c.share), Sample::F32))
        };
        pedestal_for(frames.len(), one, context)
    })?;
    let done = on_each_with(frames.len(), context, ReadBuffers::default, |buffers, i| {
        let choice = fitted.as_ref().map(|dark| dark.fit(&frames[i], buffers)).transpose()?;
        let request = asked_of(i, choice.as_ref().map(|c| c.share), sample);
        let light = calibrate_light(&request, &asked.output.join(&names[i]), &known, buffers)?;
        Ok((light, choice))
    })?;
    let mut lights = Vec::new();
    for (frame, done) in frames.iter().zip(done) {
        match done {
            Ok((result, choice)) => {
                findings.extend(choice.and_then(|c| not_fitted(&frame.path, &c)));
                findings.extend(result.clipped());
                lights.push((frame.path.clone(), result));
            }
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => findings.push(Finding::of(&e, frame.path.display().to_string())),
        }
    }
    Ok(NamedCalibrated { lights, findings })
}

/// The level of a bias, in ADU.
pub(super) fn level_of(bias: &BiasChoice) -> f64 {
    match bias {
        BiasChoice::Level(adu) => *adu,
        BiasChoice::Master(m) => f64::from(stat::median_mad(m.frame.data.as_slice()).0),
    }
}

/// What the samples of lights are, by one of them.
pub(super) fn unit_of(light: Option<&RawFrame>) -> LightsUnit {
    light.map_or(LightsUnit::Adu(None), |light| LightsUnit::of(&light.header))
}

/// Masters as they were named.
type Named = (Option<BiasChoice>, Option<LoadedMaster>, Option<LoadedMaster>);

/// Lays masters of other programs beside the lights, which their rows may not run as.
///
/// # Errors
/// When the work is cancelled.
fn laid(
    (mut bias, mut dark, mut flat): Named,
    lights: &[RawFrame],
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<Named> {
    let of_bias = match &mut bias {
        Some(BiasChoice::Master(master)) => Some((FrameKind::Bias, &mut **master)),
        _ => None,
    };
    let dark_and_flat = [(FrameKind::Dark, &mut dark), (FrameKind::Flat, &mut flat)];
    let dark_and_flat = dark_and_flat.into_iter().filter_map(|(kind, m)| Some((kind, m.as_mut()?)));
    let named = of_bias.into_iter().chain(dark_and_flat);
    let mut foreign: Vec<(FrameKind, &mut LoadedMaster)> =
        named.filter(|(_, m)| key_of(&m.header).is_none()).collect();
    let seen: Vec<MasterSeen<'_>> = foreign
        .iter()
        .map(|(kind, m)| MasterSeen {
            path: &m.path,
            kind: *kind,
            size: m.frame.size(),
            order: m.metadata.row_order,
            camera: m.metadata.camera.as_deref(),
            software: m.metadata.software.as_deref(),
        })
        .collect();
    let lights: Vec<LightSeen<'_>> = lights.iter().map(LightSeen::from).collect();
    let found = lies(&lights, &seen, context)?;
    for ((_, master), (relaid, told)) in foreign.iter_mut().zip(found) {
        if relaid.is_some() {
            **master = master.clone().laid(relaid);
        }
        findings.extend(told);
    }
    Ok((bias, dark, flat))
}

/// That a defect map is not used for a light, which is of another sensor or region.
pub(super) const NOT_OF_THIS_SENSOR: &str = "defects-not-of-this-sensor";

/// That a defect map does not fit a light.
pub(super) fn not_of_this_sensor(map: &LoadedMap, light: &Path, size: Size) -> Finding {
    let message = format!(
        "the defect map is {} pixels, {} is {size}: calibrated without it",
        map.map.size,
        light.display()
    );
    let subject = map.path.display().to_string();
    Finding::new(NOT_OF_THIS_SENSOR, Severity::Warning, subject, message)
        .hint("Name a map of the light's own camera, binning and region, or --defects none.")
}

/// That a dark was not fitted, though that was asked for.
fn not_fitted(path: &Path, choice: &DarkChoice) -> Option<Finding> {
    let why = choice.declined?;
    let done = match choice.share.source {
        DarkSource::None => "only bias was subtracted",
        _ => "it was subtracted as it is",
    };
    let message = format!("the dark must not be scaled for this light: {why}; {done}");
    Some(
        Finding::new("dark-not-fitted", Severity::Warning, path.display().to_string(), message)
            .hint("Take 10 or more darks at the light's own exposure and temperature.")
            .with("source", choice.share.source.name())
            .with("why", serde_json::json!(why)),
    )
}

/// What matching looks at in a master that was named.
fn master_traits(master: &LoadedMaster) -> Traits {
    Traits::of(&master.metadata, master.frame.size())
}

/// What a named master says against the kind it was named as, and against the lights.
fn contradicted(
    asked_as: FrameKind,
    (path, says, master): (&Path, Option<FrameKind>, &Traits),
    scaled: bool,
    lights: &[RawFrame],
) -> Option<Finding> {
    let mut against: Vec<String> = Vec::new();
    if let Some(kind) = says.filter(|kind| !serves_as(*kind, asked_as)) {
        against.push(format!("it is a {kind}, used as {asked_as}"));
    }
    for light in lights {
        let region = light.region();
        let mut wanted = Traits::of(&light.metadata, region.size());
        wanted.cfa = wanted.cfa.map(|c| c.shifted(region.x0, region.y0));
        for check in contradictions(asked_as, &wanted, master) {
            // Size and array are judged where they are used; scaling is for other exposures.
            let judged = matches!(check.field, Field::Size | Field::Cfa | Field::Region);
            if judged || (scaled && check.field == Field::Exposure) {
                continue;
            }
            let show = |v: &Option<String>| v.clone().unwrap_or_default();
            let (found, wanted) = (show(&check.found), show(&check.wanted));
            let words = format!("{} {found}, the light has {wanted}", check.field.name());
            if !against.contains(&words) {
                against.push(words);
            }
        }
    }
    (!against.is_empty()).then(|| {
        let message = format!("this master contradicts the light: {}", against.join("; "));
        let subject = path.display().to_string();
        Finding::new("master-contradicts", Severity::Warning, subject, message)
            .hint("Name the master that belongs to the light, or ignore this if a header is wrong.")
    })
}

/// What is doubtful about masters that were named.
fn doubts(
    scaling: DarkScaling,
    dark: Option<&LoadedMaster>,
    flat: Option<&LoadedMaster>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let subject = |m: &LoadedMaster| m.path.display().to_string();
    let proven = matches!(scaling, DarkScaling::None | DarkScaling::Fitted);
    if let Some(dark) = dark.filter(|_| !proven) {
        findings.push(
            Finding::new(
                "dark-scaling-unproven",
                Severity::Warning,
                subject(dark),
                "the dark is scaled without evidence that its signal grows linearly with \
                 exposure; amp glow does not, and CMOS sensors often do not",
            )
            .hint("Take darks at the lights' own exposure and temperature."),
        );
    }
    let foreign = |m: &LoadedMaster| key_of(&m.header).is_none();
    if let Some(dark) = dark.filter(|d| {
        foreign(d) && !d.bias_removed() && !freed_by_unit(FrameKind::Dark, &d.header, false)
    }) {
        findings.push(Finding::new(
            "dark-content-assumed",
            Severity::Info,
            subject(dark),
            "the header does not say whether bias was subtracted from this dark; it is assumed to \
             include bias",
        ));
    }
    if let Some(flat) = flat.filter(|f| foreign(f)) {
        findings.push(Finding::new(
            "flat-content-assumed",
            Severity::Info,
            subject(flat),
            "the header does not say whether bias was subtracted from this flat; it is assumed \
             that it was",
        ));
    }
    findings
}
