//! Defect maps that a library keeps: one folder a camera, in it each map ever made of it.

use std::path::{Path, PathBuf};

use photosite_file::atomic::{Existing, copy_file};
use photosite_file::keyword;
use photosite_pix::FrameKind;

use crate::header::DEFECT_MAP;
use crate::library::{Field, Traits, contradictions};
use crate::open::probe;
use crate::product::{LoadedMap, read_defect_map};
use crate::sensor::plain_name;
use crate::{Error, Result};

/// The folder of defect maps in a library.
const MAPS_NAME: &str = "defects";

/// What a sensor and its set-up are known by. Hot pixels depend on temperature, not on what is in front.
const SET_UP: [Field; 9] = [
    Field::Size,
    Field::Binning,
    Field::Region,
    Field::Camera,
    Field::GainSetting,
    Field::OffsetSetting,
    Field::ReadoutMode,
    Field::Cfa,
    Field::Temperature,
];

/// Whether nothing known of two set-ups speaks against their pixels having the same defects.
pub(super) fn is_one_set_up(a: &Traits, b: &Traits) -> bool {
    contradictions(FrameKind::Dark, a, b).iter().all(|c| !SET_UP.contains(&c.field))
}

/// Keeps a map beside earlier ones of its camera, by the date of its last frame; gives its path.
///
/// # Errors
/// When it cannot be copied.
pub(super) fn keep_map(map: &LoadedMap, library: &Path) -> Result<PathBuf> {
    let metadata = keyword::read(&map.header).metadata;
    let camera = metadata.camera.as_deref().map_or_else(|| "unknown".to_owned(), plain_name);
    let date = map.map.facts.last.as_deref().and_then(|d| d.get(..10)).unwrap_or("undated");
    let folder = library.join(MAPS_NAME).join(camera);
    let target = folder.join(format!("{}_{}.fits", plain_name(date), &map.hash.to_string()[..12]));
    if target.symlink_metadata().is_err() {
        std::fs::create_dir_all(&folder)
            .map_err(|e| Error::io(&folder, "making the folder of defect maps", e))?;
        copy_file(&map.path, &target, Existing::Replace)?;
    }
    Ok(target)
}

/// The maps of a set-up that the library keeps, those nearest in time to `day` (days from 1970-01-01) first, and how
/// many days apart; equals by name. What cannot be read is left out.
pub(super) fn kept_maps(
    library: &Path,
    set_up: &Traits,
    day: Option<f64>,
) -> impl Iterator<Item = (LoadedMap, Option<f64>)> {
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|e| e.path()).collect();
        paths.sort();
        paths
    };
    let apart = |path: &PathBuf| {
        let probe = probe(path).ok()?;
        let ours = probe.header.get_text("IMAGETYP").as_deref() == Some(DEFECT_MAP);
        let traits = Traits::of(&keyword::read(&probe.header).metadata, probe.size);
        let fits = ours && is_one_set_up(set_up, &traits);
        fits.then(|| day.zip(traits.day()).map(|(a, b)| (a - b).abs()))
    };
    let cameras = below(&library.join(MAPS_NAME));
    let files = cameras.iter().flat_map(|c| below(c));
    let mut found: Vec<(Option<f64>, PathBuf)> =
        files.filter_map(|path| Some((apart(&path)?, path))).collect();
    let key = |apart: &Option<f64>| apart.unwrap_or(f64::INFINITY);
    found.sort_by(|a, b| key(&a.0).total_cmp(&key(&b.0)).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().filter_map(|(apart, path)| Some((read_defect_map(&path).ok()?, apart)))
}
