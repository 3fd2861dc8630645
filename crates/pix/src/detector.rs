//! The detector as a frame shows it: which pixels see light, which follow the level, where samples
//! end.

use serde::{Deserialize, Serialize};

use crate::overscan::OverscanMethod;
use crate::{Gain, Metadata, NoiseModel, Rect, Size};

/// A part of the sensor that is read out through one output.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Amplifier {
    /// Its pixels, in the frame.
    pub region: Rect,
    /// The pixels without light that follow its level, where it has some.
    #[serde(default)]
    pub overscan: Option<Rect>,
    /// Electrons per ADU, where known.
    pub gain: Option<Gain>,
    /// Read noise in electrons, one standard deviation, where known.
    pub read_noise_e: Option<f64>,
    /// The raw level in ADU from which its samples count as saturated or no longer follow the light,
    /// where known.
    #[serde(default)]
    pub saturation_adu: Option<f64>,
}

impl Amplifier {
    /// Gain and read noise, where both are known.
    pub fn noise(&self) -> Option<NoiseModel> {
        NoiseModel::new(self.gain?.e_per_adu(), self.read_noise_e?)
    }
}

/// Pixels without light, and the pixels whose level they tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overscan {
    /// Columns and rows behind the last pixel, or masked ones.
    pub source: Rect,
    /// The pixels that the level is taken off.
    pub target: Rect,
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
    pub overscan: Vec<Overscan>,
    /// How its level is found.
    #[serde(default)]
    pub overscan_method: OverscanMethod,
    /// Masked pixels, which follow the level and the dark current.
    pub optical_black: Vec<Rect>,
    /// The outputs, where they are known; none is one output for all.
    pub amplifiers: Vec<Amplifier>,
    /// Bits of the converter, where they are known.
    pub adc_bits: Option<u8>,
    /// The raw level in ADU from which a sample counts as saturated; the lowest of all outputs.
    pub saturation_adu: Option<f32>,
}

impl Detector {
    /// A detector that is used whole and of which nothing else is known.
    pub fn whole(size: Size) -> Self {
        Self {
            size,
            active: size.rect(),
            overscan: Vec::new(),
            overscan_method: OverscanMethod::Auto,
            optical_black: Vec::new(),
            amplifiers: Vec::new(),
            adc_bits: None,
            saturation_adu: None,
        }
    }

    /// The detector of a frame of `size` as its header tells.
    ///
    /// The area that sees light is used where the header names one that fits, else all of the frame;
    /// an overscan that does not fit makes both doubtful, and neither is used. Overscans of amplifiers
    /// are used where every amplifier has one: levels taken off some of them would leave steps.
    pub fn of(metadata: &Metadata, size: Size) -> Self {
        let mut detector = Self::whole(size);
        detector.saturation_adu = metadata.saturation_adu.map(|v| v as f32);
        match (metadata.overscan, metadata.active_area) {
            (None, Some(active)) if active.fits(size) => detector.active = active,
            (Some(source), Some(active)) if active.fits(size) && source.fits(size) => {
                detector.active = active;
                if active != size.rect() {
                    detector.overscan.push(Overscan { source, target: active });
                }
            }
            _ => {}
        }
        let amplifiers = &metadata.amplifiers;
        let inside =
            |a: &Amplifier| a.region.fits(size) && a.overscan.is_none_or(|over| over.fits(size));
        let regions: Vec<Rect> = amplifiers.iter().map(|a| a.region).collect();
        if amplifiers.iter().all(inside) && tiles(&regions, detector.active) {
            let overscan =
                amplifiers.iter().map(|a| Some(Overscan { source: a.overscan?, target: a.region }));
            detector.overscan = overscan.collect::<Option<_>>().unwrap_or_default();
            detector.amplifiers.clone_from(amplifiers);
            let ends = amplifiers.iter().filter_map(|a| a.saturation_adu);
            let lowest = ends.fold(f64::INFINITY, f64::min);
            if lowest.is_finite() {
                detector.saturation_adu = Some(lowest as f32);
            }
        }
        detector
    }

    /// Whether a part of the frame is not used.
    pub fn is_trimmed(&self) -> bool {
        self.active != self.size.rect()
    }

    /// Whether every pixel that is used gets its level from an overscan, and from one alone.
    pub fn is_levelled(&self) -> bool {
        let mut targets: Vec<Rect> = self.overscan.iter().map(|o| o.target).collect();
        targets.sort_by_key(|r| (r.y0, r.x0, r.y1, r.x1));
        targets.dedup();
        tiles(&targets, self.active)
    }

    /// The detector of the frame with its rows from the last to the first.
    pub fn turn_over(&mut self) {
        let height = self.size.height;
        let mirror = |r: &mut Rect| (r.y0, r.y1) = (height - r.y1, height - r.y0);
        mirror(&mut self.active);
        for over in &mut self.overscan {
            mirror(&mut over.source);
            mirror(&mut over.target);
        }
        self.optical_black.iter_mut().for_each(mirror);
        for amplifier in &mut self.amplifiers {
            mirror(&mut amplifier.region);
            amplifier.overscan.iter_mut().for_each(mirror);
        }
    }
}

/// Whether regions cover `whole` without a gap, and no two of them one pixel of it.
pub fn tiles(regions: &[Rect], whole: Rect) -> bool {
    let inside: Vec<Rect> = regions.iter().map(|r| r.common(whole)).collect();
    let apart = |i: usize| inside[..i].iter().all(|other| inside[i].common(*other).is_empty());
    let covered: usize = inside.iter().map(|r| r.size().pixels()).sum();
    covered == whole.size().pixels() && (0..inside.len()).all(apart)
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
        assert!(both.is_trimmed() && both.is_levelled());
        let outside = of(Some(Rect::new(90, 0, 20, 50)), Some(active));
        assert_eq!((outside.active, outside.overscan.len()), (size.rect(), 0));
        assert_eq!(of(None, Some(active)).active, active);
        assert!(!of(Some(Rect::new(90, 0, 10, 50)), None).is_trimmed());
    }

    #[test]
    fn amplifiers_are_levelled_together_or_not_at_all() {
        let amplifier = |x0: usize, overscan: Option<Rect>| Amplifier {
            region: Rect::new(x0, 0, 40, 50),
            overscan,
            gain: Gain::new(1.5),
            read_noise_e: Some(4.0),
            saturation_adu: Some(60_000.0 - x0 as f64),
        };
        let of = |second: Option<Rect>| {
            let first = amplifier(0, Some(Rect::new(80, 0, 10, 50)));
            let metadata = Metadata {
                active_area: Some(Rect::new(0, 0, 80, 50)),
                amplifiers: vec![first, amplifier(40, second)],
                ..Metadata::default()
            };
            Detector::of(&metadata, Size::new(100, 50))
        };
        let both = of(Some(Rect::new(90, 0, 10, 50)));
        assert!(both.is_levelled());
        assert_eq!((both.overscan.len(), both.saturation_adu), (2, Some(59_960.0)));
        assert!(of(None).overscan.is_empty());
        assert!(of(Some(Rect::new(95, 0, 10, 50))).amplifiers.is_empty());
    }

    #[test]
    fn tiles_cover_once() {
        let whole = Rect::new(0, 0, 4, 2);
        assert!(tiles(&[Rect::new(0, 0, 2, 2), Rect::new(2, 0, 2, 2)], whole));
        assert!(!tiles(&[Rect::new(0, 0, 2, 2), Rect::new(1, 0, 2, 2)], whole));
        assert!(!tiles(&[Rect::new(0, 0, 2, 2)], whole));
    }

    #[test]
    fn turned_over_twice_is_as_it_was() {
        let mut detector = Detector::whole(Size::new(10, 20));
        let (source, target) = (Rect::new(8, 3, 2, 10), Rect::new(0, 3, 8, 10));
        detector.overscan.push(Overscan { source, target });
        let before = detector.clone();
        detector.turn_over();
        assert_eq!(detector.overscan[0].source, Rect::new(8, 7, 2, 10));
        detector.turn_over();
        assert_eq!(detector, before);
    }
}
