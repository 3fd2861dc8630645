//! Raw frames on their way in: which part is used, and from which level.
//!
//! ```
//! # use photosite_file::{atomic::Existing, fits::{FrameSpec, Sample, write_frame}};
//! # use photosite_pix::{Card, Frame, Header, Plane, Size, Unit};
//! # let write = |path: &std::path::Path, size: Size, adu: f32, cards: &[Card]| {
//! #     let header = Header::from_cards(cards.to_vec());
//! #     let frame = Frame::new(Plane::filled(size, adu), Unit::Adu);
//! #     let spec = FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
//! #     write_frame(path, &[&frame], spec, Existing::Refuse).unwrap();
//! # };
//! # let dir = tempfile::tempdir().unwrap();
//! use photosite::RawFrame;
//!
//! # let path = dir.path().join("light.fits");
//! # let cards = [
//! #     Card::string("TRIMSEC", "[5:16,1:8]", ""),
//! #     Card::real("EGAIN", 1.5, ""),
//! #     Card::real("RDNOISE", 4.0, ""),
//! # ];
//! # write(&path, Size::new(16, 8), 1000.0, &cards);
//! // 16 x 8 pixels, of which the first 4 columns see no light.
//! let frame = RawFrame::from_file(&path)?;
//! assert_eq!(frame.region().size(), Size::new(12, 8));
//! assert_eq!(frame.noise().unwrap().gain_e_per_adu.e_per_adu(), 1.5);
//! assert!(frame.unchanged().is_ok());
//! # Ok::<(), photosite::Error>(())
//! ```

mod flags;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use photosite_file::fits::DataSums;
use photosite_file::keyword::{self, SampleKind, Samples, Scale};
use photosite_file::scratch::Scratch;
use photosite_file::{Access, Probe, RawSource, Source, changed};
use photosite_pix::unit::NoiseModel;
use photosite_pix::{Applied, Detector, FrameKind, Header, Metadata, Rect, Size};

use crate::detector::{Linearity, OverscanRecord, Parts, detector_of, full_scale_adu};
use crate::finding::Severity;
use crate::open::{UNIT_ADU, in_adu, open_stored, probe, turned_over};
use crate::provenance::{ContentHash, FileMark};
use crate::stack::{Additive, Prepared, ReadBuffers};
use crate::{Error, Finding, Result};

pub use flags::{Flagged, told_flags};

/// What is subtracted from every sample of a frame before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Level {
    /// Nothing.
    #[default]
    Nothing,
    /// What the overscans of the frame tell.
    Overscan,
    /// A constant that was added on writing, in ADU.
    Pedestal(f32),
}

/// A raw frame that takes part in some work.
#[derive(Debug, Clone)]
pub struct RawFrame {
    /// Where it lies.
    pub path: PathBuf,
    /// What it holds.
    pub hash: ContentHash,
    /// What shows that the file has changed, taken before it was read.
    pub mark: FileMark,
    /// What its data contradict of the sums in its headers: half a sentence, where they do.
    pub damage: Option<String>,
    /// What reading a range of rows costs.
    pub access: Access,
    /// Which pixels see light, and where samples end.
    pub detector: Detector,
    /// Its samples run from 0 to 1 and are read as 0 to 65535 ADU.
    pub from_zero_to_one: bool,
    /// A program moved or cropped it and filled up its edge with zeros: these are no samples.
    pub zero_is_missing: bool,
    /// What the flags of another program beside it say.
    pub flagged: Option<Flagged>,
    /// Its rows are read from the last to the first; header, metadata and detector are those of the
    /// frame as it is read.
    pub turned: bool,
    /// Gain and read noise are not those of its file's header.
    pub noise_told: bool,
    /// The header's cards.
    pub header: Header,
    /// The header's meaning.
    pub metadata: Metadata,
    /// What straightens its response, where it bends.
    pub linearity: Option<Arc<Linearity>>,
    /// What its overscans told, and the parts of it, once it was opened.
    pub parts: OnceLock<Arc<Parts>>,
}

/// What a file holds, and what its data contradict of the sums that its headers promise, in one reading.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn hash_and_damage(path: &Path) -> Result<(ContentHash, Option<String>)> {
    // A file whose units cannot be told is found out where it is opened.
    let mut sums = DataSums::promised(path).ok().flatten();
    let hash = ContentHash::of_file_seen(path, |bytes| {
        if let Some(sums) = &mut sums {
            sums.add(bytes);
        }
    })?;
    let told = |(unit, is, says): (&str, u32, &str)| {
        format!("the data of {unit} sum up to {is}, and its DATASUM says {says}")
    };
    Ok((hash, sums.as_ref().and_then(DataSums::contradicted).map(told)))
}

impl RawFrame {
    /// A frame from its file, as its own header describes it; the file is read through once, for
    /// its content hash.
    ///
    /// # Errors
    /// When the file cannot be read, or has several planes.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mark = FileMark::of(path)?;
        let (hash, damage) = hash_and_damage(path)?;
        let Probe { header, size, planes, access, .. } = probe(path)?;
        if planes != 1 {
            return Err(Error::unsupported(format!(
                "{} has {planes} planes; a raw frame has one",
                path.display()
            )));
        }
        let metadata = keyword::read(&header).metadata;
        let detector = detector_of(&metadata, &header, size);
        let from_zero_to_one = runs_from_zero_to_one(path, &header)?;
        let zero_is_missing = has_border_of_zeros(path, &metadata, access)?;
        let flagged = Flagged::of(path, size)?;
        Ok(Self {
            path: path.to_owned(),
            hash,
            mark,
            damage,
            access,
            detector,
            from_zero_to_one,
            zero_is_missing,
            flagged,
            turned: false,
            noise_told: false,
            header,
            metadata,
            linearity: None,
            parts: OnceLock::new(),
        })
    }

    /// The step of the converter in ADU; 0 where samples are no integers.
    pub fn step_adu(&self) -> f32 {
        match full_scale_adu(&self.header) {
            Some(_) if !self.from_zero_to_one => {
                (self.header.get_f64("BSCALE").unwrap_or(1.0).abs() * self.adu_per_sample()) as f32
            }
            _ => 0.0,
        }
    }

    /// What one unit of its file's samples is in ADU: another number than 1 where they run from 0 to 1, are
    /// electrons, or are counted in a second. What cannot be told is taken as ADU.
    pub fn adu_per_sample(&self) -> f64 {
        match self.from_zero_to_one {
            true => UNIT_ADU,
            false => keyword::adu_per_sample(&self.header).unwrap_or(1.0),
        }
    }

    /// Opens the frame, with its own overscan level measured.
    ///
    /// # Errors
    /// When the file cannot be read, or is not what its header said.
    pub fn open(&self, handling: Handling<'_>) -> Result<Prepared> {
        let over = |source| if self.turned { turned_over(source) } else { source };
        let known = |source| if self.zero_is_missing { without_zeros(source) } else { source };
        let read = |source| over(known(in_adu(source, self.adu_per_sample())));
        let believed = self.flagged.is_some_and(|flagged| flagged.is_believed());
        let open = if believed { flags::open_unflagged } else { open_stored };
        let source = read(open(&self.path)?);
        let size = self.detector.size;
        if source.size() != size {
            let message = format!("is {} pixels now, was {size}", source.size());
            return Err(photosite_file::Error::damaged(&self.path, message).into());
        }
        let parts = self.parts(&*source)?;
        let level_adu = match self.level() {
            Level::Overscan => parts.level_adu as f32,
            Level::Pedestal(adu) => adu,
            Level::Nothing => 0.0,
        };
        let region = self.region();
        let cfa = self.metadata.cfa.map(|c| c.shifted(region.x0, region.y0));
        let source: Box<dyn Source> = match (handling, self.access) {
            (Handling::Stack { scratch: Some(scratch), .. }, Access::Whole) => {
                Box::new(scratch.add(&*source)?)
            }
            (Handling::Stack { keep_open: false, .. }, Access::Rows) => {
                let raw = source.raw().is_some();
                let path = self.path.clone();
                read(Box::new(Reopened { path, size, planes: 1, raw, open }))
            }
            _ => source,
        };
        Ok(Prepared {
            source,
            region,
            missing_from_adu: None,
            level_adu,
            parts: Some(parts).filter(|p| !p.is_uniform()),
            additive: Additive::Nothing,
            linear: None,
            scale: [1.0; 3],
            cfa,
        })
    }

    /// Its parts, measured at the first call.
    fn parts(&self, source: &dyn Source) -> Result<Arc<Parts>> {
        if let Some(parts) = self.parts.get() {
            return Ok(parts.clone());
        }
        let levelled = self.level() == Level::Overscan;
        let parts =
            Parts::measure(&self.detector, source, levelled).map_err(|e| e.about(&self.path))?;
        Ok(self.parts.get_or_init(|| Arc::new(parts)).clone())
    }

    /// What its overscans told; nothing before it was opened.
    pub fn overscans(&self) -> &[OverscanRecord] {
        self.parts.get().map_or(&[], |p| &p.records)
    }

    /// What decides its levels besides its header, as a parameter of products; `None` for a frame of one
    /// output without an overscan.
    pub(crate) fn levelling(&self) -> Option<serde_json::Value> {
        let Detector { overscan, overscan_method, amplifiers, .. } = &self.detector;
        let overscan = (self.level() == Level::Overscan).then(|| {
            let regions: Vec<_> = overscan.iter().map(|o| (o.source, o.target)).collect();
            serde_json::json!({ "method": overscan_method, "regions": regions })
        });
        let several = !amplifiers.is_empty();
        // What is cut off an overscan that is not trusted is cut off all the same.
        let area = Some(self.region()).filter(|area| area.size() != self.detector.size);
        (overscan.is_some() || several || area.is_some()).then(
            || serde_json::json!({ "overscan": overscan, "amplifiers": amplifiers, "area": area }),
        )
    }

    /// The part that is used.
    pub fn region(&self) -> Rect {
        self.detector.active
    }

    /// What is subtracted from every sample before anything else.
    ///
    /// The overscan's level, unless it was subtracted before; a pedestal that the header records
    /// is in the overscan too.
    pub fn level(&self) -> Level {
        let done = self.metadata.applied.contains(Applied::OVERSCAN);
        if !done && !self.detector.overscan.is_empty() {
            return Level::Overscan;
        }
        match self.metadata.pedestal_adu.filter(|p| p.is_finite() && *p != 0.0) {
            Some(adu) => Level::Pedestal(adu as f32),
            None => Level::Nothing,
        }
    }

    /// Checks that the file is still the one that was read for its hash.
    ///
    /// # Errors
    /// When it is another, or gone.
    pub fn unchanged(&self) -> Result<()> {
        if FileMark::of(&self.path)? == self.mark {
            return Ok(());
        }
        Err(Error::changed(&self.path))
    }

    /// Its exposure in seconds; 0 where the header gives none.
    pub fn exposure_s(&self) -> f64 {
        self.metadata.exposure_s.unwrap_or(0.0)
    }

    /// The temperature of its sensor in degrees Celsius, or the one that was set.
    pub fn temp_c(&self) -> Option<f64> {
        self.metadata.temp_c.or(self.metadata.set_temp_c)
    }

    /// Gain and read noise as the header gives them.
    pub fn noise(&self) -> Option<NoiseModel> {
        noise_of(&self.metadata)
    }

    /// The file's name without its folder.
    pub fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
    }

    /// Whether a path is this frame's.
    pub fn is(&self, path: &Path) -> bool {
        self.path == path
    }
}

/// Rows by which it is seen what samples count.
const ROWS_LOOKED_AT: usize = 16;

/// The largest sample of a frame that runs from 0 to 1, with room for what interpolation adds.
const MOST_OF_ONE: f32 = 2.0;

/// Scatter in ADU that no frame of a camera stays below.
const LEAST_NOISE_ADU: f32 = 0.02;

/// Whether the samples of a file run from 0 to 1 for 0 to 65535 ADU: the program that wrote it is
/// known to write so and no sample of its middle rows says otherwise, or nothing says what they count and all of
/// them lie between both, or little below, as no camera's numbers do.
///
/// # Errors
/// When the file cannot be read.
pub fn runs_from_zero_to_one(path: &Path, header: &Header) -> Result<bool> {
    let most = match keyword::samples(header) {
        Some(Samples { scale: Scale::FullScale, .. }) => f32::MIN..=MOST_OF_ONE,
        // A DATAMAX may be left over from the raw frame; a unit is meant.
        Some(Samples { scale: Scale::Unknown | Scale::Adu, kind: SampleKind::Float(_) })
            if header.get("BUNIT").is_none() =>
        {
            0.0..=1.0
        }
        _ => return Ok(false),
    };
    let source = open_stored(path)?;
    let size = source.size();
    let first = (size.height / 2).saturating_sub(ROWS_LOOKED_AT / 2);
    let rows = first..(first + ROWS_LOOKED_AT).min(size.height);
    let mut samples = vec![0.0f32; size.width * rows.len()];
    source.read_rows(0, rows, &mut Vec::new(), &mut samples)?;
    let known = || samples.iter().filter(|v| !v.is_nan());
    if !known().any(|v| *v != 0.0) {
        return Ok(false);
    }
    // A dark sky, or a dark too strong, leaves samples below 0; no camera's noise is so small in ADU.
    let below_zero = || known().all(|v| (-1.0..=1.0).contains(v)) && known().any(|v| *v > 0.0);
    let scatter_adu = || photosite_pix::stat::median_mad(&samples).1;
    Ok(known().all(|v| most.contains(v)) || (below_zero() && scatter_adu() < LEAST_NOISE_ADU))
}

/// That the samples of a file are read on another scale than they are stored.
pub fn brought_to_adu(path: &Path) -> Finding {
    let message =
        "its samples run from 0 to 1, as this program writes them; 1 is read as 65535 ADU";
    let subject = path.display().to_string();
    Finding::new("samples-from-zero-to-one", Severity::Info, subject, message)
}

/// A source whose zeros are missing samples.
fn without_zeros(source: Box<dyn Source>) -> Box<dyn Source> {
    changed(source, |_, out| {
        out.iter_mut().for_each(|v| *v = if *v == 0.0 { f32::NAN } else { *v });
    })
}

/// Rows that are looked at for a border.
const BORDER_ROWS: usize = 16;

/// Whether a light's first or last rows or columns are zeros, as programs leave them that move or crop a frame, and the
/// rest is not; of frames that take as long for a row as for all it is not asked.
///
/// # Errors
/// When the file cannot be read.
pub fn has_border_of_zeros(path: &Path, metadata: &Metadata, access: Access) -> Result<bool> {
    if metadata.kind.is_some_and(|kind| kind != FrameKind::Light) || access != Access::Rows {
        return Ok(false);
    }
    let source = open_stored(path)?;
    let (width, height) = (source.size().width, source.size().height);
    let (mut bytes, count) = (Vec::new(), BORDER_ROWS.min(height));
    let mut rows = vec![vec![0.0f32; width]; count];
    for (i, row) in rows.iter_mut().enumerate() {
        let y = i * (height - 1) / (count - 1).max(1);
        source.read_rows(0, y..y + 1, &mut bytes, row)?;
    }
    let column = |at: usize| rows.iter().all(|row| row[at] == 0.0);
    let row = |at: usize| rows[at].iter().all(|v| *v == 0.0);
    let is_border = column(0) || column(width - 1) || row(0) || row(count - 1);
    let known = rows.iter().flatten().filter(|v| **v != 0.0).count();
    Ok(is_border && 2 * known > count * width)
}

/// Gain and read noise as a header gives them.
fn noise_of(metadata: &Metadata) -> Option<NoiseModel> {
    NoiseModel::new(metadata.gain_e_per_adu?.e_per_adu(), metadata.read_noise_e?)
}

/// The noise model that the headers of all frames agree on.
pub fn common_noise<'a>(frames: impl IntoIterator<Item = &'a Metadata>) -> Option<NoiseModel> {
    let mut all = frames.into_iter().map(noise_of);
    let first = all.next()??;
    all.all(|noise| noise == Some(first)).then_some(first)
}

/// What becomes of a frame between one read and the next.
#[derive(Debug, Clone, Copy)]
pub enum Handling<'a> {
    /// It is read once.
    Once,
    /// It is read strip by strip beside others.
    Stack {
        /// Where a packed frame is unpacked to.
        scratch: Option<&'a Scratch>,
        /// Whether its file stays open.
        keep_open: bool,
    },
}

/// A file that is opened again for each read, because too many would be open at once.
pub(crate) struct Reopened {
    /// Where it lies.
    pub path: PathBuf,
    /// Width and height of its image.
    pub size: Size,
    /// Planes of that size.
    pub planes: usize,
    /// Whether it holds 16-bit numbers as a camera writes them.
    pub raw: bool,
    /// What opens it.
    pub open: fn(&Path) -> photosite_file::Result<Box<dyn Source>>,
}

impl Source for Reopened {
    fn size(&self) -> Size {
        self.size
    }

    fn planes(&self) -> usize {
        self.planes
    }

    fn access(&self) -> Access {
        Access::Rows
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> photosite_file::Result<()> {
        (self.open)(&self.path)?.read_rows(plane, rows, scratch, out)
    }

    fn raw(&self) -> Option<&dyn RawSource> {
        self.raw.then_some(self)
    }
}

impl RawSource for Reopened {
    fn read_raw_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [u16],
    ) -> photosite_file::Result<()> {
        let source = (self.open)(&self.path)?;
        let Some(raw) = source.raw() else {
            let message = "its samples are no longer 16-bit numbers";
            return Err(photosite_file::Error::damaged(&self.path, message));
        };
        raw.read_raw_rows(plane, rows, scratch, out)
    }
}

/// Reads the whole used region of a prepared frame.
///
/// # Errors
/// When the file cannot be read.
pub fn read_all(prepared: &Prepared, buffers: &mut ReadBuffers) -> Result<Vec<f32>> {
    let size = prepared.region.size();
    let mut out = vec![0.0; size.pixels()];
    prepared.read(0..size.height, 0..size.width, buffers, &mut out)?;
    Ok(out)
}
