//! Building one master.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_file::fits::Sample;
use photosite_file::keyword;
use photosite_pix::combine::Recipe;
use photosite_pix::stat::Summary;
use photosite_pix::unit::NoiseModel;
use photosite_pix::{Applied, CfaPattern, FrameKind, Size};
use serde_json::json;

use super::stacking::{equalise, open_all, plan_stack, stack};
use super::{Context, Product, Standing, load_master, standing};
use crate::calibrate::RemovedBy;
use crate::event::Event;
use crate::header::{MasterFacts, master_header};
use crate::master::{Finish, Finished, Rejected, finish};
use crate::provenance::{Input, Provenance, master_name};
use crate::raw::RawFrame;
use crate::stack::Additive;
use crate::{Error, Result};

/// What is taken off every frame before it is stacked.
#[derive(Debug, Clone)]
pub enum AdditivePart {
    /// Nothing: the master keeps its bias.
    Keep,
    /// A constant in ADU.
    Level(f32),
    /// A master in a file.
    Master(PathBuf, RemovedBy),
}

/// A master to be built.
#[derive(Debug, Clone)]
pub struct MasterRequest<'a> {
    /// Its kind.
    pub kind: FrameKind,
    /// Its frames.
    pub frames: Vec<&'a RawFrame>,
    /// What is taken off first.
    pub additive: AdditivePart,
    /// How samples are combined.
    pub recipe: Recipe,
    /// Counts of rejected samples are kept for each pixel, as extensions REJLOW and REJHIGH.
    pub maps: bool,
    /// Where it goes.
    pub path: &'a Path,
}

/// A built, or reused, master.
#[derive(Debug)]
pub struct MasterResult {
    /// Where it lies.
    pub path: PathBuf,
    /// It was there already, whole and current.
    pub reused: bool,
    /// Rejected samples.
    pub rejected: Rejected,
    /// Pixels marked HOT and COLD.
    pub hot: usize,
    /// Pixels marked COLD.
    pub cold: usize,
    /// Pixels without data.
    pub no_data: usize,
    /// A description of its samples.
    pub stats: Summary,
    /// Frames that turned out not to be readable, with the reason.
    pub left_out: Vec<(PathBuf, Error)>,
    /// Frames that went into it.
    pub inputs: Vec<PathBuf>,
}

/// Builds a master, or finds it built.
///
/// A frame that cannot be read to its end is left out, named, and the rest goes on.
///
/// # Errors
/// When no frame is left, frames differ in size, the product cannot be written, or the work is
/// cancelled.
pub fn build_master(request: &MasterRequest<'_>, context: &Context<'_>) -> Result<MasterResult> {
    let mut frames = request.frames.clone();
    // The product must not depend on the order in which frames were named.
    frames.sort_by_key(|f| (f.name(), f.hash));
    let mut left_out = Vec::new();
    loop {
        let Some(first) = frames.first() else {
            return Err(Error::request(format!(
                "no readable frame is left for the {}",
                master_name(request.kind)
            )));
        };
        if let Some(odd) = frames.iter().find(|f| f.region.size() != first.region.size()) {
            return Err(Error::request(format!(
                "{} is {} pixels, {} is {}; frames of one master have one size",
                first.path.display(),
                first.region.size(),
                odd.path.display(),
                odd.region.size()
            )));
        }
        match attempt(request, &frames, context) {
            Ok(mut result) => {
                result.left_out = left_out;
                return Ok(result);
            }
            Err(e) => {
                let culprit = e.file().map(|f| f.path().to_owned());
                let at = culprit.and_then(|p| frames.iter().position(|f| f.is(&p)));
                let Some(at) = at else { return Err(e) };
                left_out.push((frames.remove(at).path.clone(), e));
            }
        }
    }
}

fn attempt(
    request: &MasterRequest<'_>,
    frames: &[&RawFrame],
    context: &Context<'_>,
) -> Result<MasterResult> {
    let additive = match &request.additive {
        AdditivePart::Master(path, by) => Some((load_master(path)?, *by)),
        AdditivePart::Keep | AdditivePart::Level(_) => None,
    };
    let provenance = provenance(
        request,
        frames,
        additive
            .as_ref()
            .map(|(m, by)| Input::new(format!("master {}", by.name()), &m.path, m.hash)),
    );
    let reused = standing(request.path, &provenance.key())? == Standing::Current;
    if !reused {
        let removed = match (&request.additive, &additive) {
            (AdditivePart::Keep, _) => (Additive::Nothing, None),
            (AdditivePart::Level(l), _) => (Additive::Level(*l), Some(RemovedBy::Level)),
            (AdditivePart::Master(..), Some((m, by))) => {
                (Additive::Plane(Arc::new(m.frame.data.clone())), Some(*by))
            }
            (AdditivePart::Master(..), None) => unreachable!("loaded above"),
        };
        make(request, frames, removed, &provenance, context)?;
    } else {
        let by = work_units(request.kind, frames);
        context.observer.event(Event::Advanced { by, what: "found" });
    }
    outcome(request, frames, reused)
}

/// Units of progress that building a master takes: one a frame and pass.
pub(super) fn work_units(kind: FrameKind, frames: &[&RawFrame]) -> u64 {
    let passes = if kind == FrameKind::Flat { 2 } else { 1 };
    frames.len() as u64 * passes
}

fn provenance(
    request: &MasterRequest<'_>,
    frames: &[&RawFrame],
    additive: Option<Input>,
) -> Provenance {
    let mut inputs: Vec<Input> =
        frames.iter().map(|f| Input::new(request.kind.name(), &f.path, f.hash)).collect();
    inputs.extend(additive);
    let level = match request.additive {
        AdditivePart::Level(l) => json!(l),
        _ => json!(null),
    };
    let parameters = json!({
        "combine": request.recipe.combine,
        "reject": request.recipe.reject,
        "level_adu": level,
        "defect_kappa": crate::defects::KAPPA,
        "maps": request.maps,
    });
    Provenance::new(master_name(request.kind), inputs, parameters)
}

fn make(
    request: &MasterRequest<'_>,
    frames: &[&RawFrame],
    (additive, removed_by): (Additive, Option<RemovedBy>),
    provenance: &Provenance,
    context: &Context<'_>,
) -> Result<()> {
    let is_flat = request.kind == FrameKind::Flat;
    let size = frames[0].region.size();
    if let Additive::Plane(p) = &additive
        && p.size() != size
    {
        return Err(Error::request(format!(
            "the frames are {size} pixels, the master taken off them is {}",
            p.size()
        )));
    }
    let plan = plan_stack(frames, request.maps, context)?;
    let folder = request.path.parent().unwrap_or(Path::new("."));
    let mut sources = open_all(frames, &plan, folder, context)?;
    for (source, frame) in sources.iter_mut().zip(frames) {
        source.additive = additive.clone();
        // A saturated flat sample measures nothing; in a dark it is the mark of a hot pixel.
        source.missing_from_adu = frame.saturation_adu.filter(|_| is_flat);
    }
    if is_flat {
        equalise(&mut sources, context)?;
    }
    let mut stacked = stack(&sources, request.recipe, &plan, request.maps, context)?;
    let maps = stacked.maps.take();
    let cfa = sources[0].cfa;
    drop(sources);
    let removed = match (request.kind, removed_by) {
        (_, None) => Applied::empty(),
        (FrameKind::Flat, Some(_)) => Applied::BIAS | Applied::DARK,
        (_, Some(_)) => Applied::BIAS,
    };
    let done = finish(
        stacked,
        Finish {
            kind: request.kind,
            count: frames.len(),
            cfa,
            noise: common_noise(frames),
            saturation_adu: frames[0].saturation_adu.filter(|_| !is_flat),
            applied: removed,
        },
    );
    let facts = facts(request, &done, removed_by, cfa);
    Product {
        path: request.path,
        frame: &done.frame,
        header: master_header(frames, &facts),
        sample: Sample::F32,
        maps: maps.as_ref(),
        provenance,
        steps: facts.sentences(),
    }
    .write()
}

fn facts(
    request: &MasterRequest<'_>,
    done: &Finished,
    removed_by: Option<RemovedBy>,
    cfa: Option<CfaPattern>,
) -> MasterFacts {
    MasterFacts {
        kind: request.kind,
        recipe: request.recipe,
        rejected: done.rejected,
        hot: done.hot,
        cold: done.cold,
        no_data: done.no_data,
        removed_by,
        cfa,
        normalised_channels: match (request.kind, cfa) {
            (FrameKind::Flat, Some(_)) => 3,
            (FrameKind::Flat, None) => 1,
            _ => 0,
        },
    }
}

/// The noise model that all frames agree on.
fn common_noise(frames: &[&RawFrame]) -> Option<NoiseModel> {
    let first = frames[0].noise()?;
    frames.iter().all(|f| f.noise() == Some(first)).then_some(first)
}

/// Reads a product back: what is reported is what stands on the disk.
fn outcome(
    request: &MasterRequest<'_>,
    frames: &[&RawFrame],
    reused: bool,
) -> Result<MasterResult> {
    let master = load_master(request.path)?;
    let count = |key: &str| master.header.get_i64(key).unwrap_or(0).max(0) as u64;
    let size: Size = master.frame.size();
    let cfa = keyword::read(&master.header).metadata.cfa;
    let step = cfa.map_or(1, CfaPattern::period);
    let stats = Summary::of(master.frame.data.as_slice(), size.width, step, None, None);
    Ok(MasterResult {
        path: request.path.to_owned(),
        reused,
        rejected: Rejected { low: count("PSREJLO"), high: count("PSREJHI") },
        hot: count("PSHOT") as usize,
        cold: count("PSCOLD") as usize,
        no_data: count("PSNODATA") as usize,
        stats,
        left_out: Vec::new(),
        inputs: frames.iter().map(|f| f.path.clone()).collect(),
    })
}
