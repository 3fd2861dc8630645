//! Registration of frames by their stars.
//!
//! Triangles of neighbouring stars are compared by their shape, which shift, rotation and scale
//! leave alone. What many pairs of triangles agree on is tried on all stars, and believed only when
//! chance would not bring so many stars together. Then the transform is refined, and the simplest
//! model that the evidence asks for is kept.

mod asterism;
mod few;
mod fit;
mod follow;
mod grid;
mod register;
mod transform;

#[cfg(test)]
pub(crate) use fit::fit;

pub use follow::{coincident, follow};
pub use register::{Alignment, Registration, Rules, register};
pub use transform::{Model, Transform};

/// A position in pixels: column and row, 0-based, the first pixel's centre at 0.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Point {
    /// Column.
    pub x: f64,
    /// Row.
    pub y: f64,
}

impl Point {
    /// A point from its column and row.
    pub const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    /// The distance to another point in pixels.
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}
