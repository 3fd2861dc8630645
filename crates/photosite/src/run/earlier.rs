//! What earlier work knows of products, so that they are neither made nor read again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use photosite_pix::stat::Summary;
use serde::Deserialize;

use crate::library::{Library, Life};
use crate::{Result, report};

/// Products by their keys: same key, same bytes.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    /// Masters in the library.
    masters: BTreeMap<String, PathBuf>,
    /// Masters that were retired there.
    retired: BTreeSet<String>,
    /// What an earlier account of the same folder tells of samples: of a master its own, of a light
    /// those before and after.
    summaries: BTreeMap<String, Vec<Summary>>,
}

/// As much of an account as is of use; all else in it is passed over.
#[derive(Deserialize)]
struct Account {
    schema: String,
    masters: Vec<Told>,
    lights: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    key: Option<String>,
    stats: Option<Summary>,
    stats_before: Option<Summary>,
    stats_after: Option<Summary>,
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
                out.retired.extend(entry.key);
                continue;
            }
            let path = entry.paths.into_iter().find(|p| p.exists());
            out.masters.extend(entry.key.zip(path));
        }
        // An account that cannot be read tells nothing, and is written anew at the end.
        let told = std::fs::read(account).ok();
        let told = told.and_then(|json| serde_json::from_slice::<Account>(&json).ok());
        for t in told
            .filter(|t| t.schema == report::SCHEMA)
            .map_or_else(Vec::new, |t| t.masters.into_iter().chain(t.lights).collect())
        {
            let summaries: Option<Vec<Summary>> = match (t.stats, t.stats_before, t.stats_after) {
                (Some(own), None, None) => Some(vec![own]),
                (None, Some(before), Some(after)) => Some(vec![before, after]),
                _ => None,
            };
            out.summaries.extend(t.key.zip(summaries));
        }
        Ok(out)
    }

    /// The master of the library that has this key.
    pub fn master(&self, key: &str) -> Option<&Path> {
        self.masters.get(key).map(PathBuf::as_path)
    }

    /// Whether the master that has this key was retired.
    pub fn is_retired(&self, key: &str) -> bool {
        self.retired.contains(key)
    }

    /// The description of the master that has this key.
    pub fn of_master(&self, key: &str) -> Option<Summary> {
        match self.summaries.get(key).map(Vec::as_slice) {
            Some([own]) => Some(*own),
            _ => None,
        }
    }

    /// The descriptions of the light that has this key, raw and calibrated.
    pub fn of_light(&self, key: &str) -> Option<(Summary, Summary)> {
        match self.summaries.get(key).map(Vec::as_slice) {
            Some([before, after]) => Some((*before, *after)),
            _ => None,
        }
    }
}
