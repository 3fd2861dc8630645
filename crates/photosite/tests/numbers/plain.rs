//! Numbers of plain arrays: rejection at every level, noise of integers.

use photosite::params::default_recipe;
use photosite_pix::FrameKind;
use photosite_pix::combine::{Outcome, Samples, Workspace, combine};
use photosite_pix::stat;
use photosite_sim::{Purpose, Stream};

use crate::{Effort, Row};

/// A3: the share of good samples that the usual rejection takes from a sky near zero, in any unit.
pub fn good_samples_stay(effort: Effort) -> Vec<Row> {
    let width = effort.of(1 << 14, 1 << 18);
    let mut rows = Vec::new();
    for count in [4usize, 5, 7, 10] {
        let (mut worst, mut all) = (0.0f64, (0.0, 0.0));
        for level in [0.0, 0.2, 0.5, 1.0, 2.0] {
            for k in [1e-4, 1.0, 10.0, 1000.0] {
                let mut random =
                    Stream::new(count as u64, (level * 10.0) as u64, Purpose::ReadNoise);
                let data: Vec<f32> =
                    (0..width * count).map(|_| (k * (level + random.gaussian())) as f32).collect();
                let recipe = default_recipe(FrameKind::Light, count, None);
                let (mut value, mut variance) = (vec![0.0; width], vec![0.0; width]);
                let [mut kept, mut low, mut high] = [const { Vec::new() }; 3].map(|mut v| {
                    v.resize(width, 0u16);
                    v
                });
                let mut out = Outcome {
                    value: &mut value,
                    variance: &mut variance,
                    kept: &mut kept,
                    low: &mut low,
                    high: &mut high,
                };
                let samples = Samples::new(&data, width);
                combine(samples, recipe, &mut Workspace::default(), &mut out);
                let gone: f64 = low.iter().chain(&high).map(|n| f64::from(*n)).sum();
                worst = worst.max(gone / data.len() as f64);
                all = (all.0 + gone, all.1 + data.len() as f64);
            }
        }
        let error = worst.sqrt() / (all.1 / 20.0).sqrt();
        let what = format!("good samples rejected, sky 0 to 2 sigma, any unit, N = {count}: %");
        rows.push(Row::new("A3", what, (100.0 * worst, 100.0 * error), (0.0, 0.05)));
    }
    rows
}

/// A17: the noise of integers.
pub fn noise_of_integers(effort: Effort) -> Vec<Row> {
    let (width, height) = (512, effort.of(256, 4096));
    let sds = [0.4, 0.5, 0.7, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0];
    let of = |sd: f64| {
        let each: Vec<f64> = (0..4)
            .map(|part| {
                let mut random = Stream::new(17, (sd * 100.0) as u64 + part, Purpose::ReadNoise);
                let samples: Vec<f32> = (0..width * height / 4)
                    .map(|i| {
                        let level = 500.0 + (i % width) as f64 * 0.013;
                        (level + sd * random.gaussian()).round() as f32
                    })
                    .collect();
                // The samples without their slope: their noise and the rounding.
                let known = (sd * sd + 1.0 / 12.0).sqrt();
                stat::noise(&samples, width, 1) / known
            })
            .collect();
        Row::new(
            "A17",
            format!("noise of integers over truth, {sd} steps"),
            crate::mean(&each),
            crate::RIGHT,
        )
    };
    sds.into_iter().map(of).collect()
}
