//! Noise as means over pixels show it.

use super::{Spread, noise};

/// Pixels along the side of a block of [`noise_of_blocks`].
const BLOCK: usize = 4;

/// About so many samples are gathered into blocks: medians of so many blocks are good to half a
/// percent of the noise.
const BLOCK_SAMPLES: usize = 1 << 22;

/// The noise of one sample as means over blocks of 4 x 4 show it: what [`noise`] would be, were the
/// samples independent.
///
/// Interpolation makes neighbours alike, so that differences between them show less noise than
/// there is; means over blocks are left as they were, nearly. Blocks are compared along both diagonals:
/// along a row what its samples share would not show, nor what those of a column share along it. A block with a
/// sample that is not finite does not count. Of large frames, blocks of rows spread evenly tell it; of frames of
/// fewer than 12 rows, blocks side by side.
pub fn noise_of_blocks(rows: &[f32], width: usize) -> f64 {
    const TRIPLE: usize = 3;
    let across = width / BLOCK;
    if across == 0 {
        return f64::NAN;
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
    if bands.len() < TRIPLE || across < TRIPLE {
        return noise(&means, across, 1) * BLOCK as f64;
    }
    // Both diagonals of each three bands, laid so that their blocks stand `diagonals` apart in a row.
    let diagonals = across - (TRIPLE - 1);
    let step = if spread.all() { 1 } else { TRIPLE };
    let mut laid = Vec::with_capacity(2 * bands.len() / step * TRIPLE * diagonals);
    for first in (0..=bands.len() - TRIPLE).step_by(step) {
        let part = |band: usize, from: usize| &means[(first + band) * across + from..][..diagonals];
        for from in [[0, 1, 2], [2, 1, 0]] {
            (0..TRIPLE).for_each(|band| laid.extend(part(band, from[band])));
        }
    }
    noise(&laid, TRIPLE * diagonals, diagonals) * BLOCK as f64
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
                noise_of_blocks(&(0..width * height).map(at).collect::<Vec<f32>>(), width)
            };
            let clean = of(0.0, 0.0);
            assert!((clean - 5.0).abs() < 0.2, "{width} x {height}: {clean}");
            // A mean over a block holds a quarter of its rows' variance, and a sixteenth of its samples'.
            let expected = (25.0f64 + 4.0 * 100.0).sqrt();
            let (rows, columns) = (of(10.0, 0.0), of(0.0, 10.0));
            assert!((columns / expected - 1.0).abs() < 0.2, "{width} x {height}: {columns}");
            assert!(
                height < 12 || (rows / expected - 1.0).abs() < 0.2,
                "{width} x {height}: {rows}"
            );
        }
    }
}
