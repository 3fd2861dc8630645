//! What a night takes of the machine is what its plan says: memory counted byte by byte as it is
//! asked for, files as the system counts what is read and written.

mod night;
#[path = "../../file/tests/common/skip.rs"]
mod skip;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use photosite::event::{Cancel, Event, Observer};
use photosite::plan::Forecast;
use photosite::run::{NightRequest, run_night};
use photosite::work::Context;
use photosite_pix::Size;
use photosite_sim::{Night, Preset, Simulation};

use night::{FOLDERS, with, write_night};
use skip::skip;

/// Counts the bytes that are in use.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn more(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

fn less(bytes: usize) {
    LIVE.fetch_sub(bytes, Ordering::Relaxed);
}

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller promises what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        less(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // A large block that grows is moved by the tables of pages, not copied.
        less(layout.size());
        more(size);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The peak of each stage, in bytes.
#[derive(Default)]
struct Stages(Mutex<Vec<(&'static str, usize)>>);

impl Stages {
    fn begin(&self, name: &'static str) {
        let peak = PEAK.swap(LIVE.load(Ordering::Relaxed), Ordering::Relaxed);
        let mut told = self.0.lock().unwrap();
        if let Some(last) = told.last_mut() {
            last.1 = peak;
        }
        told.push((name, 0));
    }
}

impl Observer for Stages {
    fn event(&self, event: Event<'_>) {
        if let Event::Started { stage, .. } = event {
            self.begin(stage.name());
        }
    }
}

/// Bytes that this process has read and written so far; `None` where the system does not say.
fn moved() -> Option<[u64; 2]> {
    let told = std::fs::read_to_string("/proc/self/io").ok()?;
    let of = |name: &str| told.lines().find_map(|l| l.strip_prefix(name)?.trim().parse().ok());
    Some([of("rchar:")?, of("wchar:")?])
}

/// Bytes of the files below a folder.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let entries = entries.map(|e| e.unwrap());
    entries
        .map(
            |e| {
                if e.path().is_dir() { bytes_below(&e.path()) } else { e.metadata().unwrap().len() }
            },
        )
        .sum()
}

/// What was forecast, and what was measured.
struct Run {
    forecast: Forecast,
    /// What the process takes before it does anything, as forecasts have it.
    process_bytes: u64,
    peak_bytes: u64,
    read_bytes: Option<u64>,
    written_bytes: u64,
    stages: Vec<(&'static str, usize)>,
}

fn run(asked: &NightRequest, memory_bytes: u64) -> Run {
    let cancel = Cancel::default();
    let stages = Stages::default();
    let context = Context { threads: 2, memory_bytes, observer: &stages, cancel: &cancel };
    let dry = with(asked.clone(), |night| night.dry_run = true);
    let forecast = run_night(&dry, &context).unwrap().report.forecast;
    // Of a night without a frame.
    let empty = asked.output.with_file_name("empty");
    std::fs::create_dir_all(&empty).unwrap();
    let nothing = with(NightRequest::new(vec![empty], asked.output.clone()), |n| n.dry_run = true);
    let process_bytes = run_night(&nothing, &context).unwrap().report.forecast.memory_bytes;
    stages.0.lock().unwrap().clear();
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let moved_before = moved();
    let outcome = run_night(asked, &context).unwrap();
    stages.begin("end");
    assert!(outcome.failure.is_none());
    let read_bytes = moved().zip(moved_before).map(|(now, then)| now[0] - then[0]);
    let mut stages = stages.0.into_inner().unwrap();
    stages.iter_mut().for_each(|(_, peak)| *peak = peak.saturating_sub(before));
    let peak_bytes = stages.iter().map(|(_, peak)| *peak as u64).max().unwrap();
    let made =
        ["masters", "stacks", "calibrated", ".seen"].map(|f| bytes_below(&asked.output.join(f)));
    let kept = asked.library.as_ref().map_or(0, |l| bytes_below(&l.join("masters")));
    let written_bytes = made.iter().sum::<u64>() + kept;
    Run { forecast, process_bytes, peak_bytes, read_bytes, written_bytes, stages }
}

/// Packs the frames of a night, which moves to another folder; tells whether that could be done.
fn pack(night: &Path, to: &Path) -> bool {
    std::fs::rename(night, to).unwrap();
    let frames = FOLDERS.iter().flat_map(|f| std::fs::read_dir(to.join(f)).unwrap());
    let status = Command::new("gzip").arg("-1").args(frames.map(|e| e.unwrap().path())).status();
    status.is_ok_and(|s| s.success())
}

/// How far a forecast may be from what is measured.
const WITHIN: f64 = 0.1;

#[test]
fn what_is_forecast_is_what_is_taken() {
    const SIDE: usize = 1200;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let simulated = |preset: Preset, name: &str| {
        let mut night = Night::preset(preset, Size::new(SIDE, SIDE), 5);
        let counts = &mut night.counts;
        (counts.bias, counts.darks, counts.flats, counts.dark_flats) = (8, 8, 8, 8);
        counts.lights = 4;
        write_night(&Simulation::new(night), &at(name));
    };
    simulated(Preset::CmosMono, "mono");
    simulated(Preset::CmosOsc, "osc");
    let mut fitted = Night::preset(Preset::Ccd, Size::new(SIDE, SIDE), 5);
    (fitted.light_exposure_s, fitted.dark_exposure_s) = (120.0, 300.0);
    let counts = &mut fitted.counts;
    (counts.bias, counts.darks, counts.flats, counts.lights) = (8, 8, 8, 4);
    write_night(&Simulation::new(fitted), &at("fitted"));
    let whole = |name| (name, false, true, 1 << 30);
    let cases: [(&str, bool, bool, u64); 11] = [
        whole("mono"),
        ("mono", true, true, 1 << 30),
        ("mono", false, false, 1 << 30),
        ("mono", false, true, 64 << 20),
        ("mono", false, true, 2 << 30),
        whole("osc"),
        ("osc", false, true, 80 << 20),
        ("osc", false, false, 1 << 30),
        whole("fitted"),
        whole("packed"),
        ("packed", false, false, 1 << 30),
    ];
    let mut wrong = Vec::new();
    for (i, (name, library, stack, memory_bytes)) in cases.into_iter().enumerate() {
        if name == "packed" && !at(name).exists() && !pack(&at("mono"), &at(name)) {
            skip("gzip", "packed frames in the forecast");
            break;
        }
        let out = at(&format!("out{i}"));
        let mut asked = NightRequest::new(vec![at(name)], out.clone());
        asked.stack = stack;
        asked.library = library.then(|| at("library"));
        let run = run(&asked, memory_bytes);
        let Forecast { read_bytes, write_bytes, memory_bytes: peak, .. } = run.forecast;
        let ratio = |forecast: u64, measured: u64| forecast as f64 / measured as f64;
        let mut ratios = vec![
            ("memory", ratio(peak - run.process_bytes, run.peak_bytes)),
            ("written", ratio(write_bytes, run.written_bytes)),
        ];
        ratios.extend(run.read_bytes.map(|read| ("read", ratio(read_bytes, read))));
        let case = format!(
            "{name}, library {library}, stacked {stack}, {} MiB allowed",
            memory_bytes >> 20
        );
        println!("{case}: forecast over measured {ratios:.3?}; peaks {:?}", run.stages);
        let far = ratios.iter().filter(|(_, r)| (r - 1.0).abs() > WITHIN);
        wrong.extend(far.map(|(what, r)| format!("{case}: {what} {r:.3}")));
        std::fs::remove_dir_all(out).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
