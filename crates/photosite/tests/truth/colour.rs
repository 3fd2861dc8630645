//! Colour: the phase of the array, whatever the crop and the order of rows; no grid; weak flats.

use std::path::Path;

use photosite::colour::{Extract, debayer_file, extract};
use photosite::event::{Cancel, Silent};
use photosite::run::stars_of;
use photosite::work::Context;
use photosite_file::fits::{Sample, read_frame, read_frames};
use photosite_pix::debayer::Method;
use photosite_pix::{Card, CfaPattern, Header, Plane, Size, stat};
use photosite_sim::{Effects, Night, Preset, Purpose, Stream};

use crate::night::{calibrate, write_plane};

const X_TRANS: &str = "GBGGRGRGRBGBGBGGRGGRGGBGBGBRGRGRGGBG";

fn context(cancel: &Cancel) -> Context<'_> {
    Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel }
}

/// A scene of patches of 24 x 24 pixels, no two neighbours alike, saturated colours among them.
fn scene(x: usize, y: usize) -> [f32; 3] {
    const PATCHES: [[f32; 3]; 6] = [
        [900.0, 100.0, 100.0],
        [100.0, 900.0, 100.0],
        [100.0, 100.0, 900.0],
        [-20.0, 400.0, 900.0],
        [500.0, 500.0, 500.0],
        [900.0, 600.0, -20.0],
    ];
    PATCHES[(x / 24 + 4 * (y / 24)) % 6]
}

/// Whether all within reach of a pixel is one patch.
fn inside(x: usize, y: usize) -> bool {
    (6..18).contains(&(x % 24)) && (6..18).contains(&(y % 24))
}

/// A frame as cameras write it: `array` lies over the sensor, the frame begins at `corner` of it,
/// `bottom_up` files begin with the last row. Returns the picture's size.
fn shoot(
    path: &Path,
    array: &str,
    corner: (usize, usize),
    order: Option<&str>,
    by_offset: bool,
) -> Size {
    let sensor = CfaPattern::parse(array).unwrap();
    // Odd heights turn over otherwise than even ones.
    let size = Size::new(147 + corner.0, 122 + corner.1);
    let bottom_up = order == Some("BOTTOM-UP");
    let row = |y: usize| if bottom_up { size.height - 1 - y } else { y };
    let frame = Plane::from_fn(size, |x, y| {
        let y = row(y);
        scene(x, y)[sensor.color(x + corner.0, y + corner.1).channel()]
    });
    let mut header = Header::new();
    if by_offset {
        header.push(Card::string("BAYERPAT", array, ""));
        header.push(Card::integer("XBAYROFF", corner.0 as i64, ""));
        header.push(Card::integer("YBAYROFF", corner.1 as i64, ""));
    } else {
        let seen = sensor.shifted(corner.0, corner.1);
        header.push(Card::string("BAYERPAT", &seen.to_string(), ""));
    }
    if let Some(order) = order {
        header.push(Card::string("ROWORDER", order, ""));
    }
    write_plane(path, &frame, Sample::F32, header);
    size
}

/// The share of pixels amid their patches that have the scene's colours.
fn right_colours(rgb: &Path, size: Size, step: usize, bottom_up: bool) -> f64 {
    let (frames, _) = read_frames(rgb).unwrap();
    assert_eq!(frames[0].size(), Size::new(size.width / step, size.height / step));
    let (mut right, mut all) = (0.0, 0.0);
    for y in 0..size.height / step {
        for x in 0..size.width / step {
            let row = if bottom_up { size.height - 1 - y * step } else { y * step };
            if !inside(x * step, row) {
                continue;
            }
            let wanted = scene(x * step, row);
            // Frames without noise are beyond what the hue of stars is made for: it errs by 0.02 %.
            let same = (0..3).all(|c| (frames[c].data.get(x, y) - wanted[c]).abs() < 0.2);
            right += f64::from(u8::from(same));
            all += 1.0;
        }
    }
    assert!(all > 100.0);
    right / all
}

#[test]
fn colours_are_right_for_every_phase_crop_and_order_of_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, rgb) = (dir.path().join("raw.fits"), dir.path().join("rgb.fits"));
    let cancel = Cancel::default();
    let mut tried = 0;
    for array in ["RGGB", "BGGR", "GRBG", "GBRG", X_TRANS] {
        for corner in [(0, 0), (1, 0), (0, 1), (1, 1), (3, 5)] {
            for order in [None, Some("TOP-DOWN"), Some("BOTTOM-UP")] {
                for by_offset in [false, true] {
                    // Methods take turns, so that each meets each order.
                    let methods = [None, Some(Method::Bilinear), Some(Method::Superpixel)];
                    let method = methods[tried % 3];
                    tried += 1;
                    for path in [&raw, &rgb] {
                        let _ = std::fs::remove_file(path);
                    }
                    let size = shoot(&raw, array, corner, order, by_offset);
                    debayer_file(&raw, &rgb, method, &context(&cancel)).unwrap();
                    let step = match method {
                        Some(Method::Superpixel) if array == X_TRANS => 3,
                        Some(Method::Superpixel) => 2,
                        _ => 1,
                    };
                    let share = right_colours(&rgb, size, step, order == Some("BOTTOM-UP"));
                    let what = format!("{array} {corner:?} {order:?} {by_offset} {method:?}");
                    assert!(share == 1.0, "{what}: {share}");
                }
            }
        }
    }
    assert_eq!(tried, 150);
    // The check can fail: the same frame under a header that is wrong by one row.
    let _ = std::fs::remove_file(&raw);
    let size = shoot(&raw, "RGGB", (0, 1), None, false);
    let (frame, _) = read_frame(&raw).unwrap();
    std::fs::remove_file(&raw).unwrap();
    let mut wrong = Header::new();
    wrong.push(Card::string("BAYERPAT", "RGGB", ""));
    write_plane(&raw, &frame.data, Sample::F32, wrong);
    debayer_file(&raw, &rgb, None, &context(&cancel)).unwrap();
    assert!(right_colours(&rgb, size, 1, false) < 0.2);
}

#[test]
fn lines_are_those_colours_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("raw.fits");
    let cancel = Cancel::default();
    for (array, step) in [("GRBG", 2), (X_TRANS, 3)] {
        let _ = std::fs::remove_file(&raw);
        let size = shoot(&raw, array, (1, 1), Some("BOTTOM-UP"), true);
        let out = dir.path().join(format!("{step}.fits"));
        extract(&raw, &out, Extract::HaOiii, &context(&cancel)).unwrap();
        let line = |name: &str| {
            read_frame(&dir.path().join(format!("{step}_{name}.fits"))).unwrap().0.data
        };
        let (ha, oiii) = (line("ha"), line("oiii"));
        assert_eq!(
            (ha.size(), oiii.size()),
            (Size::new(size.width / step, size.height / step), ha.size())
        );
        // Patches that differ in red alone look alike in OIII.
        let mut seen = std::collections::BTreeMap::<[i32; 2], f32>::new();
        for y in 0..ha.height() {
            for x in 0..ha.width() {
                let row = size.height - 1 - y * step;
                if inside(x * step, row) {
                    let [red, green, blue] = scene(x * step, row);
                    assert_eq!(ha.get(x, y), red);
                    let first = *seen.entry([green as i32, blue as i32]).or_insert(oiii.get(x, y));
                    assert!((oiii.get(x, y) - first).abs() < 0.01);
                }
            }
        }
        assert!(seen.len() >= 5);
    }
}

/// A sky and stars under an array, each colour of its own brightness, with noise of photons and reading.
fn starry(cfa: CfaPattern, gain_e: f64, turn: u64) -> Plane<f32> {
    const LIGHT: [f64; 3] = [0.4, 1.0, 0.6];
    let mut noise = Stream::new(turn, 3, Purpose::ReadNoise);
    Plane::from_fn(Size::new(288, 288), |x, y| {
        let star = |i: usize| {
            let (cx, cy) = (24.3 + 48.0 * (i % 6) as f64, 24.6 + 48.4 * (i / 6) as f64);
            let d2 = (x as f64 - cx).powi(2) + (y as f64 - cy).powi(2);
            (300.0 + 120.0 * i as f64) * (-0.5 * d2 / 2.25).exp()
        };
        let adu = LIGHT[cfa.color(x, y).channel()] * (300.0 + (0..36).map(star).sum::<f64>());
        (adu + (adu / gain_e + 25.0).sqrt() * noise.gaussian()) as f32
    })
}

#[test]
fn errors_of_stars_under_an_array_are_what_they_scatter_by() {
    const GAIN_E: f64 = 0.8;
    const TURNS: u64 = 24;
    let dir = tempfile::tempdir().unwrap();
    let cancel = Cancel::default();
    let context = context(&cancel);
    for (array, lines) in [
        ("RGGB", vec![None, Some(Extract::Green), Some(Extract::Oiii), Some(Extract::Ha)]),
        (X_TRANS, vec![None, Some(Extract::Green)]),
    ] {
        let cfa = CfaPattern::parse(array).unwrap();
        for what in lines {
            let mut fluxes = std::collections::BTreeMap::<(i64, i64), Vec<(f64, f64)>>::new();
            let step = what.map_or(1.0, |_| if cfa.is_bayer() { 2.0 } else { 3.0 });
            for turn in 0..TURNS {
                let (raw, line) = (dir.path().join("raw.fits"), dir.path().join("line.fits"));
                let _ = (std::fs::remove_file(&raw), std::fs::remove_file(&line));
                let mut header = Header::new();
                header.push(Card::string("BAYERPAT", array, ""));
                header.push(Card::real("EGAIN", GAIN_E, "[e-/ADU]"));
                write_plane(&raw, &starry(cfa, GAIN_E, turn), Sample::F32, header);
                if let Some(what) = what {
                    extract(&raw, &line, what, &context).unwrap();
                }
                let path = if what.is_some() { &line } else { &raw };
                for star in stars_of(path, None, 5.5, &context).unwrap().stars {
                    let at = (star.x * step / 48.0) as i64;
                    fluxes
                        .entry((at, (star.y * step / 48.0) as i64))
                        .or_default()
                        .push((star.flux, star.flux_error));
                }
            }
            let whole: Vec<_> = fluxes.values().filter(|f| f.len() == TURNS as usize).collect();
            let ratios: Vec<f32> = whole
                .iter()
                .map(|star| {
                    let mean = |of: fn(&(f64, f64)) -> f64| {
                        star.iter().map(of).sum::<f64>() / star.len() as f64
                    };
                    let middle = mean(|f| f.0);
                    let squares = star.iter().map(|f| (f.0 - middle).powi(2)).sum::<f64>();
                    ((squares / (star.len() - 1) as f64).sqrt() / mean(|f| f.1)) as f32
                })
                .collect();
            let ratio = photosite_pix::stat::median(&ratios);
            println!("{array} {what:?}: {} stars, scatter over error {ratio:.3}", whole.len());
            assert!(whole.len() >= 35, "{array} {what:?}: {}", whole.len());
            assert!((ratio - 1.0).abs() < 0.12, "{array} {what:?}: {ratio}");
        }
    }
}

#[test]
fn any_number_of_threads_makes_the_same_picture() {
    let dir = tempfile::tempdir().unwrap();
    let cancel = Cancel::default();
    let raw = dir.path().join("raw.fits");
    shoot(&raw, "GBRG", (1, 0), None, false);
    for method in Method::ALL {
        let made: Vec<Vec<u8>> = [1, 3]
            .into_iter()
            .map(|threads| {
                let rgb = dir.path().join(format!("{threads}.fits"));
                let _ = std::fs::remove_file(&rgb);
                let context = Context { threads, ..context(&cancel) };
                debayer_file(&raw, &rgb, Some(method), &context).unwrap();
                std::fs::read(&rgb).unwrap()
            })
            .collect();
        assert!(made[0] == made[1], "{}", method.name());
    }
}

/// The greatest difference between the mean of a plane and that of any place of the array's cell.
fn grid(plane: &Plane<f32>, period: usize) -> f64 {
    let (mut places, mut all) = (vec![(0.0f64, 0.0f64); period * period], (0.0, 0.0));
    for y in 4..plane.height() - 4 {
        for x in 4..plane.width() - 4 {
            let v = f64::from(plane.get(x, y));
            if v.is_finite() {
                let place = &mut places[(y % period) * period + x % period];
                *place = (place.0 + v, place.1 + 1.0);
                all = (all.0 + v, all.1 + 1.0);
            }
        }
    }
    let mean = all.0 / all.1;
    places.iter().map(|(sum, n)| (sum / n - mean).abs()).fold(0.0, f64::max)
}

/// A night of an even, coloured sky, its flats lit in other colours.
fn even_sky(lamp_rgb: [f64; 3]) -> Night {
    let mut night = Night::preset(Preset::CmosOsc, Size::new(320, 256), 5);
    let beside = Effects::STARS | Effects::COSMIC_RAYS | Effects::TRAIL | Effects::SKY_GRADIENT;
    night.effects -= beside;
    night.sky.background_e_s = 40.0;
    night.sky.lamp_rgb = lamp_rgb;
    night.counts.lights = 3;
    night
}

#[test]
fn a_calibrated_even_sky_shows_no_grid() {
    let done = calibrate(even_sky([0.5, 1.0, 0.4]), &["simulated-truth"]);
    let cancel = Cancel::default();
    let lights: Vec<_> = done.report.lights.iter().filter_map(|l| l.output.clone()).collect();
    assert_eq!(lights.len(), 3);
    let (mut worst, mut before) = (0.0f64, f64::INFINITY);
    for method in Method::ALL {
        let mut sums: Option<[Plane<f32>; 3]> = None;
        let mut sigma = f64::INFINITY;
        for light in &lights {
            let rgb = done.folder.path().join("rgb.fits");
            let _ = std::fs::remove_file(&rgb);
            debayer_file(light, &rgb, Some(method), &context(&cancel)).unwrap();
            let (frames, _) = read_frames(&rgb).unwrap();
            // The least of the noises that measured samples have.
            for frame in &frames {
                let err = frame.variance.as_ref().unwrap().as_slice();
                sigma = sigma.min(f64::from(stat::median(err)).sqrt());
            }
            let planes = frames.into_iter().map(|f| f.data);
            match &mut sums {
                None => {
                    let planes: Vec<_> = planes.collect();
                    sums = Some(planes.try_into().unwrap());
                }
                Some(sums) => sums.iter_mut().zip(planes).for_each(|(sum, plane)| {
                    let add = sum.as_mut_slice().iter_mut().zip(plane.as_slice());
                    add.for_each(|(s, v)| *s += v);
                }),
            }
        }
        for sum in sums.unwrap() {
            worst = worst.max(grid(&sum, 2) / lights.len() as f64 / sigma);
        }
    }
    // Without colours the array shows as what it is.
    let (mosaic, _) = read_frame(&lights[0]).unwrap();
    before = before.min(grid(&mosaic.data, 2));
    println!("grid: {worst:.4} sigma after, {before:.0} ADU before debayering");
    assert!(worst < 0.1, "{worst}");
    assert!(before > 100.0, "the sky has colour: {before}");
}

#[test]
fn a_flat_without_red_light_is_told_of() {
    let weak = calibrate(even_sky([0.01, 1.0, 0.6]), &["simulated-truth", "flat-colour-weak"]);
    let found: Vec<_> =
        weak.report.findings.iter().filter(|f| f.code == "flat-colour-weak").collect();
    let [finding] = found[..] else { panic!("{found:?}") };
    assert_eq!(finding.evidence["colour"], "red");
    let noise = finding.evidence["noise"].as_f64().unwrap();
    // Red has a hundredth of the flat's light; the noise of 15 flats with so many electrons.
    let night = weak.simulation.night();
    let electrons = 0.01 * night.flat_level_e * 0.85;
    let expected =
        (electrons + night.sensor.read_noise_e.powi(2)).sqrt() / electrons / 15f64.sqrt();
    assert!((noise / expected - 1.0).abs() < 0.2, "{noise}, {expected}");
}
