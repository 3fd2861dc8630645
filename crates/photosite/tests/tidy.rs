//! The house in order: arrows point downward, sources are named, no file grows too long.

#![allow(
    clippy::disallowed_methods,
    reason = "it writes the docs when asked, and trees to look at"
)]

#[path = "tidy/documented.rs"]
mod documented;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms of the domain, by layer, as ARCHITECTURE.md has them.
const ROOMS: [(u8, &[&str]); 5] = [
    (
        1,
        &[
            "error",
            "event",
            "env",
            "finding",
            "html",
            "open",
            "params",
            "provenance",
            "shown",
            "work",
        ],
    ),
    (
        2,
        &[
            "stack",
            "master",
            "calibrate",
            "correlation",
            "colour",
            "debayer",
            "defects",
            "detector",
            "diagnose",
            "evidence",
            "measure",
            "product",
            "register",
            "preview",
            "raw",
            "sensor",
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

/// A file's own code, and its tests.
fn code_and_tests(path: &Path) -> (String, String) {
    let text = read(path);
    if path.components().any(|c| c.as_os_str() == "tests") {
        return (String::new(), text);
    }
    let at = text.find("#[cfg(test)]").unwrap_or(text.len());
    (text[..at].to_owned(), text[at..].to_owned())
}

#[test]
fn every_mask_bit_is_used_tested_and_named() {
    let glossary = read(&root().join("GLOSSARY.md"));
    let row = glossary.lines().find(|l| l.starts_with("| mask bit")).expect("the row of mask bits");
    let files: Vec<(String, String)> = rust_files(&root().join("crates"))
        .iter()
        .filter(|f| !f.ends_with("pix/src/mask.rs") && !f.ends_with("tests/tidy.rs"))
        .map(|f| code_and_tests(f))
        .collect();
    for (name, bit) in photosite_pix::MaskBits::all().iter_names() {
        let named = format!("MaskBits::{name}");
        let of =
            |part: fn(&(String, String)) -> &String| files.iter().any(|f| part(f).contains(&named));
        assert!(of(|f| &f.0), "{name} is set by nothing");
        assert!(of(|f| &f.1), "{name} is not tested");
        let entry = format!("{name} {}", bit.bits());
        let listed = row.split([',', '.', '|']).any(|part| part.trim() == entry);
        assert!(listed, "GLOSSARY.md does not name {entry}");
    }
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
    let text = read(&root().join("REFERENCES.md"));
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
    let text = read(&root().join("REFERENCES.md"));
    for step in photosite::calibrate::STEPS {
        let own = step.source == "ARCHITECTURE";
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

/// What the leaves of the `use` lines of a file name, each as a whole path: `crate::a::B`.
fn imports(text: &str) -> Vec<String> {
    fn leaves(prefix: &str, tree: &str, out: &mut Vec<String>) {
        let (mut depth, mut start) = (0, 0);
        let mut parts = Vec::new();
        for (i, c) in tree.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    parts.push(&tree[start..i]);
                    start = i + 1;
                }
                _ => {}
            }
        }
        parts.push(&tree[start..]);
        for part in parts.into_iter().map(str::trim).filter(|p| !p.is_empty()) {
            match part.split_once('{') {
                Some((head, rest)) => {
                    let inner = rest.trim_end().trim_end_matches('}');
                    leaves(&format!("{prefix}{head}"), inner, out);
                }
                None => out.push(format!("{prefix}{}", part.split(" as ").next().unwrap())),
            }
        }
    }
    let mut out = Vec::new();
    let code: String = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap()
        .lines()
        .filter(|l| !l.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join(" ");
    for statement in code.split("use ").skip(1) {
        let before_end = statement.split(';').next().unwrap();
        if before_end.starts_with("crate")
            || before_end.starts_with("super")
            || before_end.starts_with("self")
        {
            leaves("", before_end, &mut out);
        }
    }
    out
}

/// The files of a crate by the path of their module: `a::b` for `src/a/b.rs` and `src/a/b/mod.rs`.
fn modules(source: &Path) -> BTreeMap<String, PathBuf> {
    rust_files(source)
        .into_iter()
        .map(|file| {
            let inside = file.strip_prefix(source).unwrap().with_extension("");
            let parts: Vec<String> =
                inside.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
            let parts: Vec<&str> = parts
                .iter()
                .map(String::as_str)
                .filter(|p| !["mod", "lib", "main"].contains(p))
                .collect();
            (parts.join("::"), file)
        })
        .collect()
}

/// The file in which what a path names is defined: modules are followed, and so is what a module
/// only hands on.
fn defined_in(path: &[&str], modules: &BTreeMap<String, PathBuf>, depth: usize) -> Option<String> {
    let deepest = (0..path.len()).rev().find(|n| modules.contains_key(&path[..=*n].join("::")));
    let (module, rest) = match deepest {
        Some(n) => (path[..=n].join("::"), &path[n + 1..]),
        None => (String::new(), path),
    };
    let (Some(name), true) = (rest.first(), depth < 8) else { return Some(module) };
    let text = read(modules.get(&module)?);
    for statement in text.split("pub").filter(|s| {
        s.trim_start_matches("(super)")
            .trim_start_matches("(crate)")
            .trim_start()
            .starts_with("use ")
    }) {
        let statement = statement.split(';').next().unwrap();
        let body = statement.split_once("use ").unwrap().1;
        for leaf in imports(&format!("use self::{};", body.trim_start_matches("self::"))) {
            let leaf = leaf.trim_start_matches("self::").to_owned();
            if leaf.rsplit("::").next() == Some(*name) {
                let absolute: Vec<&str> =
                    module.split("::").filter(|p| !p.is_empty()).chain(leaf.split("::")).collect();
                return defined_in(&absolute, modules, depth + 1);
            }
        }
    }
    Some(module)
}

/// For each module of a crate, the modules whose definitions it imports.
fn arrows(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let modules = modules(source);
    let mut out = BTreeMap::new();
    for (module, file) in &modules {
        let mut used = BTreeSet::new();
        let is_folder =
            file.ends_with("mod.rs") || file.ends_with("lib.rs") || file.ends_with("main.rs");
        for import in imports(&read(file)) {
            let mut base: Vec<&str> = module.split("::").filter(|p| !p.is_empty()).collect();
            let mut rest: Vec<&str> = import.split("::").collect();
            match rest[0] {
                "crate" => base.clear(),
                // A file that is no folder stands in its parent; a folder is its own parent.
                "super" => {
                    base.pop();
                    while rest.get(1) == Some(&"super") {
                        base.pop();
                        rest.remove(1);
                    }
                }
                _ => assert!(is_folder || !base.is_empty()),
            }
            base.extend(&rest[1..]);
            used.extend(defined_in(&base, &modules, 0).filter(|to| to != module));
        }
        out.insert(module.clone(), used);
    }
    out
}

/// The first circle in a graph of imports, as the modules along it.
fn circle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit<'a>(
        at: &'a str,
        arrows: &'a BTreeMap<String, BTreeSet<String>>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|w| *w == at) {
            return Some(way[start..].iter().map(|w| (*w).to_owned()).collect());
        }
        if !done.insert(at) {
            return None;
        }
        way.push(at);
        let found = arrows.get(at)?.iter().find_map(|to| visit(to, arrows, way, done));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|from| visit(from, arrows, &mut Vec::new(), &mut done))
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut seen = 0;
    // Where decisions are made; kernels of `pix` and readers of `file` call each other by nature.
    for name in ["photosite", "cli"] {
        let mut arrows = arrows(&root().join("crates").join(name).join("src"));
        // The face of a crate hands on what its rooms define.
        arrows.remove("");
        seen += arrows.values().map(BTreeSet::len).sum::<usize>();
        if let Some(circle) = circle(&arrows) {
            panic!("crates/{name}: these import each other in a circle: {}", circle.join(" -> "));
        }
    }
    assert!(seen > 300, "only {seen} arrows between files were seen");
}

#[test]
fn a_circle_is_seen_and_a_name_that_is_handed_on_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a;\nmod b;\n");
    write("a/mod.rs", "mod c;\nmod d;\npub use c::{Other, Thing};\n");
    write("a/c.rs", "pub struct Thing;\npub struct Other;\n");
    write("a/d.rs", "use super::c::Thing;\nuse crate::b::{self, call};\n");
    write("b.rs", "use crate::a::Thing;\n");
    assert_eq!(circle(&arrows(dir.path())), None);
    write("a/c.rs", "use crate::b::call;\npub struct Thing;\n");
    let found = circle(&arrows(dir.path())).unwrap();
    assert!(found.contains(&"a::c".to_owned()) && found.contains(&"b".to_owned()), "{found:?}");
}

/// What belongs to science or to files, by the names by which it is called: the command line maps
/// words to parameters and shows reports.
const NOT_IN_CLI: [&str; 16] = [
    "photosite::stack::",
    "photosite::calibrate::CalibrationSet",
    "photosite::calibrate::CalibratedSource",
    "photosite::product::build_master",
    "photosite::product::calibrate_light",
    "photosite::master::",
    "photosite::defects",
    "photosite::inventory::take",
    "default_recipe",
    "Reject::",
    "NoiseModel::new",
    "photosite_pix::stat::median",
    "photosite_pix::combine::combine",
    "photosite_file::open",
    "photosite_file::keyword",
    "rusqlite",
];

/// What reads or holds samples: deciding goes by headers alone.
const NOT_IN_DECIDING: [&str; 8] = [
    "Plane",
    "read_rows",
    "read_frame",
    "read_image",
    "read_masked",
    "open_stored",
    "stat::",
    "&[f32]",
];

/// The words of a text that stand in it outside of comments and tests.
fn spoken<'a>(text: &str, words: &[&'a str]) -> Vec<&'a str> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().filter(|l| !l.trim_start().starts_with("//"));
    let code: String = lines.collect::<Vec<_>>().join("\n");
    words.iter().copied().filter(|w| code.contains(w)).collect()
}

#[test]
fn the_command_line_holds_no_science() {
    let files = rust_files(&root().join("crates/cli/src"));
    assert!(files.len() > 20, "the command line was not found");
    let mut wrong = Vec::new();
    for file in files {
        for word in spoken(&read(&file), &NOT_IN_CLI) {
            wrong.push(format!("{} calls {word}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let text =
        "use photosite_pix::reject::Reject;\nlet r = Reject::auto(3);\n// photosite::defects";
    assert_eq!(spoken(text, &NOT_IN_CLI), ["Reject::"]);
}

#[test]
fn deciding_reads_no_pixel() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for (_, rooms) in ROOMS.iter().filter(|(layer, _)| *layer == 3) {
        for room in rooms.iter().filter(|r| **r != "report") {
            for file in rust_files(&root().join("crates/photosite/src").join(room)) {
                seen += 1;
                for word in spoken(&read(&file), &NOT_IN_DECIDING) {
                    wrong.push(format!("{} holds {word}", file.display()));
                }
            }
        }
    }
    assert!(seen > 25, "only {seen} files that decide were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The codes of findings and notes that stand in the sources, as they are written.
fn codes_in_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in rust_files(&root().join("crates")) {
        if file.components().any(|c| c.as_os_str() == "tests") || file.ends_with("codes.rs") {
            continue;
        }
        let text = read(&file);
        for start in ["Finding::new(", "code: \"", "left_out(", "fault("] {
            for after in text.split(start).skip(1) {
                let after = if start.ends_with('"') {
                    after
                } else {
                    let Some(rest) = after.trim_start().strip_prefix('"') else { continue };
                    rest
                };
                let code: String =
                    after.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
                if code.contains('-') && after[code.len()..].starts_with('"') {
                    found.insert(code);
                }
            }
        }
    }
    found
}

#[test]
fn every_code_of_a_finding_is_in_the_table_and_the_table_in_the_docs() {
    use photosite::finding::{codes, markdown, named};
    let once = codes().windows(2).all(|w| w[0].name < w[1].name);
    assert!(once, "a code is in the tables twice");
    let used = codes_in_sources();
    assert!(used.len() > 30, "{used:?}");
    let missing: Vec<&String> = used.iter().filter(|c| named(c).is_none()).collect();
    assert!(missing.is_empty(), "not in the table of codes: {missing:?}");
    let path = root().join("docs/findings.md");
    if std::env::var_os("PHOTOSITE_WRITE_DOCS").is_some() {
        std::fs::write(&path, markdown()).unwrap();
    }
    let written = if path.exists() { read(&path) } else { String::new() };
    assert!(
        written == markdown(),
        "docs/findings.md is not what the table says; PHOTOSITE_WRITE_DOCS=1 cargo test -p photosite \
         --test tidy writes it anew"
    );
}
