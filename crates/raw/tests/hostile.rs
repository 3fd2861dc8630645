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

/// Panics that came to the hook, and so to a person's eyes.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[test]
#[allow(clippy::disallowed_methods)] // Tests may ask the environment and the clock.
fn mutated_raws() {
    let Some(data) = data("mutated raws") else { return };
    let asked = std::env::var("PHOTOSITE_FUZZ_ITERATIONS").ok().and_then(|n| n.parse().ok());
    let rounds: usize = asked.unwrap_or(300);
    let mut files = vec![data.join("raw/colorchart.dng")];
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
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mutated.raw");
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
