//! XISF files of another program read as they were written, and as the FITS files they came from.
//!
//! The small files were made by `oracle/make_xisf.py`.

mod common;

use std::path::Path;

use photosite_file::{Access, keyword, open, probe, read_image};
use photosite_pix::{Applied, FrameKind, RowOrder};

/// All samples of a file, read in strips that cut the image unevenly.
fn samples(path: &Path) -> Vec<f32> {
    let source = open(path).unwrap();
    let size = source.size();
    let (mut all, mut scratch) = (Vec::new(), Vec::new());
    for plane in 0..source.planes() {
        for y in (0..size.height).step_by(4) {
            let y1 = (y + 4).min(size.height);
            let mut out = vec![0.0; (y1 - y) * size.width];
            source.read_rows(plane, y..y1, &mut scratch, &mut out).unwrap();
            all.extend(out);
        }
    }
    all
}

#[test]
fn every_format_and_codec_reads_as_it_was_written() {
    let mut seen = 0;
    for path in common::image_files(&common::samples().join("xisf")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let p = probe(&path).unwrap();
        let planes = if name.starts_with("rgb") { 3 } else { 1 };
        assert_eq!((p.size.width, p.size.height, p.planes), (13, 11, planes), "{name}");
        let expected: Vec<f32> = (0..planes)
            .flat_map(|c| (0..11).flat_map(move |y| (0..13).map(move |x| (x, y, c))))
            .map(|(x, y, c)| ((37 * x + 101 * y + 17 * c) % 251) as f32)
            .collect();
        assert_eq!(samples(&path), expected, "{name}");
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let packed = text.contains("compression=");
        assert_eq!(p.access, if packed { Access::Whole } else { Access::Rows }, "{name}");
        assert_eq!(open(&path).unwrap().access(), p.access);
        let m = keyword::read(&p.header).metadata;
        assert_eq!((m.exposure_s, m.temp_c), (Some(60.0), Some(-10.5)), "{name}");
        assert_eq!((m.camera.as_deref(), m.object.as_deref()), (Some("Cam"), Some("O'Neill")));
        assert_eq!(m.row_order, Some(RowOrder::TopDown));
        assert!(p.header.history().any(|h| h == "made by hand"));
        assert_eq!(p.header.get_i64("NAXIS1"), Some(13));
        seen += 1;
    }
    assert!(seen > 30, "only {seen} files");
}

#[test]
fn real_files_agree_with_their_fits_sources_to_the_bit() {
    let Some(data) = common::real("XISF files of real frames") else { return };
    for (xisf, fits) in [
        ("derived_bias_u16_raw", "arcsat2025/bias/Bias_BIN1_20250602_032138.fits"),
        ("derived_bias_u16_zlib_sh", "arcsat2025/bias/Bias_BIN1_20250602_032152.fits"),
        ("derived_light_u16_lz4hc", "arcsat2025/light/XO1-b_z_20250602_041008.fits"),
        ("derived_st7dark_f32_zstd_sh", "st7_2019/dark/DarkBefore-001D120s.fit"),
    ] {
        let xisf = data.join("xisf").join(format!("{xisf}.xisf"));
        let (ours, header) = read_image(&xisf).unwrap();
        let (theirs, source) = read_image(&data.join(fits)).unwrap();
        assert!(ours == theirs, "{}", xisf.display());
        let (a, b) = (keyword::read(&header).metadata, keyword::read(&source).metadata);
        // All but what the header of the conversion says beside its source.
        assert_eq!((&a.kind, a.exposure_s, a.temp_c), (&b.kind, b.exposure_s, b.temp_c));
        assert_eq!((&a.camera, &a.filter, &a.date_obs), (&b.camera, &b.filter, &b.date_obs));
        assert_eq!(
            (a.binning, a.origin, a.gain_e_per_adu),
            (b.binning, b.origin, b.gain_e_per_adu)
        );
        assert_eq!(a.applied, Applied::empty());
        println!("{}: {} samples equal", xisf.display(), ours.as_slice().len());
    }
    let (image, header) = read_image(&data.join("xisf/test.xisf")).unwrap();
    assert_eq!(image.row(0), [5.0, 7.0, 4.0, 2.0, 1.0, 1.0, 1.0, 5.0]);
    let m = keyword::read(&header).metadata;
    assert_eq!((m.kind, m.gain_setting), (Some(FrameKind::Light), Some(90.0)));
}

/// An XISF file of one image, 2x2 samples of 16 bits.
fn small(attributes: &str, inside: &str) -> Vec<u8> {
    let header = format!(
        "<xisf version=\"1.0\" xmlns=\"http://www.pixinsight.com/xisf\"><Image geometry=\"2:2:1\" \
         sampleFormat=\"UInt16\" {attributes}>{inside}</Image></xisf>"
    );
    let mut bytes = b"XISF0100".to_vec();
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(header.as_bytes());
    bytes.resize(1024, 0);
    bytes.extend([1, 0, 2, 0, 3, 0, 4, 0]);
    bytes
}

fn write(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::File::create(path).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
}

#[test]
fn what_an_image_says_without_keywords() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.xisf");
    let attached = "location=\"attachment:1024:8\"";
    let cfa = "<ColorFilterArray pattern=\"GRBG\" width=\"2\" height=\"2\"/>\
               <FITSKeyword name=\"XBAYROFF\" value=\"1\" comment=\"\"/>\
               <FITSKeyword name=\"ROWORDER\" value=\"'BOTTOM-UP'\" comment=\"\"/>";
    write(&path, &small(&format!("{attached} imageType=\"MasterDark\" offset=\"100\""), cfa));
    let m = keyword::read(&probe(&path).unwrap().header).metadata;
    assert_eq!((m.kind, m.is_master, m.pedestal_adu), (Some(FrameKind::Dark), true, Some(100.0)));
    assert_eq!(m.cfa.unwrap().to_string(), "GRBG");
    assert_eq!(samples(&path), [1.0, 2.0, 3.0, 4.0]);
    for (attributes, word) in [
        ("location=\"attachment:1024:16\"", "cut short"),
        ("location=\"attachment:1024:6\"", "6 bytes of data found, 8 expected"),
        ("location=\"attachment:16:8\"", "cut short"),
        ("location=\"path(/etc/hosts)\"", "another file"),
        ("location=\"attachment:1024:8\" compression=\"zlib:9999\"", "unpacks to 9999"),
        ("location=\"attachment:1024:8\" compression=\"zlib:8\"", "zlib"),
        ("location=\"attachment:1024:8\" compression=\"odd:8\"", "odd"),
        ("", "no data block"),
    ] {
        write(&path, &small(attributes, ""));
        let e = probe(&path).map(|_| ()).and_then(|()| open(&path).map(|_| ())).unwrap_err();
        assert!(e.message().contains(word), "{attributes}: {}", e.message());
    }
}
