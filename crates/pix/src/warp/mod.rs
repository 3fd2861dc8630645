//! Frames brought onto the pixels of another, by one interpolation.

mod direct;
mod kernel;
mod lanes;
mod passes;

use std::ops::Range;

use crate::Size;
use crate::align::{Point, Transform};

pub use kernel::Kernel;
use kernel::LOBES;

/// Columns and rows between positions that are looked at.
const ANCHORS: usize = 16;

/// Pixels to every side of a place that its value is made of.
pub const REACH: usize = kernel::LOBES;

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

/// What lies between two passes over a frame, kept from call to call so that it is allocated once.
#[derive(Debug, Default)]
pub struct Room(Vec<Box<lanes::Between>>);

/// The rows of a frame of `size` that a region of the output needs.
pub fn rows_needed(
    transform: &Transform,
    rows: &Range<usize>,
    columns: &Range<usize>,
    size: Size,
) -> Range<usize> {
    let ends = |range: &Range<usize>| [range.start as f64, range.end.max(1) as f64 - 1.0];
    rows_about(transform, ends(columns), ends(rows), size, LOBES as f64 + 1.0)
}

/// The rows of a frame of `size` within `reach` of where a region of the output lies.
pub(crate) fn rows_about(
    transform: &Transform,
    [x0, x1]: [f64; 2],
    [y0, y1]: [f64; 2],
    size: Size,
    reach: f64,
) -> Range<usize> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut see = |x: f64, y: f64| {
        let at = transform.apply(Point::new(x, y)).y;
        low = low.min(at);
        high = high.max(at);
    };
    // Lines bend little between anchors.
    let steps = |from: f64, to: f64| {
        let count = ((to - from) / ANCHORS as f64).max(0.0) as usize;
        (0..=count).map(move |i| from + (i * ANCHORS) as f64).chain([to])
    };
    for x in steps(x0, x1) {
        see(x, y0);
        see(x, y1);
    }
    for y in steps(y0, y1) {
        see(x0, y);
        see(x1, y);
    }
    if !(low.is_finite() && high.is_finite()) {
        return 0..0;
    }
    let clamp = |v: f64| v.clamp(0.0, size.height as f64) as usize;
    clamp((low - reach).floor())..clamp((high + reach).ceil() + 1.0)
}

/// Fills a region of the output, row after row, from a window that has all the rows it needs; both
/// for each plane of the frame, whose windows have the same rows.
///
/// `transform` takes pixels of the output to those of the frame. What lies beyond the frame, or
/// rests on missing samples by more than a tenth, is NaN. An interpolated value is never lower
/// than the lowest sample it is made of: beside bright stars the kernel would leave dark rings.
pub fn warp(
    planes: &mut [(Window, &mut [f32])],
    size: Size,
    transform: &Transform,
    (rows, columns): (Range<usize>, Range<usize>),
    kernel: &Kernel,
    room: &mut Room,
) {
    if columns.is_empty() {
        return;
    }
    match transform.whole_shift() {
        Some(shift) => {
            for (window, out) in planes {
                copy(*window, size, shift, rows.clone(), columns.clone(), out);
            }
        }
        None => {
            let task = passes::Task { size, transform, kernel };
            passes::fill(task, (rows, columns), planes, &mut room.0);
        }
    }
}

/// Fills a region whose pixels are those of the frame, some way off.
fn copy(
    window: Window,
    size: Size,
    (dx, dy): (i64, i64),
    rows: Range<usize>,
    columns: Range<usize>,
    out: &mut [f32],
) {
    let there = |to: usize, shift: i64, end: usize| {
        usize::try_from(to as i64 + shift).ok().filter(|from| *from < end)
    };
    for (y, row) in rows.zip(out.chunks_exact_mut(columns.len())) {
        let samples = there(y, dy, size.height)
            .map(|from| &window.samples[(from - window.first_row) * window.width..][..size.width]);
        for (x, v) in columns.clone().zip(row) {
            let sample = samples.zip(there(x, dx, size.width)).map(|(row, x)| row[x]);
            *v = sample.filter(|v| v.is_finite()).unwrap_or(f32::NAN);
        }
    }
}

#[cfg(test)]
mod tests;
