//! Masters that lie there already: taken from the library, described.

use std::path::{Path, PathBuf};

use photosite_file::atomic::{Existing, copy_file};
use photosite_file::{keyword, read_image};
use photosite_pix::stat::Summary;
use photosite_pix::{CfaPattern, FrameKind, Header};

use super::asked::MasterResult;
use crate::header::flat_colours;
use crate::master::{NoiseCheck, Rejected};
use crate::open::probe;
use crate::product::known::Known;
use crate::product::stacking::summarise;
use crate::product::write::{Standing, standing, whole};
use crate::provenance::{ContentHash, key_of};
use crate::work::{Context, for_each};
use crate::{Error, Result};

/// Copies a master of the library to where it is wanted, if it is what its key says.
pub(super) fn copy_master(from: &Path, to: &Path, key: &str) -> Result<()> {
    if standing(from, key)? != Standing::Current {
        return Err(Error::library(format!("{} has another key", from.display())));
    }
    Ok(copy_file(from, to, Existing::Replace)?)
}

/// Takes a master of the library as it is, beside the night's own.
///
/// # Errors
/// When its file cannot be read, the copy cannot be written, or a file that is not its copy stands
/// in its place.
pub fn take_master(
    kind: FrameKind,
    from: &Path,
    to: &Path,
    known: &Known,
    context: &Context<'_>,
) -> Result<MasterResult> {
    whole(from)?;
    // Names of copies hold the master's identity, so what stands there by that name is the copy.
    let same = |p: &Path| ContentHash::of_file(p);
    let mut damaged = false;
    if to.symlink_metadata().is_err() {
        copy_file(from, to, Existing::Refuse).map_err(|e| Error::from(e).of_product())?;
    } else if same(from)? != same(to)? {
        if standing(to, "")? != Standing::Damaged && whole(to).is_ok() {
            return Err(Error::foreign(to));
        }
        copy_file(from, to, Existing::Replace).map_err(|e| Error::from(e).of_product())?;
        damaged = true;
    }
    let told = key_of(&probe(to)?.header).and_then(|key| known.of_master(&key));
    let (stats, header) = describe(to, told, context)?;
    let taken = outcome(kind, to, Vec::new(), stats, &header);
    Ok(MasterResult { reused: !damaged, damaged, from_library: true, ..taken })
}

/// What is told of a master that lies there.
///
/// # Errors
/// When it cannot be read.
pub fn found_master(kind: FrameKind, path: &Path, context: &Context<'_>) -> Result<MasterResult> {
    let (stats, header) = describe(path, None, context)?;
    Ok(outcome(kind, path, Vec::new(), stats, &header))
}

/// The description of a master's samples, as it is known or by reading them, and its header.
pub(super) fn describe(
    path: &Path,
    known: Option<Summary>,
    context: &Context<'_>,
) -> Result<(Summary, Header)> {
    Ok(match known {
        Some(stats) => (stats, probe(path)?.header),
        None => {
            let (data, header) = read_image(path)?;
            let stats = summarise(&data, sample_step(&header), |passes| {
                for_each(
                    passes.len(),
                    context,
                    || (),
                    |(), i| {
                        passes[i]();
                        Ok(())
                    },
                )
            })?;
            (stats, header)
        }
    })
}

/// Pixels from one sample to the next of its colour.
pub(super) fn sample_step(header: &Header) -> usize {
    keyword::read(header).metadata.cfa.map_or(1, CfaPattern::period)
}

/// What is told of a master: from its header and the description of its samples.
pub(super) fn outcome(
    kind: FrameKind,
    path: &Path,
    inputs: Vec<PathBuf>,
    stats: Summary,
    header: &Header,
) -> MasterResult {
    let count = |key: &str| header.get_i64(key).unwrap_or(0).max(0) as u64;
    let noise = header.get_f64("PSNSCAT").zip(header.get_f64("PSNMODEL"));
    MasterResult {
        kind,
        path: path.to_owned(),
        key: key_of(header),
        reused: false,
        from_library: false,
        how: ["PSCOMB", "PSREJ"].map(|key| header.get_text(key)),
        additive: header.get_text("PSADD"),
        rejected: Rejected { low: count("PSREJLO"), high: count("PSREJHI") },
        hot: count("PSHOT") as usize,
        cold: count("PSCOLD") as usize,
        no_data: count("PSNODATA") as usize,
        stats,
        noise: noise.map(|(scatter_adu, model_adu)| NoiseCheck { scatter_adu, model_adu }),
        colours: flat_colours(header),
        flat_noise: header.get_f64("PSFNOISE"),
        apart: header.get_text("PSAPART"),
        drift: header.get_text("PSDRIFT"),
        stars: count("PSFSTARS") as usize,
        damaged: false,
        left_out: Vec::new(),
        parted: Vec::new(),
        inputs,
    }
}
