//! Debayering: colour images from CFA frames.
//!
//! A measured sample is never changed: in the plane of its own colour it stands as it is, and where
//! it is missing the plane has a hole. (Two greens of different response are made one colour before:
//! [`Greens`].) The other two colours are made of their finite neighbours.
//! Everything is sums and differences, never ratios: calibrated sky lies around 0.
//!
//! What a pixel becomes depends on its neighbours alone, so an image made band by band is the
//! image made at once, to the bit.

mod bayer;
mod dense;
mod greens;
mod hue;
mod phase;
mod sixfold;
mod taps;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::warp::Window;
use crate::{CfaColor, CfaPattern, MaskBits, Size};
pub use greens::Greens;
pub use phase::{Contradiction, contradiction};
use taps::{Axis, Order, Taps};

/// How colours are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The mean of the nearest samples of the colour, weighted by distance and laid out so that an
    /// even slope stays one. On a Bayer array that is bilinear interpolation.
    Bilinear,
    /// One pixel a block of 2x2, or 3x3 on X-Trans: the mean of each colour's samples there. Nothing
    /// is interpolated.
    Superpixel,
    /// Green along the direction in which less changes, red and blue by their differences from
    /// green: sharper than bilinear, and with more of each sample's own noise. Where the noise is
    /// [known](Debayer::over_noise), stars are made of each pixel's own sample and the colour that they
    /// have. Bayer arrays and X-Trans.
    ///
    /// # Source
    /// Hamilton1997: green from both neighbours and the second difference of the pixel's own
    /// colour, red and blue from differences to green. Pekkucuksen2010: both directions count,
    /// each by the gradients along it, instead of one being chosen. Cok1987: constancy of hue. Under
    /// X-Trans green is a paraboloid through its samples; how directions and stars are weighed is our
    /// own.
    Directional,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Bilinear, Self::Superpixel, Self::Directional];

    /// The method for an array when nobody asks for one: directional for Bayer and X-Trans, else
    /// bilinear.
    pub fn auto(cfa: CfaPattern) -> Self {
        let known = cfa.is_bayer() || cfa.is_x_trans();
        if known { Self::Directional } else { Self::Bilinear }
    }

    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bilinear => "bilinear",
            Self::Superpixel => "superpixel",
            Self::Directional => "directional",
        }
    }
}

/// A method that cannot be used with an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the directional method needs a Bayer array or X-Trans; {0} is neither. Use bilinear or superpixel"
)]
pub struct UnknownArray(CfaPattern);

/// What the directional method is made of.
#[derive(Debug, Clone)]
struct Directional {
    /// Green across and along.
    ways: [Taps; 2],
    /// Green of stars, in its logarithm: rules, and what they err by themselves.
    logarithms: Vec<(Taps, f32)>,
    /// What each colour is made of where both count the same.
    even: Taps,
}

impl Directional {
    fn new(cfa: CfaPattern, plain: &Taps) -> Option<Self> {
        let order = if cfa.is_bayer() { Order::Fourth } else { Order::Second };
        let [across, along] = Axis::BOTH.map(|axis| Taps::green(cfa, axis, order));
        let ways = [across?, along?];
        let even = Taps::directional(cfa, &ways, plain);
        let logarithms = hue::logarithms(cfa)?;
        Some(Self { ways, logarithms, even })
    }
}

/// One method on one array.
#[derive(Debug, Clone)]
pub struct Debayer {
    cfa: CfaPattern,
    method: Method,
    /// What each colour is made of.
    plain: Taps,
    directional: Option<Directional>,
    /// Of a sample of the sky.
    noise: Option<f32>,
}

impl Debayer {
    /// A method on an array.
    ///
    /// # Errors
    /// When the method is directional and the array none of Bayer's nor X-Trans.
    pub fn new(cfa: CfaPattern, method: Method) -> Result<Self, UnknownArray> {
        let plain = match method {
            Method::Superpixel => Taps::blocks(cfa),
            _ => Taps::interpolating(cfa),
        };
        let directional = match method {
            Method::Directional => Some(Directional::new(cfa, &plain).ok_or(UnknownArray(cfa))?),
            _ => None,
        };
        Ok(Self { cfa, method, plain, directional, noise: None })
    }

    /// The same over a sky whose samples have this noise, one standard deviation in their unit: what
    /// stands out of it is a star, and sharper than the array as it may be, the directional method
    /// leaves no hole beside it and gives it one colour. Noise of 0 and no number are not known.
    #[must_use]
    pub fn over_noise(self, noise: f64) -> Self {
        let noise = (noise.is_finite() && noise > 0.0).then_some(noise as f32);
        Self { noise, ..self }
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The array.
    pub fn cfa(&self) -> CfaPattern {
        self.cfa
    }

    /// Columns and rows of the frame that make one pixel of the image: 1, or a superpixel's 2
    /// (Bayer) or 3 (X-Trans), or 6 for an array whose parts do not hold every colour.
    pub fn step(&self) -> usize {
        self.plain.step()
    }

    /// The size of the image of a frame; what makes no whole superpixel is left out.
    pub fn picture_size(&self, frame: Size) -> Size {
        Size::new(frame.width / self.step(), frame.height / self.step())
    }

    /// Where on the frame the colour of the image's first pixel lies: on that pixel, or for
    /// superpixels amid its samples, on the mean of all superpixels.
    pub fn centre(&self, color: CfaColor) -> (f64, f64) {
        if self.method == Method::Superpixel { self.plain.centre(color) } else { (0.0, 0.0) }
    }

    /// The colour that pixel (x, y) of the image measured itself; `None` for superpixels, which
    /// measured all three.
    pub fn measured(&self, x: usize, y: usize) -> Option<CfaColor> {
        (self.method != Method::Superpixel).then(|| self.cfa.color(x, y))
    }

    /// Rows beyond a row of the image that its samples lie at.
    fn reach(&self) -> usize {
        match (self.method, self.cfa.period()) {
            (Method::Directional, 2) => taps::REACH.max(hue::reach(self.cfa)),
            (Method::Directional, _) => sixfold::REACH.max(hue::reach(self.cfa)),
            _ => self.plain.reach(),
        }
    }

    /// The rows of a frame of `size` that rows of the image are made of.
    pub fn rows_needed(&self, rows: &Range<usize>, size: Size) -> Range<usize> {
        let reach = self.reach();
        let step = self.step();
        let end = (rows.end * step).saturating_add(reach).min(size.height);
        (rows.start * step).saturating_sub(reach).min(end)..end
    }

    /// Fills rows of the image, red, green and blue, from a window that has all the rows that
    /// [`rows_needed`](Self::rows_needed) names of a frame of `size`.
    ///
    /// Samples that are not finite are missing. A colour is NaN where none of its neighbours has a
    /// sample, and where it was to be measured and was not.
    pub fn fill(&self, frame: Window, size: Size, rows: Range<usize>, mut out: [&mut [f32]; 3]) {
        let room = rows.len() * self.picture_size(size).width;
        assert!(out.iter().all(|o| o.len() == room), "room for {room} pixels a plane");
        match &self.directional {
            Some(directional) => {
                if self.cfa.is_bayer() {
                    bayer::fill(self, (frame, size), rows.clone(), &mut out, true);
                } else {
                    sixfold::fill(self, directional, (frame, size), rows.clone(), &mut out);
                }
                if let Some(noise) = self.noise {
                    let rules = &directional.logarithms;
                    hue::fill(self.cfa, rules, noise, (frame, size), rows, &mut out);
                }
            }
            None if self.method == Method::Bilinear && self.cfa.is_bayer() => {
                bayer::fill(self, (frame, size), rows, &mut out, false);
            }
            None => self.plain.fill(frame, size, rows, &mut out),
        }
    }

    /// Makes pixels beside clipped samples anew, after [`fill`](Self::fill): each colour is the mean
    /// of its nearest samples, and lies between them. Differences of colours that are clipped say
    /// nothing of those beside; extrapolated they dig holes into the sky.
    ///
    /// `clipped` holds runs of such samples, by row, the first row first. Other methods than the
    /// directional one never leave the range of their neighbours; nothing is done.
    pub fn bound(
        &self,
        (frame, size): (Window, Size),
        rows: Range<usize>,
        clipped: &[(usize, Range<usize>)],
        mut out: [&mut [f32]; 3],
    ) {
        self.beside(size, rows, clipped, |i, at| {
            for (channel, out) in out.iter_mut().enumerate() {
                out[i] = self.plain.value(frame, size, at, channel);
            }
        });
    }

    /// Makes the variance of what [`bound`](Self::bound) made, after
    /// [`fill_variance`](Self::fill_variance).
    pub fn bound_variance(
        &self,
        (frame, variance): (Window, Window),
        size: Size,
        rows: Range<usize>,
        clipped: &[(usize, Range<usize>)],
        mut out: [&mut [f32]; 3],
    ) {
        self.beside(size, rows, clipped, |i, at| {
            for (channel, out) in out.iter_mut().enumerate() {
                let (mut sum, mut any) = (0.0, false);
                self.plain.parts(frame, size, at, channel, |(x, y), weight| {
                    sum += weight * weight * variance.at(x, y);
                    any = true;
                });
                out[i] = if any { sum } else { f32::NAN };
            }
        });
    }

    /// Calls `take` once with each pixel of rows of the image for which the directional method would
    /// look at clipped samples: its index in the rows and its place.
    fn beside(
        &self,
        size: Size,
        rows: Range<usize>,
        clipped: &[(usize, Range<usize>)],
        mut take: impl FnMut(usize, (usize, usize)),
    ) {
        if self.method != Method::Directional {
            return;
        }
        let reach = self.reach();
        let first = clipped.partition_point(|(y, _)| y + reach < rows.start);
        let end = clipped.partition_point(|(y, _)| *y < rows.end + reach);
        let near = &clipped[first.min(end)..end];
        let mut spans: Vec<Range<usize>> = Vec::new();
        for y in rows.clone() {
            let runs = near.iter().filter(|(row, _)| row.abs_diff(y) <= reach);
            spans.clear();
            spans.extend(runs.map(|(_, columns)| {
                columns.start.saturating_sub(reach)..(columns.end + reach).min(size.width)
            }));
            spans.sort_unstable_by_key(|columns| columns.start);
            let mut done = 0;
            for columns in &spans {
                for x in columns.start.max(done)..columns.end {
                    take((y - rows.start) * size.width + x, (x, y));
                }
                done = done.max(columns.end);
            }
        }
    }

    /// Fills rows of the image's variance from a window of the frame's samples and one of its
    /// variance, as [`fill`](Self::fill) makes colours.
    ///
    /// Exact for bilinear and superpixel. The directional method's weights go by the samples; its
    /// variance is that of equal directions, which is what even ground and stars have; where stars are
    /// made of one colour it is a little more.
    pub fn fill_variance(
        &self,
        (frame, variance): (Window, Window),
        size: Size,
        rows: Range<usize>,
        out: [&mut [f32]; 3],
    ) {
        let holes = self.near(frame, size, &rows, |i| !frame.samples[i].is_finite());
        let taps = self.directional.as_ref().map_or(&self.plain, |d| &d.even);
        let width = self.picture_size(size).width;
        for (channel, out) in out.into_iter().enumerate() {
            for (i, row) in out.chunks_exact_mut(width.max(1)).enumerate() {
                let y = rows.start + i;
                let lines = taps.lines(y, size.width, channel);
                let first = (y * self.step() - frame.first_row.min(y * self.step())) * size.width;
                for (x, o) in row.iter_mut().enumerate() {
                    if !holes[i * width + x] {
                        let base = (first + x * self.step()) as isize;
                        *o = lines.at(x).iter().fold(0.0, |sum, &(offset, weight)| {
                            sum + weight * weight * variance.samples[(base + offset) as usize]
                        });
                        continue;
                    }
                    let (mut sum, mut any) = (0.0, false);
                    self.sources(frame, size, (x, y), channel, |(x, y), weight| {
                        sum += weight * weight * variance.at(x, y);
                        any = true;
                    });
                    *o = if any { sum } else { f32::NAN };
                }
            }
        }
    }

    /// Fills rows of the image's mask from a window of the frame's samples and the mask of the
    /// same rows.
    ///
    /// A measured pixel keeps its bits, a superpixel has those of its samples. A pixel that was made
    /// of neighbours is INTERPOLATED, and SATURATED where one of them is; one without any is
    /// NO_DATA.
    pub fn fill_mask(
        &self,
        (frame, mask): (Window, &[MaskBits]),
        size: Size,
        rows: Range<usize>,
        out: [&mut [MaskBits]; 3],
    ) {
        let bits = |x: usize, y: usize| mask[(y - frame.first_row) * frame.width + x];
        let width = self.picture_size(size).width;
        let whole = self.method == Method::Superpixel;
        // Elsewhere a pixel has nothing of its neighbours but that it is made of them.
        let telling = if whole { MaskBits::all() } else { MaskBits::SATURATED };
        let near = self.near(frame, size, &rows, |i| {
            mask[i].intersects(telling) || !frame.samples[i].is_finite()
        });
        for (channel, out) in out.into_iter().enumerate() {
            for (i, o) in out.iter_mut().enumerate() {
                let (x, y) = (i % width, rows.start + i / width);
                *o = match self.measured(x, y) {
                    Some(color) if color.channel() == channel => bits(x, y),
                    _ if near[i] => {
                        let (mut found, mut any) = (MaskBits::empty(), false);
                        self.sources(frame, size, (x, y), channel, |(x, y), _| {
                            found |= bits(x, y);
                            any = true;
                        });
                        match (any, whole) {
                            (false, _) => MaskBits::NO_DATA,
                            (true, true) => found,
                            _ => (found & MaskBits::SATURATED) | MaskBits::INTERPOLATED,
                        }
                    }
                    _ if whole => MaskBits::empty(),
                    _ => MaskBits::INTERPOLATED,
                };
            }
        }
    }

    /// For each pixel of rows of the image, whether a sample that it may be made of is one of
    /// those that `which` picks by their index in the window, or lies beyond the frame.
    fn near(
        &self,
        frame: Window,
        size: Size,
        rows: &Range<usize>,
        which: impl Fn(usize) -> bool,
    ) -> Vec<bool> {
        let taps = self.directional.as_ref().map_or(&self.plain, |d| &d.even);
        let (reach, step) = (taps.reach().max(self.plain.reach()), self.step());
        let width = self.picture_size(size).width;
        let ends = |first: usize, length: usize| first < reach || first + step + reach > length;
        let mut near: Vec<bool> = rows
            .clone()
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| ends(x * step, size.width) || ends(y * step, size.height))
            .collect();
        for (i, _) in frame.samples.iter().enumerate().filter(|(i, _)| which(*i)) {
            let (x, y) = (i % frame.width, frame.first_row + i / frame.width);
            let part = |v: usize, from: usize, end: usize| {
                (v.saturating_sub(reach) / step).clamp(from, end)
                    ..((v + reach) / step + 1).clamp(from, end)
            };
            for y in part(y, rows.start, rows.end) {
                let line = (y - rows.start) * width;
                let columns = part(x, 0, width);
                near[line + columns.start..line + columns.end].fill(true);
            }
        }
        near
    }

    /// Calls `take` with the place and the part of each sample that a colour of the image's pixel
    /// `at` is made of; the parts have a sum of 1.
    fn sources(
        &self,
        frame: Window,
        size: Size,
        at: (usize, usize),
        channel: usize,
        take: impl FnMut((usize, usize), f32),
    ) {
        let even = self.directional.as_ref().map(|d| &d.even);
        let whole = even.filter(|t| t.all_there(frame, size, at, channel));
        whole.unwrap_or(&self.plain).parts(frame, size, at, channel, take);
    }
}
