//! Exponential and logarithm from IEEE 754 basic operations alone.
//!
//! The platform's own differ in the last bits from one C library to the next, and one bit is
//! enough to send a rejection sampler down another path.
//!
//! # Source
//! Series as in [AS64] 4.1.27 (logarithm), 4.2.1 (exponential), 6.1.41 (Stirling). The split of
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
    let mut sum = 1.0;
    for n in (1..=13).rev() {
        sum = 1.0 + r * sum * RECIPROCALS[n];
    }
    sum * f64::from_bits(((1023 + k) as u64) << 52)
}

const RECIPROCALS: [f64; 14] = {
    let mut table = [0.0; 14];
    let mut n = 1;
    while n < 14 {
        table[n] = 1.0 / n as f64;
        n += 1;
    }
    table
};

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
    let mut sum = 0.0;
    for n in (0..=11).rev() {
        sum = sum * s2 + 1.0 / (2 * n + 1) as f64;
    }
    exponent as f64 * LN2_HI + (2.0 * s * sum + exponent as f64 * LN2_LO)
}

/// 2^x.
pub(crate) fn exp2(x: f64) -> f64 {
    exp(x * std::f64::consts::LN_2)
}

/// x^p for a positive `x`.
pub(crate) fn pow(x: f64, p: f64) -> f64 {
    exp(p * ln(x))
}

/// ln(k!).
pub(crate) fn ln_factorial(k: f64) -> f64 {
    if k < 10.0 {
        return ln((2..=k as u32).map(f64::from).product());
    }
    let r = 1.0 / k;
    let r2 = r * r;
    let correction = r * (1.0 / 12.0 - r2 * (1.0 / 360.0 - r2 * (1.0 / 1260.0 - r2 / 1680.0)));
    const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;
    (k + 0.5) * ln(k) - k + HALF_LN_TAU + correction
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
    fn factorials() {
        let mut sum = 0.0f64;
        for k in 1..200u32 {
            sum += f64::from(k).ln();
            assert!((ln_factorial(f64::from(k)) - sum).abs() < 1e-10, "{k}");
        }
        assert_eq!(ln_factorial(0.0), 0.0);
    }
}
