//! Repairs of single pixels, columns and clusters against what should have been there.

use photosite::defects::repair;
use photosite_pix::{CfaPattern, Frame, MaskBits, Plane, Size, Unit};
use photosite_sim::{Purpose, Stream};

const SIZE: Size = Size { width: 240, height: 240 };

/// Arrays, by name.
const ARRAYS: [(&str, Option<&str>); 3] = [
    ("mono", None),
    ("bayer", Some("RGGB")),
    ("x-trans", Some("GBGGRGRGRBGBGBGGRGGRGGBGBGBRGRGRGGBG")),
];

/// A scene with Gaussian noise of 10, its variance known, and an array's colours on it.
fn scene(
    light: impl Fn(f64, f64) -> f64,
    cfa: Option<CfaPattern>,
    seed: u64,
) -> (Plane<f32>, Frame) {
    let mut random = Stream::new(seed, 0, Purpose::ReadNoise);
    let truth = Plane::from_fn(SIZE, |x, y| {
        let factor = cfa.map_or(1.0, |c| [0.6, 1.0, 0.4][c.color(x, y).channel()]);
        (factor * light(x as f64, y as f64)) as f32
    });
    let data = Plane::from_fn(SIZE, |x, y| truth.get(x, y) + (10.0 * random.gaussian()) as f32);
    let mut frame = Frame::new(data, Unit::Adu);
    frame.variance = Some(Plane::filled(SIZE, 100.0));
    (truth, frame)
}

/// Marks pixels HOT with a value of their own, repairs them, and gives the errors in sigmas of a sample, and
/// of the variance that the repair states.
fn errors(
    truth: &Plane<f32>,
    mut frame: Frame,
    cfa: Option<CfaPattern>,
    which: &[(usize, usize)],
) -> Vec<(f64, f64)> {
    for &(x, y) in which {
        frame.data.set(x, y, 30_000.0);
        frame.mask.row_mut(y)[x] |= MaskBits::HOT;
    }
    assert_eq!(repair(&mut frame, cfa, which), which.len());
    let variance = frame.variance.unwrap();
    let error = |&(x, y): &(usize, usize)| {
        assert!(frame.mask.get(x, y).contains(MaskBits::HOT | MaskBits::INTERPOLATED));
        let off = f64::from(frame.data.get(x, y) - truth.get(x, y));
        (off / 10.0, off / f64::from(variance.get(x, y)).sqrt())
    };
    which.iter().map(error).collect()
}

fn mean_and_rms(all: &[f64]) -> (f64, f64) {
    let n = all.len() as f64;
    let mean = all.iter().sum::<f64>() / n;
    (mean, (all.iter().map(|v| v * v).sum::<f64>() / n).sqrt())
}

/// Single pixels, one in 37 of the frame.
fn scattered() -> Vec<(usize, usize)> {
    let all = (0..SIZE.pixels()).step_by(37).map(|i| (i % SIZE.width, i / SIZE.width));
    all.filter(|&(x, y)| (8..232).contains(&x) && (8..232).contains(&y)).collect()
}

fn column(x: usize, width: usize) -> Vec<(usize, usize)> {
    (8..232).flat_map(|y| (x..x + width).map(move |x| (x, y))).collect()
}

fn cluster(side: usize) -> Vec<(usize, usize)> {
    (0..36)
        .flat_map(|i| {
            let (x0, y0) = (20 + 36 * (i % 6), 20 + 36 * (i / 6));
            (0..side * side).map(move |j| (x0 + j % side, y0 + j / side))
        })
        .collect()
}

#[test]
fn repairs_are_unbiased_on_sky_and_follow_an_edge() {
    let sky = |x: f64, y: f64| 1000.0 + 2.0 * x + y;
    // The rim of a nebula: 30 sigma over 3 pixels, at a slant.
    let edge = |x: f64, y: f64| {
        let t = (x + 0.6 * y - 180.0) / 3.0;
        1000.0 + 300.0 / (1.0 + (-t).exp())
    };
    for (name, pattern) in ARRAYS {
        let cfa = pattern.and_then(CfaPattern::parse);
        let shapes = [
            ("pixels", scattered(), true),
            ("column", column(120, 1), true),
            ("three columns", column(120, 3), pattern.is_none()),
            ("clusters of 3 x 3", cluster(3), true),
            ("clusters of 5 x 5", cluster(5), pattern.is_none()),
        ];
        for (shape, which, tight) in shapes {
            let mut on_sky = Vec::new();
            let mut at_edge = Vec::new();
            for seed in 0..4 {
                let (truth, frame) = scene(sky, cfa, seed);
                on_sky.extend(errors(&truth, frame, cfa, &which));
                let (truth, frame) = scene(edge, cfa, 10 + seed);
                let slope =
                    |(x, y): (usize, usize)| (x as f64 + 0.6 * y as f64 - 180.0).abs() < 12.0;
                let near: Vec<(usize, usize)> =
                    which.iter().copied().filter(|p| slope(*p)).collect();
                let all = errors(&truth, frame, cfa, &which);
                let kept = all.iter().zip(&which).filter(|(_, p)| near.contains(p));
                at_edge.extend(kept.map(|(e, _)| *e));
            }
            let of = |all: &[(f64, f64)], i: usize| -> (f64, f64) {
                mean_and_rms(
                    &all.iter().map(|e| if i == 0 { e.0 } else { e.1 }).collect::<Vec<_>>(),
                )
            };
            let ((bias, rms), (_, pull)) = (of(&on_sky, 0), of(&on_sky, 1));
            let (edge_bias, edge_rms) = of(&at_edge, 0);
            println!(
                "{name}, {shape}: sky bias {bias:.3} rms {rms:.2} pull {pull:.2}; edge bias \
                 {edge_bias:.2} rms {edge_rms:.2} sigma, {} pixels",
                at_edge.len()
            );
            let error = 4.0 * rms / (on_sky.len() as f64).sqrt();
            assert!(bias.abs() < 0.1 + error, "{name} {shape}: {bias}");
            assert!((0.6..1.3).contains(&pull), "{name} {shape}: {pull}");
            if tight {
                assert!(edge_bias.abs() < 1.0, "{name} {shape}: {edge_bias}");
            }
        }
    }
}

#[test]
fn what_is_too_large_stays_a_hole() {
    for (name, pattern) in ARRAYS {
        let cfa = pattern.and_then(CfaPattern::parse);
        let (_, mut frame) = scene(|_, _| 1000.0, cfa, 1);
        let which: Vec<(usize, usize)> =
            (0..30 * 30).map(|i| (100 + i % 30, 100 + i / 30)).collect();
        which.iter().for_each(|&(x, y)| frame.mask.row_mut(y)[x] |= MaskBits::HOT);
        repair(&mut frame, cfa, &which);
        let middle = frame.mask.get(115, 115);
        assert!(middle.contains(MaskBits::NO_DATA), "{name}: {middle:?}");
        assert!(frame.data.get(115, 115).is_nan(), "{name}");
    }
}

/// With and without a variance: what is stacked has none.
#[test]
fn repairs_follow_stars() {
    for (fwhm_px, most) in [(2.5, 0.012), (3.4, 0.006), (5.0, 0.004)] {
        let sigma = fwhm_px / 2.3548f64;
        let (mut random, mut off) = (Stream::new(7, 0, Purpose::Stars), Vec::new());
        let stars: Vec<(f64, f64)> = (0..144)
            .map(|i| (f64::from(20 + i % 12 * 18), f64::from(20 + i / 12 * 18)))
            .map(|(x, y)| (x + random.uniform() - 0.5, y + random.uniform() - 0.5))
            .collect();
        let light = |x: f64, y: f64| {
            let star = |s: &(f64, f64)| {
                let d2 = (x - s.0).powi(2) + (y - s.1).powi(2);
                if d2 < 100.0 { 3000.0 * (-0.5 * d2 / (sigma * sigma)).exp() } else { 0.0 }
            };
            500.0 + stars.iter().map(star).sum::<f64>()
        };
        let beside = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)];
        let place = |(i, s): (usize, &(f64, f64))| {
            let (dx, dy) = beside[i % beside.len()];
            (s.0.round() as usize + dx, s.1.round() as usize + dy)
        };
        let which: Vec<(usize, usize)> = stars.iter().enumerate().map(place).collect();
        let (truth, frame) = scene(light, None, 3);
        let mut bare = frame.clone();
        bare.variance = None;
        let flux = 3000.0 * 2.0 * std::f64::consts::PI * sigma * sigma;
        let pulls: Vec<f64> = errors(&truth, frame.clone(), None, &which)
            .into_iter()
            .map(|(sigmas, pull)| {
                off.push(10.0 * sigmas / flux);
                pull
            })
            .collect();
        let ((mean, rms), (_, pull)) = (mean_and_rms(&off), mean_and_rms(&pulls));
        println!("FWHM {fwhm_px}: {:.4} rms {:.4} of a star's flux, pull {pull:.2}", mean, rms);
        assert!(rms < most && mean.abs() < 0.5 * most, "FWHM {fwhm_px}: {mean} {rms}");
        assert!(pull < 2.0, "FWHM {fwhm_px}: {pull}");
        let mut known = frame;
        repair(&mut known, None, &which);
        repair(&mut bare, None, &which);
        assert!(which.iter().all(|(x, y)| known.data.get(*x, *y) == bare.data.get(*x, *y)));
    }
}
