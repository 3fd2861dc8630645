//! Lights of one transparency under unlike seeing: their flux scales are 1, whatever wings stars have and however
//! crowded they are.

use std::path::PathBuf;

use photosite::event::{Cancel, Silent};
use photosite::register::ScaleSource;
use photosite::run::{IntegrationRequest, integrate};
use photosite::work::Context;
use photosite_file::fits::Sample;
use photosite_pix::align::Alignment;
use photosite_pix::{Card, Header, Plane, Size};
use photosite_sim::{Purpose, Stream};

use crate::night::write_plane;

const SIZE: Size = Size::new(640, 512);
const FWHM_PX: [f64; 5] = [2.5, 2.5, 3.2, 4.0, 5.0];

/// A star: column, row, flux.
type Place = (f64, f64, f64);

/// Stars all over, and `crowd` in a cluster of Plummer's profile.
fn stars(field: usize, crowd: usize, seed: u64) -> Vec<Place> {
    let mut random = Stream::new(seed, 0, Purpose::Stars);
    let (width, height) = (SIZE.width as f64, SIZE.height as f64);
    let faintest = |random: &mut Stream| 300.0 * (1.0 - random.uniform()).powf(-1.4);
    let mut out: Vec<Place> = Vec::new();
    for _ in 0..field {
        let flux = faintest(&mut random).min(2e5);
        out.push((random.between(0.0, width), random.between(0.0, height), flux));
    }
    for _ in 0..crowd {
        let u = random.uniform();
        let (away, angle) =
            (70.0 * (u / (1.0 - u)).sqrt(), random.between(0.0, std::f64::consts::TAU));
        let flux = faintest(&mut random).min(1e5);
        out.push((0.5 * width + away * angle.cos(), 0.5 * height + away * angle.sin(), flux));
    }
    out
}

/// A light: electrons and ADU are one; a Moffat profile of an exponent, or a Gaussian where that is infinite.
fn light(sky: &[Place], i: usize, exponent: f64, seed: u64) -> Plane<f32> {
    let shift = (1.7 * i as f64, -1.2 * i as f64);
    let mut data = Plane::filled(SIZE, 400.0f32);
    let fwhm = FWHM_PX[i];
    let gaussian = exponent.is_infinite();
    let alpha2 = 0.25 * fwhm * fwhm / (2f64.powf(1.0 / exponent) - 1.0);
    let sigma2 = (fwhm / 2.354_82).powi(2);
    for &(x, y, flux) in sky {
        let (x, y) = (x + shift.0, y + shift.1);
        let reach = if gaussian { 3.0 } else { 12.0 } * fwhm;
        let range = |c: f64, end: usize| {
            (c - reach).clamp(0.0, end as f64) as usize..(c + reach).clamp(0.0, end as f64) as usize
        };
        for j in range(y, SIZE.height) {
            for i in range(x, SIZE.width) {
                let d2 = (i as f64 - x).powi(2) + (j as f64 - y).powi(2);
                let share = match gaussian {
                    true => (-0.5 * d2 / sigma2).exp() / (sigma2 * std::f64::consts::TAU),
                    false => {
                        (exponent - 1.0) / (std::f64::consts::PI * alpha2)
                            * (1.0 + d2 / alpha2).powf(-exponent)
                    }
                };
                data.row_mut(j)[i] += (flux * share) as f32;
            }
        }
    }
    let mut random = Stream::new(seed, i as u64, Purpose::ReadNoise);
    for v in data.as_mut_slice() {
        *v += ((f64::from(*v) + 25.0).sqrt() * random.gaussian()) as f32;
    }
    data
}

#[test]
fn unlike_seeing_changes_no_flux_scale() {
    let gaussian = f64::INFINITY;
    for (name, field, crowd, exponent) in [
        ("open field", 200, 0, gaussian),
        ("open field, wings", 200, 0, 3.5),
        ("open field, wide wings", 200, 0, 2.7),
        ("globular cluster", 100, 4000, gaussian),
        ("globular cluster, wings", 100, 4000, 3.5),
    ] {
        let (mut pulls, mut count) = (0.0f64, 0.0);
        for seed in [3, 4] {
            let folder = tempfile::tempdir().unwrap();
            let sky = stars(field, crowd, seed);
            let paths: Vec<PathBuf> = (0..FWHM_PX.len())
                .map(|i| {
                    let path = folder.path().join(format!("light_{i}.fits"));
                    let mut header = Header::new();
                    header.set(Card::real("EXPTIME", 60.0, ""));
                    header.set(Card::real("EGAIN", 1.0, ""));
                    write_plane(&path, &light(&sky, i, exponent, seed), Sample::F32, header);
                    path
                })
                .collect();
            let cancel = Cancel::default();
            let observer = &Silent;
            let context = Context { threads: 2, memory_bytes: 1 << 30, observer, cancel: &cancel };
            let output = folder.path().join("stack.fits");
            let mut request = IntegrationRequest::new(&paths, &output);
            request.reference = Some(&paths[0]);
            request.how.register = Some(Alignment::Stars);
            let done = integrate(&request, &context).unwrap();
            for (part, fwhm) in done.lights.iter().zip(FWHM_PX).skip(1) {
                let told = part.flux_scale.unwrap();
                let error = told.error.unwrap();
                println!("{name}, FWHM {fwhm}: {:.4} +- {error:.4}, {:?}", told.scale, told.source);
                let off = told.scale - 1.0;
                let most = if crowd > 0 { 0.01 } else { 0.03 };
                assert!(off.abs() < most, "{name}, {fwhm}: {told:?}");
                assert!(off.abs() < 3.0 * error && error < 0.02, "{name}, {fwhm}: {told:?}");
                if crowd > 0 && fwhm >= 4.0 {
                    assert_eq!(told.source, ScaleSource::AllLight, "{name}, {fwhm}");
                }
                (pulls, count) = (pulls + (off / error).powi(2), count + 1.0);
            }
        }
        let rms = (pulls / count).sqrt();
        println!("{name}: pulls {rms:.2}");
        assert!(rms < 1.5, "{name}: {rms}");
    }
}
