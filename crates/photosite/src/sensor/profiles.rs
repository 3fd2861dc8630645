//! What is the same along a row or a column: profiles and spectra.

use photosite_pix::FrameKind;

use super::campaign::Campaign;
use super::measure::Series;

/// Points of a profile; of more columns and rows each point stands for several.
const POINTS: usize = 512;

fn series(plot: &str, label: &str, points: Vec<[f64; 3]>) -> Series {
    Series { plot: plot.to_owned(), label: label.to_owned(), points }
}

/// Means of columns and rows of biases, and of blocks of the brightest flats that are not saturated.
pub fn profiles(campaign: &Campaign) -> Vec<Series> {
    let mut out = Vec::new();
    let biases = campaign.biases();
    if let Some(set) = biases.iter().max_by_key(|s| s.frames.len()) {
        for (label, means) in ["columns", "rows"].into_iter().zip(&set.profiles) {
            let middle = means.iter().sum::<f64>() / means.len().max(1) as f64;
            let each = means.len().div_ceil(POINTS).max(1);
            let points = means.chunks(each).enumerate().map(|(i, part)| {
                // Of the lines that a point stands for the one that stands out most.
                let far = |v: &&f64| (**v - middle).abs();
                let v = part.iter().max_by(|a, b| far(a).total_cmp(&far(b))).unwrap_or(&middle);
                [(i * each) as f64, v - middle, 0.0]
            });
            out.push(series("bias_profile", label, points.collect()));
        }
    }
    out.extend(flat_profiles(campaign));
    out
}

fn flat_profiles(campaign: &Campaign) -> Vec<Series> {
    let (grid, lanes) = (&campaign.grid, campaign.grid.lanes.len());
    let Some(bias) = campaign.bias_levels() else { return Vec::new() };
    let pairs = campaign.of(FrameKind::Flat).flat_map(|s| s.noise_pairs());
    let unclipped = pairs.filter(|p| p.cells.iter().all(|c| c.ends == 0.0 && c.n > 0.0));
    let level = |cells: &[super::cell::Cell]| cells.iter().map(|c| c.level()).sum::<f64>();
    let Some(pair) = unclipped.max_by(|a, b| level(&a.cells).total_cmp(&level(&b.cells))) else {
        return Vec::new();
    };
    // Each lane by its own mean: colours differ.
    let all = grid.blocks() as f64;
    let signal = |block: usize, lane: usize| {
        let at = block * lanes + lane;
        pair.cells[at].level() - bias[at]
    };
    let means: Vec<f64> =
        (0..lanes).map(|l| (0..grid.blocks()).map(|b| signal(b, l)).sum::<f64>() / all).collect();
    let relative = |block: usize| -> f64 {
        (0..lanes).map(|l| signal(block, l) / means[l]).sum::<f64>() / lanes as f64
    };
    let middle = |i: usize| (i as f64 + 0.5) * grid.block as f64;
    let (across, down) = (grid.across, grid.down);
    let mean = |count: usize, of: &dyn Fn(usize) -> usize| {
        (0..count).map(|i| relative(of(i))).sum::<f64>() / count as f64
    };
    let columns = (0..across).map(|x| [middle(x), mean(down, &|y| y * across + x), 0.0]).collect();
    let rows = (0..down).map(|y| [middle(y), mean(across, &|x| y * across + x), 0.0]).collect();
    vec![series("flat_profile", "columns", columns), series("flat_profile", "rows", rows)]
}

/// Noise of biases by frequency.
pub fn spectra(campaign: &Campaign) -> Vec<Series> {
    let labels = ["along rows", "along columns"];
    let some = labels.into_iter().zip(&campaign.spectra).filter(|(_, s)| !s.is_empty());
    some.map(|(label, points)| {
        series("spectrum", label, points.iter().map(|(f, v)| [*f, *v, 0.0]).collect())
    })
    .collect()
}
