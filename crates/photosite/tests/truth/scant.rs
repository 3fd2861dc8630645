//! Nights with less than they should have: no biases, few darks, masters of other programs alone, lights that
//! had their dark taken off.

use std::path::Path;

use photosite::calibrate::dark::DarkSource;
use photosite::diagnose::Verdict;
use photosite::report::RunReport;
use photosite_file::fits::{Sample, read_frame};
use photosite_pix::{Card, FrameKind, Header, Plane, Size, stat};
use photosite_sim::{FramePlan, Night, Preset, Simulation};

use crate::night::{request, run, with, write_as, write_night, write_plane};

pub(super) const SIZE: Size = Size::new(480, 360);

pub(super) fn night(preset: Preset, seed: u64, change: impl FnOnce(&mut Night)) -> Simulation {
    let mut night = Night::preset(preset, SIZE, seed);
    night.counts.bias = 5;
    night.counts.darks = 9;
    night.counts.flats = 6;
    night.counts.dark_flats = 0;
    night.counts.lights = 3;
    change(&mut night);
    Simulation::new(night)
}

pub(super) fn calibrated(folder: &Path) -> RunReport {
    run(&with(request(vec![folder.join("raw")], &folder.join("out")), |n| n.stack = false), 2)
}

pub(super) fn codes(report: &RunReport) -> Vec<&str> {
    report.findings.iter().map(|f| &*f.code).collect()
}

/// Calibrated sky over the true one, in the middle and in a corner without glow, of each light.
pub(super) fn skies(simulation: &Simulation, folder: &Path) -> Vec<[f64; 2]> {
    let gain = simulation.night().sensor.gain_e_per_adu;
    let lights = simulation.frames().into_iter().filter(|p| p.kind == FrameKind::Light);
    let part = |plane: &Plane<f32>, (x0, y0): (usize, usize)| {
        let of = |y: usize| plane.row(y)[x0..x0 + 80].to_vec();
        f64::from(stat::median(&(y0..y0 + 80).flat_map(of).collect::<Vec<f32>>()))
    };
    lights
        .map(|plan: FramePlan| {
            let path = folder.join("out/calibrated").join(&plan.file_name);
            let (frame, _) = read_frame(&path).unwrap();
            let truth = simulation.render(&plan).truth.light_e.unwrap();
            [(200, 140), (20, 260)].map(|at| gain * part(&frame.data, at) / part(&truth, at))
        })
        .collect()
}

/// The flat's mean makes one factor of all; corners are as bright as the middle.
pub(super) fn is_flat(name: &str, skies: &[[f64; 2]]) {
    for [middle, corner] in skies {
        println!("{name}: middle {middle:.4}, corner {corner:.4}");
        assert!((middle / corner - 1.0).abs() < 0.012, "{name}: {skies:?}");
        assert!((middle - 0.895).abs() < 0.03, "{name}: {skies:?}");
    }
}

#[test]
fn without_biases_the_level_of_darks_stands_in() {
    for (preset, dark_s, source) in [
        (Preset::CmosMono, 60.0, DarkSource::Matched),
        (Preset::Ccd, 60.0, DarkSource::Matched),
        (Preset::Ccd, 300.0, DarkSource::Fitted),
    ] {
        let simulation = night(preset, 5, |n| {
            n.counts.bias = 0;
            (n.light_exposure_s, n.dark_exposure_s) = (60.0, dark_s);
        });
        let folder = tempfile::tempdir().unwrap();
        write_night(&simulation, &folder.path().join("raw"));
        let report = calibrated(folder.path());
        let name = format!("{} {dark_s} s", preset.name());
        assert!(codes(&report).contains(&"bias-from-dark"), "{name}: {:?}", codes(&report));
        assert!(!codes(&report).contains(&"frame-without-signal"), "{name}");
        assert!(report.lights.iter().all(|l| l.dark_source == Some(source)), "{name}");
        is_flat(&name, &skies(&simulation, folder.path()));
    }
}

#[test]
fn few_darks_accuse_no_light() {
    for (darks, seed) in [(3, 24), (5, 24), (5, 27), (10, 25)] {
        let simulation = night(Preset::CmosMono, seed, |n| n.counts.darks = darks);
        let folder = tempfile::tempdir().unwrap();
        write_night(&simulation, &folder.path().join("raw"));
        let report = calibrated(folder.path());
        for light in &report.lights {
            assert_eq!(
                light.verdict,
                Some(Verdict::Good),
                "{darks} darks: {:?}",
                light.left_of_dark
            );
        }
    }
}

/// The plain mean of frames, as another program writes it: times `scale`, less `zero`.
fn foreign(
    folder: &Path,
    name: &str,
    frames: &[Plane<f32>],
    (scale, zero): (f32, &[f32]),
    text: &str,
) {
    let n = frames.len() as f32;
    let mean = Plane::from_fn(SIZE, |x, y| {
        let sum: f32 = frames.iter().map(|f| f.get(x, y)).sum();
        (sum / n - zero.get(y * SIZE.width + x).copied().unwrap_or(0.0)) * scale
    });
    let mut header = Header::new();
    header.set(Card::string("IMAGETYP", text, ""));
    header.set(Card::integer("STACKCNT", frames.len() as i64, ""));
    for (key, value) in [("EXPTIME", 60.0), ("CCD-TEMP", -10.0), ("GAIN", 100.0), ("OFFSET", 50.0)]
    {
        header.set(Card::real(key, value, ""));
    }
    header.set(Card::string("FILTER", "L", ""));
    if scale < 1.0 {
        header.set(Card::string("PROGRAM", "Siril 1.2.0", ""));
    }
    write_plane(&folder.join("raw/masters").join(name), &mean, Sample::F32, header);
}

#[test]
fn masters_of_other_programs_among_the_frames_are_used() {
    for (name, scale, freed) in
        [("adu", 1.0, false), ("0..1", 1.0 / 65_535.0, false), ("freed", 1.0, true)]
    {
        let simulation = night(Preset::CmosMono, 3, |n| n.counts.darks = 12);
        let folder = tempfile::tempdir().unwrap();
        let of = |kind| -> Vec<Plane<f32>> {
            let plans = simulation.frames().into_iter().filter(|p| p.kind == kind);
            plans.map(|p| simulation.render(&p).adu).collect()
        };
        let (biases, darks, flats) =
            (of(FrameKind::Bias), of(FrameKind::Dark), of(FrameKind::Flat));
        let n = biases.len() as f32;
        let bias: Vec<f32> = (0..SIZE.pixels())
            .map(|i| biases.iter().map(|b| b.as_slice()[i]).sum::<f32>() / n)
            .collect();
        let none: &[f32] = &[];
        let off = if freed { &bias[..] } else { none };
        foreign(folder.path(), "master_bias.fits", &biases, (scale, none), "Master Bias");
        foreign(folder.path(), "master_dark.fits", &darks, (scale, off), "Master Dark");
        foreign(folder.path(), "master_flat.fits", &flats, (scale, &bias), "Master Flat");
        for plan in simulation.frames().into_iter().filter(|p| p.kind == FrameKind::Light) {
            let frame = simulation.render(&plan);
            let path = folder.path().join("raw/lights").join(&plan.file_name);
            write_plane(&path, &frame.adu, Sample::U16 { pedestal_adu: 0.0 }, frame.header);
        }
        let report = calibrated(folder.path());
        let told = codes(&report).iter().filter(|c| **c == "master-among-frames").count();
        assert_eq!(told, 3, "{name}: {:?}", codes(&report));
        assert!(report.lights.iter().all(|l| l.dark_source == Some(DarkSource::Matched)), "{name}");
        is_flat(name, &skies(&simulation, folder.path()));
    }
}

/// A dark free of its bias, and no bias: dark flats tell the level, and without them the night is told why not.
#[test]
fn a_dark_without_its_bias_takes_the_level_of_dark_flats() {
    for dark_flats in [6, 0] {
        let simulation = night(Preset::CmosMono, 3, |n| {
            (n.counts.darks, n.counts.dark_flats) = (12, dark_flats);
        });
        let folder = tempfile::tempdir().unwrap();
        let of = |kind| -> Vec<Plane<f32>> {
            let plans = simulation.frames().into_iter().filter(|p| p.kind == kind);
            plans.map(|p| simulation.render(&p).adu).collect()
        };
        let (biases, darks) = (of(FrameKind::Bias), of(FrameKind::Dark));
        let mean =
            |i: usize| biases.iter().map(|b| b.as_slice()[i]).sum::<f32>() / biases.len() as f32;
        let bias: Vec<f32> = (0..SIZE.pixels()).map(mean).collect();
        foreign(folder.path(), "master_dark.fits", &darks, (1.0, &bias), "Master Dark");
        let kept = |p: &FramePlan| !matches!(p.kind, FrameKind::Bias | FrameKind::Dark);
        for plan in simulation.frames().into_iter().filter(kept) {
            let frame = simulation.render(&plan);
            let path = folder.path().join("raw").join(&plan.file_name);
            write_plane(&path, &frame.adu, Sample::U16 { pedestal_adu: 0.0 }, frame.header);
        }
        let report = calibrated(folder.path());
        let found = codes(&report);
        if dark_flats > 0 {
            assert!(found.contains(&"bias-from-dark"), "{found:?}");
            let sources: Vec<_> = report.lights.iter().map(|l| l.dark_source).collect();
            assert!(sources.iter().all(|s| *s == Some(DarkSource::Matched)), "{sources:?}");
            is_flat("dark flats", &skies(&simulation, folder.path()));
        } else {
            let why = report.findings.iter().find(|f| f.code == "dark-missing").unwrap();
            assert!(why.message.contains("its bias was subtracted"), "{}", why.message);
        }
    }
}

#[test]
fn lights_that_had_their_dark_taken_off_keep_the_rest() {
    let simulation = night(Preset::CmosMono, 3, |n| n.counts.darks = 12);
    let folder = tempfile::tempdir().unwrap();
    let bias_adu = simulation.night().sensor.offset_adu as f32;
    let dark = simulation.frames().into_iter().rfind(|p| p.kind == FrameKind::Dark).unwrap();
    write_as(&simulation, &folder.path().join("raw"), |plan| {
        let mut frame = simulation.render(plan);
        if plan.kind == FrameKind::Light {
            // Another dark of the night, as the camera takes one after each light.
            let again =
                simulation.render(&FramePlan { index: dark.index + plan.index, ..dark.clone() });
            frame.adu = Plane::from_fn(SIZE, |x, y| {
                (frame.adu.get(x, y) - again.adu.get(x, y) + bias_adu).clamp(0.0, 65_535.0)
            });
        }
        (plan.clone(), frame)
    });
    let report = calibrated(folder.path());
    assert!(codes(&report).contains(&"dark-contradicted"), "{:?}", codes(&report));
    for light in &report.lights {
        assert_eq!(light.dark_source, Some(DarkSource::None), "{:?}", light.path);
    }
    is_flat("dark taken off", &skies(&simulation, folder.path()));
}

#[test]
fn darks_of_a_wrong_label_are_known_by_the_hot_pixels_of_lights() {
    for (preset, label_s) in [(Preset::Ccd, 30.0), (Preset::CmosMono, 1.0)] {
        let simulation = night(preset, 3, |n| n.counts.darks = 12);
        let folder = tempfile::tempdir().unwrap();
        write_as(&simulation, &folder.path().join("raw"), |plan| {
            let mut frame = simulation.render(plan);
            let mut plan = plan.clone();
            if plan.kind == FrameKind::Dark {
                frame.header.set(Card::real("EXPTIME", label_s, ""));
                frame.header.remove("EXPOSURE");
                plan.file_name = format!("d{}.fits", plan.index);
            }
            (plan, frame)
        });
        let report = calibrated(folder.path());
        for light in &report.lights {
            assert_eq!(light.dark_source, Some(DarkSource::Nearest), "{:?}", codes(&report));
        }
        is_flat(preset.name(), &skies(&simulation, folder.path()));
    }
}

#[test]
fn frames_that_a_program_freed_of_their_bias_without_a_word_do_not_lose_it_twice() {
    const DARK: [FrameKind; 2] = [FrameKind::Dark, FrameKind::Flat];
    for (name, kinds) in [("darks and flats", &DARK[..]), ("lights", &[FrameKind::Light])] {
        let simulation = night(Preset::CmosMono, 3, |n| n.counts.darks = 12);
        let folder = tempfile::tempdir().unwrap();
        let offset_adu = simulation.night().sensor.offset_adu as f32;
        for plan in simulation.frames() {
            let frame = simulation.render(&plan);
            let path = folder.path().join("raw").join(plan.folder).join(&plan.file_name);
            let (freed, sample) = match kinds.contains(&plan.kind) {
                true => (offset_adu, Sample::F32),
                false => (0.0, Sample::U16 { pedestal_adu: 0.0 }),
            };
            let plane = Plane::from_fn(SIZE, |x, y| frame.adu.get(x, y) - freed);
            write_plane(&path, &plane, sample, frame.header);
        }
        let report = calibrated(folder.path());
        assert!(codes(&report).contains(&"bias-gone"), "{name}: {:?}", codes(&report));
        assert!(!codes(&report).contains(&"offset-mismatch"), "{name}: {:?}", codes(&report));
        assert!(report.lights.iter().all(|l| l.dark_source == Some(DarkSource::Matched)), "{name}");
        is_flat(name, &skies(&simulation, folder.path()));
    }
}

/// Frames without exposures, as converters write them: the lights' hot pixels prove the dark.
#[test]
fn darks_of_unknown_exposure_are_proven_by_the_hot_pixels_of_lights_that_know_none_either() {
    for (seed, light_knows) in [(3, false), (4, true)] {
        let simulation = night(Preset::CmosMono, seed, |n| n.counts.darks = 12);
        let folder = tempfile::tempdir().unwrap();
        write_as(&simulation, &folder.path().join("raw"), |plan| {
            let mut frame = simulation.render(plan);
            let known = plan.kind == FrameKind::Light && light_knows;
            let keys = ["EXPTIME", "EXPOSURE", "CCD-TEMP", "SET-TEMP"];
            keys.iter().filter(|_| !known).for_each(|key| frame.header.remove(key));
            let file_name = format!("{}{}.fits", plan.kind.slug(), plan.index);
            (FramePlan { file_name, ..plan.clone() }, frame)
        });
        let report = calibrated(folder.path());
        for light in &report.lights {
            let used = matches!(
                light.dark_source,
                Some(DarkSource::Fitted | DarkSource::Nearest | DarkSource::Matched)
            );
            assert_eq!(used, !light_knows, "{:?} {:?}", light.dark_source, report.findings);
        }
        if !light_knows {
            assert!(report.lights.iter().all(|l| l.verdict == Some(Verdict::Good)));
        }
    }
}
