//! The switches of the model.

use serde::{Deserialize, Serialize};

bitflags::bitflags! {
    /// The effects that a simulation contains; what is not set is absent to the last bit.
    ///
    /// Flats are lit by their lamp whatever is set, and the conversion gain always applies.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
    pub struct Effects: u32 {
        /// The converter's constant offset.
        const OFFSET = 1;
        /// Fixed column and row pattern and a gentle gradient of the bias.
        const BIAS_STRUCTURE = 1 << 1;
        /// Gaussian noise of the read-out.
        const READ_NOISE = 1 << 2;
        /// Dark current with its spread from pixel to pixel (DSNU).
        const DARK_CURRENT = 1 << 3;
        /// A few pixels with far more dark current.
        const HOT_PIXELS = 1 << 4;
        /// A glow from one corner that does not grow linearly with exposure.
        const AMP_GLOW = 1 << 5;
        /// Each frame's sensor temperature differs from the set point.
        const TEMPERATURE_DRIFT = 1 << 6;
        /// Pixel response non-uniformity.
        const PRNU = 1 << 7;
        /// Less light towards the corners.
        const VIGNETTING = 1 << 8;
        /// Ring-shaped shadows of dust.
        const DUST = 1 << 9;
        /// Stars.
        const STARS = 1 << 10;
        /// An even sky background.
        const SKY = 1 << 11;
        /// A sky background that rises to one corner, on top of the even one.
        const SKY_GRADIENT = 1 << 12;
        /// Cosmic rays, in every kind of frame.
        const COSMIC_RAYS = 1 << 13;
        /// A satellite's trail in some lights.
        const TRAIL = 1 << 14;
        /// The star field stands elsewhere in each light.
        const DITHER = 1 << 15;
        /// Poisson noise of photo-electrons and dark electrons; without it, expectations.
        const POISSON = 1 << 16;
        /// Full well, rounding to whole ADU, and clipping at 0 and at the converter's top.
        const QUANTISATION = 1 << 17;
        /// The sensor subtracts the mean dark signal that its masked pixels see.
        const BLACK_CLAMP = 1 << 18;
        /// Colour filters over the pixels, where the sensor has an array of them.
        const BAYER = 1 << 19;
        /// The optics bring the corners nearer to their axis, which lies beside the middle.
        const DISTORTION = 1 << 20;
        /// Each light is turned a little.
        const ROTATION = 1 << 21;
        /// From the middle of the lights on they stand on their heads: the mount has flipped.
        const FLIP = 1 << 22;
        /// Some pixels respond too little.
        const COLD_PIXELS = 1 << 23;
        /// Some pixels have somewhat more dark current.
        const WARM_PIXELS = 1 << 24;
        /// Some pixels jump between levels from frame to frame (random telegraph signal).
        const TELEGRAPH = 1 << 25;
        /// Columns, and parts of some, are hot or dead.
        const BAD_COLUMNS = 1 << 26;
        /// Hot pixels in clusters.
        const CLUSTERS = 1 << 27;
        /// The response of some pixels bends.
        const BENT_PIXELS = 1 << 28;
        /// A periodic pattern from outside of the sensor, in another phase in each frame.
        const INTERFERENCE = 1 << 29;
        /// A shutter that takes some time off each exposure, more of it from some places than from others.
        const SHUTTER = 1 << 30;
        /// Some pixels hold charge after they were full.
        const HOLDING_PIXELS = 1 << 31;
    }
}

impl Effects {
    /// No effect at all.
    pub const fn none() -> Self {
        Self::empty()
    }

    /// The faults of single pixels, columns and clusters beside hot pixels; no preset has them.
    pub const FAULTY: Self = Self::COLD_PIXELS
        .union(Self::WARM_PIXELS)
        .union(Self::TELEGRAPH)
        .union(Self::BAD_COLUMNS)
        .union(Self::CLUSTERS)
        .union(Self::BENT_PIXELS)
        .union(Self::HOLDING_PIXELS);
}
