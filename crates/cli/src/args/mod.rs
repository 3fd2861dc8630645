//! The command line, exactly as typed.

mod colour;
mod dark_model;
mod defects;
mod library;
mod looking;
mod night;
mod picture;
mod place;
mod product;
mod samples;
mod sensor;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub use colour::{BalanceName, ComposeArgs, DebayerArgs, ExtractArgs, LineName, StretchName};
pub use dark_model::{DarkModelArgs, DarkModelVerb};
pub use defects::{DefectsArgs, DefectsVerb};
pub use library::{LibraryArgs, LibraryVerb, MatchArgs, PlanArgs};
pub use looking::{
    ConvertArgs, DiagnoseArgs, ExtensionsName, FilesArgs, PixelsArgs, PreviewArgs, RangeName,
    ReportArgs, VerifyArgs,
};
pub use night::{DemoArgs, Keep, KindArgs, PresetName, RunArgs, SimulateArgs};
pub use picture::{
    AlignName, IntegrationArgs, NormalizeName, RegisterArgs, StackArgs, StackDebayerName,
    StarsArgs, WeightName,
};
pub use place::PlaceArgs;
pub use product::{CalibrateArgs, CombineName, MasterArgs, MasterKind};
pub use samples::{Format, FormatArgs, NoiseArgs, RawArgs, RepairName};
pub use sensor::{MeasureArgs, SensorArgs, SensorVerb};

/// Calibrate, register and stack raw astronomical frames.
#[derive(Debug, Parser)]
#[command(
    name = "photosite",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Examples:\n  photosite demo                        a simulated night, calibrated and \
                  checked\n  photosite run ~/astro/2026-11-20 -o out  masters, stacks and a \
                  report\n  photosite inspect light.fits          what the header says, in common \
                  terms\n\nExit status: 0 done; 1 done, with frames left out or findings of \
                  severity error; 2 failed."
)]
pub struct Cli {
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub manner: Manner,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Limits on threads and memory. No result depends on them.
#[derive(Debug, Clone, Copy, Args)]
pub struct Limits {
    /// Threads to use; one per core by default.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Memory limit of stacking: 512MiB, 2GB; by default a quarter of the free memory.
    #[arg(long, global = true, value_name = "SIZE", value_parser = memory_size)]
    pub memory: Option<u64>,
}

/// How much a command says, and what it calls success.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Messages")]
pub struct Manner {
    /// Say only what is wrong; data that was asked for is still printed.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Add every message to a file, with its time, whatever is said.
    #[arg(long, global = true, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Exit with status 1 on warnings as well.
    #[arg(long, global = true)]
    pub strict: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Calibrate, register and stack a whole night: masters, stacks and a report.
    Run(Box<RunArgs>),
    /// Simulate a small night, calibrate it and compare it with the truth.
    Demo(DemoArgs),
    /// Write a simulated night with its truth.
    Simulate(SimulateArgs),
    /// Build one master from frames.
    Master(MasterArgs),
    /// Calibrate frames with given masters.
    Calibrate(CalibrateArgs),
    /// Model a sensor's dark signal; make darks of exposures that were not taken.
    DarkModel(DarkModelArgs),
    /// Measure a sensor: gain, read noise, dark current, linearity.
    Sensor(SensorArgs),
    /// Map a sensor's defective pixels, columns and clusters; compare and exchange maps.
    Defects(DefectsArgs),
    /// Register and stack calibrated lights.
    Stack(StackArgs),
    /// Measure how frames are registered to each other: shift, rotation, residual.
    Register(RegisterArgs),
    /// List the stars of a frame.
    Stars(StarsArgs),
    /// Debayer a CFA frame.
    Debayer(DebayerArgs),
    /// Extract Ha, OIII or green from a CFA frame.
    Extract(ExtractArgs),
    /// Make one colour picture of pictures through several filters: LRGB, RGB, HOO, SHO, or by sums.
    Compose(ComposeArgs),
    /// Say whether calibrated lights were calibrated right, and if not, why and what mends it.
    Diagnose(DiagnoseArgs),
    /// Tell what a product was made of, and how, from its own header.
    Explain(FilesArgs),
    /// Write the page of a run anew: verdicts, pictures, tables, what to do next.
    Report(ReportArgs),
    /// Make products again from what they were made of, and compare them byte for byte.
    Verify(VerifyArgs),
    /// Show the type and header of a file, in common terms.
    Inspect(FilesArgs),
    /// Print statistics of a file, channel by channel.
    Stats(FilesArgs),
    /// Print pixel values.
    Pixels(PixelsArgs),
    /// Write a stretched PNG for viewing.
    Preview(PreviewArgs),
    /// Write an image in another format: FITS, XISF or TIFF.
    Convert(ConvertArgs),
    /// Manage the library of calibration frames and masters.
    Library(LibraryArgs),
    /// Show which master each light gets, its expected residual, and why others were rejected.
    Match(MatchArgs),
    /// List the calibration frames still to take.
    Plan(PlanArgs),
    /// Show the defaults in force, and which file each comes from.
    #[command(
        after_help = "Example of a photosite.toml, in the user's folder of settings or in the folder of a \
                      project:\n  library = \"/astro/library\"\n  reject = \"winsorized\"\n  sigma_high = \
                      2.5\n  [camera.\"ZWO ASI1600MM Pro\"]\n  gain = 0.98\n  read_noise = 1.7\n\nKeys: \
                      library, threads, memory, reject, sigma_low, sigma_high, weight, normalize, and for each \
                      camera gain (e-/ADU) and read_noise (e-), used where headers do not give them. What is \
                      typed counts most, then the project's file, then the user's."
    )]
    Config {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a shell completion script.
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

impl Command {
    /// Whether what is printed is what was asked for, and not an account of files that were made.
    pub fn prints_data(&self) -> bool {
        match self {
            Self::Run(args) => args.dry_run,
            Self::Demo(_)
            | Self::Simulate(_)
            | Self::Master(_)
            | Self::Calibrate(_)
            | Self::Stack(_)
            | Self::Debayer(_)
            | Self::Extract(_)
            | Self::Compose(_)
            | Self::Convert(_)
            | Self::Preview(_)
            | Self::Report(_)
            | Self::Man { .. } => false,
            Self::Defects(args) => {
                matches!(args.verb, DefectsVerb::Show { .. } | DefectsVerb::Diff { .. })
            }
            Self::DarkModel(args) => matches!(args.verb, DarkModelVerb::Report { .. }),
            _ => true,
        }
    }
}

/// Reads a size: a number with B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (of 1024).
pub fn memory_size(text: &str) -> Result<u64, String> {
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
        _ => return Err(format!("{unit:?} is not a unit of memory; write 512MiB or 2GB")),
    };
    match number.trim().parse::<f64>() {
        Ok(n) if n.is_finite() && n > 0.0 => Ok((n * factor) as u64),
        _ => Err(format!("{text:?} is not a size; write 512MiB or 2GB")),
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
