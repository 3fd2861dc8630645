//! Single pixels over a set of frames: their noise, their dark signal, and those that jump.

use multiversion::multiversion;
use photosite_pix::stat::{MAD_TO_SIGMA, median_mad};

use super::grid::Patch;
use super::maps::{MapKind, StripMaps};

/// Fewer frames than this tell nothing of a pixel.
pub const FEW_FRAMES: usize = 10;
/// Bits of a number that are not told in a bin of noise: eight bins an octave are left.
const NOISE_COARSE: u32 = 20;
/// The noise of the first bin in ADU.
const LEAST_NOISE_ADU: f32 = 1.0 / 16.0;
const NOISE_BINS: usize = 176;
/// The same of a signal above one ADU: 64 bins an octave.
const SIGNAL_COARSE: u32 = 17;
const SIGNAL_HALF: usize = 1280;

/// A pixel jumps where its samples part into two levels so many sigmas of the noise asunder, each
/// with so many of the samples.
const JUMP: f32 = 4.0;
const LEAST_STAYS: usize = 2;

/// Pixels counted by what they did over the frames of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelCounts {
    /// Pixels by the standard deviation of their samples, an eighth of an octave a bin.
    pub noise: Vec<u64>,
    /// Pixels by how far their mean lies above the median of their block.
    pub signal: Vec<u64>,
    /// Pixels that jump between two levels.
    pub telegraph: u64,
    /// All pixels.
    pub all: u64,
}

impl Default for PixelCounts {
    fn default() -> Self {
        Self {
            noise: vec![0; NOISE_BINS],
            signal: vec![0; 2 * SIGNAL_HALF + 1],
            telegraph: 0,
            all: 0,
        }
    }
}

impl PixelCounts {
    /// Adds others.
    pub fn join(&mut self, other: &Self) {
        self.noise.iter_mut().zip(&other.noise).for_each(|(a, b)| *a += b);
        self.signal.iter_mut().zip(&other.signal).for_each(|(a, b)| *a += b);
        self.telegraph += other.telegraph;
        self.all += other.all;
    }

    /// The noise in the middle of a bin in ADU.
    pub fn noise_adu(bin: usize) -> f64 {
        let edge = |bin: usize| {
            let first = LEAST_NOISE_ADU.to_bits() >> NOISE_COARSE;
            f64::from(f32::from_bits((first + bin as u32) << NOISE_COARSE))
        };
        0.5 * (edge(bin) + edge(bin + 1))
    }

    /// Where so many steps from zero a bin begins, in ADU.
    fn edge_adu(steps: usize) -> f64 {
        let one = 1.0f32.to_bits() >> SIGNAL_COARSE;
        f64::from(f32::from_bits((one + steps as u32) << SIGNAL_COARSE)) - 1.0
    }

    /// The signal at a place in a bin in ADU, from 0 at its end towards zero to 1 at the other.
    fn signal_at(bin: usize, part: f64) -> f64 {
        let steps = bin.abs_diff(SIGNAL_HALF);
        let (near, far) = (Self::edge_adu(steps), Self::edge_adu(steps + 1));
        let size = near + part * (far - near);
        if bin < SIGNAL_HALF { -size } else { size }
    }

    /// Pixels by signal, for a plot: the middle of each bin in ADU and how many lie in it, fractions too.
    ///
    /// Means of so many frames of whole numbers lie in steps, between which bins would be empty: each counts over two
    /// steps to both sides, falling off.
    pub fn signals(&self, frames: usize) -> Vec<(f64, f64)> {
        let reach = 2.0 / frames.max(1) as f64;
        let edge = |i: usize| match i.checked_sub(SIGNAL_HALF) {
            Some(steps) => Self::edge_adu(steps),
            None => -Self::edge_adu(SIGNAL_HALF - i),
        };
        let edges: Vec<f64> = (0..=2 * SIGNAL_HALF).map(edge).collect();
        let mut counts = vec![0.0; edges.len() - 1];
        // The share of a triangle about nothing that lies below a place.
        let below = |off: f64| {
            let t = (off / reach).clamp(-1.0, 1.0);
            0.5 + t - 0.5 * t * t.abs()
        };
        for (bin, count) in self.signal.iter().enumerate().filter(|(_, n)| **n > 0) {
            // The bin about zero reaches to both sides of it.
            let centre = if bin == SIGNAL_HALF { 0.0 } else { Self::signal_at(bin, 0.5) };
            let own = if bin <= SIGNAL_HALF { bin.max(1) - 1 } else { bin };
            if edges[own + 1] - edges[own] >= reach && bin != SIGNAL_HALF {
                counts[own] += *count as f64;
                continue;
            }
            let first = edges.partition_point(|e| *e <= centre - reach).max(1) - 1;
            for (i, ends) in edges.windows(2).enumerate().skip(first) {
                if ends[0] >= centre + reach {
                    break;
                }
                let share = below(ends[1] - centre) - below(ends[0] - centre);
                counts[i] += share * *count as f64;
            }
        }
        let middles = edges.windows(2).map(|e| 0.5 * (e[0] + e[1]));
        middles.zip(counts).filter(|(_, n)| *n >= 0.5).collect()
    }

    /// The signal in ADU above the block's median that so large a share of the pixels lies below.
    pub fn signal_quantile_adu(&self, share: f64) -> f64 {
        let wanted = share * self.all as f64;
        let mut below = 0.0;
        for (bin, count) in self.signal.iter().enumerate() {
            let next = below + *count as f64;
            if next >= wanted && *count > 0 {
                // Within the bin as if it were evenly filled.
                let part = (wanted - below) / *count as f64;
                let part = if bin < SIGNAL_HALF { 1.0 - part } else { part };
                return Self::signal_at(bin, part);
            }
            below = next;
        }
        f64::NAN
    }

    fn count(&mut self, sd: f32, above: f32) {
        let first = LEAST_NOISE_ADU.to_bits() >> NOISE_COARSE;
        let noise = (sd.max(LEAST_NOISE_ADU).to_bits() >> NOISE_COARSE) - first;
        self.noise[(noise as usize).min(NOISE_BINS - 1)] += 1;
        let one = 1.0f32.to_bits() >> SIGNAL_COARSE;
        let steps = ((1.0 + above.abs()).to_bits() >> SIGNAL_COARSE) - one;
        let steps = (steps as usize).min(SIGNAL_HALF - 1);
        self.signal[if above < 0.0 { SIGNAL_HALF - steps } else { SIGNAL_HALF + steps }] += 1;
        self.all += 1;
    }
}

/// Pixels whose sums stay in the nearest cache.
const PIECE: usize = 512;

/// Room for the work on a patch.
#[derive(Debug, Default)]
pub struct PixelRoom {
    means: Vec<f32>,
    scatters: Vec<f32>,
    absolute: Vec<f32>,
    samples: Vec<f32>,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

/// Counts the pixels of a patch by their samples over all frames, and draws their noise and signal.
pub fn see_pixels(
    patch: &Patch<'_>,
    room: &mut PixelRoom,
    counts: &mut PixelCounts,
    maps: &mut StripMaps,
) {
    let frames = patch.frames;
    let n = frames.len() as f64;
    let PixelRoom { means, scatters, absolute, samples, sums, squares } = room;
    // The level of each frame may drift; pixels are looked at beside their frame's.
    let levels: Vec<f32> = frames.iter().map(|frame| median_of_some(frame)).collect();
    means.clear();
    scatters.clear();
    let pixels = frames[0].len();
    for from in (0..pixels).step_by(PIECE) {
        let piece = from..(from + PIECE).min(pixels);
        for sums in [&mut *sums, &mut *squares] {
            sums.clear();
            sums.resize(piece.len(), 0.0);
        }
        for (frame, level) in frames.iter().zip(&levels) {
            deviations(&frame[piece.clone()], *level, sums, squares);
        }
        for (s, q) in sums.iter().zip(&*squares) {
            let mean = s / n;
            means.push(mean as f32);
            scatters.push(((q - s * mean) / (n - 1.0)).max(0.0).sqrt() as f32);
        }
    }
    maps.draw(MapKind::Noise, patch, scatters);
    let level = levels.iter().sum::<f32>() / n as f32;
    absolute.clear();
    absolute.extend(means.iter().map(|m| m + level));
    maps.draw(MapKind::Signal, patch, absolute);
    let (typical, spread) = median_mad(scatters);
    // Whole numbers have a scatter of their own.
    let sigma = typical.max(0.3);
    let least = 0.5 * sigma / (2.0 * n as f32).sqrt();
    let odd = sigma + 4.0 * (spread * MAD_TO_SIGMA as f32).max(least);
    for (i, (mean, sd)) in means.iter().zip(&*scatters).enumerate() {
        counts.count(*sd, *mean);
        if *sd > odd {
            samples.clear();
            samples.extend(frames.iter().zip(&levels).map(|(frame, level)| frame[i] - level));
            counts.telegraph += u64::from(jumps(samples, sigma));
        }
    }
}

/// Adds how far samples lie beside a level, and the squares of that.
#[multiversion(targets("x86_64+avx2"))]
fn deviations(samples: &[f32], level: f32, sums: &mut [f64], squares: &mut [f64]) {
    let n = samples.len();
    let (sums, squares) = (&mut sums[..n], &mut squares[..n]);
    for i in 0..n {
        let d = f64::from(samples[i] - level);
        sums[i] += d;
        squares[i] += d * d;
    }
}

fn median_of_some(samples: &[f32]) -> f32 {
    let step = (samples.len() / 1024) | 1;
    let some: Vec<f32> = samples.iter().copied().step_by(step).collect();
    photosite_pix::stat::median(&some)
}

/// Whether samples part into two levels that lie far asunder beside the noise around each, both of which
/// come back: a single hit is none.
fn jumps(samples: &mut [f32], sigma: f32) -> bool {
    samples.sort_unstable_by(f32::total_cmp);
    let n = samples.len();
    let mut best: Option<(f32, f32)> = None;
    for split in LEAST_STAYS..=n.saturating_sub(LEAST_STAYS) {
        let (low, high) = samples.split_at(split);
        let mean = |s: &[f32]| s.iter().sum::<f32>() / s.len() as f32;
        let (m, k) = (mean(low), mean(high));
        let squares: f32 = low.iter().map(|v| (v - m) * (v - m)).sum::<f32>()
            + high.iter().map(|v| (v - k) * (v - k)).sum::<f32>();
        let inner = (squares / (n as f32 - 2.0).max(1.0)).sqrt();
        if best.is_none_or(|(_, least)| inner < least) {
            best = Some((k - m, inner));
        }
    }
    // Two levels explain the samples where the noise around each is that of any pixel, or at least far
    // less than what lies between them.
    best.is_some_and(|(gap, inner)| gap > JUMP * sigma && gap > 3.5 * inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_levels_are_jumps_and_one_hit_or_much_noise_is_none() {
        let wave = |i: usize| ((i * 37 % 11) as f32 - 5.0) / 3.2;
        let samples = |f: &dyn Fn(usize) -> f32| -> Vec<f32> { (0..20).map(f).collect() };
        for (mut s, expected) in [
            (samples(&|i| wave(i) + if i % 3 == 0 { 8.0 } else { 0.0 }), true),
            (samples(&|i| wave(i) + if i > 16 { 6.0 } else { 0.0 }), true),
            (samples(&|i| wave(i) + if i == 7 { 300.0 } else { 0.0 }), false),
            (samples(&|i| 6.0 * wave(i)), false),
            (samples(&wave), false),
        ] {
            assert_eq!(jumps(&mut s, 1.0), expected, "{s:?}");
        }
    }

    #[test]
    fn steps_of_whole_numbers_leave_no_bin_empty() {
        let mut counts = PixelCounts::default();
        // Means of ten frames, evenly from -2 to 4 ADU.
        (-20..=40).for_each(|i| (0..1000).for_each(|_| counts.count(2.0, i as f32 / 10.0)));
        let drawn = counts.signals(10);
        let all: f64 = drawn.iter().map(|p| p.1).sum();
        assert!((all / 61_000.0 - 1.0).abs() < 1e-3, "{all}");
        // 10 000 pixels an ADU.
        let edges: Vec<f64> = (0..80).map(PixelCounts::edge_adu).collect();
        for pair in edges.windows(2) {
            let middle = 0.5 * (pair[0] + pair[1]);
            for side in [-1.0, 1.0] {
                let (_, n) = drawn.iter().find(|p| (p.0 - side * middle).abs() < 1e-9).unwrap();
                let density = n / (pair[1] - pair[0]);
                assert!((density / 1e4 - 1.0).abs() < 0.2, "{middle}: {density}");
            }
        }
    }

    #[test]
    fn quantiles_of_signals() {
        let mut counts = PixelCounts::default();
        (0..10_000u32).for_each(|i| counts.count(2.0, i as f32 / 100.0));
        assert!((counts.signal_quantile_adu(0.5) / 50.0 - 1.0).abs() < 0.02);
        assert!((counts.signal_quantile_adu(0.99) / 99.0 - 1.0).abs() < 0.02);
        assert_eq!(counts.noise.iter().sum::<u64>(), 10_000);
    }
}
