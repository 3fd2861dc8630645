//! Lights looked over before they are stacked: stars, level, noise, and how they lie over each other.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use photosite_file::keyword;
use photosite_pix::align::{Point, Registration, Rules, register};
use photosite_pix::normalise::{Estimator, LevelScale};
use photosite_pix::stars::Criteria;
use photosite_pix::{Header, Metadata, Plane, Size, stat};

use super::{Context, StarField, find_stars, for_each, left_out};
use crate::event::{Event, Stage};
use crate::finding::Severity;
use crate::open::read_masked;
use crate::provenance::ContentHash;
use crate::{Error, Finding, Result};

/// A light, looked over.
#[derive(Debug, Clone)]
pub struct SurveyedLight {
    /// Where it lies.
    pub path: PathBuf,
    /// What it holds.
    pub hash: ContentHash,
    /// Width and height.
    pub size: Size,
    /// Its header.
    pub header: Header,
    /// The header's meaning.
    pub metadata: Metadata,
    /// Its stars, background and noise.
    pub field: StarField,
    /// Level and scale of its samples.
    pub level: LevelScale,
    /// Its noise as blocks of pixels show it, in the unit of the samples: comparable with that of
    /// an interpolated picture.
    pub block_noise: f64,
}

impl SurveyedLight {
    /// How much a frame is worth as a reference: many sharp and round stars.
    pub fn quality(&self) -> f64 {
        let Some((fwhm, roundness)) = self.field.fwhm_px.zip(self.field.roundness) else {
            return 0.0;
        };
        self.field.stars.len() as f64 * roundness / (fwhm * fwhm)
    }

    /// Places of its stars, the brightest first.
    fn points(&self) -> Vec<Point> {
        self.field.stars.iter().map(|s| Point::new(s.x, s.y)).collect()
    }
}

/// About as many samples as level and scale are taken from.
const LEVEL_SAMPLES: usize = 1 << 18;

/// Looks the lights over, one on each thread; those that cannot be read become findings.
///
/// # Errors
/// When the work is cancelled.
pub fn survey(
    paths: &[PathBuf],
    context: &Context<'_>,
) -> Result<(Vec<SurveyedLight>, Vec<Finding>)> {
    let slots: Vec<Mutex<Option<Result<SurveyedLight>>>> =
        paths.iter().map(|_| Mutex::new(None)).collect();
    // Few lights share the threads left over.
    let total = paths.len() as u64;
    context.observer.event(Event::Started { stage: Stage::Survey, total });
    let inner = Context { threads: (context.threads / paths.len().max(1)).max(1), ..*context };
    for_each(
        paths.len(),
        context,
        || (),
        |(), i| {
            let seen = look_over(&paths[i], &inner);
            *slots[i].lock().expect("no holder panics") = Some(seen);
            context.observer.event(Event::Advanced { by: 1, what: "finding stars" });
            Ok(())
        },
    )?;
    context.observer.event(Event::Finished);
    let (mut lights, mut findings) = (Vec::new(), Vec::new());
    for (path, slot) in paths.iter().zip(slots) {
        match slot.into_inner().expect("no holder panics") {
            Some(Ok(light)) => lights.push(light),
            Some(Err(e)) => findings.push(refusal(path, &e)),
            None => {}
        }
    }
    Ok((lights, findings))
}

fn refusal(path: &Path, e: &Error) -> Finding {
    match e.file() {
        Some(file) => left_out(path, file),
        None => Finding::new(
            "light-unfit",
            Severity::Error,
            path.display().to_string(),
            format!("left out: {e}"),
        ),
    }
}

fn look_over(path: &Path, context: &Context<'_>) -> Result<SurveyedLight> {
    let hash = ContentHash::of_file(path)?;
    let (frame, header) = read_masked(path)?;
    let metadata = keyword::read(&header).metadata;
    let gain_e = metadata.gain_e_per_adu.map(|g| g.e_per_adu());
    let field = find_stars(&frame.data, &frame.mask, gain_e, Criteria::default(), context)?;
    let level = Estimator::Ikss.measure(&mut spread_samples(&frame.data));
    Ok(SurveyedLight {
        path: path.to_owned(),
        hash,
        size: frame.size(),
        header,
        metadata,
        field,
        level,
        block_noise: stat::noise_of_blocks(frame.data.as_slice(), frame.size().width),
    })
}

/// Samples of rows spread evenly over a frame.
fn spread_samples(data: &Plane<f32>) -> Vec<f32> {
    let rows = (LEVEL_SAMPLES / data.width().max(1)).clamp(1, data.height().max(1));
    let step = data.height() as f64 / rows as f64;
    (0..rows).flat_map(|i| data.row(((i as f64 + 0.5) * step) as usize)).copied().collect()
}

/// Lays each light over the reference; `None` for those that cannot be.
///
/// # Errors
/// When the work is cancelled.
pub fn register_all(
    lights: &[SurveyedLight],
    reference: usize,
    context: &Context<'_>,
) -> Result<Vec<Option<Registration>>> {
    let points: Vec<Vec<Point>> = lights.iter().map(SurveyedLight::points).collect();
    let slots: Vec<Mutex<Option<Registration>>> = lights.iter().map(|_| Mutex::new(None)).collect();
    for_each(
        lights.len(),
        context,
        || (),
        |(), i| {
            let found = register(&points[reference], &points[i], Rules::default());
            *slots[i].lock().expect("no holder panics") = found;
            Ok(())
        },
    )?;
    Ok(slots.into_iter().map(|s| s.into_inner().expect("no holder panics")).collect())
}

/// The light that the others are best laid over; of equal ones the first.
pub fn best_reference(lights: &[SurveyedLight]) -> usize {
    let best =
        lights.iter().enumerate().rev().max_by(|a, b| a.1.quality().total_cmp(&b.1.quality()));
    best.map_or(0, |(i, _)| i)
}

/// That a light could not be laid over the reference.
pub fn not_registered(light: &SurveyedLight, reference: &SurveyedLight) -> Finding {
    let stars = light.field.stars.len();
    Finding::new(
        "registration-failed",
        Severity::Error,
        light.path.display().to_string(),
        format!(
            "left out: its {stars} stars could not be laid over the {} of {}",
            reference.field.stars.len(),
            reference.path.display()
        ),
    )
    .hint("Look at it: clouds, trailing or another field; or name another reference.")
}
