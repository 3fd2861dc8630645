//! Masters of a night, kept in the library for the nights to come.

use std::path::Path;
use std::sync::Mutex;

use photosite_file::atomic::{Existing, copy_file};

use super::results::MasterResults;
use photosite_pix::{Plane, stat};

use crate::finding::Severity;
use crate::library::{
    Adopted, Candidate, DarkCurrent, HOTTEST_SHARE, Level, Library, Life, Record, Shelf, adopt,
    choose, master_file_name,
};
use crate::open::{probe, read_frame};
use crate::plan::{MasterPlan, Plan};
use crate::product::{Known, LoadedMaster, MasterResult, Standing, load_master, standing};
use crate::provenance::{ContentHash, FileMark};
use crate::succession::{COMPARING_BYTES, Change};
use crate::work::{Context, for_each};
use crate::{Error, Finding, Result};

/// Puts the masters that the library does not have into it; returns their names and what was found
/// by comparing each newly made one with the one it follows.
///
/// # Errors
/// When a master cannot be copied or the index cannot be written.
pub fn keep_masters(
    library: &mut Library,
    planned: &Plan,
    results: &MasterResults,
    known: &Known,
    context: &Context<'_>,
) -> Result<(Vec<String>, Vec<Finding>)> {
    let shelf = library.shelf()?;
    let new: Vec<(&MasterPlan, &MasterResult, &str)> = planned
        .masters
        .iter()
        .zip(results.iter())
        .filter_map(|(plan, result)| {
            let result = result.filter(|r| !r.from_library && plan.level_of.is_none())?;
            let key = result.key.as_deref().filter(|key| known.master(key).is_none())?;
            Some((plan, result, key)).filter(|_| !known.is_retired(key))
        })
        .collect();
    let retired: Vec<Finding> = results
        .iter()
        .flatten()
        .filter(|r| r.key.as_deref().is_some_and(|key| known.is_retired(key)))
        .map(|r| {
            Finding::new(
                "master-retired",
                Severity::Warning,
                r.path.display().to_string(),
                "this master was retired in the library, but was made again from the night's own \
                 frames",
            )
            .hint("Leave those frames out of the night, or certify the master again.")
        })
        .collect();
    let before: Vec<Option<&Path>> =
        new.iter().map(|(plan, result, key)| predecessor(&shelf, plan, result, key)).collect();
    let folder = library.masters_folder();
    type Kept = (Record, Option<Finding>);
    let slots: Vec<Mutex<Option<Kept>>> = new.iter().map(|_| Mutex::new(None)).collect();
    let context = &Context { threads: at_once(&new, context), ..*context };
    for_each(
        new.len(),
        context,
        || (),
        |(), i| {
            let (plan, result, key) = new[i];
            let target = folder.join(master_file_name(plan.kind, &plan.traits, key));
            if standing(&target, key)? != Standing::Current {
                copy_file(&result.path, &target, Existing::Replace)?;
            }
            let finding = match before[i] {
                Some(old) => changed(&target, old, result)?,
                None => None,
            };
            let kept = (master_record(&target)?, finding);
            *slots[i].lock().expect("no holder panics") = Some(kept);
            Ok(())
        },
    )?;
    drop(shelf);
    let kept: Vec<Kept> =
        slots.into_iter().filter_map(|s| s.into_inner().expect("no holder panics")).collect();
    let (records, findings): (Vec<Record>, Vec<Option<Finding>>) = kept.into_iter().unzip();
    library.add(&records)?;
    let name = |r: &Record| r.path.file_name().map(|n| n.to_string_lossy().into_owned());
    let findings = findings.into_iter().flatten().chain(retired).collect();
    Ok((records.iter().filter_map(name).collect(), findings))
}

/// How many masters are read at once within the memory allowed.
fn at_once(masters: &[(&MasterPlan, &MasterResult, &str)], context: &Context<'_>) -> usize {
    let pixels = masters.iter().map(|(plan, ..)| plan.traits.size.pixels() as u64).max();
    let fits = context.memory_bytes / (pixels.unwrap_or(1).max(1) * COMPARING_BYTES);
    usize::try_from(fits).unwrap_or(1).clamp(1, context.threads)
}

/// The record of a master in the library's own folder.
///
/// # Errors
/// When it cannot be read, or is no master.
pub fn master_record(path: &Path) -> Result<Record> {
    let probe = probe(path)?;
    match adopt(path, &probe, None) {
        Some(Ok(master)) => {
            let mark = FileMark::of(path)?;
            Ok(record_of(path, &master, (mark, &load_master(path)?)))
        }
        Some(Err(finding)) => Err(Error::library(finding.message)),
        None => Err(Error::library(format!("{} is not a master", path.display()))),
    }
}

/// The record of a master that was read after its file was looked at.
pub fn record_of(
    path: &Path,
    master: &Adopted,
    (mark, loaded): (FileMark, &LoadedMaster),
) -> Record {
    Record::master(path, master, loaded.hash, mark, level_of(&loaded.frame.data))
}

/// Describes a master's samples; NaN do not count.
fn level_of(data: &Plane<f32>) -> Level {
    let known: Vec<f32> = data.as_slice().iter().copied().filter(|v| v.is_finite()).collect();
    if known.is_empty() {
        return Level { median_adu: 0.0, hot_adu: 0.0 };
    }
    let (median, mad) = stat::median_mad(&known);
    let noise_adu = stat::MAD_TO_SIGMA * f64::from(mad);
    // Of the usual pixels the noise is half above the median.
    let above = known.iter().map(|v| f64::from((v - median).max(0.0)).powi(2)).sum::<f64>();
    let hot_adu2 = above / known.len() as f64 - noise_adu.powi(2) / 2.0;
    let hot_adu = (hot_adu2.max(0.0) / HOTTEST_SHARE).sqrt();
    Level { median_adu: f64::from(median), hot_adu }
}

/// How near in temperature two masters are compared, in degrees: coolers hold their set point within
/// this, and what differs more differs by that.
const ONE_WARMTH_C: f64 = 0.5;

/// The master of the library that a newly made one follows.
fn predecessor<'a>(
    shelf: &'a Shelf<'_>,
    plan: &MasterPlan,
    result: &MasterResult,
    key: &str,
) -> Option<&'a Path> {
    // One that was found in its place was compared when it was made.
    if result.reused {
        return None;
    }
    let masters: Vec<_> = shelf
        .of_kind(plan.kind)
        .iter()
        .filter(|s| s.is_master && s.life != Life::Retired && s.key.as_deref() != Some(key))
        .collect();
    // A certificate's dates are for lights, not for those who come after.
    let pool: Vec<Candidate<'_>> =
        masters.iter().map(|s| Candidate { life: &Life::Proposed, ..s.candidate(true) }).collect();
    let choice = choose(plan.kind, &plan.traits, &pool, &DarkCurrent::default(), 0);
    let before = masters[choice.chosen()?];
    let apart_c = plan.traits.temp_c.zip(before.traits.temp_c).map(|(a, b)| (a - b).abs());
    before.path.as_deref().filter(|_| apart_c.is_none_or(|c| c <= ONE_WARMTH_C))
}

/// A Finding where a new master differs from the one it follows.
fn changed(new: &Path, old: &Path, result: &MasterResult) -> Result<Option<Finding>> {
    let (frame, _) = read_frame(new)?;
    let Ok((before, _)) = read_frame(old) else { return Ok(None) };
    let Some(change) = Change::between(&frame, &before) else { return Ok(None) };
    // Half of what one frame scatters: a light would hardly show less.
    let reach_adu = 0.5 * result.stats.noise * (result.inputs.len() as f64).sqrt();
    let clauses = change.clauses(reach_adu);
    if clauses.is_empty() {
        return Ok(None);
    }
    let name = old.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    Ok(Some(
        Finding::new(
            "master-changed",
            Severity::Warning,
            result.path.display().to_string(),
            format!("this master differs from its predecessor {name}: {}", clauses.join("; ")),
        )
        .hint("Inspect both, then retire the wrong one: photosite library retire ID.")
        .with("level_adu", change.level_adu)
        .with("scatter_adu", change.scatter_adu)
        .with("expected_adu", change.expected_adu)
        .with("new_hot", change.new_hot)
        .with("old_hot", change.old_hot)
        .with("predecessor", ContentHash::of_file(old)?.to_string()),
    ))
}

#[cfg(test)]
mod tests {
    use photosite_pix::Size;

    use super::*;

    /// However many pixels are hot, what they leave is counted as a root mean square over all.
    #[test]
    fn hot_pixels_count_by_what_they_leave() {
        for share in [5e-4, 2e-3, 4e-3, 2e-2] {
            let (mut state, mut squares) = (7u64, 0.0);
            let mut unit = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 11) as f64 / (1u64 << 53) as f64
            };
            let size = Size::new(600, 500);
            let data = Plane::from_fn(size, |_, _| {
                let noise = (0..12).map(|_| unit()).sum::<f64>() - 6.0;
                let hot = if unit() < share { -300.0 * (1.0 - unit()).ln() } else { 0.0 };
                squares += hot * hot;
                (500.0 + 2.0 * noise + hot) as f32
            });
            let truth = (squares / size.pixels() as f64).sqrt();
            let found = level_of(&data).hot_adu * HOTTEST_SHARE.sqrt();
            println!("{share}: {found:.2} of {truth:.2} ADU");
            assert!((found / truth - 1.0).abs() < 0.05, "{share}: {found} of {truth}");
        }
    }
}
