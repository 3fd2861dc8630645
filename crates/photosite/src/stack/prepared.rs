//! Frames as the camera wrote them, on their way into a master.

use std::ops::Range;
use std::sync::Arc;

use photosite_file::{RawSource, Source};
use photosite_pix::{CfaPattern, Plane, Rect, Size};

use super::layer::{Layer, RawLayer, ReadBuffers, Room};
use crate::detector::{Linearity, Parts};
use crate::{Error, Result};

/// What is taken off each sample before samples are compared.
#[derive(Debug, Clone)]
pub enum Additive {
    /// Nothing.
    Nothing,
    /// A constant, in ADU.
    Level(f32),
    /// A plane of the stacked region's size, in ADU.
    Plane(Arc<Plane<f32>>),
    /// A plane, and so much of a second one, both in ADU.
    Scaled {
        /// Taken off once.
        bias: Arc<Plane<f32>>,
        /// What the factor is for.
        signal: Arc<Plane<f32>>,
        /// The factor.
        k: f32,
    },
}

/// A source, and what is done to its samples before they meet those of other sources.
pub struct Prepared {
    /// Where the samples come from.
    pub source: Box<dyn Source>,
    /// The part of the source that is used.
    pub region: Rect,
    /// A raw sample at or above this level in ADU counts as missing.
    pub missing_from_adu: Option<f32>,
    /// Taken off every sample: the frame's own overscan level, in ADU; its mean where `parts` have their own.
    pub level_adu: f32,
    /// Parts of the region with levels of their own.
    pub parts: Option<Arc<Parts>>,
    /// Taken off each sample.
    pub additive: Additive,
    /// What straightens samples once that is taken off, and the level in ADU that they are above.
    pub linear: Option<(Arc<Linearity>, f32)>,
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
            parts: None,
            additive: Additive::Nothing,
            linear: None,
            scale: [1.0; 3],
            cfa: None,
        }
    }

    /// The source as raw numbers, where nothing is done to its samples.
    fn as_it_is(&self) -> Option<&dyn RawSource> {
        let nothing = self.missing_from_adu.is_none()
            && self.level_adu == 0.0
            && self.parts.is_none()
            && self.linear.is_none()
            && matches!(self.additive, Additive::Nothing)
            && self.scale == [1.0; 3];
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
    ) -> photosite_file::Result<()> {
        let ReadBuffers { bytes, rows: whole, .. } = buffers;
        self.part(&rows, &columns, whole, out, |wanted, out| {
            self.source.read_rows(0, wanted, bytes, out)
        })?;
        if let Some(level) = self.missing_from_adu {
            for v in out.iter_mut() {
                *v = if *v >= level { f32::NAN } else { *v };
            }
        }
        let mut level_adu = self.level_adu;
        if let Some(parts) = self.parts.as_ref().filter(|p| !p.records.is_empty()) {
            level_adu = 0.0;
            for (row, y) in out.chunks_exact_mut(columns.len().max(1)).zip(rows.clone()) {
                parts.take_off((columns.start, y), row);
            }
        }
        match &self.additive {
            Additive::Nothing if level_adu == 0.0 => {}
            Additive::Nothing => out.iter_mut().for_each(|v| *v -= level_adu),
            Additive::Level(a) => out.iter_mut().for_each(|v| *v -= level_adu + a),
            Additive::Plane(p) => {
                for (row, y) in out.chunks_exact_mut(columns.len()).zip(rows.clone()) {
                    let taken = &p.row(y)[columns.clone()];
                    row.iter_mut().zip(taken).for_each(|(v, a)| *v -= level_adu + a);
                }
            }
            Additive::Scaled { bias, signal, k } => {
                for (row, y) in out.chunks_exact_mut(columns.len()).zip(rows.clone()) {
                    let (bias, signal) =
                        (&bias.row(y)[columns.clone()], &signal.row(y)[columns.clone()]);
                    for ((v, b), s) in row.iter_mut().zip(bias).zip(signal) {
                        *v -= level_adu + b + k * s;
                    }
                }
            }
        }
        if let Some((linearity, zero)) = &self.linear {
            for (row, y) in out.chunks_exact_mut(columns.len().max(1)).zip(rows.clone()) {
                let of = (self.cfa, self.parts.as_deref());
                linearity.straighten((columns.start, y), of, row, |_| *zero, |_, _, _| {});
            }
        }
        match self.cfa {
            _ if self.scale == [1.0; 3] => {}
            None => out.iter_mut().for_each(|v| *v *= self.scale[0]),
            Some(cfa) => {
                for (row, y) in out.chunks_exact_mut(columns.len()).zip(rows) {
                    let scale = cfa.line(columns.start, y).map(|c| self.scale[c.channel()]);
                    for part in row.chunks_mut(scale.len()) {
                        part.iter_mut().zip(&scale).for_each(|(v, scale)| *v *= scale);
                    }
                }
            }
        }
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
    ) -> photosite_file::Result<()> {
        let full = self.source.size().width;
        let wanted = self.region.y0 + rows.start..self.region.y0 + rows.end;
        let (x0, x1) = (self.region.x0 + columns.start, self.region.x0 + columns.end);
        if (x0, x1) == (0, full) {
            return read(wanted, out);
        }
        whole.resize(full * rows.len(), T::default());
        read(wanted, whole)?;
        for (to, from) in out.chunks_exact_mut(x1 - x0).zip(whole.chunks_exact(full)) {
            to.copy_from_slice(&from[x0..x1]);
        }
        Ok(())
    }
}

impl Layer for Prepared {
    fn size(&self) -> Size {
        self.region.size()
    }

    fn read(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        buffers: &mut ReadBuffers,
        room: &mut [Room<'_>],
    ) -> Result<()> {
        for room in room {
            self.read(rows.clone(), columns.clone(), buffers, room.samples)?;
        }
        Ok(())
    }

    fn raw(&self) -> Option<&dyn RawLayer> {
        self.as_it_is().map(|_| self as &dyn RawLayer)
    }
}

impl RawLayer for Prepared {
    fn read_raw(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        buffers: &mut ReadBuffers,
        out: &mut [u16],
    ) -> Result<()> {
        let ReadBuffers { bytes, raw_rows, .. } = buffers;
        let raw = self.as_it_is().ok_or_else(|| Error::bug("samples to be raw are not"))?;
        Ok(self.part(&rows, &columns, raw_rows, out, |wanted, out| {
            raw.read_raw_rows(0, wanted, bytes, out)
        })?)
    }
}
