//! The report on a sensor on disk.

use std::path::Path;

use photosite_file::atomic::{Existing, write_bytes};

use crate::sensor::SensorReport;
use crate::{Error, Result};

/// Writes what was measured of a sensor into a folder: `sensor.json`.
///
/// # Errors
/// When the folder cannot be made or written to.
pub fn write_sensor(report: &SensorReport, folder: &Path) -> Result<()> {
    let json = serde_json::to_vec_pretty(report)
        .map_err(|e| Error::bug(format!("a report that is no JSON: {e}")))?;
    write_bytes(&folder.join("sensor.json"), &json, Existing::Replace)?;
    Ok(())
}
