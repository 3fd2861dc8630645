//! Generalised extreme studentised deviate.

use super::lanes::{Columns, LANES};
use super::{FEWEST, Fate, Lanes, settle};

/// λ(q) at index q, for up to `count` samples.
pub(super) fn critical_values(count: usize, significance: f64) -> Vec<f64> {
    (0..=count)
        .map(|q| {
            if q < FEWEST {
                return f64::INFINITY;
            }
            let (n, freedom) = (q as f64, q as f64 - 2.0);
            let t = student_upper_quantile(significance / (2.0 * n), freedom);
            (n - 1.0) * t / (n * (freedom + t * t)).sqrt()
        })
        .collect()
}

/// λ² q / (q − 1) at index q: R > λ, with the divisions and the root of R multiplied out, is
/// (q x − Σx)² > this (q Σx² − (Σx)²).
pub(super) fn limits(critical: &[f64]) -> Vec<f64> {
    critical.iter().enumerate().map(|(q, l)| l * l * q as f64 / (q as f64 - 1.0)).collect()
}

/// The value that Student's t exceeds with probability `tail`.
fn student_upper_quantile(tail: f64, freedom: f64) -> f64 {
    if tail >= 0.5 {
        return 0.0;
    }
    // The tail falls with t: bisection to the last bit, which no method of fewer steps betters.
    let (mut low, mut high) = (0.0f64, 1.0f64);
    while student_tail(high, freedom) > tail && high < 1e300 {
        low = high;
        high *= 2.0;
    }
    while high - low > 1e-14 * high {
        let middle = 0.5 * (low + high);
        if student_tail(middle, freedom) > tail { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The probability that Student's t exceeds `t` ≥ 0: half of the regularised incomplete beta
/// function at f / (f + t²) with f/2 and 1/2.
fn student_tail(t: f64, freedom: f64) -> f64 {
    0.5 * incomplete_beta(0.5 * freedom, 0.5, freedom / (freedom + t * t))
}

/// The regularised incomplete beta function.
///
/// # Source
/// DLMF2010 8.17.22, the continued fraction; evaluated by the method of Lentz1976.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges fast below the mean only; above it the mirror image does.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    let away = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0f64).abs() < 1e-16 {
            break;
        }
    }
    front * fraction / a
}

/// The logarithm of the gamma function for x > 0.
///
/// # Source
/// DLMF2010 5.11.1, Stirling's series from x = 12 on, reached by the recurrence.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0f64);
    while x < 12.0 {
        product *= x;
        x += 1.0;
    }
    let r = 1.0 / (x * x);
    let series = (1.0 / 12.0
        - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r * (1.0 / 1680.0 - r * (1.0 / 1188.0)))))
        / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - product.ln()
}

/// The samples to take off either end of the kept part of `lane`; `path` is scratch.
fn outliers(
    columns: &Columns,
    lane: usize,
    share: f32,
    limits: &[f64],
    path: &mut Vec<bool>,
) -> (usize, usize) {
    let n = columns.kept.len(lane);
    if n <= FEWEST {
        return (0, 0);
    }
    let most = ((f64::from(share) * n as f64).floor() as usize).clamp(1, n - FEWEST);
    let (base, m) = (columns.kept.lo[lane] as usize, columns.median[lane]);
    let rows = &columns.rows[base..base + n];
    let at = |i: usize| f64::from(rows[i][lane]) - m;

    // Who goes first: that takes sums only.
    path.clear();
    let (mut lo, mut hi, mut sum) = (0, n, columns.sum[lane]);
    let (mut first, mut last) = (at(lo), at(hi - 1));
    for _ in 0..most {
        let greatest = (first + last) * (hi - lo) as f64 >= 2.0 * sum;
        path.push(greatest);
        if greatest {
            hi -= 1;
            sum -= last;
            last = at(hi - 1);
        } else {
            lo += 1;
            sum -= first;
            first = at(lo);
        }
    }

    // Then outwards from the core, putting each back: sums of squares only grow, so nothing is
    // lost to rounding. The first that tests as an outlier is the last in Rosner's order.
    let (mut sum, mut squares) = (0.0, 0.0);
    for i in lo..hi {
        let d = at(i);
        sum += d;
        squares += d * d;
    }
    for &greatest in path.iter().rev() {
        let inside = (lo, n - hi);
        lo -= usize::from(!greatest);
        hi += usize::from(greatest);
        let d = at(if greatest { hi - 1 } else { lo });
        sum += d;
        squares += d * d;
        let q = (hi - lo) as f64;
        let far = d * q - sum;
        if far * far > limits[hi - lo] * (q * squares - sum * sum) {
            // `inside` still counts this sample among the taken.
            return inside;
        }
    }
    (0, 0)
}

/// The lanes that have outliers.
pub(super) fn unsettled(
    columns: &Columns,
    share: f32,
    limits: &[f64],
    path: &mut Vec<bool>,
) -> Lanes {
    let mut out = [false; LANES];
    for lane in 0..columns.used {
        let fresh = columns.round[lane] == 0;
        out[lane] = fresh && outliers(columns, lane, share, limits, path) != (0, 0);
    }
    out
}

/// Takes the outliers off.
pub(super) fn narrow(
    columns: &mut Columns,
    share: f32,
    limits: &[f64],
    path: &mut Vec<bool>,
) -> [Fate; LANES] {
    let mut fates = [Fate::Judged; LANES];
    for lane in columns.open_lanes() {
        let (below, above) = outliers(columns, lane, share, limits, path);
        fates[lane] = settle(columns, lane, below, above);
    }
    fates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_quantiles_are_those_of_the_tables() {
        // Abramowitz and Stegun, table 26.10.
        for (tail, freedom, expected) in
            [(0.05, 1.0, 6.314), (0.025, 4.0, 2.776), (0.005, 10.0, 3.169), (0.0005, 30.0, 3.646)]
        {
            let t = student_upper_quantile(tail, freedom);
            assert!((t - expected).abs() < 6e-4, "{t} for {tail}, {freedom}");
        }
    }

    #[test]
    fn critical_values_are_those_of_the_paper() {
        // Rosner's table of 5 % points for n = 54, as the NIST handbook (1.3.5.17.3) prints it.
        let critical = critical_values(54, 0.05);
        for (i, expected) in [3.158, 3.151, 3.143, 3.136, 3.128, 3.120].iter().enumerate() {
            assert!((critical[54 - i] - expected).abs() < 1.1e-3, "{}", critical[54 - i]);
        }
    }
}
