//! What a night is asked for, and what comes of it.

use std::path::PathBuf;

use photosite_pix::align::Alignment;
use photosite_pix::unit::NoiseModel;

use crate::Error;
use crate::colour::Extract;
use crate::finding::Severity;
use crate::inventory::KindOverrides;
use crate::params::{Glob, Integration, Repair, Selection, Setting, Storage};
use crate::report::RunReport;

/// A night to be calibrated.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NightRequest {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Kinds given by hand.
    pub overrides: KindOverrides,
    /// The folder of products.
    pub output: PathBuf,
    /// Plan only; write nothing.
    pub dry_run: bool,
    /// The plan is wanted as data: each frame is read for its content.
    pub graph: bool,
    /// Gain and read noise, where the headers' are to be overruled.
    pub noise: Option<NoiseModel>,
    /// Gain and read noise of cameras, by the names in their headers, where those do not say it.
    pub cameras: Vec<(String, NoiseModel)>,
    /// Which defect map lights are calibrated with.
    pub defects: DefectsChoice,
    /// What becomes of defective pixels of lights.
    pub repair: Repair,
    /// How calibrated lights are stored.
    pub sample: Storage,
    /// The folder of the library; `None` for none.
    pub library: Option<PathBuf>,
    /// Lights are stacked; otherwise they stay calibrated files.
    pub stack: bool,
    /// How lights become pictures; registered always.
    pub how: Integration,
    /// The light, or another image, on whose pixels pictures are laid; the best light where none is named.
    pub reference: Option<PathBuf>,
    /// Files that are left out.
    pub exclude: Vec<Glob>,
    /// Which lights of a picture are wanted.
    pub selection: Selection,
    /// Lights of all exposures of a filter become one picture.
    pub join_exposures: bool,
    /// The lines that are stacked instead of the colours of lights under a filter array.
    pub extract: Option<Extract>,
    /// What is kept beside masters, pictures and the report.
    pub keep: Keep,
    /// Stacks of former runs that this one supersedes are removed, unless somebody changed them.
    pub tidy: bool,
    /// The values that the run goes by, and where each is from, for its report.
    pub settings: Vec<Setting>,
}

impl NightRequest {
    /// What lights are laid over each other by.
    pub fn align(&self) -> Alignment {
        self.how.register.unwrap_or_default()
    }

    /// Everything below `paths`, calibrated, registered and stacked into `output`, without a library.
    pub fn new(paths: Vec<PathBuf>, output: PathBuf) -> Self {
        Self {
            paths,
            overrides: KindOverrides::default(),
            output,
            dry_run: false,
            graph: false,
            noise: None,
            cameras: Vec::new(),
            defects: DefectsChoice::default(),
            repair: Repair::default(),
            sample: Storage::F32,
            library: None,
            stack: true,
            how: Integration::default(),
            reference: None,
            exclude: Vec::new(),
            selection: Selection::default(),
            join_exposures: false,
            extract: None,
            keep: Keep::default(),
            tidy: false,
            settings: Vec::new(),
        }
    }
}

/// Which defect map lights are calibrated with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DefectsChoice {
    /// One of the darks that they take, where there are enough, else one that the library keeps.
    #[default]
    Own,
    /// None.
    None,
    /// The one in a file.
    File(PathBuf),
}

/// Intermediate products that stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Keep {
    /// Calibrated lights; without this, those that are in no picture.
    pub calibrated: bool,
    /// Lights on the pixels of their picture.
    pub registered: bool,
}

/// What came of a night.
#[derive(Debug)]
#[non_exhaustive]
pub struct NightOutcome {
    /// The report.
    pub report: RunReport,
    /// Where it was written; `None` for a dry run, and where no frame was found.
    pub report_path: Option<PathBuf>,
    /// What ended the run before its end; what was done until then is in the report.
    pub failure: Option<Error>,
}

impl NightOutcome {
    /// True when there was nothing to do: no frame was found that can be used.
    pub fn found_nothing(&self) -> bool {
        !self.report.frames.iter().any(|f| f.used)
    }

    /// True when frames were left out or a finding is an error.
    pub fn wants_attention(&self) -> bool {
        self.report.worst() == Some(Severity::Error)
    }
}
