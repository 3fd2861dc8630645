//! A folder of frames, by their headers: what each one is, and what is doubtful about it.
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
//! use photosite::Workplace;
//! use photosite::inventory::{FrameId, Id, KindOverrides};
//! use photosite::run::take_inventory;
//! use photosite_pix::FrameKind;
//!
//! # let night = dir.path().to_owned();
//! # for (name, kind, adu) in [("a.fits", "Dark Frame", 110.0), ("b.fits", "Light Frame", 900.0)] {
//! #     let cards = [Card::string("IMAGETYP", kind, ""), Card::real("EXPTIME", 60.0, "")];
//! #     write(&night.join(name), Size::new(8, 8), adu, &cards);
//! # }
//! let work = Workplace::new();
//! let inventory =
//!     take_inventory(&[night], None, &KindOverrides::default(), &work.context())?;
//! let kinds: Vec<FrameKind> = inventory.frames.iter().map(|f| f.kind).collect();
//! assert_eq!(kinds, [FrameKind::Dark, FrameKind::Light]);
//! assert_eq!(inventory[FrameId::at(1)].metadata.exposure_s, Some(60.0));
//! # Ok::<(), photosite::Error>(())
//! ```

mod by_name;
mod classify;
mod id;
mod master_name;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::detector::{Linearity, detector_of};
use crate::header::relabel_rows;
use crate::params::{OverscanChoice, sees_light};
use crate::{Finding, finding::Severity};
use photosite_file::{Access, Probe, keyword};
use photosite_pix::unit::NoiseModel;
use photosite_pix::{Applied, Card, Detector, FrameKind, Header, Metadata, Rect, RowOrder, Size};

pub use classify::{KindSource, classify, naming_folder, option_of};
pub(crate) use id::id;
pub use id::{FrameId, Id};
pub use master_name::MasterName;
pub use walk::{Walk, Walked, kind_said, walk};

/// The header keyword by which a simulation's truth is told from its frames: `bias_adu.fits` and
/// `light_e_0001.fits` lie in the same night, and their names would make frames of them.
pub const TRUTH_KEYWORD: &str = "PSTRUTH";

/// One frame, known by its header.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Where it lies.
    pub path: PathBuf,
    /// What it was taken for.
    pub kind: FrameKind,
    /// What decided the kind.
    pub kind_source: KindSource,
    /// Width and height as stored.
    pub size: Size,
    /// Planes of that size.
    pub planes: usize,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// What reading a range of rows costs.
    pub access: Access,
    /// The header's cards.
    pub header: Header,
    /// The header's meaning.
    pub metadata: Metadata,
    /// Which pixels see light, and where samples end.
    pub detector: Detector,
    /// What straightens its response, where it bends.
    pub linearity: Option<Arc<Linearity>>,
    /// Its rows are read from the last to the first, because it lies upside down beside the lights;
    /// header, metadata and detector are those of the frame as it is read.
    pub turned: bool,
    /// Gain and read noise are not those of its file's header.
    pub noise_told: bool,
}

impl Frame {
    /// Says that the rows run as `order` does, after they were turned over where `turn` says so.
    pub fn relabel_rows(&mut self, order: Option<RowOrder>, turn: bool) {
        self.metadata.row_order = order;
        self.metadata.cfa = relabel_rows(&mut self.header, order);
        if !turn {
            return;
        }
        self.turned = !self.turned;
        let height = self.size.height;
        self.detector.turn_over();
        let mirror = |r: &mut Rect| (r.y0, r.y1) = (height - r.y1, height - r.y0);
        let metadata = &mut self.metadata;
        for region in [&mut metadata.overscan, &mut metadata.active_area] {
            region.iter_mut().filter(|r| r.y1 <= height).for_each(mirror);
        }
    }

    /// Puts gain and read noise in place of the header's, so that every later step goes by them; `by`
    /// says where they are from.
    pub fn set_noise(&mut self, noise: NoiseModel, by: &str) {
        let NoiseModel { gain_e_per_adu, read_noise_e } = noise;
        let cards =
            [("EGAIN", gain_e_per_adu.e_per_adu(), "e-/ADU"), ("RDNOISE", read_noise_e, "e-")];
        for (key, value, unit) in cards {
            self.header.set(Card::real(key, value, &format!("[{unit}] {by}")));
        }
        // It is that of all outputs.
        for amplifier in &mut self.detector.amplifiers {
            (amplifier.gain, amplifier.read_noise_e) = (None, None);
        }
        self.metadata.gain_e_per_adu = Some(gain_e_per_adu);
        self.metadata.read_noise_e = Some(read_noise_e);
        self.noise_told = true;
    }
}

/// All frames of a night.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// The frames that can be used, sorted by path.
    pub frames: Vec<Frame>,
    /// Masters of other programs among them, and what they are of.
    pub masters: Vec<(PathBuf, FrameKind)>,
    /// The files that cannot, sorted by path, with their kind where it is known.
    pub left_out: Vec<(PathBuf, Option<FrameKind>)>,
    /// What was found about them.
    pub findings: Vec<Finding>,
}

/// What a person gave by hand: kinds, a path (file or folder) each, and overscans.
#[derive(Debug, Clone, Default)]
pub struct KindOverrides {
    /// (canonical path, kind): a frame below the path is of that kind, whatever it says itself.
    pub paths: Vec<(PathBuf, FrameKind)>,
    /// Overscans in place of those of headers, and how their level is found.
    pub overscan: OverscanChoice,
    /// What straightens the response of every frame.
    pub linearity: Option<Arc<Linearity>>,
}

impl KindOverrides {
    fn kind_of(&self, path: &Path) -> Option<FrameKind> {
        if self.paths.is_empty() {
            return None;
        }
        let path = path.canonicalize().ok()?;
        // The deepest path that was given decides.
        self.paths
            .iter()
            .filter(|(p, _)| path.starts_with(p))
            .max_by_key(|(p, _)| p.components().count())
            .map(|(_, kind)| *kind)
    }
}

/// What became of one file's header.
pub enum Taken {
    /// A frame, with what is doubtful about it.
    Frame(Box<Frame>, Vec<Finding>),
    /// A master of another program's, of this kind.
    Master(FrameKind),
    /// Nothing to calibrate with; the Finding says why.
    LeftOut(Finding, Option<FrameKind>),
}

/// Why a file is no raw frame, and of what kind it is where that is known.
#[derive(Debug, Clone)]
pub struct NoFrame {
    /// What is told.
    pub finding: Finding,
    /// What it is of.
    pub kind: Option<FrameKind>,
}

impl NoFrame {
    fn new(finding: Finding, kind: Option<FrameKind>) -> Box<Self> {
        Box::new(Self { finding, kind })
    }
}

/// Makes a frame of a probed file, with what is doubtful about it.
///
/// # Errors
/// For what is no raw frame, and for one that nothing says the kind of.
pub fn take(
    path: &Path,
    root: &Path,
    probe: Probe,
    overrides: &KindOverrides,
) -> Result<(Frame, Vec<Finding>), Box<NoFrame>> {
    match take_unlabelled(path, root, probe, overrides) {
        Taken::Frame(f, _) if f.kind_source == KindSource::Pixels => {
            Err(NoFrame::new(unlabelled(path, None), None))
        }
        Taken::Frame(frame, findings) => Ok((*frame, findings)),
        Taken::Master(kind) => Err(NoFrame::new(master_not_adopted(path), Some(kind))),
        Taken::LeftOut(finding, kind) => Err(NoFrame::new(finding, kind)),
    }
}

/// That nothing says what a frame is; `pixels` is half a sentence on why its pixels do not either.
pub fn unlabelled(path: &Path, pixels: Option<&str>) -> Finding {
    let pixels =
        pixels.map_or_else(String::new, |why| format!(", and its pixels do not tell: {why}"));
    Finding::new(
        "kind-not-known",
        Severity::Error,
        path.display().to_string(),
        format!(
            "neither header, file name nor folder says whether this is a bias, dark, flat, dark \
             flat or light{pixels}; it is left out"
        ),
    )
    .hint(
        "Put it in a folder named bias, darks, flats, darkflats or lights, or use --bias, --darks, \
         --flats, --dark-flats or --lights.",
    )
}

/// That a master lies among raw frames and is not used.
pub fn master_not_adopted(path: &Path) -> Finding {
    Finding::new(
        "master-not-adopted",
        Severity::Error,
        path.display().to_string(),
        "this is a master, by its header or its name; it is not stacked with raw frames",
    )
    .hint(
        "Add it to the library, where run finds it: photosite library add FILE. Or use photosite \
         calibrate --bias/--dark/--flat FILE.",
    )
}

/// The kind of a master that another program made, by header, name or hand.
///
/// Cameras add exposures up themselves, and people call raw frames masters: what is in whole numbers and named
/// by hand is a master only where its header says so.
fn master_of_another(
    (path, probe): (&Path, &Probe),
    metadata: &Metadata,
    by_hand: Option<FrameKind>,
) -> Option<FrameKind> {
    let name = MasterName::of(path);
    let kind = by_hand.or(metadata.kind).or(name.kind).filter(|k| *k != FrameKind::Light)?;
    let float = probe.header.get_i64("BITPIX").is_some_and(|bits| bits < 0);
    let combined = metadata.combined_count.is_some_and(|n| n > 1);
    let is_master = metadata.is_master
        || (name.is_master && (float || by_hand.is_none()))
        || (combined && float);
    is_master.then_some(kind)
}

/// Makes a frame of a probed file; if nothing says what it is, its kind is said to be told by its
/// pixels, and is that of a light until they are looked at.
pub fn take_unlabelled(path: &Path, root: &Path, probe: Probe, overrides: &KindOverrides) -> Taken {
    let subject = path.display().to_string();
    let reading = keyword::read(&probe.header);
    let mut findings: Vec<Finding> = reading
        .notes
        .iter()
        .map(|n| Finding::new(n.code, Severity::Info, &subject, &n.message))
        .collect();
    let mut metadata = reading.metadata;
    for unread in &metadata.unread {
        // A note on a date says so already.
        if unread.keyword == "DATE-OBS" && findings.iter().any(|f| f.code == "date-unreadable") {
            continue;
        }
        let message = format!("{} = {:?} cannot be read", unread.keyword, unread.text);
        findings.push(
            Finding::new("card-unreadable", Severity::Warning, &subject, message)
                .hint("What it should say is treated as unknown; correct the card.")
                .with("keyword", unread.keyword.clone())
                .with("text", unread.text.clone()),
        );
    }
    if crate::provenance::key_of(&probe.header).is_some() {
        return Taken::LeftOut(
            Finding::new(
                "already-a-product",
                Severity::Info,
                &subject,
                "this file was made by Photosite; it is not a raw frame",
            )
            .hint("Give the folder of raw frames only, or move products elsewhere."),
            metadata.kind,
        );
    }
    if probe.header.get(TRUTH_KEYWORD).is_some() {
        return Taken::LeftOut(
            Finding::new(
                "simulated-truth",
                Severity::Info,
                &subject,
                "this file is the truth of a simulated night; it is not a raw frame",
            ),
            None,
        );
    }
    let said = metadata.kind;
    let by_option = overrides.kind_of(path);
    if let Some(kind) = master_of_another((path, &probe), &metadata, by_option) {
        return Taken::Master(kind);
    }
    let left_out = |code, message: String, hint: &str| {
        let finding = Finding::new(code, Severity::Error, &subject, message).hint(hint);
        Taken::LeftOut(finding, said)
    };
    if let Some(what) = by_name::result_of_another(path).filter(|_| {
        let calibration = matches!(MasterName::of(path).kind, Some(k) if k != FrameKind::Light);
        by_option.is_none() && !calibration
    }) {
        let message = format!("by its name {what}; it is not a raw frame and is left out");
        return Taken::LeftOut(
            Finding::new("result-of-another-program", Severity::Warning, &subject, message)
                .hint("Give the folder of raw frames only."),
            metadata.kind,
        );
    }
    if probe.planes != 1 {
        return left_out(
            "not-one-plane",
            format!("the image has {} planes; a raw frame has one", probe.planes),
            "Calibrate the raw frames before debayering.",
        );
    }
    let forced = by_option.map(|kind| (kind, KindSource::Option));
    let decided = forced
        .or_else(|| classify(metadata.kind, metadata.object.as_deref(), path, root, &mut findings));
    let by_hand = forced.is_some();
    // No camera writes floating point: such a file is some program's result.
    let by_camera = probe.header.get_i64("BITPIX").is_some_and(|bits| bits > 0);
    let unsaid = by_camera.then_some((FrameKind::Light, KindSource::Pixels));
    let Some((kind, kind_source)) = decided.or(unsaid) else {
        return Taken::LeftOut(unlabelled(path, None), said);
    };
    let (kind, kind_source) = match kind {
        FrameKind::Dark if !by_hand && metadata.exposure_s == Some(0.0) => {
            let message = "a dark of no exposure is a bias";
            findings.retain(|f| f.code != "kind-contradicted");
            findings.push(Finding::new("dark-is-bias", Severity::Info, &subject, message));
            (FrameKind::Bias, kind_source)
        }
        _ => (kind, kind_source),
    };
    let calibrated = Applied::DARK | Applied::FLAT;
    if metadata.applied.contains(calibrated) {
        return left_out(
            "already-calibrated",
            format!(
                "the header says that {} were applied; calibrating again would apply them twice",
                metadata.applied.names().join(", ")
            ),
            "Give the raw frame.",
        );
    }
    if metadata.is_master && forced.is_none() {
        return Taken::LeftOut(master_not_adopted(path), said);
    }
    by_name::fill(&mut metadata, kind, path, root, &mut findings);
    let images = probe.frames().len();
    if images > 1 {
        let message = format!(
            "the file holds {images} images of this size; only the first, of unit {}, is used",
            probe.image
        );
        findings.push(
            Finding::new("images-passed-over", Severity::Warning, &subject, message)
                .hint("Write each image into a file of its own.")
                .with("images", images),
        );
    }
    let mut detector = detector_of(&metadata, &probe.header, probe.size);
    if let Err(message) = overrides.overscan.apply(&mut detector) {
        return left_out(
            "overscan-outside",
            message,
            "Correct --overscan, or give these frames apart.",
        );
    }
    let lit = detector.active;
    if lit != probe.size.rect() && detector.overscan.iter().any(|o| sees_light(o.source, lit)) {
        detector.overscan.clear();
        let message = "the header's overscan lies among the pixels that see light; it is not used";
        findings.push(
            Finding::new("overscan-outside", Severity::Warning, &subject, message)
                .hint("Correct BIASSEC, or name the overscan with --overscan."),
        );
    }
    if metadata.applied.contains(Applied::OVERSCAN) && !detector.overscan.is_empty() {
        let message =
            "the header says that the overscan was subtracted before; it is not subtracted again";
        findings.push(Finding::new("overscan-done", Severity::Info, &subject, message));
    }
    Taken::Frame(
        Box::new(Frame {
            path: path.to_owned(),
            kind,
            kind_source,
            size: probe.size,
            planes: probe.planes,
            file_bytes: probe.file_bytes,
            access: probe.access,
            header: probe.header,
            metadata,
            detector,
            linearity: overrides.linearity.clone(),
            turned: false,
            noise_told: false,
        }),
        findings,
    )
}
