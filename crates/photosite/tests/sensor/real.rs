//! Frames of a real CCD, where they are there.

use crate::camera::{measure_at, named};
use crate::common;

#[test]
fn a_ccd_whose_bias_drifts() {
    let Some(data) = common::real("stl1001_2017") else { return };
    let report = measure_at(&data.join("stl1001_2017"), 2);
    let gain = named(&report, "gain", "e-/ADU").unwrap();
    assert!((gain.value.unwrap() - 1.93).abs() < 0.1, "{gain:?}");
    assert!(report.findings.iter().any(|f| f.code == "sensor-gain-differs"));
    // A median absolute deviation of whole numbers makes 6.3 of it, the variance of differences 6.7.
    let read = named(&report, "read_noise_adu", "ADU").unwrap();
    assert!((read.value.unwrap() - 6.7).abs() < 0.1, "{read:?}");
    let mean = |temp_c: f64, exposure_s: f64| {
        let found = report.measures.iter().find(|m| {
            m.name == "dark_current"
                && m.unit == "ADU/s"
                && m.method.starts_with("mean level")
                && m.temp_c.is_some_and(|t| (t - temp_c).abs() < 0.6)
                && m.exposure_s == Some(exposure_s)
        });
        found.unwrap().value.unwrap()
    };
    let falling: Vec<f64> = [10.0, 30.0, 60.0, 150.0, 300.0].map(|t| mean(-5.0, t)).to_vec();
    assert!(falling.windows(2).all(|w| w[1] < w[0]), "{falling:?}");
    assert!((falling[0] - 0.45).abs() < 0.05 && (falling[4] - 0.36).abs() < 0.02, "{falling:?}");
    assert!(mean(-10.0, 60.0) > mean(-10.0, 300.0));
    let step = report.findings.iter().find(|f| f.code == "sensor-level-step").unwrap();
    assert!((step.evidence["step_adu"].as_f64().unwrap() - 1.5).abs() < 0.6, "{step:?}");
    let doubling = named(&report, "doubling_temp", "C").unwrap();
    assert!((doubling.value.unwrap() - 5.1).abs() < 0.5, "{doubling:?}");
}
