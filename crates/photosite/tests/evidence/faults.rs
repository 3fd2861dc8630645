//! Nights with one thing wrong: each leads to its finding, and those that can be mended to the same
//! lights as without it.

use photosite::report::RunReport;
use photosite_file::fits::read_frame;
use photosite_pix::{FrameKind, MaskBits, Plane, Size};
use photosite_sim::{Counts, Fault, Night, Preset, Simulation};
use tempfile::TempDir;

use crate::night::{request, run, write_as, write_night};

/// Large enough for some hot pixels.
const SIZE: Size = Size { width: 320, height: 240 };

/// Faults of monochrome cameras.
const OF_MONO: [Fault; 3] = [Fault::MonoBayer, Fault::FilterInName, Fault::TwoFilters];

/// A night with a fault, calibrated below `out` of a folder.
fn calibrated(fault: Option<Fault>, preset: Preset) -> (TempDir, RunReport) {
    // Faults of one light are seen among those of a stack.
    let stack = fault.is_some_and(|f| f.conditions().is_some());
    let (size, lights) = if stack { (Size::new(512, 384), 7) } else { (SIZE, 4) };
    let mut night = Night::preset(preset, size, 5);
    night.counts = Counts { bias: 7, darks: 7, flats: 6, dark_flats: 0, lights };
    let folder = tempfile::tempdir().unwrap();
    let simulation = Simulation::new(night);
    match fault {
        None => write_night(&simulation, folder.path()),
        Some(f) => write_as(&simulation, folder.path(), |plan| f.render(&simulation, plan)),
    }
    let mut request = request(vec![folder.path().to_owned()], &folder.path().join("out"));
    request.stack = stack;
    let report = run(&request, 2);
    (folder, report)
}

#[test]
fn each_fault_is_told_by_its_code() {
    let mut silent = Vec::new();
    for preset in [Preset::CmosMono, Preset::CmosOsc, Preset::Ccd] {
        for fault in Fault::ALL {
            if preset == Preset::CmosOsc && OF_MONO.contains(&fault) {
                continue;
            }
            let (_folder, report) = calibrated(Some(fault), preset);
            if report.findings.iter().all(|f| f.code != fault.finding()) {
                let told: Vec<_> = report.findings.iter().map(|f| (&f.code, &f.message)).collect();
                silent.push(format!("{preset:?} {}: {told:#?}", fault.name()));
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn what_pixels_show_is_mended_to_the_sample() {
    for preset in [Preset::CmosMono, Preset::CmosOsc, Preset::Ccd] {
        let (clean, report) = calibrated(None, preset);
        let doubts = ["saturation-doubtful", "cfa-not-seen", "cfa-not-named", "rows-turned"];
        assert!(report.findings.iter().all(|f| !doubts.contains(&&*f.code)), "{preset:?}");
        for fault in [Fault::RowOrder, Fault::DarkUpsideDown, Fault::DataMax, Fault::MonoBayer] {
            if preset == Preset::CmosOsc && OF_MONO.contains(&fault) {
                continue;
            }
            let (spoiled, report) = calibrated(Some(fault), preset);
            assert_eq!(report.lights.len(), 4);
            for plan in Night::preset(preset, SIZE, 5).frames() {
                if plan.kind != FrameKind::Light || plan.index > 1 {
                    continue;
                }
                let light = format!("out/calibrated/{}", plan.file_name);
                let (wanted, _) = read_frame(&clean.path().join(&light)).unwrap();
                let (found, _) = read_frame(&spoiled.path().join(&light)).unwrap();
                let off = wanted
                    .data
                    .as_slice()
                    .iter()
                    .zip(found.data.as_slice())
                    .zip(wanted.mask.as_slice().iter().zip(found.mask.as_slice()))
                    .filter(|((a, b), (of_a, of_b))| {
                        let full = (**of_a | **of_b).contains(MaskBits::SATURATED);
                        a.to_bits() != b.to_bits() && !full
                    })
                    .count();
                assert_eq!(off, 0, "{preset:?} {} {light}", fault.name());
            }
        }
    }
}

/// Lights that lie both ways up, without a word in the headers, lead to the same calibrated lights;
/// upside-down flats are turned over by the response of their pixels.
#[test]
fn lights_and_flats_upside_down_are_turned_over_one_by_one() {
    for preset in [Preset::CmosMono, Preset::CmosOsc, Preset::Ccd] {
        for turned in [FrameKind::Light, FrameKind::Flat] {
            let mut night = Night::preset(preset, SIZE, 5);
            night.counts = Counts { bias: 5, darks: 6, flats: 6, dark_flats: 0, lights: 6 };
            let simulation = Simulation::new(night);
            let folder = tempfile::tempdir().unwrap();
            write_as(&simulation, folder.path(), |plan| {
                let mut frame = simulation.render(plan);
                frame.header.remove("ROWORDER");
                let of = plan.kind == turned && (turned == FrameKind::Flat || plan.index >= 4);
                if of {
                    frame.adu = upside_down(&frame.adu);
                }
                (plan.clone(), frame)
            });
            let mut request = request(vec![folder.path().to_owned()], &folder.path().join("out"));
            request.stack = false;
            let report = run(&request, 2);
            let told: Vec<_> = report.findings.iter().filter(|f| f.code == "rows-turned").collect();
            assert_eq!(told.len(), 1, "{preset:?} {turned}: {:?}", report.findings);
            assert_eq!(told[0].evidence["turned"], true, "{preset:?} {turned}: {told:?}");
        }
    }
}

fn upside_down(adu: &Plane<f32>) -> Plane<f32> {
    let rows = adu.as_slice().chunks_exact(adu.width()).rev();
    Plane::from_vec(adu.size(), rows.flatten().copied().collect()).unwrap()
}
