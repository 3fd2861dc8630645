//! The account of a night, from what was planned and what was done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_pix::unit::NoiseModel;
use photosite_pix::{FrameKind, Size};

use super::budgeted::{budget_of_stack, noise_budget, noise_unlike};
use super::planned::{AskedNight, PlannedNight};
use super::request::NightRequest;
use super::results::{
    DarkChoices, FlatChoices, LightResults, MadeDarks, MasterResults, Pictures, RawFrames, Results,
    verdict,
};
use crate::Finding;
use crate::calibrate::dark::DarkSource;
use crate::diagnose::Verdict;
use crate::finding::Severity;
use crate::inventory::{FrameId, Inventory};
use crate::plan::{FEWEST_LIGHTS, Forecast, LightId, MasterId, Plan, Shot, StackPlan};
use crate::report::{
    ChoiceReport, DarkWayReport, FrameReport, LibraryReport, LightReport, MasterReport,
    MasterSource, PictureReport, RegistrationReport, RunReport, SCHEMA,
};

/// What there is to tell of a night; without `work`, of what would be done.
pub(super) struct Account<'a> {
    pub forecast: Forecast,
    pub asked: Option<AskedNight>,
    pub plan: Option<PlannedNight>,
    pub inventory: &'a Inventory,
    pub planned: &'a Plan,
    pub work: Option<Done<'a>>,
    /// What came of pictures; without `work`, what an earlier run tells of their lights.
    pub pictures: Pictures,
    pub library: Option<LibraryReport>,
    pub findings: Vec<Finding>,
    pub to_shoot: Vec<Shot>,
    pub timing: BTreeMap<String, f64>,
}

/// What was done, for each frame, master and light of the plan.
pub(super) struct Done<'a> {
    pub raw: &'a RawFrames,
    pub masters: &'a MasterResults,
    pub darks: &'a DarkChoices,
    pub flats: &'a FlatChoices,
    pub made: &'a MadeDarks,
    pub lights: &'a LightResults,
}

/// What findings about a file make of it; one that was left out is not fit for use.
fn found_of(findings: &[Finding], path: &Path, left_out: bool) -> Verdict {
    let path = path.display().to_string();
    let worst = findings.iter().filter(|f| f.subject == path).map(|f| f.severity).max();
    match worst {
        _ if left_out => Verdict::Wrong,
        Some(Severity::Error) => Verdict::Wrong,
        Some(Severity::Warning) => Verdict::Usable,
        _ => Verdict::Good,
    }
}

/// The pictures that the lights are for.
fn planned_pictures(
    request: &NightRequest,
    inventory: &Inventory,
    planned: &Plan,
) -> Vec<PictureReport> {
    let plans = planned.stacks.iter().flatten();
    let plans = plans.filter(|p| request.stack && p.lights.len() >= FEWEST_LIGHTS);
    let report = |plan: &StackPlan| {
        let frames = || plan.lights.iter().map(|id| &inventory[planned[*id].frame]);
        PictureReport {
            name: plan.file_name(plan.lights.len()),
            object: plan.object.clone(),
            filter: plan.filter.clone(),
            lights: frames().map(|f| f.path.clone()).collect(),
            light_exposure_s: plan.exposure_s,
            exposure_s: frames().map(|f| f.metadata.exposure_s).sum(),
        }
    };
    plans.map(report).collect()
}

/// Puts the account of a night together.
pub(super) fn report(request: &NightRequest, account: Account<'_>) -> RunReport {
    let Account {
        forecast,
        asked,
        plan,
        inventory,
        planned,
        work,
        pictures,
        library,
        mut findings,
        to_shoot,
        timing,
    } = account;
    let nothing = (Results::none(0), Results::none(0), Results::none(0), Results::none(0));
    let nothing_made = MadeDarks::new();
    let (raw, masters, darks, made, flats, lights) = match work {
        Some(Done { raw, masters, darks, made, flats, lights }) => {
            // Work that was stopped while files were read knows none of them.
            (Some(raw).filter(|raw| !raw.is_empty()), masters, darks, made, flats, lights)
        }
        None => {
            let (masters, darks, flats, lights) = (&nothing.0, &nothing.1, &nothing.2, &nothing.3);
            (None, masters, darks, &nothing_made, flats, lights)
        }
    };
    let of_model = |id: LightId| {
        let made = made.get(&id).and_then(|m| masters.get(*m).and_then(Option::as_ref));
        made.map(|m| m.path.clone())
    };
    let Pictures { mut stacks, mut stars, registered, mut table } = pictures;
    table.sort_by(|a, b| a.picture.cmp(&b.picture).then(a.path.cmp(&b.path)));
    stars.sort_by(|a, b| a.path.cmp(&b.path));
    let reference = registered.first().map(|r| r.reference.clone());
    let mut registration = RegistrationReport { reference, frames: registered };
    registration.frames.sort_by(|a, b| a.path.cmp(&b.path));
    let master_path = |id: MasterId| request.output.join("masters").join(&planned[id].file_name);
    let failed: Vec<&PathBuf> =
        masters.iter().flatten().flat_map(|m| m.left_out.iter().map(|(p, _)| p)).collect();
    let mut group_of: BTreeMap<FrameId, String> = BTreeMap::new();
    for m in &planned.masters {
        group_of.extend(m.frames.iter().map(|&f| (f, m.file_name.clone())));
    }
    let light_of: BTreeMap<FrameId, LightId> =
        planned.named_lights().map(|(id, l)| (l.frame, id)).collect();
    let mut frames: Vec<FrameReport> = inventory
        .named()
        .map(|(id, f)| {
            let readable = raw.is_none_or(|r| r[id].is_some());
            let made = match light_of.get(&id) {
                Some(&l) => lights.get(l).is_none_or(Option::is_some),
                None => group_of.contains_key(&id),
            };
            FrameReport {
                path: f.path.clone(),
                kind: Some(f.kind),
                used: readable && made && !failed.contains(&&f.path),
                group: light_of
                    .get(&id)
                    .map(|&l| planned[l].group.clone())
                    .or_else(|| group_of.get(&id).cloned()),
                metadata: Some(f.metadata.clone()),
                verdict: (raw.is_some() && f.kind != FrameKind::Light).then(|| {
                    let left_out = failed.contains(&&f.path) || !readable;
                    found_of(&findings, &f.path, left_out)
                }),
                overscans: raw.map_or_else(Vec::new, |r| {
                    r[id].as_ref().map_or_else(Vec::new, |f| f.overscans().to_vec())
                }),
            }
        })
        .collect();
    frames.extend(inventory.left_out.iter().map(|(path, kind)| FrameReport {
        path: path.clone(),
        kind: *kind,
        used: false,
        group: None,
        metadata: None,
        verdict: None,
        overscans: Vec::new(),
    }));
    frames.sort_by(|a, b| a.path.cmp(&b.path));
    let master_reports: Vec<MasterReport> = planned
        .named_masters()
        .filter(|(id, _)| masters.get(*id).is_none_or(Option::is_some))
        .map(|(id, plan)| {
            let made = masters.get(id).and_then(Option::as_ref);
            let planned_inputs =
                || plan.frames.iter().map(|&f| inventory[f].path.clone()).collect();
            let planned_how = [plan.recipe.combine.name(), plan.recipe.reject.name()].map(Some);
            let [combine, reject] = match (&plan.ready, made) {
                (None, _) => planned_how,
                (Some(_), Some(m)) => m.how.each_ref().map(Option::as_deref),
                (Some(_), None) => [None; 2],
            }
            .map(|name| name.unwrap_or("not known").to_owned());
            MasterReport {
                kind: plan.kind,
                path: master_path(id),
                inputs: made.map_or_else(planned_inputs, |m| m.inputs.clone()),
                frames: match made {
                    Some(m) if plan.ready.is_none() => m.inputs.len(),
                    _ => plan.count(),
                },
                combine,
                reject,
                rejected_low: made.map_or(0, |m| m.rejected.low),
                rejected_high: made.map_or(0, |m| m.rejected.high),
                stats: made.map(|m| m.stats),
                hot: made.map_or(0, |m| m.hot),
                cold: made.map_or(0, |m| m.cold),
                no_data: made.map_or(0, |m| m.no_data),
                noise: made.and_then(|m| m.noise),
                verdict: made.map(|m| {
                    let told = found_of(&findings, &master_path(id), false);
                    let noisy = m.noise.is_some_and(|n| !n.agrees());
                    if noisy && told == Verdict::Good { Verdict::Usable } else { told }
                }),
                additive_removed_by: made
                    .and_then(|m| m.additive.clone().map(Into::into))
                    .or_else(|| plan.additive.map(|(_, by)| by.name().into())),
                traits: plan.traits.clone(),
                key: made.and_then(|m| m.key.clone()),
                reused: made.is_some_and(|m| m.reused),
                from: match made {
                    Some(m) if m.from_library => MasterSource::Library,
                    None if plan.ready.is_some() => MasterSource::Library,
                    _ => MasterSource::Output,
                },
                library_id: plan.ready.as_ref().map(|r| r.id.clone()),
            }
        })
        .collect();
    let light_reports: Vec<LightReport> = planned
        .named_lights()
        .map(|(id, light)| {
            let done = lights.get(id).and_then(Option::as_ref);
            let steps = done.map_or_else(Vec::new, |d| d.steps.clone());
            let choice = darks.get(id).and_then(Option::as_ref);
            let of_flat = flats.get(id).copied().flatten();
            // A dark that was to be fitted and is not taken was none.
            let without = raw.is_some()
                && light.scaled.is_some()
                && choice.is_none_or(|c| c.share.source == DarkSource::None);
            let bias_taken = if raw.is_some() {
                steps.iter().any(|s| s == "bias")
            } else {
                light.dark.is_none() || light.scaled.is_some()
            };
            let made = |id: Option<MasterId>| masters.get(id?).and_then(Option::as_ref);
            // What was planned and could not be made was not used.
            let named = |id: Option<MasterId>| {
                id.filter(|id| raw.is_none() || made(Some(*id)).is_some()).map(master_path)
            };
            let used = [
                made(light.bias.filter(|_| bias_taken)),
                made(light.dark.filter(|_| !without)),
                made(of_flat.map_or(light.flat, |c| c.flat)),
            ];
            let own = &inventory[light.frame].metadata;
            let noise = own.gain_e_per_adu.zip(own.read_noise_e);
            let noise = noise.and_then(|(gain, read)| NoiseModel::new(gain.e_per_adu(), read));
            LightReport {
                path: inventory[light.frame].path.clone(),
                output: done.and_then(|d| d.path.clone()),
                bias: named(light.bias.filter(|_| bias_taken)),
                dark: of_model(id).or(named(light.dark.filter(|_| !without))),
                dark_scale: done.and_then(|d| d.dark_scale),
                dark_scale_error: done.and_then(|d| d.dark_scale_error),
                dark_source: done.map(|d| d.dark_source),
                dark_ways: DarkWayReport::of(light.scaled.as_ref(), choice),
                flat: named(of_flat.map_or(light.flat, |c| c.flat)),
                flat_fit: of_flat.map(|c| c.fit),
                steps,
                stats_before: done.map(|d| d.before),
                stats_after: done.map(|d| d.after),
                verdict: done.map(|d| verdict(d, choice, of_flat)),
                left_of_dark: done.and_then(|d| d.left_of_dark),
                patterns: done.map(|d| d.patterns.clone()).unwrap_or_default(),
                noise_budget: done.zip(noise).and_then(|(d, noise)| noise_budget(d, noise, used)),
                repaired: done.map_or(0, |d| d.repaired),
                choices: light.choices.iter().map(|(kind, e)| ChoiceReport::of(*kind, e)).collect(),
                key: done.map(|d| d.key.clone()),
                reused: done.is_some_and(|d| d.reused),
            }
        })
        .collect();
    let sizes: BTreeMap<&Path, Size> =
        inventory.named().map(|(_, f)| (f.path.as_path(), f.size)).collect();
    for stack in &mut stacks {
        let reference = inventory.named().find(|(_, f)| stack.inputs.contains(&f.path));
        let Some((_, frame)) = reference else { continue };
        let size = sizes.get(stack.reference.as_path()).copied().unwrap_or(frame.size);
        let lights = (&light_reports[..], &registration.frames[..], &stars[..]);
        let kind = (size, frame.metadata.cfa, &sizes);
        budget_of_stack(stack, lights, &master_reports, kind, &request.how);
        findings.extend(noise_unlike(stack, size));
    }
    RunReport {
        schema: SCHEMA.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        frames,
        masters: master_reports,
        lights: light_reports,
        stars,
        registration,
        table,
        pictures: planned_pictures(request, inventory, planned),
        stacks,
        library,
        findings,
        to_shoot,
        forecast,
        asked: asked.and_then(|a| serde_json::to_value(a).ok()),
        settings: request.settings.clone(),
        plan: plan.map(|p| serde_json::to_value(p).unwrap_or_default()),
        timing,
    }
}
