//! Masters of the library whose frames were straightened otherwise than the lights: by no curve, or by another.

use std::collections::BTreeMap;

use photosite_pix::FrameKind;
use serde_json::{Value, json};

use super::Night;
use super::instead::{TRIES, Tried};
use super::lights::these_lights;
use super::masters::Making;
use crate::finding::{Severity, first_and_more};
use crate::inventory::Frame;
use crate::plan::{LightId, MasterId};
use crate::provenance::told;
use crate::work::Context;
use crate::{Finding, Result};

/// What is told where another master takes the place of one.
const BENT: (&str, &str, &str) = (
    "master-not-straightened",
    "was made of samples that were not straightened as those of the lights are",
    "Nothing need be done: the new master is kept beside the old one.",
);

/// The curves that straighten a frame; `None` where none is for its pixels.
fn curves_of(frame: &Frame) -> Option<Value> {
    let outputs = frame.detector.amplifiers.len().max(1);
    let linearity = frame.linearity.as_deref()?;
    linearity.fits(frame.metadata.cfa, outputs).then(|| json!(linearity.curves))
}

impl Night<'_> {
    /// Gives lights darks and flats whose samples were straightened as theirs are, where the library's were not; what
    /// has no such other is used all the same, and told.
    pub(super) fn straighten_alike(
        &mut self,
        making: Making<'_>,
        context: &Context<'_>,
    ) -> Result<()> {
        let mut seen: BTreeMap<MasterId, Option<Value>> = BTreeMap::new();
        for kind in [FrameKind::Dark, FrameKind::Flat] {
            let mut first: BTreeMap<LightId, MasterId> = BTreeMap::new();
            for (id, light) in self.so_far.planned.named_lights() {
                let own = if kind == FrameKind::Dark { light.dark } else { light.flat };
                if let Some(own) = own.filter(|_| light.scaled.is_none() || kind != FrameKind::Dark)
                    && self.so_far.planned[own].ready.is_some()
                    && !self.is_straightened_alike(id, own, &mut seen)
                {
                    first.insert(id, own);
                }
            }
            let mut tried: Tried = first.iter().map(|(light, own)| (*light, vec![*own])).collect();
            let (mut left, mut good) = (first.clone(), BTreeMap::new());
            for _ in 0..TRIES {
                let lights: Vec<LightId> = left.keys().copied().collect();
                if lights.is_empty() {
                    break;
                }
                let brought = self.bring(kind, &lights, &mut tried, making, context)?;
                if brought.is_empty() {
                    break;
                }
                for (light, id) in brought {
                    if self.is_straightened_alike(light, id, &mut seen) {
                        good.insert(light, id);
                        left.remove(&light);
                    }
                }
            }
            self.give(kind, &good);
            self.tell_of_others(kind, &first, BENT, context);
            self.tell_of_bent(kind, &left, context);
        }
        Ok(())
    }

    fn is_straightened_alike(
        &self,
        light: LightId,
        master: MasterId,
        seen: &mut BTreeMap<MasterId, Option<Value>>,
    ) -> bool {
        let planned = &self.so_far.planned;
        let plan = &planned[master];
        let found = seen.entry(master).or_insert_with(|| match &plan.ready {
            // Other programs' masters say nothing of it: none is known to straighten samples.
            Some(ready) => {
                let curves = told(&ready.path).ok()?.parameters["linearity"]["curves"].take();
                Some(curves).filter(|curves| !curves.is_null())
            }
            None => plan.frames.first().and_then(|frame| curves_of(&self.inventory[*frame])),
        });
        *found == curves_of(&self.inventory[planned[light].frame])
    }

    /// Tells of masters that are used although their samples were straightened otherwise.
    fn tell_of_bent(
        &mut self,
        kind: FrameKind,
        left: &BTreeMap<LightId, MasterId>,
        context: &Context<'_>,
    ) {
        let mut lights: BTreeMap<MasterId, Vec<LightId>> = BTreeMap::new();
        left.iter().for_each(|(light, master)| lights.entry(*master).or_default().push(*light));
        for (master, of) in lights {
            let planned = &self.so_far.planned;
            let path = self.inventory[planned[of[0]].frame].path.display();
            let (code, why, _) = BENT;
            let message = format!(
                "{} {why}, and no other {kind} fits {}; it is used all the same, and what bends stays in them",
                planned[master].file_name,
                these_lights(of.len())
            );
            self.notes.add(
                Finding::new(code, Severity::Warning, first_and_more(path, of.len()), message)
                    .hint(format!(
                        "Add the raw frames of this {kind} to the library, which makes it again: photosite library add FOLDER."
                    ))
                    .with("master", planned[master].file_name.clone())
                    .with("lights", of.len()),
                context,
            );
        }
    }
}
