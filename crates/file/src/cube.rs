//! Files of one image whose planes are frames of their own: cubes, as drivers write bursts.

use std::ops::Range;

use photosite_pix::{Card, Size};

use crate::source::MOST_PLANES;
use crate::{Access, Probe, RawSource, Result, Source};

impl Probe {
    /// Whether its planes are more than an image has colours, so that each is a frame of its own.
    pub(crate) fn is_cube(&self) -> bool {
        self.planes > MOST_PLANES && self.frames().len() == 1
    }

    /// A description of each plane of a cube; its number is the unit of the image.
    pub(crate) fn planes_apart(mut self) -> Vec<Self> {
        let planes = std::mem::replace(&mut self.planes, 1);
        self.header.remove("NAXIS3");
        self.header.set(Card::integer("NAXIS", 2, "number of axes"));
        self.hdus.retain(|h| h.index == self.image);
        self.hdus.iter_mut().for_each(|h| h.planes = 1);
        let one = |plane: usize| {
            let mut one = self.clone();
            one.image = plane;
            one.hdus.iter_mut().for_each(|h| h.index = plane);
            one
        };
        (0..planes).map(one).collect()
    }
}

/// One plane of a source.
pub(crate) struct OnePlane {
    pub source: Box<dyn Source>,
    pub plane: usize,
}

impl Source for OnePlane {
    fn size(&self) -> Size {
        self.source.size()
    }

    fn planes(&self) -> usize {
        1
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
    ) -> Result<()> {
        self.source.read_rows(self.plane + plane, rows, scratch, out)
    }

    fn raw(&self) -> Option<&dyn RawSource> {
        self.source.raw().map(|_| self as &dyn RawSource)
    }
}

impl RawSource for OnePlane {
    fn read_raw_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [u16],
    ) -> Result<()> {
        let raw = self.source.raw().expect("asked for where there is one");
        raw.read_raw_rows(self.plane + plane, rows, scratch, out)
    }
}
