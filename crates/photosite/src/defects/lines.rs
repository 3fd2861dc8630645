//! Columns and rows that are defective, whole or in part, and clusters.

use photosite_pix::{MaskBits, Plane, Size};
use serde::{Deserialize, Serialize};

use super::seen::{Seen, merge};

/// So many good pixels in a row end a run of defects.
///
/// # Source
/// LSSTdefects: `goodPixelColumnGapThreshold`.
const GAP: usize = 30;

/// So many defects of one column are a run, however they are spread.
///
/// # Source
/// LSSTdefects: `badOnAndOffPixelColumnThreshold`.
const MANY: usize = 50;

/// The same of a run in which most pixels are defects.
const MANY_DENSE: usize = 12;

/// The share of defects in a run that makes it dense.
const DENSE: f64 = 0.5;

/// The least share of defects in any run, and how many times that of the whole sensor.
const SPARSE: (f64, f64) = (0.15, 5.0);

/// A defective column or row, or part of one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// It runs along a row instead of a column.
    pub is_row: bool,
    /// Its column, or row.
    pub at: usize,
    /// The first pixel along it.
    pub from: usize,
    /// The pixel after its last.
    pub to: usize,
    /// Defects seen on it before it was filled.
    pub seen: usize,
    /// What most of them are.
    pub bits: MaskBits,
}

/// Defects that touch each other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// First column.
    pub x0: usize,
    /// First row.
    pub y0: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Pixels.
    pub pixels: usize,
    /// What they are together.
    pub bits: MaskBits,
    /// The score of the worst.
    pub worst: f32,
}

/// Fewest pixels of a cluster.
const CLUSTER: usize = 3;

/// The runs of defects along columns and rows; pixels between them are entered as defects of their kind.
pub fn fill_lines(seen: &mut Vec<Seen>, size: Size) -> Vec<Line> {
    let density = seen.len() as f64 / size.pixels().max(1) as f64;
    let mut lines = Vec::new();
    let mut all = Vec::new();
    for is_row in [false, true] {
        let place = |s: &Seen| if is_row { (s.y, s.x) } else { (s.x, s.y) };
        let mut by_line: Vec<(usize, usize, MaskBits)> =
            seen.iter().map(|s| (place(s).0, place(s).1, s.bits)).collect();
        by_line.sort_by_key(|s| (s.0, s.1));
        for run in by_line.chunk_by(|a, b| a.0 == b.0 && b.1 - a.1 <= GAP) {
            let run = trimmed(run);
            let (from, to) = (run[0].1, run[run.len() - 1].1 + 1);
            let share = run.len() as f64 / (to - from) as f64;
            let crowded = share >= SPARSE.0.max(SPARSE.1 * density);
            let dense = share >= DENSE && share >= SPARSE.1 * density;
            let is_line = run.len() >= MANY && crowded || run.len() >= MANY_DENSE && dense;
            if !is_line {
                continue;
            }
            let most = [MaskBits::HOT, MaskBits::COLD, MaskBits::WARM, MaskBits::UNSTABLE]
                .into_iter()
                .max_by_key(|bit| run.iter().filter(|s| s.2.contains(*bit)).count());
            let bits = most.unwrap_or(MaskBits::HOT);
            let line = Line { is_row, at: run[0].0, from, to, seen: run.len(), bits };
            lines.push(line);
            let there: std::collections::BTreeSet<usize> = run.iter().map(|s| s.1).collect();
            let between = (from..to).filter(|i| !there.contains(i));
            all.extend(between.map(|i| {
                let (x, y) = if is_row { (i, line.at) } else { (line.at, i) };
                Seen { x, y, bits, score: 0.0, share: 0.0, excess: f32::NAN }
            }));
        }
    }
    merge(seen, all);
    lines
}

/// A run without what only happens to lie near its ends.
fn trimmed(mut run: &[(usize, usize, MaskBits)]) -> &[(usize, usize, MaskBits)] {
    loop {
        let [first, second, .., last_but_one, last] = run else { return run };
        // A gap many times the usual one ends what belongs together.
        let usual = (last.1 - first.1) as f64 / (run.len() - 1) as f64;
        let ends = |a: usize, b: usize| (b - a) as f64 > 4.0 * usual;
        run = match (ends(first.1, second.1), ends(last_but_one.1, last.1)) {
            (true, _) => &run[1..],
            (_, true) => &run[..run.len() - 1],
            _ => return run,
        };
    }
}

/// The defects that touch each other, corners included, outside of lines.
pub fn clusters(seen: &[Seen], lines: &[Line], size: Size) -> Vec<Cluster> {
    let mut index = Plane::filled(size, u32::MAX);
    for (i, s) in seen.iter().enumerate() {
        index.set(s.x, s.y, i as u32);
    }
    for line in lines {
        for i in line.from..line.to {
            let (x, y) = if line.is_row { (i, line.at) } else { (line.at, i) };
            index.set(x, y, u32::MAX);
        }
    }
    let mut out = Vec::new();
    let mut stack = Vec::new();
    for start in seen {
        if index.get(start.x, start.y) == u32::MAX {
            continue;
        }
        index.set(start.x, start.y, u32::MAX);
        stack.push(*start);
        let mut members = Vec::new();
        while let Some(s) = stack.pop() {
            members.push(s);
            for y in s.y.saturating_sub(1)..(s.y + 2).min(size.height) {
                for x in s.x.saturating_sub(1)..(s.x + 2).min(size.width) {
                    let at = index.get(x, y);
                    if at != u32::MAX {
                        index.set(x, y, u32::MAX);
                        stack.push(seen[at as usize]);
                    }
                }
            }
        }
        if members.len() < CLUSTER {
            continue;
        }
        let ends = |of: fn(&Seen) -> usize| {
            let all = members.iter().map(of);
            (all.clone().min().unwrap_or(0), all.max().unwrap_or(0))
        };
        let ((x0, x1), (y0, y1)) = (ends(|s| s.x), ends(|s| s.y));
        out.push(Cluster {
            x0,
            y0,
            width: x1 - x0 + 1,
            height: y1 - y0 + 1,
            pixels: members.len(),
            bits: members.iter().fold(MaskBits::empty(), |all, s| all | s.bits),
            worst: members.iter().map(|s| s.score.abs()).fold(0.0, f32::max),
        });
    }
    out
}
