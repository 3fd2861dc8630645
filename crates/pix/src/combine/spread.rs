//! The variance of a median of few Gaussian samples.

/// n times the variance of the median of n samples of a Gaussian of variance 1, for n = 0 .. 32.
///
/// Integrals over the densities of the middle order statistics (one for odd n, two for even),
/// by Gauss-Legendre quadrature with 400 points a dimension.
const SMALL: [f64; 33] = [
    f64::NAN,
    1.0,
    1.0,
    1.346_013_314,
    1.192_798_474,
    1.434_168_308,
    1.288_455_999,
    1.473_128_031,
    1.345_446_841,
    1.494_911_532,
    1.383_264_358,
    1.508_786_769,
    1.410_194_245,
    1.518_386_935,
    1.430_349_715,
    1.525_419_781,
    1.446_003_380,
    1.530_791_884,
    1.458_513_181,
    1.535_028_526,
    1.468_740_554,
    1.538_454_855,
    1.477_258_400,
    1.541_282_814,
    1.484_462_593,
    1.543_656_426,
    1.490_635_475,
    1.545_676_960,
    1.495_983_847,
    1.547_417_690,
    1.500_662_658,
    1.548_932_941,
    1.504_790_303,
];

/// n times the variance of the median of n samples of a Gaussian of variance 1.
///
/// Beyond 32 samples the expansion about π/2, within 2e-5 of the integral: π/2 (1 − a/n) with
/// a = 2 − π/2 + 0.075/n for odd n and a = 3 − π/2 − 2.9/n + 6/n² for even n.
///
/// # Source
/// Chu1955 for the moments; the terms in 1/n and 1/n² of a are fits to the integral for n = 33 .. 200.
pub(super) fn median_factor(n: usize) -> f64 {
    use std::f64::consts::FRAC_PI_2;
    if let Some(factor) = SMALL.get(n) {
        return *factor;
    }
    let n = n as f64;
    let rest = if n % 2.0 == 0.0 { 1.0 - (2.9 - 6.0 / n) / n } else { 0.075 / n };
    FRAC_PI_2 * (1.0 - (2.0 - FRAC_PI_2 + rest) / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expansion_meets_the_integral() {
        let integral = [
            (33, 1.550263833),
            (34, 1.508458806),
            (63, 1.560065304),
            (64, 1.536794928),
            (199, 1.567405357),
            (200, 1.559684612),
        ];
        for (n, expected) in integral {
            assert!((median_factor(n) - expected).abs() < 2e-5, "{n}: {}", median_factor(n));
        }
    }
}
