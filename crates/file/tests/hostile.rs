//! Broken files give an error or an answer: never a panic, a hang, or memory without bound.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

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
        (b"Hello world, no image here", "not an image format known here"),
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
