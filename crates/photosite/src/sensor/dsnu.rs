//! How much pixels differ in dark signal.

use super::campaign::Campaign;
use super::estimate::Estimate;
use super::grid::Parts;
use super::measure::Measure;
use super::set::FrameSet;

/// How much typical pixels differ in dark signal, at the longest exposure.
pub fn dsnu(campaign: &Campaign, darks: &[&FrameSet], gain: Option<Estimate>) -> Option<Measure> {
    let lanes = campaign.grid.lanes.len();
    let darks = darks.iter().copied().filter(|s| s.noise_pairs().next().is_some());
    let set = darks.max_by(|a, b| a.exposure_s.total_cmp(&b.exposure_s))?;
    let biases = campaign.biases();
    let parts = Parts::of(&campaign.grid, None, |block, lane| {
        let at = block * lanes + lane;
        let sum = |sets: &[&FrameSet]| {
            let cells = sets.iter().flat_map(|s| s.noise_pairs()).map(|p| p.cells[at]);
            cells.fold((0.0, 0.0), |(s, n), c| (s + c.neighbours * c.pattern, n + c.neighbours))
        };
        let ((dark, n), (bias, m)) = (sum(&[set]), sum(&biases));
        let bias = if m > 0.0 { bias / m } else { 0.0 };
        Some([dark - n * bias, n])
    });
    let of = |without| {
        let [sum, n] = parts.without(without);
        sum / n
    };
    let found = Estimate::of_parts(campaign.grid.parts(), of)?;
    let (factor, unit) = gain.map_or((1.0, "ADU"), |g| (g.value, "e-"));
    let method = "covariance of neighbours' differences in two darks, that of biases off, hot pixels left out";
    let measure = Measure::root_of("dsnu", found, factor, unit, method);
    Some(measure.at(set.temp_c, Some(set.exposure_s)).from(set.names()))
}
