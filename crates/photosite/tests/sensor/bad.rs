//! Frames that a sensor cannot be measured from, or not by all of them.

use crate::camera::{Laboratory, holds, named};
use photosite_pix::{FrameKind, Size};
use photosite_sim::{Effects, Preset};

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
