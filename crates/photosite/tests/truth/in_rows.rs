//! Satellites and aircraft in a frame whose stars are known: what passes for stars along them is none.

use photosite::event::{Cancel, Silent};
use photosite::measure::{StarField, find_stars};
use photosite::work::Context;
use photosite_pix::stars::Criteria;
use photosite_pix::{Plane, Size};
use photosite_sim::{Purpose, Stream};

const SIZE: Size = Size::new(1000, 700);
const SIGMA_PX: f64 = 1.3;
const NOISE: f64 = 20.0;

/// From the left rim to the right one.
const FROM_Y: f64 = 150.0;
const SLOPE: f64 = 0.37;

fn put(data: &mut Plane<f32>, at: (f64, f64), flux: f64) {
    put_of(data, at, flux, SIGMA_PX);
}

fn put_of(data: &mut Plane<f32>, (x, y): (f64, f64), flux: f64, sigma_px: f64) {
    let range = |c: f64, end: usize| {
        (c - 8.0).clamp(0.0, end as f64) as usize..(c + 9.0).clamp(0.0, end as f64) as usize
    };
    for j in range(y, SIZE.height) {
        for i in range(x, SIZE.width) {
            let d2 = (i as f64 - x).powi(2) + (j as f64 - y).powi(2);
            let variance = sigma_px * sigma_px;
            let share = (-0.5 * d2 / variance).exp() / (variance * std::f64::consts::TAU);
            data.row_mut(j)[i] += (flux * share) as f32;
        }
    }
}

/// A line `aside` pixels below the course, of a width (one sigma) and height.
fn line(data: &mut Plane<f32>, aside: f64, sigma_px: f64, height: f64) {
    for y in 0..SIZE.height {
        for (x, v) in data.row_mut(y).iter_mut().enumerate() {
            let off = (y as f64 - FROM_Y - aside - SLOPE * x as f64) / SLOPE.hypot(1.0);
            *v += (height * (-0.5 * (off / sigma_px).powi(2)).exp()) as f32;
        }
    }
}

fn blinks(data: &mut Plane<f32>, aside: f64, every_px: f64, flux: f64) {
    let mut x = 7.0;
    while x < SIZE.width as f64 {
        put(data, (x, FROM_Y + aside + SLOPE * x), flux);
        x += every_px;
    }
}

fn find(data: &Plane<f32>) -> StarField {
    let cancel = Cancel::default();
    let context = Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
    find_stars(data, &Plane::zeroed(SIZE), Some(1.0), Criteria::default(), &context).unwrap()
}

#[test]
fn a_trail_broader_than_sharp_stars_does_not_tell_their_width() {
    let mut random = Stream::new(7, 0, Purpose::Stars);
    let mut data = Plane::filled(SIZE, 400.0f32);
    for _ in 0..200 {
        let at = (random.between(10.0, 990.0), random.between(10.0, 690.0));
        put_of(&mut data, at, random.between(5e3, 2e5), 0.64);
    }
    line(&mut data, 0.0, 1.4, 100.0);
    data.as_mut_slice().iter_mut().for_each(|v| *v += (NOISE * random.gaussian()) as f32);
    let field = find(&data);
    assert!(field.stars.len() > 150, "{} stars", field.stars.len());
    assert!((1.2..1.9).contains(&field.fwhm_px.unwrap()), "{:?} px", field.fwhm_px);
}

#[test]
fn what_stands_in_a_row_is_no_star_and_all_else_is() {
    type Crossing = fn(&mut Plane<f32>);
    let crossings: [(&str, Crossing); 7] = [
        ("nothing", |_| ()),
        ("a faint satellite", |d| line(d, 0.0, SIGMA_PX, 30.0)),
        ("one out of focus", |d| line(d, 0.0, 6.0, 400.0)),
        ("blinks alone", |d| blinks(d, 0.0, 30.0, 2e4)),
        ("an aircraft", |d| {
            line(d, 0.0, 1.6, 200.0);
            line(d, 14.0, 1.6, 140.0);
            blinks(d, 7.0, 40.0, 6e4);
            blinks(d, 0.0, 52.0, 2e4);
        }),
        ("a faint aircraft", |d| {
            line(d, 0.0, 1.6, 40.0);
            line(d, 14.0, 1.6, 28.0);
            blinks(d, 7.0, 40.0, 5e3);
        }),
        ("a bright one", |d| {
            line(d, 0.0, 3.5, 800.0);
            blinks(d, 10.0, 30.0, 3e4);
        }),
    ];
    for (name, crossing) in crossings {
        for seed in 1..4 {
            let mut random = Stream::new(seed, 0, Purpose::Stars);
            let stars: Vec<(f64, f64, f64)> = (0..300)
                .map(|_| {
                    let (x, y) = (random.between(10.0, 990.0), random.between(10.0, 690.0));
                    (x, y, (500.0 * (1.0 - random.uniform()).powf(-1.2)).min(1.5e5))
                })
                .collect();
            let mut data = Plane::filled(SIZE, 400.0f32);
            stars.iter().for_each(|(x, y, flux)| put(&mut data, (*x, *y), *flux));
            crossing(&mut data);
            for v in data.as_mut_slice() {
                *v += (NOISE.max(f64::from(*v).sqrt()) * random.gaussian()) as f32;
            }
            let field = find(&data);
            let near = |x: f64, y: f64, of: (f64, f64)| (x - of.0).hypot(y - of.1) < 2.0;
            let is_put = |x: f64, y: f64| stars.iter().any(|(sx, sy, _)| near(x, y, (*sx, *sy)));
            let wrong = field.stars.iter().filter(|s| !is_put(s.x, s.y)).count();
            let aside = |x: f64, y: f64| y - FROM_Y - SLOPE * x;
            let away = |x: f64, y: f64| !(-25.0..40.0).contains(&aside(x, y));
            let alone = |x: f64, y: f64| {
                stars.iter().filter(|(sx, sy, _)| (x - sx).hypot(y - sy) < 8.0).count() == 1
            };
            let bright =
                stars.iter().filter(|(x, y, f)| *f > 2500.0 && alone(*x, *y) && away(*x, *y));
            let lost =
                bright.filter(|(x, y, _)| !field.stars.iter().any(|s| near(s.x, s.y, (*x, *y))));
            let lost = lost.count();
            let fwhm = field.fwhm_px.unwrap();
            println!(
                "{name} {seed}: {wrong} false, {lost} lost, {} in rows, FWHM {fwhm:.2}",
                field.in_rows
            );
            assert!(wrong <= 4, "{name} {seed}: {wrong} false");
            assert!(lost <= 1, "{name} {seed}: {lost} lost");
            assert!((fwhm / (2.3548 * SIGMA_PX) - 1.0).abs() < 0.05, "{name} {seed}: {fwhm}");
            assert!(name != "nothing" || field.in_rows == 0, "{seed}: {}", field.in_rows);
        }
    }
}
