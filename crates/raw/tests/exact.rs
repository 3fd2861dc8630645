//! Samples that pass through a curve come out as the curve has them: no dither, no rounding.
//!
//! # Source
//! LIBRAW: the stored sums are those of `raw_image` of the same files (PyPI `rawpy`).

mod common;

use std::path::Path;

use photosite_raw::{open, probe};

use crate::common::{data, write};

const WIDTH: usize = 400;
const HEIGHT: usize = 300;

/// Bits, largest first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn push(&mut self, value: u32, n: u32) {
        for i in (0..n).rev() {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (value >> i & 1) as u8;
            *self.bytes.last_mut().unwrap() |= bit << (7 - self.count % 8);
            self.count += 1;
        }
    }
}

/// Codes of each length from 1 on, and the numbers of bits that they stand for: Nikon's lossless and
/// lossy codes of 12 bits.
type Code = ([u8; 10], [u32; 13]);
const LOSSLESS: Code = ([0, 1, 4, 2, 3, 1, 2, 0, 0, 0], [5, 4, 6, 3, 7, 2, 8, 1, 9, 0, 10, 11, 12]);
const LOSSY: Code = ([0, 1, 5, 1, 1, 1, 1, 1, 1, 2], [5, 4, 3, 6, 2, 7, 1, 0, 8, 9, 11, 10, 12]);

/// Codes as Nikon's cameras compress them: differences to the sample two to the left.
fn compress(codes: &[u16], first: i32, (counts, values): &Code) -> Vec<u8> {
    let (mut words, mut word, mut next) = ([(0, 0); 16], 0, values.iter());
    for (i, n) in counts.iter().enumerate() {
        for _ in 0..*n {
            // The last code of the lossy table stands for nothing.
            if let Some(value) = next.next() {
                words[*value as usize] = (word, i as u32 + 1);
            }
            word += 1;
        }
        word <<= 1;
    }
    let mut out = Bits::default();
    for (i, &code) in codes.iter().enumerate() {
        let (x, y) = (i % WIDTH, i / WIDTH);
        let before = match (x, y) {
            (2.., _) => i32::from(codes[i - 2]),
            (_, 2..) => i32::from(codes[i - 2 * WIDTH]),
            _ => first,
        };
        let difference = i32::from(code) - before;
        let n = 32 - difference.unsigned_abs().leading_zeros();
        let (word, length) = words[n as usize];
        out.push(word, length);
        let low = if difference < 0 { difference + (1 << n) - 1 } else { difference };
        out.push(low as u32, n);
    }
    out.bytes
}

/// A directory that begins at byte `at`, largest byte first; each field a tag, a type and its bytes.
fn directory(fields: &[(u16, u16, Vec<u8>)], at: usize) -> Vec<u8> {
    let mut out = (fields.len() as u16).to_be_bytes().to_vec();
    let beside_at = at + 2 + 12 * fields.len() + 4;
    let mut beside = Vec::new();
    for (tag, kind, value) in fields {
        let width = [1, 1, 1, 2, 4, 8, 1, 1][usize::from(*kind)];
        out.extend([tag.to_be_bytes(), kind.to_be_bytes()].concat());
        out.extend(((value.len() / width) as u32).to_be_bytes());
        if value.len() <= 4 {
            out.extend(value);
            out.resize(out.len() + 4 - value.len(), 0);
        } else {
            out.extend(((beside_at + beside.len()) as u32).to_be_bytes());
            beside.extend(value);
            beside.resize(beside.len().next_multiple_of(2), 0);
        }
    }
    out.extend([0; 4]);
    out.extend(beside);
    out
}

fn shorts(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_be_bytes()).collect()
}

fn longs(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_be_bytes()).collect()
}

/// A NEF in the layout of a Nikon D40: `meta` describes the compression of `strip`.
fn nef(meta: &[u8], strip: &[u8]) -> Vec<u8> {
    let note = directory(
        &[
            (1, 7, b"0210".to_vec()),
            (2, 3, shorts(&[0, 200])),
            (12, 5, longs(&[2, 1, 15, 10, 1, 1, 1, 1])),
            (147, 3, shorts(&[3])),
            (150, 7, meta.to_vec()),
        ],
        8,
    );
    let note = [&b"Nikon\0\x02\x10\0\0MM\0*\0\0\0\x08"[..], &note].concat();
    let (exif_at, raw_at, strip_at) = (1000, 6000, 7000);
    let exif = directory(&[(33434, 5, longs(&[30, 1])), (37500, 7, note)], exif_at);
    let raw = directory(
        &[
            (254, 4, longs(&[0])),
            (256, 4, longs(&[WIDTH as u32])),
            (257, 4, longs(&[HEIGHT as u32])),
            (258, 3, shorts(&[12])),
            (259, 3, shorts(&[34713])),
            (262, 3, shorts(&[32803])),
            (273, 4, longs(&[strip_at as u32])),
            (277, 3, shorts(&[1])),
            (278, 4, longs(&[HEIGHT as u32])),
            (279, 4, longs(&[strip.len() as u32])),
            (33421, 3, shorts(&[2, 2])),
            (33422, 1, vec![2, 1, 1, 0]),
        ],
        raw_at,
    );
    let first = directory(
        &[
            (254, 4, longs(&[1])),
            (271, 2, b"NIKON CORPORATION\0".to_vec()),
            (272, 2, b"NIKON D40\0".to_vec()),
            (330, 4, longs(&[raw_at as u32])),
            (34665, 4, longs(&[exif_at as u32])),
        ],
        8,
    );
    let mut out = [&b"MM\0*\0\0\0\x08"[..], &first].concat();
    for (at, part) in [(exif_at, &exif[..]), (raw_at, &raw), (strip_at, strip)] {
        out.resize(at, 0);
        out.extend(part);
    }
    out
}

fn samples(path: &Path) -> Vec<f32> {
    let source = open(path).unwrap();
    let size = source.size();
    let mut out = vec![0.0; size.pixels()];
    source.read_rows(0, 0..size.height, &mut Vec::new(), &mut out).unwrap();
    out
}

/// A sum over all samples that depends on their order.
fn sum(samples: &[f32]) -> u64 {
    let step = |n: u64, v: &f32| (n ^ *v as u64).wrapping_mul(0x100_0000_01b3);
    samples.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Codes that rise from left to right, with noise and a dark band.
fn codes(most: usize) -> Vec<u16> {
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % 64
    };
    (0..WIDTH * HEIGHT)
        .map(
            |i| {
                if i / WIDTH < 20 {
                    noise() / 20
                } else {
                    i % WIDTH * (most - 64) / WIDTH + noise()
                }
            },
        )
        .map(|v| v.min(most) as u16)
        .collect()
}

#[test]
fn compressed_nefs_are_what_the_camera_compressed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.nef");
    let lossless = [&[0x46, 0x30][..], &shorts(&[2048, 2048, 2048, 2048, 0])].concat();
    let truth = codes(4095);
    write(&path, &nef(&lossless, &compress(&truth, 2048, &LOSSLESS)));
    assert_eq!(probe(&path).unwrap().header.get_text("INSTRUME").as_deref(), Some("Nikon D40"));
    assert_eq!(samples(&path), truth.iter().map(|v| f32::from(*v)).collect::<Vec<_>>());
    // Lossy: codes through a curve, whole or as points between which it is straight.
    let curve: Vec<u16> = (0..683u32).map(|i| (i + i * i * 3412 / (682 * 682)) as u16).collect();
    let whole = [&[0x44, 0x10][..], &shorts(&[300, 300, 300, 300, 683]), &shorts(&curve)].concat();
    let points: Vec<u16> = (0..=256u32).map(|i| (i * i / 20 + i) as u16).collect();
    let mut steps =
        [&[0x44, 0x20][..], &shorts(&[300, 300, 300, 300, 257]), &shorts(&points)].concat();
    // Behind the points, the row of another code: none.
    steps.resize(600, 0);
    let between = |code: u16| {
        let (k, part) = (usize::from(code / 16), u32::from(code % 16));
        let (a, b) = (u32::from(points[k]), u32::from(points[k + 1]));
        ((a * (16 - part) + b * part) / 16) as u16
    };
    for (meta, most, level) in [
        (whole, 682, &(|code: u16| curve[usize::from(code)]) as &dyn Fn(u16) -> u16),
        (steps, 4095, &between),
    ] {
        let codes = codes(most);
        write(&path, &nef(&meta, &compress(&codes, 300, &LOSSY)));
        let expected: Vec<f32> = codes.iter().map(|c| f32::from(level(*c))).collect();
        assert_eq!(samples(&path), expected);
    }
}

#[test]
fn a_nef_that_ends_early_or_leaves_its_curve_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.nef");
    let lossless = [&[0x46, 0x30][..], &shorts(&[2048, 2048, 2048, 2048, 0])].concat();
    let strip = compress(&codes(4095), 2048, &LOSSLESS);
    write(&path, &nef(&lossless, &strip[..strip.len() - 2000]));
    let e = open(&path).err().unwrap();
    assert!(e.message().contains("end in row"), "{e}");
    let mut curve = [&[0x44, 0x10][..], &shorts(&[300, 300, 300, 300, 683])].concat();
    curve.extend(shorts(&[7; 683]));
    write(&path, &nef(&curve, &compress(&codes(700), 300, &LOSSY)));
    let e = open(&path).err().unwrap();
    assert!(e.message().contains("0 to 682 were expected"), "{e}");
}

#[test]
fn real_dngs_are_what_libraw_reads() {
    let Some(data) = data("real DNGs") else { return };
    let table = data.join("bmpcc_dng/bmpcc_12bit_ljpeg_lintable.dng");
    let p = probe(&table).unwrap();
    assert_eq!(p.header.get_text("INSTRUME").as_deref(), Some("Blackmagic Pocket Cinema Camera"));
    let found = samples(&table);
    let some = [0, 1, 1951, 976, 1_000_000, 2_170_623].map(|i| found[i]);
    assert_eq!(some, [410.0, 388.0, 5104.0, 6041.0, 362.0, 833.0]);
    assert_eq!(sum(&found), 0xbfe9_c422_5e7d_85fb);
    assert_eq!(sum(&samples(&data.join("raw/colorchart.dng"))), 0xef1d_6a22_aeb6_94c0);
}

#[test]
fn what_is_no_whole_raw_is_refused() {
    let Some(data) = data("raws that must fail") else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(data.join("raw_must_fail")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let why = match name {
            "Canon-R6-pruned.CR3" => "the pixel data are not there",
            "canon-r6.cr3" | "IMG_1361.dng" => "cut short",
            "DSC8695.dng" | "canon_eos_6d.dng" => "demosaiced",
            _ => "holds no sensor image",
        };
        let raw = photosite_file::is_camera_raw(&path).unwrap_or(false);
        let e = if raw { open(&path).err() } else { photosite_raw::expect_other_name(&path).err() };
        let e = e.unwrap_or_else(|| panic!("{name} was read"));
        assert!(e.message().contains(why), "{name}: {e}");
        seen += 1;
    }
    assert_eq!(seen, 7);
}
