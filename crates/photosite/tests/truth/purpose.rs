//! An observatory's night in one folder: darks of one exposure, flats of four filters, lights of four
//! exposures that a plate solver gave another focal length, a sensor that warms up.

use photosite::Finding;
use photosite::finding::Severity;
use photosite::report::RunReport;
use photosite_file::fits::{Sample, read_frame};
use photosite_pix::{FrameKind, MaskBits, Plane, Size, stat};
use photosite_sim::{Counts, Effects, Night, Preset, SimFrame, Simulation};

use crate::night::{request, run, with, write_plane};

const SIZE: Size = Size::new(384, 288);
const NONE: Counts = Counts { bias: 0, darks: 0, flats: 0, dark_flats: 0, lights: 0 };

/// Each filter as flats and as lights spell it, and how much light it leaves in the corners.
const FILTERS: [(&str, &str, f64); 4] =
    [("L", "Lum", 0.75), ("Red", "R", 0.7), ("H-alpha 7nm", "Ha", 0.6), ("OIII", "O3", 0.82)];

/// Exposures of lights in seconds, and by how many degrees the sensor is warmer by then.
const LIGHTS: [(f64, f64); 4] = [(30.0, 0.0), (60.0, 0.3), (120.0, 0.8), (300.0, 1.4)];

/// Frames of one kind through one filter.
fn of(
    (preset, without): (Preset, Effects),
    kind: FrameKind,
    count: usize,
    filter: Option<(&str, f64)>,
) -> Night {
    let mut night = Night::preset(preset, SIZE, 29);
    night.effects -= Effects::TRAIL | Effects::COSMIC_RAYS | without;
    night.counts = match kind {
        FrameKind::Bias => Counts { bias: count, ..NONE },
        FrameKind::Dark => Counts { darks: count, ..NONE },
        FrameKind::Flat => Counts { flats: count, ..NONE },
        _ => Counts { lights: count, ..NONE },
    };
    if let Some((name, corner_light)) = filter {
        if night.sensor.cfa.is_none() {
            night.filter = Some(name.to_owned());
        }
        night.sensor.corner_light = corner_light;
    }
    // A bright sky, so that corners tell something, and hot pixels enough for a small frame.
    night.sky.background_e_s = 8.0;
    night.sensor.hot_fraction = 0.004;
    night
}

/// What was written and what it should come to.
struct Scene {
    folder: tempfile::TempDir,
    lights: Vec<(String, Simulation, SimFrame)>,
}

/// The night without some effects, with darks of these exposures.
fn scene(preset: Preset, without: Effects, darks_s: &[f64]) -> Scene {
    let camera = (preset, without);
    let folder = tempfile::tempdir().unwrap();
    let mut lights = Vec::new();
    let mut write = |night: Night| {
        let simulation = Simulation::new(night);
        for plan in simulation.frames() {
            let frame = simulation.render(&plan);
            let number = std::fs::read_dir(folder.path()).unwrap().count();
            let name = format!("{}_{number:03}.fits", plan.kind.slug());
            let header = frame.header.clone();
            let sample = Sample::U16 { pedestal_adu: 0.0 };
            write_plane(&folder.path().join(&name), &frame.adu, sample, header);
            if plan.kind == FrameKind::Light {
                lights.push((name, Simulation::new(simulation.night().clone()), frame));
            }
        }
    };
    write(of(camera, FrameKind::Bias, 9, None));
    for exposure_s in darks_s {
        let mut darks = of(camera, FrameKind::Dark, 9, None);
        darks.dark_exposure_s = *exposure_s;
        write(darks);
    }
    for (flat, light, corner_light) in FILTERS {
        let mut flats = of(camera, FrameKind::Flat, 7, Some((flat, corner_light)));
        flats.flat_exposure_s = 3.0;
        write(flats);
        for (exposure_s, warmer_c) in LIGHTS {
            let mut night = of(camera, FrameKind::Light, 1, Some((light, corner_light)));
            night.light_exposure_s = exposure_s;
            night.set_temp_c += warmer_c;
            (night.telescope, night.focal_length_mm) = ("PHOTOSITE-480 F6".to_owned(), 612.4);
            write(night);
        }
        // An array has no filters: one set of flats is enough.
        if preset.name() == "cmos-osc" {
            break;
        }
    }
    Scene { folder, lights }
}

/// What is left in a calibrated light: in its corners against its middle, as a share; and of the dark
/// current, as a share of what there was, with its error.
fn left(scene: &Scene, report: &RunReport, i: usize) -> ([f64; 4], (f64, f64)) {
    let (name, simulation, raw) = &scene.lights[i];
    let path = report.lights.iter().find(|l| l.path.ends_with(name)).unwrap().output.clone();
    let (frame, _) = read_frame(&path.expect("every light is calibrated")).unwrap();
    let truth = raw.truth.light_e.as_ref().unwrap();
    let night = simulation.night();
    let used = |x: usize, y: usize| {
        frame.mask.get(x, y).is_good() && !frame.mask.get(x, y).contains(MaskBits::INTERPOLATED)
    };
    let value = |x: usize, y: usize| f64::from(frame.data.get(x, y)) * night.sensor.gain_e_per_adu;
    let ratio = |columns: std::ops::Range<usize>, rows: std::ops::Range<usize>| {
        let (mut seen, mut true_e) = (0.0, 0.0);
        for y in rows {
            for x in columns.clone().filter(|x| used(*x, y)) {
                seen += value(x, y);
                true_e += f64::from(truth.get(x, y));
            }
        }
        seen / true_e
    };
    let (w, h) = (SIZE.width, SIZE.height);
    let (side_x, side_y) = (w / 8, h / 8);
    let middle = ratio(w * 3 / 8..w * 5 / 8, h * 3 / 8..h * 5 / 8);
    let corners = [(0, 0), (w - side_x, 0), (0, h - side_y), (w - side_x, h - side_y)]
        .map(|(x, y)| ratio(x..x + side_x, y..y + side_y) / middle - 1.0);
    // What is left, on the dark current of the same pixels.
    let dark: &Plane<f32> = &simulation.maps().dark_e_s;
    let median = f64::from(stat::median(dark.as_slice()));
    let (mut xy, mut xx, mut all) = (0.0, 0.0, Vec::new());
    for y in 0..h {
        for x in (0..w).filter(|x| used(*x, y)) {
            let response = f64::from(simulation.maps().response.get(x, y));
            let signal = (f64::from(dark.get(x, y)) - median) * night.light_exposure_s / response;
            let rest = value(x, y) - middle * f64::from(truth.get(x, y));
            all.push((signal, rest));
        }
    }
    let level = stat::median_f64(&all.iter().map(|(_, rest)| *rest).collect::<Vec<_>>());
    let (_, scatter) = stat::median_scatter(&all.iter().map(|(_, rest)| *rest).collect::<Vec<_>>());
    for (signal, rest) in &all {
        let rest = (rest - level).clamp(-6.0 * scatter, 6.0 * scatter);
        xy += signal * rest;
        xx += signal * signal;
    }
    (corners, (xy / xx, scatter / xx.sqrt()))
}

/// The night, calibrated, and the worst corner of its lights; its dark signal is gone within errors.
fn calibrated(scene: &Scene) -> (RunReport, f64) {
    let out = scene.folder.path().join("out");
    let asked = with(request(vec![scene.folder.path().to_owned()], &out), |n| n.stack = false);
    let report = run(&asked, 2);
    assert_eq!(report.lights.len(), scene.lights.len());
    let (mut worst, mut pulls) = (0.0f64, 0.0);
    for (i, (name, simulation, _)) in scene.lights.iter().enumerate() {
        let light = report.lights.iter().find(|l| l.path.ends_with(name)).unwrap();
        let night = simulation.night();
        let (corners, (dark, error)) = left(scene, &report, i);
        let flat = light.flat.as_ref().expect("a flat").display().to_string();
        println!(
            "{name} {:?} {} s: {:?} x {:?}, {}; corners {}, dark left {dark:.4} +- {error:.4}",
            night.filter,
            night.light_exposure_s,
            light.dark_source,
            light.dark_scale,
            flat.rsplit('/').next().unwrap_or_default(),
            corners.map(|c| format!("{:+.2} %", 100.0 * c)).join(" "),
        );
        worst = corners.iter().fold(worst, |w, c| w.max(c.abs()));
        pulls += (dark / error).powi(2);
        assert!(dark.abs() < 4.0 * error + 0.01, "{name}: {dark} +- {error}");
    }
    let rms = (pulls / scene.lights.len() as f64).sqrt();
    println!("worst corner {:.2} %, pulls {rms:.2}", 100.0 * worst);
    assert!(rms < 2.0, "{rms}");
    (report, worst)
}

/// What a night told of a dark that was fitted.
fn warned(report: &RunReport) -> bool {
    let warned = |f: &Finding| f.code == "dark-fitted" && f.severity == Severity::Warning;
    report.findings.iter().any(warned)
}

#[test]
fn an_observatorys_night_comes_out_calibrated() {
    for preset in [Preset::Ccd, Preset::CmosOsc] {
        let (report, worst) = calibrated(&scene(preset, Effects::AMP_GLOW, &[60.0]));
        assert!(worst < 0.015, "{}: {worst}", preset.name());
        assert!(!warned(&report), "{}", preset.name());
    }
}

/// A glow that does not grow as hot pixels do: one dark cannot tell, which is said; two can.
#[test]
fn amp_glow_is_proven_or_told() {
    let (report, worst) = calibrated(&scene(Preset::Ccd, Effects::none(), &[60.0]));
    assert!(warned(&report) && worst > 0.015, "{worst}");
    let exposures = [30.0, 60.0, 120.0, 300.0];
    let (report, worst) = calibrated(&scene(Preset::Ccd, Effects::none(), &exposures));
    assert!(!warned(&report) && worst < 0.015, "{worst}");
}
