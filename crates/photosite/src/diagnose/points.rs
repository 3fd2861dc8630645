//! Hot pixels of a light, to see whether they are those of a dark elsewhere.

use std::collections::HashMap;

use photosite_pix::{CfaPattern, Size};

use super::{Against, Seen, Subject};
use crate::calibrate::dark::HotSites;

/// Bright pixels of each that are compared.
const MOST: usize = 400;
/// How far above all of its neighbours a hot pixel stands, in the noise of the light: no star is as sharp.
const SHARP: f32 = 5.0;
/// Pairs that lie alike, and how many times as many as of any other place.
const ALIKE: usize = 10;
const TIMES: usize = 2;

/// Where the hot pixels of a light lie in those of a dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub mirrored: bool,
    pub upside_down: bool,
    /// Columns and rows that they lie further after that.
    pub by: (isize, isize),
}

impl Placed {
    /// Where a program puts them that turns or mirrors frames, in words; `None` where they are only shifted.
    pub fn turned(self) -> Option<&'static str> {
        match (self.mirrored, self.upside_down) {
            (false, false) => None,
            (true, false) => Some("mirrored"),
            (false, true) => Some("upside down"),
            (true, true) => Some("turned by 180 degrees"),
        }
    }
}

/// How the hot pixels of a light lie beside those of a dark, where that is not at their own places; `None` unless
/// many of them agree.
pub(super) fn displaced(
    subject: &Subject<'_>,
    sites: &HotSites,
    against: &Against,
    seen: &Seen,
) -> Option<Placed> {
    let own = sharp(subject, against, seen.noise_adu as f32);
    let darks = sites.brightest(MOST);
    let Size { width, height } = against.size;
    let placed = |(mirrored, upside_down): (bool, bool)| {
        let turned = |&(u, v): &(usize, usize)| {
            let u = if mirrored { width - 1 - u } else { u };
            (u, if upside_down { height - 1 - v } else { v })
        };
        let mut votes: HashMap<(isize, isize), usize> = HashMap::new();
        for (u, v) in darks.iter().map(turned) {
            for (x, y) in &own {
                let apart = (*x as isize - u as isize, *y as isize - v as isize);
                *votes.entry(apart).or_default() += 1;
            }
        }
        if !mirrored && !upside_down {
            votes.remove(&(0, 0));
        }
        let mut counts: Vec<(usize, (isize, isize))> =
            votes.into_iter().map(|(by, n)| (n, by)).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let (most, by) = *counts.first()?;
        let next = counts.get(1).map_or(0, |c| c.0);
        (most >= ALIKE && most >= TIMES * next)
            .then_some((most, Placed { mirrored, upside_down, by }))
    };
    let ways = [(false, false), (false, true), (true, false), (true, true)];
    let best = ways.into_iter().filter_map(placed).rev().max_by_key(|(most, _)| *most);
    best.map(|(_, placed)| placed)
}

/// The brightest pixels that stand above all their neighbours of the same colour.
fn sharp(subject: &Subject<'_>, against: &Against, noise: f32) -> Vec<(usize, usize)> {
    let size = against.size;
    let step = against.cfa.map_or(1, CfaPattern::period);
    let mut found: Vec<(f32, (usize, usize))> = Vec::new();
    for y in step..size.height.saturating_sub(step) {
        for x in step..size.width.saturating_sub(step) {
            let v = subject.data.get(x, y);
            let beside = [(x - step, y), (x + step, y), (x, y - step), (x, y + step)];
            let highest =
                beside.map(|(i, j)| subject.data.get(i, j)).into_iter().fold(f32::MIN, f32::max);
            // NaN stands above nothing.
            if v - highest > SHARP * noise {
                found.push((v - highest, (x, y)));
            }
        }
    }
    found.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    found.into_iter().take(MOST).map(|f| f.1).collect()
}
