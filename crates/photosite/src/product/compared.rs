//! The frames of a master compared with each other before they are stacked.

use std::path::PathBuf;

use photosite_pix::FrameKind;

use crate::evidence::{FrameSummary, Odd, SetVerdict, compare, look};
use crate::raw::RawFrame;
use crate::stack::{Additive, Prepared, ReadBuffers};
use crate::work::{Context, on_each_with};
use crate::{Error, Result};

/// Names of frames that a sentence holds.
const NAMES: usize = 6;

/// What comparing the frames of a master has shown.
pub struct Compared {
    /// The frames that do not belong to their set, with what is odd about each.
    pub odd: Vec<(PathBuf, Error)>,
    /// In what parts of the set differ by little, none of them a clear majority; a sentence.
    pub apart: Option<String>,
}

/// Compares the frames of a set.
///
/// The sources are as they were opened: nothing but their own level is taken off.
///
/// # Errors
/// When a frame cannot be read, the frames contradict each other without a clear majority, no flat
/// of them can be used, or the work is cancelled.
pub fn compare_frames(
    kind: FrameKind,
    frames: &[&RawFrame],
    sources: &[Prepared],
    additive: &Additive,
    context: &Context<'_>,
) -> Result<Compared> {
    let seen = on_each_with(frames.len(), context, ReadBuffers::default, |buffers, i| {
        look(&sources[i], kind, additive, frames[i].detector.saturation_adu, buffers)
    })?;
    let seen = seen.into_iter().collect::<Result<Vec<FrameSummary>>>()?;
    let name = |i: usize| frames[i].name();
    match compare(kind, &seen) {
        SetVerdict::Agree { odd, apart } => {
            let of = |Odd { index, reasons }: Odd| {
                let path = &frames[index].path;
                (path.clone(), Error::odd(path, reasons.join("; ")))
            };
            let odd = odd.into_iter().map(of).collect();
            Ok(Compared { odd, apart: apart.map(|reasons| reasons.join(", ")) })
        }
        SetVerdict::Contradict { parts, reasons } => {
            let parts: Vec<String> = parts
                .iter()
                .zip(&reasons)
                .map(|(part, reason)| format!("{reason} ({})", names(part, name)))
                .collect();
            Err(Error::contradiction(format!(
                "the frames contradict each other: {}; which of them are right cannot be told",
                parts.join(", ")
            )))
        }
        SetVerdict::Unusable(odd) => {
            let all: Vec<usize> = odd.iter().map(|o| o.index).collect();
            let first = odd.first().map_or_else(String::new, |o| o.reasons.join("; "));
            Err(Error::unusable(format!(
                "none of these flats can be used ({}); of the first: {first}",
                names(&all, name)
            )))
        }
    }
}

/// The first names of some frames, and how many more there are.
fn names(frames: &[usize], name: impl Fn(usize) -> String) -> String {
    let mut said: Vec<String> = frames.iter().take(NAMES).map(|i| name(*i)).collect();
    if frames.len() > NAMES {
        said.push(format!("and {} more", frames.len() - NAMES));
    }
    said.join(", ")
}
