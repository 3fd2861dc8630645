//! Star detection on a field whose stars are known.

use photosite::event::{Cancel, Silent};
use photosite::measure::{StarField, find_stars};
use photosite::work::Context;
use photosite_pix::stars::{Criteria, Star};
use photosite_pix::{MaskBits, Plane, Size};
use photosite_sim::{Purpose, Stream};

use crate::star_field::{NOISE, SIGMA_PX, field};

const SIZE: Size = Size::new(4096, 3072);

fn find(data: &Plane<f32>, mask: &Plane<MaskBits>, threads: usize) -> StarField {
    let cancel = Cancel::default();
    let context = Context { threads, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
    find_stars(data, mask, None, Criteria::default(), &context).unwrap()
}

/// The bar: 97 % of the stars at SNR 8 and above, fewer than 10 false, bright centres to 0.03 px.
#[test]
fn stars_are_found_and_hot_pixels_are_not() {
    let (data, put) = field(SIZE, 3000, 2000);
    let mask = Plane::zeroed(SIZE);
    let found = find(&data, &mask, 2);
    let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).hypot(a.1 - b.1);
    let mut right = 0;
    let (mut bright, mut square_sum, mut flux_sum) = (0, 0.0, 0.0);
    let flux_of_one = NOISE * (4.0 * std::f64::consts::PI).sqrt() * SIGMA_PX;
    for star in &put {
        let best = found.stars.iter().min_by(|a, b| {
            near((a.x, a.y), (star.x, star.y)).total_cmp(&near((b.x, b.y), (star.x, star.y)))
        });
        let best = best.unwrap();
        let distance = near((best.x, best.y), (star.x, star.y));
        right += usize::from(distance < 2.0);
        let alone = put.iter().filter(|o| near((o.x, o.y), (star.x, star.y)) < 20.0).count() == 1;
        if star.snr > 100.0 && alone && distance < 2.0 {
            bright += 1;
            square_sum += distance * distance / 2.0;
            flux_sum += best.flux / (star.snr * flux_of_one);
        }
    }
    let is_put = |x, y| put.iter().any(|p| near((p.x, p.y), (x, y)) < 3.0);
    let wrong = found.stars.iter().filter(|s| !is_put(s.x, s.y)).count();
    let recall = right as f64 / put.len() as f64;
    let rms = (square_sum / f64::from(bright)).sqrt();
    let flux = flux_sum / f64::from(bright);
    let fwhm = found.fwhm_px.unwrap();
    println!(
        "recall {recall:.4}, {wrong} false, {bright} bright: {rms:.4} px a coordinate, flux {flux:.4}, FWHM {fwhm:.3}"
    );
    assert!(recall >= 0.97, "{recall}");
    assert!(wrong < 10, "{wrong}");
    assert!(bright > 50 && rms < 0.03, "{rms}");
    assert!((flux - 1.0).abs() < 0.01, "{flux}");
    assert!((fwhm / (SIGMA_PX * 2.3548) - 1.0).abs() < 0.02, "{fwhm}");
}

/// Stars no wider than a pixel, as of a camera lens or a binned sensor, hot pixels beside them, and
/// particles in a field of a few usual stars, which stay the ones that are found.
#[test]
fn undersampled_stars_are_found_and_particles_do_not_pass_for_them() {
    let size = Size::new(900, 700);
    let sampled = |fwhm_px: f64, count: usize, peak: f64, seed: u64| {
        let mut random = Stream::new(seed, 0, Purpose::Stars);
        let places: Vec<(f64, f64, f64)> = (0..count)
            .map(|_| {
                let x = 12.0 + 876.0 * random.uniform();
                let y = 12.0 + 676.0 * random.uniform();
                (x, y, peak * (0.1 + 0.9 * random.uniform()))
            })
            .collect();
        let mut data = Plane::from_fn(size, |_, _| (200.0 + 5.0 * random.gaussian()) as f32);
        let sigma = fwhm_px / 2.3548;
        for (x, y, peak) in &places {
            for j in (y.floor() as usize - 8)..(y.floor() as usize + 9) {
                for i in (x.floor() as usize - 8)..(x.floor() as usize + 9) {
                    let r2 = (i as f64 - x).powi(2) + (j as f64 - y).powi(2);
                    let v = peak * (-0.5 * r2 / (sigma * sigma)).exp();
                    data.set(i, j, data.get(i, j) + v as f32);
                }
            }
        }
        (data, places, random)
    };
    let mask = Plane::zeroed(size);
    for fwhm_px in [1.0, 1.2, 1.5, 1.8] {
        let (mut data, places, mut random) = sampled(fwhm_px, 120, 9000.0, 7);
        for _ in 0..300 {
            let i = 5 + (890.0 * random.uniform()) as usize;
            let j = 5 + (690.0 * random.uniform()) as usize;
            data.set(i, j, data.get(i, j) + (200.0 + 5800.0 * random.uniform()) as f32);
        }
        let found = find(&data, &mask, 2);
        let near = |s: &&Star| places.iter().any(|(x, y, _)| (s.x - x).hypot(s.y - y) < 1.0);
        let right = found.stars.iter().filter(near).count();
        println!("FWHM {fwhm_px}: {right} of 120, {} in all", found.stars.len());
        assert!(right >= 110 && found.stars.len() - right <= 12, "FWHM {fwhm_px}: {right}");
    }
    // Eight usual stars, and tracks of particles one pixel wide.
    let (mut data, places, mut random) = sampled(3.0, 8, 3000.0, 9);
    for _ in 0..60 {
        let mut x = 20.0 + 860.0 * random.uniform();
        let mut y = 20.0 + 660.0 * random.uniform();
        let angle = std::f64::consts::TAU * random.uniform();
        let (height, length) = (80.0 + 820.0 * random.uniform(), 1.0 + 11.0 * random.uniform());
        for _ in 0..length as usize {
            let (i, j) = (x.round() as usize, y.round() as usize);
            data.set(i, j, (200.0 + height * (0.6 + 0.8 * random.uniform())) as f32);
            (x, y) = (x + angle.cos(), y + angle.sin());
        }
    }
    let found = find(&data, &mask, 2);
    let near = |s: &&Star| places.iter().any(|(x, y, _)| (s.x - x).hypot(s.y - y) < 1.0);
    assert_eq!(found.stars.iter().filter(near).count(), 8);
    assert!((found.fwhm_px.unwrap() - 3.0).abs() < 0.3, "{:?}", found.fwhm_px);
}

#[test]
fn threads_do_not_matter_and_masked_stars_are_left_out() {
    let size = Size::new(700, 500);
    let (data, put) = field(size, 60, 40);
    let mut mask: Plane<MaskBits> = Plane::zeroed(size);
    let all = find(&data, &mask, 1);
    assert_eq!(all, find(&data, &mask, 3));
    let star = put.iter().max_by(|a, b| a.snr.total_cmp(&b.snr)).unwrap();
    mask.set(star.x.round() as usize, star.y.round() as usize, MaskBits::SATURATED);
    let without = find(&data, &mask, 2);
    let there = |f: &StarField| f.stars.iter().any(|s| (s.x - star.x).hypot(s.y - star.y) < 2.0);
    assert!(there(&all) && !there(&without));
}

#[test]
fn an_empty_frame_has_no_stars() {
    for size in [Size::new(1, 1), Size::new(3, 200), Size::new(70, 70)] {
        let mask = Plane::zeroed(size);
        for value in [0.0, 5.0, f32::NAN] {
            assert_eq!(find(&Plane::filled(size, value), &mask, 2).stars, []);
        }
    }
}

/// A sky and what is put on it.
struct Scene {
    data: Plane<f32>,
    put: Vec<(f64, f64, f64)>,
}

/// Stars whose matched signal stands out of the noise of a sky by 12 and more, `long` times as long as
/// wide; samples are whole numbers from 0 on where the sky is `cut`.
fn scene(seed: u64, sky: impl Fn(f64, f64) -> f64, noise: f64, long: f64, cut: bool) -> Scene {
    const SIGMA: f64 = 1.3;
    let size = Size::new(1000, 900);
    let mut random = Stream::new(seed, 0, Purpose::Stars);
    let mut truth = Plane::from_fn(size, |x, y| sky(x as f64, y as f64) as f32);
    let (sin, cos) = (std::f64::consts::TAU * random.uniform()).sin_cos();
    let (wide, narrow) = (SIGMA * long.sqrt(), SIGMA / long.sqrt());
    let put: Vec<(f64, f64, f64)> = (0..300)
        .map(|_| {
            let x = 15.0 + 970.0 * random.uniform();
            let y = 15.0 + 870.0 * random.uniform();
            let snr = 12.0 * (1.0 - random.uniform() * 0.99).powf(-0.9);
            let flux = snr * noise * (4.0 * std::f64::consts::PI).sqrt() * SIGMA;
            let peak = flux / (2.0 * std::f64::consts::PI * SIGMA * SIGMA);
            for j in y as usize - 14..y as usize + 15 {
                for i in x as usize - 14..x as usize + 15 {
                    let (dx, dy) = (i as f64 - x, j as f64 - y);
                    let (u, v) = (cos * dx + sin * dy, cos * dy - sin * dx);
                    let d2 = (u / wide).powi(2) + (v / narrow).powi(2);
                    truth.row_mut(j)[i] += (peak * (-0.5 * d2).exp()) as f32;
                }
            }
            (x, y, flux)
        })
        .collect();
    let data = Plane::from_fn(size, |x, y| {
        let v = f64::from(truth.get(x, y)) + noise * random.gaussian();
        (if cut { v.round().max(0.0) } else { v }) as f32
    });
    Scene { data, put }
}

/// The share of stars that are found, how many false ones there are, and the field.
fn found(scene: &Scene) -> (f64, usize, StarField) {
    let field = find(&scene.data, &Plane::zeroed(scene.data.size()), 2);
    let near = |a: (f64, f64), b: &(f64, f64, f64)| (a.0 - b.0).hypot(a.1 - b.1) < 3.0;
    let stars = || field.stars.iter().map(|s| (s.x, s.y));
    let right = scene.put.iter().filter(|p| stars().any(|s| near(s, p))).count();
    let wrong = stars().filter(|s| !scene.put.iter().any(|p| near(*s, p))).count();
    (right as f64 / scene.put.len() as f64, wrong, field)
}

#[test]
fn slopes_and_nebulae_hide_no_star_and_make_none() {
    for seed in [3, 4] {
        // One sigma in thirty pixels, to the very rim.
        let slope = scene(seed, |x, y| 100.0 + 0.3 * x + 0.15 * y, 10.0, 1.0, false);
        let (share, wrong, _) = found(&slope);
        println!("slope: {share:.3}, {wrong} false");
        assert!(share > 0.97 && wrong == 0, "{share} {wrong}");
        let mut random = Stream::new(seed, 1, Purpose::Stars);
        let humps: Vec<(f64, f64, f64, f64)> = (0..14)
            .map(|_| {
                let sigma = 12.0 * 5f64.powf(random.uniform());
                let height = 20.0 * 10f64.powf(random.uniform());
                (1000.0 * random.uniform(), 900.0 * random.uniform(), sigma, height)
            })
            .collect();
        let sky = |x: f64, y: f64| {
            let hump = |(cx, cy, sigma, height): &(f64, f64, f64, f64)| {
                let r2 = (x - cx).powi(2) + (y - cy).powi(2);
                height * (-0.5 * r2 / (sigma * sigma)).exp()
            };
            200.0 + humps.iter().map(hump).sum::<f64>()
        };
        let nebula = scene(seed, sky, 10.0, 1.0, false);
        let (share, wrong, field) = found(&nebula);
        let fwhm = field.fwhm_px.unwrap() / (1.3 * 2.3548);
        let ratios: Vec<f64> = nebula
            .put
            .iter()
            .filter_map(|p| {
                let star = field.stars.iter().find(|s| (s.x - p.0).hypot(s.y - p.1) < 1.0)?;
                (star.snr > 40.0).then_some(star.flux / p.2)
            })
            .collect();
        let flux = photosite_pix::stat::median_f64(&ratios);
        println!("nebula: {share:.3}, {wrong} false, FWHM {fwhm:.3}, flux {flux:.3}");
        assert!(share > 0.95 && wrong <= 8, "{share} {wrong}");
        assert!((fwhm - 1.0).abs() < 0.05 && (flux - 1.0).abs() < 0.01, "{fwhm} {flux}");
    }
}

#[test]
fn drawn_out_stars_are_stars_and_a_sky_cut_off_is_one() {
    for seed in [5, 6, 7] {
        let (share, wrong, field) = found(&scene(seed, |_, _| 300.0, 10.0, 3.0, false));
        println!("drawn out: {share:.3}, {wrong} false, roundness {:?}", field.roundness);
        assert!(share > 0.9 && wrong <= 3, "{share} {wrong}");
        assert!((field.roundness.unwrap() - 0.333).abs() < 0.06);
        let (share, wrong, _) = found(&scene(seed, |_, _| 0.0, 6.0, 1.0, true));
        println!("cut off: {share:.3}, {wrong} false");
        assert!(share > 0.95 && wrong <= 8, "{share} {wrong}");
    }
}

/// A telescope out of focus makes rings of stars, dark in the middle; `noise` is low where many lights were stacked.
#[test]
fn rings_of_stars_out_of_focus_are_found() {
    let size = Size::new(600, 450);
    let mask = Plane::zeroed(size);
    for (across_px, noise) in
        [10.0, 16.0, 22.0, 28.0].into_iter().flat_map(|px| [20.0, 3.0].map(|noise| (px, noise)))
    {
        let outer = 0.5 * across_px;
        let mut random = Stream::new(11, 0, Purpose::Stars);
        let mut put = Vec::new();
        for i in 0..12 {
            let off = |random: &mut Stream| 75.0 + 40.0 * (random.uniform() - 0.5);
            let (x, y) = (off(&mut random), off(&mut random));
            let flux = 1e4 * 10.0f64.powf(1.2 * random.uniform());
            put.push((x + 150.0 * f64::from(i % 4), y + 150.0 * f64::from(i / 4), flux));
        }
        // Softened by a pixel at either rim.
        let area = std::f64::consts::PI * outer * outer * 0.84;
        let ring = |away: f64| {
            let step = |r: f64| 1.0 / (1.0 + (-r).exp());
            step(outer - away) * step(away - 0.4 * outer) / area
        };
        let data = Plane::from_fn(size, |x, y| {
            let from = |p: &(f64, f64, f64)| p.2 * ring((x as f64 - p.0).hypot(y as f64 - p.1));
            (300.0 + noise * random.gaussian() + put.iter().map(from).sum::<f64>()) as f32
        });
        let found = find(&data, &mask, 2);
        let near = |p: &&(f64, f64, f64)| {
            found.stars.iter().any(|s| (s.x - p.0).hypot(s.y - p.1) < 0.1 * across_px)
        };
        let right = put.iter().filter(near).count();
        println!("{across_px} px, noise {noise}: {right} of 12, {:?}", found.fwhm_px);
        assert!(right >= 11 && found.stars.len() <= 13, "{across_px} px: {right}");
    }
}
