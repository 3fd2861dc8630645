//! The directional method on an X-Trans array, line by line.

use std::ops::Range;

use super::bayer::{Lines, copy_finite, gradients, share, sum_of_five};
use super::dense::{BLOCK, Dense};
use super::taps::Taps;
use super::{Debayer, Directional};
use crate::warp::Window;
use crate::{CfaColor, Size};

/// Rows beyond a pixel that are looked at: those of colours, of the gradients' sums, of gradients, and
/// of green.
pub(super) const REACH: usize = 3 + 2 + 2 + 2;

/// Columns beside a line: a whole number of periods.
const MARGIN: usize = 12;

/// Fills rows of the image, then mends by the plain rule what lacks a neighbour.
pub(super) fn fill(
    debayer: &Debayer,
    directional: &Directional,
    (frame, size): (Window, Size),
    rows: Range<usize>,
    out: &mut [&mut [f32]; 3],
) {
    let width = size.width;
    let padded = width.next_multiple_of(BLOCK);
    let beyond = |n: isize| rows.start as isize - n..rows.end as isize + n;
    let new = |n: isize| {
        let mut lines = Lines::new(MARGIN);
        lines.clear(beyond(n), padded);
        lines
    };
    let mut samples = new(REACH as isize);
    for y in beyond(REACH as isize).start.max(0) as usize..(rows.end + REACH).min(size.height) {
        let start = (y - frame.first_row) * width;
        let row = &frame.samples[start..start + width];
        copy_finite(row, &mut samples.line_mut(y as isize)[MARGIN..]);
    }
    let [mut across, mut along, mut mean] = [7, 7, 7].map(new);
    made_of(&directional.ways[0], 1, &samples, &mut across, beyond(7));
    made_of(&directional.ways[1], 1, &samples, &mut along, beyond(7));
    for y in beyond(7) {
        let ways = across.line(y).iter().zip(along.line(y));
        mean.line_mut(y).iter_mut().zip(ways).for_each(|(m, (a, b))| *m = 0.5 * (a + b));
    }
    let [mut change_across, mut change_along] = [5, 5].map(new);
    for y in beyond(5) {
        let around = [-2, -1, 0, 1, 2].map(|d| mean.line(y + d));
        gradients(around, change_across.line_mut(y), change_along.line_mut(y));
    }
    let (mut green, mut difference) = (new(3), new(3));
    let mut sums = [0, 1].map(|_| vec![0.0; padded + 2 * MARGIN]);
    for y in beyond(3) {
        let five = |l: &Lines, sum: &mut [f32]| {
            sum_of_five([-2, -1, 0, 1, 2].map(|d| l.line(y + d)), sum);
        };
        five(&change_across, &mut sums[0]);
        five(&change_along, &mut sums[1]);
        let sum = |l: &[f32], x: usize| ((l[x - 2] + l[x - 1]) + (l[x + 1] + l[x + 2])) + l[x];
        let (a, b, own) = (across.line(y), along.line(y), samples.line(y));
        let (green, difference) = (green.line_mut(y), difference.line_mut(y));
        for x in MARGIN..MARGIN + padded {
            let share = share(sum(&sums[0], x), sum(&sums[1], x));
            green[x] = b[x] + share * (a[x] - b[x]);
            difference[x] = own[x] - green[x];
        }
    }
    let mut made = new(0);
    for color in CfaColor::ALL {
        let channel = color.channel();
        if color != CfaColor::Green {
            made_of(&debayer.plain, channel, &difference, &mut made, beyond(0));
        }
        for (y, row) in rows.clone().zip(out[channel].chunks_exact_mut(width.max(1))) {
            let line = y as isize;
            let part = MARGIN..MARGIN + width;
            let (green, made) = (&green.line(line)[part.clone()], &made.line(line)[part.clone()]);
            let own = &samples.line(line)[part];
            for x in 0..width {
                row[x] = match color {
                    _ if debayer.cfa.color(x, y) == color => own[x],
                    CfaColor::Green => green[x],
                    _ => green[x] + made[x],
                };
            }
            debayer.plain.mend((frame, size), (y, channel), row);
        }
    }
}

/// Lines of what a rule makes of others; NaN where it lacks a sample.
fn made_of(taps: &Taps, channel: usize, from: &Lines, to: &mut Lines, lines: Range<isize>) {
    let width = from.stride() - 2 * MARGIN;
    let rules: Vec<Dense> = (0..6).map(|y| taps.lines(y, from.stride(), channel).dense()).collect();
    for y in lines {
        let rule = &rules[y.rem_euclid(6) as usize];
        let start = from.start(y) + MARGIN;
        let out = &mut to.line_mut(y)[MARGIN..MARGIN + width];
        for (i, block) in out.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            rule.block(from.samples(), start + i * BLOCK, block);
        }
    }
}
