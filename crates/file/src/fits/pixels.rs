//! Stored samples to physical values.
//!
//! # Source
//! FITS standard 4.0, sections 4.4.1.1, 4.4.2.5 and 5 (FITS4):
//! physical = BZERO + BSCALE x stored; BLANK names the stored integer that is no sample.

use std::path::Path;

use multiversion::multiversion;
use photosite_pix::{Header, Value};

use super::layout::sample_bytes;
use crate::{Error, Result};

/// How one image stores its samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Encoding {
    pub(crate) bitpix: i64,
    pub(crate) bscale: f64,
    pub(crate) bzero: f64,
    /// Never set for floating point, where FITS gives BLANK no meaning.
    pub(crate) blank: Option<i64>,
}

impl Encoding {
    /// Reads BSCALE, BZERO and BLANK beside a BITPIX that was checked before.
    pub(crate) fn of(path: &Path, header: &Header, bitpix: i64) -> Result<Self> {
        let number = |key: &str, default: f64| match header.get(key) {
            None | Some(Value::Undefined) => Ok(default),
            Some(v) => v.as_f64().filter(|v| v.is_finite()).ok_or_else(|| {
                Error::damaged(path, format!("{key} is {v:?}; a finite number was expected"))
            }),
        };
        let (bscale, bzero) = (number("BSCALE", 1.0)?, number("BZERO", 0.0)?);
        if bscale == 0.0 {
            let message = "BSCALE is 0, which makes all samples equal; perhaps 1 was meant";
            return Err(Error::damaged(path, message));
        }
        let blank = if bitpix > 0 { header.get_i64("BLANK") } else { None };
        Ok(Self { bitpix, bscale, bzero, blank })
    }

    /// Bytes a stored sample.
    pub(crate) fn bytes(&self) -> usize {
        sample_bytes(self.bitpix).expect("checked when the header was read")
    }

    fn plain(&self) -> bool {
        self.bscale == 1.0 && self.bzero == 0.0
    }

    /// BZERO as `f32` where adding it to a 16-bit sample in `f32` is exact.
    fn exact_offset(&self) -> Option<f32> {
        let whole = self.bzero.fract() == 0.0 && self.bzero.abs() <= 8_000_000.0;
        (self.bscale == 1.0 && whole).then_some(self.bzero as f32)
    }

    /// Whether the physical values are 16-bit numbers without sign, every one of them.
    pub(crate) fn is_raw(&self) -> bool {
        let as_cameras = self.bscale == 1.0 && self.bzero == 32768.0;
        self.bitpix == 16 && as_cameras && self.blank.is_none()
    }

    /// The physical value of a stored whole number.
    fn whole(&self, stored: i64) -> f32 {
        if self.blank == Some(stored) {
            return f32::NAN;
        }
        // Counted in f64 and rounded once; 64-bit samples beyond 2^53 lose digits that f32 has not.
        (self.bzero + self.bscale * stored as f64) as f32
    }

    /// The physical value of a stored real number.
    fn real(&self, stored: f64) -> f32 {
        if self.plain() { stored as f32 } else { (self.bzero + self.bscale * stored) as f32 }
    }

    /// Physical values of stored whole numbers, for decoders that give them as such.
    pub(crate) fn whole_into(&self, stored: impl Iterator<Item = i64>, out: &mut [f32]) {
        for (slot, v) in out.iter_mut().zip(stored) {
            *slot = self.whole(v);
        }
    }

    /// Physical values of stored real numbers.
    pub(crate) fn real_into(&self, stored: impl Iterator<Item = f64>, out: &mut [f32]) {
        for (slot, v) in out.iter_mut().zip(stored) {
            *slot = self.real(v);
        }
    }

    /// Decodes big-endian samples; `raw` holds as many as `out`.
    ///
    /// NaN stays NaN, infinity stays infinite, a blank becomes NaN.
    pub(crate) fn decode(&self, raw: &[u8], out: &mut [f32]) {
        match self.bitpix {
            8 if self.blank.is_none() && self.plain() => {
                for (slot, &v) in out.iter_mut().zip(raw) {
                    *slot = f32::from(v);
                }
            }
            8 => self.whole_into(raw.iter().map(|&v| i64::from(v)), out),
            16 => match (self.exact_offset(), self.blank) {
                // The loop nearly every raw frame goes through: no branch, so that it vectorises.
                (Some(offset), None) => {
                    decode_i16(raw, offset, out);
                }
                _ => {
                    let stored = raw.as_chunks::<2>().0.iter();
                    self.whole_into(stored.map(|b| i64::from(i16::from_be_bytes(*b))), out);
                }
            },
            32 => {
                let stored = raw.as_chunks::<4>().0.iter();
                self.whole_into(stored.map(|b| i64::from(i32::from_be_bytes(*b))), out);
            }
            64 => {
                let stored = raw.as_chunks::<8>().0.iter();
                self.whole_into(stored.map(|b| i64::from_be_bytes(*b)), out);
            }
            -32 if self.plain() => decode_f32(raw, out),
            -32 => {
                let stored = raw.as_chunks::<4>().0.iter();
                self.real_into(stored.map(|b| f64::from(f32::from_be_bytes(*b))), out);
            }
            _ => {
                let stored = raw.as_chunks::<8>().0.iter();
                self.real_into(stored.map(|b| f64::from_be_bytes(*b)), out);
            }
        }
    }
}

/// Decodes 16-bit integers with sign.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn decode_i16(raw: &[u8], offset: f32, out: &mut [f32]) {
    for (slot, b) in out.iter_mut().zip(raw.as_chunks::<2>().0) {
        *slot = f32::from(i16::from_be_bytes(*b)) + offset;
    }
}

/// Decodes real numbers of 32 bits.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn decode_f32(raw: &[u8], out: &mut [f32]) {
    for (slot, b) in out.iter_mut().zip(raw.as_chunks::<4>().0) {
        *slot = f32::from_be_bytes(*b);
    }
}

/// Decodes what [`Encoding::is_raw`] calls so; `raw` holds as many samples as `out`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn decode_raw(raw: &[u8], out: &mut [u16]) {
    for (slot, b) in out.iter_mut().zip(raw.as_chunks::<2>().0) {
        // Flipping the top bit adds BZERO.
        *slot = u16::from_be_bytes(*b) ^ 0x8000;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use photosite_pix::Card;

    fn encoding(bitpix: i64, bscale: f64, bzero: f64, blank: Option<i64>) -> Encoding {
        Encoding { bitpix, bscale, bzero, blank }
    }

    #[test]
    fn every_16_bit_value_is_exact() {
        let raw: Vec<u8> = (i16::MIN..=i16::MAX).flat_map(i16::to_be_bytes).collect();
        let mut fast = vec![0.0; 65536];
        encoding(16, 1.0, 32768.0, None).decode(&raw, &mut fast);
        assert!(fast.iter().enumerate().all(|(i, &v)| v == i as f32));
        let mut slow = vec![0.0; 65536];
        encoding(16, 1.0, 32768.0, Some(99_999)).decode(&raw, &mut slow);
        assert_eq!(fast, slow);
        let mut whole = vec![0; 65536];
        decode_raw(&raw, &mut whole);
        assert!(whole.iter().zip(&fast).all(|(w, f)| f32::from(*w) == *f));
        assert!(encoding(16, 1.0, 32768.0, None).is_raw());
        assert!(!encoding(16, 1.0, 32768.0, Some(0)).is_raw());
        assert!(!encoding(16, 1.0, 0.0, None).is_raw());
        encoding(16, 1.0, 32768.0, Some(-32768)).decode(&raw, &mut slow);
        assert!(slow[0].is_nan() && slow[1..] == fast[1..]);
        encoding(16, 0.5, 0.25, None).decode(&raw, &mut slow);
        assert!(slow.iter().zip(i16::MIN..=i16::MAX).all(|(&v, s)| v == 0.25 + 0.5 * f32::from(s)));
    }

    #[test]
    fn the_other_types() {
        let one = |e: Encoding, raw: &[u8]| {
            let mut out = [0.0];
            e.decode(raw, &mut out);
            out[0]
        };
        assert_eq!(one(encoding(8, 1.0, 0.0, None), &[200]), 200.0);
        assert!(one(encoding(8, 1.0, 0.0, Some(200)), &[200]).is_nan());
        assert_eq!(one(encoding(8, 1.0, -128.0, None), &[200]), 72.0);
        let half = 2_147_483_648.0;
        assert_eq!(one(encoding(32, 1.0, half, None), &(-2_147_483_647i32).to_be_bytes()), 1.0);
        assert_eq!(one(encoding(64, 1.0, 0.0, None), &(-5i64).to_be_bytes()), -5.0);
        assert_eq!(one(encoding(-32, 1.0, 0.0, None), &1.5f32.to_be_bytes()), 1.5);
        assert_eq!(one(encoding(-32, 2.0, 1.0, None), &1.5f32.to_be_bytes()), 4.0);
        assert!(one(encoding(-32, 2.0, 1.0, None), &f32::NAN.to_be_bytes()).is_nan());
        assert_eq!(one(encoding(-64, 1.0, 0.0, None), &0.1f64.to_be_bytes()), 0.1);
        assert_eq!(one(encoding(-64, 1.0, 0.0, None), &f64::INFINITY.to_be_bytes()), f32::INFINITY);
    }

    #[test]
    fn senseless_scales_are_refused() {
        let path = Path::new("x.fits");
        let with = |card: Card| {
            let mut h = Header::new();
            h.push(card);
            Encoding::of(path, &h, 16)
        };
        assert!(with(Card::real("BSCALE", 0.0, "")).is_err());
        assert!(with(Card::string("BZERO", "much", "")).is_err());
        assert!(with(Card::real("BZERO", f64::NAN, "")).is_ok(), "an empty value is no value");
        assert_eq!(with(Card::string("BZERO", "32768", "")).unwrap().bzero, 32768.0);
        assert_eq!(with(Card::integer("BLANK", -7, "")).unwrap().blank, Some(-7));
    }
}
