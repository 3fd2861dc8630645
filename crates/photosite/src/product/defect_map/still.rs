//! Pixels that no dark told of, by lights that were dithered: what stands still on the sensor is no star.

use std::collections::BTreeMap;

use photosite_pix::stars::{Criteria, Star};
use photosite_pix::{CfaPattern, MaskBits, Plane, Size};

use super::look::in_bands;
use crate::defects::{Seen, peaks};
use crate::measure::find_stars;
use crate::raw::{Handling, RawFrame, read_all};
use crate::stack::ReadBuffers;
use crate::work::Context;
use crate::{Error, Result};

/// Fewest lights between which the stars moved.
const FEWEST: usize = 4;

/// The share of these lights in which a pixel must stand.
const SHARE: f64 = 0.7;

/// Stars of a light that are compared with another's.
const STARS: usize = 200;

/// Stars within so many pixels of one of another light stand where that stood.
const SAME_PX: f64 = 2.0;

/// Between two lights the stars have moved where fewer than this share stand where others stood.
const STOOD: f64 = 0.3;

/// What lights tell of pixels.
pub(super) struct Still {
    /// Pixels that stand above, or below, their surroundings wherever the stars are.
    pub seen: Vec<Seen>,
    /// Lights between which the stars moved; with less than four nothing can be told.
    pub moved: usize,
}

/// The pixels that stand out in the same place of the sensor in most of some lights, of which only those
/// count between which the stars moved.
pub(super) fn still_pixels(frames: &[&RawFrame], context: &Context<'_>) -> Result<Still> {
    let mut chosen: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut counts: BTreeMap<(usize, usize), (i32, f32)> = BTreeMap::new();
    let mut buffers = ReadBuffers::default();
    for frame in frames {
        context.cancel.check()?;
        let prepared = frame.open(Handling::Once)?;
        let (size, cfa) = (prepared.region.size(), prepared.cfa);
        let data = Plane::from_vec(size, read_all(&prepared, &mut buffers)?)
            .ok_or_else(|| Error::bug("a light of another size than it says"))?;
        let cells = cells(&data, cfa);
        let mask = Plane::filled(cells.size(), MaskBits::empty());
        let field = find_stars(&cells, &mask, None, Criteria::default(), context)?;
        let step = cfa.map_or(1, CfaPattern::period) as f64;
        let place = |s: &Star| (s.x * step, s.y * step);
        let stars: Vec<(f64, f64)> = field.stars.iter().take(STARS).map(place).collect();
        let moved = |other: &Vec<(f64, f64)>| {
            let near =
                |a: &&(f64, f64)| other.iter().any(|b| (a.0 - b.0).hypot(a.1 - b.1) < SAME_PX);
            (stars.iter().filter(near).count() as f64) < STOOD * stars.len() as f64
        };
        if stars.is_empty() || !chosen.iter().all(moved) {
            continue;
        }
        chosen.push(stars);
        for (x, y, side, sigmas) in
            in_bands(data.height(), context, |rows| peaks(&data, rows, cfa))?
        {
            let entry = counts.entry((y, x)).or_insert((0, 0.0));
            entry.0 += i32::from(side);
            entry.1 += sigmas;
        }
        frame.unchanged()?;
    }
    let moved = chosen.len();
    if moved < FEWEST {
        return Ok(Still { seen: Vec::new(), moved });
    }
    let least = (SHARE * moved as f64).ceil().max(FEWEST as f64) as i32;
    let seen = counts.into_iter().filter(|(_, (count, _))| count.abs() >= least);
    let seen = seen.map(|((y, x), (count, sigmas))| Seen {
        x,
        y,
        bits: if count > 0 { MaskBits::HOT } else { MaskBits::COLD },
        score: sigmas / count.abs() as f32,
        share: count.abs() as f32 / moved as f32,
        excess: f32::NAN,
    });
    Ok(Still { seen: seen.collect(), moved })
}

/// A light in which stars can be found: under an array the mean of each of its cells.
fn cells(data: &Plane<f32>, cfa: Option<CfaPattern>) -> Plane<f32> {
    let Some(step) = cfa.map(CfaPattern::period) else { return data.clone() };
    let size = Size::new((data.width() / step).max(1), (data.height() / step).max(1));
    Plane::from_fn(size, |x, y| {
        let rows = (y * step..(y + 1) * step).map(|y| &data.row(y)[x * step..(x + 1) * step]);
        rows.flatten().sum::<f32>() / (step * step) as f32
    })
}
