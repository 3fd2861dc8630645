//! Weighted least squares with the same columns for millions of pixels: the coefficients as sums of
//! measurements.

/// Fewer squared parts than this of a column that the columns before it do not explain are rounding.
const NEW_SHARE: f64 = 1e-9;

/// The coefficients of some columns, each a sum over the measurements.
#[derive(Debug, Clone)]
pub struct Design {
    /// Coefficient by coefficient, what each measurement is multiplied with.
    pub rows: Vec<Vec<f64>>,
}

impl Design {
    /// `None` where the columns cannot be told apart.
    pub fn new(columns: &[Vec<f64>], weights: &[f64]) -> Option<Self> {
        let (k, n) = (columns.len(), weights.len());
        if k > n {
            return None;
        }
        // Columns of one length, for numbers of one size.
        let length =
            |c: &Vec<f64>| c.iter().zip(weights).map(|(v, w)| w * v * v).sum::<f64>().sqrt();
        let lengths: Vec<f64> = columns.iter().map(length).collect();
        if lengths.iter().any(|l| !(l.is_finite() && *l > 0.0)) {
            return None;
        }
        let unit = |i: usize, g: usize| columns[i][g] / lengths[i];
        // The normal equations beside the weighted columns, solved together.
        let mut rows: Vec<Vec<f64>> = (0..k)
            .map(|i| {
                let normal =
                    (0..k).map(|j| (0..n).map(|g| weights[g] * unit(i, g) * unit(j, g)).sum());
                normal.chain((0..n).map(|g| weights[g] * unit(i, g))).collect()
            })
            .collect();
        for i in 0..k {
            let pivot = (i..k).max_by(|a, b| rows[*a][i].abs().total_cmp(&rows[*b][i].abs()))?;
            rows.swap(i, pivot);
            let at = rows[i][i];
            if at.abs() < NEW_SHARE {
                return None;
            }
            rows[i].iter_mut().for_each(|v| *v /= at);
            let own = rows[i].clone();
            for (j, row) in rows.iter_mut().enumerate() {
                let factor = row[i];
                if j != i && factor != 0.0 {
                    row.iter_mut().zip(&own).for_each(|(v, o)| *v -= factor * o);
                }
            }
        }
        let rows = rows.iter().zip(lengths).map(|(r, l)| r[k..].iter().map(|v| v / l).collect());
        Some(Self { rows: rows.collect() })
    }

    /// Coefficient `i` of measurements.
    pub fn coefficient(&self, i: usize, y: &[f64]) -> f64 {
        self.rows[i].iter().zip(y).map(|(c, v)| c * v).sum()
    }

    /// The covariance of coefficients `i` and `j`, given the variance of each measurement.
    pub fn covariance(&self, i: usize, j: usize, variance: &[f64]) -> f64 {
        let pairs = self.rows[i].iter().zip(&self.rows[j]);
        pairs.zip(variance).map(|((a, b), v)| a * b * v).sum()
    }
}

/// Sums of products over many series of measurements, of which any set of columns can be taken out.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    count: usize,
    parts: Vec<Vec<f64>>,
    series: Vec<usize>,
}

/// Parts that the series are dealt into, to see how much an answer depends on each.
pub(super) const PARTS: usize = 8;

impl Moments {
    /// For series of `count` measurements.
    pub fn new(count: usize) -> Self {
        Self { count, parts: vec![vec![0.0; count * count]; PARTS], series: vec![0; PARTS] }
    }

    /// Adds one series of measurements, each in units of its noise.
    pub fn add(&mut self, index: usize, series: &[f64]) {
        let part = index % PARTS;
        self.series[part] += 1;
        for (row, a) in self.parts[part].chunks_exact_mut(self.count).zip(series) {
            row.iter_mut().zip(series).for_each(|(sum, b)| *sum += a * b);
        }
    }

    /// How many series there are, one part left out where it is named.
    pub fn series(&self, without: Option<usize>) -> f64 {
        let of = self.series.iter().enumerate().filter(|(i, _)| Some(*i) != without);
        of.map(|(_, n)| *n as f64).sum()
    }

    /// The squares that are left when `columns`, in units of the noise, are fitted to each series.
    pub fn left(&self, columns: &[Vec<f64>], without: Option<usize>) -> f64 {
        let n = self.count;
        let mut sums = vec![0.0; n * n];
        for (_, part) in self.parts.iter().enumerate().filter(|(i, _)| Some(*i) != without) {
            sums.iter_mut().zip(part).for_each(|(s, p)| *s += p);
        }
        let mut basis: Vec<Vec<f64>> = Vec::new();
        for column in columns {
            let mut new = column.clone();
            let whole = dot(&new, &new);
            for _ in 0..2 {
                for old in &basis {
                    let along = dot(&new, old);
                    new.iter_mut().zip(old).for_each(|(v, o)| *v -= along * o);
                }
            }
            let length = dot(&new, &new);
            if length > NEW_SHARE * whole {
                let length = length.sqrt();
                new.iter_mut().for_each(|v| *v /= length);
                basis.push(new);
            }
        }
        let trace: f64 = (0..n).map(|i| sums[i * n + i]).sum();
        let explained: f64 = basis
            .iter()
            .map(|q| (0..n).map(|i| q[i] * dot(&sums[i * n..(i + 1) * n], q)).sum::<f64>())
            .sum();
        (trace - explained).max(0.0)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Where `cost` is least between `low` and `high`: the best of a grid, narrowed down by golden section.
pub(super) fn least(low: f64, high: f64, cost: impl Fn(f64) -> f64) -> f64 {
    const GRID: usize = 32;
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let at = |i: usize| low + (high - low) * i as f64 / GRID as f64;
    let costs: Vec<f64> = (0..=GRID).map(|i| cost(at(i))).collect();
    let best = (0..=GRID).min_by(|a, b| costs[*a].total_cmp(&costs[*b])).unwrap_or(0);
    let (mut a, mut b) = (at(best.saturating_sub(1)), at((best + 1).min(GRID)));
    let (mut c, mut d) = (b - GOLDEN * (b - a), a + GOLDEN * (b - a));
    let (mut at_c, mut at_d) = (cost(c), cost(d));
    for _ in 0..24 {
        if at_c <= at_d {
            (b, d, at_d) = (d, c, at_c);
            c = b - GOLDEN * (b - a);
            at_c = cost(c);
        } else {
            (a, c, at_c) = (c, d, at_d);
            d = a + GOLDEN * (b - a);
            at_d = cost(d);
        }
    }
    0.5 * (a + b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_points_with_weights() {
        let (x, weights) = (vec![0.0, 1.0, 2.0, 10.0], [1.0, 4.0, 1.0, 0.5]);
        let design = Design::new(&[vec![1.0; 4], x.clone()], &weights).unwrap();
        let y: Vec<f64> = x.iter().map(|x| 3.0 - 0.25 * x).collect();
        assert!((design.coefficient(0, &y) - 3.0).abs() < 1e-12);
        assert!((design.coefficient(1, &y) + 0.25).abs() < 1e-12);
        // With variances that are one over the weights, the covariance is that of the textbook.
        let variance: Vec<f64> = weights.iter().map(|w| 1.0 / w).collect();
        let sum = |f: fn(f64) -> f64| x.iter().zip(weights).map(|(x, w)| w * f(*x)).sum::<f64>();
        let (s, sx, sxx) = (sum(|_| 1.0), sum(|x| x), sum(|x| x * x));
        let slope = s / (s * sxx - sx * sx);
        assert!((design.covariance(1, 1, &variance) / slope - 1.0).abs() < 1e-12);
    }

    #[test]
    fn columns_that_are_one_are_refused() {
        let same = vec![1.0, 2.0, 3.0];
        assert!(Design::new(&[same.clone(), same.clone()], &[1.0; 3]).is_none());
        assert!(Design::new(&[same.clone(), vec![0.0; 3]], &[1.0; 3]).is_none());
        assert!(Design::new(&[same.clone(), vec![1.0; 3]], &[1.0; 1]).is_none());
    }

    #[test]
    fn what_is_left_of_series_is_what_columns_do_not_explain() {
        let mut moments = Moments::new(3);
        for i in 0..40 {
            let (a, b) = (f64::from(i), f64::from(i % 7));
            moments.add(i as usize, &[a, a + b, a + 2.0 * b + 0.5]);
        }
        let columns = [vec![1.0; 3], vec![0.0, 1.0, 2.0]];
        // A half at the end: a sixth of its square is beyond a constant and a slope.
        assert!((moments.left(&columns, None) - 40.0 * 0.25 / 6.0).abs() < 1e-6);
        assert_eq!(moments.series(Some(0)), 35.0);
    }

    #[test]
    fn the_least_of_a_parabola() {
        assert!((least(-3.0, 9.0, |x| (x - 1.234).powi(2)) - 1.234).abs() < 1e-4);
        assert!((least(0.0, 1.0, |x| x) - 0.0).abs() < 1e-4);
    }
}
