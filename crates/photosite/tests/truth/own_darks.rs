//! Darks that are the lights' own by their labels alone: the lights' hot pixels tell, and decide.

use photosite::calibrate::dark::DarkSource;
use photosite::report::RunReport;
use photosite_pix::{Card, FrameKind, Plane, Size};
use photosite_sim::{Effects, Night, Preset, SimFrame, Simulation};

use crate::night::{request, run, with, write_as};

/// What was done to the darks of a night whose labels say that they are of 300 s, as the lights are.
struct Case {
    name: &'static str,
    exposure_s: f64,
    warmer_c: f64,
    moved: (usize, usize),
    biases: usize,
    /// How much of such a dark the lights hold; `None` where the dark is theirs.
    k: Option<f64>,
}

const RIGHT: Case =
    Case { name: "right", exposure_s: 300.0, warmer_c: 0.0, moved: (0, 0), biases: 12, k: None };

fn night(case: &Case, preset: Preset, seed: u64) -> Night {
    let mut night = Night::preset(preset, Size::new(320, 256), seed);
    night.effects -= Effects::AMP_GLOW;
    night.sensor.hot_fraction = 4e-3;
    (night.light_exposure_s, night.dark_exposure_s) = (300.0, case.exposure_s);
    night.dark_temp_c = Some(night.set_temp_c + case.warmer_c);
    night.sky.nebula_e_s = [0.0, 2.0, 6.0][seed as usize % 3];
    (night.counts.bias, night.counts.darks, night.counts.lights) = (case.biases, 9, 4);
    night
}

/// A frame whose content stands so many columns and rows further on.
fn moved(frame: &Plane<f32>, (dx, dy): (usize, usize)) -> Plane<f32> {
    let size = frame.size();
    Plane::from_fn(size, |x, y| {
        frame.get((x + size.width - dx) % size.width, (y + size.height - dy) % size.height)
    })
}

fn report(case: &Case, preset: Preset, seed: u64) -> RunReport {
    let simulation = Simulation::new(night(case, preset, seed));
    let set_temp_c = simulation.night().set_temp_c;
    let folder = tempfile::tempdir().unwrap();
    write_as(&simulation, folder.path(), |plan| {
        let mut frame: SimFrame = simulation.render(plan);
        if plan.kind == FrameKind::Dark {
            for key in ["EXPTIME", "EXPOSURE"] {
                frame.header.set(Card::real(key, 300.0, ""));
            }
            for key in ["CCD-TEMP", "SET-TEMP"] {
                frame.header.set(Card::real(key, set_temp_c, ""));
            }
            frame.adu = moved(&frame.adu, case.moved);
        }
        (plan.clone(), frame)
    });
    let output = folder.path().join("out");
    run(&with(request(vec![folder.path().to_owned()], &output), |n| n.stack = false), 2)
}

#[test]
fn labels_of_darks_are_held_against_hot_pixels() {
    let cases = [
        RIGHT,
        Case { name: "of 150 s", exposure_s: 150.0, k: Some(2.0), ..RIGHT },
        Case { name: "of 600 s", exposure_s: 600.0, k: Some(0.5), ..RIGHT },
        Case { name: "6 C warmer", warmer_c: 6.0, k: Some(0.5), ..RIGHT },
        Case { name: "no biases", exposure_s: 600.0, biases: 0, k: Some(0.5), ..RIGHT },
        Case { name: "moved far", moved: (50, 40), k: Some(0.0), ..RIGHT },
        Case { name: "no biases, right", biases: 0, ..RIGHT },
    ];
    for preset in [Preset::Ccd, Preset::CmosOsc] {
        for (case, seed) in cases.iter().zip(1..) {
            let report = report(case, preset, seed);
            let told: Vec<_> =
                report.findings.iter().filter(|f| f.code == "dark-contradicted").collect();
            let name = format!("{} {}", preset.name(), case.name);
            let Some(truth) = case.k else {
                assert!(told.is_empty(), "{name}: {told:?}");
                assert!(report.lights.iter().all(|l| l.dark_source == Some(DarkSource::Matched)));
                continue;
            };
            assert_eq!(told.len(), 1, "{name}: {:?}", report.findings);
            println!("{name}: {}", told[0].message);
            for light in &report.lights {
                let (source, k) = (light.dark_source.unwrap(), light.dark_scale.unwrap_or(0.0));
                println!("    {source:?} {k:.3}");
                if truth == 0.0 {
                    assert!(k.abs() < 0.05, "{name}: {source:?} {k}");
                } else {
                    assert_eq!(source, DarkSource::Fitted, "{name}");
                    assert!((k / truth - 1.0).abs() < 0.1, "{name}: {k}");
                }
            }
        }
    }
}

/// Within the rules for temperatures, and without a bias: the dark's own level stands in for one.
#[test]
fn a_dark_that_is_a_little_warmer_is_fitted_without_biases() {
    for preset in [Preset::Ccd, Preset::CmosOsc] {
        let case = Case { name: "1.5 C warmer", warmer_c: 1.5, biases: 0, ..RIGHT };
        let report = report(&case, preset, 3);
        for light in &report.lights {
            let k = light.dark_scale.unwrap_or(0.0);
            println!("{}: {:?} {k:.3}", preset.name(), light.dark_source);
            assert_eq!(light.dark_source, Some(DarkSource::Fitted));
            assert!((k - 0.84).abs() < 0.06, "{k}");
        }
    }
}
