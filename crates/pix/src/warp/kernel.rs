//! Kernels of interpolation: tabled for single places, as polynomials for vectors of them.

// Loops over lanes index several rows at once; a zip of five would say less.
#![allow(clippy::needless_range_loop)]

use multiversion::multiversion;

/// Lobes of the kernel to either side.
pub(super) const LOBES: usize = 4;

/// Samples that the kernel takes along an axis.
pub(super) const TAPS: usize = 2 * LOBES;

/// Steps between pixels for which the kernel is tabled: positions are good to half a thousandth of
/// a pixel.
const PHASES: usize = 1024;

/// Coefficients of each half of a polynomial: degree 9 is within 3e-7 of the kernel.
const ORDER: usize = 5;

/// Places that are worked on side by side.
pub(super) const LANES: usize = 16;

/// One number a place.
pub(super) type Lanes = [f32; LANES];

/// One set of coefficients a pair of taps.
type Coefficients = [[f32; ORDER]; LOBES];

/// Coefficients of 1, t and t² for one tap, t from −1 to 1.
pub(super) type Parabola = [Lanes; 3];

/// Drift over which a parabola is within 2e-6 of the kernel.
pub(super) const DRIFT: f32 = 0.015;

/// A kernel of interpolation: by default Lanczos' of four lobes.
///
/// # Source
/// Lanczos1956: sinc(x) sinc(x / 4) within four pixels; each set of weights is scaled to a sum of
/// 1, so that an even background stays what it is.
#[derive(Debug, Clone)]
pub struct Kernel {
    table: Vec<[f32; TAPS]>,
    /// Of s², s the distance from half way between pixels: what the two taps of a pair that stand
    /// equally far from there have in common, and half of what they differ by over s.
    even: Coefficients,
    odd: Coefficients,
}

impl Default for Kernel {
    fn default() -> Self {
        Self::of(lanczos)
    }
}

impl Kernel {
    /// One without negative weights, for stars so sharp that Lanczos' rings: a cubic spline, which draws
    /// a star out by a standard deviation of 0.58 px and keeps its light.
    ///
    /// # Source
    /// Unser1999, the cubic B-spline.
    pub fn smooth() -> Self {
        Self::of(spline)
    }

    fn of(shape: fn(f64) -> f64) -> Self {
        let tabled = |p| exact(shape, p as f64 / PHASES as f64).map(|w| w as f32);
        let (even, odd) = polynomials(shape);
        Self { table: (0..=PHASES).map(tabled).collect(), even, odd }
    }

    /// The value at a place of a line of samples, each given by its place.
    pub fn along(&self, sample: impl Fn(isize) -> f64, at: f64) -> f64 {
        let first = at.floor();
        let from = first as isize - (LOBES as isize - 1);
        let taps = self.tabled(at - first).iter().zip(from..);
        taps.map(|(weight, i)| f64::from(*weight) * sample(i)).sum()
    }

    /// The weights at a `phase` of 0 to 1, to the next step of the table.
    #[inline(always)]
    pub(super) fn tabled(&self, phase: f64) -> &[f32; TAPS] {
        &self.table[(phase * PHASES as f64 + 0.5) as usize]
    }

    /// The weights of places that lie `s` beyond half way between two pixels, −½ to ½; tap by tap.
    pub(super) fn weights(&self, s: &Lanes, out: &mut [Lanes; TAPS]) {
        weigh(&self.even, &self.odd, s, out);
    }

    /// The same for places that drift evenly by as much as `drift` to either side, no more than
    /// [`DRIFT`].
    pub(super) fn parabolas(&self, s: &Lanes, drift: &Lanes, out: &mut [Parabola; TAPS]) {
        bend(&self.even, &self.odd, (s, drift), out);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn weigh(even: &Coefficients, odd: &Coefficients, s: &Lanes, out: &mut [Lanes; TAPS]) {
    for pair in 0..LOBES {
        let (low, high) = pair_of(&even[pair], &odd[pair], s);
        (out[LOBES - 1 - pair], out[LOBES + pair]) = (low, high);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn bend(
    even: &Coefficients,
    odd: &Coefficients,
    (s, drift): (&Lanes, &Lanes),
    out: &mut [Parabola; TAPS],
) {
    let (mut before, mut after) = (*s, *s);
    for lane in 0..LANES {
        before[lane] -= drift[lane];
        after[lane] += drift[lane];
    }
    for pair in 0..LOBES {
        let (even, odd) = (&even[pair], &odd[pair]);
        let (low, high) = (LOBES - 1 - pair, LOBES + pair);
        let (a, b, c) =
            (pair_of(even, odd, &before), pair_of(even, odd, s), pair_of(even, odd, &after));
        for (tap, a, b, c) in [(low, a.0, b.0, c.0), (high, a.1, b.1, c.1)] {
            for lane in 0..LANES {
                out[tap][0][lane] = b[lane];
                out[tap][1][lane] = 0.5 * (c[lane] - a[lane]);
                out[tap][2][lane] = 0.5 * (a[lane] + c[lane]) - b[lane];
            }
        }
    }
}

/// The weights of a pair of taps that stand equally far from half way.
#[inline(always)]
fn pair_of(even: &[f32; ORDER], odd: &[f32; ORDER], s: &Lanes) -> (Lanes, Lanes) {
    let (mut low, mut high) = ([0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        let s = s[lane];
        let z = s * s;
        let (mut e, mut o) = (even[ORDER - 1], odd[ORDER - 1]);
        for i in (0..ORDER - 1).rev() {
            e = e * z + even[i];
            o = o * z + odd[i];
        }
        (low[lane], high[lane]) = (e - s * o, e + s * o);
    }
    (low, high)
}

fn lanczos(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { x.sin() / x };
    let t = std::f64::consts::PI * x;
    // Exactly nothing at other pixels' centres, which the sine of a rounded pi is not.
    let other = x != 0.0 && x.fract() == 0.0;
    if other || x.abs() >= LOBES as f64 { 0.0 } else { sinc(t) * sinc(t / LOBES as f64) }
}

fn spline(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 { 2.0 / 3.0 - x * x * (1.0 - 0.5 * x) } else { (2.0 - x).max(0.0).powi(3) / 6.0 }
}

/// The weights at a phase of 0 to 1, of sum 1.
fn exact(shape: fn(f64) -> f64, phase: f64) -> [f64; TAPS] {
    let taps: [f64; TAPS] = std::array::from_fn(|i| shape(i as f64 - (LOBES as f64 - 1.0) - phase));
    let sum: f64 = taps.iter().sum();
    taps.map(|t| t / sum)
}

/// The polynomials through the kernel at Chebyshev's nodes; their weights have the sum 1.
fn polynomials(shape: fn(f64) -> f64) -> (Coefficients, Coefficients) {
    let node = |i: usize| {
        let angle = std::f64::consts::PI * (i as f64 + 0.5) / (2 * ORDER) as f64;
        0.5 * angle.cos()
    };
    let nodes: [f64; ORDER] = std::array::from_fn(node);
    let squares = nodes.map(|s| s * s);
    let taps = nodes.map(|s| exact(shape, 0.5 + s));
    let (mut even, mut odd) = ([[0.0f32; ORDER]; LOBES], [[0.0f32; ORDER]; LOBES]);
    let mut rest = [0.0f64; ORDER];
    rest[0] = 0.5;
    // The largest pair comes last and takes what rounding left of the sum.
    for pair in (0..LOBES).rev() {
        let both = |i: usize| (taps[i][LOBES - 1 - pair], taps[i][LOBES + pair]);
        let common = through(squares, std::array::from_fn(|i| 0.5 * (both(i).0 + both(i).1)));
        let apart = std::array::from_fn(|i| 0.5 * (both(i).1 - both(i).0) / nodes[i]);
        odd[pair] = through(squares, apart).map(|c| c as f32);
        even[pair] = if pair == 0 { rest } else { common }.map(|c| c as f32);
        rest = std::array::from_fn(|i| rest[i] - f64::from(even[pair][i]));
    }
    (even, odd)
}

/// The coefficients of the polynomial through points, by Newton's differences.
fn through(x: [f64; ORDER], mut y: [f64; ORDER]) -> [f64; ORDER] {
    for level in 1..ORDER {
        for i in (level..ORDER).rev() {
            y[i] = (y[i] - y[i - 1]) / (x[i] - x[i - level]);
        }
    }
    let mut out = [0.0; ORDER];
    for i in (0..ORDER).rev() {
        // out * (x - x[i]) + y[i]
        for k in (1..ORDER).rev() {
            out[k] = out[k - 1] - x[i] * out[k];
        }
        out[0] = y[i] - x[i] * out[0];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_the_kernel_and_keep_a_constant() {
        let (lanczos_kernel, smooth) = (Kernel::default(), Kernel::smooth());
        for (kernel, shape, step) in (0..=4096)
            .flat_map(|i| [(&lanczos_kernel, lanczos as fn(f64) -> f64, i), (&smooth, spline, i)])
        {
            let phase = f64::from(step) / 4096.0;
            let mut got = [[0.0; LANES]; TAPS];
            kernel.weights(&[(phase - 0.5) as f32; LANES], &mut got);
            let expected = exact(shape, phase);
            let mut sum = 0.0;
            for (tap, want) in got.iter().zip(expected) {
                assert!((f64::from(tap[3]) - want).abs() < 1e-6, "{phase}: {} {want}", tap[3]);
                sum += f64::from(tap[3]);
            }
            assert!((sum - 1.0).abs() < 3e-7, "{phase}: {sum}");
        }
    }
}
