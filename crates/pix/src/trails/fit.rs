//! A line of bins made a trail: its course, how far it goes, and how wide it is.

use std::ops::Range;

use super::Trail;
use super::band::{Band, SECTION_PX, View};
use super::bins::FEWEST;
use super::course::{Course, LEAST_SNR};
use crate::align::Point;

/// A line that stands out by less than this share of what is asked for is not fitted further.
const ALMOST: f64 = 0.8;

/// Half the widths of the strips that a trail is looked for in, in pixels.
const HALVES: [i64; 5] = [1, 2, 4, 7, 11];

/// The same for trails that are wide.
const WIDE_HALVES: [i64; 8] = [1, 2, 4, 7, 11, 17, 26, 40];

/// Moves of the ends of a line of bins: two bins to either side, which is more than digital lines
/// leave straight ones by, in steps of half a bin.
const STEPS: i32 = 4;

/// No bow is tried.
const STRAIGHT: (i32, f64) = (0, 0.0);

/// A bow must make a trail stand out this much more: offsets are whole pixels.
const BOW_GAIN: f64 = 1.03;

/// Pixels to either side of where a line of bins may run that are looked at first.
const ROUGH: usize = 24;

/// Pixels to either side of a line that are looked at.
const NEAR: usize = 64;

/// The same for wings of trails brighter than the noise; those of others are lost in it soon.
const WIDE: usize = 128;

/// Pixels added to either side: where a middle lies is known to half a pixel, and interpolation
/// rests on neighbours that are masked, not on those beyond.
const MARGIN_PX: f64 = 1.5;

/// A straight line over a frame, with what lies beside it.
struct Straight {
    from: Point,
    to: Point,
    band: Band,
}

impl Straight {
    /// All of the line through two points that comes so near to the frame.
    fn through(view: View<'_>, a: Point, b: Point, reach: usize) -> Self {
        let size = view.data.size();
        let long = 2.0 * (size.width + size.height) as f64 / a.distance(b).max(1.0);
        let line = Trail::straight(a, b, reach as f64);
        let Trail { from, to, .. } = line.part(-long, 1.0 + long).within(size);
        Self { from, to, band: Band::of(view, from, to, reach) }
    }

    /// The place so many sections along it and so far aside.
    fn at(&self, sections: f64, aside: f64) -> Point {
        let length = self.from.distance(self.to);
        let (ux, uy) = ((self.to.x - self.from.x) / length, (self.to.y - self.from.y) / length);
        let along = sections * SECTION_PX;
        Point::new(self.from.x + along * ux - aside * uy, self.from.y + along * uy + aside * ux)
    }

    /// The section beside a point.
    fn section(&self, p: Point) -> usize {
        let length = self.from.distance(self.to);
        let (ux, uy) = ((self.to.x - self.from.x) / length, (self.to.y - self.from.y) / length);
        let along = (p.x - self.from.x) * ux + (p.y - self.from.y) * uy;
        ((along / SECTION_PX).max(0.0) as usize).min(self.band.sections - 1)
    }

    /// Where a course begins and ends.
    fn ends(&self, course: &Course) -> (Point, Point) {
        let [start, end] = course.ends;
        let Range { start: first, end: last } = course.sections.clone();
        (self.at(first as f64, start), self.at(last as f64, end))
    }

    /// The line itself between two points.
    fn course(&self, a: Point, b: Point) -> Course {
        let (i, j) = (self.section(a), self.section(b));
        Course { sections: i.min(j)..i.max(j) + 1, ends: [0.0; 2], bow: 0.0, half: HALVES[0] }
    }
}

/// The trail along the line of bins between two points; `None` where there is none.
pub(super) fn trail(view: View<'_>, line: (Point, Point), fwhm_px: f64) -> Option<Trail> {
    let (side, size) = (view.bins.side(), view.data.size());
    let rough = Straight::through(view, line.0, line.1, 2 * side + ROUGH);
    let step_px = (side as f64 / 2.0).max(2.0);
    let found = rough.course(line.0, line.1);
    let found = found.best(&rough.band, &HALVES[1..4], (STEPS, step_px), STRAIGHT);
    let found = found.best(&rough.band, &HALVES, (2, step_px / 3.0), STRAIGHT);
    if found.score(&rough.band) < ALMOST * LEAST_SNR {
        return None;
    }
    let (a, b) = rough.ends(&found.lit(&rough.band));

    let near = Straight::through(view, a, b, NEAR);
    let course = near.course(a, b).best(&near.band, &HALVES, (3, 1.0), STRAIGHT).lit(&near.band);
    let course = course.best(&near.band, &[course.half], (2, 0.5), STRAIGHT);
    let long = course.sections.len() as f64 * SECTION_PX >= (FEWEST * side) as f64;
    if !long || !course.stands_out(&near.band, size.width.min(size.height)) {
        return None;
    }
    let snr = course.snr(&near.band);
    let (a, b) = near.ends(&course);

    let is_bright = course.is_bright(&near.band);
    let wide = if is_bright { Straight::through(view, a, b, WIDE) } else { near };
    let band = &wide.band;
    let straight = wide.course(a, b).best(band, &WIDE_HALVES, (1, 1.0), STRAIGHT);
    let bowed = straight.best(band, &[straight.half], (1, 2.0), (4, 2.0));
    let bowed = bowed.best(band, &[straight.half], (1, 1.0), (1, 1.0));
    let is_bowed = bowed.score(band) > BOW_GAIN * straight.score(band);
    let course = if is_bowed { bowed } else { straight }.lit(band);
    let filled = band.filled();
    let Range { start, end } = course.sections;
    // One section more at either end, or as far as the line goes.
    let [on_before, on_after] = course.goes_on(band);
    let first = if on_before || start <= filled.start { 0.0 } else { (start - 1) as f64 };
    let to_the_end = on_after || end >= filled.end;
    let last = if to_the_end { band.sections as f64 } else { (end + 1) as f64 };
    let share = |sections: f64| (sections - start as f64) / (end - start).max(1) as f64;
    let (from, to) = wide.ends(&course);
    let half_width_px = course.half_width(band).max(fwhm_px) + MARGIN_PX;
    let peak_sigma = course.peak(band);
    let trail = Trail { from, to, bow_px: course.bow, half_width_px, peak_sigma, snr };
    Some(trail.part(share(first), share(last)).within(size))
}
