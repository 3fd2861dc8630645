//! The sky over random bad nights, and the lights that are taken of it.

use photosite_pix::{Card, CfaPattern, Header, Plane, Size};
use photosite_sim::{Purpose, Stream};

use crate::Effort;

pub const SIGMA_OF_FWHM: f64 = 1.0 / 2.354_820_045;
pub const SATURATED_ADU: f64 = 60_000.0;
const X_TRANS: &str = "GBGGRGRGRBGBGBGGRGGRGGBGBGBRGRGRGGBG";

/// Something that shines: a star, or the hump of a nebula.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    pub x: f64,
    pub y: f64,
    /// Electrons in a minute under a clear sky.
    pub flux_e: f64,
    /// Its own width, 0 for a star.
    pub sigma_px: f64,
    /// What red, green and blue are of it.
    pub colours: [f64; 3],
}

/// One light of a night, in pixels of the sharpest scale that the night has.
#[derive(Debug, Clone, Copy)]
pub struct Shot {
    pub size: Size,
    /// Pixels of the field along one of the light's.
    pub step: f64,
    pub turn_rad: f64,
    pub shift: (f64, f64),
    pub exposure_s: f64,
    pub through: f64,
    /// Electrons of the sky in a minute and a pixel of the field.
    pub sky_e: f64,
    /// What the sky rises by along both sides, as a share of it.
    pub slope: (f64, f64),
    pub fwhm_px: f64,
    pub binned: bool,
}

impl Shot {
    /// Where a place of the field falls.
    pub fn place(&self, (x, y): (f64, f64), field: Size) -> (f64, f64) {
        let middle = |size: Size| (0.5 * size.width as f64 - 0.5, 0.5 * size.height as f64 - 0.5);
        let (from, to) = (middle(field), middle(self.size));
        let (dx, dy) = ((x - from.0) / self.step, (y - from.1) / self.step);
        let (s, c) = self.turn_rad.sin_cos();
        (to.0 + self.shift.0 + c * dx - s * dy, to.1 + self.shift.1 + s * dx + c * dy)
    }

    /// Minutes of clear sky.
    pub fn worth(&self) -> f64 {
        self.through * self.exposure_s / 60.0
    }

    /// The variance of a sample of the sky.
    pub fn sky_variance(&self, read_e: f64) -> f64 {
        self.sky_e * self.exposure_s / 60.0 * self.step * self.step + read_e * read_e
    }
}

/// A night.
#[derive(Debug, Clone)]
pub struct Night {
    pub key: u64,
    pub field: Size,
    pub array: Option<&'static str>,
    pub read_e: f64,
    pub stars: Vec<Source>,
    pub humps: Vec<Source>,
    pub shots: Vec<Shot>,
    pub what: String,
}

/// The error function, to 1e-7.
///
/// # Source
/// AS64, 7.1.26.
fn erf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let poly = series.iter().fold(0.0, |sum, c| sum * t + c) * t;
    (1.0 - poly * (-x * x).exp()).copysign(x)
}

/// Adds a Gaussian, averaged over boxes of side `side` about the pixels.
fn paint(
    plane: &mut Plane<f32>,
    (x, y): (f64, f64),
    flux: f64,
    (sigma, side): (f64, f64),
    pass: impl Fn(usize, usize) -> f64,
) {
    let reach = 4.5 * sigma + 0.5 * side + 0.5;
    let range = |c: f64, end: usize| {
        let cut = |v: f64| v.clamp(0.0, end as f64) as usize;
        cut((c - reach).ceil())..cut(c + reach + 1.0)
    };
    let edge = |v: f64| 0.5 * (1.0 + erf(v / (sigma * std::f64::consts::SQRT_2)));
    let share = |i: usize, c: f64| {
        (edge(i as f64 - c + 0.5 * side) - edge(i as f64 - c - 0.5 * side)) / side
    };
    let size = plane.size();
    let columns = range(x, size.width);
    let across: Vec<f64> = columns.clone().map(|i| share(i, x)).collect();
    for j in range(y, size.height) {
        let down = flux * share(j, y);
        let row = &mut plane.row_mut(j)[columns.clone()];
        for (i, (v, across)) in row.iter_mut().zip(&across).enumerate() {
            *v += (down * across * pass(columns.start + i, j)) as f32;
        }
    }
}

impl Night {
    pub fn new(key: u64, effort: Effort) -> Self {
        let mut random = Stream::new(key, 14, Purpose::Stars);
        let mut log = |low: f64, high: f64| low * (high / low).powf(random.uniform());
        let quick = effort == Effort::Quick;
        let count = if quick { log(2.0, 8.0) } else { log(2.0, 40.99) } as usize;
        let stars = log(3.0, 400.99) as usize;
        let fwhm_px = log(1.0, 6.0);
        let sky_e = log(5.0, 1000.0);
        let read_e = log(1.5, 8.0);
        let faintest = log(5.0, 20.0);
        let field = match quick {
            true => Size::new(300, 220),
            false => Size::new(log(300.0, 500.0) as usize, log(220.0, 400.0) as usize),
        };
        let mut among = |weights: &[f64]| {
            let mut at = random.uniform();
            weights
                .iter()
                .take_while(|w| {
                    at -= **w;
                    at > 0.0
                })
                .count()
        };
        let array = [None, Some("RGGB"), Some(X_TRANS)][among(&[0.5, 0.3])];
        let cloud = among(&[0.35, 0.25, 0.2]);
        let moon = among(&[0.5, 0.25]);
        let nebula = among(&[0.6]) == 1;
        let gradients = among(&[0.4]) == 1;
        let exposures = among(&[0.8]) == 1;
        let scales = among(&[0.75, if array.is_none() { 0.12 } else { 0.0 }]);
        let flip = among(&[0.7]) == 1;
        let seeing: f64 = [1.0, 1.3, 2.0][among(&[0.3, 0.4])];
        let what = format!(
            "{} x {}, {count} lights, {}, {stars} stars, FWHM {fwhm_px:.1} px, seeing {seeing}, sky {sky_e:.0} \
             e-, read {read_e:.1} e-, cloud {cloud}, moon {moon}{}{}{}{}{}",
            field.width,
            field.height,
            array.map_or("mono", |a| if a.len() == 4 { "OSC" } else { "X-Trans" }),
            if nebula { ", nebula" } else { "" },
            if gradients { ", gradients" } else { "" },
            if exposures { ", 30 and 300 s" } else { "" },
            ["", ", binned", ", two focal lengths"][scales],
            if flip { ", flip" } else { "" },
        );
        let shots = (0..count)
            .map(|i| {
                let mut random = Stream::new(key, 100 + i as u64, Purpose::Dither);
                let at = i as f64 / count as f64;
                let u = random.uniform();
                let step = if i % 3 == 1 { [1.0, 2.0, 1.6][scales] } else { 1.0 };
                let through = match cloud {
                    0 => 1.0 - 0.03 * u,
                    1 => 0.1f64.powf(u * u),
                    2 if u < 0.3 => random.between(0.1, 0.6),
                    2 => 1.0 - 0.05 * u,
                    _ => 1.0 - 0.9 * at,
                };
                let brighter = match moon {
                    0 => 1.0,
                    1 => 1.0 + 9.0 * at,
                    _ => 8f64.powf(random.uniform()),
                };
                // A cloud sends some light back.
                let sky = sky_e * brighter * (1.0 + 0.6 * (1.0 - through));
                let rise = if gradients { 1.0 } else { 0.05 };
                let turn = random.between(-0.004, 0.004);
                let (dx, dy) = random.in_disc();
                let over = |v: usize| (v as f64 / step) as usize;
                Shot {
                    size: Size::new(over(field.width), over(field.height)),
                    step,
                    turn_rad: if flip && 2 * i >= count {
                        turn + std::f64::consts::PI
                    } else {
                        turn
                    },
                    shift: (7.0 * dx / step, 7.0 * dy / step),
                    exposure_s: if exposures && i % 2 == 1 {
                        300.0
                    } else if exposures {
                        30.0
                    } else {
                        60.0
                    },
                    through,
                    sky_e: sky,
                    slope: (rise * random.between(-1.0, 1.0), rise * random.between(-1.0, 1.0)),
                    fwhm_px: (fwhm_px * seeing.powf(random.uniform())).min(8.0),
                    binned: scales == 1 && step > 1.0,
                }
            })
            .collect();
        // What a star must send to stand so far out of one clear light.
        let area = std::f64::consts::PI * (1.5 * fwhm_px.max(1.5)).powi(2);
        let noise = (area * (sky_e + read_e * read_e)).sqrt();
        let star = |i: usize| {
            let (x, y) =
                (random.uniform() * field.width as f64, random.uniform() * field.height as f64);
            let rank = (1.0 - 0.9995 * random.uniform()).powf(-0.9);
            let snr = if i < 3 { 40.0 * 10f64.powf(random.uniform()) } else { faintest * rank };
            let flux_e = snr * noise.hypot(0.5 * snr);
            let red = random.between(0.5, 1.1);
            Source { x, y, flux_e, sigma_px: 0.0, colours: [red, 1.0, 1.5 - red] }
        };
        let stars = (0..stars).map(star).collect();
        let mut random = Stream::new(key, 15, Purpose::Stars);
        let hump = |_| {
            let sigma_px = 8.0 * 6f64.powf(random.uniform());
            let high = sky_e * random.between(0.1, 1.0);
            let (x, y) =
                (random.uniform() * field.width as f64, random.uniform() * field.height as f64);
            let flux_e = high * std::f64::consts::TAU * sigma_px * sigma_px;
            Source { x, y, flux_e, sigma_px, colours: [1.2, 1.0, 0.6] }
        };
        let humps = (0..if nebula { 25 } else { 0 }).map(hump).collect();
        Self { key, field, array, read_e, stars, humps, shots, what }
    }

    /// Whether its stars fall on enough samples: red and blue have every second, or every third.
    pub fn sampled(&self) -> bool {
        let sharpest = self.shots.iter().map(|s| s.fwhm_px / s.step).fold(f64::INFINITY, f64::min);
        self.array.is_none() || sharpest >= 1.8
    }

    pub fn cfa(&self) -> Option<CfaPattern> {
        self.array.and_then(CfaPattern::parse)
    }

    /// A light with its noise, as a camera of 1 e-/ADU sees it, calibrated.
    pub fn light(&self, i: usize) -> Plane<f32> {
        let shot = self.shots[i];
        let minutes = shot.exposure_s / 60.0;
        let cfa = self.cfa();
        let passed = |colours: [f64; 3]| {
            move |x: usize, y: usize| cfa.map_or(1.0, |cfa| colours[cfa.color(x, y).channel()])
        };
        let sky = passed([0.8, 1.0, 0.7]);
        let (w, h) = (shot.size.width as f64, shot.size.height as f64);
        let even = shot.sky_e * minutes * shot.step * shot.step;
        let mut light = Plane::from_fn(shot.size, |x, y| {
            let (u, v) = (x as f64 / w - 0.5, y as f64 / h - 0.5);
            (even * (1.0 + shot.slope.0 * u + shot.slope.1 * v).max(0.05) * sky(x, y)) as f32
        });
        for source in self.stars.iter().chain(&self.humps) {
            let sigma = source.sigma_px.hypot(shot.fwhm_px * SIGMA_OF_FWHM) / shot.step;
            let at = shot.place((source.x, source.y), self.field);
            paint(
                &mut light,
                at,
                source.flux_e * shot.worth(),
                (sigma, 1.0),
                passed(source.colours),
            );
        }
        let mut random = Stream::new(self.key, 1000 + i as u64, Purpose::ReadNoise);
        for v in light.as_mut_slice() {
            *v = (random.poisson(f64::from(*v)) + self.read_e * random.gaussian()) as f32;
        }
        let rays = light.size().pixels() / 20_000;
        for _ in 0..rays {
            let x = (random.uniform() * (w - 3.0)) as usize;
            let y = (random.uniform() * h) as usize;
            let high = 200.0 * 30f64.powf(random.uniform());
            for along in 0..1 + (random.uniform() * 3.0) as usize {
                light.row_mut(y)[x + along] += high as f32;
            }
        }
        light.as_mut_slice().iter_mut().for_each(|v| *v = v.min(SATURATED_ADU as f32));
        light
    }

    pub fn header(&self, i: usize) -> Header {
        let shot = self.shots[i];
        let mut header = Header::new();
        for (key, value) in [
            ("EXPTIME", shot.exposure_s),
            ("EGAIN", 1.0),
            ("RDNOISE", self.read_e),
            ("SATURATE", SATURATED_ADU),
        ] {
            header.set(Card::real(key, value, ""));
        }
        if let Some(array) = self.array {
            header.set(Card::string("BAYERPAT", array, ""));
        }
        if shot.binned {
            header.set(Card::integer("XBINNING", 2, ""));
            header.set(Card::integer("YBINNING", 2, ""));
        }
        header
    }

    /// What a plane of the stack would be without noise and sky, on the pixels of one of its lights and at
    /// its level, for weights of the lights.
    pub fn truth(&self, reference: usize, weights: &[f64], plane: usize) -> Plane<f32> {
        let of = self.shots[reference];
        let mut out = Plane::filled(of.size, 0.0);
        let total: f64 = weights.iter().sum();
        let channel = if self.array.is_some() { plane } else { 1 };
        for (shot, weight) in self.shots.iter().zip(weights).filter(|(_, w)| **w > 0.0) {
            for source in self.stars.iter().chain(&self.humps) {
                let sigma = source.sigma_px.hypot(shot.fwhm_px * SIGMA_OF_FWHM) / of.step;
                let at = of.place((source.x, source.y), self.field);
                let flux = source.flux_e * of.worth() * weight / total * source.colours[channel];
                paint(&mut out, at, flux, (sigma, shot.step / of.step), |_, _| 1.0);
            }
        }
        out
    }

    /// The variance of a star's flux with such weights over the least there is.
    pub fn excess(&self, weights: &[f64]) -> f64 {
        let of = |shot: &Shot| {
            let pixel = shot.step * shot.step / 12.0;
            let width = (shot.fwhm_px * SIGMA_OF_FWHM).powi(2) + pixel;
            shot.sky_variance(self.read_e) * width / (shot.worth() * shot.step).powi(2)
        };
        let used = || self.shots.iter().zip(weights).filter(|(_, w)| **w > 0.0);
        let total: f64 = used().map(|(_, w)| w).sum();
        let variance: f64 = used().map(|(shot, w)| w * w * of(shot)).sum();
        let least: f64 = used().map(|(shot, _)| 1.0 / of(shot)).sum();
        variance / (total * total) * least
    }
}
