//! What is written is whole, legal and reads back as it was.

mod common;

use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::fits::{
    Column, FitsWriter, FrameSpec, ImageSpec, Sample, Table, layout, read_frame, read_frames,
    read_table, write_for_astropy, write_frame,
};
use photosite_file::{ErrorKind, open, open_mask, probe, verify};
use photosite_pix::{Card, Frame, Header, MaskBits, Plane, Size, Unit};
use proptest::prelude::*;

use common::assert_checksums;

fn sample_frame(size: Size) -> Frame {
    let data = Plane::from_fn(size, |x, y| (x as f32 - 3.5) * (y as f32 + 0.1) - 40.0);
    let mut frame = Frame::new(data, Unit::Electron);
    frame.variance = Some(Plane::from_fn(size, |x, y| 1.0 + (x * y) as f32 * 0.37));
    frame.data.set(1, 1, f32::NAN);
    frame.mask.set(1, 1, MaskBits::NO_DATA);
    frame.mask.set(0, 0, MaskBits::from_bits_retain(0xffff));
    frame
}

/// A frame's spec with nothing beside it.
fn spec(header: &Header, sample: Sample, tables: Vec<Table>) -> FrameSpec<'_> {
    FrameSpec { header, sample, beside: Vec::new(), tables }
}

#[test]
fn frames_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/master.fits");
    let frame = sample_frame(Size::new(37, 131));
    let mut header = Header::new();
    header.push(Card::string("OBJECT", "M 31", "what"));
    header.push(Card::integer("BZERO", 7, "of another file"));
    header.push_history("calibrated");
    let table = Table {
        name: "PROVENANCE".into(),
        columns: vec![
            ("key".into(), Column::Text(vec!["a".into(), "Käfer\n𝄞".into(), String::new()])),
            ("value".into(), Column::Real(vec![0.1, f64::NAN, -1e300])),
            ("count".into(), Column::Integer(vec![i64::MIN, 0, i64::MAX])),
        ],
    };
    let tables = vec![table.clone()];
    write_frame(&path, &[&frame], spec(&header, Sample::F32, tables), Existing::Refuse).unwrap();
    assert_checksums(&path);
    let (back, h) = read_frame(&path).unwrap();
    assert_eq!(back.unit, Unit::Electron);
    assert_eq!(back.mask, frame.mask);
    let bits = |p: &Plane<f32>| p.as_slice().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&back.data), bits(&frame.data));
    let (was, is) = (frame.variance.unwrap(), back.variance.unwrap());
    for (a, b) in was.as_slice().iter().zip(is.as_slice()) {
        assert!((a - b).abs() <= 2.0 * f32::EPSILON * a, "{a} {b}");
    }
    assert_eq!(h.get_text("OBJECT").as_deref(), Some("M 31"));
    assert_eq!(h.get("BZERO"), None, "layout of another file is not carried");
    assert_eq!(h.history().count(), 1);
    let t = read_table(&path, "provenance").unwrap().unwrap();
    assert_eq!(
        t.column("KEY"),
        Some(&Column::Text(vec!["a".into(), r"K\u00e4fer\u000a\ud834\udd1e".into(), "".into()]))
    );
    assert_eq!(t.column("count"), table.column("count"));
    let Some(Column::Real(v)) = t.column("value") else { panic!() };
    assert!(v[0] == 0.1 && v[1].is_nan() && v[2] == -1e300);
    assert_eq!(read_table(&path, "NONE").unwrap(), None);
    let names: Vec<_> = probe(&path).unwrap().hdus.into_iter().filter_map(|h| h.name).collect();
    assert_eq!(names, ["DQ", "ERR", "PROVENANCE"]);
}

#[test]
fn colour_frames_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("colour.fits");
    let size = Size::new(23, 150);
    let mut frames = [0, 1, 2].map(|_| sample_frame(size));
    for (i, frame) in frames.iter_mut().enumerate() {
        frame.data.set(5, 5 + i, 100.0 * i as f32);
        frame.mask.set(7, 140 + i, MaskBits::INTERPOLATED);
        frame.variance.as_mut().unwrap().set(9, 9, 4.0 + i as f32);
    }
    let planes: Vec<&Frame> = frames.iter().collect();
    let low = [0, 1, 2].map(|plane| Plane::from_fn(size, |x, y| (1000 * plane + x + y) as u16));
    let header = Header::new();
    let colour = || FrameSpec {
        beside: vec![("REJLOW", low.iter().collect())],
        ..spec(&header, Sample::F32, vec![])
    };
    write_frame(&path, &planes, colour(), Existing::Refuse).unwrap();
    assert_checksums(&path);
    let (back, _) = read_frames(&path).unwrap();
    assert_eq!(back.len(), 3);
    for (was, is) in frames.iter().zip(&back) {
        assert_eq!(was.mask, is.mask);
        let same = |a: &f32, b: &f32| a.to_bits() == b.to_bits();
        assert!(was.data.as_slice().iter().zip(is.data.as_slice()).all(|(a, b)| same(a, b)));
        let (was, is) = (was.variance.as_ref().unwrap(), is.variance.as_ref().unwrap());
        assert!((was.get(9, 9) - is.get(9, 9)).abs() < 1e-5);
    }
    // Counts have a plane for each colour: 16 bits without sign, stored with BZERO 32768.
    let counts = layout(&path).unwrap().hdus;
    let counts = counts.into_iter().find(|h| h.name.as_deref() == Some("REJLOW")).unwrap();
    assert_eq!((counts.planes, counts.size), (3, Some(size)));
    let bytes = std::fs::read(&path).unwrap();
    for (plane, low) in low.iter().enumerate() {
        let at = counts.data_offset as usize + 2 * (plane * size.pixels() + 140 * size.width + 7);
        let stored = i16::from_be_bytes([bytes[at], bytes[at + 1]]);
        assert_eq!(i32::from(stored) + 32_768, i32::from(low.get(7, 140)));
    }
    // A reader of one plane does not take the first of three for all.
    assert_eq!(read_frame(&path).unwrap_err().kind(), ErrorKind::Unsupported);
    let mask = open_mask(&path).unwrap().unwrap();
    assert_eq!((mask.planes(), mask.size()), (3, size));
    // Frames that do not fit each other are no picture.
    frames[2].variance = None;
    let planes: Vec<&Frame> = frames.iter().collect();
    let again = write_frame(&dir.path().join("odd.fits"), &planes, colour(), Existing::Refuse);
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Request);
    let none = write_frame(&dir.path().join("no.fits"), &[], colour(), Existing::Refuse);
    assert_eq!(none.unwrap_err().kind(), ErrorKind::Request);
}

#[test]
fn sixteen_bits_round_clip_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("u16.fits");
    let values = [-200.0, -100.4, -0.5, 0.5, 1.5, f32::NAN, 65435.4, 65436.0, f32::INFINITY];
    let data = Plane::from_vec(Size::new(9, 1), values.to_vec()).unwrap();
    let frame = Frame::new(data, Unit::Adu);
    let sample = Sample::U16 { pedestal_adu: 100.0 };
    let header = Header::from_cards(vec![Card::integer("PEDESTAL", -5, "old")]);
    let clipped =
        write_frame(&path, &[&frame], spec(&header, sample, vec![]), Existing::Refuse).unwrap();
    // -100.4 + 100 rounds to 0 and is not clipped.
    assert_eq!((clipped.below, clipped.above, clipped.blank), (1, 2, 1));
    assert_checksums(&path);
    let (back, h) = read_frame(&path).unwrap();
    let expected = [0.0, 0.0, 100.0, 100.0, 102.0, 0.0, 65535.0, 65535.0, 65535.0];
    assert_eq!(back.data.as_slice(), expected);
    assert_eq!(h.get_f64("PEDESTAL"), Some(100.0));
    assert_eq!(back.mask.get(5, 0), MaskBits::NO_DATA);
}

#[test]
fn rows_in_any_order_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let size = Size::new(7, 11);
    for sample in [Sample::F32, Sample::U16 { pedestal_adu: 0.0 }] {
        let spec = || ImageSpec { name: None, size, planes: 3, sample, header: Header::new() };
        let row = |p: usize, y: usize| -> Vec<f32> {
            (0..7).map(|x| (p * 1000 + y * 20 + x) as f32).collect()
        };
        let mut files = Vec::new();
        for backwards in [false, true] {
            let path = dir.path().join(format!("{backwards}.fits"));
            let w = FitsWriter::create(&path, vec![spec()], vec![], Existing::Replace).unwrap();
            let mut at: Vec<(usize, usize)> =
                (0..3).flat_map(|p| (0..11).map(move |y| (p, y))).collect();
            if backwards {
                at.reverse();
            }
            for (p, y) in at {
                w.write_rows(0, p, y, &row(p, y)).unwrap();
            }
            w.finish().unwrap();
            assert_checksums(&path);
            files.push(std::fs::read(&path).unwrap());
            let source = open(&path).unwrap();
            assert_eq!((source.size(), source.planes()), (size, 3));
            let mut out = [0.0; 14];
            source.read_rows(2, 3..5, &mut Vec::new(), &mut out).unwrap();
            assert_eq!(out[..7], row(2, 3)[..]);
            assert_eq!(out[7..], row(2, 4)[..]);
        }
        assert_eq!(files[0], files[1]);
    }
}

#[test]
fn unfinished_and_wrong_writes_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.fits");
    let size = Size::new(4, 4);
    let spec =
        ImageSpec { name: None, size, planes: 1, sample: Sample::F32, header: Header::new() };
    let make = || FitsWriter::create(&path, vec![spec.clone()], vec![], Existing::Refuse).unwrap();
    let w = make();
    w.write_rows(0, 0, 1, &[1.0; 8]).unwrap();
    let request = |e: photosite_file::Error| assert_eq!(e.kind(), ErrorKind::Request, "{e}");
    request(w.write_rows(0, 0, 2, &[1.0; 4]).unwrap_err());
    request(w.write_rows(0, 0, 3, &[1.0; 8]).unwrap_err());
    request(w.write_rows(0, 0, 0, &[1.0; 3]).unwrap_err());
    request(w.write_rows(0, 1, 0, &[1.0; 4]).unwrap_err());
    request(w.write_rows(1, 0, 0, &[1.0; 4]).unwrap_err());
    request(w.write_mask_rows(0, 0, 0, &[MaskBits::HOT; 4]).unwrap_err());
    request(w.finish().unwrap_err());
    drop(make());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    request(FitsWriter::create(&path, vec![], vec![], Existing::Refuse).map(|_| ()).unwrap_err());
    let uneven = Table {
        name: "T".into(),
        columns: vec![("a".into(), Column::Real(vec![1.0])), ("b".into(), Column::Integer(vec![]))],
    };
    let with = FitsWriter::create(&path, vec![spec.clone()], vec![uneven], Existing::Refuse);
    request(with.map(|_| ()).unwrap_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
#[allow(clippy::disallowed_methods)] // What is tested is threads.
fn threads_share_a_writer_and_a_source() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.fits");
    let size = Size::new(513, 400);
    let sample = Sample::U16 { pedestal_adu: 0.0 };
    let spec = ImageSpec { name: None, size, planes: 1, sample, header: Header::new() };
    let writer = FitsWriter::create(&path, vec![spec], vec![], Existing::Refuse).unwrap();
    let row =
        |y: usize| -> Vec<f32> { (0..513).map(|x| ((x * 31 + y * 97) % 65536) as f32).collect() };
    std::thread::scope(|s| {
        for t in 0..4 {
            let writer = &writer;
            s.spawn(move || {
                (t..400).step_by(4).for_each(|y| {
                    writer.write_rows(0, 0, y, &row(y)).unwrap();
                })
            });
        }
    });
    writer.finish().unwrap();
    assert_checksums(&path);
    let source = open(&path).unwrap();
    std::thread::scope(|s| {
        for t in 0..4 {
            let source = &source;
            s.spawn(move || {
                let (mut scratch, mut out) = (Vec::new(), vec![0.0; 513]);
                for y in (t..400).step_by(4) {
                    source.read_rows(0, y..y + 1, &mut scratch, &mut out).unwrap();
                    assert_eq!(out, row(y));
                }
            });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_frame_comes_back(
        width in 1usize..40,
        height in 1usize..20,
        seed in any::<u32>(),
        with_variance in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.fits");
        let size = Size::new(width, height);
        let noise = |x: usize, y: usize| {
            ((x as u32 * 7919 + y as u32 * 104_729) ^ seed).wrapping_mul(2_654_435_761)
        };
        // Any bit pattern at all: NaN payloads, infinities, denormals.
        let data = Plane::from_fn(size, |x, y| f32::from_bits(noise(x, y)));
        let mut frame = Frame::new(data, Unit::Adu);
        frame.mask = Plane::from_fn(size, |x, y| MaskBits::from_bits_retain(noise(x, y) as u16));
        if with_variance {
            frame.variance = Some(Plane::from_fn(size, |x, y| noise(x, y) as f32 * 1e-3));
        }
        let none = vec![];
        write_frame(&path, &[&frame], spec(&Header::new(), Sample::F32, none), Existing::Refuse).unwrap();
        assert_checksums(&path);
        let (back, _) = read_frame(&path).unwrap();
        let bits = |p: &Plane<f32>| p.as_slice().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&back.data), bits(&frame.data));
        prop_assert_eq!(back.mask, frame.mask);
        prop_assert_eq!(back.variance.is_some(), with_variance);
    }
}

/// Siril 1.0.6 refuses a file whose second image has the type and size of the first.
#[test]
fn no_second_image_looks_like_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.fits");
    let size = Size::new(9, 5);
    let counts = Plane::filled(size, 3u16);
    let with = sample_frame(size);
    let mut without = with.clone();
    without.variance = None;
    for frame in [&with, &without] {
        for sample in [Sample::F32, Sample::U16 { pedestal_adu: 0.0 }] {
            for planes in [1, 3] {
                let all = vec![frame; planes];
                let header = Header::new();
                let beside = vec![("COVERAGE", vec![&counts; planes])];
                let spec = FrameSpec { header: &header, sample, beside, tables: vec![] };
                write_frame(&path, &all, spec, Existing::Replace).unwrap();
                assert_checksums(&path);
                let hdus = probe(&path).unwrap().hdus;
                assert_ne!(hdus[0].bitpix, hdus[1].bitpix, "{sample:?}");
                let (back, _) = read_frames(&path).unwrap();
                assert_eq!(back[planes - 1].mask, frame.mask, "{sample:?}");
                assert_eq!(back[0].variance.is_some(), frame.variance.is_some());
                let dq = open_mask(&path).unwrap().unwrap();
                let mut row = [0.0; 9];
                dq.read_rows(0, 0..1, &mut Vec::new(), &mut row).unwrap();
                assert_eq!(row[0], 65535.0);
            }
        }
    }
}

#[test]
fn a_changed_byte_is_found_and_its_unit_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.fits");
    let mut header = Header::new();
    header.push(Card::string("OBJECT", "M 31", ""));
    let column = ("key".to_owned(), Column::Text(vec!["value".into()]));
    let table = Table { name: "PROVENANCE".into(), columns: vec![column] };
    for sample in [Sample::F32, Sample::U16 { pedestal_adu: 0.0 }] {
        let frame = sample_frame(Size::new(37, 50));
        let spec = spec(&header, sample, vec![table.clone()]);
        write_frame(&path, &[&frame], spec, Existing::Replace).unwrap();
        let found = verify(&path).unwrap();
        assert!(found.is_whole() && found.right == 4, "{found:?}");
        let good = std::fs::read(&path).unwrap();
        let hdus = layout(&path).unwrap().hdus;
        let mut header_at = 0;
        for (hdu, name) in hdus.iter().zip(["primary", "DQ", "ERR", "PROVENANCE"]) {
            let data = hdu.data_offset as usize;
            let last = data + hdu.data_bytes as usize - 1;
            // The first and last byte of the data, the padding after them, a card of the header.
            let padding = (last + 1).next_multiple_of(2880) - 1;
            for at in [data, data + 6, last, padding, header_at + 10 * 80 + 70] {
                let mut bad = good.clone();
                bad[at] ^= 0x10;
                write_bytes(&path, &bad, Existing::Replace).unwrap();
                let e = verify(&path).unwrap_err();
                assert_eq!(e.kind(), ErrorKind::Damaged, "{at} {e}");
                assert!(e.message().contains(name), "{at} {e}");
            }
            header_at = (last + 1).next_multiple_of(2880);
        }
        // The last cuts fall between two units, where the format sees nothing amiss.
        let ends = hdus.iter().map(|h| (h.data_offset + h.data_bytes).next_multiple_of(2880));
        let ends: Vec<usize> = ends.map(|n| n as usize).filter(|n| *n < good.len()).collect();
        let cuts = [0, 1, 79, 2880, 3000, good.len() / 2, good.len() - 2880];
        for cut in cuts.into_iter().chain(ends) {
            write_bytes(&path, &good[..cut], Existing::Replace).unwrap();
            assert!(verify(&path).is_err(), "cut to {cut}");
        }
        // Half of the samples zeroed, as a bad copy leaves them.
        let mut bad = good.clone();
        bad[2880 * 2 + 100..2880 * 2 + 2000].fill(0);
        write_bytes(&path, &bad, Existing::Replace).unwrap();
        assert!(verify(&path).is_err());
    }
    // Files of others need not carry sums: nothing is known then, and nothing is refused.
    let bare = verify(&common::samples().join("u16.fits")).unwrap();
    assert_eq!((bare.right, bare.unsummed.len()), (0, 1));
    assert!(verify(&common::samples().join("tiff/u16.tif")).is_err());
}

#[test]
fn what_is_written_for_astropy_is_read_back_with_error_and_mask() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ccddata.fits");
    let size = Size::new(5, 4);
    let mut frame = Frame::new(Plane::from_fn(size, |x, y| (10 * y + x) as f32), Unit::Electron);
    frame.variance = Some(Plane::from_fn(size, |x, _| (x * x) as f32 + 4.0));
    for (x, y, bits) in
        [(1, 2, MaskBits::NO_DATA), (3, 0, MaskBits::SATURATED), (4, 3, MaskBits::WARM)]
    {
        frame.mask.set(x, y, bits);
    }
    write_for_astropy(&path, &[&frame], &Header::new(), Existing::Refuse).unwrap();
    let (back, _) = read_frame(&path).unwrap();
    assert_eq!((back.unit, back.data.as_slice()), (frame.unit, frame.data.as_slice()));
    let (is, was) = (back.variance.unwrap(), frame.variance.unwrap());
    let off = is.as_slice().iter().zip(was.as_slice()).map(|(a, b)| (a / b - 1.0).abs());
    assert!(off.fold(0.0, f32::max) < 1e-6);
    // What is warm is used, and astropy knows no more than whether a sample is.
    let masked: Vec<usize> =
        (0..20).filter(|i| back.mask.as_slice()[*i] == MaskBits::NO_DATA).collect();
    assert_eq!(masked, [3, 11]);
    let mask = open_mask(&path).unwrap().unwrap();
    let mut rows = vec![0.0; 20];
    mask.read_rows(0, 0..4, &mut Vec::new(), &mut rows).unwrap();
    let bits = f32::from(MaskBits::NO_DATA.bits());
    assert!(
        rows.iter().enumerate().all(|(i, v)| *v == if masked.contains(&i) { bits } else { 0.0 })
    );
}
