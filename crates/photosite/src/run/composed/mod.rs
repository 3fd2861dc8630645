//! Pictures through several filters made one colour picture.

mod names;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use photosite_file::fits::Sample;
use photosite_pix::align::{Alignment, Point, Transform};
use photosite_pix::stars::{Criteria, Mesh};
use photosite_pix::wcs::Wcs;
use photosite_pix::{Frame, RowOrder, Size};
use serde::Serialize;
use serde_json::json;

use crate::colour::compose::{
    Balance, Formula, Palette, balance, common_sky, lay, mixed, recoloured, with_luminance,
};
use crate::correlation::Correlation;
use crate::finding::Severity;
use crate::header::{ComposedChannel, composed_header};
use crate::measure::{StarField, SurveyedLight, background, find_stars, offer_files, survey};
use crate::preview::{Linked, room_for_preview, write_preview};
use crate::product::{Product, Standing, fits_name, room_for};
use crate::provenance::{Input, Provenance};
use crate::register::lay_over;
use crate::run::mixed::other_targets;
use crate::stack::ReadBuffers;
use crate::work::Context;
use crate::{Error, Finding, Result, provenance};
use names::{Names, Recipe, names, recipe};

/// The schema of what `compose --json` prints.
pub const COMPOSE_SCHEMA: &str = "photosite.compose/1";

/// A picture, and what it is called where its header does not say it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedPicture {
    /// Its filter: L, R, G, B, Ha, OIII, SII, or a name that formulas use.
    pub name: Option<String>,
    /// Where it lies.
    pub path: PathBuf,
}

/// Pictures to be made one colour picture.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ComposeRequest<'a> {
    /// The pictures: one a filter, or a luminance and a colour picture.
    pub pictures: &'a [NamedPicture],
    /// Where the colour picture goes.
    pub output: &'a Path,
    /// What they become; by their filters where it is not said.
    pub palette: Option<Palette>,
    /// Red, green and blue of formulas; of the palette where there are none.
    pub formulas: Option<[Formula; 3]>,
    /// The luminance, for formulas.
    pub luminance: Option<Formula>,
    /// Whether channels are balanced by stars.
    pub balance: bool,
}

impl<'a> ComposeRequest<'a> {
    /// A colour picture as the filters of the pictures suggest it.
    pub fn new(pictures: &'a [NamedPicture], output: &'a Path) -> Self {
        Self { pictures, output, palette: None, formulas: None, luminance: None, balance: true }
    }
}

/// A channel of a colour picture.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ComposedPart {
    /// `red`, `green`, `blue` or `luminance`.
    pub channel: &'static str,
    /// What it is made of.
    pub formula: String,
    /// The level of its sky before, in ADU.
    pub sky_adu: f64,
    /// What balances its stars; `None` where nothing was balanced.
    #[serde(flatten)]
    pub balance: Option<Balance>,
}

/// A colour picture on disk.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Composed {
    /// The kind of account this is.
    pub schema: &'static str,
    /// Where it lies.
    pub path: PathBuf,
    /// The picture for the eye beside it; `None` where a file that is not ours is in its place.
    pub preview: Option<PathBuf>,
    /// It stood there already, made of the same pictures in the same way.
    pub reused: bool,
    /// The palette, or `formula`.
    pub palette: String,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The level of its neutral background, in ADU.
    pub background_adu: f64,
    /// Its channels.
    pub channels: Vec<ComposedPart>,
    /// What was found on the way.
    pub findings: Vec<Finding>,
}

/// One filter's picture on the common grid, its sky at 0.
struct Filtered {
    frame: Frame,
    sky_adu: f64,
    shared: Option<Correlation>,
}

/// Makes one colour picture of pictures through several filters, and a picture for the eye beside it.
///
/// Pictures are registered by their stars to the luminance, or to the first; those that share a grid
/// already are not interpolated. Every channel has the same sky afterwards, and the typical star no
/// colour, unless that is not wanted. Nothing is stretched: samples stay linear in the light.
///
/// # Errors
/// When a picture cannot be read, is under a filter array, has no name that the palette or the formulas
/// ask for, or cannot be registered; when the product cannot be written, or the work is cancelled.
pub fn compose(request: &ComposeRequest<'_>, context: &Context<'_>) -> Result<Composed> {
    fits_name(request.output)?;
    let paths: Vec<PathBuf> = request.pictures.iter().map(|p| p.path.clone()).collect();
    let (offered, mut findings) = offer_files(&paths, context)?;
    if offered.len() < request.pictures.len() {
        return Err(missing(&findings, paths.len() - offered.len()));
    }
    let (surveyed, refused) = survey(&offered, false, None, context)?;
    findings.extend(refused);
    if surveyed.len() < offered.len() {
        return Err(missing(&findings, offered.len() - surveyed.len()));
    }
    if let Some(light) = surveyed.iter().find(|l| l.mosaic().is_some()) {
        return Err(Error::mismatch(
            "is under a colour filter array; debayer it, or extract its lines, first",
        )
        .about(light.path()));
    }
    findings.extend(other_targets(&surveyed));
    let (names, by_order) = names(request.pictures, &surveyed, request.palette)?;
    findings.extend(by_order);
    let Recipe { name, rgb, luminance } = recipe(request, &names)?;
    // The picture whose detail counts most keeps its pixels.
    let (reference, _) = names[&luminance.as_ref().unwrap_or(&rgb[0]).terms()[0].1];
    let inputs =
        surveyed.iter().map(|l| Input::new("picture", &l.light.path, l.light.hash)).collect();
    let called: Vec<_> = names
        .iter()
        .map(|(name, (i, plane))| json!([name, surveyed[*i].light.hash.to_string(), plane]))
        .collect();
    let channels: Vec<String> = rgb.iter().chain(&luminance).map(Formula::to_string).collect();
    let parameters = json!({
        "picture": name,
        "channels": channels,
        "names": called,
        "balance": request.balance,
    });
    let provenance = Provenance::new("colour picture", inputs, parameters);
    let stands = room_for(request.output, &provenance)?;
    let png = request.output.with_extension("png");
    let taken = room_for_preview(&png).err();
    findings.extend(taken.iter().map(|e| Finding::of(e, png.display().to_string())));
    let task = Task { lights: &surveyed, names: &names, reference, balance: request.balance };
    let mut made = task.make((&rgb, luminance.as_ref()), context)?;
    findings.append(&mut made.findings);
    let letters = ['R', 'G', 'B', 'L'];
    let channels: Vec<ComposedChannel<'_>> = letters
        .into_iter()
        .zip(&made.parts)
        .map(|(letter, part)| ComposedChannel {
            letter,
            formula: &part.formula,
            scale: part.balance.map_or(1.0, |b| b.scale),
        })
        .collect();
    let headers: Vec<_> = surveyed.iter().map(|l| &l.header).collect();
    let mut header = composed_header(&surveyed[reference].header, &headers, &name, &channels);
    if let Some(shared) = &made.shared {
        shared.write_beyond(&mut header);
    }
    let mut steps = vec![format!(
        "{name}: red {}, green {}, blue {}{}",
        rgb[0],
        rgb[1],
        rgb[2],
        luminance.as_ref().map_or_else(String::new, |l| format!(", luminance {l}"))
    )];
    steps.push(format!("background neutral at {:.3} ADU", made.background_adu));
    steps.extend(made.parts.iter().filter_map(|part| {
        let b = part.balance?;
        Some(format!("{} times {:.4} by {} stars", part.channel, b.scale, b.stars))
    }));
    let size = made.frames[0].size();
    let top_down = surveyed[reference].metadata.row_order == Some(RowOrder::TopDown);
    if stands != Standing::Current {
        Product {
            path: request.output,
            frames: &made.frames.iter().collect::<Vec<_>>(),
            header,
            sample: Sample::F32,
            maps: &[],
            provenance: &provenance,
            steps,
        }
        .write_while(&[], context)?;
    }
    if taken.is_none() {
        let planes: Vec<_> = made.frames.iter().map(|f| &f.data).collect();
        write_preview(&planes, top_down, &png, None, Linked::Yes)?;
    }
    Ok(Composed {
        schema: COMPOSE_SCHEMA,
        path: request.output.to_owned(),
        preview: taken.is_none().then_some(png),
        reused: stands == Standing::Current,
        palette: name,
        width: size.width,
        height: size.height,
        background_adu: made.background_adu,
        channels: made.parts,
        findings,
    })
}

/// That a picture is missing without which there is no colour.
fn missing(findings: &[Finding], count: usize) -> Error {
    let why = findings.first().map_or(String::new(), |f| format!(": {}: {}", f.subject, f.message));
    let pictures = if count == 1 { "a picture" } else { "pictures" };
    Error::mismatch(format!("{pictures} cannot be used, and colours need all of them{why}"))
}

/// What there is to do: pictures, what they are called, and the one on whose pixels they go.
struct Task<'a> {
    lights: &'a [SurveyedLight],
    names: &'a Names,
    reference: usize,
    balance: bool,
}

/// The colour picture, in memory.
struct Made {
    frames: [Frame; 3],
    parts: Vec<ComposedPart>,
    background_adu: f64,
    shared: Option<Correlation>,
    findings: Vec<Finding>,
}

impl Task<'_> {
    fn make(
        &self,
        (rgb, luminance): (&[Formula; 3], Option<&Formula>),
        context: &Context<'_>,
    ) -> Result<Made> {
        let reference = &self.lights[self.reference];
        let (placed, mut findings) = lay_over(self.lights, reference, Alignment::Stars, context)?;
        let lies_apart = |i: usize| placed[i].is_none() && !share_grid(&self.lights[i], reference);
        if let Some(lost) = (0..placed.len()).find(|i| lies_apart(*i)) {
            let why = findings.first().map_or("", |f| &f.message);
            return Err(Error::mismatch(format!(
                "cannot be laid over {}: {why}",
                reference.name()
            ))
            .about(self.lights[lost].path()));
        }
        // What has no stars, or none in common, and lies on the same grid anyway.
        findings.retain(|f| f.code != "registration-failed");
        let size = reference.size();
        let used = rgb.iter().chain(luminance).flat_map(Formula::terms);
        let mut filtered: BTreeMap<&str, Filtered> = BTreeMap::new();
        for (_, name) in used {
            if filtered.contains_key(name.as_str()) {
                continue;
            }
            let (i, plane) = self.names[name];
            let transform = placed[i].as_ref().map_or(Transform::IDENTITY, |r| r.transform);
            filtered.insert(name, self.filtered((i, plane), &transform, size, context)?);
        }
        take_sky_off(&mut filtered, context)?;
        let channel = |formula: &Formula| {
            let of = |name: &String| &filtered[name.as_str()];
            let parts: Vec<(f64, &Frame)> =
                formula.terms().iter().map(|(part, name)| (*part, &of(name).frame)).collect();
            let sky = formula.terms().iter().map(|(part, name)| part * of(name).sky_adu).sum();
            (mixed(&parts), sky)
        };
        let mut parts = Vec::new();
        let mut frames = Vec::new();
        for (name, formula) in ["red", "green", "blue"].into_iter().zip(rgb) {
            let (frame, sky_adu) = channel(formula);
            frames.push(frame);
            parts.push(ComposedPart {
                channel: name,
                formula: formula.to_string(),
                sky_adu,
                balance: None,
            });
        }
        let background_adu = parts[1].sky_adu;
        let mut frames: [Frame; 3] =
            frames.try_into().map_err(|_| Error::bug("three channels are not three"))?;
        if self.balance {
            findings.extend(self.balance_channels(&mut frames, &mut parts, context)?);
        }
        if let Some(formula) = luminance {
            let (mut light, sky_adu) = channel(formula);
            let mean = mixed(&frames.each_ref().map(|f| (1.0 / 3.0, f)));
            let (own, wanted) = (self.stars(&light, context)?, self.stars(&mean, context)?);
            let found = balance((&light, &own), (&mean, &wanted));
            match found {
                Some(found) => light.rescale(found.scale, 0.0),
                None => findings.push(unbalanced(reference, "the luminance")),
            }
            let before = self.stars_of_all(&frames, context)?;
            with_luminance(&mut frames, &light);
            let after = self.stars_of_all(&frames, context)?;
            findings.extend(unlike_seeing(reference, &frames, (&before, &after)));
            let formula = formula.to_string();
            parts.push(ComposedPart { channel: "luminance", formula, sky_adu, balance: found });
        }
        for frame in &mut frames {
            frame.rescale(1.0, background_adu);
            // Programs that people open pictures with know no NaN.
            frame.fill_missing(background_adu as f32);
        }
        // Errors of some colours would be taken for those of all.
        if frames.iter().any(|f| f.variance.is_none()) {
            frames.iter_mut().for_each(|f| f.variance = None);
        }
        let shared = filtered.into_values().find_map(|f| f.shared);
        Ok(Made { frames, parts, background_adu, shared, findings })
    }

    /// A plane of a picture on the common grid, with its sky.
    fn filtered(
        &self,
        (i, plane): (usize, usize),
        transform: &Transform,
        size: Size,
        context: &Context<'_>,
    ) -> Result<Filtered> {
        let light = &self.lights[i];
        let frame = light.light.with_variance(&mut ReadBuffers::default())?.swap_remove(plane);
        light.light.unchanged()?;
        let (frame, shared) = lay(&frame, transform, size, context)?;
        Ok(Filtered { frame, sky_adu: light.levels[plane], shared })
    }

    fn stars(&self, frame: &Frame, context: &Context<'_>) -> Result<StarField> {
        find_stars(&frame.data, &frame.mask, None, Criteria::default(), context)
    }

    fn stars_of_all(&self, frames: &[Frame; 3], context: &Context<'_>) -> Result<Vec<StarField>> {
        frames.iter().map(|f| self.stars(f, context)).collect()
    }

    /// Brings red and blue to green by their stars.
    fn balance_channels(
        &self,
        frames: &mut [Frame; 3],
        parts: &mut [ComposedPart],
        context: &Context<'_>,
    ) -> Result<Option<Finding>> {
        let fields = self.stars_of_all(frames, context)?;
        let mut unlike = None;
        for k in 0..3 {
            // Two channels of one picture are alike.
            let found = balance((&frames[k], &fields[k]), (&frames[1], &fields[1]));
            parts[k].balance = found;
            if found.is_none() {
                unlike = Some(unbalanced(&self.lights[self.reference], parts[k].channel));
            }
        }
        if unlike.is_some() {
            parts.iter_mut().for_each(|part| part.balance = None);
            return Ok(unlike);
        }
        for (frame, part) in frames.iter_mut().zip(parts) {
            frame.rescale(part.balance.map_or(1.0, |b| b.scale), 0.0);
        }
        Ok(None)
    }
}

/// Pixels by which two grids of the same sky may differ.
const SAME_GRID_PX: f64 = 0.02;

/// Whether two pictures lie on one grid by what their headers say: the same sky under every pixel, or the
/// same lights that the grid was chosen from.
fn share_grid(picture: &SurveyedLight, reference: &SurveyedLight) -> bool {
    let size = reference.size();
    if picture.size() != size {
        return false;
    }
    if let (Ok(own), Ok(theirs)) = (Wcs::read(&picture.header), Wcs::read(&reference.header)) {
        let [right, top] = [size.width, size.height].map(|n| n.saturating_sub(1) as f64);
        let corners =
            [(0.0, 0.0), (right, 0.0), (0.0, top), (right, top), (right / 2.0, top / 2.0)];
        return corners.iter().all(|&(x, y)| {
            let at = Point::new(x, y);
            own.to_pixel(theirs.to_sky(at)).is_some_and(|p| p.distance(at) < SAME_GRID_PX)
        });
    }
    let of_run = |light: &SurveyedLight| {
        let told = provenance::read(light.path()).ok()?.parameters;
        let grid = told.get("grid")?.clone();
        Some((grid, told.get("reference").cloned()))
    };
    of_run(picture).is_some_and(|own| of_run(reference) == Some(own))
}

/// Brings the sky of every picture to 0; it is measured at the same places in all of them.
fn take_sky_off(filtered: &mut BTreeMap<&str, Filtered>, context: &Context<'_>) -> Result<()> {
    let meshes: Vec<Mesh> = filtered
        .values()
        .map(|f| background(&f.frame.data, &f.frame.mask, context))
        .collect::<Result<_>>()?;
    let pictures: Vec<_> = filtered.values().map(|f| &f.frame).zip(&meshes).collect();
    let found = common_sky(&pictures);
    for (i, one) in filtered.values_mut().enumerate() {
        one.sky_adu = found.as_ref().map_or(one.sky_adu, |levels| levels[i]);
        one.frame.rescale(1.0, -one.sky_adu);
    }
    Ok(())
}

/// Colours of stars that a luminance changed by more than this share, and so many of its errors, are told.
const RECOLOURED: f64 = 0.04;
const SURE: f64 = 4.0;

/// That the luminance changed the colours of stars: its stars, or those of the channels, are of unlike widths.
fn unlike_seeing(
    reference: &SurveyedLight,
    frames: &[Frame; 3],
    (before, after): (&[StarField], &[StarField]),
) -> Option<Finding> {
    let by_green = |k: usize| {
        let [was, is] = [before, after].map(|of| [(&frames[k], &of[k]), (&frames[1], &of[1])]);
        recoloured(was, is).filter(|(times, error)| {
            (times - 1.0).abs() > RECOLOURED && times.ln().abs() > SURE * error
        })
    };
    let told: Vec<String> = [(0, "red"), (2, "blue")]
        .into_iter()
        .filter_map(|(k, name)| Some(format!("{name} {:+.0} %", 100.0 * (by_green(k)?.0 - 1.0))))
        .collect();
    if told.is_empty() {
        return None;
    }
    let widths: Vec<String> = before
        .iter()
        .map(|field| field.fwhm_px.map_or_else(|| "?".to_owned(), |width| format!("{width:.2}")))
        .collect();
    let message = format!(
        "the luminance changed the colours of stars beside green: {}; in red, green and blue stars are {} px wide, and a \
         star keeps its colours under a luminance only where these are alike",
        told.join(", "),
        widths.join(", ")
    );
    let subject = reference.path().display().to_string();
    let finding = Finding::new("compose-unlike-seeing", Severity::Warning, subject, message);
    Some(finding.hint(
        "Compose red, green and blue without the luminance where colours of stars matter, or keep the sharpest lights \
         of the widest: --keep-best.",
    ))
}

/// That there are too few stars to balance channels by.
fn unbalanced(reference: &SurveyedLight, what: &str) -> Finding {
    let message = format!(
        "too few unsaturated stars are in common to balance {what} by; the channels keep the light that they have"
    );
    let subject = reference.path().display().to_string();
    Finding::new("compose-unbalanced", Severity::Warning, subject, message)
        .hint("Balance them in the program you stretch with, or give deeper pictures.")
}
