//! The report on a sensor on disk.

use std::path::Path;

use photosite_file::atomic::{Existing, write_bytes};

use crate::detector::{LINEARITY_SCHEMA, Linearity};
use crate::html::is_ours;
use crate::sensor::{PROFILE_SCHEMA, Profile, SENSOR_SCHEMA, SensorReport, page};
use crate::{Error, Result};

/// Writes what was measured of a sensor into a folder: `sensor.json` for programs, `sensor.toml` as the
/// camera's profile, `sensor.html` as a page with plots, and where its response bends `linearity.toml`. Earlier ones of ours are replaced.
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
    for (name, bytes, _) in files {
        write_bytes(&folder.join(name), &bytes, Existing::Replace)?;
    }
    Ok(())
}

/// Whether what stands at a file's place is an earlier one.
type IsOurs = fn(&[u8]) -> bool;

/// Whether a text names a schema.
fn names(text: &[u8], schema: &str) -> bool {
    text.windows(schema.len()).any(|w| w == schema.as_bytes())
}
