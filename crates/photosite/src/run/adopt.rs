//! Masters of other programs, brought to ADU and to a mean of 1 where they are not.

use std::path::{Path, PathBuf};

use photosite_file::fits::Sample;
use photosite_pix::{Card, CfaPattern, FrameKind};
use serde_json::json;

use super::keep::{master_record, record_of};
use crate::finding::Severity;
use crate::header::imagetyp;
use crate::library::{ADOPTED_KEYWORD, Adopted, Record, master_file_name};
use crate::master::channel_means;
use crate::product::{LoadedMaster, Product, Standing, load_master, standing};
use crate::provenance::{Input, Provenance, master_name};
use crate::{Finding, Result};

/// What 1 stands for in a master of PixInsight's or Siril's, in ADU.
///
/// # Source
/// PCL: 16-bit samples are read as number / 65535.
const UNIT_ADU: f64 = 65_535.0;

/// How far a flat's mean may lie from 1 before it is brought there: a choice.
const MEAN_REACH: f64 = 0.05;

/// What a foreign master's samples are multiplied with to be as ours are; `None` where they are.
fn factors(master: &Adopted, loaded: &LoadedMaster) -> Option<[f64; 3]> {
    let data = &loaded.frame.data;
    if master.kind == FrameKind::Flat {
        let means = channel_means(data.as_slice(), data.width(), master.traits.cfa);
        let near = |m: &f64| (m - 1.0).abs() <= MEAN_REACH;
        let known = means.iter().all(|m| m.is_finite() && *m > 0.0);
        return (known && !means.iter().all(near)).then(|| means.map(|m| 1.0 / m));
    }
    // No camera's bias lies within one ADU of nothing with all of its hot pixels.
    let max = data.as_slice().iter().copied().fold(f32::MIN, f32::max);
    (max <= 1.0).then_some([UNIT_ADU; 3])
}

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
    let Some(factors) = factors(master, &loaded) else {
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
    let mut frame = (*loaded.frame).clone();
    let cfa: Option<CfaPattern> = t.cfa.filter(|_| master.kind == FrameKind::Flat);
    for y in 0..frame.size().height {
        let factor = |x: usize| factors[cfa.map_or(0, |c| c.color(x, y).channel())];
        for (x, v) in frame.data.row_mut(y).iter_mut().enumerate() {
            *v = (f64::from(*v) * factor(x)) as f32;
        }
        if let Some(variance) = &mut frame.variance {
            for (x, v) in variance.row_mut(y).iter_mut().enumerate() {
                *v = (f64::from(*v) * factor(x) * factor(x)) as f32;
            }
        }
    }
    let mut header = loaded.header;
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
        frames: &[&frame],
        header,
        sample: Sample::F32,
        maps: &[],
        provenance: &provenance,
        steps: vec![format!("samples multiplied by {factors:?}")],
    }
    .write()?;
    Ok(target)
}
