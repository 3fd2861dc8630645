//! Where a dark says most about the dark signal of a light: its hot and warm pixels, and beside
//! them ordinary ones to compare with.

use std::ops::Range;

use photosite_pix::{CfaColor, CfaPattern, Frame, MaskBits, Size, stat};

use super::tiles::Tiles;
use crate::calibrate::masters::{Bias, DarkContent, MasterDark};
use crate::{Error, Result};

/// How far a pixel must stand above its neighbours to be a site, in the noise of the dark: then what
/// noise lifts over the threshold is of no account beside what is really warm.
const KAPPA: f64 = 10.0;
/// The same in the noise of the pixel itself, where that is known.
const OWN_KAPPA: f64 = 5.0;
/// Each stratum reaches to so many times its lowest amplitude.
pub(super) const STRATUM: f64 = 2.5;
/// Strata of amplitude; the last has no upper end.
pub(super) const STRATA: usize = 6;
/// Sites of one stratum that are looked at: more take time and tell no more.
const MOST: usize = 4000;
/// Ordinary pixels that are looked at.
const CONTROLS: usize = 8192;
/// Bands of rows from which the noise is measured.
const NOISE_BANDS: usize = 12;
/// Rows of such a band.
const NOISE_ROWS: usize = 16;

/// A pixel that is looked at in a light.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site {
    pub x: u32,
    pub y: u32,
    /// How far the dark stands above its neighbours of the same colour here, in ADU, less what
    /// noise adds on average.
    pub amplitude_adu: f64,
    /// By how much the light is to be lowered for the bias that both have subtracted, in ADU.
    pub shared_adu: f64,
    /// Its colour's channel.
    pub channel: u8,
    /// Its stratum of amplitude.
    pub stratum: u8,
    /// Which of the neighbours it is compared with.
    pub near: Near,
}

impl Site {
    /// How far it stands above its neighbours in a frame, and how far these lie apart.
    pub fn above(
        &self,
        value: impl Fn(usize, usize) -> f32,
        on: (Size, usize),
    ) -> Option<(f64, f64)> {
        above(value, (self.x as usize, self.y as usize), on, self.near)
    }
}

/// Which of the 8 neighbours of its colour a pixel is compared with, one bit each.
///
/// One that is hot in the dark itself, as in a warm column, lies above in every light: the median of all 8 would be
/// that of the others' upper half, and off by what they scatter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Near(u8);

/// Fewest neighbours that a pixel is compared with.
const FEWEST_NEAR: u32 = 4;

/// How far the second lowest and the second highest of so many Gaussian numbers lie apart on average, in standard
/// deviations, from 4 on.
///
/// # Source
/// Teichroew1956.
const APART: [f64; 5] = [0.594, 0.990, 1.284, 1.515, 1.704];

impl Near {
    /// All of them.
    pub const ALL: Self = Self(u8::MAX);

    /// Columns and rows of the neighbours of a pixel that lies not at the rim, with their bits.
    fn places((x, y): (usize, usize), step: usize) -> impl Iterator<Item = (u8, (usize, usize))> {
        let around = (0..9).filter(|i| *i != 4).enumerate();
        around.map(move |(bit, i)| (1 << bit, (x + i % 3 * step - step, y + i / 3 * step - step)))
    }

    /// The neighbours that are not raised in the dark, of which `raised` are row after row; all where too few are
    /// left.
    fn of(at: (usize, usize), step: usize, raised: &[Raised]) -> Self {
        let is_raised =
            |(x, y): (usize, usize)| raised.binary_search_by_key(&(y, x), |r| (r.y, r.x)).is_ok();
        let ordinary = Self::places(at, step).filter(|(_, place)| !is_raised(*place));
        let near = Self(ordinary.fold(0, |near, (bit, _)| near | bit));
        if near.0.count_ones() < FEWEST_NEAR { Self::ALL } else { near }
    }
}

/// What a bias-free dark holds, as root mean squares over all pixels, in ADU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DarkSignal {
    /// The median above the bias: negative where the sensor clamps its black level.
    pub level_adu: f64,
    /// Of hot and warm pixels above their neighbours.
    pub hot_adu: f64,
    /// Of structure wider than a few dozen pixels.
    pub glow_adu: f64,
    /// The noise of the dark, and of the bias taken from it.
    pub noise_adu: f64,
}

impl DarkSignal {
    /// All but noise and level together: what is seen in a light that keeps it.
    pub fn seen_adu(&self) -> f64 {
        self.hot_adu.hypot(self.glow_adu)
    }
}

/// The sites of one dark and what it holds: made once, for all lights.
#[derive(Debug, Clone)]
pub struct HotSites {
    pub(super) size: Size,
    pub(super) cfa: Option<CfaPattern>,
    pub(super) sites: Vec<Site>,
    pub(super) controls: Vec<Site>,
    /// The bias-free dark's own level, tile by tile.
    pub(super) tiles: Tiles,
    /// What it holds.
    pub signal: DarkSignal,
    /// Hot and warm pixels found.
    pub found: usize,
}

/// A dark without its bias.
struct Free<'a> {
    dark: &'a MasterDark,
    bias: Option<&'a Bias>,
}

impl Free<'_> {
    /// The bias-free sample; NaN where there is none.
    fn at(&self, x: usize, y: usize) -> f32 {
        const NOT: MaskBits = MaskBits::NO_DATA.union(MaskBits::SATURATED);
        if self.dark.frame.mask.get(x, y).intersects(NOT) {
            return f32::NAN;
        }
        self.dark.frame.data.get(x, y) - self.bias.map_or(0.0, |b| b.row(y)(x))
    }

    fn row(&self, y: usize, out: &mut [f32]) {
        out.iter_mut().enumerate().for_each(|(x, v)| *v = self.at(x, y));
    }

    /// The variances of dark and bias at a pixel, where the masters know them.
    fn variances(&self, x: usize, y: usize) -> (Option<f64>, f64) {
        let of = |frame: &Frame| frame.variance.as_ref().map(|v| f64::from(v.get(x, y)));
        let of_bias = match self.bias {
            Some(Bias::Master(frame)) => of(frame).unwrap_or(0.0),
            _ => 0.0,
        };
        (of(&self.dark.frame).filter(|v| v.is_finite()), of_bias)
    }
}

impl HotSites {
    /// The sites of a dark over `cfa`; `bias` is what a dark that holds it is freed of.
    ///
    /// Saturated samples and those without data are no sites. The same bytes come out whatever reads
    /// them.
    ///
    /// # Errors
    /// When the dark holds the bias and none is given, or their sizes differ.
    ///
    /// # Source
    /// Efron2011: what a threshold selects stands on average lower than it was measured, by its
    /// variance times the slope of the logarithm of how frequent it is.
    pub fn of(dark: &MasterDark, bias: Option<&Bias>, cfa: Option<CfaPattern>) -> Result<Self> {
        let size = dark.frame.size();
        if let Some(other) = bias.and_then(Bias::size).filter(|s| *s != size) {
            return Err(Error::mismatch(format!("the dark is {size} pixels, the bias {other}")));
        }
        let bias = match (dark.content, bias) {
            (DarkContent::BiasRemoved, _) => None,
            (DarkContent::BiasIncluded, Some(bias)) => Some(bias),
            (DarkContent::BiasIncluded, None) => {
                return Err(Error::mismatch("a dark that includes bias needs a bias to be scaled"));
            }
        };
        let free = Free { dark, bias };
        let step = cfa.map_or(1, CfaPattern::period);
        let noise_adu = noise_of(&free, size, step);
        let threshold = KAPPA * noise_adu.max(1e-6);
        let mut tiles = Tiles::new(size);
        let mut raised: Vec<Raised> = Vec::new();
        let mut band: Vec<f32> = Vec::new();
        for (index, rows) in tiles.bands().enumerate() {
            band.resize(rows.len() * size.width, 0.0);
            for (y, row) in rows.clone().zip(band.chunks_exact_mut(size.width.max(1))) {
                free.row(y, row);
            }
            tiles.see(index, &band, |_, _| true);
            for (y, row) in rows.zip(band.chunks_exact(size.width.max(1))) {
                for (x, v) in row.iter().enumerate() {
                    let least = tiles.level(x, index) + threshold as f32;
                    if *v > least {
                        raised.extend(Raised::of(&free, (x, y), (size, step), threshold));
                    }
                }
            }
        }
        let nears: Vec<Near> = raised.iter().map(|r| Near::of((r.x, r.y), step, &raised)).collect();
        for (r, near) in raised.iter_mut().zip(nears) {
            let value = |x, y| free.at(x, y);
            if let Some((amplitude_adu, _)) = above(value, (r.x, r.y), (size, step), near) {
                (r.amplitude_adu, r.near) = (amplitude_adu, near);
            }
        }
        let squares: f64 = raised.iter().map(|r| r.amplitude_adu * r.amplitude_adu).sum();
        let signal = DarkSignal {
            level_adu: tiles.median(),
            hot_adu: (squares / size.pixels().max(1) as f64).sqrt(),
            glow_adu: tiles.structure_adu(),
            noise_adu,
        };
        let found = raised.len();
        let sites = chosen(&raised, threshold, (noise_adu, cfa));
        let controls = controls(&free, &raised, (size, step, cfa));
        Ok(Self { size, cfa, sites, controls, tiles, signal, found })
    }

    /// Columns and rows of its hottest pixels, as many as `most`, the hottest first.
    pub fn brightest(&self, most: usize) -> Vec<(usize, usize)> {
        let mut all: Vec<&Site> = self.sites.iter().collect();
        all.sort_by(|a, b| b.amplitude_adu.total_cmp(&a.amplitude_adu));
        all.into_iter().take(most).map(|s| (s.x as usize, s.y as usize)).collect()
    }

    /// The filter array over it.
    pub fn cfa(&self) -> Option<CfaPattern> {
        self.cfa
    }

    /// The distance between neighbours of one colour.
    pub(super) fn step(&self) -> usize {
        self.cfa.map_or(1, CfaPattern::period)
    }

    /// Whether a pixel counts for the level of a tile: those of one colour do.
    pub(super) fn of_level(&self, x: usize, y: usize) -> bool {
        self.cfa.is_none_or(|cfa| cfa.color(x, y) == CfaColor::Green)
    }
}

/// A pixel of the dark far above its neighbours.
struct Raised {
    x: usize,
    y: usize,
    amplitude_adu: f64,
    variances: (Option<f64>, f64),
    near: Near,
}

impl Raised {
    fn of(free: &Free<'_>, at: (usize, usize), on: (Size, usize), threshold: f64) -> Option<Self> {
        let amplitude_adu = above(|x, y| free.at(x, y), at, on, Near::ALL)?.0;
        if amplitude_adu <= threshold {
            return None;
        }
        let variances = free.variances(at.0, at.1);
        // In glow, and where a pixel is unsteady, its own noise is larger than the frame's.
        let own = variances.0.map_or(0.0, |v| (v + variances.1).sqrt());
        let (x, y) = at;
        (amplitude_adu > OWN_KAPPA * own).then_some(Self {
            x,
            y,
            amplitude_adu,
            variances,
            near: Near::ALL,
        })
    }
}

/// How far a pixel stands above the median of its `near` neighbours among the 8 of its colour around it, and how far
/// those lie apart: from the second lowest to the second highest, as 8 would. `None` at the rim, and where one of
/// them is not known.
pub(super) fn above(
    value: impl Fn(usize, usize) -> f32,
    (x, y): (usize, usize),
    (size, step): (Size, usize),
    near: Near,
) -> Option<(f64, f64)> {
    if x < step || y < step || x + step >= size.width || y + step >= size.height {
        return None;
    }
    let mut around = [0.0f32; 8];
    let mut count = 0;
    for (_, (x, y)) in Near::places((x, y), step).filter(|(bit, _)| near.0 & bit != 0) {
        around[count] = value(x, y);
        count += 1;
    }
    let around = &mut around[..count];
    let own = value(x, y);
    if !own.is_finite() || around.iter().any(|v| !v.is_finite()) {
        return None;
    }
    around.sort_unstable_by(f32::total_cmp);
    let median = 0.5 * (f64::from(around[(count - 1) / 2]) + f64::from(around[count / 2]));
    let apart = f64::from(around[count - 2]) - f64::from(around[1]);
    let usual = APART[APART.len() - 1] / APART[count - FEWEST_NEAR as usize];
    Some((f64::from(own) - median, usual * apart))
}

/// The noise of the dark from pixel to pixel, its own fixed pattern included.
fn noise_of(free: &Free<'_>, size: Size, step: usize) -> f64 {
    let rows = NOISE_ROWS.min(size.height);
    let mut band = vec![0.0f32; rows * size.width];
    let mut all: Vec<f32> = Vec::new();
    for i in 0..NOISE_BANDS {
        let first = (size.height - rows) * i / (NOISE_BANDS - 1);
        for (n, row) in band.chunks_exact_mut(size.width.max(1)).enumerate() {
            free.row(first + n, row);
        }
        let noise = stat::noise(&band, size.width, step) as f32;
        all.extend(Some(noise).filter(|n| n.is_finite()));
    }
    f64::from(stat::median(&all))
}

/// The stratum of an amplitude.
fn stratum(amplitude_adu: f64, threshold: f64) -> usize {
    ((amplitude_adu / threshold).ln() / STRATUM.ln()).max(0.0).min((STRATA - 1) as f64) as usize
}

/// The sites, stratum by stratum thinned to what is looked at, in the order of rows.
fn chosen(
    raised: &[Raised],
    threshold: f64,
    (noise_adu, cfa): (f64, Option<CfaPattern>),
) -> Vec<Site> {
    let of = |r: &Raised| stratum(r.amplitude_adu, threshold);
    let mut counts = [0usize; STRATA];
    raised.iter().for_each(|r| counts[of(r)] += 1);
    let falls: [f64; STRATA] = std::array::from_fn(|s| fall(raised, threshold, s));
    let mut seen = [0usize; STRATA];
    let mut sites = Vec::new();
    for r in raised {
        let s = of(r);
        let (place, count) = (seen[s], counts[s]);
        seen[s] += 1;
        // Evenly spread over the frame: so many of each stratum.
        if count > MOST && place * MOST / count == (place + 1) * MOST / count {
            continue;
        }
        let (of_dark, of_bias) = r.variances;
        let variance = of_dark.map_or(noise_adu * noise_adu, |v| v + of_bias);
        // The median of 8 adds its own.
        let variance_adu2 = variance * (1.0 + MEDIAN_OF_8);
        let shrink = falls[s] / r.amplitude_adu;
        sites.push(Site {
            x: r.x as u32,
            y: r.y as u32,
            amplitude_adu: r.amplitude_adu - shrink * variance_adu2,
            shared_adu: shrink * of_bias * (1.0 + MEDIAN_OF_8),
            channel: channel(cfa, r.x, r.y),
            stratum: s as u8,
            near: r.near,
        });
    }
    sites
}

/// The variance of the median of 8 Gaussian numbers, in that of one.
///
/// # Source
/// Chu1955: pi / 2 over n + 1.14 in small samples.
const MEDIAN_OF_8: f64 = 0.168;

fn channel(cfa: Option<CfaPattern>, x: usize, y: usize) -> u8 {
    cfa.map_or(0, |c| c.color(x, y).channel()) as u8
}

/// How steeply sites grow rarer with amplitude within a stratum: the exponent of a power law.
fn fall(raised: &[Raised], threshold: f64, s: usize) -> f64 {
    let least = threshold * STRATUM.powi(s as i32);
    let middle = least * STRATUM.sqrt();
    let (mut low, mut high, mut logs, mut n) = (0usize, 0usize, 0.0, 0usize);
    for r in raised {
        let a = r.amplitude_adu;
        if a >= least {
            n += 1;
            logs += (a / least).ln();
            if a < middle {
                low += 1;
            } else if a < least * STRATUM {
                high += 1;
            }
        }
    }
    let hill = if n > 0 && logs > 0.0 { 1.0 + n as f64 / logs } else { 0.0 };
    let local = 1.0 + (low as f64 / high as f64).ln() / STRATUM.sqrt().ln();
    // A handful of pixels do not tell a slope; all above do.
    let exponent = if low + high >= 40 && high > 0 { local } else { hill };
    exponent.clamp(0.0, 12.0)
}

/// Ordinary pixels, spread evenly over the frame.
fn controls(
    free: &Free<'_>,
    raised: &[Raised],
    (size, step, cfa): (Size, usize, Option<CfaPattern>),
) -> Vec<Site> {
    // The fractional parts of multiples of these fill the square evenly: the plastic number's powers.
    const ALONG: f64 = 0.754_877_666_246_692_7;
    const DOWN: f64 = 0.569_840_290_998_053_2;
    let taken: std::collections::BTreeSet<(usize, usize)> =
        raised.iter().map(|r| (r.y, r.x)).collect();
    let place = |i: usize, by: f64, n: usize| ((i as f64 * by).fract() * n as f64) as usize;
    let mut all: Vec<Site> = (1..=CONTROLS)
        .map(|i| (place(i, ALONG, size.width), place(i, DOWN, size.height)))
        .filter(|&(x, y)| !taken.contains(&(y, x)))
        .filter_map(|(x, y)| {
            let (amplitude_adu, _) = above(|x, y| free.at(x, y), (x, y), (size, step), Near::ALL)?;
            let channel = channel(cfa, x, y);
            let (x, y, shared_adu, stratum) = (x as u32, y as u32, 0.0, 0);
            let near = Near::ALL;
            Some(Site { x, y, amplitude_adu, shared_adu, channel, stratum, near })
        })
        .collect();
    all.sort_by_key(|s| (s.y, s.x));
    all.dedup_by_key(|s| (s.y, s.x));
    all
}

/// The sites that lie in `rows`.
pub(super) fn within(sites: &[Site], rows: &Range<usize>) -> Range<usize> {
    let at = |y: usize| sites.partition_point(|s| (s.y as usize) < y);
    at(rows.start)..at(rows.end)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use photosite_pix::{Plane, Unit};

    use super::*;

    /// About Gaussian, with a standard deviation of 1.
    fn noise(seed: u64, x: usize, y: usize) -> f32 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ ((y * 100_003 + x) as u64 + 1);
        let mut unit = || {
            state ^= state >> 30;
            state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (state >> 27);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        (0..12).map(|_| unit()).sum::<f32>() - 6.0
    }

    #[test]
    fn warm_columns_show_all_of_a_dark_however_noisy_the_light() {
        let size = Size::new(300, 240);
        let single = |x: usize, y: usize| (x * 7 + y * 13) % 509 == 3;
        let column = |x: usize, _: usize| x % 41 == 20;
        let half = |x: usize, y: usize| x % 41 == 20 && y.is_multiple_of(2);
        type Warm<'a> = &'a dyn Fn(usize, usize) -> bool;
        for (name, warm) in [
            ("pixels", &single as Warm<'_>),
            ("columns", &column),
            ("every second of a column", &half),
        ] {
            let frame = |seed: u64, sigma: f32, sky: f32, cfa: bool| {
                let step = if cfa { 2 } else { 1 };
                Plane::from_fn(size, |x, y| {
                    let signal = if warm(x / step, y / step) { 37.0 } else { 0.0 };
                    sky + signal + sigma * noise(seed, x, y)
                })
            };
            for cfa in [None, CfaPattern::parse("RGGB")] {
                let dark = MasterDark {
                    frame: Arc::new(Frame::new(frame(1, 1.0, 0.0, cfa.is_some()), Unit::Adu)),
                    content: DarkContent::BiasRemoved,
                    exposure_s: None,
                    variance_factor: None,
                };
                let sites = HotSites::of(&dark, None, cfa).unwrap();
                let light = frame(2, 20.0, 300.0, cfa.is_some());
                let fit = sites.fit(&sites.look_at(|x, y| light.get(x, y)));
                let k = fit.k.unwrap();
                println!(
                    "{name}, colour {}: {k:.3} +- {:.3} of {} sites",
                    cfa.is_some(),
                    fit.error,
                    fit.sites
                );
                assert!((k - 1.0).abs() < 4.0 * fit.error && fit.error < 0.1, "{name}: {fit:?}");
            }
        }
    }
}
