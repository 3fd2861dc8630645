//! What is left of blocks when smooth structure is taken off.

use photosite_pix::Plane;
use photosite_pix::normal::Normal;
use photosite_pix::stat::{MAD_TO_SIGMA, median_mad};

use super::Logs;

/// Terms of a polynomial of the fourth order in two directions.
const TERMS: usize = 15;
/// Sigmas beyond which a block does not count.
const CLIP: f64 = 4.0;

fn terms(u: f64, v: f64) -> [f64; TERMS] {
    let (u2, v2) = (u * u, v * v);
    [
        1.0,
        u,
        v,
        u2,
        u * v,
        v2,
        u2 * u,
        u2 * v,
        u * v2,
        v2 * v,
        u2 * u2,
        u2 * u * v,
        u2 * v2,
        u * v2 * v,
        v2 * v2,
    ]
}

/// Every so many blocks along both axes are fitted: the polynomial has few terms.
const STEP: usize = 2;

/// The logarithms less a polynomial of the fourth order, fitted in so many rounds, each without what
/// stood out in the one before; blocks to `skip` say nothing of it.
pub(super) fn flattened(logs: &Logs, rounds: usize, skip: Option<&Plane<bool>>) -> Plane<f32> {
    let size = logs.size();
    let at = |x: usize, y: usize| {
        terms(
            2.0 * (x as f64 + 0.5) / size.width as f64 - 1.0,
            2.0 * (y as f64 + 0.5) / size.height as f64 - 1.0,
        )
    };
    let mut out = logs.clone();
    let mut limit = f64::INFINITY;
    for round in 0..rounds {
        let (mut fit, mut count) = (Normal::<TERMS, 1>::default(), 0.0);
        for y in (0..size.height).step_by(STEP) {
            for x in (0..size.width).step_by(STEP) {
                let (v, left) = (f64::from(logs.get(x, y)), f64::from(out.get(x, y)));
                if !v.is_finite()
                    || skip.is_some_and(|skip| skip.get(x, y))
                    || (limit.is_finite() && left.abs() > limit)
                {
                    continue;
                }
                fit.add(at(x, y), [v], 1.0);
                count += 1.0;
            }
        }
        // A little of nothing for each term, so that few blocks say something of all.
        for i in 0..TERMS {
            let mut one = [0.0; TERMS];
            one[i] = 1.0;
            fit.add(one, [0.0], 1e-9 * (count + 1.0));
        }
        let p = fit.solve().unwrap_or([[f64::NAN]; TERMS]);
        out = Plane::from_fn(size, |x, y| {
            let model: f64 = at(x, y).iter().zip(&p).map(|(t, [p])| t * p).sum();
            logs.get(x, y) - model as f32
        });
        if round + 1 < rounds {
            limit = CLIP * f64::from(spread(&out));
        }
    }
    out
}

/// The robust scatter of what is finite.
pub(super) fn spread(plane: &Plane<f32>) -> f32 {
    MAD_TO_SIGMA as f32 * median_mad(plane.as_slice()).1
}
