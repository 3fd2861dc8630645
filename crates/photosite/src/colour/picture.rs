//! Colour images and extracted lines, as products.

use std::path::{Path, PathBuf};

use photosite_file::fits::Sample;
use photosite_pix::debayer::{Debayer, Method};
use photosite_pix::stat::Summary;
use photosite_pix::{Card, CfaColor, CfaPattern, Frame, Size};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::mix::Mix;
use super::mosaic::{Mosaic, planes, read_mosaic};
use crate::correlation::of_debayering;
use crate::header::{of_means, picture_header};
use crate::measure::{doubtful_phase, greens, sample_noise};
use crate::open::{read_frame, read_frames};
use crate::product::{Product, Standing, room_for};
use crate::provenance::{Input, Provenance};
use crate::work::Context;
use crate::{Error, Finding, Result};

/// What is taken out of a frame under a colour filter array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
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

/// A colour product on disk.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
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
    /// What looks wrong.
    pub findings: Vec<Finding>,
}

/// Statistics of one plane.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PlaneSummary {
    /// `red`, `green`, `blue`, or the name of a line.
    pub plane: &'static str,
    /// Its samples, those of the mask among them.
    #[serde(flatten)]
    pub summary: Summary,
}

/// Debayers a frame under a colour filter array: red, green and blue, with ERR where
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
        .map_err(|e| Error::unsupported(format!("{}: {e}", input.display())))?
        .over_noise(sample_noise(&mosaic.frame.data, mosaic.cfa));
    let provenance = Provenance::new(
        "debayered frame",
        vec![Input::new("frame", input, mosaic.hash)],
        json!({ "method": method, "cfa": mosaic.cfa }),
    );
    let step = debayer.step();
    // Superpixels take the mean of both greens; what interpolates would draw a maze of them.
    let (greens, finding) = match step {
        1 => greens(&mosaic.path, &mosaic.frame.data, mosaic.cfa),
        _ => (None, doubtful_phase(&mosaic.path, &mosaic.frame.data, mosaic.cfa)),
    };
    let names = CfaColor::ALL.map(CfaColor::name);
    let product = ColourProduct {
        path: output.to_owned(),
        reused: room_for(output, &provenance)? == Standing::Current,
        method: method.name().to_owned(),
        cfa: mosaic.cfa,
        width: 0,
        height: 0,
        planes: Vec::new(),
        findings: finding.into_iter().collect(),
    };
    if product.reused {
        let (frames, _) = read_frames(output)?;
        return Ok(described(product, &names, &frames, step));
    }
    let frames = planes(&mosaic, (&debayer, greens), context)?;
    let middle = (step as f64 - 1.0) / 2.0;
    let mut header = picture_header(&mosaic.header, mosaic.region, (middle, middle), step as f64);
    header.set(Card::string("PSDEBAYE", method.name(), "debayering method"));
    if let Some(shared) = of_debayering(mosaic.cfa, method)? {
        shared.write(&mut header);
    }
    let mut steps = vec![format!("{} debayered, method {}", mosaic.cfa, method.name())];
    steps.extend(greens.map(|greens| {
        format!("greens that differed by {:.2} % equalised", 100.0 * greens.difference().abs())
    }));
    Product {
        path: output,
        frames: &[&frames[0], &frames[1], &frames[2]],
        header,
        sample: Sample::F32,
        maps: &[],
        provenance: &provenance,
        steps,
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
        .map_err(|e| Error::unsupported(format!("{}: {e}", input.display())))?;
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
        reused: room_for(path, &provenance)? == Standing::Current,
        method: name.to_owned(),
        cfa: mosaic.cfa,
        width: 0,
        height: 0,
        planes: Vec::new(),
        findings: doubtful_phase(&mosaic.path, &mosaic.frame.data, mosaic.cfa)
            .into_iter()
            .collect(),
    };
    let step = debayer.step();
    if product.reused {
        let frame = read_frame(path)?.0;
        return Ok(described(product, &[name], &[frame], step));
    }
    if made.is_none() {
        *made = Some(planes(mosaic, (debayer, None), context)?);
    }
    let [red, green, blue] = made.as_ref().expect("it was made just now");
    let samples = |colour| mosaic.cfa.share(colour) * (step * step) as f64;
    let (frame, centre, of, sentence) = match line {
        Extract::Ha | Extract::HaOiii => {
            let sentence = "the red samples alone".to_owned();
            (red.clone(), debayer.centre(CfaColor::Red), samples(CfaColor::Red), sentence)
        }
        Extract::Green => {
            let sentence = "the green samples alone".to_owned();
            (green.clone(), debayer.centre(CfaColor::Green), samples(CfaColor::Green), sentence)
        }
        Extract::Oiii => {
            let mix = Mix::of(green, blue);
            let (g, b) = (debayer.centre(CfaColor::Green), debayer.centre(CfaColor::Blue));
            let of = |g: f64, b: f64| mix.green * g + (1.0 - mix.green) * b;
            let sentence = format!(
                "{:.4} of green plus {:.4} of blue, blue shifted by {:.4} to the level of green",
                mix.green,
                1.0 - mix.green,
                mix.blue_offset
            );
            // Of light that both have alike.
            let noise = mix.green.powi(2) / samples(CfaColor::Green)
                + (1.0 - mix.green).powi(2) / samples(CfaColor::Blue);
            (mix.apply(green, blue), (of(g.0, b.0), of(g.1, b.1)), 1.0 / noise, sentence)
        }
    };
    let mut header = picture_header(&mosaic.header, mosaic.region, centre, step as f64);
    of_means(&mut header, of);
    let mut steps = vec![format!("{name} of {}: {sentence}", mosaic.cfa)];
    if let Some(filter) = header.get_text("FILTER") {
        steps.push(format!("FILTER was {filter}"));
    }
    header.set(Card::string("FILTER", name, "line or colour extracted"));
    Product {
        path,
        frames: &[&frame],
        header,
        sample: Sample::F32,
        maps: &[],
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
