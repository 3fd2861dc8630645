//! Building one master.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use photosite_file::atomic::{Existing, copy_file, folder_of};
use photosite_file::fits::Sample;
use photosite_file::keyword;
use photosite_file::read_image;
use photosite_pix::combine::Recipe;
use photosite_pix::reject::Reject;
use photosite_pix::stat::{self, Summary};
use photosite_pix::{Applied, CfaPattern, Frame, FrameKind, Header, MaskBits, Size};
use serde_json::json;

use super::compared::compare_frames;
use super::known::Known;
use super::loaded::{LoadedMaster, load_samples};
use super::stacking::{equalise, open_all, plan_stack, stack, summarise};
use super::write::{Product, Standing, standing, whole};
use crate::calibrate::RemovedBy;
use crate::defects::{self, Defect};
use crate::event::Event;
use crate::finding::Severity;
use crate::header::{MasterFacts, flat_colour_cards, flat_colours, master_header};
use crate::master::{
    FAINT_NOISE, FLAT_NOISE_LIMIT, Finish, Finished, FlatColour, NoiseCheck, Rejected, finish,
    flat_noise,
};
use crate::open::probe;
use crate::provenance::{ContentHash, Input, Provenance, key_of, master_name};
use crate::raw::{RawFrame, common_noise};
use crate::stack::{Additive, Stacked, Terms};
use crate::work::{Context, for_each};
use crate::{Error, Finding, Result};

/// What is taken off every frame before it is stacked.
#[derive(Debug, Clone)]
pub enum AdditivePart {
    /// Nothing: the master keeps its bias.
    Keep,
    /// A constant in ADU.
    Level(f32),
    /// A master in a file.
    Master(PathBuf, RemovedBy),
    /// A master bias, and so much of a master dark of another exposure for each second of a frame.
    Scaled {
        /// The bias.
        bias: PathBuf,
        /// The dark.
        dark: PathBuf,
        /// The share of the dark for a second.
        per_s: f64,
    },
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
    /// For a dark that keeps its bias: the bias level in ADU, where it is known, so that its noise
    /// can be compared with the model.
    pub zero_adu: Option<f64>,
    /// How samples are combined.
    pub recipe: Recipe,
    /// Counts of rejected samples are kept for each pixel, as extensions REJLOW and REJHIGH.
    pub maps: bool,
    /// Where it goes.
    pub path: &'a Path,
    /// What earlier work knows.
    pub known: &'a Known,
}

/// A built, or reused, master.
#[derive(Debug)]
#[non_exhaustive]
pub struct MasterResult {
    /// Its kind.
    pub kind: FrameKind,
    /// Where it lies.
    pub path: PathBuf,
    /// The key of its inputs and parameters; `None` for another program's.
    pub key: Option<String>,
    /// It was there already, whole and current.
    pub reused: bool,
    /// It was taken from the library.
    pub from_library: bool,
    /// How samples were combined and how rejected, as its header says.
    pub how: [Option<String>; 2],
    /// For a flat: what took its additive part out, as its header says.
    pub additive: Option<String>,
    /// Rejected samples.
    pub rejected: Rejected,
    /// Pixels marked HOT.
    pub hot: usize,
    /// Pixels marked COLD.
    pub cold: usize,
    /// Pixels without data.
    pub no_data: usize,
    /// A description of its samples.
    pub stats: Summary,
    /// The noise of its frames against the noise model.
    pub noise: Option<NoiseCheck>,
    /// For a flat under a colour filter array: its colours.
    pub colours: Option<[FlatColour; 3]>,
    /// Of a flat, the noise of a pixel relative to its level; `None` where it is not known.
    pub flat_noise: Option<f64>,
    /// In what parts of its set differ by little; a sentence.
    pub apart: Option<String>,
    /// What stood in its place was damaged or cut.
    pub damaged: bool,
    /// Frames that turned out not to be readable or contradict the others, with the reason.
    pub left_out: Vec<(PathBuf, Error)>,
    /// Frames that went into it.
    pub inputs: Vec<PathBuf>,
}

/// Builds a master, or finds it built.
///
/// A frame that cannot be read to its end, is not of the others' size, or contradicts the others, is
/// left out, named, and the rest goes on.
///
/// # Errors
/// When no frame is left or there are too many, they contradict each other without a majority, the
/// product cannot be written, or the work is cancelled.
pub fn build_master(request: &MasterRequest<'_>, context: &Context<'_>) -> Result<MasterResult> {
    let mut frames = request.frames.clone();
    // The product must not depend on the order in which frames were named.
    frames.sort_by_key(|f| (f.name(), f.hash));
    if frames.len() > usize::from(u16::MAX) {
        return Err(Error::parameters(format!(
            "{} frames are more than the {} that a master can combine; combine them in parts",
            frames.len(),
            u16::MAX
        )));
    }
    let mut left_out = odd_sizes(&mut frames);
    let mut compared = false;
    loop {
        if frames.is_empty() {
            return Err(Error::mismatch(format!(
                "no readable frame is left for the {}",
                master_name(request.kind)
            )));
        }
        match attempt(request, &frames, compared, context) {
            Ok(Attempt::Made(result)) => return Ok(MasterResult { left_out, ..*result }),
            Ok(Attempt::Odd(odd)) => {
                frames.retain(|f| odd.iter().all(|(path, _)| !f.is(path)));
                left_out.extend(odd);
                compared = true;
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

/// Takes out the frames that are not of the size most have; of two sizes equally common, the first
/// frame's stays.
fn odd_sizes(frames: &mut Vec<&RawFrame>) -> Vec<(PathBuf, Error)> {
    let mut counts: BTreeMap<Size, usize> = BTreeMap::new();
    for f in frames.iter() {
        *counts.entry(f.region().size()).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    let Some(size) = frames.iter().map(|f| f.region().size()).find(|s| counts[s] == most) else {
        return Vec::new();
    };
    let odd = frames.iter().filter(|f| f.region().size() != size).map(|f| {
        let message = format!("is {} pixels, the other frames are {size}", f.region().size());
        (f.path.clone(), photosite_file::Error::damaged(&f.path, message).into())
    });
    let odd = odd.collect();
    frames.retain(|f| f.region().size() == size);
    odd
}

/// What came of trying to make a master of some frames.
enum Attempt {
    /// The master.
    Made(Box<MasterResult>),
    /// Frames that do not belong to it.
    Odd(Vec<(PathBuf, Error)>),
}

/// Makes a master of frames, which are compared with each other first if they were not `compared`.
///
/// What stands there under the key of these frames was made of frames that agreed.
fn attempt(
    request: &MasterRequest<'_>,
    frames: &[&RawFrame],
    compared: bool,
    context: &Context<'_>,
) -> Result<Attempt> {
    let additive: Vec<(LoadedMaster, &str)> = match &request.additive {
        AdditivePart::Master(path, by) => vec![(load_samples(path)?, by.name())],
        AdditivePart::Scaled { bias, dark, .. } => {
            vec![(load_samples(bias)?, "bias"), (load_samples(dark)?, "dark")]
        }
        AdditivePart::Keep | AdditivePart::Level(_) => Vec::new(),
    };
    let used =
        additive.iter().map(|(m, name)| Input::new(format!("master {name}"), &m.path, m.hash));
    let provenance = provenance(request, frames, used.collect());
    let key = provenance.key();
    let found = standing(request.path, &key)?;
    let (stands, damaged) = (found == Standing::Current, found == Standing::Damaged);
    let shelved = request.known.master(&key).filter(|_| !stands);
    if stands || shelved.is_some_and(|m| copy_master(m, request.path, &key).is_ok()) {
        let by = work_units(request.kind, frames);
        context.observer.event(Event::Advanced { by, what: "found" });
        let (stats, header) = describe(request.path, request.known.of_master(&key), context)?;
        let inputs = frames.iter().map(|f| f.path.clone()).collect();
        let found = outcome(request.kind, request.path, inputs, stats, &header);
        let found = MasterResult { reused: true, from_library: !stands, ..found };
        return Ok(Attempt::Made(Box::new(found)));
    }
    let mut loaded = additive.into_iter().map(|(m, _)| m);
    let mut next =
        || loaded.next().ok_or_else(|| Error::bug("a master to subtract was not loaded"));
    let plane = |m: LoadedMaster| Arc::new(Arc::unwrap_or_clone(m.frame).data);
    let removed = match &request.additive {
        AdditivePart::Keep => (Additive::Nothing, None),
        AdditivePart::Level(l) => (Additive::Level(*l), Some(RemovedBy::Level)),
        AdditivePart::Master(_, by) => (Additive::Plane(plane(next()?)), Some(*by)),
        AdditivePart::Scaled { per_s, .. } => {
            let (bias, dark) = (plane(next()?), next()?);
            let holds_bias = !dark.bias_removed();
            let mut signal = plane(dark);
            if bias.size() != signal.size() {
                return Err(Error::mismatch(format!(
                    "the bias is {} pixels, the dark {}",
                    bias.size(),
                    signal.size()
                )));
            }
            if holds_bias {
                let all = Arc::make_mut(&mut signal).as_mut_slice().iter_mut();
                all.zip(bias.as_slice()).for_each(|(v, b)| *v -= b);
            }
            let k = *per_s as f32;
            (Additive::Scaled { bias, signal, k }, Some(RemovedBy::ScaledDark))
        }
    };
    Ok(match make(request, frames, (removed, compared), &provenance, context)? {
        Attempt::Made(made) => Attempt::Made(Box::new(MasterResult { damaged, ..*made })),
        odd @ Attempt::Odd(_) => odd,
    })
}

/// Units of progress that building a master takes: one a frame and pass.
pub fn work_units(kind: FrameKind, frames: &[&RawFrame]) -> u64 {
    let passes = if kind == FrameKind::Flat { 2 } else { 1 };
    frames.len() as u64 * passes
}

fn provenance(
    request: &MasterRequest<'_>,
    frames: &[&RawFrame],
    additive: Vec<Input>,
) -> Provenance {
    let mut inputs: Vec<Input> =
        frames.iter().map(|f| Input::new(request.kind.name(), &f.path, f.hash)).collect();
    inputs.extend(additive);
    let level = match request.additive {
        AdditivePart::Level(l) => json!(l),
        _ => json!(null),
    };
    let mut parameters = json!({
        "combine": request.recipe.combine,
        "reject": request.recipe.reject,
        "level_adu": level,
        "defect_kappa": crate::defects::KAPPA,
        "maps": request.maps,
        "saturation_adu": frames.first().and_then(|f| f.detector.saturation_adu),
        "cfa": frames.first().and_then(|f| f.metadata.cfa),
        "turned": frames.iter().filter(|f| f.turned).map(|f| f.name()).collect::<Vec<_>>(),
    });
    if let AdditivePart::Scaled { per_s, .. } = request.additive {
        parameters["dark_share_a_second"] = json!(per_s);
    }
    if request.kind != FrameKind::Bias {
        let curves = frames.iter().filter_map(|f| Some((f.name(), &f.linearity.as_ref()?.curves)));
        let curves: BTreeMap<String, _> = curves.collect();
        if let Some(first) = curves.values().next() {
            let alike = curves.len() == frames.len() && curves.values().all(|c| c == first);
            let zero_adu = request.zero_adu;
            parameters["linearity"] = match alike {
                true => json!({ "zero_adu": zero_adu, "curves": first }),
                false => json!({ "zero_adu": zero_adu, "curves": curves }),
            };
        }
    }
    let levelled = frames.iter().filter_map(|f| Some((f.name(), f.levelling()?)));
    let levelled: BTreeMap<String, serde_json::Value> = levelled.collect();
    if let Some(first) = levelled.values().next() {
        let alike = levelled.len() == frames.len() && levelled.values().all(|l| l == first);
        parameters["levels"] = if alike { first.clone() } else { json!(levelled) };
    }
    Provenance::new(master_name(request.kind), inputs, parameters)
}

fn make(
    request: &MasterRequest<'_>,
    frames: &[&RawFrame],
    ((additive, removed_by), compared): ((Additive, Option<RemovedBy>), bool),
    provenance: &Provenance,
    context: &Context<'_>,
) -> Result<Attempt> {
    let is_flat = request.kind == FrameKind::Flat;
    let size = frames[0].region().size();
    if let Additive::Plane(p) | Additive::Scaled { bias: p, .. } = &additive
        && p.size() != size
    {
        return Err(Error::mismatch(format!(
            "the frames are {size} pixels, the master to subtract is {}",
            p.size()
        )));
    }
    let plan = plan_stack(frames, request.maps, context)?;
    let folder = folder_of(request.path);
    let mut sources = open_all(frames, &plan, folder, context)?;
    let mut apart = None;
    if !compared {
        let seen = compare_frames(request.kind, frames, &sources, &additive, context)?;
        if !seen.odd.is_empty() {
            return Ok(Attempt::Odd(seen.odd));
        }
        apart = seen.apart;
    }
    for (source, frame) in sources.iter_mut().zip(frames) {
        source.additive = additive.clone();
        if let Additive::Scaled { k, .. } = &mut source.additive {
            *k *= frame.metadata.exposure_s.unwrap_or(0.0) as f32;
        }
        // Biases are the zero level itself; darks that keep theirs are straightened about a known one.
        let zero_adu = match additive {
            _ if request.kind == FrameKind::Bias => None,
            Additive::Nothing => request.zero_adu.map(|v| v as f32),
            _ => Some(0.0),
        };
        let bent = frame.linearity.clone();
        source.linear =
            bent.filter(|_| !frame.metadata.applied.contains(Applied::LINEARITY)).zip(zero_adu);
        // A saturated flat sample measures nothing; in a dark it is the mark of a hot pixel.
        source.missing_from_adu = frame.detector.saturation_adu.filter(|_| is_flat);
    }
    let levels = if is_flat { Some(equalise(&mut sources, context)?) } else { None };
    let level_adu = levels.map(|l| l.iter().sum::<f64>() / 3.0);
    let mut stacked = Stacked::empty(size, request.maps);
    // The stack holds what is left above the level that was subtracted from each frame.
    let taken_off = sources.iter().map(|s| s.level_adu).fold(f32::NEG_INFINITY, f32::max);
    let saturated_from = frames[0].detector.saturation_adu.filter(|_| !is_flat);
    stacked.saturated_from_adu = saturated_from.map(|level| level - taken_off);
    // Colours of a flat have as many kinds of noise.
    let period = sources[0].cfa.filter(|_| is_flat).map(CfaPattern::period);
    let terms = Terms { period, ..Terms::default() };
    stacked.unstable_from = unstable_from(request.recipe.reject, request.kind, frames.len());
    let planes = std::slice::from_mut(&mut stacked);
    stack(&sources, (request.recipe, terms), &plan, planes, context)?;
    // What was made of a frame that changed meanwhile would be kept under the wrong key.
    frames.iter().try_for_each(|f| f.unchanged())?;
    let maps = stacked.maps.take();
    let cfa = sources[0].cfa;
    drop(sources);
    // What every frame's header says was done before it came here.
    let before = frames.iter().fold(Applied::all(), |a, f| a & f.metadata.applied);
    let removed = match (request.kind, removed_by) {
        (_, None) => before & Applied::BIAS,
        (FrameKind::Flat, Some(_)) => Applied::BIAS | Applied::DARK,
        (_, Some(_)) => Applied::BIAS,
    };
    let noise = common_noise(frames.iter().map(|f| &f.metadata));
    let mut done = finish(
        stacked,
        Finish {
            kind: request.kind,
            count: frames.len(),
            combine: request.recipe.combine,
            cfa,
            noise,
            applied: removed,
            step_adu: frames.iter().map(|f| f.step_adu()).fold(0.0, f32::max),
        },
    );
    let (hot, cold) = mark_defects(&mut done, request.kind, cfa, context)?;
    let signal = signal_adu(request, &done.frame, removed_by, level_adu.filter(|_| cfa.is_none()));
    let check = match (done.scatter_adu, signal, noise) {
        (Some(scatter), Some(signal), Some(noise)) => {
            Some(NoiseCheck::new(request.kind, scatter, signal, noise))
        }
        _ => None,
    };
    let facts = MasterFacts {
        kind: request.kind,
        recipe: request.recipe,
        rejected: done.rejected,
        hot,
        cold,
        no_data: done.no_data,
        unstable: count_of(&done.frame, MaskBits::UNSTABLE),
        removed_by,
        bias_gone: before.contains(Applied::BIAS),
        cfa,
        normalised_channels: match (request.kind, cfa) {
            (FrameKind::Flat, Some(_)) => 3,
            (FrameKind::Flat, None) => 1,
            _ => 0,
        },
        noise: check,
        level_adu,
        flat_noise: flat_noise(&done.frame, frames.len()).filter(|_| is_flat),
        apart,
    };
    let mut header = master_header(frames, &facts);
    if let Some((levels, cfa)) = levels.zip(cfa)
        && let Some(colours) = FlatColour::of(&done.frame, cfa, frames.len(), levels)
    {
        flat_colour_cards(&mut header, &colours);
    }
    let product = Product {
        path: request.path,
        frames: &[&done.frame],
        header: header.clone(),
        sample: Sample::F32,
        maps: maps.as_slice(),
        provenance,
        steps: facts.sentences(),
    };
    let stats = summarise(&done.frame.data, sample_step(&header), |passes| {
        product.write_while(passes, context).map(drop)
    })?;
    let inputs = frames.iter().map(|f| f.path.clone()).collect();
    let made = outcome(request.kind, request.path, inputs, stats, &header);
    Ok(Attempt::Made(Box::new(MasterResult { key: Some(provenance.key()), ..made })))
}

fn count_of(frame: &Frame, bits: MaskBits) -> usize {
    frame.mask.as_slice().iter().filter(|m| m.contains(bits)).count()
}

/// The share of a pixel's samples, and two at least, that are rejected where it jumps between levels; rays
/// hit one pixel twice once in some ten thousand.
const UNSTABLE: f64 = 0.1;

/// So many rejected samples of a pixel of biases or darks make it unstable; `None` where the method
/// rejects by count, or nothing.
fn unstable_from(reject: Reject, kind: FrameKind, count: usize) -> Option<u16> {
    let dark = matches!(kind, FrameKind::Bias | FrameKind::Dark | FrameKind::DarkFlat);
    let judged = matches!(reject, Reject::AveragedSigma { .. });
    (dark && judged).then(|| ((UNSTABLE * count as f64).ceil() as u16).max(2))
}

/// Finds the defects of a dark or flat on all threads and enters them into its mask.
fn mark_defects(
    done: &mut Finished,
    kind: FrameKind,
    cfa: Option<CfaPattern>,
    context: &Context<'_>,
) -> Result<(usize, usize)> {
    if !matches!(kind, FrameKind::Dark | FrameKind::Flat) {
        return Ok((0, 0));
    }
    let bands: Vec<Range<usize>> = defects::bands(done.frame.size().height).collect();
    let found: Vec<Mutex<Vec<Defect>>> = bands.iter().map(|_| Mutex::default()).collect();
    let data = &done.frame.data;
    for_each(
        bands.len(),
        context,
        || (),
        |(), i| {
            let here = defects::find(data, bands[i].clone(), cfa, done.frame_noise);
            *found[i].lock().expect("no holder panics") = here;
            Ok(())
        },
    )?;
    let found = found.into_iter().flat_map(|f| f.into_inner().expect("no holder panics"));
    // What is no response stands at 1 by agreement, and says nothing of hot or cold.
    let measured = |d: &Defect| !done.frame.mask.get(d.x, d.y).contains(MaskBits::NO_DATA);
    let all: Vec<Defect> = found.filter(measured).collect();
    Ok(defects::mark(&mut done.frame, &all))
}

/// How far the frames stand above the bias level, where that can be told, in ADU.
fn signal_adu(
    request: &MasterRequest<'_>,
    frame: &Frame,
    removed_by: Option<RemovedBy>,
    flat_level_adu: Option<f64>,
) -> Option<f64> {
    let median = || f64::from(stat::median_at_a_glance(frame.data.as_slice()));
    match (request.kind, removed_by) {
        (FrameKind::Bias, _) => Some(0.0),
        (FrameKind::Flat, Some(_)) => flat_level_adu,
        (FrameKind::Flat | FrameKind::Light, _) => None,
        (FrameKind::Dark | FrameKind::DarkFlat, Some(_)) => Some(median()),
        // A dark darker than the bias: the sensor corrects its own black level, and how many
        // electrons that hides is not known.
        (FrameKind::Dark | FrameKind::DarkFlat, None) => {
            Some(median() - request.zero_adu?).filter(|signal| *signal >= 0.0)
        }
    }
}

/// Copies a master of the library to where it is wanted, if it is what its key says.
fn copy_master(from: &Path, to: &Path, key: &str) -> Result<()> {
    if standing(from, key)? != Standing::Current {
        return Err(Error::library(format!("{} has another key", from.display())));
    }
    Ok(copy_file(from, to, Existing::Replace)?)
}

/// Takes a master of the library as it is, beside the night's own.
///
/// # Errors
/// When its file cannot be read, the copy cannot be written, or a file that is not its copy stands
/// in its place.
pub fn take_master(
    kind: FrameKind,
    from: &Path,
    to: &Path,
    known: &Known,
    context: &Context<'_>,
) -> Result<MasterResult> {
    whole(from)?;
    // Names of copies hold the master's identity, so what stands there by that name is the copy.
    let same = |p: &Path| ContentHash::of_file(p);
    let mut damaged = false;
    if to.symlink_metadata().is_err() {
        copy_file(from, to, Existing::Refuse).map_err(|e| Error::from(e).of_product())?;
    } else if same(from)? != same(to)? {
        if standing(to, "")? != Standing::Damaged && whole(to).is_ok() {
            return Err(Error::foreign(to));
        }
        copy_file(from, to, Existing::Replace).map_err(|e| Error::from(e).of_product())?;
        damaged = true;
    }
    let told = key_of(&probe(to)?.header).and_then(|key| known.of_master(&key));
    let (stats, header) = describe(to, told, context)?;
    let taken = outcome(kind, to, Vec::new(), stats, &header);
    Ok(MasterResult { reused: !damaged, damaged, from_library: true, ..taken })
}

/// What is told of a master that lies there.
///
/// # Errors
/// When it cannot be read.
pub fn found_master(kind: FrameKind, path: &Path, context: &Context<'_>) -> Result<MasterResult> {
    let (stats, header) = describe(path, None, context)?;
    Ok(outcome(kind, path, Vec::new(), stats, &header))
}

/// The description of a master's samples, as it is known or by reading them, and its header.
fn describe(
    path: &Path,
    known: Option<Summary>,
    context: &Context<'_>,
) -> Result<(Summary, Header)> {
    Ok(match known {
        Some(stats) => (stats, probe(path)?.header),
        None => {
            let (data, header) = read_image(path)?;
            let stats = summarise(&data, sample_step(&header), |passes| {
                for_each(
                    passes.len(),
                    context,
                    || (),
                    |(), i| {
                        passes[i]();
                        Ok(())
                    },
                )
            })?;
            (stats, header)
        }
    })
}

/// Pixels from one sample to the next of its colour.
fn sample_step(header: &Header) -> usize {
    keyword::read(header).metadata.cfa.map_or(1, CfaPattern::period)
}

/// What is told of a master: from its header and the description of its samples.
fn outcome(
    kind: FrameKind,
    path: &Path,
    inputs: Vec<PathBuf>,
    stats: Summary,
    header: &Header,
) -> MasterResult {
    let count = |key: &str| header.get_i64(key).unwrap_or(0).max(0) as u64;
    let noise = header.get_f64("PSNSCAT").zip(header.get_f64("PSNMODEL"));
    MasterResult {
        kind,
        path: path.to_owned(),
        key: key_of(header),
        reused: false,
        from_library: false,
        how: ["PSCOMB", "PSREJ"].map(|key| header.get_text(key)),
        additive: header.get_text("PSADD"),
        rejected: Rejected { low: count("PSREJLO"), high: count("PSREJHI") },
        hot: count("PSHOT") as usize,
        cold: count("PSCOLD") as usize,
        no_data: count("PSNODATA") as usize,
        stats,
        noise: noise.map(|(scatter_adu, model_adu)| NoiseCheck { scatter_adu, model_adu }),
        colours: flat_colours(header),
        flat_noise: header.get_f64("PSFNOISE"),
        apart: header.get_text("PSAPART"),
        damaged: false,
        left_out: Vec::new(),
        inputs,
    }
}

impl MasterResult {
    /// What is doubtful about it.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        let faint = self.faint();
        // A flat that is noise in all colours is not told of for one of them.
        let weak = self.weak_colour().filter(|_| faint.is_none());
        [self.parted(), weak, faint].into_iter().flatten()
    }

    /// A Finding where parts of the set differ by little.
    fn parted(&self) -> Option<Finding> {
        let apart = self.apart.as_ref()?;
        let message = format!(
            "the frames fall into parts that differ, by less than would forbid to combine them: \
             {apart}; the master is between them"
        );
        let subject = self.path.display().to_string();
        let hint = "Inspect the frames; if they are of two nights, trains or filters, keep the two \
                    in folders of their own.";
        Some(Finding::new("set-parted", Severity::Warning, subject, message).hint(hint))
    }

    /// A Finding where a flat holds so little light that dividing by it adds noise.
    fn faint(&self) -> Option<Finding> {
        let noise = self.flat_noise.filter(|noise| *noise > FAINT_NOISE)?;
        let message = format!(
            "a pixel of this flat is known to {:.1} % only: dividing by it adds that to every light \
             alike, more than it removes",
            100.0 * noise
        );
        let subject = self.path.display().to_string();
        let hint = "Take brighter flats (a third to a half of full scale), or more of them.";
        Some(
            Finding::new("flat-faint", Severity::Warning, subject, message)
                .hint(hint)
                .with("noise", noise)
                .with("noise_limit", FAINT_NOISE),
        )
    }

    /// A Finding where one colour of a flat is noise.
    fn weak_colour(&self) -> Option<Finding> {
        let colours = self.colours?;
        let weak = FlatColour::weak(&colours)?;
        let FlatColour { level_adu, noise } = colours[weak.channel()];
        let brightest = colours.iter().map(|c| c.level_adu).fold(f64::NAN, f64::max);
        let known = match noise.is_finite() {
            true => format!("the noise of a pixel is {:.1} %", 100.0 * noise),
            false => "it holds no signal".to_owned(),
        };
        Some(
            Finding::new(
                "flat-colour-weak",
                Severity::Warning,
                self.path.display().to_string(),
                format!(
                    "{} in this flat is at {level_adu:.0} ADU, the brightest colour at \
                     {brightest:.0}: {known}, and dividing by it adds more noise to {} than it \
                     removes",
                    weak.name(),
                    weak.name()
                ),
            )
            .hint(
                "Use a light source of more even colour, expose longer without saturating the \
                 brightest colour, or take more flats.",
            )
            .with("colour", weak.name())
            .with("level_adu", level_adu)
            .with("noise", noise)
            .with("noise_limit", FLAT_NOISE_LIMIT),
        )
    }
}
