//! The command line, exactly as typed.

mod colour;
mod library;
mod looking;
mod night;
mod picture;
mod product;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub use colour::{DebayerArgs, ExtractArgs, StretchName};
pub use library::{LibraryArgs, LibraryVerb, MatchArgs, PlaceArgs, PlanArgs};
pub use looking::{ConvertArgs, FilesArgs, PixelsArgs, PreviewArgs, RangeName};
pub use night::{
    DemoArgs, Format, FormatArgs, Keep, KindArgs, NoiseArgs, PresetName, RunArgs, SimulateArgs,
};
pub use picture::{AlignName, NormalizeName, RegisterArgs, StackArgs, StarsArgs, WeightName};
pub use product::{CalibrateArgs, CombineName, MasterArgs, MasterKind};

/// From raw astronomical frames to the light that reached the sensor.
#[derive(Debug, Parser)]
#[command(
    name = "photosite",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Examples:\n  photosite demo                        a simulated night, calibrated and \
                  checked\n  photosite run ~/astro/2026-11-20 -o out  masters, pictures and an \
                  account\n  photosite inspect light.fits          what the header says, in one \
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
    /// Take a night from raw frames to pictures: masters, stacks, and an account of it all.
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
