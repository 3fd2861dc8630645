//! A defect map of frames that were named, and lists of other programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::keyword;
use photosite_pix::{FrameKind, Header, MaskBits, Size};

use super::frames::{raw_frames, take_inventory};
use super::odd_pixels::odd_pixels;
pub use crate::defects::exchange::Exchange;
pub use crate::defects::{Aged, DefectMap};
use crate::defects::{MAP_SCHEMA, MapFacts, Seen, aged};
use crate::event::{Event, Stage};
use crate::finding::{Severity, first_and_more};
use crate::header::common_header;
use crate::inventory::{Inventory, KindOverrides};
use crate::library::{Field, Group, Traits, contradictions, frame_traits, groups};
use crate::open::{open, probe};
use crate::product::{
    FrameSet, LoadedMap, defect_map_at, draw_defects, months_between, read_defect_map,
    write_defect_map,
};
use crate::provenance::{ContentHash, Input, Provenance};
use crate::raw::RawFrame;
use crate::work::Context;
use crate::{Error, Finding, Result};

/// A defect map that was built or imported.
#[derive(Debug)]
#[non_exhaustive]
pub struct BuiltDefectMap {
    /// Where it lies.
    pub path: PathBuf,
    /// The map.
    pub map: DefectMap,
    /// What was found on the way.
    pub findings: Vec<Finding>,
}

/// Builds a defect map of frames in files and folders, sorted by kind as a night's are where `kinds` does
/// not say.
///
/// Lights, and frames of another sensor region than most, are left out and named.
///
/// # Errors
/// When a path does not exist, no frame is left, the map cannot be written, or the work is cancelled.
pub fn build_map_of_named(
    paths: &[PathBuf],
    kinds: &KindOverrides,
    output: &Path,
    context: &Context<'_>,
) -> Result<BuiltDefectMap> {
    let mut inventory = take_inventory(paths, Some(output), kinds, context)?;
    let mut findings = std::mem::take(&mut inventory.findings);
    let with_lights = kinds.paths.iter().any(|(_, kind)| *kind == FrameKind::Light);
    let is_light = |i: usize| inventory.frames[i].kind == FrameKind::Light;
    let lights = named(&inventory, is_light);
    if let Some(first) = lights.first().filter(|_| !with_lights) {
        let message =
            "a light tells of stars as well; left out of the defect map unless named by --lights";
        findings.push(left_out(first, lights.len(), message));
    }
    inventory.frames.retain(|f| with_lights || f.kind != FrameKind::Light);
    let traits: Vec<(FrameKind, Traits)> =
        inventory.frames.iter().map(|f| (f.kind, frame_traits(f))).collect();
    let lights = inventory.frames.iter().any(|f| f.kind == FrameKind::Light);
    let (mut kept, more) = one_sensor(groups(&traits), &inventory, lights)?;
    // Lights are one set, whatever their exposures.
    kept.retain(|group| group.kind != FrameKind::Light);
    findings.extend(more);
    let frames = raw_frames(&inventory, &mut findings, context)?;
    let sets: Vec<FrameSet<'_>> = kept
        .iter()
        .flat_map(|group| {
            let frames = group.members.iter().filter_map(|i| frames[*i].as_ref());
            of_one_exposure(group.kind, frames.collect())
        })
        .chain(lights_of(&inventory, &frames, &kept))
        .collect();
    let used = || sets.iter().flat_map(|s| s.frames.iter().map(move |f| (s.kind, *f)));
    context.observer.event(Event::Started { stage: Stage::Masters, total: used().count() as u64 });
    let all: Vec<(FrameKind, &RawFrame)> = used().collect();
    let map = defect_map_at(&sets, || odd_pixels(&all, context), output, context)?.map;
    context.observer.event(Event::Finished);
    findings.extend(doubts(&map, output));
    let flats: Vec<_> = all.iter().filter(|(k, _)| *k == FrameKind::Flat).map(|f| f.1).collect();
    let silent = flats.len().saturating_sub(map.facts.flats);
    if let Some(first) = flats.first().filter(|_| silent > 0) {
        let message = format!(
            "every pixel of {silent} of {} flats is saturated: they tell nothing of its response",
            flats.len()
        );
        let told = left_out(&first.path.display().to_string(), flats.len(), &message);
        findings.push(told.hint("Take flats at about half of saturation."));
    }
    let lights = used().filter(|(kind, _)| *kind == FrameKind::Light).count();
    findings
        .extend((lights > 0 && map.facts.lights < 4).then(|| still_stars(&map, lights, output)));
    Ok(BuiltDefectMap { path: output.to_owned(), map, findings })
}

/// The lights, those of the size of the other frames, or of the first.
fn lights_of<'a>(
    inventory: &Inventory,
    frames: &'a [Option<RawFrame>],
    others: &[Group],
) -> Option<FrameSet<'a>> {
    let of = |i: usize| frames[i].as_ref();
    let lights = (0..frames.len()).filter(|i| inventory.frames[*i].kind == FrameKind::Light);
    let mut lights: Vec<&RawFrame> = lights.filter_map(of).collect();
    let first = others.iter().flat_map(|g| &g.members).find_map(|i| of(*i));
    let size = first.or(lights.first().copied())?.region().size();
    lights.retain(|f| f.region().size() == size);
    lights.sort_by_key(|f| f.hash);
    (!lights.is_empty()).then_some(FrameSet { kind: FrameKind::Light, frames: lights })
}

/// Exposures within this factor are of one set.
const ONE_EXPOSURE: f64 = 1.3;

/// Sets of about one exposure: flats of another level tell what those of one do not.
fn of_one_exposure(kind: FrameKind, mut frames: Vec<&RawFrame>) -> Vec<FrameSet<'_>> {
    let exposure_s = |f: &RawFrame| f.metadata.exposure_s.unwrap_or(0.0);
    frames.sort_by(|a, b| exposure_s(a).total_cmp(&exposure_s(b)).then(a.hash.cmp(&b.hash)));
    frames
        .chunk_by(|a, b| exposure_s(b) <= ONE_EXPOSURE * exposure_s(a))
        .map(|alike| FrameSet { kind, frames: alike.to_vec() })
        .collect()
}

fn named(inventory: &Inventory, which: impl Fn(usize) -> bool) -> Vec<String> {
    let all = (0..inventory.frames.len()).filter(|i| which(*i));
    all.map(|i| inventory.frames[i].path.display().to_string()).collect()
}

fn left_out(first: &str, count: usize, why: &str) -> Finding {
    Finding::new("defects-left-out", Severity::Warning, first_and_more(first, count), why)
        .hint("Name the darks, flats and biases of one camera, binning and region.")
        .with("frames", count)
}

/// That lights were not dithered, so that nothing can be told by them.
fn still_stars(map: &DefectMap, lights: usize, path: &Path) -> Finding {
    let message = format!(
        "the stars moved between {} of {lights} lights only; pixels that stand still are told from 4 on, and \
         none was",
        map.facts.lights
    );
    Finding::new(
        "defects-lights-not-dithered",
        Severity::Warning,
        path.display().to_string(),
        message,
    )
    .hint("Name lights that were dithered by some pixels, or of several nights.")
}

/// What is doubtful about a map.
fn doubts(map: &DefectMap, path: &Path) -> Option<Finding> {
    let few = crate::defects::FEWEST_FRAMES;
    let most = map.facts.darks.max(map.facts.biases);
    (most < few).then(|| {
        let message = format!(
            "pixels that change from frame to frame are told from {few} darks or biases on; {most} are at \
             hand"
        );
        Finding::new("defects-few-frames", Severity::Info, path.display().to_string(), message)
            .hint("Add darks; 50 and more also tell the levels of telegraph pixels.")
    })
}

/// The groups of the sensor region that most frames are of; what is left out is told.
fn one_sensor(
    all: Vec<Group>,
    inventory: &Inventory,
    lights: bool,
) -> Result<(Vec<Group>, Vec<Finding>)> {
    let sensor = |f: Field| {
        matches!(f, Field::Size | Field::Binning | Field::Region | Field::Camera | Field::Cfa)
    };
    let against = |a: &Traits, b: &Traits| {
        let mut checks = contradictions(FrameKind::Dark, a, b);
        checks.retain(|c| sensor(c.field));
        checks
    };
    let agree = |t: &Traits| -> usize {
        all.iter().filter(|g| against(t, &g.traits).is_empty()).map(|g| g.members.len()).sum()
    };
    let most = all.iter().max_by_key(|g| (agree(&g.traits), std::cmp::Reverse(g.members[0])));
    let Some(wanted) = most.map(|g| g.traits.clone()) else {
        if lights {
            return Ok((Vec::new(), Vec::new()));
        }
        return Err(Error::mismatch(
            "there is no dark, flat or bias among these files; a defect map is made of them",
        ));
    };
    let (mut kept, mut findings) = (Vec::new(), Vec::new());
    for group in all {
        let checks = against(&wanted, &group.traits);
        if checks.is_empty() {
            kept.push(group);
            continue;
        }
        let show = |v: &Option<String>| v.clone().unwrap_or_default();
        let differs: Vec<String> = checks
            .iter()
            .map(|c| {
                format!("{} {}, the others {}", c.field.name(), show(&c.found), show(&c.wanted))
            })
            .collect();
        let first = inventory.frames[group.members[0]].path.display().to_string();
        let why = format!("of another sensor or region ({})", differs.join("; "));
        findings.push(left_out(&first, group.members.len(), &why));
    }
    Ok((kept, findings))
}

/// Reads a list or mask of another program as a map, and writes it to `output`.
///
/// A list needs the width and height of the sensor, or a frame of it; a mask is an image, FITS or XISF,
/// whose samples are not 0 where a pixel is defective (`zero_is_bad`: are 0 there, as in PixInsight's defect
/// maps).
///
/// # Errors
/// When the file cannot be read, is of no known format, or the map cannot be written.
pub fn import_defects(
    path: &Path,
    like: Option<&Path>,
    zero_is_bad: bool,
    output: &Path,
) -> Result<BuiltDefectMap> {
    let hash = ContentHash::of_file(path)?;
    let image = probe(path);
    let frame = like.map(probe).transpose()?;
    let (header, cfa) = match &frame {
        Some(frame) => {
            let header = common_header(&[&frame.header]);
            (header, keyword::read(&frame.header).metadata.cfa)
        }
        None => (Header::new(), None),
    };
    let (size, seen, format) = match image {
        Ok(image) => {
            if frame.as_ref().is_some_and(|f| f.size != image.size) {
                return Err(Error::mismatch(format!(
                    "{} is {} pixels, the frame is {}",
                    path.display(),
                    image.size,
                    frame.map_or(Size::new(0, 0), |f| f.size)
                )));
            }
            (image.size, mask_of(path, zero_is_bad)?, "mask")
        }
        Err(_) => {
            let bytes = std::fs::read(path).map_err(|e| Error::io(path, "reading the list", e))?;
            let text = String::from_utf8_lossy(&bytes);
            let says = |what: String| Error::unsupported(format!("{}: {what}", path.display()));
            let format = Exchange::guess(&text).ok_or_else(|| {
                says("this is no list of Siril, PixInsight, IRAF or LSST, and no image".to_owned())
            })?;
            let Some(frame) = &frame else {
                return Err(Error::parameters(
                    "a list does not tell how many rows the sensor has; name a frame of it with --like",
                ));
            };
            let seen = format.read(&text, frame.size).map_err(says)?;
            (frame.size, seen, format.name())
        }
    };
    let facts = MapFacts {
        last: header.get_text("DATE-OBS"),
        imported: Some(format.to_owned()),
        ..MapFacts::default()
    };
    let map = DefectMap::new(size, cfa, seen, Vec::new(), facts);
    if let Some(share) = map.too_many() {
        return Err(Error::unsupported(format!(
            "{}: {:.0} % of its pixels would be defects; this is no mask of defects, or those are 0 and the others not \
             (--zero-is-bad)",
            path.display(),
            100.0 * share
        )));
    }
    let inputs = vec![Input::new("defect list", path, hash)];
    let parameters = serde_json::json!({ "schema": MAP_SCHEMA, "size": size, "format": format });
    let provenance = Provenance::new("defect map", inputs, parameters);
    write_defect_map(&map, header, &provenance, output)?;
    Ok(BuiltDefectMap { path: output.to_owned(), map, findings: Vec::new() })
}

/// The defective pixels of a mask in an image.
fn mask_of(path: &Path, zero_is_bad: bool) -> Result<Vec<Seen>> {
    let source = open(path)?;
    let size = source.size();
    let (mut row, mut scratch) = (vec![0.0f32; size.width], Vec::new());
    let mut seen = Vec::new();
    for y in 0..size.height {
        source.read_rows(0, y..y + 1, &mut scratch, &mut row)?;
        for (x, v) in row.iter().enumerate() {
            if (*v == 0.0) == zero_is_bad {
                let (score, share, excess) = (0.0, 0.0, f32::NAN);
                seen.push(Seen { x, y, bits: MaskBits::HOT, score, share, excess });
            }
        }
    }
    Ok(seen)
}

/// Writes a map's pixels as another program reads them; nothing that stands there is replaced.
///
/// # Errors
/// When a file stands there, or the operating system refuses.
pub fn export_defects(map: &DefectMap, format: Exchange, output: &Path) -> Result<usize> {
    let text = format.write(&map.seen, map.size);
    write_bytes(output, text.as_bytes(), Existing::Refuse)
        .map_err(|e| Error::from(e).of_product())?;
    Ok(map.counts().repaired)
}

/// Compares the maps in two files.
///
/// # Errors
/// When one cannot be read, or they differ in size.
pub fn age_of_maps(old: &Path, new: &Path) -> Result<Aged> {
    let (older, newer) = (read_defect_map(old)?.map, read_defect_map(new)?.map);
    if older.size != newer.size {
        return Err(Error::mismatch(format!(
            "{} is {} pixels, {} is {}: they are not of one sensor region",
            old.display(),
            older.size,
            new.display(),
            newer.size
        )));
    }
    Ok(aged(&older, &newer, months_between(&older, &newer)))
}

/// That lights are calibrated with a map.
pub(super) const MAPPED: &str = "defects-mapped";

/// Draws a map as a PNG at most `width` columns wide, the way up that its frames have.
///
/// # Errors
/// As [`draw_defects`].
pub fn draw_map(loaded: &LoadedMap, png: &Path, width: usize) -> Result<()> {
    let order = keyword::read(&loaded.header).metadata.row_order;
    draw_defects(&loaded.map, order, png, width)
}

/// What a map tells as JSON, in the schema `photosite.defects/1`.
pub fn defects_report(map: &DefectMap, worst: usize) -> serde_json::Value {
    let pixel = |s: &Seen| {
        let names: Vec<&str> = s.bits.iter_names().map(|(n, _)| n).collect();
        serde_json::json!({
            "x": s.x,
            "y": s.y,
            "bits": names,
            "sigmas": s.score,
            "share": s.share,
            "rate": map.rate(s),
        })
    };
    let unsteady: BTreeMap<usize, usize> =
        map.unsteady.iter().fold(BTreeMap::new(), |mut all, u| {
            *all.entry(u.levels.len().max(1)).or_default() += 1;
            all
        });
    serde_json::json!({
        "schema": MAP_SCHEMA,
        "size": map.size,
        "cfa": map.cfa,
        "facts": map.facts,
        "counts": map.counts(),
        "share_repaired": map.counts().repaired as f64 / map.size.pixels().max(1) as f64,
        "rate_unit": map.rate_unit(),
        "levels_of_unstable": unsteady,
        "lines": map.lines,
        "clusters": map.clusters.len(),
        "worst": map.worst(worst).iter().map(pixel).collect::<Vec<_>>(),
    })
}
