//! Sets of darks that are two sets, that wander, or that are no exposures.

use std::path::Path;

use photosite::calibrate::dark::DarkSource;
use photosite::report::RunReport;
use photosite_file::fits::Sample;
use photosite_pix::{FrameKind, Plane};
use photosite_sim::{FramePlan, Preset, SimFrame, Simulation};

use crate::night::{write_as, write_plane};
use crate::scant::{SIZE, calibrated, codes, is_flat, night, skies};

const DARKS: usize = 12;

/// What becomes of a sample in ADU at a place of a frame: by the frame, the place and the frame's number.
type Change = fn(&Plane<f32>, (usize, usize), usize) -> f32;

/// A night whose frames of a kind are changed, calibrated.
pub(super) fn changed(
    simulation: &Simulation,
    kind: FrameKind,
    folder: &Path,
    change: impl Fn(&Plane<f32>, (usize, usize), usize) -> f32,
) -> RunReport {
    let render = |plan: &FramePlan| -> (FramePlan, SimFrame) {
        let mut frame = simulation.render(plan);
        if plan.kind == kind {
            let adu = &frame.adu;
            let new = Plane::from_fn(SIZE, |x, y| change(adu, (x, y), plan.index).round());
            frame.adu = new;
        }
        (plan.clone(), frame)
    };
    write_as(simulation, &folder.join("raw"), render);
    calibrated(folder)
}

fn left_out(report: &RunReport) -> usize {
    report.findings.iter().filter(|f| f.code == "frame-odd").count()
}

#[test]
fn of_two_sets_of_darks_the_lights_take_their_own() {
    let changes: [(&str, Change); 3] = [
        ("turned over", |adu, (x, y), i| {
            adu.get(x, if i % 2 == 0 { y } else { SIZE.height - 1 - y })
        }),
        ("warmer", |adu, (x, y), i| {
            let level = 502.0;
            if i % 2 == 0 { adu.get(x, y) } else { level + 1.25 * (adu.get(x, y) - level) }
        }),
        ("another level", |adu, (x, y), i| adu.get(x, y) + if i % 2 == 0 { 0.0 } else { 20.0 }),
    ];
    for preset in [Preset::CmosMono, Preset::CmosOsc] {
        for (name, change) in changes {
            if preset == Preset::CmosOsc && name != "warmer" {
                continue;
            }
            let simulation = night(preset, 3, |n| n.counts.darks = DARKS);
            let folder = tempfile::tempdir().unwrap();
            let report = changed(&simulation, FrameKind::Dark, folder.path(), change);
            let name = format!("{} {name}", preset.name());
            assert_eq!(left_out(&report), DARKS / 2, "{name}: {:?}", codes(&report));
            let matched = report.lights.iter().all(|l| l.dark_source == Some(DarkSource::Matched));
            assert!(matched, "{name}");
            if preset == Preset::CmosMono {
                is_flat(&name, &skies(&simulation, folder.path()));
            }
        }
    }
}

#[test]
fn of_the_darks_of_two_cameras_the_lights_take_their_own() {
    let (one, other) = (night(Preset::CmosMono, 3, |_| {}), night(Preset::CmosMono, 99, |_| {}));
    let folder = tempfile::tempdir().unwrap();
    for plan in other.frames().into_iter().filter(|p| p.kind == FrameKind::Dark) {
        let frame = other.render(&plan);
        let path = folder.path().join("raw/darks").join(format!("second_{}", plan.file_name));
        write_plane(&path, &frame.adu, Sample::U16 { pedestal_adu: 0.0 }, frame.header);
    }
    let report = changed(&one, FrameKind::Dark, folder.path(), |adu, (x, y), _| adu.get(x, y));
    let odd = report.findings.iter().filter(|f| f.code == "frame-odd");
    assert!(odd.clone().count() == 9 && odd.clone().all(|f| f.subject.contains("second_")));
    is_flat("two cameras", &skies(&one, folder.path()));
}

#[test]
fn a_leak_that_grows_over_the_darks_is_told_and_warmth_is_not() {
    let growing: Change =
        |adu, (x, y), i| adu.get(x, y) + 4.0 * i as f32 * (1.0 - x as f32 / SIZE.width as f32);
    let warming: Change = |adu, (x, y), i| {
        let level = 500.0;
        level + (1.0 + 0.02 * i as f32) * (adu.get(x, y) - level)
    };
    for preset in [Preset::CmosMono, Preset::Ccd] {
        for (name, change, told) in [("leak", growing, true), ("warmth", warming, false)] {
            let simulation = night(preset, 3, |n| n.counts.darks = DARKS);
            let folder = tempfile::tempdir().unwrap();
            let report = changed(&simulation, FrameKind::Dark, folder.path(), change);
            let name = format!("{} {name}: {:?}", preset.name(), codes(&report));
            assert_eq!(codes(&report).contains(&"set-drifts"), told, "{name}");
        }
    }
}

#[test]
fn frames_of_one_value_are_no_exposures() {
    let (level, bright): (Change, Change) = (|_, _, _| 500.0, |_, _, _| 20_000.0);
    for (kind, one) in
        [(FrameKind::Bias, level), (FrameKind::Dark, level), (FrameKind::Flat, bright)]
    {
        let simulation = night(Preset::CmosMono, 3, |_| {});
        let folder = tempfile::tempdir().unwrap();
        let report = changed(&simulation, kind, folder.path(), one);
        assert!(codes(&report).contains(&"frame-without-signal"), "{kind}: {:?}", codes(&report));
        let made = report.masters.iter().filter(|m| m.kind == kind).count();
        assert_eq!(made, usize::from(kind == FrameKind::Bias), "{kind}");
    }
}
