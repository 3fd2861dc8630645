//! A night ends in pictures: the same whichever way they are made, and found again.

mod night;
#[path = "../../file/tests/common/skip.rs"]
mod skip;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use photosite::event::{Cancel, Silent};
use photosite::params::{Drizzle, Integration};
use photosite::run::{Integrated, IntegrationRequest, NightRequest, integrate};
use photosite::work::Context;
use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::fits::read_frames;
use photosite_file::probe;
use photosite_pix::align::Alignment;
use photosite_pix::{Frame, MaskBits, Size, stat};
use photosite_sim::{Night, Preset, Simulation};

use night::{FOLDERS, request, run, with, write_night};
use skip::skip;

const SIZE: Size = Size::new(420, 300);
const LIGHTS: usize = 5;

fn simulated(preset: Preset, folder: &Path) {
    let mut night = Night::preset(preset, SIZE, 5);
    night.counts.bias = 5;
    night.counts.darks = 6;
    night.counts.flats = 6;
    night.counts.dark_flats = 5;
    night.counts.lights = LIGHTS;
    write_night(&Simulation::new(night), folder);
}

/// The only picture in a folder of products.
fn picture(output: &Path) -> PathBuf {
    let entries = std::fs::read_dir(output.join("stacks")).unwrap();
    let paths = entries.map(|e| e.unwrap().path());
    let all: Vec<PathBuf> = paths.filter(|p| p.extension().is_some_and(|e| e == "fits")).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].with_extension("png").exists());
    all[0].clone()
}

fn stack(paths: &[PathBuf], output: &Path, reference: &Path, how: Integration) -> Integrated {
    let cancel = Cancel::default();
    let context = Context { threads: 2, memory_bytes: 1 << 30, observer: &Silent, cancel: &cancel };
    let mut request = IntegrationRequest::new(paths, output);
    (request.reference, request.how) = (Some(reference), how);
    integrate(&request, &context).unwrap()
}

/// The noise of the middle plane where every light reaches.
fn noise(frames: &[Frame]) -> f64 {
    let data = &frames[frames.len() / 2].data;
    let size = data.size();
    let inner = photosite_pix::Rect::new(40, 40, size.width - 80, size.height - 80);
    let inner = data.crop(inner);
    stat::noise_of_blocks(inner.as_slice(), inner.width())
}

#[test]
fn pictures_are_the_same_from_raw_lights_and_from_files_and_are_found_again() {
    for (preset, planes) in [(Preset::CmosMono, 1), (Preset::CmosOsc, 3)] {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("night");
        simulated(preset, &folder);
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        let bare = NightRequest::new(vec![folder.clone()], one.clone());
        let report = run(&bare, 1);
        assert_eq!(report.stacks.len(), 1);
        let stack_report = &report.stacks[0];
        assert_eq!((stack_report.inputs.len(), stack_report.exposure_s), (LIGHTS, Some(300.0)));
        assert_eq!((report.stars.len(), report.registration.frames.len()), (LIGHTS, LIGHTS));
        // Noise falls as the root of the number of lights, within what weights and rejection take.
        let gain = stack_report.noise_gain / (LIGHTS as f64).sqrt();
        assert!((gain - 1.0).abs() < 0.1, "{gain}");
        assert!(!one.join("calibrated").exists(), "nothing is written that was not asked for");

        // Packed raw lights give the same samples.
        let (packed, packed_out) = (dir.path().join("packed"), dir.path().join("packed-out"));
        simulated(preset, &packed);
        let files = std::fs::read_dir(packed.join("lights")).unwrap();
        let zipped = files.map(|e| Command::new("gzip").arg(e.unwrap().path()).status());
        if zipped.collect::<Vec<_>>().iter().all(|s| s.as_ref().is_ok_and(ExitStatus::success)) {
            run(&NightRequest::new(vec![packed], packed_out.clone()), 2);
            let samples = |path: PathBuf| {
                let frames = read_frames(&path).unwrap().0.into_iter();
                frames
                    .flat_map(|f| f.data.as_slice().to_vec())
                    .map(f32::to_bits)
                    .collect::<Vec<_>>()
            };
            assert!(samples(picture(&one)) == samples(picture(&packed_out)));
            assert_eq!(std::fs::read_dir(packed_out.join("stacks")).unwrap().count(), 2);
        } else {
            skip("gzip", "packed lights");
        }

        // Other threads, another order, everything kept: the same bytes.
        let mut paths: Vec<PathBuf> = FOLDERS.iter().map(|f| folder.join(f)).collect();
        paths.reverse();
        run(&with(request(paths, &other), |n| n.keep.registered = true), 3);
        let (first, second) = (picture(&one), picture(&other));
        assert_eq!(first.file_name(), second.file_name());
        assert!(std::fs::read(&first).unwrap() == std::fs::read(&second).unwrap());
        for folder in ["calibrated", "registered"] {
            assert_eq!(std::fs::read_dir(other.join(folder)).unwrap().count(), LIGHTS);
        }

        // The calibrated files give the same samples.
        let calibrated: Vec<PathBuf> = std::fs::read_dir(other.join("calibrated"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        let reference = stack_report.reference.file_name().unwrap();
        let reference = other.join("calibrated").join(reference);
        let again = dir.path().join("again.fits");
        stack(&calibrated, &again, &reference, Integration::default());
        let (from_raw, header) = read_frames(&first).unwrap();
        let (from_files, _) = read_frames(&again).unwrap();
        assert_eq!((from_raw.len(), from_files.len()), (planes, planes));
        assert_eq!(header.get_text("BAYERPAT"), None);
        let bits = |f: &Frame| f.data.as_slice().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        for (raw, file) in from_raw.iter().zip(&from_files) {
            assert!(bits(raw) == bits(file));
        }

        // A second run makes nothing anew, and tells the same.
        let found = run(&bare, 2);
        assert!(found.stacks[0].reused && found.lights.iter().all(|l| l.reused));
        assert_eq!(found.stacks[0].noise_gain, stack_report.noise_gain);
        assert_eq!(found.registration.frames.len(), LIGHTS);

        // Cut to what every light covers, no pixel lacks a light.
        let path = dir.path().join("cropped.fits");
        stack(&calibrated, &path, &reference, with(Integration::default(), |how| how.crop = true));
        let (cropped, _) = read_frames(&path).unwrap();
        let size = cropped[0].size();
        assert!(size.pixels() > SIZE.pixels() * 3 / 4 && size.pixels() < SIZE.pixels(), "{size}");
        assert!(cropped.iter().all(|f| f.data.as_slice().iter().all(|v| v.is_finite())));

        // Finer grids, and colours that drop each for itself.
        let drizzled = |scale, drop, cfa| {
            let path = dir.path().join(format!("drizzle-{scale}-{cfa}.fits"));
            let how = with(Integration::default(), |how| {
                (how.drizzle, how.maps) = (Some(Drizzle::new(scale, drop, cfa)), true);
            });
            stack(&calibrated, &path, &reference, how);
            read_frames(&path).unwrap()
        };
        let (finer, _) = drizzled(2.0, 0.8, false);
        assert_eq!(finer[0].size(), Size::new(2 * SIZE.width, 2 * SIZE.height));
        let level = |f: &Frame| stat::median(f.data.as_slice());
        assert!((level(&finer[0]) / level(&from_raw[0]) - 1.0).abs() < 0.01);
        if planes == 3 {
            let (colours, _) = drizzled(1.0, 1.0, true);
            // Each colour has counts of its own.
            let file = dir.path().join("drizzle-1-true.fits");
            let hdus = probe(&file).unwrap().hdus;
            let planes =
                |name| hdus.iter().find(|h| h.name.as_deref() == Some(name)).unwrap().planes;
            assert_eq!(["COVERAGE", "REJLOW", "REJHIGH"].map(planes), [3; 3]);
            for (plane, interpolated) in colours.iter().zip(&from_raw) {
                assert!((level(plane) / level(interpolated) - 1.0).abs() < 0.02);
            }
            let empty = |m: &MaskBits| m.contains(MaskBits::NO_DATA);
            let holes = colours[1].mask.as_slice().iter().filter(|m| empty(m)).count();
            assert!(holes < SIZE.pixels() / 20, "{holes}");
            assert!(noise(&colours) > 0.8 * noise(&from_raw));
        }
    }
}

#[test]
fn a_night_under_the_wrong_array_is_told_of_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("night");
    simulated(Preset::CmosOsc, &folder);
    for kind in FOLDERS {
        for entry in std::fs::read_dir(folder.join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            let named = bytes.windows(4).position(|w| w == b"RGGB").unwrap();
            bytes[named..named + 4].copy_from_slice(b"GRBG");
            write_bytes(&path, &bytes, Existing::Replace).unwrap();
        }
    }
    let report = run(&request(vec![folder], &dir.path().join("out")), 2);
    let doubts = report.findings.iter().filter(|f| f.code == "cfa-phase-doubtful");
    assert_eq!(doubts.count(), 1, "{:?}", report.findings);
    assert_eq!(report.stacks.len(), 1);
}

#[test]
fn a_solved_night_is_laid_by_its_headers_and_what_is_not_solved_is_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("night");
    simulated(Preset::CmosMono, &folder);
    let ask = |name: &str| {
        let bare = NightRequest::new(vec![folder.clone()], dir.path().join(name));
        run(&with(bare, |n| n.how.register = Some(Alignment::Wcs)), 2)
    };
    let report = ask("solved");
    assert_eq!((report.stacks.len(), report.findings.len()), (1, 0), "{:?}", report.findings);
    for light in &report.registration.frames {
        assert!(light.used && light.by == Some(Alignment::Wcs), "{light:?}");
        assert!(light.residual_px.unwrap() < 1e-6 && light.n_matched.unwrap() > 6, "{light:?}");
    }
    let mut lights: Vec<PathBuf> = report.lights.iter().map(|l| l.path.clone()).collect();
    lights.sort();
    for unsolved in [1, LIGHTS] {
        for path in &lights[..unsolved] {
            let mut bytes = std::fs::read(path).unwrap();
            if let Some(at) = bytes.windows(6).position(|w| w == b"CTYPE1") {
                bytes[at] = b'X';
                write_bytes(path, &bytes, Existing::Replace).unwrap();
            }
        }
        let report = ask(&format!("unsolved-{unsolved}"));
        let missing = report.findings.iter().filter(|f| f.code == "wcs-missing").count();
        assert_eq!((missing, report.findings.len()), (unsolved, unsolved));
        assert_eq!(report.stacks.len(), usize::from(unsolved < LIGHTS));
        let kept = report.lights.iter().filter(|l| l.output.is_some()).count();
        assert_eq!(kept, unsolved, "what is in no picture is calibrated to a file");
    }
}

#[test]
fn gradients_that_differ_go_with_local_normalisation() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("night");
    simulated(Preset::CmosMono, &folder);
    let out = dir.path().join("out");
    run(&with(request(vec![folder], &out), |n| n.stack = false), 2);
    let entries = std::fs::read_dir(out.join("calibrated")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.sort();
    // Every light but the first gets a slope of its own.
    for (i, path) in paths.iter().enumerate().skip(1) {
        let (frame, header) = photosite_file::read_frame(path).unwrap();
        let mut data = frame.data;
        let slope = 60.0 * i as f32 / SIZE.width as f32;
        for y in 0..SIZE.height {
            let row = data.row_mut(y).iter_mut().enumerate();
            row.for_each(|(x, v)| *v += slope * (if i % 2 == 0 { x } else { y }) as f32);
        }
        std::fs::remove_file(path).unwrap();
        night::write_plane(path, &data, photosite_file::fits::Sample::F32, header);
    }
    let made = |name: &str, local: bool| {
        let path = dir.path().join(name);
        stack(&paths, &path, &paths[0], with(Integration::default(), |how| how.local = local));
        read_frames(&path).unwrap().0.remove(0).data
    };
    let (plain, local) = (made("plain.fits", false), made("local.fits", true));
    let (first, _) = photosite_file::read_frame(&paths[0]).unwrap();
    // How far left and right, top and bottom of the picture lie from the reference's.
    let tilt = |picture: &photosite_pix::Plane<f32>| {
        let corner = |x, y| {
            let part = photosite_pix::Rect::new(x, y, 100, 80);
            let level = |p: &photosite_pix::Plane<f32>| stat::median(p.crop(part).as_slice());
            level(picture) - level(&first.data)
        };
        // A cell of the mesh away from the rim, where slopes are followed in part only.
        let corners = [corner(64, 64), corner(256, 64), corner(64, 156), corner(256, 156)];
        let reach = |f: fn(f32, f32) -> f32, from| corners.iter().copied().fold(from, f);
        reach(f32::max, f32::MIN) - reach(f32::min, f32::MAX)
    };
    let (plain, local) = (tilt(&plain), tilt(&local));
    println!("corners differ by {plain:.1} ADU, {local:.1} ADU with local normalisation");
    assert!(plain > 20.0 && local < 0.15 * plain, "{plain} {local}");
}
