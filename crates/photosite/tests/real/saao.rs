//! A frame of the STE3 CCD at the South African Astronomical Observatory, whose overscan lies left of the light.

use photosite::detector::OverscanRecord;
use photosite_file::fits::read_frame;
use photosite_pix::{Applied, Rect, Size, stat};

use crate::common;
use crate::night::{request, run, with};

#[test]
fn it_is_trimmed_and_its_level_is_that_of_its_overscan() {
    let Some(data) = common::real("odd/a8280271.fits") else { return };
    let folder = tempfile::tempdir().unwrap();
    let lights = folder.path().join("lights");
    std::fs::create_dir(&lights).unwrap();
    std::fs::copy(data.join("odd/a8280271.fits"), lights.join("a8280271.fits")).unwrap();
    let asked = request(vec![lights], &folder.path().join("out"));
    let report = run(&with(asked, |n| n.stack = false), 2);
    let [OverscanRecord { sources, target, level_adu, scatter_adu, drift_adu, .. }] =
        &report.frames[0].overscans[..]
    else {
        panic!("one overscan: {:?}", report.frames[0]);
    };
    assert_eq!((sources[0], *target), (Rect::new(3, 0, 10, 520), Rect::new(16, 0, 512, 520)));
    // By astropy: mean and standard deviation of the section are 214.04 and 3.031, and its first and last
    // hundred rows differ by 0.17.
    assert!((level_adu - 214.04).abs() < 0.1, "{level_adu}");
    assert!((scatter_adu - 3.03).abs() < 0.1, "{scatter_adu}");
    assert!(*drift_adu < 0.5, "{drift_adu}");
    let light = report.lights[0].output.as_deref().expect("a calibrated light");
    let (frame, header) = read_frame(light).unwrap();
    assert_eq!(frame.size(), Size::new(512, 520));
    assert!(header.get("BIASSEC").is_none() && header.get("TRIMSEC").is_none());
    let applied = photosite_file::keyword::read(&header).metadata.applied;
    assert!(applied.contains(Applied::OVERSCAN));
    let median = f64::from(stat::median(frame.data.as_slice()));
    assert!((median - (300.0 - level_adu)).abs() < 1.0, "{median}");
}
