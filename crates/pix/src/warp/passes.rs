//! Two passes of one dimension each: along the rows of the frame, then down the columns.
//!
//! The first pass interpolates a row of the frame where the columns of the output cross it, so that
//! the second finds what it needs of a column of the output one below the other. Both work on 16
//! places side by side. They serve while rows stay near rows: shifts, small rotations, mirrored
//! frames and those turned by half a turn.
//!
//! # Source
//! CatmullSmith1980 for the order of work.

use std::ops::Range;

use super::Window;
use super::direct;
use super::kernel::{Kernel, LANES, LOBES, Parabola, TAPS};
use super::lanes::{BLOCK, Between, Columns, GROUPS, Places, Row, STRIP, along, down};
use crate::Size;
use crate::align::{Point, Transform};

/// Positions at which groups of lanes of a block meet.
const EDGES: usize = GROUPS + 1;

/// How far rows may lean: 5 degrees.
const LEAN: f64 = 0.09;

/// Scales along an axis.
const SCALES: Range<f64> = 0.7..1.4;

/// Sets of crossings that are kept: more than a strip of a block needs.
const SETS: usize = 8;

/// How far the frame may bend away from lines between computed positions, in pixels.
const BEND: f64 = 5e-4;

/// A crossing that is off by less in rows has been found.
const FOUND: f64 = 1e-6;

/// No frame has so many rows.
const FAR: f64 = 1e9;

/// Steps in search of a crossing; each leaves a hundredth of what the optics distort.
const STEPS: usize = 12;

/// What all passes over a frame share.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    pub size: Size,
    pub transform: &'a Transform,
    pub kernel: &'a Kernel,
}

/// Fills a region of the output, row after row, plane by plane.
pub(super) fn fill(
    task: Task,
    (rows, columns): (Range<usize>, Range<usize>),
    planes: &mut [(Window, &mut [f32])],
    between: &mut Vec<Box<Between>>,
) {
    let width = columns.len();
    let there = between.len().max(planes.len());
    between.resize_with(there, Between::new);
    let mut block = Block::new(task, between);
    for x0 in (columns.start / BLOCK * BLOCK..columns.end).step_by(BLOCK) {
        let part = columns.start.max(x0)..columns.end.min(x0 + BLOCK);
        let at = part.start - columns.start..part.end - columns.start;
        block.begin(x0);
        for y0 in (rows.start / STRIP * STRIP..rows.end).step_by(STRIP) {
            let simple = block.go_on(y0);
            for y in rows.start.max(y0)..rows.end.min(y0 + STRIP) {
                let line = (y - rows.start) * width;
                let to = line + at.start..line + at.end;
                if simple {
                    block.fill_row(y, part.clone(), planes, to);
                    continue;
                }
                let Task { size, transform, kernel } = task;
                for (window, out) in &mut *planes {
                    let place = (y, part.clone());
                    direct::fill_row(*window, size, transform, place, kernel, &mut out[to.clone()]);
                }
            }
        }
    }
}

/// Whether lines between neighbours are as good as the curve that they stand on: half way it is
/// off by an eighth of the second difference.
fn straight(at: &[f64; EDGES]) -> bool {
    at.windows(3).all(|w| (w[0] - 2.0 * w[1] + w[2]).abs() <= 8.0 * BEND)
}

/// A block of columns on its way down.
struct Block<'a> {
    place: Place<'a>,
    /// One a plane.
    between: &'a mut [Box<Between>],
    values: Box<Row>,
    columns: Box<[Columns; GROUPS]>,
}

/// How a strip of a block lies over the frame.
struct Place<'a> {
    task: Task<'a>,
    /// A row of the output about the middle, and rows of the frame to a row there.
    middle: (f64, f64),
    x0: usize,
    y0: usize,
    /// Whether x of the frame falls where that of the output grows: lanes then run backwards.
    mirrored: bool,
    /// Positions at the edges of groups below the last strip, and the row that they are of.
    below: [Point; EDGES],
    end: Option<usize>,
    /// Rows of the frame at the edges of groups, above and below a strip.
    heights: [[f64; EDGES]; 2],
    /// Columns of the frame where edges of groups cross a row of it; the row that each set is of.
    crossings: [[f64; EDGES]; SETS],
    rows: [Option<i64>; SETS],
    /// Places along rows of the frame: all planes have them in common.
    along: Box<[Along; KEPT]>,
}

/// Rows of the frame whose places are kept: those that one plane goes through before the next does.
const KEPT: usize = 16;

/// The places of a row of the frame.
#[derive(Clone, Copy)]
struct Along {
    row: Option<i64>,
    places: [Places; GROUPS],
    parabolas: [Parabola; TAPS],
}

impl Along {
    const NONE: Self =
        Self { row: None, places: [Places::NONE; GROUPS], parabolas: [[[0.0; LANES]; 3]; TAPS] };
}

impl<'a> Block<'a> {
    fn new(task: Task<'a>, between: &'a mut [Box<Between>]) -> Self {
        Self {
            place: Place::new(task),
            between,
            values: Box::new([[0.0; LANES]; GROUPS]),
            columns: Box::new([Columns::default(); GROUPS]),
        }
    }

    /// Begins with the columns from `x0` on.
    fn begin(&mut self, x0: usize) {
        self.place.x0 = x0;
        self.place.rows = [None; SETS];
        self.place.end = None;
        self.forget();
    }

    /// Forgets the rows of the frame that were gone through.
    fn forget(&mut self) {
        self.between.iter_mut().for_each(|between| between.clear());
        self.place.along.iter_mut().for_each(|along| along.row = None);
    }

    /// Goes on to the strip of rows from `y0` on; whether two passes serve there.
    fn go_on(&mut self, y0: usize) -> bool {
        let before = self.place.mirrored;
        let serves = self.place.lay(y0);
        if self.place.mirrored != before {
            self.forget();
        }
        if serves {
            let Place { heights, mirrored, task, .. } = &self.place;
            for (g, columns) in self.columns.iter_mut().enumerate() {
                let edges = heights.map(|edges| [edges[g], edges[g + 1]]);
                columns.lay(task.kernel, edges, *mirrored);
            }
        }
        serves
    }

    /// Fills the part of row `y` of the output at `columns`, which is the part `to` of a plane.
    fn fill_row(
        &mut self,
        y: usize,
        columns: Range<usize>,
        planes: &mut [(Window, &mut [f32])],
        to: Range<usize>,
    ) {
        let first = (columns.start - self.place.x0) / LANES;
        let groups = first..(columns.end - self.place.x0).div_ceil(LANES);
        let row = y - self.place.y0;
        let (mut low, mut high) = (i64::MAX, i64::MIN);
        for columns in &mut self.columns[groups.clone()] {
            let rows = columns.rows(row);
            (low, high) = (low.min(rows.start), high.max(rows.end));
        }
        let Task { size, transform, kernel } = self.place.task;
        for (between, (window, out)) in self.between.iter_mut().zip(planes) {
            let pass = |row: i64, sums: &mut Row, lows: &mut Row| {
                self.place.pass(*window, row, groups.clone(), sums, lows);
            };
            between.advance(low..high, pass);
            let values = &mut self.values;
            let gaps = down(kernel, between, (&self.columns, row), groups.clone(), values);
            if self.place.mirrored {
                values[groups.clone()].iter_mut().for_each(|v| v.reverse());
            }
            let from = columns.start - self.place.x0;
            let out = &mut out[to.clone()];
            out.copy_from_slice(&values.as_flattened()[from..from + columns.len()]);
            if gaps {
                for (x, v) in columns.clone().zip(out).filter(|(_, v)| !v.is_finite()) {
                    let at = transform.apply(Point::new(x as f64, y as f64));
                    *v = direct::interpolate(*window, size, at, kernel);
                }
            }
        }
    }
}

impl<'a> Place<'a> {
    fn new(task: Task<'a>) -> Self {
        let middle = Point::new(task.size.width as f64 / 2.0, task.size.height as f64 / 2.0);
        let slope = task.transform.slopes(middle)[1][1];
        Self {
            task,
            middle: (middle.y, slope),
            x0: 0,
            y0: 0,
            mirrored: false,
            below: [Point::new(0.0, 0.0); EDGES],
            end: None,
            heights: [[0.0; EDGES]; 2],
            crossings: [[0.0; EDGES]; SETS],
            rows: [None; SETS],
            along: Box::new([Along::NONE; KEPT]),
        }
    }

    /// Lays the strip of rows from `y0` on over the frame; whether two passes serve there.
    ///
    /// It asks about the whole strip of the whole block, so that every region gets one answer.
    fn lay(&mut self, y0: usize) -> bool {
        self.y0 = y0;
        let at = |y: usize| -> [Point; EDGES] {
            std::array::from_fn(|i| {
                let x = (self.x0 + i * LANES) as f64;
                self.task.transform.apply(Point::new(x, y as f64))
            })
        };
        let above = if self.end == Some(y0) { self.below } else { at(y0) };
        let below = at(y0 + STRIP);
        (self.below, self.end) = (below, Some(y0 + STRIP));
        let mirrored = above[GROUPS].x < above[0].x;
        self.mirrored = mirrored;
        let across = |a: &Point, b: &Point| {
            let turn = if mirrored { -1.0 } else { 1.0 };
            SCALES.contains(&(turn * (b.x - a.x) / LANES as f64))
                && (b.y - a.y).abs() <= LEAN * LANES as f64
        };
        let down = |(a, b): (&Point, &Point)| {
            SCALES.contains(&((b.y - a.y).abs() / STRIP as f64))
                && (b.x - a.x).abs() <= LEAN * STRIP as f64
        };
        let near_rows = [&above, &below].iter().all(|e| e.windows(2).all(|w| across(&w[0], &w[1])))
            && above.iter().zip(&below).all(down);
        self.heights = [above, below].map(|edges| edges.map(|p| p.y));
        near_rows && self.is_straight() && self.cross()
    }

    /// Finds where the columns cross the rows about a strip; whether they do so in order.
    fn cross(&mut self) -> bool {
        let all = self.heights.iter().flatten();
        let (low, high) =
            all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), y| (l.min(*y), h.max(*y)));
        if !(low > -FAR && high < FAR) {
            return false;
        }
        let reach = LOBES as f64 + 1.0;
        let step = STRIP as i64;
        let first = ((low - reach).floor() as i64).div_euclid(step);
        let last = ((high + reach).floor() as i64).div_euclid(step) + 1;
        for index in first..=last {
            let slot = index.rem_euclid(SETS as i64) as usize;
            if self.rows[slot] != Some(index) {
                self.rows[slot] = Some(index);
                self.crossings[slot] = std::array::from_fn(|i| {
                    self.crossing((self.x0 + i * LANES) as f64, (index * step) as f64)
                });
            }
        }
        let set = |index: i64| &self.crossings[index.rem_euclid(SETS as i64) as usize];
        let turn = if self.mirrored { -1.0 } else { 1.0 };
        let apart = |w: &[f64]| SCALES.contains(&(turn * (w[1] - w[0]) / LANES as f64));
        (first..=last).all(|index| set(index).windows(2).all(apart) && straight(set(index)))
    }

    /// Whether what lies between computed positions lies on straight lines.
    fn is_straight(&self) -> bool {
        let [above, below] = &self.heights;
        let down = [0, GROUPS / 2, GROUPS].iter().all(|&i| {
            let (x, y) = ((self.x0 + i * LANES) as f64, (self.y0 + STRIP / 2) as f64);
            let middle = self.task.transform.apply(Point::new(x, y)).y;
            (middle - 0.5 * (above[i] + below[i])).abs() <= BEND
        });
        down && straight(above) && straight(below)
    }

    /// The column of the frame where column `x` of the output crosses `row` of the frame; NaN where
    /// none is found.
    fn crossing(&self, x: f64, row: f64) -> f64 {
        let (mut y, slope) = self.middle;
        for _ in 0..STEPS {
            let at = self.task.transform.apply(Point::new(x, y));
            let off = row - at.y;
            if off.abs() < FOUND {
                return at.x;
            }
            y += off / slope;
        }
        f64::NAN
    }

    /// Takes one row of the frame through the first pass; one that is not there is missing.
    fn pass(
        &mut self,
        window: Window,
        row: i64,
        groups: Range<usize>,
        sums: &mut Row,
        lows: &mut Row,
    ) {
        let from = usize::try_from(row).ok().and_then(|r| r.checked_sub(window.first_row));
        let from = from.and_then(|r| window.samples.chunks_exact(window.width).nth(r));
        let Some(samples) = from else {
            sums[groups].fill([f32::NAN; LANES]);
            return;
        };
        let kept = row.rem_euclid(KEPT as i64) as usize;
        if self.along[kept].row != Some(row) {
            self.lay_along(row, kept);
        }
        let Along { places, parabolas, .. } = &self.along[kept];
        along(self.task.kernel, samples, (places, parabolas), groups, sums, lows);
    }

    /// Finds the places along a row of the frame.
    fn lay_along(&mut self, row: i64, kept: usize) {
        let step = STRIP as i64;
        let index = row.div_euclid(step);
        let t = (row - index * step) as f64 / STRIP as f64;
        let [above, below] =
            [index, index + 1].map(|i| &self.crossings[i.rem_euclid(SETS as i64) as usize]);
        let column = |i: usize| above[i] + t * (below[i] - above[i]);
        let Along { row: of, places, parabolas } = &mut self.along[kept];
        *of = Some(row);
        for (g, place) in places.iter_mut().enumerate() {
            *place = Places::between([column(g), column(g + 1)], self.mirrored, 1.0);
        }
        Places::bend(places, self.task.kernel, parabolas);
    }
}
