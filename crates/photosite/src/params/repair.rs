//! What becomes of defective pixels.

use serde::{Deserialize, Serialize};

/// What becomes of the defective pixels of a light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Repair {
    /// They are made of their healthy neighbours.
    #[default]
    Neighbours,
    /// They have no sample, so that other lights fill them.
    Holes,
}
