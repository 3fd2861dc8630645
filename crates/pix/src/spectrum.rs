//! The power spectrum of a picture, and tones in it that chance does not make.

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use crate::chance::exponential_mean_tail;
use crate::{Plane, Size, select};

/// Bins on either side along a row of the spectrum whose median is the noise of a bin.
const NEIGHBOURS: usize = 24;
/// Bins that a tone spreads into under the window.
const SPREAD: i64 = 2;
/// Bins around a tone that tell whether it is one.
const AROUND: i64 = 8;

/// The mean power spectrum of pictures of one size, from which noise has been made white by its
/// surroundings: a bin of pure noise has the mean 1.
///
/// Frequencies along x run from 0 to half a cycle a pixel, along y over the whole circle: the rest of
/// the plane is its mirror image.
#[derive(Debug, Clone)]
pub struct Spectrum {
    size: Size,
    half: usize,
    count: usize,
    sum: Vec<f64>,
}

/// A tone in a spectrum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tone {
    /// Cycles a pixel along x, 0 to 0.5.
    pub x_per_px: f64,
    /// Cycles a pixel along y, -0.5 to 0.5.
    pub y_per_px: f64,
    /// Its amplitude: half of the way from the lowest to the highest sample.
    pub amplitude: f64,
    /// The probability that noise alone shows such a peak anywhere in the spectrum.
    pub chance: f64,
    /// The share of what stands above noise around it that is its own: 1 for a tone that is the same everywhere,
    /// less for waves that bend, as those of a nebula do.
    pub sharpness: f64,
}

impl Spectrum {
    /// An empty sum of spectra of pictures of `size`.
    pub fn new(size: Size) -> Self {
        let half = size.width / 2 + 1;
        Self { size, half, count: 0, sum: vec![0.0; half * size.height] }
    }

    /// Adds the power of a picture under a Hann window along both axes, its mean taken off; samples that
    /// are not finite count as the mean.
    pub fn add(&mut self, picture: &Plane<f32>) {
        let Size { width, height } = self.size;
        assert_eq!(picture.size(), self.size, "one size for all pictures");
        let finite = || picture.as_slice().iter().filter(|v| v.is_finite()).map(|v| f64::from(*v));
        let mean = finite().sum::<f64>() / finite().count().max(1) as f64;
        let window = |n: usize| -> Vec<f64> {
            let at = |i: usize| (std::f64::consts::PI * (i as f64 + 0.5) / n as f64).sin().powi(2);
            // A window of mean square 1 leaves the power of noise as it is.
            let scale = ((0..n).map(|i| at(i) * at(i)).sum::<f64>() / n as f64).sqrt();
            (0..n).map(|i| at(i) / scale).collect()
        };
        let (wx, wy) = (window(width), window(height));
        let mut planner = FftPlanner::<f64>::new();
        let along: std::sync::Arc<dyn Fft<f64>> = planner.plan_fft_forward(width);
        let down = planner.plan_fft_forward(height);
        let mut columns = vec![Complex::new(0.0, 0.0); self.half * height];
        let mut row = vec![Complex::new(0.0, 0.0); width];
        for y in 0..height {
            for (x, c) in row.iter_mut().enumerate() {
                let v = f64::from(picture.get(x, y));
                let v = if v.is_finite() { v - mean } else { 0.0 };
                *c = Complex::new(v * wx[x] * wy[y], 0.0);
            }
            along.process(&mut row);
            for (k, c) in row[..self.half].iter().enumerate() {
                columns[k * height + y] = *c;
            }
        }
        for (k, column) in columns.chunks_exact_mut(height).enumerate() {
            down.process(column);
            let power = column.iter().map(|c| c.norm_sqr());
            let sums = self.sum[k * height..][..height].iter_mut();
            sums.zip(power).for_each(|(sum, p)| *sum += p);
        }
        self.count += 1;
    }

    /// Power of the bin at (kx, ky), any whole numbers.
    fn power(&self, kx: i64, ky: i64) -> f64 {
        let (w, h) = (self.size.width as i64, self.size.height as i64);
        let (mut kx, mut ky) = (kx.rem_euclid(w), ky.rem_euclid(h));
        if kx >= self.half as i64 {
            (kx, ky) = (w - kx, (h - ky).rem_euclid(h));
        }
        self.sum[(kx * h + ky) as usize] / self.count.max(1) as f64
    }

    /// The standard deviation a pixel that white noise of each frequency's power had, against cycles a pixel along
    /// x, the mean over all frequencies along y; and the same along y.
    pub fn along_axes(&self) -> [Vec<(f64, f64)>; 2] {
        let (w, h) = (self.size.width as i64, self.size.height as i64);
        let mean = |count: i64, of: &dyn Fn(i64) -> f64| {
            let sum: f64 = (0..count).map(of).sum();
            (sum / (count * w * h) as f64).sqrt()
        };
        let x = (0..=w / 2).map(|k| (k as f64 / w as f64, mean(h, &|ky| self.power(k, ky))));
        let y = (0..=h / 2).map(|k| (k as f64 / h as f64, mean(w, &|kx| self.power(kx, k))));
        [x.collect(), y.collect()]
    }

    /// The tones that chance makes in fewer than `chance` of all spectra, the strongest first, at most
    /// `most`; each is a peak among its neighbours.
    ///
    /// The noise of a bin is the median of its neighbours along x, or of all bins where that is more: rows are
    /// read out one after another, so that what is slow (drift, steps between rows) lies at low frequencies
    /// along x.
    pub fn tones(&self, chance: f64, most: usize) -> Vec<Tone> {
        let (w, h) = (self.size.width as i64, self.size.height as i64);
        if self.count == 0 || w < 64 || h < 64 {
            return Vec::new();
        }
        let bins = (self.half as f64 - 2.0) * h as f64;
        let median_of_mean = median_of_exponential_mean(self.count);
        // A few dozen neighbours may be quiet by chance, all bins are not: noise that is too small makes
        // tones of chance.
        let all: Vec<f32> = (SPREAD + 1..self.half as i64)
            .flat_map(|kx| (0..h).map(move |ky| (kx, ky)))
            .map(|(kx, ky)| self.power(kx, ky) as f32)
            .collect();
        let least = f64::from(select::median(&all)) / median_of_mean;
        let mut found: Vec<(f64, i64, i64, f64)> = Vec::new();
        let mut near: Vec<f32> = Vec::new();
        for kx in SPREAD + 1..self.half as i64 {
            for ky in 0..h {
                let p = self.power(kx, ky);
                let peak = (-1..=1).all(|dx| {
                    (-1..=1).all(|dy| (dx, dy) == (0, 0) || self.power(kx + dx, ky + dy) <= p)
                });
                // The noise of a bin is no less than that of all.
                if !peak || bins * exponential_mean_tail(p / least, self.count) >= chance {
                    continue;
                }
                near.clear();
                for d in SPREAD + 1..SPREAD + 1 + NEIGHBOURS as i64 {
                    near.push(self.power(kx + d, ky) as f32);
                    if kx - d > SPREAD {
                        near.push(self.power(kx - d, ky) as f32);
                    }
                }
                let noise = (f64::from(select::median(&near)) / median_of_mean).max(least);
                if noise.is_nan() || noise <= 0.0 {
                    continue;
                }
                let odds = bins * exponential_mean_tail(p / noise, self.count);
                if odds < chance {
                    found.push((p / noise, kx, ky, noise));
                }
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.truncate(most);
        found.into_iter().map(|(_, kx, ky, noise)| self.tone(kx, ky, noise, bins)).collect()
    }

    fn tone(&self, kx: i64, ky: i64, noise: f64, bins: f64) -> Tone {
        let (w, h) = (self.size.width as i64, self.size.height as i64);
        let peak = self.power(kx, ky);
        // Under a Hann window the logarithm of a peak is nearly a parabola.
        let vertex = |before: f64, after: f64| {
            let (a, b, c) = (before.ln(), peak.ln(), after.ln());
            let bend = a - 2.0 * b + c;
            if bend < 0.0 { (0.5 * (a - c) / bend).clamp(-0.5, 0.5) } else { 0.0 }
        };
        let dx = vertex(self.power(kx - 1, ky), self.power(kx + 1, ky));
        let dy = vertex(self.power(kx, ky - 1), self.power(kx, ky + 1));
        let within = |reach: i64| -> f64 {
            let bins = (-reach..=reach).flat_map(|y| (-reach..=reach).map(move |x| (x, y)));
            bins.map(|(x, y)| self.power(kx + x, ky + y) - noise).sum()
        };
        let excess = within(SPREAD);
        // A tone of amplitude a has the power (a N / 2)^2 in all of its bins, N samples.
        let n = (w * h) as f64;
        let amplitude = 2.0 * (excess.max(0.0) / n).sqrt() / n.sqrt();
        let signed = if ky > h / 2 { ky - h } else { ky };
        Tone {
            x_per_px: ((kx as f64 + dx) / w as f64).clamp(0.0, 0.5),
            y_per_px: (signed as f64 + dy) / h as f64,
            amplitude,
            chance: (bins * exponential_mean_tail(peak / noise, self.count)).min(1.0),
            sharpness: excess / within(AROUND).max(excess).max(f64::MIN_POSITIVE),
        }
    }
}

/// The median of the mean of `count` exponential numbers of mean 1, by bisection.
fn median_of_exponential_mean(count: usize) -> f64 {
    let (mut low, mut high) = (0.0, 2.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if exponential_mean_tail(middle, count) > 0.5 { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(size: Size, seed: u64, tone: impl Fn(f64, f64) -> f64) -> Plane<f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        Plane::from_fn(size, |x, y| {
            let gauss: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            (gauss + tone(x as f64, y as f64)) as f32
        })
    }

    #[test]
    fn a_tone_below_the_noise_is_found_where_it_is_and_none_without() {
        let size = Size::new(128, 96);
        let turn = 2.0 * std::f64::consts::PI;
        for (fx, fy) in [(0.2, 0.1), (0.31, -0.27), (0.123, 0.0), (0.45, 0.37)] {
            let mut spectrum = Spectrum::new(size);
            for seed in 1..4 {
                let phase = seed as f64;
                spectrum.add(&noise(size, seed, |x, y| {
                    0.25 * (turn * (fx * x + fy * y) + phase).sin()
                }));
            }
            let tones = spectrum.tones(1e-4, 4);
            assert_eq!(tones.len(), 1, "{fx} {fy}: {tones:?}");
            let t = tones[0];
            assert!((t.x_per_px - fx).abs() < 3e-3 && (t.y_per_px - fy).abs() < 4e-3, "{t:?}");
            assert!((t.amplitude - 0.25).abs() < 0.05, "{t:?}");
        }
        let mut spectrum = Spectrum::new(size);
        (50..58).for_each(|seed| spectrum.add(&noise(size, seed, |_, _| 0.0)));
        for (f, sigma) in spectrum.along_axes().concat() {
            assert!((sigma - 1.0).abs() < 0.2, "white noise is white at {f}: {sigma}");
        }
        // At a chance of one in a thousand, one of 300 spectra of noise may show a tone, four do once in 3000.
        let (mut invented, mut state) = (0, 1000);
        for _ in 0..300 {
            let mut spectrum = Spectrum::new(size);
            for _ in 0..4 {
                state += 1;
                spectrum.add(&noise(size, state, |_, _| 0.0));
            }
            invented += usize::from(!spectrum.tones(1e-3, 4).is_empty());
        }
        assert!(invented < 4, "{invented} of 300");
    }
}
