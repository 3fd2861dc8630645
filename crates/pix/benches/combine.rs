//! Rejection and combination of a strip, one core: time a pixel for each method.
//!
//! The strip is eight lines of 4656 pixels, of read noise 8 ADU on a level of 1000 with 0.1 % outliers, as f32
//! or as raw integers.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use photosite_pix::combine::{Combine, Outcome, Recipe, Samples, Workspace, combine};
use photosite_pix::reject::{Reject, Thresholds};

/// Pixels of the strip.
const WIDTH: usize = 4656 * 8;

/// Integers with Gaussian noise and outliers.
fn frames(count: usize) -> Vec<u16> {
    let mut state = 7u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count * WIDTH)
        .map(|_| {
            let twelve: u64 = (0..3)
                .map(|_| {
                    let b = next();
                    (b & 0xffff) + (b >> 16 & 0xffff) + (b >> 32 & 0xffff) + (b >> 48)
                })
                .sum();
            let noise = (twelve as f64 / 65536.0 - 6.0) * 8.0;
            let hit = if next() % 1000 == 0 { (next() % 5000) as f64 } else { 0.0 };
            (1000.0 + noise + hit) as u16
        })
        .collect()
}

fn bench(c: &mut Criterion) {
    for count in [24, 200] {
        let raw = frames(count);
        let floats: Vec<f32> = raw.iter().map(|v| f32::from(*v)).collect();
        let mut planes = (vec![0.0; WIDTH], vec![0.0; WIDTH]);
        let mut counts = [vec![0; WIDTH], vec![0; WIDTH], vec![0; WIDTH]];
        let mut workspace = Workspace::default();
        let mut group = c.benchmark_group(format!("{count} frames"));
        group.throughput(Throughput::Elements(WIDTH as u64)).sample_size(10);
        let mut go = |name: String, samples: Samples, recipe: Recipe| {
            group.bench_function(name, |b| {
                b.iter(|| {
                    let [kept, low, high] = &mut counts;
                    let mut out =
                        Outcome { value: &mut planes.0, variance: &mut planes.1, kept, low, high };
                    combine(samples, recipe, &mut workspace, &mut out);
                });
            });
        };
        let three = Thresholds { low: Some(3.0), high: Some(3.0) };
        let mut recipes = vec![
            ("median".to_owned(), Recipe { reject: Reject::None, combine: Combine::Median }),
            ("mean".to_owned(), Recipe { reject: Reject::None, combine: Combine::Mean }),
        ];
        for name in ["winsorized", "sigma", "median-sigma"] {
            let reject = Reject::named(name, three).unwrap_or(Reject::None);
            recipes.push((format!("{name} 3/3"), Recipe { reject, combine: Combine::Mean }));
        }
        for name in ["mad", "averaged-sigma", "linear-fit", "gesd", "minmax", "percentile"] {
            let reject = Reject::named(name, Thresholds::default()).unwrap_or(Reject::None);
            recipes.push((name.to_owned(), Recipe { reject, combine: Combine::Mean }));
        }
        let reject = Reject::CcdNoise {
            low: 4.0,
            high: 4.0,
            read_noise_adu: 8.0,
            gain_e_per_adu: 1e9,
            sensitivity: 0.0,
            pedestal_adu: 0.0,
        };
        recipes.push(("ccd-noise".to_owned(), Recipe { reject, combine: Combine::Mean }));
        for (name, recipe) in recipes {
            let weights: Vec<f32> = (0..count).map(|i| 1.0 + 0.01 * i as f32).collect();
            let weighted = Samples::new(&floats, WIDTH).in_lines(4656).with_weights(&weights);
            if name == "averaged-sigma" {
                let weigh = Recipe { combine: Combine::WeightedMean, ..recipe };
                go(format!("{name}, weighted f32"), weighted, weigh);
            }
            go(format!("{name} f32"), Samples::new(&floats, WIDTH), recipe);
            go(format!("{name} u16"), Samples::raw(&raw, WIDTH, 65536), recipe);
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(800));
    targets = bench
}
criterion_main!(benches);
