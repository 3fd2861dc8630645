//! What neighbours share of the noise of light: charge that a full pixel drives into the next.

use photosite_pix::FrameKind;

use super::campaign::Campaign;
use super::cell::Cell;
use super::estimate::Estimate;
use super::grid::Parts;
use super::measure::Measure;

const METHOD: &str = "covariance of neighbours' differences in pairs of flats, that of biases off, against the square of the \
     signal (Astier and others 2019, eq. 15)";

/// The coefficients a10 and a01 in 1/e-, of flats up to `most_adu` above the bias.
///
/// # Source
/// Astier2019, equation 15: of a signal mu a covariance a mu^2, both in electrons; in ADU the same a.
pub fn neighbours(campaign: &Campaign, most_adu: f64) -> Vec<Measure> {
    type Covariance = fn(&Cell) -> f64;
    let kinds: [(&str, Covariance); 2] = [("a10", |cell| cell.beside), ("a01", |cell| cell.below)];
    let none = |why: &str| kinds.map(|(name, _)| Measure::none(name, "1/e-", METHOD, why)).to_vec();
    if campaign.grid.lanes.len() > 1 {
        return none("under a filter array the neighbours of a pixel hold other signals");
    }
    let Some(bias) = campaign.bias_levels() else { return none("biases are needed") };
    let pairs: Vec<_> = campaign
        .of(FrameKind::Flat)
        .flat_map(|set| set.noise_pairs().map(move |pair| (set, pair)))
        .collect();
    if pairs.is_empty() {
        return none("two flats of one exposure are needed");
    }
    let biases = campaign.biases();
    let names: Vec<String> =
        pairs.iter().flat_map(|(s, p)| [p.a, p.b].map(|i| s.frames[i].name.clone())).collect();
    let measured = kinds.iter().map(|(name, of)| {
        let dark: Vec<Cell> =
            biases.iter().flat_map(|s| s.noise_pairs()).flat_map(|p| p.cells.clone()).collect();
        let told = dark.iter().filter(|c| of(c).is_finite());
        let (sum, n) = told.fold((0.0, 0.0), |(s, n), c| (s + c.n * of(c), n + c.n));
        let dark = sum / f64::max(n, 1.0);
        let parts = Parts::of(&campaign.grid, None, |block, _| {
            let mut sums = [0.0; 2];
            for (_, pair) in &pairs {
                let cell = &pair.cells[block];
                let (signal, variance) = (cell.level() - bias[block], 0.5 * cell.noise(1.0));
                if !of(cell).is_finite()
                    || cell.n < 16.0
                    || cell.ends > 0.0
                    || signal <= 0.0
                    || signal > most_adu
                    || variance <= 0.0
                {
                    continue;
                }
                let square = signal * signal;
                let weight = cell.n / (variance * variance);
                sums[0] += weight * square * (of(cell) - dark);
                sums[1] += weight * square * square;
            }
            Some(sums)
        });
        let of = |without| {
            let [top, bottom] = parts.without(without);
            top / bottom
        };
        let Some(found) = Estimate::of_parts(campaign.grid.parts(), of) else {
            return Measure::none(name, "1/e-", METHOD, "no flat is below 70 % of saturation");
        };
        let measure = Measure::of(name, found, "1/e-", METHOD).from(names.clone());
        if found.low() > 0.0 || found.high() < 0.0 {
            measure
        } else {
            measure.but("not told from zero")
        }
    });
    measured.collect()
}
