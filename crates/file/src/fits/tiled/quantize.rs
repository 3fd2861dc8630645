//! Floating-point images that were stored as whole numbers.
//!
//! # Source
//! FITS standard 4.0, section 10.2 (FITS4).

use std::sync::OnceLock;

/// Length of the standard's sequence of random numbers.
const RANDOMS: usize = 10_000;
/// The stored number that means exactly 0 under SUBTRACTIVE_DITHER_2.
const ZERO_VALUE: i64 = -2_147_483_646;

/// How noise was added before rounding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Dither {
    None,
    /// With the seed, from 1 to 10000.
    One(usize),
    /// As `One`, and exact zeros were kept.
    Two(usize),
}

/// The standard's sequence: Park and Miller's minimal generator, started from 1.
fn randoms() -> &'static [f32] {
    static TABLE: OnceLock<Vec<f32>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut seed = 1.0f64;
        (0..RANDOMS)
            .map(|_| {
                let next = 16_807.0 * seed;
                seed = next - 2_147_483_647.0 * (next / 2_147_483_647.0).trunc();
                (seed / 2_147_483_647.0) as f32
            })
            .collect()
    })
}

impl Dither {
    /// Physical values of one tile, NaN where the stored number is `blank`.
    pub(super) fn undo(
        self,
        tile: usize,
        (scale, zero): (f64, f64),
        blank: Option<i64>,
        stored: impl Iterator<Item = i64>,
        out: &mut [f32],
    ) {
        let seed = match self {
            Self::None => {
                for (slot, v) in out.iter_mut().zip(stored) {
                    *slot =
                        if blank == Some(v) { f32::NAN } else { (v as f64 * scale + zero) as f32 };
                }
                return;
            }
            Self::One(seed) | Self::Two(seed) => seed,
        };
        let table = randoms();
        let mut start = (tile % RANDOMS + seed - 1) % RANDOMS;
        let mut next = (table[start] * 500.0) as usize;
        for (slot, v) in out.iter_mut().zip(stored) {
            *slot = if blank == Some(v) {
                f32::NAN
            } else if v == ZERO_VALUE && matches!(self, Self::Two(_)) {
                0.0
            } else {
                ((v as f64 - f64::from(table[next]) + 0.5) * scale + zero) as f32
            };
            next += 1;
            if next == RANDOMS {
                start = (start + 1) % RANDOMS;
                next = (table[start] * 500.0) as usize;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_check_value() {
        // FITS 4.0, section 10.2: the 10000th seed is 1043618065.
        let last = randoms()[RANDOMS - 1];
        assert_eq!(last, (1_043_618_065.0f64 / 2_147_483_647.0) as f32);
    }
}
