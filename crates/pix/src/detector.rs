//! The detector as a frame shows it: which pixels see light, which follow the level, where samples
//! end.

use serde::{Deserialize, Serialize};

use crate::{Gain, Metadata, Rect, Size};

/// A part of the sensor that is read out through one output.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Amplifier {
    /// Its pixels, in the frame.
    pub region: Rect,
    /// Electrons per ADU, where known.
    pub gain: Option<Gain>,
    /// Read noise in electrons, one standard deviation, where known.
    pub read_noise_e: Option<f64>,
}

/// The detector of a frame.
///
/// All regions lie inside `size`; what a header names beyond it is not taken over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Detector {
    /// Width and height as stored.
    pub size: Size,
    /// The part that sees light, and is used.
    pub active: Rect,
    /// Columns and rows behind the last pixel, which follow the level of the electronics.
    pub overscan: Vec<Rect>,
    /// Masked pixels, which follow the level and the dark current.
    pub optical_black: Vec<Rect>,
    /// The outputs, where they are known; none is one output for all.
    pub amplifiers: Vec<Amplifier>,
    /// Bits of the converter, where they are known.
    pub adc_bits: Option<u8>,
    /// The raw level in ADU from which a sample counts as saturated.
    pub saturation_adu: Option<f32>,
}

impl Detector {
    /// A detector that is used whole and of which nothing else is known.
    pub fn whole(size: Size) -> Self {
        Self {
            size,
            active: size.rect(),
            overscan: Vec::new(),
            optical_black: Vec::new(),
            amplifiers: Vec::new(),
            adc_bits: None,
            saturation_adu: None,
        }
    }

    /// The detector of a frame of `size` as its header tells.
    ///
    /// The area that sees light is used where the header names one that fits, else all of the frame;
    /// an overscan that does not fit makes both doubtful, and neither is used.
    pub fn of(metadata: &Metadata, size: Size) -> Self {
        let mut detector = Self::whole(size);
        detector.saturation_adu = metadata.saturation_adu.map(|v| v as f32);
        match (metadata.overscan, metadata.active_area) {
            (None, Some(active)) if active.fits(size) => detector.active = active,
            (Some(over), Some(active)) if active.fits(size) && over.fits(size) => {
                detector.active = active;
                if active != size.rect() {
                    detector.overscan.push(over);
                }
            }
            _ => {}
        }
        detector
    }

    /// Whether a part of the frame is not used.
    pub fn is_trimmed(&self) -> bool {
        self.active != self.size.rect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_that_do_not_fit_are_not_used() {
        let size = Size::new(100, 50);
        let of = |overscan: Option<Rect>, active: Option<Rect>| {
            let metadata = Metadata { overscan, active_area: active, ..Metadata::default() };
            Detector::of(&metadata, size)
        };
        let active = Rect::new(0, 0, 90, 50);
        let both = of(Some(Rect::new(90, 0, 10, 50)), Some(active));
        assert_eq!((both.active, both.overscan.len()), (active, 1));
        assert!(both.is_trimmed());
        let outside = of(Some(Rect::new(90, 0, 20, 50)), Some(active));
        assert_eq!((outside.active, outside.overscan.len()), (size.rect(), 0));
        assert_eq!(of(None, Some(active)).active, active);
        assert!(!of(Some(Rect::new(90, 0, 10, 50)), None).is_trimmed());
    }
}
