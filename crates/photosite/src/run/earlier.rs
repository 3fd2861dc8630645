//! What earlier work knows of products, so that they are neither made nor read again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_file::fits::Clipped;
use photosite_pix::stat::Summary;
use serde::Deserialize;

use crate::library::{Library, Life};
use crate::product::{Known, LightResult};
use crate::report::{RegisteredReport, StackReport, StarsReport};
use crate::{Result, report};

/// Products by their keys: same key, same bytes.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    /// Masters and lights.
    pub known: Known,
    /// Pictures that an earlier account of the same folder tells of.
    stacks: BTreeMap<String, StackReport>,
    /// The lights in them, by where they lie.
    stacked: BTreeMap<PathBuf, StackedLight>,
}

/// As much of an account as is of use; all else in it is passed over.
#[derive(Deserialize)]
struct Account {
    schema: String,
    masters: Vec<Told>,
    lights: Vec<Told>,
    #[serde(default)]
    stars: Vec<StarsReport>,
    #[serde(default)]
    registration: Registered,
    #[serde(default)]
    stacks: Vec<StackReport>,
}

#[derive(Default, Deserialize)]
struct Registered {
    frames: Vec<RegisteredReport>,
}

#[derive(Deserialize)]
struct Told {
    path: PathBuf,
    #[serde(default)]
    steps: Vec<String>,
    dark_scale: Option<f64>,
    #[serde(default)]
    repaired: usize,
    key: Option<String>,
    stats: Option<Summary>,
    stats_before: Option<Summary>,
    stats_after: Option<Summary>,
}

impl Told {
    /// The light as it was calibrated; `None` for what is no light.
    fn result(&self) -> Option<LightResult> {
        Some(LightResult {
            path: None,
            key: self.key.clone()?,
            reused: true,
            steps: self.steps.clone(),
            dark_scale: self.dark_scale,
            repaired: self.repaired,
            clipped: Clipped::default(),
            pedestal_adu: None,
            damaged: false,
            before: self.stats_before?,
            after: self.stats_after?,
        })
    }
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
        // An account that cannot be read tells nothing, and is written anew at the end.
        let told = std::fs::read(account).ok();
        let told = told.and_then(|json| serde_json::from_slice::<Account>(&json).ok());
        let Some(told) = told.filter(|t| t.schema == report::SCHEMA) else { return Ok(out) };
        let mut stars: BTreeMap<PathBuf, StarsReport> =
            told.stars.into_iter().map(|s| (s.path.clone(), s)).collect();
        let mut places: BTreeMap<PathBuf, RegisteredReport> =
            told.registration.frames.into_iter().map(|r| (r.path.clone(), r)).collect();
        for light in &told.lights {
            let path = &light.path;
            if let Some((stars, registered)) = stars.remove(path).zip(places.remove(path)) {
                let result = light.result();
                out.stacked.insert(path.clone(), StackedLight { stars, registered, result });
            }
        }
        out.stacks.extend(told.stacks.into_iter().map(|s| (s.key.clone(), s)));
        for t in told.masters.into_iter().chain(told.lights) {
            let summaries: Option<Vec<Summary>> = match (t.stats, t.stats_before, t.stats_after) {
                (Some(own), None, None) => Some(vec![own]),
                (None, Some(before), Some(after)) => Some(vec![before, after]),
                _ => None,
            };
            out.known.summaries.extend(t.key.zip(summaries));
        }
        Ok(out)
    }

    /// The picture that has this key.
    pub(super) fn stack(&self, key: &str) -> Option<&StackReport> {
        self.stacks.get(key)
    }

    /// The light at `path`, as it went into a picture.
    pub(super) fn stacked_light(&self, path: &Path) -> Option<&StackedLight> {
        self.stacked.get(path)
    }
}
