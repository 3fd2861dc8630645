//! Registered lights on their way into one stack.

use std::ops::Range;
use std::sync::Arc;

use photosite_file::fits::mask_bits;
use photosite_file::{Access, Source};
use photosite_pix::align::{Point, Transform};
use photosite_pix::drizzle::{Drizzled, Drops, drizzle};
use photosite_pix::normalise::{Affine, LocalOffsets};
use photosite_pix::warp::{self, Kernel, Window, rows_needed};
use photosite_pix::{CfaColor, CfaPattern, MaskBits, Size};

use super::layer::{Layer, ReadBuffers, Room};
use crate::Result;

/// An image and its mask, whose holes ([`MaskBits::is_hole`]) are missing samples.
pub struct Masked {
    /// The image.
    pub source: Box<dyn Source>,
    /// Its mask, with as many planes.
    pub mask: Box<dyn Source>,
}

impl Source for Masked {
    fn size(&self) -> Size {
        self.source.size()
    }

    fn planes(&self) -> usize {
        self.source.planes()
    }

    fn access(&self) -> Access {
        self.source.access()
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> photosite_file::Result<()> {
        self.source.read_rows(plane, rows.clone(), scratch, out)?;
        if let Some(raw) = self.mask.raw() {
            let mut bits = vec![0u16; out.len()];
            raw.read_raw_rows(plane, rows, scratch, &mut bits)?;
            // Most pixels are good, so that most runs of them are.
            for (values, bits) in out.chunks_mut(RUN).zip(bits.chunks(RUN)) {
                if bits.iter().fold(0, |all, b| all | b) == 0 {
                    continue;
                }
                for (v, bits) in values.iter_mut().zip(bits) {
                    if MaskBits::from_bits_retain(*bits).is_hole() {
                        *v = f32::NAN;
                    }
                }
            }
            return Ok(());
        }
        let mut bits = vec![0.0; out.len()];
        self.mask.read_rows(plane, rows, scratch, &mut bits)?;
        for (v, stored) in out.iter_mut().zip(bits) {
            if mask_bits(stored).is_none_or(MaskBits::is_hole) {
                *v = f32::NAN;
            }
        }
        Ok(())
    }
}

/// Pixels of a mask that are looked at together.
const RUN: usize = 64;

/// How a light's samples come to the pixels of the stack.
#[derive(Debug, Clone)]
pub enum Laying {
    /// They are interpolated.
    Interpolated(Arc<Kernel>),
    /// They are spread over the pixels that their drops fall on.
    Drizzled {
        /// The side of a drop in pixels of the light.
        drop: f64,
        /// The filter array over the light, each of whose colours drops into a plane of its own.
        cfa: Option<CfaPattern>,
    },
}

/// A light on the pixels of its stack.
pub struct Laid {
    /// The calibrated light; NaN is a hole.
    pub source: Box<dyn Source>,
    /// Width and height of the stack.
    pub size: Size,
    /// Maps pixels of the stack to those of the light.
    pub transform: Transform,
    /// How samples come there.
    pub laying: Laying,
    /// What brings its samples to the reference's level, one a plane.
    pub levels: Vec<Affine>,
    /// What is added besides, pixel by pixel, one a plane; none where levels are all.
    pub offsets: Vec<LocalOffsets>,
    /// Rows and columns of its saturated pixels that are holes, row after row.
    pub burnt: Arc<[(usize, usize)]>,
}

impl Laid {
    /// The filter array whose colours are drizzled by themselves.
    pub fn by_colour(&self) -> Option<CfaPattern> {
        match self.laying {
            Laying::Drizzled { cfa, .. } => cfa,
            Laying::Interpolated(_) => None,
        }
    }

    /// Every pixel of the stack is one of the light's.
    fn lies_as_it_is(&self) -> bool {
        let interpolated = matches!(self.laying, Laying::Interpolated(_));
        interpolated && self.transform == Transform::IDENTITY && self.source.size() == self.size
    }

    /// Whether the light has all that a pixel of the stack is made of, holes aside.
    pub fn covers(&self, x: usize, y: usize) -> bool {
        if self.lies_as_it_is() {
            return true;
        }
        let reach = match self.laying {
            Laying::Interpolated(_) => warp::REACH as f64,
            Laying::Drizzled { .. } => 1.0,
        };
        let (at, full) = (self.transform.apply(Point::new(x as f64, y as f64)), self.source.size());
        let inside = |v: f64, end: usize| v >= reach && v <= end as f64 - 1.0 - reach;
        inside(at.x, full.width) && inside(at.y, full.height)
    }

    /// The drops that fall into a plane; `None` where samples are interpolated.
    fn drops(&self, plane: usize) -> Option<Drops> {
        match self.laying {
            Laying::Interpolated(_) => None,
            Laying::Drizzled { drop, cfa } => {
                Drops::new(drop, cfa.map(|cfa| (cfa, CfaColor::ALL[plane])))
            }
        }
    }

    /// The rows of the light that a region of the stack needs.
    fn needed(&self, rows: &Range<usize>, columns: &Range<usize>) -> Range<usize> {
        let size = self.source.size();
        match self.drops(0) {
            _ if self.lies_as_it_is() => rows.clone(),
            Some(drops) => drops.rows_needed(&self.transform, rows, columns, size),
            None => rows_needed(&self.transform, rows, columns, size),
        }
    }

    /// The rows of the light that `rows` of the stack need.
    pub fn rows_needed(&self, rows: &Range<usize>) -> Range<usize> {
        self.needed(rows, &(0..self.size.width))
    }
}

impl Layer for Laid {
    fn size(&self) -> Size {
        self.size
    }

    fn planes(&self) -> usize {
        match self.laying {
            Laying::Drizzled { cfa: Some(_), .. } => CfaColor::ALL.len(),
            _ => self.source.planes(),
        }
    }

    fn has_coverage(&self) -> bool {
        matches!(self.laying, Laying::Drizzled { .. })
    }

    fn read(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
        buffers: &mut ReadBuffers,
        room: &mut [Room<'_>],
    ) -> Result<()> {
        let full = self.source.size();
        let needed = self.needed(&rows, &columns);
        let ReadBuffers { bytes, rows: samples, warp: between, .. } = buffers;
        let part = full.width * needed.len();
        samples.resize(part * self.source.planes(), 0.0);
        self.source.read_planes(needed.clone(), bytes, samples)?;
        let window = |plane: usize| {
            // All colours of a filter array are in one plane.
            let from = if self.source.planes() == 1 { 0 } else { plane };
            let samples = &samples[from * part..(from + 1) * part];
            Window { samples, first_row: needed.start, width: full.width }
        };
        let place = (rows.clone(), columns.clone());
        match &self.laying {
            _ if self.lies_as_it_is() => {
                for (plane, Room { samples: out, .. }) in room.iter_mut().enumerate() {
                    let lines = out.chunks_exact_mut(columns.len());
                    for (to, from) in lines.zip(window(plane).samples.chunks_exact(full.width)) {
                        to.copy_from_slice(&from[columns.clone()]);
                    }
                }
            }
            Laying::Interpolated(kernel) => {
                let planes = room.iter_mut().enumerate();
                let mut planes: Vec<(Window, &mut [f32])> =
                    planes.map(|(plane, room)| (window(plane), &mut *room.samples)).collect();
                warp::warp(&mut planes, full, &self.transform, place, kernel, between);
            }
            Laying::Drizzled { .. } => {
                for (plane, Room { samples: value, coverage }) in room.iter_mut().enumerate() {
                    if let Some(drops) = self.drops(plane) {
                        let mut out = Drizzled { value, coverage };
                        let window = window(plane);
                        drizzle(window, full, &self.transform, place.clone(), &drops, &mut out);
                    }
                }
            }
        }
        for (plane, Room { samples: out, .. }) in room.iter_mut().enumerate() {
            let Affine { scale, offset } = self.levels[plane];
            if self.levels[plane] != Affine::IDENTITY {
                let (scale, level) = (scale as f32, (-offset / scale) as f32);
                out.iter_mut().for_each(|v| *v = (*v - level) * scale);
            }
            if let Some(offsets) = self.offsets.get(plane) {
                let mut line = vec![0.0; self.size.width];
                for (out, y) in out.chunks_exact_mut(columns.len()).zip(rows.clone()) {
                    offsets.row(y, &mut line);
                    out.iter_mut().zip(&line[columns.clone()]).for_each(|(v, o)| *v += o);
                }
            }
        }
        Ok(())
    }
}
