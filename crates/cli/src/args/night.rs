//! Nights, real and simulated, as typed.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use photosite::params::{Expression, Glob, KeepBest};
use photosite_sim::{Fault, Layout};

use super::place::PlaceArgs;
use super::samples::{FormatArgs, NoiseArgs, RawArgs, RepairArgs};
use super::{AlignName, IntegrationArgs, LineName};

/// `photosite run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite run night/ -o out\n  photosite run night/ -o out \
                        --dry-run\n  photosite run --lights m31/ --darks library/darks --bias \
                        library/bias --flats m31/flats -o out\n\nWrites OUT/masters, \
                        OUT/stacks (one stack per target, filter and exposure) and \
                        OUT/run.json. Products that exist, are intact and were made from the same \
                        frames are reused. Masters are kept in the library and taken from there \
                        if the night has no matching frames.")]
pub struct RunArgs {
    /// Files and folders of frames; subfolders are searched.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The folder for products; by default ./photosite-out, or that of the plan.
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Run a plan that `--dry-run --json` wrote; frames and options are the plan's.
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "paths", "keep", "no_stack", "align", "dry_run", "no_library", "library", "bias", "darks",
        "flats", "dark_flats", "lights", "gain", "read_noise", "format", "pedestal", "defects",
        "repair", "extract", "exclude", "select", "keep_best", "reject_lights", "join", "reference", "reject", "sigma_low",
        "sigma_high", "combine", "normalize", "weight", "debayer", "drizzle", "drop", "cfa_drizzle",
        "crop", "tidy",
        "overscan", "overscan_method", "linearity",
    ])]
    pub plan: Option<PathBuf>,
    /// Intermediate products to keep; calibrated lights that are in no stack are always kept.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub keep: Vec<Keep>,
    /// Of colour lights behind dual-band filters, stack these lines instead of the colours, on one grid.
    #[arg(long, value_enum, value_name = "LINE", conflicts_with = "no_stack")]
    pub extract: Option<LineName>,
    /// Calibrate only: write calibrated lights, do not register or stack.
    #[arg(long)]
    pub no_stack: bool,
    /// Remove stacks of former runs that this one supersedes, unless somebody changed them.
    #[arg(long, conflicts_with = "no_stack")]
    pub tidy: bool,
    /// Registration method.
    #[arg(long, value_enum, value_name = "BY", default_value_t)]
    pub align: AlignName,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
    /// Show frames, masters, matches and the disk and memory needed; write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// With --dry-run, show every light and its masters, not a line for each stack.
    #[arg(short, long)]
    pub verbose: bool,
    /// Defect map (photosite defects build), whose pixels are repaired; none for none. By default one of
    /// the night's darks, from 20 on, else the one that the library keeps.
    #[arg(long, value_name = "FILE|none")]
    pub defects: Option<PathBuf>,
    #[command(flatten)]
    pub repair: RepairArgs,
    /// Do not use the library, and add no masters to it.
    #[arg(long, conflicts_with = "library")]
    pub no_library: bool,
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(flatten)]
    pub choice: ChoiceArgs,
    #[command(flatten)]
    pub how: IntegrationArgs,
    #[command(flatten)]
    pub kinds: KindArgs,
    #[command(flatten)]
    pub raw: RawArgs,
    #[command(flatten)]
    pub noise: NoiseArgs,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Which frames and lights are wanted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Choosing lights")]
pub struct ChoiceArgs {
    /// Leave out files of this pattern: '*_0007*', 'clouds/*'; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<Glob>,
    /// Stack only lights of which this is true: 'fwhm < 1.5 * median(fwhm) and round > 0.6'.
    ///
    /// Columns: stars, fwhm, round, sky, noise, transparency, weight, residual, airmass, verdict.
    /// Functions over the lights of a picture: median, mean, min, max, mad, percentile(fwhm, 80).
    #[arg(long, value_name = "EXPRESSION", allow_hyphen_values = true)]
    pub select: Option<Expression>,
    /// Stack only the best lights of each picture: 80% by weight, or 80%:fwhm by a column.
    #[arg(long, value_name = "SHARE")]
    pub keep_best: Option<KeepBest>,
    /// Leave out lights that are calibrated wrong.
    #[arg(long, value_enum, value_name = "WHY")]
    pub reject_lights: Option<RejectLights>,
    /// Stack lights of all exposures of a filter together.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub join: Option<Join>,
}

/// Why lights are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RejectLights {
    /// Their verdict is wrong.
    Verdict,
}

/// What becomes one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Join {
    /// Exposures of one target and filter.
    Exposures,
}

/// Intermediate products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Keep {
    /// Calibrated lights.
    Calibrated,
    /// Registered lights, on the pixel grid of their stack.
    Registered,
}

/// Frame types.
#[derive(Debug, Args)]
#[command(next_help_heading = "Frame types")]
pub struct KindArgs {
    /// Bias frames, whatever their headers say.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub bias: Vec<PathBuf>,
    /// Darks.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub darks: Vec<PathBuf>,
    /// Flats.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub flats: Vec<PathBuf>,
    /// Dark flats.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub dark_flats: Vec<PathBuf>,
    /// Lights.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub lights: Vec<PathBuf>,
}

/// `photosite demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Folder to create; by default a new one in the working directory.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// The seed of the simulation.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Print the comparison as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `photosite simulate`.
#[derive(Debug, Args)]
#[command(after_help = "Writes bias/ darks/ flats/ darkflats/ lights/ and truth/. In truth/: \
                        truth.json (parameters, stars, hot pixels, a record for each frame), \
                        light_e_NNNN.fits (electrons that the sky brought to each pixel of a \
                        light), and the sensor's maps.")]
pub struct SimulateArgs {
    /// Folder to create.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// The camera.
    #[arg(long, value_enum, default_value_t = PresetName::CmosMono)]
    pub preset: PresetName,
    /// Columns.
    #[arg(long, default_value_t = 1024, value_name = "W", value_parser = clap::value_parser!(u32).range(16..=65_536))]
    pub width: u32,
    /// Rows.
    #[arg(long, default_value_t = 1024, value_name = "H", value_parser = clap::value_parser!(u32).range(16..=65_536))]
    pub height: u32,
    /// Number of bias frames.
    #[arg(long, value_name = "N")]
    pub bias: Option<usize>,
    /// Darks.
    #[arg(long, value_name = "N")]
    pub darks: Option<usize>,
    /// Flats.
    #[arg(long, value_name = "N")]
    pub flats: Option<usize>,
    /// Dark flats.
    #[arg(long, value_name = "N")]
    pub dark_flats: Option<usize>,
    /// Lights.
    #[arg(long, value_name = "N")]
    pub lights: Option<usize>,
    /// Exposure of lights and darks in seconds.
    #[arg(long, value_name = "S")]
    pub exposure: Option<f64>,
    /// Set point of the sensor in degrees Celsius.
    #[arg(long, value_name = "C", allow_negative_numbers = true)]
    pub temp: Option<f64>,
    /// Exposure of the darks in seconds, where it is not that of the lights.
    #[arg(long, value_name = "S")]
    pub dark_exposure: Option<f64>,
    /// Set point for the darks in degrees Celsius, where it is not that of the lights.
    #[arg(long, value_name = "C", allow_negative_numbers = true)]
    pub dark_temp: Option<f64>,
    /// The amp glow grows with this power of the exposure.
    #[arg(long, value_name = "P")]
    pub glow_power: Option<f64>,
    /// The sensor subtracts its mean dark signal itself: darks come out darker than biases.
    #[arg(long)]
    pub black_clamp: bool,
    /// The seed: the same seed gives the same bytes.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// One thing that is wrong with the night.
    #[arg(long, value_name = "NAME", value_parser = faults())]
    pub fault: Option<Fault>,
    /// Folders, names and headers as a program has them; nina: two targets, five filters, two nights.
    #[arg(long, value_enum, value_name = "PROGRAM", conflicts_with = "fault")]
    pub layout: Option<LayoutName>,
}

/// Programs whose folders, names and headers a simulated night may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LayoutName {
    /// N.I.N.A.
    Nina,
    /// ZWO ASIAIR.
    Asiair,
    /// SharpCap.
    Sharpcap,
    /// Siril's folders of a DSLR.
    Siril,
}

impl From<LayoutName> for Layout {
    fn from(name: LayoutName) -> Self {
        match name {
            LayoutName::Nina => Self::Nina,
            LayoutName::Asiair => Self::Asiair,
            LayoutName::Sharpcap => Self::SharpCap,
            LayoutName::Siril => Self::Siril,
        }
    }
}

/// The faults that a simulated night can have, by name.
fn faults() -> impl TypedValueParser<Value = Fault> {
    let named = Fault::ALL.map(|f| PossibleValue::new(f.name()).help(f.about()));
    PossibleValuesParser::new(named).map(|name| Fault::parse(&name).expect("one of those listed"))
}

/// Simulated cameras.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PresetName {
    /// A cooled monochrome CMOS camera.
    CmosMono,
    /// The same with a Bayer array.
    CmosOsc,
    /// A cooled CCD camera.
    Ccd,
    /// An uncooled DSLR.
    Dslr,
}
