//! Flats of one night that are of two states of the optics: a master of each, and each light says which is its own.

use super::Night;
use super::masters::Making;
use crate::finding::Severity;
use crate::inventory::FrameId;
use crate::plan::{MasterId, part_of_flat};
use crate::work::Context;
use crate::{Finding, Result};

/// So often parts of a set are parted again.
const TIMES: usize = 3;

impl Night<'_> {
    /// Makes masters of the parts that flats of the night fell into.
    pub(super) fn part_flats(&mut self, making: Making<'_>, context: &Context<'_>) -> Result<()> {
        let mut first = 0;
        for _ in 0..TIMES {
            let (planned, raw) = (&self.so_far.planned, &self.so_far.raw);
            let of = |id: MasterId| -> Option<(MasterId, Vec<FrameId>)> {
                let parted = &self.so_far.masters[id].as_ref()?.parted;
                let is_parted = |f: &FrameId| {
                    raw[*f].as_ref().is_some_and(|f| parted.iter().any(|path| f.is(path)))
                };
                let frames = planned[id].frames.iter().copied().filter(is_parted);
                Some((id, frames.collect())).filter(|(_, frames): &(_, Vec<_>)| !frames.is_empty())
            };
            let ids = planned.named_masters().map(|(id, _)| id).skip(first);
            let parts: Vec<(MasterId, Vec<FrameId>)> = ids.filter_map(of).collect();
            if parts.is_empty() {
                break;
            }
            first = planned.masters.len();
            let made = self.make_more(making, context, |planned, _, _| {
                let part = |(flat, frames)| (flat, part_of_flat(planned, flat, frames));
                parts.into_iter().map(part).collect::<Vec<(MasterId, MasterId)>>()
            })?;
            for (flat, part) in made {
                let [a, b] = [flat, part].map(|id| &self.so_far.planned[id]);
                let path = making.folder.join(&a.file_name).display().to_string();
                let message = format!(
                    "these flats are two sets that differ, as dust that moves, a camera that turns or another filter \
                     makes them: {} of them make {}, {} make {}; each light gets the one that its own background \
                     shows, and the first where it shows none",
                    a.frames.len(),
                    a.file_name,
                    b.frames.len(),
                    b.file_name
                );
                let finding = Finding::new("flats-parted", Severity::Warning, path, message)
                    .hint("See whether one filter was named for two; take flats again whenever the camera was turned or dust moved.");
                self.notes.add(finding, context);
            }
        }
        Ok(())
    }
}
