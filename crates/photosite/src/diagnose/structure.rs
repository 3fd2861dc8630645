//! Rows and columns that stand out of their neighbours.

use photosite_pix::{CfaPattern, stat};

use super::{Against, Fault, Seen, Subject};
use crate::finding::Severity;

/// Rows to each side that a row is compared with.
const BESIDE: usize = 4;
/// Rows or columns that scatter by more than this share of the noise of a pixel are seen.
const SEEN: f64 = 0.15;
/// And by so many times what the noise of a pixel makes of them.
const TIMES: f64 = 3.0;

pub(super) fn look(subject: &Subject<'_>, against: &Against, seen: &Seen, faults: &mut Vec<Fault>) {
    let size = against.size;
    let step = against.cfa.map_or(1, CfaPattern::period);
    let noise = seen.noise_adu;
    let mut row = vec![0.0f32; size.width];
    let mut rows = Vec::with_capacity(size.height);
    for y in 0..size.height {
        subject.row(y, &mut row);
        rows.push(middle(&row, step));
    }
    // Of columns every few samples tell as much.
    let every = (size.height / 512).max(1) | 1;
    let column = |x| -> Vec<f32> {
        (0..size.height).step_by(every).map(|y| subject.data.get(x, y)).collect()
    };
    let columns: Vec<f64> = (0..size.width).map(|x| middle(&column(x), step)).collect();
    let sides = [
        ("row-noise", "rows", rows, size.width),
        ("column-noise", "columns", columns, size.height.div_ceil(every)),
    ];
    for (code, what, medians, samples) in sides {
        let own = scatter(&medians, step);
        // The scatter of a median of so many samples.
        let expected = (std::f64::consts::PI / 2.0 / samples.max(1) as f64).sqrt() * noise;
        if own > TIMES * expected && own > SEEN * noise {
            let excess = (own * own - expected * expected).sqrt();
            faults.push(Fault {
                code,
                severity: Severity::Warning,
                value: excess,
                error: None,
                unit: "adu",
                message: format!(
                    "{what} differ from their neighbours by {excess:.2} ADU RMS, the noise of a pixel is \
                     {noise:.2} ADU"
                ),
                hint: "More dark and bias frames help where it is fixed; where it changes from frame to \
                       frame, overscan or more lights do."
                    .to_owned(),
                region: None,
            });
        }
    }
}

/// The mean of the medians of each colour of a line.
fn middle(line: &[f32], step: usize) -> f64 {
    let of_phase = |phase: usize| {
        let own = line[phase..].iter().step_by(step).copied();
        let mut known: Vec<f32> = own.filter(|v| v.is_finite()).collect();
        f64::from(stat::median_in_place(&mut known))
    };
    (0..step).map(of_phase).sum::<f64>() / step as f64
}

/// How far lines differ from the median of those of their colour beside them.
fn scatter(lines: &[f64], step: usize) -> f64 {
    let mut apart = Vec::with_capacity(lines.len());
    for i in 0..lines.len() {
        let from = i.saturating_sub(BESIDE * step);
        let offset = (i - from) % step;
        let beside: Vec<f64> = (from + offset..(i + BESIDE * step + 1).min(lines.len()))
            .step_by(step)
            .filter(|j| *j != i)
            .map(|j| lines[j])
            .filter(|v| v.is_finite())
            .collect();
        if !beside.is_empty() && lines[i].is_finite() {
            apart.push(lines[i] - stat::median_f64(&beside));
        }
    }
    stat::median_scatter(&apart).1
}
