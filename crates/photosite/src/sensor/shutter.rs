//! What a shutter takes off exposures, place by place: by flats of short and of long exposures.
//!
//! Each area of the sensor is compared with all of it, exposure by exposure, so that it does not matter whether the
//! lamp was steady: an area that is lit for longer than the mean has a larger share of short flats than of long ones.

use photosite_pix::linearity::{Curve, curve_for};
use photosite_pix::{Plane, Size};

use super::campaign::Campaign;
use super::estimate::Estimate;
use super::linearity::Steady;
use super::maps::PixelMap;
use super::measure::{Measure, Series};
use super::set::{FrameSet, is_exposure};
use crate::Finding;
use crate::finding::{Severity, first_and_more};

/// Most areas along either side of the sensor.
const ALONG: usize = 8;
/// One in so many areas is lit for longest, and for shortest.
const EXTREME: usize = 16;
/// As many exposures, each in pairs, tell the areas from each other.
const FEW_EXPOSURES: usize = 3;
/// Blocks in which so many pixels, and this share of them, count in some flats alone are left out.
const UNLIKE: (f64, f64) = (1.0, 5e-4);
/// A spread is told from zero by so many errors, and where it is more than this share of the shortest flat: a lamp's
/// light is shaped no more evenly than that from flat to flat.
const TOLD: (f64, f64) = (5.0, 1e-3);
/// A flat, or a light, that differs by more than this share from place to place is uneven.
const UNEVEN: f64 = 0.005;

const METHOD: &str = "share of each area of the sensor in flats of short and of long exposures; the sixteenth that \
                      is lit shortest against the one that is lit longest";

/// What a shutter takes off exposures.
pub struct Shutter {
    /// The values.
    pub measures: Vec<Measure>,
    /// What plots show.
    pub series: Vec<Series>,
    /// That flats or lights are too short for it.
    pub finding: Option<Finding>,
    /// Seconds that are taken off at each pixel, where maps were asked for.
    pub map: Option<PixelMap>,
}

/// The areas of a sensor.
struct Areas {
    across: usize,
    down: usize,
    /// The area that each block lies in.
    of_block: Vec<usize>,
}

impl Areas {
    fn of(campaign: &Campaign) -> Self {
        let grid = &campaign.grid;
        let (across, down) = (ALONG.min(grid.across), ALONG.min(grid.down));
        let area = |block: usize| {
            let (x, y) = (block % grid.across, block / grid.across);
            y * down / grid.down * across + x * across / grid.across
        };
        Self { across, down, of_block: (0..grid.blocks()).map(area).collect() }
    }

    fn count(&self) -> usize {
        self.across * self.down
    }
}

/// Signals of the areas in the first and in the second frames of the pairs of one exposure.
type Halves = [Vec<f64>; 2];

/// The signals of the areas at each exposure, in ADU times blocks, straightened; blocks that flats show differently
/// are left out of all.
fn signals(
    campaign: &Campaign,
    steady: &Steady<'_>,
    curves: &[Curve],
    areas: &Areas,
) -> Vec<(f64, Halves)> {
    let Some(bias) = campaign.bias_levels() else { return Vec::new() };
    let (lanes, set) = (campaign.grid.lanes.len(), steady.set);
    let of = |exposure_s: f64| {
        let here = move |i: usize| is_exposure(set.frames[i].exposure_s, exposure_s);
        let counts = move |i: usize| here(i) && !steady.doubted.contains(&i);
        set.noise_pairs().filter(move |p| counts(p.a) && counts(p.b))
    };
    let paired = |t: &&f64| of(**t).next().is_some();
    let exposures_s: Vec<f64> = steady.exposures_s.iter().filter(paired).copied().collect();
    // In the shadow of dust what counts as odd changes with the level: such blocks have no share of their own.
    let lit = |block: usize| {
        (block * lanes..(block + 1) * lanes).all(|at| {
            let counts = exposures_s.iter().flat_map(|t| of(*t)).map(|p| p.cells[at].n);
            let (least, most) =
                counts.fold((f64::INFINITY, 0.0f64), |(l, m), n| (l.min(n), m.max(n)));
            least > 0.0 && most - least <= UNLIKE.0 + UNLIKE.1 * most
        })
    };
    let used: Vec<usize> = (0..campaign.grid.blocks()).filter(|b| lit(*b)).collect();
    let curves: Vec<Option<&Curve>> =
        campaign.grid.lanes.iter().map(|colour| curve_for(curves, *colour, 0)).collect();
    let signal = |mean: f64, at: usize| {
        let above = mean - bias[at];
        curves[at % lanes].map_or(above, |c| f64::from(c.straight(above as f32)))
    };
    let at_exposure = |t: f64| {
        let mut halves = [(); 2].map(|()| vec![0.0; areas.count()]);
        for pair in of(t) {
            for at in used.iter().flat_map(|b| b * lanes..(b + 1) * lanes) {
                let (area, cell) = (areas.of_block[at / lanes], &pair.cells[at]);
                halves[0][area] += signal(cell.mean_a, at);
                halves[1][area] += signal(cell.mean_b, at);
            }
        }
        (t, halves)
    };
    exposures_s.iter().map(|t| at_exposure(*t)).collect()
}

/// By how much longer than the mean each area is held dark, and what that is known to.
struct Dead {
    /// Seconds beyond the mean by both halves of the frames, and by each; NaN where an area is not seen.
    both_s: Vec<f64>,
    halves_s: Halves,
    /// Standard errors of the areas in seconds, by chance alone.
    errors_s: Vec<f64>,
    /// Variance of the areas about their law by what chance explains.
    chi2: f64,
}

/// Fits the share of each area against 1 / (exposure - dead time): an area that is held dark for d longer than the
/// mean has 1 - d / (exposure - dead time) of its share.
fn dead_times(signals: &[(f64, Halves)], dead_s: f64) -> Option<Dead> {
    let count = signals.first()?.1[0].len();
    let seen: Vec<usize> =
        (0..count).filter(|c| signals.iter().all(|s| s.1[0][*c] > 0.0)).collect();
    if signals.len() < FEW_EXPOSURES
        || seen.len() < EXTREME
        || signals[0].0 <= 2.0 * dead_s.max(0.0)
    {
        return None;
    }
    let shares = |half: &[f64]| -> Vec<f64> {
        let sum: f64 = half.iter().sum();
        half.iter().map(|v| v * seen.len() as f64 / sum).collect()
    };
    let halves: Vec<Halves> = signals.iter().map(|s| s.1.each_ref().map(|h| shares(h))).collect();
    let mean = |h: &Halves, c: usize| 0.5 * (h[0][c] + h[1][c]);
    // The variance of a share is inverse to its light; halves of the frames tell it, exposure by exposure.
    let variance = |h: &Halves| {
        let off = |c: &usize| ((h[0][*c] - h[1][*c]) / mean(h, *c)).powi(2) / 4.0 * mean(h, *c);
        seen.iter().map(off).sum::<f64>() / (seen.len() as f64 - 1.0)
    };
    let weights: Vec<f64> = halves.iter().map(|h| 1.0 / variance(h)).collect();
    if weights.iter().any(|w| !w.is_finite()) {
        return None;
    }
    let inverse: Vec<f64> = signals.iter().map(|s| 1.0 / (s.0 - dead_s)).collect();
    let all: f64 = weights.iter().sum();
    let middle = weights.iter().zip(&inverse).map(|(w, u)| w * u).sum::<f64>() / all;
    let square: f64 = weights.iter().zip(&inverse).map(|(w, u)| w * (u - middle).powi(2)).sum();
    // Level and slope of an area's share about the middle.
    let fit = |y: &dyn Fn(usize) -> f64| {
        let points = || weights.iter().zip(&inverse).enumerate();
        let level = points().map(|(k, (w, _))| w * y(k)).sum::<f64>() / all;
        let slope = points().map(|(k, (w, u))| w * (u - middle) * y(k)).sum::<f64>() / square;
        (level, slope)
    };
    let dead = |(level, slope): (f64, f64)| -slope / (level - slope * middle);
    let mut out = Dead {
        both_s: vec![f64::NAN; count],
        halves_s: [(); 2].map(|()| vec![f64::NAN; count]),
        errors_s: vec![f64::NAN; count],
        chi2: 0.0,
    };
    for c in &seen {
        let law = fit(&|k| mean(&halves[k], *c));
        let share = mean(&halves[0], *c);
        for (k, (w, u)) in weights.iter().zip(&inverse).enumerate() {
            let off = mean(&halves[k], *c) - law.0 - law.1 * (u - middle);
            out.chi2 += w * off * off / share;
        }
        out.both_s[*c] = dead(law);
        for (half, dead_s) in out.halves_s.iter_mut().enumerate() {
            dead_s[*c] = dead(fit(&|k| halves[k][half][*c]));
        }
        out.errors_s[*c] = 1.0 / (square * share).sqrt();
    }
    out.chi2 /= (signals.len() as f64 - 2.0) * (seen.len() as f64 - 1.0);
    Some(out)
}

impl Dead {
    /// How much longer the areas that are held dark longest are than those that are held dark shortest. Either half
    /// of the frames chooses them for the other, so that noise has no part in it.
    fn spread_s(&self) -> Estimate {
        let mut order: Vec<usize> =
            (0..self.both_s.len()).filter(|c| self.both_s[*c].is_finite()).collect();
        let extreme = (order.len() / EXTREME).max(1);
        let mut sum = 0.0;
        for (choosing, telling) in [(0, 1), (1, 0)] {
            let chosen = &self.halves_s[choosing];
            order.sort_by(|a, b| chosen[*a].total_cmp(&chosen[*b]).then(a.cmp(b)));
            let mean = |c: &[usize]| {
                c.iter().map(|c| self.halves_s[telling][*c]).sum::<f64>() / extreme as f64
            };
            sum += mean(&order[order.len() - extreme..]) - mean(&order[..extreme]);
        }
        let squares =
            order.iter().map(|c| self.errors_s[*c].powi(2)).sum::<f64>() / order.len() as f64;
        // Chance averages out over them; a lamp that is shaped otherwise from flat to flat does not.
        let variance = 2.0 * squares * (1.0 / extreme as f64 + (self.chi2 - 1.0).max(0.0));
        Estimate { value: 0.5 * sum, error: variance.sqrt(), freedom: order.len() as f64 - 1.0 }
    }

    /// The error of an area in seconds.
    fn error_s(&self, area: usize) -> f64 {
        self.errors_s[area] * self.chi2.max(1.0).sqrt()
    }
}

/// Measures what a shutter takes off exposures; `steady` are the flats whose law is known, `curves` what straightens
/// them.
pub fn shutter(campaign: &Campaign, steady: Option<&Steady<'_>>, curves: &[Curve]) -> Shutter {
    let mut out = Shutter { measures: Vec::new(), series: Vec::new(), finding: None, map: None };
    let areas = Areas::of(campaign);
    let found = steady
        .and_then(|s| Some((s, dead_times(&signals(campaign, s, curves, &areas), s.dead_s)?)));
    let Some((steady, dead)) = found else {
        let why = "pairs of flats of four or more exposures, up to three times as long as the shortest and more, \
                   are needed";
        out.measures.push(Measure::none("shutter_spread", "s", METHOD, why));
        return out;
    };
    let spread = dead.spread_s();
    let shortest_s = steady.exposures_s[0];
    let told = spread.value > TOLD.0 * spread.error && spread.value > TOLD.1 * shortest_s;
    let names = || steady.set.names();
    let known = if told { spread } else { Estimate { value: spread.value.max(0.0), ..spread } };
    let measure = Measure::of("shutter_spread", known, "s", METHOD).from(names());
    out.measures.push(match told {
        true => measure,
        false => measure.within(known.low().max(0.0), known.high()).but("not told from zero"),
    });
    if told {
        let method =
            "exposure from which a flat or a light differs by less than 0.5 % from place to place";
        let safe = spread.times(1.0 / UNEVEN);
        out.measures.push(Measure::of("shutter_safe_exposure", safe, "s", method).from(names()));
        out.finding = uneven(campaign, steady.set, spread);
    }
    out.series = profiles(&dead, &areas, steady.dead_s);
    out.map = campaign.with_maps.then(|| PixelMap {
        name: "SHUTTER",
        what: format!(
            "what the shutter takes off each exposure, by {} flats",
            steady.set.frames.len()
        ),
        unit: "s",
        plane: smooth(&dead, &areas, steady.dead_s, campaign.grid.size),
    });
    out
}

/// That flats, or lights, are short beside what the shutter takes off them.
fn uneven(campaign: &Campaign, flats: &FrameSet, spread: Estimate) -> Option<Finding> {
    let flat_s = flats.frames.iter().map(|f| f.exposure_s).fold(f64::INFINITY, f64::min);
    let light_s = campaign.shortest_light_s.unwrap_or(f64::INFINITY);
    let least_s = flat_s.min(light_s);
    if spread.value <= UNEVEN * least_s {
        return None;
    }
    let what = |t: f64, name: &str| {
        (t.is_finite() && spread.value > UNEVEN * t)
            .then(|| format!("a {name} of {t} s is off by {:.1} %", 100.0 * spread.value / t))
    };
    let all: Vec<String> = what(flat_s, "flat").into_iter().chain(what(light_s, "light")).collect();
    let message = format!(
        "the shutter holds an area of the sensor dark for {:.4} s ({:.4} to {:.4}) longer than another: {} from place \
         to place",
        spread.value,
        spread.low(),
        spread.high(),
        all.join(", ")
    );
    let hint = format!(
        "Expose flats, and lights that brightness is measured in, for {:.2} s and longer: a dimmer lamp, a later \
         twilight.",
        spread.value / UNEVEN
    );
    let subject = first_and_more(&flats.frames[0].name, flats.frames.len());
    let finding =
        Finding::new("sensor-shutter-uneven", Severity::Warning, subject, message).hint(hint);
    Some(
        finding
            .with("spread_s", spread.value)
            .with("safe_s", spread.value / UNEVEN)
            .with("shortest_s", least_s),
    )
}

/// What is taken off along columns and along rows, from -1 at the first to 1 at the last.
fn profiles(dead: &Dead, areas: &Areas, dead_s: f64) -> Vec<Series> {
    let along = |label: &str, count: usize, of: &dyn Fn(usize) -> usize| {
        let point = |i: usize| {
            let here: Vec<usize> =
                (0..areas.count()).filter(|c| of(*c) == i && dead.both_s[*c].is_finite()).collect();
            let n = here.len() as f64;
            let mean = here.iter().map(|c| dead.both_s[*c]).sum::<f64>() / n;
            let error = here.iter().map(|c| dead.error_s(*c).powi(2)).sum::<f64>().sqrt() / n;
            [(2 * i + 1) as f64 / count as f64 - 1.0, dead_s + mean, error]
        };
        let points = (0..count).map(point).filter(|p| p[1].is_finite()).collect();
        Series { plot: "shutter".to_owned(), label: label.to_owned(), points }
    };
    vec![
        along("from the left to the right", areas.across, &|c| c % areas.across),
        along("from the first row to the last", areas.down, &|c| c / areas.across),
    ]
}

/// What is taken off at each pixel: straight lines between the middles of the areas; areas that are not seen are as
/// those about them.
fn smooth(dead: &Dead, areas: &Areas, dead_s: f64, size: Size) -> Plane<f32> {
    let mut of_area = dead.both_s.clone();
    while of_area.iter().any(|d| d.is_nan()) {
        let before = of_area.clone();
        for area in (0..areas.count()).filter(|p| before[*p].is_nan()) {
            let near = |other: &usize| {
                let apart = |a: usize, b: usize| a.abs_diff(b) <= 1;
                apart(other % areas.across, area % areas.across)
                    && apart(other / areas.across, area / areas.across)
            };
            let about =
                (0..areas.count()).filter(near).map(|p| before[p]).filter(|d| d.is_finite());
            let (sum, n) = about.fold((0.0, 0.0), |(s, n), d| (s + d, n + 1.0));
            of_area[area] = sum / n;
        }
    }
    // Between which areas a pixel lies, and how far behind the first.
    let between = |at: usize, pixels: usize, count: usize| {
        let place = (at as f64 + 0.5) * count as f64 / pixels as f64 - 0.5;
        let first = (place.max(0.0) as usize).min(count.saturating_sub(2));
        (first, (first + 1).min(count - 1), place - first as f64)
    };
    let columns: Vec<_> = (0..size.width).map(|x| between(x, size.width, areas.across)).collect();
    Plane::from_fn(size, |x, y| {
        let (left, right, fx) = columns[x];
        let (top, bottom, fy) = between(y, size.height, areas.down);
        let at = |column: usize, row: usize| of_area[row * areas.across + column];
        let line = |row: usize| at(left, row) * (1.0 - fx) + at(right, row) * fx;
        (dead_s + line(top) * (1.0 - fy) + line(bottom) * fy) as f32
    })
}
