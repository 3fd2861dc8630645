//! Pixels that are not the same from frame to frame: random telegraph signal.

use multiversion::multiversion;
use photosite_pix::combine::column_medians;
use photosite_pix::stat::{self, MAD_TO_SIGMA};
use serde::{Deserialize, Serialize};

use super::noise::CELL;
use super::sums::share_without_extreme;

/// Fewest frames by which a pixel's scatter is judged.
pub const FEWEST_FRAMES: usize = 20;

/// Fewest frames from which levels are told.
pub const FEWEST_FOR_LEVELS: usize = 50;

/// Columns of a tile in which scatters are compared: small, for glow has shot noise.
const TILE: usize = CELL;

/// One pixel in so many along a line tells what is ordinary in a tile.
const SAMPLED: usize = 4;

/// Sigmas of the cube root of a variance beyond which a pixel scatters too much: by chance 3 in 100,000.
const CERTAIN: f32 = 4.0;

/// Sigmas from which the shape of its samples is asked.
const SUSPECT: f32 = 2.5;

/// By how much one more level must raise twice the logarithm of the likelihood.
const WORTH: f64 = 18.0;

/// How far levels lie apart at least, in sigmas of a sample.
const APART: f64 = 2.5;

/// Most that the variance within a level may be, in that of a sample.
const WIDE: f64 = 9.0;

/// Fewest of n frames in which a level was seen: rays do not strike a pixel so often.
fn fewest_seen(n: usize) -> usize {
    n.div_ceil(20).max(2)
}

/// A pixel stands this many sigmas above its like before its excess tells of drift and shot noise.
const BRIGHT: f32 = 20.0;

/// A pixel that changes from frame to frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unsteady {
    /// Column.
    pub x: usize,
    /// Row.
    pub y: usize,
    /// How far its scatter lies beyond that of its like, in sigmas.
    pub score: f32,
    /// The share of the frames in which it stood elsewhere than in most.
    pub share: f32,
    /// Its levels, lowest first, with the share of time spent in each; none where they were not told.
    pub levels: Vec<Level>,
}

/// A level of a telegraph pixel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// The level above the mean of its surroundings, in ADU.
    pub adu: f64,
    /// The share of the frames.
    pub share: f64,
}

/// Rows of a set of frames.
pub struct Rows<'a> {
    /// The samples of each frame.
    pub frames: &'a [&'a [f32]],
    /// What is taken off each frame.
    pub offsets: &'a [f32],
    /// The mean of each pixel.
    pub mean: &'a [f32],
    /// Its variance without the most extreme sample.
    pub variance: &'a [f32],
    /// That variance in each cell ([`cell_variances`](super::cell_variances)).
    pub typical: &'a [f32],
    /// Pixels of a row.
    pub width: usize,
    /// The first row.
    pub y0: usize,
    /// ADU of variance for each ADU of signal, where gain is known.
    pub per_adu: Option<f64>,
}

/// The pixels of some rows whose samples scatter more than their like and their light explain, each with the
/// median of its samples in ADU.
///
/// A variance is compared, by its cube root, which is nearly Gaussian, with those of the tile (64
/// columns), the shot noise of what the pixel has above it, and the drift that bright pixels of these rows
/// share. From 20 frames on; the shape of its samples tells of levels, two or three, and finds what the
/// variance alone leaves open.
///
/// # Source
/// Wilson1931, the cube root of a variance; LCORTN: mixtures of one to three Gaussians.
pub fn unsteady(rows: &Rows<'_>) -> Vec<(Unsteady, f32)> {
    let n = rows.frames.len();
    if n < FEWEST_FRAMES {
        return Vec::new();
    }
    let kept = share_without_extreme(n) as f32;
    let shot = rows.per_adu.map_or(0.0, |p| p as f32 * kept);
    let tiles: Vec<Tile> = (0..rows.width)
        .step_by(TILE)
        .map(|x0| Tile::of(rows, x0, (x0 + TILE).min(rows.width), shot))
        .collect();
    let mut drifts = Vec::new();
    let bright = |tile: &Tile| tile.least + BRIGHT * (tile.typical / kept).sqrt();
    rows.beyond(&tiles, (rows.mean, bright), |tile, x, y, i| {
        let above = tile.above(x, y, rows.mean[i]);
        if above > BRIGHT * (tile.typical / kept).sqrt() {
            drifts.push((rows.variance[i] - tile.typical - shot * above) / (above * above));
        }
    });
    let drift = if drifts.len() >= 20 { stat::median(&drifts) } else { 0.0 };
    let drift = if drift > 0.0 { drift } else { 0.0 };
    let mut out = Vec::new();
    let mut samples: Vec<f64> = Vec::with_capacity(n);
    // No model of a pixel is below that of its tile.
    let from = |tile: &Tile| (1.0 + SUSPECT * tile.spread).powi(3);
    let suspect = |tile: &Tile| tile.typical * from(tile);
    rows.beyond(&tiles, (rows.variance, suspect), |tile, x, y, i| {
        let (m, v) = (rows.mean[i], rows.variance[i]);
        let above = tile.above(x, y, m);
        let model = tile.typical + shot * above + drift * above * above;
        let beyond = model > 0.0 && v > model * from(tile);
        if !beyond {
            return;
        }
        let score = ((v / model).cbrt() - 1.0) / tile.spread;
        let level = m - above;
        samples.clear();
        samples
            .extend(rows.frames.iter().zip(rows.offsets).map(|(f, o)| f64::from(f[i] - o - level)));
        samples.sort_by(f64::total_cmp);
        // Where variances scatter more than chance makes them, sigma is less certain.
        let sigma = f64::from(model / kept).sqrt() * f64::from(1.0 + tile.spread);
        let mixture = Mixture::of(&samples, sigma, score >= CERTAIN);
        // What a ray or two left is no change.
        let few = mixture.elsewhere * (n as f64) < fewest_seen(n) as f64 - 0.5;
        if few || score < CERTAIN && mixture.levels.len() < 2 {
            return;
        }
        let levels = if n >= FEWEST_FOR_LEVELS && mixture.levels.len() > 1 {
            mixture.levels.clone()
        } else {
            Vec::new()
        };
        let (y, share) = (rows.y0 + y, mixture.elsewhere as f32);
        let main = level + samples[n / 2] as f32;
        out.push((Unsteady { x, y, score, share, levels }, main));
    });
    // Pixels came tile by tile.
    out.sort_by_key(|(u, _)| (u.y, u.x));
    out
}

impl Rows<'_> {
    /// Gives `found` the pixels of which a value lies above a bound of their tile: the tile, column, row and place
    /// among the samples.
    fn beyond(
        &self,
        tiles: &[Tile],
        (values, bound): (&[f32], impl Fn(&Tile) -> f32),
        mut found: impl FnMut(&Tile, usize, usize, usize),
    ) {
        for tile in tiles {
            let bound = bound(tile);
            for y in 0..values.len() / self.width.max(1) {
                let from = y * self.width + tile.x0;
                let part = &values[from..from + tile.columns.len()];
                // Hardly any does.
                if any_above(part, bound) {
                    for x in (0..part.len()).filter(|x| part[*x] > bound) {
                        found(tile, tile.x0 + x, y, from + x);
                    }
                }
            }
        }
    }
}

/// Whether one of some values lies above a bound.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn any_above(values: &[f32], bound: f32) -> bool {
    values.iter().map(|v| u32::from(*v > bound)).sum::<u32>() > 0
}

/// What is ordinary in a tile.
struct Tile {
    x0: usize,
    /// No pixel has less below its own light.
    least: f32,
    level: f32,
    /// Medians of its columns and rows: patterns of the bias are no light.
    columns: Vec<f32>,
    rows: Vec<f32>,
    /// The variance of a pixel without light of its own.
    typical: f32,
    /// The scatter of its cube root, relative.
    spread: f32,
}

impl Tile {
    fn of(rows: &Rows<'_>, x0: usize, x1: usize, shot: f32) -> Self {
        let height = rows.mean.len() / rows.width.max(1);
        let at = |x: usize, y: usize| rows.mean[y * rows.width + x];
        // Every fourth pixel of a column tells its level, and of a row.
        let (mut columns, mut of_rows) = (vec![0.0; x1 - x0], vec![0.0; height]);
        let some = |y: usize| &rows.mean[y * rows.width + x0..y * rows.width + x1];
        let upright: Vec<&[f32]> = (0..height).step_by(SAMPLED).map(some).collect();
        column_medians(&upright, &mut columns);
        let along = (x0..x1).step_by(SAMPLED);
        let along: Vec<Vec<f32>> = along.map(|x| (0..height).map(|y| at(x, y)).collect()).collect();
        column_medians(&along.iter().map(|a| &a[..]).collect::<Vec<_>>(), &mut of_rows);
        let level = stat::median(&columns);
        let typical = rows.typical[x0 / TILE];
        let lowest =
            |all: &[f32]| all.iter().fold(f32::INFINITY, |a, v| if *v < a { *v } else { a });
        let least = lowest(&columns) + lowest(&of_rows) - level;
        let mut tile = Self { x0, least, level, columns, rows: of_rows, typical, spread: 0.0 };
        let across = x1 - x0;
        let roots: Vec<f32> = (0..across * height)
            .step_by(2 * SAMPLED)
            .map(|i| {
                // No columns of their own, whatever the tile's width.
                let (x, y) = (x0 + (i + i / across) % across, i / across);
                let above = tile.above(x, y, at(x, y));
                (rows.variance[y * rows.width + x] / (tile.typical + shot * above)).cbrt()
            })
            .collect();
        let (_, mad) = stat::median_mad(&roots);
        // No scatter of variances is less than chance makes it.
        let least = (2.0 / (9.0 * (rows.frames.len() as f64 - 2.0).max(1.0))).sqrt() as f32;
        let spread = (MAD_TO_SIGMA as f32) * mad;
        tile.spread = if spread > least { spread } else { least };
        tile
    }

    /// What a pixel has above its column and row; 0 where it has less.
    fn above(&self, x: usize, y: usize, mean: f32) -> f32 {
        let above = mean - (self.columns[x - self.x0] + self.rows[y] - self.level);
        if above > 0.0 { above } else { 0.0 }
    }
}

/// Sorted samples as one, two or three levels with a known sigma.
struct Mixture {
    levels: Vec<Level>,
    /// The share of the samples that are not of the level of most.
    elsewhere: f64,
}

impl Mixture {
    /// Three levels are looked for where two are, or where the scatter is `certain`: two of three may lie too far
    /// apart to pass for one.
    fn of(sorted: &[f64], sigma: f64, certain: bool) -> Self {
        let (n, fewest) = (sorted.len(), fewest_seen(sorted.len()));
        let sums = |of: fn(f64) -> f64| {
            let mut all = Vec::with_capacity(n + 1);
            all.push(0.0);
            sorted.iter().for_each(|v| all.push(all[all.len() - 1] + of(*v)));
            all
        };
        let (sum, square) = (sums(|v| v), sums(|v| v * v));
        let mean = |a: usize, b: usize| (sum[b] - sum[a]) / (b - a) as f64;
        let share_of = |count: usize| 2.0 * count as f64 * (count as f64 / n as f64).ln();
        let shares: Vec<f64> = (0..=n).map(share_of).collect();
        // Twice the logarithm of the likelihood of samples a..b at their mean, with their share.
        let of = |a: usize, b: usize| {
            let off = square[b] - square[a] - (sum[b] - sum[a]).powi(2) / (b - a) as f64;
            -off / (sigma * sigma) + shares[b - a]
        };
        let parts = |cuts: &[usize]| -> Vec<(usize, usize)> {
            let ends = cuts.iter().copied().chain([n]);
            let starts = [0].into_iter().chain(cuts.iter().copied());
            starts.zip(ends).collect()
        };
        let apart = |cuts: &[usize]| {
            let parts = parts(cuts);
            // What one ray or two make of a few samples is no level.
            let narrow = |&(a, b): &(usize, usize)| {
                let off = square[b] - square[a] - (sum[b] - sum[a]).powi(2) / (b - a) as f64;
                off <= WIDE * sigma * sigma * (b - a - 1) as f64
            };
            parts.iter().all(|(a, b)| b - a >= fewest)
                && parts.iter().all(narrow)
                && parts
                    .windows(2)
                    .all(|p| mean(p[1].0, p[1].1) - mean(p[0].0, p[0].1) > APART * sigma)
        };
        let mut best = (of(0, n), Vec::new());
        let range = fewest..(n + 1).saturating_sub(fewest);
        let one = best.0;
        let mut two: (f64, Vec<usize>) = (f64::NEG_INFINITY, Vec::new());
        for i in range.clone() {
            let value = of(0, i) + of(i, n);
            if value > two.0 && apart(&[i]) {
                two = (value, vec![i]);
            }
        }
        let is_two = two.0 - one > WORTH;
        if is_two || certain {
            let mut three: (f64, Vec<usize>) = (f64::NEG_INFINITY, Vec::new());
            for i in range.clone() {
                for j in i + fewest..range.end {
                    let value = of(0, i) + of(i, j) + of(j, n);
                    if value > three.0 && apart(&[i, j]) {
                        three = (value, vec![i, j]);
                    }
                }
            }
            let least = if is_two { two.0 + WORTH } else { one + 2.0 * WORTH };
            if is_two {
                best = two;
            }
            if three.0 > least {
                best = three;
            }
        }
        let levels: Vec<Level> = parts(&best.1)
            .into_iter()
            .map(|(a, b)| Level { adu: mean(a, b), share: (b - a) as f64 / n as f64 })
            .collect();
        let median = sorted[n / 2];
        let elsewhere = match levels.len() {
            1 => {
                let far = |v: &&f64| (*v - median).abs() > 3.0 * sigma;
                sorted.iter().filter(far).count() as f64 / n as f64
            }
            _ => 1.0 - levels.iter().map(|l| l.share).fold(0.0, f64::max),
        };
        Self { levels, elsewhere }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_levels_are_told_however_far_apart() {
        for apart in [4.0, 8.0, 30.0] {
            let noise = |i: usize| [-1.3, 0.4, 1.1, -0.6, 0.2][i * 3 % 5];
            let mut samples: Vec<f64> =
                (0..60).map(|i| apart * [0.0, 1.0, 1.0, 2.0][i % 4] + noise(i)).collect();
            samples.sort_by(f64::total_cmp);
            let told = Mixture::of(&samples, 1.0, true);
            let shares: Vec<f64> = told.levels.iter().map(|l| l.share).collect();
            assert_eq!(shares, [0.25, 0.5, 0.25], "{apart}: {:?}", told.levels);
            assert_eq!(told.elsewhere, 0.5);
        }
    }
}
