//! Nights of SBIG cameras: flats that call themselves lights, many darks, a copied frame.

use photosite::finding::Severity;
use photosite_pix::FrameKind;

use crate::common;
use crate::night::{request, run};

#[test]
fn flats_that_say_light_are_known_by_their_folder() {
    let Some(data) = common::real("stl1001_2017") else { return };
    let out = tempfile::tempdir().unwrap();
    let mut request = request(vec![data.join("stl1001_2017")], &out.path().join("out"));
    request.dry_run = true;
    let report = run(&request, 2);
    let flats: Vec<_> = report.frames.iter().filter(|f| f.kind == Some(FrameKind::Flat)).collect();
    assert_eq!(flats.len(), 5);
    for flat in &flats {
        let subject = flat.path.display().to_string();
        let told =
            report.findings.iter().any(|f| f.code == "kind-contradicted" && f.subject == subject);
        assert!(told, "{subject}");
    }
    assert!(report.lights.is_empty());
}

#[test]
fn temperatures_and_exposures_make_masters_of_their_own() {
    let Some(data) = common::real("stl1001_2017") else { return };
    let out = tempfile::tempdir().unwrap();
    let report = run(&request(vec![data.join("stl1001_2017")], &out.path().join("out")), 2);
    let name = |p: &std::path::Path| p.file_name().unwrap().to_string_lossy().into_owned();
    let mut masters: Vec<(String, usize)> =
        report.masters.iter().map(|m| (name(&m.path), m.inputs.len())).collect();
    masters.sort();
    for (master, frames) in &masters {
        println!("{master}: {frames} frames");
    }
    let darks: Vec<_> = report.masters.iter().filter(|m| m.kind == FrameKind::Dark).collect();
    let mut keys: Vec<(i64, i64)> = darks
        .iter()
        .map(|m| {
            let temp = m.traits.temp_c.unwrap();
            (temp.round() as i64, m.traits.exposure_s.unwrap().round() as i64)
        })
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, [(-10, 60), (-10, 300), (-5, 10), (-5, 30), (-5, 60), (-5, 150), (-5, 300)]);
    let biases: Vec<_> = report.masters.iter().filter(|m| m.kind == FrameKind::Bias).collect();
    assert_eq!(biases.len(), 2);
    assert_eq!(report.masters.iter().filter(|m| m.kind == FrameKind::Flat).count(), 1);
    assert!(report.masters.iter().all(|m| m.path.exists()));
}

#[test]
fn a_copied_frame_counts_once() {
    let Some(data) = common::real("st7_2019") else { return };
    let out = tempfile::tempdir().unwrap();
    let report = run(&request(vec![data.join("st7_2019")], &out.path().join("out")), 2);
    let copies: Vec<_> = report.findings.iter().filter(|f| f.code == "duplicate").collect();
    assert_eq!(copies.len(), 1);
    assert!(copies[0].subject.ends_with("DarkBefore-007D120s (1).fit"), "{:?}", copies[0]);
    assert_eq!(copies[0].severity, Severity::Info);
    let of_copy = report.frames.iter().find(|f| f.path.ends_with("DarkBefore-007D120s (1).fit"));
    assert!(!of_copy.unwrap().used);
    let dark = report
        .masters
        .iter()
        .find(|m| m.kind == FrameKind::Dark && m.traits.exposure_s == Some(120.0))
        .expect("a master of the 120 s darks");
    assert_eq!(dark.inputs.len(), 4, "{:?}", dark.inputs);
}
