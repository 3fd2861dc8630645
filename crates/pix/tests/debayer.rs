//! Colour pictures against what they must be.

#[path = "common/random.rs"]
mod random;

use std::ops::Range;

use photosite_pix::debayer::{Debayer, Greens, Method, contradiction};
use photosite_pix::warp::Window;
use photosite_pix::{CfaColor, CfaPattern, MaskBits, Plane, Size};
use proptest::prelude::*;

use random::Random;

const BAYER: [&str; 4] = ["RGGB", "BGGR", "GRBG", "GBRG"];
const X_TRANS: &str = "GBGGRGRGRBGBGBGGRGGRGGBGBGBRGRGRGGBG";

/// Every method on every array it works on.
fn all() -> Vec<Debayer> {
    let mut out = Vec::new();
    for pattern in BAYER.into_iter().chain([X_TRANS]) {
        let cfa = CfaPattern::parse(pattern).unwrap();
        out.extend(Method::ALL.into_iter().filter_map(|m| Debayer::new(cfa, m).ok()));
    }
    assert_eq!(out.len(), 5 * 3);
    out
}

fn window(frame: &Plane<f32>, rows: Range<usize>) -> Window<'_> {
    let samples = frame.rows(rows.start, rows.end);
    Window { samples, first_row: rows.start, width: frame.width() }
}

/// Three planes, made in bands of `band` rows.
fn picture(debayer: &Debayer, frame: &Plane<f32>, band: usize) -> [Plane<f32>; 3] {
    let size = debayer.picture_size(frame.size());
    let mut planes = [0, 1, 2].map(|_| Plane::filled(size, 7.0f32));
    for y0 in (0..size.height).step_by(band) {
        let rows = y0..(y0 + band).min(size.height);
        let needed = debayer.rows_needed(&rows, frame.size());
        let out = planes.each_mut().map(|p| p.rows_mut(rows.start, rows.end));
        debayer.fill(window(frame, needed), frame.size(), rows, out);
    }
    planes
}

fn bits(planes: &[Plane<f32>; 3]) -> Vec<u32> {
    planes.iter().flat_map(|p| p.as_slice()).map(|v| v.to_bits()).collect()
}

fn name(debayer: &Debayer) -> String {
    format!("{} {}", debayer.cfa(), debayer.method().name())
}

#[test]
fn an_even_slope_stays_one_and_colours_keep_their_levels() {
    let size = Size::new(37, 29);
    let level = [-40.0, 10.0, 300.0];
    for debayer in all().into_iter().filter(|d| d.step() == 1) {
        let truth = |x: usize, y: usize, c: usize| level[c] + 3.0 * x as f32 - 2.0 * y as f32;
        let frame = Plane::from_fn(size, |x, y| truth(x, y, debayer.cfa().color(x, y).channel()));
        let planes = picture(&debayer, &frame, 64);
        let margin = 5;
        for (c, plane) in planes.iter().enumerate() {
            for y in margin..size.height - margin {
                for x in margin..size.width - margin {
                    let (v, t) = (plane.get(x, y), truth(x, y, c));
                    assert!((v - t).abs() < 2e-4, "{} ({x}, {y}) {c}: {v}, {t}", name(&debayer));
                }
            }
            // At the rim neighbours lie to one side; a pixel or two of slope is what that costs.
            for y in 0..size.height {
                for x in 0..size.width {
                    assert!((plane.get(x, y) - truth(x, y, c)).abs() < 12.0);
                }
            }
        }
    }
}

#[test]
fn a_superpixel_is_the_mean_of_its_colours() {
    let size = Size::new(25, 20);
    let mut frame = Plane::from_fn(size, |x, y| ((x * 31 + y * 57) % 101) as f32);
    frame.set(4, 4, f32::NAN);
    for (pattern, step) in [("GBRG", 2), (X_TRANS, 3)] {
        let cfa = CfaPattern::parse(pattern).unwrap();
        let debayer = Debayer::new(cfa, Method::Superpixel).unwrap();
        assert_eq!(
            (debayer.step(), debayer.picture_size(size)),
            (step, Size::new(25 / step, 20 / step))
        );
        let planes = picture(&debayer, &frame, 3);
        for (c, plane) in planes.iter().enumerate() {
            for y in 0..plane.height() {
                for x in 0..plane.width() {
                    let block =
                        (0..step * step).map(|i| (x * step + i % step, y * step + i / step));
                    let held: Vec<f32> = block
                        .filter(|&(x, y)| cfa.color(x, y).channel() == c)
                        .map(|(x, y)| frame.get(x, y))
                        .filter(|v| v.is_finite())
                        .collect();
                    let mean = held.iter().sum::<f32>() / held.len() as f32;
                    let v = plane.get(x, y);
                    assert!(
                        (v - mean).abs() < 1e-4 || (v.is_nan() && held.is_empty()),
                        "{v} {mean}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_hole_does_not_spread_and_measured_samples_stay() {
    let size = Size::new(31, 27);
    let mut random = Random(5);
    let mut frame = Plane::from_fn(size, |_, _| random.normal() as f32);
    for (x, y) in [(0, 0), (9, 9), (10, 9), (15, 14), (16, 15), (30, 26), (20, 3)] {
        frame.set(x, y, if x == 20 { f32::INFINITY } else { f32::NAN });
    }
    for debayer in all().into_iter().filter(|d| d.step() == 1) {
        let planes = picture(&debayer, &frame, 64);
        for y in 0..size.height {
            for x in 0..size.width {
                let own = debayer.measured(x, y).unwrap().channel();
                let sample = frame.get(x, y);
                for (c, plane) in planes.iter().enumerate() {
                    let v = plane.get(x, y);
                    if c == own {
                        let same = v.to_bits() == sample.to_bits();
                        assert!(same || (v.is_nan() && !sample.is_finite()), "({x}, {y}): {v}");
                    } else {
                        assert!(
                            v.is_finite() && v.abs() < 20.0,
                            "{} ({x}, {y}) {c}: {v}",
                            name(&debayer)
                        );
                    }
                }
            }
        }
    }
}

/// Bilinear interpolation as it is written in books, with holes.
#[test]
fn bilinear_on_bayer_is_the_mean_of_what_is_next_to_it() {
    let size = Size::new(40, 33);
    let mut random = Random(11);
    let frame = Plane::from_fn(size, |_, _| {
        if random.next() < 0.2 { f32::NAN } else { (random.next() * 1000.0) as f32 }
    });
    for pattern in BAYER {
        let cfa = CfaPattern::parse(pattern).unwrap();
        let planes = picture(&Debayer::new(cfa, Method::Bilinear).unwrap(), &frame, 7);
        for (c, plane) in planes.iter().enumerate() {
            for y in 0..size.height {
                for x in 0..size.width {
                    if cfa.color(x, y).channel() == c {
                        continue;
                    }
                    let next: Vec<f32> = (0..9)
                        .filter_map(|i| {
                            Some(((x + i % 3).checked_sub(1)?, (y + i / 3).checked_sub(1)?))
                        })
                        .filter(|&(i, j)| i < size.width && j < size.height)
                        .filter(|&(i, j)| cfa.color(i, j).channel() == c)
                        .map(|(i, j)| frame.get(i, j))
                        .filter(|v| v.is_finite())
                        .collect();
                    let mean = next.iter().sum::<f32>() / next.len() as f32;
                    let v = plane.get(x, y);
                    assert!((v - mean).abs() < 1e-3 || (v.is_nan() && mean.is_nan()));
                }
            }
        }
    }
}

/// A flat, noisy field has no colour but its own and no pattern of the array; what the variance
/// says is what is measured.
#[test]
fn even_ground_is_unbiased_without_pattern_and_with_the_variance_that_is_said() {
    let size = Size::new(72, 72);
    let sigma = [3.0, 5.0, 8.0];
    let mut worst_pattern = 0.0f64;
    for debayer in all() {
        let cfa = debayer.cfa();
        let mut random = Random(99);
        // A place of X-Trans comes a ninth as often.
        let runs = if cfa.period() == 2 { 400 } else { 1200 };
        let out = debayer.picture_size(size);
        let (mut mean, mut square) =
            (vec![0.0f64; 3 * out.pixels()], vec![0.0f64; 3 * out.pixels()]);
        for _ in 0..runs {
            let frame = Plane::from_fn(size, |x, y| {
                (sigma[cfa.color(x, y).channel()] * random.normal()) as f32
            });
            let planes = picture(&debayer, &frame, 72);
            let samples = planes.iter().flat_map(|p| p.as_slice());
            for (i, v) in samples.enumerate() {
                mean[i] += f64::from(*v) / f64::from(runs);
                square[i] += f64::from(*v).powi(2) / f64::from(runs);
            }
        }
        let variance = Plane::from_fn(size, |x, y| sigma[cfa.color(x, y).channel()].powi(2) as f32);
        let flat = Plane::filled(size, 0.0);
        let mut said = [0, 1, 2].map(|_| Plane::filled(out, 0.0f32));
        let windows = (window(&flat, 0..size.height), window(&variance, 0..size.height));
        debayer.fill_variance(
            windows,
            size,
            0..out.height,
            said.each_mut().map(Plane::as_mut_slice),
        );
        let period = cfa.period() / debayer.step();
        let margin = 6;
        for c in 0..3 {
            // By place of the array: mean and variance of all pixels of that place.
            let mut places = vec![(0.0, 0.0, 0.0, 0.0); period * period];
            for y in margin..out.height - margin {
                for x in margin..out.width - margin {
                    let i = c * out.pixels() + y * out.width + x;
                    let place = &mut places[(y % period) * period + x % period];
                    place.0 += mean[i];
                    place.1 += square[i];
                    place.2 += f64::from(said[c].get(x, y));
                    place.3 += 1.0;
                }
            }
            for (mean, square, said, n) in places {
                let (mean, square, said) = (mean / n, square / n, said / n);
                // Neighbours share samples: an error of the mean as if one in ten were free.
                let error = (square / (n * f64::from(runs) / 10.0)).sqrt();
                assert!(
                    mean.abs() < 5.0 * error,
                    "{} plane {c}: mean {mean} +- {error}",
                    name(&debayer)
                );
                worst_pattern = worst_pattern.max(mean.abs() / sigma[c]);
                let ratio = square / said;
                assert!(
                    (0.95..1.08).contains(&ratio),
                    "{} plane {c}: variance {ratio}",
                    name(&debayer)
                );
            }
        }
    }
    println!("the worst pattern is {worst_pattern:.4} sigma");
    assert!(worst_pattern < 0.02, "{worst_pattern}");
}

#[test]
fn masks_follow_what_colours_are_made_of() {
    let size = Size::new(24, 24);
    let cfa = CfaPattern::parse("RGGB").unwrap();
    let mut frame = Plane::filled(size, 5.0f32);
    let mut mask = Plane::filled(size, MaskBits::empty());
    mask.set(10, 10, MaskBits::SATURATED | MaskBits::WARM);
    frame.set(17, 4, f32::NAN);
    mask.set(17, 4, MaskBits::NO_DATA);
    let of = |method| {
        let debayer = Debayer::new(cfa, method).unwrap();
        let out = debayer.picture_size(size);
        let mut planes = [0, 1, 2].map(|_| Plane::filled(out, MaskBits::all()));
        let whole = (window(&frame, 0..24), mask.as_slice());
        debayer.fill_mask(whole, size, 0..out.height, planes.each_mut().map(Plane::as_mut_slice));
        planes
    };
    let made = MaskBits::INTERPOLATED;
    let [red, green, blue] = of(Method::Bilinear);
    assert_eq!(red.get(10, 10), MaskBits::SATURATED | MaskBits::WARM);
    assert_eq!((green.get(10, 10), blue.get(10, 10)), (made, made));
    assert_eq!((red.get(11, 11), green.get(11, 11)), (made | MaskBits::SATURATED, made));
    assert_eq!((red.get(12, 10), red.get(13, 10)), (MaskBits::empty(), made));
    assert_eq!((green.get(17, 4), red.get(17, 4)), (MaskBits::NO_DATA, made));
    let [_, green, _] = of(Method::Directional);
    assert_eq!(green.get(10, 10), made | MaskBits::SATURATED);
    let [red, green, _] = of(Method::Superpixel);
    assert_eq!(red.get(5, 5), MaskBits::SATURATED | MaskBits::WARM);
    assert_eq!((green.get(8, 2), red.get(8, 2)), (MaskBits::empty(), MaskBits::empty()));
}

#[test]
fn odd_frames_and_arrays_do_no_harm() {
    let more = ["RGBG", "RRGB", "GGRB", &format!("RB{}", "G".repeat(34))];
    for pattern in more.into_iter().chain(BAYER).chain([X_TRANS]) {
        let cfa = CfaPattern::parse(pattern).unwrap();
        for method in Method::ALL {
            let Ok(debayer) = Debayer::new(cfa, method) else {
                assert!(!BAYER.contains(&pattern) && method == Method::Directional);
                continue;
            };
            for (w, h) in [(1, 1), (1, 9), (9, 1), (2, 2), (3, 5), (7, 7), (13, 12)] {
                let frame = Plane::from_fn(Size::new(w, h), |x, y| (x + y) as f32 * 1e30);
                let planes = picture(&debayer, &frame, 2);
                for (c, plane) in planes.iter().enumerate() {
                    for y in 0..plane.height() {
                        for x in 0..plane.width() {
                            let own = debayer.measured(x, y).is_some_and(|k| k.channel() == c);
                            assert!(!own || plane.get(x, y) == frame.get(x, y));
                            // Wherever each colour is within reach, there is each colour.
                            let known = pattern == X_TRANS || BAYER.contains(&pattern);
                            let there = w.min(h) < 7 || plane.get(x, y).is_finite();
                            assert!(!known || there, "{} ({x}, {y}) {c}", name(&debayer));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn samples_contradict_a_wrong_array_and_no_right_one() {
    let size = Size::new(101, 80);
    for (levels, colourful) in [
        ([300.0, 500.0, 200.0], true),
        ([480.0, 500.0, 300.0], true),
        ([500.0, 500.0, 500.0], false),
        ([300.0, 500.0, 300.0], false),
    ] {
        for true_array in BAYER {
            let cfa = CfaPattern::parse(true_array).unwrap();
            let mut random = Random(4);
            let frame = Plane::from_fn(size, |x, y| {
                // Greens of rows with red and of rows with blue differ a little on every sensor.
                let imbalance = 1.0 + 0.01 * (y % 2) as f64;
                let level: f64 = levels[cfa.color(x, y).channel()];
                (imbalance * level + 10.0 * random.normal()) as f32
            });
            for array in BAYER {
                let named = CfaPattern::parse(array).unwrap();
                let off = cfa.color(0, 0) == CfaColor::Green;
                let named_off = named.color(0, 0) == CfaColor::Green;
                let found = contradiction(&frame, named);
                assert_eq!(found.is_some(), colourful && off != named_off, "{true_array} {array}");
                assert!(found.is_none_or(|f| f.instead.contains(&cfa)));
            }
        }
    }
    let x_trans = CfaPattern::parse(X_TRANS).unwrap();
    assert_eq!(contradiction(&Plane::filled(size, 1.0), x_trans), None);
    let tiny = Plane::filled(Size::new(1, 1), f32::NAN);
    assert_eq!(contradiction(&tiny, CfaPattern::parse("RGGB").unwrap()), None);
}

/// Stars of a colour of their own, sharp as good optics have them, wherever they stand on the array.
#[test]
fn the_directional_method_is_the_sharper_one() {
    let size = Size::new(200, 200);
    let sigma_px = 1.2;
    let star = |x: usize, y: usize| -> f64 {
        // One star a field of 20 x 20 pixels, its place a little different in each.
        let (i, j) = ((x / 20) as f64, (y / 20) as f64);
        let (cx, cy) = (i * 20.0 + 9.5 + 0.1 * i, j * 20.0 + 9.5 + 0.1 * j);
        let d2 = (x as f64 - cx).powi(2) + (y as f64 - cy).powi(2);
        1000.0 * (-0.5 * d2 / (sigma_px * sigma_px)).exp()
    };
    let truth = |x, y, c: usize| (star(x, y) * [0.8, 1.0, 0.9][c]) as f32;
    let cfa = CfaPattern::parse("GRBG").unwrap();
    let frame = Plane::from_fn(size, |x, y| truth(x, y, cfa.color(x, y).channel()));
    let error = |method| {
        let planes = picture(&Debayer::new(cfa, method).unwrap(), &frame, 64);
        let (mut squares, mut lowest) = (0.0, 0.0f32);
        for (c, plane) in planes.iter().enumerate() {
            for (x, y) in (10..190).flat_map(|x| (10..190).map(move |y| (x, y))) {
                squares += f64::from(plane.get(x, y) - truth(x, y, c)).powi(2);
                lowest = lowest.min(plane.get(x, y));
            }
        }
        (squares.sqrt(), lowest)
    };
    let (bilinear, directional) = (error(Method::Bilinear), error(Method::Directional));
    println!("errors and darkest rings: bilinear {bilinear:?}, directional {directional:?}");
    assert!(directional.0 < 0.6 * bilinear.0, "{directional:?} {bilinear:?}");
    assert!(directional.1 > -60.0, "a dark ring of {directional:?}");
}

/// Frames wider than what is made at a time.
#[test]
fn seams_are_not_seen() {
    let mut random = Random(21);
    let wide = Plane::from_fn(Size::new(1100, 40), |_, _| random.normal() as f32);
    let rect = photosite_pix::Rect { x0: 1000, y0: 0, x1: 1100, y1: 40 };
    for debayer in all().into_iter().filter(|d| d.cfa().period() == 2 && d.step() == 1) {
        let (whole, part) = (picture(&debayer, &wide, 40), picture(&debayer, &wide.crop(rect), 40));
        for (whole, part) in whole.iter().zip(&part) {
            for (x, y) in (5..100).flat_map(|x| (0..40).map(move |y| (x, y))) {
                assert_eq!(whole.get(1000 + x, y).to_bits(), part.get(x, y).to_bits());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn parts_make_the_whole(
        w in 1usize..130,
        h in 1usize..40,
        band in 1usize..20,
        seed in 1u64..1000,
        gaps in 0.0f64..0.3,
    ) {
        let mut random = Random(seed);
        let frame = Plane::from_fn(Size::new(w, h), |_, _| {
            if random.next() < gaps { f32::NAN } else { random.normal() as f32 }
        });
        for debayer in all() {
            let whole = picture(&debayer, &frame, 64);
            prop_assert!(bits(&whole) == bits(&picture(&debayer, &frame, band)), "{}", name(&debayer));
        }
    }

    #[test]
    fn a_shift_of_the_frame_is_a_shift_of_the_picture(dx in 0usize..7, dy in 0usize..7) {
        let mut random = Random(3);
        let size = Size::new(40, 36);
        let big = Plane::from_fn(size, |_, _| random.normal() as f32);
        let rect = photosite_pix::Rect { x0: dx, y0: dy, x1: size.width, y1: size.height };
        for debayer in all().into_iter().filter(|d| d.step() == 1) {
            let cropped = Debayer::new(debayer.cfa().shifted(dx, dy), debayer.method()).unwrap();
            let whole = picture(&debayer, &big, 64);
            let part = picture(&cropped, &big.crop(rect), 64);
            for (whole, part) in whole.iter().zip(&part) {
                for y in 5..part.height() - 5 {
                    for x in 5..part.width() - 5 {
                        let (a, b) = (whole.get(x + dx, y + dy), part.get(x, y));
                        prop_assert!((a - b).abs() < 1e-5, "{} {}", a, b);
                    }
                }
            }
        }
    }
}

/// Stars of `fwhm_px` on an even sky under an array, sampled at the middles of pixels.
fn stars_of(
    cfa: CfaPattern,
    size: Size,
    colours: [f64; 3],
    (fwhm_px, peak): (f64, f64),
) -> Plane<f32> {
    let s2 = 2.0 * (fwhm_px / 2.354_82).powi(2);
    Plane::from_fn(size, |x, y| {
        // One star in 40 x 40 pixels, each at another phase.
        let (i, j) = (x / 40, y / 40);
        let at = |k: usize, n: usize| (40 * k + 20) as f64 + 0.37 * n as f64 % 1.0;
        let r2 = (x as f64 - at(i, i + 3 * j)).powi(2) + (y as f64 - at(j, 5 * i + 2 * j)).powi(2);
        (colours[cfa.color(x, y).channel()] * (400.0 + peak * (-r2 / s2).exp())) as f32
    })
}

#[test]
fn beside_clipped_samples_lies_no_hole_and_no_value_above_the_clip() {
    let size = Size::new(160, 120);
    let clip = 65535.0f32;
    let colours = [[0.7, 1.0, 0.5], [1.0, 0.8, 0.2], [0.3, 0.6, 1.0]];
    for (i, pattern) in BAYER.into_iter().enumerate() {
        let cfa = CfaPattern::parse(pattern).unwrap();
        let debayer = Debayer::new(cfa, Method::Directional).unwrap();
        for fwhm_px in [2.0, 3.0, 5.0] {
            for peak in [1.5e5, 1e6] {
                let colours = colours[i % 3];
                let mut frame = stars_of(cfa, size, colours, (fwhm_px, peak));
                frame.as_mut_slice().iter_mut().for_each(|v| *v = v.min(clip));
                let mut clipped = Vec::new();
                for y in 0..size.height {
                    let hit = |x: &usize| frame.get(*x, y) >= clip;
                    clipped.extend((0..size.width).filter(hit).map(|x| (y, x..x + 1)));
                }
                assert!(!clipped.is_empty());
                let made = |band: usize| {
                    let mut planes = picture(&debayer, &frame, band);
                    for y0 in (0..size.height).step_by(band) {
                        let rows = y0..(y0 + band).min(size.height);
                        let needed = debayer.rows_needed(&rows, size);
                        let out = planes.each_mut().map(|p| p.rows_mut(rows.start, rows.end));
                        debayer.bound((window(&frame, needed), size), rows, &clipped, out);
                    }
                    planes
                };
                let planes = made(7);
                assert_eq!(bits(&planes), bits(&made(64)), "any bands");
                let near = |x: usize, y: usize| {
                    clipped.iter().any(|(j, i)| j.abs_diff(y) <= 5 && i.start.abs_diff(x) <= 5)
                };
                let ends = |plane: &Plane<f32>| {
                    let places =
                        (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
                    places
                        .filter(|(x, y)| near(*x, *y))
                        .fold((f32::MAX, f32::MIN), |(l, m), (x, y)| {
                            (l.min(plane.get(x, y)), m.max(plane.get(x, y)))
                        })
                };
                let unbounded = picture(&debayer, &frame, 64);
                let mut worst = f32::MIN;
                for (c, plane) in planes.iter().enumerate() {
                    let sky = 400.0 * colours[c] as f32;
                    let (least, most) = ends(plane);
                    let what = format!("{pattern} {fwhm_px} {peak} plane {c}: {least} to {most}");
                    assert!(least > sky - 1.0 && most <= clip, "{what}, sky {sky}");
                    let (least, most) = ends(&unbounded[c]);
                    worst = worst.max(sky - least).max(most - clip);
                }
                assert!(worst > 20.0, "nothing to be seen without the bound: {worst}");
            }
        }
    }
}

#[test]
fn greens_of_two_responses_make_no_maze() {
    let size = Size::new(512, 400);
    for (seed, pattern) in BAYER.into_iter().enumerate() {
        let cfa = CfaPattern::parse(pattern).unwrap();
        let mut random = Random(77 + seed as u64);
        for (split, sky) in [(1.0, 1000.0), (1.002, 4000.0), (1.03, 4000.0), (0.9, 300.0)] {
            let mut frame = stars_of(cfa, size, [0.7, 1.0, 0.5], (3.0, 3e4));
            for y in 0..size.height {
                for x in 0..size.width {
                    let red_row = (0..2).any(|x| cfa.color(x, y) == CfaColor::Red);
                    let green = cfa.color(x, y) == CfaColor::Green;
                    let factor = if red_row && green { split } else { 1.0 };
                    let v = (f64::from(frame.get(x, y)) - 400.0 + sky).max(0.0) * factor;
                    frame.set(x, y, (v + 5.0 * random.normal()).round() as f32);
                }
            }
            let greens = Greens::of(&frame, cfa);
            let told = greens.map_or(0.0, |g| g.difference());
            let truth = 2.0 * (split - 1.0) / (split + 1.0);
            assert_eq!(greens.is_some(), split != 1.0, "{pattern} {split}: {told}");
            assert!((told - truth).abs() < 2e-4, "{pattern} {split}: {told} of {truth}");
            let Some(greens) = greens else { continue };
            greens.equalise(frame.as_mut_slice(), 0, size.width);
            assert_eq!(Greens::of(&frame, cfa), None, "none is left");
        }
    }
    // What is called green is none, and an offset is no response.
    let cfa = CfaPattern::parse("RGGB").unwrap();
    let wrong = Plane::from_fn(size, |_, y| if y % 2 == 0 { 500.0 } else { 900.0 });
    assert_eq!(Greens::of(&wrong, cfa), None);
}
