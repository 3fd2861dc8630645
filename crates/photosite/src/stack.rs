//! Many sources into one, strip by strip. It never knows what kind of frame it stacks.

use std::ops::Range;
use std::sync::Arc;

use photosite_file::fits::mask_bits;
use photosite_file::{RawSource, Source};
use photosite_pix::align::Transform;
use photosite_pix::combine::{Outcome, Recipe, Samples, Workspace, combine};
use photosite_pix::normalise::Affine;
use photosite_pix::warp::{self, Kernel, Window, rows_needed};
use photosite_pix::{CfaPattern, MaskBits, Plane, Rect, Size};

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
    /// How the region is laid over the source, where it is not simply a part of it.
    pub warp: Option<Warp>,
}

/// A source that is interpolated onto other pixels than its own.
pub struct Warp {
    /// Takes pixels of the stack to those of the source.
    pub transform: Transform,
    /// The source's mask, whose unfit pixels are holes.
    pub mask: Option<Box<dyn Source>>,
    /// The kernel of the interpolation.
    pub kernel: Arc<Kernel>,
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
            warp: None,
        }
    }

    /// The source as raw numbers, where nothing is done to its samples.
    fn as_it_is(&self) -> Option<&dyn RawSource> {
        let nothing = self.missing_from_adu.is_none()
            && self.level_adu == 0.0
            && matches!(self.additive, Additive::Nothing)
            && self.scale == [1.0; 3]
            && self.warp.is_none();
        self.source.raw().filter(|_| nothing)
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
        match &self.warp {
            Some(warp) => self.warped(warp, &rows, &columns, buffers, out)?,
            None => {
                let ReadBuffers { bytes, rows: whole, .. } = buffers;
                self.part(&rows, &columns, whole, out, |wanted, out| {
                    self.source.read_rows(0, wanted, bytes, out)
                })?;
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

    /// Reads a part of the region through a warp.
    fn warped(
        &self,
        warp: &Warp,
        rows: &Range<usize>,
        columns: &Range<usize>,
        buffers: &mut ReadBuffers,
        out: &mut [f32],
    ) -> Result<()> {
        let size = self.source.size();
        let needed = rows_needed(&warp.transform, rows, columns, size);
        let ReadBuffers { bytes, rows: samples, mask_rows, .. } = buffers;
        samples.resize(size.width * needed.len(), 0.0);
        self.source.read_rows(0, needed.clone(), bytes, samples)?;
        if let Some(mask) = &warp.mask {
            mask_rows.resize(samples.len(), 0.0);
            mask.read_rows(0, needed.clone(), bytes, mask_rows)?;
            for (v, stored) in samples.iter_mut().zip(mask_rows.iter()) {
                if mask_bits(*stored).is_none_or(MaskBits::is_hole) {
                    *v = f32::NAN;
                }
            }
        }
        let window = Window { samples, first_row: needed.start, width: size.width };
        let place = (rows.clone(), columns.clone());
        warp::warp(window, size, &warp.transform, place.0, place.1, &warp.kernel, out);
        Ok(())
    }

    /// Reads a part of the region by a `read` that gives whole rows of the source.
    fn part<T: Copy + Default>(
        &self,
        rows: &Range<usize>,
        columns: &Range<usize>,
        whole: &mut Vec<T>,
        out: &mut [T],
        read: impl FnOnce(Range<usize>, &mut [T]) -> photosite_file::Result<()>,
    ) -> Result<()> {
        let full = self.source.size().width;
        let wanted = self.region.y0 + rows.start..self.region.y0 + rows.end;
        let (x0, x1) = (self.region.x0 + columns.start, self.region.x0 + columns.end);
        if (x0, x1) == (0, full) {
            return Ok(read(wanted, out)?);
        }
        whole.resize(full * rows.len(), T::default());
        read(wanted, whole)?;
        for (to, from) in out.chunks_exact_mut(x1 - x0).zip(whole.chunks_exact(full)) {
            to.copy_from_slice(&from[x0..x1]);
        }
        Ok(())
    }
}

/// Buffers for reading, kept from read to read.
#[derive(Debug, Default)]
pub struct ReadBuffers {
    bytes: Vec<u8>,
    rows: Vec<f32>,
    mask_rows: Vec<f32>,
    raw_rows: Vec<u16>,
}

/// What a worker keeps from tile to tile, so that it allocates once.
#[derive(Debug, Default)]
pub struct Buffers {
    /// For reading.
    pub read: ReadBuffers,
    samples: Vec<f32>,
    raw_samples: Vec<u16>,
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
    /// NO_DATA where no source had a sample, SATURATED where the combined value is that high.
    pub mask: Plane<MaskBits>,
    /// The level in ADU from which a combined value counts as saturated.
    pub saturated_from_adu: Option<f32>,
    /// Samples rejected below, in all.
    pub rejected_low: u64,
    /// Samples rejected above, in all.
    pub rejected_high: u64,
    /// Samples rejected at each pixel, where they were asked for.
    pub maps: Option<Maps>,
}

impl Stacked {
    /// Planes of `size`, to be filled [band](Self::bands) by band.
    pub fn empty(size: Size, with_maps: bool) -> Self {
        let maps = || Maps { low: Plane::zeroed(size), high: Plane::zeroed(size) };
        Self {
            value: Plane::zeroed(size),
            variance: Plane::zeroed(size),
            mask: Plane::zeroed(size),
            saturated_from_adu: None,
            rejected_low: 0,
            rejected_high: 0,
            maps: with_maps.then(maps),
        }
    }

    /// Bands of `rows` rows, to be filled by workers side by side.
    pub fn bands(&mut self, rows: usize) -> impl Iterator<Item = Band<'_>> {
        let width = self.value.width();
        let part = width * rows;
        let saturated_from_adu = self.saturated_from_adu.unwrap_or(f32::INFINITY);
        let mut maps = self.maps.as_mut().map(|m| {
            (m.low.as_mut_slice().chunks_mut(part), m.high.as_mut_slice().chunks_mut(part))
        });
        let planes = self.value.as_mut_slice().chunks_mut(part);
        let planes = planes.zip(self.variance.as_mut_slice().chunks_mut(part));
        let planes = planes.zip(self.mask.as_mut_slice().chunks_mut(part));
        planes.map(move |((value, variance), mask)| {
            let maps = maps.as_mut().and_then(|(low, high)| low.next().zip(high.next()));
            let (rejected_low, rejected_high) = (0, 0);
            Band {
                width,
                value,
                variance,
                mask,
                maps,
                saturated_from_adu,
                rejected_low,
                rejected_high,
            }
        })
    }
}

/// Whole rows of a stack, as a worker fills them.
#[derive(Debug)]
pub struct Band<'a> {
    width: usize,
    value: &'a mut [f32],
    variance: &'a mut [f32],
    mask: &'a mut [MaskBits],
    maps: Option<(&'a mut [u16], &'a mut [u16])>,
    saturated_from_adu: f32,
    /// Samples rejected below, in all of the tiles that were placed.
    pub rejected_low: u64,
    /// Samples rejected above, in all of the tiles that were placed.
    pub rejected_high: u64,
}

impl Band<'_> {
    /// Copies a tile as high as the band to its columns.
    pub fn place(&mut self, columns: Range<usize>, tile: &Tile) {
        fn put<T, U: Copy>(
            to: &mut [T],
            (width, columns): (usize, &Range<usize>),
            from: &[U],
            make: impl Fn(U) -> T,
        ) {
            let rows = to.chunks_exact_mut(width).zip(from.chunks_exact(columns.len()));
            for (to, from) in rows {
                to[columns.clone()].iter_mut().zip(from).for_each(|(to, v)| *to = make(*v));
            }
        }
        let sum = |counts: &[u16]| counts.iter().map(|v| u64::from(*v)).sum::<u64>();
        self.rejected_low += sum(&tile.low);
        self.rejected_high += sum(&tile.high);
        let at = (self.width, &columns);
        put(self.value, at, &tile.value, |v| v);
        put(self.variance, at, &tile.variance, |v| v);
        let level = self.saturated_from_adu;
        put(self.mask, at, &tile.value, |v: f32| {
            if !v.is_finite() {
                MaskBits::NO_DATA
            } else if v >= level {
                MaskBits::SATURATED
            } else {
                MaskBits::empty()
            }
        });
        if let Some((low, high)) = &mut self.maps {
            put(low, at, &tile.low, |v| v);
            put(high, at, &tile.high, |v| v);
        }
    }
}

/// Raw samples are never missing: the level from which they would be is out of their reach.
const ALL_THERE: u32 = 1 << 16;

/// What part each source has in a weighted mean.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shares<'a> {
    /// Weights, one a source.
    pub weights: Option<&'a [f32]>,
    /// What was applied to each source only for its samples to be judged, and is taken back.
    pub judged_only: Option<&'a [Affine]>,
}

/// Combines one tile of all sources, whose regions have one size.
///
/// # Errors
/// When a source cannot be read; the error names it.
pub fn stack_tile<'b>(
    sources: &[Prepared],
    rows: Range<usize>,
    columns: Range<usize>,
    (recipe, shares): (Recipe, Shares<'_>),
    buffers: &'b mut Buffers,
) -> Result<&'b Tile> {
    let pixels = columns.len() * rows.len();
    let Buffers { read, samples, raw_samples, tile, workspace } = buffers;
    let raw: Option<Vec<_>> = sources.iter().map(|s| s.as_it_is().map(|r| (s, r))).collect();
    let samples = match raw {
        Some(raw) => {
            raw_samples.resize(pixels * sources.len(), 0);
            let ReadBuffers { bytes, raw_rows, .. } = read;
            for ((source, raw), out) in raw.iter().zip(raw_samples.chunks_exact_mut(pixels)) {
                source.part(&rows, &columns, raw_rows, out, |wanted, out| {
                    raw.read_raw_rows(0, wanted, bytes, out)
                })?;
            }
            Samples::raw(raw_samples, pixels, ALL_THERE)
        }
        None => {
            samples.resize(pixels * sources.len(), 0.0);
            for (source, out) in sources.iter().zip(samples.chunks_exact_mut(pixels)) {
                source.read(rows.clone(), columns.clone(), read, out)?;
            }
            Samples::new(samples, pixels)
        }
    };
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
    let mut samples = samples.in_lines(columns.len());
    if let Some(weights) = shares.weights {
        samples = samples.with_weights(weights);
    }
    if let Some(applied) = shares.judged_only {
        samples = samples.judged_only(applied);
    }
    combine(samples, recipe, workspace, &mut out);
    Ok(tile)
}
