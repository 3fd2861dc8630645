//! Lights measured before they are stacked: stars, background, noise.

use std::borrow::Cow;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite_file::keyword;
use photosite_pix::align::Point;
use photosite_pix::border::Border;
use photosite_pix::debayer::{Debayer, Greens, Method};
use photosite_pix::normalise::{Estimator, LevelScale, Structure};
use photosite_pix::stars::{Criteria, Mesh, Star};
use photosite_pix::stat::Blocks;
use photosite_pix::trails::{Bins, Trail, find as find_trails};
use photosite_pix::warp::Window;
use photosite_pix::{
    CfaColor, CfaPattern, Frame, FrameKind, Header, MaskBits, Metadata, Plane, Size, stat,
};
use serde::{Deserialize, Serialize};

use super::phase::greens;
use super::saturated::Saturated;
use super::stars::{StarField, background, find_stars, pixels_about};
use crate::event::{Event, Stage};
use crate::finding::Severity;
use crate::open::{each_image, probe};
use crate::product::{Kept, LightResult, Offered, Opened, glance_bytes};
use crate::raw::brought_to_adu;
use crate::stack::ReadBuffers;
use crate::work::{Context, on_each, on_each_with};
use crate::{Error, Finding, Result};

/// A light, measured.
#[derive(Debug, Clone)]
pub struct SurveyedLight {
    /// The light.
    pub light: Offered,
    /// What was seen in it.
    pub seen: Seen,
}

impl Deref for SurveyedLight {
    type Target = Seen;

    fn deref(&self) -> &Seen {
        &self.seen
    }
}

/// What was seen in a light.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seen {
    /// The header of the calibrated light.
    pub header: Header,
    /// The header's meaning.
    pub metadata: Metadata,
    /// How it was calibrated, where it came raw.
    pub calibrated: Option<LightResult>,
    /// Its stars, background and noise.
    pub field: StarField,
    /// The level of its sky, one a plane, in the unit of the samples.
    pub levels: Vec<f64>,
    /// What it shows beside stars: a nebula that tells how much light came through.
    pub structure: Structure,
    /// All that it shows, stars too: in a cluster seeing moves light from star to star.
    pub all_light: Structure,
    /// The background of each plane everywhere; none where nobody wanted it.
    pub backgrounds: Vec<Mesh>,
    /// That its samples contradict the filter array in its header, or that its greens differ.
    pub doubt: Option<Finding>,
    /// How the two greens under its filter array differ, where they do.
    pub greens: Option<Greens>,
    /// The noise of a sample under its filter array, in the unit of the samples.
    pub sample_noise: Option<f64>,
    /// Where another program laid it and left zeros beside it; raw lights, which records are kept of, have
    /// no such border.
    #[serde(skip)]
    pub border: Option<Arc<Border>>,
    /// Its saturated samples.
    pub saturated: Saturated,
    /// Lines over it that may be trails, the strongest first.
    pub trails: Vec<Trail>,
    /// Its background in bins, in which lines of other lights are looked for.
    pub bins: Bins,
    /// Its noise as blocks of pixels show it, in the unit of the samples: comparable with that of
    /// an interpolated picture.
    pub block_noise: f64,
    /// The noise of its sky, in the unit of the samples.
    pub sky_noise: SkyNoise,
}

/// The noise of a sample of the sky as means over many pixels show it, which no smoothing takes away.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SkyNoise {
    /// By means over blocks, beside the stars where they reach into most blocks. Other stars and nebulae raise it.
    pub by_blocks: f64,
    /// By neighbours, in which neither stars nor nebulae are; `None` where they neither differ as light does nor are
    /// independent, for somebody smoothed them, or where lines share some of their noise.
    pub by_neighbours: Option<f64>,
}

impl SurveyedLight {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.light.path
    }

    /// Its file's name.
    pub fn name(&self) -> String {
        self.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.light.size
    }

    /// The filter array, while it is not debayered.
    pub fn mosaic(&self) -> Option<CfaPattern> {
        self.metadata.cfa.filter(|_| self.light.planes == 1)
    }

    /// Planes of its image: 3 for a light under a filter array.
    pub fn planes(&self) -> usize {
        self.levels.len()
    }

    /// Whether it is under a filter array that is too coarse for its stars: they fall on too few samples of a
    /// colour to tell what they are of it.
    pub fn undersampled(&self) -> bool {
        self.mosaic().is_some() && self.field.fwhm_px.is_some_and(|fwhm| fwhm < UNDERSAMPLED_PX)
    }

    /// The width of its stars, where its samples tell it.
    pub fn told_fwhm_px(&self) -> Option<f64> {
        self.field.fwhm_px.filter(|_| !self.undersampled())
    }

    /// How much a frame is worth as a reference: many sharp and round stars.
    pub fn quality(&self) -> f64 {
        let Some((fwhm, roundness)) = self.field.fwhm_px.zip(self.field.roundness) else {
            return 0.0;
        };
        self.field.stars.len() as f64 * roundness / (fwhm * fwhm)
    }

    /// Numbers that two lights share to the last bit only where their samples are the same; `None` without noise, or
    /// stars that hold some.
    pub fn fingerprint(&self) -> Option<Vec<u64>> {
        const STARS: usize = 3;
        let stars = self.field.stars.get(..STARS).filter(|_| self.field.noise > 0.0)?.iter();
        let of_sky = [self.field.background, self.field.noise];
        let numbers = stars.flat_map(|s| [s.x, s.y, s.flux]).chain(of_sky);
        Some(numbers.map(f64::to_bits).collect())
    }

    /// Places of its stars, the brightest first.
    pub fn points(&self) -> Vec<Point> {
        self.field.stars.iter().map(|s| Point::new(s.x, s.y)).collect()
    }
}

/// Stars narrower than this, as the interpolated green of a filter array shows them, are undersampled: 1.8 px on
/// the sensor.
pub const UNDERSAMPLED_PX: f64 = 2.2;

/// About as many samples as level and scale are taken from.
const LEVEL_SAMPLES: usize = 1 << 18;

/// Samples by which blocks tell the noise of a light at most, and what their means take for each, three rows together
/// and in order.
const NOISE_SAMPLES: u64 = 1 << 22;
const NOISE_BYTES: u64 = 2;

/// Memory that looking over a light takes, in bytes: samples and mask of each plane, the samples by
/// which it is described before and after calibration, and what tells its noise; under a filter array its green, and
/// most of those samples in order, because the levels of its colours lie apart.
pub fn survey_bytes(size: Size, planes: usize, mosaic: bool) -> u64 {
    let pixels = size.pixels() as u64;
    let glance = glance_bytes(size);
    let colour = if mosaic { 4 * pixels + glance } else { 0 };
    let noise = NOISE_BYTES * pixels.min(NOISE_SAMPLES);
    pixels * planes as u64 * 6 + 2 * glance + colour + noise
}

/// Memory that a light takes when it was looked over, in bytes, about: bins, stars, background.
pub const SURVEYED_BYTES: u64 = 1 << 19;

/// How many lights are looked over at a time, each of which takes `bytes`.
pub fn surveyed_at_once(bytes: u64, (threads, memory_bytes): (usize, u64)) -> usize {
    let affordable = memory_bytes / bytes.max(1);
    usize::try_from(affordable).unwrap_or(usize::MAX).clamp(1, threads.max(1))
}

/// Knows files by content, the images of sequences each for itself; those that cannot be read become
/// findings.
///
/// # Errors
/// When the work is cancelled.
pub fn offer_files(
    paths: &[PathBuf],
    context: &Context<'_>,
) -> Result<(Vec<Offered>, Vec<Finding>)> {
    let paths = each_image(paths);
    let offered = on_each(paths.len(), context, |i| Offered::file(&paths[i]))?;
    let (good, mut findings) = parted(offered, |i| &paths[i]);
    let brought = good.iter().filter(|light| light.from_zero_to_one());
    findings.extend(brought.map(|light| brought_to_adu(&light.path)));
    Ok((good, findings))
}

/// Looks the lights over, one on each thread; those that cannot be read become findings. The
/// background of every plane is measured where that is wanted. What `kept` holds of a light is not looked
/// for again, and what it lacks is kept there.
///
/// # Errors
/// When the work is cancelled.
pub fn survey(
    lights: &[Offered],
    backgrounds: bool,
    kept: Option<&Kept>,
    context: &Context<'_>,
) -> Result<(Vec<SurveyedLight>, Vec<Finding>)> {
    let total = lights.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Survey, total });
    // Whether it is under a filter array is not known before it is opened.
    let bytes = lights.iter().map(|l| survey_bytes(l.size, l.planes, l.planes == 1)).max();
    let means = (context.threads, context.memory_bytes);
    let outer = Context { threads: surveyed_at_once(bytes.unwrap_or(0), means), ..*context };
    // Few lights share the threads left over.
    let threads = (outer.threads / lights.len().max(1)).max(1);
    let inner = Context { threads, ..*context };
    let seen = on_each_with(lights.len(), &outer, Spare::default, |spare, i| {
        let light = &lights[i];
        let what = if backgrounds { "backgrounds" } else { "survey" };
        let mut look = || look_over(light, backgrounds, spare, &inner);
        let seen = match kept.zip(light.seen_key()) {
            Some((kept, key)) => kept.find_or(what, &key, look),
            None => look(),
        };
        let seen = seen.map(|seen| SurveyedLight { light: light.clone(), seen });
        context.observer.event(Event::Advanced { by: 1, what: "finding stars" });
        seen
    })?;
    context.observer.event(Event::Finished);
    Ok(parted(seen, |i| &lights[i].path))
}

/// What was done, and findings for what was not.
fn parted<'a, T>(
    done: Vec<Result<T>>,
    path: impl Fn(usize) -> &'a PathBuf,
) -> (Vec<T>, Vec<Finding>) {
    let (mut good, mut findings) = (Vec::new(), Vec::new());
    for (i, result) in done.into_iter().enumerate() {
        match result {
            Ok(one) => good.push(one),
            Err(e) => findings.push(refusal(path(i), &e)),
        }
    }
    (good, findings)
}

fn refusal(path: &Path, e: &Error) -> Finding {
    if e.file().is_some() {
        return Finding::of(e, "");
    }
    let subject = path.display().to_string();
    Finding::new("light-unfit", Severity::Error, subject, format!("left out: {e}"))
        .hint("Check the light and its masters.")
}

/// What a light leaves to the next one that its thread looks over.
#[derive(Default)]
struct Spare {
    frame: Option<Frame>,
    plane: Option<Plane<f32>>,
    buffers: ReadBuffers,
}

fn look_over(
    light: &Offered,
    backgrounds: bool,
    spare: &mut Spare,
    context: &Context<'_>,
) -> Result<Seen> {
    let opened = light.open(spare.frame.take(), &mut spare.buffers)?;
    let Opened { mut frames, header, metadata, calibrated } = opened;
    if let Some(why) = says_nothing(&frames) {
        return Err(Error::unsupported(why));
    }
    let border = if calibrated.is_none() { empty_border(&mut frames) } else { None };
    let gain_e = metadata.gain_e_per_adu.map(|g| g.e_per_adu());
    let mosaic = metadata.cfa.filter(|_| frames.len() == 1);
    let (greens, doubt) =
        mosaic.map_or((None, None), |cfa| greens(&light.path, &frames[0].data, cfa));
    if let Some(greens) = greens {
        let data = &mut frames[0].data;
        let width = data.width();
        greens.equalise(data.as_mut_slice(), 0, width);
    }
    let sample_noise = mosaic.map(|cfa| sample_noise(&frames[0].data, cfa));
    let (green, levels) = match mosaic {
        None => (None, frames.iter().map(|f| level(&spread(&f.data, 1))).collect()),
        Some(cfa) => {
            let levels = colour_levels(&frames[0].data, cfa);
            (Some(one_colour(&frames[0], cfa, CfaColor::Green, spare.plane.take())?), levels)
        }
    };
    // Of colours, green has most light.
    let middle = &frames[frames.len() / 2];
    let (seen, mask) = (green.as_ref().unwrap_or(&middle.data), &middle.mask);
    let alike = if mosaic.is_some() { GREEN_NOISE } else { 1.0 };
    let usual = Criteria::default();
    let criteria = Criteria { snr: usual.snr * alike, ..usual };
    let mut field = find_stars(seen, mask, gain_e, criteria, context)?;
    for star in &mut field.stars {
        star.snr /= alike;
        star.flux_error *= alike;
    }
    let (trails, bins) = find_trails(seen, mask, &field.mesh, &field.stars, field.fwhm_px);
    let near = sample_noise.unwrap_or_else(|| stat::noise(&spread(seen, 1), seen.width(), 1));
    let sky_adu = mosaic.map_or(field.background, |cfa| sampled_level(&levels, cfa));
    let read_noise_e = metadata.read_noise_e.unwrap_or(0.0);
    let expected_adu2 = gain_e.map(|g| sky_adu / g + (read_noise_e / g).powi(2));
    let over_light = expected_adu2.map(|e| near * near / e);
    let as_light = over_light.is_some_and(|over| AS_LIGHT.contains(&over));
    // A nebula, or a read noise that no header names, adds to light; smoothing takes from it.
    let smoothed = mosaic.is_none() && over_light.is_none_or(|over| over < AS_LIGHT.end);
    let (samples, step) = match mosaic {
        Some(cfa) => (&frames[0].data, cfa.period()),
        None => (seen, 1),
    };
    let own = || stat::are_independent(samples.as_slice(), samples.width(), step);
    let near = Some(near).filter(|near| *near > 0.0 && (as_light || own()));
    let (block_noise, sky_noise) = noise_of_sky(seen, &field, near, smoothed);
    let blocks = Structure::of(seen, mask);
    let structure = blocks.clone().beside(&field.mesh, &field.stars, field.fwhm_px);
    let all_light = blocks.unsaturated(mask);
    let backgrounds = match (backgrounds, mosaic) {
        (false, _) => Vec::new(),
        (true, Some(cfa)) => {
            let of = |c: &CfaColor| {
                let plane = one_colour(&frames[0], cfa, *c, None)?;
                background(&plane, mask, context)
            };
            CfaColor::ALL.iter().map(of).collect::<Result<_>>()?
        }
        (true, None) if frames.len() == 1 => vec![field.mesh.clone()],
        (true, None) => {
            let of = |f: &Frame| background(&f.data, &f.mask, context);
            frames.iter().map(of).collect::<Result<_>>()?
        }
    };
    let mut saturated = Saturated::default();
    frames.iter().for_each(|f| saturated.add(&f.mask));
    (spare.frame, spare.plane) = (frames.pop(), green);
    Ok(Seen {
        header,
        metadata,
        calibrated,
        field,
        levels,
        structure,
        all_light,
        backgrounds,
        doubt,
        greens,
        sample_noise,
        border,
        saturated,
        trails,
        bins,
        block_noise,
        sky_noise,
    })
}

/// Stars that blocks reach into count where they cover such a share of a frame.
const CROWDED: f64 = 0.3;

/// Pixels along the blocks that are compared, and across.
const COMPARED_PX: (f64, f64) = (12.0, 4.0);

/// A frame without its stars; `None` where they reach into few blocks.
fn beside_stars(data: &Plane<f32>, field: &StarField) -> Option<Plane<f32>> {
    let radius_px = field.fwhm_px.unwrap_or(0.0);
    let reached = (COMPARED_PX.0 + 2.0 * radius_px) * (COMPARED_PX.1 + 2.0 * radius_px);
    let crowded = field.stars.len() as f64 * reached >= CROWDED * data.size().pixels() as f64;
    crowded.then(|| without_stars(data, field, |_| radius_px))
}

/// A frame without what lies within `reach_px` of each star.
fn without_stars(
    data: &Plane<f32>,
    field: &StarField,
    reach_px: impl Fn(&Star) -> f64,
) -> Plane<f32> {
    let mut sky = data.clone();
    for star in &field.stars {
        let reach_px = reach_px(star);
        for (x, y, away) in pixels_about(star, reach_px, data.size()) {
            if away <= reach_px {
                sky.row_mut(y)[x] = f32::NAN;
            }
        }
    }
    sky
}

/// The noise of a frame as blocks show it, and that of its sky, where neighbours tell `near`; where they do not, and may be
/// `smoothed`, what that hides is looked for. Under a filter array all lights are interpolated alike.
fn noise_of_sky(
    data: &Plane<f32>,
    field: &StarField,
    near: Option<f64>,
    smoothed: bool,
) -> (f64, SkyNoise) {
    let blocks = Blocks::of(data.as_slice(), data.width());
    let block_noise = blocks.noise();
    let hidden =
        if smoothed && near.is_none() { hidden_by_blocks(data, field, block_noise) } else { 1.0 };
    let with_stars = blocks.noise_either_way();
    let beside = beside_stars(data, field)
        .map(|sky| Blocks::of(sky.as_slice(), sky.width()).noise_either_way());
    let by_blocks = beside.filter(|noise| *noise > 0.0).map_or(with_stars, |n| n.min(with_stars));
    let by_neighbours = near.filter(|_| !blocks.lines_share());
    (block_noise, SkyNoise { by_blocks: hidden * by_blocks, by_neighbours })
}

/// Wings of stars below such a part of a sample's noise do not make neighbours alike.
const UNSEEN: f64 = 0.3;

/// The share of samples beside stars from which on these tell whether neighbours are alike.
const SKY: f64 = 0.3;

/// The variance between neighbours of a colour over that of the sky's electrons and of reading out, where nobody smoothed.
const AS_LIGHT: std::ops::Range<f64> = 0.8..1.5;

/// The noise of means over many pixels over what blocks of noise `block_noise` show of it
/// ([`stat::hidden_by_blocks`]); 1 where stars leave too little sky.
///
/// Stars are alike over their width in any light: only beside them does it show that a program smoothed it.
fn hidden_by_blocks(data: &Plane<f32>, field: &StarField, block_noise: f64) -> f64 {
    let of = |plane: &Plane<f32>| stat::hidden_by_blocks(plane.as_slice(), plane.width());
    let with_stars = of(data);
    let Some(fwhm_px) = field.fwhm_px.filter(|_| with_stars > 1.0) else { return with_stars };
    // Where a Gaussian of the stars' width has fallen below the noise, and as much again for its wings.
    let reach_px = |star: &Star| {
        let over = (star.peak / (UNSEEN * block_noise)).max(1.0);
        1.5 * fwhm_px * (over.log2() / 4.0).sqrt().max(0.5)
    };
    let sky = without_stars(data, field, reach_px);
    let left = sky.as_slice().iter().filter(|v| v.is_finite()).count();
    if (left as f64) < SKY * data.size().pixels() as f64 { 1.0 } else { of(&sky) }
}

/// Why a light without any two different samples is none; `None` for any other.
fn says_nothing(frames: &[Frame]) -> Option<String> {
    let mut finite = frames.iter().flat_map(|f| f.data.as_slice()).filter(|v| v.is_finite());
    let Some(first) = finite.next() else { return Some("none of its samples is a number".into()) };
    let constant = finite.all(|v| v == first);
    constant.then(|| format!("all of its samples are {first}: there is no picture in it"))
}

/// The border of a light that another program laid, made a hole in all planes.
fn empty_border(frames: &mut [Frame]) -> Option<Arc<Border>> {
    let size = frames.first()?.size();
    let planes: Vec<&[f32]> = frames.iter().map(|f| f.data.as_slice()).collect();
    let border = Border::of(&planes, size)?;
    for frame in frames {
        let (data, mask) = (frame.data.as_mut_slice(), frame.mask.as_mut_slice());
        border.each(0..size.height, |i| {
            data[i] = f32::NAN;
            mask[i] |= MaskBits::NO_DATA;
        });
    }
    Some(Arc::new(border))
}

/// The noise of a sample under a filter array, in the unit of the samples: of all colours, or of the greens where
/// colours repeat less often.
pub fn sample_noise(data: &Plane<f32>, cfa: CfaPattern) -> f64 {
    let (width, period) = (data.width(), cfa.period());
    let mut some = spread(data, period);
    if period == 2 {
        return stat::noise(&some, width, period);
    }
    let green = |x: usize, y: usize| cfa.color(x, y) == CfaColor::Green;
    // Under X-Trans every 3 pixels.
    let again =
        |step: &usize| (0..period).all(|y| (0..period).all(|x| green(x, y) == green(x + step, y)));
    let step = (1..period).find(again).unwrap_or(period);
    for (y, row) in some.to_mut().chunks_exact_mut(width).enumerate() {
        let others = row.iter_mut().enumerate().filter(|(x, _)| !green(*x, y));
        others.for_each(|(_, v)| *v = f32::NAN);
    }
    stat::noise(&some, width, step)
}

/// The level of the samples that [`sample_noise`] is of.
fn sampled_level(levels: &[f64], cfa: CfaPattern) -> f64 {
    let [red, green, blue] = [0, 1, 2].map(|i| levels[i]);
    if cfa.period() == 2 { 0.25 * (red + 2.0 * green + blue) } else { green }
}

fn spread(data: &Plane<f32>, step: usize) -> Cow<'_, [f32]> {
    stat::spread_rows(data.as_slice(), data.width(), step, LEVEL_SAMPLES)
}

/// Noise below so many steps of whole numbers hides the level from a median.
const COARSE: f64 = 2.0;

/// The level of the sky: the median of what is within 4 sigma; where steps of the converter are as
/// coarse as the noise, the mean of what is near it.
fn level(samples: &[f32]) -> f64 {
    let LevelScale { level, scale } = Estimator::Ikss.measure(&mut samples.to_vec());
    let finite = || samples.iter().filter(|v| v.is_finite());
    if !level.is_finite() || (scale >= COARSE || finite().any(|v| v.fract() != 0.0)) && scale > 0.0
    {
        return level;
    }
    let reach = (4.0 * scale).max(1.5 * COARSE);
    let near = finite().map(|v| f64::from(*v)).filter(|v| (v - level).abs() <= reach);
    let (sum, count) = near.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    if count > 0.0 { sum / count } else { level }
}

/// The level of each colour's own samples.
fn colour_levels(data: &Plane<f32>, cfa: CfaPattern) -> Vec<f64> {
    let some = spread(data, cfa.period());
    let rows = || some.chunks_exact(data.width()).enumerate();
    CfaColor::ALL
        .iter()
        .map(|colour| {
            let here = |y: usize, x: usize| cfa.color(x, y) == *colour;
            let of_row = |(y, row): (usize, &[f32])| -> Vec<f32> {
                let row = row.iter().enumerate();
                row.filter(|(x, _)| here(y, *x)).map(|(_, v)| *v).collect()
            };
            level(&rows().flat_map(of_row).collect::<Vec<f32>>())
        })
        .collect()
}

/// How much more noise a match finds in interpolated green than its samples let expect: of
/// samples with noise 1, half are measured and half are means of four, 0.79 together; a match,
/// much wider than that, adds what every second pixel has, sqrt 2.
const GREEN_NOISE: f64 = 1.79;

/// Rows that colours are made for at a time: the two that nobody wants stay in the cache.
const COLOUR_ROWS: usize = 32;

/// One colour of a frame under a filter array, everywhere, in the plane of `room` if it fits.
fn one_colour(
    frame: &Frame,
    cfa: CfaPattern,
    wanted: CfaColor,
    room: Option<Plane<f32>>,
) -> Result<Plane<f32>> {
    let debayer =
        Debayer::new(cfa, Method::Bilinear).map_err(|e| Error::unsupported(e.to_string()))?;
    let size = frame.size();
    let mut data = room.filter(|room| room.size() == size).unwrap_or_else(|| Plane::zeroed(size));
    let part = COLOUR_ROWS * size.width;
    let mut others = vec![0.0; 2 * part];
    for y in (0..size.height).step_by(COLOUR_ROWS) {
        let rows = y..(y + COLOUR_ROWS).min(size.height);
        let needed = debayer.rows_needed(&rows, size);
        let samples = frame.data.rows(needed.start, needed.end);
        let window = Window { samples, first_row: needed.start, width: size.width };
        let own = data.rows_mut(rows.start, rows.end);
        let (one, other) = others.split_at_mut(part);
        let (one, other) = (&mut one[..own.len()], &mut other[..own.len()]);
        let planes = match wanted {
            CfaColor::Red => [own, one, other],
            CfaColor::Green => [one, own, other],
            CfaColor::Blue => [one, other, own],
        };
        debayer.fill(window, size, rows, planes);
    }
    Ok(data)
}

/// Checks that what was named as a reference may show stars.
///
/// # Errors
/// When it cannot be read, or its header says that it is a bias, dark or flat.
fn check_reference(path: &Path) -> Result<()> {
    let metadata = keyword::read(&probe(path)?.header).metadata;
    match metadata.kind.filter(|kind| *kind != FrameKind::Light) {
        None => Ok(()),
        Some(kind) => Err(Error::mismatch(format!(
            "it is a {kind}, and lights are laid over stars; name a light, or a stack, as the reference"
        ))
        .about(path)),
    }
}

/// The image at `path` that others are registered to: one of the lights, or any other.
///
/// # Errors
/// When it is none of the lights and cannot be measured.
pub fn reference(
    path: &Path,
    lights: &[SurveyedLight],
    backgrounds: bool,
    context: &Context<'_>,
) -> Result<SurveyedLight> {
    if let Some(light) = lights.iter().find(|l| l.path() == path) {
        return Ok(light.clone());
    }
    check_reference(path)?;
    let light = Offered::file(path)?;
    let seen = look_over(&light, backgrounds, &mut Spare::default(), context)?;
    Ok(SurveyedLight { light, seen })
}
