//! Linear-fit clipping.

use super::lanes::{Columns, LANES, Row, distances, rank_sums};
use super::{Fate, Lanes, settle};

/// Fewest samples whose distances from a line of their own say anything.
const FEWEST_ON_A_LINE: usize = 5;

/// Lines through the sorted kept samples, as deviations from the median, and the scales.
struct Lines {
    intercept: Row,
    slope: Row,
    scale: Row,
}

#[inline(always)]
fn fit(columns: &Columns) -> Lines {
    let rank_sums = rank_sums(columns);
    let (mut intercept, mut slope, mut scale) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        // Ranks 0..n have the mean (n − 1)/2 and the sum of squares about it n (n² − 1)/12.
        let n = columns.n[lane];
        let middle = 0.5 * (n - 1.0);
        let b = (rank_sums[lane] - middle * columns.sum[lane]) / (n * (n * n - 1.0) / 12.0);
        let enough = n >= FEWEST_ON_A_LINE as f64;
        slope[lane] = if enough { b } else { 0.0 };
        intercept[lane] = if enough { columns.sum[lane] / n - b * middle } else { 0.0 };
    }
    let sum = distances(columns, &intercept, &slope);
    for lane in 0..LANES {
        scale[lane] = 2.0 * sum[lane] / columns.n[lane];
    }
    Lines { intercept, slope, scale }
}

/// The lanes with an end beyond its bound.
#[inline(always)]
pub(super) fn unsettled(columns: &Columns, low: f32, high: f32) -> Lanes {
    let lines = fit(columns);
    let mut out = [false; LANES];
    for lane in 0..LANES {
        let (n, m) = (columns.n[lane], columns.median[lane]);
        let (a, b, s) = (lines.intercept[lane], lines.slope[lane], lines.scale[lane]);
        let under = a - (columns.first[lane] - m);
        let over = (columns.last[lane] - m) - (a + b * (n - 1.0));
        let far = (under > f64::from(low) * s) | (over > f64::from(high) * s);
        out[lane] = far & (n >= FEWEST_ON_A_LINE as f64);
    }
    out
}

/// Takes off what lies too far from the line at either end.
#[inline(always)]
pub(super) fn narrow(columns: &mut Columns, low: f32, high: f32) -> [Fate; LANES] {
    let lines = fit(columns);
    let mut fates = [Fate::Judged; LANES];
    for lane in columns.open_lanes() {
        let n = columns.kept.len(lane);
        if n < FEWEST_ON_A_LINE {
            continue;
        }
        let (a, b, s) = (lines.intercept[lane], lines.slope[lane], lines.scale[lane]);
        // A line that fits to the last bit leaves distances of rounding only.
        let m = columns.median[lane];
        let over = |rank: usize, x: f64| (x - m) - (a + b * rank as f64);
        let below = columns
            .column(lane)
            .enumerate()
            .take_while(|(i, x)| -over(*i, *x) > f64::from(low) * s)
            .count();
        let above = columns
            .column(lane)
            .rev()
            .enumerate()
            .take(n - below)
            .take_while(|(i, x)| over(n - 1 - *i, *x) > f64::from(high) * s)
            .count();
        fates[lane] = settle(columns, lane, below, above);
    }
    fates
}
