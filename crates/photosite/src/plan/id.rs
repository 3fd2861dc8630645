//! What masters and lights of a plan are named by.

use std::ops::Index;

use super::{LightPlan, MasterPlan, Plan};
use crate::inventory::{Id, id};

id! {
    /// A master of a [`Plan`], which gives it for its name: `plan[id]`.
    MasterId
}

id! {
    /// A light of a [`Plan`], which gives it for its name: `plan[id]`.
    LightId
}

impl Plan {
    /// The masters with their names, in the order in which they are made.
    pub fn named_masters(&self) -> impl Iterator<Item = (MasterId, &MasterPlan)> {
        self.masters.iter().enumerate().map(|(i, master)| (MasterId::at(i), master))
    }

    /// The lights with their names, in the order of the inventory.
    pub fn named_lights(&self) -> impl Iterator<Item = (LightId, &LightPlan)> {
        self.lights.iter().enumerate().map(|(i, light)| (LightId::at(i), light))
    }
}

impl Index<MasterId> for Plan {
    type Output = MasterPlan;

    fn index(&self, id: MasterId) -> &MasterPlan {
        &self.masters[id.place()]
    }
}

impl Index<LightId> for Plan {
    type Output = LightPlan;

    fn index(&self, id: LightId) -> &LightPlan {
        &self.lights[id.place()]
    }
}
