//! Mean and scatter of each pixel over the frames of a set, with nothing kept but sums.

use multiversion::multiversion;

/// Pixels that are summed side by side: their sums stay in registers from frame to frame.
const TOGETHER: usize = 16;

/// The mean of each pixel over some frames, its lowest and highest sample left out from three on, and its
/// variance, the most extreme sample left out from four on: one frame's cosmic ray changes neither.
/// `offsets` are taken off the frames first. A sample that is missing makes both NaN.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub fn mean_and_variance(
    frames: &[&[f32]],
    offsets: &[f32],
    mean: &mut [f32],
    variance: &mut [f32],
) {
    let (means, last) = mean.as_chunks_mut::<TOGETHER>();
    let (variances, last_variance) = variance.as_chunks_mut::<TOGETHER>();
    let whole = means.len() * TOGETHER;
    for (i, (mean, variance)) in means.iter_mut().zip(variances).enumerate() {
        block(frames, offsets, i * TOGETHER, (mean, variance));
    }
    for (i, (mean, variance)) in last.iter_mut().zip(last_variance).enumerate() {
        block(
            frames,
            offsets,
            whole + i,
            (std::array::from_mut(mean), std::array::from_mut(variance)),
        );
    }
}

/// The same of `N` pixels from one on.
#[inline(always)]
fn block<const N: usize>(
    frames: &[&[f32]],
    offsets: &[f32],
    from: usize,
    (mean, variance): (&mut [f32; N], &mut [f32; N]),
) {
    let n = frames.len();
    let count = n as f32;
    let samples =
        |f: usize| -> &[f32; N] { frames[f][from..from + N].try_into().expect("as many") };
    let (a, b, c) = (samples(0), samples((n - 1).min(1)), samples((n - 1).min(2)));
    let (oa, ob, oc) = (offsets[0], offsets[(n - 1).min(1)], offsets[(n - 1).min(2)]);
    // Sums about one of the pixel's own samples that is no outlier lose nothing.
    let mut base = [0.0f32; N];
    for i in 0..N {
        let (a, b, c) = (a[i] - oa, b[i] - ob, c[i] - oc);
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        let low = if low > c { low } else { c };
        base[i] = if low < high { low } else { high };
    }
    let (mut sum, mut square) = ([0.0f32; N], [0.0f32; N]);
    let (mut min, mut max) = ([f32::INFINITY; N], [f32::NEG_INFINITY; N]);
    for (f, offset) in offsets.iter().enumerate().take(n) {
        let samples = samples(f);
        for i in 0..N {
            let d = samples[i] - offset - base[i];
            sum[i] += d;
            square[i] += d * d;
            min[i] = if d < min[i] { d } else { min[i] };
            max[i] = if d > max[i] { d } else { max[i] };
        }
    }
    for i in 0..N {
        let all = sum[i] / count;
        mean[i] = base[i] + if n >= 3 { (sum[i] - min[i] - max[i]) / (count - 2.0) } else { all };
        variance[i] = if n >= 4 {
            let far = if max[i] - all > all - min[i] { max[i] } else { min[i] };
            let (s, q) = (sum[i] - far, square[i] - far * far);
            let v = (q - s * s / (count - 1.0)) / (count - 2.0);
            if v < 0.0 { 0.0 } else { v }
        } else {
            f32::NAN
        };
    }
}

/// The variance of Gaussian samples without the most extreme of them, over the whole variance.
pub fn share_without_extreme(n: usize) -> f64 {
    if n < 4 {
        return 1.0;
    }
    // The extreme of n lies about where one is expected beyond: sqrt(2 ln n) less its correction.
    let (n, ln) = (n as f64, (2.0 * n as f64).ln());
    let root = (2.0 * ln).sqrt();
    let extreme =
        root - (ln.ln() + (4.0 * std::f64::consts::PI).ln()) / (2.0 * root) + 0.577 / root;
    1.0 - (extreme * extreme - 1.0) / (n - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hit_changes_neither_mean_nor_variance() {
        let frames: Vec<Vec<f32>> = (0..10)
            .map(|f| (0..100).map(|i| 1000.0 + ((f * 7 + i * 3) % 10) as f32).collect())
            .collect();
        let of = |frames: &[Vec<f32>]| {
            let rows: Vec<&[f32]> = frames.iter().map(|f| &f[..]).collect();
            let (mut mean, mut variance) = (vec![0.0; 100], vec![0.0; 100]);
            mean_and_variance(&rows, &[0.0; 10], &mut mean, &mut variance);
            (mean, variance)
        };
        let (mean, variance) = of(&frames);
        assert!((mean[5] - 1004.5).abs() < 1e-3, "{}", mean[5]);
        for hit in [0, 1, 4] {
            let mut struck = frames.clone();
            struck[hit][5] += 5000.0;
            let (m, v) = of(&struck);
            assert!((m[5] - mean[5]).abs() < 1.5, "{} {}", m[5], mean[5]);
            assert!(v[5] < 1.6 * variance[5], "{} {}", v[5], variance[5]);
            assert_eq!((m[6], v[6]), (mean[6], variance[6]));
        }
        let mut missing = frames;
        missing[3][7] = f32::NAN;
        assert!(of(&missing).0[7].is_nan());
    }
}
