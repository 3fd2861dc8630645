//! Numbers of calibrated lights.

use photosite::run::NamedBias;
use photosite_pix::{Frame, FrameKind, MaskBits, Plane};

use crate::camera::{Bench, Camera};
use crate::{Effort, Pulls, RIGHT, Row};

/// A Gaussian star's share of the peak.
fn profile(fwhm_px: f64, d2: f64) -> f64 {
    let sigma = fwhm_px / 2.354_82;
    (-0.5 * d2 / (sigma * sigma)).exp()
}

/// Pixels of lights against a truth.
fn pulls(
    lights: &[Frame],
    truth: &dyn Fn(usize, usize) -> f64,
    which: &dyn Fn(usize, usize, MaskBits) -> bool,
) -> Pulls {
    let mut pulls = Pulls::default();
    for light in lights {
        let variance = light.variance.as_ref().expect("a variance");
        for y in 0..light.size().height {
            for x in 0..light.size().width {
                if which(x, y, light.mask.get(x, y)) {
                    let off = f64::from(light.data.get(x, y)) - truth(x, y);
                    pulls.add(off, f64::from(variance.get(x, y)));
                }
            }
        }
    }
    pulls
}

/// A9: hot pixels repaired on the sky and on stars.
pub fn repaired_pixels(effort: Effort) -> Vec<Row> {
    const CELL: usize = 24;
    let mut rows = Vec::new();
    let camera = Camera::new(CELL * effort.of(10, 40));
    for fwhm_px in [2.5, 4.0] {
        let bench = Bench::new();
        // In each cell one star, and hot pixels all over it and beside it.
        let place = |v: usize, turn: usize| 12.0 + 0.37 * ((v / CELL + turn) % 3) as f64 - 0.37;
        let off = |x: usize, y: usize| {
            let dx = (x % CELL) as f64 - place(x, y / CELL);
            let dy = (y % CELL) as f64 - place(y, x / CELL);
            dx * dx + dy * dy
        };
        let light_e = |x: usize, y: usize| 100.0 + 20_000.0 * profile(fwhm_px, off(x, y));
        let hot = |x: usize, y: usize| {
            let (i, j) = (x / CELL, y / CELL);
            let (dx, dy) = ((i * 7 + j * 3) % 9, (i * 5 + j * 11) % 9);
            (x % CELL, y % CELL) == (8 + dx, 8 + dy) || (x % CELL, y % CELL) == (1 + dx % 2, 1)
        };
        let dark_e = |x: usize, y: usize| if hot(x, y) { 3000.0 } else { 5.0 };
        let (dark, _) = bench.master(&camera, (FrameKind::Dark, 10, 90), &dark_e);
        let (bias, _) = bench.master(&camera, (FrameKind::Bias, 10, 91), &|_, _| 0.0);
        let shoot = |i: u64| camera.shoot(92_000 + i, &|x, y| light_e(x, y) + dark_e(x, y));
        let lights: Vec<Plane<f32>> = (0..effort.of(2, 6) as u64).map(shoot).collect();
        let with = (Some(NamedBias::File(bias)), Some(&*dark), None);
        let done = bench.calibrate(&camera, &lights, with);
        let near = 0.9 * fwhm_px;
        let repaired = |mask: MaskBits| mask.contains(MaskBits::INTERPOLATED);
        let on_sky = pulls(&done, &light_e, &|x, y, m| repaired(m) && off(x, y).sqrt() > 9.0);
        let on_star = pulls(&done, &light_e, &|x, y, m| repaired(m) && off(x, y).sqrt() < near);
        let core = pulls(&done, &light_e, &|x, y, m| repaired(m) && off(x, y).sqrt() < 0.6);
        let what = |place: &str| format!("repaired {place}, FWHM {fwhm_px} px: real/ERR");
        rows.push(Row::new("A9", what("on the sky"), on_sky.ratio(), (0.9, 1.06)));
        rows.push(Row::new("A9", what("on stars"), on_star.ratio(), (0.5, 1.5)));
        rows.push(Row::new("A9", what("in cores"), core.ratio(), (0.5, 2.0)));
        let (mut far, mut all) = (0.0, 0.0f64);
        for light in &done {
            let variance = light.variance.as_ref().unwrap();
            for y in 0..camera.size.height {
                for x in (0..camera.size.width).filter(|x| repaired(light.mask.get(*x, y))) {
                    if off(x, y).sqrt() < 2.0 * fwhm_px {
                        let pull = (f64::from(light.data.get(x, y)) - light_e(x, y)).abs();
                        far +=
                            f64::from(u8::from(pull > 5.0 * f64::from(variance.get(x, y)).sqrt()));
                        all += 1.0;
                    }
                }
            }
        }
        let share = 100.0 * far / all;
        let error = 100.0 * far.max(1.0).sqrt() / all;
        let what = format!("repaired on stars beyond 5 ERR, FWHM {fwhm_px} px: %");
        rows.push(Row::new("A9", what, (share, error), (0.0, 1.0)));
    }
    rows
}

/// A14: skies of next to no light.
pub fn faint_sky(effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    for (sky_e, gain, read) in
        [(0.2, 0.25, 1.5), (1.0, 0.25, 1.5), (0.5, 5.0, 1.5), (0.5, 5.0, 5.0), (20.0, 0.25, 1.5)]
    {
        let bench = Bench::new();
        let camera = Camera::new(effort.of(192, 768)).with(gain, read);
        let camera = Camera { phases: true, ..camera };
        let (bias, _) = bench.master(&camera, (FrameKind::Bias, 20, 140), &|_, _| 0.0);
        let lights = [camera.shoot(141_000, &|_, _| sky_e)];
        let done = bench.calibrate(&camera, &lights, (Some(NamedBias::File(bias)), None, None));
        let found = pulls(&done, &|_, _| sky_e / gain, &|_, _, m| m.is_empty());
        let what = format!("sky {sky_e} e-, {gain} e-/ADU, read noise {read} e-");
        rows.push(Row::new("A14", format!("{what}: real/ERR"), found.ratio(), RIGHT));
        let variance = done[0].variance.as_ref().unwrap().as_slice().iter();
        let each: Vec<f64> = done[0]
            .data
            .as_slice()
            .iter()
            .zip(variance)
            .map(|(v, var)| (f64::from(*v) - sky_e / gain) / f64::from(*var).sqrt())
            .collect();
        let bar = (-0.05, 0.05);
        // Steps as coarse as the noise move the mean by what they round.
        if read / gain > 0.5 {
            rows.push(Row::new("A14", format!("{what}: mean pull"), crate::mean(&each), bar));
        }
    }
    rows
}

/// A15: one dark of long exposure, with and without a bias.
pub fn one_dark(effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    for with_bias in [true, false] {
        let bench = Bench::new();
        let camera = Camera::new(effort.of(192, 768)).with(1.0, 2.0);
        let (dark, frame) = bench.master(&camera, (FrameKind::Dark, 1, 150), &|_, _| 200.0);
        let bias = with_bias
            .then(|| bench.master(&camera, (FrameKind::Bias, 10, 151), &|_, _| 0.0).0)
            .map(NamedBias::File);
        let what = if with_bias { "one dark of 200 e- and a bias" } else { "one dark of 200 e-" };
        let of_dark = pulls(&[frame], &|_, _| camera.bias_adu + 200.0, &|_, _, m| m.is_empty());
        rows.push(Row::new("A15", format!("{what}: real/ERR of the dark"), of_dark.ratio(), RIGHT));
        let lights = [camera.shoot(152_000, &|_, _| 250.0)];
        let done = bench.calibrate(&camera, &lights, (bias, Some(&dark), None));
        let found = pulls(&done, &|_, _| 50.0, &|_, _, m| m.is_empty());
        rows.push(Row::new("A15", format!("{what}: real/ERR of a light"), found.ratio(), RIGHT));
    }
    rows
}

/// B: lights by dark and flat, on sky, nebula and stars.
pub fn calibrated(effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    for (sky_e, gain, read) in [(5.0, 1.0, 10.0), (50.0, 0.25, 1.5), (2000.0, 1.0, 5.0)] {
        let bench = Bench::new();
        let camera = Camera::new(effort.of(192, 768)).with(gain, read);
        let side = camera.size.width as f64;
        let star = |x: usize, y: usize| {
            let d2 = ((x % 32) as f64 - 16.2).powi(2) + ((y % 32) as f64 - 15.7).powi(2);
            5000.0 * profile(3.0, d2)
        };
        let nebula = |x: usize, y: usize| {
            let d2 = (x as f64 - 0.7 * side).powi(2) + (y as f64 - 0.5 * side).powi(2);
            1000.0 * profile(0.5 * side, d2)
        };
        let light_e = |x: usize, y: usize| sky_e + star(x, y) + nebula(x, y);
        let (bias, _) = bench.master(&camera, (FrameKind::Bias, 10, 400), &|_, _| 0.0);
        let (dark, _) = bench.master(&camera, (FrameKind::Dark, 10, 401), &|_, _| 20.0);
        let (flat, _) = bench.master(&camera, (FrameKind::Flat, 10, 402), &|_, _| 10_000.0);
        let lights = [camera.shoot(403_000, &|x, y| light_e(x, y) + 20.0)];
        let with = (Some(NamedBias::File(bias)), Some(&*dark), Some(&*flat));
        let done = bench.calibrate(&camera, &lights, with);
        let truth = |x: usize, y: usize| light_e(x, y) / gain;
        type Where<'a> = &'a dyn Fn(usize, usize) -> bool;
        let places: [(&str, Where<'_>); 3] = [
            ("sky", &|x, y| star(x, y) < 0.5 && nebula(x, y) < 0.1 * sky_e.max(20.0)),
            ("nebula", &|x, y| star(x, y) < 0.5 && nebula(x, y) > 300.0),
            ("stars", &|x, y| star(x, y) > 100.0),
        ];
        for (name, here) in places {
            let found = pulls(&done, &truth, &|x, y, m| m.is_empty() && here(x, y));
            let what = format!("light, sky {sky_e} e-, {gain} e-/ADU, {name}: real/ERR");
            rows.push(Row::new("B", what, found.ratio(), RIGHT));
        }
    }
    rows
}
