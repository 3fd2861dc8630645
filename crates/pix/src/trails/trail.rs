//! Where a trail runs, and which pixels it covers.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Size;
use crate::align::Point;

/// A trail over a frame: a band of pixels along a line that may be bowed a little.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    /// Where its middle begins, in pixels; outside the frame where it comes in from there.
    pub from: Point,
    /// Where it ends.
    pub to: Point,
    /// How far its middle lies from the straight line between both, in pixels; positive on the
    /// side to which x turns towards y.
    pub bow_px: f64,
    /// How far it reaches to either side of its middle, in pixels.
    pub half_width_px: f64,
    /// What it adds to a sample on its middle, in sigmas of the frame's noise.
    pub peak_sigma: f64,
    /// How far it stands out of the noise as a whole, in sigma.
    pub snr: f64,
}

/// Straight pieces that stand for a bowed trail: a bow of 16 pixels leaves one in four of them.
const PIECES: usize = 8;

/// A bow of less than this in pixels is none.
const STRAIGHT_PX: f64 = 0.25;

impl Trail {
    /// A straight band between two points, nothing known of its light.
    pub(super) const fn straight(from: Point, to: Point, half_width_px: f64) -> Self {
        Self { from, to, bow_px: 0.0, half_width_px, peak_sigma: 0.0, snr: 0.0 }
    }

    /// Its length in pixels.
    pub fn length_px(&self) -> f64 {
        self.from.distance(self.to)
    }

    /// The place on its middle after `share` of its length.
    pub fn at(&self, share: f64) -> Point {
        let (from, to) = (self.from, self.to);
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let aside = 4.0 * self.bow_px * share * (1.0 - share) / dx.hypot(dy).max(1.0);
        Point::new(from.x + share * dx - aside * dy, from.y + share * dy + aside * dx)
    }

    /// The part of it between two shares of its length.
    #[must_use]
    pub(super) fn part(&self, from: f64, to: f64) -> Self {
        let bow_px = self.bow_px * (to - from).powi(2);
        Self { from: self.at(from), to: self.at(to), bow_px, ..*self }
    }

    /// The part of it whose band may touch a frame.
    #[must_use]
    pub(super) fn within(&self, size: Size) -> Self {
        let margin = self.half_width_px + self.bow_px.abs() + 1.0;
        let (from, to) = (self.from, self.to);
        let mut shares = 0.0f64..1.0f64;
        for (start, end, side) in [(from.x, to.x, size.width), (from.y, to.y, size.height)] {
            let (low, high) = (-0.5 - margin, side as f64 - 0.5 + margin);
            let run = end - start;
            if run == 0.0 {
                continue;
            }
            let (a, b) = ((low - start) / run, (high - start) / run);
            shares = shares.start.max(a.min(b))..shares.end.min(a.max(b));
        }
        if shares.start < shares.end { self.part(shares.start, shares.end) } else { *self }
    }

    /// Calls `covered` with a row and its columns for each of `rows` that it covers, of a frame so
    /// many columns wide; a row may come several times.
    pub fn spans(
        &self,
        rows: Range<usize>,
        width: usize,
        mut covered: impl FnMut(usize, Range<usize>),
    ) {
        let pieces = if self.bow_px.abs() < STRAIGHT_PX { 1 } else { PIECES };
        for i in 0..pieces {
            let share = |i: usize| i as f64 / pieces as f64;
            let (from, to) = (self.at(share(i)), self.at(share(i + 1)));
            self.spans_of_piece((from, to), rows.clone(), width, &mut covered);
        }
    }

    fn spans_of_piece(
        &self,
        (from, to): (Point, Point),
        rows: Range<usize>,
        width: usize,
        covered: &mut impl FnMut(usize, Range<usize>),
    ) {
        let reach = self.half_width_px;
        let length = from.distance(to);
        if !(length.is_finite() && reach.is_finite() && length > 0.0) {
            return;
        }
        let (ux, uy) = ((to.x - from.x) / length, (to.y - from.y) / length);
        // No row further from both ends than the band reaches is touched.
        let beyond = 2.0 * reach + 1.0;
        let first = (from.y.min(to.y) - beyond).max(rows.start as f64) as usize;
        let end = ((from.y.max(to.y) + beyond).max(0.0) as usize).saturating_add(1).min(rows.end);
        for y in first..end {
            let dy = y as f64 - from.y;
            // Along the line and across it, x lies between two bounds.
            let along = between(ux, uy * dy, -reach, length + reach);
            let across = between(-uy, ux * dy, -reach, reach);
            let (low, high) = (along.0.max(across.0), along.1.min(across.1));
            let first = (from.x + low).ceil().max(0.0);
            let last = (from.x + high).floor().min(width as f64 - 1.0);
            if first <= last {
                covered(y, first as usize..last as usize + 1);
            }
        }
    }
}

/// The x for which `low <= slope x + rest <= high`.
fn between(slope: f64, rest: f64, low: f64, high: f64) -> (f64, f64) {
    if slope.abs() < 1e-12 {
        let inside = (low..=high).contains(&rest);
        return if inside {
            (f64::NEG_INFINITY, f64::INFINITY)
        } else {
            (f64::INFINITY, f64::NEG_INFINITY)
        };
    }
    let (a, b) = ((low - rest) / slope, (high - rest) / slope);
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every pixel within reach of the middle is covered, none further than a piece's bow and
        /// its ends allow; whichever rows are asked for.
        #[test]
        fn spans_are_the_pixels_near_the_middle(
            ends in prop::array::uniform4(-40.0f64..100.0),
            bow_px in prop_oneof![Just(0.0), -6.0f64..6.0],
            half_width_px in 0.5f64..12.0,
            cut in 0usize..47,
        ) {
            let size = Size::new(61, 47);
            let (from, to) = (Point::new(ends[0], ends[1]), Point::new(ends[2], ends[3]));
            prop_assume!(from.distance(to) > 40.0);
            let whole = Trail { bow_px, ..Trail::straight(from, to, half_width_px) };
            for trail in [whole, whole.within(size)] {
                let mut covered = vec![false; size.pixels()];
                for rows in [0..cut, cut..size.height] {
                    trail.spans(rows.clone(), size.width, |y, columns| {
                        assert!(rows.contains(&y) && columns.end <= size.width);
                        covered[y * size.width..][columns].fill(true);
                    });
                }
                for y in (0..size.height).step_by(3) {
                    for x in (y % 2..size.width).step_by(2) {
                        let here = Point::new(x as f64, y as f64);
                        let near = (0..=150)
                            .map(|i| whole.at(f64::from(i) / 150.0).distance(here))
                            .fold(f64::INFINITY, f64::min);
                        let is = covered[y * size.width + x];
                        prop_assert!(is || near > half_width_px - 0.6, "{x} {y} {near}");
                        prop_assert!(!is || near < 1.5 * half_width_px + 0.6, "{x} {y} {near}");
                    }
                }
            }
        }
    }
}
