//! Calibration frames that are larger than the lights: those of the whole sensor beside lights of a part of it,
//! and of programs that keep another margin. The part that is the lights' own is used, whichever way up the frames
//! lie: they are turned over afterwards.

use std::collections::BTreeMap;

use photosite_pix::{Card, FrameKind, Rect, Size, stat};

use super::{Setup, some};
use crate::evidence::stands_out;
use crate::finding::Severity;
use crate::inventory::Frame;
use crate::run::looked::read_plane;
use crate::work::Context;
use crate::{Finding, Result};

/// The most columns or rows by which frames are looked for in larger ones without a header that tells where.
const MOST: usize = 64;

/// Darks and lights that are asked, and the hottest pixels of the darks.
const ASKED: usize = 3;
const HOTTEST: usize = 400;
const FEWEST: usize = 20;

/// A hot pixel stands so many sigmas out of those beside it in its row.
const HOT_SIGMAS: f32 = 10.0;

/// What hot pixels show at their place in the lights, as a share of their strength, and the most that they
/// show anywhere else.
const SHOWN: f32 = 0.5;
const ELSEWHERE: f32 = 0.25;

/// Where the lights of a set-up lie on the sensor: their size, and the first column and row where headers say.
type Part = (Size, Option<(i64, i64)>);

fn part_of(frame: &Frame) -> Part {
    (frame.detector.active.size(), frame.metadata.origin)
}

/// Crops the calibration frames of each camera to the part of the sensor that its lights are of, where those
/// are all of one part and no frames of their kind have it.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn to_lights(
    frames: &mut [Frame],
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<()> {
    let mut cameras: BTreeMap<Setup, Vec<usize>> = BTreeMap::new();
    for (i, frame) in frames.iter().enumerate() {
        let setup = Setup { size: (0, 0), ..Setup::of(frame) };
        cameras.entry(setup).or_default().push(i);
    }
    for members in cameras.into_values() {
        let of = |kind: FrameKind| -> Vec<usize> {
            members.iter().copied().filter(|i| frames[*i].kind == kind).collect()
        };
        let lights = of(FrameKind::Light);
        let Some(light) = lights.first().map(|i| part_of(&frames[*i])) else { continue };
        if lights.iter().any(|i| part_of(&frames[*i]) != light) {
            continue;
        }
        // Frames that lie both ways up are of other rows.
        let mut parts: BTreeMap<(Part, Option<u8>), Vec<usize>> = BTreeMap::new();
        for kind in FrameKind::ALL.into_iter().filter(|kind| *kind != FrameKind::Light) {
            // Kinds of which there are frames of the lights' size are left as they are.
            let of_kind = of(kind);
            if of_kind.iter().all(|i| part_of(&frames[*i]).0 != light.0) {
                for i in of_kind.into_iter().filter(|i| holds(&frames[*i], light.0)) {
                    let order = frames[i].metadata.row_order.map(|o| o as u8);
                    parts.entry((part_of(&frames[i]), order)).or_default().push(i);
                }
            }
        }
        for ((part, _), of_part) in parts {
            context.cancel.check()?;
            let order = |i: usize| frames[i].metadata.row_order;
            let turned = order(lights[0])
                .zip(order(of_part[0]))
                .is_some_and(|(lights, these)| lights != these);
            let found = by_header(light, part)
                .map(|(x, y)| match turned {
                    true => (x, part.0.height - y - light.0.height),
                    false => (x, y),
                })
                .map(|at| (at, "as their headers say"));
            let found = match found {
                None if light.1 == part.1 => {
                    let darks = of_part.iter().filter(|i| frames[**i].kind == FrameKind::Dark);
                    let darks: Vec<&Frame> = darks.map(|i| &frames[*i]).collect();
                    let lights: Vec<&Frame> = lights.iter().map(|i| &frames[*i]).collect();
                    by_hot_pixels(&darks, &lights)
                        .map(|at| (at, "as the hot pixels of the darks stand in the lights"))
                }
                found => found,
            };
            let Some(((x, y), why)) = found else { continue };
            let array = frames[lights[0]].metadata.cfa;
            if array.is_some()
                && (x % 2, y % 2) != (0, 0)
                && of_part.iter().all(|i| frames[*i].metadata.cfa == array)
            {
                findings.push(shifted_array(frames, &lights, (x, y)));
            }
            for i in &of_part {
                crop(&mut frames[*i], Rect::new(x, y, light.0.width, light.0.height), light.1);
            }
            findings.push(told(frames, &of_part, (part.0, light.0), (x, y), why));
        }
    }
    Ok(())
}

/// Whether a frame is whole, and holds a part of a size that is not its own.
fn holds(frame: &Frame, size: Size) -> bool {
    let whole = frame.size;
    !frame.detector.is_trimmed()
        && frame.detector.amplifiers.is_empty()
        && whole != size
        && whole.width >= size.width
        && whole.height >= size.height
}

/// Where a part begins in frames that hold it, if the lights' header tells: frames without a word begin with
/// the sensor.
fn by_header((size, origin): Part, (whole, of_whole): Part) -> Option<(usize, usize)> {
    let ((x, y), (x0, y0)) = (origin?, of_whole.unwrap_or((0, 0)));
    let at = (usize::try_from(x - x0).ok()?, usize::try_from(y - y0).ok()?);
    let inside = at.0 + size.width <= whole.width && at.1 + size.height <= whole.height;
    let told = origin != of_whole || of_whole.is_none();
    (inside && told).then_some(at)
}

/// Where the lights lie in larger darks, as the darks' hot pixels show; `None` where they show it nowhere, or
/// at two places.
fn by_hot_pixels(darks: &[&Frame], lights: &[&Frame]) -> Option<(usize, usize)> {
    let (whole, size) = (darks.first()?.size, lights.first()?.size);
    let (columns, rows) = (whole.width - size.width, whole.height - size.height);
    if columns > MOST || rows > MOST || lights.iter().any(|l| l.detector.is_trimmed()) {
        return None;
    }
    let hot = hottest(darks)?;
    let upright = found_at(&hot, lights, (size, columns, rows));
    upright.or_else(|| {
        let over = |(x, y, excess): &(usize, usize, f32)| (*x, whole.height - 1 - y, *excess);
        let (x, y) =
            found_at(&hot.iter().map(over).collect::<Vec<_>>(), lights, (size, columns, rows))?;
        Some((x, whole.height - y - size.height))
    })
}

/// Where hot pixels of darks stand in lights of a size, so many columns and rows from the first at most.
fn found_at(
    hot: &[(usize, usize, f32)],
    lights: &[&Frame],
    (size, columns, rows): (Size, usize, usize),
) -> Option<(usize, usize)> {
    let mut shown: Vec<Vec<f32>> = vec![Vec::new(); (columns + 1) * (rows + 1)];
    for light in some_of(lights) {
        let light = read_plane(&light.path, 0).ok()?;
        for (at, shown) in shown.iter_mut().enumerate() {
            let (dx, dy) = (at % (columns + 1), at / (columns + 1));
            let inside = hot.iter().filter_map(|(x, y, excess)| {
                let (x, y) = (x.checked_sub(dx)?, y.checked_sub(dy)?);
                let there = x < size.width && y < size.height;
                there.then(|| stands_out(light.row(y), x) / excess)
            });
            shown.push(stat::median(&inside.collect::<Vec<f32>>()));
        }
    }
    let mut best: Vec<(f32, usize)> =
        shown.iter().enumerate().map(|(at, of)| (stat::median(of), at)).collect();
    best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let (first, at) = *best.first()?;
    let second = best.get(1).map_or(0.0, |b| b.0);
    (first > SHOWN && second < ELSEWHERE * first)
        .then_some((at % (columns + 1), at / (columns + 1)))
}

/// Some frames, spread over all.
pub(super) fn some_of<'a>(frames: &'a [&'a Frame]) -> impl Iterator<Item = &'a Frame> {
    frames.iter().copied().step_by(frames.len().div_ceil(ASKED).max(1))
}

/// The hottest pixels that some darks have in common, and how far each stands out, in ADU.
pub(super) fn hottest(darks: &[&Frame]) -> Option<Vec<(usize, usize, f32)>> {
    let mut hot: Vec<(usize, usize, f32)> = Vec::new();
    for (n, dark) in some_of(darks).enumerate() {
        let dark = read_plane(&dark.path, 0).ok()?;
        if n > 0 {
            hot.iter_mut()
                .for_each(|(x, y, excess)| *excess = excess.min(stands_out(dark.row(*y), *x)));
            continue;
        }
        let (level, mad) = stat::median_mad(dark.as_slice());
        let reach = HOT_SIGMAS * (stat::MAD_TO_SIGMA as f32 * mad).max(0.5);
        for y in 0..dark.height() {
            let above = dark.row(y).iter().enumerate().filter(|(_, v)| **v > level + reach);
            hot.extend(above.filter_map(|(x, _)| {
                let excess = stands_out(dark.row(y), x);
                (excess > reach).then_some((x, y, excess))
            }));
        }
    }
    // What struck one dark alone stands out of none of the others.
    hot.retain(|h| h.2 > 0.0);
    hot.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.1, a.0).cmp(&(b.1, b.0))));
    hot.truncate(HOTTEST);
    (hot.len() >= FEWEST).then_some(hot)
}

/// Gives the lights the array that they have by their place on the sensor, where their headers name that of the
/// whole sensor for a part that begins in an odd column or row.
fn shifted_array(frames: &mut [Frame], lights: &[usize], (x, y): (usize, usize)) -> Finding {
    let mut named = String::new();
    for i in lights {
        let metadata = &mut frames[*i].metadata;
        metadata.cfa = metadata.cfa.map(|cfa| cfa.shifted(x, y));
        named = metadata.cfa.map_or_else(String::new, |cfa| cfa.to_string());
        frames[*i].header.set_text("BAYERPAT", &named, "by the place on the sensor");
        ["XBAYROFF", "YBAYROFF"].iter().for_each(|key| frames[*i].header.remove(key));
    }
    let message = format!(
        "these lights begin in column {x}, row {y} of the sensor, and their headers name the array of the whole: \
         theirs is {named}, which is used"
    );
    Finding::new("cfa-phase-doubtful", Severity::Warning, some(frames, lights), message)
        .hint("Begin regions in even columns and rows, or have the capture program write the array of the region.")
}

/// Uses a part of a frame alone, which lies on the sensor where the lights do.
fn crop(frame: &mut Frame, part: Rect, origin: Option<(i64, i64)>) {
    frame.detector.active = part;
    frame.detector.overscan.clear();
    frame.metadata.origin = origin;
    if let Some((x, y)) = origin {
        frame.header.set(Card::integer("XORGSUBF", x, "as the lights"));
        frame.header.set(Card::integer("YORGSUBF", y, "as the lights"));
    }
}

fn told(
    frames: &[Frame],
    of: &[usize],
    (whole, size): (Size, Size),
    (x, y): (usize, usize),
    why: &str,
) -> Finding {
    let message = format!(
        "these frames are {whole} pixels and the lights {size}: the part of them that begins in column {x}, \
         row {y} is used, {why}"
    );
    Finding::new("cropped-to-lights", Severity::Info, some(frames, of), message)
        .with("column", x)
        .with("row", y)
}
