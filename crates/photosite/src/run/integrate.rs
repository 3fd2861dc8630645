//! Lights into one picture.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use photosite_file::atomic::folder_of;
use photosite_file::fits::Sample;
use photosite_pix::align::Alignment;
use photosite_pix::combine::{Combine, Recipe};
use photosite_pix::normalise::{Affine, Normalise};
use photosite_pix::reject::Reject;
use photosite_pix::stars::Criteria;
use photosite_pix::{Applied, Card, Frame, Header, MaskBits, Plane, RowOrder, Size, Unit, stat};
use serde::Serialize;
use serde_json::json;

use super::combined::{Combined, combined};
use super::frames::duplicate;
use super::mixed::doubts;
use crate::defects::Defect;
use crate::finding::Severity;
use crate::header::{SCALE_ERROR, StackedHeader, picture_header, registered_header, stack_header};
use crate::master::Rejected;
use crate::measure::{
    StarField, SurveyedLight, find_stars, offer_files, reference as find_reference, survey,
};
use crate::params::{Drizzle, Integration, Repair, Weight};
use crate::preview::{Linked, room_for_preview, write_preview};
use crate::product::{Product, Standing, fits_name, kept_aside, read_defect_map, room_for};
use crate::provenance::{ContentHash, Input, Provenance};
use crate::raw::common_noise;
use crate::register::{
    Arranged, LightPart, PlaceErrors, Shares, StarsKept, Taken, TrailReport, arrange,
    best_reference, cut_off, masked_trails, open, trails_sentence, walking,
};
use crate::stack::{Maps, Stacked};
use crate::work::Context;
use crate::{Error, Finding, Result};

/// Calibrated lights in files, to be stacked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IntegrationRequest<'a> {
    /// The lights.
    pub paths: &'a [PathBuf],
    /// Where the picture goes.
    pub output: &'a Path,
    /// The picture on whose pixels they are laid; the best of them where none is named.
    pub reference: Option<&'a Path>,
    /// The defect map.
    pub defects: Option<&'a Path>,
    /// What becomes of its pixels; by themselves they are holes that other lights fill.
    pub repair: Repair,
    /// How.
    pub how: Integration,
}

impl<'a> IntegrationRequest<'a> {
    /// Lights stacked to `output` with registration and the usual weights, on the pixels of the best
    /// of them.
    pub fn new(paths: &'a [PathBuf], output: &'a Path) -> Self {
        let (reference, defects, how) = (None, None, Integration::default());
        Self { paths, output, reference, defects, repair: Repair::Holes, how }
    }
}

/// A stack on disk.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Integrated {
    /// Where it lies.
    pub path: PathBuf,
    /// The key of its inputs and parameters.
    pub key: String,
    /// The light that the others were laid over.
    pub reference: PathBuf,
    /// Each light's part.
    pub lights: Vec<LightPart>,
    /// Their exposures together, in seconds, where all are known.
    pub exposure_s: Option<f64>,
    /// The name of the rejection.
    pub reject: &'static str,
    /// Samples rejected below.
    pub rejected_low: u64,
    /// Samples rejected above.
    pub rejected_high: u64,
    /// Trails that were masked.
    pub trails: Vec<TrailReport>,
    /// The noise of the stack, in ADU, as blocks of 4 x 4 pixels show it beside stars.
    pub noise_adu: f64,
    /// The noise of the light at whose level they are over the stack's, both as blocks show it, stars and all.
    pub noise_gain: f64,
    /// The median width of the stack's stars in pixels.
    pub fwhm_px: Option<f64>,
    /// Stars found in the stack.
    pub stars: usize,
    /// Whether they keep their light; `None` where that cannot be told: too few stars, drizzled.
    pub stars_kept: Option<StarsKept>,
    /// What was found on the way.
    pub findings: Vec<Finding>,
}

/// Stacks lights into one picture on the pixels of the reference.
///
/// A light that cannot be read, laid over the reference or normalised is left out, with a Finding.
///
/// # Errors
/// When no light is left, sizes differ and lights are not registered, the product cannot be
/// written, or the work is cancelled.
pub fn integrate(request: &IntegrationRequest<'_>, context: &Context<'_>) -> Result<Integrated> {
    request.how.check()?;
    fits_name(request.output)?;
    let mut paths = request.paths.to_vec();
    // The product must not depend on the order in which lights were named.
    paths.sort();
    paths.dedup();
    let (mut offered, mut findings) = offer_files(&paths, context)?;
    // A copy under another name would count twice.
    let mut known: BTreeMap<ContentHash, PathBuf> = BTreeMap::new();
    offered.retain(|light| match known.get(&light.hash) {
        Some(first) => {
            findings.push(duplicate(&light.path, first));
            false
        }
        None => {
            known.insert(light.hash, light.path.clone());
            true
        }
    });
    let map = request.defects.map(read_defect_map).transpose()?;
    if let Some(map) = &map {
        let defects: Arc<[Defect]> = map.map.repaired().into();
        offered = offered
            .into_iter()
            .map(|light| light.with_defects(map, defects.clone(), request.repair))
            .collect::<Result<_>>()?;
    }
    let (lights, refused) = survey(&offered, request.how.local, None, context)?;
    findings.extend(refused);
    findings.extend(lights.iter().find_map(|light| light.doubt.clone()));
    findings.extend(doubts(&lights, request.how.register.is_some()));
    if lights.is_empty() {
        let why =
            findings.first().map_or(String::new(), |f| format!(": {}: {}", f.subject, f.message));
        return Err(Error::mismatch(format!("no light is left that can be stacked{why}")));
    }
    let reference = match request.reference {
        None => {
            let by = request.how.register.unwrap_or_default();
            lights[best_reference(lights.iter(), by)].clone()
        }
        Some(path) => find_reference(path, &lights, request.how.local, context)?,
    };
    let arranged = arrange(&lights, &reference, request.how, context)?;
    if arranged.used() == 0 {
        let why = arranged.findings().first();
        let why = why.map_or_else(String::new, |f| format!(": {}: {}", f.subject, f.message));
        return Err(Error::mismatch(format!("no light is left that can be stacked{why}")));
    }
    let inputs = offered.iter().map(|l| Input::new("light", &l.path, l.hash)).collect();
    let mut parameters = json!({
        "reference": request.reference.map(|_| reference.light.hash.to_string()),
        "how": request.how,
    });
    let brought = offered.iter().filter(|light| light.from_zero_to_one()).count();
    if brought > 0 {
        parameters["from_zero_to_one"] = json!(brought);
    }
    if let Some(map) = &map {
        parameters["defects"] = json!(map.hash.to_string());
        if request.repair != Repair::Holes {
            parameters["repair"] = json!(request.repair);
        }
    }
    let provenance = Provenance::new("stacked light", inputs, parameters);
    let mut done = arranged.stack(request.output, Asked::default(), &provenance, context)?;
    findings.append(&mut done.findings);
    findings.sort_by(|a, b| a.subject.cmp(&b.subject));
    Ok(Integrated { findings, ..done })
}

/// What a run knows of a picture that its lights do not tell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asked<'a> {
    /// Where the one for the eye goes.
    pub preview: Option<&'a Path>,
    /// The sums of the picture as a former run wrote it.
    pub noted: Option<&'a [String]>,
    /// The target, however its lights spell it.
    pub object: Option<&'a str>,
    /// The filter, however its lights spell it.
    pub filter: Option<&'a str>,
}

impl Arranged<'_> {
    /// Writes each used light alone, on the pixels of the reference, to the file that `name` gives
    /// for its index; a file that stands there and is current is left as it is.
    ///
    /// # Errors
    /// When a light cannot be read, a picture cannot be written, or the work is cancelled.
    pub fn write_registered(
        &self,
        name: &dyn Fn(usize) -> PathBuf,
        context: &Context<'_>,
    ) -> Result<()> {
        let alone = Integration {
            maps: false,
            weight: Weight::None,
            drizzle: None,
            crop: false,
            local: false,
            ..self.how
        };
        let recipe = Recipe { reject: Reject::None, combine: Combine::Mean };
        for (i, (light, part)) in self.lights.iter().zip(&self.parts).enumerate() {
            if !part.used {
                continue;
            }
            let transform = part.registration.as_ref().map(|r| r.transform);
            let inputs = vec![Input::new("light", light.path(), light.light.hash)];
            let reference = self.reference.light.hash.to_string();
            // A raw light's samples are those of its masters too.
            let calibration = light.calibrated.as_ref().map(|c| &c.key);
            let parameters = json!({
                "reference": reference,
                "transform": transform,
                "calibration": calibration,
                "missing": "background",
            });
            let provenance = Provenance::new("registered light", inputs, parameters);
            let path = name(i);
            let folder = folder_of(&path);
            if room_for(&path, &provenance)? == Standing::Current {
                continue;
            }
            // At its own level: it is a light still.
            let levels = vec![Affine::IDENTITY; part.normalisation.len()];
            let part = LightPart { normalisation: levels, trails: Vec::new(), ..part.clone() };
            let used = [(light, &part)];
            let size = self.reference.size();
            let Combined { stacked, shared, with_errors, .. } =
                combined(&used, (self.reference, size, &[]), (alone, recipe), folder, context)?;
            let applied = light.metadata.applied;
            let mut frames: Vec<Frame> =
                stacked.into_iter().map(|s| frame(s, applied, with_errors)).collect();
            let mut header = registered_header(&self.reference.header, &light.header);
            if let Some(shared) = &shared {
                shared.write_beyond(&mut header);
            }
            let mut steps =
                vec![format!("registered to {}, interpolated once", self.reference.name())];
            fill(&mut frames, &mut header, &mut steps);
            let product = Product {
                path: &path,
                frames: &frames.iter().collect::<Vec<_>>(),
                header,
                sample: Sample::F32,
                maps: &[],
                provenance: &provenance,
                steps,
            };
            product.write_while(&[], context)?;
        }
        Ok(())
    }

    /// Stacks the lights into a picture at `path`, and one for the eye beside it where that is asked for. What
    /// stands there is kept aside where its sums are not those that were noted.
    ///
    /// # Errors
    /// When a light cannot be read, the picture cannot be written, or the work is cancelled.
    pub(super) fn stack(
        self,
        path: &Path,
        Asked { preview, noted, object, filter }: Asked<'_>,
        provenance: &Provenance,
        context: &Context<'_>,
    ) -> Result<Integrated> {
        // What Photosite did not make is left alone, before any work is done for it.
        room_for(path, provenance)?;
        let scale_variance = self.scale_variance();
        let Self { lights, reference, level, how, parts, mut findings } = self;
        // A picture for the eye that is not ours stays, and the stack is made all the same.
        let taken = preview.and_then(|png| Some((png, room_for_preview(png).err()?)));
        findings.extend(taken.iter().map(|(png, e)| Finding::of(e, shown(png))));
        let preview = preview.filter(|_| taken.is_none());
        let used: Vec<(&SurveyedLight, &LightPart)> =
            lights.iter().zip(&parts).filter(|(_, part)| part.used).collect();
        findings.extend(walking(lights, &parts, reference.size()));
        let recipe =
            how.recipe(used.len(), common_noise(used.iter().map(|(light, _)| &light.metadata)))?;
        let size = how.picture_size(reference.size());
        let Combined { mut stacked, part, shared, with_errors } = combined(
            &used,
            (reference, size, &level.levels),
            (how, recipe),
            folder_of(path),
            context,
        )?;
        let rejected = Rejected {
            low: stacked.iter().map(|s| s.rejected_low).sum(),
            high: stacked.iter().map(|s| s.rejected_high).sum(),
        };
        let maps: Vec<Maps> = stacked.iter_mut().filter_map(|s| s.maps.take()).collect();
        let applied = reference.metadata.applied;
        for (plane, sky) in stacked.iter_mut().zip(&level.levels) {
            add_scale_error(plane, *sky, scale_variance);
        }
        let mut frames: Vec<Frame> =
            stacked.into_iter().map(|s| frame(s, applied, with_errors)).collect();
        let exposures: Option<Vec<f64>> = used.iter().map(|(l, _)| l.metadata.exposure_s).collect();
        let exposure_s = exposures.map(|e| e.iter().sum());
        let told: Vec<StackedHeader<'_>> = used
            .iter()
            .map(|(light, part)| StackedHeader {
                header: &light.header,
                metadata: &light.metadata,
                scale: part.flux_on_grid(reference.size()),
                weight: part.weight,
            })
            .collect();
        let header = stack_header(&reference.header, &told, recipe, rejected, how.scale());
        let mut header = picture_header(&header, part, (0.0, 0.0), 1.0);
        for (key, name, comment) in [("OBJECT", object, "target"), ("FILTER", filter, "filter")] {
            if let Some(name) = name.filter(|_| header.get_text(key).is_none()) {
                header.set_text(key, name, comment);
            }
        }
        let levelled = level.metadata.exposure_s.filter(|_| how.normalise != Normalise::None);
        if let Some(exposure_s) = levelled {
            let comment = "[s] exposure of the light at whose level it is";
            header.set(Card::real("EXPOSURE", exposure_s, comment));
        }
        if let Some(shared) = &shared {
            shared.write_beyond(&mut header);
        }
        if scale_variance > 0.0 {
            let comment = "relative error that all fluxes share";
            header.set(Card::real(SCALE_ERROR, scale_variance.sqrt(), comment));
        }
        PlaceErrors::of(&used, how).write(&mut header);
        let mut steps = sentences(how, &parts, recipe, rejected);
        let filled = fill(&mut frames, &mut header, &mut steps);
        let pixels = frames.len() * frames[0].size().pixels();
        if filled as f64 > HOLES_SHARE * pixels as f64 {
            let drizzled = self.how.drizzle.is_some();
            findings.push(holes(path, filled as f64 / pixels as f64, drizzled));
        }
        let product = Product {
            path,
            frames: &frames.iter().collect::<Vec<_>>(),
            header,
            sample: Sample::F32,
            maps: &maps,
            provenance,
            steps,
        };
        let for_the_eye = || {
            let Some(png) = preview else { return Ok(()) };
            let planes: Vec<&Plane<f32>> = frames.iter().map(|f| &f.data).collect();
            let top_down = reference.metadata.row_order == Some(RowOrder::TopDown);
            write_preview(&planes, top_down, png, None, Linked::No)
        };
        findings.extend(kept_aside(path, noted)?);
        let seen = Mutex::new(Ok(()));
        let look = || *seen.lock().expect("no holder panics") = for_the_eye();
        product.write_while(&[&look], context)?;
        seen.into_inner().expect("no holder panics")?;
        let planes = frames.len();
        let middle = planes / 2;
        let seen = frames.swap_remove(middle);
        let gain_e = reference.metadata.gain_e_per_adu.map(|g| g.e_per_adu());
        let shared = shared.as_ref().map_or(1.0, |shared| shared.of(middle));
        let criteria = Criteria { shared, ..Criteria::default() };
        let field = find_stars(&seen.data, &seen.mask, gain_e, criteria, context)?;
        let comparable = how.drizzle.is_none() && !how.recipe.keeps_all();
        findings.extend(cut_off(&used, reference.size(), &shown(path)));
        let stars_kept = comparable.then(|| StarsKept::of(&used, &field, part)).flatten();
        if stars_kept.is_some_and(StarsKept::lost_some) {
            // By rejection, or because stars of lights are measured otherwise: the lights without it tell.
            let layers = open(&used, (reference, size), how, folder_of(path), context)?;
            let shares = Shares::of(&used, planes);
            let terms = shares.terms(how, recipe, None);
            let taken = Taken::of(&layers, (recipe, terms), (&seen.data, middle, part), &field)?;
            findings.extend(taken.and_then(|taken| taken.finding(&shown(path))));
        }
        let (with_stars_adu, noise_adu) = noise_of(seen, &field);
        Ok(Integrated {
            path: path.to_owned(),
            key: provenance.key(),
            reference: reference.path().to_owned(),
            exposure_s,
            reject: recipe.reject.name(),
            rejected_low: rejected.low,
            rejected_high: rejected.high,
            trails: masked_trails(&parts),
            noise_adu,
            noise_gain: level.block_noise / with_stars_adu,
            fwhm_px: field.fwhm_px,
            stars: field.stars.len(),
            stars_kept,
            lights: parts,
            findings,
        })
    }
}

/// A plane of a picture, with a variance where that is known.
fn frame(stacked: Stacked, applied: Applied, with_variance: bool) -> Frame {
    Frame {
        data: stacked.value,
        variance: with_variance.then_some(stacked.variance),
        mask: stacked.mask,
        unit: Unit::Adu,
        applied,
    }
}

/// Adds to the variance what the flux scales of the lights are uncertain by: it is common to all
/// pixels, and as large as the light above the sky.
fn add_scale_error(stacked: &mut Stacked, sky: f64, relative: f64) {
    if relative > 0.0 {
        let (sky, relative) = (sky as f32, relative as f32);
        let pixels = stacked.variance.as_mut_slice().iter_mut().zip(stacked.value.as_slice());
        pixels.for_each(|(variance, v)| *variance += relative * (v - sky) * (v - sky));
    }
}

/// The noise of a picture as blocks of 4 x 4 pixels show it where samples are not missing, stars and all, as
/// that of lights is known; and beside stars: those that a light's noise hides stand out of a stack's.
fn noise_of(picture: Frame, field: &StarField) -> (f64, f64) {
    let Frame { mut data, mask, variance, .. } = picture;
    let missing = mask.as_slice().iter().map(|m| m.intersects(MaskBits::NO_DATA));
    let holes = data.as_mut_slice().iter_mut().zip(missing).filter(|(_, missing)| *missing);
    holes.for_each(|(v, _)| *v = f32::NAN);
    let Size { width, height } = data.size();
    let with_stars = stat::noise_of_blocks(data.as_slice(), width);
    // What lights scatter by: where stars crowd, the field's noise is theirs too.
    let scatter2 = variance.map_or(f32::NAN, |v| stat::median_at_a_glance(v.as_slice()));
    let noise = field.noise.min(f64::from(scatter2).sqrt());
    for star in &field.stars {
        // Where a Gaussian has fallen to a twentieth of the noise; wings reach further than its.
        let falls = (2.0 * (20.0 * star.peak / noise).max(1.0).ln()).sqrt();
        let reach = (0.6 * falls).max(1.5) * star.fwhm_px;
        if !reach.is_finite() {
            continue;
        }
        let rows = |at: f64, end: usize| {
            let from = (at - reach).max(0.0) as usize;
            from..((at + reach).max(0.0) as usize + 1).min(end)
        };
        for y in rows(star.y, height) {
            let half = (reach * reach - (y as f64 - star.y).powi(2)).max(0.0).sqrt();
            let from = ((star.x - half).max(0.0) as usize).min(width);
            let to = ((star.x + half).max(0.0) as usize + 1).clamp(from, width);
            data.row_mut(y)[from..to].fill(f32::NAN);
        }
    }
    let noise = stat::noise_of_blocks(data.as_slice(), width);
    // Where stars are everywhere, nothing is left beside them.
    (with_stars, if noise.is_finite() { noise } else { with_stars })
}

/// A stack of which more than this share has no sample is reported.
const HOLES_SHARE: f64 = 0.01;

fn holes(path: &Path, share: f64, drizzled: bool) -> Finding {
    let message = format!(
        "no light has a sample in {:.1} % of this stack; those holes were filled with the background \
         and marked NO_DATA",
        100.0 * share
    );
    Finding::new("stack-holes", Severity::Warning, shown(path), message)
        .hint(match drizzled {
            true => {
                "Drizzle with larger drops (--pixfrac) or on a coarser grid, or cut it with --crop."
            }
            false => "Cut it with --crop.",
        })
        .with("share", share)
}

/// Puts the background where no light has a sample, for programs that do not know NaN; the mask
/// says NO_DATA there, header and steps how many pixels that were. Gives their number.
fn fill(frames: &mut [Frame], header: &mut Header, steps: &mut Vec<String>) -> usize {
    let one = |frame: &mut Frame| {
        let background = stat::median(frame.data.as_slice());
        if background.is_finite() { frame.fill_missing(background) } else { 0 }
    };
    let filled: usize = frames.iter_mut().map(one).sum();
    if filled > 0 {
        let comment = "pixels no light covers: background, DQ set";
        header.set(Card::integer("PSFILL", filled as i64, comment));
        steps.push(format!("{filled} pixels without data filled with the background (see DQ)"));
    }
    filled
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn sentences(
    how: Integration,
    parts: &[LightPart],
    recipe: Recipe,
    rejected: Rejected,
) -> Vec<String> {
    let laid = match how.register {
        Some(Alignment::Stars) => "registered to the reference by stars",
        Some(Alignment::Wcs) => "registered to the reference by world coordinates",
        None => "not registered",
    };
    let laid = match how.drizzle {
        None if how.register.is_some() => format!("{laid}, interpolated once (Lanczos 4)"),
        None => laid.to_owned(),
        Some(Drizzle { scale, drop, cfa }) => {
            let colours = if cfa { ", each colour separately" } else { "" };
            format!("{laid}, drizzled at scale {scale}, pixfrac {drop}{colours}")
        }
    };
    let weight = json!(how.weight);
    let count = parts.iter().filter(|p| p.used).count();
    let mut out = vec![
        format!("{count} lights {laid}"),
        format!(
            "normalisation {}, weights {}",
            if how.local { "local" } else { how.normalise.name() },
            weight.as_str().unwrap_or("none")
        ),
        format!(
            "combined by {}, rejection {}: {} samples low, {} high",
            recipe.combine.name(),
            recipe.reject.name(),
            rejected.low,
            rejected.high
        ),
    ];
    out.extend(trails_sentence(parts));
    for left_out in parts.iter().filter(|p| !p.used) {
        let name = left_out.path.file_name().unwrap_or_default().to_string_lossy();
        out.push(format!("left out: {name}"));
    }
    out
}
