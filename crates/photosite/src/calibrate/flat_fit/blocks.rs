//! Frames reduced to blocks, colour by colour, whatever stars are in them.

use std::ops::Range;

use photosite_pix::stat::median_in_place;
use photosite_pix::{CfaPattern, Plane, Size};
use serde::{Deserialize, Serialize};

use super::Logs;
use crate::Result;

/// Blocks along the shorter side of a large frame.
const BLOCKS: usize = 96;
/// Pixels along the side of the smallest block.
const LEAST: usize = 4;
/// Rows of a block that are looked at.
const ROWS: usize = 8;
/// Samples of a block whose median and scatter set what is clipped.
const SOME: usize = 32;
/// Sigmas above the sky from which a sample is a star's, or a hot pixel, and below it a dead one.
const BRIGHT: f32 = 2.4;
const DARK: f32 = 3.5;
/// Rounds of looking for the sky below the stars.
const ROUNDS: usize = 5;
/// The least share of a block's samples that are sky.
const LEFT: f32 = 0.4;
/// A block of one level may differ by so many steps of the converter.
const STEPS: f32 = 1.5;
/// Noise of fewer steps than this is hidden by them: middle and scatter jump from one to the next.
const COARSE: f32 = 3.0;
/// Multiples of this lie as evenly between 0 and 1 as can be.
const EVENLY: f32 = 0.618_034;
/// Of what is noisier than this the logarithm is off by more than a thirtieth.
const MOST_NOISE: f64 = 0.25;
/// Colours that hold less than this share of what the best one says are left out.
const LEAST_SHARE: f64 = 0.02;

/// One colour of a frame in blocks.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Colour {
    /// The median of all blocks, in the unit of the samples.
    level: f64,
    /// ln(value / level); NaN where a block has too few samples, or holds no light.
    log: Logs,
    /// Standard deviation of one block's `log`, by the scatter of its samples.
    noise: f64,
}

/// A frame in blocks of a few hundred pixels: the mean of what is not clipped, colour by colour.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Blocks {
    size: Size,
    side: usize,
    colours: [Option<Colour>; 3],
}

/// Pixels along the side of a block: whole cells of the array.
fn side_of(size: Size, cfa: Option<CfaPattern>) -> usize {
    let period = cfa.map_or(1, CfaPattern::period);
    (size.width.min(size.height) / BLOCKS).max(LEAST).next_multiple_of(period)
}

/// The share of a frame's rows that is looked at.
pub fn rows_looked_at(size: Size) -> f64 {
    ROWS.min(size.height) as f64 / side_of(size, None).min(size.height).max(1) as f64
}

impl Blocks {
    /// Looks at a frame of `size` under `cfa`; `read` gives rows of it, NaN where there is nothing.
    ///
    /// Of large frames some rows of each block are looked at; a frame of fewer than 8 blocks along a
    /// side tells nothing.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn of(
        size: Size,
        cfa: Option<CfaPattern>,
        read: impl FnMut(Range<usize>, &mut [f32]) -> Result<()>,
    ) -> Result<Self> {
        Self::in_steps(size, cfa, 0.0, read)
    }

    /// The same of a frame whose samples, before anything was taken off them, were multiples of `step`.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn in_steps(
        size: Size,
        cfa: Option<CfaPattern>,
        step: f32,
        mut read: impl FnMut(Range<usize>, &mut [f32]) -> Result<()>,
    ) -> Result<Self> {
        let side = side_of(size, cfa);
        let cells = Size::new(size.width / side, size.height / side);
        if cells.width < 8 || cells.height < 8 {
            return Ok(Self { size, side, colours: [None, None, None] });
        }
        let count = ROWS.next_multiple_of(cfa.map_or(1, CfaPattern::period)).min(side);
        let channels = if cfa.is_some() { 3 } else { 1 };
        let mut rows = vec![0.0; count * size.width];
        let mut values = vec![Plane::filled(cells, f32::NAN); channels];
        let mut noises: Vec<Vec<f32>> = vec![Vec::new(); channels];
        let mut found: [Vec<f32>; 3] = Default::default();
        for j in 0..cells.height {
            let first = j * side;
            read(first..first + count, &mut rows)?;
            for i in 0..cells.width {
                found.iter_mut().for_each(Vec::clear);
                for y in 0..count {
                    let row = &rows[y * size.width + i * side..][..side];
                    match cfa {
                        None => found[0].extend_from_slice(row),
                        Some(cfa) => {
                            let line = cfa.line(i * side, first + y);
                            let period = cfa.period();
                            for (phase, c) in line[..period].iter().enumerate() {
                                let own = row[phase..].iter().step_by(period);
                                found[c.channel()].extend(own);
                            }
                        }
                    }
                }
                for (c, samples) in found.iter_mut().enumerate().take(channels) {
                    if let Some((value, noise)) = mean(samples, step) {
                        values[c].set(i, j, value);
                        noises[c].push(noise);
                    }
                }
            }
        }
        let mut colours = [None, None, None];
        for (c, (values, mut noises)) in values.into_iter().zip(noises).enumerate() {
            let mut all: Vec<f32> =
                values.as_slice().iter().copied().filter(|v| v.is_finite()).collect();
            if all.len() * 4 < cells.pixels() {
                continue;
            }
            let level = median_in_place(&mut all);
            if level <= 0.0 {
                continue;
            }
            let log = Plane::from_fn(cells, |x, y| (values.get(x, y) / level).ln());
            let noise = f64::from(median_in_place(&mut noises) / level);
            colours[c] = Some(Colour { level: f64::from(level), log, noise: noise.max(1e-6) });
        }
        Ok(Self { size, side, colours })
    }

    /// The median over several lights of one set-up, block by block: stars that moved and noise go.
    /// `None` of fewer than two, or where their sizes differ.
    pub fn joined(lights: &[&Self]) -> Option<Self> {
        let first = lights.first()?;
        let alike = |l: &&Self| l.size == first.size && l.side == first.side;
        if lights.len() < 2 || !lights.iter().all(alike) {
            return None;
        }
        let join = |c: usize| {
            let all: Vec<&Colour> = lights.iter().filter_map(|l| l.colours[c].as_ref()).collect();
            let known = all.iter().all(|c| c.noise <= MOST_NOISE);
            let one = all.first().filter(|_| all.len() == lights.len() && known)?;
            let mut here = Vec::with_capacity(all.len());
            let log = Plane::from_fn(one.log.size(), |x, y| {
                here.clear();
                here.extend(all.iter().map(|c| c.log.get(x, y)).filter(|v| v.is_finite()));
                if here.len() * 2 < all.len() { f32::NAN } else { median_in_place(&mut here) }
            });
            let n = all.len() as f64;
            let mean2 = all.iter().map(|c| c.noise * c.noise).sum::<f64>() / n;
            let level = all.iter().map(|c| c.level).sum::<f64>() / n;
            // A median is 1.25 times as noisy as a mean.
            Some(Colour { level, log, noise: 1.25 * (mean2 / n).sqrt() })
        };
        Some(Self { size: first.size, side: first.side, colours: [0, 1, 2].map(join) })
    }

    /// A light and a flat block by block, all colours together, each weighted by what the light knows of
    /// it: their logarithms, and the noise of a block of the light. `None` where sizes or colours differ.
    pub(super) fn against(&self, flat: &Self) -> Option<(Logs, Logs, f64)> {
        if self.size != flat.size || self.side != flat.side {
            return None;
        }
        let pairs: Vec<(&Colour, &Colour)> = (self.colours.iter().zip(&flat.colours))
            .filter_map(|(l, f)| l.as_ref().zip(f.as_ref()))
            .filter(|(l, _)| l.noise <= MOST_NOISE)
            .collect();
        let weight = |c: &Colour| 1.0 / (c.noise * c.noise);
        let best = pairs.iter().map(|(l, _)| weight(l)).fold(0.0, f64::max);
        let used: Vec<_> =
            pairs.into_iter().filter(|(l, _)| weight(l) >= LEAST_SHARE * best).collect();
        let sum: f64 = used.iter().map(|(l, _)| weight(l)).sum();
        let cells = used.first()?.0.log.size();
        let mixed = |of_flat: bool| {
            Plane::from_fn(cells, |x, y| {
                let log =
                    |(l, f): &(&Colour, &Colour)| if of_flat { &f.log } else { &l.log }.get(x, y);
                let parts = used.iter().map(|p| weight(p.0) * f64::from(log(p)));
                (parts.sum::<f64>() / sum) as f32
            })
        };
        let (light, own) = (mixed(false), mixed(true));
        Some((light, own, (1.0 / sum).sqrt()))
    }
}

/// The mean of what is not clipped, and its standard error; `None` where too little is left. Samples come in
/// `steps`: what these hide is spread evenly over them.
fn mean(samples: &mut Vec<f32>, steps: f32) -> Option<(f32, f32)> {
    let whole = samples.len();
    if samples.iter().fold(false, |any, v| any | !v.is_finite()) {
        samples.retain(|v| v.is_finite());
    }
    if samples.len() * 2 < whole || samples.len() < 8 {
        return None;
    }
    let (mut middle, mut sigma) = sky(samples);
    let mut least = if middle.fract() == 0.0 { STEPS } else { 0.0 };
    if sigma < COARSE * steps {
        for (i, v) in samples.iter_mut().enumerate() {
            *v += steps * ((i as f32 * EVENLY).fract() - 0.5);
        }
        (middle, sigma) = sky(samples);
        least = STEPS * steps;
    }
    let (low, high) = ((DARK * sigma).max(least), (BRIGHT * sigma).max(least));
    let (sum, squares, count) = within(samples, (middle, low, high));
    if count < LEFT * samples.len() as f32 {
        return None;
    }
    let mean = sum / count;
    let variance = (squares / count - mean * mean).max(0.0);
    Some((middle + mean, (variance / count).sqrt()))
}

/// The middle of the sky and its scatter, by some of the samples.
fn sky(samples: &[f32]) -> (f32, f32) {
    // Every so many samples, from another place in each row.
    let step = samples.len().div_ceil(SOME);
    let mut some: Vec<f32> = samples.iter().copied().step_by(step).collect();
    some.sort_unstable_by(f32::total_cmp);
    let mut count = some.len();
    // Stars lift what is above the sky: its scatter is that below.
    let (mut middle, mut sigma) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        middle = 0.5 * (some[count / 2] + some[(count - 1) / 2]);
        sigma = middle - some[count * 16 / 100];
        let kept = some.partition_point(|v| *v <= middle + BRIGHT * sigma);
        if kept == count || kept < 4 {
            break;
        }
        count = kept;
    }
    (middle, sigma)
}

/// Sums of what lies from `low` below to `high` above the middle: of the deviations, of their squares, and
/// how many there are.
fn within(samples: &[f32], (middle, low, high): (f32, f32, f32)) -> (f32, f32, f32) {
    const LANES: usize = 8;
    let mut sums = [[0.0f32; LANES]; 3];
    let mut add = |lane: usize, v: f32| {
        let d = v - middle;
        let near = if d >= -low && d <= high { 1.0 } else { 0.0 };
        sums[0][lane] += near * d;
        sums[1][lane] += near * d * d;
        sums[2][lane] += near;
    };
    let (whole, rest) = samples.as_chunks::<LANES>();
    for chunk in whole {
        for (lane, v) in chunk.iter().enumerate() {
            add(lane, *v);
        }
    }
    rest.iter().enumerate().for_each(|(lane, v)| add(lane, *v));
    let [sum, squares, count] = sums.map(|s| s.iter().sum());
    (sum, squares, count)
}
