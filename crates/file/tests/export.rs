//! Files of one night stand on one scale in every format that is written.

use std::path::Path;

use photosite_file::atomic::Existing;
use photosite_file::fits::{FrameSpec, Sample, write_frame};
use photosite_file::{ErrorKind, Export, Range, open, probe, read_image, write_image};
use photosite_pix::{Frame, Header, Plane, Size, Unit};

/// A FITS file of these samples in a row.
fn fits(path: &Path, samples: &[f32], unit: Unit) {
    let plane = Plane::from_vec(Size::new(samples.len(), 1), samples.to_vec()).unwrap();
    let header = Header::new();
    let spec = FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
    write_frame(path, &[&Frame::new(plane, unit)], spec, Existing::Replace).unwrap();
}

fn export(range: Range, sample: Sample) -> Export {
    Export { sample, range, existing: Existing::Replace }
}

fn bounds(path: &Path) -> String {
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let from = text.find("bounds=\"").unwrap() + 8;
    text[from..].split('"').next().unwrap().to_owned()
}

#[test]
fn bounds_do_not_follow_the_samples() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("a.fits"), dir.path().join("a.xisf"));
    for (unit, samples, said, beyond) in [
        (Unit::Adu, vec![1.0, 500.0, f32::NAN], "0:65535", 0),
        (Unit::Adu, vec![-20.0, 500.0, -1e-3], "0:65535", 2),
        (Unit::Adu, vec![500.0, 70_000.0, 65_535.0], "0:65535", 1),
        (Unit::Electron, vec![500.0, 1e6], "0:65535", 1),
        (Unit::Relative, vec![0.9, 1.0, 1.1], "0:2", 0),
        (Unit::Relative, vec![0.9, 1.0, 3.1], "0:2", 1),
    ] {
        fits(&from, &samples, unit);
        let header = probe(&from).unwrap().header;
        let how = export(Range::AsIs, Sample::F32);
        let told = write_image(&to, &*open(&from).unwrap(), &header, how).unwrap();
        assert_eq!((bounds(&to).as_str(), told.beyond), (said, beyond), "{samples:?}");
        let (back, _) = read_image(&to).unwrap();
        let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits();
        assert!(back.as_slice().iter().zip(&samples).all(same), "{samples:?}");
    }
}

#[test]
fn samples_relative_to_1_become_no_whole_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let flat = dir.path().join("flat.fits");
    let whole = Sample::U16 { pedestal_adu: 0.0 };
    for (unit, sample, written) in [
        (Unit::Relative, whole, false),
        (Unit::Relative, Sample::F32, true),
        (Unit::Adu, whole, true),
        (Unit::Electron, whole, true),
    ] {
        fits(&flat, &[0.8, 0.9, 1.0, 1.2], unit);
        let (source, header) = (open(&flat).unwrap(), probe(&flat).unwrap().header);
        for ending in ["fits", "xisf", "tif"] {
            let path = dir.path().join(format!("made.{ending}"));
            let done = write_image(&path, &*source, &header, export(Range::AsIs, sample));
            assert_eq!(done.is_ok(), written, "{unit:?} {sample:?} {ending}");
        }
    }
}

#[test]
fn a_range_from_0_to_1_comes_back_as_adu() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("a.fits");
    let mut samples: Vec<f32> = (0..=65535u16).step_by(15).map(f32::from).collect();
    samples.extend([-30.0, 70_000.0, 123.456]);
    fits(&from, &samples, Unit::Adu);
    let header = probe(&from).unwrap().header;
    for ending in ["xisf", "tif"] {
        let to = dir.path().join(format!("a.{ending}"));
        let how = export(Range::Adu16, Sample::F32);
        let told = write_image(&to, &*open(&from).unwrap(), &header, how).unwrap();
        assert_eq!(told.beyond, 2, "{ending}");
        let (back, h) = read_image(&to).unwrap();
        for (a, b) in back.as_slice().iter().zip(&samples) {
            let exact = b.fract() == 0.0 && (0.0..=65535.0).contains(b);
            let reach = if exact { 0.0 } else { b.abs() * 2e-7 };
            assert!((a - b).abs() <= reach, "{ending}: {a} for {b}");
        }
        assert_eq!(h.get("PSUNIT"), None);
        if ending == "xisf" {
            assert_eq!(bounds(&to), "0:1");
        }
    }
    // The samples in the file itself run from 0 to 1.
    let bytes = std::fs::read(dir.path().join("a.tif")).unwrap();
    let one = 1.0f32.to_le_bytes();
    assert!(bytes.windows(4).any(|w| w == one), "65535 ADU stand there as 1");
    let refused = |name: &str, how| {
        let made = write_image(&dir.path().join(name), &*open(&from).unwrap(), &header, how);
        assert_eq!(made.unwrap_err().kind(), ErrorKind::Request, "{name}");
    };
    refused("b.fits", export(Range::Adu16, Sample::F32));
    refused("b.tif", export(Range::Adu16, Sample::U16 { pedestal_adu: 0.0 }));
    fits(&from, &[1.0], Unit::Relative);
    let flat = probe(&from).unwrap().header;
    let made = write_image(
        &dir.path().join("b.xisf"),
        &*open(&from).unwrap(),
        &flat,
        export(Range::Adu16, Sample::F32),
    );
    assert!(made.is_err(), "a flat counts no ADU");
}
