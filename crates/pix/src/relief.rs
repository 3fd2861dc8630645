//! How much a picture changes around each pixel: stars, edges and fine structure stand out; sky,
//! nebulae and gradients do not.

use crate::Size;

/// The second lowest of four frames, pixel by pixel: what hit one or two of them alone is gone, and
/// what is too low in one. Where one or two have no sample (NaN), the second lowest or the lowest of
/// those that have; NaN where fewer than two have one.
///
/// # Panics
/// When a frame is shorter than `out`.
pub fn second_lowest(frames: [&[f32]; 4], out: &mut [f32]) {
    let [a, b, c, d] = frames.map(|frame| &frame[..out.len()]);
    for (i, out) in out.iter_mut().enumerate() {
        let four = [a[i], b[i], c[i], d[i]];
        let there = four.map(|v| u8::from(!v.is_nan())).iter().sum::<u8>();
        let [a, b, c, d] = four.map(|v| if v.is_nan() { f32::INFINITY } else { v });
        let lows = (a.min(b), c.min(d));
        *out = match there {
            4 | 3 => lows.0.max(lows.1).min(a.max(b).min(c.max(d))),
            2 => lows.0.min(lows.1),
            _ => f32::NAN,
        };
    }
}

/// A part of a picture of which more is at hand than is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The samples at hand, row by row; NaN where one is missing.
    pub samples: &'a [f32],
    /// Samples of a row.
    pub width: usize,
    /// Columns and rows at hand before the part begins.
    pub before: (usize, usize),
    /// The part.
    pub size: Size,
}

/// Finds ranges, and keeps the memory for it.
#[derive(Debug, Default)]
pub struct Relief {
    lows: Vec<f32>,
    highs: Vec<f32>,
    low: Vec<f32>,
    high: Vec<f32>,
}

impl Relief {
    /// How far the picture stands out at each pixel of the part: the greatest sample at hand within
    /// `near` columns and rows less the least within `far`, in the unit of the samples; −∞ where none
    /// is there.
    ///
    /// # Panics
    /// When the part is not at hand, or `out` is not of its size.
    pub fn range(&mut self, part: Around<'_>, (near, far): (usize, usize), out: &mut [f32]) {
        let Around { samples, width, before: (left, above), size } = part;
        assert_eq!(out.len(), size.pixels(), "a range a pixel");
        let rows = samples.len() / width;
        let Self { lows, highs, low, high } = self;
        lows.resize(rows * size.width, 0.0);
        highs.resize(rows * size.width, 0.0);
        // Along rows, for all rows at hand.
        let lines = lows.chunks_exact_mut(size.width).zip(highs.chunks_exact_mut(size.width));
        for (line, (lows, highs)) in samples.chunks_exact(width).zip(lines) {
            along(line, left, far, lows, f32::INFINITY, f32::min);
            along(line, left, near, highs, f32::NEG_INFINITY, f32::max);
        }
        // Then along columns.
        for (y, out) in out.chunks_exact_mut(size.width).enumerate() {
            let at = above + y;
            let rows = |reach: usize| at.saturating_sub(reach)..(at + reach + 1).min(rows);
            let line = |row: usize| row * size.width..(row + 1) * size.width;
            low.clear();
            low.resize(size.width, f32::INFINITY);
            rows(far).for_each(|row| fold(low, &lows[line(row)], f32::min));
            high.clear();
            high.resize(size.width, f32::NEG_INFINITY);
            rows(near).for_each(|row| fold(high, &highs[line(row)], f32::max));
            for ((out, low), high) in out.iter_mut().zip(&*low).zip(&*high) {
                *out = high - low;
            }
        }
    }
}

/// What `of` makes of the samples of a line within `reach` of each place from `left` on.
#[inline(always)]
fn along(
    line: &[f32],
    left: usize,
    reach: usize,
    out: &mut [f32],
    none: f32,
    of: impl Fn(f32, f32) -> f32 + Copy,
) {
    out.fill(none);
    for shift in left as isize - reach as isize..=(left + reach) as isize {
        let skip = (-shift).max(0) as usize;
        let there = line.get(shift.max(0) as usize..).unwrap_or_default();
        if skip < out.len() {
            fold(&mut out[skip..], there, of);
        }
    }
}

/// Takes samples into what was made of others; the shorter of the two ends it.
#[inline(always)]
fn fold(out: &mut [f32], samples: &[f32], of: impl Fn(f32, f32) -> f32) {
    for (out, v) in out.iter_mut().zip(samples) {
        *out = of(*out, *v);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_pixels_around() {
        let (width, height) = (11usize, 9usize);
        let picture: Vec<f32> = (0..width * height)
            .map(|i| if i % 17 == 3 { f32::NAN } else { ((i * 7919) % 101) as f32 })
            .collect();
        let mut relief = Relief::default();
        for (before, size) in
            [((0, 0), (11, 9)), ((2, 3), (5, 4)), ((0, 8), (11, 1)), ((10, 0), (1, 9))]
        {
            for (near, far) in [(0, 0), (1, 1), (1, 3), (3, 1), (2, 20)] {
                let size = Size::new(size.0, size.1);
                let mut out = vec![0.0; size.pixels()];
                relief.range(
                    Around { samples: &picture, width, before, size },
                    (near, far),
                    &mut out,
                );
                for (i, range) in out.iter().enumerate() {
                    let (x, y) = (before.0 + i % size.width, before.1 + i / size.width);
                    let within = |reach: usize| {
                        let all = (0..height).flat_map(|row| (0..width).map(move |c| (c, row)));
                        all.filter(move |(c, row)| {
                            c.abs_diff(x) <= reach && row.abs_diff(y) <= reach
                        })
                        .map(|(c, row)| picture[row * width + c])
                    };
                    let low = within(far).fold(f32::INFINITY, f32::min);
                    let high = within(near).fold(f32::NEG_INFINITY, f32::max);
                    assert_eq!(*range, high - low, "{before:?} {size} {near} {far} {i}");
                }
            }
        }
    }

    #[test]
    fn one_frame_or_two_have_no_say_of_their_own() {
        let (nan, hit) = (f32::NAN, 9000.0);
        let frames = [
            [1.0, 2.0, 3.0, 4.0, -500.0],
            [hit, 7.0, 5.0, nan, 8.0],
            [hit, 6.0, nan, nan, hit],
            [3.0, 9.0, 4.0, hit, 8.5],
        ];
        let mut out = [0.0; 5];
        second_lowest(frames.each_ref().map(|f| &f[..]), &mut out);
        assert_eq!(out, [3.0, 6.0, 4.0, 4.0, 8.0]);
        let alone = [[nan], [1.0], [nan], [nan]];
        second_lowest(alone.each_ref().map(|f| &f[..]), &mut out[..1]);
        assert!(out[0].is_nan());
    }
}
