//! Real raws: one that is whole reads to the pixel, those that are cut or mutated say what is wrong.

mod common;

use photosite_file::{ErrorKind, is_camera_raw, keyword};
use photosite_pix::Rect;
use photosite_raw::{open, probe};

use crate::common::{data, write};

#[test]
fn a_whole_raw_reads_with_its_margins() {
    let Some(data) = data("colorchart.dng") else { return };
    let path = data.join("raw/colorchart.dng");
    assert!(is_camera_raw(&path).unwrap());
    let p = probe(&path).unwrap();
    assert_eq!((p.format, p.size.width, p.size.height), ("DNG", 1888, 1182));
    let m = keyword::read(&p.header).metadata;
    let active = Rect::new(152, 26, 1734, 1156);
    assert_eq!((m.active_area, m.overscan), (Some(active), None));
    assert_eq!(m.saturation_adu, Some(15000.0));
    assert_eq!(p.header.get_f64("BLACK"), Some(2056.0));
    assert_eq!(m.cfa.unwrap().shifted(152, 26).to_string(), "RGGB");
    assert_eq!((m.offset_setting, m.exposure_s), (None, None));
    assert_eq!(m.camera.as_deref(), Some("Canon EOS Kiss X4"));
    // 14 bits a sample in bytes as they stand, unpacked here by other means than the decoder's.
    let bytes = std::fs::read(&path).unwrap();
    let source = open(&path).unwrap();
    let mut samples = vec![0.0; 1888 * 1182];
    source.read_rows(0, 0..1182, &mut Vec::new(), &mut samples).unwrap();
    let bit = |i: usize| usize::from(bytes[1536 + i / 8] >> (7 - i % 8) & 1);
    for i in (0..samples.len()).step_by(997).chain([samples.len() - 1]) {
        let expected = (0..14).fold(0, |v, b| v << 1 | bit(i * 14 + b));
        assert_eq!(samples[i], expected as f32, "sample {i}");
    }
    let (low, high) = samples.iter().fold((f32::MAX, 0.0f32), |(a, b), v| (a.min(*v), b.max(*v)));
    assert_eq!((low, high), (1702.0, 12128.0));
}

#[test]
fn raws_without_their_pixels_say_so_in_one_sentence() {
    let Some(data) = data("stripped raws") else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(data.join("raw_stripped")).unwrap() {
        let path = entry.unwrap().path();
        assert!(is_camera_raw(&path).unwrap(), "{}", path.display());
        for e in [probe(&path).unwrap_err(), open(&path).err().unwrap()] {
            println!("{e}");
            assert_eq!(e.kind(), ErrorKind::Damaged);
            assert_eq!(e.message().lines().count(), 1);
            assert!(e.message().contains("not there"), "{}", e.message());
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn a_raw_that_is_cut_anywhere_is_refused() {
    let Some(data) = data("a raw cut short") else { return };
    let whole = std::fs::read(data.join("raw/colorchart.dng")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.dng");
    for cut in [16, 100, 500, 1000, 1536, 100_000, whole.len() / 2, whole.len() - 1] {
        write(&path, &whole[..cut]);
        let e = probe(&path).unwrap_err();
        assert!(matches!(e.kind(), ErrorKind::Damaged), "{cut}: {e}");
        assert!(open(&path).is_err(), "{cut}");
    }
}
