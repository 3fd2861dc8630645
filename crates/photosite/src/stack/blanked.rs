//! A light whose trails and empty borders are holes.

use std::ops::Range;
use std::sync::Arc;

use photosite_file::{Access, Source};
use photosite_pix::Size;
use photosite_pix::border::Border;
use photosite_pix::trails::Trail;

/// A source whose samples under trails, and on a border without data, are NaN in all planes alike.
///
/// It stands below whatever mixes neighbours (debayering, interpolation), so that no light of a
/// trail reaches beyond its band.
pub struct Blanked {
    /// The light.
    pub source: Box<dyn Source>,
    /// Its trails, in pixels of the light.
    pub trails: Vec<Trail>,
    /// Its border without data.
    pub border: Option<Arc<Border>>,
}

impl Blanked {
    fn mask(&self, rows: Range<usize>, plane: &mut [f32]) {
        let width = self.source.size().width;
        if let Some(border) = &self.border {
            border.each(rows.clone(), |i| plane[i] = f32::NAN);
        }
        for trail in &self.trails {
            trail.spans(rows.clone(), width, |y, columns| {
                plane[(y - rows.start) * width..][columns].fill(f32::NAN);
            });
        }
    }
}

impl Source for Blanked {
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
        self.mask(rows, out);
        Ok(())
    }

    fn read_planes(
        &self,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> photosite_file::Result<()> {
        self.source.read_planes(rows.clone(), scratch, out)?;
        let part = rows.len() * self.size().width;
        if part > 0 {
            out.chunks_exact_mut(part).for_each(|plane| self.mask(rows.clone(), plane));
        }
        Ok(())
    }
}
