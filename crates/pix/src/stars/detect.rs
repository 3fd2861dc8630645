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
        let taps: Vec<f32> = (-radius..=radius).map(|d| (profile(d) / sum) as f32).collect();
        // The noise of a separable filter is the product of that of both passes.
        let gain = 1.0 / taps.iter().map(|t| t * t).sum::<f32>();
        Self { sigma_px, taps, gain }
    }

    /// The standard deviation of the profile in pixels.
    pub fn sigma_px(&self) -> f64 {
        self.sigma_px
    }

    /// Rows beyond a band that finding its candidates takes into account.
    pub fn halo(&self) -> usize {
        self.taps.len() / 2 + 1
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
        let radius = self.taps.len() / 2;
        if width < 3 || height < 3 {
            return Vec::new();
        }
        // Matched rows: one more on either side than maxima are looked for in.
        let matched = rows.start.saturating_sub(1)..(rows.end + 1).min(height);
        let needed = matched.start.saturating_sub(radius)..(matched.end + radius).min(height);
        let mut across = vec![0.0f32; needed.len() * width];
        let mut padded = vec![0.0f32; width + 2 * radius];
        let mut level = vec![0.0f32; width];
        for (y, out) in needed.clone().zip(across.chunks_exact_mut(width)) {
            mesh.level_row(y, &mut level);
            let inner = &mut padded[radius..radius + width];
            for ((p, (v, m)), b) in
                inner.iter_mut().zip(data.row(y).iter().zip(mask.row(y))).zip(&level)
            {
                let good = v.is_finite() & !m.intersects(MaskBits::BAD);
                *p = if good { v - b } else { 0.0 };
            }
            filter_row(&padded, &self.taps, out);
        }
        let mut map = vec![0.0f32; matched.len() * width];
        let mut sigma = vec![0.0f32; width];
        for (y, out) in matched.clone().zip(map.chunks_exact_mut(width)) {
            for (tap, from) in self.taps.iter().zip(y as isize - radius as isize..) {
                // Beyond the frame there is background.
                let Some(from) = usize::try_from(from).ok().filter(|f| needed.contains(f)) else {
                    continue;
                };
                add_row(*tap, &across[(from - needed.start) * width..][..width], out);
            }
            mesh.sigma_row(y, &mut sigma);
            for (o, s) in out.iter_mut().zip(&sigma) {
                *o *= self.gain / s.max(f32::MIN_POSITIVE);
            }
        }
        let mut found = Vec::new();
        for y in rows.start.max(1)..rows.end.min(height - 1) {
            let at = (y - matched.start) * width;
            let [above, here, below] =
                [at - width, at, at + width].map(|start| &map[start..start + width]);
            maxima(above, here, below, snr, |x| {
                found.push(Candidate { x, y, snr: here[x] });
            });
        }
        found
    }
}

/// `out[x]` is the sum of `taps` times the samples about x.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn filter_row(padded: &[f32], taps: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    for (i, tap) in taps.iter().enumerate() {
        for (o, v) in out.iter_mut().zip(&padded[i..]) {
            *o += tap * v;
        }
    }
}

/// Adds `tap` times a row.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add_row(tap: f32, from: &[f32], out: &mut [f32]) {
    for (o, v) in out.iter_mut().zip(from) {
        *o += tap * v;
    }
}

/// Calls `found` for each column whose sample is at least `least` and the highest of its
/// neighbourhood; of equal ones the last.
fn maxima(above: &[f32], here: &[f32], below: &[f32], least: f32, mut found: impl FnMut(usize)) {
    const TOGETHER: usize = 32;
    for x0 in (1..here.len() - 1).step_by(TOGETHER) {
        let x1 = (x0 + TOGETHER).min(here.len() - 1);
        if !here[x0..x1].iter().fold(false, |any, v| any | (*v >= least)) {
            continue;
        }
        for x in x0..x1 {
            let v = here[x];
            let before = [above[x - 1], above[x], above[x + 1], here[x - 1]];
            let after = [here[x + 1], below[x - 1], below[x], below[x + 1]];
            if v >= least && before.iter().all(|b| v >= *b) && after.iter().all(|a| v > *a) {
                found(x);
            }
        }
    }
}
