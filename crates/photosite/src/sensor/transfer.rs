//! Photon transfer: gain, its curvature, full well, and how much pixels differ in response.

use photosite_pix::{CfaColor, FrameKind};

use super::campaign::Campaign;
use super::cell::shows_photons;
use super::estimate::{Estimate, line};
use super::grid::Parts;
use super::measure::{Measure, Series};
use super::set::{FrameSet, Pair};
use crate::Finding;
use crate::finding::Severity;

/// Levels up to this share of saturation tell the gain (EMVA 1288).
const GAIN_UP_TO: f64 = 0.7;
/// Noise below this share of what photons make is that of full pixels.
const COLLAPSED: f64 = 0.35;
/// Noise below this share of what photons make is that of pixels all of which are full.
const QUITE_FULL: f64 = 0.02;
/// As many blocks make a plateau.
const FEW_CELLS: usize = 4;
/// Below this share of the read noise's variance it is the converter that ends.
const CONVERTER_ENDS: f64 = 0.3;
/// The curvature of the transfer counts from so many errors on, and of so many levels: of a thousand cameras
/// without any, chance bends none, and a curve that is none moves the gain by 2 %.
const CURVED: f64 = 5.0;
const FEW_LEVELS: usize = 4;
/// Noise is independent of the signal below this reduced chi-square (RubinVerify2026).
const MISFIT: f64 = 1.25;
/// A lamp that changes by more than this between two flats.
const LAMP_DRIFT: f64 = 0.01;

/// What photon transfer told.
#[derive(Debug, Clone, Default)]
pub struct Transfer {
    /// Electrons per ADU.
    pub gain: Option<Estimate>,
    /// The signal in ADU at which pixels or the converter are full, where flats reach it.
    pub full_adu: Option<f64>,
    /// The signal in ADU up to which flats tell the gain.
    pub most_adu: f64,
    /// The values.
    pub measures: Vec<Measure>,
    /// For plots.
    pub series: Vec<Series>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// One lane of one block of a pair of flats.
#[derive(Clone, Copy)]
struct Lit {
    n: f64,
    /// Signals above the bias in ADU.
    a: f64,
    /// Of the second flat.
    b: f64,
    /// The first over the second.
    k: f64,
    /// The variance of the first less k times the second.
    noise: f64,
    at_ends: bool,
}

/// A pair of flats.
struct Level<'a> {
    set: &'a FrameSet,
    pair: &'a Pair,
    lit: Vec<Option<Lit>>,
}

impl Level<'_> {
    fn names(&self) -> [String; 2] {
        [self.pair.a, self.pair.b].map(|i| self.set.frames[i].name.clone())
    }

    /// Sums over the cells that may tell the gain: noise, (1 + k^2), signal (1 + k), signal; all times
    /// pixels, and pixels.
    fn parts(&self, campaign: &Campaign, colour: Option<CfaColor>, most: f64) -> Parts<5> {
        let lanes = campaign.grid.lanes.len();
        Parts::of(&campaign.grid, colour, |block, lane| {
            let lit = self.lit[block * lanes + lane]?;
            let good = !lit.at_ends && lit.a > 0.0 && 0.5 * (lit.a + lit.b) <= most;
            let Lit { n, a, k, noise, .. } = lit;
            good.then_some([n * noise, n * (1.0 + k * k), n * a * (1.0 + k), n * a, n])
        })
    }
}

/// The variance of a bias in ADU squared, and sums by which it is known.
fn read_parts(campaign: &Campaign) -> Parts<2> {
    campaign.noise_parts(campaign.biases(), None, |_| true)
}

/// Measures what pairs of flats and of biases tell.
pub fn transfer(campaign: &Campaign) -> Transfer {
    let mut out = Transfer::default();
    let read = read_parts(campaign);
    let [read_sum, read_n] = read.without(None);
    let Some(bias) = campaign.bias_levels().filter(|_| read_n > 0.0) else {
        let why = "two biases are needed beside two flats";
        out.measures.push(Measure::none("gain", "e-/ADU", METHOD, why));
        return out;
    };
    // Where the read noise hides between whole numbers, flats hold the noise of rounding and biases do not.
    let rounding = campaign.rounding_adu2();
    let read_var = (read_sum / read_n).max(rounding);
    let levels: Vec<Level<'_>> = campaign
        .of(FrameKind::Flat)
        .flat_map(|set| set.noise_pairs().map(move |pair| (set, pair)))
        .map(|(set, pair)| Level { set, pair, lit: lit_cells(pair, &bias) })
        .collect();
    if levels.is_empty() {
        let why = "two flats of one exposure are needed beside two biases";
        out.measures.push(Measure::none("gain", "e-/ADU", METHOD, why));
        return out;
    }
    let Some(typical) = typical_slope(&levels, read_var) else {
        let why = "the flats hold no more noise than the biases";
        out.measures.push(Measure::none("gain", "e-/ADU", METHOD, why));
        return out;
    };
    let plateau = plateau(campaign, &levels, typical, read_var);
    let converter = campaign.sets.iter().flat_map(|s| &s.frames).map(|f| f.top_adu);
    let top = converter.fold(f64::INFINITY, f64::min);
    let level = bias.iter().sum::<f64>() / bias.len() as f64;
    out.full_adu = plateau.as_ref().map(|p| p.signal.value);
    let most = GAIN_UP_TO * out.full_adu.unwrap_or(top - level);
    out.most_adu = most;
    let biases: Vec<String> = campaign.biases().iter().flat_map(|s| s.names()).collect();
    let colours = campaign.grid.colours().into_iter().map(Some);
    for colour in std::iter::once(None).chain(colours) {
        let found = gain_of(campaign, &levels, (&read, rounding), (colour, most));
        let name = colour.map(CfaColor::name);
        let Some(found) = found else {
            if colour.is_none() {
                let why = "no flat is between the read noise and 70 % of saturation";
                out.measures.push(Measure::none("gain", "e-/ADU", METHOD, why));
            }
            continue;
        };
        let named = |m: Measure| m.of_channel(name).from(found.frames.clone()).from(biases.clone());
        out.measures.push(named(Measure::known("gain", found.gain, "e-/ADU", found.method)));
        if let Some(bend) = found.bend {
            let method = "curvature of the photon transfer (Astier and others 2019, eq. 16)";
            out.measures.push(named(Measure::of("brighter_fatter", bend, "1/e-", method)));
        }
        if colour.is_none() {
            out.gain = Some(found.gain).filter(Estimate::is_known);
            out.measures.extend(found.misfit(read_var).map(&named));
        }
        let label = name.unwrap_or("all pixels");
        out.series.push(Series {
            plot: "photon_transfer".to_owned(),
            label: label.to_owned(),
            points: found.points,
        });
    }
    full_well(&mut out, plateau, &levels, (typical, read_var, top - level));
    let swing = levels.iter().filter_map(|l| Some((lamp(l)?, l)));
    if let Some((drift, at)) = swing.max_by(|a, b| a.0.total_cmp(&b.0)) {
        let method = "largest change of level within a pair of flats of one exposure";
        let measure = Measure::of("lamp_drift", Estimate::known(100.0 * drift, 0.0), "%", method);
        out.measures.push(measure.from(at.names()));
        if drift > LAMP_DRIFT {
            let message = format!("the light changed by {:.1} % between two flats", 100.0 * drift);
            out.findings.push(
                Finding::new(
                    "sensor-lamp-drift",
                    Severity::Warning,
                    at.names()[0].clone(),
                    message,
                )
                .hint(
                    "Gain does not suffer, linearity does: take flats with a steady lamp, each \
                         exposure twice in the order short, long, long, short.",
                )
                .with("share", drift),
            );
        }
    }
    // What rounding adds to a pixel is fixed in biases as far as noise does not change it from frame to frame.
    let fixed = (rounding - read_sum / read_n).max(0.0);
    prnu(campaign, &levels, (most, fixed), &mut out);
    out
}

const METHOD: &str = "photon transfer of pairs of flats, read noise of pairs of biases";

fn lit_cells(pair: &Pair, bias: &[f64]) -> Vec<Option<Lit>> {
    let lit = |(cell, bias): (&super::cell::Cell, &f64)| {
        let (a, b) = (cell.mean_a - bias, cell.mean_b - bias);
        (cell.n > 4.0 && a > 0.0 && b > 0.0).then(|| {
            let k = a / b;
            Lit { n: cell.n, a, b, k, noise: cell.noise(k), at_ends: cell.ends > 0.0 }
        })
    };
    pair.cells.iter().zip(bias).map(lit).collect()
}

/// How much the lamp changed within a pair of one exposure.
fn lamp(level: &Level<'_>) -> Option<f64> {
    let frame = |i: usize| &level.set.frames[i];
    let (a, b) = (frame(level.pair.a), frame(level.pair.b));
    if (a.exposure_s - b.exposure_s).abs() > 1e-3 * a.exposure_s {
        return None;
    }
    let lit = level.lit.iter().flatten().filter(|l| !l.at_ends);
    let (a, b) = lit.fold((0.0, 0.0), |(a, b), l| (a + l.a, b + l.b));
    (a > 0.0 && b > 0.0).then(|| (a / b - 1.0).abs())
}

/// ADU of variance to an ADU of signal, in the middle of the cells that are surely not full.
fn typical_slope(levels: &[Level<'_>], read_var: f64) -> Option<f64> {
    let mut cells: Vec<Lit> = levels
        .iter()
        .flat_map(|l| l.lit.iter().flatten())
        .copied()
        .filter(|l| !l.at_ends && shows_photons(l.n, l.noise, read_var * (1.0 + l.k * l.k)))
        .collect();
    cells.sort_by(|x, y| x.a.total_cmp(&y.a));
    let highest = cells.last()?.a;
    let low = cells.partition_point(|l| l.a <= 0.5 * highest);
    let used = if low >= 20.min(cells.len()) { low } else { cells.len().div_ceil(2) };
    // The brighter half of those: faint ones tell the read noise.
    let slopes: Vec<f64> = cells[used / 2..used]
        .iter()
        .map(|l| (l.noise - read_var * (1.0 + l.k * l.k)) / (l.a * (1.0 + l.k)))
        .collect();
    let middle = photosite_pix::stat::median_f64(&slopes);
    (middle > 0.0).then_some(middle)
}

/// Where signals end.
struct Plateau {
    signal: Estimate,
    /// It is the converter that ends, not the pixels.
    converter: bool,
    frames: Vec<String>,
}

fn is_full(lit: &Lit, typical: f64, read_var: f64) -> bool {
    let photons = typical * lit.a * (1.0 + lit.k);
    // Where photons are no more than the read noise, nothing collapses.
    photons > 2.0 * read_var && lit.noise < COLLAPSED * (photons + read_var * (1.0 + lit.k * lit.k))
}

fn plateau(
    campaign: &Campaign,
    levels: &[Level<'_>],
    typical: f64,
    read_var: f64,
) -> Option<Plateau> {
    let full = |l: &&Lit| is_full(l, typical, read_var);
    let of_level = |level: &Level<'_>| {
        let lit = level.lit.iter().flatten().filter(full);
        let expected = |l: &Lit| typical * l.a * (1.0 + l.k) + read_var * (1.0 + l.k * l.k);
        let (noise, all, count) = lit
            .fold((0.0, 0.0, 0), |(s, a, c), l| (s + l.n * l.noise, a + l.n * expected(l), c + 1));
        (noise / f64::max(all, 1e-9), count)
    };
    let found: Vec<(f64, usize)> = levels.iter().map(of_level).collect();
    if found.iter().map(|f| f.1).sum::<usize>() < FEW_CELLS {
        return None;
    }
    // Flats that just fill have pixels that are not full: those with the least noise tell.
    let good = found.iter().filter(|f| f.1 > 1).map(|f| f.0);
    let least = good.fold(f64::INFINITY, f64::min);
    let levels: Vec<&Level<'_>> = levels
        .iter()
        .zip(&found)
        .filter(|(_, (noise, count))| *count > 0 && *noise <= (2.0 * least).max(QUITE_FULL))
        .map(|(level, _)| level)
        .collect();
    let frames = levels.iter().flat_map(|l| l.names()).collect();
    let lanes = campaign.grid.lanes.len();
    let parts = Parts::of(&campaign.grid, None, |block, lane| {
        let mut sums = [0.0; 3];
        for level in &levels {
            let lit = level.lit[block * lanes + lane].filter(|l| is_full(l, typical, read_var));
            if let Some(l) = lit {
                let terms = [l.n * 0.5 * (l.a + l.b), l.n, l.n * l.noise / (1.0 + l.k * l.k)];
                sums.iter_mut().zip(terms).for_each(|(s, t)| *s += t);
            }
        }
        Some(sums)
    });
    let of = |without| {
        let [signal, n, _] = parts.without(without);
        signal / n
    };
    let [_, n, noise] = parts.without(None);
    // Few cells lie in few parts.
    let signal = Estimate::of_parts(campaign.grid.parts(), of)
        .filter(|e| e.error.is_finite())
        .unwrap_or_else(|| Estimate::known(of(None), 0.01 * of(None)));
    Some(Plateau { signal, converter: noise / n < CONVERTER_ENDS * read_var, frames })
}

/// A gain, and what it rests on.
struct Gain {
    gain: Estimate,
    bend: Option<Estimate>,
    method: &'static str,
    frames: Vec<String>,
    points: Vec<[f64; 3]>,
}

impl Gain {
    /// How well photons and the read noise of biases explain the noise of all levels: read noise that grows
    /// with the signal does not fit.
    fn misfit(&self, read_var: f64) -> Option<Measure> {
        let g = self.gain.value;
        let bend = self.bend.filter(|b| b.value.abs() > CURVED * b.error).map_or(0.0, |b| b.value);
        let law = |signal: f64| signal * grown(2.0 * bend * signal * g) / g + read_var;
        let off = self.points.iter().map(|[x, y, e]| ((y - law(*x)) / e).powi(2));
        let free = self.points.len() as f64 - if bend == 0.0 { 1.0 } else { 2.0 };
        if free < 2.0 {
            return None;
        }
        let chi2 = off.sum::<f64>() / free;
        let method = "squared deviations of the noise of flats from photons and the biases' read noise, by \
                      degree of freedom; 1 where chance alone parts them";
        let measure = Measure::of("transfer_chi2", Estimate::known(chi2, f64::NAN), "", method);
        // Of n degrees of freedom the standard deviation is the root of 2 / n.
        let most = 1.0 + 3.0 * (2.0 / free).sqrt();
        let why = "the noise of flats is not that of photons and of biases alone";
        Some(if chi2 > most.max(MISFIT) { measure.but(why) } else { measure })
    }
}

/// (exp(x) - 1) / x.
fn grown(x: f64) -> f64 {
    if x.abs() < 1e-8 { 1.0 + 0.5 * x } else { x.exp_m1() / x }
}

fn gain_of(
    campaign: &Campaign,
    levels: &[Level<'_>],
    (read, rounding): (&Parts<2>, f64),
    (colour, most): (Option<CfaColor>, f64),
) -> Option<Gain> {
    let sums: Vec<Parts<5>> = levels.iter().map(|l| l.parts(campaign, colour, most)).collect();
    let slope = |parts: &Parts<5>, without: Option<usize>| {
        let [noise, squares, signal, ..] = parts.without(without);
        let [read, n] = read.without(without);
        (noise - squares * (read / n).max(rounding)) / signal
    };
    // The error of a slope by white noise: it serves as weight only.
    let error = |parts: &Parts<5>| {
        let [noise, _, signal, _, n] = parts.without(None);
        (2.0 / n).sqrt() * noise / signal
    };
    let used: Vec<usize> = (0..levels.len())
        .filter(|i| {
            let [noise, _, signal, _, n] = sums[*i].without(None);
            n > 64.0 && signal > 0.0 && noise > 0.0 && slope(&sums[*i], None) > 0.0
        })
        .collect();
    if used.is_empty() {
        return None;
    }
    let weights: Vec<f64> = used.iter().map(|i| error(&sums[*i]).powi(-2)).collect();
    let mean = |without: Option<usize>| {
        let terms = used.iter().zip(&weights);
        let (sum, all) =
            terms.fold((0.0, 0.0), |(s, a), (i, w)| (s + w * slope(&sums[*i], without), a + w));
        all / sum
    };
    let parts = campaign.grid.parts();
    let straight = Estimate::of_parts(parts, mean)?;
    let signals: Vec<f64> = used
        .iter()
        .map(|i| {
            let [.., signal, n] = sums[*i].without(None);
            signal / n
        })
        .collect();
    let points: Vec<[f64; 3]> = used
        .iter()
        .zip(&signals)
        .map(|(i, signal)| {
            let [noise, squares, _, _, n] = sums[*i].without(None);
            [*signal, noise / squares, (2.0 / n).sqrt() * noise / squares]
        })
        .collect();
    let frames = used.iter().flat_map(|i| levels[*i].names()).collect();
    let mut gain = Gain { gain: straight, bend: None, method: METHOD, frames, points };
    let widest = signals.iter().copied().fold(0.0, f64::max);
    let least = signals.iter().copied().fold(f64::INFINITY, f64::min);
    if used.len() < FEW_LEVELS || widest < 3.0 * least {
        return Some(gain);
    }
    let bent = |without: Option<usize>| {
        let points: Vec<(f64, f64, f64)> = used
            .iter()
            .zip(&signals)
            .zip(&weights)
            .map(|((i, s), w)| (*s, slope(&sums[*i], without), w.powf(-0.5)))
            .collect();
        astier(&points)
    };
    let of =
        |k: usize| Estimate::of_parts(parts, |without| bent(without).map_or(f64::NAN, |v| v[k]));
    let (Some(curved), Some(bend)) = (of(0), of(1)) else { return Some(gain) };
    if bend.value.abs() > CURVED * bend.error {
        gain.gain = curved;
        gain.method = "photon transfer with its curvature (Astier and others 2019, eq. 16)";
    }
    gain.bend = Some(bend);
    Some(gain)
}

/// Gain and a00 of the law of variance over signal, through (signal, slope, error).
///
/// # Source
/// Astier2019, equation 16: C = (exp(2 a mu g) - 1) / (2 g^2 a), without the read noise.
fn astier(points: &[(f64, f64, f64)]) -> Option<[f64; 2]> {
    let start = line(points)?;
    let (mut g, mut a) = (1.0 / start.at_zero.value, start.slope.value);
    if g.is_nan() || g <= 0.0 {
        return None;
    }
    let law = |mu: f64, g: f64, a: f64| grown(2.0 * a * mu * g) / g;
    for _ in 0..20 {
        let mut sums = [0.0; 5];
        for (mu, slope, e) in points {
            let (dg, da) = (1e-6 * g, 1e-6 * (a.abs() + 1e-9));
            let at = law(*mu, g, a);
            let by_g = (law(*mu, g + dg, a) - at) / dg / e;
            let by_a = (law(*mu, g, a + da) - at) / da / e;
            let off = (slope - at) / e;
            let terms = [by_g * by_g, by_g * by_a, by_a * by_a, by_g * off, by_a * off];
            sums.iter_mut().zip(terms).for_each(|(s, t)| *s += t);
        }
        let [gg, ga, aa, go, ao] = sums;
        let determinant = gg * aa - ga * ga;
        if determinant.is_nan() || determinant <= 0.0 {
            return None;
        }
        let (dg, da) = ((aa * go - ga * ao) / determinant, (gg * ao - ga * go) / determinant);
        (g, a) = (g + dg, a + da);
        if g.is_nan() || g <= 0.0 {
            return None;
        }
        if dg.abs() < 1e-10 * g {
            break;
        }
    }
    Some([g, a])
}

fn full_well(
    out: &mut Transfer,
    plateau: Option<Plateau>,
    levels: &[Level<'_>],
    (typical, read_var, range_adu): (f64, f64, f64),
) {
    let Some(gain) = out.gain else { return };
    const METHOD: &str = "level at which the noise of flats collapses";
    let lit = || levels.iter().flat_map(|l| l.lit.iter().flatten().map(move |c| (l, c)));
    match plateau {
        Some(p) if p.converter => {
            let range = p.signal.product(gain);
            let method = "end of the converter's range above the bias";
            out.measures
                .push(Measure::of("saturation", range, "e-", method).from(p.frames.clone()));
            let measure = Measure::of("full_well", range, "e-", METHOD).from(p.frames);
            out.measures.push(
                measure.invalid("the converter ends before the pixels are full: a lower limit"),
            );
        }
        Some(p) => {
            let full = p.signal.product(gain);
            out.measures.push(Measure::of("full_well", full, "e-", METHOD).from(p.frames.clone()));
            out.measures.push(Measure::of("saturation", full, "e-", METHOD).from(p.frames));
        }
        None => {
            let highest =
                lit().map(|(l, c)| (0.5 * (c.a + c.b), l)).max_by(|a, b| a.0.total_cmp(&b.0));
            let Some((signal, level)) = highest else { return };
            let least = Estimate::known(signal, 0.0).product(gain);
            let why = "no flat is saturated: a lower limit";
            let measure = Measure::of("full_well", least, "e-", METHOD).invalid(why);
            out.measures.push(measure.from(level.names()));
            let range = gain.times(range_adu);
            let method = "range of the converter above the bias, as headers give it";
            out.measures.push(Measure::of("saturation", range, "e-", method).invalid(why));
        }
    }
    // Where the noise is greatest: the other full well, before pixels spill.
    let mean = |l: &Level<'_>, of: fn(&Lit) -> f64| {
        let good = l.lit.iter().flatten();
        let (sum, n) = good.fold((0.0, 0.0), |(s, n), c| (s + c.n * of(c), n + c.n));
        sum / f64::max(n, 1.0)
    };
    let mut points: Vec<(f64, f64, &Level<'_>)> = levels
        .iter()
        .map(|l| (mean(l, |c| 0.5 * (c.a + c.b)), mean(l, |c| c.noise / (1.0 + c.k * c.k)), l))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let top = (0..points.len()).max_by(|a, b| points[*a].1.total_cmp(&points[*b].1));
    let fallen = points.last().is_some_and(|p| p.1 < 0.5 * (typical * p.0 + read_var));
    if let Some(top) = top.filter(|t| fallen && *t + 1 < points.len()) {
        // It is known to the next levels.
        let below = if top > 0 { points[top - 1].0 } else { 0.0 };
        let half = 0.25 * (points[top + 1].0 - below);
        let turn = Estimate::known(points[top].0, half).product(gain);
        let method = "level of the flats with the most noise (EMVA 1288)";
        let measure = Measure::of("full_well_turn_off", turn, "e-", method);
        out.measures.push(measure.from(points[top].2.names()));
    }
}

fn prnu(
    campaign: &Campaign,
    levels: &[Level<'_>],
    (most, rounded): (f64, f64),
    out: &mut Transfer,
) {
    let half = 0.5 * most / GAIN_UP_TO;
    let signal = |l: &Level<'_>| {
        let lit = l.lit.iter().flatten();
        let (sum, n) = lit.fold((0.0, 0.0), |(s, n), c| (s + c.n * c.a, n + c.n));
        sum / f64::max(n, 1.0)
    };
    let good = levels.iter().filter(|l| signal(l) > 0.0 && signal(l) <= 2.0 * half * GAIN_UP_TO);
    let nearest = |l: &Level<'_>| (signal(l) / half).ln().abs();
    let Some(level) = good.min_by(|a, b| nearest(a).total_cmp(&nearest(b))) else { return };
    let lanes = campaign.grid.lanes.len();
    let biases = campaign.biases();
    let parts = Parts::of(&campaign.grid, None, |block, lane| {
        let at = block * lanes + lane;
        let lit = level.lit[at].filter(|l| !l.at_ends)?;
        let cell = level.pair.cells[at];
        let fixed = biases.iter().flat_map(|s| s.noise_pairs()).map(|p| p.cells[at].pattern);
        let (sum, n) = fixed.fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
        let fixed = sum / f64::max(n, 1.0) - rounded;
        Some([cell.neighbours * (cell.pattern - fixed), cell.neighbours * lit.a * lit.b])
    });
    let of = |without| {
        let [pattern, signal] = parts.without(without);
        pattern / signal
    };
    if let Some(found) = Estimate::of_parts(campaign.grid.parts(), of) {
        let method = "covariance of neighbours' differences in two flats, that of biases off";
        let measure = Measure::root_of("prnu", found, 100.0, "%", method).from(level.names());
        out.measures.push(measure.at(None, Some(level.set.frames[level.pair.a].exposure_s)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curved_law_is_found_again() {
        let (g, a): (f64, f64) = (1.7, -2.0e-6);
        let law = |mu: f64| (2.0 * a * mu * g).exp_m1() / (2.0 * g * g * a) / mu;
        let points: Vec<(f64, f64, f64)> =
            (1..9).map(|i| (f64::from(i) * 4000.0, law(f64::from(i) * 4000.0), 1e-4)).collect();
        let [found, bend] = astier(&points).unwrap();
        assert!((found / g - 1.0).abs() < 1e-6 && (bend / a - 1.0).abs() < 1e-4, "{found} {bend}");
    }
}
