//! Levels of darks: in the place of a bias that nobody took, and moved from one bias to another.

use std::path::Path;
use std::sync::Arc;

use photosite_file::fits::Sample;
use photosite_pix::{Card, Frame, FrameKind, Header, MaskBits, Plane, Unit, stat};
use serde_json::json;

use super::asked::MasterResult;
use super::found::{describe, outcome};
use crate::header::imagetyp;
use crate::product::Product;
use crate::product::loaded::{LoadedMaster, load_master, load_samples};
use crate::product::write::{Standing, room_for};
use crate::provenance::{Input, Provenance, master_name};
use crate::work::Context;
use crate::{Error, Result};

/// Makes a bias of one level at `path`, the median of the master dark at `dark`, or finds it made.
///
/// Its variance is what the dark's pixels scatter by: the pattern of the bias, which it does not know, is not
/// more.
///
/// # Errors
/// When the dark cannot be read, the product cannot be written, or a file that is not Photosite's stands in
/// its place.
pub fn level_of_dark(dark: &Path, path: &Path, context: &Context<'_>) -> Result<MasterResult> {
    let loaded = load_samples(dark)?;
    let inputs = vec![Input::new(master_name(FrameKind::Dark), dark, loaded.hash)];
    let provenance =
        Provenance::new(master_name(FrameKind::Bias), inputs, json!({ "of": "level" }));
    let reused = room_for(path, &provenance)? == Standing::Current;
    if !reused {
        const NOT: MaskBits = MaskBits::NO_DATA.union(MaskBits::SATURATED);
        let (data, mask) = (loaded.frame.data.as_slice(), loaded.frame.mask.as_slice());
        let known = data.iter().zip(mask).filter(|(_, m)| !m.intersects(NOT)).map(|(v, _)| *v);
        let (level_adu, mad) = stat::median_mad(&known.collect::<Vec<f32>>());
        let size = loaded.frame.size();
        let mut frame = Frame::new(Plane::filled(size, level_adu), Unit::Adu);
        let scatter_adu = stat::MAD_TO_SIGMA as f32 * mad;
        frame.variance = Some(Plane::filled(size, scatter_adu * scatter_adu));
        let mut header = Header::new();
        header.set_text("IMAGETYP", imagetyp(FrameKind::Bias), "kind of frame");
        header.set(Card::real("EXPTIME", 0.0, "[s] exposure"));
        header.set(Card::integer("NCOMBINE", 1, "frames combined"));
        header.set_text("PSCOMB", "level", "combination");
        Product {
            path,
            frames: &[&frame],
            header,
            sample: Sample::F32,
            maps: &[],
            provenance: &provenance,
            steps: vec![format!("the level of a dark, {level_adu:.2} ADU, for want of a bias")],
        }
        .write()?;
    }
    let (stats, header) = describe(path, None, context)?;
    let made = outcome(FrameKind::Bias, path, vec![dark.to_owned()], stats, &header);
    Ok(MasterResult { reused, ..made })
}

/// Makes a dark at `path` that is the one at `dark`, moved from the level of the biases that were taken with it to that of
/// the lights' own, or finds it made.
///
/// # Errors
/// When one of them cannot be read, they differ in size, the product cannot be written, or a file that is not
/// Photosite's stands in its place.
pub fn dark_at_level(
    dark: &Path,
    (of_dark, of_lights): (&Path, &Path),
    path: &Path,
    context: &Context<'_>,
) -> Result<MasterResult> {
    let loaded = load_master(dark)?;
    let [own, other] = [load_samples(of_dark)?, load_samples(of_lights)?];
    if own.frame.size() != other.frame.size() {
        return Err(Error::mismatch(format!(
            "{} is {} pixels, {} is {}",
            own.path.display(),
            own.frame.size(),
            other.path.display(),
            other.frame.size()
        )));
    }
    let bias = |m: &LoadedMaster| Input::new(master_name(FrameKind::Bias), &m.path, m.hash);
    let inputs =
        vec![Input::new(master_name(FrameKind::Dark), dark, loaded.hash), bias(&own), bias(&other)];
    let provenance =
        Provenance::new(master_name(FrameKind::Dark), inputs, json!({ "of": "moved level" }));
    let reused = room_for(path, &provenance)? == Standing::Current;
    if !reused {
        let moved_adu =
            stat::median_above_at_a_glance(other.frame.data.as_slice(), own.frame.data.as_slice());
        let mut frame = Arc::unwrap_or_clone(loaded.frame);
        frame.data.as_mut_slice().iter_mut().for_each(|v| *v += moved_adu);
        Product {
            path,
            frames: &[&frame],
            header: loaded.header,
            sample: Sample::F32,
            maps: &[],
            provenance: &provenance,
            steps: vec![format!(
                "moved by {moved_adu:+.2} ADU, from the level of the biases that were taken with it to that of the \
                 lights' own"
            )],
        }
        .write()?;
    }
    let (stats, header) = describe(path, None, context)?;
    let made = outcome(FrameKind::Dark, path, vec![dark.to_owned()], stats, &header);
    Ok(MasterResult { reused, from_library: true, ..made })
}
