//! Files of many frames, files packed as a whole, and files without an ending.

mod common;

use std::path::Path;

use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::fits::{FitsWriter, ImageSpec, Sample};
use photosite_file::{
    ErrorKind, Source, is_image, keyword, open, open_image, probe, probe_frames, read_image,
};
use photosite_pix::{Card, Header, Size};

fn first_sample(source: &dyn Source) -> f32 {
    let mut row = vec![0.0; source.size().width];
    source.read_rows(0, 0..1, &mut Vec::new(), &mut row).unwrap();
    row[0]
}

/// A FITS file of images in units of these names; each sample counts its unit.
fn sequence(path: &Path, units: &[(Option<&str>, Size, Sample)]) {
    let spec = |(i, (name, size, sample)): (usize, &(Option<&str>, Size, Sample))| {
        let mut header = Header::new();
        header.push(Card::real("EXPTIME", 10.0 + i as f64, ""));
        ImageSpec { name: name.map(str::to_owned), size: *size, planes: 1, sample: *sample, header }
    };
    let specs = units.iter().enumerate().map(spec).collect();
    let writer = FitsWriter::create(path, specs, vec![], Existing::Replace).unwrap();
    for (i, (_, size, _)) in units.iter().enumerate() {
        writer.write_rows(i, 0, 0, &vec![i as f32 * 100.0; size.pixels()]).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn every_image_of_a_sequence_is_a_frame() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("seq.fits");
    let (u16s, f32s) = (Sample::U16 { pedestal_adu: 0.0 }, Sample::F32);
    let (size, other) = (Size::new(6, 4), Size::new(5, 4));
    for (units, frames) in [
        (vec![(None, size, u16s); 5], vec![0, 1, 2, 3, 4]),
        (vec![(None, size, u16s)], vec![0]),
        // Of another size or storage, or an error or mask by its name: not a frame.
        (vec![(None, size, u16s), (None, other, u16s), (None, size, u16s)], vec![0, 2]),
        (vec![(None, size, f32s), (Some("ERR"), size, f32s)], vec![0]),
        (vec![(None, size, f32s), (Some("uncert"), size, f32s)], vec![0]),
        (vec![(None, size, f32s), (None, size, u16s)], vec![0]),
        (vec![(Some("IM1"), size, u16s), (Some("IM2"), size, u16s)], vec![0, 1]),
    ] {
        sequence(&path, &units);
        assert_eq!(probe(&path).unwrap().frames(), frames, "{units:?}");
        let told = probe(&path).unwrap().notes.iter().any(|n| n.contains("images of this size"));
        assert_eq!(told, frames.len() > 1, "{units:?}");
        let all = probe_frames(&path).unwrap();
        assert_eq!(all.iter().map(|p| p.image).collect::<Vec<_>>(), frames, "{units:?}");
        for p in all {
            assert_eq!(p.header.get_f64("EXPTIME"), Some(10.0 + p.image as f64));
            let source = open_image(&path, p.image).unwrap();
            assert_eq!(first_sample(&*source), 100.0 * p.image as f32);
        }
        assert_eq!(open_image(&path, 9).err().unwrap().kind(), ErrorKind::Request);
    }
    for name in ["science-mef.fits", "flat-mef.fits"] {
        let Some(real) = common::real("files of several amplifiers") else { return };
        let frames = probe_frames(&real.join("odd").join(name)).unwrap();
        assert!(!frames.is_empty(), "{name}");
    }
}

#[test]
fn what_is_packed_with_bzip2_reads_as_what_was_packed() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    let plain = common::samples().join("u16.fits");
    let bytes = std::fs::read(&plain).unwrap();
    let pack = |bytes: &[u8]| {
        let mut e = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        e.write_all(bytes).unwrap();
        e.finish().unwrap()
    };
    let path = dir.path().join("x.fits.bz2");
    let packed = pack(&bytes);
    write_bytes(&path, &packed, Existing::Replace).unwrap();
    let (a, header) = read_image(&path).unwrap();
    let (b, expected) = read_image(&plain).unwrap();
    assert!(a == b && header == expected);
    assert_eq!(probe(&path).unwrap().format, "FITS (bzip2)");
    for cut in (4..packed.len() - 1).step_by(57) {
        write_bytes(&path, &packed[..cut], Existing::Replace).unwrap();
        assert_eq!(read_image(&path).unwrap_err().kind(), ErrorKind::Damaged, "cut to {cut}");
    }
    write_bytes(&path, &pack(b"no FITS"), Existing::Replace).unwrap();
    assert!(probe(&path).unwrap_err().message().contains("bzip2, but its content"));
    // 600 MB of zeros behind a header that asks for them, in less than a kilobyte.
    let mut e = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    let cards =
        ["SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 2", "NAXIS1  = 20000", "NAXIS2  = 15000", "END"];
    let head: String = cards.iter().map(|c| format!("{c:<80}")).collect();
    e.write_all(format!("{head:<2880}").as_bytes()).unwrap();
    e.write_all(&vec![0; 20_000_000]).unwrap();
    write_bytes(&path, &e.finish().unwrap(), Existing::Replace).unwrap();
    for e in [probe(&path).err(), open(&path).err()] {
        assert!(e.unwrap().message().contains("claims to unpack"));
    }
}

/// A video of two frames of 6 x 4, whose sample at (x, y) of frame n is 1000 + 7 x + 3 y + 500 n.
fn ser(colour: i32, big_endian: bool, depth: i32, times: bool) -> Vec<u8> {
    let planes = if colour >= 100 { 3 } else { 1 };
    let mut bytes = b"LUCAM-RECORDER".to_vec();
    for number in [0, colour, 0, 6, 4, depth, 2] {
        bytes.extend(i32::to_le_bytes(number));
    }
    for name in ["Herschel", "ZWO ASI224MC", "C8"] {
        bytes.extend(format!("{name:<40}").bytes());
    }
    // 2026-01-15T20:00:00 in ticks of 100 ns since the year 1.
    let ticks = (1_768_507_200 + 62_135_596_800_i64) * 10_000_000;
    bytes.extend(ticks.to_le_bytes());
    bytes.extend(ticks.to_le_bytes());
    for n in 0..2u16 {
        for (y, x, c) in
            (0..4).flat_map(|y| (0..6).flat_map(move |x| (0..planes).map(move |c| (y, x, c))))
        {
            let v: u16 = 1000 + 7 * x + 3 * y + 500 * n + 20 * c;
            match (depth > 8, big_endian) {
                (false, _) => bytes.push((v / 20) as u8),
                (true, true) => bytes.extend(v.to_be_bytes()),
                (true, false) => bytes.extend(v.to_le_bytes()),
            }
        }
    }
    if times {
        for n in 0..2 {
            bytes.extend((ticks + n * 15_000_000).to_le_bytes());
        }
    }
    bytes
}

#[test]
fn every_frame_of_a_video_is_read() {
    let dir = tempfile::tempdir().unwrap();
    // Its first bytes name the format, whatever the file is called.
    let path = dir.path().join("capture");
    for (colour, big_endian, depth) in [
        (0, false, 16),
        (0, true, 16),
        (8, false, 12),
        (9, true, 12),
        (0, false, 8),
        (100, false, 16),
    ] {
        write_bytes(&path, &ser(colour, big_endian, depth, true), Existing::Replace).unwrap();
        assert!(is_image(&path).unwrap());
        let frames = probe_frames(&path).unwrap();
        assert_eq!(frames.len(), 2);
        assert_eq!(probe(&path).unwrap().frames(), [0, 1]);
        for (n, p) in frames.iter().enumerate() {
            assert_eq!((p.format, p.size, p.image), ("SER", Size::new(6, 4), n));
            let m = keyword::read(&p.header).metadata;
            assert_eq!(m.camera.as_deref(), Some("ZWO ASI224MC"));
            let date = ["2026-01-15T20:00:00", "2026-01-15T20:00:01.5"][n];
            assert_eq!(m.date_obs.as_deref(), Some(date));
            let cfa = m.cfa.map(|c| c.to_string());
            assert_eq!(
                cfa.as_deref(),
                [None, Some("RGGB"), Some("GRBG")][(colour as usize % 100).saturating_sub(7)]
            );
            let source = open_image(&path, n).unwrap();
            let mut row = [0.0; 6];
            let plane = p.planes - 1;
            source.read_rows(plane, 2..3, &mut Vec::new(), &mut row).unwrap();
            let v = 1000 + 7 * 5 + 3 * 2 + 500 * n + 20 * plane;
            let expected = if depth > 8 { v } else { v / 20 };
            assert_eq!(row[5], expected as f32, "{colour} {big_endian} {depth}");
        }
    }
    write_bytes(&path, &ser(101, false, 16, false), Existing::Replace).unwrap();
    let mut row = [0.0; 6];
    open(&path).unwrap().read_rows(0, 0..1, &mut Vec::new(), &mut row).unwrap();
    assert_eq!(row[0], 1040.0, "blue comes first in the file");
    assert_eq!(probe_frames(&path).unwrap()[1].header.get("DATE-OBS"), None);
    let good = ser(0, false, 16, false);
    for cut in [14, 100, 177, 178, good.len() - 1] {
        write_bytes(&path, &good[..cut], Existing::Replace).unwrap();
        assert_eq!(probe(&path).unwrap_err().kind(), ErrorKind::Damaged, "cut to {cut}");
    }
    for (at, value) in [(26, -1), (30, 0), (34, 99), (38, -5), (38, i32::MAX), (26, i32::MAX)] {
        let mut bad = good.clone();
        bad[at..at + 4].copy_from_slice(&value.to_le_bytes());
        write_bytes(&path, &bad, Existing::Replace).unwrap();
        assert!(probe(&path).is_err(), "{value} at {at}");
    }
}

#[test]
fn files_without_an_ending_are_known_by_what_they_hold() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("frame0001");
    for (bytes, image) in [
        (std::fs::read(common::samples().join("u16.fits")).unwrap(), true),
        (std::fs::read(common::samples().join("u16.fits.gz")).unwrap(), true),
        (std::fs::read(common::samples().join("tiff/u16.tif")).unwrap(), true),
        (b"# notes of the night".to_vec(), false),
        (b"\x89PNG\r\n\x1a\n............".to_vec(), false),
    ] {
        write_bytes(&path, &bytes, Existing::Replace).unwrap();
        assert_eq!(is_image(&path).unwrap(), image);
    }
}

/// Uncompressed pages of 16-bit grey, as drivers write bursts.
fn pages(path: &Path, size: Size, values: &[u16]) {
    let bytes = (size.pixels() * 2) as u32;
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    for (i, value) in values.iter().enumerate() {
        let fields: [(u16, u16, u32); 8] = [
            (256, 3, size.width as u32),
            (257, 3, size.height as u32),
            (258, 3, 16),
            (259, 3, 1),
            (262, 3, 1),
            (273, 4, file.len() as u32 + 2 + 8 * 12 + 4),
            (278, 3, size.height as u32),
            (279, 4, bytes),
        ];
        file.extend((fields.len() as u16).to_le_bytes());
        for (tag, kind, v) in fields {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend(1u32.to_le_bytes());
            file.extend(v.to_le_bytes());
        }
        let next = if i + 1 < values.len() { file.len() as u32 + 4 + bytes } else { 0 };
        file.extend(next.to_le_bytes());
        (0..size.pixels()).for_each(|_| file.extend(value.to_le_bytes()));
    }
    write_bytes(path, &file, Existing::Replace).unwrap();
}

/// The first sample of each frame of a file.
fn firsts(path: &Path) -> Vec<f32> {
    let frames = probe_frames(path).unwrap();
    assert!(frames.iter().all(|p| p.planes == 1 && p.size == Size::new(6, 4)));
    let first = |p: &photosite_file::Probe| {
        let source = open_image(path, p.image).unwrap();
        let mut row = [0.0; 6];
        source.read_rows(0, 1..2, &mut Vec::new(), &mut row).unwrap();
        row[5]
    };
    frames.iter().map(first).collect()
}

#[test]
fn pages_of_a_tiff_and_planes_of_a_cube_are_frames() {
    let dir = tempfile::tempdir().unwrap();
    let values: Vec<u16> = (0..7).map(|i| 500 + 3 * i).collect();
    let wanted: Vec<f32> = values.iter().map(|v| f32::from(*v)).collect();
    let tiff = dir.path().join("burst.tif");
    pages(&tiff, Size::new(6, 4), &values);
    assert_eq!(firsts(&tiff), wanted);
    // Of one page as before, and a pointer to nowhere after it is no page.
    pages(&tiff, Size::new(6, 4), &values[..1]);
    let mut bytes = std::fs::read(&tiff).unwrap();
    bytes[8 + 2 + 96..][..4].copy_from_slice(&9999u32.to_le_bytes());
    write_bytes(&tiff, &bytes, Existing::Replace).unwrap();
    assert_eq!(firsts(&tiff), wanted[..1]);
    let cube = dir.path().join("burst.fits");
    let spec = ImageSpec {
        name: None,
        size: Size::new(6, 4),
        planes: 7,
        sample: Sample::U16 { pedestal_adu: 0.0 },
        header: Header::new(),
    };
    let writer = FitsWriter::create(&cube, vec![spec], Vec::new(), Existing::Refuse).unwrap();
    for (plane, value) in wanted.iter().enumerate() {
        writer.write_rows(0, plane, 0, &[*value; 24]).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(firsts(&cube), wanted);
}

/// Sensors that are numbered are known by their numbers, in whatever order a program wrote them.
#[test]
fn numbered_images_are_taken_by_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let (sample, size) = (Sample::U16 { pedestal_adu: 0.0 }, Size::new(6, 4));
    for (names, expected) in [
        (["CHIP1", "CHIP2"], 0),
        (["CHIP2", "CHIP1"], 1),
        (["CCD10", "CCD9"], 1),
        (["chip2", "CHIP1"], 1),
        // No numbers of one word.
        (["SCI", "GUIDE1"], 0),
        (["S2", "N1"], 0),
    ] {
        let path = dir.path().join("two.fits");
        let units: Vec<(Option<&str>, Size, Sample)> =
            names.iter().map(|name| (Some(*name), size, sample)).collect();
        sequence(&path, &units);
        let image = probe(&path).unwrap().image;
        assert_eq!(image, expected, "{names:?}");
        let first = first_sample(&*open(&path).unwrap());
        assert_eq!(first, 100.0 * expected as f32, "{names:?}");
    }
}
