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
