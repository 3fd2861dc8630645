//! Values with the interval in which they lie in 95 of 100 cases.

use photosite_pix::chance::student_upper_quantile;
use photosite_pix::stat::jackknife;

/// A value whose error is a larger share of it is of no use.
const LEAST_KNOWN: f64 = 0.3;

/// A value, its standard error, and how well the error is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
    /// Degrees of freedom of the error.
    pub freedom: f64,
}

impl Estimate {
    /// A value whose error is known well.
    pub fn known(value: f64, error: f64) -> Self {
        Self { value, error, freedom: 1e4 }
    }

    /// A value from all parts, its error from how it changes without each.
    ///
    /// `None` where the value is not finite.
    ///
    /// # Source
    /// Miller1974.
    pub fn of_parts(parts: usize, of: impl Fn(Option<usize>) -> f64) -> Option<Self> {
        let value = of(None);
        if parts < 2 || !value.is_finite() {
            return None;
        }
        let without: Vec<f64> = (0..parts).map(|p| of(Some(p))).filter(|v| v.is_finite()).collect();
        let error = if without.len() == parts { jackknife(&without) } else { f64::INFINITY };
        Some(Self { value, error, freedom: parts as f64 - 1.0 })
    }

    /// The half width of the interval that holds the truth in 95 of 100 cases.
    pub fn half_width(&self) -> f64 {
        student_upper_quantile(0.025, self.freedom.max(1.0)) * self.error
    }

    /// The interval's lower end.
    pub fn low(&self) -> f64 {
        self.value - self.half_width()
    }

    /// The interval's upper end.
    pub fn high(&self) -> f64 {
        self.value + self.half_width()
    }

    /// With an independent error of `error` of so many degrees of freedom besides.
    ///
    /// # Source
    /// Welch1947: the degrees of freedom of a sum of variances.
    #[must_use]
    pub fn with_error(self, error: f64, freedom: f64) -> Self {
        let (a, b) = (self.error * self.error, error * error);
        let share = a * a / self.freedom + b * b / freedom.max(1.0);
        let freedom = if share > 0.0 { (a + b) * (a + b) / share } else { self.freedom };
        Self { value: self.value, error: (a + b).sqrt(), freedom }
    }

    /// Whether it is told from zero, and known to better than 30 %.
    pub fn is_known(&self) -> bool {
        let told = self.low() > 0.0 || self.high() < 0.0;
        told && self.error <= LEAST_KNOWN * self.value.abs()
    }

    /// The root of a variance that may come out negative: then 0, with the interval's upper end.
    pub fn root(self) -> (f64, f64, f64) {
        let of = |v: f64| v.max(0.0).sqrt();
        (of(self.value), of(self.low()), of(self.high()))
    }

    /// Times a factor without error.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, error: self.error * factor.abs(), ..self }
    }

    /// Times another, independent value.
    #[must_use]
    pub fn product(self, other: Self) -> Self {
        Self { error: self.error * other.value.abs(), value: self.value * other.value, ..self }
            .with_error(self.value.abs() * other.error, other.freedom)
    }
}

/// A standard deviation of some samples, its interval by the logarithm, which is nearly Gaussian.
///
/// # Source
/// Wilson1931: chi-square is nearly log-normal.
pub fn scatter_interval(sd: f64, freedom: f64) -> (f64, f64) {
    let wide =
        (student_upper_quantile(0.025, freedom.max(1.0)) / (2.0 * freedom.max(1.0)).sqrt()).exp();
    (sd / wide, sd * wide)
}

/// A straight line y = at_zero + slope x through points of known errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// y at x = 0.
    pub at_zero: Estimate,
    /// The slope.
    pub slope: Estimate,
    /// Squares of deviations in units of their errors, by degree of freedom; 1 where there are none.
    pub chi2: f64,
}

/// Fits a line to (x, y, standard error of y), errors enlarged where points scatter more than those say.
///
/// `None` of fewer than two x, or where an error is no positive number.
///
/// # Source
/// Birge1932 for the enlarged errors.
pub fn line(points: &[(f64, f64, f64)]) -> Option<Line> {
    let good = |p: &&(f64, f64, f64)| p.0.is_finite() && p.1.is_finite() && p.2 > 0.0;
    let points: Vec<_> = points.iter().filter(good).collect();
    let mut sums = [0.0; 5];
    for (x, y, e) in points.iter().copied() {
        let w = 1.0 / (e * e);
        sums.iter_mut().zip([1.0, *x, x * x, *y, x * y]).for_each(|(s, v)| *s += w * v);
    }
    let [w, x, xx, y, xy] = sums;
    let determinant = w * xx - x * x;
    if points.len() < 2 || determinant.is_nan() || determinant <= 1e-12 * w * xx {
        return None;
    }
    let slope = (w * xy - x * y) / determinant;
    let at_zero = (xx * y - x * xy) / determinant;
    let free = points.len() as f64 - 2.0;
    let squares: f64 = points.iter().map(|(x, y, e)| ((y - at_zero - slope * x) / e).powi(2)).sum();
    let chi2 = if free > 0.0 { squares / free } else { 1.0 };
    let (enlarge, freedom) = if chi2 > 1.0 { (chi2.sqrt(), free) } else { (1.0, 1e4) };
    // Between both: an enlargement within chance's reach is no proof that errors were too small.
    let freedom = if chi2 > 1.0 { freedom.max(3.0) } else { freedom };
    Some(Line {
        at_zero: Estimate { value: at_zero, error: enlarge * (xx / determinant).sqrt(), freedom },
        slope: Estimate { value: slope, error: enlarge * (w / determinant).sqrt(), freedom },
        chi2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_its_errors() {
        let points = [(0.0, 1.0, 0.1), (1.0, 3.0, 0.1), (2.0, 5.0, 0.1)];
        let fit = line(&points).unwrap();
        assert!((fit.slope.value - 2.0).abs() < 1e-12 && (fit.at_zero.value - 1.0).abs() < 1e-12);
        assert!((fit.slope.error - 0.1 / 2f64.sqrt()).abs() < 1e-9);
        assert!(line(&points[..1]).is_none());
        assert!(line(&[(1.0, 1.0, 0.1), (1.0, 2.0, 0.1)]).is_none());
    }

    #[test]
    fn an_error_of_parts_is_that_of_the_mean() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i % 7)).collect();
        let of = |without: Option<usize>| {
            let kept = values.iter().enumerate().filter(|(i, _)| Some(*i) != without);
            let (sum, n) = kept.fold((0.0, 0.0), |(s, n), (_, v)| (s + v, n + 1.0));
            sum / n
        };
        let found = Estimate::of_parts(40, of).unwrap();
        let var = values.iter().map(|v| (v - found.value).powi(2)).sum::<f64>() / 39.0;
        assert!((found.error - (var / 40.0).sqrt()).abs() < 1e-12);
        let wider = found.with_error(found.error, 5.0);
        assert!(wider.freedom < 39.0 && wider.error > found.error);
    }
}
