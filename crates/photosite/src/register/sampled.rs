//! What a filter array leaves of the fluxes of stars that are too sharp for it.

use photosite_pix::debayer::{Debayer, Method};
use photosite_pix::stars::FWHM_OF_SIGMA;
use photosite_pix::warp::Window;
use photosite_pix::{Card, CfaPattern, Header, Size};

use super::part::LightPart;
use crate::measure::SurveyedLight;
use crate::params::Integration;

/// Keywords of red, green and blue.
const KEYS: [&str; 3] = ["PSARRAYR", "PSARRAYG", "PSARRAYB"];

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

/// The relative error of a star's flux in a stack that comes of where each light's array samples it, one standard
/// deviation, of red, green and blue. It is each star's own: means over stars know it better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArrayErrors([f64; 3]);

impl ArrayErrors {
    /// Of a stack of lights that are debayered; `None` of any other, and where stars are wide enough.
    pub(crate) fn of(used: &[(&SurveyedLight, &LightPart)], how: Integration) -> Option<Self> {
        if how.drizzle.is_some() {
            return None;
        }
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
        errors.iter().all(|e| *e > LEAST).then_some(Self(errors))
    }

    /// Of a plane.
    pub fn of_plane(self, plane: usize) -> f64 {
        self.0[plane]
    }

    /// Writes them.
    pub(crate) fn write(self, header: &mut Header) {
        for (key, error) in KEYS.iter().zip(self.0) {
            let comment = "relative error of one star by its place on the array";
            header.set(Card::real(key, (error * 1e5).round() / 1e5, comment));
        }
    }

    /// Those of a header; `None` where it has none.
    pub fn read(header: &Header) -> Option<Self> {
        let of = |key: &str| header.get_f64(key).filter(|error| *error >= 0.0);
        let [red, green, blue] = KEYS.map(of);
        Some(Self([red?, green?, blue?]))
    }
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
