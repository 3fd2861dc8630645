//! Another run into the same folder: what is superseded, and what a report says it went by.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{expect, json, photosite, simulate, text, visible, write};

/// The stacks in a folder of products.
fn stacks(out: &std::path::Path) -> Vec<PathBuf> {
    let of = |p: &PathBuf| p.extension().is_some_and(|x| x == "fits");
    visible(&out.join("stacks")).into_iter().filter(of).collect()
}

fn outdated(output: &std::process::Output) -> Vec<Value> {
    let report = json(output);
    let all = report["findings"].as_array().unwrap();
    all.iter().filter(|f| f["code"] == "stack-outdated").cloned().collect()
}

#[test]
fn superseded_stacks_are_listed_and_removed_where_that_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &["--width", "480", "--height", "360", "--lights", "6"]);
    let run = |more: &[&str]| {
        let all = ["run", text(&night), "-o", text(&out), "--no-library", "--json"];
        expect(0, &[&all[..], more].concat())
    };
    run(&[]);
    let six = stacks(&out).remove(0);
    let changed =
        six.with_file_name(six.file_name().unwrap().to_string_lossy().replace("6x", "9x"));
    let by_hand =
        six.with_file_name(six.file_name().unwrap().to_string_lossy().replace("6x", "8x"));
    // One that somebody changed since, and one that no run made.
    let mut bytes = std::fs::read(&six).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    write(&changed, &bytes);
    expect(0, &["stack", "--register", text(&night.join("lights")), "-o", text(&by_hand)]);
    let told = outdated(&run(&["--exclude", "*_0002*"]));
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|f| f["hint"].as_str().unwrap().contains("--tidy")), "{told:?}");
    assert_eq!(stacks(&out).len(), 4, "nothing is removed unless that is asked");

    let told = outdated(&run(&["--exclude", "*_0002*", "--tidy"]));
    let removed: Vec<bool> =
        told.iter().map(|f| f["message"].as_str().unwrap().contains("removed")).collect();
    assert_eq!(removed, [true, false, false], "{told:?}");
    assert!(!six.exists() && !six.with_extension("png").exists());
    assert!(changed.exists() && by_hand.exists());
    assert_eq!(stacks(&out).len(), 3);
    assert!(stacks(&out).iter().any(|p| text(p).contains("5x")), "the run's own stays");
}

#[test]
fn every_value_in_force_says_where_it_is_from() {
    let dir = tempfile::tempdir().unwrap();
    let (night, out) = (dir.path().join("night"), dir.path().join("out"));
    simulate(&night, &[]);
    let file = dir.path().join("photosite.toml");
    write(&file, b"reject = 'winsorized'\nsigma_low = 2.5\nweight = 'noise'\nmemory = '1GiB'\n");
    let settings = |more: &[&str]| -> Vec<[String; 3]> {
        let mut command = photosite();
        command.args(["run", text(&night), "-o", text(&out), "--no-stack", "--json"]).args(more);
        let output = command.current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value =
            serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let all = report["settings"].as_array().unwrap().iter();
        all.map(|s| [text(&s["name"]), text(&s["value"]), text(&s["from"])]).collect()
    };
    let of = |all: &[[String; 3]], name: &str| -> Option<(String, String)> {
        let found: Vec<_> = all.iter().filter(|s| s[0] == name).collect();
        assert!(found.len() < 2, "{found:?}");
        found.first().map(|s| (s[1].clone(), s[2].clone()))
    };
    let is = |value: &str, from: &str| Some((value.to_owned(), from.to_owned()));
    let all = settings(&["--threads", "2"]);
    for (name, expected) in [
        ("reject", is("winsorized", "file")),
        ("sigma_low", is("2.5", "file")),
        ("weight", is("noise", "file")),
        ("memory", is("1GiB", "file")),
        ("threads", is("2", "command-line")),
        ("no_stack", is("true", "command-line")),
        ("normalize", is("additive-scale", "built-in")),
        ("format", is("f32", "built-in")),
        ("sigma_high", None),
        ("dry_run", None),
    ] {
        assert_eq!(of(&all, name), expected, "{name}: {all:?}");
    }
    // Another method leaves the file's thresholds, which are in the unit of theirs.
    let all = settings(&["--reject", "sigma", "--no-library"]);
    for (name, expected) in [
        ("reject", is("sigma", "command-line")),
        ("sigma_low", None),
        ("weight", is("noise", "file")),
        ("library", None),
    ] {
        assert_eq!(of(&all, name), expected, "{name}: {all:?}");
    }
}
