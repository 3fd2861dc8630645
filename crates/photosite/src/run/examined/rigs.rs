//! Two cameras of one model under one name: their darks have hot pixels of their own, and the lights show whose they
//! are.

use std::collections::{BTreeMap, BTreeSet};

use photosite_pix::{Card, FrameKind, Plane, Size, stat};

use super::{Setup, is_decoded, open_in_adu, some};
use crate::evidence::{LOOKED_AT, stands_out};
use crate::finding::Severity;
use crate::inventory::Frame;
use crate::work::{Context, on_each};
use crate::{Finding, Result};

/// Rows about the middle that are looked at: at least so many, and a share of all.
const LEAST_ROWS: usize = 256;
const SHARE_OF_ROWS: usize = 8;

/// A hot pixel stands so many sigmas out of those beside it; so many of the hottest are asked, and so few tell nothing.
const HOT_SIGMAS: f32 = 10.0;
const HOTTEST: usize = 200;
const FEWEST: usize = 20;

/// What a pixel shows of its strength in a frame of its own camera at least, and in one of another at most: shares of
/// pixels of two darks, and the middle strength in a light.
const OWN: f64 = 0.6;
const OTHER: f64 = 0.2;

/// A pixel is there in another dark from this share of its strength on: exposures differ.
const THERE: f32 = 0.1;

/// Fewest darks that are of a camera of their own.
const FEWEST_DARKS: usize = 2;

/// The middle rows of a frame.
fn band_of(frame: &Frame) -> Result<Plane<f32>> {
    let source = open_in_adu(frame)?;
    let Size { width, height } = source.size();
    let count = LEAST_ROWS.max(height / SHARE_OF_ROWS).min(height);
    let first = (height - count) / 2;
    let mut plane = Plane::filled(Size::new(width, count), 0.0);
    source.read_rows(0, first..first + count, &mut Vec::new(), plane.as_mut_slice())?;
    Ok(plane)
}

/// The hot pixels of a camera, and how far each stands out.
type Hot = Vec<(usize, usize, f32)>;

fn hot_of(dark: &Plane<f32>) -> Hot {
    let (level, mad) = stat::median_mad(dark.as_slice());
    let reach = HOT_SIGMAS * (stat::MAD_TO_SIGMA as f32 * mad).max(0.5);
    let mut hot: Hot = Vec::new();
    for y in 0..dark.height() {
        let above = dark.row(y).iter().enumerate().filter(|(_, v)| **v > level + reach);
        hot.extend(above.filter_map(|(x, _)| {
            let excess = stands_out(dark.row(y), x);
            (excess > reach).then_some((x, y, excess))
        }));
    }
    hot.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.1, a.0).cmp(&(b.1, b.0))));
    hot.truncate(HOTTEST);
    hot
}

/// The share of hot pixels that are there in another dark, as it lies or upside down.
fn shared(hot: &Hot, other: &Plane<f32>, upside_down: bool) -> f64 {
    let row = |y: usize| if upside_down { other.height() - 1 - y } else { y };
    let there =
        |(x, y, excess): &&(usize, usize, f32)| stands_out(other.row(row(*y)), *x) > THERE * excess;
    hot.iter().filter(there).count() as f64 / hot.len().max(1) as f64
}

/// How strong the hot pixels of a dark stand in a light, in the middle.
fn strength(hot: &Hot, light: &Plane<f32>) -> f64 {
    let shown = hot.iter().map(|(x, y, excess)| stands_out(light.row(*y), *x) / excess);
    f64::from(stat::median(&shown.collect::<Vec<f32>>()))
}

/// One camera: its first dark, the hot pixels of that, and for how long it was exposed.
struct Camera {
    dark: Plane<f32>,
    hot: Hot,
    exposure_s: Option<f64>,
}

impl Camera {
    /// The share of hot pixels that a dark has in common with this camera's: of a shorter or colder dark in a longer or
    /// warmer one all are there, the other way few.
    fn shares(&self, dark: &Plane<f32>, hot: &Hot, upside_down: bool) -> f64 {
        shared(&self.hot, dark, upside_down).max(shared(hot, &self.dark, upside_down))
    }
}

/// The cameras that some darks are of; `None` where they are of one, or it is not clear.
fn cameras(darks: &[(usize, Plane<f32>)], frames: &[Frame]) -> Option<Vec<Camera>> {
    let mut found: Vec<Camera> = Vec::new();
    for (i, band) in darks {
        let hot = hot_of(band);
        if hot.len() < FEWEST {
            return None;
        }
        let mut own = false;
        for camera in &found {
            // Darks that lie upside down beside others are of one camera.
            let upright = camera.shares(band, &hot, false);
            if upright < OWN && camera.shares(band, &hot, true) > OTHER {
                return None;
            }
            match upright {
                share if share >= OWN => own = true,
                share if share > OTHER => return None,
                _ => {}
            }
        }
        if !own {
            found.push(Camera {
                dark: band.clone(),
                hot,
                exposure_s: frames[*i].metadata.exposure_s,
            });
        }
    }
    (found.len() > 1).then_some(found)
}

/// The camera whose hot pixels a frame shows, and those of no other.
fn camera_of(frame: &Frame, band: &Plane<f32>, cameras: &[Camera]) -> Option<usize> {
    let hot = if frame.kind == FrameKind::Light { Hot::new() } else { hot_of(band) };
    let seen = |camera: &Camera| match frame.kind {
        FrameKind::Light => {
            let times = frame.metadata.exposure_s.zip(camera.exposure_s);
            let times =
                times.map(|(light, dark)| light / dark).filter(|t| t.is_finite() && *t > 0.0);
            strength(&camera.hot, band) / times.unwrap_or(1.0)
        }
        _ => camera.shares(band, &hot, false),
    };
    let seen: Vec<f64> = cameras.iter().map(seen).collect();
    let own: Vec<usize> = (0..seen.len()).filter(|i| seen[*i] >= OWN).collect();
    let clear = seen.iter().filter(|s| **s > OTHER).count() == 1;
    own.first().copied().filter(|_| clear)
}

/// Something by which a person tells cameras apart.
type Label = (&'static str, Box<dyn Fn(&Frame) -> Option<String>>);

/// The labels that may tell: the telescope, a folder, the beginning of the name.
fn labels(frames: &[&Frame]) -> Vec<Label> {
    let deepest = frames.iter().map(|f| f.path.components().count()).max().unwrap_or(0);
    let mut all: Vec<Label> = vec![("TELESCOP", Box::new(|f| f.metadata.telescope.clone()))];
    for depth in 0..deepest.saturating_sub(1) {
        let folder = move |f: &Frame| {
            let folder = f.path.parent()?.components().nth(depth)?;
            Some(folder.as_os_str().to_string_lossy().into_owned())
        };
        all.push(("their folder", Box::new(folder)));
    }
    let beginning = |f: &Frame| {
        let name = f.path.file_name()?.to_string_lossy().into_owned();
        let word = name.split(['_', '-', ' ', '.']).next()?.to_owned();
        Some(word)
    };
    all.push(("the beginning of their names", Box::new(beginning)));
    all
}

/// Tells frames of several cameras of one name and model apart, where darks and lights do: each gets a name of its
/// camera, by which frames of others no longer match it.
///
/// # Errors
/// When the work is cancelled.
pub(super) fn told_apart(
    frames: &mut [Frame],
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<()> {
    let mut setups: BTreeMap<Setup, Vec<usize>> = BTreeMap::new();
    for (i, frame) in frames.iter().enumerate() {
        if frame.metadata.camera_id.is_none() && !is_decoded(frame) {
            let setup = Setup { bits: None, ..Setup::of(frame) };
            setups.entry(setup).or_default().push(i);
        }
    }
    for members in setups.into_values() {
        let of = |kind: FrameKind| -> Vec<usize> {
            let mut of: Vec<usize> =
                members.iter().copied().filter(|i| frames[*i].kind == kind).collect();
            of.sort_by_key(|i| &frames[*i].path);
            of
        };
        let (darks, lights) = (of(FrameKind::Dark), of(FrameKind::Light));
        if darks.len() < 2 * FEWEST_DARKS || lights.is_empty() {
            continue;
        }
        let seen: &[Frame] = frames;
        let some_darks: Vec<usize> = (0..LOOKED_AT.min(darks.len()))
            .map(|k| darks[k * darks.len() / LOOKED_AT.min(darks.len())])
            .collect();
        let bands = on_each(some_darks.len(), context, |k| band_of(&seen[some_darks[k]]))?;
        // What cannot be read is found out later.
        let bands: Vec<(usize, Plane<f32>)> =
            some_darks.into_iter().zip(bands).filter_map(|(i, b)| Some((i, b.ok()?))).collect();
        let Some(cameras) = cameras(&bands, frames) else { continue };
        let all: Vec<usize> = darks.iter().chain(&lights).copied().collect();
        let told = on_each(all.len(), context, |k| {
            let frame = &seen[all[k]];
            Ok::<_, crate::Error>(camera_of(frame, &band_of(frame)?, &cameras))
        })?;
        let own: BTreeMap<usize, usize> =
            all.iter().zip(told).filter_map(|(i, told)| Some((*i, told.ok().flatten()?))).collect();
        let of_camera = |kind: FrameKind, camera: usize| {
            own.iter().filter(|(i, c)| frames[**i].kind == kind && **c == camera).count()
        };
        let darks_of = |camera| of_camera(FrameKind::Dark, camera);
        let any_light = (0..cameras.len()).any(|camera| of_camera(FrameKind::Light, camera) > 0);
        if !any_light || (0..cameras.len()).any(|camera| darks_of(camera) < FEWEST_DARKS) {
            continue;
        }
        let named = named(&own, &members, frames);
        tell(&own, &named, cameras.len(), frames, findings);
        for (i, name) in named.names {
            frames[i].metadata.camera_id = Some(name.clone());
            frames[i].header.set(Card::string("CAMERAID", &name, "by hot pixels and labels"));
        }
    }
    Ok(())
}

/// What each frame's camera is called.
struct Named {
    names: BTreeMap<usize, String>,
    /// What tells the cameras apart beside their hot pixels.
    by: Option<&'static str>,
}

/// Names cameras by the label that tells them apart, for all frames that have it; else by where their darks and lights
/// lie, for those alone.
fn named(own: &BTreeMap<usize, usize>, members: &[usize], frames: &[Frame]) -> Named {
    let all: Vec<&Frame> = members.iter().map(|i| &frames[*i]).collect();
    for (by, label) in labels(&all) {
        let mut cameras: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        let known = own.iter().all(|(i, camera)| {
            let text = label(&frames[*i]);
            text.map(|text| cameras.entry(text).or_default().insert(*camera)).is_some()
        });
        let of_one = |of: &BTreeSet<usize>| of.len() == 1;
        let several: BTreeSet<usize> = cameras.values().flatten().copied().collect();
        if known
            && cameras.values().all(of_one)
            && several.len() > 1
            && cameras.len() == several.len()
        {
            let name = |i: &usize| {
                let text = label(&frames[*i])?;
                cameras.contains_key(&text).then_some((*i, text))
            };
            return Named { names: members.iter().filter_map(name).collect(), by: Some(by) };
        }
    }
    // Called by the first dark of each: a name that no other night has.
    let first = |camera: usize| {
        let first = own.iter().find(|(i, c)| **c == camera && frames[**i].kind == FrameKind::Dark);
        let date = first.and_then(|(i, _)| frames[*i].metadata.date_obs.clone());
        format!("camera {} {}", camera + 1, date.unwrap_or_default()).trim_end().to_owned()
    };
    let names = own.iter().map(|(i, camera)| (*i, first(*camera))).collect();
    Named { names, by: None }
}

fn tell(
    own: &BTreeMap<usize, usize>,
    named: &Named,
    cameras: usize,
    frames: &[Frame],
    findings: &mut Vec<Finding>,
) {
    let members: Vec<usize> = named.names.keys().copied().collect();
    let counts = (0..cameras).map(|camera| {
        let count = |kind: FrameKind| {
            own.iter().filter(|(i, c)| frames[**i].kind == kind && **c == camera).count()
        };
        let name = own
            .iter()
            .find(|(_, c)| **c == camera)
            .and_then(|(i, _)| named.names.get(i))
            .cloned()
            .unwrap_or_default();
        format!("{name} ({} darks, {} lights)", count(FrameKind::Dark), count(FrameKind::Light))
    });
    let counts: Vec<String> = counts.collect();
    let rest = match named.by {
        Some(by) => format!("biases and flats are told by {by}, as darks and lights are"),
        None => "no label tells biases and flats".to_owned(),
    };
    let message = format!(
        "these frames name one camera, and their hot pixels are those of {cameras}: {}; each gets the masters of its \
         own, {rest}",
        counts.join(" and ")
    );
    findings.push(
        Finding::new("cameras-told-apart", Severity::Warning, some(frames, &members), message)
            .hint("Give each camera a name of its own in the capture program.")
            .with("cameras", cameras),
    );
}
