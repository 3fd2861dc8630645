//! Broken raws give one sentence: never a panic that a person sees, a hang, or memory without bound.
//!
//! A file of its own, so that the hook that looks for panics is there before any other.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering};

use photosite_raw::{open, probe};

use crate::common::{data, write};

/// Bytes held now, and the most that were, on all threads: the decoder has threads of its own.
static NOW: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

/// Counts what is held.
struct Counting;

fn count(change: isize) {
    let held = NOW.fetch_add(change, Ordering::Relaxed) + change;
    PEAK.fetch_max(held, Ordering::Relaxed);
}

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

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What one file may take: the decoder's table of cameras and a field of a maker note, the file
/// twice, and samples of two bytes for sixteen pixels a byte, up to four times over: decoders copy.
fn bound(file: usize) -> isize {
    (96 << 20) + 130 * file as isize
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

/// Breaks a file where it matters: in its directories.
fn mutate(bytes: &mut [u8], dice: &mut Dice) {
    for _ in 0..=dice.roll(6) {
        let at = dice.roll(bytes.len().min(16_000));
        let n = (1 + dice.roll(4)).min(bytes.len() - at);
        match dice.roll(4) {
            0 => bytes[at..at + n].fill(0xff),
            1 => bytes[at..at + n].fill(0),
            2 => bytes[at] ^= 1 << dice.roll(8),
            _ => bytes[at..at + n].iter_mut().for_each(|b| *b = dice.roll(256) as u8),
        }
    }
}

/// A stripped raw with noise where its pixels were, so that the decoders themselves are reached: the
/// one strip at byte `was` of the file moves to its end.
fn refilled(bytes: &[u8], (was, length): (u32, u32), dice: &mut Dice) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let noise = 1_500_000u32;
    let mut replaced = 0;
    for (tag, old, new) in [(273u16, was, bytes.len() as u32), (279, length, noise)] {
        let field = |value: u32| {
            let mut raw = tag.to_le_bytes().to_vec();
            raw.extend([4, 0, 1, 0, 0, 0]);
            raw.extend(value.to_le_bytes());
            raw
        };
        // The last, because thumbnails come first.
        let at = out.windows(12).rposition(|w| w == field(old)).expect("a strip");
        out[at..at + 12].copy_from_slice(&field(new));
        replaced += 1;
    }
    assert_eq!(replaced, 2);
    // A CR2 begins with the picture's lossless JPEG; behind it everything is noise.
    out.extend(&bytes[was as usize..(was + length) as usize]);
    out.extend((length..noise).map(|_| dice.roll(256) as u8));
    out
}

/// A TIFF of one directory, little-endian, each field a tag, a type and its values as bytes; what
/// tag 273 or 324 gives is where `data` begin.
fn tiff(fields: &[(u16, u16, Vec<u8>)], data: &[u8]) -> Vec<u8> {
    let width = |kind| {
        if kind == 3 {
            2
        } else if kind == 4 {
            4
        } else {
            1
        }
    };
    let long: usize = fields.iter().map(|f| f.2.len()).filter(|n| *n > 4).sum();
    let start = 8 + 2 + 12 * fields.len() + 4;
    let mut out = b"II*\0\x08\0\0\0".to_vec();
    out.extend((fields.len() as u16).to_le_bytes());
    let mut beside: Vec<u8> = Vec::new();
    for (tag, kind, value) in fields {
        out.extend(tag.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend(((value.len() / width(*kind)) as u32).to_le_bytes());
        let mut short = value.clone();
        if matches!(tag, 273 | 324) {
            short = ((start + long) as u32).to_le_bytes().to_vec();
        } else if value.len() > 4 {
            short = ((start + beside.len()) as u32).to_le_bytes().to_vec();
            beside.extend(value);
        }
        short.resize(4, 0);
        out.extend(short);
    }
    out.extend([0; 4]);
    out.extend(beside);
    out.extend(data);
    out
}

/// A lossless JPEG that claims a size, with zeros for a scan.
fn claim(width: u16, height: u16, components: u8) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8, 0xff, 0xc4, 0, 20, 0, 1];
    out.extend([0; 16]);
    out.extend([0xff, 0xc3, 0, 8 + 3 * components, 14]);
    out.extend(height.to_be_bytes());
    out.extend(width.to_be_bytes());
    out.push(components);
    (0..components).for_each(|c| out.extend([c, 0x11, 0]));
    out.extend([0xff, 0xda, 0, 6 + 2 * components, components]);
    (0..components).for_each(|c| out.extend([c, 0]));
    out.extend([1, 0, 0]);
    out.resize(130_000, 0);
    out
}

/// Files of some ten thousand bytes that ask for many thousand million.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let word = |v: u32| v.to_le_bytes().to_vec();
    let image = |w: u32,
                 h: u32,
                 compression: u32,
                 make: &str,
                 more: &[(u16, u16, Vec<u8>)],
                 data: &[u8]| {
        let mut fields = vec![
            (254, 4, word(0)),
            (256, 4, word(w)),
            (257, 4, word(h)),
            (258, 3, vec![14, 0]),
            (259, 4, word(compression)),
            (262, 4, word(32803)),
            (271, 2, make.as_bytes().to_vec()),
            (272, 2, b"Canon EOS 6D\0".to_vec()),
            (277, 3, vec![1, 0]),
        ];
        fields.extend_from_slice(more);
        tiff(&fields, data)
    };
    let strip = |n: usize| [(273, 4, word(0)), (278, 4, word(65535)), (279, 4, word(n as u32))];
    let tile = |side: u32, n: usize| {
        [(322, 4, word(side)), (323, 4, word(side)), (324, 4, word(0)), (325, 4, word(n as u32))]
    };
    let dng = (50706, 1, vec![1, 4, 0, 0]);
    let big = claim(65535, 65535, 2);
    let honest = claim(1000, 500, 2);
    let with = |mut fields: Vec<(u16, u16, Vec<u8>)>, more: &(u16, u16, Vec<u8>)| {
        fields.push(more.clone());
        fields
    };
    let boxed = |name: &[u8; 4], content: &[u8]| {
        let mut out = (content.len() as u32 + 8).to_be_bytes().to_vec();
        out.extend(name);
        out.extend(content);
        out
    };
    let cr3 = |moov: &[u8]| {
        let mut out = boxed(b"ftyp", b"crx \0\0\0\x01crx isom");
        out.extend(boxed(b"moov", moov));
        out.extend(boxed(b"mdat", &[0; 70_000]));
        out
    };
    let table: Vec<u8> = [0u32, 0, u32::MAX].iter().flat_map(|v| v.to_be_bytes()).collect();
    let track = boxed(b"stbl", &boxed(b"stsz", &table));
    let track = boxed(b"trak", &boxed(b"mdia", &boxed(b"minf", &track)));
    let mut raf = b"FUJIFILMCCD-RAW 0201".to_vec();
    raf.resize(84, 0);
    for v in [108u32, 200, 308, 64, 372, 70_000] {
        raf.extend(v.to_be_bytes());
    }
    raf.resize(120, 0);
    raf.extend(b"II*\0\x08\0\0\0\0\0\0\0\0\0");
    raf.resize(308, 0);
    raf.extend([0, 0, 0, 1, 1, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]);
    raf.resize(71_000, 0);
    // A directory whose hundred fields are the same large part of the file.
    let mut greedy = vec![(254u16, 4u16, word(0))];
    greedy.extend((0..100).map(|i| (60_000 + i, 7, vec![0; 5])));
    let mut greedy = tiff(&[greedy, vec![(271, 2, b"SONY\0".to_vec())]].concat(), &[0; 100_000]);
    for field in greedy[10..10 + 12 * 101].chunks_exact_mut(12).skip(1) {
        field[4..8].copy_from_slice(&90_000u32.to_le_bytes());
        field[8..12].copy_from_slice(&100u32.to_le_bytes());
    }
    greedy[8..10].copy_from_slice(&102u16.to_le_bytes());
    vec![
        ("cr3 of a box of no size", cr3(&[0; 8])),
        ("cr3 of a table of four thousand million", cr3(&track)),
        ("raf of 65535x65535", raf),
        ("cr2 of 65535x65535", image(256, 256, 6, "Canon\0", &strip(big.len()), &big)),
        (
            "dng whose jpeg says 65535",
            image(1000, 1000, 7, "X\0", &with(tile(1000, big.len()).to_vec(), &dng), &big),
        ),
        (
            "dng in tiles of 65535",
            image(1000, 1000, 7, "X\0", &with(tile(65535, honest.len()).to_vec(), &dng), &honest),
        ),
        (
            "dng of 65535x65535",
            image(65535, 65535, 7, "X\0", &with(strip(honest.len()).to_vec(), &dng), &honest),
        ),
        ("nef of 65535x65535", image(65535, 65535, 34713, "NIKON\0", &strip(big.len()), &big)),
        ("arw of 65535x65535", image(65535, 65535, 32767, "SONY\0", &strip(big.len()), &big)),
        (
            "arw in tiles of 65535",
            image(1000, 1000, 7, "SONY\0", &tile(65535, honest.len()), &honest),
        ),
        ("arw whose jpeg says 65535", image(1000, 1000, 7, "SONY\0", &tile(1000, big.len()), &big)),
        ("fields that are all of the file", greedy),
    ]
}

/// What is refused without the decoder's table of cameras stays near the file's size.
fn refuse_bombs(path: &std::path::Path) {
    for (name, bytes) in bombs() {
        write(path, &bytes);
        PEAK.store(NOW.load(Ordering::Relaxed), Ordering::Relaxed);
        let held = NOW.load(Ordering::Relaxed);
        for e in [probe(path).err(), open(path).err()] {
            let e = e.unwrap_or_else(|| panic!("{name} was read"));
            println!("{name}: {e}");
            assert_eq!(e.message().lines().count(), 1, "{name}: {e}");
        }
        let peak = PEAK.load(Ordering::Relaxed) - held;
        assert!(peak < bound(bytes.len()), "{name}: {peak} bytes");
    }
}

/// Panics that came to the hook, and so to a person's eyes.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[test]
#[allow(clippy::disallowed_methods)] // Tests may ask the environment and the clock.
fn mutated_raws() {
    // In one test with the others: what is held is counted on all threads.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mutated.raw");
    refuse_bombs(&path);
    let Some(data) = data("mutated raws") else { return };
    let asked = std::env::var("PHOTOSITE_FUZZ_ITERATIONS").ok().and_then(|n| n.parse().ok());
    let rounds: usize = asked.unwrap_or(300);
    let mut files = vec![data.join("raw/colorchart.dng")];
    files.extend(
        std::fs::read_dir(data.join("bmpcc_dng")).into_iter().flatten().map(|e| e.unwrap().path()),
    );
    let must_fail = std::fs::read_dir(data.join("raw_must_fail")).into_iter().flatten();
    files.extend(must_fail.map(|e| e.unwrap().path()));
    let stripped = std::fs::read_dir(data.join("raw_stripped")).unwrap();
    files.extend(stripped.map(|e| e.unwrap().path()));
    files.sort();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut originals: Vec<Vec<u8>> = files.iter().map(|p| std::fs::read(p).unwrap()).collect();
    for (name, strip) in [("CanonRaw.cr2", (8648, 16)), ("Nikon.nef", (1376, 18))] {
        let path = data.join("raw_stripped").join(name);
        originals.push(refilled(&std::fs::read(&path).unwrap(), strip, &mut dice));
        files.push(path);
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if let Ok(mut seen) = SEEN.lock() {
            seen.push(info.to_string());
        }
        before(info);
    }));
    let start = std::time::Instant::now();
    let (mut done, mut read, mut most) = (0, 0, 0);
    while done < rounds {
        let mut bytes = originals[done % originals.len()].clone();
        if done >= originals.len() {
            mutate(&mut bytes, &mut dice);
        }
        write(&path, &bytes);
        let one = std::time::Instant::now();
        PEAK.store(NOW.load(Ordering::Relaxed), Ordering::Relaxed);
        let held = NOW.load(Ordering::Relaxed);
        let told = [probe(&path).err(), open(&path).err()];
        read += usize::from(told[1].is_none());
        for e in told.into_iter().flatten() {
            if done < originals.len() {
                println!("{e}");
            }
            assert_eq!(e.message().lines().count(), 1, "{e}");
        }
        let took = one.elapsed();
        let name = files[done % files.len()].display();
        let peak = PEAK.load(Ordering::Relaxed) - held;
        most = most.max(peak);
        if peak >= bound(bytes.len()) {
            let kept = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken.raw");
            write(&kept, &bytes);
            panic!("{peak} bytes: {name} mutated, round {done}, kept as {}", kept.display());
        }
        assert!(took.as_secs() < 20, "{took:?}: {name} mutated, round {done}");
        done += 1;
        // A slow machine does fewer rounds rather than keep everyone waiting.
        if asked.is_none() && start.elapsed().as_secs() > 20 {
            break;
        }
    }
    println!("{done} rounds, {read} read, {most} bytes at most, in {:?}", start.elapsed());
    // Not held while the assertion below panics: the hook wants it too.
    let seen = std::mem::take(&mut *SEEN.lock().unwrap());
    assert!(seen.is_empty(), "panics were told of: {}", seen.join("\n"));
}
