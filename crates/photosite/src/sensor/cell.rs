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
/// One in so many pieces of a block tells the scatter by which hits are found.
const SPARSE: usize = 3;
/// Samples of a piece.
const PIECE: usize = 256;

/// Photons are seen where they add so many errors to the noise of biases.
const SEEN: f64 = 4.0;

/// Whether the noise of `n` pixels is more than what the read noise alone makes: full pixels have no more.
pub(super) fn shows_photons(n: f64, noise: f64, read: f64) -> bool {
    noise > read * (1.0 + SEEN * (2.0 / n).sqrt())
}

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
    /// 1 for what counts, else 0.
    kept: Vec<f32>,
    /// Samples of both frames beside a level, 0 for what does not count.
    beside: [Vec<f32>; 2],
    /// What is made of them.
    made: [Vec<f32>; 2],
    /// What neighbours share of the noise is asked for.
    pub neighbours_share: bool,
}

impl CellRoom {
    /// What counted of the block that was measured last: 1 where it did, else 0.
    pub fn kept(&self) -> &[f32] {
        &self.kept
    }
}

/// Terms that are added up side by side.
const LANES: usize = 16;

/// The sum of samples.
#[multiversion(targets("x86_64+avx2"))]
pub(super) fn total(x: &[f32]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let (x, last) = x.as_chunks::<LANES>();
    for x in x {
        for i in 0..LANES {
            sums[i] += f64::from(x[i]);
        }
    }
    sums.iter().sum::<f64>() + last.iter().map(|v| f64::from(*v)).sum::<f64>()
}

/// The sum of the products of two rows of samples of one length.
#[multiversion(targets("x86_64+avx2"))]
fn product(x: &[f32], y: &[f32]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let ((x, last_x), (y, last_y)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in x.iter().zip(y) {
        for i in 0..LANES {
            sums[i] += f64::from(x[i]) * f64::from(y[i]);
        }
    }
    let last = last_x.iter().zip(last_y).map(|(x, y)| f64::from(*x) * f64::from(*y));
    sums.iter().sum::<f64>() + last.sum::<f64>()
}

/// The sum of the products of neighbours along lines.
fn product_along(x: &[f32], line: usize) -> f64 {
    let over_ends = (line..x.len()).step_by(line).map(|i| f64::from(x[i - 1]) * f64::from(x[i]));
    product(&x[..x.len() - 1], &x[1..]) - over_ends.sum::<f64>()
}

/// The sum of the products of neighbours across lines.
fn product_across(x: &[f32], line: usize) -> f64 {
    let n = x.len().saturating_sub(line);
    product(&x[..n], &x[x.len() - n..])
}

/// Number, mean and squares about the mean of some values, of every so many pieces of them; `weigh` says of a piece
/// what counts, and its values, 0 where they do not.
fn moments<T>(
    pieces: impl Iterator<Item = T>,
    every: usize,
    [kept, values]: [&mut [f32]; 2],
    weigh: impl Fn(T, &mut [f32], &mut [f32]) -> usize,
) -> (f64, f64, f64) {
    let (mut n, mut off, mut squares) = (0.0, 0.0, 0.0);
    for piece in pieces.step_by(every) {
        let count = weigh(piece, kept, values);
        n += total(&kept[..count]);
        off += total(&values[..count]);
        squares += product(&values[..count], &values[..count]);
    }
    let mean = off / f64::max(n, 1.0);
    (n, mean, squares - n * mean * mean)
}

/// A sample in `step`s of the combination of both frames, its median and robust sigma.
fn robust(some: &mut Vec<f32>, count: usize, at: impl Fn(usize) -> f32) -> (f32, f32) {
    some.clear();
    let step = (count / ENOUGH) | 1;
    some.extend((0..count).step_by(step).map(at));
    let (median, mad) = median_mad(some);
    (median, (mad * MAD_TO_SIGMA as f32).max(LEAST_SIGMA))
}

/// One in so many pieces tells where hits begin: in a sensor's blocks there are thousands of samples, in those of small
/// frames fewer than would do.
fn sparse(count: usize) -> usize {
    if count > 4 * ENOUGH { SPARSE } else { 1 }
}

/// Measures a lane of two frames, `line` samples to a line; `ends` are the levels at which each frame
/// clips, low and high. Pixels that are NaN do not count.
pub fn measure_cell(
    (a, b): (&[f32], &[f32]),
    line: usize,
    ends: [(f32, f32); 2],
    room: &mut CellRoom,
) -> Cell {
    let CellRoom { some, kept, beside: [x, y], made: [first, second], neighbours_share } = room;
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let (middle, spread) = robust(some, n, |i| 0.5 * (a[i] + b[i]));
    let (apart, scatter) = robust(some, n, |i| a[i] - b[i]);
    let rough = Kept { middle, reach: ODD_PIXEL * spread, apart, most: ODD_PIXEL * scatter };
    for room in [&mut *kept, &mut *x, &mut *y, &mut *first, &mut *second] {
        room.resize(n, 0.0);
    }
    // The scatter of the differences first, then hits by it.
    let pieces = a.chunks(PIECE).zip(b.chunks(PIECE));
    let (count, mean, squares) = moments(pieces, sparse(n), [kept, first], |pair, kept, out| {
        differences(pair, rough, kept, out)
    });
    let sigma = (squares / count.max(1.0)).max(0.0).sqrt();
    let most = (HIT * sigma.max(f64::from(LEAST_SIGMA))) as f32;
    let rule = Kept { apart: (f64::from(apart) + mean) as f32, most, ..rough };
    let at_ends = f64::from(weigh((a, b), (rule, ends), kept, [&mut *x, &mut *y]));
    let count = total(kept);
    if count < 4.0 {
        return Cell { ends: at_ends, ..Cell::default() };
    }
    let (mx, my, free) = (total(x) / count, total(y) / count, count - 1.0);
    let (xx, yy, xy) = (product(x, x), product(y, y), product(x, y));
    // What is fixed, by neighbours along lines.
    let neighbours = product_along(kept, line);
    steps((x, y), kept, [&mut *first, &mut *second]);
    (line - 1..n).step_by(line).for_each(|end| (first[end], second[end]) = (0.0, 0.0));
    // The mean step is a slope of the light.
    let slopes = total(first) * total(second) / neighbours.max(1.0);
    let pattern = 0.5 * (product(first, second) - slopes) / neighbours.max(1.0);
    let [beside, below] = match neighbours_share {
        true => {
            less((x, y), (mx - my) as f32, kept, first);
            let half = |products: f64, pairs: f64| 0.5 * products / pairs.max(1.0);
            [
                half(product_along(first, line), neighbours),
                half(product_across(first, line), product_across(kept, line)),
            ]
        }
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
        ((0.5 * (a + b) - self.middle).abs() <= self.reach)
            & ((a - b - self.apart).abs() <= self.most)
    }
}

/// Which pixels are kept, and their differences beside that of the frames; how many there are.
#[multiversion(targets("x86_64+avx2"))]
fn differences((a, b): (&[f32], &[f32]), rule: Kept, kept: &mut [f32], out: &mut [f32]) -> usize {
    let n = a.len();
    let (b, kept, out) = (&b[..n], &mut kept[..n], &mut out[..n]);
    for i in 0..n {
        let keep = rule.keeps(a[i], b[i]);
        kept[i] = if keep { 1.0 } else { 0.0 };
        out[i] = if keep { a[i] - b[i] - rule.apart } else { 0.0 };
    }
    n
}

/// Which pixels are kept, and their samples in both frames beside the block's middle; gives how many stand at an end.
#[multiversion(targets("x86_64+avx2"))]
fn weigh(
    (a, b): (&[f32], &[f32]),
    (rule, ends): (Kept, [(f32, f32); 2]),
    kept: &mut [f32],
    [x, y]: [&mut [f32]; 2],
) -> u32 {
    let n = a.len();
    let (b, kept, x, y) = (&b[..n], &mut kept[..n], &mut x[..n], &mut y[..n]);
    let [(low_a, high_a), (low_b, high_b)] = ends;
    let mut at_ends = 0;
    for i in 0..n {
        let keep = rule.keeps(a[i], b[i]);
        kept[i] = if keep { 1.0 } else { 0.0 };
        x[i] = if keep { a[i] - rule.middle } else { 0.0 };
        y[i] = if keep { b[i] - rule.middle } else { 0.0 };
        let clipped = (a[i] <= low_a) | (a[i] >= high_a) | (b[i] <= low_b) | (b[i] >= high_b);
        at_ends += u32::from(clipped);
    }
    at_ends
}

/// The steps from each pixel to the next in both frames; 0 where one of both is not kept.
#[multiversion(targets("x86_64+avx2"))]
fn steps((x, y): (&[f32], &[f32]), kept: &[f32], [first, second]: [&mut [f32]; 2]) {
    let n = x.len() - 1;
    let (x0, y0, w0) = (&x[..n], &y[..n], &kept[..n]);
    let (x1, y1, w1) = (&x[1..=n], &y[1..=n], &kept[1..=n]);
    let (first, second) = (&mut first[..n], &mut second[..n]);
    for i in 0..n {
        let both = w0[i] * w1[i];
        first[i] = (x1[i] - x0[i]) * both;
        second[i] = (y1[i] - y0[i]) * both;
    }
}

/// The difference of two frames less `apart`, 0 where a pixel is not kept.
#[multiversion(targets("x86_64+avx2"))]
fn less((x, y): (&[f32], &[f32]), apart: f32, kept: &[f32], out: &mut [f32]) {
    let n = x.len();
    let (y, kept, out) = (&y[..n], &kept[..n], &mut out[..n]);
    for i in 0..n {
        out[i] = (x[i] - y[i] - apart) * kept[i];
    }
}

/// Number and variance of some differences, NaN and hits left out.
pub fn noise_of(values: &[f32], room: &mut CellRoom) -> (f64, f64) {
    let (middle, sigma) = robust(&mut room.some, values.len(), |i| values[i]);
    let [kept, made] = &mut room.made;
    for room in [&mut *kept, &mut *made] {
        room.resize(values.len(), 0.0);
    }
    let mut within = |most: f64, every: usize| {
        let near = |piece: &[f32], kept: &mut [f32], out: &mut [f32]| {
            near(piece, (middle, most as f32), kept, out)
        };
        let (n, _, squares) = moments(values.chunks(PIECE), every, [kept, made], near);
        (n, squares / (n - 1.0).max(1.0))
    };
    let (_, first) = within(f64::from(ODD_PIXEL * sigma), sparse(values.len()));
    within(HIT * first.sqrt().max(f64::from(LEAST_SIGMA)), 1)
}

/// Which values are near a middle, and how far beside it; how many there are.
#[multiversion(targets("x86_64+avx2"))]
fn near(values: &[f32], (middle, most): (f32, f32), kept: &mut [f32], out: &mut [f32]) -> usize {
    let n = values.len();
    let (kept, out) = (&mut kept[..n], &mut out[..n]);
    for i in 0..n {
        let off = values[i] - middle;
        let keep = off.abs() <= most;
        kept[i] = if keep { 1.0 } else { 0.0 };
        out[i] = if keep { off } else { 0.0 };
    }
    n
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
