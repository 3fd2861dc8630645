//! Hot, warm and cold pixels of the mean of many frames, clusters included.

use std::collections::VecDeque;

use photosite_pix::{CfaPattern, MaskBits, Plane, stat};

use super::find::{Levels, standing_out};
use super::noise::FrameNoise;
use super::repair::neighbours;
use super::{KAPPA, Seen};

/// A pixel is warm from so many sigmas of the mean of all darks on ...
const WARM_OF_MEAN: f32 = 5.0;

/// ... and so many of one frame: what a single frame does not show needs no mark.
const WARM_OF_FRAME: f32 = 2.7;

/// The share of its neighbours that a response must differ by to be a defect: less is divided out.
const RESPONSE: f32 = 0.1;

/// The share by which the response at one level must differ from that at another.
const BENT: f32 = 0.03;

/// The same in sigmas: a ratio has no hot tail.
const BENT_KAPPA: f32 = 6.0;

/// So many of 24 neighbours are defective before a pixel between them is looked at again.
const DENSE: usize = 4;

/// Fewest healthy neighbours that tell what a pixel should be.
const FEWEST: usize = 6;

/// Farthest that healthy neighbours are looked for, in steps of one colour.
const FAR: isize = 6;

/// Fewest of them where pixels of one colour have no even steps, and the farthest, in pixels.
const UNEVEN: (usize, isize) = (12, 12);

/// What is judged, and by which bounds.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'a> {
    /// The mean of darks, and the noise of one of them.
    Dark(&'a FrameNoise),
    /// The mean of flats, 1 in the mean.
    Flat,
    /// The response at one level over that at another, 1 in the mean.
    Levels,
}

impl Kind<'_> {
    /// How far from its surroundings a pixel is judged to be a defect, and what of; by sigma and level.
    fn reach(self, sigma: f32, level: f32) -> f32 {
        let most = |a: f32, b: f32| if a >= b { a } else { b };
        match self {
            Self::Dark(noise) => most(WARM_OF_MEAN * sigma, WARM_OF_FRAME * noise.typical()),
            Self::Flat => most(KAPPA * sigma, RESPONSE * level),
            Self::Levels => most(BENT_KAPPA * sigma, BENT * level),
        }
    }

    /// The bits and the score of a pixel that is off by so much; no bits where the noise of its place
    /// explains that.
    fn verdict(self, (x, y): (usize, usize), off: f32, sigma: f32) -> (MaskBits, f32) {
        let most = |a: f32, b: f32| if a >= b { a } else { b };
        let unit = match self {
            Self::Dark(noise) => {
                let (one, mean) = (noise.at(x, y), noise.of_mean_at(x, y));
                if off.abs() < most(WARM_OF_FRAME * one, WARM_OF_MEAN * mean) {
                    return (MaskBits::empty(), 0.0);
                }
                most(one, sigma)
            }
            _ => sigma,
        };
        let score = off / unit;
        let bits = match self {
            Self::Levels => MaskBits::SUSPECT,
            _ if off < 0.0 => MaskBits::COLD,
            Self::Dark(_) if score <= KAPPA => MaskBits::WARM,
            _ => MaskBits::HOT,
        };
        (bits, score)
    }
}

/// The defects of a whole mean, row after row.
///
/// A pixel is compared with the median of the same-colour pixels around it that are healthy; what lies
/// within a cluster is reached from its rim inwards. A cold pixel of darks must lie as far below as a hot
/// one above.
pub fn judge(
    data: &Plane<f32>,
    cfa: Option<CfaPattern>,
    kind: Kind<'_>,
    first: &[Stand],
) -> Vec<Seen> {
    let size = data.size();
    let step = cfa.map_or(1, CfaPattern::period);
    let mut sigma: Vec<f32> = first.iter().map(|s| s.sigma).collect();
    let mut places: Vec<(usize, usize)> = first.iter().map(|s| (s.x, s.y)).collect();
    let mut marked = Plane::filled(size, false);
    places.iter().for_each(|&(x, y)| marked.set(x, y, true));
    // What stands in a crowd may hide others behind it.
    let crowd = |marked: &Plane<bool>, x: usize, y: usize| {
        neighbours(size, x, y, step, 2).filter(|&(x, y)| marked.get(x, y)).count() >= DENSE
    };
    let mut queue: VecDeque<usize> =
        (0..places.len()).filter(|&i| crowd(&marked, places[i].0, places[i].1)).collect();
    while let Some(i) = queue.pop_front() {
        let (x, y) = places[i];
        for (nx, ny) in neighbours(size, x, y, step, 2) {
            if marked.get(nx, ny) || !data.get(nx, ny).is_finite() {
                continue;
            }
            let Some(level) = healthy_level(data, &marked, (nx, ny), cfa) else { continue };
            let off = data.get(nx, ny) - level;
            if off.abs() > kind.reach(sigma[i], level) {
                marked.set(nx, ny, true);
                sigma.push(sigma[i]);
                places.push((nx, ny));
                queue.push_back(places.len() - 1);
            }
        }
    }
    let mut out: Vec<Seen> = Vec::with_capacity(places.len());
    for (&(x, y), &sigma) in places.iter().zip(&sigma) {
        let Some(level) = healthy_level(data, &marked, (x, y), cfa) else { continue };
        let off = data.get(x, y) - level;
        // Those that made it stand out lie whole cells away; what the next ones explain is none.
        if step > 2 && off.abs() <= kind.reach(sigma, level) {
            continue;
        }
        let (bits, score) = kind.verdict((x, y), off, sigma);
        // A dark pixel a little too cold is subtracted as it is.
        let shallow = matches!(kind, Kind::Dark(_)) && bits == MaskBits::COLD && score > -KAPPA;
        if !shallow && !bits.is_empty() {
            out.push(Seen { x, y, bits, score, share: 1.0, excess: off });
        }
    }
    out.sort_by_key(|s| (s.y, s.x));
    out.dedup_by_key(|s| (s.y, s.x));
    out
}

/// A pixel that stands out, and the noise of its tile.
#[derive(Debug, Clone, Copy)]
pub struct Stand {
    x: usize,
    y: usize,
    sigma: f32,
}

/// The pixels of one band ([`super::bands`]) that stand out of the 24 around them.
pub fn stands(
    data: &Plane<f32>,
    rows: std::ops::Range<usize>,
    cfa: Option<CfaPattern>,
    kind: Kind<'_>,
) -> Vec<Stand> {
    let levels = match kind {
        Kind::Dark(_) => Levels::NotNeeded,
        _ => Levels::Needed,
    };
    let mut found = Vec::new();
    let reach = |sigma, level| kind.reach(sigma, level);
    standing_out(data, rows, cfa, (levels, &reach), |x, y, _, sigma| {
        found.push(Stand { x, y, sigma });
    });
    found
}

/// Sigmas that a pixel of a light stands out of its surroundings by.
const PEAK: f32 = 5.0;

/// The pixels of one band ([`super::bands`]) of a light that stand 5 sigma out of the 24 around them and
/// farther than any of the next 8: place, side, and about how many sigmas.
pub fn peaks(
    data: &Plane<f32>,
    rows: std::ops::Range<usize>,
    cfa: Option<CfaPattern>,
) -> Vec<(usize, usize, i8, f32)> {
    let (size, step) = (data.size(), cfa.map_or(1, CfaPattern::period));
    let mut found = Vec::new();
    let reach = |sigma: f32, _: f32| PEAK * sigma;
    standing_out(data, rows, cfa, (Levels::NotNeeded, &reach), |x, y, side, sigma| {
        let v = data.get(x, y);
        let mut about: Vec<f32> =
            neighbours(size, x, y, step, 1).map(|(x, y)| data.get(x, y)).collect();
        let beyond = |o: &f32| if side > 0 { v > *o } else { v < *o };
        if about.iter().all(beyond) {
            let level = stat::median_in_place(&mut about);
            found.push((x, y, side, (v - level) / sigma));
        }
    });
    found
}

/// The median of the healthy pixels of its colour around one, as near as there are enough.
///
/// Under an X-Trans array those of the next pixels are taken that are of the colour: whole cells apart, a dust
/// shadow or a glow differs more than pixels do.
fn healthy_level(
    data: &Plane<f32>,
    marked: &Plane<bool>,
    (x, y): (usize, usize),
    cfa: Option<CfaPattern>,
) -> Option<f32> {
    let (size, uneven) = (data.size(), cfa.filter(|cfa| cfa.period() > 2));
    let step = if uneven.is_some() { 1 } else { cfa.map_or(1, CfaPattern::period) };
    let (fewest, far) = if uneven.is_some() { UNEVEN } else { (FEWEST, FAR) };
    let alike =
        |(nx, ny): (usize, usize)| uneven.is_none_or(|cfa| cfa.color(nx, ny) == cfa.color(x, y));
    let mut samples = Vec::with_capacity(24);
    for reach in 2..=far {
        samples.clear();
        let around = neighbours(size, x, y, step, reach);
        let healthy = around.filter(|&(x, y)| !marked.get(x, y) && alike((x, y)));
        samples.extend(healthy.map(|(x, y)| data.get(x, y)).filter(|v| v.is_finite()));
        if samples.len() >= fewest {
            return Some(stat::median_in_place(&mut samples));
        }
    }
    None
}
