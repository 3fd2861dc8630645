//! Raw lights with flags of another program beside them: what is not to be used is not.

use std::path::Path;

use photosite::report::RunReport;
use photosite_file::atomic::Existing;
use photosite_file::fits::{FitsWriter, ImageSpec, Sample, read_frame};
use photosite_pix::{FrameKind, MaskBits, Plane};
use photosite_sim::{Preset, Simulation};

use crate::night::write_plane;
use crate::scant::{SIZE, calibrated, codes, night};

/// Pixels that a program flagged; their samples are 3000 ADU too high.
fn is_bad(x: usize, y: usize) -> bool {
    (100..140).contains(&x) && (60..64).contains(&y)
}

/// Calibrates the night with `flag` of each pixel of the lights in an extension.
fn flagged(
    simulation: &Simulation,
    folder: &Path,
    (name, flag): (&str, fn(usize, usize) -> f32),
) -> RunReport {
    for plan in simulation.frames() {
        let frame = simulation.render(&plan);
        let path = folder.join("raw").join(plan.folder).join(&plan.file_name);
        let sample = Sample::U16 { pedestal_adu: 0.0 };
        if plan.kind != FrameKind::Light {
            write_plane(&path, &frame.adu, sample, frame.header);
            continue;
        }
        let bad = |x, y| frame.adu.get(x, y) + if is_bad(x, y) { 3000.0 } else { 0.0 };
        let planes = [Plane::from_fn(SIZE, bad), Plane::from_fn(SIZE, flag)];
        let spec = |name: Option<&str>, header| ImageSpec {
            name: name.map(str::to_owned),
            size: SIZE,
            planes: 1,
            sample,
            header,
        };
        let specs = vec![spec(None, frame.header), spec(Some(name), Default::default())];
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let writer = FitsWriter::create(&path, specs, Vec::new(), Existing::Refuse).unwrap();
        for (i, plane) in planes.iter().enumerate() {
            writer.write_rows(i, 0, 0, plane.as_slice()).unwrap();
        }
        writer.finish().unwrap();
    }
    calibrated(folder)
}

#[test]
fn pixels_that_flags_speak_against_are_not_used() {
    let simulation = night(Preset::CmosMono, 12, |n| n.counts.lights = 2);
    for (name, flag, used, told) in [
        ("MASK", (|x, y| f32::from(is_bad(x, y))) as fn(usize, usize) -> f32, false, "flag"),
        ("DQ", |x, y| f32::from(u8::from(is_bad(x, y)) * 5), false, "flag"),
        // Bits of unknown meaning, and a mask of everything.
        ("DQ", |x, y| f32::from(u8::from(is_bad(x, y)) * 4), true, "meaning"),
        ("MASK", |_, _| 1.0, true, "not believed"),
        ("MASK", |_, _| 0.0, true, ""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let report = flagged(&simulation, folder.path(), (name, flag));
        let case = format!("{name} {told:?}: {:?}", codes(&report));
        let found = report.findings.iter().find(|f| f.code == "flags-of-another-program");
        assert_eq!(found.is_some(), !told.is_empty(), "{case}");
        assert!(found.is_none_or(|f| f.message.contains(told)), "{case}: {found:?}");
        for light in &report.lights {
            let path = folder.path().join("out/calibrated").join(light.path.file_name().unwrap());
            let (frame, _) = read_frame(&path).unwrap();
            let not_used = MaskBits::NO_DATA | MaskBits::INTERPOLATED;
            let left = frame.mask.get(120, 62).intersects(not_used);
            assert_eq!(left, !used, "{case}");
            let around = frame.data.get(120, 80);
            let off = (frame.data.get(120, 62) - around).abs();
            assert!(used || off.is_nan() || off < 200.0, "{case}: {off} ADU");
            assert!(!frame.mask.get(120, 80).intersects(MaskBits::NO_DATA), "{case}");
        }
    }
}
