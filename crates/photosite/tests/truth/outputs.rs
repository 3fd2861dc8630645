//! Overscans and outputs: levels that drift, amplifiers of unequal gain and level, in the layouts of
//! observatories.

use std::path::Path;

use photosite::params::{OverscanChoice, Storage};
use photosite::report::RunReport;
use photosite_file::fits::read_frame;
use photosite_pix::overscan::OverscanMethod;
use photosite_pix::{Card, Frame, FrameKind, Header, MaskBits, Plane, Rect, Size, stat};
use photosite_sim::{Effects, Night, Output, Outputs, Preset, SimFrame, Simulation, Stored, store};

use crate::night::stored::{write_stored, write_units};
use crate::night::{mean_where, request, run, with};

pub const SIZE: Size = Size::new(384, 320);

/// Outputs of unequal gain, noise and level.
pub fn outputs(across: usize, count: usize) -> Outputs {
    let each = [(1.0, 5.0, 0.0), (1.31, 6.5, 240.0), (0.86, 4.2, -170.0), (1.12, 5.6, 90.0)];
    let output = |(gain_e_per_adu, read_noise_e, level_adu): (f64, f64, f64)| Output {
        gain_e_per_adu,
        read_noise_e,
        level_adu,
        max_adu: 65_535.0,
    };
    Outputs {
        across,
        each: each.into_iter().take(count).map(output).collect(),
        overscan: 32,
        drift_adu: 12.0,
        drift_rows: 40.0,
        row_noise_adu: 0.0,
        wander_adu: 6.0,
        left_behind: 1e-3,
    }
}

pub fn night(preset: Preset, outputs: Outputs) -> Night {
    let mut night = Night::preset(preset, SIZE, 15);
    night.effects = Effects::OFFSET
        | Effects::POISSON
        | Effects::READ_NOISE
        | Effects::QUANTISATION
        | Effects::SKY
        | Effects::VIGNETTING
        | Effects::PRNU
        | Effects::DARK_CURRENT
        | night.effects & Effects::BAYER;
    night.sensor.outputs = Some(outputs);
    night.sensor.offset_adu = 900.0;
    night.sensor.bits = 16;
    night.sensor.full_well_e = 90_000.0;
    night.counts.bias = 12;
    night.counts.darks = 8;
    night.counts.flats = 8;
    night.counts.dark_flats = 0;
    night.counts.lights = 2;
    night
}

struct Done {
    report: RunReport,
    /// Calibrated lights beside what was in them.
    lights: Vec<(Frame, SimFrame)>,
    response: Plane<f32>,
}

/// Writes a night in a layout and calibrates it, without flats where they are not wanted.
fn calibrated(night: Night, stored: Stored, flats: bool, overscan: OverscanChoice) -> Done {
    let simulation = Simulation::new(night);
    let folder = tempfile::tempdir().unwrap();
    let plans = simulation.frames();
    for plan in plans.iter().filter(|p| flats || p.kind != FrameKind::Flat) {
        let path = folder.path().join(plan.folder).join(&plan.file_name);
        write_stored(&path, &simulation, &simulation.render(plan), stored);
    }
    let output = folder.path().join("out");
    let asked = with(request(vec![folder.path().to_owned()], &output), |n| {
        n.stack = false;
        n.overrides.overscan = overscan;
    });
    let report = run(&asked, 2);
    let lights = plans.iter().filter(|p| p.kind == FrameKind::Light).map(|plan| {
        let path: &Path = &output.join("calibrated").join(&plan.file_name);
        (read_frame(path).unwrap().0, simulation.render(plan))
    });
    let response = simulation.maps().response.clone();
    Done { lights: lights.collect(), report, response }
}

/// What is left of a light: calibrated less true, by the factor that fits the whole of it.
pub fn left(frame: &Frame, raw: &SimFrame) -> (Plane<f32>, f64) {
    let light = raw.truth.light_e.as_ref().unwrap();
    let good = |x: usize, y: usize| frame.mask.get(x, y) == MaskBits::empty();
    let (mut top, mut bottom) = (0.0, 0.0);
    for y in 0..frame.size().height {
        for x in (0..frame.size().width).filter(|x| good(*x, y)) {
            let l = f64::from(light.get(x, y));
            top += l * f64::from(frame.data.get(x, y));
            bottom += l * l;
        }
    }
    let per_e = top / bottom;
    let plane = Plane::from_fn(frame.size(), |x, y| {
        let off = f64::from(frame.data.get(x, y)) - per_e * f64::from(light.get(x, y));
        if good(x, y) { off as f32 } else { f32::NAN }
    });
    (plane, per_e)
}

pub fn sigma(plane: &Plane<f32>) -> f64 {
    let finite: Vec<f32> = plane.as_slice().iter().copied().filter(|v| v.is_finite()).collect();
    stat::MAD_TO_SIGMA * f64::from(stat::median_mad(&finite).1)
}

#[test]
fn outputs_of_every_layout_come_out_without_a_seam() {
    for (preset, across, count, stored) in [
        (Preset::Ccd, 2, 2, Stored::Beside),
        (Preset::CmosOsc, 2, 2, Stored::Beside),
        (Preset::Ccd, 2, 4, Stored::Blocks),
        (Preset::CmosOsc, 2, 4, Stored::Blocks),
        (Preset::Ccd, 2, 4, Stored::Extensions),
        (Preset::CmosOsc, 2, 4, Stored::Extensions),
        (Preset::Ccd, 4, 4, Stored::Chips),
        (Preset::Ccd, 2, 2, Stored::Chips),
    ] {
        for flats in [true, false] {
            let name = format!("{} {count} {stored:?} flats {flats}", preset.name());
            let mut night = night(preset, outputs(across, count));
            if !flats {
                night.effects.remove(Effects::VIGNETTING | Effects::PRNU);
            }
            let sensor = night.sensor.clone();
            let done = calibrated(night, stored, flats, OverscanChoice::default());
            for (frame, raw) in &done.lights {
                assert_eq!(frame.size(), SIZE, "{name}");
                let (off, per_e) = left(frame, raw);
                let noise = sigma(&off);
                let outputs = sensor.outputs.as_ref().unwrap();
                let regions: Vec<Rect> = (0..count).map(|i| outputs.region(i, SIZE)).collect();
                let means: Vec<f64> = regions
                    .iter()
                    .map(|r| {
                        mean_where(&off, |x, y| {
                            (r.x0..r.x1).contains(&x) && (r.y0..r.y1).contains(&y)
                        })
                        .mean
                            / noise
                    })
                    .collect();
                let spread = means.iter().copied().fold(f64::MIN, f64::max)
                    - means.iter().copied().fold(f64::MAX, f64::min);
                println!("{name}: seam {spread:.3} sigma, {means:.3?}");
                assert!(spread < 0.1, "{name}: {means:?} of {noise}");
                // A flat of mean 1 leaves the mean of response over gain.
                let through = |(r, o): (&Rect, &Output)| {
                    mean_where(&done.response, |x, y| {
                        (r.x0..r.x1).contains(&x) && (r.y0..r.y1).contains(&y)
                    })
                    .mean
                        / o.gain_e_per_adu
                };
                let expected =
                    regions.iter().zip(&outputs.each).map(through).sum::<f64>() / count as f64;
                assert!((per_e / expected - 1.0).abs() < 0.03, "{name}: {per_e}, {expected}");
                // The variance of each output is its own.
                let variance = frame.variance.as_ref().expect("gains are known");
                for (r, output) in regions.iter().zip(&outputs.each) {
                    let within =
                        |x: usize, y: usize| (r.x0..r.x1).contains(&x) && (r.y0..r.y1).contains(&y);
                    let ratio = Plane::from_fn(SIZE, |x, y| {
                        let v = f64::from(off.get(x, y)).powi(2) / f64::from(variance.get(x, y));
                        v as f32
                    });
                    let ratio = mean_where(&ratio, within).mean;
                    assert!((ratio - 1.0).abs() < 0.06, "{name}: {ratio} of {output:?}");
                }
            }
            let told = done.report.frames.iter().filter(|f| f.overscans.len() == count).count();
            assert_eq!(told, done.report.frames.len(), "{name}");
        }
    }
}

#[test]
fn drift_is_taken_out_to_the_noise_of_the_overscan() {
    for preset in [Preset::Ccd, Preset::CmosOsc] {
        let night = night(preset, outputs(1, 1));
        let read_adu = 5.0 / 1.0;
        let mut worst: Vec<(OverscanMethod, f64)> = Vec::new();
        for (method, follows) in [
            (OverscanMethod::Auto, true),
            (OverscanMethod::Row, true),
            (OverscanMethod::Fit(5), true),
            (OverscanMethod::Clipped, false),
            (OverscanMethod::Median, false),
        ] {
            let choice = OverscanChoice { method, ..OverscanChoice::default() };
            let done = calibrated(night.clone(), Stored::Beside, true, choice);
            for (frame, raw) in &done.lights {
                let (off, _) = left(frame, raw);
                let row = |y: usize| mean_where(&off, |_, at| at == y);
                let rows: Vec<_> = (0..SIZE.height).map(row).collect();
                let rms = |rows: &[crate::night::Mean]| {
                    (rows.iter().map(|m| m.mean * m.mean).sum::<f64>() / rows.len() as f64).sqrt()
                };
                // Of each row: the noise of its own mean, and of 28 columns of overscan.
                let own = rows.iter().map(|m| m.error * m.error).sum::<f64>() / rows.len() as f64;
                let limit = (own + read_adu * read_adu / 28.0).sqrt();
                let all = rms(&rows);
                println!("{} {method:?}: {all:.3} ADU, limit {limit:.3}", preset.name());
                if follows {
                    assert!(all < 1.15 * limit, "{} {method:?}: {all} of {limit}", preset.name());
                }
                worst.push((method, all));
            }
            for (i, (_, raw)) in done.lights.iter().enumerate() {
                let frames = done.report.frames.iter();
                let lights: Vec<_> = frames.filter(|f| f.kind == Some(FrameKind::Light)).collect();
                let record = &lights[i].overscans[0];
                let levels = &raw.truth.levels_adu[0];
                let high = levels.iter().copied().fold(f64::MIN, f64::max);
                let drift = high - levels.iter().copied().fold(f64::MAX, f64::min);
                assert!((record.scatter_adu - read_adu).abs() < 0.3, "{record:?}");
                assert!(
                    (record.drift_adu - drift).abs() < 0.2 * drift.max(5.0),
                    "{record:?} {drift}"
                );
            }
        }
        // Why auto is the default: nothing else is as near the truth.
        let of = |m: OverscanMethod| {
            worst.iter().filter(|(method, _)| *method == m).map(|(_, v)| *v).fold(0.0, f64::max)
        };
        let auto = of(OverscanMethod::Auto);
        assert!(auto < 0.9 * of(OverscanMethod::Row), "{worst:?}");
        assert!(auto < 0.9 * of(OverscanMethod::Clipped), "{worst:?}");
    }
}

#[test]
fn sections_that_do_not_fit_together_put_nothing_together() {
    let simulation = Simulation::new(night(Preset::Ccd, outputs(2, 4)));
    let frame = simulation.render(&simulation.frames()[0]);
    let outputs = simulation.night().sensor.outputs.as_ref().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let size_of = |name: &str, change: &dyn Fn(usize, &mut Header)| {
        let mut units = photosite_sim::store(&frame, outputs, Stored::Extensions);
        units.iter_mut().enumerate().for_each(|(i, (header, _))| change(i, header));
        let path = folder.path().join(name);
        write_units(&path, &units);
        let probe = photosite::open::probe(&path).unwrap();
        let source = photosite::open::open_stored(&path).unwrap();
        assert_eq!(source.size(), probe.size, "{name}");
        probe.size
    };
    // Data side by side, two overscans of 32 columns to their right.
    let whole = Size::new(SIZE.width + 64, SIZE.height);
    assert_eq!(size_of("whole.fits", &|_, _| {}), whole);
    let first = Size::new(SIZE.width / 2 + 32, SIZE.height / 2);
    let overlap = |i: usize, h: &mut Header| {
        if i == 2 {
            h.set(Card::string("DETSEC", "[100:291,1:160]", ""));
        }
    };
    assert_eq!(size_of("overlap.fits", &overlap), first);
    let hole = |i: usize, h: &mut Header| {
        if i == 2 {
            h.remove("DETSEC");
        }
    };
    assert_eq!(size_of("hole.fits", &hole), first);
    let beyond = |i: usize, h: &mut Header| {
        if i == 1 {
            h.set(Card::string("DATASEC", "[1:9999,1:160]", ""));
        }
    };
    assert_eq!(size_of("beyond.fits", &beyond), first);
    let huge = |i: usize, h: &mut Header| {
        if i > 0 {
            let x = 1 + (i - 1) * 192;
            h.set(Card::string("DETSEC", &format!("[{x}:{},4000000000:4000000159]", x + 191), ""));
        }
    };
    assert_eq!(size_of("row.fits", &huge), Size::new(4 * 192 + 128, 160), "four in a row");
    // Counted on a sensor that was binned 2x2.
    let binned = |i: usize, h: &mut Header| {
        let text =
            ["", "[1:384,1:320]", "[768:385,1:320]", "[1:384,640:321]", "[768:385,640:321]"][i];
        if i > 0 {
            h.set(Card::string("DETSEC", text, ""));
        }
    };
    assert_eq!(size_of("binned.fits", &binned), whole);
}

#[test]
fn an_automatic_pedestal_is_the_smallest_that_is_enough() {
    let mut night = night(Preset::Ccd, outputs(1, 1));
    night.sky.background_e_s = 0.05;
    let simulation = Simulation::new(night);
    let folder = tempfile::tempdir().unwrap();
    for plan in simulation.frames() {
        let path = folder.path().join(plan.folder).join(&plan.file_name);
        write_stored(&path, &simulation, &simulation.render(&plan), Stored::Beside);
    }
    let of = |name: &str, sample: Storage| {
        let output = folder.path().join(name);
        let asked = with(request(vec![folder.path().to_owned()], &output), |n| {
            n.stack = false;
            n.sample = sample;
        });
        run(&asked, 2)
            .lights
            .iter()
            .map(|l| {
                let path = l.output.as_deref().expect("a calibrated light");
                (read_frame(path).unwrap(), photosite::open::read_frame(path).unwrap().0)
            })
            .collect::<Vec<_>>()
    };
    let (exact, whole) = (of("f32", Storage::F32), of("u16", Storage::SixteenBitsAuto));
    let pedestals: Vec<f64> =
        whole.iter().map(|((_, h), _)| h.get_f64("PEDESTAL").expect("a pedestal")).collect();
    assert!(pedestals.windows(2).all(|p| p[0] == p[1]), "{pedestals:?}");
    let samples: Vec<f64> = exact
        .iter()
        .flat_map(|(_, frame)| frame.data.as_slice())
        .map(|v| f64::from(*v))
        .filter(|v| v.is_finite())
        .collect();
    let clipped = |pedestal: f64| samples.iter().filter(|v| **v + pedestal < -0.5).count() as f64;
    let (most, pedestal) = (1e-4 * samples.len() as f64, pedestals[0]);
    println!("pedestal {pedestal} ADU: {} of {} clipped", clipped(pedestal), samples.len());
    assert!(clipped(pedestal) <= most && clipped(pedestal - 1.0) > most && pedestal > 5.0);
    // Read back, the pedestal is gone.
    for ((_, exact), (_, whole)) in exact.iter().zip(&whole) {
        let off = Plane::from_fn(SIZE, |x, y| whole.data.get(x, y) - exact.data.get(x, y));
        assert!(mean_where(&off, |_, _| true).mean.abs() < 0.05);
    }
}

#[test]
fn an_overscan_by_hand_is_that_of_the_header() {
    let night = night(Preset::Ccd, Outputs { row_noise_adu: 6.0, ..outputs(1, 1) });
    let simulation = Simulation::new(night);
    let folder = tempfile::tempdir().unwrap();
    for plan in simulation.frames().iter().filter(|p| p.kind != FrameKind::Flat) {
        let frame = simulation.render(plan);
        let path = folder.path().join("told").join(plan.folder).join(&plan.file_name);
        write_stored(&path, &simulation, &frame, Stored::Beside);
        // The same without a word of it.
        let outputs = simulation.night().sensor.outputs.as_ref().unwrap();
        let mut units = photosite_sim::store(&frame, outputs, Stored::Beside);
        // The columns are masked, and nothing says that they tell a level.
        for (from, key) in [("masked", "BIASSEC"), ("silent", "TRIMSEC")] {
            units[0].0.remove(key);
            write_units(&folder.path().join(from).join(plan.folder).join(&plan.file_name), &units);
        }
    }
    let choice = OverscanChoice::new(&["384,0,32,320".to_owned()], "auto").unwrap();
    let of = |from: &str, overscan: OverscanChoice| {
        let output = folder.path().join("out").join(from);
        let asked = with(request(vec![folder.path().join(from)], &output), |n| {
            n.stack = false;
            n.overrides.overscan = overscan;
        });
        let report = run(&asked, 2);
        let light = report.lights[0].output.clone().expect("a calibrated light");
        let told = report.findings.iter().any(|f| f.code == "optical-black-rows");
        (read_frame(&light).unwrap().0, told)
    };
    let (told, no_word) = of("told", OverscanChoice::default());
    let (silent, _) = of("silent", choice);
    assert_eq!(told.data.as_slice(), silent.data.as_slice());
    assert_eq!((told.size(), no_word), (SIZE, false));
    let (unused, hinted) = of("masked", OverscanChoice::default());
    assert_eq!((unused.size(), hinted), (SIZE, true));
    let black = OverscanChoice::new(&["optical-black".to_owned()], "auto").unwrap();
    let (used, hinted) = of("masked", black);
    assert_eq!((told.data.as_slice(), hinted), (used.data.as_slice(), false));
    // Rows of the difference of neighbours that the columns beside them would take out.
    let rows = |frame: &Frame| {
        let level = |y: usize| f64::from(stat::median(frame.data.row(y)));
        (1..SIZE.height).map(|y| (level(y) - level(y - 1)).powi(2)).sum::<f64>()
    };
    println!("rows: {:.0} with optical black, {:.0} without", rows(&used), rows(&unused));
    assert!(rows(&used) < 0.3 * rows(&unused));
}

/// Programs write the sensors of a camera in one order or another: which is which their names say.
#[test]
fn the_order_of_extensions_does_not_matter() {
    let simulation = Simulation::new(night(Preset::Ccd, outputs(2, 4)));
    let run_of = |turned: fn(FrameKind, usize) -> bool| {
        let folder = tempfile::tempdir().unwrap();
        for plan in simulation.frames() {
            let outputs = simulation.night().sensor.outputs.as_ref().unwrap();
            let mut units = store(&simulation.render(&plan), outputs, Stored::Extensions);
            for (i, (header, _)) in units.iter_mut().enumerate().skip(1) {
                header.set(Card::string("EXTNAME", &format!("CHIP{i}"), ""));
            }
            if turned(plan.kind, plan.index) {
                units[1..].reverse();
            }
            write_units(&folder.path().join(plan.folder).join(&plan.file_name), &units);
        }
        let output = folder.path().join("out");
        let asked = with(request(vec![folder.path().to_owned()], &output), |n| n.stack = false);
        let report = run(&asked, 2);
        let lights = report.lights.iter().map(|light| {
            read_frame(light.output.as_ref().unwrap()).unwrap().0.data.as_slice().to_vec()
        });
        let codes: Vec<String> = report.findings.iter().map(|f| f.code.to_string()).collect();
        (lights.collect::<Vec<Vec<f32>>>(), codes)
    };
    let (wanted, _) = run_of(|_, _| false);
    for turned in
        [(|kind, _| kind == FrameKind::Light) as fn(FrameKind, usize) -> bool, |_, index| {
            index % 2 == 1
        }]
    {
        let (found, codes) = run_of(turned);
        assert!(!codes.iter().any(|code| code == "amplifiers-differ"), "{codes:?}");
        let alike = |a: &f32, b: &f32| a == b || a.is_nan() && b.is_nan();
        assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!(found.iter().zip(wanted).all(|(a, b)| alike(a, b)), "{codes:?}");
        }
    }
}
