//! Flats and lights in blocks, to see whether they fit.

use std::path::Path;

use photosite_file::Access;
use photosite_pix::{CfaPattern, MaskBits};

use super::kept::Kept;
use super::light::{Masters, seen_key};
use super::loaded::MasterFile;
use crate::Result;
use crate::calibrate::CalibratedSource;
use crate::calibrate::dark::DarkShare;
use crate::calibrate::flat_fit::{Blocks, Template};
use crate::raw::{Handling, RawFrame};
use crate::sensor::Codes;
use crate::stack::{Prepared, ReadBuffers};

/// The master flat in a file, to be held against lights under `cfa`; its pixels without data do not
/// count. A flat whose `key` is known is looked at once, and its blocks are kept.
///
/// # Errors
/// When it cannot be read.
pub fn flat_template(
    (path, key): (&Path, Option<&str>),
    cfa: Option<CfaPattern>,
    kept: &Kept,
) -> Result<Template> {
    let look = || {
        let flat = MasterFile::open(path)?;
        Blocks::of(flat.size(), cfa, |rows, out| {
            let part = flat.read(rows)?;
            let pairs = part.data.as_slice().iter().zip(part.mask.as_slice());
            for (out, (v, m)) in out.iter_mut().zip(pairs) {
                *out = if m.intersects(MaskBits::NO_DATA) { f32::NAN } else { *v };
            }
            Ok(())
        })
    };
    let blocks = match key {
        Some(key) => kept.find_or("flat", &format!("{key} {cfa:?}"), look)?,
        None => look()?,
    };
    Ok(Template::of(blocks))
}

/// A raw light in blocks, calibrated by masters without a flat, as `kept` holds them or as they are then
/// kept there.
///
/// # Errors
/// When it cannot be read, or does not fit its masters.
pub fn light_blocks(
    raw: &RawFrame,
    masters: &Masters,
    dark: Option<DarkShare>,
    (kept, buffers): (&Kept, &mut ReadBuffers),
) -> Result<Blocks> {
    let mut look = || {
        let prepared = raw.open(Handling::Once)?;
        let (size, cfa) = (prepared.region.size(), prepared.cfa);
        let step = step_adu(raw, &prepared)?;
        let source = CalibratedSource::new(raw, prepared, masters.set(), dark);
        Blocks::in_steps(size, cfa, step, |rows, out| source.before_flat(rows, buffers, out))
    };
    // Of a frame with overscans their levels are told as well, and are known once it was opened.
    if raw.levelling().is_some() {
        return look();
    }
    kept.find_or("blocks", &seen_key(raw, masters, dark), look)
}

/// Rows whose samples show their step.
const ROWS_LOOKED_AT: usize = 4;

/// The step of a frame's samples in ADU, 16 where a file of sixteen bits holds twelve; 0 where they are no whole
/// numbers.
fn step_adu(raw: &RawFrame, prepared: &Prepared) -> Result<f32> {
    let step = raw.step_adu();
    if step != 1.0 || raw.access != Access::Rows {
        return Ok(step);
    }
    let size = prepared.source.size();
    let first = size.height / 2;
    let rows = first..(first + ROWS_LOOKED_AT).min(size.height);
    let mut samples = vec![0.0f32; rows.len() * size.width];
    prepared.source.read_rows(0, rows, &mut Vec::new(), &mut samples)?;
    let mut codes = Codes::default();
    codes.see(&samples);
    Ok(codes.step() as f32)
}
