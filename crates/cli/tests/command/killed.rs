//! A run that is killed leaves nothing half, and the next one goes on from there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

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
    expect(0, &["run", text(&night), "-o", text(&calm)]);
    let expected = products(&calm);
    assert_eq!(expected.len(), 4 + 6);
    let moment = |folder, hidden, count| Moment { folder, hidden, count };
    let moments = [
        moment("", true, 1),
        moment("masters", true, 1),
        moment("masters", false, 1),
        moment("masters", false, 2),
        moment("masters", false, 4),
        moment("calibrated", true, 1),
        moment("calibrated", false, 1),
        moment("calibrated", false, 4),
        moment("calibrated", false, 6),
    ];
    let mut interrupted = 0;
    for (i, moment) in moments.into_iter().enumerate() {
        let out = dir.path().join(format!("out{i}"));
        let mut child = photosite()
            .args(["run", text(&night), "-o", text(&out), "--threads", "2"])
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
        expect(0, &["run", text(&night), "-o", text(&out)]);
        assert!(products(&out) == expected, "{moment:?}");
        let left: Vec<PathBuf> =
            files(&out).into_iter().filter(|p| text(p).ends_with(".part")).collect();
        assert!(left.is_empty(), "{moment:?}: {left:?}");
        // What was whole was reused.
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
        let lists = ["masters", "lights"].map(|l| report[l].as_array().unwrap().clone());
        let reused = lists.iter().flatten().filter(|p| p["reused"] == true).count();
        assert_eq!(reused, there.len(), "{moment:?}");
    }
    assert!(interrupted >= 4, "only {interrupted} runs were interrupted");
}
