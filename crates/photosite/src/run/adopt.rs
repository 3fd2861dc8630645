//! Masters of other programs, brought to ADU and to a mean of 1 where they are not.

use std::path::{Path, PathBuf};

use photosite_file::fits::Sample;
use photosite_file::keyword;
use photosite_pix::{Applied, Card, CfaPattern, FrameKind, Size, Unit, stat};
use serde_json::json;

use super::examined::zero_level;
use super::keep::{master_record, record_of};
use super::lie::lie_of_masters;
use crate::finding::Severity;
use crate::header::{Relaid, imagetyp};
use crate::inventory::{Frame, Inventory, master_not_adopted};
use crate::library::{
    ADOPTED_KEYWORD, Adopted, CONTENT_ASSUMED, Record, Shelved, Traits, adopt, master_file_name,
    same_camera,
};
use crate::master::channel_means;
use crate::open::{UNIT_ADU, probe};
use crate::plan::{MasterPlan, Ready};
use crate::product::{
    FREED, LightsUnit, LoadedMaster, Product, Standing, brought_by, freed_by_unit, load_master,
    load_samples, reaches_bias, standing,
};
use crate::provenance::{FileMark, Input, Provenance, master_name};
use crate::work::Context;
use crate::{Error, Finding, Result};

/// What makes another program's master one of ours.
struct Change {
    /// What its samples are multiplied with, colour by colour.
    factors: [f64; 3],
    /// Its bias was subtracted, which its header does not say.
    freed: bool,
    /// Its rows lie otherwise than its header says, or the lights do.
    relaid: Option<Relaid>,
    /// The bias that was subtracted from it here.
    bias: Option<Input>,
    /// What is told.
    what: String,
}

impl Change {
    /// `None` where it is as ours are.
    fn of(loaded: &LoadedMaster, master: &Adopted) -> Option<Self> {
        if master.is_ours() {
            return None;
        }
        let of_unit = master.per_adu.filter(|per| *per != 1.0 && master.kind != FrameKind::Flat);
        let factors = match of_unit {
            Some(gain) => Some([1.0 / gain; 3]),
            None => loaded.factors(master.kind, master.traits.cfa),
        };
        let gone = master.traits.bias_removed && !loaded.bias_removed();
        let freed = master.kind == FrameKind::Dark && (gone || loaded.lies_about_zero());
        let mut what: Vec<String> = Vec::new();
        what.extend(factors.map(|_| match master.kind {
            FrameKind::Flat => "its mean is not 1".to_owned(),
            _ if of_unit.is_some() => brought_by(&master.header, master.per_adu.unwrap_or(1.0)),
            _ => format!("its samples are between 0 and 1, where 1 is taken as {UNIT_ADU} ADU"),
        }));
        what.extend((freed && !gone).then(|| FREED.to_owned()));
        let relaid = master.relaid;
        what.extend(relaid.map(|r| match r.turn {
            true => "its rows run the other way than those of the lights".to_owned(),
            false => "its rows run as those of the lights, whatever its header says".to_owned(),
        }));
        let what = what.join("; ");
        let factors = factors.unwrap_or([1.0; 3]);
        (!what.is_empty()).then_some(Self { factors, freed, relaid, bias: None, what })
    }

    /// What is told of the master: what its header told, and what was done, `kept` the end of that sentence.
    fn told(&self, path: &Path, master: &Adopted, kept: &str) -> Vec<Finding> {
        let mut findings = master.findings.clone();
        // What is seen is not assumed.
        findings.retain(|f| {
            !self.freed || f.code != CONTENT_ASSUMED || f.severity == Severity::Warning
        });
        let message = format!("{}; a converted copy is {kept}", self.what);
        let subject = path.display().to_string();
        findings.push(Finding::new("master-converted", Severity::Info, subject, message));
        findings
    }
}

/// The record of a master that is to be kept, and what is told of it: of itself where it is as ours are, else
/// of a copy that is, in `folder`.
///
/// # Errors
/// When it cannot be read, or the copy cannot be written.
pub fn usable(path: &Path, master: &Adopted, folder: &Path) -> Result<(Record, Vec<Finding>)> {
    let mark = FileMark::of(path)?;
    let loaded = load_master(path)?.laid(master.relaid);
    let Some(change) = Change::of(&loaded, master) else {
        return Ok((record_of(path, master, (mark, &loaded)), master.findings.clone()));
    };
    let copy = convert(path, master, loaded, &change, folder)?;
    let told = change.told(path, master, &format!("kept: {}", copy.display()));
    Ok((master_record(&copy)?, told))
}

/// The record of a master that lies among the frames of a night, by what it will be once it is taken; nothing
/// is written.
///
/// # Errors
/// When it cannot be read.
pub fn foreseen(path: &Path, master: &Adopted) -> Result<(Record, Vec<Finding>)> {
    let mark = FileMark::of(path)?;
    let loaded = load_master(path)?.laid(master.relaid);
    let mut record = record_of(path, master, (mark, &loaded));
    let Some(change) = Change::of(&loaded, master) else {
        return Ok((record, master.findings.clone()));
    };
    record.traits.bias_removed |= change.freed;
    if let Some(level) = &mut record.level {
        level.median_adu *= change.factors[0];
        level.hot_adu *= change.factors[0];
    }
    Ok((record, change.told(path, master, "used")))
}

/// The masters of other programs among the frames of a night, for it to choose from.
///
/// # Errors
/// When the work is cancelled.
pub fn masters_among(
    inventory: &mut Inventory,
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<Vec<Shelved>> {
    let mut found: Vec<(PathBuf, Adopted)> = Vec::new();
    for (path, kind) in std::mem::take(&mut inventory.masters) {
        let adopted = probe(&path).map(|probe| (probe.size, adopt(&path, &probe, Some(kind))));
        match adopted {
            Ok((size, Some(Ok(master)))) => {
                let master = under(array_of_lights(inventory, size), master);
                let beside = unit_of_lights(inventory, &master.traits);
                match master.in_adu(&path, beside) {
                    Ok(master) => {
                        let master = with_its_bias(&path, master, inventory, context)?;
                        found.push((path, master));
                    }
                    Err(finding) => findings.push(*finding),
                }
            }
            Ok((_, Some(Err(finding)))) => findings.push(finding),
            Ok((_, None)) => findings.push(master_not_adopted(&path)),
            Err(e) => findings.push(Finding::of(&e.into(), path.display().to_string())),
        }
    }
    let laid = lie_of_masters(&inventory.frames, &found, context)?;
    let mut all = Vec::new();
    for ((path, master), (relaid, lies)) in found.into_iter().zip(laid) {
        let master = master.laid(relaid);
        let subject = path.display().to_string();
        match foreseen(&path, &master) {
            Ok((record, told)) => {
                let message = format!(
                    "a master {} of another program lies among the frames; it is used where no raw frames fit",
                    master.kind
                );
                findings.push(Finding::new(
                    "master-among-frames",
                    Severity::Info,
                    subject,
                    message,
                ));
                findings.extend(told.into_iter().chain(lies));
                all.push(Shelved::of_night(record, &master));
            }
            Err(e) => findings.push(Finding::of(&e, subject)),
        }
    }
    Ok(all)
}

/// The same master, its bias in it where it counts a second and lies as high as the biases of the night all the same.
fn with_its_bias(
    path: &Path,
    mut master: Adopted,
    inventory: &Inventory,
    context: &Context<'_>,
) -> Result<Adopted> {
    let said = keyword::read(&master.header).metadata.applied.contains(Applied::BIAS);
    if !freed_by_unit(master.kind, &master.header, said) {
        return Ok(master);
    }
    let Some(zero_adu) = zero_level(&inventory.frames, master.traits.size, context)? else {
        return Ok(master);
    };
    let (level, _) = stat::median_mad(load_samples(path)?.frame.data.as_slice());
    if reaches_bias(f64::from(level) / master.per_adu.unwrap_or(1.0), zero_adu) {
        master.traits.bias_removed = false;
        master.findings.retain(|f| f.code != CONTENT_ASSUMED);
        let message = "its samples count a second (BUNIT), and lie as high as the biases once they are brought to ADU: its \
                       bias is in it";
        let subject = path.display().to_string();
        master.findings.push(Finding::new(CONTENT_ASSUMED, Severity::Info, subject, message));
    }
    Ok(master)
}

/// The array over all lights of a size; `None` where they differ, or there is none.
fn array_of_lights(inventory: &Inventory, size: Size) -> Option<CfaPattern> {
    let lights = inventory.frames.iter().filter(|f| f.kind == FrameKind::Light);
    let mut arrays = lights.filter(|f| f.detector.active.size() == size).map(|f| f.metadata.cfa);
    let first = arrays.next()??;
    arrays.all(|cfa| cfa == Some(first)).then_some(first)
}

/// What the samples of the lights of a size and camera are: ADU, of their gain where they name one; electrons, where
/// they are and no gain is named.
fn unit_of_lights(inventory: &Inventory, of: &Traits) -> LightsUnit {
    let is_its = |f: &&Frame| {
        let cameras = f.metadata.camera.as_deref().zip(of.camera.as_deref());
        f.kind == FrameKind::Light
            && f.detector.active.size() == of.size
            && cameras.is_none_or(|(a, b)| same_camera(a, b))
    };
    let mut units = inventory.frames.iter().filter(is_its).map(|f| LightsUnit::of(&f.header));
    match units.next() {
        Some(first) if units.all(|unit| unit == first) => first,
        _ => LightsUnit::Adu(None),
    }
}

/// A flat whose header names no array is under that of the lights: its colours count each by itself.
fn under(cfa: Option<CfaPattern>, mut master: Adopted) -> Adopted {
    if master.kind == FrameKind::Flat && master.traits.cfa.is_none() && !master.is_ours() {
        master.traits.cfa = cfa;
    }
    master
}

/// The file that a master that is ready is taken from: itself, or a copy in `folder` of another program's that is
/// as ours are.
///
/// # Errors
/// When it cannot be read, or the copy cannot be written.
pub fn taken_from(master: &MasterPlan, ready: &Ready, folder: &Path) -> Result<PathBuf> {
    match adopted(master, ready)? {
        Some(adopted) => Ok(usable(&ready.path, &adopted, folder)?.0.path),
        None => Ok(ready.path.clone()),
    }
}

/// Another program's master that is ready, as it lies beside the lights of its plan.
fn adopted(master: &MasterPlan, ready: &Ready) -> Result<Option<Adopted>> {
    let adopted = adopt(&ready.path, &probe(&ready.path)?, Some(master.kind));
    let adopted = adopted.and_then(|a| a.ok()).filter(|a| !a.is_ours());
    Ok(adopted.map(|adopted| {
        let mut adopted = under(master.traits.cfa, adopted).laid(ready.relaid);
        // The frames of the night told whether a dark that counts a second holds its bias.
        let bias_removed = master.traits.bias_removed;
        if freed_by_unit(master.kind, &adopted.header, false) {
            adopted.traits.bias_removed = bias_removed;
        }
        Adopted { per_adu: ready.per_adu, ..adopted }
    }))
}

/// What a sample of 1 of a master is in ADU; `None` for a flat that is relative to its mean.
fn adu_of_one(loaded: &LoadedMaster, master: &Adopted) -> Option<f64> {
    match (master.per_adu, loaded.factors(FrameKind::Bias, None)) {
        (Some(gain), _) => Some(1.0 / gain),
        (None, Some([full, ..])) => Some(full),
        (None, None) => loaded.factors(master.kind, None).map(|_| 1.0),
    }
}

/// The level of another program's flat in ADU, with all that it holds; `None` where only its mean is known, or it is
/// one of ours.
///
/// # Errors
/// When it cannot be read.
pub fn flat_level_adu(master: &MasterPlan, ready: &Ready) -> Result<Option<f64>> {
    let Some(adopted) = adopted(master, ready)? else { return Ok(None) };
    let loaded = load_master(&ready.path)?;
    let data = &loaded.frame.data;
    let [mean, ..] = channel_means(data.as_slice(), data.width(), None);
    Ok(adu_of_one(&loaded, &adopted).map(|one_adu| mean * one_adu))
}

/// A copy in `folder` of another program's flat without the bias that it holds still.
///
/// # Errors
/// When a file cannot be read, the copy cannot be written, or flat and bias are of two sizes.
pub fn freed_of_bias(
    master: &MasterPlan,
    ready: &Ready,
    bias: &LoadedMaster,
    folder: &Path,
) -> Result<PathBuf> {
    let path = &ready.path;
    let adopted =
        adopted(master, ready)?.ok_or_else(|| Error::bug("a flat of ours holds no bias"))?;
    let loaded = load_master(path)?.laid(adopted.relaid);
    let one_adu = adu_of_one(&loaded, &adopted).unwrap_or(1.0);
    if loaded.frame.size() != bias.frame.size() {
        return Err(Error::mismatch("the flat and the bias are of two sizes").about(path));
    }
    let loaded = loaded.scaled([one_adu; 3], None).less(&bias.frame.data);
    let change = Change {
        factors: loaded.factors(master.kind, adopted.traits.cfa).unwrap_or([1.0; 3]),
        freed: true,
        relaid: adopted.relaid,
        bias: Some(Input::new(master_name(FrameKind::Bias), &bias.path, bias.hash)),
        what: String::new(),
    };
    convert(path, &adopted, loaded, &change, folder)
}

/// Writes the copy; its header tells what was only known by the name.
fn convert(
    path: &Path,
    master: &Adopted,
    loaded: LoadedMaster,
    change: &Change,
    folder: &Path,
) -> Result<PathBuf> {
    let t = &master.traits;
    let mut parameters = json!({ "factors": change.factors });
    if change.freed {
        parameters["bias"] = json!("subtracted");
    }
    if let Some(relaid) = change.relaid {
        parameters["turned"] = json!(relaid.turn);
    }
    let own = [Input::new(master_name(master.kind), path, loaded.hash)];
    let provenance = Provenance::new(
        format!("adopted {}", master_name(master.kind)),
        own.into_iter().chain(change.bias.clone()).collect(),
        parameters,
    );
    let key = provenance.key();
    let target = folder.join(master_file_name(master.kind, t, &key));
    if standing(&target, &key)? == Standing::Current {
        return Ok(target);
    }
    let cfa: Option<CfaPattern> = t.cfa.filter(|_| master.kind == FrameKind::Flat);
    let loaded = loaded.scaled(change.factors, cfa);
    let frame = &*loaded.frame;
    let mut header = loaded.header.clone();
    if master.per_adu.is_some() {
        header.set(Card::string("BUNIT", Unit::Adu.bunit(), ""));
    }
    header.set(Card::string("IMAGETYP", imagetyp(master.kind), "kind of frame"));
    header.set(Card::logical(ADOPTED_KEYWORD, true, "made by another program"));
    header.set(Card::integer("NCOMBINE", master.frames as i64, "frames combined"));
    if change.freed {
        let why = match master.kind {
            FrameKind::Dark => "its samples lie about zero",
            _ => "subtracted by Photosite",
        };
        header.set(Card::logical("BIASSUB", true, why));
    }
    let numbers = [
        ("EXPTIME", t.exposure_s, "[s] exposure"),
        ("CCD-TEMP", t.temp_c, "[C] sensor temperature"),
    ];
    for (keyword, value, comment) in numbers {
        if let Some(v) = value {
            header.set(Card::real(keyword, v, comment));
        }
    }
    if let Some(gain) = t.gain_setting {
        header.set(Card::real("GAIN", gain, "camera gain setting"));
    }
    if let Some((x, y)) = t.binning {
        header.set(Card::integer("XBINNING", i64::from(x), "binning along x"));
        header.set(Card::integer("YBINNING", i64::from(y), "binning along y"));
    }
    if let Some(filter) = &t.filter {
        header.set_text("FILTER", filter, "filter");
    }
    if master.kind == FrameKind::Flat {
        let channels = if cfa.is_some() { 3 } else { 1 };
        header.set(Card::integer("PSNORM", channels, "channels normalised to mean 1"));
    }
    let mut steps = vec![format!("samples multiplied by {:?}", change.factors)];
    steps.extend(change.relaid.filter(|r| r.turn).map(|_| "rows turned over".to_owned()));
    Product {
        path: &target,
        frames: &[frame],
        header,
        sample: Sample::F32,
        maps: &[],
        provenance: &provenance,
        steps,
    }
    .write()?;
    Ok(target)
}
