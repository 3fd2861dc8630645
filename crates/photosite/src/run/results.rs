//! What was done so far, for each frame, master and light of the plan.

use crate::product::{LightResult, MasterResult};
use crate::raw::RawFrame;
use crate::report::{RegisteredReport, StackReport, StarsReport};

/// A raw frame for each frame of the inventory; `None` where it could not be read.
pub(super) type RawFrames = Vec<Option<RawFrame>>;

/// A result for each planned light; `None` where there is none.
pub(super) type LightResults = Vec<Option<LightResult>>;

/// A result for each planned master; `None` where it could not be made.
pub(super) type MasterResults = Vec<Option<MasterResult>>;

/// What came of a night's pictures.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    /// The pictures.
    pub stacks: Vec<StackReport>,
    /// The stars of each light.
    pub stars: Vec<StarsReport>,
    /// Where each light lies.
    pub registered: Vec<RegisteredReport>,
}
