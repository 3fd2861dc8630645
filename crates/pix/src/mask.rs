//! What is known against a pixel.

use serde::{Deserialize, Serialize};

bitflags::bitflags! {
    /// The state of one pixel; no bit set means nothing is known against it.
    ///
    /// The numbers are a file format (the DQ extension): they are never reused.
    #[derive(
        Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, bytemuck::Zeroable,
    )]
    pub struct MaskBits: u16 {
        /// The raw sample stood at or above the saturation level.
        const SATURATED = 1;
        /// Far above its surroundings in the dark or the flat.
        const HOT = 1 << 1;
        /// Above its surroundings in the dark, yet linear enough to be subtracted.
        const WARM = 1 << 2;
        /// Far below its surroundings in the flat or the dark.
        const COLD = 1 << 3;
        /// Not the same from frame to frame (random telegraph signal).
        const UNSTABLE = 1 << 4;
        /// Hit by a cosmic ray, as the light itself shows.
        const COSMIC = 1 << 5;
        /// No sample was known: blank, not finite, or without a usable flat.
        const NO_DATA = 1 << 6;
        /// The value was made from neighbours.
        const INTERPOLATED = 1 << 7;
        /// Outside the part of the sensor that sees light.
        const EDGE = 1 << 8;
        /// Usable, with a doubt; in defect maps, and in lights calibrated with one, a pixel whose response
        /// bends, which is repaired.
        const SUSPECT = 1 << 9;
    }
}

impl MaskBits {
    /// The bits that make a sample's value unfit for statistics and for combining.
    pub const BAD: Self = Self::SATURATED
        .union(Self::HOT)
        .union(Self::COLD)
        .union(Self::UNSTABLE)
        .union(Self::COSMIC)
        .union(Self::NO_DATA);

    /// True when nothing of the light is known at the pixel, so that its value serves neither its
    /// neighbours nor a stack. One that was hit or hot is no hole once it was repaired.
    pub fn is_hole(self) -> bool {
        let unrepaired = Self::HOT | Self::COLD | Self::UNSTABLE | Self::COSMIC;
        self.intersects(Self::NO_DATA | Self::EDGE)
            || (self.intersects(unrepaired) && !self.contains(Self::INTERPOLATED))
    }

    /// True when the value measures light: no bit of [`MaskBits::BAD`] is set.
    pub fn is_good(self) -> bool {
        !self.intersects(Self::BAD)
    }
}
