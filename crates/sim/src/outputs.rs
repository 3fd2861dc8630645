//! A sensor read through several outputs, the overscan of each, and the files that observatories make of
//! that.

use photosite_pix::{Card, Header, Plane, Rect, Size};
use serde::{Deserialize, Serialize};

use crate::SimFrame;
use crate::math::exp;
use crate::rng::{Purpose, Stream};

/// One output.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Conversion gain in electrons per ADU.
    pub gain_e_per_adu: f64,
    /// Read noise in electrons.
    pub read_noise_e: f64,
    /// What its level stands above the sensor's offset, in ADU.
    pub level_adu: f64,
    /// The highest number of its converter, in ADU.
    pub max_adu: f64,
}

/// The outputs of a sensor, row after row of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outputs {
    /// How many share a row of pixels.
    pub across: usize,
    /// Each of them.
    pub each: Vec<Output>,
    /// Columns that each reads behind its last pixel.
    pub overscan: usize,
    /// By how much a level stands higher at the first row than long after, in ADU, in the mean; half of that
    /// is the standard deviation from frame to frame.
    pub drift_adu: f64,
    /// The rows after which that has fallen to a third.
    pub drift_rows: f64,
    /// Standard deviation of the level from row to row in ADU.
    pub row_noise_adu: f64,
    /// Standard deviation of the level from frame to frame in ADU.
    pub wander_adu: f64,
    /// The share of a row's last sample that stays behind for the first column of its overscan; the next gets
    /// that share of it.
    pub left_behind: f64,
}

impl Outputs {
    /// How many stand above each other.
    pub fn down(&self) -> usize {
        self.each.len() / self.across.max(1)
    }

    /// The pixels of output `i` of a sensor of `size`.
    pub fn region(&self, i: usize, size: Size) -> Rect {
        let (column, row) = (i % self.across, i / self.across);
        let x = |c: usize| c * size.width / self.across;
        let y = |r: usize| r * size.height / self.down();
        Rect { x0: x(column), y0: y(row), x1: x(column + 1), y1: y(row + 1) }
    }

    /// Which output reads a pixel.
    pub(crate) fn of(&self, (x, y): (usize, usize), size: Size) -> usize {
        let column = (0..self.across).find(|c| x < (c + 1) * size.width / self.across);
        let row = (0..self.down()).find(|r| y < (r + 1) * size.height / self.down());
        row.unwrap_or(0) * self.across + column.unwrap_or(0)
    }

    /// Whether output `i` reads from its last column, from its last row.
    fn turned(&self, i: usize) -> (bool, bool) {
        (i % self.across >= self.across.div_ceil(2) && self.across > 1, i / self.across >= 1)
    }

    /// The level of each row of each output in a frame, in ADU above the sensor's offset; rows as they lie on
    /// the sensor.
    pub(crate) fn levels(&self, size: Size, (seed, key): (u64, u64)) -> Vec<Vec<f64>> {
        let mut random = Stream::new(seed, key, Purpose::OutputLevel);
        (0..self.each.len())
            .map(|i| {
                let rows = self.region(i, size).height();
                let wander = self.wander_adu * random.gaussian();
                let drift_adu = self.drift_adu * (1.0 + 0.5 * random.gaussian());
                let mut levels: Vec<f64> = (0..rows)
                    .map(|y| {
                        let drift = drift_adu * exp(-(y as f64) / self.drift_rows.max(1e-9));
                        let row = self.row_noise_adu * random.gaussian();
                        self.each[i].level_adu + wander + drift + row
                    })
                    .collect();
                if self.turned(i).1 {
                    levels.reverse();
                }
                levels
            })
            .collect()
    }
}

/// How a frame of several outputs, or with an overscan, lies in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// All pixels, then the overscans of all outputs beside them; BIASSEC and TRIMSEC for one output, A and B
    /// behind the keywords for two.
    Beside,
    /// Each output with its overscan inward, as CTIO and Apache Point store four: DSEC11, BSEC11, CSEC11.
    Blocks,
    /// An extension an output, as it was read, as Las Cumbres stores four: DETSEC tells where and which way.
    Extensions,
    /// An extension for every two outputs, with A and B behind the keywords, as the Dark Energy Camera's
    /// sensors.
    Chips,
}

/// Puts a frame with its overscans into images; the first header is that of the primary, whose image is empty
/// where there are extensions.
///
/// # Panics
/// When the frame was not read through `outputs`.
pub fn store(
    frame: &SimFrame,
    outputs: &Outputs,
    stored: Stored,
) -> Vec<(Header, Option<Plane<f32>>)> {
    let size = frame.adu.size();
    let mut header = frame.header.clone();
    ["EGAIN", "RDNOISE", "SATURATE", "DATAMAX"].iter().for_each(|key| header.remove(key));
    let regions: Vec<Rect> = (0..outputs.each.len()).map(|i| outputs.region(i, size)).collect();
    let count = regions.len();
    let over = outputs.overscan;
    let letter = |i: usize| ["A", "B", "C", "D"][i];
    match stored {
        Stored::Beside => {
            let full = Size::new(size.width + count * over, size.height);
            let mut plane = Plane::filled(full, 0.0);
            copy(&frame.adu, size.rect(), &mut plane, (0, 0), (false, false));
            for (i, region) in regions.iter().enumerate() {
                let x0 = size.width + i * over;
                let from = &frame.overscans[i];
                copy(from, from.size().rect(), &mut plane, (x0, region.y0), (false, false));
                let suffix = if count == 1 { "" } else { letter(i) };
                let place = Rect::new(x0, region.y0, over, region.height());
                if count == 1 {
                    text(&mut header, "TRIMSEC", "", &section(*region, (false, false)));
                } else {
                    text(&mut header, "DATASEC", suffix, &section(*region, (false, false)));
                    text(&mut header, "CCDSEC", suffix, &section(*region, (false, false)));
                }
                text(&mut header, "BIASSEC", suffix, &section(place, (false, false)));
                numbers(&mut header, outputs.each[i], ["GAIN", "RDNOISE", "SATURAT"], suffix);
            }
            vec![(header, Some(plane))]
        }
        Stored::Blocks => {
            let full = Size::new(size.width + outputs.across * over, size.height);
            let mut plane = Plane::filled(full, 0.0);
            for (i, region) in regions.iter().enumerate() {
                let (column, row) = (i % outputs.across, i / outputs.across);
                let right = outputs.turned(i).0;
                let (data_x, over_x) = match right {
                    false => (region.x0 + column * over, region.x1 + column * over),
                    true => (region.x0 + (column + 1) * over, region.x0 + column * over),
                };
                copy(&frame.adu, *region, &mut plane, (data_x, region.y0), (false, false));
                let from = &frame.overscans[i];
                copy(from, from.size().rect(), &mut plane, (over_x, region.y0), (right, false));
                let suffix = format!("{}{}", row + 1, column + 1);
                let data = Rect::new(data_x, region.y0, region.width(), region.height());
                let bias = Rect::new(over_x, region.y0, over, region.height());
                text(&mut header, "DSEC", &suffix, &section(data, (false, false)));
                text(&mut header, "TSEC", &suffix, &section(data, (false, false)));
                text(&mut header, "BSEC", &suffix, &section(bias, (false, false)));
                text(&mut header, "CSEC", &suffix, &section(*region, (false, false)));
                numbers(&mut header, outputs.each[i], ["GTGAIN", "GTRON", "SATLEV"], &suffix);
            }
            vec![(header, Some(plane))]
        }
        Stored::Extensions => {
            let mut all = vec![(header, None)];
            for (i, region) in regions.iter().enumerate() {
                let turned = outputs.turned(i);
                let mut own = Header::new();
                let block = block(frame, i, *region, turned);
                let data = Rect::new(0, 0, region.width(), region.height());
                let bias = Rect::new(region.width(), 0, over, region.height());
                let name = format!("{}", i + 1);
                text(&mut own, "EXTNAME", "", "SCI");
                text(&mut own, "AMPNAME", "", &name);
                text(&mut own, "DATASEC", "", &section(data, (false, false)));
                text(&mut own, "BIASSEC", "", &section(bias, (false, false)));
                text(&mut own, "DETSEC", "", &section(*region, turned));
                text(&mut own, "CCDSEC", "", &section(data, (false, false)));
                numbers(&mut own, outputs.each[i], ["GAIN", "RDNOISE", "SATURATE"], "");
                all.push((own, Some(block)));
            }
            all
        }
        Stored::Chips => {
            let mut all = vec![(header, None)];
            for first in (0..count).step_by(2) {
                let (a, b) = (regions[first], regions[first + 1]);
                let full = Size::new(a.width() + b.width() + 2 * over, a.height());
                let mut plane = Plane::filled(full, 0.0);
                let mut own = Header::new();
                text(&mut own, "EXTNAME", "", &format!("S{}", first / 2 + 1));
                // Overscan, data of A, data of B, overscan.
                let places = [(over, 0), (over + a.width(), over + a.width() + b.width())];
                for (k, (region, (data_x, over_x))) in [a, b].into_iter().zip(places).enumerate() {
                    let i = first + k;
                    copy(&frame.adu, region, &mut plane, (data_x, 0), (false, false));
                    let from = &frame.overscans[i];
                    // The column beside the light is the nearest.
                    copy(from, from.size().rect(), &mut plane, (over_x, 0), (k == 0, false));
                    let data = Rect::new(data_x, 0, region.width(), region.height());
                    let bias = Rect::new(over_x, 0, over, region.height());
                    text(&mut own, "DATASEC", letter(k), &section(data, (false, false)));
                    text(&mut own, "BIASSEC", letter(k), &section(bias, (false, false)));
                    text(&mut own, "DETSEC", letter(k), &section(region, (false, false)));
                    numbers(&mut own, outputs.each[i], ["GAIN", "RDNOISE", "SATURAT"], letter(k));
                }
                all.push((own, Some(plane)));
            }
            all
        }
    }
}

/// An output's pixels and overscan, the first that was read first.
fn block(frame: &SimFrame, i: usize, region: Rect, turned: (bool, bool)) -> Plane<f32> {
    let from = &frame.overscans[i];
    let size = Size::new(region.width() + from.size().width, region.height());
    let mut plane = Plane::filled(size, 0.0);
    copy(&frame.adu, region, &mut plane, (0, 0), turned);
    copy(from, from.size().rect(), &mut plane, (region.width(), 0), (false, turned.1));
    plane
}

fn copy(
    from: &Plane<f32>,
    region: Rect,
    to: &mut Plane<f32>,
    (x0, y0): (usize, usize),
    turned: (bool, bool),
) {
    for y in 0..region.height() {
        let of = if turned.1 { region.y1 - 1 - y } else { region.y0 + y };
        let source = &from.row(of)[region.x0..region.x1];
        let target = &mut to.row_mut(y0 + y)[x0..x0 + region.width()];
        target.copy_from_slice(source);
        if turned.0 {
            target.reverse();
        }
    }
}

/// A region in IRAF's brackets, counted downward where it is turned.
fn section(r: Rect, turned: (bool, bool)) -> String {
    let range = |low: usize, high: usize, turned: bool| match turned {
        false => format!("{}:{}", low + 1, high),
        true => format!("{}:{}", high, low + 1),
    };
    format!("[{},{}]", range(r.x0, r.x1, turned.0), range(r.y0, r.y1, turned.1))
}

fn text(header: &mut Header, stem: &str, suffix: &str, value: &str) {
    header.push(Card::string(&format!("{stem}{suffix}"), value, ""));
}

fn numbers(header: &mut Header, output: Output, names: [&str; 3], suffix: &str) {
    // The converter's steps are part of the read noise.
    let step_e2 = output.gain_e_per_adu.powi(2) / 12.0;
    let noise = (output.read_noise_e.powi(2) + step_e2).sqrt();
    let values = [output.gain_e_per_adu, noise, output.max_adu];
    let units = ["[e-/ADU]", "[e-]", "[ADU]"];
    for ((name, value), unit) in names.iter().zip(values).zip(units) {
        header.push(Card::real(&format!("{name}{suffix}"), value, unit));
    }
}
