//! Gain and read noise of nights whose headers name neither: by pairs of frames that are like the others of their
//! set, and by masters that the library holds.

use std::path::Path;

use photosite::report::RunReport;
use photosite::run::NightRequest;
use photosite_file::fits::read_frame;
use photosite_pix::{FrameKind, Plane, Size};
use photosite_sim::{Counts, FramePlan, Night, Preset, SimFrame, Simulation};

use crate::night::{run, with, write_as};

fn silent(seed: u64, counts: Counts) -> Simulation {
    let mut night = Night::preset(Preset::CmosMono, Size::new(320, 240), seed);
    night.counts = counts;
    Simulation::new(night)
}

/// Writes a night without the keywords of gain and read noise, each frame spoilt by a function.
fn write(simulation: &Simulation, to: &Path, spoil: impl Fn(&FramePlan, &mut Plane<f32>)) {
    write_as(simulation, to, |plan| {
        let mut frame: SimFrame = simulation.render(plan);
        ["EGAIN", "RDNOISE"].iter().for_each(|key| {
            frame.header.remove(key);
        });
        spoil(plan, &mut frame.adu);
        (plan.clone(), frame)
    });
}

fn calibrated(paths: &[&Path], output: &Path, library: Option<&Path>) -> RunReport {
    let paths = paths.iter().map(|p| p.to_path_buf()).collect();
    let request = with(NightRequest::new(paths, output.to_owned()), |n| {
        (n.stack, n.keep.calibrated) = (false, true);
        n.library = library.map(Path::to_owned);
    });
    run(&request, 2)
}

/// The gain and read noise that were told, as shares of the truth.
fn told(report: &RunReport, code: &str, simulation: &Simulation) -> (f64, f64) {
    let noise = report.findings.iter().filter(|f| f.code.starts_with("noise-by"));
    let noise: Vec<_> = noise.collect();
    assert_eq!(noise.len(), 1, "{:#?}", report.findings);
    assert_eq!(noise[0].code, code, "{noise:?}");
    let night = simulation.night();
    let of = |key: &str| noise[0].evidence[key].as_f64().unwrap();
    (
        of("gain_e_per_adu") / night.sensor.gain_e_per_adu,
        of("read_noise_e") / night.sensor.measured_read_noise_e(night.effects),
    )
}

#[test]
fn lights_alone_get_the_noise_of_masters_in_the_library() {
    let counts = Counts { bias: 6, darks: 4, flats: 6, dark_flats: 0, lights: 2 };
    let simulation = silent(5, counts);
    let folder = tempfile::tempdir().unwrap();
    let [first, second, library] = ["first", "second", "library"].map(|d| folder.path().join(d));
    write(&simulation, &first, |_, _| {});
    calibrated(&[&first], &folder.path().join("out"), Some(&library));
    std::fs::create_dir(&second).unwrap();
    std::fs::rename(first.join("lights"), second.join("lights")).unwrap();
    let report = calibrated(&[&second], &folder.path().join("out2"), Some(&library));
    let (gain, read_noise) = told(&report, "noise-by-master", &simulation);
    println!("gain {gain:.3} and read noise {read_noise:.3} of the truth");
    assert!((gain - 1.0).abs() < 0.05 && (read_noise - 1.0).abs() < 0.1);
    for light in &report.lights {
        let (frame, header) = read_frame(light.output.as_ref().unwrap()).unwrap();
        assert!(frame.variance.is_some() && header.get_f64("RDNOISE").is_some());
    }
}

#[test]
fn a_frame_unlike_the_others_is_in_no_pair() {
    type Spoil = fn(&mut Plane<f32>);
    let white: Spoil = |adu| adu.as_mut_slice().iter_mut().for_each(|v| *v = 65535.0);
    let noisy: Spoil = |adu| {
        for (i, v) in adu.as_mut_slice().iter_mut().enumerate() {
            *v += ((i * 7919) % 401) as f32 - 200.0;
        }
    };
    let wrapped: Spoil = |adu| adu.as_mut_slice().rotate_left(30 * 320 + 50);
    let spoilt = [
        ("white", FrameKind::Bias, white),
        ("noisy", FrameKind::Bias, noisy),
        ("wrapped", FrameKind::Flat, wrapped),
    ];
    let counts = Counts { bias: 8, darks: 4, flats: 8, dark_flats: 0, lights: 1 };
    for (seed, (name, kind, spoil)) in (11..).zip(spoilt) {
        let simulation = silent(seed, counts);
        let folder = tempfile::tempdir().unwrap();
        let night = folder.path().join("night");
        write(&simulation, &night, |plan, adu| {
            if plan.kind == kind && plan.index == 2 {
                spoil(adu);
            }
        });
        let report = calibrated(&[&night], &folder.path().join("out"), None);
        let (gain, read_noise) = told(&report, "noise-by-pairs", &simulation);
        println!("{name}: gain {gain:.3} and read noise {read_noise:.3} of the truth");
        assert!((gain - 1.0).abs() < 0.05 && (read_noise - 1.0).abs() < 0.1, "{name}");
        assert_eq!(report.findings.iter().filter(|f| f.code == "frame-odd").count(), 1, "{name}");
    }
}

/// Two biases that are all there is and differ in their noise tell none.
#[test]
fn pairs_that_contradict_each_other_are_not_believed() {
    let counts = Counts { bias: 4, darks: 4, flats: 4, dark_flats: 0, lights: 1 };
    let simulation = silent(21, counts);
    let folder = tempfile::tempdir().unwrap();
    let night = folder.path().join("night");
    write(&simulation, &night, |plan, adu| {
        if plan.kind == FrameKind::Bias && plan.index < 2 {
            for (i, v) in adu.as_mut_slice().iter_mut().enumerate() {
                *v += ((i * (7919 + 12 * plan.index)) % 41) as f32 - 20.0;
            }
        }
    });
    let report = calibrated(&[&night], &folder.path().join("out"), None);
    assert!(report.findings.iter().any(|f| f.code == "noise-not-known"), "{:#?}", report.findings);
}

/// Flats that differ by stars, by bands that move, or hardly, as programs smooth them, tell no gain.
#[test]
fn flats_that_differ_by_more_or_less_than_photons_tell_no_gain() {
    type Spoil = fn(&FramePlan, &mut Plane<f32>);
    let bands: Spoil = |plan, adu| {
        let width = adu.width();
        for (i, v) in adu.as_mut_slice().iter_mut().enumerate() {
            *v += 0.03 * (*v - 500.0) * ((i % width) as f32 / 20.0 + plan.index as f32).sin();
        }
    };
    let smoothed: Spoil = |_, adu| {
        let (before, width) = (adu.clone(), adu.width());
        for y in 1..before.height() {
            for x in 1..width {
                let sum = before.get(x, y)
                    + before.get(x - 1, y)
                    + before.get(x, y - 1)
                    + before.get(x - 1, y - 1);
                adu.row_mut(y)[x] = (sum / 4.0).round();
            }
        }
    };
    let stars: Spoil = |plan, adu| {
        for n in 0..60 {
            let (x0, y0) = (n * 7919 + plan.index * 263, n * 104_729 + plan.index * 509);
            let (x0, y0) = (10 + x0 % (adu.width() - 20), 10 + y0 % (adu.height() - 20));
            for (x, y) in (0..13).flat_map(|y| (0..13).map(move |x| (x, y))) {
                let square = (x as f32 - 6.0).powi(2) + (y as f32 - 6.0).powi(2);
                let peak = 300.0 * (1 + n % 12) as f32;
                adu.row_mut(y0 + y - 6)[x0 + x - 6] += (peak * (-square / 3.2).exp()).round();
            }
        }
    };
    let counts = Counts { bias: 8, darks: 4, flats: 8, dark_flats: 0, lights: 1 };
    for (name, spoil) in [("bands", bands), ("smoothed", smoothed), ("stars", stars)] {
        let simulation = silent(31, counts);
        let folder = tempfile::tempdir().unwrap();
        let night = folder.path().join("night");
        write(&simulation, &night, |plan, adu| {
            if plan.kind == FrameKind::Flat {
                spoil(plan, adu);
            }
        });
        let report = calibrated(&[&night], &folder.path().join("out"), None);
        let told: Vec<&str> = report.findings.iter().map(|f| &*f.code).collect();
        assert!(told.contains(&"noise-not-known"), "{name}: {told:?}");
    }
}
