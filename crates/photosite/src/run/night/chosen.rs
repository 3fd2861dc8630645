//! Lights seen and chosen: the table of lights, what of it stands out, what was asked to be left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnose::Verdict;
use crate::finding::Severity;
use crate::inventory::Inventory;
use crate::measure::SurveyedLight;
use crate::params::{Column, LeftOut, LightMeasures, Selection};
use crate::plan::{FEWEST_LIGHTS, Plan, StackPlan};
use crate::register::{Arranged, LightPart, outliers};
use crate::report::LightRow;
use crate::run::earlier::Earlier;
use crate::run::request::NightRequest;
use crate::{Finding, Result};

/// The rows of a picture's lights, with what of them stands out; `verdict` is that on the light at a path.
pub(super) fn rows(
    picture: &str,
    arranged: &Arranged<'_>,
    reference: &SurveyedLight,
    verdict: &dyn Fn(&Path) -> Option<Verdict>,
) -> Vec<LightRow> {
    let level_s = arranged.level.metadata.exposure_s;
    let longer = |light: &SurveyedLight| {
        let both_s = light.metadata.exposure_s.zip(level_s);
        both_s.map_or(1.0, |(own, level)| own / level)
    };
    let row = |(light, part): (&SurveyedLight, &LightPart)| {
        let scale = part.flux_scale.map(|flux| flux.scale);
        LightRow {
            picture: picture.to_owned(),
            path: part.path.clone(),
            reference: light.path() == reference.path(),
            stars: part.stars,
            fwhm_px: part.fwhm_px,
            round: light.field.roundness,
            sky_adu: light.field.background,
            noise_adu: light.field.noise,
            transparency: scale.map(|scale| 1.0 / (scale * longer(light))),
            weight: part.weight,
            residual_px: part.registration.as_ref().map(|r| r.residual_px),
            airmass: light.header.get_f64("AIRMASS").filter(|x| (1.0..=40.0).contains(x)),
            verdict: verdict(light.path()),
            used: part.used,
            outliers: Vec::new(),
            left_out: None,
            note: String::new(),
        }
    };
    let rows: Vec<LightRow> = arranged.lights.iter().zip(&arranged.parts).map(row).collect();
    // A longer light has more sky: as much as in the time of the light at whose level they are.
    let alike = |(row, light): (&LightRow, &SurveyedLight)| {
        row.measures().with(Column::Sky, Some(row.sky_adu / longer(light)))
    };
    let found = outliers(&rows.iter().zip(arranged.lights).map(alike).collect::<Vec<_>>());
    rows.into_iter().zip(found).map(|(row, found)| row.with_outliers(found)).collect()
}

/// Lights of a picture that are not wanted, and why; those that are in it anyway are asked alone.
pub(super) fn unwanted(selection: &Selection, rows: &[LightRow]) -> BTreeMap<PathBuf, LeftOut> {
    let used: Vec<&LightRow> = rows.iter().filter(|row| row.used).collect();
    let measures: Vec<LightMeasures> = used.iter().map(|row| row.measures()).collect();
    let left_out = selection.left_out(&measures);
    used.iter().zip(left_out).filter_map(|(row, why)| Some((row.path.clone(), why?))).collect()
}

/// What a table says: lights that stand out, and those that were left out by wish.
pub(super) fn told(rows: &[LightRow]) -> Vec<Finding> {
    let one = |row: &LightRow| left_out(row).or_else(|| row.finding());
    rows.iter().filter_map(one).collect()
}

/// That a light was left out by wish.
pub(super) fn left_out(row: &LightRow) -> Option<Finding> {
    let why = row.left_out.as_ref()?;
    let subject = row.path.display().to_string();
    let finding =
        Finding::new("light-left-out", Severity::Info, subject, format!("left out: {why}"));
    let measures = row.measures();
    Some(
        measures
            .known()
            .fold(finding, |finding, (column, value)| finding.with(column.name(), value)),
    )
}

/// That a selection leaves too few lights for a picture; `None` where it leaves enough.
pub(super) fn leaves_nothing(
    selection: &Selection,
    plan: &StackPlan,
    rows: &[LightRow],
    unwanted: &BTreeMap<PathBuf, LeftOut>,
) -> Option<Finding> {
    let offered = rows.iter().filter(|row| row.used).count();
    let left = offered - unwanted.len();
    if left >= FEWEST_LIGHTS || unwanted.is_empty() {
        return None;
    }
    let message = format!(
        "{selection} leaves {} of {offered} lights: no stack is made",
        if left == 0 { "none".to_owned() } else { left.to_string() }
    );
    let finding = Finding::new("selection-leaves-nothing", Severity::Error, &*plan.stem, message)
        .hint("Ask for less; the table of lights in run.json and report.html has the numbers.");
    Some(finding.with("offered", offered).with("left", left))
}

/// What a selection would leave out, by the numbers of an earlier run into the same folder: the table of lights,
/// and what is to be told.
///
/// # Errors
/// When the earlier account cannot be read.
pub(super) fn foretell(
    request: &NightRequest,
    planned: &Plan,
    inventory: &Inventory,
) -> Result<(Vec<LightRow>, Vec<Finding>)> {
    let earlier = Earlier::read(&request.output.join("run.json"), None)?;
    let (mut table, mut findings) = (Vec::new(), Vec::new());
    for plan in planned.stacks.iter().flatten() {
        let paths = plan.lights.iter().map(|id| inventory[planned[*id].frame].path.as_path());
        let known: Vec<LightRow> = paths.filter_map(|path| asked_anew(&earlier, path)).collect();
        if known.len() < plan.lights.len() && !request.selection.is_all() {
            let message = format!(
                "{} of {} lights were not measured yet, so what {} leaves out is known after a run",
                plan.lights.len() - known.len(),
                plan.lights.len(),
                request.selection
            );
            findings.push(
                Finding::new("selection-not-known", Severity::Info, &*plan.stem, message)
                    .hint("Run once without it; the lights are measured then."),
            );
        }
        let unwanted = unwanted(&request.selection, &known);
        findings.extend(leaves_nothing(&request.selection, plan, &known, &unwanted));
        let rows = known.into_iter().map(|row| match unwanted.get(&row.path) {
            Some(why) => row.without(why),
            None => row,
        });
        let rows: Vec<LightRow> = rows.collect();
        findings.extend(rows.iter().filter_map(left_out));
        table.extend(rows);
    }
    Ok((table, findings))
}

/// A light as an earlier run saw it, whether or not that was asked to leave it out.
fn asked_anew(earlier: &Earlier, path: &Path) -> Option<LightRow> {
    let row = earlier.row(path)?.clone();
    let used = row.used || row.left_out.is_some();
    Some(LightRow { left_out: None, used, ..row }.noted())
}
