//! Sizes and regions.

use serde::{Deserialize, Serialize};

/// The width and height of an image in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Size {
    /// Pixels along x, the fast axis.
    pub width: usize,
    /// Pixels along y, the slow axis.
    pub height: usize,
}

impl Size {
    /// A size of `width` by `height` pixels.
    pub const fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }

    /// The number of pixels; saturates rather than wraps on absurd sizes.
    pub const fn pixels(self) -> usize {
        self.width.saturating_mul(self.height)
    }

    /// The region that covers the whole image.
    pub const fn rect(self) -> Rect {
        Rect { x0: 0, y0: 0, x1: self.width, y1: self.height }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A half-open, 0-based region: `x0 <= x < x1`, `y0 <= y < y1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rect {
    /// First column.
    pub x0: usize,
    /// First row.
    pub y0: usize,
    /// One past the last column.
    pub x1: usize,
    /// One past the last row.
    pub y1: usize,
}

impl Rect {
    /// A region from its upper left corner and its size.
    pub const fn new(x0: usize, y0: usize, width: usize, height: usize) -> Self {
        Self { x0, y0, x1: x0.saturating_add(width), y1: y0.saturating_add(height) }
    }

    /// Columns covered; 0 when the region is empty.
    pub const fn width(self) -> usize {
        self.x1.saturating_sub(self.x0)
    }

    /// Rows covered; 0 when the region is empty.
    pub const fn height(self) -> usize {
        self.y1.saturating_sub(self.y0)
    }

    /// The size of the region.
    pub const fn size(self) -> Size {
        Size { width: self.width(), height: self.height() }
    }

    /// True when no pixel is covered.
    pub const fn is_empty(self) -> bool {
        self.width() == 0 || self.height() == 0
    }

    /// The part of the region inside an image of `size`.
    pub fn clipped(self, size: Size) -> Self {
        Self {
            x0: self.x0.min(size.width),
            y0: self.y0.min(size.height),
            x1: self.x1.min(size.width),
            y1: self.y1.min(size.height),
        }
    }

    /// The pixels that both regions cover; empty where they are apart.
    pub fn common(self, other: Self) -> Self {
        let (x0, y0) = (self.x0.max(other.x0), self.y0.max(other.y0));
        let (x1, y1) = (self.x1.min(other.x1).max(x0), self.y1.min(other.y1).max(y0));
        Self { x0, y0, x1, y1 }
    }

    /// The region as seen from the first pixel of `frame`, which it lies in.
    pub fn within(self, frame: Self) -> Self {
        let (x, y) = (frame.x0, frame.y0);
        Self { x0: self.x0 - x, y0: self.y0 - y, x1: self.x1 - x, y1: self.y1 - y }
    }

    /// True when every pixel of the region lies inside an image of `size`.
    pub fn fits(self, size: Size) -> bool {
        !self.is_empty() && self.x1 <= size.width && self.y1 <= size.height
    }
}

impl std::fmt::Display for Rect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "x {}..{}, y {}..{}", self.x0, self.x1, self.y0, self.y1)
    }
}
