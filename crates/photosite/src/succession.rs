//! A new master compared with its predecessor: what has changed in the camera.
//!
//! ```
//! use photosite::succession::Change;
//! use photosite_pix::{Frame, Plane, Size, Unit};
//!
//! let master = |adu| Frame::new(Plane::filled(Size::new(64, 64), adu), Unit::Adu);
//! let change = Change::between(&master(103.0), &master(100.0)).unwrap();
//! assert_eq!((change.level_adu, change.scatter_adu), (3.0, 0.0));
//! assert_eq!(change.clauses(0.5), ["its level changed by +3.00 ADU"]);
//! ```

use photosite_pix::{Frame, MaskBits, stat};
use serde::Serialize;

/// What has changed from one master to the next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The median of new minus old in ADU.
    pub level_adu: f64,
    /// The scatter of new minus old, in ADU: one robust standard deviation.
    pub scatter_adu: f64,
    /// The scatter that the noise of both masters explains; `None` where a variance is missing.
    pub expected_adu: Option<f64>,
    /// Pixels that are hot now and were not.
    pub new_hot: usize,
    /// Pixels that were hot.
    pub old_hot: usize,
}

/// Bytes a pixel that comparing two masters takes: data, variance and mask of both, and what their
/// differences are sorted in.
pub const COMPARING_BYTES: u64 = 2 * (4 + 4 + 2) + 2 * 4;

/// How far beyond its noise the scatter may lie before the structure counts as changed: a choice.
const STRUCTURE_RATIO: f64 = 1.3;
/// New hot pixels, as a share of the old ones, that are worth a word, and the fewest: choices.
const NEW_HOT_SHARE: f64 = 0.2;
const NEW_HOT_FEWEST: usize = 20;

impl Change {
    /// Compares two masters over the pixels that both know to be good; `None` where their sizes
    /// differ or they share no good pixel.
    pub fn between(new: &Frame, old: &Frame) -> Option<Self> {
        if new.size() != old.size() {
            return None;
        }
        let pixels = || {
            let masks = new.mask.as_slice().iter().zip(old.mask.as_slice());
            masks.enumerate().filter(|(_, (a, b))| a.is_good() && b.is_good()).map(|(i, _)| i)
        };
        let (a, b) = (new.data.as_slice(), old.data.as_slice());
        let differences: Vec<f32> =
            pixels().map(|i| a[i] - b[i]).filter(|v| v.is_finite()).collect();
        if differences.is_empty() {
            return None;
        }
        let (median, mad) = stat::median_mad(&differences);
        let expected_adu = new.variance.as_ref().zip(old.variance.as_ref()).map(|(a, b)| {
            let (a, b) = (a.as_slice(), b.as_slice());
            let sums: Vec<f32> = pixels().map(|i| a[i] + b[i]).filter(|v| v.is_finite()).collect();
            if sums.is_empty() { f64::NAN } else { f64::from(stat::median(&sums)).sqrt() }
        });
        let hot = |mask: MaskBits| mask.contains(MaskBits::HOT);
        let masks = || new.mask.as_slice().iter().zip(old.mask.as_slice());
        Some(Self {
            level_adu: f64::from(median),
            scatter_adu: stat::MAD_TO_SIGMA * f64::from(mad),
            expected_adu: expected_adu.filter(|e| e.is_finite()),
            new_hot: masks().filter(|(n, o)| hot(**n) && !hot(**o)).count(),
            old_hot: old.mask.as_slice().iter().filter(|m| hot(**m)).count(),
        })
    }

    /// What is worth a word, one clause each; `level_reach_adu` is the change of level that is not.
    pub fn clauses(&self, level_reach_adu: f64) -> Vec<String> {
        let mut out = Vec::new();
        if self.level_adu.abs() > level_reach_adu {
            out.push(format!("its level changed by {:+.2} ADU", self.level_adu));
        }
        if let Some(expected) = self.expected_adu
            && self.scatter_adu > STRUCTURE_RATIO * expected
        {
            out.push(format!(
                "its structure changed: the pixel-to-pixel difference is {:.4}, noise explains \
                 {expected:.4}",
                self.scatter_adu
            ));
        }
        let worth = NEW_HOT_FEWEST.max((NEW_HOT_SHARE * self.old_hot as f64) as usize);
        if self.new_hot > worth {
            out.push(format!(
                "{} pixels are newly hot, {} were hot before",
                self.new_hot, self.old_hot
            ));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use photosite_pix::{Plane, Size, Unit};

    use super::*;

    fn frame(level: f32, amplitude: f32) -> Frame {
        let size = Size::new(64, 64);
        // Three levels equally common, so that the median is the middle one.
        let data =
            Plane::from_fn(size, |x, y| level + amplitude * (((x + 64 * y) % 3) as f32 - 1.0));
        let mut frame = Frame::new(data, Unit::Adu);
        frame.variance = Some(Plane::filled(size, 0.5));
        frame
    }

    #[test]
    fn what_has_not_changed_is_not_told() {
        let change = Change::between(&frame(100.0, 0.1), &frame(100.0, 0.1)).unwrap();
        assert_eq!(change.clauses(0.5), Vec::<String>::new());
        assert_eq!(change.expected_adu, Some(1.0));
    }

    #[test]
    fn level_structure_and_hot_pixels_are_told_apart() {
        let old = frame(100.0, 0.1);
        let mut hot = old.clone();
        for x in 0..40 {
            hot.mask.row_mut(3)[x] |= MaskBits::HOT;
        }
        let words = |new: &Frame| Change::between(new, &old).unwrap().clauses(0.5).join(";");
        assert!(words(&frame(103.0, 0.1)).contains("level changed by +3.00 ADU"));
        let structured = words(&frame(100.0, 9.0));
        assert!(structured.contains("structure") && !structured.contains("level"), "{structured}");
        assert!(words(&hot).contains("40 pixels are newly hot"));
        let other = Frame::new(Plane::filled(Size::new(2, 2), 0.0), Unit::Adu);
        assert_eq!(Change::between(&other, &old), None);
    }
}
