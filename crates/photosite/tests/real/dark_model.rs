//! Dark models of two real CCDs: one with darks of several exposures at two temperatures, one with darks
//! of three exposures and no bias.

use std::path::PathBuf;

use photosite::run::{BuiltDarkModel, build_dark_model};

use crate::common;
use crate::night::run_context;

fn model(folders: &[PathBuf]) -> BuiltDarkModel {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("model.fits");
    let built = run_context(2, |context| build_dark_model(folders, &path, context)).unwrap();
    let s = &built.summary;
    println!(
        "rate at {:.1} C {:.4?} +- {:.4} ADU/s, doubling {:?}, own {}, glow {:?}, level {:.2} ADU {:+.4} \
         ADU/s +- {:.2} {:.2?}, R2 {:.4?}, {} unsteady, {} without data",
        s.ref_temp_c,
        s.rate_adu_s,
        s.rate_error_adu_s,
        s.doubling_c,
        s.own_doubling,
        s.glow,
        s.level.offset_adu,
        s.level.rate_adu_s,
        s.level.error_adu,
        s.level.departures_adu,
        s.r2,
        s.unsteady,
        s.no_data
    );
    for h in &s.held_out {
        println!(
            "  {:>4} s {:>6.1?} C: {:.2} left, {:.2} expected, noise {:.2}, mean {:+.2}, {:.2} % beyond 5 \
             sigma{}",
            h.exposure_s,
            h.temp_c.unwrap_or(f64::NAN),
            h.rms_adu,
            h.expected_adu,
            h.noise_adu,
            h.mean_adu,
            100.0 * h.outlying,
            if h.beyond { ", outside" } else { "" }
        );
    }
    for f in &built.findings {
        println!("  {} {}: {}", f.code, f.subject, f.message);
    }
    built
}

#[test]
fn a_ccd_at_two_temperatures_tells_its_doubling() {
    let Some(data) = common::real("stl1001_2017") else { return };
    let folder = |name: &str| data.join("stl1001_2017").join(name);
    let built = model(&["bias_m05", "dark_m05", "dark_m10"].map(folder));
    // Hot pixels double in more degrees than the bulk, as they do in the frames one by one.
    let hot = built.summary.doubling_c.expect("two temperatures");
    let typical = built.summary.level.doubling_c.expect("its own");
    println!("doubling: typical pixel {typical} C, hot pixels {hot} C");
    assert!((4.5..7.0).contains(&typical.value) && typical.error < 1.0, "{typical}");
    assert!((6.5..10.0).contains(&hot.value), "{hot}");
    let [median, ..] = built.summary.rate_adu_s;
    assert!((0.1..0.6).contains(&median), "{median}");
}

#[test]
fn three_exposures_do_without_a_bias() {
    let Some(data) = common::real("st7_2019") else { return };
    let built = model(&[data.join("st7_2019").join("dark")]);
    assert_eq!(built.summary.doubling_c, None);
    assert_eq!(built.summary.masters.len(), 3);
    assert!(built.summary.rate_adu_s[2] > 1.0, "hot pixels grow");
    assert!(built.summary.held_out.iter().all(|h| h.rms_adu.is_finite()));
}
