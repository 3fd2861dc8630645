//! The house in order: arrows point downward, sources are named, no file grows too long.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms of the domain, by layer, as ARCHITECTURE.md has them.
const ROOMS: [(u8, &[&str]); 5] = [
    (1, &["error", "event", "env", "finding", "open", "params", "provenance", "work"]),
    (
        2,
        &[
            "stack",
            "master",
            "calibrate",
            "colour",
            "debayer",
            "defects",
            "detector",
            "measure",
            "product",
            "register",
            "preview",
            "raw",
            "header",
            "budget",
            "succession",
        ],
    ),
    // `report` is plain data that names types of L2 and L3; L4 fills it in and doors print it.
    (3, &["inventory", "library", "plan", "report"]),
    (4, &["run"]),
    (5, &["lib"]),
];

/// Which crates of the project a crate may use; tests may use the simulator as well.
const CRATES: [(&str, &[&str]); 6] = [
    ("pix", &[]),
    ("file", &["photosite-pix"]),
    ("raw", &["photosite-pix", "photosite-file"]),
    ("sim", &["photosite-pix"]),
    ("photosite", &["photosite-pix", "photosite-file", "photosite-raw"]),
    ("cli", &["photosite", "photosite-pix", "photosite-file", "photosite-sim"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Rust file below `folder`, in order.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The words that follow `prefix` in `text`, comments left out.
fn after<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let name = |s: &'a str| {
        let end = s.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(s.len());
        &s[..end]
    };
    text.lines()
        .filter(|l| !l.trim_start().starts_with("//"))
        .flat_map(move |l| l.split(prefix).skip(1).map(name))
}

/// The rooms named in `crate::room`, and in lists as `crate::{room::.., room}`.
fn rooms_used(text: &str) -> BTreeSet<String> {
    let mut used: BTreeSet<String> = after(text, "crate::").map(str::to_owned).collect();
    for list in text.split("use crate::{").skip(1) {
        let list = &list[..list.find("};").expect("a list that ends")];
        let mut depth = 0;
        for part in list.split_inclusive(['{', '}', ',']) {
            if depth == 0 {
                let word = part.trim().split("::").next().unwrap_or("");
                used.insert(word.trim_matches([',', '{', '}', ' ']).to_owned());
            }
            depth += part.matches('{').count() as i32 - part.matches('}').count() as i32;
        }
    }
    used
}

#[test]
fn no_room_of_the_domain_looks_upward() {
    let layers: BTreeMap<&str, u8> =
        ROOMS.iter().flat_map(|(layer, rooms)| rooms.iter().map(move |r| (*r, *layer))).collect();
    let source = root().join("crates/photosite/src");
    let files = rust_files(&source);
    assert!(files.len() > 20, "the rooms were not found");
    let (mut arrows, mut wrong) = (0, Vec::new());
    for file in &files {
        let inside = file.strip_prefix(&source).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
        let room = first.trim_end_matches(".rs");
        let Some(from) = layers.get(room) else {
            wrong.push(format!("{} has no layer; add it to the table", inside.display()));
            continue;
        };
        for used in rooms_used(&read(file)) {
            let Some(to) = layers.get(used.as_str()).filter(|_| used != room) else { continue };
            arrows += 1;
            if to > from {
                wrong.push(format!("{} (L{from}) uses crate::{used} (L{to})", inside.display()));
            }
        }
    }
    assert!(arrows > 30, "only {arrows} arrows were seen");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_list_of_rooms_is_read_as_well_as_a_single_one() {
    let text = "use crate::plan::Plan;\nuse crate::{Error, run::{a, b}, library};\n\
                // crate::event is only spoken of\nlet x = crate::defects::KAPPA;";
    let used = rooms_used(text);
    for room in ["plan", "run", "library", "defects"] {
        assert!(used.contains(room), "{room} in {used:?}");
    }
    assert!(!used.contains("event") && !used.contains("b"), "{used:?}");
}

/// The packages under a heading of a manifest.
fn dependencies(manifest: &str, heading: &str) -> Vec<String> {
    manifest
        .lines()
        .skip_while(|l| l.trim() != heading)
        .skip(1)
        .take_while(|l| !l.starts_with('['))
        .filter_map(|l| l.split(['.', ' ', '=']).next())
        .filter(|name| name.starts_with("photosite"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_crate_looks_upward() {
    let folders: BTreeSet<String> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let known: BTreeSet<String> = CRATES.iter().map(|(c, _)| (*c).to_owned()).collect();
    assert_eq!(folders, known, "a crate without a place in the table");
    let mut wrong = Vec::new();
    for (name, allowed) in CRATES {
        let folder = root().join("crates").join(name);
        let manifest = read(&folder.join("Cargo.toml"));
        for used in dependencies(&manifest, "[dependencies]") {
            if !allowed.contains(&used.as_str()) {
                wrong.push(format!("crates/{name}/Cargo.toml depends on {used}"));
            }
        }
        let own =
            if name == "photosite" { "photosite".into() } else { format!("photosite-{name}") };
        let files = rust_files(&folder.join("src"));
        assert!(!files.is_empty(), "crates/{name}/src is empty");
        for file in files {
            let text = read(&file);
            for part in after(&text, "photosite_") {
                let used = format!("photosite-{part}");
                let of_project = CRATES.iter().any(|(c, _)| *c == part);
                if of_project && used != own && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{} uses {used}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let manifest = read(&root().join("crates/photosite/Cargo.toml"));
    assert_eq!(dependencies(&manifest, "[dependencies]").len(), 3, "manifests are not read");
}

/// Whether a word is written as a key of REFERENCES.md: a name and a year.
fn looks_like_a_key(word: &str) -> bool {
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = word.len() - letters.len();
    digits == 4
        && letters.len() > 2
        && letters.chars().all(|c| c.is_ascii_alphabetic())
        && letters.starts_with(|c: char| c.is_ascii_uppercase())
}

#[test]
fn every_source_is_in_the_references() {
    let path = root().join("REFERENCES.md");
    if !path.exists() {
        println!("SKIPPED: REFERENCES.md is not there");
        return;
    }
    let text = read(&path);
    let keys: BTreeSet<&str> = text
        .lines()
        .filter_map(|l| l.strip_prefix("| ")?.split(' ').next())
        .filter(|k| *k != "key")
        .collect();
    assert!(keys.len() > 5, "{keys:?}");
    let (mut blocks, mut wrong) = (0, Vec::new());
    for file in rust_files(&root().join("crates")) {
        let text = read(&file);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (i, _) in lines.iter().enumerate().filter(|(_, l)| l.ends_with("# Source")) {
            let block: Vec<&str> = lines[i + 1..]
                .iter()
                .take_while(|l| {
                    let doc = l.strip_prefix("///").or(l.strip_prefix("//!"));
                    doc.is_some_and(|d| !d.trim().is_empty() && !d.trim().starts_with('#'))
                })
                .copied()
                .collect();
            let at = format!("{}:{}", file.display(), i + 1);
            let words: Vec<String> = block
                .join(" ")
                .split(|c: char| !c.is_ascii_alphanumeric())
                .map(str::to_owned)
                .collect();
            blocks += 1;
            if !words.iter().any(|w| keys.contains(w.as_str())) {
                wrong.push(format!("{at} names no key of REFERENCES.md"));
            }
            for word in words.iter().filter(|w| looks_like_a_key(w)) {
                if !keys.contains(word.as_str()) {
                    wrong.push(format!("{at} names {word}, which REFERENCES.md does not have"));
                }
            }
        }
    }
    assert!(blocks > 10, "only {blocks} sources were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_step_of_calibration_has_a_source() {
    let (references, architecture) = (root().join("REFERENCES.md"), root().join("ARCHITECTURE.md"));
    if !references.exists() {
        println!("SKIPPED: REFERENCES.md is not there");
        return;
    }
    let text = read(&references);
    for step in photosite::calibrate::STEPS {
        let own = step.source == "ARCHITECTURE" && architecture.exists();
        let listed = text.contains(&format!("| {} |", step.source));
        assert!(own || listed, "{}: {}", step.name, step.source);
    }
}

#[test]
fn no_fixture_folder_is_empty() {
    let mut seen = 0;
    for (name, _) in CRATES {
        let tests = root().join("crates").join(name).join("tests");
        let mut folders = if tests.exists() { vec![tests] } else { Vec::new() };
        while let Some(folder) = folders.pop() {
            seen += 1;
            let mut entries = std::fs::read_dir(&folder).unwrap().peekable();
            assert!(entries.peek().is_some(), "{} is empty", folder.display());
            folders.extend(entries.map(|e| e.unwrap().path()).filter(|p| p.is_dir()));
        }
    }
    assert!(seen > 5, "only {seen} folders of tests were found");
}

#[test]
fn no_file_is_too_long() {
    let files = rust_files(&root().join("crates"));
    assert!(files.len() > 60, "only {} files were found", files.len());
    for file in files {
        let lines = read(&file).lines().count();
        assert!(lines <= 900, "{} has {lines} lines; split it", file.display());
        if lines > 600 {
            println!("look twice: {} has {lines} lines", file.display());
        }
    }
}
