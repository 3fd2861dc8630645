//! Lines out of colour lights: each light calibrated, its lines extracted, one stack a line on one grid.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::chosen::{leaves_nothing, rows, told, unwanted};
use super::lights::Work;
use super::notes::Notes;
use super::stacks::{Folders, registered_reports, stack_report, stars_report};
use crate::colour::{Extract, extract};
use crate::error::Reach;
use crate::event::Event;
use crate::measure::{SurveyedLight, reference as find_reference, survey};
use crate::plan::{FEWEST_LIGHTS, LightId, StackPlan};
use crate::product::{Offered, Standing, standing};
use crate::provenance::{Input, Provenance};
use crate::register::{arrange, best_reference};
use crate::report::{RegisteredReport, StackReport};
use crate::run::integrate::Asked;
use crate::run::results::{LightResults, Pictures, verdict};
use crate::work::{Context, on_each};
use crate::{Finding, Result};

/// A light out of which lines were extracted.
struct Source<'a> {
    id: LightId,
    raw: &'a Path,
    /// The files of its lines, in their order.
    lines: Vec<PathBuf>,
}

/// The lines of one light, or what failed.
type Extracted = (LightId, Result<(Vec<PathBuf>, Vec<Finding>)>);

/// Extracts lines of the calibrated colour lights and stacks them.
///
/// # Errors
/// When the work is cancelled, or a product cannot be written.
pub(super) fn stack_lines(
    work: Work<'_>,
    (folder, folders): (&Path, &Folders),
    what: Extract,
    lights: &LightResults,
    (out, notes): (&mut Pictures, &mut Notes),
    context: &Context<'_>,
) -> Result<()> {
    let names: &[&str] = match what {
        Extract::Ha => &["Ha"],
        Extract::Oiii => &["OIII"],
        Extract::HaOiii => &["Ha", "OIII"],
        Extract::Green => &["Green"],
    };
    let plans: Vec<&StackPlan> = work
        .planned
        .stacks
        .iter()
        .flatten()
        .filter(|plan| plan.lights.len() >= FEWEST_LIGHTS && work.is_under_array(plan))
        .collect();
    for (n, plan) in plans.iter().enumerate() {
        let (name, number, of) = (&*plan.title(), n + 1, plans.len());
        context.observer.event(Event::Picture { name, number, of });
        let calibrated: Vec<(LightId, &Path)> = plan
            .lights
            .iter()
            .filter_map(|id| Some((*id, lights[*id].as_ref()?.path.as_deref()?)))
            .collect();
        let done: Vec<Extracted> = on_each(calibrated.len(), context, |i| {
            let (id, path) = calibrated[i];
            let target = folder.join(file_name(path, names));
            let made = extract(path, &target, what, context).map(|made| {
                let findings = made.iter().flat_map(|m| m.findings.iter().cloned()).collect();
                (made.into_iter().map(|m| m.path).collect(), findings)
            });
            Ok((id, made))
        })?
        .into_iter()
        .collect::<Result<_>>()?;
        let mut sources = Vec::new();
        for (id, made) in done {
            let Some(frame) = &work.raw[work.planned[id].frame] else { continue };
            match made {
                Ok((lines, findings)) => {
                    // Headers are those of one camera: one of them tells for all.
                    notes.extend(
                        findings.into_iter().take(usize::from(sources.is_empty())),
                        context,
                    );
                    sources.push(Source { id, raw: &frame.path, lines });
                }
                Err(e) if e.reach() == Reach::Run => return Err(e),
                Err(e) => notes.failure(&e, &frame.path, context),
            }
        }
        let mut grid = None;
        for (line, name) in names.iter().enumerate() {
            let one = Line { work, plan, sources: &sources, line, name, folders };
            match one.stack(&mut grid, lights, (&mut *out, &mut *notes), context) {
                Err(e) if e.reach() == Reach::Run => return Err(e),
                Err(e) => notes.failure(&e, &one.path(sources.len()), context),
                Ok(()) => {}
            }
        }
    }
    Ok(())
}

/// The file that lines of a light are extracted to; of several lines each gets its own name from it.
fn file_name(light: &Path, names: &[&str]) -> String {
    let stem = light.file_stem().unwrap_or_default().to_string_lossy();
    match names {
        [one] => format!("{stem}_{}.fits", one.to_lowercase()),
        _ => format!("{stem}.fits"),
    }
}

/// One line of the lights of a picture.
struct Line<'a> {
    work: Work<'a>,
    plan: &'a StackPlan,
    sources: &'a [Source<'a>],
    line: usize,
    name: &'a str,
    folders: &'a Folders,
}

impl Line<'_> {
    /// The plan of the line's own picture.
    fn plan(&self) -> StackPlan {
        let target = self.plan.stem.rsplit_once('_').map_or(&*self.plan.stem, |(target, _)| target);
        let filter = Some(self.name.to_owned());
        StackPlan { filter, stem: format!("{target}_{}", self.name), ..self.plan.clone() }
    }

    fn path(&self, count: usize) -> PathBuf {
        self.folders.stacks.join(self.plan().file_name(count))
    }

    /// Where a line of a light goes when it is laid on the grid; `None` where such lights are not kept.
    fn laid(&self, extracted: &Path) -> Option<PathBuf> {
        Some(self.folders.registered.as_ref()?.join(extracted.file_name()?))
    }

    fn raw_of(&self, extracted: &Path) -> PathBuf {
        // The grid may be that of another line.
        let of = self.sources.iter().find(|s| s.lines.iter().any(|line| line == extracted));
        of.map_or_else(|| extracted.to_owned(), |s| s.raw.to_owned())
    }

    /// Stacks the line on the grid of the first one, or finds it stacked.
    fn stack(
        &self,
        grid: &mut Option<PathBuf>,
        lights: &LightResults,
        (out, notes): (&mut Pictures, &mut Notes),
        context: &Context<'_>,
    ) -> Result<()> {
        let request = self.work.request;
        let (plan, how) = (self.plan(), request.how);
        let offered = on_each(self.sources.len(), context, |i| {
            Offered::file(&self.sources[i].lines[self.line])
        })?;
        let offered: Vec<Offered> = offered.into_iter().collect::<Result<_>>()?;
        let inputs = offered.iter().map(|l| Input::new("light", &l.path, l.hash)).collect();
        let named = request.reference.as_deref().map(|named| {
            let own = self.sources.iter().find(|s| s.raw == named);
            own.map_or_else(|| named.to_owned(), |s| s.lines[self.line].clone())
        });
        let grid_of = grid.clone().or(named);
        let grid_hash =
            grid_of.as_deref().map(crate::provenance::ContentHash::of_file).transpose()?;
        let mut parameters = json!({ "how": how, "grid": grid_hash.map(|h| h.to_string()) });
        if !request.selection.is_all() {
            parameters["selection"] = json!(request.selection);
        }
        let provenance = Provenance::new("stacked light", inputs, parameters);
        let key = provenance.key();
        if let Some(known) = self.work.earlier.stack(&key) {
            let path = self.folders.stacks.join(known.path.file_name().unwrap_or_default());
            let there = standing(&path, &key)? == Standing::Current;
            // A registered light that is wanted now may not have been kept then.
            let kept = self.sources.iter().filter(|s| known.inputs.iter().any(|i| i == s.raw));
            let kept = kept.filter_map(|s| self.laid(&s.lines[self.line])).all(|p| p.exists());
            if there && kept && path.with_extension("png").exists() {
                let rows: Vec<_> = self.work.earlier.rows_of(&plan.stem).cloned().collect();
                notes.extend(told(&rows), context);
                out.table.extend(rows);
                if grid.is_none() {
                    let own = self.sources.iter().find(|s| s.raw == known.reference);
                    *grid = own.map(|s| s.lines[self.line].clone());
                }
                out.stacks.push(StackReport { path, reused: true, ..known.clone() });
                return Ok(());
            }
        }
        let (mut seen, refused) = survey(&offered, how.local, None, context)?;
        notes.extend(refused, context);
        let Some(mut reference) = self.reference(&seen, grid_of.as_deref(), context)? else {
            return Ok(());
        };
        let rows_of = |arranged: &crate::register::Arranged<'_>, reference: &SurveyedLight| {
            let mut rows = rows(&plan.stem, arranged, reference, &|path| {
                let source = self.sources.iter().find(|s| s.lines[self.line] == path)?;
                let flat = self.work.flats.get(source.id).copied().flatten();
                let dark = self.work.darks.get(source.id).and_then(Option::as_ref);
                lights[source.id].as_ref().map(|done| verdict(done, dark, flat))
            });
            rows.iter_mut().for_each(|row| row.path = self.raw_of(&row.path));
            rows
        };
        if !request.selection.is_all() {
            let arranged = arrange(&seen, &reference, how, context)?;
            let rows = rows_of(&arranged, &reference);
            let unwanted = unwanted(&request.selection, &rows);
            notes.extend(leaves_nothing(&request.selection, &plan, &rows, &unwanted), context);
            let gone: Vec<_> = rows
                .into_iter()
                .filter_map(|row| unwanted.get(&row.path).map(|why| row.without(why)))
                .collect();
            seen.retain(|light| !unwanted.contains_key(&self.raw_of(light.path())));
            notes.extend(told(&gone), context);
            out.table.extend(gone);
            if seen.len() < FEWEST_LIGHTS {
                return Ok(());
            }
            let best = self.reference(&seen, grid_of.as_deref(), context)?;
            reference = best.unwrap_or(reference);
        }
        let arranged = arrange(&seen, &reference, how, context)?;
        let rows = rows_of(&arranged, &reference);
        notes.extend(told(&rows), context);
        out.table.extend(rows);
        if self.line == 0 {
            // A light has one place; that of its first line.
            out.stars.extend(seen.iter().map(|light| {
                let path = self.raw_of(light.path());
                crate::report::StarsReport { path, ..stars_report(light) }
            }));
            let places = registered_reports(&arranged, &reference);
            out.registered.extend(places.into_iter().map(|place| RegisteredReport {
                path: self.raw_of(&place.path),
                reference: self.raw_of(&place.reference),
                ..place
            }));
        }
        if arranged.used() < FEWEST_LIGHTS {
            notes.extend(arranged.findings().iter().cloned(), context);
            return Ok(());
        }
        if self.folders.registered.is_some() {
            let name = |n: usize| self.laid(seen[n].path()).unwrap_or_default();
            arranged.write_registered(&name, context)?;
        }
        let path = self.path(arranged.used());
        let png = path.with_extension("png");
        let noted = self.work.earlier.sums(&path);
        let asked = Asked { preview: Some(&png), noted, ..Asked::default() };
        let done = arranged.stack(&path, asked, &provenance, context)?;
        notes.extend(done.findings.iter().cloned(), context);
        let mut report = stack_report(&plan, done);
        report.inputs.iter_mut().for_each(|path| *path = self.raw_of(path));
        report.reference = self.raw_of(&report.reference);
        out.stacks.push(report);
        grid.get_or_insert_with(|| reference.path().to_owned());
        Ok(())
    }

    fn reference(
        &self,
        seen: &[SurveyedLight],
        grid: Option<&Path>,
        context: &Context<'_>,
    ) -> Result<Option<SurveyedLight>> {
        let how = self.work.request.how;
        match grid {
            Some(path) => find_reference(path, seen, how.local, context).map(Some),
            None => {
                Ok(seen.get(best_reference(seen.iter(), how.register.unwrap_or_default())).cloned())
            }
        }
    }
}
