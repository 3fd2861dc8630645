//! Which defect map each light of a night is calibrated with.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::plan::LightId;
use crate::product::LoadedMap;

/// The defect maps of a night, and which of them each light is calibrated with.
#[derive(Debug, Default)]
pub(super) struct Maps {
    all: Vec<Arc<LoadedMap>>,
    of: BTreeMap<LightId, usize>,
}

impl Maps {
    /// All of them.
    pub(super) fn all(&self) -> &[Arc<LoadedMap>] {
        &self.all
    }

    /// Which one is a light's.
    pub(super) fn of(&self, light: LightId) -> Option<usize> {
        self.of.get(&light).copied()
    }

    /// What the map of a light holds.
    pub(super) fn hash_of(&self, light: LightId) -> Option<String> {
        self.of(light).map(|at| self.all[at].hash.to_string())
    }

    /// Gives lights a map.
    pub(super) fn add(&mut self, map: LoadedMap, lights: impl IntoIterator<Item = LightId>) {
        let at = self.all.len();
        self.all.push(Arc::new(map));
        self.of.extend(lights.into_iter().map(|light| (light, at)));
    }
}
