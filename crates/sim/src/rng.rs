//! Random numbers that depend on the seed, the frame and the purpose, and on nothing else.

use std::sync::LazyLock;

use crate::math::{exp, ln, ln_small_factorial, stirling_rest};

/// What a stream of random numbers is for: each purpose has its own, so that one effect's draws
/// never shift another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Bias column and row pattern.
    Bias = 1,
    /// Dark current from pixel to pixel.
    Dark,
    /// Places and rates of hot pixels.
    Hot,
    /// Pixel response.
    Prnu,
    /// Dust.
    Dust,
    /// The star field.
    Stars,
    /// A frame's temperature.
    Temperature,
    /// A light's dither.
    Dither,
    /// A light's satellite trail.
    Trail,
    /// A frame's cosmic rays.
    Cosmic,
    /// Poisson noise.
    Electrons,
    /// Read noise.
    ReadNoise,
    /// A light's rotation.
    Rotation,
    /// Places of cold pixels.
    ColdPixels,
    /// Places of warm pixels.
    WarmPixels,
    /// Places and levels of telegraph pixels.
    Telegraph,
    /// The state of telegraph pixels in a frame.
    TelegraphState,
    /// Bad columns.
    BadColumns,
    /// Clusters of hot pixels.
    Clusters,
    /// Pixels whose response bends.
    BentPixels,
    /// Levels of a frame's outputs, row by row.
    OutputLevel,
    /// Read noise of overscans.
    Overscan,
    /// The phase of a frame's interference.
    Interference,
    /// Places of pixels that hold charge.
    HoldingPixels,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64.
///
/// # Source
/// Steele2014, Fast splittable pseudorandom number generators, with Stafford's variant 13.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of random numbers: SplitMix64, started from its key.
#[derive(Debug, Clone)]
pub struct Stream {
    state: u64,
    normal: &'static Ziggurat,
}

impl Stream {
    /// The stream of `purpose` in the frame of that key (0 for what all frames share).
    pub fn new(seed: u64, frame_key: u64, purpose: Purpose) -> Self {
        let state = [frame_key, purpose as u64]
            .into_iter()
            .fold(mix(seed.wrapping_add(GOLDEN)), |s, k| mix(s ^ mix(k.wrapping_mul(GOLDEN))));
        Self { state, normal: &ZIGGURAT }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A number in (0, 1), never either end.
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
    }

    /// A number between `low` and `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A point in the unit disc, uniform, never its centre.
    pub fn in_disc(&mut self) -> (f64, f64) {
        loop {
            let (x, y) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let r2 = x * x + y * y;
            if r2 < 1.0 && r2 > 1e-6 {
                return (x, y);
            }
        }
    }

    /// A direction, as a unit vector.
    pub fn direction(&mut self) -> (f64, f64) {
        // Scaling a point of the disc needs no sine, which platforms round differently.
        let (x, y) = self.in_disc();
        let r = (x * x + y * y).sqrt();
        (x / r, y / r)
    }

    /// A Gaussian number of mean 0 and standard deviation 1, by the ziggurat.
    ///
    /// # Source
    /// Doornik2005, An improved ziggurat method to generate normal random samples.
    pub fn gaussian(&mut self) -> f64 {
        loop {
            let bits = self.bits();
            let layer = (bits & 127) as usize;
            let u = 2.0 * ((bits >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64) - 1.0;
            if u.abs() < self.normal.ratio[layer] {
                return u * self.normal.edge[layer];
            }
            if layer == 0 {
                return self.gaussian_tail(u < 0.0);
            }
            let x = u * self.normal.edge[layer];
            let density = |e: f64| exp(-0.5 * (e * e - x * x));
            let f0 = density(self.normal.edge[layer]);
            let f1 = density(self.normal.edge[layer + 1]);
            if f1 + self.uniform() * (f0 - f1) < 1.0 {
                return x;
            }
        }
    }

    #[cold]
    fn gaussian_tail(&mut self, negative: bool) -> f64 {
        loop {
            let x = ln(self.uniform()) / TAIL;
            let y = ln(self.uniform());
            if -2.0 * y >= x * x {
                return if negative { x - TAIL } else { TAIL - x };
            }
        }
    }

    /// A Poisson number of `mean`, exact at any mean; 0 for a mean that is not positive.
    ///
    /// Below 10 by inversion, above by transformed rejection.
    ///
    /// # Source
    /// Hoermann1993, The transformed rejection method for generating Poisson random variables,
    /// algorithm PTRS.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        if mean >= 10.0 {
            return self.poisson_large(mean);
        }
        let mut u = self.uniform();
        // Most dark pixels end here, without an exponential: 1 - m <= e^-m. NaN ends here too.
        if mean.is_nan() || u < 1.0 - mean {
            return 0.0;
        }
        let mut p = exp(-mean);
        let mut k = 0;
        while u > p && k < RECIPROCALS.len() - 1 {
            u -= p;
            k += 1;
            p *= mean * RECIPROCALS[k];
        }
        k as f64
    }

    fn poisson_large(&mut self, mean: f64) -> f64 {
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.02483 * b;
        let v_r = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let u = self.uniform() - 0.5;
            let v = self.uniform();
            let us = 0.5 - u.abs();
            let x = (2.0 * a / us + b) * u + mean + 0.43;
            if x < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            let k = (x as i64) as f64;
            if us >= 0.07 && v <= v_r {
                return k;
            }
            if accepts(mean, k, (a, b), us, v) {
                return k;
            }
        }
    }
}

/// The exact test of transformed rejection: one candidate in five comes here.
///
/// Kept out of line, so that the other four do not pay for its registers.
#[cold]
#[inline(never)]
fn accepts(mean: f64, k: f64, (a, b): (f64, f64), us: f64, v: f64) -> bool {
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let left = v * inverse_alpha / (a / (us * us) + b);
    // The right side is the logarithm of the probability of k. Stirling's square root goes to the
    // left, which saves a logarithm.
    if k < 10.0 {
        ln(left) <= k * ln(mean) - mean - ln_small_factorial(k as usize)
    } else {
        ln(left * (std::f64::consts::TAU * k).sqrt())
            <= k * ln(mean / k) + (k - mean) - stirling_rest(k)
    }
}

/// 1 / k; a Poisson number of mean 10 is above 63 once in 10^29.
const RECIPROCALS: [f64; 64] = {
    let mut table = [0.0; 64];
    let mut k = 1;
    while k < 64 {
        table[k] = 1.0 / k as f64;
        k += 1;
    }
    table
};

/// Where the ziggurat's base layer ends, and the area of each of its 128 layers.
const TAIL: f64 = 3.442_619_855_899;
const AREA: f64 = 9.912_563_035_262_17e-3;

#[derive(Debug)]
struct Ziggurat {
    edge: [f64; 129],
    ratio: [f64; 128],
}

static ZIGGURAT: LazyLock<Ziggurat> = LazyLock::new(|| {
    let mut edge = [0.0; 129];
    let mut f = exp(-0.5 * TAIL * TAIL);
    edge[0] = AREA / f;
    edge[1] = TAIL;
    for i in 2..128 {
        edge[i] = (-2.0 * ln(AREA / edge[i - 1] + f)).sqrt();
        f = exp(-0.5 * edge[i] * edge[i]);
    }
    let ratio = std::array::from_fn(|i| edge[i + 1] / edge[i]);
    Ziggurat { edge, ratio }
});

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(seed: u64) -> Stream {
        Stream::new(seed, 0, Purpose::Electrons)
    }

    /// Mean and variance of `n` draws.
    fn moments(n: usize, mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let (mut sum, mut squares) = (0.0, 0.0);
        let origin = draw();
        for _ in 0..n {
            let v = draw() - origin;
            sum += v;
            squares += v * v;
        }
        let mean = sum / n as f64;
        (mean + origin, squares / n as f64 - mean * mean)
    }

    #[test]
    fn streams_differ_by_every_part_of_their_key() {
        let first = |s, f, p| Stream::new(s, f, p).bits();
        let a = first(1, 2, Purpose::Dark);
        assert_eq!(a, first(1, 2, Purpose::Dark));
        assert_ne!(a, first(2, 2, Purpose::Dark));
        assert_ne!(a, first(1, 3, Purpose::Dark));
        assert_ne!(a, first(1, 2, Purpose::Hot));
        assert_ne!(a, first(2, 1, Purpose::Dark));
    }

    #[test]
    fn gaussian_has_the_moments_and_tails_of_one() {
        let n = 4_000_000;
        let mut s = stream(3);
        let (mut sums, mut beyond) = ([0.0f64; 4], [0usize; 4]);
        for _ in 0..n {
            let v = s.gaussian();
            sums[0] += v;
            sums[1] += v * v;
            sums[2] += v * v * v;
            sums[3] += v * v * v * v;
            for (i, b) in beyond.iter_mut().enumerate() {
                *b += usize::from(v.abs() > (i + 1) as f64);
            }
        }
        // Standard errors of the moments of n Gaussians: sqrt of 1, 2, 15 and 96, over n.
        for (i, (expected, variance)) in
            [(0.0, 1.0), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0)].into_iter().enumerate()
        {
            let (got, error) = (sums[i] / n as f64, (variance / n as f64).sqrt());
            assert!((got - expected).abs() < 4.5 * error, "moment {}: {got}", i + 1);
        }
        // Two-sided tail probabilities, AS64 table 26.1.
        for (b, p) in beyond.into_iter().zip([0.317_310_5, 0.045_500_3, 0.002_699_80, 6.334_25e-5])
        {
            let expected = p * n as f64;
            assert!((b as f64 - expected).abs() < 4.5 * expected.sqrt(), "{b} for {expected}");
        }
    }

    #[test]
    fn poisson_moments() {
        for (i, mean) in [0.01, 0.2, 1.0, 5.0, 9.99, 10.0, 12.5, 30.0, 300.0, 5e3, 1e5, 1e7]
            .into_iter()
            .enumerate()
        {
            let n = 1_000_000;
            let mut s = stream(100 + i as u64);
            let (m, v) = moments(n, || s.poisson(mean));
            let m_error = (mean / n as f64).sqrt();
            // The fourth central moment of a Poisson number is m + 3 m^2.
            let v_error = ((mean + 2.0 * mean * mean) / n as f64).sqrt();
            assert!((m - mean).abs() < 4.5 * m_error, "mean {m} for {mean}");
            assert!((v - mean).abs() < 4.5 * v_error, "variance {v} for {mean}");
        }
        assert_eq!(stream(1).poisson(0.0), 0.0);
        assert_eq!(stream(1).poisson(-1.0), 0.0);
        assert_eq!(stream(1).poisson(f64::NAN), 0.0);
    }

    #[test]
    fn poisson_chi_square() {
        for (i, mean) in [0.3f64, 4.0, 9.5, 10.5, 25.0, 150.0, 2000.0].into_iter().enumerate() {
            let n = 2_000_000;
            let mut s = stream(200 + i as u64);
            let mut ln_factorial = 0.0;
            let mut counts = vec![0u32; (mean + 12.0 * mean.sqrt() + 20.0) as usize];
            for _ in 0..n {
                counts[s.poisson(mean) as usize] += 1;
            }
            let (mut chi2, mut cells, mut rest_seen, mut rest_expected) = (0.0, 0.0, 0.0, 0.0);
            for (k, &seen) in counts.iter().enumerate() {
                ln_factorial += (k.max(1) as f64).ln();
                let expected = n as f64 * (k as f64 * mean.ln() - mean - ln_factorial).exp();
                if expected < 20.0 {
                    rest_seen += f64::from(seen);
                    rest_expected += expected;
                    continue;
                }
                chi2 += (f64::from(seen) - expected) * (f64::from(seen) - expected) / expected;
                cells += 1.0;
            }
            chi2 += (rest_seen - rest_expected) * (rest_seen - rest_expected)
                / f64::max(rest_expected, 1.0);
            let z = (chi2 - cells) / (2.0 * cells).sqrt();
            assert!(z.abs() < 5.0, "chi-square {chi2} in {cells} cells for mean {mean}");
        }
    }
}
