//! Stored samples to physical values, row range by row range.

use std::ops::Range;

use photosite_pix::Size;
use xisf_core::block::ByteOrder;
use xisf_core::image::SampleFormat;

use crate::bytes::Bytes;
use crate::export::{FULL_SCALE_ADU, scaled_up};
use crate::source::check_rows;
use crate::{Access, Result, Source};

/// How one image stores its samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoding {
    format: SampleFormat,
    big_endian: bool,
    /// Samples run from 0 to 1 and are scaled up.
    normal: bool,
    /// Samples from one of a plane to its next: more than 1 where planes are interleaved.
    stride: usize,
}

impl Encoding {
    /// `None` for complex numbers. `normal` counts for floating point only.
    pub(super) fn new(
        format: SampleFormat,
        order: ByteOrder,
        normal: bool,
        stride: usize,
    ) -> Option<Self> {
        if matches!(format, SampleFormat::Complex32 | SampleFormat::Complex64) {
            return None;
        }
        let big_endian = order == ByteOrder::Big;
        Some(Self { format, big_endian, normal: normal && format.is_float(), stride })
    }

    /// What floating-point samples are multiplied with to be ADU, where they are.
    pub(super) fn scale_adu(&self) -> Option<f64> {
        self.normal.then_some(f64::from(FULL_SCALE_ADU))
    }

    /// Bytes from one sample of a plane to its next.
    fn step(&self) -> usize {
        self.format.size() * self.stride
    }

    /// Decodes the samples of plane `first` of `raw`; those of all planes, where interleaved.
    fn decode(&self, raw: &[u8], first: usize, out: &mut [f32]) {
        match self.format {
            SampleFormat::UInt8 => self.each(raw, first, out, |b: [u8; 1]| f32::from(b[0])),
            SampleFormat::UInt16 => {
                self.each(raw, first, out, |b| f32::from(u16::from_le_bytes(b)));
            }
            SampleFormat::UInt32 => self.each(raw, first, out, |b| u32::from_le_bytes(b) as f32),
            SampleFormat::UInt64 => self.each(raw, first, out, |b| u64::from_le_bytes(b) as f32),
            SampleFormat::Float64 if self.normal => {
                self.each(raw, first, out, |b| adu(f64::from_le_bytes(b)) as f32);
            }
            SampleFormat::Float64 => self.each(raw, first, out, |b| f64::from_le_bytes(b) as f32),
            _ if self.normal => {
                self.each(raw, first, out, |b| scaled_up(f32::from_le_bytes(b)));
            }
            _ => self.each(raw, first, out, f32::from_le_bytes),
        }
    }

    fn each<const N: usize>(
        &self,
        raw: &[u8],
        first: usize,
        out: &mut [f32],
        value: impl Fn([u8; N]) -> f32,
    ) {
        for (slot, group) in out.iter_mut().zip(raw.chunks_exact(N * self.stride)) {
            let mut bytes: [u8; N] = group[first * N..][..N].try_into().expect("N bytes");
            if self.big_endian {
                bytes.reverse();
            }
            *slot = value(bytes);
        }
    }
}

/// ADU of a 64-bit sample from 0 to 1: f64 keeps whole ADU whole once rounded to f32.
fn adu(v: f64) -> f64 {
    v * f64::from(FULL_SCALE_ADU)
}

/// An image in an XISF file, or one that was unpacked into memory.
pub(super) struct XisfSource {
    bytes: Bytes,
    offset: u64,
    encoding: Encoding,
    size: Size,
    planes: usize,
}

impl XisfSource {
    /// `bytes` hold all samples from `offset`, which was checked.
    pub(super) fn new(
        bytes: Bytes,
        offset: u64,
        encoding: Encoding,
        (size, planes): (Size, usize),
    ) -> Self {
        Self { bytes, offset, encoding, size, planes }
    }
}

impl Source for XisfSource {
    fn size(&self) -> Size {
        self.size
    }

    fn planes(&self) -> usize {
        self.planes
    }

    fn access(&self) -> Access {
        if self.bytes.is_memory() { Access::Whole } else { Access::Rows }
    }

    fn read_rows(
        &self,
        plane: usize,
        rows: Range<usize>,
        scratch: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<()> {
        check_rows(self.bytes.path(), (self.size, self.planes), plane, &rows, out.len())?;
        let step = self.encoding.step();
        let interleaved = self.encoding.stride > 1;
        let skipped = if interleaved { 0 } else { plane * self.size.pixels() };
        let first = if interleaved { plane } else { 0 };
        let offset = self.offset + ((skipped + rows.start * self.size.width) * step) as u64;
        self.bytes.decode(offset, step, scratch, out, |raw, part| {
            self.encoding.decode(raw, first, part);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: Encoding, raw: &[u8]) -> Vec<f32> {
        let mut out = vec![0.0; raw.len() / encoding.step()];
        encoding.decode(raw, 0, &mut out);
        out
    }

    #[test]
    fn every_adu_comes_back_from_a_share_of_full_scale() {
        let whole: Vec<f32> = (0..=65535u16).map(f32::from).collect();
        let f32s: Vec<u8> = whole.iter().flat_map(|v| (v / 65535.0).to_le_bytes()).collect();
        let f64s: Vec<u8> =
            whole.iter().flat_map(|v| (f64::from(*v) / 65535.0).to_be_bytes()).collect();
        let e = Encoding::new(SampleFormat::Float32, ByteOrder::Little, true, 1).unwrap();
        assert_eq!(decoded(e, &f32s), whole);
        let e = Encoding::new(SampleFormat::Float64, ByteOrder::Big, true, 1).unwrap();
        assert_eq!(decoded(e, &f64s), whole);
    }

    #[test]
    fn formats_and_orders() {
        let e = |f, o| Encoding::new(f, o, false, 1).unwrap();
        use ByteOrder::{Big, Little};
        assert_eq!(decoded(e(SampleFormat::UInt8, Little), &[7, 255]), [7.0, 255.0]);
        assert_eq!(decoded(e(SampleFormat::UInt16, Little), &[1, 2]), [513.0]);
        assert_eq!(decoded(e(SampleFormat::UInt16, Big), &[1, 2]), [258.0]);
        assert_eq!(decoded(e(SampleFormat::UInt32, Big), &[0, 1, 0, 0]), [65536.0]);
        assert_eq!(decoded(e(SampleFormat::UInt64, Little), &9u64.to_le_bytes()), [9.0]);
        assert_eq!(decoded(e(SampleFormat::Float32, Big), &(-1.5f32).to_be_bytes()), [-1.5]);
        assert_eq!(decoded(e(SampleFormat::Float64, Little), &0.1f64.to_le_bytes()), [0.1]);
        assert!(decoded(e(SampleFormat::Float32, Little), &f32::NAN.to_le_bytes())[0].is_nan());
        assert!(Encoding::new(SampleFormat::Complex32, Little, false, 1).is_none());
    }

    #[test]
    fn interleaved_planes_come_apart() {
        let e = Encoding::new(SampleFormat::UInt8, ByteOrder::Little, false, 3).unwrap();
        let bytes = Bytes::memory(std::path::Path::new("x"), (0..18).collect());
        let source = XisfSource::new(bytes, 0, e, (Size::new(2, 3), 3));
        let mut out = [0.0; 4];
        source.read_rows(2, 1..3, &mut Vec::new(), &mut out).unwrap();
        assert_eq!(out, [8.0, 11.0, 14.0, 17.0]);
    }
}
