//! Masters of other programs, brought to ADU and to a mean of 1 where they are not.

use std::path::{Path, PathBuf};

use photosite_file::fits::Sample;
use photosite_pix::{Card, CfaPattern, FrameKind};
use serde_json::json;

use super::keep::{master_record, record_of};
use crate::finding::Severity;
use crate::header::imagetyp;
use crate::library::{ADOPTED_KEYWORD, Adopted, Record, master_file_name};
use crate::product::{LoadedMaster, Product, Standing, UNIT_ADU, load_master, standing};
use crate::provenance::{Input, Provenance, master_name};
use crate::{Finding, Result};

/// The record of a master that is to be kept: of itself where it is as ours are, else of a copy
/// that is, in `folder`.
///
/// # Errors
/// When it cannot be read, or the copy cannot be written.
pub fn usable(path: &Path, master: &Adopted, folder: &Path) -> Result<(Record, Option<Finding>)> {
    if master.is_ours() {
        return Ok((record_of(path, master)?, None));
    }
    let loaded = load_master(path)?;
    let Some(factors) = loaded.factors(master.kind, master.traits.cfa) else {
        return Ok((record_of(path, master)?, None));
    };
    let copy = convert(path, master, loaded, factors, folder)?;
    let what = match master.kind {
        FrameKind::Flat => "its mean is not 1".to_owned(),
        _ => format!("its samples are between 0 and 1, where 1 is taken as {UNIT_ADU} ADU"),
    };
    let finding = Finding::new(
        "master-converted",
        Severity::Info,
        path.display().to_string(),
        format!("{what}; a converted copy is kept: {}", copy.display()),
    );
    Ok((master_record(&copy)?, Some(finding)))
}

/// Writes the copy; its header tells what was only known by the name.
fn convert(
    path: &Path,
    master: &Adopted,
    loaded: LoadedMaster,
    factors: [f64; 3],
    folder: &Path,
) -> Result<PathBuf> {
    let t = &master.traits;
    let provenance = Provenance::new(
        format!("adopted {}", master_name(master.kind)),
        vec![Input::new(master_name(master.kind), path, loaded.hash)],
        json!({ "factors": factors }),
    );
    let key = provenance.key();
    let target = folder.join(master_file_name(master.kind, t, &key));
    if standing(&target, &key)? == Standing::Current {
        return Ok(target);
    }
    let cfa: Option<CfaPattern> = t.cfa.filter(|_| master.kind == FrameKind::Flat);
    let loaded = loaded.scaled(factors, cfa);
    let frame = &*loaded.frame;
    let mut header = loaded.header.clone();
    header.set(Card::string("IMAGETYP", imagetyp(master.kind), "kind of frame"));
    header.set(Card::logical(ADOPTED_KEYWORD, true, "made by another program"));
    header.set(Card::integer("NCOMBINE", master.frames as i64, "frames combined"));
    let numbers = [
        ("EXPTIME", t.exposure_s, "[s] exposure"),
        ("CCD-TEMP", t.temp_c, "[C] sensor temperature"),
    ];
    for (keyword, value, comment) in numbers {
        if let Some(v) = value {
            header.set(Card::real(keyword, v, comment));
        }
    }
    if let Some(gain) = t.gain_setting {
        header.set(Card::real("GAIN", gain, "camera gain setting"));
    }
    if let Some((x, y)) = t.binning {
        header.set(Card::integer("XBINNING", i64::from(x), "binning along x"));
        header.set(Card::integer("YBINNING", i64::from(y), "binning along y"));
    }
    if let Some(filter) = &t.filter {
        header.set_text("FILTER", filter, "filter");
    }
    if master.kind == FrameKind::Flat {
        let channels = if cfa.is_some() { 3 } else { 1 };
        header.set(Card::integer("PSNORM", channels, "channels normalised to mean 1"));
    }
    Product {
        path: &target,
        frames: &[frame],
        header,
        sample: Sample::F32,
        maps: &[],
        provenance: &provenance,
        steps: vec![format!("samples multiplied by {factors:?}")],
    }
    .write()?;
    Ok(target)
}
