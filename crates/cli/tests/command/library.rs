//! `library`, `match`, `plan`, and `run` with a library.

use std::path::{Path, PathBuf};
use std::process::Output;

use photosite_file::atomic::{Existing, write_bytes};
use photosite_file::fits::{FitsWriter, ImageSpec, Sample, read_image};
use photosite_pix::{Header, Plane};
use serde_json::Value;

use crate::support::{expect, json, photosite, refused, simulate, stderr, stdout, text};

/// Runs the command with this library; it must end with `status`.
fn with(library: &Path, status: i32, args: &[&str]) -> Output {
    let output = photosite().env("PHOTOSITE_LIBRARY", library).args(args).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(status),
        "{args:?}\n{}\n{}",
        stdout(&output),
        stderr(&output)
    );
    output
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key} in {value}"))
}

/// The names of masters or lights, by whether they were reused.
fn names(report: &Value, key: &str, reused: bool) -> Vec<String> {
    let path = if key == "masters" { "path" } else { "output" };
    let of = list(report, key).iter().filter(|m| m["reused"] == reused);
    of.map(|m| {
        Path::new(m[path].as_str().unwrap()).file_name().unwrap().to_string_lossy().into_owned()
    })
    .collect()
}

#[test]
fn masters_are_made_once_and_what_depends_on_a_new_dark_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (night, library) = (dir.path().join("night"), dir.path().join("library"));
    simulate(&night, &[]);
    let run = |out: &str| {
        let out = dir.path().join(out);
        json(&with(&library, 0, &["run", "--no-stack", text(&night), "-o", text(&out), "--json"]))
    };
    let first = run("a");
    assert_eq!(list(&first["library"], "added").len(), 4);
    assert!(names(&first, "masters", true).is_empty());
    // In another folder every master comes from the library, to the byte.
    let second = run("b");
    assert!(names(&second, "masters", false).is_empty());
    assert!(list(&second, "masters").iter().all(|m| m["from"] == "library"), "{second}");
    assert_eq!(list(&second["library"], "reused").len(), 4);
    assert!(list(&second["library"], "added").is_empty());
    for name in names(&second, "masters", true) {
        let read = |o: &str| std::fs::read(dir.path().join(o).join("masters").join(&name)).unwrap();
        assert!(read("a") == read("b"), "{name}");
    }
    // In its own folder nothing is made, and the account tells the same numbers.
    let third = run("a");
    assert!(
        names(&third, "masters", false).is_empty() && names(&third, "lights", false).is_empty()
    );
    for key in ["masters", "lights"] {
        for (a, b) in list(&first, key).iter().zip(list(&third, key)) {
            for stat in ["stats", "stats_before", "stats_after", "repaired", "hot"] {
                assert_eq!(a[stat], b[stat], "{key} {stat}");
            }
        }
    }
    // One dark more: its master and the lights.
    std::fs::remove_file(night.join("darks/Dark_60.0s_0004.fits")).unwrap();
    let fewer = run("a");
    assert_eq!(names(&fewer, "masters", false), ["dark_60s_-10.0C_gain100_offset50_bin1x1.fits"]);
    assert_eq!(names(&fewer, "lights", false).len(), 3);
    // Without the library nothing is taken from it, and nothing told of it.
    let out = dir.path().join("c");
    let alone = json(&with(
        &library,
        0,
        &["run", "--no-stack", text(&night), "-o", text(&out), "--json", "--no-library"],
    ));
    assert_eq!(alone["library"], Value::Null);
    assert_eq!(names(&alone, "masters", false).len(), 4);
}

#[test]
fn lights_alone_are_calibrated_from_the_library_and_the_plan_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (night, library) = (dir.path().join("night"), dir.path().join("library"));
    simulate(&night, &["--darks", "12"]);
    let lights = dir.path().join("lights");
    std::fs::rename(night.join("lights"), &lights).unwrap();
    // Nothing is there yet: every kind is to be shot, flats first.
    let plan = json(&with(&library, 0, &["plan", text(&lights), "--json"]));
    let kinds: Vec<&str> =
        list(&plan, "shots").iter().map(|s| s["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["flat", "dark-flat", "dark", "bias"]);
    for shot in list(&plan, "shots") {
        for key in ["gain_setting", "offset_setting", "temp_c", "exposure_s", "filter", "count"] {
            assert!(shot.get(key).is_some(), "{key} in {shot}");
        }
        assert!(shot["count"].as_u64().unwrap() >= 4 && shot["folk"].is_array(), "{shot}");
    }
    let dark = &plan["shots"][2];
    assert_eq!((&dark["temp_c"], &dark["exposure_s"]), (&(-10.0).into(), &60.0.into()));
    assert_eq!((&dark["count"], &dark["total_s"]), (&10.into(), &600.0.into()));
    assert!(!library.exists(), "looking makes no library");
    // Raw frames in the library make masters for a night that has none.
    with(&library, 0, &["library", "add", text(&night)]);
    let plan = json(&with(&library, 0, &["plan", text(&lights), "--json"]));
    let shots = list(&plan, "shots");
    assert!(shots.iter().all(|s| s["kind"] != "dark"), "twelve darks are enough: {plan}");
    let flat = shots.iter().find(|s| s["kind"] == "flat").unwrap();
    assert_eq!((&flat["have"], &flat["count"]), (&4.into(), &6.into()));
    let told = stdout(&with(&library, 0, &["plan", text(&lights), "--share", "2%"]));
    assert!(told.contains("SHOOT") && told.contains("typical"), "{told}");
    let out = dir.path().join("out");
    let report =
        json(&with(&library, 0, &["run", "--no-stack", text(&lights), "-o", text(&out), "--json"]));
    for light in list(&report, "lights") {
        assert_eq!(
            light["steps"],
            serde_json::json!(["saturation", "variance", "dark", "flat", "defects"])
        );
    }
    // Next time those masters are there themselves.
    let matched = json(&with(&library, 0, &["match", text(&lights), "--json", "--explain"]));
    for light in matched.as_array().unwrap() {
        let masters = list(light, "masters");
        let kinds: Vec<&str> = masters.iter().map(|m| m["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["bias", "dark", "flat"]);
        for m in masters {
            assert!(m["library_id"].is_string(), "{m}");
            // No light needed the bias, so there is none but its frames.
            assert_eq!(m["runner_up"].is_object(), m["kind"] != "bias", "{m}");
            assert!(m["cost"]["value"].is_number() && !list(m, "checks").is_empty(), "{m}");
        }
        let dark = &masters[1];
        assert!(dark["cost_e"].as_f64().unwrap() < 1.0, "{dark}");
        assert!(dark["chosen"].as_str().unwrap().starts_with("dark_60s"), "{dark}");
    }
    let told = stdout(&with(&library, 0, &["match", text(&lights), "--explain"]));
    assert!(told.contains("gain setting") && told.contains("runner-up:"), "{told}");
}

#[test]
fn names_of_filters_come_from_the_library() {
    let dir = tempfile::tempdir().unwrap();
    let (night, library) = (dir.path().join("night"), dir.path().join("library"));
    simulate(&night, &[]);
    for n in 1..=3 {
        let light = night.join(format!("lights/Light_M00_60.0s_{n:04}.fits"));
        let mut bytes = std::fs::read(&light).unwrap();
        let at = bytes.windows(12).position(|w| w == b"FILTER  = 'L").unwrap();
        bytes[at + 11..at + 14].copy_from_slice(b"Rot");
        write_bytes(&light, &bytes, Existing::Replace).unwrap();
    }
    let explain = ["match", text(&night), "--explain"];
    let told = stdout(&with(&library, 0, &explain));
    assert!(told.contains("filter L instead of Rot"), "{told}");
    std::fs::create_dir_all(&library).unwrap();
    let aliases = library.join("aliases.toml");
    let write = |text: &str| write_bytes(&aliases, text.as_bytes(), Existing::Replace).unwrap();
    write("[filters]\nL = [\"rot\"]\n");
    drop(with(&library, 0, &["library", "list"]));
    let told = stdout(&with(&library, 0, &explain));
    let line = told.lines().find(|l| l.contains("filter") && l.contains("Rot")).unwrap();
    assert!(line.contains("agrees by an alias"), "{told}");
    write("[filters]\nL = [\"rot\"\n");
    let said = stderr(&with(&library, 2, &explain));
    assert!(said.contains("aliases.toml, line ") && !said.contains("panicked"), "{said}");
}

#[test]
fn masters_are_certified_and_retired_by_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let (night, library) = (dir.path().join("night"), dir.path().join("library"));
    simulate(&night, &[]);
    let out = dir.path().join("out");
    with(&library, 0, &["run", "--no-stack", text(&night), "-o", text(&out)]);
    let darks = json(&with(&library, 0, &["library", "list", "--kind", "dark", "--json"]));
    let id = darks[0]["id"].as_str().unwrap().to_owned();
    let light = night.join("lights/Light_M00_60.0s_0001.fits");
    let dark = || {
        let m = json(&with(&library, 0, &["match", text(&light), "--json"]));
        m[0]["masters"][1].clone()
    };
    assert_eq!(dark()["library_id"], id.as_str());
    let said = stdout(&with(&library, 0, &["library", "certify", &id, "--from", "2026-01-01"]));
    assert!(said.contains("certified, from 2026-01-01 on"), "{said}");
    assert_eq!(dark()["library_id"], id.as_str());
    with(&library, 0, &["library", "certify", &id[..6], "--to", "2025-12-31"]);
    assert_eq!(dark()["chosen"], Value::Null);
    assert_eq!(dark()["refused"][0]["differs"][0]["field"], "validity");
    with(&library, 0, &["library", "retire", &id]);
    assert_eq!(dark()["refused"][0]["differs"][0]["field"], "life_cycle");
    assert!(stdout(&with(&library, 0, &["library", "show", &id])).contains("retired"));
    // Retired is never reused either.
    let again = dir.path().join("again");
    let report = json(&with(
        &library,
        0,
        &["run", "--no-stack", text(&night), "-o", text(&again), "--json"],
    ));
    assert_eq!(names(&report, "masters", false), ["dark_60s_-10.0C_gain100_offset50_bin1x1.fits"]);
    let codes: Vec<&Value> = list(&report, "findings").iter().map(|f| &f["code"]).collect();
    assert!(codes.contains(&&Value::from("master-retired")), "{codes:?}");
    let pruned = json(&with(&library, 0, &["library", "prune", "--dry-run", "--json"]));
    assert_eq!(list(&pruned, "retired").len(), 1);
    for (args, word) in [
        (&["library", "show", "zz"][..], "is not an ID"),
        (&["library", "show", "0000000000"][..], "nothing in the library"),
        (&["library", "certify", &id, "--from", "yesterday"][..], "is not a date"),
        (&["plan", text(&light), "--share", "0"][..], "--share"),
    ] {
        let message = stderr(&with(&library, 2, args));
        assert!(message.contains(word), "{message}");
    }
    refused(&["match", text(&night.join("darks"))], &["no light"]);
}

#[test]
fn a_new_master_is_compared_with_the_one_it_follows() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("library");
    let changed = |seed: &str, more: &[&str]| -> Vec<Value> {
        let (night, out) = (dir.path().join(seed), dir.path().join(format!("out{seed}")));
        let size = ["--width", "256", "--height", "240", "--bias", "12", "--darks", "12"];
        simulate(&night, &[&["--seed", &seed[..1]][..], &size, more].concat());
        let report = json(&with(
            &library,
            0,
            &["run", "--no-stack", text(&night), "-o", text(&out), "--json"],
        ));
        let of = list(&report, "findings").iter().filter(|f| f["code"] == "master-changed");
        of.cloned().collect()
    };
    assert_eq!(changed("1", &[]), Vec::<Value>::new(), "there was none before");
    // The same sensor with darks of other noise: a little longer, so that no dark is the same.
    let again = changed("1 again", &["--exposure", "60.5"]);
    assert_eq!(again, Vec::<Value>::new(), "the same sensor has not changed");
    // Another seed is another sensor: its patterns and hot pixels are not those of the first.
    let told = changed("2", &[]);
    let bias = told.iter().find(|f| f["subject"].as_str().unwrap().contains("bias_")).unwrap();
    assert!(bias["message"].as_str().unwrap().contains("structure changed"), "{bias}");
    let dark = told.iter().find(|f| f["subject"].as_str().unwrap().contains("dark_60s")).unwrap();
    assert!(dark["evidence"]["new_hot"].as_u64().unwrap() > 0, "{dark}");
    assert!(dark["evidence"]["predecessor"].is_string(), "{dark}");
}

#[test]
fn a_damaged_index_is_kept_aside_and_the_night_goes_on_without() {
    let dir = tempfile::tempdir().unwrap();
    let (night, library) = (dir.path().join("night"), dir.path().join("library"));
    simulate(&night, &[]);
    with(&library, 0, &["library", "add", text(&night.join("darks")), text(&night.join("bias"))]);
    let told = || json(&with(&library, 0, &["library", "list", "--json"]));
    let before = told();
    let index = library.join("index.sqlite");
    // The option names it as well, before the verb or after.
    let named = json(&expect(0, &["library", "list", "--json", "--library", text(&library)]));
    assert_eq!(named, before);
    let mut bytes = std::fs::read(&index).unwrap();
    let middle = bytes.len() / 3;
    bytes[..middle].fill(0x5a);
    write_bytes(&index, &bytes, Existing::Replace).unwrap();
    let message = stderr(&with(&library, 2, &["library", "list"]));
    assert!(message.contains("damaged") && message.contains("rebuild"), "{message}");
    assert_eq!(std::fs::read(library.join("index.sqlite.damaged-1")).unwrap(), bytes);
    let out = dir.path().join("out");
    let report =
        json(&with(&library, 0, &["run", "--no-stack", text(&night), "-o", text(&out), "--json"]));
    let codes: Vec<&str> =
        list(&report, "findings").iter().map(|f| f["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"library-unusable"), "{codes:?}");
    assert_eq!(list(&report, "lights").len(), 3);
    with(
        &library,
        0,
        &["library", "rebuild", text(&night.join("darks")), text(&night.join("bias"))],
    );
    assert_eq!(told(), before);
    with(&library, 0, &["library", "verify"]);
}

/// Writes a master as another program would: 32-bit samples between 0 and 1.
fn foreign(from: &Path, to: &Path, factor: f32, program: &str) {
    let (data, _) = read_image(from).unwrap();
    let scaled = Plane::from_fn(data.size(), |x, y| data.get(x, y) * factor);
    let mut header = Header::new();
    header.set_text("SWCREATE", program, "");
    header.set_text("INSTRUME", "Photosite Simulated cmos-mono", "");
    let spec = ImageSpec { name: None, size: data.size(), planes: 1, sample: Sample::F32, header };
    let writer = FitsWriter::create(to, vec![spec], Vec::new(), Existing::Refuse).unwrap();
    writer.write_rows(0, 0, 0, scaled.as_slice()).unwrap();
    writer.finish().unwrap();
}

#[test]
fn masters_of_other_programs_are_adopted_and_mixing_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (night, library) = (dir.path().join("night"), dir.path().join("library"));
    simulate(&night, &[]);
    let ours = dir.path().join("ours");
    let report =
        json(&expect(0, &["run", "--no-stack", text(&night), "-o", text(&ours), "--json"]));
    let made = |kind: &str| -> PathBuf {
        let m = list(&report, "masters").iter().find(|m| m["kind"] == kind).unwrap().clone();
        PathBuf::from(m["path"].as_str().unwrap())
    };
    let theirs = dir.path().join("theirs");
    let dark = theirs.join("masterDark_BIN-1_EXPOSURE-60.00s_-10.0C_gain100.fits");
    foreign(&made("dark"), &dark, 1.0 / 65535.0, "PixInsight 1.8.9");
    foreign(&made("flat"), &theirs.join("flat_stacked.fits"), 0.3, "Siril 1.2.0");
    let added = json(&with(&library, 0, &["library", "add", text(&theirs), "--json"]));
    assert_eq!(added["new"], 2);
    let codes: Vec<&str> =
        list(&added, "findings").iter().map(|f| f["code"].as_str().unwrap()).collect();
    assert_eq!(codes.iter().filter(|c| **c == "master-converted").count(), 2, "{codes:?}");
    let listed = json(&with(&library, 0, &["library", "list", "--json"]));
    let entry = listed.as_array().unwrap().iter().find(|e| e["kind"] == "dark").unwrap();
    assert_eq!(entry["traits"]["exposure_s"], 60.0);
    assert_eq!(entry["traits"]["temp_c"], -10.0);
    assert_eq!(entry["software"], "PixInsight 1.8.9");
    let lights = night.join("lights");
    let out = dir.path().join("out");
    let report =
        json(&with(&library, 0, &["run", "--no-stack", text(&lights), "-o", text(&out), "--json"]));
    let codes: Vec<&str> =
        list(&report, "findings").iter().map(|f| f["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"mixed-software"), "{codes:?}");
    // The same pixels as with our own, but for rounding and repair.
    for light in list(&report, "lights") {
        let output = PathBuf::from(light["output"].as_str().unwrap());
        let (theirs, _) = read_image(&output).unwrap();
        let name = output.file_name().unwrap();
        let (ours, _) = read_image(&ours.join("calibrated").join(name)).unwrap();
        let far = theirs.as_slice().iter().zip(ours.as_slice());
        let far = far.filter(|(a, b)| (**a - **b).abs() > 0.05 + 1e-3 * b.abs()).count();
        assert!(far * 50 < ours.as_slice().len(), "{far} samples differ");
    }
    // A second run finds its copies in place.
    with(&library, 0, &["run", "--no-stack", text(&lights), "-o", text(&out)]);
}
