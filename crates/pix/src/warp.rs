//! Frames brought onto the pixels of another, by one interpolation.

use std::ops::Range;

use multiversion::multiversion;
use wide::f32x8;

use crate::Size;
use crate::align::{Point, Transform};

/// Lobes of the kernel to either side.
const LOBES: usize = 4;

/// Samples that the kernel takes along an axis.
const TAPS: usize = 2 * LOBES;

/// Steps between pixels for which the kernel is tabled: positions are good to half a thousandth of
/// a pixel.
const PHASES: usize = 1024;

/// Columns between positions that are computed; those between lie on straight lines.
const ANCHORS: usize = 16;

/// The share of the kernel that may fall on missing samples.
const MISSING: f32 = 0.1;

/// Lanczos' kernel of four lobes, tabled.
///
/// # Source
/// Lanczos1956: sinc(x) sinc(x / 4) within four pixels; each set of weights is scaled to a sum of
/// 1, so that an even background stays what it is.
#[derive(Debug, Clone)]
pub struct Kernel {
    table: Vec<[f32; TAPS]>,
}

impl Default for Kernel {
    fn default() -> Self {
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { x.sin() / x };
        let lanczos = |x: f64| {
            let t = std::f64::consts::PI * x;
            // Exactly nothing at other pixels' centres, which the sine of a rounded pi is not.
            let other = x != 0.0 && x.fract() == 0.0;
            if other || x.abs() >= LOBES as f64 { 0.0 } else { sinc(t) * sinc(t / LOBES as f64) }
        };
        let table = (0..=PHASES)
            .map(|phase| {
                let shift = phase as f64 / PHASES as f64;
                let taps: [f64; TAPS] =
                    std::array::from_fn(|i| lanczos(i as f64 - (LOBES as f64 - 1.0) - shift));
                let sum: f64 = taps.iter().sum();
                taps.map(|t| (t / sum) as f32)
            })
            .collect();
        Self { table }
    }
}

/// Rows of a frame at hand; missing samples are NaN.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// The samples, row after row.
    pub samples: &'a [f32],
    /// The row of the frame that they begin with.
    pub first_row: usize,
    /// Columns of the frame.
    pub width: usize,
}

impl Window<'_> {
    /// The sample at column `x` of row `y` of the frame, which must be at hand.
    pub fn at(&self, x: usize, y: usize) -> f32 {
        self.samples[(y - self.first_row) * self.width + x]
    }
}

/// The rows of a frame of `size` that a region of the output needs.
pub fn rows_needed(
    transform: &Transform,
    rows: &Range<usize>,
    columns: &Range<usize>,
    size: Size,
) -> Range<usize> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut see = |x: usize, y: usize| {
        let at = transform.apply(Point::new(x as f64, y as f64)).y;
        low = low.min(at);
        high = high.max(at);
    };
    let (last_column, last_row) = (columns.end.max(1) - 1, rows.end.max(1) - 1);
    // Lines bend little between anchors.
    for x in columns.clone().step_by(ANCHORS).chain([last_column]) {
        see(x, rows.start);
        see(x, last_row);
    }
    for y in rows.clone().step_by(ANCHORS) {
        see(columns.start, y);
        see(last_column, y);
    }
    if !(low.is_finite() && high.is_finite()) {
        return 0..0;
    }
    let reach = LOBES as f64 + 1.0;
    let clamp = |v: f64| v.clamp(0.0, size.height as f64) as usize;
    clamp((low - reach).floor())..clamp((high + reach).ceil() + 1.0)
}

/// Fills a region of the output, row after row, from a window that has all the rows it needs.
///
/// `transform` takes pixels of the output to those of the frame. What lies beyond the frame, or
/// rests on missing samples by more than a tenth, is NaN. An interpolated value is never lower
/// than the lowest sample it is made of: beside bright stars the kernel would leave dark rings.
pub fn warp(
    window: Window,
    size: Size,
    transform: &Transform,
    rows: Range<usize>,
    columns: Range<usize>,
    kernel: &Kernel,
    out: &mut [f32],
) {
    let mut places = vec![Point::new(0.0, 0.0); columns.len()];
    for (y, row) in rows.zip(out.chunks_exact_mut(columns.len())) {
        along(transform, y, &columns, &mut places);
        interpolate_row(window, size, &places, kernel, row);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn interpolate_row(window: Window, size: Size, places: &[Point], kernel: &Kernel, out: &mut [f32]) {
    for (o, at) in out.iter_mut().zip(places) {
        *o = interpolate(window, size, *at, kernel);
    }
}

/// The places of a row's pixels in the frame.
fn along(transform: &Transform, y: usize, columns: &Range<usize>, out: &mut [Point]) {
    let mut x = columns.start;
    while x < columns.end {
        // Anchors do not depend on where the region begins.
        let from = x / ANCHORS * ANCHORS;
        let [a, b] =
            [from, from + ANCHORS].map(|x| transform.apply(Point::new(x as f64, y as f64)));
        let step = 1.0 / ANCHORS as f64;
        let (dx, dy) = ((b.x - a.x) * step, (b.y - a.y) * step);
        let end = (from + ANCHORS).min(columns.end);
        for x in x..end {
            let t = (x - from) as f64;
            out[x - columns.start] = Point::new(a.x + t * dx, a.y + t * dy);
        }
        x = end;
    }
}

#[inline(always)]
fn interpolate(window: Window, size: Size, at: Point, kernel: &Kernel) -> f32 {
    let inside = at.x > -0.5
        && at.y > -0.5
        && at.x < size.width as f64 - 0.5
        && at.y < size.height as f64 - 0.5;
    if !inside {
        return f32::NAN;
    }
    let (fx, fy) = (at.x.floor(), at.y.floor());
    let phase = |t: f64| &kernel.table[(t * PHASES as f64 + 0.5) as usize];
    let (wx, wy) = (phase(at.x - fx), phase(at.y - fy));
    let (x0, y0) = (fx as isize - (LOBES as isize - 1), fy as isize - (LOBES as isize - 1));
    let whole =
        x0 >= 0 && y0 >= 0 && x0 as usize + TAPS <= size.width && y0 as usize + TAPS <= size.height;
    if whole {
        let first = (y0 as usize - window.first_row) * window.width + x0 as usize;
        let rows = |j: usize| -> &[f32; TAPS] {
            let start = first + j * window.width;
            window.samples[start..start + TAPS].try_into().expect("as many as taps")
        };
        // Down the columns first: as many sums side by side as there are taps, in two chains.
        let (mut even, mut odd) = (f32x8::ZERO, f32x8::ZERO);
        for j in (0..TAPS).step_by(2) {
            even += f32x8::splat(wy[j]) * f32x8::from(*rows(j));
            odd += f32x8::splat(wy[j + 1]) * f32x8::from(*rows(j + 1));
        }
        let s = ((even + odd) * f32x8::from(*wx)).to_array();
        let sum = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
        // Between the four pixels around it a value is above the lowest of all, as a rule.
        let [above, below] = [rows(LOBES - 1), rows(LOBES)];
        let lower = |a: f32, b: f32| if a < b { a } else { b };
        let around =
            lower(lower(above[LOBES - 1], above[LOBES]), lower(below[LOBES - 1], below[LOBES]));
        if sum >= around {
            return sum;
        }
        if !sum.is_nan() {
            let lowest = (0..TAPS).flat_map(|j| *rows(j)).fold(f32::INFINITY, f32::min);
            return if sum < lowest { lowest } else { sum };
        }
    }
    with_gaps(window, size, (x0, y0), (wx, wy), at)
}

/// The same where samples are missing.
#[cold]
fn with_gaps(
    window: Window,
    size: Size,
    (x0, y0): (isize, isize),
    (wx, wy): (&[f32; TAPS], &[f32; TAPS]),
    at: Point,
) -> f32 {
    let sample = |x: isize, y: isize| {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        if x >= size.width || y >= size.height {
            return None;
        }
        let v = window.samples[(y - window.first_row) * window.width + x];
        v.is_finite().then_some(v)
    };
    if sample(at.x.round() as isize, at.y.round() as isize).is_none() {
        return f32::NAN;
    }
    let (mut sum, mut weights, mut missing, mut low) = (0.0f32, 0.0f32, 0.0f32, f32::INFINITY);
    for (j, wy) in wy.iter().enumerate() {
        for (i, wx) in wx.iter().enumerate() {
            let w = wx * wy;
            match sample(x0 + i as isize, y0 + j as isize) {
                Some(v) => {
                    sum += w * v;
                    weights += w;
                    low = low.min(v);
                }
                None => missing += w.abs(),
            }
        }
    }
    if missing > MISSING { f32::NAN } else { (sum / weights).max(low) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plane;

    fn run(
        source: &Plane<f32>,
        t: &Transform,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Vec<f32> {
        let size = source.size();
        let needed = rows_needed(t, &rows, &columns, size);
        let window = Window {
            samples: source.rows(needed.start, needed.end),
            first_row: needed.start,
            width: size.width,
        };
        let mut out = vec![0.0; rows.len() * columns.len()];
        warp(window, size, t, rows, columns, &Kernel::default(), &mut out);
        out
    }

    fn star(x: f64, y: f64) -> f32 {
        (1000.0 * (-0.5 * (x * x + y * y) / 2.25).exp() + 100.0) as f32
    }

    #[test]
    fn nothing_moved_is_nothing_changed() {
        let source = Plane::from_fn(Size::new(40, 30), |x, y| ((x * 7 + y * 13) % 50) as f32);
        let out = run(&source, &Transform::IDENTITY, 0..30, 0..40);
        assert_eq!(out[..], source.as_slice()[..]);
    }

    #[test]
    fn a_star_moves_by_a_fraction_and_turns_with_its_flux() {
        let size = Size::new(60, 50);
        let source = Plane::from_fn(size, |x, y| star(x as f64 - 30.0, y as f64 - 25.0));
        for (angle, dx, dy) in
            [(0.0f64, 0.37, -0.81), (0.3, 1.2, 2.6), (std::f64::consts::PI, 0.5, 0.5)]
        {
            let (c, s) = (angle.cos(), angle.sin());
            let t = Transform::affine(
                c,
                -s,
                30.0 + dx - 30.0 * c + 25.0 * s,
                s,
                c,
                25.0 + dy - 30.0 * s - 25.0 * c,
            );
            let out = run(&source, &t, 10..40, 15..45);
            let centre = t.invert(Point::new(30.0, 25.0)).unwrap();
            for (i, v) in out.iter().enumerate() {
                let (x, y) = ((15 + i % 30) as f64, (10 + i / 30) as f64);
                let expected = star(x - centre.x, y - centre.y);
                // Half a percent of the peak: the ripple of the kernel.
                assert!((v - expected).abs() < 5.0, "({x}, {y}): {v} {expected}");
            }
        }
    }

    #[test]
    fn parts_make_the_whole() {
        let size = Size::new(90, 70);
        let source = Plane::from_fn(size, |x, y| ((x * 31 + y * 17) % 97) as f32);
        let t = Transform::affine(0.98, -0.11, 7.3, 0.1, 1.01, -4.2);
        let whole = run(&source, &t, 0..70, 0..90);
        for (rows, columns) in [(0..35, 0..90), (13..14, 5..80), (60..70, 33..34)] {
            let part = run(&source, &t, rows.clone(), columns.clone());
            for (i, v) in part.iter().enumerate() {
                let at = (rows.start + i / columns.len()) * 90 + columns.start + i % columns.len();
                assert_eq!(v.to_bits(), whole[at].to_bits());
            }
        }
    }

    #[test]
    fn holes_stay_holes_and_edges_end() {
        let size = Size::new(30, 30);
        let mut source = Plane::filled(size, 5.0f32);
        source.set(15, 15, f32::NAN);
        let t = Transform::affine(1.0, 0.0, 0.4, 0.0, 1.0, 0.0);
        let out = run(&source, &t, 0..30, 0..30);
        assert!(out[15 * 30 + 15].is_nan() && out[15 * 30 + 14].is_nan());
        assert!((out[15 * 30 + 20] - 5.0).abs() < 1e-4 && (out[10 * 30 + 15] - 5.0).abs() < 1e-4);
        // The rim, where too much of the kernel lies beyond the frame, ends.
        assert!(out[0].is_nan() && (out[3 * 30 + 3] - 5.0).abs() < 1e-4);
        let away = Transform::affine(1.0, 0.0, 500.0, 0.0, 1.0, 0.0);
        assert!(run(&source, &away, 0..30, 0..30).iter().all(|v| v.is_nan()));
    }
}
