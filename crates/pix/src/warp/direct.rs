//! Each place from the 64 samples about it: any transform, holes, rims.

use std::ops::Range;

use multiversion::multiversion;
use wide::f32x8;

use super::Window;
use super::kernel::{Kernel, LOBES, TAPS};
use crate::Size;
use crate::align::{Point, Transform};

/// Columns between positions that are computed; those between lie on straight lines.
const ANCHORS: usize = 16;

/// The share of the kernel that may fall on missing samples.
const MISSING: f32 = 0.1;

/// Fills the part of row `y` of the output at `columns`.
pub(super) fn fill_row(
    window: Window,
    size: Size,
    transform: &Transform,
    (y, columns): (usize, Range<usize>),
    kernel: &Kernel,
    out: &mut [f32],
) {
    let step = 1.0 / ANCHORS as f64;
    let mut x = columns.start;
    while x < columns.end {
        // Anchors do not depend on where the region begins.
        let from = x / ANCHORS * ANCHORS;
        let [a, b] =
            [from, from + ANCHORS].map(|x| transform.apply(Point::new(x as f64, y as f64)));
        let slope = Point::new((b.x - a.x) * step, (b.y - a.y) * step);
        let end = (from + ANCHORS).min(columns.end);
        let part = &mut out[x - columns.start..end - columns.start];
        interpolate_part(window, size, (a, slope, x - from), kernel, part);
        x = end;
    }
}

/// The places from the `first` step on along a line from `start`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn interpolate_part(
    window: Window,
    size: Size,
    (start, slope, first): (Point, Point, usize),
    kernel: &Kernel,
    out: &mut [f32],
) {
    for (i, o) in out.iter_mut().enumerate() {
        let t = (first + i) as f64;
        let at = Point::new(start.x + t * slope.x, start.y + t * slope.y);
        *o = interpolate(window, size, at, kernel);
    }
}

/// The value at one place; NaN beyond the frame and where too much is missing.
#[inline(always)]
pub(super) fn interpolate(window: Window, size: Size, at: Point, kernel: &Kernel) -> f32 {
    let inside = at.x > -0.5
        && at.y > -0.5
        && at.x < size.width as f64 - 0.5
        && at.y < size.height as f64 - 0.5;
    if !inside {
        return f32::NAN;
    }
    let (fx, fy) = (at.x.floor(), at.y.floor());
    let (wx, wy) = (kernel.tabled(at.x - fx), kernel.tabled(at.y - fy));
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
        if sum >= around && sum < f32::INFINITY {
            return sum;
        }
        if sum.is_finite() {
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
    let [rows, columns] = [(y0, size.height), (x0, size.width)].map(|(first, end)| {
        let inside = |tap: isize| (tap.clamp(0, TAPS as isize)) as usize;
        inside(-first)..inside(end as isize - first)
    });
    let line = |j: usize| -> &[f32] {
        let start = ((y0 + j as isize) as usize - window.first_row) * window.width;
        &window.samples[start..start + window.width]
    };
    let near = (at.x.round() as isize, at.y.round() as isize);
    let first = (x0 + columns.start as isize) as usize;
    if !line((near.1 - y0) as usize)[near.0 as usize].is_finite() {
        return f32::NAN;
    }
    let share = |w: &[f32]| w.iter().map(|w| w.abs()).sum::<f32>();
    let inside = share(&wx[columns.clone()]) * share(&wy[rows.clone()]);
    let mut missing = share(wx) * share(wy) - inside;
    if missing > MISSING {
        return f32::NAN;
    }
    let (mut sum, mut weights, mut low) = (0.0f32, 0.0f32, f32::INFINITY);
    for j in rows {
        for (wx, v) in wx[columns.clone()].iter().zip(&line(j)[first..]) {
            let w = wx * wy[j];
            if v.is_finite() {
                sum += w * v;
                weights += w;
                low = low.min(*v);
            } else {
                missing += w.abs();
            }
        }
    }
    if missing > MISSING { f32::NAN } else { (sum / weights).max(low) }
}
