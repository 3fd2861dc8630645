//! Transforms through pairs of positions, by least squares.

use super::transform::{CUBIC_TERMS, TERMS, terms};
use super::{Model, Point, Transform};
use crate::normal::Normal;

/// The transform of `model` that takes each first position nearest to its second; `None` where the
/// pairs are too few or lie too much in line.
pub(crate) fn fit(model: Model, pairs: &[(Point, Point)], mirrored: bool) -> Option<Transform> {
    fit_weighted(model, pairs, &vec![1.0; pairs.len()], mirrored)
}

/// Degrees of freedom of the errors of positions: bright stars are measured ten times as well as
/// faint ones, so that many errors are small and some are large.
const FREEDOM: f64 = 2.0;

/// Rounds of weighing and fitting.
const WEIGHINGS: usize = 6;

/// The most likely transform of `model` where errors are those of stars of every brightness, and
/// twice its unlikelihood as a logarithm, for comparison between models.
///
/// # Source
/// Lange1989: Student's t in two dimensions by iterated weights.
pub(super) fn fit_likely(
    model: Model,
    pairs: &[(Point, Point)],
    mirrored: bool,
) -> Option<(Transform, f64)> {
    /// The least scale of errors in pixels.
    const LEAST: f64 = 1e-6;
    let n = pairs.len() as f64;
    let mut transform = fit(model, pairs, mirrored)?;
    let squares_of = |t: &Transform| -> Vec<f64> {
        pairs.iter().map(|(from, to)| t.apply(*from).distance(*to).powi(2)).collect()
    };
    let mut squares = squares_of(&transform);
    let mut variance = (squares.iter().sum::<f64>() / (2.0 * n)).max(LEAST * LEAST);
    for _ in 0..WEIGHINGS {
        let weight = |d2: &f64| (FREEDOM + 2.0) / (FREEDOM + d2 / variance);
        let weights: Vec<f64> = squares.iter().map(weight).collect();
        transform = fit_weighted(model, pairs, &weights, mirrored)?;
        squares = squares_of(&transform);
        let sum: f64 = weights.iter().zip(&squares).map(|(w, d2)| w * d2).sum();
        variance = (sum / (2.0 * n)).max(LEAST * LEAST);
    }
    let tails: f64 = squares.iter().map(|d2| (d2 / (FREEDOM * variance)).ln_1p()).sum();
    Some((transform, 2.0 * n * variance.ln() + (FREEDOM + 2.0) * tails))
}

/// The same as [`fit`] where pairs count as their weights say.
fn fit_weighted(
    model: Model,
    pairs: &[(Point, Point)],
    weights: &[f64],
    mirrored: bool,
) -> Option<Transform> {
    if 2 * pairs.len() < model.parameters() {
        return None;
    }
    let n = pairs.len() as f64;
    let middle = |pick: fn(&(Point, Point)) -> f64| pairs.iter().map(pick).sum::<f64>() / n;
    let centre = Point::new(middle(|p| p.0.x), middle(|p| p.0.y));
    let spread = pairs.iter().map(|(a, _)| a.distance(centre).powi(2)).sum::<f64>();
    let scale = (spread / n).sqrt().max(1e-9);
    let mut out = Transform { model, centre, scale, ..Transform::IDENTITY };
    (out.x, out.y) = ([0.0; TERMS], [0.0; TERMS]);
    match model {
        Model::Similarity => {
            // x' = a u ∓ b v + c, y' = b u ± a v + d; the lower signs mirror.
            let sign = if mirrored { -1.0 } else { 1.0 };
            let mut system = Normal::<4, 1>::default();
            for ((from, to), weight) in pairs.iter().zip(weights) {
                let (u, v) = out.normalised(*from);
                system.add([u, -sign * v, 1.0, 0.0], [to.x], *weight);
                system.add([sign * v, u, 0.0, 1.0], [to.y], *weight);
            }
            let [a, b, c, d] = system.solve()?.map(|[v]| v);
            out.x[..3].copy_from_slice(&[c, a, -sign * b]);
            out.y[..3].copy_from_slice(&[d, b, sign * a]);
        }
        Model::Affine => {
            (out.x, out.y) = polynomial::<3>(&out, pairs, weights)?;
        }
        Model::Cubic => {
            (out.x, out.y) = polynomial::<CUBIC_TERMS>(&out, pairs, weights)?;
        }
        Model::Quintic => {
            (out.x, out.y) = polynomial::<TERMS>(&out, pairs, weights)?;
        }
        Model::Homography => {
            // Linear in its numbers when multiplied out; weighted with the last denominators, the
            // residuals are those of positions.
            for _ in 0..4 {
                let mut system = Normal::<8, 1>::default();
                for ((from, to), weight) in pairs.iter().zip(weights) {
                    let (u, v) = out.normalised(*from);
                    let w = 1.0 / (1.0 + out.perspective[0] * u + out.perspective[1] * v);
                    let row = |x: bool, at: f64| {
                        let half = [w, w * u, w * v];
                        let mut row = [0.0; 8];
                        row[if x { 0..3 } else { 3..6 }].copy_from_slice(&half);
                        row[6] = -w * u * at;
                        row[7] = -w * v * at;
                        row
                    };
                    system.add(row(true, to.x), [w * to.x], *weight);
                    system.add(row(false, to.y), [w * to.y], *weight);
                }
                let solved = system.solve()?.map(|[v]| v);
                out.x[..3].copy_from_slice(&solved[..3]);
                out.y[..3].copy_from_slice(&solved[3..6]);
                out.perspective = [solved[6], solved[7]];
            }
        }
    }
    Some(out)
}

/// Both coordinates as polynomials of the first `N` terms.
fn polynomial<const N: usize>(
    frame: &Transform,
    pairs: &[(Point, Point)],
    weights: &[f64],
) -> Option<([f64; TERMS], [f64; TERMS])> {
    let mut system = Normal::<N, 2>::default();
    for ((from, to), weight) in pairs.iter().zip(weights) {
        let (u, v) = frame.normalised(*from);
        let all = terms(u, v);
        system.add(std::array::from_fn(|i| all[i]), [to.x, to.y], *weight);
    }
    let solved = system.solve()?;
    let of = |axis: usize| std::array::from_fn(|i| solved.get(i).map_or(0.0, |c| c[axis]));
    Some((of(0), of(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Vec<(Point, Point)>;

    fn pairs(map: impl Fn(f64, f64) -> (f64, f64)) -> Pairs {
        (0..60)
            .map(|i| {
                let (x, y) = (f64::from(i * 37 % 101) * 30.0, f64::from(i * 53 % 97) * 20.0);
                let (a, b) = map(x, y);
                (Point::new(x, y), Point::new(a, b))
            })
            .collect()
    }

    #[test]
    fn each_model_finds_its_own_and_turns_back() {
        let cases: [(Model, bool, Pairs); 6] = [
            (Model::Similarity, false, pairs(|x, y| (0.6 * x - 0.8 * y + 9.0, 0.8 * x + 0.6 * y))),
            (Model::Similarity, true, pairs(|x, y| (0.6 * x + 0.8 * y + 9.0, 0.8 * x - 0.6 * y))),
            (Model::Affine, false, pairs(|x, y| (1.1 * x + 0.02 * y + 5.0, 0.9 * y - 0.1 * x))),
            (
                Model::Homography,
                false,
                pairs(|x, y| {
                    let w = 1.0 + 1e-5 * x - 2e-5 * y;
                    ((x + 3.0) / w, (y - 0.1 * x) / w)
                }),
            ),
            (
                Model::Cubic,
                false,
                pairs(|x, y| {
                    let r2 = ((x - 1500.0).powi(2) + (y - 1000.0).powi(2)) * 1e-8;
                    (x + (x - 1500.0) * r2, y + (y - 1000.0) * r2)
                }),
            ),
            (
                Model::Quintic,
                false,
                pairs(|x, y| {
                    let r2 = ((x - 1500.0).powi(2) + (y - 1000.0).powi(2)) * 1e-8;
                    (x + (x - 1500.0) * r2 * r2, y - (y - 1000.0) * r2 * (1.0 - r2))
                }),
            ),
        ];
        for (model, mirrored, pairs) in cases {
            let t = fit(model, &pairs, mirrored).unwrap();
            for (from, to) in &pairs {
                assert!(t.apply(*from).distance(*to) < 1e-6, "{model:?}");
                assert!(t.invert(*to).unwrap().distance(*from) < 1e-6, "{model:?}");
            }
            assert_eq!(t.is_mirrored(Point::new(1500.0, 1000.0)), mirrored);
        }
    }

    #[test]
    fn points_in_line_or_too_few_tell_nothing() {
        let line: Vec<_> =
            (0..9).map(|i| Point::new(f64::from(i), f64::from(2 * i))).map(|p| (p, p)).collect();
        assert!(fit(Model::Affine, &line, false).is_none());
        assert!(fit(Model::Similarity, &line, false).is_some());
        assert!(fit(Model::Similarity, &line[..1], false).is_none());
    }
}
