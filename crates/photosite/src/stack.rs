//! Many sources into one, strip by strip. It never knows what kind of frame it stacks.

use std::ops::Range;
use std::sync::Arc;

use photosite_file::Source;
use photosite_pix::combine::{Outcome, Recipe, Samples, Workspace, combine};
use photosite_pix::{CfaPattern, Plane, Rect, Size};

use crate::Result;

/// What is taken off each sample before samples are compared.
#[derive(Debug, Clone)]
pub enum Additive {
    /// Nothing.
    Nothing,
    /// A constant, in ADU.
    Level(f32),
    /// A plane of the stacked region's size, in ADU.
    Plane(Arc<Plane<f32>>),
}

/// A source, and what is done to its samples before they meet those of other sources.
pub struct Prepared {
    /// Where the samples come from.
    pub source: Box<dyn Source>,
    /// The part of the source that is used.
    pub region: Rect,
    /// A raw sample at or above this level in ADU counts as missing.
    pub missing_from_adu: Option<f32>,
    /// Taken off every sample: the frame's own overscan level, in ADU.
    pub level_adu: f32,
    /// Taken off each sample.
    pub additive: Additive,
    /// Factors for red, green and blue; the first serves a monochrome sensor.
    pub scale: [f32; 3],
    /// The colour filter array over the region.
    pub cfa: Option<CfaPattern>,
}

impl Prepared {
    /// A source used whole and as it is.
    pub fn plain(source: Box<dyn Source>) -> Self {
        let region = source.size().rect();
        Self {
            source,
            region,
            missing_from_adu: None,
            level_adu: 0.0,
            additive: Additive::Nothing,
            scale: [1.0; 3],
            cfa: None,
        }
    }

    /// Reads a part of the region, prepared; NaN where a sample is missing.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn read(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        buffers: &mut ReadBuffers,
        out: &mut [f32],
    ) -> Result<()> {
        let full = self.source.size().width;
        let wanted = self.region.y0 + rows.start..self.region.y0 + rows.end;
        let (x0, x1) = (self.region.x0 + columns.start, self.region.x0 + columns.end);
        if (x0, x1) == (0, full) {
            self.source.read_rows(0, wanted, &mut buffers.bytes, out)?;
        } else {
            buffers.rows.resize(full * rows.len(), 0.0);
            self.source.read_rows(0, wanted, &mut buffers.bytes, &mut buffers.rows)?;
            for (to, from) in out.chunks_exact_mut(x1 - x0).zip(buffers.rows.chunks_exact(full)) {
                to.copy_from_slice(&from[x0..x1]);
            }
        }
        if let Some(level) = self.missing_from_adu {
            for v in out.iter_mut() {
                *v = if *v >= level { f32::NAN } else { *v };
            }
        }
        match &self.additive {
            Additive::Nothing if self.level_adu == 0.0 => {}
            Additive::Nothing => out.iter_mut().for_each(|v| *v -= self.level_adu),
            Additive::Level(a) => out.iter_mut().for_each(|v| *v -= self.level_adu + a),
            Additive::Plane(p) => {
                for (row, y) in out.chunks_exact_mut(columns.len()).zip(rows.clone()) {
                    let taken = &p.row(y)[columns.clone()];
                    row.iter_mut().zip(taken).for_each(|(v, a)| *v -= self.level_adu + a);
                }
            }
        }
        match self.cfa {
            _ if self.scale == [1.0; 3] => {}
            None => out.iter_mut().for_each(|v| *v *= self.scale[0]),
            Some(cfa) => {
                for (row, y) in out.chunks_exact_mut(columns.len()).zip(rows) {
                    for (v, x) in row.iter_mut().zip(columns.clone()) {
                        *v *= self.scale[cfa.color(x, y).channel()];
                    }
                }
            }
        }
        Ok(())
    }
}

/// Buffers for reading, kept from read to read.
#[derive(Debug, Default)]
pub struct ReadBuffers {
    bytes: Vec<u8>,
    rows: Vec<f32>,
}

/// What a worker keeps from tile to tile, so that it allocates once.
#[derive(Debug, Default)]
pub struct Buffers {
    /// For reading.
    pub read: ReadBuffers,
    samples: Vec<f32>,
    tile: Tile,
    workspace: Workspace,
}

/// The combined samples of one tile, row after row.
#[derive(Debug, Default)]
pub struct Tile {
    value: Vec<f32>,
    variance: Vec<f32>,
    kept: Vec<u16>,
    low: Vec<u16>,
    high: Vec<u16>,
}

/// Samples rejected at each pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Maps {
    /// Below.
    pub low: Plane<u16>,
    /// Above.
    pub high: Plane<u16>,
}

/// A finished stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Stacked {
    /// Combined values, NaN where no source had a sample.
    pub value: Plane<f32>,
    /// Their variance from the scatter of the samples; NaN below two samples.
    pub variance: Plane<f32>,
    /// Samples rejected below, in all.
    pub rejected_low: u64,
    /// Samples rejected above, in all.
    pub rejected_high: u64,
    /// Samples rejected at each pixel, where they were asked for.
    pub maps: Option<Maps>,
}

impl Stacked {
    /// Planes of `size`, to be filled tile by tile.
    pub fn empty(size: Size, with_maps: bool) -> Self {
        let maps = || Maps { low: Plane::filled(size, 0), high: Plane::filled(size, 0) };
        Self {
            // Zeros come from the system untouched: the workers that fill them fault them in.
            value: Plane::filled(size, 0.0),
            variance: Plane::filled(size, 0.0),
            rejected_low: 0,
            rejected_high: 0,
            maps: with_maps.then(maps),
        }
    }

    /// Copies a tile to where it belongs.
    pub fn place(&mut self, rows: Range<usize>, columns: Range<usize>, tile: &Tile) {
        fn put<T: Copy>(to: &mut Plane<T>, rows: Range<usize>, columns: Range<usize>, from: &[T]) {
            for (y, part) in rows.zip(from.chunks_exact(columns.len())) {
                to.row_mut(y)[columns.clone()].copy_from_slice(part);
            }
        }
        let sum = |counts: &[u16]| counts.iter().map(|v| u64::from(*v)).sum::<u64>();
        self.rejected_low += sum(&tile.low);
        self.rejected_high += sum(&tile.high);
        put(&mut self.value, rows.clone(), columns.clone(), &tile.value);
        put(&mut self.variance, rows.clone(), columns.clone(), &tile.variance);
        if let Some(maps) = &mut self.maps {
            put(&mut maps.low, rows.clone(), columns.clone(), &tile.low);
            put(&mut maps.high, rows, columns, &tile.high);
        }
    }
}

/// Combines one tile of all sources, whose regions have one size.
///
/// # Errors
/// When a source cannot be read; the error names it.
pub fn stack_tile<'b>(
    sources: &[Prepared],
    rows: Range<usize>,
    columns: Range<usize>,
    recipe: Recipe,
    buffers: &'b mut Buffers,
) -> Result<&'b Tile> {
    let pixels = columns.len() * rows.len();
    let Buffers { read, samples, tile, workspace } = buffers;
    samples.resize(pixels * sources.len(), 0.0);
    for (source, out) in sources.iter().zip(samples.chunks_exact_mut(pixels)) {
        source.read(rows.clone(), columns.clone(), read, out)?;
    }
    tile.value.resize(pixels, 0.0);
    tile.variance.resize(pixels, 0.0);
    for counts in [&mut tile.kept, &mut tile.low, &mut tile.high] {
        counts.resize(pixels, 0);
    }
    let mut out = Outcome {
        value: &mut tile.value,
        variance: &mut tile.variance,
        kept: &mut tile.kept,
        low: &mut tile.low,
        high: &mut tile.high,
    };
    let samples = Samples::new(samples, pixels).in_lines(columns.len());
    combine(samples, recipe, workspace, &mut out);
    Ok(tile)
}
