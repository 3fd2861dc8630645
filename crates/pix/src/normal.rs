//! Linear least squares by its normal equations.

/// The normal equations of a linear least squares problem in `N` unknowns, for `R` right sides.
#[derive(Debug, Clone)]
pub struct Normal<const N: usize, const R: usize> {
    /// Up to the diagonal; the rest is the same.
    matrix: [[f64; N]; N],
    right: [[f64; R]; N],
}

impl<const N: usize, const R: usize> Default for Normal<N, R> {
    fn default() -> Self {
        Self { matrix: [[0.0; N]; N], right: [[0.0; R]; N] }
    }
}

impl<const N: usize, const R: usize> Normal<N, R> {
    /// Adds an equation: what the unknowns are multiplied with, and what that comes to.
    pub fn add(&mut self, row: [f64; N], values: [f64; R], weight: f64) {
        for i in 0..N {
            let weighted = weight * row[i];
            for (sum, other) in self.matrix[i][..=i].iter_mut().zip(row) {
                *sum += weighted * other;
            }
            for (sum, value) in self.right[i].iter_mut().zip(values) {
                *sum += weighted * value;
            }
        }
    }

    /// Adds the equations of another problem in the same unknowns.
    pub fn join(&mut self, other: &Self) {
        let sums = self.matrix.iter_mut().flatten().zip(other.matrix.iter().flatten());
        sums.for_each(|(sum, more)| *sum += more);
        let sums = self.right.iter_mut().flatten().zip(other.right.iter().flatten());
        sums.for_each(|(sum, more)| *sum += more);
    }

    /// The unknowns, by elimination with pivots; `None` where the equations do not tell them.
    pub fn solve(mut self) -> Option<[[f64; R]; N]> {
        for i in 0..N {
            for j in 0..i {
                self.matrix[j][i] = self.matrix[i][j];
            }
        }
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
                for k in 0..R {
                    self.right[j][k] -= factor * self.right[i][k];
                }
            }
        }
        let mut out = [[0.0; R]; N];
        for i in (0..N).rev() {
            out[i] = std::array::from_fn(|r| {
                let rest: f64 = (i + 1..N).map(|k| self.matrix[i][k] * out[k][r]).sum();
                (self.right[i][r] - rest) / self.matrix[i][i]
            });
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_joined_are_the_whole() {
        let row = |i: usize| [1.0, i as f64, (i * i) as f64];
        let value = |i: usize| [2.0 - 3.0 * i as f64 + 0.5 * (i * i) as f64];
        let (mut whole, mut parts) =
            (Normal::<3, 1>::default(), [(); 2].map(|()| Normal::default()));
        for i in 0..9 {
            whole.add(row(i), value(i), 1.0 + i as f64);
            parts[i % 2].add(row(i), value(i), 1.0 + i as f64);
        }
        let [mut joined, other] = parts;
        joined.join(&other);
        for found in [whole.solve().unwrap(), joined.solve().unwrap()] {
            for (found, true_value) in found.iter().zip([2.0, -3.0, 0.5]) {
                assert!((found[0] - true_value).abs() < 1e-9, "{found:?}");
            }
        }
        assert!(Normal::<2, 1>::default().solve().is_none());
    }
}
