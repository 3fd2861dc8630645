//! A shutter that takes time to open and to close.

use photosite_pix::Size;
use serde::{Deserialize, Serialize};

/// What a shutter takes off each exposure, in seconds: as much at the middle as `dead_s`, and more of it where
/// its blades open late and close early.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Shutter {
    /// At the middle.
    pub dead_s: f64,
    /// An iris: what corners lose besides; in proportion to the distance from the middle.
    pub corner_s: f64,
    /// A blade: what the last row loses beside the first.
    pub last_row_s: f64,
}

impl Shutter {
    /// The seconds that are taken off at pixel (x, y).
    pub fn dead_s(&self, (x, y): (usize, usize), size: Size) -> f64 {
        let (w, h) = (size.width as f64, size.height as f64);
        let (dx, dy) = (x as f64 + 0.5 - 0.5 * w, y as f64 + 0.5 - 0.5 * h);
        let radius = ((dx * dx + dy * dy) / (0.25 * (w * w + h * h))).sqrt();
        self.dead_s + self.corner_s * radius + self.last_row_s * dy / h
    }

    /// The share of an exposure that reaches a pixel.
    pub(crate) fn open(&self, at: (usize, usize), size: Size, exposure_s: f64) -> f64 {
        let open = 1.0 - self.dead_s(at, size) / exposure_s;
        if open > 0.0 { open } else { 0.0 }
    }
}
