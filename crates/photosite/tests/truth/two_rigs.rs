//! Lights of two telescopes in one stack: it has the pixels that most light was taken with.

use std::path::PathBuf;

use photosite::event::{Cancel, Silent};
use photosite::run::{IntegrationRequest, integrate};
use photosite::work::Context;
use photosite_file::fits::{Sample, read_frames};
use photosite_pix::align::Alignment;
use photosite_pix::{Card, Header, Plane, Size};
use photosite_sim::{Purpose, Stream};

use crate::night::write_plane;

/// A light whose pixels are so many seconds of arc wide, under a seeing of 3.
fn light(sky: &[(f64, f64, f64)], i: usize, pixel_arcsec: f64) -> Plane<f32> {
    let side = |arcsec: f64| (arcsec / pixel_arcsec) as usize;
    let size = Size::new(side(800.0), side(600.0));
    let sigma = 3.0 / pixel_arcsec / 2.354_82;
    let mut data = Plane::filled(size, (300.0 * pixel_arcsec * pixel_arcsec) as f32);
    for (x, y, flux) in sky {
        let at = |arcsec: f64, step: f64| (arcsec + step * i as f64) / pixel_arcsec;
        let (x, y) = (at(*x, 3.7), at(*y, -2.2));
        let range = |c: f64, end: usize| {
            (c - 9.0).clamp(0.0, end as f64) as usize..(c + 10.0).clamp(0.0, end as f64) as usize
        };
        for row in range(y, size.height) {
            for column in range(x, size.width) {
                let d2 = (column as f64 - x).powi(2) + (row as f64 - y).powi(2);
                let share = (-0.5 * d2 / (sigma * sigma)).exp();
                let share = share / (sigma * sigma * std::f64::consts::TAU);
                data.row_mut(row)[column] += (flux * share) as f32;
            }
        }
    }
    let mut random = Stream::new(7, i as u64, Purpose::ReadNoise);
    for v in data.as_mut_slice() {
        *v += ((f64::from(*v) + 25.0).sqrt() * random.gaussian()) as f32;
    }
    data
}

#[test]
fn a_stack_has_the_pixels_that_most_light_was_taken_with() {
    let mut random = Stream::new(5, 0, Purpose::Stars);
    let sky: Vec<(f64, f64, f64)> = (0..250)
        .map(|_| {
            let (x, y) = (random.between(20.0, 780.0), random.between(40.0, 580.0));
            (x, y, (1e3 * (1.0 - random.uniform()).powf(-1.1)).min(1e5))
        })
        .collect();
    // Lights of 1 and of 2 seconds of arc a pixel; what the stack must have; of equally many the finer.
    for (fine, coarse, wanted) in [(5, 2, 1.0), (3, 3, 1.0), (1, 5, 2.0), (4, 0, 1.0)] {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..fine + coarse)
            .map(|i| {
                let path = folder.path().join(format!("light_{i}.fits"));
                let mut header = Header::new();
                header.set(Card::real("EXPTIME", 60.0, ""));
                header.set(Card::real("EGAIN", 1.0, ""));
                let pixel_arcsec = if i < coarse { 2.0 } else { 1.0 };
                write_plane(&path, &light(&sky, i, pixel_arcsec), Sample::F32, header);
                path
            })
            .collect();
        let cancel = Cancel::default();
        let observer = &Silent;
        let context = Context { threads: 2, memory_bytes: 1 << 30, observer, cancel: &cancel };
        let output = folder.path().join("stack.fits");
        let mut request = IntegrationRequest::new(&paths, &output);
        request.how.register = Some(Alignment::Stars);
        let done = integrate(&request, &context).unwrap();
        let size = read_frames(&output).unwrap().0[0].data.size();
        assert_eq!(size.width, (800.0 / wanted) as usize, "{fine} fine, {coarse} coarse");
        assert!(done.lights.iter().all(|light| light.used), "{fine} fine, {coarse} coarse");
        let told = done.findings.iter().any(|finding| finding.code == "scales-differ");
        assert_eq!(told, fine > 0 && coarse > 0, "{fine} fine, {coarse} coarse");
    }
}
