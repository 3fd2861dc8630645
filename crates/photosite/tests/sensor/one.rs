//! One effect at a time.

use crate::camera::{Laboratory, holds, measure_at, named};
use photosite_pix::{FrameKind, Size};
use photosite_sim::{Effects, Preset};

#[test]
fn a_sensor_that_holds_its_level_is_measured_by_noise() {
    // As published of a CMOS sensor: 0.005 e-/s at -20 C, whose darks are darker than its biases.
    let mut lab = Laboratory::of(Preset::CmosMono, Size::new(640, 512), 4, |n| {
        n.effects |= Effects::BLACK_CLAMP;
        n.set_temp_c = -20.0;
        let s = &mut n.sensor;
        (s.dark_e_s, s.dark_ref_c, s.clamp_ratio, s.read_noise_e) = (0.005, -20.0, 1.3, 1.2);
        s.gain_e_per_adu = 0.25;
        s.dark_log_sd = 0.3;
    });
    lab.take(FrameKind::Bias, 0.001, -20.0, 14);
    lab.flats(0.2, 2);
    lab.flats(0.5, 2);
    lab.take(FrameKind::Dark, 600.0, -20.0, 14);
    let report = lab.measure();
    assert!(report.findings.iter().any(|f| f.code == "sensor-level-held"), "{:?}", report.findings);
    let truth = lab.dark_e_s(600.0, -20.0);
    let rates: Vec<_> =
        report.measures.iter().filter(|m| m.name == "dark_current" && m.unit == "e-/s").collect();
    for m in rates.iter().filter(|m| m.method.contains("level")) {
        assert!(!m.valid && !m.reason.is_empty(), "{m:?}");
    }
    let mut held = 0;
    let sums: Vec<_> = rates.iter().filter(|m| m.method.starts_with("alternating")).collect();
    for m in &sums {
        println!(
            "{}: {:.5} ({:.5} to {:.5})",
            m.method,
            m.value.unwrap(),
            m.low.unwrap(),
            m.high.unwrap()
        );
        held += usize::from(holds(m, truth));
        assert!((m.value.unwrap() / truth - 1.0).abs() < 0.2, "{m:?} for {truth}");
    }
    assert_eq!(sums.len(), 7);
    assert!(held >= 6, "{held} of 7 hold {truth}");
}

#[test]
fn glow_is_found_and_left_out() {
    for (preset, seed) in [(Preset::CmosMono, 3), (Preset::CmosOsc, 4)] {
        let mut lab = Laboratory::of(preset, Size::new(512, 512), seed, |n| {
            n.effects |= Effects::AMP_GLOW;
            n.sensor.dark_e_s = 0.05;
            (n.sensor.glow_e, n.sensor.glow_reach) = (400.0, 0.06);
        });
        lab.take(FrameKind::Bias, 0.001, -10.0, 6);
        lab.flats(0.3, 2);
        lab.take(FrameKind::Dark, 60.0, -10.0, 4);
        lab.take(FrameKind::Dark, 600.0, -10.0, 4);
        let report = lab.measure();
        assert!(report.findings.iter().any(|f| f.code == "sensor-glow"), "{preset:?}");
        let glow = named(&report, "amp_glow", "ADU").unwrap();
        assert!(glow.value.unwrap() > 100.0, "{glow:?}");
        let dark = named(&report, "dark_current", "e-/s").unwrap();
        let off = dark.value.unwrap() / 0.05 - 1.0;
        println!("{preset:?}: {off:.3} {dark:?}");
        assert!(off.abs() < 0.15, "{off}");
    }
}

#[test]
fn a_tone_of_a_fifth_of_the_read_noise_is_found_at_its_frequency() {
    for (preset, tone, seed) in [
        (Preset::Ccd, (0.21, 0.13), 1),
        (Preset::CmosOsc, (0.37, -0.22), 2),
        (Preset::Dslr, (0.11, 0.4), 3),
    ] {
        let mut lab = Laboratory::of(preset, Size::new(256, 256), seed, |n| {
            n.sensor.tone_e = 0.2 * n.sensor.read_noise_e;
            n.sensor.tone_per_px = tone;
        });
        // The phases of a pair make its tone up to twice as strong, or none: a few pairs tell.
        lab.take(FrameKind::Bias, 0.001, 0.0, 16);
        lab.flats(0.4, 2);
        let report = lab.measure();
        let found: Vec<_> = report.measures.iter().filter(|m| m.name == "interference").collect();
        assert_eq!(found.len(), 1, "{found:?}");
        let wanted = 0.2 * lab.simulation.night().sensor.read_noise_e;
        assert!((found[0].value.unwrap() / wanted - 1.0).abs() < 0.3, "{found:?}");
        let finding = report.findings.iter().find(|f| f.code == "sensor-interference").unwrap();
        let of = |key: &str| finding.evidence[key].as_f64().unwrap();
        let off = (of("x_per_px") - tone.0).hypot(of("y_per_px") - tone.1);
        assert!(off < 0.002, "{preset:?}: {finding:?}");
    }
}

#[test]
fn pixels_that_jump_are_counted() {
    for (seed, share, amplitude) in [(5u64, 0.01, 10.0f32), (6, 0.003, 14.0), (7, 0.0, 0.0)] {
        let mut lab = Laboratory::of(Preset::CmosMono, Size::new(400, 300), seed, |_| ());
        let sigma = (lab.simulation.night().sensor.read_noise_e
            / lab.simulation.night().sensor.gain_e_per_adu) as f32;
        let hash = |a: u64| {
            let a = (a ^ (a >> 31)).wrapping_mul(0x7fb5_d329_728e_a185);
            let a = (a ^ (a >> 27)).wrapping_mul(0x81da_def4_bc2d_d44d);
            ((a ^ (a >> 33)) >> 11) as f64 / (1u64 << 53) as f64
        };
        lab.change = Some(Box::new(move |frame, _, plane| {
            for (i, v) in plane.as_mut_slice().iter_mut().enumerate() {
                let jumps = hash(i as u64 + 1 + (seed << 40)) < share;
                if jumps && hash(i as u64 * 7919 + frame as u64 * 104_729 + 3) < 0.4 {
                    *v += (amplitude * sigma).round();
                }
            }
        }));
        lab.take(FrameKind::Bias, 0.001, -10.0, 24);
        let report = lab.measure();
        let found = named(&report, "telegraph_share", "share").unwrap();
        println!("{share}: {found:?}");
        if share > 0.0 {
            assert!((found.value.unwrap() / share - 1.0).abs() < 0.15, "{share}: {found:?}");
        } else {
            assert!(found.value.unwrap() < 1e-4, "{found:?}");
        }
    }
}

#[test]
fn a_bend_of_the_response_is_measured() {
    for (preset, bend) in [(Preset::Ccd, 0.03f32), (Preset::CmosOsc, 0.06)] {
        let mut lab = Laboratory::of(preset, Size::new(256, 256), 9, |n| {
            n.effects -= Effects::VIGNETTING | Effects::DUST | Effects::PRNU;
            n.sky.lamp_rgb = [1.0; 3];
        });
        let zero = lab.simulation.night().sensor.offset_adu as f32;
        let range = (lab.range_e() / lab.simulation.night().sensor.gain_e_per_adu) as f32;
        lab.change = Some(Box::new(move |_, kind, plane| {
            for v in plane.as_mut_slice().iter_mut().filter(|_| kind == FrameKind::Flat) {
                let x = *v - zero;
                *v = (zero + x * (1.0 - bend * x / range)).round();
            }
        }));
        lab.take(FrameKind::Bias, 0.001, -10.0, 6);
        let shares = [0.06, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9];
        shares.iter().for_each(|s| lab.flats(*s, 2));
        lab.flats(3.0, 2);
        let report = lab.measure();
        let found = report.series.iter().find(|s| s.plot == "linearity_residual").unwrap();
        // The same fit to the law itself.
        let levels: Vec<f64> = shares.iter().map(|s| s * (1.0 - f64::from(bend) * s)).collect();
        let used: Vec<(f64, f64, f64)> = shares
            .iter()
            .zip(&levels)
            .filter(|(_, l)| **l > 0.05 * (1.0 - f64::from(bend)))
            .map(|(s, l)| (*s, *l, l.sqrt()))
            .collect();
        let fit = photosite::sensor::line(&used).unwrap();
        for (i, (share, level)) in shares.iter().zip(&levels).enumerate() {
            let expected = 100.0 * (level / (fit.at_zero.value + fit.slope.value * share) - 1.0);
            let [_, residual, _] = found.points[i];
            println!("{preset:?} {share}: {residual:.3} for {expected:.3}");
            assert!(
                (residual - expected).abs() < 0.2,
                "{preset:?} {share}: {residual} for {expected}"
            );
        }
        // What straightens it; under one lamp for all colours there is one curve.
        assert_eq!(report.curves.len(), 1);
        for curve in &report.curves {
            for (share, level) in shares.iter().zip(&levels) {
                let straight = curve.straight(*level as f32 * range) / range;
                let off = f64::from(straight) / share - 1.0;
                println!("{preset:?} {share}: straightened, off by {:.4} %", 100.0 * off);
                assert!(off.abs() < 1e-3, "{preset:?} {share}: {straight}, {curve:?}");
            }
        }
        let folder = tempfile::tempdir().unwrap();
        photosite::product::write_sensor(&report, folder.path()).unwrap();
        let read = photosite::detector::Linearity::read(&folder.path().join("linearity.toml"));
        assert_eq!(read.unwrap().curves, report.curves);
    }
}

#[test]
fn each_colour_gets_its_curve() {
    let bend = 0.04f32;
    let mut lab = Laboratory::of(Preset::CmosOsc, Size::new(256, 256), 10, |n| {
        n.effects -= Effects::VIGNETTING | Effects::DUST | Effects::PRNU;
        n.sky.lamp_rgb = [0.75, 1.0, 0.6];
    });
    let zero = lab.simulation.night().sensor.offset_adu as f32;
    let range = (lab.range_e() / lab.simulation.night().sensor.gain_e_per_adu) as f32;
    lab.change = Some(Box::new(move |_, kind, plane| {
        for v in plane.as_mut_slice().iter_mut().filter(|_| kind == FrameKind::Flat) {
            let x = *v - zero;
            *v = (zero + x * (1.0 - bend * x / range)).round();
        }
    }));
    lab.take(FrameKind::Bias, 0.001, -10.0, 6);
    [0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.85, 0.93].iter().for_each(|s| lab.flats(*s, 2));
    lab.flats(3.0, 2);
    let curves = lab.measure().curves;
    assert_eq!(curves.len(), 3, "{curves:?}");
    for curve in &curves {
        for share in [0.1f32, 0.3, 0.5] {
            let straight = curve.straight(range * share * (1.0 - bend * share)) / range;
            assert!((straight / share - 1.0).abs() < 1e-3, "{share}: {straight}, {curve:?}");
        }
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let mut lab = Laboratory::of(Preset::CmosOsc, Size::new(256, 192), 11, |_| ());
    lab.take(FrameKind::Bias, 0.001, -10.0, 5);
    lab.flats(0.3, 3);
    lab.take(FrameKind::Dark, 60.0, -10.0, 4);
    let [one, three] = [1, 3].map(|threads| measure_at(&lab.path(), threads));
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&three).unwrap());
    for colour in ["red", "green", "blue"] {
        let of = |m: &&photosite::sensor::Measure| {
            m.name == "gain" && m.channel.as_deref() == Some(colour)
        };
        let m = one.measures.iter().find(of).unwrap();
        assert!(holds(m, lab.simulation.night().sensor.gain_e_per_adu), "{m:?}");
    }
    let missing: Vec<&str> = one.missing.iter().map(|m| m.measure.as_str()).collect();
    assert!(
        missing.contains(&"linearity_max") && missing.contains(&"doubling_temp"),
        "{missing:?}"
    );
}
