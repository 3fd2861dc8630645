//! Masters of other programs: which way up they lie, what they count, and whether a flat holds its bias.

use std::path::{Path, PathBuf};

use photosite::calibrate::dark::DarkSource;
use photosite::diagnose::Verdict;
use photosite::run::{NamedBias, NamedLights, calibrate_named};
use photosite_file::fits::Sample;
use photosite_pix::{Card, FrameKind, Header, Plane, stat};
use photosite_sim::{Preset, Simulation};

use crate::night::{run_context, write_plane};
use crate::scant::{SIZE, calibrated, codes, is_flat, night, skies};

/// The masters that another program makes of a night's frames, and the means of its biases.
struct Masters {
    bias: Plane<f32>,
    dark: Plane<f32>,
    /// Freed of its bias.
    flat: Plane<f32>,
}

impl Masters {
    fn of(simulation: &Simulation) -> Self {
        let mean = |kind: FrameKind| {
            let plans = simulation.frames().into_iter().filter(|p| p.kind == kind);
            let frames: Vec<Plane<f32>> = plans.map(|p| simulation.render(&p).adu).collect();
            let sum = |x, y| frames.iter().map(|f| f.get(x, y)).sum::<f32>();
            Plane::from_fn(SIZE, |x, y| sum(x, y) / frames.len() as f32)
        };
        let (bias, dark) = (mean(FrameKind::Bias), mean(FrameKind::Dark));
        let flat = mean(FrameKind::Flat);
        let flat = Plane::from_fn(SIZE, |x, y| flat.get(x, y) - bias.get(x, y));
        Self { bias, dark, flat }
    }
}

/// Writes a master as another program does; `change` has the last word on its header.
fn write_master(path: &Path, text: &str, plane: &Plane<f32>, change: impl Fn(&mut Header)) {
    let mut header = Header::new();
    header.set(Card::string("IMAGETYP", text, ""));
    header.set(Card::integer("STACKCNT", 9, ""));
    for (key, value) in [("EXPTIME", 60.0), ("CCD-TEMP", -10.0), ("GAIN", 100.0), ("OFFSET", 50.0)]
    {
        header.set(Card::real(key, value, ""));
    }
    header.set(Card::string("FILTER", "L", ""));
    change(&mut header);
    write_plane(path, plane, Sample::F32, header);
}

/// Writes the lights of a night; gives their paths.
fn write_lights(
    simulation: &Simulation,
    folder: &Path,
    change: impl Fn(&mut Header),
) -> Vec<PathBuf> {
    let lights = simulation.frames().into_iter().filter(|p| p.kind == FrameKind::Light);
    lights
        .map(|plan| {
            let mut frame = simulation.render(&plan);
            change(&mut frame.header);
            let path = folder.join("raw/lights").join(&plan.file_name);
            let sample = Sample::U16 { pedestal_adu: 0.0 };
            write_plane(&path, &frame.adu, sample, frame.header);
            path
        })
        .collect()
}

#[test]
fn masters_that_lie_upside_down_are_turned_over() {
    let simulation = night(Preset::CmosMono, 3, |n| n.counts.darks = 12);
    let Masters { bias, dark, flat } = Masters::of(&simulation);
    for (name, upside_down, order, order_of_lights, told) in [
        ("as the lights", false, None, None, 0),
        ("turned", true, None, None, 3),
        ("turned, beside a header that says it", true, Some("BOTTOM-UP"), None, 3),
        ("turned, opposite headers", true, Some("BOTTOM-UP"), Some("TOP-DOWN"), 3),
        ("as the lights, opposite headers", false, Some("BOTTOM-UP"), Some("TOP-DOWN"), 3),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let says = |order: Option<&'static str>| {
            move |header: &mut Header| match order {
                Some(order) => header.set_text("ROWORDER", order, ""),
                None => header.remove("ROWORDER"),
            }
        };
        let lay = |plane: &Plane<f32>| match upside_down {
            true => Plane::from_fn(SIZE, |x, y| plane.get(x, SIZE.height - 1 - y)),
            false => plane.clone(),
        };
        let path = |name: &str| folder.path().join("raw/masters").join(name);
        let written = [
            ("bias.fits", "Master Bias", &bias),
            ("dark.fits", "Master Dark", &dark),
            ("flat.fits", "Master Flat", &flat),
        ];
        for (file, text, plane) in written {
            write_master(&path(file), text, &lay(plane), says(order));
        }
        let lights = write_lights(&simulation, folder.path(), says(order_of_lights));
        let report = calibrated(folder.path());
        let rows = |codes: &[&str]| codes.iter().filter(|c| **c == "rows-turned").count();
        assert_eq!(rows(&codes(&report)), told, "{name}: {:?}", report.findings);
        for light in &report.lights {
            assert_eq!(light.dark_source, Some(DarkSource::Matched), "{name}");
            assert_eq!(light.verdict, Some(Verdict::Good), "{name}");
        }
        is_flat(name, &skies(&simulation, folder.path()));
        let (dark, flat, output) = (path("dark.fits"), path("flat.fits"), folder.path().join("c"));
        let mut asked = NamedLights::new(&lights, &output);
        asked.bias = Some(NamedBias::File(path("bias.fits")));
        (asked.dark, asked.flat) = (Some(&*dark), Some(&*flat));
        let done = run_context(2, |context| calibrate_named(&asked, context)).unwrap();
        let of_named: Vec<&str> = done.findings.iter().map(|f| &*f.code).collect();
        assert_eq!(rows(&of_named), told, "{name}, named: {:?}", done.findings);
        assert!(!of_named.contains(&"master-contradicts"), "{name}: {:?}", done.findings);
    }
}

#[test]
fn masters_in_electrons_are_divided_by_the_gain_or_refused() {
    let simulation = night(Preset::CmosMono, 3, |n| n.counts.darks = 12);
    let Masters { bias, dark, flat } = Masters::of(&simulation);
    let gain = simulation.night().sensor.gain_e_per_adu;
    for (unit, of_lights, of_masters, refused) in [
        ("electron", true, false, false),
        ("photo-electrons", false, true, false),
        ("e-", false, false, true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let masters = [
            ("bias.fits", "Master Bias", &bias),
            ("dark.fits", "Master Dark", &dark),
            ("flat.fits", "Master Flat", &flat),
        ];
        for (file, text, plane) in masters {
            let electrons = Plane::from_fn(SIZE, |x, y| plane.get(x, y) * gain as f32);
            let path = folder.path().join("raw/masters").join(file);
            write_master(&path, text, &electrons, |header| {
                header.set_text("BUNIT", unit, "");
                if of_masters {
                    header.set(Card::real("EGAIN", gain, ""));
                }
            });
        }
        let lights = write_lights(&simulation, folder.path(), |header| {
            if !of_lights {
                header.remove("EGAIN");
            }
        });
        let report = calibrated(folder.path());
        let told = |code: &str| codes(&report).iter().filter(|c| **c == code).count();
        let [bias, dark] =
            ["bias.fits", "dark.fits"].map(|n| folder.path().join("raw/masters").join(n));
        let output = folder.path().join("c");
        let mut asked = NamedLights::new(&lights, &output);
        (asked.bias, asked.dark) = (Some(NamedBias::File(bias)), Some(&*dark));
        let named = run_context(2, |context| calibrate_named(&asked, context));
        if refused {
            assert_eq!(told("master-in-electrons"), 2, "{:?}", report.findings);
            assert!(named.unwrap_err().to_string().contains("electrons"), "{unit}");
            continue;
        }
        assert_eq!(told("master-in-electrons"), 0, "{unit}: {:?}", report.findings);
        for light in &report.lights {
            assert_eq!(light.dark_source, Some(DarkSource::Matched), "{unit}");
            assert_eq!(light.verdict, Some(Verdict::Good), "{unit}");
        }
        is_flat(unit, &skies(&simulation, folder.path()));
        let named = named.unwrap().findings;
        let divided = named.iter().filter(|f| f.message.contains("divided by"));
        assert_eq!(divided.count(), 2, "{unit}: {named:?}");
    }
}

#[test]
fn a_flat_that_holds_its_bias_is_freed_of_it_where_the_lights_show_it() {
    let simulation = night(Preset::CmosMono, 3, |n| n.counts.darks = 12);
    let Masters { bias, dark, flat } = Masters::of(&simulation);
    let mean = f64::from(stat::median(flat.as_slice())) as f32;
    for (level_adu, holds) in [(2500.0, true), (1500.0, true), (2500.0, false)] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join("raw/masters").join(name);
        let faint = Plane::from_fn(SIZE, |x, y| {
            flat.get(x, y) * level_adu / mean + if holds { bias.get(x, y) } else { 0.0 }
        });
        write_master(&path("bias.fits"), "Master Bias", &bias, |_| ());
        write_master(&path("dark.fits"), "Master Dark", &dark, |_| ());
        write_master(&path("flat.fits"), "Master Flat", &faint, |_| ());
        write_lights(&simulation, folder.path(), |_| ());
        let report = calibrated(folder.path());
        let name = format!("{level_adu} ADU, bias {holds}");
        let codes = codes(&report);
        let fits: Vec<_> = report.lights.iter().map(|l| l.flat_fit).collect();
        assert_eq!(codes.contains(&"flat-freed"), holds, "{name}: {fits:?}");
        let assumed = codes.iter().filter(|c| **c == "master-content-assumed").count();
        assert_eq!(assumed, 2, "{name}");
        for light in &report.lights {
            assert_eq!(light.verdict, Some(Verdict::Good), "{name}: {:?}", light.flat_fit);
        }
        is_flat(&name, &skies(&simulation, folder.path()));
    }
}
