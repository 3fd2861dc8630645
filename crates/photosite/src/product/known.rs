//! What earlier work knows of products, so that they are neither made nor read again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use photosite_pix::stat::Summary;

/// Masters and lights by their keys: same key, same bytes.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Masters in the library.
    pub masters: BTreeMap<String, PathBuf>,
    /// Keys of masters that were retired there.
    pub retired: BTreeSet<String>,
    /// What an earlier report of the same folder tells of samples: of a master its own, of a light
    /// those before and after.
    pub summaries: BTreeMap<String, Vec<Summary>>,
}

impl Known {
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
