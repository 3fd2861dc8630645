//! Broken files give an error or an answer: never a panic, a hang, or memory without bound.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use common::skip::skip;
use photosite_file::atomic::Existing;
use photosite_file::fits::{FrameSpec, Sample, read_table, write_frame};
use photosite_file::{ErrorKind, open, probe, read_frame, read_frames};
use photosite_pix::{Frame, Header, Plane, Size, Unit};

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// Counts what the thread holds.
struct Counting;

// SAFETY: every call goes to the system's allocator as it came; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(ptr, layout) }
    }
}

fn count(change: isize) {
    // A thread that ends has no counters any more.
    let _ = NOW.try_with(|now| {
        let held = now.get().wrapping_add_signed(change);
        now.set(held);
        if change > 0 && held < usize::MAX / 2 {
            let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held)));
        }
    });
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Does everything one can do with a file; gives the most memory it took.
#[allow(clippy::disallowed_methods)] // A test may look at the clock.
fn use_file(path: &Path) -> (usize, Duration) {
    let held = NOW.get();
    PEAK.set(held);
    let start = Instant::now();
    let _ = probe(path);
    if let Ok(source) = open(path) {
        let size = source.size();
        // By strips, as a caller who minds memory would.
        let rows = (1 << 20) / size.width.max(1);
        let y1 = rows.clamp(1, size.height);
        if size.width < 1 << 22 {
            let mut out = vec![0.0; y1 * size.width];
            let _ = source.read_rows(source.planes() - 1, 0..y1, &mut Vec::new(), &mut out);
        }
    }
    let _ = read_frame(path);
    let _ = read_frames(path);
    let _ = read_table(path, "DQ");
    let _ = photosite_file::fits::layout(path).map(|l| l.hdus.len());
    (PEAK.get() - held, start.elapsed())
}

fn write(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::File::create(path).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
}

/// A small generator, so that a failure comes again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }
}

/// Values that break readers.
const NASTY: [&str; 22] = [
    "0",
    "-1",
    "1",
    "2",
    "-32",
    "16",
    "255",
    "65536",
    "99999999",
    "2147483647",
    "-2147483648",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "1E400",
    "nan",
    "T",
    "F",
    "''",
    "'1PB(0)'",
    "'999999999PB'",
    "'RICE_1'",
];

/// Attributes that break readers; longer than what they replace they are cut.
const NASTY_ATTRIBUTES: [&str; 14] = [
    "0:0:0",
    "1:1:99999999",
    "65535:65535:1",
    "attachment:0:16",
    "attachment:4096:99999999",
    "attachment:18446744073709551615:1",
    "zlib+sh:99999999:0",
    "lz4:18446744073709551615",
    "zstd+sh:286:999999999",
    "embedded",
    "UInt64",
    "Complex64",
    "-1:nan",
    "path(/etc/hosts)",
];

fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.roll(3) {
        let len = bytes.len();
        if len == 0 {
            return;
        }
        match dice.roll(8) {
            // A value in a header.
            0..=3 => {
                let cards: Vec<usize> = (0..len.saturating_sub(79))
                    .step_by(80)
                    .filter(|&i| bytes[i + 8] == b'=' && bytes[i].is_ascii_uppercase())
                    .collect();
                if let Some(&at) = cards.get(dice.roll(cards.len().max(1))) {
                    let value = format!("{:<70}", NASTY[dice.roll(NASTY.len())]);
                    bytes[at + 10..at + 80].copy_from_slice(value.as_bytes());
                }
            }
            // An attribute of an XISF header.
            4 if bytes.starts_with(b"XISF") => {
                let quotes: Vec<usize> = (0..len).filter(|&i| bytes[i] == b'"').collect();
                let which = dice.roll(quotes.len().max(2) / 2) * 2;
                if let Some(&[from, to]) = quotes.get(which..which + 2) {
                    let text = NASTY_ATTRIBUTES[dice.roll(NASTY_ATTRIBUTES.len())];
                    let text = text.bytes().chain(std::iter::repeat(b' ')).take(to - from - 1);
                    bytes.splice(from + 1..to, text);
                }
            }
            // A digit of a header or anything in the data.
            4 => bytes[dice.roll(len.min(12_000))] = b"0123456789 'TF"[dice.roll(14)],
            5 => bytes[dice.roll(len)] = dice.roll(256) as u8,
            6 => {
                let (at, n) = (dice.roll(len), dice.roll(64));
                let end = (at + n).min(len);
                bytes[at..end].fill([0, 0xff, b' '][dice.roll(3)]);
            }
            _ => bytes.truncate(dice.roll(len)),
        }
    }
}

/// A colour picture with variance and masks.
fn colour_product(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("colour.fits");
    let mut frame = Frame::new(Plane::filled(Size::new(20, 16), 3.0f32), Unit::Adu);
    frame.variance = Some(frame.data.clone());
    let header = Header::new();
    let spec = FrameSpec { header: &header, sample: Sample::F32, beside: vec![], tables: vec![] };
    write_frame(&path, &[&frame, &frame, &frame], spec, Existing::Refuse).unwrap();
    path
}

/// The bound: an image may honestly hold some thousand pixels a byte, compressed; plain files and
/// headers must stay near their size.
fn bound(compressed: bool, file: usize) -> usize {
    if compressed { 32_000_000 + 5000 * file } else { 6_000_000 + 60 * file }
}

#[test]
#[allow(clippy::disallowed_methods)] // Tests may ask the environment and the clock.
fn mutated_files() {
    let asked = std::env::var("PHOTOSITE_FUZZ_ITERATIONS").ok();
    let full: Option<usize> = asked.and_then(|n| n.parse().ok());
    let mut files = common::image_files(&common::samples());
    assert!(files.len() > 35, "the samples are missing");
    if let Some(real) = common::real("mutated real frames") {
        // Small ones; the bytes that matter are headers.
        let small = |p: &std::path::PathBuf| p.metadata().is_ok_and(|m| m.len() < 700_000);
        files.extend(common::image_files(&real).into_iter().filter(small));
    }
    let dir = tempfile::tempdir().unwrap();
    files.push(colour_product(dir.path()));
    let originals: Vec<(bool, Vec<u8>)> = files
        .iter()
        .map(|p| {
            let bytes = std::fs::read(p).unwrap();
            let packed = bytes.starts_with(&[0x1f, 0x8b])
                || [&b"ZCMPTYPE"[..], b"compression=", b"II*\0", b"MM\0*", b"II+\0"]
                    .iter()
                    .any(|word| bytes.windows(word.len()).any(|w| w == *word));
            (packed, bytes)
        })
        .collect();
    let path = dir.path().join("mutated");
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let start = Instant::now();
    let mut done = 0;
    while done < full.unwrap_or(6000) {
        let (packed, bytes) = &originals[done % originals.len()];
        let mut bytes = bytes.clone();
        mutate(&mut bytes, &mut dice);
        write(&path, &bytes);
        let (peak, took) = use_file(&path);
        let keep = || {
            let kept = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken.fits");
            write(&kept, &bytes);
            format!(
                "{} mutated, round {done}, kept as {}",
                files[done % files.len()].display(),
                kept.display()
            )
        };
        assert!(took < Duration::from_secs(5), "{took:?}: {}", keep());
        assert!(peak < bound(*packed, bytes.len()), "{peak} bytes of memory: {}", keep());
        done += 1;
        // A slow machine does fewer rounds rather than keep everyone waiting.
        if full.is_none() && start.elapsed() > Duration::from_secs(8) {
            break;
        }
    }
    println!("{done} rounds in {:?}", start.elapsed());
}

#[test]
fn cut_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut");
    for file in common::image_files(&common::samples()) {
        let bytes = std::fs::read(&file).unwrap();
        let whole = read_frame(&file).ok();
        for cut in (0..bytes.len()).step_by(37) {
            write(&path, &bytes[..cut]);
            let (peak, _) = use_file(&path);
            assert!(peak < 10_000_000, "{} cut to {cut}: {peak}", file.display());
            // What can still be read must be what it was.
            if let (Ok((cut_frame, _)), Some((frame, _))) = (read_frame(&path), &whole) {
                let bits = |f: &photosite_pix::Frame| {
                    f.data.as_slice().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
                };
                assert_eq!(bits(&cut_frame), bits(frame), "{} cut to {cut}", file.display());
            }
        }
    }
}

#[test]
fn every_error_names_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.fits");
    let good = std::fs::read(common::samples().join("u16.fits")).unwrap();
    let say = |bytes: &[u8]| {
        write(&path, bytes);
        let e = probe(&path).unwrap_err();
        (e.kind(), e.message().to_owned())
    };
    let (kind, text) = say(&good[..2880 + 1000]);
    assert_eq!(kind, ErrorKind::Damaged);
    assert!(text.contains("1000 bytes of data found, 2400 expected"), "{text}");
    let (_, text) = say(&good[..500]);
    assert!(text.contains("does not end"), "{text}");
    let (kind, text) = say(b"");
    assert!(kind == ErrorKind::Damaged && text.contains("empty"), "{text}");
    for (start, word) in [
        (&b"II*\0\x10\0\0\0CR\x02\0........"[..], "camera raw"),
        (b"\0\0\0\x18ftypcrx ............", "camera raw"),
        (b"FUJIFILMCCD-RAW .........", "camera raw"),
        (b"IIRO\x08\0\0\0............", "camera raw"),
        (b"\x89PNG\r\n\x1a\n............", "PNG"),
        (b"\xff\xd8\xff\xe0............", "JPEG"),
        (b"Hello world, no image here", "not a known image format"),
    ] {
        let (kind, text) = say(start);
        assert_eq!(kind, ErrorKind::Unsupported);
        assert!(text.contains(word), "{text}");
    }
    for start in [&b"II*\0\x08\0\0\0............"[..], b"MM\0*\0\0\0\x08............"] {
        let (kind, text) = say(start);
        assert!(kind == ErrorKind::Damaged && text.contains("TIFF"), "{text}");
    }
    assert_eq!(say(&[0; 2880]).0, ErrorKind::Damaged);
    assert_eq!(probe(dir.path()).unwrap_err().kind(), ErrorKind::Request);
    assert_eq!(probe(&dir.path().join("no")).unwrap_err().kind(), ErrorKind::Io);
    // Unpadded, and with junk at the end: read, and noted.
    let data_end = 2880 + 2400;
    write(&path, &good[..data_end]);
    assert!(probe(&path).unwrap().notes[0].contains("not padded"));
    let mut junk = good.clone();
    junk.extend_from_slice(b"left over from a longer file");
    write(&path, &junk);
    assert!(probe(&path).unwrap().notes[0].contains("ignored"));
    open(&path).unwrap();
}

#[test]
fn a_decompression_bomb_is_not_unpacked() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bomb.fits");
    let good = std::fs::read(common::samples().join("u16.fits")).unwrap();
    let pack = |parts: &[&[u8]]| {
        let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for part in parts {
            e.write_all(part).unwrap();
        }
        e.finish().unwrap()
    };
    // 200 MB of zeros after an image of 2400 bytes.
    let zeros = vec![0u8; 200_000_000];
    write(&path, &pack(&[&good, &zeros]));
    let (peak, _) = use_file(&path);
    assert!(peak < 2_000_000, "{peak}");
    open(&path).unwrap();
    // A header that asks for a terabyte which is not there.
    let mut huge = good.clone();
    for card in huge[..2880].chunks_mut(80) {
        if card.starts_with(b"NAXIS1 ") || card.starts_with(b"NAXIS2 ") {
            card[10..40].copy_from_slice(b"              1000000         ");
        }
    }
    write(&path, &pack(&[&huge]));
    let (peak, _) = use_file(&path);
    assert!(peak < 2_000_000, "{peak}");
    assert_eq!(open(&path).err().unwrap().kind(), ErrorKind::Damaged);
}

/// A header from `key = value` pairs, padded.
fn fits_header(cards: &[(&str, &str)]) -> Vec<u8> {
    let text: String = cards.iter().map(|(k, v)| format!("{k:<8}= {v:>20}{:50}", "")).collect();
    let mut bytes = (text + "END").into_bytes();
    bytes.resize(bytes.len().next_multiple_of(2880), b' ');
    bytes
}

fn gzip(parts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    use std::io::Write;
    let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for part in parts {
        e.write_all(&part).unwrap();
    }
    e.finish().unwrap()
}

/// Zstandard blocks that each say "131072 times 0".
fn zstd_of_zeros(size: u64) -> Vec<u8> {
    let mut out = 0xfd2f_b528_u32.to_le_bytes().to_vec();
    out.push(0xe0);
    out.extend(size.to_le_bytes());
    let mut left = size;
    while left > 0 {
        let n = left.min(131_072);
        left -= n;
        let block = (n as u32) << 3 | 2 | u32::from(left == 0);
        out.extend(&block.to_le_bytes()[..3]);
        out.push(0);
    }
    out
}

fn xisf(width: u64, height: u64) -> Vec<u8> {
    let block = zstd_of_zeros(width * height * 2);
    let xml = format!(
        "<xisf version=\"1.0\"><Image geometry=\"{width}:{height}:1\" sampleFormat=\"UInt16\" \
         compression=\"zstd:{}\" location=\"attachment:4096:{}\"/></xisf>",
        width * height * 2,
        block.len()
    );
    let mut file = b"XISF0100".to_vec();
    file.extend((xml.len() as u32).to_le_bytes());
    file.extend([0; 4]);
    file.extend(xml.as_bytes());
    file.resize(4096, 0);
    file.extend(block);
    file
}

/// Tiles of equal zeros, as a table of GZIP_1.
fn tiles(width: u64, height: u64, tile_rows: u64) -> Vec<u8> {
    let rows = height / tile_rows;
    let packed = gzip(std::iter::once(vec![0u8; (2 * width * tile_rows).min(1 << 23) as usize]));
    let (w, h, t) = (width.to_string(), height.to_string(), tile_rows.to_string());
    let (rows_text, heap) = (rows.to_string(), (packed.len() as u64 * (rows + 1)).to_string());
    let mut file = fits_header(&[("SIMPLE", "T"), ("BITPIX", "8"), ("NAXIS", "0")]);
    file.extend(fits_header(&[
        ("XTENSION", "'BINTABLE'"),
        ("BITPIX", "8"),
        ("NAXIS", "2"),
        ("NAXIS1", "8"),
        ("NAXIS2", &rows_text),
        ("PCOUNT", &heap),
        ("GCOUNT", "1"),
        ("TFIELDS", "1"),
        ("TTYPE1", "'COMPRESSED_DATA'"),
        ("TFORM1", "'1PB(9)  '"),
        ("ZIMAGE", "T"),
        ("ZCMPTYPE", "'GZIP_1  '"),
        ("ZBITPIX", "16"),
        ("ZNAXIS", "2"),
        ("ZNAXIS1", &w),
        ("ZNAXIS2", &h),
        ("ZTILE1", &w),
        ("ZTILE2", &t),
    ]));
    for _ in 0..rows {
        file.extend((packed.len() as u32).to_be_bytes());
        file.extend(0u32.to_be_bytes());
    }
    file.extend(&packed);
    file.resize(file.len() + packed.len() * rows as usize, 0);
    file.resize(file.len().next_multiple_of(2880), 0);
    file
}

/// Files of some kilobytes that claim gigabytes are refused in one sentence and little memory, by
/// everything that looks at them.
#[test]
fn what_claims_more_than_a_frame_holds_is_refused() {
    let image = |w: &str, h: &str| {
        fits_header(&[
            ("SIMPLE", "T"),
            ("BITPIX", "16"),
            ("NAXIS", "2"),
            ("NAXIS1", w),
            ("NAXIS2", h),
        ])
    };
    let small = [image("64", "64"), vec![0; 8640]].concat();
    let empty = fits_header(&[
        ("XTENSION", "'IMAGE   '"),
        ("BITPIX", "8"),
        ("NAXIS", "0"),
        ("PCOUNT", "0"),
        ("GCOUNT", "1"),
    ]);
    let million = vec![0u8; 1 << 20];
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("zstd of 1.8 GB", xisf(30_000, 30_000), "unpack"),
        ("zstd of 10^17 pixels", xisf_claim(), "damaged"),
        (
            "gzip of 256 MB",
            gzip(std::iter::once(image("16384", "8192")).chain((0..256).map(|_| million.clone()))),
            "unpack",
        ),
        (
            "gzip of 10^18 pixels",
            gzip(std::iter::once(image("1000000000", "1000000000"))),
            "unpack",
        ),
        (
            "gzip of 30,000 HDUs",
            gzip(std::iter::once(small.clone()).chain((0..300).map(|_| empty.repeat(100)))),
            "HDUs",
        ),
        ("30,000 HDUs", [small, empty.repeat(30_000)].concat(), "HDUs"),
        ("tiles that share bytes", tiles(2048, 65_536, 1024), "unpack"),
        ("one tile of 10^16 pixels", tiles(100_000_000, 100_000_000, 100_000_000), "damaged"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bomb");
    for (name, bytes, word) in cases {
        write(&path, &bytes);
        let (peak, took) = use_file(&path);
        // That there are too many units is known only once their headers are unpacked.
        let bound = if name.starts_with("gzip of 30") { 150_000_000 } else { 20_000_000 };
        assert!(peak < bound, "{name}: {peak} bytes of memory for {}", bytes.len());
        // A second on an idle machine; what is told apart here is a hang.
        assert!(took < Duration::from_secs(30), "{name}: {took:?}");
        let e = read_frame(&path).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Damaged, "{name}: {e}");
        assert!(e.message().contains(word), "{name}: {e}");
        if !name.starts_with("gzip of 30") {
            assert!(probe(&path).is_err(), "{name}: known by its header");
        }
    }
}

/// A header alone that asks for more than 2^32 pixels.
fn xisf_claim() -> Vec<u8> {
    let text = String::from_utf8_lossy(&xisf(64, 64)[16..4096]).replace("64:64", "9999999:9999999");
    let text = text.trim_end_matches('\0').replace("zstd:8192", "zstd:199999960000002");
    let mut file = b"XISF0100".to_vec();
    file.extend((text.len() as u32).to_le_bytes());
    file.extend([0; 4]);
    file.extend(text.as_bytes());
    file.resize(4096, 0);
    file.extend(zstd_of_zeros(8192));
    file
}

/// A file with holes may be as large as its header says and still be no frame.
#[test]
fn a_sparse_file_of_a_sensor_that_cannot_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sparse.fits");
    let head = fits_header(&[
        ("SIMPLE", "T"),
        ("BITPIX", "8"),
        ("NAXIS", "2"),
        ("NAXIS1", "2000000"),
        ("NAXIS2", "2000000"),
    ]);
    write(&path, &head);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    if file.set_len(2880 + 4_000_000_000_000).is_err() {
        skip("large-files", "the file system has no files of 4 TB");
        return;
    }
    let (peak, _) = use_file(&path);
    assert!(peak < 2_000_000, "{peak}");
    for e in [probe(&path).err(), open(&path).err(), read_frame(&path).err()] {
        assert!(e.unwrap().message().contains("No sensor is so large"));
    }
}

/// Honest frames of one value pack without bound and are read all the same.
#[test]
fn a_drawn_frame_of_one_value_is_no_bomb() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [("z.xisf", xisf(4000, 3000)), ("t.fits", tiles(2048, 4096, 1024))] {
        let path = dir.path().join(name);
        write(&path, &bytes);
        let source = open(&path).unwrap();
        let mut row = vec![1.0; source.size().width];
        source.read_rows(0, 7..8, &mut Vec::new(), &mut row).unwrap();
        assert!(row.iter().all(|v| *v == 0.0), "{name}");
    }
}
