//! The kernels against a plain implementation, on columns made to be awkward.

mod plain;

use photosite_pix::combine::{Combine, Outcome, Recipe, Samples, Workspace, combine};
use photosite_pix::reject::{Reject, Thresholds};
use proptest::prelude::*;

/// Numbers that look random, from xorshift.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// One column of `n` samples of a kind.
fn column(dice: &mut Dice, n: usize) -> Vec<f32> {
    let kind = dice.below(9);
    let level = dice.unit() * 3000.0 - 100.0;
    (0..n)
        .map(|_| match kind {
            0 | 1 => (level + dice.normal() * 8.0) as f32,
            2 => {
                let hit = if dice.below(10) == 0 { dice.unit() * 1e4 } else { 0.0 };
                (1000.0 + dice.normal() * 8.0 + hit).round() as f32
            }
            3 => dice.below(4) as f32 - 1.0,
            4 => 417.25,
            5 => {
                let v = (1000.0 + dice.normal() * 20.0) as f32;
                if dice.below(4) == 0 { f32::NAN } else { v }
            }
            6 => (if dice.below(2) == 0 { 100.0 } else { 5000.0 } + dice.normal()) as f32,
            7 => {
                let v = dice.normal() * 10f64.powf(dice.unit() * 9.0 - 3.0);
                if dice.below(9) == 0 { f32::INFINITY } else { v as f32 }
            }
            _ => [0.0, -0.0, 1.0, 65535.0, f32::NAN][dice.below(5) as usize],
        })
        .collect()
}

/// Columns side by side, in frame order.
fn strip(dice: &mut Dice, n: usize, width: usize) -> Vec<f32> {
    let mut data = vec![0.0; n * width];
    for x in 0..width {
        for (i, v) in column(dice, n).into_iter().enumerate() {
            data[i * width + x] = v;
        }
    }
    data
}

#[derive(Debug, PartialEq, Clone)]
struct Planes {
    value: Vec<u32>,
    variance: Vec<u32>,
    kept: Vec<u16>,
    low: Vec<u16>,
    high: Vec<u16>,
}

fn run(samples: Samples, reject: Reject, how: Combine, workspace: &mut Workspace) -> Planes {
    let n = samples.width();
    let (mut value, mut variance) = (vec![0.0; n], vec![0.0; n]);
    let (mut kept, mut low, mut high) = (vec![0; n], vec![0; n], vec![0; n]);
    let mut out = Outcome {
        value: &mut value,
        variance: &mut variance,
        kept: &mut kept,
        low: &mut low,
        high: &mut high,
    };
    combine(samples, Recipe { reject, combine: how }, workspace, &mut out);
    let bits = |v: Vec<f32>| v.into_iter().map(f32::to_bits).collect();
    Planes { value: bits(value), variance: bits(variance), kept, low, high }
}

/// Every method, at its own thresholds and at tight ones.
fn methods() -> Vec<Reject> {
    let tight = Thresholds { low: Some(1.5), high: Some(1.25) };
    let mut out = Vec::new();
    for name in Reject::NAMES {
        out.extend(Reject::named(name, Thresholds::default()));
        if !matches!(name, "none" | "gesd" | "minmax" | "percentile") {
            out.extend(Reject::named(name, tight));
        }
    }
    out.push(Reject::Minmax { low: 2, high: 3 });
    out.push(Reject::Gesd { outliers: 0.5, significance: 0.2 });
    out.push(Reject::Percentile { low: 0.01, high: 0.02 });
    out.push(Reject::CcdNoise {
        low: 3.0,
        high: 4.0,
        read_noise_adu: 6.0,
        gain_e_per_adu: 1.5,
        sensitivity: 0.001,
        pedestal_adu: 100.0,
    });
    out
}

/// Makes noise of the first part of a strip, and one frame wrong there: all of it, or half.
fn astray(data: &mut [f32], width: usize, n: usize) {
    let mut dice = Dice(n as u64 + 17);
    let sigma = [0.4, 3.0, 20.0][n / 2 % 3];
    let part = if n % 4 == 1 { width } else { width / 2 };
    for (i, frame) in data.chunks_exact_mut(width).enumerate() {
        let off = if i == n / 3 { [-500.0, 40.0, 6.0 * sigma][n % 3] } else { 0.0 };
        for v in &mut frame[..part] {
            let sample = 500.0 + sigma * dice.normal() + off;
            *v = (if n.is_multiple_of(5) { sample } else { sample.round() }) as f32;
        }
    }
}

/// Whether `a` is within 2 ulp of `b`, or the difference is nothing against the samples.
fn same(a: f32, b: f64, largest: f64) -> bool {
    let b32 = b as f32;
    if a.is_nan() || b32.is_nan() {
        return a.is_nan() == b32.is_nan();
    }
    a.to_bits().abs_diff(b32.to_bits()) <= 2 || (f64::from(a) - b).abs() <= 1e-13 * largest
}

fn compare(seed: u64, width: usize) {
    let mut dice = Dice(seed);
    let mut workspace = Workspace::default();
    let (mut columns, mut close) = (0usize, 0usize);
    let methods = methods();
    let criticals: Vec<Vec<f64>> = methods
        .iter()
        .map(|m| match m {
            Reject::Gesd { significance, .. } => plain::critical((*significance).into()),
            _ => Vec::new(),
        })
        .collect();
    for n in 1..=64 {
        let mut data = strip(&mut dice, n, width);
        if n % 2 == 1 {
            astray(&mut data, width, n);
        }
        let plain_columns: Vec<Vec<f64>> = (0..width)
            .map(|x| {
                let column = data[x..].iter().step_by(width);
                column.filter(|v| v.is_finite()).map(|v| f64::from(*v)).collect()
            })
            .collect();
        for (method, critical) in methods.iter().zip(&criticals) {
            let tiles: Vec<(f64, f64, Vec<bool>)> = plain_columns
                .chunks(256)
                .map(|tile| match method {
                    Reject::AveragedSigma { low, high } => {
                        let (scale, stray) = plain::tile_scale(tile, (*low).into(), (*high).into());
                        (scale, plain::per_level(tile, scale), stray)
                    }
                    _ => (f64::NAN, f64::NAN, vec![false; tile.len()]),
                })
                .collect();
            for how in [Combine::Mean, Combine::Median] {
                let planes = run(Samples::new(&data, width), *method, how, &mut workspace);
                for (x, column) in plain_columns.iter().enumerate() {
                    let (scale, per_level, stray) = &tiles[x / 256];
                    let tile = (*scale, *per_level, stray[x % 256]);
                    let v = plain::judge(column, *method, how, tile, critical);
                    columns += 1;
                    if v.close {
                        close += 1;
                        continue;
                    }
                    let counts = (planes.kept[x], planes.low[x], planes.high[x]);
                    let what = || format!("{method:?} {how:?} n={n} x={x} {column:?}\n{v:?}");
                    assert_eq!(counts, (v.kept as u16, v.low as u16, v.high as u16), "{}", what());
                    let largest = column.iter().fold(0.0f64, |a, v| a.max(v.abs()));
                    let value = f32::from_bits(planes.value[x]);
                    assert!(same(value, v.value, largest), "{value} {}", what());
                    // The oracle knows the median's factor for few samples only.
                    if how == Combine::Mean && v.kept > 0 {
                        let variance = f32::from_bits(planes.variance[x]);
                        let ok = same(variance, v.variance, largest * largest);
                        assert!(ok, "variance {variance} {}", what());
                    }
                }
            }
        }
    }
    println!("{columns} columns, {close} too close to a bound to compare");
    assert!(close * 50 < columns, "{close} of {columns} columns were not compared");
}

#[test]
fn kernels_do_what_the_text_says() {
    compare(1, 70);
}

/// The full form: `cargo test --release -p photosite-pix --test oracle -- --ignored`.
#[test]
#[ignore = "minutes"]
fn kernels_do_what_the_text_says_on_millions_of_columns() {
    for seed in 2..12 {
        compare(seed, 300);
    }
}

#[test]
fn raw_samples_give_the_bytes_of_the_same_numbers_in_f32() {
    let mut dice = Dice(5);
    let mut workspace = Workspace::default();
    for n in [1, 2, 3, 5, 20, 33, 70] {
        let width = 301;
        let raw: Vec<u16> = (0..n * width)
            .map(|_| match dice.below(30) {
                0 => 65535,
                1 => dice.below(65536) as u16,
                2 => 0,
                _ => (1000.0 + dice.normal() * 9.0) as u16,
            })
            .collect();
        let floats: Vec<f32> =
            raw.iter().map(|v| if *v == 65535 { f32::NAN } else { f32::from(*v) }).collect();
        for method in methods() {
            let a = run(Samples::raw(&raw, width, 65535), method, Combine::Mean, &mut workspace);
            let b = run(Samples::new(&floats, width), method, Combine::Mean, &mut workspace);
            assert_eq!(a, b, "{method:?} of {n}");
        }
    }
}

#[test]
fn one_column_is_judged_like_many() {
    let mut dice = Dice(9);
    let mut workspace = Workspace::default();
    for n in [4, 9, 30] {
        let data = strip(&mut dice, n, 60);
        for method in methods() {
            if matches!(method, Reject::AveragedSigma { .. }) {
                continue;
            }
            let planes = run(Samples::new(&data, 60), method, Combine::Mean, &mut workspace);
            for x in 0..60 {
                let mut column: Vec<f32> =
                    data[x..].iter().step_by(60).copied().filter(|v| v.is_finite()).collect();
                column.sort_by(f32::total_cmp);
                let kept = method.keep(&column);
                assert_eq!(kept.len(), usize::from(planes.kept[x]), "{method:?} {column:?}");
                assert_eq!(kept.start, usize::from(planes.low[x]), "{method:?} {column:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_order_of_frames_changes_nothing(seed in 1u64.., n in 1usize..50, width in 1usize..90) {
        let mut dice = Dice(seed);
        let data = strip(&mut dice, n, width);
        let weights: Vec<f32> = (0..n).map(|_| 0.5 + dice.unit() as f32).collect();
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, dice.below(i as u64 + 1) as usize);
        }
        let shuffled: Vec<f32> = order
            .iter()
            .flat_map(|i| data[i * width..(i + 1) * width].iter().copied())
            .collect();
        let shuffled_weights: Vec<f32> = order.iter().map(|i| weights[*i]).collect();
        let mut workspace = Workspace::default();
        for method in methods() {
            for how in [Combine::Mean, Combine::Median, Combine::WeightedMean] {
                let a = Samples::new(&data, width).with_weights(&weights);
                let b = Samples::new(&shuffled, width).with_weights(&shuffled_weights);
                let a = run(a, method, how, &mut workspace);
                let b = run(b, method, how, &mut workspace);
                prop_assert_eq!(a, b, "{:?} {:?}", method, how);
            }
        }
    }

    #[test]
    fn a_constant_moves_the_result(seed in 1u64.., n in 1usize..40) {
        let mut dice = Dice(seed);
        let width = 40;
        let data: Vec<f32> = (0..n * width).map(|_| dice.below(3000) as f32).collect();
        let moved: Vec<f32> = data.iter().map(|v| v + 4096.0).collect();
        let mut workspace = Workspace::default();
        for method in methods() {
            // These know the level.
            if matches!(
                method,
                Reject::Percentile { .. } | Reject::AveragedSigma { .. } | Reject::CcdNoise { .. }
            ) {
                continue;
            }
            let a = run(Samples::new(&data, width), method, Combine::Median, &mut workspace);
            let b = run(Samples::new(&moved, width), method, Combine::Median, &mut workspace);
            for x in 0..width {
                let (a, b) = (f32::from_bits(a.value[x]), f32::from_bits(b.value[x]));
                prop_assert_eq!(a + 4096.0, b);
            }
            prop_assert_eq!((a.kept, a.low, a.variance), (b.kept, b.low, b.variance));
        }
    }

    #[test]
    fn the_split_into_strips_does_not_show(seed in 1u64.., n in 1usize..40, cut in 1usize..299) {
        let mut dice = Dice(seed);
        let width = 300;
        let data = strip(&mut dice, n, width);
        let part = |from: usize, to: usize| -> Vec<f32> {
            data.chunks_exact(width).flat_map(|f| f[from..to].iter().copied()).collect()
        };
        let mut workspace = Workspace::default();
        for method in methods() {
            // A pool needs whole lines, here of 20 pixels.
            let pools = matches!(method, Reject::AveragedSigma { .. });
            let (line, cut) = if pools { (20, (cut / 20 * 20).max(20)) } else { (1, cut) };
            let weights: Vec<f32> = (0..n).map(|i| 1.0 + 0.1 * i as f32).collect();
            let of = |data: &[f32], width: usize, workspace: &mut Workspace| {
                let samples = Samples::new(data, width).in_lines(line).with_weights(&weights);
                run(samples, method, Combine::WeightedMean, workspace)
            };
            let whole = of(&data, width, &mut workspace);
            let left = of(&part(0, cut), cut, &mut workspace);
            let right = of(&part(cut, width), width - cut, &mut workspace);
            prop_assert_eq!(&whole.value[..cut], &left.value[..]);
            prop_assert_eq!(&whole.value[cut..], &right.value[..]);
            prop_assert_eq!(&whole.high[..cut], &left.high[..]);
            prop_assert_eq!(&whole.variance[cut..], &right.variance[..]);
        }
    }
}
