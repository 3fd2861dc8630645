//! Local maxima of a frame matched with a star's profile.

use std::ops::Range;

use multiversion::multiversion;

use super::Mesh;
use crate::{MaskBits, Plane};

/// Sigmas out to which the profile is used: what lies beyond holds 2 % of a star's signal.
const REACH: f64 = 2.8;

/// Widest profile in pixels, one sigma.
const WIDEST_PX: f64 = 8.0;

/// A place where a star may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Column of the maximum.
    pub x: usize,
    /// Row of the maximum.
    pub y: usize,
    /// Signal over noise of the match there.
    pub snr: f32,
}

/// A matched filter for round Gaussian stars.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    sigma_px: f64,
    /// From the middle outward.
    taps: Vec<f32>,
    /// One over the noise that the filter leaves of white noise of 1.
    gain: f32,
}

impl Matched {
    /// A filter for stars whose profile has a standard deviation of `sigma_px`, 0.5 to 8 pixels.
    pub fn new(sigma_px: f64) -> Self {
        let sigma_px = sigma_px.clamp(0.5, WIDEST_PX);
        let radius = (REACH * sigma_px).ceil() as i32;
        let profile = |d: i32| (-0.5 * (f64::from(d) / sigma_px).powi(2)).exp();
        let sum: f64 = (-radius..=radius).map(profile).sum();
        // The noise of a separable filter is the product of that of both passes.
        let squares: f64 = (-radius..=radius).map(|d| (profile(d) / sum).powi(2)).sum();
        let gain = (1.0 / squares) as f32;
        // Both taps of a pair are one; the middle is a pair of itself.
        let tap = |d: i32| (profile(d) / sum * if d == 0 { 0.5 } else { 1.0 }) as f32;
        let taps = (0..=radius).map(tap).collect();
        Self { sigma_px, taps, gain }
    }

    /// The same filter for noise that neighbouring pixels share: of means over many of them it is `shared` times
    /// that of independent ones. It is taken as white noise under a Gaussian, so that the filter, which is one
    /// too, meets the less of it the narrower it is.
    #[must_use]
    pub fn of_shared_noise(self, shared: f64) -> Self {
        let (area, more) = (self.sigma_px * self.sigma_px, shared * shared);
        // A Gaussian whose correlations sum to `more` has this variance.
        let blur = more / (4.0 * std::f64::consts::PI);
        let times = (more * area / (area + blur)).max(1.0);
        Self { gain: self.gain / times.sqrt() as f32, ..self }
    }

    /// The standard deviation of the profile in pixels.
    pub fn sigma_px(&self) -> f64 {
        self.sigma_px
    }

    /// Signal over noise of a match where all samples stand out by their noise.
    pub fn gain(&self) -> f64 {
        f64::from(self.gain)
    }

    /// The maxima in `rows` that stand at least `snr` times out of the noise; masked pixels and
    /// those that are not finite count as background.
    pub fn candidates(
        &self,
        data: &Plane<f32>,
        mask: &Plane<MaskBits>,
        mesh: &Mesh,
        rows: Range<usize>,
        snr: f32,
    ) -> Vec<Candidate> {
        let (width, height) = (data.width(), data.height());
        let mut found = Vec::new();
        let inner = rows.start.max(1)..rows.end.min(height.saturating_sub(1));
        if width < 3 || inner.is_empty() {
            return found;
        }
        let radius = self.taps.len() - 1;
        let padded = width.next_multiple_of(TOGETHER);
        // Rows are used again as they leave: those under the filter, and three of what it makes.
        let mut across = vec![0.0f32; (2 * radius + 1) * padded];
        let mut matched = vec![0.0f32; 3 * padded];
        let mut centred = vec![0.0f32; padded + 2 * radius];
        let mut level = vec![0.0f32; padded];
        let none = vec![0.0f32; padded];
        let bound = snr / self.gain;
        let first = inner.start - 1;
        let mut ready = first.saturating_sub(radius);
        for y in first..inner.end + 1 {
            while ready < (y + radius + 1).min(height) {
                mesh.level_row(ready, &mut level[..width]);
                let to = &mut centred[radius..radius + width];
                centre(data.row(ready), mask.row(ready), &level, to);
                let slot = ready % (2 * radius + 1) * padded;
                filter_along(&centred, &self.taps, &mut across[slot..slot + padded]);
                ready += 1;
            }
            let row = |at: Option<usize>| match at.filter(|at| *at < height) {
                Some(at) => &across[at % (2 * radius + 1) * padded..][..padded],
                // Beyond the frame there is background.
                None => &none,
            };
            let pairs: Vec<_> =
                (0..=radius).map(|d| (row(y.checked_sub(d)), row(Some(y + d)))).collect();
            filter_down(&pairs, &self.taps, &mut matched[y % 3 * padded..][..padded]);
            if y < first + 2 {
                continue;
            }
            // The row before has both of its neighbours now.
            mesh.sigma_row(y - 1, &mut level[..width]);
            times(&mut level[..width], bound);
            let [above, here, below] =
                [y + 1, y + 2, y].map(|row| &matched[row % 3 * padded..][..padded]);
            maxima((above, here, below), &level, width, |x| {
                found.push(Candidate { x, y: y - 1, snr: snr * here[x] / level[x] });
            });
        }
        found
    }
}

/// Samples above their background; those that are no good are background.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn centre(data: &[f32], mask: &[MaskBits], level: &[f32], out: &mut [f32]) {
    for (((o, v), m), b) in out.iter_mut().zip(data).zip(mask).zip(level) {
        let good = (v.abs() < f32::INFINITY) & (m.bits() & MaskBits::BAD.bits() == 0);
        *o = if good { v - b } else { 0.0 };
    }
}

/// Pixels that are worked on together.
const TOGETHER: usize = 64;

/// Sums of samples under the taps, which run from the middle outward, along a row.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn filter_along(padded: &[f32], taps: &[f32], out: &mut [f32]) {
    let radius = taps.len() - 1;
    for (i, out) in out.chunks_exact_mut(TOGETHER).enumerate() {
        let from = |d: usize| padded[i * TOGETHER + d..].first_chunk::<TOGETHER>();
        let mut sum = [0.0f32; TOGETHER];
        for (d, tap) in taps.iter().enumerate() {
            let (Some(a), Some(b)) = (from(radius - d), from(radius + d)) else { return };
            add_pair(*tap, a, b, &mut sum);
        }
        out.copy_from_slice(&sum);
    }
}

/// The same down the columns, of pairs of rows as far apart as their taps.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn filter_down(pairs: &[(&[f32], &[f32])], taps: &[f32], out: &mut [f32]) {
    for (i, out) in out.chunks_exact_mut(TOGETHER).enumerate() {
        let mut sum = [0.0f32; TOGETHER];
        for (tap, (a, b)) in taps.iter().zip(pairs) {
            let (Some(a), Some(b)) =
                (a[i * TOGETHER..].first_chunk(), b[i * TOGETHER..].first_chunk())
            else {
                return;
            };
            add_pair(*tap, a, b, &mut sum);
        }
        out.copy_from_slice(&sum);
    }
}

/// Adds `tap` times two rows; the middle tap is half of what it stands for.
#[inline(always)]
fn add_pair(tap: f32, a: &[f32; TOGETHER], b: &[f32; TOGETHER], sum: &mut [f32; TOGETHER]) {
    for k in 0..TOGETHER {
        sum[k] += tap * (a[k] + b[k]);
    }
}

/// Multiplies samples that may be 0, which then are just above it.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn times(samples: &mut [f32], factor: f32) {
    for v in samples {
        *v = v.max(f32::MIN_POSITIVE) * factor;
    }
}

/// Calls `found` for each column of the middle row whose sample is at least that of `least` and the
/// highest of its neighbourhood; of equal ones the last.
fn maxima(
    (above, here, below): (&[f32], &[f32], &[f32]),
    least: &[f32],
    width: usize,
    mut found: impl FnMut(usize),
) {
    for x0 in (0..width).step_by(TOGETHER) {
        let mut reaching = reaching(&here[x0..], &least[x0..]);
        while reaching != 0 {
            let x = x0 + reaching.trailing_zeros() as usize;
            reaching &= reaching - 1;
            if x == 0 || x + 1 >= width {
                continue;
            }
            let v = here[x];
            let before = [above[x - 1], above[x], above[x + 1], here[x - 1]];
            let after = [here[x + 1], below[x - 1], below[x], below[x + 1]];
            if before.iter().all(|b| v >= *b) && after.iter().all(|a| v > *a) {
                found(x);
            }
        }
    }
}

/// Which of the next samples reach their bounds, a bit each.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn reaching(samples: &[f32], least: &[f32]) -> u64 {
    let mut any = 0u32;
    for (v, least) in samples[..TOGETHER].iter().zip(&least[..TOGETHER]) {
        any |= u32::from(v >= least);
    }
    if any == 0 {
        return 0;
    }
    let pairs = samples[..TOGETHER].iter().zip(&least[..TOGETHER]).enumerate();
    pairs.fold(0, |bits, (i, (v, least))| bits | u64::from(v >= least) << i)
}
