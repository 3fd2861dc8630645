//! From what was typed to what the library takes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use photosite::event::{Cancel, Observer};
use photosite::inventory::KindOverrides;
use photosite::params::{RecipeChoice, noise_model, sixteen_bits};
use photosite::run::NamedBias;
use photosite::work::Context;
use photosite_file::fits::Sample;
use photosite_pix::FrameKind;
use photosite_pix::combine::Combine;
use photosite_pix::reject::Thresholds;
use photosite_pix::unit::NoiseModel;

use crate::args::{CombineName, Format, FormatArgs, KindArgs, Limits, NoiseArgs, PlaceArgs};

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
    library(args).context("this system has no folder for user data; choose one with --library")
}

/// Gain and read noise given by hand.
pub fn noise(args: NoiseArgs) -> photosite::Result<Option<NoiseModel>> {
    args.gain.zip(args.read_noise).map(|(gain, noise)| noise_model(gain, noise)).transpose()
}

/// How samples are stored.
pub fn sample(args: FormatArgs) -> photosite::Result<Sample> {
    match args.format {
        Format::F32 => Ok(Sample::F32),
        Format::U16 => sixteen_bits(args.pedestal),
    }
}

/// How samples are rejected and combined.
pub fn recipe(
    reject: &str,
    low: Option<f32>,
    high: Option<f32>,
    combine: Option<CombineName>,
) -> photosite::Result<RecipeChoice> {
    let combine = combine.map(|c| match c {
        CombineName::Mean => Combine::Mean,
        CombineName::Median => Combine::Median,
    });
    RecipeChoice::new(reject, Thresholds { low, high }, combine)
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
        of_kind(list, kind, &mut out, paths)?;
    }
    Ok(out)
}

/// Takes the paths of a list to be of one kind, and looks through them as well.
pub fn of_kind(
    list: &[PathBuf],
    kind: FrameKind,
    out: &mut KindOverrides,
    paths: &mut Vec<PathBuf>,
) -> anyhow::Result<()> {
    for path in list {
        let whole = path.canonicalize().with_context(|| format!("{}", path.display()))?;
        out.paths.push((whole, kind));
        paths.push(path.clone());
    }
    Ok(())
}

/// Reads `--defects`: `none` is no map unless a file of that name is there.
pub fn defects(path: Option<&Path>) -> Option<&Path> {
    path.filter(|p| *p != Path::new("none") || p.exists())
}

/// Reads `--bias`: a number is a level unless a file of that name is there.
pub fn bias(text: &str) -> NamedBias {
    match text.parse::<f64>() {
        Ok(level) if level.is_finite() && !Path::new(text).exists() => NamedBias::Level(level),
        _ => NamedBias::File(PathBuf::from(text)),
    }
}
