//! What a night does with flats that its lights confirm or contradict.

use std::path::Path;

use photosite::Finding;
use photosite::calibrate::flat_fit::FlatAnswer;
use photosite::finding::Severity;
use photosite::report::LightReport;
use photosite_pix::{Card, FrameKind, Size};
use photosite_sim::{Effects, FlatOptics, Night, Preset, Simulation};

use crate::night::{request, run, with, write_as};

fn night() -> Night {
    let mut night = Night::preset(Preset::CmosMono, Size::new(448, 336), 3);
    night.effects -= Effects::TRAIL | Effects::COSMIC_RAYS;
    let counts = &mut night.counts;
    (counts.bias, counts.darks, counts.dark_flats, counts.flats, counts.lights) = (4, 5, 5, 6, 2);
    night
}

/// Writes frames of some kinds, whose headers name a focal length.
fn frames(folder: &Path, night: Night, kinds: &[FrameKind], focal_mm: f64) {
    let counts = night.counts;
    let only = |kind: FrameKind| if kinds.contains(&kind) { counts.of(kind) } else { 0 };
    let counts = photosite_sim::Counts {
        bias: only(FrameKind::Bias),
        darks: only(FrameKind::Dark),
        flats: only(FrameKind::Flat),
        dark_flats: only(FrameKind::DarkFlat),
        lights: only(FrameKind::Light),
    };
    let simulation = Simulation::new(Night { counts, ..night });
    write_as(&simulation, folder, |plan| {
        let frame = with(simulation.render(plan), |f| {
            f.header.set(Card::real("FOCALLEN", focal_mm, "[mm]"));
        });
        (plan.clone(), frame)
    });
}

const REST: [FrameKind; 4] =
    [FrameKind::Bias, FrameKind::Dark, FrameKind::DarkFlat, FrameKind::Light];

fn optics(change: impl FnOnce(&mut FlatOptics)) -> Night {
    let optics = with(FlatOptics::default(), change);
    Night { flat_optics: Some(optics), ..night() }
}

/// Calibrates a folder: its first light, and what was said of flats.
fn calibrated(folder: &Path) -> (LightReport, Vec<Finding>) {
    let asked = request(vec![folder.to_owned()], &folder.join("out"));
    let report = run(&with(asked, |n| n.stack = false), 2);
    for f in &report.findings {
        println!("{:?} {}: {}", f.severity, f.code, f.message);
    }
    assert_eq!(report.lights.len(), 2);
    let of_flats = |f: &Finding| f.code.starts_with("flat-") && f.code != "flat-by-bias";
    let findings = report.findings.into_iter().filter(of_flats).collect();
    (report.lights.into_iter().next().unwrap(), findings)
}

/// A flat of 480 mm, one of 800 mm where there is a second; the lights are of 480 mm.
struct Row {
    name: &'static str,
    lights: Night,
    flats: Vec<(Night, f64)>,
    answer: FlatAnswer,
    /// Code, severity and parts of the message.
    told: Option<(&'static str, Severity, &'static [&'static str])>,
    /// The flat used, by its place above.
    used: Option<usize>,
}

#[test]
fn lights_decide_which_flat_is_used_and_what_is_told() {
    let turned = || optics(|o| o.turned_deg = 180.0);
    let moved = || optics(|o| o.dust_moved = 1.0);
    let flat_light = || with(night(), |n| n.effects -= Effects::VIGNETTING | Effects::DUST);
    let rows = [
        Row {
            name: "the right flat",
            lights: night(),
            flats: vec![(night(), 480.0)],
            answer: FlatAnswer::Fits,
            told: None,
            used: Some(0),
        },
        Row {
            name: "the right flat, another focal length in its header",
            lights: night(),
            flats: vec![(night(), 800.0)],
            answer: FlatAnswer::Fits,
            told: Some(("flat-fits-doubt", Severity::Info, &["focal length", "slope", "dust"])),
            used: Some(0),
        },
        Row {
            name: "turned",
            lights: night(),
            flats: vec![(turned(), 480.0)],
            answer: FlatAnswer::Turned,
            told: Some(("flat-turned", Severity::Warning, &["these 2 lights", "180.0 degrees"])),
            used: Some(0),
        },
        Row {
            name: "dust moved",
            lights: night(),
            flats: vec![(moved(), 480.0)],
            answer: FlatAnswer::DoesNotFit,
            told: Some(("flat-does-not-fit", Severity::Warning, &["dust", "it is used"])),
            used: Some(0),
        },
        Row {
            name: "headers speak for the wrong one",
            lights: night(),
            flats: vec![(turned(), 480.0), (night(), 800.0)],
            answer: FlatAnswer::Fits,
            told: Some(("flat-changed", Severity::Warning, &["headers speak for", "is used"])),
            used: Some(1),
        },
        Row {
            name: "none of two fits",
            lights: night(),
            flats: vec![(moved(), 480.0), (optics(|o| o.corner_light = Some(0.4)), 800.0)],
            answer: FlatAnswer::DoesNotFit,
            told: Some(("flat-does-not-fit", Severity::Warning, &["no other flat", "it is used"])),
            used: Some(0),
        },
        Row {
            name: "a light that is flat already",
            lights: flat_light(),
            flats: vec![(night(), 480.0)],
            answer: FlatAnswer::DoesNotFit,
            told: Some(("flat-does-not-fit", Severity::Warning, &["no flat is used"])),
            used: None,
        },
    ];
    for row in rows {
        println!("{}", row.name);
        let dir = tempfile::tempdir().unwrap();
        frames(dir.path(), row.lights, &REST, 480.0);
        for (i, (night, focal_mm)) in row.flats.iter().enumerate() {
            let folder = dir.path().join(format!("set{i}"));
            frames(&folder, night.clone(), &[FrameKind::Flat], *focal_mm);
        }
        let (light, findings) = calibrated(dir.path());
        let fit = light.flat_fit.expect("the flat was looked at");
        assert_eq!(fit.answer, row.answer, "{}: {fit:?}", row.name);
        let codes: Vec<&str> = findings.iter().map(|f| &*f.code).collect();
        match row.told {
            None => assert!(codes.is_empty(), "{}: {codes:?}", row.name),
            Some((code, severity, parts)) => {
                assert_eq!(codes, [code], "{}", row.name);
                assert_eq!(findings[0].severity, severity);
                for part in parts {
                    assert!(findings[0].message.contains(part), "{}", findings[0].message);
                }
            }
        }
        let used =
            light.flat.as_ref().map(|p| p.file_name().unwrap().to_string_lossy().into_owned());
        assert_eq!(used.is_some(), row.used.is_some(), "{}: {used:?}", row.name);
        let wanted = findings.first().and_then(|f| f.evidence.get("used")).cloned();
        if let (Some(used), Some(wanted)) = (&used, wanted) {
            assert_eq!(wanted, serde_json::json!(used));
        }
        if row.used == Some(1) {
            assert_ne!(findings[0].evidence["flat"], findings[0].evidence["used"]);
        }
        assert_eq!(light.steps.iter().any(|s| s == "flat"), row.used.is_some());
    }
}
