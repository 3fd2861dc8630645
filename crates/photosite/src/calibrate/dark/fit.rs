//! How much of a dark is in a light: from the light's own hot and warm pixels.

use std::ops::Range;

use photosite_pix::slope::{Point, Slope, pooled, through_origin};
use photosite_pix::{Size, stat};
use serde::{Deserialize, Serialize};

use super::declined::{Declined, FEWEST};
use super::sites::{HotSites, STRATA, Site, within};
use super::tiles::Tiles;
use crate::calibrate::masters::Bias;
use crate::{Error, Result};

/// Neighbours that lie so much further apart than usual hold the flank of a star.
const STAR_SPREAD: f64 = 3.0;
/// Fewest of a stratum; smaller ones go with the one below.
const FEWEST_OF_STRATUM: usize = 30;
/// The share of the factor, and what beside it, that its error may be.
const MOST_ERROR: (f64, f64) = (0.1, 0.01);
/// How far strata may differ beyond their errors, as a share of the factor.
const STRATA_SHARE: f64 = 0.05;
/// Standard errors beyond which a difference is no chance.
const SIGMAS: f64 = 4.0;
/// The largest correlation of what is left with the amplitude that is nothing.
const LEFT: f64 = 0.2;
/// The share of a light's noise from one pixel to the next below which glow is not seen.
const GLOW_SHARE: f64 = 0.1;
/// The same for glow that may be left because the light does not tell.
const UNPROVEN_SHARE: f64 = 0.25;

/// One stratum of a fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stratum {
    /// The colour's channel: 0 red or monochrome, 1 green, 2 blue.
    pub channel: usize,
    /// Its lowest amplitude in the dark, in ADU.
    pub from_adu: f64,
    /// Its own factor.
    pub k: f64,
    /// The standard error of that.
    pub error: f64,
    /// How many pixels.
    pub sites: usize,
}

/// A dark fitted to a light.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DarkFit {
    /// How much of the dark is in the light, by its hot and warm pixels; `None` where too few can be
    /// compared.
    pub k: Option<f64>,
    /// The standard error.
    pub error: f64,
    /// Pixels that made it.
    pub sites: usize,
    /// By colour and amplitude.
    pub strata: Vec<Stratum>,
    /// The correlation of what is left with the amplitude.
    pub correlation: f64,
    /// The factor that the glow alone calls for, and its error, where the dark has glow.
    pub glow: Option<(f64, f64)>,
    /// The noise of the light from pixel to pixel in ADU.
    pub noise_adu: f64,
    /// Why it is not to be used; `None` where it is.
    pub declined: Option<Declined>,
    /// What each bright pixel calls for.
    #[serde(skip)]
    pub each: Vec<Bright>,
}

/// What a bright pixel calls for by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bright {
    /// Its amplitude in the dark, in ADU.
    pub amplitude_adu: f64,
    /// Its factor.
    pub k: f64,
    /// The standard error of that.
    pub error: f64,
}

impl Bright {
    /// Whether it calls for this factor, as far as its error goes.
    pub fn calls_for(&self, factor: f64) -> bool {
        (self.k - factor).abs() < 2.0 * self.error.hypot(BRIGHT_UNLIKE)
    }
}

/// A bright pixel tells its factor to this error by itself.
const BRIGHT_ERROR: f64 = 0.2;
/// More of them tell no more, and fits are kept for all lights.
const MOST_BRIGHT: usize = 1024;
/// What else it may be off by.
const BRIGHT_UNLIKE: f64 = 0.05;
/// So many bright pixels, and such a share of them, that hold a factor say that it is right, however many others
/// were hot in the dark alone: struck, or of those that jump.
const HOLDING: (usize, f64) = (6, 0.4);
/// Factors that lie so far apart are told apart by bright pixels.
const TOLD_APART: f64 = 0.3;

/// Hot pixels contradict labels where they call for another factor by so many errors, and by such a share:
/// temperatures that count as one make a sixth.
const CONTRADICTED: (f64, f64) = (5.0, 0.2);

impl DarkFit {
    /// Whether hot pixels call for another factor than labels, which expect this one; not where they tell
    /// none.
    pub fn contradicts(&self, expected: f64) -> bool {
        let (errors, share) = CONTRADICTED;
        let most = (errors * self.error).max(share * expected);
        self.k.is_some_and(|k| (k - expected).abs() > most) && !self.holds(expected)
    }

    /// Whether bright pixels say that a factor is right which all together are far from: what was struck by a
    /// particle in the dark, or jumps, holds none.
    pub fn holds(&self, factor: f64) -> bool {
        let Some(all) = self.k else { return false };
        let near = |b: &&Bright| b.calls_for(factor) && (b.k - factor).abs() < (b.k - all).abs();
        let holding = self.each.iter().filter(near).count();
        let (fewest, share) = HOLDING;
        (all - factor).abs() > TOLD_APART
            && holding >= fewest
            && holding as f64 >= share * self.each.len() as f64
    }
}

/// What a light holds at the sites of a dark.
pub struct Seen {
    sites: Vec<Option<(f64, f64)>>,
    controls: Vec<Option<(f64, f64)>>,
    tiles: Option<Tiles>,
}

impl HotSites {
    /// Looks at the sites in a frame of `size` that `read` gives rows of, raw; samples at or above
    /// `saturation_adu` and those that are not known do not count.
    ///
    /// # Errors
    /// When the frame has another size, or cannot be read.
    pub fn look(
        &self,
        size: Size,
        bias: Option<&Bias>,
        saturation_adu: Option<f32>,
        mut read: impl FnMut(Range<usize>, &mut [f32]) -> Result<()>,
    ) -> Result<Seen> {
        if size != self.size {
            return Err(Error::mismatch(format!(
                "the light is {size} pixels, its dark {}",
                self.size
            )));
        }
        let (step, width) = (self.step(), size.width);
        let mut tiles = self.has_glow().then(|| Tiles::new(size));
        let full = saturation_adu.unwrap_or(f32::INFINITY);
        let mut seen = Seen {
            sites: Vec::with_capacity(self.sites.len()),
            controls: Vec::with_capacity(self.controls.len()),
            tiles: None,
        };
        let mut band: Vec<f32> = Vec::new();
        for (index, rows) in self.tiles.bands().enumerate() {
            let first = rows.start.saturating_sub(step);
            let last = (rows.end + step).min(size.height);
            band.resize((last - first) * width, 0.0);
            read(first..last, &mut band)?;
            for (n, line) in band.chunks_exact_mut(width.max(1)).enumerate() {
                let bias = bias.map(|b| b.row(first + n));
                for (x, v) in line.iter_mut().enumerate() {
                    let level = bias.as_ref().map_or(0.0, |b| b(x));
                    *v = if *v >= full { f32::NAN } else { *v - level };
                }
            }
            let value = |x: usize, y: usize| band[(y - first) * width + x];
            let at = |s: &Site| s.above(value, (size, step));
            seen.sites.extend(self.sites[within(&self.sites, &rows)].iter().map(at));
            seen.controls.extend(self.controls[within(&self.controls, &rows)].iter().map(at));
            if let Some(tiles) = &mut tiles {
                let inner = (rows.start - first) * width..(rows.end - first) * width;
                tiles.see(index, &band[inner], |x, y| self.of_level(x, y));
            }
        }
        seen.tiles = tiles;
        Ok(seen)
    }

    /// The root mean square of what lies smoothly over the dark, in ADU.
    pub fn smooth_adu(&self) -> f64 {
        self.tiles.smooth_adu()
    }

    /// How much of all that lies smoothly over the dark is in a frame of `size` whose rows `row` gives, and the
    /// error of that; `None` where frames are too small.
    pub fn shape_in(&self, size: Size, row: impl Fn(usize, &mut [f32])) -> Option<(f64, f64)> {
        let mut tiles = Tiles::new(size);
        let bands: Vec<_> = tiles.bands().collect();
        for (n, rows) in bands.into_iter().enumerate() {
            let mut band = vec![0.0f32; rows.len() * size.width];
            for (y, out) in rows.zip(band.chunks_exact_mut(size.width)) {
                row(y, out);
            }
            tiles.see(n, &band, |_, _| true);
        }
        let slope = tiles.follow_whole(&self.tiles)?;
        Some((slope.k, slope.error))
    }

    /// Looks at the sites, and not at glow, in a frame that is in memory; `value` is NaN where it has none.
    pub fn look_at(&self, value: impl Fn(usize, usize) -> f32 + Copy) -> Seen {
        let on = (self.size, self.step());
        let at = |s: &Site| s.above(value, on);
        let all = |sites: &[Site]| sites.iter().map(at).collect();
        Seen { sites: all(&self.sites), controls: all(&self.controls), tiles: None }
    }

    /// Whether the dark has structure that its noise does not explain.
    pub fn has_glow(&self) -> bool {
        self.signal.glow_adu > 0.1 * self.signal.noise_adu
    }

    /// Fits the dark to what was seen.
    ///
    /// k is the robust slope of the light's hot and warm pixels over the dark's; ordinary pixels give the
    /// origin, and strata of colour and amplitude, each with a slope of its own, the proof.
    ///
    /// # Source
    /// Huber1964, Beaton1974 for the slopes; Birge1932 for the error where strata scatter.
    pub fn fit(&self, seen: &Seen) -> DarkFit {
        self.fit_below(seen, f64::INFINITY)
    }

    /// The same by those hot pixels alone that are fainter in the dark than so many ADU.
    pub fn fit_below(&self, seen: &Seen, below_adu: f64) -> DarkFit {
        let usual = usual_spread(&self.controls, &seen.controls);
        let good = |s: &Site, v: &Option<(f64, f64)>| -> Option<f64> {
            let (y, spread) = (*v)?;
            (spread <= STAR_SPREAD * usual[usize::from(s.channel)]).then_some(y)
        };
        let pairs = |sites: &[Site], seen: &[Option<(f64, f64)>]| -> Vec<(Site, f64)> {
            sites.iter().zip(seen).filter_map(|(s, v)| Some((*s, good(s, v)?))).collect()
        };
        let mut sites = pairs(&self.sites, &seen.sites);
        sites.retain(|(s, _)| s.amplitude_adu < below_adu);
        let ordinary = pairs(&self.controls, &seen.controls);
        let noise: [f64; 3] = std::array::from_fn(|c| scatter(&ordinary, c));
        let used: Vec<f64> = noise.into_iter().filter(|n| n.is_finite()).collect();
        let noise_adu = used.iter().sum::<f64>() / used.len().max(1) as f64;
        let mut fit = DarkFit {
            k: None,
            error: f64::INFINITY,
            sites: sites.len(),
            strata: Vec::new(),
            correlation: 0.0,
            glow: None,
            noise_adu,
            declined: None,
            each: Vec::new(),
        };
        let first: Vec<Point> = sites
            .iter()
            .map(|(s, y)| Point { x: s.amplitude_adu, y: *y, sd: noise[usize::from(s.channel)] })
            .collect();
        let start = through_origin(&first).filter(|s| s.count >= FEWEST);
        let Some(start) = start else {
            fit.declined = Some(Declined::TooFewHotPixels { sites: sites.len() });
            return fit;
        };
        let mut k = start.k;
        // The origin depends on the slope and the slope on the origin, a little.
        for _ in 0..3 {
            let origins: [Option<Slope>; 3] = std::array::from_fn(|c| origin(&ordinary, c, k));
            let points = points(&sites, (k, &noise, &origins));
            let of_one = |(s, p): &(Site, Point)| Bright {
                amplitude_adu: p.x,
                k: p.y / p.x,
                error: noise[usize::from(s.channel)] / p.x,
            };
            let bright = || points.iter().map(of_one).filter(|b| b.error < BRIGHT_ERROR);
            fit.each = bright().step_by(bright().count().div_ceil(MOST_BRIGHT).max(1)).collect();
            let all: Vec<Point> = points.iter().map(|p| p.1).collect();
            let Some(whole) = through_origin(&all) else { break };
            let groups = groups(&points);
            let slopes: Vec<Slope> = groups.iter().map(|g| g.1).collect();
            let Some(strata) = pooled(&slopes) else { break };
            k = whole.k;
            fit.k = Some(k);
            // Strata that scatter more than their errors let expect leave the whole uncertain too.
            let wider = (strata.chi2 / strata.free.max(1) as f64).sqrt().max(1.0);
            fit.error = wider * whole.error.hypot(origin_error(&all, &points, &origins));
            fit.sites = whole.count;
            let free = strata.free as f64;
            let doubtful = strata.chi2 > free + SIGMAS * (2.0 * free).sqrt();
            let apart = strata.excess > STRATA_SHARE * k.abs().max(0.02);
            let (low, high) = slopes
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), s| (l.min(s.k), h.max(s.k)));
            fit.declined = (doubtful && apart).then_some(Declined::StrataDisagree { low, high });
            fit.strata = groups.iter().map(|g| g.0).collect();
            fit.correlation = left(&points, k);
        }
        fit.glow = self.glow(seen);
        // Glow pulls strata and what is left apart too: it is the cause, so it is named.
        let strata = fit.declined;
        fit.declined = self.glow_differs(&fit).or(strata).or_else(|| judge(&fit));
        fit
    }

    /// That the glow calls for another factor than the hot pixels, or may do so for all that the light
    /// tells, and that this would be seen.
    fn glow_differs(&self, fit: &DarkFit) -> Option<Declined> {
        let (k, (glow, error)) = fit.k.zip(fit.glow)?;
        let off = (glow - k).abs();
        let chance = error.hypot(fit.error);
        let left = |factor: f64| factor * self.signal.glow_adu / fit.noise_adu;
        // No glow is more than once in a light than in a longer dark.
        let unproven = left(off.max(error).min(1.0)) > UNPROVEN_SHARE;
        if (off > SIGMAS * chance && left(off) > GLOW_SHARE) || (off > 2.0 * chance && unproven) {
            return Some(Declined::GlowDiffers { glow });
        }
        unproven.then_some(Declined::GlowUnproven { error })
    }

    fn glow(&self, seen: &Seen) -> Option<(f64, f64)> {
        let slope = seen.tiles.as_ref()?.follow(&self.tiles)?;
        Some((slope.k, slope.error))
    }
}

/// Whether a factor is known well enough to be used.
pub(super) fn is_certain(k: f64, error: f64) -> bool {
    error <= MOST_ERROR.0 * k.abs() + MOST_ERROR.1
}

/// What else speaks against a factor.
fn judge(fit: &DarkFit) -> Option<Declined> {
    let k = fit.k?;
    if !is_certain(k, fit.error) {
        return Some(Declined::Uncertain { error: fit.error });
    }
    let chance = SIGMAS / (fit.sites.max(1) as f64).sqrt();
    let correlation = fit.correlation;
    (correlation.abs() > chance.max(LEFT)).then_some(Declined::ResidualCorrelates { correlation })
}

/// The sites as points of a line through the origin, each with the scatter of its stratum.
fn points(
    sites: &[(Site, f64)],
    (k, noise, origins): (f64, &[f64; 3], &[Option<Slope>; 3]),
) -> Vec<(Site, Point)> {
    let mut all: Vec<(Site, Point)> = sites
        .iter()
        .filter_map(|(s, y)| {
            let c = usize::from(s.channel);
            let origin = origins[c]?;
            let (x, y) = (s.amplitude_adu, y - origin.k - s.shared_adu);
            Some((*s, Point { x, y, sd: noise[c] }))
        })
        .collect();
    let law = ScatterLaw::of(&all, k);
    for (s, point) in &mut all {
        let hot = law.variance(s.amplitude_adu);
        point.sd = (point.sd * point.sd + hot).sqrt().hypot(UNLIKE * k * s.amplitude_adu);
    }
    all
}

/// What hot pixels scatter from dark to light beyond noise, as a share of their signal, whatever this
/// light shows: 1 to 2 % was seen between darks and lights of one night. It keeps a few bright ones
/// from deciding alone.
const UNLIKE: f64 = 0.01;

/// How the scatter about the line grows with amplitude: shot noise, unsteady pixels, noise of the dark.
struct ScatterLaw {
    /// (logarithm of the amplitude, variance beyond that of ordinary pixels in ADU²).
    knots: Vec<(f64, f64)>,
}

impl ScatterLaw {
    /// From the residuals of each stratum, whatever its colour.
    fn of(points: &[(Site, Point)], k: f64) -> Self {
        let mut knots: Vec<(f64, f64)> = Vec::new();
        for part in by_stratum(points.iter().collect(), FEWEST_OF_STRATUM) {
            let r = |p: &&(Site, Point)| (p.1.y - k * p.1.x).abs() as f32;
            let sigma = stat::MAD_TO_SIGMA
                * f64::from(stat::median(&part.iter().map(r).collect::<Vec<f32>>()));
            let noise = part.iter().map(|p| p.1.sd * p.1.sd).sum::<f64>() / part.len() as f64;
            let x: Vec<f32> = part.iter().map(|p| p.1.x as f32).collect();
            let least = 0.02 * noise;
            knots.push((
                f64::from(stat::median(&x)).max(1e-9).ln(),
                (sigma * sigma - noise).max(least),
            ));
        }
        knots.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { knots }
    }

    /// Between strata as a power of the amplitude; beyond them as shot noise has it.
    fn variance(&self, amplitude_adu: f64) -> f64 {
        let (Some(first), Some(last)) = (self.knots.first(), self.knots.last()) else { return 0.0 };
        let x = amplitude_adu.max(1e-9).ln();
        if x <= first.0 {
            return first.1;
        }
        if x >= last.0 {
            return last.1 * (x - last.0).exp();
        }
        let above = self.knots.iter().position(|k| k.0 > x).unwrap_or(self.knots.len() - 1);
        let (low, high) = (self.knots[above - 1], self.knots[above]);
        let share = (x - low.0) / (high.0 - low.0);
        (low.1.ln() * (1.0 - share) + high.1.ln() * share).exp()
    }
}

/// Parts of points, stratum by stratum; a stratum of fewer than `fewest` goes with the one below.
fn by_stratum(points: Vec<&(Site, Point)>, fewest: usize) -> Vec<Vec<&(Site, Point)>> {
    let mut strata: Vec<Vec<&(Site, Point)>> = vec![Vec::new(); STRATA];
    for point in points {
        strata[usize::from(point.0.stratum)].push(point);
    }
    for s in (1..STRATA).rev() {
        if strata[s].len() < fewest {
            let few = std::mem::take(&mut strata[s]);
            strata[s - 1].extend(few);
        }
    }
    // The lowest has none below.
    if strata[0].len() < fewest
        && let Some(next) = (1..STRATA).find(|s| !strata[*s].is_empty())
    {
        let few = std::mem::take(&mut strata[0]);
        strata[next].extend(few);
    }
    strata.retain(|s| !s.is_empty());
    strata
}

/// The slopes of each colour's strata.
fn groups(points: &[(Site, Point)]) -> Vec<(Stratum, Slope)> {
    let mut out = Vec::new();
    for channel in 0..3 {
        let of_colour = points.iter().filter(|p| usize::from(p.0.channel) == channel);
        for part in by_stratum(of_colour.collect(), FEWEST_OF_STRATUM) {
            let part: Vec<Point> = part.iter().map(|p| p.1).collect();
            let slope = through_origin(&part).filter(|s| s.error > 0.0);
            out.extend(slope.map(|slope| {
                let from_adu = part.iter().map(|p| p.x).fold(f64::INFINITY, f64::min);
                let Slope { k, error, count, .. } = slope;
                (Stratum { channel, from_adu, k, error, sites: count }, slope)
            }));
        }
    }
    out
}

/// How far neighbours of ordinary pixels lie apart, colour by colour.
fn usual_spread(controls: &[Site], seen: &[Option<(f64, f64)>]) -> [f64; 3] {
    std::array::from_fn(|c| {
        let of_colour = controls.iter().zip(seen).filter(|(s, _)| usize::from(s.channel) == c);
        let all: Vec<f32> = of_colour.filter_map(|(_, v)| Some(v.as_ref()?.1 as f32)).collect();
        f64::from(stat::median(&all))
    })
}

/// The noise of ordinary pixels of a colour.
fn scatter(ordinary: &[(Site, f64)], channel: usize) -> f64 {
    let of_colour = ordinary.iter().filter(|p| usize::from(p.0.channel) == channel);
    let all: Vec<f32> = of_colour.map(|p| p.1 as f32).collect();
    stat::MAD_TO_SIGMA * f64::from(stat::median_mad(&all).1)
}

/// How far ordinary pixels of a colour stand above their neighbours: what the sky alone does.
fn origin(ordinary: &[(Site, f64)], channel: usize, k: f64) -> Option<Slope> {
    let of_colour = ordinary.iter().filter(|p| usize::from(p.0.channel) == channel);
    let points: Vec<Point> =
        of_colour.map(|(s, y)| Point { x: 1.0, y: y - k * s.amplitude_adu, sd: 1.0 }).collect();
    through_origin(&points)
}

/// What the error of the origins adds to that of the slope.
fn origin_error(all: &[Point], points: &[(Site, Point)], origins: &[Option<Slope>; 3]) -> f64 {
    let weight = |p: &Point| p.x / (p.sd * p.sd);
    let xx: f64 = all.iter().map(|p| weight(p) * p.x).sum();
    let of = |c: usize| {
        let part = points.iter().filter(|p| usize::from(p.0.channel) == c);
        part.map(|p| weight(&p.1)).sum::<f64>() / xx * origins[c].map_or(0.0, |o| o.error)
    };
    (0..3).map(of).filter(|e| e.is_finite()).fold(0.0, f64::hypot)
}

/// The correlation of what is left, in its own scatter and cut at 3 of it, with the logarithm of the
/// amplitude.
fn left(points: &[(Site, Point)], k: f64) -> f64 {
    let pairs: Vec<(f64, f64)> = points
        .iter()
        .map(|(_, p)| (p.x.max(1e-9).ln(), ((p.y - k * p.x) / p.sd).clamp(-3.0, 3.0)))
        .collect();
    let n = pairs.len() as f64;
    let (mx, my) = pairs.iter().fold((0.0, 0.0), |(a, b), (x, r)| (a + x / n, b + r / n));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, r) in &pairs {
        let (dx, dy) = (x - mx, r - my);
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    let correlation = xy / (xx * yy).sqrt();
    if correlation.is_finite() { correlation } else { 0.0 }
}
