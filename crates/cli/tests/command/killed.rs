//! A run that is killed leaves nothing half, and the next one goes on from there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::assert_checksums;
use crate::support::{expect, files, photosite, simulate, text, visible};

/// Every product by its name under `out`.
fn products(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    visible(out)
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "fits"))
        .map(|p| (p.strip_prefix(out).unwrap().to_owned(), std::fs::read(&p).unwrap()))
        .collect()
}

/// When the run is killed: as soon as this many files are there, hidden or not, below the folder.
#[derive(Debug, Clone, Copy)]
struct Moment {
    folder: &'static str,
    hidden: bool,
    count: usize,
}

impl Moment {
    fn reached(self, out: &Path) -> bool {
        let Ok(entries) = std::fs::read_dir(out.join(self.folder)) else { return false };
        let names =
            entries.filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()));
        names.filter(|n| n.starts_with('.') == self.hidden).count() >= self.count
    }
}

#[test]
fn a_killed_run_leaves_whole_products_and_the_next_finishes() {
    let dir = tempfile::tempdir().unwrap();
    let night = dir.path().join("night");
    simulate(&night, &["--width", "448", "--height", "320", "--lights", "6"]);
    let calm = dir.path().join("calm");
    expect(0, &["run", text(&night), "-o", text(&calm), "--keep", "calibrated"]);
    let expected = products(&calm);
    assert_eq!(expected.len(), 4 + 6 + 1);
    let moment = |folder, hidden, count| Moment { folder, hidden, count };
    let moments = [
        moment("", true, 1),
        moment("masters", true, 1),
        moment("masters", false, 1),
        moment("masters", false, 2),
        moment("masters", false, 4),
        moment("stacks", true, 1),
        moment("stacks", false, 1),
        moment("calibrated", true, 1),
        moment("calibrated", false, 1),
        moment("calibrated", false, 4),
        moment("calibrated", false, 6),
    ];
    let mut interrupted = 0;
    for (i, moment) in moments.into_iter().enumerate() {
        let out = dir.path().join(format!("out{i}"));
        let mut child = photosite()
            .args(["run", text(&night), "-o", text(&out), "--threads", "2", "--keep", "calibrated"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ended = None;
        while ended.is_none() && !moment.reached(&out) {
            std::thread::yield_now();
            ended = child.try_wait().unwrap();
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        interrupted += usize::from(status.code().is_none());
        let there = products(&out);
        println!("{moment:?}: {} products, {status}", there.len());
        for (name, bytes) in &there {
            assert_checksums(&out.join(name));
            assert!(expected.get(name) == Some(bytes), "{moment:?}: {}", name.display());
        }
        expect(0, &["run", text(&night), "-o", text(&out), "--keep", "calibrated"]);
        assert!(products(&out) == expected, "{moment:?}");
        let left: Vec<PathBuf> =
            files(&out).into_iter().filter(|p| text(p).ends_with(".part")).collect();
        assert!(left.is_empty(), "{moment:?}: {left:?}");
        // What was whole was reused; a picture without the account of its lights is made again.
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
        let lists = ["masters", "lights"].map(|l| report[l].as_array().unwrap().clone());
        let reused = lists.iter().flatten().filter(|p| p["reused"] == true).count();
        let whole = there.keys().filter(|p| !p.starts_with("stacks")).count();
        assert_eq!(reused, whole, "{moment:?}");
    }
    assert!(interrupted >= 4, "only {interrupted} runs were interrupted");
}

/// How often each command is killed; PHOTOSITE_KILLS=50 is the long form.
#[allow(clippy::disallowed_methods, reason = "the long form is asked for by the environment")]
fn kills() -> u64 {
    std::env::var("PHOTOSITE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6)
}

/// Runs a command with this library to its end and says how long that took.
#[allow(clippy::disallowed_methods, reason = "kills are spread over the time the work takes")]
fn calm(library: &Path, args: &[&str]) -> Duration {
    let start = Instant::now();
    let output = photosite().env("PHOTOSITE_LIBRARY", library).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    start.elapsed()
}

/// Kills the command, with a library of its own each time, at moments spread over the time it takes;
/// after each the library must be whole and the next commands work. Returns how many died at work.
fn kill_at_random(dir: &Path, takes: Duration, args: impl Fn(u64) -> Vec<String>) -> usize {
    let mut interrupted = 0;
    for n in 0..kills() {
        let args: Vec<String> = args(n);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let library = dir.join(n.to_string());
        let mut child = photosite()
            .env("PHOTOSITE_LIBRARY", &library)
            .args(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Multiples of the golden ratio fill the span evenly, in no order.
        std::thread::sleep(takes.mul_f64((n as f64 * 0.618_034).fract()));
        child.kill().unwrap();
        interrupted += usize::from(child.wait().unwrap().code().is_none());
        calm(&library, &["library", "verify", "--full"]);
        calm(&library, &args);
        calm(&library, &["library", "verify", "--full"]);
    }
    interrupted
}

/// What a library lists.
fn listed(library: &Path) -> serde_json::Value {
    let mut command = photosite();
    command.env("PHOTOSITE_LIBRARY", library).args(["library", "list", "--json"]);
    let mut entries: serde_json::Value =
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    for entry in entries.as_array_mut().unwrap() {
        // Masters lie in each library's own folder.
        entry["paths"] =
            entry["paths"][0].as_str().unwrap().rsplit(['/', '\\']).next().unwrap().into();
    }
    entries
}

#[test]
fn a_killed_library_is_whole_and_the_next_command_works() {
    let dir = tempfile::tempdir().unwrap();
    let (night, calm_library) = (dir.path().join("night"), dir.path().join("calm"));
    let many = ["--bias", "90", "--darks", "90", "--flats", "20"];
    simulate(&night, &[&["--width", "64", "--height", "64"][..], &many].concat());
    let add = |_| ["library", "add", text(&night)].map(str::to_owned).to_vec();
    let takes = calm(&calm_library, &["library", "add", text(&night)]);
    let libraries = dir.path().join("add");
    let interrupted = kill_at_random(&libraries, takes, add);
    for n in 0..kills() {
        assert_eq!(listed(&libraries.join(n.to_string())), listed(&calm_library));
    }
    println!("add: {interrupted} of {} were killed at work", kills());

    let night = dir.path().join("other");
    simulate(&night, &["--width", "256", "--height", "192", "--seed", "5"]);
    let out = |n: u64| dir.path().join(format!("out{n}"));
    let run = |n: u64| {
        ["run", "--no-stack", text(&night), "-o", text(&out(n))].map(str::to_owned).to_vec()
    };
    let (calm_library, calm_out) = (dir.path().join("calm2"), out(1 << 40));
    let takes = calm(&calm_library, &["run", "--no-stack", text(&night), "-o", text(&calm_out)]);
    let libraries = dir.path().join("run");
    let interrupted = kill_at_random(&libraries, takes, run);
    for n in 0..kills() {
        assert!(products(&out(n)) == products(&calm_out), "run {n}");
        assert_eq!(listed(&libraries.join(n.to_string())), listed(&calm_library));
    }
    println!("run: {interrupted} of {} were killed at work", kills());
}
