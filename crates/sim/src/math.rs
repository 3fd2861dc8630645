//! Exponential and logarithm from IEEE 754 basic operations alone.
//!
//! The platform's own differ in the last bits from one C library to the next, and one bit is
//! enough to send a rejection sampler down another path.
//!
//! # Source
//! Series as in AS64 4.1.27 (logarithm), 4.2.1 (exponential), 6.1.41 (Stirling). The split of
//! ln 2 into a high and a low part is that of fdlibm.

const LN2_HI: f64 = 6.931_471_803_691_238e-1;
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;

/// e^x to about 1 part in 10^15; 0 below -700, and `x` is taken as 700 above that.
pub(crate) fn exp(x: f64) -> f64 {
    if x < -700.0 {
        return 0.0;
    }
    let x = if x > 700.0 { 700.0 } else { x };
    let scaled = x * std::f64::consts::LOG2_E;
    let k = (scaled + if scaled < 0.0 { -0.5 } else { 0.5 }) as i64;
    let r = (x - k as f64 * LN2_HI) - k as f64 * LN2_LO;
    // |r| <= ln 2 / 2: the first term left out is below 1e-17.
    polynomial(r, &INVERSE_FACTORIALS) * f64::from_bits(((1023 + k) as u64) << 52)
}

/// 1 / n!.
const INVERSE_FACTORIALS: [f64; 16] = {
    let mut table = [1.0; 16];
    let mut n = 1;
    while n < 14 {
        table[n] = table[n - 1] / n as f64;
        n += 1;
    }
    table[14] = 0.0;
    table[15] = 0.0;
    table
};

/// 1 / (2 n + 1).
const ODD_RECIPROCALS: [f64; 16] = {
    let mut table = [0.0; 16];
    let mut n = 0;
    while n < 12 {
        table[n] = 1.0 / (2 * n + 1) as f64;
        n += 1;
    }
    table
};

/// The polynomial with these coefficients, by halves, so that the processor can work in parallel.
fn polynomial(x: f64, c: &[f64; 16]) -> f64 {
    let x2 = x * x;
    let x4 = x2 * x2;
    let quarter = |i: usize| (c[i] + c[i + 1] * x) + (c[i + 2] + c[i + 3] * x) * x2;
    (quarter(0) + quarter(4) * x4) + (quarter(8) + quarter(12) * x4) * (x4 * x4)
}

/// The natural logarithm of a positive, normal `x`.
pub(crate) fn ln(x: f64) -> f64 {
    debug_assert!(x.is_normal() && x > 0.0);
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) as i64) - 1023;
    let mut m = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if m > std::f64::consts::SQRT_2 {
        m *= 0.5;
        exponent += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let s2 = s * s;
    // |s| <= 0.172: s2^11 is below 1e-16.
    let sum = polynomial(s2, &ODD_RECIPROCALS);
    exponent as f64 * LN2_HI + (2.0 * s * sum + exponent as f64 * LN2_LO)
}

/// 2^x.
pub(crate) fn exp2(x: f64) -> f64 {
    exp(x * std::f64::consts::LN_2)
}

/// Sine and cosine of `x` in radians, for turns of everyday size.
pub(crate) fn sin_cos(x: f64) -> (f64, f64) {
    use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};
    /// What `FRAC_PI_2` lacks of a quarter turn.
    const REST: f64 = 6.123_233_995_736_766e-17;
    let scaled = x * FRAC_2_PI;
    let k = (scaled + if scaled < 0.0 { -0.5 } else { 0.5 }) as i64;
    let r = (x - k as f64 * FRAC_PI_2) - k as f64 * REST;
    // |r| <= pi / 4: the first terms left out are below 1e-18.
    let terms = |first: f64, from: u32| {
        let mut term = first;
        let mut sum = first;
        for n in (from..from + 20).step_by(2) {
            term *= -r * r / f64::from(n * (n + 1));
            sum += term;
        }
        sum
    };
    let (sin, cos) = (terms(r, 2), terms(1.0, 1));
    match k.rem_euclid(4) {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

/// x^p for a positive `x`.
pub(crate) fn pow(x: f64, p: f64) -> f64 {
    exp(p * ln(x))
}

/// What Stirling's formula lacks: ln(k!) - ln(sqrt(2 pi k) (k / e)^k), for k of 10 and above.
pub(crate) fn stirling_rest(k: f64) -> f64 {
    let r = 1.0 / k;
    let r2 = r * r;
    r * (1.0 / 12.0 - r2 * (1.0 / 360.0 - r2 * (1.0 / 1260.0 - r2 / 1680.0)))
}

/// ln(k!) for whole `k` below 10.
pub(crate) fn ln_small_factorial(k: usize) -> f64 {
    const FACTORIALS: [f64; 10] =
        [1.0, 1.0, 2.0, 6.0, 24.0, 120.0, 720.0, 5040.0, 40_320.0, 362_880.0];
    ln(FACTORIALS[k])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agree_with_the_platform() {
        for i in -6990..=6990 {
            let x = f64::from(i) * 0.1;
            assert!((exp(x) / x.exp() - 1.0).abs() < 4e-15, "exp {x}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(ln(1.0), 0.0);
        let mut x = 1e-300;
        while x < 1e300 {
            let (mine, theirs) = (ln(x), x.ln());
            assert!((mine - theirs).abs() <= 4e-16 * theirs.abs().max(1.0), "ln {x}");
            x *= 1.37;
        }
        assert!((exp2(10.0) - 1024.0).abs() < 1e-11);
        assert!((pow(2.0, 0.5) - std::f64::consts::SQRT_2).abs() < 1e-14);
    }

    #[test]
    fn sines() {
        for i in -2000..=2000 {
            let x = f64::from(i) * 0.01;
            let (sin, cos) = sin_cos(x);
            assert!((sin - x.sin()).abs() < 1e-14 && (cos - x.cos()).abs() < 1e-14, "{x}");
        }
        assert_eq!(sin_cos(0.0), (0.0, 1.0));
    }

    #[test]
    fn factorials() {
        let mut sum = 0.0f64;
        for k in 1..200usize {
            let x = k as f64;
            sum += x.ln();
            let mine = if k < 10 {
                ln_small_factorial(k)
            } else {
                0.5 * ln(std::f64::consts::TAU * x) + x * (ln(x) - 1.0) + stirling_rest(x)
            };
            assert!((mine - sum).abs() < 1e-10, "{k}");
        }
        assert_eq!(ln_small_factorial(0), 0.0);
    }
}
