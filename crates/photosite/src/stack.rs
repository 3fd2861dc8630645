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

    /// Reads `rows` of the region, prepared; NaN where a sample is missing.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn read(&self, rows: Range<usize>, buffers: &mut Buffers, out: &mut [f32]) -> Result<()> {
        let width = self.region.width();
        let full = self.source.size().width;
        let wanted = self.region.y0 + rows.start..self.region.y0 + rows.end;
        if width == full {
            self.source.read_rows(0, wanted, &mut buffers.bytes, out)?;
        } else {
            buffers.rows.resize(full * rows.len(), 0.0);
            self.source.read_rows(0, wanted, &mut buffers.bytes, &mut buffers.rows)?;
            for (to, from) in out.chunks_exact_mut(width).zip(buffers.rows.chunks_exact(full)) {
                to.copy_from_slice(&from[self.region.x0..self.region.x1]);
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
                let p = p.rows(rows.start, rows.end);
                out.iter_mut().zip(p).for_each(|(v, a)| *v -= self.level_adu + a);
            }
        }
        match self.cfa {
            _ if self.scale == [1.0; 3] => {}
            None => out.iter_mut().for_each(|v| *v *= self.scale[0]),
            Some(cfa) => {
                for (row, y) in out.chunks_exact_mut(width).zip(rows) {
                    for (x, v) in row.iter_mut().enumerate() {
                        *v *= self.scale[cfa.color(x, y).channel()];
                    }
                }
            }
        }
        Ok(())
    }
}

/// Buffers that a worker keeps between strips.
#[derive(Debug, Default)]
pub struct Buffers {
    bytes: Vec<u8>,
    rows: Vec<f32>,
    samples: Vec<f32>,
    workspace: Workspace,
}

/// The combined planes of a stack, or of a strip of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stacked {
    /// Combined values, NaN where no source had a sample.
    pub value: Plane<f32>,
    /// Their variance from the scatter of the samples; NaN below two samples.
    pub variance: Plane<f32>,
    /// Samples kept.
    pub kept: Plane<u16>,
    /// Samples rejected below.
    pub low: Plane<u16>,
    /// Samples rejected above.
    pub high: Plane<u16>,
}

impl Stacked {
    /// Planes of `size`, to be filled strip by strip.
    pub fn empty(size: Size) -> Self {
        Self {
            value: Plane::filled(size, f32::NAN),
            variance: Plane::filled(size, f32::NAN),
            kept: Plane::filled(size, 0),
            low: Plane::filled(size, 0),
            high: Plane::filled(size, 0),
        }
    }

    /// Copies a strip to where it belongs, from row `y0`.
    pub fn place(&mut self, y0: usize, strip: &Self) {
        let y1 = y0 + strip.value.height();
        self.value.rows_mut(y0, y1).copy_from_slice(strip.value.as_slice());
        self.variance.rows_mut(y0, y1).copy_from_slice(strip.variance.as_slice());
        self.kept.rows_mut(y0, y1).copy_from_slice(strip.kept.as_slice());
        self.low.rows_mut(y0, y1).copy_from_slice(strip.low.as_slice());
        self.high.rows_mut(y0, y1).copy_from_slice(strip.high.as_slice());
    }
}

/// Combines `rows` of all sources, whose regions have one size.
///
/// # Errors
/// When a source cannot be read; the error names it.
pub fn stack_rows(
    sources: &[Prepared],
    rows: Range<usize>,
    recipe: Recipe,
    buffers: &mut Buffers,
) -> Result<Stacked> {
    let width = sources[0].region.width();
    let pixels = width * rows.len();
    let mut samples = std::mem::take(&mut buffers.samples);
    samples.resize(pixels * sources.len(), 0.0);
    for (source, out) in sources.iter().zip(samples.chunks_exact_mut(pixels)) {
        source.read(rows.clone(), buffers, out)?;
    }
    let mut strip = Stacked::empty(Size::new(width, rows.len()));
    let mut out = Outcome {
        value: strip.value.as_mut_slice(),
        variance: strip.variance.as_mut_slice(),
        kept: strip.kept.as_mut_slice(),
        low: strip.low.as_mut_slice(),
        high: strip.high.as_mut_slice(),
    };
    let strip_samples = Samples::new(&samples, pixels).in_lines(width);
    combine(strip_samples, recipe, &mut buffers.workspace, &mut out);
    buffers.samples = samples;
    Ok(strip)
}

/// Rows a strip may have so that one worker's samples stay within `bytes`.
pub fn strip_rows(width: usize, sources: usize, bytes: usize) -> usize {
    (bytes / (width * sources * size_of::<f32>()).max(1)).max(1)
}
