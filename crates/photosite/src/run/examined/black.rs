//! Whether the masked borders of a sensor would take row noise out.

use photosite_pix::{FrameKind, Rect, stat};

use super::{open_in_adu, some};
use crate::finding::Severity;
use crate::inventory::Frame;
use crate::params::masked_columns;
use crate::work::Context;
use crate::{Finding, Result};

/// Rows wander where their means differ by so many times the variance that their samples explain.
const WANDER: f64 = 4.0;

/// The masked columns follow them where taking these off leaves less than this share of the variance.
const FOLLOW: f64 = 0.5;

/// One row in so many tells.
const ROW_STEP: usize = 3;

/// Tells of rows that wander from frame to frame together with the masked columns beside them, which nothing
/// takes out unless that is asked for: two biases or darks of a set-up are compared.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn rows_would_go(
    members: &[usize],
    frames: &[Frame],
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<()> {
    let black = |i: usize| {
        let detector = &frames[i].detector;
        masked_columns(detector).filter(|_| detector.overscan.is_empty())
    };
    let pair = [FrameKind::Bias, FrameKind::Dark].into_iter().find_map(|kind| {
        let mut alike: Vec<usize> = members
            .iter()
            .copied()
            .filter(|i| frames[*i].kind == kind && black(*i).is_some())
            .collect();
        alike.sort_by_key(|i| &frames[*i].path);
        let first = *alike.first()?;
        let same = |i: &&usize| frames[**i].detector.active == frames[first].detector.active;
        Some((first, *alike[1..].iter().find(same)?))
    });
    let Some((a, b)) = pair else { return Ok(()) };
    let Some(black) = black(a) else { return Ok(()) };
    context.cancel.check()?;
    // What cannot be read is told where it is used.
    let Ok(rows) = compared([&frames[a], &frames[b]], black) else { return Ok(()) };
    let mean = |of: fn(&Row) -> f64| rows.iter().map(of).sum::<f64>() / rows.len().max(1) as f64;
    let wander = mean(|row| row.light.powi(2));
    let left = mean(|row| (row.light - row.black).powi(2));
    let chance = mean(|row| row.chance);
    if !(wander > WANDER * chance && left < FOLLOW * wander) {
        return Ok(());
    }
    // Of one frame, not of the difference of two.
    let adu = |variance: f64| (0.5 * variance).sqrt();
    let with_border: Vec<usize> = members
        .iter()
        .copied()
        .filter(|i| masked_columns(&frames[*i].detector).is_some())
        .collect();
    let message = format!(
        "rows wander by {:.2} ADU from frame to frame, and the masked columns {black} with them; with their level \
         taken off each row {:.2} ADU would be left. They are not used unless that is asked for: bias, dark and \
         light hold the same black level",
        adu(wander),
        adu(left),
    );
    findings.push(
        Finding::new("optical-black-rows", Severity::Info, some(frames, &with_border), message)
            .hint("--overscan optical-black takes it off all frames alike.")
            .with("rows_adu", adu(wander))
            .with("left_adu", adu(left)),
    );
    Ok(())
}

/// A row of the difference of two frames.
struct Row {
    /// The mean of its pixels that see light.
    light: f64,
    /// The mean of those that are masked.
    black: f64,
    /// The variance of the first that its samples explain.
    chance: f64,
}

/// Some rows of the difference of two frames.
fn compared(pair: [&Frame; 2], black: Rect) -> Result<Vec<Row>> {
    let active = pair[0].detector.active;
    let sources = [open_in_adu(pair[0])?, open_in_adu(pair[1])?];
    let width = sources[0].size().width;
    let (mut bytes, mut first, mut other) = (Vec::new(), vec![0.0f32; width], vec![0.0f32; width]);
    let mut rows = Vec::new();
    for y in (active.y0..active.y1).step_by(ROW_STEP) {
        sources[0].read_rows(0, y..y + 1, &mut bytes, &mut first)?;
        sources[1].read_rows(0, y..y + 1, &mut bytes, &mut other)?;
        first.iter_mut().zip(&other).for_each(|(a, b)| *a -= b);
        let lit = &first[active.x0..active.x1];
        let (_, mad) = stat::median_mad(lit);
        let sigma = stat::MAD_TO_SIGMA * f64::from(mad);
        rows.push(Row {
            light: stat::robust_mean(lit, 3.0),
            black: stat::robust_mean(&first[black.x0..black.x1], 3.0),
            chance: sigma * sigma / lit.len() as f64,
        });
    }
    Ok(rows)
}
