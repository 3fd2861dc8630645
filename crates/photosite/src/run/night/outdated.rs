//! Stacks of former runs: those that this one supersedes, and what shows those that it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use photosite_file::is_ours;

use crate::finding::Severity;
use crate::preview::{Linked, is_whole, preview_file};
use crate::product::{Standing, is_product, replaced, standing};
use crate::{Error, Finding, Result, provenance};

/// Stacks of Photosite's that stand beside those of this run, made of fewer or other lights; with `tidy`
/// those that a former run made and nobody changed are removed.
pub(super) fn outdated(folder: &Path, made: &BTreeSet<PathBuf>, tidy: bool) -> Vec<Finding> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let stem = |path: &Path| {
        let name = path.file_stem()?.to_str()?;
        name.rsplit_once('_').map(|(stem, _)| stem.to_owned())
    };
    let stems: BTreeMap<String, &PathBuf> =
        made.iter().filter_map(|path| Some((stem(path)?, path))).collect();
    let mut old: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|x| x == "fits") && !made.contains(p))
        .filter(|p| is_product(p))
        .collect();
    old.sort();
    let finding = |path: &PathBuf| {
        let new = stems.get(&stem(path)?)?.file_name().unwrap_or_default().to_string_lossy();
        let older = format!("an older stack of this target and filter; this run made {new}");
        let (message, hint) = match tidy.then(|| removed(path)) {
            None => (older, "--tidy removes it, unless somebody changed it."),
            Some(Ok(true)) => (format!("{older}; it was removed"), ""),
            Some(Ok(false)) => (
                format!("{older}; it stays: no run made it as it stands there"),
                "Delete it if it is no longer wanted.",
            ),
            Some(Err(e)) => (format!("{older}; it could not be removed: {e}"), "Delete it."),
        };
        let subject = path.display().to_string();
        Some(Finding::new("stack-outdated", Severity::Info, subject, message).hint(hint))
    };
    old.iter().filter_map(finding).collect()
}

/// Removes a stack and what it shows, if a run made both and nobody changed them; tells whether it did.
fn removed(path: &Path) -> Result<bool> {
    let Ok(told) = provenance::read(path) else { return Ok(false) };
    // A stack of named files has no grid that other lights may have chosen.
    let of_a_run = told.product == "stacked light" && told.parameters.get("grid").is_some();
    if !of_a_run || standing(path, &told.key())? != Standing::Current {
        return Ok(false);
    }
    let remove = |path: &Path| {
        std::fs::remove_file(path).map_err(|e| Error::io(path, "removing the file", e))
    };
    let png = path.with_extension("png");
    if png.is_file() && is_ours(&png)? && is_whole(&png) {
        remove(&png)?;
    }
    remove(path)?;
    Ok(true)
}

/// Draws what a stack shows again where that is gone or damaged; tells of it, and of a foreign file there.
pub(super) fn seen_again(stack: &Path) -> Result<Option<Finding>> {
    let png = stack.with_extension("png");
    let there = png.symlink_metadata().is_ok();
    if there && !is_ours(&png)? {
        return Ok(Some(Finding::of(&Error::foreign(&png), png.display().to_string())));
    }
    if there && is_whole(&png) {
        return Ok(None);
    }
    preview_file(stack, &png, None, Linked::No)?;
    Ok(there.then(|| replaced(&png)))
}
