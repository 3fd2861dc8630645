//! A light calibrated as it is read, so that no calibrated file has to lie between.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use photosite_file::{Access, Source};
use photosite_pix::{Applied, CfaPattern, Plane, Size};

use super::{Calibrated, CalibrationSet, Light};
use crate::raw::RawFrame;
use crate::stack::{Prepared, ReadBuffers};
use crate::{Result, defects};

/// A raw light whose rows come calibrated: the same samples as those of the calibrated light, to
/// the bit, and NaN where it has none.
pub struct CalibratedSource {
    path: PathBuf,
    raw: Prepared,
    set: Arc<CalibrationSet>,
    facts: Facts,
}

/// What a calibration asks of a light besides its samples.
#[derive(Debug, Clone, Copy)]
struct Facts {
    saturation_adu: Option<f32>,
    exposure_s: Option<f64>,
    applied: Applied,
}

impl CalibratedSource {
    /// A light, opened, and what calibrates it.
    pub fn new(frame: &RawFrame, raw: Prepared, set: Arc<CalibrationSet>) -> Self {
        let facts = Facts {
            saturation_adu: frame.saturation_adu,
            exposure_s: frame.metadata.exposure_s,
            applied: frame.metadata.applied,
        };
        Self { path: frame.path.clone(), raw, set, facts }
    }

    /// The colour filter array over the light.
    pub fn cfa(&self) -> Option<CfaPattern> {
        self.raw.cfa
    }

    /// Calibrates the whole light, without a variance.
    ///
    /// # Errors
    /// When it cannot be read, or its masters do not fit.
    pub fn whole(&self) -> Result<Calibrated> {
        let size = self.raw.region.size();
        let mut buffers = ReadBuffers::default();
        let mut data = Plane::zeroed(size);
        self.raw.read(0..size.height, 0..size.width, &mut buffers, data.as_mut_slice())?;
        self.set.apply(self.light(data))
    }

    fn light(&self, data: Plane<f32>) -> Light {
        let Facts { saturation_adu, exposure_s, applied } = self.facts;
        Light {
            data,
            saturation_adu,
            overscan_adu: self.raw.level_adu,
            exposure_s,
            cfa: self.raw.cfa,
            applied,
            noise: None,
        }
    }

    /// Calibrates `rows`; gives them with rows beyond, and how many of those come first.
    fn rows(&self, rows: &Range<usize>, bytes: &mut Vec<u8>) -> photosite_file::Result<Rows> {
        let size = self.raw.region.size();
        // The pattern of a part of the light must be that of the light.
        let cell = self.raw.cfa.map_or(1, CfaPattern::period);
        let reach = defects::reach(self.raw.cfa);
        let first = rows.start.saturating_sub(reach) / cell * cell;
        let last = (rows.end + reach).min(size.height);
        let mut data = Plane::zeroed(Size::new(size.width, last - first));
        let mut buffers = ReadBuffers::with_bytes(std::mem::take(bytes));
        self.raw.read(first..last, 0..size.width, &mut buffers, data.as_mut_slice())?;
        *bytes = buffers.into_bytes();
        let light = self.light(data);
        let done = self.set.apply_band(light, first).map_err(|e| {
            // Whether masters fit does not depend on the rows, and was seen before.
            photosite_file::Error::request(&self.path, e.to_string())
        })?;
        Ok((done.frame.data, rows.start - first))
    }
}

/// Calibrated rows, and the first of them that was asked for.
type Rows = (Plane<f32>, usize);

impl Source for CalibratedSource {
    fn size(&self) -> Size {
        self.raw.region.size()
    }

    fn planes(&self) -> usize {
        1
    }

    fn access(&self) -> Access {
        self.raw.source.access()
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> photosite_file::Result<()> {
        photosite_file::check_rows(&self.path, (self.size(), 1), plane, &rows, out.len())?;
        if rows.is_empty() {
            return Ok(());
        }
        let (data, first) = self.rows(&rows, scratch)?;
        out.copy_from_slice(data.rows(first, first + rows.len()));
        Ok(())
    }
}
