//! The report on a sensor on disk.

use std::path::Path;

use photosite_file::atomic::{Existing, write_bytes};

use crate::sensor::{Profile, SensorReport, page};
use crate::{Error, Result};

/// Writes what was measured of a sensor into a folder: `sensor.json` for programs, `sensor.toml` as the
/// camera's profile, `sensor.html` as a page with plots.
///
/// # Errors
/// When the folder cannot be made or written to.
pub fn write_sensor(report: &SensorReport, folder: &Path) -> Result<()> {
    let json = serde_json::to_vec_pretty(report)
        .map_err(|e| Error::bug(format!("a report that is no JSON: {e}")))?;
    let profile = Profile::of(report).text()?;
    for (name, bytes) in [
        ("sensor.json", json),
        ("sensor.toml", profile.into_bytes()),
        ("sensor.html", page(report).into_bytes()),
    ] {
        write_bytes(&folder.join(name), &bytes, Existing::Replace)?;
    }
    Ok(())
}
