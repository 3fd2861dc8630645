//! The command line, exactly as typed.

mod colour;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use photosite_pix::FrameKind;
use photosite_pix::align::Alignment;
use photosite_pix::reject::Reject;

pub use colour::{DebayerArgs, ExtractArgs, StretchName};

/// From raw astronomical frames to the light that reached the sensor.
#[derive(Debug, Parser)]
#[command(
    name = "photosite",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Examples:\n  photosite demo                        a simulated night, calibrated and \
                  checked\n  photosite run ~/astro/2026-11-20 -o out  masters, calibrated lights and \
                  an account\n  photosite inspect light.fits          what the header says, in one \
                  vocabulary\n\nExit status: 0 done; 1 done, with frames left out or findings of \
                  severity error; 2 failed."
)]
pub struct Cli {
    #[command(flatten)]
    pub limits: Limits,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the work may take of the machine. No result depends on it.
#[derive(Debug, Clone, Copy, Args)]
pub struct Limits {
    /// Threads to use; one a core by default.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Memory that stacking may take: 512MiB, 2GB; a quarter of what is free by default.
    #[arg(long, global = true, value_name = "SIZE", value_parser = memory_size)]
    pub memory: Option<u64>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Calibrate a night: masters, calibrated lights, and an account of it all.
    Run(RunArgs),
    /// Simulate a small night, calibrate it and compare it with the truth.
    Demo(DemoArgs),
    /// Write a simulated night with its truth.
    Simulate(SimulateArgs),
    /// Build one master from frames.
    Master(MasterArgs),
    /// Calibrate frames with masters at hand.
    Calibrate(CalibrateArgs),
    /// Stack calibrated lights into one picture.
    Stack(StackArgs),
    /// Lay frames over each other, and tell how.
    Register(RegisterArgs),
    /// List the stars of a frame.
    Stars(StarsArgs),
    /// Make a colour picture of a frame under a colour filter array.
    Debayer(DebayerArgs),
    /// Take Ha, OIII or green out of a frame under a colour filter array.
    Extract(ExtractArgs),
    /// Show what a file is and what its header says.
    Inspect(FilesArgs),
    /// Describe a file's samples, channel by channel.
    Stats(FilesArgs),
    /// Print a table of samples.
    Pixels(PixelsArgs),
    /// Write a stretched picture for the eye.
    Preview(PreviewArgs),
    /// Write an image in another format: FITS, XISF or TIFF.
    Convert(ConvertArgs),
    /// Keep calibration frames and masters in order, for months.
    Library(LibraryArgs),
    /// Show which master each light gets, what it costs, and why others do not do.
    Match(MatchArgs),
    /// Say which calibration frames to shoot next.
    Plan(PlanArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the manual pages into a folder.
    Man {
        /// The folder.
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
}

/// `photosite run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite run night/ -o out\n  photosite run night/ -o out \
                        --dry-run\n  photosite run --lights m31/ --darks library/darks --bias \
                        library/bias --flats m31/flats -o out\n\nWrites OUT/masters, \
                        OUT/stacks (a picture of each target, filter and exposure) and \
                        OUT/run.json. What is there already, whole and made from the same frames, \
                        is not made again. Masters are kept in the library \
                        and taken from there where the night has none that fit.")]
pub struct RunArgs {
    /// Files and folders of frames; subfolders are searched.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The folder for products.
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// What to keep beside masters and pictures; lights that are in no picture are always kept.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub keep: Vec<Keep>,
    /// Calibrate only: lights are not stacked, and stay as calibrated files.
    #[arg(long)]
    pub no_stack: bool,
    /// What lights are laid over each other by.
    #[arg(long, value_enum, value_name = "BY", default_value_t)]
    pub align: AlignName,
    /// Print the account as JSON.
    #[arg(long)]
    pub json: bool,
    /// Print frames, groups, matches and the forecast; write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Neither take masters from the library nor put new ones into it.
    #[arg(long, conflicts_with = "library")]
    pub no_library: bool,
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(flatten)]
    pub kinds: KindArgs,
    #[command(flatten)]
    pub noise: NoiseArgs,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Where the library is.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// The folder of the library; by default PHOTOSITE_LIBRARY, or the user's data folder.
    #[arg(long, value_name = "PATH", global = true)]
    pub library: Option<PathBuf>,
}

/// `photosite library`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite library add ~/astro/darks ~/astro/bias\n  \
                        photosite library list --kind dark\n  photosite library certify 3fa9c1 \
                        --from 2026-01-01 --to 2026-12-31\n  photosite library rebuild ~/astro\n\n\
                        The files are the record and stay where they are; the library is an index \
                        over them, beside the masters that Photosite made.")]
pub struct LibraryArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: LibraryVerb,
}

/// What can be done with a library.
#[derive(Debug, Subcommand)]
pub enum LibraryVerb {
    /// Add calibration frames and masters, wherever they lie.
    Add {
        /// Files and folders; subfolders are searched.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// List masters and frames.
    List {
        /// Only this kind.
        #[arg(long, value_enum, value_name = "K")]
        kind: Option<MasterKind>,
    },
    /// Show all that is known of one.
    Show {
        /// The first digits of its content hash, as `list` shows them.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Vouch for a master, for lights of a range of dates.
    Certify {
        /// The master.
        #[arg(value_name = "ID")]
        id: String,
        /// The first day, as 2026-11-20.
        #[arg(long, value_name = "D")]
        from: Option<String>,
        /// The last day.
        #[arg(long, value_name = "D")]
        to: Option<String>,
    },
    /// Use a master no more; its file stays.
    Retire {
        /// The master.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Look whether every file is there and is what it was.
    Verify {
        /// Read every file through, not only masters and those that look changed.
        #[arg(long)]
        full: bool,
    },
    /// Make the index anew from the files.
    Rebuild {
        /// Where calibration frames and masters lie.
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Copy the masters in use, and a list of everything, into a folder.
    Export {
        /// The folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Forget what is gone, and delete retired masters that Photosite made.
    Prune {
        /// Say what would be done; do nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// `photosite match`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite match light.fits --explain\n  photosite match \
                        night/lights --json\n\nCalibration frames among the paths come before \
                        those of the library. docs/matching.md has the rules.")]
pub struct MatchArgs {
    /// Lights: files and folders.
    #[arg(required = true, value_name = "LIGHT")]
    pub lights: Vec<PathBuf>,
    /// Tell every property of every candidate, the refused ones too.
    #[arg(long)]
    pub explain: bool,
    /// Print JSON: a list, one entry a light.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `photosite plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite plan night/\n  photosite plan night/lights --share \
                        2\n\nCounts are those at which the master adds less than the share to \
                        one light's noise; the customary numbers stand beside them."
)]
pub struct PlanArgs {
    /// Lights, or folders with them; calibration frames among them count as taken.
    #[arg(required = true, value_name = "LIGHTS_OR_FOLDER")]
    pub paths: Vec<PathBuf>,
    /// How much a master may add to one light's noise: 5%, 5 or 0.05.
    #[arg(long, value_name = "SHARE", default_value = "5%")]
    pub share: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Intermediate products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Keep {
    /// Calibrated lights.
    Calibrated,
    /// Lights on the pixels of their picture.
    Registered,
}

/// Kinds given by hand.
#[derive(Debug, Args)]
#[command(next_help_heading = "Kinds given by hand")]
pub struct KindArgs {
    /// These are biases, whatever they say themselves.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub bias: Vec<PathBuf>,
    /// These are darks.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub darks: Vec<PathBuf>,
    /// These are flats.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub flats: Vec<PathBuf>,
    /// These are dark flats.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub dark_flats: Vec<PathBuf>,
    /// These are lights.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub lights: Vec<PathBuf>,
}

/// What variance is made from.
#[derive(Debug, Clone, Copy, Args)]
pub struct NoiseArgs {
    /// Gain in e-/ADU, in place of the header's; makes a variance plane with --read-noise.
    #[arg(long, value_name = "E_PER_ADU", requires = "read_noise")]
    pub gain: Option<f64>,
    /// Read noise in e-, in place of the header's.
    #[arg(long, value_name = "E", requires = "gain")]
    pub read_noise: Option<f64>,
}

/// How samples are stored.
#[derive(Debug, Clone, Copy, Args)]
pub struct FormatArgs {
    /// How calibrated samples are stored: f32 keeps everything, u16 rounds and clips.
    #[arg(long, value_enum, default_value_t = Format::F32, value_name = "FORMAT")]
    pub format: Format,
    /// Added to every sample of a u16 file and recorded as PEDESTAL, in ADU.
    #[arg(long, default_value_t = 100.0, value_name = "ADU")]
    pub pedestal: f32,
}

/// Sample formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// 32-bit floating point.
    F32,
    /// 16 bits without sign.
    U16,
}

/// `photosite demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The folder to make; a fresh one under the working directory by default.
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
                        truth.json (parameters, stars, hot pixels, a record a frame), \
                        light_e_NNNN.fits (electrons that the sky brought to each pixel of a \
                        light), and the sensor's maps.")]
pub struct SimulateArgs {
    /// The folder to make.
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
    /// Biases.
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
    /// The seed: the same seed gives the same bytes.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
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

/// `photosite master`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite master bias bias/*.fits -o bias.fits\n  photosite \
                        master dark darks/*.fits -o dark.fits\n  photosite master flat \
                        flats/*.fits -o flat.fits --dark darkflat.fits")]
pub struct MasterArgs {
    /// The kind of master.
    #[arg(value_enum)]
    pub kind: MasterKind,
    /// Its frames.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Master bias, or a level in ADU, to take off each frame.
    #[arg(long, value_name = "FILE|ADU", allow_negative_numbers = true)]
    pub bias: Option<String>,
    /// Master dark, or master dark flat, to take off each flat.
    #[arg(long, value_name = "FILE", conflicts_with = "bias")]
    pub dark: Option<PathBuf>,
    /// How the kept samples become one.
    #[arg(long, value_enum, value_name = "HOW")]
    pub combine: Option<CombineName>,
    /// How samples are rejected; auto goes by the number of frames.
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = reject_names())]
    pub reject: String,
    /// Threshold below the centre, in the method's own unit; the method's own by default.
    #[arg(long, value_name = "L", alias = "low")]
    pub sigma_low: Option<f32>,
    /// Threshold above the centre; other than below, it moves the mean of the noise.
    #[arg(long, value_name = "H", alias = "high")]
    pub sigma_high: Option<f32>,
    /// Cut the picture to what every light covers.
    #[arg(long)]
    pub crop: bool,
    /// Keep counts at each pixel (in colour, of green): COVERAGE (samples kept), REJLOW, REJHIGH.
    #[arg(long)]
    pub maps: bool,
    /// Print the account as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Kinds of master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MasterKind {
    /// Of biases.
    Bias,
    /// Of darks.
    Dark,
    /// Of flats.
    Flat,
    /// Of dark flats.
    DarkFlat,
}

impl From<MasterKind> for FrameKind {
    fn from(kind: MasterKind) -> Self {
        match kind {
            MasterKind::Bias => Self::Bias,
            MasterKind::Dark => Self::Dark,
            MasterKind::Flat => Self::Flat,
            MasterKind::DarkFlat => Self::DarkFlat,
        }
    }
}

/// Ways of combining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CombineName {
    /// The mean of the kept samples.
    Mean,
    /// Their median.
    Median,
}

/// The names that `--reject` takes.
fn reject_names() -> Vec<&'static str> {
    std::iter::once("auto").chain(Reject::NAMES).collect()
}

/// `photosite calibrate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite calibrate lights/*.fits -o out --dark dark.fits \
                        --flat flat.fits\n  photosite calibrate l.fits -o out --bias bias.fits \
                        --dark dark.fits --dark-scale exposure")]
pub struct CalibrateArgs {
    /// The frames.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// The folder for calibrated frames.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Master bias, or a level in ADU.
    #[arg(long, value_name = "FILE|ADU", allow_negative_numbers = true)]
    pub bias: Option<String>,
    /// Master dark.
    #[arg(long, value_name = "FILE")]
    pub dark: Option<PathBuf>,
    /// Factor of the dark: none (1), exposure (the ratio of exposures), or a number.
    #[arg(long, value_name = "none|exposure|NUMBER", default_value = "none", requires = "dark")]
    pub dark_scale: String,
    /// Master flat.
    #[arg(long, value_name = "FILE")]
    pub flat: Option<PathBuf>,
    #[command(flatten)]
    pub noise: NoiseArgs,
    #[command(flatten)]
    pub format: FormatArgs,
    /// Print the account as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `photosite stack`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite stack out/calibrated/*.fits -o m31.fits \
                        --register\n  photosite stack *.fits -o sum.fits --register --weight \
                        noise --normalize additive-scale --maps")]
pub struct StackArgs {
    /// The lights, calibrated; their masks (extension DQ) are respected.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Lay the lights over each other first; else they are taken pixel by pixel.
    #[arg(long)]
    pub register: bool,
    /// What they are laid over each other by.
    #[arg(long, value_enum, value_name = "BY", default_value_t, requires = "register")]
    pub align: AlignName,
    /// The light that the others are laid over; the best one by default.
    #[arg(long, value_name = "FILE")]
    pub reference: Option<PathBuf>,
    /// How samples are rejected; auto goes by the number of lights.
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = reject_names())]
    pub reject: String,
    /// Threshold below the centre, in the method's own unit; the method's own by default.
    #[arg(long, value_name = "L", alias = "low")]
    pub sigma_low: Option<f32>,
    /// Threshold above the centre.
    #[arg(long, value_name = "H", alias = "high")]
    pub sigma_high: Option<f32>,
    /// How the kept samples become one.
    #[arg(long, value_enum, value_name = "HOW")]
    pub combine: Option<CombineName>,
    /// How lights are brought to the level of the reference before samples are compared.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = NormalizeName::AdditiveScale)]
    pub normalize: NormalizeName,
    /// What a light's part in the mean goes by.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = WeightName::Noise)]
    pub weight: WeightName,
    /// Spread samples by drops on SCALE times as many pixels along each axis.
    #[arg(long, value_name = "SCALE", value_parser = finer)]
    pub drizzle: Option<f64>,
    /// The side of a drop in pixels of a light; 0.7 by default, 1 by colour.
    #[arg(long, value_name = "D", value_parser = share)]
    pub drop: Option<f64>,
    /// Drizzle each colour of the filter array for itself: nothing is interpolated.
    #[arg(long)]
    pub cfa_drizzle: bool,
    /// Cut the picture to what every light covers.
    #[arg(long)]
    pub crop: bool,
    /// Keep counts at each pixel (in colour, of green): COVERAGE (samples kept), REJLOW, REJHIGH.
    #[arg(long)]
    pub maps: bool,
    /// Print the account as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What lights are laid over each other by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum AlignName {
    /// Their stars.
    #[default]
    Stars,
    /// The world coordinates of their headers, as plate solvers write them: TAN, SIP, TPV.
    Wcs,
}

impl From<AlignName> for Alignment {
    fn from(name: AlignName) -> Self {
        match name {
            AlignName::Stars => Self::Stars,
            AlignName::Wcs => Self::Wcs,
        }
    }
}

/// Ways of normalising.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NormalizeName {
    /// Not at all.
    None,
    /// The level by adding.
    Additive,
    /// Level and scale, about the level.
    AdditiveScale,
    /// The level by multiplying.
    Multiplicative,
    /// Level and scale, for levels above 0.
    MultiplicativeScale,
    /// The level by multiplying, for rejection only; samples are combined as they were.
    EqualisedFluxes,
    /// Level and scale, and the background everywhere: for gradients that differ between lights.
    Local,
}

/// What weights go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WeightName {
    /// All lights count the same.
    None,
    /// The inverse variance of the noise.
    Noise,
    /// The square of the stars' signal over noise.
    Snr,
    /// The inverse variance of the noise, over the square of the stars' width.
    Fwhm,
}

/// `photosite register`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite register out/calibrated/*.fits\n  photosite \
                        register solved/*.fits --align wcs")]
pub struct RegisterArgs {
    /// The frames.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// What they are laid over each other by.
    #[arg(long, value_enum, value_name = "BY", default_value_t)]
    pub align: AlignName,
    /// The frame that the others are laid over; the best one by default.
    #[arg(long, value_name = "FILE")]
    pub reference: Option<PathBuf>,
    /// Print the account as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `photosite stars`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  photosite stars light.fits\n  photosite stars light.fits \
                        --csv > stars.csv")]
pub struct StarsArgs {
    /// The frame; its mask (extension DQ) is respected.
    pub file: PathBuf,
    /// Least signal over noise of a star's match.
    #[arg(long, value_name = "SNR", default_value_t = 5.5)]
    pub snr: f64,
    /// Print every star as JSON.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print every star as comma separated values.
    #[arg(long)]
    pub csv: bool,
}

/// `photosite inspect` and `photosite stats`.
#[derive(Debug, Args)]
pub struct FilesArgs {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print JSON: a list, one entry a file.
    #[arg(long)]
    pub json: bool,
}

/// `photosite pixels`.
#[derive(Debug, Args)]
pub struct PixelsArgs {
    /// The file.
    pub file: PathBuf,
    /// First column, from 0.
    pub x: usize,
    /// First row, from 0.
    pub y: usize,
    /// Columns.
    pub w: usize,
    /// Rows.
    pub h: usize,
}

/// `photosite preview`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite preview light.fits -o light.png\n  photosite preview \
                        m31_rgb.fits -o m31.png --width 2400 --stretch linked\n\nA frame under a \
                        colour filter array is shown in colour, a pixel a cell. The background is \
                        never cut to black. A picture that Photosite made is replaced."
)]
pub struct PreviewArgs {
    /// The file.
    pub file: PathBuf,
    /// The PNG to write.
    #[arg(short, long, value_name = "PNG")]
    pub output: PathBuf,
    /// Columns of the picture; larger images are averaged down to it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub width: Option<u32>,
    /// How the colours of a picture are stretched.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = StretchName::Unlinked)]
    pub stretch: StretchName,
}

/// `photosite convert`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  photosite convert IMG_0001.CR2 -o IMG_0001.fits\n  photosite \
                        convert out/masters/bias.fits -o bias.xisf\n  photosite convert light.fits \
                        -o light.tif --format u16 --pedestal 100\n\nSamples are written in ADU as \
                        they are; floating point is not scaled to 0..1. ERR, DQ and PROVENANCE \
                        stay in the FITS file. What is there is not overwritten."
)]
pub struct ConvertArgs {
    /// The file.
    pub file: PathBuf,
    /// The file to write; its ending names the format: .fits, .xisf, .tif.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// How samples are stored; as 16 bits where the file has no more, else f32, by default.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Added to every sample of a u16 file and recorded as PEDESTAL, in ADU.
    #[arg(long, value_name = "ADU", requires = "format")]
    pub pedestal: Option<f32>,
    /// Print what was done as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Reads how much finer a grid is: 1 to 4.
fn finer(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if (1.0..=4.0).contains(&n) => Ok(n),
        _ => Err(format!("{text:?} is no scale from 1 to 4")),
    }
}

/// Reads a share: above 0, at most 1.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n > 0.0 && n <= 1.0 => Ok(n),
        _ => Err(format!("{text:?} is not above 0 and at most 1")),
    }
}

/// Reads a size: a number with B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (of 1024).
fn memory_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: f64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => f64::from(1u32 << 10),
        "mib" => f64::from(1u32 << 20),
        "gib" => f64::from(1u32 << 30),
        "tib" => 1024.0 * f64::from(1u32 << 30),
        _ => return Err(format!("{unit:?} is no unit of memory; 512MiB and 2GB are sizes")),
    };
    match number.trim().parse::<f64>() {
        Ok(n) if n.is_finite() && n > 0.0 => Ok((n * factor) as u64),
        _ => Err(format!("{text:?} is no size; 512MiB and 2GB are")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_memory() {
        assert_eq!(memory_size("512MiB"), Ok(512 << 20));
        assert_eq!(memory_size("2GB"), Ok(2_000_000_000));
        assert_eq!(memory_size("1.5 gib"), Ok(3 << 29));
        assert_eq!(memory_size("1000"), Ok(1000));
        for bad in ["", "MiB", "-1MB", "0", "1 parsec", "inf"] {
            assert!(memory_size(bad).is_err(), "{bad}");
        }
    }
}
