//! Gain and read noise of cameras whose headers are silent, by a few pairs of the night's biases and flats.

use photosite_file::Access;
use photosite_file::scratch::Scratch;
use photosite_pix::FrameKind;
use photosite_pix::unit::NoiseModel;

use super::frames::raw_frame;
use super::sensor::see_set;
use crate::error::Reach;
use crate::finding::{Severity, first_and_more};
use crate::inventory::{Frame, Inventory};
use crate::library::{Field, Traits, camera_key, frame_traits};
use crate::raw::{Handling, RawFrame};
use crate::sensor::{Campaign, Grid, noise_of_pairs, read_noise_adu};
use crate::work::Context;
use crate::{Finding, Result, env};

/// Frames of a kind that are looked at: two pairs.
const LOOKED_AT: usize = 4;

/// Darks and dark flats up to this exposure in seconds serve as biases where there are none: what dark current
/// adds to their noise is little.
const AS_GOOD_AS_BIAS_S: f64 = 3.0;

/// A gain with a larger relative error is not taken; the variance of lights would be as far off.
const MOST_ERROR: f64 = 0.05;

/// Filters whose flats are tried.
const FILTERS: usize = 3;

/// Settings that decide gain and read noise; of two frames that do not name the same, none is known.
const DECIDE: [Field; 5] =
    [Field::Size, Field::Binning, Field::GainSetting, Field::ReadoutMode, Field::Cfa];

fn silent(frame: &Frame) -> bool {
    frame.metadata.gain_e_per_adu.is_none() || frame.metadata.read_noise_e.is_none()
}

fn alike(a: &Traits, b: &Traits) -> bool {
    let camera = |t: &Traits| t.camera.as_deref().map(camera_key);
    camera(a) == camera(b)
        && a.camera_id == b.camera_id
        && DECIDE.iter().all(|f| a.show(*f) == b.show(*f))
}

/// Gives frames whose headers lack gain or read noise those that pairs of biases and flats of their set-up show,
/// and tells so; where there are too few frames, tells what is missing.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn noise_by_pairs(
    inventory: &mut Inventory,
    context: &Context<'_>,
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let traits: Vec<Traits> = inventory.frames.iter().map(frame_traits).collect();
    let mut done = vec![false; traits.len()];
    for i in 0..traits.len() {
        let frame = &inventory.frames[i];
        if done[i] || frame.kind != FrameKind::Light || !silent(frame) {
            continue;
        }
        let of_set_up: Vec<usize> = (0..traits.len())
            .filter(|j| silent(&inventory.frames[*j]) && alike(&traits[i], &traits[*j]))
            .collect();
        of_set_up.iter().for_each(|j| done[*j] = true);
        let members: Vec<&Frame> = of_set_up.iter().map(|j| &inventory.frames[*j]).collect();
        let lights: Vec<String> = members
            .iter()
            .filter(|f| f.kind == FrameKind::Light)
            .map(|f| f.path.display().to_string())
            .collect();
        let subject = first_and_more(&lights[0], lights.len());
        let finding = match measured(&members, context) {
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Ok(Some((noise, by))) => {
                let named = inventory.frames[i].metadata.gain_e_per_adu.map(|g| g.e_per_adu());
                of_set_up.iter().for_each(|j| inventory.frames[*j].set_noise(noise, by.name()));
                findings.extend(named.and_then(|named| contradicts(&subject, named, noise)));
                told(subject, noise, by)
            }
            // A read noise of 0 is named, and is that of frames without noise.
            Ok(None) | Err(_) if inventory.frames[i].header.get_f64("RDNOISE").is_some() => {
                continue;
            }
            Ok(None) | Err(_) => unknown(subject),
        };
        findings.push(finding);
    }
    Ok(findings)
}

/// The pairs that told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// Biases and flats.
    BiasesAndFlats,
    /// Biases alone; the gain is the headers'.
    Biases,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::BiasesAndFlats => "by pairs of biases and flats",
            Self::Biases => "by pairs of biases, the gain by the header",
        }
    }
}

/// A gain of headers that pairs contradict by more than this share is told; data sheets are as good as that.
const UNLIKE: f64 = 0.1;

fn contradicts(subject: &str, named: f64, noise: NoiseModel) -> Option<Finding> {
    let gain = noise.gain_e_per_adu.e_per_adu();
    if (gain / named - 1.0).abs() <= UNLIKE {
        return None;
    }
    let message = format!(
        "the headers give a gain of {named} e-/ADU, pairs of flats and biases show {gain} e-/ADU, which is used: the \
         header is of another setting, or a program took a level off the flats that the biases still hold"
    );
    Some(
        Finding::new("gain-contradicted", Severity::Warning, subject, message)
            .hint("Look at the flats' level against the biases', or give --gain.")
            .with("named_e_per_adu", named)
            .with("gain_e_per_adu", gain),
    )
}

fn told(subject: String, noise: NoiseModel, by: By) -> Finding {
    let (gain, read_noise) = (noise.gain_e_per_adu.e_per_adu(), noise.read_noise_e);
    let message = match by {
        By::BiasesAndFlats => format!(
            "the headers do not give both gain and read noise; pairs of biases and flats show {gain} e-/ADU and \
             {read_noise} e-"
        ),
        By::Biases => format!(
            "the headers give no read noise; pairs of biases show {read_noise} e- at their gain of {gain} e-/ADU"
        ),
    };
    Finding::new("noise-by-pairs", Severity::Info, subject, message)
        .hint("photosite sensor measures them better; --gain and --read-noise overrule them.")
        .with("gain_e_per_adu", gain)
        .with("read_noise_e", read_noise)
}

fn unknown(subject: String) -> Finding {
    let message = "gain or read noise is not known, so calibrated lights have no ERR: the headers do not name \
                   them, and there are no two biases and two flats of this set-up that tell them";
    Finding::new("noise-not-known", Severity::Info, subject, message)
        .hint("Add biases and flats of the same gain, or give --gain and --read-noise.")
}

/// What pairs among frames of one set-up show; `None` where they do not suffice.
fn measured(members: &[&Frame], context: &Context<'_>) -> Result<Option<(NoiseModel, By)>> {
    let of = |wanted: &dyn Fn(&Frame) -> bool| -> Vec<&Frame> {
        let frames = members.iter().copied().filter(|f| wanted(f));
        // Headers that came from elsewhere are no raw frames of this camera.
        frames.take(LOOKED_AT).collect()
    };
    let short = |f: &Frame| {
        matches!(f.kind, FrameKind::Dark | FrameKind::DarkFlat)
            && f.metadata.exposure_s.is_some_and(|s| s <= AS_GOOD_AS_BIAS_S)
    };
    let mut biases = of(&|f| f.kind == FrameKind::Bias);
    if biases.len() < 2 {
        biases = of(&short);
    }
    let mut filters: Vec<Option<&str>> = Vec::new();
    for flat in members.iter().filter(|f| f.kind == FrameKind::Flat) {
        let filter = flat.metadata.filter.as_deref();
        if !filters.contains(&filter) {
            filters.push(filter);
        }
    }
    for filter in filters.into_iter().take(FILTERS) {
        let of_filter =
            |f: &Frame| f.kind == FrameKind::Flat && f.metadata.filter.as_deref() == filter;
        let flats = of(&of_filter);
        if biases.len() < 2 || flats.len() < 2 {
            continue;
        }
        let campaign = seen(&raws(&biases)?, &raws(&flats)?, context)?;
        if let Some(noise) = campaign.as_ref().and_then(of_pairs) {
            return Ok(Some((noise, By::BiasesAndFlats)));
        }
    }
    let gain = members.iter().find_map(|f| f.metadata.gain_e_per_adu).map(|g| g.e_per_adu());
    let Some(gain) = gain.filter(|_| biases.len() >= 2) else { return Ok(None) };
    let campaign = seen(&raws(&biases)?, &[], context)?;
    let read_adu = campaign.as_ref().and_then(read_noise_adu).filter(|r| r.value > 0.0);
    let noise = read_adu.and_then(|read| NoiseModel::new(gain, rounded(read.value * gain)));
    Ok(noise.map(|noise| (noise, By::Biases)))
}

fn raws(frames: &[&Frame]) -> Result<Vec<RawFrame>> {
    frames.iter().map(|f| raw_frame(f)).collect()
}

/// Headers hold what is known, and not more digits.
fn rounded(v: f64) -> f64 {
    (v * 1e3).round() / 1e3
}

/// Biases and flats, looked at; `None` where they are too small.
fn seen(
    biases: &[RawFrame],
    flats: &[RawFrame],
    context: &Context<'_>,
) -> Result<Option<Campaign>> {
    let region = biases[0].region();
    let cfa = biases[0].metadata.cfa.map(|c| c.shifted(region.x0, region.y0));
    let grid = Grid::new(region.size(), cfa);
    if grid.blocks() < 4 {
        return Ok(None);
    }
    let packed = biases.iter().chain(flats).any(|f| f.access == Access::Whole);
    let scratch = packed.then(|| Scratch::create_in(&env::temporary_folder())).transpose()?;
    let handling = Handling::Stack { scratch: scratch.as_ref(), keep_open: true };
    let mut campaign = Campaign::new(grid, (None, None));
    let mut findings = Vec::new();
    let sets = [(FrameKind::Bias, biases), (FrameKind::Flat, flats)];
    for (kind, members) in sets.into_iter().filter(|(_, members)| !members.is_empty()) {
        see_set(&mut campaign, kind, (members, false), handling, &mut findings, context)?;
    }
    Ok(Some(campaign))
}

fn of_pairs(campaign: &Campaign) -> Option<NoiseModel> {
    let (gain, read_noise_e) = noise_of_pairs(campaign)?;
    let known = gain.half_width() <= MOST_ERROR * gain.value;
    NoiseModel::new(rounded(gain.value), rounded(read_noise_e)).filter(|_| known)
}
