//! Min/max and percentile clipping: bounds without a scale.

use super::lanes::{Columns, LANES};
use super::{Bounds, FEWEST};

/// Drops samples by their rank.
pub(super) fn minmax(columns: &mut Columns, low: i32, high: i32) {
    for lane in 0..LANES {
        if columns.kept.len(lane) as i32 - low - high >= FEWEST as i32 {
            columns.kept.lo[lane] += low;
            columns.kept.hi[lane] -= high;
        }
    }
}

/// Bounds as shares of the median.
#[inline]
pub(super) fn percentile(columns: &Columns, low: f32, high: f32) -> Bounds {
    let m = &columns.median;
    (m.map(|m| m - f64::from(low) * m.abs()), m.map(|m| m + f64::from(high) * m.abs()))
}
