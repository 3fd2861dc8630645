//! Whether the signal grows as the light does: flats of several exposures under one lamp.

use std::collections::BTreeMap;

use photosite_pix::linearity::Curve;
use photosite_pix::{CfaColor, FrameKind};

use super::bias::share;
use super::campaign::Campaign;
use super::estimate::{Estimate, line};
use super::grid::Parts;
use super::lamp::{Lamp, doubted, drift};
use super::measure::{Measure, Series};
use super::set::{FrameSet, is_exposure};
use crate::Finding;
use crate::finding::Severity;
use crate::header::moment;

/// Levels between these shares of saturation are fitted (EMVA 1288).
const FITTED: (f64, f64) = (0.05, 0.95);
/// As many exposures, over such a range, tell a law.
const FEW_EXPOSURES: usize = 4;
const LEAST_RANGE: f64 = 3.0;
/// Where flats are full in part, what is left of them tells where it is more than one block in so many.
const LEAST_OF: usize = 8;
/// The largest deviation of what counts as linear.
const LINEAR: f64 = 0.01;

const METHOD: &str =
    "level of flats against exposure, a line fitted with weights 1 / level (EMVA 1288)";

/// One exposure of a filter.
struct Lit {
    exposure_s: f64,
    /// Signal above the bias times cells, cells.
    signal: Parts<2>,
    /// The same of each lane of each block.
    cells: Vec<[f64; 2]>,
    names: Vec<String>,
    /// The level of each frame in ADU above the bias.
    frames_adu: Vec<f64>,
    /// When each was taken, in days, or its place among all where that is not known.
    taken: Vec<f64>,
}

impl Lit {
    fn level(&self, without: Option<usize>) -> f64 {
        let [sum, n] = self.signal.without(without);
        sum / n
    }

    /// How many lanes of blocks count, and the level of the brightest.
    fn brightest(&self) -> (usize, f64) {
        let lit = self.cells.iter().filter(|[_, n]| *n > 0.0);
        lit.fold((0, 0.0), |(count, most), [sum, n]| (count + 1, f64::max(most, sum / n)))
    }

    /// The level of what is not full, and what that of all of it would be by the responses of the blocks; `None` where
    /// too little is left.
    fn below(&self, most_adu: f64, response: &[f64]) -> Option<(f64, f64)> {
        let (mut sums, mut count, mut all) = ([0.0; 3], 0, 0);
        for ([sum, n], response) in self.cells.iter().zip(response).filter(|(_, r)| **r > 0.0) {
            all += 1;
            if *n > 0.0 && sum / n <= most_adu {
                count += 1;
                sums.iter_mut().zip([*sum, *n, n * response]).for_each(|(s, v)| *s += v);
            }
        }
        let [signal, n, responses] = sums;
        (count * LEAST_OF > all).then_some((signal / n, signal / responses))
    }
}

/// Flats of one filter that tell a law.
pub struct Steady<'a> {
    /// The flats.
    pub set: &'a FrameSet,
    /// Exposures whose levels are neither too faint nor full, the shortest first.
    pub exposures_s: Vec<f64>,
    /// The exposure at which their line meets zero.
    pub dead_s: f64,
    /// Flats whose exposure is doubted.
    pub doubted: Vec<usize>,
}

/// How linear a sensor is.
#[derive(Default)]
pub struct Linear<'a> {
    /// The values.
    pub measures: Vec<Measure>,
    /// What plots show.
    pub series: Vec<Series>,
    /// What straightens its response, where that bends by more than the measurement is off; of each colour
    /// where there are colours.
    pub curves: Vec<Curve>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// The flats that told it.
    pub steady: Option<Steady<'a>>,
}

/// Measures how linear the sensor is; `full_adu` is the signal at which it saturates.
pub fn linearity(campaign: &Campaign, full_adu: Option<f64>) -> Linear<'_> {
    let mut out = Linear::default();
    let Some(bias) = campaign.bias_levels() else {
        out.measures.push(Measure::none("linearity_max", "ADU", METHOD, "a bias is needed"));
        return out;
    };
    let bias_adu = bias.iter().sum::<f64>() / bias.len() as f64;
    let (doubts, findings): (Vec<_>, Vec<_>) =
        campaign.of(FrameKind::Flat).map(|set| doubted(set, bias_adu)).unzip();
    out.findings = findings.into_iter().flatten().collect();
    let of_colours = !campaign.grid.colours().is_empty();
    let colours = campaign.grid.colours().into_iter().map(Some);
    for colour in std::iter::once(None).chain(colours) {
        let found = campaign
            .of(FrameKind::Flat)
            .zip(&doubts)
            .filter_map(|flats| one_filter(campaign, flats, &bias, (colour, full_adu)))
            .max_by_key(|law| law.measures.first().map_or(0, |m| m.frames.len()));
        if let Some(Law { measures, series, curve, steady, finding }) = found {
            out.measures.extend(measures);
            out.series.extend(series);
            out.steady = out.steady.or(steady);
            out.findings.extend(finding.filter(|_| colour.is_none()));
            let wanted = colour.is_some() == of_colours;
            out.curves.extend(curve.filter(|_| wanted).map(|c| c.of(colour, None)));
        } else if colour.is_none() {
            let why = format!(
                "flats of {FEW_EXPOSURES} or more exposures under one steady lamp are needed, from a \
                 twentieth of saturation up to all of it"
            );
            out.measures.push(Measure::none("linearity_max", "ADU", METHOD, &why));
        }
    }
    out
}

/// Shares of single pixels that do not respond in proportion to the light that their neighbours get, and the
/// responses of all.
pub fn single_pixels(campaign: &Campaign) -> (Vec<Measure>, Vec<Series>) {
    const BENT: &str = "cubic through the flats of each pixel, against the level of its block; 1 % beside a \
                        line at the brightest flat, and told from chance";
    const LAWLESS: &str = "reduced chi-square above 5 of a cubic through the flats of each pixel";
    const RESPONSE: &str = "mean response to the brighter flats beside that of the pixel's block";
    let seen = campaign.of(FrameKind::Flat).filter_map(|s| Some((s, s.flats.as_ref()?)));
    let Some((set, flats)) = seen.max_by_key(|(s, f)| (f.judged > 0, s.frames.len())) else {
        return (Vec::new(), Vec::new());
    };
    let all = flats.response.iter().sum::<u64>();
    let mut out = Vec::new();
    if flats.judged > 0 {
        out.push(share("nonlinear_pixels", flats.bent, flats.judged, BENT));
        out.push(share("lawless_pixels", flats.lawless, flats.judged, LAWLESS));
    } else {
        let why = "eight flats of five levels over a range of three, in pairs, are needed";
        out.push(Measure::none("nonlinear_pixels", "share", BENT, why));
    }
    for by in [0.05, 0.5] {
        let (less, more) = flats.beyond(by);
        for (name, part) in [("response_below", less), ("response_above", more)] {
            let count = (part * all as f64).round() as u64;
            let method = format!("{RESPONSE}; by {} % and more", 100.0 * by);
            out.push(share(&format!("{name}_{}", (100.0 * by) as u32), count, all, &method));
        }
    }
    let filled = flats.response.iter().enumerate().filter(|(_, n)| **n > 0);
    let points = filled.map(|(i, n)| [super::flats::FlatPixels::response_of(i), *n as f64, 0.0]);
    let series = Series {
        plot: "response_histogram".to_owned(),
        label: "pixels".to_owned(),
        points: points.collect(),
    };
    (out.into_iter().map(|m| m.from(set.names())).collect(), vec![series])
}

/// What the flats of one filter tell.
struct Law<'a> {
    measures: Vec<Measure>,
    series: Vec<Series>,
    curve: Option<Curve>,
    /// `None` where the light drifted.
    steady: Option<Steady<'a>>,
    finding: Option<Finding>,
}

fn one_filter<'a>(
    campaign: &Campaign,
    (set, doubts): (&'a FrameSet, &Vec<usize>),
    bias: &[f64],
    (colour, full_adu): (Option<CfaColor>, Option<f64>),
) -> Option<Law<'a>> {
    let points = exposures(campaign, (set, doubts), bias, colour);
    let brightest = points.iter().map(Lit::brightest);
    let (blocks, highest) = brightest.fold((0, 0.0), |m, b| (m.0.max(b.0), f64::max(m.1, b.1)));
    // A plateau of several exposures is saturation.
    let full = full_adu.unwrap_or(highest);
    // Under a vignetted light, or of several colours, the brightest are full first.
    let not_full = |p: &Lit| {
        let (count, most_adu) = p.brightest();
        count == blocks && most_adu <= FITTED.1 * full
    };
    let fitted: Vec<&Lit> =
        points.iter().filter(|p| p.level(None) > FITTED.0 * full && not_full(p)).collect();
    let exposures = fitted.iter().map(|p| p.exposure_s);
    let (least, most) =
        (exposures.clone().fold(f64::INFINITY, f64::min), exposures.fold(0.0, f64::max));
    if fitted.len() < FEW_EXPOSURES || most < LEAST_RANGE * least {
        return None;
    }
    let levels =
        |without: Option<usize>| -> Vec<f64> { fitted.iter().map(|p| p.level(without)).collect() };
    let law = |levels: &[f64]| {
        // Weights 1 / level are errors that grow with its root.
        let point = |(p, level): (&&Lit, &f64)| (p.exposure_s, *level, p.level(None).sqrt());
        line(&fitted.iter().zip(levels).map(point).collect::<Vec<_>>())
    };
    let fit = law(&levels(None))?;
    let at_exposures = |levels: &[f64]| -> Vec<(f64, f64)> {
        fitted.iter().zip(levels).map(|(p, level)| (p.exposure_s, *level)).collect()
    };
    let (best, terms) = best_law(&at_exposures(&levels(None)), full)?;
    // Where no exposure was taken twice, what no law explains is the lamp's.
    let lamp = Lamp::of(fitted.iter().map(|p| &p.frames_adu[..]))
        .unwrap_or(Lamp { share: best.off, freedom: best.spare });
    let flats: Vec<(f64, f64)> =
        fitted.iter().map(|p| (p.level(None), p.frames_adu.len() as f64)).collect();
    let at = |t: f64| fit.at_zero.value + fit.slope.value * t;
    let residual = |p: &Lit| p.level(None) / at(p.exposure_s) - 1.0;
    let lamp_error = |p: &Lit| lamp.share / (p.frames_adu.len() as f64).sqrt();
    let response: Vec<f64> = (0..campaign.grid.blocks() * campaign.grid.lanes.len())
        .map(|at| fitted.iter().map(|p| p.cells[at][0] / p.cells[at][1] / p.level(None)).sum())
        .map(|sum: f64| sum / fitted.len() as f64)
        .collect();
    let residuals: Vec<(f64, f64, f64)> = points
        .iter()
        .map(|p| {
            let below = if not_full(p) { None } else { p.below(FITTED.1 * full, &response) };
            let (level, of_all) = below.unwrap_or((p.level(None), p.level(None)));
            (level, of_all / at(p.exposure_s) - 1.0, lamp_error(p))
        })
        .collect();
    let name = colour.map(CfaColor::name);
    let frames: Vec<String> = points.iter().flat_map(|p| p.names.clone()).collect();
    let named = |m: Measure| m.of_channel(name).from(frames.clone());
    let parts = campaign.grid.parts();
    let error_of = |pick: &dyn Fn(f64, f64) -> f64, start: f64| {
        let of = |levels: &[f64]| {
            let Some(fit) = law(levels) else { return f64::NAN };
            let at = |p: &&Lit| fit.at_zero.value + fit.slope.value * p.exposure_s;
            let off = fitted.iter().zip(levels).map(|(p, level)| level / at(p) - 1.0);
            100.0 * off.fold(start, pick)
        };
        let by_blocks = Estimate::of_parts(parts, |without| of(&levels(without)))?;
        Some(lamp.with_extreme(by_blocks, lamp.error(&flats, of), fitted.len()))
    };
    let mut measures = Vec::new();
    if let (Some(low), Some(high)) =
        (error_of(&f64::min, f64::INFINITY), error_of(&f64::max, f64::NEG_INFINITY))
    {
        measures.push(named(Measure::of("linearity_error_min", low, "%", METHOD)));
        measures.push(named(Measure::of("linearity_error_max", high, "%", METHOD)));
    }
    // The highest level below which nothing deviates by more than a hundredth.
    let mut linear = 0.0;
    let mut all_linear = true;
    for (level, off, _) in residuals.iter().filter(|(level, ..)| *level > FITTED.0 * full) {
        if off.abs() > LINEAR {
            all_linear = false;
            break;
        }
        linear = level.max(linear);
    }
    let mut measure = Measure::of("linearity_max", Estimate::known(linear, 0.0), "ADU", METHOD);
    // It is known to the levels that were taken, and as far as the lamp tells.
    let surely = |(level, off, error): &&(f64, f64, f64)| {
        *level > linear && off.abs() > LINEAR + lamp.sigmas(0.025) * error
    };
    let highest = residuals.last().map_or(linear, |r| r.0);
    measure.high = Some(residuals.iter().find(surely).map_or(highest, |r| r.0).max(linear));
    let why = if all_linear { "linear up to the brightest flat: a lower limit" } else { "" };
    let unsteady = fitted.iter().map(|p| lamp_error(p)).fold(0.0, f64::max);
    measures.push(named(match lamp.sigmas(0.025) * unsteady > LINEAR {
        true => measure.invalid(format!(
            "the light differs by {:.2} % from flat to flat: a steadier lamp tells",
            100.0 * lamp.share
        )),
        false => measure.but(why),
    }));
    let bend = |levels: &[f64]| {
        let law = bent_law(&at_exposures(levels), full, terms);
        law.map_or(f64::NAN, |law| law.bend(best.highest))
    };
    let told = best.bend(best.highest).abs() > lamp.sigmas(CERTAIN) * lamp.error(&flats, bend);
    let followed = fitted.iter().map(|p| (p.taken.clone(), p.frames_adu.clone()));
    let drifted = drift(&followed.collect::<Vec<_>>()).filter(|share| share.abs() > LEAST_BEND);
    let curve = straightening(&best, full).filter(|_| told && drifted.is_none());
    let dead = |levels: &[f64]| {
        let dead = match &curve {
            Some(_) => bent_law(&at_exposures(levels), full, terms).map(|l| l.dead_s),
            None => law(levels).map(|f| -f.at_zero.value / f.slope.value),
        };
        dead.unwrap_or(f64::NAN)
    };
    let dead_s = Some(dead(&levels(None))).filter(|d| d.is_finite())?;
    if let Some(found) = Estimate::of_parts(parts, |without| dead(&levels(without))) {
        let method = "exposure at which the line of flats against exposure, straightened where it bends, meets zero";
        let by_lamp = fit.at_zero.error / fit.slope.value;
        measures.push(named(Measure::of(
            "shutter_dead_time",
            found.with_error(by_lamp, 3.0).with_error(lamp.error(&flats, dead), lamp.freedom),
            "s",
            method,
        )));
    }
    let label = name.unwrap_or("all pixels").to_owned();
    let series = |plot: &str, points: Vec<[f64; 3]>| Series {
        plot: plot.to_owned(),
        label: label.clone(),
        points,
    };
    let levels = points.iter().map(|p| [p.exposure_s, p.level(None), 0.0]).collect();
    let shown = points.iter().filter(|p| not_full(p));
    let off = shown.map(|p| [p.level(None), 100.0 * residual(p), 0.0]).collect();
    let series = vec![series("linearity", levels), series("linearity_residual", off)];
    let exposures_s = fitted.iter().map(|p| p.exposure_s).collect();
    let steady = Steady { set, exposures_s, dead_s, doubted: doubts.clone() };
    let Some(share) = drifted else {
        return Some(Law { measures, series, curve, steady: Some(steady), finding: None });
    };
    let why = format!("the light drifted by {:.2} % over these flats", 100.0 * share);
    let message = format!(
        "{why}, as those of one exposure tell that follow one another: neither linearity nor shutter is told from it"
    );
    let finding = Finding::new("sensor-lamp-drift", Severity::Warning, frames[0].clone(), message)
        .hint(
            "Take flats with a steady lamp, each exposure twice in the order short, long, long, short.",
        )
        .with("share", share);
    let measures = measures.into_iter().map(|m| m.invalid(why.clone())).collect();
    Some(Law { measures, series, curve, steady: None, finding: Some(finding) })
}

/// Points that a fit of a bend must have beyond its coefficients.
const SPARE: usize = 3;

/// A term is kept where it takes so many times its share off the squared residuals.
const WORTH: f64 = 12.0;

/// A response that bends by less is left as it is: the lamp is no steadier.
const LEAST_BEND: f64 = 1e-3;

/// A bend counts where the lamp makes one like it in fewer cases than this: beyond three standard errors.
const CERTAIN: f64 = 0.00135;

/// Levels taken at exposures, whose response bends.
struct BentLaw {
    /// c2, c3 and so on, of levels as shares of what is full.
    coefficients: Vec<f64>,
    /// The exposure that the shutter takes off.
    dead_s: f64,
    /// Squares of what is left.
    squares: f64,
    /// What is left, as a share of the levels.
    off: f64,
    /// The highest level, as a share of what is full.
    highest: f64,
    /// Points beyond the coefficients.
    spare: f64,
}

impl BentLaw {
    /// By which share a level is lifted where it is straightened; levels as shares of what is full.
    fn bend(&self, level: f64) -> f64 {
        self.coefficients.iter().rev().fold(0.0, |sum, c| (sum + c) * level)
    }
}

/// Fits level + c2 level² + c3 level³ in proportion to the exposure, less what the shutter takes of it, by so many
/// terms beyond the first.
///
/// # Source
/// Janesick2001, linearity; the weights are those of EMVA 1288.
fn bent_law(points: &[(f64, f64)], full_adu: f64, terms: usize) -> Option<BentLaw> {
    let longest = points.iter().map(|p| p.0).fold(0.0, f64::max);
    let rows = points.iter().map(|(t, level)| {
        let u = level / full_adu;
        let columns = [t / longest, 1.0, -u * u, -u * u * u];
        (columns, u, 1.0 / u)
    });
    let rows: Vec<([f64; 4], f64, f64)> = rows.collect();
    let n = 2 + terms;
    let spare = points.len().checked_sub(n).filter(|spare| terms == 0 || *spare >= SPARE)?;
    let mut normal = vec![vec![0.0; n + 1]; n];
    for (columns, u, weight) in &rows {
        for i in 0..n {
            (0..n).for_each(|j| normal[i][j] += weight * columns[i] * columns[j]);
            normal[i][n] += weight * columns[i] * u;
        }
    }
    let found = solve(normal)?;
    let off = |(columns, u, weight): &([f64; 4], f64, f64)| {
        let model: f64 = columns.iter().zip(&found).map(|(c, x)| c * x).sum();
        weight * (u - model).powi(2)
    };
    let shares = rows.iter().map(|row| off(row) / row.1).sum::<f64>();
    Some(BentLaw {
        squares: rows.iter().map(off).sum(),
        off: (shares / spare as f64).sqrt(),
        highest: rows.iter().map(|row| row.1).fold(0.0, f64::max),
        coefficients: found[2..].to_vec(),
        dead_s: -found[1] / found[0] * longest,
        spare: spare as f64,
    })
}

/// The law of levels taken at exposures that is worth its terms, and how many they are beyond the first.
fn best_law(points: &[(f64, f64)], full_adu: f64) -> Option<(BentLaw, usize)> {
    let (mut best, mut used) = (bent_law(points, full_adu, 0)?, 0);
    for terms in 1..=2 {
        let Some(more) = bent_law(points, full_adu, terms) else { break };
        if (best.squares - more.squares) > WORTH * more.squares / more.spare * (terms - used) as f64
        {
            (best, used) = (more, terms);
        }
    }
    Some((best, used))
}

/// What straightens levels that follow a law; `None` where they bend by no more than a lamp is steady.
fn straightening(best: &BentLaw, full_adu: f64) -> Option<Curve> {
    let highest = best.highest * full_adu;
    let scale = |(k, c): (usize, &f64)| c / full_adu.powi(k as i32 + 1);
    let coefficients: Vec<f64> = best.coefficients.iter().enumerate().map(scale).collect();
    let curve = Curve::polynomial(&coefficients, Some(highest))?;
    let bend = f64::from(curve.straight(highest as f32)) / highest - 1.0;
    (bend.abs() > LEAST_BEND).then_some(curve)
}

/// Solves a system of linear equations, right sides in the last column; `None` where it has no answer.
fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let n = rows.len();
    for i in 0..n {
        let pivot = (i..n).max_by(|a, b| rows[*a][i].abs().total_cmp(&rows[*b][i].abs()))?;
        rows.swap(i, pivot);
        let lead = rows[i][i];
        if lead.is_nan() || lead.abs() <= 1e-14 {
            return None;
        }
        rows[i].iter_mut().for_each(|v| *v /= lead);
        let own = rows[i].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(j, _)| *j != i) {
            let share = row[i];
            row.iter_mut().zip(&own).for_each(|(v, o)| *v -= share * o);
        }
    }
    Some(rows.iter().map(|r| r[n]).collect())
}

/// The exposures of a filter, the shortest first.
fn exposures(
    campaign: &Campaign,
    (set, doubts): (&FrameSet, &[usize]),
    bias: &[f64],
    colour: Option<CfaColor>,
) -> Vec<Lit> {
    let lanes = campaign.grid.lanes.len();
    let mut order: Vec<f64> = set.frames.iter().map(|f| f.exposure_s).collect();
    order.sort_by(f64::total_cmp);
    order.dedup_by(|a, b| is_exposure(*a, *b));
    let dates: Option<Vec<f64>> = set.frames.iter().map(|f| moment(f.date.as_deref()?)).collect();
    let taken = |i: usize| dates.as_ref().map_or(i as f64, |dates| dates[i]);
    order
        .into_iter()
        .map(|exposure_s| {
            let here = |i: usize| {
                is_exposure(set.frames[i].exposure_s, exposure_s) && !doubts.contains(&i)
            };
            let mut frames: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
            let mut cells = vec![[0.0; 2]; campaign.grid.blocks() * lanes];
            let signal = Parts::of(&campaign.grid, colour, |block, lane| {
                let at = block * lanes + lane;
                let sums = &mut cells[at];
                for pair in &set.pairs {
                    let cell = pair.cells[at];
                    let of = [(pair.a, cell.mean_a), (pair.b, cell.mean_b)];
                    for (i, mean) in of.into_iter().skip(usize::from(pair.spare)) {
                        if here(i) && cell.n > 0.0 {
                            sums[0] += mean - bias[at];
                            sums[1] += 1.0;
                            let frame = frames.entry(i).or_default();
                            *frame = (frame.0 + mean - bias[at], frame.1 + 1.0);
                        }
                    }
                }
                Some(*sums)
            });
            let names = set
                .frames
                .iter()
                .enumerate()
                .filter(|(i, _)| here(*i))
                .map(|(_, f)| f.name.clone());
            let frames_adu = frames.values().map(|(sum, n)| sum / n).collect();
            let taken = frames.keys().map(|i| taken(*i)).collect();
            Lit { exposure_s, signal, cells, names: names.collect(), frames_adu, taken }
        })
        .filter(|p| p.signal.without(None)[1] > 0.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bend_is_found_and_a_line_is_none() {
        // A sensor that loses 3 % at 48000 of 60000 ADU, behind a shutter that takes 20 ms.
        let bend = 0.03 / 48_000.0;
        let level = |t: f64, bend: f64| {
            let e = 9_000.0 * (t - 0.02);
            e - bend * e * e
        };
        let exposures = [0.4, 0.8, 1.5, 2.2, 3.0, 3.8, 4.6, 5.2, 5.8];
        let bent: Vec<(f64, f64)> = exposures.iter().map(|t| (*t, level(*t, bend))).collect();
        let (law, _) = best_law(&bent, 60_000.0).unwrap();
        let curve = straightening(&law, 60_000.0).expect("a curve");
        let dead_s = law.dead_s;
        assert!((dead_s - 0.02).abs() < 1e-4, "{dead_s}");
        for (t, measured) in &bent {
            let truth = 9_000.0 * (t - 0.02);
            let found = f64::from(curve.straight(*measured as f32));
            assert!((found / truth - 1.0).abs() < 5e-4, "{t}: {found} of {truth}");
        }
        let straight: Vec<(f64, f64)> = exposures
            .iter()
            .map(|t| (*t, level(*t, 0.0) * (1.0 + 2e-4 * (t * 37.0).sin())))
            .collect();
        let none = |points: &[(f64, f64)]| {
            let (law, _) = best_law(points, 60_000.0).unwrap();
            straightening(&law, 60_000.0).is_none()
        };
        assert!(none(&straight));
        assert!(none(&bent[..4]), "four points leave nothing to judge by");
    }
}
