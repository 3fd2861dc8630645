//! Over large scales: how strongly a background follows a flat, beside a linear sky.

use photosite_pix::Plane;
use photosite_pix::normal::Normal;
use photosite_pix::stat::{MAD_TO_SIGMA, jackknife, median_f64};

use super::Logs;

/// A slope and its standard error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Large {
    pub slope: f64,
    pub error: f64,
}

/// The flat's relief, root mean square of the logarithm beside a plane, below which nothing can be told.
const LEAST_RELIEF: f64 = 0.004;
/// Light adds to a sky and never takes away: so many sigmas above the fit a block counts nothing, so
/// many below.
const ABOVE: f64 = 3.0;
const BELOW: f64 = 6.0;
/// Rounds of the fit.
const ROUNDS: usize = 12;
/// Parts along each side for the jackknife.
const PARTS: usize = 4;
/// Cells along each side in which what is left is averaged.
const CELLS: usize = 8;
/// What the sky's own structure does to the slope, as a share of its size over the flat's relief: a
/// choice that the scenes of the truth test bear out.
const STRUCTURE: f64 = 0.7;

/// Slope, sky and its two directions.
const TERMS: usize = 4;
type Equations = Normal<TERMS, 1>;

/// A block that counts.
struct Sample {
    x: f64,
    y: f64,
    part: usize,
    cell: usize,
    light: f64,
    flat: f64,
}

/// The slope of the light's logarithm on the flat's; blocks `beside` which there is dust do not count.
/// `None` where the flat has no relief, or too few blocks count.
///
/// # Source
/// Beaton1974 for the weights; Miller1974 for the jackknife.
pub(super) fn fit(light: &Logs, flat: &Logs, dusty: &Plane<bool>, noise: f64) -> Option<Large> {
    let size = light.size();
    let at = |i: usize, end: usize, n: usize| (i * n / end).min(n - 1);
    let mut samples = Vec::with_capacity(size.pixels());
    for y in 0..size.height {
        for x in 0..size.width {
            let (l, f) = (light.get(x, y), flat.get(x, y));
            if l.is_finite() && f.is_finite() && !dusty.get(x, y) {
                samples.push(Sample {
                    x: 2.0 * x as f64 / size.width as f64 - 1.0,
                    y: 2.0 * y as f64 / size.height as f64 - 1.0,
                    part: at(y, size.height, PARTS) * PARTS + at(x, size.width, PARTS),
                    cell: at(y, size.height, CELLS) * CELLS + at(x, size.width, CELLS),
                    light: f64::from(l),
                    flat: f64::from(f),
                });
            }
        }
    }
    if samples.len() < 100 {
        return None;
    }
    let mut weights = vec![1.0; samples.len()];
    let relief = relief(&samples);
    if relief < LEAST_RELIEF {
        return None;
    }
    // Slope, level of the sky, and what it gains along x and y.
    let mut now = [1.0, 1.0, 0.0, 0.0];
    let mut parts = vec![Equations::default(); PARTS * PARTS];
    for round in 0..ROUNDS {
        parts.fill(Equations::default());
        for (s, w) in samples.iter().zip(&weights) {
            let sky = (now[1] + now[2] * s.x + now[3] * s.y).max(0.1);
            let terms = [s.flat, 1.0 / sky, s.x / sky, s.y / sky];
            // The logarithm of the sky, straightened about what it is now.
            let target = s.light - sky.ln() + 1.0;
            parts[s.part].add(terms, [target], *w);
        }
        now = solved(&parts, None)?;
        let left = residuals(&samples, &now);
        let scale = lower_scale(&left).max(noise);
        if round + 1 < ROUNDS {
            for (w, r) in weights.iter_mut().zip(&left) {
                let u = r / (scale * if *r > 0.0 { ABOVE } else { BELOW });
                *w = if u.abs() < 1.0 { (1.0 - u * u) * (1.0 - u * u) } else { 0.0 };
            }
        }
    }
    let slopes: Vec<f64> =
        (0..parts.len()).filter_map(|i| Some(solved(&parts, Some(i))?[0])).collect();
    if slopes.len() < parts.len() {
        return None;
    }
    let structure = structure(&samples, &residuals(&samples, &now), noise);
    let counts = noise / (relief * (samples.len() as f64).sqrt());
    let error = jackknife(&slopes).hypot(STRUCTURE * structure / relief).max(counts);
    (now[0].is_finite() && error.is_finite()).then_some(Large { slope: now[0], error })
}

/// What the flat's logarithm does beside a plane, root mean square.
fn relief(samples: &[Sample]) -> f64 {
    let mut plane = Normal::<3, 1>::default();
    samples.iter().for_each(|s| plane.add([1.0, s.x, s.y], [s.flat], 1.0));
    let Some([[level], [along], [down]]) = plane.solve() else { return 0.0 };
    let left = samples.iter().map(|s| s.flat - level - along * s.x - down * s.y);
    (left.map(|r| r * r).sum::<f64>() / samples.len() as f64).sqrt()
}

fn residuals(samples: &[Sample], now: &[f64; TERMS]) -> Vec<f64> {
    let of = |s: &Sample| {
        let sky = (now[1] + now[2] * s.x + now[3] * s.y).max(0.1);
        s.light - sky.ln() - now[0] * s.flat
    };
    samples.iter().map(of).collect()
}

/// The scatter of what lies below the fit.
fn lower_scale(left: &[f64]) -> f64 {
    let below: Vec<f64> = left.iter().filter(|r| **r < 0.0).map(|r| -r).collect();
    MAD_TO_SIGMA * median_f64(&below)
}

/// Root mean square of what is left in cells, beyond what noise leaves there: the sky's own structure.
fn structure(samples: &[Sample], left: &[f64], noise: f64) -> f64 {
    let mut cells: Vec<Vec<f64>> = vec![Vec::new(); CELLS * CELLS];
    for (s, r) in samples.iter().zip(left) {
        cells[s.cell].push(*r);
    }
    cells.retain(|c| c.len() >= 4);
    let expected = cells.iter().map(|c| 1.57 * noise * noise / c.len() as f64).sum::<f64>();
    let medians: Vec<f64> = cells.iter().map(|c| median_f64(c)).collect();
    let n = medians.len().max(1) as f64;
    let mean = medians.iter().sum::<f64>() / n;
    let seen = medians.iter().map(|m| (m - mean) * (m - mean)).sum::<f64>();
    ((seen - expected).max(0.0) / n).sqrt()
}

/// What all parts say together, or all but one.
fn solved(parts: &[Equations], without: Option<usize>) -> Option<[f64; TERMS]> {
    let mut all = Equations::default();
    let used = parts.iter().enumerate().filter(|(i, _)| Some(*i) != without);
    used.for_each(|(_, part)| all.join(part));
    Some(all.solve()?.map(|[v]| v))
}
