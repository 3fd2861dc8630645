//! The two closed forms that users know, against independent arithmetic in 64 bits.

use std::sync::Arc;

use photosite::calibrate::{
    Bias, CalibrationSet, DarkContent, FlatContent, Light, LightFacts, MasterDark, MasterFlat,
    RemovedBy,
};
use photosite::master::{Finish, finish};
use photosite::params::DarkScaling;
use photosite::stack::Stacked;
use photosite_pix::combine::Combine;
use photosite_pix::{Applied, Frame, FrameKind, NoiseModel, Plane, Size, Unit};
use photosite_sim::{Purpose, Stream};

const SIZE: Size = Size::new(61, 47);

/// Half a unit in the last place of a 32-bit float of size 1.
const HALF_ULP: f64 = 1.0 / (1u64 << 24) as f64;

struct Planes {
    light: Plane<f32>,
    bias: Plane<f32>,
    dark: Plane<f32>,
    /// A flat whose additive part is gone.
    flat: Plane<f32>,
}

fn planes(seed: u64) -> Planes {
    let mut random = Stream::new(seed, 0, Purpose::ReadNoise);
    let mut plane =
        |low: f64, high: f64| Plane::from_fn(SIZE, |_, _| random.between(low, high) as f32);
    Planes {
        light: plane(300.0, 60_000.0),
        bias: plane(480.0, 520.0),
        dark: plane(470.0, 900.0),
        flat: plane(15_000.0, 25_000.0),
    }
}

fn frame(plane: &Plane<f32>) -> Arc<Frame> {
    Arc::new(Frame::new(plane.clone(), Unit::Adu))
}

fn dark(plane: &Plane<f32>, content: DarkContent) -> Option<MasterDark> {
    Some(MasterDark { frame: frame(plane), content, exposure_s: Some(60.0), variance_factor: None })
}

/// The flat as a master: normalised by the library.
fn flat(plane: &Plane<f32>) -> Option<MasterFlat> {
    let stacked = Stacked { value: plane.clone(), ..Stacked::empty(SIZE, false) };
    let spec = Finish {
        kind: FrameKind::Flat,
        count: 1,
        combine: Combine::Mean,
        cfa: None,
        noise: None,
        applied: Applied::BIAS,
        step_adu: 0.0,
    };
    let mut done = finish(stacked, spec).frame;
    // Samples drawn evenly are no flat; what stands out among them is no defect.
    done.mask = Plane::filled(SIZE, photosite_pix::MaskBits::empty());
    let content = FlatContent { additive_removed_by: RemovedBy::Bias, normalised_channels: 1 };
    Some(MasterFlat { frame: Arc::new(done), content })
}

fn light(plane: &Plane<f32>) -> Light {
    let facts = LightFacts { exposure_s: Some(90.0), ..LightFacts::default() };
    Light { data: plane.clone(), facts }
}

fn with(mut light: Light, change: impl Fn(&mut LightFacts)) -> Light {
    change(&mut light.facts);
    light
}

fn bias(plane: &Plane<f32>) -> Option<Bias> {
    Some(Bias::Master(frame(plane)))
}

/// The largest distance of `got` from `expected(x, y)`, in half units in the last place of the
/// largest number on the way.
fn distance(got: &Plane<f32>, expected: impl Fn(usize, usize) -> (f64, f64)) -> f64 {
    let mut worst = 0.0f64;
    for y in 0..SIZE.height {
        for x in 0..SIZE.width {
            let (value, scale) = expected(x, y);
            worst = worst.max((f64::from(got.get(x, y)) - value).abs() / (scale * HALF_ULP));
        }
    }
    worst
}

fn mean(plane: &Plane<f32>) -> f64 {
    plane.as_slice().iter().map(|v| f64::from(*v)).sum::<f64>() / SIZE.pixels() as f64
}

#[test]
fn a_matched_dark_gives_light_less_dark_over_flat() {
    for seed in 0..8 {
        let p = planes(seed);
        let dark = dark(&p.dark, DarkContent::BiasIncluded);
        let set = CalibrationSet::new(None, dark, flat(&p.flat), DarkScaling::None).unwrap();
        let got = set.apply(light(&p.light)).unwrap();
        assert_eq!(got.steps, ["saturation", "dark", "flat"]);
        let mean = mean(&p.flat);
        let worst = distance(&got.frame.data, |x, y| {
            let at = |p: &Plane<f32>| f64::from(p.get(x, y));
            let norm = mean / at(&p.flat);
            ((at(&p.light) - at(&p.dark)) * norm, at(&p.light) * norm)
        });
        println!("seed {seed}: {worst:.2} half units");
        // L - D, the factor of the flat, the product with it, the division.
        assert!(worst <= 4.0, "{worst}");
    }
}

#[test]
fn a_scaled_dark_gives_light_less_bias_less_scaled_dark_signal_over_flat() {
    for (seed, k) in [(1, 1.5), (2, 0.25), (3, 1.0), (4, 0.0), (5, 3.7)] {
        let p = planes(seed);
        let forms = [
            (DarkContent::BiasIncluded, p.dark.clone()),
            (
                DarkContent::BiasRemoved,
                Plane::from_fn(SIZE, |x, y| p.dark.get(x, y) - p.bias.get(x, y)),
            ),
        ];
        for (content, plane) in forms {
            let scaling = DarkScaling::Factor(k);
            let set =
                CalibrationSet::new(bias(&p.bias), dark(&plane, content), flat(&p.flat), scaling)
                    .unwrap();
            let got = set.apply(light(&p.light)).unwrap();
            assert_eq!(got.dark_scale, Some(k));
            let mean = mean(&p.flat);
            let worst = distance(&got.frame.data, |x, y| {
                let at = |p: &Plane<f32>| f64::from(p.get(x, y));
                let norm = mean / at(&p.flat);
                let value = at(&p.light) - at(&p.bias) - k * (at(&p.dark) - at(&p.bias));
                (value * norm, (at(&p.light) + (1.0 + k) * at(&p.dark)) * norm)
            });
            println!("k {k} {content:?}: {worst:.2} half units");
            assert!(worst <= 4.0, "{worst}");
        }
    }
}

#[test]
fn exposures_give_the_factor() {
    let p = planes(9);
    let included = || dark(&p.dark, DarkContent::BiasIncluded);
    let set = CalibrationSet::new(bias(&p.bias), included(), None, DarkScaling::Exposure).unwrap();
    assert_eq!(set.apply(light(&p.light)).unwrap().dark_scale, Some(1.5));
    let unknown = Light { facts: LightFacts::default(), ..light(&p.light) };
    let message = set.apply(unknown).unwrap_err().to_string();
    assert!(message.contains("exposure"), "{message}");
    let without = CalibrationSet::new(None, included(), None, DarkScaling::Exposure);
    assert!(without.is_err(), "a dark that holds the bias was scaled without a bias");
}

#[test]
fn a_bias_beside_a_dark_that_holds_it_changes_no_sample() {
    let p = planes(12);
    let noise = NoiseModel::new(0.8, 1.6);
    let with_noise = || with(light(&p.light), |facts| facts.noise = noise);
    let included = || dark(&p.dark, DarkContent::BiasIncluded);
    let calibrate = |bias| {
        let set = CalibrationSet::new(bias, included(), flat(&p.flat), DarkScaling::None).unwrap();
        set.apply(with_noise()).unwrap()
    };
    let (without, with) = (calibrate(None), calibrate(bias(&p.bias)));
    assert_eq!(without.frame.data, with.frame.data);
    assert_eq!(without.frame.mask, with.frame.mask);
    assert_eq!((without.steps, without.dark_scale), (with.steps, with.dark_scale));
}

#[test]
fn a_level_serves_as_a_bias() {
    let p = planes(3);
    let set = |bias| CalibrationSet::new(Some(bias), None, None, DarkScaling::None).unwrap();
    let level = set(Bias::Level(500.5)).apply(light(&p.light)).unwrap();
    let plane = set(Bias::Master(frame(&Plane::filled(SIZE, 500.5))));
    assert_eq!(level.frame.data, plane.apply(light(&p.light)).unwrap().frame.data);
}

#[test]
fn no_step_is_done_twice() {
    let p = planes(21);
    let included = || dark(&p.dark, DarkContent::BiasIncluded);
    let removed = Plane::from_fn(SIZE, |x, y| p.dark.get(x, y) - p.bias.get(x, y));
    let value = |set: &CalibrationSet, data: &Plane<f32>, applied| {
        set.apply(with(light(data), |facts| facts.applied = applied)).unwrap().frame.data
    };
    let close = |a: &Plane<f32>, b: &Plane<f32>| {
        a.as_slice().iter().zip(b.as_slice()).all(|(a, b)| (a - b).abs() < 0.02)
    };
    let unbiased = Plane::from_fn(SIZE, |x, y| p.light.get(x, y) - p.bias.get(x, y));
    let expected = Plane::from_fn(SIZE, |x, y| p.light.get(x, y) - p.dark.get(x, y));

    // The bias is gone from the light already: whatever the dark holds, it goes once.
    let set = CalibrationSet::new(bias(&p.bias), included(), None, DarkScaling::None).unwrap();
    assert!(close(&value(&set, &p.light, Applied::empty()), &expected));
    assert!(close(&value(&set, &unbiased, Applied::BIAS), &expected), "the bias went twice");
    let free = dark(&removed, DarkContent::BiasRemoved);
    let set = CalibrationSet::new(bias(&p.bias), free, None, DarkScaling::None).unwrap();
    assert!(close(&value(&set, &unbiased, Applied::BIAS), &expected));

    // Without a bias to take out of the dark it is an error, not a guess.
    let set = CalibrationSet::new(None, included(), None, DarkScaling::None).unwrap();
    let refused =
        set.apply(with(light(&unbiased), |facts| facts.applied = Applied::BIAS)).unwrap_err();
    assert!(refused.to_string().contains("twice"), "{refused}");

    // A dark that the camera subtracted took the bias along.
    let set = CalibrationSet::new(bias(&p.bias), included(), flat(&p.flat), DarkScaling::None);
    let set = set.unwrap();
    let done = set.apply(with(light(&expected), |facts| facts.applied = Applied::DARK)).unwrap();
    assert_eq!(done.steps, ["saturation", "flat"]);
    let done = set
        .apply(with(light(&expected), |facts| facts.applied = Applied::DARK | Applied::FLAT))
        .unwrap();
    assert_eq!(done.frame.data, expected);
}

#[test]
fn masters_of_other_sizes_are_refused() {
    let p = planes(1);
    let small = frame(&Plane::filled(Size::new(60, 47), 500.0));
    let dark = dark(&p.dark, DarkContent::BiasIncluded);
    let odd = CalibrationSet::new(Some(Bias::Master(small.clone())), dark, None, DarkScaling::None);
    assert!(odd.is_err());
    let set =
        CalibrationSet::new(Some(Bias::Master(small)), None, None, DarkScaling::None).unwrap();
    let message = set.apply(light(&p.light)).unwrap_err().to_string();
    assert!(message.contains("61") && message.contains("60"), "{message}");
}
