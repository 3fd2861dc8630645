//! What is measured apart: amplifiers, single pixels under light, pairs, neighbours, traces.

use crate::camera::{Laboratory, holds, named};
use crate::night::run_context;
use photosite::defects::Seen;
use photosite::inventory::KindOverrides;
use photosite::product::write_sensor;
use photosite::run::{SensorRequest, build_map_of_named, measure_sensor};
use photosite::sensor::Measure;
use photosite_file::fits::read_frames;
use photosite_pix::{FrameKind, MaskBits, Plane, Size};
use photosite_sim::{Effects, Output, Outputs, PixelFault, Preset, Stored};

fn four_outputs() -> Outputs {
    let each = [(1.0, 5.0, 0.0), (1.31, 6.5, 240.0), (0.86, 4.2, -170.0), (1.12, 5.6, 90.0)];
    let output = |(gain_e_per_adu, read_noise_e, level_adu): (f64, f64, f64)| Output {
        gain_e_per_adu,
        read_noise_e,
        level_adu,
        max_adu: 65_535.0,
    };
    Outputs {
        across: 2,
        each: each.into_iter().map(output).collect(),
        overscan: 32,
        drift_adu: 0.0,
        drift_rows: 40.0,
        row_noise_adu: 0.0,
        wander_adu: 2.0,
        left_behind: 1e-4,
    }
}

#[test]
fn each_amplifier_has_its_own_gain_noise_level_and_dark_current() {
    let mut lab = Laboratory::of(Preset::Ccd, Size::new(384, 320), 31, |n| {
        n.sensor.outputs = Some(four_outputs());
        n.sensor.full_well_e = 90_000.0;
        n.sensor.dark_e_s = 0.5;
    });
    lab.stored = Some(Stored::Blocks);
    lab.take(FrameKind::Bias, 0.001, -20.0, 8);
    [0.06, 0.15, 0.3, 0.45].iter().for_each(|s| lab.flats(*s, 2));
    [60.0, 300.0].iter().for_each(|t| lab.take(FrameKind::Dark, *t, -20.0, 4));
    let report = lab.measure();
    let dark_e_s = lab.dark_e_s(300.0, -20.0);
    let mut held = 0;
    for (i, output) in four_outputs().each.iter().enumerate() {
        let of = |name: &str, unit: &str| -> &Measure {
            let own =
                |m: &&Measure| m.name == name && m.unit == unit && m.amplifier == Some(i as u32);
            report.measures.iter().find(own).unwrap_or_else(|| panic!("{name} of {i}"))
        };
        let rounding = output.gain_e_per_adu.powi(2) / 12.0;
        let read_e = (output.read_noise_e.powi(2) + rounding).sqrt();
        let level = lab.simulation.night().sensor.offset_adu + output.level_adu;
        for (m, truth, bar) in [
            (of("gain", "e-/ADU"), output.gain_e_per_adu, 0.01),
            (of("read_noise", "e-"), read_e, 0.02),
            (of("dark_current", "e-/s"), dark_e_s, 0.05),
            (of("bias_level", "ADU"), level, 0.01),
        ] {
            let off = m.value.unwrap() / truth - 1.0;
            println!("{i} {}: {:.4} off by {:.3} %", m.name, m.value.unwrap(), 100.0 * off);
            assert!(off.abs() < bar, "{i}: {m:?} for {truth}");
            held += usize::from(m.name != "bias_level" && holds(m, truth));
        }
    }
    // Of twelve intervals of 95 %, fewer than nine hold the truth once in 3000 runs.
    assert!(held >= 9, "{held} of 12");
    assert!(named(&report, "read_noise_under_light", "%").unwrap().valid);
    let bits = named(&report, "adc_bits", "bit").unwrap();
    assert!(!bits.valid || bits.value == Some(16.0), "{bits:?}");
}

#[test]
fn pixels_that_bend_are_found_and_no_others() {
    for (preset, bend) in [(Preset::CmosMono, 0.3), (Preset::CmosOsc, 0.15)] {
        let mut lab = Laboratory::of(preset, Size::new(320, 256), 33, |n| {
            n.effects |= Effects::BENT_PIXELS;
            (n.sensor.faults.bent, n.sensor.faults.bend) = (120, bend);
            n.sensor.full_well_e = 45_000.0;
        });
        lab.take(FrameKind::Bias, 0.001, -10.0, 12);
        [0.08, 0.2, 0.4, 0.6, 0.8, 0.95].iter().for_each(|s| lab.flats(*s, 4));
        lab.flats(2.0, 2);
        let folder = tempfile::tempdir().unwrap();
        let request = SensorRequest {
            paths: vec![lab.path()],
            output: Some(folder.path().to_owned()),
            ..SensorRequest::default()
        };
        let report = run_context(2, |context| measure_sensor(&request, context).unwrap());
        write_sensor(&report, folder.path()).unwrap();
        let truth: Vec<usize> = lab
            .simulation
            .maps()
            .faulty
            .iter()
            .filter(|f| matches!(f.fault, PixelFault::Bent(_)))
            .map(|f| f.y * 320 + f.x)
            .collect();
        let share = named(&report, "nonlinear_pixels", "share").unwrap();
        let wanted = truth.len() as f64 / (320.0 * 256.0);
        println!("{preset:?}: {share:?} for {wanted:.6}");
        assert!((share.value.unwrap() / wanted - 1.0).abs() < 0.1, "{share:?} for {wanted}");
        // The maps of the file tell which they are.
        let (frames, header) = read_frames(&folder.path().join("pixels.fits")).unwrap();
        assert_eq!(header.get_text("EXTNAME").as_deref(), Some("READNOISE"));
        assert_eq!(frames.len(), 1);
        let map = &report.maps.iter().find(|m| m.name == "BEND").unwrap().plane;
        let bends = |i: usize| map.as_slice()[i].abs() > 0.01;
        let found = truth.iter().filter(|i| bends(**i)).count();
        let others = (0..320 * 256).filter(|i| bends(*i) && !truth.contains(i)).count();
        println!("{preset:?}: {found} of {} bend in the map, {others} others", truth.len());
        // The map shows every pixel with its own noise, of faint colours a third of a percent: one in a thousand
        // lies beyond one percent by chance, and does not count as told.
        assert!(found as f64 > 0.95 * truth.len() as f64 && others < 160);
        // And so does the defect map of the same frames.
        let map = folder.path().join("map.fits");
        let built = run_context(2, |context| {
            build_map_of_named(&[lab.path()], &KindOverrides::default(), &map, context).unwrap().map
        });
        let marked = |i: &&usize| {
            let seen = built.at(**i % 320, **i / 320);
            seen.is_some_and(|s| s.bits.intersects(MaskBits::SUSPECT | MaskBits::COLD))
        };
        let is_other =
            |s: &&Seen| s.bits.contains(MaskBits::SUSPECT) && !truth.contains(&(s.y * 320 + s.x));
        let (told, wrong) =
            (truth.iter().filter(marked).count(), built.seen.iter().filter(is_other).count());
        println!("{preset:?}: {told} of {} in the defect map, {wrong} others", truth.len());
        // The map holds two levels against the noise of a tile; in a shadow of dust faint colours have more.
        let most = if preset == Preset::CmosMono { 2 } else { 40 };
        assert!(told as f64 > 0.95 * truth.len() as f64 && wrong <= most);
        let noise = &report.maps.iter().find(|m| m.name == "READNOISE").unwrap().plane;
        let sensor = &lab.simulation.night().sensor;
        let read =
            sensor.measured_read_noise_e(lab.simulation.night().effects) / sensor.gain_e_per_adu;
        let mean_square = noise.as_slice().iter().map(|v| f64::from(*v).powi(2)).sum::<f64>()
            / noise.as_slice().len() as f64;
        assert!((mean_square.sqrt() / read - 1.0).abs() < 0.01, "{mean_square} for {read}");
    }
}

#[test]
fn pairs_are_gaussian_unless_something_parts_them() {
    let mut lab = Laboratory::of(Preset::CmosMono, Size::new(320, 256), 35, |_| ());
    lab.take(FrameKind::Bias, 0.001, -10.0, 4);
    [0.1, 0.3, 0.5].iter().for_each(|s| lab.flats(*s, 4));
    let chances = |lab: &Laboratory| -> Vec<f64> {
        let report = lab.measure();
        let of = |m: &&Measure| m.name == "pair_normality";
        report.measures.iter().filter(of).map(|m| m.value.unwrap()).collect()
    };
    let good = chances(&lab);
    println!("{good:?}");
    assert!(good.len() == 6 && good.iter().all(|c| *c > 1e-3), "{good:?}");
    assert!(!lab.measure().findings.iter().any(|f| f.code == "sensor-pair-not-gaussian"));
    // A lamp that flickers: each second row of one flat of the pair is brighter by five sigmas.
    lab.change = Some(Box::new(|number, _, plane: &mut Plane<f32>| {
        if number % 2 == 0 {
            let width = plane.width();
            for (i, v) in plane.as_mut_slice().iter_mut().enumerate() {
                *v += if (i / width).is_multiple_of(2) {
                    (6.0 * v.max(0.0).sqrt()).round()
                } else {
                    0.0
                };
            }
        }
    }));
    lab.flats(0.4, 2);
    let report = lab.measure();
    assert!(report.findings.iter().any(|f| f.code == "sensor-pair-not-gaussian"));
}

#[test]
fn charge_that_goes_to_neighbours_is_measured() {
    // Of what a pixel holds beside its neighbours' mean the share s x / full goes over to those along x.
    let (size, a10) = (Size::new(512, 384), 4e-6);
    let mut lab = Laboratory::of(Preset::CmosMono, size, 37, |n| {
        n.effects -= Effects::VIGNETTING | Effects::DUST | Effects::PRNU;
        n.sensor.gain_e_per_adu = 1.0;
        n.sensor.bits = 16;
    });
    let zero = lab.simulation.night().sensor.offset_adu as f32;
    lab.change = Some(Box::new(move |_, kind, plane: &mut Plane<f32>| {
        if kind != FrameKind::Flat {
            return;
        }
        let before = plane.clone();
        let mean = before.as_slice().iter().map(|v| f64::from(*v)).sum::<f64>()
            / before.as_slice().len() as f64;
        // A covariance a mu^2 is a share a mu / 2 of the variance mu to either neighbour.
        let share = (0.5 * a10 * (mean - f64::from(zero))) as f32;
        for y in 0..before.height() {
            let (from, to) = (before.row(y), plane.row_mut(y));
            for x in 1..from.len() - 1 {
                to[x] += share * (from[x - 1] + from[x + 1] - 2.0 * from[x]);
            }
        }
        plane.as_mut_slice().iter_mut().for_each(|v| *v = v.round());
    }));
    lab.take(FrameKind::Bias, 0.001, -10.0, 6);
    [0.1, 0.25, 0.4, 0.55].iter().for_each(|s| lab.flats(*s, 4));
    let report = lab.measure();
    let (along, across) =
        (named(&report, "a10", "1/e-").unwrap(), named(&report, "a01", "1/e-").unwrap());
    println!("{along:?}\n{across:?}");
    // To first order: the share is a tenth at most.
    assert!((along.value.unwrap() / a10 - 1.0).abs() < 0.15, "{along:?}");
    assert!(along.low.unwrap() > 0.0 && across.value.unwrap().abs() < 0.1 * a10, "{across:?}");
}

#[test]
fn traces_of_saturated_pixels_are_measured_as_they_fade() {
    let mut lab = Laboratory::of(Preset::CmosMono, Size::new(320, 256), 39, |n| {
        n.sensor.full_well_e = 200_000.0;
    });
    let gain = lab.simulation.night().sensor.gain_e_per_adu;
    let (lit, trace_e) = (23usize, 12.0);
    lab.change = Some(Box::new(move |number, _, plane: &mut Plane<f32>| {
        let width = plane.width();
        let in_disc = |i: usize| {
            let (x, y) = ((i % width) as f64 - 150.0, (i / width) as f64 - 120.0);
            x * x + y * y < 40.0 * 40.0
        };
        for (i, v) in plane.as_mut_slice().iter_mut().enumerate().filter(|(i, _)| in_disc(*i)) {
            if number == lit {
                *v = 65_535.0;
            } else if number > lit {
                let left = trace_e * 0.5f64.powi((number - lit - 1) as i32);
                // The mean of whole numbers: spread over the pixels.
                *v += (left / gain + (i * 7919 % 997) as f64 / 997.0).floor() as f32;
            }
        }
    }));
    lab.take(FrameKind::Bias, 0.001, -10.0, 6);
    [0.1, 0.2, 0.3, 0.4].iter().for_each(|s| lab.flats(*s, 2));
    // Two hours later the flats are forgotten; these darks are the reference.
    lab.wait_s(3.0 * 3600.0);
    lab.take(FrameKind::Dark, 60.0, -10.0, 8);
    lab.flats(0.3, 1);
    assert_eq!(lab.taken(), lit);
    lab.take(FrameKind::Dark, 60.0, -10.0, 3);
    let report = lab.measure();
    let found: Vec<&Measure> = report.measures.iter().filter(|m| m.name == "persistence").collect();
    assert_eq!(found.len(), 3, "{found:?}");
    for (i, m) in found.iter().enumerate() {
        let truth = trace_e * 0.5f64.powi(i as i32);
        println!("{m:?} for {truth}");
        assert!((m.value.unwrap() / truth - 1.0).abs() < 0.05, "{m:?} for {truth}");
    }
    assert!(report.findings.iter().any(|f| f.code == "sensor-persistence"));
    // Without the saturated flat nothing is claimed.
    let path = lab.path().join(format!("{lit:04}_flat.fits"));
    std::fs::remove_file(path).unwrap();
    let report = lab.measure();
    assert!(!named(&report, "persistence", "e-").unwrap().valid);
}

#[test]
fn a_page_shows_every_plot_that_its_frames_allow() {
    let mut lab = Laboratory::of(Preset::CmosMono, Size::new(320, 256), 41, |_| ());
    lab.take(FrameKind::Bias, 0.001, -10.0, 12);
    [0.08, 0.2, 0.4, 0.6, 0.8, 2.0].iter().for_each(|s| lab.flats(*s, 2));
    for temp_c in [-10.0, 0.0] {
        [60.0, 300.0].iter().for_each(|t| lab.take(FrameKind::Dark, *t, temp_c, 10));
    }
    let report = lab.measure();
    let page = photosite::sensor::page(&report);
    for plot in [
        "photon_transfer",
        "snr",
        "linearity",
        "linearity_residual",
        "shutter",
        "dark_level",
        "dark_noise",
        "arrhenius",
        "dark_histogram",
        "dark_accumulated",
        "read_noise_histogram",
        "read_noise_accumulated",
        "response_histogram",
        "response_accumulated",
        "spectrum",
        "bias_profile",
        "flat_profile",
    ] {
        assert!(page.contains(&format!("<figure id=\"{plot}\">")), "{plot}");
    }
    assert!(!page.contains("NaN") && !page.contains("http"), "no request, no nonsense");
    // White noise: the spectrum is flat at the read noise.
    let read = named(&report, "read_noise_adu", "ADU").unwrap().value.unwrap();
    let spectrum = report.series.iter().find(|s| s.plot == "spectrum").unwrap();
    let middle = spectrum.points[spectrum.points.len() / 2][1];
    assert!((middle / read - 1.0).abs() < 0.1, "{middle} for {read}");
    let mut one = write_page_twice(&report);
    assert_eq!(one.pop(), one.pop());
}

fn write_page_twice(report: &photosite::sensor::SensorReport) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let write = |_| {
        write_sensor(report, folder.path()).unwrap();
        std::fs::read(folder.path().join("sensor.html")).unwrap()
    };
    (0..2).map(write).collect()
}
