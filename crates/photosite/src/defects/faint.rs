//! Columns and rows that no single pixel shows, by the median of many.

use std::ops::Range;

use photosite_pix::combine::column_medians;
use photosite_pix::{MaskBits, Plane, Size, stat};

use super::Seen;

/// Pixels along a line whose median is compared with that of its neighbours.
const SEGMENT: usize = 64;

/// One pixel in so many along a line tells its median.
const SAMPLED: usize = 4;

/// Lines to each side that are its neighbours.
const BESIDE: usize = 8;

/// Sigmas of the medians of lines beyond which one is defective.
const KAPPA: f32 = 7.0;

/// A line that stands out by so many times the least shows in its single pixels.
const CLEAR: f32 = 4.0;

/// The parts of columns, or of rows, that are judged apart.
pub fn segments(size: Size, along_rows: bool) -> impl Iterator<Item = Range<usize>> {
    let along = if along_rows { size.width } else { size.height };
    let all = (0..along).step_by(SEGMENT).map(move |from| from..(from + SEGMENT).min(along));
    all.filter(|part| part.len() >= SEGMENT / 2)
}

/// The pixels of one part ([`segments`]) of columns, or of rows, whose median there lies beyond that of the lines
/// beside them by more than `least` (of the place; lines `step` apart are alike) and by more than the lines differ.
pub fn faint_lines(
    data: &Plane<f32>,
    (least, step): (&dyn Fn(usize, usize) -> f32, usize),
    along_rows: bool,
    part: Range<usize>,
) -> Vec<Seen> {
    let size = data.size();
    let across = if along_rows { size.height } else { size.width };
    let at = |line: usize, i: usize| if along_rows { data.get(i, line) } else { data.get(line, i) };
    let mut out = Vec::new();
    let some = part.clone().step_by(SAMPLED);
    let mut levels = vec![0.0f32; across];
    if along_rows {
        let columns: Vec<Vec<f32>> = columns_of(data, some);
        column_medians(&columns.iter().map(|c| &c[..]).collect::<Vec<_>>(), &mut levels);
    } else {
        column_medians(&some.map(|y| data.row(y)).collect::<Vec<_>>(), &mut levels);
    }
    // By pairs, so that gradients cancel; lines at the very edge have none and are not judged.
    let pair = |line: usize, k: usize| {
        let before = line.checked_sub(k * step).map(|before| levels[before]);
        before.zip(levels.get(line + k * step)).map_or(f32::NAN, |(a, b)| 0.5 * (a + b))
    };
    let beside: Vec<Vec<f32>> =
        (1..=BESIDE).map(|k| (0..across).map(|line| pair(line, k)).collect()).collect();
    let mut off = vec![0.0f32; across];
    column_medians(&beside.iter().map(|b| &b[..]).collect::<Vec<_>>(), &mut off);
    off.iter_mut().zip(&levels).for_each(|(off, level)| *off = level - *off);
    let (_, mad) = stat::median_mad(&off);
    let bound = KAPPA * (stat::MAD_TO_SIGMA as f32) * mad;
    for (line, off) in off.iter().enumerate() {
        let middle = (part.start + part.end) / 2;
        let least = if along_rows { least(middle, line) } else { least(line, middle) };
        if !(off.abs() > bound && off.abs() > least) {
            continue;
        }
        let bits = if *off > 0.0 { MaskBits::WARM } else { MaskBits::COLD };
        // Where single pixels show it, the line ends where they do.
        let (level, clear) = (levels[line] - off, off.abs() > CLEAR * least);
        let seen = part.clone().filter(|&i| !clear || (at(line, i) - level) / off > 0.4);
        out.extend(seen.map(|i| {
            let (x, y) = if along_rows { (i, line) } else { (line, i) };
            Seen { x, y, bits, score: off / least, share: 1.0, excess: *off }
        }));
    }
    out
}

/// The samples of some columns, each from the first row to the last.
fn columns_of(data: &Plane<f32>, which: impl Iterator<Item = usize> + Clone) -> Vec<Vec<f32>> {
    let mut columns = vec![Vec::with_capacity(data.height()); which.clone().count()];
    for y in 0..data.height() {
        let row = data.row(y);
        columns.iter_mut().zip(which.clone()).for_each(|(column, x)| column.push(row[x]));
    }
    columns
}
