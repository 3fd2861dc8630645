//! Every effect on: what is left is the noise that was predicted.

use photosite_pix::Size;
use photosite_sim::{Effects, Night, Preset, residual};

use crate::night::calibrate;

/// The bar of the first milestone.
const TOLERANCE: f64 = 0.03;

fn check(preset: Preset, edit: impl FnOnce(&mut Night)) {
    let mut night = Night::preset(preset, Size::new(288, 256), 11);
    night.counts.bias = 20;
    night.counts.darks = 20;
    night.counts.flats = 16;
    night.counts.dark_flats = if night.counts.dark_flats > 0 { 16 } else { 0 };
    night.counts.lights = 3;
    edit(&mut night);
    // A clamped black level hides dark electrons, whose noise is seen all the same.
    let clamped = night.effects.contains(Effects::BLACK_CLAMP);
    let expected = ["match-unknown", "noise-not-as-modelled"];
    let done = calibrate(night, &expected[..if clamped { 2 } else { 1 }]);
    for (plan, frame, raw) in done.lights() {
        let r = residual(&frame, &raw.truth, done.scale()).expect("a light");
        println!(
            "{preset:?} {}: {} pixels, mean {:+.4} +- {:.4} ADU, rms {:.3}, predicted {:.3}, \
             ratio {:.4}",
            plan.file_name,
            r.n,
            r.mean_adu,
            r.mean_error_adu,
            r.rms_adu,
            r.predicted_adu,
            r.ratio()
        );
        assert!(r.n * 100 > frame.size().pixels() * 90, "only {} pixels are good", r.n);
        assert!((r.ratio() - 1.0).abs() < TOLERANCE, "{r:?}");
    }
}

#[test]
fn a_monochrome_cmos_night_leaves_the_predicted_noise() {
    check(Preset::CmosMono, |_| {});
}

#[test]
fn a_colour_cmos_night_leaves_the_predicted_noise() {
    check(Preset::CmosOsc, |_| {});
}

#[test]
fn a_ccd_night_leaves_the_predicted_noise() {
    check(Preset::Ccd, |_| {});
}

#[test]
fn a_dslr_night_of_steady_temperature_leaves_the_predicted_noise() {
    check(Preset::Dslr, |n| n.sensor.temp_rise_c = 0.0);
}
