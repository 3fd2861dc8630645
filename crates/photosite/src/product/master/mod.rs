//! Building one master.

mod asked;
mod found;
mod level;
mod make;
mod starry;
mod told;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use photosite_pix::{FrameKind, Size};

use self::asked::Attempt;
use self::found::{copy_master, describe, outcome};
use self::make::{make, provenance};
use super::loaded::{LoadedMaster, load_samples};
use super::write::{Standing, room_for};
use crate::calibrate::RemovedBy;
use crate::event::Event;
use crate::provenance::{Input, master_name};
use crate::raw::RawFrame;
use crate::stack::Additive;
use crate::work::Context;
use crate::{Error, Result};

pub use self::asked::{AdditivePart, MasterRequest, MasterResult};
pub use self::found::{found_master, take_master};
pub use self::level::{dark_at_level, level_of_dark};

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
    let (mut compared, mut parted) = (false, Vec::new());
    loop {
        if frames.is_empty() {
            return Err(Error::mismatch(format!(
                "no readable frame is left for the {}",
                master_name(request.kind)
            )));
        }
        match attempt(request, &frames, compared, context) {
            Ok(Attempt::Made(result)) => return Ok(MasterResult { left_out, parted, ..*result }),
            Ok(Attempt::Odd(odd, others)) => {
                frames.retain(|f| odd.iter().all(|(path, _)| !f.is(path)));
                left_out.extend(odd.into_iter().filter(|(path, _)| !others.contains(path)));
                parted.extend(others);
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
    let found = room_for(request.path, &provenance)?;
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
        odd @ Attempt::Odd(..) => odd,
    })
}

/// Units of progress that building a master takes: one a frame and pass.
pub fn work_units(kind: FrameKind, frames: &[&RawFrame]) -> u64 {
    let passes = if kind == FrameKind::Flat { 2 } else { 1 };
    frames.len() as u64 * passes
}
