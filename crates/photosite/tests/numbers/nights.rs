//! Random bad nights: few stars, moonlight, cloud, gradients, nebulae, bad seeing, undersampled stars,
//! mixed exposures, binnings and focal lengths, each through registration, scales, weights, rejection and
//! stack as `run` does.
//!
//! The oracle is the sky that the lights were made of: the weighted mean of the same lights without noise,
//! cloud or cosmic rays, drawn on the pixels of the reference. What a stack differs from it by within the
//! aperture of a star is that star's error.

use std::path::PathBuf;

use photosite::params::Integration;
use photosite::run::{Integrated, IntegrationRequest, integrate, stars_of};
use photosite_file::fits::{Sample, read_frames};
use photosite_pix::{Card, CfaPattern, Frame, Header, MaskBits, Plane, Size, stat};
use photosite_sim::{Purpose, Stream};

use crate::camera::{Bench, working, write};
use crate::{Effort, Row};

const SIGMA_OF_FWHM: f64 = 1.0 / 2.354_820_045;
const LEAST_APERTURE_PX: f64 = 4.0;
const SATURATED_ADU: f64 = 60_000.0;
const X_TRANS: &str = "GBGGRGRGRBGBGBGGRGGRGGBGBGBRGRGRGGBG";

/// Something that shines: a star, or the hump of a nebula.
#[derive(Debug, Clone, Copy)]
struct Source {
    x: f64,
    y: f64,
    /// Electrons in a minute under a clear sky.
    flux_e: f64,
    /// Its own width, 0 for a star.
    sigma_px: f64,
    /// What red, green and blue are of it.
    colours: [f64; 3],
}

/// One light of a night, in pixels of the sharpest scale that the night has.
#[derive(Debug, Clone, Copy)]
struct Shot {
    size: Size,
    /// Pixels of the field along one of the light's.
    step: f64,
    turn_rad: f64,
    shift: (f64, f64),
    exposure_s: f64,
    through: f64,
    /// Electrons of the sky in a minute and a pixel of the field.
    sky_e: f64,
    /// What the sky rises by along both sides, as a share of it.
    slope: (f64, f64),
    fwhm_px: f64,
    binned: bool,
}

impl Shot {
    /// Where a place of the field falls.
    fn place(&self, (x, y): (f64, f64), field: Size) -> (f64, f64) {
        let middle = |size: Size| (0.5 * size.width as f64 - 0.5, 0.5 * size.height as f64 - 0.5);
        let (from, to) = (middle(field), middle(self.size));
        let (dx, dy) = ((x - from.0) / self.step, (y - from.1) / self.step);
        let (s, c) = self.turn_rad.sin_cos();
        (to.0 + self.shift.0 + c * dx - s * dy, to.1 + self.shift.1 + s * dx + c * dy)
    }

    /// Minutes of clear sky.
    fn worth(&self) -> f64 {
        self.through * self.exposure_s / 60.0
    }

    /// The variance of a sample of the sky.
    fn sky_variance(&self, read_e: f64) -> f64 {
        self.sky_e * self.exposure_s / 60.0 * self.step * self.step + read_e * read_e
    }
}

/// A night.
#[derive(Debug, Clone)]
struct Night {
    key: u64,
    field: Size,
    array: Option<&'static str>,
    read_e: f64,
    stars: Vec<Source>,
    humps: Vec<Source>,
    shots: Vec<Shot>,
    what: String,
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
    fn new(key: u64, effort: Effort) -> Self {
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
            weights.iter().take_while(|w| { at -= **w; at > 0.0 }).count()
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
                    turn_rad: if flip && 2 * i >= count { turn + std::f64::consts::PI } else { turn },
                    shift: (7.0 * dx / step, 7.0 * dy / step),
                    exposure_s: if exposures && i % 2 == 1 { 300.0 } else if exposures { 30.0 } else { 60.0 },
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
            let (x, y) = (random.uniform() * field.width as f64, random.uniform() * field.height as f64);
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
            let (x, y) = (random.uniform() * field.width as f64, random.uniform() * field.height as f64);
            let flux_e = high * std::f64::consts::TAU * sigma_px * sigma_px;
            Source { x, y, flux_e, sigma_px, colours: [1.2, 1.0, 0.6] }
        };
        let humps = (0..if nebula { 25 } else { 0 }).map(hump).collect();
        Self { key, field, array, read_e, stars, humps, shots, what }
    }

    /// Whether its stars fall on enough samples: red and blue have every second, or every third.
    fn sampled(&self) -> bool {
        let sharpest = self.shots.iter().map(|s| s.fwhm_px / s.step).fold(f64::INFINITY, f64::min);
        self.array.is_none() || sharpest >= 1.8
    }

    fn cfa(&self) -> Option<CfaPattern> {
        self.array.and_then(CfaPattern::parse)
    }

    /// A light with its noise, as a camera of 1 e-/ADU sees it, calibrated.
    fn light(&self, i: usize) -> Plane<f32> {
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
            paint(&mut light, at, source.flux_e * shot.worth(), (sigma, 1.0), passed(source.colours));
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

    fn header(&self, i: usize) -> Header {
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
    fn truth(&self, reference: usize, weights: &[f64], plane: usize) -> Plane<f32> {
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
    fn excess(&self, weights: &[f64]) -> f64 {
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

/// A star of a stack: its flux over its true one less 1, and the error of that; by what the stack's `ERR`
/// says, and by what `stars` says where it has found it.
#[derive(Debug, Clone, Copy)]
struct Measured {
    plane: usize,
    off: f64,
    error: f64,
    told: Option<f64>,
}

/// How a night went.
struct Score {
    night: Night,
    lights: usize,
    used: usize,
    scale_error: f64,
    reference: usize,
    excess: f64,
    stars: Vec<Measured>,
    /// Stars that `stars` should have found.
    missed: usize,
    weights: Vec<f64>,
    scales: Vec<f64>,
    widths: Vec<f64>,
    findings: Vec<String>,
}

/// The light about a place, above what lies around it.
struct Within {
    /// What is beyond the truth.
    off: f64,
    /// The truth.
    flux: f64,
    /// By what the pixels' errors let expect it to be off.
    noise: f64,
}

/// The light within `radius` of a place of a stack, means of whose pixels scatter by `shared` more than their
/// errors say; `None` where a sample is missing.
fn within(
    frame: &Frame,
    truth: &Plane<f32>,
    (x, y): (f64, f64),
    (radius, shared): (f64, f64),
) -> Option<Within> {
    let variance = frame.variance.as_ref()?;
    let rim = 1.5 * radius + 8.0;
    let size = frame.size();
    let inside = |v: f64, end: usize| v > rim + 3.0 && v < end as f64 - rim - 4.0;
    if !inside(x, size.width) || !inside(y, size.height) {
        return None;
    }
    let (mut off, mut flux, mut area, mut squares) = (0.0, 0.0, 0.0, 0.0);
    let (mut beside, mut noise) = (Vec::new(), 0.0);
    for j in (y - rim) as usize..=(y + rim) as usize + 1 {
        for i in (x - rim) as usize..=(x + rim) as usize + 1 {
            let away = (i as f64 - x).hypot(j as f64 - y);
            let differs = f64::from(frame.data.get(i, j)) - f64::from(truth.get(i, j));
            let v = f64::from(variance.get(i, j));
            let share = (radius + 0.5 - away).clamp(0.0, 1.0);
            if share > 0.0 {
                let mask = frame.mask.get(i, j);
                if !v.is_finite() || mask.intersects(MaskBits::NO_DATA | MaskBits::SATURATED) {
                    return None;
                }
                off += share * differs;
                flux += share * f64::from(truth.get(i, j));
                squares += share * v;
                area += share;
            } else if away > radius + 1.0 && away < rim && v.is_finite() {
                beside.push(differs as f32);
                noise += v;
            }
        }
    }
    let ring = beside.len() as f64;
    let level = f64::from(stat::median_in_place(&mut beside));
    // A median of n knows pi / 2 less than their mean.
    let of_ring = 1.57 * noise / ring * area * area / ring;
    Some(Within { off: off - area * level, flux, noise: shared * (squares + of_ring).sqrt() })
}

fn score(night: Night) -> Option<Score> {
    let bench = Bench::new();
    let paths: Vec<PathBuf> = (0..night.shots.len())
        .map(|i| {
            let path = bench.path("light");
            write(&path, &night.light(i), Sample::F32, night.header(i));
            path
        })
        .collect();
    let output = bench.path("stack");
    let mut request = IntegrationRequest::new(&paths, &output);
    request.how = Integration::default();
    let done: Integrated = match working(|context| integrate(&request, context)) {
        Ok(done) => done,
        Err(e) => {
            println!("night {}: {}: {e}", night.key, night.what);
            return None;
        }
    };
    let reference = paths.iter().position(|p| *p == done.reference).unwrap();
    let weights: Vec<f64> = done.lights.iter().map(|l| l.weight).collect();
    let used = done.lights.iter().filter(|l| l.used).count();
    let found = working(|context| stars_of(&output, None, 5.5, context)).unwrap();
    let (frames, header) = read_frames(&output).unwrap();
    let of = night.shots[reference];
    // Interpolated stars are never narrower than this, however sharp they were.
    let radius = found.aperture_px.max(LEAST_APERTURE_PX);
    let scale_error = header.get_f64("PSFLXERR").unwrap_or(0.0);
    let (mut stars, mut missed) = (Vec::new(), 0);
    for (plane, frame) in frames.iter().enumerate() {
        let truth = night.truth(reference, &weights, plane);
        let key = if frames.len() == 1 { "PSCORR" } else { ["PSCORRR", "PSCORRG", "PSCORRB"][plane] };
        let shared = header.get_f64(key).unwrap_or(1.0);
        for star in &night.stars {
            let at = of.place((star.x, star.y), night.field);
            // Every light that is used has all of it, and none is clipped.
            let whole = night.shots.iter().zip(&weights).filter(|(_, w)| **w > 0.0).all(|(shot, _)| {
                let (x, y) = shot.place((star.x, star.y), night.field);
                let rim = (1.5 * radius + 8.0) * of.step / shot.step;
                let within = |v: f64, end: usize| v > rim + 5.0 && v < end as f64 - rim - 6.0;
                let sigma = (shot.fwhm_px * SIGMA_OF_FWHM / shot.step).max(0.4);
                let peak = star.flux_e * shot.worth() / (std::f64::consts::TAU * sigma * sigma);
                within(x, shot.size.width) && within(y, shot.size.height)
                    && peak + shot.sky_variance(0.0) < 0.8 * SATURATED_ADU
            });
            if !whole || frame.variance.is_none() {
                continue;
            }
            let Some(seen) = within(frame, &truth, at, (radius, shared)) else { continue };
            let alone = within(frame, &truth, at, (found.aperture_px, shared)).map_or(0.0, |s| s.noise);
            let Within { off, flux, noise } = seen;
            if flux < 10.0 * noise {
                continue;
            }
            let error = noise.hypot(scale_error * flux);
            let near = |s: &&photosite_pix::stars::Star| (s.x - at.0).hypot(s.y - at.1) < 0.5 + 0.2 * radius;
            let told = found.stars.iter().find(near).filter(|_| plane == frames.len() / 2);
            missed += usize::from(told.is_none() && plane == frames.len() / 2);
            // What its own aperture does not hold.
            let beyond = (noise * noise - alone * alone).max(0.0).sqrt();
            let told = told.map(|s| s.flux_error.hypot(beyond) / flux);
            stars.push(Measured { plane, off: off / flux, error: error / flux, told });
        }
    }
    let mut findings: Vec<String> = done.findings.iter().map(|f| f.code.to_string()).collect();
    findings.sort();
    findings.dedup();
    let excess = night.excess(&weights);
    let scales = done
        .lights
        .iter()
        .zip(&night.shots)
        .map(|(l, shot)| {
            let right = of.worth() / shot.worth() * (shot.step / of.step).powi(-2);
            l.flux_scale.map_or(f64::NAN, |s| s.scale / right)
        })
        .collect();
    let widths = done.lights.iter().map(|l| l.fwhm_px.unwrap_or(f64::NAN)).collect();
    Some(Score { widths, lights: night.shots.len(), night, used, scale_error, reference, excess, stars, missed, weights, scales, findings })
}

impl Score {
    /// The weighted mean of what fluxes of a plane are off by, and its error.
    fn bias(&self, plane: usize) -> Option<(f64, f64)> {
        let (mut sum, mut weights, mut count) = (0.0, 0.0, 0);
        for star in self.stars.iter().filter(|s| s.plane == plane) {
            let error = star.error;
            let weight = 1.0 / (error * error - self.scale_error.powi(2)).max(1e-6);
            sum += weight * star.off;
            weights += weight;
            count += 1;
        }
        (count > 0).then(|| (sum / weights, weights.powf(-0.5).hypot(self.scale_error)))
    }

    /// The plane that scales and stars are of.
    fn middle(&self) -> usize {
        usize::from(self.night.array.is_some())
    }

    /// Whether the fluxes of some planes are right to 1 % or 2 sigma.
    fn right(&self, planes: &[usize]) -> bool {
        let of = planes.iter().filter_map(|plane| self.bias(*plane));
        of.fold(true, |right, (off, error)| right && off.abs() < f64::max(0.01, 2.0 * error))
    }

    fn line(&self) -> String {
        let mut out = format!("night {}: {}\n   {} of {} lights on {}, weights cost {:.3}, {} missed", self.night.key, self.night.what, self.used, self.lights, self.reference, self.excess, self.missed);
        for plane in 0..3 {
            if let Some((off, error)) = self.bias(plane) {
                let of: Vec<&Measured> = self.stars.iter().filter(|s| s.plane == plane).collect();
                let within = of.iter().filter(|s| s.off.abs() < 1.96 * s.error).count();
                let told: Vec<f64> = of.iter().filter_map(|s| Some(s.off / s.told?)).collect();
                let within_told = told.iter().filter(|p| p.abs() < 1.96).count();
                out += &format!("; plane {plane}: {:+.2} +- {:.2} %, ERR {within}/{}, stars {within_told}/{}", 100.0 * off, 100.0 * error, of.len(), told.len());
            }
        }
        let show = |v: &[f64]| v.iter().map(|v| format!("{v:.3}")).collect::<Vec<_>>().join(" ");
        out + &format!("\n   scales over right {}\n   weights {}\n   widths {}\n   {:?}", show(&self.scales), show(&self.weights), show(&self.widths), self.findings)
    }
}

/// The share of some, in percent, with its error; counts of 0 and of all know theirs as well.
fn share(of: impl Iterator<Item = bool>) -> (f64, f64) {
    let (yes, all) = of.fold((0.0, 0.0), |(yes, all), is| (yes + f64::from(u8::from(is)), all + 1.0));
    let likely = (yes + 1.0) / (all + 2.0);
    (100.0 * yes / all, 100.0 * f64::sqrt(likely * (1.0 - likely) / all))
}

/// The table of some nights; those that miss are told.
fn table(keys: impl Iterator<Item = u64>, effort: Effort) -> Vec<Row> {
    let scores: Vec<Score> = keys.filter_map(|key| score(Night::new(key, effort))).collect();
    let told: Vec<&Score> = scores.iter().filter(|s| !s.stars.is_empty()).collect();
    for score in &scores {
        let missed = !(score.right(&[score.middle()]) && score.right(&[0, 1, 2]) && score.excess < 1.1);
        if missed || std::env::var_os("PHOTOSITE_NIGHTS").is_some() {
            println!("{}", score.line());
        }
    }
    println!("{} of {} nights have a picture of two lights and more with stars", told.len(), scores.len());
    let lights: usize = scores.iter().map(|s| s.lights).sum();
    let used: usize = scores.iter().map(|s| s.used).sum();
    println!("{used} of {lights} lights were used; others are told as not registered, or obscured");
    let mut rows = Vec::new();
    for (name, sampled) in [("", true), ("array, FWHM below 1.8 px: ", false)] {
        let these: Vec<&Score> = told.iter().filter(|s| s.night.sampled() == sampled).copied().collect();
        let mut row = |what: &str, value: (f64, f64), bar| {
            if value.0.is_finite() {
                rows.push(Row::new("N", format!("{name}{what}"), value, bar));
            }
        };
        let right = |of: &dyn Fn(&Score) -> bool| share(these.iter().map(|s| of(s)));
        row(
            &format!("{} nights, fluxes right to 1 % or 2 sigma: %", these.len()),
            right(&|s| s.right(&[s.middle()])),
            (99.0, 100.0),
        );
        let colour = these.iter().filter(|s| s.night.array.is_some());
        let colour = share(colour.map(|s| s.right(&[0, 2])));
        row("the same of reds and blues: %", colour, (99.0, 100.0));
        row("weights cost less than 10 % of variance: %", right(&|s| s.excess < 1.1), (99.0, 100.0));
        let stars = |s: &Score| -> Vec<Measured> {
            s.stars.iter().filter(|star| star.plane == s.middle()).copied().collect()
        };
        let within = |off: f64, error: f64| off.abs() < 1.96 * error;
        let middle: Vec<Measured> = these.iter().flat_map(|s| stars(s)).collect();
        let by_stars = middle.iter().filter_map(|s| Some(within(s.off, s.told?)));
        row("fluxes within 1.96 of the errors that `stars` says: %", share(by_stars), (93.0, 97.0));
        let by_err = middle.iter().map(|s| within(s.off, s.error));
        row("fluxes within 1.96 of what ERR adds up to: %", share(by_err), (93.0, 100.0));
    }
    rows
}

/// Random bad nights, of the long form those that the table in docs/numbers.md is of.
pub fn bad_nights(effort: Effort) -> Vec<Row> {
    let asked = std::env::var("PHOTOSITE_NIGHTS").ok();
    let asked = asked.as_deref().and_then(|v| v.split_once(".."));
    let asked = asked.and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    table(asked.unwrap_or(0..effort.of(6, 500) as u64), effort)
}

#[test]
#[ignore = "a quarter of an hour"]
fn five_hundred_bad_nights() {
    bad_nights(Effort::Long).iter().for_each(|row| println!("{}", row.line()));
}
