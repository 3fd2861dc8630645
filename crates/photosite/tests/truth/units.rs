//! Frames in electrons, and in counts of a second, beside frames in ADU: what comes out is what comes out of ADU.

use std::path::Path;

use photosite::report::RunReport;
use photosite_file::fits::{Sample, read_frame};
use photosite_pix::{Card, FrameKind, Header, Plane, stat};
use photosite_sim::{Preset, Simulation};

use crate::night::write_plane;
use crate::scant::{SIZE, calibrated, codes, night};

/// How frames of some kinds are written.
struct Written {
    kinds: &'static [FrameKind],
    /// BUNIT.
    unit: &'static str,
    /// The samples are not what it says.
    lies: bool,
    /// All headers name the gain, those of these kinds, those of the others.
    gain: (bool, bool),
}

const GAIN: f64 = 1.6;

fn run_of(simulation: &Simulation, folder: &Path, written: &Written) -> RunReport {
    for plan in simulation.frames() {
        let mut frame = simulation.render(&plan);
        let path = folder.join("raw").join(plan.folder).join(&plan.file_name);
        let ours = written.kinds.contains(&plan.kind);
        let named = if ours { written.gain.0 } else { written.gain.1 };
        frame.header.remove("EGAIN");
        if named {
            frame.header.set(Card::real("EGAIN", GAIN, "[e-/ADU]"));
        }
        if !ours {
            write_plane(&path, &frame.adu, Sample::U16 { pedestal_adu: 0.0 }, frame.header);
            continue;
        }
        frame.header.set(Card::string("BUNIT", written.unit, ""));
        let electrons = if written.unit.contains("electron") { GAIN } else { 1.0 };
        let exposure_s = frame.header.get_f64("EXPTIME").unwrap();
        let factor = electrons / if written.unit.contains("/s") { exposure_s } else { 1.0 };
        let factor = if written.lies { 1.0 } else { factor };
        let of = |x, y| (f64::from(frame.adu.get(x, y)) * factor) as f32;
        write_plane(&path, &Plane::from_fn(SIZE, of), Sample::F32, frame.header);
    }
    calibrated(folder)
}

fn lights(simulation: &Simulation, folder: &Path) -> Vec<f32> {
    let lights = simulation.frames().into_iter().filter(|p| p.kind == FrameKind::Light);
    let read = |name: &str| read_frame(&folder.join("out/calibrated").join(name)).unwrap().0;
    lights.flat_map(|p| read(&p.file_name).data.as_slice().to_vec()).collect()
}

#[test]
fn other_units_are_brought_to_adu() {
    use FrameKind::{Bias, Dark, Flat, Light};
    let simulation = night(Preset::CmosMono, 11, |_| {});
    let adu = Written { kinds: &[], unit: "", lies: false, gain: (true, true) };
    let whole = tempfile::tempdir().unwrap();
    let report = run_of(&simulation, whole.path(), &adu);
    assert!(!codes(&report).iter().any(|code| code.starts_with("unit-")));
    let wanted = lights(&simulation, whole.path());
    let all = &[Bias, Dark, Flat, Light][..];
    for (kinds, unit, lies, gain, told) in [
        (&[Dark][..], "electron", false, (true, true), "unit-converted"),
        (&[Dark], "electron/s", false, (true, true), "unit-converted"),
        (&[Light], "adu/s", false, (true, true), "unit-converted"),
        (&[Bias, Flat], "electron", false, (true, true), "unit-converted"),
        (&[Dark], "electron", false, (false, true), "unit-gain-found"),
        (all, "electron", false, (false, true), "unit-gain-found"),
        (&[Dark], "electron", true, (true, true), "unit-contradicted"),
        (all, "electron/s", true, (true, true), "unit-contradicted"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let report = run_of(&simulation, folder.path(), &Written { kinds, unit, lies, gain });
        let name = format!("{kinds:?} {unit} {lies} {gain:?}: {:?}", codes(&report));
        assert!(codes(&report).contains(&told), "{name}");
        let got = lights(&simulation, folder.path());
        assert_eq!(got.len(), wanted.len(), "{name}");
        let off = got.iter().zip(&wanted).map(|(a, b)| (a - b).abs());
        let worst = off.filter(|v| v.is_finite()).fold(0.0f32, f32::max);
        println!("{name}: {worst} ADU at most");
        // Rounding, and a gain that steps tell to some millionths; the noise is some ADU.
        assert!(worst < 0.2, "{name}: {worst} ADU");
    }
}

#[test]
fn what_cannot_be_brought_to_adu_is_left_out() {
    let simulation = night(Preset::CmosMono, 11, |_| {});
    let folder = tempfile::tempdir().unwrap();
    // Something was subtracted, so that no step tells the gain.
    for plan in simulation.frames() {
        let mut frame = simulation.render(&plan);
        frame.header.remove("EGAIN");
        let dark = plan.kind == FrameKind::Dark;
        if dark {
            frame.header.set(Card::string("BUNIT", "electron", ""));
            let of = |x, y| 1.6 * (frame.adu.get(x, y) - 100.0 - (x as f32).sin());
            frame.adu = Plane::from_fn(SIZE, of);
        }
        let sample = if dark { Sample::F32 } else { Sample::U16 { pedestal_adu: 0.0 } };
        let path = folder.path().join("raw").join(plan.folder).join(&plan.file_name);
        write_plane(&path, &frame.adu, sample, frame.header);
    }
    let report = calibrated(folder.path());
    assert!(codes(&report).contains(&"unit-not-known"), "{:?}", codes(&report));
    assert!(report.lights.iter().all(|light| light.dark.is_none()));
}

/// A master dark of another program, in ADU or electrons of a second, with its bias or without.
#[test]
fn a_master_dark_of_a_second_is_multiplied_by_its_exposure() {
    let simulation = night(Preset::CmosMono, 11, |_| {});
    let mean = |kind: FrameKind| {
        let plans = simulation.frames().into_iter().filter(|p| p.kind == kind);
        let frames: Vec<Plane<f32>> = plans.map(|p| simulation.render(&p).adu).collect();
        let sum = |x, y| frames.iter().map(|f| f.get(x, y)).sum::<f32>();
        Plane::from_fn(SIZE, |x, y| sum(x, y) / frames.len() as f32)
    };
    let (bias, dark) = (mean(FrameKind::Bias), mean(FrameKind::Dark));
    let exposure_s = simulation.night().dark_exposure_s;
    let mut wanted: Option<f32> = None;
    for (unit, factor, freed) in [
        ("adu", 1.0, false),
        ("adu/s", 1.0 / exposure_s, true),
        ("electron/s", GAIN / exposure_s, true),
        ("adu/s", 1.0 / exposure_s, false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut dark_header = Header::new();
        for plan in simulation.frames() {
            let mut frame = simulation.render(&plan);
            frame.header.set(Card::real("EGAIN", GAIN, "[e-/ADU]"));
            if plan.kind == FrameKind::Dark {
                dark_header = frame.header;
                continue;
            }
            let path = folder.path().join("raw").join(plan.folder).join(&plan.file_name);
            write_plane(&path, &frame.adu, Sample::U16 { pedestal_adu: 0.0 }, frame.header);
        }
        dark_header.set(Card::string("IMAGETYP", "Master Dark", ""));
        dark_header.set(Card::string("BUNIT", unit, ""));
        let of = |x, y| {
            let zero = if freed { bias.get(x, y) } else { 0.0 };
            (f64::from(dark.get(x, y) - zero) * factor) as f32
        };
        let path = folder.path().join("raw/masters/master_dark.fits");
        write_plane(&path, &Plane::from_fn(SIZE, of), Sample::F32, dark_header);
        let report = calibrated(folder.path());
        let name = format!("{unit} {freed}: {:?}", codes(&report));
        assert!(report.lights.iter().all(|light| light.dark.is_some()), "{name}");
        let samples: Vec<f32> =
            lights(&simulation, folder.path()).into_iter().filter(|v| v.is_finite()).collect();
        let sky = stat::median(&samples);
        println!("{name}: {sky}");
        let wanted = *wanted.get_or_insert(sky);
        assert!((sky - wanted).abs() < 0.5, "{name}: {sky} instead of {wanted} ADU");
    }
}
