//! A light that is offered to a stack: a calibrated file, or a raw one that is calibrated as it is
//! read.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_file::changed;
use photosite_file::fits::mask_bits;
use photosite_file::scratch::Scratch;
use photosite_file::{Access, Source, keyword};
use photosite_pix::{CfaPattern, Frame, Header, MaskBits, Metadata, Plane, Size, Unit};

use super::defect_map::LoadedMap;
use super::light::{
    LightRequest, LightResult, Masters, calibrate_in_memory, calibrate_kept, seen_key,
};
use crate::calibrate::CalibratedSource;
use crate::calibrate::dark::DarkShare;
use crate::defects::{Defect, repair, rows_around};
use crate::detector::mark_raw;
use crate::open::{
    open, open_full_scale, open_mask, probe, read_frames, read_full_scale, read_masked,
};
use crate::params::Repair;
use crate::provenance::{ContentHash, FileMark};
use crate::raw::{Handling, RawFrame, Reopened, runs_from_zero_to_one};
use crate::stack::{Masked, ReadBuffers};
use crate::{Error, Result};

/// A light that is offered to a stack.
#[derive(Debug, Clone)]
pub struct Offered {
    /// Where it lies.
    pub path: PathBuf,
    /// What it holds.
    pub hash: ContentHash,
    /// What tells the file from its later self.
    pub mark: FileMark,
    /// Width and height.
    pub size: Size,
    /// Planes of that size.
    pub planes: usize,
    /// What reading a range of rows costs.
    pub access: Access,
    from: Origin,
    /// Defective pixels that its mask need not tell of, row after row, and what becomes of them.
    mapped: Option<(Arc<[Defect]>, Repair)>,
}

/// Where its calibrated samples come from.
#[derive(Debug, Clone)]
enum Origin {
    /// They are in the file, which may hold them from 0 to 1.
    File { from_zero_to_one: bool },
    /// They are made of the raw ones whenever they are read.
    Raw(Box<RawLight>),
}

/// A raw light and what calibrates it.
#[derive(Debug, Clone)]
struct RawLight {
    frame: RawFrame,
    /// `None` while they are not in memory.
    masters: Option<Arc<Masters>>,
    /// How much of the dark is taken, where that was decided for this light.
    dark: Option<DarkShare>,
}

impl RawLight {
    fn masters(&self) -> Result<&Masters> {
        self.masters.as_deref().ok_or_else(|| {
            Error::bug(format!("{} has lost its masters", self.frame.path.display()))
        })
    }
}

/// A light in memory.
pub struct Opened {
    /// Samples and mask, plane by plane.
    pub frames: Vec<Frame>,
    /// The header of the calibrated light.
    pub header: Header,
    /// The header's meaning.
    pub metadata: Metadata,
    /// How it was calibrated, where that was done here.
    pub calibrated: Option<LightResult>,
}

impl Offered {
    /// A light that is calibrated.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn file(path: &Path) -> Result<Self> {
        let mark = FileMark::of(path)?;
        let hash = ContentHash::of_file(path)?;
        let probe = probe(path)?;
        let (size, planes, access) = (probe.size, probe.planes, probe.access);
        Ok(Self {
            path: path.to_owned(),
            hash,
            mark,
            size,
            planes,
            access,
            from: Origin::File { from_zero_to_one: runs_from_zero_to_one(path, &probe.header)? },
            mapped: None,
        })
    }

    /// A raw light and the masters for it; `dark` is how much of the dark is taken, where that was
    /// decided for this light.
    pub fn raw(frame: &RawFrame, masters: Arc<Masters>, dark: Option<DarkShare>) -> Self {
        let raw = RawLight { frame: frame.clone(), masters: Some(masters), dark };
        Self {
            path: frame.path.clone(),
            hash: frame.hash,
            mark: frame.mark,
            size: frame.region().size(),
            planes: 1,
            access: frame.access,
            from: Origin::Raw(Box::new(raw)),
            mapped: None,
        }
    }

    /// The same light with the masters for it; a file needs none.
    #[must_use]
    pub fn calibrated_by(mut self, masters: Arc<Masters>) -> Self {
        if let Origin::Raw(raw) = &mut self.from {
            raw.masters = Some(masters);
        }
        self
    }

    /// The same light without its masters, which may then leave the memory; it cannot be read until
    /// it has them again.
    #[must_use]
    pub fn without_masters(mut self) -> Self {
        if let Origin::Raw(raw) = &mut self.from {
            raw.masters = None;
        }
        self
    }

    /// The same light with the pixels of a defect map, of which `defects` are row after row: as holes, repaired
    /// before or not, which other lights fill, or repaired where they were not.
    ///
    /// # Errors
    /// When the map is of another size, or the light was debayered: its neighbours share the defect then.
    pub fn with_defects(
        self,
        map: &LoadedMap,
        defects: Arc<[Defect]>,
        repair: Repair,
    ) -> Result<Self> {
        if map.map.size != self.size {
            return Err(Error::mismatch(format!(
                "the defect map is {} pixels, the light is {}",
                map.map.size, self.size
            ))
            .about(&self.path));
        }
        if self.planes != 1 {
            return Err(Error::mismatch(
                "a defect map is of the sensor's pixels, and this light was debayered; name it when the \
                 light is calibrated",
            )
            .about(&self.path));
        }
        Ok(Self { mapped: Some((defects, repair)), ..self })
    }

    /// Whether its file holds samples from 0 to 1, which are read as ADU.
    pub fn from_zero_to_one(&self) -> bool {
        matches!(self.from, Origin::File { from_zero_to_one: true })
    }

    /// The key of what may be seen in it; `None` for a file, and while its masters are not in memory.
    pub fn seen_key(&self) -> Option<String> {
        match &self.from {
            Origin::File { .. } => None,
            Origin::Raw(raw) => Some(seen_key(&raw.frame, raw.masters.as_deref()?, raw.dark)),
        }
    }

    /// Reads it whole; a frame that is done with gives its planes to a raw light.
    ///
    /// # Errors
    /// When it cannot be read, or does not fit its masters.
    pub fn open(&self, room: Option<Frame>, buffers: &mut ReadBuffers) -> Result<Opened> {
        match &self.from {
            Origin::File { from_zero_to_one } => {
                drop(room);
                let (mut frames, header) = match self.planes {
                    _ if *from_zero_to_one => read_full_scale(&self.path)?,
                    1 => read_masked(&self.path).map(|(frame, header)| (vec![frame], header))?,
                    _ => read_frames(&self.path)?,
                };
                let metadata = keyword::read(&header).metadata;
                frames.iter_mut().for_each(|frame| mark_raw(frame, &metadata, &header));
                if let Some((defects, repair)) = &self.mapped {
                    frames.iter_mut().for_each(|frame| match repair {
                        Repair::Neighbours => mend(frame, metadata.cfa, defects, 0),
                        Repair::Holes => pierce(frame, defects),
                    });
                }
                Ok(Opened { frames, header, metadata, calibrated: None })
            }
            Origin::Raw(raw) => {
                let request = LightRequest::to_be_stacked(&raw.frame, raw.masters()?, raw.dark);
                let (frame, header, result) = calibrate_in_memory(&request, (room, buffers))?;
                let metadata = keyword::read(&header).metadata;
                let frames = vec![frame];
                Ok(Opened { frames, header, metadata, calibrated: Some(result) })
            }
        }
    }

    /// Its planes with the variance of their samples, where that is known.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_variance(&self, buffers: &mut ReadBuffers) -> Result<Vec<Frame>> {
        match &self.from {
            Origin::File { from_zero_to_one } => {
                let read = if *from_zero_to_one { read_full_scale } else { read_frames };
                let (mut frames, header) = read(&self.path)?;
                let metadata = keyword::read(&header).metadata;
                frames.iter_mut().for_each(|frame| mark_raw(frame, &metadata, &header));
                Ok(frames)
            }
            Origin::Raw(raw) => {
                let request = LightRequest::to_be_stacked(&raw.frame, raw.masters()?, raw.dark);
                Ok(vec![calibrate_kept(&request, buffers)?.0])
            }
        }
    }

    /// Its rows on demand, NaN where nothing is known; a packed light is unpacked once, to `scratch`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn source(&self, keep_open: bool, scratch: Option<&Scratch>) -> Result<Box<dyn Source>> {
        let source = self.as_it_is(keep_open, scratch)?;
        Ok(match &self.mapped {
            Some((defects, Repair::Holes)) => holed(source, defects.clone()),
            Some((defects, Repair::Neighbours)) => {
                let cfa = keyword::read(&probe(&self.path)?.header).metadata.cfa;
                let (path, defects) = (self.path.clone(), defects.clone());
                Box::new(Mended { path, source, defects, cfa })
            }
            None => source,
        })
    }

    fn as_it_is(&self, keep_open: bool, scratch: Option<&Scratch>) -> Result<Box<dyn Source>> {
        let how = if self.from_zero_to_one() { masked_full_scale } else { masked };
        match (&self.from, scratch.filter(|_| self.access == Access::Whole)) {
            (Origin::File { .. }, Some(scratch)) => Ok(Box::new(scratch.add(&*how(&self.path)?)?)),
            (Origin::File { .. }, None) if keep_open => Ok(how(&self.path)?),
            (Origin::File { .. }, None) => {
                let Self { path, size, planes, .. } = self.clone();
                Ok(Box::new(Reopened { path, size, planes, raw: false, open: how }))
            }
            (Origin::Raw(raw), scratch) => {
                let handling = Handling::Stack { scratch, keep_open };
                let prepared = raw.frame.open(handling)?;
                let set = raw.masters()?.set();
                Ok(Box::new(CalibratedSource::new(&raw.frame, prepared, set, raw.dark)))
            }
        }
    }

    /// Checks that its file is still the one that was read for its hash.
    ///
    /// # Errors
    /// When it is another, or gone.
    pub fn unchanged(&self) -> Result<()> {
        if FileMark::of(&self.path)? == self.mark {
            Ok(())
        } else {
            Err(Error::changed(&self.path))
        }
    }

    /// Files that it keeps open.
    pub fn open_files(&self) -> usize {
        match self.from {
            Origin::File { .. } => 2,
            Origin::Raw(_) => 1,
        }
    }
}

/// A light with the pixels of a defect map missing.
fn holed(source: Box<dyn Source>, holes: Arc<[Defect]>) -> Box<dyn Source> {
    let width = source.size().width;
    changed(source, move |rows, out| {
        part(&holes, &rows).iter().for_each(|d| out[(d.y - rows.start) * width + d.x] = f32::NAN);
    })
}

/// Marks the pixels of a map and makes holes of them, repaired or not.
fn pierce(frame: &mut Frame, defects: &[Defect]) {
    for d in defects {
        let mask = &mut frame.mask.row_mut(d.y)[d.x];
        *mask |= d.bits;
        mask.set(MaskBits::INTERPOLATED, false);
    }
}

/// Marks the pixels of a map in the rows of a frame from `first` on, and repairs those that were not, and that
/// have a sample.
fn mend(frame: &mut Frame, cfa: Option<CfaPattern>, defects: &[Defect], first: usize) {
    let mut wanted = Vec::new();
    for d in part(defects, &(first..first + frame.size().height)) {
        let mask = &mut frame.mask.row_mut(d.y - first)[d.x];
        if !mask.intersects(MaskBits::INTERPOLATED | MaskBits::NO_DATA) {
            wanted.push((d.x, d.y - first));
        }
        *mask |= d.bits;
    }
    repair(frame, cfa, &wanted);
}

/// The defects of some rows.
fn part<'a>(defects: &'a [Defect], rows: &Range<usize>) -> &'a [Defect] {
    let from = defects.partition_point(|d| d.y < rows.start);
    let to = defects.partition_point(|d| d.y < rows.end);
    &defects[from..to]
}

/// A light with the pixels of a defect map repaired as its rows are read.
struct Mended {
    path: PathBuf,
    /// The light, NaN where nothing is known.
    source: Box<dyn Source>,
    defects: Arc<[Defect]>,
    cfa: Option<CfaPattern>,
}

impl Source for Mended {
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
    ) -> photosite_file::Result<()> {
        photosite_file::check_rows(&self.path, (self.size(), 1), plane, &rows, out.len())?;
        if part(&self.defects, &rows).is_empty() {
            return self.source.read_rows(plane, rows, scratch, out);
        }
        let all = rows_around(&rows, self.cfa, self.size().height);
        let size = Size::new(self.size().width, all.len());
        let mut frame = Frame::new(Plane::zeroed(size), Unit::Adu);
        self.source.read_rows(plane, all.clone(), scratch, frame.data.as_mut_slice())?;
        // Not kept open: there may be many lights.
        if let Some(mask) = open_mask(&self.path)? {
            let mut bits = vec![0.0; size.pixels()];
            mask.read_rows(plane, all.clone(), scratch, &mut bits)?;
            for (mask, bits) in frame.mask.as_mut_slice().iter_mut().zip(bits) {
                *mask = mask_bits(bits).unwrap_or(MaskBits::NO_DATA);
            }
        }
        mend(&mut frame, self.cfa, &self.defects, all.start);
        out.copy_from_slice(frame.data.rows(rows.start - all.start, rows.end - all.start));
        Ok(())
    }
}

fn masked(path: &Path) -> photosite_file::Result<Box<dyn Source>> {
    with_mask(path, open(path)?)
}

fn masked_full_scale(path: &Path) -> photosite_file::Result<Box<dyn Source>> {
    with_mask(path, open_full_scale(path)?)
}

fn with_mask(path: &Path, source: Box<dyn Source>) -> photosite_file::Result<Box<dyn Source>> {
    Ok(match open_mask(path)? {
        Some(mask) => Box::new(Masked { source, mask }),
        None => source,
    })
}
