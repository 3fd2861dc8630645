//! A defect map at its place: found there, or built and written.

use std::path::Path;

use photosite_file::atomic::folder_of;
use photosite_pix::{CfaPattern, FrameKind, Header};

use super::{FrameSet, LoadedMap, build_defect_map, read_defect_map, write_defect_map};
use crate::Result;
use crate::defects::{MAP_SCHEMA, Seen};
use crate::header::common_header;
use crate::open::probe;
use crate::product::write::{Standing, room_for};
use crate::provenance::{ContentHash, Input, Provenance};
use crate::work::Context;

/// The defect map of sets of frames at `path`: what stands there where it was made of them, else a new one, with
/// what `odd` tells of pixels that bend or hold charge.
///
/// # Errors
/// As [`build_defect_map`] and [`write_defect_map`].
pub fn defect_map_at(
    sets: &[FrameSet<'_>],
    odd: impl FnOnce() -> Result<Vec<Seen>>,
    path: &Path,
    context: &Context<'_>,
) -> Result<LoadedMap> {
    let used = || sets.iter().flat_map(|s| s.frames.iter().map(move |f| (s.kind, *f)));
    let inputs = used().map(|(kind, f)| Input::new(kind.name(), &f.path, f.hash)).collect();
    let told = sets.iter().find(|s| s.is_dark()).map(|s| &s.frames[0].metadata);
    let parameters = serde_json::json!({
        "schema": MAP_SCHEMA,
        "cfa": cfa_of(sets),
        "gain_e_per_adu": told.and_then(|m| Some(m.gain_e_per_adu?.e_per_adu())),
    });
    let provenance = Provenance::new("defect map", inputs, parameters);
    if room_for(path, &provenance)? == Standing::Current {
        return read_defect_map(path);
    }
    let map = build_defect_map(sets, odd, folder_of(path), context)?;
    let headers: Vec<&Header> = used().map(|(_, f)| &f.header).collect();
    write_defect_map(&map, common_header(&headers), &provenance, path)?;
    let (path, hash) = (path.to_owned(), ContentHash::of_file(path)?);
    let header = probe(&path)?.header;
    Ok(LoadedMap { path, hash, map, header })
}

/// The filter array of the first frames that have one, where the map begins.
fn cfa_of(sets: &[FrameSet<'_>]) -> Option<CfaPattern> {
    let of = |s: &FrameSet<'_>| {
        let (first, region) = (s.frames[0], s.frames[0].region());
        first.metadata.cfa.map(|cfa| cfa.shifted(region.x0, region.y0))
    };
    sets.iter().filter(|s| s.kind != FrameKind::Light).find_map(of)
}
