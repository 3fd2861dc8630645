//! A response that bends, straightened: fluxes of bright stars, and the noise of bright pixels.

use std::sync::Arc;

use photosite::detector::Linearity;
use photosite::library::Library;
use photosite::run::{add_to_library, keep_profile};
use photosite::sensor::{PROFILE_SCHEMA, Profile};
use photosite_file::fits::{Sample, read_frame};
use photosite_pix::linearity::Curve;
use photosite_pix::{Frame, FrameKind, MaskBits, Size, stat};
use photosite_sim::{Effects, Night, Preset, SimFrame, Simulation};

use crate::night::{request, run, run_context, with, write_night, write_plane};

const SIZE: Size = Size::new(512, 384);
const FULL_E: f64 = 60_000.0;
/// Three percent at 80 % of the full well.
const BEND: f64 = 0.03 / 0.8;

fn night(preset: Preset, poisson: bool) -> Night {
    let mut night = Night::preset(preset, SIZE, 23);
    night.effects = Effects::OFFSET
        | Effects::BIAS_STRUCTURE
        | Effects::READ_NOISE
        | Effects::QUANTISATION
        | Effects::STARS
        | Effects::SKY
        | night.effects & Effects::BAYER;
    if poisson {
        night.effects |= Effects::POISSON;
    }
    night.sensor.bits = 16;
    night.sensor.gain_e_per_adu = 1.0;
    night.sensor.full_well_e = FULL_E;
    night.sensor.bend = BEND;
    night.sensor.offset_adu = 1_000.0;
    night.flat_level_e = 25_000.0;
    night.sky.lamp_rgb = [0.9, 1.0, 0.8];
    night.sky.stars_per_mpx = 1_500.0;
    night.sky.star_min_e_s = 1_000.0;
    night.sky.fwhm_px = 3.0;
    night.sky.sky_rgb = [0.8, 1.0, 0.7];
    night.sky.background_e_s = if poisson { 600.0 } else { 5.0 };
    night.counts.bias = 10;
    night.counts.darks = 6;
    night.counts.flats = 6;
    night.counts.dark_flats = 0;
    night.counts.lights = 2;
    night
}

/// What straightens that sensor, as a table of levels at which its flats could have been taken.
fn curve() -> Curve {
    let truth: Vec<f64> = (1..=12).map(|i| FULL_E * f64::from(i) / 12.0).collect();
    let measured: Vec<f64> = truth.iter().map(|e| e - BEND * e * e / FULL_E).collect();
    Curve::table(&measured, &truth, Some(measured[11])).unwrap()
}

/// How the sensor is told to be bent.
enum Told {
    Not,
    ByHand,
    ByProfile,
}

fn calibrated(night: Night, told: &Told) -> Vec<(Frame, SimFrame)> {
    let simulation = Simulation::new(night);
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("raw");
    for plan in simulation.frames() {
        let frame = simulation.render(&plan);
        let path = raw.join(plan.folder).join(&plan.file_name);
        write_plane(&path, &frame.adu, Sample::U16 { pedestal_adu: 0.0 }, frame.header);
    }
    let (output, library) = (folder.path().join("out"), folder.path().join("library"));
    let asked = with(request(vec![raw], &output), |n| {
        n.stack = false;
        match told {
            Told::Not => {}
            Told::ByHand => {
                n.overrides.linearity = Some(Arc::new(Linearity::new(None, vec![curve()])));
            }
            Told::ByProfile => {
                let camera = simulation.render(&simulation.frames()[0]).metadata;
                let profile = Profile {
                    schema: PROFILE_SCHEMA.to_owned(),
                    camera: camera.camera,
                    set_up: camera
                        .gain_setting
                        .map(|g| ("gain setting".to_owned(), g.to_string()))
                        .into_iter()
                        .collect(),
                    values: Vec::new(),
                    curves: vec![curve()],
                };
                keep_profile(&profile, &library).unwrap();
                n.library = Some(library);
            }
        }
    });
    let report = run(&asked, 2);
    let by_profile = report.findings.iter().any(|f| f.code == "linearity-by-profile");
    assert_eq!(by_profile, matches!(told, Told::ByProfile));
    let plans = simulation.frames().into_iter().filter(|p| p.kind == FrameKind::Light);
    plans
        .map(|plan| {
            let path = output.join("calibrated").join(&plan.file_name);
            (read_frame(&path).unwrap().0, simulation.render(&plan))
        })
        .collect()
}

/// Whether a pixel counts, by its own electrons and what is known of it.
fn counts(frame: &Frame, (x, y): (usize, usize)) -> bool {
    !frame
        .mask
        .get(x, y)
        .intersects(MaskBits::SATURATED | MaskBits::NO_DATA | MaskBits::INTERPOLATED)
}

#[test]
fn bright_stars_get_their_flux() {
    for preset in [Preset::Ccd, Preset::CmosOsc] {
        for told in [Told::Not, Told::ByHand, Told::ByProfile] {
            let (mut light, mut found) = (0.0, 0.0);
            for (frame, raw) in calibrated(night(preset, false), &told) {
                let truth = raw.truth.light_e.as_ref().unwrap();
                // Colours of the lamp are levels of 1 each: what is left is the sky's.
                for y in 0..SIZE.height {
                    for x in 0..SIZE.width {
                        let e = f64::from(truth.get(x, y));
                        if (0.3 * FULL_E..0.85 * FULL_E).contains(&e) && counts(&frame, (x, y)) {
                            light += e;
                            found += f64::from(frame.data.get(x, y));
                        }
                    }
                }
            }
            let bias = found / light - 1.0;
            println!("{}: {light:.3e} e-, flux off by {:.3} %", preset.name(), 100.0 * bias);
            assert!(light > 1e7, "too few bright pixels");
            match told {
                Told::Not => assert!(bias < -0.01, "{bias}"),
                _ => assert!(bias.abs() < 1e-3, "{}: {bias}", preset.name()),
            }
        }
    }
}

#[test]
fn the_variance_of_straightened_samples_is_right() {
    for preset in [Preset::Ccd, Preset::CmosOsc] {
        let mut night = night(preset, true);
        night.effects.remove(Effects::STARS);
        // A sky at 70 % of the full well, where the noise of the read-out counts as well.
        night.sensor.read_noise_e = 60.0;
        night.sky.background_e_s = 0.7 * FULL_E / night.light_exposure_s;
        // Sums of both: the variance of a flat of six frames is itself uncertain, its inverse even more.
        let (mut squares, mut expected, mut n, mut off) = (0.0, 0.0, 0.0, 0.0);
        for (frame, raw) in calibrated(night, &Told::ByHand) {
            let truth = raw.truth.light_e.as_ref().unwrap();
            let variance = frame.variance.as_ref().expect("a variance");
            for y in 0..SIZE.height {
                for x in (0..SIZE.width).filter(|x| counts(&frame, (*x, y))) {
                    let d = f64::from(frame.data.get(x, y)) - f64::from(truth.get(x, y));
                    squares += d * d;
                    expected += f64::from(variance.get(x, y));
                    off += d / f64::from(truth.get(x, y));
                    n += 1.0;
                }
            }
        }
        let ratio = squares / expected;
        println!("{}: ratio {ratio:.4}, level off by {:.4} %", preset.name(), 100.0 * off / n);
        assert!((ratio - 1.0).abs() < 0.03, "{}: {ratio}", preset.name());
        assert!((off / n).abs() < 1e-3);
    }
}

/// Masters of a library that were made before the curve was known are not used where their frames, or others, are at
/// hand, and are told of where they are not.
#[test]
fn masters_that_are_older_than_the_curve_give_way() {
    let of = |lights: bool| {
        with(night(Preset::Ccd, false), |n| {
            n.effects |= Effects::VIGNETTING;
            n.effects.remove(Effects::STARS);
            n.sensor.bend = 4.0 * BEND;
            n.sky.background_e_s = 0.4 * FULL_E / n.light_exposure_s;
            n.flat_level_e = 0.7 * FULL_E;
            let (all, some) = if lights { (0, 2) } else { (6, 1) };
            (n.counts.bias, n.counts.darks, n.counts.flats, n.counts.lights) =
                (all, all, all, some);
        })
    };
    let curve = {
        let truth: Vec<f64> = (1..=12).map(|i| FULL_E * f64::from(i) / 12.0).collect();
        let measured: Vec<f64> = truth.iter().map(|e| e - 4.0 * BEND * e * e / FULL_E).collect();
        Curve::table(&measured, &truth, Some(measured[11])).unwrap()
    };
    // Masters alone, masters and the frames they were made of, frames alone.
    for (masters, frames) in [(true, false), (true, true), (false, true)] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (older, newer) = (Simulation::new(of(false)), Simulation::new(of(true)));
        write_night(&older, &path("older"));
        write_night(&newer, &path("newer"));
        let asked = |night: &str, curve: Option<Curve>| {
            with(request(vec![path(night)], &path(&format!("out-{night}"))), |n| {
                (n.stack, n.library) = (false, Some(path("library")));
                n.overrides.linearity = curve.map(|c| Arc::new(Linearity::new(None, vec![c])));
            })
        };
        if masters {
            run(&asked("older", None), 2);
        }
        if frames {
            let mut library = Library::open(&path("library")).unwrap();
            let folders = ["bias", "darks", "flats"].map(|f| path("older").join(f));
            run_context(2, |context| add_to_library(&mut library, &folders, context)).unwrap();
        } else {
            std::fs::remove_dir_all(path("older")).unwrap();
        }
        let report = run(&asked("newer", Some(curve.clone())), 2);
        let told: Vec<&str> = report
            .findings
            .iter()
            .filter(|f| f.code == "master-not-straightened")
            .map(|f| f.message.as_str())
            .collect();
        assert_eq!(told.is_empty(), !masters, "{masters} {frames}: {told:?}");
        let all_the_same = told.iter().any(|message| message.contains("all the same"));
        assert_eq!(all_the_same, !frames, "{masters} {frames}: {told:?}");
        for (light, plan) in report.lights.iter().zip(newer.frames()) {
            let (frame, _) = read_frame(light.output.as_ref().unwrap()).unwrap();
            let truth = newer.render(&plan).truth.light_e.unwrap();
            let part = |x0: usize, y0: usize| {
                let ratio = |x, y| f64::from(frame.data.get(x, y)) / f64::from(truth.get(x, y));
                let all = (y0..y0 + 60).flat_map(|y| (x0..x0 + 60).map(move |x| (x, y)));
                stat::median_f64(&all.map(|(x, y)| ratio(x, y)).collect::<Vec<f64>>())
            };
            let off = part(0, 0) / part(226, 162) - 1.0;
            println!("masters {masters}, frames {frames}: corner off by {:.3} %", 100.0 * off);
            assert_eq!(off.abs() < 2e-3, frames, "{masters} {frames}: {off}");
        }
    }
}
