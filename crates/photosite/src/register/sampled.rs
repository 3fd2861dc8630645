//! What pixels, and a filter array, leave of the fluxes of stars that are too sharp for them.

use photosite_pix::debayer::{Debayer, Method};
use photosite_pix::stars::FWHM_OF_SIGMA;
use photosite_pix::warp::{Kernel, Window};
use photosite_pix::{Card, CfaPattern, Header, Size};

use super::layers::{is_moved, smoothed};
use super::part::LightPart;
use crate::measure::SurveyedLight;
use crate::params::Integration;

/// Keyword of what pixels leave.
const OF_PIXELS: &str = "PSPLACE";

/// Keywords of what an array leaves of red, green and blue.
const OF_ARRAY: [&str; 3] = ["PSARRAYR", "PSARRAYG", "PSARRAYB"];

/// The variance along an axis by which interpolation draws green out, in square pixels: half of the pixels are the
/// mean of neighbours one pixel away, half of them along it.
const DRAWN_OUT_PX2: f64 = 0.25;

/// The least variance along an axis that a star has: that of a pixel, and of a star of FWHM 1 px.
const LEAST_PX2: f64 = 1.0 / 12.0 + 0.18;

/// What the directional method leaves of the scatter of bilinear interpolation, about: a tenth to a third of it from
/// FWHM 2 px on (docs/debayer.md).
const DIRECTIONAL: f64 = 0.2;

/// Less than this is none.
const LEAST: f64 = 1e-4;

/// The width of stars under a filter array, in pixels, from that which interpolated green shows.
fn sample_fwhm_px(fwhm_px: f64) -> f64 {
    let variance = (fwhm_px / FWHM_OF_SIGMA).powi(2) - DRAWN_OUT_PX2;
    FWHM_OF_SIGMA * variance.max(LEAST_PX2).sqrt()
}

/// The relative error of a star's flux in a stack that comes of where pixels sample it, one standard deviation. It is
/// each star's own: means over stars know it better.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PlaceErrors {
    /// By where the pixels of lights that are interpolated sample it; 0 where stars are wide enough.
    pixels: f64,
    /// By where each light's array samples it, of red, green and blue.
    array: Option<[f64; 3]>,
}

impl PlaceErrors {
    /// Of a stack of lights; none of one that is drizzled.
    pub(crate) fn of(used: &[(&SurveyedLight, &LightPart)], how: Integration) -> Self {
        if how.drizzle.is_some() {
            return Self::default();
        }
        let pixels = of_pixels(used).filter(|error| *error > LEAST);
        Self { pixels: pixels.unwrap_or(0.0), array: of_array(used, how) }
    }

    /// Of a plane of a stack.
    pub fn of_plane(self, plane: usize) -> f64 {
        self.array.map_or(self.pixels, |array| array[plane].hypot(self.pixels))
    }

    /// Writes them.
    pub(crate) fn write(self, header: &mut Header) {
        let mut set = |key: &str, error: f64, comment: &str| {
            header.set(Card::real(key, (error * 1e5).round() / 1e5, comment));
        };
        if self.pixels > 0.0 {
            set(OF_PIXELS, self.pixels, "relative error of one star by its place on pixels");
        }
        for (key, error) in OF_ARRAY.iter().zip(self.array.iter().flatten()) {
            set(key, *error, "relative error of one star by its place on the array");
        }
    }

    /// Those of a header.
    pub fn read(header: &Header) -> Self {
        let of = |key: &str| header.get_f64(key).filter(|error| *error >= 0.0);
        let array = match OF_ARRAY.map(of) {
            [Some(red), Some(green), Some(blue)] => Some([red, green, blue]),
            _ => None,
        };
        Self { pixels: of(OF_PIXELS).unwrap_or(0.0), array }
    }
}

/// By where pixels sample a star that is interpolated; `None` where a light shows none.
fn of_pixels(used: &[(&SurveyedLight, &LightPart)]) -> Option<f64> {
    let (usual, smooth) = (Kernel::default(), Kernel::smooth());
    let (mut own, mut shared, mut weights) = (0.0, 0.0, 0.0);
    for ((light, part), smoothed) in used.iter().zip(smoothed(used)) {
        let fwhm_px = light.field.fwhm_px?;
        if is_moved(part) {
            let scatter = interpolated(if smoothed { &smooth } else { &usual }, fwhm_px);
            own += (part.weight * scatter.own).powi(2);
            shared += part.weight * scatter.shared;
        }
        weights += part.weight;
    }
    Some(own.sqrt().hypot(shared) / weights)
}

/// By where the arrays of lights that are debayered sample a star; `None` of any other light, and where stars are wide
/// enough.
fn of_array(used: &[(&SurveyedLight, &LightPart)], how: Integration) -> Option<[f64; 3]> {
    let (mut alone, mut alike, mut weights) = ([0.0; 3], [0.0; 3], 0.0);
    for (light, part) in used {
        let cfa = light.mosaic()?;
        let part_left = if how.debayer(cfa) == Method::Directional { DIRECTIONAL } else { 1.0 };
        let scatter = scatter(cfa, sample_fwhm_px(light.field.fwhm_px?))?;
        let scatter = scatter.map(|s| part_left * s);
        for c in 0..3 {
            // Lights that are not moved sample a star alike.
            match part.registration {
                Some(_) => alone[c] += (part.weight * scatter[c]).powi(2),
                None => alike[c] += part.weight * scatter[c],
            }
        }
        weights += part.weight;
    }
    let of = |c: usize| (alone[c] + alike[c] * alike[c]).sqrt() / weights;
    let errors = [0, 1, 2].map(of);
    errors.iter().all(|e| *e > LEAST).then_some(errors)
}

/// Shifts of a light, and places of a star on its pixels, along an axis.
const PLACES: usize = 8;

/// Stars wider than this are sampled well enough.
const SAMPLED_PX: f64 = 3.5;

/// The relative scatter of the flux of a Gaussian star of a width over its places on pixels, within an aperture of
/// 1.5 of its widths, once they are interpolated. What all stars of a light share is its scale.
fn interpolated(kernel: &Kernel, fwhm_px: f64) -> Scatter {
    if fwhm_px >= SAMPLED_PX {
        return Scatter::default();
    }
    let sigma = fwhm_px.max(1.0) / FWHM_OF_SIGMA;
    let radius = 1.5 * fwhm_px.max(1.0);
    let reach = radius.ceil() as isize + 1;
    let star = |x: f64| (-0.5 * x * x / (sigma * sigma)).exp();
    let place = |i: usize| i as f64 / PLACES as f64;
    // The star at each place of the picture, along an axis, when the light is shifted so far.
    let line = |shift: f64, at: f64| -> Vec<f64> {
        let sample = |i: isize| star(i as f64 - shift - at);
        (-reach..=reach).map(|k| kernel.along(sample, k as f64 + shift)).collect()
    };
    let pairs = || (0..PLACES).flat_map(|i| (0..PLACES).map(move |j| (place(i), place(j))));
    let side = 2 * reach as usize + 1;
    // How much of each pixel lies within the aperture about a star at each place.
    let aperture = |(x, y): (f64, f64)| -> Vec<f64> {
        let within = |dx: f64, dy: f64| (radius + 0.5 - dx.hypot(dy)).clamp(0.0, 1.0);
        let all = (-reach..=reach).flat_map(|j| (-reach..=reach).map(move |i| (i, j)));
        all.map(|(i, j)| within(i as f64 - x, j as f64 - y)).collect()
    };
    let apertures: Vec<Vec<f64>> = pairs().map(aperture).collect();
    let sum = |aperture: &[f64], across: &[f64], down: &[f64]| -> f64 {
        let row = |(within, v): (&[f64], &f64)| {
            v * across.iter().zip(within).map(|(u, w)| u * w).sum::<f64>()
        };
        aperture.chunks_exact(side).zip(down).map(row).sum()
    };
    let lines: Vec<Vec<Vec<f64>>> = (0..PLACES)
        .map(|shift| (0..PLACES).map(|at| line(place(shift), place(at))).collect())
        .collect();
    let index = |v: f64| (v * PLACES as f64) as usize;
    let at = |(across, down): (f64, f64), (x, y): (f64, f64)| {
        (&lines[index(across)][index(x)][..], &lines[index(down)][index(y)][..])
    };
    let whole = |(place, aperture): ((f64, f64), &Vec<f64>)| {
        let (across, down) = at((0.0, 0.0), place);
        sum(aperture, across, down)
    };
    let whole: Vec<f64> = pairs().zip(&apertures).map(whole).collect();
    // Of each shift, at each place of a star.
    let fluxes: Vec<Vec<f64>> = pairs()
        .map(|shift| {
            let of = |((place, aperture), whole): (((f64, f64), &Vec<f64>), &f64)| {
                let (across, down) = at(shift, place);
                sum(aperture, across, down) / whole
            };
            let fluxes: Vec<f64> = pairs().zip(&apertures).zip(&whole).map(of).collect();
            let mean = fluxes.iter().sum::<f64>() / fluxes.len() as f64;
            fluxes.into_iter().map(|f| f / mean - 1.0).collect()
        })
        .collect();
    let count = fluxes.len() as f64;
    let of_place = |place: usize| fluxes.iter().map(|f| f[place]).sum::<f64>() / count;
    let shared: Vec<f64> = (0..PLACES * PLACES).map(of_place).collect();
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>() / count;
    let own = |f: &Vec<f64>| square(&mut f.iter().zip(&shared).map(|(f, shared)| f - shared));
    Scatter {
        shared: square(&mut shared.iter().copied()).sqrt(),
        own: (fluxes.iter().map(own).sum::<f64>() / count).sqrt(),
    }
}

/// The relative scatter of the flux of a star over its places.
#[derive(Debug, Clone, Copy, Default)]
struct Scatter {
    /// What all lights share, however they are shifted.
    shared: f64,
    /// What each has of its own.
    own: f64,
}

/// The relative scatter of the flux of a star of a width over its places under an array whose colours are
/// interpolated, of red, green and blue; `None` where the array cannot be interpolated.
///
/// The flux of a colour is the sum of its samples, each times what it counts for in all of the picture. Over all
/// places its mean is right, and its variance the sum of the squares of the products of two spectra: that of those
/// counts, which repeat with the array, and that of the star.
fn scatter(cfa: CfaPattern, fwhm_px: f64) -> Option<[f64; 3]> {
    let period = cfa.period();
    let counts = counts(cfa)?;
    let variance = (fwhm_px / FWHM_OF_SIGMA).powi(2);
    let turn = std::f64::consts::TAU;
    let star = |f: f64| (-0.5 * turn * turn * variance * f * f).exp();
    // Beyond one period a pixel a star has no structure.
    let reach = period as i32;
    let per = |k: i32| f64::from(k) / period as f64;
    Some([0, 1, 2].map(|c| {
        let mut sum = 0.0;
        for (u, v) in (-reach..=reach).flat_map(|v| (-reach..=reach).map(move |u| (u, v))) {
            if (u, v) == (0, 0) {
                continue;
            }
            let (mut re, mut im) = (0.0, 0.0);
            for (i, count) in counts[c].iter().enumerate() {
                let (x, y) = ((i % period) as f64, (i / period) as f64);
                let (sin, cos) = (turn * (per(u) * x + per(v) * y)).sin_cos();
                (re, im) = (re + count * cos, im + count * sin);
            }
            let square = (re * re + im * im) / (counts[c].len() as f64).powi(2);
            sum += square * (star(per(u)) * star(per(v))).powi(2);
        }
        sum.sqrt()
    }))
}

/// What each sample of a period of an array counts for in each colour of all of the interpolated picture; 1 in the
/// mean.
fn counts(cfa: CfaPattern) -> Option<[Vec<f64>; 3]> {
    let debayer = Debayer::new(cfa, Method::Bilinear).ok()?;
    let period = cfa.period();
    let size = Size::new(3 * period, 3 * period);
    let mut counts = [0; 3].map(|_| Vec::new());
    for i in 0..period * period {
        let mut samples = vec![0.0f32; size.pixels()];
        samples[(period + i / period) * size.width + period + i % period] = 1.0;
        let mut planes = [0; 3].map(|_| vec![0.0f32; size.pixels()]);
        let window = Window { samples: &samples, first_row: 0, width: size.width };
        debayer.fill(window, size, 0..size.height, planes.each_mut().map(Vec::as_mut_slice));
        for (counts, plane) in counts.iter_mut().zip(&planes) {
            counts.push(plane.iter().map(|v| f64::from(*v)).sum());
        }
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sharp_stars_scatter_once_they_are_interpolated() {
        let of = |fwhm_px| {
            let Scatter { shared, own } = interpolated(&Kernel::default(), fwhm_px);
            shared.hypot(own)
        };
        assert!(of(3.0) < 5e-4 && of(4.0) == 0.0, "{}", of(3.0));
        assert!((0.002..0.004).contains(&of(1.8)), "{}", of(1.8));
        assert!(of(1.5) > of(1.8), "{}", of(1.5));
    }

    #[test]
    fn a_star_on_samples_two_apart_scatters_as_sums_over_it_do() {
        let cfa = CfaPattern::parse("RGGB").unwrap();
        let variance = 0.3f64;
        let told = scatter(cfa, FWHM_OF_SIGMA * variance.sqrt()).unwrap();
        // Red has every second sample along both axes, each four times.
        let along = |at: f64| -> f64 {
            let star = |x: f64| (-0.5 * x * x / variance).exp();
            let norm = (std::f64::consts::TAU * variance).sqrt();
            (-10..=10).map(|k| 2.0 * star(f64::from(2 * k) - at) / norm).sum()
        };
        let places: Vec<f64> = (0..64).map(|i| along(f64::from(i) / 32.0)).collect();
        let square = places.iter().map(|v| v * v).sum::<f64>() / 64.0;
        let expected = (square * square - 1.0).sqrt();
        assert!((told[0] / expected - 1.0).abs() < 1e-6, "{told:?} {expected}");
        assert!((told[2] / told[0] - 1.0).abs() < 1e-6 && told[1] < 0.6 * told[0], "{told:?}");
        // Wide stars fall on enough of them.
        assert!(scatter(cfa, 4.0).unwrap().iter().all(|s| *s < 1e-3));
    }
}
