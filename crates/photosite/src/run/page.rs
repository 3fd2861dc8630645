//! The account of a run as a page: `report.html`.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use photosite_file::atomic::{Existing, write_bytes};

use crate::html::is_ours;
use crate::preview::{Linked, preview_file};
use crate::report::{Pictures, RunReport, StackReport, page};
use crate::{Error, Result};

/// Columns of the pictures in a page.
const WIDTH: usize = 1000;
/// Stacks that are shown with one of their raw lights: a page is no archive.
const COMPARED: usize = 4;

/// Writes the page of the run whose products are in `folder` to `page_path`; an older page of ours is
/// replaced. Pictures that cannot be read are left out.
///
/// # Errors
/// When there is no account of a run, or the page cannot be written: something else stands there, or the
/// operating system refuses.
pub fn write_page(folder: &Path, page_path: &Path) -> Result<PathBuf> {
    let report = RunReport::read(&folder.join("run.json"))?;
    page_of(&report, folder, page_path)?;
    Ok(page_path.to_owned())
}

/// The same of an account at hand.
pub(super) fn page_of(report: &RunReport, folder: &Path, page_path: &Path) -> Result<()> {
    let stands = page_path.symlink_metadata().is_ok();
    if stands && !std::fs::read(page_path).is_ok_and(|bytes| is_ours(&bytes)) {
        return Err(Error::foreign(page_path));
    }
    let stacks = report.stacks.iter().enumerate();
    let pictures: Vec<Pictures> =
        stacks.map(|(i, stack)| pictures(stack, i < COMPARED, folder)).collect();
    let html = page(report, &pictures);
    Ok(write_bytes(page_path, html.as_bytes(), Existing::Replace)?)
}

fn pictures(stack: &StackReport, compared: bool, folder: &Path) -> Pictures {
    // A folder that was moved still holds its stacks.
    let there = |p: &Path| match p.exists() {
        true => Some(p.to_owned()),
        false => Some(folder.join("stacks").join(p.file_name()?)).filter(|p| p.exists()),
    };
    let shown = |path: PathBuf| -> Option<String> {
        let room = tempfile::tempdir().ok()?;
        let png = room.path().join("picture.png");
        preview_file(&path, &png, Some(WIDTH), Linked::default()).ok()?;
        Some(STANDARD.encode(std::fs::read(&png).ok()?))
    };
    let made = || {
        let png = there(&stack.path.with_extension("png"))?;
        Some(STANDARD.encode(std::fs::read(png).ok()?))
    };
    Pictures {
        raw: there(&stack.reference).filter(|_| compared).and_then(shown),
        stack: made().or_else(|| there(&stack.path).and_then(shown)),
    }
}
