//! The sensor and what is fixed on it.

use photosite_pix::{CfaPattern, Plane, Size};
use serde::{Deserialize, Serialize};

use crate::faulty::faulty_pixels;
use crate::math::{exp, exp2, pow, sin_cos};
use crate::rng::{Purpose, Stream};
use crate::{Effects, FaultRates, FaultyPixel, Night, Outputs, PixelFault, Shutter, Star};

/// A camera's sensor with the optics in front of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sensor {
    /// Pixels.
    pub size: Size,
    /// The colour filters, where there are any.
    pub cfa: Option<CfaPattern>,
    /// Pixel pitch in micrometres.
    pub pixel_um: f64,
    /// Conversion gain in electrons per ADU.
    pub gain_e_per_adu: f64,
    /// The camera's gain register, or ISO.
    pub gain_setting: i64,
    /// The camera's offset register, where it has one.
    pub offset_setting: Option<i64>,
    /// Read noise in electrons, without that of rounding.
    pub read_noise_e: f64,
    /// Bias level in ADU.
    pub offset_adu: f64,
    /// Bits of the converter.
    pub bits: u32,
    /// Electrons that a pixel holds.
    pub full_well_e: f64,
    /// Standard deviation of the column pattern in ADU.
    pub bias_column_adu: f64,
    /// Standard deviation of the row pattern in ADU.
    pub bias_row_adu: f64,
    /// Rise of the bias from the first row to the last in ADU.
    pub bias_gradient_adu: f64,
    /// Mean dark current at the reference temperature in electrons a second, hot pixels left out.
    pub dark_e_s: f64,
    /// Standard deviation of the logarithm of the dark current (DSNU).
    pub dark_log_sd: f64,
    /// The temperature that dark currents are given for, in degrees Celsius.
    pub dark_ref_c: f64,
    /// Degrees that double the dark current.
    pub t_double_c: f64,
    /// Share of the pixels that are hot.
    pub hot_fraction: f64,
    /// The least a hot pixel adds at the reference temperature, in electrons a second.
    pub hot_min_e_s: f64,
    /// Faulty pixels of other kinds.
    #[serde(default)]
    pub faults: FaultRates,
    /// Electrons in the glow's corner after an endless exposure.
    pub glow_e: f64,
    /// Distance from the corner at which the glow has halved, as a share of the diagonal.
    pub glow_reach: f64,
    /// The glow's time constant in seconds: it grows as 1 - exp(-t / tau).
    pub glow_tau_s: f64,
    /// Where there is one, the glow grows as (t / tau) to this power instead, without an end.
    #[serde(default)]
    pub glow_power: Option<f64>,
    /// Standard deviation of the pixel response.
    pub prnu: f64,
    /// Light in the corners relative to the optical axis.
    pub corner_light: f64,
    /// Number of dust shadows.
    pub dust_count: usize,
    /// How much nearer to the axis the optics bring a corner, in pixels; it grows with the cube of
    /// the distance.
    pub distortion_px: f64,
    /// How far beside the middle the optical axis meets the sensor, in pixels.
    pub axis_px: (f64, f64),
    /// What the black-level clamp subtracts, as a share of the mean dark signal.
    pub clamp_ratio: f64,
    /// Bound of the random part of a frame's temperature in degrees Celsius.
    pub temp_jitter_c: f64,
    /// Rise of the temperature over the night in degrees Celsius.
    pub temp_rise_c: f64,
    /// Whether a cooler holds a set temperature.
    pub cooled: bool,
    /// Amplitude of the interference in electrons.
    #[serde(default)]
    pub tone_e: f64,
    /// Its cycles a pixel along x and y.
    #[serde(default)]
    pub tone_per_px: (f64, f64),
    /// What every pixel loses at the full well, as a share of it; it grows with the square of the electrons.
    #[serde(default, skip_serializing_if = "is_none")]
    pub bend: f64,
    /// The shutter, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutter: Option<Shutter>,
    /// The outputs, where there are several, or one with an overscan; gain, read noise and top of the
    /// converter are then theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Outputs>,
}

fn is_none(bend: &f64) -> bool {
    *bend == 0.0
}

impl Sensor {
    /// The highest number that the converter gives, in ADU.
    pub fn max_adu(&self) -> f64 {
        (1u64 << self.bits.min(32)) as f64 - 1.0
    }

    /// The factor on the dark current at `temp_c`.
    pub fn dark_factor(&self, temp_c: f64) -> f64 {
        exp2((temp_c - self.dark_ref_c) / self.t_double_c)
    }

    /// The share of `glow_e` that the glow has reached after `exposure_s`.
    pub fn glow_share(&self, exposure_s: f64) -> f64 {
        match self.glow_power {
            Some(_) if exposure_s <= 0.0 => 0.0,
            Some(power) => pow(exposure_s / self.glow_tau_s, power),
            None => 1.0 - exp(-exposure_s / self.glow_tau_s),
        }
    }

    /// Total read noise in electrons as a person would measure it: with that of rounding to whole
    /// ADU (1/sqrt(12) ADU) where `effects` quantises.
    ///
    /// # Source
    /// Janesick2001, photon transfer: quantising noise, section 2.
    pub fn measured_read_noise_e(&self, effects: Effects) -> f64 {
        let read = if effects.contains(Effects::READ_NOISE) { self.read_noise_e } else { 0.0 };
        let rounding = if effects.contains(Effects::QUANTISATION) {
            self.gain_e_per_adu * self.gain_e_per_adu / 12.0
        } else {
            0.0
        };
        (read * read + rounding).sqrt()
    }

    /// The level from which a sample must be taken as saturated, in ADU.
    ///
    /// The converter's top, or, where pixels fill before, five read noises below the full well
    /// over the lowest bias.
    pub fn saturation_adu(&self) -> f64 {
        let spread = 5.0 * self.read_noise_e / self.gain_e_per_adu
            + 5.0 * (self.bias_column_adu + self.bias_row_adu)
            + self.bias_gradient_adu.abs();
        let full_adu = self.offset_adu + self.full_well_e / self.gain_e_per_adu - spread;
        if full_adu < self.max_adu() { full_adu.floor() } else { self.max_adu() }
    }

    /// The area that collects cosmic rays, in square centimetres.
    pub(crate) fn area_cm2(&self) -> f64 {
        self.size.pixels() as f64 * self.pixel_um * self.pixel_um * 1e-8
    }

    /// The colour filters, where `effects` has colours and the sensor an array.
    pub(crate) fn colors(&self, effects: Effects) -> Option<CfaPattern> {
        self.cfa.filter(|_| effects.contains(Effects::BAYER))
    }
}

/// How the optics before the flats differ from those before the lights.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct FlatOptics {
    /// How far vignetting and dust are turned about the middle, from x to y, in degrees.
    pub turned_deg: f64,
    /// Light in the corners, where it is another than the lights'.
    pub corner_light: Option<f64>,
    /// Share of the dust that lies elsewhere.
    pub dust_moved: f64,
}

/// A pixel with far more dark current than its like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HotPixel {
    /// Column.
    pub x: usize,
    /// Row.
    pub y: usize,
    /// What it adds to its dark current at the reference temperature, in electrons a second.
    pub e_s: f64,
}

/// What is fixed: the sensor's maps and the star field; effects that are off leave them neutral.
#[derive(Debug, Clone, PartialEq)]
pub struct Maps {
    /// Vignetting times dust times PRNU; 1 on the optical axis.
    pub response: Plane<f32>,
    /// The response behind the flats' optics, where they differ.
    pub flat_response: Option<Plane<f32>>,
    /// Offset and fixed pattern in ADU.
    pub bias_adu: Plane<f32>,
    /// Dark current at the reference temperature in electrons a second, hot pixels included.
    pub dark_e_s: Plane<f32>,
    /// The glow after an endless exposure in electrons.
    pub glow_e: Plane<f32>,
    /// The hot pixels, row after row.
    pub hot: Vec<HotPixel>,
    /// Faulty pixels of other kinds, those of a kind together.
    pub faulty: Vec<FaultyPixel>,
    /// The stars, brightest first, without dither.
    pub stars: Vec<Star>,
    /// The mean of `dark_e_s`.
    pub mean_dark_e_s: f64,
    /// The mean of `glow_e`.
    pub mean_glow_e: f64,
}

impl Maps {
    /// The maps of `sensor` under `sky`; `light_exposure_s` makes the stars' electrons.
    pub(crate) fn new(night: &Night) -> Self {
        let Night { sensor, sky, effects, seed, light_exposure_s, .. } = night;
        let (effects, seed, light_exposure_s) = (*effects, *seed, *light_exposure_s);
        let mut dark_e_s = dark_current(sensor, effects, seed);
        let hot = hot_pixels(sensor, effects, seed);
        for h in &hot {
            let base = dark_e_s.get(h.x, h.y);
            dark_e_s.set(h.x, h.y, base + h.e_s as f32);
        }
        let faulty = faulty_pixels(sensor, effects, seed);
        for f in &faulty {
            let base = dark_e_s.get(f.x, f.y);
            dark_e_s.set(f.x, f.y, base + f.dark_e_s() as f32);
        }
        let answers = |mut plane: Plane<f32>| {
            for f in &faulty {
                plane.set(f.x, f.y, plane.get(f.x, f.y) * f.response() as f32);
            }
            plane
        };
        let glow_e = glow(sensor, effects);
        let stars = if effects.contains(Effects::STARS) {
            sky.stars(sensor, effects, seed, light_exposure_s)
        } else {
            Vec::new()
        };
        Self {
            response: answers(response(sensor, effects, seed, FlatOptics::default())),
            flat_response: night.flat_optics.map(|o| answers(response(sensor, effects, seed, o))),
            bias_adu: bias(sensor, effects, seed),
            mean_dark_e_s: mean(&dark_e_s),
            mean_glow_e: mean(&glow_e),
            dark_e_s,
            glow_e,
            hot,
            faulty,
            stars,
        }
    }

    /// The electrons that a frame's telegraph pixels stand higher, by its key.
    pub(crate) fn telegraph_e(&self, seed: u64, key: u64) -> Vec<(usize, f64)> {
        let mut random = Stream::new(seed, key, Purpose::TelegraphState);
        let width = self.response.width();
        let higher = self.faulty.iter().filter_map(|f| match f.fault {
            PixelFault::Telegraph { e, share } if random.uniform() < share => {
                Some((f.y * width + f.x, e))
            }
            _ => None,
        });
        higher.collect()
    }

    /// The electrons that pixels let go of in an exposure that begins so many seconds after they were full.
    pub(crate) fn held_e(
        &self,
        rates: &FaultRates,
        since_s: f64,
        exposure_s: f64,
    ) -> Vec<(usize, f64)> {
        let left = |t: f64| exp(-t / rates.holding_tau_s);
        let share = left(since_s) - left(since_s + exposure_s);
        let width = self.response.width();
        let held = self.faulty.iter().filter_map(|f| match f.fault {
            PixelFault::Holding(e) => Some((f.y * width + f.x, e * share)),
            _ => None,
        });
        held.collect()
    }

    /// The pixels whose response bends, and what each loses at the full well.
    pub(crate) fn bent(&self) -> Vec<(usize, f64)> {
        let width = self.response.width();
        let bent = self.faulty.iter().filter_map(|f| match f.fault {
            PixelFault::Bent(loss) => Some((f.y * width + f.x, loss)),
            _ => None,
        });
        bent.collect()
    }
}

fn mean(plane: &Plane<f32>) -> f64 {
    let sum: f64 = plane.as_slice().iter().map(|&v| f64::from(v)).sum();
    sum / plane.as_slice().len().max(1) as f64
}

fn bias(sensor: &Sensor, effects: Effects, seed: u64) -> Plane<f32> {
    let offset = if effects.contains(Effects::OFFSET) { sensor.offset_adu } else { 0.0 };
    if !effects.contains(Effects::BIAS_STRUCTURE) {
        return Plane::filled(sensor.size, offset as f32);
    }
    let mut random = Stream::new(seed, 0, Purpose::Bias);
    let Size { width, height } = sensor.size;
    let mut pattern =
        |n: usize, sd: f64| -> Vec<f64> { (0..n).map(|_| sd * random.gaussian()).collect() };
    let columns = pattern(width, sensor.bias_column_adu);
    let rows = pattern(height, sensor.bias_row_adu);
    Plane::from_fn(sensor.size, |x, y| {
        let ramp = (y as f64 + 0.5) / height as f64 - 0.5;
        (offset + columns[x] + rows[y] + sensor.bias_gradient_adu * ramp) as f32
    })
}

fn dark_current(sensor: &Sensor, effects: Effects, seed: u64) -> Plane<f32> {
    if !effects.contains(Effects::DARK_CURRENT) {
        return Plane::filled(sensor.size, 0.0);
    }
    let mut random = Stream::new(seed, 0, Purpose::Dark);
    let sd = sensor.dark_log_sd;
    // A log-normal number exp(s g) has the mean exp(s^2 / 2).
    Plane::from_fn(sensor.size, |_, _| {
        (sensor.dark_e_s * exp(sd * random.gaussian() - 0.5 * sd * sd)) as f32
    })
}

fn hot_pixels(sensor: &Sensor, effects: Effects, seed: u64) -> Vec<HotPixel> {
    if !effects.contains(Effects::HOT_PIXELS) {
        return Vec::new();
    }
    let mut random = Stream::new(seed, 0, Purpose::Hot);
    let Size { width, height } = sensor.size;
    let mut hot = Vec::new();
    for y in 0..height {
        for x in 0..width {
            if random.uniform() < sensor.hot_fraction {
                // A Pareto tail, N(> r) ~ r^-0.9, up to ten thousand times its start.
                let tail = pow(random.uniform(), -1.0 / 0.9);
                let e_s = sensor.hot_min_e_s * if tail < 1e4 { tail } else { 1e4 };
                hot.push(HotPixel { x, y, e_s });
            }
        }
    }
    hot
}

fn glow(sensor: &Sensor, effects: Effects) -> Plane<f32> {
    if !effects.contains(Effects::AMP_GLOW) {
        return Plane::filled(sensor.size, 0.0);
    }
    let (w, h) = (sensor.size.width as f64, sensor.size.height as f64);
    let reach = sensor.glow_reach * (w * w + h * h).sqrt();
    Plane::from_fn(sensor.size, |x, y| {
        // The source sits beside the right edge, a little below its upper end.
        let (dx, dy) = ((w - 1.0 - x as f64) / reach, (y as f64 - 0.03 * h) / reach);
        let fall = 1.0 / (1.0 + dx * dx + dy * dy);
        (sensor.glow_e * fall * fall) as f32
    })
}

/// A shadow of dust: a ring, because the telescope's own obstruction is seen in it.
struct Mote {
    x: f64,
    y: f64,
    outer: f64,
    depth: f64,
}

impl Mote {
    /// The light that passes at (x, y), 1 outside.
    fn light(&self, x: f64, y: f64) -> f64 {
        let (dx, dy) = (x - self.x, y - self.y);
        let r = (dx * dx + dy * dy).sqrt() / self.outer;
        let soft = |t: f64| {
            let t = t.clamp(0.0, 1.0);
            t * t * (3.0 - 2.0 * t)
        };
        1.0 - self.depth * soft((1.0 - r) / 0.2) * (0.25 + 0.75 * soft((r - 0.25) / 0.2))
    }
}

fn dust(sensor: &Sensor, seed: u64, place: u64) -> Vec<Mote> {
    let mut random = Stream::new(seed, place, Purpose::Dust);
    let (w, h) = (sensor.size.width as f64, sensor.size.height as f64);
    let side = w.min(h);
    (0..sensor.dust_count)
        .map(|_| Mote {
            x: random.between(0.05, 0.95) * w,
            y: random.between(0.05, 0.95) * h,
            outer: random.between(0.015, 0.045) * side,
            depth: random.between(0.03, 0.12),
        })
        .collect()
}

/// Vignetting as the fourth power of a cosine: cos^2 = 1 / (1 + tan^2), so no cosine is needed.
fn response(sensor: &Sensor, effects: Effects, seed: u64, optics: FlatOptics) -> Plane<f32> {
    let (w, h) = (sensor.size.width as f64, sensor.size.height as f64);
    let mut random = Stream::new(seed, 0, Purpose::Prnu);
    let tan2_corner = 1.0 / optics.corner_light.unwrap_or(sensor.corner_light).sqrt() - 1.0;
    let turn = sin_cos(optics.turned_deg.to_radians());
    let turned = |x: f64, y: f64| {
        if optics.turned_deg == 0.0 {
            return (x, y);
        }
        let (mx, my) = (0.5 * w - 0.5, 0.5 * h - 0.5);
        let (dx, dy) = (x - mx, y - my);
        (mx + turn.1 * dx - turn.0 * dy, my + turn.0 * dx + turn.1 * dy)
    };
    // The optical axis is seldom quite in the middle.
    let (cx, cy) = turned(0.51 * w - 0.5, 0.485 * h - 0.5);
    let corner2 = 0.25 * (w * w + h * h);
    let [vignetting, prnu, shadows] =
        [Effects::VIGNETTING, Effects::PRNU, Effects::DUST].map(|effect| effects.contains(effect));
    let mut plane = Plane::from_fn(sensor.size, |x, y| {
        let mut value = 1.0;
        if vignetting {
            let (dx, dy) = (x as f64 - cx, y as f64 - cy);
            let cos2 = 1.0 / (1.0 + tan2_corner * (dx * dx + dy * dy) / corner2);
            value *= cos2 * cos2;
        }
        if prnu {
            let pixel = 1.0 + sensor.prnu * random.gaussian();
            value *= if pixel > 0.0 { pixel } else { 0.0 };
        }
        value as f32
    });
    let mut motes = if shadows { dust(sensor, seed, 0) } else { Vec::new() };
    let moved = ((optics.dust_moved * motes.len() as f64).round() as usize).min(motes.len());
    if moved > 0 {
        motes.splice(..moved, dust(sensor, seed, 1).into_iter().take(moved));
    }
    for mut mote in motes {
        (mote.x, mote.y) = turned(mote.x, mote.y);
        let range = |centre: f64, end: usize| {
            (centre - mote.outer).max(0.0) as usize..((centre + mote.outer) as usize + 2).min(end)
        };
        for y in range(mote.y, sensor.size.height) {
            for x in range(mote.x, sensor.size.width) {
                let value = f64::from(plane.get(x, y)) * mote.light(x as f64, y as f64);
                plane.set(x, y, value as f32);
            }
        }
    }
    plane
}

/// What the filters pass of one light source, over a cell of 6x6 pixels, in which every array
/// repeats.
pub(crate) struct Throughput([[f64; 6]; 6]);

impl Throughput {
    /// The throughput for a source of these three colours; 1 without filters.
    pub(crate) fn new(colors: Option<CfaPattern>, rgb: [f64; 3]) -> Self {
        Self(std::array::from_fn(|y| {
            std::array::from_fn(|x| colors.map_or(1.0, |cfa| rgb[cfa.color(x, y).channel()]))
        }))
    }

    /// The throughput over pixel (x, y).
    pub(crate) fn at(&self, x: usize, y: usize) -> f64 {
        self.0[y % 6][x % 6]
    }
}
