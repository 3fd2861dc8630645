use super::*;
use crate::align::{Model, fit};
use crate::{Plane, stat};

fn run(source: &Plane<f32>, t: &Transform, rows: Range<usize>, columns: Range<usize>) -> Vec<f32> {
    let size = source.size();
    let needed = rows_needed(t, &rows, &columns, size);
    let window = Window {
        samples: source.rows(needed.start, needed.end),
        first_row: needed.start,
        width: size.width,
    };
    let mut out = vec![0.0; rows.len() * columns.len()];
    let (planes, kernel) = (&mut [(window, &mut out[..])], Kernel::default());
    warp(planes, size, t, (rows, columns), &kernel, &mut Room::default());
    out
}

fn star(x: f64, y: f64) -> f32 {
    (1000.0 * (-0.5 * (x * x + y * y) / 2.25).exp() + 100.0) as f32
}

#[test]
fn nothing_moved_is_nothing_changed() {
    let source = Plane::from_fn(Size::new(40, 30), |x, y| ((x * 7 + y * 13) % 50) as f32);
    let out = run(&source, &Transform::IDENTITY, 0..30, 0..40);
    assert_eq!(out[..], source.as_slice()[..]);
}

#[test]
fn a_star_moves_by_a_fraction_and_turns_with_its_flux() {
    let size = Size::new(60, 50);
    let source = Plane::from_fn(size, |x, y| star(x as f64 - 30.0, y as f64 - 25.0));
    for (angle, dx, dy) in
        [(0.0f64, 0.37, -0.81), (0.3, 1.2, 2.6), (std::f64::consts::PI, 0.5, 0.5)]
    {
        let (c, s) = (angle.cos(), angle.sin());
        let t = Transform::affine(
            c,
            -s,
            30.0 + dx - 30.0 * c + 25.0 * s,
            s,
            c,
            25.0 + dy - 30.0 * s - 25.0 * c,
        );
        let out = run(&source, &t, 10..40, 15..45);
        let centre = t.invert(Point::new(30.0, 25.0)).unwrap();
        for (i, v) in out.iter().enumerate() {
            let (x, y) = ((15 + i % 30) as f64, (10 + i / 30) as f64);
            let expected = star(x - centre.x, y - centre.y);
            // Half a percent of the peak: the ripple of the kernel.
            assert!((v - expected).abs() < 5.0, "({x}, {y}): {v} {expected}");
        }
    }
}

#[test]
fn parts_make_the_whole() {
    let size = Size::new(90, 70);
    let source = Plane::from_fn(size, |x, y| ((x * 31 + y * 17) % 97) as f32);
    let t = Transform::affine(0.98, -0.11, 7.3, 0.1, 1.01, -4.2);
    let whole = run(&source, &t, 0..70, 0..90);
    for (rows, columns) in [(0..35, 0..90), (13..14, 5..80), (60..70, 33..34)] {
        let part = run(&source, &t, rows.clone(), columns.clone());
        for (i, v) in part.iter().enumerate() {
            let at = (rows.start + i / columns.len()) * 90 + columns.start + i % columns.len();
            assert_eq!(v.to_bits(), whole[at].to_bits());
        }
    }
}

#[test]
fn holes_stay_holes_and_edges_end() {
    let size = Size::new(30, 30);
    let mut source = Plane::filled(size, 5.0f32);
    source.set(15, 15, f32::NAN);
    let t = Transform::affine(1.0, 0.0, 0.4, 0.0, 1.0, 0.0);
    let out = run(&source, &t, 0..30, 0..30);
    assert!(out[15 * 30 + 15].is_nan() && out[15 * 30 + 14].is_nan());
    assert!((out[15 * 30 + 20] - 5.0).abs() < 1e-4 && (out[10 * 30 + 15] - 5.0).abs() < 1e-4);
    // The rim, where too much of the kernel lies beyond the frame, ends.
    assert!(out[0].is_nan() && (out[3 * 30 + 3] - 5.0).abs() < 1e-4);
    let away = Transform::affine(1.0, 0.0, 500.0, 0.0, 1.0, 0.0);
    assert!(run(&source, &away, 0..30, 0..30).iter().all(|v| v.is_nan()));
}

/// Gaussian noise of 1, and stars whose profile has a standard deviation of 1.6 pixels.
fn sky(size: Size, stars: usize, noise: f32) -> Plane<f32> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let mut out = Plane::from_fn(size, |_, _| {
        let twelve: f32 = (0..12).map(|_| uniform()).sum();
        100.0 + noise * (twelve - 6.0)
    });
    for _ in 0..stars {
        let (x, y) = (uniform() * size.width as f32, uniform() * size.height as f32);
        let range = |c: f32, end| (c - 10.0).max(0.0) as usize..((c + 11.0) as usize).min(end);
        for j in range(y, size.height) {
            for i in range(x, size.width) {
                let d2 = (i as f32 - x).powi(2) + (j as f32 - y).powi(2);
                out.row_mut(j)[i] += 1000.0 * (-0.5 * d2 / 2.56).exp();
            }
        }
    }
    out
}

/// A rotation about the middle of `size`, a scale along each axis and a shift.
fn turned(size: Size, degrees: f64, (sx, sy): (f64, f64), (dx, dy): (f64, f64)) -> Transform {
    let (s, c) = degrees.to_radians().sin_cos();
    let (mx, my) = (size.width as f64 / 2.0, size.height as f64 / 2.0);
    let [a, b, d, e] = [sx * c, -sy * s, sx * s, sy * c];
    Transform::affine(a, b, mx - a * mx - b * my + dx, d, e, my - d * mx - e * my + dy)
}

/// What two passes serve: shifts, small rotations, mirrors, half a turn, scales, distortion; the
/// last only in part.
fn for_two_passes(size: Size) -> Vec<(&'static str, Transform)> {
    let mut all: Vec<(&str, Transform)> = [
        ("shift", 0.0, (1.0, 1.0)),
        ("a little", 0.1, (1.0002, 0.9999)),
        ("4 degrees", 4.0, (1.0, 1.0)),
        ("half a turn", 180.3, (1.0, 1.0)),
        ("mirrored", 0.2, (-1.0, 1.0)),
        ("upside down", -0.3, (1.0, -1.001)),
        ("reduced", 1.0, (1.02, 1.02)),
        ("enlarged", -1.0, (0.98, 0.98)),
        ("much enlarged", 0.5, (0.75, 0.8)),
    ]
    .map(|(name, degrees, scales)| (name, turned(size, degrees, scales, (2.37, -1.81))))
    .into();
    let (mx, my) = (size.width as f64 / 2.0, size.height as f64 / 2.0);
    let bent = |by: f64| {
        let grid = (0..13).flat_map(|i| (0..9).map(move |j| (i as f64 / 6.0, j as f64 / 4.0)));
        let pairs: Vec<_> = grid
            .map(|(i, j)| {
                let (u, v) = (i - 1.0, j - 1.0);
                let (x, y, r2) = (i * mx, j * my, u * u + v * v);
                (Point::new(x, y), Point::new(x + by * u * r2 + 0.4, y + by * v * r2 + 1.3))
            })
            .collect();
        fit(Model::Cubic, &pairs, false).unwrap()
    };
    all.extend([("distorted", bent(0.03)), ("much distorted", bent(1.5))]);
    all
}

/// The same by the way that takes any transform.
fn direct_run(source: &Plane<f32>, t: &Transform) -> Vec<f32> {
    let size = source.size();
    let window = Window { samples: source.as_slice(), first_row: 0, width: size.width };
    let mut out = vec![0.0; size.pixels()];
    let kernel = Kernel::default();
    for (y, row) in out.chunks_exact_mut(size.width).enumerate() {
        direct::fill_row(window, size, t, (y, 0..size.width), &kernel, row);
    }
    out
}

#[test]
fn two_passes_are_the_direct_way() {
    let size = Size::new(610, 260);
    let (stars, noisy) = (sky(size, 150, 0.0), sky(size, 0, 1.0));
    for (name, t) in for_two_passes(size) {
        let all = || (0..size.height, 0..size.width);
        let (got, expected) = (run(&stars, &t, all().0, all().1), direct_run(&stars, &t));
        let (mut worst, mut sums, mut torn) = (0.0f32, (0.0f64, 0.0f64), 0);
        for (a, b) in got.iter().zip(&expected) {
            torn += usize::from(a.is_nan() != b.is_nan());
            if !a.is_nan() && !b.is_nan() {
                worst = worst.max((a - b).abs());
                sums = (sums.0 + f64::from(a - 100.0), sums.1 + f64::from(b - 100.0));
            }
        }
        // Where the rim runs along a row, one may see a pixel that the other just misses.
        assert!(torn < 10, "{name}: {torn}");
        // Stars of 1000; the table's positions are good to half a thousandth of a pixel.
        assert!(worst < 0.6, "{name}: {worst}");
        assert!((sums.0 / sums.1 - 1.0).abs() < 1e-4, "{name}: {sums:?}");
        let (got, expected) = (run(&noisy, &t, all().0, all().1), direct_run(&noisy, &t));
        let apart: Vec<f32> = got.iter().zip(&expected).map(|(a, b)| a - b).collect();
        let sd = |v: &[f32]| stat::moments(v).sd;
        println!("{name}: stars {worst:.3} of 1000, noise {:.4}", sd(&apart) / sd(&expected));
    }
}

#[test]
fn parts_of_large_regions_make_the_whole_too() {
    let size = Size::new(700, 120);
    let mut source = sky(size, 40, 5.0);
    source.set(300, 60, f32::NAN);
    source.set(511, 17, f32::INFINITY);
    for (name, t) in for_two_passes(size) {
        let whole = run(&source, &t, 0..120, 0..700);
        assert!(whole.iter().all(|v| !v.is_infinite()), "{name}");
        for (rows, columns) in [(0..61, 0..700), (47..49, 250..260), (90..120, 511..700)] {
            let part = run(&source, &t, rows.clone(), columns.clone());
            for (i, v) in part.iter().enumerate() {
                let at = (rows.start + i / columns.len()) * 700 + columns.start + i % columns.len();
                assert_eq!(v.to_bits(), whole[at].to_bits(), "{name} {i}");
            }
        }
    }
}

#[test]
fn even_backgrounds_stay_and_stars_leave_no_dark_rings() {
    let size = Size::new(400, 200);
    let even = Plane::filled(size, 54321.0f32);
    let mut point = Plane::filled(size, 54321.0f32);
    point.set(200, 100, 9e6);
    for (name, t) in for_two_passes(size) {
        for v in run(&even, &t, 0..200, 0..400).iter().filter(|v| !v.is_nan()) {
            assert!((v / 54321.0 - 1.0).abs() < 1e-6, "{name}: {v}");
        }
        let out = run(&point, &t, 0..200, 0..400);
        assert!(out.iter().all(|v| v.is_nan() || *v > 54321.0 * (1.0 - 1e-6)), "{name}");
        assert!(out.iter().any(|v| *v > 3e6), "{name}");
    }
}

#[test]
fn noise_keeps_its_mean_and_has_the_variance_of_its_weights() {
    let size = Size::new(4000, 2500);
    let source = sky(size, 0, 1.0);
    let (dx, dy) = (0.37, 0.81);
    let t = Transform::affine(1.0, 0.0, dx, 0.0, 1.0, dy);
    let out = run(&source, &t, 0..size.height, 0..size.width);
    let found = stat::moments(&out);
    let before = stat::moments(source.as_slice());
    let kernel = Kernel::default();
    let squares = |phase: f64| kernel.tabled(phase).iter().map(|w| f64::from(w * w)).sum::<f64>();
    let expected = before.sd * (squares(dx) * squares(dy)).sqrt();
    // Holding values to the lowest sample bites now and then in noise alone.
    let bias = (found.mean - before.mean) / before.sd;
    println!("bias {bias:.5} of the noise, sd {:.4} of {expected:.4}", found.sd);
    assert!(bias.abs() < 0.002, "{found:?} {before:?}");
    assert!((found.sd / expected - 1.0).abs() < 0.005, "{found:?} {expected}");
}

#[test]
fn transforms_that_lead_nowhere_give_nothing() {
    let size = Size::new(300, 100);
    let source = sky(size, 5, 1.0);
    for t in [
        Transform::affine(1.0, 0.0, 1e17, 0.0, 1.0, 1e17),
        Transform::affine(1.0, 0.0, -1e5, 0.0, 1.0, 0.5),
        Transform::affine(0.0, 0.0, 0.5, 0.0, 0.0, -2e9),
        Transform::affine(f64::NAN, 0.0, 0.0, 0.0, 1.0, 0.5),
        Transform::affine(1.0, 0.0, f64::INFINITY, 0.0, 1.0, 0.0),
    ] {
        assert!(run(&source, &t, 0..100, 0..300).iter().all(|v| v.is_nan()), "{t:?}");
    }
}
