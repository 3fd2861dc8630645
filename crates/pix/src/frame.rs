//! A frame in memory: data, variance and mask together.

use std::ops::Range;

use multiversion::multiversion;
use serde::{Deserialize, Serialize};

use crate::{MaskBits, Plane, Size, Unit};

bitflags::bitflags! {
    /// The calibration steps that a frame already carries; a step found here is never done again.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
    pub struct Applied: u16 {
        /// Overscan level subtracted.
        const OVERSCAN = 1;
        /// Bias subtracted.
        const BIAS = 1 << 1;
        /// Linearity corrected.
        const LINEARITY = 1 << 2;
        /// Dark subtracted.
        const DARK = 1 << 3;
        /// Divided by a flat.
        const FLAT = 1 << 4;
        /// Defective pixels replaced.
        const DEFECTS = 1 << 5;
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Applied {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Applied".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = Self::all().iter_names().map(|(name, _)| name).collect();
        let one = names.join("|");
        schemars::json_schema!({
            "description": "The calibration steps that a frame carries, joined by ` | `.",
            "type": "string",
            "pattern": format!("^(({one})( \\| ({one}))*)?$"),
        })
    }
}

impl Applied {
    /// The steps' names in the order in which they are done.
    pub fn names(self) -> Vec<&'static str> {
        [
            (Self::OVERSCAN, "overscan"),
            (Self::BIAS, "bias"),
            (Self::LINEARITY, "linearity"),
            (Self::DARK, "dark"),
            (Self::FLAT, "flat"),
            (Self::DEFECTS, "defects"),
        ]
        .into_iter()
        .filter_map(|(bit, name)| self.contains(bit).then_some(name))
        .collect()
    }
}

/// Samples with their uncertainty and their state; the three planes have one size.
///
/// Values are signed and never clipped. Where the mask says NO_DATA the value is NaN, save in a
/// master flat, where it is 1 so that other programs divide without harm.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The samples, in `unit`.
    pub data: Plane<f32>,
    /// The variance of each sample in `unit`², where a noise model is known.
    pub variance: Option<Plane<f32>>,
    /// The state of each pixel.
    pub mask: Plane<MaskBits>,
    /// What a sample counts.
    pub unit: Unit,
    /// The steps that were done.
    pub applied: Applied,
}

impl Frame {
    /// A frame over `data`: no variance, and NO_DATA exactly where a sample is not finite.
    pub fn new(data: Plane<f32>, unit: Unit) -> Self {
        let size = data.size();
        let mask = Plane::zeroed(size);
        let mut frame = Self { data, variance: None, mask, unit, applied: Applied::empty() };
        frame.mark_missing(0..size.height);
        frame
    }

    /// Makes the mask of `rows` anew: NO_DATA exactly where a sample is not finite.
    pub fn mark_missing(&mut self, rows: Range<usize>) {
        let samples = self.data.rows(rows.start, rows.end);
        mark_missing(samples, self.mask.rows_mut(rows.start, rows.end));
    }

    /// Puts `level` where a sample is not finite, for programs that know no NaN; the mask says NO_DATA
    /// there. Tells how many samples that were.
    pub fn fill_missing(&mut self, level: f32) -> usize {
        let mut filled = 0;
        for (v, bits) in self.data.as_mut_slice().iter_mut().zip(self.mask.as_mut_slice()) {
            if !v.is_finite() {
                *v = level;
                *bits |= MaskBits::NO_DATA;
                filled += 1;
            }
        }
        filled
    }

    /// Multiplies the samples, then adds to them, and brings the variance along; NaN stays NaN.
    pub fn rescale(&mut self, factor: f64, plus: f64) {
        let to = |v: &mut f32| *v = (f64::from(*v) * factor + plus) as f32;
        self.data.as_mut_slice().iter_mut().for_each(to);
        if let Some(variance) = &mut self.variance {
            let to = |v: &mut f32| *v = (f64::from(*v) * factor * factor) as f32;
            variance.as_mut_slice().iter_mut().for_each(to);
        }
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.data.size()
    }
}

/// NO_DATA exactly where a sample is not finite.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn mark_missing(data: &[f32], mask: &mut [MaskBits]) {
    for (m, v) in mask.iter_mut().zip(data) {
        *m = if v.abs() < f32::INFINITY { MaskBits::empty() } else { MaskBits::NO_DATA };
    }
}
