//! The report on a sensor on disk.

use std::path::Path;

use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::fits::{FitsWriter, ImageSpec, Sample};
use photosite_pix::{Card, Header};

use crate::detector::{LINEARITY_SCHEMA, Linearity};
use crate::html::is_ours;
use crate::provenance::KEY_KEYWORD;
use crate::sensor::{PROFILE_SCHEMA, PixelMap, Profile, SENSOR_SCHEMA, SensorReport, page};
use crate::{Error, Result};

/// Writes what was measured of a sensor into a folder: `sensor.json` for programs, `sensor.toml` as the
/// camera's profile, `sensor.html` as a page with plots, where its response bends `linearity.toml`, and where
/// there are maps of single pixels `pixels.fits`. Earlier ones of ours are replaced.
///
/// # Errors
/// When the folder cannot be made or written to, or something else stands there.
pub fn write_sensor(report: &SensorReport, folder: &Path) -> Result<()> {
    let json = serde_json::to_vec_pretty(report)
        .map_err(|e| Error::bug(format!("a report that is no JSON: {e}")))?;
    let profile = Profile::of(report).text()?;
    let mut files: Vec<(&str, Vec<u8>, IsOurs)> = vec![
        ("sensor.json", json, |old| names(old, SENSOR_SCHEMA)),
        ("sensor.toml", profile.into_bytes(), |old| names(old, PROFILE_SCHEMA)),
        ("sensor.html", page(report).into_bytes(), is_ours),
    ];
    if !report.curves.is_empty() {
        let curves = Linearity::new(report.camera.clone(), report.curves.clone()).text()?;
        files.push(("linearity.toml", curves.into_bytes(), |old| names(old, LINEARITY_SCHEMA)));
    }
    for (name, _, ours) in &files {
        let path = folder.join(name);
        let stands = path.symlink_metadata().is_ok();
        if stands && !std::fs::read(&path).is_ok_and(|old| ours(&old)) {
            return Err(Error::foreign(&path));
        }
    }
    let maps = folder.join(MAPS_NAME);
    if maps.symlink_metadata().is_ok() && !photosite_file::is_ours(&maps).unwrap_or(false) {
        return Err(Error::foreign(&maps));
    }
    for (name, bytes, _) in files {
        write_bytes(&folder.join(name), &bytes, Existing::Replace)?;
    }
    if !report.maps.is_empty() {
        write_maps(report, &maps)?;
    }
    Ok(())
}

/// The file of the maps of single pixels.
const MAPS_NAME: &str = "pixels.fits";

/// Writes maps of single pixels, the first as the image, the others as extensions.
fn write_maps(report: &SensorReport, path: &Path) -> Result<()> {
    let key = blake3::hash(&serde_json::to_vec(report).unwrap_or_default()).to_hex();
    let spec = |(i, map): (usize, &PixelMap)| {
        let mut header = Header::new();
        if i == 0 {
            header.set(Card::string("IMAGETYP", "sensor maps", "kind of file"));
            header.set(Card::string(KEY_KEYWORD, &key[..32], "hash of what was measured"));
            if let Some(camera) = &report.camera {
                header.set(Card::string("INSTRUME", camera, "camera"));
            }
        }
        if !map.unit.is_empty() {
            header.set(Card::string("BUNIT", map.unit, "unit of the samples"));
        }
        header.push_comment(&format!("{}: {}", map.name, map.what));
        ImageSpec {
            name: Some(map.name.to_owned()),
            size: map.plane.size(),
            planes: 1,
            sample: Sample::F32,
            header,
        }
    };
    let specs = report.maps.iter().enumerate().map(spec).collect();
    let refused = |e: photosite_file::Error| Error::from(e).of_product();
    let writer = FitsWriter::create(path, specs, Vec::new(), Existing::Replace).map_err(refused)?;
    for (i, map) in report.maps.iter().enumerate() {
        for y in 0..map.plane.height() {
            writer.write_rows(i, 0, y, map.plane.row(y)).map_err(refused)?;
        }
    }
    writer.finish().map_err(refused).map(drop)
}

/// Whether what stands at a file's place is an earlier one.
type IsOurs = fn(&[u8]) -> bool;

/// Whether a text names a schema.
fn names(text: &[u8], schema: &str) -> bool {
    text.windows(schema.len()).any(|w| w == schema.as_bytes())
}
