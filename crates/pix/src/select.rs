//! Medians of any number of samples, exact, without sorting or copying them all.
//!
//! Samples come in chunks. A few chunks tell where the median about is. Where values are steps, as
//! those of cameras are, the guess is often the median itself, and counting proves it. Otherwise
//! one pass over all counts what lies below the guess and gathers what lies near it; the median is
//! then selected among few. Where the guess was too far off, a last pass gathers everything.

use multiversion::multiversion;

use crate::stat::median_in_place;

/// Below this many samples, copying them and selecting is faster.
const FEW: usize = 1 << 14;

/// Samples of a chunk of a slice: they and what is made of them stay in the first-level cache.
const CHUNK: usize = 2048;

/// Chunks looked at for the guess.
const LOOKED_AT: usize = 512;

/// Every so many samples of a chunk that is looked at are used.
const LOOK_STEP: usize = 64;

/// Half the shares of samples that are gathered about the guess: first few, and where the chunks
/// looked at were further off than that, for pictures are not even, more.
const HALF_SHARES: [f64; 2] = [0.01, 0.06];

/// The median of the finite samples of `chunks` chunks, the mean of the middle two for an even
/// number; NaN without any. `fill` makes a chunk in a buffer that comes empty.
pub fn median_of_chunks(chunks: usize, fill: impl Fn(usize, &mut Vec<f32>)) -> f32 {
    let mut chunk = Vec::new();
    let mut seen = Vec::new();
    let stride = chunks.div_ceil(LOOKED_AT).max(1);
    for i in (stride / 2..chunks).step_by(stride) {
        chunk.clear();
        fill(i, &mut chunk);
        // Another place in each chunk, so that a regular pattern is not met in step.
        let from = i * 7 % LOOK_STEP.min(chunk.len().max(1));
        seen.extend(
            chunk[from.min(chunk.len())..].iter().step_by(LOOK_STEP).filter(|v| v.is_finite()),
        );
    }
    seen.sort_unstable_by(f32::total_cmp);
    let at = |share: f64| seen.get((share * seen.len() as f64) as usize).copied();
    if let Some(guess) = at(0.5)
        && is_median(chunks, &fill, guess)
    {
        return guess;
    }
    for half in HALF_SHARES {
        if let (Some(low), Some(high)) = (at(0.5 - half), at(0.5 + half))
            && let Some(median) = gather(chunks, &fill, low, high)
        {
            return median;
        }
    }
    gather(chunks, &fill, f32::NEG_INFINITY, f32::INFINITY).unwrap_or(f32::NAN)
}

/// Whether `guess` is the median, and its neighbour too where the number is even.
fn is_median(chunks: usize, fill: &impl Fn(usize, &mut Vec<f32>), guess: f32) -> bool {
    let mut chunk = Vec::new();
    let (mut count, mut below, mut equal) = (0, 0, 0);
    for i in 0..chunks {
        chunk.clear();
        fill(i, &mut chunk);
        let [finite, less, same] = count_about(&chunk, guess);
        (count, below, equal) = (count + finite, below + less, equal + same);
    }
    count > 0 && below <= (count - 1) / 2 && count / 2 < below + equal
}

/// How many samples are finite, less than `guess`, and equal to it.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn count_about(samples: &[f32], guess: f32) -> [usize; 3] {
    let mut counts = [0; 3];
    // Short enough for 32-bit counts, of which twice as many fit in a register.
    for part in samples.chunks(1 << 16) {
        let (mut finite, mut less, mut same) = (0u32, 0u32, 0u32);
        for &v in part {
            let known = v.abs() < f32::INFINITY;
            finite += u32::from(known);
            less += u32::from(known & (v < guess));
            same += u32::from(known & (v == guess));
        }
        for (sum, n) in counts.iter_mut().zip([finite, less, same]) {
            *sum += n as usize;
        }
    }
    counts
}

/// The median, if it and its neighbour lie within `low..=high`.
fn gather(chunks: usize, fill: &impl Fn(usize, &mut Vec<f32>), low: f32, high: f32) -> Option<f32> {
    let mut chunk = Vec::new();
    let mut near: Vec<f32> = Vec::new();
    let (mut count, mut below) = (0usize, 0usize);
    for i in 0..chunks {
        chunk.clear();
        fill(i, &mut chunk);
        let [finite, less] = keep_near(&chunk, low, high, &mut near);
        (count, below) = (count + finite, below + less);
    }
    let kept = near.len();
    if count == 0 {
        return Some(f32::NAN);
    }
    let (lower, upper) = ((count - 1) / 2, count / 2);
    if lower < below || upper >= below + kept {
        return None;
    }
    let rank = lower - below;
    let (_, &mut first, above) = near.select_nth_unstable_by(rank, f32::total_cmp);
    if lower == upper {
        return Some(first);
    }
    let second = above.iter().copied().fold(f32::INFINITY, f32::min);
    Some(((f64::from(first) + f64::from(second)) * 0.5) as f32)
}

/// Samples that are skipped together where none of them is near.
const TOGETHER: usize = 16;

/// Appends what lies within `low..=high` to `near`; how many samples are finite, and less than
/// `low`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn keep_near(samples: &[f32], low: f32, high: f32, near: &mut Vec<f32>) -> [usize; 2] {
    let (mut finite, mut less) = (0usize, 0usize);
    for part in samples.chunks(TOGETHER) {
        let (mut known, mut under, mut within) = (0u32, 0u32, 0u32);
        for &v in part {
            let there = v.abs() < f32::INFINITY;
            known += u32::from(there);
            under += u32::from(there & (v < low));
            within += u32::from(there & (v >= low) & (v <= high));
        }
        if within > 0 {
            near.extend(part.iter().filter(|v| v.is_finite() & (**v >= low) & (**v <= high)));
        }
        (finite, less) = (finite + known as usize, less + under as usize);
    }
    [finite, less]
}

/// The median of the finite samples of a slice.
pub fn median(samples: &[f32]) -> f32 {
    median_by(samples, |v| v)
}

/// The median of `f` of each sample of a slice, where that is finite.
pub fn median_by(samples: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    if samples.len() <= FEW {
        let mut work: Vec<f32> = samples.iter().map(|v| f(*v)).collect();
        return median_in_place(&mut work);
    }
    median_of_chunks(samples.len().div_ceil(CHUNK), |i, chunk| {
        let part = &samples[i * CHUNK..((i + 1) * CHUNK).min(samples.len())];
        chunk.extend(part.iter().map(|v| f(*v)));
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(a: f32, b: f32) -> bool {
        a == b || (a.is_nan() && b.is_nan())
    }

    proptest! {
        #[test]
        fn gathering_and_sorting_agree(
            samples in prop::collection::vec(prop::num::f32::ANY, 0..300),
            size in 1usize..40,
        ) {
            let fill = |i: usize, chunk: &mut Vec<f32>| {
                chunk.extend(samples.chunks(size).nth(i).unwrap_or_default());
            };
            let gathered = median_of_chunks(samples.len().div_ceil(size), fill);
            prop_assert!(same(gathered, median_in_place(&mut samples.clone())));
        }
    }

    #[test]
    fn a_guess_far_off_is_mended() {
        // All but the chunks looked at are far away.
        let stride = 1000usize.div_ceil(LOOKED_AT);
        let level = |i: usize| if i % stride == stride / 2 { 0.0 } else { 100.0 };
        let fill =
            |i: usize, chunk: &mut Vec<f32>| chunk.extend((0..16).map(|j| level(i) + j as f32));
        let mut all = Vec::new();
        (0..1000).for_each(|i| fill(i, &mut all));
        assert_eq!(median_of_chunks(1000, fill), median_in_place(&mut all));
    }

    #[test]
    fn large_slices_with_ties_and_gaps() {
        let mut samples: Vec<f32> = (0..100_000).map(|i| (i % 7) as f32).collect();
        samples[5] = f32::NAN;
        assert_eq!(median(&samples), 3.0);
        assert!(median(&vec![f32::NAN; 50_000]).is_nan());
    }
}
