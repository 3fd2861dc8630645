//! Every file reads as astropy reads it: to the bit, NaN for NaN.
//!
//! The numbers and the small files were made by the scripts in `oracle/`.

mod common;

use std::path::Path;

use photosite_file::{Access, ErrorKind, open, probe};
use serde_json::Value;

/// Compares each file of `folder` with what `expected` says; gives how many were compared.
fn compare(folder: &Path, expected: &Path) -> usize {
    let json: Value = serde_json::from_slice(&std::fs::read(expected).unwrap()).unwrap();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (name, numbers) in json["files"].as_object().unwrap() {
        let path = folder.join(name);
        if !path.exists() {
            assert!(folder != common::samples(), "{name}, which is committed, is not there");
            common::skip::skip("data", format!("{name} is not there"));
            continue;
        }
        if let Err(e) = one(&path, numbers) {
            wrong.push(format!("{name}: {e}"));
        }
        compared += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    compared
}

fn one(path: &Path, numbers: &Value) -> Result<(), String> {
    if numbers.get("error").is_some() {
        return match open(path) {
            Err(_) => Ok(()),
            Ok(_) => Err("an error was expected".to_owned()),
        };
    }
    let probed = probe(path).map_err(|e| e.to_string())?;
    let source = open(path).map_err(|e| e.to_string())?;
    let (size, planes) = (source.size(), source.planes());
    if (probed.size, probed.planes) != (size, planes) {
        return Err(format!("probed as {} x {}, opened as {size}", probed.size, probed.planes));
    }
    if probed.image as u64 != numbers["hdu"].as_u64().unwrap() {
        return Err(format!("image in unit {}", probed.image));
    }
    let axes: Vec<usize> =
        numbers["axes"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect();
    if axes[..2] != [size.width, size.height] || axes[2..].iter().product::<usize>() != planes {
        return Err(format!("{size} x {planes}, expected {axes:?}"));
    }
    assert_eq!(probed.header.get_i64("NAXIS1"), Some(size.width as i64));
    // In strips that cut the image unevenly.
    let (mut scratch, mut all) = (Vec::new(), Vec::new());
    for plane in 0..planes {
        for y in (0..size.height).step_by(13) {
            let y1 = (y + 13).min(size.height);
            let mut out = vec![0.0; (y1 - y) * size.width];
            source.read_rows(plane, y..y1, &mut scratch, &mut out).map_err(|e| e.to_string())?;
            all.extend(out);
        }
    }
    let nan = all.iter().filter(|v| v.is_nan()).count() as u64;
    let mut crc = flate2::Crc::new();
    for v in &all {
        let bits = if v.is_nan() { 0x7fc0_0000 } else { v.to_bits() };
        crc.update(&bits.to_le_bytes());
    }
    let sum: f64 = all.iter().filter(|v| !v.is_nan()).map(|&v| f64::from(v)).sum();
    if u64::from(crc.sum()) != numbers["crc32"].as_u64().unwrap() {
        return Err(format!(
            "nan {nan}, sum {sum}, first {}, last {}; expected {numbers}",
            all[0],
            all[all.len() - 1]
        ));
    }
    assert_eq!(Some(nan), numbers["nan"].as_u64());
    Ok(())
}

#[test]
fn small_files_read_as_astropy_reads_them() {
    let folder = common::samples();
    assert!(compare(&folder, &folder.join("expected.json")) > 35, "the samples are missing");
}

#[test]
fn real_frames_read_as_astropy_reads_them() {
    let Some(folder) = common::real("real frames") else { return };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(compare(&folder, &here.join("tests/real.json")) > 20);
}

#[test]
fn plain_files_give_rows_and_packed_ones_are_whole() {
    let access = |name: &str| open(&common::samples().join(name)).unwrap().access();
    assert_eq!(access("u16.fits"), Access::Rows);
    assert_eq!(access("extension.fits"), Access::Rows);
    assert_eq!(access("u16.fits.gz"), Access::Whole);
    assert_eq!(access("rice-u16.fits.fz"), Access::Whole);
}

#[test]
fn headers_of_packed_images_are_those_of_the_image() {
    for name in ["rice-u16.fits.fz", "gzip1-f32.fits.fz", "hcompress-u16.fits.fz"] {
        let p = probe(&common::samples().join(name)).unwrap();
        let h = &p.header;
        assert_eq!(h.get_text("OBJECT").as_deref(), Some("formula"), "{name}");
        assert_eq!(h.get_f64("ZENITH"), Some(12.5));
        assert_eq!(h.get_i64("BITPIX"), Some(if name.contains("f32") { -32 } else { 16 }));
        assert_eq!(h.get_i64("NAXIS"), Some(2));
        assert_eq!(h.get_f64("BZERO"), name.contains("u16").then_some(32768.0));
        for key in ["ZIMAGE", "ZCMPTYPE", "ZNAXIS1", "ZVAL1", "TFORM1", "TFIELDS", "EXTNAME"] {
            assert_eq!(h.get(key), None, "{name} {key}");
        }
        assert_eq!(p.format, "FITS (tile-compressed)");
    }
}

#[test]
fn rows_outside_the_image_are_refused() {
    let source = open(&common::samples().join("u16.fits")).unwrap();
    let mut out = vec![0.0; 80];
    for (plane, rows, n) in [(1, 0..1, 40), (0, 29..31, 80), (0, 0..2, 40), (0, 0..1, 41)] {
        let e = source.read_rows(plane, rows, &mut Vec::new(), &mut out[..n]).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Request);
    }
    source.read_rows(0, 5..5, &mut Vec::new(), &mut []).unwrap();
}
