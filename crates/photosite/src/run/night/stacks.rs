//! The pictures of a night: raw lights laid over each other, calibrated as they are read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use photosite_pix::align::Alignment;
use photosite_pix::normalise::Normalise;
use photosite_pix::wcs::Wcs;
use serde_json::json;

use super::chosen::{leaves_nothing, left_out, rows, told, unwanted};
use super::lights::{SetKey, Sets, Work};
use super::notes::Notes;
use super::outdated::{outdated, seen_again};
use crate::error::Reach;
use crate::event::Event;
use crate::finding::Severity;
use crate::measure::{PHASE_DOUBTFUL, SurveyedLight, reference as find_reference, survey};
use crate::params::{Integration, Repair};
use crate::plan::{FEWEST_LIGHTS, LightId, MasterId, StackPlan};
use crate::product::{LightResult, Offered, Standing, changed_since, replaced, standing, sums_of};
use crate::provenance::{ContentHash, Input, Provenance};
use crate::raw::RawFrame;
use crate::register::{Arranged, LightPart, arrange, best_reference, no_wcs};
use crate::report::{LightRow, RegisteredReport, StackReport, StarsReport};
use crate::run::integrate::{Asked, Integrated};
use crate::run::mixed::unscaled;
use crate::run::results::{LightResults, Pictures, verdict};
use crate::work::Context;
use crate::{Error, Finding, Result};

/// Where pictures and registered lights go.
pub(super) struct Folders {
    pub stacks: PathBuf,
    /// `None` where registered lights are not kept.
    pub registered: Option<PathBuf>,
}

/// Stacks the planned pictures, or finds them stacked; one that cannot be made is left out.
///
/// Lights that went into a picture get a result; those that did not have none.
pub(super) fn stack_lights(
    work: Work<'_>,
    folders: &Folders,
    lights: &mut LightResults,
    out: &mut Pictures,
    (sets, notes): (&mut Sets, &mut Notes),
    context: &Context<'_>,
) -> Result<()> {
    let of =
        work.planned.stacks.iter().flatten().filter(|p| p.lights.len() >= FEWEST_LIGHTS).count();
    let mut before = 0;
    let mut all_made = true;
    let extracts = work.request.extract.is_some();
    for target in &work.planned.stacks {
        let readable = |plan: &StackPlan| -> Vec<LightId> {
            let lights = plan.lights.iter().copied();
            lights.filter(|i| work.raw[work.planned[*i].frame].is_some()).collect()
        };
        let plans: Vec<(&StackPlan, Vec<LightId>)> = target
            .iter()
            // Lines are taken out of lights that are calibrated to files.
            .filter(|plan| !(extracts && work.is_under_array(plan)))
            .map(|plan| (plan, readable(plan)))
            .filter(|(_, lights)| lights.len() >= FEWEST_LIGHTS)
            .collect();
        if plans.is_empty() {
            continue;
        }
        let target = Target { work, folders, plans, before, of };
        before += target.plans.len();
        if target.find(out, lights, notes, context)? {
            all_made = false;
            continue;
        }
        let before = notes.count();
        match target.stack(out, lights, (&mut *sets, &mut *notes), context) {
            Err(e) if e.reach() != Reach::Run => {
                notes.add(not_stacked(&target.name(), &e), context);
            }
            done => {
                done?;
                work.kept.keep(TOLD, &target.key()?, &lasting(notes.since(before)));
            }
        }
    }
    if all_made {
        work.kept.forget_others();
    }
    let made: BTreeSet<PathBuf> = out.stacks.iter().map(|s| s.path.clone()).collect();
    notes.extend(outdated(&folders.stacks, &made, work.request.tidy), context);
    Ok(())
}

/// Findings that are true of a picture as long as it stands: not what was done for its sake once.
fn lasting(findings: &[Finding]) -> Vec<Finding> {
    findings.iter().filter(|f| f.code != "product-changed").cloned().collect()
}

/// What records of findings that pictures were made with are called.
const TOLD: &str = "told";

/// That a picture could not be made.
fn not_stacked(name: &str, e: &Error) -> Finding {
    let message = format!("this stack could not be made: {e}");
    Finding::new("stack-not-made", Severity::Error, name, message)
        .hint("Its lights are kept as calibrated files; fix what the message names and run again.")
}

/// Lights with their names, looked over.
type Seen = Vec<(LightId, SurveyedLight)>;

/// The lights that were binned least, of several: on the pixels of others they would lose what they resolve.
fn finest_sampled(seen: &Seen) -> Vec<&SurveyedLight> {
    let binned = |light: &SurveyedLight| light.metadata.binning.map_or(1, |(x, y)| x * y);
    let mut all: Vec<u32> = seen.iter().map(|(_, light)| binned(light)).collect();
    all.sort_unstable();
    // One light alone is no picture.
    let least = all.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    let is_finest = |light: &&SurveyedLight| least.is_none_or(|least| binned(light) == least);
    seen.iter().map(|(_, light)| light).filter(is_finest).collect()
}

/// The pictures of one target, which share a grid of pixels.
struct Target<'a> {
    work: Work<'a>,
    folders: &'a Folders,
    plans: Vec<(&'a StackPlan, Vec<LightId>)>,
    /// How many pictures of other targets come before, and how many there are.
    before: usize,
    of: usize,
}

impl Target<'_> {
    /// What the pictures are called, for a message.
    fn name(&self) -> String {
        let names: Vec<&str> = self.plans.iter().map(|(plan, _)| plan.stem.as_str()).collect();
        names.join(", ")
    }

    /// Every light that goes into one of the pictures.
    fn members(&self) -> Vec<LightId> {
        self.plans.iter().flat_map(|(_, lights)| lights.iter().copied()).collect()
    }

    /// How lights become pictures.
    fn how(&self) -> Integration {
        let request = self.work.request;
        Integration { register: Some(request.align()), ..request.how }
    }

    /// The light, or another image, that was named as the reference; `None` where the best of the target's
    /// lights is, because none was named, or one of another target.
    fn named_reference(&self) -> Option<&Path> {
        let named = self.work.request.reference.as_deref()?;
        let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let is_named = |path: &Path| whole(path) == whole(named);
        let of_night = |light: LightId| {
            self.work.raw[self.work.planned[light].frame].as_ref().map(|f| f.path.as_path())
        };
        let own = self.members().into_iter().filter_map(of_night).find(|path| is_named(path));
        let others = || self.work.planned.named_lights().filter_map(|(id, _)| of_night(id));
        own.or_else(|| Some(named).filter(|_| !others().any(is_named)))
    }

    /// The image on whose pixels the pictures are laid; `None` without any light.
    fn reference(&self, seen: &Seen, context: &Context<'_>) -> Result<Option<SurveyedLight>> {
        let Some(path) = self.named_reference() else {
            let finest = finest_sampled(seen);
            let best = best_reference(finest.iter().copied(), self.work.request.align());
            return Ok(finest.get(best).map(|light| (*light).clone()));
        };
        if let Some((_, light)) = seen.iter().find(|(_, light)| light.path() == path) {
            return Ok(Some(light.clone()));
        }
        find_reference(path, &[], self.how().local, context).map(Some)
    }

    /// What decides a picture: its lights, the masters for each, and all lights that the grid may
    /// be chosen from.
    fn provenance(&self, lights: &[LightId]) -> Result<Provenance> {
        let Work { planned, raw, masters, .. } = self.work;
        let frame = |i: LightId| raw[planned[i].frame].as_ref();
        let inputs = lights.iter().filter_map(|i| frame(*i));
        let inputs = inputs.map(|f| Input::new("raw light", &f.path, f.hash)).collect();
        let mut grid: Vec<String> =
            self.members().into_iter().filter_map(|i| Some(frame(i)?.hash.to_string())).collect();
        grid.sort();
        let grid = blake3::hash(grid.concat().as_bytes()).to_hex()[..32].to_owned();
        let used: BTreeSet<MasterId> =
            lights.iter().flat_map(|i| self.work.set_of(*i).masters).flatten().collect();
        let mut keys = Vec::new();
        for master in used.into_iter().filter_map(|i| masters[i].as_ref()) {
            keys.push(match &master.key {
                Some(key) => key.clone(),
                None => ContentHash::of_file(&master.path)?.to_string(),
            });
        }
        keys.sort();
        let mut parameters = json!({ "how": self.how(), "masters": keys, "grid": grid });
        let mut darks: Vec<(String, f64)> = lights
            .iter()
            .filter_map(|i| Some((frame(*i)?.hash.to_string(), self.work.share_of(*i)?.k)))
            .collect();
        darks.sort_by(|a, b| a.0.cmp(&b.0));
        if !darks.is_empty() {
            parameters["darks"] = json!(darks);
        }
        let mapped: BTreeSet<String> =
            lights.iter().filter_map(|i| self.work.maps.hash_of(*i)).collect();
        if !mapped.is_empty() {
            parameters["defects"] = json!(mapped);
        }
        if self.work.request.repair != Repair::default() {
            parameters["repair"] = json!(self.work.request.repair);
        }
        if let Some(path) = self.named_reference() {
            parameters["reference"] = json!(ContentHash::of_file(path)?.to_string());
        }
        let request = self.work.request;
        if request.noise.is_some() || !request.cameras.is_empty() {
            // Its header tells of it, and rejection by noise goes by it.
            let noise = lights.iter().filter_map(|i| frame(*i)).find_map(RawFrame::noise);
            parameters["noise"] = json!(noise);
        }
        let selection = &request.selection;
        if !selection.is_all() {
            parameters["selection"] = json!(selection);
        }
        Ok(Provenance::new("stacked light", inputs, parameters))
    }

    /// The key of all the pictures together.
    fn key(&self) -> Result<String> {
        let key = |(_, lights): &(&StackPlan, Vec<LightId>)| Ok(self.provenance(lights)?.key());
        Ok(self.plans.iter().map(key).collect::<Result<Vec<_>>>()?.join(" "))
    }

    /// Takes the pictures from earlier work, if all of them stand; otherwise takes none.
    fn find(
        &self,
        out: &mut Pictures,
        lights: &mut LightResults,
        notes: &mut Notes,
        context: &Context<'_>,
    ) -> Result<bool> {
        let work = self.work;
        let Work { planned, raw, earlier, .. } = work;
        let mut found = Vec::new();
        for (_, members) in &self.plans {
            let key = self.provenance(members)?.key();
            let Some(known) = earlier.stack(&key) else { return Ok(false) };
            let path = self.folders.stacks.join(known.path.file_name().unwrap_or_default());
            match standing(&path, &key) {
                Ok(Standing::Current) => notes.extend(changed_since(&path, &known.sums), context),
                Ok(Standing::Damaged) => {
                    notes.add(replaced(&path), context);
                    return Ok(false);
                }
                // A foreign file is met again where the picture is to be written.
                _ => return Ok(false),
            }
            found.push(StackReport { path, reused: true, ..known.clone() });
        }
        let mut results = Vec::new();
        for i in self.members() {
            let Some(frame) = &raw[planned[i].frame] else { return Ok(false) };
            let Some(known) = earlier.stacked_light(&frame.path) else { return Ok(false) };
            // A registered light that is wanted now may not have been kept then.
            let kept = |folder: &PathBuf| folder.join(&planned[i].file_name).exists();
            if known.registered.used && !self.folders.registered.iter().all(kept) {
                return Ok(false);
            }
            results.push((i, known));
        }
        let rows = self.members().into_iter().filter_map(|i| {
            let frame = raw[planned[i].frame].as_ref()?;
            earlier.row(&frame.path).cloned()
        });
        let rows: Vec<LightRow> = rows.collect();
        // Pictures whose lights nobody can tell of are made again.
        let Some(told) = work.kept.find::<Vec<Finding>>(TOLD, &self.key()?) else {
            return Ok(false);
        };
        let pictures: Vec<PathBuf> = found.iter().map(|s| s.path.with_extension("png")).collect();
        // What stood beside them then may not stand there now.
        let beside =
            |f: &Finding| pictures.iter().any(|png| png.display().to_string() == f.subject);
        notes.extend(told.into_iter().filter(|f| !beside(f)), context);
        for picture in &found {
            notes.extend(seen_again(&picture.path)?, context);
        }
        out.table.extend(rows);
        out.stacks.extend(found);
        for (i, known) in results {
            out.stars.push(known.stars.clone());
            out.registered.push(known.registered.clone());
            if known.registered.used {
                lights[i] = known.result.clone();
            }
        }
        Ok(true)
    }

    /// Looks the lights over, and makes the pictures.
    fn stack(
        &self,
        out: &mut Pictures,
        lights: &mut LightResults,
        (sets, notes): (&mut Sets, &mut Notes),
        context: &Context<'_>,
    ) -> Result<()> {
        let mut seen = self.survey(sets, notes, context)?;
        let by = self.work.request.align();
        let Some(mut reference) = self.reference(&seen, context)? else { return Ok(()) };
        if let (Alignment::Wcs, Err(no)) = (by, Wcs::read(&reference.header)) {
            // Not one of them says where it lies.
            notes.extend(seen.iter().map(|(_, light)| no_wcs(light, &no)), context);
            return Ok(());
        }
        let unwanted = self.choose(&mut seen, &reference, (&mut *out, &mut *notes), context)?;
        if self.named_reference().is_none() {
            // The best may not be wanted.
            let Some(best) = self.reference(&seen, context)? else { return Ok(()) };
            reference = best;
        }
        for (n, (plan, members)) in self.plans.iter().enumerate() {
            context.observer.event(Event::Picture {
                name: &plan.title(),
                number: self.before + n + 1,
                of: self.of,
            });
            let keys: BTreeSet<SetKey> = members.iter().map(|i| self.work.set_of(*i)).collect();
            sets.keep(&keys);
            let (mut ids, mut group) = (Vec::new(), Vec::new());
            for (i, light) in seen.extract_if(.., |(i, _)| members.contains(i)) {
                let set = sets.get(self.work.set_of(i), self.work.masters, context)?;
                ids.push(i);
                group.push(SurveyedLight { light: light.light.calibrated_by(set), ..light });
            }
            if group.len() < FEWEST_LIGHTS && !self.work.request.selection.is_all() {
                out.stars.extend(group.iter().map(stars_report));
                continue;
            }
            if self.work.request.how.normalise == Normalise::None {
                notes.extend(unscaled(&group), context);
            }
            // Lights of one picture share header and array.
            let doubt = group.iter().find_map(|light| light.doubt.clone());
            // Flats may have contradicted the array already.
            let is_new = |doubt: &Finding| {
                doubt.code != PHASE_DOUBTFUL || !notes.since(0).iter().any(|f| f.code == doubt.code)
            };
            let doubt = doubt.filter(is_new);
            notes.extend(doubt, context);
            out.stars.extend(group.iter().map(stars_report));
            // The key is known before lights are measured, so it is of all that were offered.
            let gone: Vec<LightId> =
                members.iter().copied().filter(|i| unwanted.contains(i)).collect();
            let of_picture = (&ids[..], &gone[..], &mut group);
            let parts = self.picture(plan, of_picture, &reference, notes, context)?;
            out.registered.extend(parts.registered);
            notes.extend(told(&parts.table), context);
            out.table.extend(parts.table);
            if let Some(stack) = parts.stack {
                for (i, light) in parts.used {
                    lights[i] = light;
                }
                out.stacks.push(stack);
            }
        }
        Ok(())
    }

    /// Makes one picture; a light that fails meanwhile is left out, and the rest begins anew.
    fn picture(
        &self,
        plan: &StackPlan,
        (ids, unwanted, group): (&[LightId], &[LightId], &mut Vec<SurveyedLight>),
        reference: &SurveyedLight,
        notes: &mut Notes,
        context: &Context<'_>,
    ) -> Result<Picture> {
        let mut ids = ids.to_vec();
        loop {
            let arranged = arrange(group, reference, self.how(), context)?;
            let registered = registered_reports(&arranged, reference);
            let table = self.rows(plan, &ids, &arranged, reference);
            if arranged.used() < FEWEST_LIGHTS {
                notes.extend(arranged.findings().iter().cloned(), context);
                return Ok(Picture { registered, table, stack: None, used: Vec::new() });
            }
            let used: Vec<bool> = arranged.parts().iter().map(|part| part.used).collect();
            match self.written(plan, (&ids, unwanted), arranged, context) {
                Ok(done) => {
                    notes.extend(done.findings.iter().cloned(), context);
                    let used = ids.iter().zip(group.iter()).zip(used);
                    let used = used.filter(|(_, used)| *used);
                    let used = used.map(|((i, light), _)| (*i, light.calibrated.clone()));
                    let stack = Some(stack_report(plan, done));
                    return Ok(Picture { registered, table, stack, used: used.collect() });
                }
                Err(e) if e.reach() == Reach::Frame => {
                    let culprit = e.path();
                    let at = group.iter().position(|l| Some(l.path()) == culprit.as_deref());
                    let Some(at) = at else { return Err(e) };
                    notes.failure(&e, group[at].path(), context);
                    group.remove(at);
                    ids.remove(at);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Writes a picture and what is kept beside it.
    fn written(
        &self,
        plan: &StackPlan,
        (ids, unwanted): (&[LightId], &[LightId]),
        arranged: Arranged<'_>,
        context: &Context<'_>,
    ) -> Result<Integrated> {
        if let Some(folder) = &self.folders.registered {
            let name = |n: usize| folder.join(&self.work.planned[ids[n]].file_name);
            arranged.write_registered(&name, context)?;
        }
        let path = self.folders.stacks.join(plan.file_name(arranged.used()));
        let png = path.with_extension("png");
        let mut offered = [ids, unwanted].concat();
        offered.sort();
        let provenance = self.provenance(&offered)?;
        let noted = self.work.earlier.sums(&path);
        let (object, filter) = (plan.object.as_deref(), plan.filter.as_deref());
        let asked = Asked { preview: Some(&png), noted, object, filter };
        arranged.stack(&path, asked, &provenance, context)
    }

    /// Looks the lights over, those of one set of masters at a time; without their masters, which
    /// are forgotten meanwhile.
    fn survey(&self, sets: &mut Sets, notes: &mut Notes, context: &Context<'_>) -> Result<Seen> {
        let Work { planned, raw, .. } = self.work;
        let members = self.members();
        let keys: BTreeSet<SetKey> = members.iter().map(|i| self.work.set_of(*i)).collect();
        let mut seen = Vec::new();
        for key in keys {
            sets.keep(&BTreeSet::from([key]));
            let set = sets.get(key, self.work.masters, context)?;
            let mut ids = Vec::new();
            let mut offered = Vec::new();
            for &i in members.iter().filter(|i| self.work.set_of(**i) == key) {
                if let Some(frame) = &raw[planned[i].frame] {
                    ids.push(i);
                    offered.push(Offered::raw(frame, set.clone(), self.work.share_of(i)));
                }
            }
            let (looked, refused) =
                survey(&offered, self.how().local, Some(self.work.kept), context)?;
            notes.extend(refused, context);
            for light in looked {
                let at = offered.iter().position(|o| o.path == light.light.path);
                if let Some(at) = at {
                    let without = light.light.without_masters();
                    seen.push((ids[at], SurveyedLight { light: without, ..light }));
                }
            }
        }
        // The order of the plan, so that the choice of a reference does not depend on sets.
        seen.sort_by_key(|(i, _)| *i);
        Ok(seen)
    }
}

impl Target<'_> {
    /// The rows of a picture's lights.
    fn rows(
        &self,
        plan: &StackPlan,
        ids: &[LightId],
        arranged: &Arranged<'_>,
        reference: &SurveyedLight,
    ) -> Vec<LightRow> {
        rows(&plan.stem, arranged, reference, &|path| {
            let at = arranged.lights.iter().position(|light| light.path() == path)?;
            let flat = self.work.flats.get(ids[at]).copied().flatten();
            let dark = self.work.darks.get(ids[at]).and_then(Option::as_ref);
            arranged.lights[at].calibrated.as_ref().map(|done| verdict(done, dark, flat))
        })
    }

    /// Takes lights that are not wanted out of those seen, and tells of them; gives their names.
    fn choose(
        &self,
        seen: &mut Seen,
        reference: &SurveyedLight,
        (out, notes): (&mut Pictures, &mut Notes),
        context: &Context<'_>,
    ) -> Result<BTreeSet<LightId>> {
        let selection = &self.work.request.selection;
        let mut unwanted_ids = BTreeSet::new();
        if selection.is_all() {
            return Ok(unwanted_ids);
        }
        for (plan, members) in &self.plans {
            let (ids, group): (Vec<LightId>, Vec<SurveyedLight>) =
                seen.iter().filter(|(i, _)| members.contains(i)).cloned().unzip();
            let arranged = match arrange(&group, reference, self.how(), context) {
                Err(e) if e.reach() == Reach::Run => return Err(e),
                // What is wrong with them is met again where they are to be stacked.
                Err(_) => continue,
                Ok(arranged) => arranged,
            };
            let rows = self.rows(plan, &ids, &arranged, reference);
            let unwanted = unwanted(selection, &rows);
            if let Some(nothing) = leaves_nothing(selection, plan, &rows, &unwanted) {
                notes.add(nothing, context);
            }
            let registered = registered_reports(&arranged, reference);
            let mut gone = BTreeSet::new();
            for ((i, row), mut place) in ids.iter().zip(rows).zip(registered) {
                let Some(why) = unwanted.get(&row.path) else { continue };
                let row = row.without(why);
                notes.extend(left_out(&row), context);
                place.used = false;
                out.registered.push(place);
                out.table.push(row);
                gone.insert(*i);
            }
            let of_gone = ids.iter().zip(&group).filter(|(i, _)| gone.contains(i));
            out.stars.extend(of_gone.map(|(_, light)| stars_report(light)));
            seen.retain(|(i, _)| !gone.contains(i));
            unwanted_ids.extend(gone);
        }
        Ok(unwanted_ids)
    }
}

/// What came of one picture.
struct Picture {
    registered: Vec<RegisteredReport>,
    table: Vec<LightRow>,
    stack: Option<StackReport>,
    /// The lights in it, and how each was calibrated.
    used: Vec<(LightId, Option<LightResult>)>,
}

pub(super) fn stars_report(light: &SurveyedLight) -> StarsReport {
    StarsReport {
        path: light.path().to_owned(),
        count: light.field.stars.len(),
        fwhm_px: light.field.fwhm_px,
        roundness: light.field.roundness,
        background_adu: light.field.background,
        noise_adu: light.field.noise,
    }
}

pub(super) fn registered_reports(
    arranged: &Arranged<'_>,
    reference: &SurveyedLight,
) -> Vec<RegisteredReport> {
    let report = |part: &LightPart| RegisteredReport {
        path: part.path.clone(),
        reference: reference.path().to_owned(),
        transform: part.registration.as_ref().map(|r| r.transform),
        by: part.registration.as_ref().map(|r| r.by),
        residual_px: part.registration.as_ref().map(|r| r.residual_px),
        n_matched: part.registration.as_ref().map(|r| r.matched),
        flux_scale: part.flux_scale,
        used: part.used && arranged.used() >= FEWEST_LIGHTS,
    };
    arranged.parts().iter().map(report).collect()
}

pub(super) fn stack_report(plan: &StackPlan, done: Integrated) -> StackReport {
    let used = || done.lights.iter().filter(|part| part.used);
    StackReport {
        object: plan.object.clone(),
        filter: plan.filter.clone(),
        inputs: used().map(|part| part.path.clone()).collect(),
        weights: used().map(|part| part.weight).collect(),
        sums: sums_of(&done.path).unwrap_or_default(),
        path: done.path,
        key: done.key,
        reused: false,
        reference: done.reference,
        exposure_s: done.exposure_s,
        reject: done.reject.to_owned(),
        rejected_low: done.rejected_low,
        rejected_high: done.rejected_high,
        trails: done.trails,
        noise_adu: done.noise_adu,
        noise_gain: done.noise_gain,
        fwhm_px: done.fwhm_px,
        stars: done.stars,
        stars_kept: done.stars_kept,
        noise_budget: None,
        more: Vec::new(),
    }
}
