//! How the dark signal of a sensor goes with exposure and temperature: the doubling temperature by hot
//! pixels, the glow's power by blocks, and the level, which a sensor may move by itself.

use photosite_pix::stat::jackknife;
use serde::{Deserialize, Serialize};

use super::glow::GlowMap;
use super::lsq::{Design, Moments, PARTS, least};
use super::measured::{Hot, Seen};
use super::term::{Measured, Refused, Term};
use crate::calibrate::dark::choice::DOUBLING_C;

/// Degrees that darks must span before their temperatures tell a law.
pub(super) const SPAN_C: f64 = 4.0;
/// Doublings per degree that silicon may have: from every 3 to every 20 degrees.
const DOUBLINGS: (f64, f64) = (1.0 / 20.0, 1.0 / 3.0);
/// Fewest hot pixels that tell how dark signal goes with temperature.
const FEWEST_HOT: usize = 30;
/// What hot pixels do otherwise than by the law, as a share of their signal.
const UNLIKE_SHARE: f64 = 0.01;
/// Powers of the exposure that a glow may grow with.
const POWERS: (f64, f64) = (0.2, 4.0);
/// How many standard deviations a departure from linear growth must stand out by.
const SIGMAS: f64 = 5.0;
/// The share of the noise of a master's pixel below which a departure does not matter.
const MATTERS: f64 = 0.05;
/// The share of that noise up to which a departure whose law cannot be told is an error and no refusal.
const BEARABLE: f64 = 0.5;
/// A doubling temperature of its own must leave so much less of the levels.
const OWN_SHARE: f64 = 0.6;
/// What the noise of blocks may be more than that of their pixels says: it is known to a tenth.
const NOISE_MARGIN: f64 = 1.2;
/// Levels of darks come back to this share of the noise of one frame at best.
const STEADY: f64 = 0.03;
/// A glow is nothing in so large a share of the blocks.
const DARKEST: f64 = 0.02;

/// How glow grows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GlowLaw {
    /// With this power of the exposure.
    pub power: Measured,
    /// It doubles with temperature as dark current does.
    pub warms: bool,
    /// The strongest block after the longest exposure, in ADU above the least.
    pub peak_adu: f64,
}

/// How the level of darks goes: the typical pixel, bias included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevelLaw {
    /// Without exposure, in ADU.
    pub offset_adu: f64,
    /// What it rises by, in ADU a second at the reference temperature; negative where the sensor
    /// corrects its black level by more than its dark signal.
    pub rate_adu_s: f64,
    /// The degrees that double what the typical pixel's level rises by, where that is another number than
    /// that of hot pixels: current from the bulk of the silicon doubles in fewer degrees than that of defects.
    pub doubling_c: Option<Measured>,
    /// What the glow adds everywhere beside its least block, as a share of itself.
    pub glow_adu: f64,
    /// What the levels of the masters are off by, one standard deviation in ADU.
    pub error_adu: f64,
    /// By how much each master departs, in ADU.
    pub departures_adu: Vec<f64>,
}

/// All laws of a sensor.
#[derive(Debug, Clone)]
pub struct Laws {
    /// The temperature that rates are given for.
    pub ref_temp_c: f64,
    /// The degrees that double dark current, where the masters tell.
    pub doubling_c: Option<Measured>,
    /// The longest exposure.
    pub longest_s: f64,
    /// How glow grows, where it does so otherwise than dark current.
    pub glow: Option<(GlowLaw, GlowMap)>,
    /// How the level goes.
    pub level: LevelLaw,
}

impl Laws {
    /// Degrees above the reference temperature; 0 where a temperature is not known.
    pub(super) fn warmth_c(&self, temp_c: Option<f64>) -> f64 {
        temp_c.map_or(0.0, |t| t - self.ref_temp_c)
    }

    /// The degrees that double dark current; a guess where the masters do not tell.
    pub(super) fn doubling(&self) -> f64 {
        self.doubling_c.map_or(DOUBLING_C, |d| d.value)
    }

    /// Seconds at the reference temperature that an exposure is worth.
    pub fn seconds(&self, exposure_s: f64, temp_c: Option<f64>) -> f64 {
        exposure_s * (self.warmth_c(temp_c) / self.doubling()).exp2()
    }

    /// What share of its strength after the longest exposure the glow has.
    pub fn glow_share(&self, exposure_s: f64, temp_c: Option<f64>) -> f64 {
        let Some((law, _)) = &self.glow else { return 0.0 };
        let warmth = self.warmth_c(temp_c.filter(|_| law.warms));
        share(exposure_s, self.longest_s, law.power.value) * (warmth / self.doubling()).exp2()
    }

    /// What those masters say that `used` names.
    pub(super) fn of(seen: &Seen, terms: &[Term], used: &[usize]) -> Result<Self, Refused> {
        let known = |g: &usize| terms[*g].exposure_s > 0.0;
        let darks: Vec<usize> = used.iter().copied().filter(known).collect();
        let temps: Vec<f64> = darks.iter().filter_map(|g| terms[*g].temp_c).collect();
        let span = span(&temps);
        let longest_s = darks.iter().map(|g| terms[*g].exposure_s).fold(0.0, f64::max);
        // The temperature of most of the exposure: rates are known best there.
        let weight = |g: &usize| terms[*g].exposure_s;
        let total: f64 = darks.iter().map(weight).sum();
        let mean = darks.iter().map(|g| terms[*g].temp_c.unwrap_or(0.0) * weight(g)).sum::<f64>();
        let ref_temp_c = (mean / total * 10.0).round() / 10.0;
        let doubling_c = match span >= SPAN_C {
            true => Some(doubling(&seen.hot, terms, used, ref_temp_c)?),
            false => None,
        };
        let mut laws = Self {
            ref_temp_c,
            doubling_c,
            longest_s,
            glow: None,
            level: LevelLaw {
                offset_adu: 0.0,
                rate_adu_s: 0.0,
                doubling_c: None,
                glow_adu: 0.0,
                error_adu: 0.0,
                departures_adu: Vec::new(),
            },
        };
        let (glow, crooked_adu) = laws.find_glow(seen, terms, used)?;
        laws.glow = glow;
        laws.level = laws.find_level(seen, terms, used);
        laws.level.error_adu = laws.level.error_adu.hypot(crooked_adu);
        if let (Some((_, map)), more) = (&mut laws.glow, laws.level.glow_adu) {
            map.lift(more);
        }
        Ok(laws)
    }

    /// What a pixel's bias and rate are multiplied with in the masters that `used` names.
    pub(super) fn columns(&self, terms: &[Term], used: &[usize]) -> [Vec<f64>; 2] {
        let seconds = |g: &usize| self.seconds(terms[*g].exposure_s, terms[*g].temp_c);
        [vec![1.0; used.len()], used.iter().map(seconds).collect()]
    }

    /// Seconds at the reference temperature that an exposure is worth for the typical pixel's level.
    pub fn level_seconds(&self, exposure_s: f64, temp_c: Option<f64>) -> f64 {
        match self.level.doubling_c {
            None => self.seconds(exposure_s, temp_c),
            Some(own) => exposure_s * (self.warmth_c(temp_c) / own.value).exp2(),
        }
    }

    /// Whether blocks grow otherwise than linearly, and with which power; where they do and no law is
    /// found, by how much, in ADU.
    fn find_glow(
        &self,
        seen: &Seen,
        terms: &[Term],
        used: &[usize],
    ) -> Result<(Option<(GlowLaw, GlowMap)>, f64), Refused> {
        let n = used.len();
        // The level of a block is the mean of its pixels.
        let block = 1.0 / seen.grid.side as f64;
        let sigma: Vec<f64> = used.iter().map(|g| seen.variance[*g].sqrt() * block).collect();
        let middles: Vec<f64> = used.iter().map(|g| middle(&seen.levels[*g])).collect();
        let count = seen.levels[used[0]].len();
        let series = |b: usize| -> Option<Vec<f64>> {
            let of = |i: usize| f64::from(seen.levels[used[i]][b]) - middles[i];
            let all: Vec<f64> = (0..n).map(of).collect();
            all.iter().all(|v| v.is_finite()).then_some(all)
        };
        let mut moments = Moments::new(n);
        for b in 0..count {
            if let Some(y) = series(b) {
                let whitened: Vec<f64> = y.iter().zip(&sigma).map(|(v, s)| v / s).collect();
                moments.add(b, &whitened);
            }
        }
        let white = |c: &Vec<f64>| c.iter().zip(&sigma).map(|(v, s)| v / s).collect::<Vec<f64>>();
        let linear = self.columns(terms, used);
        let blocks = moments.series(None);
        let free = n as f64 - 2.0;
        if blocks < 16.0 || free < 1.0 {
            return Ok((None, 0.0));
        }
        let straight = linear.each_ref().map(white);
        let left = moments.left(&straight, None);
        // What is left beyond noise, as a share of the noise of a pixel.
        let beyond = left - blocks * free * NOISE_MARGIN;
        let loud = beyond > SIGMAS * (2.0 * blocks * free).sqrt();
        // As a share of the noise of a pixel.
        let crooked = (beyond.max(0.0) / blocks / n as f64).sqrt() * block;
        if !loud || crooked < MATTERS {
            return Ok((None, 0.0));
        }
        let noisiest = used.iter().map(|g| seen.variance[*g]).fold(0.0, f64::max).sqrt();
        let crooked_adu = crooked * noisiest;
        let mut exposures: Vec<f64> = used.iter().map(|g| terms[*g].exposure_s).collect();
        exposures.sort_by(f64::total_cmp);
        exposures.dedup_by(|a, b| *a <= *b * 1.02);
        if exposures.len() < 4 || n < 4 {
            if crooked < BEARABLE {
                return Ok((None, crooked_adu));
            }
            return Err(Refused::GlowUnknown { exposures: exposures.len() });
        }
        let third = |power: f64, warms: bool| -> Vec<f64> {
            let of = |g: &usize| {
                let (t, temp) = (terms[*g].exposure_s, terms[*g].temp_c);
                let warm = if warms && t > 0.0 { self.seconds(t, temp) / t } else { 1.0 };
                share(t, self.longest_s, power) * warm
            };
            used.iter().map(of).collect()
        };
        let cost = |power: f64, warms: bool, without: Option<usize>| {
            let glow = white(&third(power, warms));
            moments.left(&[straight[0].clone(), straight[1].clone(), glow], without)
        };
        let best = |warms: bool, without| least(POWERS.0, POWERS.1, |p| cost(p, warms, without));
        let cold = best(false, None);
        let warms = self.doubling_c.is_some()
            && cost(best(true, None), true, None) < cost(cold, false, None);
        let power = if warms { best(true, None) } else { cold };
        if left - cost(power, warms, None) < 0.5 * (left - blocks * free) {
            // Something else grows than a glow: temperatures that headers do not tell, or light.
            return Ok((None, crooked_adu));
        }
        let without: Vec<f64> = (0..PARTS).map(|p| best(warms, Some(p))).collect();
        let power = Measured { value: power, error: jackknife(&without) };
        let columns = [linear[0].clone(), linear[1].clone(), third(power.value, warms)];
        let weights: Vec<f64> = sigma.iter().map(|s| 1.0 / (s * s)).collect();
        let Some(design) = Design::new(&columns, &weights) else {
            return Ok((None, crooked_adu));
        };
        let noisy: Vec<f64> =
            (0..count).map(|b| series(b).map_or(f64::NAN, |y| design.coefficient(2, &y))).collect();
        let mut map = GlowMap::smooth(seen.grid, &noisy);
        map.lift(-map.share(DARKEST));
        let peak_adu = map.peak_adu();
        Ok((Some((GlowLaw { power, warms, peak_adu }, map)), 0.0))
    }

    /// How the typical pixel's level goes, its glow taken off.
    fn find_level(&self, seen: &Seen, terms: &[Term], used: &[usize]) -> LevelLaw {
        let shares: Vec<f64> =
            used.iter().map(|g| self.glow_share(terms[*g].exposure_s, terms[*g].temp_c)).collect();
        let levels: Vec<f64> = (used.iter().zip(&shares))
            .map(|(g, share)| self.level_of(&seen.levels[*g], *share))
            .collect();
        let shares = Some(shares).filter(|_| self.glow.is_some() && used.len() > 3);
        let common = level_fit(self.columns(terms, used), shares.clone(), &levels);
        let seconds = |masters: &[usize], per_c: f64| {
            let of = |i: &usize| {
                let term = &terms[used[*i]];
                term.exposure_s * (self.warmth_c(term.temp_c) * per_c).exp2()
            };
            masters.iter().map(of).collect::<Vec<f64>>()
        };
        let all: Vec<usize> = (0..used.len()).collect();
        let with = |masters: &[usize], per_c: f64| {
            let pick = |v: &Vec<f64>| masters.iter().map(|i| v[*i]).collect::<Vec<f64>>();
            let columns = [vec![1.0; masters.len()], seconds(masters, per_c)];
            level_fit(columns, shares.as_ref().map(pick), &pick(&levels))
        };
        let best = |masters: &[usize]| {
            least(DOUBLINGS.0, DOUBLINGS.1, |per_c| with(masters, per_c).error_adu)
        };
        if self.doubling_c.is_none() || used.len() < 6 {
            return common;
        }
        let per_c = best(&all);
        let own = with(&all, per_c);
        if own.error_adu > OWN_SHARE * common.error_adu || own.rate_adu_s <= 0.0 {
            return common;
        }
        let without: Vec<f64> = (all.iter().filter(|i| terms[used[**i]].exposure_s > 0.0))
            .map(|out| best(&all.iter().copied().filter(|i| i != out).collect::<Vec<usize>>()))
            .collect();
        let error = jackknife(&without) / (per_c * per_c);
        LevelLaw { doubling_c: Some(Measured { value: 1.0 / per_c, error }), ..own }
    }

    /// By how much the level of a master lies off these laws, which others than it say, and the standard error of
    /// that, both in ADU; `None` where the others are no more than the law has numbers.
    pub(super) fn level_off(
        &self,
        seen: &Seen,
        terms: &[Term],
        (used, out): (&[usize], usize),
    ) -> Option<(f64, f64)> {
        let glow = |t: &Term| self.glow_share(t.exposure_s, t.temp_c);
        let columns = |of: &[usize]| {
            let each = |f: &dyn Fn(&Term) -> f64| of.iter().map(|g| f(&terms[*g])).collect();
            let seconds = |t: &Term| self.level_seconds(t.exposure_s, t.temp_c);
            let mut columns: Vec<Vec<f64>> = vec![each(&|_| 1.0), each(&seconds)];
            columns.extend(self.glow.is_some().then(|| each(&glow)));
            columns
        };
        let (known, here) = (columns(used), columns(&[out]));
        if used.len() <= known.len() {
            return None;
        }
        let design = Design::new(&known, &vec![1.0; used.len()])?;
        let level = |g: usize| self.level_of(&seen.levels[g], glow(&terms[g]));
        let (mut told, mut spread2) = (0.0, 1.0);
        for (i, g) in used.iter().enumerate() {
            let weight: f64 = design.rows.iter().zip(&here).map(|(row, c)| row[i] * c[0]).sum();
            told += weight * level(*g);
            spread2 += weight * weight;
        }
        let steady_adu = STEADY * (seen.variance[out] * terms[out].frames as f64).sqrt();
        Some((level(out) - told, self.level.error_adu.max(steady_adu) * spread2.sqrt()))
    }

    /// The median of blocks without so large a share of the glow.
    fn level_of(&self, levels: &[f32], share: f64) -> f64 {
        match &self.glow {
            None => middle(levels),
            Some((_, map)) => {
                let rest = levels.iter().zip(&map.blocks);
                let rest: Vec<f32> =
                    rest.map(|(l, g)| (f64::from(*l) - share * f64::from(*g)) as f32).collect();
                middle(&rest)
            }
        }
    }
}

/// A level of columns: none of exposure, one of seconds, and one of the glow where there is one.
fn level_fit(columns: [Vec<f64>; 2], glow: Option<Vec<f64>>, levels: &[f64]) -> LevelLaw {
    let mut columns = columns.to_vec();
    columns.extend(glow);
    let weights = vec![1.0; levels.len()];
    let design = Design::new(&columns, &weights)
        .or_else(|| Design::new(&columns[..2], &weights))
        .or_else(|| Design::new(&columns[..1], &weights));
    let found: Vec<f64> = match &design {
        Some(d) => (0..d.rows.len()).map(|i| d.coefficient(i, levels)).collect(),
        None => vec![levels[0]],
    };
    let said = |i: usize| found.iter().zip(&columns).map(|(f, c)| f * c[i]).sum::<f64>();
    let departures: Vec<f64> = (0..levels.len()).map(|i| levels[i] - said(i)).collect();
    let free = levels.len().saturating_sub(found.len()).max(1) as f64;
    let squares: f64 = departures.iter().map(|d| d * d).sum();
    LevelLaw {
        offset_adu: found[0],
        rate_adu_s: found.get(1).copied().unwrap_or(0.0),
        doubling_c: None,
        glow_adu: found.get(2).copied().unwrap_or(0.0),
        error_adu: (squares / free).sqrt(),
        departures_adu: departures,
    }
}

/// What share of its strength after the longest exposure a glow has.
fn share(exposure_s: f64, longest_s: f64, power: f64) -> f64 {
    if exposure_s > 0.0 { (exposure_s / longest_s).powf(power) } else { 0.0 }
}

fn middle(levels: &[f32]) -> f64 {
    let known: Vec<f32> = levels.iter().copied().filter(|v| v.is_finite()).collect();
    f64::from(photosite_pix::stat::median(&known))
}

/// How far numbers lie apart.
pub(super) fn span(values: &[f64]) -> f64 {
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    (high - low).max(0.0)
}

/// The degrees that double dark current, by hot pixels: those for which every one of them is a line
/// over the seconds that its exposures are worth.
fn doubling(hot: &[Hot], terms: &[Term], used: &[usize], ref_c: f64) -> Result<Measured, Refused> {
    let whole = |h: &&Hot| used.iter().all(|g| h.amplitude_adu[*g].is_finite());
    let hot: Vec<&Hot> = hot.iter().filter(whole).collect();
    if hot.len() < FEWEST_HOT || used.len() < 3 {
        return Err(Refused::TemperatureUnknown { hot: hot.len() });
    }
    let cost = |per_c: f64, masters: &[usize], without: Option<usize>| -> f64 {
        let seconds: Vec<f64> = masters
            .iter()
            .map(|g| {
                let warmth = terms[*g].temp_c.map_or(0.0, |t| t - ref_c);
                terms[*g].exposure_s * (warmth * per_c).exp2()
            })
            .collect();
        let free = (masters.len() as f64 - 2.0).max(1.0);
        let one = |h: &&Hot| {
            let (mut s, mut sx, mut sy, mut sxx, mut sxy, mut syy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
            for (g, x) in masters.iter().zip(&seconds) {
                let y = f64::from(h.amplitude_adu[*g]);
                let w = 1.0 / (f64::from(h.variance[*g]) + (UNLIKE_SHARE * y).powi(2));
                s += w;
                sx += w * x;
                sy += w * y;
                sxx += w * x * x;
                sxy += w * x * y;
                syy += w * y * y;
            }
            let (xx, xy, yy) = (sxx - sx * sx / s, sxy - sx * sy / s, syy - sy * sy / s);
            let left = (yy - if xx > 0.0 { xy * xy / xx } else { 0.0 }).max(0.0) / free;
            // One unsteady pixel has no more say than some steady ones.
            left / (1.0 + left / 25.0)
        };
        hot.iter()
            .enumerate()
            .filter(|(i, _)| without.is_none_or(|part| i % PARTS != part))
            .map(|(_, h)| one(h))
            .sum()
    };
    let best = |masters: &[usize], without| {
        least(DOUBLINGS.0, DOUBLINGS.1, |per_c| cost(per_c, masters, without))
    };
    let per_c = best(used, None);
    let by_pixels: Vec<f64> = (0..PARTS).map(|p| best(used, Some(p))).collect();
    // Without one master each: thermometers are off by more than pixels scatter.
    let mut by_masters = Vec::new();
    for out in used.iter().filter(|g| terms[**g].exposure_s > 0.0) {
        let rest: Vec<usize> = used.iter().copied().filter(|g| g != out).collect();
        let darks = rest.iter().filter(|g| terms[**g].exposure_s > 0.0);
        let temps: Vec<f64> = darks.filter_map(|g| terms[*g].temp_c).collect();
        if rest.len() >= 3 && span(&temps) >= SPAN_C {
            by_masters.push(best(&rest, None));
        }
    }
    let error = match by_masters.len() {
        0 | 1 => jackknife(&by_pixels),
        _ => jackknife(&by_pixels).hypot(jackknife(&by_masters)),
    };
    Ok(Measured { value: 1.0 / per_c, error: error / (per_c * per_c) })
}
