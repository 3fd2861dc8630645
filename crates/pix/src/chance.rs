//! What chance does: quantiles of Student's t, tails of means of exponential numbers, the normal
//! distribution, and how far samples of it stray from it.

/// The value that Student's t of so many degrees of freedom exceeds with probability `tail`.
///
/// # Source
/// DLMF2010, 8.17: the incomplete beta function.
pub fn student_upper_quantile(tail: f64, freedom: f64) -> f64 {
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

/// The probability that the mean of `count` independent exponential numbers of mean 1 exceeds `mean`.
///
/// # Source
/// AS64, 6.5.13 and 26.4.21: the gamma distribution of whole order is a sum of Poisson's terms.
pub fn exponential_mean_tail(mean: f64, count: usize) -> f64 {
    let x = (mean * count as f64).max(0.0);
    let (mut term, mut sum) = (1.0f64, 0.0f64);
    for k in 0..count {
        if k > 0 {
            term *= x / k as f64;
        }
        sum += term;
    }
    (sum.ln() - x).exp().min(1.0)
}

/// The probability that a normal deviate lies below `z`.
///
/// # Source
/// DLMF2010, 7.6.1 by Kummer's transformation up to 6; beyond it nothing is left.
pub fn normal_below(z: f64) -> f64 {
    if z.abs() > 6.0 {
        return if z > 0.0 { 1.0 } else { 0.0 };
    }
    // The area from 0 to z: phi(z) (z + z^3 / 3 + z^5 / 15 + ...).
    let (mut term, mut sum, mut k) = (z, z, 1.0);
    while f64::abs(term) > 1e-17 {
        k += 2.0;
        term *= z * z / k;
        sum += term;
    }
    0.5 + sum * (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// The probability that `count` samples of a distribution stray from it by more than `distance`: the largest
/// difference between the share of samples below any value and its probability.
///
/// # Source
/// Kolmogorov1933; the correction for few samples is that of Stephens1970.
pub fn kolmogorov_tail(distance: f64, count: f64) -> f64 {
    let root = count.sqrt();
    let x = distance * (root + 0.12 + 0.11 / root);
    // Below this the series takes many terms, and the probability is 1 to five digits.
    if x < 0.3 {
        return 1.0;
    }
    let term = |k: f64| (-2.0 * k * k * x * x).exp();
    let sum: f64 =
        (1..=20).map(|k| if k % 2 == 1 { term(f64::from(k)) } else { -term(f64::from(k)) }).sum();
    (2.0 * sum).clamp(0.0, 1.0)
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
    fn the_normal_distribution_and_how_far_samples_stray() {
        // Abramowitz and Stegun, table 26.1.
        for (z, expected) in
            [(0.0, 0.5), (1.0, 0.841_344_746), (-1.96, 0.024_997_895), (3.0, 0.998_650_102)]
        {
            assert!((normal_below(z) - expected).abs() < 1e-8, "{z}");
        }
        // The usual critical values of many samples.
        for (x, expected) in [(1.358, 0.05), (1.628, 0.01), (1.949, 0.001)] {
            let tail = kolmogorov_tail(x / 1000.0, 1e6);
            assert!((tail / expected - 1.0).abs() < 0.01, "{x}: {tail}");
        }
    }

    #[test]
    fn a_mean_of_exponential_numbers_exceeds_as_the_gamma_distribution_says() {
        assert!((exponential_mean_tail(3.0, 1) - (-3.0f64).exp()).abs() < 1e-12);
        // Table 26.7 of Abramowitz and Stegun: chi-square 18.3 of 10 degrees has 5 %.
        assert!((exponential_mean_tail(18.307 / 10.0, 5) - 0.05).abs() < 1e-4);
        assert!(exponential_mean_tail(400.0, 4) < 1e-300);
    }
}
