//! Numbers of masters.

use photosite_pix::{FrameKind, MaskBits, Plane};
use photosite_sim::{Purpose, Stream};

use crate::camera::{Bench, Camera};
use crate::{Effort, Pulls, RIGHT, Row};

/// Pixels against a truth, those with a mask bit of `without` left out.
fn pulls(
    frame: &photosite_pix::Frame,
    truth: &dyn Fn(usize, usize) -> f64,
    without: MaskBits,
) -> Pulls {
    let mut pulls = Pulls::default();
    let variance = frame.variance.as_ref().expect("a variance");
    for y in 0..frame.size().height {
        for x in 0..frame.size().width {
            if !frame.mask.get(x, y).intersects(without) {
                let off = f64::from(frame.data.get(x, y)) - truth(x, y);
                pulls.add(off, f64::from(variance.get(x, y)));
            }
        }
    }
    pulls
}

/// A11: flats under a filter array, which are clipped before they are averaged.
pub fn clipped_flats(effort: Effort) -> Vec<Row> {
    let colours = [[0.6, 1.0], [1.0, 0.4]];
    let mut rows = Vec::new();
    for count in [4usize, 6, 15] {
        let bench = Bench::new();
        let camera = Camera { cfa: Some("RGGB"), ..Camera::new(effort.of(192, 1024)) };
        let level = |x: usize, y: usize| 20_000.0 * colours[y % 2][x % 2];
        let asked = (FrameKind::Flat, count, 11 + count as u64);
        let (_, flat) = bench.master(&camera, asked, &level);
        let found = pulls(&flat, &|_, _| 1.0, MaskBits::all());
        rows.push(Row::new(
            "A11",
            format!("flat under RGGB, N = {count}: real/ERR"),
            found.ratio(),
            RIGHT,
        ));
    }
    rows
}

/// A12: converters with steps as coarse as the noise.
pub fn coarse_converters(effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    for (read, count) in [(0.2, 1), (0.2, 4), (0.3, 1), (0.3, 5), (0.3, 20), (0.5, 5), (1.0, 5)] {
        let bench = Bench::new();
        let camera = Camera::new(effort.of(192, 768)).with(1.0, read);
        // Pixels stand at any part of a step.
        let mut random = Stream::new(12, count as u64, Purpose::Stars);
        let level = Plane::from_fn(camera.size, |_, _| 500.0 + 3.0 * random.uniform() as f32);
        let hot = |x: usize, y: usize| x % 17 == 5 && y % 17 == 9;
        let shoot = |i: usize| {
            let mut random = Stream::new(13, i as u64, Purpose::ReadNoise);
            Plane::from_fn(camera.size, |x, y| {
                let more = if hot(x, y) { 20.0 } else { 0.0 };
                let adu = f64::from(level.get(x, y)) + more + read * random.gaussian();
                adu.round() as f32
            })
        };
        let planes: Vec<Plane<f32>> = (0..count).map(shoot).collect();
        let (_, dark) = bench.master_of(&camera, FrameKind::Dark, &planes);
        let (mut found, mut all) = (0.0, 0.0);
        for y in 0..camera.size.height {
            for x in (0..camera.size.width).filter(|x| hot(*x, y)) {
                all += 1.0;
                found += f64::from(u8::from(dark.mask.get(x, y).contains(MaskBits::HOT)));
            }
        }
        let what = format!("read noise {read} step, N = {count}");
        let share = (found / all, 0.0);
        rows.push(Row::new(
            "A12",
            format!("{what}: hot pixels of 20 steps found"),
            share,
            (0.99, 1.0),
        ));
        if count > 1 {
            let found = pulls(&dark, &|x, y| f64::from(level.get(x, y)), MaskBits::HOT);
            rows.push(Row::new("A12", format!("{what}: real/ERR"), found.ratio(), RIGHT));
        }
    }
    rows
}

/// A13: pixels that jump between two levels.
pub fn unstable_pixels(effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    for (jump, duty) in [(6.0, 0.3), (12.0, 0.3), (12.0, 0.5)] {
        let bench = Bench::new();
        let camera = Camera::new(effort.of(192, 768));
        let unstable = |x: usize, y: usize| x % 13 == 5 && y % 13 == 7;
        let sigma = (camera.read_e.powi(2) + 20.0f64).sqrt();
        let shoot = |i: usize| {
            let mut random = Stream::new(14, i as u64, Purpose::ReadNoise);
            let mut plane = camera.shoot(1400 + i as u64, &|_, _| 20.0);
            for y in 0..camera.size.height {
                for x in (0..camera.size.width).filter(|x| unstable(*x, y)) {
                    if random.uniform() < duty {
                        plane.row_mut(y)[x] += (jump * sigma) as f32;
                    }
                }
            }
            plane
        };
        let planes: Vec<Plane<f32>> = (0..20).map(shoot).collect();
        let (_, dark) = bench.master_of(&camera, FrameKind::Dark, &planes);
        let variance = dark.variance.as_ref().unwrap();
        let (mut silent, mut told, mut all) = (0.0, 0.0, 0.0);
        for y in 0..camera.size.height {
            for x in (0..camera.size.width).filter(|x| unstable(*x, y)) {
                all += 1.0;
                let off = f64::from(dark.data.get(x, y)) - camera.bias_adu - 20.0;
                let pull = (off - duty * jump * sigma) / f64::from(variance.get(x, y)).sqrt();
                if dark.mask.get(x, y).intersects(MaskBits::UNSTABLE | MaskBits::HOT) {
                    told += 1.0;
                } else {
                    silent += f64::from(u8::from(pull.abs() > 4.0));
                }
            }
        }
        let share = |n: f64| (100.0 * n / all, 100.0 * n.max(1.0).sqrt() / all);
        let what = format!("telegraph pixels, {jump} sigma, duty {duty}, N = 20");
        rows.push(Row::new("A13", format!("{what}: told in DQ, %"), share(told), (0.0, 100.0)));
        let beyond = format!("{what}: not told, and beyond 4 ERR, %");
        rows.push(Row::new("A13", beyond, share(silent), (0.0, 1.0)));
        let mut false_ones = 0.0;
        for y in 0..camera.size.height {
            for x in (0..camera.size.width).filter(|x| !unstable(*x, y)) {
                let bits = dark.mask.get(x, y);
                false_ones += f64::from(u8::from(bits.contains(MaskBits::UNSTABLE)));
            }
        }
        let share = 100.0 * false_ones / camera.size.pixels() as f64;
        rows.push(Row::new(
            "A13",
            format!("{what}: stable pixels called so, %"),
            (share, 0.0),
            (0.0, 0.01),
        ));
    }
    rows
}

/// B: biases and darks.
pub fn biases_and_darks(effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    let camera = |gain, read| Camera::new(effort.of(160, 768)).with(gain, read);
    for (kind, electrons, camera) in [
        (FrameKind::Bias, 0.0, camera(1.0, 8.0)),
        (FrameKind::Bias, 0.0, camera(1.0, 1.0)),
        (FrameKind::Dark, 0.5, camera(0.25, 2.0)),
        (FrameKind::Dark, 200.0, camera(1.0, 2.0)),
    ] {
        for count in [2usize, 5, 10] {
            let asked = (kind, count, 200 + count as u64);
            let (_, frame) = Bench::new().master(&camera, asked, &|_, _| electrons);
            let truth = camera.bias_adu + electrons / camera.gain;
            let found = pulls(&frame, &|_, _| truth, MaskBits::all());
            let what = format!(
                "{} of {electrons} e-, read noise {} e-, {} e-/ADU, N = {count}: real/ERR",
                kind.name(),
                camera.read_e,
                camera.gain
            );
            rows.push(Row::new("B", what, found.ratio(), RIGHT));
        }
    }
    rows
}

/// B: flats.
pub fn flats(effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    let camera = Camera::new(effort.of(192, 768));
    let side = camera.size.width as f64;
    let response = |x: usize, y: usize| {
        let (u, v) = (x as f64 / side - 0.5, y as f64 / side - 0.5);
        1.0 - 0.6 * (u * u + v * v) + 0.2 * u
    };
    let mut sum = 0.0;
    for y in 0..camera.size.height {
        sum += (0..camera.size.width).map(|x| response(x, y)).sum::<f64>();
    }
    let mean = sum / camera.size.pixels() as f64;
    for (electrons, count) in [(20_000.0, 2usize), (20_000.0, 10), (200.0, 10)] {
        let asked = (FrameKind::Flat, count, 300 + count as u64);
        let level = |x: usize, y: usize| electrons * response(x, y);
        let (_, flat) = Bench::new().master(&camera, asked, &level);
        let found = pulls(&flat, &|x, y| response(x, y) / mean, MaskBits::all());
        let what = format!("flat of {electrons} e-, N = {count}: real/ERR");
        rows.push(Row::new("B", what, found.ratio(), RIGHT));
    }
    rows
}
