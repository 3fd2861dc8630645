//! Lights that lost a block of their samples: a transfer that failed, filled with one value.

use std::ops::Range;

use photosite_file::Access;
use photosite_pix::{FrameKind, Rect};

use super::open_in_adu;
use crate::finding::Severity;
use crate::inventory::Frame;
use crate::raw::has_border_of_zeros;
use crate::work::{Context, on_each};
use crate::{Finding, Result};

/// Rows from one that is looked at to the next: a block is seen in two of them at least.
const STEP: usize = 16;

/// Samples of one value in a row that noise does not make.
const RUN: usize = 32;

/// The share of other samples that may be as low: a sky that is cut off has many.
const AS_LOW: f64 = 0.001;

/// The lights of a set-up that hold one value in a block, below all else, where others show the sky, each with a
/// Finding. What all have is how their camera writes them.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn blocks(
    members: &[usize],
    frames: &[Frame],
    context: &Context<'_>,
) -> Result<Vec<(usize, Finding)>> {
    let is_asked =
        |i: &usize| frames[*i].kind == FrameKind::Light && frames[*i].access == Access::Rows;
    let lights: Vec<usize> = members.iter().copied().filter(is_asked).collect();
    let found = on_each(lights.len(), context, |k| block(&frames[lights[k]]))?;
    // One that cannot be read is found out later.
    let found: Vec<(usize, Option<Rect>)> =
        lights.into_iter().zip(found).filter_map(|(i, block)| Some((i, block.ok()?))).collect();
    if found.iter().all(|(_, block)| block.is_some()) {
        return Ok(Vec::new());
    }
    let tell = |i: usize, block: Rect| {
        let Rect { x0, x1, y0, y1 } = block;
        let message = format!(
            "left out: about {} x {} of its samples, from column {x0} and row {y0} on, hold one value, below all else: a \
             part of its file was lost",
            x1 - x0,
            y1 - y0,
        );
        let subject = frames[i].path.display().to_string();
        let finding = Finding::new("light-cut", Severity::Error, subject, message)
            .hint("Copy it again from its source.");
        (i, finding)
    };
    Ok(found.into_iter().filter_map(|(i, block)| Some(tell(i, block?))).collect())
}

/// Where a row has the same value many times, one after the other.
struct Run {
    y: usize,
    columns: Range<usize>,
    value: f32,
}

/// The block of one value that a frame lost its samples to; none of zeros where they are no samples anyway
/// (`RawFrame::zero_is_missing`).
fn block(frame: &Frame) -> Result<Option<Rect>> {
    let source = open_in_adu(frame)?;
    let mut bytes = Vec::new();
    let read = |y: usize, row: &mut [f32]| Ok(source.read_rows(0, y..y + 1, &mut bytes, row)?);
    let Some((block, value)) = lowest(source.size().width, frame.detector.active, read)? else {
        return Ok(None);
    };
    let is_missing = || has_border_of_zeros(&frame.path, &frame.metadata, frame.access);
    Ok((value != 0.0 || !is_missing()?).then_some(block))
}

/// A block of one value, below all else, in the active part of rows of a width, and that value.
fn lowest(
    width: usize,
    active: Rect,
    mut read: impl FnMut(usize, &mut [f32]) -> Result<()>,
) -> Result<Option<(Rect, f32)>> {
    let mut row = vec![0.0f32; width];
    let (mut runs, mut others): (Vec<Run>, Vec<f32>) = (Vec::new(), Vec::new());
    for y in (active.y0..active.y1).step_by(STEP) {
        read(y, &mut row)?;
        let mut x = active.x0;
        for alike in row[active.x0..active.x1].chunk_by(|a, b| a == b) {
            let columns = x..x + alike.len();
            x = columns.end;
            if alike.len() >= RUN {
                runs.push(Run { y, columns, value: alike[0] });
            } else {
                others.extend(alike);
            }
        }
    }
    let Some(value) = runs.iter().map(|run| run.value).min_by(f32::total_cmp) else {
        return Ok(None);
    };
    runs.retain(|run| run.value == value);
    let as_low = others.iter().filter(|v| **v <= value).count();
    let together = |pair: &[Run]| {
        let [a, b] = [&pair[0], &pair[1]];
        let overlap = a.columns.start < b.columns.end && b.columns.start < a.columns.end;
        b.y == a.y + STEP && overlap
    };
    if as_low as f64 > AS_LOW * others.len() as f64
        || others.is_empty()
        || !runs.windows(2).any(together)
    {
        return Ok(None);
    }
    let (first, last) = (&runs[0], &runs[runs.len() - 1]);
    let x0 = runs.iter().map(|run| run.columns.start).min().unwrap_or(0);
    let x1 = runs.iter().map(|run| run.columns.end).max().unwrap_or(0);
    let y1 = (last.y + STEP).min(active.y1);
    Ok(Some((Rect { x0, y0: first.y, x1, y1 }, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_one_value_below_all_else_was_lost() {
        const WIDTH: usize = 480;
        let active = Rect { x0: 8, y0: 0, x1: WIDTH, y1: 360 };
        let noise = |x: usize, y: usize| ((x * 7919 + y * 104_729 + x * y) % 61) as f32;
        let sky = |x: usize, y: usize| 800.0 + noise(x, y);
        let inside = |x: usize, y: usize| (100..260).contains(&x) && (100..200).contains(&y);
        let of = |at: &dyn Fn(usize, usize) -> f32| {
            let fill = |y: usize, row: &mut [f32]| {
                (0..WIDTH).for_each(|x| row[x] = at(x, y));
                Ok(())
            };
            lowest(WIDTH, active, fill).unwrap()
        };
        for value in [500.0, 0.0] {
            let (block, found) = of(&|x, y| if inside(x, y) { value } else { sky(x, y) }).unwrap();
            assert_eq!((block.x0, block.x1, found), (100, 260, value));
            assert!(block.y0.abs_diff(100) <= STEP && block.y1.abs_diff(200) <= STEP, "{block:?}");
        }
        type At<'a> = &'a dyn Fn(usize, usize) -> f32;
        let sound: [(&str, At<'_>); 6] = [
            ("a sky", &sky),
            ("a saturated star", &|x, y| if inside(x, y) { 65535.0 } else { sky(x, y) }),
            ("a sky cut off at zero", &|x, y| (noise(x, y) - 58.0).max(0.0)),
            ("noise below a step", &|x, y| if noise(x, y) < 1.0 { 3.0 } else { 4.0 }),
            ("a masked border", &|x, y| if x < 8 { 0.0 } else { sky(x, y) }),
            ("a dead row", &|x, y| if y == 160 { 0.0 } else { sky(x, y) }),
        ];
        for (name, at) in sound {
            assert_eq!(of(at), None, "{name}");
        }
    }
}
