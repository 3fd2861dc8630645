//! What becomes of odd frames when masters are made.

use std::path::{Path, PathBuf};

use photosite::event::{Cancel, Silent};
use photosite::product::{AdditivePart, MasterResult};
use photosite::run::{NamedMaster, master_of_named};
use photosite::work::Context;
use photosite::{Error, Finding};
use photosite_file::fits::{Sample, read_frame};
use photosite_pix::{FrameKind, Header, Plane, Size, stat};
use photosite_sim::{Counts, Night, Preset, Purpose, Simulation, Stream};

use crate::night::{request, run, write_night, write_plane};

const SIZE: Size = Size { width: 200, height: 150 };

/// Noise of sigma 5 ADU about a level, in whole ADU.
fn noise(level: f64, seed: u64) -> Plane<f32> {
    let mut random = Stream::new(seed, 0, Purpose::ReadNoise);
    Plane::from_fn(SIZE, |_, _| {
        (level + 5.0 * random.gaussian()).round().clamp(0.0, 65535.0) as f32
    })
}

/// Writes frames; gives their paths.
fn written(folder: &Path, frames: impl IntoIterator<Item = Plane<f32>>) -> Vec<PathBuf> {
    let write = |(i, frame): (usize, Plane<f32>)| {
        let path = folder.join(format!("f{i:02}.fits"));
        write_plane(&path, &frame, Sample::U16 { pedestal_adu: 0.0 }, Header::default());
        path
    };
    frames.into_iter().enumerate().map(write).collect()
}

fn master(
    kind: FrameKind,
    files: &[PathBuf],
    output: &Path,
    threads: usize,
) -> Result<(MasterResult, Vec<Finding>), Error> {
    let cancel = Cancel::default();
    let context = Context { threads, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
    let mut asked = NamedMaster::new(kind, files, output);
    asked.additive = AdditivePart::Level(if kind == FrameKind::Flat { 500.0 } else { 0.0 });
    master_of_named(&asked, &context).map(|(result, _, findings)| (result, findings))
}

fn level(path: &Path) -> f64 {
    f64::from(stat::median(read_frame(path).unwrap().0.data.as_slice()))
}

#[test]
fn one_odd_frame_is_left_out_by_name_in_whatever_order_frames_come() {
    for (odd, said) in [
        (Plane::filled(SIZE, 0.0), "its level is 0.0 ADU where the other 9 biases have 500.0 +-"),
        (noise(3000.0, 99), "its level is 3000.0 ADU"),
        (noise(520.0, 99), "its level is 520.0 ADU"),
        (Plane::from_fn(SIZE, |_, y| if y < 75 { 500.0 } else { 0.0 }), "% of its samples are 0"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let frames = (0..9).map(|i| noise(500.0, i)).chain([odd]);
        let mut files = written(folder.path(), frames);
        let output = folder.path().join("master.fits");
        let (made, findings) = master(FrameKind::Bias, &files, &output, 1).unwrap();
        assert_eq!(made.inputs.len(), 9, "{said}");
        assert_eq!(made.left_out[0].0, files[9]);
        let odd: Vec<&Finding> = findings.iter().filter(|f| f.code == "frame-odd").collect();
        let [odd] = odd[..] else { panic!("{findings:?}") };
        assert!(odd.message.starts_with("left out: ") && odd.message.contains(said), "{odd:?}");
        assert!((level(&output) - 500.0).abs() < 0.5);
        let bytes = std::fs::read(&output).unwrap();
        // A second time nothing is made anew, and the odd frame is told of again.
        let (again, findings) = master(FrameKind::Bias, &files, &output, 2).unwrap();
        assert!(again.reused && findings.iter().any(|f| f.code == "frame-odd"));
        files.rotate_left(4);
        let other = folder.path().join("other.fits");
        master(FrameKind::Bias, &files, &other, 3).unwrap();
        assert_eq!(std::fs::read(&other).unwrap(), bytes);
    }
}

#[test]
fn frames_that_contradict_each_other_make_no_master_and_are_named() {
    for levels in [vec![500.0, 700.0], vec![500.0, 500.0, 700.0, 700.0, 500.0, 700.0]] {
        for kind in [FrameKind::Bias, FrameKind::Dark] {
            let folder = tempfile::tempdir().unwrap();
            let frames = levels.iter().enumerate().map(|(i, level)| noise(*level, i as u64));
            let files = written(folder.path(), frames);
            let output = folder.path().join("master.fits");
            let error = master(kind, &files, &output, 2).unwrap_err();
            let finding = Finding::of(&error, "the set");
            assert_eq!(finding.code, "set-contradicts");
            for said in ["level of 500.", "level of 700.", "f00.fits", "f01.fits"] {
                assert!(finding.message.contains(said), "{finding:?}");
            }
            assert!(!output.exists());
        }
    }
}

#[test]
fn flats_without_light_or_with_too_much_make_no_master() {
    for (level, said) in [(500.0, "of light at a noise"), (90_000.0, "at full scale (65535 ADU)")] {
        let folder = tempfile::tempdir().unwrap();
        let files = written(folder.path(), (0..4).map(|i| noise(level, i)));
        let output = folder.path().join("master.fits");
        let error = master(FrameKind::Flat, &files, &output, 2).unwrap_err();
        let finding = Finding::of(&error, "the set");
        assert_eq!(finding.code, "flats-unusable", "{finding:?}");
        assert!(finding.message.contains(said), "{finding:?}");
        assert!(!output.exists());
    }
}

#[test]
fn flats_may_differ_in_level_and_not_in_shape() {
    let flat = |light: f64, turn: f64, seed: u64| {
        let noise = noise(500.0, seed);
        let shape = |x: usize| 1.0 - turn * x as f64 / SIZE.width as f64;
        Plane::from_fn(SIZE, |x, y| (f64::from(noise.get(x, y)) + light * shape(x)).round() as f32)
    };
    for (turn, used) in [(0.4, 5), (0.0, 4)] {
        let folder = tempfile::tempdir().unwrap();
        let frames = (0..4u32).map(|i| flat(20_000.0 / f64::from(1 << i), 0.4, u64::from(i)));
        let files = written(folder.path(), frames.chain([flat(9000.0, turn, 9)]));
        let output = folder.path().join("master.fits");
        let (made, findings) = master(FrameKind::Flat, &files, &output, 2).unwrap();
        assert_eq!(made.inputs.len(), used, "{findings:?}");
        assert_eq!(findings.iter().filter(|f| f.code == "frame-odd").count(), 5 - used);
    }
}

#[test]
fn a_night_tells_of_frames_that_are_left_out() {
    let mut night = Night::preset(Preset::CmosMono, Size::new(128, 96), 3);
    night.counts.lights = 2;
    let folder = tempfile::tempdir().unwrap();
    write_night(&Simulation::new(night), folder.path());
    let mut biases: Vec<PathBuf> =
        std::fs::read_dir(folder.path().join("bias")).unwrap().map(|e| e.unwrap().path()).collect();
    biases.sort();
    let (frame, header) = read_frame(&biases[7]).unwrap();
    std::fs::remove_file(&biases[7]).unwrap();
    let black = Plane::filled(frame.data.size(), 0.0);
    write_plane(&biases[7], &black, Sample::U16 { pedestal_adu: 0.0 }, header);
    let asked = request(vec![folder.path().to_owned()], &folder.path().join("out"));
    let report = run(&asked, 2);
    let odd: Vec<_> = report.findings.iter().filter(|f| f.code == "frame-odd").collect();
    assert_eq!(odd.len(), 1, "{:?}", report.findings);
    assert!(odd[0].subject.ends_with(biases[7].file_name().unwrap().to_str().unwrap()));
    for frame in &report.frames {
        let is_odd = frame.path.file_name() == biases[7].file_name();
        assert_eq!(frame.used, !is_odd, "{}", frame.path.display());
    }
}

/// One exposure that lies there twice counts once: with other cards, in another sample type, the date
/// to the second; frames of a burst share a second and stay.
#[test]
fn an_exposure_that_lies_there_twice_counts_once() {
    for preset in [Preset::CmosMono, Preset::CmosOsc] {
        let mut night = Night::preset(preset, SIZE, 11);
        night.counts = Counts { bias: 6, darks: 0, flats: 0, dark_flats: 0, lights: 0 };
        let simulation = Simulation::new(night);
        let folder = tempfile::tempdir().unwrap();
        let plans = simulation.frames();
        for (i, plan) in plans.iter().enumerate() {
            let mut frame = simulation.render(plan);
            // Three pairs share a second each.
            let date = format!("2026-01-15T20:00:{:02}", i / 2);
            frame.header.set_text("DATE-OBS", &date, "");
            let path = folder.path().join("bias").join(&plan.file_name);
            let sample = Sample::U16 { pedestal_adu: 0.0 };
            write_plane(&path, &frame.adu, sample, frame.header.clone());
            if i < 2 {
                frame.header.set_text("OBSERVER", "copied", "");
                let sample = if i == 0 { sample } else { Sample::F32 };
                let copy = folder.path().join("bias").join(format!("copy_{i}_of_them.fits"));
                write_plane(&copy, &frame.adu, sample, frame.header);
            }
        }
        let report = run(&request(vec![folder.path().to_owned()], &folder.path().join("out")), 2);
        let told = report.findings.iter().filter(|f| f.code == "same-exposure").count();
        assert_eq!(told, 2, "{preset:?}: {:?}", report.findings);
        assert_eq!(report.masters[0].frames, 6, "{preset:?}");
    }
}
