//! Two frames in one block: levels, and what parts noise from pattern.

use multiversion::multiversion;
use photosite_pix::stat::{MAD_TO_SIGMA, median_mad};

/// Pixels this many sigmas of a block's scatter beside its median are hot, cold or dusty, and count
/// neither for levels nor for noise.
const ODD_PIXEL: f32 = 8.0;
/// Differences beyond this many sigmas are hits; of a Gaussian one in 26 million lies there.
const HIT: f64 = 5.5;
/// The least sigma in ADU: below it, whole numbers hide the scatter.
const LEAST_SIGMA: f32 = 0.75;
/// Samples of a block by which median and scatter are told.
const ENOUGH: usize = 256;
/// One in so many samples tells the scatter by which hits are found.
const SPARSE: usize = 3;

/// Moments of two frames over one lane of one block, odd pixels left out. Levels in ADU.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cell {
    /// Pixels.
    pub n: f64,
    /// Mean of the first frame.
    pub mean_a: f64,
    /// Mean of the second frame.
    pub mean_b: f64,
    /// Variance of the first frame over its pixels.
    pub var_a: f64,
    /// Variance of the second frame.
    pub var_b: f64,
    /// Their covariance: what is fixed on the sensor.
    pub cov: f64,
    /// Half of the covariance of differences between neighbours: what is fixed, without slopes.
    pub pattern: f64,
    /// Pairs of neighbours.
    pub neighbours: f64,
    /// Half of the covariance of the differences of neighbours along x; NaN where it was not asked for.
    pub beside: f64,
    /// Half of the covariance of the differences of neighbours along y.
    pub below: f64,
    /// Samples at either end of the converter's range.
    pub ends: f64,
}

impl Cell {
    /// The variance of the first frame less `k` times the second: noise alone.
    pub fn noise(&self, k: f64) -> f64 {
        self.var_a + k * k * self.var_b - 2.0 * k * self.cov
    }

    /// The mean level of both frames.
    pub fn level(&self) -> f64 {
        0.5 * (self.mean_a + self.mean_b)
    }
}

/// Room for the work on a block.
#[derive(Debug, Default)]
pub struct CellRoom {
    some: Vec<f32>,
    kept: Vec<f32>,
    /// What neighbours share of the noise is asked for.
    pub neighbours_share: bool,
}

impl CellRoom {
    /// What counted of the block that was measured last: 1 where it did, else 0.
    pub fn kept(&self) -> &[f32] {
        &self.kept
    }

    /// Sets NaN where a pixel of two frames is odd beside its block.
    pub fn mark_odd(&mut self, (a, b): (&[f32], &[f32]), line: usize, out: &mut [f32]) {
        let open = [(f32::NEG_INFINITY, f32::INFINITY); 2];
        measure_cell((a, b), line, open, self);
        for (v, _) in out.iter_mut().zip(&self.kept).filter(|(_, kept)| **kept == 0.0) {
            *v = f32::NAN;
        }
    }
}

/// Sums of eight running totals, so that they are added up side by side.
#[derive(Default, Clone, Copy)]
struct Lanes([f64; 8]);

impl Lanes {
    fn total(self) -> f64 {
        self.0.iter().sum()
    }
}

/// A sample in `step`s of the combination of both frames, its median and robust sigma.
fn robust(some: &mut Vec<f32>, count: usize, at: impl Fn(usize) -> f32) -> (f32, f32) {
    some.clear();
    let step = (count / ENOUGH) | 1;
    some.extend((0..count).step_by(step).map(at));
    let (median, mad) = median_mad(some);
    (median, (mad * MAD_TO_SIGMA as f32).max(LEAST_SIGMA))
}

/// Measures a lane of two frames, `line` samples to a line; `ends` are the levels at which each frame
/// clips, low and high. Pixels that are NaN do not count.
pub fn measure_cell(
    (a, b): (&[f32], &[f32]),
    line: usize,
    ends: [(f32, f32); 2],
    room: &mut CellRoom,
) -> Cell {
    let CellRoom { some, kept, neighbours_share } = room;
    let n = a.len().min(b.len());
    let (middle, spread) = robust(some, n, |i| 0.5 * (a[i] + b[i]));
    let (apart, scatter) = robust(some, n, |i| a[i] - b[i]);
    let reach = ODD_PIXEL * spread;
    // In a sensor's blocks there are thousands, in those of small frames fewer than would do.
    let sparse = if n > 16 * ENOUGH / 4 { SPARSE } else { 1 };
    let far = ODD_PIXEL * scatter;
    let rough = Kept { middle, reach, apart, most: far };
    // The scatter of the differences first, then hits by it.
    let (mean, sigma) = rough.scatter((a, b), sparse);
    let most = (HIT * sigma.max(f64::from(LEAST_SIGMA))) as f32;
    let rule = Kept { apart: (f64::from(apart) + mean) as f32, most, ..rough };
    weigh((a, b), rule, kept);
    let ([count, x, y, xx, yy, xy], at_ends) = moments((a, b), kept, middle, ends);
    if count < 4.0 {
        return Cell { ends: at_ends, ..Cell::default() };
    }
    let (mx, my, free) = (x / count, y / count, count - 1.0);
    let (pattern, neighbours) = neighbours((a, b), kept, line);
    let [beside, below] = match neighbours_share {
        true => shared((a, b), kept, line, (mx - my) as f32),
        false => [f64::NAN; 2],
    };
    Cell {
        n: count,
        mean_a: f64::from(middle) + mx,
        mean_b: f64::from(middle) + my,
        var_a: (xx - count * mx * mx) / free,
        var_b: (yy - count * my * my) / free,
        cov: (xy - count * mx * my) / free,
        pattern,
        neighbours,
        beside,
        below,
        ends: at_ends,
    }
}

/// Which pixels of two frames count: those near the block's middle, whose difference is near that of the
/// frames.
#[derive(Debug, Clone, Copy)]
struct Kept {
    middle: f32,
    reach: f32,
    apart: f32,
    most: f32,
}

impl Kept {
    #[inline(always)]
    fn keeps(self, a: f32, b: f32) -> bool {
        (0.5 * (a + b) - self.middle).abs() <= self.reach && (a - b - self.apart).abs() <= self.most
    }

    /// Mean and standard deviation of the differences of one in `sparse` samples, beside `apart`.
    fn scatter(self, (a, b): (&[f32], &[f32]), sparse: usize) -> (f64, f64) {
        let (mut count, mut sum, mut squares) = (0.0f64, 0.0f64, 0.0f64);
        for (a, b) in a.iter().zip(b).step_by(sparse) {
            let keep = self.keeps(*a, *b);
            let d = if keep { f64::from(a - b - self.apart) } else { 0.0 };
            count += f64::from(u8::from(keep));
            sum += d;
            squares += d * d;
        }
        let mean = sum / count.max(1.0);
        (mean, (squares / count.max(1.0) - mean * mean).max(0.0).sqrt())
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn weigh((a, b): (&[f32], &[f32]), rule: Kept, kept: &mut Vec<f32>) {
    kept.clear();
    kept.extend(a.iter().zip(b).map(|(a, b)| f32::from(u8::from(rule.keeps(*a, *b)))));
}

/// Count, sums, squares and products of what is kept beside `middle`; and how many samples stand at an end.
#[multiversion(targets("x86_64+avx2"))]
fn moments(
    (a, b): (&[f32], &[f32]),
    kept: &[f32],
    middle: f32,
    ends: [(f32, f32); 2],
) -> ([f64; 6], f64) {
    let mut sums = [Lanes::default(); 6];
    let mut at_ends = 0u32;
    let mut add = |a: &[f32], b: &[f32], kept: &[f32]| {
        for (i, ((a, b), w)) in a.iter().zip(b).zip(kept).enumerate() {
            let inside = *w > 0.0;
            let x = if inside { f64::from(*a - middle) } else { 0.0 };
            let y = if inside { f64::from(*b - middle) } else { 0.0 };
            let terms = [f64::from(*w), x, y, x * x, y * y, x * y];
            sums.iter_mut().zip(terms).for_each(|(s, t)| s.0[i] += t);
            let clipped =
                (*a <= ends[0].0) | (*a >= ends[0].1) | (*b <= ends[1].0) | (*b >= ends[1].1);
            at_ends += u32::from(clipped);
        }
    };
    let whole = a.len() / 8 * 8;
    let (whole_a, rest_a) = a.split_at(whole);
    let (whole_b, rest_b) = b.split_at(whole);
    let (whole_w, rest_w) = kept.split_at(whole);
    for ((a, b), w) in
        whole_a.chunks_exact(8).zip(whole_b.chunks_exact(8)).zip(whole_w.chunks_exact(8))
    {
        add(a, b, w);
    }
    add(rest_a, rest_b, rest_w);
    (sums.map(Lanes::total), f64::from(at_ends))
}

/// Sums of products and of weights of so many pairs of pixels, side by side.
#[derive(Default)]
struct Products {
    products: Lanes,
    pairs: Lanes,
}

impl Products {
    #[inline(always)]
    fn add(&mut self, count: usize, of: impl Fn(usize) -> (f64, f32)) {
        let mut one = |i: usize, lane: usize| {
            let (product, both) = of(i);
            self.products.0[lane] += if both > 0.0 { product } else { 0.0 };
            self.pairs.0[lane] += f64::from(both);
        };
        for start in (0..count / 8 * 8).step_by(8) {
            (0..8).for_each(|lane| one(start + lane, lane));
        }
        (count / 8 * 8..count).for_each(|i| one(i, i % 8));
    }

    /// Half of the mean product, and how many pairs there are.
    fn half_mean(self) -> (f64, f64) {
        let pairs = self.pairs.total();
        (0.5 * self.products.total() / pairs.max(1.0), pairs)
    }
}

/// Half of the mean product of the differences of neighbours in both frames, and how many there are.
#[multiversion(targets("x86_64+avx2"))]
fn neighbours((a, b): (&[f32], &[f32]), kept: &[f32], line: usize) -> (f64, f64) {
    let mut sums = Products::default();
    // Of a sensor's blocks every second line tells enough.
    let every = if a.len() > 8 * ENOUGH { 2 } else { 1 };
    for ((a, b), w) in a.chunks(line).zip(b.chunks(line)).zip(kept.chunks(line)).step_by(every) {
        let n = a.len().min(b.len()).min(w.len()) - 1;
        let (a0, b0, w0) = (&a[..n], &b[..n], &w[..n]);
        let (a1, b1, w1) = (&a[1..=n], &b[1..=n], &w[1..=n]);
        sums.add(n, |i| (f64::from(a1[i] - a0[i]) * f64::from(b1[i] - b0[i]), w0[i] * w1[i]));
    }
    sums.half_mean()
}

/// Half of the covariance of the differences, `apart` on average, of neighbours along lines and across them.
#[multiversion(targets("x86_64+avx2"))]
fn shared((a, b): (&[f32], &[f32]), kept: &[f32], line: usize, apart: f32) -> [f64; 2] {
    let end = a.len().min(b.len());
    [1, line].map(|step| {
        let mut sums = Products::default();
        for from in (0..end).step_by(line) {
            // The last of a line has no neighbour along it, the last line none across it.
            let last = (from + line).min(end) - usize::from(step == 1);
            let n = last.min(end.saturating_sub(step)).saturating_sub(from);
            let (a0, b0, w0) = (&a[from..][..n], &b[from..][..n], &kept[from..][..n]);
            if n == 0 {
                continue;
            }
            let next = from + step;
            let (a1, b1, w1) = (&a[next..][..n], &b[next..][..n], &kept[next..][..n]);
            sums.add(n, |i| {
                let (one, two) = (a0[i] - b0[i] - apart, a1[i] - b1[i] - apart);
                (f64::from(one) * f64::from(two), w0[i] * w1[i])
            });
        }
        sums.half_mean().0
    })
}

/// Number and variance of some differences, NaN and hits left out.
pub fn noise_of(values: &[f32], room: &mut CellRoom) -> (f64, f64) {
    let (middle, sigma) = robust(&mut room.some, values.len(), |i| values[i]);
    let clipped = |most: f64| {
        let (mut n, mut sum, mut squares) = (0.0f64, 0.0, 0.0);
        for v in values {
            let d = f64::from(*v - middle);
            if d.abs() <= most {
                n += 1.0;
                sum += d;
                squares += d * d;
            }
        }
        let mean = sum / n.max(1.0);
        (n, (squares - n * mean * mean) / (n - 1.0).max(1.0))
    };
    let (_, first) = clipped(f64::from(ODD_PIXEL * sigma));
    clipped(HIT * first.sqrt().max(f64::from(LEAST_SIGMA)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(state: &mut u64) -> f32 {
        let mut sum = 0.0;
        for _ in 0..12 {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            sum += (*state >> 40) as f32 / (1u64 << 24) as f32;
        }
        sum - 6.0
    }

    #[test]
    fn noise_and_pattern_are_told_apart_and_hot_pixels_are_left_out() {
        let (mut state, n) = (7, 64 * 64);
        let fixed: Vec<f32> =
            (0..n).map(|i| 5.0 * random(&mut state) + 0.2 * (i % 64) as f32).collect();
        let mut frame = |sigma: f32| -> Vec<f32> {
            fixed.iter().map(|f| 1000.0 + f + sigma * random(&mut state)).collect()
        };
        let (mut a, mut b) = (frame(3.0), frame(3.0));
        for i in (0..n).step_by(97) {
            a[i] = 20_000.0;
            b[i] = 20_000.0 + i as f32;
        }
        a[11] += 500.0;
        let ends = [(0.0, 65_535.0); 2];
        let cell = measure_cell((&a, &b), 64, ends, &mut CellRoom::default());
        assert!((cell.noise(1.0) / 18.0 - 1.0).abs() < 0.08, "{cell:?}");
        assert!((cell.pattern / 25.0 - 1.0).abs() < 0.12, "{cell:?}");
        assert!((cell.level() - 1006.3).abs() < 0.5, "{cell:?}");
        assert_eq!(cell.ends, 0.0);
        let (n, var) = noise_of(
            &a.iter().zip(&b).map(|(a, b)| a - b).collect::<Vec<_>>(),
            &mut CellRoom::default(),
        );
        assert!(n > 4000.0 && (var / 18.0 - 1.0).abs() < 0.08, "{n} {var}");
    }
}
