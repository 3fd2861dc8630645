//! What neighbouring pixels share: interpolation makes one of several samples, so that means over
//! pixels are known less well than errors of independent pixels let expect.
//!
//! The factor of a picture is the noise of its means over 4 x 4 pixels over what `ERR` says of them
//! taken as independent. It is found by sending white noise the way the samples went, so that neither
//! stars nor nebulae count, and is written beside `ERR` (`PSCORR`, or one a colour).
//!
//! ```
//! use photosite::correlation::{Correlation, of_debayering};
//! use photosite_pix::debayer::Method;
//! use photosite_pix::{CfaPattern, Header};
//!
//! // Three of four red pixels are made of their neighbours.
//! let told = of_debayering(CfaPattern::parse("RGGB").unwrap(), Method::Bilinear)?.unwrap();
//! assert!(told.of(0) > 1.8 && told.of(1) > 1.3);
//! let mut header = Header::new();
//! told.write(&mut header);
//! assert_eq!(Correlation::read(&header).unwrap(), told.rounded());
//! # Ok::<(), photosite::Error>(())
//! ```

use std::ops::Range;
use std::sync::Arc;

use photosite_file::{Access, Source};
use photosite_pix::align::{Point, Transform};
use photosite_pix::debayer::Method;
use photosite_pix::normalise::Affine;
use photosite_pix::{Card, CfaPattern, Header, Size, stat};

use crate::debayer::Debayered;
use crate::stack::{Laid, Layer, Laying, ReadBuffers, Room};
use crate::{Error, Result};

/// Pixels along the side of a block whose mean is looked at.
const BLOCK: usize = 4;

/// Pixels along the side of a tile of noise.
const TILE: usize = 192;

/// Places of a picture at which lights lie differently on its pixels: shares of its sides.
const PLACES: [(f64, f64); 4] = [(0.25, 0.3), (0.7, 0.2), (0.35, 0.75), (0.8, 0.7)];

/// Keywords of one plane, and of red, green and blue.
const KEY: &str = "PSCORR";
const COLOURS: [&str; 3] = ["PSCORRR", "PSCORRG", "PSCORRB"];

/// By how many times the noise of means over 4 x 4 pixels exceeds that of independent ones, one a
/// plane.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlation(Vec<f64>);

impl Correlation {
    /// The factor of a plane.
    pub fn of(&self, plane: usize) -> f64 {
        self.0.get(plane).copied().unwrap_or(1.0)
    }

    /// As a header has it.
    #[must_use]
    pub fn rounded(&self) -> Self {
        Self(self.0.iter().map(|v| (v * 1e3).round() / 1e3).collect())
    }

    /// Writes the factors.
    pub fn write(&self, header: &mut Header) {
        let Self(factors) = self.rounded();
        let keys: &[&str] = if factors.len() == 1 { &[KEY] } else { &COLOURS };
        for (key, factor) in keys.iter().zip(&factors) {
            header.set(Card::real(key, *factor, "noise of 4x4 means over that of ERR alone"));
        }
    }

    /// The factors of a header; `None` where it has none: pixels are independent, or nothing is known.
    pub fn read(header: &Header) -> Option<Self> {
        let factor = |key: &str| header.get_f64(key).filter(|v| *v > 0.0 && v.is_finite());
        let colours: Option<Vec<f64>> = COLOURS.iter().map(|key| factor(key)).collect();
        factor(KEY).map(|one| vec![one]).or(colours).map(Self)
    }

    /// Writes the factors into the header of a picture made of pictures whose own it holds: about their
    /// product.
    pub fn write_beyond(&self, header: &mut Header) {
        let before = Self::read(header);
        let planes = self.0.len().max(before.as_ref().map_or(0, |own| own.0.len()));
        let own = |plane: usize| before.as_ref().map_or(1.0, |own| own.of(plane));
        Self((0..planes).map(|plane| self.of(plane) * own(plane)).collect()).write(header);
    }
}

/// White noise of a standard deviation, the same wherever a row is read.
struct White {
    size: Size,
    planes: usize,
    sigma: f32,
    key: u64,
}

impl Source for White {
    fn size(&self) -> Size {
        self.size
    }

    fn planes(&self) -> usize {
        self.planes
    }

    fn access(&self) -> Access {
        Access::Rows
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        _: &mut Vec<u8>,
        out: &mut [f32],
    ) -> photosite_file::Result<()> {
        let first = (plane * self.size.height + rows.start) * self.size.width;
        for (i, v) in out.iter_mut().enumerate() {
            let bits = scattered(self.key.wrapping_add((first + i) as u64));
            // Four even numbers of 16 bits: near enough a Gaussian, of variance 1/3.
            let four = (0..4).map(|part| (bits >> (16 * part) & 0xffff) as f32 / 65_536.0 - 0.5);
            *v = self.sigma * four.sum::<f32>() * 3.0f32.sqrt();
        }
        Ok(())
    }
}

/// A number whose bits have nothing to do with those of its neighbours'.
///
/// # Source
/// Steele2014, SplitMix64.
fn scattered(key: u64) -> u64 {
    let mut z = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Sums over tiles of noise.
#[derive(Default, Clone, Copy)]
struct Seen {
    pixels: (f64, f64),
    blocks: (f64, f64),
}

impl Seen {
    /// Adds a tile; blocks with a hole do not count. A pixel lies between blocks, so that they do not lie
    /// all in one way on what repeats every two pixels.
    fn add(&mut self, tile: &[f32], width: usize) {
        let height = tile.len() / width;
        let starts = |n: usize| (0..(n + 1) / (BLOCK + 1)).map(|i| i * (BLOCK + 1));
        for y in starts(height) {
            for x in starts(width) {
                let rows = (y..y + BLOCK).flat_map(|y| &tile[y * width + x..][..BLOCK]);
                let (mut sum, mut squares) = (0.0, 0.0);
                for v in rows.map(|v| f64::from(*v)) {
                    sum += v;
                    squares += v * v;
                }
                if sum.is_finite() {
                    let n = (BLOCK * BLOCK) as f64;
                    self.pixels = (self.pixels.0 + squares, self.pixels.1 + n);
                    self.blocks = (self.blocks.0 + sum * sum / n, self.blocks.1 + 1.0);
                }
            }
        }
    }

    fn factor(self) -> Option<f64> {
        let factor = (self.blocks.0 / self.blocks.1 * self.pixels.1 / self.pixels.0).sqrt();
        factor.is_finite().then_some(factor)
    }
}

/// What the pixels of a debayered frame share; `None` where nothing is interpolated.
///
/// # Errors
/// When the method cannot be used with the array.
pub fn of_debayering(cfa: CfaPattern, method: Method) -> Result<Option<Correlation>> {
    if method == Method::Superpixel {
        return Ok(None);
    }
    let (planes, side) = debayered_noise(cfa, method)?;
    let each = planes.chunks_exact(side * side).map(|plane| {
        let mut seen = Seen::default();
        seen.add(plane, side);
        seen.factor()
    });
    Ok(each.collect::<Option<Vec<f64>>>().map(Correlation))
}

/// The noise of green in a debayered frame, as [`stat::noise_of_blocks`] shows it, over that of a sample under
/// the array.
///
/// # Errors
/// When the method cannot be used with the array.
pub fn green_in_blocks(cfa: CfaPattern, method: Method) -> Result<f64> {
    let (planes, side) = debayered_noise(cfa, method)?;
    Ok(stat::noise_of_blocks(&planes[side * side..][..side * side], side))
}

/// White noise of standard deviation 1, debayered: three planes, and the pixels along their sides.
fn debayered_noise(cfa: CfaPattern, method: Method) -> Result<(Vec<f32>, usize)> {
    let side = 2 * TILE;
    let source = white(Size::new(side, side), 1, 1.0, 0);
    let made =
        Debayered::new(source, cfa, method).map_err(|e| Error::unsupported(e.to_string()))?;
    let mut planes = vec![0.0; 3 * side * side];
    made.read_planes(0..side, &mut Vec::new(), &mut planes)?;
    Ok((planes, side))
}

fn white(size: Size, planes: usize, sigma: f32, key: u64) -> Box<dyn Source> {
    Box::new(White { size, planes, sigma, key: scattered(key.wrapping_add(1)) })
}

/// A light of a stack, as far as its noise goes.
#[derive(Debug, Clone)]
pub struct NoiseOf {
    /// Maps pixels of the stack to those of the light.
    pub transform: Transform,
    /// How samples come there.
    pub laying: Laying,
    /// The filter array that is debayered on the way, and how.
    pub debayered: Option<(CfaPattern, Method)>,
    /// Planes of the light's file.
    pub planes: usize,
    /// Its weight in the mean.
    pub weight: f64,
}

impl NoiseOf {
    /// Whether the pixels of the stack are those of the light, some way off.
    fn lies_as_it_is(&self) -> bool {
        let whole = self.transform.whole_shift().is_some();
        whole && self.debayered.is_none() && matches!(self.laying, Laying::Interpolated(_))
    }
}

/// What the pixels of a stack of `size` share; `None` where they are those of its lights.
///
/// # Errors
/// When a light's filter array cannot be debayered.
pub fn of_stack(lights: &[NoiseOf], size: Size) -> Result<Option<Correlation>> {
    if lights.iter().all(NoiseOf::lies_as_it_is) {
        return Ok(None);
    }
    let seen = noise_seen(lights, size)?;
    let each: Option<Vec<f64>> = seen.into_iter().map(Seen::factor).collect();
    Ok(each.map(Correlation))
}

/// What the pixels of one light laid on a picture of `size` share, and the variance of such a pixel over that of
/// a sample, one a plane; `None` where they are the light's own, or it lies beside the picture.
///
/// # Errors
/// When its filter array cannot be debayered.
pub fn of_light(light: &NoiseOf, size: Size) -> Result<Option<(Correlation, Vec<f64>)>> {
    if light.lies_as_it_is() {
        return Ok(None);
    }
    let seen = noise_seen(std::slice::from_ref(light), size)?;
    let variance =
        |s: &Seen| Some(s.pixels.0 / s.pixels.1 * light.weight).filter(|v| v.is_finite());
    let variance: Option<Vec<f64>> = seen.iter().map(variance).collect();
    let shared: Option<Vec<f64>> = seen.into_iter().map(Seen::factor).collect();
    Ok(shared.map(Correlation).zip(variance))
}

/// White noise sent the way of the lights, and what arrives at some places of a stack, one a plane.
fn noise_seen(lights: &[NoiseOf], size: Size) -> Result<Vec<Seen>> {
    let tile = Size::new(TILE.min(size.width), TILE.min(size.height));
    let mut seen: Vec<Seen> = Vec::new();
    let mut buffers = ReadBuffers::default();
    for (at, (x, y)) in PLACES.into_iter().enumerate() {
        // On a pixel, as drops and kernels meet them.
        let on = |share: f64, n: usize| (share * n as f64).floor();
        let middle = Point::new(on(x, size.width), on(y, size.height));
        let mut sums: Vec<Vec<[f32; 2]>> = Vec::new();
        for (i, light) in lights.iter().enumerate() {
            let key = (at * lights.len() + i) as u64;
            let laid = noise_layer(light, middle, tile, key)?;
            let planes = laid.planes();
            let mut samples = vec![0.0f32; planes * tile.pixels()];
            let mut coverage = vec![1.0f32; planes * tile.pixels()];
            let rooms = samples.chunks_exact_mut(tile.pixels());
            let rooms = rooms.zip(coverage.chunks_exact_mut(tile.pixels()));
            let mut rooms: Vec<Room<'_>> =
                rooms.map(|(samples, coverage)| Room { samples, coverage }).collect();
            laid.read(0..tile.height, 0..tile.width, &mut buffers, &mut rooms)?;
            sums.resize_with(planes, || vec![[0.0; 2]; tile.pixels()]);
            let all = sums.iter_mut().flatten();
            for (sum, (v, cover)) in all.zip(samples.iter().zip(&coverage)) {
                let w = light.weight as f32 * cover;
                if v.is_finite() {
                    *sum = [sum[0] + w * v, sum[1] + w];
                }
            }
        }
        seen.resize_with(sums.len(), Seen::default);
        for (seen, sums) in seen.iter_mut().zip(&sums) {
            let means: Vec<f32> = sums.iter().map(|[sum, w]| sum / w).collect();
            seen.add(&means, tile.width);
        }
    }
    Ok(seen)
}

/// White noise laid on a tile about a place of the stack, as the light is laid there.
fn noise_layer(light: &NoiseOf, middle: Point, tile: Size, key: u64) -> Result<Laid> {
    let [[a, b], [c, d]] = light.transform.slopes(middle);
    let there = light.transform.apply(middle);
    let (w, h) = (tile.width as f64, tile.height as f64);
    let side = |v: f64| (v.abs().min(1e4) + 16.0).ceil() as usize;
    let own = Size::new(side(a.abs() * w + b.abs() * h), side(c.abs() * w + d.abs() * h));
    // The pattern of a part of the light is that of the light.
    let dropping = match light.laying {
        Laying::Drizzled { cfa, .. } => cfa,
        Laying::Interpolated(_) => None,
    };
    let cell =
        light.debayered.map(|(cfa, _)| cfa).or(dropping).map_or(1.0, |cfa| cfa.period() as f64);
    let corner = |v: f64, n: usize| ((v - 0.5 * n as f64) / cell).floor() * cell;
    let (x0, y0) = (corner(there.x, own.width), corner(there.y, own.height));
    let shift = |v: f64, x: f64, y: f64| v - x * (0.5 * w).floor() - y * (0.5 * h).floor();
    let transform =
        Transform::affine(a, b, shift(there.x - x0, a, b), c, d, shift(there.y - y0, c, d));
    let sigma = (1.0 / light.weight.max(1e-6).sqrt()) as f32;
    let source = white(own, light.planes, sigma, key);
    let source = match light.debayered {
        None => source,
        Some((cfa, method)) => {
            let made = Debayered::new(source, cfa, method);
            Box::new(made.map_err(|e| Error::unsupported(e.to_string()))?) as Box<dyn Source>
        }
    };
    let laying = light.laying.clone();
    Ok(Laid {
        source,
        size: tile,
        transform,
        laying,
        levels: vec![Affine::IDENTITY; 3],
        offsets: vec![],
        burnt: Arc::default(),
    })
}
