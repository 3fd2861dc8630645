//! A night with a defect map: what the map names is repaired, marked, and leaves nothing in the stack.

use std::path::{Path, PathBuf};

use photosite::diagnose::Verdict;
use photosite::inventory::KindOverrides;
use photosite::params::Repair;
use photosite::product::read_defect_map;
use photosite::run::{
    DefectsChoice, IntegrationRequest, NightOutcome, build_map_of_named, import_defects, integrate,
    run_night, stars_of,
};
use photosite_file::fits::{Sample, read_frame};
use photosite_pix::{Card, Frame, FrameKind, Header, MaskBits, Plane, Size, stat};
use photosite_sim::{Effects, Night, Preset, Purpose, Simulation, Stream};

use crate::defect_map::{aged_sensor, write_calibration};
use crate::night::{request, run_context, with, write_as, write_night, write_plane};

/// Ten dithered lights of a sensor, faulty or not, with darks, flats and biases.
fn night(preset: Preset, faulty: bool) -> Simulation {
    Simulation::new(night_of(preset, faulty))
}

fn night_of(preset: Preset, faulty: bool) -> Night {
    let cfa = matches!(preset, Preset::CmosOsc).then_some("RGGB");
    let mut night = aged_sensor(preset, cfa, Size::new(480, 400), 21);
    night.effects -= Effects::TRAIL | Effects::COSMIC_RAYS | Effects::AMP_GLOW;
    if !faulty {
        night.effects -= Effects::FAULTY | Effects::HOT_PIXELS;
    }
    night.counts.lights = 10;
    night.counts.darks = 20;
    night.light_exposure_s = 300.0;
    night.sky.dither_px = 8.0;
    night
}

/// The stack of a night, and what its reference saw of the sky.
fn stack_of(simulation: &Simulation, folder: &Path, map: Option<&Path>) -> (Frame, Plane<f32>) {
    write_night(simulation, &folder.join("night"));
    let output = folder.join("out");
    let asked = with(request(vec![folder.join("night")], &output), |n| {
        n.defects = map.map_or(DefectsChoice::None, |map| DefectsChoice::File(map.to_owned()));
    });
    let outcome = run_context(2, |context| run_night(&asked, context).unwrap());
    assert!(outcome.failure.is_none());
    let stack = &outcome.report.stacks[0];
    let name = stack.reference.file_name().unwrap().to_str().unwrap();
    let plan = simulation.frames().into_iter().find(|p| p.file_name == name).unwrap();
    let truth = simulation.render(&plan).truth.light_e.unwrap();
    (photosite_file::fits::read_frames(&stack.path).unwrap().0.remove(0), truth)
}

/// Pixels of a stack beyond 5 sigma of the sky that its reference saw, away from stars and rims.
fn left((stack, truth): &(Frame, Plane<f32>)) -> usize {
    let size = truth.size();
    let sky = stat::median(truth.as_slice());
    let even = |x: usize, y: usize| {
        let around = (y - 6..=y + 6).flat_map(|y| &truth.row(y)[x - 6..=x + 6]);
        around.fold(0.0f32, |most, v| most.max(*v)) < 1.3 * sky
    };
    let ratios: Vec<f32> =
        stack.data.as_slice().iter().zip(truth.as_slice()).map(|(s, t)| s / t).collect();
    let scale = stat::median(&ratios);
    let variance = stack.variance.as_ref().unwrap();
    let inside = (16..size.height - 16).flat_map(|y| (16..size.width - 16).map(move |x| (x, y)));
    let mut judged = 0;
    let far = inside.filter(|&(x, y)| even(x, y)).filter(|&(x, y)| {
        judged += 1;
        let off = stack.data.get(x, y) - scale * truth.get(x, y);
        off.abs() > 5.0 * variance.get(x, y).sqrt()
    });
    let far = far.count();
    println!("{far} of {judged} pixels");
    assert!(judged > size.pixels() / 4);
    far
}

#[test]
fn nothing_of_a_mapped_defect_is_left_in_a_stack() {
    let dir = tempfile::tempdir().unwrap();
    let faulty = night(Preset::CmosMono, true);
    let calibration = dir.path().join("calibration");
    let paths = write_calibration(&faulty, &calibration);
    let map_path = dir.path().join("map.fits");
    run_context(2, |context| {
        build_map_of_named(&paths, &KindOverrides::default(), &map_path, context).unwrap()
    });
    let map = read_defect_map(&map_path).unwrap().map;
    let with_map = stack_of(&faulty, &dir.path().join("mapped"), Some(&map_path));
    let without = stack_of(&faulty, &dir.path().join("plain"), None);
    let healthy = stack_of(&night(Preset::CmosMono, false), &dir.path().join("healthy"), None);
    // Lights carry what the map says.
    let calibrated = dir.path().join("mapped/out/calibrated");
    let mut seen = 0;
    for entry in std::fs::read_dir(&calibrated).unwrap() {
        let (light, header) = read_frame(&entry.unwrap().path()).unwrap();
        assert!(header.get_i64("PSREPAIR").unwrap() as usize >= map.counts().repaired);
        for s in &map.seen {
            let bits = light.mask.get(s.x, s.y);
            assert!(bits.contains(s.bits & !MaskBits::NO_DATA), "{bits:?} {s:?}");
            let holds = bits.intersects(MaskBits::INTERPOLATED | MaskBits::NO_DATA);
            assert!(holds || s.bits == MaskBits::WARM, "{bits:?} {s:?}");
        }
        seen += 1;
    }
    assert_eq!(seen, 10);
    let (mapped, plain, none) = (left(&with_map), left(&without), left(&healthy));
    println!(
        "beyond 5 sigma: {mapped} pixels with the map, {plain} without, {none} without faults"
    );
    assert!(mapped <= none + 2, "{mapped}");
    // Stars of a light are not looked for on defects.
    let light = std::fs::read_dir(dir.path().join("mapped/night/lights")).unwrap().next().unwrap();
    let light = light.unwrap().path();
    let count = |map: Option<&Path>| {
        run_context(2, |context| stars_of(&light, map, 5.5, context).unwrap().stars.len())
    };
    assert!(count(Some(&map_path)) <= count(None));
    assert!(faulty.frames().iter().any(|f| f.kind == FrameKind::Light));
}

/// What a stack shows of its sensor, away from stars.
struct Residue {
    /// Root mean square of faulty pixels about the median of the 24 around each, in that of all.
    faulty: f64,
    /// Faulty pixels more than 5 of those off.
    far: usize,
    /// Faulty pixels looked at.
    judged: usize,
    /// Scatter of all pixels about these medians, in the level of the sky.
    noise: f64,
}

fn residue(simulation: &Simulation, path: &Path, reference: &Path) -> Residue {
    let mut frames = photosite_file::fits::read_frames(path).unwrap().0;
    let frame = frames.remove(frames.len() / 2);
    let name = reference.file_name().unwrap().to_str().unwrap();
    let plan = simulation.frames().into_iter().find(|p| p.file_name == name).unwrap();
    let truth = simulation.render(&plan).truth.light_e.unwrap();
    let size = truth.size();
    let brightest = |x: usize, y: usize, reach: usize| {
        let rows = y - reach..=y + reach;
        let around = rows.flat_map(|y| &truth.row(y)[x - reach..=x + reach]);
        around.fold(0.0f32, |most, v| most.max(*v))
    };
    let is_inside = |x: usize, y: usize| {
        (24..size.height - 24).contains(&y) && (24..size.width - 24).contains(&x)
    };
    let inside = || {
        let all = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
        all.filter(|&(x, y)| is_inside(x, y))
    };
    // Of the brightest colour.
    let some: Vec<f32> = inside().step_by(31).map(|(x, y)| brightest(x, y, 1)).collect();
    let sky = stat::median(&some);
    let off = |(x, y): (usize, usize)| {
        let mut about: Vec<f32> =
            (y - 2..=y + 2).flat_map(|y| frame.data.row(y)[x - 2..=x + 2].to_vec()).collect();
        about.remove(12);
        frame.data.get(x, y) - stat::median(&about)
    };
    let even = |&(x, y): &(usize, usize)| brightest(x, y, 6) < 1.2 * sky;
    let all: Vec<f32> = inside().filter(even).map(off).collect();
    let (_, mad) = stat::median_mad(&all);
    let noise = 1.4826 * f64::from(mad);
    let maps = simulation.maps();
    let places = maps.hot.iter().map(|h| (h.x, h.y)).chain(maps.faulty.iter().map(|f| (f.x, f.y)));
    let of_faulty: Vec<f64> = places
        .filter(|&(x, y)| is_inside(x, y))
        .filter(even)
        .map(|at| f64::from(off(at)) / noise)
        .collect();
    let judged = of_faulty.len();
    let square: f64 = of_faulty.iter().map(|v| v.min(100.0) * v.min(100.0)).sum();
    Residue {
        faulty: (square / judged as f64).sqrt(),
        far: of_faulty.iter().filter(|v| v.abs() > 5.0).count(),
        judged,
        noise: noise / f64::from(stat::median(frame.data.as_slice())),
    }
}

/// A night's lights, the frames beside it, and what a choice of the map leaves.
fn left_by(
    simulation: &Simulation,
    folder: &Path,
    name: &str,
    (defects, repair): (DefectsChoice, Repair),
) -> (Residue, NightOutcome) {
    let lights = std::fs::read_dir(folder.join("night/lights")).unwrap();
    let reference = lights.map(|e| e.unwrap().path()).min();
    let asked = with(request(vec![folder.join("night")], &folder.join(name)), |n| {
        (n.defects, n.repair) = (defects, repair);
        // One grid of pixels for all choices.
        n.reference = reference;
    });
    let outcome = run_context(2, |context| run_night(&asked, context).unwrap());
    let stack = &outcome.report.stacks[0];
    (residue(simulation, &stack.path, &stack.reference), outcome)
}

/// The night's own map does no harm where lights are dithered, and helps where they are not.
#[test]
fn a_map_by_itself_leaves_less() {
    let mut far = [0, 0];
    for (preset, name) in [(Preset::CmosMono, "mono"), (Preset::CmosOsc, "colour")] {
        for dither_px in [8.0, 0.0] {
            for darks in [10, 20, 40] {
                let dir = tempfile::tempdir().unwrap();
                let mut night = night_of(preset, true);
                night.sky.dither_px = dither_px;
                night.counts.darks = darks;
                let simulation = Simulation::new(night);
                write_night(&simulation, &dir.path().join("night"));
                let left = |name: &str, defects: DefectsChoice, repair: Repair| {
                    left_by(&simulation, dir.path(), name, (defects, repair))
                };
                let (none, _) = left("none", DefectsChoice::None, Repair::Neighbours);
                let (own, outcome) = left("own", DefectsChoice::Own, Repair::Neighbours);
                let told = outcome.report.findings.iter().find(|f| f.code == "defects-mapped");
                assert_eq!(told.is_some(), darks >= 20);
                let show = |r: &Residue| {
                    format!(
                        "{:.3} sigma, {} of {} beyond 5; noise {:.5} of the sky",
                        r.faulty, r.far, r.judged, r.noise
                    )
                };
                println!("{name}, dithered {dither_px} px, {darks} darks: without {}", show(&none));
                println!("    its own: {}", show(&own));
                let map = dir.path().join("map.fits");
                run_context(2, |context| {
                    let darks = [dir.path().join("night/darks")];
                    build_map_of_named(&darks, &KindOverrides::default(), &map, context).unwrap()
                });
                if darks < 20 {
                    let choice = DefectsChoice::File(map.clone());
                    let (few, _) = left("few", choice, Repair::Neighbours);
                    println!("    of too few: {}", show(&few));
                }
                if dither_px > 0.0 && darks == 20 {
                    let (holes, _) = left("pierced", DefectsChoice::Own, Repair::Holes);
                    println!("    its own, as holes: {}", show(&holes));
                    // Why repairs are the default.
                    assert!(own.noise < holes.noise && own.faulty < holes.faulty, "{name}");
                }
                if preset == Preset::CmosMono && dither_px > 0.0 {
                    let calibrated = std::fs::read_dir(dir.path().join("own/calibrated")).unwrap();
                    let paths: Vec<_> = calibrated.map(|e| e.unwrap().path()).collect();
                    let mut of_stack = Vec::new();
                    for map in [None, Some(map.as_path())] {
                        let output = dir.path().join(format!("holes_{}.fits", map.is_some()));
                        let asked = with(IntegrationRequest::new(&paths, &output), |r| {
                            r.defects = map;
                            r.how.register = Some(Default::default());
                            r.reference = paths.iter().min().map(PathBuf::as_path);
                        });
                        let done = run_context(2, |context| integrate(&asked, context).unwrap());
                        let left = residue(&simulation, &output, &done.reference);
                        let what = if map.is_some() { "holes" } else { "repaired" };
                        println!("    {what}: {}", show(&left));
                        of_stack.push(left.noise);
                    }
                    // Why repairs are the default.
                    assert!(of_stack[0] < of_stack[1], "{of_stack:?}");
                }
                assert!(own.judged > 2000);
                // Some pixels cross the line either way by the noise of those around them.
                assert!(own.far <= none.far + 2, "{name} {dither_px} {darks}");
                far = [far[0] + none.far, far[1] + own.far];
                let most = if darks < 20 || dither_px > 0.0 { 1.005 } else { 0.98 };
                assert!(own.faulty <= most * none.faulty, "{} {}", own.faulty, none.faulty);
                assert!(own.noise <= 1.01 * none.noise, "{} {}", own.noise, none.noise);
            }
        }
    }
    println!("beyond 5 sigma in all: {} without, {} with its own", far[0], far[1]);
    assert!(far[1] <= far[0], "{far:?}");
}

/// Lights of another program, whose masks say nothing, stacked pixel by pixel with a map.
#[test]
fn a_map_repairs_or_pierces_lights_that_are_stacked() {
    let dir = tempfile::tempdir().unwrap();
    let size = Size::new(160, 120);
    for cfa in [None, Some("RGGB")] {
        let hot = [(30, 20), (80, 60), (81, 60), (140, 119), (0, 50)];
        let is_hot = |x: usize, y: usize| if hot.contains(&(x, y)) { 1.0 } else { 0.0 };
        let at = |name: &str| dir.path().join(format!("{name}_{}.fits", cfa.unwrap_or("mono")));
        let (mask, map) = (at("mask"), at("map"));
        write_plane(&mask, &Plane::from_fn(size, is_hot), Sample::F32, Header::new());
        import_defects(&mask, None, false, &map).unwrap();
        let paths: Vec<PathBuf> = (0..5)
            .map(|i| {
                let mut random = Stream::new(i, 1, Purpose::ReadNoise);
                let level =
                    |x: usize, y: usize| if (x + y).is_multiple_of(2) { 1000.0 } else { 1300.0 };
                let data = Plane::from_fn(size, |x, y| {
                    let level = if cfa.is_some() { level(x, y) } else { 1000.0 };
                    (level + 10.0 * random.gaussian()) as f32 + 500.0 * is_hot(x, y)
                });
                let mut header = Header::new();
                if let Some(cfa) = cfa {
                    header.set(Card::string("BAYERPAT", cfa, "filter array"));
                }
                let path = at(&format!("light{i}"));
                write_plane(&path, &data, Sample::F32, header);
                path
            })
            .collect();
        let stack = |name: &str, defects: Option<&Path>, repair: Repair| {
            let output = at(name);
            let asked = with(IntegrationRequest::new(&paths, &output), |r| {
                (r.defects, r.repair) = (defects, repair);
                r.how.register = None;
            });
            run_context(2, |context| integrate(&asked, context).unwrap());
            photosite_file::fits::read_frames(&output).unwrap().0
        };
        let plain = stack("plain", None, Repair::Neighbours);
        let repaired = stack("repaired", Some(&map), Repair::Neighbours);
        let levels = if cfa.is_some() { vec![1000.0, 1300.0, 1000.0] } else { vec![1000.0] };
        assert_eq!(repaired.len(), levels.len());
        for (x, y) in hot {
            let far = |stack: &[Frame]| {
                let off = stack.iter().zip(&levels).map(|(f, l)| (f.data.get(x, y) - l).abs());
                off.fold(0.0f32, f32::max)
            };
            // A repair has about 0.4 sigma of a sample of 10 ADU, fewer neighbours a little more.
            assert!(far(&repaired) < 25.0, "{cfa:?} ({x}, {y}): {}", far(&repaired));
            assert!(far(&plain) > 100.0, "{cfa:?} ({x}, {y}): {}", far(&plain));
        }
        if cfa.is_none() {
            let holes = stack("holes", Some(&map), Repair::Holes);
            let is_hole = |&(x, y): &(usize, usize)| {
                holes[0].mask.get(x, y).contains(MaskBits::NO_DATA)
                    && !repaired[0].mask.get(x, y).contains(MaskBits::NO_DATA)
            };
            assert!(hot.iter().all(is_hole));
            for (x, y) in [(31, 20), (82, 60), (0, 0)] {
                // But for levels, which the hot pixels have a part in.
                let off =
                    |stack: &[Frame]| (stack[0].data.get(x, y) - plain[0].data.get(x, y)).abs();
                assert!(off(&repaired) < 0.2 && off(&holes) < 0.2, "({x}, {y})");
            }
        }
    }
}

/// A library keeps the map of a night's darks for nights that bring none, and tells when it is old.
#[test]
fn the_library_keeps_a_map() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("library");
    let mut night = night_of(Preset::CmosMono, true);
    (night.counts.lights, night.counts.flats) = (3, 4);
    let first = Simulation::new(night.clone());
    write_night(&first, &dir.path().join("first"));
    night.counts.darks = 0;
    let later = Simulation::new(night);
    write_as(&later, &dir.path().join("later"), |plan| {
        let mut frame = later.render(plan);
        let date = format!("2031-12-01T20:{:02}:00", plan.index);
        frame.header.set(Card::string("DATE-OBS", &date, "start, UTC"));
        (plan.clone(), frame)
    });
    let run = |from: &str| {
        let asked =
            with(request(vec![dir.path().join(from)], &dir.path().join("out").join(from)), |n| {
                n.stack = false;
                n.library = Some(library.clone());
            });
        run_context(2, |context| run_night(&asked, context).unwrap().report)
    };
    let subject = |report: &photosite::report::RunReport, code: &str| {
        report.findings.iter().find(|f| f.code == code).map(|f| f.subject.clone())
    };
    let report = run("first");
    let own = subject(&report, "defects-mapped").unwrap();
    assert!(own.contains("masters"), "{own}");
    assert!(subject(&report, "defects-map-old").is_none());
    let again = run("first");
    assert!(again.lights.iter().all(|l| l.reused), "nothing is made twice");
    let report = run("later");
    let kept = subject(&report, "defects-mapped").expect("the library's map");
    assert!(Path::new(&kept).starts_with(&library), "{kept}");
    assert!(subject(&report, "defects-map-old").is_some(), "{:?}", report.findings);
    let map = read_defect_map(Path::new(&kept)).unwrap();
    assert_eq!(map.hash, read_defect_map(Path::new(&own)).unwrap().hash);
}

/// A map that the library keeps of another sensor of the same name is not used, whether the night's own darks tell it, or
/// its lights alone; nor is a light good whose hot pixels are none of its dark's.
#[test]
fn a_map_of_another_sensor_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("library");
    let run = |name: &str, night: Night, day: &str| {
        let simulation = Simulation::new(night);
        write_as(&simulation, &dir.path().join(name), |plan| {
            let mut frame = simulation.render(plan);
            let date = format!("{day}T20:{:02}:00", plan.index);
            frame.header.set(Card::string("DATE-OBS", &date, "start, UTC"));
            (plan.clone(), frame)
        });
        let asked =
            with(request(vec![dir.path().join(name)], &dir.path().join("out").join(name)), |n| {
                n.stack = false;
                n.library = Some(library.clone());
            });
        run_context(2, |context| run_night(&asked, context).unwrap().report)
    };
    let old =
        with(night_of(Preset::CmosMono, true), |n| (n.counts.lights, n.counts.flats) = (3, 4));
    let [same, other] = [old.seed, old.seed + 1].map(|seed| {
        [0, 8].map(|darks| with(old.clone(), |n| (n.seed, n.counts.darks) = (seed, darks)))
    });
    run("first", old, "2026-10-01");
    for (at, (nights, is_same)) in [(same, true), (other, false)].into_iter().enumerate() {
        for night in nights {
            let alone = night.counts.darks == 0;
            let name = format!("night {at} {}", night.counts.darks);
            let report = run(&name, night, "2026-11-01");
            let told = |code: &str| report.findings.iter().any(|f| f.code == code);
            assert_eq!(told("defects-mapped"), is_same, "{name}: {:?}", report.findings);
            assert_eq!(told("defects-not-of-this-sensor"), !is_same, "{name}");
            if !is_same && alone {
                let good = report.lights.iter().filter(|l| l.verdict == Some(Verdict::Good));
                assert_eq!(good.count(), 0, "{name}");
            }
        }
    }
}
