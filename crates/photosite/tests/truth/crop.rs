//! Calibration frames that are larger than the lights.

use std::path::Path;

use photosite::calibrate::dark::DarkSource;
use photosite::report::RunReport;
use photosite_file::fits::{Sample, read_frame};
use photosite_pix::{Card, FrameKind, Plane, Size, stat};
use photosite_sim::{Preset, Simulation};

use crate::night::write_plane;
use crate::scant::{calibrated, codes, night};

/// The night with frames of some kinds cut to a part, which headers name or not.
fn cut(
    simulation: &Simulation,
    folder: &Path,
    kinds: &[FrameKind],
    ((x0, y0), size, named): ((usize, usize), Size, bool),
) -> RunReport {
    for plan in simulation.frames() {
        let frame = simulation.render(&plan);
        let mut header = frame.header;
        let path = folder.join("raw").join(plan.folder).join(&plan.file_name);
        let mut plane = frame.adu;
        if kinds.contains(&plan.kind) {
            plane = Plane::from_fn(size, |x, y| plane.get(x0 + x, y0 + y));
            if named {
                header.set(Card::integer("XORGSUBF", x0 as i64, ""));
                header.set(Card::integer("YORGSUBF", y0 as i64, ""));
            }
        }
        write_plane(&path, &plane, Sample::U16 { pedestal_adu: 0.0 }, header);
    }
    calibrated(folder)
}

fn sky(report: &RunReport, folder: &Path) -> f64 {
    let name = report.lights[0].path.file_name().unwrap();
    let (frame, _) = read_frame(&folder.join("out/calibrated").join(name)).unwrap();
    f64::from(stat::median(frame.data.as_slice()))
}

#[test]
fn the_part_of_larger_frames_that_the_lights_are_of_is_used() {
    let (light, flat) = (FrameKind::Light, FrameKind::Flat);
    for preset in [Preset::CmosMono, Preset::CmosOsc] {
        let simulation = night(preset, 3, |_| {});
        let whole = tempfile::tempdir().unwrap();
        let size = Size::new(480, 360);
        let report = cut(&simulation, whole.path(), &[], ((0, 0), size, false));
        let wanted = sky(&report, whole.path());
        for (kinds, part) in [
            (&[light][..], ((80, 40), Size::new(320, 240), true)),
            (&[light, flat], ((80, 40), Size::new(320, 240), true)),
            (&[light, flat], ((0, 0), Size::new(480, 359), false)),
            (&[light], ((6, 4), Size::new(470, 352), false)),
        ] {
            // One way of finding the place is enough under an array.
            if preset == Preset::CmosOsc && kinds.len() > 1 {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let report = cut(&simulation, folder.path(), kinds, part);
            let name = format!("{} {kinds:?} {part:?}: {:?}", preset.name(), codes(&report));
            assert!(codes(&report).contains(&"cropped-to-lights"), "{name}");
            assert!(!codes(&report).contains(&"pattern-elsewhere"), "{name}");
            for light in &report.lights {
                assert_eq!(light.dark_source, Some(DarkSource::Matched), "{name}");
                assert!(light.flat.is_some(), "{name}");
            }
            let sky = sky(&report, folder.path());
            assert!((sky / wanted - 1.0).abs() < 0.1, "{name}: {sky} instead of {wanted}");
        }
    }
}
