//! Files of several images: a sequence is as many frames, the parts of a mosaic are not.

use std::path::Path;

use photosite::inventory::KindOverrides;
use photosite::measure::offer_files;
use photosite::run::named_frames;
use photosite_file::atomic::Existing;
use photosite_file::fits::{FitsWriter, ImageSpec, Sample};
use photosite_pix::{FrameKind, Header, Plane};
use photosite_sim::{Counts, FramePlan, Night, Preset, SimFrame, Simulation};

use crate::night::{request, run, write_plane};

const SIZE: photosite_pix::Size = photosite_pix::Size { width: 120, height: 90 };

/// Writes frames as the images of one file, each with cards of its own.
fn write_images(path: &Path, frames: &[SimFrame], more: impl Fn(usize, &mut Header)) {
    let sample = Sample::U16 { pedestal_adu: 0.0 };
    let spec = |(i, frame): (usize, &SimFrame)| {
        let mut header = frame.header.clone();
        more(i, &mut header);
        ImageSpec { name: None, size: frame.adu.size(), planes: 1, sample, header }
    };
    let specs = frames.iter().enumerate().map(spec).collect();
    let writer = FitsWriter::create(path, specs, Vec::new(), Existing::Refuse).unwrap();
    for (i, frame) in frames.iter().enumerate() {
        writer.write_rows(i, 0, 0, frame.adu.as_slice()).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn a_sequence_is_as_many_frames_and_a_mosaic_of_amplifiers_is_not() {
    for preset in [Preset::CmosMono, Preset::CmosOsc] {
        for (part, frames) in
            [(None, 5), (Some("DETSEC"), 1), (Some("CCDSEC"), 1), (Some("EXTNAME"), 1)]
        {
            let mut night = Night::preset(preset, SIZE, 3);
            night.counts = Counts { bias: 0, darks: 5, flats: 0, dark_flats: 0, lights: 3 };
            let simulation = Simulation::new(night);
            let folder = tempfile::tempdir().unwrap();
            let plans: Vec<FramePlan> = simulation.frames();
            let (darks, lights): (Vec<_>, Vec<_>) = plans.iter().partition(|p| p.folder == "darks");
            let darks: Vec<SimFrame> = darks.iter().map(|p| simulation.render(p)).collect();
            write_images(&folder.path().join("darks/darks_seq.fits"), &darks, |i, header| {
                if let Some(key) = part {
                    header.set_text(key, &format!("[{}:{},1:90]", 120 * i + 1, 120 * (i + 1)), "");
                }
            });
            for plan in &lights {
                let frame = simulation.render(plan);
                let path = folder.path().join("lights").join(&plan.file_name);
                let sample = Sample::U16 { pedestal_adu: 0.0 };
                write_plane(&path, &Plane::clone(&frame.adu), sample, frame.header);
            }
            let out = folder.path().join("out");
            let report = run(&request(vec![folder.path().to_owned()], &out), 2);
            let codes: Vec<&str> = report.findings.iter().map(|f| &*f.code).collect();
            assert_eq!(report.masters[0].frames, frames, "{part:?} {codes:?}");
            assert_eq!(codes.contains(&"images-of-one-file"), part.is_none(), "{codes:?}");
            assert_eq!(codes.contains(&"images-passed-over"), part.is_some(), "{codes:?}");
        }
    }
}

#[test]
fn lights_of_one_file_are_calibrated_under_names_of_their_own() {
    let mut night = Night::preset(Preset::Ccd, SIZE, 3);
    night.counts = Counts { bias: 3, darks: 3, flats: 0, dark_flats: 0, lights: 3 };
    let simulation = Simulation::new(night);
    let folder = tempfile::tempdir().unwrap();
    let mut lights = Vec::new();
    for plan in simulation.frames() {
        let frame = simulation.render(&plan);
        if plan.folder == "lights" {
            lights.push(frame);
            continue;
        }
        let path = folder.path().join(plan.folder).join(&plan.file_name);
        write_plane(&path, &frame.adu, Sample::U16 { pedestal_adu: 0.0 }, frame.header);
    }
    write_images(&folder.path().join("lights/m00.fits"), &lights, |_, _| {});
    let out = folder.path().join("out");
    let report = run(&request(vec![folder.path().to_owned()], &out), 2);
    assert_eq!(report.lights.len(), 3, "{:?}", report.findings);
    for name in ["m00_0.fits", "m00_1.fits", "m00_2.fits"] {
        assert!(out.join("calibrated").join(name).is_file(), "{name}");
    }
    // A second time nothing is made anew.
    let again = run(&request(vec![folder.path().to_owned()], &out), 2);
    assert!(again.masters.iter().all(|m| m.reused), "{:?}", again.findings);
}

#[test]
fn a_sequence_that_is_named_is_all_its_images_and_others_of_its_file_are_told_of() {
    let mut night = Night::preset(Preset::CmosMono, SIZE, 3);
    night.counts = Counts { bias: 0, darks: 4, flats: 0, dark_flats: 0, lights: 0 };
    let simulation = Simulation::new(night);
    let folder = tempfile::tempdir().unwrap();
    let darks: Vec<SimFrame> = simulation.frames().iter().map(|p| simulation.render(p)).collect();
    let path = folder.path().join("darks.fits");
    write_images(&path, &darks, |_, _| {});
    let work = photosite::Workplace::new();
    let (frames, findings) = named_frames(
        std::slice::from_ref(&path),
        FrameKind::Dark,
        &KindOverrides::default(),
        &work.context(),
    )
    .unwrap();
    assert_eq!(frames.len(), 4, "{findings:?}");
    let (offered, findings) = offer_files(std::slice::from_ref(&path), &work.context()).unwrap();
    assert_eq!(offered.len(), 4, "{findings:?}");
    // One more image, of fewer rows.
    let mut cut = simulation.render(&simulation.frames()[0]);
    let rows = SIZE.height - 10;
    let samples = cut.adu.as_slice()[..rows * SIZE.width].to_vec();
    cut.adu = Plane::from_vec(photosite_pix::Size::new(SIZE.width, rows), samples).unwrap();
    let frames: Vec<SimFrame> = darks.into_iter().chain([cut]).collect();
    let mixed = folder.path().join("mixed");
    write_images(&mixed.join("darks.fits"), &frames, |_, _| {});
    let report = run(&request(vec![mixed.clone()], &folder.path().join("out")), 2);
    assert_eq!(report.masters[0].frames, 4, "{:?}", report.findings);
    assert!(report.findings.iter().any(|f| f.code == "images-passed-over"));
    // A file of the name of one of its images hides it.
    std::fs::copy(&path, mixed.join("darks.fits[2]")).unwrap();
    let report = run(&request(vec![mixed], &folder.path().join("other")), 2);
    let told = |f: &photosite::Finding| f.code == "images-passed-over" && f.message.contains("[2]");
    assert!(report.findings.iter().any(told), "{:?}", report.findings);
}
