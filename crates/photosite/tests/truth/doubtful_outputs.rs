//! Overscans that see light, outputs without a gain, masters of other outputs; masters made again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use photosite::detector::Linearity;
use photosite::diagnose::Verdict;
use photosite::inventory::KindOverrides;
use photosite::params::OverscanChoice;
use photosite::report::RunReport;
use photosite::run::{NamedMaster, master_of_named, verify_products};
use photosite_file::fits::{Column, FitsWriter, ImageSpec, Sample, Table, read_frame};
use photosite_pix::linearity::Curve;
use photosite_pix::{Card, Frame, FrameKind, Header, Plane, Size};
use photosite_sim::{Preset, SimFrame, Simulation, Stored, store};

use crate::night::stored::write_units;
use crate::night::{request, run, run_context, with};
use crate::outputs::{SIZE, left, night, outputs, sigma};

type Units = Vec<(Header, Option<Plane<f32>>)>;

/// A night whose stored frames were changed, calibrated.
fn calibrated(
    simulation: &Simulation,
    (flats, stored): (bool, Stored),
    change: &dyn Fn(FrameKind, &SimFrame, &mut Units),
) -> (RunReport, Vec<(Frame, SimFrame)>) {
    let folder = tempfile::tempdir().unwrap();
    let outputs = simulation.night().sensor.outputs.as_ref().unwrap();
    let plans = simulation.frames();
    for plan in plans.iter().filter(|p| flats || p.kind != FrameKind::Flat) {
        let frame = simulation.render(plan);
        let mut units = store(&frame, outputs, stored);
        change(plan.kind, &frame, &mut units);
        write_units(&folder.path().join(plan.folder).join(&plan.file_name), &units);
    }
    let output = folder.path().join("out");
    let asked = with(request(vec![folder.path().to_owned()], &output), |n| n.stack = false);
    let report = run(&asked, 2);
    let lights = plans.iter().filter(|p| p.kind == FrameKind::Light).filter_map(|plan| {
        let path = output.join("calibrated").join(&plan.file_name);
        path.exists().then(|| (read_frame(&path).unwrap().0, simulation.render(plan)))
    });
    let lights = lights.collect();
    (report, lights)
}

/// Steps between the halves of what is left of lights, in sigma of a pixel, the worst.
fn step(lights: &[(Frame, SimFrame)]) -> f64 {
    let of = |(frame, raw): &(Frame, SimFrame)| {
        let (off, _) = left(frame, raw);
        let half = |right: bool| {
            let part = |x: usize, _: usize| (x >= SIZE.width / 2) == right;
            crate::night::mean_where(&off, part).mean
        };
        (half(true) - half(false)).abs() / sigma(&off)
    };
    lights.iter().map(of).fold(0.0, f64::max)
}

fn tells(report: &RunReport, code: &str) -> bool {
    report.findings.iter().any(|f| f.code == code)
}

/// Light that reaches the overscan, and an overscan among the lit pixels, are found out; the level comes from
/// the bias then, and what is left is what an honest overscan leaves.
#[test]
fn an_overscan_that_brightens_is_named_and_not_used() {
    for preset in [Preset::Ccd, Preset::CmosOsc] {
        let mut night = night(preset, outputs(1, 1));
        if let Some(outputs) = &mut night.sensor.outputs {
            (outputs.wander_adu, outputs.drift_adu) = (0.0, 0.0);
        }
        night.flat_level_e = 30_000.0;
        let simulation = Simulation::new(night);
        let honest = calibrated(&simulation, (true, Stored::Beside), &|_, _, _| {});
        assert!(!tells(&honest.0, "overscan-brightens"), "{:?}", honest.0.findings);
        // A hundredth of the light beside it, all over the overscan.
        let bleeds = |_: FrameKind, frame: &SimFrame, units: &mut Units| {
            let Some(plane) = &mut units[0].1 else { return };
            let level = frame.truth.levels_adu[0].iter().sum::<f64>()
                / frame.truth.levels_adu[0].len() as f64;
            for y in 0..SIZE.height {
                let row = plane.row_mut(y);
                let beside = &row[SIZE.width - 16..SIZE.width];
                let light = beside.iter().map(|v| f64::from(*v)).sum::<f64>() / 16.0 - level;
                row[SIZE.width..].iter_mut().for_each(|v| *v += (0.01 * light).round() as f32);
            }
        };
        // The header counts the overscan 24 columns too far to the left, the light with it.
        let overlaps = |_: FrameKind, _: &SimFrame, units: &mut Units| {
            let header = &mut units[0].0;
            header.set(Card::string("BIASSEC", "[353:376,1:320]", ""));
            header.set(Card::string("TRIMSEC", "[1:352,1:320]", ""));
        };
        let bled = calibrated(&simulation, (true, Stored::Beside), &bleeds);
        assert!(tells(&bled.0, "overscan-brightens"), "{:?}", bled.0.findings);
        assert_eq!(bled.1.len(), 2);
        let spread = |lights: &[(Frame, SimFrame)]| {
            lights.iter().map(|(f, raw)| sigma(&left(f, raw).0)).fold(0.0, f64::max)
        };
        let per_e = |lights: &[(Frame, SimFrame)]| left(&lights[0].0, &lights[0].1).1;
        let (a, b) = (spread(&bled.1), spread(&honest.1));
        println!(
            "{}: {a:.3} ADU left, honest {b:.3}; ADU an electron {:.5}, {:.5}",
            preset.name(),
            per_e(&bled.1),
            per_e(&honest.1)
        );
        assert!(a < 1.05 * b, "{a} {b}");
        // Taken off, it would have dimmed the light by a hundredth.
        assert!((per_e(&bled.1) / per_e(&honest.1) - 1.0).abs() < 0.003);
        let lied = calibrated(&simulation, (true, Stored::Beside), &overlaps);
        assert!(tells(&lied.0, "overscan-brightens"), "{:?}", lied.0.findings);
    }
}

/// Two outputs, one of which names no gain: a flat evens them, without one the step is named.
#[test]
fn an_output_without_a_gain_is_named() {
    for preset in [Preset::Ccd, Preset::CmosOsc] {
        for flats in [true, false] {
            let simulation = Simulation::new(night(preset, outputs(2, 2)));
            let silent = |_: FrameKind, _: &SimFrame, units: &mut Units| {
                units[0].0.remove("GAINB");
            };
            let (report, lights) = calibrated(&simulation, (flats, Stored::Beside), &silent);
            let seam = step(&lights);
            println!("{} flats {flats}: step {seam:.3} sigma", preset.name());
            assert!(tells(&report, "amplifier-gain-missing"));
            assert_eq!(seam < 0.1, flats, "{seam}");
        }
    }
}

/// Outputs whose gains are far apart: a flat holds them as its lights do.
#[test]
fn a_flat_through_unlike_outputs_fits_its_lights() {
    let mut night = night(Preset::Ccd, outputs(2, 4));
    if let Some(outputs) = &mut night.sensor.outputs {
        let each = outputs.each.iter_mut().zip([0.7, 1.2, 1.5, 0.9]);
        each.for_each(|(output, times)| output.gain_e_per_adu *= times);
    }
    let (report, _) =
        calibrated(&Simulation::new(night), (true, Stored::Extensions), &|_, _, _| {});
    assert!(!tells(&report, "flat-does-not-fit"), "{:?}", report.findings);
    for light in &report.lights {
        assert_eq!(light.verdict, Some(Verdict::Good), "{:?}", light.flat_fit);
    }
}

/// Biases that were read through one output have no part in lights of two.
#[test]
fn frames_of_other_outputs_are_left_out() {
    let simulation = Simulation::new(night(Preset::Ccd, outputs(2, 2)));
    let through_rows = |kind: FrameKind, _: &SimFrame, units: &mut Units| {
        if kind == FrameKind::Bias {
            let header = &mut units[0].0;
            for (letter, rows) in [("A", "1:160"), ("B", "161:320")] {
                header.set(Card::string(
                    &format!("DATASEC{letter}"),
                    &format!("[1:384,{rows}]"),
                    "",
                ));
                header.set(Card::string(
                    &format!("CCDSEC{letter}"),
                    &format!("[1:384,{rows}]"),
                    "",
                ));
                let over = if letter == "A" { "385:416" } else { "417:448" };
                header.set(Card::string(
                    &format!("BIASSEC{letter}"),
                    &format!("[{over},{rows}]"),
                    "",
                ));
            }
        }
    };
    let (report, _) = calibrated(&simulation, (true, Stored::Beside), &through_rows);
    assert!(tells(&report, "amplifiers-differ"), "{:?}", report.findings);
    // The level of a dark stands in for them.
    let stands_in =
        |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with("level_of_");
    let biases = report.masters.iter().filter(|m| m.kind == FrameKind::Bias);
    assert!(biases.into_iter().all(|m| stands_in(&m.path)));
}

/// Masters made with an overscan and a linearity named by hand are made again from what they say themselves.
#[test]
fn masters_of_named_overscans_and_curves_are_verified() {
    let simulation = Simulation::new(night(Preset::Ccd, outputs(1, 1)));
    let folder = tempfile::tempdir().unwrap();
    let outputs = simulation.night().sensor.outputs.as_ref().unwrap();
    let mut darks: Vec<PathBuf> = Vec::new();
    for plan in simulation.frames().iter().filter(|p| p.kind == FrameKind::Dark) {
        let mut units = store(&simulation.render(plan), outputs, Stored::Beside);
        ["BIASSEC", "TRIMSEC"].iter().for_each(|key| units[0].0.remove(key));
        let path = folder.path().join(&plan.file_name);
        write_units(&path, &units);
        darks.push(path);
    }
    let curve = Curve::polynomial(&[6e-7], Some(60_000.0)).unwrap();
    for (overscan, linearity) in [(true, false), (false, true), (true, true)] {
        let output = folder.path().join(format!("master_{overscan}_{linearity}.fits"));
        let region = "384,0,32,320".to_owned();
        let by_hand = KindOverrides {
            overscan: match overscan {
                true => OverscanChoice::new(&[region], "row").unwrap(),
                false => OverscanChoice::default(),
            },
            linearity: linearity.then(|| Arc::new(Linearity::new(None, vec![curve.clone()]))),
            ..KindOverrides::default()
        };
        run_context(2, |context| {
            let asked =
                with(NamedMaster::new(FrameKind::Dark, &darks, &output), |m| m.by_hand = by_hand);
            master_of_named(&asked, context).unwrap();
            let done = verify_products(std::slice::from_ref(&output), &[], context).unwrap();
            assert!(done[0].verified, "{overscan} {linearity}: {:?}", done[0]);
        });
    }
}

/// Curves in a FITS table are those of the file of text.
#[test]
fn a_fits_table_holds_curves() {
    let folder = tempfile::tempdir().unwrap();
    let (measured, truth) = ([10_000.0, 30_000.0, 50_000.0], [10_100.0, 30_900.0, 52_600.0]);
    let write = |name: &str, columns: Vec<(&str, Column)>| {
        let path = folder.path().join(name);
        let size = Size::new(1, 1);
        let sample = Sample::F32;
        let spec = ImageSpec { name: None, size, planes: 1, sample, header: Header::new() };
        let columns = columns.into_iter().map(|(n, c)| (n.to_owned(), c)).collect();
        let table = Table { name: "LINEARITY".to_owned(), columns };
        let existing = photosite_file::atomic::Existing::Refuse;
        let writer = FitsWriter::create(&path, vec![spec], vec![table], existing).unwrap();
        writer.write_rows(0, 0, 0, &[0.0]).unwrap();
        writer.finish().unwrap();
        path
    };
    let read = |path: &Path| Linearity::read(path);
    let both = |v: &[f64]| Column::Real([v, v].concat());
    let of_outputs = write(
        "outputs.fits",
        vec![
            ("MEASURED", both(&measured)),
            ("TRUE", both(&truth)),
            ("AMPLIFIER", Column::Integer(vec![1, 1, 1, 2, 2, 2])),
        ],
    );
    let curves = read(&of_outputs).unwrap().curves;
    let wanted = Curve::table(&measured, &truth, Some(50_000.0)).unwrap();
    assert_eq!(curves, [wanted.clone().of(None, Some(1)), wanted.clone().of(None, Some(2))]);
    let plain = write(
        "plain.fits",
        vec![("MEASURED", Column::Real(measured.to_vec())), ("TRUE", Column::Real(truth.to_vec()))],
    );
    assert_eq!(read(&plain).unwrap().curves, [wanted]);
    let falling = write(
        "falling.fits",
        vec![
            ("MEASURED", Column::Real(truth.to_vec())),
            ("TRUE", Column::Real(vec![3.0, 2.0, 1.0])),
        ],
    );
    assert!(read(&falling).unwrap_err().to_string().contains("must rise"));
    let without = write("without.fits", vec![("OTHER", Column::Real(vec![1.0]))]);
    assert!(read(&without).unwrap_err().to_string().contains("MEASURED"));
}
