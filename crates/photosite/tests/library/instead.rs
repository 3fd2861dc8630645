//! Masters of the library that turn out not to serve, and what takes their place.

use std::path::{Path, PathBuf};

use photosite::calibrate::dark::DarkSource;
use photosite::calibrate::flat_fit::FlatAnswer;
use photosite::library::Library;
use photosite::report::{LightReport, RunReport};
use photosite::run::{add_to_library, export_library};
use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::fits::read_frame;
use photosite_pix::{Card, FrameKind, Size, stat};
use photosite_sim::{Counts, Effects, FlatOptics, Night, Preset, Simulation};
use tempfile::TempDir;

use crate::night::{request, run, run_context, with, write_as};

const NONE: Counts = Counts { bias: 0, darks: 0, flats: 0, dark_flats: 0, lights: 0 };

fn usual(seed: u64, counts: Counts) -> Night {
    let mut night = Night::preset(Preset::Ccd, Size::new(448, 336), seed);
    night.effects -= Effects::AMP_GLOW | Effects::TRAIL | Effects::COSMIC_RAYS;
    night.sensor.hot_fraction = 4e-3;
    (night.light_exposure_s, night.dark_exposure_s) = (300.0, 300.0);
    night.counts = counts;
    night
}

/// A library, and nights beside it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Frames of a night, as if taken on a day at the temperature of the usual one, so many ADU higher.
    fn take(&self, name: &str, night: Night, day: &str, higher_adu: f32) -> PathBuf {
        let folder = self.path(name);
        let (simulation, set_temp_c) = (Simulation::new(night.clone()), usual(1, NONE).set_temp_c);
        write_as(&simulation, &folder, |plan| {
            let mut frame = simulation.render(plan);
            frame.header.set_text("DATE-OBS", &format!("{day}T20:{:02}:00", plan.index), "");
            for key in ["CCD-TEMP", "SET-TEMP"] {
                frame.header.set(Card::real(key, set_temp_c, ""));
            }
            frame.adu.as_mut_slice().iter_mut().for_each(|v| *v += higher_adu);
            (plan.clone(), frame)
        });
        folder
    }

    fn shelve(&self, folders: &[PathBuf]) {
        let mut library = Library::open(&self.path("library")).unwrap();
        run_context(2, |context| add_to_library(&mut library, folders, context)).unwrap();
    }

    fn run(&self, folder: &Path, out: &str) -> RunReport {
        let asked = request(vec![folder.to_owned()], &self.path(out));
        let library = self.path("library");
        let report = run(&with(asked, |n| (n.stack, n.library) = (false, Some(library))), 2);
        report.findings.iter().for_each(|f| println!("{} {}: {}", f.code, f.subject, f.message));
        report
    }
}

fn codes(report: &RunReport) -> Vec<&str> {
    report.findings.iter().map(|f| f.code.as_ref()).collect()
}

const CALIBRATION: Counts = Counts { bias: 8, darks: 8, ..NONE };
const LIGHTS: Counts = Counts { flats: 6, lights: 2, ..NONE };

/// Newer darks that are 7 C warmer than their labels, or of another offset, give way to older ones that fit; alone they
/// are fitted with the biases of the library.
#[test]
fn darks_that_pixels_contradict_give_way_to_the_next() {
    let warmer = with(usual(2, Counts { darks: 8, ..NONE }), |n| {
        n.dark_temp_c = Some(n.set_temp_c + 7.0);
    });
    let higher = usual(2, Counts { darks: 8, ..NONE });
    let right = DarkSource::Matched;
    for (name, wrong, higher_adu, older, source) in [
        ("warmer", &warmer, 0.0, CALIBRATION, right),
        ("higher", &higher, 60.0, CALIBRATION, right),
        ("alone", &warmer, 0.0, Counts { bias: 8, ..NONE }, DarkSource::Fitted),
    ] {
        let place = Place::new();
        let older = place.take("older", usual(2, older), "2026-10-01", 0.0);
        let newer = place.take("newer", wrong.clone(), "2026-11-10", higher_adu);
        place.shelve(&[older, newer]);
        let night = place.take("night", usual(2, LIGHTS), "2026-11-12", 0.0);
        let report = place.run(&night, "out");
        for light in &report.lights {
            assert_eq!(light.dark_source, Some(source), "{name}");
            let left = light.left_of_dark.unwrap();
            assert!(left.share.abs() < (5.0 * left.error).max(0.05), "{name}: {left:?}");
        }
        let changed = codes(&report).iter().filter(|c| **c == "dark-changed").count();
        assert_eq!(changed, usize::from(source == right), "{name}");
        assert!(!codes(&report).contains(&"flat-does-not-fit"), "{name}");
    }
}

/// Of flats of two dust patterns the one that fits is found, however far from the night.
#[test]
fn the_flat_of_the_library_that_fits_is_found() {
    let place = Place::new();
    let flats = Counts { flats: 6, ..NONE };
    let moved = with(usual(3, flats), |n| {
        n.flat_optics = Some(with(FlatOptics::default(), |o| o.dust_moved = 1.0));
    });
    let folders = [
        place.take("calibration", usual(3, CALIBRATION), "2026-05-01", 0.0),
        place.take("may", usual(3, flats), "2026-05-01", 0.0),
        place.take("november", moved, "2026-11-01", 0.0),
    ];
    place.shelve(&folders);
    let night = place.take("night", usual(3, Counts { lights: 2, ..NONE }), "2026-10-30", 0.0);
    let report = place.run(&night, "out");
    assert!(codes(&report).contains(&"flat-changed"));
    for light in &report.lights {
        assert_eq!(light.flat_fit.unwrap().answer, FlatAnswer::Fits);
    }
}

/// Flats of dusk and dawn, between which dust moved, are two masters, however many there are of each, and each light finds
/// its own.
#[test]
fn flats_of_one_night_that_differ_are_two_masters() {
    let flats = |flats: usize, moved: bool| {
        with(usual(3, Counts { flats, ..NONE }), |n| {
            let dust_moved = if moved { 1.0 } else { 0.0 };
            n.flat_optics = Some(with(FlatOptics::default(), |o| o.dust_moved = dust_moved));
        })
    };
    for (moved, right) in [(6, 6), (8, 4), (4, 8), (6, 2), (2, 6)] {
        let place = Place::new();
        let rest = Counts { lights: 2, ..CALIBRATION };
        place.take("night/rest", usual(3, rest), "2026-11-10", 0.0);
        place.take("night/dusk", flats(moved, true), "2026-11-10", 0.0);
        place.take("night/later", flats(right, false), "2026-11-10", 0.0);
        let report = place.run(&place.path("night"), "out");
        let masters = report.masters.iter().filter(|m| m.kind == FrameKind::Flat);
        let counts: Vec<usize> = masters.map(|m| m.frames).collect();
        assert_eq!(counts.iter().sum::<usize>(), moved + right, "{counts:?}");
        assert_eq!(counts.len(), 2);
        for code in ["frame-odd", "set-contradicts", "master-not-made"] {
            assert!(!codes(&report).contains(&code), "{code}");
        }
        assert_eq!(codes(&report).iter().filter(|c| **c == "flats-parted").count(), 1);
        for light in &report.lights {
            assert_eq!(light.flat_fit.unwrap().answer, FlatAnswer::Fits);
        }
    }
}

/// A master that was damaged on the disk gives way to the frames it was made of, and is not exported.
#[test]
fn a_damaged_master_gives_way_to_the_next() {
    let place = Place::new();
    let counts = Counts { bias: 6, darks: 6, flats: 6, lights: 2, ..NONE };
    let first = place.take("first", usual(4, counts), "2026-11-10", 0.0);
    place.run(&first, "out");
    let night = place.path("night");
    std::fs::create_dir(&night).unwrap();
    std::fs::rename(first.join("lights"), night.join("lights")).unwrap();
    place.shelve(&[first]);
    let masters = std::fs::read_dir(place.path("library/masters")).unwrap();
    let is_flat = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().starts_with("flat");
    let flat = masters.map(|e| e.unwrap().path()).find(is_flat).unwrap();
    damage(&flat);
    let report = place.run(&night, "out2");
    assert!(report.lights.iter().all(|l| l.flat.is_some()));
    assert!(
        codes(&report).contains(&"master-instead") && codes(&report).contains(&"frame-damaged")
    );
    assert!(!codes(&report).contains(&"master-not-made"));
    let library = Library::open(&place.path("library")).unwrap();
    let exported = export_library(&library, &place.path("exported")).unwrap();
    // Bias and dark, and the flat that was made anew.
    assert_eq!((exported.masters.len(), exported.damaged), (3, vec![flat]));
}

/// Where the only dark of the library is damaged its bias is subtracted, not nothing.
#[test]
fn a_damaged_dark_gives_way_to_the_bias() {
    let place = Place::new();
    let counts = Counts { bias: 6, darks: 6, flats: 6, lights: 1, ..NONE };
    let first = place.take("first", usual(8, counts), "2026-11-10", 0.0);
    let right = place.run(&first, "out");
    std::fs::remove_dir_all(&first).unwrap();
    let masters = std::fs::read_dir(place.path("library/masters")).unwrap();
    let is_dark = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().starts_with("dark");
    let dark = masters.map(|e| e.unwrap().path()).find(is_dark).unwrap();
    damage(&dark);
    let lights = Counts { lights: 2, ..NONE };
    let night = place.take("night", usual(8, lights), "2026-11-12", 0.0);
    let report = place.run(&night, "out2");
    let sky = |light: &LightReport| {
        let (frame, _) = read_frame(light.output.as_ref().unwrap()).unwrap();
        f64::from(stat::median(frame.data.as_slice()))
    };
    for light in &report.lights {
        assert!(light.bias.is_some() && light.flat.is_some(), "{light:?}");
        // But for its dark signal.
        let off_adu = sky(light) - sky(&right.lights[0]);
        assert!(off_adu.abs() < 20.0, "{off_adu:.1} ADU");
    }
    assert!(codes(&report).contains(&"master-instead"));
    assert!(!codes(&report).contains(&"flat-does-not-fit"));
}

/// Of biases of two offsets those are taken that lie beside the darks; without darks it is told that nothing is
/// subtracted.
#[test]
fn biases_of_two_offsets_are_parted_by_the_darks() {
    for (darks, moved_adu) in [(8, 200.0), (8, -200.0), (0, 200.0)] {
        let place = Place::new();
        let night = place.path("night");
        let rest = Counts { bias: 5, darks, flats: 6, lights: 2, ..NONE };
        place.take("night/right", usual(9, rest), "2026-11-10", 0.0);
        let moved = usual(9, Counts { bias: 5, ..NONE });
        place.take("night/moved", moved, "2026-11-10", moved_adu);
        let report = place.run(&night, "out");
        let nothing =
            report.findings.iter().filter(|f| f.message.contains("nothing is subtracted"));
        assert_eq!(nothing.count() > 0, darks == 0);
        assert!(report.findings.iter().all(|f| !f.message.contains("only bias is subtracted")));
        assert_eq!(codes(&report).contains(&"set-contradicts"), darks == 0);
        let bias = report.masters.iter().find(|m| m.kind == FrameKind::Bias);
        assert_eq!(bias.is_some(), darks > 0);
        if let Some(stats) = bias.and_then(|bias| bias.stats) {
            let offset_adu = usual(9, NONE).sensor.offset_adu;
            assert!((stats.median - offset_adu).abs() < 5.0, "{:.1} ADU", stats.median);
        }
        assert_eq!(report.lights.iter().all(|l| l.flat.is_some()), darks > 0);
    }
}

/// Changes one byte of a file.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[20_000] ^= 255;
    std::fs::remove_file(path).unwrap();
    write_bytes(path, &bytes, Existing::Replace).unwrap();
}

/// Darks of the library, with their own biases, of an offset that firmware moved since: they lose their own biases' level.
#[test]
fn darks_of_another_offset_lose_their_own_level() {
    let counts = Counts { bias: 8, flats: 6, lights: 2, ..NONE };
    let mut skies: Vec<f64> = Vec::new();
    for moved_adu in [0.0, 20.0, -20.0] {
        let place = Place::new();
        let older = place.take("older", usual(6, CALIBRATION), "2025-01-10", 0.0);
        place.shelve(&[older]);
        let night = place.take("night", usual(6, counts), "2026-11-20", moved_adu);
        let report = place.run(&night, "out");
        let (frame, _) = read_frame(report.lights[0].output.as_ref().unwrap()).unwrap();
        let sky = f64::from(stat::median(frame.data.as_slice()));
        println!("moved by {moved_adu} ADU: {sky:.2} ADU");
        skies.push(sky);
        let told = codes(&report).contains(&"dark-level-moved");
        assert_eq!(told, moved_adu != 0.0);
        for code in ["offset-mismatch", "black-level-corrected", "dark-changed"] {
            assert!(!codes(&report).contains(&code), "{code}");
        }
    }
    assert!(skies.iter().all(|sky| (sky - skies[0]).abs() < 0.5), "{skies:?}");
}

/// With frames of every kind that fit nothing is changed.
#[test]
fn masters_that_serve_stay() {
    let place = Place::new();
    let folders = [
        place.take("older", usual(5, CALIBRATION), "2026-10-01", 0.0),
        place.take("newer", usual(5, CALIBRATION), "2026-11-10", 0.0),
    ];
    place.shelve(&folders);
    let night = place.take("night", usual(5, LIGHTS), "2026-11-12", 0.0);
    let report = place.run(&night, "out");
    for code in ["dark-changed", "master-instead", "flat-changed", "dark-contradicted"] {
        assert!(!codes(&report).contains(&code), "{code}");
    }
    assert!(report.lights.iter().all(|l| l.dark_source == Some(DarkSource::Matched)));
    assert_eq!(report.masters.iter().filter(|m| m.kind == FrameKind::Dark).count(), 1);
}
