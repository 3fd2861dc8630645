//! Star detection on a field whose stars are known.

use photosite::event::{Cancel, Silent};
use photosite::measure::{StarField, find_stars};
use photosite::work::Context;
use photosite_pix::stars::Criteria;
use photosite_pix::{MaskBits, Plane, Size};

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
