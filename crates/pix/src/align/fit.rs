//! Transforms through pairs of positions, by least squares.

use super::transform::{TERMS, terms};
use super::{Model, Point, Transform};

/// The transform of `model` that takes each first position nearest to its second; `None` where the
/// pairs are too few or lie too much in line.
pub(crate) fn fit(model: Model, pairs: &[(Point, Point)], mirrored: bool) -> Option<Transform> {
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
            let mut system = Normal::<4>::new();
            for (from, to) in pairs {
                let (u, v) = out.normalised(*from);
                system.add([u, -sign * v, 1.0, 0.0], to.x);
                system.add([sign * v, u, 0.0, 1.0], to.y);
            }
            let [a, b, c, d] = system.solve()?;
            out.x[..3].copy_from_slice(&[c, a, -sign * b]);
            out.y[..3].copy_from_slice(&[d, b, sign * a]);
        }
        Model::Affine => {
            (out.x, out.y) = polynomial::<3>(&out, pairs)?;
        }
        Model::Cubic => {
            (out.x, out.y) = polynomial::<TERMS>(&out, pairs)?;
        }
        Model::Homography => {
            // Linear in its numbers when multiplied out; weighted with the last denominators, the
            // residuals are those of positions.
            for _ in 0..4 {
                let mut system = Normal::<8>::new();
                for (from, to) in pairs {
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
                    system.add(row(true, to.x), w * to.x);
                    system.add(row(false, to.y), w * to.y);
                }
                let solved = system.solve()?;
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
) -> Option<([f64; TERMS], [f64; TERMS])> {
    let (mut along, mut down) = (Normal::<N>::new(), Normal::<N>::new());
    for (from, to) in pairs {
        let (u, v) = frame.normalised(*from);
        let all = terms(u, v);
        let row: [f64; N] = std::array::from_fn(|i| all[i]);
        along.add(row, to.x);
        down.add(row, to.y);
    }
    let widen = |c: [f64; N]| std::array::from_fn(|i| c.get(i).copied().unwrap_or(0.0));
    Some((widen(along.solve()?), widen(down.solve()?)))
}

/// The normal equations of a linear least squares problem in `N` unknowns.
struct Normal<const N: usize> {
    matrix: [[f64; N]; N],
    right: [f64; N],
}

impl<const N: usize> Normal<N> {
    fn new() -> Self {
        Self { matrix: [[0.0; N]; N], right: [0.0; N] }
    }

    fn add(&mut self, row: [f64; N], value: f64) {
        for i in 0..N {
            for j in 0..N {
                self.matrix[i][j] += row[i] * row[j];
            }
            self.right[i] += row[i] * value;
        }
    }

    /// The unknowns, by elimination with pivots; `None` where the equations do not tell them.
    fn solve(mut self) -> Option<[f64; N]> {
        let largest = (0..N).map(|i| self.matrix[i][i].abs()).fold(0.0, f64::max);
        for i in 0..N {
            let pivot = (i..N)
                .max_by(|a, b| self.matrix[*a][i].abs().total_cmp(&self.matrix[*b][i].abs()))?;
            self.matrix.swap(i, pivot);
            self.right.swap(i, pivot);
            let at = self.matrix[i][i];
            if at.is_nan() || at.abs() <= 1e-12 * largest {
                return None;
            }
            for j in i + 1..N {
                let factor = self.matrix[j][i] / at;
                for k in i..N {
                    self.matrix[j][k] -= factor * self.matrix[i][k];
                }
                self.right[j] -= factor * self.right[i];
            }
        }
        let mut out = [0.0; N];
        for i in (0..N).rev() {
            let rest: f64 = (i + 1..N).map(|k| self.matrix[i][k] * out[k]).sum();
            out[i] = (self.right[i] - rest) / self.matrix[i][i];
        }
        Some(out)
    }
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
        let cases: [(Model, bool, Pairs); 5] = [
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
