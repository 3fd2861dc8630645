//! Many random cameras: how close values are to the truth, and how often it lies in their intervals.
#![allow(clippy::disallowed_methods, reason = "other seeds are asked for by the environment")]

use crate::camera::{Laboratory, holds, named};
use photosite::sensor::{Measure, line};
use photosite_pix::chance::normal_below;
use photosite_pix::{FrameKind, Size};
use photosite_sim::{Effects, Preset};

/// Uniform numbers from a seed.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        ((mixed >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn log(&mut self, low: f64, high: f64) -> f64 {
        (low.ln() + (high / low).ln() * self.uniform()).exp()
    }
}

/// What became of a value in many cameras.
#[derive(Default)]
struct Tally {
    off: Vec<f64>,
    held: usize,
    limits: usize,
    /// How many were to be expected beyond the bar by their own intervals.
    expected: f64,
}

impl Tally {
    fn add(&mut self, off: f64, held: bool) {
        self.off.push(off);
        self.held += usize::from(held);
    }

    /// Adds a value that is `off` its truth; one whose interval is wider than the bar says so itself.
    fn add_within(&mut self, (off, half): (f64, f64), held: bool, bar: f64) {
        let wide = half > bar;
        self.limits += usize::from(wide);
        self.expected += if wide { 0.0 } else { 2.0 * normal_below(-1.96 * bar / half) };
        self.add(if wide { 0.0 } else { off }, held);
    }

    fn told(&self, name: &str, bar: f64) -> String {
        let n = self.off.len().max(1) as f64;
        let beyond = self.off.iter().filter(|v| v.abs() > bar).count();
        let rms = (self.off.iter().map(|v| v * v).sum::<f64>() / n).sqrt();
        let worst = self.off.iter().fold(0.0f64, |w, v| w.max(v.abs()));
        format!(
            "{name}: {n} values, rms off {rms:.5}, worst {worst:.5}, {beyond} beyond {bar}, {:.1} by their intervals; \
             truth in the interval {:.1} %; {} told as wider",
            self.expected,
            100.0 * self.held as f64 / n,
            self.limits
        )
    }

    fn within(&self, bar: f64) -> f64 {
        self.off.iter().filter(|v| v.abs() <= bar).count() as f64 / self.off.len().max(1) as f64
    }

    fn coverage(&self) -> f64 {
        self.held as f64 / self.off.len().max(1) as f64
    }
}

#[derive(Default)]
struct Tallies {
    gain: Tally,
    read: Tally,
    dark: Tally,
    doubling: Tally,
    full: Tally,
    bits_wrong: usize,
    tones: usize,
    shutters: usize,
    linear: Tally,
}

fn random_camera(seed: u64) -> Laboratory {
    let mut r = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    let preset = [Preset::Ccd, Preset::CmosMono, Preset::Dslr][(r.uniform() * 3.0) as usize];
    let bits = [12, 14, 16][(r.uniform() * 3.0) as usize];
    let gain = r.log(0.1, 5.0);
    let range_e = gain * 2f64.powi(bits as i32);
    // A camera whose read noise hides between whole numbers, or is as large as the noise of the
    // brightest light, is none that is sold.
    let read =
        r.log((0.6 * gain).max(0.8), 15.0f64.min(0.3 * range_e.sqrt()).max(0.9 * gain).max(0.9));
    let doubling = 5.0 + 3.0 * r.uniform();
    let full = range_e * if r.uniform() < 0.7 { 0.4 + 0.4 * r.uniform() } else { 1.5 };
    // The longest darks at 0 C hold four times as much as at -10 C, less than the faintest flat.
    let dark = (r.log(0.3, 30.0) * read * read / 600.0).min(0.015 * full.min(range_e) / 600.0);
    let clamped = preset == Preset::CmosMono;
    let prnu = 0.003 + 0.01 * r.uniform();
    Laboratory::of(preset, Size::new(288, 256), seed, |night| {
        let s = &mut night.sensor;
        s.gain_e_per_adu = gain;
        s.read_noise_e = read;
        s.bits = bits;
        s.full_well_e = full;
        // The clamp lowers darks by a tenth more than they hold: an offset leaves room for that.
        let room = 0.15 * 4.0 * dark * 600.0 / gain;
        s.offset_adu = (8.0 * read / gain + 40.0 + room).round().min(0.25 * s.max_adu());
        s.prnu = prnu;
        s.dark_e_s = dark;
        s.dark_ref_c = -10.0;
        s.t_double_c = doubling;
        s.hot_min_e_s = 100.0 * dark;
        s.bias_gradient_adu = s.bias_gradient_adu.min(4.0);
        night.set_temp_c = -10.0;
        if clamped {
            night.effects |= Effects::BLACK_CLAMP;
            // The simulated clamp takes off a mean in which one very hot pixel of a small sensor is more
            // than all others.
            night.sensor.hot_fraction = 0.0;
        }
    })
}

fn one_camera(seed: u64, tallies: &mut Tallies) {
    let mut lab = random_camera(seed);
    lab.take(FrameKind::Bias, 0.001, -10.0, 8);
    for share in [0.08, 0.16, 0.3, 0.45, 0.6] {
        lab.flats(share, 2);
    }
    lab.flats(2.5, 2);
    for temp_c in [-20.0, -10.0, 0.0] {
        for exposure_s in [60.0, 600.0] {
            lab.take(FrameKind::Dark, exposure_s, temp_c, 4);
        }
    }
    let report = lab.measure();
    let night = lab.simulation.night();
    let sensor = &night.sensor;
    let about = format!(
        "seed {seed}: gain {:.3}, read {:.2}, {} bits, full {:.0}",
        sensor.gain_e_per_adu, sensor.read_noise_e, sensor.bits, sensor.full_well_e
    );
    let gain = named(&report, "gain", "e-/ADU").unwrap();
    assert!(gain.valid, "{about}: {gain:?} {:?}", report.findings);
    let off = gain.value.unwrap() / sensor.gain_e_per_adu - 1.0;
    tallies.gain.add(off, holds(gain, sensor.gain_e_per_adu));
    let read = named(&report, "read_noise", "e-").unwrap();
    let truth = sensor.measured_read_noise_e(night.effects);
    if read.valid {
        tallies.read.add(read.value.unwrap() / truth - 1.0, holds(read, truth));
    } else {
        tallies.read.limits += 1;
    }
    for temp_c in [-20.0, -10.0, 0.0] {
        let dark = report.measures.iter().find(|m| {
            let here = m.temp_c.is_some_and(|t| (t - temp_c).abs() < 0.5);
            m.name == "dark_current"
                && m.unit == "e-/s"
                && here
                && m.method.starts_with("slope of the noise")
        });
        let dark = dark.unwrap_or_else(|| panic!("{about}: no dark current at {temp_c}"));
        let truth = lab.dark_within_e_s((600.0, temp_c), (600.0, 0.0));
        // Wider than 5 %: told as a limit, or by its interval.
        let share = (dark.high.unwrap() - dark.value.unwrap()) / truth;
        let off = dark.value.unwrap() / truth - 1.0;
        tallies.dark.add_within((off, share), holds(dark, truth), 0.05);
        if !holds(dark, truth) && std::env::var("PHOTOSITE_TOLD").is_ok() {
            let error = (dark.high.unwrap() - dark.value.unwrap()) / 1.96 / truth;
            println!(
                "{about}: dark current at {temp_c} is {:.1} errors of {error:.4} off",
                off / error
            );
        }
        if share <= 0.05 && off.abs() > 0.05 {
            println!("{about}: dark current at {temp_c} off by {off:.3}: {truth:.5}");
        }
    }
    let doubling = named(&report, "doubling_temp", "C").unwrap();
    if doubling.valid {
        let off = doubling.value.unwrap() - sensor.t_double_c;
        let half = 0.5 * (doubling.high.unwrap() - doubling.low.unwrap());
        if off.abs() > 0.2 {
            println!("{about}: doubling off by {off:.3}, told to {half:.3}");
        }
        tallies.doubling.add_within((off, half), holds(doubling, sensor.t_double_c), 0.2);
    } else {
        tallies.doubling.limits += 1;
    }
    let full = named(&report, "saturation", "e-").unwrap();
    assert!(full.valid, "{about}: {full:?}");
    tallies.full.add(full.value.unwrap() / lab.range_e() - 1.0, holds(full, lab.range_e()));
    let bits = named(&report, "adc_bits", "bit").unwrap();
    if bits.valid && bits.value != Some(f64::from(sensor.bits)) {
        tallies.bits_wrong += 1;
        println!("{about}: {bits:?}");
    }
    let tones = report.measures.iter().filter(|m| m.name == "interference" && m.value > Some(0.0));
    tallies.tones += usize::from(tones.count() > 0);
    let shutter = named(&report, "shutter_spread", "s").unwrap();
    assert!(shutter.valid, "{about}: {shutter:?}");
    tallies.shutters += usize::from(shutter.reason.is_empty());
    for name in ["linearity_error_min", "linearity_error_max"] {
        let m = named(&report, name, "%").unwrap_or_else(|| panic!("{about}: {name}"));
        tallies.linear.add(m.value.unwrap(), holds(m, 0.0));
    }
    for (t, bar, what) in [
        (&tallies.gain, 0.01, "gain"),
        (&tallies.read, 0.02, "read"),
        (&tallies.full, 0.03, "full"),
    ] {
        if t.off.last().is_some_and(|v| v.abs() > bar) {
            println!("{about}: {what} off by {:.4}", t.off.last().unwrap());
        }
    }
}

fn cameras(seeds: std::ops::Range<u64>) -> Tallies {
    let mut tallies = Tallies::default();
    seeds.for_each(|seed| one_camera(seed, &mut tallies));
    println!("{}", tallies.gain.told("gain", 0.01));
    println!("{}", tallies.read.told("read noise", 0.02));
    println!("{}", tallies.dark.told("dark current", 0.05));
    println!("{}", tallies.doubling.told("doubling temperature", 0.2));
    println!("{}", tallies.full.told("saturation", 0.03));
    println!("{}", tallies.linear.told("linearity residual in %", 0.2));
    println!(
        "wrong bits {}, invented tones {}, invented shutters {}",
        tallies.bits_wrong, tallies.tones, tallies.shutters
    );
    tallies
}

#[test]
fn twelve_random_cameras_are_measured() {
    let t = cameras(0..12);
    // Of twelve values in intervals of 95 %, fewer than nine hold the truth once in 3000 runs.
    for tally in [&t.gain, &t.read] {
        assert!(tally.held + 3 >= tally.off.len(), "{}", tally.held);
    }
    assert!(t.gain.within(0.015) > 0.9 && t.read.within(0.02) > 0.9);
    assert!(t.dark.within(0.06) > 0.9 && t.full.within(0.03) == 1.0);
    assert!(t.linear.within(0.2) == 1.0);
    assert_eq!((t.bits_wrong, t.tones, t.shutters), (0, 0, 0));
}

#[test]
#[ignore = "300 cameras take some minutes"]
fn three_hundred_random_cameras_are_measured() {
    let first = std::env::var("PHOTOSITE_SEEDS").ok().and_then(|v| v.parse().ok()).unwrap_or(1000);
    let t = cameras(first..first + 300);
    for tally in [&t.gain, &t.read, &t.dark] {
        assert!((0.93..=0.97).contains(&tally.coverage()), "{}", tally.coverage());
    }
    assert!(t.gain.within(0.01) > 0.98 && t.read.within(0.02) > 0.99);
    assert!(t.dark.within(0.05) > 0.95 && t.full.within(0.03) > 0.99);
    assert!(t.doubling.within(0.2) > 0.9 && t.linear.within(0.2) > 0.98);
    assert_eq!((t.bits_wrong, t.tones, t.shutters), (0, 0, 0));
}

/// Deviations from linearity of cameras whose response bends, less those of the law itself, in percent; and what is
/// left of them by the curves that were found.
fn bent_cameras(seeds: std::ops::Range<u64>) -> (Tally, Tally) {
    let shares = [0.08, 0.16, 0.3, 0.45, 0.6, 0.75, 0.88];
    let (mut tally, mut straightened) = (Tally::default(), Tally::default());
    for seed in seeds {
        let mut lab = random_camera(seed);
        let mut night = lab.simulation.night().clone();
        night.sensor.bend = 0.06 * Random(seed ^ 0xbead).uniform();
        // Of light that is even the mean bends as every pixel does.
        night.effects -= Effects::VIGNETTING | Effects::DUST | Effects::PRNU;
        night.sky.lamp_rgb = [1.0; 3];
        lab = Laboratory::new(night);
        lab.take(FrameKind::Bias, 0.001, -10.0, 8);
        shares.iter().for_each(|share| lab.flats(*share, 2));
        lab.flats(2.5, 2);
        let report = lab.measure();
        let sensor = &lab.simulation.night().sensor;
        let e = |share: f64| share * lab.range_e();
        let level = |share: f64| e(share) - sensor.bend * e(share).powi(2) / sensor.full_well_e;
        let law: Vec<(f64, f64, f64)> =
            shares.iter().map(|s| (*s, level(*s), level(*s).sqrt())).collect();
        let fit = line(&law).unwrap();
        let off = |s: &f64| 100.0 * (level(*s) / (fit.at_zero.value + fit.slope.value * s) - 1.0);
        let wanted: Vec<f64> = shares.iter().map(off).collect();
        let found = report.series.iter().find(|s| s.plot == "linearity_residual").unwrap();
        for (i, wanted) in wanted.iter().enumerate() {
            tally.add(found.points[i][1] - wanted, true);
        }
        for (name, start, pick) in [
            ("linearity_error_min", f64::INFINITY, f64::min as fn(f64, f64) -> f64),
            ("linearity_error_max", f64::NEG_INFINITY, f64::max),
        ] {
            let m: &Measure = named(&report, name, "%").unwrap();
            let truth = wanted.iter().copied().fold(start, pick);
            tally.add(m.value.unwrap() - truth, holds(m, truth));
        }
        let worst = tally.off.iter().rev().take(9).fold(0.0f64, |w, v| w.max(v.abs()));
        if worst > 0.2 {
            println!("seed {seed}: bend {:.4}, deviations off by {worst:.3} %", sensor.bend);
        }
        // Straightened, levels are in one proportion to the light.
        let straight = |s: f64| {
            let read = level(s) / sensor.gain_e_per_adu;
            report.curves.first().map_or(read, |c| f64::from(c.straight(read as f32))) / e(s)
        };
        let ratios: Vec<f64> = shares.iter().map(|s| straight(*s)).collect();
        let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        straightened.off.extend(ratios.iter().map(|r| 100.0 * (r / mean - 1.0)));
    }
    println!("{}", tally.told("deviation of bent sensors in %", 0.2));
    println!("{}", straightened.told("the same straightened", 0.2));
    (tally, straightened)
}

#[test]
fn bent_cameras_are_measured_as_they_bend() {
    let (measured, straightened) = bent_cameras(0..4);
    assert!(measured.within(0.2) == 1.0 && straightened.within(0.2) == 1.0);
}

#[test]
#[ignore = "100 cameras take some minutes"]
fn a_hundred_bent_cameras_are_measured_as_they_bend() {
    let (measured, straightened) = bent_cameras(1000..1100);
    assert!(measured.within(0.2) == 1.0 && straightened.within(0.2) == 1.0);
}
