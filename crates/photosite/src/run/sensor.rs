//! A sensor measured from frames that were named: the order in which they are read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use photosite_file::Access;
use photosite_file::scratch::Scratch;
use photosite_pix::spectrum::Spectrum;
use photosite_pix::stat::median;
use photosite_pix::{FrameKind, Plane, Rect, Size};

use super::afterglow::see_darks_after;
use super::examined::turn_among;
use super::frames::{raw_frames, take_inventory};
use super::hot::hot_pixels;
use crate::error::Reach;
use crate::event::{Event, Stage};
use crate::finding::{Severity, first_and_more};
use crate::inventory::{Frame, Inventory, KindOverrides};
use crate::library::{Field, Traits, contradictions, frame_traits};
use crate::product::{Beside, compare_frames};
use crate::raw::{Handling, RawFrame};
use crate::sensor::{
    Asked, CHANCE, Campaign, FEW_FRAMES, FrameSet, Grid, MOST_TONES, SAME_TEMP_C, SensorFrame,
    SensorReport, StripSeen, gather_set, measure, see_strip, spectrum_region,
};
use crate::stack::{Additive, Prepared, ReadBuffers};
use crate::work::{Context, for_each, on_each};
use crate::{Error, Finding, Result, env};

/// Darks up to this exposure in seconds serve as biases where there are none.
const AS_GOOD_AS_BIAS_S: f64 = 0.1;
/// Flats whose levels differ by more than this share are no pair.
const PAIR_APART: f64 = 0.05;
/// Pairs of biases whose spectra are added up.
const SPECTRA: usize = 8;
/// Every so many rows of blocks are counted number by number.
const COUNTED: usize = 4;
/// Frames of a set that are added up with alternating signs.
const ALTERNATING: usize = 16;
/// Maps that are held in memory at a time.
const MAPS: u64 = 9;

/// What is to be measured.
#[derive(Debug, Clone, Default)]
pub struct SensorRequest {
    /// Biases, darks and flats: files, and folders of them.
    pub paths: Vec<PathBuf>,
    /// A folder that results are written to: frames below it are none, packed frames are unpacked there.
    pub output: Option<PathBuf>,
    /// Kinds given by hand.
    pub overrides: KindOverrides,
    /// The sky in electrons a second a pixel, for advice.
    pub sky_e_s: Option<f64>,
}

/// Measures a sensor from whatever frames there are.
///
/// Frames are sorted by kind as a night's are; those of another set-up than most, lights, and darks and
/// flats without an exposure are left out and named.
///
/// # Errors
/// When a path does not exist, no bias, dark or flat is among the frames, or the work is cancelled.
pub fn measure_sensor(request: &SensorRequest, context: &Context<'_>) -> Result<SensorReport> {
    let output = request.output.as_deref();
    let mut inventory = take_inventory(&request.paths, output, &request.overrides, context)?;
    let mut findings = std::mem::take(&mut inventory.findings);
    let (traits, lights) = one_set_up(&mut inventory, &mut findings)?;
    turn_among(&mut inventory.frames, &mut findings, context)?;
    let raws = raw_frames(&inventory, &mut findings, context)?;
    let kinds = inventory.frames.iter().map(|f| f.kind);
    let frames: Vec<(FrameKind, RawFrame)> =
        kinds.zip(raws).filter_map(|(kind, raw)| Some((kind, raw?))).collect();
    let Some((_, first)) = frames.first() else {
        return Err(Error::mismatch("none of the frames can be read"));
    };
    let (region, grid) = (first.region(), grid_of(first));
    if grid.blocks() < 4 {
        let message =
            format!("frames of {} pixels are too small to measure a sensor", region.size());
        return Err(Error::mismatch(message));
    }
    let header = |of: fn(&RawFrame) -> Option<f64>| frames.iter().find_map(|(_, f)| of(f));
    let header_noise = (
        header(|f| f.metadata.gain_e_per_adu.map(|g| g.e_per_adu())),
        header(|f| f.metadata.read_noise_e),
    );
    let mut campaign = Campaign::new(grid, header_noise);
    let packed = frames.iter().any(|(_, f)| f.access == Access::Whole);
    let folder = output.filter(|p| p.is_dir()).unwrap_or(Path::new("."));
    let scratch = if packed { Some(Scratch::create_in(folder)?) } else { None };
    let keep_open = frames.len() <= env::open_file_limit();
    let sets = sets_of(frames);
    let map_bytes = MAPS * (region.size().pixels() * size_of::<f32>()) as u64;
    campaign.with_pixels = true;
    campaign.with_maps = output.is_some() && map_bytes <= context.memory_bytes / 2;
    if output.is_some() && !campaign.with_maps {
        let message = "maps of single pixels take more than half of the memory that is allowed; there are none";
        let subject = traits.camera.clone().unwrap_or_default();
        findings.push(
            Finding::new("sensor-no-maps", Severity::Info, subject, message)
                .hint("Allow more with --memory.")
                .with("bytes", map_bytes),
        );
    }
    let handling = Handling::Stack { scratch: scratch.as_ref(), keep_open };
    campaign.hot = hot_pixels(&campaign.grid, &sets, handling, context)?;
    let total = sets.iter().map(|s| s.1.len() as u64).sum();
    context.observer.event(Event::Started { stage: Stage::Sensor, total });
    for (kind, members) in &sets {
        let count = members.len() as u64;
        // Flats of a campaign differ in level and exposure by intent.
        let looks = if *kind == FrameKind::Flat { Looks::All } else { Looks::Alike(usize::MAX) };
        see_set(&mut campaign, *kind, (members, looks), handling, &mut findings, context)?;
        context.observer.event(Event::Advanced { by: count, what: "frames" });
    }
    let exposures_s = lights.iter().filter_map(|l| l.metadata.exposure_s).filter(|t| *t > 0.0);
    campaign.shortest_light_s = exposures_s.min_by(f64::total_cmp);
    campaign.afterglow = see_darks_after(&campaign, (&sets, &lights), handling, context)?;
    context.observer.event(Event::Finished);
    let set_up = named_set_up(&traits);
    let mut report = measure(&campaign, (traits.camera.clone(), set_up), request.sky_e_s);
    findings.append(&mut report.findings);
    report.findings = findings;
    Ok(report)
}

/// The blocks of frames like this one.
pub(super) fn grid_of(frame: &RawFrame) -> Grid {
    let region = frame.region();
    let cfa = frame.metadata.cfa.map(|c| c.shifted(region.x0, region.y0));
    let amplifiers = frame.detector.amplifiers.iter().map(|a| a.region.common(region));
    let amplifiers = amplifiers.map(|r| r.within(region)).filter(|r| !r.is_empty()).collect();
    Grid::with_amplifiers(region.size(), cfa, amplifiers)
}

/// The settings as headers name them.
fn named_set_up(traits: &Traits) -> BTreeMap<String, String> {
    const FIELDS: [Field; 7] = [
        Field::Size,
        Field::Binning,
        Field::Region,
        Field::GainSetting,
        Field::OffsetSetting,
        Field::ReadoutMode,
        Field::Cfa,
    ];
    let mut out: BTreeMap<String, String> =
        FIELDS.iter().filter_map(|f| Some((f.name().to_owned(), traits.show(*f)?))).collect();
    if let Some(id) = &traits.camera_id {
        out.insert("serial".to_owned(), id.clone());
    }
    out
}

fn left_out(names: &[String], why: &str) -> Finding {
    let subject = first_and_more(names.first().map_or("", String::as_str), names.len());
    Finding::new("sensor-left-out", Severity::Warning, subject, format!("{why}; left out"))
        .hint("Name the biases, darks and flats of one camera, gain, offset, binning and region.")
        .with("frames", names.len())
}

/// Keeps the calibration frames of the set-up that most of them are of, and tells of the others; gives the
/// lights of that set-up as well, which may be why a dark holds a trace.
fn one_set_up(
    inventory: &mut Inventory,
    findings: &mut Vec<Finding>,
) -> Result<(Traits, Vec<Frame>)> {
    let lights = inventory.frames.iter().filter(|f| f.kind == FrameKind::Light);
    let mut lights: Vec<Frame> = lights.cloned().collect();
    let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut leave = |frame: &Frame, why: String| {
        others.entry(why).or_default().push(frame.path.display().to_string());
    };
    inventory.frames.retain(|f| {
        let why = match f.kind {
            FrameKind::Light => Some("a light tells nothing of the sensor"),
            FrameKind::Bias => None,
            _ if f.metadata.exposure_s.is_none() => {
                Some("neither header nor name gives the exposure")
            }
            _ => None,
        };
        if let Some(why) = why {
            leave(f, why.to_owned());
        }
        why.is_none()
    });
    let all: Vec<Traits> = inventory.frames.iter().map(frame_traits).collect();
    let against = |a: &Traits, b: &Traits| {
        let mut checks = contradictions(FrameKind::Dark, a, b);
        // Flats are of the same sensor whatever the exposure.
        checks.retain(|c| !matches!(c.field, Field::Exposure | Field::Temperature | Field::Age));
        checks
    };
    // Sets of frames are few, frames are many: each set-up is asked once.
    let mut set_ups: Vec<(usize, usize)> = Vec::new();
    for (i, traits) in all.iter().enumerate() {
        match set_ups.iter_mut().find(|(first, _)| against(&all[*first], traits).is_empty()) {
            Some((_, count)) => *count += 1,
            None => set_ups.push((i, 1)),
        }
    }
    let Some(&(first, _)) = set_ups.iter().max_by_key(|(i, n)| (*n, std::cmp::Reverse(*i))) else {
        return Err(Error::mismatch(
            "there is no bias, dark or flat among these files; a sensor is measured from biases, pairs \
             of flats, and darks of two exposures",
        ));
    };
    let wanted = all[first].clone();
    let mut traits = all.into_iter();
    inventory.frames.retain(|f| {
        let own = traits.next().expect("one for each frame");
        let show = |v: &Option<String>| v.clone().unwrap_or_default();
        let differs: Vec<String> = against(&wanted, &own)
            .iter()
            .map(|c| format!("{} {}, most {}", c.field.name(), show(&c.found), show(&c.wanted)))
            .collect();
        if !differs.is_empty() {
            leave(f, format!("of another set-up ({})", differs.join("; ")));
        }
        differs.is_empty()
    });
    findings.extend(others.into_iter().map(|(why, names)| left_out(&names, &why)));
    lights.retain(|l| against(&wanted, &frame_traits(l)).is_empty());
    Ok((wanted, lights))
}

/// Frames of one kind, exposure and temperature, flats of one filter; each in the order of time.
pub(super) fn sets_of(mut frames: Vec<(FrameKind, RawFrame)>) -> Vec<(FrameKind, Vec<RawFrame>)> {
    for (kind, _) in &mut frames {
        if *kind == FrameKind::DarkFlat {
            *kind = FrameKind::Dark;
        }
    }
    if !frames.iter().any(|(k, _)| *k == FrameKind::Bias) {
        for (kind, frame) in &mut frames {
            if *kind == FrameKind::Dark && frame.exposure_s() <= AS_GOOD_AS_BIAS_S {
                *kind = FrameKind::Bias;
            }
        }
    }
    let filter = |f: &RawFrame| f.metadata.filter.clone();
    let dark = |k: FrameKind| k != FrameKind::Flat;
    frames.sort_by(|(k, a), (l, b)| {
        let temps = || {
            let of = |f: &RawFrame| f.temp_c().unwrap_or(f64::MAX);
            if dark(*k) { of(a).total_cmp(&of(b)) } else { filter(a).cmp(&filter(b)) }
        };
        k.cmp(l)
            .then_with(|| {
                if dark(*k) {
                    a.exposure_s().total_cmp(&b.exposure_s())
                } else {
                    std::cmp::Ordering::Equal
                }
            })
            .then_with(temps)
            .then_with(|| a.path.cmp(&b.path))
    });
    let mut sets: Vec<(FrameKind, Vec<RawFrame>)> = Vec::new();
    for (kind, frame) in frames {
        let fits = |(k, members): &&mut (FrameKind, Vec<RawFrame>)| {
            let first = &members[0];
            let apart = match (first.temp_c(), frame.temp_c()) {
                (Some(a), Some(b)) => (a - b).abs(),
                (None, None) => 0.0,
                _ => f64::INFINITY,
            };
            let (s, t) = (first.exposure_s(), frame.exposure_s());
            *k == kind
                && match kind {
                    FrameKind::Flat => filter(first) == filter(&frame),
                    _ => apart <= SAME_TEMP_C && (s - t).abs() <= 1e-3 * t.max(0.01),
                }
        };
        match sets.last_mut().filter(fits) {
            Some((_, members)) => members.push(frame),
            None => sets.push((kind, vec![frame])),
        }
    }
    for (kind, members) in &mut sets {
        let flats = *kind == FrameKind::Flat;
        members.sort_by(|a, b| {
            let exposures = a.exposure_s().total_cmp(&b.exposure_s());
            let exposures = if flats { exposures } else { std::cmp::Ordering::Equal };
            exposures
                .then_with(|| a.metadata.date_obs.cmp(&b.metadata.date_obs))
                .then_with(|| a.path.cmp(&b.path))
        });
    }
    sets
}

/// Frames of a set that are open, and what is known of each.
struct Opened<'a> {
    raws: Vec<&'a RawFrame>,
    frames: Vec<SensorFrame>,
    sources: Vec<Prepared>,
}

fn open_all<'a>(
    members: &'a [RawFrame],
    handling: Handling<'_>,
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<Opened<'a>> {
    let opened = on_each(members.len(), context, |i| members[i].open(handling))?;
    let mut out = Opened { raws: Vec::new(), frames: Vec::new(), sources: Vec::new() };
    for (source, raw) in opened.into_iter().zip(members) {
        match source {
            Ok(source) => {
                out.frames.push(SensorFrame {
                    name: raw.path.display().to_string(),
                    exposure_s: raw.exposure_s(),
                    temp_c: raw.temp_c(),
                    date: raw.metadata.date_obs.clone(),
                    overscan_adu: f64::from(source.level_adu),
                    amplifier_overscans_adu: of_amplifiers(raw),
                    overscan_scatter_adu: overscan_scatter(raw),
                    top_adu: raw.detector.saturation_adu.map_or(f64::INFINITY, f64::from),
                });
                out.sources.push(source);
                out.raws.push(raw);
            }
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => findings.push(Finding::of(&e, raw.path.display().to_string())),
        }
    }
    Ok(out)
}

impl Opened<'_> {
    /// Leaves out the frames that are unlike the others of their set, whatever their headers say: all of them where it
    /// cannot be told which are right.
    fn leave_odd_ones_out(
        &mut self,
        kind: FrameKind,
        campaign: &Campaign,
        findings: &mut Vec<Finding>,
        context: &Context<'_>,
    ) -> Result<()> {
        let zero = campaign.bias_levels().filter(|_| kind == FrameKind::Flat);
        let additive = zero.map_or(Additive::Nothing, |of| {
            Additive::Level((of.iter().sum::<f64>() / of.len() as f64) as f32)
        });
        let beside = Beside::default();
        match compare_frames(kind, &self.raws, &self.sources, &additive, beside, context) {
            Ok(compared) => {
                for (path, why) in compared.odd {
                    let at = self.raws.iter().position(|raw| raw.path == path);
                    if let Some(at) = at {
                        self.raws.remove(at);
                        self.frames.remove(at);
                        self.sources.remove(at);
                    }
                    findings.push(Finding::of(&why, path.display().to_string()));
                }
            }
            Err(e) if e.reach() == Reach::Run => return Err(e),
            Err(e) => {
                let first = self.frames.first().map_or("", |f| &f.name);
                findings.push(Finding::of(&e, first_and_more(first, self.frames.len())));
                (self.raws, self.frames, self.sources) = Default::default();
            }
        }
        Ok(())
    }
}

/// The level that was taken off what each amplifier reads, where there are several.
fn of_amplifiers(raw: &RawFrame) -> Vec<f64> {
    let amplifiers = &raw.detector.amplifiers;
    let of = |region: Rect| {
        let record = raw.overscans().iter().find(|o| !o.target.common(region).is_empty());
        record.map_or(0.0, |o| o.level_adu)
    };
    let several = amplifiers.len() > 1;
    amplifiers.iter().filter(|_| several).map(|a| of(a.region)).collect()
}

/// The standard deviation of a sample of the overscans.
fn overscan_scatter(raw: &RawFrame) -> Option<f64> {
    let squares = raw.overscans().iter().map(|o| o.scatter_adu.powi(2));
    let n = raw.overscans().len();
    (n > 0).then(|| (squares.sum::<f64>() / n as f64).sqrt())
}

/// Which frames of a set are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looks {
    /// All.
    All,
    /// So many of those that are left when frames that are unlike the others are not.
    Alike(usize),
}

/// Looks at frames of a set, a row of blocks at a time.
pub(super) fn see_set(
    campaign: &mut Campaign,
    kind: FrameKind,
    (members, looks): (&[RawFrame], Looks),
    handling: Handling<'_>,
    findings: &mut Vec<Finding>,
    context: &Context<'_>,
) -> Result<()> {
    let mut opened = open_all(members, handling, findings, context)?;
    if let Looks::Alike(most) = looks {
        opened.leave_odd_ones_out(kind, campaign, findings, context)?;
        opened.frames.truncate(most);
        opened.sources.truncate(most);
    }
    let Opened { mut frames, mut sources, .. } = opened;
    let size = campaign.grid.size;
    let strip_bytes = (campaign.grid.block * size.width * size_of::<f32>()) as u64;
    // Buffers of a frame's rows, and as many again for what is made of them.
    let most = (context.memory_bytes / (2 * strip_bytes).max(1)).max(2) as usize;
    if frames.len() > most {
        let names: Vec<String> = frames[most..].iter().map(|f| f.name.clone()).collect();
        findings
            .push(left_out(&names, "more frames than the memory that is allowed holds strips of"));
        frames.truncate(most);
        sources.truncate(most);
    }
    if frames.is_empty() {
        return Ok(());
    }
    let pairs = match kind {
        FrameKind::Flat => pairs_of_flats(campaign, &frames, &sources)?,
        _ => pairs_in_turn(frames.len()),
    };
    let zero = campaign.zero().filter(|_| campaign.with_pixels);
    let asked = Asked {
        alternating: kind == FrameKind::Dark && (4..=ALTERNATING).contains(&frames.len()),
        contrasts: kind != FrameKind::Flat,
        lines: kind == FrameKind::Bias,
        pixels: kind != FrameKind::Flat && frames.len() >= FEW_FRAMES,
        flats: zero.as_ref().filter(|_| kind == FrameKind::Flat),
        maps: campaign.with_maps,
        hot: Some(&campaign.hot),
    };
    let counted: Vec<usize> = match kind {
        FrameKind::Dark => Vec::new(),
        FrameKind::Bias => vec![0],
        _ => pairs.iter().map(|p| p.0).collect(),
    };
    let threads = (most / frames.len()).clamp(1, context.threads);
    let context = Context { threads, ..*context };
    let grid = &campaign.grid;
    let codes = Mutex::new(std::mem::take(&mut campaign.codes));
    let slots: Vec<Mutex<StripSeen>> = (0..grid.down).map(|_| Mutex::default()).collect();
    let room = || (ReadBuffers::default(), vec![Vec::new(); sources.len()]);
    for_each(grid.down, &context, room, |(buffers, rows), strip| {
        let range = grid.rows(strip);
        for (source, out) in sources.iter().zip(rows.iter_mut()) {
            out.resize(range.len() * size.width, 0.0);
            source.read(range.clone(), 0..size.width, buffers, out)?;
        }
        if strip % COUNTED == 0 {
            let mut numbers = Vec::new();
            let mut codes = codes.lock().expect("no holder panics");
            for i in &counted {
                raw_numbers(&sources[*i], (range.start, size.width), &rows[*i], &mut numbers);
                codes.see(&numbers);
            }
        }
        let seen = see_strip((grid, strip), &frames, &pairs, rows, asked);
        *slots[strip].lock().expect("no holder panics") = seen;
        Ok(())
    })?;
    let strips = slots.into_iter().map(|s| s.into_inner().expect("no holder panics")).collect();
    let mut codes = codes.into_inner().expect("no holder panics");
    codes.frames.extend(counted.iter().map(|i| frames[*i].name.clone()));
    if kind == FrameKind::Bias {
        let (spectrum, names) = spectrum(size, &frames, &sources, &pairs)?;
        // Of several sets of biases the one with the most pairs tells.
        if let Some(spectrum) = spectrum.filter(|_| names.len() > campaign.tone_frames.len()) {
            campaign.tones = spectrum.tones(CHANCE, MOST_TONES);
            campaign.spectra = spectrum.along_axes();
            campaign.tone_frames = names;
        }
    }
    let mean = |of: &dyn Fn(&SensorFrame) -> Option<f64>| {
        let known: Vec<f64> = frames.iter().filter_map(of).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    let set = FrameSet {
        kind,
        exposure_s: mean(&|f| Some(f.exposure_s)).unwrap_or(0.0),
        temp_c: mean(&|f| f.temp_c),
        filter: members[0].metadata.filter.clone(),
        frames,
        pairs: Vec::new(),
        alternating: Vec::new(),
        contrasts: Vec::new(),
        lines: Vec::new(),
        profiles: Default::default(),
        pixels: None,
        flats: None,
        maps: BTreeMap::new(),
    };
    campaign.codes = codes;
    let set = gather_set(&campaign.grid, set, &pairs, strips);
    campaign.sets.push(set);
    Ok(())
}

/// Each frame with the next; the odd one at the end by itself, for its level.
fn pairs_in_turn(count: usize) -> Vec<(usize, usize, bool)> {
    let mut pairs: Vec<(usize, usize, bool)> =
        (1..count).step_by(2).map(|i| (i - 1, i, false)).collect();
    if count % 2 == 1 {
        pairs.push((count - 1, count - 1, true));
    }
    pairs
}

/// Neighbours of about one level; the others by themselves.
fn pairs_of_flats(
    campaign: &Campaign,
    frames: &[SensorFrame],
    sources: &[Prepared],
) -> Result<Vec<(usize, usize, bool)>> {
    let bias = campaign.bias_levels().map_or(0.0, |b| b.iter().sum::<f64>() / b.len() as f64);
    let grid = &campaign.grid;
    let rows = grid.rows(grid.down / 2);
    let mut samples = vec![0.0; rows.len() * grid.size.width];
    let mut levels = Vec::with_capacity(frames.len());
    for source in sources {
        source.read(rows.clone(), 0..grid.size.width, &mut ReadBuffers::default(), &mut samples)?;
        levels.push(f64::from(median(&samples)) - bias);
    }
    let (mut pairs, mut i) = (Vec::new(), 0);
    while i < frames.len() {
        let alike = |j: usize| (levels[i] / levels[j] - 1.0).abs() <= PAIR_APART;
        if i + 1 < frames.len() && alike(i + 1) {
            pairs.push((i, i + 1, false));
            i += 2;
        } else {
            pairs.push((i, i, true));
            i += 1;
        }
    }
    Ok(pairs)
}

/// Samples of some rows as the converter gave them, before an overscan was taken off.
fn raw_numbers(source: &Prepared, (y0, width): (usize, usize), rows: &[f32], out: &mut Vec<f32>) {
    out.clear();
    let parts = source.parts.as_ref().filter(|p| !p.records.is_empty());
    let Some(parts) = parts else {
        return out.extend(rows.iter().map(|v| v + source.level_adu));
    };
    out.resize(rows.len(), 0.0);
    for (i, (row, out)) in rows.chunks(width).zip(out.chunks_mut(width)).enumerate() {
        parts.take_off((0, y0 + i), out);
        out.iter_mut().zip(row).for_each(|(level, v)| *level = v - *level);
    }
}

/// The spectrum of differences of biases, and the frames that were looked at.
fn spectrum(
    size: Size,
    frames: &[SensorFrame],
    sources: &[Prepared],
    pairs: &[(usize, usize, bool)],
) -> Result<(Option<Spectrum>, Vec<String>)> {
    let Some(region) = spectrum_region(size) else { return Ok((None, Vec::new())) };
    let mut names = Vec::new();
    let mut spectrum = Spectrum::new(region.size());
    for (a, b, _) in pairs.iter().filter(|p| !p.2).take(SPECTRA) {
        let (first, second) = (square(&sources[*a], region)?, square(&sources[*b], region)?);
        let mut difference: Vec<f32> = first.iter().zip(&second).map(|(a, b)| a - b).collect();
        let (middle, mad) = photosite_pix::stat::median_mad(&difference);
        let most = 6.0 * (1.4826 * mad).max(0.75);
        // A tone of any phase in each of both frames has twice the power in their difference.
        for v in &mut difference {
            *v = (*v - middle).clamp(-most, most) * std::f32::consts::FRAC_1_SQRT_2;
        }
        let size = region.size();
        spectrum.add(&Plane::from_fn(size, |x, y| difference[y * size.width + x]));
        names.extend([*a, *b].map(|i| frames[i].name.clone()));
    }
    Ok((Some(spectrum), names))
}

fn square(source: &Prepared, region: Rect) -> Result<Vec<f32>> {
    let mut out = vec![0.0; region.size().pixels()];
    let mut buffers = ReadBuffers::default();
    source.read(region.y0..region.y1, region.x0..region.x1, &mut buffers, &mut out)?;
    Ok(out)
}
