//! Medians of any number of samples, exact, without sorting or copying them all.
//!
//! Samples come in chunks. A few chunks tell where the median about is. Where values are steps, as
//! those of cameras are, the guess is often the median itself, and counting proves it. Otherwise
//! one pass over all counts what lies below the guess and gathers what lies near it; the median is
//! then selected among few. Where the guess was too far off, a last pass gathers everything.

use multiversion::multiversion;

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

/// Moves the finite samples to the front and returns them.
pub(crate) fn finite(samples: &mut [f32]) -> &mut [f32] {
    let mut n = 0;
    for i in 0..samples.len() {
        if samples[i].is_finite() {
            samples[n] = samples[i];
            n += 1;
        }
    }
    &mut samples[..n]
}

/// The median of `samples`, the mean of the middle two for an even number; reorders `samples`.
pub fn median_in_place(samples: &mut [f32]) -> f32 {
    let all = samples.iter().fold(true, |all, v| all & v.is_finite());
    median_of_finite(if all { samples } else { finite(samples) })
}

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

/// Samples that are worked on together.
const TOGETHER: usize = 16;

/// Appends what lies within `low..=high` to `near`; how many samples are finite, and less than
/// `low`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn keep_near(samples: &[f32], low: f32, high: f32, near: &mut Vec<f32>) -> [usize; 2] {
    // Doubling would take up to three times what is kept.
    if near.capacity() - near.len() < samples.len() {
        near.reserve_exact(samples.len() + near.len() / 4);
    }
    let (mut known, mut under) = ([0u32; TOGETHER], [0u32; TOGETHER]);
    let (whole, rest) = samples.as_chunks::<TOGETHER>();
    let mut last = [f32::NAN; TOGETHER];
    last[..rest.len()].copy_from_slice(rest);
    for part in whole.iter().chain(std::iter::once(&last)) {
        let mut within = 0;
        for lane in 0..TOGETHER {
            let v = part[lane];
            let there = v.abs() < f32::INFINITY;
            known[lane] += u32::from(there);
            under[lane] += u32::from(there & (v < low));
            within |= u32::from(there & (v >= low) & (v <= high)) << lane;
        }
        while within != 0 {
            near.push(part[within.trailing_zeros() as usize]);
            within &= within - 1;
        }
    }
    [known, under].map(|lanes| lanes.iter().map(|n| *n as usize).sum())
}

/// Samples up to which counting for each how many are less is faster than that.
const EACH_COUNTED: usize = 32;

/// Samples up to which narrowing a bracket by counting is faster than moving samples about.
const COUNTED: usize = 1 << 13;

/// The median of finite samples, the mean of the middle two for an even number; NaN without any.
/// Reorders them where they are many.
pub(crate) fn median_of_finite(samples: &mut [f32]) -> f32 {
    let n = samples.len();
    if n == 0 {
        return f32::NAN;
    }
    let rank = (n - 1) / 2;
    let (lower, upper) = if n <= EACH_COUNTED {
        let (lower, up_to) = nth_of_few(samples, rank);
        (lower, if n / 2 < up_to { lower } else { least_above(samples, lower) })
    } else if n <= COUNTED {
        let lower = nth(samples, rank);
        let [_, less, same] = count_about(samples, lower);
        let upper = if n / 2 < less + same { lower } else { least_above(samples, lower) };
        (lower, upper)
    } else {
        let (_, &mut lower, above) = samples.select_nth_unstable_by(rank, f32::total_cmp);
        let next = || above.iter().copied().fold(f32::INFINITY, f32::min);
        (lower, if n % 2 == 1 { lower } else { next() })
    };
    ((f64::from(lower) + f64::from(upper)) * 0.5) as f32
}

/// The same of numbers in double precision, which are few.
pub(crate) fn median_f64(samples: &mut [f64]) -> f64 {
    let n = samples.len();
    if n == 0 {
        return f64::NAN;
    }
    let (below, &mut upper, _) = samples.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return upper;
    }
    0.5 * (below.iter().copied().fold(f64::NEG_INFINITY, f64::max) + upper)
}

/// Every so many guesses the bracket is halved, so that no distribution makes it shrink slowly.
const HALVING: usize = 4;

/// A guess that leaves more than one in so many samples in the bracket parted few.
const STALLED: usize = 2;

/// The sample of `rank` in order, 0 for the smallest: a bracket about it is narrowed by counting,
/// at first where an even spread of its samples would have it.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn nth(samples: &[f32], rank: usize) -> f32 {
    // Integers in the order of the values.
    let key = |v: f32| {
        let bits = v.to_bits() as i32;
        i64::from(bits ^ ((bits >> 31) as u32 >> 1) as i32)
    };
    let value = |key: i64| {
        let bits = key as i32;
        f32::from_bits((bits ^ ((bits >> 31) as u32 >> 1) as i32) as u32)
    };
    let most_up_to =
        |bound: f32| -lane_min(samples, |v| if v <= bound { -v } else { f32::INFINITY });
    // Above `low`, at which `below` samples end, and up to `high`, at which `up_to` do.
    let (mut low, mut below) = (lane_min(samples, |v| v).next_down(), 0);
    let (mut high, mut up_to) = (most_up_to(f32::MAX), samples.len());
    let taste = [1, 3, 5].map(|i| samples[i * samples.len() / 6]);
    let mut guess = taste[0].max(taste[1]).min(taste[2]).max(taste[0].min(taste[1]));
    for round in 1.. {
        let halved = value((key(low) + key(high)).div_euclid(2));
        if !(low < guess && guess < high) || round % HALVING == 0 {
            guess = halved;
        }
        if !(low < guess && guess < high) {
            break;
        }
        let mut count = 0u32;
        for &v in samples {
            count += u32::from(v <= guess);
        }
        let (count, before) = (count as usize, up_to - below);
        // Equal samples cannot be parted: where few were, the bracket is drawn in to the next that there is.
        if count > rank {
            (high, up_to) = (guess, count);
            if STALLED * (up_to - below) > before {
                high = most_up_to(high);
            }
        } else {
            (low, below) = (guess, count);
            if STALLED * (up_to - below) > before {
                low = least_above(samples, low).next_down();
            }
        }
        if up_to - below == 1 {
            high = most_up_to(high);
            break;
        }
        let share = ((rank - below) as f32 + 0.5) / (up_to - below) as f32;
        guess = low + (high - low) * share;
    }
    high + 0.0
}

/// The same of at most [`EACH_COUNTED`] finite samples, and how many there are up to it.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn nth_of_few(samples: &[f32], rank: usize) -> (f32, usize) {
    if samples.len() <= TOGETHER {
        each_counted::<TOGETHER>(samples, rank)
    } else {
        each_counted::<EACH_COUNTED>(samples, rank)
    }
}

/// The same of at most `N` samples.
#[inline(always)]
fn each_counted<const N: usize>(samples: &[f32], rank: usize) -> (f32, usize) {
    let mut all = [f32::INFINITY; N];
    all[..samples.len()].copy_from_slice(samples);
    for v in samples {
        let (mut less, mut up_to) = (0u32, 0u32);
        for other in &all {
            less += u32::from(*other < *v);
            up_to += u32::from(*other <= *v);
        }
        if (less..up_to).contains(&(rank as u32)) {
            return (*v + 0.0, up_to as usize);
        }
    }
    (f32::NAN, 0)
}

/// The least sample above `bound`; infinite without any.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn least_above(samples: &[f32], bound: f32) -> f32 {
    lane_min(samples, |v| if v > bound { v } else { f32::INFINITY })
}

/// The least of `f` of the samples, found in lanes side by side; infinite without any.
#[inline(always)]
fn lane_min(samples: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut least = [f32::INFINITY; TOGETHER];
    let lower = |a: f32, b: f32| if a < b { a } else { b };
    let (whole, rest) = samples.as_chunks::<TOGETHER>();
    for part in whole {
        for lane in 0..TOGETHER {
            least[lane] = lower(f(part[lane]), least[lane]);
        }
    }
    let first = rest.iter().fold(f32::INFINITY, |least, v| lower(f(*v), least));
    least.into_iter().fold(first, lower)
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

    /// Any number, and often one of a few, for ties and zeros are what cameras give.
    fn sample() -> impl Strategy<Value = f32> {
        prop_oneof![prop::num::f32::ANY, (-1i8..4).prop_map(f32::from), Just(-0.0)]
    }

    proptest! {
        #[test]
        fn gathering_and_sorting_agree(
            samples in prop::collection::vec(sample(), 0..300),
            size in 1usize..40,
        ) {
            let fill = |i: usize, chunk: &mut Vec<f32>| {
                chunk.extend(samples.chunks(size).nth(i).unwrap_or_default());
            };
            let gathered = median_of_chunks(samples.len().div_ceil(size), fill);
            let mut sorted: Vec<f32> = samples.iter().copied().filter(|v| v.is_finite()).collect();
            sorted.sort_unstable_by(f32::total_cmp);
            let n = sorted.len();
            let middle = |i: usize| sorted.get(i).map_or(f64::NAN, |v| f64::from(*v));
            let expected = (middle(n.wrapping_sub(1) / 2) + middle(n / 2)) / 2.0;
            prop_assert!(same(gathered, expected as f32));
            prop_assert!(same(median_in_place(&mut samples.clone()), expected as f32));
            let mut wide: Vec<f64> = sorted.iter().rev().map(|v| f64::from(*v)).collect();
            let found = median_f64(&mut wide);
            prop_assert!(found == expected || (found.is_nan() && expected.is_nan()));
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
