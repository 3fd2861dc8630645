//! A night with a defect map: what the map names is repaired, marked, and leaves nothing in the stack.

use std::path::Path;

use photosite::inventory::KindOverrides;
use photosite::product::read_defect_map;
use photosite::run::{build_map_of_named, run_night, stars_of};
use photosite_file::fits::read_frame;
use photosite_pix::{Frame, FrameKind, MaskBits, Plane, Size, stat};
use photosite_sim::{Effects, Preset, Simulation};

use crate::defect_map::{aged_sensor, write_calibration};
use crate::night::{request, run_context, with, write_night};

/// Ten dithered lights of a sensor, faulty or not, with darks, flats and biases.
fn night(preset: Preset, faulty: bool) -> Simulation {
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
    Simulation::new(night)
}

/// The stack of a night, and what its reference saw of the sky.
fn stack_of(simulation: &Simulation, folder: &Path, map: Option<&Path>) -> (Frame, Plane<f32>) {
    write_night(simulation, &folder.join("night"));
    let output = folder.join("out");
    let asked = with(request(vec![folder.join("night")], &output), |n| {
        n.defects = map.map(Path::to_owned);
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
