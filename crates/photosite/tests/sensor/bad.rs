//! Frames that a sensor cannot be measured from, or not by all of them.

use photosite_file::atomic::{Existing, write_bytes};
use photosite_pix::{FrameKind, Size};
use photosite_sim::{Effects, Preset};

use crate::camera::{Laboratory, holds, named};

const BIAS_S: f64 = 0.001;

#[test]
fn flats_that_are_all_full_tell_no_gain() {
    let mut lab = Laboratory::of(Preset::CmosMono, Size::new(320, 256), 5, |n| {
        n.sensor.full_well_e = 20_000.0;
    });
    lab.take(FrameKind::Bias, BIAS_S, -10.0, 6);
    for share in [1.0, 1.6, 3.0] {
        lab.flats(share, 2);
    }
    let report = lab.measure();
    for name in ["gain", "read_noise", "prnu", "linearity_max"] {
        assert!(report.measure(name).is_none(), "{:?}", report.measure(name));
    }
}

#[test]
fn coarse_numbers_hide_noise_and_flats_tell_the_gain_all_the_same() {
    let mut lab = Laboratory::of(Preset::CmosMono, Size::new(320, 256), 11, |n| {
        n.sensor.bits = 8;
        (n.sensor.gain_e_per_adu, n.sensor.read_noise_e) = (60.0, 4.0);
        (n.sensor.offset_adu, n.sensor.full_well_e) = (10.0, 60_000.0);
        n.effects -= Effects::DUST;
    });
    lab.take(FrameKind::Bias, BIAS_S, -10.0, 10);
    for share in [0.05, 0.1, 0.2, 0.4, 0.6] {
        lab.flats(share, 2);
    }
    lab.take(FrameKind::Dark, 60.0, -10.0, 4);
    lab.take(FrameKind::Dark, 300.0, -10.0, 4);
    let report = lab.measure();
    let gain = report.measure("gain").expect("a gain");
    println!("{gain:?}");
    assert!((gain.value.unwrap() / 60.0 - 1.0).abs() < 0.02, "{gain:?}");
    let noisy = report.measures.iter().filter(|m| m.name == "dark_current" && m.valid);
    for m in noisy {
        assert!(m.method.contains("level"), "{m:?}");
    }
    assert!(!named(&report, "read_noise", "e-").unwrap().valid);
}

/// Flats of a linear camera; the lamp changes from flat to flat by the shares, in turn.
fn under_a_lamp(preset: Preset, change: Vec<f32>) -> photosite::sensor::SensorReport {
    let mut lab = Laboratory::of(preset, Size::new(256, 192), 3, |n| n.effects -= Effects::DUST);
    let zero = lab.simulation.night().sensor.offset_adu as f32;
    lab.change = Some(Box::new(move |frame, kind, plane| {
        let factor = 1.0 + change[frame % change.len()];
        for v in plane.as_mut_slice().iter_mut().filter(|_| kind == FrameKind::Flat) {
            *v = (zero + (*v - zero) * factor).round();
        }
    }));
    lab.take(FrameKind::Bias, BIAS_S, -10.0, 6);
    for share in [0.07, 0.15, 0.3, 0.5, 0.7, 0.9] {
        lab.flats(share, 2);
    }
    lab.measure()
}

#[test]
fn a_lamp_that_varies_is_in_the_intervals_of_linearity() {
    let varied = vec![0.03, -0.05, 0.01, 0.04, -0.02, 0.05, -0.04];
    for preset in [Preset::CmosMono, Preset::CmosOsc] {
        let report = under_a_lamp(preset, varied.clone());
        assert!(report.curves.is_empty(), "{:?}", report.curves);
        assert!(report.measure("linearity_max").is_none());
        for name in ["linearity_error_min", "linearity_error_max", "shutter_dead_time"] {
            let found = report.measures.iter().filter(|m| m.name == name).collect::<Vec<_>>();
            assert!(!found.is_empty());
            for m in found {
                println!("{} {:?}: {:?} ({:?} to {:?})", m.name, m.channel, m.value, m.low, m.high);
                assert!(holds(m, 0.0), "{m:?}");
            }
        }
        let steady = under_a_lamp(preset, vec![0.0]);
        for name in ["linearity_error_min", "linearity_error_max"] {
            let m = steady.measure(name).unwrap();
            println!("{name}: {:?} ({:?} to {:?})", m.value, m.low, m.high);
            assert!(m.high.unwrap() - m.low.unwrap() < 0.3, "{m:?}");
        }
    }
}

#[test]
fn a_lamp_that_drifts_tells_no_law() {
    for by in [-0.002f32, 0.01] {
        let report = under_a_lamp(Preset::CmosMono, (0..20).map(|i| by * i as f32).collect());
        assert!(report.curves.is_empty(), "{by}: {:?}", report.curves);
        let names =
            ["linearity_error_min", "linearity_error_max", "linearity_max", "shutter_dead_time"];
        for m in report.measures.iter().filter(|m| names.contains(&m.name.as_str())) {
            assert!(!m.valid && m.reason.contains("drifted"), "{by}: {m:?}");
        }
        let codes: Vec<&str> = report.findings.iter().map(|f| &*f.code).collect();
        assert!(codes.contains(&"sensor-lamp-drift"), "{by}: {codes:?}");
        assert!(!codes.contains(&"sensor-shutter-uneven"), "{by}: {codes:?}");
    }
}

#[test]
fn flats_that_are_full_in_the_middle_alone_bend_nothing() {
    for corner_light in [0.7, 0.4] {
        let mut lab = Laboratory::of(Preset::CmosMono, Size::new(320, 256), 3, |n| {
            n.effects -= Effects::DUST;
            n.sensor.corner_light = corner_light;
        });
        lab.take(FrameKind::Bias, BIAS_S, -10.0, 10);
        for share in [0.08, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05, 1.2, 1.35] {
            lab.flats(share, 2);
        }
        let report = lab.measure();
        assert!(report.curves.is_empty(), "{corner_light}: {:?}", report.curves);
        for name in ["linearity_error_min", "linearity_error_max"] {
            let m = report.measure(name).expect("a value");
            println!("{corner_light} {name}: {:?} ({:?} to {:?})", m.value, m.low, m.high);
            assert!(m.value.unwrap().abs() < 0.2, "{corner_light}: {m:?}");
        }
        // Straight up to where the first pixels are full.
        let night = lab.simulation.night();
        let full_adu = lab.range_e() / night.sensor.gain_e_per_adu;
        let linear = report.measure("linearity_max").expect("a value").value.unwrap() / full_adu;
        println!("{corner_light}: linear to {linear}");
        assert!((0.5..1.0).contains(&linear), "{corner_light}: {linear}");
    }
}

/// Says another exposure in the headers of some of the frames that were taken.
fn say_exposure(lab: &Laboratory, frames: std::ops::RangeInclusive<usize>, exposure_s: f64) {
    for number in frames {
        let start = format!("{number:04}_");
        let mut all = std::fs::read_dir(lab.path()).unwrap().map(|e| e.unwrap().path());
        let path = all
            .find(|p| p.file_name().unwrap().to_string_lossy().starts_with(&start))
            .expect("a frame");
        let mut bytes = std::fs::read(&path).unwrap();
        let mut cards = bytes.chunks_exact_mut(80);
        let card = cards.find(|c| c.starts_with(b"EXPTIME ")).expect("an exposure");
        card.copy_from_slice(format!("{:<80}", format!("EXPTIME = {exposure_s:>20}")).as_bytes());
        write_bytes(&path, &bytes, Existing::Replace).unwrap();
    }
}

#[test]
fn flats_that_say_a_wrong_exposure_are_told_and_left_out_of_linearity() {
    // Two of four, and one of four.
    for wrong in [2, 1] {
        let mut lab = Laboratory::of(Preset::CmosMono, Size::new(256, 192), 9, |_| ());
        lab.take(FrameKind::Bias, BIAS_S, -10.0, 6);
        for share in [0.1, 0.3, 0.2, 0.5, 0.6, 0.7, 0.9] {
            lab.flats(share, 2);
        }
        let night = lab.simulation.night();
        let second_s = night.flat_exposure_s * 0.3 * lab.range_e() / night.flat_level_e;
        let first = lab.taken() + 1;
        lab.flats(0.3, 4 - 2 - wrong);
        lab.flats(0.45, wrong);
        let report = {
            say_exposure(&lab, first..=lab.taken(), second_s);
            say_exposure(&lab, 9..=10, second_s);
            lab.measure()
        };
        let told = report.findings.iter().find(|f| f.code == "sensor-exposure-doubted");
        let told = told.expect("a finding");
        println!("{}", told.message);
        assert!(told.message.contains(&format!("{:04}_", lab.taken())), "{}", told.message);
        for name in ["linearity_error_min", "linearity_error_max"] {
            let m = report.measure(name).unwrap();
            println!("{name}: {:?}", m.value);
            assert!(m.value.unwrap().abs() < 0.5, "{m:?}");
        }
    }
}

#[test]
fn darks_that_say_a_wrong_exposure_are_told_and_tell_no_dark_current() {
    for (right, wrong) in [(4, 4), (5, 2)] {
        let mut lab = Laboratory::of(Preset::CmosMono, Size::new(256, 192), 8, |n| {
            n.sensor.dark_e_s = 0.05;
        });
        lab.take(FrameKind::Bias, BIAS_S, -10.0, 8);
        lab.flats(0.4, 2);
        lab.take(FrameKind::Dark, 300.0, -10.0, 4);
        lab.take(FrameKind::Dark, 60.0, -10.0, right);
        let first = lab.taken() + 1;
        lab.take(FrameKind::Dark, 300.0, -10.0, wrong);
        say_exposure(&lab, first..=lab.taken(), 60.0);
        let report = lab.measure();
        let code = if wrong == 4 { "set-contradicts" } else { "frame-odd" };
        let told = report.findings.iter().filter(|f| f.code == code);
        for finding in told.clone() {
            println!("{}: {}", finding.subject, finding.message);
        }
        assert_eq!(told.count(), if wrong == 4 { 1 } else { wrong });
        let rate = report.measure("dark_current").expect("of the others");
        assert!((rate.value.unwrap() / 0.05 - 1.0).abs() < 0.1, "{rate:?}");
    }
}

#[test]
fn frames_that_lie_upside_down_are_turned_over() {
    for preset in [Preset::CmosMono, Preset::CmosOsc] {
        let [right, some] = [false, true].map(|turned| {
            let mut lab = Laboratory::of(preset, Size::new(320, 256), 16, |n| {
                n.sensor.dark_e_s = 0.05;
            });
            lab.change = Some(Box::new(move |frame, kind, plane| {
                // Every third frame, but for the biases.
                if turned && frame % 3 == 0 && kind != FrameKind::Bias {
                    let (size, old) = (plane.size(), plane.clone());
                    *plane =
                        photosite_pix::Plane::from_fn(size, |x, y| old.row(size.height - 1 - y)[x]);
                }
            }));
            lab.take(FrameKind::Bias, BIAS_S, -10.0, 8);
            for share in [0.1, 0.3, 0.5, 0.7] {
                lab.flats(share, 2);
            }
            lab.take(FrameKind::Dark, 60.0, -10.0, 4);
            lab.take(FrameKind::Dark, 300.0, -10.0, 4);
            lab.measure()
        });
        assert!(right.findings.iter().all(|f| f.code != "rows-turned"), "{:?}", right.findings);
        let told: Vec<_> = some.findings.iter().filter(|f| f.code == "rows-turned").collect();
        for finding in &told {
            println!("{preset:?}: {}: {}", finding.subject, finding.message);
        }
        assert_eq!(told.len(), 2, "{:?}", some.findings);
        for (name, unit) in
            [("gain", "e-/ADU"), ("prnu", "%"), ("dark_current", "e-/s"), ("read_noise", "e-")]
        {
            let [a, b] = [&right, &some].map(|r| named(r, name, unit).unwrap());
            let half = a.high.unwrap() - a.value.unwrap();
            assert!(b.valid && (a.value.unwrap() - b.value.unwrap()).abs() <= half, "{a:?} {b:?}");
        }
    }
}

#[test]
fn a_slope_of_the_light_is_no_difference_of_pixels() {
    for preset in [Preset::CmosMono, Preset::CmosOsc] {
        let mut lab = Laboratory::of(preset, Size::new(320, 256), 12, |n| {
            n.effects -= Effects::VIGNETTING | Effects::DUST;
            n.sensor.prnu = 0.006;
        });
        let zero = lab.simulation.night().sensor.offset_adu as f32;
        lab.change = Some(Box::new(move |_, kind, plane| {
            let width = plane.width() as f32;
            for (i, v) in plane.as_mut_slice().iter_mut().enumerate() {
                if kind == FrameKind::Flat {
                    let x = i as f32 % width / width;
                    *v = (zero + (*v - zero) * (1.0 - 0.5 * x)).round();
                }
            }
        }));
        lab.take(FrameKind::Bias, BIAS_S, -10.0, 8);
        lab.flats(0.6, 2);
        let report = lab.measure();
        let prnu = report.measure("prnu").expect("told");
        println!("{preset:?}: {:?} ({:?} to {:?})", prnu.value, prnu.low, prnu.high);
        assert!((prnu.value.unwrap() / 0.6 - 1.0).abs() < 0.02, "{prnu:?}");
    }
}
