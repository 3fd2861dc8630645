//! A light calibrated as it is read, so that no calibrated file is needed in between.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use photosite_file::{Access, Source};
use photosite_pix::unit::NoiseModel;
use photosite_pix::{Applied, CfaPattern, Frame, Plane, Size, Unit};

use super::course::LightFacts;
use super::dark::DarkShare;
use super::left::strip_rows;
use super::set::{Calibrated, CalibrationSet};
use super::steps::Step;
use crate::raw::RawFrame;
use crate::stack::{Prepared, ReadBuffers};
use crate::{Error, Result, defects};

/// A raw light whose rows come calibrated: the same samples as those of the calibrated light, to
/// the bit, and NaN where it has none.
pub struct CalibratedSource {
    path: PathBuf,
    raw: Prepared,
    set: Arc<CalibrationSet>,
    facts: LightFacts,
    /// Gain and read noise as the header gives them.
    header_noise: Option<NoiseModel>,
}

impl CalibratedSource {
    /// A light, opened, and what calibrates it; `dark` is how much of the dark is taken, where that was
    /// decided for this light.
    pub fn new(
        frame: &RawFrame,
        raw: Prepared,
        set: Arc<CalibrationSet>,
        dark: Option<DarkShare>,
    ) -> Self {
        let facts = LightFacts {
            saturation_adu: frame.detector.saturation_adu,
            level_adu: raw.level_adu,
            level: frame.level(),
            exposure_s: frame.metadata.exposure_s,
            cfa: raw.cfa,
            applied: frame.metadata.applied,
            noise: None,
            noise_by_hand: false,
            dark,
            step_adu: frame.step_adu(),
            linearity: (frame.linearity.clone())
                .filter(|_| !frame.metadata.applied.contains(Applied::LINEARITY)),
            parts: raw.parts.clone(),
        };
        let header_noise = frame.noise();
        Self { path: frame.path.clone(), raw, set, facts, header_noise }
    }

    /// The colour filter array over the light.
    pub fn cfa(&self) -> Option<CfaPattern> {
        self.facts.cfa
    }

    /// What was subtracted from every sample on reading, in ADU.
    pub fn level_adu(&self) -> f32 {
        self.facts.level_adu
    }

    /// Calibrates the whole light, with a variance where `noise` is known; `raw` and `calibrated`
    /// are shown its rows from the first to the last. The planes of `room` are used, if there is
    /// one of the light's size.
    ///
    /// # Errors
    /// When it cannot be read, or its masters do not fit.
    pub fn whole(
        &self,
        noise: Option<NoiseModel>,
        room: Option<Frame>,
        buffers: &mut ReadBuffers,
        (mut raw, mut calibrated): (impl FnMut(&[f32]), impl FnMut(&[f32])),
    ) -> Result<Calibrated> {
        let named = |e: Error| e.about(&self.path);
        let size = self.size();
        self.set.fits(size).map_err(named)?;
        let noise_by_hand = noise != self.header_noise;
        let facts = LightFacts { noise, noise_by_hand, ..self.facts.clone() };
        let course = self.set.course(facts).map_err(named)?;
        let (data, mask) = match room.filter(|room| room.size() == size) {
            Some(room) => (room.data, room.mask),
            None => (Plane::zeroed(size), Plane::zeroed(size)),
        };
        let variance = noise.map(|_| Plane::zeroed(size));
        let mut frame = Frame { data, variance, mask, unit: Unit::Adu, applied: course.applied };
        let reach = defects::reach(self.facts.cfa);
        let (strip, mut replaced) = (strip_rows(size, self.facts.cfa), Vec::new());
        let (mut defective, mut done, mut repaired) = (Vec::new(), 0, 0);
        for y in (0..size.height).step_by(BAND) {
            let rows = y..(y + BAND).min(size.height);
            let room = frame.data.rows_mut(rows.start, rows.end);
            self.raw.read(rows.clone(), 0..size.width, buffers, room)?;
            raw(room);
            course.calibrate(&mut frame, rows.clone(), 0);
            defective.extend(course.enter_defects(&mut frame, rows.clone(), 0));
            // Repairs want the rows beyond.
            let ready = if rows.end == size.height { rows.end } else { rows.end - reach };
            let wait = defective.partition_point(|(_, y)| *y < ready);
            let in_strip = defective[..wait].iter().filter(|(_, y)| strip.contains(y));
            replaced.extend(in_strip.map(|&(x, y)| (x, y, frame.data.get(x, y))));
            repaired += self.set.mend(&mut frame, self.facts.cfa, &defective[..wait]);
            defective.drain(..wait);
            calibrated(frame.data.rows(done, ready));
            done = ready;
        }
        let (steps, dark) = (course.names(), course.share);
        Ok(Calibrated { frame, steps, dark_scale: course.k, dark, repaired, replaced })
    }
}

impl CalibratedSource {
    /// Rows of the light as its flat saw it: pixels that call for a repair not repaired, outputs in gains of their own.
    ///
    /// # Errors
    /// When they cannot be read, or the masters do not fit.
    pub fn before_flat(
        &self,
        rows: Range<usize>,
        buffers: &mut ReadBuffers,
        out: &mut [f32],
    ) -> Result<()> {
        let named = |e: Error| e.about(&self.path);
        let size = Size::new(self.size().width, rows.len());
        self.set.fits(self.size()).map_err(named)?;
        let mut course = self.set.course(self.facts.clone()).map_err(named)?;
        course.steps.retain(|row| row.step != Step::Gain);
        let mut data = Plane::zeroed(size);
        self.raw.read(rows.clone(), 0..size.width, buffers, data.as_mut_slice())?;
        let mask = Plane::zeroed(size);
        let mut frame =
            Frame { data, variance: None, mask, unit: Unit::Adu, applied: course.applied };
        course.calibrate(&mut frame, 0..size.height, rows.start);
        out.copy_from_slice(frame.data.as_slice());
        Ok(())
    }
}

/// Rows that are calibrated together: they stay in the cache from one step to the next.
const BAND: usize = 64;

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
        let size = self.size();
        let Range { start: first, end: last } =
            defects::rows_around(&rows, self.facts.cfa, size.height);
        let mut data = Plane::zeroed(Size::new(size.width, last - first));
        let mut buffers = ReadBuffers::with_bytes(std::mem::take(scratch));
        self.raw.read(first..last, 0..size.width, &mut buffers, data.as_mut_slice())?;
        *scratch = buffers.into_bytes();
        let course = self.set.course(self.facts.clone()).map_err(|e| {
            // What is done does not depend on the rows, and was seen before.
            photosite_file::Error::request(&self.path, e.to_string())
        })?;
        let mask = Plane::zeroed(data.size());
        let mut frame =
            Frame { data, variance: None, mask, unit: Unit::Adu, applied: course.applied };
        let all = 0..frame.size().height;
        course.calibrate(&mut frame, all.clone(), first);
        let mut defective = course.enter_defects(&mut frame, all, first);
        let own = rows.start - first..rows.end - first;
        defective.retain(|(_, y)| own.contains(y));
        self.set.mend(&mut frame, self.facts.cfa, &defective);
        out.copy_from_slice(frame.data.rows(own.start, own.end));
        Ok(())
    }
}
