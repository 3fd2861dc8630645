//! Frames that several outputs read, as one image: extensions, or parts of one image, put where their
//! sections say, with the overscan of each beside them.

use std::ops::Range;

use photosite_pix::detector::tiles;
use photosite_pix::{Card, Gain, Header, Rect, Size};

use super::file::image_header;
use super::layout::{Hdu, Layout, by_number};
use crate::keyword::{
    AMPLIFIERS, Section, amplifier_card, amplifier_suffixes, amplifier_value, section_of,
};
use crate::probe::is_beside;
use crate::source::check_rows;
use crate::{Access, Error, Result, Source};

/// Most outputs of one frame.
const MOST: usize = 64;

/// A rectangle of one unit, and where it goes.
#[derive(Debug, Clone)]
struct Piece {
    /// Which of the units.
    unit: usize,
    from: Rect,
    /// The first column and row it goes to.
    to: (usize, usize),
    /// It is turned over along x, along y.
    turned: (bool, bool),
}

/// How units become one image.
#[derive(Debug, Clone)]
pub(super) struct Assembly {
    /// Units that pieces are taken from.
    pub units: Vec<usize>,
    pub size: Size,
    pieces: Vec<Piece>,
    /// The header of the image: no sections, but those of the image itself.
    pub header: Header,
}

/// One output as its cards tell.
struct Output {
    unit: usize,
    data: Rect,
    /// Where its pixels lie on the sensor; none where no card says.
    place: Option<Section>,
    /// Its data run the other way than in the file.
    turned: (bool, bool),
    overscan: Option<Rect>,
    gain: Option<f64>,
    read_noise_e: Option<f64>,
    saturation_adu: Option<f64>,
}

impl Assembly {
    /// How the images of a file become one; `None` where they are none of several outputs, or where their
    /// sections do not fit together.
    pub fn of(layout: &Layout) -> Option<Self> {
        if layout.hdus.first()?.header.get(crate::KEY_KEYWORD).is_some() {
            return None;
        }
        let frame = |h: &&Hdu| h.has_pixels() && !is_beside(&h.summary());
        let images = by_number(layout.hdus.iter().filter(frame).collect());
        let first = *images.first()?;
        let whole = |h: &&&Hdu| h.planes == 1 && h.size.is_some();
        let several = images.len() > 1;
        if !whole(&&first) {
            return None;
        }
        for places in [&["DETSEC"][..], &["CCDSEC", "CSEC"], &[]] {
            // Without a place only the parts of one image are told apart, by where they are in it.
            if several && places.is_empty() {
                break;
            }
            // Most files say nothing of outputs in their first image.
            let Some(mut outputs) = outputs_of(layout, first, places, several) else { continue };
            for hdu in images[1..].iter().filter(whole) {
                outputs.extend(outputs_of(layout, hdu, places, several).unwrap_or_default());
            }
            if (2..=MOST).contains(&outputs.len())
                && let Some(assembly) = Self::assemble(layout, first, outputs)
            {
                return Some(assembly);
            }
        }
        None
    }

    fn assemble(layout: &Layout, first: &Hdu, mut outputs: Vec<Output>) -> Option<Self> {
        let targets = places(&mut outputs)?;
        let width = targets.iter().map(|t| t.x1).max()?;
        let height = targets.iter().map(|t| t.y1).max()?;
        let active = Size::new(width, height);
        if active.pixels() > 1 << 32 || !tiles(&targets, active.rect()) {
            return None;
        }
        let mut pieces = Vec::new();
        // Overscans in columns stand to the right of all data, each beside the rows it is for, those in rows below all
        // data, each under the columns it is for.
        let mut overscans: Vec<Option<Rect>> = Vec::new();
        let mut size = active;
        for (i, (output, target)) in outputs.iter().zip(&targets).enumerate() {
            let Output { unit, data, turned, overscan, .. } = *output;
            pieces.push(Piece { unit, from: data, to: (target.x0, target.y0), turned });
            let taken =
                || targets[..i].iter().zip(&overscans).filter_map(|(t, o)| Some((t, (*o)?)));
            let placed = overscan.and_then(|over| {
                let columns = Rect { y0: over.y0.max(data.y0), y1: over.y1.min(data.y1), ..over };
                if columns.y0 < columns.y1 && !(over.x0 < data.x1 && over.x1 > data.x0) {
                    let same_rows = taken().filter(|(t, _)| t.y0 < target.y1 && t.y1 > target.y0);
                    let beside = same_rows.filter(|(_, o)| o.x0 >= width);
                    let x0 = beside.map(|(_, o)| o.x1).fold(width, usize::max);
                    // The column beside the light comes first: it holds what was left behind.
                    let before = over.x1 <= data.x0;
                    let down = if turned.1 { data.y1 - columns.y1 } else { columns.y0 - data.y0 };
                    return Some((columns, (x0, target.y0 + down), before));
                }
                let rows = Rect { x0: over.x0.max(data.x0), x1: over.x1.min(data.x1), ..over };
                if rows.x0 < rows.x1 && !(over.y0 < data.y1 && over.y1 > data.y0) {
                    let same_columns =
                        taken().filter(|(t, _)| t.x0 < target.x1 && t.x1 > target.x0);
                    let under = same_columns.filter(|(_, o)| o.y0 >= height);
                    let y0 = under.map(|(_, o)| o.y1).fold(height, usize::max);
                    return Some((rows, (target.x0, y0), turned.0));
                }
                None
            });
            overscans.push(placed.map(|(from, to, over_x)| {
                pieces.push(Piece { unit, from, to, turned: (over_x, turned.1) });
                let placed = Rect::new(to.0, to.1, from.width(), from.height());
                size = Size::new(size.width.max(placed.x1), size.height.max(placed.y1));
                placed
            }));
        }
        let mut header = image_header(layout, first);
        bare(&mut header);
        let regions: Vec<(Rect, Option<Rect>)> = targets.into_iter().zip(overscans).collect();
        describe(&mut header, size, active, &outputs, &regions);
        let mut units: Vec<usize> = outputs.iter().map(|o| o.unit).collect();
        units.dedup();
        for piece in &mut pieces {
            piece.unit = units.iter().position(|u| *u == piece.unit)?;
        }
        Some(Self { units, size, pieces, header })
    }

    /// The image that the units make.
    pub fn source(self, units: Vec<Box<dyn Source>>, path: &std::path::Path) -> Box<dyn Source> {
        let path = path.to_owned();
        Box::new(Assembled { path, units, size: self.size, pieces: self.pieces })
    }
}

/// The outputs that a unit's cards tell of.
fn outputs_of(layout: &Layout, hdu: &Hdu, places: &[&str], several: bool) -> Option<Vec<Output>> {
    let header = image_header(layout, hdu);
    let size = hdu.size?;
    let one = |suffix: &str| -> Option<Output> {
        let section = |stems: &[&str]| stems.iter().find_map(|s| section_of(&header, s, suffix));
        let data = section(&["DATASEC", "DSEC"]).or_else(|| section(&["TRIMSEC", "TSEC"]))?;
        let place = section(places);
        if !data.region.fits(size) || (several && place.is_none()) {
            return None;
        }
        let turned = |of: fn(&Section) -> bool| place.as_ref().is_some_and(of) != of(&data);
        let number = |stems: &[&str]| amplifier_value(&header, stems, suffix);
        Some(Output {
            unit: hdu.index,
            data: data.region,
            turned: (turned(|s| s.turned.0), turned(|s| s.turned.1)),
            place,
            overscan: section(&["BIASSEC", "BSEC"]).map(|s| s.region).filter(|r| r.fits(size)),
            gain: number(&["GAIN", "GTGAIN", "EGAIN"]).filter(|v| *v > 0.0),
            read_noise_e: number(&["RDNOISE", "GTRON", "READNOI"]).filter(|v| *v >= 0.0),
            saturation_adu: number(&["SATURAT", "SATLEVE", "MAXLIN"]).filter(|v| *v > 0.0),
        })
    };
    let within = amplifier_suffixes(&header);
    if within.len() > 1 {
        return within.iter().map(|s| one(s)).collect();
    }
    one("").filter(|_| several).map(|o| vec![o])
}

/// Where each output goes, in pixels as they were read out.
fn places(outputs: &mut [Output]) -> Option<Vec<Rect>> {
    let known: Option<Vec<Rect>> =
        outputs.iter().map(|o| o.place.as_ref().map(|p| p.region)).collect();
    let Some(known) = known else {
        // By where they are in the image, what lies between them left out.
        let edges = |of: fn(&Rect) -> (usize, usize)| {
            let mut spans: Vec<(usize, usize)> = outputs.iter().map(|o| of(&o.data)).collect();
            spans.sort_unstable();
            spans.dedup();
            let apart = spans.windows(2).all(|p| p[0].1 <= p[1].0);
            apart.then_some(spans)
        };
        let (xs, ys) = (edges(|r| (r.x0, r.x1))?, edges(|r| (r.y0, r.y1))?);
        let start = |spans: &[(usize, usize)], at: usize| -> usize {
            spans.iter().take_while(|s| s.0 < at).map(|s| s.1 - s.0).sum()
        };
        let place = |o: &Output| {
            let Rect { x0, y0, .. } = o.data;
            Rect::new(start(&xs, x0), start(&ys, y0), o.data.width(), o.data.height())
        };
        outputs.iter_mut().for_each(|o| o.turned = (false, false));
        return Some(outputs.iter().map(place).collect());
    };
    // Sections of a binned frame may count the pixels of the sensor.
    let times = |o: &Output, r: &Rect| {
        let (w, h) = (o.data.width(), o.data.height());
        let (bx, by) = (r.width() / w.max(1), r.height() / h.max(1));
        (bx > 0 && by > 0 && (bx * w, by * h) == (r.width(), r.height())).then_some((bx, by))
    };
    let binned = times(&outputs[0], &known[0])?;
    if outputs.iter().zip(&known).any(|(o, r)| times(o, r) != Some(binned)) {
        return None;
    }
    let (x0, y0) = (known.iter().map(|r| r.x0).min()?, known.iter().map(|r| r.y0).min()?);
    let place = |(o, r): (&Output, &Rect)| {
        let to = ((r.x0 - x0) / binned.0, (r.y0 - y0) / binned.1);
        Rect::new(to.0, to.1, o.data.width(), o.data.height())
    };
    Some(outputs.iter().zip(&known).map(place).collect())
}

/// Takes out what speaks of one output, or of the image as it was stored.
fn bare(header: &mut Header) {
    let stems = [
        "DATASEC", "BIASSEC", "TRIMSEC", "CCDSEC", "DETSEC", "AMPSEC", "DSEC", "BSEC", "TSEC",
        "CSEC", "ASEC", "GAIN", "EGAIN", "GTGAIN", "RDNOISE", "GTRON", "READNOI", "READNOIS",
        "SATURAT", "SATURATE", "SATLEVE", "SATLEVEL", "MAXLIN", "AMPNAME", "IMAGEID", "EXTNAME",
        "LTV1", "LTV2", "LTM1_1", "LTM2_2", "ATV1", "ATV2", "ATM1_1", "ATM2_2", "DTV1", "DTV2",
        "DTM1_1", "DTM2_2",
    ];
    let mut suffixes = amplifier_suffixes(header);
    suffixes.push(String::new());
    for (stem, suffix) in stems.iter().flat_map(|s| suffixes.iter().map(move |x| (s, x))) {
        header.remove(&format!("{stem}{suffix}"));
    }
}

/// Says of the image what the cards of its outputs said.
fn describe(
    header: &mut Header,
    size: Size,
    active: Size,
    outputs: &[Output],
    regions: &[(Rect, Option<Rect>)],
) {
    header.set(Card::integer("NAXIS1", size.width as i64, ""));
    header.set(Card::integer("NAXIS2", size.height as i64, ""));
    let written = |r: &Rect| format!("[{}:{},{}:{}]", r.x0 + 1, r.x1, r.y0 + 1, r.y1);
    header.set_text("TRIMSEC", &written(&active.rect()), "what sees light, outputs side by side");
    let count = outputs.len() as i64;
    header.set(Card::integer(AMPLIFIERS, count, "outputs that were put side by side"));
    for (i, (output, (region, overscan))) in outputs.iter().zip(regions).enumerate() {
        let name = |of: char| amplifier_card(i, of);
        header.set_text(&name('R'), &written(region), "pixels of this output");
        if let Some(overscan) = overscan {
            header.set_text(&name('O'), &written(overscan), "its overscan");
        }
        let numbers = [
            ('G', output.gain, "[e-/ADU] its gain"),
            ('N', output.read_noise_e, "[e-] its read noise"),
            ('S', output.saturation_adu, "[ADU] its saturation"),
        ];
        for (of, value, comment) in numbers {
            if let Some(value) = value {
                header.set(Card::real(&name(of), value, comment));
            }
        }
    }
    // What holds for the frame as a whole: a flat of mean 1 makes ADU of the harmonic mean of the gains.
    let gains: Option<Vec<f64>> = outputs.iter().map(|o| o.gain).collect();
    if let Some(gain) = gains.and_then(|g| common_gain(&g)) {
        header.set(Card::real("EGAIN", gain, "[e-/ADU] of all outputs together"));
    }
    let noises: Option<Vec<f64>> = outputs.iter().map(|o| o.read_noise_e).collect();
    if let Some(noises) = noises {
        let mean2 = noises.iter().map(|n| n * n).sum::<f64>() / noises.len() as f64;
        header.set(Card::real("RDNOISE", mean2.sqrt(), "[e-] of all outputs together"));
    }
}

/// The harmonic mean of gains, if they are gains.
fn common_gain(gains: &[f64]) -> Option<f64> {
    let inverse: f64 = gains.iter().map(|g| 1.0 / g).sum();
    Gain::new(gains.len() as f64 / inverse).map(Gain::e_per_adu)
}

/// An image made of pieces of others, NaN where there is none.
struct Assembled {
    path: std::path::PathBuf,
    units: Vec<Box<dyn Source>>,
    size: Size,
    pieces: Vec<Piece>,
}

impl Source for Assembled {
    fn size(&self) -> Size {
        self.size
    }

    fn planes(&self) -> usize {
        1
    }

    fn access(&self) -> Access {
        let whole = self.units.iter().any(|u| u.access() == Access::Whole);
        if whole { Access::Whole } else { Access::Rows }
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        check_rows(&self.path, (self.size, 1), plane, &rows, out.len())?;
        out.fill(f32::NAN);
        // The rows of a unit that pieces beside each other share are read once.
        let mut read: (usize, Range<usize>, Vec<f32>) = (usize::MAX, 0..0, Vec::new());
        for piece in &self.pieces {
            let (x0, y0) = piece.to;
            let height = piece.from.height();
            let (first, last) = (rows.start.max(y0), rows.end.min(y0 + height));
            if first >= last {
                continue;
            }
            let wanted = match piece.turned.1 {
                false => piece.from.y0 + first - y0..piece.from.y0 + last - y0,
                true => piece.from.y1 + y0 - last..piece.from.y1 + y0 - first,
            };
            let unit = self.units.get(piece.unit).ok_or_else(|| {
                Error::request(&self.path, "an output that is not there was asked for")
            })?;
            let width = unit.size().width;
            if (read.0, &read.1) != (piece.unit, &wanted) {
                read.2.resize(width * wanted.len(), 0.0);
                unit.read_rows(0, wanted.clone(), scratch, &mut read.2)?;
                (read.0, read.1) = (piece.unit, wanted.clone());
            }
            for y in first..last {
                let from = if piece.turned.1 { last - 1 - y } else { y - first };
                let from = &read.2[from * width..][piece.from.x0..piece.from.x1];
                let to = &mut out[(y - rows.start) * self.size.width..][x0..x0 + from.len()];
                to.copy_from_slice(from);
                if piece.turned.0 {
                    to.reverse();
                }
            }
        }
        Ok(())
    }
}
