//! Dark current, by the level and by the noise of darks, and what contradicts the level.

use photosite_pix::stat::{MAD_TO_SIGMA, median_f64};

use super::bias::HIDDEN;
use super::campaign::{Campaign, LevelScatter};
use super::dsnu::dsnu;
use super::estimate::{Estimate, line};
use super::grid::Parts;
use super::measure::{Measure, Series};
use super::set::{CLIPPED, FrameSet};
use crate::Finding;
use crate::finding::Severity;

/// Darks with a signal of more than this share of what is full are not used: warm pixels hold several times
/// as much, and are full.
const FULL: f64 = 0.3;
/// Blocks so many robust sigmas above the others glow.
const GLOWS: f64 = 5.0;
/// As many blocks make a glow.
const FEW_BLOCKS: usize = 3;
/// Levels that grow more slowly than the noise says, by so many errors and below this share, are held
/// down by the sensor.
const CLAMPED: (f64, f64) = (4.0, 0.7);
/// A step between biases and darks counts from so many errors on, and from this many ADU.
const STEP: (f64, f64) = (5.0, 0.3);

const NOISE: &str = "slope of the noise of pairs of darks against exposure";
const LEVEL: &str = "slope of the level of darks against exposure";

/// Rates of one temperature.
#[derive(Debug, Clone)]
pub struct Rate {
    /// The temperature in degrees Celsius.
    pub temp_c: Option<f64>,
    /// ADU a second by the level, where the level can be believed.
    pub level_adu_s: Option<Estimate>,
    /// ADU squared a second by the noise.
    pub noise_adu2_s: Option<Estimate>,
    /// ADU a second that 99.9 % of the pixels lie below, above the typical one.
    pub hot_adu_s: Option<Estimate>,
    /// Names of the frames.
    pub frames: Vec<String>,
}

/// What darks told.
#[derive(Debug, Clone, Default)]
pub struct DarkCurrent {
    /// The rates, the coldest first.
    pub rates: Vec<Rate>,
    /// The values: of each temperature the one to be used first.
    pub measures: Vec<Measure>,
    /// For plots.
    pub series: Vec<Series>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// One set of darks beside the biases.
struct Dark<'a> {
    set: &'a FrameSet,
    /// Signal above the biases times blocks, blocks.
    level: Parts<2>,
    /// Noise of one frame times pixels, pixels.
    noise: Parts<2>,
}

impl Dark<'_> {
    fn level_adu(&self, without: Option<usize>) -> f64 {
        let [sum, n] = self.level.without(without);
        sum / n
    }

    fn noise_adu2(&self, without: Option<usize>) -> f64 {
        let [sum, n] = self.noise.without(without);
        sum / n
    }

    fn has_noise(&self) -> bool {
        self.noise.without(None)[1] > 0.0
    }
}

/// Measures what darks tell.
///
/// Darks whose pixels clip at zero, or fill to more than most of `full_adu`, are left out and told.
pub fn dark_current(
    campaign: &Campaign,
    gain: Option<Estimate>,
    full_adu: Option<f64>,
) -> DarkCurrent {
    let mut out = DarkCurrent::default();
    let mut by_temp = campaign.darks_by_temp();
    for sets in &mut by_temp {
        sets.retain(|set| match clipped(campaign, set, full_adu) {
            None => true,
            Some(why) => {
                let subject = crate::finding::first_and_more(&set.frames[0].name, set.frames.len());
                out.findings.push(
                    Finding::new("sensor-clipped", Severity::Warning, subject, why)
                        .hint("Raise the offset, or take shorter darks.")
                        .with("exposure_s", set.exposure_s),
                );
                false
            }
        });
    }
    by_temp.retain(|sets| !sets.is_empty());
    if by_temp.is_empty() {
        let why = "darks of two exposures are needed, two frames of each";
        out.measures.push(Measure::none("dark_current", "e-/s", NOISE, why));
        return out;
    }
    let quiet = quiet(campaign, &by_temp, &mut out);
    let scatter = campaign.level_scatter(|at| quiet[at / campaign.grid.lanes.len()]);
    let all: Vec<&FrameSet> = by_temp.iter().flatten().copied().collect();
    for sets in by_temp {
        one_temp(campaign, &sets, (&quiet, scatter, gain), &mut out);
    }
    out.measures.extend(dsnu(campaign, &all, gain));
    out
}

/// Why darks tell nothing: they clip.
fn clipped(campaign: &Campaign, set: &FrameSet, full_adu: Option<f64>) -> Option<String> {
    let share = set.share_at_ends();
    if share > CLIPPED {
        return Some(format!(
            "{:.1} % of the samples of these darks stand at an end of the converter's range; they are not \
             used",
            100.0 * share
        ));
    }
    let lanes = campaign.grid.lanes.len();
    let bias = campaign.bias_near(set.temp_c);
    let levels: Vec<f64> = (0..campaign.grid.blocks() * lanes)
        .filter_map(|at| Some(set.level(at)? - bias.map_or(Some(0.0), |b| b.level(at))?))
        .collect();
    let level = median_f64(&levels);
    let full = full_adu.filter(|f| level > FULL * f)?;
    Some(format!(
        "the dark signal of {level:.0} ADU fills more than {:.0} % of the {full:.0} ADU that pixels or the \
         converter hold; these darks are not used",
        100.0 * FULL
    ))
}

/// The blocks without glow, by the darks with the most signal.
fn quiet(campaign: &Campaign, by_temp: &[Vec<&FrameSet>], out: &mut DarkCurrent) -> Vec<bool> {
    let lanes = campaign.grid.lanes.len();
    let darks = by_temp.iter().flatten().copied();
    let warmth = |s: &FrameSet| s.exposure_s * ((s.temp_c.unwrap_or(0.0)) / 6.5).exp2();
    let Some(most) = darks.max_by(|a: &&FrameSet, b| warmth(a).total_cmp(&warmth(b))) else {
        return vec![true; campaign.grid.blocks()];
    };
    let bias = campaign.bias_near(most.temp_c);
    let signal = |block: usize| -> f64 {
        let of = |at: usize| Some(most.level(at)? - bias.and_then(|b| b.level(at)).unwrap_or(0.0));
        let levels: Vec<f64> = (0..lanes).filter_map(|l| of(block * lanes + l)).collect();
        levels.iter().sum::<f64>() / levels.len() as f64
    };
    let signals: Vec<f64> = (0..campaign.grid.blocks()).map(signal).collect();
    let middle = median_f64(&signals);
    let off: Vec<f64> = signals.iter().map(|s| (s - middle).abs()).collect();
    // The lower half tells the scatter: glow is in the upper one.
    let below: Vec<f64> = signals.iter().filter(|s| **s < middle).map(|s| middle - s).collect();
    let sigma = MAD_TO_SIGMA * median_f64(&below).min(median_f64(&off)).max(1e-6);
    let quiet: Vec<bool> = signals.iter().map(|s| *s <= middle + GLOWS * sigma).collect();
    let glowing = quiet.iter().filter(|q| !**q).count();
    let peak = signals.iter().copied().fold(f64::NEG_INFINITY, f64::max) - middle;
    if glowing >= FEW_BLOCKS && bias.is_some() {
        let block = signals.iter().position(|s| *s - middle == peak).unwrap_or(0);
        let side = campaign.grid.block;
        let (x, y) = (block % campaign.grid.across * side, block / campaign.grid.across * side);
        let share = glowing as f64 / signals.len() as f64;
        let method = "brightest block of the longest darks above the median block";
        let names = most.names();
        let measure = Measure::of("amp_glow", Estimate::known(peak, sigma), "ADU", method);
        out.measures.push(measure.at(most.temp_c, Some(most.exposure_s)).from(names.clone()));
        let message = format!(
            "the sensor glows: {peak:.1} ADU above the rest near column {x}, row {y} after {:.0} s, \
             {:.0} % of the sensor are brighter than the rest",
            most.exposure_s,
            100.0 * share
        );
        out.findings.push(
            Finding::new("sensor-glow", Severity::Info, crate::finding::first_and_more(&names[0], names.len()), message)
                .hint(
                    "Dark current is measured on the rest. Take darks of the lights' own exposure: glow \
                     need not grow as dark current does.",
                )
                .with("peak_adu", peak)
                .with("share", share),
        );
    }
    quiet
}

fn one_temp(
    campaign: &Campaign,
    sets: &[&FrameSet],
    (quiet, scatter, gain): (&[bool], LevelScatter, Option<Estimate>),
    out: &mut DarkCurrent,
) {
    let lanes = campaign.grid.lanes.len();
    let temps: Vec<f64> = sets.iter().filter_map(|s| s.temp_c).collect();
    let temp_c = (!temps.is_empty()).then(|| temps.iter().sum::<f64>() / temps.len() as f64);
    let bias = campaign.bias_near(temp_c);
    let darks: Vec<Dark<'_>> = sets
        .iter()
        .map(|set| Dark {
            set,
            level: Parts::of(&campaign.grid, None, |block, lane| {
                let at = block * lanes + lane;
                let zero = bias.map_or(Some(0.0), |b| b.level(at))?;
                quiet[block].then_some([set.level(at)? - zero, 1.0])
            }),
            noise: campaign.noise_parts([*set], None, |block| quiet[block]),
        })
        .collect();
    let read = campaign.noise_parts(campaign.biases(), None, |block| quiet[block]);
    let has_read = read.without(None)[1] > 0.0;
    let parts = campaign.grid.parts();
    let names: Vec<String> = sets.iter().flat_map(|s| s.names()).collect();
    let biases: Vec<String> = campaign.biases().iter().flat_map(|s| s.names()).collect();
    let zero_s = campaign.biases().first().map_or(0.0, |s| s.exposure_s);

    // By noise: all exposures, and biases where there are some.
    let noisy: Vec<&Dark<'_>> = darks.iter().filter(|d| d.has_noise()).collect();
    let mut points: Vec<(f64, f64)> =
        noisy.iter().map(|d| (d.set.exposure_s, d.noise.without(None)[1])).collect();
    if has_read {
        points.insert(0, (zero_s, read.without(None)[1]));
    }
    let variance = |i: usize, without: Option<usize>| match (has_read, i) {
        (true, 0) => {
            let [sum, n] = read.without(without);
            sum / n
        }
        (has, i) => noisy[i - usize::from(has)].noise_adu2(without),
    };
    let noise_slope = |without: Option<usize>| {
        let of = |(i, (t, n)): (usize, &(f64, f64))| {
            (*t, variance(i, without), (2.0 / n).sqrt() * variance(i, None))
        };
        let points: Vec<(f64, f64, f64)> = points.iter().enumerate().map(of).collect();
        line(&points).map_or(f64::NAN, |l| l.slope.value)
    };
    let noise_adu2_s = Estimate::of_parts(parts, noise_slope).filter(|_| points.len() >= 2);
    let squared =
        gain.map(|g| Estimate { value: g.value * g.value, error: 2.0 * g.value * g.error, ..g });
    let hidden = (0..points.len()).any(|i| campaign.hides(variance(i, None)));
    let by_noise = noise_adu2_s.zip(squared).map(|(v, g)| v.product(g));

    // By level: the slope over exposures, which a step between biases and darks leaves alone.
    let exposures: Vec<f64> = darks.iter().map(|d| d.set.exposure_s).collect();
    let several = exposures.windows(2).any(|w| w[1] > 1.2 * w[0]);
    let level_points = |without: Option<usize>| -> Vec<(f64, f64, f64)> {
        let error = |d: &Dark<'_>| (scatter.sd_adu / (d.set.frames.len() as f64).sqrt()).max(1e-6);
        darks.iter().map(|d| (d.set.exposure_s, d.level_adu(without), error(d))).collect()
    };
    let slope_adu_s = several
        .then(|| {
            let fit = line(&level_points(None))?;
            let of = |without| line(&level_points(without)).map_or(f64::NAN, |l| l.slope.value);
            let by_blocks = Estimate::of_parts(parts, of)?;
            let freedom = fit.slope.freedom.min(scatter.freedom.max(1.0));
            Some((by_blocks.with_error(fit.slope.error, freedom), fit))
        })
        .flatten();

    // Does the sensor hold its level down?
    let noise_known = by_noise.filter(|_| !hidden);
    let compared = slope_adu_s.as_ref().map(|s| s.0).zip(noise_known).zip(gain);
    let clamped = compared.is_some_and(|((level, noise), g)| {
        let level = level.times(g.value);
        let error = (level.error.powi(2) + noise.error.powi(2)).sqrt();
        noise.value - level.value > CLAMPED.0 * error && level.value < CLAMPED.1 * noise.value
    });
    let falls = slope_adu_s.as_ref().is_some_and(|(s, _)| s.high() < 0.0);
    let longest = darks.last().map(|d| d.level_adu(None));
    let level_error = scatter.sd_adu
        * (1.0 / sets.last().map_or(1.0, |s| s.frames.len() as f64)
            + bias.map_or(0.0, |b| 1.0 / b.frames.len() as f64))
        .sqrt();
    let below = bias.is_some() && longest.is_some_and(|l| l < -3.0 * level_error.max(0.01));
    let held_down = clamped || falls || below;
    if held_down {
        let message = match (longest, &noise_known) {
            (Some(level), Some(rate)) => format!(
                "the level of darks does not follow their dark current: {level:+.2} ADU beside the biases \
                 at the longest exposure, while their noise shows {:.4} e-/s",
                rate.value
            ),
            _ => "darks are darker than biases".to_owned(),
        };
        let subject = crate::finding::first_and_more(&names[0], names.len());
        out.findings.push(
            Finding::new("sensor-level-held", Severity::Info, subject, message)
                .hint(
                    "The sensor corrects its own black level: dark current is measured by noise, and darks \
                     must have the lights' own exposure and temperature.",
                )
                .with("temp_c", temp_c),
        );
    }
    const HELD: &str =
        "the sensor corrects its black level: the level of darks tells no dark current";
    let electrons = |adu: Estimate| gain.map_or((adu, "ADU/s"), |g| (adu.product(g), "e-/s"));
    let at = |m: Measure| m.at(temp_c, None).from(names.clone());

    let mut first = Vec::new();
    if let Some(rate) = by_noise {
        let measure = at(Measure::of("dark_current", rate, "e-/s", NOISE)).from(biases.clone());
        first.push(bound(measure, hidden));
        let adu = gain.and_then(|g| Some(noise_adu2_s?.product(g)));
        if let Some(adu) = adu {
            let measure = at(Measure::of("dark_current", adu, "ADU/s", NOISE));
            first.push(bound(measure.from(biases.clone()), hidden));
        }
    }
    if let Some((slope, fit)) = &slope_adu_s {
        let mut rows = Vec::new();
        if gain.is_some() {
            let (value, unit) = electrons(*slope);
            rows.push(Measure::of("dark_current", value, unit, LEVEL));
        }
        rows.push(Measure::of("dark_current", *slope, "ADU/s", LEVEL));
        let rows = rows.into_iter().map(|m| if held_down { at(m).invalid(HELD) } else { at(m) });
        // What can be believed goes first; the level tells more finely than the noise.
        if held_down {
            first.extend(rows)
        } else {
            first.splice(0..0, rows).for_each(drop)
        }
        step(fit, (scatter, bias, temp_c), (&names, held_down), out);
        curved(&level_points(None), temp_c, &names, out);
    }
    if slope_adu_s.is_none() && by_noise.is_none() && bias.is_none() {
        let why = "darks of two exposures, or biases and a gain, are needed";
        first.push(at(Measure::none("dark_current", "e-/s", NOISE, why)));
    }
    out.measures.extend(first);

    for dark in &darks {
        one_exposure(
            dark,
            (&read, has_read, parts),
            (bias, scatter),
            (gain, squared),
            (held_down, hidden),
            temp_c,
            out,
        );
        let noise = (squared, hidden);
        alternating(dark, (&read, has_read, parts), (campaign, quiet), noise, temp_c, out);
    }
    if let [short, .., long] = &noisy[..]
        && long.set.exposure_s > 1.2 * short.set.exposure_s
    {
        two_exposures((short, long), parts, (squared, hidden), temp_c, out);
    }

    let label = temp_c.map_or_else(|| "darks".to_owned(), |t| format!("{t:.1} C"));
    out.series.push(Series {
        plot: "dark_level".to_owned(),
        label: label.clone(),
        points: level_points(None).into_iter().map(|(t, v, e)| [t, v, e]).collect(),
    });
    let noise_points = points.iter().enumerate().map(|(i, (t, n))| {
        let v = variance(i, None);
        [*t, v, (2.0 / n).sqrt() * v]
    });
    out.series.push(Series {
        plot: "dark_noise".to_owned(),
        label: label.clone(),
        points: noise_points.collect(),
    });
    let hot = sets.iter().rev().find_map(|s| Some((s, s.pixels.as_ref()?)));
    let hot_adu_s = hot.map(|(set, pixels)| {
        let points = pixels.signals(set.frames.len()).into_iter();
        out.series.push(Series {
            plot: "dark_histogram".to_owned(),
            label,
            points: points.map(|(adu, n)| [adu / set.exposure_s, n, 0.0]).collect(),
        });
        // Of n pixels above a quantile the quantile is known to a share of 1 / sqrt(n) or so.
        let rate = pixels.signal_quantile_adu(0.999) / set.exposure_s;
        Estimate::known(rate, rate.abs() / (0.001 * pixels.all as f64).sqrt().max(1.0))
    });
    out.rates.push(Rate {
        temp_c,
        level_adu_s: slope_adu_s.map(|s| s.0).filter(|_| !held_down),
        noise_adu2_s: noise_adu2_s.filter(|_| !hidden),
        hot_adu_s: hot_adu_s.filter(|h| h.value > 0.0),
        frames: names,
    });
}

/// Dark current of one exposure: by its level, and by its noise.
#[allow(clippy::too_many_arguments, reason = "what the exposures of a temperature share")]
fn one_exposure(
    dark: &Dark<'_>,
    (read, has_read, parts): (&Parts<2>, bool, usize),
    (bias, scatter): (Option<&FrameSet>, LevelScatter),
    (gain, squared): (Option<Estimate>, Option<Estimate>),
    (held_down, hidden): (bool, bool),
    temp_c: Option<f64>,
    out: &mut DarkCurrent,
) {
    let t = dark.set.exposure_s;
    let at = |m: Measure| m.at(dark.set.temp_c.or(temp_c), Some(t)).from(dark.set.names());
    if let Some(bias) = bias {
        let frames = 1.0 / dark.set.frames.len() as f64 + 1.0 / bias.frames.len() as f64;
        let level = Estimate::of_parts(parts, |without| dark.level_adu(without) / t)
            .map(|l| l.with_error(scatter.sd_adu * frames.sqrt() / t, scatter.freedom));
        let method = "mean level of darks above biases";
        for (factor, unit) in [(gain, "e-/s"), (Some(Estimate::known(1.0, 0.0)), "ADU/s")] {
            let Some(rate) = level.zip(factor).map(|(l, g)| l.product(g)) else { continue };
            let measure = at(Measure::of("dark_current", rate, unit, method)).from(bias.names());
            out.measures.push(if rate.value < 0.0 {
                measure.invalid("negative: the darks are darker than the biases")
            } else if held_down {
                measure.invalid(
                    "the sensor corrects its black level: the level of darks tells no dark current",
                )
            } else {
                measure
            });
        }
    }
    if let (Some(squared), true, true) = (squared, has_read, dark.has_noise()) {
        let of = |without| {
            let [sum, n] = read.without(without);
            (dark.noise_adu2(without) - sum / n) / t
        };
        if let Some(rate) = Estimate::of_parts(parts, of) {
            let method = "noise of equal darks less that of biases (Buil)";
            let measure = at(Measure::of("dark_current", rate.product(squared), "e-/s", method));
            out.measures.push(bound(measure, hidden));
        }
    }
}

/// What noise tells of a dark current that may be too small to be told.
fn bound(mut m: Measure, hidden: bool) -> Measure {
    if hidden {
        return m.invalid(HIDDEN);
    }
    if m.high.is_some_and(|h| h <= 0.0) {
        return m
            .invalid("the noise falls with exposure: something else than dark current changes it");
    }
    if m.low.is_some_and(|l| l <= 0.0) {
        m.low = Some(0.0);
        m.reason = "not told from zero: an upper limit".to_owned();
    }
    m
}

/// Alternating sums: an upper bound, because drift and pixels that jump add to the noise.
fn alternating(
    dark: &Dark<'_>,
    (read, has_read, parts): (&Parts<2>, bool, usize),
    (campaign, quiet): (&Campaign, &[bool]),
    (squared, hidden): (Option<Estimate>, bool),
    temp_c: Option<f64>,
    out: &mut DarkCurrent,
) {
    let Some(squared) = squared.filter(|_| has_read) else { return };
    let (t, lanes) = (dark.set.exposure_s, campaign.grid.lanes.len());
    for sums in &dark.set.alternating {
        let noise = Parts::of(&campaign.grid, None, |block, lane| {
            let (n, v) = sums.cells[block * lanes + lane];
            (quiet[block] && n > 4.0).then_some([n * v / sums.frames as f64, n])
        });
        let of = |without| {
            let ([sum, n], [bias, m]) = (noise.without(without), read.without(without));
            (sum / n - bias / m) / t
        };
        let Some(rate) = Estimate::of_parts(parts, of) else { continue };
        let method = format!("alternating sum of {} darks", sums.frames);
        let names = dark.set.frames[..sums.frames].iter().map(|f| f.name.clone());
        let mut measure = Measure::of("dark_current", rate.product(squared), "e-/s", &method);
        if measure.low.is_some_and(|l| l <= 0.0) {
            measure.low = Some(0.0);
        }
        let measure = match hidden {
            true => measure.invalid(HIDDEN),
            false => measure.but("an upper bound: drift and pixels that jump add to it"),
        };
        out.measures.push(measure.at(dark.set.temp_c.or(temp_c), Some(t)).from(names));
    }
}

fn two_exposures(
    (short, long): (&Dark<'_>, &Dark<'_>),
    parts: usize,
    (squared, hidden): (Option<Estimate>, bool),
    temp_c: Option<f64>,
    out: &mut DarkCurrent,
) {
    let apart = long.set.exposure_s - short.set.exposure_s;
    let of = |without| (long.noise_adu2(without) - short.noise_adu2(without)) / apart;
    if let Some(rate) = squared.zip(Estimate::of_parts(parts, of)).map(|(g, r)| r.product(g)) {
        let method = format!(
            "difference of the noise of {} s and {} s darks",
            short.set.exposure_s, long.set.exposure_s
        );
        let measure = Measure::of("dark_current", rate, "e-/s", &method).at(temp_c, None);
        out.measures.push(bound(measure.from(short.set.names()).from(long.set.names()), hidden));
    }
}

/// Whether darks of no exposure would stand at the level of the biases.
fn step(
    fit: &super::estimate::Line,
    (scatter, bias, temp_c): (LevelScatter, Option<&FrameSet>, Option<f64>),
    (names, held_down): (&[String], bool),
    out: &mut DarkCurrent,
) {
    let Some(bias) = bias else { return };
    let error = fit.at_zero.error.hypot(scatter.sd_adu / (bias.frames.len() as f64).sqrt());
    let step = Estimate { error, ..fit.at_zero };
    let method = "level of darks of no exposure, by their slope, above the biases";
    let measure = Measure::of("level_step", step, "ADU", method).at(temp_c, Some(0.0));
    out.measures.push(measure.from(names.to_vec()).from(bias.names()));
    if step.value.abs() > (STEP.0 * error).max(STEP.1) && !held_down {
        let message = format!(
            "darks of no exposure would lie {:+.2} +- {:.2} ADU beside the biases: the bias drifts, or the \
             level depends on the exposure; dark current by single exposures against biases is off by that",
            step.value, error
        );
        let subject = crate::finding::first_and_more(&names[0], names.len());
        out.findings.push(
            Finding::new("sensor-level-step", Severity::Warning, subject, message)
                .hint("Believe the slope against exposure; match darks with lights of the same exposure.")
                .with("step_adu", step.value)
                .with("temp_c", temp_c),
        );
    }
}

/// The square of the exposure in the level of darks, where there are exposures enough.
fn curved(
    points: &[(f64, f64, f64)],
    temp_c: Option<f64>,
    names: &[String],
    out: &mut DarkCurrent,
) {
    if points.len() < 4 {
        return;
    }
    let longest = points.iter().map(|p| p.0).fold(0.0, f64::max);
    let row = |t: f64| [1.0, t / longest, (t / longest).powi(2)];
    let mut fit = photosite_pix::normal::Normal::<3, 1>::default();
    points.iter().for_each(|(t, v, e)| fit.add(row(*t), [*v], 1.0 / (e * e)));
    let Some([_, _, [bend]]) = fit.solve() else { return };
    // The coefficient is linear in the levels: its variance is the sum of squares of what each adds.
    let mut variance = 0.0;
    for (t, _, e) in points {
        let mut alone = photosite_pix::normal::Normal::<3, 1>::default();
        points
            .iter()
            .for_each(|(u, _, f)| alone.add(row(*u), [f64::from(u8::from(u == t))], 1.0 / (f * f)));
        variance += alone.solve().map_or(f64::NAN, |[_, _, [part]]| (part * e).powi(2));
    }
    let error = variance.sqrt();
    let estimate = Estimate { value: bend, error, freedom: (points.len() as f64 - 3.0).max(3.0) };
    let method = "quadratic part of the level of darks at the longest exposure";
    let measure = Measure::of("level_curvature", estimate, "ADU", method);
    let measure = measure.at(temp_c, Some(longest)).from(names.to_vec());
    let told = estimate.low() > 0.0 || estimate.high() < 0.0;
    out.measures.push(if told { measure } else { measure.but("not told from zero") });
}
