//! Noise as means over pixels show it.

use super::{Spread, median_in_place, noise, spread_rows};
use crate::select::median_of_chunks;

/// Pixels along the side of a block.
const BLOCK: usize = 4;

/// About so many samples are gathered into blocks: medians of so many blocks are good to half a
/// percent of the noise.
const BLOCK_SAMPLES: usize = 1 << 22;

/// Bands of blocks that follow one another, where not all are looked at.
const TRIPLE: usize = 3;

/// Means over blocks of 4 x 4 samples, which show the noise of one sample: what [`noise`] would be, were the
/// samples independent.
///
/// Interpolation makes neighbours alike, so that differences between them show less noise than
/// there is; means over blocks are left as they were, nearly. A block with a sample that is not
/// finite does not count. Of large frames, blocks of rows spread evenly tell it.
#[derive(Debug)]
pub struct Blocks {
    /// Band after band; of large frames three bands each lie together.
    means: Vec<f32>,
    /// How many make a band.
    across: usize,
    /// Whether they are of all rows.
    all: bool,
}

impl Blocks {
    /// The blocks of rows of `width` samples.
    pub fn of(rows: &[f32], width: usize) -> Self {
        let across = width / BLOCK;
        if across == 0 {
            return Self { means: Vec::new(), across, all: true };
        }
        let spread = Spread::new(rows.len(), width, TRIPLE * BLOCK, BLOCK_SAMPLES);
        let bands: Vec<usize> = if spread.all() {
            (0..rows.len() / width / BLOCK).map(|i| i * BLOCK).collect()
        } else {
            let places = (0..spread.wanted).map(|i| spread.at(i));
            places.flat_map(|first| (0..TRIPLE).map(move |i| first + i * BLOCK)).collect()
        };
        let mut means = Vec::with_capacity(bands.len() * across);
        let mut sums = vec![0.0f32; width];
        for first in &bands {
            let band = &rows[first * width..][..BLOCK * width];
            sums.copy_from_slice(&band[..width]);
            for row in band[width..].chunks_exact(width) {
                sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
            }
            let blocks = sums.as_chunks::<BLOCK>().0.iter();
            means.extend(blocks.map(|b| b.iter().sum::<f32>() / (BLOCK * BLOCK) as f32));
        }
        Self { means, across, all: spread.all() }
    }

    /// The noise of one sample, by blocks along x: what the samples of a row share does not show. NaN without a block.
    pub fn noise(&self) -> f64 {
        if self.across == 0 {
            return f64::NAN;
        }
        noise(&self.means, self.across, 1) * BLOCK as f64
    }

    /// The larger of the noise that blocks show along x and along y, so that noise of rows counts as that of columns;
    /// of frames of fewer than 12 rows the one along x.
    pub fn noise_either_way(&self) -> f64 {
        let (along, across) = (self.noise(), self.across);
        if across == 0 || self.means.len() < TRIPLE * across {
            return along;
        }
        // Three bands after one another make a row, in which blocks above each other stand `across` apart.
        let step = if self.all { across } else { TRIPLE * across };
        let triples = self.means.windows(TRIPLE * across).step_by(step);
        let down =
            noise(&triples.flatten().copied().collect::<Vec<f32>>(), TRIPLE * across, across);
        f64::max(along, down * BLOCK as f64)
    }

    /// Whether the samples of a column, or of a row, share some of their noise: one half of a line knows it of the other.
    /// Stars and nebulae, which are somewhere along a line, do not count. `false` where too little is known.
    pub fn lines_share(&self) -> bool {
        let Self { means, across, all } = self;
        let bands = means.len() / (*across).max(1);
        if bands < TRIPLE || *across < TRIPLE {
            return false;
        }
        // What a block is beside its neighbours to either side; slopes do not count.
        let beside = |band: usize, i: usize, away: usize| {
            let at = band * across + i;
            means[at - away] - 2.0 * means[at] + means[at + away]
        };
        let within = |band: &usize| *all || band % TRIPLE == 1;
        let column = |i: usize| (0..bands).map(|band| beside(band, i, 1)).collect();
        let row = |band: usize| (0..*across).map(|i| beside(band, i, *across)).collect();
        share((1..across - 1).map(column)) || share((1..bands - 1).filter(within).map(row))
    }
}

/// The noise of one sample as means over blocks show it ([`Blocks::noise`]).
pub fn noise_of_blocks(rows: &[f32], width: usize) -> f64 {
    Blocks::of(rows, width).noise()
}

/// Whether what the halves of some lines have in common scatters by more than what they differ by.
fn share(lines: impl Iterator<Item = Vec<f32>>) -> bool {
    let middle = |half: &[f32]| {
        let mut half: Vec<f32> = half.iter().copied().filter(|v| v.is_finite()).collect();
        median_in_place(&mut half)
    };
    let halves = lines.map(|line| {
        let (first, second) = line.split_at(line.len() / 2);
        (middle(first), middle(second))
    });
    let (mut common, mut apart): (Vec<f32>, Vec<f32>) =
        halves.map(|(a, b)| ((a + b).abs(), (a - b).abs())).unzip();
    for part in [&mut common, &mut apart] {
        part.retain(|v| v.is_finite());
    }
    let [common, apart] = [&mut common, &mut apart].map(|part| median_in_place(part));
    common * common > BY_CHANCE * apart * apart
}

/// So many times the variance of what halves differ by they never have in common by chance.
const BY_CHANCE: f32 = 4.0;

/// Samples that tell how much neighbours share.
const SHARING_SAMPLES: usize = 1 << 18;

/// Pixels apart from which on samples share nothing.
const FAR: usize = 8;

/// Differences between neighbours with less than this share of the variance of those farther apart say that
/// neighbours are alike. Lanczos leaves 0.9 of it.
const ALIKE: f64 = 0.85;

/// What neighbours differ by of fourth degree, over that of those so many times farther apart, from which on neighbours are
/// independent; stars and nebulae are as smooth over such distances.
const INDEPENDENT: f64 = 0.85;
const APART: usize = 3;

/// Whether neighbours, `step` apart, are independent: nobody smoothed or interpolated them. Of large frames, some rows
/// tell it.
pub fn are_independent(rows: &[f32], width: usize, step: usize) -> bool {
    let rows = &*spread_rows(rows, width, step, SHARING_SAMPLES);
    let variance = |step: usize| differing(rows, width, step).powi(2);
    let (near, apart) = (variance(step), variance(APART * step));
    near > 0.0 && near > INDEPENDENT * apart
}

/// The median size of what samples differ by from those `step` apart, of fourth degree.
fn differing(rows: &[f32], width: usize, step: usize) -> f64 {
    let n = width.saturating_sub(4 * step);
    let differences = |row: usize, out: &mut Vec<f32>| {
        let line = &rows[row * width..(row + 1) * width];
        let at = |x: usize, k: usize| line[x + k * step];
        let of = |x: usize| at(x, 0) - 4.0 * (at(x, 1) + at(x, 3)) + 6.0 * at(x, 2) + at(x, 4);
        out.extend((0..n).map(|x| of(x).abs()));
    };
    f64::from(median_of_chunks(rows.len() / width.max(1), differences))
}

/// The share of a sample's variance that counts as shared.
const SHARED: f64 = 0.03;

/// The noise of means over many pixels over that which [`noise_of_blocks`] shows: blocks hide some where a program
/// smoothed a frame, or laid it, before, for neighbours share samples then.
///
/// What samples some pixels apart share is told by second differences along x, which have the variance
/// 6 R(0) - 8 R(d) + 2 R(2 d), and taken to be the same along y. It is 1 where neighbours are not alike.
pub fn hidden_by_blocks(rows: &[f32], width: usize) -> f64 {
    let rows = &*spread_rows(rows, width, 1, SHARING_SAMPLES);
    let scatter = |step: usize| noise(rows, width, step).powi(2);
    let (near, apart) = (scatter(1), scatter(FAR / 2));
    // Also where nothing is known, or there is no noise.
    if near.partial_cmp(&(ALIKE * apart)) != Some(std::cmp::Ordering::Less) {
        return 1.0;
    }
    let own = scatter(FAR);
    let mut shares = [0.0; FAR];
    for step in (1..FAR).rev() {
        let twice = shares.get(2 * step).copied().unwrap_or(0.0);
        shares[step] = 0.75 * (1.0 - scatter(step) / own) + 0.25 * twice;
    }
    let reach = shares.iter().skip(1).take_while(|share| **share > SHARED).count();
    let share = |apart: usize| match apart {
        0 => 1.0,
        apart if apart <= reach => shares[apart],
        _ => 0.0,
    };
    // What means over blocks so many pixels apart share, in units of what they had of independent samples.
    let of_blocks = |apart: usize| -> f64 {
        let side = BLOCK as isize;
        let part = |d: isize| share((apart as isize + d).unsigned_abs()) * (side - d.abs()) as f64;
        (1 - side..side).map(part).sum::<f64>() / BLOCK as f64
    };
    let [one, next, after] = [0, 1, 2].map(|i| of_blocks(0) * of_blocks(i * BLOCK));
    let shown = one - (8.0 * next - 2.0 * after) / 6.0;
    let all = 1.0 + 2.0 * (1..FAR).map(share).sum::<f64>();
    let times = all / shown.sqrt();
    if times.is_finite() { times.max(1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(i: usize, key: u64) -> f32 {
        let mut state = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ key;
        let uniform = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        (0..12).map(uniform).sum::<f32>()
    }

    #[test]
    fn blocks_show_what_rows_and_columns_share() {
        // Of all rows, of some of them, and of a frame with too few for a diagonal.
        for (width, height) in [(480, 360), (4096, 1536), (4096, 8)] {
            let of = |row: f32, column: f32| {
                let at = |i: usize| {
                    let (x, y) = (i % width, i / width);
                    let slope = 0.3 * x as f32 - 0.2 * y as f32;
                    5.0 * hash(i, 1) + row * hash(y, 2) + column * hash(x, 3) + slope
                };
                let rows: Vec<f32> = (0..width * height).map(at).collect();
                {
                    let blocks = Blocks::of(&rows, width);
                    (blocks.noise_either_way(), blocks.lines_share())
                }
            };
            let (clean, none) = of(0.0, 0.0);
            assert!((clean - 5.0).abs() < 0.2, "{width} x {height}: {clean}");
            assert!(!none, "{width} x {height}");
            // A mean over a block holds a quarter of its rows' variance, and a sixteenth of its samples'.
            let expected = (25.0f64 + 4.0 * 100.0).sqrt();
            let ((rows, of_rows), (columns, of_columns)) = (of(10.0, 0.0), of(0.0, 10.0));
            assert!(height < 12 || of_rows && of_columns, "{width} x {height}");
            assert!((columns / expected - 1.0).abs() < 0.2, "{width} x {height}: {columns}");
            assert!(
                height < 12 || (rows / expected - 1.0).abs() < 0.2,
                "{width} x {height}: {rows}"
            );
        }
    }

    #[test]
    fn neighbours_are_independent_until_somebody_smooths_them() {
        let (width, height) = (512, 384);
        let frame = |nebula: f32, own: f32, shared: f32| -> Vec<f32> {
            let at = |i: usize| {
                let (x, y) = ((i % width) as f32, (i / width) as f32);
                let light = nebula * ((x / 5.0).sin() + (y / 4.0).cos());
                light + own * hash(i, 9) + shared * hash(i + 1, 9)
            };
            (0..width * height).map(at).collect()
        };
        for nebula in [0.0, 10.0] {
            assert!(are_independent(&frame(nebula, 5.0, 0.0), width, 1), "{nebula}");
            assert!(!are_independent(&frame(nebula, 2.5, 2.5), width, 1), "{nebula}");
        }
    }

    #[test]
    fn means_over_many_pixels_keep_their_noise_when_a_frame_is_smoothed() {
        let (width, height) = (512, 384);
        let white: Vec<f32> = (0..width * height).map(|i| 5.0 * hash(i, 7)).collect();
        let smoothed = |taps: &[f32]| -> Vec<f32> {
            let middle = taps.len() / 2;
            let sum: f32 = taps.iter().sum();
            let along = |from: &[f32], step: usize, at: usize| -> f32 {
                let tap = |(k, tap): (usize, &f32)| {
                    tap * from[(at + from.len() + k * step - middle * step) % from.len()]
                };
                taps.iter().enumerate().map(tap).sum::<f32>() / sum
            };
            let across: Vec<f32> = (0..white.len()).map(|i| along(&white, 1, i)).collect();
            (0..white.len()).map(|i| along(&across, width, i)).collect()
        };
        let clean = noise_of_blocks(&white, width);
        assert_eq!(hidden_by_blocks(&white, width), 1.0);
        for taps in [
            &[1.0, 1.0, 1.0][..],
            &[1.0, 2.0, 1.0],
            &[0.5, 0.5],
            &[1.0, 6.0, 1.0],
            &[1.0; 5],
            &[1.0, 4.0, 6.0, 4.0, 1.0],
        ] {
            let frame = smoothed(taps);
            let (blocks, times) = (noise_of_blocks(&frame, width), hidden_by_blocks(&frame, width));
            assert!((blocks * times / clean - 1.0).abs() < 0.05, "{taps:?}: {blocks} x {times}");
        }
    }
}
