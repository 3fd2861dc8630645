//! Products made again from what they were made of, and compared byte for byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_file::atomic::folder_of;
use photosite_pix::linearity::Curve;
use photosite_pix::overscan::OverscanMethod;
use photosite_pix::{FrameKind, Rect};
use serde::Serialize;

use super::beside::{Beside, folders_beside};
use super::lineage::{Lineage, lineage_by};
use super::named::{NamedMaster, master_of_named};
use super::night::run_night;
use super::planned::AskedNight;
use super::request::DefectsChoice;
use super::shadow::shadow;
use crate::calibrate::RemovedBy;
use crate::detector::Linearity;
use crate::error::Reach;
use crate::inventory::{KindOverrides, Walk, walk};
use crate::library::Known;
use crate::open::{name_of_image, probe};
use crate::params::{OverscanChoice, RecipeChoice};
use crate::product::{AdditivePart, whole};
use crate::provenance::{self, ContentHash, FileMark, Input, Provenance, key_of};
use crate::report::RunReport;
use crate::work::Context;
use crate::{Error, Result};

/// What the JSON of `verify` is.
pub const VERIFY_SCHEMA: &str = "photosite.verify/1";

/// What came of making a product again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The same bytes came out.
    Same,
    /// Other bytes came out, or the file is not what was written.
    Differs,
    /// An input holds something else than it did.
    InputChanged,
    /// An input is not found.
    InputMissing,
    /// Another version of the arithmetic made it.
    OtherVersion,
    /// It cannot be made again from what it says.
    CannotBeMade,
}

/// An input of a product that is not where it was, or not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostInput {
    /// What it was used as.
    pub role: String,
    /// What it was called.
    pub name: String,
    /// The file of that name that holds something else.
    pub changed: Option<PathBuf>,
    /// Where a file lies that holds what it held.
    pub elsewhere: Option<PathBuf>,
}

/// A product that was to be made again.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Verified {
    /// The product.
    pub path: PathBuf,
    /// True where the same bytes came out.
    pub verified: bool,
    /// What came of it.
    pub answer: Answer,
    /// The same in a sentence.
    pub message: String,
    /// Inputs that are missing or changed.
    pub inputs: Vec<LostInput>,
}

impl Verified {
    fn new(path: &Path, answer: Answer, message: impl Into<String>) -> Self {
        let verified = answer == Answer::Same;
        Self {
            path: path.to_owned(),
            verified,
            answer,
            message: message.into(),
            inputs: Vec::new(),
        }
    }

    fn of_error(path: &Path, e: &Error) -> Self {
        let answer = match e.kind() {
            crate::ErrorKind::Mismatch => Answer::OtherVersion,
            crate::ErrorKind::Unsupported | crate::ErrorKind::Io => Answer::CannotBeMade,
            _ => Answer::Differs,
        };
        Self::new(path, answer, e.to_string())
    }
}

/// Makes products again from their recorded inputs and compares them with what is there.
///
/// A product of a run is made by the same run into a folder of its own, which goes afterwards; a master of
/// named frames from these. Frames are looked for where the run found them, beside the product, and below
/// `inputs`.
///
/// # Errors
/// When a folder of `inputs` cannot be read, there is no room for the products, or the work is cancelled.
pub fn verify_products(
    products: &[PathBuf],
    inputs: &[PathBuf],
    context: &Context<'_>,
) -> Result<Vec<Verified>> {
    let mut out: Vec<Option<Verified>> = vec![None; products.len()];
    let mut runs: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    let mut alone = Vec::new();
    for (i, product) in products.iter().enumerate() {
        let checked = provenance::read(product).and_then(|p| whole(product).map(|()| p));
        match checked {
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => out[i] = Some(Verified::of_error(product, &e)),
            Ok(told) => match run_of(product) {
                Some(report) => runs.entry(report).or_default().push(i),
                None => alone.push((i, told)),
            },
        }
    }
    for (i, told) in alone {
        let mut files = Files::below(inputs)?;
        folders_beside(&products[i]).iter().take(2).for_each(|dir| files.add(dir));
        out[i] = Some(again_alone(&products[i], &told, &mut files, context)?);
    }
    for (report, members) in runs {
        let of_run: Vec<&Path> = members.iter().map(|i| products[*i].as_path()).collect();
        for (i, done) in members.iter().zip(again_by_run(&report, &of_run, inputs, context)?) {
            out[*i] = Some(done);
        }
    }
    Ok(out.into_iter().flatten().collect())
}

/// The report of the run that made a product, where it says what was asked for.
fn run_of(product: &Path) -> Option<PathBuf> {
    let files = folders_beside(product).into_iter().take(3).map(|dir| dir.join("run.json"));
    let asked = |p: &PathBuf| p.is_file() && RunReport::read(p).is_ok_and(|r| r.asked.is_some());
    files.into_iter().find(asked)
}

/// Files by name, each read through at most once.
struct Files {
    by_name: BTreeMap<String, Vec<PathBuf>>,
    hashes: BTreeMap<PathBuf, Option<ContentHash>>,
}

impl Files {
    fn below(folders: &[PathBuf]) -> Result<Self> {
        let mut files = Self { by_name: BTreeMap::new(), hashes: BTreeMap::new() };
        for Walk { path, .. } in walk(folders, None)?.files {
            files.push(path);
        }
        Ok(files)
    }

    /// The files of a folder, not those of folders in it.
    fn add(&mut self, folder: &Path) {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut found: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
        found.sort();
        found.into_iter().filter(|p| p.is_file()).for_each(|p| self.push(p));
    }

    fn push(&mut self, path: PathBuf) {
        if let Some(name) = path.file_name() {
            self.by_name.entry(name.to_string_lossy().into_owned()).or_default().push(path);
        }
    }

    /// A file of a library, which knows what it holds; one that has changed since is read.
    fn know(&mut self, known: Known) {
        let is_as_it_was = FileMark::of(&known.path).is_ok_and(|mark| mark == known.mark);
        if let Ok(hash) = known.hash.parse::<ContentHash>()
            && is_as_it_was
        {
            self.hashes.insert(known.path.clone(), Some(hash));
        }
        self.push(known.path);
    }

    fn hash(&mut self, path: &Path) -> Option<ContentHash> {
        let hash = || ContentHash::of_file(path).ok();
        *self.hashes.entry(path.to_owned()).or_insert_with(hash)
    }

    /// The files of a name, or the images in them that have it.
    fn named(&self, name: &str) -> Vec<PathBuf> {
        let of_name = |name: &str| self.by_name.get(name).cloned().unwrap_or_default();
        let image = || {
            let (file, unit) = name.strip_suffix(']')?.rsplit_once('[')?;
            let unit = unit.parse().ok()?;
            Some(of_name(file).iter().map(|path| name_of_image(path, unit)).collect())
        };
        let files = of_name(name);
        if files.is_empty() { image().unwrap_or_default() } else { files }
    }

    /// The file that an input is, or how it is lost.
    fn find(&mut self, input: &Input) -> std::result::Result<PathBuf, LostInput> {
        let named = self.named(&input.name);
        for path in &named {
            if self.hash(path) == Some(input.hash) {
                return Ok(path.clone());
            }
        }
        let all: Vec<PathBuf> = self.by_name.values().flatten().cloned().collect();
        let elsewhere = all.into_iter().find(|p| self.hash(p) == Some(input.hash));
        let (role, name) = (input.role.clone(), input.name.clone());
        Err(LostInput { role, name, changed: named.first().cloned(), elsewhere })
    }
}

fn lost(path: &Path, inputs: Vec<LostInput>) -> Verified {
    let changed = inputs.iter().any(|i| i.changed.is_some());
    let say = |i: &LostInput| {
        let what = match &i.changed {
            Some(path) => format!("{} has changed", path.display()),
            None => format!("{} ({}) is not found", i.name, i.role),
        };
        match &i.elsewhere {
            Some(path) => format!("{what}; {} holds what it held", path.display()),
            None => what,
        }
    };
    let named: Vec<String> = inputs.iter().take(3).map(say).collect();
    let more = match inputs.len().saturating_sub(3) {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    let answer = if changed { Answer::InputChanged } else { Answer::InputMissing };
    let message = format!("{}{more}", named.join("; "));
    Verified { inputs, ..Verified::new(path, answer, message) }
}

/// A hidden folder for products made again, which goes with its value.
fn room_in(home: &Path) -> Result<tempfile::TempDir> {
    let made = tempfile::Builder::new().prefix(".photosite-verify-").tempdir_in(home);
    made.map_err(|e| Error::io(home, "making a folder for products made again", e))
}

/// What is compared: two files of equal bytes are one.
fn compared(product: &Path, again: &Path) -> Verified {
    let hashes = (ContentHash::of_file(product), ContentHash::of_file(again));
    match hashes {
        (Ok(a), Ok(b)) if a == b => {
            Verified::new(product, Answer::Same, "made again from its inputs: the same bytes")
        }
        (Ok(_), Ok(_)) => {
            let message = "made again from its inputs, it is another file: it was altered after it was written";
            Verified::new(product, Answer::Differs, message)
        }
        (Err(e), _) | (_, Err(e)) => Verified::of_error(product, &e),
    }
}

/// Products of one run, made by the same run.
fn again_by_run(
    report_path: &Path,
    products: &[&Path],
    inputs: &[PathBuf],
    context: &Context<'_>,
) -> Result<Vec<Verified>> {
    let mut report = RunReport::read(report_path)?;
    let asked: Option<AskedNight> =
        report.asked.take().and_then(|a| serde_json::from_value(a).ok());
    let cannot = |why: String| -> Vec<Verified> {
        products.iter().map(|p| Verified::new(p, Answer::CannotBeMade, why.clone())).collect()
    };
    let Some(asked) = asked else {
        return Ok(cannot(format!("{} does not say what was asked for", report_path.display())));
    };
    let mut request = asked.request(None)?;
    let mut folders: Vec<PathBuf> = request.paths.iter().filter(|p| p.exists()).cloned().collect();
    if let DefectsChoice::File(map) = &request.defects {
        folders.extend(Some(map).filter(|p| p.exists()).cloned());
    }
    folders.extend(inputs.iter().cloned());
    let mut files = Files::below(&folders)?;
    let home = report_path.parent().unwrap_or(Path::new("."));
    let kept = room_in(home)?;
    if let Some(place) = request.library.take().filter(|place| place.is_dir()) {
        let library = shadow(&place, &report, kept.path())?;
        for known in library.files()? {
            files.know(known);
        }
        request.library = Some(kept.path().to_owned());
    }
    let (mut out, mut beside): (Vec<Option<Verified>>, _) = (Vec::new(), Beside::default());
    for product in products {
        let mut missing = Vec::new();
        for input in raw_inputs(&lineage_by(product, &mut beside)?) {
            missing.extend(files.find(&input).err());
        }
        missing.sort_by(|a, b| a.name.cmp(&b.name));
        missing.dedup();
        out.push((!missing.is_empty()).then(|| lost(product, missing)));
    }
    if out.iter().all(Option::is_some) {
        return Ok(out.into_iter().flatten().collect());
    }
    let room = room_in(home)?;
    request.output = room.path().to_owned();
    let outcome = run_night(&request, context)?;
    if let Some(failure) = outcome.failure {
        return Err(failure);
    }
    let made = Files::below(&[room.path().to_owned()])?;
    Ok(products
        .iter()
        .zip(out)
        .map(|(product, lost)| {
            let name = product.file_name().map(|n| n.to_string_lossy().into_owned());
            let again = name.and_then(|n| made.by_name.get(&n)?.first().cloned());
            lost.unwrap_or_else(|| match again {
                Some(again) if same_key(product, &again) => compared(product, &again),
                _ => {
                    let message = "the same run does not make it again from these frames: frames were added, \
                                   or its library offers others now";
                    Verified::new(product, Answer::CannotBeMade, message)
                }
            })
        })
        .collect())
}

fn same_key(a: &Path, b: &Path) -> bool {
    let key = |p: &Path| probe(p).ok().and_then(|p| key_of(&p.header));
    key(a).is_some() && key(a) == key(b)
}

/// The frames that a product goes back to, and masters that are not found beside it.
fn raw_inputs(of: &Lineage) -> Vec<Input> {
    let mut out = Vec::new();
    for input in &of.inputs {
        match &input.made_of {
            Some(made) => out.extend(raw_inputs(made)),
            None => out.push(input.input.clone()),
        }
    }
    out
}

/// A product that no run made.
fn again_alone(
    product: &Path,
    told: &Provenance,
    files: &mut Files,
    context: &Context<'_>,
) -> Result<Verified> {
    let kind = told.product.strip_prefix("master ").and_then(FrameKind::named);
    let Some(kind) = kind else {
        let message = format!("a {} that no run made cannot be made again yet", told.product);
        return Ok(Verified::new(product, Answer::CannotBeMade, message));
    };
    let (mut frames, mut missing, mut additive) = (Vec::new(), Vec::new(), AdditivePart::Keep);
    for input in &told.inputs {
        match files.find(input) {
            Ok(path) if input.role == kind.name() => frames.push(path),
            Ok(path) => {
                let by = match input.role.as_str() {
                    "master bias" => RemovedBy::Bias,
                    "master dark" => RemovedBy::Dark,
                    _ => RemovedBy::DarkFlat,
                };
                additive = AdditivePart::Master(path, by);
            }
            Err(lost) => missing.push(lost),
        }
    }
    if !missing.is_empty() {
        return Ok(lost(product, missing));
    }
    if let Some(level) = told.parameters["level_adu"].as_f64() {
        additive = AdditivePart::Level(level as f32);
    }
    let chosen = serde_json::json!({
        "reject": told.parameters["reject"],
        "thresholds": { "low": null, "high": null },
        "combine": told.parameters["combine"],
    });
    let recipe: RecipeChoice = serde_json::from_value(chosen)
        .map_err(|e| Error::unsupported(format!("{}: {e}", product.display())))?;
    let home = folder_of(product);
    let room = room_in(home)?;
    let output = room.path().join(product.file_name().unwrap_or_default());
    let maps = told.parameters["maps"].as_bool() == Some(true);
    let make = |by_hand: KindOverrides| {
        let (additive, named) = (additive.clone(), NamedMaster::new(kind, &frames, &output));
        master_of_named(&NamedMaster { additive, recipe, maps, by_hand, ..named }, context)
    };
    // Overscans of headers first; the same named by hand are another choice.
    let [of_headers, by_hand] = by_hand(&told.parameters);
    let mut made = make(of_headers);
    if made.is_ok() && !same_key(product, &output) && !by_hand.overscan.regions.is_empty() {
        made = make(by_hand);
    }
    match made {
        Ok(_) if same_key(product, &output) => Ok(compared(product, &output)),
        Ok(_) => {
            let message =
                "its inputs and choices give another key: some of its frames would be left out now";
            Ok(Verified::new(product, Answer::CannotBeMade, message))
        }
        Err(e) if e.reach() == Reach::Run => Err(e),
        Err(e) => Ok(Verified::of_error(product, &e)),
    }
}

/// How frames of a master were levelled and straightened, by its parameters: with the overscans of their
/// headers, and with these as they were named by hand.
fn by_hand(parameters: &serde_json::Value) -> [KindOverrides; 2] {
    fn read<T: serde::de::DeserializeOwned>(value: &serde_json::Value) -> Option<T> {
        serde_json::from_value(value.clone()).ok()
    }
    let curves: Option<Vec<Curve>> = read(&parameters["linearity"]["curves"]);
    let linearity = curves.map(|curves| Arc::new(Linearity::new(None, curves)));
    let overscan = &parameters["levels"]["overscan"];
    let method: OverscanMethod = read(&overscan["method"]).unwrap_or_default();
    let regions: Vec<(Rect, Rect)> = read(&overscan["regions"]).unwrap_or_default();
    let regions = regions.into_iter().map(|(source, target)| (source, Some(target))).collect();
    [Vec::new(), regions].map(|regions| KindOverrides {
        paths: Vec::new(),
        overscan: OverscanChoice { method, regions, optical_black: false },
        linearity: linearity.clone(),
    })
}
