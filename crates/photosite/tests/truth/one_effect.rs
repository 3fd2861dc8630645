//! Each effect alone, corrected alone: nothing is left of it.
//!
//! Without noise the arithmetic is exact, so what may be left is the rounding of 32-bit floats.
//! With noise the mean of what is left must be nothing within its error, over the whole frame and
//! over the part where the effect is strong, in nights of several seeds taken together: a small
//! offset shows in all of them, and chance in none of all these means.

use std::collections::{BTreeMap, HashSet};

use photosite_pix::{Frame, FrameKind, MaskBits, Plane, Size};
use photosite_sim::{Effects, Night, Preset, SimFrame};

use crate::night::{Calibrated, Mean, calibrate, mean_where};

const SIZE: Size = Size::new(224, 192);

/// Roundings of about 1e-7 of the raw level that add up on the way, in ADU per ADU.
const ROUNDING: f64 = 6e-7;

/// The seed of nights without noise.
const SEED: u64 = 5;

/// The seeds of nights with noise.
const SEEDS: [u64; 8] = [5, 6, 7, 8, 9, 10, 11, 12];

/// In standard errors of the mean over all seeds. Some 80 such means are tested in this file; one of
/// them lies above by chance in one of a thousand choices of the seeds (Bonferroni: 80 times the
/// two tails of a Gaussian).
///
/// An offset is seen from 4.37 / sqrt(8) = 1.5 standard errors of one light on.
const SIGMAS: f64 = 4.37;

/// A night with these effects, and only the calibration frames that they need.
fn night(preset: Preset, effects: Effects, kinds: &[FrameKind], seed: u64) -> Night {
    let mut night = Night::preset(preset, SIZE, seed);
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

/// A part of the frame, by its name.
type Part = (&'static str, Box<dyn Fn(usize, usize) -> bool>);

fn part(name: &'static str, which: impl Fn(usize, usize) -> bool + 'static) -> Part {
    (name, Box::new(which))
}

/// The frame has no part of its own.
fn whole(_: &Calibrated) -> Vec<Part> {
    Vec::new()
}

/// What is left in each light over each part; `check` is given the light and the part as well.
fn left(name: &str, done: &Calibrated, parts: &[Part], mut check: impl FnMut(&str, &Mean)) {
    let everything = [part("all", |_, _| true)];
    for (plan, frame, raw) in done.lights() {
        let residual = done.residual(&frame, &raw);
        for (part, which) in everything.iter().chain(parts) {
            let m = mean_where(&residual, which);
            println!(
                "{name} {} {part}: {} pixels, mean {:+.5} +- {:.5}, rms {:.5}, largest {:.5}",
                plan.index, m.n, m.mean, m.error, m.rms, m.largest
            );
            let least = if *part == "all" { SIZE.pixels() * 9 / 10 } else { 20 };
            assert!(m.n >= least, "{name} {part}: {} pixels are good", m.n);
            check(&format!("light {}, {part}", plan.index), &m);
        }
    }
}

/// Nothing but rounding is left; `level_adu` is the raw level that was rounded.
fn exact(name: &str, done: &Calibrated, level_adu: f64, parts: &[Part]) {
    left(name, done, parts, |_, m| {
        assert!(m.largest <= ROUNDING * level_adu, "{name}: {m:?}");
    });
}

/// Means in their standard errors, of the same things in the nights of [`SEEDS`].
#[derive(Default)]
struct Pulls(BTreeMap<String, Vec<f64>>);

impl Pulls {
    fn add(&mut self, what: &str, mean: f64, error: f64) {
        self.0.entry(what.to_owned()).or_default().push(mean / error);
    }

    /// None of the means over all seeds is above [`SIGMAS`].
    fn check(&self, name: &str) {
        assert!(!self.0.is_empty());
        for (what, pulls) in &self.0 {
            assert_eq!(pulls.len(), SEEDS.len(), "{name}, {what}");
            let pooled = pulls.iter().sum::<f64>() / (pulls.len() as f64).sqrt();
            println!("{name}, {what}: {pooled:+.2} sigma over all seeds of {pulls:.2?}");
            assert!(pooled.abs() < SIGMAS, "{name}, {what}: {pooled:+.2} sigma, of {pulls:.2?}");
        }
    }
}

/// The means of what is left are nothing; `parts` are those of each night.
fn no_mean(name: &str, night: impl Fn(u64) -> Night, parts: impl Fn(&Calibrated) -> Vec<Part>) {
    let mut pulls = Pulls::default();
    for seed in SEEDS {
        let done = run(night(seed));
        left(name, &done, &parts(&done), |what, m| pulls.add(what, m.mean, m.error));
    }
    pulls.check(name);
}

const BIAS: &[FrameKind] = &[FrameKind::Bias];
const DARK: &[FrameKind] = &[FrameKind::Dark];
const FLAT: &[FrameKind] = &[FrameKind::Bias, FrameKind::Flat];

#[test]
fn an_offset_goes_with_the_bias() {
    let effects = Effects::OFFSET | Effects::SKY;
    exact("offset", &run(night(Preset::CmosMono, effects, BIAS, SEED)), 900.0, &[]);
    no_mean("offset", |s| night(Preset::CmosMono, effects | NOISE, BIAS, s), whole);
}

#[test]
fn the_structure_of_the_bias_goes_with_the_bias() {
    let effects = Effects::OFFSET | Effects::BIAS_STRUCTURE | Effects::SKY;
    let parts = |done: &Calibrated| {
        let [above, below] = [(); 2].map(|()| done.simulation.maps().bias_adu.clone());
        vec![
            part("bright columns", move |x, y| above.get(x, y) > 1004.0),
            part("dark columns", move |x, y| below.get(x, y) < 1001.0),
        ]
    };
    let done = run(night(Preset::Ccd, effects, BIAS, SEED));
    exact("structure", &done, 1400.0, &parts(&done));
    no_mean("structure", |s| night(Preset::Ccd, effects | NOISE, BIAS, s), parts);
}

#[test]
fn read_noise_alone_stays_as_read_noise() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::READ_NOISE;
    // The master of 16 adds a sixteenth of the variance.
    let expected = 1.6 / 0.8 * (1.0f64 + 1.0 / 16.0).sqrt();
    let mut pulls = Pulls::default();
    for seed in SEEDS {
        let done = run(night(Preset::CmosMono, effects, BIAS, seed));
        left("read noise", &done, &[], |what, m| {
            assert!((m.rms / expected - 1.0).abs() < 0.02, "{m:?}, expected {expected}");
            pulls.add(what, m.mean, m.error);
        });
    }
    pulls.check("read noise");
}

#[test]
fn dark_current_goes_with_the_dark() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::DARK_CURRENT;
    let parts = |done: &Calibrated| {
        let rate = done.simulation.maps().dark_e_s.clone();
        vec![part("high dark current", move |x, y| rate.get(x, y) > 0.03)]
    };
    let done = run(night(Preset::Ccd, effects, DARK, SEED));
    exact("dark current", &done, 1400.0, &parts(&done));
    no_mean("dark current", |s| night(Preset::Ccd, effects | NOISE, DARK, s), parts);
}

#[test]
fn hot_pixels_go_and_their_neighbours_do_not_suffer() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::DARK_CURRENT | Effects::HOT_PIXELS;
    let night = |noise, seed| {
        let mut night = night(Preset::Ccd, effects | noise, DARK, seed);
        night.sensor.hot_fraction = 4e-3;
        night.sensor.hot_min_e_s = 3.0;
        night
    };
    let beside = |done: &Calibrated| {
        let hot = hot_places(done);
        vec![part("beside hot pixels", move |x, y| {
            let offsets = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dx, dy)));
            let around =
                |(dx, dy)| hot.contains(&(x.wrapping_add_signed(dx), y.wrapping_add_signed(dy)));
            !hot.contains(&(x, y)) && offsets.into_iter().any(around)
        })]
    };
    let done = run(night(Effects::none(), SEED));
    for (_, frame, raw) in done.lights() {
        let (written, subtracted) = at_hot_pixels(&done, &frame, &raw);
        assert!(written.iter().all(|d| d.abs() < 1e-3), "{written:?}");
        assert!(subtracted.iter().all(|(d, _)| d.abs() < ROUNDING * 65535.0));
    }
    exact("hot", &done, 1400.0, &beside(&done));

    let mut pulls = Pulls::default();
    for seed in SEEDS {
        let done = run(night(NOISE, seed));
        for (plan, frame, raw) in done.lights() {
            let (written, subtracted) = at_hot_pixels(&done, &frame, &raw);
            let root = (subtracted.len() as f64).sqrt();
            let sum = subtracted.iter().map(|(d, sigma)| d / sigma).sum::<f64>();
            pulls.add(&format!("light {}, subtracted", plan.index), sum, root);
            // Medians of 24 neighbours of noise 13 ADU.
            let count = written.len() as f64;
            let error = 13.0 * (1.57f64 / 24.0).sqrt() / count.sqrt();
            let mean = written.iter().sum::<f64>() / count;
            pulls.add(&format!("light {}, written", plan.index), mean, error);
        }
        left("hot", &done, &beside(&done), |what, m| pulls.add(what, m.mean, m.error));
    }
    pulls.check("hot");
}

fn hot_places(done: &Calibrated) -> HashSet<(usize, usize)> {
    done.simulation.maps().hot.iter().map(|h| (h.x, h.y)).collect()
}

/// What is left at hot pixels: in the light as written, repaired from neighbours; and in the light
/// minus the dark before the repair, with its noise.
fn at_hot_pixels(done: &Calibrated, frame: &Frame, raw: &SimFrame) -> (Vec<f64>, Vec<(f64, f64)>) {
    let hot = hot_places(done);
    assert!(hot.len() > 100);
    let dark = done.master(FrameKind::Dark);
    let light = raw.truth.light_e.as_ref().unwrap();
    let (mut written, mut subtracted) = (Vec::new(), Vec::new());
    for &(x, y) in &hot {
        let truth = f64::from(light.get(x, y)) / 1.5;
        if frame.mask.get(x, y).contains(MaskBits::INTERPOLATED) {
            written.push(f64::from(frame.data.get(x, y)) - truth);
        }
        // Where the pixel was not full.
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
    assert!(!subtracted.is_empty());
    (written, subtracted)
}

#[test]
fn amp_glow_goes_with_a_dark_of_its_exposure() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::AMP_GLOW;
    let parts = |done: &Calibrated| {
        let glow = done.simulation.maps().glow_e.clone();
        vec![part("the glowing corner", move |x, y| glow.get(x, y) > 100.0)]
    };
    let done = run(night(Preset::CmosMono, effects, DARK, SEED));
    exact("glow", &done, 1200.0, &parts(&done));
    no_mean("glow", |s| night(Preset::CmosMono, effects | NOISE, DARK, s), parts);
}

#[test]
fn a_drifting_temperature_leaves_its_own_share_and_no_more() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::DARK_CURRENT;
    let mut night = night(Preset::Ccd, effects | Effects::TEMPERATURE_DRIFT, DARK, SEED);
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
        let parts = |done: &Calibrated| {
            let response = done.simulation.maps().response.clone();
            let mut sorted = response.as_slice().to_vec();
            sorted.sort_by(f32::total_cmp);
            let dark = sorted[sorted.len() / 200];
            vec![
                part("corners", |x, y| {
                    !(24..SIZE.width - 24).contains(&x) && !(24..SIZE.height - 24).contains(&y)
                }),
                part("centre", |x, y| (80..SIZE.width - 80).contains(&x) && (70..120).contains(&y)),
                part("darkest pixels", move |x, y| response.get(x, y) <= dark),
            ]
        };
        let done = run(night(Preset::CmosMono, effects, FLAT, SEED));
        // Flats of some 20000 ADU are rounded as well.
        left(name, &done, &parts(&done), |_, m| {
            assert!(m.largest < 900.0 * 1e-6, "{name}: {m:?}");
        });
        no_mean(name, |s| night(Preset::CmosMono, effects | NOISE, FLAT, s), parts);
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
    let scene = Effects::OFFSET | scene;
    let done = run(night(Preset::CmosMono, scene, BIAS, SEED));
    left("scene", &done, &[], |_, m| {
        // The brightest stars reach far above the sky; rounding follows them.
        assert!(m.largest < ROUNDING * 1e5, "{m:?}");
        assert!(m.rms < ROUNDING * 2000.0, "{m:?}");
    });
    no_mean("scene", |s| night(Preset::CmosMono, scene | NOISE, BIAS, s), whole);
}

#[test]
fn cosmic_rays_do_not_get_into_masters() {
    let kinds = &[FrameKind::Bias, FrameKind::Dark, FrameKind::Flat, FrameKind::DarkFlat];
    let base = Effects::OFFSET | Effects::SKY | Effects::READ_NOISE | Effects::POISSON;
    let clean = run(night(Preset::CmosMono, base, kinds, SEED));
    let hit = |rate: f64| {
        let mut night = night(Preset::CmosMono, base | Effects::COSMIC_RAYS, kinds, SEED);
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
    // A sensor without noise of its own is not believed, so there is that of rounding.
    let effects =
        Effects::OFFSET | Effects::SKY | Effects::STARS | Effects::POISSON | Effects::QUANTISATION;
    let mut pulls = Pulls::default();
    for seed in SEEDS {
        let mut night = night(Preset::CmosMono, effects, BIAS, seed);
        // With 0.8 electrons an ADU every fourth sample ends in a half, which is rounded up, and
        // without read noise the mean is 0.125 ADU too high.
        night.sensor.gain_e_per_adu = 0.83;
        let done = run(night);
        for (plan, frame, raw) in done.lights() {
            let r = photosite_sim::residual(&frame, &raw.truth, done.scale()).unwrap();
            println!("poisson: ratio {:.4}, {r:?}", r.ratio());
            assert!((r.ratio() - 1.0).abs() < 0.02, "{r:?}");
            pulls.add(&format!("light {}", plan.index), r.mean_adu, r.mean_error_adu);
        }
    }
    pulls.check("poisson");
}

#[test]
fn quantisation_shifts_nothing() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::READ_NOISE | Effects::QUANTISATION;
    no_mean("quantisation", |s| night(Preset::CmosMono, effects, BIAS, s), whole);
}

#[test]
fn a_clamped_black_level_goes_with_the_dark() {
    let effects = Effects::OFFSET
        | Effects::SKY
        | Effects::DARK_CURRENT
        | Effects::AMP_GLOW
        | Effects::BLACK_CLAMP;
    exact("clamp", &run(night(Preset::Dslr, effects, DARK, SEED)), 3000.0, &[]);
    no_mean("clamp", |s| night(Preset::Dslr, effects | NOISE, DARK, s), whole);
}

#[test]
fn colours_keep_their_own_levels() {
    let effects = Effects::OFFSET | Effects::SKY | Effects::BAYER | Effects::VIGNETTING;
    let parts = |_: &Calibrated| {
        vec![
            part("red", |x, y| x.is_multiple_of(2) && y.is_multiple_of(2)),
            part("green", |x, y| (x + y) % 2 == 1),
            part("blue", |x, y| !x.is_multiple_of(2) && !y.is_multiple_of(2)),
        ]
    };
    let done = run(night(Preset::CmosOsc, effects, FLAT, SEED));
    left("bayer", &done, &parts(&done), |_, m| assert!(m.largest < 900.0 * 1e-6, "{m:?}"));
    no_mean("bayer", |s| night(Preset::CmosOsc, effects | NOISE, FLAT, s), parts);
}
