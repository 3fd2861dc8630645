//! How much more light one frame holds than another: from stars that both have.

use crate::stat::median_in_place;

/// A flux and its standard deviation, in the unit of the samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flux {
    /// The flux above the background.
    pub value: f64,
    /// One standard deviation.
    pub error: f64,
}

/// What a frame's samples are multiplied with to hold as much light as another's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FluxRatio {
    /// The factor.
    pub scale: f64,
    /// The relative error that comes of the frame itself, one standard deviation.
    pub own_error: f64,
    /// The relative error that comes of the other frame, and that all frames compared with it share.
    pub shared_error: f64,
    /// Stars, or places of a nebula, that tell it.
    pub count: usize,
}

impl FluxRatio {
    /// The relative error, one standard deviation.
    pub fn error(&self) -> f64 {
        self.own_error.hypot(self.shared_error)
    }
}

/// What is asked of stars that tell a ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// Fewest stars: of two that disagree nobody knows which one varies.
    pub fewest: usize,
    /// Stars count that are expected to stand this far out of the noise in both frames: fainter ones are found
    /// where noise lifts them.
    pub least_snr: f64,
    /// Stars whose fluxes differ beyond their errors by a larger share are not the same.
    pub most_scatter: f64,
}

impl Asked {
    /// What is asked as a rule.
    pub const USUAL: Self = Self { fewest: 3, least_snr: 5.0, most_scatter: 0.2 };
}

/// Fluxes agree no better than this, whatever their noise: flat fields, interpolation, pixels.
const LEAST_SCATTER: f64 = 0.002;

/// Sigmas beyond which a star varies, is clipped or has a neighbour.
const OUTLIER: f64 = 4.0;

/// Stars that tell a ratio less well by so much once a common level is looked for are too much alike to tell both, unless
/// it differs by so many errors from that without.
const MOST_LOST: f64 = 1.5;
const SURE: f64 = 2.0;

/// The common level of such stars is taken to be within so many of the errors of one of them.
const UNSURE_LEVEL: f64 = 0.1;

/// Rounds at most; each comes nearer.
const ROUNDS: usize = 30;

/// A relative change of the ratio that no longer counts.
const SETTLED: f64 = 1e-9;

/// The median of |x| for a Gaussian of standard deviation 1.
const MEDIAN_OF_ABS: f64 = 0.674_49;

/// The ratio of the fluxes of stars that two frames have in common, from pairs of the flux that is
/// wanted and the frame's own; `None` for fewer stars than are asked, or where they contradict.
///
/// The factor s solves Σ w (F − s f − c) = 0 with w = (m − m̄) / (σ_F² + s² σ_f² + τ² m²), m the best estimate of
/// a star's flux from both: the likeliest one where both fluxes have errors. Of 16 stars and more c, what fluxes of
/// one frame are more than those of the other whatever the star's, is found as well, and m̄ the weighted mean of m:
/// neighbours and the sky's unevenness reach into apertures, and noise hides them. Of fewer both are 0, and of stars too
/// much alike to tell s from c. Errors are enlarged where the fainter half of many stars scatters more than they
/// say; τ, the relative scatter of stars beyond their errors, is found from the brighter half. Stars beyond
/// 4 sigma are left out, after a start at the weighted median.
///
/// Pairs that are not finite, or not above 0, do not count.
///
/// # Source
/// Fuller1987, the structural relation with known variances.
pub fn flux_ratio(pairs: &[(Flux, Flux)], asked: Asked) -> Option<FluxRatio> {
    let sound = |f: &Flux| f.value > 0.0 && f.error > 0.0 && f.value.is_finite();
    let all: Vec<Pair> = pairs
        .iter()
        .filter(|(wanted, own)| sound(wanted) && sound(own))
        .map(|(wanted, own)| Pair { wanted: *wanted, own: *own })
        .collect();
    if all.len() < asked.fewest {
        return None;
    }
    let start = weighted_median(&all)?;
    // Of fluxes that differ by much, the faint ones do too, and not by noise.
    let alike = asked.most_scatter <= Asked::USUAL.most_scatter;
    let above = |offset: f64, scale: f64| -> Vec<Pair> {
        let pairs: Vec<Pair> = all.iter().map(|pair| pair.above(offset)).collect();
        let faint = if alike { faint_errors(&pairs, scale) } else { 1.0 };
        pairs.into_iter().map(|pair| pair.with_errors(faint)).collect()
    };
    let judged = above(0.0, start);
    let plain = settled(&judged, start, asked, |_, _, _| Level::default());
    let plain = plain.map(|(ratio, _)| ratio);
    if all.len() < MANY_STARS {
        return plain;
    }
    // What scatters for a common level scatters less once it is known.
    let levelled = settled(&judged, start, asked, Level::of)
        .and_then(|(first, level)| {
            settled(&above(level.offset, first.scale), first.scale, asked, Level::of)
        })
        .map(|(ratio, _)| ratio);
    let Some((plain, levelled)) = plain.zip(levelled) else { return plain.or(levelled) };
    let apart = (levelled.scale / plain.scale).ln().abs();
    if levelled.error() < MOST_LOST * plain.error() || apart > SURE * levelled.error() {
        return Some(levelled);
    }
    // Stars too much alike to tell both: what a level might be is an error.
    let mut alone: Vec<f32> =
        all.iter().map(|pair| pair.relative_error(plain.scale) as f32).collect();
    let unsure = apart.min(UNSURE_LEVEL * f64::from(median_in_place(&mut alone)));
    Some(FluxRatio { shared_error: plain.shared_error.hypot(unsure), ..plain })
}

/// The ratio of fluxes, and their common level, by `level_of` pairs, ratio and scatter.
fn settled(
    all: &[Pair],
    start: f64,
    Asked { fewest, least_snr, most_scatter }: Asked,
    level_of: impl Fn(&[Pair], f64, f64) -> Level,
) -> Option<(FluxRatio, Level)> {
    let (mut scale, mut scatter) = (start, LEAST_SCATTER);
    let mut kept: Vec<Pair> = Vec::new();
    let mut level = Level::default();
    for _ in 0..ROUNDS {
        let clear: Vec<Pair> = all.iter().filter(|p| p.snr(scale) >= least_snr).copied().collect();
        if clear.len() < fewest {
            return None;
        }
        scatter = beyond_errors(&clear, scale, most_scatter)?;
        let agrees = |p: &&Pair| p.above(level.offset).pull(scale, scatter).abs() < OUTLIER;
        kept = clear.iter().filter(agrees).copied().collect();
        if kept.len() < fewest.max(clear.len().div_ceil(2)) {
            return None;
        }
        level = level_of(&kept, scale, scatter);
        let (mut above, mut below) = (0.0, 0.0);
        for pair in &kept {
            let weight = pair.weight(scale, scatter, level);
            above += weight * pair.wanted.value;
            below += weight * pair.own.value;
        }
        let before = std::mem::replace(&mut scale, above / below);
        if !(scale > 0.0 && scale.is_finite()) {
            return None;
        }
        if (scale / before - 1.0).abs() < SETTLED {
            break;
        }
    }
    let (mut sum, mut own, mut shared) = (0.0, 0.0, 0.0);
    for pair in &kept {
        let weight = pair.weight(scale, scatter, level);
        let stray = 0.5 * (scatter * pair.best(scale)).powi(2);
        sum += weight * pair.best(scale);
        own += weight * weight * ((scale * pair.own.error).powi(2) + stray);
        shared += weight * weight * (pair.wanted.error.powi(2) + stray);
    }
    let ratio = FluxRatio {
        scale,
        own_error: own.sqrt() / sum,
        shared_error: shared.sqrt() / sum,
        count: kept.len(),
    };
    Some((ratio, level))
}

/// A star's flux in both frames.
#[derive(Debug, Clone, Copy)]
struct Pair {
    wanted: Flux,
    own: Flux,
}

impl Pair {
    fn with_errors(self, times: f64) -> Self {
        let larger = |f: Flux| Flux { error: times * f.error, ..f };
        Self { wanted: larger(self.wanted), own: larger(self.own) }
    }

    /// The best estimate of the star's flux from both, in the unit of the frame that is wanted.
    fn best(&self, scale: f64) -> f64 {
        let per_wanted = self.wanted.error.powi(-2);
        let per_own = (scale * self.own.error).powi(-2);
        (self.wanted.value * per_wanted + scale * self.own.value * per_own) / (per_wanted + per_own)
    }

    fn variance(&self, scale: f64) -> f64 {
        self.wanted.error.powi(2) + (scale * self.own.error).powi(2)
    }

    /// One over the variance by which the fluxes differ.
    fn knows(&self, scale: f64, scatter: f64) -> f64 {
        1.0 / (self.variance(scale) + (scatter * self.best(scale)).powi(2))
    }

    fn weight(&self, scale: f64, scatter: f64, level: Level) -> f64 {
        (self.best(scale) - level.mean) * self.knows(scale, scatter)
    }

    /// The pair where the flux that is wanted is `offset` less.
    fn above(self, offset: f64) -> Self {
        let value = self.wanted.value - offset;
        Self { wanted: Flux { value, ..self.wanted }, ..self }
    }

    /// The relative error of the ratio that it tells alone.
    fn relative_error(&self, scale: f64) -> f64 {
        self.variance(scale).sqrt() / self.best(scale)
    }

    /// By how many sigmas the fluxes differ.
    fn pull(&self, scale: f64, scatter: f64) -> f64 {
        let best = self.best(scale);
        let sigma = (self.variance(scale) + (scatter * best).powi(2)).sqrt();
        (self.wanted.value - scale * self.own.value) / sigma
    }

    /// How far it is expected to stand out of the noise in the worse of the two frames.
    fn snr(&self, scale: f64) -> f64 {
        self.best(scale) / self.wanted.error.max(scale * self.own.error)
    }
}

/// What the fluxes of one frame are more than those of the other whatever the star's.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// In the unit of the frame that is wanted.
    offset: f64,
    /// The weighted mean of the stars' fluxes.
    mean: f64,
}

impl Level {
    fn of(pairs: &[Pair], scale: f64, scatter: f64) -> Self {
        let (mut offset, mut mean, mut total) = (0.0, 0.0, 0.0);
        for pair in pairs {
            let knows = pair.knows(scale, scatter);
            offset += knows * (pair.wanted.value - scale * pair.own.value);
            mean += knows * pair.best(scale);
            total += knows;
        }
        Self { offset: offset / total, mean: mean / total }
    }
}

/// The ratio that half of the weight lies below; no star alone weighs more than its share.
fn weighted_median(pairs: &[Pair]) -> Option<f64> {
    /// Errors below this do not make a star weigh more: a clipped one is bright.
    const EVEN: f64 = 0.03;
    let mut ratios: Vec<(f64, f64)> = pairs
        .iter()
        .map(|p| {
            let relative = |f: &Flux| (f.error / f.value).powi(2);
            let weight = 1.0 / (relative(&p.wanted) + relative(&p.own) + EVEN * EVEN);
            (p.wanted.value / p.own.value, weight)
        })
        .collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = 0.5 * ratios.iter().map(|(_, w)| w).sum::<f64>();
    let mut sum = 0.0;
    ratios.iter().find_map(|(ratio, weight)| {
        sum += weight;
        (sum >= half).then_some(*ratio)
    })
}

/// Fewest stars of which the fainter half tells of their errors.
const MANY_STARS: usize = 16;

/// The stars by their signal over noise, the faintest first.
fn by_snr(pairs: &[Pair], scale: f64) -> Vec<Pair> {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.snr(scale).total_cmp(&b.snr(scale)));
    sorted
}

/// The median distance of fluxes in sigmas, over what Gaussian errors let expect.
fn median_pull(pairs: &[Pair], scale: f64, scatter: f64) -> f64 {
    // One number was fitted.
    let n = pairs.len() as f64;
    let expected = MEDIAN_OF_ABS * ((n - 1.0) / n).sqrt();
    let pulls = pairs.iter().map(|p| p.pull(scale, scatter).abs() as f32);
    f64::from(median_in_place(&mut pulls.collect::<Vec<f32>>())) / expected
}

/// By what errors must be multiplied for the fainter half of many stars to agree: patterns of the
/// sensor, neighbours and interpolation add to the noise.
fn faint_errors(pairs: &[Pair], scale: f64) -> f64 {
    if pairs.len() < MANY_STARS {
        return 1.0;
    }
    let sorted = by_snr(pairs, scale);
    median_pull(&sorted[..sorted.len() / 2], scale, LEAST_SCATTER).max(1.0)
}

/// The relative scatter of stars beyond their errors; `None` where they are not the same stars. That of the
/// brighter half, for the fainter one scatters by noise; of few stars that of all, if it is less: the bright ones
/// may be clipped, and the faint ones differ by chance.
fn beyond_errors(pairs: &[Pair], scale: f64, most: f64) -> Option<f64> {
    let sorted = by_snr(pairs, scale);
    let half = sorted.len().div_ceil(2).max(Asked::USUAL.fewest).min(sorted.len());
    let of_half = scatter_of(&sorted[sorted.len() - half..], scale, most);
    if sorted.len() >= MANY_STARS {
        return of_half;
    }
    let of_all = scatter_of(&sorted, scale, most);
    of_half.map_or(of_all, |half| Some(of_all.map_or(half, |all| all.min(half))))
}

/// The relative scatter by which stars differ as much as they do; `None` above `most`.
fn scatter_of(pairs: &[Pair], scale: f64, most: f64) -> Option<f64> {
    let too_large = |scatter: f64| median_pull(pairs, scale, scatter) > 1.0;
    if !too_large(LEAST_SCATTER) {
        return Some(LEAST_SCATTER);
    }
    if too_large(most) {
        return None;
    }
    let (mut low, mut high) = (LEAST_SCATTER, most);
    while high - low > 1e-4 * high {
        let middle = 0.5 * (low + high);
        if too_large(middle) { low = middle } else { high = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uniform numbers, and Gaussian enough ones.
    struct Random(u64);

    impl Random {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 11) as f64 / (1u64 << 53) as f64
        }

        fn gaussian(&mut self) -> f64 {
            (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
        }
    }

    /// Stars of a light of transparency 1 / `scale` with `noise` on its fluxes, and on those wanted.
    fn stars(count: usize, scale: f64, noise: (f64, f64), seed: u64) -> Vec<(Flux, Flux)> {
        let mut random = Random(seed);
        (0..200)
            .map(|_| random.uniform())
            .take(count)
            .collect::<Vec<f64>>()
            .into_iter()
            .map(|u| {
                let flux = 2e3 * (1.0 - 0.995 * u).powf(-0.9);
                let wanted = flux + noise.0 * random.gaussian();
                let own = flux / scale + noise.1 * random.gaussian();
                (Flux { value: wanted, error: noise.0 }, Flux { value: own, error: noise.1 })
            })
            .collect()
    }

    #[test]
    fn the_ratio_is_right_within_its_error() {
        for (count, scale) in [(3, 1.0), (5, 2.0), (12, 5.0), (60, 10.0), (200, 0.7)] {
            let (mut squares, mut off, mut runs) = (0.0, 0.0, 0.0f64);
            for seed in 1..400 {
                // Found or not, as an observer would: only what stands out.
                let mut pairs = stars(count, scale, (120.0, 150.0), seed * 7919);
                pairs.retain(|(_, own)| own.value > 3.0 * own.error);
                let Some(found) = flux_ratio(&pairs, Asked::USUAL) else { continue };
                let pull = (found.scale / scale - 1.0) / found.error();
                (squares, off, runs) = (squares + pull * pull, off + pull, runs + 1.0);
            }
            let (rms, mean) = ((squares / runs).sqrt(), off / runs);
            println!("{count} stars, scale {scale}: pulls {rms:.2}, mean {mean:.2} of {runs} runs");
            assert!(runs > 150.0, "{count} stars: {runs}");
            assert!(rms < 1.35 && mean.abs() < 0.35, "{count} stars: {rms} {mean}");
        }
    }

    #[test]
    fn what_all_stars_have_more_is_no_scale() {
        for (count, offset) in [(40, 60.0), (200, -90.0)] {
            let (mut squares, mut off) = (0.0, 0.0);
            for seed in 1..100 {
                let mut pairs = stars(count, 2.0, (30.0, 30.0), seed * 104_729);
                pairs.iter_mut().for_each(|(_, own)| own.value += offset);
                let found = flux_ratio(&pairs, Asked::USUAL).unwrap();
                let pull = (found.scale / 2.0 - 1.0) / found.error();
                (squares, off) = (squares + pull * pull, off + pull);
            }
            let (rms, mean) = (f64::sqrt(squares / 99.0), off / 99.0);
            println!("{count} stars, {offset} more: pulls {rms:.2}, mean {mean:.2}");
            assert!(rms < 1.2 && mean.abs() < 0.4, "{count}: {rms} {mean}");
        }
        // Stars of one brightness tell one thing.
        let alike = |i: i32| {
            let flux =
                |value: f64| Flux { value: value + f64::from(i % 5 - 2) * 10.0, error: 14.0 };
            (flux(2000.0), flux(1000.0))
        };
        let found = flux_ratio(&(0..60).map(alike).collect::<Vec<_>>(), Asked::USUAL).unwrap();
        assert!((found.scale / 2.0 - 1.0).abs() < 0.01 && found.error() < 0.02, "{found:?}");
    }

    #[test]
    fn stars_that_vary_or_are_clipped_do_not_count() {
        let mut pairs = stars(12, 2.0, (50.0, 50.0), 5);
        let clean = flux_ratio(&pairs, Asked::USUAL).unwrap();
        pairs.sort_by(|a, b| b.0.value.total_cmp(&a.0.value));
        // The three brightest are clipped in the clear frame, one varies.
        for (wanted, _) in &mut pairs[..3] {
            wanted.value *= 0.6;
        }
        pairs[7].1.value *= 1.4;
        let found = flux_ratio(&pairs, Asked::USUAL).unwrap();
        assert!((found.scale / 2.0 - 1.0).abs() < 3.0 * found.error(), "{found:?} {clean:?}");
        assert!(found.count <= 9 && found.error() > clean.error(), "{found:?} {clean:?}");
    }

    #[test]
    fn what_are_not_the_same_stars_tell_nothing() {
        let mut pairs = stars(40, 1.0, (50.0, 50.0), 9);
        let other: Vec<Flux> = pairs.iter().map(|p| p.1).rev().collect();
        pairs.iter_mut().zip(other).for_each(|(pair, other)| pair.1 = other);
        assert_eq!(flux_ratio(&pairs, Asked::USUAL), None);
        assert_eq!(flux_ratio(&pairs[..2], Asked::USUAL), None);
        let none = Flux { value: f64::NAN, error: 1.0 };
        assert_eq!(flux_ratio(&[(none, none); 5], Asked::USUAL), None);
    }
}
