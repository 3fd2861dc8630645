//! Min/max and percentile clipping: bounds without a scale.

use super::lanes::{Columns, LANES};
use super::{Bounds, FEWEST};

/// Drops samples by their rank.
pub(super) fn minmax(columns: &mut Columns, low: i32, high: i32) {
    let ragged = !columns.kept.span().2;
    for lane in 0..LANES {
        let (lo, hi) = (columns.kept.lo[lane], columns.kept.hi[lane]);
        if hi - lo - low - high >= FEWEST as i32 {
            columns.kept.lo[lane] = lo + low;
            columns.kept.hi[lane] = hi - high;
            if ragged {
                columns.strike(lane, lo..lo + low);
                columns.strike(lane, hi - high..hi);
            }
        }
    }
}

/// Bounds as shares of the median.
#[inline(always)]
pub(super) fn percentile(columns: &Columns, low: f32, high: f32) -> Bounds {
    let (mut below, mut above) = ([0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        let m = columns.median[lane];
        below[lane] = m - f64::from(low) * m.abs();
        above[lane] = m + f64::from(high) * m.abs();
    }
    (below, above)
}
