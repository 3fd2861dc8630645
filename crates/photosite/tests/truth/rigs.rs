//! Two cameras of one model under one name: each light gets the masters of its own.

use std::path::Path;

use photosite::calibrate::dark::DarkSource;
use photosite::report::RunReport;
use photosite_file::fits::Sample;
use photosite_pix::{Card, FrameKind};
use photosite_sim::{Preset, Simulation};

use crate::night::write_plane;
use crate::scant::{calibrated, codes, night};

/// How frames of a camera are named, and which of them are there.
type Place = fn(camera: &str, folder: &str, file: &str) -> String;

fn run_of(cameras: &[(&str, &Simulation)], folder: &Path, place: Place) -> RunReport {
    for (name, simulation) in cameras {
        for plan in simulation.frames() {
            let mut frame = simulation.render(&plan);
            // One field for both, told apart by the time.
            let minute = plan.index + if *name == "A" { 0 } else { 30 };
            frame.header.set_text("DATE-OBS", &format!("2026-11-12T20:{minute:02}:00"), "");
            frame.header.set(Card::string("INSTRUME", "TestCam", ""));
            let path = folder.join("raw").join(place(name, plan.folder, &plan.file_name));
            write_plane(&path, &frame.adu, Sample::U16 { pedestal_adu: 0.0 }, frame.header);
        }
    }
    calibrated(folder)
}

#[test]
fn cameras_of_one_name_are_told_apart_by_their_hot_pixels() {
    let [a, b] = [41, 42].map(|seed| {
        night(Preset::CmosMono, seed, |n| {
            (n.counts.bias, n.counts.darks, n.counts.lights) = (5, 5, 2);
            n.sensor.hot_fraction = 4e-3;
        })
    });
    let folders: Place = |camera, folder, file| format!("rig{camera}/{folder}/{file}");
    let names: Place = |camera, folder, file| format!("{folder}/{camera}_{file}");
    // Nothing tells biases and flats.
    let none: Place = |camera, folder, file| match camera {
        "A" => format!("{folder}/{file}"),
        _ => format!("{folder}/more/{}", file.replace('0', "9")),
    };
    for (place, name) in [(folders, "folders"), (names, "names"), (none, "none")] {
        let folder = tempfile::tempdir().unwrap();
        let report = run_of(&[("A", &a), ("B", &b)], folder.path(), place);
        let told = format!("{name}: {:?}", codes(&report));
        assert!(codes(&report).contains(&"cameras-told-apart"), "{told}");
        assert!(!codes(&report).contains(&"set-contradicts"), "{told}");
        assert_eq!(report.masters.iter().filter(|m| m.kind == FrameKind::Dark).count(), 2);
        let mut darks: Vec<_> = report.lights.iter().filter_map(|l| l.dark.clone()).collect();
        darks.sort();
        darks.dedup();
        assert_eq!((report.lights.len(), darks.len()), (4, 2), "{told}");
        for light in &report.lights {
            assert_eq!(light.dark_source, Some(DarkSource::Matched), "{told}");
            let left = light.left_of_dark.unwrap();
            assert!(left.share.abs() < (5.0 * left.error).max(0.05), "{told}: {left:?}");
        }
    }
}

/// Darks of one camera that differ in exposure, or lie in folders of their own, are of one camera.
#[test]
fn one_camera_stays_one() {
    let of = |dark_s: f64| {
        night(Preset::CmosMono, 41, |n| {
            (n.counts.bias, n.counts.darks, n.counts.lights) = (5, 5, 2);
            n.dark_exposure_s = dark_s;
        })
    };
    let place: Place = |camera, folder, file| format!("{camera}/{folder}/{file}");
    for other_s in [60.0, 5.0] {
        let folder = tempfile::tempdir().unwrap();
        let report = run_of(&[("A", &of(60.0)), ("B", &of(other_s))], folder.path(), place);
        assert!(!codes(&report).contains(&"cameras-told-apart"), "{:?}", codes(&report));
    }
}
