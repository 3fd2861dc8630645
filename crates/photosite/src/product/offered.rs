//! A light that is offered to a stack: a calibrated file, or a raw one that is calibrated as it is
//! read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_file::changed;
use photosite_file::scratch::Scratch;
use photosite_file::{Access, Source, keyword};
use photosite_pix::{Frame, Header, MaskBits, Metadata, Size};

use super::defect_map::LoadedMap;
use super::light::{LightRequest, LightResult, Masters, calibrate_in_memory, seen_key};
use crate::calibrate::CalibratedSource;
use crate::calibrate::dark::DarkShare;
use crate::defects::Defect;
use crate::detector::mark_raw;
use crate::open::{open, open_mask, probe, read_frames, read_masked};
use crate::provenance::{ContentHash, FileMark};
use crate::raw::{Handling, RawFrame, Reopened};
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
    /// Pixels that are holes whatever its mask says, row after row.
    holes: Option<Arc<[Defect]>>,
}

/// Where its calibrated samples come from.
#[derive(Debug, Clone)]
enum Origin {
    /// They are in the file.
    File,
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
            from: Origin::File,
            holes: None,
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
            holes: None,
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

    /// The same light with the pixels of a defect map as holes, repaired or not, which other lights fill.
    ///
    /// # Errors
    /// When the map is of another size, or the light was debayered: its neighbours share the defect then.
    pub fn without_defects(self, map: &LoadedMap, holes: Arc<[Defect]>) -> Result<Self> {
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
        Ok(Self { holes: Some(holes), ..self })
    }

    /// The key of what may be seen in it; `None` for a file, and while its masters are not in memory.
    pub fn seen_key(&self) -> Option<String> {
        match &self.from {
            Origin::File => None,
            Origin::Raw(raw) => Some(seen_key(&raw.frame, raw.masters.as_deref()?, raw.dark)),
        }
    }

    /// Reads it whole; a frame that is done with gives its planes to a raw light.
    ///
    /// # Errors
    /// When it cannot be read, or does not fit its masters.
    pub fn open(&self, room: Option<Frame>, buffers: &mut ReadBuffers) -> Result<Opened> {
        match &self.from {
            Origin::File => {
                drop(room);
                let (mut frames, header) = match self.planes {
                    1 => read_masked(&self.path).map(|(frame, header)| (vec![frame], header))?,
                    _ => read_frames(&self.path)?,
                };
                let metadata = keyword::read(&header).metadata;
                frames.iter_mut().for_each(|frame| mark_raw(frame, &metadata, &header));
                for d in self.holes.iter().flat_map(|holes| holes.iter()) {
                    for frame in &mut frames {
                        let mask = &mut frame.mask.row_mut(d.y)[d.x];
                        *mask |= d.bits;
                        mask.set(MaskBits::INTERPOLATED, false);
                    }
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

    /// Its rows on demand, NaN where nothing is known; a packed light is unpacked once, to `scratch`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn source(&self, keep_open: bool, scratch: Option<&Scratch>) -> Result<Box<dyn Source>> {
        let source = self.as_it_is(keep_open, scratch)?;
        Ok(match &self.holes {
            Some(holes) => holed(source, holes.clone()),
            None => source,
        })
    }

    fn as_it_is(&self, keep_open: bool, scratch: Option<&Scratch>) -> Result<Box<dyn Source>> {
        match (&self.from, scratch.filter(|_| self.access == Access::Whole)) {
            (Origin::File, Some(scratch)) => Ok(Box::new(scratch.add(&*masked(&self.path)?)?)),
            (Origin::File, None) if keep_open => Ok(masked(&self.path)?),
            (Origin::File, None) => {
                let Self { path, size, planes, .. } = self.clone();
                Ok(Box::new(Reopened { path, size, planes, raw: false, open: masked }))
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
            Origin::File => 2,
            Origin::Raw(_) => 1,
        }
    }
}

/// A light with the pixels of a defect map missing.
fn holed(source: Box<dyn Source>, holes: Arc<[Defect]>) -> Box<dyn Source> {
    let width = source.size().width;
    changed(source, move |rows, out| {
        let from = holes.partition_point(|d| d.y < rows.start);
        let to = holes.partition_point(|d| d.y < rows.end);
        holes[from..to].iter().for_each(|d| out[(d.y - rows.start) * width + d.x] = f32::NAN);
    })
}

fn masked(path: &Path) -> photosite_file::Result<Box<dyn Source>> {
    let source = open(path)?;
    Ok(match open_mask(path)? {
        Some(mask) => Box::new(Masked { source, mask }),
        None => source,
    })
}
