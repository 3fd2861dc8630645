//! What earlier work knows of products, so that they are neither made nor read again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_file::fits::Clipped;

use crate::Result;
use crate::library::{Library, Life};
use crate::product::{Known, LightResult};
use crate::report::{LightReport, LightRow, RegisteredReport, RunReport, StackReport, StarsReport};

/// Products by their keys: same key, same bytes.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    /// Masters and lights.
    pub known: Known,
    /// Pictures that an earlier account of the same folder tells of.
    stacks: BTreeMap<String, StackReport>,
    /// The lights in them, by where they lie.
    stacked: BTreeMap<PathBuf, StackedLight>,
    /// Their rows in the table of lights.
    table: Vec<LightRow>,
    /// Where in it a light comes first.
    rows: BTreeMap<PathBuf, usize>,
}

/// A light as an earlier report tells of it; `None` where it was not calibrated.
fn result(light: &LightReport) -> Option<LightResult> {
    Some(LightResult {
        path: None,
        key: light.key.clone()?,
        reused: true,
        steps: light.steps.clone(),
        dark_scale: light.dark_scale,
        dark_scale_error: light.dark_scale_error,
        dark_source: light.dark_source?,
        left_of_dark: light.left_of_dark,
        patterns: light.patterns.clone(),
        repaired: light.repaired,
        cosmic: None,
        clipped: Clipped::default(),
        pedestal_adu: None,
        damaged: false,
        before: light.stats_before?,
        after: light.stats_after?,
    })
}

/// What earlier work tells of a light that went into a picture.
#[derive(Debug, Clone)]
pub(super) struct StackedLight {
    pub stars: StarsReport,
    pub registered: RegisteredReport,
    /// How it was calibrated; `None` where that was done to a file.
    pub result: Option<LightResult>,
}

impl Earlier {
    /// From the library, and from the account of an earlier run where there is one that can be read.
    ///
    /// # Errors
    /// When the library cannot be read.
    pub fn read(account: &Path, library: Option<&Library>) -> Result<Self> {
        let mut out = Self::default();
        let masters = library.map(|l| l.list(None)).transpose()?.unwrap_or_default();
        for entry in masters.into_iter().filter(|e| e.is_master) {
            if entry.life == Life::Retired {
                out.known.retired.extend(entry.key);
                continue;
            }
            let path = entry.paths.into_iter().find(|p| p.exists());
            out.known.masters.extend(entry.key.zip(path));
        }
        // A report that cannot be read tells nothing, and is written anew at the end.
        let Ok(told) = RunReport::read(account) else { return Ok(out) };
        let mut stars: BTreeMap<PathBuf, StarsReport> =
            told.stars.into_iter().map(|s| (s.path.clone(), s)).collect();
        let mut places: BTreeMap<PathBuf, RegisteredReport> =
            told.registration.frames.into_iter().map(|r| (r.path.clone(), r)).collect();
        for light in told.lights {
            let path = &light.path;
            if let Some((stars, registered)) = stars.remove(path).zip(places.remove(path)) {
                let result = result(&light);
                out.stacked.insert(path.clone(), StackedLight { stars, registered, result });
            }
            let both = light.stats_before.zip(light.stats_after).map(|(b, a)| vec![b, a]);
            out.known.summaries.extend(light.key.zip(both));
        }
        for (i, row) in told.table.iter().enumerate() {
            out.rows.entry(row.path.clone()).or_insert(i);
        }
        out.table = told.table;
        out.stacks.extend(told.stacks.into_iter().map(|s| (s.key.clone(), s)));
        for master in told.masters {
            out.known.summaries.extend(master.key.zip(master.stats.map(|s| vec![s])));
        }
        Ok(out)
    }

    /// The picture that has this key.
    pub(super) fn stack(&self, key: &str) -> Option<&StackReport> {
        self.stacks.get(key)
    }

    /// The sums of a picture of this name, as they were noted when it was written.
    pub(super) fn sums(&self, path: &Path) -> Option<&[String]> {
        let of_name = |s: &&StackReport| s.path.file_name() == path.file_name();
        let noted = &self.stacks.values().find(of_name)?.sums;
        (!noted.is_empty()).then_some(noted)
    }

    /// The row of the light at `path`.
    pub(super) fn row(&self, path: &Path) -> Option<&LightRow> {
        self.rows.get(path).map(|i| &self.table[*i])
    }

    /// The rows of a picture's lights.
    pub(super) fn rows_of(&self, picture: &str) -> impl Iterator<Item = &LightRow> {
        self.table.iter().filter(move |row| row.picture == picture)
    }

    /// The light at `path`, as it went into a picture.
    pub(super) fn stacked_light(&self, path: &Path) -> Option<&StackedLight> {
        self.stacked.get(path)
    }
}
