//! Each effect alone, corrected alone: nothing is left of it.
//!
//! Without noise the arithmetic is exact, so what may be left is the rounding of 32-bit floats.
//! With noise the mean of what is left must lie within 3 standard errors of nothing, over the
//! whole frame and over the part where the effect is strong.

use photosite_pix::{FrameKind, MaskBits, Plane, Size};
use photosite_sim::{Effects, Night, Preset, SimFrame};

use crate::night::{Calibrated, Mean, calibrate, mean_where};

const SIZE: Size = Size::new(224, 192);

/// Roundings of about 1e-7 of the raw level that add up on the way, in ADU per ADU.
const ROUNDING: f64 = 6e-7;

/// A night with these effects, and only the calibration frames that they need.
fn night(preset: Preset, effects: Effects, kinds: &[FrameKind]) -> Night {
    let mut night = Night::preset(preset, SIZE, 5);
    night.effects = effects;
    let count = |kind, n| if kinds.contains(&kind) { n } else { 0 };
    night.counts.bias = count(FrameKind::Bias, 16);
    night.counts.darks = count(FrameKind::Dark, 16);
    night.counts.flats = count(FrameKind::Flat, 16);
    night.counts.dark_flats = count(FrameKind::DarkFlat, 16);
    night.counts.lights = 2;
    night
}

/// Calibrates a night that lacks some kinds of frames.
fn run(night: Night) -> Calibrated {
    // Read noise that is left out is missed by the headers' noise model.
    let expected = ["dark-missing", "flat-missing", "match-unknown", "noise-not-as-modelled"];
    calibrate(night, &expected)
}

const NOISE: Effects = Effects::READ_NOISE.union(Effects::POISSON).union(Effects::QUANTISATION);

type Part<'a> = (&'a str, &'a dyn Fn(usize, usize) -> bool);

/// What is left in each light over each part.
fn left(name: &str, done: &Calibrated, parts: &[Part<'_>], check: impl Fn(&Mean, &SimFrame)) {
    let everything: Part<'_> = ("all", &|_, _| true);
    for (plan, frame, raw) in done.lights() {
        let residual = done.residual(&frame, &raw);
        for (part, which) in [everything].iter().chain(parts) {
            let m = mean_where(&residual, which);
            println!(
                "{name} {} {part}: {} pixels, mean {:+.5} +- {:.5}, rms {:.5}, largest {:.5}",
                plan.index, m.n, m.mean, m.error, m.rms, m.largest
            );
            let least = if *part == "all" { SIZE.pixels() * 9 / 10 } else { 20 };
            assert!(m.n >= least, "{name} {part}: {} pixels are good", m.n);
            check(&m, &raw);
        }
    }
}

/// Nothing but rounding is left; `level_adu` is the raw level that was rounded.
fn exact(name: &str, done: &Calibrated, level_adu: f64, parts: &[Part<'_>]) {
    left(name, done, parts, |m, _| {
        assert!(m.largest <= ROUNDING * level_adu, "{name}: {m:?}");
    });
}

/// Nothing above 3 sigma of the mean is left.
fn no_mean(name: &str, done: &Calibrated, parts: &[Part<'_>]) {
    left(name, done, parts, |m, _| assert!(m.mean.abs() < 3.0 * m.error, "{name}: {m:?}"));
}

const BIAS: &[FrameKind] = &[FrameKind::Bias];
const DARK: &[FrameKind] = &[FrameKind::Dark];
const FLAT: &[FrameKind] = &[FrameKind::Bias, FrameKind::Flat];

#[test]
fn an_offset_goes_with_the_bias() {
    let effects = Effects::OFFSET | Effects::SKY;
    exact("offset", &run(night(Preset::CmosMono, effects, BIAS)), 900.0, &[]);
    no_mean("offset, noise", &run(night(Preset::CmosMono, effects | NOISE, BIAS)), &[]);
}

#[test]
fn the_structure_of_the_bias_goes_with_the_bias() {
    let effects = Effects::OFFSET | Effects::BIAS_STRUCTURE | Effects::SKY;
    let done = run(night(Preset::Ccd, effects, BIAS));
    let bias = done.simulation.maps().bias_adu.clone();
    let above = |x, y| bias.get(x, y) > 1004.0;
    let below = |x, y| bias.get(x, y) < 1001.0;
    let parts: [Part<'_>; 2] = [("bright columns", &above), ("dark columns", &below)];
    exact("structure", &done, 1400.0, &parts);
    no_mean("structure, noise", &run(night(Preset::Ccd, effects | NOISE, BIAS)), &parts);
}

#[test]
fn read_noise_alone_stays_as_read_noise() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::READ_NOISE;
    let done = run(night(Preset::CmosMono, effects, BIAS));
    // The master of 16 adds a sixteenth of the variance.
    let expected = 1.6 / 0.8 * (1.0f64 + 1.0 / 16.0).sqrt();
    left("read noise", &done, &[], |m, _| {
        assert!((m.rms / expected - 1.0).abs() < 0.02, "{m:?}, expected {expected}");
        assert!(m.mean.abs() < 3.0 * m.error, "{m:?}");
    });
}

#[test]
fn dark_current_goes_with_the_dark() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::DARK_CURRENT;
    let done = run(night(Preset::Ccd, effects, DARK));
    let rate = done.simulation.maps().dark_e_s.clone();
    let high = |x, y| rate.get(x, y) > 0.03;
    let parts: [Part<'_>; 1] = [("high dark current", &high)];
    exact("dark current", &done, 1400.0, &parts);
    no_mean("dark current, noise", &run(night(Preset::Ccd, effects | NOISE, DARK)), &parts);
}

#[test]
fn hot_pixels_go_and_their_neighbours_do_not_suffer() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::DARK_CURRENT | Effects::HOT_PIXELS;
    for noise in [Effects::none(), NOISE] {
        let mut night = night(Preset::Ccd, effects | noise, DARK);
        night.sensor.hot_fraction = 4e-3;
        night.sensor.hot_min_e_s = 3.0;
        let done = run(night);
        let hot: std::collections::HashSet<(usize, usize)> =
            done.simulation.maps().hot.iter().map(|h| (h.x, h.y)).collect();
        assert!(hot.len() > 100);
        let around = |x: usize, y: usize| {
            !hot.contains(&(x, y))
                && (-1..=1i64).any(|dy| {
                    (-1..=1i64).any(|dx| {
                        hot.contains(&((x as i64 + dx) as usize, (y as i64 + dy) as usize))
                    })
                })
        };
        let around: &dyn Fn(usize, usize) -> bool = &around;
        let dark = done.master(FrameKind::Dark);
        for (_, frame, raw) in done.lights() {
            // As written: repaired from neighbours, and said to be.
            let light = raw.truth.light_e.as_ref().unwrap();
            let (mut written, mut subtracted) = (Vec::new(), Vec::new());
            for &(x, y) in &hot {
                let truth = f64::from(light.get(x, y)) / 1.5;
                if frame.mask.get(x, y).contains(MaskBits::INTERPOLATED) {
                    written.push(f64::from(frame.data.get(x, y)) - truth);
                }
                // Before the repair: light minus dark, where the pixel was not full.
                if !frame.mask.get(x, y).contains(MaskBits::SATURATED) {
                    let d = f64::from(raw.adu.get(x, y)) - f64::from(dark.data.get(x, y));
                    let electrons = raw.truth.dark_e.get(x, y) + light.get(x, y);
                    // Shot noise of the light and of the mean of 16 darks, read noise, rounding.
                    let var = f64::from(electrons) * 17.0 / 16.0 / 2.25
                        + (8.0f64 / 1.5).powi(2) * 17.0 / 16.0
                        + 1.0 / 12.0;
                    subtracted.push((d - truth, var.sqrt()));
                }
            }
            assert!(written.len() * 10 > hot.len() * 9, "{} of {}", written.len(), hot.len());
            let n = subtracted.len() as f64;
            let mean_written = written.iter().sum::<f64>() / written.len() as f64;
            if noise == Effects::none() {
                assert!(written.iter().all(|d| d.abs() < 1e-3), "{written:?}");
                assert!(subtracted.iter().all(|(d, _)| d.abs() < ROUNDING * 65535.0));
            } else {
                let pull = subtracted.iter().map(|(d, s)| d / s).sum::<f64>() / n.sqrt();
                println!("hot pixels: written {mean_written:+.3} ADU, subtracted {pull:+.2} sigma");
                assert!(pull.abs() < 3.0, "{pull} sigma are left of hot pixels");
                // Medians of 24 neighbours of noise 13 ADU.
                let error = 13.0 * (1.57f64 / 24.0).sqrt() / (written.len() as f64).sqrt();
                assert!(mean_written.abs() < 3.0 * error, "{mean_written} +- {error}");
            }
        }
        let parts: [Part<'_>; 1] = [("beside hot pixels", around)];
        if noise == Effects::none() {
            exact("hot", &done, 1400.0, &parts);
        } else {
            no_mean("hot, noise", &done, &parts);
        }
    }
}

#[test]
fn amp_glow_goes_with_a_dark_of_its_exposure() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::AMP_GLOW;
    let done = run(night(Preset::CmosMono, effects, DARK));
    let glow = done.simulation.maps().glow_e.clone();
    let corner = |x, y| glow.get(x, y) > 100.0;
    let parts: [Part<'_>; 1] = [("the glowing corner", &corner)];
    exact("glow", &done, 1200.0, &parts);
    no_mean("glow, noise", &run(night(Preset::CmosMono, effects | NOISE, DARK)), &parts);
}

#[test]
fn a_drifting_temperature_leaves_its_own_share_and_no_more() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::DARK_CURRENT;
    let mut night = night(Preset::Ccd, effects | Effects::TEMPERATURE_DRIFT, DARK);
    night.sensor.temp_jitter_c = 0.4;
    let done = run(night);
    let darks: Vec<Plane<f32>> = (done.simulation.frames().into_iter())
        .filter(|p| p.kind == FrameKind::Dark)
        .map(|p| done.simulation.render(&p).truth.dark_e)
        .collect();
    for (_, frame, raw) in done.lights() {
        let residual = done.residual(&frame, &raw);
        // A dark of another temperature cannot do better than its own mean.
        let unexplained = Plane::from_fn(SIZE, |x, y| {
            let mean = darks.iter().map(|d| f64::from(d.get(x, y))).sum::<f64>() / 16.0;
            let left = (f64::from(raw.truth.dark_e.get(x, y)) - mean) / 1.5;
            residual.get(x, y) - left as f32
        });
        let m = mean_where(&unexplained, |_, _| true);
        println!("drift: {m:?}, of {:?}", mean_where(&residual, |_, _| true));
        assert!(m.largest < ROUNDING * 1400.0, "{m:?}");
    }
}

#[test]
fn the_response_goes_with_the_flat() {
    for (name, effect) in [
        ("prnu", Effects::PRNU),
        ("vignetting", Effects::VIGNETTING),
        ("dust", Effects::DUST),
        ("all three", Effects::PRNU | Effects::VIGNETTING | Effects::DUST),
    ] {
        let effects = Effects::OFFSET | Effects::SKY | effect;
        let done = run(night(Preset::CmosMono, effects, FLAT));
        let response = done.simulation.maps().response.clone();
        let corner = |x: usize, y: usize| {
            !(24..SIZE.width - 24).contains(&x) && !(24..SIZE.height - 24).contains(&y)
        };
        let centre =
            |x: usize, y: usize| (80..SIZE.width - 80).contains(&x) && (70..120).contains(&y);
        let (mut low, mut high) = (f32::MAX, f32::MIN);
        for &v in response.as_slice() {
            (low, high) = (low.min(v), high.max(v));
        }
        let shadow = |x, y| response.get(x, y) < low + 0.3 * (high - low);
        let parts: [Part<'_>; 3] =
            [("corners", &corner), ("centre", &centre), ("darkest pixels", &shadow)];
        // Flats of some 20000 ADU are rounded as well.
        left(name, &done, &parts, |m, _| assert!(m.largest < 900.0 * 1e-6, "{name}: {m:?}"));
        let noisy = format!("{name}, noise");
        no_mean(&noisy, &run(night(Preset::CmosMono, effects | NOISE, FLAT)), &parts);
    }
}

#[test]
fn the_sky_and_the_stars_pass_untouched() {
    let scene = Effects::SKY
        | Effects::SKY_GRADIENT
        | Effects::STARS
        | Effects::DITHER
        | Effects::TRAIL
        | Effects::COSMIC_RAYS;
    let done = run(night(Preset::CmosMono, Effects::OFFSET | scene, BIAS));
    left("scene", &done, &[], |m, _| {
        // The brightest stars reach far above the sky; rounding follows them.
        assert!(m.largest < ROUNDING * 1e5, "{m:?}");
        assert!(m.rms < ROUNDING * 2000.0, "{m:?}");
    });
    no_mean(
        "scene, noise",
        &run(night(Preset::CmosMono, Effects::OFFSET | scene | NOISE, BIAS)),
        &[],
    );
}

#[test]
fn cosmic_rays_do_not_get_into_masters() {
    let kinds = &[FrameKind::Bias, FrameKind::Dark, FrameKind::Flat, FrameKind::DarkFlat];
    let base = Effects::OFFSET | Effects::SKY | Effects::READ_NOISE | Effects::POISSON;
    let clean = run(night(Preset::CmosMono, base, kinds));
    let hit = |rate: f64| {
        let mut night = night(Preset::CmosMono, base | Effects::COSMIC_RAYS, kinds);
        night.sky.cosmic_per_cm2_s *= rate;
        run(night)
    };
    let done = hit(10.0);
    for kind in *kinds {
        let (with, without) = (done.master(kind), clean.master(kind));
        let difference = Plane::from_fn(SIZE, |x, y| {
            let (a, b) = (with.data.get(x, y), without.data.get(x, y));
            if with.mask.get(x, y).is_good() { a - b } else { f32::NAN }
        });
        let m = mean_where(&difference, |_, _| true);
        let noise = mean_where(&without.variance.clone().unwrap(), |_, _| true).mean.sqrt();
        println!("cosmic rays in {kind}: {m:?}, noise {noise:.5}");
        // A ray that stays would stand 800 / 0.8 / 16 ADU above.
        assert!(m.largest < 6.0 * noise, "{kind}: {m:?}, noise {noise}");
    }
}

#[test]
fn poisson_noise_alone_is_predicted() {
    // A sensor without read noise is not believed, so there is a little.
    let effects =
        Effects::OFFSET | Effects::SKY | Effects::STARS | Effects::POISSON | Effects::QUANTISATION;
    let done = run(night(Preset::CmosMono, effects, BIAS));
    for (_, frame, raw) in done.lights() {
        let r = photosite_sim::residual(&frame, &raw.truth, done.scale()).unwrap();
        println!("poisson: ratio {:.4}, {r:?}", r.ratio());
        assert!((r.ratio() - 1.0).abs() < 0.02, "{r:?}");
        assert!(r.mean_adu.abs() < 3.0 * r.mean_error_adu, "{r:?}");
    }
}

#[test]
fn quantisation_shifts_nothing() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::READ_NOISE | Effects::QUANTISATION;
    no_mean("quantisation", &run(night(Preset::CmosMono, effects, BIAS)), &[]);
}

#[test]
fn a_clamped_black_level_goes_with_the_dark() {
    let effects = Effects::OFFSET
        | Effects::SKY
        | Effects::DARK_CURRENT
        | Effects::AMP_GLOW
        | Effects::BLACK_CLAMP;
    let done = run(night(Preset::Dslr, effects, DARK));
    exact("clamp", &done, 3000.0, &[]);
    no_mean("clamp, noise", &run(night(Preset::Dslr, effects | NOISE, DARK)), &[]);
}

#[test]
fn colours_keep_their_own_levels() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::BAYER | Effects::VIGNETTING;
    let red = |x: usize, y: usize| x.is_multiple_of(2) && y.is_multiple_of(2);
    let blue = |x: usize, y: usize| !x.is_multiple_of(2) && !y.is_multiple_of(2);
    let green = |x: usize, y: usize| (x + y) % 2 == 1;
    let parts: [Part<'_>; 3] = [("red", &red), ("green", &green), ("blue", &blue)];
    let done = run(night(Preset::CmosOsc, effects, FLAT));
    left("bayer", &done, &parts, |m, _| assert!(m.largest < 900.0 * 1e-6, "{m:?}"));
    no_mean("bayer, noise", &run(night(Preset::CmosOsc, effects | NOISE, FLAT)), &parts);
}
