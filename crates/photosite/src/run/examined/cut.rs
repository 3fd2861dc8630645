//! Lights whose file broke off: a program filled their last rows with one value.

use photosite_file::Access;
use photosite_pix::FrameKind;

use super::open_in_adu;
use crate::finding::Severity;
use crate::inventory::Frame;
use crate::work::{Context, on_each};
use crate::{Finding, Result};

/// So many rows more than others have are missing; a sensor's own blank rows are in all frames.
const MORE: usize = 2;

/// Rows that are read at a time, from the last one upward.
const AT_A_TIME: usize = 32;

/// The lights of a set-up whose last rows are of one value where those of other frames are not, each with a Finding.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn broken_off(
    members: &[usize],
    frames: &[Frame],
    context: &Context<'_>,
) -> Result<Vec<(usize, Finding)>> {
    let asked: Vec<usize> =
        members.iter().copied().filter(|i| frames[*i].access == Access::Rows).collect();
    let blank = on_each(asked.len(), context, |k| blank_rows(&frames[asked[k]]))?;
    // One that cannot be read is found out later.
    let blank: Vec<(usize, usize)> =
        asked.into_iter().zip(blank).filter_map(|(i, rows)| Some((i, rows.ok()?))).collect();
    let usual = blank.iter().map(|b| b.1).min().unwrap_or(0);
    let is_light = |i: usize| frames[i].kind == FrameKind::Light;
    let lights = blank.iter().filter(|(i, _)| is_light(*i)).count();
    let broken: Vec<(usize, usize)> =
        blank.into_iter().filter(|(i, rows)| is_light(*i) && *rows >= usual + MORE).collect();
    if 2 * broken.len() >= lights {
        return Ok(Vec::new());
    }
    let tell = |(i, rows): (usize, usize)| {
        let Frame { path, size, .. } = &frames[i];
        let message = format!(
            "left out: the last {rows} of its {} rows hold one value: the file broke off, and a program filled it up",
            size.height
        );
        let finding =
            Finding::new("light-cut", Severity::Error, path.display().to_string(), message)
                .hint("Copy it again from its source.")
                .with("rows", rows);
        (i, finding)
    };
    Ok(broken.into_iter().map(tell).collect())
}

/// How many of the last rows hold one value, the same in all of them; none where that is 0, which is known for no
/// sample (`RawFrame::zero_is_missing`).
fn blank_rows(frame: &Frame) -> Result<usize> {
    let source = open_in_adu(frame)?;
    let (width, height) = (source.size().width, source.size().height);
    let (mut bytes, mut samples) = (Vec::new(), Vec::new());
    let (mut end, mut value) = (height, None);
    while end > 0 {
        // Most frames show it in their last row.
        let first = if end == height { end - 1 } else { end.saturating_sub(AT_A_TIME) };
        samples.resize((end - first) * width, 0.0);
        source.read_rows(0, first..end, &mut bytes, &mut samples)?;
        for row in samples.chunks_exact(width).rev() {
            let value = *value.get_or_insert(row[0]);
            if value == 0.0 || row.iter().any(|v| *v != value) {
                return Ok(height - end);
            }
            end -= 1;
        }
    }
    Ok(height)
}
