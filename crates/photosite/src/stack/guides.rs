//! Where the stars of a stack are: four of its lights, read a little beyond each tile, show them.

use std::ops::Range;

use photosite_pix::Size;
use photosite_pix::reject::FEWEST;
use photosite_pix::relief::{Around, Relief, second_lowest};

use super::layer::{Layer, ReadBuffers, Room};
use crate::Result;

/// Lights that show the stars together.
const GUIDES: usize = 4;

/// How much lights may differ on stars, where seeing, guiding and interpolation change them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stars {
    /// Four lights that show the stars together, by their place among the layers; of three lights one
    /// stands twice.
    pub guides: [usize; GUIDES],
    /// Pixels of the stack around each within which a star's light counts as its own.
    pub near_px: usize,
    /// Pixels around each within which the sky beside a star is found; not less than `near_px`.
    pub reach_px: usize,
    /// The share of a star by which good samples differ.
    pub share: f32,
    /// The level of the sky in each plane of each guide where a star is to be looked for in all colours together:
    /// too sharp for a filter array, it has most of its light in another one in each light.
    pub levels: Option<[[f32; 3]; GUIDES]>,
}

impl Stars {
    /// How many of `lights` lights are guides: none of so few that none of their samples is rejected;
    /// of three one counts twice.
    pub fn guides_of(lights: usize) -> usize {
        if lights >= FEWEST { GUIDES } else { 0 }
    }

    /// Bytes that a worker holds of the guides of so many lights, with a tile of `rows` rows and
    /// `reach` rows beyond it on either side: their samples, and the picture that they make with its
    /// ranges.
    pub fn bytes(
        lights: usize,
        (width, planes): (usize, usize),
        (rows, reach): (usize, usize),
    ) -> u64 {
        let guides = Self::guides_of(lights);
        let a_pixel = if guides > 0 { size_of::<f32>() * (guides * (planes + 1) + 4) } else { 0 };
        (a_pixel * (rows + 2 * reach) * width) as u64
    }

    /// Which of the guides the layer at `i` is.
    pub(super) fn guide(&self, i: usize) -> Option<usize> {
        self.guides.iter().position(|guide| *guide == i)
    }
}

/// The guides' samples around one tile.
#[derive(Debug, Default)]
pub(super) struct Guides {
    /// The part of the stack that is read: the tile and what is around it.
    rows: Range<usize>,
    columns: Range<usize>,
    /// The tile's rows and columns in that part.
    inner: (Range<usize>, Range<usize>),
    near_px: usize,
    reach_px: usize,
    planes: usize,
    /// The turn in which each guide's samples were read.
    turns: [usize; GUIDES],
    /// Guide by guide, plane by plane.
    samples: Vec<f32>,
    coverage: Vec<f32>,
    levels: Option<[[f32; 3]; GUIDES]>,
    /// Guide by guide, the highest of all planes above their skies.
    highest: Vec<f32>,
    picture: Vec<f32>,
    range: Vec<f32>,
    relief: Relief,
}

impl Guides {
    /// Makes room for the guides around a tile of a stack of `size`.
    pub fn begin(
        &mut self,
        stars: Stars,
        size: Size,
        (rows, columns): (&Range<usize>, &Range<usize>),
        (planes, covered): (usize, bool),
    ) {
        let around = |tile: &Range<usize>, end: usize| {
            let part =
                tile.start.saturating_sub(stars.reach_px)..(tile.end + stars.reach_px).min(end);
            let inner = tile.start - part.start..tile.end - part.start;
            (part, inner)
        };
        let (inner_rows, inner_columns);
        (self.rows, inner_rows) = around(rows, size.height);
        (self.columns, inner_columns) = around(columns, size.width);
        self.inner = (inner_rows, inner_columns);
        (self.near_px, self.reach_px) = (stars.near_px, stars.reach_px);
        self.planes = planes;
        self.levels = stars.levels;
        self.turns = stars.guides.map(|guide| stars.guide(guide).unwrap_or(0));
        let part = self.part();
        self.samples.resize(GUIDES * planes * part, 0.0);
        self.coverage.resize(if covered { planes * part } else { 0 }, 0.0);
        self.picture.resize(part, 0.0);
    }

    /// Pixels of the part that is read.
    fn part(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// Reads a guide around the tile, and gives the tile its share.
    pub fn read<L: Layer>(
        &mut self,
        turn: usize,
        layer: &L,
        buffers: &mut ReadBuffers,
        tile: &mut [Room<'_>],
    ) -> Result<()> {
        let (part, width) = (self.part(), self.columns.len());
        let all = turn * self.planes * part..(turn + 1) * self.planes * part;
        let mut beside = self.coverage.chunks_exact_mut(part);
        let mut room: Vec<Room<'_>> = self.samples[all]
            .chunks_exact_mut(part)
            .map(|samples| Room { samples, coverage: beside.next().unwrap_or_default() })
            .collect();
        layer.read(self.rows.clone(), self.columns.clone(), buffers, &mut room)?;
        let (rows, columns) = &self.inner;
        let inner = |from: &[f32], to: &mut [f32]| {
            let lines = from.chunks_exact(width).skip(rows.start);
            for (to, from) in to.chunks_exact_mut(columns.len()).zip(lines) {
                to.copy_from_slice(&from[columns.clone()]);
            }
        };
        for (tile, around) in tile.iter_mut().zip(&room) {
            inner(around.samples, tile.samples);
            inner(around.coverage, tile.coverage);
        }
        Ok(())
    }

    /// How much the picture changes around each pixel of the tile, in a plane.
    pub fn range(&mut self, plane: usize) -> &[f32] {
        let (part, planes) = (self.part(), self.planes);
        let of = |turn: usize, plane: usize| {
            let first = (turn * planes + plane) * part;
            &self.samples[first..first + part]
        };
        if let Some(levels) = self.levels {
            self.highest.resize(GUIDES * part, 0.0);
            for (turn, out) in self.highest.chunks_exact_mut(part).enumerate() {
                out.fill(f32::NAN);
                for (plane, level) in levels[turn].iter().enumerate().take(planes) {
                    let samples = of(turn, plane).iter();
                    out.iter_mut().zip(samples).for_each(|(high, v)| *high = high.max(v - level));
                }
            }
        }
        let guide = |turn: usize| match self.levels {
            Some(_) => &self.highest[self.turns[turn] * part..][..part],
            None => of(self.turns[turn], plane),
        };
        second_lowest([0, 1, 2, 3].map(guide), &mut self.picture);
        let (rows, columns) = &self.inner;
        let size = Size::new(columns.len(), rows.len());
        self.range.resize(size.pixels(), 0.0);
        let around = Around {
            samples: &self.picture,
            width: self.columns.len(),
            before: (columns.start, rows.start),
            size,
        };
        self.relief.range(around, (self.near_px, self.reach_px), &mut self.range);
        &self.range
    }
}
