//! Rejection must not move what it does not reject.

use photosite::params::default_recipe;
use photosite_pix::FrameKind;
use photosite_pix::combine::{Combine, Outcome, Recipe, Samples, Workspace, combine};
use photosite_pix::reject::Reject;
use photosite_sim::{Purpose, Stream};

/// Combines columns of Gaussian noise of mean 0 and sigma 1: the mean of the results, its standard
/// error, their variance times n, and the mean predicted variance times n.
fn of_noise(count: usize, recipe: Recipe) -> (f64, f64, f64, f64) {
    const PIXELS: usize = 60_000;
    let mut random = Stream::new(7, count as u64, Purpose::ReadNoise);
    let data: Vec<f32> = (0..PIXELS * count).map(|_| random.gaussian() as f32).collect();
    let (mut value, mut variance) = (vec![0.0; PIXELS], vec![0.0; PIXELS]);
    let (mut kept, mut low, mut high) = (vec![0; PIXELS], vec![0; PIXELS], vec![0; PIXELS]);
    let mut out = Outcome {
        value: &mut value,
        variance: &mut variance,
        kept: &mut kept,
        low: &mut low,
        high: &mut high,
    };
    combine(Samples::new(&data, PIXELS), recipe, &mut Workspace::default(), &mut out);
    let (n, count) = (PIXELS as f64, count as f64);
    let mean = value.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let real = value.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
    let predicted = variance.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    (mean, (real / n).sqrt(), real * count, predicted * count)
}

#[test]
fn the_default_recipe_does_not_shift_symmetric_noise() {
    for count in [4, 5, 7, 10, 15, 20, 30] {
        let (mean, error, real, predicted) =
            of_noise(count, default_recipe(FrameKind::Dark, count, None));
        println!(
            "{count} frames: mean {mean:+.5} +- {error:.5} sigma, variance x n {real:.4}, \
             predicted {predicted:.4}"
        );
        assert!(mean.abs() < 3.0 * error, "{count} frames: {mean} +- {error}");
    }
}

#[test]
fn thresholds_that_differ_shift_the_mean_and_equal_ones_do_not() {
    for (low, high, shifts) in [(4.0, 3.0, true), (4.0, 4.0, false), (3.0, 3.0, false)] {
        let reject = Reject::Winsorized { sigma_low: low, sigma_high: high };
        let (mean, error, real, predicted) =
            of_noise(20, Recipe { reject, combine: Combine::Mean });
        println!(
            "{low}/{high}: mean {mean:+.5} +- {error:.5} sigma, variance x n {real:.4}, \
             predicted {predicted:.4}"
        );
        assert_eq!(mean < -4.0 * error, shifts, "{low}/{high}: {mean} +- {error}");
    }
}
