//! TIFF files of another program read as they were written.
//!
//! The small files were made by `oracle/make_tiff.py`.

mod common;

use photosite_file::{Access, open, probe};

#[test]
fn every_layout_reads_as_it_was_written() {
    let mut seen = 0;
    for path in common::image_files(&common::samples().join("tiff")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let p = probe(&path).unwrap();
        let planes = if name.starts_with("rgb") { 3 } else { 1 };
        assert_eq!((p.size.width, p.size.height, p.planes), (29, 37, planes), "{name}");
        let half = if name.starts_with('f') { 0.5 } else { 0.0 };
        let source = open(&path).unwrap();
        for c in 0..planes {
            let mut all = Vec::new();
            for y in (0..37).step_by(7) {
                let y1 = (y + 7).min(37);
                let mut out = vec![0.0; (y1 - y) * 29];
                source.read_rows(c, y..y1, &mut Vec::new(), &mut out).unwrap();
                all.extend(out);
            }
            let expected: Vec<f32> = (0..37)
                .flat_map(|y| (0..29).map(move |x| (x, y)))
                .map(|(x, y)| ((37 * x + 101 * y + 17 * c) % 251) as f32 - half)
                .collect();
            assert_eq!(all, expected, "{name}");
        }
        seen += 1;
    }
    assert!(seen >= 16, "only {seen} files");
    let access = |name: &str| open(&common::samples().join("tiff").join(name)).unwrap().access();
    assert_eq!(access("u16-strips.tif"), Access::Rows);
}

#[test]
fn a_cut_tiff_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.tif");
    let whole = std::fs::read(common::samples().join("tiff/u16.tif")).unwrap();
    for cut in (8..whole.len()).step_by(101) {
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), &whole[..cut])
            .unwrap();
        let opened = probe(&path).and_then(|_| open(&path));
        let read = opened.and_then(|s| {
            s.read_rows(0, 0..37, &mut Vec::new(), &mut vec![0.0; 37 * 29]).map(|()| s.planes())
        });
        let e = read.err().unwrap_or_else(|| panic!("cut to {cut}, and read"));
        assert!(e.message().lines().count() == 1, "{e}");
    }
}
