//! The propagated variance is the variance of many realisations.
//!
//! Every realisation draws its own light, darks, biases and flats, stacks and calibrates them by
//! the library, and the scatter of each pixel over all realisations is set against the mean of the
//! variances that the library predicted. (A peer's combination has been seen to lose the factor of
//! scaled frames here.)

use std::sync::Arc;

use photosite::calibrate::{
    Bias, CalibrationSet, DarkContent, FlatContent, Light, LightFacts, MasterDark, MasterFlat,
    RemovedBy,
};
use photosite::master::{Finish, finish};
use photosite::params::DarkScaling;
use photosite::stack::Stacked;
use photosite_pix::combine::{Combine, Outcome, Recipe, Samples, Workspace, combine};
use photosite_pix::reject::Reject;
use photosite_pix::{Applied, Frame, FrameKind, MaskBits, NoiseModel, Plane, Size};
use photosite_sim::{Purpose, Stream};

/// The dark electrons that a level hides are taken from the scatter of the whole dark, and not
/// below zero: few pixels would make that a sum of chances, and the prediction 0.7 % too large.
const SIZE: Size = Size::new(64, 64);
const REALISATIONS: usize = 48;
const GAIN: f64 = 0.8;
const READ_E: f64 = 3.0;
const BIAS_ADU: f64 = 500.0;
const DARK_E: f64 = 120.0;
const SKY_E: f64 = 300.0;
const LAMP_E: f64 = 12_000.0;
const FRAMES: usize = 10;

struct Camera {
    random: Stream,
}

impl Camera {
    /// One frame of that many expected electrons, in ADU.
    fn shoot(&mut self, electrons: impl Fn(usize) -> f64) -> Vec<f32> {
        (0..SIZE.pixels())
            .map(|i| {
                let e = self.random.poisson(electrons(i)) + READ_E * self.random.gaussian();
                (BIAS_ADU + e / GAIN) as f32
            })
            .collect()
    }

    fn master(
        &mut self,
        kind: FrameKind,
        recipe: Recipe,
        level: f32,
        electrons: impl Fn(usize) -> f64,
    ) -> Arc<Frame> {
        let mut data = Vec::new();
        for _ in 0..FRAMES {
            data.extend(self.shoot(&electrons).into_iter().map(|v| v - level));
        }
        let mut stacked = Stacked::empty(SIZE, false);
        let [mut kept, mut low, mut high] = [const { [0u16; SIZE.pixels()] }; 3];
        let mut out = Outcome {
            value: stacked.value.as_mut_slice(),
            variance: stacked.variance.as_mut_slice(),
            kept: &mut kept,
            low: &mut low,
            high: &mut high,
        };
        combine(Samples::new(&data, SIZE.pixels()), recipe, &mut Workspace::default(), &mut out);
        let spec = Finish {
            kind,
            count: FRAMES,
            combine: recipe.combine,
            cfa: None,
            noise: NoiseModel::new(GAIN, READ_E),
            applied: Applied::empty(),
            step_adu: 0.0,
        };
        let mut frame = finish(stacked, spec).frame;
        // A chance defect would be repaired, which is not what is asked here.
        frame.mask = Plane::filled(SIZE, MaskBits::empty());
        Arc::new(frame)
    }
}

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// Of its random numbers; no two cases share one.
    seed: u64,
    bias: bool,
    scale: Option<f64>,
    flat: bool,
    recipe: Recipe,
    /// How far the ratio may lie from 1.
    tolerance: f64,
}

/// Empirical over predicted variance, over all pixels and realisations.
fn ratio(case: Case) -> f64 {
    let mut camera = Camera { random: Stream::new(case.seed, 0, Purpose::Electrons) };
    let response = |i: usize| 0.7 + 0.6 * (i as f64) / (SIZE.pixels() - 1) as f64;
    let k = case.scale.unwrap_or(1.0);
    let pixels = SIZE.pixels();
    let (mut sum, mut squares) = (vec![0.0f64; pixels], vec![0.0f64; pixels]);
    let mut predicted = 0.0f64;
    for _ in 0..REALISATIONS {
        let bias = case
            .bias
            .then(|| Bias::Master(camera.master(FrameKind::Bias, case.recipe, 0.0, |_| 0.0)));
        let dark = MasterDark {
            frame: camera.master(FrameKind::Dark, case.recipe, 0.0, |_| DARK_E),
            content: DarkContent::BiasIncluded,
            exposure_s: None,
            variance_factor: case.recipe.combine.variance_of_one(FRAMES),
        };
        let flat = case.flat.then(|| MasterFlat {
            frame: camera
                .master(FrameKind::Flat, case.recipe, BIAS_ADU as f32, |i| LAMP_E * response(i)),
            content: FlatContent { additive_removed_by: RemovedBy::Level, normalised_channels: 1 },
        });
        let scaling = case.scale.map_or(DarkScaling::None, DarkScaling::Factor);
        let set = CalibrationSet::new(bias, Some(dark), flat, scaling).unwrap();
        let light_e = |i: usize| {
            let sky = if case.flat { SKY_E * response(i) } else { SKY_E };
            sky + k * DARK_E
        };
        let light = Light {
            data: Plane::from_vec(SIZE, camera.shoot(light_e)).unwrap(),
            facts: LightFacts { noise: NoiseModel::new(GAIN, READ_E), ..LightFacts::default() },
        };
        let done = set.apply(light).unwrap().frame;
        for (i, v) in done.data.as_slice().iter().enumerate() {
            sum[i] += f64::from(*v);
            squares[i] += f64::from(*v).powi(2);
        }
        let variance = done.variance.expect("a noise model was given");
        predicted += variance.as_slice().iter().map(|v| f64::from(*v)).sum::<f64>();
    }
    let n = REALISATIONS as f64;
    let real: f64 = sum.iter().zip(&squares).map(|(s, q)| (q - s * s / n) / (n - 1.0)).sum::<f64>();
    let ratio = real / (predicted / n);
    println!("{}: empirical over predicted variance {ratio:.4}", case.name);
    ratio
}

const PLAIN: Recipe = Recipe { reject: Reject::None, combine: Combine::Mean };

fn check(case: Case) {
    let ratio = ratio(case);
    assert!((ratio - 1.0).abs() < case.tolerance, "{}: {ratio}", case.name);
}

/// Four sigma of a variance from so many samples.
fn statistical() -> f64 {
    4.0 * (2.0 / ((REALISATIONS - 1) * SIZE.pixels()) as f64).sqrt()
}

const CASE: Case = Case {
    name: "light less dark, with bias",
    seed: 1,
    bias: true,
    scale: None,
    flat: false,
    recipe: PLAIN,
    tolerance: 0.0,
};

#[test]
fn the_variance_of_light_less_dark_is_what_it_says() {
    check(Case { tolerance: statistical(), ..CASE });
}

#[test]
fn without_a_bias_the_dark_signal_is_counted_all_the_same() {
    let name = "light less dark, no bias known";
    check(Case { name, seed: 2, bias: false, tolerance: 0.01, ..CASE });
}

#[test]
fn the_variance_of_a_divided_light_is_what_it_says() {
    // Terms beyond the first in the flat's noise are a few 1e-4.
    let tolerance = statistical() + 2e-3;
    check(Case { name: "with flat", seed: 3, flat: true, tolerance, ..CASE });
}

#[test]
fn the_variance_of_a_scaled_dark_is_what_it_says() {
    for (name, seed, k) in [("scaled by a half", 4, 0.5), ("scaled by two and a half", 5, 2.5)] {
        check(Case { name, seed, scale: Some(k), tolerance: statistical() + 1e-3, ..CASE });
    }
}

#[test]
fn the_usual_recipes_predict_their_noise_within_the_bar() {
    let usual = photosite::params::default_recipe(FrameKind::Dark, FRAMES, None);
    let name = "usual recipe";
    check(Case { name, seed: 6, flat: true, recipe: usual, tolerance: 0.02, ..CASE });
    let median = Recipe { reject: Reject::None, combine: Combine::Median };
    // The factor of a median, pi / 2, is that of many frames; for 10 it is 1.38.
    let name = "median";
    check(Case { name, seed: 7, flat: true, recipe: median, tolerance: 0.05, ..CASE });
}
