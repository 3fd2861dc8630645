//! Frames dropped onto a finer grid: every pixel's light is spread by area, none is interpolated.
//!
//! A pixel of the output is taken into the frame, where it is a quadrilateral, and shares its area
//! with the drops, squares about the middles of the frame's pixels. Neighbours share their corners,
//! so that what one does not take of a drop the next one does. Overlaps are exact, not those of
//! boxes along the axes.

// Loops over lanes index several rows at once; a zip of five would say less.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use multiversion::multiversion;

use crate::align::{Point, Transform};
use crate::warp::{Window, rows_about};
use crate::{CfaColor, CfaPattern, Size};

/// Pixels of the output that are worked on side by side; corners between lie on straight lines.
const LANES: usize = 16;

/// One number a pixel of the output.
type Lanes = [f32; LANES];

/// Pixels of the frame that one of the output may span; a grid so coarse is not what drops are for.
const WIDEST: f64 = 16.0;

/// The share of a pixel that drops must cover: less is as likely rounding.
const LEAST_COVERAGE: f32 = 1e-5;

/// A slope flatter than this is flat, to the digits of f32.
const FLAT: f32 = 1e-20;

/// The drops of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drops {
    side: f64,
    colour: Option<(CfaPattern, CfaColor)>,
}

impl Drops {
    /// Drops of a `side` in pixels of the frame, above 0 and no more than 1; of the pixels under one
    /// colour only, where a filter array is given: nothing is interpolated between them.
    pub fn new(side: f64, colour: Option<(CfaPattern, CfaColor)>) -> Option<Self> {
        (side > 0.0 && side <= 1.0).then_some(Self { side, colour })
    }

    /// The rows of a frame of `size` that a region of the output needs.
    pub fn rows_needed(
        &self,
        transform: &Transform,
        rows: &Range<usize>,
        columns: &Range<usize>,
        size: Size,
    ) -> Range<usize> {
        let rim = |r: &Range<usize>| [r.start as f64 - 0.5, r.end as f64 - 0.5];
        rows_about(transform, rim(columns), rim(rows), size, 1.5)
    }

    fn takes(&self, x: usize, y: usize) -> bool {
        self.colour.is_none_or(|(cfa, colour)| cfa.color(x, y) == colour)
    }

    fn taken(&self) -> Taken {
        let period = self.colour.map_or(1, |(cfa, _)| cfa.period());
        let row = |y: usize| (0..TABLED).fold(0, |row, x| row | u32::from(self.takes(x, y)) << x);
        Taken { period, rows: std::array::from_fn(row) }
    }
}

/// Pixels that a table of what drops goes on for: a period, and the most that one pixel may meet.
const TABLED: usize = 32;

/// Which pixels drop, a bit each.
struct Taken {
    period: usize,
    rows: [u32; TABLED],
}

impl Taken {
    #[inline(always)]
    fn at(&self, x: usize, y: usize) -> bool {
        self.rows[y % TABLED] >> (x % TABLED) & 1 == 1
    }
}

/// Where a region goes, row after row.
#[derive(Debug)]
pub struct Drizzled<'a> {
    /// The mean of the samples whose drops cover a pixel, weighted with the area that they cover,
    /// in the unit of the samples: an even background stays what it is. NaN where drops cover less
    /// than a hundred-thousandth.
    pub value: &'a mut [f32],
    /// How much of a pixel drops cover: 1 for drops as large as pixels, where none is missing.
    pub coverage: &'a mut [f32],
}

/// Fills a region of the output from a window that has all the rows it needs.
///
/// `transform` takes pixels of the output to those of the frame ([`Transform::from_finer_grid`]).
/// Samples that are not finite and what lies beyond the frame drop nothing.
///
/// # Source
/// FruchterHook2002, for one frame, without the factor that makes a sum of light of surface
/// brightness; frames are put together by a mean that is weighted with their coverage.
pub fn drizzle(
    window: Window,
    size: Size,
    transform: &Transform,
    (rows, columns): (Range<usize>, Range<usize>),
    drops: &Drops,
    out: &mut Drizzled,
) {
    let width = columns.len();
    if width == 0 {
        return;
    }
    // Groups do not depend on where the region begins.
    let first = columns.start / LANES * LANES;
    let groups = (columns.end - first).div_ceil(LANES);
    let corners = |y: usize, to: &mut Line| {
        let at = |x: usize| transform.apply(Point::new(x as f64 - 0.5, y as f64 - 0.5));
        let mut a = at(first);
        for g in 0..groups {
            let b = at(first + (g + 1) * LANES);
            for lane in 0..=LANES {
                let part = lane as f64 / LANES as f64;
                to.x[g * LANES + lane] = a.x + part * (b.x - a.x);
                to.y[g * LANES + lane] = a.y + part * (b.y - a.y);
            }
            a = b;
        }
    };
    let line = || Line { x: vec![0.0; groups * LANES + 1], y: vec![0.0; groups * LANES + 1] };
    let (mut above, mut below) = (line(), line());
    let source = Source { window, size, drops, taken: drops.taken() };
    corners(rows.start, &mut below);
    let lines = out.value.chunks_exact_mut(width).zip(out.coverage.chunks_exact_mut(width));
    for (y, (values, coverages)) in rows.zip(lines) {
        std::mem::swap(&mut above, &mut below);
        corners(y + 1, &mut below);
        for g in 0..groups {
            let (value, coverage) = drop_group(&source, (&above, &below), g * LANES);
            let x0 = first + g * LANES;
            let part = columns.start.max(x0)..columns.end.min(x0 + LANES);
            let to = part.start - columns.start..part.end - columns.start;
            let from = part.start - x0..part.end - x0;
            values[to.clone()].copy_from_slice(&value[from.clone()]);
            coverages[to].copy_from_slice(&coverage[from]);
        }
    }
}

/// Corners of pixels in the frame, along a line.
struct Line {
    x: Vec<f64>,
    y: Vec<f64>,
}

/// What drops.
struct Source<'a> {
    window: Window<'a>,
    size: Size,
    drops: &'a Drops,
    taken: Taken,
}

impl Source<'_> {
    /// A sample that drops; NaN where none does.
    fn sample(&self, x: f64, y: f64) -> f32 {
        let (width, height) = (self.size.width as f64, self.size.height as f64);
        if !(x >= 0.0 && x < width && y >= 0.0 && y < height) {
            return f32::NAN;
        }
        let (x, y) = (x as usize, y as usize);
        let row = y.checked_sub(self.window.first_row);
        let v = row.and_then(|row| self.window.samples.get(row * self.window.width + x));
        v.filter(|_| self.drops.takes(x, y)).copied().unwrap_or(f32::NAN)
    }
}

/// Values and coverages of a group whose corners lie along two lines.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn drop_group(source: &Source, (above, below): (&Line, &Line), from: usize) -> (Lanes, Lanes) {
    let (mut value, mut coverage) = ([f32::NAN; LANES], [0.0; LANES]);
    let &Source { window, size, drops, .. } = source;
    let half = 0.5 * drops.side;
    let [ax, ay] = [&above.x[from..=from + LANES], &above.y[from..=from + LANES]];
    let [bx, by] = [&below.x[from..=from + LANES], &below.y[from..=from + LANES]];
    // The first pixel of the frame whose drop each may meet, and how many they may meet at most.
    let (mut x0, mut y0) = ([0.0f64; LANES], [0.0f64; LANES]);
    let (mut across, mut down) = ([0.0f64; LANES], [0.0f64; LANES]);
    let mut quads = [[[0.0f32; LANES]; 2]; 4];
    for lane in 0..LANES {
        let x = [ax[lane], ax[lane + 1], bx[lane + 1], bx[lane]];
        let y = [ay[lane], ay[lane + 1], by[lane + 1], by[lane]];
        let (left, right) = ends(x);
        let (top, bottom) = ends(y);
        let near = (right - left <= WIDEST)
            & (bottom - top <= WIDEST)
            & (right > -1.0)
            & (bottom > -1.0)
            & (left < size.width as f64)
            & (top < size.height as f64);
        x0[lane] = (left - half).floor() + 1.0;
        y0[lane] = (top - half).floor() + 1.0;
        across[lane] = if near { (right + half).ceil() - x0[lane] } else { 0.0 };
        down[lane] = if near { (bottom + half).ceil() - y0[lane] } else { 0.0 };
        // What has nothing to meet is a quadrilateral without area.
        let on = |v: f64, from: f64| if near { (v - from) as f32 } else { 0.0 };
        for k in 0..4 {
            quads[k][0][lane] = on(x[k], x0[lane]);
            quads[k][1][lane] = on(y[k], y0[lane]);
        }
        x0[lane] = if near { x0[lane] } else { -1.0 };
        y0[lane] = if near { y0[lane] } else { -1.0 };
    }
    let most = |of: &[f64; LANES]| of.iter().fold(0.0, |most, v| if *v > most { *v } else { most });
    let (across, down) = (most(&across) as i64, most(&down) as i64);
    if across == 0 || down == 0 {
        return (value, coverage);
    }
    let mut edges = Edges::default();
    lay_edges(&quads, drops.side as f32, &mut edges);
    // Where all that may be met lies in the window, and what of it drops repeats every few pixels.
    let mut inside = true;
    let (mut index, mut phase) = ([0usize; LANES], [(0usize, 0usize); LANES]);
    for lane in 0..LANES {
        let row = y0[lane] - window.first_row as f64;
        let last = x0[lane] + across as f64;
        inside &= (x0[lane] >= 0.0) & (last <= window.width as f64) & (row >= 0.0);
        let (x, y) = (x0[lane] as u32 as usize, y0[lane] as u32 as usize);
        index[lane] = row as u32 as usize * window.width + x;
        phase[lane] = (x % source.taken.period, y % source.taken.period);
        inside &= index[lane] + down as usize * window.width <= window.samples.len();
    }
    let (mut sum, mut shares) = ([0.0; LANES], [0.0; LANES]);
    for j in 0..down as usize {
        for i in 0..across as usize {
            let mut v = [f32::NAN; LANES];
            if inside {
                for lane in 0..LANES {
                    v[lane] = window.samples[index[lane] + j * window.width + i];
                }
                if drops.colour.is_some() {
                    for lane in 0..LANES {
                        let taken = source.taken.at(phase[lane].0 + i, phase[lane].1 + j);
                        v[lane] = if taken { v[lane] } else { f32::NAN };
                    }
                }
            } else {
                for lane in 0..LANES {
                    v[lane] = source.sample(x0[lane] + i as f64, y0[lane] + j as f64);
                }
            }
            add_overlaps(&edges, [i as f32, j as f32], &v, (&mut sum, &mut shares));
        }
    }
    for lane in 0..LANES {
        let area = edges.area[lane];
        let share = shares[lane] / area;
        coverage[lane] = if area > 0.0 { share } else { 0.0 };
        let mean = sum[lane] / shares[lane];
        value[lane] = if coverage[lane] >= LEAST_COVERAGE { mean } else { f32::NAN };
    }
    (value, coverage)
}

/// The least and the greatest of the coordinates of corners.
#[inline(always)]
fn ends([a, b, c, d]: [f64; 4]) -> (f64, f64) {
    let lower = |a: f64, b: f64| if a < b { a } else { b };
    let higher = |a: f64, b: f64| if a > b { a } else { b };
    (lower(lower(a, b), lower(c, d)), higher(higher(a, b), higher(c, d)))
}

/// Quadrilaterals in units of a drop's side, the first drop between 0 and 1.
#[derive(Debug, Default)]
struct Edges {
    /// Corners, around.
    x: [Lanes; 4],
    y: [Lanes; 4],
    /// Of the edge from each corner to the next: how much y grows with x, and one over its size.
    slope: [Lanes; 4],
    flatness: [Lanes; 4],
    /// One way or the other around.
    sign: Lanes,
    /// In units of a drop's area.
    area: Lanes,
    /// From one drop to the next.
    step: f32,
}

#[inline(always)]
fn lay_edges(quads: &[[Lanes; 2]; 4], side: f32, out: &mut Edges) {
    let per_side = 1.0 / side;
    out.step = per_side;
    for k in 0..4 {
        for lane in 0..LANES {
            out.x[k][lane] = (quads[k][0][lane] + 0.5 * side) * per_side;
            out.y[k][lane] = (quads[k][1][lane] + 0.5 * side) * per_side;
        }
    }
    for k in 0..4 {
        let next = (k + 1) % 4;
        for lane in 0..LANES {
            let (dx, dy) = (out.x[next][lane] - out.x[k][lane], out.y[next][lane] - out.y[k][lane]);
            let (upright, run) = (dx == 0.0, if dx == 0.0 { 1.0 } else { dx });
            let slope = if upright { 0.0 } else { dy / run };
            let steep = slope.abs();
            out.slope[k][lane] = slope;
            out.flatness[k][lane] = 1.0 / if steep > FLAT { steep } else { FLAT };
        }
    }
    for lane in 0..LANES {
        let across =
            |k: usize| (out.x[k + 2][lane] - out.x[k][lane], out.y[k + 2][lane] - out.y[k][lane]);
        let (a, b) = (across(0), across(1));
        let area = 0.5 * (a.0 * b.1 - a.1 * b.0);
        out.sign[lane] = if area < 0.0 { 1.0 } else { -1.0 };
        out.area[lane] = area.abs();
    }
}

/// Adds what one drop, some steps on, shares with each quadrilateral: the area between its edges
/// and the axis, edges held to the drop, the far ones less the near ones.
#[inline(always)]
fn add_overlaps(edges: &Edges, drop: [f32; 2], v: &Lanes, (sum, shares): (&mut Lanes, &mut Lanes)) {
    let [left, top] = drop.map(|steps| steps * edges.step);
    let held = |v: f32, most: f32| {
        let v = if v > 0.0 { v } else { 0.0 };
        if v < most { v } else { most }
    };
    let mut area = [0.0f32; LANES];
    for k in 0..4 {
        let next = (k + 1) % 4;
        for lane in 0..LANES {
            let (x, y) = (edges.x[k][lane] - left, edges.y[k][lane] - top);
            let (from, to) = (held(x, 1.0), held(edges.x[next][lane] - left, 1.0));
            let slope = edges.slope[k][lane];
            let (a, b) = (y + slope * (from - x), y + slope * (to - x));
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            // Lengths along x of what lies before the drop, and beyond it.
            let before = held(-low, high - low) * edges.flatness[k][lane];
            let run = (to - from).abs();
            let beyond = held(held(high - 1.0, high - low) * edges.flatness[k][lane], run);
            let inner = run - before - beyond;
            let middle = 0.5 * (held(low, 1.0) + held(high, 1.0));
            let under = beyond + if inner > 0.0 { inner } else { 0.0 } * middle;
            area[lane] += if to > from { under } else { -under };
        }
    }
    for lane in 0..LANES {
        let area = area[lane] * edges.sign[lane];
        let there = v[lane].abs() < f32::INFINITY;
        let area = if there & (area > 0.0) { area } else { 0.0 };
        sum[lane] += area * if there { v[lane] } else { 0.0 };
        shares[lane] += area;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plane;

    struct Out {
        value: Vec<f32>,
        coverage: Vec<f32>,
        width: usize,
    }

    fn run(
        source: &Plane<f32>,
        t: &Transform,
        (rows, columns): (Range<usize>, Range<usize>),
        drops: Drops,
    ) -> Out {
        let size = source.size();
        let needed = drops.rows_needed(t, &rows, &columns, size);
        let window = Window {
            samples: source.rows(needed.start, needed.end),
            first_row: needed.start,
            width: size.width,
        };
        let pixels = rows.len() * columns.len();
        let (mut value, mut coverage) = (vec![0.0; pixels], vec![0.0; pixels]);
        let mut out = Drizzled { value: &mut value, coverage: &mut coverage };
        drizzle(window, size, t, (rows, columns.clone()), &drops, &mut out);
        Out { value, coverage, width: columns.len() }
    }

    /// From a grid of twice as many pixels: turned about the frame's middle, scaled, shifted.
    fn turned(size: Size, degrees: f64, (sx, sy): (f64, f64)) -> Transform {
        let (s, c) = degrees.to_radians().sin_cos();
        let (mx, my) = (size.width as f64 / 2.0, size.height as f64 / 2.0);
        let [a, b, d, e] = [sx * c, -sy * s, sx * s, sy * c];
        let t =
            Transform::affine(a, b, mx - a * mx - b * my + 0.3, d, e, my - d * mx - e * my - 0.7);
        t.from_finer_grid(2.0)
    }

    const TURNS: [(f64, (f64, f64)); 7] = [
        (0.0, (1.0, 1.0)),
        (0.01, (1.0, 1.0)),
        (3.0, (1.01, 1.0)),
        (45.0, (1.0, 1.0)),
        (90.0, (1.0, 1.0)),
        (180.2, (1.0, -1.0)),
        (77.0, (-1.3, 0.8)),
    ];

    #[test]
    fn light_is_neither_lost_nor_made() {
        let size = Size::new(60, 50);
        let star = |x: usize, y: usize| {
            let d2 = (x as f64 - 30.3).powi(2) + (y as f64 - 24.6).powi(2);
            (1000.0 * (-0.5 * d2 / 2.0).exp()) as f32
        };
        let source = Plane::from_fn(size, star);
        let total: f64 = source.as_slice().iter().map(|v| f64::from(*v)).sum();
        for (degrees, scales) in TURNS {
            let t = turned(size, degrees, scales);
            // Pixels of the frame that one of the output holds.
            let area = t.magnification(Point::new(60.0, 50.0)).powi(2);
            for side in [1.0, 0.7, 0.3] {
                let drops = Drops::new(side, None).unwrap();
                let out = run(&source, &t, (0..100, 0..120), drops);
                let dropped =
                    |v: f32, c: f32| if v.is_nan() { 0.0 } else { f64::from(v) * f64::from(c) };
                let got: f64 =
                    out.value.iter().zip(&out.coverage).map(|(v, c)| dropped(*v, *c)).sum();
                let expected = total * side * side / area;
                // What covers too little of a pixel to count is the rest.
                assert!((got / expected - 1.0).abs() < 1e-4, "{degrees} {side}: {got} {expected}");
            }
            let whole = run(&source, &t, (0..100, 0..120), Drops::new(1.0, None).unwrap());
            let flux: f64 = whole.value.iter().filter(|v| !v.is_nan()).map(|v| f64::from(*v)).sum();
            assert!((flux * area / total - 1.0).abs() < 1e-4, "{degrees}: {}", flux * area);
        }
    }

    #[test]
    fn an_even_background_stays_and_is_covered_once() {
        let size = Size::new(40, 30);
        let source = Plane::filled(size, 1234.5f32);
        for (degrees, scales) in TURNS {
            let t = turned(size, degrees, scales);
            for side in [1.0, 0.6] {
                let out = run(&source, &t, (0..60, 0..80), Drops::new(side, None).unwrap());
                assert!(out.value.iter().any(|v| !v.is_nan()));
                for (v, c) in out.value.iter().zip(&out.coverage) {
                    assert!(v.is_nan() || (v / 1234.5 - 1.0).abs() < 1e-6, "{degrees}: {v}");
                    assert!((0.0..=1.0 + 1e-4).contains(c) && v.is_nan() == (*c < 1e-5), "{c}");
                }
                // In the middle, away from the rim.
                let middle = out.coverage[30 * out.width + 40];
                assert!(side < 1.0 || (middle - 1.0).abs() < 1e-4, "{degrees}: {middle}");
            }
        }
    }

    #[test]
    fn overlaps_are_those_of_counting_points() {
        let size = Size::new(20, 20);
        let mut source = Plane::filled(size, f32::NAN);
        source.set(9, 10, 7.0);
        for (degrees, scales) in TURNS {
            let t = turned(size, degrees, scales);
            let out = run(&source, &t, (0..40, 0..40), Drops::new(0.8, None).unwrap());
            for (i, c) in out.coverage.iter().enumerate() {
                let (x, y) = ((i % 40) as f64, (i / 40) as f64);
                let mut inside = 0;
                for k in 0..2500 {
                    let part = |k: i32| (f64::from(k) + 0.5) / 50.0 - 0.5;
                    let at = t.apply(Point::new(x + part(k % 50), y + part(k / 50)));
                    inside += i32::from((at.x - 9.0).abs() < 0.4 && (at.y - 10.0).abs() < 0.4);
                }
                let expected = f64::from(inside) / 2500.0;
                assert!(
                    (f64::from(*c) - expected).abs() < 0.02,
                    "{degrees} ({x}, {y}): {c} {expected}"
                );
            }
        }
    }

    #[test]
    fn only_the_pixels_of_a_colour_drop() {
        let cfa = CfaPattern::parse("RGGB").unwrap();
        let size = Size::new(24, 20);
        let level = |x, y| [10.0, 20.0, 30.0][cfa.color(x, y).channel()];
        let source = Plane::from_fn(size, level);
        let t = turned(size, 2.0, (1.0, 1.0));
        let mut covered = 0.0;
        for (colour, expected) in CfaColor::ALL.into_iter().zip([10.0, 20.0, 30.0]) {
            let drops = Drops::new(1.0, Some((cfa, colour))).unwrap();
            let out = run(&source, &t, (0..40, 0..48), drops);
            assert!(out.value.iter().any(|v| v.is_nan()));
            let known: Vec<f32> = out.value.iter().copied().filter(|v| !v.is_nan()).collect();
            assert!(!known.is_empty() && known.iter().all(|v| (v - expected).abs() < 1e-4));
            covered += out.coverage[20 * out.width + 24];
        }
        // What one colour leaves the others cover.
        assert!((covered - 1.0).abs() < 1e-4, "{covered}");
    }

    #[test]
    fn parts_make_the_whole_and_what_is_missing_stays_so() {
        let size = Size::new(70, 60);
        let mut source = Plane::from_fn(size, |x, y| ((x * 31 + y * 17) % 97) as f32);
        source.set(30, 30, f32::NAN);
        source.set(31, 30, f32::INFINITY);
        let t = turned(size, 7.0, (1.0, 1.0));
        let drops = Drops::new(0.7, None).unwrap();
        let whole = run(&source, &t, (0..120, 0..140), drops);
        assert!(whole.value.iter().all(|v| !v.is_infinite()));
        for (rows, columns) in [(0..61, 0..140), (17..18, 33..34), (90..120, 5..111)] {
            let part = run(&source, &t, (rows.clone(), columns.clone()), drops);
            for i in 0..part.value.len() {
                let at = (rows.start + i / columns.len()) * 140 + columns.start + i % columns.len();
                assert_eq!(part.value[i].to_bits(), whole.value[at].to_bits());
                assert_eq!(part.coverage[i].to_bits(), whole.coverage[at].to_bits());
            }
        }
        for t in [
            Transform::affine(1.0, 0.0, 1e18, 0.0, 1.0, 1e18),
            Transform::affine(0.0, 0.0, 5.0, 0.0, 0.0, 5.0),
            Transform::affine(1e9, 0.0, 0.0, 0.0, 1e9, 0.0),
            Transform::affine(f64::NAN, 0.0, 0.0, 0.0, 1.0, 0.5),
        ] {
            let out = run(&source, &t, (0..20, 0..20), drops);
            assert!(out.value.iter().all(|v| v.is_nan()), "{t:?}");
            assert!(out.coverage.iter().all(|c| *c == 0.0), "{t:?}");
        }
        assert_eq!(Drops::new(0.0, None), None);
        assert_eq!(Drops::new(f64::NAN, None), None);
        assert_eq!(Drops::new(1.5, None), None);
    }
}
