//! A dark model of frames and masters that were named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_file::atomic::folder_of;
use photosite_pix::FrameKind;

use super::frames::{raw_frames, take_inventory};
use crate::error::Reach;
use crate::event::{Event, Stage};
use crate::finding::{Severity, first_and_more};
use crate::inventory::{Inventory, KindOverrides};
use crate::library::{Field, Group, Traits, contradictions, frame_traits, group_name, groups};
use crate::open::probe;
use crate::params::default_recipe;
use crate::product::{
    AdditivePart, DarkModel, Known, MasterRequest, ModelSummary, build_master, is_product,
    work_units,
};
use crate::raw::RawFrame;
use crate::work::Context;
use crate::{Error, Finding, Result};

/// A dark model that was built.
#[derive(Debug)]
#[non_exhaustive]
pub struct BuiltDarkModel {
    /// Where it lies.
    pub path: PathBuf,
    /// The folder of the masters that it was made of.
    pub masters: PathBuf,
    /// What it proves.
    pub summary: ModelSummary,
    /// What was found on the way.
    pub findings: Vec<Finding>,
}

/// Builds a dark model of darks and biases, raw frames and masters of ours, in files and folders.
///
/// Frames are sorted by kind as a night's are; those of other kinds, and darks of another set-up than
/// most, are left out and named. Masters are made of the rest, one for each exposure and temperature, in
/// a folder beside the model, where they are found again when the model is built anew.
///
/// # Errors
/// When a path does not exist, what is left proves too little for a model, the model cannot be written,
/// or the work is cancelled.
pub fn build_dark_model(
    paths: &[PathBuf],
    output: &Path,
    context: &Context<'_>,
) -> Result<BuiltDarkModel> {
    let (mut masters, raw): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.iter().cloned().partition(|p| p.is_file() && is_product(p));
    let folder = folder_of(output)
        .join(format!("{}-masters", output.file_stem().unwrap_or_default().to_string_lossy()));
    let mut inventory = match raw.is_empty() {
        true => Inventory::default(),
        false => take_inventory(&raw, Some(&folder), &KindOverrides::default(), context)?,
    };
    let mut findings = std::mem::take(&mut inventory.findings);
    for (path, _) in &inventory.left_out {
        // A folder of masters is as good as their names.
        if is_product(path) && is_bias_or_dark(path) {
            masters.push(path.clone());
            let subject = path.display().to_string();
            findings.retain(|f| f.subject != subject);
        }
    }
    let usable =
        |k: FrameKind| matches!(k, FrameKind::Bias | FrameKind::Dark | FrameKind::DarkFlat);
    let mut others: BTreeMap<FrameKind, Vec<String>> = BTreeMap::new();
    for frame in inventory.frames.iter().filter(|f| !usable(f.kind)) {
        others.entry(frame.kind).or_default().push(frame.path.display().to_string());
    }
    findings.extend(
        others
            .into_iter()
            .map(|(kind, names)| left_out(&names, &format!("a {kind} is neither bias nor dark"))),
    );
    inventory.frames.retain(|f| usable(f.kind));
    let traits: Vec<(FrameKind, Traits)> =
        inventory.frames.iter().map(|f| (f.kind, frame_traits(f))).collect();
    let (kept, more) = one_set_up(groups(&traits), &masters, &inventory)?;
    findings.extend(more);
    let frames = raw_frames(&inventory, &mut findings, context)?;
    let members = |g: &Group| -> Vec<&RawFrame> {
        g.members.iter().filter_map(|i| frames[*i].as_ref()).collect()
    };
    let total = kept.iter().map(|g| work_units(g.kind, &members(g))).sum();
    context.observer.event(Event::Started { stage: Stage::Masters, total });
    let (known, mut names) = (Known::default(), BTreeMap::new());
    for group in &kept {
        let path =
            folder.join(format!("{}.fits", group_name(group.kind, &group.traits, &mut names)));
        let frames = members(group);
        if frames.is_empty() {
            continue;
        }
        let request = MasterRequest {
            kind: group.kind,
            recipe: default_recipe(group.kind, frames.len(), group.traits.cfa),
            frames,
            additive: AdditivePart::Keep,
            zero_adu: None,
            witnesses: Vec::new(),
            parts: false,
            maps: false,
            path: &path,
            known: &known,
        };
        match build_master(&request, context) {
            Ok(made) => {
                let told = |(p, e): &(PathBuf, Error)| Finding::of(e, p.display().to_string());
                findings.extend(made.left_out.iter().map(told));
                findings.extend(made.findings());
                masters.push(made.path);
            }
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => findings.push(Finding::of(&e, path.display().to_string())),
        }
    }
    context.observer.event(Event::Finished);
    masters.sort();
    masters.dedup();
    let model = DarkModel::build(&masters, context).map_err(|e| because(e, &findings))?;
    model.write(output)?;
    findings.extend(model.findings(output));
    Ok(BuiltDarkModel {
        path: output.to_owned(),
        masters: folder,
        summary: model.summary(),
        findings,
    })
}

/// An error with the first of what kept frames away.
fn because(error: Error, findings: &[Finding]) -> Error {
    let severe = findings.iter().find(|f| f.severity >= Severity::Warning);
    match severe.filter(|_| error.kind() == crate::ErrorKind::Mismatch) {
        Some(f) => Error::mismatch(format!("{error} ({}: {})", f.subject, f.message)),
        None => error,
    }
}

fn is_bias_or_dark(path: &Path) -> bool {
    let kind = |p: photosite_file::Probe| photosite_file::keyword::read(&p.header).metadata.kind;
    let found = probe(path).ok().and_then(kind);
    matches!(found, Some(FrameKind::Bias | FrameKind::Dark | FrameKind::DarkFlat))
}

fn left_out(names: &[String], why: &str) -> Finding {
    let subject = first_and_more(names.first().map_or("", String::as_str), names.len());
    let message = format!("{why}; left out of the dark model");
    Finding::new("dark-model-left-out", Severity::Warning, subject, message)
        .hint("Name only the darks and biases of one camera, gain, offset, binning and region.")
        .with("frames", names.len())
}

/// Groups of the set-up that most darks are of; what is left out is told.
fn one_set_up(
    all: Vec<Group>,
    masters: &[PathBuf],
    inventory: &Inventory,
) -> Result<(Vec<Group>, Vec<Finding>)> {
    let dark = |g: &&Group| g.kind != FrameKind::Bias;
    let circumstance = |f: Field| matches!(f, Field::Exposure | Field::Temperature | Field::Age);
    let against = |a: &Traits, b: &Traits| {
        let mut checks = contradictions(FrameKind::Dark, a, b);
        checks.retain(|c| !circumstance(c.field));
        checks
    };
    // Of masters that were named the set-up is what their headers say.
    let mut set_ups: Vec<Traits> = Vec::new();
    for path in masters {
        let probe = probe(path)?;
        let metadata = photosite_file::keyword::read(&probe.header).metadata;
        set_ups.push(Traits::of(&metadata, probe.size));
    }
    let agree = |t: &Traits| -> usize {
        let groups = all.iter().filter(dark).filter(|g| against(t, &g.traits).is_empty());
        groups.map(|g| g.members.len()).sum()
    };
    let mut wanted = set_ups.first().cloned();
    if wanted.is_none() {
        let most = all
            .iter()
            .filter(dark)
            .max_by_key(|g| (agree(&g.traits), std::cmp::Reverse(g.members[0])));
        wanted = most.map(|g| g.traits.clone());
    }
    let Some(wanted) = wanted else {
        return Err(Error::mismatch(
            "there is no dark among these files; a dark model is made of darks of two exposures and \
             biases, or of darks of three exposures",
        ));
    };
    let (mut kept, mut findings) = (Vec::new(), Vec::new());
    let some_temps = all.iter().any(|g| g.kind != FrameKind::Bias && g.traits.temp_c.is_some());
    for group in all {
        let names: Vec<String> =
            group.members.iter().map(|i| inventory.frames[*i].path.display().to_string()).collect();
        let show = |v: &Option<String>| v.clone().unwrap_or_default();
        let differs: Vec<String> = against(&wanted, &group.traits)
            .iter()
            .map(|c| {
                format!("{} {}, the others {}", c.field.name(), show(&c.found), show(&c.wanted))
            })
            .collect();
        let is_dark = group.kind != FrameKind::Bias;
        if !differs.is_empty() {
            findings.push(left_out(&names, &format!("of another set-up ({})", differs.join("; "))));
        } else if is_dark && group.traits.exposure_s.is_none() {
            findings.push(left_out(&names, "neither header nor name gives the exposure"));
        } else if is_dark && group.traits.temp_c.is_none() && some_temps {
            findings.push(left_out(&names, "the header gives no temperature"));
        } else {
            kept.push(group);
        }
    }
    Ok((kept, findings))
}
