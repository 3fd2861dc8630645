//! What falls on the sensor: stars, background, gradient, a satellite.

use photosite_pix::{CfaPattern, Plane, Size};
use serde::{Deserialize, Serialize};

use crate::math::{exp, pow, sin_cos};
use crate::rng::{Purpose, Stream};
use crate::sensor::Throughput;
use crate::{Conditions, Effects, Pointing, Sensor};

/// The sky over the night, and the flat's lamp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sky {
    /// The even background in electrons a second and pixel.
    pub background_e_s: f64,
    /// What the gradient adds in the brightest corner, in electrons a second and pixel.
    pub gradient_e_s: f64,
    /// What a nebula adds where it is brightest, in electrons a second and pixel; filaments of
    /// it are as narrow as a hundredth of the frame.
    #[serde(default)]
    pub nebula_e_s: f64,
    /// Stars in a million pixels.
    pub stars_per_mpx: f64,
    /// The faintest star in electrons a second.
    pub star_min_e_s: f64,
    /// The brightest star possible in electrons a second.
    pub star_max_e_s: f64,
    /// The exponent a of the power law N(> flux) ~ flux^-a.
    pub star_slope: f64,
    /// Full width at half maximum of a star in pixels.
    pub fwhm_px: f64,
    /// The most a light is dithered, in pixels.
    pub dither_px: f64,
    /// The most a light is turned either way, in degrees.
    pub rotation_deg: f64,
    /// Electrons a second that a satellite's trail brings to the pixels along its middle, were it
    /// to last the whole exposure.
    pub trail_e_s: f64,
    /// The share of lights with a trail, besides the one in the middle of the night.
    pub trail_fraction: f64,
    /// Cosmic rays a square centimetre and second.
    pub cosmic_per_cm2_s: f64,
    /// Throughput of the red, green and blue filter for the background, the gradient too.
    pub sky_rgb: [f64; 3],
    /// Throughput of the red, green and blue filter for stars and satellites.
    pub star_rgb: [f64; 3],
    /// Throughput of the red, green and blue filter for the flat's lamp.
    pub lamp_rgb: [f64; 3],
}

/// Brightness of the nebula between 0 and 1 at a place from 0 to 1 along both sides.
///
/// A cloud in the middle, crossed by filaments where two waves of a bent plane meet.
fn filaments(u: f64, v: f64) -> f64 {
    let (du, dv) = (u - 0.45, v - 0.55);
    let cloud = 1.0 / (1.0 + 12.0 * (du * du + 1.6 * dv * dv));
    let bent = 6.0 * u + 4.0 * v + 1.5 * sin_cos(7.0 * v).0;
    let thread = 1.0 - sin_cos(4.0 * bent).0.abs();
    cloud * (0.4 + 0.6 * thread * thread * thread * thread)
}

/// A star of the field.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Star {
    /// Column of its centre before the dither.
    pub x: f64,
    /// Row of its centre before the dither.
    pub y: f64,
    /// Electrons in the night's light exposure, at a response and throughput of 1.
    pub flux_e: f64,
}

/// A satellite's path over one light.
pub(crate) struct Trail {
    x: f64,
    y: f64,
    direction: (f64, f64),
}

/// Standard deviation of a trail's cross-section in pixels, about a star's width.
const TRAIL_SD_PX: f64 = 1.4;

impl Sky {
    /// The star field over a sensor of `size` and a margin that dither may bring in.
    pub(crate) fn stars(
        &self,
        sensor: &Sensor,
        effects: Effects,
        seed: u64,
        exposure_s: f64,
    ) -> Vec<Star> {
        let mut random = Stream::new(seed, 0, Purpose::Stars);
        let size = sensor.size;
        let mut margin = self.dither_px + 8.0;
        if effects.contains(Effects::DISTORTION) {
            margin += sensor.distortion_px.abs()
                + 2.0 * (sensor.axis_px.0.abs() + sensor.axis_px.1.abs());
        }
        if effects.contains(Effects::ROTATION) {
            let half = 0.5 * (size.width + size.height) as f64;
            margin += half * self.rotation_deg.abs().to_radians();
        }
        let (w, h) = (size.width as f64 + 2.0 * margin, size.height as f64 + 2.0 * margin);
        let count = (self.stars_per_mpx * w * h * 1e-6 + 0.5) as usize;
        let span = 1.0 - pow(self.star_min_e_s / self.star_max_e_s, self.star_slope);
        let mut stars: Vec<Star> = (0..count)
            .map(|_| {
                let (x, y) = (random.uniform() * w - margin, random.uniform() * h - margin);
                let rank = 1.0 - random.uniform() * span;
                let rate = self.star_min_e_s * pow(rank, -1.0 / self.star_slope);
                Star { x, y, flux_e: rate * exposure_s }
            })
            .collect();
        stars.sort_by(|a, b| b.flux_e.total_cmp(&a.flux_e));
        stars
    }

    /// The dither of the light of that key, in pixels along x and y.
    pub(crate) fn dither(&self, effects: Effects, seed: u64, frame_key: u64) -> (f64, f64) {
        if !effects.contains(Effects::DITHER) {
            return (0.0, 0.0);
        }
        let (x, y) = Stream::new(seed, frame_key, Purpose::Dither).in_disc();
        (self.dither_px * x, self.dither_px * y)
    }

    /// How far the light of that key is turned, in degrees; `late` lights come after the flip.
    pub(crate) fn rotation_deg(
        &self,
        effects: Effects,
        seed: u64,
        frame_key: u64,
        late: bool,
    ) -> f64 {
        let mut random = Stream::new(seed, frame_key, Purpose::Rotation);
        let turned = effects.contains(Effects::ROTATION);
        let little = if turned { random.between(-1.0, 1.0) * self.rotation_deg } else { 0.0 };
        if late && effects.contains(Effects::FLIP) { little + 180.0 } else { little }
    }

    /// The trail over the light of that key, if one crosses it; `always` makes sure of one.
    pub(crate) fn trail(
        &self,
        size: Size,
        effects: Effects,
        seed: u64,
        frame_key: u64,
        always: bool,
    ) -> Option<Trail> {
        if !effects.contains(Effects::TRAIL) {
            return None;
        }
        let mut random = Stream::new(seed, frame_key, Purpose::Trail);
        let crosses = random.uniform() < self.trail_fraction;
        (crosses || always).then(|| Trail {
            x: random.between(0.2, 0.8) * size.width as f64,
            y: random.between(0.2, 0.8) * size.height as f64,
            direction: random.direction(),
        })
    }

    /// The even background with its gradient, in electrons.
    pub(crate) fn background(
        &self,
        size: Size,
        colors: Option<CfaPattern>,
        effects: Effects,
        exposure_s: f64,
    ) -> Plane<f32> {
        let on = |effect, rate| if effects.contains(effect) { rate * exposure_s } else { 0.0 };
        let even = on(Effects::SKY, self.background_e_s);
        let slope = on(Effects::SKY_GRADIENT, self.gradient_e_s);
        let nebula = self.nebula_e_s * exposure_s;
        let pass = Throughput::new(colors, self.sky_rgb);
        let (along, down) = (0.65 / size.width as f64, 0.35 / size.height as f64);
        Plane::from_fn(size, |x, y| {
            // A town beyond the lower left corner: steeper the nearer it is.
            let ramp = 0.65 - along * x as f64 + down * y as f64;
            let mut light = even + slope * ramp * ramp;
            if nebula > 0.0 {
                let (u, v) = (x as f64 / size.width as f64, y as f64 / size.height as f64);
                light += nebula * filaments(u, v);
            }
            (light * pass.at(x, y)) as f32
        })
    }

    /// Adds the stars as `pointing` places them; `share` is the exposure as a share of the night's.
    ///
    /// A Moffat profile of exponent 3, which holds 2 / (pi a^2) of its flux in its middle pixel
    /// for a FWHM of 2 a sqrt(2^(1/3) - 1).
    ///
    /// # Source
    /// Moffat1969, equations 1 to 7.
    pub(crate) fn add_stars(
        &self,
        plane: &mut Plane<f32>,
        stars: &[Star],
        colors: Option<CfaPattern>,
        (pointing, conditions): (&Pointing, Conditions),
        share: f64,
    ) {
        const CUBE_ROOT_2: f64 = 1.259_921_049_894_873_2;
        let a = 0.5 * self.fwhm_px * conditions.width / (CUBE_ROOT_2 - 1.0).sqrt();
        let inverse_a2 = 1.0 / (a * a);
        let size = plane.size();
        let (width, height) = (size.width as f64, size.height as f64);
        let pass = Throughput::new(colors, self.star_rgb);
        let steps: Vec<f64> = conditions.steps().collect();
        let share = share * conditions.transparency / steps.len() as f64;
        let each = |star| steps.iter().map(move |step| (star, *step));
        for (star, step) in stars.iter().flat_map(each) {
            let field = conditions.place((star.x, star.y), (width, height));
            let (cx, cy) = pointing.place(field);
            let cx = cx + step;
            let peak = star.flux_e * share * 2.0 * inverse_a2 / std::f64::consts::PI;
            // Out to where a hundredth of an electron is left: peak (r / a)^-6.
            let reach = (a * pow((peak / 0.01).max(1.0), 1.0 / 6.0)).clamp(4.0 * a, 80.0);
            let range = |c: f64, end: usize| {
                (c - reach).max(0.0) as usize..((c + reach + 1.0).max(0.0) as usize).min(end)
            };
            for y in range(cy, size.height) {
                let dy = y as f64 - cy;
                let row = plane.row_mut(y);
                for x in range(cx, size.width) {
                    let dx = x as f64 - cx;
                    let fall = 1.0 / (1.0 + (dx * dx + dy * dy) * inverse_a2);
                    let value = peak * fall * fall * fall;
                    row[x] += (value * pass.at(x, y)) as f32;
                }
            }
        }
    }
}

impl Trail {
    /// The electrons of the trail, before the response.
    pub(crate) fn plane(
        &self,
        sky: &Sky,
        size: Size,
        colors: Option<CfaPattern>,
        exposure_s: f64,
    ) -> Plane<f32> {
        let (ux, uy) = self.direction;
        let peak = sky.trail_e_s * exposure_s;
        let pass = Throughput::new(colors, sky.star_rgb);
        Plane::from_fn(size, |x, y| {
            let across = ((x as f64 - self.x) * uy - (y as f64 - self.y) * ux) / TRAIL_SD_PX;
            if across.abs() > 6.0 {
                return 0.0;
            }
            let profile = exp(-0.5 * across * across);
            (peak * profile * pass.at(x, y)) as f32
        })
    }
}
