//! Medians of any number of samples, exact, without copying or sorting them.
//!
//! A float's bits, turned so that they order as the number does, are counted by their upper half;
//! the bin that holds the median is then counted by the lower half. Two passes, whatever the data.

/// Below this many samples, copying them and selecting is faster.
const FEW: usize = 1 << 14;

/// The bits of a float as a whole number that orders as the float does.
fn key(v: f32) -> u32 {
    let bits = v.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 0x8000_0000 }
}

/// The float with a given key.
fn value(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & 0x7fff_ffff } else { !key })
}

/// The median of the finite samples, the mean of the middle two for an even number; NaN without
/// any.
///
/// `samples` is gone through twice and must give the same samples each time.
pub fn median_of<I: Iterator<Item = f32>>(samples: impl Fn() -> I) -> f32 {
    let mut upper = vec![0u32; 1 << 16];
    let mut count = 0usize;
    for v in samples().filter(|v| v.is_finite()) {
        upper[(key(v) >> 16) as usize] += 1;
        count += 1;
    }
    if count == 0 {
        return f32::NAN;
    }
    let low_rank = (count - 1) / 2;
    let (bin, within) = find(&upper, low_rank);
    let mut lower = vec![0u32; 1 << 16];
    // The next larger key, should the upper of the middle two lie beyond the bin.
    let mut next = u32::MAX;
    for v in samples().filter(|v| v.is_finite()) {
        let k = key(v);
        if k >> 16 == bin {
            lower[(k & 0xffff) as usize] += 1;
        } else if k >> 16 > bin {
            next = next.min(k);
        }
    }
    let (low_bits, rest) = find(&lower, within);
    let low = value(bin << 16 | low_bits);
    if count % 2 == 1 {
        return low;
    }
    let high = if rest + 1 < lower[low_bits as usize] as usize {
        low
    } else {
        match (low_bits as usize + 1..1 << 16).find(|b| lower[*b] > 0) {
            Some(b) => value(bin << 16 | b as u32),
            None => value(next),
        }
    };
    ((f64::from(low) + f64::from(high)) * 0.5) as f32
}

/// The bin that holds the sample of `rank`, and its rank within the bin.
fn find(counts: &[u32], rank: usize) -> (u32, usize) {
    let mut left = rank;
    for (bin, &n) in counts.iter().enumerate() {
        if left < n as usize {
            return (bin as u32, left);
        }
        left -= n as usize;
    }
    unreachable!("the rank is below the count")
}

/// The median of a slice: by selection in a copy where there are few, else by counting.
pub fn median(samples: &[f32]) -> f32 {
    if samples.len() <= FEW {
        return crate::stat::median_in_place(&mut samples.to_vec());
    }
    median_of(|| samples.iter().copied())
}

/// The median of `f` of each sample of a slice.
pub fn median_by(samples: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    if samples.len() <= FEW {
        let mut work: Vec<f32> = samples.iter().map(|v| f(*v)).collect();
        return crate::stat::median_in_place(&mut work);
    }
    median_of(|| samples.iter().map(|v| f(*v)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stat::median_in_place;

    proptest! {
        #[test]
        fn counting_and_sorting_agree(
            mut samples in prop::collection::vec(prop::num::f32::ANY, 0..200),
            copies in 1usize..3,
        ) {
            samples = samples.repeat(copies);
            let counted = median_of(|| samples.iter().copied());
            let sorted = median_in_place(&mut samples);
            prop_assert!(counted == sorted || (counted.is_nan() && sorted.is_nan()));
        }
    }

    #[test]
    fn keys_order_as_floats_do() {
        let floats = [f32::NEG_INFINITY, -1e30, -1.0, -1e-40, 0.0, 1e-40, 1.0, 65535.0, 1e30];
        assert!(floats.windows(2).all(|p| key(p[0]) < key(p[1])));
        assert!(floats.iter().all(|v| value(key(*v)) == *v));
    }
}
