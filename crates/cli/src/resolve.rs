//! From what was typed to what the library takes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use photosite::detector::Linearity;
use photosite::event::{Cancel, Observer};
use photosite::inventory::{KindOverrides, kind_said, walk};
use photosite::params::{
    Drizzle, Integration, OverscanChoice, RecipeChoice, Storage, Weight, noise_model,
};
use photosite::run::NamedBias;
use photosite::work::Context;
use photosite_pix::FrameKind;
use photosite_pix::combine::Combine;
use photosite_pix::debayer::Method;
use photosite_pix::normalise::Normalise;
use photosite_pix::reject::Thresholds;
use photosite_pix::unit::NoiseModel;

use crate::args::{
    CombineName, Format, FormatArgs, IntegrationArgs, KindArgs, Limits, NoiseArgs, NormalizeName,
    PlaceArgs, RawArgs, StackDebayerName, WeightName, memory_size,
};
use crate::{config, show};

/// The one request to stop, set by Ctrl-C.
static CANCEL: std::sync::LazyLock<Cancel> = std::sync::LazyLock::new(Cancel::default);

/// The context of a command's work; from now on Ctrl-C stops it in good order.
pub fn context(limits: Limits, observer: &dyn Observer) -> Context<'_> {
    let kept = &config::current().config;
    // Where no handler can be set, Ctrl-C ends the process at once, which is safe as well.
    let _ = ctrlc::set_handler(|| CANCEL.request());
    let threads =
        limits.threads.or(kept.threads).map_or_else(photosite::env::default_threads, usize::from);
    let of_file = || kept.memory.as_deref().and_then(|text| memory_size(text).ok());
    let memory_bytes =
        limits.memory.or_else(of_file).unwrap_or_else(photosite::env::default_memory_bytes);
    Context { threads, memory_bytes, observer, cancel: &CANCEL }
}

/// The folder of the library; `None` where the system names no folder for a user's data.
pub fn library(args: &PlaceArgs) -> Option<PathBuf> {
    let kept = || config::current().config.library.clone();
    let named = args.library.clone().or_else(photosite::env::named_library);
    named.or_else(kept).or_else(photosite::env::library_folder)
}

/// The folder of the library of a command that cannot do without one.
pub fn library_needed(args: &PlaceArgs) -> anyhow::Result<PathBuf> {
    library(args).context("this system has no folder for user data; choose one with --library")
}

/// Gain and read noise given by hand.
pub fn noise(args: NoiseArgs) -> photosite::Result<Option<NoiseModel>> {
    args.gain.zip(args.read_noise).map(|(gain, noise)| noise_model(gain, noise)).transpose()
}

/// What is given by hand of raw frames: overscans, linearity.
pub fn by_hand(args: &RawArgs, out: &mut KindOverrides) -> photosite::Result<()> {
    out.overscan = OverscanChoice::new(&args.overscan, &args.overscan_method)?;
    let linearity = args.linearity.as_deref().map(Linearity::read).transpose()?;
    out.linearity = linearity.map(Arc::new);
    Ok(())
}

/// How samples are stored.
pub fn storage(args: &FormatArgs) -> photosite::Result<Storage> {
    match args.format {
        Format::F32 => Ok(Storage::F32),
        Format::U16 => Storage::sixteen_bits(&args.pedestal),
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

/// How lights become one picture; registered by the usual method.
pub fn integration(args: &IntegrationArgs) -> photosite::Result<Integration> {
    let kept = &config::current().config;
    let reject = args.reject.as_deref().or(kept.reject.as_deref()).unwrap_or("auto");
    let (low, high) = match args.reject {
        // Thresholds are in the unit of their method.
        Some(_) => (args.sigma_low, args.sigma_high),
        None => (args.sigma_low.or(kept.sigma_low), args.sigma_high.or(kept.sigma_high)),
    };
    let normalize = args.normalize.or(kept.normalize).unwrap_or(NormalizeName::AdditiveScale);
    let mut how = Integration::default();
    how.recipe = recipe(reject, low, high, args.combine)?;
    how.normalise = match normalize {
        NormalizeName::None => Normalise::None,
        NormalizeName::Additive => Normalise::Additive,
        NormalizeName::AdditiveScale | NormalizeName::Local => Normalise::AdditiveScaled,
        NormalizeName::Multiplicative => Normalise::Multiplicative,
        NormalizeName::MultiplicativeScale => Normalise::MultiplicativeScaled,
        NormalizeName::EqualisedFluxes => Normalise::EqualisedFluxes,
    };
    how.local = normalize == NormalizeName::Local;
    how.weight = match args.weight.or(kept.weight).unwrap_or(WeightName::Quality) {
        WeightName::None => Weight::None,
        WeightName::Quality => Weight::Quality,
        WeightName::Noise => Weight::Noise,
        WeightName::Snr => Weight::Snr,
        WeightName::Fwhm => Weight::Fwhm,
    };
    how.debayer = match args.debayer {
        StackDebayerName::Auto => None,
        StackDebayerName::Bilinear => Some(Method::Bilinear),
        StackDebayerName::Directional => Some(Method::Directional),
    };
    how.drizzle = drizzle(args);
    how.crop = args.crop;
    Ok(how)
}

/// How samples are spread, where that was asked for.
fn drizzle(args: &IntegrationArgs) -> Option<Drizzle> {
    let cfa = args.cfa_drizzle;
    if args.drizzle.is_none() && args.drop.is_none() && !cfa {
        return None;
    }
    let usual = if cfa { 1.0 } else { 0.7 };
    Some(Drizzle::new(args.drizzle.unwrap_or(1.0), args.drop.unwrap_or(usual), cfa))
}

/// Reads `--reference`: `best` is none unless a file of that name is there.
pub fn reference(args: &IntegrationArgs) -> Option<&Path> {
    let named = args.reference.as_deref();
    named.filter(|p| *p != Path::new("best") || p.exists())
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

/// Files that were named, and those in folders that were named, in order; what is already in the folder
/// for products is none of them. Of a folder only frames of the kind that is wanted are taken, and those that
/// say nothing of their kind.
pub fn files(
    named: &[PathBuf],
    kind: Option<FrameKind>,
    output: Option<&Path>,
) -> anyhow::Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    for path in named {
        if !path.is_dir() {
            out.push(path.clone());
            continue;
        }
        let except = output.filter(|o| o.is_dir() && !same(o, path));
        let found = walk(std::slice::from_ref(path), except)?;
        show::findings(&found.findings);
        let all = found.files.len();
        let wanted = |path: &PathBuf| match kind {
            Some(kind) => kind_said(path).is_none_or(|said| said == kind),
            None => true,
        };
        let files: Vec<PathBuf> =
            found.files.into_iter().map(|f| f.path).filter(|p| wanted(p)).collect();
        if let (true, Some(kind)) = (files.is_empty(), kind) {
            bail!("{}: none of {all} frames in this folder is a {}", path.display(), kind.name());
        }
        if files.is_empty() {
            bail!("{}: there is no frame in this folder", path.display());
        }
        if files.len() < all {
            let others = all - files.len();
            eprintln!("{}: {others} frames of other kinds were passed over", path.display());
        }
        out.extend(files);
    }
    Ok(out)
}

fn same(a: &Path, b: &Path) -> bool {
    a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}

/// Where the products of several files go, one each: `output` for a single file, else the folder of that
/// name, under the name of each file with `ending`.
pub fn targets(
    files: Vec<PathBuf>,
    output: &Path,
    ending: &str,
) -> anyhow::Result<Vec<(PathBuf, PathBuf)>> {
    let folder = files.len() > 1
        || output.is_dir()
        || output.to_string_lossy().ends_with(std::path::is_separator);
    if !folder {
        return Ok(files.into_iter().map(|file| (file, output.to_owned())).collect());
    }
    if let Some(ending) = output.extension().filter(|_| !output.is_dir() && files.len() > 1) {
        let ending = ending.to_string_lossy().to_lowercase();
        if ["fits", "fit", "xisf", "tif", "tiff", "png"].contains(&&*ending) {
            bail!("{} files need a folder to go to, as in -o out/", files.len());
        }
    }
    let mut targets: Vec<(PathBuf, PathBuf)> = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Of m31.fits.gz the name is m31.
        let stem = name.find('.').filter(|_| name.to_lowercase().ends_with(".gz"));
        let stem = stem.map_or_else(|| Path::new(&name).with_extension(""), |at| name[..at].into());
        let target = output.join(format!("{}{ending}", stem.display()));
        if let Some((other, _)) = targets.iter().find(|(_, taken)| *taken == target) {
            bail!(
                "{} and {} would both become {}; convert them into folders of their own",
                other.display(),
                file.display(),
                target.display()
            );
        }
        targets.push((file, target));
    }
    Ok(targets)
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
