//! Frames under a colour filter array made into pictures, and lines taken out of them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use photosite_file::fits::Sample;
use photosite_file::{Format, keyword};
use photosite_pix::debayer::{Debayer, Method};
use photosite_pix::stat::{self, Summary};
use photosite_pix::warp::Window;
use photosite_pix::{Card, CfaColor, CfaPattern, Frame, Header, MaskBits, Plane, Rect, Size, Unit};
use serde::Serialize;
use serde_json::json;

use super::{Context, Product, Standing, for_each, standing};
use crate::header::picture_header;
use crate::inventory::{full_scale_adu, used_region};
use crate::open::{probe, read_frame, read_frames};
use crate::provenance::{ContentHash, Input, Provenance};
use crate::{Error, Result};

/// What is taken out of a frame under a colour filter array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extract {
    /// Hydrogen alpha at 656 nm: the red samples.
    Ha,
    /// Doubly ionised oxygen at 496 and 501 nm: green and blue.
    Oiii,
    /// Both, in two files.
    HaOiii,
    /// The green samples.
    Green,
}

/// A picture on disk.
#[derive(Debug, Clone, Serialize)]
pub struct ColourProduct {
    /// Where it lies.
    pub path: PathBuf,
    /// It stood there already, made of the same frame in the same way.
    pub reused: bool,
    /// How it was made.
    pub method: String,
    /// The colour filter array over the part of the frame that was used.
    pub cfa: CfaPattern,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Its planes.
    pub planes: Vec<PlaneSummary>,
}

/// One plane of a picture, described.
#[derive(Debug, Clone, Serialize)]
pub struct PlaneSummary {
    /// `red`, `green`, `blue`, or the name of a line.
    pub plane: &'static str,
    /// Its samples, those of the mask among them.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A frame under its array, ready to be taken apart.
struct Mosaic {
    path: PathBuf,
    hash: ContentHash,
    frame: Frame,
    header: Header,
    /// The part of the file that is used, where it is not all.
    region: Option<Rect>,
    cfa: CfaPattern,
}

/// Makes a colour picture of a frame under a colour filter array: red, green and blue, with ERR where
/// the frame has it, and DQ.
///
/// Pixels that the mask makes holes serve no neighbour, and keep what they measured in the plane of
/// their own colour. Without a method the one that suits the array is taken ([`Method::auto`]).
///
/// # Errors
/// When the frame cannot be read, has no array or several planes, the method does not suit, the
/// product cannot be written, or the work is cancelled.
pub fn debayer_file(
    input: &Path,
    output: &Path,
    method: Option<Method>,
    context: &Context<'_>,
) -> Result<ColourProduct> {
    let mosaic = read_mosaic(input, &[output])?;
    let method = method.unwrap_or_else(|| Method::auto(mosaic.cfa));
    let debayer = Debayer::new(mosaic.cfa, method)
        .map_err(|e| Error::request(format!("{}: {e}", input.display())))?;
    let provenance = Provenance::new(
        "debayered frame",
        vec![Input::new("frame", input, mosaic.hash)],
        json!({ "method": method, "cfa": mosaic.cfa }),
    );
    let step = debayer.step();
    let names = CfaColor::ALL.map(CfaColor::name);
    let product = ColourProduct {
        path: output.to_owned(),
        reused: standing(output, &provenance.key())? == Standing::Current,
        method: method.name().to_owned(),
        cfa: mosaic.cfa,
        width: 0,
        height: 0,
        planes: Vec::new(),
    };
    if product.reused {
        let (frames, _) = read_frames(output)?;
        return Ok(described(product, &names, &frames, step));
    }
    let frames = planes(&mosaic, &debayer, context)?;
    let middle = (step as f64 - 1.0) / 2.0;
    let mut header = picture_header(&mosaic.header, mosaic.region, (middle, middle), step as f64);
    header.set(Card::string("PSDEBAYE", method.name(), "how colours were made"));
    Product {
        path: output,
        frames: &[&frames[0], &frames[1], &frames[2]],
        header,
        sample: Sample::F32,
        maps: None,
        provenance: &provenance,
        steps: vec![format!("colours of {} by the method {}", mosaic.cfa, method.name())],
    }
    .write_while(&[], context)?;
    Ok(described(product, &names, &frames, step))
}

/// Takes one colour, or a line, out of a frame under a colour filter array: a monochrome frame of
/// half the width and height (a third under X-Trans), with ERR where the frame has it, and DQ.
///
/// Nothing is interpolated: each pixel is the mean of the samples of its cell. Samples of one colour
/// share one noise, so that mean is the one by noise as well. OIII is green and blue by the inverse
/// of their variances, blue brought to the level of green: where one is missing the other stands
/// for both, marked SUSPECT. The weights are one pair a frame, so that the result stays linear in
/// the light; the scale of blue is left alone, because what would amplify blue's signal would
/// amplify its noise. Both files of Ha and OIII have one size; their world coordinates differ by
/// where in the cell the samples lie.
///
/// # Errors
/// When the frame cannot be read, has no array or several planes, a product cannot be written, or
/// the work is cancelled.
pub fn extract(
    input: &Path,
    output: &Path,
    what: Extract,
    context: &Context<'_>,
) -> Result<Vec<ColourProduct>> {
    let targets: Vec<(Extract, PathBuf)> = match what {
        Extract::HaOiii => {
            vec![(Extract::Ha, beside(output, "ha")), (Extract::Oiii, beside(output, "oiii"))]
        }
        one => vec![(one, output.to_owned())],
    };
    let outputs: Vec<&Path> = targets.iter().map(|(_, path)| path.as_path()).collect();
    let mosaic = read_mosaic(input, &outputs)?;
    let debayer = Debayer::new(mosaic.cfa, Method::Superpixel)
        .map_err(|e| Error::request(format!("{}: {e}", input.display())))?;
    let mut made = None;
    let mut products = Vec::new();
    for (line, path) in targets {
        products.push(extract_one(&mosaic, &debayer, line, &path, &mut made, context)?);
    }
    Ok(products)
}

fn extract_one(
    mosaic: &Mosaic,
    debayer: &Debayer,
    line: Extract,
    path: &Path,
    made: &mut Option<[Frame; 3]>,
    context: &Context<'_>,
) -> Result<ColourProduct> {
    let name = match line {
        Extract::Ha | Extract::HaOiii => "Ha",
        Extract::Oiii => "OIII",
        Extract::Green => "Green",
    };
    let provenance = Provenance::new(
        format!("extracted {name}"),
        vec![Input::new("frame", &mosaic.path, mosaic.hash)],
        json!({ "cfa": mosaic.cfa }),
    );
    let product = ColourProduct {
        path: path.to_owned(),
        reused: standing(path, &provenance.key())? == Standing::Current,
        method: name.to_owned(),
        cfa: mosaic.cfa,
        width: 0,
        height: 0,
        planes: Vec::new(),
    };
    let step = debayer.step();
    if product.reused {
        let frame = read_frame(path)?.0;
        return Ok(described(product, &[name], &[frame], step));
    }
    if made.is_none() {
        *made = Some(planes(mosaic, debayer, context)?);
    }
    let [red, green, blue] = made.as_ref().expect("it was made just now");
    let (frame, centre, sentence) = match line {
        Extract::Ha | Extract::HaOiii => {
            (red.clone(), debayer.centre(CfaColor::Red), "the red samples alone".to_owned())
        }
        Extract::Green => {
            (green.clone(), debayer.centre(CfaColor::Green), "the green samples alone".to_owned())
        }
        Extract::Oiii => {
            let mix = Mix::of(green, blue);
            let (g, b) = (debayer.centre(CfaColor::Green), debayer.centre(CfaColor::Blue));
            let of = |g: f64, b: f64| mix.green * g + (1.0 - mix.green) * b;
            let sentence = format!(
                "{:.4} parts of green, {:.4} of blue moved by {:.4} to the level of green",
                mix.green,
                1.0 - mix.green,
                mix.blue_offset
            );
            (mix.apply(green, blue), (of(g.0, b.0), of(g.1, b.1)), sentence)
        }
    };
    let mut header = picture_header(&mosaic.header, mosaic.region, centre, step as f64);
    let mut steps = vec![format!("{name} of {}: {sentence}", mosaic.cfa)];
    if let Some(filter) = header.get_text("FILTER") {
        steps.push(format!("FILTER was {filter}"));
    }
    header.set(Card::string("FILTER", name, "line or colour taken out of the array"));
    Product {
        path,
        frames: &[&frame],
        header,
        sample: Sample::F32,
        maps: None,
        provenance: &provenance,
        steps,
    }
    .write_while(&[], context)?;
    Ok(described(product, &[name], &[frame], step))
}

/// The name of one of several files made of one: NAME_ha.fits of NAME.fits.
fn beside(path: &Path, line: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map_or(String::new(), |e| format!(".{}", e.to_string_lossy()));
    path.with_file_name(format!("{stem}_{line}{ending}"))
}

/// Reads a frame under its array, cut to the part that sees light.
fn read_mosaic(path: &Path, outputs: &[&Path]) -> Result<Mosaic> {
    let refuse = |why: &str| Err(Error::request(format!("{}: {why}", path.display())));
    for output in outputs {
        if matches!(Format::of_name(output), Some(Format::Xisf | Format::Tiff)) {
            let message = "products are FITS; name it .fits, and convert it afterwards";
            return Err(Error::request(format!("{}: {message}", output.display())));
        }
        let same = output.canonicalize().ok().zip(path.canonicalize().ok());
        if same.is_some_and(|(a, b)| a == b) {
            return refuse("is what the picture is made of; name another file with -o");
        }
    }
    let probe = probe(path)?;
    if probe.planes != 1 {
        return refuse(&format!(
            "has {} planes: it is a colour picture already, not a frame under a colour filter array",
            probe.planes
        ));
    }
    let metadata = keyword::read(&probe.header).metadata;
    let Some(cfa) = metadata.cfa else {
        return refuse(
            "its header names no colour filter array (BAYERPAT), and a monochrome frame has no \
             colours to be taken apart",
        );
    };
    let hash = ContentHash::of_file(path)?;
    let (mut frame, header) = read_frame(path)?;
    // A mask tells what was saturated; a frame as the camera wrote it has none yet.
    let untouched = metadata.applied.is_empty() && frame.unit == Unit::Adu;
    let level = metadata.saturation_adu.or_else(|| full_scale_adu(&header));
    if let Some(level) = level.filter(|_| untouched) {
        let samples = frame.data.as_slice().iter().zip(frame.mask.as_mut_slice());
        samples
            .filter(|(v, _)| f64::from(**v) >= level)
            .for_each(|(_, m)| *m |= MaskBits::SATURATED);
    }
    let region = used_region(&metadata, frame.size());
    let region = (region != frame.size().rect()).then_some(region);
    let mut shifted = cfa;
    if let Some(region) = region {
        shifted = cfa.shifted(region.x0, region.y0);
        frame.data = frame.data.crop(region);
        frame.variance = frame.variance.map(|v| v.crop(region));
        frame.mask = frame.mask.crop(region);
    }
    Ok(Mosaic { path: path.to_owned(), hash, frame, header, region, cfa: shifted })
}

/// Rows that a worker makes at a time.
const BAND: usize = 64;

/// The same rows of three planes.
type Rows<'a, T> = [&'a mut [T]; 3];

fn bands<T: Copy>(planes: &mut [Plane<T>; 3]) -> Vec<Rows<'_, T>> {
    let part = planes[0].width() * BAND;
    let mut chunks = planes.each_mut().map(|p| p.as_mut_slice().chunks_mut(part));
    let mut out = Vec::new();
    while let [Some(red), Some(green), Some(blue)] = chunks.each_mut().map(Iterator::next) {
        out.push([red, green, blue]);
    }
    out
}

/// Red, green and blue of a frame, on all threads.
fn planes(mosaic: &Mosaic, debayer: &Debayer, context: &Context<'_>) -> Result<[Frame; 3]> {
    let Frame { data, variance, mask, unit, applied } = &mosaic.frame;
    let size = data.size();
    let picture = debayer.picture_size(size);
    if picture.pixels() == 0 {
        return Err(Error::request(format!(
            "{}: {size} pixels do not hold one cell of the colour filter array",
            mosaic.path.display()
        )));
    }
    let mut healthy = data.clone();
    for (v, bits) in healthy.as_mut_slice().iter_mut().zip(mask.as_slice()) {
        *v = if bits.is_hole() { f32::NAN } else { *v };
    }
    let zeroed = |_| Plane::<f32>::zeroed(picture);
    let mut values = [0; 3].map(zeroed);
    let mut errors = variance.as_ref().map(|_| [0; 3].map(zeroed));
    let mut masks = [0; 3].map(|_| Plane::<MaskBits>::zeroed(picture));
    let mut error_bands: Vec<Option<Rows<'_, f32>>> = match &mut errors {
        Some(errors) => bands(errors).into_iter().map(Some).collect(),
        None => Vec::new(),
    };
    error_bands.resize_with(picture.height.div_ceil(BAND), || None);
    let jobs: Vec<Mutex<Option<_>>> = bands(&mut values)
        .into_iter()
        .zip(error_bands)
        .zip(bands(&mut masks))
        .map(|job| Mutex::new(Some(job)))
        .collect();
    for_each(
        jobs.len(),
        context,
        || (),
        |(), i| {
            let job = jobs[i].lock().expect("no holder panics").take();
            let ((mut values, errors), masks) = job.expect("every band is made once");
            let rows = i * BAND..((i + 1) * BAND).min(picture.height);
            let needed = debayer.rows_needed(&rows, size);
            let frame = window(&healthy, &needed);
            debayer.fill(frame, size, rows.clone(), values.each_mut().map(|v| &mut **v));
            own_samples(debayer, data, picture, rows.start, &mut values);
            if let (Some(errors), Some(variance)) = (errors, variance) {
                debayer.fill_variance(
                    (frame, window(variance, &needed)),
                    size,
                    rows.clone(),
                    errors,
                );
            }
            let bits = mask.rows(needed.start, needed.end);
            debayer.fill_mask((frame, bits), size, rows, masks);
            Ok(())
        },
    )?;
    drop(jobs);
    let mut errors = errors.map(|e| e.map(Some)).unwrap_or_default().into_iter();
    let mut masks = masks.into_iter();
    Ok(values.map(|data| Frame {
        data,
        variance: errors.next().flatten(),
        mask: masks.next().expect("as many masks as planes"),
        unit: *unit,
        applied: *applied,
    }))
}

fn window<'a>(plane: &'a Plane<f32>, rows: &Range<usize>) -> Window<'a> {
    let samples = plane.rows(rows.start, rows.end);
    Window { samples, first_row: rows.start, width: plane.width() }
}

/// Puts what was measured back where a hole was made of it: the mask tells what it is worth.
fn own_samples(
    debayer: &Debayer,
    data: &Plane<f32>,
    picture: Size,
    first_row: usize,
    values: &mut Rows<'_, f32>,
) {
    for i in 0..values[0].len() {
        let (x, y) = (i % picture.width, first_row + i / picture.width);
        if let Some(color) = debayer.measured(x, y) {
            values[color.channel()][i] = data.get(x, y);
        }
    }
}

/// How green and blue become one line.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Mix {
    /// The part of green; blue has the rest.
    green: f64,
    /// What is added to blue, in the unit of the samples.
    blue_offset: f64,
}

impl Mix {
    /// By the noise of both: their variances where they are known, else as measured.
    fn of(green: &Frame, blue: &Frame) -> Self {
        let level = |f: &Frame| {
            let pixels = f.data.as_slice().iter().zip(f.mask.as_slice());
            let good: Vec<f32> = pixels.filter(|(_, m)| m.is_good()).map(|(v, _)| *v).collect();
            f64::from(stat::median(&good))
        };
        let weight = |f: &Frame| {
            let variance = match &f.variance {
                Some(v) => f64::from(stat::median(v.as_slice())),
                None => stat::noise(f.data.as_slice(), f.size().width, 1).powi(2),
            };
            Some(1.0 / variance).filter(|w| w.is_finite() && *w > 0.0)
        };
        // Without noise that can be told, two greens against one blue.
        let (g, b) = weight(green).zip(weight(blue)).unwrap_or((2.0, 1.0));
        let offset = level(green) - level(blue);
        Self { green: g / (g + b), blue_offset: if offset.is_finite() { offset } else { 0.0 } }
    }

    fn apply(self, green: &Frame, blue: &Frame) -> Frame {
        let mut out = green.clone();
        for i in 0..out.size().pixels() {
            let (g, b) = (green.data.as_slice()[i], blue.data.as_slice()[i]);
            let both = g.is_finite() && b.is_finite();
            let part = match (g.is_finite(), b.is_finite()) {
                (true, true) => self.green,
                (_, true) => 0.0,
                _ => 1.0,
            };
            let shares = [(part, green), (1.0 - part, blue)].into_iter().filter(|(p, _)| *p != 0.0);
            let moved = |v: f32, offset: f64| f64::from(v) + offset;
            out.data.as_mut_slice()[i] = match part {
                1.0 => g,
                0.0 => moved(b, self.blue_offset) as f32,
                p => (p * f64::from(g) + (1.0 - p) * moved(b, self.blue_offset)) as f32,
            };
            let (mut bits, mut variance) = (MaskBits::empty(), 0.0);
            for (p, frame) in shares {
                bits |= frame.mask.as_slice()[i];
                variance +=
                    frame.variance.as_ref().map_or(0.0, |v| p * p * f64::from(v.as_slice()[i]));
            }
            if !both && (g.is_finite() || b.is_finite()) {
                bits |= MaskBits::SUSPECT;
            }
            out.mask.as_mut_slice()[i] = bits;
            if let Some(v) = &mut out.variance {
                v.as_mut_slice()[i] = variance as f32;
            }
        }
        out
    }
}

/// The product with its planes described.
fn described(
    product: ColourProduct,
    names: &[&'static str],
    frames: &[Frame],
    step: usize,
) -> ColourProduct {
    let Size { width, height } = frames.first().map_or(Size::new(0, 0), Frame::size);
    // Neighbours of an interpolated plane are alike; those of one place of the array are less so.
    let step = if step == 1 { product.cfa.period() } else { 1 };
    let planes = names
        .iter()
        .zip(frames)
        .map(|(plane, f)| PlaneSummary {
            plane,
            summary: Summary::of(f.data.as_slice(), width, step, None, None),
        })
        .collect();
    ColourProduct { width, height, planes, ..product }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn green_and_blue_count_by_their_noise_and_stand_in_for_each_other() {
        let size = Size::new(8, 8);
        let frame = |level: f32, variance: f32| {
            let mut frame = Frame::new(Plane::filled(size, level), Unit::Adu);
            frame.variance = Some(Plane::filled(size, variance));
            frame
        };
        let (mut green, mut blue) = (frame(100.0, 2.0), frame(40.0, 6.0));
        // A line that both see, a hole in each, one in both, and a saturated sample.
        green.data.set(1, 1, 140.0);
        blue.data.set(1, 1, 60.0);
        for (frame, holes) in [(&mut green, [2, 4]), (&mut blue, [3, 4])] {
            for x in holes {
                frame.data.set(x, 2, f32::NAN);
                frame.mask.set(x, 2, MaskBits::NO_DATA);
            }
        }
        blue.mask.set(6, 6, MaskBits::SATURATED);
        let mix = Mix::of(&green, &blue);
        assert_eq!(mix, Mix { green: 0.75, blue_offset: 60.0 });
        let line = mix.apply(&green, &blue);
        assert_eq!((line.data.get(0, 0), line.data.get(1, 1)), (100.0, 135.0));
        let variance = line.variance.as_ref().unwrap();
        // 1 / (1/2 + 1/6): what an inverse variance weighted mean has.
        assert!((variance.get(0, 0) - 1.5).abs() < 1e-6, "{}", variance.get(0, 0));
        assert_eq!((line.data.get(2, 2), line.data.get(3, 2)), (100.0, 100.0));
        assert_eq!((variance.get(2, 2), variance.get(3, 2)), (6.0, 2.0));
        assert_eq!(
            (line.mask.get(2, 2), line.mask.get(3, 2)),
            (MaskBits::SUSPECT, MaskBits::SUSPECT)
        );
        assert!(line.data.get(4, 2).is_nan() && line.mask.get(4, 2) == MaskBits::NO_DATA);
        assert_eq!(line.mask.get(6, 6), MaskBits::SATURATED);
        // Without any noise nothing is known but the number of samples.
        let flat = |level| Frame::new(Plane::filled(size, level), Unit::Adu);
        assert!((Mix::of(&flat(1.0), &flat(2.0)).green - 2.0 / 3.0).abs() < 1e-12);
    }
}
