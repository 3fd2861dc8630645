//! From what was typed to what the library takes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use photosite::calibrate::DarkScaling;
use photosite::event::{Cancel, Observer};
use photosite::inventory::KindOverrides;
use photosite::work::Context;
use photosite_file::fits::Sample;
use photosite_pix::FrameKind;
use photosite_pix::unit::NoiseModel;

use crate::args::{Format, FormatArgs, KindArgs, Limits, NoiseArgs, PlaceArgs};

/// The one request to stop, set by Ctrl-C.
static CANCEL: std::sync::LazyLock<Cancel> = std::sync::LazyLock::new(Cancel::default);

/// The context of a command's work; from now on Ctrl-C stops it in good order.
pub fn context(limits: Limits, observer: &dyn Observer) -> Context<'_> {
    // Where no handler can be set, Ctrl-C ends the process at once, which is safe as well.
    let _ = ctrlc::set_handler(|| CANCEL.request());
    let threads = limits.threads.map_or_else(photosite::env::default_threads, usize::from);
    let memory_bytes = limits.memory.unwrap_or_else(photosite::env::default_memory_bytes);
    Context { threads, memory_bytes, observer, cancel: &CANCEL }
}

/// The folder of the library; `None` where the system names no folder for a user's data.
pub fn library(args: &PlaceArgs) -> Option<PathBuf> {
    args.library.clone().or_else(photosite::env::library_folder)
}

/// The folder of the library of a command that cannot do without one.
pub fn library_needed(args: &PlaceArgs) -> anyhow::Result<PathBuf> {
    library(args).context("this system names no folder for a user's data; name one with --library")
}

/// Gain and read noise given by hand.
pub fn noise(args: NoiseArgs) -> anyhow::Result<Option<NoiseModel>> {
    let (Some(gain), Some(read_noise)) = (args.gain, args.read_noise) else { return Ok(None) };
    let model = NoiseModel::new(gain, read_noise).with_context(|| {
        format!("a gain of {gain} e-/ADU with a read noise of {read_noise} e- is no noise model")
    })?;
    Ok(Some(model))
}

/// How samples are stored.
pub fn sample(args: FormatArgs) -> Sample {
    match args.format {
        Format::F32 => Sample::F32,
        Format::U16 => Sample::U16 { pedestal_adu: args.pedestal },
    }
}

/// Kinds given by hand; their paths are looked through as well.
pub fn overrides(args: &KindArgs, paths: &mut Vec<PathBuf>) -> anyhow::Result<KindOverrides> {
    let lists = [
        (&args.bias, FrameKind::Bias),
        (&args.darks, FrameKind::Dark),
        (&args.flats, FrameKind::Flat),
        (&args.dark_flats, FrameKind::DarkFlat),
        (&args.lights, FrameKind::Light),
    ];
    let mut out = KindOverrides::default();
    for (list, kind) in lists {
        for path in list {
            let whole = path.canonicalize().with_context(|| format!("{}", path.display()))?;
            out.paths.push((whole, kind));
            paths.push(path.clone());
        }
    }
    Ok(out)
}

/// `--bias FILE|ADU`.
pub enum BiasArg {
    /// A master in a file.
    File(PathBuf),
    /// A level in ADU.
    Level(f64),
}

/// Reads `--bias`: a number is a level unless a file of that name is there.
pub fn bias(text: &str) -> BiasArg {
    match text.parse::<f64>() {
        Ok(level) if level.is_finite() && !Path::new(text).exists() => BiasArg::Level(level),
        _ => BiasArg::File(PathBuf::from(text)),
    }
}

/// Reads `--dark-scale`.
pub fn dark_scaling(text: &str) -> anyhow::Result<DarkScaling> {
    match text {
        "none" => Ok(DarkScaling::None),
        "exposure" => Ok(DarkScaling::Exposure),
        number => match number.parse::<f64>() {
            Ok(k) if k.is_finite() && k >= 0.0 => Ok(DarkScaling::Factor(k)),
            _ => bail!("--dark-scale takes none, exposure or a number from 0 up, not {number:?}"),
        },
    }
}
