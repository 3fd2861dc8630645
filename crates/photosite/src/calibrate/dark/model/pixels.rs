//! The fit of every pixel, what a master says that was left out of it, and the darks that a model makes.

use std::collections::BTreeMap;

use photosite_pix::MaskBits;
use photosite_pix::stat::nan_of_null;
use serde::{Deserialize, Serialize};

use super::known::Known;
use super::laws::{Laws, SPAN_C, span};
use super::lsq::Design;
use super::measured::{MasterRows, Seen};
use super::term::{Measured, Term};
use crate::calibrate::dark::choice::DOUBLING_C;

/// A pixel departs by chance up to so many standard deviations of its squares.
const UNSTEADY: f64 = 8.0;
/// What a steady pixel may depart by, as a share of its dark signal.
const UNLIKE_SHARE: f64 = 0.03;
/// A pixel whose signal is so many times its error may tell its own doubling temperature.
const TELLING: f64 = 50.0;
/// Departures beyond so many sigmas are counted apart.
const OUTLYING: f64 = 5.0;
/// So many errors of the level that the others foretell are no chance, however few they are.
const ODD_LEVEL: f64 = 10.0;

/// What a model says of rows of pixels.
#[derive(Debug, Clone, Default)]
pub struct PixelRows {
    /// Bias in ADU.
    pub bias: Vec<f32>,
    /// Its error.
    pub bias_error: Vec<f32>,
    /// Rate in ADU a second.
    pub rate: Vec<f32>,
    /// Its error.
    pub rate_error: Vec<f32>,
    /// Their correlation.
    pub correlation: Vec<f32>,
    /// The share that is explained.
    pub r2: Vec<f32>,
    /// Own doubling temperatures.
    pub doubling_c: Vec<f32>,
    /// What is known against pixels.
    pub mask: Vec<MaskBits>,
}

/// One master that was foretold from the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The master.
    pub name: String,
    /// Its exposure in seconds.
    pub exposure_s: f64,
    /// Its temperature in degrees Celsius.
    pub temp_c: Option<f64>,
    /// The root mean square of what is left, its mean included, in ADU; NaN where the others make no
    /// model.
    #[serde(deserialize_with = "nan_of_null")]
    pub rms_adu: f64,
    /// What the noise of the master and the errors of the model let expect.
    #[serde(deserialize_with = "nan_of_null")]
    pub expected_adu: f64,
    /// The noise of the master alone.
    #[serde(deserialize_with = "nan_of_null")]
    pub noise_adu: f64,
    /// The mean of what is left.
    #[serde(deserialize_with = "nan_of_null")]
    pub mean_adu: f64,
    /// The share of pixels beyond five sigmas, which the other numbers leave out.
    #[serde(deserialize_with = "nan_of_null")]
    pub outlying: f64,
    /// The master lies outside what the others hold.
    pub beyond: bool,
}

/// Sums over the pixels of a master that was left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    count: f64,
    squares: f64,
    expected: f64,
    noise: f64,
    sum: f64,
    outlying: f64,
}

impl Sums {
    /// Adds those of other pixels.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.squares += other.squares;
        self.expected += other.expected;
        self.noise += other.noise;
        self.sum += other.sum;
        self.outlying += other.outlying;
    }
}

/// The laws without one master, ready for its pixels.
struct Without {
    used: Vec<usize>,
    laws: Laws,
    design: Design,
    levels: Vec<f64>,
    /// By how much the level of the one that is left out lies off, and the error of that.
    off: Option<(f64, f64)>,
}

/// The fit of pixels, prepared once.
pub struct Fitted<'a> {
    known: &'a Known,
    weights: Vec<f64>,
    columns: [Vec<f64>; 2],
    /// How each master's level lies, glow taken off.
    levels: Vec<f64>,
    shares: Vec<f64>,
    /// Degrees from the reference, for the pixels' own doubling.
    warmth: Option<Vec<f64>>,
    without: Vec<Option<Without>>,
}

impl<'a> Fitted<'a> {
    /// Prepares the fit.
    pub fn new(known: &'a Known, seen: &Seen) -> Self {
        let terms = &known.terms;
        let laws = &known.laws;
        let all: Vec<usize> = (0..terms.len()).collect();
        let shares: Vec<f64> =
            terms.iter().map(|t| laws.glow_share(t.exposure_s, t.temp_c)).collect();
        let temps: Vec<f64> =
            terms.iter().filter(|t| t.exposure_s > 0.0).filter_map(|t| t.temp_c).collect();
        let mut steps = temps.clone();
        steps.sort_by(f64::total_cmp);
        steps.dedup_by(|a, b| *a - *b < 1.0);
        let warm = laws.doubling_c.is_some() && steps.len() >= 2 && span(&temps) >= SPAN_C;
        let warmth = |t: &Term| laws.warmth_c(t.temp_c);
        let without = (0..terms.len()).map(|out| Self::without(known, seen, out)).collect();
        Self {
            weights: known.variance.iter().map(|v| 1.0 / v).collect(),
            columns: laws.columns(terms, &all),
            levels: Self::levels(laws, terms, &all),
            shares,
            warmth: warm.then(|| terms.iter().map(warmth).collect()),
            without,
            known,
        }
    }

    /// The level of each master by its law and its own departure, the glow left out.
    fn levels(laws: &Laws, terms: &[Term], used: &[usize]) -> Vec<f64> {
        let level = &laws.level;
        let of = |(g, departure): (&usize, &f64)| {
            let seconds = laws.level_seconds(terms[*g].exposure_s, terms[*g].temp_c);
            level.offset_adu + level.rate_adu_s * seconds + departure
        };
        used.iter().zip(&level.departures_adu).map(of).collect()
    }

    fn without(known: &Known, seen: &Seen, out: usize) -> Option<Without> {
        let terms = &known.terms;
        if terms[out].exposure_s == 0.0 {
            return None;
        }
        let used: Vec<usize> = (0..terms.len()).filter(|g| *g != out).collect();
        // Two that differ foretell a third, though they make no model: nothing would prove it.
        let laws = Laws::of(seen, terms, &used).ok()?;
        let columns = laws.columns(terms, &used);
        let weights: Vec<f64> = used.iter().map(|g| 1.0 / known.variance[*g]).collect();
        let design = Design::new(&columns, &weights)?;
        let levels = Self::levels(&laws, terms, &used);
        let off = laws.level_off(seen, terms, (&used, out));
        Some(Without { used, laws, design, levels, off })
    }

    /// Fits rows from `y` on, of which `masters` hold the samples; `judged` says whether masters are
    /// left out by turns on them. Gives the rows, and what is left of each master.
    pub fn rows(
        &self,
        y: usize,
        width: usize,
        masters: &[MasterRows],
        judged: bool,
    ) -> (PixelRows, Vec<Sums>) {
        let n = self.known.terms.len();
        let (laws, level) = (&self.known.laws, &self.known.laws.level);
        let whole = Design::new(&self.columns, &self.weights);
        let mut gaps: BTreeMap<Vec<bool>, Option<Design>> = BTreeMap::new();
        let mut out = PixelRows::default();
        let mut sums = vec![Sums::default(); n];
        let mut glow = vec![0.0f32; width];
        let mut glows: Vec<Vec<f32>> = vec![vec![0.0; width]; if judged { n } else { 0 }];
        let (mut series, mut variance) = (vec![0.0; n], vec![0.0; n]);
        let lines = masters.first().map_or(0, |m| m.data.len() / width.max(1));
        for line in 0..lines {
            if let Some((_, map)) = &laws.glow {
                map.row(y + line, &mut glow);
            }
            for (row, without) in glows.iter_mut().zip(&self.without) {
                match without.as_ref().and_then(|w| w.laws.glow.as_ref()) {
                    Some((_, map)) => map.row(y + line, row),
                    None => row.fill(0.0),
                }
            }
            for x in 0..width {
                let at = line * width + x;
                let g_adu = f64::from(glow[x]);
                let mut there = 0;
                for g in 0..n {
                    let sample = f64::from(masters[g].data[at]);
                    there += usize::from(sample.is_finite());
                    series[g] = sample - g_adu * self.shares[g] - self.levels[g];
                    let own = masters[g].variance.get(at).map_or(f64::NAN, |v| f64::from(*v));
                    variance[g] = if own.is_finite() { own } else { self.known.variance[g] };
                }
                let fit = match there == n {
                    true => self.fit(whole.as_ref(), &series, &variance, None),
                    false => {
                        let has: Vec<bool> = series.iter().map(|v| v.is_finite()).collect();
                        let design = gaps.entry(has.clone()).or_insert_with(|| self.partial(&has));
                        self.fit(design.as_ref(), &series, &variance, Some(&has))
                    }
                };
                let full = |m: &MasterRows| {
                    m.mask.get(at).is_some_and(|m| m.contains(MaskBits::SATURATED))
                };
                let full = there < n && masters.iter().any(full);
                out.push(fit, full, (level.offset_adu, level.rate_adu_s));
                if judged && there == n {
                    for (g, sums) in sums.iter_mut().enumerate() {
                        if let Some(without) = &self.without[g] {
                            let sample = f64::from(masters[g].data[at]);
                            let of = |g: usize| f64::from(masters[g].data[at]);
                            self.foretell(
                                without,
                                g,
                                sample,
                                of,
                                f64::from(glows[g][x]),
                                &variance,
                                sums,
                            );
                        }
                    }
                }
            }
        }
        (out, sums)
    }

    /// The fit where some masters have no sample; `None` where too few have.
    fn partial(&self, has: &[bool]) -> Option<Design> {
        let kept = |v: &Vec<f64>| -> Vec<f64> {
            v.iter().zip(has).filter(|(_, h)| **h).map(|(v, _)| *v).collect()
        };
        let columns: Vec<Vec<f64>> = self.columns.iter().map(kept).collect();
        // Two masters give a line, three say whether it is one; without a third there is no proof.
        Design::new(&columns, &kept(&self.weights)).filter(|d| d.rows[0].len() >= 2)
    }

    fn fit(
        &self,
        design: Option<&Design>,
        series: &[f64],
        variance: &[f64],
        has: Option<&[bool]>,
    ) -> Option<Fit> {
        let design = design?;
        let kept: Vec<usize> = match has {
            None => (0..series.len()).collect(),
            Some(has) => (0..series.len()).filter(|g| has[*g]).collect(),
        };
        let y: Vec<f64> = kept.iter().map(|g| series[*g]).collect();
        let v: Vec<f64> = kept.iter().map(|g| variance[*g]).collect();
        let (bias, rate) = (design.coefficient(0, &y), design.coefficient(1, &y));
        let mut fit = Fit {
            bias,
            rate,
            bias_variance: design.covariance(0, 0, &v),
            rate_variance: design.covariance(1, 1, &v),
            covariance: design.covariance(0, 1, &v),
            r2: 1.0,
            doubling_c: f64::NAN,
            unsteady: false,
        };
        let level = &self.known.laws.level;
        let seconds = |g: usize| self.columns[1][g];
        // What the pixel holds without the sensor's own correction of the level.
        let whole = |i: usize| y[i] + level.offset_adu + level.rate_adu_s * seconds(kept[i]);
        let mean = (0..y.len()).map(whole).sum::<f64>() / y.len() as f64;
        let total: f64 = (0..y.len()).map(|i| (whole(i) - mean).powi(2)).sum();
        let rest = |fit: &Fit, i: usize| {
            let g = kept[i];
            let warm =
                self.warmth.as_ref().filter(|_| fit.doubling_c.is_finite()).map_or(0.0, |w| {
                    let usual = self.known.laws.doubling();
                    w[g] * std::f64::consts::LN_2 * (1.0 / fit.doubling_c - 1.0 / usual)
                });
            y[i] - fit.bias - fit.rate * seconds(g) * (1.0 + warm)
        };
        if let (Some(warmth), None) = (&self.warmth, has) {
            self.own_doubling(&mut fit, (series, variance), warmth);
        }
        let left: f64 = (0..y.len()).map(|i| rest(&fit, i).powi(2)).sum();
        fit.r2 = if total > 0.0 { (1.0 - left / total).clamp(0.0, 1.0) } else { 0.0 };
        let free = y.len() as f64 - 2.0 - f64::from(u8::from(fit.doubling_c.is_finite()));
        if free >= 1.0 {
            let square = |i: usize| {
                let g = kept[i];
                let unlike = UNLIKE_SHARE * fit.rate * seconds(g);
                rest(&fit, i).powi(2) / (v[i].max(self.known.variance[g]) + unlike * unlike)
            };
            let chi2: f64 = (0..y.len()).map(square).sum();
            if chi2 > free + UNSTEADY * (2.0 * free).sqrt() + UNSTEADY {
                fit.unsteady = true;
                let more = chi2 / free;
                fit.bias_variance *= more;
                fit.rate_variance *= more;
                fit.covariance *= more;
            }
        }
        Some(fit)
    }

    /// The pixel's own doubling temperature, where its signal is strong enough to tell and differs.
    fn own_doubling(&self, fit: &mut Fit, (y, v): (&[f64], &[f64]), warmth: &[f64]) {
        let strong = fit.rate > TELLING * fit.rate_variance.sqrt();
        if !strong {
            return;
        }
        // To first order: the rate changes by a share for each degree.
        let bent = self.columns[1].iter().zip(warmth).map(|(s, w)| s * w).collect();
        let columns = [self.columns[0].clone(), self.columns[1].clone(), bent];
        let Some(design) = Design::new(&columns, &self.weights).filter(|_| y.len() > 3) else {
            return;
        };
        let (rate, bend) = (design.coefficient(1, y), design.coefficient(2, y));
        let error = design.covariance(2, 2, v).sqrt();
        let own = 1.0 / (1.0 / self.known.laws.doubling() + bend / rate / std::f64::consts::LN_2);
        if rate > 0.0 && bend.abs() > OUTLYING * error && (2.0..40.0).contains(&own) {
            fit.bias = design.coefficient(0, y);
            fit.rate = rate;
            fit.bias_variance = design.covariance(0, 0, v);
            fit.rate_variance = design.covariance(1, 1, v);
            fit.covariance = design.covariance(0, 1, v);
            fit.doubling_c = own;
        }
    }

    /// Holds one pixel of a master against what the others say of it.
    #[allow(clippy::too_many_arguments, reason = "one pixel's numbers, in the innermost loop")]
    fn foretell(
        &self,
        without: &Without,
        out: usize,
        sample: f64,
        of: impl Fn(usize) -> f64,
        glow_adu: f64,
        variance: &[f64],
        sums: &mut Sums,
    ) {
        let Without { used, laws, design, levels, .. } = without;
        let term = &self.known.terms[out];
        let (t, temp) = (term.exposure_s, term.temp_c);
        let seconds = laws.seconds(t, temp);
        let level = laws.level_at(&self.known.terms, used, t, temp);
        let (mut told, mut error) = (level + glow_adu * laws.glow_share(t, temp), 0.0);
        let mut rate = laws.level.rate_adu_s;
        for (i, g) in used.iter().enumerate() {
            let other = &self.known.terms[*g];
            let share = laws.glow_share(other.exposure_s, other.temp_c);
            let y = of(*g) - glow_adu * share - levels[i];
            let weight = design.rows[0][i] + seconds * design.rows[1][i];
            told += weight * y;
            rate += design.rows[1][i] * y;
            error += weight * weight * variance[*g];
        }
        error += laws.errors(glow_adu, rate, t, temp);
        let noise = variance[out].max(0.0);
        let rest = sample - told;
        // Variances of few frames are too low by chance.
        let bound = noise.max(self.known.variance[out]) + error;
        if rest * rest > OUTLYING * OUTLYING * bound {
            sums.outlying += 1.0;
        } else {
            sums.squares += rest * rest;
            sums.expected += noise + error;
            sums.noise += noise;
            sums.sum += rest;
        }
        sums.count += 1.0;
    }

    /// Masters whose levels are certainly not what the others foretell: by how much, and its error, in ADU.
    pub fn odd_levels(&self) -> impl Iterator<Item = (&Term, f64, f64)> {
        let all = self.known.terms.iter().zip(&self.without);
        all.filter_map(|(term, without)| {
            let (off, error) = without.as_ref()?.off?;
            (off.abs() > ODD_LEVEL * error).then_some((term, off, error))
        })
    }

    /// What is left of each master, given the sums over its pixels.
    pub fn held_out(&self, sums: &[Sums]) -> Vec<HeldOut> {
        let terms = &self.known.terms;
        let of = |(g, s): (usize, &Sums)| {
            let term = &terms[g];
            let others = |f: fn(&Term) -> Option<f64>| -> Vec<f64> {
                let rest = terms.iter().enumerate().filter(|(i, _)| *i != g).map(|(_, t)| t);
                rest.filter_map(f).collect()
            };
            let inside = |v: f64, all: &[f64], margin: f64| {
                all.iter().any(|a| *a >= v - margin) && all.iter().any(|a| *a <= v + margin)
            };
            let exposures = others(|t| Some(t.exposure_s));
            let temps = others(|t| t.temp_c.filter(|_| t.exposure_s > 0.0));
            let within = inside(term.exposure_s, &exposures, 0.02 * term.exposure_s)
                && term.temp_c.is_none_or(|c| inside(c, &temps, 1.0));
            let n = s.count - s.outlying;
            HeldOut {
                name: term.name.clone(),
                exposure_s: term.exposure_s,
                temp_c: term.temp_c,
                rms_adu: (s.squares / n).sqrt(),
                expected_adu: (s.expected / n).sqrt(),
                noise_adu: (s.noise / n).sqrt(),
                mean_adu: s.sum / n,
                outlying: s.outlying / s.count,
                beyond: !within,
            }
        };
        let darks = sums.iter().enumerate().filter(|(g, _)| terms[*g].exposure_s > 0.0);
        darks.map(of).collect()
    }
}

/// One pixel's fit, beside the typical pixel.
struct Fit {
    bias: f64,
    rate: f64,
    bias_variance: f64,
    rate_variance: f64,
    covariance: f64,
    r2: f64,
    doubling_c: f64,
    unsteady: bool,
}

impl PixelRows {
    fn push(&mut self, fit: Option<Fit>, full: bool, (offset_adu, rate_adu_s): (f64, f64)) {
        let known = fit.is_some();
        let fit = fit.unwrap_or(Fit {
            bias: f64::NAN,
            rate: f64::NAN,
            bias_variance: f64::NAN,
            rate_variance: f64::NAN,
            covariance: f64::NAN,
            r2: f64::NAN,
            doubling_c: f64::NAN,
            unsteady: false,
        });
        let (bias_error, rate_error) = (fit.bias_variance.sqrt(), fit.rate_variance.sqrt());
        let both = bias_error * rate_error;
        self.bias.push((fit.bias + offset_adu) as f32);
        self.bias_error.push(bias_error as f32);
        self.rate.push((fit.rate + rate_adu_s) as f32);
        self.rate_error.push(rate_error as f32);
        self.correlation.push(if both == 0.0 { 0.0 } else { (fit.covariance / both) as f32 });
        self.r2.push(fit.r2 as f32);
        self.doubling_c.push(fit.doubling_c as f32);
        let mut mask = MaskBits::empty();
        mask.set(MaskBits::NO_DATA, !known);
        mask.set(MaskBits::UNSTABLE, fit.unsteady);
        mask.set(MaskBits::SATURATED, full);
        self.mask.push(mask);
    }
}

impl Laws {
    /// The typical pixel's level in a dark: by its law, and where all masters are of one temperature by
    /// what their levels depart from it between their exposures.
    pub(super) fn level_at(
        &self,
        terms: &[Term],
        used: &[usize],
        t: f64,
        temp: Option<f64>,
    ) -> f64 {
        let law = self.level.offset_adu + self.level.rate_adu_s * self.level_seconds(t, temp);
        law + self.departure_at(terms, used, t)
    }

    /// How far the level departs from its law at an exposure, between the masters beside it.
    pub fn departure_at(&self, terms: &[Term], used: &[usize], t: f64) -> f64 {
        if self.doubling_c.is_some() {
            return 0.0;
        }
        let mut at: Vec<(f64, f64)> = (used.iter().zip(&self.level.departures_adu))
            .map(|(g, d)| (terms[*g].exposure_s, *d))
            .collect();
        at.sort_by(|a, b| a.0.total_cmp(&b.0));
        let above = at.partition_point(|(s, _)| *s < t);
        match (above.checked_sub(1).map(|i| at[i]), at.get(above)) {
            (Some((s0, d0)), Some((s1, d1))) => d0 + (d1 - d0) * (t - s0) / (s1 - s0),
            (Some((_, d)), None) => d,
            (None, Some((_, d))) => *d,
            (None, None) => 0.0,
        }
    }

    /// The variance that the errors of the laws add to a pixel of a dark, in ADU squared.
    pub(super) fn errors(&self, glow_adu: f64, rate_adu_s: f64, t: f64, temp: Option<f64>) -> f64 {
        let dark = rate_adu_s * self.seconds(t, temp);
        let share = std::f64::consts::LN_2 * self.warmth_c(temp);
        let heat = match self.doubling_c {
            Some(Measured { value, error }) => dark * share * error / (value * value),
            // The doubling is a guess within a third.
            None => dark * share / DOUBLING_C / 3.0,
        };
        let glow = match &self.glow {
            Some((law, _)) if t > 0.0 => {
                let ratio = (t / self.longest_s).ln();
                glow_adu * self.glow_share(t, temp) * ratio * law.power.error
            }
            _ => 0.0,
        };
        heat * heat + glow * glow + self.level.error_adu * self.level.error_adu
    }
}

/// A pixel of a dark that a model makes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Predicted {
    /// In ADU, bias included.
    pub adu: f64,
    /// Its variance, the errors of the model included.
    pub variance: f64,
}

impl Known {
    /// What a dark of exposure `t` seconds at `temp_c` holds at a pixel: of `bias`, `rate`, their errors
    /// and correlation, `glow` after the longest exposure, and the pixel's own doubling temperature (NaN
    /// where it has none).
    pub fn predict(
        &self,
        pixel: [f32; 5],
        (glow, own): (f32, f32),
        t: f64,
        temp_c: f64,
    ) -> Predicted {
        let [bias, rate, bias_error, rate_error, correlation] = pixel.map(f64::from);
        let (glow, own) = (f64::from(glow), f64::from(own));
        let laws = &self.laws;
        let seconds = laws.seconds(t, Some(temp_c));
        let warm = match own.is_finite() {
            true => {
                let warmth = laws.warmth_c(Some(temp_c));
                1.0 + warmth * std::f64::consts::LN_2 * (1.0 / own - 1.0 / laws.doubling())
            }
            false => 1.0,
        };
        let typical = laws.level.rate_adu_s;
        let adu = bias
            + (rate - typical) * warm * seconds
            + typical * laws.level_seconds(t, Some(temp_c))
            + glow * laws.glow_share(t, Some(temp_c));
        let variance = bias_error * bias_error
            + 2.0 * seconds * correlation * bias_error * rate_error
            + (seconds * rate_error).powi(2);
        let errors = laws.errors(glow, rate, t, Some(temp_c));
        Predicted { adu, variance: variance.max(0.0) + errors }
    }

    /// The noise of one frame of the exposure nearest to `t`, in ADU.
    pub fn frame_noise_adu(&self, t: f64) -> f64 {
        let far = |i: &usize| (self.terms[*i].exposure_s / t).max(1e-9).ln().abs();
        let nearest = (0..self.terms.len()).min_by(|a, b| far(a).total_cmp(&far(b)));
        nearest.map_or(0.0, |i| (self.variance[i] * self.terms[i].frames as f64).sqrt())
    }

    /// How far the level of a dark departs from the planes, in ADU.
    pub fn departure_adu(&self, t: f64) -> f64 {
        let all: Vec<usize> = (0..self.terms.len()).collect();
        self.laws.departure_at(&self.terms, &all, t)
    }
}
