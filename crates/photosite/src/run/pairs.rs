//! Gain and read noise of cameras whose headers are silent, by a few pairs of the night's biases and flats, else by
//! masters of the library.

use photosite_file::Access;
use photosite_file::scratch::Scratch;
use photosite_pix::FrameKind;
use photosite_pix::unit::NoiseModel;

use super::frames::raw_frame;
use super::sensor::{Looks, see_set};
use crate::error::Reach;
use crate::finding::{Severity, first_and_more};
use crate::inventory::{Frame, Inventory};
use crate::library::{Field, Shelf, Traits, camera_key, frame_traits};
use crate::raw::{Handling, RawFrame};
use crate::sensor::{Campaign, Grid, is_of_photons, noise_of_pairs, read_noise_adu};
use crate::work::Context;
use crate::{Finding, Result, env};

/// Frames of a kind that are looked at: two pairs.
const LOOKED_AT: usize = 4;

/// Frames of a kind that are compared first, so that none of the pairs is of a frame unlike the others.
const COMPARED: usize = 8;

/// Gains, or read noises, of two pairs that differ by more than this factor contradict each other; chance makes a
/// few hundredths.
const CONTRADICT: f64 = 1.5;

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

pub(super) fn alike(a: &Traits, b: &Traits) -> bool {
    let camera = |t: &Traits| t.camera.as_deref().map(camera_key);
    camera(a) == camera(b)
        && a.camera_id == b.camera_id
        && DECIDE.iter().all(|f| a.show(*f) == b.show(*f))
}

/// Gives frames whose headers lack gain or read noise those that pairs of biases and flats of their set-up show, else
/// those of masters in the library, and tells so; where there are neither, tells what is missing.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn noise_by_pairs(
    inventory: &mut Inventory,
    shelf: Option<&Shelf<'_>>,
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
        let found = match measured(&members, context) {
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Ok(Some(found)) => Some(found),
            // A read noise of 0 is named, and is that of frames without noise.
            Ok(None) | Err(_) if inventory.frames[i].header.get_f64("RDNOISE").is_some() => {
                continue;
            }
            Ok(None) | Err(_) => shelf
                .and_then(|shelf| shelf.noise(&traits[i]))
                .map(|(noise, name)| (noise, By::Master(name.to_owned()))),
        };
        let Some((noise, by)) = found else {
            findings.push(unknown(subject));
            continue;
        };
        let named = inventory.frames[i].metadata.gain_e_per_adu.map(|g| g.e_per_adu());
        let kept = by.in_header();
        of_set_up.iter().for_each(|j| inventory.frames[*j].set_noise(noise, &kept));
        findings.extend(named.and_then(|named| contradicts(&subject, named, (noise, &by))));
        findings.push(told(subject, noise, &by));
    }
    Ok(findings)
}

/// Gives silent frames that came later, from the place `first` on, the noise of frames of their set-up.
pub(super) fn noise_of_others(inventory: &mut Inventory, first: usize) {
    for i in first..inventory.frames.len() {
        let traits = frame_traits(&inventory.frames[i]);
        let alike = |f: &&Frame| f.kind == FrameKind::Light && alike(&traits, &frame_traits(f));
        let light = inventory.frames[..first].iter().find(alike).map(|f| &f.metadata);
        let noise = light
            .and_then(|m| NoiseModel::new(m.gain_e_per_adu?.e_per_adu(), m.read_noise_e?))
            .filter(|_| silent(&inventory.frames[i]));
        if let Some(noise) = noise {
            inventory.frames[i].set_noise(noise, "as for the lights");
        }
    }
}

/// What told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum By {
    /// Pairs of biases and flats.
    BiasesAndFlats,
    /// Pairs of biases alone; the gain is the headers'.
    Biases,
    /// A master of the library, by its name.
    Master(String),
}

impl By {
    fn in_header(&self) -> String {
        match self {
            Self::BiasesAndFlats => "by pairs of biases and flats".to_owned(),
            Self::Biases => "by pairs of biases, the gain by the header".to_owned(),
            Self::Master(_) => "by a master of the library".to_owned(),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::BiasesAndFlats => "pairs of biases and flats show".to_owned(),
            Self::Biases => "pairs of biases show".to_owned(),
            Self::Master(name) => format!("{name} of the library holds"),
        }
    }
}

/// A gain of headers that pairs contradict by more than this share is told; data sheets are as good as that.
const UNLIKE: f64 = 0.1;

fn contradicts(subject: &str, named: f64, (noise, by): (NoiseModel, &By)) -> Option<Finding> {
    let gain = noise.gain_e_per_adu.e_per_adu();
    if (gain / named - 1.0).abs() <= UNLIKE {
        return None;
    }
    let message = format!(
        "the headers give a gain of {named} e-/ADU, {} {gain} e-/ADU, which is used: the \
         header is of another setting, or a program took a level off the flats that the biases still hold",
        by.show()
    );
    Some(
        Finding::new("gain-contradicted", Severity::Warning, subject, message)
            .hint("Look at the flats' level against the biases', or give --gain.")
            .with("named_e_per_adu", named)
            .with("gain_e_per_adu", gain),
    )
}

fn told(subject: String, noise: NoiseModel, by: &By) -> Finding {
    let (gain, read_noise, show) =
        (noise.gain_e_per_adu.e_per_adu(), noise.read_noise_e, by.show());
    let (code, message) = match by {
        By::Biases => (
            "noise-by-pairs",
            format!(
                "the headers give no read noise; {show} {read_noise} e- at their gain of {gain} e-/ADU"
            ),
        ),
        By::BiasesAndFlats | By::Master(_) => (
            if *by == By::BiasesAndFlats { "noise-by-pairs" } else { "noise-by-master" },
            format!(
                "the headers do not give both gain and read noise; {show} {gain} e-/ADU and {read_noise} e-"
            ),
        ),
    };
    Finding::new(code, Severity::Info, subject, message)
        .hint("photosite sensor measures them better; --gain and --read-noise overrule them.")
        .with("gain_e_per_adu", gain)
        .with("read_noise_e", read_noise)
}

fn unknown(subject: String) -> Finding {
    let message = "gain or read noise is not known, so calibrated lights have no ERR: the headers do not name \
                   them, pairs of biases and flats of this set-up are missing, contradict each other, or hold more than \
                   the noise of photons (stars, moving bands, samples that were smoothed), and no master of the \
                   library holds them";
    Finding::new("noise-not-known", Severity::Info, subject, message)
        .hint("Add biases and flats of the same gain, or give --gain and --read-noise.")
}

/// What pairs among frames of one set-up show; `None` where they do not suffice.
fn measured(members: &[&Frame], context: &Context<'_>) -> Result<Option<(NoiseModel, By)>> {
    let of = |wanted: &dyn Fn(&Frame) -> bool| -> Vec<&Frame> {
        let frames = members.iter().copied().filter(|f| wanted(f));
        // Headers that came from elsewhere are no raw frames of this camera.
        frames.take(COMPARED).collect()
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
        let campaign = campaign.filter(|c| agree(c) && is_of_photons(c));
        if let Some(noise) = campaign.as_ref().and_then(of_pairs) {
            return Ok(Some((noise, By::BiasesAndFlats)));
        }
    }
    let gain = members.iter().find_map(|f| f.metadata.gain_e_per_adu).map(|g| g.e_per_adu());
    let Some(gain) = gain.filter(|_| biases.len() >= 2) else { return Ok(None) };
    let campaign = seen(&raws(&biases)?, &[], context)?.filter(agree);
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
    // How differences are spread, and what neighbours share, is asked of flats.
    campaign.with_pixels = true;
    let mut findings = Vec::new();
    let sets = [(FrameKind::Bias, biases), (FrameKind::Flat, flats)];
    for (kind, members) in sets.into_iter().filter(|(_, members)| !members.is_empty()) {
        let looks = Looks::Alike(LOOKED_AT);
        see_set(&mut campaign, kind, (members, looks), handling, &mut findings, context)?;
    }
    Ok(Some(campaign))
}

/// Whether the pairs of biases, and those of flats, show one noise.
fn agree(campaign: &Campaign) -> bool {
    let one = |factors: Vec<f64>| {
        let low = factors.iter().copied().fold(f64::INFINITY, f64::min);
        factors.iter().all(|f| *f <= CONTRADICT * low)
    };
    let of_each = |kind: FrameKind, tells: fn(&Campaign) -> Option<f64>| {
        let pairs = campaign.of(kind).map(|set| set.pairs.len()).max().unwrap_or(0);
        let alone = |pair: usize| {
            let mut of_pair = campaign.clone();
            for set in of_pair.sets.iter_mut().filter(|set| set.kind == kind) {
                set.pairs = set.pairs.get(pair).cloned().into_iter().collect();
                set.contrasts.clear();
            }
            tells(&of_pair)
        };
        (0..pairs).filter_map(alone).collect()
    };
    one(of_each(FrameKind::Bias, |c| read_noise_adu(c).map(|r| r.value)))
        && one(of_each(FrameKind::Flat, |c| noise_of_pairs(c).map(|(gain, _)| gain.value)))
}

fn of_pairs(campaign: &Campaign) -> Option<NoiseModel> {
    let (gain, read_noise_e) = noise_of_pairs(campaign)?;
    let known = gain.half_width() <= MOST_ERROR * gain.value;
    NoiseModel::new(rounded(gain.value), rounded(read_noise_e)).filter(|_| known)
}
